"""A group of samples through one layer, forward and backward, and the update of its parameters.

Numbers contract: every sum is a chain of fused multiply-adds in index order that starts from zero
(over inputs in the forward pass, over outputs in the backward pass, over samples in the gradient).
The shape of the tiles decides what is computed when, never the order of a sum. So the bits of a run
are the same for every R, tile, group, chunk, thread and neighboring run. A bias is the weight of an
additional last input that is always 1.
"""

from numba.core import types

from fastgd.kernel.block import Area, WorkerShare, value
from fastgd.kernel.iteration.activations import BOTH, activate, kept_derivative, put_activation
from fastgd.kernel.iteration.losses import keep_input, loss_delta, target_of
from fastgd.kernel.iteration.optimizer_steps import step
from fastgd.kernel.language.memory import (
    count_changes,
    load,
    panel,
    rows,
    store,
    store_by_run,
    units,
)
from fastgd.kernel.language.specialization import INLINED, dispatch, part
from fastgd.kernel.language.threads import thread_of, threads_of
from fastgd.kernel.language.tile import (
    first_units,
    fma,
    fold,
    magnitude,
    opaque,
    rows_of,
    runs_of,
    select,
    units_of,
    with_sign,
    zeros,
)

STRIP = 64
"""Inputs in a strip: their weights for one tile take 16 KB of a first-level cache of 32 or more.

One 784-100-10 took 0.91 of the time with 32 to 128 of them, a sweep of 8 runs 0.65.
"""

TOGETHER = 32
"""Samples that a forward pass takes at a time, so that inputs and sums stay in that cache, too.

With thousands of samples at a time, 300-20-10 with batch normalization took 1.4 times as long.
"""


@part
def trimmed(trimming, shape, delta, numbers, layer):
    """Set small deltas to zero and limit large ones."""
    if trimming is None:
        return delta
    delta = select(magnitude(delta) < value(shape, numbers, layer, trimming.trim_below), 0.0, delta)
    clip = value(shape, numbers, layer, trimming.clip_above)
    return select(magnitude(delta) > clip, with_sign(clip, delta), delta)


@part
def put_delta(shape, shapes, recipe, delta, block, layer, at):
    """Store the delta of output units, unless only outputs are needed."""
    if recipe.outputs is not None:
        return
    delta = trimmed(recipe.features.trimming, shape, delta, block.numbers, layer)
    store(shape, block.numbers, at + layer.deltas, layer.stride, delta)


@part
def _finish_output(shape, shapes, recipe, v, a, data, target, block, layer, at):
    """Store the delta of output units with value v, which came from input a."""
    if recipe.outputs is not None:
        return
    numbers = block.numbers
    keep_input(recipe.inputs, shape, numbers, at + layer.preactivation, layer.stride, a)
    y, importance = target_of(shape, shapes, data, layer, target)
    delta = loss_delta(recipe.loss, recipe.output, shape, numbers, layer, y, v, a) * importance
    put_delta(shape, shapes, recipe, delta, block, layer, at)


@part
def _finish_hidden(batch_norm, shape, recipe, a, block, layer, at):
    """Store the value of hidden units; if they are batch-normalized later, their input instead."""
    if batch_norm is not None:
        store(shape, block.numbers, at, layer.stride, a)
        return
    put_activation(recipe.activation, shape, block.numbers, layer, at, layer.stride, a)


def _finish(recipe, shape, shapes, a, data, target, block, layer, at):
    """Store the values of units with these inputs; in the last layer also the deltas."""


def _finish_alike(recipe, shape, shapes, a, data, target, block, layer, at):
    v = activate(recipe.output, shape, block.numbers, layer, a)
    store(shape, block.numbers, at, layer.stride, v)
    if layer.is_output:
        _finish_output(shape, shapes, recipe, v, a, data, target, block, layer, at)


def _finish_apart(recipe, shape, shapes, a, data, target, block, layer, at):
    if layer.is_output:
        v = activate(recipe.output, shape, block.numbers, layer, a)
        store(shape, block.numbers, at, layer.stride, v)
        _finish_output(shape, shapes, recipe, v, a, data, target, block, layer, at)
    else:
        _finish_hidden(recipe.batch_norm, shape, recipe, a, block, layer, at)


def _store_products(recipe, shape, shapes, a, data, target, block, layer, at):
    store(shape, block.numbers, at, layer.stride, a)


def _finish_coupled(recipe, shape, shapes, a, data, target, block, layer, at):
    if layer.is_output:  # see fastgd.kernel.extensions.coupling
        store(shape, block.numbers, at, layer.stride, a)
    else:
        _finish_hidden(recipe.batch_norm, shape, recipe, a, block, layer, at)


def _pick_finish(recipe, *_others):
    """A single body for all layers if all units are of the same kind: half the code."""
    chosen = recipe.members
    if chosen["tangents"] != types.none:
        return _store_products  # see fastgd.kernel.extensions.tangents
    if chosen["coupling"] != types.none:
        return _finish_coupled
    hidden, output = chosen["activation"], chosen["output"]
    alike = hidden == output and BOTH not in hidden.formulas
    return _finish_alike if alike and chosen["batch_norm"] == types.none else _finish_apart


dispatch(_finish, _pick_finish, INLINED)


@part
def _sum_so_far(strips, shape, numbers, at, stride, first):
    """The sum over the inputs before ``first``."""
    a = zeros(shape)
    if strips is None:
        return a
    if first > 0:
        a = load(shape, numbers, at, stride)
    return a


@part
def _forward_tiles(
    shape, piece, shapes, recipe, stored, inputs, data, group, block, layer, first, last, begin, end
):
    """Values of the units from begin to end: activation(inputs @ weights).

    Covers only the inputs from first to last; partial sums are stored in the place of the value.
    """
    runs = runs_of(shape)
    numbers, values, H = block.numbers, inputs.values, layer.outputs
    for h in range(begin, end, units_of(shape)):
        for n in range(group.begin, group.end, rows_of(shape)):
            tile = first_units(shape, end - h)
            so_far = layer.units + n * layer.stride + h * runs
            a = _sum_so_far(shapes.strips, tile, numbers, so_far, layer.stride, first)
            i = opaque(inputs.start + n * inputs.stride + first * runs_of(stored))
            j = opaque(layer.effective + (first * H + h) * runs)
            for _ in range(first, last):
                x = rows(tile, stored, values, i, inputs.stride)
                a = fma(x, panel(tile, numbers, j), a)
                i += runs_of(stored)
                j += H * runs
            at = opaque(so_far)
            if shapes.strips is not None and last < layer.inputs:
                store(tile, numbers, at, layer.stride, a)
                continue
            target = opaque((group.start + n) * H + h)
            if piece is None:
                _finish(recipe, tile, shapes, a, data, target, block, layer, at)
            else:
                store(tile, numbers, at, layer.stride, a)
                part = first_units(piece, end - h)
                for _ in range(0, rows_of(shape), rows_of(piece)):
                    a = load(part, numbers, at, layer.stride)
                    _finish(recipe, part, shapes, a, data, target, block, layer, at)
                    at += rows_of(piece) * layer.stride
                    target += rows_of(piece) * H


@part
def _forward_strip(shapes, recipe, stored, inputs, data, group, block, layer, first, last):
    """Add the inputs from first to last to a group's values of a layer."""
    _forward_tiles(
        shapes.wide, shapes.wide_piece, shapes, recipe, stored, inputs, data, group, block, layer,
        first, last, 0, layer.wide_outputs,
    )  # fmt: skip
    _forward_tiles(
        shapes.rest, shapes.rest_piece, shapes, recipe, stored, inputs, data, group, block, layer,
        first, last, layer.wide_outputs, layer.outputs,
    )  # fmt: skip


@part
def forward(shapes, recipe, stored, inputs, data, group, block, layer):
    """Compute a group's values of a layer from those of the layer below."""
    for n in range(group.begin, group.end, TOGETHER):
        end = min(n + TOGETHER, group.end)
        some = WorkerShare(group.start, n, end, group.real, group.is_first, group.is_last)
        if shapes.strips is None:
            _forward_strip(
                shapes, recipe, stored, inputs, data, some, block, layer, 0, layer.inputs
            )
        else:
            for first in range(0, layer.inputs, STRIP):
                last = min(first + STRIP, layer.inputs)
                _forward_strip(
                    shapes, recipe, stored, inputs, data, some, block, layer, first, last
                )


@part
def keep_outputs(outputs, shapes, group, block, layer):
    """Store the outputs of a group's samples, run by run."""
    if outputs is None:
        return
    tall, runs = shapes.narrow, runs_of(shapes.scalar)
    samples = len(block.outputs) // (runs * layer.outputs)
    count, first = min(group.end, group.real - group.start), 0
    if layer.outputs == 1:
        while first + rows_of(tall) <= count:
            v = load(tall, block.numbers, layer.units + first * layer.stride, layer.stride)
            store_by_run(tall, block.outputs, group.start + first, samples, v)
            first += rows_of(tall)
    for r in range(thread_of(shapes.scalar), runs, threads_of(shapes.scalar)):
        for n in range(first, count):
            at = (r * samples + group.start + n) * layer.outputs
            for h in range(layer.outputs):
                v = block.numbers[layer.units + n * layer.stride + h * runs + r]
                block.outputs[at + h] = v


@part
def _derivative_of(dropout, activation, shape, numbers, layer, at, stride):
    """The derivative of hidden units; with dropout it is stored in the place of the delta."""
    if dropout is None:
        return kept_derivative(activation, shape, numbers, layer, at, stride)
    return load(shape, numbers, at + layer.deltas, stride)


@part
def transpose(shapes, layers, block):
    """Transpose the weights that the passes use, so that the backward pass reads rows."""
    for k in range(1, len(layers)):
        _transpose(shapes.transposed, shapes.scalar, block.numbers, layers[k])


@part
def _transpose(row, scalar, numbers, layer):
    if row is None:
        return
    runs, D, H = runs_of(row), layer.units_below, layer.outputs
    tiled = D - D % units_of(row)
    d = 0
    while d < D:
        i, j = layer.effective + d * H * runs, layer.transposed + d * runs
        for _ in range(H):
            if d < tiled:
                store(row, numbers, j, 0, units(row, numbers, i, H * runs))
            else:
                store(scalar, numbers, j, 0, load(scalar, numbers, i, 0))
            i += runs
            j += D * runs
        d += units_of(row) if d < tiled else 1


@part
def _first_weights(transposed, layer, d, runs):
    """Where the weights from input d begin, and the distance from one output to the next."""
    if transposed is None:
        return layer.effective + d * layer.outputs * runs, runs
    return layer.transposed + d * runs, layer.units_below * runs


@part
def _weights_back(transposed, shape, numbers, layer, j):
    """The weights from all the inputs of a tile to one output."""
    if transposed is None:
        return units(shape, numbers, j, layer.outputs * runs_of(shape))
    return panel(shape, numbers, j)


@part
def error_below(shape, transposed, stored, numbers, layer, H, first, stride, d):
    """H deltas each, from ``first`` on and ``stride`` apart, times the weights from inputs d on."""
    runs, error = runs_of(shape), zeros(shape)
    i = opaque(first)
    first, step = _first_weights(transposed, layer, d, runs)
    j = opaque(first)
    for _ in range(H):
        delta = rows(shape, stored, numbers, i, stride)
        error = fma(delta, _weights_back(transposed, shape, numbers, layer, j), error)
        i += runs
        j += step
    return error


@part
def _back_tiles(shape, transposed, recipe, stored, group, block, layer, below, begin, end):
    """Deltas of the layer below, units from begin to end: (delta @ weights.T) * derivative."""
    runs = runs_of(shape)
    numbers, deltas, H = block.numbers, layer.deltas, layer.outputs
    for n in range(group.begin, group.end, rows_of(shape)):
        for d in range(begin, end, units_of(shape)):
            tile = first_units(shape, end - d)
            first = layer.units + deltas + n * layer.stride
            error = error_below(tile, transposed, stored, numbers, layer, H, first, layer.stride, d)
            at = opaque(below.units + n * below.stride + d * runs)
            change = _derivative_of(
                recipe.features.dropout, recipe.activation, tile, numbers, below, at, below.stride
            )
            delta = trimmed(recipe.features.trimming, tile, error * change, numbers, layer)
            store(tile, numbers, at + deltas, below.stride, delta)


@part
def back(shapes, recipe, group, block, layer, below):
    """Compute a group's deltas of the layer below from those of a layer."""
    _back_tiles(
        shapes.wide, shapes.transposed, recipe, shapes.scalar, group, block, layer, below,
        0, layer.wide_inputs,
    )  # fmt: skip
    _back_tiles(
        shapes.rest, shapes.transposed, recipe, shapes.scalar, group, block, layer, below,
        layer.wide_inputs, layer.units_below,
    )  # fmt: skip


@part
def _averaged(mean, shape, g, block):
    """Turn the sum over the samples of a batch into their mean."""
    if mean is None:
        return g
    return g * units(shape, block.scale, 0, 0)


@part
def _penalized(penalty, shape, g, w, numbers, layer):
    """Subtract the derivative of the penalty, l1 * |w| + l2 / 2 * w**2."""
    if penalty is None:
        return g
    l1 = value(shape, numbers, layer, penalty.l1)
    l2 = value(shape, numbers, layer, penalty.l2)
    g = g - select(magnitude(w) > 0.0, with_sign(l1, w), 0.0)
    return fma(-1.0 * l2, w, g)


@part
def _connected(dropconnect, shape, g, numbers, at, stride):
    """Set the derivative of dropped weights to zero."""
    if dropconnect is None:
        return g
    factor = load(shape, numbers, at, stride)
    return select(factor > 0.0, g * factor, 0.0)


@part
def of_learning(frozen, shape, new, old, numbers, at, stride, layer):
    """The new value of trainable parameters, the old one of frozen ones."""
    if frozen is None:
        return new
    return select(load(shape, numbers, at + layer.learning, stride) > 0.0, new, old)


@part
def take_step(shape, recipe, g, w, block, at, stride, layer):
    """Count direction changes and take a step. NaN for runs whose parameters overflow, else 0.

    Frozen parameters have derivative 0 and keep their value whatever the step would be.
    """
    numbers, frozen = block.numbers, recipe.features.frozen
    g = of_learning(frozen, shape, g, 0.0, numbers, at, stride, layer)
    count_changes(shape, g > 0.0, block.signs, block.recent, at, stride)
    new = step(recipe.optimizer, shape, numbers, layer, at, stride, g, w)
    w = of_learning(frozen, shape, new, w, numbers, at, stride, layer)
    store(shape, numbers, at, stride, w)
    return fold(shape, w - w)


@part
def _take_or_keep(norm_clipping, shape, recipe, g, w, block, at, stride, layer):
    """Take the step or, with clipping, store the gradient until its norm is known."""
    if norm_clipping is None:
        return take_step(shape, recipe, g, w, block, at, stride, layer)
    g = of_learning(recipe.features.frozen, shape, g, 0.0, block.numbers, at, stride, layer)
    store(shape, block.numbers, at + layer.gradient, stride, g)
    return fold(shape, zeros(shape))


@part
def update(shape, recipe, is_weight, g, block, at, stride, layer):
    """Finish a derivative after the last group of samples: see :func:`take_step`."""
    numbers = block.numbers
    w = load(shape, numbers, at, stride)
    g = _averaged(recipe.mean, shape, g, block)
    if is_weight:
        g = _connected(recipe.features.dropconnect, shape, g, numbers, at + layer.factors, stride)
        g = _penalized(recipe.features.penalty, shape, g, w, numbers, layer)
    clipping = recipe.features.norm_clipping
    return _take_or_keep(clipping, shape, recipe, g, w, block, at, stride, layer)


@part
def _gradient_tiles(
    shape, scalar, recipe, stored, inputs, group, block, layer, first, d_end, begin, end
):
    """Minus the derivative for inputs first to d_end, units begin to end: inputs.T @ delta.

    Padding is left out: its values may be infinite, and 0 times infinity is NaN.
    """
    runs = runs_of(shape)
    numbers, values, stride = block.numbers, inputs.values, layer.outputs * runs
    samples = min(group.end, group.real - group.start) - group.begin
    overflow = zeros(scalar)
    for d in range(first, d_end, rows_of(shape)):
        for h in range(begin, end, units_of(shape)):
            tile = first_units(shape, end - h)
            at = opaque(layer.weights + d * stride + h * runs)
            g = zeros(tile)
            if not group.is_first:
                g = load(tile, numbers, at + layer.gradient, stride)
            i = opaque(inputs.start + group.begin * inputs.stride + d * runs_of(stored))
            j = opaque(layer.units + layer.deltas + group.begin * layer.stride + h * runs)
            for _ in range(samples):
                x = rows(tile, stored, values, i, runs_of(stored))
                g = fma(x, panel(tile, numbers, j), g)
                i += inputs.stride
                j += layer.stride
            if group.is_last:
                # Kept in a register: in memory it would chain all updates of an iteration together.
                is_weight = d < layer.units_below
                overflow = overflow + update(tile, recipe, is_weight, g, block, at, stride, layer)
            else:
                store(tile, numbers, at + layer.gradient, stride, g)
    return overflow


@part
def all_weights(layer):
    """The area that covers all weights of a layer."""
    return Area(0, layer.full_inputs, layer.inputs, 0, layer.wide_outputs, layer.outputs)


@part
def gradient(shapes, recipe, stored, inputs, group, block, layer, area):
    """Add a group's contribution to the gradient of an area; the last group updates the weights."""
    overflow = _gradient_tiles(
        shapes.wide, shapes.scalar, recipe, stored, inputs, group, block, layer,
        area.first_input, area.full_inputs, area.first_unit, area.wide_units,
    )  # fmt: skip
    overflow = overflow + _gradient_tiles(
        shapes.wide_row, shapes.scalar, recipe, stored, inputs, group, block, layer,
        area.full_inputs, area.inputs, area.first_unit, area.wide_units,
    )  # fmt: skip
    overflow = overflow + _gradient_tiles(
        shapes.rest, shapes.scalar, recipe, stored, inputs, group, block, layer,
        area.first_input, area.full_inputs, area.wide_units, area.units,
    )  # fmt: skip
    return overflow + _gradient_tiles(
        shapes.rest_row, shapes.scalar, recipe, stored, inputs, group, block, layer,
        area.full_inputs, area.inputs, area.wide_units, area.units,
    )  # fmt: skip
