"""A network for each group: the rows held out, its scaling, its training, its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Integers, rows_of
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import available_threads
from fastgd.engine.prediction import predict_parts
from fastgd.models.row_splits import some_of
from fastgd.store.files import is_folder
from fastgd.training.run import Run
from fastgd.training.sweep_result import Sweep
from fastgd.training.train_sweep import sweep, train

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


class GroupRows(NamedTuple):
    """Rows of a table as the networks' inputs and targets, with the group index of each."""

    inputs: FloatArray  # (rows, inputs)
    targets: FloatArray  # (rows, outputs)
    codes: Integers  # (rows,)
    held: BoolArray  # (rows,): in a validation set
    test: BoolArray  # (rows,): in a test set

    def where(self, chosen: BoolArray) -> GroupRows:
        """Return the chosen rows."""
        return GroupRows(*(part[chosen] for part in self))  # type: ignore[arg-type]


class TrainedGroups(NamedTuple):
    """The networks of groups."""

    sweeps: tuple[Sweep, ...]
    places: Integers  # (groups, 2): index of the sweep, and of the run in it; -1 without a network


class Plans(NamedTuple):
    """How the networks of groups are trained without a validation set."""

    settings: tuple[Settings, ...]
    of_group: Integers  # (groups,): index into settings


class Scaling(NamedTuple):
    """The mean and the scale of each column in each group."""

    mean: FloatArray  # (groups, columns)
    scale: FloatArray  # (groups, columns)

    @classmethod
    def of_groups(cls, values: FloatArray, codes: Integers, groups: int) -> Scaling:
        """Mean and standard deviation of (rows, columns) in each group; 0 for constant columns."""
        counts = np.bincount(codes, minlength=groups)
        mean, scale = np.empty((groups, values.shape[1])), np.empty((groups, values.shape[1]))
        for k, column in enumerate(values.T):
            mean[:, k] = np.bincount(codes, column, groups) / counts
            rest = column - mean[codes, k]
            # For a constant column the deviation is rounding error only: make it exactly 0.
            rest[np.abs(rest) <= 1e-13 * np.abs(column)] = 0.0
            scale[:, k] = np.sqrt(np.bincount(codes, rest * rest, groups) / counts)
        return cls(mean, scale)

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


def hold_out(
    codes: Integers, groups: int, shares: tuple[float, float], least: int, seed: int
) -> tuple[BoolArray, BoolArray]:
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


def train_all_rows(rows: GroupRows, settings: Settings, seed: int, file: Path | None) -> Run:
    """Train one network on the rows of all groups, or on a draw; saved in the file, if there is."""
    first = _first(settings)
    learned, held = np.flatnonzero(~rows.held), np.flatnonzero(rows.held)
    learned = learned[some_of(len(learned), MOST_ROWS, seed)]
    held = held[some_of(len(held), MOST_ROWS // 4, seed)]
    if len(held):
        first["validation"] = (rows.inputs[held], rows.targets[held])
    else:
        first = {name: value for name, value in first.items() if name not in STOPPING}
    return train(rows.inputs[learned], rows.targets[learned], **first, checkpoint=file)


def train_watched(
    rows: GroupRows,
    alone: BoolArray,
    settings: Settings,
    start: Run | None,
    out: Path | None = None,
    **how: Any,
) -> tuple[TrainedGroups, Plans]:
    """Train a network for each group that has validation rows, and plan trainings without them.

    Those groups for which ``alone`` (groups,) is true are then trained with the setting that was
    best for them, and for as many iterations; the others with the setting that was best for all of
    these groups together, for the median of their iterations.
    Iterations are rounded to powers of two: a sweep trains all groups with the same number.
    """
    given, groups = _starting(settings, start), len(alone)
    plain = {name: value for name, value in settings.items() if name not in STOPPING}
    has_held = np.bincount(rows.codes[rows.held], minlength=groups) > 0
    places = np.full((groups, 2), -1, np.int64)
    if not has_held.any():
        return TrainedGroups((), places), Plans((_first(plain),), np.zeros(groups, np.int64))
    some = rows.where(has_held[rows.codes])
    found = _swept(some, out, folds=some.held[None], **given, **how)
    assert found.final_validation_error is not None
    errors = found.final_validation_error.reshape(int(has_held.sum()), -1)
    best = np.where(np.isnan(errors), np.inf, errors).argmin(axis=1)
    of_groups = np.arange(len(best))
    # In the flat sweep each group has a row of runs.
    runs = of_groups * errors.shape[1] + best
    places[has_held] = np.column_stack([np.zeros_like(runs), runs])
    iterations = found.iterations if found.best_iteration is None else found.best_iteration
    needed = iterations.reshape(errors.shape)[of_groups, best]
    own = alone[has_held]
    decides = own if own.any() else ~own
    # The mean error of each setting; a group where all trainings diverged doesn't count.
    finite = np.isfinite(errors[decides]).any(axis=1)
    means = errors[decides][finite].sum(axis=0)
    setting = np.full(groups, np.where(np.isnan(means), np.inf, means).argmin())
    updates = np.full(groups, int(np.median(needed[decides])))
    setting[alone & has_held], updates[alone & has_held] = best[own], needed[own]
    rounded = np.exp2(np.rint(np.log2(np.maximum(updates, 1)))).astype(np.int64)
    rounded = np.minimum(rounded, settings["iterations"])
    names = [name for name in found.axes if name in SELECTED]
    values = list(product(*(found.axes[name] for name in names)))
    pairs, of_group = np.unique(np.column_stack([setting, rounded]), axis=0, return_inverse=True)
    plans = tuple(
        {**plain, **dict(zip(names, values[k], strict=True)), "iterations": n, "record_every": n}
        for k, n in pairs.tolist()
    )
    return TrainedGroups((found,), places), Plans(plans, of_group.ravel())


def train_groups(
    rows: GroupRows,
    groups: int,
    plans: Plans,
    start: Run | None,
    out: Path | None = None,
    **how: Any,
) -> TrainedGroups:
    """Train a network for each group that has rows, as planned; saved in folders like ``out``."""
    present = np.bincount(rows.codes, minlength=groups) > 0
    places = np.full((groups, 2), -1, np.int64)
    sweeps: list[Sweep] = []
    for k, settings in enumerate(plans.settings):
        mine = np.flatnonzero(present & (plans.of_group == k))
        if len(mine):
            own = rows.where(np.isin(rows.codes, mine))
            places[mine] = np.column_stack([np.full(len(mine), len(sweeps)), np.arange(len(mine))])
            folder = out and out.with_name(f"{out.name}-{k}")
            sweeps.append(_swept(own, folder, **_starting(settings, start), **how))
    return TrainedGroups(tuple(sweeps), places)


def _first(settings: Settings) -> dict[str, Any]:
    """The settings with the first value of each list that groups select from."""
    return {
        name: value[0] if name in SELECTED and isinstance(value, list) else value
        for name, value in settings.items()
    }


def _starting(settings: Settings, start: Run | None) -> dict[str, Any]:
    """Settings of networks that start from another one, if there is one."""
    if start is None:
        return dict(settings)
    if not all(np.isfinite(layer).all() for layer in (*start.weights, *start.biases)):
        raise ValueError(
            "the network of all groups, which each group starts from, must not diverge: use a "
            'smaller alpha, or start="own"'
        )
    return {name: value for name, value in settings.items() if name != "init"} | {"weights": start}


def _swept(rows: GroupRows, out: Path | None, **given: Any) -> Sweep:
    """Train a network for each group, in memory or saved in a folder."""
    if out is not None:
        is_folder(out)
    found = sweep(rows.inputs, rows.targets, groups=rows.codes, out=out, **given)
    whole: Sweep = found if out is None else found[...]
    return whole


def outputs_of(
    trained: TrainedGroups, inputs: Scaling, outputs: Scaling, prepared: FloatArray, codes: Integers
) -> FloatArray:
    """Outputs (rows, outputs) for prepared rows of these groups; without a network the mean."""
    result: FloatArray = outputs.mean[codes]
    for k, one in enumerate(trained.sweeps):
        mine = np.flatnonzero(trained.places[codes, 0] == k)
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


def stacked(
    trained: TrainedGroups, outputs: Scaling
) -> tuple[Scaling, tuple[NetworkParts, Method] | None]:
    """The parameters of all groups as arrays (groups, ...), and the scaling of their outputs.

    Without a network they are 0, so that the output is the mean; that is NaN if one diverged.
    """
    if not trained.sweeps:
        return outputs, None
    [network], [kept] = trained.sweeps[0].networks, trained.sweeps[0].kept_weights or ()
    rows, mean = np.zeros((len(outputs.mean), kept.shape[1])), outputs.mean.copy()
    for k, one in enumerate(trained.sweeps):
        mine = trained.places[:, 0] == k
        [kept] = one.kept_weights or ()
        rows[mine] = kept[trained.places[mine, 1]]
    finite = np.isfinite(rows).all(axis=1)
    rows[~finite], mean[~finite] = 0.0, np.nan
    return Scaling(mean, outputs.scale), (network.parts(rows), trained.sweeps[0].method)
