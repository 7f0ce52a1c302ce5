"""Predictions of many fitted estimators, each for rows of its own: their networks in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fastgd.arguments.data import FloatArray, NetworkParts
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.groups import Integers, RowIndices, rows_of
from fastgd.arguments.options import Method
from fastgd.engine.network import Network
from fastgd.engine.prediction import predict_parts
from fastgd.engine.session import available_threads
from fastgd.sklearn.base import BaseFastGD
from fastgd.sklearn.classifier import FastGDClassifier
from fastgd.sklearn.joint_training import key_of
from fastgd.sklearn.regressor import FastGDRegressor
from fastgd.sklearn.standard_steps import SKIPPED, table_of
from fastgd.training.results import Run


class _Chain(NamedTuple):
    """The steps of a fitted estimator."""

    scalers: tuple[StandardScaler, ...]  # of the inputs
    network: BaseFastGD
    target: StandardScaler | None
    is_flat: bool  # predictions are (samples,)


def answers_of(
    name: str, estimators: Sequence[Any], X: Any, rows: RowIndices
) -> list[NDArray[Any]] | None:
    """Return what each estimator's method returns for its rows; None if each has to be called.

    ``name`` is "predict" or "predict_proba".
    """
    table, chains = table_of(X), [_chain(one) for one in estimators]
    whole = [chain for chain in chains if chain is not None]
    if table is None or len(whole) < len(chains):
        return None
    kinds = {(len(chain.scalers), chain.target is None, chain.is_flat) for chain in whole}
    if len(kinds) > 1:
        return None
    codes = np.repeat(np.arange(len(rows)), rows.sizes)
    inputs = table[rows.values]
    for steps in zip(*(chain.scalers for chain in whole), strict=True):
        mean, scale = (np.array([getattr(s, n) for s in steps]) for n in ("mean_", "scale_"))
        if mean.shape[1] != inputs.shape[1]:
            return None
        inputs = (inputs - mean[codes]) / scale[codes]
    networks = [chain.network for chain in whole]
    if any(one.n_features_in_ != inputs.shape[1] for one in networks):
        return None
    if not np.isfinite(inputs).all():
        return None
    outputs = _outputs(networks, inputs, rows.sizes)
    if not all(np.isfinite(one).all() for one in outputs):
        return None  # an error says so
    answers = []
    for chain, own in zip(whole, outputs, strict=True):
        answer = getattr(chain.network, f"_{name}")(own)
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
        if vars(one).get("mean_") is None or vars(one).get("scale_") is None:
            return None
    is_flat = getattr(inner, "_is_flat", True)
    if target is not None and estimator._training_dim != (1 if is_flat else 2):
        return None
    return _Chain(tuple(scalers), inner, target, is_flat)


def _parts(run: Run) -> NetworkParts:
    return NetworkParts(run.weights, run.biases, run.normalization)


def _outputs(
    networks: Sequence[BaseFastGD], X: FloatArray, sizes: Integers
) -> Sequence[FloatArray]:
    """Return the mean outputs of each network's members, for consecutive rows."""
    alike: dict[Any, list[int]] = {}
    for number, one in enumerate(networks):
        first = one.members_[0]
        functions = {  # and their parameters
            name: value
            for name, value in first.options.items()
            if name in ("activation", "output") or name not in DECLARED
        }
        shape = len(one.members_), len(first.normalization), *(w.shape for w in first.weights)
        alike.setdefault((shape, key_of(functions)), []).append(number)
    own_rows = rows_of(np.arange(len(X)), sizes)
    found: list[Any] = [None] * len(networks)
    for numbers in alike.values():
        members = [networks[number].members_ for number in numbers]
        network, method = Network.of(members[0][0]), Method(**members[0][0].options)
        parameters = np.array([[network.row(_parts(run)) for run in runs] for runs in members])
        rows = rows_of(np.arange(sizes[numbers].sum()), sizes[numbers])
        result = np.empty((parameters.shape[1], len(rows.values), network.sizes[-1]))
        mine = X[np.concatenate([own_rows[number] for number in numbers])]
        predict_parts(network, method, parameters, mine, rows, {}, available_threads(), result)
        for place, number in enumerate(numbers):
            part = rows.values[rows.starts[place] : rows.starts[place + 1]]
            own = result[:, part, : networks[number].n_outputs_]
            found[number] = own[0] if len(own) == 1 else own.mean(axis=0)
    return found
