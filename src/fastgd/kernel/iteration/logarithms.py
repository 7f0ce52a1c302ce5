"""Logarithms, and what follows from them: powers, inverse hyperbolic functions.

All over tiles; see :mod:`.exponentials`.
"""

from fastgd.kernel.iteration.exponentials import (
    LARGEST,
    LN2_HIGH,
    LN2_LOW,
    LOG2E,
    SMALLEST,
    exp_parts,
    product_of,
    scaled,
    sum_of,
    sum_of_any,
)
from fastgd.kernel.language.int_vectors import bits_of, number_of
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import (
    floor,
    fma,
    magnitude,
    polynomial,
    select,
    square_root,
    with_sign,
)

_LOG2E_LOW = float.fromhex("0x1.777d0ffda0d24p-56")
_LOG10E = float.fromhex("0x1.bcb7b1526e50ep-2")
_LOG10E_LOW = float.fromhex("0x1.95355baaafad3p-57")
_INFINITY = float("inf")
_NAN = float("nan")
_ONE_BITS = 0x3FF0000000000000
_ROOT_BITS = 0x3FE6A09E667F3BCD  # of sqrt(1/2)
_MANTISSA = 0x000FFFFFFFFFFFFF
_WHOLE = 2.0**52
_WHOLE_BITS = 0x4330000000000000

# (log((1 + s) / (1 - s)) - 2 s) / s^3 for z = s^2 and |s| <= 0.1716; error 2^-61 of the whole.
_series = polynomial(
    float.fromhex("0x1.5555555555555p-1"),
    float.fromhex("0x1.9999999999dffp-2"),
    float.fromhex("0x1.249249242b411p-2"),
    float.fromhex("0x1.c71c7258fdc57p-3"),
    float.fromhex("0x1.745cde359aec4p-3"),
    float.fromhex("0x1.3b20ab8fdf7a1p-3"),
    float.fromhex("0x1.0f5cc90327962p-3"),
    float.fromhex("0x1.0f6311d80fddap-3"),
)

_TWO_THIRDS = float.fromhex("0x1.5555555555555p-1")
_TWO_THIRDS_LOW = float.fromhex("0x1.5555555555555p-55")

# The terms after 2 s + 2/3 s^3 in log((1 + s) / (1 - s)), over s^5; error 2^-66 of the whole.
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


@part
def parted(x):
    """For finite x > 0: k and m with x = 2**k * m, and m from sqrt(1/2) to sqrt(2)."""
    small = x < 2.0**-1022
    bits = bits_of(select(small, x * 2.0**54, x)) + (_ONE_BITS - _ROOT_BITS)
    k = number_of((bits >> 52) + _WHOLE_BITS) - (_WHOLE + 1023.0)
    m = number_of((bits & _MANTISSA) + _ROOT_BITS)
    return select(small, k - 54.0, k), m


@part
def _log_of(k, f, correction):
    """Return k * ln 2 + log(1 + f) + correction."""
    s = f / (f + 2.0)
    half = 0.5 * f * f
    z = s * s
    low = fma(s, half + z * _series(z), fma(k, LN2_LOW, correction))
    return fma(k, LN2_HIGH, f - (half - low))


@part
def _where_it_is(x, value):
    """The value of a logarithm where x is above 0 and finite, else its limit or NaN."""
    value = select(x > 0.0, value, select(x == 0.0, -_INFINITY, _NAN))
    return select(x < _INFINITY, value, x)


@part
def log(x):
    """The natural logarithm, within 1 ULP."""
    k, m = parted(x)
    return _where_it_is(x, _log_of(k, m - 1.0, 0.0))


@part
def log_1_plus(x, x_low):
    """log(1 + x + x_low), without loss of digits near 0."""
    u, lost = sum_of_any(x, 1.0)
    k, m = parted(u)
    # If 1 + x needs no power of two, x itself is the part beyond 1.
    near = k == 0.0
    missing = select(near, 0.0, lost) + x_low
    value = _log_of(k, select(near, x, m - 1.0), missing / u)
    return select(x == 0.0, x, _where_it_is(u, value))


@part
def log1p(x):
    """log(1 + x), without loss of digits near 0."""
    return log_1_plus(x, 0.0)


@part
def _mantissa_pair(m):
    """log(m) as a pair, with a relative error of 2^-64."""
    f = m - 1.0
    d = f + 2.0
    y = 1.0 / d
    s = f * y
    s_low = (fma(-1.0 * s, d, f) - s * ((2.0 - d) + f)) * y
    z, z_low = product_of(s, s_low, s, s_low)
    tail = z * _tail(z)
    u = tail + _TWO_THIRDS
    u_low = ((_TWO_THIRDS - u) + tail) + _TWO_THIRDS_LOW
    cube, cube_low = product_of(s, s_low, z, z_low)
    v, v_low = product_of(cube, cube_low, u, u_low)
    return sum_of(s + s, v, s_low + s_low + v_low)


@part
def log_pair(x):
    """The logarithm of a finite x > 0 as a pair, with a relative error of 2^-64."""
    k, m = parted(x)
    high, low = _mantissa_pair(m)
    whole = k * LN2_HIGH
    whole_low = fma(k, LN2_LOW, fma(k, LN2_HIGH, -1.0 * whole))
    return sum_of(whole, high, low + whole_low)


@part
def log2(x):
    """The logarithm to base 2, exact for powers of two."""
    k, m = parted(x)
    high, low = product_of(*_mantissa_pair(m), LOG2E, _LOG2E_LOW)
    high, low = sum_of(k, high, low)
    return _where_it_is(x, high + low)


@part
def log10(x):
    """The logarithm to base 10, exact for powers of ten."""
    high, low = product_of(*log_pair(x), _LOG10E, _LOG10E_LOW)
    return _where_it_is(x, high + low)


# ---------------------------------------------------------------- powers


@part
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


@part
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


# ---------------------------------------------------------------- inverse hyperbolic functions

_FAR = 2.0**60
"""From here on 1 is negligible compared with the square of x."""


@part
def _root(x, x_low):
    """The square root of a pair, as a pair."""
    root = square_root(x)
    low = (fma(-1.0 * root, root, x) + x_low) / (root + root)
    return root, select(root > 0.0, low, 0.0)


@part
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
    value = select(a > _FAR, log(a) + LN2_HIGH, log_1_plus(u, u_low))
    return with_sign(select(x == x, value, x), x)


@part
def acosh(x):
    """The inverse hyperbolic cosine: with t = x - 1, log(1 + t + sqrt(2 t + t^2)); NaN below 1."""
    z = select(x > _FAR, 2.0, x)
    t = z - 1.0
    lost = (z - t) - 1.0
    square, square_low = product_of(t, lost, z + 1.0, 0.0 * z)
    root, root_low = _root(square, square_low)
    u, u_low = sum_of(root, t, root_low + lost)
    value = select(x > _FAR, log(x) + LN2_HIGH, log_1_plus(u, u_low))
    return select(x >= 1.0, value, select(x == x, _NAN, x))


@part
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
