"""Vectors of integers, lane by lane, against Python's integers."""

import numpy as np
import pytest
from numba import njit

from fastgd.kernel.language.loads_and_stores import load, load_words, store, store_words
from fastgd.kernel.language.tile import (
    Shape,
    all_words,
    bits_of,
    choose,
    integer,
    number_of,
    numbers,
    runs_of,
    select,
    zeros,
)
from thinning import only

ONES = 2**32 - 1
EDGES = [0, 1, 2**31 - 1, 2**31, ONES, 0x9E3779B9]
LARGEST = np.iinfo(np.int64).max
RANDOM = np.random.default_rng(1)


@njit(error_model="numpy", boundscheck=True)
def compute(shape, number, a, b, out, real):
    x, y, n = load_words(shape, a, 0), load_words(shape, b, 0), runs_of(shape)
    zero = all_words(zeros(shape), 0)
    store_words(shape, out, 0 * n, x)
    store_words(shape, out, 1 * n, x + y)
    store_words(shape, out, 2 * n, x ^ y)
    store_words(shape, out, 3 * n, x & y)
    store_words(shape, out, 4 * n, x >> 5)
    store_words(shape, out, 5 * n, (x * y) >> 32)
    store_words(shape, out, 6 * n, (x * number) >> 32)
    store_words(shape, out, 7 * n, number + x)
    store_words(shape, out, 8 * n, all_words(zeros(shape), number))
    store_words(shape, out, 9 * n, x - y)
    store_words(shape, out, 10 * n, number - x)
    store_words(shape, out, 11 * n, choose(x < y, x, number))
    store_words(shape, out, 12 * n, choose(x >= y, 1, zero))
    store_words(shape, out, 13 * n, choose(x - y < 0, 7, 0))
    store_words(shape, out, 14 * n, x | y)
    store_words(shape, out, 15 * n, number | x)
    store_words(shape, out, 16 * n, choose(x != y, 1, zero))
    store_words(shape, out, 17 * n, choose(number != x, 1, zero))
    store(shape, real, 0 * n, 0, numbers(x))
    store(shape, real, 1 * n, 0, select(x < y, 1.0, 0.0))
    store(shape, real, 2 * n, 0, select(number >= x, 1.0, 0.0))


@pytest.mark.parametrize("lanes", only([1, 2, 4, 8, 16], 1, 8))
def test_words_are_integers_in_every_lane(lanes):
    number = 0xD2511F53
    for _ in range(5):
        a, b = (RANDOM.choice(EDGES, lanes) for _ in range(2))
        out, real = np.empty(18 * lanes, np.int64), np.empty(3 * lanes)
        compute(Shape(1, 1, lanes), number, a, b, out, real)
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
            [x - y for x, y in pairs],
            [number - x for x, _ in pairs],
            [x if x < y else number for x, y in pairs],
            [int(x >= y) for x, y in pairs],
            [7 if x < y else 0 for x, y in pairs],
            [x | y for x, y in pairs],
            [number | x for x, y in pairs],
            [int(x != y) for x, y in pairs],
            [int(number != x) for x, y in pairs],
        ]
        for place, (got, wanted) in enumerate(zip(out.reshape(18, -1), expected, strict=True)):
            assert got.tolist() == wanted, (place, pairs)
        masks = [[x < y for x, y in pairs], [number >= x for x, _ in pairs]]
        assert real.reshape(3, -1).tolist() == [[float(x) for x, _ in pairs], *masks]


@njit(error_model="numpy", boundscheck=True)
def move(shape, source, at, target, to):
    store_words(shape, target, to, load_words(shape, source, at))


@njit(error_model="numpy", boundscheck=True)
def above(shape, x, number, out):
    """A mask of a tile picks integers, too."""
    store_words(shape, out, 0, choose(load(shape, x, 0, 0) > 0.0, number, -number))


@pytest.mark.parametrize("lanes", only([1, 4, 8], 1, 8))
def test_words_in_memory_keep_all_64_bits_and_their_place(lanes):
    source = RANDOM.integers(-LARGEST, LARGEST, 3 * lanes + 1)
    source[lanes] = LARGEST
    target = np.full(3 * lanes, -7)
    move(Shape(1, 1, lanes), source, lanes, target, lanes)
    assert target[:lanes].tolist() == target[2 * lanes :].tolist() == [-7] * lanes
    assert target[lanes : 2 * lanes].tolist() == source[lanes : 2 * lanes].tolist()
    for at, to in ((2 * lanes + 2, 0), (-1, 0), (0, 2 * lanes + 1), (0, -1)):
        with pytest.raises(IndexError):
            move(Shape(1, 1, lanes), source, at, target, to)


def test_a_tile_decides_which_integer():
    out = np.empty(4, np.int64)
    above(Shape(1, 1, 4), np.array([1.0, -1.0, np.nan, np.inf]), LARGEST, out)
    assert out.tolist() == [LARGEST, -LARGEST, -LARGEST, LARGEST]


@njit(error_model="numpy", boundscheck=True)
def reinterpreted(shape, x, out, real):
    bits = bits_of(load(shape, x, 0, 0))
    store_words(shape, out, 0, bits)
    store(shape, real, 0, 0, number_of(bits + 1))


@pytest.mark.parametrize("lanes", only([1, 4, 8], 1, 8))
def test_the_bits_of_numbers(lanes):
    x = RANDOM.choice([0.0, -0.0, 1.5, -(2.0**-1074), 1e308, -np.inf], lanes)
    out, real = np.empty(lanes, np.int64), np.empty(lanes)
    reinterpreted(Shape(1, 1, lanes), x, out, real)
    assert out.tolist() == x.view(np.int64).tolist()
    assert real.view(np.int64).tolist() == (x.view(np.int64) + 1).tolist()


@njit(error_model="numpy")
def only(shape, a):
    return integer(load_words(shape, a, 0))


def test_the_only_lane_as_an_integer():
    assert only(Shape(1, 1, 1), np.array([-LARGEST])) == -LARGEST
