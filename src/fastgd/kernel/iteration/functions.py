"""Activations over tiles: fixed sequences of IEEE 754 operations, with the same bits everywhere.

The exp of NumPy, glibc and SVML differ from each other in the last bit, and the article's chaotic
settings turn that bit into another third digit. The polynomial is evaluated in Estrin's order: 0.97
ULP compared with 0.81 in Horner's, but with a much shorter chain of dependent operations, whose
latency is what limits a single run.
"""

from fastgd.kernel.iteration.exponentials import EXPONENTIAL, LN2_HIGH, LN2_LOW, LOG2E, SHIFT
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import add_exponent, fma, magnitude, select, with_sign

LIMIT = 708.0
"""Beyond this magnitude exp(x) approaches the ends of the normal range."""

_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11 = EXPONENTIAL
_A3, _A5, _A7, _A9, _A11, _A13 = (2.0 / n for n in (3, 5, 7, 9, 11, 13))
_A15, _A17, _A19, _A21, _A23 = (2.0 / n for n in (15, 17, 19, 21, 23))

SATURATED = 40.0
"""tanh(x) rounds to 1 from half of this on."""

VANISHED = 750.0
"""exp(-x) rounds to 0 from here on."""


@part
def _reduced(x):
    """Shifted n, (exp(-r) - 1) / r and r, where x = r - n * ln 2 and |r| <= ln(2) / 2."""
    t = fma(x, -LOG2E, SHIFT)
    n = t - SHIFT
    r = fma(n, LN2_LOW, fma(n, LN2_HIGH, x))
    r2 = r * r
    r4 = r2 * r2
    low = fma(fma(r, -_C5, _C4), r2, fma(r, -_C3, _C2))
    high = fma(fma(r, -_C11, _C10), r4, fma(fma(r, -_C9, _C8), r2, fma(r, -_C7, _C6)))
    q = fma(high, r4, low)
    return t, fma(q, r, -1.0), r


@part
def exp_negative(x):
    """exp(-x) for x in [-LIMIT, LIMIT]: 2**n * exp(-r)."""
    t, derivative, r = _reduced(x)
    return add_exponent(fma(derivative, r, 1.0), t)


@part
def log_1p_exp_negative(x):
    """log(1 + exp(-x)) for x >= 0, within 1.7 ULP.

    exp(-x) is computed 2**64 times as large, so that results below the normal range are possible.
    With f = exp(-x), or f = (exp(-x) - 1) / 2 where log(2) is added, log(1 + f) = f - s * (f - r).
    Here s = f / (2 + f) is at most 1/5, and the series r is defined by 2 artanh(s) = 2 s + s r.
    """
    t, derivative, r = _reduced(select(x > VANISHED, VANISHED, x))
    e = add_exponent(fma(derivative, r, 1.0), t + 64.0) * 2.0**-64
    halved = e > 0.5
    f = select(halved, 0.5 * (e - 1.0), e)
    s = f / (f + 2.0)
    s2 = s * s
    high = fma(fma(fma(fma(fma(_A23, s2, _A21), s2, _A19), s2, _A17), s2, _A15), s2, _A13)
    r = fma(fma(fma(fma(fma(high, s2, _A11), s2, _A9), s2, _A7), s2, _A5), s2, _A3) * s2
    log = fma(-1.0 * s, f - r, f)
    return select(halved, (log + LN2_LOW) + LN2_HIGH, log)


@part
def sigmoid(x):
    """1 / (1 + exp(-x)); exactly 0 below -LIMIT, NaN stays NaN.

    Whatever exp_negative returns for x below -LIMIT is replaced. A Newton reciprocal instead of the
    division was no faster (in C it took 103 ns an iteration of 3-4-1, not 91). Nor is it worth its
    proof for some of the quotients of a sweep, though the divider is what limits its sigmoids: by
    AVX-512's estimate and six multiply-adds, which don't round rightly yet, a quarter or half of
    them took 0.96 to 1.00 of the time of a sweep of 3-4-1 or 3-32-1, all of them 0.99. Without any
    division it is 0.87.
    """
    z = select(x > LIMIT, LIMIT, x)
    return select(x < -LIMIT, 0.0, 1.0 / (1.0 + exp_negative(z)))


@part
def tanh(x):
    """-m / (2 + m) with the sign of x, where m = exp(-2 |x|) - 1; NaN stays NaN.

    m = 2**n * (exp(-r) - 1) + (2**n - 1) is exact near 0, where n = 0: nothing cancels.
    """
    z = magnitude(x)
    z = z + z
    z = select(z > SATURATED, SATURATED, z)
    t, derivative, r = _reduced(z)
    power = add_exponent(select(z > 0.0, 1.0, 1.0), t)
    m = fma(power, derivative * r, power - 1.0)
    return with_sign(m / (m + 2.0), x)


@part
def relu(x):
    """Return x above 0, else 0; NaN stays NaN."""
    return select(x < 0.0, 0.0, x)
