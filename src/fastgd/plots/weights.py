"""Plots of a run's weights during training, and of how often each derivative changed its sign."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import check_result
from fastgd.plots.lines import label_iterations, legend, run_title
from fastgd.plots.style import COLORS, SEQUENTIAL, Axes, Panels, color_bar, panels
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


# ---------------------------------------------------------------- direction changes

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
