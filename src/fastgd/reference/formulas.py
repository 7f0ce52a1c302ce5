"""Custom formulas: their expression trees, evaluated over arrays together with derivatives.

A dual number has a value and a derivative, and each operation has a rule for both (Wengert, *A
simple automatic derivative evaluation program*, Communications of the ACM 7, 1964). This is
repeated for each array, whereas `fastgd.formulas.derivation` derives a formula of the derivative.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import FloatArray
from fastgd.formulas.expressions import Tree
from fastgd.formulas.named import Formula, Loss


class Dual(NamedTuple):
    """A value, and its derivative by one variable."""

    value: FloatArray
    derivative: FloatArray


Rule = Callable[[FloatArray], FloatArray]


def _sigmoid(x: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-x))


_FUNCTIONS: dict[str, tuple[Rule, Rule]] = {
    "exp": (np.exp, np.exp),
    "expm1": (np.expm1, np.exp),
    "log": (np.log, lambda x: np.where(x >= 0, 1 / x, np.nan)),
    "log1p": (np.log1p, lambda x: np.where(x >= -1, 1 / (1 + x), np.nan)),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "abs": (np.abs, np.sign),
    "sign": (np.sign, np.zeros_like),
    "floor": (np.floor, np.zeros_like),
    "relu": (lambda x: np.maximum(x, 0.0), lambda x: (x > 0).astype(np.float64)),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sinh": (np.sinh, np.cosh),
    "cosh": (np.cosh, np.sinh),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda x: -np.sin(x)),
    "tan": (np.tan, lambda x: 1 / np.cos(x) ** 2),
    "asin": (np.arcsin, lambda x: 1 / np.sqrt(1 - x * x)),
    "acos": (np.arccos, lambda x: -1 / np.sqrt(1 - x * x)),
    "atan": (np.arctan, lambda x: 1 / (1 + x * x)),
}
"""The functions of one argument by name, with their derivatives."""

_COMPARISONS: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def _raised(a: Dual, b: Dual) -> Dual:
    """An operand with derivative 0 contributes nothing, even if its factor is infinite or NaN."""
    with np.errstate(all="ignore"):
        power = a.value**b.value
        by_base = np.where(
            a.derivative == 0, 0.0, b.value * a.value ** (b.value - 1) * a.derivative
        )
        by_exponent = np.where(b.derivative == 0, 0.0, np.log(a.value) * power * b.derivative)
    return Dual(power, by_base + by_exponent)


def _by(factor: FloatArray, derivative: FloatArray) -> FloatArray:
    """Their product; a constant's contributes nothing, even if the factor is infinite or NaN."""
    is_constant = derivative.ndim == 0 and derivative == 0
    return derivative if is_constant else factor * derivative


def _product(a: Dual, b: Dual) -> Dual:
    return Dual(a.value * b.value, _by(b.value, a.derivative) + _by(a.value, b.derivative))


def _quotient(a: Dual, b: Dual) -> Dual:
    value = a.value / b.value
    return Dual(value, (a.derivative - _by(value, b.derivative)) / b.value)


_OPERATIONS: dict[str, Callable[..., Dual]] = {
    "add": lambda a, b: Dual(a.value + b.value, a.derivative + b.derivative),
    "sub": lambda a, b: Dual(a.value - b.value, a.derivative - b.derivative),
    "mul": _product,
    "div": _quotient,
    "neg": lambda a: Dual(-a.value, -a.derivative),
    "fma": lambda a, b, c: _OPERATIONS["add"](_product(a, b), c),
    "pow": _raised,
    # If both are equal, the derivative is that of the left one.
    "minimum": lambda a, b: Dual(
        np.minimum(a.value, b.value), np.where(a.value <= b.value, a.derivative, b.derivative)
    ),
    "maximum": lambda a, b: Dual(
        np.maximum(a.value, b.value), np.where(a.value >= b.value, a.derivative, b.derivative)
    ),
}


def evaluate(tree: Tree, known: Mapping[Any, Dual]) -> Dual:
    """Value and derivative of a tree; ``known`` has those of its variables and other parts."""
    if isinstance(tree, str) or tree in known:
        return known[tree]
    if isinstance(tree, float):
        return _constant(tree)
    operation, *operands = tree
    if operation == "where":
        (comparison, *sides), *choices = operands
        holds = _COMPARISONS[comparison](*(evaluate(side, known).value for side in sides))
        a, b = (evaluate(choice, known) for choice in choices)
        return Dual(np.where(holds, a.value, b.value), np.where(holds, a.derivative, b.derivative))
    parts = [evaluate(operand, known) for operand in operands]
    if operation in _OPERATIONS:
        return _OPERATIONS[operation](*parts)
    function, derivative = _FUNCTIONS[operation]
    [x] = parts
    return Dual(function(x.value), derivative(x.value) * x.derivative)


def value_and_derivatives(formula: Formula, *arrays: FloatArray) -> tuple[FloatArray, ...]:
    """A formula of these arrays, and its derivatives by each of them, except a Loss's target.

    Its parameters have their default values, unless `Method.formula` has replaced them.
    """
    if formula.derivative is not None:
        known = _known(formula, arrays, "")
        found = [evaluate(tree, known).value for tree in (formula.tree, formula.derivative)]
    else:
        by = formula.variables[isinstance(formula, Loss) :]
        duals = [evaluate(formula.tree, _known(formula, arrays, name)) for name in by]
        found = [duals[0].value, *(dual.derivative for dual in duals)]
    return tuple(np.broadcast_to(array, arrays[0].shape) for array in found)  # some are constants


def second_derivative(formula: Formula, x: FloatArray) -> FloatArray:
    """The second derivative of a Function, by a complex step, which is exact to rounding.

    Squire and Trapp, *Using Complex Variables to Estimate Derivatives of Real Functions*, SIAM
    Review 40, 1998.
    """
    step = 1e-30
    moved: Any = x + 1j * step
    second: FloatArray = np.imag(value_and_derivatives(formula, moved)[1]) / step
    return second


def _known(formula: Formula, arrays: tuple[FloatArray, ...], by: str) -> dict[str, Dual]:
    """Variables and parameters by name; ``by`` is the variable of differentiation."""
    moves = {
        name: Dual(array, np.array(float(name == by)))
        for name, array in zip(formula.variables, arrays, strict=True)
    }
    return moves | {name: _constant(number) for name, number in formula.parameters.items()}


def _constant(number: float) -> Dual:
    return Dual(np.array(number), np.array(0.0))
