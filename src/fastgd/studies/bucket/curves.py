"""A curve that balls roll on: what the user gave, compiled, with its slope."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.messages import shown
from fastgd.studies.bucket.composition import compiled, measured, over_arrays, slope_of
from fastgd.studies.bucket.expressions import parse

FloatArray = NDArray[np.float64]
Given = Callable[[float], float] | str
"""A function of one number that Numba can compile, or an expression of x."""


@dataclass(frozen=True)
class Curve:
    """A curve, compiled: what :func:`fastgd.bucket.roll` makes of an expression or a function.

    Attributes
    ----------
    text : str
        What pictures and tables call it.
    has_height : bool
        Whether the curve is known, not just its slope.
    """

    text: str
    has_height: bool
    slope: Callable[[float], float] = field(repr=False)  # compiled
    _measure: Callable[..., None] = field(repr=False)

    def at(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Heights (NaN if only the slope is known) and slopes, both of the shape of x.

        Examples
        --------
        >>> import numpy as np
        >>> heights, slopes = curve_of("x**2", None).at(np.array([1.0, 3.0]))
        >>> heights, slopes
        (array([1., 9.]), array([2., 6.]))
        """
        flat = np.ascontiguousarray(x, dtype=np.float64).reshape(-1)
        heights, slopes = np.empty_like(flat), np.empty_like(flat)
        self._measure(flat, heights, slopes)
        return heights.reshape(np.shape(x)), slopes.reshape(np.shape(x))


def curve_of(curve: object, slope: object) -> Curve:
    """Compile a curve, its slope, or both; a slope that is not given is derived, exactly.

    Raises
    ------
    ValueError
        If neither is given, or an expression is not one.
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
    return _compiled(curve, slope)


@lru_cache(maxsize=32)
def _compiled(curve: Any, slope: Any) -> Curve:
    given = {name: f for name, f in (("curve", curve), ("slope", slope)) if f is not None}
    functions: dict[str, Any] = {
        name: parse(name, f) if isinstance(f, str) else compiled(f) for name, f in given.items()
    }
    measure = measured(functions.get("curve"), functions.get("slope"))
    try:
        fill = over_arrays(measure)
    except Exception as error:  # Numba raises many kinds
        raise TypeError(
            f"{' and '.join(given)} must be what Numba can compile, a number made of a number, "
            f"got {' and '.join(map(shown, given.values()))}: {_reason(error)}"
        ) from error
    text = _text(given.get("curve", slope))
    known = "curve" in given
    return Curve(text if known else f"slope {text}", known, slope_of(measure), fill)


def _text(given: Any) -> str:
    """An expression itself, or the name of a function."""
    return given.strip() if isinstance(given, str) else str(getattr(given, "__name__", given))


def _reason(error: Exception) -> str:
    """What Numba's message of many lines says is wrong."""
    lines = [line.strip() for line in str(error).splitlines()]
    calls = [line[4:] for line in lines if line.startswith(">>> ")]
    if calls and calls[0].startswith("parts("):
        return f"it gives {calls[0][6:-1]}"
    if calls:
        return f"no such operation: {calls[0]}"
    telling = [line for line in lines if line and not line.startswith("Failed in")]
    return telling[0] if telling else type(error).__name__
