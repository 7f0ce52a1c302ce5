"""Scores by name, with the bits of scikit-learn's scorers, but checked once for each fold.

A scorer checks targets and predictions in each call, which takes 0.3 to 1 ms; the arithmetic takes
20 us. Here targets are checked once for all candidates. Whatever is not the plainest case (weights,
several labels, classes that a fold doesn't have, whatever scikit-learn warns of or refuses) has no
score here, but None: then scikit-learn's own scorer is called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.metrics import _classification

from fastgd.checks.numbers import FloatArray

Labels = NDArray[Any]

XLOGY: Callable[..., FloatArray] = getattr(_classification, "_xlogy", xlogy)
"""x log(y) of scikit-learn's log loss: of late with NumPy's logarithm, whose last bit may differ
from SciPy's."""


class Truth:
    """The targets of some rows, as scorers compare them with predictions."""

    def __init__(self, y: Any) -> None:
        self.y = np.asarray(y)

    @cached_property
    def numbers(self) -> FloatArray | None:
        """(rows, outputs) finite numbers, or None."""
        y = self.y
        if y.dtype.kind not in "iu" and y.dtype != np.float64:
            return None
        if y.ndim not in (1, 2) or len(y) < 2:
            return None
        y = y.astype(np.float64, copy=False)
        return (y[:, None] if y.ndim == 1 else y) if np.isfinite(y).all() else None

    @cached_property
    def classes(self) -> Labels | None:
        """The classes of these rows, or None if they are no plain labels."""
        y = self.y
        is_text = y.dtype.kind == "U" or (
            y.dtype.kind == "O" and all(type(label) is str for label in y.flat)
        )
        if y.ndim != 1 or not (is_text or y.dtype.kind in "iub"):
            return None
        return np.unique(y)

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """(rows,) the index of each row's class."""
        assert self.classes is not None
        return np.searchsorted(self.classes, self.y)

    @cached_property
    def one_hot(self) -> FloatArray:
        """(rows, classes)."""
        assert self.classes is not None
        return np.equal.outer(self.places, np.arange(len(self.classes))).astype(np.float64)


class Classes(NamedTuple):
    """What a classifier predicts."""

    names: Labels  # (classes,)
    probabilities: FloatArray  # (rows, classes)
    labels: Labels  # (rows,)


# ---------------------------------------------------------------- classes


def accuracy(truth: Truth, found: Classes) -> float:
    """The share of rows whose class is predicted."""
    return float(np.count_nonzero(truth.y == found.labels) / len(truth.y))


def balanced_accuracy(truth: Truth, found: Classes) -> float | None:
    """The mean over the classes of the share of their rows whose class is predicted."""
    assert truth.classes is not None
    if not np.isin(found.labels, truth.classes).all() or len(truth.classes) < 2:
        return None
    right = np.bincount(truth.places[truth.y == found.labels], minlength=len(truth.classes))
    return float(np.mean(right / np.bincount(truth.places)))


def log_loss(truth: Truth, found: Classes) -> float | None:
    """The mean of minus the logarithm of the true class's probability."""
    assert truth.classes is not None
    p = found.probabilities
    if p.shape[1] == 2:
        second = p[:, 1]
        p = np.stack([1 - second, second], axis=1)
    if p.shape[1] != len(truth.classes) or len(truth.classes) < 2:
        return None
    if not (p.min() >= 0 and p.max() <= 1 and (np.abs(p.sum(axis=1) - 1) < 1e-9).all()):
        return None
    epsilon = np.finfo(np.float64).eps
    return float(np.mean(-XLOGY(truth.one_hot, np.clip(p, epsilon, 1 - epsilon)).sum(axis=1)))


def roc_auc(truth: Truth, found: Classes) -> float | None:
    """The area under the curve of true positives over false ones, of two classes."""
    assert truth.classes is not None
    if len(found.names) != 2 or len(truth.classes) != 2:
        return None
    score = found.probabilities[:, 1]
    if not np.isfinite(score).all():
        return None
    order = np.argsort(-score)  # rows of the same score in any order
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true = np.cumsum(truth.places[order], dtype=np.float64)[last]
    false = 1 + last - true
    if len(true) > 2:
        is_corner = np.append(np.append(True, np.diff(false, 2) != 0), True)
        is_corner[1:-1] |= np.diff(true, 2) != 0
        true, false = true[is_corner], false[is_corner]
    true, false = np.append(0.0, true), np.append(0.0, false)
    true, false = true / true[-1], false / false[-1]
    return float((np.diff(false) * (true[1:] + true[:-1]) / 2.0).sum())


# ---------------------------------------------------------------- numbers


def r2(y: FloatArray, v: FloatArray) -> float:
    """1 minus the squared errors over those of the mean."""
    return _explained(np.sum((y - v) ** 2, axis=0), np.sum((y - np.mean(y, axis=0)) ** 2, axis=0))


def explained_variance(y: FloatArray, v: FloatArray) -> float:
    """1 minus the variance of the errors over that of the targets."""
    error = np.mean((y - v - np.mean(y - v, axis=0)) ** 2, axis=0)
    return _explained(error, np.mean((y - np.mean(y, axis=0)) ** 2, axis=0))


def _explained(error: FloatArray, total: FloatArray) -> float:
    """The mean over the outputs: a target that is always the same is worth 1 or 0."""
    share = np.where(error == 0, 1.0, 0.0)
    plain = (error != 0) & (total != 0)
    share[plain] = 1 - error[plain] / total[plain]
    return float(np.mean(share))


def squared(y: FloatArray, v: FloatArray) -> float:
    """The mean squared error."""
    return float(np.mean(np.mean((y - v) ** 2, axis=0)))


def root_squared(y: FloatArray, v: FloatArray) -> float:
    """The mean over the outputs of the root of the mean squared error."""
    return float(np.mean(np.sqrt(np.mean((y - v) ** 2, axis=0))))


def absolute(y: FloatArray, v: FloatArray) -> float:
    """The mean absolute error."""
    return float(np.mean(np.mean(np.abs(v - y), axis=0)))


def absolute_share(y: FloatArray, v: FloatArray) -> float:
    """The mean absolute error, as a share of the target."""
    size = np.maximum(np.abs(y), np.finfo(np.float64).eps)
    return float(np.mean(np.mean(np.abs(v - y) / size, axis=0)))


def median_absolute(y: FloatArray, v: FloatArray) -> float:
    """The median absolute error."""
    return float(np.mean(np.median(np.abs(v - y), axis=0)))


def largest(y: FloatArray, v: FloatArray) -> float | None:
    """The largest absolute error of one output."""
    return float(np.max(np.abs(y - v))) if y.shape[1] == 1 else None


def logarithmic(error: Callable[..., float]) -> Callable[..., float | None]:
    """An error of log1p of targets and predictions."""

    def of(y: FloatArray, v: FloatArray) -> float | None:
        return error(np.log1p(y), np.log1p(v)) if min(y.min(), v.min()) > -1 else None

    return of


OF_CLASSES: dict[str, tuple[int, Callable[[Truth, Classes], float | None]]] = {
    "accuracy": (1, accuracy),
    "balanced_accuracy": (1, balanced_accuracy),
    "neg_log_loss": (-1, log_loss),
    "roc_auc": (1, roc_auc),
}
"""By scikit-learn's name: its sign, and the score or error."""

OF_NUMBERS: dict[str, tuple[int, Callable[[FloatArray, FloatArray], float | None]]] = {
    "r2": (1, r2),
    "explained_variance": (1, explained_variance),
    "neg_mean_squared_error": (-1, squared),
    "neg_root_mean_squared_error": (-1, root_squared),
    "neg_mean_absolute_error": (-1, absolute),
    "neg_mean_absolute_percentage_error": (-1, absolute_share),
    "neg_median_absolute_error": (-1, median_absolute),
    "neg_max_error": (-1, largest),
    "neg_mean_squared_log_error": (-1, logarithmic(squared)),
    "neg_root_mean_squared_log_error": (-1, logarithmic(root_squared)),
}


def score_of_classes(name: str, truth: Truth, found: Classes) -> float | None:
    """Return scikit-learn's score of this name, or None if it must be asked itself."""
    known = OF_CLASSES.get(name)
    if known is None or truth.classes is None:
        return None
    # scikit-learn warns of this many classes.
    if 2 * len(np.union1d(truth.classes, found.names)) > len(truth.y):
        return None
    sign, score = known
    value = score(truth, found)
    return None if value is None else sign * value


def score_of_numbers(name: str, truth: Truth, found: FloatArray) -> float | None:
    """Return scikit-learn's score of this name, or None if it must be asked itself."""
    known, y = OF_NUMBERS.get(name), truth.numbers
    v = found[:, None] if found.ndim == 1 else found
    if known is None or y is None or y.shape != v.shape or not np.isfinite(v).all():
        return None
    sign, score = known
    value = score(y, v)
    return None if value is None else sign * value
