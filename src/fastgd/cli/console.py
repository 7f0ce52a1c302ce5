"""Output to the terminal with rich: console, spinner, tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from fastgd.checks.messages import escaped

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
