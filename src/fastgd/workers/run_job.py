"""Execute a job: compute all of its chunks, into memory or into a folder.

Chunks are submitted in the same way to threads of this process and to the workers of any executor:
a few at first, and twice the number of workers once these have answered. So a worker never waits
for its next chunk, and some chunks remain for other processes that fill the same folder. Where
finished chunks go is a sink: memory, or the folder.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from math import inf
from threading import Lock
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import warn
from fastgd.engine.devices import DeviceError
from fastgd.engine.progress import progress_bar
from fastgd.store import Arrays
from fastgd.store.folder import DamageWarning, Folder
from fastgd.store.npz import MissingChunkError
from fastgd.workers.run_job import WorkerOptions
from fastgd.workers.tasks import TRIES, Job, LostExecutorError, Scheduler, Threads, Workers

Advance = Callable[[int], None]

TURN = 0.1
"""Maximum seconds between two checks whether leases must be renewed."""

RENEWED_EVERY = 3.0
"""Seconds between renewals of leases, which expire after five times that."""

LOOKED_AT_EVERY = 0.5
"""Seconds between scans for chunks of other processes, while they hold all missing chunks."""


class InMemory:
    """Results in memory, which no other process sees."""

    def __init__(self, chunk_count: int) -> None:
        self.found: list[Arrays | None] = [None] * chunk_count
        self._left, self._next = chunk_count, iter(range(chunk_count))

    def take(self) -> int | None:
        """Return a chunk that has not been taken yet, or None."""
        return next(self._next, None)

    def keep(self, chunk: int, arrays: Arrays | None) -> bool:
        """Store the arrays of a chunk; False if there are none."""
        if arrays is not None:
            self._left -= self.found[chunk] is None
            self.found[chunk] = arrays
        return arrays is not None

    def tend(self) -> None:
        """Do nothing: there are no leases to renew."""

    def release(self) -> None:
        """Do nothing: there are no leases to give up."""

    @property
    def is_complete(self) -> bool:
        """Whether no chunk is missing."""
        return not self._left

    @property
    def summary(self) -> str:
        """The end of an error message: how many chunks are finished, and where they are."""
        done = len(self.found) - self._left
        return f"{done} of {len(self.found)} chunks were done, and are lost, as there is no folder"


class InFolder:
    """Results in a folder; ``found`` is called with chunks that other processes have written.

    With ``reads`` each is also read into memory as soon as it is found, so nothing is lost if
    another process that has read all chunks removes the folder.
    """

    def __init__(
        self, folder: Folder, found: Callable[[list[int]], None], *, reads: bool = False
    ) -> None:
        self._folder, self._found, self._reads = folder, found, reads
        self.read: list[Arrays | None] = [None] * folder.chunk_count if reads else []
        self._missing = np.ones(folder.chunk_count, bool)
        self._taken: set[int] = set()
        self._renewed = monotonic()
        self._look()

    def take(self) -> int | None:
        """Lease and return a chunk that nobody computes; None if there is none at the moment."""
        for chunk in self._ahead:
            if self._missing[chunk]:
                self._taken.add(chunk)  # before it is leased, so that Ctrl-C leaves no lease behind
                if self._folder.acquire(chunk):
                    return chunk
                self._taken.discard(chunk)
        if monotonic() >= self._look_at:
            self._look()
        return None

    def keep(self, chunk: int, arrays: Arrays | None) -> bool:
        """Write a chunk, or check that its worker has done so; False if it is missing."""
        if arrays is not None:
            self._folder.write(chunk, arrays)
        elif not self._folder.has(chunk):
            return False
        self._missing[chunk] = False
        self._taken.discard(chunk)
        self._folder.leases.release(chunk)
        self._read(chunk, arrays)
        return True

    def tend(self) -> None:
        """Renew the leases of taken chunks if it is time; to be called regularly."""
        if monotonic() - self._renewed >= RENEWED_EVERY:
            self._folder.leases.renew(self._taken)
            self._renewed = monotonic()

    def release(self) -> None:
        """Give up the leases of chunks that were taken but are not finished."""
        while self._taken:
            self._folder.leases.release(self._taken.pop())

    @property
    def is_complete(self) -> bool:
        """Whether no chunk is missing; the folder is scanned, as chunks may have been removed."""
        if not self._missing.any():
            self._look()
        if self._missing.any():
            return False
        if self._taken:  # their workers have written them, and nobody waits for the answers
            self._found(sorted(self._taken))
            self.release()
        return True

    @property
    def summary(self) -> str:
        """The end of an error message: how many chunks are finished, and where they are."""
        done = np.count_nonzero(self._folder.done())
        return (
            f"{done} of {self._folder.chunk_count} chunks are done, and kept in "
            f"{self._folder.path}: repeat the call, with a new executor if it has one, to resume"
        )

    def _look(self) -> None:
        """Scan for chunks of others; the longer the scan takes, the later is the next one.

        Chunks that were taken keep their leases, and are reported when their answers are there: a
        worker may have written one already.
        """
        begin = monotonic()
        missing, others = ~self._done(), np.ones(len(self._missing), bool)
        others[list(self._taken)] = False
        if found := np.flatnonzero(self._missing & ~missing & others).tolist():
            self._found(found)
        self._missing = missing
        self._ahead: Iterator[int] = iter(np.flatnonzero(missing & others).tolist())
        now = monotonic()
        self._look_at = now + max(LOOKED_AT_EVERY, 20 * (now - begin))

    def _done(self) -> NDArray[np.bool_]:
        """Return which chunks are finished and, with ``reads``, have been read."""
        done = self._folder.done()
        if not self._reads:
            return done
        for chunk in np.flatnonzero(done).tolist():
            self._read(chunk, None)
        return np.array([arrays is not None for arrays in self.read])

    def _read(self, chunk: int, arrays: Arrays | None) -> None:
        """Keep a chunk's arrays in memory, with ``reads``; None if the folder has them."""
        if self._reads and (arrays is not None or self.read[chunk] is None):
            with suppress(MissingChunkError):  # another process has just removed it
                self.read[chunk] = self._folder.read(chunk) if arrays is None else arrays


ResultSink = InMemory | InFolder


def run_job(job: Job, worker_options: WorkerOptions, advance: Advance) -> list[Arrays]:
    """Compute all chunks of a job in memory; return the arrays of each, in order.

    ``advance`` is called with the work that is done, in the units of the job's sizes.

    Raises
    ------
    BrokenExecutor
        If the executor takes no more tasks.
    RuntimeError
        If a chunk has failed 4 times on an executor; its cause is the last error. If that is a
        DeviceError, it is one, too.
    """
    chunks = len(job.sizes)
    if worker_options.executor is None and chunks == 1:
        return [job.compute(0, worker_options.threads, advance)]
    sink = InMemory(chunks)
    _work(job, worker_options, None, sink, _one_at_a_time(advance))
    return [arrays for arrays in sink.found if arrays is not None]


def work_into(folder: Folder, job: Job, worker_options: WorkerOptions, advance: Advance) -> None:
    """Compute the chunks of a job that are missing in a folder, until it is complete.

    Other processes may do the same at the same time. ``advance`` is called with all work that is
    done: by this call, by other processes, or before the call.

    Raises
    ------
    BrokenExecutor, RuntimeError
        As in :func:`run_job`. Finished chunks are kept, and the same call resumes from them.
    OSError
        If the folder can't be read or written to.

    Warns
    -----
    DamageWarning
        If a chunk was corrupt; it is computed again.
    """
    _fill(folder, job, worker_options, advance, reads=False)


def results_of(
    job: Job,
    worker_options: WorkerOptions,
    kind: str,
    asked: dict[str, Any],
    arrays: Arrays,
    unit: str,
) -> list[Arrays]:
    """Compute a job as its options say; return the arrays of all chunks, in order.

    If there is to be a folder, ``kind``, ``asked`` and ``arrays`` say what it holds: see
    :meth:`fastgd.store.folder.Folder.create`. ``unit`` is that of the progress bar.

    Raises and warns as :func:`run_job` or, with a folder, :func:`work_into`.
    """
    folder = None
    if worker_options.out is not None:
        folder = Folder.create(worker_options.out, kind, asked, {}, arrays, len(job.sizes))
    with progress_bar(worker_options.has_bar, sum(job.sizes), unit) as advance:
        if folder is None:
            return run_job(job, worker_options, advance)
        sink = _fill(folder, job, worker_options, advance, reads=True)
        return [found for found in sink.read if found is not None]


def _fill(
    folder: Folder, job: Job, worker_options: WorkerOptions, advance: Advance, *, reads: bool
) -> InFolder:
    for chunk in folder.damaged():
        warn(f"chunk {chunk} in {folder.path} was corrupt: computed again", DamageWarning)
        folder.discard(chunk)
    sizes, report = job.sizes, _one_at_a_time(advance)
    sink = InFolder(
        folder, lambda chunks: report(sum(int(sizes[chunk]) for chunk in chunks)), reads=reads
    )
    if not sink.is_complete:
        _work(job, worker_options, folder, sink, report)
    folder.tidy()
    return sink


class _FailedError(Exception):
    """A chunk has failed too many times."""

    def __init__(self, chunk: int, error: Exception) -> None:
        super().__init__(chunk, error)
        self.chunk, self.error = chunk, error


def _work(
    job: Job,
    worker_options: WorkerOptions,
    folder: Folder | None,
    sink: ResultSink,
    advance: Advance,
) -> None:
    """Have all chunks computed that are missing in the sink."""
    try:
        if worker_options.executor is None:
            each = worker_options.threads if len(job.sizes) == 1 else 1
            job.compile(each)  # in this thread, where Ctrl-C interrupts it
            with Threads(worker_options.threads, each, job, folder, advance).at_work() as threads:
                _hand_out(threads, sink, lambda _chunk: None)  # threads call advance themselves
        else:
            sizes = job.sizes
            made = Workers(worker_options.executor, worker_options.threads_per_worker, job, folder)
            with made.at_work() as workers:
                _hand_out(workers, sink, lambda chunk: advance(int(sizes[chunk])))
        return
    except LostExecutorError as lost:
        raise BrokenExecutor(
            f"executor takes no more tasks: {str(lost).rstrip('.')}; {sink.summary}"
        ) from lost
    except _FailedError as failed:
        chunk, error = failed.chunk, failed.error
    kind = type(error).__name__
    if worker_options.executor is None:
        raise error
    raise (DeviceError if isinstance(error, DeviceError) else RuntimeError)(
        f"chunk {chunk} has failed {TRIES} times, the last time with {kind}: {error}; "
        f"{sink.summary}"
    ) from error


def _hand_out(pool: Threads | Workers, sink: ResultSink, done: Callable[[int], None]) -> None:
    """Submit chunks until none is missing; ``done`` is called with each finished one."""
    scheduler, failures = Scheduler(pool.submit), Counter[int]()
    worried = monotonic() + pool.patience
    try:
        while not sink.is_complete:
            while len(scheduler) < pool.most(len(scheduler.places)):
                chunk = sink.take()
                if chunk is None:
                    break
                scheduler.start(chunk)
            sink.tend()
            outcome = scheduler.next(TURN)
            if outcome is None:
                if not scheduler.places and monotonic() > worried:
                    worried = inf
                    warn(
                        f"no worker of executor has answered for {pool.patience:g} s; this call "
                        "keeps waiting, forever if it runs in the place of the only worker"
                    )
                continue
            chunk, arrays, error = outcome
            if error is not None:
                failures[chunk] += pool.attempts(error)
                if failures[chunk] >= pool.tries:
                    raise _FailedError(chunk, error)
                scheduler.start(chunk)
            elif sink.keep(chunk, arrays):
                done(chunk)
            else:
                pool.send_arrays()
                scheduler.start(chunk)
    finally:
        for chunk, arrays, _ in scheduler.leave():
            sink.keep(chunk, arrays)
        sink.release()


def _one_at_a_time(advance: Advance) -> Advance:
    """The same function, made thread-safe."""
    lock = Lock()

    def locked(done: int) -> None:
        with lock:
            advance(done)

    return locked
