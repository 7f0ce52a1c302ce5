"""HTML from strings: all text is escaped, and every element is closed."""

from html import escape

VOID = ("img",)
"""Elements without content."""


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
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(content)}</{name}>")


def join(parts: "tuple[str, ...] | list[Markup]") -> Markup:
    """Concatenate markup, and escape plain text in it."""
    return Markup(
        "".join(part if isinstance(part, Markup) else escape(part, quote=False) for part in parts)
    )
