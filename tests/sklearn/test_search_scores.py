"""Scores by name that a search computes itself: the bits of scikit-learn's scorers, or no score."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import check_scoring, get_scorer, make_scorer, mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fastgd.sklearn import FastGDClassifier, FastGDRegressor, SweepSearchCV
from fastgd.sklearn.search_scores import (
    OF_CLASSES,
    OF_NUMBERS,
    Classes,
    Truth,
    score_of,
)
from thinning import only

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Probable(ClassifierMixin, BaseEstimator):
    """Predicts these probabilities, whatever X is."""

    def __init__(self, classes, probabilities):
        self.classes_, self.probabilities = classes, probabilities

    def predict_proba(self, _X):
        return self.probabilities

    def predict(self, _X):
        return self.classes_[self.probabilities.argmax(axis=1)]


class Sure(RegressorMixin, BaseEstimator):
    """Predicts these numbers, whatever X is."""

    def __init__(self, numbers):
        self.numbers = numbers

    def fit(self, _X, _y):
        return self

    def predict(self, _X):
        return self.numbers


NAMES = [
    np.arange(4),
    np.array([-2, 0, 5, 7]),
    np.array(["a", "bb", "c", "d"]),
    np.array(["a", "bb", "c", "d"], dtype=object),
    np.array([False, True, True, True]),
]


@pytest.mark.parametrize("name", OF_CLASSES)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(4, 150),
    classes=st.integers(2, 4),
    labels=st.sampled_from(NAMES),
    kind=st.sampled_from(["plain", "ties", "sure"]),
)
@settings(max_examples=60, deadline=None)
def test_scores_of_classes_have_the_bits_of_scikit_learn(name, seed, rows, classes, labels, kind):
    draw, rows = np.random.default_rng(seed), max(rows, 2 * classes)
    names = np.unique(labels[:classes])
    p = draw.random((rows, len(names))) ** 3
    if kind == "ties":
        p = np.round(p, 1) + 0.05
    elif kind == "sure":
        p = np.eye(len(names))[p.argmax(axis=1)]
    p /= p.sum(axis=1, keepdims=True)
    if len(names) == 2:
        p = np.concatenate([1.0 - p[:, 1:], p[:, 1:]], axis=1)
    y = names[draw.permutation(np.arange(rows) % len(names))]
    model = Probable(names, p)
    found = score_of(name, Truth(y), Classes(names, p, model.predict(None)))
    if name == "roc_auc" and len(names) > 2:
        assert found is None
    else:
        assert found == get_scorer(name)(model, np.zeros((rows, 1)), y)


@pytest.mark.parametrize("name", OF_NUMBERS)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(2, 150),
    outputs=st.integers(0, 3),
    kind=st.sampled_from(["plain", "rounded", "constant", "right", "by columns", "whole"]),
)
@settings(max_examples=60, deadline=None)
def test_scores_of_numbers_have_the_bits_of_scikit_learn(name, seed, rows, outputs, kind):
    draw = np.random.default_rng(seed)
    y = draw.lognormal(size=(rows, outputs or 1))
    v = y * draw.lognormal(0, 0.3, size=y.shape)
    if kind == "rounded":
        y, v = np.round(y), np.round(v)
    elif kind == "constant":
        y[:] = 1.5
    elif kind == "right":
        v = y.copy()
    elif kind == "by columns":
        y = np.asfortranarray(y)
    elif kind == "whole":
        y = y.astype(np.int64)
    y, v = (y, v) if outputs else (y[:, 0], v[:, 0])
    found = score_of(name, Truth(y), v)
    if name == "neg_max_error" and outputs > 1:
        assert found is None
    else:
        assert found == get_scorer(name)(Sure(v), np.zeros((rows, 1)), y)


EVEN = np.arange(30) % 2
HALF = np.full((30, 2), 0.5)
HALVES = Classes(np.arange(2), HALF, np.zeros(30, int))
OTHERS = {
    "one class, loss": ("neg_log_loss", np.zeros(30, int), HALVES),
    "one class, area": ("roc_auc", np.zeros(30, int), HALVES),
    "one class": ("balanced_accuracy", np.zeros(30, int), HALVES),
    "a class that is not there": (
        "balanced_accuracy", EVEN, Classes(np.arange(3), np.ones((30, 3)) / 3, np.full(30, 2))
    ),
    "more classes": ("neg_log_loss", EVEN, Classes(np.arange(3), np.ones((30, 3)) / 3, EVEN)),
    "no sum of 1": ("neg_log_loss", np.arange(30) % 3,
                    Classes(np.arange(3), np.full((30, 3), 0.3), np.zeros(30, int))),
    "not finite, area": ("roc_auc", EVEN, Classes(np.arange(2), HALF * np.nan, EVEN)),
    "not finite": ("neg_log_loss", EVEN, Classes(np.arange(2), HALF * np.nan, EVEN)),
    "as many classes as rows": (
        "accuracy", np.arange(30), Classes(np.arange(30), np.eye(30), np.arange(30))
    ),
    "numbers": ("accuracy", EVEN + 0.0, HALVES),
    "a table": ("accuracy", np.stack([EVEN, EVEN], axis=1), HALVES),
    "labels of two types": ("accuracy", np.array([1, "a"] * 15, dtype=object), HALVES),
    "of regression": ("r2", EVEN, HALVES),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_scikit_learn_is_asked_where_it_warns_or_refuses(name):
    score, y, found = OTHERS[name]
    assert score_of(score, Truth(y), found) is None


ONES = np.ones(5)


@pytest.mark.parametrize(
    ("name", "y", "v"),
    [
        ("r2", ONES[:1], ONES[:1]),
        ("r2", ONES * np.nan, ONES),
        ("r2", ONES, ONES * np.inf),
        ("r2", ONES.astype(np.float32), ONES),
        ("r2", ONES, np.ones((5, 2))),
        ("neg_mean_squared_log_error", -ONES, ONES),
        ("neg_root_mean_squared_log_error", ONES, -ONES),
        ("accuracy", ONES, ONES),
    ],
)
def test_scikit_learn_is_asked_about_numbers_that_it_may_refuse(name, y, v):
    assert score_of(name, Truth(y), v) is None


# ---------------------------------------------------------------- in a search

DRAW = np.random.default_rng(2)
X = DRAW.normal(3, 2, size=(90, 3))
NUMBERS = np.abs(X[:, 0] - 0.1 * X[:, 1] ** 2)
TWO = np.array(["ham", "spam"])[(X[:, 0] > X[:, 1]).astype(int)]
THREE = (X[:, 0] > 2).astype(int) + (X[:, 1] > 3)
CLASSIFIER = FastGDClassifier((4,), max_iter=10, learning_rate_init=0.05, random_state=0)
REGRESSOR = FastGDRegressor((4,), max_iter=10, learning_rate_init=0.05, random_state=0)
GRID = {"net__alpha": [0.01, 0.1], "net__learning_rate_init": [0.01, 0.1]}
FOLDS = StratifiedKFold(3)


def scaled(network):
    return Pipeline([("scale", StandardScaler()), ("net", network)])


def both(estimator, y, grid=GRID, X=X, **how):
    """The results of our search and of scikit-learn's, without times."""
    for kind in (SweepSearchCV, GridSearchCV):
        found = kind(estimator, grid, **{"cv": 3, "refit": False, **how}).fit(X, y).cv_results_
        yield {name: values for name, values in found.items() if "time" not in name}


def same(ours, theirs):
    assert list(ours) == list(theirs)
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values, err_msg=name)


@pytest.fixture
def asked(monkeypatch):
    """The number of predictions that scikit-learn's scorers ask estimators for."""
    found = []
    for kind in (FastGDClassifier, FastGDRegressor):
        monkeypatch.setattr(
            kind,
            "predict",
            lambda own, X, predict=kind.predict: found.append(own) or predict(own, X),
        )
    return found


CASES = {
    "two classes": (scaled(CLASSIFIER), TWO, {"scoring": list(OF_CLASSES)}),
    "three classes": (scaled(CLASSIFIER), THREE, {"scoring": ["accuracy", "neg_log_loss"]}),
    "series": (scaled(CLASSIFIER), pd.Series(TWO), {"scoring": "balanced_accuracy"}),
    "training scores": (scaled(CLASSIFIER), TWO, {"return_train_score": True}),
    "numbers": (scaled(REGRESSOR), NUMBERS, {"scoring": list(OF_NUMBERS)[:-2]}),
    "the default for numbers": (scaled(REGRESSOR), NUMBERS, {"return_train_score": True}),
    "two outputs": (scaled(REGRESSOR), np.stack([NUMBERS, -NUMBERS], axis=1),
                    {"scoring": {"a": "r2", "b": "neg_root_mean_squared_error"}}),
    "ensembles": (scaled(clone(CLASSIFIER).set_params(n_ensemble=2)), TWO, {}),
    "no steps": (Pipeline([("no", "passthrough"), ("net", CLASSIFIER)]), TWO, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", only(CASES, *(name for name in CASES if name != "ensembles")))
def test_a_search_scores_by_name_as_scikit_learn_does(name, asked):
    estimator, y, how = CASES[name]
    search = SweepSearchCV(estimator, GRID, cv=3, refit=False, **how).fit(X, y)
    assert not asked
    theirs = GridSearchCV(estimator, GRID, cv=3, refit=False, **how).fit(X, y)
    ours, its = search.cv_results_, theirs.cv_results_
    same(*({n: v for n, v in found.items() if "time" not in n} for found in (ours, its)))
    assert repr(search.scorer_) == repr(theirs.scorer_)


class Doubting(FastGDClassifier):
    """Never predicts the second class."""

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Falling(TransformerMixin, BaseEstimator):
    """Refuses some rows, but not in training."""

    def fit(self, X, _y=None):
        self.rows_ = len(X)
        return self

    def transform(self, X):
        if len(X) != self.rows_:
            raise ValueError("these rows are refused")
        return X


def failing(_model, _X, _y):
    raise RuntimeError("no score")


SLOW = {
    "a subclass": (scaled(Doubting(**CLASSIFIER.get_params())), TWO, {}),
    "a function": (scaled(CLASSIFIER), TWO, {"scoring": lambda model, X, y: model.score(X, y) / 2}),
    "several from a function": (
        scaled(CLASSIFIER), TWO,
        {"scoring": lambda model, X, y: {"a": model.score(X, y), "b": model["net"].loss_}},
    ),
    "a scorer": (scaled(REGRESSOR), NUMBERS, {"scoring": make_scorer(mean_squared_error)}),
    "another name": (scaled(CLASSIFIER), THREE, {"scoring": "f1_macro"}),
    "known and unknown": (scaled(CLASSIFIER), THREE, {"scoring": ["accuracy", "f1_macro"]}),
    "labels": (scaled(CLASSIFIER), np.stack([TWO == "ham", THREE > 1], axis=1).astype(int), {}),
    "a changed target": (
        TransformedTargetRegressor(scaled(REGRESSOR), transformer=StandardScaler()), NUMBERS, {}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_scikit_learn_scores_whatever_else_there_is(name, asked):
    estimator, y, how = SLOW[name]
    grid = GRID
    if isinstance(estimator, TransformedTargetRegressor):
        grid = {f"regressor__{key}": values for key, values in GRID.items()}
    same(*both(estimator, y, grid, **how))
    assert asked or name == "a subclass"


@pytest.mark.slow
def test_a_penalty_of_0_may_be_a_candidate():
    """Beside others: alone it would have a kernel without penalties."""
    same(*both(CLASSIFIER, THREE, {"alpha": [0, 0.1]}))
    same(*both(CLASSIFIER, THREE, {"alpha": [0]}))


def test_weights_reach_the_scorer():
    weight = np.arange(90.0)
    ours, theirs = (
        kind(CLASSIFIER, {"alpha": [0.01, 0.1]}, cv=3).fit(X, TWO, sample_weight=weight)
        for kind in (SweepSearchCV, GridSearchCV)
    )
    name = "mean_test_score"
    np.testing.assert_array_equal(ours.cv_results_[name], theirs.cv_results_[name])


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_score_that_is_not_defined_is_scikit_learns():
    """In a fold whose test set has one class, and of a transformer that raises."""
    y = np.where(np.arange(90) < 30, "ham", TWO)
    with pytest.warns(UndefinedMetricWarning, match="Only one class is present"):
        same(*both(scaled(CLASSIFIER), y, cv=KFold(3), scoring="roc_auc"))
    refusing = Pipeline([("scale", Falling()), ("net", CLASSIFIER)])
    with pytest.warns(UserWarning, match="these rows are refused"):
        same(*both(refusing, TWO, error_score=-1))
    with pytest.raises(ValueError, match="these rows are refused"):
        SweepSearchCV(refusing, GRID, cv=3, error_score="raise").fit(X, TWO)


def test_test_rows_are_transformed_once_for_each_fold(monkeypatch):
    seen, transform = [], StandardScaler.transform
    monkeypatch.setattr(
        StandardScaler, "transform", lambda own, X: seen.append(len(X)) or transform(own, X)
    )
    SweepSearchCV(scaled(CLASSIFIER), GRID, cv=FOLDS, refit=False).fit(X, TWO)
    assert sorted(seen) == [30] * 3 + [60] * 3  # those of the test set, and of the training set


@pytest.mark.parametrize(
    "scoring",
    [
        ["f1", "precision", "recall", "jaccard"],
        {"a": "f1", "b": "precision", "c": "accuracy", "d": None},
        check_scoring(CLASSIFIER, ["f1", "precision", "accuracy"]),
    ],
    ids=["list", "dict", "object"],
)
def test_scores_that_are_not_known_share_predictions(scoring, monkeypatch):
    """Of one estimator for each fit, which transforms and predicts once for each set of rows."""
    found = {}
    for kind in (SweepSearchCV, GridSearchCV):
        asked, predict = [], FastGDClassifier.predict
        with monkeypatch.context() as context:
            context.setattr(
                FastGDClassifier,
                "predict",
                lambda own, X, predict=predict, asked=asked: asked.append(own) or predict(own, X),
            )
            y = (TWO == "ham").astype(int)
            how = {"scoring": scoring, "cv": 2, "refit": False, "return_train_score": True}
            search = kind(scaled(CLASSIFIER), {"net__alpha": [0.01, 0.1]}, **how).fit(X, y)
        results = {n: v for n, v in search.cv_results_.items() if "time" not in n}
        found[kind] = len(asked), len(set(map(id, asked))), repr(search.scorer_), results
    ours, theirs = found[SweepSearchCV], found[GridSearchCV]
    same(ours[3], theirs[3])
    assert ours[2] == theirs[2]
    assert ours[:2] == (8, 4)  # 2 candidates, 2 folds, test and training
    assert ours[0] <= theirs[0]


@pytest.mark.parametrize(
    "scoring",
    [
        ["accuracy", "accuracy"],
        [],
        {},
        [["a"]],
        [failing],
        [1, 2],
        {1: "accuracy"},
        "unknown",
        ["unknown"],
        {"a": 5},
        {"a", "b"},
        5,
        check_scoring(CLASSIFIER, ["accuracy"]),
        ["accuracy", "f1_macro"],
    ],
)
def test_what_is_no_scoring_is_refused_as_scikit_learn_does_it(scoring):
    """Before anything is trained; the last two for their refit."""
    messages = []
    for kind in (SweepSearchCV, GridSearchCV):
        with pytest.raises((ValueError, TypeError)) as refused:
            kind(CLASSIFIER, {"alpha": [0.01, 0.1]}, scoring=scoring, refit=True).fit(X, TWO)
        messages.append(str(refused.value).replace(kind.__name__, ""))
    assert len(set(messages)) == 1


@pytest.mark.parametrize("given", ["object", "dict"])
@pytest.mark.parametrize("error_score", [-1.0, "raise"])
def test_a_score_of_several_may_fail(given, error_score):
    scoring = {"a": "accuracy", "b": failing, "c": "f1_macro"}
    if given == "object":
        scoring = check_scoring(CLASSIFIER, scoring, raise_exc=error_score == "raise")
    how = {"scoring": scoring, "refit": "a", "error_score": error_score}
    if error_score == "raise":
        with pytest.raises(RuntimeError, match="no score"):
            SweepSearchCV(CLASSIFIER, {"alpha": [0.01, 0.1]}, **how).fit(X, THREE)
        return
    with pytest.warns(UserWarning, match="Scoring failed"):
        same(*both(CLASSIFIER, THREE, {"alpha": [0.01, 0.1]}, **how))
    with pytest.warns(UserWarning, match="Scoring failed"):
        search = SweepSearchCV(CLASSIFIER, {"alpha": [0.01, 0.1]}, **how).fit(X, THREE)
    assert list(search.scorer_) == ["a", "b", "c"]
