"""Error against iteration."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.values import check_result
from fastgd.plots.lines import (
    ERROR,
    VALIDATION,
    check_lines,
    label_iterations,
    legend,
    looks,
    marker,
    of_validation,
    scale_errors,
)
from fastgd.plots.style import axes, styled
from fastgd.plots.titles import group_label, run_title, sweep_title
from fastgd.training import statistics
from fastgd.training.results import Run
from fastgd.training.runs import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    with styled() as plt:
        ax = axes(ax, plt, figsize=(7.3, 4.6))
        lines = looks([group.setting for group in found])
        for look, group in zip(lines, found, strict=True):
            label = _label(group) or ("training" if held else None)
            _draw(ax, iterations, group, look | {"label": label}, band=True)
        for look, group in zip(lines, held, strict=False):
            _draw(ax, iterations, group, of_validation(look), band=False)
        for look, group in zip(lines, best, strict=False):
            _mark(ax, float(np.median(group.values)), look["color"])
        _explain(ax, result)
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


def _draw(
    ax: "Axes",
    iterations: NDArray[np.int64],
    group: statistics.Group,
    look: dict[str, Any],
    *,
    band: bool,
) -> None:
    low, median, high = statistics.quartiles(group.values)
    ax.plot(iterations, median, **look, **marker(len(iterations)))
    if band and len(group.values) > 1:
        ax.fill_between(iterations, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _mark(ax: "Axes", iteration: float, color: Any) -> None:
    """Draw a triangle on the lower edge of the axes, whatever the scale of the errors."""
    ax.plot(
        [iteration],
        [0],
        transform=ax.get_xaxis_transform(),
        linestyle="none",
        marker="^",
        markersize=6,
        color=color,
        clip_on=False,
    )


def _explain(ax: "Axes", result: Run | Sweep) -> None:
    """Add a legend: a label for each line, and one entry each for dashes and triangles."""
    from matplotlib.lines import Line2D

    handles = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    labels = [str(line.get_label()) for line in handles]
    monitored = "error"
    if result.validation_errors is not None:
        monitored = "validation error"
        dotted = any(line.get_linestyle() == VALIDATION[1] for line in ax.lines)
        handles.append(Line2D([], [], color="0.4", linestyle=VALIDATION[0]))
        labels.append("validation (dashed or dotted)" if dotted else "validation (dashed)")
    if result.best_iteration is not None:
        handles.append(Line2D([], [], color="0.4", linestyle="none", marker="^"))
        labels.append(f"smallest {monitored}")
    if handles:
        legend(ax, handles=handles, labels=labels)


def _label(group: statistics.Group) -> str:
    """Return the setting, and the number of its runs without a final error."""
    lost = int((~np.isfinite(group.values[:, -1])).sum())
    runs = len(group.values)
    note = "" if not lost else "diverged" if runs == 1 else f"{lost} of {runs} diverged"
    return ": ".join(filter(None, [group_label(group.setting), note]))
