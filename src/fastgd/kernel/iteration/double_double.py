"""Double-double arithmetic: a pair (high, low) of floats with about 106 bits (Dekker, 1971)."""

from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import fma


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
