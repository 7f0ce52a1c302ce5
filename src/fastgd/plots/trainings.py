"""What trainings did: errors of runs, of a race and over alpha; the seeds that solve a task."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import joined, layers_text
from fastgd.checks.numbers import ABOVE_ZERO, check_choice, check_number, check_result
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
    repetitions,
    run_title,
    scale_errors,
    sweep_title,
)
from fastgd.plots.planes import NAME, path_looks
from fastgd.plots.planes import surface as draw_surface
from fastgd.plots.style import Axes, Panels, axes, legend_text, panels
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
            lost, runs = int((~np.isfinite(group.values[:, -1])).sum()), len(group.values)
            note = "" if not lost else "diverged" if runs == 1 else f"{lost} of {runs} diverged"
            named = ": ".join(filter(None, [group_label(group.setting), note]))
            label = named or ("training" if held else None)
            draw_group(ax, iterations, group.values, look | dots | {"label": label})
        for look, group in zip(lines, held, strict=False):
            draw_group(ax, iterations, group.values, of_validation(look) | dots, band=False)
        for look, group in zip(lines, best, strict=False):
            mark(ax, [np.median(group.values)], 0, marker="^", markersize=6, color=look["color"])
        entries: dict[str, dict[str, Any]] = {}
        monitored = "validation error" if held else "error"
        if held:
            dotted = any(line.get_linestyle() == VALIDATION[1] for line in ax.lines)
            label = "validation (dashed or dotted)" if dotted else "validation (dashed)"
            entries[label] = {"linestyle": VALIDATION[0]}
        if best:
            entries[f"smallest {monitored}"] = {"linestyle": "none", "marker": "^"}
        legend(ax, entries)
        return _over_iterations(ax, result, ERROR, drawn, values[..., 0])


def measured(result: Run | Sweep, name: str = "", *, ax: "Axes | None" = None) -> "Axes":
    """Plot a quantity that was measured during trainings against the iterations.

    The lines are those of :func:`errors`. With ``measure_layers=True`` a run has a line for each
    layer. The scale is logarithmic if values differ widely.

    Parameters
    ----------
    result : Run or Sweep
        Trained with ``measure``.
    name : str, optional
        The quantity, if several were measured.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        The quantity against iterations.

    Raises
    ------
    TypeError
        If it is neither a Run nor a Sweep.
    ValueError
        If that wasn't measured; if a sweep has more than 14 settings, or layers.

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> sweep = fastgd.sweep(X, y, alpha=[1, 10], iterations=1000, measure="gradient_norm",
    ...                      measure_every=10)
    >>> ax = fastgd.plots.measured(sweep)
    >>> ax.get_ylabel(), [line.get_label() for line in ax.lines]
    ('gradient norm', ['alpha 1', 'alpha 10'])
    """
    check_result("result", result, Run, Sweep)
    known, at = result.measured, result.measured_at
    if not known:
        raise ValueError("result must be trained with measure, got one without")
    name = check_choice("name", name or next(iter(known)), tuple(known))
    values = known[name]
    if values.ndim > result.errors.ndim:  # of layers
        if isinstance(result, Sweep):
            raise ValueError("result must be a run with measure_layers=True, got a sweep")
        found = [statistics.Group({"layer": k}, one[None]) for k, one in enumerate(values.T)]
    else:
        found = _groups(result, values)
    check_lines(len(found), "the sweep")
    with axes(ax, figsize=(7.3, 4.6)) as ax:
        for look, group in zip(looks([one.setting for one in found]), found, strict=True):
            label = {"label": group_label(group.setting) or None}
            draw_group(ax, at, group.values, look | marker(len(at)) | label)
        legend(ax)
        return _over_iterations(ax, result, name.replace("_", " "), values, np.nan)


def _over_iterations(
    ax: "Axes", result: Run | Sweep, label: str, values: Any, first: Any
) -> "Axes":
    """Scale and name the axes."""
    if isinstance(result, Run):
        ax.set_title(run_title(result))
    else:
        ax.set_title(sweep_title(result, shown="median and quartiles"))
    scale_errors(ax, values, first)
    ax.set_ylabel(label)
    label_iterations(ax)
    return ax


def _groups(result: Run | Sweep, values: NDArray[Any]) -> list[statistics.Group]:
    """Return the runs of each setting; a single run is one group without a setting."""
    if isinstance(result, Run):
        return [statistics.Group({}, values[None])]
    return list(statistics.groups(result, values))


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
    r"""Plot the errors of a race against the iterations, and its paths on a loss surface.

    As in the comparisons that the article links to ("Visualizing the Difference").

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
        # Where it were wider than the figure, the layout would shrink the axes.
        curves.legend(loc="upper left", **below(curves), ncols=columns, fontsize="small",
                      handlelength=1.6, handletextpad=0.5, columnspacing=0.8,
                      borderpad=0.2)  # fmt: skip
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


# ---------------------------------------------------------------- the takeaways over alpha


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

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> sweep = fastgd.sweep(X, y, alpha=[0.001, 0.1, 10, 1000], iterations=1000)
    >>> error, changes = fastgd.plots.takeaways(sweep)
    >>> changes.lines[0].get_xdata()
    array([1.e-03, 1.e-01, 1.e+01, 1.e+03])
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
