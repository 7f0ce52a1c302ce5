"""Which runs go side by side in blocks, where not all of them learn from the same samples.

A run's bits do not depend on it; speed does. Runs of one part share its samples in a block. So do
the folds and weightings of a table, where a sample's weight of 0 is as good as its absence. Where
a part has too few runs to fill a block, each run has samples of its own there, padded to the most
in the block: runs are sorted by size, so that there is little to pad, and the largest may be better
off alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastgd.engine.packed_samples import Index, PackedSamples, Sharing
from fastgd.kernel.block import Recipe
from fastgd.kernel.vectorization import runs_side_by_side

FULL = 0.75
"""Share of the lanes that must be in use for runs of one part to have blocks of their own."""

GAIN = 3.5
"""So many times as fast are runs side by side as one after the other (3-4-1: 92 to 26 ns)."""


@dataclass(frozen=True, eq=False)
class RunBatch:
    """Runs that are trained by the same compiled code."""

    sharing: Sharing
    side_by_side: int
    size: int
    """The most samples that one of them learns from, with what is held out in a shared table."""

    held_size: int
    is_exact: bool
    """Whether a run multiplies no samples by 0 but its own of weight 0.

    Others, be they of a table or padding beside runs with more samples, change no bit of a run
    unless their numbers are infinite somewhere: 0 times that is NaN. Then it is trained again.
    """

    order: Index | None = None
    """The runs, in the order in which they go into blocks; None for all as they are numbered."""

    keys: Index | None = None
    """For each of these what it has in common with all the others of its block."""

    count: int = 0

    def runs(self, begin: int, end: int) -> Index:
        """The runs with these places in the order."""
        return np.arange(begin, end) if self.order is None else self.order[begin:end]

    def lanes(self, keys: Index | None, count: int, threads: int) -> Index:
        """Which of so many of its runs, with these keys, go into which lanes, (blocks, R)."""
        lanes = lanes_of(keys, count, self.side_by_side)
        if self.sharing is Sharing.ALL or threads == 1:
            return lanes
        return lanes[dealt(len(lanes), threads)]


def arrange(
    samples: PackedSamples,
    recipe: Recipe,
    runs: int,
    matrices: Sequence[tuple[int, int]],
    threads: int,
    side_by_side: int | None = None,
) -> list[RunBatch]:
    """Lots of all runs, of which each part has as many; the parts are the slowest axis."""
    size, held = int(samples.sizes.max()), samples.most_held
    wide = side_by_side or runs_side_by_side(runs, size, matrices, threads)
    if samples.partition is None:
        return [RunBatch(Sharing.ALL, wide, size, held, True, count=runs)]
    each = runs // samples.parts
    folds = "fold" in samples.partition.axes
    weighed = folds or "sample_weight" in samples.partition.axes
    in_step = recipe.batches.name != "all" or recipe.batch_norm is not None
    tables = len(samples.table_sizes)
    # Before a shared table: of that, 5 folds have a quarter more samples than each learns from.
    if _fill(each, wide) >= FULL or wide == 1:
        return [_by_part(samples, np.arange(runs), each, wide)]
    apart = folds and (in_step or recipe.features.dropout)
    if weighed and not apart and _fill(runs // tables, wide) >= FULL:
        return [_by_table(samples, each, wide, exact=not folds)]
    if in_step:
        return _by_size(samples, each, wide)
    return _by_run(samples, each, wide)


def alone(samples: PackedSamples, runs: Index, each: int) -> RunBatch:
    """These runs one by one, each as :func:`fastgd.train` would have it."""
    return _by_part(samples, runs, each, 1)


def _fill(count: int, wide: int) -> float:
    """Share of the lanes that so many runs use."""
    return count / (-(-count // wide) * wide)


def _by_table(samples: PackedSamples, each: int, wide: int, *, exact: bool) -> RunBatch:
    """The runs of a table share its samples."""
    order = np.argsort(-samples.table_sizes, kind="stable")
    of_table = len(samples.tables) // len(order) * each
    runs = (order[:, None] * of_table + np.arange(of_table)).ravel()
    return RunBatch(
        Sharing.TABLE,
        wide,
        int(samples.table_sizes.max()),
        int(max(samples.table_sizes.max(), samples.held_sizes.max())),
        exact,
        runs,
        samples.tables[runs // each],
        len(runs),
    )


def _by_part(samples: PackedSamples, runs: Index, each: int, wide: int) -> RunBatch:
    """The runs of a part share its samples."""
    parts = runs // each
    runs = runs[np.lexsort((runs, -samples.sizes[parts]))]
    return _own(samples, Sharing.PART, runs, each, wide, runs // each, exact=True)


def _by_size(samples: PackedSamples, each: int, wide: int) -> list[RunBatch]:
    """Each run has its own samples, in blocks of runs that have as many; the others alone."""
    runs = _by_descending_size(samples, each)
    sizes = samples.sizes[runs // each]
    counts = np.unique(-sizes, return_counts=True)[1]
    pays = np.repeat(counts >= wide / GAIN, counts)
    lots = []
    if pays.any():
        mine = runs[pays]
        lots.append(_own(samples, Sharing.NONE, mine, each, wide, sizes[pays], exact=True))
    if not pays.all():
        lots.append(_by_part(samples, runs[~pays], each, 1))
    return lots


def _by_run(samples: PackedSamples, each: int, wide: int) -> list[RunBatch]:
    """Each run has its own samples, padded to the most in its block; the largest alone."""
    runs = _by_descending_size(samples, each)
    sizes = samples.sizes[runs // each]
    apart = _largest_alone(sizes, wide)
    lots = []
    if apart:
        lots.append(_by_part(samples, runs[:apart], each, 1))
    if apart < len(runs):
        mine = runs[apart:]
        exact = bool(sizes[apart] == sizes[-1])
        lots.append(_own(samples, Sharing.NONE, mine, each, wide, None, exact=exact))
    return lots


def _by_descending_size(samples: PackedSamples, each: int) -> Index:
    parts = np.argsort(-samples.sizes, kind="stable")
    return (parts[:, None] * each + np.arange(each)).ravel()


def _largest_alone(sizes: Index, wide: int) -> int:
    """How many of the largest go alone, for the least work; sizes are sorted, largest first."""
    least, best = np.inf, 0
    alone_before = np.concatenate([[0], np.cumsum(sizes)])
    for apart in range(len(sizes) + 1):
        blocks = sizes[apart::wide]
        work = alone_before[apart] + blocks.sum() * wide / GAIN
        if work < least:
            least, best = work, apart
        elif apart > best + 2 * wide:
            break
    return best


def _own(
    samples: PackedSamples,
    sharing: Sharing,
    runs: Index,
    each: int,
    wide: int,
    keys: Index | None,
    *,
    exact: bool,
) -> RunBatch:
    parts = runs // each
    size, held = int(samples.sizes[parts].max()), int(samples.held_sizes[parts].max())
    return RunBatch(sharing, wide, size, held, exact, runs, keys, len(runs))


def lanes_of(keys: Index | None, count: int, wide: int) -> Index:
    """The place among ``count`` runs of what is in each lane, (blocks, R), in their order.

    Runs of different keys are in different blocks; a block is filled up with its last run.
    """
    if keys is None or not count:
        blocks = -(-count // wide)
        return np.minimum(np.arange(blocks * wide), count - 1).reshape(blocks, wide)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    within = np.arange(count) - np.repeat(starts, np.diff([*starts, count]))
    block = np.cumsum(within % wide == 0) - 1
    lanes = np.full(((int(block[-1]) + 1), wide), -1)
    lanes[block, within % wide] = np.arange(count)
    filled: Index = np.maximum.accumulate(lanes, axis=1)
    return filled


def dealt(blocks: int, threads: int) -> Index:
    """An order of blocks, largest first, in which each thread's share is as much work.

    The threads take neighbouring blocks, as many each.
    """
    return np.concatenate([np.arange(thread, blocks, threads) for thread in range(threads)])
