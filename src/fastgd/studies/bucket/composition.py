"""Compiled functions made of compiled functions: what an expression or a curve comes to."""

import math
import operator
from types import FunctionType

from numba import njit, types

from fastgd.studies.bucket.dual import COMPILED, dual, parts

SHORT = 64.0
"""Whole exponents up to this become multiplications."""


@njit(**COMPILED)
def identity(x):
    """X itself."""
    return x


@njit(**COMPILED)
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + math.exp(-x))


@njit(**COMPILED)
def relu(x):
    """X above 0, else 0."""
    return max(x, 0.0)


def constant(number):
    """A function that is a number everywhere."""
    return njit(**COMPILED)(lambda x: number)


def apply(operation, *operands):
    """A function of x: the operation on one or two operands, which are functions or numbers."""
    node = _unary if len(operands) == 1 else _binary
    return njit(**COMPILED)(node(operation, *operands))


def _unary(operation, operand):
    return lambda x: operation(operand(x))


def _binary(operation, left, right):
    if isinstance(left, float):
        return lambda x: operation(left, right(x))
    if not isinstance(right, float):
        return lambda x: operation(left(x), right(x))
    if operation is operator.pow and right.is_integer() and abs(right) <= SHORT:
        exponent = int(right)
        return lambda x: left(x) ** exponent
    return lambda x: operation(left(x), right)


def compiled(function):
    """What Numba makes of a function: its own text, or a call where Numba knows it, as math.cos.

    What the user's own njit has made is made anew: see COMPILED.
    """
    function = getattr(function, "py_func", function)
    if isinstance(function, FunctionType):
        return njit(**COMPILED)(function)
    return njit(**COMPILED)(lambda x: function(x))


def measured(height, slope):
    """Height and slope at x; a height that is None is NaN, a slope that is None is derived."""
    if slope is None:
        return njit(**COMPILED)(lambda x: parts(height(dual(x, 1.0))))
    if height is None:
        return njit(**COMPILED)(lambda x: (math.nan, parts(slope(x))[0]))
    return njit(**COMPILED)(lambda x: (parts(height(x))[0], parts(slope(x))[0]))


def slope_of(measure):
    """The slope alone."""
    return njit(**COMPILED)(lambda x: measure(x)[1])


def over_arrays(measure):
    """Compile what fills arrays of heights and slopes from one of x."""

    @njit(**COMPILED)
    def fill(x, heights, slopes):
        for i in range(len(x)):
            heights[i], slopes[i] = measure(x[i])

    numbers = types.float64[::1]
    fill.compile((numbers, numbers, numbers))
    return fill
