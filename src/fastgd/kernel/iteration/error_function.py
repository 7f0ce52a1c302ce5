"""The error function over tiles; see :mod:`.exponentials`."""

from numba import njit

from fastgd.kernel.iteration.exponentials import exp
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.polynomial import polynomial
from fastgd.kernel.language.tile import fma, magnitude, select, with_sign

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


@njit(**INLINED)
def erf(x):
    """The error function."""
    a = magnitude(x)
    a = select(a > 6.0, 6.0, a)
    near = fma(a, _near(a * a), a)
    far = fma(-1.0 * _far(1.0 / (a + 2.0)), exp(-1.0 * (a * a)), 1.0)
    return with_sign(select(a > 1.0, far, near), x)


@njit(**INLINED)
def erf_derivative(x):
    """2 / sqrt(pi) exp(-x^2), corrected for the rounding error of the square."""
    a = magnitude(x)
    a = select(a > 40.0, 40.0, a)
    square = a * a
    value = exp(-1.0 * square)
    return _DERIVATIVE * fma(-1.0 * value, fma(a, a, -1.0 * square), value)
