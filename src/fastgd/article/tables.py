"""The tables of an experiment: the article's numbers next to ours, each with its mark.

This module defines their contents; the command and the page each format them in their own way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastgd.article.comparison import Comparison, Mark, Result, Setting, Tally, digits_text, lines
from fastgd.checks.messages import error_text

OUTPUTS = "Output After Training"
WEIGHTS = "Weights after training, each layer in the same order"


class Numbers(NamedTuple):
    """A cell of several numbers in a row; None makes it empty."""

    values: NDArray[Any] | None
    form: str

    @property
    def strings(self) -> list[str]:
        """The numbers as strings of equal width."""
        return [] if self.values is None else [format(value, self.form) for value in self.values]


class Marked(NamedTuple):
    """A cell that shows how our number compares with the published one."""

    text: str
    mark: Mark


Cell = str | Numbers | Marked
Rows = list[list[Cell]]


@dataclass(frozen=True)
class ArticleTable:
    """A table with headings, and rows in groups.

    Attributes
    ----------
    caption : str
    headings : list of str
        Each begins with < or >, which aligns its column to the left or to the right.
    groups : list of lists of rows
        The first cell is the same in all rows of a group.
    notes : tuple of str
        Sentences below the table.
    """

    caption: str
    headings: list[str]
    groups: list[Rows]
    notes: tuple[str, ...] = ()


def tables(result: Result) -> Iterator[ArticleTable]:
    """Yield all tables of an experiment."""
    settings = result.settings
    if not result.experiment.published:
        yield _unpublished(settings)
        if result.outputs is not None and result.right is not None:
            yield _outputs(result, result.outputs, result.right)
        return
    yield _errors(settings)
    if any(layer.marks is not None for setting in settings for layer in setting.weights):
        yield _changes(settings)
        yield _weights(settings)


def tally_table(tally: Tally) -> ArticleTable:
    """Return the counts of published numbers by mark."""
    counts = {
        "errors": tally.errors,
        "tables of direction changes": tally.direction_tables,
        "weights": tally.weights,
    }
    return ArticleTable(
        "Published numbers, and how many of ours agree",
        ["<published", *(f">{mark}" for mark in Mark)],
        [
            [[name, *(f"{marks[mark]:,}" for mark in Mark)]]
            for name, marks in counts.items()
            if any(marks.values())
        ],
    )


def _marked(mark: Mark | None) -> Cell:
    return "" if mark is None else Marked(str(mark), mark)


def _errors(settings: tuple[Setting, ...]) -> ArticleTable:
    def row(setting: Setting, i: int, iteration: int) -> list[Cell]:
        found = setting.errors.part(i)
        return [
            f"{setting.alpha:g}",
            f"{iteration:,}",
            error_text(found.published),
            error_text(found.computed),
            digits_text(int(found.digits)),
            _marked(found.mark),
        ]

    return ArticleTable(
        "Mean absolute error at each recorded iteration",
        [">alpha", ">after", ">published", ">computed", ">digits", "<mark"],
        [[row(s, i, j) for i, j in enumerate(s.run.recorded)] for s in settings],
    )


def _changes(settings: tuple[Setting, ...]) -> ArticleTable:
    def row(setting: Setting, name: str, line: Comparison) -> list[Cell]:
        return [
            f"{setting.alpha:g}",
            name,
            Numbers(line.published, "3d"),
            Numbers(line.computed, "3d"),
            "the same" if (line.low == line.high).all() else "vary",
            _marked(line.mark),
        ]

    return ArticleTable(
        "Direction changes of each weight's derivative: synapse 0 has a row per input and a "
        "column per hidden unit, synapse 1 is transposed",
        [">alpha", "<weights", "<published", "<computed", "<twins", "<mark"],
        [[row(s, *named) for named in lines(s.direction_changes)] for s in settings],
        tuple(f"Alpha {s.alpha:g}: {s.note}." for s in settings if s.note),
    )


def _weights(settings: tuple[Setting, ...]) -> ArticleTable:
    def row(setting: Setting, name: str, line: Comparison) -> list[Cell]:
        return [
            f"{setting.alpha:g}",
            name,
            Numbers(line.published, "13.8f"),
            Numbers(line.computed, "13.8f"),
            digits_text(int(line.digits.min())),
            _marked(line.mark),
        ]

    return ArticleTable(
        WEIGHTS,
        [">alpha", "<weights", "<published", "<computed", ">digits", "<mark"],
        [[row(s, *named) for named in lines(s.weights)] for s in settings],
    )


def _unpublished(settings: tuple[Setting, ...]) -> ArticleTable:
    rows: Rows = []
    for setting in settings:
        run, digits = setting.run, [*setting.errors.digits, setting.final_error.digits]
        after, errors = [*run.recorded, run.iterations], [*run.errors, run.final_error]
        rows += [
            [f"{iteration:,}", error_text(error), digits_text(int(shared))]
            for iteration, error, shared in zip(after, errors, digits, strict=True)
        ]
    return ArticleTable(
        "Mean absolute error at each recorded iteration: ours, as the article prints none here",
        [">after", ">computed", ">digits"],
        [[row] for row in rows],
    )


def _outputs(result: Result, outputs: Comparison, right: NDArray[Any]) -> ArticleTable:
    samples = zip(
        result.experiment.X,
        result.experiment.y,
        outputs.computed.ravel(),
        outputs.digits.ravel(),
        right.ravel(),
        strict=True,
    )
    return ArticleTable(
        OUTPUTS,
        ["<inputs", ">target", ">output", ">digits", "<side of 0.5"],
        [
            [
                [
                    " ".join(map(str, inputs)),
                    str(target),
                    f"{output:.8f}",
                    digits_text(int(digits)),
                    Marked("right", Mark.AGREES) if side else Marked("wrong", Mark.DIFFERS),
                ]
            ]
            for inputs, target, output, digits, side in samples
        ],
    )
