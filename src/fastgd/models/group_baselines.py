"""What the networks of groups are compared with: a constant, a ridge, the network of all groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import FloatArray
from fastgd.models.group_training import GroupRows, Scaling, TrainedGroups, outputs_of
from fastgd.tables.targets import NumberTarget, Target
from fastgd.training.run import Run

MODELS = ("network", "shared", "ridge", "constant")
"""A group's own network, the network of all groups, a ridge, and the mean or the frequencies."""

PENALTIES = (1.0, 0.1, 0.01, 10.0)
"""L2 penalties of the ridge, on standardized inputs; the first one without validation rows."""

MOST_MOMENTS = 2**25
"""There is no ridge if the number of groups times the squared number of inputs is larger."""

POOLED = 5.0
"""Validation rows of a group that count as much as those of all groups.

Without them the few rows of a group choose by chance: on four panels of 5 to 142 groups with 7 to
20 rows and on two tables of made-up shops, 0 made unseen errors 1 to 21 % larger than 5 did, and 20
made them 0 to 3 % larger.
"""

STOPPED = 0.5
"""The handicap of a group's network, whose stopping point was chosen by the same rows.

Where the truth was linear, 0 made unseen errors 7 to 19 % larger; 1 made those of two other tables
2 and 3 % larger.
"""


class GroupFits(NamedTuple):
    """All models that have learned from some rows of each group."""

    inputs: Scaling
    outputs: Scaling
    trained: TrainedGroups
    constant: FloatArray | None  # (groups, outputs); None in files of before
    ridge: FloatArray | None  # (groups, inputs + 1): coefficients of prepared inputs, and intercept
    shared: Run | None

    @property
    def names(self) -> list[str]:
        """The names of the models that there are."""
        known = (self.trained, self.shared, self.ridge, self.constant)
        return [name for name, one in zip(MODELS, known, strict=True) if one is not None]

    def outputs_of(self, name: str, prepared: FloatArray, codes: Integers) -> FloatArray:
        """Outputs (rows, outputs) of a model for prepared rows of these groups."""
        if name == "shared" and self.shared is not None:
            scaled = self.shared.predict(self.inputs.apply(prepared, codes))
            return self.outputs.undo(scaled, codes)
        if name == "ridge" and self.ridge is not None:
            return ridge_outputs(self.ridge, prepared, codes)
        if name == "constant" and self.constant is not None:
            return self.constant[codes]
        return outputs_of(self.trained, self.inputs, self.outputs, prepared, codes)

    def predict(self, chosen: Integers, prepared: FloatArray, codes: Integers) -> FloatArray:
        """Outputs of the model chosen for the group of each row; NaN without a group (-1)."""
        result = np.full((len(codes), self.outputs.mean.shape[1]), np.nan)
        for k, name in enumerate(MODELS):
            mine = np.flatnonzero((codes >= 0) & (chosen[codes] == k))
            if len(mine):
                result[mine] = self.outputs_of(name, prepared[mine], codes[mine])
        return result


def ridges(rows: GroupRows, groups: int, penalties: FloatArray) -> FloatArray:
    """Return a ridge for each group and each of its penalties, (groups, penalties, inputs + 1).

    Penalties, (groups, penalties), are those on inputs that are standardized within the group.
    Sums are added in the order of the rows and equations are solved by elimination, each step of
    all groups at a time: the bits don't depend on the machine.
    """
    scaling = Scaling.of_groups(rows.inputs, rows.codes, groups)
    scale = np.where(scaling.scale > 0, scaling.scale, np.inf)
    columns = Scaling(scaling.mean, scale).apply(rows.inputs, rows.codes).T.copy()
    mean = Scaling.of_groups(rows.targets, rows.codes, groups).mean[:, 0]
    targets = rows.targets[:, 0] - mean[rows.codes]
    count = len(columns)
    moments, sums = np.empty((groups, count, count)), np.empty((groups, count))
    for i, column in enumerate(columns):
        sums[:, i] = np.bincount(rows.codes, column * targets, groups)
        for j, other in enumerate(columns[: i + 1]):
            moments[:, i, j] = np.bincount(rows.codes, column * other, groups)
            moments[:, j, i] = moments[:, i, j]
    # An input that is constant has a row and a column of zeros.
    moments[:, range(count), range(count)] += moments.diagonal(axis1=1, axis2=2) == 0
    found = np.empty((groups, penalties.shape[1], count + 1))
    for k, penalty in enumerate(penalties.T):
        penalized = moments + penalty[:, None, None] * np.eye(count)
        slopes = _solved(penalized, sums.copy()) / scale
        found[:, k, :-1] = slopes
        found[:, k, -1] = mean - _dot(slopes, scaling.mean)
    return found


def ridge_outputs(coefficients: FloatArray, prepared: FloatArray, codes: Integers) -> FloatArray:
    """Outputs (rows, 1) of the ridges of these groups."""
    own = coefficients[codes]
    return np.asarray(_dot(own[:, :-1], prepared) + own[:, -1])[:, None]


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """The sums of products in each row, added in order."""
    total = np.zeros(len(a))
    for one, other in zip(a.T, b.T, strict=True):
        total += one * other
    return total


def _solved(matrices: FloatArray, sums: FloatArray) -> FloatArray:
    """Solve positive definite (n, k, k) equations with right sides (n, k); both are overwritten."""
    count = sums.shape[1]
    for k in range(count):
        factors = matrices[:, k + 1 :, k] / matrices[:, k, k, None]
        matrices[:, k + 1 :, k + 1 :] -= factors[:, :, None] * matrices[:, k, None, k + 1 :]
        sums[:, k + 1 :] -= factors * sums[:, k, None]
    for k in reversed(range(count)):
        sums[:, k] /= matrices[:, k, k]
        sums[:, :k] -= matrices[:, :k, k] * sums[:, k, None]
    return sums


def mean_errors(errors: FloatArray, codes: Integers, groups: int) -> FloatArray:
    """The mean of the errors of each group's rows; NaN without rows."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(codes, errors, groups) / np.bincount(codes, None, groups))


def best_of(
    outputs: list[FloatArray], rows: GroupRows, groups: int, handicap: float = 0.0
) -> Integers:
    """The index of the model with the smallest error in each group, (groups,).

    ``outputs`` has those of each model for the validation rows. Each group's errors are divided by
    their mean and averaged with those of all groups; see :data:`POOLED`. The ``handicap``, divided
    by the number of rows, is the fraction by which the errors of the first model are enlarged.
    """
    wrong = [np.abs(own - rows.targets).mean(axis=1) for own in outputs]
    errors = np.column_stack([mean_errors(one, rows.codes, groups) for one in wrong])
    counts = np.bincount(rows.codes, minlength=groups)[:, None]
    errors[:, 0] *= 1 + handicap / np.maximum(counts[:, 0], 1)
    finite = np.isfinite(errors)
    scale = np.where(finite, errors, 0.0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
    relative = errors / np.where(scale > 0, scale, 1.0)[:, None]
    relative[~finite] = 10.0  # a training that diverged
    pooled = relative[counts[:, 0] > 0].sum(axis=0) / max(1, int((counts > 0).sum()))
    chosen: Integers = ((counts * relative + POOLED * pooled) / (counts + POOLED)).argmin(axis=1)
    return chosen


def errors_of(target: Target, outputs: FloatArray, rows: GroupRows, groups: int) -> FloatArray:
    """The mean ``|error|`` of each group in the target's unit, or the fraction wrong."""
    if isinstance(target, NumberTarget):
        wrong = np.abs(outputs[:, 0] - rows.targets[:, 0]) * target.scale
    else:
        wrong = (outputs.argmax(axis=1) != rows.targets.argmax(axis=1)).astype(float)
        wrong[np.isnan(outputs).any(axis=1)] = np.nan
    return mean_errors(wrong, rows.codes, groups)
