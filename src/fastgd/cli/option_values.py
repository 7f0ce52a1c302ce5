"""Values of options: read from what was typed, by all commands alike."""

import sys
from collections.abc import Callable
from typing import TypeVar

from fastgd.checks.messages import shown
from fastgd.cli.errors import RefusedError

T = TypeVar("T")


def read_one(flag: str, text: str, read: Callable[[str], T], rule: str) -> T:
    """Read one value; the rule says in a message what it must be."""
    try:
        return read(text)
    except ValueError as error:
        raise RefusedError(f"{flag} must be {rule}, got {shown(text)}") from error


def read_list(
    flag: str, text: str, read: Callable[[str], T], rule: str = "numbers", separator: str = ","
) -> list[T]:
    """Read several values; the rule says in a message what they must be."""

    def several(text: str) -> list[T]:
        return [read(part) for part in text.split(separator)]

    return read_one(flag, text, several, f"{rule} separated by '{separator}'")


def read_layers(text: str, separator: str = ",") -> tuple[int, ...]:
    """Read the units of hidden layers; none has none."""
    if text.strip() == "none":
        return ()
    return tuple(read_list("--hidden-size", text, int, "whole numbers", separator))


def read_alpha(text: str) -> float | tuple[float, ...]:
    """Read one learning rate, or one for each layer."""
    values = read_list("--alpha", text, float)
    return values[0] if len(values) == 1 else tuple(values)


def or_terminal(progress: bool | None) -> bool:
    """Whether to show a progress bar: as was said, else if stderr is a terminal."""
    return bool(sys.stderr and sys.stderr.isatty()) if progress is None else progress
