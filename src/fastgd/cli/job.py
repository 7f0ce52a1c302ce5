"""What a command returns, and what all commands share: warm-up and timing."""

import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Generic, NamedTuple, TypeVar

from fastgd.checks.messages import TrainingWarning, seconds_text
from fastgd.cli.console import spinner

T = TypeVar("T")

Job = Callable[[], None]
"""The work that is left when all options have been checked."""


class Timed(NamedTuple, Generic[T]):
    """A result, the seconds it took, and the seconds of compiling before it."""

    result: T
    seconds: float
    loading: float  # 0 if nothing came before

    def text(self, done: str) -> str:
        """The time it took, as a sentence that begins with what was done."""
        if not self.loading:
            return f"{done} in {seconds_text(self.seconds)}."
        return (
            f"{done} in {seconds_text(self.seconds)}, "
            f"after {seconds_text(self.loading)} to load or compile the kernel."
        )


def timed(warm_up: Callable[[], object] | None, work: Callable[[], T]) -> Timed[T]:
    """Time the work; before it, load or compile the kernel under a spinner.

    A warm-up is the same work with one iteration: it also meets whatever is wrong with the
    arguments before hours of work.
    """
    begin = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # the command says so in its own words
        if warm_up is not None:
            with spinner():
                warm_up()
        ready = perf_counter()
        result = work()
    loading = 0.0 if warm_up is None else ready - begin
    return Timed(result, perf_counter() - ready, loading)
