"""Results outside of fastgd: HTML for notebooks, DataFrames of pandas, Datasets of xarray.

Each result describes itself; here is what all of them share. In a notebook a small table and a
small plot next to it are shown in place of the repr. Text that users have given is escaped; it
keeps the colors of the page, so it adapts to dark themes, and the plot has a white background. The
functions that draw are registered by `fastgd.plots`, which is loaded when a notebook asks for one.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import singledispatch
from html import escape
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import escaped, options_text, shown
from fastgd.checks.numbers import check_choice

if TYPE_CHECKING:
    import xarray

KINDS = ("pandas", "polars", "pyarrow")
"""What ``to_dataframe`` can make."""

BEST = 5
"""Runs of a sweep, or groups, with a row of their own."""

WIDTH, HEIGHT = 480, 300
"""Displayed pixels of a plot, 100 per inch."""


class ShownTable(NamedTuple):
    """Rows of strings, with or without column names."""

    rows: Sequence[Sequence[str]]
    names: Sequence[str] = ()


class Description(NamedTuple):
    """The summary of a result: a title, tables below one another, and what is drawn."""

    title: str
    tables: Sequence[ShownTable]
    drawn: Any
    """The result itself, or what :func:`thumbnail` can draw in place of it."""
    alt: str = ""
    """Alternative text for the plot, unless it is that of what is drawn."""


class GroupErrors(NamedTuple):
    """The errors of all groups, which are drawn in order."""

    errors: NDArray[np.float64]
    where: str
    """Of which rows: "training" or "test"."""
    target: str


class ShownInNotebooks:
    """A result that is a table and a plot in a notebook."""

    __slots__ = ()

    @abstractmethod
    def _described(self) -> Description:
        """Return the summary of this result."""

    def _repr_html_(self) -> str:
        return html(self)


def described(result: object) -> Description:
    """Return the summary of a result, for a notebook or a terminal."""
    if not isinstance(result, ShownInNotebooks):
        raise TypeError(f"a notebook has no table for {type(result).__name__}")
    return result._described()


@singledispatch
def thumbnail(result: object) -> tuple[bytes, str]:
    """Return a small plot as a PNG, and its alternative text."""
    raise TypeError(f"a notebook has no plot for {type(result).__name__}")


def html(result: object) -> str:
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
    title, tables, drawn, alt = described(result)
    text = f"<strong>{_escaped(title)}</strong>{''.join(map(_table, tables))}"
    image = ""
    if find_spec("matplotlib"):
        _ = sys.modules["fastgd"].plots  # registers them: the package itself imports its rooms
        png, found = thumbnail(drawn)
        image = (
            f'<img alt="{_escaped(alt or found)}" width="{WIDTH}" height="{HEIGHT}" '
            'style="background:white;border-radius:4px;max-width:100%" '
            f'src="data:image/png;base64,{b64encode(png).decode("ascii")}"/>'
        )
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">'
        f'<div style="max-width:30em">{text}</div>{image}</div>'
    )


def _table(table: ShownTable) -> str:
    head = f"<thead>{_row('th', table.names)}</thead>" if table.names else ""
    return f"<table>{head}<tbody>{''.join(_row('td', row) for row in table.rows)}</tbody></table>"


def _row(kind: str, cells: Sequence[str]) -> str:
    first, *others = map(_escaped, cells)
    rest = "".join(f"<{kind}>{cell}</{kind}>" for cell in others)
    return f'<tr><{kind} style="text-align:left;white-space:nowrap">{first}</{kind}>{rest}</tr>'


def _escaped(text: str) -> str:
    """Text for HTML, which can be encoded in UTF-8 whatever the user's names are."""
    return escape(escaped(text))


def option_rows(options: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a row of the options that differ from their defaults, if there are any."""
    return [("options", options_text(options, classes=True))] if options else []


def counted(status: Any) -> str:
    """Return how many runs ended in which way."""
    ended = Counter(np.ravel(status).tolist())
    return ", ".join(f"{count:,} {name}" for name, count in ended.most_common())


# ---------------------------------------------------------------- pandas and xarray


def pandas_or_xarray(name: str, caller: str = "") -> Any:
    """Import one of them for a method, by default that of its name; or say how to install it."""
    extra = {"xarray": "xarray"}.get(name, "dataframe")
    package = name if name in KINDS[1:] else f'"fastgd[{extra}]"'
    try:
        return import_module(name)
    except ImportError as error:
        caller = caller or f"to_{extra}()"
        raise ImportError(f"{caller} needs {name}: pip install {package}") from error


def dataframe(columns: Mapping[str, Any], kind: str = "pandas", caller: str = "") -> Any:
    """Make a table of columns, of one of the libraries in ``KINDS``."""
    library = pandas_or_xarray(check_choice("kind", kind, KINDS), caller)
    if kind == "pandas":
        return library.DataFrame(dict(columns))
    cells = {name: _plain(own) for name, own in columns.items()}
    return (library.table if kind == "pyarrow" else library.DataFrame)(cells)


def _plain(column: NDArray[Any] | list[Any]) -> list[Any]:
    """Numbers or strings, as they are; cells of other types, or of several, as strings."""
    cells = column.tolist() if isinstance(column, np.ndarray) else column
    kinds = set(map(type, cells)) - {type(None)}
    if len(kinds) <= 1 and kinds <= {int, float, bool, str}:
        return cells
    as_one: Any = float if kinds <= {int, float} else str
    return [cell if cell is None else as_one(cell) for cell in cells]


def dataset(
    coordinates: Mapping[str, Any], variables: Mapping[str, Any], facts: Mapping[str, Any]
) -> xarray.Dataset:
    """Make a Dataset of arrays with named axes, and attributes; arrays that are None are left out.

    ``variables`` are pairs: the names of the axes, and the array. The attributes are strings, which
    every file format of xarray can hold.
    """
    known = {name: array for name, array in variables.items() if array[1] is not None}
    texts = {name: fact if isinstance(fact, str) else shown(fact) for name, fact in facts.items()}
    found: xarray.Dataset = pandas_or_xarray("xarray").Dataset(known, dict(coordinates), texts)
    return found
