"""Execute a job as the arguments executor, out, device, ... say, into memory or into a folder.

Chunks are submitted in the same way to threads of this process and to the workers of any executor:
a few at first, and twice the number of workers once these have answered. So a worker never waits
for its next chunk, and some chunks remain for other processes that fill the same folder. Where
finished chunks go is a sink: memory, or the folder.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import suppress
from functools import partial
from logging import getLogger
from math import inf
from multiprocessing import current_process
from pathlib import Path
from threading import current_thread
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown, warn
from fastgd.checks.numbers import check_count, check_path, check_threads
from fastgd.engine.devices import (
    AUTO,
    CPU,
    DeviceError,
    available_threads,
    check_device,
    looked_for,
)
from fastgd.engine.progress import Advance, ProgressHook, check_progress, reporting
from fastgd.store import Arrays
from fastgd.store.folder import DamageWarning, Folder
from fastgd.store.npz import MissingChunkError
from fastgd.workers.tasks import TRIES, Job, LostExecutorError, Scheduler, Threads, Workers


class WorkerOptions(NamedTuple):
    """How a job is computed: on threads of this process, or on the workers of an executor."""

    executor: Executor | None
    threads: int  # of this process, without an executor
    threads_per_worker: int  # for each chunk that a worker computes
    out: Path | None = None  # the folder for its chunks
    progress: bool | ProgressHook = False
    device: str = CPU
    """Where it is computed: see :mod:`fastgd.engine.devices`."""


def check_worker_options(
    executor: object,
    threads: object,
    threads_per_worker: object = 1,
    out: object = None,
    progress: object = False,
    device: object = CPU,
) -> WorkerOptions:
    """Check these arguments of a public call, and whether the device is there.

    With an executor its workers need the device, not this process.

    Raises
    ------
    TypeError, ValueError
        If one of them is invalid, or if they exclude each other.
    RuntimeError
        If a worker process repeats the call because the script has no main guard.
    DeviceError
        If there is no such GPU.

    Examples
    --------
    >>> check_worker_options(None, 1)
    WorkerOptions(executor=None, threads=1, threads_per_worker=1, out=None, progress=False, \
device='cpu')
    """
    path, hook = None if out is None else check_path("out", out), check_progress(progress)
    where = check_device(device)
    found = check_executor(executor)
    each = check_count("threads_per_worker", threads_per_worker)
    if found is None:
        if each != 1:
            raise ValueError(
                f"threads_per_worker must be left out without an executor, got {each}: "
                "threads is for this process"
            )
        count = check_threads(threads, available_threads())
        return WorkerOptions(None, count, 1, path, hook, looked_for(where))
    if getattr(current_process(), "_inheriting", False):  # multiprocessing's own check
        raise RuntimeError(
            "a script whose executor starts processes must have its calls below "
            "if __name__ == '__main__': each of the processes begins by reading the script"
        )
    if threads is not None:
        raise ValueError(
            f"threads must be left out with an executor, got {shown(threads)}: "
            "threads_per_worker is for its workers"
        )
    if where == AUTO:
        raise ValueError(
            f"device must be 'cpu', 'cuda' or 'cuda:0' with an executor, got {shown(where)}: its "
            "workers may have other devices"
        )
    return WorkerOptions(found, 1, each, path, hook, where)


def check_executor(value: object) -> Executor | None:
    """Return value if it is None or an executor that can run this call's work.

    Raises
    ------
    TypeError
        If it is anything else.
    ValueError
        If the call might wait forever: it runs in a thread of that same pool, or in a process that
        was forked from the pool's process.

    Examples
    --------
    >>> check_executor(4)
    Traceback (most recent call last):
    ...
    TypeError: executor must be a concurrent.futures.Executor, such as a ProcessPoolExecutor() or \
Dask's client.get_executor(), got 4
    """
    if value is None:
        return None
    if not isinstance(value, Executor):
        raise TypeError(
            "executor must be a concurrent.futures.Executor, such as a ProcessPoolExecutor() or "
            f"Dask's client.get_executor(), got {shown(value)}"
        )
    # The pool's set of threads doesn't contain a thread that has only just started, but each thread
    # has the pool's queue among its arguments.
    queue, given = getattr(value, "_work_queue", None), getattr(current_thread(), "_args", ())
    if queue is not None and any(argument is queue for argument in given):
        raise ValueError(
            "executor must not be the pool in whose thread this call runs, since all its threads "
            f"might wait for each other, got {shown(value)}: leave it out"
        )
    if not _is_of_this_process(value):
        raise ValueError(
            "executor must be created in the process that uses it, since a fork does not copy its "
            f"threads, got {shown(value)} of another process"
        )
    return value


def _is_of_this_process(executor: Executor) -> bool:
    """Whether a pool of Python or loky was created in this process, as far as one can tell.

    Neither offers a way to ask. But the queue of a process pool knows its process, and the threads
    of a pool that still accepts tasks are dead only if they were lost in a fork.
    """
    queue = getattr(executor, "_call_queue", None)
    if getattr(queue, "_opid", os.getpid()) != os.getpid():
        return False
    if getattr(executor, "_shutdown", False) or getattr(executor, "_broken", False):
        return True
    return all(thread.is_alive() for thread in getattr(executor, "_threads", ()))


# ---------------------------------------------------------------- chunks, and where they go

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
        """Do nothing: there are no leases to renew, or to give up."""

    release = tend

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
    """Results in a folder; ``tell`` is called with chunks that other processes have written.

    With ``reads`` each is also read into memory as soon as it is found, so nothing is lost if
    another process that has read all chunks removes the folder.
    """

    def __init__(
        self, folder: Folder, tell: Callable[[list[int]], None], *, reads: bool = False
    ) -> None:
        self._folder, self._tell, self._reads = folder, tell, reads
        self.found: list[Arrays | None] = [None] * folder.chunk_count if reads else []
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
            self._tell(sorted(self._taken))
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
            self._tell(found)
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
        return np.array([arrays is not None for arrays in self.found])

    def _read(self, chunk: int, arrays: Arrays | None) -> None:
        """Keep a chunk's arrays in memory, with ``reads``; None if the folder has them."""
        if self._reads and (arrays is not None or self.found[chunk] is None):
            with suppress(MissingChunkError):  # another process has just removed it
                self.found[chunk] = self._folder.read(chunk) if arrays is None else arrays


ResultSink = InMemory | InFolder
Pool = Threads | Workers


def run_job(
    job: Job,
    worker_options: WorkerOptions,
    advance: Advance,
    folder: Folder | None = None,
    *,
    reads: bool = True,
) -> list[Arrays]:
    """Compute all chunks of a job; return the arrays of each, in order.

    With a ``folder`` these are the chunks that are missing there, until it is complete; other
    processes may do the same at the same time. Unless it ``reads`` them, the arrays stay there, and
    none are returned. ``advance`` is called with all work that is done, by this call, by other
    processes, or before the call, in the units of the job's sizes.

    Raises
    ------
    BrokenExecutor
        If the executor takes no more tasks.
    RuntimeError
        If a chunk has failed 4 times on an executor; its cause is the last error. If that is a
        DeviceError, it is one, too. Chunks in a folder are kept, and the same call resumes from
        them.
    OSError
        If the folder can't be read or written to.

    Warns
    -----
    DamageWarning
        If a chunk was corrupt; it is computed again.
    """
    sizes = job.sizes

    def tell(chunks: list[int], arrays: Arrays | None = None) -> None:
        for chunk in chunks:
            advance(int(sizes[chunk]), partial(_errors_of, folder, chunk, arrays))

    sink: ResultSink = InMemory(len(sizes))
    if folder is not None:
        for chunk in folder.damaged():
            warn(f"chunk {chunk} in {folder.path} was corrupt: computed again", DamageWarning)
            folder.discard(chunk)
        sink = InFolder(folder, tell, reads=reads)
    elif worker_options.executor is None and len(sizes) == 1:
        return [job.compute(0, worker_options.threads, advance)]
    if not sink.is_complete:
        _work(job, worker_options, folder, sink, advance, tell)
    if folder is not None:
        folder.tidy()
    return [arrays for arrays in sink.found if arrays is not None]


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

    Raises and warns as :func:`run_job`.
    """
    folder = None
    if worker_options.out is not None:
        folder = Folder.create(worker_options.out, kind, asked, {}, arrays, len(job.sizes))
    with reporting(worker_options.progress, sum(job.sizes), unit) as advance:
        return run_job(job, worker_options, advance, folder)


def _work(
    job: Job,
    worker_options: WorkerOptions,
    folder: Folder | None,
    sink: ResultSink,
    advance: Advance,
    tell: Callable[..., None],
) -> None:
    """Have all chunks computed that are missing in the sink."""
    try:
        if worker_options.executor is None:
            each = worker_options.threads if len(job.sizes) == 1 else 1
            job.compile(each)  # in this thread, where Ctrl-C interrupts it
            made: Pool = Threads(worker_options.threads, each, job, folder, advance)
            tell = lambda *_: None  # noqa: E731 - threads call advance themselves
        else:
            made = Workers(worker_options.executor, worker_options.threads_per_worker, job, folder)
        with made.at_work() as pool:
            failed = _hand_out(pool, sink, advance, tell)
    except LostExecutorError as lost:
        raise BrokenExecutor(
            f"executor takes no more tasks: {str(lost).rstrip('.')}; {sink.summary}"
        ) from lost
    if failed is None:
        return
    chunk, error = failed
    kind = type(error).__name__
    if worker_options.executor is None:
        raise error
    raise (DeviceError if isinstance(error, DeviceError) else RuntimeError)(
        f"chunk {chunk} has failed {TRIES} times, the last time with {kind}: {error}; "
        f"{sink.summary}"
    ) from error


def _errors_of(folder: Folder | None, chunk: int, arrays: Arrays | None) -> NDArray[np.float64]:
    """The errors in a chunk's arrays, which are in the folder if they are None."""
    found = [np.empty(0)]
    for name in ("errors", "final_error"):
        with suppress(LookupError, OSError, TypeError, ValueError):  # anything may be in a file
            given = folder.read(chunk, [name]) if arrays is None and folder else arrays or {}
            found.append(given[name].astype(np.float64).ravel())
    return np.concatenate(found)


def _hand_out(
    pool: Pool, sink: ResultSink, advance: Advance, tell: Callable[..., None]
) -> tuple[int, Exception] | None:
    """Submit chunks until none is missing; ``tell`` is called with each finished one.

    Returns the first one that has failed too many times, with its last error.
    """
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
            advance(0)
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
                # Dask itself has made four attempts before it says that.
                failures[chunk] += TRIES if type(error).__name__ == "KilledWorker" else 1
                if failures[chunk] >= pool.tries:
                    return chunk, error
                getLogger("fastgd").info("chunk %d is computed again: %r", chunk, error)
                scheduler.start(chunk)
            elif sink.keep(chunk, arrays):
                tell([chunk], arrays)
            else:
                getLogger("fastgd").info("chunk %d is computed again: it is not there", chunk)
                pool.send_arrays()
                scheduler.start(chunk)
        return None
    finally:
        for chunk, arrays, _ in scheduler.leave():
            sink.keep(chunk, arrays)
        sink.release()
