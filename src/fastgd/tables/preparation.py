"""How the columns of a table become the inputs of a network: learned once, then applied."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.formatting import first_names, many
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.checks.values import check_count, check_flag
from fastgd.tables.column_values import Cells, cells_of
from fastgd.tables.columns import Column, FloatArray, NumberColumn, TextColumn, learn_column

MOST_CATEGORIES = 50
"""A column with more different texts than that is rather one of names."""

_KINDS: dict[str, type[Column]] = {"number": NumberColumn, "text": TextColumn}


@dataclass(frozen=True)
class Preparation:
    """How columns become inputs: what was learned from a table.

    Attributes
    ----------
    columns : tuple of NumberColumn and TextColumn
        Those that are used, in the order of the table.
    left_out : tuple of str
        Columns of the table that are not.
    notes : tuple of str
        Each choice in a line.
    """

    columns: tuple[Column, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def learn(
        cls,
        columns: Mapping[str, ArrayLike],
        *,
        max_categories: int = MOST_CATEGORIES,
        standardize: bool = True,
        drop: Collection[str] = (),
    ) -> Preparation:
        """Look at a table, and decide what becomes of each column.

        - Numbers are standardised: minus their mean, divided by their standard deviation.
        - Missing numbers become the median, and a second input is 1 for these rows.
        - Texts and booleans become an input for each category.
        - Left out are dates, columns without a number or text or with the same one in every row,
          texts that all differ or are more than ``max_categories``, and whole numbers that number
          the rows in a column that is named so (id, index, row, no).

        Parameters
        ----------
        columns : mapping of str to (rows,) array_like
            Numbers (NaN where one is missing), booleans, texts (None where one is missing) or
            dates. ``fastgd.tables.frames.columns_of`` makes them of a DataFrame.
        max_categories : int
            How many different texts a column may have.
        standardize : bool
            False leaves numbers as they are.
        drop : collection of str
            Columns to leave out.

        Raises
        ------
        ValueError, TypeError
            If the columns are not as described, or none of them is left.

        Examples
        --------
        >>> table = {"age": [31, None, 52, 40], "city": ["Rome", "Oslo", "Rome", "Oslo"]}
        >>> preparation = Preparation.learn(table)
        >>> preparation.names
        ('age', 'age missing', 'city=Oslo', 'city=Rome')
        >>> preparation.notes[0]
        'age: missing in 1 row: taken as 40, the median, and an input says where'
        >>> preparation.transform(table).round(1)
        array([[-1.2,  0. ,  0. ,  1. ],
               [-0.1,  1. ,  1. ,  0. ],
               [ 1.3,  0. ,  0. ,  1. ],
               [-0.1,  0. ,  1. ,  0. ]])
        """
        most = check_count("max_categories", max_categories, minimum=0)
        standardize = check_flag("standardize", standardize)
        for name in drop:
            if name not in columns:
                raise ValueError(f"drop must name columns of the table, got {shown(name)}")
        kept = {name: column for name, column in columns.items() if name not in drop}
        used: list[Column] = []
        notes: list[str] = []
        for name, cells in _cells(kept).items():
            column, note = learn_column(name, cells, most, standardize=standardize)
            used += [] if column is None else [column]
            notes += [note] if note else []
        if not used:
            why = f" ({'; '.join(notes)})" if notes else ""
            raise ValueError(f"the table must have a column to learn from, got none{why}")
        numbers = [column.name for column in used if isinstance(column, NumberColumn)]
        if numbers and standardize:
            notes.append(f"numbers standardised: {first_names(numbers)}")
        names = {column.name for column in used}
        left_out = tuple(name for name in columns if name not in names)
        return cls(tuple(used), left_out, tuple(notes))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(name for column in self.columns for name in column.names)

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of the columns that are read as texts, whatever is in them."""
        return tuple(column.name for column in self.columns if isinstance(column, TextColumn))

    def transform(self, columns: Mapping[str, ArrayLike]) -> FloatArray:
        """Return the (rows, inputs) of a table that has the same columns, in whatever order.

        Raises
        ------
        ValueError, TypeError
            If a column is missing, or holds something else; the message names it.
        """
        cells = self._cells(columns)
        rows = len(next(iter(cells.values())).values)
        check_memory(8 * rows * len(self.names), "the table")
        inputs = np.empty((rows, len(self.names)))
        at = 0
        for column in self.columns:
            column.put(cells[column.name], inputs[:, at : at + len(column.names)])
            at += len(column.names)
        finite = np.isfinite(inputs)
        if not finite.all():
            row, place = np.unravel_index(int(finite.argmin()), finite.shape)
            raise ValueError(
                f"column {shown(self.names[place])} must have numbers like those that were learned,"
                f" got one far too large in row {int(row) + 1:,}"
            )
        return inputs

    def remarks(self, columns: Mapping[str, ArrayLike]) -> list[str]:
        """Say what a table has in its cells that the learned one had not, a line each.

        That is unknown categories, and cells that are missing for the first time.

        Examples
        --------
        >>> preparation = Preparation.learn({"city": ["Rome", "Oslo", "Rome"]})
        >>> for remark in preparation.remarks({"city": ["Bonn", "Rome"]}):
        ...     print(remark)
        city: Bonn in 1 row: unknown, since the table that was learned had none; these rows are of \
no category
        """
        cells = self._cells(columns)
        return [line for column in self.columns for line in column.remarks(cells[column.name])]

    def unused(self, columns: Mapping[str, ArrayLike]) -> list[str]:
        """Return the names of columns that the learned table had not."""
        known = {*(column.name for column in self.columns), *self.left_out}
        return [name for name in columns if name not in known]

    def _cells(self, columns: Mapping[str, ArrayLike]) -> dict[str, Cells]:
        lacking = [column.name for column in self.columns if column.name not in columns]
        if lacking:
            raise ValueError(
                f"the table must have the {'column' if len(lacking) == 1 else 'columns'} "
                f"{first_names(lacking)}, as the one that was learned; "
                f"its columns: {first_names(list(columns))}"
            )
        return _cells({column.name: columns[column.name] for column in self.columns})

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return it as arrays that an ``.npz`` file holds without pickle.

        Examples
        --------
        >>> preparation = Preparation.learn({"age": [31, 52, 40]})
        >>> Preparation.from_arrays(preparation.to_arrays()) == preparation
        True
        """
        kinds = {kind: name for name, kind in _KINDS.items()}
        facts = {
            "columns": [{"kind": kinds[type(c)], **asdict(c)} for c in self.columns],
            "left_out": self.left_out,
            "notes": self.notes,
        }
        return {"preparation": np.array(json.dumps(facts))}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Preparation:
        """Return what :meth:`to_arrays` wrote.

        Raises
        ------
        ValueError
            If the arrays are damaged.
        """
        try:
            facts = json.loads(str(arrays["preparation"][()]))
            columns = tuple(_column(dict(fields)) for fields in facts["columns"])
            if not columns:
                raise ValueError("no column")
            return cls(columns, _strings(facts["left_out"]), _strings(facts["notes"]))
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise ValueError("the preparation of the table is damaged") from error


def _cells(columns: Mapping[str, ArrayLike]) -> dict[str, Cells]:
    cells = {name: cells_of(name, column) for name, column in columns.items()}
    sizes = {name: len(column.values) for name, column in cells.items()}
    if not sizes:
        raise ValueError("the table must have a column to learn from, got none")
    first = next(iter(sizes))
    for name, size in sizes.items():
        if size != sizes[first]:
            raise ValueError(
                f"columns must have the same number of rows, got {sizes[first]:,} in "
                f"{shown(first)} and {size:,} in {shown(name)}"
            )
    if not sizes[first]:
        raise ValueError(f"the table must have a row, got {many(0, 'row')}")
    return cells


def _column(fields: dict[str, Any]) -> Column:
    kind = _KINDS[fields.pop("kind")]
    if kind is TextColumn:
        fields["categories"] = _strings(fields["categories"])
    column = kind(**fields)
    names = [column.name] if isinstance(column, NumberColumn) else [column.name, *column.categories]
    numbers = []
    if isinstance(column, NumberColumn):
        numbers = [column.median, column.mean, column.scale]
    if not (
        all(isinstance(name, str) for name in names)
        and all(isinstance(number, float) and isfinite(number) for number in numbers)
        and (kind is TextColumn or numbers[-1] > 0)
        and isinstance(column.flagged, bool)
    ):
        raise ValueError(f"no column: {fields}")
    return column


def _strings(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"no texts: {values}")
    return tuple(values)
