"""The same start leads where scikit-learn's networks come to."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from fastgd.arguments.initial_network import NetworkParts
from fastgd.sklearn import FastGDClassifier, FastGDRegressor
from fastgd.sklearn.joint_training import train_all
from thinning import only

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
WEIGHTS = np.random.default_rng(0).random(len(X))
Y = X[:, 0] * X[:, 1]

SETTINGS = {
    "sgd": {"solver": "sgd"},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "plain and invscaling": {"solver": "sgd", "momentum": 0, "learning_rate": "invscaling"},
    "tanh and penalty": {"solver": "sgd", "activation": "tanh", "alpha": 1.0},
    "batches": {"solver": "sgd", "batch_size": 50, "shuffle": False, "alpha": 0.5},
}


def both(theirs, ours, X, y, weight=None, **settings):
    """Weights of both after 5 epochs, from scikit-learn's first weights."""
    fixed = {"hidden_layer_sizes": (8,), "random_state": 0}
    nothing = settings | {"learning_rate_init": 1e-300, "alpha": 0}
    first = theirs(**fixed, **nothing, max_iter=1).fit(X, y, weight)
    known = theirs(**fixed, **settings, max_iter=5).fit(X, y, weight)
    model = ours(**fixed, **settings, max_iter=5)
    problem = model._problem(X, y, weight)
    start = NetworkParts(tuple(first.coefs_), tuple(first.intercepts_))
    ((run,),) = train_all([problem._replace(start=(start,))])
    model._adopt(problem, [run])
    return model, known


def furthest(model, known):
    pairs = zip(model.coefs_ + model.intercepts_, known.coefs_ + known.intercepts_, strict=True)
    return max(np.abs(ours - theirs).max() for ours, theirs in pairs)


@pytest.mark.parametrize("name", only(SETTINGS, "sgd", "batches"))
def test_numbers(name):
    assert furthest(*both(MLPRegressor, FastGDRegressor, X, Y, **SETTINGS[name])) < 1e-13


def test_adam_differs_by_its_epsilon_only():
    model, known = both(MLPRegressor, FastGDRegressor, X, Y)
    assert 1e-12 < furthest(model, known) < 1e-4
    exact = both(MLPRegressor, FastGDRegressor, X, Y, epsilon=1e-30)
    assert furthest(*exact) < 1e-12


@pytest.mark.parametrize(
    "y", [pytest.param(LABELS, marks=pytest.mark.slow), LABELS > 0], ids=["three", "two"]
)
def test_classes(y):
    settings = {"solver": "sgd", "alpha": 1.0}
    model, known = both(MLPClassifier, FastGDClassifier, X, y, WEIGHTS, **settings)
    assert furthest(model, known) < 1e-13
    assert model.out_activation_ == known.out_activation_
    np.testing.assert_allclose(model.predict_proba(X), known.predict_proba(X), atol=1e-13)


def test_weights_of_samples():
    settings = SETTINGS["tanh and penalty"]
    several = np.c_[Y, X[:, 2]]
    model, known = both(MLPRegressor, FastGDRegressor, X, several, WEIGHTS, **settings)
    assert furthest(model, known) < 1e-13


def test_what_they_have_when_fitted():
    model, known = both(MLPRegressor, FastGDRegressor, X, Y, **SETTINGS["sgd"])
    # Theirs are the losses before the updates, and with a full batch of nothing else.
    np.testing.assert_allclose(model.loss_curve_[:-1], known.loss_curve_[1:], rtol=1e-12)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "n_features_in_", "out_activation_"):
        assert getattr(model, name) == getattr(known, name), name


@pytest.mark.parametrize(
    "load", only([load_iris, load_wine, load_breast_cancer, load_digits], load_iris, load_wine)
)
def test_as_accurate(load):
    inputs, y = load(return_X_y=True)
    inputs = StandardScaler().fit_transform(inputs)
    X, X_test, y, y_test = train_test_split(inputs, y, test_size=0.5, stratify=y, random_state=0)
    settings = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}
    settings |= {"learning_rate_init": 0.05}
    known = MLPClassifier(**settings).fit(X, y).score(X_test, y_test)
    assert FastGDClassifier(**settings).fit(X, y).score(X_test, y_test) > known - 0.02
