"""Sweeps on executors beside threads of one process: time, traffic, cold workers, threads.

``python bench/scaling.py`` measures all of it, ``python bench/scaling.py traffic`` one of its
sections. The machine should have nothing else to do; seconds of CPU, of all processes together,
stay comparable where it has.
"""

import multiprocessing
import os
import pickle
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from statistics import median
from time import perf_counter, process_time, sleep
from typing import Any

import numba
import psutil
from distributed import Client, LocalCluster

import fastgd
from fastgd.training import training_job
from fastgd.workers import tasks as worker
from workload import XOR_X, XOR_Y

CHUNK_SECONDS = 2.0
CHUNKS = 4
ROUNDS = 3
ITERATIONS = 60_000


def sweep(runs: int, iterations: int = ITERATIONS, **options: Any) -> fastgd.Sweep:
    """Train so many runs, of which only errors are kept."""
    return fastgd.sweep(
        XOR_X,
        XOR_Y,
        seed=range(runs),
        iterations=iterations,
        record_every=iterations,
        keep_weights=False,
        **options,
    )


@contextmanager
def pool(workers: int, **options: Any) -> Iterator[Executor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, **options) as made:
        yield made


@contextmanager
def cluster(workers: int) -> Iterator[Executor]:
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as made,
        Client(made, set_as_default=False) as client,
    ):
        yield client.get_executor()


def cpu_seconds() -> float:
    """Of this process and all below it, so far."""
    me = psutil.Process()
    times = [one.cpu_times() for one in (me, *me.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def set_runs_per_chunk(runs: int) -> None:
    """Cut sweeps into chunks of this many runs, as for other networks."""
    training_job.runs_per_chunk = lambda _seconds, _size: runs


def scaling() -> None:
    """Compare workers of one thread with threads of one process."""
    sweep(512, threads=1)
    begin = process_time()
    sweep(512, threads=1)
    runs = int(512 * CHUNK_SECONDS / (process_time() - begin)) // 16 * 16
    set_runs_per_chunk(runs)
    with pool(1) as pool_1, pool(2) as pool_2, cluster(1) as dask_1, cluster(2) as dask_2:
        ways: dict[str, dict[str, Any]] = {
            "1 thread": {"threads": 1},
            "a pool of 1": {"executor": pool_1},
            "Dask, 1 worker": {"executor": dask_1},
            "2 threads": {"threads": 2},
            "a pool of 2": {"executor": pool_2},
            "Dask, 2 workers": {"executor": dask_2},
        }
        for options in ways.values():
            sweep(CHUNKS * runs, iterations=100, **options)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, options in ways.items():
                begin, cpu = perf_counter(), cpu_seconds()
                sweep(CHUNKS * runs, **options)
                found[name].append((perf_counter() - begin, cpu_seconds() - cpu))
    print(f"{CHUNKS} chunks of {runs} runs, {ITERATIONS:,} iterations, medians of {ROUNDS}:")
    for name, pairs in found.items():
        beside = found["1 thread" if "1" in name else "2 threads"]
        seconds, cpu = (median(column) for column in zip(*pairs, strict=True))
        more = [
            median(100 * (a[k] / b[k] - 1) for a, b in zip(pairs, beside, strict=True))
            for k in (0, 1)
        ]
        print(
            f"  {name:16} {seconds:6.2f} s ({more[0]:+.1f} %), "
            f"{cpu:6.2f} s of CPU ({more[1]:+.1f} %)"
        )


def overhead() -> None:
    """Overhead of a chunk in addition to its iterations, in seconds of CPU of all processes."""
    chunks, runs = 1_000, 16
    for name, pool_of in {"a pool of 2": pool, "Dask, 2 workers": cluster}.items():
        with pool_of(2) as executor:
            set_runs_per_chunk(runs)
            sweep(chunks * runs, 1, executor=executor)
            begin = cpu_seconds()
            sweep(chunks * runs, 1, executor=executor)
            each = (cpu_seconds() - begin) / chunks
        share = 100 * each / CHUNK_SECONDS
        print(f"{name}: {1e3 * each:.1f} ms of CPU a chunk, {share:.2f} % of {CHUNK_SECONDS:g} s")


class Counted(Executor):
    """Counts what goes to the workers of an executor, and what comes back, as it is pickled."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.tasks = self.sent = self.came = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self.tasks += 1
        self.sent += len(pickle.dumps((fn, args)))
        future = self.executor.submit(fn, *args, **kwargs)
        future.add_done_callback(self._count)
        return future

    def _count(self, future: "Future[Any]") -> None:
        self.came += len(pickle.dumps(future.result()))


def traffic() -> None:
    """What goes through a scheduler for a million runs."""
    runs = 1_000_000
    with cluster(2) as executor:
        for where in ("in memory", "into a folder"):
            with tempfile.TemporaryDirectory() as folder:
                counted = Counted(executor)
                out = {} if where == "in memory" else {"out": folder}
                begin = perf_counter()
                sweep(runs, 500, executor=counted, **out)
                seconds = perf_counter() - begin
            print(
                f"{runs:,} runs {where}: {counted.tasks} tasks, {counted.sent / 1e6:.3f} MB to "
                f"workers, {counted.came / 1e6:.3f} MB back, {seconds:.0f} s"
            )


def use_cache(folder: str) -> None:
    """Let a worker have a cache of its own."""
    numba.config.CACHE_DIR = os.path.join(folder, str(os.getpid()))


def cold() -> None:
    """Two workers that have no compiled code, with the caller's and without it."""
    set_runs_per_chunk(16)
    sweep(64, 100)
    sent = worker.Shipment.parcel

    def without_code(self: worker.Shipment, name: str) -> bytes:
        return sent(self, name) if name == self.job else zlib.compress(b"")

    for name, parcel in {"the caller's code": sent, "no code": without_code}.items():
        worker.Shipment.parcel = parcel  # type: ignore[method-assign]  # to measure without
        taken = []
        for _ in range(ROUNDS):
            with (
                tempfile.TemporaryDirectory() as folder,
                pool(2, initializer=use_cache, initargs=(folder,)) as executor,
            ):
                list(executor.map(wait, range(2)))
                begin, cpu = perf_counter(), cpu_seconds()
                sweep(64, 100, executor=executor)
                taken.append((perf_counter() - begin, cpu_seconds() - cpu))
        seconds, cpu = (median(column) for column in zip(*taken, strict=True))
        print(f"cold workers, sent {name}: {seconds:.2f} s, {cpu:.2f} s of CPU")
    worker.Shipment.parcel = sent  # type: ignore[method-assign]  # as it was


def wait(_number: int) -> None:
    """So long that each worker gets one."""
    sleep(0.5)


def threads() -> None:
    """How many threads of a worker compute, with NUMBA_NUM_THREADS unset as Dask leaves it."""
    assert "NUMBA_NUM_THREADS" not in os.environ
    set_runs_per_chunk(512)
    with cluster(1) as executor:
        pid = executor.submit(os.getpid).result()
        for each in (1, 2):
            options = {"executor": executor, "threads_per_worker": each}
            sweep(1024, 100, **options)
            before = {one.id: one.user_time for one in psutil.Process(pid).threads()}
            begin = perf_counter()
            sweep(2048, **options)
            seconds = perf_counter() - begin
            spent = [
                one.user_time - before.get(one.id, 0.0) for one in psutil.Process(pid).threads()
            ]
            busy = sorted((share for s in spent if (share := s / seconds) > 0.05), reverse=True)
            shares = ", ".join(f"{100 * share:.0f} %" for share in busy)
            print(
                f"threads_per_worker={each}: {len(busy)} of {len(spent)} threads worked ({shares})"
            )


SECTIONS = {
    "scaling": scaling,
    "overhead": overhead,
    "traffic": traffic,
    "cold": cold,
    "threads": threads,
}


def main(names: list[str]) -> None:
    for name in names or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
