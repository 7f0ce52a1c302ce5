"""scikit-learn's usual steps before a network, of many groups of rows: fits, and predictions.

A `StandardScaler` fitted to 100 rows of a DataFrame computes for 0.07 ms and checks its arguments
for 0.5. Here the table is checked once; means and scales are computed for each group by the
functions of scikit-learn that its own fit calls, on arrays of the same layout. 40 groups of 100
rows are fitted in 81 ms, and 198 without this; by scikit-learn's own steps, but on arrays and with
its checks switched off, in 130. Their predictions take 9 ms together, and 51 one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils.validation import FLOAT_DTYPES

from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Integers, RowIndices, rows_of
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import available_threads
from fastgd.engine.network import Network
from fastgd.engine.prediction import predict
from fastgd.sklearn.base import BaseFastGD, mean_outputs
from fastgd.sklearn.estimator_parameters import check_parameters
from fastgd.sklearn.estimators import FastGDClassifier, FastGDRegressor
from fastgd.sklearn.fit_spec import CheckedSamples
from fastgd.sklearn.joint_training import key_of
from fastgd.sklearn.private_names import (
    _handle_zeros_in_scale,
    _incremental_mean_and_var,
    _is_constant_feature,
    _safe_indexing,
)

_CONFIG = {
    "transform_output": "default",
    "enable_metadata_routing": False,
    "array_api_dispatch": False,
}
"""The configuration of scikit-learn that is taken for granted."""

SKIPPED = (None, "passthrough")

_KNOWN = (StandardScaler, Pipeline, TransformedTargetRegressor)

FEWEST_ALIKE = 20
"""Fewest alike networks that predict in one call.

20 networks (3-7-1) of 20 rows each take 1.8 ms so and 1.9 one by one; 5 take 1.0 and 0.7, 60 take
2.2 and 4.3. With a scaler in front 5 take 1.3 and 1.4, but the first call of a shape is compiled.
"""


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
    if (
        not (isinstance(value, BaseFastGD) or kind in _KNOWN)
        or kind.__sklearn_clone__ is not BaseEstimator.__sklearn_clone__
        or not _has_only_parameters(value)
    ):
        return clone(value, safe=False)
    new = object.__new__(kind)
    vars(new).update((name, copied(one)) for name, one in vars(value).items())
    return new


def _has_only_parameters(estimator: Any) -> bool:
    """Whether an estimator isn't fitted, has no output or callbacks, nor sets more itself."""
    kind: Any = type(estimator)
    return frozenset(vars(estimator)) == names_of(kind)


@lru_cache(maxsize=16)
def names_of(kind: type[BaseEstimator]) -> frozenset[str]:
    """Return the names of an estimator's parameters, which scikit-learn reads from a signature."""
    return frozenset(kind._get_param_names())


@dataclass(eq=False)
class Reached:
    """What reaches a network: the samples of its fit, and the estimator with the fitted steps."""

    X: Any
    y: Any
    sample_weight: Any = None
    network: Any = None
    estimator: Any = None
    tables: dict[Hashable, tuple[CheckedSamples, dict[str, Any]]] = field(default_factory=dict)

    def table(self, network: BaseFastGD) -> CheckedSamples:
        """Return the checked samples, and set the network's attributes that describe them.

        Networks that make the same targets and weights of samples have the same table.
        """
        key = type(network), key_of(getattr(network, "class_weight", None))
        if key not in self.tables:
            table = network._table(self.X, self.y, self.sample_weight)
            params = names_of(type(network))
            found = {name: value for name, value in vars(network).items() if name not in params}
            self.tables[key] = table, found
        table, found = self.tables[key]
        network.__dict__.update(found)
        return table


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

    def reach(self, estimator: Any, rows: Integers) -> Reached | None:
        """Fit the steps before the network to these rows; None if scikit-learn has to do it."""
        # All rows of a DataFrame are not copied, so that their layout is its own.
        if self._table is None or len(rows) == len(self._table):
            return None
        if self._in_columns:
            X = np.take(self._table.T, rows, axis=1).T
        else:
            X = np.take(self._table, rows, axis=0)
        reached = _fitted(estimator, X, self._y[rows], self._names)
        if reached is not None:
            check_parameters(vars(reached.network))
        return reached


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
    for dtype in getattr(X, "dtypes", [None]) if hasattr(X, "columns") else ():
        if not isinstance(dtype, np.dtype) or not (dtype.kind in "biu" or dtype == np.float64):
            return None  # a scaler may not turn it to float64
    try:
        table: FloatArray = check_array(X, dtype=FLOAT_DTYPES)
    except ValueError:
        return None
    return table if table.dtype == np.float64 else None


def _is_standard(estimator: Any) -> bool:
    """Whether an estimator has only steps that are fitted here, if one fit has the same result."""
    if isinstance(estimator, BaseFastGD):
        return True
    if type(estimator) not in _KNOWN or not _has_only_parameters(estimator):
        return False
    if isinstance(estimator, TransformedTargetRegressor):
        scaler, inner = estimator.transformer, estimator.regressor
        return type(scaler) is StandardScaler and _is_standard(scaler) and _is_standard(inner)
    if isinstance(estimator, StandardScaler):
        return bool(estimator.with_mean and estimator.with_std)
    *steps, (_, last) = estimator.steps
    scalers = [step for _, step in steps if step not in SKIPPED]
    return (
        all(type(one) is StandardScaler and _is_standard(one) for one in scalers)
        and isinstance(last, BaseFastGD)
        and not estimator.verbose
        and estimator.memory is None
        and not getattr(estimator, "transform_input", None)
    )


def _fitted(estimator: Any, X: FloatArray, y: Any, names: Any) -> Reached | None:
    """Fit an estimator's steps up to its network, in the order of scikit-learn."""
    if isinstance(estimator, BaseFastGD):
        # With names it learns them from the DataFrame.
        return None if names is not None else Reached(X, y, network=estimator)
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


# ------------------------------------------------------------------- predictions in one call


class Chain(NamedTuple):
    """The steps of a fitted estimator."""

    scalers: tuple[StandardScaler, ...]  # of the inputs
    network: BaseFastGD
    target: StandardScaler | None
    is_flat: bool  # predictions are (samples,)


def answers_of(
    name: str, estimators: Sequence[Any], X: Any, rows: RowIndices
) -> list[NDArray[Any]]:
    """Return what each estimator's method returns for its rows, by one call where many are alike.

    ``name`` is "predict" or "predict_proba".
    """

    def answer(number: int) -> NDArray[Any]:
        return np.asarray(getattr(estimators[number], name)(_safe_indexing(X, rows[number])))

    found: dict[int, NDArray[Any]] = {}
    table = table_of(X) if len(estimators) >= FEWEST_ALIKE else None
    alike: dict[Any, dict[int, Chain]] = {}  # estimators that differ in numbers only
    for number, estimator in enumerate(estimators):
        chain = None if table is None else _chain(estimator)
        if chain is None:
            continue
        members = chain.network.members_
        functions = {  # and their parameters
            name: value
            for name, value in members[0].options.items()
            if name in ("activation", "output") or name not in DECLARED
        }
        steps = len(chain.scalers), chain.target is None, chain.is_flat
        layers = [weights.shape for weights in members[0].weights]
        shape = len(members), len(members[0].normalization), *layers
        alike.setdefault((steps, shape, key_of(functions)), {})[number] = chain
    for chains in alike.values():
        if table is None or len(chains) < FEWEST_ALIKE:
            continue
        first = next(iter(chains))
        found[first] = answer(first)
        together = _together(name, list(chains.values()), table, [rows[n] for n in chains])
        if together is not None and np.array_equal(found[first], together[0]):
            found.update(zip(chains, together, strict=True))
    return [found[k] if k in found else answer(k) for k in range(len(estimators))]


def _chain(estimator: Any) -> Chain | None:
    """Return an estimator's steps if scikit-learn does nothing else with them."""
    target = None
    inner, scalers = estimator, []
    if type(inner) is TransformedTargetRegressor:
        target, inner = vars(inner).get("transformer_"), vars(inner).get("regressor_")
    if type(inner) is Pipeline:
        *steps, (_, inner) = inner.steps
        scalers = [step for _, step in steps if step not in SKIPPED]
    if type(inner) not in (FastGDRegressor, FastGDClassifier) or "members_" not in vars(inner):
        return None
    for one in scalers if target is None else (*scalers, target):
        if type(one) is not StandardScaler:
            return None
        has_both = one.with_mean and one.with_std  # by these it says what to apply
        if not has_both or vars(one).get("mean_") is None or vars(one).get("scale_") is None:
            return None
    is_flat = getattr(inner, "_is_flat", True)
    if target is not None and estimator._training_dim != (1 if is_flat else 2):
        return None
    return Chain(tuple(scalers), inner, target, is_flat)


def _together(
    name: str, chains: Sequence[Chain], table: FloatArray, parts: Sequence[Integers]
) -> list[NDArray[Any]] | None:
    """Return what the method of each of these alike estimators returns; None if unsure."""
    networks = [chain.network for chain in chains]
    for chain in chains:
        counts = {len(one.mean_) for one in chain.scalers}
        if counts | {chain.network.n_features_in_} != {table.shape[1]}:
            return None
    sizes = np.array([len(part) for part in parts])
    inputs = table[np.concatenate(parts)]
    ends = np.cumsum(sizes).tolist()
    places = [slice(*ends) for ends in pairwise([0, *ends])]
    for chain, place in zip(chains, places, strict=True):
        own = inputs[place]
        for scaler in chain.scalers:
            own -= scaler.mean_
            own /= scaler.scale_
    if not np.isfinite(inputs).all():
        return None  # an error says so
    first = networks[0].members_[0]
    network = Network.of(first)
    members = [
        [NetworkParts(run.weights, run.biases, run.normalization) for run in one.members_]
        for one in networks
    ]
    parameters = np.array([[network.row(one) for one in each] for each in members])
    outputs = np.empty((parameters.shape[1], len(inputs), network.sizes[-1]))
    rows, threads = rows_of(np.arange(len(inputs)), sizes), available_threads()
    method = Method(**first.options)
    predict(network, method, parameters, inputs, {}, threads, outputs, rows)
    answers = []
    for chain, place in zip(chains, places, strict=True):
        mean = mean_outputs(outputs[:, place, : chain.network.n_outputs_])
        if not np.isfinite(mean).all():
            return None  # an error says so
        answer = getattr(chain.network, f"_{name}")(mean)
        if chain.target is not None:
            answer = answer * chain.target.scale_ + chain.target.mean_
        answers.append(answer)
    return answers
