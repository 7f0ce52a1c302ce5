"""A job, the task that computes a chunk of it in a worker, and what the worker is sent on request.

A task is tiny: the hash of the job and the index of a chunk. A worker that doesn't have the job
answers with its name instead of computing, and the caller submits the chunk again together with the
job. Files of compiled code are sent in the same way; a worker with another processor, other
versions or other sources asks for a file that the caller doesn't have, and then compiles. So data
are sent once per worker rather than once per chunk, using nothing but ``submit`` and ``result``.

The code of a small training is a file of 0.5 MB, sent as 0.16 MB. Without it, two workers without a
shared cache (of a pool, and of Dask) had computed a small sweep after 1.4 s instead of 0.6 to 0.9,
and one of three kernels after 2.1 to 3.7 s instead of 0.7 to 0.9 (medians of alternating runs on
two cores). If the caller has no code either, workers compile at once: to wait for the caller's took
as long.
"""

import hashlib
import os
import pickle
import socket
import warnings
import zlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, get_ident
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from fastgd.engine.devices import CodeLackingError, add_file, asking, available_threads, read_file
from fastgd.engine.progress import Advance, StoppedError, unreported
from fastgd.store import Arrays
from fastgd.store.folder import Folder

KEPT_JOBS = 2
"""How many jobs a worker keeps: the most recently used ones."""

Parcels = Mapping[str, bytes]
"""Jobs by their hash, and compiled code by its file name: empty if the caller has no such file."""


class Job(Protocol):
    """Work in chunks that are pure functions: equal arrays wherever and however often computed.

    A job is pickled for the workers of an executor, and each of them keeps it. So it must be small
    compared with its results, and workers must be able to import its class. Frozen dataclasses
    are such jobs.
    """

    @property
    def sizes(self) -> Sequence[int]:
        """Amount of work in each chunk, in units of progress: updates, pixels, points."""

    def compute(self, chunk: int, threads: int, advance: Advance) -> Arrays:
        """Compute a chunk on this number of threads.

        ``advance`` is called with the units done since the last call, at least every 0.1 s. It may
        raise to stop the work; the exception must not be caught.
        """

    def compile(self, threads: int) -> None:
        """Compile, or load, all code that chunks need in this process on ``threads`` threads."""


class _Held(NamedTuple):
    """A job that this worker has, and the names of the code files received for it, used or not."""

    job: Job
    received: set[str]


_jobs: dict[str, _Held] = {}  # the most recently used one last
_lock = Lock()

if hasattr(os, "register_at_fork"):  # a thread that holds the lock wouldn't exist in the child
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


class WorkerState(NamedTuple):
    """Identifies a worker, which computes one chunk at a time: machine, process and thread."""

    machine: str
    process: int
    thread: int


class Answer(NamedTuple):
    """A worker's result: the name of what was missing, or the arrays unless the folder has them."""

    place: WorkerState
    missing: str = ""
    arrays: Arrays | None = None


class TaskSettings(NamedTuple):
    """What all tasks of a call share: small, as each task contains it."""

    job: str
    threads: int
    folder: tuple[str, str] | None  # path and id, if workers are to write chunks to a folder


def work(settings: TaskSettings, chunk: int, parcels: Parcels, _serial: str) -> Answer:
    """Compute a chunk, and write it if this worker can access the folder.

    Every task has its own serial, as Dask runs tasks with equal arguments only once.
    """
    place, held = here(), _received(settings.job, parcels)
    if held is None:
        return Answer(place, settings.job)
    threads = min(settings.threads, available_threads())
    arrays = None
    try:
        with asking():
            arrays = held.job.compute(chunk, threads, unreported)
    except CodeLackingError as error:
        if error.name not in held.received:
            return Answer(place, error.name)
    if arrays is None:  # the code that was sent is of no use here: compile
        arrays = held.job.compute(chunk, threads, unreported)
    if settings.folder is not None:
        path, known = settings.folder
        with suppress(OSError, ValueError):
            folder = Folder.open(Path(path))
            if folder.manifest.id == known:
                folder.write(chunk, arrays)
                return Answer(place)
    return Answer(place, arrays=arrays)


def here() -> WorkerState:
    """Identify the worker that runs this code."""
    return WorkerState(socket.gethostname(), os.getpid(), get_ident())


def _received(name: str, parcels: Parcels) -> _Held | None:
    """Store what was sent with a chunk of the job of this name; return what there is of the job."""
    with _lock:
        if name in parcels and name not in _jobs:
            _jobs[name] = _Held(pickle.loads(parcels[name]), set())
        if name in _jobs:
            _jobs[name] = _jobs.pop(name)
        for old in list(_jobs)[:-KEPT_JOBS]:
            del _jobs[old]
        held = _jobs.get(name)
        for file in parcels.keys() - {name}:
            content = zlib.decompress(parcels[file])
            if content:
                add_file(file, content)
            if held is not None:
                held.received.add(file)
        return held


# ---------------------------------------------------------------- pools: an executor, or threads


class LostExecutorError(Exception):
    """The executor takes no more tasks."""


class ChunkResult(NamedTuple):
    """The result of a chunk: its arrays (None if the worker has written them), or an error."""

    chunk: int
    arrays: Arrays | None
    error: Exception | None


class Scheduler:
    """The chunks that an executor is computing, and the workers that have answered so far.

    The same job or code is never sent more often than the number of processes that have asked for
    it: if 8 tasks on 2 workers find no job, it is sent twice. The other tasks wait until it has
    arrived.
    """

    def __init__(self, submit: "Callable[[int, str], Future[Answer]]") -> None:
        self._submit = submit
        self._over: SimpleQueue[Future[Answer]] = SimpleQueue()
        self._tasks: dict[Future[Answer], tuple[int, str]] = {}  # the chunk, and what goes along
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
        self._tasks[future] = chunk, along
        self._under_way[along] += 1
        future.add_done_callback(self._over.put)

    def next(self, seconds: float) -> ChunkResult | None:
        """Return the result of some chunk, or None if none is finished within ``seconds``.

        Raises LostExecutorError if the executor is broken.
        """
        with suppress(Empty):
            return self._outcome(self._over.get(timeout=seconds))
        return None

    def leave(self) -> list[ChunkResult]:
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
                        found.append(ChunkResult(chunk, answer.arrays, None))
        return found

    def _outcome(self, future: "Future[Answer]") -> ChunkResult | None:
        chunk, along = self._tasks.pop(future)
        self._under_way[along] -= 1
        answer, error = None, None
        try:
            answer = future.result()
            if not isinstance(answer, Answer):
                rule = f"a future must have the result of its task, got {answer!r}"
                answer, error = None, TypeError(rule)
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
            return ChunkResult(chunk, None, error)
        self.places.add(answer.place)
        if not answer.missing:
            return ChunkResult(chunk, answer.arrays, None)
        asked = self._asked[answer.missing]
        asked.add(answer.place[:2])
        if self._under_way[answer.missing] < len(asked):
            self.start(chunk, answer.missing)
        else:
            self._waiting.append(chunk)
        return None


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
        packed = pickle.dumps(job, protocol=5)
        name = hashlib.sha256(packed).hexdigest()  # the same for equal jobs
        where = None if folder is None else (str(folder.path), folder.manifest.id)
        self._settings, self._parcels = TaskSettings(name, threads, where), {name: packed}
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
            return self._executor.submit(work, self._settings, chunk, {}, serial)
        if along not in self._parcels:
            self._parcels[along] = zlib.compress(read_file(along))
        parcels = {along: self._parcels[along]}
        with warnings.catch_warnings():
            # Dask warns of large arguments, but a job is sent only once to each worker.
            warnings.filterwarnings("ignore", "Sending large graph")
            return self._executor.submit(work, self._settings, chunk, parcels, serial)

    def most(self, places: int) -> int:
        """Maximum number of submitted chunks, given the number of workers that have answered."""
        return min(FIRST_IN_HAND + 2 * places, MOST_IN_HAND)

    def send_arrays(self) -> None:
        """Have arrays returned from now on, as some worker writes to another disk."""
        self._settings = self._settings._replace(folder=None)


class Threads:
    """Threads of this process: each computes its own chunk, or all of them compute a single one.

    ``each`` is the number of threads per chunk. An error in this process would occur again, so
    each chunk is tried only once.
    """

    tries = 1
    patience = inf

    def __init__(
        self, threads: int, each: int, job: Job, folder: Folder | None, advance: Advance
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

    def send_arrays(self) -> None:
        """Return arrays instead of writing them."""
        self._folder = None

    def _compute(self, chunk: int) -> Answer:
        arrays = self._job.compute(chunk, self._each, self._told)
        if self._folder is None:
            return Answer(here(), arrays=arrays)
        self._folder.write(chunk, arrays)
        return Answer(here())

    def _told(self, *work: Any) -> None:
        if self._stopped.is_set():
            raise StoppedError  # the caller has stopped waiting for the threads
        self._advance(*work)
