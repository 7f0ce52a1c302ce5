"""Tracing: record what a user's Python function does to symbols as a tree of operations.

The function is called once, with a :class:`Symbol` for each argument. So it may contain any Python
(calls, loops over known numbers, constants of its module); only the arithmetic is recorded. What
can't be recorded raises an error with the line of the user's code.
"""

from __future__ import annotations

import linecache
import math
import numbers
import traceback
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

from fastgd.checks.messages import shown
from fastgd.formulas.expressions import FOLDED, FUNCTIONS, LARGEST, Tree

_tracing = ContextVar("tracing", default=False)


class SymbolError(TypeError):
    """Something can't be recorded as arithmetic."""


def _both_ways(operation: str) -> tuple[Callable[[Any, object], Symbol], ...]:
    """A method for ``symbol + other``, and one for ``other + symbol``."""
    return (
        lambda self, other: apply(operation, self, other),
        lambda self, other: apply(operation, other, self),
    )


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

    def __lt__(self, other: object) -> Condition:
        return Condition(apply("lt", self, other))

    def __le__(self, other: object) -> Condition:
        return Condition(apply("le", self, other))

    def __gt__(self, other: object) -> Condition:
        return Condition(apply("gt", self, other))

    def __ge__(self, other: object) -> Condition:
        return Condition(apply("ge", self, other))

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
    "the number isn't known yet, so if, and, or, not, min and max don't work: "
    "use where(condition, a, b), minimum(a, b) or maximum(a, b) of fastgd.functions"
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
    one, other = symbol_of(a), symbol_of(b)
    size = 1 + condition.of.size + one.size + other.size
    return Symbol(("where", condition.of.tree, one.tree, other.tree), size)


def trace(what: str, function: Callable[..., Any], names: Sequence[str]) -> Tree:
    """Return the tree of a function of variables with these names.

    Raises
    ------
    TypeError
        If the function does anything but arithmetic; the message has the line and the reason.
    """
    token = _tracing.set(True)
    try:
        return symbol_of(function(*map(Symbol, names))).tree
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


def _plain(name: str, count: int) -> Callable[..., Symbol]:
    def function(*operands: object) -> Symbol:
        if len(operands) != count:
            raise SymbolError(f"{name}() takes {count} numbers, got {len(operands)}")
        return apply(name, *operands)

    function.__name__ = name
    return function


OF_SYMBOLS: dict[str, Callable[..., Symbol]] = {
    name: _plain(name, count) for name, count in FUNCTIONS.items() if name != "where"
} | {"where": where}
"""The functions of symbols, by name."""
