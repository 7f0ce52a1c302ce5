"""Plots of a loss surface, in 2-D or 3-D, with the paths of trainings on it."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from fastgd.checks.messages import joined, shown
from fastgd.checks.numbers import check_choice, check_flag, check_result
from fastgd.plots.lines import ERROR
from fastgd.plots.style import COLORS, SEQUENTIAL, Axes, axes, legend_text, user_text
from fastgd.studies.surface import Surface
from fastgd.training.run import Run

LEVELS = 12
"""Number of contour lines, about."""

SIDES = 100
"""Facets along each side of a 3-D plot: more take seconds and look no better."""

STEPS = 40
"""Most points of a path that are marked individually."""

NAME = 80
"""Most characters of a path's name: with all parameters of an optimizer it has 60."""

DASHES = ("-", "--", ":")
"""Line styles, if there are more paths than colors."""

Paths = Run | Mapping[str, Run] | None


def surface(
    surface: Surface,
    *,
    ax: "Axes | None" = None,
    kind: Literal["contour", "3d"] = "contour",
    paths: Paths = None,
    log: bool = False,
) -> "Axes":
    r"""Plot a loss surface, as the article does in part 4 with its error plane.

    Parameters
    ----------
    surface : Surface
        The result of :func:`fastgd.surface`.
    ax : matplotlib Axes, optional
        Axes to draw on, with ``projection="3d"`` for ``kind="3d"``; by default those of a new
        figure.
    kind : {"contour", "3d"}
        From above, in colors and contour lines, or as a 3-D surface.
    paths : Run, or dict of str to Run, optional
        Trainings with ``record_weights=True`` to draw on it, each from a circle to a star. A path
        is that of the two weights, whatever the other weights were: on a slice the run's own error
        (see :meth:`fastgd.Surface.path`) may differ from the surface's at that place.
    log : bool
        Whether colors, and heights in 3-D, show log10 of the error.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
    >>> run = fastgd.train(X, y, hidden_size=(), iterations=500, record_every=1,
    ...                    record_weights=True)
    >>> ax = fastgd.plots.surface(fastgd.surface(X, y, run, resolution=41), paths=run)
    >>> ax.get_title(loc="left").partition(" of ")[2]
    'a 2-1 network over both its weights (4 samples)'
    """
    check_result("surface", surface, Surface)
    log = check_flag("log", log)
    check_choice("kind", kind, ("contour", "3d"))
    named = _named(paths)
    points = {name: surface.path(run) for name, run in named.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        heights = np.ma.masked_invalid(np.log10(surface.errors) if log else surface.errors)
    with axes(ax, subplot_kw={"projection": "3d" if kind == "3d" else None}) as ax:
        label = f"log10 of {ERROR}" if log else ERROR
        if kind == "3d":
            if ax.name != "3d":
                raise ValueError("ax must have projection='3d' for kind='3d', got flat axes")
            _in_space(surface, ax, points, heights, label)
        else:
            _from_above(surface, ax, points, heights, label)
        ax.set_xlabel(surface.names[0])
        ax.set_ylabel(surface.names[1])
        called = {"the training": paths} if isinstance(paths, Run) else named
        ax.set_title(_title(surface, called))
        if points:
            ax.legend(loc="best" if kind == "contour" else "upper left", fontsize="small",
                      frameon=True, framealpha=0.85)  # fmt: skip
    return ax


def _named(paths: Paths) -> dict[str, Run]:
    if paths is None:
        return {}
    if isinstance(paths, Run):
        return {f"alpha {joined(paths.alpha)}, {paths.iterations:,} iterations": paths}
    if not isinstance(paths, Mapping) or not all(isinstance(r, Run) for r in paths.values()):
        raise TypeError(f"paths must be a Run or a dict of names and Runs, got {shown(paths)}")
    return {str(name): run for name, run in paths.items()}


def _from_above(
    surface: Surface, ax: "Axes", points: Mapping[str, Any], errors: Any, label: str
) -> None:
    """Draw the errors as pixels around their two weights, with contour lines."""
    x, y = surface.x, surface.y
    half = [(values[1] - values[0]) / 2 for values in (x, y)]
    extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])
    image = ax.imshow(errors, origin="lower", extent=extent, aspect="auto",
                      interpolation="nearest")  # fmt: skip
    ax.grid(visible=False)
    if errors.count() and errors.min() < errors.max():
        ax.contour(x, y, errors, levels=LEVELS, colors="white", linewidths=0.5, alpha=0.6)
    ax.figure.colorbar(image, ax=ax, label=label)
    for look, (name, path) in zip(path_looks(len(points)), points.items(), strict=True):
        _draw(ax, path[:, :2].T, name, look)
    ax.set_xlim(extent[:2])
    ax.set_ylim(extent[2:])


def _in_space(
    surface: Surface, ax: Any, points: Mapping[str, Any], errors: Any, label: str
) -> None:
    """Draw the errors as heights; paths are interpolated between the points of the grid."""
    from matplotlib.ticker import MaxNLocator

    heights = errors.filled(np.nan)
    # matplotlib would sort whole objects by depth, and hide a path in its own valley.
    ax.computed_zorder = False
    ax.plot_surface(
        *np.meshgrid(surface.x, surface.y),
        heights,
        cmap=SEQUENTIAL,
        rcount=SIDES,
        ccount=SIDES,
        linewidth=0,
        antialiased=False,  # otherwise the facets' edges show
    )
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))  # more tick labels would overlap
    ax.set_zlabel(label)
    for look, (name, path) in zip(path_looks(len(points)), points.items(), strict=True):
        inside = (surface.x[0] <= path[:, 0]) & (path[:, 0] <= surface.x[-1])
        inside &= (surface.y[0] <= path[:, 1]) & (path[:, 1] <= surface.y[-1])
        x, y, _ = path[inside].T
        columns = np.interp(x, surface.x, np.arange(len(surface.x)))
        rows = np.interp(y, surface.y, np.arange(len(surface.y)))
        left = np.minimum(columns.astype(int), len(surface.x) - 2)
        low = np.minimum(rows.astype(int), len(surface.y) - 2)
        across, up = columns - left, rows - low
        below = (1 - across) * heights[low, left] + across * heights[low, left + 1]
        above = (1 - across) * heights[low + 1, left] + across * heights[low + 1, left + 1]
        _draw(ax, (x, y, (1 - up) * below + up * above), name, look)


def _draw(ax: Any, coordinates: Any, name: str, look: dict[str, Any]) -> None:
    """Draw a path, with a circle at its start and a star at its end."""
    from matplotlib.patheffects import Normal, Stroke

    outline = [Stroke(linewidth=3, foreground="white"), Normal()]
    each = "." if len(coordinates[0]) <= STEPS else ""
    ax.plot(*coordinates, **look, marker=each, label=legend_text(name, NAME), zorder=5,
            linewidth=1.6, path_effects=outline)  # fmt: skip
    for at, marker, size in ((0, "o", 6), (-1, "*", 12)):
        end = [part[at : (at + 1) or None] for part in coordinates]
        ax.plot(*end, color=look["color"], marker=marker, markersize=size, markeredgecolor="white",
                linestyle="", zorder=6)  # fmt: skip


def path_looks(count: int) -> list[dict[str, Any]]:
    """Return colors and dashes of ``count`` paths; a single one contrasts most with the surface."""
    first = 1 if count == 1 else 0
    return [
        {"color": COLORS[k % len(COLORS)], "linestyle": DASHES[k // len(COLORS) % len(DASHES)]}
        for k in range(first, first + count)
    ]


def _title(surface: Surface, paths: Mapping[str, Run]) -> str:
    network = "-".join(map(str, surface.sizes))
    start = f"{ERROR[:1].upper()}{ERROR[1:]} of a {network} network over"
    samples = f"({surface.samples:,} sample{'s' * (surface.samples != 1)})"
    if not surface.held:
        return f"{start} both its weights {samples}"
    where, held = "", (*surface.weights, *surface.biases)
    for name, run in paths.items():
        ends = (*run.weights, *run.biases)
        if all(np.array_equal(*pair) for pair in zip(held, ends, strict=True)):
            where = f" where {user_text(name, NAME)} ends"
            break
    return f"{start} two weights,\nthe other {surface.held:,} fixed{where} {samples}"
