"""A result on disk, chunk by chunk, which any number of processes may fill at once.

Each chunk is a file that is there whole or not at all. What is in it depends on the question only,
so it doesn't matter who computes it, how often, and what ended the work before.

::

    manifest.json            the question, and what is good to know of the answer
    shared.npz               arrays that were part of the question
    parts/00012/00012345.npz
    claims/00012346          who works on what; gone when all is done
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
        """Make a folder for the answer to a question, or take the one that is there.

        Parameters
        ----------
        path : path
            The folder; it may be there, empty or with chunks of the same answer.
        kind : str
            What it is.
        asked, facts : dict
            All that its numbers depend on, and what follows from it; JSON must hold both.
        arrays : dict of arrays
            What the numbers depend on, too.
        chunk_count : int
            How many chunks there will be.
        expiry : float
            Seconds after which a lease that isn't renewed is anybody's, if its owner may be alive.

        Raises
        ------
        ValueError
            If there is something else in the folder; the message says what differs. Or if there
            would be too many chunks.
        OSError
            If the folder can't be made, read or written to.
        """
        manifest = manifest_of(kind, asked, facts, arrays, chunk_count)
        place = Directory(Path(path).absolute(), manifest, arrays)
        place.settle()
        return cls(place, expiry)

    @classmethod
    def open(cls, path: PathLike, *, expiry: float = EXPIRY) -> "Folder":
        """Return the folder that is there.

        Raises
        ------
        ValueError
            If it isn't one that :meth:`create` made, or its manifest is damaged.
        OSError
            If it can't be read.
        """
        return cls(Directory.at(Path(path).absolute()), expiry)

    @property
    def expiry(self) -> float:
        """Seconds after which a lease that isn't renewed is anybody's."""
        return self._leases.expiry

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._place.path

    @property
    def kind(self) -> str:
        """What it is: a sweep, a map, ..."""
        return self._place.manifest.kind

    @property
    def asked(self) -> dict[str, Any]:
        """What it answers; sequences are tuples."""
        return self._place.manifest.asked

    @property
    def facts(self) -> dict[str, Any]:
        """What is good to know of it; sequences are tuples."""
        return self._place.manifest.facts

    @property
    def chunk_count(self) -> int:
        """How many chunks it has, done or not."""
        return self._place.manifest.chunk_count

    @property
    def id(self) -> str:
        """A hash of all that its chunks depend on: equal for folders with the same chunks."""
        return self._place.manifest.id

    @property
    def arrays(self) -> Arrays:
        """Arrays that were part of the question, read when they are first asked for.

        Raises
        ------
        CorruptChunkError
            If their file is damaged.
        OSError
            If it can't be read.
        """
        return self._place.arrays()

    def __repr__(self) -> str:
        return f"<Folder {str(self.path)!r}: {self.kind} of {self.chunk_count} chunks>"

    def done(self) -> NDArray[np.bool_]:
        """Return which chunks have a file, damaged or not."""
        return self._place.paths.done()

    def has(self, chunk: int) -> bool:
        """Whether a chunk has a file, damaged or not."""
        return self._place.paths.has(chunk)

    def read(self, chunk: int, names: Collection[str] | None = None) -> Arrays:
        """Return the arrays of a chunk, or those with these names, verified; others are not read.

        Raises
        ------
        MissingChunkError
            If the chunk isn't done.
        CorruptChunkError
            If what is read isn't as it was written.
        KeyError
            If there is no array of a name.
        """
        return self._place.paths.look(
            chunk, lambda file, origin: chunk_file.unpacked(file, origin, names)
        )

    def verify(self, chunk: int) -> str:
        """Return the hash of a chunk, all of which is looked at.

        Raises
        ------
        MissingChunkError, CorruptChunkError
            As :meth:`read` does.
        """
        return self._place.paths.look(chunk, chunk_file.verify)

    def damaged(self, chunks: Iterable[int] | None = None) -> list[int]:
        """Return which chunks have a damaged file, of all or of these; each is looked at."""
        looked_at = np.flatnonzero(self.done()).tolist() if chunks is None else chunks
        return [chunk for chunk in looked_at if self._place.paths.is_corrupt(chunk)]

    def digest(self) -> str:
        """Return the hash of the result: SHA-256 of the hashes of all chunks, each verified.

        Raises
        ------
        MissingChunkError, CorruptChunkError
            If there is no whole result.
        """
        whole = sha256()
        for chunk in range(self.chunk_count):
            whole.update(self.verify(chunk).encode())
        return whole.hexdigest()

    def write(self, chunk: int, arrays: Arrays) -> None:
        """Put the arrays of a chunk on disk, whole or not at all.

        If the folder was removed meanwhile it is made again.

        Raises
        ------
        ValueError
            If there is another one in its place.
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
            # Windows replaces no file that another process has open: it may have written the same.
            if not self.has(chunk) or self._place.paths.is_corrupt(chunk):
                raise

    def discard(self, chunk: int) -> None:
        """Remove the file of a chunk if it is damaged: another process may have replaced it."""
        if self._place.paths.is_corrupt(chunk):
            self._file(chunk).unlink(missing_ok=True)

    def acquire(self, chunk: int) -> bool:
        """Whether the chunk is to be done, and from now on by who asks.

        It isn't if it has a file, or if another one is at it who is alive.
        """
        if self.has(chunk) or not self._leases.acquire(chunk):
            return False
        if self.has(chunk):  # another one has just done it
            self.release(chunk)
            return False
        return True

    def renew(self, chunks: Iterable[int]) -> None:
        """Say that one is still at these chunks, which were leased."""
        self._leases.renew(chunks)

    def release(self, chunk: int) -> None:
        """Give a lease back: the chunk is done, or won't be."""
        self._leases.release(chunk)

    def tidy(self) -> None:
        """Remove what work leaves behind: leases, and half-written files of who was killed.

        That is for when all chunks are done; a process that still writes one does so again.
        """
        with suppress(OSError):
            for folder, _, names in os.walk(self.path):
                for name in names:
                    if name.startswith(UNFINISHED) or Path(folder) == self._leases.path:
                        Path(folder, name).unlink(missing_ok=True)
            self._leases.path.rmdir()

    def _file(self, chunk: int) -> Path:
        return self._place.paths.file(chunk)
