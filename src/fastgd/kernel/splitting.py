"""One block of runs on several threads, bit-identical to its training on one.

In the forward and backward pass samples don't depend on each other, so each thread processes some
of them. Then each thread computes the gradient of some weights of every layer: as on one thread, a
chain over all samples in index order. The rest is done by one thread, between the shares of the
others; it sums up the errors in index order. For this the values of many samples are stored, where
:mod:`fastgd.kernel.training_loop` stores those of a group.

Dividing the work costs nothing by itself: the shares of two threads, one after the other on one
thread, take 0.98 of the time of one thread (784-100-10, 2,000 samples), or 1.05 (64-64-10, 256).
What is lost is the time in which a thread waits for one that the system has interrupted. Tried and
rejected: four shares for each thread, of which another thread may take over those that aren't
begun. They took 1.04 times the processor time, and 0.94 of the time where nine processes shared two
cores (one thread took 0.55 of the time of two there, either way).

Letters as there.
"""

from functools import lru_cache

from numba import prange, typeof
from numba.core import types

from fastgd.kernel.block import (
    GROUPS,
    MEASURING,
    OVER,
    REAL,
    SAMPLES,
    TRAINING,
    Area,
    LayerInputs,
    SampleGroup,
    Split,
    all_blocks,
    all_data,
    all_layers,
    all_spans,
)
from fastgd.kernel.iteration.monitoring import is_stopped, is_watched, look_of, record_of
from fastgd.kernel.iteration.updates import after_update, flush
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.numba_internals import call_compiled, handle
from fastgd.kernel.language.specialization import PARALLEL, UNCOUNTED, WHOLE, part
from fastgd.kernel.language.structs import table_of
from fastgd.kernel.language.tile import runs_of, zeros
from fastgd.kernel.language.translation import translated
from fastgd.kernel.training_loop import (
    Descent,
    Pass,
    back,
    begin_pass,
    fill_inputs,
    forward_layers,
    gradient,
    inputs_of,
    is_on,
    lines_of,
    measure_group,
)
from fastgd.kernel.vectorization import ROWS

BEGIN, FORWARD, MEASURE, LEARN, END, FINISH = range(6)
"""Steps of a pass: FORWARD and LEARN are shared among threads."""

HELD, OWN, BATCH = range(3)
"""Passes of an iteration: over the validation samples, over the training samples, and (if errors
are measured apart from the training) over the mini-batch, or over all training samples again."""

PASSES = 3

_all_splits = table_of(Split)


@part
def _begin(descent, held, data, split, j, turn):
    """Prepare a pass, and decide whether there is one."""
    shapes, recipe, layers, block = descent.shapes, descent.recipe, descent.layers, descent.block
    now, scalar, span = split.now, shapes.scalar, descent.span
    now[OVER] = 0
    record = record_of(j, span, len(block.errors) // runs_of(scalar))
    wanted = record >= 0 or is_watched(recipe.watch, j, span, look_of(data, span))
    wanted = wanted or is_stopped(recipe.stop, scalar, block)
    last = OWN + is_on(recipe.separate)
    measuring = wanted and (turn == OWN or (turn == HELD and is_on(recipe.held) == 1))
    training = j < span.iterations and turn == last
    now[MEASURING], now[TRAINING], now[GROUPS] = measuring, training, 0
    if not (measuring or training):
        return
    width = layers[len(layers) - 1].outputs * runs_of(shapes.data)
    source = data
    if turn == HELD:
        source = held
    N, of_batch = len(source.y) // width, len(block.batch.y) // width
    _, N, real = begin_pass(descent, source, N, of_batch, j, training)
    now[SAMPLES], now[REAL] = N, real
    now[GROUPS] = (N + split.together - 1) // split.together


@part
def _forward_share(descent, source, split, j, number, thread):
    """Take a thread's samples forward and, when training, back."""
    recipe, layers = descent.recipe, descent.layers
    start, rows = number * split.together, ROWS * lines_of(recipe.tangents, layers[0])
    tiles = (min(split.together, split.now[SAMPLES] - start) + rows - 1) // rows
    begin, last = tiles * thread // split.threads, tiles * (thread + 1) // split.threads
    begin, last = begin * rows, last * rows
    input_noise = recipe.features.input_noise
    x = inputs_of(input_noise, descent, source, start)
    training = split.now[TRAINING] == 1
    while begin < last:
        end = min(begin + descent.span.group, last)
        group = SampleGroup(source, start, begin, end, split.now[REAL], False, False)
        fill_inputs(input_noise, descent, group, j, training)
        forward_layers(descent, group, x, j, training)
        if training:
            for k in range(len(layers) - 1, 0, -1):
                back(recipe.tangents, descent, group, layers[k], layers[k - 1])
        begin = end


@part
def _area(split, layers, thread, k):
    at = (thread * len(layers) + k) * 6
    areas = split.areas
    return Area(
        areas[at], areas[at + 1], areas[at + 2], areas[at + 3], areas[at + 4], areas[at + 5]
    )


@part
def _learn_layer(descent, source, inputs, k, split, number, thread):
    """The gradient of a thread's weights in layer k, and their update."""
    layer, area = descent.layers[k], _area(split, descent.layers, thread, k)
    start, N = number * split.together, split.now[SAMPLES]
    samples = min(split.together, N - start)
    overflow = zeros(descent.shapes.scalar)
    for begin in range(0, samples, split.rows):
        end = min(begin + split.rows, samples)
        group = SampleGroup(
            source, start, begin, end, split.now[REAL], start + begin == 0, start + end == N
        )
        overflow = overflow + gradient(descent, group, inputs, layer, area)
    return overflow


@part
def _learn_share(descent, source, split, number, thread):
    """The gradient of a thread's weights and, with the last samples, their update."""
    layers, scalar = descent.layers, descent.shapes.scalar
    x = inputs_of(descent.recipe.features.input_noise, descent, source, number * split.together)
    overflow = _learn_layer(descent, source, x, 0, split, number, thread)
    for k in range(1, len(layers)):
        below = layers[k - 1]
        inputs = LayerInputs(descent.block.numbers, below.units, below.stride, scalar)
        overflow = overflow + _learn_layer(descent, source, inputs, k, split, number, thread)
    store(scalar, split.overflow, thread * runs_of(scalar), 0, overflow)


@part
def _measure(descent, source, data, split, j, turn, number):
    """Add up the errors of the samples whose values are stored."""
    span, scalar = descent.span, descent.shapes.scalar
    start, N, real = number * split.together, split.now[SAMPLES], split.now[REAL]
    end = min(split.together, N - start)
    group = SampleGroup(source, start, 0, end, real, start == 0, start + end == N)
    total = zeros(scalar)
    if start > 0:
        total = load(scalar, split.total, 0, 0)
    record = record_of(j, span, len(descent.block.errors) // runs_of(scalar))
    one_pass = Pass(source, N, real, j, look_of(data, span), record, True, turn == HELD, False)
    total = measure_group(descent, one_pass, group, total)
    store(scalar, split.total, 0, 0, total)


@part
def _end(descent, split, j):
    """Finish the update of iteration j."""
    scalar = descent.shapes.scalar
    overflow = zeros(scalar)
    for thread in range(split.threads):
        overflow = overflow + load(scalar, split.overflow, thread * runs_of(scalar), 0)
    if after_update(descent, overflow, j):
        split.now[OVER] = 1


@cached_njit(**WHOLE)
@translated
def take_part(
    shapes, recipe, data, layers, blocks, span, split, b, step, j, turn, number, thread
):  # fmt: skip
    """Run a step of iteration j of block b in pass ``turn``: a thread's share of group ``number``.

    The arguments from ``data`` to ``split`` are named tuples encoded by ``structs.encode``.
    """
    layers, block = all_layers(layers), all_blocks(blocks)[b]
    span, split = all_spans(span)[0], _all_splits(split)[0]
    is_held = is_on(recipe.held)
    tables = 1 + is_held
    held, data = all_data(data)[tables * b + is_held], all_data(data)[tables * b]
    source = data
    if turn == HELD:
        source = held
    elif turn == BATCH and len(block.batch.y) > 0:
        source = block.batch
    descent = Descent(shapes, recipe, layers, block, span)
    if step == BEGIN:
        _begin(descent, held, data, split, j, turn)
    elif step == FORWARD:
        _forward_share(descent, source, split, j, number, thread)
    elif step == MEASURE:
        _measure(descent, source, data, split, j, turn, number)
    elif step == LEARN:
        _learn_share(descent, source, split, number, thread)
    elif step == END:
        _end(descent, split, j)
    else:
        flush(shapes.scalar, block, True)


@part
def _step(compiled, words, b, step, j=0, turn=0, number=0, thread=0):
    """Run a step of :func:`take_part`, whose handle is ``compiled``."""
    data, layers, blocks, span, split = words
    call_compiled(compiled, (data, layers, blocks, span, split, b, step, j, turn, number, thread))


def _descend(compiled, words, b, now, iterations, threads):
    """Train block b from one iteration to another.

    ``compiled`` is a handle from :func:`handle_of`, ``words`` are its leading arguments.
    """
    first, last, updates = iterations
    for j in range(first, last):
        for turn in range(PASSES):
            _step(compiled, words, b, BEGIN, j, turn)
            for number in range(now[GROUPS]):
                for thread in prange(threads):
                    _step(compiled, words, b, FORWARD, j, turn, number, thread)
                if now[MEASURING]:
                    _step(compiled, words, b, MEASURE, j, turn, number)
                if now[TRAINING]:
                    for thread in prange(threads):
                        _step(compiled, words, b, LEARN, j, turn, number, thread)
        if j < updates:
            _step(compiled, words, b, END, j)
            if now[OVER]:
                return
    _step(compiled, words, b, FINISH)


descend_together = cached_njit(**PARALLEL)(_descend)
descend_in_turn = cached_njit(**UNCOUNTED)(_descend)
"""The same without threads: one share after the other."""


_WORDS = types.Array(types.int64, 2, "C")
_OTHERS = (*(_WORDS,) * 5, *(types.int64,) * 6)
"""Types of the arguments after the markers."""


@lru_cache(maxsize=1024)
def handle_of(shapes, recipe):
    """Compile :func:`take_part` for these markers, or load it; returns a handle for calling it."""
    return handle(take_part, (typeof(shapes), typeof(recipe), *_OTHERS), markers=2)
