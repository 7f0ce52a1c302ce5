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
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, get_ident
from typing import NamedTuple, Protocol

from fastgd.engine import code_cache
from fastgd.engine.devices import available_threads
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

    def compute(self, chunk: int, threads: int, advance: Callable[[int], None]) -> Arrays:
        """Compute a chunk on this number of threads.

        ``advance`` is called with the units done since the last call, at least every 0.1 s. It may
        raise to stop the work; the exception must not be caught.
        """

    def compile(self, threads: int) -> None:
        """Compile, or load, all code that chunks need in this process on ``threads`` threads."""


class Shipment:
    """What a caller can send to its workers: a job, and compiled code.

    Attributes
    ----------
    job : str
        The job's hash, the same for equal jobs.
    """

    def __init__(self, job: Job) -> None:
        packed = pickle.dumps(job, protocol=5)
        self.job = hashlib.sha256(packed).hexdigest()
        self._parcels = {self.job: packed}

    def parcel(self, name: str) -> bytes:
        """The bytes to send to a worker that has asked for this name."""
        if name not in self._parcels:
            self._parcels[name] = zlib.compress(code_cache.read_file(name))
        return self._parcels[name]


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


def work(order: TaskSettings, chunk: int, parcels: Parcels, _serial: str) -> Answer:
    """Compute a chunk, and write it if this worker can access the folder.

    Every task has its own serial, as Dask runs tasks with equal arguments only once.
    """
    place, held = here(), _received(order.job, parcels)
    if held is None:
        return Answer(place, order.job)
    threads = min(order.threads, available_threads())
    arrays = None
    try:
        with code_cache.asking():
            arrays = held.job.compute(chunk, threads, _untold)
    except code_cache.CodeLackingError as error:
        if error.name not in held.received:
            return Answer(place, error.name)
    if arrays is None:  # the code that was sent is of no use here: compile
        arrays = held.job.compute(chunk, threads, _untold)
    if order.folder is not None:
        path, known = order.folder
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
                code_cache.add_file(file, content)
            if held is not None:
                held.received.add(file)
        return held


def _untold(_done: int) -> None:
    """Workers report no progress: the caller counts finished chunks."""
