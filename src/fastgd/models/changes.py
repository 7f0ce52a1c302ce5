"""The change since the last value, learned in place of the level, which no network extrapolates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import FloatArray
from fastgd.models.lags import Lags
from fastgd.tables.column_values import cells_of, in_order, moments
from fastgd.tables.columns import NumberColumn
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import NumberTarget, Target
from fastgd.training.run import Run


def learns_changes(
    lags: Lags | None,
    columns: Mapping[str, Any],
    values: FloatArray,
    rows: Integers,
    codes: Integers | None = None,
) -> bool:
    """Whether the change since the last value varies less within groups than the target does.

    It does so in a trend or a random walk, and then networks learn the change, as none of them
    extrapolates a level: in Cigar and Produc the unseen errors one step ahead were 2.2 times
    smaller. The rows are those that the networks learn from.
    """
    if lags is None or (cells := cells_of(lags.names[0], columns[lags.names[0]])).kind != "numbers":
        return False
    rows = rows[~cells.missing[rows]]
    codes = np.zeros(len(values), np.int64) if codes is None else codes
    codes, spreads = codes[rows], []
    for each in (values[rows], (values - cells.values)[rows]):
        means = np.bincount(codes, each) / np.maximum(np.bincount(codes), 1)
        spreads.append(in_order((each - means[codes]) ** 2))
    return spreads[1] < spreads[0]


def last_value(lags: Lags | None, preparation: Preparation, target: Target) -> FloatArray | None:
    """The first lag in units of the encoded target: coefficients of the inputs, and intercept."""
    if lags is None or not isinstance(target, NumberTarget):
        return None
    found, at = np.zeros(len(preparation.names) + 1), 0
    for column in preparation.columns:
        if column.name == lags.names[0] and isinstance(column, NumberColumn):
            found[[at, -1]] = column.scale, column.mean - target.mean
            return found / target.scale
        at += len(column.names)
    return None


def values_of(coefficients: FloatArray, X: FloatArray) -> FloatArray:
    """The sums of prepared inputs with these coefficients, and the intercept, (rows, 1)."""
    found = np.full((len(X), 1), coefficients[-1])
    for k in np.flatnonzero(coefficients[:-1]):
        found += X[:, [k]] * coefficients[k]
    return found


class Skip(NamedTuple):
    """The last value, which is added to a network's outputs, and the unit of these."""

    last: FloatArray  # (inputs + 1,): its coefficients; the mean change is in the intercept
    unit: float

    @classmethod
    def of(cls, last: FloatArray, X: FloatArray, y: FloatArray) -> Skip:
        """Learn mean and deviation of the change from prepared rows and encoded targets."""
        mean, unit = moments("the change", (y - values_of(last, X))[:, 0])
        return cls(last + np.append(np.zeros(len(last) - 1), mean), unit)

    def taken(self, y: FloatArray, X: FloatArray) -> FloatArray:
        """Return what a network learns, for encoded targets (rows, 1)."""
        return np.asarray((y - values_of(self.last, X)) / self.unit)

    def added(self, outputs: FloatArray, X: FloatArray) -> FloatArray:
        """Return encoded predictions, for a network's outputs (..., rows, 1)."""
        return np.asarray(outputs * self.unit + values_of(self.last, X))

    def folded(self, run: Run) -> Run:
        """Return a relu network that adds it: two more units of each hidden layer pass it on.

        They are relu(v) and relu(-v), whose difference is v. So whatever takes a network, such as
        an export, needs nothing else.
        """
        first, signs = self.last[:-1, None], np.array([[1.0, -1.0]])
        weights, biases, end = [], [], len(run.weights) - 1
        for k, (own, bias) in enumerate(zip(run.weights, run.biases, strict=True)):
            if k == end:
                own, bias = own * self.unit, bias * self.unit
            if k == end == 0:
                own, bias = own + first, bias + self.last[-1]
            elif k == 0:
                own = np.hstack([own, first * signs])
                bias = np.concatenate([bias, self.last[-1] * signs[0]])
            elif k == end:
                own = np.vstack([own, signs.T])
            else:
                zeros = np.zeros((len(own), 2))
                own = np.block([[own, zeros], [np.zeros((2, own.shape[1])), np.eye(2)]])
                bias = np.concatenate([bias, np.zeros(2)])
            weights.append(own)
            biases.append(bias)
        changes = [np.zeros(each.shape, np.int64) for each in (*weights, *biases)]
        return replace(
            run,
            hidden_size=tuple(size + 2 for size in run.hidden_size),
            weights=tuple(weights),
            biases=tuple(biases),
            direction_changes=tuple(changes[: len(weights)]),
            bias_direction_changes=tuple(changes[len(weights) :]),
            state=None,
            sample_hashes=None,
        )
