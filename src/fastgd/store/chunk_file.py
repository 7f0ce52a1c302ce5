"""The file format of a chunk: an ``.npz`` file in which every changed bit is detected.

The same arrays give the same bytes on every machine. In the directory of the zip archive, the
comment of each array has the offsets at which its bytes begin and end, and their SHA-256. After the
directory, the comment of the archive has the offset of the directory, and the SHA-256 of the
directory together with the chunk's *origin*, which says which chunk of which result this is. So one
array can be read and verified without reading the others, and an intact file in the wrong place is
detected, too. ``numpy.load`` reads such a file like any other.
"""

import io
import struct
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import check_memory
from fastgd.store import Arrays, plain
from fastgd.store.npz import DIRECTORY, START, header_of

_PLACE, _HASH = 16, 64
"""Digits of an offset in a file, and of a SHA-256."""

_END = _PLACE + _HASH
"""Bytes of the archive's comment, which is at the end of the file."""

_LENGTH_OF_COMMENT = 2
"""Bytes of the comment's length, which precedes the comment."""

_UNIX = 3
"""The system that the archive claims to come from; without it Windows would write other bytes."""

_HEADER, _LENGTHS = b"PK\x01\x02", 28
"""Signature of a directory entry, and the offset of the lengths of its last three fields."""

_FIELDS = 46
"""Offset of these fields in the entry: name, extra fields, comment."""

_MEMBER_LENGTHS, _MEMBER_FIELDS = 26, 30
"""The same offsets in the header in front of an array's bytes: name and extra fields."""


class MissingChunkError(LookupError):
    """The requested chunk hasn't been computed yet."""


class CorruptChunkError(ValueError):
    """A chunk's file has changed since it was written, or belongs to another place."""


class _Member(NamedTuple):
    name: str
    start: int
    stop: int
    hash: bytes


def packed(arrays: Arrays, origin: str) -> bytes:
    """Return the bytes of a file with these arrays; arrays of Python objects are rejected.

    Examples
    --------
    >>> whole = packed({"errors": np.array([0.5, 0.25])}, "a sweep, chunk 3")
    >>> unpacked(io.BytesIO(whole), "a sweep, chunk 3")
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
            stop = stream.tell()
            stream.seek(start)
            info.comment = f"{start} {stop} {sha256(stream.read()).hexdigest()}".encode()
    place = archive.start_dir
    whole = stream.getvalue()[:-_LENGTH_OF_COMMENT] + _END.to_bytes(_LENGTH_OF_COMMENT, "little")
    whole += f"{place:0{_PLACE}}".encode()
    return whole + _seal(whole[place:], origin)


def unpacked(stream: IO[bytes], origin: str, names: Collection[str] | None = None) -> Arrays:
    """Return all arrays of a file, or only ``names``, verified; other arrays are not read.

    Raises
    ------
    CorruptChunkError
        If what is read differs from what :func:`packed` wrote, or has another origin.
    KeyError
        If the file has no array of that name.
    """
    members = {member.name: member for member in _members(stream, origin)}
    return {
        name: _array(_verified(stream, members[name]))
        for name in (members if names is None else names)
    }


def verify(stream: IO[bytes], origin: str) -> str:
    """Verify a whole file, and return the SHA-256 at its end, which covers all of it.

    Raises
    ------
    CorruptChunkError
        If any bit differs from what :func:`packed` wrote, or the file has another origin.
    """
    for member in _members(stream, origin):
        _verified(stream, member)
    stream.seek(-_HASH, io.SEEK_END)
    return stream.read().decode()


def _npy(name: str, array: NDArray[Any]) -> bytes:
    """The bytes of an ``.npy`` file."""
    if array.dtype.hasobject:
        raise ValueError(f"{name} must be an array of numbers or strings, got one of objects")
    stream = io.BytesIO()
    np.lib.format.write_array(stream, plain(array), allow_pickle=False)
    return stream.getvalue()


def _seal(directory: bytes, origin: str) -> bytes:
    return sha256(f"{origin}\n".encode() + directory).hexdigest().encode()


def _members(stream: IO[bytes], origin: str) -> list[_Member]:
    """The entries of the verified directory."""
    try:
        end = stream.seek(-_END, io.SEEK_END)
        place = stream.seek(int(stream.read(_PLACE)))
        found = stream.read() if end - place <= DIRECTORY else b""
    except (OSError, ValueError) as error:
        raise CorruptChunkError("no directory") from error
    directory, seal = found[:-_HASH], found[-_HASH:]
    if seal != _seal(directory, origin):
        raise CorruptChunkError("another directory")
    with _not_forged():
        return list(_entries(directory, place))


def _entries(directory: bytes, place: int) -> Iterator[_Member]:
    """The entries of a directory that begins at this offset of the file."""
    at = 0
    while directory.startswith(_HEADER, at):
        name, fields, comment = struct.unpack_from("<3H", directory, at + _LENGTHS)
        name_end = at + _FIELDS + name
        at = name_end + fields + comment
        start, stop, content = directory[at - comment : at].split()
        if not 0 <= int(start) <= int(stop) <= place:
            raise ValueError("bytes that are not there")
        file_name = directory[name_end - name : name_end].decode()
        yield _Member(file_name.removesuffix(".npy"), int(start), int(stop), content)


@contextmanager
def _not_forged() -> Iterator[None]:
    """Report content as corrupt that has valid checksums but wasn't written by :func:`packed`."""
    try:
        yield
    except (struct.error, ValueError) as error:
        raise CorruptChunkError("a forged chunk") from error


def _verified(stream: IO[bytes], member: _Member) -> bytes:
    """The bytes of a member, verified."""
    check_memory(member.stop - member.start, str(getattr(stream, "name", "the chunk")))
    stream.seek(member.start)
    found = stream.read(member.stop - member.start)
    if sha256(found).hexdigest().encode() != member.hash:
        raise CorruptChunkError(f"another array {member.name}")
    return found


def _array(member: bytes) -> NDArray[Any]:
    """The array of a member, whose bytes begin with a zip header."""
    with _not_forged():
        name, fields = struct.unpack_from("<2H", member, _MEMBER_LENGTHS)
        begin = _MEMBER_FIELDS + name + fields
        header = header_of(member[begin : begin + START], len(member) - begin)
        # Takes half as long as NumPy's reader, which would parse the header a second time.
        return np.ndarray(header.shape, header.dtype, member, begin + header.begin).copy()
