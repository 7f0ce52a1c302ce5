"""Expressions of x as a user types them, turned into compiled functions; nothing is evaluated.

Python's parser makes a tree of the text. Only the kinds of nodes and the names listed here get
any further, and each becomes a small function that Numba compiles into one.
"""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from fastgd.arguments.messages import did_you_mean, shown
from fastgd.studies.bucket.composition import apply, constant, identity, relu, sigmoid

Function = Callable[[Any], Any]


CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e}

FUNCTIONS: dict[str, Any] = {
    **{
        name: getattr(math, name)
        for name in (
            *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
            *("exp", "log", "sqrt"),
        )
    },
    "abs": abs,
    "sigmoid": sigmoid,
    "relu": relu,
}

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}

LARGEST = 200
"""Numbers, names and operations of an expression: each is compiled, in 10 to 20 ms."""

KNOWN = f"x, {', '.join(CONSTANTS)}, {', '.join(f'{name}()' for name in FUNCTIONS)}"


def parse(name: str, text: str) -> Function:
    """Return the function of x that the text stands for; ``name`` is what messages call it.

    Raises
    ------
    ValueError
        If it is no expression, uses a name or an operation that is not known, or is too long.

    Examples
    --------
    >>> f = parse("curve", "x**4 - 3*x**2 + x")
    >>> f(2.0)
    6.0
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(
            f"{name} must be an expression of x such as 'x**2 - cos(3*x)', got {shown(text)}"
        ) from None
    size = sum(isinstance(node, ast.expr) for node in ast.walk(tree))
    if size > LARGEST:
        raise ValueError(
            f"{name} must have at most {LARGEST} numbers, names and operations, got {size}"
        )
    part = _Reader(name, text).read(tree)
    return constant(part) if isinstance(part, float) else part


class _Reader:
    """Makes a function, or a number where there is no x, of a tree."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text

    def read(self, node: ast.expr) -> Function | float:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._number(float, value)
            case ast.Name(id="x"):
                x: Function = identity
                return x
            case ast.Name(id=known) if known in CONSTANTS:
                return CONSTANTS[known]
            case ast.Name(id=known):
                raise self._unknown(known, called=False)
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in OPERATORS:
                return self._apply(OPERATORS[type(sign)], operand)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
                return self._apply(OPERATORS[type(sign)], left, right)
            case ast.Call(func=ast.Name(id=called)):
                return self._call(called, node)
            case ast.BinOp(op=ast.BitXor()):
                raise ValueError(
                    f"{self._name}: a power is written **, got {shown(self._source(node))}"
                )
        raise ValueError(
            f"{self._name} must be made of numbers, + - * / ** and {KNOWN}, "
            f"got {shown(self._source(node))}"
        )

    def _call(self, called: str, node: ast.Call) -> Function | float:
        if called not in FUNCTIONS:
            raise self._unknown(called, called=True)
        if node.keywords or len(node.args) != 1 or isinstance(node.args[0], ast.Starred):
            got = shown(self._source(node))
            raise ValueError(f"{self._name}: {called}() takes one argument, got {got}")
        return self._apply(FUNCTIONS[called], node.args[0])

    def _apply(self, operation: Callable[..., Any], *operands: ast.expr) -> Function | float:
        read = [self.read(operand) for operand in operands]
        if all(isinstance(part, float) for part in read):
            return self._number(operation, *read)
        made: Function = apply(operation, *read)
        return made

    def _number(self, operation: Callable[..., Any], *operands: Any) -> float:
        try:
            number = operation(*operands)
            if isinstance(number, float) and math.isfinite(number):
                return number
        except (ArithmeticError, ValueError):
            pass
        raise ValueError(
            f"{self._name} must have finite real numbers only, got {shown(self._text)}"
        )

    def _source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self._text.strip(), node) or self._text

    def _unknown(self, word: str, called: bool) -> ValueError:
        known = [f"{name}()" for name in FUNCTIONS] if called else ["x", *CONSTANTS]
        if not called and word in FUNCTIONS:
            return ValueError(f"{self._name}: {word} is a function, write {word}(x)")
        near = did_you_mean(f"{word}()" if called else word, known)
        return ValueError(f"{self._name}: unknown name {word!r}, known are {KNOWN}{near}")
