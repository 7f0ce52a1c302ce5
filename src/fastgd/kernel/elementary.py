"""Elementary functions of one number and their slopes, for programs and for dual numbers.

Each is a plain function: the two places that need it compile it in their own way. A slope follows
from x or, where that is shorter, from the value; it is NaN where the function has no value.
"""

import math
from collections.abc import Callable
from typing import NamedTuple


def sigmoid(x):
    """1 / (1 + exp(-x)), with an exponential that never overflows."""
    small = math.exp(-abs(x))
    return 1.0 / (1.0 + small) if x >= 0.0 else small / (1.0 + small)


def relu(x):
    """X above 0, else 0; NaN stays NaN."""
    return 0.0 if x <= 0.0 else x


def sign(x):
    """-1, 0 or 1; NaN stays NaN."""
    if x > 0.0:
        return 1.0
    return -1.0 if x < 0.0 else x


class Elementary(NamedTuple):
    """A function of one number."""

    function: Callable[[float], float]
    slope: Callable[[float], float]
    of_value: bool = False  # whether the slope is given the function's value in place of x


def _sigmoid_slope(x):
    small = math.exp(-abs(x))
    return small / (1.0 + small) / (1.0 + small)


def _tanh_slope(x):
    # Not 1 - v * v: of that nothing is left where v rounds to 1 (77 % off at 19).
    inverse = 1.0 / math.cosh(x)
    return inverse * inverse


def _step(x):
    if x > 0.0:
        return 1.0
    return 0.0 if x <= 0.0 else x


_PER_OCTAVE, _PER_DECADE = 1.0 / math.log(2.0), 1.0 / math.log(10.0)
_ERF_SLOPE = 2.0 / math.sqrt(math.pi)

# Products such as (1 - x) * (1 + x) keep their digits near the ends, where 1 - x * x loses them.
ELEMENTARY: dict[str, Elementary] = {
    "sin": Elementary(math.sin, math.cos),
    "cos": Elementary(math.cos, lambda x: -math.sin(x)),
    "tan": Elementary(math.tan, lambda v: 1.0 + v * v, of_value=True),
    "asin": Elementary(math.asin, lambda x: 1.0 / math.sqrt((1.0 - x) * (1.0 + x))),
    "acos": Elementary(math.acos, lambda x: -1.0 / math.sqrt((1.0 - x) * (1.0 + x))),
    "atan": Elementary(math.atan, lambda x: 1.0 / (1.0 + x * x)),
    "sinh": Elementary(math.sinh, math.cosh),
    "cosh": Elementary(math.cosh, math.sinh),
    "tanh": Elementary(math.tanh, _tanh_slope),
    "asinh": Elementary(math.asinh, lambda x: 1.0 / math.hypot(x, 1.0)),
    "acosh": Elementary(
        math.acosh,
        lambda x: 1.0 / (math.sqrt(x - 1.0) * math.sqrt(x + 1.0)) if x >= 1.0 else math.nan,
    ),
    "atanh": Elementary(
        math.atanh, lambda x: 1.0 / ((1.0 - x) * (1.0 + x)) if abs(x) <= 1.0 else math.nan
    ),
    "exp": Elementary(math.exp, lambda v: v, of_value=True),
    "expm1": Elementary(math.expm1, math.exp),
    "log": Elementary(math.log, lambda x: 1.0 / x if x >= 0.0 else math.nan),
    "log1p": Elementary(math.log1p, lambda x: 1.0 / (1.0 + x) if x >= -1.0 else math.nan),
    "log2": Elementary(math.log2, lambda x: _PER_OCTAVE / x if x >= 0.0 else math.nan),
    "log10": Elementary(math.log10, lambda x: _PER_DECADE / x if x >= 0.0 else math.nan),
    "sqrt": Elementary(math.sqrt, lambda v: 0.5 / v, of_value=True),
    "erf": Elementary(math.erf, lambda x: _ERF_SLOPE * math.exp(-x * x)),
    "abs": Elementary(abs, sign),
    "sigmoid": Elementary(sigmoid, _sigmoid_slope),
    "relu": Elementary(relu, _step),
}


def log_term(base, power):
    """Of the slope of a power, what is due to the exponent's slope: power * log(base).

    A power of 0 has the limit 0 there, though the logarithm may be infinite.
    """
    return 0.0 if power == 0.0 and base >= 0.0 else power * math.log(base)


def times_slope(factor, slope):
    """A factor times a slope; where the slope is 0 so is this, be the factor infinite or NaN."""
    return 0.0 if slope == 0.0 else factor * slope
