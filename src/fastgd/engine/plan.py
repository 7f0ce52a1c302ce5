"""Which runs of one network there are, what they share, and how much memory and time they take."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.engine.layout import Layout
from fastgd.engine.lowering import ValueColumn, look_of, may_end, recipe_of
from fastgd.engine.network import Network
from fastgd.engine.packed_samples import PackedSamples
from fastgd.engine.packing import RunBatch, arrange
from fastgd.engine.session import CHUNK_SECONDS, Session
from fastgd.engine.state import State
from fastgd.engine.training_data import TrainingData

WAVE_BYTES = 64 * 1024**2
"""Blocks that are in the kernel's hands at a time take no more than this, or one per thread."""

BLOCKS_PER_THREAD = 16
"""A thread has at least so many to go on with, so that threads seldom wait for each other."""


@dataclass(frozen=True)
class Keep:
    """What is kept of the runs beside their errors."""

    weights: bool = True
    state: bool = False


@dataclass(frozen=True)
class Plan:
    """The runs of one network: each part, each alpha, each value of other options, each start.

    The starts are the fastest axis, the parts of the samples are the slowest. What is in
    combinations lies along one axis together, behind the parts.
    """

    task: TrainingData
    network: Network
    method: Method
    samples: PackedSamples
    lots: tuple[tuple[RunBatch, Session], ...]
    alpha: NDArray[np.float64]  # (alphas, K)
    columns: tuple[ValueColumn, ...]  # the other axes of values
    starts: int
    shape: tuple[int, ...]
    """Lengths of the axes."""
    along: tuple[int, ...]
    """Which of the axes alpha, each column and the starts lie along."""
    threads: int
    may_end: bool
    """Whether runs may be over early."""

    @classmethod
    def make(
        cls,
        task: TrainingData,
        network: Network,
        method: Method,
        alpha: NDArray[np.float64],
        values: Mapping[str, Sequence[Any]],
        starts: int,
        threads: int,
        side_by_side: int | None = None,
        record_weights: bool = False,
        together: Collection[str] = (),
        scope: Mapping[str, Sequence[Any]] | None = None,
    ) -> "Plan":
        """Choose how many runs go side by side, unless that is given.

        ``together`` are the names, of ``values``, "alpha" and "seed", of what is in combinations.
        ``scope`` has the values on whole axes where ``values`` are some of them, so that the code
        and what is kept are the same for each part of a sweep.
        """
        scope = values if scope is None else scope
        columns = tuple(ValueColumn.of(name, axis, method) for name, axis in values.items())
        units = network.sizes[-1] // task.outputs
        samples = PackedSamples(
            task.X, task.y, method.sample_weight, task.validation, task.partition, units
        )
        recipe = recipe_of(
            method, scope, record_weights=record_weights, holds_out=samples.holds_out
        )
        named = [("alpha", len(alpha)), *zip(values, map(len, columns), strict=True)]
        lengths, along = _axes([*named, ("seed", starts)], together)
        shape = (samples.parts, *lengths)
        look = look_of(method, scope, task.record_every)

        def session(lot: RunBatch) -> Session:
            blocks = -(-prod(shape) // lot.side_by_side)
            return Session.make(
                network,
                method,
                samples,
                recipe,
                lot,
                iterations=task.iterations,
                record_every=task.record_every,
                look=look,
                threads=threads if blocks < threads else 1,
                blocks=blocks,
            )

        lots = arrange(samples, recipe, prod(shape), network.matrices, threads, side_by_side)
        pairs = tuple((lot, session(lot)) for lot in lots)
        ends = may_end(method, scope)
        return cls(
            task,
            network,
            method,
            samples,
            pairs,
            alpha,
            columns,
            starts,
            shape,
            along,
            threads,
            ends,
        )

    @property
    def layout(self) -> Layout:
        """Where everything of a block of the first lot is."""
        return self.lots[0][1].layout

    @cached_property
    def runs(self) -> int:
        """All runs of the network."""
        return prod(self.shape)

    @property
    def work(self) -> int:
        """Updates of all runs; those that a run is spared count as done when it ends."""
        return self.runs * (self.task.iterations - self.task.done)

    def bytes(self, keep: Keep) -> int:
        """Memory it takes: results, first weights, padded samples, and a wave of blocks."""
        parameters, records, layout = self.network.parameters, self.task.records, self.layout
        kept = 16 * parameters * keep.weights
        if keep.state:
            kept += State.bytes(layout, self.method.optimizer)
        if layout.recipe.path is not None:
            kept += 16 * records * parameters  # once more on the way out of the blocks
        held = records * self.samples.holds_out
        # Twice the errors and losses: a sweep joins those of its networks.
        results = self.runs * (16 * (2 * records + held + layout.watched + 8) + kept)
        # First parameters: as they came, in rows, and as the rows are put together.
        first = 24 * self.starts * parameters
        # Twice the wave: its survivors are packed into fresh blocks.
        waves = [
            session.bytes(2 * self.wave(session, lot.size), lot.size, lot.held_size)
            for lot, session in self.lots
        ]
        return results + first + max(waves)

    def wave(self, session: Session, size: int) -> int:
        """Blocks in the kernel's hands at a time: as many as a call has time and memory for.

        ``size`` is the most samples that one of their runs learns from.
        """
        blocks = -(-self.runs // session.layout.runs)
        iterations = self.task.iterations - self.task.done
        in_time = int(CHUNK_SECONDS / (session.seconds(size) * iterations))
        held = self.samples.most_held
        fitting = WAVE_BYTES // session.bytes_of_block(size, held) // self.threads
        per_thread = min(max(in_time, BLOCKS_PER_THREAD), fitting)
        return min(blocks, self.threads * max(1, per_thread))


def _axes(
    named: Iterable[tuple[str, int]], together: Collection[str]
) -> tuple[list[int], tuple[int, ...]]:
    """The lengths of the axes behind the parts, and which of them each name lies along."""
    lengths: list[int] = []
    along = []
    combinations = {length for name, length in named if name in together}
    if combinations:
        lengths.extend(combinations)  # all have the same length
    for name, length in named:
        if name in together:
            along.append(1)
            continue
        lengths.append(length)
        along.append(len(lengths))
    return lengths, tuple(along)
