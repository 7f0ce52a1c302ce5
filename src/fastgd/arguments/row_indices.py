"""Row numbers of many subsets of a table, stored in one array."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowIndices:
    """Row numbers of many subsets of a table, concatenated."""

    values: Integers  # (total,)
    starts: Integers  # (subsets + 1,)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i: int) -> Integers:
        i = range(len(self))[i]
        return self.values[self.starts[i] : self.starts[i + 1]]

    def __iter__(self) -> Iterator[Integers]:
        return map(self.__getitem__, range(len(self)))

    @property
    def sizes(self) -> Integers:
        """The number of rows of each subset, (subsets,)."""
        return np.diff(self.starts)


def rows_of(values: Integers, sizes: Integers) -> RowIndices:
    """Split values into subsets of these sizes."""
    return RowIndices(values, np.append(0, np.cumsum(sizes, dtype=np.int64)))


def joined(parts: Sequence[Integers]) -> RowIndices:
    """Concatenate subsets."""
    return rows_of(np.concatenate(parts), np.array([len(part) for part in parts]))


def ranges(starts: Integers, sizes: Integers) -> Integers:
    """Return start, start + 1, ..., start + size - 1 for each start and size, concatenated."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(sizes.sum())
