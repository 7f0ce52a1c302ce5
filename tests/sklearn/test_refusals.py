"""What estimators refuse, before anything is trained."""

import tracemalloc

import numpy as np
import pytest

from fastgd.checks import numbers as memory
from fastgd.optimizers import LevenbergMarquardt, Momentum
from fastgd.schedules import Cosine, Step
from fastgd.sklearn import FastGDClassifier, FastGDRegressor

X = np.random.default_rng(0).normal(size=(20, 2))
Y = X[:, 0]

WRONG = {
    "alpha": (-1, "alpha must be a finite number of at least 0, got -1"),
    "learning_rate_init": (0, "learning_rate_init must be a finite number above 0, got 0"),
    "momentum": (1, "momentum must be a number of at least 0 and below 1, got 1"),
    "tol": (-1, "tol must be a finite number of at least 0, got -1"),
    "beta_1": (1, "beta_1 must be a number of at least 0 and below 1, got 1"),
    "validation_fraction": (0, "validation_fraction must be a number above 0 and below 1, got 0"),
    "max_iter": (0, "max_iter must be at least 1, got 0"),
    "n_ensemble": (0, "n_ensemble must be at least 1, got 0"),
    "n_iter_no_change": (0, "n_iter_no_change must be at least 1, got 0"),
    "batch_size": ("all", "batch_size must be 'auto' or an int, got 'all'"),
    "solver": ("lbgfs", "solver must be 'adam', 'sgd', 'lbfgs' or 'lm', or an optimizer of"),
    "learning_rate": (
        "adaptve",
        "learning_rate must be 'constant', 'invscaling' or 'adaptive', or a",
    ),
    "hidden_layer_sizes": ((4, 0), r"hidden_layer_sizes\[1\] must be at least 1, got 0"),
    "activation": ("step", "activation must be .*, got 'step'"),
    "loss": ("l3", "loss must be .*, got 'l3'"),
    "init": ("zeros", "init must be .*, got 'zeros'"),
    "dropout": (1, "dropout must be a number of at least 0 and below 1, got 1"),
    "options": ({"alpha": 1}, "options must not set .* determine, got 'alpha'"),
    "threads": (0, "threads must be at least 1, got 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_values(name):
    value, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        FastGDRegressor(**{name: value}).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("shuffle", 1), ("max_iter", 2.5), ("solver", None), ("options", [])],
    ids=lambda value: str(value),
)
def test_types(name, value):
    with pytest.raises(TypeError, match=rf"^{name} must be "):
        FastGDRegressor(**{name: value}).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dropout", 0.5), ("batch_norm", True), ("learning_rate", Cosine(steps=9))],
    ids=["dropout", "batch norm", "schedule"],
)
def test_what_lbfgs_has_not(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be .* with solver='lbfgs', got"):
        FastGDRegressor(solver="lbfgs", **{name: value}).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dropout", 0.5), ("batch_norm", True), ("learning_rate", Cosine(steps=9)),
        ("batch_size", 19), ("loss", "huber"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("solver", ["lm", LevenbergMarquardt(damping=1)], ids=["name", "object"])
def test_what_steps_of_second_order_have_not(solver, name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be .* with solver=('lm'|Levenberg.*), "):
        FastGDRegressor(4, solver=solver, **{name: value}).fit(X, Y)


def test_a_classifier_has_steps_of_second_order_for_squares_only():
    with pytest.raises(ValueError, match=r"^loss must be 'squared_error' .* got 'log_loss'$"):
        FastGDClassifier(4, solver="lm").fit(X, Y > 0)


@pytest.mark.parametrize("solver", ["lm", LevenbergMarquardt()], ids=["name", "object"])
def test_too_many_parameters_are_counted_in_the_words_of_the_estimator(solver):
    rule = r"at most 1,000 parameters with solver=.* got hidden_layer_sizes=\(500,\)$"
    with pytest.raises(ValueError, match=rule):
        FastGDRegressor(500, solver=solver).fit(X, Y)


def test_the_long_name_of_lm_is_known():
    with pytest.raises(ValueError, match="got 'levenberg_marquardt': did you mean 'lm'"):
        FastGDRegressor(solver="levenberg_marquardt").fit(X, Y)


def test_bayesian_regularization_needs_lm():
    with pytest.raises(ValueError, match="regularization must be 'given' with solver='adam', got"):
        FastGDRegressor(regularization="bayesian").fit(X, Y)


def test_weights_must_not_all_be_0():
    with pytest.raises(ValueError, match="Sample weights must contain at least one non-zero"):
        FastGDRegressor().fit(X, Y, np.zeros(len(X)))


@pytest.mark.parametrize("kept", ["training", "validation"])
def test_some_sample_of_each_part_must_count(kept):
    model = FastGDRegressor(early_stopping=True, random_state=5, max_iter=2)
    held = np.isin(np.arange(len(X)), model._problem(X, Y).held)
    weight = held if kept == "training" else ~held
    with pytest.raises(
        ValueError, match=f"sample_weight must be above 0 for some samples of the {kept} set with"
    ):
        model.fit(X, Y, weight.astype(float))


def test_weights_of_classes_are_for_one_class_to_a_sample():
    with pytest.raises(ValueError, match="class_weight must be None with several labels"):
        FastGDClassifier(class_weight="balanced").fit(X, (X > 0).astype(int))


def test_several_classes_to_a_sample():
    with pytest.raises(ValueError, match="y must be one class per sample, or a table of 0 and 1"):
        FastGDClassifier().fit(X, np.arange(40).reshape(20, 2))


def test_classes_without_end():
    y = np.arange(30_000).repeat(2)
    with pytest.raises(ValueError, match="y must have at most 10,000 classes, got 30,000"):
        FastGDClassifier(4).fit(np.zeros((len(y), 2)), y)
    with pytest.raises(ValueError, match="y must have at most 10,000 classes, got 30,000"):
        FastGDClassifier(4).partial_fit(X, np.arange(20), classes=np.arange(30_000))


MUCH = {
    "classes": (
        lambda: FastGDClassifier(4).fit(np.zeros((5000, 2)), np.arange(5000) % 500),
        "targets of 500 classes, one-hot, must fit into the available memory .* a need of 60 MB",
    ),
    "members": (
        lambda: FastGDRegressor(4, n_ensemble=10**9).fit(X, Y),
        r"the ensemble must fit .* of 4 TB: fewer networks \(n_ensemble\) need less",
    ),
    "members of L-BFGS": (
        lambda: FastGDRegressor(4, n_ensemble=10**9, solver="lbfgs").fit(X, Y),
        "the ensemble must fit into the available memory",
    ),
    "rates": (
        lambda: FastGDRegressor(
            4, solver="sgd", learning_rate="invscaling", max_iter=10**11, batch_size=10
        ).fit(X, Y),
        r"the learning rates must fit .* 3.2 TB: fewer epochs \(max_iter\) need less",
    ),
    "epochs": (
        lambda: FastGDRegressor(4, max_iter=10**11).fit(X, Y),
        "the sweep must fit into the available memory",
    ),
}


@pytest.mark.parametrize("name", MUCH)
def test_what_takes_too_much_memory_is_refused_before_it_is_allocated(monkeypatch, name):
    monkeypatch.setattr(memory, "available_memory", lambda: 5 * 10**7)
    call, message = MUCH[name]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            call()
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


def test_too_few_to_hold_out():
    with pytest.raises(ValueError, match="The validation set is too small"):
        FastGDRegressor(early_stopping=True, validation_fraction=0.01).fit(X, Y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_training_that_diverged():
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        FastGDRegressor(4, solver="sgd", learning_rate_init=1e200).fit(X, 1e9 * Y)


SEVERAL = {
    "activation": {"activation": ["relu", "tanh"]},
    "loss": {"loss": ["squared", "absolute"]},
    "init": {"init": ["he", "glorot"]},
    "momentum": {"solver": Momentum(momentum=[0.5, 0.9])},
    "step_size": {"learning_rate": Step(step_size=[5, 9])},
    "l1": {"options": {"l1": [0.0, 0.1]}},
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_values_are_for_a_search(name):
    with pytest.raises(ValueError, match=f"^{name} must have one value in a fit, got an axis of 2"):
        FastGDRegressor(**SEVERAL[name]).fit(X, Y)


@pytest.mark.parametrize("name", ["clip", "folds", "seed", "weights"])
def test_options_that_are_none(name):
    with pytest.raises(TypeError, match=f"^an option must be .*, got '{name}'"):
        FastGDRegressor(options={name: 1}).fit(X, Y)
