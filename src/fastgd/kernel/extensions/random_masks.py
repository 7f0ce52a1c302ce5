"""Masks of dropout and dropconnect, and the random words of Philox4x32-10 that they come from.

The words depend on a key and a counter, and on nothing else (Salmon, Moraes, Dror and Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC'11). So the masks of a run don't depend on other
runs of its block, on its lane, or on what was drawn before.

=================  ==================  =============================================
purpose            key                 counter
=================  ==================  =============================================
order of an epoch  shuffle_seed, 0     place // 4, 0, epoch (low, high half)
dropout            seed, 8 * k + 1     sample of the batch // 4, unit, iteration
dropconnect        seed, 8 * k + 2     input // 4, unit, iteration
draws              seed, 3             draw // 4, 0, iteration
initial weights    seed, 8 * k + 4     weight // 2 (see fastgd.engine.network)
=================  ==================  =============================================

k is the layer. The remainder by 4 selects one of the four words; for initial weights the remainder
by 2 selects one of two pairs of words.
"""

from fastgd.kernel.block import SEED, integer, value
from fastgd.kernel.iteration.activations import kept_derivative
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import all_words, runs_of, select, zeros
from fastgd.kernel.language.translation import unrolled

SHUFFLE, DROPOUT, DROPCONNECT, DRAW = 0, 1, 2, 3

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_WORD = 0xFFFFFFFF


@part
def philox(c0, c1, c2, c3, k0, k1):
    """Four random words for a counter of four words and a key of two, all either int64 or Words."""
    for _ in unrolled(10):  # a sweep of 3-4-1 with dropout takes 0.85 of the time
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c2 = ((p1 >> 32) & _WORD) ^ c1 ^ k0, ((p0 >> 32) & _WORD) ^ c3 ^ k1
        c1, c3 = p1 & _WORD, p0 & _WORD
        k0, k1 = (k0 + _W0) & _WORD, (k1 + _W1) & _WORD
    return c0, c1, c2, c3


@part
def halves(number):
    """Low and high 32-bit word of a number up to 2**62."""
    return number & _WORD, number >> 32


@part
def shuffle(order, count, seed, epoch):
    """Fill ``order`` with 0 to count - 1, shuffled (Fisher and Yates), the same for all runs."""
    low, high = halves(epoch)
    for i in range(count):
        order[i] = i
    group = -1
    w0 = w1 = w2 = w3 = 0
    for i in range(count - 1, 0, -1):
        if i >> 2 != group:
            group = i >> 2
            w0, w1, w2, w3 = philox(group, 0, low, high, seed, SHUFFLE)
        place = i & 3
        word = w0 if place == 0 else w1 if place == 1 else w2 if place == 2 else w3
        k = (word * (i + 1)) >> 32
        order[i], order[k] = order[k], order[i]


# ---------------------------------------------------------------- dropout, dropconnect


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
