"""Limits of norms: of the whole gradient before an update, and of each unit's weights after it.

Without ``clip_norm`` (Pascanu, Mikolov and Bengio, ICML 2013, algorithm 1) the gradient never
leaves the registers. With it, the last group of samples stores the gradient, and all parameters are
updated in a separate pass after all layers are done. The sum of squares is a chain of fused
multiply-adds in the order of the parameters: from the first layer to the last, first the weights
with the biases, then scales, then shifts. That order is part of the numbers contract.

``max_norm`` (Srivastava and others, JMLR 15, 2014, section 5.1) sums up in the order of the inputs.
"""

from fastgd.kernel.block import value
from fastgd.kernel.iteration.updates import of_learning, take_step
from fastgd.kernel.language.loads_and_stores import load, store, units
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import (
    first_units,
    fma,
    fold,
    opaque,
    runs_of,
    select,
    square_root,
    units_of,
    zeros,
)


@part
def _share(squares, most):
    """The factor that limits a norm; NaN if the norm is not finite, so that the run diverges.

    Runs without a limit that share a block with limited ones always have the factor 1.
    """
    norm = square_root(squares)
    share = select(norm > most, most / norm, 1.0) + (norm - norm)
    return select(most < float("inf"), share, 1.0)


# ---------------------------------------------------------------- the gradient


@part
def _trained(batch_norm, layer):
    """Trainable parameters of a layer, which are contiguous."""
    weights = layer.inputs * layer.outputs
    if batch_norm is None:
        return weights
    return weights + (0 if layer.is_output else 2 * layer.outputs)


@part
def _share_of_gradient(norm_clipping, scalar, recipe, layers, numbers):
    squares = zeros(scalar)
    for k in range(len(layers)):
        layer = layers[k]
        at = layer.weights + layer.gradient
        for _ in range(_trained(recipe.batch_norm, layer)):
            g = load(scalar, numbers, at, 0)
            squares = fma(g, g, squares)
            at += runs_of(scalar)
    return _share(squares, value(scalar, numbers, layers[0], norm_clipping.clip_norm))


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
def _update_layer(shapes, recipe, block, layer):
    count = _trained(recipe.batch_norm, layer)
    wide = count // units_of(shapes.wide_row) * units_of(shapes.wide_row)
    overflow = _update_tiles(shapes.wide_row, shapes.scalar, recipe, block, layer, 0, wide)
    return overflow + _update_tiles(
        shapes.narrow_row, shapes.scalar, recipe, block, layer, wide, count
    )


@part
def update_clipped(norm_clipping, shapes, recipe, layers, block):
    """Update all parameters with the stored gradient. NaN for each run that diverges, else 0."""
    overflow = zeros(shapes.scalar)
    share = _share_of_gradient(norm_clipping, shapes.scalar, recipe, layers, block.numbers)
    store(shapes.scalar, block.scratch, 0, 0, share)
    for k in range(len(layers)):
        overflow = overflow + _update_layer(shapes, recipe, block, layers[k])
    return overflow


# ---------------------------------------------------------------- the weights of a unit


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
