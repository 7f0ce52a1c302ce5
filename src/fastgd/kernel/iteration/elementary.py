"""Trigonometric functions and their inverses, and all elementary functions by name.

Over tiles; see :mod:`.exponentials`, too. Argument reduction subtracts n quarter turns; the
remainder is a pair of magnitude at most pi / 4. Up to 2**27 quarter turns, multiples of pi / 2 are
subtracted in several parts with fused operations (Cody and Waite, *Software manual for the
elementary functions*, 1980). Beyond that, in a rare branch, each number is reduced separately,
using only those bits of 2 / pi that matter for the remainder (Payne and Hanek, SIGNUM Newsletter
18, 1983).
"""

import numpy as np

from fastgd.kernel.iteration.exponentials import (
    SHIFT,
    exp,
    expm1,
    hyperbolic,
    log,
    log1p,
    power,
    quotient,
    sigmoid,
    sum_of_any,
    tanh,
)
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import (
    anywhere,
    bits_of,
    floor,
    fma,
    integer,
    lane,
    lane_count,
    magnitude,
    polynomial,
    select,
    square_root,
    with_lane,
    with_sign,
)

_TWO_OVER_PI = float.fromhex("0x1.45f306dc9c883p-1")
_HALF_PI = float.fromhex("0x1.921fb54442d18p+0")
_HALF_PI_LOW = float.fromhex("0x1.1a62633145c07p-54")
_HALF_PI_LOWEST = float.fromhex("-0x1.f1976b7ed8fbcp-110")

_HUGE = 2.0**27
"""From here on numbers are reduced separately."""

_DIGITS = (
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921c"
    "fe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980f"
    "ef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d08"
    "56033046fc7b6bab"
)
"""The hexadecimal digits of 2 / pi after the point."""

PIECES = np.array([0, 0, *(int(_DIGITS[i : i + 8], 16) for i in range(0, len(_DIGITS), 8))])
"""The digits in words of 32 bits; two words of zeros precede the point."""

_PIECE = 0xFFFFFFFF
_MANTISSA = 0x000FFFFFFFFFFFFF
_HIDDEN = 0x0010000000000000

# (sin(r) - r) / r^3 for z = r^2 and |r| <= pi / 4; error 2^-57 of the sine.
_sine = polynomial(
    float.fromhex("-0x1.5555555555555p-3"),
    float.fromhex("0x1.111111111110bp-7"),
    float.fromhex("-0x1.a01a01a018ae6p-13"),
    float.fromhex("0x1.71de3a5339ab2p-19"),
    float.fromhex("-0x1.ae64529891f96p-26"),
    float.fromhex("0x1.612092e5e2464p-33"),
    float.fromhex("-0x1.aaa55ec44c92fp-41"),
)

# (cos(r) - 1 + r^2 / 2) / r^4; error 2^-60 of 1.
_cosine = polynomial(
    float.fromhex("0x1.555555555554cp-5"),
    float.fromhex("-0x1.6c16c16c15181p-10"),
    float.fromhex("0x1.a01a019cb2175p-16"),
    float.fromhex("-0x1.27e4f80a343efp-22"),
    float.fromhex("0x1.1ee9ec18f937cp-29"),
    float.fromhex("-0x1.8faeb61be0389p-37"),
)


@part
def _huge_remainder(x):
    """Quarter turns modulo whole turns, and the remainder as a pair; for one number above 2**26.

    With x = m * 2**e, the bits of 2 / pi that amount to whole turns are skipped. m is multiplied by
    the next 192 bits. The first two bits of that product count quarter turns, the rest is a
    fraction of one, with at most 62 leading zeros.
    """
    bits = bits_of(x)
    first = integer(bits >> 52) - 1013
    m = integer((bits & _MANTISSA) + _HIDDEN)
    low, high = m & _PIECE, m >> 32
    at, shift = first >> 5, 32 - (first & 31)
    carry = carried = 0
    p0 = p1 = p2 = p3 = p4 = before = 0
    for i in range(5, -1, -1):
        piece = (((PIECES[at + i] << 32) + PIECES[at + i + 1]) >> shift) & _PIECE
        made = piece * low + carry
        carry = (made >> 32) & _PIECE
        # The upper half of m is multiplied by the previous piece, which has the same weight.
        total = (made & _PIECE) + before * high + carried
        carried = (total >> 32) & _PIECE
        before = piece
        p4, p3, p2, p1, p0 = p3, p2, p1, p0, total & _PIECE
    quarters = ((p0 + 0x20000000) >> 30) & 3
    p0 -= ((p0 + 0x20000000) >> 30) << 30
    zero = x - x
    f, f_low = sum_of_any(zero + p0 * 2.0**-30, zero + p1 * 2.0**-62)
    f, rest = sum_of_any(f, zero + p2 * 2.0**-94)
    f_low = f_low + rest
    f, rest = sum_of_any(f, zero + p3 * 2.0**-126)
    f_low = f_low + rest
    f, rest = sum_of_any(f, zero + p4 * 2.0**-158)
    f_low = f_low + rest
    r = f * _HALF_PI
    r_low = fma(f, _HALF_PI, -1.0 * r) + fma(f, _HALF_PI_LOW, f_low * _HALF_PI)
    return zero + (quarters + SHIFT), r, r_low


@part
def _remainder(x):
    """Shifted n, and x minus n quarter turns as a pair."""
    t = fma(x, _TWO_OVER_PI, SHIFT)
    n = t - SHIFT
    exact = fma(n, -_HALF_PI, x)
    part = n * _HALF_PI_LOW
    r, low = sum_of_any(exact, -1.0 * part)
    low = fma(n, -_HALF_PI_LOWEST, low - fma(n, _HALF_PI_LOW, -1.0 * part))
    high = r + low
    low = (r - high) + low
    if anywhere((x >= _HUGE) & (x < float("inf"))):
        for i in range(lane_count(x)):
            own = lane(x, i)
            if anywhere((own >= _HUGE) & (own < float("inf"))):
                own_t, own_high, own_low = _huge_remainder(own)
                t = with_lane(t, i, own_t)
                high = with_lane(high, i, own_high)
                low = with_lane(low, i, own_low)
    return t, high, low


@part
def _sine_and_cosine(x):
    """For x >= 0: n as words, then sine and cosine of the remainder as pairs."""
    t, r, low = _remainder(x)
    z = r * r
    half = 0.5 * z
    base = 1.0 - half
    sine = fma(r * z, _sine(z), low * base)
    cosine = ((1.0 - base) - half) + fma(z * z, _cosine(z), -1.0 * (r * low))
    s, c = r + sine, base + cosine
    return bits_of(t), s, (r - s) + sine, c, (base - c) + cosine


@part
def sine_and_cosine(x):
    """Sine and cosine of any x."""
    q, s, _, c, _ = _sine_and_cosine(magnitude(x))
    odd = (q & 1) >= 1
    sine, cosine = select(odd, c, s), select(odd, s, c)
    sine = select((q & 2) >= 1, -1.0 * sine, sine)
    cosine = select(((q + 1) & 2) >= 1, -1.0 * cosine, cosine)
    return sine * with_sign(1.0, x), cosine


@part
def sin(x):
    """The sine."""
    return sine_and_cosine(x)[0]


@part
def cos(x):
    """The cosine."""
    return sine_and_cosine(x)[1]


@part
def tan(x):
    """The tangent: sine over cosine, or minus cosine over sine."""
    q, s, s_low, c, c_low = _sine_and_cosine(magnitude(x))
    odd = (q & 1) >= 1
    value = quotient(
        select(odd, -1.0 * c, s),
        select(odd, -1.0 * c_low, s_low),
        select(odd, s, c),
        select(odd, s_low, c_low),
    )
    return value * with_sign(1.0, x)


# ---------------------------------------------------------------- inverse functions

_TAN_1 = float.fromhex("0x1.a827999fcef34p-2")  # of pi / 8
_TAN_3 = float.fromhex("0x1.3504f333f9de6p+1")  # of 3 pi / 8

# (atan(t) - t) / t^3 for z = t^2 and |t| <= tan(pi / 8); error 2^-58 of the whole.
_arc_tangent = polynomial(
    float.fromhex("-0x1.555555555553dp-2"),
    float.fromhex("0x1.99999999958eap-3"),
    float.fromhex("-0x1.24924922b11aep-3"),
    float.fromhex("0x1.c71c70e7a04ebp-4"),
    float.fromhex("-0x1.745cf90ae704cp-4"),
    float.fromhex("0x1.3b111c6136a03p-4"),
    float.fromhex("-0x1.10ebdd7a910e7p-4"),
    float.fromhex("0x1.df116588ba27dp-5"),
    float.fromhex("-0x1.9cdc1e32deba1p-5"),
    float.fromhex("0x1.37ed2a74e37c6p-5"),
    float.fromhex("-0x1.259d1980fbfd3p-6"),
)

# (asin(s) - s) / s^3 for z = s^2 and |s| <= 1/2; error 2^-59 of the whole.
_arc_sine = polynomial(
    float.fromhex("0x1.5555555555578p-3"),
    float.fromhex("0x1.333333332df70p-4"),
    float.fromhex("0x1.6db6db7226bcep-5"),
    float.fromhex("0x1.f1c71a8d7e3a4p-6"),
    float.fromhex("0x1.6e8bdfae41958p-6"),
    float.fromhex("0x1.1c49e22b595aep-6"),
    float.fromhex("0x1.ca20dbdc18429p-7"),
    float.fromhex("0x1.757b06bed29f1p-7"),
    float.fromhex("0x1.61768707295f5p-7"),
    float.fromhex("0x1.e296e13b0998ap-9"),
    float.fromhex("0x1.649efbe515322p-6"),
    float.fromhex("-0x1.596640aae810ep-6"),
    float.fromhex("0x1.0bb60aaad5e9fp-5"),
)


@part
def atan(x):
    """The inverse tangent: of |x|, (|x| - 1) / (|x| + 1) or -1 / |x|, plus 0, pi / 4 or pi / 2."""
    a = magnitude(x)
    middle, far = a > _TAN_1, a > _TAN_3
    above = select(far, -1.0, select(middle, a - 1.0, a))
    below = select(far, a, select(middle, a + 1.0, 1.0))
    # The rounding errors of the difference and the sum; the larger operand comes first.
    large = a > 1.0
    lost = select(large, (a - above) - 1.0, a - (above + 1.0))
    lost_below = select(large, (a - below) + 1.0, (1.0 - below) + a)
    between = middle & (a <= _TAN_3)
    y = 1.0 / below
    t = above * y
    missing = fma(-1.0 * t, below, above) + select(between, lost - t * lost_below, 0.0)
    # 1 / |x| is 0 for infinite x; t itself is exact where it equals x.
    low = select(a < float("inf"), missing * y, 0.0)
    z = t * t
    base = select(far, _HALF_PI, select(middle, 0.5 * _HALF_PI, 0.0))
    base_low = select(far, _HALF_PI_LOW, select(middle, 0.5 * _HALF_PI_LOW, 0.0))
    value = base + t
    value = value + (((base - value) + t) + fma(t * z, _arc_tangent(z), low + base_low))
    return with_sign(value, x)


@part
def _arc(x):
    """Whether |x| > 1/2; then s, and the difference between the inverse sine of s and s.

    s is |x|, or beyond 1/2 the square root of (1 - |x|) / 2. That is the sine of half the remaining
    angle to a quarter turn.
    """
    a = magnitude(x)
    far = a > 0.5
    z = select(far, 0.5 - 0.5 * a, a * a)
    s = select(far, square_root(z), a)
    low = select(far & (a < 1.0), fma(-1.0 * s, s, z) / (s + s), 0.0)
    return far, s, fma(s * z, _arc_sine(z), low)


@part
def asin(x):
    """The inverse sine; NaN beyond -1 and 1."""
    far, s, rest = _arc(x)
    twice = s + s
    base = _HALF_PI - twice
    value = base + (((_HALF_PI - base) - twice) + (_HALF_PI_LOW - (rest + rest)))
    return with_sign(select(far, value, s + rest), x)


@part
def acos(x):
    """The inverse cosine; NaN beyond -1 and 1."""
    far, s, rest = _arc(x)
    # The angle to subtract from pi / 2 or pi; near 1 it is the result itself.
    s, rest = select(far, s + s, s), select(far, rest + rest, rest)
    s, rest = with_sign(1.0, x) * s, with_sign(1.0, x) * rest
    base = select(far, select(x < 0.0, -2.0 * _HALF_PI, 0.0), _HALF_PI)
    base_low = select(far, select(x < 0.0, -2.0 * _HALF_PI_LOW, 0.0), _HALF_PI_LOW)
    value = base - s
    value = value + (((base - value) - s) + (base_low - rest))
    return fma(value, select(far, -1.0, 1.0), 0.0)


# ---------------------------------------------------------------- all of them by name


@part
def sinh(x):
    """The hyperbolic sine."""
    return hyperbolic(x, True)


@part
def cosh(x):
    """The hyperbolic cosine."""
    return hyperbolic(x, False)


@part
def relu(x):
    """Return x above 0, else 0; NaN stays NaN."""
    return select(x < 0.0, 0.0, x)


@part
def sign(x):
    """-1 or 1; zeros and NaN are returned unchanged."""
    return select(magnitude(x) > 0.0, with_sign(1.0, x), x)


@part
def minimum(a, b):
    """The smaller value, the left one if equal; NaN if either is NaN."""
    return select((a <= b) | (a != a), a, b)


@part
def maximum(a, b):
    """The larger value, the left one if equal; NaN if either is NaN."""
    return select((a >= b) | (a != a), a, b)


FUNCTIONS = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "sinh": sinh,
    "cosh": cosh,
    "sqrt": square_root,
    "abs": magnitude,
    "floor": floor,
    "sign": sign,
    "minimum": minimum,
    "maximum": maximum,
    "where": select,
    "pow": power,
}
"""Functions from tiles to a tile, by their names in expressions."""
