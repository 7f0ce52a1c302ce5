"""What runs, sweeps and models have in common: a file, a digest, and equality to the last bit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.store import PathLike, bytes_of
from fastgd.training import codec
from fastgd.training.codec import JsonValues
from fastgd.training.stored_results import RESUMING, SOURCES, digest_of

_MEASURED = {*SOURCES, "scores", "notes"}
"""Values of headers that the training has found, not the caller given."""


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
        codec.save(self, path)

    def digest(self) -> str:
        """The SHA-256 of options and all results, in hexadecimal digits.

        It is the same on every machine, and of a file. Two results are equal (``==``) if their
        digests are. What only resuming needs, such as states, doesn't count: a run of a sweep
        equals that of :func:`fastgd.train`.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> sweep = fastgd.sweep(X, y, alpha=[1, 10], iterations=100)
        >>> run = fastgd.train(X, y, alpha=10, iterations=100)
        >>> sweep[1].digest() == run.digest(), sweep[1] == run, sweep[0] == run
        (True, True, False)
        """
        _, header, arrays = codec.content_of(self, RESUMING)
        shapes = {name: array.shape for name, array in arrays.items()}
        return digest_of(header | {"shapes": shapes}, arrays.items())

    def _header(self) -> JsonValues:
        """What is known of the result without its arrays."""
        return codec.content_of(self, RESUMING)[1]

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, SavedResult):
            return self is other or NotImplemented
        if getattr(self, "missing", 0) or getattr(other, "missing", 0):  # who knows?
            return False
        return hash(self) == hash(other) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(json.dumps(self._header()))


def assert_equal(a: SavedResult, b: SavedResult) -> None:
    """Raise an error that says where two results differ first, unless they are equal bit by bit.

    What was given is compared first (axes, options, columns), then the arrays, at last single
    numbers. NaN equals NaN. States, which only resuming needs, don't count.

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
    >>> run = fastgd.train(X, y, iterations=100, record_every=50)
    >>> fastgd.assert_equal(run, fastgd.train(X, y, iterations=100, record_every=50))
    >>> fastgd.assert_equal(run, fastgd.train(X, y, iterations=100, record_every=50, l2=0.1))
    Traceback (most recent call last):
    ...
    AssertionError: the results differ first in options.l2: None and 0.1
    """
    for result in (a, b):
        if not isinstance(result, SavedResult):
            rule = "assert_equal must get two of Run, Sweep, Model and GroupModels"
            raise TypeError(f"{rule}, got {shown(result)}")
    if a != b:
        first = next(_differences(_parts(a), _parts(b)), "runs that are missing")
        raise AssertionError(f"the results differ first in {first}")


def _parts(result: SavedResult) -> dict[str, Any]:
    """Arrays and values of a result by name, in the order in which they are compared."""
    kind, header, arrays = codec.content_of(result, RESUMING)
    values = {"kind": kind} | dict(_leaves("", header))
    for name, array in list(arrays.items()):
        if array.dtype.kind == "U" and array.shape == ():  # JSON, too
            values |= _leaves(name, json.loads(str(arrays.pop(name))))
    given = {name: own for name, own in values.items() if not _MEASURED & {*re.split(r"\W", name)}}
    return given | arrays | values


def _leaves(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The single values in JSON, with their places, such as axes.seed[1]."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(f"{place}.{name}" if place else name, item)
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from _leaves(f"{place}[{k}]", item)
    else:
        yield place, value


def _differences(a: dict[str, Any], b: dict[str, Any]) -> Iterator[str]:
    """Name what differs, with both values."""
    for name in a | b:
        pair = a.get(name), b.get(name)
        arrays = [own for own in pair if isinstance(own, np.ndarray)]
        texts = [f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else repr(x) for x in pair]
        if texts[0] != texts[1]:
            yield f"{name}: {texts[0]} and {texts[1]}"
        elif arrays:
            yield from _difference(name, *arrays)


def _difference(name: str, one: NDArray[Any], other: NDArray[Any]) -> Iterator[str]:
    """Say where two arrays of the same kind and shape differ first, and in how many places."""
    unequal = (bytes_of(one) != bytes_of(other)).reshape(-1, one.itemsize).any(axis=1)
    if unequal.any():
        index = [int(i) for i in np.unravel_index(unequal.argmax(), one.shape)]
        values = " and ".join(shown(array[tuple(index)]) for array in (one, other))
        yield f"{name}{index}: {values} ({unequal.sum():,} of {one.size:,} differ)"
