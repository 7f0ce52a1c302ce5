"""The curve that balls roll on, compiled together with its slope.

An expression of x, or a Python function that only does arithmetic, becomes a program for
:mod:`fastgd.kernel.bytecode`; other functions are compiled by Numba, with dual numbers for the
slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import njit
from numba.core.errors import NumbaError
from numpy.typing import ArrayLike

from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, array_of, check_memory
from fastgd.engine.formula_values import code_of
from fastgd.formulas.derivation import Derivation
from fastgd.formulas.expressions import OF_SYMBOLS, Symbol, Tree, apply, parse, trace
from fastgd.kernel.bytecode import (
    BLOCK,
    EVALUATES,
    OF_VALUE,
    RESULT,
    Code,
    all_evaluators,
    function_code,
)
from fastgd.kernel.curve_descent import evaluate
from fastgd.studies.bucket.dual import COMPILED, dual, parts

KEPT = 32
"""Functions whose compiled code is cached.

Memory of code that is dropped from the cache is not freed: LLVM's engine keeps machine code, 0.7 MB
per function (its ``remove_module``, which Numba has disabled, freed 5 %).
"""


@lru_cache(maxsize=KEPT)
def codes_of(function, *, with_slope):
    """Return the code of the function's value and, if asked for, the code of its slope.

    A function that Numba can't compile for dual numbers is compiled for plain numbers, if its slope
    isn't needed. Dual numbers are tried first, because whole powers of plain numbers raise
    ZeroDivisionError at 0, where 1 / x is infinite.
    """
    made = _compiled(function)
    try:
        compiled = _over_blocks(_dual_parts(made))
    except NumbaError:
        if with_slope:
            raise
        compiled = _over_blocks(_plain_parts(made))
    wanted = (False, True) if with_slope else (False,)
    return tuple(function_code(compiled, wants_slope=slope) for slope in wanted)


def _compiled(function):
    """Compile a function, or a call of it where only Numba knows the source, such as math.cos.

    A function that the user compiled with njit is compiled again: see COMPILED.
    """
    function = getattr(function, "py_func", function)
    if isinstance(function, FunctionType):
        return njit(**COMPILED)(function)
    return njit(**COMPILED)(lambda x: function(x))


def _dual_parts(function):
    return njit(**COMPILED)(lambda x: parts(function(dual(x, 1.0))))


def _plain_parts(function):
    return njit(**COMPILED)(lambda x: parts(function(x)))


def _over_blocks(measure):
    """Compile the evaluation of a block: see ``EVALUATES``."""

    @njit(**COMPILED)
    def fill(evaluators, w, count):
        evaluator = all_evaluators(evaluators)[w]
        work = evaluator.work
        if evaluator.wants_slope:
            for i in range(count):
                work[RESULT * BLOCK + i] = measure(work[i])[1]
        else:
            for i in range(count):
                work[RESULT * BLOCK + i] = measure(work[i])[0]

    fill.compile(EVALUATES.args)
    return fill


# ---------------------------------------------------------------- curves

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

Given = Callable[[float], float] | str
"""A function of one number that Numba can compile, or an expression of x."""


@dataclass(frozen=True)
class Curve:
    """A curve, compiled by :func:`fastgd.bucket.roll` from an expression or a function.

    Attributes
    ----------
    text : str
        Its name in plots and tables.
    has_height : bool
        Whether the curve itself is known, not only its slope.
    """

    text: str
    slope: Code = field(repr=False)
    _height: Code | None = field(repr=False)
    _given: tuple[Any, Any] = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments: compiled code has addresses of this process."""
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
    """Compile a curve, its slope, or both; a slope that is not given is derived exactly.

    Raises
    ------
    ValueError
        If neither is given, or an expression can't be parsed.
    TypeError
        If one is neither an expression nor a function that Numba can compile.
    """
    if curve is None and slope is None:
        raise ValueError("curve or slope must be given, got neither")
    for name, given in (("curve", curve), ("slope", slope)):
        if not (given is None or callable(given) or isinstance(given, str)):
            raise TypeError(
                f"{name} must be a function of one number or an expression of x, got {shown(given)}"
            )
    if curve is None:
        [used] = _codes("slope", slope, with_slope=False)
        return Curve(f"slope {_text(slope)}", used, None, (curve, slope))
    height, *derived = _codes("curve", curve, with_slope=slope is None)
    (used,) = derived or _codes("slope", slope, with_slope=False)
    return Curve(_text(curve), used, height, (curve, slope))


def _codes(name: str, given: Given, *, with_slope: bool) -> tuple[Code, ...]:
    """Return the code of a function's or expression's value and, if asked for, of its slope."""
    tree = parse(name, given) if isinstance(given, str) else _written_down(name, given)
    if tree is not None:
        derivation = Derivation(of_value=OF_VALUE)
        found = derivation.of(tree)
        slope = derivation.number(0.0) if found.derivative is None else found.derivative
        wanted = (found.value, slope)
        return tuple(code_of(derivation, node) for node in (wanted if with_slope else wanted[:1]))
    try:
        codes: tuple[Code, ...] = codes_of(given, with_slope=with_slope)
        return codes
    except Exception as error:  # Numba raises errors of many types
        raise TypeError(
            f"{name} must be a function of one number that Numba can compile, "
            f"got {shown(given)}: {_reason(error)}"
        ) from error


def _text(given: Any) -> str:
    """An expression itself, or the name of a function."""
    return given.strip() if isinstance(given, str) else str(getattr(given, "__name__", given))


def _reason(error: Exception) -> str:
    """Pick the line of Numba's long message that tells what is wrong."""
    lines = [line.strip() for line in str(error).splitlines()]
    calls = [line[4:] for line in lines if line.startswith(">>> ")]
    if calls and calls[0].startswith("parts("):
        return f"it gives {calls[0][6:-1]}"
    if calls:
        return f"no such operation: {calls[0]}"
    telling = [line for line in lines if line and not line.startswith("Failed in")]
    return telling[0] if telling else type(error).__name__


class _Home:
    """Stands for a module, with functions that take symbols."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return _of_symbols(getattr(self._module, name))


def _written_down(what: str, given: Callable[[float], float]) -> Tree | None:
    """Return a function as an expression of x; None if it isn't pure arithmetic."""
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
