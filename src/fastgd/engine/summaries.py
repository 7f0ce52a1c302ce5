"""What runs came to: from the kernel's codes and numbers to words and a :class:`fastgd.Summary`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.kernel import block as slots

# Columns of what is kept of the errors of a run.
SMALLEST, SMALLEST_AT, FIRST, ERROR_SUM, INVERSE_SUM, ERROR_COUNT = range(6)
RECENT = 6  # the last ones, in a ring

_REAL = {
    SMALLEST: slots.SMALLEST,
    FIRST: slots.FIRST,
    ERROR_SUM: slots.ERROR_SUM,
    INVERSE_SUM: slots.INVERSE_SUM,
}
"""Where the kernel has what stands in these columns."""

STATUS = np.array(["finished", "converged", "diverged", "stalled"])
"""For each outcome of :mod:`fastgd.kernel.block`."""

MISSING = "missing"
"""The status of a run that nobody has trained yet."""


def arranged(numbers: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, RECENT + window) in these columns, of what the kernel keeps of the errors.

    That is (n, slots.RECENT + window) numbers, and (n, 2): SMALLEST_AT and ERROR_COUNT.
    """
    watch = np.empty((len(numbers), RECENT - slots.RECENT + numbers.shape[1]))
    watch[:, [SMALLEST_AT, ERROR_COUNT]] = counts
    for column, slot in _REAL.items():
        watch[:, column] = numbers[:, slot]
    watch[:, RECENT:] = numbers[:, slots.RECENT :]
    return watch


def summarise(watch: NDArray[np.float64], window: int) -> tuple[NDArray[Any], ...]:
    """Return the fields of :class:`fastgd.Summary` for n runs, (n,) arrays each.

    ``watch`` has (n, RECENT + window) numbers.
    """
    count = watch[:, ERROR_COUNT].astype(np.int64)
    seen = np.minimum(count, window)
    total = np.zeros(len(watch))
    rows = np.arange(len(watch))
    for back in range(min(window, int(count.max())), 0, -1):  # oldest first, in a fixed order
        error = watch[rows, RECENT + (count - back) % window]
        total += np.where(back <= seen, error, 0.0)
    with np.errstate(all="ignore"):
        tail = total / seen / watch[:, FIRST]
    return (
        np.where(count > 0, watch[:, SMALLEST], np.inf),
        watch[:, SMALLEST_AT].astype(np.int64),
        tail,
        watch[:, ERROR_SUM].copy(),
        watch[:, INVERSE_SUM].copy(),
    )
