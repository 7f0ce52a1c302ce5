"""Where the results of chunks go: memory, or a folder that other processes may fill, too."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from fastgd.store import Arrays
from fastgd.store.chunk_file import MissingChunkError
from fastgd.store.folder import Folder

RENEWED_EVERY = 3.0
"""Seconds between renewals of leases, which expire after five times that."""

LOOKED_AT_EVERY = 0.5
"""Seconds between scans for chunks of other processes, while they hold all missing chunks."""


class InMemory:
    """Results in memory, which no other process sees."""

    def __init__(self, chunk_count: int) -> None:
        self.found: list[Arrays | None] = [None] * chunk_count
        self._left, self._next = chunk_count, iter(range(chunk_count))

    def take(self) -> int | None:
        """Return a chunk that has not been taken yet, or None."""
        return next(self._next, None)

    def keep(self, chunk: int, arrays: Arrays | None) -> bool:
        """Store the arrays of a chunk; False if there are none."""
        if arrays is not None:
            self._left -= self.found[chunk] is None
            self.found[chunk] = arrays
        return arrays is not None

    def tend(self) -> None:
        """Do nothing: there are no leases to renew."""

    def release(self) -> None:
        """Do nothing: there are no leases to give up."""

    @property
    def is_complete(self) -> bool:
        """Whether no chunk is missing."""
        return not self._left

    @property
    def summary(self) -> str:
        """The end of an error message: how many chunks are finished, and where they are."""
        done = len(self.found) - self._left
        return f"{done} of {len(self.found)} chunks were done, and are lost, as there is no folder"


class InFolder:
    """Results in a folder; ``found`` is called with chunks that other processes have written."""

    def __init__(self, folder: Folder, found: Callable[[list[int]], None]) -> None:
        self._folder, self._found = folder, found
        self._missing = np.ones(folder.chunk_count, bool)
        self._taken: set[int] = set()
        self._renewed = monotonic()
        self._look()

    def take(self) -> int | None:
        """Lease and return a chunk that nobody computes; None if there is none at the moment."""
        for chunk in self._ahead:
            if self._missing[chunk]:
                self._taken.add(chunk)  # before it is leased, so that Ctrl-C leaves no lease behind
                if self._folder.acquire(chunk):
                    return chunk
                self._taken.discard(chunk)
        if monotonic() >= self._look_at:
            self._look()
        return None

    def keep(self, chunk: int, arrays: Arrays | None) -> bool:
        """Write a chunk, or check that its worker has done so; False if it is missing."""
        if arrays is not None:
            self._folder.write(chunk, arrays)
        elif not self._folder.has(chunk):
            return False
        self._missing[chunk] = False
        self._taken.discard(chunk)
        self._folder.leases.release(chunk)
        return True

    def tend(self) -> None:
        """Renew the leases of taken chunks if it is time; to be called regularly."""
        if monotonic() - self._renewed >= RENEWED_EVERY:
            self._folder.leases.renew(self._taken)
            self._renewed = monotonic()

    def release(self) -> None:
        """Give up the leases of chunks that were taken but are not finished."""
        while self._taken:
            self._folder.leases.release(self._taken.pop())

    @property
    def is_complete(self) -> bool:
        """Whether no chunk is missing; the folder is scanned, as chunks may have been removed."""
        if not self._missing.any():
            self._look()
        if self._missing.any():
            return False
        if self._taken:  # their workers have written them, and nobody waits for the answers
            self._found(sorted(self._taken))
            self.release()
        return True

    @property
    def summary(self) -> str:
        """The end of an error message: how many chunks are finished, and where they are."""
        done = np.count_nonzero(self._folder.done())
        return (
            f"{done} of {self._folder.chunk_count} chunks are done, and kept in "
            f"{self._folder.path}: repeat the call, with a new executor if it has one, to resume"
        )

    def _look(self) -> None:
        """Scan for chunks of others; the longer the scan takes, the later is the next one.

        Chunks that were taken keep their leases, and are reported when their answers are there: a
        worker may have written one already.
        """
        begin = monotonic()
        missing, others = ~self._done(), np.ones(len(self._missing), bool)
        others[list(self._taken)] = False
        if found := np.flatnonzero(self._missing & ~missing & others).tolist():
            self._found(found)
        self._missing = missing
        self._ahead: Iterator[int] = iter(np.flatnonzero(missing & others).tolist())
        now = monotonic()
        self._look_at = now + max(LOOKED_AT_EVERY, 20 * (now - begin))

    def _done(self) -> NDArray[np.bool_]:
        """Return which chunks are finished."""
        return self._folder.done()


class InBoth(InFolder):
    """Results in a folder, each of which is also read into memory as soon as it is found.

    Nothing is lost if another process that has read all chunks removes the folder.
    """

    def __init__(self, folder: Folder, found: Callable[[list[int]], None]) -> None:
        self.read: list[Arrays | None] = [None] * folder.chunk_count
        super().__init__(folder, found)

    def keep(self, chunk: int, arrays: Arrays | None) -> bool:
        """Write a chunk, or check that its worker has done so, and keep its arrays in memory."""
        there = super().keep(chunk, arrays)
        if arrays is not None:
            self.read[chunk] = arrays
        elif there:
            self._read(chunk)
        return there

    def _done(self) -> NDArray[np.bool_]:
        for chunk in np.flatnonzero(super()._done()).tolist():
            self._read(chunk)
        return np.array([arrays is not None for arrays in self.read])

    def _read(self, chunk: int) -> None:
        if self.read[chunk] is None:
            with suppress(MissingChunkError):  # another process has just removed it
                self.read[chunk] = self._folder.read(chunk)
