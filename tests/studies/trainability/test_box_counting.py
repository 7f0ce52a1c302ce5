import re

import numpy as np
import pytest

from fastgd.studies.trainability.box_counting import boundary, box_counting

SIDE = 512


def line():
    pixels = np.zeros((SIDE, SIDE), bool)
    pixels[100] = True
    return pixels


def diagonal():
    return np.eye(SIDE, dtype=bool)


def filled():
    return np.ones((SIDE, SIDE), bool)


def point():
    pixels = np.zeros((SIDE, SIDE), bool)
    pixels[3, 200] = True
    return pixels


def sierpinski():
    i = np.arange(SIDE)
    return i[:, None] & i == 0


def koch():
    """A Koch curve, drawn by the points where its pieces meet."""
    points = np.array([0, 1], complex)
    for _ in range(8):
        a, d = points[:-1], points[1:]
        b, c = a + (d - a) / 3, a + 2 * (d - a) / 3
        peak = b + (c - b) * np.exp(-1j * np.pi / 3)
        points = np.append(np.stack([a, b, peak, c], axis=1).ravel(), points[-1])
    pixels = np.zeros((1024, 1024), bool)
    pixels[(300 - points.imag * 1023).astype(int), (points.real * 1023).astype(int)] = True
    return pixels


@pytest.mark.parametrize(
    ("pixels", "dimension", "tolerance"),
    [
        (line, 1, 1e-12),
        (diagonal, 1, 1e-12),
        (filled, 2, 1e-12),
        (point, 0, 1e-12),
        (sierpinski, np.log(3) / np.log(2), 1e-12),
        (koch, np.log(4) / np.log(3), 0.03),
    ],
)
def test_known_dimensions(pixels, dimension, tolerance):
    found = box_counting(pixels())
    assert found.dimension == pytest.approx(dimension, abs=tolerance)
    assert found.r_squared > 0.998
    assert found.standard_error < tolerance


def test_counts_are_those_of_a_plain_loop():
    pixels = np.random.RandomState(2).random_sample((37, 50)) < 0.05
    found = box_counting(pixels)
    assert found.sizes.tolist() == [1, 2, 4, 8]
    for size, count in zip(found.sizes, found.counts, strict=True):
        boxes = {(i // size, j // size) for i, j in np.argwhere(pixels)}
        assert count == len(boxes)


def test_the_fit_is_that_of_numpy():
    found = box_counting(np.random.RandomState(2).random_sample((64, 64)) < 0.05)
    x, y = np.log2(found.sizes), np.log2(found.counts)
    (slope, intercept), covariance = np.polyfit(x, y, 1, cov=True)
    assert found.dimension == pytest.approx(-slope)
    assert found.intercept == pytest.approx(intercept)
    assert found.standard_error == pytest.approx(np.sqrt(covariance[0, 0]))
    assert found.r_squared == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    assert np.log2(found.fitted(found.sizes)) == pytest.approx(slope * x + intercept)


def test_boundary():
    inside = np.random.RandomState(1).random_sample((9, 7)) < 0.3
    found = boundary(inside)
    assert found.shape == inside.shape
    for i in range(9):
        for j in range(7):
            square = inside[i : i + 2, j : j + 2]
            assert found[i, j] == (square.size == 4 and square.any() and not square.all())


@pytest.mark.parametrize(
    ("pixels", "kind", "message"),
    [
        (np.ones((16, 16)), TypeError, "pixels must be True or False, got"),
        (np.ones((16, 15), bool), ValueError,
         "pixels must have shape (rows, columns), with at least 16 of each, got shape (16, 15)"),
        (np.ones(64, bool), ValueError, "at least 16 of each, got shape (64,)"),
        (np.zeros((16, 16), bool), ValueError, "at least one that is True, got none"),
    ],
)  # fmt: skip
def test_bad_pixels(pixels, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        box_counting(pixels)
