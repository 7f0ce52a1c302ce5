"""Online summaries of errors: from what the kernel keeps to a :class:`fastgd.Summary`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.kernel.block import ERROR_SUM, FIRST, INVERSE_SUM, LOOKS, RECENT, SMALLEST, SMALLEST_AT


def summarise(watch: NDArray[np.float64], window: int) -> tuple[NDArray[Any], ...]:
    """Return the fields of :class:`fastgd.Summary` for n runs, (n,) arrays each.

    ``watch`` has (n, RECENT + window) numbers.
    """
    looks = watch[:, LOOKS].astype(np.int64)
    seen = np.minimum(looks, window)
    total = np.zeros(len(watch))
    rows = np.arange(len(watch))
    for back in range(min(window, int(looks.max())), 0, -1):  # oldest first, in a fixed order
        error = watch[rows, RECENT + (looks - back) % window]
        total += np.where(back <= seen, error, 0.0)
    with np.errstate(all="ignore"):
        tail = total / seen / watch[:, FIRST]
    return (
        np.where(looks > 0, watch[:, SMALLEST], np.inf),
        watch[:, SMALLEST_AT].astype(np.int64),
        tail,
        watch[:, ERROR_SUM].copy(),
        watch[:, INVERSE_SUM].copy(),
    )
