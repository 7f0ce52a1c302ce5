"""Predicted against actual values: a scatter plot of numbers, a confusion matrix of classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from textwrap import fill, wrap
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import shown
from fastgd.plots.style import Axes, axes, user_text

MOST_CLASSES = 30
"""Most classes in a confusion matrix."""

LINE, LINES = 20, 2
"""Characters in a line of a class's name, and its lines; what is longer is shortened."""

LONGEST = 120
"""Most characters of a target's name: three lines of a title."""

INCHES = 0.08
"""Width of a character, about."""


def predictions(
    actual: ArrayLike, predicted: ArrayLike, *, name: str = "target", ax: Axes | None = None
) -> Axes:
    """Plot predictions against actual values: a scatter plot, or the confusion matrix of classes.

    Parameters
    ----------
    actual, predicted : (rows,) array_like
        Finite numbers; or labels of classes: strings, booleans.
    name : str
        Name of the target, for the title.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        For numbers one point per row, on the diagonal if the prediction is exact; for classes the
        number of rows for each pair of actual and predicted class.

    Raises
    ------
    ValueError, TypeError
        If they are not as described, or have more than 30 classes.
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

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
    of_numbers = truth.dtype.kind in "iuf" and guess.dtype.kind in "iuf"
    width, size = (4.4, (5.4, 5.0)) if of_numbers else _room_for({*truth.tolist(), *guess.tolist()})
    with axes(ax, figsize=size) as drawn:
        (_draw_numbers if of_numbers else _draw_classes)(drawn, truth, guess)
        title = f"{user_text(name, LONGEST)}: predicted against actual ({len(truth):,} rows)"
        drawn.set_title(fill(title, int(width / INCHES)))
        drawn.set_xlabel("actual" if of_numbers else "predicted")
        drawn.set_ylabel("predicted" if of_numbers else "actual")
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


def _draw_numbers(ax: Axes, truth: NDArray[Any], guess: NDArray[Any]) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    low, high = (float(f([truth.min(), truth.max(), guess.min(), guess.max()])) for f in (min, max))
    ax.plot([low, high], [low, high], color="#999999", linewidth=1, zorder=1)
    many = len(truth) > 500
    ax.scatter(truth, guess, s=8 if many else 18, alpha=0.3 if many else 0.6, linewidths=0)
    ax.set_aspect("equal", adjustable="datalim")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(StrMethodFormatter("{x:,.6g}"))


def _draw_classes(ax: Axes, truth: NDArray[Any], guess: NDArray[Any]) -> None:
    names = sorted({*truth.tolist(), *guess.tolist()})
    if len(names) > MOST_CLASSES:
        raise ValueError(f"actual must have at most {MOST_CLASSES} classes, got {len(names)}")
    places = {name: k for k, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype=int)
    for row, column in zip(truth.tolist(), guess.tolist(), strict=True):
        counts[places[row], places[column]] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(counts):
        color = "white" if shares[i, j] > 0.6 else "black"
        ax.text(j, i, f"{count:,}", ha="center", va="center", color=color)
    labels = list(map(_label, names))
    ax.set_xticks(range(len(names)), labels, rotation=90 if _are_turned(labels) else 0)
    ax.set_yticks(range(len(names)), labels)
    ax.grid(visible=False)


def _label(name: object) -> str:
    """The name of a class, in a few short lines."""
    lines = wrap(user_text(name, LONGEST), LINE, max_lines=LINES, placeholder="...") or [""]
    return "\n".join(lines)


def _are_turned(labels: Sequence[str]) -> bool:
    return max(map(len, labels)) * len(labels) > 40


def _room_for(names: Collection[object]) -> tuple[float, tuple[float, float]]:
    """The width of a matrix of these classes, and the size of its figure; in inches."""
    labels = list(map(_label, names))
    side = max(3.4, 0.45 * len(labels))
    longest = INCHES * max(len(line) for label in labels for line in label.split("\n"))
    below = longest if _are_turned(labels) else 0.2
    return side, (side + longest + 0.9, side + below + 1.1)
