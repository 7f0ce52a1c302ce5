"""The task that runs in a worker process of an executor."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import NamedTuple

from fastgd.engine.session import available_threads
from fastgd.store.folder import Folder
from fastgd.store.npz import Arrays
from fastgd.workers.payloads import MissingPayloadError, Parcels, compute, receive


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
    receive(order.job, parcels)
    try:
        arrays = compute(order.job, chunk, min(order.threads, available_threads()))
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
