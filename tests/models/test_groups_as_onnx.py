"""Models of groups as one ONNX file: what onnxruntime makes of it is what predict returns."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pandas as pd
import pytest

import fastgd
from fastgd.models.group_training import MODELS
from shops import SHORT, fitted, shops

NEW = shops(seed=4).drop(columns="sales")
NEW.loc[:4, "shop"] = "shop x"

pytestmark = pytest.mark.filterwarnings("ignore:.*(not|never|range) in the training table")


def ask(models, path, table, dtype="float64", **given):
    """All outputs for a table, whose missing labels are "" or 0."""
    models.to_onnx(path, dtype=dtype, **given)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    numbers = models.preparation.numbers(table).T[:, :, None].astype(dtype)
    columns = [column.name for column in models.preparation.columns]
    inputs = dict(zip(columns, numbers, strict=True))
    kinds = {"tensor(string)": object, "tensor(int64)": np.int64}
    for one in session.get_inputs():
        if one.type in kinds:
            inputs[one.name] = np.array(table[one.name], kinds[one.type])[:, None]
    assert [one.name for one in session.get_inputs()] == [*models.keys.names, *columns]
    found = session.run(None, inputs)
    return dict(zip([one.name for one in session.get_outputs()], found, strict=True))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unknown": "global"},
        {"start": "own", "standardize": "global", "model": "best"},
        pytest.param({"activation": "relu", "batch_norm": True}, marks=pytest.mark.slow),
    ],
    ids=["usual", "for unknown groups", "alone", "other networks"],
)
def test_predictions(tmp_path, options):
    models = fitted(**options)
    found, known = ask(models, tmp_path / "m.onnx", NEW)["variable"][:, 0], models.predict(NEW)
    np.testing.assert_allclose(found, known, rtol=1e-12, atol=1e-12)
    assert np.isnan(known).sum() == (0 if "unknown" in options else 5)
    found = ask(models, tmp_path / "m.onnx", NEW, "float32")["variable"][:, 0]
    np.testing.assert_allclose(found, known, rtol=1e-3)


@pytest.mark.parametrize("options", [{}, {"unknown": "global"}])
def test_bounds_of_each_group(tmp_path, options):
    models = fitted(**options)
    known, ends = models.predict_interval(NEW), ("low", "high")
    found = ask(models, tmp_path / "m.onnx", NEW, interval=0.9)
    assert np.isnan(known).any(axis=1).sum() == 5
    for k, name in enumerate(ends):
        np.testing.assert_allclose(found[name][:, 0], known.iloc[:, k], rtol=1e-12, atol=1e-12)


def test_each_group_may_have_another_model(tmp_path):
    models = fitted()
    models = replace(models, chosen=np.arange(len(models)) % len(MODELS))
    assert len({*models.predict(NEW.assign(price=1.0, heat=2.0))[5:]}) == 7
    found = ask(models, tmp_path / "m.onnx", NEW)["variable"][:, 0]
    np.testing.assert_allclose(found, models.predict(NEW), rtol=1e-12, atol=1e-12)


def test_a_training_that_diverged_gives_nan(tmp_path):
    models = fitted()
    [one, *others] = models.fits.trained.sweeps
    [weights] = one.kept_weights
    first = np.arange(len(weights))[:, None] == 0
    broken = replace(one, kept_weights=(np.where(first, np.inf, weights),))
    fits = models.fits._replace(trained=models.fits.trained._replace(sweeps=(broken, *others)))
    models = replace(models, fits=fits)
    known = models.predict(NEW)
    assert np.isnan(known).sum() > 5
    found = ask(models, tmp_path / "m.onnx", NEW)["variable"][:, 0]
    np.testing.assert_allclose(found, known, rtol=1e-12, atol=1e-12)


KINDS = {
    "strings": (["big", "small"], ["", "big", "small"]),
    "numbers": ([3, 7], [np.nan, 3.0, 7.0]),
    "booleans": ([True, False], [False, True]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_classes_by_several_columns(tmp_path, kind):
    (low, high), labels = KINDS[kind]
    table = shops(counts=(30, 30))
    table["kind"] = np.where(table.pop("sales") > 10, low, high)
    table["floor"] = np.arange(len(table)) % 3 + 7
    table = table[(table.floor > 7) | (table.shop == "shop 0")]  # one combination is not there
    models = fastgd.fit_groups(
        table, by=["floor", "shop"], target="kind", classification=True, **SHORT
    )
    new = table.assign(floor=[5, *table.floor[1:]], shop=["shop 1", "x", *table.shop[2:]])
    new.loc[len(new)] = [1.0, 2.0, "shop 1", low, 7]
    found, known = ask(models, tmp_path / "m.onnx", new), models.predict_proba(new)
    np.testing.assert_allclose(found["probabilities"], known, rtol=0, atol=1e-12)
    unknown = np.isnan(known).any(axis=1)
    assert unknown.sum() == 3
    assert (found["label"][~unknown] == models.predict(new)[~unknown].astype(type(low))).all()
    assert {*map(str, found["label"])} <= {*map(str, labels)}
    assert {*map(str, found["label"][unknown])} == {str(labels[0])}


def test_labels_must_be_strings_or_whole_numbers(tmp_path):
    table = shops(counts=(20, 20))
    second = table["shop"] == "shop 1"
    for labels, came in (
        (np.where(second, 0.5, 1.0), "0.5"),
        (pd.to_datetime(np.where(second, "2026-01-01", "2026-01-02")), "datetime"),
    ):
        models = fastgd.fit_groups(table.assign(shop=labels), by="shop", target="sales", **SHORT)
        rule = f"needs labels of groups that are strings or whole numbers, got {came}"
        with pytest.raises(ValueError, match=rule):
            models.to_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
