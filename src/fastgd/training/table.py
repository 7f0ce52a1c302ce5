"""A sweep as a table with a row per run."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.declarations import FIELDED
from fastgd.formulas.custom import Formula
from fastgd.training.sweep_axes import COMBINATION, varied


def columns_of(
    axes: Mapping[str, list[Any]], measured: Mapping[str, NDArray[Any] | None]
) -> dict[str, list[Any]]:
    """Columns of the values on the axes, the last one fastest, and of the results."""
    known = {name: array for name, array in measured.items() if array is not None}
    return axis_columns(axes) | {name: array.ravel().tolist() for name, array in known.items()}


def axis_columns(axes: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Columns of the values on the axes alone."""
    columns: dict[str, list[Any]] = {}
    shape = tuple(map(len, axes.values()))
    places = np.indices(shape).reshape(len(axes), prod(shape))
    for place, (name, axis) in zip(places, axes.items(), strict=True):
        for column, cells in _cells(name, axis).items():
            columns[column] = [cells[i] for i in place]
    return columns


def _cells(name: str, axis: list[Any]) -> dict[str, list[Any]]:
    """The columns of an axis, with one cell per value."""
    if name == "weights":
        return {name: list(range(len(axis)))}
    if name == COMBINATION:
        return {name: list(range(len(axis)))} | varied({name: axis})
    if name not in FIELDED:
        return {name: [_text(one) if isinstance(one, Formula) else one for one in axis]}
    fields = dict.fromkeys(field for one in axis for field in one.hyperparameters)
    return {name: [type(one).__name__ for one in axis]} | {
        field: [getattr(one, field, np.nan) for one in axis] for field in fields
    }


def _text(formula: Formula) -> str:
    """A formula with the default values of its parameters."""
    return ", ".join([str(formula), *(f"{n}={value:g}" for n, value in formula.parameters.items())])
