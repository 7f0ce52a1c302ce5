"""SweepSearchCV against scikit-learn's own searches over the same estimator, to the last bit."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - its import switches it on
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError

from fastgd.sklearn import FastGDClassifier, FastGDRegressor, SweepSearchCV
from fastgd.sklearn.joint_training import Batch
from thinning import only

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def cube(values):
    return values**3


DRAW = np.random.default_rng(1)
X = DRAW.normal(3, 2, size=(61, 3))
NUMBERS = X[:, 0] - 0.1 * X[:, 1] ** 2
CLASSES = np.array(["ham", "spam"])[(X[:, 0] > X[:, 1]).astype(int)]
CLASSIFIER = FastGDClassifier((4,), max_iter=10, learning_rate_init=0.05, random_state=0)
REGRESSOR = FastGDRegressor((4,), max_iter=10, learning_rate_init=0.05, random_state=0)
PIPELINE = Pipeline([("scale", StandardScaler()), ("net", CLASSIFIER)])
RATES = {"alpha": [0, 0.1], "learning_rate_init": [0.01, 0.1, 0.3]}

INNER = TransformedTargetRegressor(
    Pipeline([("scale", StandardScaler()), ("net", REGRESSOR)]), func=np.cbrt, inverse_func=cube
)
NESTED = TransformedTargetRegressor(
    Pipeline([("scale", MinMaxScaler()), ("inner", INNER)]), transformer=StandardScaler()
)
NESTED_GRID = {"regressor__inner__regressor__net__alpha": [0.01, 0.1, 0.3]}


def in_pipeline(grid):
    return {f"net__{name}": values for name, values in grid.items()}


def same_results(ours, theirs):
    """All that is no time, in the same order."""
    assert list(ours) == list(theirs)
    for name, values in theirs.items():
        if "time" in name:
            assert (np.asarray(ours[name]) >= 0).all()
        elif isinstance(values, np.ndarray):
            np.testing.assert_array_equal(ours[name], values, err_msg=name, strict=True)
        else:
            assert ours[name] == values, name


def both(estimator, grid, y, given=None, fit=None):
    """The two searches, fitted."""
    given = {"cv": 3, **(given or {})}
    searches = SweepSearchCV(estimator, grid, **given), GridSearchCV(estimator, grid, **given)
    return [search.fit(X, y, **(fit or {})) for search in searches]


SEARCHES = {
    "numbers": (CLASSIFIER, RATES, CLASSES, {"return_train_score": True}),
    "structures": (
        REGRESSOR,
        {"hidden_layer_sizes": [(4,), (3, 2)], "max_iter": [5, 10], "alpha": [0, 0.1]},
        NUMBERS,
        {},
    ),
    "lists of grids": (
        CLASSIFIER,
        [{"alpha": [0.1]}, {"early_stopping": [True], "tol": [1e-4, 0.1]}, {"n_ensemble": [2]}],
        CLASSES,
        {"cv": KFold(3, shuffle=True, random_state=0)},
    ),
    "batches and masks": (
        CLASSIFIER,
        {"batch_size": [8, 200], "dropout": [0, 0.2], "beta_1": [0.5, 0.9]},
        CLASSES,
        {"cv": 2},
    ),
    "several scores": (
        PIPELINE,
        in_pipeline(RATES),
        CLASSES,
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"},
    ),
    "own scorer": (
        PIPELINE,
        in_pipeline(RATES),
        CLASSES,
        {"scoring": {"a": make_scorer(accuracy_score)}, "refit": False},
    ),
    "chosen by hand": (
        PIPELINE, in_pipeline(RATES), CLASSES, {"refit": lambda results: len(results["params"]) - 1}
    ),
    "preprocessing": (
        PIPELINE,
        {"scale": [StandardScaler(), MinMaxScaler(), "passthrough"], "net__alpha": [0, 0.1]},
        CLASSES,
        {},
    ),
    "rows in any order": (
        CLASSIFIER,
        RATES | {"early_stopping": [True]},
        CLASSES,
        {"cv": ShuffleSplit(2, random_state=0)},
    ),
    "classes of a fold": (
        CLASSIFIER, RATES, np.where(np.arange(61) < 4, "rare", CLASSES), {"cv": KFold(3)}
    ),
    "weights of classes": (
        CLASSIFIER,
        {"class_weight": ["balanced", {"ham": 2, "spam": 1}, None], "alpha": [0, 0.1]},
        CLASSES,
        {},
    ),
    "transformed target": (
        TransformedTargetRegressor(REGRESSOR, transformer=StandardScaler()),
        {"regressor__alpha": [0, 0.1], "transformer": [StandardScaler(), MinMaxScaler()]},
        NUMBERS,
        {},
    ),
    "nested": (
        NESTED,
        NESTED_GRID | {"regressor__inner__regressor__scale": [StandardScaler(), "passthrough"]},
        NUMBERS,
        {},
    ),
    "a stream of random numbers": (
        clone(CLASSIFIER).set_params(random_state=np.random.RandomState(3)), RATES, CLASSES, {}
    ),
    "other networks": (
        PIPELINE, {"net": [CLASSIFIER, clone(CLASSIFIER).set_params(alpha=0.3)]}, CLASSES, {}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", only(SEARCHES, "numbers", "other networks"))
def test_the_results_are_those_of_a_grid_search(name):
    estimator, grid, y, given = SEARCHES[name]
    ours, theirs = both(estimator, grid, y, given)
    same_results(ours.cv_results_, theirs.cv_results_)
    for attribute in ("best_index_", "best_params_", "best_score_", "n_splits_", "multimetric_"):
        assert hasattr(ours, attribute) == hasattr(theirs, attribute)
        assert getattr(ours, attribute, None) == getattr(theirs, attribute, None)
    if given.get("refit", True):
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        assert ours.score(X, y) == theirs.score(X, y)
        assert type(ours.best_estimator_) is type(estimator)
    assert repr(ours.scorer_) == repr(theirs.scorer_)


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (NESTED, NESTED_GRID),
        (
            TransformedTargetRegressor(REGRESSOR, transformer=StandardScaler()),
            {"regressor__alpha": [0.01, 0.1, 0.3]},
        ),
    ],
    ids=["nested", "target"],
)
def test_whatever_is_around_a_network_all_its_fits_are_one_sweep(estimator, grid, monkeypatch):
    """And the steps before it are fitted once for each fold, and once for the refit."""
    shapes, scalers = [], []
    train, fit = Batch.train, StandardScaler.fit
    monkeypatch.setattr(
        Batch,
        "train",
        lambda own, *given, **how: (
            shapes.append((len(own.subsets), len(own.cases))),
            train(own, *given, **how),
        ),
    )
    monkeypatch.setattr(
        StandardScaler, "fit", lambda own, *given: (scalers.append(own), fit(own, *given))[1]
    )
    ours = SweepSearchCV(estimator, grid, cv=3).fit(X[:60], NUMBERS[:60])
    assert shapes == [(3, 3), (1, 1)]
    assert len(scalers) == (4 if estimator is not NESTED else 2 * 4)
    theirs = GridSearchCV(estimator, grid, cv=3).fit(X[:60], NUMBERS[:60])
    same_results(ours.cv_results_, theirs.cv_results_)
    assert ours.best_estimator_.regressor_ is not estimator.regressor


@pytest.mark.parametrize("estimator", [CLASSIFIER, PIPELINE], ids=["alone", "in a pipeline"])
def test_weights_and_groups_reach_whom_they_are_for(estimator):
    weight = np.arange(61.0)
    labels = np.arange(61) % 5
    name = "net__sample_weight" if estimator is PIPELINE else "sample_weight"
    grid = in_pipeline(RATES) if estimator is PIPELINE else RATES
    ours, theirs = both(
        estimator, grid, CLASSES, {"cv": GroupKFold(3)}, {"groups": labels, name: weight}
    )
    same_results(ours.cv_results_, theirs.cv_results_)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


class Shuffled(KFold):
    """Folds that need a seed."""

    __metadata_request__split = {"seed": True}  # noqa: RUF012 - as scikit-learn names it

    def split(self, X, y=None, groups=None, seed=None):
        return KFold(self.n_splits, shuffle=True, random_state=seed).split(X, y, groups)

    def get_n_splits(self, *_, **__):
        return self.n_splits


@pytest.mark.parametrize("halving", [False, True])
def test_a_splitter_gets_its_own_metadata(halving):
    given = {"halving": halving, "refit": False}
    with config_context(enable_metadata_routing=True):
        ours = SweepSearchCV(CLASSIFIER, RATES, cv=Shuffled(3), **given).fit(X, CLASSES, seed=1)
    folds = KFold(3, shuffle=True, random_state=1)
    theirs = SweepSearchCV(CLASSIFIER, RATES, cv=folds, **given).fit(X, CLASSES)
    same_results(ours.cv_results_, theirs.cv_results_)


def test_a_data_frame_keeps_the_names_of_its_columns():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    search = SweepSearchCV(CLASSIFIER, RATES, cv=2).fit(frame, pd.Series(CLASSES))
    assert list(search.feature_names_in_) == ["a", "b", "c"]
    assert (search.n_features_in_, list(search.classes_)) == (3, ["ham", "spam"])


def test_random_search_draws_the_candidates_of_scikit_learn():
    ranges = {"alpha": [0, 0.01, 0.1], "learning_rate_init": [0.01, 0.03, 0.1, 0.3]}
    given = {"n_iter": 5, "random_state": 3, "cv": 3}
    ours = SweepSearchCV(CLASSIFIER, param_distributions=ranges, **given).fit(X, CLASSES)
    theirs = RandomizedSearchCV(CLASSIFIER, ranges, **given).fit(X, CLASSES)
    same_results(ours.cv_results_, theirs.cv_results_)


class Counting(TransformerMixin, BaseEstimator):
    """Counts its fits."""

    fits = 0

    def __init__(self, factor=1):
        self.factor = factor

    def fit(self, X, _y=None):
        Counting.fits += 1
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return (X - self.mean_) * self.factor


def test_preprocessing_is_fitted_once_per_fold_and_its_own_parameters(monkeypatch):
    monkeypatch.setattr(Counting, "fits", 0)
    pipeline = Pipeline([("center", Counting()), ("net", CLASSIFIER)])
    grid = in_pipeline(RATES) | {"center__factor": [1, 0.5]}
    search = SweepSearchCV(pipeline, grid, cv=3).fit(X, CLASSES)
    assert Counting.fits == 2 * 3 + 1
    theirs = GridSearchCV(pipeline, grid, cv=3).fit(X, CLASSES)
    same_results(search.cv_results_, theirs.cv_results_)


def test_halving_goes_on_with_the_better_ones_from_where_they_are():
    grid = in_pipeline(RATES) | {"scale": [StandardScaler(), MinMaxScaler()]}
    long = clone(PIPELINE).set_params(net__max_iter=12, net__n_iter_no_change=np.inf)
    ours = SweepSearchCV(long, grid, cv=3, halving=True).fit(X, CLASSES)
    assert (ours.n_candidates_, ours.n_resources_) == ([12, 6, 3, 2], [1, 3, 6, 12])
    last = ours.cv_results_["iter"] == 3
    assert list(ours.cv_results_["n_resources"][last]) == [12, 12]
    whole = SweepSearchCV(long, grid, cv=3).fit(X, CLASSES)
    scores = dict(
        zip(
            map(str, whole.cv_results_["params"]), whole.cv_results_["mean_test_score"], strict=True
        )
    )
    ended = [str(params) for params in np.array(ours.cv_results_["params"])[last]]
    assert list(ours.cv_results_["mean_test_score"][last]) == [scores[one] for one in ended]
    assert ours.best_score_ == max(scores[one] for one in ended)
    best = clone(long).set_params(**clone(ours.best_params_, safe=False)).fit(X, CLASSES)
    np.testing.assert_array_equal(ours.predict_proba(X), best.predict_proba(X))


def test_halving_gives_the_scores_of_scikit_learn_s_halving():
    long = clone(CLASSIFIER).set_params(max_iter=16)
    ours = SweepSearchCV(long, RATES, cv=3, halving=True).fit(X, CLASSES)
    theirs = HalvingGridSearchCV(
        long, RATES, cv=3, factor=2, resource="max_iter", min_resources=4, max_resources=16
    ).fit(X, CLASSES)
    assert (ours.n_resources_, ours.n_candidates_) == (theirs.n_resources_, theirs.n_candidates_)
    for name in ("iter", "n_resources", "param_alpha", "mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(ours.cv_results_[name], theirs.cv_results_[name])
    assert ours.best_score_ == theirs.best_score_


def test_a_scorer_gets_the_networks_of_the_rung():
    """Whether they are made for it or not."""
    long = clone(CLASSIFIER).set_params(max_iter=16)
    searches = [
        SweepSearchCV(long, RATES, cv=2, halving=True, refit=False, scoring=scoring).fit(X, CLASSES)
        for scoring in ("neg_log_loss", lambda *given: get_scorer("neg_log_loss")(*given))
    ]
    ours, theirs = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_array_equal(ours, theirs)


def test_of_two_candidates_one_is_alone_at_the_end():
    long = clone(CLASSIFIER).set_params(max_iter=4)
    ours = SweepSearchCV(long, {"alpha": [0, 0.1]}, cv=2, halving=True).fit(X, CLASSES)
    assert (ours.n_candidates_, ours.n_resources_) == ([2, 1], [2, 4])


def test_a_candidate_that_fails_has_the_error_score():
    grid = {"alpha": [0.1, -1], "learning_rate_init": [0.1]}
    with pytest.warns(FitFailedWarning, match=r"3 fits failed out of a total of 6"):
        ours = SweepSearchCV(CLASSIFIER, grid, cv=3, error_score=-7).fit(X, CLASSES)
    assert list(ours.cv_results_["mean_test_score"] == -7) == [False, True]
    with pytest.raises(ValueError, match="alpha must be a finite number of at least 0, got -1"):
        SweepSearchCV(CLASSIFIER, grid, cv=3, error_score="raise").fit(X, CLASSES)
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        SweepSearchCV(CLASSIFIER, {"alpha": [-1]}, cv=3).fit(X, CLASSES)


def test_what_is_refused_only_when_it_is_trained_fails_alone():
    """In the same sweep as others."""
    grid = {"options": [{"l1": 0.01}, {"l1": -1.0}]}
    with pytest.warns(FitFailedWarning, match="l1 must be a finite number of at least 0, got -1.0"):
        search = SweepSearchCV(CLASSIFIER, grid, cv=2, error_score=0).fit(X, CLASSES)
    assert list(search.cv_results_["mean_test_score"] > 0) == [True, False]


def test_a_run_that_diverges_fails_alone():
    grid = {"learning_rate_init": [0.01, 1e308]}
    estimator = clone(REGRESSOR)
    with pytest.warns((FitFailedWarning, UserWarning), match="non-finite"):
        search = SweepSearchCV(estimator, grid, cv=2).fit(X, NUMBERS)
    assert list(np.isnan(search.cv_results_["mean_test_score"])) == [False, True]


def test_another_estimator_is_searched_as_scikit_learn_does_it():
    with pytest.warns(UserWarning, match="Ridge is not an estimator of fastgd"):
        ours = SweepSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=3).fit(X, NUMBERS)
    same_results(
        ours.cv_results_,
        GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=3).fit(X, NUMBERS).cv_results_,
    )
    with pytest.raises(ValueError, match=r"halving must be False .* got Ridge\(\)"):
        SweepSearchCV(Ridge(), {"alpha": [1.0]}, halving=True).fit(X, NUMBERS)


@pytest.mark.slow
def test_lbfgs_is_fitted_one_by_one_and_says_so_once():
    grid = {"solver": ["adam", "lbfgs"], "alpha": [0, 0.1]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ours = SweepSearchCV(REGRESSOR, grid, cv=2).fit(X, NUMBERS)
    said = [
        one.filename
        for one in caught
        if "solver='lbfgs' can't be trained jointly" in str(one.message)
    ]
    assert said == [__file__]
    same_results(ours.cv_results_, GridSearchCV(REGRESSOR, grid, cv=2).fit(X, NUMBERS).cv_results_)


def test_a_last_step_that_is_no_network_is_fitted_beside_them():
    pipeline = Pipeline([("scale", StandardScaler()), ("net", REGRESSOR)])
    ours, theirs = both(pipeline, {"net": [REGRESSOR, Ridge()]}, NUMBERS)
    same_results(ours.cv_results_, theirs.cv_results_)


@pytest.mark.parametrize("size", only(["auto", 8], "auto"))
def test_fits_without_a_seed_are_trained_together(size):
    estimator = clone(CLASSIFIER).set_params(random_state=None, batch_size=size)
    grid = RATES | {"alpha": [0.01, 0.1]}
    search = SweepSearchCV(estimator, grid, cv=3).fit(X, CLASSES)
    assert search.best_score_ > 0.5


def test_it_is_an_estimator_like_others():
    search = SweepSearchCV(PIPELINE, in_pipeline(RATES), cv=2)
    assert clone(search).get_params(deep=False).keys() == search.get_params(deep=False).keys()
    assert get_tags(search).estimator_type == "classifier"
    nested = make_pipeline(StandardScaler(), search).fit(X, CLASSES)
    again = pickle.loads(pickle.dumps(nested))
    np.testing.assert_array_equal(again.predict(X), nested.predict(X))
    assert search.get_params()["estimator__net__alpha"] == 0.0001


REFUSED = {
    "no candidates": ({}, "one of param_grid and param_distributions must be given, got none"),
    "both": (
        {"param_grid": RATES, "param_distributions": RATES},
        "one of param_grid and param_distributions must be given, got both",
    ),
    "factor": ({"param_grid": RATES, "factor": 1}, "factor must be at least 2, got 1"),
    "several scores": (
        {"param_grid": RATES, "halving": True, "scoring": ["r2"], "refit": "r2"},
        r"scoring must be one metric with halving, got \['r2'\]",
    ),
    "lengths": (
        {"param_grid": {"max_iter": [5, 6]}, "halving": True},
        "max_iter must be the same in all candidates with halving, got 5, 6",
    ),
    "lbfgs": (
        {"param_grid": {"solver": ["lbfgs"]}, "halving": True},
        "solver must train in epochs with halving, got 'lbfgs'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("cv", ["5", 1])
def test_what_is_no_splitter_is_refused_as_scikit_learn_does_it(cv):
    with pytest.raises(InvalidParameterError, match="'cv' parameter of SweepSearchCV must be"):
        SweepSearchCV(REGRESSOR, RATES, cv=cv).fit(X, NUMBERS)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_search_is_refused(name):
    given, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        SweepSearchCV(REGRESSOR, cv=2, **given).fit(X, NUMBERS)


def test_verbose_says_what_is_fitted(capsys):
    SweepSearchCV(CLASSIFIER, {"alpha": [0, 0.1]}, cv=2, verbose=2).fit(X, CLASSES)
    out = capsys.readouterr().out
    assert "Fitting 2 folds for each of 2 candidates, " in out
    assert "[CV] END ..." in out
    assert "alpha=0.1; total time=" in out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"param_grid": []}, "param_grid must have at least one candidate"),
        ({"param_grid": RATES, "n_iter": 0}, "n_iter must be at least 1, got 0"),
        (
            {"param_grid": RATES, "halving": True, "scoring": lambda *_: {"one": 1.0, "two": 2.0}},
            "scoring must give one number with halving, got a dict with ",
        ),
    ],
    ids=["no candidate", "no draw", "several scores"],
)
def test_searches_that_have_no_end(given, message):
    with pytest.raises(ValueError, match=message):
        SweepSearchCV(REGRESSOR, cv=2, refit=False, **given).fit(X, NUMBERS)


@pytest.mark.slow
def test_the_last_epoch_is_known_where_an_earlier_network_is_given_back():
    settings = {"early_stopping": True, "n_iter_no_change": 100, "max_iter": 8}
    network = clone(REGRESSOR).set_params(**settings)
    grid = {"learning_rate_init": [0.1, 0.3]}
    ours, theirs = both(network, grid, NUMBERS, {"scoring": lambda one, *_: one.loss_})
    same_results(ours.cv_results_, theirs.cv_results_)
    assert np.isfinite(ours.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("verbose", [False, True])
def test_a_warning_of_a_fit_is_said_to_come_from_the_search(verbose):
    """As one of scikit-learn's own search, which calls ``fit`` there."""
    network = clone(CLASSIFIER).set_params(max_iter=2, verbose=verbose)
    places = []
    for kind in (SweepSearchCV, GridSearchCV):
        with pytest.warns(ConvergenceWarning) as found:
            kind(network, {"alpha": [0.01, 0.1]}, cv=2, refit=False).fit(X, CLASSES)
        places.append([one.filename for one in found if one.category is ConvergenceWarning])
    assert places[0] == places[1]
