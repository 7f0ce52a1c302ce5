"""The files of a folder's chunks: a thousand in each subfolder."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.store import chunk_file
from fastgd.store.chunk_file import CorruptChunkError, MissingChunkError
from fastgd.store.entries import is_file

T = TypeVar("T")

CHUNKS = "parts"
"""The folder that has the subfolders."""

_NAME = re.compile(r"[0-9]{8}\.npz")
_IN_A_SUBFOLDER = 1000


class ChunkPaths(NamedTuple):
    """Where chunks lie that answer one question.

    Attributes
    ----------
    root : Path
        The folder of the result.
    id : str
        A hash of the question: it is in the checksum of each file.
    chunk_count : int
        How many there will be.
    """

    root: Path
    id: str
    chunk_count: int

    def file(self, chunk: int) -> Path:
        """Where a chunk lies, or will lie."""
        if not 0 <= chunk < self.chunk_count:
            raise IndexError(f"chunk must be 0 to {self.chunk_count - 1}, got {chunk}")
        return self.root.joinpath(CHUNKS, f"{chunk // _IN_A_SUBFOLDER:05}", f"{chunk:08}.npz")

    def origin(self, chunk: int) -> str:
        """Which chunk of what a file is."""
        return f"{self.id}/{chunk}"

    def done(self) -> NDArray[np.bool_]:
        """Which chunks have a file: from the names alone."""
        there = np.zeros(self.chunk_count, bool)
        there[list(self._found())] = True
        return there

    def _found(self) -> Iterator[int]:
        for first in range(0, self.chunk_count, _IN_A_SUBFOLDER):
            end = min(first + _IN_A_SUBFOLDER, self.chunk_count)
            self.has(first)  # refuses what leads elsewhere
            with suppress(FileNotFoundError), os.scandir(self.file(first).parent) as entries:
                for entry in entries:
                    if _NAME.fullmatch(entry.name):
                        chunk = int(entry.name[:8])
                        if first <= chunk < end and (
                            entry.is_file(follow_symlinks=False) or self.has(chunk)
                        ):
                            yield chunk

    def has(self, chunk: int) -> bool:
        """Whether a chunk has a file; refuses whatever else is in its place."""
        return is_file(self.file(chunk), self.root)

    def look(self, chunk: int, look_at: Callable[[IO[bytes], str], T]) -> T:
        """Open the file of a chunk, for what :mod:`fastgd.store.chunk_file` does with it."""
        path = self.file(chunk)
        try:
            return chunk_file.look(path, self.root, self.origin(chunk), look_at)
        except FileNotFoundError:
            raise MissingChunkError(f"{path} is not there: its chunk is not done yet") from None

    def is_corrupt(self, chunk: int) -> bool:
        """Whether there is a file that is not as it was written."""
        try:
            self.look(chunk, chunk_file.verify)
        except CorruptChunkError:
            return True
        except MissingChunkError:
            pass
        return False
