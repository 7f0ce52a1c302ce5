"""Plots of trainability: the map, the fit of its box counts, and a zoom as an animated GIF."""

import os
from collections.abc import Sequence
from math import floor, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import check_path, check_result, each_of
from fastgd.plots.style import COLORS, DOTS_PER_INCH, FILM, Axes, axes, check_ending, write_film
from fastgd.studies.box_counting import BoxCounting
from fastgd.studies.trainability_map import Trainability

CONVERGED = ("#00263D", "#0072B2", "#56B4E9", "#D6ECFA")
DIVERGED = ("#FFF6D6", "#F0C24B", "#D55E00", "#6B2A00")
"""Fast to slow: shades of two of Okabe and Ito's colors, which color-blind readers can tell apart.

The slowest shades meet at the boundary, where blue is lightest and orange darkest.
"""

_KINDS = {
    "converged": ("sum of $e_j / e_0$", CONVERGED, 0.0),
    "diverged": ("sum of $e_0 / e_j$", DIVERGED, 0.54),
}
"""Label, colors, and the lower end of the color bar as a fraction of the map's height."""

_STEPS = 64
"""Colors of a ramp: steps are invisible, and a file has half the bytes of one with 256."""


def trainability(found: Trainability, *, ax: "Axes | None" = None) -> "Axes":
    """Plot a map of trainings: blue where they converged, orange where they diverged.

    At the boundary, where both take longest, blue is light and orange dark. As in the paper, colors
    are assigned by rank: each shade covers the same area of the map, and the color bars show the
    sums that it stands for.

    Parameters
    ----------
    found : Trainability
        The result of :func:`fastgd.trainability`.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        With one image for each outcome in the map.

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> found = fastgd.trainability(16, iterations=20, width=4, window=((-1, 3), (-1, 3)))
    >>> ax = fastgd.plots.trainability(found)
    >>> ax.get_title(loc="left").splitlines()[0]
    '16 x 16 trainings, 20 iterations each'
    >>> len(ax.images)
    2
    """
    check_result("found", found, Trainability)
    with axes(ax, formulas=True, figsize=(7.2, 5.6)) as ax:
        for name, image in draw_map(ax, found, [found]).items():
            label, _, start = _KINDS[name]
            place = ax.inset_axes((1.03, start, 0.035, 0.46))
            bar = ax.figure.colorbar(image, cax=place, label=f"{name}: {label}")
            sums = image.get_array().compressed()
            quartiles = np.unique(np.quantile(sums, np.linspace(0, 1, 5)))
            bar.set_ticks(quartiles.tolist(), labels=[f"{value:.3g}" for value in quartiles])
            bar.minorticks_off()
        across, up = axis_labels(found)
        ax.set(xlabel=across, ylabel=up)
        settings = found.settings
        ax.set_title(
            f"{settings.resolution} x {settings.resolution} trainings, "
            f"{settings.iterations:,} iterations each\n"
            f"{settings.text}: {found.converged.mean():.1%} converged"
        )
    return ax


def draw_map(ax: "Axes", found: Trainability, ranked: Sequence[Trainability]) -> dict[str, Any]:
    """Draw a map, an image for each outcome, with colors by rank among the maps ``ranked``."""
    from matplotlib.colors import LinearSegmentedColormap

    (left, right), (bottom, top) = found.settings.window
    images = {}
    for name, (_, colors, _) in _KINDS.items():
        sums = _sums(found, name)
        if not sums.count():
            continue
        images[name] = ax.imshow(
            sums,
            origin="lower",
            extent=(left, right, bottom, top),
            aspect="auto",
            interpolation="nearest",
            norm=_by_rank(np.concatenate([_sums(one, name).compressed() for one in ranked])),
            cmap=LinearSegmentedColormap.from_list("fast to slow", list(colors), N=_STEPS),
        )
    ax.grid(visible=False)
    return images


def axis_labels(found: Trainability) -> tuple[str, str]:
    """Return what the horizontal and the vertical axis show."""
    across, up = found.settings.labels
    logarithm = ", $\\log_{10}$"
    return across + logarithm, up + logarithm * found.settings.vertical.is_logarithm


def _sums(found: Trainability, name: str) -> Any:
    """Return the sums of the trainings with this outcome; the others are masked."""
    inside = found.converged if name == "converged" else ~found.converged
    return np.ma.masked_where(~inside, np.abs(found.values))


def box_counts(found: BoxCounting, *, ax: "Axes | None" = None) -> "Axes":
    r"""Plot box counts against the sizes of the boxes, with the line whose slope is the dimension.

    Parameters
    ----------
    found : BoxCounting
        The result of :func:`fastgd.box_counting`.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        With two lines: the counts, and the fit.

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> import numpy as np
    >>> ax = fastgd.plots.box_counts(fastgd.box_counting(np.eye(64, dtype=bool)))
    >>> [line.get_label() for line in ax.lines]
    ['boxes', 'fit: dimension 1.000 (1.00 to 1.00)']
    """
    check_result("found", found, BoxCounting)
    with axes(ax, formulas=True, figsize=(5.6, 4.2)) as ax:
        ax.loglog(found.sizes, found.counts, "o", base=2, color=COLORS[0], label="boxes")
        fit = f"fit: dimension {found.dimension:.3f} ({found.low:.2f} to {found.high:.2f})"
        ax.loglog(found.sizes, found.fitted(found.sizes), base=2, color=COLORS[1], label=fit)
        ax.set_xlabel("side of a box [pixels]")
        ax.set_ylabel("boxes that touch the set")
        ax.set_title(f"Box counting, $R^2$ = {found.r_squared:.4f}")
        ax.legend()
    return ax


def _by_rank(values: NDArray[np.float64]) -> Any:
    """Return a norm that maps a value to the fraction of values that are not larger."""
    from matplotlib.colors import FuncNorm, Normalize

    known, counts = np.unique(values, return_counts=True)
    if len(known) == 1:
        return Normalize(known[0], known[0] + 1)
    share = np.cumsum(counts) / len(values)

    def rank(value: Any) -> Any:
        return np.ma.array(np.interp(value, known, share), mask=np.ma.getmask(value))

    def value_of(rank: Any) -> Any:
        return np.ma.array(np.interp(rank, share, known), mask=np.ma.getmask(rank))

    return FuncNorm((rank, value_of), vmin=known[0], vmax=known[-1])


# ---------------------------------------------------------------- a zoom

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
    check_ending(path, (FILM,))
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
    with axes(ax, formulas=True, closes=True, figsize=size, dpi=DOTS_PER_INCH) as ax:
        if own:
            figure: Any = ax.figure
            figure.set_layout_engine("none")
            ax.set_position((MARGIN / whole, MARGIN / whole, side / whole, side / whole))

        def show(k: int) -> None:
            ax.clear()
            draw_map(ax, maps[k], maps[max(0, k - NEAR) : k + NEAR + 1])
            across, up = (
                f"{label}\n{ends_text(*ends)}"
                for label, ends in zip(axis_labels(maps[k]), maps[k].settings.window, strict=True)
            )
            title = f"magnified {magnification(maps, k)} times"
            ax.set(xticks=[], yticks=[], xlabel=across, ylabel=up, title=title)

        write_film(ax, path, show, range(len(maps)))
    return ax


def magnification(maps: Sequence[Trainability], k: int) -> str:
    """Return how many times as narrow a map's window is as the first one's."""
    first, this = (np.ptp(maps[i].settings.window[0]) for i in (0, k))
    return f"{first / this:,.3g}" if first < 1000 * this else f"{first / this:,.0f}"


def ends_text(low: float, high: float) -> str:
    """Return both ends of a window, with three digits or more of its width."""
    digits = max(6, 2 - floor(log10(high - low)))
    return f"{low:.{digits}f} to {high:.{digits}f}"
