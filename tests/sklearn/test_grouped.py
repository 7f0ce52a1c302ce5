"""A model per group: the estimator that a plain loop over the groups would have fitted."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastgd.sklearn import (
    FastGDClassifier,
    FastGDRegressor,
    GroupedClassifier,
    GroupedRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NUMBERS = FastGDRegressor((3,), max_iter=20, learning_rate_init=0.05, random_state=0)
CLASSES = FastGDClassifier((3,), max_iter=20, learning_rate_init=0.05, random_state=0)


def table(counts=(20, 30, 25)):
    draw = np.random.default_rng(0)
    shop = np.repeat(["a", "b", "c"][: len(counts)], counts)
    X = pd.DataFrame({"price": draw.normal(size=len(shop)), "shop": shop})
    X["heat"] = draw.normal(15, 5, len(shop))
    y = X.price * (shop == "a") - X.price * (shop == "b") + 0.01 * X.heat
    order = draw.permutation(len(shop))
    return X.iloc[order].reset_index(drop=True), y.iloc[order].reset_index(drop=True)


def by_hand(estimator, X, y, groups, answer="predict"):
    """The loop that it takes the place of."""
    result = None
    for _, part in X.groupby(groups):
        own = clone(estimator).fit(part.drop(columns=groups), y[part.index])
        found = getattr(own, answer)(part.drop(columns=groups))
        if result is None:
            result = np.empty((len(X), *found.shape[1:]), found.dtype)
        result[part.index] = found
    return result


@pytest.mark.parametrize(
    "estimator",
    [
        NUMBERS,
        make_pipeline(StandardScaler(), NUMBERS),
        make_pipeline(NUMBERS),
        make_pipeline("passthrough", NUMBERS),
        TransformedTargetRegressor(
            make_pipeline(StandardScaler(), NUMBERS), transformer=StandardScaler()
        ),
        LinearRegression(),
        clone(NUMBERS).set_params(n_ensemble=2, early_stopping=True),
    ],
    ids=["network", "pipeline", "one-step", "passthrough", "target", "other", "ensemble"],
)
def test_predictions_are_those_of_a_loop(estimator):
    X, y = table()
    model = GroupedRegressor(estimator, groups=["shop"], use_global_model=False).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(estimator, X, y, ["shop"]))
    assert model.groups_ == ["a", "b", "c"]
    assert model.fallback_ is None


def test_a_pipeline_with_a_memory(tmp_path):
    X, y = table()
    cached = make_pipeline(SimpleImputer(), StandardScaler(), NUMBERS, memory=str(tmp_path))
    model = GroupedRegressor(cached, "shop").fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(cached, X, y, ["shop"]))


def test_unknown_groups_have_the_global_model():
    X, y = table()
    model = GroupedRegressor(NUMBERS, "shop").fit(X, y)
    shared = clone(NUMBERS).fit(X.drop(columns="shop"), y)
    new = X.assign(shop=np.where(np.arange(len(X)) % 2 == 0, X.shop, "z"))
    expected = by_hand(NUMBERS, X, y, ["shop"])
    expected[1::2] = shared.predict(X.drop(columns="shop"))[1::2]
    np.testing.assert_array_equal(model.predict(new), expected)
    model.set_params(use_global_model=False).fit(X, y)
    with pytest.raises(ValueError, match=r"with use_global_model=False, got 'z' in row 1"):
        model.predict(new)


def test_groups_in_several_columns_and_in_arrays():
    X, y = table()
    X["floor"] = np.arange(len(X)) % 2
    model = GroupedRegressor(NUMBERS, ["shop", "floor"]).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(NUMBERS, X, y, ["shop", "floor"]))
    assert model.groups_[1] == ("a", 1)
    assert list(model.estimators_) == model.groups_
    codes = X.assign(shop=X.shop.map({"a": 0, "b": 1, "c": 2}))
    same = GroupedRegressor(NUMBERS, [1, -1]).fit(codes.to_numpy(), y.to_numpy())
    np.testing.assert_array_equal(same.predict(codes.to_numpy()), model.predict(X))


def test_groups_that_lack_classes():
    X, y = table((20, 30, 25))
    labels = np.where(y > 0.3, "high", np.where(y < 0, "low", "middle"))
    labels[X.shop == "c"] = "middle"
    labels[(X.shop == "a") & (labels == "low")] = "high"
    labels = pd.Series(labels)
    model = GroupedClassifier(CLASSES, "shop", use_global_model=False).fit(X, labels)
    assert list(model.classes_) == ["high", "low", "middle"]
    assert [len(own.classes_) for own in model.estimators_.values()] == [2, 3, 1]
    predicted = model.predict(X)
    for shop, part in X.groupby("shop"):
        own = clone(CLASSES).fit(part.drop(columns="shop"), labels[part.index])
        assert (predicted[part.index] == own.predict(part.drop(columns="shop"))).all(), shop
        found = model.predict_proba(part)
        for k, name in enumerate(own.classes_):
            at = list(model.classes_).index(name)
            expected = own.predict_proba(part.drop(columns="shop"))[:, k]
            np.testing.assert_array_equal(found[:, at], expected)
        np.testing.assert_allclose(found.sum(axis=1), 1)
    assert 0 < model.score(X, labels) <= 1


def test_other_classifiers_and_missing_methods():
    X, y = table()
    model = GroupedClassifier(make_pipeline(StandardScaler(), LogisticRegression()), "shop")
    model.fit(X, y > 0.1)
    assert model.score(X, y > 0.1) > 0.8
    assert not hasattr(GroupedRegressor(NUMBERS, "shop"), "predict_proba")


def test_missing_values_are_left_to_a_pipeline():
    X, y = table()
    X.loc[::7, "price"] = np.nan
    filled = make_pipeline(SimpleImputer(), NUMBERS)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        GroupedRegressor(filled, "shop").fit(X, y)
    model = GroupedRegressor(filled, "shop", check_X=False).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(filled, X, y, ["shop"]))


def test_clone_pickle_parameters_and_cross_validation():
    X, y = table()
    model = GroupedRegressor(make_pipeline(StandardScaler(), NUMBERS), "shop")
    again = clone(model).set_params(estimator__fastgdregressor__max_iter=5)
    assert model.get_params()["estimator__fastgdregressor__max_iter"] == 20
    assert again.get_params()["estimator__fastgdregressor__max_iter"] == 5
    model.fit(X, y)
    read = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(read.predict(X), model.predict(X))
    assert np.isfinite(cross_val_score(model, X, y, cv=3)).all()
    search = GridSearchCV(model, {"estimator__fastgdregressor__alpha": [1e-4, 1.0]}, cv=2)
    assert search.fit(X, y).best_params_
    assert list(model.feature_names_in_) == ["price", "shop", "heat"]
    assert model.n_features_in_ == 3
    assert "GroupedRegressor" in model._repr_html_()


def test_the_warning_counts_groups():
    X, y = table()
    with pytest.warns(ConvergenceWarning, match="hasn't converged yet in 4 of 4 fits"):
        GroupedRegressor(clone(NUMBERS).set_params(max_iter=2), "shop").fit(X, y)


def test_several_targets():
    X, y = table()
    both = np.column_stack([y, -y])
    model = GroupedRegressor(NUMBERS, "shop").fit(X, both)
    assert model.predict(X).shape == (len(X), 2)


@pytest.mark.parametrize(
    ("given", "X", "error", "message"),
    [
        ({"groups": "store"}, None, ValueError, "groups must be columns of X, got 'store'"),
        ({"groups": []}, None, ValueError, "groups must name a column of X"),
        (
            {"groups": [5]},
            np.ones((75, 2)),
            ValueError,
            "indices of columns of X, .* with 2, got 5",
        ),
        ({"groups": ["a"]}, np.ones((75, 2)), ValueError, "indices of columns of X"),
        ({"shrinkage": "equal"}, None, ValueError, "shrinkage must be None, got 'equal'"),
        ({"estimator": CLASSES}, None, ValueError, "estimator must be a regressor"),
        ({}, table()[0].assign(shop=None), ValueError, "must not be missing .* column shop, row 0"),
        ({}, table()[0].assign(price="x"), ValueError, "could not convert string"),
        ({}, table()[0][:9], ValueError, "inconsistent numbers of samples"),
        (
            {},
            table()[0][["shop"]],
            ValueError,
            r"a column in addition to groups, got 1 feature\(s\)",
        ),
        (
            {"groups": [0]},
            np.array([[np.inf, 1.0]] * 75),
            ValueError,
            "missing or infinite .* column 0, row 0",
        ),
        ({"groups": "price"}, None, ValueError, "could not convert string"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_refused(given, X, error, message):
    own, y = table()
    model = GroupedRegressor(**{"estimator": NUMBERS, "groups": "shop"} | given)
    with pytest.raises(error, match=message):
        model.fit(own if X is None else X, y)


def test_errors_name_the_group():
    X, y = table((20, 30, 1))
    stopping = clone(NUMBERS).set_params(early_stopping=True)
    with pytest.raises(ValueError, match="group 'c': "):
        GroupedRegressor(stopping, "shop").fit(X, y)


def test_a_shared_table_that_fails_is_checked_once(monkeypatch):
    X, y = table()
    X.loc[X.shop == "c", "heat"] = np.nan
    sizes, check = [], FastGDRegressor._table
    monkeypatch.setattr(
        FastGDRegressor,
        "_table",
        lambda own, X, *rest: sizes.append(len(X)) or check(own, X, *rest),
    )
    with pytest.raises(ValueError, match="group 'c': Input X contains NaN"):
        GroupedRegressor(NUMBERS, "shop", check_X=False).fit(X, y)
    assert sizes == [75, 20, 30, 25]


@pytest.mark.parametrize(
    ("estimator", "count"),
    [
        (make_pipeline(StandardScaler(), NUMBERS), 0),
        (TransformedTargetRegressor(NUMBERS), 3),
    ],
    ids=["pipeline", "target"],
)
def test_networks_are_cloned_where_a_fit_does_so(estimator, count, monkeypatch):
    X, y = table()
    made, clone_of = [], FastGDRegressor.__sklearn_clone__
    monkeypatch.setattr(
        FastGDRegressor, "__sklearn_clone__", lambda own: made.append(own) or clone_of(own)
    )
    GroupedRegressor(estimator, "shop", use_global_model=False).fit(X, y)
    assert len(made) == 3 + count


def test_errors_of_a_training_name_the_group():
    X, y = table()
    y = y - y.min() - (X.shop == "b")
    grouped = GroupedRegressor(clone(NUMBERS).set_params(loss="poisson"), groups="shop")
    with pytest.raises(ValueError, match=r"^group 'b': y must be at least 0"):
        grouped.fit(X, y)


def test_every_epoch_is_remembered_and_told(capsys):
    """Of a training that ends on another network than the one that it gives back, too."""
    X, y = table()
    settings = {"early_stopping": True, "n_iter_no_change": 100, "verbose": True, "max_iter": 9}
    network = clone(NUMBERS).set_params(**settings, learning_rate_init=0.3)
    grouped = GroupedRegressor(network, groups="shop", use_global_model=False).fit(X, y)
    told = capsys.readouterr().out
    for label, own in grouped.estimators_.items():
        part = X[X.shop == label]
        alone = clone(network).fit(part.drop(columns="shop"), y[part.index])
        assert own.loss_curve_ == alone.loss_curve_
        assert own.validation_scores_ == alone.validation_scores_
        assert np.isfinite(own.loss_)
        assert f"group '{label}'\n{capsys.readouterr().out}" in told


def test_some_labels_missing():
    X, y = table()
    X.loc[4, "shop"] = None
    with pytest.raises(ValueError, match=r"not be missing .* got one in column shop, row 4"):
        GroupedRegressor(NUMBERS, "shop").fit(X, y)


def test_labels_missing_at_predict():
    X, y = table()
    model = GroupedRegressor(NUMBERS, "shop").fit(X, y)
    X.loc[[4, 9], "shop"] = np.nan
    with pytest.raises(ValueError, match=r"not be missing .* got one in column shop, row 4"):
        model.predict(X)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        GroupedRegressor(NUMBERS, "shop").predict(table()[0])


def test_networks_from_before_a_divergence_are_kept_with_a_warning():
    rows = np.random.default_rng(0).normal(size=(60, 2))
    X = np.c_[np.arange(60) % 2, rows]
    network = FastGDRegressor(
        (5,), max_iter=4, random_state=0, learning_rate_init=1e200, early_stopping=True
    )
    with pytest.warns(match="diverged in 3 of 3 fits, and the networks with the best"):
        model = GroupedRegressor(network, groups=0).fit(X, rows[:, 0])
    assert np.isfinite(model.predict(X)).all()
