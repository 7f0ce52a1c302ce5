"""Where chunks come from and go to: memory, or a folder that other processes fill, too."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from fastgd.store.chunk_file import MissingChunkError
from fastgd.store.folder import Folder
from fastgd.store.npz import Arrays

RENEWED_EVERY = 3.0
"""Seconds from one sign of life to the next; claims last five times as long."""

LOOKED_AT_EVERY = 0.5
"""Seconds from one look at what others have done to the next, while all that is left is theirs."""


class InMemory:
    """Chunks in memory, of which nobody else knows."""

    def __init__(self, chunk_count: int) -> None:
        self.found: list[Arrays | None] = [None] * chunk_count
        self._left, self._next = chunk_count, iter(range(chunk_count))

    def take(self) -> int | None:
        """A chunk that nobody is at, if there is one at the moment."""
        return next(self._next, None)

    def keep(self, chunk: int, arrays: Arrays | None) -> bool:
        """Keep a chunk; returns whether it is there."""
        if arrays is not None:
            self._left -= self.found[chunk] is None
            self.found[chunk] = arrays
        return arrays is not None

    def tend(self) -> None:
        """Nobody waits for a sign of life."""

    def release(self) -> None:
        """Nobody else wants what was taken."""

    @property
    def is_complete(self) -> bool:
        """Whether no chunk is missing."""
        return not self._left

    @property
    def summary(self) -> str:
        """How much is done, and where it is."""
        done = len(self.found) - self._left
        return f"{done} of {len(self.found)} chunks were done, and are lost, as there is no folder"


class InFolder:
    """Chunks in a folder; ``found`` is told which ones others have done, as they are seen there."""

    def __init__(self, folder: Folder, found: Callable[[list[int]], None]) -> None:
        self._folder, self._found = folder, found
        self._missing = np.ones(folder.chunk_count, bool)
        self._taken: set[int] = set()
        self._renewed = monotonic()
        self._look()

    def take(self) -> int | None:
        """A chunk that nobody is at, if there is one at the moment; it is leased."""
        for chunk in self._ahead:
            if self._missing[chunk]:
                self._taken.add(chunk)  # before it is leased: Ctrl-C leaves no lease behind
                if self._folder.acquire(chunk):
                    return chunk
                self._taken.discard(chunk)
        if monotonic() >= self._look_at:
            self._look()
        return None

    def keep(self, chunk: int, arrays: Arrays | None) -> bool:
        """Write a chunk, or see that its worker has done so; returns whether it is there."""
        if arrays is not None:
            self._folder.write(chunk, arrays)
        elif not self._folder.has(chunk):
            return False
        self._missing[chunk] = False
        self._taken.discard(chunk)
        self._folder.release(chunk)
        return True

    def tend(self) -> None:
        """Show that the chunks that were taken are in hand; to be called now and then."""
        if monotonic() - self._renewed >= RENEWED_EVERY:
            self._folder.renew(self._taken)
            self._renewed = monotonic()

    def release(self) -> None:
        """Let others have the chunks that were taken and are not done."""
        while self._taken:
            self._folder.release(self._taken.pop())

    @property
    def is_complete(self) -> bool:
        """Whether no chunk is missing, even if someone has removed some."""
        if not self._missing.any():
            self._look()
        return not self._missing.any()

    @property
    def summary(self) -> str:
        """How much is done, and where it is."""
        done = np.count_nonzero(self._folder.done())
        return (
            f"{done} of {self._folder.chunk_count} chunks are done, and kept in {self._folder.path}: "
            "the same call, with a new executor if there is one, goes on from there"
        )

    def _look(self) -> None:
        """See what is done, by whomever; a scan of many files has a longer pause behind it."""
        begin = monotonic()
        done = self._done()
        if found := np.flatnonzero(self._missing & done).tolist():
            self._found(found)
        self._missing = ~done
        self._ahead: Iterator[int] = iter(np.flatnonzero(self._missing).tolist())
        now = monotonic()
        self._look_at = now + max(LOOKED_AT_EVERY, 20 * (now - begin))

    def _done(self) -> NDArray[np.bool_]:
        """Which chunks are not missing, or not any more."""
        return self._folder.done()


class InBoth(InFolder):
    """Chunks in a folder, each of which is read as soon as it is seen there.

    Nothing of it is lost if somebody who has all chunks removes the folder.
    """

    def __init__(self, folder: Folder, found: Callable[[list[int]], None]) -> None:
        self.read: list[Arrays | None] = [None] * folder.chunk_count
        super().__init__(folder, found)

    def keep(self, chunk: int, arrays: Arrays | None) -> bool:
        """Write a chunk, or see that its worker has done so, and read it."""
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
            with suppress(MissingChunkError):  # somebody has just removed it: it is missing again
                self.read[chunk] = self._folder.read(chunk)
