"""All parts of a job are worked off: in memory, or into a folder until none is missing there.

Threads of this process and the workers of any executor get parts in the same way. Those in hand are
few at first, and twice as many as there are workers once these have been heard of: a worker always
finds a next one, and others who work into the folder find some, too.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from math import inf
from threading import Lock
from time import monotonic
from typing import TypeVar

from fastgd.arguments.warnings import warn
from fastgd.engine.session import available_threads
from fastgd.store.directory import DamageWarning
from fastgd.store.folder import Folder
from fastgd.store.npz import Arrays
from fastgd.workers.job import Job, WorkerOptions
from fastgd.workers.pools import TRIES, Threads, Workers
from fastgd.workers.result_sinks import InBoth, InFolder, InMemory
from fastgd.workers.scheduler import LostExecutorError, Scheduler

TURN = 0.1
"""Seconds until claims are looked after, if no part is done before."""

Advance = Callable[[int], None]
Keeper = InMemory | InFolder
AnyFolder = TypeVar("AnyFolder", bound=InFolder)


def run_job(job: Job, crew: WorkerOptions, advance: Advance) -> list[Arrays]:
    """Compute all parts of a job; return the arrays of each, in order.

    ``advance`` is told of what is done, in the units of the job's sizes.

    Raises
    ------
    BrokenExecutor
        If the executor takes no more tasks.
    RuntimeError
        If a part has failed 4 times on an executor; the cause is what it failed with.
    """
    parts = len(job.sizes)
    if crew.executor is None and parts == 1:
        return [job.compute(0, crew.threads, advance)]
    keeper = InMemory(parts)
    _compile(job, crew)
    _work(job, crew, None, keeper, _one_at_a_time(advance))
    return [arrays for arrays in keeper.found if arrays is not None]


def work_into(folder: Folder, job: Job, crew: WorkerOptions, advance: Advance) -> None:
    """Compute the parts of a job that its folder lacks, until it lacks none.

    Other processes may do the same at the same time. ``advance`` is told of what is done, be it
    here, there or before.

    Raises
    ------
    BrokenExecutor, RuntimeError
        As in :func:`run_job`. What is done is kept, and the same call goes on from there.
    OSError
        If the folder can't be read or written to.

    Warns
    -----
    DamageWarning
        If a part was damaged; it is computed anew.
    """
    _fill(folder, job, crew, advance, InFolder)


def results_of(
    job: Job, crew: WorkerOptions, advance: Advance, folder: Folder | None
) -> list[Arrays]:
    """Return the arrays of all parts of a job, in order, and have them in a folder if there is one.

    Raises, warns
    -------------
    As :func:`run_job` or, with a folder, :func:`work_into`.
    """
    if folder is None:
        return run_job(job, crew, advance)
    keeper = _fill(folder, job, crew, advance, InBoth)
    return [arrays for arrays in keeper.read if arrays is not None]


def _fill(
    folder: Folder, job: Job, crew: WorkerOptions, advance: Advance, kind: type[AnyFolder]
) -> AnyFolder:
    for part in folder.damaged():
        warn(f"part {part} in {folder.path} was damaged, and is computed anew", DamageWarning)
        folder.discard(part)
    sizes, told = job.sizes, _one_at_a_time(advance)
    keeper = kind(folder, lambda parts: told(sum(int(sizes[part]) for part in parts)))
    if not keeper.is_complete:
        _compile(job, crew)
        _work(job, crew, folder, keeper, told)
    folder.tidy()
    return keeper


def _compile(job: Job, crew: WorkerOptions) -> None:
    """For the threads of a part, or, where a worker has more, for as many as there are here."""
    job.compile(min(crew.threads_of_part(len(job.sizes)), available_threads()))


class _FailedError(Exception):
    """A part has failed too often."""

    def __init__(self, part: int, error: Exception) -> None:
        super().__init__(part, error)
        self.part, self.error = part, error


def _work(
    job: Job, crew: WorkerOptions, folder: Folder | None, keeper: Keeper, advance: Advance
) -> None:
    """Have all parts computed that the keeper lacks."""
    try:
        if crew.executor is None:
            each = crew.threads_of_part(len(job.sizes))
            with Threads(crew.threads, each, job, folder, advance).at_work() as threads:
                _hand_out(threads, keeper, lambda _part: None)  # they have told of it themselves
        else:
            sizes = job.sizes
            made = Workers(crew.executor, crew.threads_per_worker, job, folder)
            with made.at_work() as workers:
                _hand_out(workers, keeper, lambda part: advance(int(sizes[part])))
        return
    except LostExecutorError as lost:
        raise BrokenExecutor(
            f"executor takes no more tasks: {str(lost).rstrip('.')}; {keeper.summary}"
        ) from lost
    except _FailedError as failed:
        part, error = failed.part, failed.error
    kind = type(error).__name__
    if crew.executor is None:
        raise error
    raise RuntimeError(
        f"part {part} has failed {TRIES} times, the last time with {kind}: {error}; "
        f"{keeper.summary}"
    ) from error


def _hand_out(hands: Threads | Workers, keeper: Keeper, done: Callable[[int], None]) -> None:
    """Hand out parts until none is missing; ``done`` is told of each that has come back."""
    team, failures = Scheduler(hands.submit), Counter[int]()
    worried = monotonic() + hands.patience
    try:
        while not keeper.is_complete:
            while len(team) < hands.most(len(team.places)):
                part = keeper.take()
                if part is None:
                    break
                team.start(part)
            keeper.tend()
            outcome = team.next(TURN)
            if outcome is None:
                if not team.places and monotonic() > worried:
                    worried = inf
                    warn(
                        f"no worker of executor has answered for {hands.patience:g} s; this call "
                        "keeps waiting, forever if it runs in the place of the only worker"
                    )
                continue
            part, arrays, error = outcome
            if error is not None:
                failures[part] += hands.attempts(error)
                if failures[part] >= hands.tries:
                    raise _FailedError(part, error)
                team.start(part)
            elif keeper.keep(part, arrays):
                done(part)
            else:
                hands.send_arrays()
                team.start(part)
    finally:
        for part, arrays, _ in team.leave():
            keeper.keep(part, arrays)
        keeper.release()


def _one_at_a_time(advance: Advance) -> Advance:
    """The same for several threads."""
    lock = Lock()

    def told(done: int) -> None:
        with lock:
            advance(done)

    return told
