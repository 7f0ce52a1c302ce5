"""Heat maps of how often each derivative changed its sign."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import check_result
from fastgd.plots.lines import run_title
from fastgd.plots.style import SEQUENTIAL, Axes, Panels, color_bar, panels
from fastgd.training.run import Run

WRITTEN = 16
"""Most columns with a number written in each cell."""


class _Map(NamedTuple):
    """The plot of one layer: its counts, and the labels of its rows and columns."""

    counts: NDArray[np.int64]
    rows: list[str]
    columns: list[str]
    title: str


def direction_changes(run: Run, *, ax: "Panels | None" = None) -> NDArray[Any]:
    """Plot how often the derivative of each weight changed its sign, as a heat map per layer.

    Rows are a layer's inputs, columns its units; a layer with more inputs than units is transposed
    (as the article prints its synapses: the hidden units of ``weights[1]`` are then below those of
    ``weights[0]``).
    Biases are a row of their own. All layers share one color scale.

    Parameters
    ----------
    run : Run
    ax : sequence of matplotlib Axes, optional
        Axes to draw on, one per layer; by default those of a new figure, with a color bar.

    Returns
    -------
    (layers,) array of matplotlib Axes

    Raises
    ------
    TypeError
        If it isn't a Run.
    ValueError
        If ``ax`` doesn't have one axes per layer.
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

    Notes
    -----
    The counts are those of the article's "Let's Take a Closer Look".

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> axes = fastgd.plots.direction_changes(fastgd.train(X, y, alpha=10))
    >>> print(axes[0].images[0].get_array())
    [[ 7 19  2  6]
     [ 7  2  0 22]
     [19 26  9 17]]
    """
    check_result("run", run, Run)
    maps = [_layer(run, k) for k in range(len(run.weights))]
    top = max(1, *(int(each.counts.max()) for each in maps))
    heights = [0.6 + len(each.rows) for each in maps]
    size = (7.3, min(9.0, 1.2 + 0.42 * sum(heights)))
    with panels(ax, len(maps), figsize=size, height_ratios=heights) as drawn:
        for one, each in zip(drawn, maps, strict=True):
            image = one.imshow(each.counts, vmin=0, vmax=top, cmap=SEQUENTIAL, aspect="auto")
            _decorate(one, each, top)
        drawn[0].set_title(f"{run_title(run)}\n\n{maps[0].title}")
        if ax is None:
            color_bar(drawn, image, "direction changes")
    return drawn


def _layer(run: Run, k: int) -> _Map:
    counts = run.direction_changes[k]
    inputs, units = counts.shape
    last = k == len(run.weights) - 1
    sources = [f"input {i + 1}" if k == 0 else _unit(i, k) for i in range(inputs)]
    targets = [f"output {i + 1}" if last else _unit(i, k + 1) for i in range(units)]
    title = f"weights[{k}] ({inputs} x {units})"
    if run.biases:
        counts = np.vstack((counts, run.bias_direction_changes[k]))
        sources.append("bias")
        title = f"{title} and biases"
    if inputs <= units:
        return _Map(counts, sources, targets, title)
    return _Map(counts.T, targets, sources, f"{title}, transposed")


def _unit(i: int, layer: int) -> str:
    return f"unit {i + 1} of layer {layer}"


def _decorate(ax: "Axes", each: _Map, top: int) -> None:
    height, width = each.counts.shape
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title(each.title)
    across, down = (range(0, n, 1 if n <= WRITTEN else 1 + n // WRITTEN) for n in (width, height))
    ax.set_xticks(across, [_short(each.columns[i]) for i in across])
    ax.set_xlabel(_kind(each.columns))
    if height <= WRITTEN:
        ax.set_yticks(down, each.rows)
    else:
        ax.set_yticks(down, [_short(each.rows[i]) for i in down])
        ax.set_ylabel(_kind(each.rows))
    if width > WRITTEN or height > WRITTEN:
        return
    for (i, j), count in np.ndenumerate(each.counts):
        dark = count < 0.6 * top
        ax.text(j, i, f"{count:,}", ha="center", va="center", color="white" if dark else "black")


def _short(name: str) -> str:
    """Return the number of an input, unit or output."""
    return name if name == "bias" else name.split()[1]


def _kind(names: list[str]) -> str:
    """Return what the first name is: input, output, unit of layer 1."""
    words = names[0].split()
    return " ".join([words[0], *words[2:]])
