"""Plot of a race: errors against iterations, and the paths on a loss surface."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np

from fastgd.checks.messages import joined
from fastgd.checks.numbers import check_result
from fastgd.plots.lines import ERROR, below, label_iterations, scale_errors
from fastgd.plots.planes import NAME, looks
from fastgd.plots.planes import surface as draw_surface
from fastgd.plots.style import Axes, legend_text, panels
from fastgd.studies.race import Race
from fastgd.studies.surface import Surface
from fastgd.training.run import Run
from fastgd.training.statistics import error_curves

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
    for look, (name, run) in zip(looks(len(ranked)), ranked.items(), strict=True):
        label = legend_text(name, most)
        label += "" if "alpha" in name else f", alpha {joined(run.alpha)}"
        ax.plot(*error_curves(run), label=label, **look, linewidth=1.4)
    ax.set_yscale("log")
    drawn = [error_curves(run)[1] for run in ranked.values()]
    scale_errors(ax, np.concatenate(drawn), [errors[0] for errors in drawn])
    label_iterations(ax)
    ax.set_ylabel(ERROR)
