"""A result on disk in chunks, which any number of processes may compute at the same time.

Each chunk is a file that exists completely or not at all. Its content depends only on the arguments
of the call, so it doesn't matter which process computes it, how often, or how an earlier process
ended.

::

    manifest.json            the arguments, and facts that follow from them
    shared.npz               arrays among the arguments
    parts/00012/00012345.npz the chunks
    claims/00012346          leases: which process computes which chunk; removed at the end
"""

import os
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from errno import ENOENT
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown, warn
from fastgd.store import Arrays, PathLike
from fastgd.store.files import UNFINISHED, ForeignEntryError, Leases, again, is_file, open_file, put
from fastgd.store.manifest import Manifest, manifest_of, parsed
from fastgd.store.npz import CorruptChunkError, MissingChunkError, packed, unpacked, verify

T = TypeVar("T")

MANIFEST = "manifest.json"
SHARED = "shared.npz"
CHUNKS = "parts"
LEASES = "claims"

_IN_A_SUBFOLDER = 1000
"""Chunks in each subfolder."""

_NAME = re.compile(r"([0-9]{8})\.npz")

_MOST = 2**28
"""Maximum bytes of a manifest: one with a million combinations has a third of that."""


class DamageWarning(UserWarning):
    """Something on disk was corrupt, and is computed or written again."""


class Folder:
    """A result on disk: :meth:`create` or :meth:`open` it.

    Attributes
    ----------
    path : Path
        Its absolute path.
    manifest : Manifest
        What the result depends on, and its number of chunks.
    leases : Leases
        The leases of this process on chunks: see :meth:`acquire`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as path:
    ...     folder = Folder.create(path, "squares", {"of": [1, 2, 3]}, {}, {}, chunk_count=3)
    ...     folder.write(1, {"square": np.array(4)})
    ...     folder.done(), Folder.open(path).read(1)
    (array([False,  True, False]), {'square': array(4)})
    """

    def __init__(self, path: Path, manifest: Manifest, arrays: Arrays | None = None) -> None:
        self.path = path
        self.manifest = manifest
        self.leases = Leases(path / LEASES)
        self._arrays = arrays
        self._stamp: tuple[int, ...] = ()

    @classmethod
    def create(
        cls,
        path: PathLike,
        kind: str,
        asked: dict[str, Any],
        facts: dict[str, Any],
        arrays: Arrays,
        chunk_count: int,
    ) -> "Folder":
        """Create the folder of a result, or open it if it exists.

        Parameters
        ----------
        path : path
            The folder; it may exist if it is empty or holds chunks of the same result.
        kind : str
            What the result is, such as "sweep".
        asked, facts : dict
            All that the chunks depend on, and what follows from it; both must be JSON values.
        arrays : dict of arrays
            Arrays that the chunks depend on, too.
        chunk_count : int
            Number of chunks.

        Raises
        ------
        ValueError
            If the folder holds something else (the message says what differs), or if there would
            be too many chunks.
        OSError
            If the folder can't be created, read or written to.
        """
        manifest = manifest_of(kind, asked, facts, arrays, chunk_count)
        folder = cls(Path(path).absolute(), manifest, arrays)
        again(folder._settle)
        return folder

    @classmethod
    def open(cls, path: PathLike) -> "Folder":
        """Open an existing folder.

        Raises
        ------
        ValueError
            If it isn't one that :meth:`create` made, or its manifest is corrupt.
        OSError
            If it can't be read.
        """
        path = Path(path).absolute()
        try:
            return cls(path, _manifest_at(path))
        except FileNotFoundError:
            if not path.is_dir():
                raise
            raise ValueError(
                f"{path} must be a folder that fastgd has written, got one without {MANIFEST}"
            ) from None

    @property
    def chunk_count(self) -> int:
        """Number of chunks, computed or not."""
        return self.manifest.chunk_count

    @property
    def arrays(self) -> Arrays:
        """The arrays among the arguments, read at the first access.

        Raises
        ------
        CorruptChunkError
            If their file is corrupt.
        OSError
            If it can't be read.
        """
        if self._arrays is None:
            self._arrays = self._look(SHARED, unpacked) if self.manifest.shared else {}
        return self._arrays

    def __repr__(self) -> str:
        return f"<Folder {str(self.path)!r}: {self.manifest.kind} of {self.chunk_count} chunks>"

    def done(self) -> NDArray[np.bool_]:
        """Return which chunks have a file, corrupt or not: (chunk_count,) array of bool."""
        there = np.zeros(self.chunk_count, bool)
        for first in range(0, self.chunk_count, _IN_A_SUBFOLDER):
            end = min(first + _IN_A_SUBFOLDER, self.chunk_count)
            self.has(first)  # raises if the subfolder is a link to another place
            with suppress(FileNotFoundError), os.scandir(self._file(first).parent) as entries:
                for entry in entries:  # only their names are read
                    name = _NAME.fullmatch(entry.name)
                    chunk = int(name[1]) if name else -1
                    if first <= chunk < end:
                        there[chunk] = entry.is_file(follow_symlinks=False) or self.has(chunk)
        return there

    def has(self, chunk: int) -> bool:
        """Whether a chunk has a file, corrupt or not; raises if something else has its name."""
        return is_file(self._file(chunk), self.path)

    def read(self, chunk: int, names: Collection[str] | None = None) -> Arrays:
        """Return all arrays of a chunk, or only ``names``, verified; other arrays are not read.

        Raises
        ------
        MissingChunkError
            If the chunk hasn't been computed.
        CorruptChunkError
            If what is read has changed since it was written.
        KeyError
            If the chunk has no array of that name.
        """
        return self._look(chunk, lambda file, origin: unpacked(file, origin, names))

    def verify(self, chunk: int) -> str:
        """Read and verify all of a chunk, and return its hash; raises as :meth:`read`."""
        return self._look(chunk, verify)

    def damaged(self) -> list[int]:
        """Return which chunks have a corrupt file; each file is read in full."""
        return [chunk for chunk in np.flatnonzero(self.done()).tolist() if self._is_corrupt(chunk)]

    def digest(self) -> str:
        """Return SHA-256 of the hashes of all chunks, each verified; raises as :meth:`read`."""
        hashes = map(self.verify, range(self.chunk_count))
        return sha256("".join(hashes).encode()).hexdigest()

    def write(self, chunk: int, arrays: Arrays) -> None:
        """Write the arrays of a chunk to disk atomically.

        If the folder was removed meanwhile, it is created again.

        Raises
        ------
        ValueError
            If another folder has taken its place.
        OSError
            If it can't be written; the message names the file.
        """
        path = self._file(chunk)
        whole = packed(arrays, self._origin(chunk))

        def try_once() -> None:
            try:
                is_settled = self._stamp == _stamp(self.path / MANIFEST)
            except FileNotFoundError:  # the folder was removed
                is_settled = False
            if not is_settled:
                self._settle()
            put(path, whole, self.path)

        try:
            again(try_once)
        except PermissionError:
            # Windows can't replace a file that another process has open, but that process may have
            # written the same chunk.
            if not self.has(chunk) or self._is_corrupt(chunk):
                raise

    def discard(self, chunk: int) -> None:
        """Remove a chunk's file if it is still corrupt: another process may have replaced it."""
        if self._is_corrupt(chunk):
            self._file(chunk).unlink(missing_ok=True)

    def acquire(self, chunk: int) -> bool:
        """Try to lease a chunk: True if it is missing, and the caller is to compute it.

        False if the chunk has a file, or if another live process holds its lease.
        """
        if self.has(chunk) or not self.leases.acquire(chunk):
            return False
        if self.has(chunk):  # another process has just finished it
            self.leases.release(chunk)
            return False
        return True

    def tidy(self) -> None:
        """Remove leftovers: leases, and half-written files of killed processes.

        Call it when all chunks are done. A process that is still writing one writes it again.
        """
        with suppress(OSError):
            for folder, _, names in os.walk(self.path):
                for name in names:
                    if name.startswith(UNFINISHED) or Path(folder) == self.leases.path:
                        Path(folder, name).unlink(missing_ok=True)
            self.leases.path.rmdir()

    def _file(self, chunk: int) -> Path:
        """The path of a chunk, whether it exists or not."""
        if not 0 <= chunk < self.chunk_count:
            raise IndexError(f"chunk must be 0 to {self.chunk_count - 1}, got {chunk}")
        return self.path / CHUNKS / f"{chunk // _IN_A_SUBFOLDER:05}" / f"{chunk:08}.npz"

    def _origin(self, file: int | str) -> str:
        """The origin of a chunk or of the shared arrays, which the file's checksum covers."""
        return f"{self.manifest.id}/{file}"

    def _look(self, file: int | str, look_at: Callable[[IO[bytes], str], T]) -> T:
        """Call a function on the file of a chunk or the shared arrays; errors name the file."""
        path = self.path / file if isinstance(file, str) else self._file(file)
        try:
            stream = open_file(path, self.path)
        except FileNotFoundError:
            if file == SHARED:
                raise
            raise MissingChunkError(
                f"{path} does not exist: its chunk has not been computed yet"
            ) from None
        with stream:
            try:
                return look_at(stream, self._origin(file))
            except (CorruptChunkError, OSError) as error:  # reading an open file may fail, too
                raise CorruptChunkError(
                    f"{path} must be as fastgd has written it there, got a file that is corrupt or "
                    "from another place: repeat the call that made the folder to repair it"
                ) from error

    def _is_corrupt(self, chunk: int) -> bool:
        """Whether the chunk has a file that has changed since it was written."""
        try:
            self.verify(chunk)
        except CorruptChunkError:
            return True
        except MissingChunkError:
            pass
        return False

    def _settle(self) -> None:
        """Make sure that the folder exists and holds this result; create it if necessary."""
        try:
            found = self._found() or self._begun(None)
        except ForeignEntryError:
            raise
        except ValueError as error:
            found = self._begun(error)
        if found.id != self.manifest.id:
            raise ValueError(
                f"{self._must_be_the_same()}, got one with "
                f"{found.differences(self.manifest)}: remove it, or choose another folder"
            )
        self.manifest = found
        self._keep_shared()
        self._stamp = _stamp(self.path / MANIFEST)

    def _found(self) -> Manifest | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            return _manifest_at(self.path)
        return None

    def _begun(self, trouble: ValueError | None) -> Manifest:
        """Write a missing or corrupt manifest, if the folder has nothing but files of ours.

        Another process may do so at the same time: the manifest that is there in the end counts.
        """
        path = self.path / MANIFEST
        if self.manifest.shared and self._arrays is None:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            foreign = _foreign(self.path)
        except (FileExistsError, NotADirectoryError):
            raise ValueError(f"{self.path} must be a folder, got a file") from None
        if foreign:
            raise trouble or ValueError(
                f"{self.path} must be empty or a folder that fastgd has written, got one with "
                f"{shown(foreign[0])}"
            )
        done = np.flatnonzero(self.done()).tolist()
        if not trouble and (found := self._found()):
            return found
        if all(map(self._is_corrupt, done)) and (trouble or done):
            raise trouble or ValueError(
                f"{self._must_be_the_same()}, got chunks of something else without {MANIFEST}: "
                "remove it, or choose another folder"
            )
        if done:
            warn(f"{path} was corrupt or missing: written again", DamageWarning)
        self._keep_shared()
        put(path, self.manifest.text(), self.path)
        return _manifest_at(self.path)

    def _must_be_the_same(self) -> str:
        return f"{self.path} must be empty or hold the same {self.manifest.kind}"

    def _keep_shared(self) -> None:
        """Write the arrays that the result depends on, unless an intact file has them."""
        if not self.manifest.shared or self._arrays is None:
            return
        path = self.path / SHARED
        try:
            self._look(SHARED, verify)
        except FileNotFoundError:
            pass
        except CorruptChunkError:
            warn(f"{path} was corrupt: written again", DamageWarning)
        else:
            return
        put(path, packed(self._arrays, self._origin(SHARED)), self.path)


def remove(path: Path) -> None:
    """Remove all that fastgd wrote into a folder, and the folder unless it has other files.

    A process that still works on the folder creates it again for its further chunks.
    """
    with suppress(FileNotFoundError):
        foreign = _foreign(path)
        goes = not foreign and not path.is_symlink()
        if goes:  # renamed first, so that nobody sees a half-removed folder
            path = path.rename(path.with_name(f"{UNFINISHED}{path.name}-{token_hex(4)}"))
        for name in set(os.listdir(path)) - set(foreign):
            if (path / name).is_dir() and not (path / name).is_symlink():
                shutil.rmtree(path / name)
            else:
                (path / name).unlink(missing_ok=True)
        if goes:
            path.rmdir()


def _foreign(path: Path) -> list[str]:
    """Names in a folder that fastgd doesn't use."""
    names = set(os.listdir(path)) - {MANIFEST, SHARED, CHUNKS, LEASES}
    return sorted(name for name in names if not name.startswith(UNFINISHED))


def _manifest_at(folder: Path) -> Manifest:
    path = folder / MANIFEST
    with open_file(path, folder) as file:
        text = file.read() if os.fstat(file.fileno()).st_size <= _MOST else b""
    try:
        return parsed(text)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes whenever the file is replaced by another one."""
    found = path.lstat()
    return found.st_ino, found.st_mtime_ns, found.st_size
