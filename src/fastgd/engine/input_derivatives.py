"""Derivatives of outputs by inputs, of one network or of many: packed for the kernel."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import numpy as np

from fastgd.arguments.options import Method
from fastgd.checks.memory import check_memory
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import available_threads
from fastgd.engine.network import Network
from fastgd.engine.recipe import unit_choice
from fastgd.engine.session import CHUNK_SECONDS
from fastgd.kernel.block import EPSILON
from fastgd.kernel.derivatives import TANGENTS, DerivativeRecipe, Share, Stage, derive
from fastgd.kernel.language.specialization import Choice
from fastgd.kernel.language.structs import encode
from fastgd.kernel.language.tile import Shape
from fastgd.kernel.vectorization import native_lanes

Order = Literal[1, 2]
"""First derivatives (..., inputs), or second ones (..., inputs, inputs)."""

UNITS = 4
"""Units of a tile, each of two vector registers: eight sums at a time hide the latency of one."""

SPEED = 2e9
"""Multiply-adds per second, at least, on one thread."""

WORTH = 0.02
"""Seconds of work that are worth a further thread, which waits for others on a busy machine."""


def derivatives(
    network: Network,
    method: Method,
    rows: FloatArray,
    X: FloatArray,
    numbers: Mapping[str, FloatArray],
    order: Order,
    also: str = "fewer samples",
) -> FloatArray:
    """Derivatives (n, samples, outputs, inputs) of networks with the parameters ``rows`` (n, P).

    Of second order they are (n, samples, outputs, inputs, inputs). ``numbers`` are the function
    parameters in which the networks differ, by name and (n,) each. NaN for networks with a
    parameter that isn't finite.
    """
    D, H = network.sizes[0], network.sizes[-1]
    shape = (len(rows), len(X), H, *[D] * order)
    check_memory(8 * int(np.prod(shape, dtype=object)), "the derivatives", also=also)
    results, lanes = np.empty(shape), 2 * native_lanes()
    parameters = np.empty((len(rows), len(method.numbers)))
    for k, (name, number) in enumerate(method.numbers.items()):
        parameters[:, k] = numbers.get(name, number)
    stages, room = _stages(network, parameters.shape[1], D if order == 2 else 0, lanes)
    networks, tiles = _numbers(network, rows), -(-len(X) // lanes)
    total = tiles * len(rows)
    passes = 1 + D if order == 1 else 1 + D + D * (D + 1) // 2
    seconds = lanes * passes * network.parameters / SPEED
    threads = min(available_threads(), max(1, total), 1 + int(total * seconds / WORTH))
    memory = np.empty((threads, room))
    share = Share(
        X=np.ascontiguousarray(X).ravel(),
        networks=networks.ravel(),
        parameters=parameters.ravel(),
        stages=np.concatenate([encode(stage)[0] for stage in stages]),
        memory=memory[0],
        results=results.ravel(),
        samples=len(X),
        tiles=tiles,
        numbers=networks.shape[1],
        width=parameters.shape[1],
        first=0,
        last=0,
    )
    step = threads * max(1, int(CHUNK_SECONDS / seconds))  # Ctrl-C is handled between calls
    recipe = _recipe(method, order, lanes)
    for begin in range(0, total, step):
        cuts = np.linspace(begin, min(begin + step, total), threads + 1).astype(int).tolist()
        parts = zip(memory, cuts, cuts[1:], strict=False)
        derive(recipe, [share._replace(memory=own, first=a, last=z) for own, a, z in parts])
    results[~np.isfinite(rows).all(axis=1)] = np.nan
    return results


def _recipe(method: Method, order: Order, lanes: int) -> DerivativeRecipe:
    places = {name: k for k, name in enumerate(method.numbers)}
    activation, output = (
        unit_choice(unit, places, with_derivative=False, twice=True)
        for unit in (method.activation, method.output)
    )
    return DerivativeRecipe(
        tile=Shape(UNITS, 1, lanes),
        scalar=Shape(1, 1, lanes),
        single=Shape(1, 1, 1),
        activation=activation,
        output=output if output.formulas else None,
        second=Choice("on") if order == 2 else None,
    )


def _padded(units: int) -> int:
    return -(-units // UNITS) * UNITS


def _stages(network: Network, count: int, kept: int, lanes: int) -> tuple[list[Stage], int]:
    """The layers, with ``kept`` tangents of each, and the size of a share's memory."""
    values = network.sizes[0] * lanes
    units, below, weights = values + count * lanes, 0, 0
    stages = []
    for inputs, outputs in pairwise(network.sizes):
        stride = _padded(outputs)
        stages.append(Stage(inputs, outputs, stride, weights, below, units, values))
        weights += (inputs + 1) * stride
        below, units = units, units + (TANGENTS + kept) * stride * lanes
    return stages, units


def _numbers(network: Network, rows: FloatArray) -> FloatArray:
    """The networks' weights and biases as the kernel reads them: see Stage."""
    parts, layers = network.parts(rows), []
    for k, (inputs, outputs) in enumerate(pairwise(network.sizes)):
        numbers = np.zeros((len(rows), inputs + 1, _padded(outputs)))
        own = numbers[:, :, :outputs]
        own[:, :inputs] = parts.weights[k]
        if network.bias:
            own[:, inputs] = parts.biases[k]
        if network.normalizes(k):
            scale, shift, mean, variance = parts.normalization[k]
            with np.errstate(all="ignore"):  # of networks that diverged
                factor = scale / np.sqrt(variance + EPSILON)
                own[:, inputs] -= mean
                own *= factor[:, None]
                own[:, inputs] += shift
        layers.append(numbers.reshape(len(rows), -1))
    return np.concatenate(layers, axis=1)
