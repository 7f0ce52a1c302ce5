"""Which columns a model uses, and how: permutation importances and partial dependence.

Both predict the prepared rows of a table again, with the inputs of a column replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, check_count, check_memory, check_seed
from fastgd.checks.presentation import Description, ShownInNotebooks, ShownTable, dataframe
from fastgd.tables.column_values import Cells, cells_of, text_of
from fastgd.tables.columns import Column, DateColumn, StringColumn

TOGETHER = 2**20
"""Inputs of a call, at most, if the table has fewer: 8 MB, and a third faster than 1 MB."""

POINTS = 40
"""Values of a column at which its partial dependence is computed, at most."""

MIDDLE = 0.05, 0.95
"""Quantiles between which these are, if a column has more: scikit-learn's."""

SHOWN = 10
"""Rows of the table in a notebook, at most."""

Predict = Callable[[FloatArray], FloatArray]
"""From inputs (rows, inputs) to outputs (rows, outputs)."""


@dataclass(frozen=True, eq=False)
class Importances(ShownInNotebooks):
    """How much worse a model predicts if a column is shuffled, the largest importance first.

    Attributes
    ----------
    target : str
        What is predicted.
    measure : str
        What is measured, such as "rise of log loss".
    names : tuple of str
        The columns.
    mean, spread : (columns,) array
        Mean and standard deviation over the repeats.
    each : (columns, repeats) array
    """

    target: str
    measure: str
    names: tuple[str, ...]
    mean: FloatArray = field(repr=False)
    spread: FloatArray = field(repr=False)
    each: FloatArray = field(repr=False)

    def _described(self) -> Description:
        rows = [
            (name, f"{mean:.4g}", f"{spread:.2g}")
            for name, mean, spread in zip(self.names, self.mean, self.spread, strict=True)
        ]
        heads = ("a shuffled column", self.measure, f"spread in {self.each.shape[1]}")
        return Description(
            f"Importances for {self.target}", [ShownTable(rows[:SHOWN], heads)], self
        )

    def to_dataframe(self, *, kind: str = "pandas") -> Any:
        """One row per column: its name, mean and spread; as :meth:`fastgd.Sweep.to_dataframe`."""
        return dataframe({"column": [*self.names], "mean": self.mean, "spread": self.spread}, kind)


@dataclass(frozen=True, eq=False)
class PartialDependence(ShownInNotebooks):
    """Predictions for all rows of a table with a column set to one value after the other.

    Attributes
    ----------
    column : str
    outputs : tuple of str
        The names of the targets; or those of the classes, whose probabilities these are.
    values : (points,) array
        What the column was set to: numbers, dates (datetime64) or strings.
    average : (outputs, points) array
        The means over the rows, in the target's unit.
    individual : (outputs, rows, points) array
        The predictions of each row.
    of_classes : bool
        Whether these are probabilities of classes.
    """

    column: str
    outputs: tuple[str, ...]
    values: NDArray[Any] = field(repr=False)
    average: FloatArray = field(repr=False)
    individual: FloatArray = field(repr=False)
    of_classes: bool = False

    def _described(self) -> Description:
        step = -(-len(self.values) // SHOWN)
        found = zip(self.values[::step], self.average.T[::step], strict=True)
        rows = [
            (f"{own:.4g}" if isinstance(own, float) else text_of(own), *(f"{x:.4g}" for x in means))
            for own, means in found
        ]
        table = ShownTable(rows, (self.column, *self.outputs))
        return Description(f"Partial dependence on {self.column}", [table], self)


def permutation_importances(
    predict: Predict,
    score: Callable[[FloatArray], float],
    inputs: FloatArray,
    columns: Sequence[Column],
    repeats: int,
    seed: Any,
) -> tuple[tuple[str, ...], FloatArray, FloatArray, FloatArray]:
    """Return names, means, spreads and all importances, sorted, of (rows, inputs).

    The permutations are those of scikit-learn's ``permutation_importance``: each shuffles what the
    one before has left, and all columns have the same.
    """
    repeats = check_count("repeats", repeats)
    random = np.random.RandomState(check_seed(seed))
    random = np.random.RandomState(random.randint(2**31))
    shuffled, order = np.arange(len(inputs)), np.arange(len(inputs))
    orders = np.empty((repeats, len(inputs)), np.int64)
    for k in range(repeats):
        random.shuffle(shuffled)
        orders[k] = order = order[shuffled]
    places = _places(columns)
    changes = ((place, inputs[own, place]) for place in places for own in orders)
    scores = np.array([score(outputs) for outputs in _predicted(predict, inputs, changes)])
    each = score(predict(inputs)) - scores.reshape(len(columns), repeats)
    mean = each.mean(axis=1)
    ranked = np.argsort(-mean, kind="stable")
    names = tuple(columns[k].name for k in ranked)
    return names, mean[ranked], each.std(axis=1)[ranked], each[ranked]


def _places(columns: Sequence[Column]) -> list[slice]:
    """The inputs of each column."""
    ends = np.cumsum([len(one.names) for one in columns]).tolist()
    return [slice(end - len(one.names), end) for one, end in zip(columns, ends, strict=True)]


def _predicted(
    predict: Predict, inputs: FloatArray, changes: Iterable[tuple[slice, FloatArray]]
) -> Iterator[FloatArray]:
    """Yield the outputs of all rows with some inputs replaced, for each change."""
    changes, step = iter(changes), max(1, TOGETHER // inputs.size)
    while some := list(islice(changes, step)):
        copies = np.repeat(inputs[None], len(some), axis=0)
        for copy, (place, own) in zip(copies, some, strict=True):
            copy[:, place] = own
        outputs = predict(copies.reshape(-1, inputs.shape[1]))
        yield from outputs.reshape(len(some), len(inputs), -1)


def partial_dependence(
    predict: Predict, inputs: FloatArray, columns: Sequence[Column], name: str, values: NDArray[Any]
) -> tuple[FloatArray, FloatArray]:
    """Return averages and individual curves, given cells for the column with this name.

    ``predict`` returns what the curves show: numbers in the target's unit, or probabilities.
    """
    at = [one.name for one in columns].index(name)
    column, place = columns[at], _places(columns)[at]
    numbers = column.numbers(cells_of(name, values))
    own = np.empty((len(numbers), len(column.names)))
    column.put(numbers, own)
    check_memory(16 * len(own) * len(inputs), "the partial dependence", also="fewer rows")
    curves = np.stack([*_predicted(predict, inputs, ((place, row) for row in own))])
    curves = np.ascontiguousarray(curves.transpose(2, 1, 0))
    return curves.mean(axis=1), curves


def grid_of(column: Column, cells: Cells, given: ArrayLike | None = None) -> NDArray[Any]:
    """Return values of a column: quantiles, or all if they are few; the most frequent strings.

    Or those that are given, as numbers, dates or strings.
    """
    is_text = isinstance(column, StringColumn)
    if given is not None:
        cells = cells_of(column.name, given)
        if not len(cells.values):
            raise ValueError("values must have a value, got none")
        if is_text:
            return np.array([text or "" for text in cells.texts])
    numbers = column.numbers(cells)
    known = numbers[numbers >= 0] if is_text else numbers[~np.isnan(numbers)]
    if not len(known):
        raise ValueError(f"column {shown(column.name)} must have a known value, got none")
    found, counts = np.unique(known, return_counts=True)
    if isinstance(column, StringColumn):
        named = found < len(column.categories)  # the others have no name
        order = np.argsort(-counts[named], kind="stable")[:POINTS]
        return np.array(column.categories)[found[named][order].astype(np.int64)]
    if given is not None:
        found = known
    elif len(found) > POINTS:
        found = np.unique(np.quantile(known, np.linspace(*MIDDLE, POINTS)))
    is_date = isinstance(column, DateColumn)
    return np.asarray((found * 86400).round().astype("M8[s]")) if is_date else found
