"""Parsing of option values, shared by all commands: numbers, lists, and formulas of networks."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from fastgd.arguments.axes import FORMULAS, OWNED, Owned
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.option_types import NameOrFormula
from fastgd.checks.messages import shown
from fastgd.cli.terminal import RefusedError
from fastgd.formulas.expressions import FUNCTIONS, parse, variables_of
from fastgd.formulas.named import Function, Loss

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


# ---------------------------------------------------------------- formulas

_MADE = {"activation": Function, "output": Function, "loss": Loss}


_NAMES = {option: cast(NameOrFormula, DECLARED[option].kind).known for option in FORMULAS}
_HINT = ": a parameter of its own is given as --parameter NAME=X"


@dataclass(frozen=True)
class Expression:
    """An expression; it becomes a function when its parameters are known."""

    text: str


def read_formula(text: str) -> str | Expression:
    """Read a name, or an expression: one has operators or brackets."""
    if any(sign in text for sign in "()*/+"):
        return Expression(text.strip())
    return text.strip().lower().replace("-", "_")


def parts_of(text: str) -> list[str]:
    """Split several formulas at the commas outside of brackets.

    Examples
    --------
    >>> parts_of("tanh,where(a > 0, a, 0)")
    ['tanh', 'where(a > 0, a, 0)']
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def read_parameters(typed: Sequence[str], *, several: bool) -> dict[str, list[float]]:
    """Read what was typed as --parameter NAME=X, in a sweep NAME=X,X,..."""
    numbers: dict[str, list[float]] = {}
    for text in typed:
        name, sign, values = text.partition("=")
        name = name.strip()
        if not sign or not name.isidentifier():
            raise RefusedError(f"--parameter must be NAME=X, such as beta=1, got {text!r}")
        if name in numbers:
            raise RefusedError(f"--parameter must name each parameter once, got {name} twice")
        found = read_list(f"--parameter {name}", values, float)
        if len(found) > 1 and not several:
            raise RefusedError(f"--parameter {name} must be one number, got {values!r}")
        numbers[name] = found
    return numbers


def with_formulas(given: Mapping[str, Any], numbers: Mapping[str, list[float]]) -> dict[str, Any]:
    """The options, with expressions made into functions that take the parameters they name.

    A parameter with several values is an axis; the function gets the first one.
    """
    found, used = dict(given), set()
    for option in FORMULAS:
        chosen = given.get(option)
        for one in chosen if isinstance(chosen, list) else [chosen]:
            used |= _named(option, one) & numbers.keys()
        if isinstance(chosen, list):
            found[option] = [_made(option, one, numbers) for one in chosen]
        elif chosen is not None:
            found[option] = _made(option, chosen, numbers)
    for name, values in numbers.items():
        if name in used:
            found |= {name: values} if len(values) > 1 else {}
        elif name in OWNED:
            found[name] = values if len(values) > 1 else values[0]
        else:
            raise RefusedError(
                f"--parameter {name} must be in an expression of an option, got none"
            )
    for name, owned in OWNED.items():
        if name in found and name not in used:
            _check_owner(name, owned, found.get(owned.option, DECLARED[owned.option].default))
    return found


def _named(option: str, one: Any) -> set[str]:
    """The names in an expression; none if it can't be parsed, which is reported later."""
    try:
        return variables_of(parse(option, one.text, None)) if isinstance(one, Expression) else set()
    except ValueError:
        return set()


def _made(option: str, one: Any, numbers: Mapping[str, list[float]]) -> Any:
    if not isinstance(one, Expression):
        if one in FUNCTIONS and one not in _NAMES[option]:
            raise RefusedError(f"--{option} {one}: write a function with its operand: {one}(a)")
        return one
    named = _named(option, one)
    own: dict[str, Any] = {name: numbers[name][0] for name in numbers if name in named}
    try:
        return _MADE[option](one.text, **own)
    except (TypeError, ValueError) as error:
        free = named - own.keys() - ({"y", "v"} if option == "loss" else set())
        hint = _HINT if len(free) > (option != "loss") else ""
        raise RefusedError(f"--{option} {one.text!r}: {error}{hint}") from error


def _check_owner(number: str, owned: Owned, chosen: Any) -> None:
    """Reject a parameter whose function was not chosen, or is one of several."""
    if chosen in owned.names:
        return
    several = isinstance(chosen, list)
    got = ", ".join(map(str, chosen)) if several else chosen
    alone = " alone" if several and any(name in chosen for name in owned.names) else ""
    raise RefusedError(
        f"--{number.replace('_', '-')} needs --{owned.option} {' or '.join(owned.names)}{alone}, "
        f"got {got}"
    )
