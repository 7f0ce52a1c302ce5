"""Build a Run from the rows of arrays that the engine returns or a sweep has kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.arguments.options import Method
from fastgd.engine.network import Network
from fastgd.engine.state import State
from fastgd.engine.summaries import Summary
from fastgd.training.results import Alpha, Run


def run_of(
    network: Network,
    method: Method,
    *,
    alpha: Alpha,
    seed: int | None,
    recorded: NDArray[np.int64],
    errors: FloatArray,
    parameters: FloatArray,
    changes: NDArray[np.int64],
    final_error: Any,
    losses: FloatArray,
    final_loss: Any,
    status: Any,
    iterations: Any,
    summary: Sequence[Any] | None = None,
    path: FloatArray | None = None,
    validation_errors: FloatArray | None = None,
    final_validation_error: Any = None,
    best_iteration: Any = None,
    state: State | None = None,
) -> Run:
    """Build a run from (P,) parameters and direction changes, and a (records, P) path.

    Scalars may be NumPy scalars.
    """
    last, counts = network.parts(parameters), network.parts(changes)
    way = None if path is None else network.parts(path)
    return Run(
        alpha=alpha,
        hidden_size=network.sizes[1:-1],
        seed=seed,
        errors=errors,
        recorded=recorded,
        weights=last.weights,
        direction_changes=counts.weights,
        final_error=float(final_error),
        status=str(status),
        iterations=int(iterations),
        losses=losses,
        final_loss=float(final_loss),
        biases=last.biases,
        bias_direction_changes=counts.biases,
        normalization=last.normalization,
        summary=None if summary is None else Summary(*(number.item() for number in summary)),
        recorded_weights=way.weights if way else None,
        recorded_biases=way.biases if way else (),
        recorded_normalization=way.normalization if way else (),
        options=method.given,
        validation_errors=validation_errors,
        final_validation_error=_or_none(float, final_validation_error),
        best_iteration=None
        if best_iteration is None or best_iteration < 0
        else int(best_iteration),
        state=state,
    )


def _or_none(kind: type, number: Any) -> Any:
    return None if number is None else kind(number)
