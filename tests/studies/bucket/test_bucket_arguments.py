"""Arguments of no use, everywhere in the bucket: refused in one line, or a result."""

import datetime
import decimal
import fractions

import numpy as np
import pytest

from fastgd import bucket


class Unfriendly:
    """Raises whatever it is asked for."""

    def __index__(self):
        raise RuntimeError

    def __float__(self):
        raise OverflowError

    def __array__(self, *_arguments, **_options):
        raise KeyError

    def __len__(self):
        raise IndexError

    def __repr__(self):
        raise ZeroDivisionError


FLAGS = [True, [True], [1.0, True], [[1.0], [np.True_]], np.array(True), np.array([True, False])]

ODD = [
    *FLAGS,
    *(None, float("nan"), float("inf"), -1, 0, -0.0, 1e308, 5e-324, 2**62, 2**63, 10**400),
    *("", "x", "3", b"x", bytearray(b"x"), 1j, [1j], object(), Unfriendly(), [Unfriendly()]),
    *([], [[]], (), {}, {"a": 1}, {1, 2}, [None], ["a"], [[1, 2], [3]], [10**400], (1, 2, 3)),
    *(range(0), range(3), range(10**30), iter([1, 2]), slice(1), ..., NotImplemented),
    *(np.array([]), np.zeros((2, 0)), np.zeros((2, 3)), np.array([1, 2], object), np.array(["1"])),
    *(np.timedelta64(3, "s"), np.array([3], "m8[s]"), np.datetime64("2020-01-01")),
    *(datetime.timedelta(3), decimal.Decimal("0.1"), fractions.Fraction(1, 3)),
    *(np.ma.array([1.0, 2.0], mask=[0, 1]), np.float32(0.5), np.longdouble(1e308) * 10),
    np.broadcast_to(1.0, (10**6, 10**6)),
]


def attempt(call):
    """What came out; None if it was refused."""
    try:
        return call()
    except (ValueError, TypeError) as error:
        text = str(error)
        assert text
        assert "\n" not in text
        assert len(text) < 500
        return None


ROLLED = {"curve": "x**2", "start": 1.0, "iterations": 3}
FOUND = {"curve": "x**2", "window": (-1, 1), "balls": 3, "iterations": 3}
OPTIONS = ("alpha", "rule", "iterations", "tolerance", "farthest", "record_path", "threads")


@pytest.mark.parametrize("name", ["curve", "slope", "start", *OPTIONS])
def test_roll(name):
    for value in ODD:
        attempt(lambda value=value: repr(bucket.roll(**ROLLED | {name: value})))


@pytest.mark.parametrize("name", ["curve", "slope", "window", "balls", "seed", *OPTIONS, "other"])
def test_basins(name):
    for value in ODD:
        attempt(lambda value=value: repr(bucket.basins(**FOUND | {name: value})))
    for value in ODD if name == "window" else ():
        attempt(lambda value=value: bucket.basins(**FOUND | {name: (-1e308, value)}))


def test_helpers():
    curve = bucket.roll(**ROLLED).curve
    for value in ODD:
        attempt(lambda value=value: curve.at(value))
        attempt(lambda value=value: bucket.EXAMPLES["too-big"].roll(record_path=value))


@pytest.mark.parametrize("flag", FLAGS, ids=repr)
def test_true_is_no_number(flag):
    with pytest.raises(TypeError, match=r"start must (be a|hold real) numbers?"):
        bucket.roll(curve="x**2", start=flag)
    with pytest.raises(TypeError, match=r"alpha must (be a|hold real) numbers?"):
        bucket.roll(curve="x**2", start=1.0, alpha=flag)
    with pytest.raises(TypeError, match="x must hold real numbers"):
        bucket.roll(**ROLLED).curve.at(flag)


def test_a_time_is_no_number():
    with pytest.raises(TypeError, match="alpha must hold real numbers"):
        bucket.roll(curve="x**2", start=1.0, alpha=np.array([3], "m8[s]"))


def test_memory_is_looked_at_first():
    for call in (
        lambda: bucket.basins(balls=10**15),
        lambda: bucket.roll(curve="x**2", start=np.broadcast_to(1.0, (10**6, 10**6))),
        lambda: bucket.roll("x", np.ones((10**6, 1)), alpha=np.full(10**6, 0.1)),
    ):
        with pytest.raises(ValueError, match="must fit into the available memory"):
            call()
