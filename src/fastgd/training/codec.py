"""Saved results: a class declares its arrays and its other values once, in a table.

By that they are written, read and checked. Nobody can trust a file: an array must have the declared
kind and shape before it is read, and for each value of the header there is a function that checks
it like an argument of a call.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import check_count, check_path
from fastgd.formulas.expressions import UnknownNameError
from fastgd.store import Arrays, PathLike, npz
from fastgd.store.npz import Found

JsonValues = dict[str, Any]
"""Values that JSON can hold."""

Dimensions = Mapping[str, Any]
"""The lengths that the names in declarations stand for: a tuple, or a list with one per array."""

Savable = TypeVar("Savable", bound=type[Any])

Encode = Callable[[Any], tuple[JsonValues, Arrays]]
Decode = Callable[[JsonValues, Found], dict[str, Any]]

_CLASSES: dict[str, tuple[type[Any], Encode, Decode]] = {}
"""The classes that can be saved, by the name that files have of them, with what encodes and decodes
them."""

CHECKED_LATER = ""
"""For the kinds of an array that isn't read yet: its dtype and shape depend on what is."""

NEW: JsonValues = {"sample_hashes": None, "subset_hashes": ()}
"""Values that headers of version 0.2.0 don't have."""

_WORD = np.dtype("U32")
"""A dtype longer than any status."""


@dataclass(frozen=True)
class StoredArray:
    """The declaration of an array, of a named tuple of arrays, or of a tuple of either.

    Examples
    --------
    >>> weights = StoredArray("f", each="layers")
    >>> arrays = weights.encode("weights", (np.zeros((3, 4)), np.zeros((4, 1))))
    >>> list(arrays), len(weights.decode("weights", arrays, {"layers": [(3, 4), (4, 1)]}))
    (['weights_0', 'weights_1'], 2)
    """

    kinds: str
    """The kinds of its dtype: of "f", "i", and "U" for strings."""
    shape: str = ""
    """The names of its dimensions."""
    each: str = ""
    """The name of the last dimensions of each array, if it is a tuple with any number of them."""
    record: type[Any] | None = None
    """The class, if it is a named tuple."""
    name: str = ""
    """Its name in the file, with {} for the field of a named tuple; by default its name."""
    optional: bool = False

    def names(self, name: str, k: int) -> list[str]:
        """The names of the arrays of item k in the file."""
        base, end = self.name or name, f"_{k}" if self.each else ""
        fields = self.record._fields if self.record else ("",)
        return [base.format(field) + end for field in fields]

    def encode(self, name: str, value: Any) -> Arrays:
        """The arrays of a value, by name."""
        if value is None:
            return {}
        return {
            own: array
            for k, item in enumerate(value if self.each else (value,))
            for own, array in zip(
                self.names(name, k), item if self.record else (item,), strict=True
            )
        }

    def decode(self, name: str, arrays: Found, dimensions: Dimensions) -> Any:
        """Restore and check a value; None if it is optional and the file doesn't have it."""
        if self.optional and self.names(name, 0)[0] not in arrays:
            return None
        shape: tuple[int, ...] = sum((dimensions[own] for own in self.shape.split()), ())
        found = []
        for k, rest in enumerate(dimensions[self.each] if self.each else [()]):
            names, whole = self.names(name, k), (*shape, *rest)
            item = [
                array_of(arrays, own, self.kinds, whole) if self.kinds else arrays[own]
                for own in names
            ]
            found.append(self.record(*item) if self.record else item[0])
        return tuple(found) if self.each else found[0]


StoredField = StoredArray | Callable[[Any], Any]
"""The declaration of a field: that of arrays, or the check of a value in the header."""


def encode(fields: Mapping[str, StoredField], result: Any) -> tuple[JsonValues, Arrays]:
    """The fields of a result: values of the header, and arrays."""
    header, arrays = JsonValues(), Arrays()
    for name, field in fields.items():
        if isinstance(field, StoredArray):
            arrays |= field.encode(name, getattr(result, name))
        else:
            header[name] = getattr(result, name)
    return header, arrays


def decode(
    fields: Mapping[str, StoredField], header: JsonValues, arrays: Found, dimensions: Dimensions
) -> dict[str, Any]:
    """Restore and check the fields of a result."""
    return {
        name: field.decode(name, arrays, dimensions)
        if isinstance(field, StoredArray)
        else field(header[name])
        for name, field in fields.items()
    }


def array_of(arrays: Found, name: str, kinds: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Read an array, checked to have one of these kinds of dtype, and this shape."""
    array = arrays[name]
    need(array.dtype.kind in kinds and array.shape == shape)
    need(kinds != "U" or array.dtype.itemsize <= _WORD.itemsize)
    return np.asarray(array)


def text_of(arrays: Found, name: str) -> str:
    """Read a string of any length."""
    need(arrays[name].dtype.kind == "U" and arrays[name].shape == ())
    return str(np.asarray(arrays[name]))


def by_result(lead: str, arrays: Found) -> Mapping[str, Found]:
    """The arrays of each of several results in a file: by a pattern of what begins their names."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, array in arrays.items():
        if begins := re.match(lead, name):
            found[begins[0]][name[begins.end() :]] = array
    return found


def need(holds: bool) -> None:
    """Raise ValueError for the file unless this condition holds."""
    if not holds:
        raise ValueError("the file is not whole")


def number(value: Any) -> Any:
    """Check a number of the header."""
    need(isinstance(value, (int, float)) and not isinstance(value, bool))
    return value


def count(value: Any) -> int:
    """Check a number of updates."""
    return check_count("a count", value, minimum=0)


def text(value: Any) -> str:
    """Check a string of the header."""
    need(isinstance(value, str))
    return str(value)


def optional(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a check that also accepts None."""
    return lambda value: None if value is None else check(value)


def stored_by(encode: Encode, decode: Decode) -> Callable[[Savable], Savable]:
    """Register a class, so that it can be saved, and reading a file can create it.

    ``encode(result)`` returns a header, which JSON can hold, and arrays; ``decode(header, arrays)``
    returns the fields of the class, checked.
    """

    def register(kind: Savable) -> Savable:
        _CLASSES[kind.__name__] = kind, encode, decode
        return kind

    return register


def content_of(result: Any) -> tuple[str, JsonValues, Arrays]:
    """The name of a result's registered class, its header, and its arrays."""
    name = next(kind.__name__ for kind in type(result).__mro__ if kind.__name__ in _CLASSES)
    return name, *_CLASSES[name][1](result)


def load(path: PathLike) -> Any:
    """Load a result from a file that its method ``save`` wrote.

    Returns
    -------
    Run, Sweep or another class with a method ``save``

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError
        If ``path`` is not a path.
    ValueError
        If it is not a complete file that fastgd has saved, or if it doesn't fit into memory.

    Examples
    --------
    >>> import fastgd, tempfile
    >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], iterations=10)
    >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
    ...     sweep.save(file.name)
    ...     fastgd.load(file.name)[1].alpha
    2.0
    """
    path = check_path("path", path)
    if path.is_dir():
        raise ValueError(f"{path} must be a file, got a folder: fastgd.open reads a sweep in one")
    with npz.reading(path) as found:
        return decoded(path, *found)


def decoded(path: PathLike, name: str, header: JsonValues, arrays: Found) -> Any:
    """Restore a result of the class of this name from the content of a file."""
    try:
        kind, _, decode = _CLASSES[name]
        return kind(**decode(header, arrays))
    except UnknownNameError as error:
        raise ValueError(f"{path} must have functions that fastgd knows: {error}") from error
    except Exception as error:
        # Anyone may have written the header, so any line above may raise any error.
        raise npz.not_whole(path) from error
