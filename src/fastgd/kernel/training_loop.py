"""The fused training loop over one block of runs, and over many blocks in parallel.

Letters: N samples, D inputs and H outputs of a layer, K layers, P parameters, R runs side by side.

An iteration processes its samples in groups. A group runs forward through all layers, then back.
Each layer's gradient accumulates from group to group, and the last group turns it into the update.
With few samples there is one group, and the gradient never leaves the registers. Errors are
measured during the training's own forward pass, unless that uses other samples or another network
than ``predict`` does; then iterations whose error is needed have an extra pass for it.

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

One large network on several threads is :mod:`fastgd.kernel.splitting`.

LLVM hoists loop-invariant code out of a loop only if it is certain to execute: a load or a division
behind a condition stays inside. So the first group of samples is processed unconditionally.
"""

from functools import lru_cache

from numba import prange, typeof
from numba.core import types

from fastgd.kernel.block import Samples, all_blocks, all_data, all_layers, all_spans
from fastgd.kernel.extensions.batch_norm import normalize_back
from fastgd.kernel.extensions.batches import learn_chances
from fastgd.kernel.extensions.levenberg_marquardt import learn_curvature, take_second_order_steps
from fastgd.kernel.extensions.random_masks import drop_weights
from fastgd.kernel.extensions.tangents import back_through
from fastgd.kernel.iteration.errors import is_watched, look_of, record_of
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.numba_internals import call_compiled, entry_point, handle
from fastgd.kernel.language.specialization import PARALLEL, WHOLE, part
from fastgd.kernel.language.tile import runs_of, zeros
from fastgd.kernel.language.translation import translated
from fastgd.kernel.training_loop import (
    after_update,
    all_weights,
    before_update,
    flush,
    forward_layers,
    gradient,
    group_of,
    is_on,
    keep_outputs,
    measure_group,
    padded_of,
    transpose,
)


@part
def _learn(outputs, curvature, shapes, recipe, data, layers, group, block, x, so_far):
    """Backward pass through all layers; not compiled at all if only outputs are needed.

    Adds NaN to ``so_far`` for each run that diverges; or for a second-order step the squared error.
    """
    overflow = so_far
    if outputs is not None:
        return overflow
    if curvature is not None:
        return learn_curvature(shapes, recipe, data, layers, group, block, x, so_far)
    deltas, updates = recipe, recipe
    for k in range(len(layers) - 1, 0, -1):
        below, layer = layers[k - 1], layers[k]
        back_through(recipe.tangents, shapes, deltas, group, block, layer, below, layers[0])
        inputs = Samples(block.numbers, below.units, below.stride)
        overflow = overflow + gradient(
            shapes, updates, shapes.scalar, inputs, group, block, layer, all_weights(layer)
        )
        overflow = overflow + normalize_back(
            recipe.batch_norm, shapes.scalar, updates, group, block, below
        )
    return overflow + gradient(
        shapes, updates, shapes.data, x, group, block, layers[0], all_weights(layers[0])
    )


@part
def _pass(
    layout,
    shapes,
    recipe,
    data,
    layers,
    block,
    span,
    N,
    real,
    look,
    j,
    record,
    measuring,
    holding,
    training,
):
    """Take all samples of ``data`` forward and, when training, back.

    With a ``layout`` these are the samples that the code is specialized for.
    Returns NaN for each run that diverges, else 0; or for second-order steps the squared error. If
    ``measuring``, records their error, too; with ``holding``, ``data`` are the validation samples.
    """
    scalar = shapes.scalar
    bottom, top = layers[0], layers[len(layers) - 1]
    data_runs = runs_of(shapes.data)
    overflow, total = zeros(scalar), zeros(scalar)
    records = len(block.errors) // runs_of(scalar)
    start = 0
    while True:
        group = group_of(layout, span, start, N, real)
        stride = bottom.inputs * data_runs
        x = Samples(data.X, group.start * stride, stride)
        forward_layers(shapes, recipe, data, layers, group, block, x, j, training)
        keep_outputs(recipe.outputs, shapes, group, block, top)
        if measuring:
            total = measure_group(
                shapes, recipe, data, layers, group, block, span, look,
                j, record, records, holding, total,
            )  # fmt: skip
        if training:
            overflow = _learn(
                recipe.outputs, recipe.curvature, shapes, recipe, data, layers, group, block, x,
                overflow,
            )  # fmt: skip
        if group.is_last:
            break
        start += span.group
    return overflow


@part
def _hold_out(is_on, shapes, recipe, held, layers, block, span, look, j, record):
    """Measure the error of the validation samples.

    This is a pass of its own instead of another phase of the iteration, which would make the code
    for the training samples the general one (3-4-1: 1.30 times the time, instead of 1.02). Code for
    one network is so in its training only; there may be any number of validation samples.
    """
    if is_on is None:
        return
    drop_weights(recipe.features.dropconnect, shapes.scalar, layers, block, j, False)
    N = len(held.y) // (layers[len(layers) - 1].outputs * runs_of(shapes.data))
    _pass(
        None, shapes, recipe, held, layers, block, span, N, held.samples,
        look, j, record, True, True, False,
    )  # fmt: skip


@part
def _layers(layout, layers):
    """The layers of a table, or the constant ones that the code is specialized for."""
    if layout is None:
        return all_layers(layers)
    return layout.layers


@cached_njit(**WHOLE)
@translated
def descend(shapes, recipe, data, layers, blocks, b, span):
    """Train block b from iteration ``span.first`` to ``last``; a later call can continue there.

    ``data``, ``layers``, ``blocks`` and ``span`` are named tuples encoded by ``structs.encode``.
    Nothing is allocated and nothing is raised: the caller has checked everything.
    """
    layers, block = _layers(shapes.layout, layers), all_blocks(blocks)[b]
    span = all_spans(span)[0]
    scalar = shapes.scalar
    is_held = is_on(recipe.held)
    tables = 1 + is_held
    held, data = all_data(data)[tables * b + is_held], all_data(data)[tables * b]
    phases = 1 + is_on(recipe.separate)
    width = layers[len(layers) - 1].outputs * runs_of(shapes.data)
    all_samples, of_batch = len(data.y) // width, len(block.batch.y) // width
    look = look_of(data, span)
    due = -(-span.first // span.record_every) * span.record_every
    for j in range(span.first, span.last):
        record = -1
        if j == due or j == span.iterations:  # no division in every iteration
            record = record_of(j, span, len(block.errors) // runs_of(scalar))
            due += span.record_every
        wanted = record >= 0 or is_watched(recipe.watch, j, span, look)
        wanted = wanted or is_on(recipe.curvature)
        overflow = zeros(scalar)
        if wanted:
            _hold_out(recipe.held, shapes, recipe, held, layers, block, span, look, j, record)
        for phase in range(phases):
            measuring = wanted and phase == 0 and not is_on(recipe.outputs)
            training = j < span.iterations and phase == phases - 1
            if phases == 1 or measuring or training:
                source, N, real = data, all_samples, data.samples
                if training:
                    source, real = before_update(shapes, recipe, data, layers, block, span, j)
                    N = padded_of(recipe.batches, all_samples, of_batch)
                drop_weights(recipe.features.dropconnect, scalar, layers, block, j, training)
                if training:
                    transpose(shapes, layers, block)
                overflow = _pass(
                    shapes.layout, shapes, recipe, source, layers, block, span, N, real,
                    look, j, record, measuring, False, training,
                )  # fmt: skip
        if j < span.iterations:
            learn_chances(recipe.batches, scalar, data, layers, block, span)
            overflow = take_second_order_steps(
                recipe.curvature, shapes, recipe, data, layers, block, span, all_samples, overflow
            )
            if after_update(shapes, recipe, layers, block, span, overflow, j):
                return
    flush(scalar, block, True)


@cached_njit(**PARALLEL)
def descend_all(compiled, data, layers, blocks, span, in_turn):
    """Train all blocks on all threads, each thread some of them ``in_turn``.

    ``compiled`` is a handle from :func:`handle_of`. Compiled code no longer takes the markers as
    arguments, so this function is the same for all shapes and recipes.
    """
    for first in prange(-(-len(blocks) // in_turn)):
        for b in range(first * in_turn, min((first + 1) * in_turn, len(blocks))):
            call_compiled(compiled, (data, layers, blocks, b, span))


_WORDS = types.Array(types.int64, 2, "C")
_OTHERS = (_WORDS, _WORDS, _WORDS, types.int64, _WORDS)
"""Types of the arguments after the markers."""


@lru_cache(maxsize=1024)
def handle_of(shapes, recipe):
    """Compile :func:`descend` for these markers, or load it; returns a handle for calling it.

    Numba keeps what it has compiled, but a lookup there takes 100 us, as the type of a recipe is
    built from those of its choices.
    """
    return handle(descend, (typeof(shapes), typeof(recipe), *_OTHERS), markers=2)


@lru_cache(maxsize=1024)
def entry_of(shapes, recipe):
    """Like :func:`handle_of`; returns a function that doesn't look up its arguments' types."""
    return entry_point(descend, (typeof(shapes), typeof(recipe), *_OTHERS))
