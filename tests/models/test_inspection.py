"""Importances of columns and partial dependence, compared with scikit-learn's."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.inspection import partial_dependence, permutation_importance

import fastgd
from fastgd.models.fit import Trained, fit_columns
from fastgd.models.fit_choices import Choices
from fastgd.models.fit_search import SearchSamples
from fastgd.models.model import Model
from fastgd.models.scores import SCORING
from fastgd.tables import inspection
from fastgd.tables.column_values import columns_of

SMALL = {"hidden_size": [4], "folds": 2}
ROWS, RANDOM = 120, np.random.default_rng(3)
TABLE = pd.DataFrame(
    {
        "size": RANDOM.integers(30, 200, ROWS).astype(float),
        "city": RANDOM.choice(["Rome", "Oslo", "Bonn"], ROWS, p=[0.5, 0.3, 0.2]),
        "rooms": RANDOM.integers(1, 6, ROWS).astype(float),
        "built": pd.date_range("1990-01-01", periods=ROWS, freq="90D")[RANDOM.permutation(ROWS)],
    }
)
TABLE.loc[7, "size"] = np.nan
PRICE = 3000 * TABLE["size"].fillna(90) * (1 + (TABLE["city"] == "Rome")) + 1e5
PRICED = TABLE.assign(price=PRICE)
SORTED = TABLE.assign(sort=np.where(PRICE > 6e5, "dear", np.where(PRICE > 4e5, "fair", "cheap")))


class Wrapped(BaseEstimator):
    """A model as an estimator that was fitted."""

    def fit(self, _X, _y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        return self.model.predict(X)


class Regressor(RegressorMixin, Wrapped):
    pass


class Classifier(ClassifierMixin, Wrapped):
    def predict_proba(self, X):
        return self.model.predict_proba(X)


@pytest.fixture(scope="module")
def priced():
    return fastgd.fit(PRICED, "price", **SMALL)


@pytest.fixture(scope="module")
def classes():
    return fastgd.fit(SORTED, "sort", **SMALL)


def wrapped(model):
    estimator = (Classifier if model.classes else Regressor)()
    estimator.model, estimator.classes_ = model, np.array(model.classes or ())
    return estimator


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [("priced", name) for name in (None, *SCORING[False])]
    + [("classes", name) for name in (None, "accuracy", "balanced_accuracy", "neg_log_loss")],
)
def test_importances_are_those_of_scikit_learn(request, kind, scoring):
    model = request.getfixturevalue(kind)
    table, target = (SORTED, "sort") if model.classes else (PRICED, "price")
    found = model.importances(table, repeats=3, seed=7, scoring=scoring)
    default = "neg_log_loss" if model.classes else "neg_mean_absolute_error"
    expected = permutation_importance(
        wrapped(model),
        TABLE,
        table[target],
        scoring=scoring or default,
        n_repeats=3,
        random_state=7,
    )
    order = [TABLE.columns.get_loc(name) for name in found.names]
    assert sorted(found.names) == sorted(TABLE.columns)
    scale = np.abs(expected.importances).max()
    for own, its in (
        (found.each, expected.importances),
        (found.mean, expected.importances_mean),
        (found.spread, expected.importances_std),
    ):
        np.testing.assert_allclose(own, its[order], rtol=1e-9, atol=1e-12 * scale)
    assert (np.diff(found.mean) <= 0).all()
    name, sign = SCORING[bool(model.classes)][scoring or default]
    assert found.measure == f"{'rise' if sign < 0 else 'fall'} of {name}"


def test_chunks_change_nothing(priced, monkeypatch):
    whole = priced.importances(PRICED, repeats=3)
    monkeypatch.setattr(inspection, "TOGETHER", 1)
    assert priced.importances(PRICED, repeats=3).each.tobytes() == whole.each.tobytes()


def test_rows_without_a_target_are_left_out(priced):
    some = PRICED.assign(price=PRICED["price"].where(PRICED.index > 30))
    found = priced.importances(some, repeats=2)
    assert found.each.tobytes() == priced.importances(PRICED[31:], repeats=2).each.tobytes()


@pytest.mark.parametrize("column", ["size", "rooms", "city"])
@pytest.mark.parametrize("kind", ["priced", "classes"])
def test_partial_dependence_is_that_of_scikit_learn(request, kind, column):
    model, table = request.getfixturevalue(kind), TABLE.dropna()
    categories = ["city"] if column == "city" else None
    expected = partial_dependence(
        wrapped(model), table, [column], kind="both", grid_resolution=30,
        categorical_features=categories,
    )  # fmt: skip
    found = model.partial(table, column, values=expected["grid_values"][0])
    assert found.values.tolist() == expected["grid_values"][0].tolist()
    np.testing.assert_allclose(found.average, expected["average"], rtol=1e-12)
    np.testing.assert_allclose(found.individual, expected["individual"], rtol=1e-12)
    assert found.outputs == (model.classes or ("price",))
    assert found.of_classes == bool(model.classes)


def test_dates_are_set_to_days(priced):
    found = priced.partial(TABLE, "built", values=["1995-05-01", "2010-01-01"])
    assert found.values.tolist() == pd.to_datetime(["1995-05-01", "2010-01-01"]).tolist()
    by_hand = [priced.predict(TABLE.assign(built=day)) for day in found.values]
    np.testing.assert_allclose(found.individual[0], np.transpose(by_hand), rtol=1e-12)


def test_the_grid_is_quantiles_or_all_values_or_frequent_strings(priced):
    sizes = TABLE["size"].dropna()
    quantiles = np.unique(np.quantile(sizes, np.linspace(0.05, 0.95, 40)))
    np.testing.assert_allclose(priced.partial(TABLE, "size").values, quantiles)
    assert priced.partial(TABLE, "rooms").values.tolist() == [1, 2, 3, 4, 5]
    assert priced.partial(TABLE, "city").values.tolist() == ["Rome", "Oslo", "Bonn"]
    days = priced.partial(TABLE, "built").values
    assert days.dtype.kind == "M"
    assert len(days) == 40


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.importances(TABLE), "the table must have the target price; its columns: size"),
        (lambda m: m.importances(PRICED, repeats=0), "repeats must be at least 1, got 0"),
        (lambda m: m.importances(PRICED, seed=-1), "seed must be at least 0, got -1"),
        (
            lambda m: m.importances(PRICED, scoring="accuracy"),
            "scoring must be 'r2', .*error', got 'accuracy'",
        ),
        (
            lambda m: m.importances(PRICED.assign(price=np.nan)),
            "target 'price' must have a value in a row, got none",
        ),
        (
            lambda m: m.partial(TABLE, "sizes"),
            "column must be one that the model uses, got 'sizes': did you mean size.$",
        ),
        (
            lambda m: m.partial(TABLE.assign(x=1), "x"),
            "column must be one that the model uses, got 'x'; its columns: size, city, rooms, ",
        ),
        (lambda m: m.partial(TABLE, "size", values=[]), "values must have a value, got none"),
        (
            lambda m: m.partial(TABLE.assign(size=np.nan), "size"),
            "column 'size' must have a known value, got none",
        ),
        (
            lambda m: m.partial(TABLE, "size", values=["big"]),
            "column 'size' must hold numbers, as in the training table, got 'big' in row 1",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_can_not_be_inspected(priced, call, message):
    with pytest.raises(ValueError, match=message):
        call(priced)


def test_a_column_has_a_name(priced):
    with pytest.raises(TypeError, match=r"column must name a column of the table, got 1.5"):
        priced.partial(TABLE, 1.5)


def test_several_targets_have_curves_but_no_importances(priced):
    both = (*priced.targets, priced.targets[0].__class__("tax", 0.0, 1.0))
    run = fastgd.train(np.eye(2), np.eye(2), iterations=2)
    table = {"a": [0.0, 1.0] * 9, "b": [1.0, 0.0, 2.0] * 6}
    preparation = fastgd.tables.preparation.Preparation.learn(table)
    model = Model((run,), preparation, both)
    found = model.partial(table, "a", values=[0, 1])
    assert found.outputs == ("price", "tax")
    assert found.individual.shape == (2, 18, 2)
    with pytest.raises(ValueError, match="importances needs a model with one target, got price, t"):
        model.importances(table)


def test_tables_and_notebooks_have_them(priced):
    found = priced.importances(PRICED)
    frame = found.to_dataframe()
    assert frame["column"].tolist() == list(found.names)
    assert frame.columns.tolist() == ["column", "mean", "spread"]
    assert "Importances for price" in found._repr_html_()
    page = priced.partial(TABLE, "city")._repr_html_()
    assert "Partial dependence on city" in page
    assert "image/png" in page


def test_fit_measures_them_in_the_test_set():
    found = fit_columns(columns_of(PRICED), "price", Choices(**SMALL).checked())
    shuffled = found.importances
    assert set(shuffled.names[:2]) == {"size", "city"}
    assert shuffled.each.shape == (4, 5)
    assert shuffled.measure == "rise of mean |error|"
    # In units of the target, by networks that have not learned from these rows.
    error = np.abs(found.actual - found.predicted).mean()
    assert shuffled.mean[0] > error
    without = fit_columns(columns_of(PRICED), "price", Choices(**SMALL, test_fraction=0).checked())
    assert without.importances is None


def test_large_test_sets_have_fewer_rows_for_them(monkeypatch):
    seen = []
    monkeypatch.setattr("fastgd.models.fit.FEWEST_ROWS", 3)
    monkeypatch.setattr("fastgd.models.fit.MOST_WORK", 1)
    score = "fastgd.models.fit.scorer_of"
    original = fastgd.models.fit.scorer_of
    monkeypatch.setattr(score, lambda *given: seen.append(given) or original(*given))
    fit_columns(columns_of(PRICED), "price", Choices(**SMALL).checked())
    assert len(seen[0][1]) == 3


def test_the_work_of_importances_is_that_of_networks_of_all_sizes(monkeypatch):
    found, seen = fit_columns(columns_of(PRICED), "price", Choices(**SMALL).checked()), []
    model = found.model
    runs = tuple(SimpleNamespace(weights=(np.zeros((1, units)),)) for units in (1, 99))
    trained = Trained(model.targets[0], model.preparation, found.best, runs, None, "")
    spy = "fastgd.models.fit.permutation_importances"
    monkeypatch.setattr(spy, lambda *given: seen.append(given[2]) or [None] * 4)
    monkeypatch.setattr("fastgd.models.fit.MOST_WORK", 5 * len(TABLE.columns) * 100 * 40)
    rows, ones = np.zeros((80, 1)), np.ones(80)
    trained.importances(SearchSamples(rows, rows, ones, ones, ones, None))
    assert len(seen[0]) == 40
