"""A network as numbers: layer sizes, first weights, and the layout that the kernel works on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.kernel.block import Block, Data, Layer, Shapes
from fastgd.kernel.lanes import ROWS, shapes_for

Weights = tuple[NDArray[np.float64], ...]
"""One (inputs, outputs) array per layer."""

LINE = 8
"""float64 numbers in a cache line."""

GROUP_BYTES = 32 * 1024
"""Activations and deltas of a group of samples should fit the first-level cache ..."""

GROUP_SAMPLES = 8
"""... but a group has at least so many samples: each one loads and stores every gradient."""

PAGE = 512
"""float64 numbers in a memory page: samples that lie whole pages apart fall into one cache set."""


def layer_sizes(inputs: int, hidden_size: Sequence[int], outputs: int) -> tuple[int, ...]:
    """Units of all layers, from the inputs to the outputs."""
    return (inputs, *hidden_size, outputs)


def count_parameters(sizes: Sequence[int]) -> int:
    """Weights of a network with these layers."""
    return sum(inputs * outputs for inputs, outputs in pairwise(sizes))


def first_weights(sizes: Sequence[int], seed: int) -> Weights:
    """Weights to start from, as the article draws them: uniform in [-1, 1), layer by layer."""
    random = np.random.RandomState(seed)
    return tuple(2 * random.random_sample(shape) - 1 for shape in pairwise(sizes))


def all_first_weights(sizes: Sequence[int], seeds: Sequence[int]) -> NDArray[np.float64]:
    """First weights of many seeds, (seeds, P).

    Seeding one generator anew is 30 times as fast as making new ones.
    """
    random = np.random.RandomState(0)
    rows = np.empty((len(seeds), count_parameters(sizes)))
    for row, seed in zip(rows, seeds, strict=True):
        random.seed(seed)
        row[:] = random.random_sample(len(row))
    return 2 * rows - 1


def flatten(weights: Weights) -> NDArray[np.float64]:
    """All weights in one row, (P,)."""
    return np.concatenate([layer.ravel() for layer in weights])


def unflatten(row: NDArray[Any], sizes: Sequence[int]) -> tuple[NDArray[Any], ...]:
    """One row of P numbers as an (inputs, outputs) array per layer."""
    ends = np.cumsum([inputs * outputs for inputs, outputs in pairwise(sizes)])
    parts = np.split(row, ends[:-1])
    return tuple(part.reshape(shape) for part, shape in zip(parts, pairwise(sizes), strict=True))


def pad(X: NDArray[np.float64], y: NDArray[np.float64]) -> Data:
    """Samples as the kernel takes them: padded to whole tiles with copies of importance 0."""
    real = len(X)
    index = np.minimum(np.arange(_up(real, ROWS)), real - 1)
    importance = np.repeat((np.arange(len(index)) < real).astype(np.float64), y.shape[1])
    return Data(X[index].ravel(), y[index].ravel(), importance)


def _up(number: int, step: int) -> int:
    """Round up to a multiple of step."""
    return -(-number // step) * step


@dataclass(frozen=True)
class Layout:
    """Where everything of a block of runs is: see :class:`fastgd.kernel.block.Block`.

    Plain integers of any size until :attr:`table` is asked for, so that absurd sizes can be
    measured before they are refused.
    """

    sizes: tuple[int, ...]
    runs: int
    samples: int
    group: int

    @classmethod
    def plan(cls, sizes: tuple[int, ...], runs: int, samples: int) -> "Layout":
        """Choose the group of samples that goes through the layers together."""
        padded = _up(samples, ROWS)
        draft = cls(sizes, runs, samples, ROWS)
        fitting = GROUP_BYTES // (16 * sum(draft._rows) + 8 * sizes[0])
        group = max(GROUP_SAMPLES, fitting // ROWS * ROWS)
        return replace(draft, group=min(padded, group))

    @property
    def _rows(self) -> list[int]:
        """For each layer the distance from one sample's activations to the next."""
        rows = [units * self.runs for units in self.sizes[1:]]
        return [row + LINE if row % PAGE == 0 else row for row in rows]

    @property
    def _starts(self) -> list[int]:
        """For each layer where its weights begin; the last entry is where they all end."""
        starts = [0]
        for inputs, outputs in pairwise(self.sizes):
            starts.append(starts[-1] + _up(inputs * outputs * self.runs, LINE))
        return starts

    @property
    def _activations(self) -> int:
        return sum(_up(self.group * row, LINE) for row in self._rows)

    @property
    def parameters(self) -> int:
        """Numbers that the weights of a block take, with the gaps between layers."""
        return self._starts[-1]

    @property
    def _alpha(self) -> int:
        """Where the learning rates begin: after the weights and their gradients."""
        return 2 * self.parameters

    @property
    def _units(self) -> int:
        """Where the activations begin, and after them the deltas."""
        return self._alpha + _up((len(self.sizes) - 1) * self.runs, LINE)

    @property
    def numbers(self) -> int:
        """Length of ``Block.numbers``."""
        return self._units + 2 * self._activations

    def bytes(self, records: int) -> int:
        """Memory of one block."""
        return 8 * (self.numbers + self.runs * (records + 3)) + 10 * self.parameters

    @cached_property
    def shapes(self) -> Shapes:
        """The kernel's tiles."""
        return shapes_for(self.runs, max(self.sizes[1:]))

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """A row per layer, see :class:`fastgd.kernel.block.Layer`."""
        wide = self.shapes.wide.units
        units = self._units
        table = []
        for k, (inputs, outputs) in enumerate(pairwise(self.sizes)):
            layer = Layer(
                inputs=inputs,
                outputs=outputs,
                weights=self._starts[k],
                gradient=self.parameters,
                alpha=self._alpha + k * self.runs,
                units=units,
                row=self._rows[k],
                deltas=self._activations,
                full_inputs=inputs // ROWS * ROWS,
                wide_inputs=inputs // wide * wide,
                wide_outputs=outputs // wide * wide,
                is_output=k == len(self.sizes) - 2,
            )
            table.append(layer)
            units += _up(self.group * layer.row, LINE)
        return np.array(table, dtype=np.int64)

    def allocate(self, blocks: int, records: int) -> Block:
        """Fresh blocks, all zero: a leading axis of ``blocks`` on every array."""
        memory = np.zeros(blocks * self.numbers + LINE)
        begin = -memory.ctypes.data // 8 % LINE
        numbers = memory[begin : begin + blocks * self.numbers].reshape(blocks, self.numbers)
        return Block(
            numbers=numbers,
            signs=np.zeros((blocks, self.parameters), np.uint8),
            recent=np.zeros((blocks, self.parameters), np.uint8),
            changes=np.zeros((blocks, self.parameters), np.int64),
            overflow=np.zeros((blocks, self.runs)),
            diverged=np.full((blocks, self.runs), -1),
            errors=np.zeros((blocks, (records + 1) * self.runs)),
        )

    def load(self, block: Block, weights: NDArray[np.float64], alpha: NDArray[np.float64]) -> None:
        """Put runs into fresh blocks: weights (blocks * R, P), alpha (blocks * R, K)."""
        at = 0
        for part in self._layers(block.numbers):
            width = part.shape[1]
            part[:] = _by_run(weights[:, at : at + width], self.runs)
            at += width
        lanes = block.numbers[:, self._alpha : self._alpha + alpha.shape[1] * self.runs]
        lanes.reshape(len(lanes), -1, self.runs)[:] = _by_run(alpha, self.runs)

    def weights(self, block: Block) -> NDArray[np.float64]:
        """(blocks * R, P) weights."""
        return self._gather(block.numbers)

    def changes(self, block: Block) -> NDArray[np.int64]:
        """(blocks * R, P) direction changes."""
        return self._gather(block.changes)

    def errors(self, block: Block) -> NDArray[np.float64]:
        """(blocks * R, records + 1) mean errors."""
        errors = block.errors.reshape(len(block.errors), -1, self.runs)
        return errors.transpose(0, 2, 1).reshape(-1, errors.shape[1])

    def outputs(self, block: Block, samples: int) -> NDArray[np.float64]:
        """(samples, outputs) of a single run, for the group that went through the layers last."""
        last = Layer(*self.table[-1])
        values = block.numbers[0, last.units : last.units + self.group * last.row]
        return values.reshape(self.group, last.row)[:samples, : last.outputs].copy()

    def _layers(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """Views (blocks, inputs * outputs, R) of each layer's part."""
        ends = [
            start + inputs * outputs * self.runs
            for start, (inputs, outputs) in zip(self._starts, pairwise(self.sizes), strict=False)
        ]
        return [
            array[:, start:end].reshape(len(array), -1, self.runs)
            for start, end in zip(self._starts, ends, strict=False)
        ]

    def _gather(self, array: NDArray[Any]) -> NDArray[Any]:
        parts = [part.transpose(0, 2, 1) for part in self._layers(array)]
        joined = np.concatenate(parts, axis=2)
        return joined.reshape(-1, joined.shape[2])


def _by_run(values: NDArray[np.float64], runs: int) -> NDArray[np.float64]:
    """(blocks * R, n) values as (blocks, n, R): the runs of a block become neighbours."""
    return values.reshape(-1, runs, values.shape[1]).transpose(0, 2, 1)
