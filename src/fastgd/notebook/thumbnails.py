"""A small plot of each result, as a PNG; none if matplotlib is not installed."""

from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgd import plots
from fastgd.checks.messages import SHORT
from fastgd.models.group_models import GroupModels
from fastgd.models.model import Model
from fastgd.plots.lines import ERROR, MOST, legend, marker, scale_errors
from fastgd.plots.style import axes, encode, styled, user_text
from fastgd.plots.trainings import draw_curves
from fastgd.studies.race import Race
from fastgd.studies.surface import Surface
from fastgd.studies.trainability_map import Trainability
from fastgd.training import statistics
from fastgd.training.run import Run
from fastgd.training.sweep_result import Sweep

WIDTH, HEIGHT = 480, 300
"""Displayed pixels, 100 per inch."""

SHARP = 2
"""Pixels in the file per displayed pixel, for high-resolution screens."""

SMALL = {"font.size": 8.0, "axes.titlesize": "medium", "legend.fontsize": "small"}

POINTS = 2000
"""Points of a line over many runs, at most: more than the pixels of its width."""

COLORS = 128
"""Colors in the file: with all colors a map takes three times the bytes and looks the same."""


class Thumbnail(NamedTuple):
    """A PNG image, and its alternative text."""

    png: bytes
    text: str


def plot_of(result: Any) -> Thumbnail | None:
    """Plot a result on a figure that pyplot does not know."""
    if find_spec("matplotlib") is None:
        return None
    from matplotlib.figure import Figure

    with styled() as plt, plt.rc_context(SMALL):
        figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), layout="constrained")
        ax = figure.add_subplot()
        draw = next(draw for kind, draw in _DRAWING.items() if isinstance(result, kind))
        text = draw(result, ax)
        ax.set_title("")  # the table has this information
        content = encode(figure, "png", dpi=SHARP * 100)
    return Thumbnail(_smaller(content), text)


def _of_run(run: Run, ax: Any) -> str:
    plots.errors(run, ax=ax)
    return "Error against iteration"


def _of_sweep(sweep: Sweep, ax: Any) -> str:
    lengths = (len(axis) for name, axis in sweep.axes.items() if name not in statistics.REPEATED)
    if prod(lengths) <= MOST:
        plots.errors(sweep, ax=ax)
        return "Error against iteration, a line per setting"
    held = sweep.final_validation_error
    errors = np.sort(np.ravel(sweep.final_error if held is None else held))
    ranks = np.unique(np.linspace(0, len(errors) - 1, POINTS).astype(np.int64))
    ax.plot(ranks + 1, errors[ranks], **marker(len(ranks)))
    scale_errors(ax, errors, sweep.errors[..., 0])
    ax.set_xlabel("runs, the best one first")
    ax.set_ylabel(f"final {ERROR}" + ("" if held is None else ", validation set"))
    return "The final errors of all runs, in order"


def _of_surface(surface: Surface, ax: Any) -> str:
    plots.surface(surface, ax=ax)
    return "The error over two weights"


def _of_race(race: Race, ax: Any) -> str:
    with axes(ax):
        draw_curves(ax, {name: race.runs[name] for name in race.ranking()}, SHORT)
        legend(ax)
    return "Error against iteration, a line per optimizer"


def _of_map(found: Trainability, ax: Any) -> str:
    plots.trainability(found, ax=ax)
    return "Learning rates at which trainings converged, and at which they diverged"


def _of_model(model: Model, ax: Any) -> str:
    plots.errors(model.runs[0], ax=ax)
    return "Error against iteration, of the first network"


def _of_groups(models: GroupModels, ax: Any) -> str:
    held = models.measured["test_error"]
    where = "training" if np.isnan(held).all() else "test"
    errors = np.sort(models.measured["training_error"] if where == "training" else held)
    with axes(ax):
        ax.plot(np.arange(1, len(errors) + 1), errors, **marker(len(errors)))
        ax.set_xlabel("groups, the best one first")
        ax.set_ylabel(f"{where} error of {user_text(models.target.name)}")
    return f"The {where} errors of all groups, in order"


_DRAWING: dict[type, Callable[[Any, Any], str]] = {
    Run: _of_run,
    Sweep: _of_sweep,
    Surface: _of_surface,
    Race: _of_race,
    Trainability: _of_map,
    Model: _of_model,
    GroupModels: _of_groups,
}
"""The functions that draw a result on axes, and return its alternative text."""


def _smaller(png: bytes) -> bytes:
    """Reduce the number of colors, which leaves a third of the bytes."""
    from PIL import Image

    content, image = BytesIO(), Image.open(BytesIO(png))
    image.convert("RGB").quantize(COLORS).save(content, format="png", optimize=True)
    return content.getvalue()
