"""One training, from any iteration to any later one: splitting it changes no bit of the result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method, check_names_of_loss
from fastgd.arguments.samples import TrainingData
from fastgd.checks.numbers import FloatArray, check_flag
from fastgd.engine.devices import CPU
from fastgd.engine.execution import execute
from fastgd.engine.network import Network
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.results import STATUS, summarize
from fastgd.optimizers import BAYESIAN
from fastgd.store.npz import Arrays
from fastgd.training import stored_results as stored_run
from fastgd.training.codec import Header
from fastgd.training.resuming import check_network, check_same_samples
from fastgd.training.run import Run, run_of
from fastgd.training.stored_results import Hashes, as_json, hashes_of
from fastgd.training.training_job import Trainings, checked_trainings

KEEP = Keep(state=True)


@dataclass(frozen=True, eq=False)
class Training(Trainings):
    """One training."""

    resume: Run | None
    """The run to continue."""
    threads: int
    """Threads that may share the work of each update of a large network."""

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
            return self.plan(0, self.threads)
        task = replace(self.task, iterations=iterations, done=done)
        return replace(self, task=task).plan(0, self.threads)

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
    task = TrainingData.check(
        X, y, iterations, record_every, given_options, validation, planned(resume), gradients
    )
    recording = check_flag("record_weights", record_weights)
    found = checked_trainings(
        task, given, given_options, record_weights=recording, device=device, arguments=further
    )
    if resume is not None and resume.state is not None:
        sizes = (len(resume.weights[0]), *(layer.shape[1] for layer in resume.weights))
        check_network(found.networks[0].sizes, sizes, resume.state, len(task.X))
    training = Training(**vars(found), resume=resume, threads=threads)
    if resume is not None:
        check_same_samples(resume.sample_hashes, training.sample_hashes, "the run")
    return training


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
