"""The inputs of a network from a table: its columns are selected, encoded as learned once."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import did_you_mean, first_names, many, shortened, shown
from fastgd.checks.numbers import FloatArray, check_memory, check_seed, each_of, integer, numbers_of
from fastgd.tables.column_values import Cells, cells_of, columns_of
from fastgd.tables.columns import (
    MOST_CATEGORIES,
    Column,
    DateColumn,
    Decisions,
    Encoding,
    Learned,
    NumberColumn,
    StringColumn,
    TargetColumn,
    TextColumn,
    checked,
    from_fields,
    learn_column,
    to_fields,
)
from fastgd.tables.notations import numbers_written


def names_text(names: Sequence[str]) -> str:
    """The first column names, joined by commas, each shortened to 40 characters."""
    return first_names([shortened(name, 40) for name in names])


def column_name(argument: str, name: object) -> str:
    """Return the name of a column as a string; in a DataFrame it may be an int."""
    if not isinstance(name, str) and integer(name) is None:
        raise TypeError(f"{argument} must name a column of the table, got {shown(name)}")
    return str(name)


def column_names(argument: str, given: object, columns: Collection[str]) -> list[str]:
    """Return the names of some columns of a table, each once; ``argument`` is for messages."""
    rule = f"{argument} must be a list of column names"
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise TypeError(f"{rule}, got {shown(given)}")
    found: dict[str, None] = {}
    for one in each_of(given, rule):  # an endless iterable fails at its first repeat
        name = column_name(argument, one)
        if name not in columns:
            guess = f"{did_you_mean(name, columns)}; its columns: {names_text(list(columns))}"
            raise ValueError(f"{argument} must be a column of the table, got {shown(name)}{guess}")
        if name in found:
            raise ValueError(f"{argument} must name each column once, got {shown(name)} twice")
        found[name] = None
    return list(found)


def check_lengths(columns: Mapping[str, NDArray[Any] | Cells]) -> None:
    """Raise if columns differ in length."""
    for name, column in columns.items():
        shape, first = column.shape, next(iter(columns))
        if len(shape) != 1:
            raise ValueError(f"column {shown(name)} must have shape (rows,), got shape {shape}")
        if shape != columns[first].shape:
            rule = f"columns must all have shape {columns[first].shape}, as {shown(first)}"
            raise ValueError(f"{rule}, got shape {shape} of {shown(name)}")


def _by_name(table: Any) -> Mapping[str, Any]:
    return table if isinstance(table, Mapping) else columns_of(table)


def some_rows(columns: Mapping[str, Any], rows: NDArray[Any]) -> dict[str, Any]:
    """Return some rows of all columns, selected by indices or by a boolean mask."""
    return {name: column[rows] for name, column in columns.items()}


def with_targets(
    columns: Mapping[str, NDArray[Any] | Cells],
    targets: Sequence[str],
    unparsed: Collection[str] = (),
    *,
    learning: bool = True,
) -> tuple[dict[str, Any], list[str]]:
    """Parse columns, and return the rows that have all targets, and a note if any were left out.

    Amounts become numbers where something is learned from the table. It raises ValueError if no row
    has all targets; what is in the rows left out doesn't matter.

    Examples
    --------
    >>> columns = {"x": np.array([1, 2]), "y": np.array([np.nan, 3])}
    >>> cells, notes = with_targets(columns, ["y"], unparsed=["x"])
    >>> cells["x"], cells["y"].values, notes
    (array([2]), array([3.]), ['y: missing in 1 row, left out'])
    """
    check_lengths(columns)
    parsed = numbers_written if learning else cells_of
    cells = {name: parsed(name, columns[name]) for name in targets}
    missing = np.any([cells[name].missing for name in targets], axis=0)
    if missing.all():
        who = f"targets {names_text(targets)} must all"
        who = who if len(targets) > 1 else f"target {shown(targets[0])} must"
        raise ValueError(f"{who} have a value in at least one row, got none")
    for name, column in columns.items():
        if name in (*targets, *unparsed):
            continue
        if not isinstance(column, Cells) and column.dtype.kind in {"f", "O"}:
            # Without what is in other rows; messages still count the rows of the whole table.
            column = column.copy()
            column[missing] = None  # becomes NaN among numbers
        cells[name] = parsed(name, column)
    return without({**columns, **cells}, missing, targets)


def without(
    columns: Mapping[str, Any], missing: NDArray[np.bool_], names: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the rows where these columns aren't missing, and a note if any were left out."""
    count = int(missing.sum())
    if not count:
        return dict(columns), []
    one = columns[names[0]] if len(names) == 1 else None
    gaps = one.gaps if isinstance(one, Cells) else f"missing in {many(count, 'row')}"
    note = f"{names_text(names)}: {gaps}, left out"
    return some_rows(columns, ~missing), [note]


_KINDS: dict[str, type[Column]] = {
    "number": NumberColumn,
    "text": TextColumn,
    "target": TargetColumn,
    "dates": DateColumn,
}


@dataclass(frozen=True)
class Preparation:
    """The encoding of columns as inputs, learned from a training table.

    Attributes
    ----------
    columns : tuple of NumberColumn, TextColumn, TargetColumn and DateColumn
        The columns that are used, in the order of the table.
    left_out : tuple of str
        The columns of the table that are not used.
    notes : tuple of str
        The decisions about columns, one line each.
    """

    columns: tuple[Column, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def learn(
        cls,
        columns: Mapping[str, ArrayLike | Cells],
        *,
        max_categories: int = MOST_CATEGORIES,
        standardize: bool = True,
        drop: Collection[str] = (),
        keep: Collection[str] = (),
        encoding: Encoding = "one-hot",
        y: FloatArray | None = None,
        seed: int = 0,
        bins: int = 0,
        clip: bool = False,
    ) -> Preparation:
        """Decide from a table how each column is encoded.

        - Numbers are standardized: their mean is subtracted, and the result is divided by their
          standard deviation. With ``bins`` or ``clip``, columns of more than two different numbers
          are encoded otherwise.
        - Missing numbers are filled with the median, and a second input is 1 for these rows.
        - Strings and booleans are one-hot encoded: one input per category. If there are more than
          ``max_categories``, the most frequent of those seen at least twice have an input each, and
          all others share one; with ``encoding="target"`` the column becomes one number instead.
        - Dates become elapsed days, the year, and sine and cosine of month, day and hour; times of
          day the time, and sine and cosine of the hour; durations a number of days.
        - Left out are empty columns, constant columns, and, unless ``keep`` names them, columns of
          strings of which hardly one is frequent, and whole numbers that number the rows: nearly
          all different, and in a column with such a name (id, index, row, no, customer_id) or
          nearly consecutive, or in order and evenly spaced. If there is no other column to learn
          from, these numbers are used.

        Parameters
        ----------
        columns : mapping of str to (rows,) array_like
            Numbers (NaN where missing), booleans, strings (None where missing) or dates; or a
            DataFrame.
        max_categories : int
            The most inputs for strings of one column.
        standardize : bool
            If False, numbers are used as they are.
        drop : collection of str
            Columns to leave out.
        keep : collection of str
            Columns to use even if they only number or name the rows.
        encoding : {"one-hot", "target"}
            What becomes of columns with more than ``max_categories`` strings: with "target" the
            mean of the target for each of them, as learned by scikit-learn's TargetEncoder.
        y : (rows, outputs) array, optional
            The encoded targets, for ``encoding="target"``: numbers, or two classes.
        seed : int
            Seed of the folds of ``encoding="target"``.
        bins : int
            If above 0, this number of piecewise-linear inputs for a column of numbers, between
            their quantiles (Gorishniy and others 2022, "On Embeddings for Numerical Features in
            Tabular Deep Learning", equation 1). Fewer where quantiles are equal.
        clip : bool
            If True, numbers far beyond their quartiles are clipped smoothly (RealMLP: Holzmüller
            and others 2024, "Better by Default", section 3.2), unless there are ``bins``.

        Raises
        ------
        ValueError, TypeError
            If the columns are not as described, or none of them can be used.
        ImportError
            If ``encoding="target"`` needs scikit-learn, and it is not installed.

        Examples
        --------
        >>> table = {"age": [31, None, 52, 40], "city": ["Rome", "Oslo", "Rome", "Oslo"]}
        >>> preparation = Preparation.learn(table)
        >>> preparation.names
        ('age', 'age missing', 'city=Oslo', 'city=Rome')
        >>> preparation.notes[0]
        'age: missing in 1 row: filled with 40, the median, and flagged by an input'
        >>> preparation.transform(table).round(1)
        array([[-1.2,  0. ,  0. ,  1. ],
               [-0.1,  1. ,  1. ,  0. ],
               [ 1.3,  0. ,  0. ,  1. ],
               [-0.1,  0. ,  1. ,  0. ]])
        """
        columns = _by_name(columns)
        y, seed = None if y is None else numbers_of("y", y), check_seed(seed)
        given = drop, max_categories, standardize, keep, encoding, y, seed, bins, clip
        return cls.learn_from(columns, slice(None), Decisions(*given))[0]

    @classmethod
    def learn_from(
        cls,
        columns: Mapping[str, ArrayLike | Cells],
        rows: Any,
        decisions: Decisions,
        before: Preparation | None = None,
    ) -> tuple[Preparation, FloatArray]:
        """Learn from some rows of a table, and encode all of them, to train and to validate.

        Returns what :meth:`learn` does, and the inputs of all rows. These are those of
        :meth:`transform`, but with ``encoding="target"`` a row's mean of the target is
        cross-fitted: learned from other rows, so that it doesn't contain its own target.

        A preparation ``before``, learned from some of the rows, has decided which columns are used,
        and which of them become the mean of the target.
        """
        decisions.check()
        decisions.check_targets()
        drop = column_names("drop", decisions.drop, columns)
        keep = column_names("keep", decisions.keep, columns)
        if both := [name for name in drop if name in keep]:
            raise ValueError(f"keep must not name a column of drop, got {shown(both[0])}")
        table = _cells(
            {name: numbers_written(name, columns[name]) for name in columns if name not in drop}
        )
        if table and (y := decisions.y) is not None:
            size = len(next(iter(table.values())).values)
            if y.ndim != 2 or len(y) != size:
                raise ValueError(f"y must have shape ({size}, outputs), got shape {y.shape}")
            decisions = decisions._replace(y=y[rows])
        cells = some_rows(table, rows)
        found = {
            name: before._again(name, one, decisions)
            if before
            else learn_column(name, one, decisions, "keep names it" if name in keep else "")
            for name, one in cells.items()
        }
        if all(one.column is None for one in found.values()):
            alone = "there is no other column to learn from"
            for name in [name for name, one in cells.items() if one.kind == "numbers"]:
                found[name] = learn_column(name, cells[name], decisions, alone)
        encodings = {name: one.column for name, one in found.items() if one.column is not None}
        notes = [one.note for one in found.values() if one.note]
        if not encodings:
            reasons = f" ({'; '.join(notes)})" if notes else ""
            raise ValueError(f"the table must have a column to learn from, got none{reasons}")
        numbers = {name: one for name, one in encodings.items() if isinstance(one, NumberColumn)}
        ways = {name: _way(one) for name, one in numbers.items() if decisions.standardize}
        for way in sorted({*ways.values()}):
            names = [name for name, own in ways.items() if own == way]
            notes.append(f"numbers {way}: {first_names(names)}")
        left_out = tuple(name for name in columns if name not in encodings)
        preparation = cls(tuple(encodings.values()), left_out, tuple(notes))
        inputs, at = preparation.transform(table), 0
        for name, column in encodings.items():
            if (own := found[name].inputs) is not None:
                inputs[rows, at] = own
            at += len(column.names)
        return preparation, inputs

    def _again(self, name: str, cells: Cells, decisions: Decisions) -> Learned:
        """Learn a column from more rows, if it is used."""
        said = next((note for note in self.notes if note.startswith(f"{name}: ")), "")
        if name in self.left_out:
            return Learned(None, said)
        own = isinstance(next(one for one in self.columns if one.name == name), TargetColumn)
        decisions = decisions._replace(encoding="target" if own else "one-hot")
        why = said.partition("is used: ")[2].partition("; ")[0]
        why = why or "it doesn't number the training rows"
        return learn_column(name, cells, decisions, why)

    def reaching(self, numbers: FloatArray) -> Preparation:
        """Return it with the ranges of these rows, as of :meth:`numbers`."""
        found = list(self.columns)
        for k, (one, own) in enumerate(zip(self.columns, numbers.T, strict=True)):
            low, high = float(np.nanmin(own)), float(np.nanmax(own))
            if isinstance(one, NumberColumn):
                found[k] = replace(one, low=low, high=high)
            elif isinstance(one, DateColumn):
                found[k] = replace(one, first=low, last=high)
        return replace(self, columns=tuple(found))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(name for column in self.columns for name in column.names)

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of the columns whose cells are read as strings, even if they look like numbers."""
        return tuple(one.name for one in self.columns if isinstance(one, StringColumn))

    def transform(self, columns: Mapping[str, ArrayLike | Cells]) -> FloatArray:
        """Encode a table with the same columns, in any order, as (rows, inputs).

        Raises
        ------
        ValueError, TypeError
            If a column is missing, or holds another kind of values; the message names it.
        """
        cells, names = self.cells(columns), self.names
        rows = len(cells[self.columns[0].name].values)
        check_memory(8 * rows * len(names), "the table")
        inputs, at = np.empty((rows, len(names))), 0
        for column in self.columns:
            width = len(column.names)
            column.put(column.numbers(cells[column.name]), inputs[:, at : at + width])
            at += width
        finite = np.isfinite(inputs)
        if not finite.all():
            row, place = map(int, np.unravel_index(int(finite.argmin()), finite.shape))
            owner = [column.name for column in self.columns for _ in column.names][place]
            rule = f"column {shown(owner)} must have numbers like the training table's"
            raise ValueError(f"{rule}, got one far too large in row {cells[owner].row(row):,}")
        return inputs

    def numbers(self, columns: Mapping[str, ArrayLike | Cells]) -> FloatArray:
        """Return a table as rows of numbers, (rows, columns), as an exported model takes them.

        They are in the order of ``columns``: numbers; for strings the index of the category, for
        those without one the number of categories if they share an input, else -1; for dates the
        days since 1970-01-01 UTC. All are NaN where missing.

        Raises
        ------
        ValueError, TypeError
            As :meth:`transform`.

        Examples
        --------
        >>> learned = Preparation.learn({"age": [31, 52, 40], "city": ["Rome", "Oslo", "Rome"]})
        >>> learned.numbers({"city": ["Rome", "Bonn", None], "age": [20, 30, None]})
        array([[20.,  1.],
               [30., -1.],
               [nan, nan]])
        """
        cells = self.cells(columns)
        return np.stack([column.numbers(cells[column.name]) for column in self.columns], axis=1)

    def remarks(
        self, columns: Mapping[str, ArrayLike | Cells], known: Collection[str] | None = None
    ) -> list[str]:
        """Say how a table's cells differ from those of the training table, one line each.

        That is: unknown categories, cells missing in a column that had none missing, and numbers
        that are farther from the training table's range than it is wide. With the names of
        ``known`` columns that are no inputs, the last line names those that are not used.

        Examples
        --------
        >>> preparation = Preparation.learn({"city": ["Rome", "Oslo", "Rome"]})
        >>> for remark in preparation.remarks({"city": ["Bonn", "Rome"]}):
        ...     print(remark)
        city: Bonn in 1 row: not in the training table; these rows have no category
        """
        columns = _by_name(columns)
        cells = self.cells(columns)
        lines = [line for column in self.columns for line in column.remarks(cells[column.name])]
        names = {*cells, *self.left_out, *(columns if known is None else known)}
        unused = [name for name in columns if name not in names]
        return [*lines, f"Not used: {', '.join(unused)}"] if unused else lines

    def cells(self, columns: Mapping[str, ArrayLike | Cells]) -> dict[str, Cells]:
        """Return the parsed columns that are used, for several calls of the methods above."""
        return _cells(self.used(columns))

    def used(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns that are used; raise ValueError if one is missing."""
        columns = _by_name(columns)
        absent = [column.name for column in self.columns if column.name not in columns]
        if absent:
            some = f"the {'column' if len(absent) == 1 else 'columns'} {first_names(absent)}"
            rule = f"the table must have {some}, as the training table"
            raise ValueError(f"{rule}; its columns: {first_names(list(columns))}")
        return {column.name: columns[column.name] for column in self.columns}

    def to_json(self) -> str:
        """Return it as JSON.

        Examples
        --------
        >>> preparation = Preparation.learn({"age": [31, 52, 40]})
        >>> Preparation.from_json(preparation.to_json()) == preparation
        True
        """
        columns = [to_fields(column, _KINDS) for column in self.columns]
        return json.dumps({"columns": columns, "left_out": self.left_out, "notes": self.notes})

    @classmethod
    def from_json(cls, text: str) -> Preparation:
        """Restore what :meth:`to_json` returned; raise ValueError if the text is corrupt."""
        try:
            found = json.loads(text)
            columns = tuple(from_fields(fields, _KINDS) for fields in found["columns"])
            if not columns or any(getattr(one, "scale", 1.0) <= 0 for one in columns):
                raise ValueError("no column, or a scale that is not above 0")
            numbers = [one for one in columns if isinstance(one, NumberColumn)]
            widths = [high - low for one in numbers for low, high in pairwise(one.bins)]
            if not all(0 < width < inf for width in widths):
                raise ValueError("bins that don't increase")
            odd = (one.clip < 0 or len(one.bins) == 1 or (one.clip and one.bins) for one in numbers)
            if any(odd):
                raise ValueError("a bound that is below 0, or no number of bins")
            means = [one for one in columns if isinstance(one, TargetColumn)]
            if any(len(one.values) != len(one.categories) for one in means):
                raise ValueError("a category without a value")
            left_out, notes = (checked(found[n], tuple[str, ...]) for n in ("left_out", "notes"))
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise ValueError("the preparation of the table is corrupt") from error
        return cls(columns, left_out, notes)


def _way(column: NumberColumn) -> str:
    if column.bins:
        return "in piecewise-linear bins"
    return "scaled by quartiles and clipped smoothly" if column.clip else "standardized"


def _cells(columns: Mapping[str, ArrayLike | Cells]) -> dict[str, Cells]:
    cells = {name: cells_of(name, column) for name, column in columns.items()}
    check_lengths(cells)
    if any(one.shape == (0,) for one in cells.values()):
        raise ValueError("the table must have a row, got 0 rows")
    return cells
