"""Whether an argument of a sweep is an axis or a single value."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from math import prod
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.initial_network import is_network
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.checks.numbers import array_of, length
from fastgd.formulas.custom import Formula

MOST_NETWORKS = 10_000
"""The most combinations of the axes that change the network or its compiled code.

Each combination has a memory layout of its own. A new one may take seconds to compile, and another
network size takes about a millisecond to lay out.
"""

# Bytes per value of an axis kept as Python objects: 8 for its place in a list and about 32 for the
# value itself, both once as given and once as checked.
_AXIS_BYTES = 80

# Types that might be taken for an axis, but are a single value of the argument.
_SINGLE: dict[str, Any] = {
    "hidden_size": tuple,
    "alpha": tuple,
    "activation": (str, Formula),
    "output": (str, Formula),
    "loss": (str, Formula),
    "reduction": str,
    "init": (str, tuple),
}


def as_axis(name: str, value: object, most: int | None = None) -> list[object] | None:
    """Return the values along an axis of a sweep, unchecked, or None if value is a single one.

    A list, range or 1-D array (also a pandas Series) is an axis, and so is a 2-D array for `alpha`:
    its rows become tuples. A tuple or a string is a single value for arguments that may be one; for
    the others it raises, as does any other iterable. A 0-d array is a single value. `weights` are
    an axis if they are a list of networks, or of lists or tuples of 2-D arrays. `schedule` is an
    axis if it is a list of anything but numbers.

    An axis of more than `most` values raises before its values are listed.
    """
    if name == "weights":
        if isinstance(value, list) and value and _are_networks(value):
            return _listed(name, value, most)
        return None
    if name == "schedule" and not _are_schedules(value):
        return None
    if isinstance(value, (list, range)):
        return _listed(name, value, most)
    if isinstance(value, _SINGLE.get(name, ())):
        return None
    if hasattr(value, "__array__"):
        array = array_of(name, value)
        if array.ndim > (2 if name == "alpha" else 1):
            raise ValueError(f"an axis of {name} must be 1-D, got shape {array.shape}")
        if array.dtype.kind in "mM":  # tolist() would turn them into integers
            raise TypeError(
                f"an axis of {name} must hold no dates or times, got {shown(value)} "
                f"(dtype {array.dtype})"
            )
        return _listed(name, array, most) if array.ndim else None
    if isinstance(value, Iterable):
        raise TypeError(
            f"{name} must be one value, or a list, range or 1-D array of values as an axis, "
            f"got {shown(value)}"
        )
    return None


def check_axes(axes: Collection[str], *, weights_given: bool) -> None:
    """Reject axes that given weights leave without effect, be these one network or an axis."""
    for name in ("hidden_size", "seed"):
        if weights_given and name in axes:
            raise ValueError(
                f"{name} must not be an axis where weights are given, since they replace it, "
                "got both"
            )


def check_networks(axes: Mapping[str, Sized]) -> None:
    """Reject too many combinations of the axes that change the network, before they are made."""
    count = prod(map(len, axes.values()))
    if count > MOST_NETWORKS:
        names = [name for name, axis in axes.items() if len(axis) > 1]
        raise ValueError(
            f"the axes of networks must have at most {MOST_NETWORKS:,} combinations, "
            f"got {count:,} of {' x '.join(names)}"
        )


def check_distinct(axes: Mapping[str, Sequence[Any]]) -> None:
    """Reject an axis with a value that is there twice.

    Raises
    ------
    ValueError
        With the name of the axis and the value.
    """
    for name, axis in axes.items():
        values: Any = axis
        if axis and all(isinstance(value, (int, float)) for value in axis):
            values = np.sort(np.asarray(axis))
            values = values[np.append(values[1:] != values[:-1], True)]
        else:
            values = set(axis)
        if len(values) < len(axis):
            twice, _ = Counter(axis).most_common(1)[0]
            hint = ": the layers of one network are a tuple" if name == "hidden_size" else ""
            raise ValueError(
                f"an axis of {name} must have each value once, got {shown(twice)} twice{hint}"
            )


def _listed(
    name: str, axis: list[object] | range | NDArray[np.generic], most: int | None
) -> list[object]:
    count = axis.size if isinstance(axis, np.ndarray) else length(axis)
    if count == 0:
        raise ValueError(f"an axis of {name} must have at least one value, got {shown(axis)}")
    if most is not None and count > most:
        raise ValueError(f"an axis of {name} must have at most {most:,} values, got {count:,}")
    check_memory(_AXIS_BYTES * count, f"an axis of {name}")
    if not isinstance(axis, np.ndarray):
        return list(axis)
    if axis.ndim == 1:
        values: list[object] = axis.tolist()
        return values
    return list(zip(*axis.T.tolist(), strict=True))


def _are_schedules(value: object) -> bool:
    """Whether this is a list of schedules, not a list of the factors of one schedule."""
    return isinstance(value, list) and bool(value) and not isinstance(value[0], Real)


def _are_networks(value: list[object]) -> bool:
    return is_network(value[0]) or _nesting(value) > 3


def _nesting(value: object) -> int:
    """Return the number of dimensions along the first elements, with lists up to 4 levels deep."""
    depth = 0
    while isinstance(value, (list, tuple)) and value and depth < 4:
        depth += 1
        value = value[0]
    dimensions = getattr(value, "ndim", 0)
    return depth + (dimensions if isinstance(dimensions, int) else 0)
