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
from fastgd.formulas.custom import Loss
from fastgd.sklearn.base import BaseFastGD
from fastgd.sklearn.documentation import documented
from fastgd.sklearn.fit_spec import FitSamples

LOSSES = {
    "squared_error": ("identity", "squared"),
    "absolute_error": ("identity", "absolute"),
    "poisson": ("exp", "poisson"),
    "cross_entropy": ("sigmoid", "cross_entropy"),
}
"""By name: output units and loss. All others have outputs without bounds."""


@documented(
    loss='"squared_error", "absolute_error", "poisson" (for counts, with outputs exp), '
    '"cross_entropy" (for shares from 0 to 1, with sigmoid outputs), any other '
    'of fastgd\'s names ("huber", "quantile", "gaussian"), or a :class:`fastgd.Loss` of your own.',
    score="With ``early_stopping``, after each epoch: 1 less the mean absolute error divided by "
    "that of the held-out median (``sklearn.metrics.d2_absolute_error_score``; several outputs are "
    "added up before they are divided).",
)
@dataclass(eq=False, repr=False)
class FastGDRegressor(RegressorMixin, BaseFastGD):
    """A network, or an ensemble of networks, that predicts numbers.

    Parameters have scikit-learn's names and defaults (``MLPRegressor``); from ``dropout`` on they
    are fastgd's own, and so are further values of the others. Numbers are taken as they are: bring
    inputs and targets to mean 0 and standard deviation 1 before.

    Parameters
    ----------
    <those of both>

    Attributes
    ----------
    <attributes of both>

    See Also
    --------
    FastGDClassifier : Classes.

    Notes
    -----
    The same start leads to the network of ``MLPRegressor``, but for rounding, with "sgd" and for
    Adam's epsilon, which Kingma and Ba add to the corrected root (PyTorch's form); scikit-learn
    adds it before the correction. With "invscaling" the velocity of a momentum counts learning
    rates of before as PyTorch does. The penalty of a smaller last batch is that of the others.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from fastgd.sklearn import FastGDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = FastGDRegressor(16, max_iter=1000, n_ensemble=4, random_state=0)
    >>> model = model.fit(scale(X), scale(y))
    >>> round(model.score(scale(X), scale(y)), 2)
    0.59
    >>> model.predict(scale(X)[:2]).round(1), model.predict_std(scale(X)[:2]).round(1).ravel()
    (array([ 0.8, -1. ]), array([0.1, 0.1]))
    """

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

    def _worst(self, held: FitSamples) -> float:
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
