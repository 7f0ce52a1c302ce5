"""HTML for notebooks in place of a result's repr: a small table and a small plot.

All names given by users are escaped. Text keeps the colors of the page, so it adapts to dark
themes; the plot has a white background.
"""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import Any

from fastgd.checks.messages import escaped
from fastgd.notebook.result_rows import HtmlTable, facts_of
from fastgd.notebook.thumbnails import HEIGHT, WIDTH, Thumbnail, plot_of

__all__ = ["html"]

SIDE_BY_SIDE = "display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start"

FIRST = "text-align:left;white-space:nowrap"

CARD = "background:white;border-radius:4px;max-width:100%"


def html(result: Any) -> str:
    """Return a summary table of a result, and a plot next to it if matplotlib is installed.

    Parameters
    ----------
    result : Run, Sweep, Surface, Race, Trainability, Model or GroupModels

    Examples
    --------
    >>> import fastgd
    >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=10)
    >>> "2-4-1 network" in html(run)
    True
    """
    facts, plot = facts_of(result), plot_of(result)
    text = f"<strong>{_escaped(facts.title)}</strong>{''.join(map(_table, facts.tables))}"
    drawn = "" if plot is None else _image(plot)
    return f'<div style="{SIDE_BY_SIDE}"><div style="max-width:30em">{text}</div>{drawn}</div>'


def _table(table: HtmlTable) -> str:
    head = _row("th", table.names) if table.names else ""
    rows = "".join(_row("td", row) for row in table.rows)
    top = f"<thead>{head}</thead>" if head else ""
    return f"<table>{top}<tbody>{rows}</tbody></table>"


def _row(kind: str, cells: Sequence[str]) -> str:
    first, *others = map(_escaped, cells)
    rest = "".join(f"<{kind}>{cell}</{kind}>" for cell in others)
    return f'<tr><{kind} style="{FIRST}">{first}</{kind}>{rest}</tr>'


def _escaped(text: str) -> str:
    """Text for HTML, which can be encoded in UTF-8 whatever the user's names are."""
    return escape(escaped(text))


def _image(plot: Thumbnail) -> str:
    data = b64encode(plot.png).decode("ascii")
    return (
        f'<img alt="{_escaped(plot.text)}" width="{WIDTH}" height="{HEIGHT}" '
        f'style="{CARD}" src="data:image/png;base64,{data}"/>'
    )
