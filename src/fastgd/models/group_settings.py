"""Training settings of the networks of groups: arguments of `fit_groups`, and its defaults."""

from __future__ import annotations

from typing import Any

from fastgd.arguments import options
from fastgd.arguments.axes import as_axis
from fastgd.arguments.initial_network import check_alphas, check_hidden_size
from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_count, check_seed
from fastgd.formulas.named import loss_of
from fastgd.models.group_training import SELECTED
from fastgd.optimizers import Adam

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
