"""The ball in the bucket: a curve, the paths of balls on it, and its basins."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fastgd.arguments.data import FloatArray
from fastgd.checks.values import check_ends, check_result
from fastgd.plots.lines import below
from fastgd.plots.style import COLOURS, axes, styled
from fastgd.studies.bucket.basins import NOWHERE, Basins
from fastgd.studies.bucket.curves import Curve
from fastgd.studies.bucket.rolling import Roll

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Window = tuple[float, float]

POINTS = 1001
"""Of a curve as it is drawn."""

ROOM = 0.1
"""On either side of the balls, as a share: more of a steep curve makes its minima look flat."""

NAMED = 6
"""Balls at most that have a colour and a line in the legend each."""

STATUS_COLOURS = {
    "converged": COLOURS[2],
    "rolling": COLOURS[4],
    "stuck": COLOURS[3],
    "diverged": COLOURS[1],
}

NO_MINIMUM = "#999999"


def roll(rolled: Roll, *, ax: "Axes | None" = None, window: Window | None = None) -> "Axes":
    """Draw the curve and how the balls rolled on it (article, parts 2 and 3).

    An empty circle is where a ball was let go, a full one where it ended. Up to six balls have a
    colour and a line in the legend each, of more the colour says how they ended. A path is drawn if
    it was recorded.

    Parameters
    ----------
    rolled : Roll
        What :func:`fastgd.bucket.roll` gave, from a curve.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    window : (float, float), optional
        From which x to which; by default around the balls.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError, TypeError
        If only the slope of the curve is known, or the window is not two numbers in order.
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
    with styled() as plt:
        lines = min(np.size(rolled.x), NAMED)
        ax = axes(ax, plt, figsize=(7.2, 4.3 + 0.2 * lines))
        draw_curve(ax, rolled.curve, (low, high))
        if np.size(rolled.x) <= NAMED:
            _draw_balls(ax, rolled)
        else:
            _draw_crowd(ax, rolled)
        ax.set(xlabel="x", ylabel="height", title=f"{rolled.curve.text}: {rolled.step}")
        # Within the picture a path runs through it wherever there is room.
        ax.legend(fontsize="small", loc="upper left", **below(ax))
    return ax


def basins(found: Basins, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the curve in the colours of its basins, and the random balls in their minima.

    The article's picture of 100 balls that end in 5 places (part 3, "Solution 2"): a stripe below
    the curve shows where the balls were let go, a large ball each minimum.

    Parameters
    ----------
    found : Basins
        What :func:`fastgd.bucket.basins` gave, from a curve.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

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
    with styled() as plt:
        ax = axes(ax, plt, figsize=(7.2, 4.5))
        draw_basins(ax, found)
        colours = [colour_of(k) for k in range(len(found.minima))]
        ax.scatter(found.minima, found.heights, s=120, c=colours, edgecolors="black", zorder=3)
        for x, height, count in zip(found.minima, found.heights, found.counts, strict=True):
            place = (0, -12)
            ax.annotate(
                f"{count}", (x, height), place, textcoords="offset points", ha="center", va="top"
            )
        low, high = ax.get_ylim()
        ax.set_ylim(low - 0.25 * (high - low), high)  # for the numbers, and the stripe below them
        ax.scatter(
            found.roll.start,
            np.full(len(found.owner), 0.035),
            s=25,
            c=owner_colours(found),
            marker="|",
            transform=ax.get_xaxis_transform(),
        )
        ax.set(
            xlabel="x (below the curve: where the balls were let go; numbers: balls in a minimum)",
            ylabel="height",
            title=basins_title(found),
        )
    return ax


def draw_curve(ax: "Axes", curve: Curve, window: Window) -> None:
    """Draw a black line, and leave room for balls."""
    x = np.linspace(*window, POINTS)
    heights, _ = curve.at(x)
    heights[~np.isfinite(heights)] = np.nan
    ax.plot(x, heights, color="black", lw=1.5, zorder=1.5, label="_curve")
    _limit(ax, window, heights)


def draw_basins(ax: "Axes", found: Basins) -> None:
    """Draw each stretch of the curve, and what is above and below it, in its minimum's colour."""
    whole = []
    for left, right, minimum in found.stretches:
        x = np.linspace(left, right, 2 + int(POINTS * (right - left) / np.ptp(found.window)))
        heights, _ = found.roll.curve.at(x)
        heights[~np.isfinite(heights)] = np.nan
        colour = colour_of(minimum)
        ax.axvspan(left, right, color=colour, alpha=0.12, lw=0)
        ax.plot(x, heights, color=colour, lw=2.5, zorder=1.5, label="_stretch")
        whole.append(heights)
    _limit(ax, found.window, np.concatenate(whole))


def colour_of(minimum: int) -> str:
    """The colour of a minimum's basin; grey for none."""
    return NO_MINIMUM if minimum == NOWHERE else COLOURS[minimum % len(COLOURS)]


def owner_colours(found: Basins) -> list[str]:
    """The colour of each random ball."""
    return [colour_of(int(minimum)) for minimum in found.owner]


def basins_title(found: Basins) -> str:
    """What was done, and on which curve."""
    return (
        f"{len(found.owner)} random balls end in {len(found.minima)} minima: "
        f"{found.roll.curve.text}"
    )


def check_height(curve: Curve) -> None:
    """Refuse what has no height.

    Raises
    ------
    ValueError
        If only the slope is known.
    """
    if not curve.has_height:
        raise ValueError("a picture needs the curve, got only its slope: give curve=, too")


def window_of(rolled: Roll) -> Window:
    """What is around the balls; those that diverged count with their first step only."""
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
    """Each ball with a colour, a path and a line in the legend."""
    columns: list[Any] = [
        np.ravel(values) for values in (rolled.start, rolled.alpha, rolled.x, rolled.iterations)
    ]
    status = np.ravel(rolled.status)
    for k, (start, alpha, x, iterations) in enumerate(zip(*columns, strict=True)):
        colour = COLOURS[k % len(COLOURS)]
        if rolled.path is not None:
            path = rolled.path.reshape(len(status), -1)[k]
            heights, _ = rolled.curve.at(path)
            # Below the curve, which a dot at each of many small steps would hide.
            ax.plot(path, heights, "o-", ms=4, lw=0.8, color=colour, zorder=1.2, label="_path")
        ends = np.array([start, x])
        heights, _ = rolled.curve.at(ends)
        size = 9 + 5 * int((columns[0][k + 1 :] == start).sum())  # a ring around the next one's
        ax.plot(ends[:1], heights[:1], "o", ms=size, mfc="white", mec=colour, mew=2, label="_start")
        factor = "" if rolled.rule == "naive" else f", alpha {alpha:g}"
        label = f"from {start:g}{factor}: {status[k]} after {iterations:,} steps"
        ax.plot(ends[1:], heights[1:], "o", ms=9, color=colour, mec="black", label=label)


def _draw_crowd(ax: "Axes", rolled: Roll) -> None:
    """Where balls ended, in the colours of how."""
    x, status = np.ravel(rolled.x), np.ravel(rolled.status)
    heights = np.ravel(rolled.height)
    for name, colour in STATUS_COLOURS.items():
        there = status == name
        if there.any():
            label = f"{name}: {int(there.sum()):,}"
            ax.plot(x[there], heights[there], "o", ms=7, color=colour, mec="black", label=label)
