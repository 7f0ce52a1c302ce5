"""The estimators: what a fit leaves, how it ends, what weights of samples and classes do."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import BayesianRidge, Ridge
from sklearn.metrics import d2_absolute_error_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import fastgd
from fastgd.sklearn import FastGDClassifier, FastGDRegressor

X, LABELS = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
Y = X[:, 0] + X[:, 1] * X[:, 2]
WEIGHTS = np.random.default_rng(0).random(len(X))

FAST = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.03, "random_state": 0}
FEW = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0}

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def same(one, other):
    return all(map(np.array_equal, one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_))


@quiet
def test_classes_are_learned():
    model = FastGDClassifier(max_iter=300, **FAST).fit(X, LABELS)
    assert model.score(X, LABELS) > 0.97
    assert np.array_equal(model.classes_, [0, 1, 2])
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict_log_proba(X), np.log(model.predict_proba(X)))


@quiet
def test_numbers_are_learned():
    model = FastGDRegressor(max_iter=300, **FAST).fit(X, Y)
    assert model.score(X, Y) > 0.97
    assert model.predict(X).shape == (len(X),)


@quiet
def test_several_numbers_to_a_sample():
    model = FastGDRegressor(**FEW).fit(X, np.c_[Y, -Y])
    assert model.predict(X).shape == (len(X), 2)


@quiet
def test_several_labels_to_a_sample():
    table = np.c_[LABELS == 0, X[:, 0] > 0].astype(int)
    model = FastGDClassifier(max_iter=100, **FAST).fit(X, table)
    assert model.out_activation_ == "logistic"
    assert (model.predict(X) == table).mean() > 0.95
    assert model.predict_proba(X).shape == table.shape


@quiet
def test_one_class():
    model = FastGDClassifier(**FEW).fit(X, np.full(len(X), "only"))
    assert set(model.predict(X)) == {"only"}
    assert np.array_equal(model.predict_proba(X), np.ones((len(X), 1)))


# ------------------------------------------------------------------------------ bits and seeds


@quiet
def test_the_same_fit_has_the_same_bits():
    one, other = (FastGDClassifier(**FEW).fit(X, LABELS) for _ in range(2))
    assert same(one, other)
    assert not same(one, FastGDClassifier(**FEW | {"random_state": 1}).fit(X, LABELS))


@quiet
def test_without_a_random_state_numpy_draws():
    fits = []
    for seed in (3, 3, 4):
        np.random.seed(seed)  # noqa: NPY002 - scikit-learn's convention for random_state=None
        fits.append(FastGDRegressor(**FEW | {"random_state": None}).fit(X, Y))
    assert same(fits[0], fits[1])
    assert not same(fits[0], fits[2])


@quiet
@pytest.mark.parametrize(
    "weights",
    [None, pytest.param(WEIGHTS, marks=pytest.mark.slow)],
    ids=["plain", "weighted"],
)
def test_a_fit_is_a_training(weights):
    model = FastGDRegressor(**FEW | {"alpha": 0.3, "solver": "sgd"}).fit(X, Y, weights)
    problem = model._problem(X, Y, weights)
    run = fastgd.train(X, Y, sample_weight=weights, seed=problem.seeds[0], **problem.settings)
    assert all(map(np.array_equal, model.coefs_, run.weights))


# ------------------------------------------------------------------------------------ ensembles


@quiet
def test_members_are_single_fits_and_their_mean_is_predicted():
    y = LABELS > 0
    ensemble = FastGDClassifier(**FEW, n_ensemble=3).fit(X, y)
    assert same(ensemble, FastGDClassifier(**FEW).fit(X, y))
    outputs = np.array([run.predict(X) for run in ensemble.members_])
    assert len(outputs) == 3
    np.testing.assert_array_equal(ensemble.predict_proba(X)[:, 1:], outputs.mean(axis=0))
    np.testing.assert_array_equal(ensemble.predict_std(X), outputs.std(axis=0))
    assert ensemble.predict_std(X).max() > 0


# ------------------------------------------------------------------------------- when it is over


def test_too_few_epochs_are_said():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(4\) reached"):
        FastGDClassifier(**FEW).fit(X, LABELS)


def test_a_loss_that_gets_no_better_ends_a_fit():
    model = FastGDRegressor(max_iter=500, tol=1e-3, n_iter_no_change=7, **FAST).fit(X, Y)
    losses = np.array(model.loss_curve_)
    assert model.n_iter_ == len(losses) < 500
    assert model.loss_ == losses[-1]
    assert model.best_loss_ == losses.min()
    assert model.validation_scores_ is None
    # The rule, told again.
    smallest, age = model.members_[0].losses[0], 0
    for epoch, loss in enumerate(losses, 1):
        age += 1
        if loss < smallest - 7 * 1e-3:
            smallest, age = loss, 0
        assert (age == 7) == (epoch == model.n_iter_)
    assert model.members_[0].status == "stalled"


@quiet
def test_without_a_number_of_epochs_it_does_not_end():
    model = FastGDRegressor(max_iter=40, tol=1e9, n_iter_no_change=np.inf, **FAST).fit(X, Y)
    assert model.n_iter_ == 40


@quiet
@pytest.mark.parametrize(
    ("epochs", "weights"),
    [
        pytest.param(500, None, id="stalled"),
        pytest.param(500, WEIGHTS, id="weighted", marks=pytest.mark.slow),
        pytest.param(5, WEIGHTS, id="finished", marks=pytest.mark.slow),
    ],
)
def test_numbers_held_out(epochs, weights):
    settings = {"early_stopping": True, "validation_fraction": 0.2, "tol": 0.01, **FAST}
    settings |= {"learning_rate_init": 0.03, "max_iter": epochs, "n_iter_no_change": 4}
    model = FastGDRegressor(**settings).fit(X, Y, weights)
    held = model._problem(X, Y, weights).held
    assert len(held) == 30
    scores = model.validation_scores_
    assert len(scores) == len(model.loss_curve_) == model.n_iter_
    assert (model.n_iter_ < epochs) == (epochs == 500)
    own = None if weights is None else weights[held]
    known = d2_absolute_error_score(Y[held], model.predict(X[held]), sample_weight=own)
    place = model.members_[0].best_iteration - 1
    assert scores[place] == pytest.approx(known, rel=1e-12)
    assert model.best_validation_score_ == max(scores) <= known + settings["tol"]
    assert model.best_loss_ is None
    assert not np.isnan(scores).any()


@quiet
def test_the_last_epoch_is_measured_even_where_an_earlier_one_is_kept():
    settings = {"early_stopping": True, **FEW, "learning_rate_init": 3.0, "n_iter_no_change": 9}
    model = FastGDRegressor(**settings).fit(X, Y)
    assert model.members_[0].best_iteration < model.n_iter_ == 4
    longer = FastGDRegressor(**settings | {"max_iter": 5}).fit(X, Y)
    assert longer.loss_curve_[:4] == model.loss_curve_
    assert longer.validation_scores_[:4] == model.validation_scores_


@quiet
@pytest.mark.slow
@pytest.mark.parametrize("y", [LABELS, LABELS == 1], ids=["three", "two"])
def test_classes_held_out(y):
    settings = {"early_stopping": True, "max_iter": 30, **FAST}
    model = FastGDClassifier(**settings).fit(X, y)
    held = model._problem(X, y).held
    assert np.bincount(y[held]).tolist() in ([5, 5, 5], [10, 5])
    given = model.predict_proba(X[held])[np.arange(15), y[held].astype(int)]
    place = model.members_[0].best_iteration - 1
    assert model.validation_scores_[place] == pytest.approx(given.mean(), rel=1e-12)


# ------------------------------------------------------------------------------------- weights


@quiet
def test_a_weight_of_2_is_a_row_twice_and_one_of_0_is_none():
    weights = np.arange(len(X)) % 3
    rows = np.repeat(np.arange(len(X)), weights)
    weighted = FastGDClassifier(**FEW).fit(X, LABELS, weights)
    repeated = FastGDClassifier(**FEW).fit(X[rows], LABELS[rows])
    np.testing.assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-12)


@pytest.mark.parametrize("y", [LABELS, LABELS == 2], ids=["three", "two"])
def test_balanced_classes(y):
    keep = np.flatnonzero((LABELS != 1) | (np.arange(len(X)) % 5 == 0))
    model = FastGDClassifier(class_weight="balanced")
    found = model._problem(X[keep], y[keep]).table.weight
    np.testing.assert_allclose(found, compute_sample_weight("balanced", y[keep]))
    weighted = model._problem(X[keep], y[keep], WEIGHTS[keep]).table.weight
    sums = [weighted[y[keep] == label].sum() for label in np.unique(y)]
    np.testing.assert_allclose(sums, WEIGHTS[keep].sum() / len(sums))


def test_weights_of_classes_multiply_those_of_samples():
    model = FastGDClassifier(class_weight={0: 2.0, 1: 0.5, 2: 1.0})
    found = model._problem(X, LABELS, WEIGHTS).table.weight
    np.testing.assert_array_equal(found, WEIGHTS * np.array([2.0, 0.5, 1.0])[LABELS])


def test_a_class_without_weight_is_balanced_with_nothing():
    weights = np.where(LABELS == 0, 0.0, 1.0)
    found = FastGDClassifier(class_weight="balanced")._problem(X, LABELS, weights).table.weight
    np.testing.assert_array_equal(found, weights)


# ------------------------------------------------------------------- parameters that are ours


@quiet
def test_further_losses():
    counts = np.round(np.exp(X[:, 0]))
    for loss, output in (("poisson", "exp"), ("absolute_error", "identity")):
        model = FastGDRegressor(loss=loss, **FEW)
        assert model._problem(X, counts).settings["output"] == output


@quiet
@pytest.mark.slow
def test_a_quantile_is_learned():
    given = FAST | {"learning_rate_init": 0.01}
    model = FastGDRegressor(loss="quantile", options={"tau": 0.9}, max_iter=200, **given)
    assert (model.fit(X, Y).predict(X) > Y).mean() == pytest.approx(0.9, abs=0.05)


@pytest.mark.slow
@quiet
def test_dropout_and_batch_normalization():
    model = FastGDRegressor(dropout=0.2, batch_norm=True, max_iter=200, **FAST).fit(X, Y)
    assert model.score(X, Y) > 0.8
    assert len(model.members_[0].normalization) == 1


@quiet
@pytest.mark.slow
def test_lbfgs():
    settings = {"solver": "lbfgs", "random_state": 0, "hidden_layer_sizes": (8,)}
    model = FastGDRegressor(**settings, max_iter=100).fit(X, Y)
    assert model.score(X, Y) > 0.99
    assert not hasattr(model, "partial_fit")
    assert not hasattr(model, "loss_curve_")
    few = FastGDRegressor(**settings, max_iter=3).fit(X, Y)
    assert few.n_iter_ == 3
    again = FastGDRegressor(**settings, max_iter=3, warm_start=True).fit(X, Y).fit(X, Y)
    assert model.loss_ < again.loss_ < few.loss_


def test_lm_finds_the_minimum_of_a_ridge():
    weight = np.linspace(0.5, 2, len(X))
    network = FastGDRegressor((), solver="lm", activation="tanh", alpha=50, tol=1e-9)
    model = network.fit(X, Y, weight)
    ridge = Ridge(alpha=50, tol=1e-14).fit(X, Y, weight)
    np.testing.assert_allclose(model.coefs_[0][:, 0], ridge.coef_, rtol=1e-7)
    np.testing.assert_allclose(model.intercepts_[0], ridge.intercept_, rtol=1e-7)
    assert (model.members_[0].status, model.learning_rate_) == ("converged", None)
    assert model.n_iter_ < 9


@quiet
@pytest.mark.slow
def test_lm():
    settings = {"solver": "lm", "random_state": 0, "hidden_layer_sizes": (4,), "activation": "tanh"}
    model = FastGDRegressor(**settings, max_iter=3).fit(X, Y)
    steps = FastGDRegressor(**settings)
    for _ in range(3):
        steps.partial_fit(X, Y)
    np.testing.assert_array_equal(model.coefs_[0], steps.coefs_[0])
    assert model.loss_curve_ == steps.loss_curve_
    held = FastGDRegressor(**settings, early_stopping=True).fit(X, Y)
    assert held.members_[0].status == "stalled"
    assert held.n_iter_ == len(held.validation_scores_)
    assert held.best_validation_score_ > 0.9
    with pytest.warns(ConvergenceWarning, match="^lm: Maximum iterations"):
        FastGDRegressor(**settings, max_iter=1).fit(X, Y)


@pytest.mark.slow
def test_lm_with_bayesian_regularization():
    noisy = Y + np.random.default_rng(1).normal(size=len(Y))
    model = FastGDRegressor((), solver="lm", regularization="bayesian").fit(X, noisy)
    ridge = BayesianRidge(alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0).fit(X, noisy)
    np.testing.assert_allclose(model.coefs_[0][:, 0], ridge.coef_, rtol=0.05)
    assert 1 < model.members_[0].effective_parameters < model.coefs_[0].size + 1
    residuals = noisy - model.predict(X)
    assert model.loss_ == pytest.approx(0.5 * np.mean(residuals**2))


@quiet
def test_one_solver_after_the_other():
    model = FastGDRegressor(**FEW | {"hidden_layer_sizes": (8,)}).fit(X, Y)
    assert len(model.loss_curve_) == 4
    model.set_params(solver="lbfgs").fit(X, Y)
    assert not hasattr(model, "loss_curve_")
    before = model.loss_
    model.set_params(solver="adam").partial_fit(X, Y)
    assert (len(model.loss_curve_), model.t_) == (1, len(X))
    assert model.loss_ == pytest.approx(before, rel=0.1)


@quiet
def test_what_was_like_is_printed(capsys):
    model = FastGDRegressor(**FEW, verbose=True).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Iteration {k + 1}, loss = {v:.8f}" for k, v in enumerate(model.loss_curve_)]


def test_a_single_class_is_learned_at_once():
    model = FastGDClassifier(**FEW).fit(X, np.zeros(len(X)))  # without a warning
    assert (model.predict_proba(X) == 1).all()


def test_early_stopping_keeps_the_best_network_before_a_divergence():
    model = FastGDRegressor(**FEW, learning_rate_init=1e200, early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="diverged after .* the best validation score"):
        model.fit(X, X[:, 0])
    assert np.isnan(model.validation_scores_[-1])
    assert np.isfinite(model.predict(X)).all()


def test_classes_in_messages_are_as_they_were_given():
    y = np.where(np.arange(len(X)) == 3, "rare", "often")
    with pytest.raises(ValueError, match="only 1 member") as error:
        FastGDClassifier(early_stopping=True).fit(X, y)
    assert "Classes with too few" not in str(error.value) or "'rare'" in str(error.value)


@quiet
def test_a_plain_array_is_checked_shortly_and_refused_alike():
    model = FastGDClassifier(**FEW).fit(X, LABELS)
    for rows in (X, np.asfortranarray(X), X[::2], X.tolist(), X.astype(np.float32)):
        known = model.predict_proba(X)[:: len(X) // len(rows)]
        np.testing.assert_allclose(model.predict_proba(rows), known, rtol=1e-5)
    for wrong, message in (
        (np.full((1, 4), np.nan), "Input X contains NaN"),
        (X[:, :3], "X has 3 features, but FastGDClassifier is expecting 4 features as input"),
        (X[:0], "Found array with 0 sample"),
        (X[0], "Expected 2D array, got 1D array instead"),
    ):
        with pytest.raises(ValueError, match=message):
            model.predict(wrong)


@quiet
def test_many_classes_are_warned_of_by_scikit_learn():
    labels = np.append(np.arange(11), np.arange(10))
    network = FastGDClassifier((2,), max_iter=1)
    with pytest.warns(UserWarning, match="number of unique classes is greater than 50%"):
        network.fit(np.arange(21.0)[:, None], labels)
