"""A loss: its derivative, which a training needs, and itself, summed up where it is asked for.

The cross entropy is worked out from the inputs z of the output units, as p = sigmoid(z) rounds to 1
from z = 37 on: -log p is log(1 + exp(-z)), and -log(1 - p) is z more.
"""

from numba import njit

from fastgd.kernel.iteration.functions import log_1p_exp_negative, slope
from fastgd.kernel.language.choice import dispatch
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.tile import (
    fma,
    load,
    load_data,
    magnitude,
    runs_of,
    select,
    store,
    zeros,
)


@njit(**INLINED)
def cross_entropy(q, z):
    """-q log p - (1 - q) log(1 - p) with p = sigmoid(z)."""
    common = log_1p_exp_negative(magnitude(z))
    positive, negative = select(z < 0.0, 0.0, z), select(z > 0.0, 0.0, -1.0 * z)
    return fma(q, negative + common, (1.0 - q) * (positive + common))


def loss_delta(loss, output, miss, v):
    """Minus the derivative of a sample's loss by the input of an output unit; miss is y - v."""


dispatch(
    loss_delta,
    {
        "squared": lambda loss, output, miss, v: miss * slope(output, v),
        # Of both cross entropies, with p = v for sigmoid and p = (1 + v) / 2 for tanh.
        "cross_entropy": lambda loss, output, miss, v: miss,
    },
    INLINED,
)


def loss_of(loss, output, y, v, z):
    """The loss of an output v that came from z."""


def _pick_loss(loss, output, _y, _v, _z):
    if loss.choice == "squared":
        return lambda loss, output, y, v, z: 0.5 * (y - v) * (y - v)
    if output.choice == "tanh":  # p = (1 + v) / 2 = sigmoid(2 z)
        return lambda loss, output, y, v, z: cross_entropy(fma(0.5, y, 0.5), z + z)
    return lambda loss, output, y, v, z: cross_entropy(y, z)


dispatch(loss_of, _pick_loss, INLINED)


@njit(**INLINED)
def keep_input(loss_value, shape, numbers, at, stride, z):
    """Keep the inputs of output units."""
    if loss_value is not None:
        store(shape, numbers, at, stride, z)


@njit(**INLINED)
def add_losses(loss_value, shapes, recipe, data, group, block, layer):
    """Add the losses of a group's samples, in the order of samples and outputs."""
    if loss_value is None:
        return
    scalar, runs = shapes.scalar, runs_of(shapes.scalar)
    total = zeros(scalar)
    if not group.is_first:
        total = load(scalar, block.loss, 0, 0)
    for n in range(min(group.samples, group.real - group.start)):
        for h in range(layer.outputs):
            target = (group.start + n) * layer.outputs + h
            at = layer.units + n * layer.stride + h * runs
            y = load_data(scalar, shapes.data, data.y, target * runs_of(shapes.data), 0)
            v = load(scalar, block.numbers, at, 0)
            z = load(scalar, block.numbers, at + layer.preactivation, 0)
            importance = load_data(
                scalar, shapes.importance, data.importance, target * runs_of(shapes.importance), 0
            )
            total = fma(loss_of(recipe.loss, recipe.output, y, v, z), importance, total)
    store(scalar, block.loss, 0, 0, total)
