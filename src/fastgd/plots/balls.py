"""The ball in the bucket: a curve, the paths of balls on it, its basins, and an animated GIF."""

import os
from collections.abc import Sequence

import numpy as np

from fastgd.checks.numbers import FloatArray, check_count, check_ends, check_path, check_result
from fastgd.plots.lines import below
from fastgd.plots.style import COLORS, DOTS_PER_INCH, FILM, Axes, axes, check_ending, write_film
from fastgd.studies.bucket.basins import NOWHERE, Basins
from fastgd.studies.bucket.curves import Curve
from fastgd.studies.bucket.rolling import Roll

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


def roll(
    rolled: Roll, *, ax: "Axes | None" = None, window: tuple[float, float] | None = None
) -> "Axes":
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

    Examples
    --------
    >>> from fastgd import bucket, plots
    >>> ball = bucket.roll(curve="x**4 - 3*x**2 + x", start=2, alpha=0.01, record_path=True)
    >>> ax = plots.roll(ball)
    >>> ax.get_title(loc="left")
    'x**4 - 3*x**2 + x: x -= alpha * slope'
    """
    check_result("rolled", rolled, Roll)
    check_height(rolled.curve)
    low, high = window_of(rolled) if window is None else check_ends("window", window)
    lines = min(np.size(rolled.x), NAMED)
    with axes(ax, figsize=(7.2, 4.3 + 0.2 * lines)) as ax:
        _draw_curve(ax, rolled.curve, (low, high))
        starts, x, status = np.ravel(rolled.start), np.ravel(rolled.x), np.ravel(rolled.status)
        if len(x) > NAMED:
            heights = np.ravel(rolled.height)
            for name, color in STATUS_COLORS.items():
                there = status == name
                if there.any():
                    label = f"{name}: {int(there.sum()):,}"
                    ax.plot(x[there], heights[there], "o", ms=7, color=color, mec="black",
                            label=label)  # fmt: skip
        else:
            alphas, counts = np.ravel(rolled.alpha), np.ravel(rolled.iterations)
            for k, color in zip(range(len(x)), COLORS, strict=False):
                if rolled.path is not None:
                    path = rolled.path.reshape(len(x), -1)[k]
                    heights, _ = rolled.curve.at(path)
                    # Drawn below the curve, which many small steps would hide.
                    ax.plot(path, heights, "o-", ms=4, lw=0.8, color=color, zorder=1.2,
                            label="_path")  # fmt: skip
                (first, last), _ = rolled.curve.at(np.array([starts[k], x[k]]))
                # A ring around a later ball's.
                size = 9 + 5 * int((starts[k + 1 :] == starts[k]).sum())
                ax.plot(starts[k], first, "o", ms=size, mfc="white", mec=color, mew=2,
                        label="_start")  # fmt: skip
                factor = "" if rolled.rule == "naive" else f", alpha {alphas[k]:g}"
                label = f"from {starts[k]:g}{factor}: {status[k]} after {counts[k]:,} steps"
                ax.plot(x[k], last, "o", ms=9, color=color, mec="black", label=label)
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
        _draw_basins(ax, found)
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


def _draw_curve(ax: "Axes", curve: Curve, window: tuple[float, float]) -> None:
    """Draw the curve as a black line, with room for balls."""
    _draw_lines(ax, curve, window, [(np.linspace(*window, POINTS), "black")], "_curve", 1.5)


def _draw_basins(ax: "Axes", found: Basins) -> None:
    """Draw each stretch of the curve, and the background, in the color of its minimum."""
    lines = []
    for left, right, minimum in found.stretches:
        points = 2 + int(POINTS * (right - left) / np.ptp(found.window))
        lines.append((np.linspace(left, right, points), color_of(minimum)))
        ax.axvspan(left, right, color=color_of(minimum), alpha=0.12, lw=0)
    _draw_lines(ax, found.roll.curve, found.window, lines, "_stretch", 2.5)


def _draw_lines(
    ax: "Axes",
    curve: Curve,
    window: tuple[float, float],
    lines: Sequence[tuple[FloatArray, str]],
    label: str,
    width: float,
) -> None:
    """Draw the curve at some x in each color, with gaps where it isn't finite; set the limits."""
    finite = []
    for x, color in lines:
        heights, _ = curve.at(x)
        heights[~np.isfinite(heights)] = np.nan
        ax.plot(x, heights, zorder=1.5, label=label, color=color, lw=width)
        finite.append(heights[np.isfinite(heights)])
    whole = np.concatenate(finite)
    low, high = (whole.min(), whole.max()) if len(whole) else (0.0, 1.0)
    room = 0.08 * (high - low) or 1.0
    ax.set(xlim=window, ylim=(low - room, high + room))


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


def window_of(rolled: Roll) -> tuple[float, float]:
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


# ---------------------------------------------------------------- an animation

STILL = 1 / 400
"""A ball nearer to its end than this fraction of the window looks as if it had ended."""


def film(
    rolled: Roll | Basins,
    path: str | os.PathLike[str],
    *,
    ax: "Axes | None" = None,
    window: tuple[float, float] | None = None,
    frames: int = 50,
) -> "Axes":
    """Write an animated GIF of balls that roll down their curve.

    Parameters
    ----------
    rolled : Roll or Basins
        The result of :func:`fastgd.bucket.roll` or :func:`fastgd.bucket.basins`, with
        ``record_path=True`` and a curve.
    path : str or path
        The file, which must end in .gif.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure. The file contains the whole figure.
    window : (float, float), optional
        Lowest and highest x; by default around the balls.
    frames : int
        Most frames, without the still ones at the end: equally spaced steps, until no movement is
        visible.

    Returns
    -------
    matplotlib.axes.Axes
        As in the last frame.

    Raises
    ------
    ValueError, TypeError
        If the path was not recorded, only the slope of the curve is known, or an argument is not as
        described.
    OSError
        If the file can't be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from fastgd import bucket, plots
    >>> rolled = bucket.roll(curve="x**2", start=[1, -2], record_path=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ax = plots.film(rolled, pathlib.Path(folder, "balls.gif"), frames=3)
    """
    path = check_path("path", path)
    check_result("rolled", rolled, Roll, Basins)
    check_ending(path, (FILM,))
    frames = check_count("frames", frames)
    balls = rolled.roll if isinstance(rolled, Basins) else rolled
    if balls.path is None:
        raise ValueError("an animation needs the balls' path: record_path=True")
    check_height(balls.curve)
    if window is not None:
        window = check_ends("window", window)
    elif isinstance(rolled, Basins):
        window = rolled.window
    else:
        window = window_of(balls)
    x = balls.path.reshape(-1, balls.path.shape[-1])
    # The NaN after each ball's end become the end.
    last = np.isfinite(x).cumsum(axis=1).argmax(axis=1)
    x = np.where(np.isnan(x), x[np.arange(len(x)), last][:, None], x)
    still = STILL * (window[1] - window[0])
    moving = np.flatnonzero((np.abs(x - x[:, -1:]) > still).any(axis=0))
    end = min(int(moving[-1]) + 1 if len(moving) else 0, x.shape[1] - 1)
    steps = [int(step) for step in np.unique(np.linspace(0, end, frames).round())]
    with axes(ax, closes=True, figsize=(6.4, 4.0), dpi=DOTS_PER_INCH) as ax:
        if isinstance(rolled, Basins):
            _draw_basins(ax, rolled)
            title, colors = basins_title(rolled), owner_colors(rolled)
        else:
            _draw_curve(ax, balls.curve, window)
            title, status = f"{balls.curve.text}: {balls.step}", np.ravel(balls.status)
            colors = [*COLORS[: len(x)]]
            if len(x) > NAMED:
                colors = [STATUS_COLORS[name] for name in status]
        ax.set(xlim=window, xlabel="x", ylabel="height", title=title)
        dots = ax.scatter(x[:, 0], x[:, 0], s=60, c=colors, edgecolors="black", zorder=3)
        counter = ax.text(1, -0.1, "", transform=ax.transAxes, ha="right", va="top")

        def show(step: int) -> None:
            heights, _ = balls.curve.at(x[:, step])
            dots.set_offsets(np.column_stack([x[:, step], heights]))
            counter.set_text(f"step {step:,}")

        write_film(ax, path, show, steps, (dots, counter))
    return ax
