"""What was measured during trainings, by name: as arrays, and as variables and columns of tables.

It is stored as one array, (..., measurements, layers, quantities).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.formulas.measures import name_of
from fastgd.training.sweep_axes import Variables, curve_columns


def measured(measurements: Any, method: Method) -> dict[str, Any]:
    """Return the array of each quantity, without an axis of layers if there is none."""
    if measurements is None:
        return {}
    whole = measurements if method.measure_layers else measurements[..., 0, :]
    return {name_of(one): whole[..., k] for k, one in enumerate(method.measure)}


def measured_at(
    measurements: Any, method: Method, recorded: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the iterations whose updates were measured."""
    if measurements is None:
        return recorded[:0]
    if method.measure_every is None:
        return recorded
    found: NDArray[np.int64] = np.arange(measurements.shape[-3]) * int(method.measure_every)
    return found


def measured_variables(axes: tuple[str, ...], measurements: Any, method: Method) -> Variables:
    """Return the quantities for xarray; ``axes`` are those in front."""
    ends = ("measured_at", "layer") if method.measure_layers else ("measured_at",)
    arrays = measured(measurements, method)
    return {name: ((*axes, *ends), array) for name, array in arrays.items()}


def with_measured(axes: Mapping[str, list[Any]], result: Any) -> dict[str, Any]:
    """Return the columns of `curve_columns`, and one of each quantity, or of each of its layers."""
    others, at = {}, result.measured_at
    for name, array in result.measured.items():
        if array.ndim == len(result.errors.shape):
            others[name] = at, array
            continue
        for k in range(array.shape[-1]):
            others[f"{name}_{k}"] = at, array[..., k]
    return curve_columns(axes, result, others)
