"""scikit-learn's usual steps before a network, fitted to each of many groups of rows.

A `StandardScaler` fitted to 100 rows of a DataFrame computes for 0.07 ms and checks its arguments
for 0.5. Here the table is checked once; means and scales are computed for each group by the
functions of scikit-learn that its own fit calls, on arrays of the same layout.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.preprocessing._data import _handle_zeros_in_scale, _is_constant_feature
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils.extmath import _incremental_mean_and_var
from sklearn.utils.validation import FLOAT_DTYPES

from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import FloatArray
from fastgd.sklearn.base import BaseFastGD

_CONFIG = {
    "transform_output": "default",
    "enable_metadata_routing": False,
    "array_api_dispatch": False,
}
"""The configuration of scikit-learn that is taken for granted."""

SKIPPED = (None, "passthrough")


def cloner(estimator: Any) -> Callable[[], Any]:
    """Return a function that returns a clone of an estimator with each call.

    A clone is made by scikit-learn once, in 0.25 ms for a network in a pipeline with a target
    transform; the others are copies of it.
    """
    template = clone(estimator)
    return lambda: copied(template)


def copied(value: Any) -> Any:
    """Return a clone of an estimator that isn't fitted, or of a parameter."""
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if type(value) in (list, tuple):
        return type(value)(map(copied, value))
    kind: Any = type(value)
    is_ours = isinstance(value, BaseFastGD) or kind in _KNOWN
    if (
        not is_ours
        or kind.__sklearn_clone__ is not BaseEstimator.__sklearn_clone__
        or vars(value).keys() != names_of(kind)  # has output or callbacks, or sets more itself
    ):
        return clone(value, safe=False)
    new = object.__new__(kind)
    vars(new).update((name, copied(one)) for name, one in vars(value).items())
    return new


@lru_cache(maxsize=16)
def names_of(kind: type[BaseEstimator]) -> frozenset[str]:
    """Return the names of an estimator's parameters, which scikit-learn reads from a signature."""
    return frozenset(kind._get_param_names())


_KNOWN = (StandardScaler, Pipeline, TransformedTargetRegressor)


class Reaching(NamedTuple):
    """A network of an estimator whose other steps are fitted, and what they pass to it."""

    network: BaseFastGD
    X: FloatArray
    y: Any


class StandardSteps:
    """The steps of clones of one estimator, fitted to rows of a table."""

    def __init__(self, X: Any, y: Any, estimator: Any) -> None:
        """Prepare for an estimator that isn't fitted."""
        self._table = self._names = None
        has_target = isinstance(estimator, TransformedTargetRegressor)
        if not _is_standard(estimator) or (has_target and y.dtype != np.float64):
            return
        self._table = table_of(X)
        if self._table is None:
            return
        # One row would be adjacent in memory both ways.
        some = check_array(_safe_indexing(X, np.arange(2) % len(y)), dtype=FLOAT_DTYPES)
        # A sum over rows has other bits if these are not adjacent in memory, as in a DataFrame.
        self._in_columns = some.flags.f_contiguous and not some.flags.c_contiguous
        self._y = y
        if hasattr(X, "columns") and all(isinstance(name, str) for name in X.columns):
            self._names = np.asarray(X.columns, dtype=object)

    def reach(self, estimator: Any, rows: Integers) -> Reaching | None:
        """Fit the steps before the network to these rows; None if scikit-learn has to do it."""
        # All rows of a DataFrame are not copied, so that their layout is its own.
        if self._table is None or len(rows) == len(self._table):
            return None
        if self._in_columns:
            X = np.take(self._table.T, rows, axis=1).T
        else:
            X = np.take(self._table, rows, axis=0)
        return _fitted(estimator, X, self._y[rows], self._names)


def is_same(one: Any, other: Any) -> bool:
    """Whether two estimators have the same parameters and attributes, to the bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, BaseEstimator):
        mine, others = vars(one), vars(other)
        return mine.keys() == others.keys() and all(is_same(mine[n], others[n]) for n in mine)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return one is other or bool(one == other)


def table_of(X: Any) -> FloatArray | None:
    """Return finite inputs as scikit-learn would convert the rows of any group; None if unsure."""
    if any(get_config().get(name, value) != value for name, value in _CONFIG.items()):
        return None
    if hasattr(X, "columns") and not all(map(_is_number, X.dtypes)):
        return None
    try:
        table: FloatArray = check_array(X, dtype=FLOAT_DTYPES)
    except ValueError:
        return None
    return table if table.dtype == np.float64 else None


def _is_number(dtype: Any) -> bool:
    """Whether columns of this type are numbers that a scaler turns to float64."""
    return isinstance(dtype, np.dtype) and (dtype.kind in "biu" or dtype == np.float64)


def _is_standard(estimator: Any) -> bool:
    """Whether an estimator has only steps that are fitted here, with their usual parameters."""
    if isinstance(estimator, BaseFastGD):
        return True
    given = estimator.get_params(deep=False) if type(estimator) in _KNOWN else {}
    if vars(estimator).keys() != given.keys():  # or has output or callbacks of its own
        return False
    if isinstance(estimator, StandardScaler):
        return all(given.values())
    if isinstance(estimator, TransformedTargetRegressor):
        has_function = estimator.func is not None or estimator.inverse_func is not None
        scaler, inner = estimator.transformer, estimator.regressor
        is_standard = type(scaler) is StandardScaler and _is_standard(scaler)
        return is_standard and not has_function and _is_standard(inner)
    *steps, (_, last) = given.pop("steps")
    if any(value not in (None, False) for value in given.values()):
        return False
    scalers = [step for _, step in steps if step not in SKIPPED]
    return all(type(one) is StandardScaler and _is_standard(one) for one in scalers) and (
        isinstance(last, BaseFastGD)
    )


def _fitted(estimator: Any, X: FloatArray, y: Any, names: Any) -> Reaching | None:
    """Fit an estimator's steps up to its network, in the order of scikit-learn."""
    if isinstance(estimator, BaseFastGD):
        # With names it learns them from the DataFrame.
        return None if names is not None else Reaching(estimator, X, y)
    if isinstance(estimator, Pipeline):
        estimator.steps = list(estimator.steps)
        *steps, (_, last) = estimator.steps
        for _, step in steps:
            if step not in SKIPPED:
                _scale(step, X, names)
                X, names = (X - step.mean_) / step.scale_, None
        return _fitted(last, X, y, names)
    estimator._training_dim = y.ndim
    columns = y.reshape(-1, 1) if y.ndim == 1 else y
    scaler = estimator.transformer_ = copied(estimator.transformer)
    _scale(scaler, columns, None)
    scaled = (columns - scaler.mean_) / scaler.scale_
    if estimator.check_inverse:
        some = slice(None, None, max(1, len(y) // 10))
        back = scaled[some] * scaler.scale_ + scaler.mean_
        if not (np.abs(columns[some] - back) <= 1e-8 + 1e-5 * np.abs(back)).all():
            return None  # there is a warning
    if scaled.shape[1] == 1 and y.ndim == 1:
        scaled = scaled[:, 0]
    estimator.regressor_ = copied(estimator.regressor)
    found = _fitted(estimator.regressor_, X, scaled, names)
    if hasattr(estimator.regressor_, "feature_names_in_"):
        estimator.feature_names_in_ = estimator.regressor_.feature_names_in_
    return found


def _scale(scaler: StandardScaler, X: FloatArray, names: Any) -> None:
    """Fit a scaler to finite numbers."""
    if names is not None:
        scaler.feature_names_in_ = names.copy()
    count = X.shape[1]
    scaler.n_features_in_ = count
    mean, var, seen = _incremental_mean_and_var(X, 0.0, 0.0, np.zeros(count, np.int64))
    scaler.mean_, scaler.var_, scaler.n_samples_seen_ = mean, var, seen[0]
    scaler.scale_ = _handle_zeros_in_scale(
        np.sqrt(var), copy=False, constant_mask=_is_constant_feature(var, mean, seen[0])
    )
