"""The curve that balls roll on, compiled together with its slope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgd.arguments.data import FloatArray, array_of
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.formulas.expressions import parse
from fastgd.kernel.bytecode import Code
from fastgd.kernel.calls import evaluate
from fastgd.studies.bucket.compiled_curves import codes_of
from fastgd.studies.bucket.programs import slope_code, value_code
from fastgd.studies.bucket.tracing import written_down

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
    tree = parse(name, given) if isinstance(given, str) else written_down(name, given)
    if tree is not None:
        return (value_code(tree), slope_code(tree)) if with_slope else (value_code(tree),)
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
