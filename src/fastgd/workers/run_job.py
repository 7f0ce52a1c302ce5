"""Execute a job: compute all of its chunks, in memory or into a folder.

Chunks are submitted in the same way to threads of this process and to the workers of any executor:
a few at first, and twice the number of workers once these have answered. So a worker never waits
for its next chunk, and some chunks remain for other processes that fill the same folder.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from math import inf
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

from fastgd.checks.messages import warn
from fastgd.engine.devices import CPU, DeviceError, available_threads
from fastgd.engine.progress import progress_bar
from fastgd.store import Arrays
from fastgd.store.folder import DamageWarning, Folder
from fastgd.workers.pools import TRIES, LostExecutorError, Scheduler, Threads, Workers
from fastgd.workers.run_job import InBoth, InFolder, InMemory
from fastgd.workers.worker import Job
from fastgd.workers.worker_options import WorkerOptions

TURN = 0.1
"""Maximum seconds between two checks whether leases must be renewed."""

Advance = Callable[[int], None]
ResultSink = InMemory | InFolder
FolderSink = TypeVar("FolderSink", bound=InFolder)


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
    _compile(job, worker_options)
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
    _fill(folder, job, worker_options, advance, InFolder)


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
        sink = _fill(folder, job, worker_options, advance, InBoth)
        return [found for found in sink.read if found is not None]


def _fill(
    folder: Folder,
    job: Job,
    worker_options: WorkerOptions,
    advance: Advance,
    kind: type[FolderSink],
) -> FolderSink:
    for chunk in folder.damaged():
        warn(f"chunk {chunk} in {folder.path} was corrupt: computed again", DamageWarning)
        folder.discard(chunk)
    sizes, report = job.sizes, _one_at_a_time(advance)
    sink = kind(folder, lambda chunks: report(sum(int(sizes[chunk]) for chunk in chunks)))
    if not sink.is_complete:
        _compile(job, worker_options)
        _work(job, worker_options, folder, sink, report)
    folder.tidy()
    return sink


def _compile(job: Job, worker_options: WorkerOptions) -> None:
    """Compile the job's code for the threads of a chunk, but at most those of this process.

    Not for GPUs of workers: this process may have none.
    """
    if worker_options.executor is not None and worker_options.device != CPU:
        return
    job.compile(min(worker_options.threads_per_chunk(len(job.sizes)), available_threads()))


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
            each = worker_options.threads_per_chunk(len(job.sizes))
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
