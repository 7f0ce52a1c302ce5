"""Exponentials over tiles: fixed sequences of IEEE operations, the same bits everywhere.

All functions of this file and of those beside it (:mod:`.logarithms`, :mod:`.powers`,
:mod:`.circular`) take any double: beyond the range they are infinite or 0, below the normal range
they lose digits gradually, NaN gives NaN, and a zero keeps its sign where a function goes through
it. Each is within 2 ULP; ``bench/accuracy.py`` measures it, docs/numbers.md has the figures.

A sum of two numbers, the larger first, that stands for one of 106 bits is called a pair (Dekker,
Numerische Mathematik 18, 1971). Polynomials are minimax ones, found by the algorithm of Remez;
their errors stand beside the coefficients.
"""

from numba import njit

from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.tile import add_exponent, fma, magnitude, select, with_sign

SHIFT = float.fromhex("0x1.8p52")

_LOG2E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42fefa39efp-1")
LN2_LOW = float.fromhex("0x1.abc9e3b39803fp-56")

LARGEST = 710.0
"""From here on exp(x) is infinite."""

SMALLEST = -746.0
"""From here down exp(x) is 0."""

# (exp(r) - 1 - r) / r^2, those of functions.py.
_E2 = float.fromhex("0x1.0p-1")
_E3 = float.fromhex("0x1.5555555555501p-3")
_E4 = float.fromhex("0x1.55555555531fap-5")
_E5 = float.fromhex("0x1.1111111128953p-7")
_E6 = float.fromhex("0x1.6c16c17cc64edp-10")
_E7 = float.fromhex("0x1.a01a011bd0b7cp-13")
_E8 = float.fromhex("0x1.a019ab25b74d7p-16")
_E9 = float.fromhex("0x1.71df5620685f7p-19")
_E10 = float.fromhex("0x1.289f906674b5ep-22")
_E11 = float.fromhex("0x1.ad1e6f1dc79cap-26")


@njit(**INLINED)
def _bend(r):
    """(exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2, in Estrin's order."""
    r2 = r * r
    r4 = r2 * r2
    low = fma(fma(r, _E5, _E4), r2, fma(r, _E3, _E2))
    high = fma(fma(r, _E11, _E10), r4, fma(fma(r, _E9, _E8), r2, fma(r, _E7, _E6)))
    return fma(high, r4, low)


@njit(**INLINED)
def ones(x):
    """A tile of ones."""
    return select(x == x, 1.0, 1.0)


@njit(**INLINED)
def scaled(x, t):
    """``x * 2**n`` for x near 1, also where that is infinite or below the normal range."""
    large = t > SHIFT
    nearer = t - select(large, 64.0, -64.0)
    return add_exponent(x, nearer) * select(large, 2.0**64, 2.0**-64)


@njit(**INLINED)
def exp(x):
    """The exponential: within 1 ULP, and 1.5 below the normal range."""
    z = select(x > LARGEST, LARGEST, x)
    z = select(z < SMALLEST, SMALLEST, z)
    t = fma(z, _LOG2E, SHIFT)
    n = t - SHIFT
    r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, z))
    p = fma(fma(_bend(r), r, 1.0), r, 1.0)
    return select(x == x, scaled(p, t), x)


@njit(**INLINED)
def exp_parts(z):
    """Shifted n and a pair s: exp(z) = 2**n * (1 + s). Finite z, |z| <= 1000.

    z - n * ln 2 is exact without the lower part of ln 2.
    """
    t = fma(z, _LOG2E, SHIFT)
    n = t - SHIFT
    exact = fma(n, -LN2_HIGH, z)
    r = fma(n, -LN2_LOW, exact)
    rest = fma(n, -LN2_LOW, exact - r)
    bend = r * r * _bend(r)
    s = r + bend
    return t, s, ((r - s) + bend) + rest


@njit(**INLINED)
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


@njit(**INLINED)
def quotient(a, a_low, b, b_low):
    """A pair by a pair, as a number and what is missing from it."""
    y = 1.0 / b
    q = a * y
    return q, (fma(-1.0 * q, b, a) + (a_low - q * b_low)) * y


@njit(**INLINED)
def sigmoid(x):
    """1 / (1 + exp(-x)), below 0 as exp(x) / (1 + exp(x)): nothing cancels, nothing overflows."""
    z = magnitude(x)
    z = select(z > -SMALLEST, -SMALLEST, z)
    t, s, rest = exp_parts(-1.0 * z)
    p = 1.0 + s
    p_low = ((1.0 - p) + s) + rest
    # What is below 2**-200 is nothing beside 1.
    power = add_exponent(ones(z), select(t < SHIFT - 200.0, SHIFT - 200.0, t))
    e, e_low = p * power, p_low * power
    d = 1.0 + e
    d_low = ((1.0 - d) + e) + e_low
    below = x < 0.0
    q, q_low = quotient(select(below, p, 1.0), select(below, p_low, 0.0), d, d_low)
    result = scaled(q + q_low, select(below, t, SHIFT))
    return select(x == x, result, x)


@njit(**INLINED)
def tanh(x):
    """The hyperbolic tangent: m / (m + 2), where m = exp(2 |x|) - 1 is a pair."""
    z = magnitude(x)
    z = z + z
    z = select(z > 50.0, 50.0, z)
    t, s, rest = exp_parts(z)
    power = add_exponent(ones(z), t)
    base = power - 1.0
    lost = (power - base) - 1.0
    grown = power * s
    m = base + grown
    m_low = ((base - m) + grown) + fma(power, rest, lost)
    d = m + 2.0
    # The larger one of the two comes first.
    d_low = select(m > 2.0, (m - d) + 2.0, (2.0 - d) + m) + m_low
    q, q_low = quotient(m, m_low, d, d_low)
    return with_sign(select(x == x, q + q_low, x), x)
