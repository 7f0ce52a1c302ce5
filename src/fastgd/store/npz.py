"""An ``.npz`` file of arrays and a JSON header: written whole, and read without trust."""

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.memory import check_memory
from fastgd.store.entries import open_file
from fastgd.store.files import PathLike, whole_file
from fastgd.store.npy import START, header_of

Arrays = dict[str, NDArray[Any]]

FORMAT = 1
"""Version of the files that are written."""

_HEADER = "fastgd"

_TEXT, _TEXT_RATIO = 2**24, 64
"""Bytes of a text (the header is one) at most, unless its packed bytes times the ratio are more.

Python's objects take five times the memory of their JSON. Axes, cases and labels of sweeps have
ratios of 7 to 43.
"""

_RATIO = 1032
"""Bytes that zlib can pack into one, at most."""

_DEEPEST = 50
"""How deep the lists of a header may be nested; ours have less than ten levels."""

DIRECTORY = 2**26
"""Bytes of an archive's directory at most: enough for half a million arrays."""


class Stored:
    """An array in a file: its type and shape are known, and NumPy reads it when it needs it."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info
        with archive.open(info) as member:
            self.dtype, self.shape, _ = header_of(member.read(START), info.file_size)
        if self.is_text and self.nbytes > max(_TEXT, _TEXT_RATIO * info.compress_size):
            raise ValueError(f"{info.filename} is packed too well for a text")

    @property
    def is_text(self) -> bool:
        """Whether it is one text."""
        return self.dtype.kind == "U" and self.shape == ()

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return self.dtype.itemsize * prod(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read it; NumPy gives it another type."""
        with self._archive.open(self._info) as member:
            array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
            member.read(1)  # at its end is its checksum
        return array


Found = Mapping[str, NDArray[Any] | Stored]
"""Arrays, some of which are in their file until they are asked for."""


def write(path: PathLike, kind: str, facts: dict[str, Any], arrays: Arrays) -> None:
    """Write arrays, and facts that JSON can hold; a whole file or none."""
    header = json.dumps({"kind": kind, "format": FORMAT, "members": list(arrays)} | facts)
    with whole_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in {_HEADER: np.array(header), **arrays}.items():
            info = zipfile.ZipInfo(f"{name}.npy")
            info.compress_type = _packing(array)
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


@contextmanager
def reading(path: PathLike) -> Iterator[tuple[str, dict[str, Any], Found]]:
    """Open what :func:`write` wrote: its kind, facts (sequences as tuples) and arrays.

    An array is read when NumPy needs it, while the file is open. Before that the types and shapes
    of all arrays are known, agree with the bytes that are there, and fit into memory together.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not a whole file of ours.
    """
    with open_file(path) as stream:
        try:
            found = _members(stream)
            header = found.pop(_HEADER)
            facts = tuples(json.loads(str(np.asarray(header)) if header.is_text else ""))
            kind, version = facts.pop("kind"), facts.pop("format")
            members = facts.pop("members", tuple(found))  # the first files did not say
            is_ours = (
                isinstance(kind, str)
                and isinstance(version, int)
                and sorted(found) == sorted(members)
            )
        except Exception as error:
            # Of damaged bytes zipfile, zlib, NumPy and json raise what they like, OSError and
            # MemoryError included.
            raise not_whole(path) from error
        if not is_ours:
            raise not_whole(path)
        if version != FORMAT:
            raise ValueError(f"{path} must have format {FORMAT}, got format {version}")
        check_memory(sum(array.nbytes for array in found.values()), str(path))
        yield kind, facts, found


def not_whole(path: PathLike) -> ValueError:
    """What is said of a file that someone else wrote, or that is damaged."""
    return ValueError(f"{path} must be a whole file that fastgd has saved")


def tuples(value: Any, depth: int = 0) -> Any:
    """Undo that JSON knows lists only; the axes of a sweep are the one place with real ones.

    Raises
    ------
    ValueError
        If it is nested deeper than anything of ours, and than Python can walk.
    """
    if depth > _DEEPEST:
        raise ValueError(f"facts must be nested at most {_DEEPEST} deep")
    if isinstance(value, dict):
        return {name: tuples(part, depth + 1) for name, part in value.items()}
    return tuple(tuples(part, depth + 1) for part in value) if isinstance(value, list) else value


class _Piecewise:
    """A file, read in pieces: none is larger than a directory may be."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes."""
        if size > DIRECTORY:
            raise ValueError("the directory is too large")
        return self._stream.read(size)


def _members(stream: IO[bytes]) -> dict[str, Stored]:
    """All arrays, none of which is longer than the bytes that are there can stand for."""
    archive = zipfile.ZipFile(_Piecewise(stream))
    members = archive.infolist()
    for info in members:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{info.filename} is packed in another way")
        if info.file_size > _RATIO * info.compress_size:
            raise ValueError(f"{info.filename} must be longer")
    if sum(info.compress_size for info in members) > os.fstat(stream.fileno()).st_size:
        raise ValueError("arrays overlap")
    found = {info.filename.removesuffix(".npy"): Stored(archive, info) for info in members}
    if len(found) != len(members):
        raise ValueError("two arrays have the same name")
    return found


def _packing(array: NDArray[Any]) -> int:
    """How an array is packed: not at all if reading would refuse a text that is packed so well."""
    is_long = array.dtype.kind == "U" and not array.ndim and array.nbytes > _TEXT
    if is_long and array.nbytes > (_TEXT_RATIO - 1) * len(zlib.compress(array.tobytes())):
        return zipfile.ZIP_STORED
    return zipfile.ZIP_DEFLATED
