"""A fused multiply-add of other operations, for machines that have none: the same bits, slowly.

x * y is a sum of two numbers, without an error (Dekker, *Numerische Mathematik* 18, 1971), and so
is its sum with z (Knuth's TwoSum). The two rests are added by rounding to odd, after which the last
addition rounds as if it were the only one (Boldo and Melquiond, *IEEE Transactions on Computers*
57, 2008, section 5). The rests are computed with the opposite sign, so that a rest of 0 is +0: then
subtracting it leaves a result of -0 as it is.
"""

from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import (
    bits_of,
    choose,
    everywhere,
    magnitude,
    number_of,
    select,
    with_sign,
)
from fastgd.kernel.language.translation import outlined

_HALF = (1 << 26) - 1
_UPPER = ~((1 << 27) - 1)

_TINY = 2.0**-960
"""Products from here on have a rest that can be represented."""

_LOW = (1 << 40) - 1
_NOT_EXPONENT = ~(2047 << 52)
_ONE = 1023 << 52
_LARGEST = float.fromhex("0x1.fffffffffffffp+1023")


@part
def _upper(x):
    """Return x rounded to 26 bits, ties toward zero; what is left has 26 bits, too.

    That holds for subnormal numbers as well, but that the smallest ones become 0. Rounded up, 2**26
    times the smallest number would be doubled.
    """
    return number_of((bits_of(x) + _HALF) & _UPPER)


@part
def _rest_of_product(x, y, p):
    """Return p - x * y, exactly, where p is the rounded product."""
    xh, yh = _upper(x), _upper(y)
    xl, yl = x - xh, y - yh
    return (((p - xh * yh) - xh * yl) - xl * yh) - xl * yl


@part
def _rest_of_sum(x, y, s):
    """Return s - (x + y), exactly, where s is the rounded sum."""
    z = s - x
    return ((s - z) - x) + (z - y)


@part
def _odd_sum(x, y):
    """Return x + y; if that isn't exact, the one of its two neighbors whose last bit is 1."""
    s = x + y
    z = s - x
    rest = (x - (s - z)) + (y - z)
    bits = bits_of(s)
    toward_zero = bits - ((bits ^ bits_of(rest)) >> 63)
    return number_of(choose(rest != 0.0, toward_zero | 1, bits))


@part
def written_fma(x, y, z):
    """``x * y + z`` with a single rounding.

    The last bits are lost if the product is tiny. The result may be wrong if something overflows on
    the way: then the sum of the rests is infinite or NaN, and has few bits. And so it may be if it
    lies halfway between two numbers after that sum was rounded, too: then this has few bits, too.
    """
    p = x * y
    s = p + z
    of_sum, of_product = _rest_of_sum(p, z, s), _rest_of_product(x, y, p)
    rest = of_sum + of_product
    r = s - rest
    if not everywhere((magnitude(p) >= _TINY) & ((bits_of(rest) & _LOW) != 0)):
        r = _checked(x, y, z, p, r, rest, of_sum, of_product)
    return r


@part
def _checked(x, y, z, p, r, rest, of_sum, of_product):
    """The result, after a closer look at whether it may be wrong."""
    is_exact = _rest_of_sum(of_sum, of_product, rest) == 0.0
    if everywhere(is_exact & ((magnitude(p) >= _TINY) | (x == 0.0) | (y == 0.0))):
        return r
    return scaled_fma(x, y, z)


@part
def _exponent(x):
    """Return n of x = m * 2**n with 1 <= m < 2, for a finite x that isn't 0."""
    small = magnitude(x) < 2.0**-1022
    bits = bits_of(select(small, x * 2.0**64, x))
    n = ((bits >> 52) & 2047) - 1023
    return choose(small, n - 64, n)


@part
def _mantissa(x):
    """Return m of x = m * 2**n with 1 <= m < 2, with the sign of x."""
    bits = bits_of(select(magnitude(x) < 2.0**-1022, x * 2.0**64, x))
    return number_of((bits & _NOT_EXPONENT) | _ONE)


@part
def _power(n):
    """2**n for n from -1022 to 1023."""
    return number_of((n + 1023) * (1 << 52))


@outlined
def scaled_fma(x, y, z):
    """The same for any x, y and z: with exponents near 0, and then one rounding at the right place.

    With x * y between 1 and 4, z is replaced by a number just as small or large, in the eyes of the
    last rounding, if it is below 2**-120 or above 2**60. A sum that will be subnormal is rounded by
    adding a power of two whose last bit is the last one that the result can have.
    """
    n, own = _exponent(x) + _exponent(y), _exponent(z)
    beyond = own - n
    beyond = choose(beyond < -120, -120, choose(beyond < 60, beyond, 60))
    n = choose(own - n < 60, n, own - 60)
    a, b, c = _mantissa(x), _mantissa(y), _mantissa(z) * _power(beyond)
    p = a * b
    s = p + c
    rest = _odd_sum(_rest_of_sum(p, c, s), _rest_of_product(a, b, p))
    r = s - rest
    last = -1022 - n
    step = with_sign(_power(choose(last < -1000, -1000, last)), r)
    rounded = step + s
    rounded = (rounded - _odd_sum(_rest_of_sum(step, s, rounded), rest)) - step
    r = select(magnitude(r) < magnitude(step), with_sign(rounded, r), r)
    half = ((n + 4096) >> 1) - 2048
    r = r * _power(half) * _power(n - half)
    r = select(z == 0.0, x * y, r)
    r = select(magnitude(z) <= _LARGEST, r, z + z)
    is_plain = (x == 0.0) | (y == 0.0) | (magnitude(x * 0.0 + y * 0.0) != 0.0)
    return select(is_plain, x * y + z, r)
