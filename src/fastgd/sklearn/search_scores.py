"""Scores by name, with the bits of scikit-learn's scorers, but checked once for each fold.

A scorer checks targets and predictions in each call, which takes 0.3 to 1 ms; the arithmetic takes
20 us: a search of 16 candidates on 5 folds (wine, 100 epochs) takes 90 ms, by scorers 211. Here
targets are checked once for all candidates. Whatever is not the plainest case (weights, several
labels, classes that a fold doesn't have, whatever scikit-learn warns of or refuses) has no score
here, but None: then scikit-learn's own scorer is called. The scores of `fastgd.fit` are those of
`models/scores.py`: weighted sums in index order, whose last bits differ from these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import Signature, signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import FloatArray
from fastgd.sklearn.private_names import XLOGY, _MultimetricScorer


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
    def classes(self) -> NDArray[Any] | None:
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


class Classes(NamedTuple):
    """What a classifier predicts."""

    names: NDArray[Any]  # (classes,)
    probabilities: FloatArray  # (rows, classes)
    labels: NDArray[Any]  # (rows,)


def score_of(name: str, truth: Truth, found: Classes | FloatArray) -> float | None:
    """Return scikit-learn's score of this name, or None if it must be asked itself.

    The name "" is that of an estimator's own score.
    """
    value: Any = None
    if isinstance(found, Classes):
        sign, score = OF_CLASSES.get(name or "accuracy", (0, None))
        # scikit-learn warns of classes that are more than half of the rows.
        if (
            score
            and truth.classes is not None
            and len(truth.y) >= 2 * len(np.union1d(truth.classes, found.names))
        ):
            value = score(truth, found)
    else:
        sign, error = OF_NUMBERS.get(name or "r2", (0, None))
        y, v = truth.numbers, found[:, None] if found.ndim == 1 else found
        if error and y is not None and y.shape == v.shape and np.isfinite(v).all():
            value = error(y, v)
    return None if value is None or not np.isfinite(value).all() else sign * float(np.mean(value))


# ---------------------------------------------------------------- classes


def accuracy(truth: Truth, found: Classes) -> float:
    """The share of rows whose class is predicted."""
    return float(np.count_nonzero(truth.y == found.labels) / len(truth.y))


def balanced_accuracy(truth: Truth, found: Classes) -> FloatArray | None:
    """Of each class, the share of its rows whose class is predicted."""
    assert truth.classes is not None
    if not np.isin(found.labels, truth.classes).all() or len(truth.classes) < 2:
        return None
    right = np.bincount(truth.places[truth.y == found.labels], minlength=len(truth.classes))
    return np.asarray(right / np.bincount(truth.places))


def log_loss(truth: Truth, found: Classes) -> FloatArray | None:
    """Minus the logarithm of the true class's probability, of each row."""
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
    one_hot = np.equal.outer(truth.places, np.arange(p.shape[1])).astype(np.float64)
    return np.asarray(-XLOGY(one_hot, np.clip(p, epsilon, 1 - epsilon)).sum(axis=1))


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


OF_CLASSES: dict[str, tuple[int, Callable[[Truth, Classes], float | FloatArray | None]]] = {
    "accuracy": (1, accuracy),
    "balanced_accuracy": (1, balanced_accuracy),
    "neg_log_loss": (-1, log_loss),
    "roc_auc": (1, roc_auc),
}
"""By scikit-learn's name: its sign, and what it is the mean of."""


# ---------------------------------------------------------------- numbers


def explained(error: FloatArray, total: FloatArray) -> FloatArray:
    """Of each output, 1 minus its share that is an error; of a constant target 1 or 0."""
    share = np.where(error == 0, 1.0, 0.0)
    plain = (error != 0) & (total != 0)
    share[plain] = 1 - error[plain] / total[plain]
    return share


def r2(y: FloatArray, v: FloatArray) -> FloatArray:
    """1 minus the squared errors over those of the mean."""
    return explained(np.sum((y - v) ** 2, axis=0), np.sum((y - np.mean(y, axis=0)) ** 2, axis=0))


def explained_variance(y: FloatArray, v: FloatArray) -> FloatArray:
    """1 minus the variance of the errors over that of the targets."""
    error = np.mean((y - v - np.mean(y - v, axis=0)) ** 2, axis=0)
    return explained(error, np.mean((y - np.mean(y, axis=0)) ** 2, axis=0))


def squared(y: FloatArray, v: FloatArray) -> Any:
    """The mean squared error."""
    return np.mean((y - v) ** 2, axis=0)


def absolute_share(y: FloatArray, v: FloatArray) -> Any:
    """The mean absolute error, as a share of the target."""
    return np.mean(np.abs(v - y) / np.maximum(np.abs(y), np.finfo(np.float64).eps), axis=0)


def squared_logarithmic(y: FloatArray, v: FloatArray) -> Any:
    """The mean squared error of log1p of targets and predictions; not finite from -1 downwards."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return squared(np.log1p(y), np.log1p(v))


OF_NUMBERS: dict[str, tuple[int, Callable[[FloatArray, FloatArray], FloatArray | None]]] = {
    "r2": (1, r2),
    "explained_variance": (1, explained_variance),
    "neg_mean_squared_error": (-1, squared),
    "neg_root_mean_squared_error": (-1, lambda y, v: np.sqrt(squared(y, v))),
    "neg_mean_absolute_error": (-1, lambda y, v: np.mean(np.abs(v - y), axis=0)),
    "neg_mean_absolute_percentage_error": (-1, absolute_share),
    "neg_median_absolute_error": (-1, lambda y, v: np.median(np.abs(v - y), axis=0)),
    "neg_max_error": (-1, lambda y, v: np.abs(y - v).max(axis=0) if y.shape[1] == 1 else None),
    "neg_mean_squared_log_error": (-1, squared_logarithmic),
    "neg_root_mean_squared_log_error": (-1, lambda y, v: np.sqrt(squared_logarithmic(y, v))),
}
"""By scikit-learn's name: its sign, and the score or error of each output (outputs,)."""


# ---------------------------------------------------------------- scorers


def fold_scorer(scorer: Any, scoring: Any) -> Any:
    """Return a scorer of scikit-learn as one of the fits of a search; ``scoring`` names it."""
    if not isinstance(scorer, _MultimetricScorer):
        return FoldScorer(scorer, _name_of(scoring))
    if callable(scoring):
        scoring = dict.fromkeys(scorer._scorers, scoring)
    elif not isinstance(scoring, Mapping):
        scoring = {name: name for name in scoring}
    return FoldScorers(scorer, {key: _name_of(one) for key, one in scoring.items()})


def _name_of(scoring: Any) -> str | None:
    """Return the name of a score that is known here, "" for the estimator's own, or None."""
    if scoring is None:
        return ""
    is_known = isinstance(scoring, str) and (scoring in OF_CLASSES or scoring in OF_NUMBERS)
    return scoring if is_known else None


class FoldScorer:
    """A scorer of scikit-learn whose scores of all candidates on a fold share the fold's checks.

    ``name`` is its name, "" for the estimator's own score, or None if it is not known here.
    """

    def __init__(self, scorer: Any, name: str | None) -> None:
        self.scorer, self.names = scorer, {"score": name}

    def __call__(self, fit: Any, X: Any, *y: Any, **params: Any) -> Any:
        """The score of a fit of a candidate on a fold."""
        found = fit.scores(self.names, X, *y) if len(y) == 1 and not params else {}
        return found["score"] if found else self.scorer(fit.estimator, X, *y, **params)

    @property
    def __signature__(self) -> Signature:
        """The scorer's, which scikit-learn may ask for sample weights."""
        return signature(self.scorer)

    def __getattr__(self, name: str) -> Any:
        """All else is as in the scorer, such as what metadata it requests."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.scorer, name)

    def __repr__(self) -> str:
        """The scorer's, for messages."""
        return repr(self.scorer)


class FoldScorers(_MultimetricScorer):
    """Several of them. All whose names are not known here share an estimator's predictions."""

    def __init__(self, scorer: _MultimetricScorer, names: Mapping[str, str | None]) -> None:
        super().__init__(scorers=scorer._scorers, raise_exc=scorer._raise_exc)
        self.names = names

    def __call__(self, fit: Any, X: Any, *y: Any, **params: Any) -> dict[str, Any]:
        """The scores of a fit of a candidate on a fold."""
        found = fit.scores(self.names, X, *y) if len(y) == 1 and not params else {}
        others = {name: one for name, one in self._scorers.items() if name not in found}
        if others:
            ask = _MultimetricScorer(scorers=others, raise_exc=self._raise_exc)
            found |= ask(fit.estimator, X, *y, **params)
        return {name: found[name] for name in self._scorers}
