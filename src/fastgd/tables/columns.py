"""The encoding of one column of a table as inputs of a network, learned once and then applied."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass
from dataclasses import fields as fields_of
from functools import cached_property
from math import isfinite
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.formatting import many
from fastgd.checks.messages import shown
from fastgd.tables.amounts import numbers_like
from fastgd.tables.column_values import Cells, texts_shown
from fastgd.tables.dates import DateColumn
from fastgd.tables.moments import FloatArray


@dataclass(frozen=True)
class NumberColumn:
    """A standardized column of numbers; missing cells are filled with the median.

    If cells were missing when it was learned, a second input is 1 for missing cells and else 0. The
    numbers it was learned from are from ``low`` to ``high``; in old files both are 0.
    """

    name: str
    median: float
    mean: float
    scale: float
    flagged: bool
    notation: str = ""  # of amounts: $, km
    decimal: str = ""  # the decimal sign of strings; empty if the column held plain numbers
    low: float = 0.0
    high: float = 0.0

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
        """Yield lines about cells far from those learned, and missing ones if there were none.

        Far is farther from their range than it is wide.
        """
        # Halves, since the difference of two large numbers may overflow a float64.
        half = self.high / 2 - self.low / 2
        off = np.abs(self.numbers(cells) / 2 - (self.low / 4 + self.high / 4)) > 1.5 * half
        if half and off.any():
            yield (
                f"{self.name}: far outside {self.low:g} to {self.high:g}, the range in the "
                f"training table, in {many(int(off.sum()), 'row')} ({100 * off.mean():.2g} %)"
            )
        count = int(cells.missing.sum())
        if count and not self.flagged:
            yield (
                f"{self.name}: {cells.gaps}, and never in the training table: "
                f"filled with {self.median:g}, the median"
            )


@dataclass(frozen=True)
class TextColumn:
    """A one-hot encoded column of strings or booleans: one input per category.

    Rare strings, if there were too many, are the ``others``: they and unknown strings are 1 in a
    further input. If there are no others, an unknown string is 0 in all inputs. If cells were
    missing when it was learned, the last input is 1 for missing cells.
    """

    name: str
    categories: tuple[str, ...]
    flagged: bool
    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        other = (f"{self.name} other",) if self.others else ()
        flag = (f"{self.name} missing",) if self.flagged else ()
        return (*(f"{self.name}={category}" for category in self.categories), *other, *flag)

    def put(self, cells: Cells, inputs: FloatArray) -> None:
        """Fill in this column's inputs, (rows, inputs)."""
        places = self._places(cells)
        rows = np.flatnonzero(places >= 0)
        inputs[:] = 0.0
        inputs[rows, places[rows]] = 1.0

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the index of each cell's category, ``unknown`` for others, NaN where missing."""
        return np.where(cells.missing, np.nan, self._places(cells))

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about unknown categories, and about missing cells if there were none."""
        what = "these rows are among the others" if self.others else "these rows have no category"
        yield from _unknown(self.name, cells, self._known, what)
        if not self.flagged:
            yield from _never_missing(self.name, cells, "these rows have no category")

    @property
    def unknown(self) -> int:
        """The index of the input of all strings that are no category; -1 if there is none."""
        return len(self.categories) if self.others else -1

    @cached_property
    def places(self) -> dict[str | None, int]:
        """The index of the input of each category; None is a missing cell."""
        known: dict[str | None, int] = {category: k for k, category in enumerate(self.categories)}
        if set(self.categories) <= {"False", "True"}:  # written in other cases by other programs
            for way in (str.lower, str.upper):
                known |= {way(category): k for k, category in enumerate(self.categories)}
        if self.flagged:
            known[None] = len(self.names) - 1
        return known

    @cached_property
    def _known(self) -> set[str | None]:
        return {*self.places, *self.others}

    def _places(self, cells: Cells) -> NDArray[np.int64]:
        """The index of each cell's input, or -1."""
        places = _found(cells, self.places, self.unknown)
        return places if self.flagged else np.where(cells.missing, -1, places)


@dataclass(frozen=True)
class TargetColumn:
    """A column of strings as one number: the mean of the target for each category.

    The number of category k is ``values[k]``; that of an unknown string is ``unknown``, the mean
    over all rows, and that of a missing cell ``missing``. All are standardized.
    """

    name: str
    categories: tuple[str, ...]
    values: tuple[float, ...]
    unknown: float
    missing: float

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (self.name,)

    @property
    def flagged(self) -> bool:
        """Whether a further input is 1 for missing cells: never."""
        return False

    @cached_property
    def places(self) -> dict[str | None, int]:
        """The index of each category."""
        return {category: k for k, category in enumerate(self.categories)}

    def put(self, cells: Cells, inputs: FloatArray) -> None:
        """Fill in this column's input, (rows, 1)."""
        table = np.array([*self.values, self.unknown])  # of which -1 is the last
        numbers = table[_found(cells, self.places, -1)]
        inputs[:, 0] = np.where(cells.missing, self.missing, numbers)

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the index of each cell's category, -1 for unknown ones, NaN where missing."""
        return np.where(cells.missing, np.nan, _found(cells, self.places, -1))

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about unknown categories, and about missing cells if there were none."""
        what = "these rows have the mean"
        yield from _unknown(self.name, cells, self.places, what)
        if self.missing == self.unknown:
            yield from _never_missing(self.name, cells, what)


Column = NumberColumn | TextColumn | TargetColumn | DateColumn


def _found(cells: Cells, known: Mapping[str | None, int], unknown: int) -> NDArray[np.int64]:
    return np.array([known.get(text, unknown) for text in cells.texts], dtype=np.int64)


def _unknown(name: str, cells: Cells, known: Container[str | None], what: str) -> Iterator[str]:
    """A line about strings that are not known, and what becomes of their rows."""
    new = [text for text in cells.texts if text is not None and text not in known]
    if new:
        yield (
            f"{name}: {texts_shown(dict.fromkeys(new))} in {many(len(new), 'row')}: not in the "
            f"training table; {what}"
        )


def _never_missing(name: str, cells: Cells, what: str) -> Iterator[str]:
    count = int(cells.missing.sum())
    if count:
        yield (f"{name}: missing in {many(count, 'row')}, and never in the training table; {what}")


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
