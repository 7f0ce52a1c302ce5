"""The bytes of a chunk: an ``.npz`` file in which no bit changes unnoticed.

The same arrays give the same bytes on every machine. In the directory of the zip archive, as a
comment on each array, stands where its bytes begin and end and what their SHA-256 is; after the
directory, as the comment on the archive, where the directory begins and the SHA-256 of it together
with the chunk's *origin*: which chunk of what this is. So one array is read and verified without a
look at the others, and a whole file in a wrong place is found, too. ``numpy.load`` reads such a
file like any other.
"""

import io
import struct
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.memory import check_memory
from fastgd.store.entries import open_inside
from fastgd.store.npy import START, header_of
from fastgd.store.npz import DIRECTORY, Arrays

T = TypeVar("T")

_PLACE, _HASH = 16, 64
"""Digits of a place in a file, and of a SHA-256."""

_END = _PLACE + _HASH
"""Bytes of the comment on the archive, the last thing in it."""

_LENGTH_OF_COMMENT = 2
"""Bytes that stand before it and say so."""

_UNIX = 3
"""Who made an archive, by its own account: else Windows would give other bytes."""

_HEADER, _LENGTHS = b"PK\x01\x02", 28
"""How an entry of the directory begins, and where it says how long its three last fields are."""

_FIELDS = 46
"""Where they begin: name, further fields, comment."""

_MEMBER_LENGTHS, _MEMBER_FIELDS = 26, 30
"""Likewise before the bytes of an array: name and further fields."""


class MissingChunkError(LookupError):
    """A chunk that nobody has computed yet is asked for."""


class CorruptChunkError(ValueError):
    """A chunk's file is not as it was written, or was written somewhere else."""


class _Member(NamedTuple):
    name: str
    start: int
    stop: int
    hash: bytes


def packed(arrays: Arrays, origin: str) -> bytes:
    """Return the bytes of a file with these arrays, which have names and are no objects.

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
    """Return the arrays of a file, or those with these names, verified; others are not read.

    Raises
    ------
    CorruptChunkError
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
    CorruptChunkError
        If any bit of it isn't as :func:`packed` made it, or it has another origin.
    """
    for member in _members(stream, origin):
        _verified(stream, member)
    stream.seek(-_HASH, io.SEEK_END)
    return stream.read().decode()


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same values row by row and little-endian, whatever they are here."""
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def look(path: Path, root: Path, origin: str, look_at: Callable[[IO[bytes], str], T]) -> T:
    """Open a file of a folder for :func:`unpacked` or :func:`verify`; their errors name it."""
    with open_inside(path, root) as file:
        try:
            return look_at(file, origin)
        except (CorruptChunkError, OSError) as error:  # a disk may fail to read what is open
            raise CorruptChunkError(
                f"{path} must be as fastgd has written it there, got a file that is damaged or "
                "from somewhere else: the call that made the folder, given again, mends it"
            ) from error


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
    """The members in a directory, which begins at this place of the file."""
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
    """Report as damaged what has the right checksums, but was not written by :func:`packed`."""
    try:
        yield
    except (struct.error, ValueError) as error:
        raise CorruptChunkError("a forged chunk") from error


def _verified(stream: IO[bytes], member: _Member) -> bytes:
    """All bytes of a member, which are as they were written."""
    check_memory(member.stop - member.start, str(getattr(stream, "name", "the chunk")))
    stream.seek(member.start)
    found = stream.read(member.stop - member.start)
    if sha256(found).hexdigest().encode() != member.hash:
        raise CorruptChunkError(f"another array {member.name}")
    return found


def _array(member: bytes) -> NDArray[Any]:
    """The array of a member, which begins with a header that has a name and further fields."""
    with _not_forged():
        name, fields = struct.unpack_from("<2H", member, _MEMBER_LENGTHS)
        begin = _MEMBER_FIELDS + name + fields
        header = header_of(member[begin : begin + START], len(member) - begin)
        # Half of the time that NumPy takes, which would parse the header once more.
        return np.ndarray(header.shape, header.dtype, member, begin + header.begin).copy()
