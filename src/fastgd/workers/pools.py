"""Who computes chunks: threads of this process, or the workers of an executor."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from math import inf
from threading import Event
from uuid import uuid4

from fastgd.store.folder import Folder
from fastgd.workers.job import Job
from fastgd.workers.payloads import Shipment
from fastgd.workers.worker import Answer, Order, here, work

FIRST_IN_HAND, MOST_IN_HAND = 8, 4096
"""Chunks that an executor has at once before any of its workers is known, and at most."""

TRIES = 4
"""How often an executor is asked for a chunk."""

SILENCE = 60.0
"""Seconds without any answer of an executor until its caller is warned."""


class Workers:
    """The workers of an executor, of which nothing is known but that it takes tasks."""

    tries = TRIES
    patience = SILENCE

    def __init__(self, executor: Executor, threads: int, job: Job, folder: Folder | None) -> None:
        self._executor = executor
        self._shipment = Shipment(job)
        where = None if folder is None else (str(folder.path), folder.id)
        self._order = Order(self._shipment.job, threads, where)
        self._call, self._serial = uuid4().hex, count()

    @contextmanager
    def at_work(self) -> Iterator["Workers"]:
        """A task of Dask gives its place at its worker to the chunks that it waits for."""
        with ExitStack() as stack:
            if type(self._executor).__module__.partition(".")[0] == "distributed":
                from distributed import worker, worker_client

                state = vars(worker)["thread_state"]
                if hasattr(state, "start_time"):  # as Dask itself finds out
                    stack.enter_context(worker_client())
            yield self

    def submit(self, chunk: int, along: str) -> "Future[Answer]":
        """Let a chunk be computed, with what has this name along, if any."""
        serial = f"{self._call}-{next(self._serial)}"
        if not along:
            return self._executor.submit(work, self._order, chunk, {}, serial)
        parcels = {along: self._shipment.parcel(along)}
        with warnings.catch_warnings():
            # Dask's: a job is as large as its data, and goes to each worker once.
            warnings.filterwarnings("ignore", "Sending large graph")
            return self._executor.submit(work, self._order, chunk, parcels, serial)

    def most(self, places: int) -> int:
        """How many chunks they may have at once, as they were heard of from so many places."""
        return min(FIRST_IN_HAND + 2 * places, MOST_IN_HAND)

    def attempts(self, error: Exception) -> int:
        """How many attempts have ended with this error: Dask makes four by itself."""
        return TRIES if type(error).__name__ == "KilledWorker" else 1

    def send_arrays(self) -> None:
        """Have arrays sent here from now on: some worker writes to another disk."""
        self._order = self._order._replace(folder=None)


class _StoppedError(Exception):
    """The caller has left."""


class Threads:
    """Threads of this process, each with a chunk of its own, or all of them with a single one.

    ``each`` says how many a chunk is computed on.

    What goes wrong in one of them would do so again, so a chunk is tried once.
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
        """Who leaves waits until they have stopped, for some 0.1 s."""
        with self._pool:
            try:
                yield self
            finally:
                self._stopped.set()

    def submit(self, chunk: int, _along: str) -> "Future[Answer]":
        """Let a chunk be computed."""
        return self._pool.submit(self._compute, chunk)

    def most(self, _places: int) -> int:
        """How many chunks they may have at once."""
        return self._threads

    def attempts(self, _error: Exception) -> int:
        """How many attempts have ended with this error."""
        return 1

    def send_arrays(self) -> None:
        """Leave it to the caller to write."""
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
