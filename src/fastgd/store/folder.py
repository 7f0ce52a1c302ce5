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
from collections.abc import Collection, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.store import chunk_file
from fastgd.store.directory import LEASES, Directory
from fastgd.store.entries import put
from fastgd.store.files import UNFINISHED, PathLike, again
from fastgd.store.leases import EXPIRY, Leases
from fastgd.store.manifest import manifest_of
from fastgd.store.npz import Arrays


class Folder:
    """A result on disk: :meth:`create` or :meth:`open` it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as path:
    ...     folder = Folder.create(path, "squares", {"of": [1, 2, 3]}, {}, {}, chunk_count=3)
    ...     folder.write(1, {"square": np.array(4)})
    ...     folder.done(), Folder.open(path).read(1)
    (array([False,  True, False]), {'square': array(4)})
    """

    def __init__(self, place: Directory, expiry: float) -> None:
        self._place = place
        self._leases = Leases(place.path / LEASES, expiry)

    @classmethod
    def create(
        cls,
        path: PathLike,
        kind: str,
        asked: dict[str, Any],
        facts: dict[str, Any],
        arrays: Arrays,
        chunk_count: int,
        *,
        expiry: float = EXPIRY,
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
        expiry : float
            Seconds without renewal after which a lease may be taken over, if its owner may still
            be alive.

        Raises
        ------
        ValueError
            If the folder holds something else (the message says what differs), or if there would
            be too many chunks.
        OSError
            If the folder can't be created, read or written to.
        """
        manifest = manifest_of(kind, asked, facts, arrays, chunk_count)
        place = Directory(Path(path).absolute(), manifest, arrays)
        place.settle()
        return cls(place, expiry)

    @classmethod
    def open(cls, path: PathLike, *, expiry: float = EXPIRY) -> "Folder":
        """Open an existing folder.

        Raises
        ------
        ValueError
            If it isn't one that :meth:`create` made, or its manifest is corrupt.
        OSError
            If it can't be read.
        """
        return cls(Directory.at(Path(path).absolute()), expiry)

    @property
    def expiry(self) -> float:
        """Seconds without renewal after which a lease may be taken over."""
        return self._leases.expiry

    @property
    def path(self) -> Path:
        """The absolute path of the folder."""
        return self._place.path

    @property
    def kind(self) -> str:
        """What the result is: a sweep, a map, ..."""
        return self._place.manifest.kind

    @property
    def asked(self) -> dict[str, Any]:
        """The arguments that the chunks depend on; sequences are tuples."""
        return self._place.manifest.asked

    @property
    def facts(self) -> dict[str, Any]:
        """What follows from the arguments; sequences are tuples."""
        return self._place.manifest.facts

    @property
    def chunk_count(self) -> int:
        """Number of chunks, computed or not."""
        return self._place.manifest.chunk_count

    @property
    def id(self) -> str:
        """A hash of all that its chunks depend on: equal for folders with the same chunks."""
        return self._place.manifest.id

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
        return self._place.arrays()

    def __repr__(self) -> str:
        return f"<Folder {str(self.path)!r}: {self.kind} of {self.chunk_count} chunks>"

    def done(self) -> NDArray[np.bool_]:
        """Return which chunks have a file, corrupt or not: (chunk_count,) array of bool."""
        return self._place.paths.done()

    def has(self, chunk: int) -> bool:
        """Whether a chunk has a file, corrupt or not."""
        return self._place.paths.has(chunk)

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
        return self._place.paths.look(
            chunk, lambda file, origin: chunk_file.unpacked(file, origin, names)
        )

    def verify(self, chunk: int) -> str:
        """Read and verify all of a chunk, and return its hash.

        Raises
        ------
        MissingChunkError, CorruptChunkError
            As :meth:`read` does.
        """
        return self._place.paths.look(chunk, chunk_file.verify)

    def damaged(self, chunks: Iterable[int] | None = None) -> list[int]:
        """Return which chunks, of all or of these, have a corrupt file; each is read in full."""
        checked = np.flatnonzero(self.done()).tolist() if chunks is None else chunks
        return [chunk for chunk in checked if self._place.paths.is_corrupt(chunk)]

    def digest(self) -> str:
        """Return the hash of the result: SHA-256 of the hashes of all chunks, each verified.

        Raises
        ------
        MissingChunkError, CorruptChunkError
            If the result is incomplete, or a chunk is corrupt.
        """
        whole = sha256()
        for chunk in range(self.chunk_count):
            whole.update(self.verify(chunk).encode())
        return whole.hexdigest()

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
        whole = chunk_file.packed(arrays, self._place.paths.origin(chunk))

        def try_once() -> None:
            self._place.stay()
            put(path, whole, self.path)

        try:
            again(try_once)
        except PermissionError:
            # Windows can't replace a file that another process has open, but that process may have
            # written the same chunk.
            if not self.has(chunk) or self._place.paths.is_corrupt(chunk):
                raise

    def discard(self, chunk: int) -> None:
        """Remove a chunk's file if it is still corrupt: another process may have replaced it."""
        if self._place.paths.is_corrupt(chunk):
            self._file(chunk).unlink(missing_ok=True)

    def acquire(self, chunk: int) -> bool:
        """Try to lease a chunk: True if it is missing, and the caller is to compute it.

        False if the chunk has a file, or if another live process holds its lease.
        """
        if self.has(chunk) or not self._leases.acquire(chunk):
            return False
        if self.has(chunk):  # another process has just finished it
            self.release(chunk)
            return False
        return True

    def renew(self, chunks: Iterable[int]) -> None:
        """Renew the leases of chunks that are still being computed."""
        self._leases.renew(chunks)

    def release(self, chunk: int) -> None:
        """Give up a lease, because the chunk is finished or won't be computed."""
        self._leases.release(chunk)

    def tidy(self) -> None:
        """Remove leftovers: leases, and half-written files of killed processes.

        Call it when all chunks are done. A process that is still writing one writes it again.
        """
        with suppress(OSError):
            for folder, _, names in os.walk(self.path):
                for name in names:
                    if name.startswith(UNFINISHED) or Path(folder) == self._leases.path:
                        Path(folder, name).unlink(missing_ok=True)
            self._leases.path.rmdir()

    def _file(self, chunk: int) -> Path:
        return self._place.paths.file(chunk)
