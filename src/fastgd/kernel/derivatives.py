"""Derivatives of a network's outputs by its inputs: forward mode, tangents next to values.

Forward mode, and forward over forward for second derivatives: the tangents of an input pass through
the layers as values do, so one loop serves every number of layers, outputs and kind of unit. (A
reverse pass would take 1/D of the time where a network has one output and several wide layers, but
second derivatives would need a second kind of pass. At the first layer an input's tangents are its
weights, so those of 784-100-10 take ten times as long as a prediction.)

Letters as in :mod:`fastgd.kernel.training_loop`, but the R lanes are samples of one network. Every
sum is a chain of fused multiply-adds in index order, as in the training, so the bits of a sample
depend neither on R nor on other samples or threads.

With the tangent t of its input a, a unit has f'(a) t. With the second derivative s of its input, by
inputs of the network whose tangents are t and u, it has c = f''(a) t u + f'(a) s. Softmax, p_i =
exp(a_i) / sum_j exp(a_j), has p_i d_i with d_i = t_i - sum_j p_j t_j, and p_i (c_i - sum_j p_j
c_j), where f' and f'' are 1 in c, and the differences d are in place of t and of u.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import prange, typeof
from numba.core import types

from fastgd.kernel.iteration.activations import activate_twice
from fastgd.kernel.iteration.losses import sum_of_powers
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.loads_and_stores import load, panel, rows, store
from fastgd.kernel.language.numba_internals import call_compiled, entry_point, handle
from fastgd.kernel.language.specialization import PARALLEL, WHOLE, Choice, markers, part
from fastgd.kernel.language.structs import Floats, Integers, encode, table_of
from fastgd.kernel.language.tile import Shape, fma, full, rows_of, runs_of, zeros
from fastgd.kernel.language.translation import translated
from fastgd.kernel.launch import allowed, started


@markers
class DerivativeRecipe(NamedTuple):
    """What is compiled: tiles, units with the formula ``TWICE``, and which derivatives."""

    tile: Shape  # some units of R samples each
    scalar: Shape  # one unit
    single: Shape  # a number that all samples share
    activation: Choice
    output: Choice | None  # None for softmax
    second: Choice | None  # second derivatives instead of first ones


class Stage(NamedTuple):
    """A layer: where its numbers are in a network, and its values in the memory of a share.

    The numbers are (D, stride) weights and (stride,) biases; batch normalization is part of them.
    The values are (stride, R) each, as listed below. Tangents are kept for each input of the
    network if second derivatives need them.
    """

    inputs: int
    outputs: int
    stride: int  # outputs with padding, to whole tiles
    weights: int
    below: int  # the values of its inputs
    units: int
    values: int  # the parameters of functions


VALUE, FIRST, SECOND, MOVED, TANGENTS = range(5)
"""Values of a layer: f, f', f'', and the derivatives of f by an input or two; and the tangents."""


class Share(NamedTuple):
    """A thread's share: some tiles of R samples, counted over all networks."""

    X: Floats  # (N, D)
    networks: Floats  # (networks, numbers)
    parameters: Floats  # (networks, parameters) of functions
    stages: Integers  # a Stage per layer
    memory: Floats  # of this share alone; it begins with a tile's inputs
    results: Floats  # (networks, N, H, D) or (networks, N, H, D, D)
    samples: int
    tiles: int  # of a network
    numbers: int  # of a network
    width: int  # parameters of functions, of a network
    first: int
    last: int


_all_shares, _all_stages = map(table_of, (Share, Stage))


@part
def _single(recipe, numbers, at):
    return rows(recipe.scalar, recipe.single, numbers, at, 0)


@part
def _begin(recipe, share, stages, network, start):
    """Load a tile's samples, the last one again where there are no more, and parameters."""
    runs, D = runs_of(recipe.scalar), stages[0].inputs
    for r in range(runs):
        at = min(start + r, share.samples - 1) * D
        for d in range(D):
            share.memory[d * runs + r] = share.X[at + d]
    for k in range(share.width):
        number = _single(recipe, share.parameters, network * share.width + k)
        store(recipe.scalar, share.memory, stages[0].values + k * runs, 0, number)


@part
def _multiply(recipe, share, numbers, stage, source, target):
    """Write inputs @ weights: chains over the inputs, in index order."""
    shape, runs = recipe.tile, runs_of(recipe.tile)
    for h in range(0, stage.outputs, rows_of(shape)):
        a = zeros(shape)
        i, j = source, numbers + h
        for _ in range(stage.inputs):
            w = rows(shape, recipe.single, share.networks, j, 1)
            a = fma(panel(shape, share.memory, i), w, a)
            i += runs
            j += stage.stride
        store(shape, share.memory, target + h * runs, runs, a)


@part
def _activate(choice, recipe, share, stage, at, a):
    """Store f, f' and f'' of a unit; for softmax its input, 1 and 1."""
    size = stage.stride * runs_of(recipe.scalar)
    v, first, second = a, full(recipe.scalar, 1.0), full(recipe.scalar, 1.0)
    if choice is not None:
        v, first, second = activate_twice(choice, recipe.scalar, share.memory, stage, a)
    store(recipe.scalar, share.memory, at, 0, v)
    store(recipe.scalar, share.memory, at + FIRST * size, 0, first)
    if recipe.second is not None:
        store(recipe.scalar, share.memory, at + SECOND * size, 0, second)


@part
def _forward(recipe, share, stages, network):
    """The values of all units, and the derivatives of their functions."""
    scalar, runs, top = recipe.scalar, runs_of(recipe.scalar), stages[len(stages) - 1]
    for k in range(len(stages)):
        stage = stages[k]
        _multiply(recipe, share, network + stage.weights, stage, stage.below, stage.units)
        for h in range(stage.outputs):
            at, bias = stage.units + h * runs, stage.weights + stage.inputs * stage.stride + h
            a = load(scalar, share.memory, at, 0) + _single(recipe, share.networks, network + bias)
            if k < len(stages) - 1:
                _activate(recipe.activation, recipe, share, stage, at, a)
            else:
                _activate(recipe.output, recipe, share, stage, at, a)
    if recipe.output is None:
        total = sum_of_powers(scalar, share.memory, top, top.units)
        for h in range(top.outputs):
            at = top.units + h * runs
            store(scalar, share.memory, at, 0, load(scalar, share.memory, at, 0) / total)


@part
def _move(second, recipe, share, stages, network, e, f):
    """Take the tangents of input e through all layers, or the second derivatives by e and f."""
    scalar, runs = recipe.scalar, runs_of(recipe.scalar)
    source = 0
    for k in range(len(stages)):
        stage = stages[k]
        size, weights = stage.stride * runs, network + stage.weights
        moved = stage.units + MOVED * size
        if k > 0:
            _multiply(recipe, share, weights, stage, source, moved)
        source = moved
        for h in range(stage.outputs):
            at = stage.units + h * runs
            t = zeros(scalar)
            if k > 0:
                t = load(scalar, share.memory, at + MOVED * size, 0)
            elif second is None:
                t = _single(recipe, share.networks, weights + e * stage.stride + h)
            c = t * load(scalar, share.memory, at + FIRST * size, 0)
            if second is not None:
                both = load(scalar, share.memory, at + (TANGENTS + e) * size, 0)
                both = both * load(scalar, share.memory, at + (TANGENTS + f) * size, 0)
                c = fma(load(scalar, share.memory, at + SECOND * size, 0), both, c)
            elif recipe.second is not None:
                store(scalar, share.memory, at + (TANGENTS + e) * size, 0, t)
            store(scalar, share.memory, at + MOVED * size, 0, c)


@part
def _couple(second, recipe, share, top, e):
    """From derivatives of softmax's inputs to those of its values."""
    if recipe.output is not None:
        return
    scalar, runs = recipe.scalar, runs_of(recipe.scalar)
    size, mean = top.stride * runs, zeros(scalar)
    for h in range(top.outputs):
        at = top.units + h * runs
        p = load(scalar, share.memory, at, 0)
        mean = fma(p, load(scalar, share.memory, at + MOVED * size, 0), mean)
    for h in range(top.outputs):
        at = top.units + h * runs
        d = load(scalar, share.memory, at + MOVED * size, 0) - mean
        store(scalar, share.memory, at + MOVED * size, 0, load(scalar, share.memory, at, 0) * d)
        if second is None and recipe.second is not None:
            store(scalar, share.memory, at + (TANGENTS + e) * size, 0, d)


@part
def _put(recipe, share, top, network, start, e, width):
    """Write the derivatives of the output units to place e of the results."""
    runs = runs_of(recipe.scalar)
    for r in range(min(runs, share.samples - start)):
        first = (network * share.samples + start + r) * top.outputs
        for h in range(top.outputs):
            at = top.units + (MOVED * top.stride + h) * runs + r
            share.results[(first + h) * width + e] = share.memory[at]


@cached_njit(**WHOLE)
@translated
def derive_share(recipe, shares, b):
    """Compute share b of the derivatives; ``shares`` are encoded by ``structs.encode``."""
    share = _all_shares(shares)[b]
    stages = _all_stages(share.stages)
    top, D = stages[len(stages) - 1], stages[0].inputs
    for tile in range(share.first, share.last):
        network = tile // share.tiles
        start = (tile - network * share.tiles) * runs_of(recipe.scalar)
        numbers = network * share.numbers
        _begin(recipe, share, stages, network, start)
        _forward(recipe, share, stages, numbers)
        for e in range(D):
            _move(None, recipe, share, stages, numbers, e, e)
            _couple(None, recipe, share, top, e)
            if recipe.second is None:
                _put(recipe, share, top, network, start, e, D)
            else:
                for f in range(e + 1):
                    _move(recipe.second, recipe, share, stages, numbers, e, f)
                    _couple(recipe.second, recipe, share, top, e)
                    _put(recipe, share, top, network, start, e * D + f, D * D)
                    _put(recipe, share, top, network, start, f * D + e, D * D)


@cached_njit(**PARALLEL)
def derive_all(compiled, shares):
    """Compute all shares, each on a thread."""
    for b in prange(len(shares)):
        call_compiled(compiled, (shares, b))


_OTHERS = (types.Array(types.int64, 2, "C"), types.int64)


@lru_cache(maxsize=256)
def handle_of_derivatives(recipe):
    """Compile :func:`derive_share` for this recipe, or load it; returns a handle for calling it."""
    return handle(derive_share, (typeof(recipe), *_OTHERS), markers=1)


@lru_cache(maxsize=256)
def entry_of_derivatives(recipe):
    """Like :func:`handle_of_derivatives`; returns a function to call from Python."""
    return entry_point(derive_share, (typeof(recipe), *_OTHERS))


def derive(recipe: DerivativeRecipe, shares: Sequence[Share]) -> None:
    """Compute derivatives by inputs, each share on a thread."""
    words = np.concatenate(list(map(encode, shares)))
    if allowed(len(shares), len(shares)) == 1:
        entry = entry_of_derivatives(recipe)
        for b in range(len(shares)):
            entry(recipe, words, b)
        return
    compiled = handle_of_derivatives(recipe)
    with started(len(shares)):
        derive_all(compiled, words)
