"""Which inputs an output depends on, and where: mean absolute derivatives, and curves of them."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_flag, numbers_of
from fastgd.plots.style import COLORS, Panels, legend_text, panels, user_text
from fastgd.training.run import Run, Snapshot

CURVES = 3
"""Inputs whose derivatives are drawn against their values: those with the longest bars."""

BARS = 20
"""Inputs with a bar, at most."""

LINE = 34
"""Characters in a line of text above or below one of the curves."""


def sensitivity(
    network: Any,
    X: Any,
    *,
    names: Sequence[str] | None = None,
    standardized: bool = False,
    ax: "Panels | None" = None,
) -> NDArray[Any]:
    """Plot how much the outputs change with each input.

    Parameters
    ----------
    network : Run, Snapshot or Model
        What has the derivatives: :meth:`fastgd.Run.gradient` or :meth:`fastgd.Model.gradient`.
    X : (samples, inputs) array_like, or a table
        Samples, as ``predict`` takes them. Of a table only columns of numbers are drawn.
    names : sequence of str, optional
        Names of the inputs of a run; by default x0, x1, ... A model has its columns' names.
    standardized : bool
        Multiply each derivative by the standard deviation of its input, so that inputs with
        different units can be compared.
    ax : sequence of matplotlib Axes, optional
        1 + min(inputs, 3) axes to draw on; by default those of a new figure, side by side.

    Returns
    -------
    array of matplotlib Axes
        The mean absolute derivative of all outputs by each input, the largest at the top (20 at
        most); then, for the three largest, the derivative at each sample against the input's value,
        with a color for each output (7 at most).

    Raises
    ------
    ValueError, TypeError
        As ``gradient``, or if ``names`` aren't a name for each input, or ``network`` is something
        else.
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

    Examples
    --------
    >>> import fastgd, fastgd.plots, numpy as np
    >>> X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    >>> run = fastgd.train(X, X[:, 0] ** 2, alpha=0.02, iterations=1000, activation="tanh",
    ...                    output="identity", bias=True)
    >>> bars, *curves = fastgd.plots.sensitivity(run, X, names=["much", "little"])
    >>> [label.get_text() for label in bars.get_yticklabels()], len(curves)
    (['little', 'much'], 2)
    """
    if isinstance(network, Run | Snapshot):
        values, found = numbers_of("X", X), network.gradient(X)
        outputs: Sequence[str] = [f"output {h}" for h in range(found.shape[1])]
        count = values.shape[1]
        known = [f"x{d}" for d in range(count)] if names is None else names
        is_list = isinstance(known, list | tuple) and all(isinstance(one, str) for one in known)
        if not is_list or len(known) != count:
            raise ValueError(f"names must be a list of {count} str, got {shown(names)}")
    elif hasattr(network, "preparation") and hasattr(network, "gradient") and names is None:
        columns = network.gradient(X)
        known, found = list(columns), np.stack([_wide(one) for one in columns.values()], axis=2)
        numbers = network.preparation.numbers(network.columns(X))
        outputs = network.classes or [target.name for target in network.targets]
        order = [one.name for one in network.preparation.columns]
        values = numbers[:, [order.index(name) for name in known]]
    else:
        rule = "network must be a Run, a Snapshot or (without names) a Model"
        raise TypeError(f"{rule}, got {shown(network)}")
    known, outputs = list(map(user_text, known)), list(map(legend_text, outputs))
    if check_flag("standardized", standardized):
        found = found * np.nanstd(values, axis=0)
    rows = np.maximum(np.isfinite(found).sum(axis=(0, 1)), 1)
    means = np.nansum(np.abs(found), axis=(0, 1)) / rows  # 0 for a column without numbers
    largest = np.argsort(-means, kind="stable")
    what = "derivative times deviation" if standardized else "derivative"
    count = min(CURVES, len(known))
    with panels(ax, 1 + count, across=True, figsize=(3.3 * (1 + count), 3.4)) as drawn:
        bars, *curves = drawn
        some = largest[:BARS][::-1]
        bars.barh(range(len(some)), means[some])
        bars.set_yticks(range(len(some)), [known[d] for d in some])
        bars.set_ylim(min(0, len(some) - 4) - 0.6, len(some) - 0.4)  # a single bar isn't a wall
        bars.grid(visible=False, axis="y")
        bars.set_title(f"mean |{what}|")
        for one, d in zip(curves, largest, strict=False):
            _draw_curve(one, values[:, d], found[:, :, d], outputs, len(known) == 1)
            one.set_xlabel(fill(known[d], LINE))
            one.set_title(fill(f"{what} by {known[d]}", LINE))
        if found.shape[1] > 1:
            curves[0].legend(fontsize="small", markerscale=3)
    return drawn


def _wide(column: NDArray[Any]) -> NDArray[Any]:
    return column if column.ndim == 2 else column[:, None]


def _draw_curve(
    ax: Any, x: NDArray[Any], derivatives: NDArray[Any], outputs: Sequence[str], is_alone: bool
) -> None:
    """Points, or a line where the derivative depends on this input alone."""
    order = np.argsort(x, kind="stable")
    ax.axhline(0, color="#999999", linewidth=0.8, zorder=1)
    look = "-" if is_alone else "."
    for color, own, name in zip(COLORS, derivatives.T, outputs, strict=False):
        ax.plot(x[order], own[order], look, color=color, markersize=3, label=name)
