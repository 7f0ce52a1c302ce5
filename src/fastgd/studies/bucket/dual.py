"""Dual numbers in compiled code: a function of one returns its value and its exact slope.

A dual number is a + b*e with e*e = 0 (Clifford 1871); f(x + e) = f(x) + f'(x)*e, which is forward
differentiation (Wengert, Communications of the ACM 7, 1964). A function that Numba can compile for
a number it can also compile for a dual number, including loops, branches and calls. Sines,
exponentials and the like are the kernel's own, called by address.
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

from fastgd import functions
from fastgd.kernel.bytecode import FUNCTIONS, handle_of_function
from fastgd.kernel.language.numba_internals import UNWRAPPED, call_for_two

COMPILED = {"error_model": "numpy", "nogil": True, **UNWRAPPED}
"""Options of all compilations here: 1 / 0 is infinite, as in IEEE 754, and raises no error."""


class DualType(types.Type):
    """The Numba type of a dual number."""

    def __init__(self):
        super().__init__("Dual")

    def can_convert_from(self, _typing, other):
        """Allow plain numbers, as dual numbers of slope 0, such as from another branch."""
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
    """Value and slope of a function's result, which may be dual or plain."""


@overload(parts)
def _parts(number):
    if isinstance(number, DualType):
        return lambda number: (number.value, number.slope)
    if isinstance(number, types.Number | types.Boolean):
        return lambda number: (float(number), 0.0)
    return None


# ---------------------------------------------------------------- two operands


_PUBLIC = {name: getattr(functions, name) for name in functions.__all__}
"""Functions that users may import from fastgd.functions; Numba doesn't know them either."""


def _define(names, both, left, right):
    """Overload functions for two dual numbers, and for a dual and a plain one in either order."""

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


@njit(**COMPILED)
def _times_slope(factor, slope):
    """A factor times a slope; 0 where the slope is 0, even if the factor is infinite or NaN."""
    return 0.0 if slope == 0.0 else factor * slope


def _fixed_power():
    """Powers whose exponent does not depend on x; with exponent 0 the slope is 0 even at x = 0."""
    powers = handle_of_function("powers")

    def power(a, b):
        p = float(b)
        value, less = call_for_two(powers, (a.value, p))
        return dual(value, 0.0 if p == 0.0 else p * less * a.slope)

    return power


def _exponential():
    """Powers whose base does not depend on x."""
    exponential = handle_of_function("exponential")

    def power(a, b):
        value, due = call_for_two(exponential, (float(a), b.value))
        return dual(value, _times_slope(due, b.slope))

    return power


def _general_power():
    powers, exponential = map(handle_of_function, ("powers", "exponential"))

    def power(a, b):
        value, due = call_for_two(exponential, (a.value, b.value))
        less = call_for_two(powers, (a.value, b.value))[1]
        slope = _times_slope(b.value * less, a.slope)
        return dual(value, slope + _times_slope(due, b.slope))

    return power


@njit(**COMPILED)
def _raised(a, p):
    """A plain number to a whole power; negative powers are reciprocals, infinite at 0."""
    result, left = 1.0, abs(p)
    while left:
        if left & 1:
            result *= a
        left >>= 1
        a *= a
    return 1.0 / result if p < 0 else result


@njit(**COMPILED)
def _whole_power(a, p):
    slope = 0.0 if p == 0 else p * _raised(a.value, p - 1) * a.slope
    return dual(_raised(a.value, p), slope)


def _power_rule(a, b):
    if isinstance(a, DualType) and isinstance(b, types.IntegerLiteral):
        n = b.literal_value
        m = n - 1
        # Numba unrolls powers with a literal exponent.
        if n == 0:
            return lambda a, b: dual(1.0, 0.0)
        if n < 0:
            n, m = -n, -m
            return lambda a, b: dual(1.0 / a.value**n, -n / a.value**m * a.slope)
        return lambda a, b: dual(a.value**n, n * a.value**m * a.slope)
    if isinstance(a, DualType) and isinstance(b, types.Integer):
        return lambda a, b: _whole_power(a, b)
    if isinstance(a, DualType) and isinstance(b, types.Number):
        return _fixed_power()
    if isinstance(a, types.Number) and isinstance(b, DualType):
        return _exponential()
    if isinstance(a, DualType) and isinstance(b, DualType):
        return _general_power()
    return None


for _name in (operator.pow, operator.ipow, math.pow, np.power):
    overload(_name, prefer_literal=True)(_power_rule)


# ---------------------------------------------------------------- the larger and the smaller


def _choosing(keeps):
    """Overloads that return the left operand if ``keeps`` holds for the values, else the right."""
    keeps = njit(**COMPILED)(keeps)
    return (
        lambda a, b: a if keeps(a.value, b.value) else b,
        lambda a, b: a if keeps(a.value, b) else dual(b, 0.0),
        lambda a, b: dual(a, 0.0) if keeps(a, b.value) else b,
    )


# Python's max and min keep the left one unless the right one wins; NumPy's are NaN if either is.
_define((max,), *_choosing(lambda a, b: not b > a))
_define((min,), *_choosing(lambda a, b: not b < a))
_define((np.maximum, _PUBLIC["maximum"]), *_choosing(lambda a, b: a >= b or a != a))
_define((np.minimum, _PUBLIC["minimum"]), *_choosing(lambda a, b: a <= b or a != a))


@overload(_PUBLIC["where"])
@overload(np.where)
def _where(condition, a, b):
    if isinstance(condition, types.Boolean) and DUAL in (a, b):
        return lambda condition, a, b: a if condition else b
    return None


# ---------------------------------------------------------------- one operand


def _define_function(names, function, derivative):
    """Overload functions with ``function`` and its derivative."""
    # A function without Python code is one that Numba knows.
    slope = njit(**COMPILED)(derivative) if hasattr(derivative, "__code__") else derivative

    def rule(x):
        if isinstance(x, types.Number):
            return lambda x: function(float(x))

        return lambda x: dual(function(x.value), slope(x.value) * x.slope)

    _overload_of_one(names, rule)


def _define_known(names, known):
    """Overload functions with the kernel's function of this name, which also gives the slope."""

    def rule(x):
        # Compiled, or loaded from the cache, when a curve uses it.
        compiled = handle_of_function(known)
        if isinstance(x, types.Number):
            return lambda x: call_for_two(compiled, (float(x), 0.0))[0]

        def of_dual(x):
            value, slope = call_for_two(compiled, (x.value, 0.0))
            return dual(value, slope * x.slope)

        return of_dual

    _overload_of_one(names, rule)


def _overload_of_one(names, rule):
    """Overload functions for dual numbers, and those of this package also for plain numbers."""
    for name in names:
        kinds = (DualType, types.Number) if name in _PUBLIC.values() else DualType
        overload(name)(_limited(rule, kinds))


def _limited(rule, kinds):
    return lambda x: rule(x) if isinstance(x, kinds) else None


def _sign(x):
    if x > 0.0:
        return 1.0
    return -1.0 if x < 0.0 else x


_IN_NUMPY = {f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}

for _word in FUNCTIONS:
    if _word != "pow":
        _same = (getattr(math, _word, None), getattr(np, _IN_NUMPY.get(_word, _word), None))
        _define_known({*_same, _PUBLIC.get(_word)} - {None}, _word)

_define_function((math.sqrt, np.sqrt, _PUBLIC["sqrt"]), math.sqrt, lambda x: 0.5 / math.sqrt(x))
_define_function((abs, math.fabs, np.abs, _PUBLIC["abs"]), abs, _sign)
_define_function((np.sign, _PUBLIC["sign"]), njit(**COMPILED)(_sign), lambda _: 0.0)
_define_function((operator.pos,), operator.pos, lambda _: 1.0)
_define_function((operator.neg,), operator.neg, lambda _: -1.0)
_define_function((np.square,), np.square, lambda x: 2.0 * x)
