"""How messages show what came."""

import reprlib
import sys
from collections.abc import Iterable, Sized
from difflib import get_close_matches

import numpy as np

_SHOWN = 60
_repr = reprlib.Repr()
_repr.maxlong = _repr.maxstring = _repr.maxother = _SHOWN


def length(value: Sized) -> int:
    """Return the length, or the largest int that is one."""
    try:
        return len(value)
    except OverflowError:  # range(10**30)
        return sys.maxsize


def shown(value: object) -> str:
    """Return value's repr on one line of at most 60 characters."""
    plain = value.item() if isinstance(value, np.generic) else value
    try:
        text = " ".join(_repr.repr(plain).split())
    except Exception:  # an object's own __repr__ may raise anything, and a huge int's does
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def listed(words: Iterable[str]) -> str:
    """Return the words with commas and an "or" between them."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message: what is known and nearly the word, if anything is."""
    lower = {name.lower(): name for name in known if name != word}
    near = get_close_matches(word.lower(), lower, n=1)
    return f": did you mean {lower[near[0]]}?" if near else ""
