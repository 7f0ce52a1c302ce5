"""Translation of an estimator's parameters to the settings of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastgd.arguments.formula_parameters import kinds_of
from fastgd.arguments.options import axes, checked
from fastgd.checks.messages import shown
from fastgd.checks.values import LARGEST
from fastgd.sklearn import estimator_parameters
from fastgd.sklearn.fit_spec import FitSpec

OWN_ARGUMENTS = ("hidden_size", "alpha", "iterations", "record_every")
"""Arguments that a training names itself; all other settings are its options."""

_DECIDED = {"sample_weight", "patience", "min_delta", "monitor", "evaluate_every", "restore_best"}
"""Options that estimator parameters determine, in addition to the settings that are always set."""


def settings_of(
    given: Mapping[str, Any],
    problem: FitSpec,
    targets: dict[str, Any],
    *,
    shuffle_seed: int,
    epochs: int | None,
    seen: int,
    worst: float | None,
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the settings of the training, and the options of L-BFGS-B if it is the solver.

    ``targets`` are the output units and the loss. ``epochs`` is the exact number of epochs, None to
    stop as ``fit`` does; ``seen`` is the number of samples in earlier epochs, and ``worst`` the
    validation error that has score 0.
    """
    settings = {
        "hidden_size": estimator_parameters.hidden_size_of(given["hidden_layer_sizes"]),
        "activation": estimator_parameters.activation_of(given["activation"]),
        **targets,
        "bias": True,
        "reduction": "mean",
        "init": given["init"],
    }
    samples = len(problem.learned.X)
    weight = problem.learned.weight
    counted = samples if weight is None else weight.sum()
    if not estimator_parameters.descends(given["solver"]):
        # scikit-learn divides the penalty by the number of samples, like the loss; fastgd doesn't.
        settings["l2"] = float(given["alpha"]) / counted
        minimizer = {"maxfun": given["max_fun"], "maxiter": given["max_iter"], "gtol": given["tol"]}
        return _completed(settings, given), minimizer
    size = estimator_parameters.batch_size_of(given["batch_size"], samples)
    updates = -(-samples // size)
    asked = int(given["max_iter"]) if epochs is None else epochs
    settings |= {
        "alpha": float(given["learning_rate_init"]),
        "l2": float(given["alpha"]) / (size * counted / samples),
        "optimizer": estimator_parameters.optimizer_of(given),
        "schedule": estimator_parameters.schedule_of(given, asked, updates, samples, seen),
        "batch_size": size if size < samples else None,
        "shuffle": bool(given["shuffle"]),
        "shuffle_seed": shuffle_seed,
        "dropout": float(given["dropout"]),
        "batch_norm": bool(given["batch_norm"]),
        "iterations": asked * updates,
        "record_every": updates,
    }
    if epochs is None:
        settings |= _ends(given, updates, worst)
    return _completed(settings, given), None


def _ends(given: Mapping[str, Any], updates: int, worst: float | None) -> dict[str, Any]:
    """Return the stopping criteria: by validation error, or by the loss."""
    ends: dict[str, Any] = {"evaluate_every": updates, "restore_best": worst is not None}
    if worst is None:
        ends["monitor"] = "loss"
    if not estimator_parameters.is_endless(given["n_iter_no_change"]):
        patience = int(given["n_iter_no_change"])
        ends["patience"] = patience * updates
        # MLPClassifier requires an improvement of `tol` in each epoch, and counts from the best one
        # even if it was hardly better. Here the improvement of `patience` epochs together is
        # measured, from the last epoch that improved enough. A score falls from 1 to 0 as the error
        # rises to `worst`, so `tol` of a score is `tol * worst` of the error.
        ends["min_delta"] = float(given["tol"]) * (patience if worst is None else worst)
    return ends


def _completed(settings: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Add the user's further options, each of which must have a single value."""
    options = dict(given["options"] or {})
    taken = sorted(options.keys() & (settings.keys() | _DECIDED))
    if taken:
        raise ValueError(
            f"options must not set what the estimator's parameters determine, got {shown(taken[0])}"
        )
    settings = settings | options
    of_training = {n: v for n, v in settings.items() if n not in OWN_ARGUMENTS}
    structures, values = axes(of_training)
    for name, axis in (structures | values).items():
        raise ValueError(
            f"{name} must have one value in a fit, got an axis of {len(axis)}: "
            "use a search to try several"
        )
    # Fits are batched by these values, so they must be validated before.
    return settings | checked(options, kinds_of(of_training), LARGEST)
