"""Predictions of many fitted estimators, each for rows of its own: their networks in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing

from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Integers, RowIndices, rows_of
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import available_threads
from fastgd.engine.network import Network
from fastgd.engine.prediction import predict_parts
from fastgd.sklearn.base import BaseFastGD
from fastgd.sklearn.estimators import FastGDClassifier, FastGDRegressor
from fastgd.sklearn.joint_training import key_of
from fastgd.sklearn.standard_steps import SKIPPED, table_of

FEWEST_ALIKE = 20
"""Fewest alike networks that predict in one call.

20 networks (3-7-1) of 20 rows each take 1.8 ms so and 1.9 one by one; 5 take 1.0 and 0.7, 60 take
2.2 and 4.3. With a scaler in front 5 take 1.3 and 1.4, but the first call of a shape is compiled.
"""


class _Chain(NamedTuple):
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
        part = _safe_indexing(X, rows[number])
        return np.asarray(getattr(estimators[number], name)(part))

    found: dict[int, NDArray[Any]] = {}
    table = table_of(X) if len(estimators) >= FEWEST_ALIKE else None
    if table is not None:
        for numbers, chains in _alike(estimators):
            found[numbers[0]] = first = answer(numbers[0])
            together = _together(name, chains, table, [rows[number] for number in numbers])
            if together is not None and np.array_equal(first, together[0]):
                found.update(zip(numbers, together, strict=True))
    return [found[k] if k in found else answer(k) for k in range(len(estimators))]


def _alike(estimators: Sequence[Any]) -> Iterator[tuple[list[int], list[_Chain]]]:
    """Yield the indices and steps of estimators that differ in numbers only, if these are many."""
    alike: dict[Any, list[int]] = {}
    chains = [_chain(one) for one in estimators]
    for number, chain in enumerate(chains):
        if chain is None:
            continue
        members, target = chain.network.members_, chain.target
        first = members[0]
        functions = {  # and their parameters
            name: value
            for name, value in first.options.items()
            if name in ("activation", "output") or name not in DECLARED
        }
        steps = len(chain.scalers), target is None, chain.is_flat
        shape = len(members), len(first.normalization), *(w.shape for w in first.weights)
        alike.setdefault((steps, shape, key_of(functions)), []).append(number)
    for numbers in alike.values():
        if len(numbers) >= FEWEST_ALIKE:
            yield numbers, [one for number in numbers if (one := chains[number]) is not None]


def _together(
    name: str, chains: Sequence[_Chain], table: FloatArray, parts: Sequence[Integers]
) -> list[NDArray[Any]] | None:
    """Return what the method of each of these alike estimators returns; None if unsure."""
    width = table.shape[1]
    for chain in chains:
        counts = {len(one.mean_) for one in chain.scalers}
        if counts | {chain.network.n_features_in_} != {width}:
            return None
    sizes = np.array([len(part) for part in parts])
    inputs = table[np.concatenate(parts)]
    places = np.cumsum(sizes) - sizes
    for chain, start, size in zip(chains, places.tolist(), sizes.tolist(), strict=True):
        own = inputs[start : start + size]
        for scaler in chain.scalers:
            own -= scaler.mean_
            own /= scaler.scale_
    if not np.isfinite(inputs).all():
        return None  # an error says so
    outputs = _outputs([chain.network for chain in chains], inputs, sizes)
    answers = []
    for chain, start, size in zip(chains, places.tolist(), sizes.tolist(), strict=True):
        own = outputs[:, start : start + size, : chain.network.n_outputs_]
        mean = own[0] if len(own) == 1 else own.mean(axis=0)
        if not np.isfinite(mean).all():
            return None  # an error says so
        answer = getattr(chain.network, f"_{name}")(mean)
        if chain.target is not None:
            answer = answer * chain.target.scale_ + chain.target.mean_
        answers.append(answer)
    return answers


def _chain(estimator: Any) -> _Chain | None:
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
    return _Chain(tuple(scalers), inner, target, is_flat)


def _outputs(networks: Sequence[BaseFastGD], X: FloatArray, sizes: Integers) -> FloatArray:
    """Return the outputs of alike networks' members, for consecutive rows."""
    members = [one.members_ for one in networks]
    network, method = Network.of(members[0][0]), Method(**members[0][0].options)
    parts = [
        [NetworkParts(run.weights, run.biases, run.normalization) for run in runs]
        for runs in members
    ]
    parameters = np.array([[network.row(one) for one in each] for each in parts])
    rows = rows_of(np.arange(len(X)), sizes)
    result = np.empty((parameters.shape[1], len(X), network.sizes[-1]))
    predict_parts(network, method, parameters, X, rows, {}, available_threads(), result)
    return result
