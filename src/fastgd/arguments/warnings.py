"""Warnings about calls that can be executed but are probably not what was meant."""

import sys
import warnings
from collections.abc import Iterable

import numpy as np

from fastgd.checks.numbers import FloatArray
from fastgd.formulas.custom import Function
from fastgd.formulas.named import unit_of

_PASSED = ("fastgd", "sklearn", "joblib")
"""Packages whose lines are not the caller's."""


class TrainingWarning(UserWarning):
    """The training can be done, but its result is probably not what was meant."""


def unreached(output: str | Function, y: FloatArray) -> list[int]:
    """Return the columns of y with targets outside the range of these output units."""
    low, high = unit_of(output).reach
    if low <= y.min() and y.max() <= high:
        return []
    return np.flatnonzero((y.min(axis=0) < low) | (y.max(axis=0) > high)).tolist()


def unreached_text(output: str | Function, names: str) -> str:
    """Return a sentence about these columns."""
    low, high = unit_of(output).reach
    return f"{names} has values outside {low:g} to {high:g}, which a {output} never reaches"


def warn_of_targets(outputs: Iterable[str | Function], y: FloatArray) -> None:
    """Warn about targets outside the range of the output units, for each kind of unit."""
    for output in sorted(set(outputs), key=str):
        columns = unreached(output, y)
        if columns:
            one = y.shape[1] == 1
            names = "y" if one else f"y[:, {columns[0] if len(columns) == 1 else columns}]"
            warn(f'{unreached_text(output, names)}: output="identity" would')


def warn(message: str, category: type[UserWarning] = TrainingWarning) -> None:
    """Warn, with the location of the calling line outside this package and scikit-learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
