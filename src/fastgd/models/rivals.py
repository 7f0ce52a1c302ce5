"""Boosted trees and linear models as rivals of a fit's networks, and lines on those that win."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastgd.checks.numbers import FloatArray
from fastgd.models.fit_choices import Choices
from fastgd.models.fit_search import FIRST, SearchSamples, work_of
from fastgd.models.scores import mean_loss
from fastgd.tables.targets import ClassTarget, Target

TREES = "boosted trees"
LOSSES = ("squared", "absolute", "quantile", "poisson")
"""Our losses that scikit-learn's trees have, too."""

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
        loss = objective["loss"]
        loss = f"{loss}_error" if loss in LOSSES[:2] else loss
        given = {"loss": loss, "quantile": objective.get("tau"), "random_state": 0}
        trees = HistGradientBoostingRegressor(**given)
        return np.reshape(trees.fit(learn.X, learn.y[:, 0], learn.costs).predict(X), (-1, 1))
    labels, found = learn.y.argmax(axis=1), np.zeros((len(X), learn.y.shape[1]))
    known = np.unique(labels)
    found[:, known] = 1.0
    if len(known) > 1:
        of_classes = HistGradientBoostingClassifier(random_state=0)
        found[:, known] = of_classes.fit(learn.X, labels, learn.costs).predict_proba(X)
    return found


def trees_of(
    target: Target, choices: Choices, rows: SearchSamples, numbers: FloatArray, outputs: FloatArray
) -> tuple[dict[str, FloatArray], tuple[float, float]]:
    """Return the outputs of trees for the test set, and losses of the model and of trees on folds.

    The trees learn the ``numbers`` of columns, in the first rows, for which the model's ``outputs``
    are given, of networks that hadn't learned them. No outputs, and losses of 1, without trees.
    """
    objective, wanted, count = choices.objective(target), choices.rivals, len(outputs)
    learn = rows.at(slice(count))
    if wanted is None:
        wanted = are_cheap(target, count, numbers.shape[1], work_of(learn, choices))
    if not wanted or not (isinstance(target, ClassTarget) or objective["loss"] in LOSSES):
        return {}, (1.0, 1.0)
    import threadpoolctl

    learn = learn._replace(X=numbers[:count])
    found, held = np.zeros_like(learn.y), learn.held(choices.folds, choices.seed)[:FIRST]
    threads = 1 if learn.X.size < SMALL else choices.threads
    with threadpoolctl.threadpool_limits(threads, user_api="openmp"):
        for out in held:
            some = learn.at(np.flatnonzero(~out))
            found[out] = grown(target, objective, some, learn.X[out])
        tested = grown(target, objective, learn, numbers[count:])
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
    known = judge.y, judge.weights
    losses = {name: mean_loss(objective, outputs, *known) for name, outputs in found.items()}
    loss, ours, lines = objective["loss"], losses["model"], []
    what = {"cross_entropy": "log loss", "squared": "squared error"}.get(loss, f"{loss} loss")
    said = f"{target.name}: {TREES} have a {what}", f"{target.name}: a linear model has a {what}"
    rest = "scikit-learn's HistGradientBoosting learns them", "hidden_size=() learns one"
    for name, text, end in zip((TREES, "linear"), said, rest, strict=True):
        less, also = 1 - losses.get(name, ours) / ours if ours > 0 else 0.0, ""
        folds = less
        if name == TREES and in_folds[0] > 0:
            folds = 1 - in_folds[1] / in_folds[0]
            also = f" and {100 * folds:.0f} % in folds"
        if min(less, folds) > CLEAR:
            lines.append(f"{text} {100 * less:.0f} % smaller on the test set{also}: {end}")
    return lines
