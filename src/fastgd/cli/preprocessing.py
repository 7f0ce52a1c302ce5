"""Preparation of a table for ``fastgd train`` and ``fastgd sweep``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.checks.messages import shown
from fastgd.cli.errors import RefusedError
from fastgd.models.model import Model
from fastgd.tables.column_values import cells_of, text_of
from fastgd.tables.csv_lines import names_text
from fastgd.tables.preparation import MOST_CATEGORIES, Preparation
from fastgd.tables.reading import read_columns
from fastgd.tables.row_selection import with_targets
from fastgd.tables.targets import ClassTarget, NumberTarget, Target

Columns = Mapping[str, NDArray[Any]]

LARGEST = 10.0
"""A table of numbers within this magnitude is taken as it is."""


class Reading(NamedTuple):
    """How to read a table, as it was typed."""

    raw: bool | None = None  # None: raw if it is ready for a network
    sep: str | None = None
    decimal: str | None = None
    drop: tuple[str, ...] = ()
    max_categories: int = MOST_CATEGORIES
    standardize: bool = True
    settings: Mapping[str, Any] = {}
    model: Model | None = None  # what goes on, with its preparation

    @property
    def learns(self) -> bool:
        """Whether an option was typed that a preparation uses."""
        return self[3:6] != Reading()[3:6]

    @property
    def typed(self) -> bool:
        """Whether an option was typed that only prepared tables have."""
        return self[1:6] != Reading()[1:6]


@dataclass(frozen=True, eq=False)
class PreprocessedTable:
    """A table as inputs and targets of a network.

    Attributes
    ----------
    preparation : Preparation
        How its columns were encoded.
    targets : tuple of Target
    X, y : (samples, columns) arrays
    labels : (samples,) array or None
        Group labels.
    settings : dict
        Options of the training that follow from the target.
    notes : list of str
        What was done, one line each.
    """

    preparation: Preparation
    targets: tuple[Target, ...]
    X: FloatArray
    y: FloatArray
    labels: NDArray[Any] | None
    settings: dict[str, Any]
    notes: list[str]

    def more(self, columns: Columns) -> tuple[FloatArray, FloatArray, list[str]]:
        """Return inputs and targets of another table, and what is new about it."""
        for target in self.targets:
            if target.name not in columns:
                raise ValueError(f"the table has no column {shown(target.name)} to compare with")
        columns, notes = with_targets(columns, [target.name for target in self.targets])
        y = np.hstack([target.encode(columns[target.name]) for target in self.targets])
        return self.preparation.transform(columns), y, notes + self.preparation.remarks(columns)


def prepare(
    path: Path,
    targets: list[str],
    groups: str | None,
    reading: Reading,
    learned_from: Callable[[int], NDArray[np.bool_]],
) -> PreprocessedTable:
    """Read a table, and prepare it by the rows that ``learned_from`` selects.

    Raises
    ------
    OSError, ValueError, TypeError
        If it is no table or can't be prepared; the message says why.
    """
    texts = () if reading.model is None else reading.model.preparation.texts
    columns = read_columns(path, reading.sep, reading.decimal, texts)
    for name in [*targets, *([] if groups is None else [groups]), *reading.drop]:
        if name not in columns:
            raise ValueError(
                f"{path} has no column {shown(name)}; its columns: {names_text(list(columns))}"
            )
    for name in reading.drop:
        if name in (*targets, groups):
            what = "groups" if name == groups else "target"
            raise ValueError(f"--drop must not name the {what}, got {shown(name)}")
    columns, notes = with_targets(columns, targets)
    inputs = {name: cells for name, cells in columns.items() if name not in (*targets, groups)}
    if not inputs:
        raise ValueError(f"{path} has no column besides the target, and a network needs inputs")
    learn = learned_from(len(next(iter(columns.values()))))
    settings: dict[str, Any] = {}
    if reading.model is None:
        preparation = Preparation.learn(
            {name: cells[learn] for name, cells in inputs.items()},
            max_categories=reading.max_categories,
            standardize=reading.standardize,
            drop=reading.drop,
        )
        notes += preparation.notes
        known = []
        for name in targets:
            target, follows, note = _target_of(
                name, columns[name], learn, reading.settings, several=len(targets) > 1
            )
            known.append(target)
            settings |= follows
            notes.append(note)
    else:
        preparation, known = reading.model.preparation, list(reading.model.targets)
        notes += preparation.remarks(inputs)
    y = np.hstack([target.encode(columns[target.name]) for target in known])
    labels = None if groups is None else _labels(groups, columns[groups])
    X = preparation.transform(inputs)
    return PreprocessedTable(preparation, tuple(known), X, y, labels, settings, notes)


def _target_of(
    name: str,
    column: NDArray[Any],
    learn: NDArray[np.bool_],
    settings: Mapping[str, Any],
    *,
    several: bool,
) -> tuple[Target, dict[str, Any], str]:
    """A target, the options that follow from it, and a note about both.

    Classes have softmax outputs. Numbers in [0, 1], and those for which output units or a loss were
    asked for, stay as they are; other ones are standardized, and have identity outputs.
    """
    cells = cells_of(name, column)
    outputs = settings.get("output", [])
    outputs = outputs if isinstance(outputs, list) else [outputs]
    asked = bool(outputs) or "loss" in settings
    if outputs == ["softmax"] and not several:
        classes = ClassTarget.learn(name, column)
        return classes, {}, classes.note
    if cells.kind != "numbers":
        if asked or several:
            raise RefusedError(
                f"--target {name} must be numbers, or alone and with --output softmax --loss "
                f"cross_entropy, got {shown(next(filter(None, cells.values), None))}"
            )
        classes = ClassTarget.learn(name, column)
        follows = {"output": "softmax", "loss": "cross_entropy"}
        return classes, follows, f"{classes.note}: output softmax, loss cross_entropy"
    low, high = cells.values.min(), cells.values.max()
    identity = outputs == ["identity"] and "loss" not in settings
    if not identity and (asked or several or (low >= 0 and high <= 1)):
        return NumberTarget(name, 0.0, 1.0), {}, f"{name}: numbers to learn, as they are"
    target = NumberTarget.learn(name, column[learn])
    note = f"{target.note}: standardized, so that errors are in deviations"
    if identity:
        return target, {}, note
    return target, {"output": "identity"}, f"{note}; output identity"


def _labels(name: str, column: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers, which have an order, or texts."""
    cells = cells_of(name, column)
    if cells.missing.any():
        row = int(cells.missing.argmax()) + 1
        raise ValueError(f"column {shown(name)}: the label is missing in row {row:,}")
    if cells.kind == "numbers" and not (cells.values % 1).any():
        return cells.values.astype(np.int64)
    return np.array([text_of(cell) for cell in cells.values])
