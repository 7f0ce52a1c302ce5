"""Tables and columns of other libraries (pandas, polars, pyarrow, ...), read with narwhals.

Only this module knows narwhals, and imports it when such a table is given: lists, arrays and dicts
need none.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown

if TYPE_CHECKING:
    import narwhals
    import narwhals.stable.v2 as nw

    Frame = nw.DataFrame[Any]
    Column = narwhals.Series[Any]


def wrapped(value: object, *, needed: bool = False) -> Frame | Column | None:
    """Return a table or a column as narwhals', or None if it is neither, such as a list or a dict.

    What is lazy (of polars or Dask, a relation of DuckDB) is computed. Two columns of one name
    raise ValueError. Without narwhals the result is None, or with ``needed`` an ImportError.
    """
    library = type(value).__module__.partition(".")[0]
    if library in ("builtins", "numpy") or isinstance(value, (list, tuple, Mapping, np.ndarray)):
        return None
    try:
        import narwhals.stable.v2 as nw
        from narwhals.exceptions import DuplicateError
    except ImportError as error:
        if not needed:
            return None
        rule = f'a table of {library} needs narwhals: pip install "fastgd[dataframe]"'
        raise ImportError(f"{rule} ({error})") from error
    try:
        found = nw.from_native(value, pass_through=True, allow_series=True)
    except DuplicateError as error:
        came = str(error).splitlines()[-1].removeprefix("- ").replace(" 2 times", " twice")
        raise ValueError(f"columns must have different names, got {came}") from error
    if isinstance(found, nw.LazyFrame):
        return found.collect()
    return found if isinstance(found, (nw.DataFrame, nw.Series)) else None


def opened(value: Any) -> Any:
    """Return a table or a column as :func:`wrapped` does, and all else as it is."""
    try:
        found = wrapped(value)
    except ValueError:  # two columns of one name, which an array doesn't have
        return value
    return value if found is None else found


def is_frame(value: object) -> TypeGuard[Frame]:
    """Whether this is a table of narwhals."""
    return _is_wrapped(value, "DataFrame")


def is_column(value: object) -> TypeGuard[Column]:
    """Whether this is a column of narwhals."""
    return _is_wrapped(value, "Series")


def _is_wrapped(value: object, kind: str) -> bool:
    own = type(value)  # not isinstance(): narwhals need not be installed
    return own.__name__ == kind and own.__module__.startswith("narwhals.")


def cells_in(column: Column) -> NDArray[Any]:
    """Return the cells of a column: missing numbers are NaN, dates NaT, and others None."""
    cells: NDArray[Any] = column.to_numpy()
    if cells.dtype == object:
        cells = cells.copy()
        cells[column.is_null().to_numpy()] = None
    return cells


def array_in(name: str, value: object) -> NDArray[Any] | None:
    """Return a column, or a table of numbers (rows, columns), as an array; None for all else.

    Missing numbers are NaN. A cell of a table that is no number raises TypeError, with its place.
    """
    found = opened(value)
    if is_column(found):
        return cells_in(found)
    if not is_frame(found):
        return None
    columns = [_numbers(name, column) for column in found.iter_columns()]
    return np.column_stack(columns) if columns else np.empty(found.shape)


def _numbers(name: str, column: Column) -> NDArray[Any]:
    cells = cells_in(column)
    if cells.dtype.kind in "biuf":
        return cells
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        # Cells of dates and durations are NumPy's, which takes durations for integers.
        if cells.dtype != object or not isinstance(cell, (Real, Decimal, type(None))):
            where = f"in column {shown(column.name)}, row {row}"
            raise TypeError(f"{name} must hold real numbers, got {shown(cell)} {where}")
        try:
            numbers[row] = cell
        except OverflowError:  # 10**400
            numbers[row] = np.inf
    return numbers


def cell_at(frame: Frame, numbers: NDArray[Any], place: int) -> str:
    """Return the number at a place of the flat array that was read, with its column and row."""
    row, column = divmod(place, numbers.shape[1])
    number = numbers[row, column]
    came = "a missing value" if np.isnan(number) else str(number)
    return f"{came} in column {shown(frame.columns[column])}, row {row}"


def like(table: Frame, columns: Mapping[str, NDArray[Any]]) -> Any:
    """Return columns as a table of this one's library, with its index; a single one as a Series."""
    import narwhals.stable.v2 as nw

    # polars would keep strings in an array as objects of Python.
    cells = {name: c.tolist() if c.dtype.kind in "OU" else c for name, c in columns.items()}
    frame = nw.from_dict(cells, backend=table.implementation)
    found = (frame if len(columns) > 1 else frame[next(iter(columns))]).to_native()
    index = nw.maybe_get_index(table)  # of pandas and its kind only
    if index is not None:
        found.index = index
    return found
