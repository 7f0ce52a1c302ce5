"""Folds of a cross-validation: which rows to train on, and which to test on."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.subsets import Groups, Integers, RowIndices, joined, ranges, rows_of
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, array_of, check_count, each_of, integer

Pair = tuple[Integers, Integers]

MOST_FOLDS = 100_000
"""The most folds that are read from an iterable, which may be infinite."""

_RULE = (
    "folds must be an int, a splitter such as scikit-learn's KFold, pairs of row numbers "
    "(train, test), or an array of booleans (folds, samples)"
)


def check_folds(
    value: object, X: FloatArray, y: FloatArray, groups: Groups
) -> tuple[RowIndices, RowIndices]:
    """Return the rows to train on and those to test on, for each (group, fold), ascending."""
    if isinstance(value, (str, bytes, dict)):
        raise TypeError(f"{_RULE}, got {shown(value)}")
    if integer(value) is not None:
        rows, held = _contiguous(check_count("folds", value, minimum=2), groups)
    elif hasattr(value, "split"):
        rows, held = _split(value, X, y, groups)
    elif hasattr(value, "__array__") and (array := array_of("folds", value)).dtype.kind == "b":
        rows, held = _cut(_of_booleans(array, len(X)), groups)
    elif isinstance(value, Iterable):
        rows, held = _cut(_pairs(value, len(X)), groups)
    else:
        raise TypeError(f"{_RULE}, got {shown(value)}")
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
    stretches = each + (np.arange(folds) < more)  # (groups, folds)
    ends = groups.rows.starts[:-1, None] + np.cumsum(stretches, axis=1)
    starts = ends - stretches
    first, last = groups.rows.starts[:-1, None], groups.rows.starts[1:, None]
    around = np.stack([starts - first, last - ends], axis=2)
    before = np.stack([np.broadcast_to(first, starts.shape), ends], axis=2)
    order = groups.rows.values
    return (
        rows_of(order[ranges(before.ravel(), around.ravel())], around.sum(axis=2).ravel()),
        rows_of(order[ranges(starts.ravel(), stretches.ravel())], stretches.ravel()),
    )


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
        raise TypeError(f"{rule}, got {shown(value)}; {_RULE}")
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
