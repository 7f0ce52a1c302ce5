"""Python functions as expressions: one that only does arithmetic needs no compiler."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np

from fastgd.formulas.expressions import Tree
from fastgd.formulas.symbols import OF_SYMBOLS, Symbol, apply, trace

_IN_NUMPY = {f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan")}

_OF_SYMBOLS: dict[Any, Callable[..., Symbol]] = {
    known: function
    for name, function in OF_SYMBOLS.items()
    for known in (getattr(math, name, None), getattr(np, _IN_NUMPY.get(name, name), None))
    if known is not None
} | {
    math.fabs: OF_SYMBOLS["abs"],
    math.pow: lambda a, b: apply("pow", a, b),
    np.power: lambda a, b: apply("pow", a, b),
    np.square: lambda x: apply("mul", x, x),
}
"""Functions of math and NumPy, and the functions of symbols that replace them."""


class _Home:
    """Stands for a module, with functions that take symbols."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return _of_symbols(getattr(self._module, name))


def written_down(what: str, given: Callable[[float], float]) -> Tree | None:
    """Return a function as an expression of x; None if it isn't pure arithmetic.

    Examples
    --------
    >>> written_down("curve", lambda x: math.sin(x) / 2)
    ('div', ('sin', 'x'), 2.0)
    >>> written_down("curve", lambda x: x if x > 0 else -x)
    """
    function = _of_symbols(getattr(given, "py_func", given))
    if isinstance(function, FunctionType):
        function = _own_names(function)
    try:
        return trace(what, function, ["x"])
    except TypeError:
        return None


def _own_names(function: FunctionType) -> FunctionType:
    """Return a copy of the function in which math and numpy take symbols."""
    names = {name: _of_symbols(value) for name, value in function.__globals__.items()}
    cells = tuple(map(_cell, function.__closure__ or ()))
    made = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, cells or None
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _cell(cell: CellType) -> CellType:
    try:
        return CellType(_of_symbols(cell.cell_contents))
    except ValueError:  # an empty cell
        return cell


def _of_symbols(value: Any) -> Any:
    """Return the replacement of math, numpy or one of their functions; other values as they are."""
    if value is math or value is np:
        return _Home(value)
    try:
        return _OF_SYMBOLS.get(value, value)
    except TypeError:  # unhashable
        return value
