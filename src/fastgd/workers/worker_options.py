"""The public arguments that say how a job is computed: executor, device, out, ..."""

import os
from concurrent.futures import Executor
from multiprocessing import current_process
from pathlib import Path
from threading import current_thread
from typing import NamedTuple

from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_count, check_flag, check_path, check_threads
from fastgd.engine.devices import AUTO, CPU, available_threads, check_device, looked_for


class WorkerOptions(NamedTuple):
    """How a job is computed: on threads of this process, or on the workers of an executor."""

    executor: Executor | None
    threads: int  # of this process, without an executor
    threads_per_worker: int  # for each chunk that a worker computes
    out: Path | None = None  # the folder for its chunks
    has_bar: bool = False
    device: str = CPU
    """Where it is computed: see :mod:`fastgd.engine.devices`."""


def check_worker_options(
    executor: object,
    threads: object,
    threads_per_worker: object = 1,
    out: object = None,
    progress: object = False,
    device: object = CPU,
) -> WorkerOptions:
    """Check these arguments of a public call, and whether the device is there.

    With an executor its workers need the device, not this process.

    Raises
    ------
    TypeError, ValueError
        If one of them is invalid, or if they exclude each other.
    RuntimeError
        If a worker process repeats the call because the script has no main guard.
    DeviceError
        If there is no such GPU.

    Examples
    --------
    >>> check_worker_options(None, 1)
    WorkerOptions(executor=None, threads=1, threads_per_worker=1, out=None, has_bar=False, \
device='cpu')
    """
    path, bar = None if out is None else check_path("out", out), check_flag("progress", progress)
    where = check_device(device)
    found = check_executor(executor)
    each = check_count("threads_per_worker", threads_per_worker)
    if found is None:
        if each != 1:
            raise ValueError(
                f"threads_per_worker must be left out without an executor, got {each}: "
                "threads is for this process"
            )
        count = check_threads(threads, available_threads())
        return WorkerOptions(None, count, 1, path, bar, looked_for(where))
    if getattr(current_process(), "_inheriting", False):  # multiprocessing's own check
        raise RuntimeError(
            "a script whose executor starts processes must have its calls below "
            "if __name__ == '__main__': each of the processes begins by reading the script"
        )
    if threads is not None:
        raise ValueError(
            f"threads must be left out with an executor, got {shown(threads)}: "
            "threads_per_worker is for its workers"
        )
    if where == AUTO:
        raise ValueError(
            f"device must be 'cpu', 'cuda' or 'cuda:0' with an executor, got {shown(where)}: its "
            "workers may have other devices"
        )
    return WorkerOptions(found, 1, each, path, bar, where)


def check_executor(value: object) -> Executor | None:
    """Return value if it is None or an executor that can run this call's work.

    Raises
    ------
    TypeError
        If it is anything else.
    ValueError
        If the call might wait forever: it runs in a thread of that same pool, or in a process that
        was forked from the pool's process.

    Examples
    --------
    >>> check_executor(4)
    Traceback (most recent call last):
    ...
    TypeError: executor must be a concurrent.futures.Executor, such as a ProcessPoolExecutor() or \
Dask's client.get_executor(), got 4
    """
    if value is None:
        return None
    if not isinstance(value, Executor):
        raise TypeError(
            "executor must be a concurrent.futures.Executor, such as a ProcessPoolExecutor() or "
            f"Dask's client.get_executor(), got {shown(value)}"
        )
    if _is_around_this_call(value):
        raise ValueError(
            "executor must not be the pool in whose thread this call runs, since all its threads "
            f"might wait for each other, got {shown(value)}: leave it out"
        )
    if not _is_of_this_process(value):
        raise ValueError(
            "executor must be created in the process that uses it, since a fork does not copy its "
            f"threads, got {shown(value)} of another process"
        )
    return value


def _is_around_this_call(executor: Executor) -> bool:
    """Whether the current thread belongs to that pool.

    The pool's set of threads doesn't contain a thread that has only just started, but each thread
    has the pool's queue among its arguments.
    """
    queue = getattr(executor, "_work_queue", None)
    given = getattr(current_thread(), "_args", ())
    return queue is not None and any(argument is queue for argument in given)


def _is_of_this_process(executor: Executor) -> bool:
    """Whether a pool of Python or loky was created in this process, as far as one can tell.

    Neither offers a way to ask. But the queue of a process pool knows its process, and the threads
    of a pool that still accepts tasks are dead only if they were lost in a fork.
    """
    queue = getattr(executor, "_call_queue", None)
    if getattr(queue, "_opid", os.getpid()) != os.getpid():
        return False
    if getattr(executor, "_shutdown", False) or getattr(executor, "_broken", False):
        return True
    return all(thread.is_alive() for thread in getattr(executor, "_threads", ()))
