"""Dropout of hidden units and of weights (dropconnect): what is dropped, and by whose numbers."""

from numba import njit

from fastgd.kernel.block import SEED
from fastgd.kernel.iteration.functions import slope
from fastgd.kernel.iteration.random import DROPCONNECT, DROPOUT, halves, philox
from fastgd.kernel.iteration.values import integer, value
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.tile import load, runs_of, select, store, zeros
from fastgd.kernel.language.words import all_words


@njit(**INLINED)
def random_words(one, seed, place, unit, purpose, iteration):
    """Four random words for each run."""
    low, high = halves(iteration)
    zero = zeros(one)
    return philox(
        all_words(zero, place),
        all_words(zero, unit),
        all_words(zero, low),
        all_words(zero, high),
        seed,
        all_words(zero, purpose),
    )


@njit(**INLINED)
def _drop_unit(one, recipe, numbers, layer, at, word, limit, factor):
    v = load(one, numbers, at, 0)
    m = select(word < limit, 0.0, factor)
    store(one, numbers, at, 0, v * m)
    store(one, numbers, at + layer.deltas, 0, slope(recipe.activation, v) * m)


@njit(**INLINED)
def drop_units(dropout, one, recipe, group, block, layer, iteration):
    """Multiply a group's hidden values by their masks; leave slope * mask where the deltas go."""
    if dropout is None:
        return
    numbers, runs = block.numbers, runs_of(one)
    seed = integer(one, block, SEED)
    limit = integer(one, block, dropout.threshold)
    factor = value(one, numbers, layer, dropout.factor)
    purpose = 8 * layer.number + DROPOUT
    for n in range(0, group.samples, 4):
        for h in range(layer.outputs):
            place = (group.start + n) // 4
            w0, w1, w2, w3 = random_words(one, seed, place, h, purpose, iteration)
            at = layer.units + n * layer.row + h * runs
            _drop_unit(one, recipe, numbers, layer, at, w0, limit, factor)
            _drop_unit(one, recipe, numbers, layer, at + layer.row, w1, limit, factor)
            _drop_unit(one, recipe, numbers, layer, at + 2 * layer.row, w2, limit, factor)
            _drop_unit(one, recipe, numbers, layer, at + 3 * layer.row, w3, limit, factor)


@njit(**INLINED)
def _drop_weight(one, numbers, layer, at, word, limit, factor):
    m = select(word < limit, 0.0, factor)
    store(one, numbers, at + layer.factors, 0, m)
    w = load(one, numbers, at, 0)
    store(one, numbers, at + layer.effective - layer.weights, 0, w * m)


@njit(**INLINED)
def drop_weights(dropconnect, one, layers, block, iteration, training):
    """The weights that this iteration's passes use: some dropped in training, else all of them."""
    if dropconnect is None:
        return
    numbers, runs = block.numbers, runs_of(one)
    for k in range(len(layers)):
        layer = layers[k]
        seed = integer(one, block, SEED)
        limit = integer(one, block, dropconnect.threshold)
        factor = value(one, numbers, layer, dropconnect.factor)
        purpose = 8 * k + DROPCONNECT
        row = layer.outputs * runs
        for h in range(layer.outputs):
            at = layer.weights + h * runs
            for d in range(0, layer.units_below, 4):
                w0, w1, w2, w3 = random_words(one, seed, d // 4, h, purpose, iteration)
                _drop_weight(one, numbers, layer, at + d * row, w0, limit, factor)
                if d + 1 < layer.units_below:
                    _drop_weight(one, numbers, layer, at + (d + 1) * row, w1, limit, factor)
                if d + 2 < layer.units_below:
                    _drop_weight(one, numbers, layer, at + (d + 2) * row, w2, limit, factor)
                if d + 3 < layer.units_below:
                    _drop_weight(one, numbers, layer, at + (d + 3) * row, w3, limit, factor)
            kept = 0 if not training else layer.units_below
            for d in range(kept, layer.inputs):
                w = load(one, numbers, at + d * row, 0)
                store(one, numbers, at + d * row + layer.effective - layer.weights, 0, w)
