"""Exponentials and the error function over tiles: fixed sequences of IEEE 754 operations.

So they have the same bits everywhere. The functions in this file, in :mod:`.logarithms` and in
:mod:`.trig` accept any double. Results overflow to infinity or underflow to 0, with gradual loss of
digits below the normal range; NaN gives NaN, and a zero keeps its sign where a function passes
through the origin. Each is accurate to 2 ULP: ``tests/accuracy.py`` measures it, docs/numbers.md
has the figures.

Where 53 bits are not enough for an intermediate result, it is a pair: see :mod:`.double_double`.
Polynomials are minimax approximations from the Remez algorithm, with their errors noted next to the
coefficients.
"""

from fastgd.kernel.iteration.exponentials import quotient
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import add_exponent, fma, magnitude, polynomial, select, with_sign

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
