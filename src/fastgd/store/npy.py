"""The header of an ``.npy`` file, checked against the file's size before memory is allocated."""

import io
from math import prod
from typing import Any, NamedTuple

import numpy as np

START = 4096
"""Bytes that are read for the header: ours has 128, and 20 more for each axis beyond a few."""

_KINDS = "biufUmM"


class Header(NamedTuple):
    """Dtype and shape of an array, and the offset of its first byte."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int


def header_of(start: bytes, size: int) -> Header:
    """Parse the header from the first bytes of a file of this size.

    Raises
    ------
    ValueError
        If it isn't the header of an array of numbers, strings or times of exactly this size.

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
