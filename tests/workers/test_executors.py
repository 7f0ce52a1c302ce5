"""Executors with worker processes: the same arrays, even if a process is killed."""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import BrokenExecutor, Executor
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tiny_jobs import (
    Squares,
    Told,
    Trainings,
    squares_in_a_task,
    squares_in_a_task_that_left,
    use_cache,
    work_into,
)

import fastgd
from clusters import EXECUTORS, dask_client, process_pool
from fastgd.engine.devices import available_threads
from fastgd.engine.progress import unreported as ignore
from fastgd.store.folder import Folder
from fastgd.training import training_job
from fastgd.workers import tasks as worker
from fastgd.workers.run_job import WorkerOptions, run_job

CHUNKS = 20

LONG = 200_000
"""Iterations of a sweep in the middle of which something is killed."""


def folder_at(path, chunk_count=CHUNKS):
    return Folder.create(path, "squares", {"parts": chunk_count}, {}, {}, chunk_count)


class Counted(Executor):
    """Records what is sent with the tasks of another executor."""

    def __init__(self, executor):
        self.executor = executor
        self.parcels = []

    def submit(self, fn, /, order, chunk, parcels, serial):
        self.parcels += parcels
        return self.executor.submit(fn, order, chunk, parcels, serial)


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[] if n == "spawn" else pytest.mark.slow) for n in EXECUTORS],
)
def executor(request):
    with EXECUTORS[request.param]() as made:
        yield made


def test_chunks_are_computed_by_two_processes_and_data_are_sent_once_to_each(executor, tmp_path):
    # Dask would warn of more than 10 MB.
    job, told = Squares(CHUNKS, 0.1, str(tmp_path), data=bytes(11 * 10**6)), Told()
    counted = Counted(executor)
    found = run_job(job, WorkerOptions(counted, 1, 1), told)
    assert [int(arrays["square"]) for arrays in found] == [chunk**2 for chunk in range(CHUNKS)]
    assert sum(told) == sum(job.sizes)
    assert len({pid for calls in job.calls() for pid, _ in calls} - {os.getpid()}) == 2
    assert 2 <= len(counted.parcels) <= 6


def test_folders_are_filled_by_the_workers(executor, tmp_path):
    folder, here = folder_at(tmp_path / "there"), folder_at(tmp_path / "here")
    work_into(folder, Squares(CHUNKS), WorkerOptions(executor, 1, 1), ignore)
    work_into(here, Squares(CHUNKS), WorkerOptions(None, 2, 1), ignore)
    assert folder.digest() == here.digest()


def test_a_chunk_that_always_fails_is_named_and_the_executor_continues(executor, tmp_path):
    folder = folder_at(tmp_path)
    with pytest.raises(RuntimeError, match=r"^chunk 7 has failed 4 times.*ValueError: 7 is a bad"):
        work_into(folder, Squares(CHUNKS, fails=(7,)), WorkerOptions(executor, 1, 1), ignore)
    done = folder.done()  # a slow worker may still be computing any other chunk
    assert done.any()
    assert not done[7]
    job = Squares(CHUNKS, log=str(tmp_path))
    work_into(folder, job, WorkerOptions(executor, 1, 1), ignore)
    assert folder.done().all()
    assert not any(calls for calls, kept in zip(job.calls(), done, strict=True) if kept)


@pytest.mark.parametrize("threads", [2, available_threads() + 1])
def test_workers_may_have_more_threads_than_there_are_here(executor, xor, threads):
    X, y = xor
    settings = {"alpha": np.linspace(0.1, 1, 40).tolist(), "iterations": 50}
    found = fastgd.sweep(X, y, executor=executor, threads_per_worker=threads, **settings)
    assert_same(found, fastgd.sweep(X, y, threads=1, **settings))
    weights = found[0].weights
    planes = [
        fastgd.surface(X, y, weights, resolution=9, span=(-1, 1), **worker_options)
        for worker_options in (
            {"executor": executor, "threads_per_worker": threads},
            {"threads": 1},
        )
    ]
    np.testing.assert_array_equal(planes[0].errors, planes[1].errors)


@pytest.mark.slow
@pytest.mark.usefixtures("users_kernels")  # those of the workers
def test_cold_workers_are_sent_the_code_and_compile_nothing(tmp_path):
    job = Trainings(6)
    here = run_job(job, WorkerOptions(None, 1, 1), ignore)
    with process_pool("spawn", initializer=use_cache, initargs=(tmp_path,)) as pool:
        counted = Counted(pool)
        there = run_job(job, WorkerOptions(counted, 1, 1), ignore)
    assert [int(arrays["compiled"]) for arrays in there] == [0] * 6
    for ours, theirs in zip(here, there, strict=True):
        np.testing.assert_array_equal(ours["weights"], theirs["weights"])
    assert len(counted.parcels) >= 2
    assert list(tmp_path.glob("*/*/*.nbc"))


@pytest.mark.slow
@pytest.mark.usefixtures("users_kernels")
def test_cold_workers_compile_what_nobody_has(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "read_file", lambda _name: b"")
    with process_pool("spawn", initializer=use_cache, initargs=(tmp_path,)) as pool:
        there = run_job(Trainings(3), WorkerOptions(pool, 1, 1), ignore)
    assert max(int(arrays["compiled"]) for arrays in there) == 1
    for ours, theirs in zip(
        run_job(Trainings(3), WorkerOptions(None, 1, 1), ignore), there, strict=True
    ):
        np.testing.assert_array_equal(ours["weights"], theirs["weights"])


@pytest.fixture
def chunks_of_16_runs(monkeypatch):
    """Sweeps of many short chunks."""
    monkeypatch.setattr(training_job, "runs_per_chunk", lambda _seconds, _size: 16)


def swept(xor, **options):
    X, y = xor
    return fastgd.sweep(X, y, **{"seed": range(256), "iterations": 2000, "threads": 1} | options)


def assert_same(found, expected):
    assert found.shape == expected.shape
    for name in ("errors", "final_error", "status", "total_changes", "final_validation_error"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.usefixtures("chunks_of_16_runs")
def test_a_sweep_is_bit_identical_to_one_process(executor, xor, tmp_path):
    expected = swept(xor)
    elsewhere = {"executor": executor, "threads": None}
    found = swept(xor, **elsewhere)
    assert_same(found, expected)
    np.testing.assert_array_equal(found[200].weights[0], expected[200].weights[0])
    assert_same(swept(xor, keep_weights=False, **elsewhere), expected)
    stored = swept(xor, out=tmp_path / "there", **elsewhere)
    assert_same(stored, expected)
    swept(xor, out=tmp_path / "here")
    digests = {Folder.open(tmp_path / name).digest() for name in ("there", "here")}
    assert len(digests) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("chunks_of_16_runs")
def test_folds_of_groups_are_bit_identical_to_one_process(executor, random_problem):
    X, y = random_problem
    options = {
        "groups": list("aabbbcccc"), "folds": 2, "seed": range(20), "iterations": 200, "alpha": [1]
    }  # fmt: skip
    expected = fastgd.sweep(X, y, threads=1, **options)
    assert_same(fastgd.sweep(X, y, executor=executor, **options), expected)


@pytest.mark.slow
def test_a_map_is_bit_identical_to_one_process(executor):
    small = {"iterations": 30, "width": 4, "window": ((-1.0, 3.0), (-1.0, 3.0))}
    expected = fastgd.trainability(16, **small)
    assert fastgd.trainability(16, **small, executor=executor).values.tobytes() == (
        expected.values.tobytes()
    )


def _pid():
    time.sleep(0.05)
    return os.getpid()


POOLS = {"spawn": lambda: process_pool("spawn"), "loky": EXECUTORS["loky"]}


@pytest.mark.slow
@pytest.mark.usefixtures("chunks_of_16_runs")
@pytest.mark.parametrize("kind", POOLS)
def test_a_pool_whose_worker_is_killed_breaks_and_a_new_one_resumes(kind, xor, tmp_path):
    options = {"iterations": LONG, "out": tmp_path / "sweep"}
    with POOLS[kind]() as pool:
        pids = {pool.submit(_pid).result() for _ in range(10)}
        killed = kill_when(options["out"], min(pids), 3)
        with pytest.raises(BrokenExecutor) as caught:
            swept(xor, executor=pool, threads=None, **options)
        killed.join()
    folder = Folder.open(options["out"])
    done = int(folder.done().sum())
    assert 3 <= done < 16
    assert "executor takes no more tasks: A " in str(caught.value)
    # The other worker may have written its chunk after the message.
    kept = (
        rf"\b({done}|{done - 1}) of 16 chunks are done, and kept in {re.escape(str(folder.path))}"
    )
    assert re.search(kept, str(caught.value))
    assert not list((folder.path / "claims").iterdir())
    with POOLS[kind]() as pool:
        swept(xor, executor=pool, threads=None, **options)
    assert folder.digest() == digest_of(xor)


def kill_when(path, pid, chunks, seconds=0.0):
    """SIGKILL a process some seconds after this number of chunks is done."""

    def wait():
        while len(list(path.glob("parts/*/[0-9]*.npz"))) < chunks:
            time.sleep(0.002)
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@cache
def _digests():
    return {}


def digest_of(xor):
    """The hash of the same sweep, computed by this process."""
    if not _digests():
        with tempfile.TemporaryDirectory() as folder:
            swept(xor, iterations=LONG, out=folder)
            _digests()["here"] = Folder.open(folder).digest()
    return _digests()["here"]


@pytest.fixture(scope="module")
def clients():
    """Return the client of a cluster with two workers.

    Dask gives up a worker that dies during its start, as one may that was killed a while before:
    then there is a new cluster.
    """
    with ExitStack() as stack:
        made = [stack.enter_context(dask_client())]

        def latest():
            try:
                made[-1].wait_for_workers(2, timeout=60)
            except TimeoutError:
                made.append(stack.enter_context(dask_client()))
                made[-1].wait_for_workers(2, timeout=300)
            return made[-1]

        yield latest


@pytest.fixture
def client(clients):
    """With two workers that have started."""
    found = clients()
    while any(one.process.status.name != "running" for one in found.cluster.workers.values()):
        time.sleep(0.05)
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("chunks_of_16_runs")
@pytest.mark.parametrize("seed", range(5))
def test_a_worker_of_dask_may_be_killed_at_any_moment(seed, client, xor, tmp_path):
    pids = sorted(client.run(os.getpid).values())
    moment = random.Random(seed)
    killed = kill_when(tmp_path, pids[seed % 2], moment.randrange(10), moment.uniform(0, 0.1))
    swept(xor, iterations=LONG, executor=client.get_executor(), threads=None, out=tmp_path)
    killed.join()
    assert Folder.open(tmp_path).digest() == digest_of(xor)
    assert sorted(client.run(os.getpid).values()) != pids


@pytest.mark.slow
def test_a_chunk_that_kills_its_workers_of_dask_is_named(tmp_path):
    """In a cluster of its own: Dask may give up workers that died too often."""
    log, folder = tmp_path / "log", folder_at(tmp_path / "folder", 4)
    log.mkdir()
    job = Squares(4, 0.5, str(log), kills=(2,))
    said = r"^chunk 2 has failed 4 times.*KilledWorker"
    with dask_client() as client, pytest.raises(RuntimeError, match=said) as caught:
        work_into(folder, job, WorkerOptions(client.get_executor(), 1, 1), ignore)
    # Chunk 3 may have waited behind chunk 2 on a worker that died, each time.
    done = folder.done()
    assert done[[0, 1]].all()
    assert not done[2]
    assert f"; {done.sum()} of 4 chunks are done, and kept in {folder.path}" in str(caught.value)
    # Dask's four attempts, and those before the worker had been sent the job.
    assert 4 <= len(job.calls_of(2)) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("task", [squares_in_a_task, squares_in_a_task_that_left])
def test_tasks_of_dask_may_wait_for_chunks_on_their_own_workers(client, task):
    """Both workers have one thread, and each of them waits."""
    futures = [client.submit(task, chunks) for chunks in (3, 4)]
    assert client.gather(futures) == [[0, 1, 4], [0, 1, 4, 9]]


INTERRUPTED = """
import multiprocessing, os, signal, sys, threading, time
from concurrent.futures import ProcessPoolExecutor

def main():
    from tiny_jobs import Squares, work_into
    from fastgd.store.folder import Folder
    from fastgd.workers.run_job import WorkerOptions

    folder = Folder.create(sys.argv[1], "squares", {"parts": 20}, {}, {}, 20)
    told = []
    def tell(done, _errors=None):
        told.append(done)
        if done and sum(told) == 50:  # of 200
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            told.append(time.monotonic())

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        worker_options = WorkerOptions(pool if sys.argv[2] == "executor" else None, 2, 1)
        try:
            work_into(folder, Squares(20, 0.2), worker_options, tell)
        except KeyboardInterrupt:
            print(time.monotonic() - max(told), folder.done().sum(), pool.submit(abs, -1).result())

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["threads", "executor"])
def test_ctrl_c_ends_soon_keeps_what_is_done_and_leaves_the_executor_alone(kind, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    for attempt in range(4):  # a busy machine may take longer, once or twice
        folder = tmp_path / str(attempt)
        ended = subprocess.run(
            [sys.executable, script, folder, kind],
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        seconds, done, one = ended.stdout.split()
        if float(seconds) < 0.5:
            break
    assert float(seconds) < 0.5
    assert 4 <= int(done) < 12
    assert one == "1"
    again = folder_at(folder)
    assert not list((folder / "claims").iterdir())
    assert again.done().sum() >= int(done)  # workers finish what they had begun
