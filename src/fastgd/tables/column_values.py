"""The cells of a column: numbers, strings, booleans or dates, and which of them are missing."""

import datetime
import numbers
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import fsum, inf, isfinite, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.frames import array_in, is_frame, opened
from fastgd.checks.messages import many, shortened, shown
from fastgd.checks.numbers import FloatArray
from fastgd.checks.numbers import array_of as checked_array

Kind = Literal["numbers", "texts", "booleans", "dates"]

_DATES = (datetime.date, datetime.time, np.datetime64)
_DURATIONS = (datetime.timedelta, np.timedelta64)

DURATION = "h:min:s"
"""The notation of durations, which no unit in strings can be."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a column, all of one kind."""

    kind: Kind
    values: NDArray[Any]  # numbers: float64; strings and booleans: str or None; dates: M8[us], UTC
    missing: NDArray[np.bool_]  # an infinite number is missing, too
    notation: str = field(default="", repr=False)  # of numbers in strings: $, km; true, TRUE
    decimal: str = field(default="", repr=False)  # the decimal sign in strings, if it is known
    written: NDArray[Any] | None = field(default=None, repr=False)  # the strings that held numbers
    places: NDArray[np.int64] | None = field(default=None, repr=False)  # of some rows in the table

    @property
    def shape(self) -> tuple[int, ...]:
        """As that of an array: (rows,)."""
        return self.values.shape

    @property
    def texts(self) -> list[str | None]:
        """The cells as strings, None where missing; a whole number has no decimal point.

        A date without a time of day is like 2026-11-26.
        """
        if self.kind in ("texts", "booleans"):
            return list(self.values)
        pairs = zip(self.values, self.missing, strict=True)
        return [None if missing else text_of(value) for value, missing in pairs]

    def __getitem__(self, rows: NDArray[Any]) -> "Cells":
        """Return some rows, selected by indices or by a boolean mask."""
        written = None if self.written is None else self.written[rows]
        values, missing = self.values[rows], self.missing[rows]
        places = (np.arange(len(self.values)) if self.places is None else self.places)[rows]
        return replace(self, values=values, missing=missing, written=written, places=places)

    def row(self, k: int) -> int:
        """The number of a cell's row in the whole table, from 1."""
        return (k if self.places is None else int(self.places[k])) + 1

    @property
    def gaps(self) -> str:
        """In how many rows the column is missing, for a note."""
        text = f"missing in {many(int(self.missing.sum()), 'row')}"
        infinite = int(np.isinf(self.values).sum()) if self.kind == "numbers" else 0
        return text + (f" ({infinite:,} of them infinite)" if infinite else "")

    def new_gaps(self, name: str, remedy: str) -> Iterator[str]:
        """Yield a line if cells are missing, in a column in which none was when it was learned."""
        if self.missing.any():
            yield f"{name}: {self.gaps}, and never in the training table{remedy}"


class FileTexts(np.ndarray[Any, Any]):
    """Cells of a file, and how they are written; a selection of them knows it, too."""

    decimal: str = ""  # the decimal sign of strings, if it is known
    boolean: str = ""  # one of the booleans: true or TRUE

    def __array_finalize__(self, source: object) -> None:
        """Copy this from the array that this one is made of."""
        self.decimal = getattr(source, "decimal", "")
        self.boolean = getattr(source, "boolean", "")


def cells_of(name: str, column: ArrayLike | Cells) -> Cells:
    """Return the cells of a column: (rows,) numbers, booleans, strings or dates.

    Cells are returned as they are, so that a column is parsed once: selecting rows is cheaper.

    NaN, NaT, None and infinite numbers are missing. A column that mixes strings with numbers or
    booleans becomes a column of strings, in which whole numbers have no decimal point and missing
    cells are None. Dates become UTC (those without a time zone are taken as UTC), times of day are
    those of 1970-01-01, and durations become numbers of days. Other cells raise TypeError.

    Examples
    --------
    >>> cells_of("age", [30, None, 41])
    Cells(kind='numbers', values=array([30., nan, 41.]), missing=array([False,  True, False]))
    >>> cells_of("city", ["Rome", None, 7.0]).values
    array(['Rome', None, '7'], dtype=object)
    """
    if isinstance(column, Cells):
        return column
    array = array_of(column)
    if array.ndim != 1:
        raise ValueError(f"column {shown(name)} must have shape (rows,), got shape {array.shape}")
    if array.dtype.kind == "O":
        cells = _cells_of_objects(name, array)
        if isinstance(column, FileTexts):
            return replace(cells, decimal=column.decimal, notation=column.boolean)
        return cells
    if array.dtype.kind in "iuf":
        return _numbers(array)
    missing = is_missing(array)
    if array.dtype.kind in "mM":
        return _times(name, array, missing)
    if array.dtype.kind not in "bUT":
        raise _foreign(name, array)
    return _texts("booleans" if array.dtype.kind == "b" else "texts", array, missing)


def is_missing(column: ArrayLike) -> NDArray[np.bool_]:
    """Whether each cell of a column is missing: NaN, NaT or None."""
    array = array_of(column)
    if array.dtype.kind == "f":
        return np.asarray(np.isnan(array))
    if array.dtype.kind in "mM":
        return np.asarray(np.isnat(array))
    if array.dtype.kind != "O":
        return np.zeros(array.shape, dtype=bool)
    # In tables only missing values differ from themselves, except pandas' NA, which has no truth
    # value.
    return np.fromiter(map(_is_missing, array), dtype=bool, count=len(array))


def array_of(column: ArrayLike, name: str = "a column") -> NDArray[Any]:
    """Return a column as an array; lists become object arrays, as NumPy makes NaN "nan" there."""
    if isinstance(column, range):
        return checked_array(name, column)
    if isinstance(column, np.ma.MaskedArray):  # what is masked is missing
        array = np.array(column.data, dtype=None if column.dtype.kind in "mM" else object)
        array[np.ma.getmaskarray(column)] = None
        return array
    if (found := array_in(name, column)) is not None:
        return found
    try:
        return np.asarray(column, dtype=object if isinstance(column, list | tuple) else None)
    except Exception as error:  # an object's own __array__ may raise anything
        raise TypeError(f"{name} must be an array, got {shown(column)}") from error


def number_of(text: str) -> float | None:
    """Parse a number with a decimal point; None for other strings.

    Examples
    --------
    >>> number_of(" 1.5e3 "), number_of("1,5"), number_of("1_000")
    (1500.0, None, None)
    """
    try:
        return None if "_" in text else float(text)  # 1_000 is a number in Python's source only
    except ValueError:
        return None


def text_of(value: Any) -> str:
    """A cell as a stripped string; a whole number has no decimal point.

    Examples
    --------
    >>> text_of(7.0), text_of(True), text_of(" Rome ")
    ('7', 'True', 'Rome')
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, np.datetime64):
        return str(value).removesuffix(".000000").removesuffix("T00:00:00")
    return str(value)


def texts_shown(texts: Iterable[str]) -> str:
    """The first five strings, joined by commas, and each shortened to 30 characters."""
    known = list(texts)
    cut = [shortened(text, 30) for text in known[:5]]
    return ", ".join(cut) + (", ..." if len(known) > 5 else "")


def _cells_of_objects(name: str, array: NDArray[Any]) -> Cells:
    missing = is_missing(array)
    kinds = set(map(type, array[~missing]))
    if all(_is_number(kind) for kind in kinds):
        return _numbers(np.where(missing, np.nan, array))
    if all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return _texts("booleans", array, missing)
    for known in (_DATES, _DURATIONS):
        period = "Period" if known is _DATES else ""  # of pandas
        if all(issubclass(kind, known) or kind.__name__ == period for kind in kinds):
            values = np.full(len(array), "NaT", dtype="m8[us]" if known is _DURATIONS else "M8[us]")
            values[~missing] = list(map(_moment, array[~missing]))
            return _times(name, values, missing)
    if not all(issubclass(kind, str) or _is_number(kind, with_bool=True) for kind in kinds):
        raise _foreign(name, array[~missing])
    return _texts("texts", array, missing)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ == "NAType":
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return False


def _is_number(kind: type, *, with_bool: bool = False) -> bool:
    if issubclass(kind, bool | np.bool_):
        return with_bool
    return issubclass(kind, numbers.Real | Decimal) and not issubclass(kind, np.timedelta64)


def _numbers(array: NDArray[Any]) -> Cells:
    try:
        with np.errstate(all="ignore"):
            values = array.astype(np.float64)
    except OverflowError:  # 10**400
        values = np.full(len(array), np.inf)
        for k, cell in enumerate(array):
            with suppress(OverflowError):
                values[k] = float(cell)
    return Cells("numbers", values, ~np.isfinite(values))


def _texts(kind: Kind, array: NDArray[Any], missing: NDArray[np.bool_]) -> Cells:
    values = np.full(len(array), None, dtype=object)
    values[~missing] = [text_of(cell) or None for cell in array[~missing].tolist()]
    return Cells(kind, values, is_missing(values))


def _moment(value: Any) -> Any:
    """A date, a time of day or a duration as NumPy's; dates in UTC."""
    if type(value).__name__ == "Period":
        value = value.to_timestamp()
    if isinstance(value, datetime.time):
        value = datetime.datetime.combine(datetime.date(1970, 1, 1), value)
    if not isinstance(value, datetime.datetime) or value.tzinfo is None:
        return value
    offset = value.utcoffset() or datetime.timedelta(0)
    return np.datetime64(value.replace(tzinfo=None), "us") - np.timedelta64(offset, "us")


def _times(name: str, array: NDArray[Any], missing: NDArray[np.bool_]) -> Cells:
    """Dates, or durations in days."""
    if array.dtype.kind == "m":
        found = _numbers(array.astype("m8[us]") / np.timedelta64(1, "D"))
        return replace(found, notation=DURATION, decimal=".")
    known = array[~missing]
    far = np.abs(known.astype("M8[Y]").astype(np.int64)) > 290_000  # of 64 bits in microseconds
    if far.any():
        rule = f"column {shown(name)} must have dates within 290,000 years of 1970"
        raise ValueError(f"{rule}, got {known[far][0]}")
    return Cells("dates", array.astype("M8[us]"), missing)


def _foreign(name: str, cells: NDArray[Any]) -> TypeError:
    known = (str, numbers.Real, *_DATES, *_DURATIONS)
    odd = next((cell for cell in cells if not isinstance(cell, known)), next(iter(cells), None))
    rule = f"column {shown(name)} must hold numbers, strings, booleans or dates"
    return TypeError(f"{rule}, got {shown(odd)} (of type {type(odd).__name__})")


# ---------------------------------------------------------------- the columns of a DataFrame


def columns_of(table: Any) -> dict[str, NDArray[Any]]:
    """Return the columns of a table of any library, or of a mapping, by name.

    Anything else raises TypeError, and a name of two columns ValueError.

    Examples
    --------
    >>> import pandas
    >>> columns_of(pandas.DataFrame({"age": [31, None], "city": ["Rome", None]}))
    {'age': array([31., nan]), 'city': array(['Rome', None], dtype=object)}
    """
    found = opened(table, table=True)
    if is_frame(found):
        pairs = [(column.name, column) for column in found.iter_columns()]
    elif isinstance(table, Mapping):
        try:
            pairs = [(name, table[name]) for name in table]
        except Exception as error:  # an object of the caller's own may raise anything
            raise _no_table("must have the columns that it names", table) from error
    else:
        raise _no_table("must be a DataFrame or a dict of columns by name", table)
    counts = Counter(str(name) for name, _ in pairs)
    double = next((name for name, count in counts.items() if count > 1), None)
    if double is not None:
        raise ValueError(f"columns must have different names, got {shown(double)} twice")
    return {str(name): array_of(column, f"column {shown(str(name))}") for name, column in pairs}


def _no_table(rule: str, table: object) -> TypeError:
    return TypeError(f"a table {rule}, got {shown(table)} (of type {type(table).__name__})")


# ---------------------------------------------------------------- the same bits on every machine
#
# NumPy's own sums are not promised to be, and its products of matrices, and so `np.corrcoef`, are
# those of a library that chooses its code by the processor.


def in_order(values: NDArray[Any]) -> float:
    """Return the sum of (rows,) values, added row by row."""
    return float(np.cumsum(values)[-1])


def weighted_mean(values: NDArray[Any], weights: FloatArray) -> float:
    """Return the mean of (rows,) values with these weights, whose sum is above 0."""
    return in_order(values * weights) / in_order(weights)


def correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the correlation of two columns, (rows,); NaN if one is constant or too large."""
    with np.errstate(all="ignore"):
        a, b = (each - in_order(each) / len(each) for each in (a, b))
        return float(in_order(a * b) / np.sqrt(in_order(a * a) * in_order(b * b)))


def moments(name: str, numbers: FloatArray) -> tuple[float, float]:
    """Mean and standard deviation of a column; the deviation of a constant column is 1."""
    if numbers.min() == numbers.max():
        return float(numbers[0]), 1.0
    try:
        # Exact sums: the order in which NumPy adds differs between processors.
        mean = fsum(numbers.tolist()) / len(numbers)
        off = numbers - mean
        # The squares of tiny deviations would be 0. By a power of two, which rounds nothing.
        unit = 1.0 if np.abs(off).max() > 1e-140 else 2.0**-700
        with np.errstate(over="ignore"):
            scale = sqrt(fsum(np.square(off / unit).tolist()) / len(numbers)) * unit
    except OverflowError:
        mean = scale = inf
    if not (isfinite(mean) and isfinite(scale)):
        rule = f"column {shown(name)} must have numbers whose mean and deviation are finite"
        raise ValueError(f"{rule}, got one of {np.abs(numbers).max():g}")
    return mean, scale or 1.0
