"""Parameters of an estimator, in scikit-learn's names: checked, and translated to fastgd's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from math import inf
from typing import Any

import numpy as np

from fastgd import optimizers, schedules
from fastgd.arguments.initial_network import check_hidden_size
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import did_you_mean_choice, either, shown
from fastgd.checks.values import check_count, check_flag, check_number, each_of, rule_of
from fastgd.formulas.custom import Function
from fastgd.training.results import Run

ACTIVATIONS = {"logistic": "sigmoid"}
"""Activations whose names differ: scikit-learn's to fastgd's,"""

NAMES = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
"""and fastgd's to scikit-learn's."""

SOLVERS = ("adam", "sgd", "lbfgs")
RATES = ("constant", "invscaling")

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
    _check_method(given)
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


def _check_method(given: Mapping[str, Any]) -> None:
    """Raise for an unknown solver or learning rate, or for options that a solver can't have."""
    solver, rate = given["solver"], given["learning_rate"]
    _check_named("solver", solver, SOLVERS, optimizers.Optimizer, "an optimizer")
    if isinstance(rate, str) and rate == "adaptive":
        raise ValueError(
            "learning_rate must be 'constant', 'invscaling' or a schedule of fastgd: 'adaptive', "
            "which depends on the loss, is not supported"
        )
    _check_named("learning_rate", rate, RATES, schedules.Schedule, "a schedule")
    if descends(solver):
        return
    if isinstance(rate, schedules.Schedule):
        raise ValueError(f"learning_rate must be a string with solver='lbfgs', got {shown(rate)}")
    for name, off in (("dropout", 0), ("batch_norm", False)):
        if given[name] != off:
            raise ValueError(f"{name} must be {off} with solver='lbfgs', got {shown(given[name])}")


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


def activation_of(activation: str | Function) -> str | Function:
    """Return an activation by fastgd's name, or the Function itself."""
    return ACTIVATIONS.get(activation, activation) if isinstance(activation, str) else activation


def batch_size_of(batch_size: Any, samples: int) -> int:
    """Return the samples per mini-batch, at most all of them."""
    if isinstance(batch_size, str) and batch_size == "auto":
        return min(200, samples)
    if isinstance(batch_size, str):
        raise ValueError(f"batch_size must be 'auto' or an int, got {shown(batch_size)}")
    return min(check_count("batch_size", batch_size), samples)


def optimizer_of(given: Mapping[str, Any]) -> optimizers.Optimizer:
    """Return the optimizer of a solver that trains in epochs."""
    solver, momentum = given["solver"], float(given["momentum"])
    if isinstance(solver, optimizers.Optimizer):
        return solver
    if solver == "adam":
        numbers = (float(given[name]) for name in ("beta_1", "beta_2", "epsilon"))
        return optimizers.Adam(*numbers)
    if momentum == 0:
        return optimizers.GradientDescent()
    kind = optimizers.Nesterov if given["nesterovs_momentum"] else optimizers.Momentum
    return kind(momentum)


def schedule_of(
    given: Mapping[str, Any], epochs: int, updates: int, samples: int, seen: int
) -> schedules.Schedule:
    """Return the schedule of the learning rate for ``epochs`` epochs of ``updates`` updates each.

    ``samples`` is the number of samples of an epoch, ``seen`` those of the epochs before.
    """
    rate = given["learning_rate"]
    if isinstance(rate, schedules.Schedule):
        return rate
    if rate == "constant" or given["solver"] != "sgd" or given["power_t"] == 0:
        return schedules.Constant()
    check_memory(8 * epochs * (updates + 2), "the learning rates", also="fewer epochs (max_iter)")
    before = 1.0 + seen + samples * np.arange(epochs, dtype=np.float64)
    return schedules.Factors(np.repeat(before ** -float(given["power_t"]), updates))
