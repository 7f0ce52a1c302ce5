"""Executors with processes of their own: the same arrays, also if a process is killed."""

import multiprocessing
import os
import random
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_jobs import Squares, Trainings, use_cache

from fastgd.store.folder import Folder
from fastgd.workers.job import Crew
from fastgd.workers.working_off import work_into, work_off

PARTS = 20


def ignore(_done):
    pass


@contextmanager
def process_pool(method, **options):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context, **options) as pool:
        yield pool


@contextmanager
def loky_pool():
    loky = pytest.importorskip("loky")
    pool = loky.ProcessPoolExecutor(2)
    try:
        yield pool
    finally:
        pool.shutdown(kill_workers=True)


@contextmanager
def dask_cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


EXECUTORS = {
    "spawn": lambda: process_pool("spawn"),
    "forkserver": lambda: process_pool("forkserver"),
    "loky": loky_pool,
    "dask": dask_cluster,
}


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request):
    with EXECUTORS[request.param]() as made:
        yield made


def test_parts_are_computed_by_two_processes(executor, tmp_path):
    job, told = Squares(PARTS, 0.05, str(tmp_path)), []
    found = work_off(job, Crew(executor, 1, 1), told.append)
    assert [int(arrays["square"]) for arrays in found] == [part**2 for part in range(PARTS)]
    assert sum(told) == sum(job.sizes)
    assert len({pid for calls in job.calls() for pid, _ in calls} - {os.getpid()}) == 2
