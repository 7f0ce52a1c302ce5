"""Inverse hyperbolic functions over tiles; see :mod:`.exponentials`."""

from numba import njit

from fastgd.kernel.iteration.double_double import product_of, sum_of
from fastgd.kernel.iteration.logarithms import log, log_1_plus
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.tile import fma, magnitude, select, square_root, with_sign

_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_NAN = float("nan")

_FAR = 2.0**60
"""From here on 1 is negligible compared with the square of x."""


@njit(**INLINED)
def _root(x, x_low):
    """The square root of a pair, as a pair."""
    root = square_root(x)
    low = (fma(-1.0 * root, root, x) + x_low) / (root + root)
    return root, select(root > 0.0, low, 0.0)


@njit(**INLINED)
def asinh(x):
    """The inverse hyperbolic sine: log(1 + |x| + x^2 / (1 + sqrt(1 + x^2))) with the sign of x."""
    a = magnitude(x)
    z = select(a > _FAR, 1.0, a)
    square = z * z
    square_low = fma(z, z, -1.0 * square)
    # The larger of 1 and the square comes first.
    large = square > 1.0
    total = square + 1.0
    lost = select(large, (square - total) + 1.0, (1.0 - total) + square)
    root, root_low = _root(total, lost + square_low)
    below = 1.0 + root
    below_low = ((root - below) + 1.0) + root_low
    y = 1.0 / below
    q = square * y
    q_low = (fma(-1.0 * q, below, square) + (square_low - q * below_low)) * y
    u, u_low = sum_of(z, q, q_low)
    value = select(a > _FAR, log(a) + _LN2, log_1_plus(u, u_low))
    return with_sign(select(x == x, value, x), x)


@njit(**INLINED)
def acosh(x):
    """The inverse hyperbolic cosine: with t = x - 1, log(1 + t + sqrt(2 t + t^2)); NaN below 1."""
    z = select(x > _FAR, 2.0, x)
    t = z - 1.0
    lost = (z - t) - 1.0
    square, square_low = product_of(t, lost, z + 1.0, 0.0 * z)
    root, root_low = _root(square, square_low)
    u, u_low = sum_of(root, t, root_low + lost)
    value = select(x > _FAR, log(x) + _LN2, log_1_plus(u, u_low))
    return select(x >= 1.0, value, select(x == x, _NAN, x))


@njit(**INLINED)
def atanh(x):
    """The inverse hyperbolic tangent: log(1 + 2 |x| / (1 - |x|)) / 2 with the sign of x."""
    a = magnitude(x)
    below = 1.0 - a
    below_low = (1.0 - below) - a
    y = 1.0 / below
    q = (a + a) * y
    q_low = (fma(-1.0 * q, below, a + a) - q * below_low) * y
    value = 0.5 * log_1_plus(q, select(a < 1.0, q_low, 0.0))
    return with_sign(select(a <= 1.0, value, select(x == x, _NAN, x)), x)
