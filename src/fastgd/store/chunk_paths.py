"""The files of a folder's parts: a thousand in each subfolder."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.store import chunk_file
from fastgd.store.chunk_file import DamagedPartError, MissingPartError
from fastgd.store.entries import is_file

T = TypeVar("T")

PARTS = "parts"
"""The folder that has the subfolders."""

_NAME = re.compile(r"[0-9]{8}\.npz")
_IN_A_SUBFOLDER = 1000


class ChunkPaths(NamedTuple):
    """Where parts lie that answer one question.

    Attributes
    ----------
    root : Path
        The folder of the result.
    id : str
        A hash of the question: it is in the checksum of each file.
    parts : int
        How many there will be.
    """

    root: Path
    id: str
    parts: int

    def file(self, part: int) -> Path:
        """Where a part lies, or will lie."""
        if not 0 <= part < self.parts:
            raise IndexError(f"part must be 0 to {self.parts - 1}, got {part}")
        return self.root.joinpath(PARTS, f"{part // _IN_A_SUBFOLDER:05}", f"{part:08}.npz")

    def origin(self, part: int) -> str:
        """Which part of what a file is."""
        return f"{self.id}/{part}"

    def done(self) -> NDArray[np.bool_]:
        """Which parts have a file: from the names alone."""
        there = np.zeros(self.parts, bool)
        there[list(self._found())] = True
        return there

    def _found(self) -> Iterator[int]:
        for first in range(0, self.parts, _IN_A_SUBFOLDER):
            end = min(first + _IN_A_SUBFOLDER, self.parts)
            self.has(first)  # refuses what leads elsewhere
            with suppress(FileNotFoundError), os.scandir(self.file(first).parent) as entries:
                for entry in entries:
                    if _NAME.fullmatch(entry.name):
                        part = int(entry.name[:8])
                        if first <= part < end and (
                            entry.is_file(follow_symlinks=False) or self.has(part)
                        ):
                            yield part

    def has(self, part: int) -> bool:
        """Whether a part has a file; refuses whatever else is in its place."""
        return is_file(self.file(part), self.root)

    def look(self, part: int, look_at: Callable[[IO[bytes], str], T]) -> T:
        """Open the file of a part, for what :mod:`fastgd.store.chunk_file` does with it."""
        path = self.file(part)
        try:
            return chunk_file.look(path, self.root, self.origin(part), look_at)
        except FileNotFoundError:
            raise MissingPartError(f"{path} is not there: its part is not done yet") from None

    def is_damaged(self, part: int) -> bool:
        """Whether there is a file that is not as it was written."""
        try:
            self.look(part, chunk_file.verify)
        except DamagedPartError:
            return True
        except MissingPartError:
            pass
        return False
