"""Mean and standard deviation of numbers: the same bits on every machine."""

from math import fsum, inf, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown

FloatArray = NDArray[np.float64]


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
