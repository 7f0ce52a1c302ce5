"""Save and restore the subsets of a table (groups, folds, sample weights) as arrays of a file."""

from collections.abc import Sequence
from math import isnan, prod
from typing import Any

import numpy as np

from fastgd.arguments.partition import Partition, RowIndices
from fastgd.store.npz import Arrays, Found
from fastgd.training.serialization import Facts, array_of, need
from fastgd.training.sweep_axes import PARTS


def put_partition(arrays: Arrays, partition: Partition | None) -> None:
    """Add the rows and weights; the axes are saved with those of the sweep."""
    if partition is None:
        return
    for name, rows in (("rows", partition.rows), ("held", partition.held)):
        if rows is not None:
            arrays |= {f"partition_{name}": rows.values, f"partition_{name}_starts": rows.starts}
    if partition.weights is not None:
        arrays["partition_weights"] = partition.weights


def take_partition(arrays: Found, axes: Facts) -> Partition | None:
    """Restore and check the subsets of a sweep with these axes."""
    found = {name: check_part_axis(name, axes[name]) for name in PARTS if name in axes}
    if "partition_rows" not in arrays:
        need(not found)
        return None
    parts = prod(len(axis) for name, axis in found.items() if name != "sample_weight")
    weights = None
    if "partition_weights" in arrays:
        shape = (len(found.get("sample_weight", [0])), *arrays["partition_weights"].shape[1:])
        weights = array_of(arrays, "partition_weights", "f", shape)
        need(weights.dtype == np.float64 and weights.ndim == 2)
        need(bool((np.isfinite(weights) & (weights >= 0)).all()))
    need("sample_weight" not in found or weights is not None)
    samples = None if weights is None else weights.shape[1]
    held = _rows(arrays, "held", parts, samples) if "partition_held" in arrays else None
    need("fold" not in found or held is not None)
    return Partition(found, _rows(arrays, "rows", parts, samples), held, weights)


def check_part_axis(name: str, axis: Sequence[Any]) -> list[Any]:
    """Check the values on an axis of samples: labels of groups, or indices of folds and weights."""
    values = list(axis)
    need(bool(values))
    if name != "group":
        need(name in PARTS and all(type(value) is int for value in values))
    elif not all(isinstance(value, str) for value in values):
        need(all(isinstance(value, (bool, int, float)) and not isnan(value) for value in values))
    return values


def _rows(arrays: Found, name: str, parts: int, samples: int | None) -> RowIndices:
    starts = array_of(arrays, f"partition_{name}_starts", "i", (parts + 1,))
    values = array_of(arrays, f"partition_{name}", "i", (int(starts[-1]),))
    need(starts[0] == 0 and bool((np.diff(starts) > 0).all()))
    need(values.min() >= 0 and (samples is None or values.max() < samples))
    return RowIndices(values, starts)
