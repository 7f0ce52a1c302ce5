"""Jobs without networks, to test how chunks are scheduled; workers import this file."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


class Told(list):
    """The work that was reported to it."""

    def __call__(self, done, _errors=None):
        self.append(done)


@dataclass(frozen=True)
class Squares:
    """The square of each chunk's index; ``log`` gets a file for each computation."""

    chunk_count: int
    seconds: float = 0.0
    log: str = ""
    fails: tuple[int, ...] = ()
    fails_once: tuple[int, ...] = ()
    kills: tuple[int, ...] = ()
    data: bytes = b""

    @property
    def sizes(self):
        return [10] * self.chunk_count

    def compile(self, threads):
        pass

    def compute(self, chunk, threads, advance):
        calls = self.calls_of(chunk)
        if self.log:
            name = f"{chunk}-{os.getpid()}-{threads}-{time.monotonic_ns()}"
            Path(self.log, name).touch()
        for _ in range(10):
            time.sleep(self.seconds / 10)
            advance(1)
        if chunk in self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        if chunk in self.fails or (chunk in self.fails_once and not calls):
            raise ValueError(f"{chunk} is a bad number")
        return {"square": np.array(chunk**2)}

    def calls_of(self, chunk):
        """Process and threads of each call for a chunk."""
        if not self.log:
            return []
        return [
            tuple(map(int, path.name.split("-")[1:3])) for path in Path(self.log).glob(f"{chunk}-*")
        ]

    def calls(self):
        return [self.calls_of(chunk) for chunk in range(self.chunk_count)]


@dataclass(frozen=True)
class Trainings:
    """A training for each seed, and how many kernels its process has compiled for it by then."""

    chunk_count: int
    iterations: int = 500

    @property
    def sizes(self):
        return [self.iterations] * self.chunk_count

    def compile(self, _threads):
        self.train(0, 1)

    def compute(self, chunk, _threads, advance):
        from fastgd.kernel.training_loop import descend

        run = self.train(chunk, self.iterations)
        advance(self.iterations)
        compiled = sum(descend.stats.cache_misses.values())
        return {"weights": run.weights[0], "compiled": np.array(compiled)}

    def train(self, seed, iterations):
        import fastgd

        return fastgd.train([[0, 1], [1, 1]], [0, 1], seed=seed, iterations=iterations)


def use_cache(folder):
    """Give this process its own cache of compiled code."""
    os.environ["NUMBA_CACHE_DIR"] = str(Path(folder, str(os.getpid())))


def squares_in_a_task(chunks):
    """A Dask task whose chunks are computed on the same workers."""
    from distributed import get_client

    from fastgd.engine.progress import unreported
    from fastgd.workers.run_job import WorkerOptions, run_job

    worker_options = WorkerOptions(get_client().get_executor(), 1, 1)
    found = run_job(Squares(chunks, 0.1), worker_options, unreported)
    return [int(arrays["square"]) for arrays in found]


def squares_in_a_task_that_left(chunks):
    """The same, from a task that has already freed its slot."""
    from distributed import worker_client

    with worker_client():
        return squares_in_a_task(chunks)


def work_into(folder, job, worker_options, advance):
    """Compute the chunks that are missing in a folder."""
    from fastgd.workers.run_job import run_job

    run_job(job, worker_options, advance, folder, reads=False)
