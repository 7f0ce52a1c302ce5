"""What a worker lacks goes along with a chunk: the job, and code that its caller has compiled.

A task is a few words: which job, which chunk. A worker that lacks the job says so instead of
computing, and the caller submits the chunk again with the job along. Likewise with a file of
compiled code, so that cold workers don't compile one by one what lies on the caller's disk; a
worker of another kind (processor, versions, sources) asks for one that nobody has, and compiles.
So data travel once for each worker and not for each chunk, by nothing but ``submit`` and ``result``.
The code of a small training is a file of 0.5 MB, sent as 0.16 MB.
"""

import hashlib
import os
import pickle
import zlib
from collections.abc import Mapping
from threading import Lock
from typing import NamedTuple

from fastgd.engine import code_cache
from fastgd.store.npz import Arrays
from fastgd.workers.job import Job

KEPT_JOBS = 2
"""Jobs that a worker keeps: the latest ones."""

Parcels = Mapping[str, bytes]
"""Jobs by their hash, and code by the name of its file: empty if the caller lacks it, too."""


class LackingError(Exception):
    """A worker lacks the job, or code, of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Shipment:
    """What a caller has for its workers: a job, and code.

    Attributes
    ----------
    job : str
        The job's hash: equal jobs have the same.
    """

    def __init__(self, job: Job) -> None:
        packed = pickle.dumps(job, protocol=5)
        self.job = hashlib.sha256(packed).hexdigest()
        self._parcels = {self.job: packed}

    def parcel(self, name: str) -> bytes:
        """What is sent under a name that a worker lacks."""
        if name not in self._parcels:
            self._parcels[name] = zlib.compress(code_cache.read_file(name))
        return self._parcels[name]


class _Held(NamedTuple):
    """A job that this worker has, and the code that came for it, if only in vain."""

    job: Job
    received: set[str]


_jobs: dict[str, _Held] = {}  # the latest one last
_lock = Lock()

if hasattr(os, "register_at_fork"):  # who holds it may not be in the child
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def receive(name: str, parcels: Parcels) -> None:
    """Take what came with a chunk of the job of this name."""
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


def compute(name: str, chunk: int, threads: int) -> Arrays:
    """Compute a chunk of the job of this name.

    Raises
    ------
    LackingError
        If the job, or code for it, isn't there and may be had.
    """
    with _lock:
        held = _jobs.get(name)
    if held is None:
        raise LackingError(name)
    try:
        with code_cache.asking():
            return held.job.compute(chunk, threads, _untold)
    except code_cache.CodeLackingError as lacking:
        if lacking.name not in held.received:
            raise LackingError(lacking.name) from None
    # What came was of no use.
    return held.job.compute(chunk, threads, _untold)


def _untold(_done: int) -> None:
    """The caller counts whole chunks."""
