"""Lines that readers can tell apart: their colours, their scales, their legend."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from fastgd.plots.style import COLOURS, ORDERED, ORDERED_TO

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ERROR = "mean |y \N{MINUS SIGN} output|"
"""What an error is, on the axis of it."""

STYLES = ("-", "-.")

HELD_OUT: tuple[Literal["--"], Literal[":"]] = ("--", ":")
"""The dashes of held-out errors, beside a line of each style."""

MOST = len(COLOURS) * len(STYLES)
"""Lines in a picture at most."""

WIDE = 10
"""Numbers whose largest is so many times the smallest one need a scale of powers of ten."""

FAR = 100
"""An error so many times the first one has left the picture: some diverge to 10^164 and beyond."""

FEW = 20
"""A line of no more points than this shows each of them."""

LABELLED = -3.2
"""How far below an axis its label ends, in letters' heights."""

Settings = Sequence[Mapping[str, Any]]


def looks(settings: Settings) -> list[dict[str, Any]]:
    """The colours and dashes of lines, one for each setting; neighbours differ in width, too.

    Settings that differ by one number only have colours in its order. Lines are drawn over one
    another: the later ones are thinner, so that one below the other is still seen.
    """
    count = len(settings)
    widths = np.linspace(2.6, 1.3, count) if count > 1 else [1.6]
    found = _ordered(settings)
    if found is None:
        found = [
            {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i // len(COLOURS)]}
            for i in range(count)
        ]
    return [look | {"linewidth": width} for look, width in zip(found, widths, strict=True)]


def _ordered(settings: Settings) -> list[dict[str, Any]] | None:
    """Colours in the order of the one number that the settings differ by, if there is one."""
    values = [list(setting.values()) for setting in settings]
    numbers = [
        value[0]
        for value in values
        if len(value) == 1 and isinstance(value[0], (int, float)) and not isinstance(value[0], bool)
    ]
    if len(numbers) != len(settings) or len(numbers) < 2:
        return None
    from matplotlib import colormaps

    ranks = np.argsort(np.argsort(numbers))
    colours = colormaps[ORDERED](ORDERED_TO * ranks / (len(numbers) - 1))
    return [{"color": tuple(colour), "linestyle": STYLES[0]} for colour in colours]


def held_out(look: Mapping[str, Any]) -> dict[str, Any]:
    """The same colour, dashed and thinner: dashes are heavy."""
    style = HELD_OUT[STYLES.index(look["linestyle"])]
    return {**look, "linestyle": style, "linewidth": 0.7 * look["linewidth"]}


def marker(points: int) -> dict[str, Any]:
    """Marks for the points of a line, if they are few."""
    return {"marker": "o", "markersize": 3.5} if points <= FEW else {}


def check_lines(count: int, of: str) -> None:
    """Refuse more lines than can be told apart.

    Raises
    ------
    ValueError
        If there are more than `MOST`.
    """
    if count > MOST:
        raise ValueError(f"{of} has {count} settings, and at most {MOST} lines can be told apart")


def scale_errors(ax: "Axes", values: ArrayLike, first: ArrayLike) -> None:
    """A logarithmic scale for errors, if they are above 0 and far apart.

    What is `FAR` above the first errors, those before any update, leaves the picture at its top.
    """
    numbers, start = np.ravel(values), np.ravel(first)
    numbers = numbers[np.isfinite(numbers)]
    top = FAR * start[np.isfinite(start)].max(initial=0.0)
    seen = numbers[numbers <= top] if top > 0 else numbers
    if len(numbers) and numbers.min() > 0 and numbers.max() >= WIDE * numbers.min():
        ax.set_yscale("log")
        if 0 < len(seen) < len(numbers):
            ax.set_ylim(seen.min() / 1.5, top)


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


def below(ax: "Axes") -> dict[str, Any]:
    """Where a legend is under the label of the x axis, however high the picture is."""
    from matplotlib import rcParams
    from matplotlib.transforms import offset_copy

    figure: Any = ax.figure
    away = offset_copy(ax.transAxes, figure, y=LABELLED * rcParams["font.size"], units="points")
    return {"bbox_to_anchor": (0, 0), "bbox_transform": away}
