"""Subsets of the samples for a sweep's runs: groups, folds and rows of weights, new or resumed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import array_of, check_sample_weight
from fastgd.arguments.partition import Partition, check_partition
from fastgd.checks.messages import shown
from fastgd.engine.training_data import TrainingData


def weightings_of(given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Separate 2-D sample weights, which are an axis, from the other options."""
    weights = given.get("sample_weight")
    if weights is None or array_of("sample_weight", weights).ndim < 2:
        return None, given
    return weights, {name: value for name, value in given.items() if name != "sample_weight"}


def partition_of(
    task: TrainingData,
    groups: Any,
    folds: Any,
    weightings: Any,
    given: dict[str, Any],
) -> Partition | None:
    """Return the subsets of the samples, or None if every run has all samples."""
    weight = given.get("sample_weight")
    if weightings is None and weight is not None:
        weightings = check_sample_weight(weight, len(task.X))
    return check_partition(task.X, task.y, groups=groups, folds=folds, sample_weight=weightings)


def resumed_partition(
    made: Partition | None, before: Partition | None, samples: int
) -> Partition | None:
    """Return the subsets of the resumed sweep; subsets given again (``made``) must equal them."""
    if made is not None and not _same(made, before):
        raise ValueError(
            "groups, folds and rows of sample_weight must be left out with resume, or as they "
            "were in the sweep, got others"
        )
    if before is not None:
        rows = [before.rows] if before.held is None else [before.rows, before.held]
        needed = 1 + max(int(part.values.max()) for part in rows)
        if needed > samples:
            raise ValueError(
                f"X must have the samples of the resumed sweep, at least {needed}, got {samples}"
            )
    return before


def name_of(partition: Partition, part: int) -> str:
    """The name of a subset in an error message: its group and fold."""
    names: list[str] = []
    for name in ("fold", "group"):
        if name in partition.axes:
            part, place = divmod(part, len(partition.axes[name]))
            names.insert(0, f"{name} {shown(partition.axes[name][place])}")
    return ", ".join(names) or "all samples"


def _same(one: Partition | None, other: Partition | None) -> bool:
    if one is None or other is None:
        return one is other
    arrays, others = _arrays(one), _arrays(other)
    same = len(arrays) == len(others) and all(map(np.array_equal, arrays, others))
    return one.axes == other.axes and same


def _arrays(partition: Partition) -> list[NDArray[Any]]:
    rows = [rows for rows in (partition.rows, partition.held) if rows is not None]
    weights = [] if partition.weights is None else [partition.weights]
    return [array for part in rows for array in (part.values, part.starts)] + weights
