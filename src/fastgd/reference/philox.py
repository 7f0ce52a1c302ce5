"""Masks, noise, shuffles and draws: random numbers that depend only on where they are used."""

import math

import numpy as np

from fastgd.checks.numbers import FloatArray
from fastgd.engine.network import LOW, RandomWords, philox

DROPOUT, DROPCONNECT, SAMPLING = 1, 2, 3
"""Purposes of random words, part of the key's second word; a shuffle has 0."""

GRADIENT_NOISE, INPUT_NOISE = 5, 6


def words(rows: int, columns: int, time: int, key: tuple[int, int]) -> RandomWords:
    """A (rows, columns) table of random words for one iteration or epoch.

    Four rows share a counter: row i of column h is word i % 4 of counter (i // 4, h, time).
    """
    blocks = np.arange(-(-rows // 4))[:, None]
    counter = (blocks, np.arange(columns), time & int(LOW), time >> 32)
    four = philox(counter, key)
    return four.transpose(1, 0, 2).reshape(-1, columns)[:rows]


def uniform(count: int, time: int, seed: int) -> FloatArray:
    """(count,) numbers in [0, 1), for the draws of adaptive sampling."""
    return words(count, 1, time, (seed, SAMPLING))[:, 0] / 2.0**32


def normal(rows: int, columns: int, iteration: int, key: tuple[int, int]) -> FloatArray:
    """A (rows, columns) table of standard normal numbers: two rows of words make two of numbers."""
    random = words(-(-rows // 2) * 2, columns, iteration, key).reshape(-1, 2, columns)
    u = (random + 0.5) / 2.0**32  # Box and Muller (1958)
    size, angle = np.sqrt(-2 * np.log(u[:, 0])), 2 * np.pi * u[:, 1]
    pairs: FloatArray = np.stack([size * np.cos(angle), size * np.sin(angle)], axis=1)
    return pairs.reshape(-1, columns)[:rows]


def shuffled(count: int, epoch: int, seed: int) -> list[int]:
    """The order of the samples in an epoch: Fisher and Yates, from the last place down."""
    order = list(range(count))
    random = words(count, 1, epoch, (seed, 0))[:, 0].tolist()
    for i in range(count - 1, 0, -1):
        k = random[i] * (i + 1) >> 32
        order[i], order[k] = order[k], order[i]
    return order


def mask(
    rate: float, shape: tuple[int, ...], iteration: int, seed: int, layer: int, purpose: int
) -> FloatArray:
    """Factors that zero a share of a (rows, columns) table and scale up the rest to compensate.

    For ``DROPOUT`` rows are the samples of the batch and columns the units, for ``DROPCONNECT``
    rows are the layer's inputs and columns its outputs.
    """
    rows, columns = shape
    random = words(rows, columns, iteration, (seed, 8 * layer + purpose))
    kept = random >= np.uint64(math.floor(rate * 2**32))
    factors: FloatArray = kept * np.float64(1 / (1 - rate))
    return factors
