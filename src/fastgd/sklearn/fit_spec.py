"""The specification of a fit, and trainings of a single network that can't be part of a sweep.

These are minimized by L-BFGS-B, have an adaptive learning rate, start from given networks, or are
resumed for one more epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any, NamedTuple, cast

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import LARGEST, FloatArray
from fastgd.engine.network import Network, first_rows
from fastgd.optimizers import GradientDescent
from fastgd.schedules import Factors
from fastgd.training.objective import objective
from fastgd.training.resuming import ANY_SAMPLES
from fastgd.training.run import Run
from fastgd.training.train_sweep import train

SMALLEST_RATE = 1e-6
"""An adaptive learning rate is not divided below this: as in scikit-learn, the fit ends."""


OWN_ARGUMENTS = ("hidden_size", "alpha", "iterations", "record_every")
"""Arguments that a training names itself; all other settings are its options."""

ARGUMENTS = frozenset((*OWN_ARGUMENTS, *DECLARED))
"""All other settings are parameters of the network's functions, such as ``tau``."""


class CheckedSamples(NamedTuple):
    """A table of checked samples, or some of its rows."""

    X: FloatArray  # (n, inputs)
    y: FloatArray  # (n, outputs): numbers, or one-hot classes; one column for two classes
    weight: FloatArray | None  # (n,), at least 0; class weights are multiplied in

    def at(self, rows: Integers | None) -> CheckedSamples:
        """Return some of the rows, or all."""
        if rows is None:
            return self
        weight = None if self.weight is None else self.weight[rows]
        return CheckedSamples(self.X[rows], self.y[rows], weight)


class Adaptive(NamedTuple):
    """The learning rate is divided by 5 whenever the loss, or the error, no longer improves."""

    rate: float  # at first
    patience: float  # epochs that must together improve by more than min_delta; inf never divides
    min_delta: float

    def ahead(self, curve: Sequence[float]) -> tuple[float, float]:
        """Return the factor of the next epochs, and how many have it at least.

        ``curve`` is what must fall, after each epoch so far. No epochs are to follow the end.
        """
        factor, best, lowest, last = 1.0, inf, inf, 0
        for epoch, value in enumerate(curve, 1):
            lowest = min(lowest, value)
            if value < best - self.min_delta:
                best, last = value, epoch
            elif epoch - last >= self.patience:
                if self.rate * factor <= SMALLEST_RATE:
                    return factor, 0
                factor, best, last = factor / 5, lowest, epoch
        return factor, self.patience - len(curve) + last


class FitSpec(NamedTuple):
    """One fit of an estimator, ready to be trained."""

    table: CheckedSamples  # all samples; fits on different rows of a table have the same object
    rows: Integers | None  # of the training set; None for all rows of the table
    held: Integers | None  # the rows of the validation set of early stopping
    subset: tuple[Any, ...]  # a key that is equal for fits with equal rows of a table
    # Keyword arguments of train() without the seed and the samples; with a minimizer those of
    # objective(), and init.
    settings: dict[str, Any]
    seeds: list[int]  # one for each member of the ensemble
    start: tuple[Run | NetworkParts, ...] = ()  # of the members; empty to initialize them
    minimizer: dict[str, Any] | None = None  # options of L-BFGS-B, in place of gradient descent
    adaptive: Adaptive | None = None  # when the learning rate is divided, if it is "adaptive"

    @property
    def solver(self) -> str:
        """The name of the solver in a warning, like scikit-learn's."""
        if self.minimizer is not None:
            return "lbfgs"
        return "lm" if self.settings["optimizer"].second_order else "Stochastic Optimizer"

    @property
    def learned(self) -> CheckedSamples:
        """The training set."""
        return self.table.at(self.rows)

    @property
    def validation(self) -> CheckedSamples | None:
        """The validation set, or None."""
        return None if self.held is None else self.table.at(self.held)

    @property
    def size(self) -> int:
        """The number of samples in the training set."""
        return len(self.table.X) if self.rows is None else len(self.rows)

    @property
    def epochs(self) -> int:
        """The most epochs that the fit asks for."""
        return int(self.settings["iterations"] // self.settings["record_every"])


def held_out(rows: Integers, fraction: float, strata: Any, seed: int) -> tuple[Integers, Integers]:
    """Return the rows of the training set and a drawn fraction as validation set, each in order."""
    # The draw of train_test_split, without its checks of arrays: a third of the time.
    kind = ShuffleSplit if strata is None else StratifiedShuffleSplit
    _, held = next(kind(test_size=fraction, random_state=seed).split(rows, strata))
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    is_held = np.zeros(len(rows), dtype=np.bool_)
    is_held[held] = True
    return rows[~is_held], rows[is_held]


# ------------------------------------------------------------------------------ a network alone


def train_alone(spec: FitSpec, device: str) -> list[Run]:
    """Return the runs of a fit that can't be part of a sweep."""
    members = range(len(spec.seeds))
    if spec.minimizer is not None:
        return [_minimized(spec, member) for member in members]
    if spec.adaptive is not None:
        return [_adapted(spec, spec.adaptive, member, device) for member in members]
    return [_trained(spec, member, device=device) for member in members]


def _trained(spec: FitSpec, member: int, **given: Any) -> Run:
    """Train one member's network; ``given`` replaces settings."""
    X, y, weight = spec.learned
    own = {"sample_weight": weight, "validation": spec.validation, "seed": spec.seeds[member]}
    start = {"weights": spec.start[member]} if spec.start else {}
    settings = spec.settings | own | start | given
    if "weights" in settings:
        del settings["init"]
    return train(X, y, **settings)


def _adapted(spec: FitSpec, adaptive: Adaptive, member: int, device: str) -> Run:
    """Return one member's network, trained at a rate that is divided when its loss stops falling.

    The training is resumed, exactly, wherever that may be: it is that of the schedule which
    results.
    """
    X, y, _ = spec.learned
    updates = spec.settings["record_every"]
    run: Run | None = None
    factors: list[float] = []
    curve: Sequence[float] = []
    while len(factors) < spec.epochs and (run is None or run.status == "finished"):
        factor, least = adaptive.ahead(curve)
        if run is not None and least == 0:
            return replace(run, status="stalled")
        more = int(min(least, spec.epochs - len(factors)))
        factors += [factor] * more
        schedule, iterations = Factors(np.repeat(factors, updates)), more * updates
        if run is None:
            run = _trained(spec, member, schedule=schedule, iterations=iterations, device=device)
        else:
            before = replace(run, options=run.options | {"schedule": schedule})
            again = {"iterations": iterations, "validation": spec.validation, "device": device}
            run = train(X, y, resume=before, **again)
        losses, held = history(spec, run)
        curve = losses if held is None else held.tolist()
    assert run is not None
    return run


def _minimized(spec: FitSpec, member: int) -> Run:
    """Return one member's network, minimized by L-BFGS-B."""
    import scipy.optimize

    X, y, weight = spec.learned
    options: dict[str, Any] = spec.settings | {"sample_weight": weight}
    init = options.pop("init")
    f = objective(X, y, **options)
    if spec.start:
        run = spec.start[member]
        start = f.network.row(NetworkParts(run.weights, run.biases))
    else:
        start = f.network.rows(first_rows(init, f.network.sizes, [spec.seeds[member]]))[0]
    found = scipy.optimize.minimize(f, start, jac=True, method="L-BFGS-B", options=spec.minimizer)
    return replace(
        f.run(found.x),
        seed=spec.seeds[member],
        status="converged" if found.success else "finished",
        iterations=int(found.nit),
        minimizer={"method": "L-BFGS-B"},
    )


def one_more_epoch(spec: FitSpec, *, by_epoch: bool, device: str) -> list[Run]:
    """Return the networks that a fit starts from, trained for one more epoch.

    A run is resumed if it can be: the optimizer's state and the order of samples continue as in a
    longer training. If it had ended early, restored an earlier network, or has another optimizer
    now, the optimizer's state starts anew. With ``by_epoch`` the schedule's factors are constant
    within an epoch, and given for this epoch only.
    """
    X, y, weight = spec.learned
    updates = spec.settings["iterations"]
    runs = []
    for member, start in enumerate(spec.start):
        run = cast(Run, start)
        state, optimizer = run.state, run.options.get("optimizer", GradientDescent())
        if (
            state is None
            or state.ended[0] >= 0
            or state.best.size
            or type(optimizer) is not type(spec.settings["optimizer"])
        ):
            runs.append(_trained(spec, member, device=device))
            continue
        # With other samples an epoch has another length: resume at a multiple of the new length.
        done = -(-int(state.planned[0]) // updates) * updates
        options = {n: value for n, value in spec.settings.items() if n not in OWN_ARGUMENTS}
        options |= {"shuffle_seed": run.options.get("shuffle_seed", 0), "sample_weight": weight}
        if by_epoch and isinstance(options["schedule"], Factors):
            factors = np.resize(options["schedule"].factors, done + updates)
            options["schedule"] = Factors(factors)
        before = replace(
            run,
            alpha=spec.settings["alpha"],
            options=options,
            errors=run.errors[:1],
            losses=run.losses[:1],
            state=state._replace(planned=np.array([done]), record_every=np.array([LARGEST])),
            sample_hashes=ANY_SAMPLES,
        )
        runs.append(train(X, y, resume=before, iterations=updates, device=device))
    return runs


def history(spec: FitSpec, run: Run) -> tuple[list[float], FloatArray | None]:
    """Return a run's losses and validation errors (mean absolute errors), epoch by epoch."""
    epochs = run.iterations // spec.settings["record_every"]
    losses, held = run.losses[1 : epochs + 1], run.validation_errors
    held = None if held is None else held[1 : epochs + 1]
    if len(losses) < epochs:  # the last network has been evaluated, but is not recorded
        loss, error = run.final_loss, run.final_validation_error
        if spec.settings["restore_best"] and run.best_iteration != run.iterations:
            assert run.state is not None
            last = Network.of(run).parts(run.state.parameters[0])
            once = {"iterations": 1, "record_every": 1, "evaluate_every": 1}
            again = _trained(spec, 0, weights=last, **once)
            assert again.validation_errors is not None
            loss, error = float(again.losses[0]), float(again.validation_errors[0])
        losses = np.append(losses, loss)
        held = None if error is None or held is None else np.append(held, error)
    return losses.tolist(), held
