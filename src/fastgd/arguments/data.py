"""Checks of samples and networks, which are arrays of finite numbers."""

import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.checks.numbers import length

FloatArray = NDArray[np.float64]


class BatchNorm(NamedTuple):
    """Learned parameters of batch normalization in one hidden layer: (units,) arrays.

    In :meth:`fastgd.Run.predict` a unit's input z becomes
    ``scale * (z - mean) / sqrt(variance + 1e-5) + shift`` (Ioffe and Szegedy 2015, Algorithm 2).
    """

    scale: NDArray[Any]
    shift: NDArray[Any]
    mean: NDArray[Any]
    variance: NDArray[Any]


class NetworkParts(NamedTuple):
    """The parameters of a network by layer, or arrays with a number for each parameter."""

    weights: tuple[NDArray[Any], ...]  # (inputs, outputs)
    biases: tuple[NDArray[Any], ...] = ()  # (outputs,); empty for a network without biases
    normalization: tuple[BatchNorm, ...] = ()  # one per hidden layer, or none


@runtime_checkable
class WholeNetwork(Protocol):
    """A network with all its parameters: a Run, a Snapshot of ``run.at(k)``, or `NetworkParts`."""

    @property
    def weights(self) -> Sequence[Any]:
        """One (inputs, outputs) array per layer."""

    @property
    def biases(self) -> Sequence[Any]:
        """One (outputs,) array per layer; empty without biases."""

    @property
    def normalization(self) -> Sequence[Any]:
        """Scale, shift, mean and variance of each hidden layer; empty without batch norm."""


def is_network(value: object) -> TypeGuard[WholeNetwork]:
    """Whether this is a network with all its parameters, possibly as a named tuple."""
    return isinstance(value, WholeNetwork)


def check_data(X: object, y: object) -> tuple[FloatArray, FloatArray]:
    """Return X as (samples, inputs) and y as (samples, outputs), C-contiguous and writeable.

    They may be lists, arrays or data frames: anything that NumPy reads as real numbers. An array
    that already has the right form is not copied, so the caller's own array may be returned.
    """
    inputs = numbers_of("X", X)
    _check_two_dimensional(inputs, "X.reshape(-1, 1) for one input")
    outputs = numbers_of("y", y)
    if outputs.ndim == 1:
        outputs = outputs.reshape(-1, 1)
    if outputs.ndim != 2:
        raise ValueError(
            f"y must have shape (samples,) or (samples, outputs), got shape {outputs.shape}"
        )
    if len(inputs) != len(outputs):
        raise ValueError(
            f"X and y must have the same number of samples, got {len(inputs)} and {len(outputs)}"
        )
    return inputs, outputs


def check_inputs(X: object, inputs: int) -> FloatArray:
    """Return X as (samples, inputs), for a network with `inputs` inputs; see `check_data`."""
    array = numbers_of("X", X)
    one_sample = array.shape == (inputs,) and inputs > 1
    _check_two_dimensional(
        array, "X.reshape(1, -1) for one sample" if one_sample else "X.reshape(-1, 1) for one input"
    )
    if array.shape[1] != inputs:
        raise ValueError(
            f"X must have one column for each input of the network ({inputs}), "
            f"got shape {array.shape}"
        )
    return array


def check_weights(weights: object, inputs: int, outputs: int) -> tuple[FloatArray, ...]:
    """Return a copy of the weights, one (inputs, outputs) array per layer.

    The first layer must have `inputs` rows, each next layer as many rows as the previous one has
    columns, and the last layer `outputs` columns.
    """
    if not isinstance(weights, (list, tuple)):
        raise TypeError(
            "weights must be a list or tuple of one (inputs, outputs) array per layer, "
            f"got {shown(weights)}"
        )
    if not weights:
        raise ValueError(f"weights must have at least one layer, got {shown(weights)}")
    layers: list[FloatArray] = []
    rows, source = inputs, "input of X"
    for k, given in enumerate(weights):
        layer = numbers_of(f"weights[{k}]", given).copy()
        if layer.ndim != 2 or layer.shape[0] != rows:
            raise ValueError(
                f"weights[{k}] must have shape ({rows}, outputs), one row for each {source}, "
                f"got shape {layer.shape}"
            )
        layers.append(layer)
        rows, source = layer.shape[1], f"output of weights[{k}]"
    if rows != outputs:
        raise ValueError(
            f"weights[{len(layers) - 1}] must have one column for each output of y ({outputs}), "
            f"got shape {layers[-1].shape}"
        )
    return tuple(layers)


def check_sample_weight(
    value: object, samples: int, name: str = "sample_weight", of: str = "X"
) -> FloatArray | None:
    """Return a copy of the sample weights, (samples,), or None for None."""
    if value is None:
        return None
    weights = numbers_of(name, value).copy()
    if weights.shape != (samples,):
        raise ValueError(
            f"{name} must have shape ({samples},), one for each sample of {of}, "
            f"got shape {weights.shape}"
        )
    check_not_negative(name, weights)
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not 0 < total < np.inf:
        raise ValueError(f"{name} must have a finite sum above 0, got a sum of {total}")
    return weights


def check_not_negative(name: str, array: FloatArray) -> None:
    """Raise a ValueError if any number is below 0."""
    if array.min() < 0:
        at = [int(i) for i in np.unravel_index(int(array.argmin()), array.shape)]
        raise ValueError(f"{name} must be at least 0, got {array[tuple(at)]} at {at}")


def reals_of(name: str, value: object) -> FloatArray:
    """Return value as an array of numbers of any shape, not empty; they need not be finite."""
    array = array_of(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold real numbers, got {shown(value)} (dtype {array.dtype.name})"
        )
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    return array.astype(np.float64)


def check_vector(name: str, value: object, count: int) -> FloatArray:
    """Return value as (count,) float64 numbers, which need not be finite."""
    if type(value) is np.ndarray and value.dtype == np.float64 and value.shape == (count,):
        return value
    array = array_of(name, value)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must hold real numbers, got {shown(value)} (dtype {array.dtype.name})"
        )
    if array.shape != (count,):
        raise ValueError(
            f"{name} must have shape ({count},), one number for each parameter, "
            f"got shape {array.shape}"
        )
    return array.astype(np.float64)


def _check_two_dimensional(X: FloatArray, remedy: str) -> None:
    if X.ndim != 2:
        raise ValueError(
            f"X must have shape (samples, inputs), got shape {X.shape}"
            + (f": use {remedy}" if X.ndim == 1 else "")
        )


def numbers_of(name: str, value: object) -> FloatArray:
    """Return value as an array of finite numbers of any shape, not empty."""
    array = array_of(name, value)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if array.dtype.kind not in "biuf":
        came = _foreign_cell(value, array) or f"{shown(value)} (dtype {array.dtype.name})"
        raise TypeError(f"{name} must hold real numbers, got {came}")
    # Memory of a copy, if the numbers have another type, and of a boolean array for isfinite.
    check_memory((9 if array.dtype != np.float64 else 1) * array.size, name)
    result = _as_compiled(array)
    finite = np.isfinite(result)
    if not finite.all():
        at = [int(i) for i in np.unravel_index(int(finite.argmin()), finite.shape)]
        raise ValueError(f"{name} must be finite, got {result[tuple(at)]} at {at}")
    return result


def _as_compiled(array: NDArray[Any]) -> FloatArray:
    """Return the array as a C-contiguous, aligned, writeable float64 array.

    Compiled code should meet only this type of array. Data frames give read-only views, and
    structured arrays unaligned ones.
    """
    if type(array) is np.ndarray and array.dtype == np.float64 and array.flags.carray:
        return array
    with np.errstate(all="ignore"):
        return np.require(array, dtype=np.float64, requirements=["C", "A", "W"])


def _foreign_cell(value: object, array: NDArray[np.generic]) -> str:
    """Return the first cell of a data frame that is not a number, with its column and row."""
    columns = getattr(value, "columns", None)
    if columns is None or array.ndim != 2 or len(columns) != array.shape[1]:
        return ""
    for column, cells in zip(columns, array.T, strict=True):
        for row, cell in enumerate(cells):
            if not isinstance(cell, numbers.Real):
                return f"{shown(cell)} in column {shown(column)}, row {row}"
    return ""


def array_of(name: str, value: object) -> NDArray[np.generic]:
    """Return value as a NumPy array; raise if that would lose information."""
    if hasattr(value, "nnz") and hasattr(value, "toarray"):
        raise TypeError(
            f"{name} must be dense, got a sparse {type(value).__name__}: use {name}.toarray()"
        )
    if any(map(_is_masked, value if isinstance(value, (list, tuple)) else [value])):
        raise ValueError(f"{name} must have no masked values, got {shown(value)}")
    if isinstance(value, range):
        return _of_range(name, value)
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} must be numbers in rows of equal length, got {shown(value)}"
        ) from error
    except MemoryError as error:
        raise ValueError(f"{name} must fit into memory, got {shown(value)}") from error
    except Exception as error:  # an object's own __array__ may raise anything
        raise TypeError(f"{name} must be an array of numbers, got {shown(value)}") from error


def _of_range(name: str, value: range) -> NDArray[np.generic]:
    """Return a range as an array; NumPy would first make Python ints, six times as large."""
    count = length(value)
    if any(abs(number) >= 2**63 for number in (value.start, value.stop, value.step)):
        check_memory(48 * count, name)
        return np.asarray(value)
    check_memory(8 * count, name)
    numbers = np.arange(count, dtype=np.int64)
    numbers *= value.step
    numbers += value.start
    return numbers


def _is_masked(value: object) -> bool:
    # NumPy can't tell for structured arrays (kind V), which aren't numbers anyway.
    return (
        isinstance(value, np.ma.MaskedArray) and value.dtype.kind != "V" and np.ma.is_masked(value)
    )
