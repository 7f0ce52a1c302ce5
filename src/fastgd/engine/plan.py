"""The runs of one network architecture, what they share, and their memory and time."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.checks.memory import available_memory
from fastgd.engine.devices import AUTO, CPU
from fastgd.engine.layout import Layout, Sharing
from fastgd.engine.network import Network
from fastgd.engine.packing import Index, PackedSamples, RunBatch, arrange
from fastgd.engine.recipe import ValueColumn, look_of, may_end, recipe_of
from fastgd.engine.results import State
from fastgd.engine.session import CHUNK_SECONDS, Session
from fastgd.engine.spare_runs import MOST_BYTES, SpareRuns
from fastgd.kernel.block import Recipe
from fastgd.kernel.vectorization import GPU, Machine

PASS_BYTES = 64 * 1024**2
"""Memory limit for the blocks passed to the kernel at a time, unless one per thread is more."""

GPU_BYTES = 2 * 1024**3
"""The same for the blocks that are on GPUs at a time, unless an eighth of what is free is less.

A GPU is busy with thousands of blocks: those of 3-4-1 take 46 kB each, of 64-64-1 12 MB.
"""

BLOCKS_PER_THREAD = 16
"""Fewest blocks per thread at a time, so that threads seldom wait for each other."""


@dataclass(frozen=True)
class Keep:
    """What is kept of the runs in addition to their errors."""

    weights: bool = True
    state: bool = False


@dataclass(frozen=True)
class Plan:
    """The runs of one network: one for each part, alpha, value of other options, and start.

    Starts (seeds or initial weights) are the fastest axis, parts of the samples the slowest. The
    options that are combined (``combinations``) share a single axis, right after the parts. It has
    the same combinations for each part, or others if the parts are not an axis of the sweep.
    """

    task: TrainingData
    network: Network
    method: Method
    samples: PackedSamples
    batches: tuple[tuple[RunBatch, Session], ...]
    alpha: NDArray[np.float64]  # (alphas, K)
    columns: tuple[ValueColumn, ...]  # the axes of all other options
    starts: int
    shape: tuple[int, ...]
    """Lengths of the axes."""
    along: tuple[int, ...]
    """For alpha, each column and the starts: the axis that it belongs to, as in ``places``."""
    threads: int
    may_end: bool
    """Whether runs may end early."""
    device: str = CPU
    spare: SpareRuns | None = None
    """Where the only block comes from and goes to."""

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
        machine: Machine | None = None,
        device: str = CPU,
        others: Sequence[Network] = (),
    ) -> "Plan":
        """Choose how many runs go side by side, unless that is given.

        ``machine`` is another one that the plan is for; or else ``device`` says where the runs are
        trained: see :mod:`.devices`.

        ``together`` names what is combined along one axis: keys of ``values``, "alpha", "seed". If
        ``values`` are only a chunk of a sweep, ``scope`` has the values of the whole axes, so that
        all chunks of the sweep use the same code and keep the same results. The code also suits
        ``others``, networks of the same sweep, where little is lost by that.
        """
        scope = values if scope is None else scope
        columns = tuple(ValueColumn.of(name, axis, method) for name, axis in values.items())
        samples = PackedSamples(
            task.X, task.y, method.sample_weight, task.validation, task.partition, task.gradients
        )
        recipe = recipe_of(
            method,
            scope,
            record_weights=record_weights,
            holds_out=samples.holds_out,
            has_gradients=task.gradients is not None,
        )
        named = [("alpha", len(alpha)), *zip(values, map(len, columns), strict=True)]
        divided = samples.parts if task.partition is not None and not task.partition.axes else 1
        lengths, along = _axes([*named, ("seed", starts)], together, divided)
        shape = (samples.parts, *lengths)
        look = look_of(method, scope, task.record_every)

        ends = may_end(method, scope)
        plan = cls(
            task, network, method, samples, (), alpha, columns, starts, shape, along, threads, ends,
            device,
        )  # fmt: skip
        here = CPU if device == AUTO else device
        batches = plan._arranged(recipe, look, here, side_by_side, machine, others)
        return replace(plan, batches=batches)

    def _arranged(
        self,
        recipe: Recipe,
        look: int,
        device: str,
        side_by_side: int | None = None,
        machine: Machine | None = None,
        others: Sequence[Network] = (),
    ) -> tuple[tuple[RunBatch, Session], ...]:
        """Divide the runs into batches."""
        machine = machine if device == CPU else GPU
        batches = arrange(
            self.samples,
            recipe,
            self.runs,
            self.network.matrices,
            self.threads,
            side_by_side,
            machine,
            [network.matrices for network in others],
        )

        def session(batch: RunBatch) -> Session:
            blocks = -(-self.runs // batch.side_by_side)
            return Session.make(
                self.network,
                self.method,
                self.samples,
                recipe,
                batch,
                iterations=self.task.iterations,
                record_every=self.task.record_every,
                look=look,
                threads=self.threads if device == CPU and blocks < self.threads else 1,
                blocks=blocks,
                machine=machine,
                device=device,
                workers=self.threads,
            )

        return tuple((batch, session(batch)) for batch in batches)

    def on(self, device: str) -> "Plan":
        """The same runs on another device."""
        session = self.batches[0][1]
        recipe, look = session.layout.recipe, session.look
        return replace(self, device=device, batches=self._arranged(recipe, look, device))

    def on_samples(self, task: TrainingData, alpha: NDArray[np.float64]) -> "Plan":
        """The same on other samples of the same shapes, with the same weights and no parts."""
        samples = PackedSamples(task.X, task.y, self.samples.weight)
        batches = tuple((batch, replace(one, samples=samples)) for batch, one in self.batches)
        return replace(self, task=task, samples=samples, batches=batches, alpha=alpha)

    def sparing(self) -> "Plan":
        """The same plan, whose blocks are kept for the next time, if they are small."""
        alone = self.runs == self.layout.runs == 1 and self.device == CPU
        small = alone and self.bytes(Keep(state=True)) <= MOST_BYTES
        return replace(self, spare=SpareRuns(self.batches[0][1])) if small else self

    @property
    def layout(self) -> Layout:
        """The layout of the first batch's blocks."""
        return self.batches[0][1].layout

    @cached_property
    def runs(self) -> int:
        """The number of runs."""
        return prod(self.shape)

    def places(self, runs: Index) -> tuple[Index, ...]:
        """The indices of runs on each axis, and last that of their part and combination."""
        axes = np.unravel_index(runs, self.shape)
        return (*axes, axes[0] * self.shape[1] + axes[1])

    @property
    def work(self) -> int:
        """Updates of all runs; those that early stopping saves count as done when a run stops."""
        return self.runs * (self.task.iterations - self.task.done)

    def bytes(self, keep: Keep) -> int:
        """Memory of the results, initial weights, padded samples, and the blocks of one pass."""
        parameters, records, layout = self.network.parameters, self.task.records, self.layout
        kept = 16 * parameters * keep.weights
        if keep.state:
            kept += State.bytes(layout, self.method.optimizer)
        if layout.recipe.path is not None:
            kept += 16 * records * parameters  # once more while they are copied out of the blocks
        held = records * self.samples.holds_out
        # Twice the errors and losses: a sweep concatenates those of its networks.
        results = self.runs * (16 * (2 * records + held + layout.watched + 8) + kept)
        # Initial parameters: as given, in rows, and while the rows are assembled.
        first = 24 * self.starts * parameters
        # Twice the blocks: runs that haven't ended are repacked into new ones.
        passes = [
            session.bytes(
                2 * self.blocks_per_pass(session, batch.size), batch.size, batch.held_size
            )
            + 2 * self.threads * session.layout.workspace
            for batch, session in self.batches
        ]
        return results + first + max(passes)

    def check_room(self) -> None:
        """Raise a DeviceError if a GPU is to train the runs and can't have any of them."""
        for batch, session in self.batches:
            if session.device != CPU:
                session.room(batch.size, batch.held_size, self.sharers(session))

    def sharers(self, session: Session) -> int:
        """About how many blocks have the same samples, if these are not all of the table's."""
        parts, sharing = self.samples.parts, session.layout.sharing
        if sharing is Sharing.TABLE:
            parts = len(self.samples.table_sizes)
        blocks = self.runs // parts // session.layout.runs
        return max(1, blocks) if sharing is not Sharing.NONE else 1

    def blocks_per_pass(self, session: Session, size: int) -> int:
        """Blocks passed to the kernel at a time: as many as a call has time and memory for.

        ``size`` is the most training samples of any of their runs.
        """
        blocks, held = -(-self.runs // session.layout.runs), self.samples.most_held
        if session.device != CPU:
            most = min(GPU_BYTES, available_memory() // 8)
            each = session.bytes_of_block(size, held, self.sharers(session))
            return min(blocks, max(1, most // each))
        iterations = self.task.iterations - self.task.done
        in_time = int(CHUNK_SECONDS / (session.seconds(size) * iterations))
        fitting = PASS_BYTES // session.bytes_of_block(size, held) // self.threads
        per_thread = min(max(in_time, BLOCKS_PER_THREAD), fitting)
        return min(blocks, self.threads * max(1, per_thread))


def _axes(
    named: Iterable[tuple[str, int]], together: Collection[str], divided: int
) -> tuple[list[int], tuple[int, ...]]:
    """The lengths of the axes after the parts, and the axis that each name belongs to.

    Combinations that are ``divided`` among parts are along these and an axis of their own.
    """
    lengths: list[int] = []
    along = []
    combinations = {length for name, length in named if name in together}
    if combinations:
        lengths.extend(length // divided for length in combinations)  # all have the same length
    for name, length in named:
        if name in together:
            along.append(1 if divided == 1 else -1)
            continue
        lengths.append(length)
        along.append(len(lengths))
    return lengths, tuple(along)
