"""Estimators, a search and models per group with scikit-learn's interface (extra ``sklearn``)."""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise ImportError('fastgd.sklearn needs scikit-learn: pip install "fastgd[sklearn]"') from error

from fastgd.sklearn.estimators import FastGDClassifier, FastGDRegressor
from fastgd.sklearn.grouped import GroupedClassifier, GroupedRegressor
from fastgd.sklearn.search import SweepSearchCV

__all__ = [
    "FastGDClassifier",
    "FastGDRegressor",
    "GroupedClassifier",
    "GroupedRegressor",
    "SweepSearchCV",
]


def __dir__() -> list[str]:
    return __all__
