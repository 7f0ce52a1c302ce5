"""Inverse sine, cosine and tangent over tiles; see :mod:`.exponentials`."""

from numba import njit

from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.polynomial import polynomial
from fastgd.kernel.language.tile import fma, magnitude, select, square_root, with_sign

_HALF_PI = float.fromhex("0x1.921fb54442d18p+0")
_HALF_PI_LOW = float.fromhex("0x1.1a62633145c07p-54")

_TAN_1 = float.fromhex("0x1.a827999fcef34p-2")  # of pi / 8
_TAN_3 = float.fromhex("0x1.3504f333f9de6p+1")  # of 3 pi / 8

# (atan(t) - t) / t^3 for z = t^2 and |t| <= tan(pi / 8); error 2^-58 of the whole.
_tangent = polynomial(
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
_sine = polynomial(
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


@njit(**INLINED)
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
    value = value + (((base - value) + t) + fma(t * z, _tangent(z), low + base_low))
    return with_sign(value, x)


@njit(**INLINED)
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
    return far, s, fma(s * z, _sine(z), low)


@njit(**INLINED)
def asin(x):
    """The inverse sine; NaN beyond -1 and 1."""
    far, s, rest = _arc(x)
    twice = s + s
    base = _HALF_PI - twice
    value = base + (((_HALF_PI - base) - twice) + (_HALF_PI_LOW - (rest + rest)))
    return with_sign(select(far, value, s + rest), x)


@njit(**INLINED)
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
