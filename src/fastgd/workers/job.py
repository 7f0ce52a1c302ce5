"""What is computed (a job), and how: by which workers, and whether in a folder."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple, Protocol

from fastgd.engine.devices import CPU
from fastgd.store import Arrays


class Job(Protocol):
    """Work in chunks that are pure functions: equal arrays wherever and however often computed.

    A job is pickled for the workers of an executor, and each of them keeps it. So it must be small
    compared with its results, and workers must be able to import its class. Frozen dataclasses
    are such jobs.
    """

    @property
    def sizes(self) -> Sequence[int]:
        """Amount of work in each chunk, in units of progress: updates, pixels, points."""

    def compute(self, chunk: int, threads: int, advance: Callable[[int], None]) -> Arrays:
        """Compute a chunk on this number of threads.

        ``advance`` is called with the units done since the last call, at least every 0.1 s. It may
        raise to stop the work; the exception must not be caught.
        """

    def compile(self, threads: int) -> None:
        """Compile, or load, all code that chunks need in this process on ``threads`` threads."""


class WorkerOptions(NamedTuple):
    """How a job is computed: on threads of this process, or on the workers of an executor."""

    executor: Executor | None
    threads: int  # of this process, without an executor
    threads_per_worker: int  # for each chunk that a worker computes
    out: Path | None = None  # the folder for its chunks
    has_bar: bool = False
    device: str = CPU
    """Where it is computed: see :mod:`fastgd.engine.devices`."""

    def threads_per_chunk(self, chunk_count: int) -> int:
        """Threads for each chunk; without an executor, a job's only chunk gets all of them."""
        if self.executor is not None:
            return self.threads_per_worker
        return self.threads if chunk_count == 1 else 1
