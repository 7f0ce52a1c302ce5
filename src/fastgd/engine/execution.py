"""The runs of a plan are executed: it becomes calls of the kernel, and these become results.

A batch of runs is executed in passes over some of its blocks. A pass loads its runs at their start,
takes them through the iterations in calls that are as long as their speed allows, packs them into
fewer blocks as runs end, and collects what they result in.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import inf
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import warn
from fastgd.engine.devices import AUTO, CPU, CUDA, devices_of, kept
from fastgd.engine.layout import Sharing
from fastgd.engine.packing import RunBatch, by_part, lanes_of
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.progress import Advance, unreported
from fastgd.engine.results import State, TrainedRuns, put_state
from fastgd.engine.session import CHUNK_SECONDS, Runs, Session, layout_for
from fastgd.formulas.measures import SHARPNESS
from fastgd.kernel.block import DIVERGED
from fastgd.kernel.cuda import DeviceError
from fastgd.kernel.language.numba_internals import processor

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
    advance: Advance,
    state: State | None = None,
) -> TrainedRuns:
    """Train from initial parameters (starts, P); ``seeds`` (starts,) are for random masks.

    With a ``state``, resume all runs after ``plan.task.done`` iterations instead. ``advance`` is
    called with the number of updates that have been done since its last call, and their errors.
    """
    plan = plan_on_a_device(plan, first, seeds)
    if plan.device != CPU:
        plan.check_room()
    work = _Work(plan, first, seeds, keep, state)
    if state is not None:
        advance(len(work.take_over(state)) * plan.task.updates)
    for batch, session in plan.batches:
        work.train(batch, session, advance)
        vars(session).pop("_shared", None)  # padded samples are freed, while plans live on
    foreign = [batch.runs() for batch, _ in plan.batches if not batch.is_exact]
    if foreign:  # those that diverged in a block with samples of other runs are trained again
        runs = np.sort(np.concatenate(foreign))
        runs = runs[work.trained.outcome[runs] == DIVERGED]
        if len(runs):
            batch, session = by_part(plan.samples, runs, plan.of_part, 1), plan.batches[0][1]
            old = session.layout
            layout = layout_for(
                old.network, 1, batch.size, old.recipe, old.batch, old.window, batch.sharing
            )
            work.train(batch, replace(session, layout=layout, device=CPU), unreported)
    if SHARPNESS in (plan.method.measure or ()):
        from fastgd.engine.sharpness import put_sharpness  # few need it

        put_sharpness(plan, work.trained)
    return work.trained


def loaded(plan: Plan, first: NDArray[np.float64], seeds: NDArray[np.int64]) -> Runs:
    """Load all runs of a plan's only batch at their start."""
    [(batch, session)] = plan.batches
    lanes = batch.lanes(batch.keys, len(batch.order), 1)
    work = _Work(plan, first, seeds, Keep())
    return work.load(session, batch.runs(), lanes)


def _speed(plan: Plan, first: NDArray[np.float64], seeds: NDArray[np.int64]) -> float:
    """Measure the updates in a second of the runs that are trained first."""
    batch, session = plan.batches[0]
    work = _Work(plan, first, seeds, Keep())
    owners, _, lanes = next(work.passes(batch, session))
    runs = work.load(session, owners, lanes)
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
    state: State | None = None

    @cached_property
    def trained(self) -> TrainedRuns:
        return TrainedRuns.empty(self.plan, self.keep)

    def take_over(self, state: State) -> Integers:
        """Copy the results of the runs that had ended before, and return these."""
        over = np.flatnonzero(state.ended >= 0)
        trained, past = self.trained, state.at(over)
        curves = (trained.errors, trained.losses, trained.held_errors, trained.path)
        for curve in (*curves, trained.measured, trained.final_loss):
            if len(curve):
                curve[over] = np.nan
        if self.keep.state and len(over):
            planned = np.full(len(over), self.plan.task.iterations)
            trained.write_state(over, past._replace(planned=planned))
        trained.write(self.plan, over, past, past.final, past.validation_final)
        return over

    def train(self, batch: RunBatch, session: Session, advance: Advance) -> None:
        """Train a batch of runs, some of its blocks at a time."""
        for owners, keys, lanes in self.passes(batch, session):
            self._train(batch, session, owners, keys, lanes, advance)

    def passes(
        self, batch: RunBatch, session: Session
    ) -> Iterator[tuple[Integers, Integers | None, Integers]]:
        """Yield the runs of some blocks at a time, with their keys and lanes."""
        plan = self.plan
        if self.state is not None:
            runs, keys = batch.runs(), batch.keys
            going = self.state.ended[runs] < 0
            own = None if keys is None else keys[going]
            batch = replace(batch, order=runs[going], keys=own)
        count, keys, wide, begin = len(batch.order), batch.keys, session.layout.runs, 0
        if 0 < count <= wide and keys is None and session.device == CPU:
            yield batch.runs(), None, batch.lanes(None, count, plan.threads)
            begin = count
        while begin < count:
            size = batch.size
            if batch.sharing in (Sharing.PART, Sharing.NONE):
                size = int(plan.samples.sizes[batch.order[begin] // plan.of_part])
            blocks = plan.blocks_per_pass(session, size)
            if session.device != CPU:
                blocks = min(blocks, session.room(size, batch.held_size, plan.sharers(session)))
            end = min(count, begin + blocks * wide)
            mine = batch.runs(begin, end)
            if keys is not None:
                lanes = lanes_of(keys[begin:end], end - begin, wide)[:blocks]
                end = begin + int(lanes[-1, -1]) + 1
                mine = mine[: end - begin]
            own = None if keys is None else keys[begin:end]
            yield mine, own, batch.lanes(own, len(mine), plan.threads)
            begin = end

    def load(self, session: Session, runs: Integers, lanes: Integers) -> Runs:
        """Load these runs at their start."""
        plan = self.plan
        axes, along = plan.places(runs), plan.along
        parts, alpha, start = axes[0], axes[along[0]], axes[along[-1]]
        columns = plan.columns_at(axes)
        if self.state is None:
            first, seeds = self.first[start], self.seeds[start]
            return session.load(first, plan.alpha[alpha], columns, seeds, parts, lanes)
        state = self.state.at(runs)
        first, seeds = state.parameters, state.seeds
        loaded = session.load(first, plan.alpha[alpha], columns, seeds, parts, lanes)
        put_state(state.at(lanes.ravel()), loaded)
        return loaded

    def _train(
        self,
        batch: RunBatch,
        session: Session,
        owners: Integers,
        keys: Integers | None,
        lanes: Integers,
        advance: Advance,
    ) -> None:
        """Take runs through all iterations, in calls of about CHUNK_SECONDS.

        Runs that have ended are dropped: once half of the blocks would be enough, the others are
        packed into fewer blocks. So the total work is about the sum of what the single runs need.
        """
        iterations, threads = self.plan.task.iterations, self.plan.threads
        count, over, at = len(owners), 0, self.plan.task.done
        runs = self.load(session, owners, lanes)
        blocks, seconds = len(lanes), session.seconds()
        step = max(1, self._step(1 / (seconds * -(-blocks // threads)), blocks))
        if session.device != CPU:
            step = max(1, step // FIRST_ON_GPU)
        # The last evaluation of the monitored error isn't part of the state.
        cut = self.keep.state and session.layout.recipe.watch is not None
        pace = ThreadTuning(session.layout.threads, seconds)
        try:
            while at <= iterations and len(owners):  # `iterations` only measures the final error
                shared, most = pace.next()
                last = min(at + min(step, most or step), iterations + 1)
                if cut and at < iterations:
                    last = min(last, iterations)
                elif cut:
                    runs.bring_back()
                    self.trained.keep_state(runs, owners)
                took = max(runs.run(at, last, threads, shared), 1e-9)
                pace.took(shared, last - at, took)
                new = partial(runs.recorded, at, last) if session.device == CPU else None
                advance((min(last, iterations) - min(at, iterations)) * count, new)
                # At most 4 times as long: the last may have compiled, and the next may be slow.
                if most is None:
                    blocks = len(runs.block.numbers)
                    step = max(1, min(self._step((last - at) / took, blocks), 4 * step))
                at = last
                if at <= iterations:
                    runs, owners, keys, over = self._repacked(batch, runs, owners, keys, over)
            if len(owners):
                runs.bring_back()
                runs.leave()
                self._collect(batch, runs, np.arange(len(owners)), owners, keys, with_state=not cut)
            if at < iterations:  # all runs have ended
                advance((iterations - at) * count)
        finally:
            if session.device != CPU:
                runs.leave()  # also if the work is interrupted, or has failed

    def _repacked(
        self, batch: RunBatch, runs: Runs, owners: Integers, keys: Integers | None, over: int
    ) -> tuple[Runs, Integers, Integers | None, int]:
        """The runs that haven't ended, in fewer blocks once half of the blocks are enough.

        ``over`` is how many had ended when that was last asked. Also returns whose runs these are,
        with their keys, and how many of them have ended. At a quarter of the blocks searches took
        0.96 to 1.05 of the time; runs sorted by learning rate, as many blocks.
        """
        ended, threads = runs.ended >= 0, self.plan.threads
        before, over = over, int(np.count_nonzero(ended))
        if over == before:
            return runs, owners, keys, over
        going = np.flatnonzero(~ended)
        lanes = batch.lanes(None if keys is None else keys[going], len(going), threads)
        if len(lanes) > len(runs.block.numbers) // 2:
            return runs, owners, keys, over
        runs.bring_back()
        runs.leave()
        ended = runs.ended >= 0  # on a GPU more of them may have
        going = np.flatnonzero(~ended)
        self._collect(batch, runs, np.flatnonzero(ended), owners, keys)
        owners, keys = owners[going], None if keys is None else keys[going]
        if len(going):
            runs = runs.pack(going, batch.lanes(keys, len(going), threads))
        return runs, owners, keys, 0

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
        which: Integers,
        owners: Integers,
        keys: Integers | None,
        *,
        with_state: bool = True,
    ) -> None:
        """Store the results of these runs.

        The losses are measured at parameters that no recorded loss belongs to: of runs that ended
        between two records, and those of the smallest error. NaN if a parameter is not finite.
        """
        plan, whose, to_resume = self.plan, owners[which], self.keep.state and with_state
        at, parameters = self.trained.collect(plan, runs, which, whose, to_resume=to_resume)
        if not len(at):
            return
        self.trained.final_loss[whose[at]] = np.nan
        is_finite = np.isfinite(parameters).all(axis=1)
        at, parameters = at[is_finite], parameters[is_finite]
        if len(at):
            axes = plan.places(whose[at])
            ended = replace(runs.session, iterations=0).load(
                parameters,
                columns=plan.columns_at(axes),
                parts=axes[0],
                lanes=batch.lanes(None if keys is None else keys[which[at]], len(at), 1),
            )
            ended.run(0, 1, plan.threads)
            ended.bring_back()
            ended.leave()
            self.trained.final_loss[whose[at]] = ended.curve("losses")[:, 0]


# ---------------------------------------------------------------- threads that share an update
# They wait for each other twice in it. On a machine that is busy with other work, each wait may
# last as long as the other processes' time slices: with two more processes on two cores, an update
# of 64-64-10 with 256 samples took 15 ms on two threads and 0.3 ms on one. So both ways are tried
# from time to time, briefly. The choice never changes a bit of the results.

TUNING_SECONDS = 2e-3
"""Approximate length of a trial, measured by the time of one thread."""

FIRST_SECONDS = 1.0
"""Time from a trial to the next one ..."""

LAST_SECONDS = 32.0
"""... which doubles, up to this, as long as the same way stays the faster one."""


class ThreadTuning:
    """Chooses the number of threads of the next call.

    Parameters
    ----------
    threads : int
        Available threads.
    seconds : float
        Estimated time of one iteration on one thread.

    Examples
    --------
    >>> pace = ThreadTuning(2, seconds=1e-4)
    >>> for _ in range(4):  # the first call of each way may have to compile
    ...     threads, most = pace.next()
    ...     print(threads, most)
    ...     pace.took(threads, most, 1e-4 * most / threads)
    2 1
    2 20
    1 1
    1 20
    >>> pace.next()
    (2, None)
    """

    def __init__(self, threads: int, seconds: float) -> None:
        self._threads = threads
        length = max(1, int(TUNING_SECONDS / seconds))
        self._trials = [(1, length), (1, 1), (threads, length), (threads, 1)]
        self._speeds = {1: 0.0, threads: inf}
        self._best = threads
        self._wait, self._due = FIRST_SECONDS, FIRST_SECONDS
        if threads == 1:
            self._trials, self._due = [], inf

    def next(self) -> tuple[int, int | None]:
        """Threads of the next call, and the most iterations that it may have if it is a trial."""
        if not self._trials and self._due <= 0.0:
            self._due = self._wait
            other = 1 if self._best > 1 else self._threads
            length = max(1, int(TUNING_SECONDS * self._speeds[1]))
            self._trials = [(other, length)]
        return self._trials[-1] if self._trials else (self._best, None)

    def took(self, threads: int, iterations: int, seconds: float) -> None:
        """Register the time that a call took."""
        self._speeds[threads] = iterations / max(seconds, 1e-9)
        self._due -= seconds
        if self._trials:
            self._trials.pop()
        if not self._trials:
            best = max(self._speeds, key=lambda way: self._speeds[way])
            self._wait = FIRST_SECONDS if best != self._best else min(2 * self._wait, LAST_SECONDS)
            self._best = best


# ---------------------------------------------------------------- the device "auto"
# It is the faster of this machine's processors and its GPUs, by timing both. Their speeds are
# measured once for a recipe, a network, and numbers of runs and iterations (rounded down to powers
# of 2), and kept with the compiled code. That costs a few iterations on either, whose results are
# dropped. Bits don't depend on it.


LEAST_SECONDS = 1.0
"""Work that a processor does in less is left to it: a GPU's code alone takes longer to make."""

_said: set[str] = set()


class DeviceWarning(UserWarning):
    """Which device ``"auto"`` has chosen."""


def plan_on_a_device(plan: Plan, first: NDArray[np.float64], seeds: NDArray[np.int64]) -> Plan:
    """Choose the device of a plan for "auto"; the other arguments are those of :func:`execute`.

    A warning says what was chosen, once in a process for each choice and reason: other networks
    have other ratios, but are not said again.
    """
    if plan.device != AUTO:
        return plan
    speed = partial(_speed, first=first, seeds=seeds)
    here = plan.on(CPU)
    try:
        gpus = devices_of(CUDA)
    except DeviceError as error:
        return _took(here, f"the CPU: {error}")
    if _estimate(here) < LEAST_SECONDS:
        return _took(here, f"the CPU, where the work takes less than {LEAST_SECONDS:g} s")
    there, layout = plan.on(CUDA), here.layout
    names = ", ".join(str(gpu) for gpu in gpus)
    facts = repr(
        (processor(), here.threads, [(gpu.name, gpu.multiprocessors) for gpu in gpus],
         layout.recipe, layout.network.sizes, layout.samples, layout.batch,
         here.runs.bit_length(), here.task.updates.bit_length())
    )  # fmt: skip
    try:
        there.check_room()
        found = kept("devices", facts, lambda: json.dumps([speed(here), speed(there)]).encode())
    except DeviceError as error:
        return _took(here, f"the CPU: {error}")
    on_cpu, on_gpu = json.loads(found)
    if on_gpu > on_cpu:
        return _took(there, names, f": {_times(on_gpu / on_cpu)} as fast as the CPU")
    return _took(here, "the CPU", f": {_times(on_cpu / on_gpu)} as fast as {names}")


def _took(plan: Plan, what: str, why: str = "") -> Plan:
    say_chosen(what, why)
    return plan


def say_chosen(what: str, why: str = "") -> None:
    """Warn of what "auto" has chosen, once in a process, whatever ``why`` is."""
    if what not in _said:
        warn(f'device="auto" took {what}{why}', DeviceWarning)
        _said.add(what)


def _estimate(plan: Plan) -> float:
    """Seconds that the processors need, about."""
    blocks = -(-plan.runs // plan.layout.runs)
    of_block = max(session.seconds() for _, session in plan.batches)
    return of_block * blocks * plan.task.updates / plan.threads


def _times(ratio: float) -> str:
    """Two digits of a ratio: 1.4 times, 120 times."""
    return f"{float(f'{ratio:.2g}'):.12g} times"
