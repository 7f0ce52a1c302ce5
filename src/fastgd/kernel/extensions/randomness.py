"""Dropout, dropconnect and mini-batches, from random words of Philox4x32-10.

The words depend on a key and a counter, and on nothing else (Salmon, Moraes, Dror and Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC'11). So the masks of a run don't depend on other
runs of its block, on its lane, or on what was drawn before. Nor do the batches that a run draws.

=================  ==================  =============================================
purpose            key                 counter
=================  ==================  =============================================
order of an epoch  shuffle_seed, 0     place // 4, 0, epoch (low, high half)
dropout            seed, 8 * k + 1     sample of the batch // 4, unit, iteration
dropconnect        seed, 8 * k + 2     input // 4, unit, iteration
draws              seed, 3             draw // 4, 0, iteration
initial weights    seed, 8 * k + 4     weight // 2 (see fastgd.engine.network)
gradient noise     seed, 8 * k + 5     parameter of the layer // 4, 0, iteration
input noise        seed, 6             sample of the batch // 4, input, iteration
=================  ==================  =============================================

k is the layer. The remainder by 4 selects one of the four words; for initial weights the remainder
by 2 selects one of two pairs of words. For noise see :mod:`.noise`.
"""

from fastgd.kernel.block import SEED, integer, value
from fastgd.kernel.iteration.activations import kept_derivative
from fastgd.kernel.iteration.losses import exp_below
from fastgd.kernel.language.loads_and_stores import (
    load,
    load_data,
    meet,
    store,
    store_words,
    thread_of,
    threads_of,
)
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import all_words, choose, fma, runs_of, select, zeros
from fastgd.kernel.language.tile import numbers as numbers_of
from fastgd.kernel.language.translation import unrolled
from fastgd.kernel.training_loop import inputs_of, lines_of

SHUFFLE, DROPOUT, DROPCONNECT, DRAW = 0, 1, 2, 3

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_WORD = 0xFFFFFFFF


@part
def philox(c0, c1, c2, c3, k0, k1):
    """Four random words for a counter of four words and a key of two, all int64 or IntVector."""
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


# ---------------------------------------------------------------- mini-batches
#
# The samples that an iteration trains on are copied into the block's own arrays. With epochs, all
# runs use the same batches. With adaptive sampling (AW-SGD: Bouchard, Trouillon, Perez and Gaidon,
# arXiv 1506.09016, Algorithm 1) each run draws its own, from a distribution that follows the size
# of the gradients: a softmax of logits tau, one for each sample.


WORD = 2.0**-32


def choose_samples(batches, descent, data, j):
    """The samples that iteration j trains on, and their number without padding."""


@part
def _copy_sample(target, to, source, at, numbers):
    for i in range(numbers):
        target[to * numbers + i] = source[at * numbers + i]


def _next_batch(batches, descent, data, j):
    """Copy the iteration's batch, each thread some samples."""
    shapes, recipe, layers, block = descent.shapes, descent.recipe, descent.layers, descent.block
    scalar, span, lines = shapes.scalar, descent.span, lines_of(recipe.tangents, layers[0])
    samples = data.samples // lines
    meet(scalar)  # all are done with the batch before
    if j % data.epoch == 0 or j == span.first:
        if thread_of(scalar) == 0:  # one thread sets the order, the same for all runs
            if span.shuffle:
                shuffle(block.order, samples, span.shuffle_seed, j // data.epoch)
            else:
                for i in range(samples):
                    block.order[i] = i
        meet(scalar)
    first = j % data.epoch * span.batch
    real = min(span.batch, samples - first)
    inputs, outputs = layers[0].inputs * lines, layers[len(layers) - 1].outputs * lines
    runs, numbers = runs_of(shapes.data), outputs * runs_of(shapes.importance)
    padded = len(block.batch.y) // (outputs * runs)
    for n in range(thread_of(scalar), padded, threads_of(scalar)):
        i = block.order[first + min(n, real - 1)]
        _copy_sample(block.batch.X, n, data.X, i, inputs * runs)
        _copy_sample(block.batch.y, n, data.y, i, outputs * runs)
        for h in range(numbers):
            weight = data.importance[i * numbers + h] if n < real else 0.0
            block.batch.importance[n * numbers + h] = weight
    meet(scalar)
    if recipe.mean is not None:  # the factor of its derivatives; 0 if the batch has no weight
        importance, total = block.batch.importance, zeros(scalar)
        for n in range(real):
            total = total + load_data(scalar, shapes.importance, importance, n * numbers, 0)
        store(scalar, block.scale, 0, 0, select(total > 0.0, 1.0 / total, 0.0))
    return block.batch, real * lines


# ---------------------------------------------------------------- adaptive sampling


@part
def _pick_samples(scalar, block, samples, n, word):
    """The n-th draw of each run: how many samples have a cumulative probability of at most u."""
    runs = runs_of(scalar)
    u = numbers_of(word) * WORD
    total, place = zeros(scalar), all_words(u, 0)
    for i in range(samples - 1):
        total = total + load(scalar, block.chances, i * runs, 0)
        place = place + choose(total > u, 0, 1)
    store_words(scalar, block.draws, n * runs, place)


def _drawn_batch(batches, descent, data, j):
    """Draw the iteration's batch for each run, with weights that keep the gradient unbiased."""
    layers, block, scalar = descent.layers, descent.block, descent.shapes.scalar
    inputs, outputs = layers[0].inputs, layers[len(layers) - 1].outputs
    runs, samples, size = runs_of(scalar), data.samples, descent.span.batch
    largest, total = load(scalar, block.tau, 0, 0), zeros(scalar)
    for i in range(1, samples):  # the probabilities are the softmax of tau
        tau = load(scalar, block.tau, i * runs, 0)
        largest = select(tau > largest, tau, largest)
    for i in range(samples):
        power = exp_below(largest - load(scalar, block.tau, i * runs, 0))
        store(scalar, block.chances, i * runs, 0, power)
        total = total + power
    for i in range(samples):
        store(scalar, block.chances, i * runs, 0, load(scalar, block.chances, i * runs, 0) / total)
    seed = integer(scalar, block, SEED)
    padded = len(block.draws) // runs
    for n in range(0, padded, 4):
        w0, w1, w2, w3 = random_words(scalar, seed, n // 4, 0, DRAW, j)
        _pick_samples(scalar, block, samples, n, w0)
        _pick_samples(scalar, block, samples, n + 1, w1)
        _pick_samples(scalar, block, samples, n + 2, w2)
        _pick_samples(scalar, block, samples, n + 3, w3)
    for n in range(padded):
        for r in range(thread_of(scalar), runs, threads_of(scalar)):
            i = block.draws[n * runs + r]
            for d in range(inputs):
                to, at = (n * inputs + d) * runs + r, (i * inputs + d) * runs + r
                block.batch.X[to] = data.X[at]
            chance = block.chances[i * runs + r] * samples
            for h in range(outputs):
                to, at = (n * outputs + h) * runs + r, (i * outputs + h) * runs + r
                block.batch.y[to] = data.y[at]
                block.batch.importance[to] = data.importance[at] / chance if n < size else 0.0
    return block.batch, size


dispatch(choose_samples, {"epochs": _next_batch, "adaptive": _drawn_batch})


@part
def _square_norm(scalar, values, at, count):
    runs = runs_of(scalar)
    total = zeros(scalar)
    for i in range(count):
        x = load(scalar, values, at + i * runs, 0)
        total = fma(x, x, total)
    return total


@part
def _gradient_norm(descent, n):
    """Squared norm of the gradient of the batch's n-th sample alone."""
    scalar, layers, block = descent.shapes.scalar, descent.layers, descent.block
    x = inputs_of(descent.recipe.features.input_noise, descent, block.batch, 0)
    inputs = _square_norm(scalar, x.values, x.start + n * x.stride, layers[0].inputs)
    total = zeros(scalar)
    for k in range(len(layers)):
        layer = layers[k]
        at = layer.units + n * layer.stride
        deltas = _square_norm(scalar, block.numbers, at + layer.deltas, layer.outputs)
        total = fma(inputs, deltas, total)
        if not layer.is_output:
            above = layers[k + 1]
            inputs = _square_norm(scalar, block.numbers, at, above.inputs)
    return total


@part
def _rest(scalar, values, samples, total):
    """Sum of all values, leaving out one that exceeds half the total."""
    runs = runs_of(scalar)
    rest = zeros(scalar)
    for i in range(samples):
        x = load(scalar, values, i * runs, 0)
        rest = rest + select(x > 0.5 * total, 0.0, x)
    return rest


@part
def padded_of(batches, all_samples, of_batch):
    """Number of samples of an iteration, with padding."""
    return of_batch


def learn_chances(batches, descent, data):
    """Update the sampling distribution, if samples are drawn, after an update of the weights."""


def _learn_chances(batches, descent, data):
    """Move tau along the gradient of the variance, to draw samples with large gradients more often.

    Let g_i be the squared gradient norms summed over the draws of sample i, and G their sum over
    all draws. Then tau_i moves by rate * (g_i - q_i * G). As q_i approaches 1, the difference and
    tau_i may be far smaller than the two terms. So it is computed as g_i * (1 - q_i) - q_i *
    (G - g_i), and for a sample with more than half of 1 or of G, the bracket is summed up over the
    other samples.
    """
    scalar, layers, block = descent.shapes.scalar, descent.layers, descent.block
    runs, samples, size = runs_of(scalar), data.samples, descent.span.batch
    rate = value(scalar, block.numbers, layers[0], batches.sampling_rate) / size
    for i in range(samples):
        store(scalar, block.drawn, i * runs, 0, zeros(scalar))
    total = zeros(scalar)
    for n in range(size):
        norm = _gradient_norm(descent, n)
        total = total + norm
        store(scalar, block.scratch, 0, 0, norm)
        for r in range(thread_of(scalar), runs, threads_of(scalar)):
            i = block.draws[n * runs + r]
            block.drawn[i * runs + r] += block.scratch[r]
    rest_of_one = _rest(scalar, block.chances, samples, 1.0)
    rest_of_total = _rest(scalar, block.drawn, samples, total)
    for i in range(samples):
        chance = load(scalar, block.chances, i * runs, 0)
        drawn = load(scalar, block.drawn, i * runs, 0)
        others_chance = select(chance > 0.5, rest_of_one, 1.0 - chance)
        others_drawn = select(drawn > 0.5 * total, rest_of_total, total - drawn)
        change = drawn * others_chance - chance * others_drawn
        store(
            scalar, block.tau, i * runs, 0, fma(rate, change, load(scalar, block.tau, i * runs, 0))
        )


dispatch(
    learn_chances,
    {
        "epochs": lambda batches, descent, data: None,
        "adaptive": _learn_chances,
    },
)
