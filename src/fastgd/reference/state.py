"""Convert everything that a training's future depends on from layers to a State, and back."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.engine.network import Network
from fastgd.engine.state import State
from fastgd.engine.summaries import STATUS
from fastgd.reference.layer import Layer
from fastgd.reference.parameter import Parameter
from fastgd.reference.records import Records
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


def row_of(network: Network, layers: Sequence[Layer]) -> FloatArray:
    """All parameters of the network, (P,)."""
    row = _gathered(network, layers, lambda parameter: parameter.value)
    for layer, statistics in zip(layers, network.parts(row).normalization, strict=False):
        if layer.norm:
            statistics[2][:], statistics[3][:] = layer.norm.mean, layer.norm.variance
    return row


def changes_of(network: Network, layers: Sequence[Layer]) -> NDArray[np.int64]:
    """How often each derivative changed sign, (P,)."""
    changes = _gathered(network, layers, lambda parameter: parameter.direction_changes)
    return changes.astype(np.int64)


def state_of(
    network: Network,
    layers: Sequence[Layer],
    sampler: Sampler,
    watch: Watch,
    records: Records,
    seed: int,
    updates: int,
) -> State:
    """The state after ``updates`` updates, of a run that hasn't ended."""
    first = layers[0].weights
    steps = np.zeros((len(first.memory), network.parameters))
    for s, row in enumerate(steps):
        for parameter, numbers in _pairs(network, layers, row):
            numbers[...] = parameter.memory[s]
    best = watch.best
    return State(
        parameters=row_of(network, layers)[None],
        steps=steps[None],
        corrections=np.array([first.corrections(updates)], dtype=np.float64),
        signs=_gathered(network, layers, lambda parameter: parameter.was_up)[None].astype(np.uint8),
        changes=changes_of(network, layers)[None],
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
        planned=np.array([records.iterations]),
        record_every=np.array([records.every]),
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
    state: State,
    network: Network,
    layers: Sequence[Layer],
    sampler: Sampler,
    watch: Watch,
    updates: int,
) -> None:
    """Give layers that have the state's parameters the rest of the state."""
    rows = (state.signs[0], state.changes[0], *state.steps[0])
    for found in zip(*(_pairs(network, layers, row) for row in rows), strict=True):
        up, changes, *memory = (numbers.copy() for _, numbers in found)
        found[0][0].resume_from(up > 0, changes, memory, updates)
    sampler.tau = state.tau[0].copy()
    watch.resume_from(state)


def _pairs(
    network: Network, layers: Sequence[Layer], row: NDArray[Any]
) -> Iterator[tuple[Parameter, NDArray[Any]]]:
    """Each parameter with its entries in a row (P,)."""
    parts = network.parts(row)
    for k, layer in enumerate(layers):
        yield layer.weights, parts.weights[k]
        if layer.bias:
            yield layer.bias, parts.biases[k]
        if layer.norm:
            yield layer.norm.scale, parts.normalization[k][0]
            yield layer.norm.shift, parts.normalization[k][1]


def _gathered(
    network: Network, layers: Sequence[Layer], of: Callable[[Parameter], Any]
) -> FloatArray:
    row = np.zeros(network.parameters)
    for parameter, numbers in _pairs(network, layers, row):
        numbers[...] = of(parameter)
    return row
