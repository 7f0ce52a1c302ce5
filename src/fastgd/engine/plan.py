"""The runs of one network architecture, what they share, and their memory and time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import available_memory
from fastgd.engine.devices import AUTO, CPU
from fastgd.engine.layout import Layout, Sharing
from fastgd.engine.network import Network
from fastgd.engine.packing import PackedSamples, RunBatch, arrange
from fastgd.engine.programs import ProgramAxis
from fastgd.engine.recipe import ValueColumn, monitoring_of, recipe_of, states_kept
from fastgd.engine.session import CHUNK_SECONDS, Session, ValueAxes
from fastgd.formulas.measures import SHARPNESS
from fastgd.formulas.updates import kept_of
from fastgd.kernel.block import Recipe
from fastgd.kernel.vectorization import GPU, Machine

PASS_BYTES = 64 * 1024**2
"""Memory limit for the blocks passed to the kernel at a time, unless one per thread is more."""

MEASURING_BYTES = 16 * 1024**2
"""The same where each update may be measured: memory of less than 32 MiB is kept by the C library,
and what was measured is copied before it leaves the caches. An eighth less time than with 64 MiB.
"""

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
    predictions: bool = False
    """Of the samples, with each recorded error."""


@dataclass(eq=False)
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
    batches: tuple[tuple[RunBatch, Session], ...] = ()
    """The runs that have the same compiled code, each with what their calls have in common."""
    runs: int = field(init=False)
    """The number of all runs ..."""
    of_part: int = field(init=False)
    """... and of those of each part of the samples."""

    def __post_init__(self) -> None:
        self.runs, self.of_part = prod(self.shape), prod(self.shape[1:])

    @cached_property
    def layout(self) -> Layout:
        """The layout of the first batch's blocks."""
        return self.batches[0][1].layout

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
        if isinstance(rules := values.get("optimizer"), ProgramAxis):
            method = method.at({"optimizer": rules.optimizer})
        columns = tuple(ValueColumn.of(name, axis, method) for name, axis in values.items())
        samples = PackedSamples(
            task.X, task.y, method.sample_weight, task.validation, task.partition, task.gradients
        )
        recipe = recipe_of(
            method,
            scope,
            record_weights=record_weights or SHARPNESS in (method.measure or ()),
            holds_out=task.holds_out,
            has_gradients=task.gradients is not None,
        )
        look, ends = monitoring_of(method, scope, task.record_every)
        named = [("alpha", len(alpha)), *zip(values, map(len, columns), strict=True)]
        divided = samples.parts if task.partition is not None and not task.partition.axes else 1
        lengths, along = _axes([*named, ("seed", starts)], together, divided)
        plan = cls(
            task, network, method, samples, alpha, columns, starts, (samples.parts, *lengths),
            along, threads, ends, device,
        )  # fmt: skip
        here = CPU if device == AUTO else device
        plan.batches = plan._batches(recipe, look, here, side_by_side, machine, others)
        return plan

    def _batches(
        self,
        recipe: Recipe,
        look: int,
        device: str,
        side_by_side: int | None = None,
        machine: Machine | None = None,
        others: Sequence[Network] = (),
    ) -> tuple[tuple[RunBatch, Session], ...]:
        """Divide the runs into batches, each with what its kernel calls have in common."""
        machine = machine if device == CPU else GPU
        batches = []
        for batch in arrange(
            self.samples,
            recipe,
            self.runs,
            self.network.matrices,
            self.threads,
            side_by_side,
            machine,
            [network.matrices for network in others],
        ):
            blocks = -(-self.runs // batch.side_by_side)
            session = Session.make(
                self.network,
                self.method,
                self.samples,
                recipe,
                batch,
                iterations=self.task.iterations,
                record_every=self.task.record_every,
                total=self.task.total,
                look=look,
                schedule_start=self.task.schedule_start,
                threads=self.threads if device == CPU and blocks < self.threads else 1,
                blocks=blocks,
                machine=machine,
                device=device,
                programs=next((c.programs for c in self.columns if c.programs is not None), None),
                workers=self.threads,
            )
            batches.append((batch, session))
        return tuple(batches)

    def on(self, device: str) -> "Plan":
        """The same runs on another device."""
        session = self.batches[0][1]
        batches = self._batches(session.layout.recipe, session.look, device)
        return replace(self, device=device, batches=batches)

    def places(self, runs: Integers) -> tuple[Integers, ...]:
        """The indices of runs on each axis, and last that of their part and combination."""
        axes = np.unravel_index(runs, self.shape)
        return (*axes, axes[0] * self.shape[1] + axes[1])

    def columns_at(self, axes: Sequence[Integers]) -> ValueAxes:
        """Each column of values with the indices of runs in it, for their ``places``."""
        along = self.along[1:-1]
        return [(column, axes[i]) for column, i in zip(self.columns, along, strict=True)]

    @property
    def work(self) -> int:
        """Updates of all runs; those that early stopping saves count as done when a run stops."""
        return self.runs * self.task.updates

    def bytes(self, keep: Keep) -> int:
        """Memory of the results, initial weights, padded samples, and the blocks of one pass."""
        parameters, records, layout = self.network.parameters, self.task.records, self.layout
        kept = 16 * parameters * keep.weights
        if keep.state:
            optimizer, best = self.method.optimizer, layout.recipe.best is not None
            drawn = layout.samples if layout.recipe.batches.name == "adaptive" else 0
            kept += parameters * (8 * (states_kept(self.method) + 2 + best) + 1)
            kept += 8 * (len(kept_of(optimizer)) + layout.kept_errors + drawn + 10)
        if layout.recipe.path is not None:
            kept += 16 * records * parameters  # once more while they are copied out of the blocks
        if keep.predictions:
            kept += 16 * records * len(self.task.X) * self.network.sizes[-1]
        held = records * self.task.holds_out
        # Twice the errors and losses: a sweep concatenates those of its networks.
        measured = layout.sizes["quantities"] * self.batches[0][1].measurements
        results = self.runs * (16 * (2 * records + held + measured + layout.watched + 8) + kept)
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
        """Raise a DeviceError if GPUs are to train the runs and can't have any of them."""
        for batch, session in self.batches:
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
        if self.runs <= session.layout.runs:
            return 1
        blocks, held = -(-self.runs // session.layout.runs), int(self.samples.held_sizes.max())
        if session.device != CPU:
            most = min(GPU_BYTES, available_memory() // 8)
            each = session.bytes_of_block(size, held, self.sharers(session))
            return min(blocks, max(1, most // each))
        in_time = int(CHUNK_SECONDS / (session.seconds(size) * self.task.updates))
        most = PASS_BYTES if session.layout.recipe.measure is None else MEASURING_BYTES
        fitting = most // session.bytes_of_block(size, held) // self.threads
        per_thread = min(max(in_time, BLOCKS_PER_THREAD), fitting)
        return min(blocks, self.threads * max(1, per_thread))


def _axes(
    named: Sequence[tuple[str, int]], together: Collection[str], divided: int
) -> tuple[list[int], tuple[int, ...]]:
    """The lengths of the axes after the parts, and the axis that each name belongs to.

    Optimizers are first. Combinations that are ``divided`` among parts are along these and an axis
    of their own.
    """
    lengths: list[int] = []
    along: dict[str, int] = {}
    for name, length in sorted(named, key=lambda one: _rank(one[0], together)):
        if name not in together or along.keys().isdisjoint(together):  # all have the same length
            lengths.append(length // divided if name in together else length)
        along[name] = len(lengths) if name not in together or divided == 1 else -1
    return lengths, tuple(along[name] for name, _ in named)


def _rank(name: str, together: Collection[str]) -> int:
    return 0 if name == "optimizer" else 1 if name in together else 2
