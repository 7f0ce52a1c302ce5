"""A map on disk, tile by tile: what is done is never computed again, whatever ends the work.

A folder holds the settings of one map (``settings.json``) and an array for each tile that is done.
Each file is written under another name and renamed when it is whole, so a tile is there or not.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.messages import shown
from fastgd.training.files import UNFINISHED, whole_file

SETTINGS = "settings.json"

_PREFIX = "tile-"


class Tile(NamedTuple):
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


def tiles_of(resolution: int, side: int) -> list[Tile]:
    """All tiles of a square map, row by row: as few as fit, and as alike as can be."""
    parts = -(-resolution // side)
    ends = [part * resolution // parts for part in range(parts + 1)]
    sides = [slice(*pair) for pair in pairwise(ends)]
    return [Tile(rows, columns) for rows in sides for columns in sides]


def count_finished(path: Path) -> int:
    """How many tiles a folder holds, if it is there."""
    return sum(1 for _ in path.glob(f"{_PREFIX}*.npy"))


def remove(path: Path) -> None:
    """Remove what :class:`TileFolder` wrote, and the folder unless there is more in it."""
    for file in list(path.iterdir()):
        if file.name == SETTINGS or file.name.startswith((_PREFIX, UNFINISHED)):
            file.unlink()
    with suppress(OSError):
        path.rmdir()


class TileFolder:
    """The tiles of one map that are done.

    Parameters
    ----------
    path : path
        The folder; made if it isn't there.
    settings : mapping
        All that the numbers depend on, as JSON has it.

    Raises
    ------
    ValueError
        If the folder holds tiles of a map with other settings, or something else.
    OSError
        If the folder can't be made, read or written to.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.path.mkdir(exist_ok=True)
        wanted = json.loads(json.dumps(dict(settings)))
        try:
            text = (self.path / SETTINGS).read_text()
        except FileNotFoundError:
            if any(not name.startswith(UNFINISHED) for name in os.listdir(self.path)):
                raise ValueError(
                    f"{self.path} must be empty or hold the tiles of a map, got a folder with "
                    "other files"
                ) from None
            with whole_file(self.path / SETTINGS) as file:
                file.write(json.dumps(wanted, indent=1).encode())
            return
        _check_same(self.path, _parsed(text), wanted)

    def read(self, tile: Tile) -> NDArray[np.float64] | None:
        """The numbers of a tile, or None if it isn't done.

        Raises
        ------
        ValueError
            If its file isn't one that this class wrote.
        """
        path = self.path / _name(tile)
        try:
            with open(path, "rb") as file:
                values: NDArray[np.float64] = np.load(file, allow_pickle=False)
        except FileNotFoundError:
            return None
        except (EOFError, ValueError):
            values = np.empty(0)
        if not isinstance(values, np.ndarray) or values.shape != tile.shape:
            raise ValueError(f"{path} must be a tile that fastgd wrote: remove it")
        return values

    def write(self, tile: Tile, values: NDArray[np.float64]) -> None:
        """Put the numbers of a tile on disk, whole or not at all."""
        with whole_file(self.path / _name(tile)) as file:
            np.save(file, values)


def _name(tile: Tile) -> str:
    return f"{_PREFIX}{tile.rows.start:05}-{tile.columns.start:05}.npy"


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _check_same(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse the tiles of another map."""
    for name in (*wanted, *found):
        if name not in found or name not in wanted or found[name] != wanted[name]:
            raise ValueError(
                f"{path} must hold tiles of the same map, got one with {name} "
                f"{shown(found.get(name))} instead of {shown(wanted.get(name))}: "
                "remove it, or choose another folder"
            )
