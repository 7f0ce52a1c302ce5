"""Derivatives of a model's predictions, in the units of its table."""

import numpy as np
import pytest

import fastgd
from fastgd.models.model import Model
from fastgd.tables import columns
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import ClassTarget, NumberTarget

RANDOM = np.random.default_rng(0)
TABLE = {
    "size": RANDOM.uniform(20, 200, 40).tolist(),
    "sort": ["flat", "house"] * 20,
    "age": [None, *RANDOM.uniform(0, 90, 39).tolist()],
}
PRICE = [300 * size + 5e4 * (k % 2) for k, size in enumerate(TABLE["size"])]
NEW = {"size": [50.0, 120.0], "sort": ["house", "flat"], "age": [10.0, 70.0]}


def model_of(targets, values, how=None, **options):
    preparation = Preparation.learn(TABLE, **how or {})
    X = preparation.transform(TABLE)
    y = np.concatenate([t.encode(v) for t, v in zip(targets, values, strict=True)], axis=1)
    options = {"alpha": 0.01, "iterations": 30, "activation": "tanh", "bias": True} | options
    runs = [fastgd.train(X, y, seed=seed, **options) for seed in (1, 2)]
    return Model(tuple(runs), preparation, tuple(targets))


@pytest.fixture(scope="module")
def model():
    return model_of([NumberTarget.learn("price", PRICE)], [PRICE], output="identity")


def differences(f, name, step):
    up, down = (NEW | {name: [x + off for x in NEW[name]]} for off in (step, -step))
    return (f(up) - f(down)) / (2 * step)


def test_they_are_in_the_units_of_the_table(model):
    found = model.gradient(NEW)
    assert list(found) == ["size", "age"]
    for name, own in found.items():
        assert own.shape == (2,)
        np.testing.assert_allclose(own, differences(model.predict, name, 1e-4), rtol=1e-6)


@pytest.mark.parametrize("how", [{"bins": 4}, {"clip": True}])
def test_they_are_those_of_bins_and_of_clipped_numbers(how, monkeypatch):
    monkeypatch.setattr(columns, "HEAVY", 0.5)  # clip these, too
    model = model_of([NumberTarget.learn("price", PRICE)], [PRICE], how, output="identity")
    assert all(one.bins or one.clip for one in model.preparation.columns if one.name != "sort")
    for name, own in model.gradient(NEW).items():
        np.testing.assert_allclose(own, differences(model.predict, name, 1e-4), rtol=1e-6)


def test_they_are_those_of_probabilities():
    target = ClassTarget.learn("dear", [price > 4e4 for price in PRICE])
    given = {"activation": "leaky_relu", "output": "softmax", "loss": "cross_entropy"}
    model = model_of([target], [[price > 4e4 for price in PRICE]], **given)
    for name, own in model.gradient(NEW).items():
        assert own.shape == (2, 2)
        expected = differences(model.predict_proba, name, 1e-4)
        np.testing.assert_allclose(own, expected, rtol=1e-5, atol=1e-12)
        np.testing.assert_allclose(own.sum(axis=1), 0, atol=1e-15)


def test_several_targets_have_columns_each():
    tax = [price / 50 for price in PRICE]
    targets = [NumberTarget.learn("price", PRICE), NumberTarget.learn("tax", tax)]
    model = model_of(targets, [PRICE, tax], output="identity")
    own = model.gradient(NEW)["size"]
    np.testing.assert_allclose(own, differences(model.predict, "size", 1e-4), rtol=1e-6)


@pytest.mark.slow
def test_the_variance_of_a_gaussian_has_no_column():
    model = model_of(
        [NumberTarget.learn("price", PRICE)],
        [PRICE],
        output="identity",
        loss="gaussian",
        alpha=1e-3,
    )
    own = model.gradient(NEW)["size"]
    np.testing.assert_allclose(own, differences(model.predict, "size", 1e-4), rtol=1e-6)


def test_a_missing_number_has_none(model):
    found = model.gradient(NEW | {"age": [10.0, None]})
    assert np.isnan(found["age"]).tolist() == [False, True]
    assert np.isfinite(found["size"]).all()


def test_what_is_refused(model):
    with pytest.raises(ValueError, match="the table must have the column"):
        model.gradient({"size": [1.0]})
    strings = Model(model.runs, Preparation.learn({"sort": TABLE["sort"]}), model.targets)
    with pytest.raises(ValueError, match="needs a column of numbers, and this model has only sort"):
        strings.gradient(NEW)


def test_what_predict_warns_of(model):
    with pytest.warns(UserWarning, match="size: missing in 1 row"):
        model.gradient(NEW | {"size": [1e2, None]})
