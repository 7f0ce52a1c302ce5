"""The tables of an experiment: the article's numbers beside ours, each with its mark."""

from collections.abc import Iterable, Iterator
from typing import Any

from numpy.typing import NDArray

from fastgd.arguments.wording import error_text
from fastgd.article.comparison import Result, Setting, Tally, lines
from fastgd.article.page.markup import Markup, element, join
from fastgd.article.twins import Mark, digits_text

Rows = list[list[str]]

CLASSES = {Mark.AGREES: "agrees", Mark.WITHIN: "within", Mark.DIFFERS: "differs"}


def table(caption: str, headings: list[str], groups: Iterable[Rows]) -> Markup:
    """Return a table in a box of its own that scrolls where the page is narrow.

    Parameters
    ----------
    caption : str
    headings : list of str
        Each with < or > before it: its column's cells stand on the left or on the right.
    groups : iterable of lists of rows
        The first cell of a group's first row is the heading of them all.
    """
    sides = ["left" if heading[0] == "<" else "right" for heading in headings]
    head = element(
        "tr",
        *(
            element("th", heading[1:], scope="col", class_=side)
            for heading, side in zip(headings, sides, strict=True)
        ),
    )
    body = [
        element("tbody", *(_row(row, sides, i, len(rows)) for i, row in enumerate(rows)))
        for rows in groups
    ]
    title = element("caption", element("span", caption))
    whole = element("table", title, element("thead", head), *body)
    # A box that scrolls must be reachable by keyboard, and then it needs a name.
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _row(row: list[str], sides: list[str], i: int, count: int) -> Markup:
    """Row i of a group of so many rows; the first one has the heading."""
    cells = [element("td", cell, class_=side) for cell, side in zip(row, sides, strict=True)]
    if i:
        return element("tr", *cells[1:])
    scope = {"scope": "rowgroup", "rowspan": str(count)} if count > 1 else {"scope": "row"}
    return element("tr", element("th", row[0], class_=sides[0], **scope), *cells[1:])


def tables(result: Result) -> Markup:
    """Return all tables of an experiment."""
    if not result.experiment.published:
        return join([_unpublished(result), *_outputs(result)])
    found = [_errors(result.settings)]
    if any(layer.marks is not None for s in result.settings for layer in s.weights):
        found += [_changes(result.settings), *_notes(result.settings), _weights(result.settings)]
    return join(found)


def tally_table(tally: Tally) -> Markup:
    """Return how many published numbers have which mark."""
    named = {
        "errors": tally.errors,
        "tables of direction changes": tally.direction_tables,
        "weights": tally.weights,
    }
    return table(
        "Published numbers, and how many of ours agree",
        ["<published", *(f">{mark}" for mark in Mark)],
        [[[name, *(f"{marks[mark]:,}" for mark in Mark)]] for name, marks in named.items()],
    )


def _errors(settings: tuple[Setting, ...]) -> Markup:
    groups = [
        [
            [
                f"{setting.alpha:g}",
                f"{iteration:,}",
                error_text(one.published),
                error_text(one.computed),
                digits_text(int(one.digits)),
                _marked(one.mark),
            ]
            for iteration, one in (
                (iteration, setting.errors.part(i))
                for i, iteration in enumerate(setting.run.recorded)
            )
        ]
        for setting in settings
    ]
    headings = [">alpha", ">after", ">published", ">computed", ">digits", "<mark"]
    return table("Mean |error| after so many iterations", headings, groups)


def _changes(settings: tuple[Setting, ...]) -> Markup:
    groups = [
        [
            [
                f"{setting.alpha:g}",
                name,
                _cells(line.published, "3d"),
                _cells(line.computed, "3d"),
                "the same" if (line.low == line.high).all() else "vary",
                _marked(line.mark),
            ]
            for name, line in lines(setting.direction_changes)
        ]
        for setting in settings
    ]
    return table(
        "Direction changes of each weight's derivative: a column per hidden unit",
        [">alpha", "<weights", "<published", "<computed", "<twins", "<mark"],
        groups,
    )


def _notes(settings: tuple[Setting, ...]) -> Iterator[Markup]:
    for setting in settings:
        if setting.note:
            yield element("p", f"Alpha {setting.alpha:g}: {setting.note}.", class_="note")


def _weights(settings: tuple[Setting, ...]) -> Markup:
    groups = [
        [
            [
                f"{setting.alpha:g}",
                name,
                _cells(line.published, "13.8f"),
                _cells(line.computed, "13.8f"),
                digits_text(int(line.digits.min())),
                _marked(line.mark),
            ]
            for name, line in lines(setting.weights)
        ]
        for setting in settings
    ]
    return table(
        "Weights after training: a column per hidden unit",
        [">alpha", "<weights", "<published", "<computed", ">digits", "<mark"],
        groups,
    )


def _unpublished(result: Result) -> Markup:
    rows = []
    for setting in result.settings:
        run = setting.run
        for iteration, error, digits in zip(
            run.recorded, run.errors, setting.errors.digits, strict=True
        ):
            rows.append([f"{iteration:,}", error_text(error), digits_text(int(digits))])
        final = int(setting.final_error.digits)
        rows.append([f"{run.iterations:,}", error_text(run.final_error), digits_text(final)])
    return table(
        "Mean |error| after so many iterations: ours, for the article prints none here",
        [">after", ">computed", ">digits"],
        [[row] for row in rows],
    )


def _outputs(result: Result) -> Iterator[Markup]:
    if result.outputs is None or result.right is None:
        return
    outputs, right = result.outputs, result.right.ravel()
    rows = [
        [
            " ".join(map(str, inputs)),
            str(target),
            f"{outputs.computed.ravel()[i]:.8f}",
            digits_text(int(outputs.digits.ravel()[i])),
            element(
                "span", "right" if right[i] else "wrong", class_="agrees" if right[i] else "differs"
            ),
        ]
        for i, (inputs, target) in enumerate(
            zip(result.experiment.X, result.experiment.y, strict=True)
        )
    ]
    yield table(
        "Output After Training",
        ["<inputs", ">target", ">output", ">digits", "<side of 0.5"],
        [[row] for row in rows],
    )


def _side(right: bool) -> Markup:
    return (
        element("span", "right", class_="agrees")
        if right
        else element("span", "wrong", class_="differs")
    )


def _marked(mark: Mark | None) -> Markup:
    return Markup("") if mark is None else element("span", str(mark), class_=CLASSES[mark])


def _cells(values: NDArray[Any] | None, form: str) -> Markup:
    """Numbers side by side, in columns."""
    text = "" if values is None else " ".join(format(value, form) for value in values)
    return element("code", text)
