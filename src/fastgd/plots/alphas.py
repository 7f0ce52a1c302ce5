"""The article's takeaways: alpha against the final error, and against the direction changes."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.values import check_result
from fastgd.plots.lines import check_lines, legend, look, scale_errors
from fastgd.plots.panels import panels
from fastgd.plots.style import styled
from fastgd.plots.titles import group_label, sweep_title
from fastgd.training import statistics
from fastgd.training.runs import Sweep

if TYPE_CHECKING:
    from fastgd.plots.panels import Given


def takeaways(sweep: Sweep, *, ax: "Given | None" = None) -> NDArray[Any]:
    """Draw alpha against the final error and against the direction changes, on one alpha axis.

    The article's takeaways in one picture: with a tiny alpha derivatives hardly ever change their
    direction and the error stays high; with the best alpha they change it a ton; with a huge one
    a medium amount, and the error is high again. A line per setting; over several seeds it is the
    median, with the band between the quartiles. A run that diverged is in neither.

    Parameters
    ----------
    sweep : Sweep
        Over two alphas at least, each a single number.
    ax : pair of matplotlib Axes, optional
        Where to draw; a new figure's by default.

    Returns
    -------
    (2,) array of matplotlib Axes
        Final error, direction changes of all weights and biases together.

    Raises
    ------
    TypeError
        If it is no Sweep.
    ValueError
        If its alphas are not several single numbers, it has more than 14 other settings, or ``ax``
        are not two axes.
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
    with styled() as plt:
        drawn = panels(ax, 2, plt, sharex=ax is None, figsize=(7.3, 6.2))
        for one, values in zip(drawn, quantities, strict=True):
            _draw(one, alphas, list(statistics.groups(sweep, values, along="alpha")))
        error, changes = drawn
        if len(error.lines) > 1:
            legend(error)
        error.set_title(sweep_title(sweep, seeds="median and quartiles"))
        error.set_ylabel("final mean |y \N{MINUS SIGN} output|")
        scale_errors(error, sweep.final_error)
        changes.set_ylabel("direction changes")
        changes.set_yscale("symlog", linthresh=1)  # none at all is a count, too
        bottom, top = sweep.total_changes.min(), sweep.total_changes.max()
        changes.set_ylim(min(bottom, 1), max(2 * top, 10))
        changes.set_xlabel("alpha")
    return drawn


def _draw(ax: Any, alphas: list[float], found: list[statistics.Group]) -> None:
    check_lines(len(found), "beside alpha, the sweep")
    order = np.argsort(alphas)
    for i, group in enumerate(found):
        low, median, high = (part[order] for part in statistics.quartiles(group.values, axis=1))
        x = np.array(alphas)[order]
        ax.plot(x, median, marker="o", label=group_label(group.setting), **look(i))
        if group.values.shape[1] > 1:
            ax.fill_between(x, low, high, color=look(i)["color"], alpha=0.15, linewidth=0)
    ax.set_xscale("log")
