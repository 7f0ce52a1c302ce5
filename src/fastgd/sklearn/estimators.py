"""The regressor and the classifier: targets, weights of classes, and what outputs mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, column_or_1d, compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from fastgd.arguments.samples import MOST_CLASSES, balanced_factors, one_hot
from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray
from fastgd.export.exported import Exported
from fastgd.formulas.named import Loss
from fastgd.sklearn.base import BaseFastGD, has_partial_fit, mean_outputs
from fastgd.sklearn.estimator_parameters import documented
from fastgd.sklearn.fit_spec import CheckedSamples

OUTPUT_AND_LOSS = {
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
    >>> model.predict(scale(X)[:2]).round(1), model.predict_std(scale(X)[:2]).round(1)[:, 0]
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

    def _worst(self, held: CheckedSamples) -> float:
        # Any median does: the mean distance from it is the same.
        weight = np.ones(len(held.y)) if held.weight is None else held.weight
        order = held.y.argsort(axis=0)
        reached = weight[order].cumsum(axis=0) >= 0.5 * weight.sum()
        places = np.take_along_axis(order, reached.argmax(axis=0)[None], axis=0)
        median = np.take_along_axis(held.y, places, axis=0)
        return float(np.average(np.abs(held.y - median).mean(axis=1), weights=weight))

    def _output_and_loss(self) -> tuple[str, str | Loss]:
        if isinstance(self.loss, str):
            return OUTPUT_AND_LOSS.get(self.loss, ("identity", self.loss))
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
        return self._predict(mean_outputs(self._outputs(X)))

    def _predict(self, outputs: FloatArray) -> FloatArray:
        return np.asarray(outputs[:, 0] if self._is_flat else outputs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@documented(
    loss='"log_loss" (cross-entropy), or another loss, with sigmoid outputs: "squared_error", any '
    "of fastgd's names, or a custom :class:`fastgd.Loss`.",
    score="With ``early_stopping``, the validation score after each epoch: 1 minus the mean "
    "absolute error, which is the mean probability of the true class (with several labels, of the "
    "true value of each label). It resolves finer steps than accuracy, which ``MLPClassifier`` "
    "uses.",
)
@dataclass(eq=False, repr=False)
class FastGDClassifier(ClassifierMixin, BaseFastGD):
    """A network, or an ensemble of networks, that predicts classes.

    Parameters have scikit-learn's names and defaults (``MLPClassifier``); those from ``dropout`` on
    are fastgd's own, as are some further values of the others. Two classes have one sigmoid output,
    more classes have softmax outputs; if y is a table of 0 and 1, each column has a sigmoid output.
    Inputs are not scaled: standardize them first.

    Parameters
    ----------
    <those of both>
    class_weight : dict, "balanced" or None
        Factor of the sample weights of each class; "balanced" gives all classes the same total
        weight.

    Attributes
    ----------
    classes_ : (classes,) array
        The classes, sorted.
    <attributes of both>

    See Also
    --------
    FastGDRegressor : Regression.

    Notes
    -----
    See :class:`FastGDRegressor`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from fastgd.sklearn import FastGDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = FastGDClassifier(16, learning_rate_init=0.02, random_state=0)
    >>> round(model.fit(scale(X), y).score(scale(X), y), 2)
    0.98
    >>> model.predict_proba(scale(X)[:1]).round(2)
    array([[1., 0., 0.]])
    """

    loss: str | Loss = "log_loss"
    class_weight: dict[Any, float] | str | None = None

    @available_if(has_partial_fit)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch on these samples; the first call initializes the network.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`; the samples may differ from call to call.
        classes : (classes,) array_like, optional
            All classes that any call will have. Required in the first call, unless y is a table of
            0 and 1.

        Returns
        -------
        self

        Notes
        -----
        k calls with the same samples are bit-identical to ``fit`` with ``max_iter=k``, unless that
        stopped earlier. After a fit that stopped early the optimizer's state starts anew.
        """
        is_first = not hasattr(self, "members_")
        if is_first and classes is None and type_of_target(y) != "multilabel-indicator":
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if not is_first and classes is not None:
            found = np.unique(classes)
            if not np.array_equal(found, self.classes_):
                raise ValueError(
                    f"classes must stay {shown(self.classes_.tolist())} in further calls of "
                    f"partial_fit, got {shown(found.tolist())}"
                )
        return self._partial_fit(X, y, sample_weight, classes)

    def _targets(self, y: Any, reset: bool, classes: Any, /) -> FloatArray:
        is_table = False
        is_plain = type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuU"
        # scikit-learn, in 0.3 ms, would find that few labels are classes, and nothing to warn of:
        # a third of the fit of 40 small classifiers. It warns of more classes than half of the
        # samples, if there are more than 20 samples.
        if not (is_plain and len(np.unique(y)) <= 10):
            check_classification_targets(y)
            kind = type_of_target(y, input_name="y")
            if kind == "multiclass-multioutput":
                raise ValueError(
                    "y must be one class per sample, or a table of 0 and 1, got several"
                )
            is_table = kind == "multilabel-indicator"
        if not is_table:
            y = column_or_1d(y, warn=True)
        if reset:
            self._is_multilabel = is_table
            self.classes_ = (
                np.arange(y.shape[1]) if is_table else np.unique(y if classes is None else classes)
            )
            if not is_table and len(self.classes_) > MOST_CLASSES:
                raise ValueError(
                    f"y must have at most {MOST_CLASSES:,} classes, got {len(self.classes_):,}"
                )
        if is_table != self._is_multilabel:
            raise ValueError("y must be of the kind it was before: classes, or a table of 0 and 1")
        if is_table:
            return np.asarray(y, dtype=np.float64)
        if not reset and classes is not None:
            found = np.unique(y)
            if not np.array_equal(found, classes):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {classes}, `y` has {found}"
                )
        return self._one_hot(y)

    def _one_hot(self, y: NDArray[Any]) -> FloatArray:
        """Return one column per class; a single column for two classes."""
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y must have classes among {shown(self.classes_.tolist())}, "
                f"got {shown(unknown[0])}"
            )
        places = np.searchsorted(self.classes_, y)
        if len(self.classes_) < 3:
            return np.asarray(places[:, None], dtype=np.float64)
        return one_hot(places, len(self.classes_))

    def _places(self, y: FloatArray) -> NDArray[np.int64]:
        """Return the class index of each row of targets."""
        return np.asarray(y[:, 0] if y.shape[1] == 1 else y.argmax(axis=1), dtype=np.int64)

    def _weights(self, y: FloatArray, sample_weight: FloatArray | None) -> FloatArray | None:
        if self.class_weight is None:
            return sample_weight
        if self._is_multilabel:
            raise ValueError("class_weight must be None with several labels per sample")
        places = self._places(y)
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            share = balanced_factors(places, weight, len(self.classes_))
        else:
            share = compute_class_weight(
                self.class_weight, classes=self.classes_, y=self.classes_[places]
            )
        return np.asarray(weight * share[places])

    def _strata(self, y: FloatArray) -> Any:
        # Classes as the user knows them: an error names those that are too few.
        return None if self._is_multilabel else self.classes_[self._places(y)]

    def _can_share(self, table: CheckedSamples, rows: Integers) -> bool:
        if self.class_weight is not None or not super()._can_share(table, rows):
            return False
        if self._is_multilabel:
            return True
        return len(np.unique(self._places(table.y[rows]))) == len(self.classes_)

    def _is_unfinished(self, statuses: Sequence[str]) -> bool:
        # With a single class there is nothing to learn.
        is_taught = self._is_multilabel or len(self.classes_) > 1
        return is_taught and "finished" in statuses

    def _worst(self, _held: CheckedSamples) -> float:
        # An error of softmax counts twice, in the true class and in the others, over all columns.
        is_softmax = self._output_and_loss()[0] == "softmax"
        return 2.0 / len(self.classes_) if is_softmax else 1.0

    def _output_and_loss(self) -> tuple[str, str | Loss]:
        loss = self.loss
        if isinstance(loss, str):
            loss = {"log_loss": "cross_entropy", "squared_error": "squared"}.get(loss, loss)
        is_one_of_many = not self._is_multilabel and len(self.classes_) > 2
        return ("softmax" if is_one_of_many and loss == "cross_entropy" else "sigmoid"), loss

    def _model(self, onnx: ModuleType, exported: Exported, dtype: str) -> Any:
        if self._is_multilabel:
            return onnx.labels_model(exported, self.n_outputs_, dtype)
        is_softmax = self.out_activation_ == "softmax"
        return onnx.classes_model(
            exported, self.n_outputs_, dtype, self.classes_, is_softmax=is_softmax
        )

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Predict class probabilities: the mean over the members of the ensemble.

        Parameters
        ----------
        X : (samples, features) array_like

        Returns
        -------
        (samples, classes) array
        """
        return self._predict_proba(mean_outputs(self._outputs(X)))

    def _predict_proba(self, outputs: FloatArray) -> FloatArray:
        if self._is_multilabel:
            return outputs
        if len(self.classes_) > 2:
            # Softmax outputs sum to 1; sigmoid outputs, with other losses, need not.
            is_softmax = self.out_activation_ == "softmax"
            return outputs if is_softmax else outputs / outputs.sum(axis=1, keepdims=True)
        if len(self.classes_) == 1:
            return np.ones((len(outputs), 1))
        return np.concatenate([1.0 - outputs, outputs], axis=1)

    def predict_log_proba(self, X: ArrayLike) -> FloatArray:
        """Predict the logarithms of :meth:`predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the most probable class of each sample, or every label with probability over 1/2.

        Parameters
        ----------
        X : (samples, features) array_like

        Returns
        -------
        (samples,) array of classes, or (samples, labels) array of 0 and 1
        """
        return self._most_probable(self.predict_proba(X))

    def _predict(self, outputs: FloatArray) -> NDArray[Any]:
        return self._most_probable(self._predict_proba(outputs))

    def _most_probable(self, probabilities: FloatArray) -> NDArray[Any]:
        if self._is_multilabel:
            return np.asarray(probabilities > 0.5, dtype=np.int64)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
