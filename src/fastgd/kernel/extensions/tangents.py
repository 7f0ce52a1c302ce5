"""Learning from derivatives: forward passes of values and tangents, and back through both.

A sample has *lines*: its values, then for each input their derivatives by it, its tangents (forward
differentiation; Huge and Savine, arXiv 2005.02347, differentiate backward and then once more). A
line is a sample of its own to products and gradients: its inputs are one of the unit vectors, with
0 for a bias. So sums are chains over the samples, and for each sample over its lines.

With z = x @ W + b, v = f(z) and for each line u = t @ W, the tangents of the units are f'(z) u.
Let e be minus the derivative of the loss by v, and r those by the tangents. Then f'(z) r are the
deltas of the lines, and f'(z) e + f''(z) (sum of u r, over the lines) is that of the values.
"""

from fastgd.kernel.block import value
from fastgd.kernel.iteration.activations import activate_twice
from fastgd.kernel.iteration.losses import add_lines, keep_input, loss_delta, targets_of
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import first_units, fma, opaque, rows_of, runs_of, units_of, zeros
from fastgd.kernel.training_loop import error_below


@part
def lines_of(tangents, bottom):
    """Lines of a sample, given the first layer."""
    return bottom.units_below + 1


@part
def _finish_hidden(shape, activation, numbers, layer, at, lines):
    """Store values and tangents, and for the pass back both derivatives and the inputs u."""
    stride = layer.stride
    v, first, second = activate_twice(
        activation, shape, numbers, layer, load(shape, numbers, at, lines * stride)
    )
    store(shape, numbers, at, lines * stride, v)
    store(shape, numbers, at + layer.deltas, lines * stride, first)
    store(shape, numbers, at + layer.preactivation, lines * stride, second)
    for _ in range(1, lines):
        at += stride
        u = load(shape, numbers, at, lines * stride)
        store(shape, numbers, at + layer.preactivation, lines * stride, u)
        store(shape, numbers, at, lines * stride, first * u)


@part
def _finish_output(shape, descent, data, layer, at, target, lines):
    """Store values, tangents and the deltas of both."""
    shapes, recipe, numbers = descent.shapes, descent.recipe, descent.block.numbers
    stride, step = layer.stride, lines * layer.outputs
    z = load(shape, numbers, at, lines * stride)
    v, first, second = activate_twice(recipe.output, shape, numbers, layer, z)
    store(shape, numbers, at, lines * stride, v)
    keep_input(recipe.inputs, shape, numbers, at + layer.preactivation, lines * stride, z)
    y, importance = targets_of(shape, shapes, data, target, step)
    delta = loss_delta(recipe.loss, recipe.output, shape, numbers, layer, y, v, z) * importance
    weight, bend = value(shape, numbers, layer, recipe.tangents.gradient_weight), zeros(shape)
    line = at
    for _ in range(1, lines):
        line += stride
        target += layer.outputs
        u = load(shape, numbers, line, lines * stride)
        t = first * u
        store(shape, numbers, line, lines * stride, t)
        y, importance = targets_of(shape, shapes, data, target, step)
        missing = (y - t) * (weight * importance)
        bend = fma(u, missing, bend)
        store(shape, numbers, line + layer.deltas, lines * stride, first * missing)
    store(shape, numbers, at + layer.deltas, lines * stride, fma(second, bend, delta))


@part
def _finish_tiles(piece, whole, descent, group, layer, lines, begin, end):
    shape = whole if piece is None else piece
    runs = runs_of(shape)
    for n in range(group.begin, group.end, lines * rows_of(shape)):
        for h in range(begin, end, units_of(shape)):
            tile = first_units(shape, end - h)
            at = opaque(layer.units + n * layer.stride + h * runs)
            if layer.is_output:
                target = opaque((group.start + n) * layer.outputs + h)
                _finish_output(tile, descent, group.data, layer, at, target, lines)
            else:
                activation = descent.recipe.activation
                _finish_hidden(tile, activation, descent.block.numbers, layer, at, lines)


@part
def finish_lines(tangents, descent, group, layer):
    """From the products of a group's lines to their values."""
    shapes, lines = descent.shapes, lines_of(tangents, descent.layers[0])
    wide, end = layer.wide_outputs, layer.outputs
    _finish_tiles(shapes.wide_piece, shapes.wide, descent, group, layer, lines, 0, wide)
    _finish_tiles(shapes.rest_piece, shapes.rest, descent, group, layer, lines, wide, end)


@part
def _back_tiles(shape, descent, group, layer, below, lines, begin, end):
    """Deltas of the layer below, units from begin to end, of values and tangents."""
    shapes, numbers = descent.shapes, descent.block.numbers
    runs, stride, step = runs_of(shape), lines * below.stride, lines * layer.stride
    for n in range(group.begin, group.end, lines * rows_of(shape)):
        for d in range(begin, end, units_of(shape)):
            tile = first_units(shape, end - d)
            at = opaque(below.units + n * below.stride + d * runs)
            first = load(tile, numbers, at + below.deltas, stride)
            second = load(tile, numbers, at + below.preactivation, stride)
            line, bend = at, zeros(tile)
            own = layer.units + layer.deltas + n * layer.stride
            error = error_below(tile, shapes, numbers, layer, own, step, d)
            delta = first * error
            for _ in range(1, lines):
                line += below.stride
                own += layer.stride
                error = error_below(tile, shapes, numbers, layer, own, step, d)
                bend = fma(load(tile, numbers, line + below.preactivation, stride), error, bend)
                store(tile, numbers, line + below.deltas, stride, first * error)
            store(tile, numbers, at + below.deltas, stride, fma(second, bend, delta))


@part
def back(tangents, descent, group, layer, below):
    """Compute a group's deltas of the layer below from those of a layer."""
    shapes, lines, wide = descent.shapes, lines_of(tangents, descent.layers[0]), layer.wide_inputs
    _back_tiles(shapes.wide, descent, group, layer, below, lines, 0, wide)
    _back_tiles(shapes.rest, descent, group, layer, below, lines, wide, layer.units_below)


@part
def add_all_errors(tangents, descent, group, record, total):
    """Add |y - output| of a group's samples and, where losses are recorded, all their losses."""
    shapes, recipe, layers = descent.shapes, descent.recipe, descent.layers
    numbers, layer, lines = (
        descent.block.numbers,
        layers[len(layers) - 1],
        layers[0].units_below + 1,
    )
    weight = value(shapes.scalar, numbers, layer, tangents.gradient_weight)
    return add_lines(
        lines, weight, shapes, recipe.loss, recipe.output, group, descent.block, layer, record,
        total,
    )  # fmt: skip
