"""The results of a plan's runs, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.engine.packing import Index
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.results import SMALLEST, SMALLEST_AT, State
from fastgd.optimizers import BAYESIAN

NOWHERE = -1
"""``best_iteration`` of a run that isn't monitored, or that never had a finite error."""

STATE = "state_"
"""Prefix of the names of arrays that hold the state of runs."""


@dataclass(eq=False)
class TrainedRuns:
    """Results of n runs of one network with P parameters, filled in as the runs end."""

    errors: NDArray[np.float64]  # (n, records): NaN for records that a run did not reach
    final_error: NDArray[np.float64]  # (n,)
    losses: NDArray[np.float64]  # as errors
    final_loss: NDArray[np.float64]  # (n,)
    iterations: NDArray[np.int64]  # (n,)
    outcome: NDArray[np.int64]  # (n,): see fastgd.kernel.block
    total_changes: NDArray[np.int64]  # (n,)
    watch: NDArray[np.float64]  # (n, Layout.watched)
    best_iteration: NDArray[np.int64]  # (n,): of the smallest monitored error, or NOWHERE
    held_errors: NDArray[np.float64]  # as errors, or (n, 0) without validation samples
    held_final: NDArray[np.float64]  # as final_error, or (0,)
    weights: NDArray[np.float64]  # (n, P), or (0, P) if not kept
    changes: NDArray[np.int64]  # shape as weights: direction changes
    effective_parameters: NDArray[np.float64]  # (n,), or (0,) unless regularization is Bayesian
    weight_penalty: NDArray[np.float64]  # the same
    error_factor: NDArray[np.float64]  # the same
    path: NDArray[np.float64]  # (n, records, P), or (0, records, P) if not recorded
    state: State | None  # of all runs, if it is kept

    @classmethod
    def empty(cls, plan: Plan, keep: Keep) -> "TrainedRuns":
        """Allocate the arrays for the runs of a plan."""
        runs, records, layout = plan.runs, plan.task.records, plan.layout
        held, kept = plan.samples.holds_out, runs * keep.weights
        recorded = 0 if layout.recipe.path is None else runs
        drawn = 0
        if layout.recipe.batches.name == "adaptive":
            drawn = max(session.layout.samples for _, session in plan.batches)
        return cls(
            errors=np.empty((runs, records)),
            final_error=np.empty(runs),
            losses=np.empty((runs, records)),
            final_loss=np.empty(runs),
            iterations=np.empty(runs, np.int64),
            outcome=np.empty(runs, np.int64),
            total_changes=np.empty(runs, np.int64),
            watch=np.empty((runs, layout.watched)),
            best_iteration=np.empty(runs, np.int64),
            held_errors=np.empty((runs, records * held)),
            held_final=np.empty(runs * held),
            weights=np.empty((kept, plan.network.parameters)),
            changes=np.empty((kept, plan.network.parameters), np.int64),
            **{name: np.empty(runs * (layout.recipe.bayesian is not None)) for name in BAYESIAN},
            path=np.empty((recorded, records, plan.network.parameters)),
            # The state of a single run is stored as it is.
            state=State.empty(
                runs,
                plan.network.parameters,
                plan.method.optimizer,
                layout.kept_errors,
                drawn,
                int(layout.recipe.best is not None),
            )
            if keep.state and runs > 1
            else None,
        )

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, with runs as the first axis, for files and other processes."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        state: State | None = named.pop("state")
        if state is not None:
            named |= {f"{STATE}{name}": array for name, array in state._asdict().items()}
        return {name: array for name, array in named.items() if array.size or len(array)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "TrainedRuns":
        """The inverse of :attr:`arrays`."""
        named = {
            field.name: arrays.get(field.name, np.empty(0))
            for field in fields(cls)
            if field.name != "state"
        }
        has_state = f"{STATE}parameters" in arrays
        state = State(*(arrays[f"{STATE}{name}"] for name in State._fields)) if has_state else None
        return cls(**named, state=state)

    def put_before(
        self,
        errors: NDArray[np.float64],
        losses: NDArray[np.float64],
        held_errors: NDArray[np.float64] | None,
        path: NDArray[np.float64] | None,
        over: NDArray[np.bool_],
        final_loss: Any,
    ) -> None:
        """Put the records of earlier iterations in front, and the losses of runs that were over."""
        records = errors.shape[-1]
        self.errors[:, :records] = errors
        self.losses[:, :records] = losses
        if held_errors is not None:
            self.held_errors[:, :records] = held_errors
        if path is not None:
            self.path[:, :records] = path
        self.final_loss[:] = np.where(over, final_loss, self.final_loss)

    def write(self, whose: Index, plan: Plan, ended: "Ended") -> None:
        """Store the results of these runs: final ones, or the best ones with ``restore_best``."""
        self.iterations[whose] = ended.ended
        self.outcome[whose] = ended.outcome
        self.total_changes[whose] = ended.changes[:, plan.network.counted].sum(axis=1)
        final, held_final, has_best = ended.final, ended.held_final, ended.has_best
        self.best_iteration[whose] = NOWHERE
        if self.watch.shape[1]:
            self.watch[whose] = ended.watch
            at = ended.watch[:, SMALLEST_AT].astype(np.int64)
            self.best_iteration[whose] = np.where(has_best, at, NOWHERE)
            if plan.method.restore_best:
                final = np.where(has_best, ended.best_error, final)
                if plan.samples.holds_out:
                    held_final = np.where(has_best, ended.watch[:, SMALLEST], held_final)
        self.final_error[whose] = final
        if plan.samples.holds_out:
            self.held_final[whose] = held_final
        if len(self.effective_parameters):
            for name, found in zip(BAYESIAN, ended.bayesian.T, strict=True):
                getattr(self, name)[whose] = found
        if len(self.weights):
            self.weights[whose] = ended.given_back(plan)
            self.changes[whose] = ended.changes


@dataclass(frozen=True)
class Ended:
    """The final state of n runs that have ended."""

    ended: Index  # (n,) updates done
    outcome: Index  # (n,)
    final: NDArray[np.float64]  # (n,)
    held_final: NDArray[np.float64]  # (n,), if there are validation samples
    parameters: NDArray[np.float64]  # (n, P)
    changes: Index  # (n, P)
    watch: NDArray[np.float64]  # (n, Layout.watched)
    is_watched: NDArray[np.bool_]  # (n,)
    best: NDArray[np.float64]  # (n, P), with restore_best
    best_error: NDArray[np.float64]  # (n,), with restore_best
    bayesian: NDArray[np.float64]  # (n, 3), if regularization is Bayesian

    @property
    def has_best(self) -> NDArray[np.bool_]:
        """(n,) whether there is a smallest monitored error."""
        if not self.watch.shape[1]:
            return np.zeros(len(self.ended), np.bool_)
        found: NDArray[np.bool_] = self.is_watched & (self.watch[:, SMALLEST] < np.inf)
        return found

    def given_back(self, plan: Plan) -> NDArray[np.float64]:
        """(n, P) the last parameters, or with ``restore_best`` the best ones."""
        if not plan.method.restore_best:
            return self.parameters
        return np.where(self.has_best[:, None], self.best, self.parameters)
