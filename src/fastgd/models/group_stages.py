"""The settings of fit_groups(), and its stages: find iterations, judge on test rows, learn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments import options
from fastgd.arguments.axes import as_axis
from fastgd.arguments.initial_network import check_alphas, check_hidden_size
from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, check_count, check_seed
from fastgd.formulas.named import loss_of
from fastgd.models.group_training import (
    MODELS,
    MOST_MOMENTS,
    PENALTIES,
    SELECTED,
    STOPPED,
    GroupFits,
    GroupRows,
    Plans,
    Scaling,
    best_of,
    errors_of,
    ridge_outputs,
    ridges,
    train_all_rows,
    train_groups,
    train_watched,
)
from fastgd.optimizers import Adam
from fastgd.tables.targets import ClassTarget, Target
from fastgd.training.run import Run

_DEFAULTS: dict[str, Any] = {
    "activation": "tanh",
    "bias": True,
    "init": "glorot",
    "optimizer": Adam(),
    "reduction": "mean",
}
_WATCHING = {"patience": 30, "restore_best": True}

_NOT_TAKEN = (
    "groups", "folds", "validation", "weights", "biases", "sample_weight", "resume",
    "keep_weights", "keep_state", "record_weights", "summary",
)  # fmt: skip

_OF_A_TRAINING = ("hidden_size", "alpha", "iterations", "record_every", "seed")
"""Arguments that a training names itself; all other settings are its options."""


def check_settings(given: dict[str, Any], *, watching: bool) -> dict[str, Any]:
    """Return the settings, with lists where groups select; no table has been read yet.

    They are checked whether or not any group uses them. ``watching`` is whether rows are held out.
    """
    for name in _NOT_TAKEN:
        if name in given:
            raise ValueError(f"{name} must be left out of fit_groups, got {shown(given[name])}")
    chosen = {name: value for name, value in given.items() if name not in _OF_A_TRAINING}
    structures, values = options.axes(
        chosen, arguments=("validation_fraction", "test_fraction", "classification")
    )
    several = {name: as_axis(name, given[name]) for name in _OF_A_TRAINING if name in given}
    lists = {name: axis for name, axis in several.items() if axis is not None}
    lists |= structures | values
    for name, axis in lists.items():
        if name not in SELECTED:
            raise ValueError(
                f"{name} must be one value: each group selects among lists of "
                f"{', '.join(SELECTED)} only, got {shown(given.get(name, axis))}"
            )
        if not watching:
            raise ValueError(
                f"{name} must be one value without a validation set to select by, "
                f"got {shown(given[name])}"
            )
    hidden = check_hidden_size(given["hidden_size"])
    check_alphas(lists.get("alpha", [given["alpha"]]), len(hidden) + 1)
    iterations = check_count("iterations", given["iterations"])
    check_count("record_every", given["record_every"])
    check_seed(given.get("seed", 0))
    all_of_them = _DEFAULTS | (_WATCHING if watching else {}) | chosen
    found = options.check_sweep(
        all_of_them, options.axes(all_of_them), [hidden], None, holds_out=watching
    )
    options.check_updates(found.methods, iterations)
    units = loss_of(chosen.get("loss", "squared")).units
    if units > 1:
        raise ValueError(
            f"loss must have one output for each target, got one with {units}: "
            f"{shown(chosen['loss'])}"
        )
    return given | lists


def completed(settings: dict[str, Any], *, is_class: bool, watching: bool) -> dict[str, Any]:
    """Return the settings completed with defaults, some of which depend on the target."""
    unit = {"output": "softmax", "loss": "cross_entropy"} if is_class else {"output": "identity"}
    found = _DEFAULTS | unit | (_WATCHING if watching else {}) | settings
    if not is_class and found["output"] != "identity":
        raise ValueError(
            "output must be 'identity' for a numeric target, which is standardized, "
            f"got {shown(found['output'])}"
        )
    if not is_class and found.get("loss") in ("cross_entropy", "poisson"):
        raise ValueError(
            "loss must allow numbers below and above 0, since a numeric target is standardized, "
            f"got {shown(found['loss'])}"
        )
    return found


# ---------------------------------------------------------------- stages

START = "start.npz"
"""File of the network that the networks of all groups start from."""

WATCHED, JUDGED, FINAL = "groups", "judged", "final"
"""Folders of the sweeps: with validation sets; of each plan on all rows but the test sets, and on
all rows."""


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

    def fit(self, rows: GroupRows) -> dict[str, Any]:
        """Learn the models of all groups: fields of GroupModels."""
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
            tried = ridges(learned, self.groups, np.tile(PENALTIES, (self.groups, 1)))
            tried = tried.transpose(1, 0, 2)
            of_each = [ridge_outputs(one, held.inputs, held.codes) for one in tried]
            best = best_of(of_each, held, self.groups)
            penalties, ridge = np.array(PENALTIES)[best], tried[best, np.arange(self.groups)]
        chosen = np.zeros(self.groups, np.int64)
        if self.model == "best":
            first = GroupFits(inputs, outputs, trained, constant, ridge, shared)
            # Without validation rows the shared network has no prediction, and none is needed.
            names = first.names if len(held.codes) else ["network"]
            of_each = [first.outputs_of(name, held.inputs, held.codes) for name in names]
            places = np.array([MODELS.index(name) for name in names])
            chosen = places[best_of(of_each, held, self.groups, STOPPED)]
        fitted = partial(self._fitted, plans, shared, penalties)
        judged = fitted(seen, JUDGED) if rows.test.any() else None
        final = fitted(rows, FINAL)
        measured, compared = self._measured(rows, judged or final, chosen)
        status = np.full(self.groups, "constant", dtype="U16")
        for k, one in enumerate(final.trained.sweeps):
            mine = final.trained.places[:, 0] == k
            status[mine] = one.status.ravel()[final.trained.places[mine, 1]]
        if self.model == "best":
            measured["model"] = np.where(status == "constant", status, np.array(MODELS)[chosen])
        measured["status"] = status
        return {"fits": final, "chosen": chosen, "measured": measured, "compared": compared}

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
            ridge = ridges(rows, self.groups, penalties[:, None])[:, 0]
        return GroupFits(inputs, outputs, trained, constant, ridge, shared)

    def _measured(
        self, rows: GroupRows, judged: GroupFits, chosen: Integers
    ) -> tuple[dict[str, NDArray[Any]], dict[str, FloatArray]]:
        """Numbers of rows and errors of each group, and the test errors of each model."""
        errors = partial(errors_of, self.target, groups=self.groups)
        learned, test = rows.where(~rows.test), rows.where(rows.test)
        measured: dict[str, NDArray[Any]] = {
            "rows": np.bincount(rows.codes, minlength=self.groups),
            "test_rows": np.bincount(test.codes, minlength=self.groups),
        }
        for name, some in {"training_error": learned, "test_error": test}.items():
            measured[name] = errors(judged.predict(chosen, some.inputs, some.codes), some)
        if not len(test.codes):
            return measured, {}
        return measured, {
            name: errors(judged.outputs_of(name, test.inputs, test.codes), test)
            for name in judged.names
        }

    def _scaled(self, rows: GroupRows) -> tuple[GroupRows, Scaling, Scaling, FloatArray]:
        """Scale the rows of groups whose targets vary, by the rows that are not held out.

        Returns these rows, the scaling of inputs and outputs, and the mean target of each group.
        """
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
