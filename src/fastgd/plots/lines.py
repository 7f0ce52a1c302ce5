"""Lines that readers can tell apart: their colours, their scales, their legend."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastgd.plots.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = ("-", "--")

MOST = len(COLOURS) * len(STYLES)
"""Lines in a picture at most."""

WIDE = 10
"""Numbers whose largest is so many times the smallest one need a scale of powers of ten."""


def look(i: int) -> dict[str, Any]:
    """The colour and the dashes of line i."""
    return {
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": STYLES[i // len(COLOURS)],
    }


def check_lines(count: int, of: str) -> None:
    """Refuse more lines than can be told apart.

    Raises
    ------
    ValueError
        If there are more than `MOST`.
    """
    if count > MOST:
        raise ValueError(f"{of} has {count} settings, and at most {MOST} lines can be told apart")


def scale_errors(ax: "Axes", values: ArrayLike) -> None:
    """A logarithmic scale for errors, if they are above 0 and far apart."""
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) and numbers.min() > 0 and numbers.max() >= WIDE * numbers.min():
        ax.set_yscale("log")


def label_iterations(ax: "Axes") -> None:
    """The iterations below, from the first one on."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel("iteration")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))  # more would run into one another
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.margins(x=0.02)


def legend(ax: "Axes", **options: Any) -> None:
    """A legend on the right of the picture, where it hides no line."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, **options)
