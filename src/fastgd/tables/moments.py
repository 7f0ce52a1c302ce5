"""Sums, means, standard deviations and correlations: the same bits on every machine.

NumPy's own sums are not promised to be, and its products of matrices, and so `np.corrcoef`, are
those of a library that chooses its code by the processor.
"""

from math import fsum, inf, isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown

FloatArray = NDArray[np.float64]


def in_order(values: NDArray[Any]) -> float:
    """Return the sum of (rows,) values, added row by row."""
    return float(np.cumsum(values)[-1])


def weighted_mean(values: NDArray[Any], weights: FloatArray) -> float:
    """Return the mean of (rows,) values with these weights, whose sum is above 0."""
    return in_order(values * weights) / in_order(weights)


def correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the correlation of two columns, (rows,); NaN if one is constant or too large."""
    with np.errstate(all="ignore"):
        a, b = (each - in_order(each) / len(each) for each in (a, b))
        return float(in_order(a * b) / np.sqrt(in_order(a * a) * in_order(b * b)))


def moments(name: str, numbers: FloatArray) -> tuple[float, float]:
    """Mean and standard deviation of a column; the deviation of a constant column is 1."""
    if numbers.min() == numbers.max():
        return float(numbers[0]), 1.0
    try:
        # Exact sums: the order in which NumPy adds differs between processors.
        mean = fsum(numbers.tolist()) / len(numbers)
        off = numbers - mean
        # The squares of tiny deviations would be 0. By a power of two, which rounds nothing.
        unit = 1.0 if np.abs(off).max() > 1e-140 else 2.0**-700
        with np.errstate(over="ignore"):
            scale = sqrt(fsum(np.square(off / unit).tolist()) / len(numbers)) * unit
    except OverflowError:
        mean = scale = inf
    if not (isfinite(mean) and isfinite(scale)):
        rule = f"column {shown(name)} must have numbers whose mean and deviation are finite"
        raise ValueError(f"{rule}, got one of {np.abs(numbers).max():g}")
    return mean, scale or 1.0
