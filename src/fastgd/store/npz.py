"""Files of arrays, ``.npz``: results with a JSON header, and chunks that show any changed bit."""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from math import prod
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import check_memory
from fastgd.store import Arrays, PathLike, plain
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


class ArrayHeader(NamedTuple):
    """Dtype and shape of an array, and the offset of its first byte."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int


def header_of(start: bytes, size: int) -> ArrayHeader:
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
    ArrayHeader(dtype=dtype('float64'), shape=(2, 3), begin=128)
    """
    stream = io.BytesIO(start)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("another version of the header")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in _KINDS or not dtype.itemsize or min(shape, default=0) < 0:
        raise ValueError(f"an array of {dtype} with the shape {shape}")
    if size != stream.tell() + dtype.itemsize * prod(shape):
        raise ValueError(f"another size than that of {dtype} with the shape {shape}")
    return ArrayHeader(dtype, shape, stream.tell())


class Stored:
    """A lazily read array of a file: its dtype and shape are known before its values are read.

    Its header is read when it is asked for, too: reading one takes 0.1 ms, and a file may have any
    number of arrays that no result has.
    """

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info

    @cached_property
    def _header(self) -> ArrayHeader:
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
            info.compress_type = zipfile.ZIP_DEFLATED
            is_long = array.dtype.kind == "U" and not array.ndim and array.nbytes > _TEXT
            if is_long and array.nbytes > (_TEXT_RATIO - 1) * len(zlib.compress(array.tobytes())):
                info.compress_type = zipfile.ZIP_STORED  # it would compress too well to be read
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


# ---------------------------------------------------------------- chunks
# A chunk is an ``.npz`` file in which every changed bit is detected. The same arrays give the same
# bytes on every machine. In the directory of the zip archive, the comment of each array has the
# offsets at which its bytes begin and end, and their SHA-256. After the directory, the comment of
# the archive has the offset of the directory, and the SHA-256 of the directory together with the
# chunk's *origin*, which says which chunk of which result this is. So one array can be read and
# verified without reading the others, and an intact file in the wrong place is detected, too.
# ``numpy.load`` reads such a file like any other.


_PLACE, _HASH = 16, 64
"""Digits of an offset in a file, and of a SHA-256."""

_END = _PLACE + _HASH
"""Bytes of the archive's comment, which is at the end of the file."""

_LENGTH_OF_COMMENT = 2
"""Bytes of the comment's length, which precedes the comment."""

_UNIX = 3
"""The system that the archive claims to come from; without it Windows would write other bytes."""

_ENTRY, _LENGTHS = b"PK\x01\x02", 28
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
            if array.dtype.hasobject:
                raise ValueError(
                    f"{name} must be an array of numbers or strings, got one of objects"
                )
            content, start = io.BytesIO(), stream.tell()
            np.lib.format.write_array(content, plain(array), allow_pickle=False)
            archive.writestr(info, content.getvalue())
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
    members = {member.name: member for member in _directory(stream, origin)}
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
    for member in _directory(stream, origin):
        _verified(stream, member)
    stream.seek(-_HASH, io.SEEK_END)
    return stream.read().decode()


def _seal(directory: bytes, origin: str) -> bytes:
    return sha256(f"{origin}\n".encode() + directory).hexdigest().encode()


def _directory(stream: IO[bytes], origin: str) -> list[_Member]:
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
    while directory.startswith(_ENTRY, at):
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
