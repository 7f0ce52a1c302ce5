"""The fused training loop over one block of runs, and the same over many blocks in parallel.

Letters: N samples, D inputs and H outputs of a layer, K layers, P parameters, R runs side by side.

An iteration goes over the samples in groups. A group runs forward through all layers, then back;
each layer's gradient grows from group to group, and the last group turns it into the update. With
few samples there is one group, and a gradient never leaves the registers.

Numbers contract: every sum is a chain of fused multiply-adds in index order that starts from zero
(over inputs in the forward pass, over outputs in the pass back, over samples in the gradient). The
shape of the tiles decides what is computed when, never the order of a sum; so the bits of a run
are the same for every R, tile, group, chunk, thread and neighbour.

Tried and not kept (ns per iteration of 3-4-1 with AVX-512: one run / one of eight in a block):

- products, then sigmoids, slopes and updates as passes of their own over flat arrays: 93 / 18.6,
  where finishing each tile in registers took 80 / 16.4;
- the products as calls of one compiled function: 145 / 25.8, as no stride is a constant then;
- the overflow check summed up in memory: each update waited for the one before (the gradient of
  3-32-1's first layer took 321 ns instead of 154);
- LLVM's optsize attribute, to keep it from copying loops: no smaller, no faster;
- previous updates and counts as float64 beside each weight: 141 ns instead of 63 for the updates
  of 3-32-1, as they crowd the first-level cache; bytes fit;
- clamping after the sigmoid's quotient instead of before it, for a shorter chain: no faster;
- tiles of one row and twice as many units for the inputs left over (3 in the article): no faster.
"""

from numba import njit, prange, typeof

from fastgd.kernel.block import Block, Group, Layer, Samples
from fastgd.kernel.cache import cached_njit
from fastgd.kernel.functions import INLINED, sigmoid
from fastgd.kernel.tile import (
    any_nan,
    call_compiled,
    count_changes,
    fma,
    fold,
    load,
    load_shared,
    magnitude,
    opaque,
    panel,
    rows,
    rows_of,
    runs_of,
    store,
    units,
    units_of,
    zeros,
)

# Inlined before types are inferred: such a function only hands its arguments on, and compiling it
# by itself would optimise everything below it once more (it took a quarter of the compile time).
SPLICED = {"error_model": "numpy", "inline": "always", "_nrt": False}

FLUSH = 255
"""Direction changes are counted in bytes, which are emptied into ``changes`` this often."""


@njit(**SPLICED)
def _layer(table, k):
    return Layer(
        table[k, 0], table[k, 1], table[k, 2], table[k, 3], table[k, 4], table[k, 5],
        table[k, 6], table[k, 7], table[k, 8], table[k, 9], table[k, 10], table[k, 11],
    )  # fmt: skip


@njit(**INLINED)
def _activate(shape, a, data, target, block, layer, at):
    """Store sigmoid(a), in the last layer also its delta: (y - output) * slope."""
    v = sigmoid(a)
    store(shape, block.numbers, at, layer.row, v)
    if layer.is_output:
        delta = (load_shared(shape, data.y, target, layer.outputs) - v) * (v * (1.0 - v))
        delta = delta * load_shared(shape, data.importance, target, layer.outputs)
        store(shape, block.numbers, at + layer.deltas, layer.row, delta)


@njit(**INLINED)
def _forward_tiles(shape, piece, layout, inputs, data, group, block, layer, begin, end):
    """Activations of the units from begin to end: sigmoid(inputs @ weights)."""
    runs = runs_of(shape)
    n = 0
    while n < group.samples:
        h = begin
        while h < end:
            a = zeros(shape)
            i = opaque(inputs.start + n * inputs.row)
            j = opaque(layer.weights + h * runs)
            for _ in range(layer.inputs):
                x = rows(shape, layout, inputs.values, i, inputs.row)
                a = fma(x, panel(shape, block.numbers, j), a)
                i += runs_of(layout)
                j += layer.outputs * runs
            at = opaque(layer.units + n * layer.row + h * runs)
            target = opaque((group.start + n) * layer.outputs + h)
            if piece is None:
                _activate(shape, a, data, target, block, layer, at)
            else:
                store(shape, block.numbers, at, layer.row, a)
                for _ in range(0, rows_of(shape), rows_of(piece)):
                    a = load(piece, block.numbers, at, layer.row)
                    _activate(piece, a, data, target, block, layer, at)
                    at += rows_of(piece) * layer.row
                    target += rows_of(piece) * layer.outputs
            h += units_of(shape)
        n += rows_of(shape)


@njit(**SPLICED)
def _forward(shapes, layout, inputs, data, group, block, layer):
    _forward_tiles(
        shapes.wide, shapes.wide_piece, layout, inputs, data, group, block, layer,
        0, layer.wide_outputs,
    )  # fmt: skip
    _forward_tiles(
        shapes.narrow, shapes.narrow_piece, layout, inputs, data, group, block, layer,
        layer.wide_outputs, layer.outputs,
    )  # fmt: skip


@njit(**INLINED)
def _back_tiles(shape, layout, group, block, layer, below, begin, end):
    """Deltas of the layer below, units from begin to end: (delta @ weights.T) * slope."""
    runs = runs_of(shape)
    numbers, deltas = block.numbers, layer.deltas
    n = 0
    while n < group.samples:
        d = begin
        while d < end:
            error = zeros(shape)
            i = opaque(layer.units + deltas + n * layer.row)
            j = opaque(layer.weights + d * layer.outputs * runs)
            for _ in range(layer.outputs):
                delta = rows(shape, layout, numbers, i, layer.row)
                error = fma(delta, units(shape, numbers, j, layer.outputs * runs), error)
                i += runs
                j += runs
            at = opaque(below.units + n * below.row + d * runs)
            v = load(shape, numbers, at, below.row)
            store(shape, numbers, at + deltas, below.row, error * (v * (1.0 - v)))
            d += units_of(shape)
        n += rows_of(shape)


@njit(**SPLICED)
def _back(shapes, group, block, layer, below):
    _back_tiles(shapes.wide, shapes.one, group, block, layer, below, 0, layer.wide_inputs)
    _back_tiles(
        shapes.narrow, shapes.one, group, block, layer, below, layer.wide_inputs, layer.inputs
    )


@njit(**INLINED)
def _update(shape, g, block, at, row, alpha):
    """Count direction changes, add alpha * g to w. NaN per run whose weights overflow, else 0."""
    count_changes(shape, g > 0.0, block.signs, block.recent, at, row)
    w = fma(units(shape, block.numbers, alpha, 0), g, load(shape, block.numbers, at, row))
    store(shape, block.numbers, at, row, w)
    return fold(shape, w - w)


@njit(**INLINED)
def _gradient_tiles(shape, one, layout, inputs, group, block, layer, first, d_end, begin, end):
    """Minus the derivative for inputs first to d_end, units begin to end: inputs.T @ delta."""
    runs = runs_of(shape)
    row = layer.outputs * runs
    overflow = zeros(one)
    d = first
    while d < d_end:
        h = begin
        while h < end:
            at = opaque(layer.weights + d * row + h * runs)
            g = zeros(shape)
            if not group.is_first:
                g = load(shape, block.numbers, at + layer.gradient, row)
            i = opaque(inputs.start + d * runs_of(layout))
            j = opaque(layer.units + layer.deltas + h * runs)
            for _ in range(group.samples):
                x = rows(shape, layout, inputs.values, i, runs_of(layout))
                g = fma(x, panel(shape, block.numbers, j), g)
                i += inputs.row
                j += layer.row
            if group.is_last:
                # Kept in a register: through memory it would chain all updates of an iteration.
                overflow = overflow + _update(shape, g, block, at, row, layer.alpha)
            else:
                store(shape, block.numbers, at + layer.gradient, row, g)
            h += units_of(shape)
        d += rows_of(shape)
    return overflow


@njit(**SPLICED)
def _gradient(shapes, layout, inputs, group, block, layer):
    overflow = _gradient_tiles(
        shapes.wide, shapes.one, layout, inputs, group, block, layer,
        0, layer.full_inputs, 0, layer.wide_outputs,
    )  # fmt: skip
    overflow = overflow + _gradient_tiles(
        shapes.wide_row, shapes.one, layout, inputs, group, block, layer,
        layer.full_inputs, layer.inputs, 0, layer.wide_outputs,
    )  # fmt: skip
    overflow = overflow + _gradient_tiles(
        shapes.narrow, shapes.one, layout, inputs, group, block, layer,
        0, layer.full_inputs, layer.wide_outputs, layer.outputs,
    )  # fmt: skip
    return overflow + _gradient_tiles(
        shapes.narrow_row, shapes.one, layout, inputs, group, block, layer,
        layer.full_inputs, layer.inputs, layer.wide_outputs, layer.outputs,
    )  # fmt: skip


@njit(**INLINED)
def _add_errors(one, data, group, block, layer, record):
    """Add |y - output| of a group's samples to a record."""
    runs = runs_of(one)
    total = load(one, block.errors, record * runs, 0)
    for n in range(group.samples):
        for h in range(layer.outputs):
            target = (group.start + n) * layer.outputs + h
            v = load(one, block.numbers, layer.units + n * layer.row + h * runs, 0)
            error = magnitude(load_shared(one, data.y, target, 0) - v)
            total = fma(error, load_shared(one, data.importance, target, 0), total)
    store(one, block.errors, record * runs, 0, total)


@njit(**INLINED)
def _flush(block, keep):
    """Move the recent direction changes to ``changes``, or drop those of the first update."""
    for i in range(len(block.changes)):
        if keep:
            block.changes[i] += block.recent[i]
        block.recent[i] = 0


@njit(**INLINED)
def _note_overflow(one, overflow, block, iteration):
    """Note the iteration for each run that has just diverged: its ``overflow`` is NaN."""
    if any_nan(overflow):
        store(one, block.overflow, 0, 0, overflow)
        for r in range(runs_of(one)):
            if block.overflow[r] != 0.0 and block.diverged[r] < 0:
                block.diverged[r] = iteration


@njit(**SPLICED)
def _forward_layers(shapes, data, layers, group, block, x):
    bottom = _layer(layers, 0)
    _forward(shapes, shapes.shared, x, data, group, block, bottom)
    for k in range(1, len(layers)):
        below, layer = _layer(layers, k - 1), _layer(layers, k)
        inputs = Samples(block.numbers, below.units, below.row)
        _forward(shapes, shapes.one, inputs, data, group, block, layer)


@njit(**SPLICED)
def _back_layers(shapes, layers, group, block, x):
    overflow = zeros(shapes.one)
    for k in range(len(layers) - 1, 0, -1):
        below, layer = _layer(layers, k - 1), _layer(layers, k)
        _back(shapes, group, block, layer, below)
        inputs = Samples(block.numbers, below.units, below.row)
        overflow = overflow + _gradient(shapes, shapes.one, inputs, group, block, layer)
    bottom = _layer(layers, 0)
    return overflow + _gradient(shapes, shapes.shared, x, group, block, bottom)


@njit(**INLINED)
def _record_of(j, schedule, records):
    """The record that iteration j writes, or -1; the last record is the final error."""
    if j == schedule.iterations:
        return records - 1
    return j // schedule.record_every if j % schedule.record_every == 0 else -1


@cached_njit(error_model="numpy", nogil=True, _nrt=False)
def descend(shapes, data, layers, block, schedule):
    """Train a block from iteration ``schedule.first`` to ``last``; it can go on from there.

    Nothing is allocated and nothing raised: the caller has checked everything.
    """
    one = shapes.one
    bottom, top = _layer(layers, 0), _layer(layers, len(layers) - 1)
    N = len(data.X) // bottom.inputs
    for j in range(schedule.first, schedule.last):
        training = j < schedule.iterations
        record = _record_of(j, schedule, len(block.errors) // runs_of(one))
        overflow = zeros(one)
        for start in range(0, N, schedule.group):
            samples = min(schedule.group, N - start)
            group = Group(start, samples, start == 0, start + samples == N)
            x = Samples(data.X, start * bottom.inputs, bottom.inputs)
            _forward_layers(shapes, data, layers, group, block, x)
            if record >= 0:
                _add_errors(one, data, group, block, top, record)
            if training:
                overflow = overflow + _back_layers(shapes, layers, group, block, x)
        if record >= 0:
            for r in range(runs_of(one)):
                block.errors[record * runs_of(one) + r] /= schedule.values
        if training:
            _note_overflow(one, overflow, block, j + 1)
            if j % FLUSH == 0:
                _flush(block, j > 0)
    _flush(block, True)


@cached_njit(error_model="numpy", nogil=True, parallel=True)
def descend_all(compiled, shapes, data, layers, blocks, schedule):
    """Train many blocks (a leading axis on each array of ``blocks``) on all threads.

    ``compiled`` is the address of :func:`descend`, compiled for these arguments.
    """
    for b in prange(len(blocks.numbers)):
        block = Block(
            blocks.numbers[b],
            blocks.signs[b],
            blocks.recent[b],
            blocks.changes[b],
            blocks.overflow[b],
            blocks.diverged[b],
            blocks.errors[b],
        )
        call_compiled(compiled, (shapes, data, layers, block, schedule))


def address_of_descend(*arguments):
    """Compile :func:`descend` for these arguments, or load it from the cache: its address."""
    signature = tuple(map(typeof, arguments))
    descend.compile(signature)
    compiled = descend.overloads[signature]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
