"""Memory of large results.

It is used again once a result is dropped. An array of 32 MiB or more returns its memory to the
system when it is dropped, and the system clears the pages of the next one. A virtual machine may
have given them to its host meanwhile, and then waits for the host: new memory of 32 MiB took 4 to
70 ms, and the prediction in it 42 ms.
"""

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from fastgd.checks.numbers import SPARE, FloatArray

RESULT_LEAST_BYTES = 4 * 1024**2
"""The memory of smaller arrays is kept by the C library."""

RESULT_MOST_BYTES = 128 * 1024**2
"""The memory of larger ones returns to the system."""

_spare: deque[FloatArray] = deque(maxlen=1)
"""The memory of the last one dropped. Its operations are safe in threads and finalizers."""

SPARE.append(_spare.clear)


class _Owner:
    """Owns the memory of an array until the array and all views of it are dropped."""

    def __init__(self, memory: FloatArray, shape: tuple[int, ...]) -> None:
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__ | {"shape": shape}

    def __del__(self, _keep: Callable[[FloatArray], None] = _spare.append) -> None:
        _keep(self._memory)  # as a default it is still there when the interpreter ends


def empty(shape: tuple[int, ...]) -> FloatArray:
    """Like ``np.empty``, maybe in the memory of an earlier array that was dropped."""
    count = math.prod(shape)
    if not RESULT_LEAST_BYTES <= 8 * count <= RESULT_MOST_BYTES:
        return np.empty(shape)
    try:
        memory = _spare.pop()
    except IndexError:
        memory = np.empty(0)
    if not count <= memory.size <= 1.25 * count:
        del memory  # before there is more
        memory = np.empty(count)
    return np.asarray(_Owner(memory, shape))
