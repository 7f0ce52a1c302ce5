"""How the runs of one network are worked off: waves of blocks, each in chunks of iterations."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from fastgd import checks
from fastgd.kernel.block import Block, Data, Schedule
from fastgd.kernel.lanes import ROWS, runs_side_by_side
from fastgd.kernel.parallel import train_blocks
from fastgd.network import Layout, count_parameters, pad

CHUNK_SECONDS = 0.05
"""Aim for one call of the kernel: Ctrl-C and progress live between calls."""

WAVE_BYTES = 64 * 1024**2
"""Blocks that are in the kernel's hands at a time take no more than this, or one per thread."""

BLOCKS_PER_THREAD = 16
"""A thread has at least so many to go on with, so that threads seldom wait for each other."""


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
            *checks.check_data(X, y),
            checks.check_count("iterations", iterations),
            checks.check_count("record_every", record_every),
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


@dataclass(frozen=True)
class Trained:
    """What runs of one network came to: n runs, P parameters."""

    errors: NDArray[np.float64]  # (n, records + 1)
    diverged: NDArray[np.int64]  # (n,)
    total_changes: NDArray[np.int64]  # (n,)
    weights: NDArray[np.float64]  # (n, P), or (0, P) if not kept
    changes: NDArray[np.int64]  # likewise


@dataclass(frozen=True)
class Plan:
    """The runs of one network, each of ``starts`` first weights at each of ``alphas`` rates."""

    task: Task
    layout: Layout
    alphas: int
    starts: int
    threads: int

    @classmethod
    def make(
        cls, task: Task, sizes: tuple[int, ...], alphas: int, starts: int, threads: int
    ) -> "Plan":
        """Choose how many runs go side by side."""
        runs = runs_side_by_side(alphas * starts, count_parameters(sizes))
        layout = Layout.plan(sizes, runs, len(task.X))
        return cls(task, layout, alphas, starts, threads)

    @property
    def runs(self) -> int:
        """All runs of the network."""
        return self.alphas * self.starts

    @property
    def blocks(self) -> int:
        """Blocks of runs side by side."""
        return -(-self.runs // self.layout.runs)

    @property
    def work(self) -> int:
        """Iterations of all blocks."""
        return self.blocks * self.task.iterations

    @property
    def seconds(self) -> float:
        """A guess for one iteration of a block, to begin with: too long for large networks."""
        products = len(self.task.X) * count_parameters(self.layout.sizes) * self.layout.runs
        return 6e-8 + 1.5e-10 * products

    @property
    def wave(self) -> int:
        """Blocks in the kernel's hands at a time: as many as a call has time and memory for."""
        in_time = int(CHUNK_SECONDS / (self.seconds * self.task.iterations))
        fitting = WAVE_BYTES // self.layout.bytes(self.task.records) // self.threads
        per_thread = min(max(in_time, BLOCKS_PER_THREAD), fitting)
        return min(self.blocks, self.threads * max(1, per_thread))

    def bytes(self, keep_weights: bool) -> int:
        """Memory it takes: results, first weights, padded samples, and a wave of blocks."""
        parameters = count_parameters(self.layout.sizes)
        kept = 16 * parameters if keep_weights else 0
        # Twice the errors: a sweep joins those of its networks.
        results = self.runs * (16 * (self.task.records + 5) + kept)
        values = (len(self.task.X) + ROWS) * (self.task.inputs + 2 * self.task.outputs)
        wave = self.wave * self.layout.bytes(self.task.records)
        return results + 16 * self.starts * parameters + 8 * values + wave

    def run(
        self,
        first: NDArray[np.float64],
        alpha: NDArray[np.float64],
        keep_weights: bool,
        advance: Callable[[int], None],
    ) -> Trained:
        """Train from first weights (starts, P) at alphas (alphas, K); alpha is the slower axis."""
        layout, records = self.layout, self.task.records
        kept = (self.runs if keep_weights else 0, first.shape[1])
        trained = Trained(
            errors=np.empty((self.runs, records + 1)),
            diverged=np.empty(self.runs, np.int64),
            total_changes=np.empty(self.runs, np.int64),
            weights=np.empty(kept),
            changes=np.empty(kept, np.int64),
        )
        data = pad(self.task.X, self.task.y)
        for begin in range(0, self.runs, self.wave * layout.runs):
            end = min(self.runs, begin + self.wave * layout.runs)
            blocks = -(-(end - begin) // layout.runs)
            # Lanes that are left over train the last run once more.
            lanes = np.minimum(np.arange(begin, begin + blocks * layout.runs), end - 1)
            block = layout.allocate(blocks, records)
            layout.load(block, first[lanes % self.starts], alpha[lanes // self.starts])
            self._descend(block, data, advance)
            here = slice(0, end - begin)
            changes = layout.changes(block)[here]
            trained.errors[begin:end] = layout.errors(block)[here]
            trained.diverged[begin:end] = block.diverged.ravel()[here]
            trained.total_changes[begin:end] = changes.sum(axis=1)
            if keep_weights:
                trained.weights[begin:end] = layout.weights(block)[here]
                trained.changes[begin:end] = changes
        return trained

    def _descend(self, block: Block, data: Data, advance: Callable[[int], None]) -> None:
        """Take the blocks through all iterations, in calls of about CHUNK_SECONDS."""
        layout, iterations = self.layout, self.task.iterations
        busiest = -(-len(block.numbers) // self.threads)
        step = max(1, int(CHUNK_SECONDS / (self.seconds * busiest)))
        first = 0
        while first <= iterations:  # iteration number `iterations` measures the final error
            last = min(first + step, iterations + 1)
            schedule = Schedule(
                first, last, iterations, self.task.record_every, layout.group, self.task.y.size
            )
            began = perf_counter()
            train_blocks(layout.shapes, data, layout.table, block, schedule, self.threads)
            speed = (last - first) / max(perf_counter() - began, 1e-9)
            advance((min(last, iterations) - first) * len(block.numbers))
            # Not much longer than the last one: the first call may have compiled, the next be slow.
            step = max(1, min(int(speed * CHUNK_SECONDS), 4 * step))
            first = last
