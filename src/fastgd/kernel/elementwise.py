"""Elementary functions, compiled for blocks of values and for single values.

Each is compiled separately, when it is first needed: all together took 2.4 s. They are called by
address.
"""

import math
from functools import cache
from typing import NamedTuple, Optional

from numba import typeof, types

from fastgd.kernel.iteration.elementary import acos, asin, atan, cos, sin, sine_and_cosine, tan
from fastgd.kernel.iteration.exponentials import (
    acosh,
    asinh,
    atanh,
    erf,
    erf_derivative,
    exp,
    expm1,
    hyperbolic,
    log,
    log1p,
    log2,
    log10,
    power,
    sigmoid,
    tanh,
)
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.numba_internals import address, handle
from fastgd.kernel.language.specialization import WHOLE, Choice, dispatch, markers, part
from fastgd.kernel.language.structs import floats_at
from fastgd.kernel.language.tile import (
    constant_shape,
    fma,
    magnitude,
    only,
    runs_of,
    select,
    single,
    square_root,
)
from fastgd.kernel.language.translation import outlined, translated

_PER_OCTAVE = float.fromhex("0x1.71547652b82fep+0")  # 1 / log(2)
_PER_DECADE = float.fromhex("0x1.bcb7b1526e50ep-2")  # 1 / log(10)

_piece = constant_shape(1, 1, 8)


def value(choice, a, b):
    """Apply the function with this name to a tile, or to two."""


def _derivative_of_sigmoid(choice, a, b):
    small = exp(-1.0 * magnitude(a))
    return small / (1.0 + small) / (1.0 + small)


def _derivative_of_tanh(choice, a, b):
    # Not 1 - v * v, which loses all digits as v approaches 1 (77 % off at 19).
    inverse = 1.0 / hyperbolic(a, False)
    return inverse * inverse


def _derivative_of_asinh(choice, a, b):
    """1 / sqrt(x^2 + 1), avoiding overflow of x^2."""
    large = magnitude(a) > 2.0**60
    return 1.0 / select(large, magnitude(a), square_root(fma(a, a, 1.0)))


def _derivative_of_atanh(choice, a, b):
    return select(magnitude(a) <= 1.0, 1.0 / ((1.0 - a) * (1.0 + a)), math.nan)


@part
def _log_term(choice, a, b):
    """The exponent's part in the derivative of a power with base a, value b; 0 where b is 0."""
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
    "asinh": lambda choice, a, b: asinh(a),
    "acosh": lambda choice, a, b: acosh(a),
    "atanh": lambda choice, a, b: atanh(a),
    "exp": lambda choice, a, b: exp(a),
    "expm1": lambda choice, a, b: expm1(a),
    "sigmoid": lambda choice, a, b: sigmoid(a),
    "log": lambda choice, a, b: log(a),
    "log1p": lambda choice, a, b: log1p(a),
    "log2": lambda choice, a, b: log2(a),
    "log10": lambda choice, a, b: log10(a),
    "erf": lambda choice, a, b: erf(a),
    "pow": lambda choice, a, b: power(a, b),
}
"""The functions, by their names in expressions or, for the others, in Python."""

# Products such as (1 - x) * (1 + x) keep their digits near the ends, where 1 - x * x loses them.
DERIVATIVES = {
    "derivative of cos": lambda choice, a, b: -1.0 * sin(a),
    "derivative of exp": lambda choice, v, b: v,
    "derivative of tan": lambda choice, v, b: fma(v, v, 1.0),
    "derivative of asin": lambda choice, a, b: 1.0 / square_root((1.0 - a) * (1.0 + a)),
    "derivative of acos": lambda choice, a, b: -1.0 / square_root((1.0 - a) * (1.0 + a)),
    "derivative of atan": lambda choice, a, b: 1.0 / fma(a, a, 1.0),
    "derivative of tanh": _derivative_of_tanh,
    "derivative of asinh": _derivative_of_asinh,
    "derivative of acosh": lambda choice, a, b: 1.0 / (square_root(a - 1.0) * square_root(a + 1.0)),
    "derivative of atanh": _derivative_of_atanh,
    "derivative of sigmoid": _derivative_of_sigmoid,
    "derivative of log": lambda choice, a, b: select(a >= 0.0, 1.0 / a, math.nan),
    "derivative of log1p": lambda choice, a, b: select(a >= -1.0, 1.0 / (1.0 + a), math.nan),
    "derivative of log2": lambda choice, a, b: select(a >= 0.0, _PER_OCTAVE / a, math.nan),
    "derivative of log10": lambda choice, a, b: select(a >= 0.0, _PER_DECADE / a, math.nan),
    "derivative of sqrt": lambda choice, v, b: 0.5 / v,
    "derivative of erf": lambda choice, a, b: erf_derivative(a),
    "log_term": lambda choice, a, b: _log_term(choice, a, b),
}
"""Building blocks of derivatives, as functions of x (called a) or of the function's value (v)."""

OF_VALUE = frozenset(("exp", "sqrt", "tan"))
"""Functions whose derivative is computed from their value instead of x."""

_SAME = {
    "derivative of sin": "cos",
    "derivative of sinh": "cosh",
    "derivative of cosh": "sinh",
    "derivative of expm1": "exp",
}

dispatch(value, FUNCTIONS | DERIVATIVES)


@cached_njit(**WHOLE)
@translated
def fill(choice, target, first, second, count):
    """Apply a function to ``count`` values, maybe to a few more; arguments are addresses."""
    _fill(_piece(), choice, target, first, second, count)


@part
def _fill(shape, choice, target, first, second, count):
    room = count + runs_of(shape) - 1
    a, b, out = floats_at(first, room), floats_at(second, room), floats_at(target, room)
    for i in range(0, count, runs_of(shape)):
        store(shape, out, i, 0, value(choice, load(shape, a, i, 0), load(shape, b, i, 0)))


@markers
class KnownFunctions(NamedTuple):
    """Functions that code for another machine has in itself, where none has an address."""

    first: Choice
    """The first one; its value ``code`` stands for it in a program."""
    others: Optional["KnownFunctions"]


def known_functions(codes: dict[str, int]) -> KnownFunctions | None:
    """Functions by their names, with codes for programs."""
    found = None
    for name, code in codes.items():
        found = KnownFunctions(Choice(_SAME.get(name, name), code=code), found)
    return found


_fill_apart = outlined(_fill.py_func, returned=types.none)


@part
def fill_by_code(shape, functions, code, places):
    """Apply the function with this code, as :func:`fill` does."""
    if code == functions.first.code:
        _fill_apart(shape, functions.first, *places)
    elif functions.others is not None:
        fill_by_code(shape, functions.others, code, places)


@cache
def address_of_function(name: str) -> int:
    """The address of the compiled function that applies the named function to a block."""
    choice = Choice(_SAME.get(name, name))
    return address(fill, (typeof(choice), *[types.int64] * 4), markers=1)


def value_and_derivative(choice, a, b):
    """Value and derivative of the named function for a tile.

    "powers" gives the power and the power with an exponent 1 smaller, "exponential" the power and
    the exponent's contribution to its derivative.
    """


def _with_derivative(name):
    """A function that returns value and derivative."""
    derivative = _SAME.get(f"derivative of {name}", f"derivative of {name}")
    f, g = (part((FUNCTIONS | DERIVATIVES)[body]) for body in (name, derivative))

    def of_x(choice, a, b):
        return f(choice, a, b), g(choice, a, b)

    def of_value(choice, a, b):
        v = f(choice, a, b)
        return v, g(choice, v, b)

    return of_value if name in OF_VALUE else of_x


def _of_sine(choice, a, b):
    return sine_and_cosine(a)


def _of_cosine(choice, a, b):
    s, c = sine_and_cosine(a)
    return c, -1.0 * s


def _of_exponential(choice, a, b):
    v = power(a, b)
    return v, _log_term(choice, a, v)


WITH_DERIVATIVES = {
    name: _with_derivative(name) for name in FUNCTIONS.keys() - {"sin", "cos", "pow"}
}
WITH_DERIVATIVES |= {"sin": _of_sine, "cos": _of_cosine, "exponential": _of_exponential}
WITH_DERIVATIVES |= {"powers": lambda choice, a, b: (power(a, b), power(a, b - 1.0))}

dispatch(value_and_derivative, WITH_DERIVATIVES)


@cached_njit(**WHOLE)
@translated(returned=types.UniTuple(types.float64, 2))
def both(choice, a, b):
    """Value and derivative of a function of one number, or the two results for a power."""
    v, derivative = value_and_derivative(choice, single(a), single(b))
    return only(v), only(derivative)


@cache
def handle_of_function(name: str):
    """A handle for calling :func:`both` with this function and two numbers in compiled code."""
    return handle(both, (typeof(Choice(name)), types.float64, types.float64), markers=1)
