"""An ``.npz`` file of arrays and a JSON header: written atomically, and validated when read."""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from math import prod
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import check_memory
from fastgd.store import Arrays, PathLike
from fastgd.store.files import open_file, whole_file

FORMAT = 1
"""Version of the file format that is written."""

_HEADER = "fastgd"

_TEXT, _TEXT_RATIO = 2**24, 64
"""Maximum bytes of a string (such as the header), unless its compressed bytes times the ratio are
more.

Python objects take five times the memory of their JSON. Axes, combinations and labels of sweeps
have compression ratios of 7 to 43.
"""

_RATIO = 1032
"""Maximum compression ratio of zlib."""

_DEEPEST = 50
"""Maximum nesting of a header's lists; ours have fewer than ten levels."""

DIRECTORY = 2**26
"""Maximum bytes of an archive's directory: enough for half a million arrays."""

START = 4096
"""Bytes read for an array's header: ours has 128, and 20 more for each axis beyond a few."""

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


class Stored:
    """A lazily read array of a file: its dtype and shape are known before its values are read.

    Its header is read when it is asked for, too: reading one takes 0.1 ms, and a file may have any
    number of arrays that no result has.
    """

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info

    @cached_property
    def _header(self) -> Header:
        info = self._info
        with self._archive.open(info) as member:
            found = header_of(member.read(START), info.file_size)
        is_text = found.dtype.kind == "U" and found.shape == ()
        if is_text and info.file_size > max(_TEXT, _TEXT_RATIO * info.compress_size):
            raise ValueError(f"{info.filename} is compressed too well for a string")
        return found

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, as the header has it."""
        return self._header.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, as the header has it."""
        return self._header.shape

    @property
    def is_text(self) -> bool:
        """Whether it is a single string."""
        return self.dtype.kind == "U" and self.shape == ()

    @property
    def nbytes(self) -> int:
        """Bytes of the array and of its header."""
        return self._info.file_size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the array; NumPy itself converts it to another dtype."""
        _ = self._header  # checked before NumPy allocates what it says
        with self._archive.open(self._info) as member:
            array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
            member.read(1)  # zipfile verifies the checksum at the end
        return array


Found = Mapping[str, NDArray[Any] | Stored]
"""Arrays, some of which are read from their file when needed."""


def write(path: PathLike, kind: str, facts: dict[str, Any], arrays: Arrays) -> None:
    """Write arrays, and facts that JSON can hold, to a file atomically."""
    header = json.dumps({"kind": kind, "format": FORMAT, "members": list(arrays)} | facts)
    with whole_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in {_HEADER: np.array(header), **arrays}.items():
            info = zipfile.ZipInfo(f"{name}.npy")
            info.compress_type = _packing(array)
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


@contextmanager
def reading(path: PathLike) -> Iterator[tuple[str, dict[str, Any], Found]]:
    """Open a file of :func:`write`; yields its kind, facts (sequences as tuples) and arrays.

    An array is read when NumPy needs it, while the file is open: a ValueError if its dtype and
    shape don't agree with its size in the file. Before that it has been checked that all arrays fit
    into memory together.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not a complete file that fastgd has written.
    """
    with open_file(path) as stream:
        try:
            found = _members(stream)
            header = found.pop(_HEADER)
            facts = tuples(json.loads(str(np.asarray(header)) if header.is_text else ""))
            kind, version = facts.pop("kind"), facts.pop("format")
            members = facts.pop("members", tuple(found))  # missing in files of early versions
            is_ours = (
                isinstance(kind, str)
                and isinstance(version, int)
                and sorted(found) == sorted(members)
            )
        except Exception as error:
            # For corrupt bytes zipfile, zlib, NumPy and json raise all kinds of errors, OSError and
            # MemoryError included.
            raise not_whole(path) from error
        if not is_ours:
            raise not_whole(path)
        if version != FORMAT:
            raise ValueError(f"{path} must have format {FORMAT}, got format {version}")
        check_memory(sum(array.nbytes for array in found.values()), str(path))
        yield kind, facts, found


def not_whole(path: PathLike) -> ValueError:
    """The error for a file that is corrupt, or that another program wrote."""
    return ValueError(f"{path} must be a whole file that fastgd has saved")


def tuples(value: Any, depth: int = 0) -> Any:
    """Turn lists back into tuples, as JSON has only lists; only the axes of a sweep are lists.

    Raises
    ------
    ValueError
        If the value is nested deeper than anything that fastgd writes.
    """
    if depth > _DEEPEST:
        raise ValueError(f"facts must be nested at most {_DEEPEST} deep")
    if isinstance(value, dict):
        return {name: tuples(item, depth + 1) for name, item in value.items()}
    return tuple(tuples(item, depth + 1) for item in value) if isinstance(value, list) else value


class _Piecewise:
    """A file of which no single read may be larger than a directory may be."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes."""
        if size > DIRECTORY:
            raise ValueError("the directory is too large")
        return self._stream.read(size)


def _members(stream: IO[bytes]) -> dict[str, Stored]:
    """All arrays; rejects those that are longer than their compressed bytes allow."""
    archive = zipfile.ZipFile(_Piecewise(stream))
    members = archive.infolist()
    for info in members:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{info.filename} has another compression")
        if info.file_size > _RATIO * info.compress_size:
            raise ValueError(f"{info.filename} must be longer")
    if sum(info.compress_size for info in members) > os.fstat(stream.fileno()).st_size:
        raise ValueError("arrays overlap")
    found = {info.filename.removesuffix(".npy"): Stored(archive, info) for info in members}
    if len(found) != len(members):
        raise ValueError("two arrays have the same name")
    return found


def _packing(array: NDArray[Any]) -> int:
    """The compression of an array: none for a string that would compress too well to be read."""
    is_long = array.dtype.kind == "U" and not array.ndim and array.nbytes > _TEXT
    if is_long and array.nbytes > (_TEXT_RATIO - 1) * len(zlib.compress(array.tobytes())):
        return zipfile.ZIP_STORED
    return zipfile.ZIP_DEFLATED
