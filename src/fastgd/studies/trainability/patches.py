"""A map on disk, patch by patch: what is done is never computed again, whatever ends the work.

A folder holds the settings of one map (``settings.json``) and an array for each patch that is done.
Each file is written under another name and renamed when it is whole, so a patch is there or not.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.messages import shown
from fastgd.store.files import UNFINISHED, whole_file

SETTINGS = "settings.json"

_PREFIX = "patch-"

_TRIES = 10


class Patch(NamedTuple):
    """A rectangle of a map."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    @property
    def size(self) -> int:
        """Pixels."""
        rows, columns = self.shape
        return rows * columns


def patches_of(resolution: int, side: int) -> list[Patch]:
    """All patches of a square map, row by row: as few as fit, and as alike as can be."""
    parts = -(-resolution // side)
    ends = [part * resolution // parts for part in range(parts + 1)]
    sides = [slice(*pair) for pair in pairwise(ends)]
    return [Patch(rows, columns) for rows in sides for columns in sides]


def count_finished(path: Path) -> int:
    """How many patches a folder holds, if it is there."""
    return sum(name.startswith(_PREFIX) and name.endswith(".npy") for name in _names(path))


def remove(path: Path) -> None:
    """Remove what :class:`PatchFolder` wrote, and the folder unless there is more in it.

    Another process may be at it, or still write: it has its folder back when it does.
    """
    patches = [name for name in _names(path) if name.startswith((_PREFIX, UNFINISHED))]
    for name in (*patches, SETTINGS):
        (path / name).unlink(missing_ok=True)
    with suppress(OSError):
        path.rmdir()


class PatchFolder:
    """The patches of one map that are done.

    Parameters
    ----------
    path : path
        The folder; made if it isn't there.
    settings : mapping
        All that the numbers depend on, as JSON has it.

    Raises
    ------
    ValueError
        If the folder holds patches of a map with other settings, or something else.
    OSError
        If the folder can't be made, read or written to.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._settings = json.loads(json.dumps(dict(settings)))
        _again(self._claim)

    def _claim(self, ours: tuple[str, ...] = (UNFINISHED,)) -> None:
        """Make the folder, with these settings, if there is none; refuse that of another map."""
        self.path.mkdir(exist_ok=True)
        try:
            text = (self.path / SETTINGS).read_text()
        except FileNotFoundError:
            names = os.listdir(self.path)
            if SETTINGS in names:  # another process has just written them: look again
                raise
            if any(not name.startswith(ours) for name in names):
                raise ValueError(
                    f"{self.path} must be empty or hold the patches of a map, got a folder with "
                    "other files"
                ) from None
            with whole_file(self.path / SETTINGS) as file:
                file.write(json.dumps(self._settings, indent=1).encode())
            return
        _check_same(self.path, _parsed(text), self._settings)

    def read(self, patch: Patch) -> NDArray[np.float64] | None:
        """The numbers of a patch, or None if it isn't done.

        Raises
        ------
        ValueError
            If its file isn't one that this class wrote.
        """
        path = self.path / _name(patch)
        try:
            with open(path, "rb") as file:
                values: NDArray[np.float64] = np.load(file, allow_pickle=False)
        except FileNotFoundError:
            return None
        except (EOFError, ValueError):
            values = np.empty(0)
        if not isinstance(values, np.ndarray) or values.shape != patch.shape:
            raise ValueError(f"{path} must be a patch that fastgd wrote: remove it")
        return values

    def write(self, patch: Patch, values: NDArray[np.float64]) -> None:
        """Put the numbers of a patch on disk, whole or not at all."""

        def put() -> None:
            self._claim((UNFINISHED, _PREFIX))
            with whole_file(self.path / _name(patch)) as file:
                np.save(file, values)

        _again(put)


def _again(work: Callable[[], None]) -> None:
    """Do it, and again if another process that has the whole map removed the folder meanwhile."""
    for _ in range(_TRIES - 1):
        with suppress(FileNotFoundError):
            return work()
    return work()


def _names(path: Path) -> list[str]:
    """The files of a folder, none if it isn't there."""
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []


def _name(patch: Patch) -> str:
    return f"{_PREFIX}{patch.rows.start:05}-{patch.columns.start:05}.npy"


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _check_same(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse the patches of another map."""
    for name in (*wanted, *found):
        if name not in found or name not in wanted or found[name] != wanted[name]:
            raise ValueError(
                f"{path} must hold patches of the same map, got one with {name} "
                f"{shown(found.get(name))} instead of {shown(wanted.get(name))}: "
                "remove it, or choose another folder"
            )
