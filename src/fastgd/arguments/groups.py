"""Subsets of a table's rows, and the groups of rows that have the same label."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowIndices:
    """Row numbers of many subsets of a table, concatenated."""

    values: Integers  # (total,)
    starts: Integers  # (subsets + 1,)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i: int) -> Integers:
        i = range(len(self))[i]
        return self.values[self.starts[i] : self.starts[i + 1]]

    def __iter__(self) -> Iterator[Integers]:
        return map(self.__getitem__, range(len(self)))

    @property
    def sizes(self) -> Integers:
        """The number of rows of each subset, (subsets,)."""
        return np.diff(self.starts)


def rows_of(values: Integers, sizes: Integers) -> RowIndices:
    """Split values into subsets of these sizes."""
    return RowIndices(values, np.append(0, np.cumsum(sizes, dtype=np.int64)))


def joined(parts: Sequence[Integers]) -> RowIndices:
    """Concatenate subsets."""
    return rows_of(np.concatenate(parts), np.array([len(part) for part in parts]))


def ranges(starts: Integers, sizes: Integers) -> Integers:
    """Return start, start + 1, ..., start + size - 1 for each start and size, concatenated."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(sizes.sum())


_SORTABLE = ((str,), (bool, int, float))
_KINDS: dict[type, str] = {bool: "b", int: "iu", float: "f"}


class Groups(NamedTuple):
    """The rows of a table by group."""

    labels: list[Any] | None  # (groups,), sorted; None if none were given: one group
    codes: Integers  # (samples,): the group of each row
    rows: RowIndices  # (groups,): the rows of each group, ascending

    def named(self, group: int) -> str:
        """Return the end of a message about one group: which it is."""
        return "" if self.labels is None else f" of group {shown(self.labels[group])}"


def check_groups(value: object, samples: int) -> Groups:
    """Return the groups of rows with equal labels; without labels all rows are one group.

    The labels, one for each row, are strings or numbers in a list, tuple, array, pandas Series or
    pandas Categorical.
    """
    if value is None:
        codes = np.zeros(samples, np.int64)
        return Groups(None, codes, rows_of(np.arange(samples), np.array([samples])))
    found, index = _factorized(value, samples)
    labels = _checked(found, index)
    order = sorted(range(len(labels)), key=labels.__getitem__)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    codes = place[index]
    sizes = np.bincount(codes, minlength=len(order))
    rows = rows_of(np.argsort(codes, kind="stable"), sizes)
    return Groups([labels[i] for i in order], codes, rows)


def _factorized(value: object, samples: int) -> tuple[list[Any], Integers]:
    """Return the distinct labels in any order, and for each row the index of its label."""
    categories = getattr(getattr(value, "dtype", None), "categories", None)
    coded = getattr(value, "cat", value)
    if categories is not None and hasattr(coded, "codes"):
        codes = np.asarray(coded.codes)
        _check_shape(codes, samples)
        used, index = np.unique(codes, return_inverse=True)
        return [None if code < 0 else categories[code] for code in used], index
    array = _labels(value)
    _check_shape(array, samples)
    if array.dtype.kind in "biuf":
        numbers, index = np.unique(array, return_inverse=True)
        return numbers.tolist(), index
    # Finding distinct objects or strings with a dict takes a third of the time of sorting them.
    # tolist() would turn dates into integers.
    cells = list(array) if array.dtype.kind in "mM" else array.tolist()
    seen: dict[Any, int] = {}
    try:
        index = np.fromiter((seen.setdefault(label, len(seen)) for label in cells), np.int64)
    except Exception as error:  # unhashable, or its __hash__ may raise anything
        at = next(i for i, label in enumerate(cells) if not _is_hashable(label))
        raise TypeError(_RULE + f"got {shown(cells[at])} at [{at}]") from error
    return list(seen), index


_RULE = "groups must be strings or numbers, one for each row of X, "


def _labels(value: object) -> NDArray[Any]:
    """Return the labels as an array, without converting any of them to another value."""
    if isinstance(value, np.ma.MaskedArray):
        objects = np.array(value, dtype=object)
        objects[np.ma.getmaskarray(value)] = None
        return objects
    rule = _RULE + f"as a list, array or Series, got {shown(value)}"
    is_list = isinstance(value, (list, tuple))
    if isinstance(value, (str, bytes)) or not (is_list or hasattr(value, "__array__")):
        raise TypeError(rule)
    try:
        return _of_list(cast(Sequence[Any], value)) if is_list else np.asarray(value)
    except Exception as error:  # an object's own __array__ or __len__ may raise anything
        raise TypeError(rule) from error


def _of_list(value: Sequence[Any]) -> NDArray[Any]:
    # In a mixed list NumPy would turn 1 into "1" if there is a string, and large ints into floats.
    kinds = set(map(type, value))
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind in _KINDS and (array := np.asarray(value)).dtype.kind in _KINDS[kind]:
        return array
    objects = np.empty(len(value), dtype=object)
    objects[:] = value
    return objects


def _check_shape(array: NDArray[Any], samples: int) -> None:
    if array.shape != (samples,):
        raise ValueError(
            f"groups must have shape ({samples},), one label for each sample of X, "
            f"got shape {array.shape}"
        )


def _checked(found: Sequence[Any], index: Integers) -> list[Any]:
    """Return the distinct labels as Python objects: none missing, all strings or all numbers."""
    for code, label in enumerate(found):
        if _is_missing(label):
            at = int(np.argmax(index == code))
            raise ValueError(f"groups must have no missing labels, got {shown(label)} at [{at}]")
    labels = [
        label.item() if isinstance(label, np.generic) and label.dtype.kind in "biufU" else label
        for label in found
    ]
    for code, label in enumerate(labels):
        if not isinstance(label, sum(_SORTABLE, ())):
            at = int(np.argmax(index == code))
            raise TypeError(
                _RULE + f"got {shown(label)} of type {type(label).__name__} at [{at}]: "
                "use groups.astype(str)"
            )
    kinds = [next(kind for kind in _SORTABLE if isinstance(label, kind)) for label in labels]
    for kind, label in zip(kinds, labels, strict=True):
        if kind is not kinds[0]:
            raise TypeError(
                "groups must be all strings or all numbers, so that they can be sorted, "
                f"got {shown(labels[0])} and {shown(label)}"
            )
    return labels


def _is_missing(label: Any) -> bool:
    if label is None:
        return True
    try:
        return bool(label != label)  # NaN and NaT
    except Exception:  # pandas' NA has no truth value, nor has an array
        return type(label).__name__ == "NAType"


def _is_hashable(label: object) -> bool:
    try:
        hash(label)
    except Exception:
        return False
    return True
