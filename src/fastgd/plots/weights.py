"""Plot of the weights of a run during its training."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import check_result
from fastgd.plots.lines import label_iterations, legend, run_title
from fastgd.plots.style import COLORS, SEQUENTIAL, Panels, color_bar, panels
from fastgd.training.run import Run
from fastgd.training.statistics import given_back

DASHES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")
"""Dashes of the weights of one color, if there are no more."""


def weight_paths(run: Run, *, ax: "Panels | None" = None) -> NDArray[Any]:
    """Plot each weight of a run against the iterations, one axes per layer.

    A line has the color of the hidden unit that the weight leads to, or in the last layer of the
    one that it comes from; its dashes distinguish up to four inputs (in the last layer, outputs).
    The trained weight is one of the points: the last one, or that of ``best_iteration`` with
    ``restore_best=True``.

    Parameters
    ----------
    run : Run
        Trained with ``record_weights=True``.
    ax : sequence of matplotlib Axes, optional
        Axes to draw on, one per layer; by default those of a new figure.

    Returns
    -------
    (layers,) array of matplotlib Axes

    Raises
    ------
    TypeError
        If it isn't a Run.
    ValueError
        If the run has no recorded weights, or ``ax`` doesn't have one axes per layer.
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, iterations=1000, record_every=10, record_weights=True)
    >>> axes = fastgd.plots.weight_paths(run)
    >>> [len(ax.lines) for ax in axes]
    [12, 4]
    """
    check_result("run", run, Run)
    if run.recorded_weights is None:
        raise ValueError("weight_paths needs a run with recorded weights: record_weights=True")
    at = given_back(run)
    done = (run.recorded < run.iterations) & (run.recorded != at)
    iterations = np.append(run.recorded[done], at)
    order = np.argsort(iterations)
    layers = len(run.weights)
    with panels(ax, layers, sharex=True, figsize=(7.3, 1.4 + 2.6 * layers)) as drawn:
        for k, one in enumerate(drawn):
            path = np.concatenate((run.recorded_weights[k][done], run.weights[k][None]))[order]
            # The last layer is colored by its inputs, the units of the axes above it.
            is_last = k == layers - 1
            _draw(one, iterations[order], path.swapaxes(1, 2) if is_last else path)
            hues, others = path.shape[1:] if is_last else path.shape[:0:-1]
            source = "input" if k == 0 else f"unit of layer {k}"
            names = (source, "output") if is_last else (f"unit of layer {k + 1}", source)
            if hues > len(COLORS) and ax is None:
                _bar(one, hues, names[0])
            legend(one, _entries(hues if k in (0, *range(layers - 1)) else 0, others, names))
            one.set_ylabel(f"weights[{k}]")
        drawn[0].set_title(run_title(run))
        label_iterations(drawn[-1])
    return drawn


def _draw(ax: Any, iterations: NDArray[np.int64], path: NDArray[np.float64]) -> None:
    """Draw the weights of a layer, (points, others, hues), one hue after the other."""
    others, hues = path.shape[1:]
    for hue in range(hues):
        for other in range(others):
            ax.plot(
                iterations,
                path[:, other, hue],
                color=_color(hue, hues),
                linestyle=DASHES[other] if others <= len(DASHES) else DASHES[0],
                linewidth=1.2 if hues <= len(COLORS) else 0.5,
                zorder=2 + other / others,  # interleaves the units, so that none hides all others
            )


def _entries(hues: int, others: int, names: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Return the looks of colors, and of dashes if there are some, for the legend."""
    found: dict[str, dict[str, Any]] = {}
    if hues <= len(COLORS):
        found |= {_numbered(names[0], i): {"color": COLORS[i]} for i in range(hues)}
    if 1 < others <= len(DASHES):
        found |= {_numbered(names[1], i): {"linestyle": DASHES[i]} for i in range(others)}
    return found


def _bar(ax: Any, hues: int, name: str) -> None:
    """Add a color bar, for many units."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    colors = ListedColormap([_color(hue, hues) for hue in range(hues)])
    color_bar([ax], ScalarMappable(Normalize(0.5, hues + 0.5), colors), name)


def _numbered(name: str, i: int) -> str:
    """Insert a number into a name: input 1, unit 1 of layer 2."""
    word, _, rest = name.partition(" ")
    return f"{word} {i + 1} {rest}".strip()


def _color(hue: int, hues: int) -> Any:
    if hues <= len(COLORS):
        return COLORS[hue]
    from matplotlib import colormaps

    return colormaps[SEQUENTIAL](0.92 * hue / (hues - 1))  # the brightest end is hard to see
