"""Error against iteration."""

from typing import TYPE_CHECKING

import numpy as np

from fastgd.arguments.values import check_result
from fastgd.plots.lines import check_lines, label_iterations, legend, look, scale_errors
from fastgd.plots.style import axes, styled
from fastgd.plots.titles import group_label, run_title, sweep_title
from fastgd.training import statistics
from fastgd.training.results import Run
from fastgd.training.runs import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def errors(result: Run | Sweep, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the errors of a run, or of the runs of a sweep, over the iterations.

    A run is one line. A sweep has a line for each of its settings, and where there are several
    seeds (or first weights), that is their median, with the band between their quartiles. The
    last point is the final error. The scale is logarithmic where the errors are far apart.

    Parameters
    ----------
    result : Run or Sweep
    ax : matplotlib Axes, optional
        Where to draw; a new figure's by default.

    Returns
    -------
    matplotlib Axes
        Mean ``|y - output|`` over iterations.

    Raises
    ------
    TypeError
        If it is neither a Run nor a Sweep.
    ValueError
        If a sweep has more than 14 settings: more lines cannot be told apart.
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
    if isinstance(result, Sweep):
        found = list(statistics.groups(result, values))
        check_lines(len(found), "the sweep")
    with styled() as plt:
        ax = axes(ax, plt, figsize=(7.3, 4.6))
        if isinstance(result, Run):
            ax.plot(iterations, values)
            ax.set_title(run_title(result))
        else:
            for i, group in enumerate(found):
                low, median, high = statistics.quartiles(group.values)
                ax.plot(iterations, median, label=_label(group), **look(i))
                if len(group.values) > 1:
                    ax.fill_between(
                        iterations, low, high, color=look(i)["color"], alpha=0.15, linewidth=0
                    )
            if any(map(_label, found)):
                legend(ax)
            ax.set_title(sweep_title(result, seeds="median and quartiles"))
        scale_errors(ax, values)
        ax.set_ylabel("mean |y \N{MINUS SIGN} output|")
        label_iterations(ax)
    return ax


def _label(group: statistics.Group) -> str:
    """The setting, and how many of its runs have no final error."""
    lost = int(np.isnan(group.values[:, -1]).sum())
    runs = len(group.values)
    note = "" if not lost else "diverged" if runs == 1 else f"{lost} of {runs} diverged"
    return ": ".join(filter(None, [group_label(group.setting), note]))
