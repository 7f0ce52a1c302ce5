"""The specification of a fit: samples, training settings and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import FloatArray
from fastgd.training.run import Run

SMALLEST_RATE = 1e-6
"""An adaptive learning rate is not divided below this: as in scikit-learn, the fit ends."""


class Samples(NamedTuple):
    """A table of checked samples, or some of its rows."""

    X: FloatArray  # (n, inputs)
    y: FloatArray  # (n, outputs): numbers, or one-hot classes; one column for two classes
    weight: FloatArray | None  # (n,), at least 0; class weights are multiplied in

    def at(self, rows: Integers | None) -> Samples:
        """Return some of the rows, or all."""
        if rows is None:
            return self
        weight = None if self.weight is None else self.weight[rows]
        return Samples(self.X[rows], self.y[rows], weight)


class Adaptive(NamedTuple):
    """The learning rate is divided by 5 whenever the loss, or the error, no longer improves."""

    rate: float
    """The learning rate at first."""

    patience: float
    """The epochs that must together improve by more than ``min_delta``; inf never divides."""

    min_delta: float

    def ahead(self, curve: Sequence[float]) -> tuple[float, float]:
        """Return the factor of the next epochs, and how many have it at least.

        ``curve`` is what must fall, after each epoch so far. No epochs are to follow the end.
        """
        factor, best, lowest, last = 1.0, inf, inf, 0
        for epoch, value in enumerate(curve, 1):
            lowest = min(lowest, value)
            if value < best - self.min_delta:
                best, last = value, epoch
            elif epoch - last >= self.patience:
                if self.rate * factor <= SMALLEST_RATE:
                    return factor, 0
                factor, best, last = factor / 5, lowest, epoch
        return factor, self.patience - len(curve) + last


class FitSpec(NamedTuple):
    """One fit of an estimator, ready to be trained."""

    table: Samples
    """All samples; fits on different rows of a table have the same object."""

    rows: Integers | None
    """The rows of the training set; None for all rows of the table."""

    held: Integers | None
    """The rows of the validation set of early stopping."""

    part: tuple[Any, ...]
    """A key that is equal for fits with equal rows of a table."""

    settings: dict[str, Any]
    """Keyword arguments of :func:`fastgd.train` without the seed and the samples.

    With a ``minimizer``: those of :func:`fastgd.objective`, and ``init``.
    """

    seeds: list[int]
    """One for each member of the ensemble."""

    start: tuple[Run | NetworkParts, ...] = ()
    """The networks that the members start from; empty to initialize them."""

    minimizer: dict[str, Any] | None = None
    """Options of SciPy's L-BFGS-B, if it is used instead of gradient descent."""

    adaptive: Adaptive | None = None
    """When the learning rate is divided, with ``learning_rate="adaptive"``."""

    @property
    def solver(self) -> str:
        """The name of the solver in a warning, like scikit-learn's."""
        if self.minimizer is not None:
            return "lbfgs"
        return "lm" if self.settings["optimizer"].second_order else "Stochastic Optimizer"

    @property
    def learned(self) -> Samples:
        """The training set."""
        return self.table.at(self.rows)

    @property
    def validation(self) -> Samples | None:
        """The validation set, or None."""
        return None if self.held is None else self.table.at(self.held)

    @property
    def size(self) -> int:
        """The number of samples in the training set."""
        return len(self.table.X) if self.rows is None else len(self.rows)


def held_out(rows: Integers, fraction: float, strata: Any, seed: int) -> tuple[Integers, Integers]:
    """Return the rows of the training set and a drawn fraction as validation set, each in order."""
    # The draw of train_test_split, without its checks of arrays: a third of the time.
    kind = ShuffleSplit if strata is None else StratifiedShuffleSplit
    _, held = next(kind(test_size=fraction, random_state=seed).split(rows, strata))
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    is_held = np.zeros(len(rows), dtype=np.bool_)
    is_held[held] = True
    return rows[~is_held], rows[is_held]
