"""Powers over tiles: exp of the exponent times a logarithm pair; see :mod:`.exponentials`."""

from numba import njit

from fastgd.kernel.iteration.exponentials import (
    LARGEST,
    SMALLEST,
    exp_parts,
    scaled,
)
from fastgd.kernel.iteration.logarithms import log_pair
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.tile import floor, fma, magnitude, select, with_sign

_INFINITY = float("inf")
_NAN = float("nan")


@njit(**INLINED)
def _exp_of_pair(x, x_low):
    """exp(x + x_low); 0 or infinity for large |x|."""
    far = magnitude(x) > 800.0
    z = select(x > LARGEST, LARGEST, x)
    z = select(z < SMALLEST, SMALLEST, z)
    t, s, rest = exp_parts(z)
    low = select(far, 0.0, x_low)
    high = 1.0 + s
    rest = ((1.0 - high) + s) + fma(low, high, rest)
    return scaled(high + rest, t)


@njit(**INLINED)
def power(x, y):
    """Return x**y as in C99: 1 for y = 0 or x = 1; NaN for x < 0 and fractional y."""
    size = magnitude(x)
    high, low = log_pair(size)
    product = y * high
    product_low = fma(y, low, fma(y, high, -1.0 * product))
    result = _exp_of_pair(product, product_low)
    # For x = 0 or infinity, or infinite y.
    grows = (size - 1.0) * y
    limit = select(grows > 0.0, _INFINITY, select(grows < 0.0, 0.0, 1.0))
    at_end = (size == 0.0) | (size == _INFINITY) | (magnitude(y) == _INFINITY)
    result = select(at_end, limit, result)
    half = 0.5 * y
    whole = floor(y) == y
    odd = whole & (floor(half) != half)
    result = select(odd, with_sign(result, x), result)
    result = select(whole | (x >= 0.0) | (x == -_INFINITY), result, _NAN)
    result = select((x == x) & (y == y), result, x + y)
    return select((x == 1.0) | (y == 0.0), 1.0, result)
