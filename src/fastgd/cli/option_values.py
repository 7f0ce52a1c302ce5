"""Parsing of option values, shared by all commands."""

import os
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
    except (KeyError, ValueError) as error:
        raise RefusedError(f"{flag} must be {rule}, got {shown(text)}") from error


def read_list(
    flag: str, text: str, read: Callable[[str], T], rule: str = "numbers", separator: str = ","
) -> list[T]:
    """Read several values; the rule says in a message what they must be."""

    def several(text: str) -> list[T]:
        return [read(part) for part in text.split(separator)]

    return read_one(flag, text, several, f"{rule} separated by '{separator}'")


NETWORK = "the units of a hidden layer, such as 8, of several, 8x4, or none"


def read_network(text: str) -> tuple[int, ...]:
    """Read the units of one network's hidden layers: 8, 8x4, none."""
    if text.strip() == "none":
        return ()
    try:
        return tuple(map(int, text.split("x")))
    except ValueError as error:
        commas = text.replace(",", "x")
        hint = f": two layers are {commas}" if "," in text and "x" not in text else ""
        raise RefusedError(f"--hidden-size must be {NETWORK}, got {shown(text)}{hint}") from error


def read_networks(text: str) -> list[tuple[int, ...]]:
    """Read several networks: 8,8x4,none."""
    return [read_network(network) for network in text.split(",")]


def read_alpha(text: str) -> float | tuple[float, ...]:
    """Read one learning rate, or one for each layer."""
    hint = f": one for each layer is {text.replace(',', '/')}" if "," in text else ""
    try:
        values = tuple(map(float, text.split("/")))
    except ValueError as error:
        raise RefusedError(
            f"--alpha must be a number, or one for each layer: 1/0.1, got {shown(text)}{hint}"
        ) from error
    return values[0] if len(values) == 1 else values


def column_name(typed: str) -> str:
    """Return a name as it was typed: without a UTF-8 locale (LC_ALL=C) it arrives as bytes."""
    try:
        typed.encode()
    except UnicodeEncodeError:
        return os.fsencode(typed).decode(errors="surrogateescape")
    return typed


def or_terminal(progress: bool | None) -> bool:
    """Whether to show a progress bar: as requested, by default if stderr is a terminal."""
    return bool(sys.stderr and sys.stderr.isatty()) if progress is None else progress
