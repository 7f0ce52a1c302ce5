"""Vectors of integers, lane by lane, against Python's integers."""

import numpy as np
import pytest
from numba import njit

from fastgd.kernel.language.tile import Shape, load, runs_of, select, store, zeros
from fastgd.kernel.language.words import all_words, below, numbers, words

ONES = 2**32 - 1
RANDOM = np.random.default_rng(1)


@njit(error_model="numpy", boundscheck=True)
def compute(shape, number, a, b, out):
    x, y, n = words(load(shape, a, 0, 0)), words(load(shape, b, 0, 0)), runs_of(shape)
    store(shape, out, 0 * n, 0, numbers(x))
    store(shape, out, 1 * n, 0, numbers(x + y))
    store(shape, out, 2 * n, 0, numbers(x ^ y))
    store(shape, out, 3 * n, 0, numbers(x & y))
    store(shape, out, 4 * n, 0, numbers(x >> 5))
    store(shape, out, 5 * n, 0, numbers((x * y) >> 32))
    store(shape, out, 6 * n, 0, numbers((x * number) >> 32))
    store(shape, out, 7 * n, 0, numbers(number + x))
    store(shape, out, 8 * n, 0, numbers(all_words(zeros(shape), number)))
    store(shape, out, 9 * n, 0, select(below(x, y), 1.0, 0.0))


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16])
def test_words_are_integers_in_every_lane(lanes):
    edges = [0, 1, 2**31 - 1, 2**31, ONES, 0x9E3779B9]
    number = 0xD2511F53
    for _ in range(5):
        a, b = (RANDOM.choice(edges, lanes) for _ in range(2))
        out = np.empty(10 * lanes)
        compute(Shape(1, 1, lanes), number, a.astype(float), b.astype(float), out)
        pairs = [(int(x), int(y)) for x, y in zip(a, b, strict=True)]
        expected = [
            [x for x, _ in pairs],
            [x + y for x, y in pairs],
            [x ^ y for x, y in pairs],
            [x & y for x, y in pairs],
            [x >> 5 for x, _ in pairs],
            # The product fills 64 bits, and >> brings no sign along.
            [x * y >> 32 for x, y in pairs],
            [x * number >> 32 for x, _ in pairs],
            [number + x for x, _ in pairs],
            [number] * lanes,
            [float(x < y) for x, y in pairs],
        ]
        for place, (got, wanted) in enumerate(zip(out.reshape(10, -1), expected, strict=True)):
            assert got.tolist() == wanted, (place, pairs)
