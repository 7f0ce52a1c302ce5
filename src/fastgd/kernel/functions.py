"""Elementary functions as compiled functions: over a block of numbers, and of one number.

Each is compiled by itself, and not before it is needed: all together took 2.4 s. They are called by
their addresses.
"""

from functools import cache

from numba import typeof, types

from fastgd.kernel.iteration.arcs import acos, asin, atan
from fastgd.kernel.iteration.circular import cos, sin, tan
from fastgd.kernel.iteration.exponentials import exp, expm1, hyperbolic, sigmoid, tanh
from fastgd.kernel.iteration.logarithms import log, log1p
from fastgd.kernel.iteration.powers import power
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.choice import Choice, dispatch
from fastgd.kernel.language.compiler import INLINED, WHOLE
from fastgd.kernel.language.numba_internals import address, handle
from fastgd.kernel.language.structs import floats_at
from fastgd.kernel.language.tile import (
    constant_shape,
    load,
    magnitude,
    only,
    runs_of,
    select,
    single,
    store,
)

_piece = constant_shape(1, 1, 8)


def value(choice, a, b):
    """The value that the function of this name has for a tile or two."""


def _sigmoid_slope(choice, a, b):
    small = exp(-1.0 * magnitude(a))
    return small / (1.0 + small) / (1.0 + small)


def _tanh_slope(choice, a, b):
    # Not 1 - v * v: of that nothing is left where v rounds to 1 (77 % off at 19).
    inverse = 1.0 / hyperbolic(a, False)
    return inverse * inverse


def _log_term(choice, a, b):
    """Of the slope of a power b, what is due to the exponent's: b * log(a); 0 where b is."""
    return select((b == 0.0) & (a >= 0.0), 0.0, b * log(a))


FUNCTIONS = {
    "sin": lambda choice, a, b: sin(a),
    "cos": lambda choice, a, b: cos(a),
    "tan": lambda choice, a, b: tan(a),
    "asin": lambda choice, a, b: asin(a),
    "acos": lambda choice, a, b: acos(a),
    "atan": lambda choice, a, b: atan(a),
    "sinh": lambda choice, a, b: hyperbolic(a, True),
    "cosh": lambda choice, a, b: hyperbolic(a, False),
    "tanh": lambda choice, a, b: tanh(a),
    "exp": lambda choice, a, b: exp(a),
    "expm1": lambda choice, a, b: expm1(a),
    "sigmoid": lambda choice, a, b: sigmoid(a),
    "log": lambda choice, a, b: log(a),
    "log1p": lambda choice, a, b: log1p(a),
    "pow": lambda choice, a, b: power(a, b),
    "log_term": _log_term,
    "slope of cos": lambda choice, a, b: -1.0 * sin(a),
    "slope of tanh": _tanh_slope,
    "slope of sigmoid": _sigmoid_slope,
}

_SAME = {
    "slope of sin": "cos",
    "slope of sinh": "cosh",
    "slope of cosh": "sinh",
    "slope of expm1": "exp",
}

dispatch(value, FUNCTIONS, INLINED)


@cached_njit(**WHOLE)
def fill(choice, target, first, second, count):
    """Apply a function to ``count`` numbers, maybe to some more; all places are addresses."""
    shape = _piece()
    a, b, out = floats_at(first, count), floats_at(second, count), floats_at(target, count)
    for i in range(0, count, runs_of(shape)):
        store(shape, out, i, 0, value(choice, load(shape, a, i, 0), load(shape, b, i, 0)))


@cache
def address_of_function(name: str) -> int:
    """The address of what applies the function of this name to a block."""
    choice = Choice(_SAME.get(name, name))
    return address(fill, (typeof(choice), *[types.int64] * 4), markers=1)


@cached_njit(**WHOLE)
def number(choice, a, b):
    """The function of a number or two."""
    return only(value(choice, single(a), single(b)))


@cache
def handle_of_function(name: str):
    """What calls the function of this name of two numbers in compiled code."""
    choice = Choice(_SAME.get(name, name))
    return handle(number, (typeof(choice), types.float64, types.float64), markers=1)
