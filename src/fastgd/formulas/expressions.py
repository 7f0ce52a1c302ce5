"""Expressions as trees of operations: parsed from strings, traced from functions, and written.

A tree is a number, the name of a variable, or an operation with its operands. Strings are never
executed: Python's own parser parses them, and only the kinds of nodes and the names listed here are
accepted. A Python function is called once, with a :class:`Symbol` for each argument. So it may
contain any Python (calls, loops over known numbers, constants of its module); only the arithmetic
is recorded. What can't be recorded raises an error with the line of the user's code.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import math
import numbers
import operator
import re
import traceback
from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

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
    "floor": 1,
    **dict.fromkeys(("minimum", "maximum"), 2),
    "where": 3,
    "fma": 3,
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

_OF_ONE = [
    name for name in (*FUNCTIONS, *OTHER_WORDS) if FUNCTIONS.get(OTHER_WORDS.get(name, name)) == 1
]

BARE_CALL = rf"\b({'|'.join(_OF_ONE)}) +[a-zA-Z0-9_.]"
"""A function of one operand that is written without parentheses, as in "sin x"."""

PLAIN = {
    **dict.fromkeys(map(ord, "\u2212\u2013"), "-"),
    **dict.fromkeys(map(ord, "\u00a0\u2009\u202f"), " "),
}
"""Minus signs, dashes and spaces of texts that are copied from elsewhere, with those of Python."""

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
    text = text.translate(PLAIN)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        if bare := re.search(BARE_CALL, text, re.ASCII):
            operand = next(iter(variables or ()), "x")
            called = OTHER_WORDS.get(bare[1], bare[1])
            raise ValueError(
                f"{name}: {bare[1]} is a function, write {called}({operand})"
            ) from None
        of = f" of {', '.join(variables)}" if variables else ""
        raise ValueError(
            f"{name} must be an expression{of} such as 'x**2 - cos(3*x)', got {shown(text)}"
        ) from None
    check_size(name, tree)
    return SyntaxReader(name, text, variables).read(tree)


def check_size(name: str, tree: ast.expr | Tree) -> None:
    """Raise a ValueError if a tree, or one of Python's syntax, is larger than :data:`LARGEST`.

    Numbers, names and operations count, but neither names of functions nor signs of numbers.
    """
    if isinstance(tree, ast.expr):
        end = tree.end_col_offset or 0
        if tree.end_lineno == tree.lineno and end - tree.col_offset <= LARGEST:
            return  # each of them takes a character
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
        size = len(nodes) - sum(
            isinstance(node, ast.Call)
            or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant))
            for node in nodes
        )
    else:
        size = walked(tree, lambda _leaf: 1, lambda _operation, *sizes: 1 + sum(sizes))
    if size > LARGEST:
        raise ValueError(
            f"{name} must have at most {LARGEST} numbers, names and operations, got {size}"
        )


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
    return apply(tree[0], *[walked(operand, leaf, apply) for operand in tree[1:]])


def variables_of(tree: Tree) -> set[str]:
    """Return the variables in a tree."""
    if isinstance(tree, tuple):
        return set().union(*map(variables_of, tree[1:]))
    return {tree} if isinstance(tree, str) else set()


def _has_variables(tree: Tree) -> bool:
    return isinstance(tree, str) or (isinstance(tree, tuple) and any(map(_has_variables, tree[1:])))


_CHECKED: dict[str, Callable[..., Any]] = {
    **FOLDED,
    **{name: getattr(math, name) for name in FUNCTIONS if hasattr(math, name)},
    "pow": operator.pow,
    "abs": abs,
    "fma": lambda a, b, c: a * b + c,
    "floor": lambda a: float(math.floor(a)),
}


def _evaluated(tree: Tree) -> Any:
    """Return the approximate value of a tree without variables, to see whether it is finite.

    The functions here are Python's; only the kernel's have the exact bits.
    """

    def apply(operation: str, *operands: float) -> Any:
        function = _CHECKED.get(operation)
        return function(*operands) if function else 0.0

    return walked(tree, float, apply)


class SyntaxReader:
    """Converts Python's syntax tree to a tree of operations, or to a number if it is constant."""

    def __init__(self, name: str, text: str, variables: Collection[str] | None) -> None:
        self._name, self._text, self._variables = name, text, variables

    @property
    def _known(self) -> str:
        """All names that may occur in the expression."""
        functions = (f"{name}()" for name in FUNCTIONS)
        return ", ".join([*(self._variables or ()), *CONSTANTS, *functions])

    def read(self, node: ast.expr) -> Tree:  # noqa: C901
        """Return the tree of a node, or raise a ValueError that says what can't be read."""
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._number(float, value)
            case ast.Name(id=word) if self._variables is not None and word in self._variables:
                return word
            case ast.Name(id=word) if word in CONSTANTS:
                return CONSTANTS[word]
            case ast.Name(id=word) if self._variables is None and word not in FUNCTIONS:
                if len(word) > LONGEST_NAME:
                    raise ValueError(
                        f"{self._name} must have names of at most {LONGEST_NAME} characters, "
                        f"got {shown(word)}"
                    )
                return word
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

    def _call(self, called: str, node: ast.Call) -> Tree:
        if called not in FUNCTIONS:
            raise self._unknown(called, called=True)
        count = FUNCTIONS[called]
        starred = any(isinstance(operand, ast.Starred) for operand in node.args)
        if node.keywords or len(node.args) != count or starred:
            takes = ("one argument", "two arguments", "three arguments")[count - 1]
            takes = "a condition and two numbers" if called == "where" else takes
            raise ValueError(
                f"{self._name}: {called}() takes {takes}, got {shown(self._source(node))}"
            )
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
        if not _has_variables(tree):
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
            same = OTHER_WORDS[word]
            near = f": {word}(x) is written {f'{same}(x)' if same in FUNCTIONS else same}"
        else:
            near = did_you_mean(f"{word}()" if called else word, names)
        return UnknownNameError(
            f"{self._name}: unknown name {shown(word)}, known are {self._known}{near}"
        )


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
        is_negative = math.copysign(1.0, tree) < 0
        is_whole = tree.is_integer() and abs(tree) < 1e15 and (tree or not is_negative)
        text, own = str(int(tree)) if is_whole else repr(tree), _NEGATIVE if is_negative else 9
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
        return f"{operation}({', '.join(_text(operand, 0) for operand in operands)})"
    return f"({text})" if own < tightness else text


# ---------------------------------------------------------------- from functions

_tracing = ContextVar("tracing", default=False)


class SymbolError(TypeError):
    """Something can't be recorded as arithmetic."""


def _both_ways(operation: str) -> tuple[Callable[[Any, object], Symbol], ...]:
    """A method for ``symbol + other``, and one for ``other + symbol``."""
    return (
        lambda self, other: apply(operation, self, other),
        lambda self, other: apply(operation, other, self),
    )


def _comparison(operation: str) -> Callable[[Any, object], Condition]:
    return lambda self, other: Condition(apply(operation, self, other))


class Symbol:
    """A number that isn't known yet; operations on it return symbols with larger trees."""

    __slots__ = ("size", "tree")
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None  # so that np.float64(2) * symbol calls __rmul__

    def __init__(self, tree: Tree, size: int = 1) -> None:
        if size > LARGEST:
            raise SymbolError(f"it must have at most {LARGEST} numbers, names and operations")
        self.tree, self.size = tree, size

    def __repr__(self) -> str:
        return f"Symbol({self.tree!r})"

    __add__, __radd__ = _both_ways("add")
    __sub__, __rsub__ = _both_ways("sub")
    __mul__, __rmul__ = _both_ways("mul")
    __truediv__, __rtruediv__ = _both_ways("div")
    __pow__, __rpow__ = _both_ways("pow")

    def __neg__(self) -> Symbol:
        return apply("neg", self)

    def __pos__(self) -> Symbol:
        return self

    def __abs__(self) -> Symbol:
        return apply("abs", self)

    __lt__, __le__, __gt__, __ge__ = map(_comparison, ("lt", "le", "gt", "ge"))

    def __eq__(self, _other: object) -> NoReturn:
        raise SymbolError("== and != are not supported: compare by <, <=, > or >= in where()")

    __ne__ = __eq__

    def __bool__(self) -> NoReturn:
        raise SymbolError(_NO_BRANCH)

    def __float__(self) -> NoReturn:
        raise SymbolError(_NO_NUMBER)

    __int__ = __index__ = __float__


class Condition:
    """A comparison of symbols, for :func:`where`."""

    __slots__ = ("of",)

    def __init__(self, of: Symbol) -> None:
        self.of = of

    def __bool__(self) -> NoReturn:
        raise SymbolError(_NO_BRANCH)


_NO_BRANCH = (
    "the number isn't known yet, so if, while, and, or, not, min and max "
    "don't work: use where(condition, a, b), minimum(a, b) or maximum(a, b) of fastgd.functions"
)
_NO_NUMBER = (
    "the number isn't known yet: use the functions of fastgd.functions, not those of math or numpy"
)


def symbol_of(value: object) -> Symbol:
    """Return value if it is a symbol, or a symbol for the constant."""
    if isinstance(value, Symbol):
        return value
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number):
            return Symbol(number)
        raise SymbolError(f"its constants must be finite, got {number}")
    raise SymbolError(f"it must be made of numbers, got {shown(value)}")


def apply(operation: str, *operands: object) -> Symbol:
    """Return the result of an operation on symbols and numbers."""
    symbols = [symbol_of(operand) for operand in operands]
    trees = [symbol.tree for symbol in symbols]
    is_constant = all(isinstance(tree, float) for tree in trees)
    if is_constant and operation in FOLDED and not (operation == "div" and trees[1] == 0.0):
        return symbol_of(FOLDED[operation](*trees))
    return Symbol((operation, *trees), 1 + sum(symbol.size for symbol in symbols))


def where(condition: object, a: object, b: object) -> Symbol:
    """Return ``a`` where the condition holds, else ``b``."""
    if not isinstance(condition, Condition):
        raise SymbolError(
            f"the condition of where() must be a comparison such as a > 0, got {shown(condition)}"
        )
    return apply("where", condition.of, a, b)


def arguments_of(what: str, function: Callable[..., Any], such_as: str) -> dict[str, Any]:
    """Return the names of a function's arguments, with their defaults, or ``Parameter.empty``.

    Raises
    ------
    TypeError
        If it has none, or others than positional ones.
    """
    try:
        arguments = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        arguments = []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not arguments or any(each.kind not in positional for each in arguments):
        raise TypeError(
            f"{what} must take named positional arguments, such as {such_as}; got {shown(function)}"
        )
    return {each.name: each.default for each in arguments}


def trace(
    what: str, function: Callable[..., Any], names: Sequence[str], *, several: bool = False
) -> tuple[Tree, ...]:
    """Return the tree of a function of variables with these names, or those of several results.

    Raises
    ------
    TypeError
        If the function does anything but arithmetic; the message has the line and the reason.
    """
    token = _tracing.set(True)
    try:
        found = function(*map(Symbol, names))
        results = found if several and isinstance(found, tuple | list) else (found,)
        return tuple(symbol_of(result).tree for result in results)
    except Exception as error:  # whatever the user's own code raises
        reason = str(error) or type(error).__name__
        if "does not support ufuncs" in reason:
            reason = _NO_NUMBER
        raise TypeError(
            f"{what} must be made of arithmetic, constants and the functions of fastgd.functions; "
            f"{_place(function, error)}{reason}"
        ) from error
    finally:
        _tracing.reset(token)


def is_tracing() -> bool:
    """Whether a function is being traced: then functions of constants are recorded, too."""
    return _tracing.get()


def _place(function: Any, error: Exception) -> str:
    """Return the line of the user's code that caused the error."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_HERE)
    ]
    code = getattr(function, "__code__", None)
    own = [frame for frame in own if code and frame.filename == code.co_filename] or own
    if own:
        file, line, text = own[-1].filename, own[-1].lineno, own[-1].line
    elif code is not None:  # it ran, but its result is invalid
        file, line = code.co_filename, code.co_firstlineno
        text = linecache.getline(file, line).strip()
    else:
        return ""
    shown_text = f", {shown(text)}" if text else ""
    return f"line {line} of {Path(file).name}{shown_text}: "


_HERE = str(Path(__file__).parents[1])  # this package


def _of_symbols(name: str, count: int) -> Callable[..., Symbol]:
    def function(*operands: object) -> Symbol:
        if len(operands) != count:
            raise SymbolError(f"{name}() takes {count} numbers, got {len(operands)}")
        return apply(name, *operands)

    function.__name__ = name
    return function


OF_SYMBOLS: dict[str, Callable[..., Symbol]] = {
    name: _of_symbols(name, count) for name, count in FUNCTIONS.items() if name != "where"
} | {"where": where}
"""The functions of symbols, by name."""
