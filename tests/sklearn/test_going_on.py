"""partial_fit and warm_start: what goes on, and what begins anew."""

from copy import deepcopy

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

import plain
from fastgd.schedules import Factors
from fastgd.sklearn import FastGDClassifier, FastGDRegressor
from thinning import crossed, only

X, LABELS = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
Y = X[:, 0] + X[:, 1] * X[:, 2]
WEIGHTS = np.random.default_rng(0).random(len(X))

FEW = {"hidden_layer_sizes": (5,), "random_state": 0, "learning_rate_init": 0.01}
BATCHES = {"full": {}, "batches": {"batch_size": 40}}
SGD = {"solver": "sgd", "learning_rate": "invscaling", "alpha": 1.0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def same(one, other):
    return all(map(np.array_equal, one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_))


@pytest.mark.parametrize(("solver", "batches"), crossed(["adam", "sgd"], list(BATCHES)))
@pytest.mark.slow
def test_epochs_one_by_one_are_those_of_a_fit(solver, batches):
    settings = FEW | (SGD if solver == "sgd" else {}) | BATCHES[batches]
    once = FastGDRegressor(**settings, max_iter=3).fit(X, Y, WEIGHTS)
    parts = FastGDRegressor(**settings)
    for _ in range(3):
        parts.partial_fit(X, Y, WEIGHTS)
    assert same(parts, once)
    assert parts.loss_curve_ == once.loss_curve_
    assert (parts.n_iter_, parts.t_) == (1, 3 * len(X))


@pytest.mark.slow
def test_factors_of_ones_own_are_those_of_all_updates():
    settings = FEW | {"learning_rate": Factors([1.0, 0.5, 0.1])}
    once = FastGDRegressor(**settings, max_iter=3).fit(X, Y)
    parts = FastGDRegressor(**settings)
    for _ in range(3):
        parts.partial_fit(X, Y)
    assert same(parts, once)
    with pytest.raises(ValueError, match="schedule must have a factor for each of 4 updates"):
        parts.partial_fit(X, Y)


@pytest.mark.parametrize("batches", only(BATCHES, next(iter(BATCHES))))
def test_a_fit_goes_on(batches):
    settings = FEW | BATCHES[batches]
    longer = FastGDRegressor(**settings, max_iter=4).fit(X, Y)
    shorter = FastGDRegressor(**settings, max_iter=3).fit(X, Y).partial_fit(X, Y)
    assert same(shorter, longer)


@pytest.mark.slow
def test_members_go_on():
    settings = FEW | {"n_ensemble": 2}
    once = FastGDRegressor(**settings, max_iter=2).fit(X, Y)
    parts = FastGDRegressor(**settings).partial_fit(X, Y).partial_fit(X, Y)
    assert np.array_equal(parts.predict(X), once.predict(X))


def test_the_order_of_epochs_goes_on_whatever_is_drawn_since():
    once = FastGDRegressor(**FEW, batch_size=40, max_iter=3)
    once.set_params(random_state=np.random.RandomState(5)).fit(X, Y)
    parts = FastGDRegressor(**FEW, batch_size=40)
    parts.set_params(random_state=np.random.RandomState(5))
    for _ in range(3):
        parts.partial_fit(X, Y)
    assert same(parts, once)


@pytest.mark.slow
def test_other_samples_each_time():
    """Each of them once an epoch, however many there are."""
    settings = FEW | {"solver": "sgd", "momentum": 0, "batch_size": 40, "shuffle": False}
    model = FastGDRegressor(**settings)
    # Plain descent knows nothing of what was before: one epoch is one epoch from this network.
    for rows in (slice(0, 150), slice(50, 150), slice(0, 20)):  # in 4, 3 and 1 batches
        fresh = FastGDRegressor(**settings)
        if hasattr(model, "coefs_"):
            fresh.coefs_, fresh.intercepts_ = model.coefs_, model.intercepts_
        model.partial_fit(X[rows], Y[rows], WEIGHTS[rows])
        fresh.partial_fit(X[rows], Y[rows], WEIGHTS[rows])
        assert same(model, fresh)
    assert model.t_ == 150 + 100 + 20


def test_other_samples_resume_with_an_epoch_that_has_not_begun():
    """After 4 updates, which are an epoch and a third of 3 batches, comes their epoch 2."""
    shuffling = FastGDRegressor(**FEW, batch_size=40).partial_fit(X, Y)
    in_order = deepcopy(shuffling).set_params(shuffle=False)
    order = plain.shuffled(100, 2, shuffling.members_[0].options["shuffle_seed"])
    assert same(shuffling.partial_fit(X[:100], Y[:100]), in_order.partial_fit(X[order], Y[order]))


def test_classes_are_known_from_the_first_call_on():
    model = FastGDClassifier(**FEW)
    model.partial_fit(X[:50], LABELS[:50], classes=[2, 1, 0])
    assert np.array_equal(model.classes_, [0, 1, 2])
    model.partial_fit(X[50:], LABELS[50:]).partial_fit(X, LABELS, classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match=r"classes must stay \[0, 1, 2\] .* got \[0, 3\]"):
        model.partial_fit(X, LABELS, classes=[0, 3])
    with pytest.raises(ValueError, match=r"y must have classes among \[0, 1, 2\], got 3"):
        model.partial_fit(X, LABELS + 1)


def test_the_first_call_needs_classes():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        FastGDClassifier().partial_fit(X, LABELS)


def test_after_an_early_end_the_optimizer_begins_anew():
    model = FastGDRegressor(**FEW, tol=1e3, n_iter_no_change=1, max_iter=50).fit(X, Y)
    assert model.members_[0].status == "stalled"
    before = model.loss_
    model.partial_fit(X, Y)
    assert model.loss_ < before
    assert model.members_[0].iterations == 1


@pytest.mark.parametrize("members", only([1, 2], 1))
def test_a_warm_start_is_from_the_networks_before(members):
    settings = FEW | {"max_iter": 2, "warm_start": True, "n_ensemble": members}
    model = FastGDRegressor(**settings).fit(X, Y)
    first = [run.weights[0].copy() for run in model.members_]
    curve = model.loss_curve_
    model.set_params(learning_rate_init=1e-9).fit(X, Y)
    for run, weights in zip(model.members_, first, strict=True):
        np.testing.assert_allclose(run.weights[0], weights, atol=1e-8)
    assert model.loss_curve_[:2] == curve
    assert len(model.loss_curve_) == 4
    assert model.n_iter_ == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_layer_sizes": (6,)}, r"hidden_layer_sizes must stay \(5,\) .* got \(6,\)"),
        ({"n_ensemble": 2}, "n_ensemble must stay 1 when a fit is resumed, got 2"),
        ({"batch_norm": True}, "batch_norm must stay False when a fit is resumed, got True"),
        ({"early_stopping": True}, "partial_fit does not support early_stopping=True"),
    ],
    ids=["hidden", "members", "batch norm", "early stopping"],
)
def test_what_can_not_go_on(change, message):
    model = FastGDRegressor(**FEW).partial_fit(X, Y).set_params(**change)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, Y)


@pytest.mark.slow
def test_a_decaying_rate_goes_on_with_a_warm_start():
    settings = FEW | SGD | {"momentum": 0, "power_t": 0.5}
    whole = FastGDRegressor(**settings, max_iter=4).fit(X, Y)
    halves = FastGDRegressor(**settings, max_iter=2, warm_start=True).fit(X, Y).fit(X, Y)
    assert same(halves, whole)
    assert halves.learning_rate_ == whole.learning_rate_ == 0.01 / pow(1 + 4 * 150, 0.5)


@pytest.mark.parametrize("goes_on", ["partial_fit", "warm start"])
def test_weights_that_are_set_by_hand_are_the_first_ones(goes_on):
    settings = FEW | {"max_iter": 1}
    first = FastGDRegressor(**settings, warm_start=True).fit(X, Y)
    second = deepcopy(first).fit(X, Y)
    model = FastGDRegressor(**settings, warm_start=True)
    model.coefs_, model.intercepts_ = first.coefs_, first.intercepts_
    model = model.partial_fit(X, Y) if goes_on == "partial_fit" else model.fit(X, Y)
    assert same(model, second)
    again = FastGDRegressor(**settings | {"hidden_layer_sizes": (6,)}, warm_start=True)
    again.coefs_, again.intercepts_ = first.coefs_, first.intercepts_
    with pytest.raises(
        ValueError, match=r"coefs_ must be .* of the hidden_layer_sizes \(6,\), got"
    ):
        again.fit(X, Y)


def test_a_warm_start_has_the_classes_of_before():
    model = FastGDClassifier(**FEW, max_iter=2, warm_start=True).fit(X, LABELS)
    model.fit(X, LABELS[::-1])
    for other in (LABELS % 2, LABELS + 1):
        with pytest.raises(ValueError, match=r"same classes .* got \[0 1 2\], `y` has \["):
            model.fit(X, other)
    model.partial_fit(X[:50], LABELS[:50])  # these may be some of them
