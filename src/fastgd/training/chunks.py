"""How the runs of a sweep are cut into chunks, each of which is computed and stored by itself.

The cuts depend on the arguments and not on the machine, so that a folder that one machine has begun
and others have finished equals the folder of a single machine.
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
from fastgd.engine.packing import Index

CHUNK_SECONDS = 4.0
"""Approximate duration of a chunk on one thread."""

WIDE = 8
"""Minimum runs of a chunk, as fewer can't fill the SIMD lanes of a processor ..."""

LONGEST_SECONDS = 30.0
"""... unless these would take longer than this."""

CHUNK_BYTES = 32 * 1024**2
"""Maximum size of a chunk's results, unless a single run has more."""

RATE = 2e10
"""Approximate operations per second of a thread; a multiply-add counts as two."""


def seconds_of(network: Network, samples: float, iterations: int) -> float:
    """Estimate the duration of a run on one thread of a typical processor.

    The forward pass, the backward pass and the gradient each take a multiply-add per weight and
    sample, a unit's activation and its derivative about 20 operations, and an update a few
    nanoseconds in addition.
    """
    units = sum(network.sizes[1:])
    operations = samples * (6 * network.parameters + 20 * units)
    return iterations * (operations / RATE + 2e-9)


def runs_per_chunk(seconds: float, size: int) -> int:
    """Number of runs in a chunk, for runs of ``seconds`` each with results of ``size`` bytes."""
    runs = int(CHUNK_SECONDS / seconds)
    if runs < WIDE:
        runs = min(WIDE, int(LONGEST_SECONDS / seconds))
    return max(1, min(runs, CHUNK_BYTES // size))


@dataclass(frozen=True)
class Chunks:
    """The runs of one network, cut along their axes into boxes of neighboring values.

    A box has the last axes whole, a piece of the axis in front of them, and single values of the
    axes before. So the indices of a chunk's runs are contiguous, too.

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
    """Number of pieces that each axis is cut into."""

    @classmethod
    def of(cls, shape: tuple[int, ...], runs: int) -> "Chunks":
        """Cut into as few chunks as possible, of similar size, with at most ``runs`` runs each."""
        pieces: list[int] = []
        for length in reversed(shape):
            pieces.insert(0, -(-length // runs))
            runs = max(1, runs // length)
        return cls(shape, tuple(pieces))

    @property
    def count(self) -> int:
        """Number of chunks."""
        return prod(self.pieces)

    @property
    def lengths(self) -> tuple[tuple[int, ...], ...]:
        """Lengths of the pieces of each axis, in the form of Dask's ``chunks``."""
        return tuple(
            tuple(after - before for before, after in pairwise(_ends(length, pieces)))
            for length, pieces in zip(self.shape, self.pieces, strict=True)
        )

    @property
    def sizes(self) -> list[int]:
        """Number of runs in each chunk."""
        return [place.stop - place.start for place in map(self.runs, range(self.count))]

    def box(self, chunk: int) -> tuple[slice, ...]:
        """The slice of each axis that a chunk covers."""
        slices: list[slice] = []
        for length, pieces in zip(reversed(self.shape), reversed(self.pieces), strict=True):
            chunk, piece = divmod(chunk, pieces)
            slices.insert(0, slice(piece * length // pieces, (piece + 1) * length // pieces))
        return tuple(slices)

    def runs(self, chunk: int) -> slice:
        """The indices of a chunk's runs, the last axis fastest."""
        box, first = self.box(chunk), 0
        for place, length in zip(box, self.shape, strict=True):
            first = first * length + place.start
        return slice(first, first + prod(place.stop - place.start for place in box))

    def find(self, runs: Index) -> Index:
        """The chunk that each run is in."""
        chunk = np.zeros(len(runs), np.int64)
        for length, pieces, stride in zip(self.shape, self.pieces, self._strides, strict=True):
            place = runs // stride % length
            chunk = chunk * pieces + ((place + 1) * pieces - 1) // length
        return chunk

    @cached_property
    def _strides(self) -> tuple[int, ...]:
        return tuple(prod(self.shape[axis + 1 :]) for axis in range(len(self.shape)))


def end_to_end(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate (runs, ...) arrays of neighboring chunks.

    Adaptive sampling keeps a value per sample, and chunks may differ in their number of samples:
    shorter rows are padded with zeros.
    """
    if len({array.shape[1:] for array in arrays}) > 1:
        width = max(array.shape[1] for array in arrays)
        arrays = [np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in arrays]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _ends(length: int, pieces: int) -> list[int]:
    return [piece * length // pieces for piece in range(pieces + 1)]
