"""Figures of matplotlib as small SVG elements of the page, in its colors and its font.

A figure has a dark side, too: its colors are the style sheet's, by name. Text stays text. Only
artists with very many parts become pixels, on a transparent ground.
"""

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np

from fastgd.plots.style import COLORS, encode, pyplot

_MANY = 500
"""Most facets of a surface that are drawn as paths."""

_SHARP = 144
"""Dots per inch of what becomes pixels."""

_AS_IT_IS = "as-it-is"
"""Group of what stands on a colored cell, and keeps its own color."""

_LINK = "{http://www.w3.org/1999/xlink}href"

_FONT = "font-family"
"""The property that is left out: the font is the page's."""

_KEPT = ("x", "y", "width", "height", "transform", "d", "viewBox", "preserveAspectRatio")

_PATH = re.compile(r"([A-Za-z])([^A-Za-z]*)")

READABLE = 3.0
"""Least contrast of a line and the ground, as the Web Content Accessibility Guidelines ask."""

GROUNDS = {"light": "ffffff", "dark": "15181b"}
"""Of ``page.css``: its --paper."""


def drawing(figure: Any, name: str) -> tuple[str, str]:
    """Return a figure's SVG: its view box, and its elements. ``name`` makes its ids unique."""
    _prepare(figure)
    with pyplot().rc_context({"svg.fonttype": "none"}):
        root = ElementTree.fromstring(encode(figure, "svg", dpi=_SHARP, transparent=True))
    ids = set(re.findall(r"#([\w-]+)", ElementTree.tostring(root, "unicode")))
    return root.attrib["viewBox"], "".join(_Writer(name, ids).children(root))


def color_rules(markup: str) -> str:
    """Return the style of all colors of drawings that are not the style sheet's own."""
    used = sorted(set(re.findall(r"var\(--on-([0-9a-f]{6})\)", markup)))
    if not used:
        return ""
    light, dark = (
        " ".join(f"--on-{color}: #{_shade(color, ground)};" for color in used)
        for ground in GROUNDS.values()
    )
    return (
        f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) "
        f"{{ :root {{ {dark} }} }}\n"
    )


def _prepare(figure: Any) -> None:
    """Write numbers of logarithmic axes as the text does; mark what keeps its color or is dense."""
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    def number(x: float, _place: int) -> str:
        return np.format_float_positional(float(f"{x:.6g}"), trim="-")

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() in ("log", "symlog"):
                axis.set_major_formatter(FuncFormatter(number))
                axis.set_minor_formatter(FixedFormatter([]))
        for text in axes.texts:
            if axes.images and text.get_transform() == axes.transData:
                text.set_gid(_AS_IT_IS)
        for collection in axes.collections:
            if axes.name == "3d" and len(collection.get_facecolor()) > _MANY:
                collection.set_rasterized(True)


class _Writer:
    """Writes the elements of matplotlib's SVG without what has no effect here."""

    def __init__(self, name: str, ids: set[str]) -> None:
        self._name = name
        self._ids = ids
        self._styles: dict[str, dict[str, str]] = {}  # of markers, by their ids
        self._last = ""

    def children(self, parent: Any, *, keeps: bool = False) -> Iterator[str]:
        for child in parent:
            yield from self._element(child, keeps)

    def _element(self, given: Any, keeps: bool) -> Iterator[str]:
        tag = given.tag.rpartition("}")[2]
        if tag in ("metadata", "style"):
            return
        keeps = keeps or given.get("id", "").startswith(_AS_IT_IS)
        style = dict(
            part.strip().split(": ", 1) for part in given.get("style", "").split(";") if part
        )
        if tag == "path" and _is_invisible(style):
            return
        if tag == "use":
            marker = given.attrib[_LINK][1:]
            style = {k: v for k, v in style.items() if k not in self._styles.get(marker, {})}
        elif "id" in given.attrib:
            self._styles[given.attrib["id"]] = style
        attributes = self._attributes(given, tag) | _look(style, tag, keeps)
        content = "".join(self.children(given, keeps=keeps))
        if tag in ("text", "tspan"):
            content = _escaped(given.text or "") + content
        if not attributes and tag == "g":
            yield content
            return
        if tag in ("g", "text", "defs") and not content:
            return
        written = "".join(f' {key}="{value}"' for key, value in attributes.items())
        whole = f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"
        if tag != "use" or whole != self._last:  # many steps of a ball end at one place
            yield whole
        self._last = whole

    def _attributes(self, given: Any, tag: str) -> dict[str, str]:
        found = {name: given.attrib[name] for name in _KEPT if name in given.attrib}
        for name in ("x", "y", "width", "height") if tag != "tspan" else ():
            if name in found:
                found[name] = _rounded(float(found[name]))
        if "d" in found:
            # Shapes that are drawn at many places, such as markers, are small.
            found["d"] = _short_path(found["d"], 2 if "id" in given.attrib else 1)
        if (turn := found.get("transform", "")).startswith("rotate(-0 "):
            del found["transform"]
        elif turn:
            found["transform"] = re.sub(
                r"-?\d+\.\d+", lambda number: _rounded(float(number[0]), 3), turn
            )
        if given.get("id") in self._ids:
            found["id"] = f"{self._name}-{given.attrib['id']}"
        if clip := given.get("clip-path"):
            found["clip-path"] = clip.replace("#", f"#{self._name}-")
        if link := given.get(_LINK):
            found["href"] = "".join(link.split()).replace("#", f"#{self._name}-")
        return found


def _is_invisible(style: dict[str, str]) -> bool:
    has_fill = style.get("fill") != "none" and style.get("fill-opacity") != "0"
    return style.get("opacity") == "0" or not (has_fill or "stroke" in style)


def _look(style: dict[str, str], tag: str, keeps: bool) -> dict[str, str]:
    """Return the attributes of a style: black is inherited where it fills."""
    kept = {key: value.removesuffix("px") for key, value in style.items() if key != _FONT}
    for key in ("fill", "stroke"):
        if re.fullmatch("#[0-9a-f]{6}", kept.get(key, "")) and not keeps:
            kept[key] = _named(kept[key][1:])
    if tag == "text" and keeps:
        kept.setdefault("fill", "#000")
    unneeded = {"fill": "var(--ink)", "stroke-linejoin": "round", "stroke-dashoffset": "0"}
    return {key: value for key, value in kept.items() if unneeded.get(key) != value}


def _named(color: str) -> str:
    """Return the page's color for one of matplotlib's."""
    if f"#{color.upper()}" in COLORS[:-1]:
        return f"var(--series-{COLORS.index(f'#{color.upper()}')})"
    red, green, blue = bytes.fromhex(color)
    if red == green == blue:
        names = {250: "paper", 180: "grid", 70: "soft", 0: "ink"}
        return f"var(--{next(name for least, name in names.items() if red >= least)})"
    return f"var(--on-{color})"


def _shade(color: str, ground: str) -> str:
    """Return a color, as little darker or lighter as is needed to be seen on a ground."""
    paper = np.array([*bytes.fromhex(ground)])
    end = 0 if _luminance(paper) > 0.5 else 255
    for share in np.linspace(0, 1, 51):
        mixed = np.round((1 - share) * np.array([*bytes.fromhex(color)]) + share * end)
        low, high = sorted([_luminance(mixed), _luminance(paper)])
        if (high + 0.05) / (low + 0.05) >= READABLE:
            break
    return bytes(mixed.astype(np.uint8)).hex()


def _luminance(color: Any) -> float:
    share = np.asarray(color) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# ---------------------------------------------------------------- numbers and paths


def _short_path(path: str, digits: int) -> str:
    """Return a path with rounded coordinates, each relative to the last point.

    Examples
    --------
    >>> _short_path("M 10.04 20 L 11.12 20.56 L 11.13 20.56 z", 1)
    'm10 20 1.1 .6z'
    """
    written, last = [], ""
    at = start = np.zeros(2)
    for command, numbers in _PATH.findall(path):
        if command in "zZ":
            written.append("z")
            at, last = start, "z"
            continue
        points = np.round(np.array(numbers.split(), float).reshape(-1, 2), digits)
        steps = points - at
        if command == "M":
            start = points[-1]
        elif command == "L" and not np.abs(steps).max() > 10.0**-digits / 2:
            continue  # what is nearer than a rounding
        texts = [_rounded(step, digits) for step in steps.ravel()]
        short = command.lower()
        written.append((" " if short == last else short) + " ".join(texts))
        at, last = points[-1], "l" if short == "m" else short
    return re.sub(" (?=-)", "", "".join(written))


def _rounded(number: float, digits: int = 1) -> str:
    text = f"{number:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return re.sub(r"^(-?)0\.", r"\1.", "0" if text == "-0" else text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
