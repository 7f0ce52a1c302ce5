"""What all pictures share: colours, axes, and how a picture becomes a file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgd.checks.messages import shown
from fastgd.checks.values import check_path
from fastgd.store.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which colour-blind readers can tell apart (jfly.uni-koeln.de/color, 2008)."""

SEQUENTIAL = "cividis"
"""Nuñez, Anderton and Renslow, PLOS ONE 13(7), 2018: the same to most colour-blind readers."""

ORDERED, ORDERED_TO = "viridis", 0.88
"""Colours of lines in an order, and how far they go: the brightest are hard to see on white."""

ENDINGS = (".png", ".svg", ".pdf")

_RC = {
    "figure.facecolor": "white",
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "legend.frameon": False,
    "image.cmap": SEQUENTIAL,
    "svg.hashsalt": "fastgd",  # the same picture is the same file
}


def pyplot() -> Any:
    """Matplotlib's pyplot, or what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('pictures need matplotlib: pip install "fastgd[plot]"') from error
    return plt


@contextmanager
def styled() -> Iterator[Any]:
    """Hand out pyplot, and draw in this project's style while the block lasts."""
    plt = pyplot()
    with plt.rc_context(_RC | {"axes.prop_cycle": plt.cycler(color=COLOURS)}):
        yield plt


def axes(ax: "Axes | None", plt: Any, **options: Any) -> "Axes":
    """``ax`` itself, or the axes of a new figure: call it inside :func:`styled`."""
    if ax is not None:
        return check_axes("ax", ax)
    _, made = plt.subplots(layout="constrained", **options)
    result: Axes = made
    return result


def check_axes(name: str, value: object) -> "Axes":
    """Return what is an Axes of matplotlib.

    Raises
    ------
    TypeError
        If it is none.
    """
    from matplotlib.axes import Axes

    if not isinstance(value, Axes):
        raise TypeError(f"{name} must be a matplotlib Axes, got {shown(value)}")
    return value


def check_ending(path: Path, endings: tuple[str, ...] = ENDINGS) -> None:
    """Refuse a file whose ending is no kind of picture.

    Raises
    ------
    ValueError
        If the ending is not one of ``endings``.
    """
    if path.suffix.lower() not in endings:
        raise ValueError(f"a picture's file must end in {', '.join(endings)}, got {str(path)!r}")


def write(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure to a PNG, SVG or PDF file, by the file's ending; whole or not at all.

    Raises
    ------
    ValueError, TypeError
        If the ending is another one, or it is no figure.
    OSError
        If the file cannot be written.
    """
    path = check_path("path", path)
    check_ending(path)
    pyplot()
    from matplotlib.figure import Figure

    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure, got {shown(figure)}")
    content = encode(figure, path.suffix.lower()[1:])
    with whole_file(path) as file:
        file.write(content)


def encode(figure: "Figure", kind: str) -> bytes:
    """The bytes of a figure's file, of the kind "png", "svg" or "pdf": the same each time."""
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    buffer = BytesIO()
    with pyplot().rc_context(_RC):
        figure.savefig(buffer, format=kind, metadata=dated[kind])
    return buffer.getvalue()
