"""The estimators: what a fit comes to, and what it leaves."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from fastgd.sklearn import FastGDClassifier, FastGDRegressor

X, LABELS = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_classes_are_learned():
    model = FastGDClassifier(max_iter=300, learning_rate_init=0.01, random_state=0).fit(X, LABELS)
    assert model.score(X, LABELS) > 0.97
    assert model.out_activation_ == "softmax"


def test_numbers_are_learned():
    y = X[:, 0] + X[:, 1] * X[:, 2]
    model = FastGDRegressor(max_iter=300, learning_rate_init=0.01, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.97


def test_too_few_epochs_are_said():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        FastGDClassifier(max_iter=2).fit(X, LABELS)


def test_the_same_fit_has_the_same_bits():
    one, other = (FastGDClassifier(max_iter=3, random_state=4).fit(X, LABELS) for _ in range(2))
    assert all(map(np.array_equal, one.coefs_, other.coefs_))
