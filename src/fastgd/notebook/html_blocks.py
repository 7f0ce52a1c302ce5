"""HTML of a title, tables and a plot; all names given by users are escaped.

Text keeps the colors of the page, so it adapts to dark themes; the plot has a white background.
"""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

SIDE_BY_SIDE = "display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start"

FIRST = "text-align:left;white-space:nowrap"

CARD = "background:white;border-radius:4px;max-width:100%"


class HtmlTable(NamedTuple):
    """Rows of strings, with or without column names."""

    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]


class ResultFacts(NamedTuple):
    """The summary of a result: a title, and tables below one another."""

    title: str
    tables: tuple[HtmlTable, ...]


class Thumbnail(NamedTuple):
    """A PNG image, its displayed size, and its alternative text."""

    png: bytes
    width: int
    height: int
    text: str


def block(facts: ResultFacts, picture: Thumbnail | None) -> str:
    """Return HTML with the tables and the plot side by side if there is room."""
    text = f"<strong>{escape(facts.title)}</strong>{''.join(map(_table, facts.tables))}"
    drawn = "" if picture is None else _image(picture)
    return f'<div style="{SIDE_BY_SIDE}"><div style="max-width:30em">{text}</div>{drawn}</div>'


def _table(table: HtmlTable) -> str:
    head = _row("th", table.names) if table.names else ""
    rows = "".join(_row("td", row) for row in table.rows)
    top = f"<thead>{head}</thead>" if head else ""
    return f"<table>{top}<tbody>{rows}</tbody></table>"


def _row(kind: str, cells: Sequence[str]) -> str:
    first, *others = (escape(cell) for cell in cells)
    rest = "".join(f"<{kind}>{cell}</{kind}>" for cell in others)
    return f'<tr><{kind} style="{FIRST}">{first}</{kind}>{rest}</tr>'


def _image(picture: Thumbnail) -> str:
    data = b64encode(picture.png).decode("ascii")
    return (
        f'<img alt="{escape(picture.text)}" width="{picture.width}" height="{picture.height}" '
        f'style="{CARD}" src="data:image/png;base64,{data}"/>'
    )
