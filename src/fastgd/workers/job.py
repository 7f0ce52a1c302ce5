"""What is worked off, and by whom."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple, Protocol

from fastgd.store.npz import Arrays


class Job(Protocol):
    """Work in parts, each pure: the same arrays wherever, and however often, it is computed.

    A job is pickled for the workers of an executor, and each of them keeps it: it must be small
    beside what it computes, and its class importable there. Frozen dataclasses are such jobs.
    """

    @property
    def sizes(self) -> Sequence[int]:
        """How much there is to do in each part, in units of progress: updates, pixels, points."""

    def compute(self, part: int, threads: int, advance: Callable[[int], None]) -> Arrays:
        """Compute a part on so many threads.

        ``advance`` is told of units that are done, at least every 0.1 s. It may raise, so that the
        caller can end the work: it must not be caught.
        """

    def compile(self, threads: int) -> None:
        """Compile, or load, all code that parts need on so many threads each, in this process."""


class WorkerOptions(NamedTuple):
    """Who works: threads of this process, or the workers of an executor."""

    executor: Executor | None
    threads: int  # of this process, if there is no executor
    threads_per_worker: int  # for each part that a worker has in hand

    def threads_of_part(self, parts: int) -> int:
        """Threads that each of so many parts has."""
        if self.executor is not None:
            return self.threads_per_worker
        return self.threads if parts == 1 else 1
