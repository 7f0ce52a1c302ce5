"""Fits trained one by one: L-BFGS-B, adaptive rates, from given networks, for one more epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from fastgd.arguments.initial_network import NetworkParts
from fastgd.checks.numbers import LARGEST, FloatArray
from fastgd.engine.network import Network, first_rows
from fastgd.optimizers import GradientDescent
from fastgd.schedules import Factors
from fastgd.sklearn.estimator_parameters import OWN_ARGUMENTS
from fastgd.sklearn.fit_spec import Adaptive, FitSpec
from fastgd.training.objective import objective
from fastgd.training.resuming import ANY_SAMPLES
from fastgd.training.run import Run
from fastgd.training.train_sweep import train


def train_alone(problem: FitSpec, device: str) -> list[Run]:
    """Return the runs of a fit that can't be part of a sweep."""
    members = range(len(problem.seeds))
    if problem.minimizer is not None:
        return [_minimized(problem, member) for member in members]
    if problem.adaptive is not None:
        return [_adapted(problem, problem.adaptive, member, device) for member in members]
    return [
        _trained_from(problem, problem.start[k], seed=problem.seeds[k], device=device)
        for k in members
    ]


def _adapted(problem: FitSpec, adaptive: Adaptive, member: int, device: str) -> Run:
    """Return one member's network, trained at a rate that is divided when its loss stops falling.

    The training is resumed, exactly, wherever that may be: it is that of the schedule which
    results.
    """
    X, y, weight = problem.learned
    settings: dict[str, Any] = problem.settings | {"sample_weight": weight}
    settings |= {"seed": problem.seeds[member]}
    if problem.start:
        del settings["init"]
        settings["weights"] = problem.start[member]
    updates, epochs = settings["record_every"], settings["iterations"] // settings["record_every"]
    run: Run | None = None
    factors: list[float] = []
    curve: Sequence[float] = []
    while len(factors) < epochs and (run is None or run.status == "finished"):
        factor, least = adaptive.ahead(curve)
        if run is not None and least == 0:
            return replace(run, status="stalled")
        more = int(min(least, epochs - len(factors)))
        factors += [factor] * more
        settings |= {
            "schedule": Factors(np.repeat(factors, updates)),
            "iterations": more * updates,
            "validation": problem.validation,
            "device": device,
        }
        if run is None:
            run = train(X, y, **settings)
        else:
            options = run.options | {"schedule": settings["schedule"]}
            again = {name: settings[name] for name in ("iterations", "validation", "device")}
            run = train(X, y, resume=replace(run, options=options), **again)
        losses, held = history(problem, run)
        curve = losses if held is None else held.tolist()
    assert run is not None
    return run


def _minimized(problem: FitSpec, member: int) -> Run:
    """Return one member's network, minimized by L-BFGS-B."""
    import scipy.optimize

    X, y, weight = problem.learned
    options: dict[str, Any] = problem.settings | {"sample_weight": weight}
    init = options.pop("init")
    f = objective(X, y, **options)
    if problem.start:
        run = problem.start[member]
        start = f.network.row(NetworkParts(run.weights, run.biases))
    else:
        start = f.network.rows(first_rows(init, f.network.sizes, [problem.seeds[member]]))[0]
    found = scipy.optimize.minimize(
        f, start, jac=True, method="L-BFGS-B", options=problem.minimizer
    )
    return replace(
        f.run(found.x),
        seed=problem.seeds[member],
        status="converged" if found.success else "finished",
        iterations=int(found.nit),
        minimizer={"method": "L-BFGS-B"},
    )


def one_more_epoch(problem: FitSpec, *, by_epoch: bool, device: str) -> list[Run]:
    """Return the networks that a fit starts from, trained for one more epoch.

    A run is resumed if it can be: the optimizer's state and the order of samples continue as in a
    longer training. If it had ended early, restored an earlier network, or has another optimizer
    now, the optimizer's state starts anew. With ``by_epoch`` the schedule's factors are constant
    within an epoch, and given for this epoch only.
    """
    return [
        _resumed(problem, cast(Run, run), by_epoch, device)
        or _trained_from(problem, run, seed=seed, device=device)
        for run, seed in zip(problem.start, problem.seeds, strict=True)
    ]


def _resumed(problem: FitSpec, run: Run, by_epoch: bool, device: str) -> Run | None:
    state, settings = run.state, problem.settings
    optimizer = run.options.get("optimizer", GradientDescent())
    if (
        state is None
        or state.ended[0] >= 0
        or state.best.size
        or type(optimizer) is not type(settings["optimizer"])
    ):
        return None
    X, y, weight = problem.learned
    updates = settings["iterations"]
    # With other samples an epoch has another length: resume at a multiple of the new length.
    done = -(-int(state.planned[0]) // updates) * updates
    options: dict[str, Any] = {
        name: value for name, value in settings.items() if name not in OWN_ARGUMENTS
    }
    options |= {"shuffle_seed": run.options.get("shuffle_seed", 0), "sample_weight": weight}
    if by_epoch and isinstance(options["schedule"], Factors):
        factors = np.resize(options["schedule"].factors, done + updates)
        options["schedule"] = Factors(factors)
    before = replace(
        run,
        alpha=settings["alpha"],
        options=options,
        errors=run.errors[:1],
        losses=run.losses[:1],
        state=state._replace(planned=np.array([done]), record_every=np.array([LARGEST])),
        sample_hashes=ANY_SAMPLES,
    )
    return train(X, y, resume=before, iterations=updates, device=device)


def _trained_from(problem: FitSpec, weights: Any, **given: Any) -> Run:
    """Train a network of a fit from these weights; ``given`` replaces settings."""
    X, y, weight = problem.learned
    settings = {name: value for name, value in problem.settings.items() if name != "init"}
    settings |= {"sample_weight": weight, "validation": problem.validation, **given}
    return train(X, y, weights=weights, **settings)


def history(problem: FitSpec, run: Run) -> tuple[list[float], FloatArray | None]:
    """Return a run's losses and validation errors (mean absolute errors), epoch by epoch."""
    epochs = run.iterations // problem.settings["record_every"]
    losses, held = run.losses[1 : epochs + 1], run.validation_errors
    held = None if held is None else held[1 : epochs + 1]
    if len(losses) < epochs:  # the last network has been evaluated, but is not recorded
        loss, error = run.final_loss, run.final_validation_error
        if problem.settings["restore_best"] and run.best_iteration != run.iterations:
            loss, error = _last(problem, run)
        losses = np.append(losses, loss)
        held = None if error is None or held is None else np.append(held, error)
    return losses.tolist(), held


def epochs_in_vain(curve: ArrayLike, tol: float) -> int:
    """Return how many epochs at the end didn't lower a curve's minimum by ``tol``.

    A fit doesn't stop by this count: it is scikit-learn's, for those who compare.
    """
    values = np.asarray(curve)
    before = np.fmin.accumulate(np.append(np.inf, values[:-1]))
    improved = np.flatnonzero(~(values > before - tol))
    return len(values) - 1 - int(improved[-1])


def _last(problem: FitSpec, run: Run) -> tuple[float, float]:
    """Return loss and validation error of the last network, of a run that restored another."""
    assert run.state is not None
    sizes = (len(run.weights[0]), *(layer.shape[1] for layer in run.weights))
    network = Network(sizes, bool(run.biases), bool(run.normalization))
    once = {"iterations": 1, "record_every": 1, "evaluate_every": 1}
    again = _trained_from(problem, network.parts(run.state.parameters[0]), **once)
    assert again.validation_errors is not None
    return float(again.losses[0]), float(again.validation_errors[0])
