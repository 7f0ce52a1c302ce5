"""What runs, sweeps and models have in common: a file, a digest, and equality to the last bit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_path
from fastgd.store import Arrays, PathLike, npz, plain
from fastgd.training import codec
from fastgd.training.codec import JsonValues
from fastgd.training.stored_results import SOURCES

_HASHES = ("sample_hashes", "subset_hashes")
"""Values of headers that only resuming needs, like arrays of states."""

_MEASURED = re.compile(rf"\b({'|'.join({*SOURCES, 'scores', 'notes'} - {'iterations'})})\b")
"""Names of values in headers that only the training has found."""


class SavedResult:
    """A result that can be saved, and that equals another one if all of its bits are the same.

    NaN equals NaN, but 0.0 is not -0.0.
    """

    __slots__ = ()

    def save(self, path: PathLike) -> None:
        """Write it to an ``.npz`` file that :func:`fastgd.load` reads, without executing code.

        Examples
        --------
        >>> import fastgd, tempfile
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], hidden_size=(), iterations=100)
        >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        ...     run.save(file.name)
        ...     fastgd.load(file.name) == run
        True
        """
        npz.write(check_path("path", path), *codec.content_of(self))

    def digest(self) -> str:
        """The SHA-256 of what was given (axes, options) and of all results, in hexadecimal digits.

        It is the same on every machine, and in memory, in a file and in a folder, however the runs
        were cut into chunks. Two results are equal (``==``) if their digests are. What only
        resuming needs, such as states, doesn't count: a run of a sweep equals that of
        :func:`fastgd.train`.

        Raises
        ------
        LookupError
            If runs of a sweep are missing. Such a sweep equals only itself.
        ValueError
            If a chunk of a folder is corrupt.

        Examples
        --------
        >>> import fastgd, tempfile
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> sweep = fastgd.sweep(X, y, alpha=[1, 10], iterations=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     there = fastgd.sweep(X, y, alpha=[1, 10], iterations=100, out=folder).digest()
        >>> run = fastgd.train(X, y, alpha=10, iterations=100)
        >>> sweep.digest() == there, sweep[1] == run, sweep[0] == run
        (True, True, False)
        """
        header, arrays = self._hashed()
        hashes: dict[str, Any] = {}
        for name, array in arrays:
            hashes.setdefault(name, sha256()).update(_bits(array))
        found = {name: whole.hexdigest() for name, whole in sorted(hashes.items())}
        return sha256(json.dumps([header, found]).encode()).hexdigest()

    def _hashed(self) -> tuple[JsonValues, Iterable[tuple[str, NDArray[Any]]]]:
        """A header, and arrays with their names; those of the same name are hashed as one."""
        header, arrays = _compared(self)
        shapes = {name: f"{array.dtype.str} {array.shape}" for name, array in arrays.items()}
        return header | {"shapes": shapes}, arrays.items()

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, SavedResult):
            return self is other or NotImplemented
        if any(getattr(one, "missing", 0) for one in (self, other)):
            return False
        return hash(self) == hash(other) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(json.dumps(self._hashed()[0]))


def assert_equal(a: SavedResult, b: SavedResult) -> None:
    """Raise an error that says where two results differ first, unless they are equal bit by bit.

    What was given is compared first (axes, options, columns), then arrays, then single numbers.

    Parameters
    ----------
    a, b : Run, Sweep, Model or GroupModels
        A sweep in a folder is read into memory if it differs.

    Raises
    ------
    AssertionError
        With the name and index of the first difference, both values, and how many differ there.
    TypeError
        If one of them is something else.

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, iterations=100)
    >>> fastgd.assert_equal(run, fastgd.sweep(X, y, seed=[1, 2], iterations=100)[0])
    >>> fastgd.assert_equal(run, fastgd.train(X, y, iterations=100, l2=0.1))
    Traceback (most recent call last):
    ...
    AssertionError: the results differ first in options['l2']: None and 0.1
    """
    for result in (a, b):
        if not isinstance(result, SavedResult):
            rule = "assert_equal must get two of Run, Sweep, Model and GroupModels"
            raise TypeError(f"{rule}, got {shown(result)}")
    if a != b:
        one, other = _values(a), _values(b)
        known = one | other
        for name in sorted(known, key=lambda name: _rank(name, known[name])):
            if found := _difference(one.get(name), other.get(name)):
                shown_as = re.sub(r"_(\d+)$", r"[\1]", name)  # weights_1 is weights[1]
                raise AssertionError(f"the results differ first in {shown_as}{found}")
        raise AssertionError("the results differ first in runs that are missing")


def _compared(result: SavedResult) -> tuple[JsonValues, Arrays]:
    """Header and arrays of a result, without what only resuming needs."""
    kind, header, arrays = codec.content_of(result)
    known: JsonValues = json.loads(
        json.dumps({"kind": kind} | header),
        object_hook=lambda part: {name: part[name] for name in part if name not in _HASHES},
    )
    return known, {name: plain(one) for name, one in arrays.items() if "state_" not in name}


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    """The array without a meaning: NaN equals NaN, and 0.0 is not -0.0; strings stay."""
    array = plain(array)
    return array if array.dtype.kind == "U" else array.view(f"V{array.itemsize}")


def _values(result: SavedResult) -> dict[str, Any]:
    """Arrays and single values of a result by their names, such as axes['seed'][1]."""
    header, arrays = _compared(result)
    texts = {n: json.loads(str(x)) for n, x in arrays.items() if x.dtype.kind == "U" and not x.ndim}
    return dict(_leaves("", {"kind": header["kind"]} | arrays | texts | header))


def _leaves(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, (dict, list)):
        yield place, value
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(f"{place}[{key!r}]" if place else str(key), item)


def _rank(name: str, value: Any) -> int:
    """0 for what was given, 1 for arrays of results, 2 for single results."""
    if isinstance(value, np.ndarray):
        return 0 if re.search(r"(sample_weight|factors_\d+)$", name) else 1  # among options
    return 2 if _MEASURED.search(name) else 0


def _difference(one: Any, other: Any) -> str:
    """How two values differ, in arrays after the index where they do first; "" if they don't."""
    texts = [
        f"{x.dtype.type.__name__} {x.shape}" if isinstance(x, np.ndarray) else repr(x)
        for x in (one, other)
    ]
    if texts[0] != texts[1]:
        return f": {texts[0]} and {texts[1]}"
    if not isinstance(one, np.ndarray):
        return ""
    unequal = np.argwhere(_bits(one) != _bits(other))
    for index in map(tuple, unequal[:1]):
        values = f"{shown(one[index])} and {shown(other[index])}"
        return f"{[*map(int, index)]}: {values} ({len(unequal):,} of {one.size:,} differ)"
    return ""
