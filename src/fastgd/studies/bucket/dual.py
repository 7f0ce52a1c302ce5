"""Dual numbers in compiled code: a function of one yields its value and its exact slope.

A dual number is a + b*e with e*e = 0 (Clifford 1871); f(x + e) = f(x) + f'(x)*e, which is forward
differentiation (Wengert, Communications of the ACM 7, 1964). A function that Numba compiles for a
number compiles for a dual one, too, with loops, branches and calls.
"""

import math
import operator

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.core.typeconv.castgraph import Conversion
from numba.extending import (
    intrinsic,
    lower_cast,
    make_attribute_wrapper,
    models,
    overload,
    register_model,
)

from fastgd.kernel.elementary import ELEMENTARY, log_term, times_slope
from fastgd.kernel.language.numba_internals import UNWRAPPED

COMPILED = {"error_model": "numpy", "nogil": True, **UNWRAPPED}
"""How everything here is compiled: 1 / 0 is infinite, as in IEEE 754, and raises nothing."""


class DualType(types.Type):
    """The Numba type of a dual number."""

    def __init__(self):
        super().__init__("Dual")

    def can_convert_from(self, _typing, other):
        """A plain number is one of slope 0, where a branch returns it."""
        return Conversion.promote if isinstance(other, types.Number) else None


DUAL = DualType()


@register_model(DualType)
class _DualModel(models.StructModel):
    def __init__(self, manager, kind):
        members = [("value", types.float64), ("slope", types.float64)]
        super().__init__(manager, kind, members)


make_attribute_wrapper(DualType, "value", "value")
make_attribute_wrapper(DualType, "slope", "slope")


def _emit(context, builder, value, slope):
    made = cgutils.create_struct_proxy(DUAL)(context, builder)
    made.value, made.slope = value, slope
    return made._getvalue()


@intrinsic
def dual(_typing, value, slope):
    """A dual number of a value and a slope."""

    def codegen(context, builder, _signature, arguments):
        return _emit(context, builder, *arguments)

    return DUAL(types.float64, types.float64), codegen


@lower_cast(types.Number, DualType)
def _from_number(context, builder, kind, _dual, number):
    value = context.cast(builder, number, kind, types.float64)
    return _emit(context, builder, value, context.get_constant(types.float64, 0.0))


def parts(_number):
    """Value and slope of what a function of a dual number came to, be it dual or not."""


@overload(parts)
def _parts(number):
    if isinstance(number, DualType):
        return lambda number: (number.value, number.slope)
    if isinstance(number, types.Number | types.Boolean):
        return lambda number: (float(number), 0.0)
    return None


# ---------------------------------------------------------------- two operands


def _define(names, both, left, right):
    """Overload functions for two dual numbers, and for one on the left or right of a number."""

    def rule(a, b):
        if isinstance(a, DualType) and isinstance(b, DualType):
            return both
        if isinstance(a, DualType) and isinstance(b, types.Number):
            return left
        if isinstance(a, types.Number) and isinstance(b, DualType):
            return right
        return None

    for name in names:
        overload(name)(rule)


_define(
    (operator.add, operator.iadd),
    lambda a, b: dual(a.value + b.value, a.slope + b.slope),
    lambda a, b: dual(a.value + b, a.slope),
    lambda a, b: dual(a + b.value, b.slope),
)
_define(
    (operator.sub, operator.isub),
    lambda a, b: dual(a.value - b.value, a.slope - b.slope),
    lambda a, b: dual(a.value - b, a.slope),
    lambda a, b: dual(a - b.value, -b.slope),
)
_define(
    (operator.mul, operator.imul),
    lambda a, b: dual(a.value * b.value, a.slope * b.value + a.value * b.slope),
    lambda a, b: dual(a.value * b, a.slope * b),
    lambda a, b: dual(a * b.value, a * b.slope),
)


def _quotient(a, b):
    q = a.value / b.value
    return dual(q, (a.slope - q * b.slope) / b.value)


def _reciprocal(a, b):
    q = a / b.value
    return dual(q, -q * b.slope / b.value)


_define(
    (operator.truediv, operator.itruediv),
    _quotient,
    lambda a, b: dual(a.value / b, a.slope / b),
    _reciprocal,
)


for _compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):

    def _comparison(compare=_compare):
        return (
            lambda a, b: compare(a.value, b.value),
            lambda a, b: compare(a.value, b),
            lambda a, b: compare(a, b.value),
        )

    _define((_compare,), *_comparison())


# ---------------------------------------------------------------- powers


_log_term, _times_slope = njit(**COMPILED)(log_term), njit(**COMPILED)(times_slope)


@njit(**COMPILED)
def _raised(a, p):
    """A power of a plain number; whole negative ones are reciprocals, infinite at 0."""
    return 1.0 / a**-p if p < 0 else a**p


@njit(**COMPILED)
def _whole_power(a, p):
    slope = 0.0 if p == 0 else p * _raised(a.value, p - 1) * a.slope
    return dual(_raised(a.value, p), slope)


@njit(**COMPILED)
def _fixed_power(a, p):
    """A power whose exponent does not depend on x; that of exponent 0 is flat at 0, too."""
    slope = 0.0 if p == 0 else p * a.value ** (p - 1) * a.slope
    return dual(a.value**p, slope)


@njit(**COMPILED)
def _exponential(a, b):
    power = a**b.value
    return dual(power, _times_slope(_log_term(a, power), b.slope))


@njit(**COMPILED)
def _power(a, b):
    power = a.value**b.value
    slope = _times_slope(b.value * a.value ** (b.value - 1.0), a.slope)
    return dual(power, slope + _times_slope(_log_term(a.value, power), b.slope))


def _power_rule(a, b):
    if isinstance(a, DualType) and isinstance(b, types.IntegerLiteral):
        n = b.literal_value
        m = n - 1
        # Numba multiplies out powers whose exponent it knows.
        if n == 0:
            return lambda a, b: dual(1.0, 0.0)
        if n < 0:
            n, m = -n, -m
            return lambda a, b: dual(1.0 / a.value**n, -n / a.value**m * a.slope)
        return lambda a, b: dual(a.value**n, n * a.value**m * a.slope)
    if isinstance(a, DualType) and isinstance(b, types.Integer):
        return lambda a, b: _whole_power(a, b)
    if isinstance(a, DualType) and isinstance(b, types.Number):
        return lambda a, b: _fixed_power(a, b)
    if isinstance(a, types.Number) and isinstance(b, DualType):
        return lambda a, b: _exponential(a, b)
    if isinstance(a, DualType) and isinstance(b, DualType):
        return lambda a, b: _power(a, b)
    return None


for _name in (operator.pow, operator.ipow, math.pow, np.power):
    overload(_name, prefer_literal=True)(_power_rule)


# ---------------------------------------------------------------- the larger and the smaller


def _choosing(keeps):
    """The left one where ``keeps`` says so of both values, else the right one."""
    keeps = njit(**COMPILED)(keeps)
    return (
        lambda a, b: a if keeps(a.value, b.value) else b,
        lambda a, b: a if keeps(a.value, b) else dual(b, 0.0),
        lambda a, b: dual(a, 0.0) if keeps(a, b.value) else b,
    )


# Python's own keep the left one unless the right one is larger; NumPy's are NaN if either is.
_define((max,), *_choosing(lambda a, b: not b > a))
_define((min,), *_choosing(lambda a, b: not b < a))
_define((np.maximum,), *_choosing(lambda a, b: a >= b or a != a))
_define((np.minimum,), *_choosing(lambda a, b: a <= b or a != a))


@overload(np.where)
def _where(condition, a, b):
    if isinstance(condition, types.Boolean) and DUAL in (a, b):
        return lambda condition, a, b: a if condition else b
    return None


# ---------------------------------------------------------------- one operand


def _define_function(names, function, derivative, of_value=False):
    """Overload functions, all of which do ``function``, with its derivative of x or its value."""
    # What math has is known to Numba as it is.
    slope = njit(**COMPILED)(derivative) if hasattr(derivative, "__code__") else derivative

    def rule(x):
        if not isinstance(x, DualType):
            return None

        def of_x(x):
            return dual(function(x.value), slope(x.value) * x.slope)

        def of_its_value(x):
            value = function(x.value)
            return dual(value, slope(value) * x.slope)

        return of_its_value if of_value else of_x

    for name in names:
        overload(name)(rule)


_IN_NUMPY = {f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}

for _word, _known in ELEMENTARY.items():
    if _function := getattr(math, _word, None):
        _twin = getattr(np, _IN_NUMPY.get(_word, _word), _function)  # NumPy has no erf
        _define_function({_function, _twin}, *_known)

_define_function((abs, math.fabs, np.abs), *ELEMENTARY["abs"])
_define_function((operator.pos,), operator.pos, lambda _: 1.0)
_define_function((operator.neg,), operator.neg, lambda _: -1.0)
_define_function((np.square,), np.square, lambda x: 2.0 * x)
