"""Pictures inside the page, each with the call that made it."""

import ast
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from inspect import getsource
from textwrap import dedent, fill
from typing import Any

import numpy as np

from fastgd.article.page.markup import Markup, element
from fastgd.plots.style import encode, pyplot, styled

PIXELS = 96
"""CSS pixels in an inch."""

LETTERS = 9
"""Letters of a title in an inch of the picture, with room for what is left of the axes."""

TYPES = {"svg": "image/svg+xml", "png": "image/png"}


@dataclass(frozen=True)
class PageFigure:
    """A picture of the page.

    Attributes
    ----------
    draw : callable
        Draws it and returns the axes; its body is the call that the page shows.
    caption : str
        What is to be seen.
    alt : str
        The same for who cannot see it.
    size : (float, float)
        Width and height in inches: at 5 inches the letters are large enough on a phone.
    kind : {"svg", "png"}
        PNG where the picture is made of many small parts.
    """

    draw: Callable[[], Any]
    caption: str
    alt: str
    size: tuple[float, float] = (5.0, 3.6)
    kind: str = "svg"

    def code(self) -> str:
        """The call: what stands in ``draw`` below its docstring, without the return."""
        source = dedent(getsource(self.draw))
        function = ast.parse(source).body[0]
        assert isinstance(function, ast.FunctionDef)
        *_, last = function.body
        assert isinstance(last, ast.Return)
        lines = source.splitlines()
        first = function.body[1].lineno - 1
        lines[last.lineno - 1] = lines[last.lineno - 1].replace("return ", "", 1)
        return dedent("\n".join(lines[first:]))

    def image(self, axes: Any = None) -> bytes:
        """Return the file of these axes' figure, by default of the one that ``draw`` draws."""
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
        """The figure with its caption, and the call below."""
        data = b64encode(self.image()).decode("ascii")
        width, height = (str(round(PIXELS * inches)) for inches in self.size)
        image = element(
            "img",
            src=f"data:{TYPES[self.kind]};base64,{data}",
            alt=self.alt,
            width=width,
            height=height,
        )
        return element(
            "figure",
            image,
            element("figcaption", self.caption),
            show_code(self.code(), f"The call that made it: {self.caption}"),
        )


def _wrapped(title: str, width: float) -> str:
    """Break the lines of a text where they leave a picture of so many inches."""
    return "\n\n".join(fill(part, round(LETTERS * width)) for part in title.split("\n\n"))


def show_code(code: str, name: str) -> Markup:
    """Return Python in a box that scrolls where the page is narrow."""
    return element("pre", element("code", code), tabindex="0", role="region", aria_label=name)
