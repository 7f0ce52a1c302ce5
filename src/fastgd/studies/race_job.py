"""The optimizers of a race, and their trainings as a job; each chunk is a whole run."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from fastgd.checks.messages import shown
from fastgd.optimizers import ALL, Optimizer
from fastgd.store import Arrays
from fastgd.store.npz import tuples
from fastgd.training.codec import decoded
from fastgd.training.run import Run
from fastgd.training.stored_results import encode_run
from fastgd.training.training_job import TrainingJob
from fastgd.workers.compiling import compile_all

_HEADER = "facts"
"""Name of a run's header, as JSON, among its arrays."""

_COMPILED_AFTER = 2
"""Iterations of a training that only compiles code."""


@dataclass(frozen=True, eq=False)
class RaceJob:
    """Independent trainings: a :class:`fastgd.workers.tasks.Job`."""

    trainings: tuple[TrainingJob, ...]

    @property
    def sizes(self) -> list[int]:
        """Updates of each run."""
        return [training.task.iterations for training in self.trainings]

    @property
    def bytes(self) -> int:
        """Memory of all trainings together."""
        return sum(training.plan(0, 1).bytes(training.keep) for training in self.trainings)

    def compute(self, chunk: int, _threads: int, advance: Callable[[int], None]) -> Arrays:
        """Train one run, which uses a single thread."""
        training = self.trainings[chunk]
        return _trained(training, training.task.iterations, advance)

    def compile(self, _threads: int) -> None:
        """Compile the code of each run, by a few iterations."""
        compile_all(partial(_compile, training) for training in self.trainings)

    def runs(self, chunks: Sequence[Arrays]) -> list[Run]:
        """Return the runs from the arrays of all chunks."""
        found = []
        for training, arrays in zip(self.trainings, chunks, strict=True):
            header = tuples(json.loads(str(arrays[_HEADER])))
            run: Run = decoded("a chunk of the race", Run.__name__, header, arrays)
            found.append(replace(run, options=training.methods[0].given))
        return found


def _trained(training: TrainingJob, iterations: int, advance: Callable[[int], None]) -> Arrays:
    job = training.between(0, iterations, None)
    run = job.train_one(job.plan(0, 1), advance)
    header, arrays = encode_run(run)
    return {_HEADER: np.array(json.dumps(header)), **arrays}


def _compile(training: TrainingJob) -> None:
    _trained(training, min(_COMPILED_AFTER, training.task.iterations), lambda _done: None)


def entrants_of(given: Any) -> dict[str, tuple[Optimizer, Any]]:
    """Return optimizers and alphas by name."""
    if given is None:
        given = [kind() for kind in ALL]
    if not isinstance(given, (Mapping, list, tuple)):
        raise TypeError(
            f"optimizers must be a list, or a dict by name, of optimizers, got {shown(given)}"
        )
    if not given:
        raise ValueError(f"optimizers must have at least one, got {shown(given)}")
    if isinstance(given, Mapping):
        return {str(name): _entry(name, entry) for name, entry in given.items()}
    entries = [_entry(k, entry) for k, entry in enumerate(given)]
    return dict(zip(_names(entries), entries, strict=True))


def _entry(place: object, entry: Any) -> tuple[Optimizer, Any]:
    """Return an optimizer with its alpha."""
    if isinstance(entry, ALL):
        return entry, entry.race_alpha
    if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], ALL):
        return entry
    raise TypeError(
        f"optimizers[{place!r}] must be one of fastgd.optimizers, such as Adam(), or a pair "
        f"(optimizer, alpha), got {shown(entry)}"
    )


def _names(entries: Sequence[tuple[Optimizer, Any]]) -> list[str]:
    """Return unique names: the class, with parameters where needed, or with alpha as well."""
    short = [type(optimizer).__name__ for optimizer, _ in entries]
    full = [repr(optimizer) for optimizer, _ in entries]
    longest = [f"{name}, alpha {alpha}" for name, (_, alpha) in zip(full, entries, strict=True)]
    for name in longest:
        if longest.count(name) > 1:
            raise ValueError(f"optimizers must differ from one another, got {name} twice")
    return [
        next(forms[k] for forms in (short, full, longest) if forms.count(forms[k]) == 1)
        for k in range(len(entries))
    ]
