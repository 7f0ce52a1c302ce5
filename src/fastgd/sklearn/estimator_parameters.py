"""Parameters of an estimator, in scikit-learn's names: described, checked, translated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, pairwise
from math import inf
from textwrap import fill
from typing import Any, TypeVar

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
from fastgd.sklearn.fit_spec import Adaptive, FitSpec
from fastgd.training.run import Run

PARAMETERS = """
hidden_layer_sizes : int or sequence of int
    Units of each hidden layer; ``()`` for no hidden layer.
activation : str or Function
    Activation of hidden units: "relu", "logistic", "tanh", "identity", another of fastgd's names
    (see the table of activations in the guide), or a custom :class:`fastgd.Function`.
solver : {"adam", "sgd", "lbfgs", "lm"} or Optimizer
    "sgd" uses ``momentum`` and ``nesterovs_momentum``; "lbfgs" is SciPy's L-BFGS-B on all samples.
    "lm" is :class:`fastgd.optimizers.LevenbergMarquardt` on all samples, for ``loss``
    "squared_error" and networks of at most 1,000 parameters; it has no learning rate. Or an
    optimizer of :mod:`fastgd.optimizers`, such as ``AdamW(weight_decay=0.1)``.
alpha : float
    L2 penalty: ``alpha / 2 * sum w**2`` is added to the sum of the losses of a batch. (In the rest
    of fastgd ``alpha`` is the learning rate.) Not used if ``regularization`` is "bayesian".
batch_size : int or "auto"
    Samples per mini-batch, at most all of them; "auto" is ``min(200, samples)``, with "lm" all.
learning_rate : {"constant", "invscaling", "adaptive"} or Schedule
    "invscaling" (only for "sgd") divides the learning rate by ``(1 + samples seen) ** power_t``,
    updated after each epoch. "adaptive" (only for "sgd") divides it by 5 whenever a fit would end,
    see ``tol``, and ends it once it is at most 1e-6. A schedule of :mod:`fastgd.schedules` changes
    it after each update.
learning_rate_init : float
    The initial learning rate.
power_t : float
    Exponent of "invscaling", see ``learning_rate``.
max_iter : int
    The most epochs; with "lbfgs" and "lm" the most iterations.
loss : str or Loss
    LOSS
shuffle : bool
    Whether to shuffle the samples in each epoch of mini-batches.
random_state : int, RandomState or None
    Source of the initial weights, the order of samples, dropout masks and the validation set. With
    an int, fits are bit-for-bit reproducible on any machine (except "lbfgs", for which SciPy makes
    no such promise).
tol : float
    A fit ends when ``n_iter_no_change`` epochs together have improved the loss by no more than
    ``n_iter_no_change * tol`` or, with ``early_stopping``, the validation score by no more than
    ``tol``. With "lbfgs" it is SciPy's ``gtol``; with "lm" a fit without ``early_stopping`` ends
    when no derivative of the loss is above it.
verbose : bool
    Print the losses of all epochs when the fit has ended.
warm_start : bool
    Start each further fit from the networks of the previous one, for the same classes; or the first
    one from ``coefs_`` and ``intercepts_``, if you have set them.
momentum : float
    Momentum of "sgd"; at least 0 and below 1.
nesterovs_momentum : bool
    Whether the momentum of "sgd" is Nesterov's.
early_stopping : bool
    Hold out ``validation_fraction`` of the samples as a validation set, stop when its score no
    longer improves, and restore the network with the best score.
validation_fraction : float
    Fraction of the samples in the validation set, see ``early_stopping``.
beta_1, beta_2, epsilon : float
    Hyperparameters of "adam".
n_iter_no_change : int or inf
    Patience in epochs, see ``tol``; inf never stops early.
max_fun : int
    Most evaluations of the loss by "lbfgs".
dropout : float
    Fraction of hidden units dropped in training, at least 0 and below 1.
batch_norm : bool
    Batch normalization of hidden layers.
regularization : {"given", "bayesian"}
    "bayesian" finds the decay of weights and biases from the training samples, in place of
    ``alpha``; only with "lm". ``members_[0].effective_parameters`` tells how many they determine.
init : str or tuple of str
    Initialization of the weights: "glorot", "he", "lecun", each also with "_normal", or a tuple
    with one per layer. Biases start at 0.
n_ensemble : int
    Number of networks, trained in parallel with different seeds; predictions are their mean.
options : dict, optional
    Further keyword arguments of :func:`fastgd.train`, such as ``{"clip_norm": 1.0}``, or parameters
    of the loss and the activation, such as ``{"tau": 0.9}``.
threads : int, optional
    Number of threads that train an ensemble; all by default.
device : str
    Where to train, as in :func:`fastgd.sweep`: "cpu", "cuda", "cuda:0" or "auto"; results are
    bit-identical. A GPU is for many networks: ensembles, searches, groups. With "lbfgs" it must be
    "cpu" or "auto", which is then the CPU.
"""

ATTRIBUTES = """
members_ : list of Run
    The networks of the ensemble; all other attributes are those of the first.
coefs_, intercepts_ : list of arrays
    Weights (inputs, outputs) and biases (outputs,) of each layer. The parameters of ``batch_norm``
    are in ``members_[0].normalization``.
learning_rate_ : float or None
    The learning rate at the end, that a further epoch would have; None with a schedule and with
    "lm". Not with "lbfgs".
loss_ : float
    The loss after the last epoch.
loss_curve_ : list of float
    The objective over all training samples after each epoch: mean loss plus penalty, but without
    the penalty of a "bayesian" ``regularization``. Not with "lbfgs".
best_loss_ : float or None
    The smallest value of ``loss_curve_``; None with ``early_stopping``.
validation_scores_ : list of float or None
    SCORE
best_validation_score_ : float or None
    The largest value of ``validation_scores_``.
n_iter_ : int
    Epochs of the last call; with "lbfgs" its iterations.
t_ : int
    Samples seen in all epochs together.
n_layers_, n_outputs_ : int
    Number of layers, including the input layer, and of outputs.
out_activation_ : str
    The activation of the outputs, by scikit-learn's name.
n_features_in_ : int
    Columns of X.
feature_names_in_ : (features,) array of str
    Names of the columns, if X has string names.
"""

Estimator = TypeVar("Estimator", bound=type)


def documented(*, loss: str, score: str) -> Callable[[Estimator], Estimator]:
    """Decorator: insert the shared parts into a class docstring, at their placeholders.

    ``loss`` describes the losses, ``score`` the validation score.
    """

    def document(cls: Estimator) -> Estimator:
        text = inspect.cleandoc(cls.__doc__ or "")
        for place, both, word, own in (
            ("<those of both>", PARAMETERS, "LOSS", loss),
            ("<attributes of both>", ATTRIBUTES, "SCORE", score),
        ):
            inside = fill(own, 100, initial_indent=" " * 4, subsequent_indent=" " * 4).strip()
            text = text.replace(place, both.strip().replace(word, inside))
        cls.__doc__ = text
        return cls

    return document


# ---------------------------------------------------------------- checks


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


def check_parameters(given: Mapping[str, Any]) -> None:
    """Raise if parameters are invalid, or don't go together."""
    for name, interval in _NUMBERS.items():
        check_number(name, given[name], rule_of(interval))
    for name in ("max_iter", "max_fun", "n_ensemble"):
        check_count(name, given[name])
    for name in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping", "batch_norm"):
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
    solvers, rates = ("adam", "sgd", "lbfgs", "lm"), ("constant", "invscaling", "adaptive")
    _check_named("solver", solver, solvers, optimizers.Optimizer, "an optimizer")
    _check_named("learning_rate", rate, rates, schedules.AnySchedule, "a schedule")
    check_choice("regularization", given["regularization"], ("given", "bayesian"))
    is_curved, with_it = is_second_order(solver), f"with solver={shown(solver)}"
    if not is_curved and given["regularization"] != "given":
        raise ValueError(f"regularization must be 'given' {with_it}, got 'bayesian'")
    if descends(solver) and not is_curved:
        return
    if isinstance(rate, schedules.AnySchedule):
        raise ValueError(f"learning_rate must be a string {with_it}, got {shown(rate)}")
    for name, off in (("dropout", 0), ("batch_norm", False)):
        if given[name] != off:
            raise ValueError(f"{name} must be {off} {with_it}, got {shown(given[name])}")
    if not is_curved:
        check_on_cpu(given["device"], with_it)
    elif given["loss"] not in ("squared_error", "squared"):
        rule = f"loss must be 'squared_error' {with_it}, which needs a sum of squares"
        raise ValueError(f"{rule}, got {shown(given['loss'])}")


def _check_named(name: str, value: Any, known: tuple[str, ...], kind: Any, words: str) -> None:
    if isinstance(value, kind) or (isinstance(value, str) and value in known):
        return
    rule = f"{name} must be {either(map(repr, known))}, or {words} of fastgd, got {shown(value)}"
    if isinstance(value, str):
        raise ValueError(rule + did_you_mean_choice(value, known))
    raise TypeError(rule)


def check_on_cpu(device: str | None, where: str) -> None:
    """Raise for a GPU ``where`` nothing can be trained on one."""
    if device not in (None, CPU, AUTO):
        raise ValueError(f"device must be 'cpu' {where}, got {shown(device)}")


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


# ---------------------------------------------------------------- settings


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
) -> schedules.AnySchedule:
    """Return the schedule of the learning rate for ``epochs`` epochs of ``updates`` updates each.

    ``samples`` is the number of samples of an epoch, ``seen`` those of the epochs before;
    ``factor`` is that of an adaptive rate.
    """
    rate = given["learning_rate"]
    if isinstance(rate, schedules.AnySchedule):
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


def with_settings(
    given: Mapping[str, Any],
    spec: FitSpec,
    targets: dict[str, Any],
    *,
    shuffle_seed: int,
    epochs: int | None,
    worst: float | None,
) -> FitSpec:
    """Return a fit's specification with the settings that an estimator's parameters ask for.

    ``targets`` are the output units and the loss. ``epochs`` is the exact number of epochs, None to
    stop as ``fit`` does; ``worst`` is the validation error that has score 0.
    """
    samples, weight = spec.size, spec.table.weight
    weight = weight if weight is None or spec.rows is None else weight[spec.rows]
    counted = samples if weight is None else weight.sum()
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
        return spec._replace(settings=_completed(settings, given), minimizer=minimizer)
    is_curved = is_second_order(given["solver"])
    size = batch_size_of(given["batch_size"], samples, given["solver"])
    updates = -(-samples // size)
    asked = int(given["max_iter"]) if epochs is None else epochs
    adaptive = None
    if given["solver"] == "sgd" and given["learning_rate"] == "adaptive":
        adaptive = Adaptive(float(given["learning_rate_init"]), *_patience(given, worst))
    losses, seen = (given.get("loss_curve_", []), given.get("t_", 0)) if spec.start else ([], 0)
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
        return spec._replace(settings=_completed(settings, given))
    settings |= {"evaluate_every": updates, "restore_best": worst is not None}
    if worst is None:
        settings["monitor"] = "loss"
    by_loss = worst is None and is_curved  # which ends by its derivatives
    if adaptive is None and not by_loss and not is_endless(given["n_iter_no_change"]):
        patience, settings["min_delta"] = _patience(given, worst)
        settings["patience"] = int(patience) * updates
    return spec._replace(settings=_completed(settings, given), adaptive=adaptive)


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


_DECIDED = {"sample_weight", "patience", "min_delta", "monitor", "evaluate_every", "restore_best"}
"""Options that estimator parameters determine, in addition to the settings that are always set."""


def _completed(settings: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Add the user's further options, each of which must have a single value."""
    options = dict(given["options"] or {})
    taken = sorted(options.keys() & (settings.keys() | _DECIDED))
    if taken:
        raise ValueError(
            f"options must not set what the estimator's parameters determine, got {shown(taken[0])}"
        )
    settings = settings | options
    by_user = ("activation", "output", "loss", "init", "optimizer", "schedule", *options)
    chosen = {name: settings[name] for name in by_user if name in settings}
    structures, values = axes(chosen)
    for name, axis in (structures | values).items():
        raise ValueError(
            f"{name} must have one value in a fit, got an axis of {len(axis)}: "
            "use a search to try several"
        )
    # Fits are batched by these values, so they must be validated before.
    return settings | checked(options, kinds_of(chosen), LARGEST) if options else settings
