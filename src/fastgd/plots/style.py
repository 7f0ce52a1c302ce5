"""Shared by all plots: colors, axes, and writing figures to files."""

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

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which color-blind readers can tell apart (jfly.uni-koeln.de/color, 2008)."""

SEQUENTIAL = "cividis"
"""Nuñez, Anderton and Renslow, PLOS ONE 13(7), 2018: the same to most color-blind readers."""

ORDERED, ORDERED_TO = "viridis", 0.88
"""Colormap of ordered lines, and its used part: the brightest colors are hard to see on white."""

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
    "svg.hashsalt": "fastgd",  # equal figures become equal files
}


def pyplot() -> Any:
    """Return matplotlib's pyplot, or raise with what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "fastgd[plot]"') from error
    return plt


@contextmanager
def styled() -> Iterator[Any]:
    """Yield pyplot, with this project's style inside the block."""
    plt = pyplot()
    with plt.rc_context(_RC | {"axes.prop_cycle": plt.cycler(color=COLORS)}):
        yield plt


def axes(ax: "Axes | None", plt: Any, **options: Any) -> "Axes":
    """Return ``ax``, or the axes of a new figure; call it inside :func:`styled`."""
    if ax is not None:
        return check_axes("ax", ax)
    _, made = plt.subplots(layout="constrained", **options)
    result: Axes = made
    return result


def check_axes(name: str, value: object) -> "Axes":
    """Return the value if it is a matplotlib Axes.

    Raises
    ------
    TypeError
        If it isn't.
    """
    from matplotlib.axes import Axes

    if not isinstance(value, Axes):
        raise TypeError(f"{name} must be a matplotlib Axes, got {shown(value)}")
    return value


def check_ending(path: Path, endings: tuple[str, ...] = ENDINGS) -> None:
    """Raise if a file's suffix is not one of the supported formats.

    Raises
    ------
    ValueError
        If the suffix is not one of ``endings``.
    """
    if path.suffix.lower() not in endings:
        raise ValueError(f"a plot's file must end in {', '.join(endings)}, got {str(path)!r}")


def write(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure to a PNG, SVG or PDF file, by the file's suffix; atomically.

    Raises
    ------
    ValueError, TypeError
        If the suffix is another one, or ``figure`` isn't a figure.
    OSError
        If the file can't be written.
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
    """Return the bytes of a figure as "png", "svg" or "pdf"; they are reproducible."""
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    buffer = BytesIO()
    with pyplot().rc_context(_RC):
        figure.savefig(buffer, format=kind, metadata=dated[kind])
    return buffer.getvalue()
