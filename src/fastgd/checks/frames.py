"""Tables and columns of other libraries (pandas, polars, pyarrow, ...), read with narwhals.

Only this module knows narwhals, and imports it when such a table is given: lists, arrays, dicts and
pandas' plain numbers need none.
"""

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown


def opened(value: Any, *, table: bool = False) -> Any:
    """Return a table or a column as narwhals', computed if it was lazy, and all else as it is.

    Columns of one name are numbered. With ``table`` they raise ValueError, no narwhals raises
    ImportError, and a column stays as it is.
    """
    library = type(value).__module__.partition(".")[0]
    known = (list, tuple, Mapping, np.ndarray, PathLike)
    if library in ("builtins", "numpy") or isinstance(value, known):
        return value
    try:
        import narwhals.stable.v2 as nw
        from narwhals.exceptions import DuplicateError
    except ImportError as error:
        if table:
            rule = f'a table of {library} needs narwhals: pip install "fastgd[dataframe]"'
            raise ImportError(f"{rule} ({error})") from error
        return value
    try:
        found: Any = nw.from_native(value, pass_through=True, allow_series=not table)
    except DuplicateError as error:
        if table:
            came = str(error).splitlines()[-1].removeprefix("- ").replace(" 2 times", " twice")
            raise ValueError(f"columns must have different names, got {came}") from error
        if not hasattr(value, "set_axis"):  # of pyarrow, and NumPy reads it
            return value
        found = nw.from_native(value.set_axis(range(value.shape[1]), axis=1))
    return found.collect() if isinstance(found, nw.LazyFrame) else found


def is_frame(value: object, kind: str = "DataFrame") -> bool:
    """Whether this is a table, or another ``kind`` of object, of narwhals."""
    own = type(value)  # not isinstance(): narwhals need not be installed
    return own.__name__ == kind and own.__module__.startswith("narwhals.")


def array_in(name: str, value: Any, *, of_numbers: bool = False) -> NDArray[Any] | None:
    """Return a column, or a table of numbers (rows, columns), as an array; None for all else.

    Missing numbers are NaN, dates NaT, and others None. A cell that is no number raises TypeError,
    with its place: in a table, and with ``of_numbers`` also in a column.
    """
    dtypes = np.ravel(value.dtypes) if hasattr(value, "iloc") else [None]  # of pandas
    if all(isinstance(one, np.dtype) and one.kind in "iuf" for one in dtypes):
        return np.asarray(value)  # faster
    found = opened(value)
    if is_frame(found):
        columns = [
            _numbers(name, _cells(column), f"column {shown(column.name)}, ")
            for column in found.iter_columns()
        ]
        return np.column_stack(columns) if columns else np.empty(found.shape)
    if not is_frame(found, "Series"):
        return None
    cells = _cells(found)
    return _numbers(name, cells) if of_numbers and cells.dtype.kind not in "biuf" else cells


def _cells(column: Any) -> NDArray[Any]:
    cells: NDArray[Any] = column.to_numpy()
    if cells.dtype == object:
        cells = cells.copy()
        cells[column.is_null().to_numpy()] = None
    return cells


def _numbers(name: str, cells: NDArray[Any], where: str = "") -> NDArray[Any]:
    if cells.ndim == 1 and cells.dtype.kind in "biuf":
        return cells
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        # Durations in an array of their own are integers for NumPy.
        if cells.dtype != object or not isinstance(cell, (Real, Decimal, type(None))):
            raise TypeError(f"{name} must hold real numbers, got {shown(cell)} in {where}row {row}")
        try:
            numbers[row] = np.nan if cell is None else float(cell)
        except OverflowError as error:
            came = f"an int above 1e308 in {where}row {row}"
            raise ValueError(f"{name} must be finite, got {came}") from error
    return numbers


def cell_at(table: object, numbers: NDArray[Any], place: int) -> str:
    """Return the number at a place of the flat array that was read, with its column and row.

    Nothing for what is no table.
    """
    frame = opened(table)
    if not is_frame(frame):
        return ""
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

    # polars would keep booleans and None of an array as objects.
    cells = {name: one.tolist() if one.dtype == object else one for name, one in columns.items()}
    frame = nw.from_dict(cells, backend=table.implementation)
    found = (frame if len(columns) > 1 else frame[next(iter(columns))]).to_native()
    index = nw.maybe_get_index(table)  # of pandas and its kind only
    if index is not None:
        found.index = index
    return found
