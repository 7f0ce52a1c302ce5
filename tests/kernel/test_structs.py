"""Structs: what Python encodes a kernel reads, and nothing beyond an array's end."""

import re
from typing import NamedTuple

import numpy as np
import pytest
from numba import njit, types

from fastgd.kernel.language.loads_and_stores import load
from fastgd.kernel.language.specialization import KnownFacts, markers
from fastgd.kernel.language.structs import (
    Bytes,
    Floats,
    Integers,
    address_of,
    encode,
    first_byte,
    floats_at,
    table_of,
)
from fastgd.kernel.language.tile import constant_shape, only
from fastgd.kernel.language.translation import translated


class Inner(NamedTuple):
    count: int
    values: Floats


class Mixed(NamedTuple):
    number: float
    floats: Floats
    inner: Inner
    places: Integers
    whole: int
    signs: Bytes


class Rows(NamedTuple):
    values: Floats
    signs: Bytes
    whole: int
    inner: Inner


mixed_table, rows_table = table_of(Mixed), table_of(Rows)

RANDOM = np.random.default_rng(2)


@njit(boundscheck=True)
def read(words, floats, integers):
    struct = mixed_table(words)[0]
    inner = struct.inner
    floats[0], floats[1] = struct.number, struct.floats[len(struct.floats) - 1]
    floats[2] = inner.values[1]
    integers[0], integers[1] = inner.count, struct.whole
    integers[2], integers[3] = struct.places[2], struct.signs[3]
    integers[4], integers[5] = len(struct.floats), len(inner.values)
    integers[6], integers[7] = len(struct.places), len(struct.signs)
    integers[8] = len(mixed_table(words))


def test_every_kind_of_field_is_read_where_it_is():
    struct = Mixed(
        -0.1,
        RANDOM.normal(size=3),
        Inner(-(2**62), RANDOM.normal(size=2)),
        RANDOM.integers(-(2**62), 2**62, 4),
        2**53 + 1,  # no float64 has it
        np.array([0, 1, 2, 255], dtype=np.uint8),
    )
    floats, integers = np.zeros(3), np.zeros(9, np.int64)
    read(encode(struct), floats, integers)
    assert floats.tolist() == [-0.1, struct.floats[2], struct.inner.values[1]]
    assert integers.tolist() == [
        *(-(2**62), 2**53 + 1, struct.places[2], 255, 3, 2, 4, 4, 1),
    ]


@njit(boundscheck=True)
def change(words, row, place, number):
    table = rows_table(words)
    table[row].values[place] = number
    table[row].signs[place] = 7
    return len(table), table[row].whole, table[row].inner.count, table[row].inner.values[place]


def test_rows_of_a_table_are_rows_of_the_arrays():
    values, signs = np.zeros((3, 4)), np.zeros((3, 4), np.uint8)
    inner = RANDOM.normal(size=(3, 5))
    words = encode(Rows(values, signs, 6, Inner(8, inner)), 3)
    assert words.shape == (3, 8)
    for row, place in ((0, 0), (2, 3), (1, 2)):
        assert change(words, row, place, row + 0.5) == (3, 6, 8, inner[row, place])
        assert (values[row, place], signs[row, place]) == (row + 0.5, 7)
    assert np.count_nonzero(values) == np.count_nonzero(signs) == 3


def test_bounds_are_checked_where_numba_is_told_to():
    values, signs = np.zeros((2, 4)), np.zeros((2, 4), np.uint8)
    words = encode(Rows(values, signs, 6, Inner(8, np.zeros((2, 5)))), 2)
    for place in (4, -5, 10**12):
        with pytest.raises(IndexError):
            change(words, 0, place, 1.0)
    assert not values.any()


def test_what_lies_apart_in_memory_is_encoded_by_its_rows():
    """A block's arrays are slices of larger ones."""
    whole = np.arange(24.0).reshape(2, 12)
    words = encode(Inner(1, whole[:, 2:5]), 2)
    assert words[:, 2].tolist() == [3, 3]
    assert np.diff(words[:, 1]).tolist() == [12 * 8]


def test_where_an_array_begins():
    values = np.zeros(6)
    first = values.__array_interface__["data"][0]
    assert first_byte(values) == first_byte(values.reshape(2, 3)) == first
    assert first_byte(values[1:]) == first + 8
    assert first_byte(values[::2]) == first  # no buffer that is all of it
    values.setflags(write=False)
    assert first_byte(values) == first  # none to write to
    assert first_byte(values[:0]) == 0


@njit(boundscheck=True)
def change_at(first, length, place, number):
    floats = floats_at(first, length)
    floats[place] = number
    return len(floats)


@njit
def first_of(words):
    return address_of(rows_table(words)[1].values)


def test_numbers_are_found_by_their_address():
    values = np.zeros((3, 4))
    words = encode(Rows(values, np.zeros((3, 4), np.uint8), 6, Inner(8, np.zeros((3, 5)))), 3)
    assert change_at(first_of(words), 4, 2, 1.5) == 4
    assert values.tolist() == [[0.0] * 4, [0.0, 0.0, 1.5, 0.0], [0.0] * 4]
    with pytest.raises(IndexError):
        change_at(first_of(words), 4, 4, 1.5)


class Pair(NamedTuple):
    x: Floats
    y: Floats


@markers
class Facts(NamedTuple):
    known: KnownFacts | None


pairs_table = table_of(Pair)


_number = constant_shape(1, 1, 1)


def _twice(facts, words):
    """Reads the same number before and after a store to the other array."""
    pair, stored = pairs_table(words)[0], 0.0
    if facts.known is not None:
        stored = float(facts.known)
    first = pair.x[0]
    pair.y[1] = stored
    return first + only(load(_number(), pair.x, 0, 0))


@pytest.mark.parametrize("known", [None, 7])
def test_in_code_for_one_network_alone_each_access_says_of_which_array_it_is(known):
    """Only there: elsewhere a kernel may reach an array by the distance from another."""
    arrays = Pair(np.array([1.5]), np.zeros(2))
    made = njit(error_model="numpy")(translated(returned=types.float64)(_twice))
    assert made(Facts(known if known is None else KnownFacts(known)), encode(arrays)) == 3.0
    assert arrays.y.tolist() == [0.0, known or 0.0]
    [text] = made.inspect_llvm().values()
    fields = re.findall(r'^!\d+ = !\{!"(\w+)", !\d+, i64 0\}', text, re.MULTILINE)
    assert sorted(set(fields)) == ([] if known is None else ["x", "y"])
