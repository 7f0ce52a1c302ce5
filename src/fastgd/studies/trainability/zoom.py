"""A zoom into the boundary of trainability: maps of smaller and smaller windows."""

from __future__ import annotations

from inspect import signature
from math import ulp
from typing import Any

from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_count, check_memory, check_number, rule_of
from fastgd.store import PathLike
from fastgd.store.folder import Folder
from fastgd.studies.mean_field import Window
from fastgd.studies.trainability_map import WINDOW, Trainability, checked, trainability

SCOUT, STEP = 64, 8
"""Pixels along the maps that look for a place to zoom to, and by how much each narrows it down."""

KIND = "zoom of trainability"

FACTOR, MOST = rule_of("(1, 100]"), 1000
"""Bounds of the factor, and of the number of frames."""


def trainability_zoom(
    frames: int = 24,
    *,
    factor: float = 1.25,
    resolution: int = 128,
    window: Window = WINDOW,
    out: PathLike | None = None,
    **options: Any,
) -> tuple[Trainability, ...]:
    """Zoom into the boundary of trainability: one map per frame, each in a narrower window.

    Parameters
    ----------
    frames : int
        Number of maps, from 2 to 1,000.
    factor : float
        How many times as narrow each window is as the one before, above 1 and at most 100.
    resolution : int
        Pixels along each side of a map.
    window : ((left, right), (bottom, top))
        That of the first frame.
    out : path, optional
        A folder with a folder for each frame: the same call resumes after any interruption. It must
        be empty, new, or that of the same call.
    **options
        Other arguments of :func:`fastgd.trainability`, for all frames.

    Returns
    -------
    tuple of Trainability
        One for each frame. :func:`fastgd.plots.zoom_film` makes an animation of them.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, the last window is too narrow for numbers of 64 bits,
        the first one holds no boundary, or the folder holds something else.
    OSError, DeviceError
        As in :func:`fastgd.trainability`.

    Notes
    -----
    The windows shrink towards the cell with most of the boundary: the first window is mapped with
    64 x 64 pixels and divided into 8 x 8 cells, the best cell is mapped and divided, and so
    on until a cell is eight times as narrow as the last frame.

    Examples
    --------
    >>> import fastgd
    >>> maps = fastgd.trainability_zoom(
    ...     3, factor=2, resolution=16, iterations=20, width=4, window=((-1, 3), (-1, 3))
    ... )
    >>> [found.settings.window[0][1] - found.settings.window[0][0] for found in maps]
    [4.0, 2.0, 1.0]
    """
    frames = check_count("frames", frames, minimum=2, maximum=MOST)
    factor = check_number("factor", factor, FACTOR)
    call = signature(trainability).bind(resolution, window=window, out=out, **options)
    call.apply_defaults()
    settings, worker_options, needed = checked(**call.arguments)
    whole = target = settings.window
    total, depth, scouts = 1.0, 1.0, 0
    for _ in range(frames - 1):
        total *= factor
    pixels = max(settings.resolution, SCOUT * STEP)  # in a last frame; scouts go deeper
    most = min((high - low) / pixels / (2 * ulp(max(-low, high, 1))) for low, high in whole)
    if total > most:
        raise ValueError(
            f"frames and factor must magnify this window at most {most:.3g} times, or pixels would "
            f"not differ, got {frames} and {factor:g}, which magnify {total:.3g} times"
        )
    check_memory(needed + 8 * frames * settings.resolution**2, "the maps of all frames")
    folder = worker_options.out
    if folder is not None:
        asked = {"frames": frames, "factor": factor, **settings.given}
        Folder.create(folder, KIND, asked, {}, {}, chunk_count=0)

    def mapped(pixels: int, window: Window, name: str) -> Trainability:
        where = None if folder is None else folder / name
        return trainability(pixels, window=window, out=where, **options)

    while depth < STEP * total:  # the boundary is near the middle of the last frame
        found = mapped(SCOUT, target, f"scout-{scouts}")
        if not found.boundary.any():
            if scouts:
                break
            raise ValueError(f"window must hold a part of the boundary, got {shown(window)}")
        target, depth, scouts = _cell(found), depth * STEP, scouts + 1
    maps, inside, magnification = [], whole, 1.0
    for frame in range(frames):
        maps.append(mapped(resolution, inside, f"frame-{frame:03}"))
        magnification *= factor
        inside = _next(inside, whole, target, magnification, total)
    return tuple(maps)


def _cell(found: Trainability) -> Window:
    """Return the cell with most of the boundary, which is half a pixel after where it is marked."""

    def shifted(inner: tuple[float, float], outer: tuple[float, float]) -> tuple[float, float]:
        half = (outer[1] - outer[0]) / found.settings.resolution / 2
        half = min(half, outer[1] - inner[1])  # not beyond the edge
        return inner[0] + half, inner[1] + half

    cell, whole = found.zoom(STEP), found.settings.window
    return shifted(cell[0], whole[0]), shifted(cell[1], whole[1])


def _next(
    before: Window, whole: Window, target: Window, magnification: float, total: float
) -> Window:
    """Return a window on the way from the whole one to the last one, near the target's middle.

    Each lies within the one ``before``, and has the whole one's sides over ``magnification``.
    """
    left = (1 / magnification - 1 / total) / (1 - 1 / total)  # of the way, from 1 to 0

    def side(
        bounds: tuple[float, float], ends: tuple[float, float], goal: tuple[float, float]
    ) -> tuple[float, float]:
        half = (ends[1] - ends[0]) / 2 / total
        center = min(max((goal[0] + goal[1]) / 2, ends[0] + half), ends[1] - half)
        low, high = (
            last + left * (first - last)
            for first, last in zip(ends, (center - half, center + half), strict=True)
        )
        return max(low, bounds[0]), min(high, bounds[1])

    return side(before[0], whole[0], target[0]), side(before[1], whole[1], target[1])
