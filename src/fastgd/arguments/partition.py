"""The rows that each run of a sweep is trained on and tested on."""

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.subsets import Groups, Integers, RowIndices, check_folds, check_groups
from fastgd.checks.messages import shown
from fastgd.checks.numbers import (
    FloatArray,
    array_of,
    check_not_negative,
    check_sample_weight,
    numbers_of,
)

__all__ = ["Part", "Partition", "RowIndices", "check_partition"]


class Part(NamedTuple):
    """The rows of the runs of one subset of the table, with their sample weights."""

    rows: Integers  # (n,), ascending
    weight: FloatArray | None  # (n,)
    held: Integers | None  # (m,), ascending
    held_weight: FloatArray | None  # (m,)


@dataclass(frozen=True, eq=False)
class Partition:
    """The rows that the runs of a sweep are trained on and tested on, in subsets of the table.

    The subsets are in the order of the axes, the last axis fastest. Without an axis there is one
    subset, or the combinations of a sweep are divided among them: the first subset has as many as
    any other one.
    """

    axes: dict[str, list[Any]]  # "group", "fold" and "sample_weight", as far as they are axes
    rows: RowIndices  # for each (group, fold) the rows to train on
    held: RowIndices | None  # for each (group, fold) the rows to test on; None without folds
    weights: FloatArray | None  # (weightings, samples) sample weights; None if none were given
    hashes: tuple[dict[str, str], ...] = ()  # of the samples of each (group, fold), with states

    def __len__(self) -> int:
        return len(self.rows) * self.weightings

    @property
    def weightings(self) -> int:
        """The number of rows of sample weights."""
        return 1 if self.weights is None else len(self.weights)

    def of_combinations(self, places: Any, count: int) -> Any:
        """Return the subset that each of ``count`` combinations belongs to, at these places."""
        return places // (count // len(self))

    def named(self, part: int) -> str:
        """Return the name of a (group, fold) in a message."""
        names: list[str] = []
        for name in ("fold", "group"):
            if name in self.axes:
                part, place = divmod(part, len(self.axes[name]))
                names.insert(0, f"{name} {shown(self.axes[name][place])}")
        return ", ".join(names) or "all samples"

    def part(self, i: int) -> Part:
        """Return the rows and weights of one subset."""
        cell, w = divmod(range(len(self))[i], self.weightings)
        rows, held = self.rows[cell], None if self.held is None else self.held[cell]
        if self.weights is None:
            return Part(rows, None, held, None)
        weight = self.weights[w]
        return Part(rows, weight[rows], held, None if held is None else weight[held])


def check_partition(
    X: FloatArray,
    y: FloatArray,
    *,
    groups: object = None,
    folds: object = None,
    sample_weight: object = None,
) -> Partition | None:
    """Return the subsets of a table by groups, folds and sample weights; None without such an axis.

    X and y are checked already. Sample weights are an axis if they are 2-D. In place of labels,
    groups may be the row indices of each, which may overlap; folds are then the row indices to test
    on. Such groups are no axis: each has combinations of its own.
    """
    weights, is_axis = _weights(sample_weight, len(X))
    if groups is None and folds is None and not is_axis:
        return None
    held = None
    axes: dict[str, list[Any]] = {}
    if isinstance(groups, RowIndices):
        rows, held = groups, cast(RowIndices | None, folds)
        grouped = Groups(list(range(len(rows))), np.empty(0, np.int64), rows)
    else:
        grouped = check_groups(groups, len(X))
        rows = grouped.rows
        if grouped.labels is not None:
            axes["group"] = grouped.labels
        if folds is not None:
            rows, held = check_folds(folds, X, y, grouped)
            axes["fold"] = list(range(len(rows) // len(grouped.rows)))
    if weights is not None:
        if is_axis:
            axes["sample_weight"] = list(range(len(weights)))
        for part, use in ((rows, "to train on"), (held, "to test on")):
            if part is not None:
                _check_sums(weights, is_axis, part, use, grouped, "fold" in axes)
    return Partition(axes, rows, held, weights)


def _weights(value: object, samples: int) -> tuple[FloatArray | None, bool]:
    """Return the weights as a 2-D array, and whether they are an axis."""
    if value is None:
        return None, False
    if array_of("sample_weight", value).ndim < 2:
        weight = check_sample_weight(value, samples)
        return None if weight is None else weight.reshape(1, -1), False
    weights = numbers_of("sample_weight", value)
    if weights.ndim != 2 or weights.shape[1] != samples:
        raise ValueError(
            f"sample_weight must have shape ({samples},), one for each sample of X, or "
            f"(weightings, {samples}) as an axis, got shape {weights.shape}"
        )
    check_not_negative("sample_weight", weights)
    return weights.copy(), True


def _check_sums(
    weights: FloatArray, is_axis: bool, rows: RowIndices, use: str, groups: Groups, with_folds: bool
) -> None:
    """Reject weights that are all 0 in a subset, or have a sum there that is not finite."""
    for w, weight in enumerate(weights):
        with np.errstate(over="ignore"):
            sums: NDArray[np.float64] = np.add.reduceat(weight[rows.values], rows.starts[:-1])
        wrong = ~((sums > 0) & (sums < np.inf))
        if wrong.any():
            at = int(wrong.argmax())
            group, fold = divmod(at, len(rows) // len(groups.rows))
            name = f"sample_weight[{w}]" if is_axis else "sample_weight"
            where = f" in fold {fold}" * with_folds + groups.named(group)
            raise ValueError(
                f"{name} must have a finite sum above 0 over the rows {use}, "
                f"got a sum of {sums[at]}{where}"
            )
