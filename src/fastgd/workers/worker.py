"""The task that runs in a worker of an executor, and what the worker is sent on request.

It is sent the job, and code that the caller has compiled.

A task is tiny: the hash of the job and the index of a chunk. A worker that doesn't have the job
answers with its name instead of computing, and the caller submits the chunk again together with the
job. Files of compiled code are sent in the same way, so that new workers don't compile, one by one,
what is on the caller's disk; a worker with another processor, other versions or other sources asks
for a file that the caller doesn't have, and then compiles. So data are sent once per worker rather
than once per chunk, using nothing but ``submit`` and ``result``. The code of a small training is a
file of 0.5 MB, sent as 0.16 MB.
"""

import hashlib
import os
import pickle
import socket
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock, get_ident
from typing import NamedTuple

from fastgd.engine import code_cache
from fastgd.engine.devices import available_threads
from fastgd.store import Arrays
from fastgd.store.folder import Folder
from fastgd.workers.worker import Job

KEPT_JOBS = 2
"""How many jobs a worker keeps: the most recently used ones."""

Parcels = Mapping[str, bytes]
"""Jobs by their hash, and compiled code by its file name: empty if the caller has no such file."""


class MissingPayloadError(Exception):
    """The worker doesn't have the job, or the compiled code, of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


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


class Order(NamedTuple):
    """What all tasks of a call share: small, as each task contains it."""

    job: str
    threads: int
    folder: tuple[str, str] | None  # path and id, if workers are to write chunks to a folder


def work(order: Order, chunk: int, parcels: Parcels, _serial: str) -> Answer:
    """Compute a chunk, and write it if this worker can access the folder.

    Every task has its own serial, as Dask runs tasks with equal arguments only once.
    """
    place = here()
    _receive(order.job, parcels)
    try:
        arrays = _compute(order.job, chunk, min(order.threads, available_threads()))
    except MissingPayloadError as error:
        return Answer(place, error.name)
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


def _receive(name: str, parcels: Parcels) -> None:
    """Store what was sent with a chunk of the job of this name."""
    with _lock:
        if name in parcels and name not in _jobs:
            _jobs[name] = _Held(pickle.loads(parcels[name]), set())
        if name in _jobs:
            _jobs[name] = _jobs.pop(name)
        for old in list(_jobs)[:-KEPT_JOBS]:
            del _jobs[old]
        for file in parcels.keys() - {name}:
            content = zlib.decompress(parcels[file])
            if content:
                code_cache.add_file(file, content)
            if name in _jobs:
                _jobs[name].received.add(file)


def _compute(name: str, chunk: int, threads: int) -> Arrays:
    """Compute a chunk of this job; raise if it or code not yet asked for is missing."""
    with _lock:
        held = _jobs.get(name)
    if held is None:
        raise MissingPayloadError(name)
    try:
        with code_cache.asking():
            return held.job.compute(chunk, threads, _untold)
    except code_cache.CodeLackingError as error:
        if error.name not in held.received:
            raise MissingPayloadError(error.name) from None
    # The code that was sent is of no use here: compile.
    return held.job.compute(chunk, threads, _untold)


def _untold(_done: int) -> None:
    """Workers report no progress: the caller counts finished chunks."""
