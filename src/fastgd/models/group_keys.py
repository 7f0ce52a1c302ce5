"""The group of each row of a table, from its labels in one or more columns."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import shown
from fastgd.tables.column_values import cells_of, is_missing
from fastgd.tables.notations import dates_in

Columns = Mapping[str, NDArray[Any]]

_DATES = {"M": "M8[us]", "m": "m8[us]"}
"""One unit for each kind of date: the same table read again may have another unit."""


@dataclass(frozen=True, eq=False)
class Keys:
    """The groups of a table, sorted by their labels."""

    names: tuple[str, ...]
    levels: tuple[NDArray[Any], ...]  # the distinct labels of each column, sorted
    members: Integers  # (groups, columns): indices into levels of each group's labels

    @classmethod
    def learn(cls, columns: Columns, names: Sequence[str]) -> tuple[Keys, Integers]:
        """Return the groups, and the group index of each row, -1 where a label is missing.

        Examples
        --------
        >>> table = {"city": np.array(["Rome", "Oslo", "Rome"]), "floor": np.array([2, 1, 2])}
        >>> keys, codes = Keys.learn(table, ["city", "floor"])
        >>> list(keys), codes
        ([('Oslo', 1), ('Rome', 2)], array([1, 0, 1]))
        """
        found = [_levels(name, columns[name]) for name in names]
        codes = np.column_stack([column for _, column in found])
        labeled = (codes >= 0).all(axis=1)
        if not labeled.any():
            raise ValueError(
                f"by must have a label in at least one row, got none in "
                f"{', '.join(map(shown, names))}"
            )
        groups = np.full(len(codes), -1, np.int64)
        groups[labeled] = _numbered(codes[labeled])
        first = np.unique(groups[labeled], return_index=True)[1]
        return cls(tuple(names), tuple(own for own, _ in found), codes[labeled][first]), groups

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the labels, or tuples of labels if there are several columns."""
        columns = self.columns()
        return iter(columns[0]) if len(columns) == 1 else zip(*columns, strict=True)

    def columns(self) -> list[list[Any]]:
        """The labels of all groups, one list per column."""
        return [
            own[places].tolist() for own, places in zip(self.levels, self.members.T, strict=True)
        ]

    def codes(self, columns: Columns) -> Integers:
        """The group index of each row; -1 where no group has these labels."""
        for name in self.names:
            if name not in columns:
                raise ValueError(f"the table must have the column {shown(name)}, the group labels")
        own = zip(self.names, self.levels, strict=True)
        found = np.column_stack([_places(name, known, columns[name]) for name, known in own])
        known = np.flatnonzero((found >= 0).all(axis=1))
        numbers = _numbered(np.concatenate([self.members, found[known]]))
        place = np.full(numbers.max() + 1, -1, np.int64)
        place[numbers[: len(self)]] = np.arange(len(self))
        groups = np.full(len(found), -1, np.int64)
        groups[known] = place[numbers[len(self) :]]
        return groups

    def remarks(self, codes: Integers) -> list[str]:
        """Say that no row of a table has a group, if so."""
        if (codes >= 0).any():
            return []
        such = f"a label that is known, such as {shown(next(iter(self)))}"
        return [f"{', '.join(self.names)}: no row of this table has {such}"]

    def find(self, label: Any) -> int:
        """The index of the group with this label, or this tuple of labels; or KeyError."""
        labels = label if len(self.names) > 1 and isinstance(label, tuple) else (label,)
        if len(labels) == len(self.names):
            cells = [np.fromiter([one], dtype=object) for one in labels]
            found = int(self.codes(dict(zip(self.names, cells, strict=True)))[0])
            if found >= 0:
                return found
        raise KeyError(
            f"group must be one of the {len(self):,} groups, such as "
            f"{shown(next(iter(self)))}, got {shown(label)}"
        )


def _numbered(codes: Integers) -> Integers:
    """Number the distinct rows of (n, columns) codes in sorted order."""
    numbers = codes[:, 0]
    # Renumbered after each column: the product of all their counts might overflow an integer.
    for column in codes.T[1:]:
        numbers = np.unique(numbers, return_inverse=True)[1] * (column.max() + 1) + column
    return np.asarray(np.unique(numbers, return_inverse=True)[1])


def _levels(name: str, column: NDArray[Any]) -> tuple[NDArray[Any], Integers]:
    """The distinct labels of a column, sorted, and the index of each row's label, or -1."""
    labels, places = _different(name, column)
    known = labels[~is_missing(labels)]
    cells = known.tolist()
    kinds = set(map(_kind, cells))
    levels = np.array(cells) if known.dtype == object else known
    # A large int next to a small one would become a float, and a string may lose its end.
    is_kept = levels.dtype != object and levels.tolist() == cells
    if len(kinds) > 1 or kinds - {"text", "number", "date"} or not is_kept:
        raise _foreign(name, known)
    order = np.argsort(levels, kind="stable")
    renumbered = np.full(len(labels), -1, np.int64)
    renumbered[np.flatnonzero(~is_missing(labels))[order]] = np.arange(len(order))
    return levels[order], renumbered[places]


def _places(name: str, levels: NDArray[Any], column: NDArray[Any]) -> Integers:
    """The index of each row's label among known labels, or -1."""
    labels, places = _different(name, column)
    if (levels.dtype.kind == "M") != (labels.dtype.kind == "M"):
        levels, labels = (_dates_where_texts(name, one) for one in (levels, labels))
    known = {label: place for place, label in enumerate(levels.tolist())}
    found = np.array([known.get(label, -1) for label in labels.tolist()], np.int64)
    return np.asarray(found[places])


def _dates_where_texts(name: str, labels: NDArray[Any]) -> NDArray[Any]:
    """Labels as dates in UTC if they are texts of dates, as in a file; others as they are."""
    with suppress(TypeError, ValueError):
        known = cells_of(name, labels)
        if found := dates_in(name, known):
            return found[0]
    return labels


def _different(name: str, column: NDArray[Any]) -> tuple[NDArray[Any], Integers]:
    """The distinct labels of a column in any order, and the index of each row's label."""
    if column.dtype.kind in _DATES:
        column = column.astype(_DATES[column.dtype.kind])
    if column.dtype.kind in "biufmM":
        numbers, places = np.unique(column, return_inverse=True)
        return numbers, places
    # A dict tells strings apart in a third of the time that sorting takes.
    seen: dict[Any, int] = {}
    cells = column.tolist()
    try:
        places = np.fromiter((seen.setdefault(cell, len(seen)) for cell in cells), np.int64)
    except Exception as error:  # labels without a hash, or whose hash raises anything
        raise _foreign(name, column) from error
    labels = np.fromiter(seen, dtype=object, count=len(seen))
    if not any(map(_is_date, seen)):
        return labels, places
    # A pandas Period is the date where it starts, as in a column of its own dtype.
    labels[:] = [one.to_timestamp() if type(one).__name__ == "Period" else one for one in seen]
    dates, again = np.unique(cells_of(name, labels).values, return_inverse=True)  # in UTC
    return dates, again[places]


def _is_date(label: Any) -> bool:
    return issubclass(type(label), datetime.date) or type(label).__name__ == "Period"


def _kind(label: Any) -> str:
    if isinstance(label, str):
        return "text"
    if isinstance(label, (bool, int, float)):
        return "number"
    return "date" if type(label).__module__ == "datetime" else type(label).__name__


def _foreign(name: str, labels: NDArray[Any]) -> TypeError:
    kinds = {_kind(label): label for label in labels.tolist()}
    came = " and ".join(map(shown, list(kinds.values())[:2]))
    return TypeError(
        f"labels in {shown(name)} must be all strings, all 64-bit numbers (or booleans) or all "
        f"dates (datetime64), got {came}"
    )
