"""Dropout of hidden units and of weights (dropconnect), with random numbers of each run's own."""

from fastgd.kernel.block import SEED, integer, value
from fastgd.kernel.extensions.random_masks import DROPCONNECT, DROPOUT, halves, philox
from fastgd.kernel.iteration.activations import kept_derivative
from fastgd.kernel.language.int_vectors import all_words
from fastgd.kernel.language.memory import load, store
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import runs_of, select, zeros


@part
def random_words(scalar, seed, place, unit, purpose, iteration):
    """Four random words for each run."""
    low, high = halves(iteration)
    zero = zeros(scalar)
    return philox(
        all_words(zero, place),
        all_words(zero, unit),
        all_words(zero, low),
        all_words(zero, high),
        seed,
        all_words(zero, purpose),
    )


@part
def _drop_unit(scalar, activation, numbers, layer, at, word, limit, factor):
    is_dropped = word < limit  # no factor of 0, as the value may be infinite
    change = kept_derivative(activation, scalar, numbers, layer, at, 0)
    v = load(scalar, numbers, at, 0)
    store(scalar, numbers, at, 0, select(is_dropped, 0.0, v * factor))
    store(scalar, numbers, at + layer.deltas, 0, select(is_dropped, 0.0, change * factor))


@part
def drop_units(dropout, scalar, activation, group, block, layer, iteration):
    """Apply dropout masks to hidden values; store derivative * mask in the place of the deltas."""
    if dropout is None:
        return
    numbers, runs = block.numbers, runs_of(scalar)
    seed = integer(scalar, block, SEED)
    limit = integer(scalar, block, dropout.threshold)
    factor = value(scalar, numbers, layer, dropout.factor)
    purpose = 8 * layer.number + DROPOUT
    for n in range(group.begin, group.end, 4):
        for h in range(layer.outputs):
            place = (group.start + n) // 4
            w0, w1, w2, w3 = random_words(scalar, seed, place, h, purpose, iteration)
            at = layer.units + n * layer.stride + h * runs
            _drop_unit(scalar, activation, numbers, layer, at, w0, limit, factor)
            _drop_unit(scalar, activation, numbers, layer, at + layer.stride, w1, limit, factor)
            _drop_unit(scalar, activation, numbers, layer, at + 2 * layer.stride, w2, limit, factor)
            _drop_unit(scalar, activation, numbers, layer, at + 3 * layer.stride, w3, limit, factor)


@part
def _drop_weight(scalar, numbers, layer, at, word, limit, factor):
    m = select(word < limit, 0.0, factor)
    store(scalar, numbers, at + layer.factors, 0, m)
    w = load(scalar, numbers, at, 0)
    store(scalar, numbers, at + layer.effective - layer.weights, 0, w * m)


@part
def drop_weights(dropconnect, scalar, layers, block, iteration, training):
    """Set the weights that this iteration's passes use: masked in training, else all of them."""
    if dropconnect is None:
        return
    numbers, runs = block.numbers, runs_of(scalar)
    for k in range(len(layers)):
        layer = layers[k]
        seed = integer(scalar, block, SEED)
        limit = integer(scalar, block, dropconnect.threshold)
        factor = value(scalar, numbers, layer, dropconnect.factor)
        purpose = 8 * k + DROPCONNECT
        stride = layer.outputs * runs
        for h in range(layer.outputs):
            at = layer.weights + h * runs
            for d in range(0, layer.units_below, 4):
                w0, w1, w2, w3 = random_words(scalar, seed, d // 4, h, purpose, iteration)
                _drop_weight(scalar, numbers, layer, at + d * stride, w0, limit, factor)
                if d + 1 < layer.units_below:
                    _drop_weight(scalar, numbers, layer, at + (d + 1) * stride, w1, limit, factor)
                if d + 2 < layer.units_below:
                    _drop_weight(scalar, numbers, layer, at + (d + 2) * stride, w2, limit, factor)
                if d + 3 < layer.units_below:
                    _drop_weight(scalar, numbers, layer, at + (d + 3) * stride, w3, limit, factor)
            kept = 0 if not training else layer.units_below
            for d in range(kept, layer.inputs):
                w = load(scalar, numbers, at + d * stride, 0)
                store(scalar, numbers, at + d * stride + layer.effective - layer.weights, 0, w)
