"""The specification of a fit: samples, training settings and seeds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.training.results import Run

BoolArray = NDArray[np.bool_]


class FitSamples(NamedTuple):
    """Samples of the training set, or of the validation set."""

    X: FloatArray  # (n, inputs)
    y: FloatArray  # (n, outputs)
    weight: Any  # (n,) sample weights, or None


class FitSpec(NamedTuple):
    """One fit of an estimator, ready to be trained."""

    X: FloatArray
    """(n, inputs)"""

    y: FloatArray
    """(n, outputs): numbers, or one-hot encoded classes; one column for two classes."""

    sample_weight: FloatArray | None
    """(n,), at least 0 and not all 0; class weights are multiplied in."""

    held: BoolArray | None
    """(n,): True for rows of the validation set of early stopping."""

    settings: dict[str, Any]
    """Keyword arguments of :func:`fastgd.train` without the seed and the samples.

    With a ``minimizer``: those of :func:`fastgd.objective`, and ``init``.
    """

    seeds: list[int]
    """One for each member of the ensemble."""

    start: tuple[Run, ...] = ()
    """The networks that the members start from; empty to initialize them."""

    minimizer: dict[str, Any] | None = None
    """Options of SciPy's L-BFGS-B, if it is used instead of gradient descent."""

    @property
    def learned(self) -> FitSamples:
        """The rows of the training set."""
        return self._rows(None if self.held is None else ~self.held)

    @property
    def validation(self) -> FitSamples | None:
        """The rows of the validation set, or None."""
        return None if self.held is None else self._rows(self.held)

    def _rows(self, which: BoolArray | None) -> FitSamples:
        if which is None:
            return FitSamples(self.X, self.y, self.sample_weight)
        weight = None if self.sample_weight is None else self.sample_weight[which]
        return FitSamples(self.X[which], self.y[which], weight)
