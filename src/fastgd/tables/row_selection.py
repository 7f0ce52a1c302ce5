"""Selections of a table's rows, such as those that have a target."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.formatting import many
from fastgd.checks.messages import shown
from fastgd.tables.column_values import cells_of
from fastgd.tables.csv_lines import names_text


def check_lengths(columns: Mapping[str, NDArray[Any]]) -> None:
    """Raise if columns differ in length.

    Examples
    --------
    >>> check_lengths({"x": np.array([1, 2]), "y": np.array([3])})
    Traceback (most recent call last):
    ValueError: columns must all have shape (2,), as 'x', got shape (1,) of 'y'
    """
    for name, column in columns.items():
        if column.ndim != 1:
            raise ValueError(
                f"column {shown(name)} must have shape (rows,), got shape {column.shape}"
            )
        first = next(iter(columns))
        if len(column) != len(columns[first]):
            raise ValueError(
                f"columns must all have shape ({len(columns[first])},), as {shown(first)}, "
                f"got shape {column.shape} of {shown(name)}"
            )


def some_rows(columns: Mapping[str, ArrayLike], rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return some rows of all columns, selected by indices or by a boolean mask.

    Examples
    --------
    >>> some_rows({"x": [1, 2, 3]}, np.array([True, False, True]))
    {'x': array([1, 3])}
    """
    return {name: np.asarray(column)[rows] for name, column in columns.items()}


def with_targets(
    columns: Mapping[str, NDArray[Any]], targets: Sequence[str]
) -> tuple[dict[str, NDArray[Any]], list[str]]:
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
    count = int(missing.sum())
    if count == len(missing) and len(targets) == 1:
        raise ValueError(
            f"target {shown(targets[0])} must have a value in at least one row, got none"
        )
    if count == len(missing):
        raise ValueError(
            f"targets {names_text(targets)} must all have a value in at least one row, got none"
        )
    note = f"{names_text(targets)}: missing in {many(count, 'row')}, left out"
    return some_rows(columns, ~missing), [note] if count else []
