"""One training, from any iteration to any later one: how it is cut changes no bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray, Parts
from fastgd.arguments.options import Method
from fastgd.engine.execution import execute
from fastgd.engine.initialization import first_rows
from fastgd.engine.network import Network
from fastgd.engine.outcome import Trained
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.summaries import STATUS, summarise
from fastgd.engine.task import Task
from fastgd.training.assembly import run_of
from fastgd.training.results import Alpha, Run

KEEP = Keep(state=True)


@dataclass(frozen=True, eq=False)
class Training:
    """One network and all that its training is to come to; every argument has been checked."""

    task: Task
    network: Network
    method: Method
    alpha: Alpha
    seed: int
    given: FloatArray | None  # (1, P): the first parameters, if they don't come of the seed
    resume: Run | None
    """What goes on."""
    recording: bool

    @cached_property
    def first(self) -> FloatArray:
        """The first parameters, (1, P)."""
        if self.given is not None:
            return self.given
        return self.network.rows(first_rows(self.method.init, self.network.sizes, [self.seed]))

    def plan(self, done: int, iterations: int) -> Plan:
        """The work from so many iterations to so many."""
        return Plan.make(
            replace(self.task, iterations=iterations, done=done),
            self.network,
            self.method,
            np.full((1, len(self.network.sizes) - 1), self.alpha),
            {},
            starts=1,
            threads=1,
            record_weights=self.recording,
        )

    def stretch(self, plan: Plan, before: Run | None, advance: Callable[[int], None]) -> Run:
        """What the training has come to when this work is done, too.

        ``before`` is what it had come to when the plan begins; nothing at iteration 0.
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
    """The iterations that a run was asked for; 0 for none."""
    return 0 if run is None or run.state is None else int(run.state.planned[0])


def is_over(run: Run | None) -> bool:
    """Whether a run ended early: it converged, stalled or diverged."""
    return run is not None and run.state is not None and bool(run.state.ended[0] >= 0)


def _join(trained: Trained, before: Run, network: Network) -> None:
    """Put what was recorded before in front of what was recorded since."""
    records = len(before.errors)
    trained.errors[0, :records] = before.errors
    trained.losses[0, :records] = before.losses
    if before.state is not None and before.state.ended[0] >= 0:
        trained.final_loss[0] = before.final_loss
    if before.validation_errors is not None:
        trained.held_errors[0, :records] = before.validation_errors
    if before.recorded_weights is not None:
        trained.path[0, :records] = network.row(
            Parts(before.recorded_weights, before.recorded_biases, before.recorded_normalization)
        )


def _summary(trained: Trained, window: int | None) -> list[NDArray[np.float64]] | None:
    if window is None:
        return None
    return [array[0] for array in summarise(trained.watch, window)]
