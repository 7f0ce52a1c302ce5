"""The rows of a table that are fitted: their weights, their classes, and the test set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.samples import balanced_factors
from fastgd.checks.messages import did_you_mean, many, shown
from fastgd.checks.numbers import FloatArray, check_number, integer, rule_of
from fastgd.models.fit_choices import Choices
from fastgd.models.row_splits import (
    TrainTestRows,
    check_rows,
    last_rows,
    parts_of,
    rows_of_groups,
)
from fastgd.tables.column_values import Cells, array_of, cells_of, text_of, texts_shown
from fastgd.tables.notations import dates_in
from fastgd.tables.preparation import (
    check_lengths,
    column_name,
    column_names,
    some_rows,
    with_targets,
)
from fastgd.tables.targets import ClassTarget, Target, width_of

Indices = NDArray[np.int64]


class FitRows(NamedTuple):
    """The rows that have a target and a weight."""

    inputs: dict[str, Any]
    wanted: Cells
    weights: FloatArray
    groups: Indices | None  # the index of each row's group, if groups stay together
    last: NDArray[Any] | None  # the order of the rows, if the last ones are the test set
    drop: list[str]
    notes: list[str]

    @classmethod
    def of(cls, columns: Mapping[str, Any], target: str, choices: Choices) -> FitRows:
        """Select the rows, and check the columns that aren't inputs."""
        column_names("target", [target], columns)
        drop, keep = (column_names(n, getattr(choices, n), columns) for n in ("drop", "keep"))
        if target in (*drop, *keep):
            role = "drop" if target in drop else "keep"
            raise ValueError(f"{role} must not name the target, got {shown(target)}")
        columns, weight = _with_weights(columns, choices.sample_weight)
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
        check_rows(len(weights))
        groups = None
        if group is not None:
            known, groups = np.unique(inputs[group].values, return_inverse=True)
            if len(known) <= choices.folds:
                raise ValueError(
                    f"test_group must have more groups than folds ({choices.folds}), "
                    f"got {len(known)} in {shown(group)}"
                )
        order = None if last is None else _in_order(last, inputs[last])
        return cls(inputs, wanted, weights, groups, order, drop, notes)

    def split(self, labels: Indices, choices: Choices) -> TrainTestRows:
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


def _in_order(name: str, cells: Cells) -> NDArray[Any]:
    """The numbers or dates of a column, by which rows are sorted."""
    if cells.kind == "numbers":
        return cells.values
    found = dates_in(name, cells)
    if found is None:
        raise TypeError(f"test_last must be numbers or dates, got {shown(cells.texts[0])}")
    return found[0]


def _with_weights(columns: Mapping[str, Any], given: Any) -> tuple[Mapping[str, Any], str | None]:
    """The table with a column of weights, and its name."""
    if given is None:
        return columns, None
    if isinstance(given, str) or integer(given) is not None:
        return columns, column_name("sample_weight", given)
    name = "sample_weight"
    while name in columns:
        name += "'"
    columns = {**columns, name: array_of(given, "sample_weight")}
    check_lengths(columns)
    return columns, name


def class_factors(target: Target, labels: Indices, weights: FloatArray, given: Any) -> FloatArray:
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
        number = check_number("class_weight", factor, rule_of("(0, inf)"))
        factors[target.classes.index(name)] = number
    return factors
