"""Everything that can be wrong with the input, found before anything is allocated.

A value of the wrong kind is a `TypeError`, a value out of range a `ValueError`; every message
states the rule, then what came. No function here changes what it is given.
"""

import math
import numbers
import operator
import reprlib
import sys
from collections.abc import Collection, Iterable, Sized
from typing import SupportsIndex, cast

import numpy as np
from numpy.typing import NDArray

from fastgd.memory import check_memory

FloatArray = NDArray[np.float64]

#: The largest count: twice as much still fits into an int64.
LARGEST = 2**62

#: What `hidden_size` is where the caller says nothing; given weights overrule it.
DEFAULT_HIDDEN_SIZE = (4,)

# Bytes per value of an axis kept as Python objects: 8 for its place in a list and about 32 for
# itself, as given and once more as checked.
_AXIS_BYTES = 80

_SHOWN = 60
_repr = reprlib.Repr()
_repr.maxlong = _repr.maxstring = _repr.maxother = _SHOWN


# ---- data


def check_data(X: object, y: object) -> tuple[FloatArray, FloatArray]:
    """Return X as (samples, inputs) and y as (samples, outputs), C-contiguous and writeable.

    They may be lists, arrays, data frames: whatever NumPy reads as real numbers. What has the
    right form already is not copied, so the caller's own array may come back.
    """
    inputs = _numbers("X", X)
    _check_two_dimensional(inputs, "X.reshape(-1, 1) for one input")
    outputs = _numbers("y", y)
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
    """Return X as (samples, inputs), for a network with that many inputs; else as `check_data`."""
    array = _numbers("X", X)
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

    The first layer takes `inputs` values, each next one as many as the one before gives, and the
    last gives `outputs`.
    """
    if not isinstance(weights, (list, tuple)):
        raise TypeError(
            "weights must be a list or tuple of one (inputs, outputs) array per layer, "
            f"got {_shown(weights)}"
        )
    if not weights:
        raise ValueError(f"weights must have at least one layer, got {_shown(weights)}")
    layers: list[FloatArray] = []
    rows, source = inputs, "input of X"
    for k, given in enumerate(weights):
        layer = _numbers(f"weights[{k}]", given).copy()
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


def _check_two_dimensional(X: FloatArray, remedy: str) -> None:
    if X.ndim != 2:
        raise ValueError(
            f"X must have shape (samples, inputs), got shape {X.shape}"
            + (f": use {remedy}" if X.ndim == 1 else "")
        )


def _numbers(name: str, value: object) -> FloatArray:
    """Return value as an array of finite numbers, of any shape but not empty."""
    array = _array(name, value)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold real numbers, got {_shown(value)} (dtype {array.dtype.name})"
        )
    with np.errstate(all="ignore"):
        # Compiled code should meet one type of array only, while data frames give read-only
        # views and structured arrays unaligned ones.
        result = np.require(array, dtype=np.float64, requirements=["C", "A", "W"])
    finite = np.isfinite(result)
    if not finite.all():
        at = [int(i) for i in np.unravel_index(int(finite.argmin()), finite.shape)]
        raise ValueError(f"{name} must be finite, got {result[tuple(at)]} at {at}")
    return result


def _array(name: str, value: object) -> NDArray[np.generic]:
    """Return what NumPy makes of value, unless something would get lost on the way."""
    if hasattr(value, "nnz") and hasattr(value, "toarray"):
        raise TypeError(
            f"{name} must be dense, got a sparse {type(value).__name__}: use {name}.toarray()"
        )
    if any(map(_is_masked, value if isinstance(value, (list, tuple)) else [value])):
        raise ValueError(f"{name} must have no masked values, got {_shown(value)}")
    if isinstance(value, range):
        check_memory(8 * _length(value), name)
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} must be numbers in rows of equal length, got {_shown(value)}"
        ) from error
    except MemoryError as error:
        raise ValueError(f"{name} must fit into memory, got {_shown(value)}") from error
    except Exception as error:  # an object's own __array__ may raise anything
        raise TypeError(f"{name} must be an array of numbers, got {_shown(value)}") from error


def _is_masked(value: object) -> bool:
    # Of records (kind V), which are no numbers anyway, NumPy can't tell.
    return (
        isinstance(value, np.ma.MaskedArray) and value.dtype.kind != "V" and np.ma.is_masked(value)
    )


# ---- settings


def check_start(
    hidden_size: object, weights: object, inputs: int, outputs: int
) -> tuple[tuple[int, ...], tuple[FloatArray, ...] | None]:
    """Return the hidden sizes and the given weights, if any; these then decide the sizes."""
    sizes = check_hidden_size(hidden_size)
    if weights is None:
        return sizes, None
    layers = check_weights(weights, inputs, outputs)
    found = tuple(layer.shape[1] for layer in layers[:-1])
    if sizes not in (found, DEFAULT_HIDDEN_SIZE):
        raise ValueError(
            f"hidden_size must be left out or that of the weights, {_shown(found)}, "
            f"got {_shown(hidden_size)}"
        )
    return found, layers


def check_hidden_size(value: object) -> tuple[int, ...]:
    """Return the sizes of the hidden layers: an int means one layer, `()` none."""
    if isinstance(value, tuple):
        return tuple(check_count(f"hidden_size[{k}]", size) for k, size in enumerate(value))
    if _integer(value) is None:
        raise TypeError(
            f"hidden_size must be an int or a tuple with one per hidden layer, got {_shown(value)}"
        )
    return (check_count("hidden_size", value),)


def check_alpha(value: object, layers: int) -> tuple[float, ...]:
    """Return one alpha for each layer of weights: a single number serves all of them."""
    if not isinstance(value, tuple):
        return (_rate("alpha", value),) * layers
    if len(value) != layers:
        raise ValueError(
            f"alpha must be a number or a tuple with one per layer of weights ({layers}), "
            f"got {_shown(value)}"
        )
    return tuple(_rate(f"alpha[{k}]", rate) for k, rate in enumerate(value))


def check_count(name: str, value: object, minimum: int = 1, maximum: int = LARGEST) -> int:
    """Return value as an int from minimum to maximum.

    True is no count, and neither is 3.0: a large count that went through a float has lost its
    last digits.
    """
    count = _integer(value)
    if count is None:
        raise TypeError(f"{name} must be an int, got {_shown(value)}")
    if count < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {_shown(value)}")
    if count > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {_shown(value)}")
    return count


def check_seed(value: object) -> int:
    """Return value as a seed of `numpy.random.RandomState`: an int in [0, 2**32)."""
    return check_count("seed", value, minimum=0, maximum=2**32 - 1)


def check_threads(value: object, available: int) -> int:
    """Return how many threads to use, an int from 1 to `available`; None means all of them."""
    return available if value is None else check_count("threads", value, maximum=available)


def check_flag(name: str, value: object) -> bool:
    """Return value as a bool, if it is Python's or NumPy's."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {_shown(value)}")
    return bool(value)


def _integer(value: object) -> int | None:
    """Return value as an int, or None if it is of another kind."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(cast(SupportsIndex, value))
    except Exception:  # an object's own __index__ may raise anything
        return None


def _rate(name: str, value: object) -> float:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name} must be a number or a tuple with one per layer of weights, got {_shown(value)}"
        )
    try:
        with np.errstate(all="ignore"):
            rate = float(value)
    except OverflowError:
        rate = math.inf
    if not 0.0 < rate < math.inf:
        raise ValueError(f"{name} must be a finite number above 0, got {_shown(value)}")
    return rate


# ---- axes of a sweep


def as_axis(name: str, value: object) -> list[object] | None:
    """Return the values along an axis of a sweep, unchecked, or None if value is a single one.

    A list, range or 1-D array (a pandas Series, too) is an axis, and so is a 2-D array for
    `alpha`: its rows become tuples. A tuple is a single value, but no seed; so is a 0-d array.
    `weights` are an axis if they are a list of lists or tuples of 2-D arrays.
    """
    if name == "weights":
        return _listed(name, value) if isinstance(value, list) and _nesting(value) > 3 else None
    if isinstance(value, (list, range)):
        return _listed(name, value)
    if isinstance(value, tuple) and name in ("hidden_size", "alpha"):
        return None
    if hasattr(value, "__array__"):
        array = _array(name, value)
        if array.ndim > (2 if name == "alpha" else 1):
            raise ValueError(f"an axis of {name} must be 1-D, got shape {array.shape}")
        return _listed(name, array) if array.ndim else None
    if isinstance(value, Iterable):
        raise TypeError(
            f"{name} must be one value, or a list, range or 1-D array of values as an axis, "
            f"got {_shown(value)}"
        )
    return None


def check_axes(axes: Collection[str], *, weights_given: bool) -> None:
    """Refuse axes that have no effect beside given weights, be these one set or an axis."""
    for name in ("hidden_size", "seed"):
        if weights_given and name in axes:
            raise ValueError(
                f"{name} must not be an axis where weights are given, since they replace it, "
                "got both"
            )


def _listed(name: str, axis: list[object] | range | NDArray[np.generic]) -> list[object]:
    length = _length(axis)
    if length == 0:
        raise ValueError(f"an axis of {name} must have at least one value, got {_shown(axis)}")
    check_memory(_AXIS_BYTES * length, f"an axis of {name}")
    if not isinstance(axis, np.ndarray):
        return list(axis)
    values: list[object] = axis.tolist()
    return values if axis.ndim == 1 else [tuple(row) for row in axis.tolist()]


def _nesting(value: object) -> int:
    """Return how many indices lead to a number along the first elements, lists up to 4 deep."""
    depth = 0
    while isinstance(value, (list, tuple)) and value and depth < 4:
        depth += 1
        value = value[0]
    dimensions = getattr(value, "ndim", 0)
    return depth + (dimensions if isinstance(dimensions, int) else 0)


# ---- words


def _length(value: Sized) -> int:
    try:
        return len(value)
    except OverflowError:  # range(10**30)
        return sys.maxsize


def _shown(value: object) -> str:
    """Return value's repr on one line of at most 60 characters."""
    plain = value.item() if isinstance(value, np.generic) else value
    try:
        text = " ".join(_repr.repr(plain).split())
    except Exception:  # an object's own __repr__ may raise anything, and a huge int's does
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
