"""Selections from a table: columns by their names, and rows that have a target."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import did_you_mean, first_names, many, shown
from fastgd.checks.numbers import each_of, integer
from fastgd.tables.column_values import Cells, cells_of
from fastgd.tables.notations import numbers_written


def names_text(names: Sequence[str]) -> str:
    """The first column names, joined by commas, each shortened to 40 characters."""
    return first_names([name if len(name) <= 40 else f"{name[:37]}..." for name in names])


def column_name(argument: str, name: object) -> str:
    """Return the name of a column as a string; in a DataFrame it may be an int."""
    if not isinstance(name, str) and integer(name) is None:
        raise TypeError(f"{argument} must name a column of the table, got {shown(name)}")
    return str(name)


def column_names(argument: str, given: object, columns: Collection[str]) -> list[str]:
    """Return the names of some columns of a table, each once; ``argument`` is for messages."""
    rule = f"{argument} must be a list of column names"
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise TypeError(f"{rule}, got {shown(given)}")
    found: dict[str, None] = {}
    for one in each_of(given, rule):  # an endless iterable fails at its first repeat
        name = column_name(argument, one)
        if name not in columns:
            raise ValueError(
                f"{argument} must be a column of the table, got {shown(name)}"
                f"{did_you_mean(name, columns)}; its columns: {names_text(list(columns))}"
            )
        if name in found:
            raise ValueError(f"{argument} must name each column once, got {shown(name)} twice")
        found[name] = None
    return list(found)


def check_lengths(columns: Mapping[str, NDArray[Any] | Cells]) -> None:
    """Raise if columns differ in length."""
    for name, column in columns.items():
        shape, first = column.shape, next(iter(columns))
        if len(shape) != 1:
            raise ValueError(f"column {shown(name)} must have shape (rows,), got shape {shape}")
        if shape != columns[first].shape:
            rule = f"columns must all have shape {columns[first].shape}, as {shown(first)}"
            raise ValueError(f"{rule}, got shape {shape} of {shown(name)}")


def some_rows(columns: Mapping[str, Any], rows: NDArray[Any]) -> dict[str, Any]:
    """Return some rows of all columns, selected by indices or by a boolean mask."""
    return {name: column[rows] for name, column in columns.items()}


def with_targets(
    columns: Mapping[str, NDArray[Any] | Cells],
    targets: Sequence[str],
    unparsed: Collection[str] = (),
    *,
    learning: bool = True,
) -> tuple[dict[str, Any], list[str]]:
    """Parse columns, and return the rows that have all targets, and a note if any were left out.

    Amounts become numbers where something is learned from the table. It raises ValueError if no row
    has all targets; what is in the rows left out doesn't matter.

    Examples
    --------
    >>> columns = {"x": np.array([1, 2]), "y": np.array([np.nan, 3])}
    >>> cells, notes = with_targets(columns, ["y"], unparsed=["x"])
    >>> cells["x"], cells["y"].values, notes
    (array([2]), array([3.]), ['y: missing in 1 row, left out'])
    """
    check_lengths(columns)
    parsed = numbers_written if learning else cells_of
    cells = {name: parsed(name, columns[name]) for name in targets}
    missing = np.any([cells[name].missing for name in targets], axis=0)
    if missing.all():
        who = f"targets {names_text(targets)} must all"
        who = who if len(targets) > 1 else f"target {shown(targets[0])} must"
        raise ValueError(f"{who} have a value in at least one row, got none")
    for name, column in columns.items():
        if name not in (*targets, *unparsed):
            cells[name] = parsed(name, _blanked(column, missing))
    return without({**columns, **cells}, missing, targets)


def _blanked(column: NDArray[Any] | Cells, rows: NDArray[np.bool_]) -> NDArray[Any] | Cells:
    """A column without what is in some rows; messages still count the rows of the whole table."""
    if isinstance(column, Cells) or column.dtype.kind not in {"f", "O"}:
        return column
    column = column.copy()
    column[rows] = None  # becomes NaN among numbers
    return column


def without(
    columns: Mapping[str, Any], missing: NDArray[np.bool_], names: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the rows where these columns aren't missing, and a note if any were left out."""
    count = int(missing.sum())
    if not count:
        return dict(columns), []
    one = columns[names[0]] if len(names) == 1 else None
    gaps = one.gaps if isinstance(one, Cells) else f"missing in {many(count, 'row')}"
    note = f"{names_text(names)}: {gaps}, left out"
    return some_rows(columns, ~missing), [note]
