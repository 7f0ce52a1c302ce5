"""A zoom into the boundary of trainability as an animated GIF."""

import os
from collections.abc import Sequence
from math import floor, log10
from typing import Any

import numpy as np

from fastgd.checks.numbers import check_path, check_result, each_of
from fastgd.plots.animation import DOTS_PER_INCH, write_gif
from fastgd.plots.maps import axis_labels, draw_map
from fastgd.plots.style import Axes, axes, check_ending, pyplot
from fastgd.studies.trainability.map import Trainability

SIDE, MARGIN = 256, 44
"""Dots along a map, about (each training has a square of whole dots), and around it for labels."""

NEAR = 2
"""Frames before and after one with which it shares its colors, so that these change slowly."""


def zoom_film(
    found: Sequence[Trainability], path: str | os.PathLike[str], *, ax: "Axes | None" = None
) -> "Axes":
    """Write an animated GIF of a zoom into the boundary of trainability, a frame for each map.

    Colors are those of :func:`trainability`, by rank among the trainings of a frame and of the two
    before and after it.

    Parameters
    ----------
    found : sequence of Trainability
        The result of :func:`fastgd.trainability_zoom`.
    path : str or path
        The file, which must end in .gif.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure. The file contains the whole figure.

    Returns
    -------
    matplotlib Axes
        As in the last frame.

    Raises
    ------
    ValueError, TypeError
        If there is no map, or an argument is not as described.
    OSError
        If the file can't be written.
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

    Examples
    --------
    >>> import fastgd, fastgd.plots, pathlib, tempfile
    >>> small = dict(resolution=16, iterations=20, width=4, window=((-1, 3), (-1, 3)))
    >>> maps = fastgd.trainability_zoom(3, **small)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ax = fastgd.plots.zoom_film(maps, pathlib.Path(folder, "zoom.gif"))
    >>> ax.get_title(loc="left")
    'magnified 1.56 times'
    """
    path = check_path("path", path)
    check_ending(path, (".gif",))
    maps: list[Trainability] = []
    for k, one in enumerate(each_of(found, "found must be a sequence of maps")):
        check_result(f"found[{k}]", one, Trainability)
        maps.append(one)
    if not maps:
        raise ValueError("found must have at least one map, got none")
    pixels = maps[0].settings.resolution
    side = pixels * max(1, round(SIDE / pixels))
    own, whole = ax is None, side + 2 * MARGIN
    size = (whole / DOTS_PER_INCH,) * 2
    with axes(ax, formulas=True, figsize=size, dpi=DOTS_PER_INCH) as ax:
        figure: Any = ax.figure.figure  # the whole one, also of a subfigure
        if own:
            figure.set_layout_engine("none")
            ax.set_position((MARGIN / whole, MARGIN / whole, side / whole, side / whole))
        try:
            write_gif((_frame(figure, ax, maps, k) for k in range(len(maps))), path)
        finally:
            if own:
                pyplot().close(figure)
    return ax


def magnification(maps: Sequence[Trainability], k: int) -> str:
    """Return how many times as narrow a map's window is as the first one's."""
    first, this = (np.ptp(maps[i].settings.window[0]) for i in (0, k))
    return f"{first / this:,.3g}" if first < 1000 * this else f"{first / this:,.0f}"


def ends_text(low: float, high: float) -> str:
    """Return both ends of a window, with three digits or more of its width."""
    digits = max(6, 2 - floor(log10(high - low)))
    return f"{low:.{digits}f} to {high:.{digits}f}"


def _frame(figure: Any, ax: "Axes", maps: Sequence[Trainability], k: int) -> Any:
    """Draw a map, and return the figure as an image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    ax.clear()
    draw_map(ax, maps[k], maps[max(0, k - NEAR) : k + NEAR + 1])
    across, up = (
        f"{label}\n{ends_text(*ends)}"
        for label, ends in zip(axis_labels(maps[k]), maps[k].settings.window, strict=True)
    )
    title = f"magnified {magnification(maps, k)} times"
    ax.set(xticks=[], yticks=[], xlabel=across, ylabel=up, title=title)
    given = figure.canvas
    canvas: Any = FigureCanvasAgg(figure)  # untyped
    try:
        canvas.draw()
        return Image.fromarray(np.array(canvas.buffer_rgba())[..., :3])
    finally:
        figure.set_canvas(given)
