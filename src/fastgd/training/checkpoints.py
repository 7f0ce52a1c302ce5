"""Checkpoints: a file always has a complete copy of the run so far, from which the call resumes.

The file is a saved :class:`fastgd.Run` that also has the manifest of its call: the arguments, and
hashes of the arrays. They are compared with those of the call that resumes from the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from fastgd.checks.messages import shown
from fastgd.checks.numbers import ABOVE_ZERO, check_number, check_path
from fastgd.engine.progress import progress_bar
from fastgd.store import npz
from fastgd.store.manifest import Manifest, manifest_of, parsed
from fastgd.training import stored_results as stored_run
from fastgd.training.codec import decoded
from fastgd.training.resuming import planned
from fastgd.training.run import Run
from fastgd.training.training_job import Training, is_over

EVERY = 60.0
"""Seconds between checkpoints."""

FIRST = 256
"""Iterations before the first checkpoint, so that an unwritable folder is noticed in a second."""

GROWTH = 4
"""Maximum ratio of a stretch's iterations to those of the stretch before: the first stretch may
include compiling, and then says nothing about the speed."""

EARLY = 0.1
"""Fraction of the interval by which a checkpoint may be early, which avoids tiny stretches."""

_QUESTION = "checkpoint"
"""Key of the manifest in the header of the file."""


class File(NamedTuple):
    """The path of a checkpoint, and the seconds between writes."""

    path: Path
    every: float


def check_file(checkpoint: object, checkpoint_every: object) -> File | None:
    """Check the arguments ``checkpoint`` and ``checkpoint_every``; None without a file."""
    seconds = check_number("checkpoint_every", checkpoint_every, ABOVE_ZERO)
    if checkpoint is None:
        if seconds != EVERY:
            raise ValueError(
                "checkpoint_every must go with checkpoint, "
                f"got checkpoint_every={shown(checkpoint_every)} without one"
            )
        return None
    path = check_path("checkpoint", checkpoint)
    if path.exists() and not path.is_file():
        raise ValueError(f"checkpoint must be a file, got {path}, which is none")
    if not path.parent.is_dir():
        raise ValueError(f"checkpoint must be in a folder that exists, got {path}")
    return File(path, seconds)


def train(training: Training, file: File, shows_bar: bool) -> Run:
    """Train, resuming from the file if it exists, and write it about every ``file.every`` seconds.

    If it can't be written, its previous content stays.
    """
    asked, arrays = training.asked
    question = manifest_of("training", asked, {}, arrays, chunk_count=1)
    begun, iterations = training.task.done, training.task.iterations
    run = _read(file.path, question) or training.resume
    done = planned(run)
    bar = progress_bar(shows_bar, iterations - begun, " updates", done - begun)
    with bar as advance:
        length, due = FIRST, 0.0
        while done < iterations:
            to = iterations if is_over(run) else min(done + length, iterations)
            start = perf_counter()
            run = training.stretch(training.between(done, to), run, advance)
            now = perf_counter()
            speed = (to - done) / max(now - start, 1e-9)
            if now >= due or to == iterations:
                _write(file.path, run, question)
                now = perf_counter()
                due = now + (1 - EARLY) * file.every
            in_time = int(speed * (due - now + EARLY * file.every))
            length, done = max(1, min(GROWTH * length, in_time)), to
    assert run is not None  # there is at least one iteration
    return run


def _write(path: Path, run: Run, question: Manifest) -> None:
    header, arrays = stored_run.encode(run)
    header |= {_QUESTION: json.loads(question.text())}
    npz.write(path, Run.__name__, header, arrays)


def _read(path: Path, question: Manifest) -> Run | None:
    """Read the run so far; None if the file doesn't exist."""
    try:
        with npz.reading(path) as (kind, header, arrays):
            found = parsed(json.dumps(header[_QUESTION]).encode()) if _QUESTION in header else None
            if found is not None and found.id == question.id:
                run: Run = decoded(path, kind, header, arrays)
                return run
    except FileNotFoundError:
        return None
    except ValueError as error:
        said = str(error) if str(path) in str(error) else f"{path} {error}"
        raise ValueError(
            f"{said}: choose another file, or remove it if it is a corrupt checkpoint"
        ) from error
    got = f"a {kind} that was saved"
    if found is not None:
        got = f"one with {found.differences(question)}"
    raise ValueError(
        f"{path} must be the checkpoint of this training, got {got}: remove it, or choose another "
        "file"
    )
