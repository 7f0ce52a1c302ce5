"""HTML from strings and tables: all text is escaped, and every element is closed."""

from html import escape

from fastgd.article.comparison import Mark
from fastgd.article.tables import ArticleTable, Cell, Marked, Numbers

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


# ---------------------------------------------------------------- tables

WIDEST = 30
"""Most characters of numbers in a line: two such cells and the rest of a row fill the page."""

CLASSES = {Mark.AGREES: "agrees", Mark.WITHIN: "within", Mark.DIFFERS: "differs"}


def show_table(table: ArticleTable) -> Markup:
    """Return a table in a box that can be scrolled on narrow pages, and its notes."""
    sides = ["left" if heading[0] == "<" else "right" for heading in table.headings]
    head = element(
        "tr",
        *(
            element("th", heading[1:], scope="col", class_=side)
            for heading, side in zip(table.headings, sides, strict=True)
        ),
    )
    body = [
        element("tbody", *(_row(row, sides, i, len(rows)) for i, row in enumerate(rows)))
        for rows in table.groups
    ]
    title = element("caption", element("span", table.caption))
    whole = element("table", title, element("thead", head), *body)
    # A box that scrolls must be reachable by keyboard, and then it needs a label.
    box = element(
        "div", whole, class_="scroll", tabindex="0", role="region", aria_label=table.caption
    )
    return join([box, *(element("p", note, class_="note") for note in table.notes)])


def _row(row: list[Cell], sides: list[str], i: int, count: int) -> Markup:
    """Return row i of a group of ``count`` rows; the first one has the heading of the group."""
    first, *cells = map(_cell, row)
    left, *others = sides
    body = [element("td", cell, class_=side) for cell, side in zip(cells, others, strict=True)]
    if i:
        return element("tr", *body)
    scope = {"scope": "rowgroup", "rowspan": str(count)} if count > 1 else {"scope": "row"}
    return element("tr", element("th", first, class_=left, **scope), *body)


def _cell(cell: Cell) -> str:
    if isinstance(cell, Numbers):
        letters = 1 + max(map(len, cell.strings))
        each = len(cell.strings) if letters * len(cell.strings) <= WIDEST else WIDEST // letters
        lines = (cell.strings[i : i + each] for i in range(0, len(cell.strings), each))
        return element("code", "\n".join(" ".join(line) for line in lines))
    if isinstance(cell, Marked):
        return element("span", cell.text, class_=CLASSES[cell.mark])
    return cell
