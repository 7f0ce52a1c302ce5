"""Worker pools that compute chunks: threads of this process, or the workers of an executor."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from math import inf
from threading import Event
from uuid import uuid4

from fastgd.store.folder import Folder
from fastgd.workers.worker import Answer, Job, Order, Shipment, here, work

FIRST_IN_HAND, MOST_IN_HAND = 8, 4096
"""Chunks submitted to an executor before any of its workers has answered, and at most."""

TRIES = 4
"""Attempts to have an executor compute a chunk."""

SILENCE = 60.0
"""Seconds without an answer from an executor before a warning is issued."""


class Workers:
    """The workers of an executor, of which only ``submit`` is used."""

    tries = TRIES
    patience = SILENCE

    def __init__(self, executor: Executor, threads: int, job: Job, folder: Folder | None) -> None:
        self._executor = executor
        self._shipment = Shipment(job)
        where = None if folder is None else (str(folder.path), folder.manifest.id)
        self._order = Order(self._shipment.job, threads, where)
        self._call, self._serial = uuid4().hex, count()

    @contextmanager
    def at_work(self) -> Iterator["Workers"]:
        """If this code runs in a Dask task, free the task's slot so that its chunks can run."""
        with ExitStack() as stack:
            if type(self._executor).__module__.partition(".")[0] == "distributed":
                from distributed import worker, worker_client

                state = vars(worker)["thread_state"]
                if hasattr(state, "start_time"):  # Dask's own test for running in a task
                    stack.enter_context(worker_client())
            yield self

    def submit(self, chunk: int, along: str) -> "Future[Answer]":
        """Submit a chunk, together with the job or code of the name ``along``, if any."""
        serial = f"{self._call}-{next(self._serial)}"
        if not along:
            return self._executor.submit(work, self._order, chunk, {}, serial)
        parcels = {along: self._shipment.parcel(along)}
        with warnings.catch_warnings():
            # Dask warns of large arguments, but a job is sent only once to each worker.
            warnings.filterwarnings("ignore", "Sending large graph")
            return self._executor.submit(work, self._order, chunk, parcels, serial)

    def most(self, places: int) -> int:
        """Maximum number of submitted chunks, given the number of workers that have answered."""
        return min(FIRST_IN_HAND + 2 * places, MOST_IN_HAND)

    def attempts(self, error: Exception) -> int:
        """How many attempts this error stands for: Dask itself has already made four."""
        return TRIES if type(error).__name__ == "KilledWorker" else 1

    def send_arrays(self) -> None:
        """Have arrays returned from now on, as some worker writes to another disk."""
        self._order = self._order._replace(folder=None)


class _StoppedError(Exception):
    """The caller has stopped waiting for the threads."""


class Threads:
    """Threads of this process: each computes its own chunk, or all of them compute a single one.

    ``each`` is the number of threads per chunk. An error in this process would occur again, so
    each chunk is tried only once.
    """

    tries = 1
    patience = inf

    def __init__(
        self,
        threads: int,
        each: int,
        job: Job,
        folder: Folder | None,
        advance: Callable[[int], None],
    ) -> None:
        self._threads, self._each = threads, each
        self._job, self._folder, self._advance = job, folder, advance
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fastgd")
        self._stopped = Event()

    @contextmanager
    def at_work(self) -> Iterator["Threads"]:
        """Start the threads; on exit, wait until they have stopped, for about 0.1 s."""
        with self._pool:
            try:
                yield self
            finally:
                self._stopped.set()

    def submit(self, chunk: int, _along: str) -> "Future[Answer]":
        """Submit a chunk."""
        return self._pool.submit(self._compute, chunk)

    def most(self, _places: int) -> int:
        """Maximum number of submitted chunks."""
        return self._threads

    def attempts(self, _error: Exception) -> int:
        """How many attempts this error stands for."""
        return 1

    def send_arrays(self) -> None:
        """Return arrays instead of writing them."""
        self._folder = None

    def _compute(self, chunk: int) -> Answer:
        arrays = self._job.compute(chunk, self._each, self._told)
        if self._folder is None:
            return Answer(here(), arrays=arrays)
        self._folder.write(chunk, arrays)
        return Answer(here())

    def _told(self, done: int) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        self._advance(done)
