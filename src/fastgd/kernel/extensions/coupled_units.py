"""Units that need more than their own inputs: batch normalization, softmax, joint losses.

A batch-normalized unit needs its inputs for all samples of the batch before it can produce any
value (Ioffe and Szegedy, arXiv 1502.03167, Algorithms 1 and 2). So these are separate passes
between the products of one layer and those of the next, and the whole batch is one group.

Output units depend on each other's inputs with softmax, and with losses that have several outputs a
target. They are computed in a separate pass, after the products of the last layer.
"""

from fastgd.kernel.block import EPSILON, MEAN, SCALE, SHIFT, VARIANCE
from fastgd.kernel.iteration.activations import put_activation, written
from fastgd.kernel.iteration.losses import (
    joint_values,
    keep_input,
    outputs_of,
    sum_of_powers,
    target_of,
)
from fastgd.kernel.iteration.updates import update
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import fma, rows_of, runs_of, square_root, zeros
from fastgd.kernel.training_loop import put_delta

MOMENTUM = 0.1
"""Weight of the newest batch in the running mean and variance, as in PyTorch's BatchNorm1d."""


@part
def _running(scalar, numbers, at, new):
    old = load(scalar, numbers, at, 0)
    store(scalar, numbers, at, 0, fma(1.0 - MOMENTUM, old, MOMENTUM * new))


@part
def normalize(batch_norm, scalar, activation, group, block, layer, training):
    """From a layer's products to its values: normalize, scale, shift, activate."""
    numbers, runs, n = block.numbers, runs_of(scalar), float(group.real)
    stride = layer.outputs * runs
    for h in range(layer.outputs):
        at = layer.units + h * runs
        here = layer.scale + h * runs
        mean_at, variance_at = here + MEAN * stride, here + VARIANCE * stride
        mean, variance = zeros(scalar), zeros(scalar)
        if training:
            for i in range(group.real):
                mean = mean + load(scalar, numbers, at + i * layer.stride, 0)
            mean = mean / n
            for i in range(group.real):
                off = load(scalar, numbers, at + i * layer.stride, 0) - mean
                variance = fma(off, off, variance)
            _running(scalar, numbers, mean_at, mean)
            _running(scalar, numbers, variance_at, variance / (n - 1.0))
            variance = variance / n
        else:
            mean = load(scalar, numbers, mean_at, 0)
            variance = load(scalar, numbers, variance_at, 0)
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


# ---------------------------------------------------------------- output units


@part
def couple(coupling, descent, group, layer):
    """From the inputs of a group's output units to their values and deltas."""
    _couple_in(descent.shapes.narrow_piece, coupling, descent, group, layer)


@part
def _couple_in(piece, coupling, descent, group, layer):
    shape = descent.shapes.narrow if piece is None else piece
    for n in range(group.begin, group.end, rows_of(shape)):
        at = layer.units + n * layer.stride
        target = (group.start + n) * layer.outputs
        _couple_samples(coupling, shape, descent, group.data, layer, at, target)


def _couple_samples(coupling, shape, descent, data, layer, at, target):
    """The same for the samples in the rows of a tile."""


def _softmax(coupling, shape, descent, data, layer, at, target):
    """exp(z) / (sum of exp(z)): values that add up to 1 within 2 ULP for any number of units."""
    shapes, recipe, block = descent.shapes, descent.recipe, descent.block
    numbers, stride, runs = block.numbers, layer.stride, runs_of(shape)
    for h in range(layer.outputs):
        place = at + h * runs
        z = load(shape, numbers, place, stride)
        keep_input(recipe.inputs, shape, numbers, place + layer.preactivation, stride, z)
    total = sum_of_powers(shape, numbers, layer, at)
    for h in range(layer.outputs):
        place = at + h * runs
        v = load(shape, numbers, place, stride) / total
        store(shape, numbers, place, stride, v)
        y, importance = target_of(shape, shapes, data, layer, target + h)
        put_delta(shape, recipe, (y - v) * importance, block, layer, place)


_JOINT = """
def body(coupling, shape, descent, data, layer, at, target):
    shapes, recipe, block = descent.shapes, descent.recipe, descent.block
    numbers, stride = block.numbers, layer.stride
    step = layer.outputs // {count} * runs_of(shape)
    for _ in range(layer.outputs // {count}):
        y, importance = target_of(shape, shapes, data, layer, target)
        {loads}
        {values}, {deltas} = joint_values(coupling, shape, numbers, layer, y, {inputs})
        {stores}
        at += runs_of(shape)
        target += 1
"""


_CALLED = {
    "joint_values": joint_values,
    "keep_input": keep_input,
    "load": load,
    "put_delta": put_delta,
    "runs_of": runs_of,
    "store": store,
    "target_of": target_of,
}


def _joint(coupling):
    """A loss with several outputs a target: with T targets, those of t are units t, T + t, ..."""
    count = outputs_of(coupling)
    kept = "keep_input(recipe.inputs, shape, numbers, at + {k} * step + layer.preactivation, "
    return written(
        _JOINT,
        count,
        _CALLED,
        loads=("z{k} = load(shape, numbers, at + {k} * step, stride)", kept + "stride, z{k})"),
        stores=(
            "store(shape, numbers, at + {k} * step, stride, v{k})",
            "put_delta(shape, recipe, d{k} * importance, block, layer, at + {k} * step)",
        ),
        values="v{k}",
        deltas="d{k}",
        inputs="z{k}",
    )


dispatch(
    _couple_samples,
    lambda coupling, *_: _softmax if coupling.choice == "softmax" else _joint(coupling),
)
