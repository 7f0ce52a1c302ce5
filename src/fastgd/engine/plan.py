"""How the runs of one network are worked off: waves of blocks, each in chunks of iterations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import check_data
from fastgd.arguments.options import Method
from fastgd.arguments.values import check_count
from fastgd.engine.layout import Layout
from fastgd.engine.lowering import Column
from fastgd.engine.network import Network, layer_sizes
from fastgd.engine.session import CHUNK_SECONDS, Runs, Session

WAVE_BYTES = 64 * 1024**2
"""Blocks that are in the kernel's hands at a time take no more than this, or one per thread."""

CALLS = 32
"""Calls of the kernel for a run whose neighbours may be over early ..."""

CALL_SECONDS = 1e-3
"""... but none is shorter than this."""

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
    session: Session
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
        columns = tuple(Column.of(name, axis, method) for name, axis in values.items())
        count = len(alpha) * starts
        for column in columns:
            count *= len(column)
        session = Session.make(
            network,
            method,
            task.X,
            task.y,
            count,
            axes=values,
            side_by_side=side_by_side,
            iterations=task.iterations,
            record_every=task.record_every,
            record_weights=record_weights,
        )
        return cls(task, session, alpha, columns, starts, threads)

    @property
    def method(self) -> Method:
        """The options that all runs share."""
        return self.session.method

    @property
    def layout(self) -> Layout:
        """Where everything of a block is."""
        return self.session.layout

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return (len(self.alpha), *map(len, self.columns), self.starts)

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
        """Updates of all runs; those that a run is spared count as done when it ends."""
        return self.runs * self.task.iterations

    @property
    def wave(self) -> int:
        """Blocks in the kernel's hands at a time: as many as a call has time and memory for."""
        in_time = int(CHUNK_SECONDS / (self.session.seconds * self.task.iterations))
        fitting = WAVE_BYTES // self.layout.bytes(self.task.records) // self.threads
        per_thread = min(max(in_time, BLOCKS_PER_THREAD), fitting)
        return min(self.blocks, self.threads * max(1, per_thread))

    def bytes(self, keep_weights: bool) -> int:
        """Memory it takes: results, first weights, padded samples, and a wave of blocks."""
        parameters = self.layout.network.parameters
        kept = 16 * parameters if keep_weights else 0
        if self.layout.recipe.path is not None:
            kept += 16 * self.task.records * parameters  # once more on the way out of the blocks
        # Twice the errors: a sweep joins those of its networks.
        results = self.runs * (16 * (self.task.records + self.layout.watched + 5) + kept)
        # Twice the wave: its survivors are packed into fresh blocks.
        # First parameters: as they came, in rows, and as the rows are put together.
        return results + 24 * self.starts * parameters + self.session.bytes(2 * self.wave)

    def run(
        self,
        first: NDArray[np.float64],
        seeds: NDArray[np.int64],
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
        # A session of its own: its padded samples go when these runs are done, while plans stay.
        session = replace(self.session)
        width = self.wave * layout.runs
        for begin in range(0, self.runs, width):
            owners = np.arange(begin, min(self.runs, begin + width))
            self._train(session, owners, first, seeds, trained, advance)
        return trained

    def _load(
        self,
        session: Session,
        runs: NDArray[np.int64],
        first: NDArray[np.float64],
        seeds: NDArray[np.int64],
    ) -> Runs:
        """These runs, at their beginning."""
        alpha, *others, start = np.unravel_index(runs, self.shape)
        columns = list(zip(self.columns, others, strict=True))
        return session.load(first[start], self.alpha[alpha], columns, seeds[start])

    def _train(
        self,
        session: Session,
        owners: NDArray[np.int64],
        first: NDArray[np.float64],
        seeds: NDArray[np.int64],
        trained: Trained,
        advance: Callable[[int], None],
    ) -> None:
        """Take runs through all iterations, in calls of about CHUNK_SECONDS.

        Runs that are over leave: once half of the blocks would do, the others are packed into so
        many, and the work is the sum of what the runs need.
        """
        iterations, count = self.task.iterations, len(owners)
        blocks = -(-count // self.layout.runs)
        runs = self._load(session, owners, first, seeds)
        busiest = -(-blocks // self.threads)
        step = max(1, self._step(1 / (session.seconds * busiest), blocks))
        at = 0
        while at <= iterations and len(owners):  # number `iterations` measures the final error
            last = min(at + step, iterations + 1)
            began = perf_counter()
            runs.run(at, last, self.threads)
            speed = (last - at) / max(perf_counter() - began, 1e-9)
            advance((min(last, iterations) - min(at, iterations)) * count)
            # Not much longer than the last one: the first call may have compiled, the next be slow.
            step = max(1, min(self._step(speed, runs.blocks), 4 * step))
            at = last
            over = runs.ended[: len(owners)] >= 0
            going = np.flatnonzero(~over)
            if len(going) == 0 or -(-len(going) // self.layout.runs) <= runs.blocks // 2:
                self._collect(runs, np.flatnonzero(over), owners, trained)
                owners = owners[going]
                if len(going):
                    runs = runs.pack(going)
        if len(owners):
            self._collect(runs, np.arange(len(owners)), owners, trained)
        advance((iterations - min(at, iterations)) * count)

    def _step(self, speed: float, blocks: int) -> int:
        """Iterations of the next call: fewer where runs that are over could make room."""
        if self.layout.recipe.watch is None or blocks == 1:
            return int(speed * CHUNK_SECONDS)
        shortest = int(speed * CALL_SECONDS)
        return min(int(speed * CHUNK_SECONDS), max(shortest, self.task.iterations // CALLS))

    def _collect(
        self, runs: Runs, lanes: NDArray[np.int64], owners: NDArray[np.int64], trained: Trained
    ) -> None:
        """Write down what the runs in these lanes have come to."""
        records, iterations = self.task.records, self.task.iterations
        ended, final, errors = runs.ended[lanes], runs.final[lanes], runs.errors()[lanes]
        over, whose = ended >= 0, owners[lanes]
        # A run whose weights have just overflowed has no error after that.
        last = np.where(over, ended - np.isnan(final), iterations)
        reached = self.task.recorded <= last[:, None]
        trained.errors[whose] = np.where(reached, errors[:, :records], np.nan)
        trained.final_error[whose] = np.where(over, final, errors[:, records])
        trained.iterations[whose] = np.where(over, ended, iterations)
        trained.outcome[whose] = runs.outcome[lanes]
        changes = runs.changes()[lanes]
        trained.total_changes[whose] = changes[:, self.layout.network.counted].sum(axis=1)
        if self.layout.watched:
            trained.watch[whose] = runs.watch()[lanes]
        if len(trained.weights):
            trained.weights[whose] = runs.parameters()[lanes]
            trained.changes[whose] = changes
        if len(trained.path):
            path = runs.path()[lanes]
            path[~reached] = np.nan
            trained.path[whose] = path
