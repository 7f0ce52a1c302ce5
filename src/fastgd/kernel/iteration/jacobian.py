"""The Jacobian of the outputs, and the matrix of its products.

A row of the Jacobian belongs to an output of a sample, a column to a parameter, in the order of the
layers; the last column is the residual y - v. Row by row it is the gradient of an output: the
backward pass, starting from the derivative of one output unit alone. Each row is multiplied by the
root of the sample's weight.

Only the products of the columns are summed up over all rows, each sum as a chain of fused
multiply-adds in the order of the samples, and of a sample's outputs: J' J, and J' r in the last
column. That order is part of the numbers contract.
"""

from fastgd.kernel.block import Samples
from fastgd.kernel.iteration.activations import BOTH, activate_fully, derivative
from fastgd.kernel.iteration.losses import target_of
from fastgd.kernel.language.memory import load, panel, rows, store
from fastgd.kernel.language.specialization import INLINED, dispatch, part
from fastgd.kernel.language.tile import (
    anywhere,
    first_units,
    fma,
    opaque,
    rows_of,
    runs_of,
    square_root,
    units_of,
    zeros,
)
from fastgd.kernel.training_loop import back, of_learning


def _slope(output, shape, numbers, layer, at, v):
    """The derivative of output units with value v, stored at this address, by their inputs."""


def _pick_slope(output, *_others):
    if BOTH in output.formulas:
        return lambda output, shape, numbers, layer, at, v: activate_fully(
            output,
            shape,
            numbers,
            layer,
            load(shape, numbers, at + layer.preactivation, layer.stride),
        )[1]
    return lambda output, shape, numbers, layer, at, v: derivative(output, shape, numbers, layer, v)


dispatch(_slope, _pick_slope, INLINED)


@part
def _root(importance):
    """The square root of sample weights; most of them are 0 or 1."""
    root = importance
    if anywhere((importance > 1.0) | ((importance > 0.0) & (importance < 1.0))):
        root = square_root(importance)
    return root


@part
def begin_rows(shapes, recipe, data, group, block, layer, output, width):
    """Set the deltas of the last layer for the gradient of one output; store its residuals."""
    shape, numbers, runs = shapes.narrow, block.numbers, runs_of(shapes.scalar)
    step = layer.outputs * width * runs
    for n in range(0, group.end, rows_of(shape)):
        first = layer.units + n * layer.stride
        at = first + output * runs
        v = load(shape, numbers, at, layer.stride)
        target = (group.start + n) * layer.outputs + output
        y, importance = target_of(shape, shapes, data, layer, target)
        root = _root(importance)
        slope = _slope(recipe.output, shape, numbers, layer, at, v)
        for h in range(layer.outputs):
            store(shape, numbers, first + h * runs + layer.deltas, layer.stride, zeros(shape))
        store(shape, numbers, at + layer.deltas, layer.stride, root * slope)
        row = ((n * layer.outputs + output + 1) * width - 1) * runs
        store(shape, block.jacobian, row, step, root * (y - v))


@part
def _fill_tiles(shape, stored, recipe, inputs, group, block, layer, first, step, begin, end):
    """Derivatives by the weights of a layer, of units from begin to end: input * delta.

    They are stored from ``first`` on, with ``step`` from one sample to the next.
    """
    numbers, runs, H = block.numbers, runs_of(shape), layer.outputs
    for n in range(0, group.end, rows_of(shape)):
        for h in range(begin, end, units_of(shape)):
            tile = first_units(shape, end - h)
            at = opaque(layer.units + layer.deltas + n * layer.stride + h * runs)
            delta = load(tile, numbers, at, layer.stride)
            i = opaque(inputs.start + n * inputs.stride)
            j = opaque(first + n * step + h * runs)
            weight = opaque(layer.weights + h * runs)
            for _ in range(layer.inputs):
                x = rows(tile, stored, inputs.values, i, inputs.stride)
                slope = of_learning(
                    recipe.features.frozen, tile, x * delta, 0.0, numbers, weight, 0, layer
                )
                store(tile, block.jacobian, j, step, slope)
                i += runs_of(stored)
                j += H * runs
                weight += H * runs


@part
def fill_rows(shapes, recipe, layers, group, block, x, output, width):
    """Store a group's rows of the Jacobian for one output: a backward pass through all layers."""
    runs, top = runs_of(shapes.scalar), layers[len(layers) - 1]
    step = top.outputs * width * runs
    first = output * width * runs
    for k in range(len(layers) - 1, 0, -1):
        back(shapes, recipe, group, block, layers[k], layers[k - 1])
    for k in range(len(layers)):
        layer = layers[k]
        if k == 0:
            _fill_layer(shapes, shapes.data, recipe, x, group, block, layer, first, step)
        else:
            below = layers[k - 1]
            inputs = Samples(block.numbers, below.units, below.stride)
            _fill_layer(shapes, shapes.scalar, recipe, inputs, group, block, layer, first, step)
        first += layer.inputs * layer.outputs * runs


@part
def _fill_layer(shapes, stored, recipe, inputs, group, block, layer, first, step):
    _fill_tiles(
        shapes.wide, stored, recipe, inputs, group, block, layer, first, step,
        0, layer.wide_outputs,
    )  # fmt: skip
    _fill_tiles(
        shapes.rest, stored, recipe, inputs, group, block, layer, first, step,
        layer.wide_outputs, layer.outputs,
    )  # fmt: skip


@part
def _product_tiles(shape, scalar, block, system, count, is_first, begin, end):
    """Add the products of a group's rows, for columns from begin to end and those before them."""
    runs = runs_of(shape)
    step, row = system.width * runs, system.columns * runs
    for q in range(begin, end, units_of(shape)):
        tile = first_units(shape, end - q)
        for p in range(0, min(q + units_of(shape), system.parameters), rows_of(shape)):
            at = opaque(p * row + q * runs)
            total = zeros(tile)
            if not is_first:
                total = load(tile, block.products, at, row)
            i, j = opaque(p * runs), opaque(q * runs)
            for _ in range(count):
                x = rows(tile, scalar, block.jacobian, i, runs)
                total = fma(x, panel(tile, block.jacobian, j), total)
                i += step
                j += step
            store(tile, block.products, at, row, total)


@part
def add_products(shapes, group, block, layer, system):
    """Add the products of a group's rows to the sums."""
    count = min(group.end, group.real - group.start) * layer.outputs
    wide = system.width // units_of(shapes.square) * units_of(shapes.square)
    _product_tiles(shapes.square, shapes.scalar, block, system, count, group.is_first, 0, wide)
    _product_tiles(
        shapes.square_rest, shapes.scalar, block, system, count, group.is_first, wide, system.width
    )


@part
def add_squares(shapes, data, group, block, layer, total):
    """Add the squared residuals of a group, in the order of samples and outputs, to the total."""
    scalar, runs = shapes.scalar, runs_of(shapes.scalar)
    for n in range(min(group.end, group.real - group.start)):
        for h in range(layer.outputs):
            target = (group.start + n) * layer.outputs + h
            y, importance = target_of(scalar, shapes, data, layer, target)
            v = load(scalar, block.numbers, layer.units + n * layer.stride + h * runs, 0)
            total = fma((y - v) * importance, y - v, total)
    return total
