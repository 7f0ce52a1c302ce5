"""What all commands share: rich's console, spinner and tables; the job they return, timed."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

from fastgd.checks.messages import TrainingWarning, escaped, seconds_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Rows = list[tuple[Any, ...]]


def open_console(*, markup: bool = False) -> "Console":
    """The console on stdout; with ``markup`` all text is ours, and may be marked up.

    Whatever text is printed, also in a table, none of its characters steers the terminal.
    """
    from rich.console import Console

    class Harmless(Console):
        def render_str(self, text: str, **options: Any) -> "Text":
            return super().render_str("\n".join(map(escaped, text.split("\n"))), **options)

    return Harmless(highlight=False, emoji=False, markup=markup)


def print_plain(console: "Console", text: str, style: str | None = None) -> None:
    """Print a line that contains foreign text, such as names or paths, without wrapping it."""
    console.print(escaped(text), style=style)


@contextmanager
def spinner() -> Iterator[None]:
    """A spinner, on terminals only: the first use on a machine compiles the kernel."""
    from rich.console import Console

    console = Console(stderr=True)
    loading = "Loading the kernel (its first use compiles it: some seconds)"
    with console.status(loading, spinner="line" if console.options.ascii_only else "dots"):
        yield


def new_table(*headings: str) -> "Table":
    """A table with columns aligned as the first character of each heading says.

    That is < or >, or ~ for a column on the left whose cells are broken where space is short.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading[0] == ">" else "left"
        table.add_column(heading[1:], justify=justify, no_wrap=heading[0] != "~")
    return table


def fits(console: "Console", headings: list[str], rows: Rows) -> bool:
    """Whether a table with these cells is narrow enough."""
    # Rich never measures more than there is room for: give it plenty.
    options = console.options.update(width=1000)
    return _filled(headings, rows).__rich_measure__(console, options).maximum <= console.width


def print_table(console: "Console", headings: list[str], rows: Rows) -> None:
    """Print a table and a blank line."""
    console.print(_filled(headings, rows), "")


def _filled(headings: list[str], rows: Rows) -> "Table":
    from rich.text import Text

    table = new_table(*headings)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else escaped(cell) for cell in row))
    return table


# ---------------------------------------------------------------- jobs

T = TypeVar("T")

Job = Callable[[], None]
"""The work that is left when all options have been checked."""


class Timed(NamedTuple, Generic[T]):
    """A result, the seconds it took, and the seconds of compiling before it."""

    result: T
    seconds: float
    loading: float  # 0 if nothing came before

    def text(self, done: str) -> str:
        """The time it took, as a sentence that begins with what was done."""
        if not self.loading:
            return f"{done} in {seconds_text(self.seconds)}."
        return (
            f"{done} in {seconds_text(self.seconds)}, "
            f"after {seconds_text(self.loading)} to load or compile the kernel."
        )


def timed(warm_up: Callable[[], object] | None, work: Callable[[], T]) -> Timed[T]:
    """Time the work; before it, load or compile the kernel under a spinner.

    A warm-up is the same work with one iteration: it also meets whatever is wrong with the
    arguments before hours of work.
    """
    begin = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # the command says so in its own words
        if warm_up is not None:
            with spinner():
                warm_up()
        ready = perf_counter()
        result = work()
    loading = 0.0 if warm_up is None else ready - begin
    return Timed(result, perf_counter() - ready, loading)
