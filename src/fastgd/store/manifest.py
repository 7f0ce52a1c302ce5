"""What a folder of chunks says of itself: what was asked for, by whom, and in how many chunks."""

import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.store import BITS
from fastgd.store.chunk_file import plain
from fastgd.store.npz import Arrays, tuples

FORMAT = 1
"""Version of the folders that are written."""

MOST_CHUNKS = 10**8
"""Their numbers have eight digits."""

_NAMED = 3
"""How many differences a message names."""

_HASH, _DIGITS = 64, 8
"""Digits of a SHA-256, and how many of them a message shows."""

_CHECKSUM = "sha256"

_TYPES = {
    **dict.fromkeys(("format", "parts", "bits"), int),
    **dict.fromkeys(("kind", "id"), str),
    **dict.fromkeys(("versions", "asked", "shared", "facts"), dict),
}

_NOT_WHOLE = "must be a whole manifest that fastgd has written"


@dataclass(frozen=True)
class Manifest:
    """What a folder holds.

    Attributes
    ----------
    kind : str
        What it is: a sweep, a map, ...
    asked : dict
        All arguments that its numbers depend on and that JSON can hold, sequences as tuples.
    shared : dict
        Of each array that was an argument, and is shared by all chunks: a text with its shape and
        hash.
    chunk_count : int
        How many there are.
    facts : dict
        What follows from the arguments and is good to know, likewise.
    bits : int
        The bits policy that its numbers were computed under.
    versions : dict
        Of what made the folder; information only.
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
        """A hash of all that the chunks' numbers depend on."""
        question = {
            "format": FORMAT,
            "bits": self.bits,
            "kind": self.kind,
            "asked": self.asked,
            "shared": self.shared,
            "parts": self.chunk_count,
        }
        return sha256(_canonical(question)).hexdigest()

    def text(self) -> bytes:
        """Return the file: JSON with a checksum of itself."""
        content = {
            "format": FORMAT,
            "kind": self.kind,
            "parts": self.chunk_count,
            "bits": self.bits,
            "id": self.id,
            "versions": self.versions,
            "asked": self.asked,
            "shared": self.shared,
            "facts": self.facts,
        }
        whole = content | {_CHECKSUM: sha256(_canonical(content)).hexdigest()}
        return json.dumps(whole, indent=1).encode()

    def differences(self, wanted: "Manifest") -> str:
        """Return how this question differs from another one, the first few ways; or nothing."""
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
        If it would have too many chunks.

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
        shared={name: described(array) for name, array in arrays.items()},
        chunk_count=chunk_count,
        facts=_as_read(facts),
        bits=BITS,
        versions={name: version(name) for name in ("fastgd", "numba", "numpy")}
        | {"python": platform.python_version()},
    )


def parsed(text: bytes) -> Manifest:
    """Return the manifest that a file holds.

    Raises
    ------
    ValueError
        If it isn't as it was written, or has another format; the message lacks its subject.
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


def described(array: NDArray[Any]) -> str:
    """Type, shape and hash of an array."""
    values = plain(array)
    return f"{values.dtype} {values.shape} {sha256(values.tobytes()).hexdigest()}"


def _as_read(facts: dict[str, Any]) -> Any:
    """What comes back of facts that were written."""
    return tuples(json.loads(json.dumps(facts)))


def _canonical(facts: Any) -> bytes:
    """Facts as JSON without blanks: the same values, in the same order, are the same bytes."""
    return json.dumps(facts, separators=(",", ":")).encode()


def _short(shared: dict[str, str]) -> dict[str, str]:
    """Arrays with few digits of their hashes."""
    return {name: f"{text[:-_HASH]}{text[-_HASH:][:_DIGITS]}" for name, text in shared.items()}


def _differences(name: str, found: Any, wanted: Any) -> Iterator[str]:
    """What differs between two trees of values, leaf by leaf."""
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
