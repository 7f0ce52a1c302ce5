"""Everything about a training that its future depends on, as named arrays."""

from __future__ import annotations  # in nested functions, evaluating NDArray[Any] takes 4 us

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.engine.layout import Layout
from fastgd.engine.recipe import corrections_of, recipe_of
from fastgd.kernel.block import ERROR_COUNT, RECENT, SEED, SMALLEST_AT, Block
from fastgd.optimizers import Optimizer


class State(NamedTuple):
    """n runs of one network with P parameters, in the order of :meth:`Network.row`.

    The state is that after the last update, before the final evaluation: a longer training would
    not have evaluated the error there. Everything else (the order of an epoch, masks, draws)
    follows from the seeds and the iteration number.
    """

    parameters: NDArray[np.float64]  # (n, P)
    steps: NDArray[np.float64]  # (n, S, P): S state variables of the optimizer per parameter
    corrections: NDArray[np.float64]  # (n, C): optimizer.kept, per run, in its order
    signs: NDArray[np.uint8]  # (n, P): 1 if the last update was positive
    changes: NDArray[np.int64]  # (n, P): direction changes
    watch: NDArray[np.float64]  # (n, 4 + window): smallest, first, sums, recent; or (n, 0)
    watch_counts: NDArray[np.int64]  # (n, 2): iteration of the smallest error, errors seen
    tau: NDArray[np.float64]  # (n, samples): of adaptive sampling, or (n, 0)
    best: NDArray[np.float64]  # (n, P): parameters of the smallest monitored error, or (n, 0)
    best_error: NDArray[np.float64]  # (n,): their error on the training samples, or NaN
    ended: NDArray[np.int64]  # (n,): the updates after which a run ended, or -1
    outcome: NDArray[np.int64]  # (n,): how it ended: see fastgd.kernel.block
    final: NDArray[np.float64]  # (n,): its last error on the training samples
    validation_final: NDArray[np.float64]  # (n,): its last error on the validation samples, or NaN
    seeds: NDArray[np.int64]  # (n,): seeds of the runs' masks and draws
    planned: NDArray[np.int64]  # (n,): requested iterations
    record_every: NDArray[np.int64]  # (n,): iterations between records

    def at(self, runs: Any) -> State:
        """The state of some of the runs."""
        return State(*(array[runs] for array in self))

    @staticmethod
    def widths(method: Method, values: Mapping[str, Sequence[Any]]) -> tuple[int, int]:
        """Values kept per run about its errors, and 1 if its best P parameters are kept, else 0.

        ``values`` are the options that have axes of values.
        """
        recipe = recipe_of(method, values)
        kept = 0 if recipe.watch is None else RECENT + (method.summary or 1)
        return kept, int(recipe.best is not None)

    @staticmethod
    def bytes(layout: Layout, optimizer: Optimizer) -> int:
        """Memory of one run's state."""
        best = layout.recipe.best is not None
        drawn = layout.samples if layout.recipe.batches.name == "adaptive" else 0
        parameters = layout.network.parameters * (8 * (optimizer.states + 2 + best) + 1)
        return parameters + 8 * (len(optimizer.kept) + layout.kept_errors + drawn + 10)

    @classmethod
    def empty(
        cls,
        runs: int,
        parameters: int,
        optimizer: Optimizer,
        watched: int,
        drawn: int,
        best: int,
    ) -> State:
        """Allocate the state of ``runs`` runs of a network with this number of parameters.

        ``watched`` and ``best`` are as in :meth:`widths`, and ``drawn`` is the number of samples
        with adaptive sampling, or else 0.
        """
        return cls(
            parameters=np.empty((runs, parameters)),
            steps=np.zeros((runs, optimizer.states, parameters)),
            corrections=np.zeros((runs, len(optimizer.kept))),
            signs=np.zeros((runs, parameters), np.uint8),
            changes=np.empty((runs, parameters), np.int64),
            watch=np.empty((runs, watched)),
            watch_counts=np.empty((runs, 2), np.int64),
            tau=np.zeros((runs, drawn)),
            best=np.empty((runs, best * parameters)),
            best_error=np.empty(runs),
            ended=np.empty(runs, np.int64),
            outcome=np.empty(runs, np.int64),
            final=np.empty(runs),
            validation_final=np.empty(runs),
            seeds=np.empty(runs, np.int64),
            planned=np.empty(runs, np.int64),
            record_every=np.empty(runs, np.int64),
        )


def put_state(state: State, layout: Layout, optimizer: Optimizer, block: Block) -> None:
    """Write the states of all lanes (lanes, ...) to new blocks."""
    layout.put_by_parameter(block.numbers, state.parameters)
    for k, step in enumerate(layout.states(block.numbers)):
        layout.put_by_parameter(step, state.steps[:, k])
    values = layout.section(block.numbers, "values")
    values[:, corrections_of(optimizer)] = layout.by_run(state.corrections)
    layout.put_by_parameter(block.signs, state.signs)
    layout.put_by_parameter(block.changes, state.changes)
    if layout.recipe.watch is not None:
        layout.section(block.numbers, "watch")[:] = layout.by_run(state.watch)
        counts = layout.of_runs(block.integers)
        counts[:, [SMALLEST_AT, ERROR_COUNT]] = layout.by_run(state.watch_counts)
    if block.tau.size:
        layout.of_runs(block.tau)[:] = layout.by_run(state.tau[:, : layout.samples])
    if layout.recipe.best is not None:
        layout.put_by_parameter(block.best, state.best)
        block.best_error[:] = state.best_error.reshape(-1, layout.runs)


def take_state(
    layout: Layout,
    optimizer: Optimizer,
    block: Block,
    places: NDArray[np.int64],
    over: NDArray[np.bool_],
    parameters: NDArray[np.float64],
    changes: NDArray[np.int64],
    planned: int,
    record_every: int,
) -> State:
    """The state of the runs in the lanes ``places``; ``over`` says which of them have ended.

    The lane of an ended run may have continued to change; fields that it no longer needs are 0.
    """
    any_over, gone, runs = bool(over.any()), over[:, None], len(places)

    def of_parameters(array: NDArray[Any]) -> NDArray[Any]:
        return layout.by_parameter(array)[places]

    def of_run(array: NDArray[Any]) -> NDArray[Any]:
        return layout.by_lane(array.reshape(len(array), -1))[places]

    def of_ended(array: NDArray[Any], otherwise: float) -> NDArray[Any]:
        if not any_over:
            return _filled(runs, otherwise, array.dtype)
        return np.where(over, array.ravel()[places], otherwise).astype(array.dtype)

    def now(live: NDArray[Any], put_away: Any) -> NDArray[Any]:
        return np.where(gone, put_away(), live) if any_over else live

    def ongoing(live: NDArray[Any]) -> NDArray[Any]:
        return now(live, lambda: np.zeros((), live.dtype))

    counts = now(of_run(block.integers), lambda: of_run(block.kept_integers))
    steps = np.zeros((runs, optimizer.states, parameters.shape[1]))
    for k, step in enumerate(layout.states(block.numbers)):
        steps[:, k] = ongoing(of_parameters(step))
    watch = np.empty((runs, 0))
    if layout.recipe.watch is not None:
        watch = now(
            of_run(layout.section(block.numbers, "watch")),
            lambda: of_run(layout.section(block.kept, "watch")),
        )
    best, best_error = np.empty((runs, 0)), _filled(runs, np.nan)
    if layout.recipe.best is not None:
        best, best_error = of_parameters(block.best), block.best_error.ravel()[places]
    held = layout.recipe.held is not None
    values = layout.section(block.numbers, "values")
    kept = of_run(values[:, corrections_of(optimizer)])
    return State(
        parameters=parameters,
        steps=steps,
        # Of a second-order method they are results, too, and it leaves ended runs alone.
        corrections=kept if layout.recipe.curvature is not None else ongoing(kept),
        signs=ongoing(of_parameters(block.signs)),
        changes=changes,
        watch=watch,
        watch_counts=counts[:, SMALLEST_AT : ERROR_COUNT + 1],
        tau=ongoing(of_run(block.tau)) if block.tau.size else np.empty((runs, 0)),
        best=best,
        best_error=best_error,
        ended=of_ended(block.ended, -1),
        outcome=of_ended(block.outcome, 0),
        final=of_ended(block.final, np.nan),
        validation_final=of_ended(block.held_final, np.nan) if held else _filled(runs, np.nan),
        seeds=counts[:, SEED],
        planned=_filled(runs, planned, np.int64),
        record_every=_filled(runs, record_every, np.int64),
    )


def _filled(runs: int, value: float, dtype: Any = np.float64) -> NDArray[Any]:
    """Like ``np.full``, which takes four times as long for one number: 2 us."""
    array = np.empty(runs, dtype)
    array.fill(value)
    return array
