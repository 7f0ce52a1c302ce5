"""Mini-batches: the samples that an iteration trains on, copied into the block's own arrays.

With epochs, all runs use the same batches. With adaptive sampling (AW-SGD: Bouchard, Trouillon,
Perez and Gaidon, arXiv 1506.09016, Algorithm 1) each run draws its own, from a distribution that
follows the size of the gradients: a softmax of logits tau, one for each sample.
"""

from fastgd.kernel.block import SEED, integer, value
from fastgd.kernel.extensions.randomness import DRAW, random_words, shuffle
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
from fastgd.kernel.training_loop import lines_of

WORD = 2.0**-32


def choose_samples(batches, descent, data, j):
    """The samples that iteration j trains on, and their number without padding."""


@part
def _copy_sample(target, to, source, at, numbers):
    for i in range(numbers):
        target[to * numbers + i] = source[at * numbers + i]


@part
def _share(mean, shapes, block, outputs, real):
    """Set the factor of a mean's derivatives; 0 if the total weight of the batch is 0."""
    if mean is None:
        return
    scalar, runs = shapes.scalar, outputs * runs_of(shapes.importance)
    total = zeros(scalar)
    for n in range(real):
        total = total + load_data(scalar, shapes.importance, block.batch.importance, n * runs, 0)
    store(scalar, block.scale, 0, 0, select(total > 0.0, 1.0 / total, 0.0))


@part
def _new_order(scalar, data, block, span, iteration, samples):
    """Set the order of the samples in this iteration's epoch; one thread does so for all runs."""
    if thread_of(scalar) != 0:
        return
    if span.shuffle:
        shuffle(block.order, samples, span.shuffle_seed, iteration // data.epoch)
    else:
        for i in range(samples):
            block.order[i] = i


def _next_batch(batches, descent, data, j):
    """Copy the iteration's batch, each thread some samples."""
    shapes, recipe, layers, block = descent.shapes, descent.recipe, descent.layers, descent.block
    scalar, span, lines = shapes.scalar, descent.span, lines_of(recipe.tangents, layers[0])
    samples = data.samples // lines
    meet(scalar)  # all are done with the batch before
    if j % data.epoch == 0 or j == span.first:
        _new_order(scalar, data, block, span, j, samples)
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
    _share(recipe.mean, shapes, block, outputs, real)
    return block.batch, real * lines


# ---------------------------------------------------------------- adaptive sampling


@part
def _chances(scalar, block, samples):
    """Compute the sampling probabilities, the softmax of tau."""
    runs = runs_of(scalar)
    largest = load(scalar, block.tau, 0, 0)
    for i in range(1, samples):
        tau = load(scalar, block.tau, i * runs, 0)
        largest = select(tau > largest, tau, largest)
    total = zeros(scalar)
    for i in range(samples):
        power = exp_below(largest - load(scalar, block.tau, i * runs, 0))
        store(scalar, block.chances, i * runs, 0, power)
        total = total + power
    for i in range(samples):
        store(scalar, block.chances, i * runs, 0, load(scalar, block.chances, i * runs, 0) / total)


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
    _chances(scalar, block, samples)
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
def _gradient_norm(scalar, layers, block, n):
    """Squared norm of the gradient of the batch's n-th sample alone."""
    runs = runs_of(scalar)
    bottom = layers[0]
    inputs = _square_norm(scalar, block.batch.X, n * bottom.inputs * runs, bottom.inputs)
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


def learn_chances(batches, scalar, data, layers, block, span):
    """Update the sampling distribution, if samples are drawn, after an update of the weights."""


def _learn_chances(batches, scalar, data, layers, block, span):
    """Move tau along the gradient of the variance, to draw samples with large gradients more often.

    Let g_i be the squared gradient norms summed over the draws of sample i, and G their sum over
    all draws. Then tau_i moves by rate * (g_i - q_i * G). As q_i approaches 1, the difference and
    tau_i may be far smaller than the two terms. So it is computed as g_i * (1 - q_i) - q_i *
    (G - g_i), and for a sample with more than half of 1 or of G, the bracket is summed up over the
    other samples.
    """
    runs, samples = runs_of(scalar), data.samples
    rate = value(scalar, block.numbers, layers[0], batches.sampling_rate) / span.batch
    for i in range(samples):
        store(scalar, block.drawn, i * runs, 0, zeros(scalar))
    total = zeros(scalar)
    for n in range(span.batch):
        norm = _gradient_norm(scalar, layers, block, n)
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
        "epochs": lambda batches, scalar, data, layers, block, span: None,
        "adaptive": _learn_chances,
    },
)
