"""Turn the engine's results into the fields of a :class:`fastgd.Sweep`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgd.engine.results import MISSING, STATUS, Summary, summarize
from fastgd.optimizers import BAYESIAN
from fastgd.training.sweep_axes import SweepAxes

SOURCES = {
    "errors": "errors",
    "losses": "losses",
    "final_error": "final_error",
    "final_loss": "final_loss",
    "status": "outcome",
    "iterations": "iterations",
    "total_changes": "total_changes",
    "summary": "watch",
    "kept_weights": "weights",
    "kept_changes": "changes",
    "kept_path": "path",
    "validation_errors": "held_errors",
    "final_validation_error": "held_final",
    "best_iteration": "best_iteration",
    **{name: name for name in BAYESIAN},
    "states": "state",
}
"""The name in ``TrainedRuns`` of the result that each field is made of."""

BY_NETWORK = ("kept_weights", "kept_changes", "kept_path", "states")
"""Fields with an array per network, whose first axis is the runs; the others have all axes."""

_STATUS = np.array([*STATUS, MISSING])


def field_of(name: str, sweep_axes: SweepAxes, window: int | None, arrays: Sequence[Any]) -> Any:
    """Make a field of the results of each network's runs; ``sweep_axes`` has all axes."""
    if name in BY_NETWORK:
        return tuple(arrays)
    if name == "summary":
        assert window is not None
        each = zip(*(summarize(watch, window) for watch in arrays), strict=True)
        return Summary(*(sweep_axes.join(arrays) for arrays in each))
    joined = sweep_axes.join(arrays)
    return np.asarray(_STATUS[joined]) if name == "status" else joined


def dtype_of(name: str) -> np.dtype[Any]:
    """The dtype of a field that has all axes, or of a field of the summary."""
    if name == "status":
        return _STATUS.dtype
    whole = ("iterations", "total_changes", "best_iteration", "smallest_iteration")
    return np.dtype(np.int64 if name in whole else np.float64)
