"""A small plot of each result, as a PNG, for notebooks."""

from collections.abc import Callable
from io import BytesIO
from math import prod
from typing import Any

import numpy as np

from fastgd.checks.messages import SHORT
from fastgd.checks.presentation import HEIGHT, WIDTH, GroupErrors, thumbnail
from fastgd.plots.dependence import importances, partial
from fastgd.plots.lines import ERROR, MOST, legend, marker, scale_errors
from fastgd.plots.maps import trainability
from fastgd.plots.planes import surface
from fastgd.plots.style import axes, encode, styled, user_text
from fastgd.plots.trainings import draw_curves, errors
from fastgd.studies.race import Race
from fastgd.studies.surface import Surface
from fastgd.studies.trainability_map import Trainability
from fastgd.tables.inspection import Importances, PartialDependence
from fastgd.training import statistics
from fastgd.training.run import Run
from fastgd.training.sweep_result import Sweep

SHARP = 2
"""Pixels in the file per displayed pixel, for high-resolution screens."""

SMALL = {"font.size": 8.0, "axes.titlesize": "medium", "legend.fontsize": "small"}

POINTS = 2000
"""Points of a line over many runs, at most: more than the pixels of its width."""

COLORS = 128
"""Colors in the file: with all colors a map takes three times the bytes and looks the same."""

Drawing = Callable[[Any, Any], str]


def _draws(kind: type[Any]) -> Callable[[Drawing], Drawing]:
    """Register a function that draws a result on axes, and returns its alternative text."""

    def register(draw: Drawing) -> Drawing:
        def drawn(result: Any) -> tuple[bytes, str]:
            from matplotlib.figure import Figure
            from PIL import Image

            with styled() as plt, plt.rc_context(SMALL):
                # A figure that pyplot does not know.
                figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), layout="constrained")
                ax = figure.add_subplot()
                text = draw(result, ax)
                ax.set_title("")  # the table has this information
                image = Image.open(BytesIO(encode(figure, "png", dpi=SHARP * 100)))
            content = BytesIO()
            image.convert("RGB").quantize(COLORS).save(content, format="png", optimize=True)
            return content.getvalue(), text

        thumbnail.register(kind, drawn)
        return draw

    return register


@_draws(Run)
def _run(run: Run, ax: Any) -> str:
    errors(run, ax=ax)
    return "Error against iteration"


@_draws(Sweep)
def _sweep(sweep: Sweep, ax: Any) -> str:
    lengths = (len(axis) for name, axis in sweep.axes.items() if name not in statistics.REPEATED)
    if prod(lengths) <= MOST:
        errors(sweep, ax=ax)
        return "Error against iteration, a line per setting"
    held = sweep.final_validation_error
    ordered = np.sort(np.ravel(sweep.final_error if held is None else held))
    ranks = np.unique(np.linspace(0, len(ordered) - 1, POINTS).astype(np.int64))
    ax.plot(ranks + 1, ordered[ranks], **marker(len(ranks)))
    scale_errors(ax, ordered, sweep.errors[..., 0])
    ax.set_xlabel("runs, the best one first")
    ax.set_ylabel(f"final {ERROR}" + ("" if held is None else ", validation set"))
    return "The final errors of all runs, in order"


@_draws(Surface)
def _surface(found: Surface, ax: Any) -> str:
    surface(found, ax=ax)
    return "The error over two weights"


@_draws(Race)
def _race(race: Race, ax: Any) -> str:
    with axes(ax):
        draw_curves(ax, {name: race.runs[name] for name in race.ranking()}, SHORT)
        legend(ax)
    return "Error against iteration, a line per optimizer"


@_draws(Trainability)
def _map(found: Trainability, ax: Any) -> str:
    trainability(found, ax=ax)
    return "Learning rates at which trainings converged, and at which they diverged"


@_draws(Importances)
def _importances(found: Importances, ax: Any) -> str:
    importances(found, ax=ax)
    return "How much worse the predictions are without each column"


@_draws(PartialDependence)
def _partial(found: PartialDependence, ax: Any) -> str:
    partial(found, ax=ax)
    return "The mean prediction against the values of a column, and those of rows"


@_draws(GroupErrors)
def _groups(found: GroupErrors, ax: Any) -> str:
    with axes(ax):
        ordered = np.sort(found.errors)
        ax.plot(np.arange(1, len(ordered) + 1), ordered, **marker(len(ordered)))
        ax.set_xlabel("groups, the best one first")
        ax.set_ylabel(f"{found.where} error of {user_text(found.target)}")
    return f"The {found.where} errors of all groups, in order"
