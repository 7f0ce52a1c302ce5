"""What a worker of an executor does with a task, in its own process."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import NamedTuple

from fastgd.engine.session import available_threads
from fastgd.store.folder import Folder
from fastgd.store.npz import Arrays
from fastgd.workers.payloads import LackingError, Parcels, compute, receive


class WorkerState(NamedTuple):
    """Where one chunk at a time is computed: a thread of a process of a machine."""

    machine: str
    process: int
    thread: int


class Answer(NamedTuple):
    """What came of a chunk: what was lacking, or its arrays if they are not in the folder."""

    place: WorkerState
    lacks: str = ""
    arrays: Arrays | None = None


class Order(NamedTuple):
    """What the tasks of a call have in common: small, as each of them carries it."""

    job: str
    threads: int
    folder: tuple[str, str] | None  # its path and id, if the chunks are to be written there


def work(order: Order, chunk: int, parcels: Parcels, _serial: str) -> Answer:
    """Compute a chunk, and write it if this worker sees the folder.

    No two tasks have the same serial: Dask takes those with equal arguments for one.
    """
    place = here()
    receive(order.job, parcels)
    try:
        arrays = compute(order.job, chunk, min(order.threads, available_threads()))
    except LackingError as lacking:
        return Answer(place, lacking.name)
    if order.folder is not None:
        path, known = order.folder
        with suppress(OSError, ValueError):
            folder = Folder.open(Path(path))
            if folder.id == known:
                folder.write(chunk, arrays)
                return Answer(place)
    return Answer(place, arrays=arrays)


def here() -> WorkerState:
    """Where this is."""
    return WorkerState(socket.gethostname(), os.getpid(), get_ident())
