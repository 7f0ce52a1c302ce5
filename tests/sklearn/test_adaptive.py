"""learning_rate="adaptive": divided by 5 when the loss stops falling, until it is too small."""

import numpy as np
import pytest

from fastgd.schedules import Factors
from fastgd.sklearn import FastGDRegressor, SweepSearchCV
from fastgd.sklearn.fit_spec import Adaptive

X = np.random.default_rng(0).normal(size=(40, 3))
Y = X[:, 0] - X[:, 1] * X[:, 2]
SETTINGS = {"solver": "sgd", "learning_rate_init": 0.3, "tol": 1e-3, "random_state": 0}
FEW = SETTINGS | {"hidden_layer_sizes": (5,), "n_iter_no_change": 2, "batch_size": 16}
ADAPTIVE = FEW | {"learning_rate": "adaptive", "max_iter": 300}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def factors_of(model):
    """One for each epoch."""
    return model.members_[0].options["schedule"].factors[::3]


def same(one, other):
    return all(map(np.array_equal, one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_))


def test_when_it_is_divided():
    rule = Adaptive(rate=3e-5, patience=2, min_delta=0.1)
    assert rule.ahead([]) == (1, 2)
    assert rule.ahead([9]) == (1, 2)
    assert rule.ahead([9, 8.95]) == (1, 1)
    assert rule.ahead([9, 8.95, 8.8]) == (1, 2)  # together by more than 0.1
    assert rule.ahead([9, 8.95, 8.9]) == (1 / 5, 2)
    assert rule.ahead([9, 9.5, 9.2, 8.95]) == (1 / 5, 1)  # the best so far is what must be beaten
    assert rule.ahead([9, 8.95, 8.9, 8.85]) == (1 / 5, 1)
    assert rule.ahead([9] * 5) == (1 / 25, 2)
    assert rule.ahead([9] * 6) == (1 / 25, 1)
    assert rule.ahead([9] * 9) == (1 / 125, 0)  # 2.4e-7: the end
    assert rule._replace(patience=np.inf).ahead([9, 9])[0] == 1


@pytest.fixture(scope="module")
def fitted():
    return FastGDRegressor(**ADAPTIVE).fit(X, Y)


def test_a_fit_is_that_of_the_schedule_which_results(fitted):
    assert 20 < fitted.n_iter_ < 300
    assert fitted.members_[0].status == "stalled"
    factors = factors_of(fitted)
    assert len(factors) == fitted.n_iter_ == len(fitted.loss_curve_)
    # From 0.3 to below 1e-6 there are 8 divisions.
    np.testing.assert_allclose(np.unique(factors), 5.0 ** np.arange(-8, 1))
    np.testing.assert_allclose(fitted.learning_rate_, 0.3 * 5.0**-8)
    rule = Adaptive(0.3, 2, 2e-3)
    for epoch in range(fitted.n_iter_):
        assert rule.ahead(fitted.loss_curve_[:epoch])[0] == factors[epoch]
    schedule = Factors(factors.repeat(3))
    given = {"max_iter": fitted.n_iter_, "n_iter_no_change": np.inf, "learning_rate": schedule}
    known = FastGDRegressor(**FEW | given).fit(X, Y)
    assert same(fitted, known)
    assert fitted.loss_curve_ == known.loss_curve_


def test_epochs_one_by_one_have_the_same_rates(fitted):
    parts = FastGDRegressor(**ADAPTIVE)
    for _ in range(fitted.n_iter_):
        parts.partial_fit(X, Y)
    assert same(parts, fitted)
    assert parts.learning_rate_ == fitted.learning_rate_


@pytest.mark.slow
def test_by_the_score_and_for_each_member():
    given = ADAPTIVE | {"early_stopping": True, "n_ensemble": 2, "validation_fraction": 0.3}
    model = FastGDRegressor(**given).fit(X, Y)
    assert len(model.validation_scores_) == model.n_iter_
    assert [run.status for run in model.members_] == ["stalled", "stalled"]
    best = model.members_[0].best_iteration // 2  # updates of an epoch
    assert model.best_validation_score_ == model.validation_scores_[best - 1]
    last = [run.options["schedule"].factors[-1] for run in model.members_]
    np.testing.assert_allclose(last, 5.0**-8)


def test_the_most_epochs_are_max_iter():
    model = FastGDRegressor(**ADAPTIVE | {"max_iter": 4})
    with pytest.warns(match="Maximum iterations"):
        model.fit(X, Y)
    assert model.n_iter_ == 4


@pytest.mark.slow
def test_other_solvers_have_no_use_for_it():
    both = [
        FastGDRegressor(**ADAPTIVE | {"solver": "adam", "learning_rate": rate, "max_iter": 3})
        for rate in ("adaptive", "constant")
    ]
    assert same(*(model.fit(X, Y) for model in both))


def test_a_search_trains_it_alone():
    few = FastGDRegressor(**ADAPTIVE | {"max_iter": 5})
    grid = {"alpha": [0.1], "learning_rate": ["adaptive", "invscaling"]}
    with pytest.warns(match="learning_rate='adaptive' can't be trained jointly"):
        search = SweepSearchCV(few, grid, cv=2).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    with pytest.raises(ValueError, match="learning_rate must not depend on losses with halving"):
        SweepSearchCV(few, grid, cv=2, halving=True).fit(X, Y)
