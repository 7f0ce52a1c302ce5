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
from fastgd.kernel.iteration.losses import (
    add_errors,
    keep_input,
    loss_delta,
    loss_of,
    targets_of,
)
from fastgd.kernel.language.memory import load, store
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import (
    first_units,
    fma,
    magnitude,
    opaque,
    rows_of,
    runs_of,
    select,
    units_of,
    zeros,
)
from fastgd.kernel.training_loop import back, error_below


@part
def lines_of(tangents, bottom):
    """Lines of a sample, given the first layer."""
    if tangents is None:
        return 1
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
def _finish_output(shape, shapes, recipe, numbers, data, layer, at, target, lines):
    """Store values, tangents and the deltas of both."""
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
def _finish_tiles(shape, shapes, recipe, data, group, block, layer, lines, begin, end):
    runs = runs_of(shape)
    for n in range(group.begin, group.end, lines * rows_of(shape)):
        for h in range(begin, end, units_of(shape)):
            tile = first_units(shape, end - h)
            at = opaque(layer.units + n * layer.stride + h * runs)
            if layer.is_output:
                target = opaque((group.start + n) * layer.outputs + h)
                _finish_output(tile, shapes, recipe, block.numbers, data, layer, at, target, lines)
            else:
                _finish_hidden(tile, recipe.activation, block.numbers, layer, at, lines)


@part
def _piece_or_whole(piece, whole):
    if piece is None:
        return whole
    return piece


@part
def finish_lines(tangents, shapes, recipe, data, group, block, layer, bottom):
    """From the products of a group's lines to their values."""
    if tangents is None:
        return
    lines = lines_of(tangents, bottom)
    _finish_tiles(
        _piece_or_whole(shapes.wide_piece, shapes.wide), shapes, recipe, data, group, block, layer,
        lines, 0, layer.wide_outputs,
    )  # fmt: skip
    _finish_tiles(
        _piece_or_whole(shapes.rest_piece, shapes.rest), shapes, recipe, data, group, block, layer,
        lines, layer.wide_outputs, layer.outputs,
    )  # fmt: skip


@part
def _back_tiles(shape, transposed, stored, group, block, layer, below, lines, begin, end):
    """Deltas of the layer below, units from begin to end, of values and tangents."""
    runs, numbers, stride = runs_of(shape), block.numbers, lines * below.stride
    H, step = layer.outputs, lines * layer.stride
    for n in range(group.begin, group.end, lines * rows_of(shape)):
        for d in range(begin, end, units_of(shape)):
            tile = first_units(shape, end - d)
            at = opaque(below.units + n * below.stride + d * runs)
            first = load(tile, numbers, at + below.deltas, stride)
            second = load(tile, numbers, at + below.preactivation, stride)
            line, bend = at, zeros(tile)
            own = layer.units + layer.deltas + n * layer.stride
            error = error_below(tile, transposed, stored, numbers, layer, H, own, step, d)
            delta = first * error
            for _ in range(1, lines):
                line += below.stride
                own += layer.stride
                error = error_below(tile, transposed, stored, numbers, layer, H, own, step, d)
                bend = fma(load(tile, numbers, line + below.preactivation, stride), error, bend)
                store(tile, numbers, line + below.deltas, stride, first * error)
            store(tile, numbers, at + below.deltas, stride, fma(second, bend, delta))


@part
def back_through(tangents, shapes, recipe, group, block, layer, below, bottom):
    """Compute a group's deltas of the layer below from those of a layer."""
    if tangents is None:
        back(shapes, recipe, group, block, layer, below)
        return
    lines = lines_of(tangents, bottom)
    _back_tiles(
        shapes.wide, shapes.transposed, shapes.scalar, group, block, layer, below, lines,
        0, layer.wide_inputs,
    )  # fmt: skip
    _back_tiles(
        shapes.rest, shapes.transposed, shapes.scalar, group, block, layer, below, lines,
        layer.wide_inputs, layer.units_below,
    )  # fmt: skip


@part
def add_all_errors(tangents, shapes, recipe, data, group, block, layers, record, total):
    """Add |y - output| of a group's samples and, where losses are recorded, all their losses."""
    layer = layers[len(layers) - 1]
    if tangents is None:
        return add_errors(
            recipe.coupling, shapes, recipe.loss, recipe.output,
            data, group, block, layer, record, total,
        )  # fmt: skip
    lines = lines_of(tangents, layers[0])
    scalar, numbers, runs = shapes.scalar, block.numbers, runs_of(shapes.scalar)
    weight = value(scalar, numbers, layer, tangents.gradient_weight)
    loss = zeros(scalar)
    if record >= 0 and not group.is_first:
        loss = load(scalar, block.losses, record * runs, 0)
    for n in range(min(group.end, group.real - group.start)):
        for h in range(layer.outputs):
            at = layer.units + n * layer.stride + h * runs
            target = (group.start + n) * layer.outputs + h
            v = load(scalar, numbers, at, 0)
            y, importance = targets_of(scalar, shapes, data, target, 0)
            is_value = (group.start + n) % lines == 0
            if is_value:
                total = fma(magnitude(y - v), importance, total)
            if record >= 0:
                each = weight * (0.5 * (y - v) * (y - v))
                if is_value:
                    z = load(scalar, numbers, at + layer.preactivation, 0)
                    each = loss_of(recipe.loss, recipe.output, scalar, numbers, layer, y, v, z)
                loss = fma(select(importance > 0.0, each, 0.0), importance, loss)
    if record >= 0:
        store(scalar, block.losses, record * runs, 0, loss)
    return total
