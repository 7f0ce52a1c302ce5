"""The job of all studies: pieces that one function computes, each as a chunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastgd.engine.progress import Advance, unreported
from fastgd.store import Arrays
from fastgd.workers.compiling import compile_all


@dataclass(frozen=True, eq=False)
class StudyJob:
    """The pieces of a study: a :class:`fastgd.workers.tasks.Job`."""

    # Returns the arrays of a piece: computing(piece, threads, advance, is_trial=False). A trial is
    # little work, which compiles all code. Workers must be able to import the function.
    computing: Callable[..., Arrays]
    pieces: Sequence[Any]  # the trainings of a race, the rows of a surface, the patches of a map
    sizes: Sequence[int]  # the amount of work in each piece, in units of progress
    trials: Sequence[Any]  # pieces whose trials compile the code of all of them

    def compute(self, chunk: int, threads: int, advance: Advance) -> Arrays:
        """Compute a piece."""
        return self.computing(self.pieces[chunk], threads, advance)

    def compile(self, threads: int) -> None:
        """Compile the code of all pieces."""
        compile_all(
            partial(self.computing, piece, threads, unreported, is_trial=True)
            for piece in self.trials
        )
