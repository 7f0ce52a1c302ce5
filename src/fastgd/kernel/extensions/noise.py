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
from fastgd.kernel.language.translation import unrolled

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
def _draw(descent, place, purpose, iteration, at, stride, first, rows, columns):
    """Store a table of noise, rows ``stride`` apart; the option's value is at this ``place``.

    Four rows share a counter; the first one is row ``first`` of all.
    """
    scalar, block, bottom = descent.shapes.scalar, descent.block, descent.layers[0]
    numbers, noise_decay = block.numbers, descent.recipe.features.noise_decay
    seed, deviation = integer(scalar, block, SEED), value(scalar, numbers, bottom, place)
    if noise_decay is not None:
        exponent = -0.5 * value(scalar, numbers, bottom, noise_decay.noise_decay)
        deviation = deviation * power(zeros(scalar) + float(iteration + 1), exponent)
    for n in range(0, rows, 4):
        for d in range(columns):
            words = random_words(scalar, seed, (first + n) // 4, d, purpose, iteration)
            z0, z1 = _normal_pair(words[0], words[1])
            z2, z3 = _normal_pair(words[2], words[3])
            z = z0, z1, z2, z3
            for i in unrolled(4):
                if n + i < rows:
                    noise = select(deviation > 0.0, deviation * z[i], NO_NOISE)
                    store(scalar, numbers, at + (n + i) * stride + d * runs_of(scalar), 0, noise)


@part
def draw_noise(gradient_noise, descent, iteration):
    """Draw the noise of all derivatives of an iteration, in the order of the parameters.

    It is stored, as tiles of any shape will read it.
    """
    place, runs = gradient_noise.gradient_noise, runs_of(descent.shapes.scalar)
    for k in range(len(descent.layers)):
        layer, purpose = descent.layers[k], 8 * k + GRADIENT_NOISE
        at, rows = layer.weights + layer.noise, trained_of(descent.recipe.batch_norm, layer)
        _draw(descent, place, purpose, iteration, at, runs, 0, rows, 1)


@part
def inputs_of(input_noise, descent, data, start):
    """The inputs of samples from ``start`` on, as :func:`fill_inputs` has stored them."""
    scalar, bottom = descent.shapes.scalar, descent.layers[0]
    return LayerInputs(descent.block.numbers, bottom.noisy, bottom.inputs * runs_of(scalar), scalar)


@part
def fill_inputs(input_noise, descent, group, iteration, training):
    """Copy the inputs of a group of samples, each run its own, and add noise in training.

    That of a bias is without noise.
    """
    shapes, numbers, bottom = descent.shapes, descent.block.numbers, descent.layers[0]
    scalar, width, noisy, place = shapes.scalar, bottom.inputs, 0, input_noise.input_noise
    first, rows = group.start + group.begin, group.end - group.begin
    stride = width * runs_of(scalar)
    at = bottom.noisy + group.begin * stride
    if training:
        noisy = bottom.units_below
        _draw(descent, place, INPUT_NOISE, iteration, at, stride, first, rows, noisy)
    for n in range(rows):
        for d in range(width):
            given, to = (first + n) * width + d, at + n * stride + d * runs_of(scalar)
            x = load_data(scalar, shapes.data, group.data.X, given * runs_of(shapes.data), 0)
            if d < noisy:
                x = x + load(scalar, numbers, to, 0)
            store(scalar, numbers, to, 0, x)
