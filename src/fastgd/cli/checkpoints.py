"""``fastgd train --checkpoint``: what it holds, before the training and after an interrupt."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastgd
from fastgd import Run
from fastgd.checks.messages import many
from fastgd.checks.numbers import ABOVE_ZERO, check_number
from fastgd.cli.console import print_plain
from fastgd.cli.errors import RefusedError
from fastgd.cli.options import option
from fastgd.cli.output_files import check_output
from fastgd.training.resuming import planned
from fastgd.training.train import EVERY

if TYPE_CHECKING:
    from rich.console import Console

CHECKPOINT = (
    option(
        "--checkpoint FILE.npz",
        "Keep the training so far in this file: the same command given again resumes from it.",
        Path,
    ),
    option(
        "--checkpoint-every SECONDS",
        f"Write the checkpoint about every so often (default: {EVERY:g}).",
        float,
    ),
)


def check_checkpoint(
    file: Path | None, every: float | None, save: Path | None, read: list[Path]
) -> dict[str, Any]:
    """The arguments for the training, after checks; ``read`` are the files that it reads."""
    if file is None:
        if every is not None:
            raise RefusedError("--checkpoint-every needs --checkpoint FILE.npz")
        return {}
    check_output(file, "a checkpoint", (".npz",), tuple(read))
    if save is not None and save.resolve() == file.resolve():
        raise RefusedError(f"--checkpoint and --save must be two files, got {file} twice")
    seconds = (
        {}
        if every is None
        else {"checkpoint_every": check_number("--checkpoint-every", every, ABOVE_ZERO)}
    )
    return {"checkpoint": file, **seconds}


def kept_iterations(file: Path | None) -> int:
    """The number of iterations in a checkpoint; 0 if there is none."""
    if file is None or not file.exists():
        return 0
    found = fastgd.load(file)
    return planned(found) if isinstance(found, Run) else 0


def kept_text(file: Path | None) -> str:
    """What a checkpoint holds, as text; empty without one."""
    done = kept_iterations(file)
    return f"{file} has the run so far, after {many(done, 'iteration')}" if done else ""


def note_kept(console: "Console", file: Path | None, iterations: int) -> None:
    """Print where the training resumed."""
    if iterations:
        print_plain(console, f"Resumed from {file}, after {many(iterations, 'iteration')}")
