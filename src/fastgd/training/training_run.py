"""One training, from any iteration to any later one: splitting it changes no bit of the result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import NoneType
from typing import Any

import numpy as np

from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method, check_names_of_loss
from fastgd.arguments.samples import TrainingData, check_outputs
from fastgd.checks.numbers import FloatArray, check_flag
from fastgd.engine.devices import CPU
from fastgd.engine.execution import execute
from fastgd.engine.network import Network
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.results import STATUS, summarize
from fastgd.hyperparameters import Hyperparameters
from fastgd.optimizers import BAYESIAN
from fastgd.store import Arrays
from fastgd.training import stored_results as stored_run
from fastgd.training.codec import Header
from fastgd.training.resuming import check_network, check_same_samples
from fastgd.training.run import Run, run_of
from fastgd.training.stored_results import Hashes, as_json, hashes_of
from fastgd.training.training_job import Trainings, checked_trainings, started_with

KEEP = Keep(state=True)

MOST_KEPT = 64
"""Trainings, of those that were checked last, whose next one with other samples is not checked."""

MOST_PARTS = 32
"""The most items of an argument that is compared: longer ones take longer than a check."""

_FLOATS = {float, np.float64}
_PLAIN = {str, int, bool, NoneType, np.int64} | _FLOATS
"""Types whose values are equal if they are written equally."""


@dataclass(frozen=True, eq=False)
class Training(Trainings):
    """One training."""

    resume: Run | None
    """The run to continue."""
    threads: int
    """Threads that may share the work of each update of a large network."""
    kept: Training | None = None
    """One on samples of the same shapes, all 0, whose plan is made once; it may differ in alpha and
    seed only."""

    @property
    def network(self) -> Network:
        """The only network."""
        return self.networks[0]

    @property
    def method(self) -> Method:
        """Its options."""
        return self.methods[0]

    @cached_property
    def start(self) -> FloatArray:
        """The initial parameters, (1, P)."""
        if self.kept is not None and self.kept.seeds == self.seeds:
            return self.kept.start
        return self.first(0)

    @cached_property
    def sample_hashes(self) -> Hashes:
        """The hashes of the samples."""
        return hashes_of(self.task.samples)

    @property
    def asked(self) -> tuple[Header, Arrays]:
        """All that the result depends on: values that JSON can hold, and arrays."""
        samples = self.task.samples.items()
        arrays: Arrays = {name.replace("_", " "): array for name, array in samples}
        if self.starts:
            arrays["weights"] = self.start
        if self.resume is not None:
            past = stored_run.encode(self.resume)[1]
            arrays |= {f"resume {name}": array for name, array in past.items()}
        asked = {
            "hidden_size": self.network.sizes[1:-1],
            "alpha": self.settings["alpha"],
            "iterations": self.task.iterations - self.task.done,
            "record_every": self.task.record_every,
            "seed": self.seeds[0],
            "record_weights": self.record_weights,
            **as_json(self.method.given, arrays),
        }
        return asked, arrays

    def between(self, done: int, iterations: int) -> Plan:
        """Plan the updates from iteration ``done`` to ``iterations``."""
        if (done, iterations) == (self.task.done, self.task.iterations):
            if self.kept is not None:
                return self.kept.whole_plan.on_samples(self.task, self.alphas[0])
            return self.plan(0, self.threads)
        task = replace(self.task, iterations=iterations, done=done)
        return replace(self, task=task).plan(0, self.threads)

    @cached_property
    def whole_plan(self) -> Plan:
        """The plan of all updates, for others with the same arguments, too."""
        return self.plan(0, self.threads).sparing()

    def stretch(self, plan: Plan, before: Run | None, advance: Callable[[int], None]) -> Run:
        """Train as planned, and return the run so far.

        ``before`` is the run at the beginning of the plan; None at iteration 0.
        """
        state = None if before is None else before.state
        trained = execute(plan, self.start, self.run_seeds, KEEP, advance, state)
        if before is not None and state is not None:
            path = None
            if before.recorded_weights is not None:
                biases, normalization = before.recorded_biases, before.recorded_normalization
                path = self.network.row(
                    NetworkParts(before.recorded_weights, biases, normalization)
                )
            trained.put_before(
                before.errors,
                before.losses,
                before.validation_errors,
                path,
                state.ended >= 0,
                before.final_loss,
            )
        has_seed = self.resume is None or self.resume.seed is not None
        held, window = plan.samples.holds_out, self.method.summary
        return run_of(
            self.network,
            self.method,
            alpha=self.settings["alpha"],
            seed=self.settings["seed"] if has_seed else None,
            recorded=plan.task.recorded,
            errors=trained.errors[0],
            parameters=trained.weights[0],
            changes=trained.changes[0],
            final_error=trained.final_error[0],
            losses=trained.losses[0],
            final_loss=trained.final_loss[0],
            status=STATUS[trained.outcome[0]],
            iterations=trained.iterations[0],
            summary=window and [array[0] for array in summarize(trained.watch, window)],
            path=trained.path[0] if self.record_weights else None,
            validation_errors=trained.held_errors[0] if held else None,
            final_validation_error=trained.held_final[0] if held else None,
            best_iteration=trained.best_iteration[0],
            **{
                name: getattr(trained, name).item()
                for name in BAYESIAN
                if self.method.regularization == "bayesian"
            },
            state=trained.state,
            sample_hashes=self.sample_hashes,
        )


def checked_training(
    X: object,
    y: object,
    *,
    iterations: object,
    record_every: object,
    validation: object = None,
    gradients: object = None,
    record_weights: object,
    resume: Run | None = None,
    given_options: Mapping[str, Any],
    threads: int = 1,
    device: str = CPU,
    further: Collection[str] = (),
    **given: Any,
) -> Training:
    """Check the arguments of :func:`fastgd.train`.

    ``given`` are hidden_size, alpha, seed, weights and biases, ``further`` names of arguments that
    are checked elsewhere, for "did you mean" hints.
    """
    arguments = dict(locals())  # all there are, so that none is forgotten in a key
    task = TrainingData.check(
        X, y, iterations, record_every, given_options, validation, planned(resume), gradients
    )
    recording = check_flag("record_weights", record_weights)
    kept = _kept_for(task, **arguments)
    if kept is not None and kept.training is not None:
        known = kept.training
        check_outputs(known.method.output, known.method.loss, task.y)
        started = started_with(given["alpha"], given["seed"], known.network.layers)
        return replace(known, task=task, kept=known, **started)
    found = checked_trainings(
        task, given, given_options, record_weights=recording, device=device, arguments=further
    )
    if resume is not None and resume.state is not None:
        sizes = (len(resume.weights[0]), *(layer.shape[1] for layer in resume.weights))
        check_network(found.networks[0].sizes, sizes, resume.state, len(task.X))
    training = Training(**vars(found), resume=resume, threads=threads)
    if resume is not None:
        check_same_samples(resume.sample_hashes, training.sample_hashes, "the run")
    if kept is not None:
        X, y = (np.broadcast_to(0.0, samples.shape) for samples in (task.X, task.y))
        template = replace(training, task=replace(task, X=X, y=y))
        if template.whole_plan.spare is not None:  # larger ones hold memory, and gain nothing
            kept.training = template
        return replace(training, kept=template)
    return training


@dataclass(eq=False)
class _Kept:
    """A training with some arguments, once they are checked."""

    training: Training | None = None


def _kept_for(task: TrainingData, *, given: Any, given_options: Any, **others: Any) -> _Kept | None:
    """What is kept for all arguments but alpha and seed, and for samples of these shapes."""
    named = others | given
    for name in ("X", "y", "alpha", "seed"):
        del named[name]
    facts = _plain((*named.items(), *given_options.items()))
    return None if facts is None else _kept(task.X.shape, task.y.shape, facts)


@lru_cache(MOST_KEPT)
def _kept(*_arguments: object) -> _Kept:
    return _Kept()


def _plain(given: Iterable[tuple[Any, Any]]) -> tuple[object, ...] | None:
    """Arguments as what is equal for these only; None if one can't be compared so, or is long."""
    facts: list[object] = []
    for name, value in given:
        kind = type(value)
        if kind in _PLAIN:
            facts += (name, kind, value if kind not in _FLOATS else repr(value))
            continue
        parts = tuple(vars(value).values()) if isinstance(value, Hyperparameters) else value
        if type(parts) is not tuple or len(parts) > MOST_PARTS:
            return None
        if not _PLAIN.issuperset(map(type, parts)):
            return None
        facts += (name, kind, _plain(enumerate(parts)))
    return tuple(facts)


def checked_loss(
    X: object,
    y: object,
    given_options: Mapping[str, Any],
    arguments: Collection[str] = ("hidden_size",),
    *,
    iterations: object = 1,
    **given: Any,
) -> Training:
    """Check the arguments of :func:`fastgd.objective` and :func:`fastgd.minimize`.

    ``given`` are those that they have of hidden_size, seed, weights and biases, and ``arguments``
    the names of all, for "did you mean" hints. Options about learning are refused.
    """
    check_names_of_loss(given_options, arguments)
    others = {"alpha": 1.0, "seed": 1, "weights": None, "biases": None}
    return checked_training(
        X,
        y,
        iterations=iterations,
        record_every=1,
        record_weights=False,
        given_options=given_options,
        **others | given,
    )


def planned(run: Run | None) -> int:
    """The number of iterations that a run was to have; 0 without a run."""
    return 0 if run is None or run.state is None else int(run.state.planned[0])


def is_over(run: Run | None) -> bool:
    """Whether a run ended early: it converged, stalled or diverged."""
    return run is not None and run.state is not None and bool(run.state.ended[0] >= 0)
