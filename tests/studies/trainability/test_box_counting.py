import re

import numpy as np
import pytest

from fastgd.studies import box_counting as module
from fastgd.studies.box_counting import boundary, box_counting

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


def koch(side=1024):
    """A Koch curve, drawn by the points where its pieces meet."""
    points = np.array([0, 1], complex)
    for _ in range(8):
        a, d = points[:-1], points[1:]
        b, c = a + (d - a) / 3, a + 2 * (d - a) / 3
        peak = b + (c - b) * np.exp(-1j * np.pi / 3)
        points = np.append(np.stack([a, b, peak, c], axis=1).ravel(), points[-1])
    pixels = np.zeros((side, side), bool)
    rows, columns = 0.3 * side - points.imag * (side - 1), points.real * (side - 1)
    pixels[rows.astype(int), columns.astype(int)] = True
    return pixels


def digits_in_base_3(side):
    """Whether each digit of 0, 1, ... is a 1, the last digit first: (digits, side)."""
    return np.array([np.arange(side) // 3**k % 3 == 1 for k in range(7)])


def carpet(side):
    """Sierpinski's: the middle ninth of each square is taken out."""
    middle = digits_in_base_3(side)
    return ~(middle[:, :, None] & middle[:, None]).any(axis=0)


def dust(side):
    """Cantor's, in both directions."""
    kept = ~digits_in_base_3(side).any(axis=0)
    return kept[:, None] & kept


def segment(rows, columns, angle, at=(0.4, 0.6)):
    """A straight line through a point, at an angle."""
    way = np.linspace(-1000, 1000, 100_000)
    i, j = at[0] * rows + way * np.sin(angle), at[1] * columns + way * np.cos(angle)
    inside = (i >= 0) & (i < rows) & (j >= 0) & (j < columns)
    pixels = np.zeros((rows, columns), bool)
    pixels[i[inside].astype(int), j[inside].astype(int)] = True
    return pixels


def circle(side, radius):
    turn = np.linspace(0, 2 * np.pi, 100_000)
    pixels = np.zeros((side, side), bool)
    i, j = (side * (0.5 + radius * function(turn)) for function in (np.sin, np.cos))
    pixels[i.astype(int), j.astype(int)] = True
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
    if tolerance < 1e-9:
        assert found.low == pytest.approx(dimension, abs=tolerance)
        assert found.high == pytest.approx(dimension, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "make", "dimension"),
    [
        *((f"filled {shape}", np.ones(shape, bool), 2)
          for shape in ((300, 517), (13, 13), (77, 100), (511, 511))),
        *((f"row {row} of 300 x 517", np.arange(300)[:, None] + np.zeros(517) == row, 1)
          for row in (0, 123, 298, 299)),
        *((f"segment at {angle:.2f}", segment(300, 517, angle), 1)
          for angle in np.linspace(0.05, 3, 14)),
        *((f"circle of {side}", circle(side, 0.4), 1) for side in (128, 400, 512)),
        *((f"carpet of {side}", carpet(side), np.log(8) / np.log(3))
          for side in (81, 243, 500, 512, 729)),
        *((f"dust of {side}", dust(side), np.log(4) / np.log(3)) for side in (243, 512, 729)),
        *((f"Koch curve of {side}", koch(side), np.log(4) / np.log(3))
          for side in (200, 500, 700, 1024)),
        *((f"triangle of {side}", sierpinski()[:side, :side], np.log(3) / np.log(2))
          for side in (100, 300, 500)),
    ],
)  # fmt: skip
def test_the_interval_holds_the_dimension(name, make, dimension):
    found = box_counting(make)
    assert found.low - 1e-9 <= dimension <= found.high + 1e-9, name
    assert 0 <= found.low <= found.dimension <= found.high + 1e-12 <= 2 + 1e-9
    if name.startswith(("filled", "row 1")):
        assert found.high - found.low < 1e-9  # edge boxes leave no trace


def test_turning_an_image_changes_nothing():
    pixels = segment(61, 45, 0.7) | (np.random.RandomState(2).random_sample((61, 45)) < 0.02)
    found = box_counting(pixels)
    for turned in (pixels[::-1], pixels[:, ::-1], pixels.T):
        again = box_counting(turned)
        assert again.counts.tolist() == found.counts.tolist()
        assert again.dimension == found.dimension


def test_counts_are_those_of_a_plain_loop():
    pixels = np.random.RandomState(2).random_sample((37, 50)) < 0.05
    found = box_counting(pixels)
    assert found.sizes.tolist() == [1, 2, 4, 8]
    for size, count in zip(found.sizes.tolist(), found.counts, strict=True):
        total = 0.0
        for corner in (pixels, pixels[::-1], pixels[:, ::-1], pixels[::-1, ::-1]):
            boxes = {(i // size, j // size) for i, j in np.argwhere(corner)}
            for i, j in boxes:
                inside = min(37 - i * size, size) * min(50 - j * size, size)
                total += inside / size**2 / 4
        assert count == pytest.approx(total, rel=1e-14)


def test_the_fit_is_that_of_numpy():
    found = box_counting(np.random.RandomState(2).random_sample((64, 64)) < 0.05)
    x, y = np.log2(found.sizes), np.log2(found.counts)
    slope, intercept = np.polyfit(x, y, 1)
    assert found.dimension == pytest.approx(-slope)
    assert found.intercept == pytest.approx(intercept)
    assert found.r_squared == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    assert np.log2(found.fitted(found.sizes)) == pytest.approx(slope * x + intercept)


@pytest.mark.parametrize("side", [13, 25, 49, 97, 1000])
def test_the_interval_is_students_where_slopes_are_independent(monkeypatch, side):
    """Of made-up counts whose slopes are independent, it holds the dimension 95 times in 100."""
    random = np.random.RandomState(side)
    pixels = np.ones((side, side), bool)
    hits = 0
    for _ in range(1000):
        counts = {}

        def made_up(_, size, counts=counts):
            before = counts.get(size // 2, 1e6)
            counts[size] = before * 2.0 ** -(1 + 0.1 * random.standard_normal())
            return counts[size]

        monkeypatch.setattr(module, "_count", made_up)
        found = box_counting(pixels)
        hits += found.low <= 1 <= found.high
    assert 930 <= hits <= 970


def test_the_largest_boxes_fit_four_times():
    for side in range(13, 140):
        found = box_counting(np.ones((side, 200), bool))
        assert -(-side // found.sizes[-1]) >= 4 > -(-side // (2 * found.sizes[-1]))


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
        (np.ones((16, 12), bool), ValueError,
         "pixels must have shape (rows, columns), with at least 13 of each, got shape (16, 12)"),
        (np.ones(64, bool), ValueError, "at least 13 of each, got shape (64,)"),
        (np.zeros((16, 16), bool), ValueError, "at least one that is True, got none"),
    ],
)  # fmt: skip
def test_bad_pixels(pixels, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        box_counting(pixels)
