"""scikit-learn's own checks of estimators: all of them, and none is expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastgd.sklearn import FastGDClassifier, FastGDRegressor

ESTIMATORS = [
    FastGDClassifier(),
    FastGDClassifier(n_ensemble=2),
    FastGDRegressor(),
    FastGDRegressor(n_ensemble=2),
]


@pytest.mark.filterwarnings("default")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
