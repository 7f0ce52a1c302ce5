"""The box-counting dimension of a set of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.data import array_of
from fastgd.arguments.messages import shown

FEWEST_BOXES = 4
"""Boxes along the shorter side, at least: larger boxes say more about the frame than the set."""

FEWEST_SIZES = 3
"""Sizes of boxes that a fit needs: two points are always on a line."""


@dataclass(frozen=True, eq=False)
class BoxCounting:
    """How many boxes of each size a set touches, and the line through that.

    Attributes
    ----------
    sizes : (sizes,) array of int
        Sides of the boxes, in pixels: 1, 2, 4, ...
    counts : (sizes,) array of int
        Boxes that hold a part of the set.
    dimension : float
        Minus the slope of log2(counts) over log2(sizes), by least squares.
    intercept : float
        log2 of the fitted count at size 1.
    standard_error : float
        Of the dimension, from the scatter of the counts about the line. That says nothing of how
        the dimension would go on below a pixel.
    r_squared : float
        Share of the variance of log2(counts) that the line explains.
    """

    sizes: NDArray[np.int64]
    counts: NDArray[np.int64]
    dimension: float
    intercept: float
    standard_error: float
    r_squared: float

    def fitted(self, sizes: ArrayLike) -> NDArray[np.float64]:
        """Counts on the fitted line, at any sizes."""
        logarithm = self.intercept - self.dimension * np.log2(np.asarray(sizes, dtype=np.float64))
        return np.asarray(2.0**logarithm)


def box_counting(pixels: ArrayLike) -> BoxCounting:
    """Estimate the box-counting (Minkowski) dimension of a set of pixels.

    The picture is cut into square boxes with sides of 1, 2, 4, ... pixels, and those that hold a
    pixel of the set are counted.

    Parameters
    ----------
    pixels : (rows, columns) array_like of bool
        True for the pixels of the set; 16 x 16 at least, or there are too few sizes of boxes.

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

    Examples
    --------
    Pascal's triangle modulo 2 is Sierpinski's, whose dimension is log2(3):

    >>> import numpy as np
    >>> from fastgd.box_counting import box_counting
    >>> i = np.arange(64)
    >>> found = box_counting(i[:, None] & i == 0)
    >>> print(found.sizes, found.counts)
    [ 1  2  4  8 16] [729 243  81  27   9]
    >>> round(found.dimension, 6), round(float(np.log2(3)), 6)
    (1.584963, 1.584963)
    """
    given = array_of("pixels", pixels)
    if given.dtype != np.bool_:
        raise TypeError(f"pixels must be True or False, got {shown(pixels)} ({given.dtype})")
    smallest = FEWEST_BOXES * 2 ** (FEWEST_SIZES - 1)
    if given.ndim != 2 or min(given.shape) < smallest:
        raise ValueError(
            f"pixels must have shape (rows, columns), with at least {smallest} of each, "
            f"got shape {given.shape}"
        )
    if not given.any():
        raise ValueError("pixels must have at least one that is True, got none")
    largest = min(given.shape) // FEWEST_BOXES
    sizes = 2 ** np.arange(largest.bit_length())
    return _fit(sizes, np.array([_count(given, size) for size in sizes.tolist()]))


def boundary(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that differ from the one above, to the right or both: (rows, columns).

    The paper's boundary: squares of 2 x 2 pixels that are not all alike, each told by its first
    pixel. The last row and column begin no square.
    """
    found = np.zeros_like(inside)
    square = [inside[:-1, :-1], inside[1:, :-1], inside[:-1, 1:], inside[1:, 1:]]
    found[:-1, :-1] = np.logical_or.reduce(square) & ~np.logical_and.reduce(square)
    return found


def _count(pixels: NDArray[np.generic], size: int) -> int:
    """Boxes of this size that hold a pixel; those at the end may reach beyond the picture."""
    rows, columns = (np.arange(0, length, size) for length in pixels.shape)
    by_row = np.logical_or.reduceat(pixels, rows, axis=0)
    return int(np.logical_or.reduceat(by_row, columns, axis=1).sum())


def _fit(sizes: NDArray[np.int64], counts: NDArray[np.int64]) -> BoxCounting:
    x, y = np.log2(sizes), np.log2(counts)
    from_mean, spread = x - x.mean(), y - y.mean()
    square = float(from_mean @ from_mean)
    slope = float(from_mean @ spread) / square
    rest = spread - slope * from_mean
    missed, variance = float(rest @ rest), float(spread @ spread)
    return BoxCounting(
        sizes=sizes,
        counts=counts,
        dimension=-slope + 0.0,  # 0, not -0
        intercept=float(y.mean() - slope * x.mean()),
        standard_error=sqrt(missed / (len(x) - 2) / square),
        r_squared=1 - missed / variance if variance else 1.0,
    )
