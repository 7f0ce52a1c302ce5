"""The box-counting dimension of a set of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import array_of, numbers_of

FEWEST_BOXES = 4
"""Boxes along the shorter side, at least: larger boxes measure the frame rather than the set."""

FEWEST_SIZES = 3
"""Box sizes that a fit needs: two points always lie on a line."""

_FEWEST_PIXELS = (FEWEST_BOXES - 1) * 2 ** (FEWEST_SIZES - 1) + 1

_STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip
"""Student's t for 1, 2, ... degrees of freedom: half-widths of 95 % intervals, in deviations."""


@dataclass(frozen=True, eq=False)
class BoxCounting:
    """Counts of the boxes of each size that a set touches, and the line fitted to their logarithms.

    Attributes
    ----------
    sizes : (sizes,) array of int
        Sides of the boxes, in pixels: 1, 2, 4, ...
    counts : (sizes,) array of float
        Number of boxes that touch the set, averaged over four grids: see :func:`box_counting`.
    dimension : float
        Minus the slope of log2(counts) over log2(sizes), by least squares.
    low, high : float
        95 % interval of the dimension at these sizes. It says nothing about sizes below a pixel.
    intercept : float
        log2 of the fitted count at size 1.
    r_squared : float
        Fraction of the variance of log2(counts) that the line explains.
    """

    sizes: NDArray[np.int64]
    counts: NDArray[np.float64]
    dimension: float
    low: float
    high: float
    intercept: float
    r_squared: float

    def fitted(self, sizes: ArrayLike) -> NDArray[np.float64]:
        """Return the counts on the fitted line, at any sizes above 0."""
        numbers = numbers_of("sizes", sizes)
        if numbers.min() <= 0:
            raise ValueError(f"sizes must be above 0, got {shown(sizes)}")
        logarithm = self.intercept - self.dimension * np.log2(numbers)
        return np.asarray(2.0**logarithm)


def box_counting(pixels: ArrayLike) -> BoxCounting:
    """Estimate the box-counting (Minkowski) dimension of a set of pixels.

    The image is divided into square boxes with sides of 1, 2, 4, ... pixels, and the boxes that
    contain a pixel of the set are counted.

    Parameters
    ----------
    pixels : (rows, columns) array_like of bool
        True for the pixels of the set; at least 13 x 13, for enough box sizes.

    Returns
    -------
    BoxCounting

    Raises
    ------
    ValueError, TypeError
        If there are too few pixels, or none of them is in the set.

    Notes
    -----
    The method is that of Sohl-Dickstein, arXiv 2402.06184 (2024), section 3, with a least-squares
    fit in place of the median of the slopes between sizes. See Falconer, *Fractal Geometry* (2003),
    section 3.1.

    Grids start in each of the four corners, and a box that is cut off by the opposite side of the
    image counts as the fraction of its area that is left. If cut boxes counted as whole ones, a
    filled rectangle of 300 x 517 pixels would have a dimension of 1.960 instead of 2.

    Counts are not independent of one another, since larger boxes consist of smaller ones: if one
    count is off the line, the next ones are, too. Therefore the slopes from size to size are
    treated as independent, and the interval is Student's for their weighted mean, which equals the
    least-squares slope. For Sierpinski's carpet of 729 x 729 pixels it is 1.87 plus or minus 0.09
    (the dimension is 1.893), where a fit to independent counts would have a standard error of
    0.015. If all slopes are equal, as in the example, the interval has no width.

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
    given = _check_pixels("pixels", pixels, _FEWEST_PIXELS)
    if not given.any():
        raise ValueError("pixels must have at least one that is True, got none")
    largest = (min(given.shape) - 1) // (FEWEST_BOXES - 1)  # the last box may be cut
    sizes = 2 ** np.arange(largest.bit_length())
    counts = np.array([_count(given, size) for size in sizes.tolist()])
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


def boundary(inside: ArrayLike) -> NDArray[np.bool_]:
    """Mark the pixels where a square of 2 x 2 unequal pixels begins, (rows, columns).

    This is the paper's boundary. Each square is marked at its first pixel, so the last row and
    column are never marked.
    """
    given = _check_pixels("inside", inside, 1)
    found = np.zeros_like(given)
    square = [given[:-1, :-1], given[1:, :-1], given[:-1, 1:], given[1:, 1:]]
    found[:-1, :-1] = np.logical_or.reduce(square) & ~np.logical_and.reduce(square)
    return found


def _check_pixels(name: str, value: object, fewest: int) -> NDArray[np.bool_]:
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
    """Count the boxes of this size that touch the set, by area, averaged over four grids."""
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
