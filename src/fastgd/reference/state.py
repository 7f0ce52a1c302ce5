"""Convert everything that a training's future depends on to a State, and back."""

from typing import NamedTuple

import numpy as np

from fastgd.arguments.samples import TrainingData
from fastgd.engine.results import STATUS, State
from fastgd.reference.perceptron import Perceptron
from fastgd.reference.sampling import Sampler
from fastgd.reference.stopping import Watch

_OUTCOMES = STATUS.tolist()


class Ending(NamedTuple):
    """The end of a training."""

    iterations: int
    status: str
    error: float
    held: float | None
    state: State


def state_of(
    perceptron: Perceptron,
    sampler: Sampler,
    watch: Watch,
    task: TrainingData,
    seed: int,
    updates: int,
) -> State:
    """The state after ``updates`` updates, of a run that hasn't ended."""
    first = perceptron.layers[0].weights
    steps = np.zeros((len(first.memory), perceptron.network.parameters))
    for s, row in enumerate(steps):
        for parameter, numbers in perceptron.pairs(row):
            numbers[...] = parameter.memory[s]
    signs = perceptron.gathered(lambda parameter: updates > 0 and parameter.was_up)
    best = watch.best
    return State(
        parameters=perceptron.row[None],
        steps=steps[None],
        corrections=np.array([first.corrections(updates)], dtype=np.float64),
        signs=signs[None].astype(np.uint8),
        changes=perceptron.changes[None],
        watch=watch.numbers()[None],
        watch_counts=np.array([[watch.smallest_iteration, watch.seen]]),
        tau=sampler.tau[None].copy(),
        best=np.empty((1, 0)) if best is None else best.row[None],
        best_error=np.array([np.nan if best is None else best.error]),
        ended=np.array([-1]),
        outcome=np.array([0]),
        final=np.array([np.nan]),
        validation_final=np.array([np.nan]),
        seeds=np.array([seed]),
        planned=np.array([task.iterations]),
        record_every=np.array([task.record_every]),
    )


def over(end: Ending) -> Ending:
    """Add to the state how the run ended."""
    state = end.state._replace(
        ended=np.array([end.iterations]),
        outcome=np.array([_OUTCOMES.index(end.status)]),
        final=np.array([end.error]),
        validation_final=np.array([np.nan if end.held is None else end.held]),
    )
    return end._replace(state=state)


def ending(state: State, planned: int, *, is_held: bool) -> Ending | None:
    """How the run of this state ended, with ``planned`` iterations now; None if it hasn't ended."""
    updates = int(state.ended[0])
    if updates < 0:
        return None
    held = float(state.validation_final[0]) if is_held else None
    state = state._replace(planned=np.array([planned]))
    return Ending(updates, _OUTCOMES[state.outcome[0]], float(state.final[0]), held, state)


def resume_from(
    state: State, perceptron: Perceptron, sampler: Sampler, watch: Watch, updates: int
) -> None:
    """Give a perceptron that has the state's parameters the rest of the state."""
    rows = (state.signs[0], state.changes[0], *state.steps[0])
    for found in zip(*(perceptron.pairs(row) for row in rows), strict=True):
        up, changes, *memory = (numbers.copy() for _, numbers in found)
        found[0][0].resume_from(up > 0, changes, memory, tuple(state.corrections[0]), updates)
    sampler.tau = state.tau[0].copy()
    watch.resume_from(state)
