"""Splits of rows, and the rows that fit() learns from: their weights, groups and test set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.samples import balanced_factors
from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import did_you_mean, many, shown
from fastgd.checks.numbers import ABOVE_ZERO, FloatArray, check_number, integer
from fastgd.models.fit_choices import Choices
from fastgd.tables.column_values import Cells, array_of, cells_of, text_of, texts_shown
from fastgd.tables.columns import Decisions
from fastgd.tables.notations import dates_in
from fastgd.tables.preparation import (
    Preparation,
    check_lengths,
    column_name,
    column_names,
    some_rows,
    with_targets,
)
from fastgd.tables.targets import ClassTarget, NumberTarget, Target, width_of

LEAST_ROWS = 10
"""A table with fewer rows can't be split."""


class TrainTestRows(NamedTuple):
    """Row indices, sorted: ``learn`` is the training set, ``judge`` the test set."""

    learn: Integers
    judge: Integers


def parts_of(labels: Integers, share: float, seed: int) -> TrainTestRows:
    """Split rows into training and test set, stratified; ``share`` is that of the test set."""
    rows = len(labels)
    order = _drawn(labels, seed)
    count = min(ceil(share * rows), rows - LEAST_ROWS // 2)
    places = np.floor((np.arange(count) + 0.5) * rows / count).astype(np.int64)
    judge = np.isin(np.arange(rows), order[places])
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


def rows_of_groups(groups: Integers, share: float, seed: int, folds: int) -> TrainTestRows:
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


def folds_of_groups(groups: Integers, folds: int) -> NDArray[np.bool_]:
    """Return the validation rows of each fold, (folds, rows): whole groups, the largest first."""
    sizes = np.bincount(groups)
    filled, fold = np.zeros(folds, dtype=np.int64), np.zeros(len(sizes), dtype=np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        fold[group] = filled.argmin()
        filled[fold[group]] += sizes[group]
    return np.asarray(np.arange(folds)[:, None] == fold[groups])


def folds_of(labels: Integers, folds: int, seed: int) -> NDArray[np.bool_]:
    """Return the validation rows of each fold, (folds, rows): every row is in exactly one fold."""
    held = np.zeros((folds, len(labels)), dtype=bool)
    order = _drawn(labels, seed)
    held[np.arange(len(labels)) % folds, order] = True
    return held


def held_out(rows: int, share: float, seed: int | None) -> NDArray[np.bool_]:
    """Whether each row is held out: drawn as scikit-learn does, or the last ones without a seed."""
    order = np.arange(rows)[::-1] if seed is None else np.random.RandomState(seed).permutation(rows)
    return np.isin(np.arange(rows), order[: ceil(share * rows)])


@dataclass(frozen=True)
class ShuffledFolds:
    """Folds of shuffled rows: those of scikit-learn's KFold(folds, shuffle=True, random_state)."""

    folds: int
    seed: int

    def split(self, X: Any, y: Any = None) -> Iterator[tuple[Integers, Integers]]:  # noqa: ARG002
        """Yield the rows to train on and those held out, for each fold."""
        order = np.random.RandomState(self.seed).permutation(len(X))
        for held in np.array_split(order, self.folds):
            yield np.setdiff1d(order, held), np.sort(held)


def hold_out(
    codes: Integers, groups: int, shares: tuple[float, float], least: int, seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw these fractions of the rows of each group: its validation set and its test set.

    A group of at least ``least`` rows has a row in each of them, if there is one. At least two rows
    of each group, or its only one, are in neither of them.
    """
    sizes = np.bincount(codes, minlength=groups)
    some = (sizes >= least) & (np.array(shares)[:, None] > 0)
    validation, test = np.maximum(np.rint(np.outer(shares, sizes)), some).astype(np.int64)
    test = np.minimum(test, np.maximum(sizes - 2, 0))
    validation = np.minimum(validation, np.maximum(sizes - 2 - test, 0))
    # A stream of its own: tables made up with default_rng(seed) would be split by a column.
    draw = np.random.default_rng([seed, 1]).random(len(codes))
    order = np.lexsort((draw, codes))
    rank = np.arange(len(codes)) - (np.cumsum(sizes) - sizes)[codes[order]]
    place = np.empty(len(codes), np.int64)
    place[order] = rank
    held = place < validation[codes]
    return held, ~held & (place < (validation + test)[codes])


def some_of(rows: int, most: int, seed: int) -> Integers:
    """At most ``most`` of the rows, drawn and sorted."""
    return np.sort(np.random.RandomState(seed).permutation(rows)[:most])


def _drawn(labels: Integers, seed: int) -> Integers:
    """All rows, one class after the other, shuffled within each class."""
    order = np.random.RandomState(seed).permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]


# ---------------------------------------------------------------- the rows that fit() learns from


class FitRows(NamedTuple):
    """The rows that have a target and a weight."""

    inputs: dict[str, Any]
    wanted: Cells
    weights: FloatArray
    groups: Integers | None  # the index of each row's group, if groups stay together
    last: NDArray[Any] | None  # the order of the rows, if the last ones are the test set
    drop: list[str]
    notes: list[str]

    @classmethod
    def of(cls, columns: Mapping[str, Any], target: str, choices: Choices) -> FitRows:
        """Select the rows, and check the columns that aren't inputs."""
        columns, drop, weight = _with_roles(columns, target, choices)
        last, group = choices.test_last, choices.test_group
        inputs, notes = with_targets(columns, [target], unparsed=drop)
        if group is not None:
            notes.append(f"{group}: left out: the test set and the folds have whole groups")
        weights = np.ones(inputs[target].shape)
        if weight is not None:
            weights = inputs[weight].values
            zeros = int((weights == 0).sum())
            inputs, weights = some_rows(inputs, weights > 0), weights[weights > 0]
            rest = f"; 0 in {many(zeros, 'row')}, left out" if zeros else ""
            notes.append(f"{weight}: left out: weights of the rows{rest}")
        wanted = inputs.pop(target)
        rows = len(weights)
        if rows < LEAST_ROWS:
            rule = f"the table must have at least {LEAST_ROWS} rows with a target"
            raise ValueError(f"{rule}, got {many(rows, 'row')}")
        groups = None
        if group is not None:
            known, groups = np.unique(inputs[group].values, return_inverse=True)
            if len(known) <= choices.folds:
                raise ValueError(
                    f"test_group must have more groups than folds ({choices.folds}), "
                    f"got {len(known)} in {shown(group)}"
                )
        order = None
        if last is not None:
            cells = inputs[last]
            dates = (cells.values,) if cells.kind == "numbers" else dates_in(last, cells)
            if dates is None:
                raise TypeError(f"test_last must be numbers or dates, got {shown(cells.texts[0])}")
            order = dates[0]
        return cls(inputs, wanted, weights, groups, order, drop, notes)

    def split(self, labels: Integers, choices: Choices) -> TrainTestRows:
        """Split them into training and test set, and note how; labels are their classes."""
        rows, share, how = len(labels), choices.test_fraction, f"drawn with seed {choices.seed}"
        if not share:
            parts = TrainTestRows(np.arange(rows), np.arange(0))
        elif self.groups is not None:
            parts = rows_of_groups(self.groups, share, choices.seed, choices.folds)
        elif self.last is not None:
            parts = last_rows(self.last, share)
            how = f"the last by {choices.test_last}"
        else:
            parts = parts_of(labels, share, choices.seed)
        if len(parts.learn) < choices.folds:
            raise ValueError(
                f"folds must be at most the number of training rows ({len(parts.learn)}), "
                f"got {choices.folds}"
            )
        judge, found = f"{len(parts.judge):,} in the test set, {how}", len(parts.judge) / rows
        if abs(found - share) > max(0.01, 1 / rows):
            judge += f" ({100 * found:.3g} % in place of {100 * share:.3g} %)"
        judge = judge if share else "no test set"
        self.notes.append(
            f"rows: {len(parts.learn):,} for training, in {choices.folds} folds; {judge}"
        )
        return parts


def _with_roles(
    columns: Mapping[str, Any], target: str, choices: Choices
) -> tuple[Mapping[str, Any], list[str], str | None]:
    """The table with checked columns of other roles, those that are no inputs, and the weights'."""
    column_names("target", [target], columns)
    drop, keep = (column_names(n, getattr(choices, n), columns) for n in ("drop", "keep"))
    if target in (*drop, *keep):
        role = "drop" if target in drop else "keep"
        raise ValueError(f"{role} must not name the target, got {shown(target)}")
    weight, given = None, choices.sample_weight
    if isinstance(given, str) or (given is not None and integer(given) is not None):
        weight = column_name("sample_weight", given)
    elif given is not None:  # an array, which becomes a column
        weight = "sample_weight"
        while weight in columns:
            weight += "'"
        columns = {**columns, weight: array_of(given, "sample_weight")}
        check_lengths(columns)
    last, group = choices.test_last, choices.test_group
    roles = {"test_last": last, "test_group": group, "sample_weight": weight}
    for role, name in roles.items():
        if name is not None:
            columns = {**columns, name: _complete(role, name, columns)}
            drop += [] if name in (last, *drop) else [name]
        if name == target:
            raise ValueError(f"{role} must not name the target, got {shown(target)}")
        if name in keep and name != last:
            raise ValueError(f"keep must not name the column of {role}, got {shown(name)}")
    return columns, drop, weight


def _complete(role: str, name: str, columns: Mapping[str, Any]) -> Cells:
    """The cells of a column that has a role in the fit, none of them missing."""
    column_names(role, [name], columns)
    cells = cells_of(name, columns[name])
    if cells.missing.any():
        row = int(cells.missing.argmax())
        infinite = cells.kind == "numbers" and np.isinf(cells.values[row])
        rule, came = ("finite numbers", "inf") if infinite else ("no missing values", "one")
        raise ValueError(f"{role} must have {rule}, got {came} in row {row + 1:,} of {shown(name)}")
    if role == "sample_weight":
        if cells.kind != "numbers":
            raise TypeError(f"{role} must be numbers, got {shown(cells.texts[0])}")
        row = int(cells.values.argmin())
        if cells.values[row] < 0:
            came = f"{cells.values[row]:g} in row {row + 1:,} of {shown(name)}"
            raise ValueError(f"{role} must be at least 0, got {came}")
        if not cells.values.any():
            raise ValueError("sample_weight must be above 0 in at least one row, got 0 in all")
    return cells


def class_factors(target: Target, labels: Integers, weights: FloatArray, given: Any) -> FloatArray:
    """Return the factor of each class: ``class_weight`` for rows of these labels and weights."""
    factors = np.ones(width_of(target))
    if given is None or not isinstance(target, ClassTarget):
        return factors
    if not isinstance(given, Mapping):
        return balanced_factors(labels, weights, len(factors))
    for label, factor in given.items():
        name = text_of(label)
        if name not in target.classes:
            raise ValueError(
                f"class_weight must be of the classes {texts_shown(target.classes)}, "
                f"got {shown(label)}{did_you_mean(name, target.classes)}"
            )
        factors[target.classes.index(name)] = check_number("class_weight", factor, ABOVE_ZERO)
    return factors


def encode_rows(
    inputs: Mapping[str, Any],
    wanted: Cells,
    target: Target,
    learned: Any,
    decisions: Decisions,
    before: Preparation | None = None,
    *,
    of_counts: bool = False,
) -> tuple[Target, FloatArray, Preparation, FloatArray]:
    """A target and a preparation, learned from some rows, and all rows encoded by them.

    That is: the targets, and what :meth:`Preparation.learn_from` returns. ``target`` is that of all
    rows.
    """
    if isinstance(target, NumberTarget):
        target = NumberTarget.learn(target.name, wanted[learned])
        if of_counts:  # divided by their mean only, where outputs of exp begin
            target = replace(target, mean=0.0, scale=target.mean or 1.0)
    y = target.encode(wanted)
    return target, y, *Preparation.learn_from(inputs, learned, decisions._replace(y=y), before)
