"""Expressions of x as a user types them, turned into trees of operations; nothing is evaluated.

Python's parser makes a tree of the text. Only the kinds of nodes and the names listed here get any
further.
"""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from fastgd.arguments.messages import did_you_mean, shown
from fastgd.kernel.elementary import ELEMENTARY
from fastgd.kernel.program import FUNCTIONS
from fastgd.studies.bucket.derivation import Tree

CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e}

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.USub: "neg",
}

_PLAIN: dict[str, Callable[..., Any]] = {
    **{name: ELEMENTARY[name].function for name in FUNCTIONS},
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "neg": operator.neg,
}
"""What the operations do to numbers."""

_OTHER_WORDS = {
    "ln": "log",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "sqr": "x**2",
    "logistic": "sigmoid",
    "fabs": "abs",
    "tg": "tan",
}
"""How functions are called elsewhere."""

LARGEST = 200
"""Numbers, names and operations of an expression: a chain of so many is as deep a tree, which is
read and derived by functions that call themselves."""

KNOWN = f"x, {', '.join(CONSTANTS)}, {', '.join(f'{name}()' for name in FUNCTIONS)}"


def parse(name: str, text: str) -> Tree:
    """Return the tree of operations that the text stands for; ``name`` is what messages call it.

    Raises
    ------
    ValueError
        If it is no expression, uses a name or an operation that is not known, or is too long.

    Examples
    --------
    >>> parse("curve", "2*sin(x) - x**2")
    ('sub', ('mul', 2.0, ('sin', 'x')), ('pow', 'x', 2.0))
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
    return _Reader(name, text).read(tree)


class _Reader:
    """Makes a tree of operations of Python's, or a number where there is no x."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text

    def read(self, node: ast.expr) -> Tree:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._number(float, value)
            case ast.Name(id="x"):
                return "x"
            case ast.Name(id=known) if known in CONSTANTS:
                return CONSTANTS[known]
            case ast.Name(id=known):
                raise self._unknown(known, called=False)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
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

    def _call(self, called: str, node: ast.Call) -> Tree:
        if called not in FUNCTIONS:
            raise self._unknown(called, called=True)
        if node.keywords or len(node.args) != 1 or isinstance(node.args[0], ast.Starred):
            got = shown(self._source(node))
            raise ValueError(f"{self._name}: {called}() takes one argument, got {got}")
        return self._apply(called, node.args[0])

    def _apply(self, operation: str, *operands: ast.expr) -> Tree:
        read = [self.read(operand) for operand in operands]
        if all(isinstance(part, float) for part in read):
            return self._number(_PLAIN[operation], *read)
        return (operation, *read)

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
        if called and word in _OTHER_WORDS:
            near = f": {word}(x) is written {_written(_OTHER_WORDS[word])}"
        else:
            near = did_you_mean(f"{word}()" if called else word, known)
        return ValueError(f"{self._name}: unknown name {shown(word)}, known are {KNOWN}{near}")


def _written(word: str) -> str:
    return f"{word}(x)" if word in FUNCTIONS else word
