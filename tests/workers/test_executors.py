"""Executors with processes of their own: the same arrays, also if a process is killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Executor
from pathlib import Path

import numpy as np
import pytest
from clusters import EXECUTORS, dask_client, process_pool
from tiny_jobs import Squares, Trainings, use_cache

from fastgd.store.folder import Folder
from fastgd.workers.job import Crew
from fastgd.workers.working_off import work_into, work_off

PARTS = 20


def ignore(_done):
    pass


def folder_at(path, parts=PARTS):
    return Folder.create(path, "squares", {"parts": parts}, {}, {}, parts)


class Counted(Executor):
    """Counts what has gone along with the tasks of another executor."""

    def __init__(self, executor):
        self.executor = executor
        self.parcels = []

    def submit(self, fn, /, order, part, parcels, serial):
        self.parcels += parcels
        return self.executor.submit(fn, order, part, parcels, serial)


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request):
    with EXECUTORS[request.param]() as made:
        yield made


def test_parts_are_computed_by_two_processes_and_data_go_once_to_each(executor, tmp_path):
    job, told = Squares(PARTS, 0.1, str(tmp_path), data=bytes(10**6)), []
    counted = Counted(executor)
    found = work_off(job, Crew(counted, 1, 1), told.append)
    assert [int(arrays["square"]) for arrays in found] == [part**2 for part in range(PARTS)]
    assert sum(told) == sum(job.sizes)
    assert len({pid for calls in job.calls() for pid, _ in calls} - {os.getpid()}) == 2
    assert len(counted.parcels) == 2


def test_folders_are_filled_by_the_workers(executor, tmp_path):
    folder, here = folder_at(tmp_path / "there"), folder_at(tmp_path / "here")
    work_into(folder, Squares(PARTS), Crew(executor, 1, 1), ignore)
    work_into(here, Squares(PARTS), Crew(None, 2, 1), ignore)
    assert folder.digest() == here.digest()


def test_a_part_that_always_fails_is_named_and_the_executor_goes_on(executor, tmp_path):
    folder = folder_at(tmp_path)
    with pytest.raises(RuntimeError, match=r"^part 7 has failed 4 times.*ValueError: 7 is a bad"):
        work_into(folder, Squares(PARTS, fails=(7,)), Crew(executor, 1, 1), ignore)
    assert folder.done()[:7].all()
    assert executor.submit(abs, -1).result() == 1


def test_cold_workers_are_sent_the_code_and_compile_nothing(tmp_path):
    job = Trainings(6)
    here = work_off(job, Crew(None, 1, 1), ignore)
    with process_pool("spawn", initializer=use_cache, initargs=(tmp_path,)) as pool:
        counted = Counted(pool)
        there = work_off(job, Crew(counted, 1, 1), ignore)
    assert [int(arrays["compiled"]) for arrays in there] == [0] * 6
    for ours, theirs in zip(here, there, strict=True):
        np.testing.assert_array_equal(ours["weights"], theirs["weights"])
    # Each process has got the job and the kernel once, and has written it where it looks.
    assert len(counted.parcels) == 4
    assert len(list(tmp_path.glob("*/*/*.nbc"))) == 2


def kill_at(seconds, pids):
    """SIGKILL one of these processes after so many seconds."""
    timer = threading.Timer(seconds, lambda: os.kill(random.choice(pids), signal.SIGKILL))
    timer.start()
    return timer


@pytest.mark.parametrize("kind", ["spawn", "loky"])
def test_a_pool_whose_worker_is_killed_breaks_and_a_new_one_goes_on(kind, tmp_path):
    folder, job, told = folder_at(tmp_path), Squares(PARTS, 0.1), []
    with EXECUTORS[kind]() as pool:
        pids = {pool.submit(_pid).result() for _ in range(20)}

        def kill_one(done):
            told.append(done)
            if len(told) == 5:
                os.kill(min(pids), signal.SIGKILL)

        with pytest.raises(BrokenExecutor) as caught:
            work_into(folder, job, Crew(pool, 1, 1), kill_one)
    done = int(folder.done().sum())
    assert 5 <= done < PARTS
    assert "executor takes no more tasks: A " in str(caught.value)
    assert f"{done} of 20 parts are done, and kept in {tmp_path}" in str(caught.value)
    assert not list((tmp_path / "claims").iterdir())
    with EXECUTORS[kind]() as pool:
        work_into(folder, job, Crew(pool, 1, 1), ignore)
    assert folder.digest() == digest_here(tmp_path / "here")


def _pid():
    time.sleep(0.05)
    return os.getpid()


def digest_here(path, parts=PARTS):
    """The hash of what one process computes."""
    folder = folder_at(path, parts)
    work_into(folder, Squares(parts), Crew(None, 1, 1), ignore)
    return folder.digest()


@pytest.fixture(scope="module")
def client():
    with dask_client() as made:
        yield made


@pytest.mark.parametrize("seed", range(5))
def test_a_worker_of_dask_may_be_killed_at_any_moment(seed, client, tmp_path):
    client.wait_for_workers(2, timeout=60)
    moment = random.Random(seed).uniform(0.1, 1.6)
    pids = sorted(client.run(os.getpid).values())
    folder, in_folder = folder_at(tmp_path / "there", 40), bool(seed % 2)
    crew, job, told = Crew(client.get_executor(), 1, 1), Squares(40, 0.1), []
    timer = kill_at(moment, pids)
    if in_folder:
        work_into(folder, job, crew, told.append)
        assert folder.digest() == digest_here(tmp_path / "here", 40)
    else:
        found = work_off(job, crew, told.append)
        assert [int(arrays["square"]) for arrays in found] == [part**2 for part in range(40)]
    timer.join()
    assert sum(told) == sum(job.sizes)
    assert sorted(client.run(os.getpid).values()) != pids


INTERRUPTED = """
import multiprocessing, os, signal, sys, threading, time
from concurrent.futures import ProcessPoolExecutor

def main():
    from tiny_jobs import Squares
    from fastgd.store.folder import Folder
    from fastgd.workers.job import Crew
    from fastgd.workers.working_off import work_into

    folder = Folder.create(sys.argv[1], "squares", {"parts": 20}, {}, {}, 20)
    told = []
    def tell(done):
        told.append(done)
        if sum(told) == 50:  # of 200
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            told.append(time.monotonic())

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        crew = Crew(pool if sys.argv[2] == "executor" else None, 2, 1)
        try:
            work_into(folder, Squares(20, 0.2), crew, tell)
        except KeyboardInterrupt:
            print(time.monotonic() - max(told), folder.done().sum(), pool.submit(abs, -1).result())

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("kind", ["threads", "executor"])
def test_ctrl_c_ends_soon_keeps_what_is_done_and_leaves_the_executor_alone(kind, tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "folder"
    script.write_text(INTERRUPTED)
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, script, folder, kind],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    seconds, done, one = ended.stdout.split()
    assert float(seconds) < 0.5
    assert 4 <= int(done) < 12
    assert one == "1"
    again = folder_at(folder)
    assert not list((folder / "claims").iterdir())
    assert again.done().sum() >= int(done)  # workers end what they had begun
