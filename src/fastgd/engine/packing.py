"""Which runs share a block, if not all of them train on the same samples.

This never changes a run's bits, only the speed. Runs of one part share its samples in a block. The
folds and weightings of one table also share a block: there a sample weight of 0 is as good as
leaving the sample out. Where a part has too few runs to fill a block, each run has its own copy of
its samples, padded to the largest set in the block. Runs are sorted by size, so that there is
little padding; the largest may be faster each in a block of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastgd.engine.layout import Sharing
from fastgd.engine.packing import Index, PackedSamples
from fastgd.kernel.block import Recipe
from fastgd.kernel.vectorization import Machine, runs_side_by_side

FULL = 0.75
"""Fraction of the lanes that must be used for runs of one part to get blocks of their own."""

GAIN = 3.5
"""Speedup of runs side by side compared with one after the other (3-4-1: 92 to 26 ns)."""


@dataclass(frozen=True, eq=False)
class RunBatch:
    """Runs that are trained by the same compiled code."""

    sharing: Sharing
    side_by_side: int
    size: int
    """The most training samples of any run, plus validation samples in a shared table."""

    held_size: int
    is_exact: bool
    """Whether no run has samples of weight 0 that aren't its own.

    Padding and samples of other runs have weight 0 and change no bit of a run, unless a value
    becomes infinite for one of them: 0 times infinity is NaN. A run that diverges this way is
    trained again.
    """

    order: Index | None = None
    """The runs, in the order in which they go into blocks; None for all in their own order."""

    keys: Index | None = None
    """A key for each of these runs; runs of different keys never share a block."""

    count: int = 0

    def runs(self, begin: int, end: int) -> Index:
        """The runs at these positions of the order."""
        return np.arange(begin, end) if self.order is None else self.order[begin:end]

    def lanes(self, keys: Index | None, count: int, threads: int) -> Index:
        """Assign ``count`` of its runs, with these keys, to lanes (blocks, R)."""
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
    machine: Machine | None = None,
    others: Sequence[Sequence[tuple[int, int]]] = (),
) -> list[RunBatch]:
    """Batch all runs, of which each part has equally many; parts are the slowest axis.

    ``machine`` is another one that the runs are for, ``others`` are the matrices of networks that
    had better share the code.
    """
    size, held = int(samples.sizes.max()), samples.most_held
    wide = side_by_side or runs_side_by_side(
        runs, size, matrices, threads, machine, others, is_curved=recipe.curvature is not None
    )
    if samples.partition is None:
        return [RunBatch(Sharing.ALL, wide, size, held, True, count=runs)]
    each = runs // samples.parts
    folds = "fold" in samples.partition.axes
    weighed = folds or "sample_weight" in samples.partition.axes
    in_step = recipe.batches.name != "all" or recipe.batch_norm is not None
    tables = len(samples.table_sizes)
    # Better than a shared table, which for 5 folds has a quarter more samples than a run trains on.
    if _fill(each, wide) >= FULL or wide == 1:
        return [by_part(samples, np.arange(runs), each, wide)]
    apart = folds and (in_step or recipe.features.dropout)
    if weighed and not apart and _fill(runs // tables, wide) >= FULL:
        return [_by_table(samples, each, wide, exact=not folds)]
    alone = machine is None or machine.threads == 1  # a block of a GPU always has 32 runs
    if in_step:
        return _by_size(samples, each, wide, alone=alone)
    return _by_run(samples, each, wide, alone=alone)


def _fill(count: int, wide: int) -> float:
    """Fraction of the lanes that this number of runs uses."""
    return count / (-(-count // wide) * wide)


def _by_table(samples: PackedSamples, each: int, wide: int, *, exact: bool) -> RunBatch:
    """Batch the runs so that all of a table share its samples."""
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


def by_part(samples: PackedSamples, runs: Index, each: int, wide: int) -> RunBatch:
    """Batch the runs so that all of a part share its samples."""
    parts = runs // each
    runs = runs[np.lexsort((runs, -samples.sizes[parts]))]
    return _own(samples, Sharing.PART, runs, each, wide, runs // each, exact=True)


def _by_size(samples: PackedSamples, each: int, wide: int, *, alone: bool) -> list[RunBatch]:
    """Runs have their own samples, in blocks of runs with equally many.

    With ``alone``, those of which there are too few run alone.
    """
    runs = _by_descending_size(samples, each)
    sizes = samples.sizes[runs // each]
    counts = np.unique(-sizes, return_counts=True)[1]
    pays = np.repeat((counts >= wide / GAIN) | (not alone), counts)
    batches = []
    if pays.any():
        mine = runs[pays]
        batches.append(_own(samples, Sharing.NONE, mine, each, wide, sizes[pays], exact=True))
    if not pays.all():
        batches.append(by_part(samples, runs[~pays], each, 1))
    return batches


def _by_run(samples: PackedSamples, each: int, wide: int, *, alone: bool) -> list[RunBatch]:
    """Runs have their own samples, padded to the largest set of a block.

    With ``alone``, the largest run alone.
    """
    runs = _by_descending_size(samples, each)
    sizes = samples.sizes[runs // each]
    apart = _largest_alone(sizes, wide) if alone else 0
    batches = []
    if apart:
        batches.append(by_part(samples, runs[:apart], each, 1))
    if apart < len(runs):
        mine = runs[apart:]
        exact = bool(sizes[apart] == sizes[-1])
        batches.append(_own(samples, Sharing.NONE, mine, each, wide, None, exact=exact))
    return batches


def _by_descending_size(samples: PackedSamples, each: int) -> Index:
    parts = np.argsort(-samples.sizes, kind="stable")
    return (parts[:, None] * each + np.arange(each)).ravel()


def _largest_alone(sizes: Index, wide: int) -> int:
    """How many of the largest should run alone, for the least work; sizes are descending."""
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
    """The index among ``count`` runs of the run in each lane, (blocks, R), in their order.

    Runs of different keys go to different blocks; spare lanes repeat the last run of the block.
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
    """An order for blocks (largest first) that gives each thread about the same work.

    Each thread takes the same number of consecutive blocks.
    """
    return np.concatenate([np.arange(thread, blocks, threads) for thread in range(threads)])
