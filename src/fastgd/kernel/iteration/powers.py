"""Powers over tiles: the logarithm as a pair, times the exponent; see :mod:`.exponentials`."""

from numba import njit

from fastgd.kernel.iteration.exponentials import (
    LARGEST,
    LN2_HIGH,
    LN2_LOW,
    SMALLEST,
    exp_parts,
    scaled,
)
from fastgd.kernel.iteration.logarithms import parted
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.polynomial import polynomial
from fastgd.kernel.language.tile import floor, fma, magnitude, select, with_sign

_INFINITY = float("inf")
_NAN = float("nan")

_TWO_THIRDS = float.fromhex("0x1.5555555555555p-1")
_TWO_THIRDS_LOW = float.fromhex("0x1.5555555555555p-55")

# What follows 2 s + 2/3 s^3 in log((1 + s) / (1 - s)), over s^5: 2^-66 of the whole.
_tail = polynomial(
    float.fromhex("0x1.9999999999996p-2"),
    float.fromhex("0x1.2492492493036p-2"),
    float.fromhex("0x1.c71c71c580498p-3"),
    float.fromhex("0x1.745d183261857p-3"),
    float.fromhex("0x1.3b1362b221361p-3"),
    float.fromhex("0x1.1120b636e47ccp-3"),
    float.fromhex("0x1.de33592b70829p-4"),
    float.fromhex("0x1.eb11e3d25d46fp-4"),
)


@njit(**INLINED)
def _product(a, a_low, b, b_low):
    """The product of two pairs, a pair."""
    high = a * b
    return high, fma(a, b, -1.0 * high) + fma(a, b_low, a_low * b)


@njit(**INLINED)
def _sum(a, b, low):
    """The sum of a and b, no larger, and of what is small beside them: a pair."""
    high = a + b
    return high, ((a - high) + b) + low


@njit(**INLINED)
def _log_pair(x):
    """The logarithm as a pair, to 2^-64 of itself; x is above 0 and finite."""
    k, m = parted(x)
    f = m - 1.0
    d = f + 2.0
    y = 1.0 / d
    s = f * y
    s_low = (fma(-1.0 * s, d, f) - s * ((2.0 - d) + f)) * y
    z, z_low = _product(s, s_low, s, s_low)
    tail = z * _tail(z)
    u = tail + _TWO_THIRDS
    u_low = ((_TWO_THIRDS - u) + tail) + _TWO_THIRDS_LOW
    cube, cube_low = _product(s, s_low, z, z_low)
    v, v_low = _product(cube, cube_low, u, u_low)
    w, w_low = _sum(s + s, v, s_low + s_low + v_low)
    whole = k * LN2_HIGH
    whole_low = fma(k, LN2_LOW, fma(k, LN2_HIGH, -1.0 * whole))
    return _sum(whole, w, w_low + whole_low)


@njit(**INLINED)
def _exp_of_pair(x, x_low):
    """exp(x + x_low), 0 or infinite far out."""
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
    """Return x to the power of y, as in C99: 1 for y = 0 or x = 1; NaN for x < 0 and broken y."""
    size = magnitude(x)
    high, low = _log_pair(size)
    product = y * high
    product_low = fma(y, low, fma(y, high, -1.0 * product))
    result = _exp_of_pair(product, product_low)
    # Where x is 0 or infinite, or y infinite.
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
