"""How a map is cut into patches, each of which is computed and stored by itself.

Where the cuts are depends on the map's settings and not on the machine.
"""

from itertools import pairwise
from math import ceil, sqrt
from typing import NamedTuple

MOST = 32
"""Pixels of a patch's side, at most: 2 waves of trainings (128: no faster)."""

FEW = 8
"""But no more than this in a small map, unless it has so many patches along a side."""


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
    """Pixels of a patch's side, where so many are enough work.

    Examples
    --------
    >>> side_of(512, 300), side_of(512, 10**6), side_of(64, 300), side_of(512, 1)
    (18, 32, 8, 1)
    """
    return min(ceil(sqrt(pixels)), MOST, max(FEW, resolution // FEW))


def patches_of(resolution: int, side: int) -> tuple[Patch, ...]:
    """All patches of a square map, row by row: as few as fit, and as alike as can be."""
    parts = -(-resolution // side)
    ends = [part * resolution // parts for part in range(parts + 1)]
    sides = [slice(*pair) for pair in pairwise(ends)]
    return tuple(Patch(rows, columns) for rows in sides for columns in sides)
