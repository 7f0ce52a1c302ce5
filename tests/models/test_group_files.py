"""Models per group as files: read again, damaged, and without pandas."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import fastgd
from shops import fitted, shops


def test_saved_and_read_again(tmp_path):
    table, models = shops(), fitted(unknown="global")
    path = tmp_path / "models.npz"
    models.save(path)
    again = fastgd.load(path)
    new = table.assign(shop=["shop 1", "new"] * 61)
    np.testing.assert_array_equal(again.predict(new), models.predict(new))
    pd.testing.assert_frame_equal(again.errors, models.errors)
    assert repr(again) == repr(models)
    assert {again: "found"}[models] == "found"
    fastgd.assert_equal(again, models)
    other = replace(models, chosen=models.chosen + 1)
    assert again != other
    with pytest.raises(AssertionError, match=r"differ first in chosen\[0\]: 0 and 1 \("):
        fastgd.assert_equal(again, other)


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "models.npz"
    fitted(unknown="global").save(path)
    with np.load(path) as file:
        arrays = dict(file)
    rng = np.random.default_rng(0)
    names = [name for name in arrays if name != "fastgd" and "." not in name]
    names += ["measured.rows", "measured.status", "preparation.preparation", "target.target"]
    for name in names:
        worse_ones = [arrays[name][..., None]]
        if not name.startswith("levels"):  # which may be dates
            worse_ones.append(np.zeros_like(arrays[name], dtype="M8[s]"))
        for worse in worse_ones:
            np.savez(path, **arrays | {name: worse})
            with pytest.raises(ValueError, match="must be a whole file that fastgd has saved"):
                fastgd.load(path)
    for name in ("members", "places"):
        np.savez(path, **arrays | {name: arrays[name] + int(rng.integers(100, 200))})
        with pytest.raises(ValueError, match="must be a whole file that fastgd has saved"):
            fastgd.load(path)


def test_a_file_of_before_there_were_test_sets(tmp_path):
    path, models = tmp_path / "models.npz", fitted(unknown="global")
    models.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    new = ("compared.", "shared.", "measured.test", "constant", "ridge", "chosen")
    old = {name: array for name, array in arrays.items() if not name.startswith(new)}
    header = json.loads(str(old["fastgd"]))
    del header["parts"]["shared"], header["members"]
    old["fastgd"] = np.array(json.dumps(header))
    old["measured.validation_rows"] = old["measured.rows"] // 5
    old["measured.validation_error"] = old["measured.training_error"]
    np.savez(path, **old)
    again, table = fastgd.load(path), shops()
    np.testing.assert_array_equal(again.predict(table), models.predict(table))
    assert repr(again) == "GroupModels(sales by shop: 7 groups, 122 rows)"
    assert list(again.errors) == list(models.errors)
    assert again.errors.test_error.isna().all()
    assert again.errors.test_rows.sum() == 0
    again.save(path)
    assert fastgd.load(path).errors.equals(again.errors)


@pytest.mark.slow
def test_neither_training_nor_a_file_needs_pandas(tmp_path):
    path = tmp_path / "models.npz"
    fitted().save(path)
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "import fastgd\n"
        f"models = fastgd.load({str(path)!r})\n"
        "print(models.predict({'shop': ['shop 0'], 'price': [1.0], 'heat': [15.0]}))\n"
        "try: models.errors\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = fitted().predict({"shop": ["shop 0"], "price": [1.0], "heat": [15.0]})
    assert done.stdout.splitlines() == [
        str(expected),
        'errors needs pandas: pip install "fastgd[dataframe]"',
    ]
