"""Fraction of seeds that solve the task, against the size of the hidden layers."""

import numpy as np

from fastgd.checks.messages import layers_text
from fastgd.checks.numbers import ABOVE_ZERO, check_number, check_result
from fastgd.plots.lines import check_lines, group_label, legend, looks, repetitions, sweep_title
from fastgd.plots.style import Axes, axes
from fastgd.training import statistics
from fastgd.training.sweep_result import Sweep


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
