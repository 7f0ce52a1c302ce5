"""Expressions as trees of operations: parsed from strings and written as strings, never executed.

A tree is a number, the name of a variable, or an operation with its operands. Strings are parsed by
Python's own parser; only the kinds of nodes and the names listed here are accepted.
"""

import ast
import math
import operator
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from fastgd.checks.messages import did_you_mean, shown

Tree = float | str | tuple[Any, ...]
"""A number, a variable, or an operation with its operands: ("mul", 2.0, ("sin", "x"))."""

CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e}

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.USub: "neg",
}

COMPARISONS: dict[type[ast.AST], str] = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
"""The comparisons that a condition, the first operand of where(), may consist of."""

FUNCTIONS: dict[str, int] = {
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"), 1),
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "sqrt", "abs", "sign", "sigmoid", "relu"), 1),
    **dict.fromkeys(("minimum", "maximum"), 2),
    "where": 3,
}
"""The functions by name, with the number of their operands."""

OTHER_WORDS = {
    "ln": "log",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "sqr": "x**2",
    "pow": "x**n",
    "power": "x**n",
    "logistic": "sigmoid",
    "fabs": "abs",
    "tg": "tan",
    "min": "minimum",
    "max": "maximum",
    "fmin": "minimum",
    "fmax": "maximum",
    "sgn": "sign",
}
"""Names of functions in other libraries, with what is written here."""

LARGEST = 200
"""The most numbers, names and operations in an expression. A chain of N of them is a tree of depth
N, and trees are parsed and differentiated recursively."""

LONGEST_NAME = 100
"""The most characters of a name, since messages list the names that are known."""

FOLDED: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
}
"""Operations on constants that are computed when an expression is read: each rounds once, in the
same way on every machine."""


class UnknownNameError(ValueError):
    """An unknown name in an expression."""


def known(variables: Iterable[str]) -> str:
    """Return all names that may occur in an expression of these variables."""
    return ", ".join([*variables, *CONSTANTS, *(f"{name}()" for name in FUNCTIONS)])


def parse(name: str, text: str, variables: Collection[str] | None = ("x",)) -> Tree:
    """Return the tree of operations of an expression; ``name`` is its name in messages.

    If ``variables`` is None, every name without another meaning is a variable.

    Raises
    ------
    ValueError
        If the text is not an expression, is too long, or has an unknown name or operation.

    Examples
    --------
    >>> parse("curve", "2*sin(x) - x**2")
    ('sub', ('mul', 2.0, ('sin', 'x')), ('pow', 'x', 2.0))
    >>> parse("loss", "where(y > v, y - v, 0)", ("y", "v"))
    ('where', ('gt', 'y', 'v'), ('sub', 'y', 'v'), 0.0)
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        of = f" of {', '.join(variables)}" if variables else ""
        raise ValueError(
            f"{name} must be an expression{of} such as 'x**2 - cos(3*x)', got {shown(text)}"
        ) from None
    size = _size(tree)
    if size > LARGEST:
        raise ValueError(
            f"{name} must have at most {LARGEST} numbers, names and operations, got {size}"
        )
    return _Reader(name, text, variables).read(tree)


def _size(tree: ast.expr) -> int:
    """Count numbers, names and operations, but neither names of functions nor signs of numbers."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    names = sum(isinstance(node, ast.Call) for node in nodes)
    signs = sum(
        isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant) for node in nodes
    )
    return len(nodes) - names - signs


def walked(tree: Tree, leaf: Callable[[Any], Any], apply: Callable[..., Any]) -> Any:
    """Return what a tree gives: ``leaf`` of its numbers and variables, ``apply`` of an operation.

    ``apply`` gets the name of the operation, and what its operands gave.

    Examples
    --------
    >>> walked(("mul", 2.0, ("sin", "x")), str, lambda name, *of: f"{name}[{' '.join(of)}]")
    'mul[2.0 sin[x]]'
    """
    if not isinstance(tree, tuple):
        return leaf(tree)
    return apply(tree[0], *(walked(operand, leaf, apply) for operand in tree[1:]))


def variables_of(tree: Tree) -> set[str]:
    """Return the variables in a tree."""
    found: set[str] = walked(
        tree,
        lambda leaf: {leaf} if isinstance(leaf, str) else set(),
        lambda _, *operands: set().union(*operands),
    )
    return found


_CHECKED: dict[str, Callable[..., Any]] = {
    **FOLDED,
    **{name: getattr(math, name) for name in FUNCTIONS if hasattr(math, name)},
    "pow": operator.pow,
    "abs": abs,
}


def _evaluated(tree: Tree) -> Any:
    """Return the approximate value of a tree without variables, to see whether it is finite.

    The functions here are Python's; only the kernel's have the exact bits.
    """
    if isinstance(tree, tuple):
        function = _CHECKED.get(tree[0])
        return function(*map(_evaluated, tree[1:])) if function else 0.0
    return tree


class _Reader:
    """Converts Python's syntax tree to a tree of operations, or to a number if it is constant."""

    def __init__(self, name: str, text: str, variables: Collection[str] | None) -> None:
        self._name, self._text, self._variables = name, text, variables

    def read(self, node: ast.expr) -> Tree:  # noqa: C901
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._number(float, value)
            case ast.Name(id=word) if self._variables is not None and word in self._variables:
                return word
            case ast.Name(id=word) if word in CONSTANTS:
                return CONSTANTS[word]
            case ast.Name(id=word) if self._variables is None and word not in FUNCTIONS:
                return self._variable(word)
            case ast.Name(id=word):
                raise self._unknown(word, called=False)
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
            case ast.Compare():
                raise ValueError(
                    f"{self._name}: a comparison may only stand in where(condition, a, b), "
                    f"got {shown(self._source(node))}"
                )
        raise ValueError(
            f"{self._name} must be made of numbers, + - * / ** and {self._known}, "
            f"got {shown(self._source(node))}"
        )

    @property
    def _known(self) -> str:
        return known(self._variables or ())

    def _variable(self, word: str) -> str:
        if len(word) > LONGEST_NAME:
            raise ValueError(
                f"{self._name} must have names of at most {LONGEST_NAME} characters, "
                f"got {shown(word)}"
            )
        return word

    def _call(self, called: str, node: ast.Call) -> Tree:
        if called not in FUNCTIONS:
            raise self._unknown(called, called=True)
        count, got = FUNCTIONS[called], shown(self._source(node))
        starred = any(isinstance(operand, ast.Starred) for operand in node.args)
        if node.keywords or len(node.args) != count or starred:
            takes = ("one argument", "two arguments", "a condition and two numbers")[count - 1]
            raise ValueError(f"{self._name}: {called}() takes {takes}, got {got}")
        if called == "where":
            condition, *rest = node.args
            return (called, self._condition(condition), *map(self.read, rest))
        return self._apply(called, *node.args)

    def _condition(self, node: ast.expr) -> Tree:
        match node:
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if (
                type(sign) in COMPARISONS
            ):
                return (COMPARISONS[type(sign)], self.read(left), self.read(right))
        raise ValueError(
            f"{self._name}: a condition must be one comparison by <, <=, > or >=, "
            f"got {shown(self._source(node))}"
        )

    def _apply(self, operation: str, *operands: ast.expr) -> Tree:
        read = [self.read(operand) for operand in operands]
        tree = (operation, *read)
        if not variables_of(tree):
            value = self._number(_evaluated, tree)
            if operation in FOLDED and all(isinstance(part, float) for part in read):
                return value
        return tree

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

    def _unknown(self, word: str, called: bool) -> UnknownNameError:
        own = list(self._variables or ())
        names = [f"{name}()" for name in FUNCTIONS] if called else [*own, *CONSTANTS]
        if not called and word in FUNCTIONS:
            operand = own[0] if own else "x"
            return UnknownNameError(f"{self._name}: {word} is a function, write {word}({operand})")
        if called and word in OTHER_WORDS:
            near = f": {word}(x) is written {_written(OTHER_WORDS[word])}"
        else:
            near = did_you_mean(f"{word}()" if called else word, names)
        return UnknownNameError(
            f"{self._name}: unknown name {shown(word)}, known are {self._known}{near}"
        )


def _written(word: str) -> str:
    return f"{word}(x)" if word in FUNCTIONS else word


# ---------------------------------------------------------------- as text

_SIGNS = {"add": ("+", 1), "sub": ("-", 1), "mul": ("*", 2), "div": ("/", 2), "pow": ("**", 4)}
_BETWEEN = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_NEGATIVE = 3  # binds like a sign: tighter than products, looser than powers


def write(tree: Tree) -> str:
    """Return the expression of a tree, from which :func:`parse` restores the tree.

    Examples
    --------
    >>> write(("div", "a", ("add", 1.0, ("exp", ("neg", ("mul", "b", "a"))))))
    'a / (1 + exp(-(b * a)))'
    """
    return _text(tree, 0)


def _text(tree: Tree, tightness: int) -> str:
    """Return the text of a tree, in parentheses if the surrounding operation binds tighter."""
    if isinstance(tree, str):
        return tree
    if isinstance(tree, float):
        text, own = _digits(tree), _NEGATIVE if math.copysign(1.0, tree) < 0 else 9
    elif tree[0] in _BETWEEN:
        operation, left, right = tree
        return f"{_text(left, 0)} {_BETWEEN[operation]} {_text(right, 0)}"
    elif tree[0] == "neg":
        text, own = f"-{_text(tree[1], _NEGATIVE + 1)}", _NEGATIVE
    elif tree[0] in _SIGNS:
        operation, left, right = tree
        sign, own = _SIGNS[operation]
        power = operation == "pow"  # the only right-associative operation
        first, second = _text(left, own + power), _text(right, own + (not power))
        text = f"{first}{sign}{second}" if power else f"{first} {sign} {second}"
    else:
        operation, *operands = tree
        return f"{operation}({', '.join(map(partial(_text, tightness=0), operands))})"
    return f"({text})" if own < tightness else text


def _digits(number: float) -> str:
    return (
        str(int(number))
        if number.is_integer() and abs(number) < 1e15 and (number or math.copysign(1.0, number) > 0)
        else repr(number)
    )
