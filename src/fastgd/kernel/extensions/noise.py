"""Noise in the derivatives and in the inputs: normal numbers from Philox's random words.

Pairs of words become pairs of normal numbers (Box and Muller, *Annals of Mathematical Statistics*
29, 1958), of at most 6.8 in magnitude. Counters are in :mod:`.randomness`; the remainder by 4
selects one of the four numbers.
"""

from math import pi

from fastgd.kernel.block import SEED, LayerInputs, integer, value
from fastgd.kernel.extensions.randomness import WORD, random_words
from fastgd.kernel.iteration.elementary import sine_and_cosine
from fastgd.kernel.iteration.exponentials import log, power
from fastgd.kernel.iteration.updates import trained_of
from fastgd.kernel.language.loads_and_stores import load, load_data, store
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import numbers as numbers_of
from fastgd.kernel.language.tile import runs_of, select, square_root, zeros

GRADIENT_NOISE, INPUT_NOISE = 5, 6

TURN = 2.0 * pi * WORD

NO_NOISE = -0.0
"""What changes no bit of any number that it is added to; 0.0 would change -0.0."""


@part
def _normal_pair(word, other):
    """Two independent standard normal numbers."""
    radius = square_root(-2.0 * log((numbers_of(word) + 0.5) * WORD))
    sine, cosine = sine_and_cosine((numbers_of(other) + 0.5) * TURN)
    return radius * cosine, radius * sine


@part
def _noise(scalar, deviation, seed, place, unit, purpose, iteration):
    """Four random numbers for each run, with its standard deviation."""
    w0, w1, w2, w3 = random_words(scalar, seed, place, unit, purpose, iteration)
    z0, z1 = _normal_pair(w0, w1)
    z2, z3 = _normal_pair(w2, w3)
    noisy = deviation > 0.0
    return (
        select(noisy, deviation * z0, NO_NOISE),
        select(noisy, deviation * z1, NO_NOISE),
        select(noisy, deviation * z2, NO_NOISE),
        select(noisy, deviation * z3, NO_NOISE),
    )


@part
def _decayed(noise_decay, scalar, numbers, layer, deviation, iteration):
    """The standard deviation in an iteration."""
    if noise_decay is None:
        return deviation
    exponent = -0.5 * value(scalar, numbers, layer, noise_decay.noise_decay)
    return deviation * power(zeros(scalar) + float(iteration + 1), exponent)


@part
def draw_noise(gradient_noise, scalar, recipe, layers, block, iteration):
    """Draw the noise of all derivatives of an iteration, in the order of the parameters.

    It is stored, as tiles of any shape will read it.
    """
    numbers, runs, seed = block.numbers, runs_of(scalar), integer(scalar, block, SEED)
    given = value(scalar, numbers, layers[0], gradient_noise.gradient_noise)
    deviation = _decayed(recipe.features.noise_decay, scalar, numbers, layers[0], given, iteration)
    for k in range(len(layers)):
        layer = layers[k]
        count, first = trained_of(recipe.batch_norm, layer), layer.weights + layer.noise
        purpose = 8 * k + GRADIENT_NOISE
        for p in range(0, count, 4):
            n0, n1, n2, n3 = _noise(scalar, deviation, seed, p // 4, 0, purpose, iteration)
            at = first + p * runs
            store(scalar, numbers, at, 0, n0)
            if p + 1 < count:
                store(scalar, numbers, at + runs, 0, n1)
            if p + 2 < count:
                store(scalar, numbers, at + 2 * runs, 0, n2)
            if p + 3 < count:
                store(scalar, numbers, at + 3 * runs, 0, n3)


@part
def inputs_of(input_noise, descent, data, start):
    """The inputs of samples from ``start`` on, as :func:`fill_inputs` has stored them."""
    scalar, bottom = descent.shapes.scalar, descent.layers[0]
    return LayerInputs(descent.block.numbers, bottom.noisy, bottom.inputs * runs_of(scalar), scalar)


@part
def _add_noise(scalar, numbers, at, noise):
    store(scalar, numbers, at, 0, load(scalar, numbers, at, 0) + noise)


@part
def fill_inputs(input_noise, descent, group, iteration, training):
    """Copy the inputs of a group of samples, each run its own, and add noise in training.

    That of a bias is without noise.
    """
    shapes, block, bottom = descent.shapes, descent.block, descent.layers[0]
    scalar, numbers, width = shapes.scalar, block.numbers, bottom.inputs
    stride, stored = width * runs_of(scalar), runs_of(shapes.data)
    for n in range(group.begin, group.end):
        for d in range(width):
            place = ((group.start + n) * width + d) * stored
            x = load_data(scalar, shapes.data, group.data.X, place, 0)
            store(scalar, numbers, bottom.noisy + n * stride + d * runs_of(scalar), 0, x)
    if not training:
        return
    seed = integer(scalar, block, SEED)
    given = value(scalar, numbers, bottom, input_noise.input_noise)
    deviation = _decayed(
        descent.recipe.features.noise_decay, scalar, numbers, bottom, given, iteration
    )
    for n in range(group.begin, group.end, 4):
        for d in range(bottom.units_below):
            n0, n1, n2, n3 = _noise(
                scalar, deviation, seed, (group.start + n) // 4, d, INPUT_NOISE, iteration
            )
            at = bottom.noisy + n * stride + d * runs_of(scalar)
            _add_noise(scalar, numbers, at, n0)
            _add_noise(scalar, numbers, at + stride, n1)
            _add_noise(scalar, numbers, at + 2 * stride, n2)
            _add_noise(scalar, numbers, at + 3 * stride, n3)
