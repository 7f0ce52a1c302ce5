"""What is worked off, and by whom."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple, Protocol

from fastgd.store.npz import Arrays


class Job(Protocol):
    """Work in chunks, each pure: the same arrays wherever, and however often, it is computed.

    A job is pickled for the workers of an executor, and each of them keeps it: it must be small
    beside what it computes, and its class importable there. Frozen dataclasses are such jobs.
    """

    @property
    def sizes(self) -> Sequence[int]:
        """How much there is to do in each chunk, in units of progress: updates, pixels, points."""

    def compute(self, chunk: int, threads: int, advance: Callable[[int], None]) -> Arrays:
        """Compute a chunk on so many threads.

        ``advance`` is told of units that are done, at least every 0.1 s. It may raise, so that the
        caller can end the work: it must not be caught.
        """

    def compile(self, threads: int) -> None:
        """Compile, or load, all code that chunks need on so many threads each, in this process."""


class WorkerOptions(NamedTuple):
    """Who works: threads of this process, or the workers of an executor."""

    executor: Executor | None
    threads: int  # of this process, if there is no executor
    threads_per_worker: int  # for each chunk that a worker has in hand

    def threads_per_chunk(self, chunk_count: int) -> int:
        """How many threads each of this number of chunks gets."""
        if self.executor is not None:
            return self.threads_per_worker
        return self.threads if chunk_count == 1 else 1
