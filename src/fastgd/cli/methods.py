"""The options of a training on the command line, as their declarations have them, and read.

`fastgd train` takes one value of each; `fastgd sweep` takes several, and these are an axis.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Annotated, Any, NamedTuple, TypeVar

from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.kinds import (
    Count,
    Flag,
    Kind,
    Name,
    NameOrFormula,
    Number,
    OptimizerKind,
    Option,
    Seed,
)
from fastgd.cli.refusal import RefusedError
from fastgd.cli.values import read_list
from fastgd.optimizers import ALL, BY_COMMAND, GradientDescent, Optimizer

Command = TypeVar("Command", bound=Callable[..., Any])


class Typed(NamedTuple):
    """What the user types for an option of a kind, and what becomes of it."""

    metavar: str
    read: Callable[[str], Any]
    rule: str = ""
    rule_of_many: str = ""


class Declared(NamedTuple):
    """One option of the command line."""

    name: str
    typed: Typed
    help: str
    panel: str
    is_axis: bool  # whether a sweep takes several values


def _word(text: str) -> str:
    return text.strip().lower().replace("-", "_")


def _optimizer(text: str) -> type[Optimizer]:
    known = {name.replace("_", ""): kind for name, kind in BY_COMMAND.items()}
    try:
        return known[_word(text).replace("_", "")]
    except KeyError:
        names = ", ".join(BY_COMMAND)
        raise RefusedError(f"--optimizer must be one of {names}, got {text!r}") from None


def _count_or(word: str) -> Typed:
    def read(text: str) -> int | None:
        return None if _word(text) == word else int(text)

    return Typed("N", read, f"a whole number or {word}", f"whole numbers or {word},")


_FLAG = Typed("", bool)
_NUMBER = Typed("X", float, "a number", "numbers")
_TYPED: dict[type[Kind], Callable[[Any], Typed]] = {
    Number: lambda _kind: _NUMBER,
    Count: lambda kind: _count_or(kind.none),
    Name: lambda _kind: Typed("NAME", _word),
    NameOrFormula: lambda _kind: Typed("NAME", _word),
    Flag: lambda _kind: _FLAG,
    Seed: lambda _kind: Typed("N", int, "a whole number"),
    OptimizerKind: lambda _kind: Typed("NAME", _optimizer),
}


def _help(option: Option) -> str:
    """What the option is, with what it may be where that is a name, and its default."""
    kind, default = option.kind, option.default
    if isinstance(kind, Flag):
        return f"{option.help} (default: {'yes' if default else 'no'})."
    if isinstance(kind, (Number, Seed)):
        return f"{option.help} (default: {default:g})."
    if isinstance(kind, Count):
        return f"{option.help} (default: {kind.none})."
    if isinstance(kind, (Name, NameOrFormula)):
        names = kind.known
    else:
        names, default = tuple(BY_COMMAND), default.command
    marked = (f"{name} (default)" if name == default else name for name in names)
    return f"{option.help}: {', '.join(marked)}."


def _field_help(field: str) -> str:
    """What a field is, in the words of the first optimizer that has it, and its defaults."""
    takers = [kind for kind in ALL if field in kind._fields]
    facts = [(kind.command, kind.hyperparameters[field]) for kind in takers]
    by_default: dict[float, list[str]] = {}
    for command, fact in facts:
        by_default.setdefault(fact.default, []).append(command)
    defaults = "; ".join(f"{', '.join(names)}: {value:g}" for value, names in by_default.items())
    return f"{facts[0][1].words} ({defaults})."


_FIELDS = tuple(dict.fromkeys(field for kind in ALL for field in kind._fields))


def _declared() -> Iterator[Declared]:
    """All options, in order; the fields of the optimizers follow them."""
    for name, option in DECLARED.items():
        if option.panel:
            typed = _TYPED[type(option.kind)](option.kind)
            yield Declared(name, typed, _help(option), option.panel, option.is_axis)
        if isinstance(option.kind, OptimizerKind):
            for field in _FIELDS:
                yield Declared(field, _NUMBER, _field_help(field), option.panel, is_axis=True)


OPTIONS = tuple(_declared())


def takes_method(*, several: bool, optimizer: bool = True) -> Callable[[Command], Command]:
    """Declare these options for a command, which gets them as further keyword arguments.

    Without ``optimizer`` they are all but that and its fields. Typer reads a command's options off
    its signature: it is there that they are put.
    """

    def declare(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        more = [
            _parameter(option, several)
            for option in OPTIONS
            if optimizer or option.name not in ("optimizer", *_FIELDS)
        ]
        command.__signature__ = signature.replace(parameters=own + more)  # type: ignore[attr-defined]
        return command

    return declare


def _parameter(option: Declared, several: bool) -> inspect.Parameter:
    import typer

    flag, metavar, text = _flag(option.name), option.typed.metavar, option.help
    if option.typed is _FLAG:
        kind: Any = list[bool]
        flag = f"{flag}/--no-{flag[2:]}"
        text += " Give both to try both." if several and option.is_axis else ""
    else:
        kind = str
        metavar += ",..." if several and option.is_axis else ""
    typed = typer.Option(
        flag, metavar=metavar, help=text, rich_help_panel=option.panel, show_default=False
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, typed],
    )


def read_method(typed: Mapping[str, Any], *, several: bool) -> dict[str, Any]:
    """Read what was typed as options of :func:`fastgd.train`, or of :func:`fastgd.sweep`."""
    given = {}
    for option in OPTIONS:
        # Typer gives an empty list in place of None where a flag may be repeated.
        if typed.get(option.name) not in (None, []):
            values = _values(option, typed[option.name], several and option.is_axis)
            given[option.name] = values if len(values) > 1 else values[0]
    fields = {name: given.pop(name) for name in list(given) if name in _FIELDS}
    if fields or "optimizer" in given:
        given["optimizer"] = _with_fields(given.get("optimizer", GradientDescent), fields)
    return given


def read_entry(text: str) -> tuple[Optimizer, float | None]:
    """Read an optimizer with its settings: adam, or momentum,mu=0.5,alpha=0.1."""
    name, *settings = text.split(",")
    kind = _optimizer(name)
    numbers: dict[str, float] = {}
    for setting in settings:
        field, _, number = setting.partition("=")
        known = [*kind._fields, "alpha"]
        if field.strip() not in known:
            raise RefusedError(
                f"--optimizer {name} takes {', '.join(f'{known}=X' for known in known)}, "
                f"got {setting!r}"
            )
        try:
            numbers[field.strip()] = float(number)
        except ValueError as error:
            raise RefusedError(
                f"--optimizer {name}: {field} must be a number, got {number!r}"
            ) from error
    alpha = numbers.pop("alpha", None)
    return kind(**numbers), alpha


def _values(option: Declared, typed: Any, several: bool) -> list[Any]:
    read, flag = option.typed.read, _flag(option.name)
    if option.typed is _FLAG:
        return list(dict.fromkeys(typed)) if several else typed[-1:]
    if several:
        return read_list(flag, typed, read, option.typed.rule_of_many)
    try:
        return [read(typed)]
    except ValueError as error:
        raise RefusedError(f"{flag} must be {option.typed.rule}, got {typed!r}") from error


def _with_fields(kinds: Any, fields: Mapping[str, Any]) -> Any:
    """Make the optimizers; one of several is there once for each combination of its fields."""
    named = kinds if isinstance(kinds, list) else [kinds]
    for name in fields:
        if not any(name in kind._fields for kind in named):
            takers = [known for known, kind in BY_COMMAND.items() if name in kind._fields]
            raise RefusedError(
                f"{_flag(name)} needs --optimizer {' or '.join(takers)}, "
                f"got {', '.join(kind.command for kind in named)}"
            )
    if not isinstance(kinds, list):
        return kinds(**fields)
    made = []
    for kind in kinds:
        own = {name: fields[name] for name in kind._fields if name in fields}
        axes = (value if isinstance(value, list) else [value] for value in own.values())
        made += [kind(**dict(zip(own, values, strict=True))) for values in product(*axes)]
    return made


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
