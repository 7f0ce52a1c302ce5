"""Shared by all plots: colors, axes, and writing figures to files."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import SHORT, escaped, shown
from fastgd.checks.numbers import check_path
from fastgd.store.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    Panels = Sequence[Axes] | NDArray[Any]
else:  # matplotlib is optional, and imported when something is drawn
    Axes = Panels = Any

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which color-blind readers can tell apart (jfly.uni-koeln.de/color, 2008)."""

SEQUENTIAL = "cividis"
"""Nuñez, Anderton and Renslow, PLOS ONE 13(7), 2018: the same to most color-blind readers."""

ORDERED, ORDERED_TO = "viridis", 0.88
"""Colormap of ordered lines, and its used part: the brightest colors are hard to see on white."""

ENDINGS, FILM = (".png", ".svg", ".pdf"), ".gif"

DOTS_PER_INCH = 80
"""Of an animation."""

FRAMES_PER_SECOND = 10

REST = 10
"""Extra frames of the final state."""

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
    "text.usetex": False,  # labels are no TeX: most have an underscore or a percent sign
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


@contextmanager
def axes(
    ax: "Axes | None", *, formulas: bool = False, closes: bool = False, **options: Any
) -> "Iterator[Axes]":
    """Yield ``ax``, or the axes of a new figure, in this project's style.

    A text with a $ becomes a formula only with ``formulas``: then no name of a user is drawn. A new
    figure that ``closes`` is only for what is written inside the block.
    """
    with styled() as plt, ExitStack() as stack:
        if ax is None:
            figure, ax = plt.subplots(layout="constrained", **options)
            if closes:
                stack.callback(plt.close, figure)
        ax = _check_axes("ax", ax)
        with literal([] if formulas else [ax]):
            yield ax


@contextmanager
def panels(
    ax: "Panels | None", count: int, *, across: bool = False, **options: Any
) -> Iterator[NDArray[Any]]:
    """Yield the given axes, or ``count`` axes of a new figure, in this project's style.

    New ones are one above the other or, with ``across``, side by side.
    """
    with styled() as plt:
        if ax is None:
            shape = (1, count) if across else (count, 1)
            _, ax = plt.subplots(*shape, squeeze=False, layout="constrained", **options)
        several = ax.ravel() if isinstance(ax, np.ndarray) else ax
        if not isinstance(several, (list, tuple, np.ndarray)):
            raise TypeError(f"ax must be {count} axes, got {shown(ax)}")
        if len(several) != count:
            raise ValueError(f"ax must be {count} axes, got {len(several)}")
        found = np.empty(count, dtype=object)
        found[:] = [_check_axes(f"ax[{k}]", one) for k, one in enumerate(several)]
        with literal(found):
            yield found


@contextmanager
def literal(drawn: "Iterable[Axes]") -> Iterator[None]:
    """Make the texts that are drawn on these axes inside the block no formulas, whatever they are.

    Their text stays as it is: escaped dollars would be broken by the breaks of long titles.
    """
    before = {text: string for ax in drawn for text, string in _formulas(ax)}
    yield
    for text, string in (each for ax in drawn for each in _formulas(ax)):
        if before.get(text) != string:
            text.set_parse_math(False)


def _formulas(ax: "Axes") -> "Iterator[tuple[Text, str]]":
    """Yield the texts that may be formulas, but not the numbers of an axis, which often are."""
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter

    for artist in ax.get_children():
        texts: list[Any] = []
        if isinstance(artist, Axis) and not isinstance(artist.get_major_formatter(), FuncFormatter):
            texts = [artist.label]
        elif not isinstance(artist, Axes):
            texts = artist.findobj(Text)
        for text in texts:
            if "$" in text.get_text():
                yield text, text.get_text()


def user_text(name: object, most: int = SHORT) -> str:
    r"""Return a name that a user gave, such as that of a class, as a text that can be drawn.

    Examples
    --------
    >>> user_text("$0k-$30k"), user_text("a\nb"), user_text("How satisfied are you with it?", 20)
    ('$0k-$30k', 'a\\nb', 'How sati...with it?')
    """
    text = escaped(name)  # long ones often differ at their end
    return text if len(text) <= most else f"{text[: most // 2 - 2]}...{text[1 - most // 2 :]}"


def legend_text(name: object, most: int = SHORT) -> str:
    """Return a user's name for a legend, which leaves out what begins with an underscore."""
    text = user_text(name, most)
    return f" {text}" if text.startswith("_") else text


def color_bar(ax: "Panels", values: Any, label: str) -> None:
    """Add a color bar of whole numbers to the right of some axes."""
    from matplotlib.ticker import MaxNLocator

    whole = MaxNLocator(6, integer=True)
    ax[0].figure.colorbar(values, ax=list(ax), label=label, pad=0.02, ticks=whole)


def _check_axes(name: str, value: object) -> "Axes":
    from matplotlib.axes import Axes

    if not isinstance(value, Axes):
        raise TypeError(f"{name} must be a matplotlib Axes, got {shown(value)}")
    return value


def check_ending(path: Path, endings: tuple[str, ...], what: str = "a plot's file") -> None:
    """Raise ValueError unless a file's suffix is one of these."""
    if path.suffix.lower() not in endings:
        raise ValueError(f"{what} must end in {', '.join(endings)}, got {str(path)!r}")


def write(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure to a PNG, SVG or PDF file, by the file's suffix; atomically.

    Characters that are not in matplotlib's ``font.family`` are drawn as boxes.

    Raises
    ------
    ValueError, TypeError
        If the suffix is another one, or ``figure`` isn't a figure.
    OSError
        If the file can't be written.
    """
    path = check_path("path", path)
    check_ending(path, ENDINGS)
    pyplot()
    from matplotlib.figure import Figure

    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure, got {shown(figure)}")
    content = encode(figure, path.suffix.lower()[1:])
    with whole_file(path) as file:
        file.write(content)


def encode(figure: "Figure", kind: str, **options: Any) -> bytes:
    """Return the bytes of a figure as "png", "svg" or "pdf"; they are reproducible."""
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    buffer = BytesIO()
    with pyplot().rc_context(_RC), warnings.catch_warnings():
        # A box says as much as these warnings, one for each character.
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")
        figure.savefig(buffer, format=kind, metadata=dated[kind], **options)
    return buffer.getvalue()


def write_film(
    ax: "Axes", path: Path, show: Callable[[Any], None], frames: Sequence[Any], moving: Any = ()
) -> None:
    """Open a file, draw each frame, and write an animation with a rest at its end.

    With artists in ``moving``, ``show`` changes only these, and only these are drawn anew.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure: Any = ax.figure.figure  # the whole one, also of a subfigure
    given, dpi, layout = figure.canvas, figure.dpi, figure.get_layout_engine()
    images = []
    with whole_file(path) as file:
        canvas: Any = FigureCanvasAgg(figure)  # untyped
        try:
            if moving:
                figure.set_dpi(DOTS_PER_INCH)
                show(frames[0])
                figure.draw_without_rendering()  # computes the layout, with all artists
                figure.set_layout_engine("none")
                for artist in moving:
                    artist.set_animated(True)  # excluded from canvas.draw()
                canvas.draw()
                rest = canvas.copy_from_bbox(figure.bbox)
            for frame in frames:
                show(frame)
                if moving:
                    canvas.restore_region(rest)
                    for artist in moving:
                        figure.draw_artist(artist)
                else:
                    canvas.draw()
                images.append(Image.fromarray(np.array(canvas.buffer_rgba())[..., :3]))
        finally:
            if moving:
                for artist in moving:
                    artist.set_animated(False)
                figure.set_layout_engine(layout)
                figure.set_dpi(dpi)
            figure.set_canvas(given)
        first, *others = [*images, *images[-1:] * REST]
        duration = 1000 // FRAMES_PER_SECOND
        first.save(file, "GIF", save_all=True, append_images=others, duration=duration, loop=0)
