"""What is read of the blocks: states of runs, and the results of a plan's runs as arrays."""

from __future__ import annotations  # in nested functions, evaluating NDArray[Any] takes 4 us

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import FloatArray
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.recipe import TOLERANCE, corrections_of, is_watched, states_kept, states_of
from fastgd.engine.result_memory import empty
from fastgd.engine.session import Runs
from fastgd.formulas.updates import kept_of
from fastgd.kernel import block as slots
from fastgd.optimizers import BAYESIAN, LevenbergMarquardt

NOWHERE = -1
"""``best_iteration`` of a run that isn't monitored, or that never had a finite error."""

STATE = "state_"
"""Prefix of the names of arrays that hold the state of runs."""

STATUS = np.array(["finished", "converged", "diverged", "stalled"])
"""Status string for each outcome of :mod:`fastgd.kernel.block`."""

MISSING = "missing"
"""The status of a run that hasn't been trained yet."""

# Columns of what is kept about a run's errors.
SMALLEST, SMALLEST_AT, FIRST, ERROR_SUM, INVERSE_SUM, ERROR_COUNT = range(6)
RECENT = 6  # the most recent ones, in a ring buffer

_REAL = [SMALLEST, FIRST, ERROR_SUM, INVERSE_SUM]
"""Those of the kernel's floats, in its order."""

_BAYESIAN = [list(LevenbergMarquardt.kept).index(name) for name in BAYESIAN]
"""Where :data:`BAYESIAN` are among what the optimizer keeps of a run."""


# ---------------------------------------------------------------- states


class State(NamedTuple):
    """n runs of one network with P parameters, in the order of :meth:`Network.row`.

    The state is that after the last update, before the final evaluation: a longer training would
    not have evaluated the error there. Everything else (the order of an epoch, masks, draws)
    follows from the seeds and the iteration number.
    """

    parameters: Annotated[FloatArray, "n P"]
    steps: Annotated[FloatArray, "n S P"]  # S state variables of the optimizer per parameter
    corrections: Annotated[FloatArray, "n C"]  # what an optimizer keeps of each run
    signs: Annotated[NDArray[np.uint8], "n P"]  # 1 if the last update was positive
    changes: Annotated[Integers, "n P"]  # direction changes
    watch: Annotated[FloatArray, "n watched"]  # 4 + window: smallest, first, sums, recent; or 0
    watch_counts: Annotated[Integers, "n 2"]  # iteration of the smallest error, errors seen
    tau: Annotated[FloatArray, "n drawn"]  # samples of adaptive sampling, or 0
    best: Annotated[FloatArray, "n best"]  # P parameters of the smallest monitored error, or 0
    best_error: Annotated[FloatArray, "n"]  # their error on the training samples, or NaN
    ended: Annotated[Integers, "n"]  # the updates after which a run ended, or -1
    outcome: Annotated[Integers, "n"]  # how it ended: see fastgd.kernel.block
    final: Annotated[FloatArray, "n"]  # its last error on the training samples
    validation_final: Annotated[FloatArray, "n"]  # its last error on the validation samples, or NaN
    seeds: Annotated[Integers, "n"]  # seeds of the runs' masks and draws
    planned: Annotated[Integers, "n"]  # requested iterations
    record_every: Annotated[Integers, "n"]  # iterations between records

    def at(self, runs: Any) -> State:
        """The state of some of the runs."""
        return State(*(array[runs] for array in self))

    @staticmethod
    def widths(method: Method, values: Mapping[str, Sequence[Any]]) -> tuple[int, int]:
        """Values kept per run about its errors, and 1 if its best P parameters are kept, else 0.

        ``values`` are the options that have axes of values.
        """
        kept = slots.RECENT + (method.summary or 1) if is_watched(method, values) else 0
        return kept, int(method.restore_best)

    @classmethod
    def empty(
        cls, runs: int, parameters: int, method: Method, watched: int, drawn: int, best: int
    ) -> State:
        """Allocate the state of ``runs`` runs of a network with this number of parameters.

        ``watched`` and ``best`` are as in :meth:`widths`, and ``drawn`` is the number of samples
        with adaptive sampling, or else 0.
        """
        sizes = {"n": runs, "P": parameters, "S": states_kept(method)}
        sizes |= {"C": len(kept_of(method.optimizer)), "2": 2, "watched": watched, "drawn": drawn}
        sizes |= {"best": best * parameters}
        state = cls(**allocated(_STATE, sizes))
        state.watch[:, : slots.FIRST + 1] = np.inf  # no error was seen
        state.best_error[:] = np.nan
        return state


def declared(kind: type) -> dict[str, tuple[list[str], Any]]:
    """The arrays that a class declares: the names of their sizes, and their dtypes."""
    found = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is Annotated:
            *_, number = get_args(hint.__origin__)  # in older NumPy a dtype of it
            found[name] = hint.__metadata__[0].split(), (get_args(number) or (number,))[0]
    return found


def allocated(
    arrays: Mapping[str, tuple[list[str], Any]], sizes: Mapping[str, int]
) -> dict[str, NDArray[Any]]:
    """New arrays of zeros, of these sizes."""
    return {
        name: np.zeros([sizes[size] for size in shape], dtype)
        for name, (shape, dtype) in arrays.items()
    }


_STATE = declared(State)


def put_state(state: State, runs: Runs) -> None:
    """Write the states of all lanes (lanes, ...) to blocks that were just loaded."""
    layout, block = runs.session.layout, runs.block
    layout.put_by_parameter(block.numbers, state.parameters)
    for k, step in enumerate(layout.states(block.numbers)):
        layout.put_by_parameter(step, state.steps[:, k])
    values = layout.section(block.numbers, "values")
    values[:, corrections_of(runs.session.method.optimizer)] = layout.by_run(state.corrections)
    layout.put_by_parameter(block.signs, state.signs)
    layout.put_by_parameter(block.changes, state.changes)
    if layout.recipe.watch is not None:
        layout.section(block.numbers, "watch")[:] = layout.by_run(state.watch)
        counts = layout.of_runs(block.integers)
        counts[:, [slots.SMALLEST_AT, slots.ERROR_COUNT]] = layout.by_run(state.watch_counts)
    if block.tau.size:
        layout.of_runs(block.tau)[:] = layout.by_run(state.tau[:, : layout.samples])
    if layout.recipe.best is not None:
        layout.put_by_parameter(block.best, state.best)
        block.best_error[:] = state.best_error.reshape(-1, layout.runs)


def read(runs: Runs, which: Integers | slice = slice(None), *, to_resume: bool = True) -> State:
    """Read some of the runs; one that has ended as it was at its end.

    Without ``to_resume``, what only a resumed run needs is left out: steps, signs and tau.
    """
    session, block = runs.session, runs.block
    layout, optimizer, recipe = session.layout, session.method.optimizer, session.layout.recipe
    places, R, P = runs.places[which], layout.runs, layout.network.parameters
    blocks, lanes, count = places // R, places % R, len(places)
    ended = block.ended[blocks, lanes]
    over = ended[:, None] >= 0
    any_over = np.count_nonzero(over) > 0  # any() takes ten times as long for one run: 2 us

    def of_run(array: NDArray[Any], numbers: slice = slice(None)) -> NDArray[Any]:
        """(n, values) from (blocks, values * R)."""
        found: NDArray[Any] = array.reshape(len(array), -1, R)[blocks, numbers, lanes]
        return found

    def of_parameters(array: NDArray[Any]) -> NDArray[Any]:
        """(n, P)."""
        found: NDArray[Any] = array.take(layout.places, axis=1).reshape(-1, P)[places]
        return found

    def now(
        of: Callable[[NDArray[Any]], NDArray[Any]], live: NDArray[Any], put_away: NDArray[Any]
    ) -> NDArray[Any]:
        return np.where(over, of(put_away), of(live)) if any_over else of(live)

    none = np.empty((count, 0))
    parameters = now(of_parameters, block.numbers, block.kept)
    watch, best, best_error = none, none, _filled(count, np.nan)
    if recipe.watch is not None:
        own = layout.sections["watch"]
        watch = now(of_run, block.numbers[:, own], block.kept[:, own])
    if recipe.best is not None:
        best, best_error = of_parameters(block.best), block.best_error[blocks, lanes]
    kept, steps, signs = none, none[:, None], np.empty((count, 0), np.uint8)
    if kept_of(optimizer):
        own = layout.sections["values"]
        kept = of_run(block.numbers[:, own], corrections_of(optimizer))
    if to_resume:
        signs = of_parameters(block.signs)
        steps = np.zeros((count, states_of(recipe), P))
        for k in range(states_of(recipe)):
            steps[:, k] = of_parameters(layout.states(block.numbers)[k])
    counts = now(of_run, block.integers, block.kept_integers)
    held = recipe.held is not None
    return State(
        parameters=parameters,
        steps=steps,
        corrections=kept,
        signs=signs,
        changes=now(of_parameters, block.changes, block.kept_changes),
        watch=watch,
        watch_counts=counts[:, slots.SMALLEST_AT : slots.ERROR_COUNT + 1],
        tau=of_run(block.tau) if to_resume and block.tau.size else none,
        best=best,
        best_error=best_error,
        ended=ended,
        outcome=block.outcome[blocks, lanes],
        final=block.final[blocks, lanes],
        validation_final=block.held_final[blocks, lanes] if held else _filled(count, np.nan),
        seeds=counts[:, slots.SEED],
        planned=_filled(count, session.iterations, np.int64),
        record_every=_filled(count, session.record_every, np.int64),
    )


def _filled(runs: int, value: float, dtype: Any = np.float64) -> NDArray[Any]:
    """Like ``np.full``, which takes four times as long for one number: 2 us."""
    array = np.empty(runs, dtype)
    array.fill(value)
    return array


# ---------------------------------------------------------------- results


@dataclass(eq=False)
class TrainedRuns:
    """Results of n runs of one network with P parameters, filled in as the runs end."""

    errors: Annotated[FloatArray, "n records"]  # NaN for records that a run did not reach
    final_error: Annotated[FloatArray, "n"]
    losses: Annotated[FloatArray, "n records"]  # as errors
    final_loss: Annotated[FloatArray, "n"]
    iterations: Annotated[Integers, "n"]
    outcome: Annotated[Integers, "n"]  # see fastgd.kernel.block
    total_changes: Annotated[Integers, "n"]
    watch: Annotated[FloatArray, "n watched"]  # see Layout.watched
    best_iteration: Annotated[Integers, "n"]  # of the smallest monitored error, or NOWHERE
    held_errors: Annotated[FloatArray, "n held_records"]  # as errors, or (n, 0) without validation
    held_final: Annotated[FloatArray, "held"]  # as final_error, or (0,)
    weights: Annotated[FloatArray, "kept P"]  # (n, P), or (0, P) if not kept
    changes: Annotated[Integers, "kept P"]  # direction changes
    effective_parameters: Annotated[FloatArray, "bayesian"]  # (n,), or (0,) unless Bayesian
    weight_penalty: Annotated[FloatArray, "bayesian"]
    error_factor: Annotated[FloatArray, "bayesian"]
    path: Annotated[FloatArray, "paths records P"]  # (n, ...), or (0, ...) if not recorded
    predictions: Annotated[FloatArray, "predicted"]  # (n, records, samples, outputs), or (0,)
    measured: Annotated[FloatArray, "measuring measurements layers quantities"]  # or (0, ...)
    state: State | None  # of all runs, if it is kept

    @classmethod
    def empty(cls, plan: Plan, keep: Keep) -> TrainedRuns:
        """Allocate the arrays for the runs of a plan."""
        runs, records, layout = plan.runs, plan.task.records, plan.layout
        recipe, parameters, held = layout.recipe, layout.network.parameters, plan.task.holds_out
        sizes = {
            "n": runs,
            "P": parameters,
            "records": records,
            "watched": layout.watched,
            "held_records": records * held,
            "held": runs * held,
            "kept": runs * keep.weights,
            "bayesian": runs * (recipe.bayesian is not None),
            "paths": runs * (recipe.path is not None),
            "predicted": 0,  # until the path is there, of which they are computed
            "measuring": runs * (recipe.measure is not None),
            "measurements": plan.batches[0][1].measurements,
            "layers": layout.network.layers if plan.method.measure_layers else 1,
            "quantities": len(plan.method.measure or ()),
        }
        state = None
        if keep.state and runs > 1:  # that of a single run is stored as it is
            drawn = 0
            if recipe.batches.name == "adaptive":
                drawn = max(session.layout.samples for _, session in plan.batches)
            best = int(recipe.best is not None)
            state = State.empty(runs, parameters, plan.method, layout.kept_errors, drawn, best)
        found = allocated(_RESULTS, sizes)
        if plan.method.measure:  # large, and all of it is written
            found["measured"] = empty(found["measured"].shape)
        return cls(**found, state=state)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, with runs as the first axis, for files and other processes."""
        named = {name: getattr(self, name) for name in _RESULTS}
        if self.state is not None:
            named |= {f"{STATE}{name}": array for name, array in self.state._asdict().items()}
        return {name: array for name, array in named.items() if array.size or len(array)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> TrainedRuns:
        """The inverse of :attr:`arrays`."""
        named = {name: arrays.get(name, np.empty(0)) for name in _RESULTS}
        has_state = f"{STATE}parameters" in arrays
        state = State(*(arrays[f"{STATE}{name}"] for name in State._fields)) if has_state else None
        return cls(**named, state=state)

    def collect(
        self, plan: Plan, runs: Runs, which: Integers, whose: Integers, *, to_resume: bool
    ) -> tuple[Integers, FloatArray]:
        """Read some of the runs, and store their results; ``whose`` they are in the plan.

        Their states are stored, too, if that is ``to_resume`` them. Returns those of which no
        recorded loss belongs to the stored parameters, and these.
        """
        records, iterations = plan.task.records, plan.task.iterations
        found = read(runs, which, to_resume=to_resume)
        errors, losses = runs.curve("errors", which), runs.curve("losses", which)
        final, held_final = errors[:, records], found.validation_final
        curves = [(self.errors, errors), (self.losses, losses)]
        if plan.task.holds_out:
            held = runs.curve("held_errors", which)
            held_final = held[:, records]
            curves.append((self.held_errors, held))
        if len(self.path):
            path = runs.session.layout.path(runs.block, records)[runs.places[which]]
            curves.append((self.path, path))
        for kept, curve in curves:
            kept[whose] = curve[:, :records]
        self.final_loss[whose] = losses[:, records]
        if len(self.measured):
            self._collect_measured(plan, runs, which, whose, found)
        over = as_over = found.ended >= 0
        if np.count_nonzero(over):
            # A run whose weights have just overflowed has no error after that update.
            beyond = plan.task.recorded > (found.ended - np.isnan(found.final))[:, None]
            run, record = np.nonzero(beyond & over[:, None])
            for kept, _ in curves:
                kept[whose[run], record] = np.nan
            final = np.where(over, found.final, final)
            held_final = np.where(over, found.validation_final, held_final)
            # A run stopped by the very last evaluation can be resumed, as a longer run would not
            # have been evaluated there.
            finite = np.isfinite(found.parameters).all(axis=1)
            as_over = over & ~((found.ended == iterations) & finite)
            stopped = runs.stopped[which]  # by an update that a longer run would have, too
            as_over |= stopped
            if not to_resume and self.state is not None and np.count_nonzero(stopped):
                self.keep_state(runs, whose[stopped], read(runs, which[stopped]))
        if to_resume:
            self.keep_state(runs, whose, found, as_over)
        is_best, parameters = self.write(plan, whose, found, final, held_final)
        (at,) = (over | is_best).nonzero()
        return at, parameters[at]

    def _collect_measured(
        self, plan: Plan, runs: Runs, which: Integers, whose: Integers, found: State
    ) -> None:
        """Store what was measured of the updates that these runs did; NaN for others."""
        own, layout = self.measured.reshape(len(self.measured), -1), runs.session.layout
        there = layout.measured(runs.block)[:, : own.shape[1]]
        for begin in range(0, len(which), layout.runs):  # so that copies stay in the caches
            some = slice(begin, begin + layout.runs)
            own[whose[some]] = there[runs.places[which[some]]]
        over = np.flatnonzero(found.ended >= 0)
        at = np.arange(self.measured.shape[1]) * plan.batches[0][1].measure_every
        for run in over.tolist():
            self.measured[whose[run], at >= found.ended[run]] = np.nan

    def write(
        self, plan: Plan, whose: Integers, found: State, final: Any, held_final: Any
    ) -> tuple[NDArray[np.bool_], FloatArray]:
        """Store the results of these runs: final ones, or the best ones with ``restore_best``.

        ``final`` and ``held_final`` (n,) are their last errors. Returns which of them have best
        ones that were stored, and the parameters (n, P) that were.
        """
        is_best, parameters = np.zeros(len(whose), np.bool_), found.parameters
        self.iterations[whose] = plan.task.iterations
        (over,) = (found.ended >= 0).nonzero()
        self.iterations[whose[over]] = found.ended[over]
        self.outcome[whose] = found.outcome
        counted = found.changes[:, plan.layout.network.counted]
        self.total_changes[whose] = np.add.reduce(counted, axis=1)
        self.best_iteration[whose] = NOWHERE
        if self.watch.shape[1]:
            self.watch[whose] = watch = arranged(found.watch, found.watch_counts)
            own = plan.batches[0][1].values(len(whose), plan.columns_at(plan.places(whose)))
            are_watched = own.numbers[:, TOLERANCE] >= 0  # rather than only others in their blocks
            has_best = are_watched & (watch[:, SMALLEST] < np.inf)
            at = watch[:, SMALLEST_AT].astype(np.int64)
            self.best_iteration[whose] = np.where(has_best, at, NOWHERE)
            if plan.method.restore_best:
                is_best = has_best
                parameters = np.where(is_best[:, None], found.best, parameters)
                final = np.where(is_best, found.best_error, final)
                if len(self.held_final):
                    held_final = np.where(is_best, watch[:, SMALLEST], held_final)
        self.final_error[whose] = final
        if len(self.held_final):
            self.held_final[whose] = held_final
        if len(self.effective_parameters):
            for name, k in zip(BAYESIAN, _BAYESIAN, strict=True):
                getattr(self, name)[whose] = found.corrections[:, k]
        if len(self.weights):
            self.weights[whose] = parameters
            self.changes[whose] = found.changes
        return is_best, parameters

    def keep_state(
        self,
        runs: Runs,
        whose: Integers,
        found: State | None = None,
        over: NDArray[np.bool_] | None = None,
    ) -> None:
        """Store the state of runs, of which those that are ``over`` don't resume.

        Unless they were ``found`` already, all are read, and those that have ended are over.
        """
        found = read(runs) if found is None else found
        over = found.ended >= 0 if over is None else over
        if not np.count_nonzero(over):
            kept = found._replace(
                ended=_filled(len(over), -1, np.int64),
                outcome=_filled(len(over), slots.RUNNING, np.int64),
                final=_filled(len(over), np.nan),
                validation_final=_filled(len(over), np.nan),
            )
            self.write_state(whose, kept)
            return
        # The lane of an ended run may have continued to change; what it no longer needs is 0.
        ongoing, corrections = ~over[:, None], found.corrections
        if runs.session.layout.recipe.curvature is None:
            # Of a second-order method they are results, too, and it leaves ended runs alone.
            corrections = np.where(ongoing, corrections, 0.0)
        kept = found._replace(
            steps=np.where(ongoing[:, None], found.steps, 0.0),
            corrections=corrections,
            signs=np.where(ongoing, found.signs, np.uint8(0)),
            tau=np.where(ongoing, found.tau, 0.0),
            ended=np.where(over, found.ended, -1),
            outcome=np.where(over, found.outcome, slots.RUNNING),
            final=np.where(over, found.final, np.nan),
            validation_final=np.where(over, found.validation_final, np.nan),
        )
        self.write_state(whose, kept)

    def write_state(self, whose: Integers, state: State) -> None:
        """Store the state of these runs."""
        if self.state is None:  # of a single run
            self.state = state
            return
        for name, array in state._asdict().items():
            target = getattr(self.state, name)
            if name == "tau":  # a batch of runs may have fewer samples than the largest one
                target = target[:, : array.shape[1]]
            target[whose] = array


_RESULTS = declared(TrainedRuns)


# ---------------------------------------------------------------- summaries


class Summary(NamedTuple):
    """Summary of the errors e_0, e_1, ... of a run: numbers for a run, arrays for a sweep.

    With mini-batches the error is evaluated once per epoch, otherwise before every update.
    """

    smallest_error: Any
    smallest_iteration: Any
    tail_mean: Any  # mean of the last ``summary`` errors, divided by e_0
    error_sum: Any  # sum of e_j / e_0
    inverse_sum: Any  # sum of e_0 / e_j


def arranged(numbers: FloatArray, counts: Integers) -> FloatArray:
    """What the kernel keeps about the errors, rearranged to these columns: (n, RECENT + window).

    ``numbers`` are (n, slots.RECENT + window), ``counts`` (n, 2): SMALLEST_AT and ERROR_COUNT.
    """
    watch = np.empty((len(numbers), RECENT - slots.RECENT + numbers.shape[1]))
    watch[:, [SMALLEST_AT, ERROR_COUNT]] = counts
    watch[:, _REAL] = numbers[:, : slots.RECENT]
    watch[:, RECENT:] = numbers[:, slots.RECENT :]
    return watch


def summarize(watch: FloatArray, window: int) -> Summary:
    """Return the summaries of n runs, as (n,) arrays; ``watch`` is (n, RECENT + window)."""
    count = watch[:, ERROR_COUNT].astype(np.int64)
    seen = np.minimum(count, window)
    total = np.zeros(len(watch))
    rows = np.arange(len(watch))
    for back in range(min(window, int(count.max())), 0, -1):  # oldest first, in a fixed order
        error = watch[rows, RECENT + (count - back) % window]
        total += np.where(back <= seen, error, 0.0)
    with np.errstate(all="ignore"):
        tail = total / seen / watch[:, FIRST]
    return Summary(
        np.where(count > 0, watch[:, SMALLEST], np.inf),
        watch[:, SMALLEST_AT].astype(np.int64),
        tail,
        watch[:, ERROR_SUM].copy(),
        watch[:, INVERSE_SUM].copy(),
    )
