"""Memory of large results is used again, but never while somebody has the result."""

import sys

import numpy as np
import pytest

import fastgd
from fastgd.checks import numbers as memory
from fastgd.engine import result_memory
from fastgd.engine.result_memory import RESULT_LEAST_BYTES, RESULT_MOST_BYTES, empty

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="an array may outlive its last name elsewhere"
)
LEAST = RESULT_LEAST_BYTES // 8


@pytest.fixture(autouse=True)
def nothing_spare():
    result_memory._spare.clear()
    yield
    result_memory._spare.clear()


def address(array):
    return array.ctypes.data


def test_memory_of_a_dropped_result_is_that_of_the_next():
    first = empty((5, LEAST, 1))
    place = address(first)
    del first
    assert address(empty((4, LEAST))) == place


def test_a_view_keeps_the_memory():
    first = empty((2, LEAST))
    row = first[1].T
    row[:] = 7.0
    del first
    empty((2, LEAST))[:] = 1.0
    assert (row == 7.0).all()


def test_two_results_have_memory_of_their_own():
    results = [empty((2, LEAST)) for _ in range(3)]
    for k, result in enumerate(results):
        result[:] = k
    assert [result.max() for result in results] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("size", [LEAST, 5 * LEAST])
def test_memory_of_another_size_is_given_up(size):
    first = empty((2 * LEAST + 2,))
    del first
    second = empty((size,))
    assert second.base._memory.size == size
    assert not len(result_memory._spare)
    del second
    assert [each.size for each in result_memory._spare] == [size]


@pytest.mark.parametrize("count", [1, LEAST - 1, RESULT_MOST_BYTES // 8 + 1])
def test_small_and_huge_arrays_are_ordinary_ones(count):
    assert empty((count,)).flags.owndata


def test_predictions_of_a_sweep():
    X = np.linspace(-1, 1, LEAST // 64).reshape(-1, 1)
    sweep = fastgd.sweep(
        X[:4], X[:4] ** 2, hidden_size=2, alpha=[0.1, 0.2], seed=range(32), iterations=1
    )
    first = sweep.predict(X)
    kept, place = first.copy(), address(first)
    again = sweep.predict(X + 1.0)
    assert address(again) != place
    np.testing.assert_array_equal(first, kept)
    del first
    third = sweep.predict(X)
    assert address(third) == place
    np.testing.assert_array_equal(third, kept)


def test_it_is_given_up_where_memory_is_short(monkeypatch):
    empty((2, LEAST))
    assert len(result_memory._spare) == 1
    monkeypatch.setattr(memory, "available_memory", lambda: 2**20 * (100 - 60 * spare()))
    memory.check_memory(2**20 * 90, "the prediction")
    assert not spare()
    with pytest.raises(memory.TooLargeError, match="the prediction must fit"):
        memory.check_memory(2**20 * 110, "the prediction")


def spare():
    return len(result_memory._spare)
