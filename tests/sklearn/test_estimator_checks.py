"""scikit-learn's own checks of estimators: all of them, and none is expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastgd.sklearn import FastGDClassifier, FastGDRegressor, SweepSearchCV
from thinning import some

SMALL = {"hidden_layer_sizes": 8, "learning_rate_init": 0.02}
ESTIMATORS = [
    FastGDClassifier(**SMALL),
    FastGDRegressor(**SMALL),
    FastGDClassifier(),
    FastGDClassifier(n_ensemble=2),
    FastGDRegressor(),
    FastGDRegressor(n_ensemble=2),
    FastGDRegressor(5, solver="lm", max_iter=50),
    SweepSearchCV(
        FastGDClassifier(16, learning_rate_init=0.02, random_state=0), {"alpha": [0, 0.1]}, cv=2
    ),
    SweepSearchCV(
        FastGDRegressor(16, learning_rate_init=0.02, random_state=0), {"alpha": [0, 0.1]}, cv=2
    ),
]


# scikit-learn 1.6 has a generator in it, which a coming pytest will not take.
CHECKS = parametrize_with_checks(ESTIMATORS)
names, checks = CHECKS.args
checks = list(checks)
# Small networks have the kernels of other tests; the others take kernels of their own.
ALWAYS = [e in ESTIMATORS[:2] for e, _ in checks]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(names, some(checks, ALWAYS), **CHECKS.kwargs)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
