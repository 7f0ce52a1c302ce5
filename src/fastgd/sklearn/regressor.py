"""FastGDRegressor: numbers."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, column_or_1d

from fastgd.arguments.data import FloatArray
from fastgd.arguments.functions import Loss
from fastgd.sklearn.base import Network
from fastgd.sklearn.problems import Samples

LOSSES = {
    "squared_error": ("identity", "squared"),
    "absolute_error": ("identity", "absolute"),
    "poisson": ("exp", "poisson"),
}
"""scikit-learn's names: output units and loss."""


@dataclass(eq=False, repr=False)
class FastGDRegressor(RegressorMixin, Network):  # type: ignore[misc]
    """A network, or an ensemble of networks, that predicts numbers."""

    loss: str | Loss = "squared_error"

    def _targets(self, y: Any, reset: bool, _classes: Any, /) -> FloatArray:
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if reset:
            self._is_flat = y.ndim == 1
        return np.asarray(y.reshape(len(y), -1))

    def _weights(self, _y: FloatArray, sample_weight: FloatArray | None) -> FloatArray | None:
        return sample_weight

    def _strata(self, _y: FloatArray) -> None:
        return None

    def _worst(self, held: Samples) -> float:
        # Whatever middle value is the median, the mean distance from it is the same.
        weight = np.ones(len(held.y)) if held.weight is None else held.weight
        order = held.y.argsort(axis=0)
        reached = weight[order].cumsum(axis=0) >= 0.5 * weight.sum()
        places = np.take_along_axis(order, reached.argmax(axis=0)[None], axis=0)
        median = np.take_along_axis(held.y, places, axis=0)
        return float(np.average(np.abs(held.y - median).mean(axis=1), weights=weight))

    def _output_and_loss(self) -> tuple[str, str | Loss]:
        if isinstance(self.loss, str):
            return LOSSES.get(self.loss, ("identity", self.loss))
        return "identity", self.loss

    def _model(self, onnx: ModuleType, dtype: str) -> Any:
        return onnx.numbers_model(self.members_, self.n_outputs_, dtype)

    def predict(self, X: ArrayLike) -> FloatArray:
        """Numbers: the mean over the members of the ensemble.

        Parameters
        ----------
        X : (samples, features) array_like

        Returns
        -------
        (samples,) or (samples, outputs) array
        """
        outputs = self._outputs(X).mean(axis=0)
        return np.asarray(outputs[:, 0] if self._is_flat else outputs)
