"""Activations, outputs and losses on the command line: names, or expressions and parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fastgd.arguments.axes import FORMULAS, OWNED, Owned
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.option_types import NameOrFormula
from fastgd.cli.errors import RefusedError
from fastgd.cli.option_values import read_list
from fastgd.formulas.custom import Function, Loss
from fastgd.formulas.expressions import FUNCTIONS, parse, variables_of

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
