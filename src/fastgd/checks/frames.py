"""Tables and columns of other libraries (pandas, polars, pyarrow, ...), read with narwhals.

Only this module knows narwhals, and imports it when such a table is given: lists, arrays and dicts
need none.
"""

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown


def opened(value: Any, *, needed: bool = False) -> Any:
    """Return a table or a column as narwhals', computed if it was lazy, and all else as it is.

    With ``needed`` it raises ImportError without narwhals, and ValueError for columns of one name,
    which NumPy can read.
    """
    library = type(value).__module__.partition(".")[0]
    if library in ("builtins", "numpy") or isinstance(value, (list, tuple, Mapping, np.ndarray)):
        return value
    try:
        import narwhals.stable.v2 as nw
        from narwhals.exceptions import DuplicateError

        found: Any = nw.from_native(value, pass_through=True, allow_series=True)
    except ImportError as error:
        if needed:
            rule = f'a table of {library} needs narwhals: pip install "fastgd[dataframe]"'
            raise ImportError(f"{rule} ({error})") from error
        return value
    except DuplicateError as error:
        if needed:
            came = str(error).splitlines()[-1].removeprefix("- ").replace(" 2 times", " twice")
            raise ValueError(f"columns must have different names, got {came}") from error
        return value
    return found.collect() if isinstance(found, nw.LazyFrame) else found


def is_frame(value: object, kind: str = "DataFrame") -> bool:
    """Whether this is a table, or another ``kind`` of object, of narwhals."""
    own = type(value)  # not isinstance(): narwhals need not be installed
    return own.__name__ == kind and own.__module__.startswith("narwhals.")


def array_in(name: str, value: object) -> NDArray[Any] | None:
    """Return a column, or a table of numbers (rows, columns), as an array; None for all else.

    Missing numbers are NaN, dates NaT, and others None. A cell of a table that is no number raises
    TypeError, with its place.
    """
    found = opened(value)
    if is_frame(found):
        columns = [_numbers(name, column) for column in found.iter_columns()]
        return np.column_stack(columns) if columns else np.empty(found.shape)
    return _cells(found) if is_frame(found, "Series") else None


def _cells(column: Any) -> NDArray[Any]:
    cells: NDArray[Any] = column.to_numpy()
    if cells.dtype == object:
        cells = cells.copy()
        cells[column.is_null().to_numpy()] = None
    return cells


def _numbers(name: str, column: Any) -> NDArray[Any]:
    cells = _cells(column)
    if cells.dtype.kind in "biuf":
        return cells
    for row, cell in enumerate(cells):
        # Durations in an array of their own are integers for NumPy.
        if cells.dtype != object or not isinstance(cell, (Real, Decimal, type(None))):
            where = f"in column {shown(column.name)}, row {row}"
            raise TypeError(f"{name} must hold real numbers, got {shown(cell)} {where}")
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    except OverflowError as error:
        came = f"an int above 1e308 in column {shown(column.name)}"
        raise ValueError(f"{name} must be finite, got {came}") from error


def cell_at(frame: Any, numbers: NDArray[Any], place: int) -> str:
    """Return the number at a place of the flat array that was read, with its column and row."""
    row, column = divmod(place, numbers.shape[1])
    number = numbers[row, column]
    came = "a missing value" if np.isnan(number) else str(number)
    return f"{came} in column {shown(frame.columns[column])}, row {row}"


def like(table: Any, columns: Mapping[str, NDArray[Any]], array: NDArray[Any]) -> Any:
    """Return columns as a table of this one's library, with its index; a single one as a Series.

    For what is no table it is the array.
    """
    if not is_frame(table):
        return array
    import narwhals.stable.v2 as nw

    frame = nw.from_dict(columns, backend=table.implementation)
    found = (frame if len(columns) > 1 else frame[next(iter(columns))]).to_native()
    index = nw.maybe_get_index(table)  # of pandas and its kind only
    if index is not None:
        found.index = index
    return found
