"""Columns of a pandas DataFrame, without importing pandas."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.tables.column_values import array_of


def columns_of(frame: Any) -> dict[str, NDArray[Any]]:
    """Return the columns of a DataFrame or a mapping by name, as ``Preparation`` takes them.

    Anything else raises TypeError, and a name of two columns ValueError.

    Examples
    --------
    >>> import pandas
    >>> columns_of(pandas.DataFrame({"age": [31, None], "city": ["Rome", None]}))
    {'age': array([31., nan]), 'city': array(['Rome', None], dtype=object)}
    """
    # A pandas Series has keys and items, too, but those of rows.
    is_frame = hasattr(frame, "keys") and getattr(frame, "ndim", None) == 2
    if not (is_frame or isinstance(frame, Mapping)):
        raise TypeError(
            "a table must be a DataFrame or a dict of columns by name, got "
            f"{shown(frame)} (of type {type(frame).__name__})"
        )
    try:
        names = list(frame)
        columns = [frame[name] for name in names]
    except Exception as error:  # an object of the caller's own may raise anything
        raise TypeError(
            "a table must have the columns that it names, got "
            f"{shown(frame)} (of type {type(frame).__name__})"
        ) from error
    counts = Counter(map(str, names))
    double = next((name for name, count in counts.items() if count > 1), None)
    if double is not None:
        raise ValueError(f"columns must have different names, got {shown(double)} twice")
    return {str(name): _array(str(name), one) for name, one in zip(names, columns, strict=True)}


def _array(name: str, column: Any) -> NDArray[Any]:
    dtype: Any = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype) or not isinstance(getattr(dtype, "kind", None), str):
        return array_of(column, f"column {shown(name)}")
    # A dtype of pandas: categorical, string, dates with time zones, periods, nullable numbers.
    missing = np.asarray(column.isna(), dtype=bool)
    if dtype.kind in "iuf":
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if dtype.kind in "mM":
        return np.asarray(column.to_numpy(dtype="M8[us]" if dtype.kind == "M" else "m8[us]"))
    values = np.array(column.to_numpy(dtype=object), dtype=object)
    values[missing] = None
    return values
