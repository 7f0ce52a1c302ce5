"""The tables of an experiment: the article's numbers next to ours, each with its mark.

This module defines their contents; the command and the page each format them in their own way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastgd.article.comparison import (
    COUNT,
    Comparison,
    ExperimentResult,
    Mark,
    Setting,
    digits_text,
    lines,
)
from fastgd.checks.messages import error_text

OUTPUTS = "Output After Training"
WEIGHTS = "Weights after training, each layer in the same order"


class NumbersCell(NamedTuple):
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


Cell = str | NumbersCell | Marked


@dataclass(frozen=True)
class ArticleTable:
    """A table with headings, and rows in groups."""

    caption: str
    headings: list[str]  # with < or > in front, which aligns a column to the left or to the right
    groups: list[list[list[Cell]]]  # the first cell is the same in all rows of a group
    notes: tuple[str, ...] = ()  # sentences below the table


def tables(result: ExperimentResult) -> Iterator[ArticleTable]:
    """Yield all tables of an experiment."""
    settings, errors = result.settings, "Mean absolute error at each recorded iteration"
    if not result.experiment.published:
        rows: list[list[Cell]] = []
        for setting in settings:
            run, digits = setting.run, [*setting.errors.digits, setting.final_error.digits]
            after, values = [*run.recorded, run.iterations], [*run.errors, run.final_error]
            rows += [
                [f"{iteration:,}", error_text(error), digits_text(int(shared))]
                for iteration, error, shared in zip(after, values, digits, strict=True)
            ]
        caption = f"{errors}: ours, as the article prints none here"
        yield ArticleTable(caption, [">after", ">computed", ">digits"], [[row] for row in rows])
        if result.outputs is not None and result.right is not None:
            yield _outputs(result, result.outputs, result.right)
        return
    groups = [
        [
            [
                f"{setting.alpha:g}",
                f"{iteration:,}",
                error_text(found.published),
                error_text(found.computed),
                digits_text(int(found.digits)),
                _marked(found.mark),
            ]
            for i, iteration in enumerate(setting.run.recorded)
            for found in [setting.errors.part(i)]
        ]
        for setting in settings
    ]
    yield ArticleTable(
        errors, [">alpha", ">after", ">published", ">computed", ">digits", "<mark"], groups
    )
    if any(layer.marks is not None for setting in settings for layer in setting.weights):
        left = [">alpha", "<weights", "<published", "<computed"]
        yield ArticleTable(
            "Direction changes of each weight's derivative: synapse 0 has a row per input and a "
            "column per hidden unit, synapse 1 is transposed",
            [*left, "<twins", "<mark"],
            [_rows(s, s.direction_changes, "3d") for s in settings],
            tuple(f"Alpha {s.alpha:g}: {s.note}." for s in settings if s.note),
        )
        yield ArticleTable(
            WEIGHTS,
            [*left, ">digits", "<mark"],
            [_rows(s, s.weights, "13.8f") for s in settings],
        )


def _rows(setting: Setting, layers: tuple[Comparison, ...], form: str) -> list[list[Cell]]:
    """Return a row for each line of a setting's weights, or of their direction changes."""
    found: list[list[Cell]] = []
    for name, line in lines(layers):
        digits = digits_text(int(line.digits.min()))
        if form.endswith(COUNT):
            digits = "the same" if digits == "all" else "vary"
        numbers = NumbersCell(line.published, form), NumbersCell(line.computed, form)
        found.append([f"{setting.alpha:g}", name, *numbers, digits, _marked(line.mark)])
    return found


def _outputs(result: ExperimentResult, outputs: Comparison, right: NDArray[Any]) -> ArticleTable:
    X, y = result.experiment.X, result.experiment.y
    columns = outputs.computed.ravel(), outputs.digits.ravel(), right.ravel()
    groups: list[list[list[Cell]]] = [
        [
            [
                " ".join(map(str, inputs)),
                str(target),
                f"{output:.8f}",
                digits_text(int(digits)),
                Marked("right", Mark.AGREES) if side else Marked("wrong", Mark.DIFFERS),
            ]
        ]
        for inputs, target, output, digits, side in zip(X, y, *columns, strict=True)
    ]
    headings = ["<inputs", ">target", ">output", ">digits", "<side of 0.5"]
    return ArticleTable(OUTPUTS, headings, groups)


def tally_table(tally: dict[str, dict[Mark, int]]) -> ArticleTable:
    """Return the counts of published numbers by mark."""
    names = {
        "errors": "errors",
        "direction_tables": "tables of direction changes",
        "weights": "weights",
    }
    return ArticleTable(
        "Published numbers, and how many of ours agree",
        ["<published", *(f">{mark}" for mark in Mark)],
        [
            [[text, *(f"{tally[name][mark]:,}" for mark in Mark)]]
            for name, text in names.items()
            if any(tally[name].values())
        ],
    )


def _marked(mark: Mark | None) -> Cell:
    return "" if mark is None else Marked(str(mark), mark)
