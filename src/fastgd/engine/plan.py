"""How the runs of one network are worked off: lots, waves of blocks, chunks of iterations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import check_data
from fastgd.arguments.options import Method
from fastgd.arguments.partition import Partition
from fastgd.arguments.validation import Validation
from fastgd.arguments.values import check_count
from fastgd.engine import summaries
from fastgd.engine.arrangement import Lot, alone, arrange, lanes_of
from fastgd.engine.layout import Layout
from fastgd.engine.lowering import Column, look_of, may_end, recipe_of
from fastgd.engine.network import Network, layer_sizes
from fastgd.engine.samples import Samples, Sharing
from fastgd.engine.session import CHUNK_SECONDS, Runs, Session
from fastgd.engine.state import State
from fastgd.engine.summaries import SMALLEST, SMALLEST_AT
from fastgd.kernel.block import DIVERGED

Index = NDArray[np.int64]

WAVE_BYTES = 64 * 1024**2
"""Blocks that are in the kernel's hands at a time take no more than this, or one per thread."""

CALLS = 32
"""Calls of the kernel for a run whose neighbours may be over early ..."""

CALL_SECONDS = 1e-3
"""... but none is shorter than this."""

BLOCKS_PER_THREAD = 16
"""A thread has at least so many to go on with, so that threads seldom wait for each other."""

NOWHERE = -1
"""The best iteration of a run that nobody watches, or none of whose errors was finite."""


@dataclass(frozen=True, eq=False)
class Task:
    """What all runs share: checked samples and counts."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    iterations: int
    record_every: int
    validation: Validation | None = None
    partition: Partition | None = None
    done: int = 0
    """Iterations that the runs have behind them already."""

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
    best_iteration: NDArray[np.int64]  # (n,): of the smallest watched error, or NOWHERE
    held_errors: NDArray[np.float64]  # as errors, or (n, 0) if nothing is held out
    held_final: NDArray[np.float64]  # as final_error, or (0,)
    weights: NDArray[np.float64]  # (n, P), or (0, P) if not kept
    changes: NDArray[np.int64]  # likewise
    path: NDArray[np.float64]  # (n, records, P), or (0, records, P) if not recorded
    state: State | None  # of all runs, if it is kept

    @classmethod
    def empty(cls, plan: "Plan", keep: "Keep") -> "Trained":
        """Room for the runs of a plan."""
        runs, records, layout = plan.runs, plan.task.records, plan.layout
        held, kept = plan.samples.holds_out, runs * keep.weights
        recorded = 0 if layout.recipe.path is None else runs
        layouts = [session.layout for _, session in plan.lots]
        return cls(
            errors=np.full((runs, records), np.nan),
            final_error=np.empty(runs),
            iterations=np.empty(runs, np.int64),
            outcome=np.empty(runs, np.int64),
            total_changes=np.empty(runs, np.int64),
            watch=np.empty((runs, layout.watched)),
            best_iteration=np.empty(runs, np.int64),
            held_errors=np.full((runs, records * held), np.nan),
            held_final=np.empty(runs * held),
            weights=np.empty((kept, plan.network.parameters)),
            changes=np.empty((kept, plan.network.parameters), np.int64),
            path=np.full((recorded, records, plan.network.parameters), np.nan),
            state=State.empty(runs, layouts, plan.method.optimizer) if keep.state else None,
        )

    def write(self, whose: Index, plan: "Plan", ended: "Ended") -> None:
        """Write down how these runs ended; with ``restore_best`` as they were at their best."""
        self.iterations[whose] = ended.ended
        self.outcome[whose] = ended.outcome
        self.total_changes[whose] = ended.changes[:, plan.network.counted].sum(axis=1)
        parameters, final, held_final = ended.parameters, ended.final, ended.held_final
        self.best_iteration[whose] = NOWHERE
        if self.watch.shape[1]:
            self.watch[whose] = ended.watch
            has_best = ended.is_watched & (ended.watch[:, SMALLEST] < np.inf)
            at = ended.watch[:, SMALLEST_AT].astype(np.int64)
            self.best_iteration[whose] = np.where(has_best, at, NOWHERE)
            if plan.method.restore_best:
                parameters = np.where(has_best[:, None], ended.best, parameters)
                final = np.where(has_best, ended.best_error, final)
                if plan.samples.holds_out:
                    held_final = np.where(has_best, ended.watch[:, SMALLEST], held_final)
        self.final_error[whose] = final
        if plan.samples.holds_out:
            self.held_final[whose] = held_final
        if len(self.weights):
            self.weights[whose], self.changes[whose] = parameters, ended.changes


@dataclass(frozen=True)
class Ended:
    """How some runs ended, n of them."""

    ended: Index  # (n,) updates done
    outcome: Index  # (n,)
    final: NDArray[np.float64]  # (n,)
    held_final: NDArray[np.float64]  # (n,), if there are held-out samples
    parameters: NDArray[np.float64]  # (n, P)
    changes: Index  # (n, P)
    watch: NDArray[np.float64]  # (n, Layout.watched)
    is_watched: NDArray[np.bool_]  # (n,)
    best: NDArray[np.float64]  # (n, P), if it is to be restored
    best_error: NDArray[np.float64]  # (n,), likewise


@dataclass(frozen=True)
class Keep:
    """What is kept of the runs beside their errors."""

    weights: bool = True
    state: bool = False


@dataclass(frozen=True)
class Plan:
    """The runs of one network: each part, each alpha, each value of other options, each start.

    The starts are the fastest axis, the parts of the samples are the slowest.
    """

    task: Task
    network: Network
    method: Method
    samples: Samples
    lots: tuple[tuple[Lot, Session], ...]
    alpha: NDArray[np.float64]  # (alphas, K)
    columns: tuple[Column, ...]  # the other axes of values
    starts: int
    threads: int
    may_end: bool
    """Whether runs may be over early."""

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
        samples = Samples(task.X, task.y, method.sample_weight, task.validation, task.partition)
        recipe = recipe_of(
            method, values, record_weights=record_weights, holds_out=samples.holds_out
        )
        runs = samples.parts * len(alpha) * prod(map(len, columns)) * starts
        look = look_of(method, values, task.record_every)

        def session(lot: Lot) -> Session:
            return Session.make(
                network,
                method,
                samples,
                recipe,
                lot,
                iterations=task.iterations,
                record_every=task.record_every,
                look=look,
            )

        lots = arrange(samples, recipe, runs, network.parameters, side_by_side)
        pairs = tuple((lot, session(lot)) for lot in lots)
        ends = may_end(method, values)
        return cls(task, network, method, samples, pairs, alpha, columns, starts, threads, ends)

    @property
    def layout(self) -> Layout:
        """Where everything of a block of the first lot is."""
        return self.lots[0][1].layout

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return (self.samples.parts, len(self.alpha), *map(len, self.columns), self.starts)

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
        # Twice the errors: a sweep joins those of its networks.
        results = self.runs * (16 * (records + held + layout.watched + 7) + kept)
        # First parameters: as they came, in rows, and as the rows are put together.
        first = 24 * self.starts * parameters
        # Twice the wave: its survivors are packed into fresh blocks.
        waves = [
            session.bytes(2 * self._wave(session, lot.size), lot.size, lot.held_size)
            for lot, session in self.lots
        ]
        return results + first + max(waves)

    def _wave(self, session: Session, size: int) -> int:
        """Blocks in the kernel's hands at a time: as many as a call has time and memory for.

        ``size`` is the most samples that one of their runs learns from.
        """
        blocks = -(-self.runs // session.layout.runs)
        iterations = self.task.iterations - self.task.done
        in_time = int(CHUNK_SECONDS / (session.seconds(size) * iterations))
        held = int(self.samples.held_sizes.max())
        fitting = WAVE_BYTES // session.bytes_of_block(size, held) // self.threads
        per_thread = min(max(in_time, BLOCKS_PER_THREAD), fitting)
        return min(blocks, self.threads * max(1, per_thread))

    def run(
        self,
        first: NDArray[np.float64],
        seeds: NDArray[np.int64],
        keep: Keep,
        advance: Callable[[int], None],
        state: State | None = None,
    ) -> Trained:
        """Train from first parameters (starts, P); ``seeds`` (starts,) are for random masks.

        Or go on from the state of all runs after ``task.done`` iterations.
        """
        work = _Work(self, first, seeds, keep, advance, state)
        for lot, session in self.lots:
            # A session of its own: its padded samples go when these runs are done, plans stay.
            work.do(lot, replace(session))
        self._again(work)
        return work.trained

    def _again(self, work: "_Work") -> None:
        """Train anew, each by itself, what diverged beside samples that are not its own."""
        foreign = [lot.runs(0, lot.count) for lot, _ in self.lots if not lot.is_exact]
        if foreign:
            runs = np.concatenate(foreign)
            runs = np.sort(runs[work.trained.outcome[runs] == DIVERGED])
            if len(runs):
                lot = alone(self.samples, runs, self.runs // self.samples.parts)
                session = self.lots[0][1]
                layout = Layout.plan(
                    self.network,
                    1,
                    lot.size,
                    session.layout.recipe,
                    session.layout.batch,
                    session.layout.window,
                    lot.sharing,
                )
                work.do(lot, replace(session, layout=layout), lambda _done: None)


class _Work:
    """The runs of a plan on their way from first parameters or a state to what they come to."""

    def __init__(
        self,
        plan: Plan,
        first: NDArray[np.float64],
        seeds: NDArray[np.int64],
        keep: Keep,
        advance: Callable[[int], None],
        state: State | None,
    ) -> None:
        self.plan = plan
        self.first, self.seeds, self.state = first, seeds, state
        self.keep, self.advance = keep, advance
        self.trained = Trained.empty(plan, keep)
        if state is not None:
            self._take_over(state)

    def _take_over(self, state: State) -> None:
        """Write down the runs that were over already."""
        over = np.flatnonzero(state.ended >= 0)
        self.advance(len(over) * (self.plan.task.iterations - self.plan.task.done))
        past, layout = state.at(over), self.plan.layout
        if self.trained.state is not None:
            for name, array in past._asdict().items():
                getattr(self.trained.state, name)[over] = array
            self.trained.state.planned[over] = self.plan.task.iterations
        watched = layout.recipe.watch is not None
        watch = summaries.arranged(past.watch, past.watch_counts) if watched else past.watch
        self.trained.write(
            over,
            self.plan,
            Ended(
                ended=past.ended,
                outcome=past.outcome,
                final=past.final,
                held_final=past.validation_final,
                parameters=past.parameters,
                changes=past.changes,
                watch=watch,
                is_watched=np.full(len(over), watched),
                best=past.best,
                best_error=past.best_error,
            ),
        )

    def do(self, lot: Lot, session: Session, advance: Callable[[int], None] | None = None) -> None:
        """Train the runs of a lot."""
        for owners, keys in self._waves(lot, session):
            self._train(lot, session, owners, keys, advance or self.advance)

    def _waves(self, lot: Lot, session: Session) -> Iterator[tuple[Index, Index | None]]:
        """The runs of some blocks at a time, with their keys."""
        going = None if self.state is None else self.state.ended < 0
        order, keys = lot.order, lot.keys
        if going is not None and not going.all():
            order = lot.runs(0, lot.count)
            keys = None if keys is None else keys[going[order]]
            order = order[going[order]]
        count = lot.count if order is None else len(order)
        wide, begin = session.layout.runs, 0
        while begin < count:
            size = lot.size
            if order is not None and lot.sharing is not Sharing.TABLE:
                size = int(self.plan.samples.sizes[self._parts(order[begin : begin + 1])[0]])
            blocks = self.plan._wave(session, size)
            end = min(count, begin + blocks * wide)
            mine = np.arange(begin, end) if order is None else order[begin:end]
            if keys is not None:
                lanes = lanes_of(keys[begin:end], end - begin, wide)[:blocks]
                end = begin + int(lanes[-1, -1]) + 1
                mine = mine[: end - begin]
            yield mine, None if keys is None else keys[begin:end]
            begin = end

    def _parts(self, runs: Index) -> Index:
        return runs // (self.plan.runs // self.plan.samples.parts)

    def _load(self, session: Session, runs: Index, lanes: Index) -> Runs:
        """These runs, at their beginning."""
        plan = self.plan
        parts, alpha, *others, start = np.unravel_index(runs, plan.shape)
        columns = list(zip(plan.columns, others, strict=True))
        if self.state is None:
            state, first, seeds = None, self.first[start], self.seeds[start]
        else:
            state = self.state.at(runs)
            first, seeds = state.parameters, state.seeds
        return session.load(first, plan.alpha[alpha], columns, seeds, parts, lanes, state)

    def _train(
        self,
        lot: Lot,
        session: Session,
        owners: Index,
        keys: Index | None,
        advance: Callable[[int], None],
    ) -> None:
        """Take runs through all iterations, in calls of about CHUNK_SECONDS.

        Runs that are over leave: once half of the blocks would do, the others are packed into so
        many, and the work is the sum of what the runs need.
        """
        iterations, threads = self.plan.task.iterations, self.plan.threads
        count = len(owners)
        runs = self._load(session, owners, lot.lanes(keys, count, threads))
        busiest = -(-runs.blocks // threads)
        step = max(1, self._step(1 / (session.seconds() * busiest), runs.blocks))
        # The last look at the watched error is no part of the state.
        cut = self.keep.state and session.layout.recipe.watch is not None
        at = self.plan.task.done
        while at <= iterations and len(owners):  # number `iterations` measures the final error
            last = min(at + step, iterations + 1)
            if cut and at < iterations:
                last = min(last, iterations)
            elif cut:
                self._keep_state(runs, np.arange(len(owners)), owners, runs.ended >= 0)
            began = perf_counter()
            runs.run(at, last, threads)
            speed = (last - at) / max(perf_counter() - began, 1e-9)
            advance((min(last, iterations) - min(at, iterations)) * count)
            # Not much longer than the last one: the first call may have compiled, the next be slow.
            step = max(1, min(self._step(speed, runs.blocks), 4 * step))
            at = last
            if at > iterations:
                break
            over = runs.ended >= 0
            going = np.flatnonzero(~over)
            lanes = lot.lanes(None if keys is None else keys[going], len(going), threads)
            if len(lanes) <= runs.blocks // 2:
                self._collect(runs, np.flatnonzero(over), owners)
                owners, keys = owners[going], None if keys is None else keys[going]
                if len(going):
                    runs = runs.pack(going, lanes)
        if len(owners):
            self._collect(runs, np.arange(len(owners)), owners, with_state=not cut)
        advance((iterations - min(at, iterations)) * count)

    def _step(self, speed: float, blocks: int) -> int:
        """Iterations of the next call: fewer where runs that are over could make room."""
        if not self.plan.may_end or blocks == 1:
            return int(speed * CHUNK_SECONDS)
        shortest = int(speed * CALL_SECONDS)
        return min(int(speed * CHUNK_SECONDS), max(shortest, self.plan.task.iterations // CALLS))

    def _collect(self, runs: Runs, which: Index, owners: Index, *, with_state: bool = True) -> None:
        """Write down what these runs have come to."""
        trained, task, whose = self.trained, self.plan.task, owners[which]
        records, iterations = task.records, task.iterations
        ended, final, errors = runs.ended[which], runs.final[which], runs.errors()[which]
        over = ended >= 0
        # A run whose weights have just overflowed has no error after that.
        last = np.where(over, ended - np.isnan(final), iterations)
        reached = task.recorded <= last[:, None]
        trained.errors[whose] = np.where(reached, errors[:, :records], np.nan)
        held_final = np.empty(0)
        if self.plan.samples.holds_out:
            held = runs.held_errors()[which]
            trained.held_errors[whose] = np.where(reached, held[:, :records], np.nan)
            held_final = np.where(over, runs.held_final[which], held[:, records])
        if len(trained.path):
            path = runs.path()[which]
            path[~reached] = np.nan
            trained.path[whose] = path
        parameters = runs.parameters()[which]
        if self.keep.state and with_state:
            # Of a run that the last look ended nothing is over: without it, it would go on.
            finite = np.isfinite(parameters).all(axis=1)
            self._keep_state(runs, which, owners, over & ~((ended == iterations) & finite))
        restoring = runs.session.layout.recipe.best is not None
        best, best_error = runs.best() if restoring else (np.empty((0, 0)), np.empty(0))
        trained.write(
            whose,
            self.plan,
            Ended(
                ended=np.where(over, ended, iterations),
                outcome=runs.outcome[which],
                final=np.where(over, final, errors[:, records]),
                held_final=held_final,
                parameters=parameters,
                changes=runs.changes()[which],
                watch=runs.watch()[which] if runs.session.layout.watched else np.empty((0, 0)),
                is_watched=runs.is_watched[which],
                best=best[which] if restoring else best,
                best_error=best_error[which] if restoring else best_error,
            ),
        )

    def _keep_state(self, runs: Runs, which: Index, owners: Index, over: NDArray[np.bool_]) -> None:
        """Write down the state of these runs."""
        kept = self.trained.state
        assert kept is not None
        state = runs.state(which, over)
        if self.plan.runs == 1:
            self.trained = replace(self.trained, state=state)
            return
        for name, array in state._asdict().items():
            target = getattr(kept, name)
            if name == "tau":  # of fewer samples in one lot than in another
                target = target[:, : array.shape[1]]
            target[owners[which]] = array
