"""Executors, which belong to who calls."""

import os
from concurrent.futures import Executor
from threading import current_thread

from fastgd.checks.messages import shown


def check_executor(value: object) -> Executor | None:
    """Return value if it is an executor that can serve this call, or None.

    Raises
    ------
    TypeError
        If it is anything else.
    ValueError
        If the call may wait forever: it runs in a thread of this very pool, or in a process that
        was forked off the one with the pool.

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
            "executor must not be the pool in whose thread this call runs, as all its threads may "
            f"wait for each other, got {shown(value)}: leave it out"
        )
    if not _is_of_this_process(value):
        raise ValueError(
            "executor must be made in the process that calls, as a fork leaves its threads behind, "
            f"got {shown(value)} of another process"
        )
    return value


def _is_around_this_call(executor: Executor) -> bool:
    """Whether this is a thread of that pool.

    Its set of threads lacks the one that has just begun, but each thread is given its queue.
    """
    queue = getattr(executor, "_work_queue", None)
    given = getattr(current_thread(), "_args", ())
    return queue is not None and any(argument is queue for argument in given)


def _is_of_this_process(executor: Executor) -> bool:
    """Whether a pool of Python or loky was made here, as far as it shows.

    Neither says so. But the queue of a pool of processes knows its process, and the threads of a
    pool that takes tasks are dead only if a fork has left them behind.
    """
    queue = getattr(executor, "_call_queue", None)
    if getattr(queue, "_opid", os.getpid()) != os.getpid():
        return False
    if getattr(executor, "_shutdown", False) or getattr(executor, "_broken", False):
        return True
    return all(thread.is_alive() for thread in getattr(executor, "_threads", ()))
