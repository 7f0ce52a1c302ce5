"""Boosted trees and linear models as rivals of a fit's networks, and lines on those that win."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastgd.checks.numbers import FloatArray
from fastgd.models.fit_choices import Choices
from fastgd.models.fit_search import FIRST, SearchSamples
from fastgd.models.scores import mean_loss
from fastgd.tables.targets import ClassTarget, Target

TREES = "boosted trees"
LOSSES = {
    "squared": "squared_error",
    "absolute": "absolute_error",
    "quantile": "quantile",
    "poisson": "poisson",
}
"""Our losses that scikit-learn's trees have, too, by its names."""

CLEAR = 0.05
"""Fraction by which a rival's loss is smaller where a line says so."""

FULL, FIXED, TREE_WORK = 1_000, 14, 4_000
"""For n rows and d columns, three forests of a hundred trees take half of the time of a search that
does TREE_WORK * min(n, FULL) * (d + FIXED) of work: rows that a network sees, times parameters.
From FULL rows on a tree has all its leaves; its bookkeeping takes the time of FIXED columns."""

SMALL = 100_000
"""Cells of a table up to which one thread grows trees faster than several."""


def are_cheap(target: Target, rows: int, columns: int, work: float) -> bool:
    """Whether three forests take less than half of the time of a fit.

    It counts operations, since results must not depend on how fast a machine is: ``work`` is what
    the search does, in rows seen times parameters.
    """
    classes = len(target.classes) if isinstance(target, ClassTarget) else 0
    forest = min(rows, FULL) * (columns + FIXED) * (classes if classes > 2 else 1)
    return TREE_WORK * forest < work


def grown(
    target: Target, objective: Mapping[str, Any], learn: SearchSamples, X: FloatArray
) -> FloatArray:
    """Return the outputs for rows X of boosted trees that learn the samples."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if not isinstance(target, ClassTarget):
        given = {"loss": LOSSES[objective["loss"]], "quantile": objective.get("tau")}
        trees = HistGradientBoostingRegressor(random_state=0, **given)
        return np.reshape(trees.fit(learn.X, learn.y[:, 0], learn.costs).predict(X), (-1, 1))
    labels, found = learn.y.argmax(axis=1), np.zeros((len(X), learn.y.shape[1]))
    known = np.unique(labels)
    if len(known) == 1:
        found[:, known] = 1.0
    else:
        of_classes = HistGradientBoostingClassifier(random_state=0)
        found[:, known] = of_classes.fit(learn.X, labels, learn.costs).predict_proba(X)
    return found


def trees_of(
    target: Target,
    choices: Choices,
    samples: SearchSamples,
    count: int,
    outputs: FloatArray,
    work: float,
) -> tuple[dict[str, FloatArray], tuple[float, float]]:
    """Return the outputs of trees for the test set, and losses of the model and of trees on folds.

    The samples have the numbers of columns, and the first ``count`` are learned from; the model's
    ``outputs`` for these are of networks that hadn't learned them. ``work`` is that of
    :func:`are_cheap`. No outputs, and losses of 1, if there are no trees.
    """
    objective, learn, judge = (
        choices.objective(target),
        samples.at(slice(count)),
        samples.at(slice(count, None)),
    )
    known = isinstance(target, ClassTarget) or objective["loss"] in LOSSES
    if not known or not (
        choices.rivals
        or (choices.rivals is None and are_cheap(target, len(learn.X), learn.X.shape[1], work))
    ):
        return {}, (1.0, 1.0)
    import threadpoolctl

    found, held = np.zeros_like(learn.y), learn.held(choices.folds, choices.seed)[:FIRST]
    threads = 1 if learn.X.size < SMALL else choices.threads
    with threadpoolctl.threadpool_limits(threads, user_api="openmp"):
        for rows in held:
            some = learn.at(np.flatnonzero(~rows))
            found[rows] = grown(target, objective, some, learn.X[rows])
        tested = grown(target, objective, learn, judge.X)
    judged = np.flatnonzero(held.any(axis=0))
    of_judged = learn.y[judged], learn.weights[judged]
    ours, theirs = (mean_loss(objective, each[judged], *of_judged) for each in (outputs, found))
    return {TREES: tested}, (ours, theirs)


def better_rivals(
    target: Target,
    objective: Mapping[str, Any],
    found: Mapping[str, FloatArray],
    judge: SearchSamples,
    in_folds: tuple[float, float],
) -> list[str]:
    """Say which rivals are clearly better than the model on the test set.

    ``found`` are the outputs there, ``in_folds`` the losses of the model and of trees on folds,
    which have to agree. A linear model was no better in folds, or the search would have chosen it.
    """
    losses = {
        name: mean_loss(objective, outputs, judge.y, judge.weights)
        for name, outputs in found.items()
    }
    loss, ours = objective["loss"], losses["model"]
    what = {"cross_entropy": "log loss", "squared": "squared error"}.get(loss, f"{loss} loss")
    lines = []
    for name, rest in (
        (TREES, "scikit-learn's HistGradientBoosting learns them"),
        ("linear model", "hidden_size=() learns one"),
    ):
        less = 1 - losses.get(name.removesuffix(" model"), ours) / ours if ours > 0 else 0.0
        folds = 1 - in_folds[1] / in_folds[0] if name == TREES and in_folds[0] > 0 else less
        if min(less, folds) > CLEAR:
            also = f" and {100 * folds:.0f} % in folds" if name == TREES else ""
            lines.append(
                f"{target.name}: {name} have" if name == TREES else f"{target.name}: a {name} has"
            )
            lines[-1] += f" a {what} {100 * less:.0f} % smaller on the test set{also}: {rest}"
    return lines
