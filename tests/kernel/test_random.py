"""Philox in compiled code, and what is drawn with it: orders, masks, samples."""

from itertools import permutations

import numpy as np
import pytest
from numba import njit

from fastgd.kernel.extensions.randomness import (
    DRAW,
    DROPCONNECT,
    DROPOUT,
    SHUFFLE,
    philox,
    random_words,
    shuffle,
)
from fastgd.kernel.language.loads_and_stores import load_words, store_words
from fastgd.kernel.language.specialization import UNCOUNTED
from fastgd.kernel.language.tile import Shape, runs_of
from plain import philox as plain_philox
from plain import shuffled, word

ONES = 2**32 - 1
# Random123's kat_vectors: counter, key, words.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@njit
def scalar(c0, c1, c2, c3, k0, k1):
    return philox(c0, c1, c2, c3, k0, k1)


@njit(**UNCOUNTED)
def lanes(shape, given, result):
    """Six rows of numbers in, four out."""
    R = runs_of(shape)
    w0, w1, w2, w3 = philox(
        load_words(shape, given, 0),
        load_words(shape, given, R),
        load_words(shape, given, 2 * R),
        load_words(shape, given, 3 * R),
        load_words(shape, given, 4 * R),
        load_words(shape, given, 5 * R),
    )
    store_words(shape, result, 0, w0)
    store_words(shape, result, R, w1)
    store_words(shape, result, 2 * R, w2)
    store_words(shape, result, 3 * R, w3)


@njit(**UNCOUNTED)
def drawn(shape, seeds, unit, purpose, iteration, result):
    """All words of a unit in an iteration: (places * 4, R)."""
    R = runs_of(shape)
    seed = load_words(shape, seeds, 0)
    for place in range(len(result) // (4 * R)):
        w0, w1, w2, w3 = random_words(shape, seed, place, unit, purpose, iteration)
        at = 4 * place * R
        store_words(shape, result, at, w0)
        store_words(shape, result, at + R, w1)
        store_words(shape, result, at + 2 * R, w2)
        store_words(shape, result, at + 3 * R, w3)


@njit
def order_of(order, seed, epoch):
    shuffle(order, len(order), seed, epoch)


def draw(seeds, places, unit, purpose, iteration):
    result = np.empty(4 * places * len(seeds), np.int64)
    drawn(Shape(1, 1, len(seeds)), np.array(seeds), unit, purpose, iteration, result)
    return result.reshape(4 * places, len(seeds))


def order(samples, seed, epoch):
    result = np.full(samples, -1)
    order_of(result, seed, epoch)
    return result.tolist()


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter, key, expected):
    assert scalar(*counter, *key) == expected
    assert tuple(plain_philox(counter, key)) == expected


@pytest.mark.parametrize("runs", [1, 8])
def test_known_answers_in_lanes(runs):
    """Each lane has its own counter and key."""
    cases = [KNOWN[r % len(KNOWN)] for r in range(runs)]
    given = np.array([[*counter, *key] for counter, key, _ in cases]).T.ravel()
    result = np.empty(4 * runs, np.int64)
    lanes(Shape(1, 1, runs), given, result)
    assert result.reshape(4, runs).T.tolist() == [list(expected) for *_, expected in cases]


def test_lanes_are_the_plain_words():
    random = np.random.default_rng(2)
    for _ in range(20):
        given = random.integers(0, 2**32, (6, 8))
        result = np.empty(32, np.int64)
        lanes(Shape(1, 1, 8), given.ravel(), result)
        for column, got in zip(given.T.tolist(), result.reshape(4, 8).T, strict=True):
            assert got.tolist() == plain_philox(column[:4], column[4:])


@pytest.mark.parametrize("iteration", [0, 5, 2**32 - 1, 2**32, 2**40 + 3])
def test_words_of_a_unit_lie_where_the_contract_says(iteration):
    seeds = [0, 7, 2**32 - 1, 1, 2, 3, 4, 5]
    got = draw(seeds, 3, 6, 8 * 2 + DROPCONNECT, iteration)
    for n in range(12):
        expected = [word(n, 6, iteration, (seed, 18)) for seed in seeds]
        assert got[n].tolist() == expected


def test_the_purposes_differ():
    keys = [SHUFFLE, DROPOUT, DROPCONNECT, DRAW]
    assert keys == [0, 1, 2, 3]
    assert len({draw([1], 1, 0, key, 0).tobytes() for key in (*keys, *(k + 8 for k in keys))}) == 8


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.5, 0.999])
def test_as_many_words_are_below_the_limit_as_the_rate_says(rate):
    seeds = list(range(8))
    below = np.array([draw(seeds, 50, h, DROPOUT, j) for h in range(20) for j in range(10)])
    share = (below < np.floor(rate * 2**32)).mean(axis=(0, 1))  # of 40,000 words of each run
    assert (np.abs(share - rate) < 4 * np.sqrt(rate * (1 - rate) / 40_000)).all()


def test_a_runs_words_are_independent_of_the_others():
    bits = np.array([draw(list(range(8)), 500, h, DROPOUT, 3) for h in range(10)])
    correlation = np.corrcoef(bits.reshape(-1, 8).T) - np.eye(8)
    assert np.abs(correlation).max() < 4 / np.sqrt(20_000)


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5, 13, 300])
@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (5, 1), (2**32 - 1, 2**33 + 1)])
def test_an_order_is_a_permutation_and_the_plain_one(samples, seed, epoch):
    got = order(samples, seed, epoch)
    assert sorted(got) == list(range(samples))
    assert got == shuffled(samples, epoch, seed)


def test_every_order_comes_up_as_often():
    counts = dict.fromkeys(permutations(range(4)), 0)
    for epoch in range(24_000):
        counts[tuple(order(4, 1, epoch))] += 1
    chi_square = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert 5 < chi_square < 55  # 23 degrees of freedom


def test_orders_differ_by_epoch_and_seed():
    orders = {tuple(order(20, seed, epoch)) for seed in range(5) for epoch in range(50)}
    assert len(orders) == 250
