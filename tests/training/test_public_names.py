"""fastgd's names are imported one by one, on first use."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import fastgd


def rooms_after(line):
    """The packages of fastgd that are loaded by a line of a new Python."""
    code = f"import json, sys, fastgd\n{line}\nprint(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = json.loads(done.stdout.splitlines()[-1])
    return {name.split(".")[1] for name in names if name.startswith("fastgd.")}


def test_names_are_those_that_type_checkers_know():
    names = {}
    exec(Path(fastgd.__file__).with_suffix(".pyi").read_text(), names)
    known = {name for name in names if not name.startswith("_")} - {"TYPE_CHECKING"}
    assert {"train", "fit", "open", "bucket", "optimizers"} <= known
    for name in known:
        assert getattr(fastgd, name) is names[name]
    assert {name for name in dir(fastgd) if not name.startswith("_")} == known
    assert set(fastgd.__all__) == known - {"open", "plots", "sklearn"}


@pytest.mark.parametrize(
    "room", ["bucket", "functions", "optimizers", "plots", "schedules", "sklearn"]
)
def test_completion_lists_public_names_only(room):
    found = getattr(fastgd, room)
    assert {name for name in dir(found) if not name.startswith("_")} == set(found.__all__)


def test_everything_imported_leaves_what_python_has():
    assert rooms_after("from fastgd import *\nassert open(0).fileno() == 0 and train")


def test_each_name_imports_what_it_needs():
    assert rooms_after("fastgd.__version__") == set()
    others = {"article", "cli", "models", "plots", "reference", "studies", "tables"}
    assert not rooms_after("fastgd.train, fastgd.sweep, fastgd.Run") & others


def test_files_with_models_are_read_in_a_process_that_has_not_used_any(tmp_path):
    table = {"x": [0.0, 1.0, 2.0, 3.0] * 5, "y": [0.0, 1.0, 4.0, 9.0] * 5}
    fastgd.fit(table, target="y", hidden_size=2).save(tmp_path / "model.npz")
    loaded = f"print(type(fastgd.load({str(tmp_path / 'model.npz')!r})).__name__)"
    assert "models" in rooms_after(loaded)


def test_a_name_that_is_none_raises():
    with pytest.raises(AttributeError, match="module 'fastgd' has no attribute 'teach'"):
        fastgd.teach  # noqa: B018
    assert not hasattr(fastgd, "nope.x")
