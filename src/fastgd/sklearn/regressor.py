"""FastGDRegressor: regression."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, column_or_1d

from fastgd.checks.numbers import FloatArray
from fastgd.export.exported import Exported
from fastgd.formulas.named import Loss
from fastgd.sklearn.base import BaseFastGD
from fastgd.sklearn.estimator_parameters import documented
from fastgd.sklearn.fit_spec import Samples

LOSSES = {
    "squared_error": ("identity", "squared"),
    "absolute_error": ("identity", "absolute"),
    "poisson": ("exp", "poisson"),
    "cross_entropy": ("sigmoid", "cross_entropy"),
}
"""Output units and loss, by scikit-learn's name. Other losses have unbounded outputs."""


@documented(
    loss='"squared_error", "absolute_error", "poisson" (for counts, with outputs exp), '
    '"cross_entropy" (for fractions from 0 to 1, with sigmoid outputs), any other '
    'of fastgd\'s names ("huber", "quantile", "gaussian"), or a custom :class:`fastgd.Loss`.',
    score="With ``early_stopping``, the validation score after each epoch: 1 minus the mean "
    "absolute error divided by that of the validation set's median "
    "(``sklearn.metrics.d2_absolute_error_score``; the errors of several outputs are added up "
    "before the division).",
)
@dataclass(eq=False, repr=False)
class FastGDRegressor(RegressorMixin, BaseFastGD):
    """A network, or an ensemble of networks, that predicts numbers.

    Parameters have scikit-learn's names and defaults (``MLPRegressor``); those from ``dropout`` on
    are fastgd's own, as are some further values of the others. Inputs and targets are not scaled:
    standardize them first.

    Parameters
    ----------
    <those of both>

    Attributes
    ----------
    <attributes of both>

    See Also
    --------
    FastGDClassifier : Classification.

    Notes
    -----
    From the same initial weights "sgd" finds the network of ``MLPRegressor``, up to rounding.
    "adam" differs in epsilon, which is added to the bias-corrected root, as by Kingma and Ba and in
    PyTorch; scikit-learn adds it before the correction. With "invscaling" and momentum, the current
    learning rate multiplies the whole velocity, as in PyTorch; in scikit-learn earlier gradients
    keep their learning rates. The penalty of a smaller last batch is that of the others.

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
        if type(y) is not np.ndarray or y.dtype != np.float64:
            y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if reset:
            self._is_flat = y.ndim == 1
        return np.asarray(y.reshape(len(y), -1))

    def _worst(self, held: Samples) -> float:
        # Any median does: the mean distance from it is the same.
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

    def _model(self, onnx: ModuleType, exported: Exported, dtype: str) -> Any:
        return onnx.numbers_model(exported, self.n_outputs_, dtype)

    def predict(self, X: ArrayLike) -> FloatArray:
        """Predict numbers: the mean over the members of the ensemble.

        Parameters
        ----------
        X : (samples, features) array_like

        Returns
        -------
        (samples,) or (samples, outputs) array
        """
        return self._predict(self._mean_outputs(X))

    def _predict(self, outputs: FloatArray) -> FloatArray:
        return np.asarray(outputs[:, 0] if self._is_flat else outputs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
