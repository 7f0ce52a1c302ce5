"""The box-counting dimension of a set of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.data import array_of, numbers_of
from fastgd.checks.messages import shown

FEWEST_BOXES = 4
"""Boxes along the shorter side, at least: larger boxes say more about the frame than the set."""

FEWEST_SIZES = 3
"""Sizes of boxes that a fit needs: two points are always on a line."""

_FEWEST_PIXELS = (FEWEST_BOXES - 1) * 2 ** (FEWEST_SIZES - 1) + 1

_STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip
"""Student's t for 1, 2, ... degrees of freedom: 95 % of its mass is within so many deviations."""


@dataclass(frozen=True, eq=False)
class BoxCounting:
    """How many boxes of each size a set touches, and the line through that.

    Attributes
    ----------
    sizes : (sizes,) array of int
        Sides of the boxes, in pixels: 1, 2, 4, ...
    counts : (sizes,) array of float
        Boxes that hold a part of the set, a mean over four grids: see :func:`box_counting`.
    dimension : float
        Minus the slope of log2(counts) over log2(sizes), by least squares.
    low, high : float
        95 % interval of the dimension at these sizes. That says nothing of how it would go on below
        a pixel.
    intercept : float
        log2 of the fitted count at size 1.
    r_squared : float
        Share of the variance of log2(counts) that the line explains.
    """

    sizes: NDArray[np.int64]
    counts: NDArray[np.float64]
    dimension: float
    low: float
    high: float
    intercept: float
    r_squared: float

    def fitted(self, sizes: ArrayLike) -> NDArray[np.float64]:
        """Counts on the fitted line, at any sizes above 0."""
        numbers = numbers_of("sizes", sizes)
        if numbers.min() <= 0:
            raise ValueError(f"sizes must be above 0, got {shown(sizes)}")
        logarithm = self.intercept - self.dimension * np.log2(numbers)
        return np.asarray(2.0**logarithm)


def box_counting(pixels: ArrayLike) -> BoxCounting:
    """Estimate the box-counting (Minkowski) dimension of a set of pixels.

    The picture is cut into square boxes with sides of 1, 2, 4, ... pixels, and those that hold a
    pixel of the set are counted.

    Parameters
    ----------
    pixels : (rows, columns) array_like of bool
        True for the pixels of the set; 13 x 13 at least, or there are too few sizes of boxes.

    Returns
    -------
    BoxCounting

    Raises
    ------
    ValueError, TypeError
        If there are too few pixels, or none of them is in the set.

    Notes
    -----
    The method of Sohl-Dickstein, arXiv 2402.06184 (2024), section 3, which takes the median of the
    slopes between sizes where this is a least-squares fit. See Falconer, *Fractal Geometry* (2003),
    section 3.1.

    Grids begin in each of the four corners, and a box that the other end of the picture cuts counts
    as much as its share of a whole box's area. With each of them a whole box, a filled rectangle of
    300 x 517 pixels would have a dimension of 1.960 instead of 2.

    Counts are not independent of one another, since larger boxes are made of smaller ones: what
    takes one off the line takes the next ones along. So it is the slopes from size to size that
    are taken for independent, and the interval is Student's for the weighted mean of them that
    least squares comes to. For Sierpinski's carpet of 729 x 729 pixels it is 1.87 with 0.09 on
    either side (it has 1.893), where a fit to independent counts would have a standard error of
    0.015. Where all slopes are alike, as in the example, the interval has no width.

    Examples
    --------
    Pascal's triangle modulo 2 is Sierpinski's, whose dimension is log2(3):

    >>> import fastgd
    >>> import numpy as np
    >>> i = np.arange(64)
    >>> found = fastgd.box_counting(i[:, None] & i == 0)
    >>> print(found.sizes, found.counts)
    [ 1  2  4  8 16] [729. 243.  81.  27.   9.]
    >>> round(found.dimension, 6), round(float(np.log2(3)), 6)
    (1.584963, 1.584963)
    """
    given = _check_picture("pixels", pixels, _FEWEST_PIXELS)
    if not given.any():
        raise ValueError("pixels must have at least one that is True, got none")
    largest = (min(given.shape) - 1) // (FEWEST_BOXES - 1)  # the last box may be cut
    sizes = 2 ** np.arange(largest.bit_length())
    return _fit(sizes, np.array([_count(given, size) for size in sizes.tolist()]))


def boundary(inside: ArrayLike) -> NDArray[np.bool_]:
    """Pixels that differ from the one above, to the right or both: (rows, columns).

    The paper's boundary: squares of 2 x 2 pixels that are not all alike, each told by its first
    pixel. The last row and column begin no square.
    """
    given = _check_picture("inside", inside, 1)
    found = np.zeros_like(given)
    square = [given[:-1, :-1], given[1:, :-1], given[:-1, 1:], given[1:, 1:]]
    found[:-1, :-1] = np.logical_or.reduce(square) & ~np.logical_and.reduce(square)
    return found


def _check_picture(name: str, value: object, fewest: int) -> NDArray[np.bool_]:
    array = array_of(name, value)
    if array.dtype != np.bool_:
        raise TypeError(f"{name} must be True or False, got {shown(value)} ({array.dtype})")
    if array.ndim != 2 or min(array.shape) < fewest:
        raise ValueError(
            f"{name} must have shape (rows, columns), with at least {fewest} of each, "
            f"got shape {array.shape}"
        )
    return array.astype(np.bool_)


def _count(pixels: NDArray[np.generic], size: int) -> float:
    """Boxes of this size that hold a pixel, by area: a mean over grids from all four corners."""
    area = 0
    for turned in (pixels, pixels[::-1], pixels[:, ::-1], pixels[::-1, ::-1]):
        rows, columns = (np.arange(0, length, size) for length in pixels.shape)
        by_row = np.logical_or.reduceat(turned, rows, axis=0)
        touched = np.logical_or.reduceat(by_row, columns, axis=1)
        heights, widths = (
            np.minimum(size, length - starts)
            for length, starts in zip(pixels.shape, (rows, columns), strict=True)
        )
        area += int(heights @ touched @ widths)
    return area / (4 * size * size)


def _fit(sizes: NDArray[np.int64], counts: NDArray[np.float64]) -> BoxCounting:
    x, y = np.log2(sizes), np.log2(counts)
    from_mean, spread = x - x.mean(), y - y.mean()
    square = float(from_mean @ from_mean)
    slope = float(from_mean @ spread) / square
    rest = spread - slope * from_mean
    missed, variance = float(rest @ rest), float(spread @ spread)
    dimension = -slope + 0.0  # 0, not -0
    slopes = np.diff(y)  # sizes double
    weights = -np.cumsum(from_mean)[:-1] / square  # slope is the sum of weights * slopes
    deviation = float(slopes.std(ddof=1)) * sqrt(weights @ weights)
    half = _STUDENT[min(len(slopes) - 1, len(_STUDENT)) - 1] * deviation
    return BoxCounting(
        sizes=sizes,
        counts=counts,
        dimension=dimension,
        low=max(dimension - half, 0.0),
        high=min(dimension + half, 2.0),
        intercept=float(y.mean() - slope * x.mean()),
        r_squared=1 - missed / variance if variance else 1.0,
    )
