"""``fastgd plot``: figures of a saved run or sweep."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastgd
from fastgd import Model, Run, Sweep, plots
from fastgd.checks.messages import escaped, many
from fastgd.checks.numbers import check_choice
from fastgd.cli.command_options import PLOT, argument, option, takes
from fastgd.cli.output_files import check_plot, write_plot
from fastgd.cli.terminal import RefusedError, refusing
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


@takes(
    argument("file", "RESULT.npz", "What train --save or sweep --save wrote.", Path, default=...),
    option(
        "--kind KIND",
        "errors (over the iterations), changes (of direction, per weight), alphas (against error "
        "and changes), weights (their paths), or solved (share of seeds, by hidden size).",
        default=...,
    ),
    PLOT._replace(default=...),
    option(
        "--threshold ERROR",
        f"With solved: the final error below which a run has ({statistics.SOLVED:g}).",
        float,
    ),
)
def command(file: Path, kind: str, plot: Path, **chosen: Any) -> None:
    """Draw a figure of a saved training.

    Example: [bold]fastgd plot result.npz --kind errors --plot errors.png[/bold]
    """
    with refusing():
        check_choice("--kind", kind, list(KINDS))
        check_plot(plot)
        if chosen and kind != "solved":
            raise RefusedError(f"--threshold is for --kind solved, got --kind {kind}")
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
        with refusing(writes=True):
            write_plot(np.ravel(draw(result, **chosen))[0], plot)
    print(f"Written to {escaped(plot)}")
