"""The header of an array's file: checked against the file's size before memory is allocated."""

import io
from math import prod
from typing import Any, NamedTuple

import numpy as np

START = 4096
"""Bytes of a file that hold the header: ours has 128, and 20 more for each axis beyond a few."""

_KINDS = "biufUmM"


class Header(NamedTuple):
    """What an array is, and where it begins."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int


def header_of(start: bytes, size: int) -> Header:
    """Return the header in the first bytes of a file of this size.

    Raises
    ------
    ValueError
        If it isn't that of an array of numbers, texts or times that has this size.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.save(file, np.zeros((2, 3)))
    >>> header_of(file.getvalue(), 176)
    Header(dtype=dtype('float64'), shape=(2, 3), begin=128)
    """
    stream = io.BytesIO(start)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("another version of the header")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in _KINDS or not dtype.itemsize or min(shape, default=0) < 0:
        raise ValueError(f"an array of {dtype} with the shape {shape}")
    if size != stream.tell() + dtype.itemsize * prod(shape):
        raise ValueError(f"another size than that of {dtype} with the shape {shape}")
    return Header(dtype, shape, stream.tell())
