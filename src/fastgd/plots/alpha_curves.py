"""The article's takeaways over alpha, and the fraction of seeds that solve the task."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import layers_text
from fastgd.checks.numbers import ABOVE_ZERO, check_number, check_result
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
    repetitions,
    scale_errors,
    sweep_title,
)
from fastgd.plots.style import Axes, Panels, axes, panels
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


# ---------------------------------------------------------------- solve rates


def solved(
    sweep: Sweep, *, threshold: float = statistics.SOLVED, ax: "Axes | None" = None
) -> "Axes":
    """Plot the fraction of seeds that solve the task, with 95 % intervals, against the hidden size.

    A run solves the task if its final mean absolute error is below the threshold; one that diverged
    does not. There is one line per setting of the other axes.

    Parameters
    ----------
    sweep : Sweep
        Over at least two hidden sizes, and over seeds (or initial weights).
    threshold : float
        Above 0; 0.1 by default: on the article's four samples an output on the wrong side of 0.5
        alone makes the error at least 0.5 / 4 = 0.125.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        Fraction, between 0 and 1, against hidden sizes, equally spaced in the order of the sweep.

    Raises
    ------
    TypeError
        If it isn't a Sweep, or the threshold isn't a number.
    ValueError
        If the sweep has only one hidden size, or more than 14 other settings, or the threshold is
        not above 0.
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> sizes = {"hidden_size": [2, 4], "seed": range(50)}
    >>> ax = fastgd.plots.solved(fastgd.sweep(X, y, alpha=10, iterations=1000, **sizes))
    >>> print(ax.lines[0].get_ydata())
    [0. 1.]
    """
    check_result("sweep", sweep, Sweep)
    threshold = check_number("threshold", threshold, ABOVE_ZERO)
    sizes = sweep.axes.get("hidden_size", [])
    if len(sizes) < 2:
        raise ValueError("solved needs a sweep over several hidden sizes, got one hidden size")
    found = list(statistics.groups(sweep, sweep.final_error, along="hidden_size"))
    check_lines(len(found), "in addition to hidden_size, the sweep")
    shares = [statistics.solved(group.values, threshold) for group in found]
    lines = looks([group.setting for group in found])
    with axes(ax, figsize=(7.3, 4.4)) as ax:
        for i, (group, share, look) in enumerate(zip(found, shares, lines, strict=True)):
            # Shifted, so that intervals of different lines don't hide each other.
            x = np.arange(len(sizes)) + 0.08 * (i - (len(found) - 1) / 2)
            away = np.abs(np.array([share.low, share.high]) - share.share)
            ax.errorbar(
                x,
                share.share,
                yerr=away,
                marker="o",
                capsize=3,
                label=group_label(group.setting),
                **look,
            )
        ax.set_xticks(range(len(sizes)), [layers_text(size) for size in sizes])
        ax.set_xlabel("hidden units")
        ax.set_ylim(-0.02, 1.02)
        ax.yaxis.set_major_formatter("{x:.0%}")
        ax.set_ylabel(f"runs with a final error below {threshold:g}")
        repeated = repetitions(sweep) or "1 seed"
        ax.set_title(f"{sweep_title(sweep)}, {repeated} each, 95 % intervals")
        if len(found) > 1:
            legend(ax)
    return ax
