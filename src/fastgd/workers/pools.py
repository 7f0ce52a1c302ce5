"""Chunks in the hands of threads of this process, or of the workers of an executor."""

import warnings
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from math import inf
from queue import Empty, SimpleQueue
from threading import Event
from typing import NamedTuple
from uuid import uuid4

from fastgd.store import Arrays
from fastgd.store.folder import Folder
from fastgd.workers.tasks import Answer, Job, Order, Shipment, WorkerState, here, work

Submit = Callable[[int, str], "Future[Answer]"]
"""Submit a chunk, together with the job or code of this name, if it isn't empty."""


class LostExecutorError(Exception):
    """The executor takes no more tasks."""


class Outcome(NamedTuple):
    """The result of a chunk: its arrays (None if the worker has written them), or an error."""

    chunk: int
    arrays: Arrays | None
    error: Exception | None


class _Task(NamedTuple):
    chunk: int
    along: str


class Scheduler:
    """The chunks that an executor is computing, and the workers that have answered so far.

    The same job or code is never sent more often than the number of processes that have asked for
    it: if 8 tasks on 2 workers find no job, it is sent twice. The other tasks wait until it has
    arrived.
    """

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._over: SimpleQueue[Future[Answer]] = SimpleQueue()
        self._tasks: dict[Future[Answer], _Task] = {}
        self._waiting: deque[int] = deque()
        self._under_way: Counter[str] = Counter()
        self._asked: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        self.places: set[WorkerState] = set()

    def __len__(self) -> int:
        """Number of chunks that are submitted, or wait for a job or code to arrive."""
        return len(self._tasks) + len(self._waiting)

    def start(self, chunk: int, along: str = "") -> None:
        """Submit a chunk; raise LostExecutorError if the executor takes no tasks."""
        try:
            future = self._submit(chunk, along)
        except Exception as error:  # BrokenExecutor, RuntimeError after shutdown(), a closed client
            raise LostExecutorError(str(error)) from error
        self._tasks[future] = _Task(chunk, along)
        self._under_way[along] += 1
        future.add_done_callback(self._over.put)

    def next(self, seconds: float) -> Outcome | None:
        """Return the result of some chunk, or None if none is finished within ``seconds``.

        Raises LostExecutorError if the executor is broken.
        """
        with suppress(Empty):
            return self._outcome(self._over.get(timeout=seconds))
        return None

    def leave(self) -> list[Outcome]:
        """Cancel the chunks that have not begun; return the finished ones not yet returned."""
        for future in list(self._tasks):
            future.cancel()
        found = []
        with suppress(Empty):
            while True:
                future = self._over.get_nowait()
                chunk, _ = self._tasks.pop(future)
                with suppress(Exception):
                    answer = future.result()
                    if not answer.missing:
                        found.append(Outcome(chunk, answer.arrays, None))
        return found

    def _outcome(self, future: "Future[Answer]") -> Outcome | None:
        chunk, along = self._tasks.pop(future)
        self._under_way[along] -= 1
        answer, error = None, None
        try:
            answer = future.result()
            if not isinstance(answer, Answer):
                answer, error = (
                    None,
                    TypeError(f"a future must have the result of its task, got {answer!r}"),
                )
        except BrokenExecutor as broken:
            raise LostExecutorError(str(broken)) from broken
        except Exception as raised:
            error = raised
        if along:
            if answer:
                self._asked[along].discard(answer.place[:2])
            for _ in range(len(self._waiting)):
                self.start(self._waiting.popleft())
        if answer is None:
            return Outcome(chunk, None, error)
        self.places.add(answer.place)
        if not answer.missing:
            return Outcome(chunk, answer.arrays, None)
        asked = self._asked[answer.missing]
        asked.add(answer.place[:2])
        if self._under_way[answer.missing] < len(asked):
            self.start(chunk, answer.missing)
        else:
            self._waiting.append(chunk)
        return None


# ---------------------------------------------------------------- pools


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
