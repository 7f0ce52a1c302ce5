import multiprocessing
import os
import re
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor

import loky
import pytest

from fastgd.engine.devices import available_threads
from fastgd.workers.run_job import WorkerOptions, check_worker_options


def test_worker_options_are_threads_or_an_executor():
    assert check_worker_options(None, None, 1) == WorkerOptions(None, available_threads(), 1)
    with ThreadPoolExecutor(1) as pool:
        assert check_worker_options(pool, None, 3) == WorkerOptions(pool, 1, 3)


REFUSED = {
    "no executor": (
        (2, None, 1),
        TypeError,
        "executor must be a concurrent.futures.Executor, such as a ProcessPoolExecutor() or "
        "Dask's client.get_executor(), got 2",
    ),
    "no count": ((None, None, 1.5), TypeError, "threads_per_worker must be an int, got 1.5"),
    "no threads": ((None, None, 0), ValueError, "threads_per_worker must be at least 1, got 0"),
    "workers without an executor": (
        (None, None, 2),
        ValueError,
        "threads_per_worker must be left out without an executor, got 2: threads is for this "
        "process",
    ),
    "threads with an executor": (
        (ThreadPoolExecutor(1), 2, 1),
        ValueError,
        "threads must be left out with an executor, got 2: threads_per_worker is for its workers",
    ),
    "auto with an executor": (
        (ThreadPoolExecutor(1), None, 1, None, False, "auto"),
        ValueError,
        "device must be 'cpu', 'cuda' or 'cuda:0' with an executor, got 'auto': its workers may "
        "have other devices",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_rejected(case):
    arguments, error, message = REFUSED[case]
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        check_worker_options(*arguments)


def test_a_pool_is_rejected_in_its_own_threads():
    """All threads might wait for chunks that none of them has begun."""
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(
            ValueError, match=r"^executor must not be the pool in whose thread this"
        ):
            pool.submit(check_worker_options, pool, None, 1).result()
        with ThreadPoolExecutor(1) as other:
            assert pool.submit(check_worker_options, other, None, 1).result().executor is other


def fork_pool():
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))


def spawn_pool():
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


MADE = {
    "fork": fork_pool,
    "spawn": spawn_pool,
    "loky": lambda: loky.ProcessPoolExecutor(1),
    "threads": lambda: ThreadPoolExecutor(1),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", MADE)
def test_a_pool_is_rejected_in_a_fork_of_its_process(kind):
    """Its threads don't exist in the fork: nobody would begin its tasks."""
    pool = MADE[kind]()
    try:
        pool.submit(abs, 1).result()
        check_worker_options(pool, None, 1)
        child = os.fork()
        if child == 0:
            try:
                check_worker_options(pool, None, 1)
                os._exit(0)
            except ValueError as error:
                os._exit(3 if str(error).startswith("executor must be created in the") else 4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    finally:
        pool.shutdown()


def _the_pool():
    check_worker_options(_pool, None, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_pool_of_processes_is_rejected_in_its_own_tasks():
    """A forked worker has a copy of the pool, with locks that nobody will release."""
    global _pool
    with fork_pool() as _pool, pytest.raises(ValueError, match=r"^executor must be created in the"):
        _pool.submit(_the_pool).result()


def _fail():
    raise OSError


def test_a_pool_that_takes_no_tasks_is_not_taken_for_one_of_another_process():
    with ThreadPoolExecutor(1) as closed:
        closed.submit(abs, 1).result()
    assert check_worker_options(closed, None, 1).executor is closed
    with ThreadPoolExecutor(1, initializer=_fail) as broken:
        with pytest.raises(BrokenExecutor):
            broken.submit(abs, 1).result()
        assert check_worker_options(broken, None, 1).executor is broken
