"""``fastgd plot``: figures of a saved run or sweep."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

import fastgd
from fastgd import Model, Run, Sweep, plots
from fastgd.checks.formatting import many
from fastgd.checks.messages import escaped
from fastgd.checks.values import check_choice
from fastgd.cli.errors import RefusedError, refusing
from fastgd.cli.job import Job
from fastgd.cli.output_files import check_picture, write_picture
from fastgd.cli.shared import number, option
from fastgd.training import statistics


class PlotKind(NamedTuple):
    """A kind of figure: its function, the results it accepts, and how to make such a file."""

    draw: Callable[..., Any]
    suits: Callable[[Run | Sweep], bool]
    needs: str


def _is_run(result: Run | Sweep) -> bool:
    return isinstance(result, Run)


def _is_sweep(result: Run | Sweep) -> bool:
    return isinstance(result, Sweep)


def _has_weights(result: Run | Sweep) -> bool:
    return isinstance(result, Run) and result.recorded_weights is not None


KINDS = {
    "errors": PlotKind(plots.errors, lambda _: True, ""),
    "changes": PlotKind(plots.direction_changes, _is_run, "one run (fastgd train --save)"),
    "alphas": PlotKind(
        plots.takeaways, _is_sweep, "a sweep (fastgd sweep --alpha 0.1,1,10 --save)"
    ),
    "weights": PlotKind(
        plots.weight_paths, _has_weights, "one run (fastgd train --record-weights --save)"
    ),
    "solved": PlotKind(
        plots.solved, _is_sweep, "a sweep (fastgd sweep --hidden-size 2,4,8 --seeds 100 --save)"
    ),
}


def command(
    file: Annotated[
        Path,
        typer.Argument(metavar="RESULT.npz", help="What train --save or sweep --save wrote."),
    ],
    kind: Annotated[
        str,
        option(
            metavar="KIND",
            help="errors (over the iterations), changes (of direction, per weight), alphas "
            "(against error and changes), weights (their paths), or solved (share of seeds, "
            "by hidden size).",
        ),
    ],
    plot: Annotated[
        Path, option(metavar="FILE", help="Draw the figure to this file: .png, .svg or .pdf.")
    ],
    threshold: Annotated[
        float | None,
        number(
            "--threshold",
            "ERROR",
            f"With solved: the final error below which a run has ({statistics.SOLVED:g}).",
        ),
    ] = None,
) -> Job:
    """Draw a figure of a saved training.

    Example: [bold]fastgd plot result.npz --kind errors --plot errors.png[/bold]
    """
    return partial(show, file, kind, plot, threshold)


def show(file: Path, kind: str, plot: Path, threshold: float | None) -> None:
    """Read the file and draw a figure of this kind."""
    with refusing():
        check_choice("--kind", kind, list(KINDS))
        check_picture(plot)
        if threshold is not None and kind != "solved":
            raise RefusedError(f"--threshold is for --kind solved, got --kind {kind}")
        chosen = {} if threshold is None else {"threshold": threshold}
        result = fastgd.open(file) if file.is_dir() else fastgd.load(file)
        if isinstance(result, Model) and len(result.runs) == 1:
            result = result.runs[0]
        if not isinstance(result, Run | Sweep):
            raise RefusedError(f"{file} must hold a run or a sweep, got a {type(result).__name__}")
        draw, suits, needs = KINDS[kind]
        if not suits(result):
            holds = "one run" + (" without recorded weights" if suits is _has_weights else "")
            if isinstance(result, Sweep):
                holds = f"a sweep of {many(len(result), 'run')}"
            raise RefusedError(f"--kind {kind} needs {needs}, but {file} holds {holds}")
        drawn = draw(result, **chosen)
        write_picture(np.ravel(drawn)[0], plot)
    print(f"Written to {escaped(plot)}")
