"""Rolling balls as an animated GIF."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fastgd.checks.numbers import check_count, check_ends, check_path, check_result
from fastgd.plots.balls import (
    NAMED,
    STATUS_COLORS,
    Window,
    basins_title,
    check_height,
    draw_basins,
    draw_curve,
    owner_colors,
    window_of,
)
from fastgd.plots.style import COLORS, Axes, axes, check_ending, pyplot
from fastgd.store.files import whole_file
from fastgd.studies.bucket.basins import Basins
from fastgd.studies.bucket.rolling import Roll

FRAMES_PER_SECOND = 10

DOTS_PER_INCH = 80

REST = 10
"""Extra frames of the final state."""

STILL = 1 / 400
"""A ball nearer to its end than this fraction of the window looks as if it had ended."""


def film(
    rolled: Roll | Basins,
    path: str | os.PathLike[str],
    *,
    ax: "Axes | None" = None,
    window: Window | None = None,
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
    ImportError
        If matplotlib is not installed.

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
    check_ending(path, (".gif",))
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
    own = ax is None
    with axes(ax, figsize=(6.4, 4.0), dpi=DOTS_PER_INCH) as ax:
        if isinstance(rolled, Basins):
            draw_basins(ax, rolled)
            title, colors = basins_title(rolled), owner_colors(rolled)
        else:
            draw_curve(ax, balls.curve, window)
            title, colors = f"{balls.curve.text}: {balls.step}", _colors(balls)
        ax.set(xlim=window, xlabel="x", ylabel="height", title=title)
        dots = ax.scatter(x[:, 0], x[:, 0], s=60, c=colors, edgecolors="black", zorder=3)
        counter = ax.text(1, -0.1, "", transform=ax.transAxes, ha="right", va="top")

        def show(step: int) -> None:
            heights, _ = balls.curve.at(x[:, step])
            dots.set_offsets(np.column_stack([x[:, step], heights]))
            counter.set_text(f"step {step:,}")

        figure: Any = ax.figure.figure  # the whole one, also of a subfigure
        try:
            write_gif(_frames(figure, (dots, counter), show, steps), path)
        finally:
            if own:
                pyplot().close(figure)
    return ax


def write_gif(frames: Iterable[Any], path: Path) -> None:
    """Open a file, draw images, and write them as an animation with a rest at its end."""
    with whole_file(path) as file:
        first, *others = frames
        others += (others or [first])[-1:] * REST
        duration = 1000 // FRAMES_PER_SECOND
        first.save(file, "GIF", save_all=True, append_images=others, duration=duration, loop=0)


def _colors(balls: Roll) -> list[str]:
    """Return each ball's own color or, if there are many, that of its status."""
    status = np.ravel(balls.status)
    if len(status) <= NAMED:
        return list(COLORS[: len(status)])
    return [STATUS_COLORS[name] for name in status]


def _frames(figure: Any, moving: tuple[Any, ...], show: Any, steps: list[int]) -> Iterator[Any]:
    """Render the figure at each step; only the artists in ``moving`` are drawn anew."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    given, dpi, layout = figure.canvas, figure.dpi, figure.get_layout_engine()
    canvas: Any = FigureCanvasAgg(figure)  # untyped
    try:
        figure.set_dpi(DOTS_PER_INCH)
        show(steps[0])
        figure.draw_without_rendering()  # computes the layout, with all artists
        figure.set_layout_engine("none")
        for artist in moving:
            artist.set_animated(True)  # excluded from canvas.draw()
        canvas.draw()
        rest = canvas.copy_from_bbox(figure.bbox)
        for step in steps:
            show(step)
            canvas.restore_region(rest)
            for artist in moving:
                figure.draw_artist(artist)
            yield Image.fromarray(np.array(canvas.buffer_rgba())[..., :3])
    finally:
        for artist in moving:
            artist.set_animated(False)
        figure.set_layout_engine(layout)
        figure.set_dpi(dpi)
        figure.set_canvas(given)
