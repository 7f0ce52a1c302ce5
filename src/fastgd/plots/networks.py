"""What a network has learned: its weights over time, its predictions, and its sensitivity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from textwrap import fill, wrap
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_flag, check_result, check_shape, numbers_of
from fastgd.plots.lines import label_iterations, legend, run_title
from fastgd.plots.style import (
    COLORS,
    SEQUENTIAL,
    Axes,
    Panels,
    axes,
    color_bar,
    legend_text,
    panels,
    user_text,
)
from fastgd.training.run import Run, Snapshot
from fastgd.training.statistics import given_back

DASHES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")
"""Dashes of the weights of one color, if there are no more."""


def weight_paths(run: Run, *, ax: Panels | None = None) -> NDArray[Any]:
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
            if not is_last:
                path = path.swapaxes(1, 2)
            hues, others = path.shape[1:]
            for hue, other in np.ndindex(hues, others):
                one.plot(
                    iterations[order],
                    path[:, hue, other],
                    color=_color(hue, hues),
                    linestyle=DASHES[other] if others <= len(DASHES) else DASHES[0],
                    linewidth=1.2 if hues <= len(COLORS) else 0.5,
                    zorder=2 + other / others,  # interleaves the units, so that none hides others
                )
            source = "input" if k == 0 else f"unit of layer {k}"
            names = (source, "output") if is_last else (f"unit of layer {k + 1}", source)
            entries: dict[str, dict[str, Any]] = {}
            if hues > len(COLORS) and ax is None:
                from matplotlib.cm import ScalarMappable
                from matplotlib.colors import ListedColormap, Normalize

                colors = ListedColormap([_color(hue, hues) for hue in range(hues)])
                color_bar([one], ScalarMappable(Normalize(0.5, hues + 0.5), colors), names[0])
            if hues <= len(COLORS) and k in (0, *range(layers - 1)):
                entries |= {_numbered(names[0], i): {"color": COLORS[i]} for i in range(hues)}
            if 1 < others <= len(DASHES):
                entries |= {_numbered(names[1], i): {"linestyle": DASHES[i]} for i in range(others)}
            legend(one, entries)
            one.set_ylabel(f"weights[{k}]")
        drawn[0].set_title(run_title(run))
        label_iterations(drawn[-1])
    return drawn


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


def direction_changes(run: Run, *, ax: Panels | None = None) -> NDArray[Any]:
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
    maps: list[tuple[NDArray[np.int64], list[str], list[str], str]] = []
    for k, counts in enumerate(run.direction_changes):
        inputs, units = counts.shape
        is_last = k == len(run.weights) - 1
        rows = [f"input {i + 1}" if k == 0 else f"unit {i + 1} of layer {k}" for i in range(inputs)]
        columns = [
            f"output {i + 1}" if is_last else f"unit {i + 1} of layer {k + 1}" for i in range(units)
        ]
        title = f"weights[{k}] ({inputs} x {units})"
        if run.biases:
            counts, rows = np.vstack((counts, run.bias_direction_changes[k])), [*rows, "bias"]
            title = f"{title} and biases"
        if inputs > units:
            counts, rows, columns, title = counts.T, columns, rows, f"{title}, transposed"
        maps.append((counts, rows, columns, title))
    top = max(1, *(int(counts.max()) for counts, *_ in maps))
    heights = [0.6 + len(rows) for _, rows, *_ in maps]
    size = (7.3, min(9.0, 1.2 + 0.42 * sum(heights)))
    with panels(ax, len(maps), figsize=size, height_ratios=heights) as drawn:
        for one, (counts, rows, columns, title) in zip(drawn, maps, strict=True):
            image = one.imshow(counts, vmin=0, vmax=top, cmap=SEQUENTIAL, aspect="auto")
            one.grid(visible=False)
            one.spines[:].set_visible(False)
            one.tick_params(length=0)
            one.set_title(title)
            height, width = counts.shape
            steps = [1 if n <= WRITTEN else 1 + n // WRITTEN for n in (width, height)]
            across, down = range(0, width, steps[0]), range(0, height, steps[1])
            one.set_xticks(across, [_short(columns[i]) for i in across])
            one.set_xlabel(_kind(columns))
            if height <= WRITTEN:
                one.set_yticks(down, rows)
            else:
                one.set_yticks(down, [_short(rows[i]) for i in down])
                one.set_ylabel(_kind(rows))
            if width <= WRITTEN and height <= WRITTEN:
                for (i, j), count in np.ndenumerate(counts):
                    color = "white" if count < 0.6 * top else "black"
                    one.text(j, i, f"{count:,}", ha="center", va="center", color=color)
        drawn[0].set_title(f"{run_title(run)}\n\n{maps[0][-1]}")
        if ax is None:
            color_bar(drawn, image, "direction changes")
    return drawn


def _short(name: str) -> str:
    """Return the number of an input, unit or output."""
    return name if name == "bias" else name.split()[1]


def _kind(names: list[str]) -> str:
    """Return what the first name is: input, output, unit of layer 1."""
    words = names[0].split()
    return " ".join([words[0], *words[2:]])


# ---------------------------------------------------------------- predictions

MOST_CLASSES = 30
"""Most classes in a confusion matrix."""

LETTERS, LINES = 20, 2
"""Characters in a line of a class's name, and its lines; what is longer is shortened."""

LONGEST = 120
"""Most characters of a target's name: three lines of a title."""

INCHES = 0.08
"""Width of a character, about."""


def predictions(
    actual: ArrayLike,
    predicted: ArrayLike,
    *,
    name: str = "target",
    interval: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot predictions against actual values: a scatter plot, or the confusion matrix of classes.

    Parameters
    ----------
    actual, predicted : (rows,) array_like
        Finite numbers; or labels of classes: strings, booleans.
    name : str
        Name of the target, for the title.
    interval : (rows, 2) array_like, optional
        Bounds of predicted numbers, as of :meth:`fastgd.Model.predict_interval`.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        For numbers one point per row, on the diagonal if the prediction is exact, and its interval
        as a vertical line; for classes the number of rows for each pair of actual and predicted
        class.

    Raises
    ------
    ValueError, TypeError
        If they are not as described, or have more than 30 classes.

    Examples
    --------
    >>> import fastgd.plots
    >>> ax = fastgd.plots.predictions([1.0, 2.0], [1.5, 2.0], name="price")
    >>> ax.get_title(loc="left")
    'price: predicted against actual (2 rows)'
    >>> ax = fastgd.plots.predictions(["a", "b", "b"], ["a", "b", "a"], name="kind")
    >>> [text.get_text() for text in ax.texts]
    ['1', '0', '1', '1']
    """
    truth, guess = (_column(n, v) for n, v in (("actual", actual), ("predicted", predicted)))
    if len(truth) != len(guess):
        raise ValueError(
            f"actual and predicted must have the same number of rows, got {len(truth)} and "
            f"{len(guess)}"
        )
    bounds = None if interval is None else _bounds(interval, truth, guess)
    title = f"{user_text(name, LONGEST)}: predicted against actual ({len(truth):,} rows)"
    if truth.dtype.kind in "iuf" and guess.dtype.kind in "iuf":
        with axes(ax, figsize=(5.4, 5.0)) as drawn:
            _draw_numbers(drawn, truth, guess, bounds)
            drawn.set_title(fill(title, int(4.4 / INCHES)))
            drawn.set_ylabel("predicted")
        return drawn
    names = sorted({*truth.tolist(), *guess.tolist()})
    if len(names) > MOST_CLASSES:
        raise ValueError(f"actual must have at most {MOST_CLASSES} classes, got {len(names)}")
    lines = [
        wrap(user_text(name, LONGEST), LETTERS, max_lines=LINES, placeholder="...") or [""]
        for name in names
    ]
    labels = list(map("\n".join, lines))
    side, longest = max(3.4, 0.45 * len(names)), INCHES * max(map(len, chain(*lines)))
    is_turned = max(map(len, labels)) * len(labels) > 40
    size = side + longest + 0.9, side + (longest if is_turned else 0.2) + 1.1
    with axes(ax, figsize=size) as drawn:
        pairs = Counter(zip(truth.tolist(), guess.tolist(), strict=True))
        counts = np.array([[pairs[row, column] for column in names] for row in names])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        drawn.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (i, j), count in np.ndenumerate(counts):
            color = "white" if shares[i, j] > 0.6 else "black"
            drawn.text(j, i, f"{count:,}", ha="center", va="center", color=color)
        drawn.grid(visible=False)
        drawn.set_xticks(range(len(names)), labels, rotation=90 if is_turned else 0)
        drawn.set_yticks(range(len(names)), labels)
        drawn.set_title(fill(title, int(side / INCHES)))
        drawn.set(xlabel="predicted", ylabel="actual")
    return drawn


def _column(name: str, value: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except Exception as error:  # an object's own __array__ may raise anything
        raise TypeError(f"{name} must hold numbers or labels, got {shown(value)}") from error
    if array.dtype.kind == "O":
        array = np.array([str(cell) for cell in array.ravel()]).reshape(array.shape)
    if array.dtype.kind not in "biufU":
        raise TypeError(f"{name} must hold numbers or labels, got {shown(value)}")
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must have shape (rows,), got shape {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {shown(array[~np.isfinite(array)][0])}")
    return array


def _bounds(interval: ArrayLike, truth: NDArray[Any], guess: NDArray[Any]) -> NDArray[Any]:
    """The lower and the upper bounds, (2, rows)."""
    if {truth.dtype.kind, guess.dtype.kind} - {*"iuf"}:
        raise ValueError("interval must be left out of a plot of classes, got one")
    bounds = numbers_of("interval", interval)
    check_shape("interval", bounds, (len(truth), 2))
    return bounds.T


def _draw_numbers(
    ax: Axes, truth: NDArray[Any], guess: NDArray[Any], bounds: NDArray[Any] | None
) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    low, high = (float(f([truth.min(), truth.max(), guess.min(), guess.max()])) for f in (min, max))
    ax.plot([low, high], [low, high], color="#999999", linewidth=1, zorder=1)
    many = len(truth) > 500
    ax.set_xlabel("actual")
    if bounds is not None:
        missed = (truth < bounds[0]) | (truth > bounds[1])
        for rows, color in ((~missed, "#999999"), (missed, "#d62728")):
            low, high = bounds[:, rows]
            ax.vlines(truth[rows], low, high, color, linewidth=0.9, alpha=0.25 if many else 0.6)
        share = 100 * (1 - missed.mean())
        ax.set_xlabel(f"actual ({share:.1f} % lie in their intervals, others in red)")
    ax.scatter(truth, guess, s=8 if many else 18, alpha=0.3 if many else 0.6, linewidths=0)
    ax.set_aspect("equal", adjustable="datalim")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(StrMethodFormatter("{x:,.6g}"))


# ---------------------------------------------------------------- sensitivities

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
    ax: Panels | None = None,
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
        known = list(columns)
        found = np.stack([np.reshape(one, (len(one), -1)) for one in columns.values()], axis=2)
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
            ascending = np.argsort(values[:, d], kind="stable")
            one.axhline(0, color="#999999", linewidth=0.8, zorder=1)
            look = "-" if len(known) == 1 else "."  # the derivative depends on this input alone
            for color, own, name in zip(COLORS, found[ascending, :, d].T, outputs, strict=False):
                one.plot(values[ascending, d], own, look, color=color, markersize=3, label=name)
            one.set_xlabel(fill(known[d], LINE))
            one.set_title(fill(f"{what} by {known[d]}", LINE))
        if found.shape[1] > 1:
            curves[0].legend(fontsize="small", markerscale=3)
    return drawn
