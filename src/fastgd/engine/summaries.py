"""Results of runs: from the kernel's codes to status strings and a :class:`fastgd.Summary`."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.kernel import block as slots

# Columns of what is kept about a run's errors.
SMALLEST, SMALLEST_AT, FIRST, ERROR_SUM, INVERSE_SUM, ERROR_COUNT = range(6)
RECENT = 6  # the most recent ones, in a ring buffer

_REAL = [SMALLEST, FIRST, ERROR_SUM, INVERSE_SUM]
"""Those of the kernel's floats, in its order."""

STATUS = np.array(["finished", "converged", "diverged", "stalled"])
"""Status string for each outcome of :mod:`fastgd.kernel.block`."""

MISSING = "missing"
"""The status of a run that hasn't been trained yet."""


class Summary(NamedTuple):
    """Summary of the errors e_0, e_1, ... of a run: numbers for a run, arrays for a sweep.

    With mini-batches the error is evaluated once per epoch, otherwise before every update.
    """

    smallest_error: Any
    smallest_iteration: Any
    tail_mean: Any  # mean of the last ``summary`` errors, divided by e_0
    error_sum: Any  # sum of e_j / e_0
    inverse_sum: Any  # sum of e_0 / e_j


def arranged(numbers: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the kernel keeps about the errors, rearranged to these columns: (n, RECENT + window).

    ``numbers`` are (n, slots.RECENT + window), ``counts`` (n, 2): SMALLEST_AT and ERROR_COUNT.
    """
    watch = np.empty((len(numbers), RECENT - slots.RECENT + numbers.shape[1]))
    watch[:, [SMALLEST_AT, ERROR_COUNT]] = counts
    watch[:, _REAL] = numbers[:, : slots.RECENT]
    watch[:, RECENT:] = numbers[:, slots.RECENT :]
    return watch


def summarize(watch: NDArray[np.float64], window: int) -> Summary:
    """Return the summaries of n runs, as (n,) arrays; ``watch`` is (n, RECENT + window)."""
    count = watch[:, ERROR_COUNT].astype(np.int64)
    seen = np.minimum(count, window)
    total = np.zeros(len(watch))
    rows = np.arange(len(watch))
    for back in range(min(window, int(count.max())), 0, -1):  # oldest first, in a fixed order
        error = watch[rows, RECENT + (count - back) % window]
        total += np.where(back <= seen, error, 0.0)
    with np.errstate(all="ignore"):
        tail = total / seen / watch[:, FIRST]
    return Summary(
        np.where(count > 0, watch[:, SMALLEST], np.inf),
        watch[:, SMALLEST_AT].astype(np.int64),
        tail,
        watch[:, ERROR_SUM].copy(),
        watch[:, INVERSE_SUM].copy(),
    )
