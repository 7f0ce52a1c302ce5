"""What all commands print with: streams, rich's console and tables; how long their work takes.

Streams may be full, closed or ASCII only, and text may contain anything.
"""

import codecs
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeVar

from fastgd.checks.messages import TrainingWarning, escaped, seconds_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_LONG = re.compile(r"(?<![^\s(])'[^']{200,}'|\([^()]{200,}\)|(?<!\S)[^\s/]{200,}")
"""What was typed, if it is long and no path, which one may want to copy."""

_IN_ASCII = {"±": "+-", "²": "^2", "…": "..."}


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """A substitute for a character that a stream can't encode."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(c) or ascii(c)[1:-1] for c in characters), error.end


codecs.register_error("fastgd", _replaced)


def open_streams() -> None:
    """Let stdout and stderr write something for each character, whatever their encoding."""
    for stream in (sys.stdout, sys.stderr):
        if (getattr(stream, "encoding", None) or "utf").lower().replace("-", "") != "utf8":
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="fastgd")


def complain(message: str) -> None:
    """Print one line to stderr, if there is one."""
    line = _LONG.sub(lambda typed: f"{typed[0][:28]}...{typed[0][-29:]}", " ".join(message.split()))
    if sys.stderr is not None:
        try:
            print("fastgd:", escaped(line), file=sys.stderr, flush=True)
        except OSError:
            give_up(sys.stderr)


@contextmanager
def warning_in_lines() -> Iterator[None]:
    """Print warnings as one line, without a line of source code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: complain(f"warning: {message}")
        yield


@contextmanager
def saying_how_to_resume(kept: Callable[[], str]) -> Iterator[None]:
    """After Ctrl-C, print what is kept, if anything: the same command resumes from there."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if what := kept():
            stop.args = (f"{what}; the same command resumes from there",)
        raise


def give_up(stream: TextIO) -> None:
    """Discard output that is still buffered: Python would complain about it at exit."""
    with suppress(OSError, ValueError):  # a stream of tests may have no number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


# ---------------------------------------------------------------- rich's console

T = TypeVar("T")


def open_console(*, markup: bool = False) -> "Console":
    """The console on stdout, where no character of a text steers the terminal, also in a table."""
    from rich.console import Console

    class Harmless(Console):
        def render_str(self, text: str, **options: Any) -> "Text":
            return super().render_str("\n".join(map(escaped, text.split("\n"))), **options)

    return Harmless(highlight=False, emoji=False, markup=markup)


def print_rich(*parts: Any, markup: bool = False, style: str | None = None) -> None:
    """Print text and tables; with ``markup`` all text is ours, and may be marked up."""
    open_console(markup=markup).print(*parts, style=style)


def print_plain(text: str, style: str | None = None) -> None:
    """Print a line that contains foreign text, such as names or paths, without wrapping it."""
    print_rich(escaped(text), style=style)


def new_table(headings: Iterable[str], rows: Iterable[tuple[Any, ...]] = ()) -> "Table":
    """A table with columns aligned as the first character of each heading says.

    That is < or >, or ~ for a column on the left whose cells are broken where space is short.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading[0] == ">" else "left"
        is_broken = heading[0] == "~"
        overflow: Literal["fold", "ellipsis"] = "fold" if is_broken else "ellipsis"
        table.add_column(heading[1:], justify=justify, no_wrap=not is_broken, overflow=overflow)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else escaped(cell) for cell in row))
    return table


def fits(headings: list[str], rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether a table with these cells is narrow enough."""
    # Rich never measures more than there is room for: give it plenty.
    console = open_console()
    options = console.options.update(width=1000)
    table = new_table(headings, rows)
    return table.__rich_measure__(console, options).maximum <= console.width


def print_table(headings: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Print a table and a blank line."""
    print_rich(new_table(headings, rows), "")


# ---------------------------------------------------------------- time


@contextmanager
def spinner() -> Iterator[None]:
    """A spinner, on terminals only: the first use on a machine compiles the kernel."""
    from rich.console import Console

    console = Console(stderr=True)
    loading = "Loading the kernel (its first use compiles it: some seconds)"
    with console.status(loading, spinner="line" if console.options.ascii_only else "dots"):
        yield


def timed(warm_up: Callable[[], object] | None, work: Callable[[], T]) -> tuple[T, float, float]:
    """Return the result of the work, and the seconds of it and of the warm-up before it.

    A warm-up is the same work with one iteration: it loads or compiles the kernel, under a spinner,
    and meets whatever is wrong with the arguments before hours of work.
    """
    begin = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # the command says so in its own words
        if warm_up is not None:
            with spinner():
                warm_up()
        ready = perf_counter()
        result = work()
    return result, perf_counter() - ready, 0.0 if warm_up is None else ready - begin


def time_text(done: str, seconds: float, loading: float) -> str:
    """The time that the work took, as a sentence that begins with what was done."""
    after = f", after {seconds_text(loading)} to load or compile the kernel" if loading else ""
    return f"{done} in {seconds_text(seconds)}{after}."
