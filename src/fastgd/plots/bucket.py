"""Plots of the ball in the bucket: a curve, the paths of balls on it, and its basins."""

from typing import Any

import numpy as np

from fastgd.checks.numbers import FloatArray, check_ends, check_result
from fastgd.plots.lines import below
from fastgd.plots.style import COLORS, Axes, axes
from fastgd.studies.bucket.basins import NOWHERE, Basins
from fastgd.studies.bucket.curves import Curve
from fastgd.studies.bucket.rolling import Roll

Window = tuple[float, float]

POINTS = 1001
"""Points of a plotted curve."""

ROOM = 0.1
"""Margin beside the balls, as a fraction: a larger one makes minima of a steep curve look flat."""

NAMED = 6
"""Most balls that have a color and a legend entry each."""

STATUS_COLORS = {
    "converged": COLORS[2],
    "rolling": COLORS[4],
    "stuck": COLORS[3],
    "diverged": COLORS[1],
}

NO_MINIMUM = "#999999"


def roll(rolled: Roll, *, ax: "Axes | None" = None, window: Window | None = None) -> "Axes":
    """Plot the curve and how the balls rolled on it (article, parts 2 and 3).

    An empty circle marks the start of a ball, a full one its end. Up to six balls have a color and
    a legend entry each; with more balls the color shows their status. Recorded paths are drawn.

    Parameters
    ----------
    rolled : Roll
        The result of :func:`fastgd.bucket.roll`, with a curve.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    window : (float, float), optional
        Lowest and highest x; by default around the balls.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError, TypeError
        If only the slope of the curve is known, or the window is not two increasing numbers.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from fastgd import bucket, plots
    >>> rolled = bucket.roll(curve="x**4 - 3*x**2 + x", start=2, alpha=0.01, record_path=True)
    >>> ax = plots.roll(rolled)
    >>> ax.get_title(loc="left")
    'x**4 - 3*x**2 + x: x -= alpha * slope'
    """
    check_result("rolled", rolled, Roll)
    check_height(rolled.curve)
    low, high = window_of(rolled) if window is None else check_ends("window", window)
    lines = min(np.size(rolled.x), NAMED)
    with axes(ax, figsize=(7.2, 4.3 + 0.2 * lines)) as ax:
        draw_curve(ax, rolled.curve, (low, high))
        if np.size(rolled.x) <= NAMED:
            _draw_balls(ax, rolled)
        else:
            _draw_crowd(ax, rolled)
        ax.set(xlabel="x", ylabel="height", title=f"{rolled.curve.text}: {rolled.step}")
        # A legend inside the axes would often cover a path.
        ax.legend(fontsize="small", loc="upper left", **below(ax))
    return ax


def basins(found: Basins, *, ax: "Axes | None" = None) -> "Axes":
    """Plot the curve in the colors of its basins, and the random balls in their minima.

    This is the article's figure of 100 balls that end in 5 places (part 3, "Solution 2"): marks
    below the curve show where balls started, a large ball shows each minimum.

    Parameters
    ----------
    found : Basins
        The result of :func:`fastgd.bucket.basins`, with a curve.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If only the slope of the curve is known.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from fastgd import bucket, plots
    >>> ax = plots.basins(bucket.basins())
    >>> ax.get_title(loc="left")
    '100 random balls end in 5 minima: x**4/300 + sin(2.5*x) + cos(x/2)'
    """
    check_result("found", found, Basins)
    check_height(found.roll.curve)
    with axes(ax, figsize=(7.2, 4.5)) as ax:
        draw_basins(ax, found)
        colors = [color_of(k) for k in range(len(found.minima))]
        ax.scatter(found.minima, found.heights, s=120, c=colors, edgecolors="black", zorder=3)
        for x, height, count in zip(found.minima, found.heights, found.counts, strict=True):
            place = (0, -12)
            ax.annotate(
                f"{count}", (x, height), place, textcoords="offset points", ha="center", va="top"
            )
        low, high = ax.get_ylim()
        ax.set_ylim(low - 0.25 * (high - low), high)  # room for the counts, and the marks below
        ax.scatter(
            found.roll.start,
            np.full(len(found.owner), 0.035),
            s=25,
            c=owner_colors(found),
            marker="|",
            transform=ax.get_xaxis_transform(),
        )
        ax.set(
            xlabel="x (below the curve: where balls started; numbers: balls in a minimum)",
            ylabel="height",
            title=basins_title(found),
        )
    return ax


def draw_curve(ax: "Axes", curve: Curve, window: Window) -> None:
    """Draw the curve as a black line, with room for balls."""
    heights = _draw_line(ax, curve, np.linspace(*window, POINTS), "_curve", color="black", lw=1.5)
    _limit(ax, window, heights)


def draw_basins(ax: "Axes", found: Basins) -> None:
    """Draw each stretch of the curve, and the background, in the color of its minimum."""
    whole = []
    for left, right, minimum in found.stretches:
        x = np.linspace(left, right, 2 + int(POINTS * (right - left) / np.ptp(found.window)))
        color = color_of(minimum)
        ax.axvspan(left, right, color=color, alpha=0.12, lw=0)
        whole.append(_draw_line(ax, found.roll.curve, x, "_stretch", color=color, lw=2.5))
    _limit(ax, found.window, np.concatenate(whole))


def _draw_line(ax: "Axes", curve: Curve, x: FloatArray, label: str, **look: Any) -> FloatArray:
    """Draw the curve at these x, with gaps where it isn't finite; return its heights."""
    heights, _ = curve.at(x)
    heights[~np.isfinite(heights)] = np.nan
    ax.plot(x, heights, zorder=1.5, label=label, **look)
    return heights


def color_of(minimum: int) -> str:
    """Return the color of a minimum's basin; gray for no minimum."""
    return NO_MINIMUM if minimum == NOWHERE else COLORS[minimum % len(COLORS)]


def owner_colors(found: Basins) -> list[str]:
    """Return the color of each random ball."""
    return [color_of(int(minimum)) for minimum in found.owner]


def basins_title(found: Basins) -> str:
    """Return the number of balls and minima, and the curve."""
    return (
        f"{len(found.owner)} random balls end in {len(found.minima)} minima: "
        f"{found.roll.curve.text}"
    )


def check_height(curve: Curve) -> None:
    """Raise ValueError if a curve has no heights, as only its slope is known."""
    if not curve.has_height:
        raise ValueError("a plot needs the curve, got only its slope: give curve=, too")


def window_of(rolled: Roll) -> Window:
    """Return the interval around the balls; of those that diverged only the first step counts."""
    x, start = np.ravel(rolled.x), np.ravel(rolled.start)
    stayed = np.ravel(rolled.status) != "diverged"
    inside = [start, x[stayed]]
    if rolled.path is not None and rolled.path.shape[-1] > 1:
        steps = rolled.path.reshape(-1, rolled.path.shape[-1])
        first = np.where(stayed[:, None], steps, steps[:, [1]])
        inside.append(first[np.isfinite(first)])
    places = np.concatenate(inside)
    low, high = float(places.min()), float(places.max())
    room = ROOM * (high - low) or 1.0
    return low - room, high + room


def _limit(ax: "Axes", window: Window, heights: FloatArray) -> None:
    finite = heights[np.isfinite(heights)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    room = 0.08 * (high - low) or 1.0
    ax.set(xlim=window, ylim=(low - room, high + room))


def _draw_balls(ax: "Axes", rolled: Roll) -> None:
    """Draw each ball with its own color, path and legend entry."""
    columns: list[Any] = [
        np.ravel(values) for values in (rolled.start, rolled.alpha, rolled.x, rolled.iterations)
    ]
    status = np.ravel(rolled.status)
    for k, (start, alpha, x, iterations) in enumerate(zip(*columns, strict=True)):
        color = COLORS[k % len(COLORS)]
        if rolled.path is not None:
            path = rolled.path.reshape(len(status), -1)[k]
            heights, _ = rolled.curve.at(path)
            # Drawn below the curve, which many small steps would hide.
            ax.plot(path, heights, "o-", ms=4, lw=0.8, color=color, zorder=1.2, label="_path")
        ends = np.array([start, x])
        heights, _ = rolled.curve.at(ends)
        size = 9 + 5 * int((columns[0][k + 1 :] == start).sum())  # a ring around a later ball's
        ax.plot(ends[:1], heights[:1], "o", ms=size, mfc="white", mec=color, mew=2, label="_start")
        factor = "" if rolled.rule == "naive" else f", alpha {alpha:g}"
        label = f"from {start:g}{factor}: {status[k]} after {iterations:,} steps"
        ax.plot(ends[1:], heights[1:], "o", ms=9, color=color, mec="black", label=label)


def _draw_crowd(ax: "Axes", rolled: Roll) -> None:
    """Draw the ends of balls, in the colors of their statuses."""
    x, status = np.ravel(rolled.x), np.ravel(rolled.status)
    heights = np.ravel(rolled.height)
    for name, color in STATUS_COLORS.items():
        there = status == name
        if there.any():
            label = f"{name}: {int(there.sum()):,}"
            ax.plot(x[there], heights[there], "o", ms=7, color=color, mec="black", label=label)
