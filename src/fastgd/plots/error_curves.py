"""Error against iteration, of runs and of a race."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import joined
from fastgd.checks.numbers import check_result
from fastgd.plots.lines import (
    ERROR,
    VALIDATION,
    below,
    check_lines,
    draw_group,
    group_label,
    label_iterations,
    legend,
    looks,
    mark,
    marker,
    of_validation,
    run_title,
    scale_errors,
    sweep_title,
)
from fastgd.plots.planes import NAME, path_looks
from fastgd.plots.planes import surface as draw_surface
from fastgd.plots.style import Axes, axes, legend_text, panels
from fastgd.studies.race import Race
from fastgd.studies.surface import Surface
from fastgd.training import statistics
from fastgd.training.run import Run
from fastgd.training.statistics import error_curves
from fastgd.training.sweep_result import Sweep


def errors(result: Run | Sweep, *, ax: "Axes | None" = None) -> "Axes":
    """Plot the errors of a run, or of the runs of a sweep, against the iterations.

    A run is one line. A sweep has one line per setting; if a setting has several seeds, initial
    weights, folds or sample weights, the line is the median of its runs, with a band between the
    quartiles. The last point is the final error. Validation errors, if there are any, are dashed,
    in the color of the training errors and without a band. A triangle on the lower edge marks the
    iteration with the smallest monitored error (the median, for several runs), if errors were
    monitored.

    The scale is logarithmic if errors differ widely; values above 100 times the first error are cut
    off. If settings differ by a single number, their colors are ordered by it.

    Parameters
    ----------
    result : Run or Sweep
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        Mean absolute error against iterations.

    Raises
    ------
    TypeError
        If it is neither a Run nor a Sweep.
    ValueError
        If a sweep has more than 14 settings: more lines can't be told apart.
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

    Examples
    --------
    The article's seven alphas:

    >>> import fastgd, fastgd.plots
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> alphas = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    >>> sweep = fastgd.sweep(X, y, alpha=alphas, iterations=1000, record_every=100)
    >>> ax = fastgd.plots.errors(sweep)
    >>> [line.get_label() for line in ax.lines][:2]
    ['alpha 0.001', 'alpha 0.01']
    """
    check_result("result", result, Run, Sweep)
    iterations, values = statistics.error_curves(result)
    found, held, best = _groups(result, values), [], []
    drawn = values
    if result.validation_errors is not None:
        _, away = statistics.error_curves(result, validation=True)
        held, drawn = _groups(result, away), np.stack((values, away))
    if result.best_iteration is not None:
        best = _groups(result, np.asarray(result.best_iteration))
    check_lines(len(found), "the sweep")
    with axes(ax, figsize=(7.3, 4.6)) as ax:
        lines = looks([group.setting for group in found])
        dots = marker(len(iterations))
        for look, group in zip(lines, found, strict=True):
            label = _label(group) or ("training" if held else None)
            draw_group(ax, iterations, group.values, look | dots | {"label": label})
        for look, group in zip(lines, held, strict=False):
            draw_group(ax, iterations, group.values, of_validation(look) | dots, band=False)
        for look, group in zip(lines, best, strict=False):
            mark(ax, [np.median(group.values)], 0, marker="^", markersize=6, color=look["color"])
        legend(ax, _entries(ax, result))
        if isinstance(result, Run):
            ax.set_title(run_title(result))
        else:
            ax.set_title(sweep_title(result, shown="median and quartiles"))
        scale_errors(ax, drawn, values[..., 0])
        ax.set_ylabel(ERROR)
        label_iterations(ax)
        return ax


def _groups(result: Run | Sweep, values: NDArray[Any]) -> list[statistics.Group]:
    """Return the runs of each setting; a single run is one group without a setting."""
    if isinstance(result, Run):
        return [statistics.Group({}, values[None])]
    return list(statistics.groups(result, values))


def _entries(ax: "Axes", result: Run | Sweep) -> dict[str, dict[str, Any]]:
    """Return the looks of dashes and triangles, for the legend."""
    found: dict[str, dict[str, Any]] = {}
    monitored = "error"
    if result.validation_errors is not None:
        monitored = "validation error"
        dotted = any(line.get_linestyle() == VALIDATION[1] for line in ax.lines)
        label = "validation (dashed or dotted)" if dotted else "validation (dashed)"
        found[label] = {"linestyle": VALIDATION[0]}
    if result.best_iteration is not None:
        found[f"smallest {monitored}"] = {"linestyle": "none", "marker": "^"}
    return found


def _label(group: statistics.Group) -> str:
    """Return the setting, and the number of its runs without a final error."""
    lost = int((~np.isfinite(group.values[:, -1])).sum())
    runs = len(group.values)
    note = "" if not lost else "diverged" if runs == 1 else f"{lost} of {runs} diverged"
    return ": ".join(filter(None, [group_label(group.setting), note]))


# ---------------------------------------------------------------- a race

_SLICE = (
    "Paths show these two weights only; the other\n"
    "weights are not those of this slice. A run's own\n"
    "error is in the curves, not the color below its path."
)

SIZE = (9.0, 4.9)
"""Size in inches of both halves side by side."""

WIDEST = 30
"""Most characters of a name of which two fit side by side below the errors."""


def race(
    race: Race, surface: Surface, *, ax: "tuple[Axes, Axes] | None" = None
) -> "tuple[Axes, Axes]":
    r"""Plot a race, as in the comparisons that the article links to ("Visualizing the Difference").

    Parameters
    ----------
    race : Race
        The result of :func:`fastgd.race`.
    surface : Surface
        The loss surface for the paths: ``race.surface()``, or another one of that network.
    ax : pair of matplotlib Axes, optional
        Axes of the errors and of the surface; by default side by side in a new figure.

    Returns
    -------
    (Axes, Axes)
        The errors against the iterations (log scale), with the winner first; and the surface with
        the paths, in the same colors.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the surface is of another network, or over a bias.

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> from fastgd.optimizers import GradientDescent, Momentum
    >>> X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
    >>> race = fastgd.race(X, y, [(GradientDescent(), 1), (Momentum(), 1)], hidden_size=(),
    ...                    iterations=100)
    >>> curves, plane = fastgd.plots.race(race, race.surface(resolution=41))
    >>> [line.get_label() for line in curves.lines]
    ['Momentum, alpha 1', 'GradientDescent, alpha 1']
    """
    check_result("race", race, Race)
    check_result("surface", surface, Surface)
    ranked = {name: race.runs[name] for name in race.ranking()}
    for run in ranked.values():
        surface.path(run)  # raises for a surface that does not fit, before a figure is made
    with panels(ax, 2, across=True, figsize=SIZE) as (curves, plane):
        draw_curves(curves, ranked)
        curves.set_title(f"{len(ranked)} optimizers, the same initial weights")
        columns = 2 if max(map(len, ranked)) <= WIDEST else 1
        curves.legend(loc="upper left", **below(curves), ncols=columns, fontsize="small")
        draw_surface(surface, ax=plane, paths=ranked)
        plane.set_title(fill(plane.get_title(loc="left"), 44))  # in half a figure
        if legend := plane.get_legend():
            legend.remove()  # the curves have the same colors
        if surface.held:
            under = {"transform": below(plane)["bbox_transform"], "ha": "center", "va": "top"}
            plane.text(0.5, 0, _SLICE, fontsize="small", **under)
    return curves, plane


def draw_curves(ax: "Axes", ranked: Mapping[str, Run], most: int = NAME) -> None:
    """Draw the errors against the iterations, one line per optimizer; shorten long names."""
    for look, (name, run) in zip(path_looks(len(ranked)), ranked.items(), strict=True):
        label = legend_text(name, most)
        label += "" if "alpha" in name else f", alpha {joined(run.alpha)}"
        ax.plot(*error_curves(run), label=label, **look, linewidth=1.4)
    ax.set_yscale("log")
    drawn = [error_curves(run)[1] for run in ranked.values()]
    scale_errors(ax, np.concatenate(drawn), [errors[0] for errors in drawn])
    label_iterations(ax)
    ax.set_ylabel(ERROR)
