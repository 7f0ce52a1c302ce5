"""The encoding of one column of a table as inputs of a network, learned once and then applied."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, replace
from dataclasses import fields as fields_of
from functools import cached_property
from math import isfinite
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np

from fastgd.checks.messages import many, shown
from fastgd.tables.column_values import Cells, FloatArray, texts_shown
from fastgd.tables.columns import DateColumn
from fastgd.tables.notations import numbers_like


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
        values = self.numbers(cells)
        missing = np.isnan(values)
        with np.errstate(over="ignore"):
            inputs[:, 0] = (np.where(missing, self.median, values) - self.mean) / self.scale
        if self.flagged:
            inputs[:, 1] = missing

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the cells as numbers, NaN where missing."""
        rule = f"column {shown(self.name)} must hold numbers, as in the training table"
        found = numbers_like(self.name, cells, self.notation, self.decimal, rule)
        return np.where(np.isinf(found), np.nan, found)  # "inf"

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about cells far from those learned, and missing ones if there were none.

        Far is farther from their range than it is wide.
        """
        # Halves, since the difference of two large numbers may overflow a float64.
        half = self.high / 2 - self.low / 2
        numbers = self.numbers(cells)
        off = np.abs(numbers / 2 - (self.low / 4 + self.high / 4)) > 1.5 * half
        if half and off.any():
            yield (
                f"{self.name}: far outside {self.low:g} to {self.high:g}, the range in the "
                f"training table, in {many(int(off.sum()), 'row')} ({100 * off.mean():.3g} %)"
            )
        if not self.flagged:
            gaps = cells if cells.kind == "numbers" else replace(cells, missing=np.isnan(numbers))
            yield from gaps.new_gaps(self.name, f": filled with {self.median:g}, the median")


@dataclass(frozen=True)
class StringColumn:
    """A column of strings or booleans, in categories; other strings are unknown."""

    name: str
    categories: tuple[str, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """The index of each category."""
        return {category: k for k, category in enumerate(self.categories)}

    @property
    def unknown_code(self) -> int:
        """The number of unknown strings."""
        return -1

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the index of each cell's category, that of unknown strings, NaN where missing."""
        found = [self.places.get(text or "", self.unknown_code) for text in cells.texts]
        return np.where(cells.missing, np.nan, found)

    def _remarks(self, cells: Cells, known: Container[str], new: str, gap: str) -> Iterator[str]:
        """Say in which rows strings are not known, or missing for the first time if ``gap``."""
        texts = [text for text in cells.texts if text is not None and text not in known]
        if texts:
            yield (
                f"{self.name}: {texts_shown(dict.fromkeys(texts))} in {many(len(texts), 'row')}: "
                f"not in the training table; {new}"
            )
        if gap:
            yield from cells.new_gaps(self.name, f"; {gap}")


@dataclass(frozen=True)
class TextColumn(StringColumn):
    """A one-hot encoded column of strings or booleans: one input per category.

    Rare strings, if there were too many, are the ``others``: they and unknown strings are 1 in a
    further input. If there are no others, an unknown string is 0 in all inputs. If cells were
    missing when it was learned, the last input is 1 for missing cells.
    """

    flagged: bool
    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        other = (f"{self.name} other",) if self.others else ()
        flag = (f"{self.name} missing",) if self.flagged else ()
        return (*(f"{self.name}={category}" for category in self.categories), *other, *flag)

    @cached_property
    def places(self) -> dict[str, int]:
        """The index of each category; booleans have other cases in files of other programs."""
        ways = (str, str.lower, str.upper) if set(self.categories) <= {"False", "True"} else (str,)
        return {way(text): k for way in ways for k, text in enumerate(self.categories)}

    @property
    def unknown_code(self) -> int:
        """The number of unknown strings: the index of their input, -1 if there is none."""
        return len(self.categories) if self.others else -1

    def put(self, cells: Cells, inputs: FloatArray) -> None:
        """Fill in this column's inputs, (rows, inputs)."""
        places = self.numbers(cells)
        if self.flagged:
            places[cells.missing] = len(self.names) - 1
        rows = np.flatnonzero(places >= 0)
        inputs[:] = 0.0
        inputs[rows, places[rows].astype(np.int64)] = 1.0

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about unknown strings, and about missing cells if there were none."""
        none = "these rows have no category"
        new = "these rows are among the others" if self.others else none
        known = {*self.places, *self.others}
        return self._remarks(cells, known, new, "" if self.flagged else none)


@dataclass(frozen=True)
class TargetColumn(StringColumn):
    """A column of strings as one number: the mean of the target for each category.

    The number of category k is ``values[k]``; that of an unknown string is ``unknown``, the mean
    over all rows, and that of a missing cell ``missing``. All are standardized.
    """

    values: tuple[float, ...]
    unknown: float
    missing: float

    flagged: ClassVar[bool] = False
    """Whether a further input is 1 for missing cells."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (self.name,)

    def put(self, cells: Cells, inputs: FloatArray) -> None:
        """Fill in this column's input, (rows, 1)."""
        table = np.array([*self.values, self.unknown])  # the last is the one of index -1
        places = np.where(cells.missing, -1, self.numbers(cells)).astype(np.int64)
        inputs[:, 0] = np.where(cells.missing, self.missing, table[places])

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about unknown strings, and about missing cells if there were none."""
        mean = "these rows have the mean"
        gap = mean if self.missing == self.unknown else ""
        return self._remarks(cells, self.places, mean, gap)


Column = NumberColumn | TextColumn | TargetColumn | DateColumn


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
