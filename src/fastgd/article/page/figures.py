"""Figures of the page, each with the code that made it."""

import ast
import json
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import getsource
from textwrap import dedent, fill
from typing import Any

import numpy as np

from fastgd.article.page import sections as calls
from fastgd.article.page.markup import Markup, element
from fastgd.plots.style import encode, pyplot, styled

PIXELS = 96
"""CSS pixels per inch."""

LETTERS = 9
"""Characters of a title per inch of the figure, with room for what is left of the axes."""

TYPES = {"svg": "image/svg+xml", "png": "image/png"}


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page.

    Attributes
    ----------
    draw : callable
        Draws it and returns the axes; its body is the code that the page shows.
    caption : str
        What the figure shows.
    alt : str
        A description for readers who can't see it.
    size : (float, float)
        Width and height in inches: with 5 inches the text is large enough on a phone.
    kind : {"svg", "png"}
        PNG if the figure consists of many small parts.
    """

    draw: Callable[[], Any]
    caption: str
    alt: str
    size: tuple[float, float] = (5.0, 3.6)
    kind: str = "svg"

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
            above += [f"X = {calls.X}", f"y = {calls.y}"]
        code = "\n".join([*above, *lines[first:]])
        for name, value in draw.keywords.items():
            code = re.sub(rf"\b{name}\b", json.dumps(value), code)
        return code

    def image(self, axes: Any = None) -> bytes:
        """Return the bytes of these axes' figure, by default of the one that ``draw`` draws."""
        if axes is None:
            with styled():
                axes = self.draw()
        figure = np.ravel(axes)[0].figure
        figure.set_size_inches(*self.size)
        for one in figure.axes:
            one.set_xlabel(_wrapped(one.get_xlabel(), self.size[0]))
            for place in ("left", "center"):
                if title := one.get_title(place):
                    one.set_title(_wrapped(title, self.size[0]), loc=place)
        try:
            return encode(figure, self.kind)
        finally:
            pyplot().close(figure)

    def markup(self) -> Markup:
        """Return the figure with its caption, and the code below."""
        data = b64encode(self.image()).decode("ascii")
        width, height = (str(round(PIXELS * inches)) for inches in self.size)
        image = element(
            "img",
            src=f"data:{TYPES[self.kind]};base64,{data}",
            alt=self.alt,
            width=width,
            height=height,
            loading="lazy",  # all at once take half a second that the live parts would wait for
        )
        return element(
            "figure",
            image,
            element("figcaption", self.caption),
            show_code(self.code(), f"The code that made it: {self.caption}"),
        )


def _wrapped(title: str, width: float) -> str:
    """Break the lines of a title to fit a figure of this width in inches."""
    return "\n\n".join(fill(part, round(LETTERS * width)) for part in title.split("\n\n"))


def show_code(code: str, name: str) -> Markup:
    """Return Python code in a box that can be scrolled on narrow pages."""
    return element("pre", element("code", code), tabindex="0", role="region", aria_label=name)
