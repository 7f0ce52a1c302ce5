"""Batch normalisation of hidden layers (Ioffe and Szegedy, arXiv 1502.03167, Algorithms 1 and 2).

A unit needs its inputs of all samples of the batch before any can go on, so these are passes of
their own between the products of one layer and those of the next; one group holds the batch.
"""

from numba import njit

from fastgd.kernel.block import MEAN, SCALE, SHIFT, VARIANCE
from fastgd.kernel.iteration.functions import activate
from fastgd.kernel.iteration.layers import update
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.tile import fma, load, runs_of, square_root, store, zeros

EPSILON = 1e-5
MOMENTUM = 0.1
"""Share of a batch in the running mean and variance; both as in PyTorch's BatchNorm1d."""


@njit(**INLINED)
def _running(one, numbers, at, new):
    old = load(one, numbers, at, 0)
    store(one, numbers, at, 0, fma(1.0 - MOMENTUM, old, MOMENTUM * new))


@njit(**INLINED)
def _batch_statistics(one, numbers, layer, group, at, mean_at, variance_at):
    """Mean and variance of a unit's inputs over the batch; the running ones follow them."""
    n = float(group.real)
    mean, variance = zeros(one), zeros(one)
    for i in range(group.real):
        mean = mean + load(one, numbers, at + i * layer.row, 0)
    mean = mean / n
    for i in range(group.real):
        off = load(one, numbers, at + i * layer.row, 0) - mean
        variance = fma(off, off, variance)
    _running(one, numbers, mean_at, mean)
    _running(one, numbers, variance_at, variance / (n - 1.0))
    return mean, variance / n


@njit(**INLINED)
def normalise(batch_norm, one, recipe, group, block, layer, training):
    """From a layer's products to its values: normalise, scale, shift, activate."""
    if batch_norm is None:
        return
    numbers, runs = block.numbers, runs_of(one)
    row = layer.outputs * runs
    for h in range(layer.outputs):
        at = layer.units + h * runs
        here = layer.scale + h * runs
        mean_at, variance_at = here + MEAN * row, here + VARIANCE * row
        if training:
            mean, variance = _batch_statistics(one, numbers, layer, group, at, mean_at, variance_at)
        else:
            mean, variance = load(one, numbers, mean_at, 0), load(one, numbers, variance_at, 0)
        inverse = 1.0 / square_root(variance + EPSILON)
        # The pass back wants it; a variance has no gradient, so there is room.
        store(one, numbers, variance_at + layer.gradient, 0, inverse)
        scale = load(one, numbers, here + SCALE * row, 0)
        shift = load(one, numbers, here + SHIFT * row, 0)
        for i in range(group.samples):
            z = (load(one, numbers, at + i * layer.row, 0) - mean) * inverse
            store(one, numbers, at + i * layer.row + layer.preactivation, 0, z)
            v = activate(recipe.activation, fma(scale, z, shift))
            store(one, numbers, at + i * layer.row, 0, v)


@njit(**INLINED)
def normalise_back(batch_norm, one, recipe, group, block, layer):
    """From the deltas of the scaled inputs to those of the products; scale and shift learn."""
    if batch_norm is None:
        return zeros(one)
    numbers, runs = block.numbers, runs_of(one)
    row = layer.outputs * runs
    n = float(group.real)
    overflow = zeros(one)
    for h in range(layer.outputs):
        here = layer.scale + h * runs
        at = layer.units + h * runs
        by_scale, by_shift = zeros(one), zeros(one)
        for i in range(group.real):
            delta = load(one, numbers, at + i * layer.row + layer.deltas, 0)
            z = load(one, numbers, at + i * layer.row + layer.preactivation, 0)
            by_scale = fma(delta, z, by_scale)
            by_shift = by_shift + delta
        scale = load(one, numbers, here + SCALE * row, 0)
        inverse = load(one, numbers, here + VARIANCE * row + layer.gradient, 0)
        factor = scale * inverse / n
        for i in range(group.real):
            place = at + i * layer.row
            delta = load(one, numbers, place + layer.deltas, 0)
            z = load(one, numbers, place + layer.preactivation, 0)
            rest = fma(-1.0 * z, by_scale, fma(n, delta, -1.0 * by_shift))
            store(one, numbers, place + layer.deltas, 0, factor * rest)
        overflow = overflow + update(
            one, recipe, False, by_scale, block, here + SCALE * row, row, layer
        )
        overflow = overflow + update(
            one, recipe, False, by_shift, block, here + SHIFT * row, row, layer
        )
    return overflow
