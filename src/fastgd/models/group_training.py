"""Training groups in stages: find iterations, judge on test rows, learn from all rows.

A group has a network, a ridge and a constant; with the network of all groups these are its models.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
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
from fastgd.engine.prediction import predict
from fastgd.models.changes import values_of
from fastgd.models.row_splits import some_of
from fastgd.store.files import is_folder
from fastgd.tables.targets import ClassTarget, NumberTarget, Target
from fastgd.training.run import Run
from fastgd.training.sweep_result import Sweep
from fastgd.training.train_sweep import sweep, train

BoolArray = NDArray[np.bool_]

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


Plans = list[tuple[Mapping[str, Any], Integers]]
"""How networks are trained without a validation set: settings, and the groups trained so."""


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


def train_all_rows(
    rows: GroupRows, settings: Mapping[str, Any], seed: int, file: Path | None
) -> Run:
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
    settings: Mapping[str, Any],
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
    groups = len(alone)
    plain = {name: value for name, value in settings.items() if name not in STOPPING}
    has_held = np.bincount(rows.codes[rows.held], minlength=groups) > 0
    places = np.full((groups, 2), -1, np.int64)
    if not has_held.any():
        return TrainedGroups((), places), [(_first(plain), np.arange(groups))]
    some = rows.where(has_held[rows.codes])
    found = _swept(some, out, settings, start, folds=some.held[None], **how)
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
    plans: Plans = []
    for plan, (k, n) in enumerate(pairs.tolist()):
        chosen = plain | dict(zip(names, values[k], strict=True))
        mine = np.flatnonzero(of_group.ravel() == plan)
        plans.append(({**chosen, "iterations": n, "record_every": n}, mine))
    return TrainedGroups((found,), places), plans


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
    for k, (settings, planned) in enumerate(plans):
        mine = planned[present[planned]]
        if len(mine):
            own = rows.where(np.isin(rows.codes, mine))
            places[mine] = np.column_stack([np.full(len(mine), len(sweeps)), np.arange(len(mine))])
            folder = out and out.with_name(f"{out.name}-{k}")
            sweeps.append(_swept(own, folder, settings, start, **how))
    return TrainedGroups(tuple(sweeps), places)


def _first(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the first value of each list that groups select from."""
    return {
        name: value[0] if name in SELECTED and isinstance(value, list) else value
        for name, value in settings.items()
    }


def _swept(
    rows: GroupRows, out: Path | None, settings: Mapping[str, Any], start: Run | None, **how: Any
) -> Sweep:
    """Train a network for each group, from ``start`` if there is one, in memory or in a folder."""
    given = dict(settings)
    if start is not None:
        if not all(np.isfinite(layer).all() for layer in (*start.weights, *start.biases)):
            raise ValueError(
                "the network of all groups, which each group starts from, must not diverge: use a "
                'smaller alpha, or start="own"'
            )
        given["weights"] = start
        given.pop("init", None)
    if out is not None:
        is_folder(out)
    found = sweep(rows.inputs, rows.targets, groups=rows.codes, out=out, **given, **how)
    whole: Sweep = found if out is None else found[...]
    return whole


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


# ---------------------------------------------------------------- a ridge, a constant, the best


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
    base: FloatArray | None = None  # (inputs + 1,): what the outputs of all are added to

    @property
    def names(self) -> list[str]:
        """The names of the models that there are."""
        known = (self.trained, self.shared, self.ridge, self.constant)
        return [name for name, one in zip(MODELS, known, strict=True) if one is not None]

    def outputs_of(self, name: str, prepared: FloatArray, codes: Integers) -> FloatArray:
        """Outputs (rows, outputs) of a model for prepared rows of these groups."""
        found = self._learned(name, prepared, codes)
        return found if self.base is None else found + values_of(self.base, prepared)

    def _learned(self, name: str, prepared: FloatArray, codes: Integers) -> FloatArray:
        """Outputs of a model, without what they are added to."""
        if name == "shared" and self.shared is not None:
            scaled = self.shared.predict(self.inputs.apply(prepared, codes))
            return self.outputs.undo(scaled, codes)
        if name == "ridge" and self.ridge is not None:
            return ridge_outputs(self.ridge, prepared, codes)
        if name == "constant" and self.constant is not None:
            return self.constant[codes]
        result: FloatArray = self.outputs.mean[codes]  # of a group without a network
        for k, one in enumerate(self.trained.sweeps):
            mine = np.flatnonzero(self.trained.places[codes, 0] == k)
            if not len(mine):
                continue
            own = codes[mine]
            present, sizes = np.unique(own, return_counts=True)
            [network], [kept] = one.networks, one.kept_weights or ()
            found = np.empty((1, len(mine), result.shape[1]))
            predict(
                network,
                one.method,
                kept[self.trained.places[present, 1]][:, None],
                self.inputs.apply(prepared[mine], own),
                {},
                available_threads(),
                found,
                rows_of(np.argsort(own, kind="stable"), sizes),
            )
            result[mine] = self.outputs.undo(found[0], own)
        return result

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
        left, right = moments + penalty[:, None, None] * np.eye(count), sums.copy()
        for i in range(count):
            factors = left[:, i + 1 :, i] / left[:, i, i, None]
            left[:, i + 1 :, i + 1 :] -= factors[:, :, None] * left[:, i, None, i + 1 :]
            right[:, i + 1 :] -= factors * right[:, i, None]
        for i in reversed(range(count)):
            right[:, i] /= left[:, i, i]
            right[:, :i] -= left[:, :i, i] * right[:, i, None]
        slopes = right / scale
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


# ---------------------------------------------------------------- stages

START = "start.npz"
"""File of the network that the networks of all groups start from."""

WATCHED, JUDGED, FINAL = "groups", "judged", "final"
"""Folders of the sweeps: with validation sets; of each plan on all rows but the test sets, and on
all rows."""


class Fitted(NamedTuple):
    """What the stages result in."""

    fits: GroupFits
    chosen: Integers
    measured: dict[str, NDArray[Any]]
    compared: dict[str, FloatArray]
    judged: FloatArray  # outputs of the test rows (without any, of the validation rows) by models
    # that haven't learned from them


class Stages(NamedTuple):
    """What all stages have in common."""

    target: Target
    groups: int
    settings: Mapping[str, Any]
    start: str
    standardize: str
    model: str
    min_rows: int
    seed: int
    path: Path | None
    how: Mapping[str, Any]  # who trains: threads, executor, device
    base: FloatArray | None = None  # of GroupFits

    def _changes(self, rows: GroupRows) -> GroupRows:
        """The rows with what is learned of them: the targets, or these minus the base."""
        if self.base is None:
            return rows
        return rows._replace(targets=rows.targets - values_of(self.base, rows.inputs))

    def fit(self, rows: GroupRows) -> Fitted:
        """Learn the models of all groups."""
        seen = rows.where(~rows.test)
        held, learned = seen.where(seen.held), seen.where(~seen.held)
        scaled, inputs, outputs, constant = self._scaled(seen)
        start, folder = (self.path and self.path / name for name in (START, WATCHED))
        shared = None
        if self.start == "global" and len(scaled.codes):
            shared = train_all_rows(scaled, self.settings, self.seed, start)
        alone = np.bincount(rows.codes, minlength=self.groups) >= self.min_rows
        trained, plans = train_watched(scaled, alone, self.settings, shared, folder, **self.how)
        ridge = penalties = None
        is_number = not isinstance(self.target, ClassTarget)
        if is_number and self.groups * rows.inputs.shape[1] ** 2 <= MOST_MOMENTS:
            tried = ridges(
                self._changes(learned), self.groups, np.tile(PENALTIES, (self.groups, 1))
            )
            tried = tried.transpose(1, 0, 2)
            of_each = [ridge_outputs(one, held.inputs, held.codes) for one in tried]
            best = best_of(of_each, self._changes(held), self.groups)
            penalties, ridge = np.array(PENALTIES)[best], tried[best, np.arange(self.groups)]
        chosen = np.zeros(self.groups, np.int64)
        first = GroupFits(inputs, outputs, trained, constant, ridge, shared, self.base)
        if self.model == "best":
            # Without validation rows the shared network has no prediction, and none is needed.
            names = first.names if len(held.codes) else ["network"]
            of_each = [first.outputs_of(name, held.inputs, held.codes) for name in names]
            places = np.array([MODELS.index(name) for name in names])
            chosen = places[best_of(of_each, held, self.groups, STOPPED)]
        fitted = partial(self._fitted, plans, shared, penalties)
        judged = fitted(seen, JUDGED) if rows.test.any() else None
        final = fitted(rows, FINAL)
        judged = judged or final
        test, errors = rows.where(rows.test), partial(errors_of, self.target, groups=self.groups)
        measured: dict[str, NDArray[Any]] = {
            "rows": np.bincount(rows.codes, minlength=self.groups),
            "test_rows": np.bincount(test.codes, minlength=self.groups),
        }
        for name, some in {"training_error": seen, "test_error": test}.items():
            outputs_found = judged.predict(chosen, some.inputs, some.codes)
            measured[name] = errors(outputs_found, some)
        compared = {
            name: errors(judged.outputs_of(name, test.inputs, test.codes), test)
            for name in (judged.names if len(test.codes) else ())
        }
        status = np.full(self.groups, "constant", dtype="U16")
        for k, one in enumerate(final.trained.sweeps):
            mine = final.trained.places[:, 0] == k
            status[mine] = one.status.ravel()[final.trained.places[mine, 1]]
        if self.model == "best":
            measured["model"] = np.where(status == "constant", status, np.array(MODELS)[chosen])
        measured["status"] = status
        if not len(test.codes):
            outputs_found = first.predict(chosen, held.inputs, held.codes)
        return Fitted(final, chosen, measured, compared, outputs_found)

    def _fitted(
        self,
        plans: Plans,
        shared: Run | None,
        penalties: FloatArray | None,
        rows: GroupRows,
        folder: str,
    ) -> GroupFits:
        """Learn from all of these rows, as planned."""
        rows = rows._replace(held=np.zeros_like(rows.held))
        scaled, inputs, outputs, constant = self._scaled(rows)
        path = self.path and self.path / folder
        trained = train_groups(scaled, self.groups, plans, shared, path, **self.how)
        ridge = None
        if penalties is not None:
            ridge = ridges(self._changes(rows), self.groups, penalties[:, None])[:, 0]
        return GroupFits(inputs, outputs, trained, constant, ridge, shared, self.base)

    def _scaled(self, rows: GroupRows) -> tuple[GroupRows, Scaling, Scaling, FloatArray]:
        """Scale the rows of groups whose targets vary, by the rows that are not held out.

        Returns these rows, the scaling of inputs and outputs, and the mean target of each group.
        """
        rows = self._changes(rows)
        learned = rows.where(~rows.held)
        targets = Scaling.of_groups(learned.targets, learned.codes, self.groups)
        inputs = Scaling.of_groups(learned.inputs, learned.codes, self.groups)
        constant = (targets.scale == 0).all(axis=1)
        if self.standardize == "group":
            # An input that is constant within a group tells nothing there. The global network, if
            # all start from it, knows its effect elsewhere; a network of its own would have random,
            # untrained weights for it, so its scale is infinite.
            idle: Any = np.inf
            if self.start == "global":
                counts = np.bincount(learned.codes, minlength=self.groups)
                within = np.sqrt((counts @ inputs.scale**2) / len(learned.codes))
                idle = np.where(within > 0, within, np.inf)
            inputs = inputs._replace(scale=np.where(inputs.scale > 0, inputs.scale, idle))
        else:
            inputs = Scaling(np.zeros_like(inputs.mean), np.ones_like(inputs.scale))
        outputs = targets
        if self.standardize == "global" or isinstance(self.target, ClassTarget):
            varies = np.broadcast_to(~constant[:, None], targets.mean.shape)
            outputs = Scaling(np.where(varies, 0.0, targets.mean), varies.astype(np.float64))
        scaled = rows.where(~constant[rows.codes])
        scaled = scaled._replace(
            inputs=inputs.apply(scaled.inputs, scaled.codes),
            targets=outputs.apply(scaled.targets, scaled.codes),
        )
        return scaled, inputs, outputs, targets.mean
