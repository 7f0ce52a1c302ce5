"""Training and validation samples in the form the kernel takes: one table, or subsets of it.

A *part* (:class:`fastgd.arguments.subsets.Part`) is a subset of the table's rows that some runs
train on, with its sample weights and validation rows: one per group, fold and row of weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.samples import Validation
from fastgd.arguments.subsets import Part, Partition, RowIndices
from fastgd.checks.numbers import FloatArray
from fastgd.kernel.block import Data
from fastgd.kernel.vectorization import ROWS

Index = NDArray[np.int64]
"""Indices of rows, parts, runs or lanes."""


class Sharing(Enum):
    """What the runs of a block have in common."""

    ALL = "all"  # all blocks have the same samples and weights
    TABLE = (
        "table"  # the samples of a group; each run has its own weights for them, 0 for unused ones
    )
    PART = "part"  # one part
    NONE = "none"  # nothing: each run has its own samples, padded to the largest set of the block


@dataclass(frozen=True, eq=False)
class PackedSamples:
    """The samples of a call: a table, maybe a separate validation set, or the table's parts."""

    X: FloatArray  # (samples, inputs)
    y: FloatArray  # (samples, outputs)
    weight: FloatArray | None = None  # (samples,), where all runs have the same
    validation: Validation | None = None
    partition: Partition | None = None
    gradients: FloatArray | None = None  # (samples, outputs, inputs), NaN where unknown

    @property
    def holds_out(self) -> bool:
        """Whether there are validation samples."""
        return self.validation is not None or (
            self.partition is not None and self.partition.held is not None
        )

    @cached_property
    def _divided(self) -> Partition:
        """The parts of the table; one part if it isn't divided."""
        if self.partition is not None:
            return self.partition
        rows = RowIndices(np.arange(len(self.X)), np.array([0, len(self.X)]))
        return Partition({}, rows, None, None if self.weight is None else self.weight[None])

    @property
    def parts(self) -> int:
        """Number of parts; 1 if the table isn't divided."""
        return 1 if self.partition is None else len(self.partition)

    @cached_property
    def sizes(self) -> Index:
        """(parts,) training samples of each part."""
        if self.partition is None:
            return np.array([len(self.X)])
        return np.repeat(self._divided.rows.sizes, self._divided.weightings)

    @cached_property
    def held_sizes(self) -> Index:
        """(parts,) validation samples of each part."""
        if self._divided.held is not None:
            return np.repeat(self._divided.held.sizes, self._divided.weightings)
        return np.full(self.parts, 0 if self.validation is None else len(self.validation.y))

    @cached_property
    def most_held(self) -> int:
        """The most validation samples of any part."""
        if self.partition is None:
            return 0 if self.validation is None else len(self.validation.y)
        return int(self.held_sizes.max())

    @cached_property
    def tables(self) -> Index:
        """(parts,) the table of each part, that is its group."""
        folds = len(self._divided.axes.get("fold", (0,)))
        return np.arange(self.parts) // (folds * self._divided.weightings)

    @cached_property
    def table_sizes(self) -> Index:
        """(tables,) samples of each table, at most: training and validation together."""
        count = int(self.tables[-1]) + 1
        if self._divided.held is None:
            return self.sizes[:: self.parts // count]
        both = self._divided.rows.sizes + self._divided.held.sizes
        largest: Index = both.reshape(count, -1).sum(axis=1)
        return np.minimum(largest, len(self.X))

    def part(self, number: int) -> Part:
        """The rows and weights of a part."""
        return self._divided.part(number)

    def rows_of(self, table: int) -> Index:
        """The row indices of a table."""
        partition = self._divided
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


Weighted = tuple[Index, FloatArray | None]
"""Row indices, and their weights if there are any."""


@dataclass(frozen=True, eq=False)
class Packer:
    """Prepares the samples of blocks of R runs for the kernel.

    Each value is stored once if the runs of a block share it, otherwise R times, side by side.
    Blocks that have the same samples share one copy.
    """

    samples: PackedSamples
    sharing: Sharing
    bias: bool
    units: int  # output units for each target
    batch: int  # samples of a batch, or 0
    runs: int
    data_runs: int  # copies of each sample value: 1 or R
    importance_runs: int  # copies of each sample weight: 1 or R
    lines: int = 1  # of a sample: see fastgd.kernel.extensions.tangents

    def portion(self, parts: Index) -> Portion:
        """The samples of blocks whose runs have these parts (blocks, R)."""
        made: dict[tuple[int, ...], list[tuple[Data, FloatArray]]] = {}
        blocks = []
        for row in parts:
            key = self._key(row)
            if key not in made:
                made[key] = self._tables(row)
            blocks.append(made[key])
        tables = range(1 + self.samples.holds_out)
        weights = [np.array([block[k][1] for block in blocks]) for k in tables]
        outputs = self.samples.y.shape[1]
        shown = blocks[:1] if self.sharing is Sharing.ALL else blocks
        return Portion(
            [data for block in shown for data, _ in block],
            weights[0],
            weights[0] * outputs,
            weights[1] * outputs if self.samples.holds_out else np.empty((len(blocks), 0)),
        )

    def refill(self, portion: Portion) -> None:
        """Put the samples into a portion of others of the same shapes and weights."""
        data, X, y = portion.tables[0], self.samples.X, self.samples.y
        inputs, targets = data.X.reshape(-1, X.shape[1] + self.bias), np.tile(y, self.units)
        inputs[: len(X), : X.shape[1]], inputs[len(X) :, : X.shape[1]] = X, X[-1]
        rows = data.y.reshape(len(inputs), -1)
        rows[: len(y)], rows[len(y) :] = targets, targets[-1]

    def _key(self, parts: Index) -> tuple[int, ...]:
        """A key that is equal for blocks with the same samples and weights."""
        if self.sharing is Sharing.ALL:
            return ()
        return (int(parts[0]),) if self.sharing is Sharing.PART else tuple(parts.tolist())

    def _tables(self, parts: Index) -> list[tuple[Data, FloatArray]]:
        """One block's training samples, then validation samples, each with their total weights."""
        samples, validation = self.samples, self.samples.validation
        if self.sharing in (Sharing.ALL, Sharing.PART):
            parts = parts[:1]
        different, lanes = _counted(parts)
        each = [samples.part(int(part)) for part in different]
        learned = [(part.rows, part.weight) for part in each]
        held = [(part.held, part.held_weight) for part in each if part.held is not None]
        rows = None
        if self.sharing is Sharing.TABLE:
            rows = samples.rows_of(int(samples.tables[parts[0]]))
        tables = [self._data(samples.X, samples.y, learned, lanes, rows, samples.gradients)]
        if validation is not None:
            own = np.arange(len(validation.y))
            beside = [(own, validation.weight)] * len(each)
            shared = None if rows is None else own
            tables.append(self._data(validation.X, validation.y, beside, lanes, shared))
        elif held:
            tables.append(self._data(samples.X, samples.y, held, lanes, rows))
        return tables

    def _data(
        self,
        X: FloatArray,
        y: FloatArray,
        each: Sequence[Weighted],
        lanes: Index,
        table: Index | None,
        gradients: FloatArray | None = None,
    ) -> tuple[Data, FloatArray]:
        """The samples of each run, and their total weight; lane r has those of ``each[lanes[r]]``.

        Samples are padded to whole tiles and to the largest set of the block, with copies of weight
        0. Rows of a shared table that a run doesn't use have weight 0, too. A bias is the weight of
        an extra input that is always 1.
        """
        real = max([len(rows) for rows, _ in each]) if table is None else len(table)
        if table is None:
            index, importance = _side_by_side(each, real)
        else:
            index, importance = _in_table(each, table)
        if index.shape[1] > 1:
            index = index[:, lanes]
        if importance.shape[1] > 1:
            importance = importance[:, lanes]
        inputs, targets = X[index], y[index]  # (N, lanes, D), (N, lanes, H)
        own = None if gradients is None else gradients[index]
        if self.units > 1:
            targets = np.tile(targets, self.units)
        if self.bias:
            inputs = np.concatenate([inputs, np.ones((*index.shape, 1))], axis=2)
        shares = importance[:, :, None]
        if targets.shape[2] > 1:
            shares = np.repeat(shares, targets.shape[2], axis=2)
        if self.lines > 1:
            inputs, targets, shares = _with_lines(inputs, targets, shares, self.lines, own)
        data = Data(
            X=_lanes_last(inputs, self.data_runs),
            y=_lanes_last(targets, self.data_runs),
            importance=_lanes_last(shares, self.importance_runs),
            samples=real * self.lines,
            epoch=-(-real // (self.batch or real)),
        )
        weights = [len(rows) if weight is None else weight.sum() for rows, weight in each]
        return data, np.array(weights, np.float64)[lanes]


def _counted(parts: Index) -> tuple[Index, Index]:
    """The distinct parts, and the position of each part among them."""
    if len(parts) == 1:
        return parts, np.zeros(1, np.int64)
    different, places = np.unique(parts, return_inverse=True)
    return different, places


def _side_by_side(each: Sequence[Weighted], most: int) -> tuple[Index, FloatArray]:
    """Rows and weights for runs that have their own samples, padded, (N, runs)."""
    places = np.arange(-(-most // ROWS) * ROWS)
    index = np.empty((len(places), len(each)), np.int64)
    importance = np.zeros(index.shape)
    for lane, (rows, weight) in enumerate(each):
        index[:, lane] = rows[np.minimum(places, len(rows) - 1)]
        importance[: len(rows), lane] = 1.0 if weight is None else weight
    return index, importance


def _in_table(each: Sequence[Weighted], table: Index) -> tuple[Index, FloatArray]:
    """Rows (N, 1) of the shared table, and their weights in each run, (N, runs)."""
    index = table[np.minimum(np.arange(-(-len(table) // ROWS) * ROWS), len(table) - 1)]
    importance = np.zeros((len(index), len(each)))
    for lane, (rows, weight) in enumerate(each):
        importance[np.searchsorted(table, rows), lane] = 1.0 if weight is None else weight
    return index[:, None], importance


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
