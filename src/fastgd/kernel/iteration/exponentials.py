"""Exponentials, logarithms, powers and the error function: fixed sequences of IEEE 754 operations.

So they have the same bits everywhere. The functions over tiles in this file and in
:mod:`.elementary` accept any double. Results overflow to infinity or underflow to 0, with gradual
loss of digits below the normal range; NaN gives NaN, and a zero keeps its sign where a function
passes through the origin. Each is accurate to 2 ULP: ``tests/accuracy.py`` measures it,
docs/numbers.md has the figures.

Where 53 bits are not enough for an intermediate result, it is a pair (high, low) with about 106
bits (double-double arithmetic: Dekker, 1971). Polynomials are minimax approximations from the Remez
algorithm, with their errors noted next to the coefficients.
"""

from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import (
    add_exponent,
    bits_of,
    floor,
    fma,
    magnitude,
    number_of,
    polynomial,
    select,
    square_root,
    with_sign,
)


@part
def sum_of_any(a, b):
    """The exact sum of two numbers as a pair (Knuth, *The art of computer programming*, 4.2.2)."""
    high = a + b
    shifted = high - a
    return high, (a - (high - shifted)) + (b - shifted)


@part
def sum_of(a, b, low):
    """The pair a + b + low, for b no larger than a and low small compared with both."""
    high = a + b
    return high, ((a - high) + b) + low


@part
def product_of(a, a_low, b, b_low):
    """The product of two pairs, as a pair."""
    high = a * b
    return high, fma(a, b, -1.0 * high) + fma(a, b_low, a_low * b)


@part
def quotient(a, a_low, b, b_low):
    """The quotient of two pairs, rounded to one number."""
    y = 1.0 / b
    q = a * y
    return fma(fma(-1.0 * q, b, a) + (a_low - q * b_low), y, q)


# ---------------------------------------------------------------- exponentials, error function


SHIFT = float.fromhex("0x1.8p52")

LOG2E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42fefa39efp-1")
LN2_LOW = float.fromhex("0x1.abc9e3b39803fp-56")

LARGEST = 710.0
"""From here on exp(x) is infinite."""

SMALLEST = -746.0
"""From here down exp(x) is 0."""

EXPONENTIAL = (
    float.fromhex("0x1.0p-1"),
    float.fromhex("0x1.5555555555501p-3"),
    float.fromhex("0x1.55555555531fap-5"),
    float.fromhex("0x1.1111111128953p-7"),
    float.fromhex("0x1.6c16c17cc64edp-10"),
    float.fromhex("0x1.a01a011bd0b7cp-13"),
    float.fromhex("0x1.a019ab25b74d7p-16"),
    float.fromhex("0x1.71df5620685f7p-19"),
    float.fromhex("0x1.289f906674b5ep-22"),
    float.fromhex("0x1.ad1e6f1dc79cap-26"),
)
"""Coefficients of (exp(r) - 1 - r) / r^2 for r from -ln(2) / 2 to ln(2) / 2."""

_bend = polynomial(*EXPONENTIAL)


@part
def ones(x):
    """A tile of ones."""
    return select(x == x, 1.0, 1.0)


@part
def scaled(x, t):
    """``x * 2**n`` for x near 1, also where that overflows or is subnormal; NaN stays NaN.

    Products with powers of two are exact, except for the last one.
    """
    large = t > SHIFT
    nearer = add_exponent(select(large, 2.0**-64, 2.0**64), t)
    return x * nearer * select(large, 2.0**64, 2.0**-64)


@part
def _reduced(z):
    """Shifted n and exp(r), where z = n * ln 2 + r."""
    t = fma(z, LOG2E, SHIFT)
    n = t - SHIFT
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, z))
    return t, fma(fma(_bend(r), r, 1.0), r, 1.0)


@part
def exp(x):
    """The exponential."""
    z = select(x > LARGEST, LARGEST, x)
    z = select(z < SMALLEST, SMALLEST, z)
    t, p = _reduced(z)
    return scaled(p, t)


@part
def exp_parts(z):
    """Shifted n and a pair s with exp(z) = 2**n * (1 + s), for finite |z| <= 1000.

    z - n * ln 2 is exact if the lower part of ln 2 is left out.
    """
    t = fma(z, LOG2E, SHIFT)
    n = t - SHIFT
    exact = fma(n, -LN2_HIGH, z)
    r = fma(n, -LN2_LOW, exact)
    rest = fma(n, -LN2_LOW, exact - r)
    bend = r * r * _bend(r)
    s = r + bend
    return t, s, ((r - s) + bend) + rest


@part
def expm1(x):
    """exp(x) - 1 = 2**n * ((1 - 2**-n) + s), without loss of digits near 0."""
    z = select(x > LARGEST, LARGEST, x)
    z = select(z < -60.0, -60.0, z)
    t, s, rest = exp_parts(z)
    one = ones(z)
    inverse = add_exponent(one, (SHIFT + SHIFT) - select(t > SHIFT + 900.0, SHIFT + 900.0, t))
    base = 1.0 - inverse
    lost = (1.0 - base) - inverse
    high = base + s
    low = ((base - high) + s) + (rest + lost)
    aside = select(z > 700.0, 64.0, 0.0)
    result = (high + low) * add_exponent(one, t - aside) * select(z > 700.0, 2.0**64, 1.0)
    return with_sign(select(x == x, result, x), x)


@part
def sigmoid(x):
    """1 / (1 + e), or e / (1 + e) for x < 0, with e = exp(-|x|): no cancellation, no overflow.

    Within 1.5 ULP. With e as a pair it would be 0.7, but take half as long again.
    """
    z = magnitude(x)
    z = select(z > -SMALLEST, -SMALLEST, z)
    t, p = _reduced(-1.0 * z)
    e = p * add_exponent(2.0**64 * ones(z), t) * 2.0**-64
    below = 1.0 + e
    return quotient(select(x < 0.0, e, 1.0), 0.0, below, (1.0 - below) + e)


@part
def _less_one(power, s, rest):
    """The pair power * (1 + s + rest) - 1; the power of two is at least 1."""
    base = power - 1.0
    lost = (power - base) - 1.0
    grown = power * s
    m = base + grown
    return m, ((base - m) + grown) + fma(power, rest, lost)


@part
def tanh(x):
    """The hyperbolic tangent: m / (m + 2), where m = exp(2 |x|) - 1 is a pair."""
    z = magnitude(x)
    z = z + z
    z = select(z > 50.0, 50.0, z)
    t, s, rest = exp_parts(z)
    m, m_low = _less_one(add_exponent(ones(z), t), s, rest)
    d = m + 2.0
    # The larger of the two comes first.
    d_low = select(m > 2.0, (m - d) + 2.0, (2.0 - d) + m) + m_low
    return with_sign(select(x == x, quotient(m, m_low, d, d_low), x), x)


@part
def hyperbolic(x, odd):
    """The hyperbolic sine if odd, else the cosine: (m + m / e) / 2, or (e + 1 / e) / 2.

    e is exp(|x|), and m is e - 1. Both are computed with a power of at most 2**64; the remaining
    power of two is multiplied last.
    """
    z = magnitude(x)
    z = select(z > LARGEST + 2.0, LARGEST + 2.0, z)
    t, s, rest = exp_parts(z)
    near = select(t > SHIFT + 64.0, SHIFT + 64.0, t)
    one = ones(z)
    power = add_exponent(one, near)
    p = 1.0 + s
    e, e_low = p * power, (((1.0 - p) + s) + rest) * power
    a, a_low = (one, 0.0 * one)
    b, b_low = e, e_low
    if odd:
        a, a_low = _less_one(power, s, rest)
        b, b_low = a, a_low
    y = 1.0 / e
    q = a * y
    q_low = (fma(-1.0 * q, e, a) + (a_low - q * e_low)) * y
    total = b + q
    total = 0.5 * (total + (((b - total) + q) + (b_low + q_low)))
    total = total * add_exponent(one, SHIFT + (t - near))
    return select(x == x, with_sign(total, x) if odd else total, x)


# ---------------------------------------------------------------- the error function

_DERIVATIVE = float.fromhex("0x1.20dd750429b6dp+0")  # 2 / sqrt(pi)

# erf(x) / x - 1 for z = x^2 and |x| <= 1; error 2^-56 of the whole.
_near = polynomial(
    float.fromhex("0x1.06eba8214db69p-3"),
    float.fromhex("-0x1.812746b0379e6p-2"),
    float.fromhex("0x1.ce2f21a042b20p-4"),
    float.fromhex("-0x1.b82ce3128498dp-6"),
    float.fromhex("0x1.565bcd0db005ap-8"),
    float.fromhex("-0x1.c02db3d8e5839p-11"),
    float.fromhex("0x1.f9a321a036510p-14"),
    float.fromhex("-0x1.f4d1df2749327p-17"),
    float.fromhex("0x1.b9def0af57234p-20"),
    float.fromhex("-0x1.5f1d2e9ea998fp-23"),
    float.fromhex("0x1.f7a3b83602e31p-27"),
    float.fromhex("-0x1.3869a3997cd5ap-30"),
    float.fromhex("0x1.05769509b4e7dp-34"),
)

# (1 - erf(x)) exp(x^2) for t = 1 / (x + 2) and x from 1 to 6; error 2^-58 of erf(x).
_far = polynomial(
    float.fromhex("-0x1.9c7266eaadbc5p-19"),
    float.fromhex("0x1.20f5bba763f78p-1"),
    float.fromhex("0x1.1f91de7dbda22p+0"),
    float.fromhex("0x1.076671057f27cp+1"),
    float.fromhex("0x1.e7398285e1620p+0"),
    float.fromhex("0x1.3b4fdbc7a95d0p+3"),
    float.fromhex("-0x1.47bf317be5035p+5"),
    float.fromhex("0x1.417fef81ece8ep+7"),
    float.fromhex("-0x1.fdb8ca23dd03dp+8"),
    float.fromhex("0x1.f07d4e6e94c60p+9"),
    float.fromhex("-0x1.1fc1eef698928p+10"),
    float.fromhex("0x1.75571ca344678p+9"),
    float.fromhex("-0x1.a77370f8cc6a0p+7"),
)


@part
def erf(x):
    """The error function."""
    a = magnitude(x)
    a = select(a > 6.0, 6.0, a)
    near = fma(a, _near(a * a), a)
    far = fma(-1.0 * _far(1.0 / (a + 2.0)), exp(-1.0 * (a * a)), 1.0)
    return with_sign(select(a > 1.0, far, near), x)


@part
def erf_derivative(x):
    """2 / sqrt(pi) exp(-x^2), corrected for the rounding error of the square."""
    a = magnitude(x)
    a = select(a > 40.0, 40.0, a)
    square = a * a
    value = exp(-1.0 * square)
    return _DERIVATIVE * fma(-1.0 * value, fma(a, a, -1.0 * square), value)


# ---------------------------------------------------------------- logarithms, powers, inverses


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
