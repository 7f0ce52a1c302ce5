"""The bytes of a part: an ``.npz`` file in which no bit changes unnoticed.

The same arrays give the same bytes on every machine. Beside each array in the directory of the zip
archive stands the SHA-256 of its bytes, and after the directory, as the archive's comment, that of
the directory together with the part's *origin*: which part of what this is. So one array is
verified without a look at the others, and a whole file in a wrong place is found, too.
``numpy.load`` reads such a file like any other.
"""

import io
import struct
import zipfile
from collections.abc import Callable, Collection
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.store.archive import Arrays

T = TypeVar("T")

_HASH = 64
"""Characters of a SHA-256 in hexadecimal digits."""

_LENGTH_OF_COMMENT = 2
"""Bytes that stand before the comment of an archive, which is the last thing in it."""

_LENGTHS = 26
"""Where a member's header says how long its two last fields are."""

_UNIX = 3
"""Who made an archive, by its own account: else Windows would give other bytes."""


class MissingPartError(LookupError):
    """A part that nobody has computed yet is asked for."""


class DamagedPartError(ValueError):
    """A part's file is not as it was written, or was written somewhere else."""


class _Member(NamedTuple):
    name: str
    start: int
    stop: int
    hash: bytes


def packed(arrays: Arrays, origin: str) -> bytes:
    """Return the bytes of a file with these arrays, which have names and are no objects.

    Examples
    --------
    >>> whole = packed({"errors": np.array([0.5, 0.25])}, "a sweep, part 3")
    >>> unpacked(io.BytesIO(whole), "a sweep, part 3")
    {'errors': array([0.5 , 0.25])}
    >>> np.load(io.BytesIO(whole))["errors"]
    array([0.5 , 0.25])
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = _UNIX
            start = stream.tell()
            archive.writestr(info, _npy(name, array))
            stream.seek(start)
            info.comment = sha256(stream.read()).hexdigest().encode()
    directory = archive.start_dir
    whole = stream.getvalue()[:-_LENGTH_OF_COMMENT] + _HASH.to_bytes(_LENGTH_OF_COMMENT, "little")
    return whole + _seal(whole[directory:], origin)


def unpacked(stream: IO[bytes], origin: str, names: Collection[str] | None = None) -> Arrays:
    """Return the arrays of a file, or those with these names, verified; others are not read.

    Raises
    ------
    DamagedPartError
        If what is read isn't as :func:`packed` made it, or has another origin.
    KeyError
        If there is no array of a name.
    """
    members = {member.name: member for member in _members(stream, origin)}
    return {
        name: _array(_verified(stream, members[name]))
        for name in (members if names is None else names)
    }


def verify(stream: IO[bytes], origin: str) -> str:
    """Return the SHA-256 that stands at the end of a file, which covers all of it.

    Raises
    ------
    DamagedPartError
        If any bit of it isn't as :func:`packed` made it, or it has another origin.
    """
    for member in _members(stream, origin):
        _verified(stream, member)
    stream.seek(-_HASH, io.SEEK_END)
    return stream.read().decode()


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same values row by row and little-endian, whatever they are here."""
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def look(path: Path, origin: str, look_at: Callable[[IO[bytes], str], T]) -> T:
    """Open a file for :func:`unpacked` or :func:`verify`; their errors name it."""
    with open(path, "rb") as file:
        try:
            return look_at(file, origin)
        except DamagedPartError:
            raise DamagedPartError(
                f"{path} must be as fastgd has written it there, got a file that is damaged or "
                "from somewhere else"
            ) from None


def _npy(name: str, array: NDArray[Any]) -> bytes:
    """An array as a file."""
    if array.dtype.hasobject:
        raise ValueError(f"{name} must be an array of numbers or texts, got one of objects")
    stream = io.BytesIO()
    np.lib.format.write_array(stream, plain(array), allow_pickle=False)
    return stream.getvalue()


def _seal(directory: bytes, origin: str) -> bytes:
    return sha256(f"{origin}\n".encode() + directory).hexdigest().encode()


def _members(stream: IO[bytes], origin: str) -> list[_Member]:
    """What the directory says, which is as it was written."""
    try:
        with zipfile.ZipFile(stream) as archive:
            infos, directory = archive.infolist(), archive.start_dir
        stream.seek(directory)
        end = stream.read()
    except Exception as error:  # of damaged bytes zipfile raises what it likes
        raise DamagedPartError("no directory of an archive") from error
    stops = [*(info.header_offset for info in infos), directory]
    if end[-_HASH:] != _seal(end[:-_HASH], origin) or stops[0] != 0:
        raise DamagedPartError("another directory")
    return [
        _Member(info.filename.removesuffix(".npy"), start, stop, info.comment)
        for info, (start, stop) in zip(infos, pairwise(stops), strict=True)
    ]


def _verified(stream: IO[bytes], member: _Member) -> bytes:
    """All bytes of a member."""
    stream.seek(member.start)
    found = stream.read(member.stop - member.start)
    if sha256(found).hexdigest().encode() != member.hash:
        raise DamagedPartError(f"another array {member.name}")
    return found


def _array(member: bytes) -> NDArray[Any]:
    """The array of a member, which begins with a header that has a name and further fields."""
    name, fields = struct.unpack_from("<HH", member, _LENGTHS)
    stream = io.BytesIO(member)
    stream.seek(_LENGTHS + 4 + name + fields)
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array
