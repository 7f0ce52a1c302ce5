"""Selections of a table's rows, such as those that have a target."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.formatting import many
from fastgd.checks.messages import shown
from fastgd.tables.column_values import Cells, cells_of
from fastgd.tables.csv_lines import names_text

Column = TypeVar("Column", NDArray[Any], Cells, NDArray[Any] | Cells)


def check_lengths(columns: Mapping[str, NDArray[Any] | Cells]) -> None:
    """Raise if columns differ in length.

    Examples
    --------
    >>> check_lengths({"x": np.array([1, 2]), "y": np.array([3])})
    Traceback (most recent call last):
    ValueError: columns must all have shape (2,), as 'x', got shape (1,) of 'y'
    """
    for name, column in columns.items():
        if len(column.shape) != 1:
            raise ValueError(
                f"column {shown(name)} must have shape (rows,), got shape {column.shape}"
            )
        first = next(iter(columns))
        if column.shape != columns[first].shape:
            raise ValueError(
                f"columns must all have shape {columns[first].shape}, as {shown(first)}, "
                f"got shape {column.shape} of {shown(name)}"
            )


def some_rows(columns: Mapping[str, Column], rows: NDArray[Any]) -> dict[str, Column]:
    """Return some rows of all columns, selected by indices or by a boolean mask.

    Examples
    --------
    >>> some_rows({"x": np.array([1, 2, 3])}, np.array([True, False, True]))
    {'x': array([1, 3])}
    """
    return {name: column[rows] for name, column in columns.items()}


def with_targets(
    columns: Mapping[str, Column], targets: Sequence[str]
) -> tuple[dict[str, Column], list[str]]:
    """Return the rows that have all targets, and a note if any were left out.

    Raises
    ------
    ValueError
        If no row has all of them, or the columns differ in length.

    Examples
    --------
    >>> columns = {"x": np.array([1, 2]), "y": np.array([np.nan, 3])}
    >>> with_targets(columns, ["y"])
    ({'x': array([2]), 'y': array([3.])}, ['y: missing in 1 row, left out'])
    """
    check_lengths(columns)
    missing = np.any([cells_of(name, columns[name]).missing for name in targets], axis=0)
    if missing.all():
        who = f"target {shown(targets[0])} must"
        if len(targets) > 1:
            who = f"targets {names_text(targets)} must all"
        raise ValueError(f"{who} have a value in at least one row, got none")
    return without(columns, missing, targets)


def without(
    columns: Mapping[str, Column], missing: NDArray[np.bool_], names: Sequence[str]
) -> tuple[dict[str, Column], list[str]]:
    """Return the rows where these columns aren't missing, and a note if any were left out."""
    count = int(missing.sum())
    if not count:
        return dict(columns), []
    note = f"{names_text(names)}: missing in {many(count, 'row')}, left out"
    return some_rows(columns, ~missing), [note]
