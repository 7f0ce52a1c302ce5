"""The functions from which a `fastgd.Function` or a `fastgd.Loss` may be built.

Each is a fixed sequence of IEEE operations, so its results are bit-identical on every machine, and
at most 2 ULP from the exact value. In a formula a function stands for an operation; for numbers and
arrays it returns values.

>>> import fastgd
>>> from fastgd.functions import exp, log1p, where
>>> fastgd.Function(lambda a: where(a > 0, a + log1p(exp(-a)), log1p(exp(a))))
Function('where(a > 0, a + log1p(exp(-a)), log1p(exp(a)))')
>>> exp([0.0, 1.0])
array([1.        , 2.71828183])
"""

from typing import Any

from fastgd.engine.formula_values import evaluate
from fastgd.formulas.expressions import OF_SYMBOLS, Condition, Symbol, is_tracing


def _function(name: str, *operands: Any) -> Any:
    if is_tracing() or any(isinstance(operand, (Symbol, Condition)) for operand in operands):
        return OF_SYMBOLS[name](*operands)
    return evaluate(name, *operands)


__all__ = [
    "abs",
    "cos",
    "exp",
    "expm1",
    "floor",
    "fma",
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


def __dir__() -> list[str]:
    return __all__


def exp(x: Any) -> Any:
    """The exponential function, e to the power of x."""
    return _function("exp", x)


def expm1(x: Any) -> Any:
    """``exp(x) - 1``, without cancellation near 0."""
    return _function("expm1", x)


def log(x: Any) -> Any:
    """The natural logarithm."""
    return _function("log", x)


def log1p(x: Any) -> Any:
    """``log(1 + x)``, without cancellation near 0."""
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
    """The absolute value."""
    return _function("abs", x)


def sign(x: Any) -> Any:
    """The sign of x, -1, 0 or 1; its derivative counts as 0."""
    return _function("sign", x)


def floor(x: Any) -> Any:
    """The largest whole number that is at most x; its derivative counts as 0."""
    return _function("floor", x)


def sin(x: Any) -> Any:
    """The sine of x radians."""
    return _function("sin", x)


def cos(x: Any) -> Any:
    """The cosine of x radians."""
    return _function("cos", x)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of a and b; NaN if either is NaN."""
    return _function("minimum", a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger of a and b; NaN if either is NaN."""
    return _function("maximum", a, b)


def fma(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` rounded once, not twice: a fused multiply-add (IEEE 754-2008)."""
    return _function("fma", a, b, c)


def where(condition: Any, a: Any, b: Any) -> Any:
    """``a`` where the condition (a comparison) holds, else ``b``."""
    return _function("where", condition, a, b)
