"""Execute the runs of a plan: batches of runs, passes over some of their blocks, kernel calls."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.engine import results as summaries
from fastgd.engine.device_choice import chosen
from fastgd.engine.devices import AUTO, CPU
from fastgd.engine.execution import ThreadTuning
from fastgd.engine.layout import Sharing
from fastgd.engine.packing import Index, RunBatch, by_part, lanes_of
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.recipe import bayesian_of
from fastgd.engine.results import Ended, State, TrainedRuns
from fastgd.engine.session import CHUNK_SECONDS, Columns, Runs, Session
from fastgd.engine.spare_runs import LoadedRuns
from fastgd.kernel.block import DIVERGED

CALLS = 32
"""Kernel calls per run if runs in its block may end early, so that they can be repacked ..."""

CURVED_CALLS = 8
"""The same with second-order steps, since a block's activations have to return to the cache.

1,000 runs of 1-5-1 took 1.4 times as long with 32 calls.
"""

CALL_SECONDS = 1e-3
"""... but no call is shorter than this."""

TRIAL_SECONDS = 0.05
"""Shortest time of a kernel call by which a device's speed is measured."""

FIRST_ON_GPU = 64
"""How many times fewer iterations a GPU's first call has: its speed is not known yet."""


def execute(
    plan: Plan,
    first: NDArray[np.float64],
    seeds: NDArray[np.int64],
    keep: Keep,
    advance: Callable[[int], None],
    state: State | None = None,
) -> TrainedRuns:
    """Train from initial parameters (starts, P); ``seeds`` (starts,) are for random masks.

    With a ``state``, resume all runs after ``plan.task.done`` iterations instead. ``advance`` is
    called with the number of updates that have been done since its last call.
    """
    plan = plan_on_a_device(plan, first, seeds)
    plan.check_room()
    work = _Work(plan, first, seeds, keep, advance, state)
    if state is not None:
        work.take_over(state)
    for batch, session in plan.batches:
        # A session of its own: its padded samples are freed after these runs, while plans live on.
        work.do(batch, session if plan.spare else replace(session), advance)
    foreign = [batch.runs(0, batch.count) for batch, _ in plan.batches if not batch.is_exact]
    if foreign:
        work.train_again(np.concatenate(foreign))
    return work.trained


def plan_on_a_device(plan: Plan, first: NDArray[np.float64], seeds: NDArray[np.int64]) -> Plan:
    """Choose the device of a plan for "auto"; the other arguments are those of :func:`execute`."""
    if plan.device != AUTO:
        return plan
    return chosen(plan, partial(_speed, first=first, seeds=seeds))


def loaded(plan: Plan, first: NDArray[np.float64], seeds: NDArray[np.int64]) -> Runs:
    """Load all runs of a plan's only batch at their start."""
    [(batch, session)] = plan.batches
    lanes = batch.lanes(batch.keys, batch.count, 1)
    work = _Work(plan, first, seeds, Keep(), lambda _done: None, None)
    return work._load(session, batch.runs(0, batch.count), lanes)


def _speed(plan: Plan, first: NDArray[np.float64], seeds: NDArray[np.int64]) -> float:
    """Measure the updates in a second of the runs that are trained first."""
    batch, session = plan.batches[0]
    work = _Work(plan, first, seeds, Keep(), lambda _done: None, None)
    owners, keys = next(work._passes(batch, replace(session)))
    runs = work._load(session, owners, batch.lanes(keys, len(owners), plan.threads))
    step, most = 1, plan.task.iterations
    try:
        runs.run(0, 1, plan.threads)  # this compiles
        while True:  # each time from the first iteration: only the time counts
            began = perf_counter()
            runs.run(0, step, plan.threads)
            runs.bring_back()
            took = max(perf_counter() - began, 1e-9)
            if took >= TRIAL_SECONDS or step == most:
                return len(owners) * step / took
            step = min(4 * step, most)
    finally:
        runs.leave()


@dataclass(frozen=True, eq=False)
class _Work:
    """The training of a plan's runs, from initial parameters or a state to the results."""

    plan: Plan
    first: NDArray[np.float64]
    seeds: NDArray[np.int64]
    keep: Keep
    advance: Callable[[int], None]
    state: State | None

    @cached_property
    def trained(self) -> TrainedRuns:
        """The results."""
        return TrainedRuns.empty(self.plan, self.keep)

    def take_over(self, state: State) -> None:
        """Copy the results of the runs that had ended before."""
        over = np.flatnonzero(state.ended >= 0)
        self.advance(len(over) * (self.plan.task.iterations - self.plan.task.done))
        past, layout = state.at(over), self.plan.layout
        kept = self.trained
        for curve in (kept.errors, kept.losses, kept.final_loss, kept.held_errors, kept.path):
            if len(curve):
                curve[over] = np.nan
        if self.keep.state and len(over):
            planned = np.full(len(over), self.plan.task.iterations)
            self._write_state(over, past._replace(planned=planned))
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
                is_watched=self._are_watched(over),
                best=past.best,
                best_error=past.best_error,
                bayesian=bayesian_of(lambda: past.corrections, layout.recipe),
            ),
        )

    def train_again(self, runs: Index) -> None:
        """Retrain those separately that diverged in a block with samples of other runs."""
        plan, runs = self.plan, np.sort(runs[self.trained.outcome[runs] == DIVERGED])
        if len(runs):
            batch = by_part(plan.samples, runs, plan.runs // plan.samples.parts, 1)
            session = plan.batches[0][1]
            self.do(batch, session.for_batch(batch), lambda _done: None)

    def do(self, batch: RunBatch, session: Session, advance: Callable[[int], None]) -> None:
        """Train a batch of runs."""
        for owners, keys in self._passes(batch, session):
            self._train(batch, session, owners, keys, advance)

    def _passes(self, batch: RunBatch, session: Session) -> Iterator[tuple[Index, Index | None]]:
        """Yield the runs of some blocks at a time, with their keys."""
        order, keys = batch.runs(0, batch.count), batch.keys
        if self.state is not None:
            going = self.state.ended[order] < 0
            order, keys = order[going], None if keys is None else keys[going]
        wide, begin = session.layout.runs, 0
        while begin < len(order):
            size = batch.size
            if batch.sharing is not Sharing.TABLE:
                size = int(self.plan.samples.sizes[self._parts(order[begin : begin + 1])[0]])
            blocks = self.plan.blocks_per_pass(session, size)
            if session.device != CPU:
                sharers = self.plan.sharers(session)
                blocks = min(blocks, session.room(size, batch.held_size, sharers))
            end = min(len(order), begin + blocks * wide)
            mine = order[begin:end]
            if keys is not None:
                lanes = lanes_of(keys[begin:end], end - begin, wide)[:blocks]
                end = begin + int(lanes[-1, -1]) + 1
                mine = mine[: end - begin]
            yield mine, None if keys is None else keys[begin:end]
            begin = end

    def _parts(self, runs: Index) -> Index:
        return runs // (self.plan.runs // self.plan.samples.parts)

    def _load(self, session: Session, runs: Index, lanes: Index) -> Runs:
        """Load these runs at their start."""
        plan = self.plan
        axes, along = plan.places(runs), plan.along
        parts, alpha, start = axes[0], axes[along[0]], axes[along[-1]]
        columns = self._columns(axes)
        if self.state is None:
            state, first, seeds = None, self.first[start], self.seeds[start]
        else:
            state = self.state.at(runs)
            first, seeds = state.parameters, state.seeds
        return session.load(first, plan.alpha[alpha], columns, seeds, parts, lanes, state)

    def _columns(self, axes: Sequence[Index]) -> Columns:
        """Each column of values, with the runs' indices in it; ``axes`` has indices by axis."""
        along = self.plan.along[1:-1]
        return [(column, axes[i]) for column, i in zip(self.plan.columns, along, strict=True)]

    def _columns_of(self, runs: Index) -> Columns:
        """Each column of values, with the indices of these runs in it."""
        return self._columns(self.plan.places(runs)) if self.plan.columns else ()

    def _are_watched(self, runs: Index) -> NDArray[np.bool_]:
        session = self.plan.batches[0][1]
        return session.are_watched(len(runs), self._columns_of(runs))

    def _train(
        self,
        batch: RunBatch,
        session: Session,
        owners: Index,
        keys: Index | None,
        advance: Callable[[int], None],
    ) -> None:
        """Take runs through all iterations, in calls of about CHUNK_SECONDS.

        Runs that have ended are dropped: once half of the blocks would be enough, the others are
        packed into fewer blocks. So the total work is about the sum of what the single runs need.
        """
        iterations, threads = self.plan.task.iterations, self.plan.threads
        count, over = len(owners), 0
        loaded = self._start(session, owners, batch.lanes(keys, count, threads))
        runs = loaded.runs
        busiest = -(-runs.blocks // threads)
        step = max(1, self._step(1 / (session.seconds() * busiest), runs.blocks))
        if session.device != CPU:
            step = max(1, step // FIRST_ON_GPU)
        # The last evaluation of the monitored error isn't part of the state.
        cut = self.keep.state and session.layout.recipe.watch is not None
        pace = ThreadTuning(session.layout.threads, session.seconds())
        at = self.plan.task.done
        try:
            while at <= iterations and len(owners):  # `iterations` only measures the final error
                shared, most = pace.next()
                last = min(at + min(step, most or step), iterations + 1)
                if cut and at < iterations:
                    last = min(last, iterations)
                elif cut:
                    runs.bring_back()
                    state = runs.state(runs.ended >= 0, runs.parameters(), runs.changes())
                    self._write_state(owners, state)
                took = max(runs.run(at, last, threads, shared), 1e-9)
                pace.took(shared, last - at, took)
                speed = (last - at) / took
                advance((min(last, iterations) - min(at, iterations)) * count)
                # At most 4 times as long: the last may have compiled, and the next may be slow.
                if most is None:
                    step = max(1, min(self._step(speed, runs.blocks), 4 * step))
                at = last
                if at > iterations:
                    break
                before, over = over, int(np.count_nonzero(runs.ended >= 0))
                if over > before and self._are_few(batch, runs, keys):
                    runs.bring_back()
                    runs.leave()
                    ended = runs.ended >= 0
                    going = np.flatnonzero(~ended)
                    self._collect(batch, runs, np.flatnonzero(ended), owners, keys)
                    owners, keys = owners[going], None if keys is None else keys[going]
                    if len(going):
                        lanes = batch.lanes(keys, len(going), threads)
                        runs, over = runs.pack(going, lanes), 0
            if len(owners):
                runs.bring_back()
                runs.leave()
                self._collect(batch, runs, np.arange(len(owners)), owners, keys, with_state=not cut)
            loaded.give_back()
            advance((iterations - min(at, iterations)) * count)
        finally:
            runs.leave()  # also if the work is interrupted, or has failed

    def _start(self, session: Session, runs: Index, lanes: Index) -> LoadedRuns:
        """Load these runs, or take up spare ones."""
        load = partial(self._load, session, runs, lanes)
        if self.plan.spare is None:
            return LoadedRuns(load())
        alpha, seed = self.plan.alpha, int(self.seeds[0])
        return self.plan.spare.take(session, self.first, alpha, seed, load)

    def _are_few(self, batch: RunBatch, runs: Runs, keys: Index | None) -> bool:
        """Whether half of the blocks are enough for the runs that haven't ended."""
        going = np.flatnonzero(runs.ended < 0)
        own = None if keys is None else keys[going]
        return len(batch.lanes(own, len(going), self.plan.threads)) <= runs.blocks // 2

    def _step(self, speed: float, blocks: int) -> int:
        """Iterations of the next call: fewer where blocks might be repacked without ended runs."""
        if not self.plan.may_end or blocks == 1:
            return int(speed * CHUNK_SECONDS)
        shortest = int(speed * CALL_SECONDS)
        calls = CALLS if self.plan.layout.recipe.curvature is None else CURVED_CALLS
        return min(int(speed * CHUNK_SECONDS), max(shortest, self.plan.task.iterations // calls))

    def _collect(
        self,
        batch: RunBatch,
        runs: Runs,
        which: Index,
        owners: Index,
        keys: Index | None,
        *,
        with_state: bool = True,
    ) -> None:
        """Store the results of these runs."""
        trained, task, whose = self.trained, self.plan.task, owners[which]
        records, iterations = task.records, task.iterations
        runs = runs.some(which)
        ended, final = runs.ended, runs.end("final")
        errors, losses = runs.curve("errors"), runs.curve("losses")
        curves = [(trained.errors, errors), (trained.losses, losses)]
        last, held_final = errors[:, records], np.empty(0)
        if self.plan.samples.holds_out:
            held = runs.curve("held_errors")
            curves.append((trained.held_errors, held))
            held_final = held[:, records]
        if len(trained.path):
            curves.append((trained.path, runs.path()))
        for kept, curve in curves:
            kept[whose] = curve[:, :records]
        parameters, changes = runs.parameters(), runs.changes()
        over = as_over = ended >= 0
        if over.any():
            # A run whose weights have just overflowed has no error after that update.
            beyond = task.recorded > (ended - np.isnan(final))[:, None]
            run, record = np.nonzero(beyond & over[:, None])
            for kept, _ in curves:
                kept[whose[run], record] = np.nan
            last = np.where(over, final, last)
            if len(held_final):
                held_final = np.where(over, runs.end("held_final"), held_final)
            # A run stopped by the very last evaluation can be resumed, as a longer run would not
            # have been evaluated there.
            finite = np.isfinite(parameters).all(axis=1)
            as_over = over & ~((ended == iterations) & finite)
        if self.keep.state and with_state:
            self._write_state(whose, runs.state(as_over, parameters, changes))
        restoring = runs.session.layout.recipe.best is not None
        best, best_error = runs.best() if restoring else (np.empty((0, 0)), np.empty(0))
        end = Ended(
            ended=np.where(over, ended, iterations),
            outcome=runs.end("outcome"),
            final=last,
            held_final=held_final,
            parameters=parameters,
            changes=changes,
            watch=runs.watch() if runs.session.layout.watched else np.empty((0, 0)),
            is_watched=self._are_watched(whose),
            best=best,
            best_error=best_error,
            bayesian=bayesian_of(runs.corrections, runs.session.layout.recipe),
        )
        trained.write(whose, self.plan, end)
        trained.final_loss[whose] = losses[:, records]
        at = np.flatnonzero(over | end.has_best if restoring else over)
        if len(at):
            mine = None if keys is None else keys[which[at]]
            trained.final_loss[whose[at]] = self._losses_of(
                batch, runs.session, whose[at], mine, end.given_back(self.plan)[at]
            )

    def _losses_of(
        self, batch: RunBatch, session: Session, whose: Index, keys: Index | None, parameters: Any
    ) -> NDArray[np.float64]:
        """The losses at these parameters (n, P), where no recorded loss belongs to them.

        That is so for runs that ended between two records, and for the parameters of the smallest
        error. NaN if a parameter is not finite.
        """
        losses = np.full(len(whose), np.nan)
        finite = np.flatnonzero(np.isfinite(parameters).all(axis=1))
        if len(finite):
            lanes = batch.lanes(None if keys is None else keys[finite], len(finite), 1)
            runs = replace(session, iterations=0).load(
                parameters[finite],
                columns=self._columns_of(whose[finite]),
                parts=self._parts(whose[finite]),
                lanes=lanes,
            )
            runs.run(0, 1, self.plan.threads)
            runs.bring_back()
            runs.leave()
            losses[finite] = runs.curve("losses")[:, 0]
        return losses

    def _write_state(self, whose: Index, state: State) -> None:
        """Store the state of these runs."""
        if self.plan.runs == 1:
            self.trained.state = state
            return
        kept = self.trained.state
        assert kept is not None
        for name, array in state._asdict().items():
            target = getattr(kept, name)
            if name == "tau":  # a batch of runs may have fewer samples than the largest one
                target = target[:, : array.shape[1]]
            target[whose] = array
