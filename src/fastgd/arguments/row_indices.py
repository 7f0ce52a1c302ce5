"""Row numbers of many parts of a table, kept as one array."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowIndices:
    """Row numbers of many parts of a table, one behind the other."""

    values: Integers  # (total,)
    starts: Integers  # (parts + 1,)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i: int) -> Integers:
        i = range(len(self))[i]
        return self.values[self.starts[i] : self.starts[i + 1]]

    def __iter__(self) -> Iterator[Integers]:
        return map(self.__getitem__, range(len(self)))

    @property
    def sizes(self) -> Integers:
        """How many rows each part has, (parts,)."""
        return np.diff(self.starts)


def rows_of(values: Integers, sizes: Integers) -> RowIndices:
    """Cut values into parts of these sizes."""
    return RowIndices(values, np.append(0, np.cumsum(sizes, dtype=np.int64)))


def joined(parts: Sequence[Integers]) -> RowIndices:
    """Put parts one behind the other."""
    return rows_of(np.concatenate(parts), np.array([len(part) for part in parts]))


def ranges(starts: Integers, sizes: Integers) -> Integers:
    """Return start, start + 1, ..., size of them, for each start, one behind the other."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(sizes.sum())
