"""Batch normalization of hidden layers (Ioffe and Szegedy, arXiv 1502.03167, Algorithms 1 and 2).

A unit needs its inputs for all samples of the batch before it can produce any value. So these are
separate passes between the products of one layer and those of the next, and the whole batch is one
group.
"""

from fastgd.kernel.block import EPSILON, MEAN, SCALE, SHIFT, VARIANCE
from fastgd.kernel.iteration.activations import put_activation
from fastgd.kernel.iteration.updates import update
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import fma, runs_of, square_root, zeros

MOMENTUM = 0.1
"""Weight of the newest batch in the running mean and variance, as in PyTorch's BatchNorm1d."""


@part
def _running(scalar, numbers, at, new):
    old = load(scalar, numbers, at, 0)
    store(scalar, numbers, at, 0, fma(1.0 - MOMENTUM, old, MOMENTUM * new))


@part
def _batch_statistics(scalar, numbers, layer, group, at, mean_at, variance_at):
    """Mean and variance of a unit's inputs over the batch; also updates the running statistics."""
    n = float(group.real)
    mean, variance = zeros(scalar), zeros(scalar)
    for i in range(group.real):
        mean = mean + load(scalar, numbers, at + i * layer.stride, 0)
    mean = mean / n
    for i in range(group.real):
        off = load(scalar, numbers, at + i * layer.stride, 0) - mean
        variance = fma(off, off, variance)
    _running(scalar, numbers, mean_at, mean)
    _running(scalar, numbers, variance_at, variance / (n - 1.0))
    return mean, variance / n


@part
def normalize(batch_norm, scalar, activation, group, block, layer, training):
    """From a layer's products to its values: normalize, scale, shift, activate."""
    numbers, runs = block.numbers, runs_of(scalar)
    stride = layer.outputs * runs
    for h in range(layer.outputs):
        at = layer.units + h * runs
        here = layer.scale + h * runs
        mean_at, variance_at = here + MEAN * stride, here + VARIANCE * stride
        if training:
            mean, variance = _batch_statistics(
                scalar, numbers, layer, group, at, mean_at, variance_at
            )
        else:
            mean, variance = (
                load(scalar, numbers, mean_at, 0),
                load(scalar, numbers, variance_at, 0),
            )
        inverse = 1.0 / square_root(variance + EPSILON)
        # For the backward pass. A variance has no gradient, so its gradient slot is free.
        store(scalar, numbers, variance_at + layer.gradient, 0, inverse)
        scale = load(scalar, numbers, here + SCALE * stride, 0)
        shift = load(scalar, numbers, here + SHIFT * stride, 0)
        for i in range(group.end):
            z = (load(scalar, numbers, at + i * layer.stride, 0) - mean) * inverse
            place = at + i * layer.stride
            store(scalar, numbers, place + layer.preactivation, 0, z)
            a = fma(scale, z, shift)
            put_activation(activation, scalar, numbers, layer, place, 0, a)


@part
def normalize_back(batch_norm, scalar, recipe, group, block, layer):
    """From deltas of the scaled inputs to deltas of the products; also updates scale and shift."""
    numbers, runs = block.numbers, runs_of(scalar)
    stride = layer.outputs * runs
    n = float(group.real)
    overflow = zeros(scalar)
    for h in range(layer.outputs):
        here = layer.scale + h * runs
        at = layer.units + h * runs
        by_scale, by_shift = zeros(scalar), zeros(scalar)
        for i in range(group.real):
            delta = load(scalar, numbers, at + i * layer.stride + layer.deltas, 0)
            z = load(scalar, numbers, at + i * layer.stride + layer.preactivation, 0)
            by_scale = fma(delta, z, by_scale)
            by_shift = by_shift + delta
        scale = load(scalar, numbers, here + SCALE * stride, 0)
        inverse = load(scalar, numbers, here + VARIANCE * stride + layer.gradient, 0)
        factor = scale * inverse / n
        for i in range(group.real):
            place = at + i * layer.stride
            delta = load(scalar, numbers, place + layer.deltas, 0)
            z = load(scalar, numbers, place + layer.preactivation, 0)
            rest = fma(-1.0 * z, by_scale, fma(n, delta, -1.0 * by_shift))
            store(scalar, numbers, place + layer.deltas, 0, factor * rest)
        overflow = overflow + update(
            scalar, recipe, False, by_scale, block, here + SCALE * stride, stride, layer
        )
        overflow = overflow + update(
            scalar, recipe, False, by_shift, block, here + SHIFT * stride, stride, layer
        )
    return overflow
