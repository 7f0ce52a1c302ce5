"""Equations of a second-order step: the products of the Jacobian, and their solution by Cholesky.

A row of the Jacobian belongs to an output of a sample, a column to a parameter, in the order of the
layers; the last column is the residual y - v. Row by row it is the gradient of an output: the
backward pass, starting from the derivative of one output unit alone. Each row is multiplied by the
root of the sample's weight.

Only the products of the columns are summed up over all rows, each sum as a chain of fused
multiply-adds in the order of the samples, and of a sample's outputs: J' J, and J' r in the last
column. That order is part of the numbers contract.

The matrix A and the right-hand side, its last column, are factorized together: with A = U' U, row
by row, the last column becomes the solution z of U' z = b, and U d = z is solved backward. Each
entry of U is a chain of fused multiply-adds in the order of the rows above it, then times the
reciprocal of the row's pivot. A matrix that is not positive definite has a NaN in its solution.
With further columns of an identity these become the inverse of U', whose squares are the trace of
the inverse of A.
"""

from fastgd.kernel.block import Samples
from fastgd.kernel.iteration.activations import BOTH, activate_fully, derivative
from fastgd.kernel.iteration.losses import target_of
from fastgd.kernel.iteration.updates import of_learning
from fastgd.kernel.language.loads_and_stores import load, panel, rows, store, units
from fastgd.kernel.language.specialization import dispatch, part
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
from fastgd.kernel.training_loop import back


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


dispatch(_slope, _pick_slope)


@part
def _root(importance):
    """The square root of sample weights; most of them are 0 or 1."""
    root = importance
    if anywhere((importance > 1.0) | ((importance > 0.0) & (importance < 1.0))):
        root = square_root(importance)
    return root


@part
def begin_rows(descent, group, layer, output, width):
    """Set the deltas of the last layer for the gradient of one output; store its residuals."""
    shapes, recipe, block = descent.shapes, descent.recipe, descent.block
    shape, numbers, runs = shapes.narrow, block.numbers, runs_of(shapes.scalar)
    step = layer.outputs * width * runs
    for n in range(0, group.end, rows_of(shape)):
        first = layer.units + n * layer.stride
        at = first + output * runs
        v = load(shape, numbers, at, layer.stride)
        target = (group.start + n) * layer.outputs + output
        y, importance = target_of(shape, shapes, group.data, layer, target)
        root = _root(importance)
        slope = _slope(recipe.output, shape, numbers, layer, at, v)
        for h in range(layer.outputs):
            store(shape, numbers, first + h * runs + layer.deltas, layer.stride, zeros(shape))
        store(shape, numbers, at + layer.deltas, layer.stride, root * slope)
        row = ((n * layer.outputs + output + 1) * width - 1) * runs
        store(shape, block.jacobian, row, step, root * (y - v))


@part
def _fill_tiles(shape, descent, group, inputs, layer, first, step, begin, end):
    """Derivatives by the weights of a layer, of units from begin to end: input * delta.

    They are stored from ``first`` on, with ``step`` from one sample to the next.
    """
    block, frozen = descent.block, descent.recipe.features.frozen
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
                x = rows(tile, inputs.shape, inputs.values, i, inputs.stride)
                slope = of_learning(frozen, tile, x * delta, 0.0, numbers, weight, 0, layer)
                store(tile, block.jacobian, j, step, slope)
                i += runs_of(inputs.shape)
                j += H * runs
                weight += H * runs


@part
def fill_rows(descent, group, x, output, width):
    """Store a group's rows of the Jacobian for one output: a backward pass through all layers."""
    shapes, layers, block = descent.shapes, descent.layers, descent.block
    runs, top = runs_of(shapes.scalar), layers[len(layers) - 1]
    step = top.outputs * width * runs
    first = output * width * runs
    for k in range(len(layers) - 1, 0, -1):
        back(descent.recipe.tangents, descent, group, layers[k], layers[k - 1])
    for k in range(len(layers)):
        layer = layers[k]
        if k == 0:
            _fill_layer(descent, group, x, layer, first, step)
        else:
            below = layers[k - 1]
            inputs = Samples(block.numbers, below.units, below.stride, shapes.scalar)
            _fill_layer(descent, group, inputs, layer, first, step)
        first += layer.inputs * layer.outputs * runs


@part
def _fill_layer(descent, group, inputs, layer, first, step):
    shapes, wide, end = descent.shapes, layer.wide_outputs, layer.outputs
    _fill_tiles(shapes.wide, descent, group, inputs, layer, first, step, 0, wide)
    _fill_tiles(shapes.rest, descent, group, inputs, layer, first, step, wide, end)


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
def add_squares(shapes, group, block, layer, total):
    """Add the squared residuals of a group, in the order of samples and outputs, to the total."""
    scalar, runs = shapes.scalar, runs_of(shapes.scalar)
    for n in range(min(group.end, group.real - group.start)):
        for h in range(layer.outputs):
            target = (group.start + n) * layer.outputs + h
            y, importance = target_of(scalar, shapes, group.data, layer, target)
            v = load(scalar, block.numbers, layer.units + n * layer.stride + h * runs, 0)
            total = fma((y - v) * importance, y - v, total)
    return total


# ---------------------------------------------------------------- their solution


@part
def _row_tiles(shape, scalar, block, system, i, begin, end):
    """Some columns of the rows from i on, without the terms of these rows themselves."""
    runs = runs_of(shape)
    row = system.columns * runs
    for q in range(begin, end, units_of(shape)):
        tile = first_units(shape, end - q)
        at = opaque(i * row + q * runs)
        total = load(tile, block.products, at, row)
        left, above = opaque(i * runs), opaque(q * runs)
        for _ in range(i):
            x = rows(tile, scalar, block.factor, left, runs)
            total = fma(-1.0 * x, panel(tile, block.factor, above), total)
            left += row
            above += row
        store(tile, block.factor, at, row, total)


@part
def _scale_tiles(shape, block, system, i, begin, end):
    """Multiply some columns of row i by the reciprocal of its pivot."""
    runs = runs_of(shape)
    for q in range(begin, end, units_of(shape)):
        tile = first_units(shape, end - q)
        at = opaque((i * system.columns + q) * runs)
        inverse = units(tile, block.inverses, i * runs, 0)
        store(tile, block.factor, at, 0, load(tile, block.factor, at, 0) * inverse)


@part
def _subtract_tiles(shape, block, system, i, k, begin, end):
    """Subtract the terms of row k from some columns of row i."""
    runs = runs_of(shape)
    x = opaque((k * system.columns + i) * runs)
    for q in range(begin, end, units_of(shape)):
        tile = first_units(shape, end - q)
        at = opaque((i * system.columns + q) * runs)
        above = load(tile, block.factor, (k * system.columns + q) * runs, 0)
        left = -1.0 * units(tile, block.factor, x, 0)
        store(tile, block.factor, at, 0, fma(left, above, load(tile, block.factor, at, 0)))


@part
def _factorize_columns(shapes, block, system, i, begin, end):
    """The rows of a tile from i on, columns from begin to end; pivots come with the first ones."""
    tall, rest = shapes.square, shapes.square_rest
    wide = begin + (end - begin) // units_of(tall) * units_of(tall)
    _row_tiles(tall, shapes.scalar, block, system, i, begin, wide)
    _row_tiles(rest, shapes.scalar, block, system, i, wide, end)
    last = min(i + rows_of(tall), system.parameters)
    for k in range(i, last):
        if begin == i:
            at = (k * system.columns + k) * runs_of(shapes.scalar)
            pivot = load(shapes.scalar, block.factor, at, 0)
            inverse = 1.0 / square_root(pivot)
            store(shapes.scalar, block.inverses, k * runs_of(shapes.scalar), 0, inverse)
        _scale_tiles(shapes.square_row, block, system, k, begin, wide)
        _scale_tiles(shapes.square_rest_row, block, system, k, wide, end)
        for below in range(k + 1, last):
            _subtract_tiles(shapes.square_row, block, system, below, k, begin, wide)
            _subtract_tiles(shapes.square_rest_row, block, system, below, k, wide, end)


@part
def factorize(shapes, block, system, last):
    """Factorize the products; columns from the right-hand side's to ``last`` are an identity's."""
    for i in range(0, system.parameters, rows_of(shapes.square)):
        _factorize_columns(shapes, block, system, i, i, system.width)
        if last > system.width:
            known = min(i + rows_of(shapes.square), system.parameters)
            _factorize_columns(shapes, block, system, i, system.width, system.width + known)


@part
def _back_tiles(shape, block, system, i, begin, end):
    """Subtract the terms of unknown i from the right-hand sides of those from begin to end."""
    runs = runs_of(shape)
    row = system.columns * runs
    for k in range(begin, end, units_of(shape)):
        left = units(shape, block.factor, (k * system.columns + i) * runs, row)
        d = -1.0 * units(shape, block.solution, i * runs, 0)
        at = k * runs
        store(shape, block.solution, at, 0, fma(left, d, load(shape, block.solution, at, 0)))


@part
def solve(shapes, block, system):
    """The unknowns, from the last to the first."""
    scalar, runs = shapes.scalar, runs_of(shapes.scalar)
    for i in range(system.parameters):
        z = load(scalar, block.factor, (i * system.columns + system.width - 1) * runs, 0)
        store(scalar, block.solution, i * runs, 0, z)
    for step in range(system.parameters):
        i = system.parameters - 1 - step
        z = load(scalar, block.solution, i * runs, 0)
        store(scalar, block.solution, i * runs, 0, z * load(scalar, block.inverses, i * runs, 0))
        wide = i // units_of(shapes.square_row) * units_of(shapes.square_row)
        _back_tiles(shapes.square_row, block, system, i, 0, wide)
        _back_tiles(scalar, block, system, i, wide, i)


@part
def trace_of_inverse(shapes, block, system):
    """The trace of the inverse of A, from the columns of the identity: in the order of the rows."""
    scalar, runs = shapes.scalar, runs_of(shapes.scalar)
    total = zeros(scalar)
    for i in range(system.parameters):
        at = (i * system.columns + system.width) * runs
        for _ in range(i + 1):
            z = load(scalar, block.factor, at, 0)
            total = fma(z, z, total)
            at += runs
    return total
