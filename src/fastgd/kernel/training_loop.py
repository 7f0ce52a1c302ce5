"""Gradient descent of one block of runs: the article's thirteen lines, over tiles.

Letters: N samples, D inputs and H outputs of a layer, K layers, P parameters, R runs side by side.

From top to bottom as in the article, whose lines are cited where they are:

=====================  ============================================================
article                here
=====================  ============================================================
line 7                 :func:`descend`, the loop over iterations
lines 8, 9             :func:`forward`: ``layer_1 = 1/(1+np.exp(-(np.dot(X, synapse_0))))``
line 10                :func:`_finish_output`: ``(layer_2 - y)*(layer_2*(1-layer_2))``
lines 11, 12           :func:`back`: ``layer_2_delta.dot(synapse_1.T) * (layer_1 * (1-layer_1))``
lines 13, 14           :func:`gradient`, ``layer_1.T.dot(layer_2_delta)``, and :func:`.take_step`
its count of changes   :func:`.take_step`: how often each weight has changed its direction
=====================  ============================================================

Lines 1 to 6 are Python's: :mod:`fastgd.engine` draws the initial weights. Deltas have the opposite
sign here, minus the derivative, so that the step is added.

An iteration processes its samples in groups. A group runs forward through all layers, then back.
Each layer's gradient accumulates from group to group, and the last group turns it into the update.
With few samples there is one group, and the gradient never leaves the registers. Errors are
measured during the training's own forward pass, unless that uses other samples or another network
than ``predict`` does; then iterations whose error is needed have an extra pass for it.

Numbers contract: every sum is a chain of fused multiply-adds in index order that starts from zero
(over inputs in the forward pass, over outputs in the backward pass, over samples in the gradient).
The shape of the tiles decides what is computed when, never the order of a sum. So the bits of a run
are the same for every R, tile, group, chunk, thread and neighboring run. A bias is the weight of an
additional last input that is always 1.

What the article doesn't have is at the end, or in :mod:`fastgd.kernel.extensions`, which says which
functions of this file have another body where an option is on.
One large network on several threads is :mod:`fastgd.kernel.splitting`, from the same pieces.

LLVM hoists loop-invariant code out of a loop only if it is certain to execute: a load or a division
behind a condition stays inside. So the first group of samples is processed unconditionally.

Tried and rejected (ns per iteration of 3-4-1 with AVX-512: a run alone / a run in a block of 8):

- products, then sigmoids, derivatives and updates as separate passes over flat arrays: 93 / 18.6,
  where finishing each tile in registers took 80 / 16.4;
- the products as calls of one compiled function: 145 / 25.8, as strides are no constants then;
- the overflow check summed up in memory: each update waited for the previous one (the gradient of
  3-32-1's first layer took 321 ns instead of 154);
- LLVM's optsize attribute, to keep it from duplicating loops: no smaller, no faster;
- previous updates and counts as float64 next to each weight: 141 ns instead of 63 for the updates
  of 3-32-1, as they crowd the first-level cache; bytes fit;
- clamping after the sigmoid's division instead of before it, for a shorter dependency chain: no
  faster;
- tiles with one row and twice as many units for the inputs left over (3 in the article): no faster;
- rare work (records, ends of runs, flushes) as cold functions that are not inlined: 96 where
  inlining all of it took 92;
- samples of a group counted in a loop that tests at its end: 91 where it was 89;
- the gradient unit by unit, then input by input, so that a group's deltas stay in the first-level
  cache: 1.03 times the time of a sweep of 3-4-1 and of 16-16-1, the same for 64-64-10, and 0.96 for
  one 784-100-10, though the loop alone, of 64 inputs, 64 units and 64 samples, gained 14 %;
- tiles of 8 rows and half as many units: no faster at any size, alone or side by side;
- weights copied so that those of a tile are contiguous: the forward pass alone gained 5 % at
  784-100-10 and at 64-64-10, not counting the time for the copy;
- in code for one network, LLVM's vectors limited to 256 bits in place of samples taken one by one:
  76 where that took 70 (with 512 bits 83); LLVM's memdep-block-scan-limit at 2,000 in place of 100,
  so that weights stay in registers, too: 0.97 of the time, but it is an option of the process;
- the overflow check as a chain of multiply-adds by 0, one operation a weight in place of two: 0.99
  for 3-4-1 alone, 1.00 for a sweep of it, between 0.94 and 1.03 for one of 3-32-1;
- all arrays of a block aligned to cache lines (though arrays written in each update must not share
  a line with those of another thread's block); the blocks of one thread in a compiled loop: no
  faster.
"""

from typing import Any, NamedTuple

from numba.core import types

from fastgd.kernel.block import (
    Area,
    LayerInputs,
    SampleGroup,
    all_blocks,
    all_data,
    all_layers,
    all_spans,
    value,
)
from fastgd.kernel.iteration.activations import BOTH, activate, kept_derivative, put_activation
from fastgd.kernel.iteration.losses import add_errors, keep_input, loss_delta, target_of
from fastgd.kernel.iteration.monitoring import (
    hold,
    is_stopped,
    is_watched,
    look_of,
    loss_place_of,
    observe,
    record_of,
)
from fastgd.kernel.iteration.optimizer_steps import prepare, set_rates
from fastgd.kernel.iteration.updates import after_update, flush, update
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.loads_and_stores import (
    load,
    panel,
    rows,
    store,
    store_by_run,
    thread_of,
    threads_of,
    units,
)
from fastgd.kernel.language.specialization import WHOLE, dispatch, part
from fastgd.kernel.language.tile import (
    first_units,
    fma,
    magnitude,
    opaque,
    rows_of,
    runs_of,
    select,
    units_of,
    with_sign,
    zeros,
)
from fastgd.kernel.language.translation import translated

STRIP = 64
"""Inputs in a strip: their weights for one tile take 16 KB of a first-level cache of 32 or more.

One 784-100-10 took 0.91 of the time with 32 to 128 of them, a sweep of 8 runs 0.65.
"""

TOGETHER = 32
"""Samples that a forward pass takes at a time, so that inputs and sums stay in that cache, too.

With thousands of samples at a time, 300-20-10 with batch normalization took 1.4 times as long.
"""


class Descent(NamedTuple):
    """A block of runs and how it trains, for all iterations of a call."""

    shapes: Any  # see fastgd.kernel.block for these five
    recipe: Any
    layers: Any
    block: Any
    span: Any


class Pass(NamedTuple):
    """What a pass over samples is for: forward through all layers and, when training, back."""

    data: Any  # the samples, and how many there are: with padding, and without
    padded: int
    real: int
    j: int  # the iteration
    look: int  # iterations between evaluations of the monitored error
    record: int  # the index of the errors' record, or -1
    measures: bool  # the error of these samples is needed
    holds: bool  # they are validation samples
    trains: bool


# ---------------------------------------------------------------- line 7: the loop


@cached_njit(**WHOLE)
@translated
def descend(shapes, recipe, data, layers, blocks, b, span):
    """Train block b from iteration ``span.first`` to ``last``; a later call can continue there.

    ``data``, ``layers``, ``blocks`` and ``span`` are named tuples encoded by ``structs.encode``.
    Nothing is allocated and nothing is raised: the caller has checked everything.
    """
    layers, block = _layers(shapes.layout, layers), all_blocks(blocks)[b]
    span = all_spans(span)[0]
    descent = Descent(shapes, recipe, layers, block, span)
    scalar = shapes.scalar
    is_held = is_on(recipe.held)
    tables = 1 + is_held
    held, data = all_data(data)[tables * b + is_held], all_data(data)[tables * b]
    phases = 1 + is_on(recipe.separate)
    width = layers[len(layers) - 1].outputs * runs_of(shapes.data)
    all_samples, of_batch = len(data.y) // width, len(block.batch.y) // width
    look = look_of(data, span)
    due = -(-span.first // span.record_every) * span.record_every
    for j in range(span.first, span.last):  # line 7: for j in xrange(60000)
        record = -1
        if j == due or j == span.iterations:  # no division in every iteration
            record = record_of(j, span, len(block.errors) // runs_of(scalar))
            due += span.record_every
        wanted = record >= 0 or is_watched(recipe.watch, j, span, look)
        wanted = wanted or is_on(recipe.curvature) or is_stopped(recipe.stop, scalar, block)
        overflow = zeros(scalar)
        if wanted:
            _hold_out(recipe.held, descent, held, j, look, record)
        for phase in range(phases):  # errors, maybe in a pass of their own, and the update
            measures = wanted and phase == 0 and not is_on(recipe.outputs)
            trains = j < span.iterations and phase == phases - 1
            if phases == 1 or measures or trains:
                source, N, real = begin_pass(descent, data, all_samples, of_batch, j, trains)
                one_pass = Pass(source, N, real, j, look, record, measures, False, trains)
                overflow = _pass(shapes.layout, descent, one_pass)
        if j < span.iterations:
            learn_chances(recipe.batches, descent, data)
            overflow = take_second_order_steps(
                recipe.curvature, descent, data, all_samples, overflow
            )
            if after_update(descent, overflow, j):
                return
    flush(scalar, block, True)


@part
def _layers(layout, layers):
    """The layers of a table, or the constant ones that the code is specialized for."""
    if layout is None:
        return all_layers(layers)
    return layout.layers


@part
def is_on(choice):
    """1 for a choice, 0 for None."""
    return 0 if choice is None else 1


@part
def begin_pass(descent, data, N, of_batch, j, trains):
    """What precedes a pass; returns its samples, and their number with and without padding.

    It takes all N samples or, in training, maybe a mini-batch of ``of_batch`` samples.
    """
    shapes, recipe, layers, block = descent.shapes, descent.recipe, descent.layers, descent.block
    scalar, source, real = shapes.scalar, data, data.samples
    if trains:
        t = j - descent.span.schedule_start
        set_rates(recipe.schedule, scalar, layers, block, descent.span, t)
        prepare(recipe.optimizer, scalar, block.numbers, layers[0])
        source, real = choose_samples(recipe.batches, descent, data, j)
        N = padded_of(recipe.batches, N, of_batch)
        draw_noise(recipe.features.gradient_noise, descent, j)
    drop_weights(recipe.features.dropconnect, scalar, layers, block, j, trains)
    if trains:
        transpose(shapes.transposed, scalar, block.numbers, layers)
    return source, N, real


@part
def _pass(layout, descent, one_pass):
    """Take all samples forward and, when training, back: lines 8 to 14.

    With a ``layout`` these are the samples that the code is specialized for.
    Returns NaN for each run that diverges, else 0; or for second-order steps the squared error.
    """
    shapes, recipe, layers, block = descent.shapes, descent.recipe, descent.layers, descent.block
    overflow, total = zeros(shapes.scalar), zeros(shapes.scalar)
    start = 0
    while True:
        group = group_of(layout, descent.span, one_pass.data, start, one_pass.padded, one_pass.real)
        fill_inputs(recipe.features.input_noise, descent, group, one_pass.j, one_pass.trains)
        x = inputs_of(recipe.features.input_noise, descent, group.data, group.start)
        forward_layers(descent, group, x, one_pass.j, one_pass.trains)
        count_units(recipe.measure, descent, group, one_pass)
        keep_outputs(recipe.outputs, shapes, group, block, layers[len(layers) - 1])
        if one_pass.measures:
            total = measure_group(descent, one_pass, group, total)
        if one_pass.trains:
            overflow = _learn(recipe.outputs, recipe.curvature, descent, group, x, overflow)
        if group.is_last:
            break
        start += descent.span.group
    return overflow


@part
def group_of(layout, span, data, start, N, real):
    """The group of samples from ``start`` on; all samples if there are few."""
    if layout is None:
        samples = min(span.group, N - start)
        return SampleGroup(data, start, 0, samples, real, start == 0, start + samples == N)
    return SampleGroup(data, 0, 0, layout.samples, layout.real, True, True)


# ---------------------------------------------------------------- lines 8 and 9: forward


@part
def forward_layers(descent, group, x, j, training):
    """Compute the values of all layers for a group of samples, from its inputs x."""
    recipe, layers, block = descent.recipe, descent.layers, descent.block
    scalar, dropout = descent.shapes.scalar, recipe.features.dropout
    forward(descent, group, x, layers[0])  # line 8: layer_1 = 1/(1+np.exp(-(np.dot(X,synapse_0))))
    finish_lines(recipe.tangents, descent, group, layers[0])
    for k in range(1, len(layers)):
        below, layer = layers[k - 1], layers[k]
        normalize(recipe.batch_norm, scalar, recipe.activation, group, block, below, training)
        if training:
            drop_units(dropout, scalar, recipe.activation, group, block, below, j)
        inputs = LayerInputs(block.numbers, below.units, below.stride, scalar)
        forward(descent, group, inputs, layer)  # line 9: layer_2 = ... np.dot(layer_1,synapse_1)
        finish_lines(recipe.tangents, descent, group, layer)
    couple(recipe.coupling, descent, group, layers[len(layers) - 1])


@part
def forward(descent, group, inputs, layer):
    """Compute a group's values of a layer from those of the layer below."""
    for n in range(group.begin, group.end, TOGETHER):
        end = min(n + TOGETHER, group.end)
        some = SampleGroup(
            group.data, group.start, n, end, group.real, group.is_first, group.is_last
        )
        if descent.shapes.strips is None:
            _forward_strip(descent, some, inputs, layer, 0, layer.inputs)
        else:
            for first in range(0, layer.inputs, STRIP):
                last = min(first + STRIP, layer.inputs)
                _forward_strip(descent, some, inputs, layer, first, last)


@part
def _forward_strip(descent, group, inputs, layer, first, last):
    """Add the inputs from first to last to a group's values of a layer."""
    shapes, wide, end = descent.shapes, layer.wide_outputs, layer.outputs
    _forward_tiles(
        shapes.wide, shapes.wide_piece, descent, group, inputs, layer, first, last, 0, wide
    )
    _forward_tiles(
        shapes.rest, shapes.rest_piece, descent, group, inputs, layer, first, last, wide, end
    )


@part
def _forward_tiles(shape, piece, descent, group, inputs, layer, first, last, begin, end):
    """Values of the units from begin to end: activation(inputs @ weights).

    Covers only the inputs from first to last; partial sums are stored in the place of the value.
    Products have the shape of a tile, activations that of a ``piece``; None if it is the same.
    """
    strips, recipe = descent.shapes.strips, descent.recipe
    runs, numbers, H = runs_of(shape), descent.block.numbers, layer.outputs
    for h in range(begin, end, units_of(shape)):
        for n in range(group.begin, group.end, rows_of(shape)):
            tile = first_units(shape, end - h)
            so_far = layer.units + n * layer.stride + h * runs
            a = zeros(tile)
            if strips is not None and first > 0:
                a = load(tile, numbers, so_far, layer.stride)
            i = opaque(inputs.start + n * inputs.stride + first * runs_of(inputs.shape))
            j = opaque(layer.effective + (first * H + h) * runs)
            for _ in range(first, last):  # np.dot(X, synapse_0)
                x = rows(tile, inputs.shape, inputs.values, i, inputs.stride)
                a = fma(x, panel(tile, numbers, j), a)
                i += runs_of(inputs.shape)
                j += H * runs
            at = opaque(so_far)
            if strips is not None and last < layer.inputs:
                store(tile, numbers, at, layer.stride, a)
                continue
            target = opaque((group.start + n) * H + h)
            if piece is None:
                _finish(recipe, tile, descent, group, a, target, layer, at)
            else:
                store(tile, numbers, at, layer.stride, a)
                part = first_units(piece, end - h)
                for _ in range(0, rows_of(shape), rows_of(piece)):
                    a = load(part, numbers, at, layer.stride)
                    _finish(recipe, part, descent, group, a, target, layer, at)
                    at += rows_of(piece) * layer.stride
                    target += rows_of(piece) * H


def _finish(recipe, shape, descent, group, a, target, layer, at):
    """Store the values of units with inputs a; in the last layer also the deltas."""


def _finish_alike(recipe, shape, descent, group, a, target, layer, at):
    numbers = descent.block.numbers
    v = activate(recipe.output, shape, numbers, layer, a)  # 1/(1+np.exp(-a))
    store(shape, numbers, at, layer.stride, v)
    if layer.is_output:
        _finish_output(shape, descent, group, v, a, target, layer, at)


def _finish_apart(recipe, shape, descent, group, a, target, layer, at):
    if layer.is_output:
        numbers = descent.block.numbers
        v = activate(recipe.output, shape, numbers, layer, a)
        store(shape, numbers, at, layer.stride, v)
        _finish_output(shape, descent, group, v, a, target, layer, at)
    else:
        _finish_hidden(recipe.batch_norm, shape, recipe, a, descent.block, layer, at)


def _store_products(recipe, shape, descent, group, a, target, layer, at):
    store(shape, descent.block.numbers, at, layer.stride, a)


def _finish_coupled(recipe, shape, descent, group, a, target, layer, at):
    if layer.is_output:  # see fastgd.kernel.extensions.coupled_units
        store(shape, descent.block.numbers, at, layer.stride, a)
    else:
        _finish_hidden(recipe.batch_norm, shape, recipe, a, descent.block, layer, at)


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


dispatch(_finish, _pick_finish)


@part
def _finish_hidden(batch_norm, shape, recipe, a, block, layer, at):
    """Store the value of hidden units; if they are batch-normalized later, their input instead."""
    if batch_norm is not None:
        store(shape, block.numbers, at, layer.stride, a)
        return
    put_activation(recipe.activation, shape, block.numbers, layer, at, layer.stride, a)


# ---------------------------------------------------------------- line 10: errors and first deltas


@part
def _finish_output(shape, descent, group, v, a, target, layer, at):
    """Store the delta of output units with value v, which came from input a."""
    recipe, block = descent.recipe, descent.block
    if recipe.outputs is not None:
        return
    numbers = block.numbers
    keep_input(recipe.inputs, shape, numbers, at + layer.preactivation, layer.stride, a)
    y, importance = target_of(shape, descent.shapes, group.data, layer, target)
    # line 10: layer_2_delta = (layer_2 - y)*(layer_2*(1-layer_2)), with the opposite sign
    delta = loss_delta(recipe.loss, recipe.output, shape, numbers, layer, y, v, a) * importance
    put_delta(shape, recipe, delta, block, layer, at)


@part
def put_delta(shape, recipe, delta, block, layer, at):
    """Store the delta of output units, unless only outputs are needed."""
    if recipe.outputs is not None:
        return
    delta = trimmed(recipe.features.trimming, shape, delta, block.numbers, layer)
    store(shape, block.numbers, at + layer.deltas, layer.stride, delta)


@part
def measure_group(descent, one_pass, group, total):
    """Add up the errors of a group; with the last group record them, and act on the result."""
    recipe, block, scalar = descent.recipe, descent.block, descent.shapes.scalar
    records = len(block.errors) // runs_of(scalar)
    place = -1 if one_pass.holds else loss_place_of(recipe.watch, one_pass.record, records)
    total = add_all_errors(recipe.tangents, descent, group, place, total)
    if group.is_last:
        if one_pass.holds:
            hold(recipe.held, scalar, block, one_pass.record, total)
        else:
            observe(recipe.mean, recipe.features.penalty, descent, one_pass, place, total)
    return total


# ---------------------------------------------------------------- lines 11 and 12: back


@part
def _learn(outputs, curvature, descent, group, x, so_far):
    """Backward pass through all layers; not compiled at all if only outputs are needed.

    Adds NaN to ``so_far`` for each run that diverges; or for a second-order step the squared error.
    """
    overflow = so_far
    if outputs is not None:
        return overflow
    if curvature is not None:
        return learn_curvature(curvature, descent, group, x, so_far)
    recipe, layers, block = descent.recipe, descent.layers, descent.block
    scalar = descent.shapes.scalar
    for k in range(len(layers) - 1, 0, -1):
        below, layer = layers[k - 1], layers[k]
        back(recipe.tangents, descent, group, layer, below)  # lines 11, 12: layer_1_delta = ...
        inputs = LayerInputs(block.numbers, below.units, below.stride, scalar)
        # line 13: synapse_1 -= (alpha * layer_1.T.dot(layer_2_delta))
        overflow = overflow + gradient(descent, group, inputs, layer, all_weights(layer))
        overflow = overflow + normalize_back(recipe.batch_norm, scalar, recipe, group, block, below)
    # line 14: synapse_0 -= (alpha * X.T.dot(layer_1_delta))
    return overflow + gradient(descent, group, x, layers[0], all_weights(layers[0]))


def back(tangents, descent, group, layer, below):
    """Compute a group's deltas of the layer below from those of a layer.

    With tangents there is another body, in :mod:`fastgd.kernel.extensions`.
    """
    shapes, wide = descent.shapes, layer.wide_inputs
    _back_tiles(shapes.wide, descent, group, layer, below, 0, wide)
    _back_tiles(shapes.rest, descent, group, layer, below, wide, layer.units_below)


@part
def _back_tiles(shape, descent, group, layer, below, begin, end):
    """Deltas of the layer below, units from begin to end: (delta @ weights.T) * derivative."""
    shapes, recipe, numbers = descent.shapes, descent.recipe, descent.block.numbers
    runs, deltas, stride = runs_of(shape), layer.deltas, layer.stride
    for n in range(group.begin, group.end, rows_of(shape)):
        for d in range(begin, end, units_of(shape)):
            tile = first_units(shape, end - d)
            first = layer.units + deltas + n * stride
            # line 11: layer_2_delta.dot(synapse_1.T)
            error = error_below(tile, shapes, numbers, layer, first, stride, d)
            at = opaque(below.units + n * below.stride + d * runs)
            # line 12: (layer_1 * (1-layer_1))
            if recipe.features.dropout is None:
                change = kept_derivative(recipe.activation, tile, numbers, below, at, below.stride)
            else:  # it is stored in the place of the delta
                change = load(tile, numbers, at + deltas, below.stride)
            delta = trimmed(recipe.features.trimming, tile, error * change, numbers, layer)
            store(tile, numbers, at + deltas, below.stride, delta)


@part
def error_below(shape, shapes, numbers, layer, first, stride, d):
    """A layer's deltas, from ``first`` on and ``stride`` apart, times the weights from inputs d on.

    Of all units from there on that are in the tile: ``layer_2_delta.dot(synapse_1.T)``.
    """
    runs, error, H = runs_of(shape), zeros(shape), layer.outputs
    i, step = opaque(first), runs if shapes.transposed is None else layer.units_below * runs
    j = opaque(
        layer.effective + d * H * runs if shapes.transposed is None else layer.transposed + d * runs
    )
    for _ in range(H):
        delta = rows(shape, shapes.scalar, numbers, i, stride)
        w = (
            units(shape, numbers, j, H * runs)
            if shapes.transposed is None
            else panel(shape, numbers, j)
        )
        error = fma(delta, w, error)
        i += runs
        j += step
    return error


# ---------------------------------------------------------------- lines 13 and 14: the update


@part
def all_weights(layer):
    """The area that covers all weights of a layer."""
    return Area(0, layer.full_inputs, layer.inputs, 0, layer.wide_outputs, layer.outputs)


@part
def gradient(descent, group, inputs, layer, area):
    """Add a group's contribution to the gradient of an area; the last group updates the weights."""
    shapes = descent.shapes
    first, full, last = area.first_input, area.full_inputs, area.inputs
    begin, wide, end = area.first_unit, area.wide_units, area.units
    return (
        _gradient_tiles(shapes.wide, descent, group, inputs, layer, first, full, begin, wide)
        + _gradient_tiles(shapes.wide_row, descent, group, inputs, layer, full, last, begin, wide)
        + _gradient_tiles(shapes.rest, descent, group, inputs, layer, first, full, wide, end)
        + _gradient_tiles(shapes.rest_row, descent, group, inputs, layer, full, last, wide, end)
    )


@part
def _gradient_tiles(shape, descent, group, inputs, layer, first, last, begin, end):
    """Minus the derivative for inputs first to last, units begin to end: inputs.T @ delta.

    Padding is left out: its values may be infinite, and 0 times infinity is NaN.
    """
    recipe, block, runs = descent.recipe, descent.block, runs_of(shape)
    numbers, stride = block.numbers, layer.outputs * runs
    samples = min(group.end, group.real - group.start) - group.begin
    overflow = zeros(descent.shapes.scalar)
    for d in range(first, last, rows_of(shape)):
        for h in range(begin, end, units_of(shape)):
            tile = first_units(shape, end - h)
            at = opaque(layer.weights + d * stride + h * runs)
            g = zeros(tile)
            if not group.is_first:
                g = load(tile, numbers, at + layer.gradient, stride)
            i = opaque(inputs.start + group.begin * inputs.stride + d * runs_of(inputs.shape))
            j = opaque(layer.units + layer.deltas + group.begin * layer.stride + h * runs)
            for _ in range(samples):  # layer_1.T.dot(layer_2_delta)
                x = rows(tile, inputs.shape, inputs.values, i, runs_of(inputs.shape))
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


# ---------------------------------------------------------------- options of a few lines


@part
def _hold_out(choice, descent, held, j, look, record):
    """Measure the error of the validation samples.

    This is a pass of its own instead of another phase of the iteration, which would make the code
    for the training samples the general one (3-4-1: 1.30 times the time, instead of 1.02). Code for
    one network is so in its training only; there may be any number of validation samples.
    """
    if choice is None:
        return
    shapes, layers = descent.shapes, descent.layers
    dropconnect = descent.recipe.features.dropconnect
    drop_weights(dropconnect, shapes.scalar, layers, descent.block, j, False)
    N = len(held.y) // (layers[len(layers) - 1].outputs * runs_of(shapes.data))
    _pass(None, descent, Pass(held, N, held.samples, j, look, record, True, True, False))


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
def trimmed(trimming, shape, delta, numbers, layer):
    """Set small deltas to zero and limit large ones."""
    if trimming is None:
        return delta
    delta = select(magnitude(delta) < value(shape, numbers, layer, trimming.trim_below), 0.0, delta)
    clip = value(shape, numbers, layer, trimming.clip_above)
    return select(magnitude(delta) > clip, with_sign(clip, delta), delta)


@part
def transpose(row, scalar, numbers, layers):
    """Transpose the weights that the passes use, so that the backward pass reads rows."""
    if row is None:
        return
    runs = runs_of(row)
    for k in range(1, len(layers)):
        layer = layers[k]
        D, H, d = layer.units_below, layer.outputs, 0
        tiled = D - D % units_of(row)
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


# ---------------------------------------------------------------- options in extensions
#
# These functions are for recipes without an option. See fastgd.kernel.extensions.


def choose_samples(batches, descent, data, j):
    """The samples that iteration j trains on, and their number without padding: all of them."""
    return data, data.samples


def padded_of(batches, all_samples, of_batch):
    """Number of samples of an iteration, with padding."""
    return all_samples


def learn_chances(batches, descent, data):
    """Update the sampling distribution, if samples are drawn, after an update of the weights."""


def count_units(measure, descent, group, one_pass):
    """Count the units of a group of samples that are saturated or not dead, to measure that."""


def normalize(batch_norm, scalar, activation, group, block, layer, training):
    """From a layer's products to its values, of batch-normalized units."""


def normalize_back(batch_norm, scalar, recipe, group, block, layer):
    """Deltas through batch normalization, and its update. NaN for each run that diverges."""
    return zeros(scalar)


def drop_units(dropout, scalar, activation, group, block, layer, iteration):
    """Apply dropout masks to hidden values and their derivatives."""


def drop_weights(dropconnect, scalar, layers, block, iteration, training):
    """Set the weights that this iteration's passes use: masked in training, else all of them."""


def draw_noise(gradient_noise, descent, iteration):
    """Draw the noise of all derivatives of an iteration."""


def fill_inputs(input_noise, descent, group, iteration, training):
    """Copy the inputs of a group of samples, each run its own, to add noise in training."""


def inputs_of(input_noise, descent, data, start):
    """The inputs of samples from ``start`` on: those of the data, if they are without noise."""
    shapes = descent.shapes
    stride = descent.layers[0].inputs * runs_of(shapes.data)
    return LayerInputs(data.X, start * stride, stride, shapes.data)


def lines_of(tangents, bottom):
    """Lines of a sample, given the first layer: its values only."""
    return 1


def finish_lines(tangents, descent, group, layer):
    """From the products of a group's lines to their values."""


def add_all_errors(tangents, descent, group, record, total):
    """Add |y - output| of a group's samples and, where losses are recorded, all their losses."""
    recipe, layers = descent.recipe, descent.layers
    return add_errors(
        recipe.coupling, descent.shapes, recipe.loss, recipe.output, group, descent.block,
        layers[len(layers) - 1], record, total,
    )  # fmt: skip


def couple(coupling, descent, group, layer):
    """Values and deltas of output units that depend on each other's inputs."""


def learn_curvature(curvature, descent, group, x, squares):
    """Add a group's products of derivatives; returns the squared errors with its own added."""
    return squares


def take_second_order_steps(curvature, descent, data, N, squares):
    """Take the steps of an iteration, if they are of second order.

    ``squares`` are their squared errors, the result of the pass, or else what is returned.
    """
    return squares
