"""One training, from any iteration to any later one: splitting it changes no bit of the result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments import options
from fastgd.arguments.data import FloatArray, NetworkParts
from fastgd.arguments.initial_network import check_alpha, check_start, check_whole
from fastgd.arguments.options import Method
from fastgd.arguments.targets import outputs_to_start
from fastgd.checks.values import check_flag, check_seed
from fastgd.engine.execution import execute
from fastgd.engine.initialization import first_rows
from fastgd.engine.network import Network
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.summaries import STATUS, summarize
from fastgd.engine.trained_runs import TrainedRuns
from fastgd.engine.training_data import TrainingData, network_of
from fastgd.store.npz import Arrays
from fastgd.training import stored_run
from fastgd.training.codec import Header
from fastgd.training.results import Alpha, Run
from fastgd.training.resuming import check_network
from fastgd.training.run_builder import run_of
from fastgd.training.stored_options import as_json

KEEP = Keep(state=True)


@dataclass(frozen=True, eq=False)
class Training:
    """A network and all arguments of its training, checked."""

    task: TrainingData
    network: Network
    method: Method
    alpha: Alpha
    seed: int
    given: FloatArray | None  # (1, P): the initial parameters, if they were given
    resume: Run | None
    """The run to continue."""
    recording: bool
    threads: int = 1
    """Threads that may share the work of each update of a large network."""

    @classmethod
    def check(
        cls,
        X: object,
        y: object,
        *,
        hidden_size: Any,
        alpha: object,
        iterations: object,
        record_every: object,
        seed: object,
        weights: Any,
        biases: Any,
        validation: object = None,
        recording: object,
        resume: Run | None = None,
        given_options: Mapping[str, Any],
        threads: int = 1,
        further: Collection[str] = (),
    ) -> Training:
        """Check the arguments of :func:`fastgd.train`.

        ``further`` are names of arguments that are checked elsewhere, for "did you mean" hints.
        """
        done = planned(resume)
        task = TrainingData.check(X, y, iterations, record_every, given_options, validation, done)
        held = task.validation
        outputs = outputs_to_start(given_options, task.y, weights)
        hidden, given = check_start(hidden_size, weights, task.inputs, outputs, biases)
        rates = check_alpha(alpha, len(hidden) + 1)
        seed = check_seed(seed)
        method = options.check(
            given_options,
            task.X,
            task.y,
            hidden,
            holds_out=held is not None,
            arguments=further,
        )
        options.check_updates([method], task.iterations)
        if given:
            check_whole(given, bias=method.bias, batch_norm=method.batch_norm, init=method.init)
        network = network_of(task, hidden, method)
        if resume is not None:
            assert resume.state is not None  # checked by arguments_of_run
            found = (len(resume.weights[0]), *(layer.shape[1] for layer in resume.weights))
            check_network(network.sizes, found, resume.state, len(task.X))
        return cls(
            task,
            network,
            method,
            alpha=rates if isinstance(alpha, tuple) else rates[0],
            seed=seed,
            given=network.row(given)[None] if given else None,
            resume=resume,
            recording=check_flag("record_weights", recording),
            threads=threads,
        )

    @property
    def asked(self) -> tuple[Header, Arrays]:
        """All that the result depends on: values that JSON can hold, and arrays."""
        arrays: Arrays = {"X": self.task.X, "y": self.task.y}
        if self.task.validation is not None:
            held = self.task.validation._asdict().items()
            arrays |= {f"validation {name}": array for name, array in held if array is not None}
        if self.given is not None:
            arrays["weights"] = self.given
        if self.resume is not None:
            past = stored_run.encode(self.resume)[1]
            arrays |= {f"resume {name}": array for name, array in past.items()}
        asked = {
            "hidden_size": self.network.sizes[1:-1],
            "alpha": self.alpha,
            "iterations": self.task.iterations - self.task.done,
            "record_every": self.task.record_every,
            "seed": self.seed,
            "record_weights": self.recording,
            **as_json(self.method.given, arrays),
        }
        return asked, arrays

    @cached_property
    def first(self) -> FloatArray:
        """The initial parameters, (1, P)."""
        if self.given is not None:
            return self.given
        return self.network.rows(first_rows(self.method.init, self.network.sizes, [self.seed]))

    def plan(self, done: int, iterations: int) -> Plan:
        """Plan the updates from iteration ``done`` to ``iterations``."""
        task = self.task
        if (task.done, task.iterations) != (done, iterations):
            task = replace(task, iterations=iterations, done=done)
        return Plan.make(
            task,
            self.network,
            self.method,
            np.full((1, len(self.network.sizes) - 1), self.alpha),
            {},
            starts=1,
            threads=self.threads,
            record_weights=self.recording,
        )

    def stretch(self, plan: Plan, before: Run | None, advance: Callable[[int], None]) -> Run:
        """Train as planned, and return the run so far.

        ``before`` is the run at the beginning of the plan; None at iteration 0.
        """
        state = None if before is None else before.state
        trained = execute(plan, self.first, np.array([self.seed]), KEEP, advance, state)
        if before is not None:
            _join(trained, before, self.network)
        has_seed = self.given is None and (self.resume is None or self.resume.seed is not None)
        held = plan.samples.holds_out
        return run_of(
            self.network,
            self.method,
            alpha=self.alpha,
            seed=self.seed if has_seed else None,
            recorded=plan.task.recorded,
            errors=trained.errors[0],
            parameters=trained.weights[0],
            changes=trained.changes[0],
            final_error=trained.final_error[0],
            losses=trained.losses[0],
            final_loss=trained.final_loss[0],
            status=STATUS[trained.outcome[0]],
            iterations=trained.iterations[0],
            summary=_summary(trained, self.method.summary),
            path=trained.path[0] if self.recording else None,
            validation_errors=trained.held_errors[0] if held else None,
            final_validation_error=trained.held_final[0] if held else None,
            best_iteration=trained.best_iteration[0],
            state=trained.state,
        )


def planned(run: Run | None) -> int:
    """The number of iterations that a run was to have; 0 without a run."""
    return 0 if run is None or run.state is None else int(run.state.planned[0])


def is_over(run: Run | None) -> bool:
    """Whether a run ended early: it converged, stalled or diverged."""
    return run is not None and run.state is not None and bool(run.state.ended[0] >= 0)


def _join(trained: TrainedRuns, before: Run, network: Network) -> None:
    """Copy the records of the run before to the beginning of the new ones."""
    records = len(before.errors)
    trained.errors[0, :records] = before.errors
    trained.losses[0, :records] = before.losses
    if before.state is not None and before.state.ended[0] >= 0:
        trained.final_loss[0] = before.final_loss
    if before.validation_errors is not None:
        trained.held_errors[0, :records] = before.validation_errors
    if before.recorded_weights is not None:
        trained.path[0, :records] = network.row(
            NetworkParts(
                before.recorded_weights, before.recorded_biases, before.recorded_normalization
            )
        )


def _summary(trained: TrainedRuns, window: int | None) -> list[NDArray[np.float64]] | None:
    if window is None:
        return None
    return [array[0] for array in summarize(trained.watch, window)]
