"""The curve that balls roll on, and its slope, as programs for :mod:`fastgd.kernel.bytecode`.

A Python function is traced: it is called once, and what it does to x is recorded.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba.extending import is_jitted
from numpy.typing import ArrayLike

from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, array_of, check_memory
from fastgd.engine.formula_values import code_of
from fastgd.formulas.derivation import Derivation
from fastgd.formulas.expressions import OF_SYMBOLS, Symbol, Tree, apply, parse, trace
from fastgd.formulas.named import Given
from fastgd.kernel.bytecode import OF_VALUE, Code
from fastgd.kernel.curve_descent import evaluate


@dataclass(frozen=True)
class Curve:
    """A curve, compiled by :func:`fastgd.bucket.roll` from an expression or a function.

    Attributes
    ----------
    text : str
        Its name in plots and tables.
    """

    text: str
    slope: Code = field(repr=False)
    _height: Code | None = field(repr=False)
    _given: tuple[Any, Any] = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments: programs have addresses of this process."""
        return curve_of, self._given

    @property
    def has_height(self) -> bool:
        """Whether the curve itself is known, not only its slope."""
        return self._height is not None

    def at(self, x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return heights (NaN if only the slope is known) and slopes, both in the shape of x.

        Examples
        --------
        >>> heights, slopes = curve_of("x**2", None).at([1.0, 3.0])
        >>> heights, slopes
        (array([1., 9.]), array([2., 6.]))
        """
        places = check_places("x", x)
        flat = places.reshape(-1)
        slopes = evaluate(self.slope, flat)
        heights = np.full(flat.shape, np.nan)
        if self._height is not None:
            heights = evaluate(self._height, flat)
        return heights.reshape(places.shape), slopes.reshape(places.shape)


def check_places(name: str, value: object) -> FloatArray:
    """Return value as an array of real numbers, finite or not, of any shape."""
    array = array_of(name, value)
    if array.dtype.kind not in "iuf" or _has_flag(value):
        raise TypeError(
            f"{name} must hold real numbers, got {shown(value)} (dtype {array.dtype.name})"
        )
    check_memory(8 * array.size, name)
    with np.errstate(all="ignore"):
        return np.require(array, dtype=np.float64, requirements=["C", "A"])


def _has_flag(value: object) -> bool:
    """Whether there are booleans, which NumPy would convert to 1 or 0."""
    if isinstance(value, list | tuple):
        kinds = set(map(type, value))
        deeper = kinds & {list, tuple} and any(map(_has_flag, value))
        return bool(deeper) or bool(kinds & {bool, np.bool_})
    return getattr(value, "dtype", None) == np.bool_


def curve_of(curve: Any, slope: Any) -> Curve:
    """Return a curve, its slope, or both; a slope that is not given is derived exactly.

    Raises
    ------
    ValueError
        If neither is given, or an expression can't be parsed.
    TypeError
        If one is neither an expression nor a function that can be traced.
    """
    if curve is None and slope is None:
        raise ValueError("curve or slope must be given, got neither")
    for name, given in (("curve", curve), ("slope", slope)):
        if not (given is None or callable(given) or isinstance(given, str)):
            raise TypeError(
                f"{name} must be a function of one number or an expression of x, got {shown(given)}"
            )

    def codes(name: str, given: Given, count: int) -> list[Code]:
        """The programs of a function's or an expression's value and, as the second, its slope."""
        tree = parse(name, given) if isinstance(given, str) else _traced(name, given)
        derivation = Derivation(of_value=OF_VALUE)
        found = derivation.of(tree)
        change = derivation.number(0.0) if found.derivative is None else found.derivative
        return [code_of(derivation, node) for node in (found.value, change)[:count]]

    texts = [
        given.strip() if isinstance(given, str) else str(getattr(given, "__name__", given))
        for given in (curve, slope)
    ]
    if curve is None:
        [used] = codes("slope", slope, 1)
        return Curve(f"slope {texts[1]}", used, None, (curve, slope))
    height, *derived = codes("curve", curve, 2 if slope is None else 1)
    [used] = derived or codes("slope", slope, 1)
    return Curve(texts[0], used, height, (curve, slope))


# ---------------------------------------------------------------- Python functions

_IN_NUMPY = {f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}

_FURTHER = ("asinh", "acosh", "atanh", "log2", "log10", "erf", "pow")

_OF_SYMBOLS: dict[Any, Callable[..., Symbol]] = {
    known: OF_SYMBOLS.get(name) or partial(apply, name)
    for name in (*OF_SYMBOLS, *_FURTHER)
    for known in (getattr(math, name, None), getattr(np, _IN_NUMPY.get(name, name), None))
    if known is not None
} | {
    math.fabs: OF_SYMBOLS["abs"],
    np.power: partial(apply, "pow"),
    np.square: lambda x: apply("mul", x, x),
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.negative: operator.neg,
}
"""Functions of math and NumPy, and the functions of symbols that replace them."""


class _Home:
    """Stands for a module, with functions that take symbols."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return _of_symbols(getattr(self._module, name))


def _traced(what: str, given: Any) -> Tree:
    """Return a Python function as an expression of x."""
    function = given.py_func if is_jitted(given) else given
    if isinstance(function, FunctionType):
        [tree] = trace(what, _own_names(function), ["x"])
    else:
        [tree] = trace(what, _of_symbols(function), ["x"])
    return tree


def _of_symbols(value: Any) -> Any:
    """Return what takes symbols in place of math, numpy, their functions and the user's own."""
    if value is math or value is np:
        return _Home(value)
    if is_jitted(value):
        value = value.py_func
    if isinstance(value, FunctionType) and not str(value.__module__).startswith("fastgd."):
        return lambda *given, **named: _own_names(value)(*given, **named)
    try:
        return _OF_SYMBOLS.get(value, value)
    except TypeError:  # unhashable
        return value


def _own_names(function: FunctionType) -> FunctionType:
    """Return a copy of the function in which math and numpy take symbols."""
    names = {name: _of_symbols(value) for name, value in function.__globals__.items()}
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(CellType(_of_symbols(cell.cell_contents)))
        except ValueError:  # an empty cell
            cells.append(cell)
    made = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, tuple(cells) or None
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made
