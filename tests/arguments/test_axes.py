"""Axes that are refused before they are listed, and times and truth values that are no numbers."""

import time

import numpy as np
import pandas
import pytest

import fastgd
from fastgd.arguments.axes import MOST_NETWORKS, check_networks

X = [[0.0, 1.0], [1.0, 0.0]]
Y = [0.0, 1.0]
SECOND = np.timedelta64(1, "s")
DAY = np.datetime64("2020-01-01")


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"hidden_size": range(10**12)}, "an axis of hidden_size must have at most 10,000 values"),
        ({"hidden_size": range(10**30)}, "an axis of hidden_size must have at most 10,000 values"),
        ({"hidden_size": [4] * 10**6}, "an axis of hidden_size .* values, got 1,000,000"),
        ({"activation": ["tanh"] * 10**6}, "an axis of activation must have at most 10,000 values"),
        ({"batch_size": range(1, 10**9)}, "an axis of batch_size must have at most 10,000 values"),
        (
            {"hidden_size": range(1, 5001), "activation": ["tanh"] * 5000, "bias": [False, True]},
            "the axes of networks must have at most 10,000 combinations, got 50,000,000 of "
            "hidden_size x activation x bias",
        ),
    ],
)
def test_too_many_networks_are_counted_not_made(axes, message):
    begin = time.perf_counter()
    with pytest.raises(ValueError, match=message):
        fastgd.sweep(X, Y, **axes)
    assert time.perf_counter() - begin < 20  # 0.1 s; it did not come back


def test_as_many_networks_as_there_may_be():
    check_networks({"hidden_size": range(MOST_NETWORKS), "bias": [True]})
    check_networks({})
    with pytest.raises(ValueError, match="got 20,000 of hidden_size x bias"):
        check_networks({"hidden_size": range(MOST_NETWORKS), "bias": [True, False], "loss": ["x"]})


@pytest.mark.parametrize("name", ["alpha", "hidden_size", "seed", "iterations", "record_every"])
@pytest.mark.parametrize(
    "value",
    [SECOND, DAY, np.array(SECOND), True, np.True_, pandas.Timedelta(1, "s"), pandas.Timestamp(0)],
    ids=repr,
)
def test_times_and_truth_values_are_no_numbers(name, value):
    for call in (fastgd.train, fastgd.sweep, fastgd.reference.train):
        with pytest.raises(TypeError, match=rf"(an axis of )?{name} must (be|hold)"):
            call(X, Y, **{name: value})


@pytest.mark.parametrize("name", ["alpha", "hidden_size", "seed", "l2", "patience", "batch_size"])
@pytest.mark.parametrize(
    "axis",
    [
        [SECOND], [1, SECOND], [DAY], np.array([SECOND, SECOND]), np.array([DAY]), [True],
        np.array([True]), [np.True_], pandas.Series([DAY]), pandas.Series([SECOND]),
        pandas.Series([True]),
    ],
    ids=repr,
)  # fmt: skip
def test_axes_of_times_and_truth_values_are_refused(name, axis):
    with pytest.raises(TypeError, match=rf"(an axis of )?{name} must (be|hold)"):
        fastgd.sweep(X, Y, **{name: axis})


def test_times_beside_numbers_in_tuples():
    with pytest.raises(TypeError, match=r"alpha\[1\] must be a number"):
        fastgd.train(X, Y, hidden_size=(3,), alpha=(1.0, SECOND))
    with pytest.raises(TypeError, match=r"hidden_size\[0\] must be an int"):
        fastgd.train(X, Y, hidden_size=(SECOND,))
    with pytest.raises(TypeError, match="an axis of alpha must hold no dates or times"):
        fastgd.sweep(X, Y, hidden_size=(3,), alpha=np.array([[SECOND, SECOND]]))
