"""What runs, sweeps and models have in common: a file, a digest, and equality to the last bit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import numpy as np

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
        first = next(_differences(_parts(a), _parts(b)), "runs that are missing")
        raise AssertionError(f"the results differ first in {first}")


def _parts(result: SavedResult) -> dict[tuple[int, str], Any]:
    """Arrays and single values of a result, by their rank in the comparison and their name."""
    kind, header, arrays = codec.content_of(result, RESUMING)
    texts = {n: json.loads(str(x)) for n, x in arrays.items() if x.dtype.kind == "U" and not x.ndim}
    values = dict(_leaves("", {"kind": kind} | header | texts))
    ranks = {name: 2 if _MEASURED & {*re.findall(r"\w+", name)} else 0 for name in values}
    return {(ranks[n], n): x for n, x in values.items()} | {(1, n): x for n, x in arrays.items()}


def _leaves(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The single values in JSON with their places, such as axes['seed'][1]."""
    if not isinstance(value, (dict, list, tuple)):
        yield place, value
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(f"{place}[{key!r}]" if place else str(key), item)


def _differences(a: dict[tuple[int, str], Any], b: dict[tuple[int, str], Any]) -> Iterator[str]:
    for rank, name in sorted(a | b, key=itemgetter(0)):
        pair: tuple[Any, Any] = a.get((rank, name)), b.get((rank, name))
        texts = [f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else repr(x) for x in pair]
        if texts[0] != texts[1]:
            yield f"{name}: {texts[0]} and {texts[1]}"
        elif rank == 1:
            one, other = map(bytes_of, pair)
            unequal = (one != other).reshape(-1, pair[0].itemsize).any(axis=1)
            for first in np.flatnonzero(unequal)[:1]:
                index = [int(i) for i in np.unravel_index(first, pair[0].shape)]
                values = " and ".join(shown(array[tuple(index)]) for array in pair)
                yield f"{name}{index}: {values} ({unequal.sum():,} of {unequal.size:,} differ)"
