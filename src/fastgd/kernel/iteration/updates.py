"""The update: from the derivatives of all samples to new parameters, and what follows it.

Without ``clip_norm`` (Pascanu, Mikolov and Bengio, ICML 2013, algorithm 1) the gradient never
leaves the registers. With it, the last group of samples stores the gradient, and all parameters are
updated in a separate pass after all layers are done. The sum of squares is a chain of fused
multiply-adds in the order of the parameters: from the first layer to the last, first the weights
with the biases, then scales, then shifts. That order is part of the numbers contract.

``max_norm`` (Srivastava and others, JMLR 15, 2014, section 5.1) sums up in the order of the inputs.
"""

from fastgd.kernel.block import value
from fastgd.kernel.iteration.activations import activate_twice
from fastgd.kernel.iteration.monitoring import all_over, end_by_overflow
from fastgd.kernel.iteration.optimizer_steps import step
from fastgd.kernel.language.loads_and_stores import (
    count_changes,
    load,
    store,
    thread_of,
    threads_of,
    units,
)
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import (
    first_units,
    fma,
    fold,
    magnitude,
    opaque,
    runs_of,
    select,
    square_root,
    units_of,
    with_sign,
    zeros,
)

FLUSH = 255
"""Updates between flushes: direction changes are counted in bytes, then added to ``changes``."""


@part
def update(shape, recipe, is_weight, g, block, at, stride, layer):
    """Finish a derivative after the last group of samples, and take the step.

    With clipping the gradient is stored instead, until its norm is known.
    """
    numbers, features = block.numbers, recipe.features
    w = load(shape, numbers, at, stride)
    if recipe.mean is not None:  # the sum over the samples of a batch becomes their mean
        g = g * units(shape, block.scale, 0, 0)
    if is_weight:
        if features.dropconnect is not None:
            factor = load(shape, numbers, at + layer.factors, stride)
            g = select(factor > 0.0, g * factor, 0.0)
        g = _penalized(features.penalty, recipe.own_penalty, shape, g, w, numbers, layer)
    if recipe.measure is not None or features.norm_clipping is not None:
        g = of_learning(features.frozen, shape, g, 0.0, numbers, at, stride, layer)
    remember(recipe.measure, shape, numbers, at, stride, layer, g, w)
    if features.norm_clipping is None:
        return take_step(shape, recipe, g, w, block, at, stride, layer)
    store(shape, numbers, at + layer.gradient, stride, g)
    return fold(shape, zeros(shape))


def remember(measure, shape, numbers, at, stride, layer, g, w):
    """Keep the gradient, and the parameters as they are before the update, to measure them."""


def measure_update(measure, descent, j):
    """Measure update j of all weights; see :mod:`fastgd.kernel.extensions.measuring`."""


@part
def _penalized(penalty, own_penalty, shape, g, w, numbers, layer):
    """Subtract the derivatives of a custom penalty and of l1 * |w| + l2 / 2 * w**2."""
    if own_penalty is not None:
        _, slope, _ = activate_twice(own_penalty, shape, numbers, layer, w)
        g = g - slope
    if penalty is None:
        return g
    l1 = value(shape, numbers, layer, penalty.l1)
    l2 = value(shape, numbers, layer, penalty.l2)
    g = g - select(magnitude(w) > 0.0, with_sign(l1, w), 0.0)
    return fma(-1.0 * l2, w, g)


@part
def take_step(shape, recipe, g, w, block, at, stride, layer):
    """Count direction changes and take a step. NaN for runs whose parameters overflow, else 0.

    Noise is part of the derivative, but not of what ``clip_norm`` limits. Frozen parameters have
    derivative 0 and keep their value whatever the step would be.
    """
    numbers, frozen = block.numbers, recipe.features.frozen
    if recipe.features.gradient_noise is not None:
        g = g + load(shape, numbers, at + layer.noise, stride)
    g = of_learning(frozen, shape, g, 0.0, numbers, at, stride, layer)
    count_changes(shape, g > 0.0, block.signs, block.recent, at, stride)
    # lines 13, 14: synapse_1 -= alpha * ..., fma(alpha, g, w); others: see .optimizer_steps
    new = step(recipe.optimizer, shape, numbers, layer, at, stride, g, w)
    w = of_learning(frozen, shape, new, w, numbers, at, stride, layer)
    store(shape, numbers, at, stride, w)
    return fold(shape, w - w)


@part
def of_learning(frozen, shape, new, old, numbers, at, stride, layer):
    """The new value of trainable parameters, the old one of frozen ones."""
    if frozen is None:
        return new
    return select(load(shape, numbers, at + layer.learning, stride) > 0.0, new, old)


@part
def after_update(descent, overflow, j):
    """What follows update j of all weights; returns whether all runs of the block are over.

    ``overflow`` is NaN for each run that diverged in the update, else 0.
    """
    shapes, recipe, layers, block = descent.shapes, descent.recipe, descent.layers, descent.block
    features = recipe.features
    overflow = overflow + update_clipped(features.norm_clipping, shapes, recipe, layers, block)
    overflow = run_programs(recipe.programs, descent, overflow)
    overflow = overflow + limit_norms(features.max_norm, shapes, recipe, layers, block)
    over = False
    if j % FLUSH == 0:
        flush(shapes.scalar, block, j > 0)
        over = all_over(shapes.scalar, block)
    if recipe.curvature is not None:  # an iteration takes so long that it pays to ask
        over = all_over(shapes.scalar, block)
    if not over:
        measure_update(recipe.measure, descent, j)
        end_by_overflow(recipe.held, shapes.scalar, block, descent.span, overflow, j + 1)
    return over


def run_programs(programs, descent, overflow):
    """Take the steps of rules that are data; see :mod:`fastgd.kernel.extensions.programs`."""
    return overflow


@part
def flush(scalar, block, keep):
    """Move the recent direction changes to ``changes``, or drop them (after the first update)."""
    for i in range(thread_of(scalar), len(block.changes), threads_of(scalar)):
        if keep:
            block.changes[i] += block.recent[i]
        block.recent[i] = 0


# ---------------------------------------------------------------- limits of norms


@part
def _share(squares, most):
    """The factor that limits a norm; NaN if the norm is not finite, so that the run diverges.

    Runs without a limit that share a block with limited ones always have the factor 1.
    """
    norm = square_root(squares)
    share = select(norm > most, most / norm, 1.0) + (norm - norm)
    return select(most < float("inf"), share, 1.0)


@part
def trained_of(batch_norm, layer):
    """Trainable parameters of a layer, which are contiguous."""
    weights = layer.inputs * layer.outputs
    if batch_norm is None:
        return weights
    return weights + (0 if layer.is_output else 2 * layer.outputs)


@part
def _update_tiles(shape, scalar, recipe, block, layer, begin, end):
    """Update the parameters from begin to end, with the gradient times the factor in scratch."""
    overflow = zeros(scalar)
    p = begin
    while p < end:
        at = opaque(layer.weights + p * runs_of(shape))
        g = load(shape, block.numbers, at + layer.gradient, 0) * units(shape, block.scratch, 0, 0)
        w = load(shape, block.numbers, at, 0)
        overflow = overflow + take_step(shape, recipe, g, w, block, at, 0, layer)
        p += units_of(shape)
    return overflow


@part
def _share_of_gradient(norm_clipping, scalar, recipe, layers, numbers):
    squares = zeros(scalar)
    for k in range(len(layers)):
        layer = layers[k]
        at = layer.weights + layer.gradient
        for _ in range(trained_of(recipe.batch_norm, layer)):
            g = load(scalar, numbers, at, 0)
            squares = fma(g, g, squares)
            at += runs_of(scalar)
    return _share(squares, value(scalar, numbers, layers[0], norm_clipping.clip_norm))


@part
def update_clipped(norm_clipping, shapes, recipe, layers, block):
    """Update all parameters with the stored gradient. NaN for each run that diverges, else 0."""
    scalar, overflow = shapes.scalar, zeros(shapes.scalar)
    if norm_clipping is None:
        return overflow
    # A part of its own: in code for one network a name has one loop's numbers, or none.
    share = _share_of_gradient(norm_clipping, scalar, recipe, layers, block.numbers)
    store(scalar, block.scratch, 0, 0, share)
    for k in range(len(layers)):
        layer = layers[k]
        count = trained_of(recipe.batch_norm, layer)
        wide = count // units_of(shapes.wide_row) * units_of(shapes.wide_row)
        overflow = overflow + (
            _update_tiles(shapes.wide_row, scalar, recipe, block, layer, 0, wide)
            + _update_tiles(shapes.narrow_row, scalar, recipe, block, layer, wide, count)
        )
    return overflow


@part
def _limit_units(max_norm, shape, scalar, frozen, numbers, layer, begin, end):
    """Limit the norms of the weights that enter the units from begin to end."""
    step = layer.outputs * runs_of(shape)
    overflow = zeros(scalar)
    for h in range(begin, end, units_of(shape)):
        tile = first_units(shape, end - h)
        first = opaque(layer.weights + h * runs_of(shape))
        squares = zeros(tile)
        for d in range(layer.units_below):
            w = load(tile, numbers, first + d * step, 0)
            squares = fma(w, w, squares)
        share = _share(squares, value(tile, numbers, layer, max_norm.max_norm))
        for d in range(layer.units_below):
            at = first + d * step
            w = load(tile, numbers, at, 0)
            w = of_learning(frozen, tile, w * share, w, numbers, at, 0, layer)
            store(tile, numbers, at, 0, w)
            overflow = overflow + fold(tile, w - w)
    return overflow


@part
def limit_norms(max_norm, shapes, recipe, layers, block):
    """Limit the norms of all units' weights. NaN for each run that diverges, else 0."""
    overflow = zeros(shapes.scalar)
    if max_norm is None:
        return overflow
    frozen = recipe.features.frozen
    for k in range(len(layers)):
        layer = layers[k]
        overflow = overflow + _limit_units(
            max_norm, shapes.wide_row, shapes.scalar, frozen, block.numbers, layer,
            0, layer.wide_outputs,
        )  # fmt: skip
        overflow = overflow + _limit_units(
            max_norm, shapes.rest_row, shapes.scalar, frozen, block.numbers, layer,
            layer.wide_outputs, layer.outputs,
        )  # fmt: skip
    return overflow
