"""Samples in the form the kernel takes, and which runs share them in a block.

A *part* (:class:`fastgd.arguments.subsets.Subset`) is a set of rows of the table that some runs
train on, with its sample weights and validation rows: one per group, fold and row of weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fastgd.arguments.samples import Validation
from fastgd.arguments.subsets import Integers, Partition, Subset
from fastgd.checks.numbers import FloatArray
from fastgd.engine.layout import Layout, Sharing
from fastgd.kernel.block import Data, Recipe
from fastgd.kernel.vectorization import ROWS, Machine, runs_side_by_side


@dataclass(eq=False)
class PackedSamples:
    """The samples of a call: a table, maybe a separate validation set, or the table's parts."""

    X: FloatArray  # (samples, inputs)
    y: FloatArray  # (samples, outputs)
    weight: FloatArray | None = None  # (samples,), where all runs have the same
    validation: Validation | None = None
    partition: Partition | None = None
    gradients: FloatArray | None = None  # (samples, outputs, inputs), NaN where unknown

    @cached_property
    def parts(self) -> int:
        """Number of parts; 1 if the table isn't divided."""
        return 1 if self.partition is None else len(self.partition)

    @cached_property
    def sizes(self) -> Integers:
        """(parts,) training samples of each part."""
        if self.partition is None:
            return np.array([len(self.X)])
        return np.repeat(self.partition.rows.sizes, self.partition.weightings)

    @cached_property
    def held_sizes(self) -> Integers:
        """(parts,) validation samples of each part."""
        if self.partition is not None and self.partition.held is not None:
            return np.repeat(self.partition.held.sizes, self.partition.weightings)
        return np.full(self.parts, 0 if self.validation is None else len(self.validation.y))

    @cached_property
    def tables(self) -> Integers:
        """(parts,) the table of each part, that is its group."""
        if self.partition is None:
            return np.zeros(1, np.int64)
        folds = len(self.partition.axes.get("fold", (0,)))
        return np.arange(self.parts) // (folds * self.partition.weightings)

    @cached_property
    def table_sizes(self) -> Integers:
        """(tables,) samples of each table, at most: training and validation together."""
        count = int(self.tables[-1]) + 1
        if self.partition is None or self.partition.held is None:
            return self.sizes[:: self.parts // count]
        both = self.partition.rows.sizes + self.partition.held.sizes
        largest: Integers = both.reshape(count, -1).sum(axis=1)
        return np.minimum(largest, len(self.X))

    def part(self, number: int) -> Subset:
        """The rows and weights of a part, which is all of a table that isn't divided."""
        if self.partition is None:
            return Subset(np.arange(len(self.X)), self.weight, None, None)
        return self.partition.part(number)

    def rows_of(self, table: int) -> Integers:
        """The row indices of a table that is divided."""
        partition = self.partition
        assert partition is not None
        parts = len(partition.rows) // (int(self.tables[-1]) + 1)
        mine = range(table * parts, (table + 1) * parts)
        rows = [partition.rows[i] for i in mine]
        if partition.held is None:
            return rows[0]
        return np.unique(np.concatenate([*rows, *(partition.held[i] for i in mine)]))


@dataclass(frozen=True, eq=False)
class Portion:
    """The samples that blocks of runs use."""

    tables: list[Data]  # shared, or for each block: training samples, then validation samples
    weight: FloatArray  # (blocks, R), or 1 in place of R: total weight of the training samples
    total: FloatArray  # shape as weight: the total weight times the number of outputs
    held_total: FloatArray  # the same for the validation samples, or (blocks, 0)


Weighted = tuple[Integers, FloatArray | None]
"""Row indices, and their weights if there are any."""


def portion_of(samples: PackedSamples, layout: Layout, parts: Integers) -> Portion:
    """The samples of blocks whose runs have these parts (blocks, R), for the kernel.

    Each value is stored once if the runs of a block share it, otherwise R times, side by side.
    Blocks that have the same samples share one copy.
    """
    made: dict[tuple[int, ...], list[tuple[Data, FloatArray]]] = {}
    blocks, sharing = [], layout.sharing
    for row in parts:  # the key is equal for blocks with the same samples and weights
        key: tuple[int, ...] = ()
        if sharing is not Sharing.ALL:
            key = (int(row[0]),) if sharing is Sharing.PART else tuple(row.tolist())
        if key not in made:
            made[key] = _tables(samples, layout, row)
        blocks.append(made[key])
    tables, outputs = range(len(blocks[0])), samples.y.shape[1]
    weight, *held = (np.array([block[k][1] for block in blocks]) for k in tables)
    shown = blocks[:1] if sharing is Sharing.ALL else blocks
    return Portion(
        [data for block in shown for data, _ in block],
        weight,
        weight * outputs,
        held[0] * outputs if held else np.empty((len(blocks), 0)),
    )


def _tables(
    samples: PackedSamples, layout: Layout, parts: Integers
) -> list[tuple[Data, FloatArray]]:
    """One block's training samples, then validation samples, each with their total weights."""
    sharing, validation = layout.sharing, samples.validation
    if sharing in (Sharing.ALL, Sharing.PART):
        parts = parts[:1]
    different, lanes = parts, np.zeros(1, np.int64)
    if len(parts) > 1:
        different, lanes = np.unique(parts, return_inverse=True)
    each = [samples.part(int(part)) for part in different]
    learned = [(part.rows, part.weight) for part in each]
    held = [(part.held, part.held_weight) for part in each if part.held is not None]
    rows = None
    if sharing is Sharing.TABLE:
        rows = samples.rows_of(int(samples.tables[parts[0]]))
    tables = [_data(layout, samples.X, samples.y, learned, lanes, rows, samples.gradients)]
    if validation is not None:
        own = np.arange(len(validation.y))
        beside = [(own, validation.weight)] * len(each)
        shared = None if rows is None else own
        tables.append(_data(layout, validation.X, validation.y, beside, lanes, shared))
    elif held:
        tables.append(_data(layout, samples.X, samples.y, held, lanes, rows))
    return tables


def _data(
    layout: Layout,
    X: FloatArray,
    y: FloatArray,
    each: Sequence[Weighted],
    lanes: Integers,
    table: Integers | None,
    gradients: FloatArray | None = None,
) -> tuple[Data, FloatArray]:
    """The samples of each run, and their total weight; lane r has those of ``each[lanes[r]]``.

    Samples are padded to whole tiles and to the largest set of the block, with copies of weight
    0. Rows of a shared table that a run doesn't use have weight 0, too. A bias is the weight of
    an extra input that is always 1.
    """
    real = max([len(rows) for rows, _ in each]) if table is None else len(table)
    index, importance = _gathered(each, table, real)
    if index.shape[1] > 1:
        index = index[:, lanes]
    if importance.shape[1] > 1:
        importance = importance[:, lanes]
    inputs, targets = X[index], y[index]  # (N, lanes, D), (N, lanes, H)
    own = None if gradients is None else gradients[index]
    units = layout.network.sizes[-1] // y.shape[1]  # for each target
    if units > 1:
        targets = np.tile(targets, units)
    if layout.network.bias:
        inputs = np.concatenate([inputs, np.ones((*index.shape, 1))], axis=2)
    shares = importance[:, :, None]
    if targets.shape[2] > 1:
        shares = np.repeat(shares, targets.shape[2], axis=2)
    if layout.lines > 1:
        inputs, targets, shares = _with_lines(inputs, targets, shares, layout.lines, own)
    data = Data(
        X=_lanes_last(inputs, layout.data_runs),
        y=_lanes_last(targets, layout.data_runs),
        importance=_lanes_last(shares, layout.importance_runs),
        samples=real * layout.lines,
        epoch=-(-real // (layout.batch or real)),
    )
    weights = [len(rows) if weight is None else weight.sum() for rows, weight in each]
    return data, np.array(weights, np.float64)[lanes]


def _gathered(
    each: Sequence[Weighted], table: Integers | None, most: int
) -> tuple[Integers, FloatArray]:
    """Rows and weights, padded: (N, runs), or rows (N, 1) of a table that the runs share."""
    places = np.arange(-(-most // ROWS) * ROWS)
    importance = np.zeros((len(places), len(each)))
    if table is not None:
        index = table[np.minimum(places, len(table) - 1)][:, None]
    else:
        index = np.empty(importance.shape, np.int64)
    for lane, (rows, weight) in enumerate(each):
        own: Any = slice(len(rows))
        if table is not None:
            own = np.searchsorted(table, rows)
        else:
            index[:, lane] = rows[np.minimum(places, len(rows) - 1)]
        importance[own, lane] = 1.0 if weight is None else weight
    return index, importance


def _with_lines(
    inputs: FloatArray,
    targets: FloatArray,
    shares: FloatArray,
    lines: int,
    gradients: FloatArray | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The (N, lanes, n) values of samples, each followed by its lines for each input.

    Their inputs are unit vectors, their targets the ``gradients`` (N, lanes, H, D) by that input,
    and their weights those of the samples, or 0 where a derivative isn't known.
    """
    N, lanes, width = inputs.shape
    X = np.zeros((N, lines, lanes, width))
    X[:, 0] = inputs
    X[:, 1:] = np.eye(lines - 1, width)[:, None]
    y = np.zeros((N, lines, *targets.shape[1:]))
    y[:, 0] = targets
    known = np.zeros(y.shape, np.bool_)
    known[:, 0] = True
    if gradients is not None:
        by_line = gradients.transpose(0, 3, 1, 2)
        known[:, 1:] = np.isfinite(by_line)
        y[:, 1:] = np.where(known[:, 1:], by_line, 0.0)
    each = shares[:, None] * known
    whole = (values.reshape(N * lines, *values.shape[2:]) for values in (X, y, each))
    return next(whole), next(whole), next(whole)


def _lanes_last(values: FloatArray, runs: int) -> FloatArray:
    """Flatten (N, lanes, n) values, lanes fastest; repeat the lanes to fill ``runs``."""
    turned = values.transpose(0, 2, 1)
    lanes = values.shape[1]
    if lanes != runs:
        turned = np.repeat(turned, runs // lanes, axis=2)
    return np.ascontiguousarray(turned).ravel()


# ---------------------------------------------------------------- which runs share a block
# This never changes a run's bits, only the speed. Runs of one part share its samples in a block.
# The folds and weightings of one table also share a block: there a sample weight of 0 is as good as
# leaving the sample out. Where a part has too few runs to fill a block, each run has its own copy
# of its samples, padded to the largest set in the block. Runs are sorted by size, so that there is
# little padding; the largest may be faster each in a block of its own.


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

    order: Integers | range
    """The runs, in the order in which they go into blocks: billions are a range."""

    keys: Integers | None = None
    """A key for each of these runs; runs of different keys never share a block."""

    def runs(self, begin: int = 0, end: int | None = None) -> Integers:
        """The runs at these positions of the order."""
        some = self.order[begin:end]
        return np.arange(some.start, some.stop) if isinstance(some, range) else some

    def lanes(self, keys: Integers | None, count: int, threads: int) -> Integers:
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
    size = len(samples.X) if samples.partition is None else int(samples.sizes.max())
    wide = side_by_side or runs_side_by_side(
        runs, size, matrices, threads, machine, others, is_curved=recipe.curvature is not None
    )
    if samples.partition is None:
        held = 0 if samples.validation is None else len(samples.validation.y)
        return [RunBatch(Sharing.ALL, wide, size, held, True, range(runs))]
    each = runs // samples.parts
    folds = "fold" in samples.partition.axes
    weighed = folds or "sample_weight" in samples.partition.axes
    in_step = recipe.batches.name != "all" or recipe.batch_norm is not None
    of_table = runs // len(samples.table_sizes)
    # Better than a shared table, which for 5 folds has a quarter more samples than a run trains on.
    if _fill(each, wide) >= FULL or wide == 1:
        return [by_part(samples, np.arange(runs), each, wide)]
    by_place = recipe.features.dropout or recipe.features.input_noise
    apart = folds and (in_step or by_place)
    if weighed and not apart and _fill(of_table, wide) >= FULL:
        tables = np.argsort(-samples.table_sizes, kind="stable")
        order = (tables[:, None] * of_table + np.arange(of_table)).ravel()
        largest = int(samples.table_sizes.max())
        held = max(largest, int(samples.held_sizes.max()))
        keys = samples.tables[order // each]
        return [RunBatch(Sharing.TABLE, wide, largest, held, not folds, order, keys)]
    alone = machine is None or machine.threads == 1  # a block of a GPU always has 32 runs
    return _with_own_samples(samples, each, wide, alone=alone, in_step=in_step)


def _fill(count: int, wide: int) -> float:
    """Fraction of the lanes that this number of runs uses."""
    return count / (-(-count // wide) * wide)


def by_part(samples: PackedSamples, runs: Integers, each: int, wide: int) -> RunBatch:
    """Batch the runs so that all of a part share its samples."""
    parts = runs // each
    runs = runs[np.lexsort((runs, -samples.sizes[parts]))]
    return _batch(samples, Sharing.PART, runs, each, wide, runs // each, exact=True)


def _with_own_samples(
    samples: PackedSamples, each: int, wide: int, *, alone: bool, in_step: bool
) -> list[RunBatch]:
    """Runs have their own samples, padded to the largest set of a block.

    With ``alone``, the largest run alone. Where runs go through their batches ``in_step``, a block
    has runs with equally many samples only; with ``alone``, those of which there are too few for
    that run alone.
    """
    parts = np.argsort(-samples.sizes, kind="stable")
    runs = (parts[:, None] * each + np.arange(each)).ravel()
    sizes = samples.sizes[runs // each]
    if in_step:
        counts = np.unique(-sizes, return_counts=True)[1]
        together = np.repeat((counts >= wide / GAIN) | (not alone), counts)
    else:
        together = np.arange(len(runs)) >= (_largest_alone(sizes, wide) if alone else 0)
    mine, own = runs[together], sizes[together]
    batches = []
    if not together.all():
        batches.append(by_part(samples, runs[~together], each, 1))
    if len(mine):
        keys, exact = (own, True) if in_step else (None, bool(own[0] == own[-1]))
        batches.append(_batch(samples, Sharing.NONE, mine, each, wide, keys, exact=exact))
    return batches[::-1] if in_step else batches


def _largest_alone(sizes: Integers, wide: int) -> int:
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


def _batch(
    samples: PackedSamples,
    sharing: Sharing,
    runs: Integers,
    each: int,
    wide: int,
    keys: Integers | None,
    *,
    exact: bool,
) -> RunBatch:
    parts = runs // each
    size, held = int(samples.sizes[parts].max()), int(samples.held_sizes[parts].max())
    return RunBatch(sharing, wide, size, held, exact, runs, keys)


def lanes_of(keys: Integers | None, count: int, wide: int) -> Integers:
    """The index among ``count`` runs of the run in each lane, (blocks, R), in their order.

    Runs of different keys go to different blocks; spare lanes repeat the last run of the block.
    """
    if keys is None or not count:
        blocks = -(-count // wide)
        lanes = np.arange(blocks * wide).reshape(blocks, wide)
        return lanes if count % wide == 0 else np.minimum(lanes, count - 1)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    within = np.arange(count) - np.repeat(starts, np.diff([*starts, count]))
    block = np.cumsum(within % wide == 0) - 1
    lanes = np.full(((int(block[-1]) + 1), wide), -1)
    lanes[block, within % wide] = np.arange(count)
    filled: Integers = np.maximum.accumulate(lanes, axis=1)
    return filled


def dealt(blocks: int, threads: int) -> Integers:
    """An order for blocks (largest first) that gives each thread about the same work.

    Each thread takes the same number of consecutive blocks.
    """
    return np.concatenate([np.arange(thread, blocks, threads) for thread in range(threads)])
