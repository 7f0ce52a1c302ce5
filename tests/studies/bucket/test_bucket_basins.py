"""Basins: the article's 100 balls in 5 minima."""

import numpy as np
import pytest

from fastgd import bucket
from fastgd.studies.bucket.basins import NOWHERE


def slope(x):
    return x**3 / 75 + 2.5 * np.cos(2.5 * x) - np.sin(x / 2) / 2


def turning_points():
    """Where the slope of the five minima changes its sign, to 1e-12: (minima, maxima)."""
    x = np.linspace(-6, 6, 12_001)
    at = np.flatnonzero(np.diff(np.sign(slope(x))))
    left, right = x[at], x[at + 1]
    for _ in range(40):
        middle = (left + right) / 2
        first = np.sign(slope(middle)) == np.sign(slope(left))
        left, right = np.where(first, middle, left), np.where(first, right, middle)
    rises = slope(x[at + 1]) > 0
    return left[rises], left[~rises]


def test_a_hundred_balls_end_in_five_minima():
    found = bucket.basins()
    minima, maxima = turning_points()
    assert len(found.minima) == 5
    np.testing.assert_allclose(found.minima, minima, atol=1e-8)
    np.testing.assert_allclose(found.heights, found.roll.curve.at(minima)[0], atol=1e-12)
    assert found.counts.sum() == len(found.owner) == 100
    np.testing.assert_array_equal(found.counts, np.bincount(found.owner))
    starts = np.random.RandomState(1).uniform(-6, 6, 100)
    np.testing.assert_array_equal(found.roll.start, starts)
    # With this alpha no ball crosses a summit.
    np.testing.assert_array_equal(found.owner, np.searchsorted(maxima, starts))
    assert [s.minimum for s in found.stretches] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose([s.left for s in found.stretches], [-6, *maxima], rtol=0, atol=1e-6)
    np.testing.assert_allclose([s.right for s in found.stretches], [*maxima, 6], rtol=0, atol=1e-6)


def test_balls_that_overshoot_have_other_basins():
    found = bucket.basins("x**4 - 3*x**2 + x", (-2.2, 2.2), alpha=0.1, balls=10)
    assert [stretch.minimum for stretch in found.stretches] == [1, 0, 1, 0]
    pairs = zip(found.stretches, found.stretches[1:], strict=False)
    assert all(left.right == right.left for left, right in pairs)
    # Balls let go on either side of where two stretches meet end where these say.
    edges = np.array([stretch.left for stretch in found.stretches[1:]])
    starts = np.concatenate([edges - 1e-6, edges + 1e-6])
    ended = bucket.roll(curve="x**4 - 3*x**2 + x", start=starts, alpha=0.1)
    np.testing.assert_allclose(ended.x, found.minima[[1, 0, 1, 0, 1, 0]], atol=1e-6)


def test_balls_that_are_still_rolling_are_in_no_minimum():
    found = bucket.basins(alpha=0.3, balls=10)  # too large for the last one
    assert [stretch.minimum for stretch in found.stretches] == [0, 1, 2, 3, NOWHERE]


def test_balls_that_are_near_a_minimum_but_still_rolling_are_not_in_it():
    found = bucket.basins("x**2", (-1, 1), alpha=0.4, balls=5, iterations=6)
    assert found.minima.tolist() == [0]  # where a ball was let go
    assert np.abs(found.roll.x).max() < 1e-4
    assert found.owner.tolist() == [NOWHERE] * 5


def test_balls_that_end_in_no_minimum():
    found = bucket.basins("x**3/3 - x", (-3, 3), balls=20, seed=3)
    assert found.minima == pytest.approx([1.0])
    assert [s.minimum for s in found.stretches] == [NOWHERE, 0]
    assert found.stretches[0].right == pytest.approx(-1.0)
    lost = found.owner == NOWHERE
    np.testing.assert_array_equal(lost, found.roll.start < -1)
    assert found.counts.tolist() == [20 - lost.sum()]
    assert repr(found) == f"Basins(20 balls in 1 minima: 1, {lost.sum()} in none)"


def test_no_minimum_at_all():
    found = bucket.basins(slope=lambda _: 1.0, window=(0, 1), balls=3, iterations=10)
    assert len(found.minima) == len(found.counts) == 0
    assert found.stretches == ((0.0, 1.0, NOWHERE),)
    assert repr(found) == "Basins(3 balls in 0 minima: , 3 in none)"


def test_the_path_is_there_if_asked():
    assert bucket.basins(balls=3).roll.path is None
    path = bucket.basins(balls=3, record_path=True).roll.path
    assert path.shape[0] == 3


@pytest.mark.parametrize(
    ("window", "kind", "message"),
    [
        ((3, -3), ValueError, r"window must have the smaller number first, got \(3, -3\)"),
        ((1, 1), ValueError, "window must have the smaller number first"),
        ((0, np.inf), ValueError, r"window\[1\] must be a finite number, got inf"),
        ((-1.7e308, 1.7e308), ValueError, "window must have the smaller number first"),
        (None, ValueError, "window must be given with a curve of your own: \\(lowest"),
        ((1, 2, 3), TypeError, "window must be two numbers"),
        (("a", 1), TypeError, r"window\[0\] must be a number, got 'a'"),
    ],
)
def test_bad_windows(window, kind, message):
    with pytest.raises(kind, match=message):
        bucket.basins("x**2", window)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"balls": 10**12}, ValueError, "the balls must fit into the available memory"),
        ({"balls": 0}, ValueError, "balls must be at least 1, got 0"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"alpha": [0.1, 0.2]}, TypeError, r"alpha must be a number, got \[0.1, 0.2\]"),
        ({"alpha": 0}, ValueError, "alpha must be a finite number above 0, got 0"),
    ],
)
def test_bad_options(options, kind, message):
    with pytest.raises(kind, match=message):
        bucket.basins(**options)
