"""Executors with two worker processes each."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import distributed
import loky


@contextmanager
def process_pool(method, **options):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context, **options) as pool:
        yield pool


@contextmanager
def loky_pool():
    pool = loky.ProcessPoolExecutor(2)
    try:
        yield pool
    finally:
        pool.shutdown(kill_workers=True)


@contextmanager
def dask_client(workers=2):
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextmanager
def dask_executor():
    with dask_client() as client:
        yield client.get_executor()


EXECUTORS = {
    "spawn": lambda: process_pool("spawn"),
    "forkserver": lambda: process_pool("forkserver"),
    "loky": loky_pool,
    "dask": dask_executor,
}
