"""Logarithms over tiles; see :mod:`.exponentials`."""

from numba import njit

from fastgd.kernel.iteration.exponentials import LN2_HIGH, LN2_LOW
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.polynomial import polynomial
from fastgd.kernel.language.tile import fma, select
from fastgd.kernel.language.words import bits_of, number_of

_INFINITY = float("inf")
_NAN = float("nan")
_ONE_BITS = 0x3FF0000000000000
_ROOT_BITS = 0x3FE6A09E667F3BCD  # of sqrt(1/2)
_MANTISSA = 0x000FFFFFFFFFFFFF
_WHOLE = 2.0**52
_WHOLE_BITS = 0x4330000000000000

# (log((1 + s) / (1 - s)) - 2 s) / s^3 for z = s^2 and |s| <= 0.1716: 2^-61 of the whole.
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


@njit(**INLINED)
def parted(x):
    """Of x above 0, finite: k and m, where x = 2**k * m and m is from sqrt(1/2) to sqrt(2)."""
    small = x < 2.0**-1022
    bits = bits_of(select(small, x * 2.0**54, x)) + (_ONE_BITS - _ROOT_BITS)
    k = number_of((bits >> 52) + _WHOLE_BITS) - (_WHOLE + 1023.0)
    m = number_of((bits & _MANTISSA) + _ROOT_BITS)
    return select(small, k - 54.0, k), m


@njit(**INLINED)
def _log_of(k, f, correction):
    """Return k * ln 2 + log(1 + f) + correction."""
    s = f / (f + 2.0)
    half = 0.5 * f * f
    z = s * s
    low = fma(s, half + z * _series(z), fma(k, LN2_LOW, correction))
    return fma(k, LN2_HIGH, f - (half - low))


@njit(**INLINED)
def _where_it_is(x, value):
    """A logarithm's value where x is above 0 and finite, else its limit or NaN."""
    value = select(x > 0.0, value, select(x == 0.0, -_INFINITY, _NAN))
    return select(x < _INFINITY, value, x)


@njit(**INLINED)
def log(x):
    """The natural logarithm: within 1 ULP."""
    k, m = parted(x)
    return _where_it_is(x, _log_of(k, m - 1.0, 0.0))


@njit(**INLINED)
def log1p(x):
    """log(1 + x), without loss of digits near 0."""
    u = x + 1.0
    shifted = u - x
    lost = (x - (u - shifted)) + (1.0 - shifted)
    k, m = parted(u)
    # Where 1 + x needs no power of two, x itself is what goes beyond 1.
    f = select(k == 0.0, x, m - 1.0)
    value = _log_of(k, f, select(k == 0.0, 0.0, lost / u))
    return select(x == 0.0, x, _where_it_is(u, value))
