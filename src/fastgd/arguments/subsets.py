"""The rows of a table that runs are trained and tested on: by group, by fold, by sample weights."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import length_hint
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import (
    FloatArray,
    array_of,
    check_count,
    check_memory,
    check_not_negative,
    check_sample_weight,
    check_shape,
    each_of,
    integer,
    numbers_of,
)

Integers = NDArray[np.int64]


class Splitter(Protocol):
    """What splits rows into folds, such as scikit-learn's KFold."""

    def split(self, X: Any, y: Any, /) -> Iterable[tuple[Any, Any]]:
        """Return pairs of row numbers, (train, test)."""


Splits = Splitter | Iterable[tuple[ArrayLike, ArrayLike]] | NDArray[np.bool_]
"""Folds: what splits, pairs of row numbers, or (folds, samples) booleans."""


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


class Subset(NamedTuple):
    """The rows of the runs of one subset of the table, with their sample weights."""

    rows: Integers  # (n,), ascending
    weight: FloatArray | None  # (n,)
    held: Integers | None  # (m,), ascending
    held_weight: FloatArray | None  # (m,)


@dataclass(frozen=True, eq=False)
class Partition:
    """The rows that the runs of a sweep are trained on and tested on, in subsets of the table.

    The subsets are in the order of the axes, the last axis fastest. Without an axis there is one
    subset, or the combinations of a sweep are divided among them: the first subset has as many as
    any other one.
    """

    axes: dict[str, list[Any]]  # "group", "fold" and "sample_weight", as far as they are axes
    rows: RowIndices  # for each (group, fold) the rows to train on
    held: RowIndices | None  # for each (group, fold) the rows to test on; None without folds
    weights: FloatArray | None  # (weightings, samples) sample weights; None if none were given
    hashes: tuple[dict[str, str], ...] = ()  # of the samples of each (group, fold), with states

    def __len__(self) -> int:
        return len(self.rows) * self.weightings

    @property
    def weightings(self) -> int:
        """The number of rows of sample weights."""
        return 1 if self.weights is None else len(self.weights)

    def of_combinations(self, places: Any, count: int) -> Any:
        """Return the subset that each of ``count`` combinations belongs to, at these places."""
        return places // (count // len(self))

    def named(self, part: int) -> str:
        """Return the name of a (group, fold) in a message."""
        names: list[str] = []
        for name in ("fold", "group"):
            if name in self.axes:
                part, place = divmod(part, len(self.axes[name]))
                names.insert(0, f"{name} {shown(self.axes[name][place])}")
        return ", ".join(names) or "all samples"

    def part(self, i: int) -> Subset:
        """Return the rows and weights of one subset."""
        cell, w = divmod(range(len(self))[i], self.weightings)
        rows, held = self.rows[cell], None if self.held is None else self.held[cell]
        if self.weights is None:
            return Subset(rows, None, held, None)
        weight = self.weights[w]
        return Subset(rows, weight[rows], held, None if held is None else weight[held])


# ---------------------------------------------------- groups of rows with the same label

_SORTABLE = ((str,), (bool, int, float))
_KINDS: dict[type, str] = {bool: "b", int: "iu", float: "f"}

_LABELS_RULE = "groups must be strings or numbers, one for each row of X, "


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
    coded: Any = getattr(value, "cat", value)
    if not hasattr(coded, "codes"):
        categories = None
    array = _labels(value) if categories is None else np.asarray(coded.codes)
    check_shape("groups", array, (samples,), "one label for each sample of X")
    if categories is not None:
        used, index = np.unique(array, return_inverse=True)
        return [None if code < 0 else categories[code] for code in used], index
    if array.dtype.kind in "biuf":
        numbers, index = np.unique(array, return_inverse=True)
        return numbers.tolist(), index
    # Finding distinct objects or strings with a dict takes a third of the time of sorting them.
    # tolist() would turn dates into integers.
    cells = list(array) if array.dtype.kind in "mM" else array.tolist()
    seen: dict[Any, int] = {}
    left = iter(cells)
    try:
        index = np.fromiter((seen.setdefault(label, len(seen)) for label in left), np.int64)
    except Exception as error:  # unhashable, or its __hash__ may raise anything
        at = len(cells) - length_hint(left) - 1
        raise TypeError(_LABELS_RULE + f"got {shown(cells[at])} at [{at}]") from error
    return list(seen), index


def _labels(value: object) -> NDArray[Any]:
    """Return the labels as an array, without converting any of them to another value."""
    if isinstance(value, np.ma.MaskedArray):
        objects = np.array(value, dtype=object)
        objects[np.ma.getmaskarray(value)] = None
        return objects
    rule = _LABELS_RULE + f"as a list, array or Series, got {shown(value)}"
    is_list = isinstance(value, (list, tuple))
    if isinstance(value, (str, bytes)) or not (is_list or hasattr(value, "__array__")):
        raise TypeError(rule)
    try:
        if not is_list:
            return np.asarray(value)
        # In a mixed list NumPy would turn 1 into "1" if there is a string, and large ints into
        # floats.
        values = cast(Sequence[Any], value)
        kinds = set(map(type, values))
        kind = kinds.pop() if len(kinds) == 1 else None
        if kind in _KINDS and (array := np.asarray(values)).dtype.kind in _KINDS[kind]:
            return array
        objects = np.empty(len(values), dtype=object)
        objects[:] = values
        return objects
    except Exception as error:  # an object's own __array__ or __len__ may raise anything
        raise TypeError(rule) from error


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
    kinds = [next((kind for kind in _SORTABLE if isinstance(one, kind)), None) for one in labels]
    if None in kinds:
        label, at = labels[kinds.index(None)], int(np.argmax(index == kinds.index(None)))
        raise TypeError(
            _LABELS_RULE + f"got {shown(label)} of type {type(label).__name__} at [{at}]: "
            "use groups.astype(str)"
        )
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


# ---------------------------------------------------- folds of a cross-validation

Pair = tuple[Integers, Integers]

MOST_FOLDS = 100_000
"""The most folds that are read from an iterable, which may be infinite."""

_FOLDS_RULE = (
    "folds must be an int, a splitter such as scikit-learn's KFold, pairs of row numbers "
    "(train, test), or an array of booleans (folds, samples)"
)


def check_folds(
    value: object, X: FloatArray, y: FloatArray, groups: Groups
) -> tuple[RowIndices, RowIndices]:
    """Return the rows to train on and those to test on, for each (group, fold), ascending."""
    if isinstance(value, (str, bytes, dict)):
        raise TypeError(f"{_FOLDS_RULE}, got {shown(value)}")
    if integer(value) is not None:
        rows, held = _contiguous(check_count("folds", value, minimum=2), groups)
    elif hasattr(value, "split"):
        rows, held = _split(value, X, y, groups)
    elif hasattr(value, "__array__") and (array := array_of("folds", value)).dtype.kind == "b":
        rows, held = _cut(_of_booleans(array, len(X)), groups)
    elif isinstance(value, Iterable):
        rows, held = _cut(_pairs(value, len(X)), groups)
    else:
        raise TypeError(f"{_FOLDS_RULE}, got {shown(value)}")
    for part, use in ((rows, "to train on"), (held, "to test on")):
        if not part.sizes.all():
            group, fold = divmod(int(part.sizes.argmin()), len(part) // len(groups.rows))
            raise ValueError(
                "folds must leave rows to train on and rows to test on, "
                f"got none {use} in fold {fold}{groups.named(group)}"
            )
    return rows, held


def _contiguous(folds: int, groups: Groups) -> tuple[RowIndices, RowIndices]:
    """Test on consecutive stretches of each group; the first ones may have one row more."""
    sizes = groups.rows.sizes
    if folds > sizes.min():
        smallest = int(sizes.argmin())
        samples = "of the rows" if groups.labels is None else f"of the rows{groups.named(smallest)}"
        raise ValueError(
            f"folds must be at most the number {samples} ({sizes[smallest]}), got {folds}"
        )
    check_memory(32 * folds * int(sizes.sum()), "the rows of the folds")
    each, more = np.divmod(sizes[:, None], folds)
    order = groups.rows.values
    held = rows_of(order, (each + (np.arange(folds) < more)).ravel())
    starts, ends = (held.starts[k:][: len(held)].reshape(-1, folds) for k in (0, 1))
    first, last = starts[:, :1], ends[:, -1:]
    before = np.stack(np.broadcast_arrays(first, ends), axis=2)
    around = np.stack([starts - first, last - ends], axis=2)  # rows before and after the stretch
    rows = order[ranges(before.ravel(), around.ravel())]
    return rows_of(rows, around.sum(axis=2).ravel()), held


def _split(
    splitter: Any, X: FloatArray, y: FloatArray, groups: Groups
) -> tuple[RowIndices, RowIndices]:
    """Let the splitter split each group separately."""
    targets = y[:, 0] if y.shape[1] == 1 else y
    train: list[Integers] = []
    test: list[Integers] = []
    count = 0
    for i, rows in enumerate(groups.rows):
        of_group = groups.named(i)
        try:
            found = list(splitter.split(X[rows], targets[rows]))
        except Exception as error:  # a splitter may raise anything
            raise ValueError(
                f"folds must be a splitter that can split the rows{of_group} by X and y alone, but "
                f"{shown(splitter)} raised {type(error).__name__}: {error}. If it needs labels, "
                "pass folds=splitter.split(X, y, labels)"
            ) from error
        pairs = _pairs(found, len(rows), of_group)
        if i and len(pairs) != count:
            raise ValueError(
                f"folds must split every group into the same number of folds, got {count}"
                f"{groups.named(0)} and {len(pairs)}{of_group}"
            )
        count = len(pairs)
        train += [rows[part] for part, _ in pairs]
        test += [rows[part] for _, part in pairs]
    return joined(train), joined(test)


def _cut(pairs: list[Pair], groups: Groups) -> tuple[RowIndices, RowIndices]:
    """Split the rows of each pair, which are of the whole table, by group."""
    total = sum(len(rows) for pair in pairs for rows in pair)
    check_memory(32 * total, "the rows of the folds")
    return _by_group([rows for rows, _ in pairs], groups), _by_group([t for _, t in pairs], groups)


def _by_group(folds: list[Integers], groups: Groups) -> RowIndices:
    """Return the rows for each (group, fold), ascending within a fold."""
    count = len(groups.rows)
    codes = [groups.codes[rows] for rows in folds]
    sizes = np.array([np.bincount(code, minlength=count) for code in codes])  # (folds, groups)
    values = np.concatenate(
        [rows[np.argsort(code, kind="stable")] for rows, code in zip(folds, codes, strict=True)]
    )
    starts = (np.cumsum(sizes) - sizes.ravel()).reshape(sizes.shape)
    return rows_of(values[ranges(starts.T.ravel(), sizes.T.ravel())], sizes.T.ravel())


def _of_booleans(held: NDArray[Any], samples: int) -> list[Pair]:
    if held.ndim != 2 or held.shape[1] != samples:
        raise ValueError(
            f"folds must have shape (folds, {samples}) as booleans, one for each sample of X, "
            f"got shape {held.shape}" + (": use folds.reshape(1, -1)" if held.ndim == 1 else "")
        )
    if not len(held):
        raise ValueError("folds must be at least one fold, got none")
    return [(np.flatnonzero(~row), np.flatnonzero(row)) for row in held]


def _pairs(folds: Iterable[Any], samples: int, of_group: str = "") -> list[Pair]:
    pairs: list[Pair] = []
    for k, pair in enumerate(_each(folds)):
        if k == MOST_FOLDS:
            raise ValueError(f"folds must be at most {MOST_FOLDS:,} folds, got more{of_group}")
        pairs.append(_pair(f"folds[{k}]{of_group}", pair, samples))
    if not pairs:
        raise ValueError(f"folds must be at least one fold, got none{of_group}")
    return pairs


def _each(folds: Iterable[Any]) -> Iterator[Any]:
    try:
        yield from folds
    except Exception as error:  # splitter.split(...) is a generator, which only starts here
        raise ValueError(
            "folds must be pairs of row numbers (train, test), but they raised "
            f"{type(error).__name__}: {error}"
        ) from error


def _pair(name: str, value: Any, samples: int) -> Pair:
    """Return the rows of one fold, ascending."""
    rule = f"{name} must be a pair of row numbers (train, test)"
    of_other_kind = isinstance(value, (str, bytes, dict)) or not hasattr(value, "__len__")
    parts = [] if of_other_kind else list(islice(each_of(value, rule), 3))
    if len(parts) != 2:
        raise TypeError(f"{rule}, got {shown(value)}; {_FOLDS_RULE}")
    train, test = (
        _numbers(name, use, part, samples)
        for use, part in zip(("to train on", "to test on"), parts, strict=True)
    )
    both = np.intersect1d(train, test, assume_unique=True)
    if len(both):
        raise ValueError(
            f"{name} must have each row once, got row {both[0]} both to train on and to test on"
        )
    return train, test


def _numbers(name: str, use: str, value: object, samples: int) -> Integers:
    try:
        array = np.asarray(value)
    except Exception as error:  # an object's own __array__ may raise anything
        raise TypeError(f"{name} must have row numbers {use}, got {shown(value)}") from error
    if array.ndim != 1:
        raise ValueError(f"{name} must have row numbers {use} in 1-D, got shape {array.shape}")
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must have whole row numbers {use}, got {shown(value)} (dtype {array.dtype})"
        )
    rows = np.sort(array)
    for end in (rows[0], rows[-1]):
        if not 0 <= end < samples:
            raise ValueError(
                f"{name} must have rows from 0 to {samples - 1} {use}, got {shown(end)}"
            )
    again = rows[1:] == rows[:-1]
    if again.any():
        raise ValueError(
            f"{name} must have each row once, got row {rows[int(again.argmax())]} twice {use}: "
            "use sample_weight to count a row several times"
        )
    return rows.astype(np.int64)


# ---------------------------------------------------- all of them together


def check_partition(
    X: FloatArray,
    y: FloatArray,
    *,
    groups: object = None,
    folds: object = None,
    sample_weight: object = None,
) -> Partition | None:
    """Return the subsets of a table by groups, folds and sample weights; None without such an axis.

    X and y are checked already. Sample weights are an axis if they are 2-D. In place of labels,
    groups may be the row indices of each, which may overlap; folds are then the row indices to test
    on. Such groups are no axis: each has combinations of its own.
    """
    weights, is_axis = _weights(sample_weight, len(X))
    if groups is None and folds is None and not is_axis:
        return None
    held = None
    axes: dict[str, list[Any]] = {}
    if isinstance(groups, RowIndices):
        rows, held = groups, cast(RowIndices | None, folds)
        grouped = Groups(list(range(len(rows))), np.empty(0, np.int64), rows)
    else:
        grouped = check_groups(groups, len(X))
        rows = grouped.rows
        if grouped.labels is not None:
            axes["group"] = grouped.labels
        if folds is not None:
            rows, held = check_folds(folds, X, y, grouped)
            axes["fold"] = list(range(len(rows) // len(grouped.rows)))
    if weights is not None:
        if is_axis:
            axes["sample_weight"] = list(range(len(weights)))
        for part, use in ((rows, "to train on"), (held, "to test on")):
            if part is not None:
                _check_sums(weights, is_axis, part, use, grouped, "fold" in axes)
    return Partition(axes, rows, held, weights)


def _weights(value: object, samples: int) -> tuple[FloatArray | None, bool]:
    """Return the weights as a 2-D array, and whether they are an axis."""
    if value is None:
        return None, False
    if array_of("sample_weight", value).ndim < 2:
        weight = check_sample_weight(value, samples)
        return None if weight is None else weight.reshape(1, -1), False
    weights = numbers_of("sample_weight", value)
    if weights.ndim != 2 or weights.shape[1] != samples:
        raise ValueError(
            f"sample_weight must have shape ({samples},), one for each sample of X, or "
            f"(weightings, {samples}) as an axis, got shape {weights.shape}"
        )
    check_not_negative("sample_weight", weights)
    return weights.copy(), True


def _check_sums(
    weights: FloatArray, is_axis: bool, rows: RowIndices, use: str, groups: Groups, with_folds: bool
) -> None:
    """Reject weights that are all 0 in a subset, or have a sum there that is not finite."""
    for w, weight in enumerate(weights):
        with np.errstate(over="ignore"):
            sums: NDArray[np.float64] = np.add.reduceat(weight[rows.values], rows.starts[:-1])
        wrong = ~((sums > 0) & (sums < np.inf))
        if wrong.any():
            at = int(wrong.argmax())
            group, fold = divmod(at, len(rows) // len(groups.rows))
            name = f"sample_weight[{w}]" if is_axis else "sample_weight"
            where = f" in fold {fold}" * with_folds + groups.named(group)
            raise ValueError(
                f"{name} must have a finite sum above 0 over the rows {use}, "
                f"got a sum of {sums[at]}{where}"
            )
