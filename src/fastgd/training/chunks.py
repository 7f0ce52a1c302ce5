"""How the runs of a sweep are cut into chunks, each of which is computed and stored by itself.

Where the cuts are depends on what was asked for and not on the machine, so that a folder of chunks
that one machine has begun and others have finished is the same as one from a single machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.engine.network import Network
from fastgd.engine.packed_samples import Index

CHUNK_SECONDS = 4.0
"""What a chunk takes on one thread, about ..."""

WIDE = 8
"""... unless fewer runs than this would do, which can't fill the lanes of a processor ..."""

LONGEST_SECONDS = 30.0
"""... as long as they take no more than this."""

CHUNK_BYTES = 32 * 1024**2
"""Results of a chunk, at most, unless a single run has more."""

RATE = 2e10
"""Operations of a thread per second, about: a multiply-add counts as two."""


def seconds_of(network: Network, samples: float, iterations: int) -> float:
    """What a run takes on one thread of some processor, about.

    Forward, backward and the gradient take a multiply-add for each weight and sample; a unit's
    activation and its slope some 20 operations; an update some nanoseconds beside these.
    """
    units = sum(network.sizes[1:])
    operations = samples * (6 * network.parameters + 20 * units)
    return iterations * (operations / RATE + 2e-9)


def runs_per_chunk(seconds: float, size: int) -> int:
    """Runs in a chunk, if one takes so many seconds, and its results so many bytes."""
    runs = int(CHUNK_SECONDS / seconds)
    if runs < WIDE:
        runs = min(WIDE, int(LONGEST_SECONDS / seconds))
    return max(1, min(runs, CHUNK_BYTES // size))


@dataclass(frozen=True)
class Chunks:
    """The runs of one network, cut along their axes into boxes of neighbours.

    Whole axes at the end, pieces of the one in front of them, single values of those before: so
    the runs of a chunk are one behind the other, too.

    Examples
    --------
    >>> chunks = Chunks.of((2, 5, 10), 25)
    >>> chunks.pieces, chunks.count, chunks.box(4)
    ((2, 3, 1), 6, (slice(1, 2, None), slice(1, 3, None), slice(0, 10, None)))
    >>> chunks.runs(4), chunks.find(np.array([0, 59, 60, 79])).tolist()
    (slice(60, 80, None), [0, 3, 4, 4])
    """

    shape: tuple[int, ...]
    """Lengths of the axes."""
    pieces: tuple[int, ...]
    """Into how many pieces each of them is cut."""

    @classmethod
    def of(cls, shape: tuple[int, ...], runs: int) -> "Chunks":
        """As few as can be with at most so many runs, and as alike."""
        pieces: list[int] = []
        for length in reversed(shape):
            pieces.insert(0, -(-length // runs))
            runs = max(1, runs // length)
        return cls(shape, tuple(pieces))

    @property
    def count(self) -> int:
        """How many chunks there are."""
        return prod(self.pieces)

    @property
    def lengths(self) -> tuple[tuple[int, ...], ...]:
        """Of the pieces of each axis, as Dask calls its chunks."""
        return tuple(
            tuple(after - before for before, after in pairwise(_ends(length, pieces)))
            for length, pieces in zip(self.shape, self.pieces, strict=True)
        )

    @property
    def sizes(self) -> list[int]:
        """How many runs each chunk has."""
        return [place.stop - place.start for place in map(self.runs, range(self.count))]

    def box(self, chunk: int) -> tuple[slice, ...]:
        """Where a chunk is on each axis."""
        slices: list[slice] = []
        for length, pieces in zip(reversed(self.shape), reversed(self.pieces), strict=True):
            chunk, piece = divmod(chunk, pieces)
            slices.insert(0, slice(piece * length // pieces, (piece + 1) * length // pieces))
        return tuple(slices)

    def runs(self, chunk: int) -> slice:
        """The numbers of its runs, the last axis fastest."""
        box, first = self.box(chunk), 0
        for place, length in zip(box, self.shape, strict=True):
            first = first * length + place.start
        return slice(first, first + prod(place.stop - place.start for place in box))

    def find(self, runs: Index) -> Index:
        """The chunk of each run."""
        chunk = np.zeros(len(runs), np.int64)
        for length, pieces, stride in zip(self.shape, self.pieces, self._strides, strict=True):
            place = runs // stride % length
            chunk = chunk * pieces + ((place + 1) * pieces - 1) // length
        return chunk

    @cached_property
    def _strides(self) -> tuple[int, ...]:
        return tuple(prod(self.shape[axis + 1 :]) for axis in range(len(self.shape)))


def end_to_end(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """(runs, ...) arrays of neighbours as one.

    Adaptive sampling keeps numbers of each sample, of which a chunk may have fewer than another:
    these get zeros at the end.
    """
    if len({array.shape[1:] for array in arrays}) > 1:
        width = max(array.shape[1] for array in arrays)
        arrays = [np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in arrays]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _ends(length: int, pieces: int) -> list[int]:
    return [piece * length // pieces for piece in range(pieces + 1)]
