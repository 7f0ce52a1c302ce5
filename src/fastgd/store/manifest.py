"""The manifest of a folder: the arguments of the call, the versions, and the number of chunks."""

import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from fastgd.checks.messages import shown
from fastgd.store import BITS, Arrays, hashes_of
from fastgd.store.npz import tuples

FORMAT = 1
"""Version of the folder format that is written."""

MOST_CHUNKS = 10**8
"""The names of chunk files have eight digits."""

_NAMED = 3
"""How many differences an error message lists."""

_HASH, _DIGITS = 64, 8
"""Digits of a SHA-256, and how many of them an error message shows."""

_CHECKSUM = "sha256"

_TYPES = {
    "format": int,
    "kind": str,
    "parts": int,
    "bits": int,
    "id": str,
    "versions": dict,
    "asked": dict,
    "shared": dict,
    "facts": dict,
}
"""What the file has besides its checksum, in this order."""

_NOT_WHOLE = "must be a whole manifest that fastgd has written"


@dataclass(frozen=True)
class Manifest:
    """The description of a result in a folder.

    Attributes
    ----------
    kind : str
        What the result is: a sweep, a map, ...
    asked : dict
        All arguments that the result depends on and that JSON can hold; sequences are tuples.
    shared : dict
        For each array among the arguments, which all chunks share: a string with its dtype, shape
        and hash.
    chunk_count : int
        Number of chunks.
    facts : dict
        Useful values that follow from the arguments; sequences are tuples.
    bits : int
        The value of ``fastgd.store.BITS`` when the chunks were computed.
    versions : dict
        Versions of the software that created the folder; for information only.
    """

    kind: str
    asked: dict[str, Any]
    shared: dict[str, str]
    chunk_count: int
    facts: dict[str, Any]
    bits: int
    versions: dict[str, str]

    @cached_property
    def id(self) -> str:
        """Hash of all that the content of the chunks depends on."""
        names = ("bits", "kind", "asked", "shared")
        question = {"format": FORMAT} | {name: getattr(self, name) for name in names}
        return sha256(_canonical(question | {"parts": self.chunk_count})).hexdigest()

    def text(self) -> bytes:
        """Return the content of the file: JSON with its own checksum."""
        given = {"format": FORMAT, "parts": self.chunk_count}
        content = {name: given.get(name, getattr(self, name, None)) for name in _TYPES}
        whole = content | {_CHECKSUM: sha256(_canonical(content)).hexdigest()}
        return json.dumps(whole, indent=1).encode()

    def differences(self, wanted: "Manifest") -> str:
        """Return the first differences from another manifest; an empty string if there are none."""
        found = [
            *_differences("bits policy", self.bits, wanted.bits),
            *_differences("kind", self.kind, wanted.kind),
            *_differences("", self.asked, wanted.asked),
            *_differences("", _short(self.shared), _short(wanted.shared)),
            *_differences("chunks", self.chunk_count, wanted.chunk_count),
        ]
        return ", ".join(found[:_NAMED]) + (" and more" if len(found) > _NAMED else "")


def manifest_of(
    kind: str, asked: dict[str, Any], facts: dict[str, Any], arrays: Arrays, chunk_count: int
) -> Manifest:
    """Return the manifest of a new folder.

    Raises
    ------
    ValueError
        If there would be too many chunks.

    Examples
    --------
    >>> old = manifest_of("sweep", {"alpha": [0.1, 0.2], "seed": 1}, {}, {}, chunk_count=3)
    >>> new = manifest_of("sweep", {"alpha": [0.1, 0.4], "seed": 2}, {}, {}, chunk_count=3)
    >>> old.differences(new)
    'alpha[1] 0.2 instead of 0.4, seed 1 instead of 2'
    """
    if chunk_count > MOST_CHUNKS:
        raise ValueError(f"a folder must have at most {MOST_CHUNKS:,} chunks, got {chunk_count:,}")
    return Manifest(
        kind=kind,
        asked=_as_read(asked),
        shared=hashes_of(arrays),
        chunk_count=chunk_count,
        facts=_as_read(facts),
        bits=BITS,
        versions={name: version(name) for name in ("fastgd", "numba", "numpy")}
        | {"python": platform.python_version()},
    )


def parsed(text: bytes) -> Manifest:
    """Parse the content of a manifest file.

    Raises
    ------
    ValueError
        If it has changed since it was written, or has another format; the caller has to put the
        path in front of the message.
    """
    try:
        content = tuples(json.loads(text))
        found = content["format"]
        checksum = content.pop(_CHECKSUM)
        whole = (
            checksum == sha256(_canonical(content)).hexdigest()
            and {name: type(value) for name, value in content.items()} == _TYPES
            and 0 <= content["parts"] <= MOST_CHUNKS
            and all(isinstance(text, str) for text in content["shared"].values())
        )
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise ValueError(_NOT_WHOLE) from None
    if isinstance(found, int) and found != FORMAT:
        raise ValueError(f"must have format {FORMAT}, got format {found}")
    if not whole:
        raise ValueError(_NOT_WHOLE)
    del content["format"], content["id"]
    return Manifest(chunk_count=content.pop("parts"), **content)


def _as_read(facts: dict[str, Any]) -> Any:
    """The values after a round trip through JSON."""
    return tuples(json.loads(json.dumps(facts)))


def _canonical(facts: Any) -> bytes:
    """JSON without spaces: the same values in the same order give the same bytes."""
    return json.dumps(facts, separators=(",", ":")).encode()


def _short(shared: dict[str, str]) -> dict[str, str]:
    """The descriptions of arrays with shortened hashes."""
    return {name: f"{text[:-_HASH]}{text[-_HASH:][:_DIGITS]}" for name, text in shared.items()}


def _differences(name: str, found: Any, wanted: Any) -> Iterator[str]:
    """The differences between two trees of values, leaf by leaf."""
    if _canonical(found) == _canonical(wanted):
        return
    if isinstance(found, dict) and isinstance(wanted, dict):
        if set(found) == set(wanted) and list(found) != list(wanted):
            order, other = shown(tuple(found)), shown(tuple(wanted))
            yield f"{name or 'arguments'} in the order {order} instead of {other}"
        for key in wanted | found:
            inner = f"{name}.{key}" if name else key
            if key not in found:
                yield f"no {inner} instead of {shown(wanted[key])}"
            elif key not in wanted:
                yield f"{inner} {shown(found[key])} instead of none"
            else:
                yield from _differences(inner, found[key], wanted[key])
    elif isinstance(found, tuple) and isinstance(wanted, tuple) and len(found) == len(wanted):
        for i, pair in enumerate(zip(found, wanted, strict=True)):
            yield from _differences(f"{name}[{i}]", *pair)
    else:
        yield f"{name} {shown(found)} instead of {shown(wanted)}"
