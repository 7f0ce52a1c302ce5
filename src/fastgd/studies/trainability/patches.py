"""Division of a map into patches, each of which is computed and stored separately.

It depends on the map's settings, not on the machine.
"""

from itertools import pairwise
from math import ceil, sqrt
from typing import NamedTuple

MOST = 32
"""Pixels along a patch's side, at most: 2 batches of trainings (128: no faster)."""

FEW = 8
"""In a small map at most this many, unless it has as many patches along a side."""


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


def side_of(resolution: int, pixels: int) -> int:
    """Return the pixels along a patch's side, given the number of pixels that are enough work.

    Examples
    --------
    >>> side_of(512, 300), side_of(512, 10**6), side_of(64, 300), side_of(512, 1)
    (18, 32, 8, 1)
    """
    return min(ceil(sqrt(pixels)), MOST, max(FEW, resolution // FEW))


def patches_of(resolution: int, side: int) -> tuple[Patch, ...]:
    """Return all patches of a square map, row by row: as few as fit, of nearly equal size."""
    parts = -(-resolution // side)
    ends = [part * resolution // parts for part in range(parts + 1)]
    sides = [slice(*pair) for pair in pairwise(ends)]
    return tuple(Patch(rows, columns) for rows in sides for columns in sides)
