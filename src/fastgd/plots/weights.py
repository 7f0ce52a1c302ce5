"""Where the weights of a run went."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.values import check_result
from fastgd.plots.lines import label_iterations, legend
from fastgd.plots.panels import panels
from fastgd.plots.style import COLOURS, SEQUENTIAL, styled
from fastgd.plots.titles import run_title
from fastgd.training.results import Run
from fastgd.training.statistics import given_back

if TYPE_CHECKING:
    from fastgd.plots.panels import Given


def weight_paths(run: Run, *, ax: "Given | None" = None) -> NDArray[Any]:
    """Draw each weight of a run over the iterations, a picture per layer.

    A line's colour is that of the hidden unit that the weight leads to, and in the last layer of
    the one it comes from. The trained weight is one of the points: the last one, but with
    ``restore_best=True`` that of ``best_iteration``.

    Parameters
    ----------
    run : Run
        Trained with ``record_weights=True``.
    ax : sequence of matplotlib Axes, optional
        Where to draw, one for each layer; a new figure's by default.

    Returns
    -------
    (layers,) array of matplotlib Axes

    Raises
    ------
    TypeError
        If it is no Run.
    ValueError
        If the run has not recorded its weights, or ``ax`` are not as many axes as layers.
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
    with styled() as plt:
        drawn = panels(ax, layers, plt, sharex=ax is None, figsize=(7.3, 1.4 + 2.6 * layers))
        for k, one in enumerate(drawn):
            path = np.concatenate((run.recorded_weights[k][done], run.weights[k][None]))[order]
            # The last layer is drawn by its inputs, which are the units of the picture above it.
            units = _draw(one, iterations[order], path.swapaxes(1, 2) if k == layers - 1 else path)
            if units and k in (0, *range(layers - 1)):
                name = "input" if layers == 1 else "unit"
                legend(one, handles=units, labels=[f"{name} {i + 1}" for i in range(len(units))])
            one.set_ylabel(f"weights of synapse {k}")
        drawn[0].set_title(run_title(run))
        label_iterations(drawn[-1])
    return drawn


def _draw(ax: Any, iterations: NDArray[np.int64], path: NDArray[np.float64]) -> list[Any]:
    """Draw the weights of a layer, (points, others, units); return a line per unit, if few."""
    units = path.shape[2]
    lines = [
        ax.plot(iterations, path[:, :, unit], color=_colour(unit, units), linewidth=1.2)[0]
        for unit in range(units)
    ]
    return lines if units <= len(COLOURS) else []


def _colour(unit: int, units: int) -> Any:
    if units <= len(COLOURS):
        return COLOURS[unit]
    from matplotlib import colormaps

    return colormaps[SEQUENTIAL](0.92 * unit / (units - 1))  # its brightest end is hard to see
