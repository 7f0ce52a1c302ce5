"""HTML from strings, tables and figures: all text is escaped, and every element is closed."""

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import escape
from inspect import getsource
from textwrap import dedent, fill
from typing import Any

import numpy as np

from fastgd.article.comparison import Mark
from fastgd.article.page.drawings import drawing
from fastgd.article.tables import ArticleTable, Cell, Marked, NumbersCell
from fastgd.plots.style import pyplot, styled


class Markup(str):
    """HTML that must not be escaped again."""

    __slots__ = ()


def element(name: str, *content: str, **attributes: str) -> Markup:
    """Return an element; in an attribute's name a final "_" is dropped, and others become "-".

    Examples
    --------
    >>> element("p", "1 < 2, ", element("b", "yes"), class_="note")
    '<p class="note">1 &lt; 2, <b>yes</b></p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{given}>{join(content)}</{name}>")


def join(parts: "tuple[str, ...] | list[Markup]") -> Markup:
    """Concatenate markup, and escape plain text in it."""
    return Markup(
        "".join(part if isinstance(part, Markup) else escape(part, quote=False) for part in parts)
    )


# ---------------------------------------------------------------- tables

WIDEST = 30
"""Most characters of numbers in a line: two such cells and the rest of a row fill the page."""

CLASSES = {Mark.AGREES: "agrees", Mark.WITHIN: "within", Mark.DIFFERS: "differs"}


def show_table(table: ArticleTable) -> Markup:
    """Return a table in a box that can be scrolled on narrow pages, and its notes."""
    sides = ["left" if heading[0] == "<" else "right" for heading in table.headings]
    left, *others = sides
    headings = [
        element("th", heading[1:], scope="col", class_=side)
        for heading, side in zip(table.headings, sides, strict=True)
    ]
    groups = []
    for rows in table.groups:
        lines: list[Markup] = []
        for row in rows:
            first, *cells = map(_cell, row)
            body = [element("td", c, class_=side) for c, side in zip(cells, others, strict=True)]
            if not lines:  # the first row has the heading of the group
                scope = {"scope": "row"}
                if len(rows) > 1:
                    scope = {"scope": "rowgroup", "rowspan": str(len(rows))}
                body.insert(0, element("th", first, class_=left, **scope))
            lines.append(element("tr", *body))
        groups.append(element("tbody", *lines))
    title, head = element("caption", element("span", table.caption)), element("tr", *headings)
    whole = element("table", title, element("thead", head), *groups)
    # A box that scrolls must be reachable by keyboard, and then it needs a label.
    box = element(
        "div", whole, class_="scroll", tabindex="0", role="group", aria_label=table.caption
    )
    return join([box, *(element("p", note, class_="note") for note in table.notes)])


def _cell(cell: Cell) -> str:
    if isinstance(cell, NumbersCell):
        letters = 1 + max(map(len, cell.strings))
        each = len(cell.strings) if letters * len(cell.strings) <= WIDEST else WIDEST // letters
        lines = (cell.strings[i : i + each] for i in range(0, len(cell.strings), each))
        return element("code", "\n".join(" ".join(line) for line in lines))
    if isinstance(cell, Marked):
        return element("span", cell.text, class_=CLASSES[cell.mark])
    return cell


# ---------------------------------------------------------------- figures

LETTERS = 9
"""Characters of a title per inch of the figure, with room for what is left of the axes."""


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page."""

    draw: Callable[[], Any]  # returns the axes; its body is the code that the page shows
    caption: str
    alt: str  # a description for readers who can't see it
    size: tuple[float, float] = (5.0, 3.6)  # in inches: 5 are wide enough on a phone

    def code(self) -> str:
        """Return the code: imports, data, and the body of ``draw`` without ``return``."""
        draw = self.draw if isinstance(self.draw, partial) else partial(self.draw)
        source, names = dedent(getsource(draw.func)), draw.func.__code__
        function = ast.parse(source).body[0]
        assert isinstance(function, ast.FunctionDef)
        _docstring, *body = function.body
        lines = [line.removeprefix("    ") for line in source.splitlines()]
        lines[body[-1].lineno - 1] = lines[body[-1].lineno - 1].replace("return ", "", 1)
        first = next(one.lineno - 1 for one in body if not isinstance(one, ast.Import))
        above = lines[body[0].lineno - 1 : first]  # imports
        above += ["import fastgd"] * ("X" in (*names.co_names, *names.co_varnames))
        above += ["import fastgd.plots", ""]
        if "X" in names.co_names:
            known = draw.func.__globals__
            above += [f"X = {known['X']}", f"y = {known['y']}"]
        code = "\n".join([*above, *lines[first:]])
        for name, value in draw.keywords.items():
            code = re.sub(rf"\b{name}\b", json.dumps(value), code)
        return code

    @property
    def name(self) -> str:
        """By which its code is known: that of the function, and what it is called with."""
        draw = self.draw if isinstance(self.draw, partial) else partial(self.draw)
        return "-".join([draw.func.__name__.strip("_"), *map(str, draw.keywords.values())])

    def image(self, axes: Any = None) -> Markup:
        """Return the figure of these axes, by default of those that ``draw`` draws, as SVG."""
        if axes is None:
            with styled():
                axes = self.draw()
        figure = np.ravel(axes)[0].figure.figure
        figure.set_size_inches(*self.size)
        for one in figure.axes:
            one.set_xlabel(_wrapped(one.get_xlabel(), self.size[0]))
            for place in ("left", "center"):
                if title := one.get_title(place):
                    one.set_title(_wrapped(title, self.size[0]), loc=place)
        try:
            box, content = drawing(figure, self.name)
        finally:
            pyplot().close(figure)
        return Markup(
            f'<svg class="plot" viewBox="{box}" role="img" aria-label="{escape(self.alt)}">'
            f"{content}</svg>"
        )

    def markup(self) -> Markup:
        """Return the figure with its caption, and the code below."""
        return element(
            "figure",
            self.image(),
            element("figcaption", self.caption),
            show_code(self.code(), f"The code that made it: {self.caption}"),
        )


def _wrapped(title: str, width: float) -> str:
    """Break the lines of a title to fit a figure of this width in inches."""
    return "\n\n".join(fill(part, round(LETTERS * width)) for part in title.split("\n\n"))


def show_code(code: str, name: str) -> Markup:
    """Return Python code in a box that can be scrolled on narrow pages."""
    return element("pre", element("code", code), tabindex="0", role="region", aria_label=name)
