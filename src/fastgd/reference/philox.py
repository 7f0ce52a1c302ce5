"""Random numbers that depend on where they are used, not on what was drawn before.

Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
(SC'11; the Random123 library): a counter of four 32-bit words is scrambled with a key of two. What
each counter and key stands for is said where they are made.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.data import FloatArray

Words = NDArray[np.uint64]
"""32-bit words, held in 64 bits so that their products fit."""

ROUNDS = 10
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_INCREMENTS = 0x9E3779B9, 0xBB67AE85
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)

DROPOUT, DROPCONNECT, SAMPLING = 1, 2, 3
"""What the numbers are for, in the second word of the key; a shuffle has 0."""


def philox(counter: Sequence[ArrayLike], key: tuple[int, int]) -> Words:
    """The four random words of each counter: (4, ...) for counter words of any common shape."""
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.asarray(word, np.uint64) for word in counter))
    k0, k1 = key
    for _ in range(ROUNDS):
        product0, product1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> HALF) ^ c1 ^ np.uint64(k0),
            product1 & LOW,
            (product0 >> HALF) ^ c3 ^ np.uint64(k1),
            product0 & LOW,
        )
        k0, k1 = (k0 + KEY_INCREMENTS[0]) & int(LOW), (k1 + KEY_INCREMENTS[1]) & int(LOW)
    return np.stack([c0, c1, c2, c3])


def words(rows: int, columns: int, time: int, key: tuple[int, int]) -> Words:
    """A (rows, columns) table of random words, for an iteration or epoch.

    Four rows share a counter: row i of column h is word i % 4 of counter (i // 4, h, time).
    """
    blocks = np.arange(-(-rows // 4))[:, None]
    counter = (blocks, np.arange(columns), time & int(LOW), time >> 32)
    four = philox(counter, key)
    return four.transpose(1, 0, 2).reshape(-1, columns)[:rows]


def uniform(count: int, time: int, seed: int) -> FloatArray:
    """(count,) numbers in [0, 1), for the draws of adaptive sampling."""
    return words(count, 1, time, (seed, SAMPLING))[:, 0] / 2.0**32


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
    """Factors that drop a share of a (rows, columns) table and scale up the rest to make up for it.

    For ``DROPOUT`` rows are the samples of the batch and columns the units, for ``DROPCONNECT``
    rows are the layer's inputs and columns its outputs.
    """
    rows, columns = shape
    random = words(rows, columns, iteration, (seed, 8 * layer + purpose))
    kept = random >= np.uint64(math.floor(rate * 2**32))
    factors: FloatArray = kept * np.float64(1 / (1 - rate))
    return factors
