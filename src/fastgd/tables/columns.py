"""The encoding of one column of a table as inputs of a network, learned once and then applied."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass
from dataclasses import fields as fields_of
from math import fsum, inf, isfinite, sqrt
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.formatting import many
from fastgd.checks.messages import shown
from fastgd.tables.amounts import notation_text, numbers_like
from fastgd.tables.column_values import Cells, is_date_text, number_of, texts_shown

FloatArray = NDArray[np.float64]

_ROW_NUMBERS = ("", "id", "index", "row", "rowid", "row_id", "nr", "no")
"""Names of columns that may number the rows; pandas calls a nameless column "Unnamed: 0"."""


@dataclass(frozen=True)
class NumberColumn:
    """A standardized column of numbers; missing cells are filled with the median.

    If cells were missing when it was learned, a second input is 1 for missing cells and else 0.
    """

    name: str
    median: float
    mean: float
    scale: float
    flagged: bool
    notation: str = ""  # of amounts: $, km
    decimal: str = ""  # the decimal sign of strings; empty if the column held plain numbers

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (self.name, f"{self.name} missing") if self.flagged else (self.name,)

    def put(self, cells: Cells, inputs: FloatArray) -> None:
        """Fill in this column's inputs, (rows, inputs)."""
        missing = cells.missing
        values = self.numbers(cells)
        with np.errstate(over="ignore"):
            inputs[:, 0] = (np.where(missing, self.median, values) - self.mean) / self.scale
        if self.flagged:
            inputs[:, 1] = missing

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the cells as numbers, NaN where missing."""
        rule = f"column {shown(self.name)} must hold numbers, as in the training table"
        return numbers_like(self.name, cells, self.notation, self.decimal, rule)

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield a line about missing cells, if there were none when the column was learned."""
        count = int(cells.missing.sum())
        if count and not self.flagged:
            yield (
                f"{self.name}: {cells.gaps}, and never in the training table: "
                f"filled with {self.median:g}, the median"
            )


@dataclass(frozen=True)
class TextColumn:
    """A one-hot encoded column of strings or booleans: one input per category.

    If cells were missing when it was learned, a further input is 1 for missing cells. An unknown
    category is 0 in all inputs.
    """

    name: str
    categories: tuple[str, ...]
    flagged: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        flag = (f"{self.name} missing",) if self.flagged else ()
        return (*(f"{self.name}={category}" for category in self.categories), *flag)

    def put(self, cells: Cells, inputs: FloatArray) -> None:
        """Fill in this column's inputs, (rows, inputs)."""
        places = self._places(cells)
        rows = np.flatnonzero(places >= 0)
        inputs[:] = 0.0
        inputs[rows, places[rows]] = 1.0

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the index of each cell's category, -1 for an unknown one, NaN where missing."""
        return np.where(cells.missing, np.nan, self._places(cells))

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about unknown categories, and about missing cells if there were none."""
        places = self._places(cells)
        unknown = (places < 0) & ~cells.missing
        if unknown.any():
            new = texts_shown(dict.fromkeys(map(str, cells[unknown].texts)))
            yield (
                f"{self.name}: {new} in {many(int(unknown.sum()), 'row')}: not in the training "
                "table; these rows have no category"
            )
        count = int(cells.missing.sum())
        if count and not self.flagged:
            yield (
                f"{self.name}: missing in {many(count, 'row')}, and never in the training table; "
                "these rows have no category"
            )

    @property
    def places(self) -> dict[str | None, int]:
        """The index of the input of each cell that has one; None is a missing cell."""
        known: dict[str | None, int] = {category: k for k, category in enumerate(self.categories)}
        if set(self.categories) <= {"False", "True"}:  # written in other cases by other programs
            for way in (str.lower, str.upper):
                known |= {way(category): k for k, category in enumerate(self.categories)}
        if self.flagged:
            known[None] = len(self.categories)
        return known

    def _places(self, cells: Cells) -> NDArray[np.int64]:
        """The index of each cell's input, or -1."""
        known = self.places
        return np.array([known.get(text, -1) for text in cells.texts], dtype=np.int64)


Column = NumberColumn | TextColumn


def learn_column(
    name: str, cells: Cells, max_categories: int, *, standardize: bool
) -> tuple[Column | None, str]:
    """Return the encoding of a column, None if it is left out, and a line that explains it.

    The line is empty for numbers without missing cells.
    """
    rows, missing = len(cells.values), int(cells.missing.sum())
    if missing == rows:
        return None, f"{name}: left out: every cell is missing"
    if cells.kind == "dates":
        return None, _dates_left_out(name)
    if cells.kind == "numbers":
        return _learn_numbers(name, cells, standardize=standardize)
    counts = Counter(cells.values[~cells.missing].tolist())
    if all(map(is_date_text, counts)):
        return None, _dates_left_out(name)
    if len(counts) == 1 and not missing:
        return None, f"{name}: left out: every row has {texts_shown(counts)}"
    if len(counts) == rows > 2:
        return None, f"{name}: left out: every row has a different string"
    if len(counts) > max_categories:
        return None, (
            f"{name}: left out: {many(len(counts), 'different string')}, more than {max_categories}"
            f"{_almost_numbers(counts)}"
        )
    categories = tuple(sorted(counts))
    text = "true or false" if cells.kind == "booleans" else "text"
    note = f"{name}: {text}: an input for each of {texts_shown(categories)}"
    if len(categories) > 5:
        note += f" ({len(categories)})"
    if missing:
        note += f", and one for the {many(missing, 'row')} where it is missing"
    return TextColumn(name, categories, missing > 0), note


def _learn_numbers(name: str, cells: Cells, *, standardize: bool) -> tuple[Column | None, str]:
    numbers = cells.values[~cells.missing]
    missing = len(cells.values) - len(numbers)
    low, high = float(numbers.min()), float(numbers.max())
    if low == high and not missing:
        return None, f"{name}: left out: every row has {low:g}"
    if not missing and _numbers_rows(name, numbers):
        return None, f"{name}: left out: it numbers the rows"
    # Halves, since the sum of two large numbers may overflow a float64.
    median = float(np.median(numbers / 2) * 2)
    mean, scale = moments(name, numbers) if standardize else (0.0, 1.0)
    notes = [notation_text(cells)]
    if missing:
        notes.append(f"{cells.gaps}: filled with {median:g}, the median, and flagged by an input")
    note = "; ".join(filter(None, notes))
    column = NumberColumn(name, median, mean, scale, missing > 0, cells.notation, cells.decimal)
    return column, f"{name}: {note}" if note else ""


def moments(name: str, numbers: FloatArray) -> tuple[float, float]:
    """Mean and standard deviation of a column; the deviation of a constant column is 1.

    Raises
    ------
    ValueError
        If the mean or the deviation overflows float64.

    Examples
    --------
    >>> moments("age", np.array([1.0, 3.0]))
    (2.0, 1.0)
    """
    if numbers.min() == numbers.max():
        return float(numbers[0]), 1.0
    try:
        # Exact sums: the order in which NumPy adds differs between processors.
        mean = fsum(numbers.tolist()) / len(numbers)
        with np.errstate(over="ignore"):
            scale = sqrt(fsum(np.square(numbers - mean).tolist()) / len(numbers))
    except OverflowError:
        mean = scale = inf
    if not (isfinite(mean) and isfinite(scale)):
        largest = float(np.abs(numbers).max())
        raise ValueError(
            f"column {shown(name)} must have numbers whose mean and deviation are finite, "
            f"got one of {largest:g}"
        )
    return mean, scale or 1.0


def _numbers_rows(name: str, numbers: FloatArray) -> bool:
    known = name.strip().lower() in _ROW_NUMBERS or name.startswith("Unnamed: ")
    return known and len(np.unique(numbers)) == len(numbers) and not (numbers % 1).any()


def _dates_left_out(name: str) -> str:
    return f"{name}: left out: dates (give what matters of them as numbers: month, age, ...)"


def _almost_numbers(counts: Counter[str]) -> str:
    """Name the strings that keep a column from being numeric, if they are few."""
    odd = [text for text in counts if number_of(text.replace(",", ".")) is None]
    if len(odd) > len(counts) // 10:
        return ""
    return f": they'd be numbers without {texts_shown(map(shown, odd))}" if odd else ""


def to_fields(value: Any, kinds: Mapping[str, type[Any]]) -> dict[str, Any]:
    """The fields of an instance of one of these dataclasses, for JSON, and its kind."""
    kind = next(name for name, known in kinds.items() if isinstance(value, known))
    return {"kind": kind, **asdict(value)}


def from_fields(fields: Mapping[str, Any], kinds: Mapping[str, type[Any]]) -> Any:
    """Restore what :func:`to_fields` returned; each field must have its declared type.

    A field that has a default may be missing: it is younger than the file.
    """
    kind = kinds[fields["kind"]]
    types = get_type_hints(kind)
    needed = {"kind", *(field.name for field in fields_of(kind) if field.default is MISSING)}
    if not needed <= fields.keys() <= {"kind", *types}:
        raise ValueError(f"other fields than those of {kind.__name__}: {list(fields)}")
    own = {name: checked(fields[name], types[name]) for name in types if name in fields}
    return kind(**own)


def checked(value: Any, kind: Any) -> Any:
    """Return a value from JSON, which must have this type; numbers must be finite."""
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(checked(item, get_args(kind)[0]) for item in value)
    is_own = value in get_args(kind) if get_origin(kind) is Literal else isinstance(value, kind)
    if not is_own or (kind is float and not isfinite(value)):
        raise TypeError(f"must be {kind}, got {value!r}")
    return value
