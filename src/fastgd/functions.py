"""The functions that a `fastgd.Function` or a `fastgd.Loss` may be made of.

Each is a fixed sequence of IEEE operations, the same bits on every machine, and at most 2 ULP from
the exact value. In a formula they stand for an operation; of numbers and arrays they give values.

>>> import fastgd
>>> from fastgd.functions import exp, log1p, where
>>> fastgd.Function(lambda a: where(a > 0, a + log1p(exp(-a)), log1p(exp(a))))
Function('where(a > 0, a + log1p(exp(-a)), log1p(exp(a)))')
>>> exp([0.0, 1.0])
array([1.        , 2.71828183])
"""

from typing import Any

from fastgd.engine.elementwise import evaluate
from fastgd.formulas.symbols import OF_SYMBOLS, Condition, Symbol, is_tracing


def _function(name: str, *operands: Any) -> Any:
    if is_tracing() or any(isinstance(operand, (Symbol, Condition)) for operand in operands):
        return OF_SYMBOLS[name](*operands)
    return evaluate(name, *operands)


__all__ = [
    "abs",
    "cos",
    "exp",
    "expm1",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "tanh",
    "where",
]


def exp(x: Any) -> Any:
    """E to the power of x."""
    return _function("exp", x)


def expm1(x: Any) -> Any:
    """``exp(x) - 1``, without loss of digits near 0."""
    return _function("expm1", x)


def log(x: Any) -> Any:
    """The natural logarithm."""
    return _function("log", x)


def log1p(x: Any) -> Any:
    """``log(1 + x)``, without loss of digits near 0."""
    return _function("log1p", x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return _function("tanh", x)


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``."""
    return _function("sigmoid", x)


def sqrt(x: Any) -> Any:
    """The square root."""
    return _function("sqrt", x)


def abs(x: Any) -> Any:  # noqa: A001
    """The magnitude."""
    return _function("abs", x)


def sign(x: Any) -> Any:
    """-1, 0 or 1; the derivative counts as 0."""
    return _function("sign", x)


def sin(x: Any) -> Any:
    """The sine of x radians."""
    return _function("sin", x)


def cos(x: Any) -> Any:
    """The cosine of x radians."""
    return _function("cos", x)


def minimum(a: Any, b: Any) -> Any:
    """The smaller one; NaN if either is."""
    return _function("minimum", a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger one; NaN if either is."""
    return _function("maximum", a, b)


def where(condition: Any, a: Any, b: Any) -> Any:
    """``a`` where the condition, a comparison, holds, else ``b``."""
    return _function("where", condition, a, b)
