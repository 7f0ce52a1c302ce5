"""How the runs of one network are worked off: waves of blocks, each in chunks of iterations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import check_data
from fastgd.arguments.options import Method
from fastgd.arguments.values import check_count
from fastgd.engine.layout import Layout, pad
from fastgd.engine.lowering import PATIENCE, TOLERANCE, Column, base_values, column, recipe_of
from fastgd.engine.network import Network, layer_sizes
from fastgd.kernel.block import SEED, Block, Data, Schedule
from fastgd.kernel.calls import train_blocks
from fastgd.kernel.lanes import ROWS, runs_side_by_side

CHUNK_SECONDS = 0.05
"""Aim for one call of the kernel: Ctrl-C and progress live between calls."""

WAVE_BYTES = 64 * 1024**2
"""Blocks that are in the kernel's hands at a time take no more than this, or one per thread."""

LOOKS = 32
"""Calls of the kernel for a run whose neighbours may be over early ..."""

LOOK_SECONDS = 1e-3
"""... but none is shorter than this."""

BLOCKS_PER_THREAD = 16
"""A thread has at least so many to go on with, so that threads seldom wait for each other."""


def block_seconds(layout: Layout, samples: int) -> float:
    """A guess for one iteration of a block over so many samples: too long for large networks."""
    return 6e-8 + 1.5e-10 * samples * layout.network.parameters * layout.runs


@dataclass(frozen=True)
class Task:
    """What all runs share: checked samples and counts."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    iterations: int
    record_every: int

    @classmethod
    def check(cls, X: object, y: object, iterations: object, record_every: object) -> "Task":
        """Check the arguments that all runs share."""
        return cls(
            *check_data(X, y),
            check_count("iterations", iterations),
            check_count("record_every", record_every),
        )

    @property
    def inputs(self) -> int:
        """Columns of X."""
        return int(self.X.shape[1])

    @property
    def outputs(self) -> int:
        """Columns of y."""
        return int(self.y.shape[1])

    @property
    def records(self) -> int:
        """Recorded errors, without the final one."""
        return -(-self.iterations // self.record_every)

    @property
    def recorded(self) -> NDArray[np.int64]:
        """The iterations whose errors are recorded."""
        return np.arange(self.records) * self.record_every


def network_of(task: Task, hidden: tuple[int, ...], method: Method) -> Network:
    """The network of a method between the inputs and outputs of a task."""
    return Network(layer_sizes(task.inputs, hidden, task.outputs), method.bias, method.batch_norm)


@dataclass(frozen=True)
class Trained:
    """What runs of one network came to: n runs, P parameters."""

    errors: NDArray[np.float64]  # (n, records): NaN where a run did not come to
    final_error: NDArray[np.float64]  # (n,)
    iterations: NDArray[np.int64]  # (n,)
    outcome: NDArray[np.int64]  # (n,): see fastgd.kernel.block
    total_changes: NDArray[np.int64]  # (n,)
    watch: NDArray[np.float64]  # (n, Layout.watched)
    weights: NDArray[np.float64]  # (n, P), or (0, P) if not kept
    changes: NDArray[np.int64]  # likewise
    path: NDArray[np.float64]  # (n, records, P), or (0, records, P) if not recorded

    @classmethod
    def empty(
        cls, runs: int, records: int, watched: int, kept: int, recorded: int, parameters: int
    ) -> "Trained":
        """Room for so many runs, the parameters of so many, and the recorded ones of so many."""
        return cls(
            errors=np.empty((runs, records)),
            final_error=np.empty(runs),
            iterations=np.empty(runs, np.int64),
            outcome=np.empty(runs, np.int64),
            total_changes=np.empty(runs, np.int64),
            watch=np.empty((runs, watched)),
            weights=np.empty((kept, parameters)),
            changes=np.empty((kept, parameters), np.int64),
            path=np.empty((recorded, records, parameters)),
        )


@dataclass(frozen=True)
class Plan:
    """The runs of one network: each alpha, with each value of other options, from each start.

    The starts are the fastest axis, alpha is the slowest.
    """

    task: Task
    layout: Layout
    method: Method
    alpha: NDArray[np.float64]  # (alphas, K)
    columns: tuple[Column, ...]  # the other axes of values
    starts: int
    threads: int

    @classmethod
    def make(
        cls,
        task: Task,
        network: Network,
        method: Method,
        alpha: NDArray[np.float64],
        values: Mapping[str, Sequence[Any]],
        starts: int,
        threads: int,
        side_by_side: int | None = None,
        record_weights: bool = False,
    ) -> "Plan":
        """Choose how many runs go side by side, unless that is given."""
        columns = tuple(column(name, axis, method) for name, axis in values.items())
        count = len(alpha) * starts
        for _, numbers in columns:
            count *= len(numbers)
        layout = Layout.plan(
            network,
            side_by_side or runs_side_by_side(count, network.parameters),
            len(task.X),
            recipe_of(method, values, record_weights),
            method.batch_size or 0,
            method.summary or 1,
        )
        return cls(task, layout, method, alpha, columns, starts, threads)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return (len(self.alpha), *(len(numbers) for _, numbers in self.columns), self.starts)

    @cached_property
    def runs(self) -> int:
        """All runs of the network."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def blocks(self) -> int:
        """Blocks of runs side by side."""
        return -(-self.runs // self.layout.runs)

    @property
    def work(self) -> int:
        """Iterations of all blocks."""
        return self.blocks * self.task.iterations

    @property
    def batch(self) -> int:
        """Samples of a batch."""
        return self.method.batch_size or len(self.task.X)

    @property
    def epoch(self) -> int:
        """Iterations of an epoch."""
        return -(-len(self.task.X) // self.batch)

    @property
    def seconds(self) -> float:
        """A guess for one iteration of a block, to begin with."""
        return block_seconds(self.layout, self.batch)

    @property
    def wave(self) -> int:
        """Blocks in the kernel's hands at a time: as many as a call has time and memory for."""
        in_time = int(CHUNK_SECONDS / (self.seconds * self.task.iterations))
        fitting = WAVE_BYTES // self.layout.bytes(self.task.records) // self.threads
        per_thread = min(max(in_time, BLOCKS_PER_THREAD), fitting)
        return min(self.blocks, self.threads * max(1, per_thread))

    def bytes(self, keep_weights: bool) -> int:
        """Memory it takes: results, first weights, padded samples, and a wave of blocks."""
        parameters = self.layout.network.parameters
        kept = 16 * parameters if keep_weights else 0
        if self.layout.recipe.path is not None:
            kept += 8 * self.task.records * parameters
        # Twice the errors: a sweep joins those of its networks.
        results = self.runs * (16 * (self.task.records + self.layout.watched + 5) + kept)
        values = (len(self.task.X) + ROWS) * (self.task.inputs + 1 + 2 * self.task.outputs)
        # Twice the wave: its survivors are packed into fresh blocks.
        wave = 2 * self.wave * self.layout.bytes(self.task.records)
        samples = 16 * values * self.layout.data_runs
        return results + 16 * self.starts * parameters + samples + wave

    def run(
        self,
        first: NDArray[np.float64],
        seeds: NDArray[np.float64],
        keep_weights: bool,
        advance: Callable[[int], None],
    ) -> Trained:
        """Train from first parameters (starts, P); ``seeds`` (starts,) are for random masks."""
        layout = self.layout
        kept = self.runs if keep_weights else 0
        recorded = 0 if layout.recipe.path is None else self.runs
        trained = Trained.empty(
            self.runs, self.task.records, layout.watched, kept, recorded, first.shape[1]
        )
        data = pad(
            self.task.X,
            self.task.y,
            self.method.sample_weight,
            bias=layout.network.bias,
            runs=layout.data_runs,
        )
        width = self.wave * layout.runs
        for begin in range(0, self.runs, width):
            owners = np.arange(begin, min(self.runs, begin + width))
            self._train(owners, first, seeds, data, trained, advance)
        return trained

    def _load(
        self, runs: NDArray[np.int64], first: NDArray[np.float64], seeds: NDArray[np.float64]
    ) -> Block:
        """Fresh blocks with these runs; lanes that are left over train the last one once more."""
        layout = self.layout
        blocks = -(-len(runs) // layout.runs)
        lanes = runs[np.minimum(np.arange(blocks * layout.runs), len(runs) - 1)]
        alpha, *others, start = np.unravel_index(lanes, self.shape)
        values = np.tile(base_values(self.method), (len(lanes), 1))
        for (places, numbers), index in zip(self.columns, others, strict=True):
            values[:, places] = numbers[index]
        values[:, SEED] = seeds[start]
        if self.method.summary is None:
            off = (values[:, TOLERANCE] == 0) & np.isinf(values[:, PATIENCE])
            values[off, TOLERANCE] = -1.0
        block = layout.allocate(blocks, self.task.records)
        layout.load(block, first[start], self.alpha[alpha], values)
        return block

    def _train(
        self,
        owners: NDArray[np.int64],
        first: NDArray[np.float64],
        seeds: NDArray[np.float64],
        data: Data,
        trained: Trained,
        advance: Callable[[int], None],
    ) -> None:
        """Take runs through all iterations, in calls of about CHUNK_SECONDS.

        Runs that are over leave: once half of the blocks would do, the others are packed into so
        many, and the work is the sum of what the runs need.
        """
        layout, iterations = self.layout, self.task.iterations
        block = self._load(owners, first, seeds)
        blocks = len(block.numbers)
        busiest = -(-blocks // self.threads)
        step = max(1, self._step(1 / (self.seconds * busiest), blocks))
        at = 0
        while at <= iterations and len(owners):  # number `iterations` measures the final error
            last = min(at + step, iterations + 1)
            began = perf_counter()
            train_blocks(
                layout.shapes,
                layout.recipe,
                data,
                layout.table,
                block,
                self._schedule(at, last),
                self.threads,
            )
            speed = (last - at) / max(perf_counter() - began, 1e-9)
            advance((min(last, iterations) - min(at, iterations)) * blocks)
            # Not much longer than the last one: the first call may have compiled, the next be slow.
            step = max(1, min(self._step(speed, len(block.numbers)), 4 * step))
            at = last
            over = block.ended.ravel()[: len(owners)] >= 0
            going = np.flatnonzero(~over)
            if len(going) == 0 or -(-len(going) // layout.runs) <= len(block.numbers) // 2:
                self._collect(block, np.flatnonzero(over), owners, trained)
                owners = owners[going]
                if len(going):
                    block = layout.pack(block, going, self.task.records)
        if len(owners):
            self._collect(block, np.arange(len(owners)), owners, trained)
        advance((iterations - min(at, iterations)) * blocks)

    def _step(self, speed: float, blocks: int) -> int:
        """Iterations of the next call: fewer where runs that are over could make room."""
        if self.layout.recipe.watch is None or blocks == 1:
            return int(speed * CHUNK_SECONDS)
        shortest = int(speed * LOOK_SECONDS)
        return min(int(speed * CHUNK_SECONDS), max(shortest, self.task.iterations // LOOKS))

    def _schedule(self, first: int, last: int) -> Schedule:
        weight = self.method.sample_weight
        total = len(self.task.X) if weight is None else float(weight.sum())
        return Schedule(
            first=first,
            last=last,
            iterations=self.task.iterations,
            record_every=self.task.record_every,
            group=self.layout.group,
            values=float(total * self.task.outputs),
            samples=len(self.task.X),
            batch=self.batch,
            epoch=self.epoch,
            window=self.layout.window,
            kept=self.layout.kept,
            shuffle=int(self.method.shuffle),
            shuffle_seed=self.method.shuffle_seed,
        )

    def _collect(
        self,
        block: Block,
        lanes: NDArray[np.int64],
        owners: NDArray[np.int64],
        trained: Trained,
    ) -> None:
        """Write down what the runs in these lanes have come to."""
        layout, records = self.layout, self.task.records
        ended, final = block.ended.ravel()[lanes], block.final.ravel()[lanes]
        over, runs = ended >= 0, owners[lanes]

        def now(live: NDArray[Any], put_away: NDArray[Any]) -> NDArray[Any]:
            return np.where(over[:, None], put_away[lanes], live[lanes])

        errors = layout.errors(block)[lanes]
        # A run whose weights have just overflowed has no error after that.
        last = np.where(over, ended - np.isnan(final), self.task.iterations)
        reached = self.task.recorded <= last[:, None]
        trained.errors[runs] = np.where(reached, errors[:, :records], np.nan)
        trained.final_error[runs] = np.where(over, final, errors[:, records])
        trained.iterations[runs] = np.where(over, ended, self.task.iterations)
        trained.outcome[runs] = block.outcome.ravel()[lanes]
        changes = now(layout.changes(block.changes), layout.changes(block.kept_changes))
        trained.total_changes[runs] = changes[:, layout.network.counted].sum(axis=1)
        if layout.watched:
            trained.watch[runs] = now(layout.watch(block.numbers), layout.watch(block.kept))
        if len(trained.weights):
            kept = now(layout.weights(block.numbers), layout.weights(block.kept))
            trained.weights[runs] = kept
            trained.changes[runs] = changes
        if len(trained.path):
            path = layout.path(block, records)[lanes]
            trained.path[runs] = np.where(reached[:, :, None], path, np.nan)
