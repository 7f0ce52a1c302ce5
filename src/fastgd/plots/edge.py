"""Pictures of the edge of trainability: the map, and the fit through its box counts."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.box_counting import BoxCounting
from fastgd.edge import Trainability
from fastgd.plots.style import COLOURS, axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONVERGED = ("#D6ECFA", "#56B4E9", "#0072B2", "#00263D")
DIVERGED = ("#FFF6D6", "#F0C24B", "#D55E00", "#5A2200")
"""Fast to slow: shades of two of Okabe and Ito's colours, which colour-blind readers tell apart."""

_KINDS = {
    "converged": ("sum of $e_j / e_0$", CONVERGED),
    "diverged": ("sum of $e_0 / e_j$", DIVERGED),
}

_STEPS = 256
"""Colours of a ramp."""


def trainability(found: Trainability, *, ax: "Axes | None" = None) -> "Axes":
    """Draw a map of trainings: blue where they converged, orange where they diverged.

    The darker, the longer it took. As in the paper, colours are spread by rank, so that each shade
    covers as much of the map as any other; the bars tell which sums they stand for.

    Parameters
    ----------
    found : Trainability
        From :func:`fastgd.trainability`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        With one image for each outcome that the map has.

    Raises
    ------
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> found = fastgd.trainability(16, iterations=20, width=4, window=((-1, 3), (-1, 3)))
    >>> ax = fastgd.plots.trainability(found)
    >>> ax.get_xlim(), len(ax.images)
    ((-1.0, 3.0), 2)
    """
    with styled() as plt:
        ax = axes(ax, plt, figsize=(7.2, 5.6))
        settings = found.settings
        (left, right), (bottom, top) = settings.window
        for name, inside in (("converged", found.converged), ("diverged", ~found.converged)):
            if not inside.any():
                continue
            label, colours = _KINDS[name]
            sums = np.ma.masked_where(~inside, np.abs(found.values))
            image = ax.imshow(
                sums,
                origin="lower",
                extent=(left, right, bottom, top),
                aspect="auto",
                interpolation="nearest",
                norm=_by_rank(sums.compressed()),
                cmap=_ramp(colours),
            )
            _bar(ax, image, f"{name}: {label}")
        ax.grid(visible=False)
        ax.set_xlabel("learning rate of the input layer, $\\log_{10}$")
        ax.set_ylabel("learning rate of the output layer, $\\log_{10}$")
        ax.set_title(_title(found))
    return ax


def box_counts(found: BoxCounting, *, ax: "Axes | None" = None) -> "Axes":
    """Draw box counts over the sizes of the boxes, with the line whose slope is the dimension.

    Parameters
    ----------
    found : BoxCounting
        From :func:`fastgd.box_counting`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        With two lines: the counts, and the fit.

    Raises
    ------
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``).

    Examples
    --------
    >>> import fastgd, fastgd.plots
    >>> import numpy as np
    >>> ax = fastgd.plots.box_counts(fastgd.box_counting(np.eye(64, dtype=bool)))
    >>> [line.get_label() for line in ax.lines]
    ['boxes', 'fit: dimension 1.000 $\\\\pm$ 0.000']
    """
    with styled() as plt:
        ax = axes(ax, plt, figsize=(5.6, 4.2))
        ax.loglog(found.sizes, found.counts, "o", base=2, color=COLOURS[0], label="boxes")
        fit = f"fit: dimension {found.dimension:.3f} $\\pm$ {found.standard_error:.3f}"
        ax.loglog(found.sizes, found.fitted(found.sizes), base=2, color=COLOURS[1], label=fit)
        ax.set_xlabel("side of a box [pixels]")
        ax.set_ylabel("boxes that touch the boundary")
        ax.set_title(f"Box counting, $R^2$ = {found.r_squared:.4f}")
        ax.legend()
    return ax


def _title(found: Trainability) -> str:
    settings = found.settings
    batch = f"batches of {settings.batch_size}" if settings.batch_size else "full batch"
    return (
        f"{settings.resolution} x {settings.resolution} trainings, "
        f"{settings.iterations:,} iterations each\n"
        f"{settings.width}-{settings.width}-1, {settings.activation}, {batch}, "
        f"seed {settings.seed}: {found.converged.mean():.1%} converged"
    )


def _ramp(colours: tuple[str, ...]) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("fast to slow", list(colours), N=_STEPS)


def _by_rank(values: NDArray[np.float64]) -> Any:
    """A norm that takes values to their share of the others that are not larger."""
    from matplotlib.colors import FuncNorm

    known, index = np.unique(values, return_index=False, return_counts=True)
    share = np.cumsum(index) / len(values)
    return FuncNorm(
        (lambda v: np.interp(v, known, share), lambda s: np.interp(s, share, known)),
        vmin=known[0], vmax=known[-1],
    )


def _bar(ax: "Axes", image: Any, label: str) -> None:
    """A colour bar whose ticks are quartiles."""
    quartiles = np.quantile(image.get_array().compressed(), np.linspace(0, 1, 5))
    bar = ax.figure.colorbar(image, ax=ax, label=label, aspect=30)
    bar.set_ticks(quartiles, labels=[f"{value:.3g}" for value in quartiles])
    bar.minorticks_off()
