"""The article's takeaways: alpha against the final error, and against the direction changes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import check_result
from fastgd.plots.lines import (
    ERROR,
    VALIDATION,
    check_lines,
    draw_group,
    group_label,
    legend,
    looks,
    mark,
    of_validation,
    scale_errors,
    sweep_title,
)
from fastgd.plots.style import Panels, panels
from fastgd.training import statistics
from fastgd.training.sweep_result import Sweep


def takeaways(sweep: Sweep, *, ax: "Panels | None" = None) -> NDArray[Any]:
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
    x, order = np.array(alphas), np.argsort(alphas)

    def draw(ax: Any, group: statistics.Group, look: dict[str, Any]) -> None:
        draw_group(ax, x[order], group.values.T[:, order], look | {"marker": "o"})

    with panels(ax, 2, sharex=True, figsize=(7.3, 6.2)) as drawn:
        error, changes = drawn
        for one, found in zip(drawn, both, strict=True):
            for look, group in zip(lines, found, strict=True):
                label = group_label(group.setting) if len(lines) > 1 else None
                draw(one, group, look | {"label": label})
            one.set_xscale("log")
        for look, group in zip(lines, away, strict=False):
            draw(error, group, of_validation(look))
        for look, group in zip(lines, statistics.groups(sweep, lost, along="alpha"), strict=True):
            diverged = x[group.values.any(axis=1)]
            mark(error, diverged, 1, marker="x", color=look["color"], markersize=7)
        entries: dict[str, dict[str, Any]] = {}
        if away:
            entries["validation (dashed)"] = {"linestyle": VALIDATION[0]}
        if lost.any():
            entries["diverged"] = {"linestyle": "none", "marker": "x"}
        legend(error, entries)
        error.set_title(sweep_title(sweep, shown="median and quartiles"))
        error.set_ylabel(f"final {ERROR}")
        scale_errors(error, errors, sweep.errors[..., 0])
        changes.set_ylabel("direction changes")
        changes.set_yscale("symlog", linthresh=1)  # the count may be 0
        bottom, top = sweep.total_changes.min(), sweep.total_changes.max()
        changes.set_ylim(min(bottom, 1), max(2 * top, 10))
        changes.set_xlabel("alpha")
    return drawn
