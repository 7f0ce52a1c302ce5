"""The samples of a sweep's runs: groups, folds and weightings, as they are given or resumed."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgd.arguments.data import array_of, check_sample_weight
from fastgd.arguments.messages import shown
from fastgd.arguments.partition import Partition, check_partition
from fastgd.engine.task import Task


def weightings_of(given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Rows of sample weights, if these are an axis, and the options that remain."""
    weights = given.get("sample_weight")
    if weights is None or array_of("sample_weight", weights).ndim < 2:
        return None, given
    return weights, {name: value for name, value in given.items() if name != "sample_weight"}


def partition_of(
    task: Task,
    groups: Any,
    folds: Any,
    weightings: Any,
    given: dict[str, Any],
    before: Partition | None = None,
) -> Partition | None:
    """Return the parts of the samples; ``before`` is what they must be, if they are given again."""
    weight = given.get("sample_weight")
    if weightings is None and weight is not None:
        weightings = check_sample_weight(weight, len(task.X))
    made = check_partition(task.X, task.y, groups=groups, folds=folds, sample_weight=weightings)
    if before is None:
        return made
    if made is not None and not _same(made, before):
        raise ValueError(
            "groups, folds and rows of sample_weight must be left out with resume, or as they "
            "were in the sweep, got others"
        )
    samples = max(int(rows.values.max()) for rows in (before.rows, before.held) if rows) + 1
    if samples > len(task.X):
        raise ValueError(
            f"X must have the samples of the sweep that goes on, at least {samples}, "
            f"got {len(task.X)}"
        )
    return before


def name_of(partition: Partition, part: int) -> str:
    """What a message calls one of the groups and folds."""
    names: list[str] = []
    for name in ("fold", "group"):
        if name in partition.axes:
            part, place = divmod(part, len(partition.axes[name]))
            names.insert(0, f"{name} {shown(partition.axes[name][place])}")
    return ", ".join(names) or "all samples"


def _same(one: Partition, other: Partition) -> bool:
    pairs = [(one.rows, other.rows), (one.held, other.held)]
    return (
        one.axes == other.axes
        and all(
            a is b
            or (
                a is not None
                and b is not None
                and np.array_equal(a.values, b.values)
                and np.array_equal(a.starts, b.starts)
            )
            for a, b in pairs
        )
        and (
            one.weights is other.weights
            or (
                one.weights is not None
                and other.weights is not None
                and np.array_equal(one.weights, other.weights)
            )
        )
    )
