"""The article's takeaways: alpha against the final error, and against the direction changes."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.values import check_result
from fastgd.plots.lines import (
    ERROR,
    VALIDATION,
    check_lines,
    legend,
    looks,
    of_validation,
    scale_errors,
)
from fastgd.plots.panels import panels
from fastgd.plots.style import styled
from fastgd.plots.titles import group_label, sweep_title
from fastgd.training import statistics
from fastgd.training.runs import Sweep

if TYPE_CHECKING:
    from fastgd.plots.panels import Given


def takeaways(sweep: Sweep, *, ax: "Given | None" = None) -> NDArray[Any]:
    """Plot the final error and the direction changes against alpha, one above the other.

    This shows the article's takeaways: with a tiny alpha, derivatives hardly ever change their
    direction and the error stays high; with the best alpha they change it a ton; with a huge one
    they change it a medium amount, and the error is high again. There is one line per setting; with
    several seeds it is the median, with a band between the quartiles. Runs that diverged are left
    out, and a cross at the top marks their alphas. Validation errors, if there are any, are dashed.

    Parameters
    ----------
    sweep : Sweep
        Over at least two alphas, each a single number.
    ax : pair of matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    (2,) array of matplotlib Axes
        Final error; direction changes of all weights and biases together.

    Raises
    ------
    TypeError
        If it isn't a Sweep.
    ValueError
        If its alphas are not several single numbers, it has more than 14 other settings, or ``ax``
        is not a pair of axes.
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> alphas = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    >>> error, changes = fastgd.plots.takeaways(fastgd.sweep(X, y, alpha=alphas, iterations=1000))
    >>> changes.lines[0].get_xdata()
    array([1.e-03, 1.e-02, 1.e-01, 1.e+00, 1.e+01, 1.e+02, 1.e+03])
    """
    check_result("sweep", sweep, Sweep)
    alphas = sweep.axes.get("alpha", [])
    if len(alphas) < 2 or any(isinstance(alpha, tuple) for alpha in alphas):
        came = [sweep.settings["alpha"]] if "alpha" not in sweep.axes else alphas
        raise ValueError(f"takeaways needs a sweep over several alphas, got {came[0]}")
    lost = ~np.isfinite(sweep.final_error)
    quantities = (sweep.final_error, np.where(lost, np.nan, sweep.total_changes))
    both, away = [list(statistics.groups(sweep, v, along="alpha")) for v in quantities], []
    errors = sweep.final_error
    if sweep.final_validation_error is not None:
        away = list(statistics.groups(sweep, sweep.final_validation_error, along="alpha"))
        errors = np.stack((errors, sweep.final_validation_error))
    check_lines(len(both[0]), "in addition to alpha, the sweep")
    lines = looks([group.setting for group in both[0]])
    with styled() as plt:
        drawn = panels(ax, 2, plt, sharex=ax is None, figsize=(7.3, 6.2))
        error, changes = drawn
        for one, found in zip(drawn, both, strict=True):
            for look, group in zip(lines, found, strict=True):
                _draw(one, alphas, group, look)
            one.set_xscale("log")
        for look, group in zip(lines, away, strict=False):
            _draw(error, alphas, group, of_validation(look) | {"label": None})
        for look, group in zip(lines, statistics.groups(sweep, lost, along="alpha"), strict=True):
            _mark_lost(error, np.array(alphas)[group.values.any(axis=1)], look["color"])
        _explain(error, several=len(lines) > 1, held=bool(away), lost=bool(lost.any()))
        error.set_title(sweep_title(sweep, shown="median and quartiles"))
        error.set_ylabel(f"final {ERROR}")
        scale_errors(error, errors, sweep.errors[..., 0])
        changes.set_ylabel("direction changes")
        changes.set_yscale("symlog", linthresh=1)  # the count may be 0
        bottom, top = sweep.total_changes.min(), sweep.total_changes.max()
        changes.set_ylim(min(bottom, 1), max(2 * top, 10))
        changes.set_xlabel("alpha")
    return drawn


def _draw(ax: Any, alphas: list[float], group: statistics.Group, look: dict[str, Any]) -> None:
    order = np.argsort(alphas)
    low, median, high = (part[order] for part in statistics.quartiles(group.values, axis=1))
    x = np.array(alphas)[order]
    ax.plot(x, median, marker="o", **{"label": group_label(group.setting)} | look)
    if group.values.shape[1] > 1:
        ax.fill_between(x, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _mark_lost(ax: Any, alphas: NDArray[np.float64], color: Any) -> None:
    """Draw crosses on the upper edge of the axes, whatever the scale of the errors."""
    if len(alphas):
        where = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        ax.plot(alphas, np.ones(len(alphas)), "x", color=color, markersize=7, **where)


def _explain(ax: Any, *, several: bool, held: bool, lost: bool) -> None:
    """Add a legend if there are several lines, dashes or crosses."""
    from matplotlib.lines import Line2D

    entries = {}
    if several:
        lines = (line for line in ax.lines if not str(line.get_label()).startswith("_"))
        entries = {str(line.get_label()): line for line in lines}
    if held:
        entries["validation (dashed)"] = Line2D([], [], color="0.4", linestyle=VALIDATION[0])
    if lost:
        entries["diverged"] = Line2D([], [], color="0.4", linestyle="none", marker="x")
    if entries:
        legend(ax, handles=list(entries.values()), labels=list(entries))
