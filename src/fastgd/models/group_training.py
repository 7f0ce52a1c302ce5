"""A network for each group: its validation rows, its scaling, its training, its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.arguments.groups import Integers, rows_of
from fastgd.engine.prediction import predict_parts
from fastgd.engine.session import available_threads
from fastgd.tables.targets import NumberTarget, Target
from fastgd.training.results import Run
from fastgd.training.runs import Sweep
from fastgd.training.sweep import sweep
from fastgd.training.train import train

BoolArray = NDArray[np.bool_]
Settings = Mapping[str, Any]

STOPPING = ("patience", "restore_best", "tolerance", "evaluate_every", "monitor", "min_delta")
"""Options that need validation rows, or evaluate the error during the training."""

SELECTED = ("alpha", "l1", "l2", "dropout")
"""Arguments that may be lists: each group keeps the value with the smallest validation error."""

MOST_ROWS = 20_000
"""Rows that the network of all groups is trained on, at most.

With 90,000 rows of 3,000 made-up shops, 5,000 rows made the errors of the groups 2 % larger, and
60,000 rows made them 1 % smaller but took as long as training all groups.
"""


HOLDING_OUT, TOO_SMALL = "groups", "small-groups"
"""Folders of the sweeps: of groups with a validation set, and of groups with too few rows."""


class GroupRows(NamedTuple):
    """Rows of a table as the networks' inputs and targets, with the group index of each."""

    inputs: FloatArray  # (rows, inputs)
    targets: FloatArray  # (rows, outputs)
    codes: Integers  # (rows,)
    held: BoolArray  # (rows,)

    def where(self, chosen: BoolArray) -> GroupRows:
        """Return the chosen rows."""
        return GroupRows(
            self.inputs[chosen], self.targets[chosen], self.codes[chosen], self.held[chosen]
        )


class TrainedGroups(NamedTuple):
    """The networks of groups."""

    sweeps: tuple[Sweep, ...]
    places: Integers  # (groups, 2): index of the sweep, and of the run in it; -1 without a network


class Scaling(NamedTuple):
    """The mean and the scale of each column in each group."""

    mean: FloatArray  # (groups, columns)
    scale: FloatArray  # (groups, columns)

    @classmethod
    def of_groups(cls, values: FloatArray, codes: Integers, groups: int) -> Scaling:
        """Mean and standard deviation of (rows, columns) in each group; 0 for constant columns.

        Examples
        --------
        >>> Scaling.of_groups(np.array([[1.0], [3.0], [7.0]]), np.array([0, 0, 1]), 2)
        Scaling(mean=array([[2.],
               [7.]]), scale=array([[1.],
               [0.]]))
        """
        counts = np.bincount(codes, minlength=groups)
        mean, scale = np.empty((groups, values.shape[1])), np.empty((groups, values.shape[1]))
        for k, column in enumerate(values.T):
            mean[:, k] = np.bincount(codes, column, groups) / counts
            rest = column - mean[codes, k]
            # For a constant column the deviation is rounding error only: make it exactly 0.
            rest[np.abs(rest) <= 1e-13 * np.abs(column)] = 0.0
            scale[:, k] = np.sqrt(np.bincount(codes, rest * rest, groups) / counts)
        return cls(mean, scale)

    @classmethod
    def none(cls, groups: int, columns: int) -> Scaling:
        """No scaling: mean 0 and scale 1."""
        return cls(np.zeros((groups, columns)), np.ones((groups, columns)))

    def within(self, codes: Integers) -> FloatArray:
        """The standard deviation of each column within its group, over all rows, (columns,)."""
        counts = np.bincount(codes, minlength=len(self.scale))
        together: FloatArray = np.sqrt((counts @ self.scale**2) / len(codes))
        return together

    def apply(self, values: FloatArray, codes: Integers) -> FloatArray:
        """Scale the columns of rows in these groups."""
        scaled: FloatArray = values - self.mean[codes]
        scaled /= self.scale[codes]
        return scaled

    def undo(self, scaled: FloatArray, codes: Integers) -> FloatArray:
        """Undo the scaling of rows in these groups."""
        values: FloatArray = scaled * self.scale[codes]
        values += self.mean[codes]
        return values


def hold_out(codes: Integers, groups: int, share: float, least: int, seed: int) -> BoolArray:
    """Draw this fraction of the rows of each group that has at least ``least`` rows.

    Of such a group at least one row is held out, and at least one is left.

    Examples
    --------
    >>> hold_out(np.array([0, 0, 0, 0, 1]), 2, 0.5, 2, seed=1)
    array([ True, False,  True, False, False])
    """
    sizes = np.bincount(codes, minlength=groups)
    wanted = np.clip(np.rint(share * sizes).astype(np.int64), 1, np.maximum(sizes - 1, 0))
    wanted[(sizes < max(least, 2)) | (share == 0)] = 0
    draw = np.random.default_rng(seed).random(len(codes))
    order = np.lexsort((draw, codes))
    rank = np.arange(len(codes)) - (np.cumsum(sizes) - sizes)[codes[order]]
    held = np.zeros(len(codes), dtype=bool)
    held[order] = rank < wanted[codes[order]]
    return held


def train_all_rows(rows: GroupRows, settings: Settings, seed: int, file: Path | None) -> Run:
    """Train one network on the rows of all groups, or on a draw of them.

    Where an argument is a list, its first value is used. The network is saved in the file, if one
    is given.
    """
    first = {
        name: value[0] if name in SELECTED and isinstance(value, list) else value
        for name, value in settings.items()
    }
    draw = np.random.default_rng(seed)
    learned = _drawn(np.flatnonzero(~rows.held), MOST_ROWS, draw)
    held = _drawn(np.flatnonzero(rows.held), MOST_ROWS // 4, draw)
    if len(held):
        first["validation"] = (rows.inputs[held], rows.targets[held])
    else:
        first = {name: value for name, value in first.items() if name not in STOPPING}
    return train(rows.inputs[learned], rows.targets[learned], **first, checkpoint=file)


def train_groups(
    rows: GroupRows,
    groups: int,
    settings: Settings,
    start: Run | None,
    out: Path | None = None,
    **how: Any,
) -> TrainedGroups:
    """Train a network for each group that has rows here; saved in ``out``, if it is given.

    Groups without validation rows are trained for the median of the best iterations of the others.

    Raises
    ------
    ValueError
        If the network that they start from has diverged.
    """
    given = dict(settings)
    if start is not None:
        if not all(np.isfinite(layer).all() for layer in (*start.weights, *start.biases)):
            raise ValueError(
                "the network of all groups, which each group starts from, must not diverge: use a "
                'smaller alpha, or start="own"'
            )
        given = {name: value for name, value in given.items() if name != "init"}
        given["weights"] = start
    has_held = np.bincount(rows.codes[rows.held], minlength=groups) > 0
    has_rows = np.bincount(rows.codes, minlength=groups) > 0
    places = np.full((groups, 2), -1, np.int64)
    sweeps: list[Sweep] = []
    if has_held.any():
        own = rows.where(has_held[rows.codes])
        found = _swept(own, out and out / HOLDING_OUT, folds=own.held[None], **given, **how)
        assert found.final_validation_error is not None
        errors = found.final_validation_error.reshape(int(has_held.sum()), -1)
        best = np.where(np.isnan(errors), np.inf, errors).argmin(axis=1)
        # In the flat sweep each group has a row of runs.
        runs = np.arange(len(best)) * errors.shape[1] + best
        places[has_held] = np.column_stack([np.zeros_like(runs), runs])
        sweeps.append(found)
        given = _as_the_others(found, errors, best, given)
    rest = has_rows & ~has_held
    if rest.any():
        own = rows.where(rest[rows.codes])
        given = {name: value for name, value in given.items() if name not in STOPPING}
        sweeps.append(_swept(own, out and out / TOO_SMALL, **given, **how))
        places[rest] = np.column_stack(
            [np.full(rest.sum(), len(sweeps) - 1), np.arange(rest.sum())]
        )
    return TrainedGroups(tuple(sweeps), places)


def _swept(rows: GroupRows, out: Path | None, **given: Any) -> Sweep:
    """Train a network for each group, in memory or saved in a folder."""
    found = sweep(rows.inputs, rows.targets, groups=rows.codes, out=out, **given)
    whole: Sweep = found if out is None else found[...]
    return whole


def _as_the_others(
    found: Sweep, errors: FloatArray, best: Integers, given: Settings
) -> dict[str, Any]:
    """Settings for groups without validation rows, from the results of the other groups."""
    iterations = found.iterations if found.best_iteration is None else found.best_iteration
    middle = int(np.median(iterations.reshape(errors.shape)[np.arange(len(best)), best]))
    names = [name for name in found.axes if name in SELECTED]
    shape = [len(found.axes[name]) for name in names]
    with np.errstate(invalid="ignore"):
        finite = np.where(np.isfinite(errors).any(axis=1, keepdims=True), errors, 0.0)
        together = np.where(np.isnan(finite), np.inf, finite).mean(axis=0)
    at = np.unravel_index(int(together.argmin()), shape) if shape else ()
    chosen = {name: found.axes[name][place] for name, place in zip(names, at, strict=True)}
    middle = max(1, middle)
    return {**given, **chosen, "iterations": middle, "record_every": middle}


def _drawn(places: Integers, most: int, draw: np.random.Generator) -> Integers:
    """At most ``most`` of these row indices, drawn and sorted."""
    if len(places) <= most:
        return places
    return np.sort(draw.choice(places, most, replace=False))


def outputs_of(
    trained: TrainedGroups, inputs: Scaling, outputs: Scaling, prepared: FloatArray, codes: Integers
) -> FloatArray:
    """Outputs (rows, outputs) for prepared rows of these groups.

    A group without a network gets the mean of its targets; rows without a group (-1) get NaN.
    """
    result = np.full((len(codes), outputs.mean.shape[1]), np.nan)
    known = np.flatnonzero(codes >= 0)
    result[known] = outputs.mean[codes[known]]
    number = np.full(len(codes), -1)
    number[known] = trained.places[codes[known], 0]
    for k, one in enumerate(trained.sweeps):
        mine = np.flatnonzero(number == k)
        if not len(mine):
            continue
        own = codes[mine]
        present, sizes = np.unique(own, return_counts=True)
        [network], [kept] = one.networks, one.kept_weights or ()
        found = np.empty((1, len(mine), result.shape[1]))
        predict_parts(
            network,
            one.method,
            kept[trained.places[present, 1]][:, None],
            inputs.apply(prepared[mine], own),
            rows_of(np.argsort(own, kind="stable"), sizes),
            {},
            available_threads(),
            found,
        )
        result[mine] = outputs.undo(found[0], own)
    return result


def measured(
    target: Target, outputs: FloatArray, rows: GroupRows, trained: TrainedGroups
) -> dict[str, NDArray[Any]]:
    """Number of rows, errors and status of each group."""
    _, targets, codes, held = rows
    if isinstance(target, NumberTarget):
        wrong = np.abs(outputs[:, 0] - targets[:, 0]) * target.scale
    else:
        wrong = (outputs.argmax(axis=1) != targets.argmax(axis=1)).astype(float)
        wrong[np.isnan(outputs).any(axis=1)] = np.nan
    groups = len(trained.places)
    counts = {part: np.bincount(codes[held == part], minlength=groups) for part in (False, True)}
    with np.errstate(invalid="ignore"):
        errors = {
            part: np.bincount(codes[held == part], wrong[held == part], groups) / count
            for part, count in counts.items()
        }
    status = np.full(groups, "constant", dtype="U16")
    for k, one in enumerate(trained.sweeps):
        mine = trained.places[:, 0] == k
        status[mine] = one.status.ravel()[trained.places[mine, 1]]
    return {
        "rows": counts[False] + counts[True],
        "validation_rows": counts[True],
        "training_error": errors[False],
        "validation_error": errors[True],
        "status": status,
    }
