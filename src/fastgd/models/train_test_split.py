"""Splits of rows: training and test set, validation set, folds; seeded or in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import many, shown

Rows = NDArray[np.int64]

LEAST_ROWS = 10
"""A table with fewer rows can't be split."""


class TrainTestRows(NamedTuple):
    """Row indices, sorted: ``learn`` is the training set, ``judge`` the test set."""

    learn: Rows
    judge: Rows


def check_rows(rows: int) -> None:
    """Raise if a table is too small to be split."""
    if rows < LEAST_ROWS:
        raise ValueError(
            f"the table must have at least {LEAST_ROWS} rows with a target, got {many(rows, 'row')}"
        )


def parts_of(labels: Rows, share: float, seed: int) -> TrainTestRows:
    """Split rows into training and test set, stratified; ``share`` is that of the test set."""
    rows = len(labels)
    order = _drawn(labels, seed)
    count = min(ceil(share * rows), rows - LEAST_ROWS // 2)
    places = np.floor((np.arange(count) + 0.5) * rows / count).astype(np.int64)
    judge = np.zeros(rows, dtype=bool)
    judge[order[places]] = True
    return TrainTestRows(np.flatnonzero(~judge), np.flatnonzero(judge))


def last_rows(order: NDArray[Any], share: float) -> TrainTestRows:
    """Split rows into training and test set, which is the last of them; ties stay together."""
    rows = len(order)
    cut = np.sort(order)[rows - min(ceil(share * rows), rows - LEAST_ROWS // 2)]
    judge = order >= cut
    if (~judge).sum() < LEAST_ROWS // 2:
        judge = order > cut
    if not judge.any():
        raise ValueError(
            f"test_last must have larger values in the last rows, got {shown(str(cut))} in all"
        )
    return TrainTestRows(np.flatnonzero(~judge), np.flatnonzero(judge))


def rows_of_groups(groups: Rows, share: float, seed: int, folds: int) -> TrainTestRows:
    """Split rows, given the index of each one's group; ``folds`` groups or more are trained on."""
    sizes = np.bincount(groups)
    order = np.random.RandomState(seed).permutation(len(sizes))[: len(sizes) - folds]
    nearest = np.abs(np.cumsum(sizes[order]) - share * len(groups)).argmin()
    judge = np.isin(groups, order[: nearest + 1])
    return TrainTestRows(np.flatnonzero(~judge), np.flatnonzero(judge))


def copies(facts: NDArray[np.float64], parts: TrainTestRows) -> list[str]:
    """Say how many rows of the test set are in the training set, too, if they are over a third.

    Examples
    --------
    >>> copies(np.array([[1.0], [2.0], [1.0]]), TrainTestRows(np.arange(2), np.arange(2, 3)))
    ['1 of the 1 row of the test set is in the training set, too, ...']
    """
    keys = np.array([hash(row.tobytes()) for row in facts])
    count, of = int(np.isin(keys[parts.judge], keys[parts.learn]).sum()), len(parts.judge)
    line = (
        f"{count:,} of the {many(of, 'row')} of the test set {'is' if count == 1 else 'are'} in "
        "the training set, too, with the same target: if they are copies, the scores are too good"
    )
    return [line] if 3 * count > of else []


def folds_of_groups(groups: Rows, folds: int) -> NDArray[np.bool_]:
    """Return the validation rows of each fold, (folds, rows): whole groups, the largest first."""
    sizes = np.bincount(groups)
    filled, fold = np.zeros(folds, dtype=np.int64), np.zeros(len(sizes), dtype=np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        fold[group] = filled.argmin()
        filled[fold[group]] += sizes[group]
    return np.asarray(np.arange(folds)[:, None] == fold[groups])


def folds_of(labels: Rows, folds: int, seed: int) -> NDArray[np.bool_]:
    """Return the validation rows of each fold, (folds, rows): every row is in exactly one fold."""
    held = np.zeros((folds, len(labels)), dtype=bool)
    order = _drawn(labels, seed)
    held[np.arange(len(labels)) % folds, order] = True
    return held


def held_out(rows: int, share: float, seed: int | None) -> NDArray[np.bool_]:
    """Whether each row is held out: drawn as scikit-learn does, or the last ones without a seed."""
    order = np.arange(rows)[::-1] if seed is None else np.random.RandomState(seed).permutation(rows)
    held = np.zeros(rows, dtype=bool)
    held[order[: ceil(share * rows)]] = True
    return held


@dataclass(frozen=True)
class ShuffledFolds:
    """Folds of shuffled rows: those of scikit-learn's KFold(folds, shuffle=True, random_state)."""

    folds: int
    seed: int

    def split(self, X: Any, y: Any = None) -> Iterator[tuple[Rows, Rows]]:  # noqa: ARG002
        """Yield the rows to train on and those held out, for each fold."""
        order = np.random.RandomState(self.seed).permutation(len(X))
        for held in np.array_split(order, self.folds):
            yield np.setdiff1d(order, held), np.sort(held)


def some_of(rows: int, most: int, seed: int) -> Rows:
    """At most so many of the rows, drawn and sorted."""
    return np.sort(np.random.RandomState(seed).permutation(rows)[:most])


def _drawn(labels: Rows, seed: int) -> Rows:
    """All rows, one class after the other, shuffled within each class."""
    order = np.random.RandomState(seed).permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]
