"""Error against iteration."""

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
from fastgd.plots.style import Axes, axes
from fastgd.training import statistics
from fastgd.training.run import Run
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
