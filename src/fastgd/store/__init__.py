"""Results on disk: atomically written files that are validated when read, and chunked folders.

Here is what each training needs of it; the rest is loaded by calls that read or write.
"""

import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

PathLike = str | os.PathLike[str]

BITS = 3
"""Version of the results' bits: incremented whenever a hash in ``tests/golden.json`` changes.

A folder whose chunks were computed under another version takes no new chunks.
"""

_FLOAT64 = np.dtype(np.float64)


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in C order and little-endian, whatever its layout was."""
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def hashes_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Dtype, shape and hash of each of these arrays."""
    found = {}
    for name, array in arrays.items():
        values: Any = plain(array)
        # Its name from NumPy takes 3 us, for each array of each training.
        dtype = "float64" if values.dtype == _FLOAT64 else values.dtype
        found[name] = f"{dtype} {values.shape} {sha256(values).hexdigest()}"
    return found
