"""Parameters of an estimator, in scikit-learn's names: checked, translated to fastgd's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from math import inf
from typing import Any

import numpy as np

from fastgd import optimizers, schedules
from fastgd.arguments.axes import kinds_of
from fastgd.arguments.initial_network import check_hidden_size
from fastgd.arguments.options import axes, check_curved, checked
from fastgd.checks.messages import did_you_mean_choice, either, shown
from fastgd.checks.numbers import (
    LARGEST,
    check_choice,
    check_count,
    check_flag,
    check_memory,
    check_number,
    each_of,
    rule_of,
)
from fastgd.engine.devices import AUTO, CPU, check_device, looked_for
from fastgd.sklearn.fit_spec import Adaptive
from fastgd.training.run import Run

SOLVERS = ("adam", "sgd", "lbfgs", "lm")
RATES = ("constant", "invscaling", "adaptive")
REGULARIZATIONS = ("given", "bayesian")

MOST_LAYERS = 10_000
"""Most layers taken from an iterable, which may be endless."""

_NUMBERS = {
    "alpha": "[0, inf)",
    "learning_rate_init": "(0, inf)",
    "power_t": "[0, inf)",
    "tol": "[0, inf)",
    "momentum": "[0, 1)",
    "validation_fraction": "(0, 1)",
    "beta_1": "[0, 1)",
    "beta_2": "[0, 1)",
    "epsilon": "(0, inf)",
    "dropout": "[0, 1)",
}
OWN_ARGUMENTS = ("hidden_size", "alpha", "iterations", "record_every")
"""Arguments that a training names itself; all other settings are its options."""

_DECIDED = {"sample_weight", "patience", "min_delta", "monitor", "evaluate_every", "restore_best"}
"""Options that estimator parameters determine, in addition to the settings that are always set."""

_COUNTS = ("max_iter", "max_fun", "n_ensemble")
_FLAGS = ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping", "batch_norm")


def check_parameters(given: Mapping[str, Any]) -> None:
    """Raise if parameters are invalid, or don't go together."""
    for name, interval in _NUMBERS.items():
        check_number(name, given[name], rule_of(interval))
    for name in _COUNTS:
        check_count(name, given[name])
    for name in _FLAGS:
        check_flag(name, given[name])
    if not is_endless(given["n_iter_no_change"]):
        check_count("n_iter_no_change", given["n_iter_no_change"])
    device = check_device(given["device"])
    _check_method(given)
    looked_for(device)
    options = given["options"]
    if options is not None and not (
        isinstance(options, dict) and all(isinstance(name, str) for name in options)
    ):
        raise TypeError(
            f"options must be a dict of keyword arguments of fastgd.train, got {shown(options)}"
        )


def is_endless(n_iter_no_change: Any) -> bool:
    """Whether ``n_iter_no_change`` is inf: a fit never stops early."""
    return isinstance(n_iter_no_change, float) and n_iter_no_change == inf


def check_unchanged(given: Mapping[str, Any], start: Sequence[Run]) -> None:
    """Raise if a resumed fit has another architecture than the networks it starts from."""
    if not start:
        return
    for name, before, now in (
        ("hidden_layer_sizes", start[0].hidden_size, hidden_size_of(given["hidden_layer_sizes"])),
        ("n_ensemble", len(start), given["n_ensemble"]),
        ("batch_norm", bool(start[0].normalization), bool(given["batch_norm"])),
    ):
        if before != now:
            raise ValueError(f"{name} must stay {before} when a fit is resumed, got {now}")


def descends(solver: Any) -> bool:
    """Whether a solver trains in epochs."""
    return not (isinstance(solver, str) and solver == "lbfgs")


def is_second_order(solver: Any) -> bool:
    """Whether a solver takes steps of second order, each with all samples."""
    if isinstance(solver, optimizers.Optimizer):
        return solver.second_order
    return isinstance(solver, str) and solver == "lm"


def _check_method(given: Mapping[str, Any]) -> None:
    """Raise for an unknown solver or learning rate, or for options that a solver can't have."""
    solver, rate = given["solver"], given["learning_rate"]
    _check_named("solver", solver, SOLVERS, optimizers.Optimizer, "an optimizer")
    _check_named("learning_rate", rate, RATES, schedules.Schedule, "a schedule")
    check_choice("regularization", given["regularization"], REGULARIZATIONS)
    is_curved, with_it = is_second_order(solver), f"with solver={shown(solver)}"
    if not is_curved and given["regularization"] != "given":
        raise ValueError(f"regularization must be 'given' {with_it}, got 'bayesian'")
    if descends(solver) and not is_curved:
        return
    if isinstance(rate, schedules.Schedule):
        raise ValueError(f"learning_rate must be a string {with_it}, got {shown(rate)}")
    for name, off in (("dropout", 0), ("batch_norm", False)):
        if given[name] != off:
            raise ValueError(f"{name} must be {off} {with_it}, got {shown(given[name])}")
    if not is_curved:
        check_on_cpu(given["device"], with_it)
    elif given["loss"] not in ("squared_error", "squared"):
        rule = f"loss must be 'squared_error' {with_it}, which needs a sum of squares"
        raise ValueError(f"{rule}, got {shown(given['loss'])}")


def check_on_cpu(device: str | None, where: str) -> None:
    """Raise for a GPU ``where`` nothing can be trained on one."""
    if device not in (None, CPU, AUTO):
        raise ValueError(f"device must be 'cpu' {where}, got {shown(device)}")


def _check_named(name: str, value: Any, known: tuple[str, ...], kind: type, words: str) -> None:
    rule = f"{name} must be {either(map(repr, known))}, or {words} of fastgd, got {shown(value)}"
    if isinstance(value, kind):
        return
    if not isinstance(value, str):
        raise TypeError(rule)
    if value not in known:
        raise ValueError(rule + did_you_mean_choice(value, known))


def hidden_size_of(hidden_layer_sizes: Any) -> tuple[int, ...]:
    """Units of each hidden layer, from an int or a sequence of them."""
    sizes = hidden_layer_sizes
    is_single = isinstance(sizes, str) or (isinstance(sizes, np.ndarray) and sizes.ndim == 0)
    if isinstance(sizes, Iterable) and not is_single:
        rule = "hidden_layer_sizes must be an int, or one for each hidden layer"
        sizes = tuple(islice(each_of(sizes, rule), MOST_LAYERS + 1))
        if len(sizes) > MOST_LAYERS:
            raise ValueError(
                f"hidden_layer_sizes must have at most {MOST_LAYERS:,} layers, got more"
            )
    try:
        return check_hidden_size(sizes)
    except (TypeError, ValueError) as error:
        text = str(error).replace("hidden_size", "hidden_layer_sizes")
        raise type(error)(text) from None


def check_size(given: Mapping[str, Any], inputs: int, outputs: int) -> None:
    """Raise if a network has too many parameters for a solver of second order."""
    if not is_second_order(given["solver"]):
        return
    hidden = hidden_size_of(given["hidden_layer_sizes"])
    sizes = (inputs, *hidden, outputs)
    try:
        count = sum((n + 1) * m for n, m in pairwise(sizes))
        check_curved(hidden, count, f"with solver={shown(given['solver'])}")
    except ValueError as error:
        text = str(error).replace("hidden_size", "hidden_layer_sizes")
        raise ValueError(text) from None


def batch_size_of(batch_size: Any, samples: int, solver: Any = "adam") -> int:
    """Return the samples per mini-batch, at most all of them."""
    is_curved = is_second_order(solver)
    if isinstance(batch_size, str) and batch_size == "auto":
        return samples if is_curved else min(200, samples)
    if isinstance(batch_size, str):
        raise ValueError(f"batch_size must be 'auto' or an int, got {shown(batch_size)}")
    size = min(check_count("batch_size", batch_size), samples)
    if is_curved and size < samples:
        rule = f"batch_size must be 'auto', all samples, with solver={shown(solver)}"
        raise ValueError(f"{rule}, got {size}")
    return size


def optimizer_of(given: Mapping[str, Any], counted: float) -> optimizers.Optimizer:
    """Return the optimizer of a solver that trains in epochs; ``counted`` is the total weight."""
    solver, momentum = given["solver"], float(given["momentum"])
    if isinstance(solver, optimizers.Optimizer):
        return solver
    if solver == "adam":
        numbers = (float(given[name]) for name in ("beta_1", "beta_2", "epsilon"))
        return optimizers.Adam(*numbers)
    if solver == "lm":
        is_sum = given["regularization"] == "bayesian"  # tol is for derivatives of the mean loss
        return optimizers.LevenbergMarquardt(
            min_gradient=float(given["tol"]) * (counted if is_sum else 1.0)
        )
    if momentum == 0:
        return optimizers.GradientDescent()
    kind = optimizers.Nesterov if given["nesterovs_momentum"] else optimizers.Momentum
    return kind(momentum)


def schedule_of(
    given: Mapping[str, Any], epochs: int, updates: int, samples: int, seen: int, factor: float
) -> schedules.Schedule:
    """Return the schedule of the learning rate for ``epochs`` epochs of ``updates`` updates each.

    ``samples`` is the number of samples of an epoch, ``seen`` those of the epochs before;
    ``factor`` is that of an adaptive rate.
    """
    rate = given["learning_rate"]
    if isinstance(rate, schedules.Schedule):
        return rate
    if rate == "constant" or given["solver"] != "sgd":
        return schedules.Constant()
    if rate == "invscaling" and given["power_t"] == 0:
        return schedules.Constant()
    check_memory(8 * epochs * (updates + 2), "the learning rates", also="fewer epochs (max_iter)")
    if rate == "adaptive":
        return schedules.Factors(np.full(epochs * updates, factor))
    before = 1.0 + seen + samples * np.arange(epochs, dtype=np.float64)
    return schedules.Factors(np.repeat(before ** -float(given["power_t"]), updates))


def settings_of(
    given: Mapping[str, Any],
    targets: dict[str, Any],
    *,
    samples: int,
    counted: float,
    shuffle_seed: int,
    epochs: int | None,
    seen: int,
    losses: Sequence[float],
    worst: float | None,
) -> tuple[dict[str, Any], dict[str, Any] | None, Adaptive | None]:
    """Return a training's settings, and the options of L-BFGS-B or of an adaptive learning rate.

    ``targets`` are the output units and the loss; ``counted`` is the total weight of the
    ``samples`` samples of the training set. ``epochs`` is the exact number of epochs, None to
    stop as ``fit`` does; ``seen`` is the number of samples in earlier epochs, ``losses`` are those
    after each of them, and ``worst`` is the validation error that has score 0.
    """
    activation = given["activation"]
    if isinstance(activation, str) and activation == "logistic":
        activation = "sigmoid"
    settings = {
        "hidden_size": hidden_size_of(given["hidden_layer_sizes"]),
        "activation": activation,
        **targets,
        "bias": True,
        "reduction": "mean",
        "init": given["init"],
    }
    if not descends(given["solver"]):
        # scikit-learn divides the penalty by the number of samples, like the loss; fastgd doesn't.
        settings["l2"] = float(given["alpha"]) / counted
        minimizer = {"maxfun": given["max_fun"], "maxiter": given["max_iter"], "gtol": given["tol"]}
        return _completed(settings, given), minimizer, None
    is_curved = is_second_order(given["solver"])
    size = batch_size_of(given["batch_size"], samples, given["solver"])
    updates = -(-samples // size)
    asked = int(given["max_iter"]) if epochs is None else epochs
    adaptive = None
    if given["solver"] == "sgd" and given["learning_rate"] == "adaptive":
        adaptive = Adaptive(float(given["learning_rate_init"]), *_patience(given, worst))
    factor = 1.0 if adaptive is None else adaptive.ahead(losses)[0]
    settings |= {
        "alpha": 1.0 if is_curved else float(given["learning_rate_init"]),
        "l2": float(given["alpha"]) / (size * counted / samples),
        "optimizer": optimizer_of(given, counted),
        "schedule": schedule_of(given, asked, updates, samples, seen, factor),
        "batch_size": size if size < samples else None,
        "shuffle": bool(given["shuffle"]),
        "shuffle_seed": shuffle_seed,
        "dropout": float(given["dropout"]),
        "batch_norm": bool(given["batch_norm"]),
        "iterations": asked * updates,
        "record_every": updates,
    }
    if given["regularization"] == "bayesian":
        settings |= {"regularization": "bayesian", "reduction": "sum", "l2": 0.0}
    if epochs is not None:
        return _completed(settings, given), None, None
    settings |= {"evaluate_every": updates, "restore_best": worst is not None}
    if worst is None:
        settings["monitor"] = "loss"
    by_loss = worst is None and is_curved  # which ends by its derivatives
    if adaptive is None and not by_loss and not is_endless(given["n_iter_no_change"]):
        patience, settings["min_delta"] = _patience(given, worst)
        settings["patience"] = int(patience) * updates
    return _completed(settings, given), None, adaptive


def _patience(given: Mapping[str, Any], worst: float | None) -> tuple[float, float]:
    """Return how many epochs must together improve the loss, or validation error, by how much."""
    patience = given["n_iter_no_change"]
    if is_endless(patience):
        return inf, 0.0
    # MLPClassifier requires an improvement of `tol` in each epoch, and counts from the best one
    # even if it was hardly better. Here the improvement of `patience` epochs together is
    # measured, from the last epoch that improved enough. A score falls from 1 to 0 as the error
    # rises to `worst`, so `tol` of a score is `tol * worst` of the error; targets that are all
    # the same have no score, and then `tol` is that of the error.
    return int(patience), float(given["tol"]) * (int(patience) if worst is None else worst or 1.0)


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
