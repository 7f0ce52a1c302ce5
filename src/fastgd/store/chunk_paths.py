"""Paths of the chunk files in a folder: 1,000 files per subfolder."""

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
"""Name of the directory that has the subfolders."""

_NAME = re.compile(r"[0-9]{8}\.npz")
_IN_A_SUBFOLDER = 1000


class ChunkPaths(NamedTuple):
    """The paths of all chunks of one result.

    Attributes
    ----------
    root : Path
        The folder of the result.
    id : str
        Hash of all that the result depends on: the checksum of each file covers it.
    chunk_count : int
        Number of chunks, computed or not.
    """

    root: Path
    id: str
    chunk_count: int

    def file(self, chunk: int) -> Path:
        """The path of a chunk, whether it exists or not."""
        if not 0 <= chunk < self.chunk_count:
            raise IndexError(f"chunk must be 0 to {self.chunk_count - 1}, got {chunk}")
        return self.root.joinpath(CHUNKS, f"{chunk // _IN_A_SUBFOLDER:05}", f"{chunk:08}.npz")

    def origin(self, chunk: int) -> str:
        """The origin of a chunk, which its checksum covers."""
        return f"{self.id}/{chunk}"

    def done(self) -> NDArray[np.bool_]:
        """Return which chunks have a file, (chunk_count,); reads only the names of files."""
        there = np.zeros(self.chunk_count, bool)
        there[list(self._found())] = True
        return there

    def _found(self) -> Iterator[int]:
        for first in range(0, self.chunk_count, _IN_A_SUBFOLDER):
            end = min(first + _IN_A_SUBFOLDER, self.chunk_count)
            self.has(first)  # raises if the subfolder is a link to another place
            with suppress(FileNotFoundError), os.scandir(self.file(first).parent) as entries:
                for entry in entries:
                    if _NAME.fullmatch(entry.name):
                        chunk = int(entry.name[:8])
                        if first <= chunk < end and (
                            entry.is_file(follow_symlinks=False) or self.has(chunk)
                        ):
                            yield chunk

    def has(self, chunk: int) -> bool:
        """Whether a chunk has a file; raises if something else has its name."""
        return is_file(self.file(chunk), self.root)

    def look(self, chunk: int, look_at: Callable[[IO[bytes], str], T]) -> T:
        """Call a function of :mod:`fastgd.store.chunk_file` on the file of a chunk."""
        path = self.file(chunk)
        try:
            return chunk_file.look(path, self.root, self.origin(chunk), look_at)
        except FileNotFoundError:
            raise MissingChunkError(
                f"{path} does not exist: its chunk has not been computed yet"
            ) from None

    def is_corrupt(self, chunk: int) -> bool:
        """Whether the chunk has a file that has changed since it was written."""
        try:
            self.look(chunk, chunk_file.verify)
        except CorruptChunkError:
            return True
        except MissingChunkError:
            pass
        return False
