"""Training options on the command line, generated from their declarations.

`fastgd train` takes one value of each; several values for `fastgd sweep` are an axis.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple, cast

from fastgd.arguments.axes import FORMULAS, OWNED
from fastgd.arguments.declarations import DECLARED, FIELDED
from fastgd.arguments.option_types import (
    Count,
    Fielded,
    Flag,
    Layers,
    Name,
    NameOrFormula,
    Names,
    Number,
    Option,
    OptionType,
    field_kind,
)
from fastgd.cli.command_options import (
    Declared,
    option,
    parts_of,
    read_formula,
    read_list,
    read_one,
    read_parameters,
    with_formulas,
)
from fastgd.cli.terminal import RefusedError
from fastgd.formulas.named import Function, Loss
from fastgd.optimizers import Hyperparameters, LevenbergMarquardt, Optimizer


class Typed(NamedTuple):
    """How an option of a type is typed and parsed."""

    metavar: str
    read: Callable[[str], Any]
    rule: str = ""
    rule_of_many: str = ""


class MethodOption(NamedTuple):
    """One option of the command line."""

    name: str
    typed: Typed
    help: str
    panel: str
    is_axis: bool  # whether a sweep takes several values


def _word(text: str) -> str:
    return text.strip().lower().replace("-", "_")


def _names(text: str) -> str | tuple[str, ...]:
    """One name, or one for each layer: he/glorot."""
    names = tuple(map(_word, text.split("/")))
    return names[0] if len(names) == 1 else names


_SHORT = {"lm": LevenbergMarquardt}
"""Short names that may be typed as well."""


def _class_of(option: str) -> Callable[[str], type[Hyperparameters]]:
    """A parser for the classes of an option."""
    known = KINDS[option].by_command

    def read(text: str) -> type[Hyperparameters]:
        near = {name.replace("_", ""): kind for name, kind in known.items()}
        near |= {short: kind for short, kind in _SHORT.items() if kind.command in known}
        try:
            return near[_word(text).replace("_", "")]
        except KeyError:
            raise RefusedError(
                f"{_flag(option)} must be one of {', '.join(known)}, got {text!r}"
            ) from None

    return read


def _count_or(word: str) -> Typed:
    def read(text: str) -> int | None:
        return None if _word(text) == word else int(text)

    return Typed("N", read, f"a whole number or {word}", f"whole numbers or {word},")


KINDS: dict[str, Fielded] = {name: cast(Fielded, DECLARED[name].kind) for name in FIELDED}
"""The options whose values are classes with fields."""

_FLAG = Typed("", bool)
_WHOLE = Typed("N", int, "a whole number", "whole numbers")
_NUMBER = Typed("X", float, "a number", "numbers")
_FORMULA = Typed("NAME", read_formula)
_NAMED = Typed("NAME=X", str)  # read with the expressions
_TYPED: dict[type[OptionType], Callable[[Any], Typed]] = {
    Number: lambda _kind: _NUMBER,
    Count: lambda kind: _count_or(kind.none) if kind.none else _WHOLE,
    Name: lambda _kind: Typed("NAME", _word),
    Names: lambda _kind: Typed("NAME", _names),
    NameOrFormula: lambda _kind: _FORMULA,
    Flag: lambda _kind: _FLAG,
    Layers: lambda _kind: Typed(
        "K,...", lambda text: tuple(map(int, text.split(","))), "numbers of layers, such as 0,1"
    ),
}


_EXPRESSIONS = {Function: "a*sigmoid(beta*a)", Loss: "log(1 + ((y - v)/c)**2)"}


def _help(option: Option) -> str:
    """Help of an option: its meaning, the possible names, and the default."""
    kind, default = option.kind, option.default
    if isinstance(kind, Flag):
        return f"{option.help} (default: {'yes' if default else 'no'})."
    if isinstance(kind, Count) and kind.none:
        return f"{option.help} (default: {kind.none})."
    if isinstance(kind, (Number, Count)):
        return f"{option.help} (default: {default:g})."
    if isinstance(kind, Layers):
        return f"{option.help} (default: none)."
    if isinstance(kind, (Name, NameOrFormula, Names)):
        names = kind.known
    else:
        names, default = tuple(cast(Fielded, kind).by_command), default.command
    notes = {kind.command: f" (or {short})" for short, kind in _SHORT.items()}
    notes[default] = " (default)"
    marked = [name + notes.get(name, "") for name in names]
    if isinstance(kind, NameOrFormula):
        marked.append(f"or an expression such as {_EXPRESSIONS[kind.formula]}")
    return f"{option.help}: {', '.join(marked)}."


def _takers(option: str, field: str) -> dict[str, type[Hyperparameters]]:
    """The classes of an option that have this field, by their typed names."""
    known = KINDS[option].by_command.items()
    return {name: kind for name, kind in known if field in kind.hyperparameters}


def _field_help(option: str, field: str) -> str:
    """Help of a field: its meaning and defaults, for each class that uses it differently."""
    by_words: dict[str, dict[float | None, list[str]]] = {}
    for command, kind in _takers(option, field).items():
        fact = kind.hyperparameters[field]
        by_words.setdefault(fact.words, {}).setdefault(fact.default, []).append(command)
    return "; ".join(
        f"{words} ({_defaults_text(by_default)})" for words, by_default in by_words.items()
    )


def _defaults_text(by_default: Mapping[float | None, list[str]]) -> str:
    return "; ".join(
        f"{', '.join(names)}: {'needed' if value is None else f'{value:g}'}"
        for value, names in by_default.items()
    )


def _typed(option: str, field: str) -> str:
    """The option of a field: a bare ``--steps`` would say nothing."""
    return f"schedule_{field}" if option == "schedule" else field


FIELDS = {
    option: tuple(dict.fromkeys(name for one in kind.classes for name in one.hyperparameters))
    for option, kind in KINDS.items()
}
"""Of these options the fields of all classes."""


def _declared() -> Iterator[MethodOption]:
    """All options in order; fields follow their one."""
    for name, one in DECLARED.items():
        if name in KINDS:
            read = Typed("NAME", _class_of(name))
            yield MethodOption(name, read, _help(one), one.panel, one.is_axis)
            for field in FIELDS[name]:
                holder = next(iter(_takers(name, field).values()))
                kind = field_kind(holder, field)
                typed = _TYPED[type(kind)](kind)
                text = _field_help(name, field)
                yield MethodOption(_typed(name, field), typed, text, one.panel, is_axis=True)
        elif one.panel:
            typed = _TYPED[type(one.kind)](one.kind)
            yield MethodOption(name, typed, _help(one), one.panel, one.is_axis)
            for number, owned in OWNED.items():
                if owned.option == name:
                    text = f"Parameter of {' and '.join(owned.names)} (default: {owned.default:g})."
                    yield MethodOption(number, _NUMBER, text, one.panel, is_axis=True)
        if name == FORMULAS[-1]:
            text = "A parameter that an expression names, such as beta=1; once for each of them."
            yield MethodOption("parameter", _NAMED, text, one.panel, is_axis=True)


OPTIONS = tuple(_declared())
_NAMES = {one.name for one in OPTIONS}


def method_options(*, several: bool, optimizer: bool = True) -> list[Declared]:
    """The options of a command, for `read_method`; all, or all but the optimizer and its fields."""
    return [
        _declared_for(one, several and one.is_axis)
        for one in OPTIONS
        if optimizer or one.name not in ("optimizer", *FIELDS["optimizer"])
    ]


def _declared_for(one: MethodOption, several: bool) -> Declared:
    flag, text = _flag(one.name), one.help
    if one.typed is _FLAG:
        text += " Give both to try both." if several else ""
        each = list[bool] if several else bool
        return option(f"{flag}/--no-{flag[2:]}", text, each, panel=one.panel)
    metavar = one.typed.metavar + (",..." if several else "")
    kind = list[str] if one.typed is _NAMED else str
    return option(f"{flag} {metavar}", text, kind, panel=one.panel)


def read_method(typed: Mapping[str, Any], *, several: bool) -> dict[str, Any]:
    """Read what was typed as options of :func:`fastgd.train`, or of :func:`fastgd.sweep`.

    Other arguments of these functions are left as they are.
    """
    given = {name: value for name, value in typed.items() if name not in _NAMES}
    for one in OPTIONS:
        # Typer gives an empty list in place of None where a flag may be repeated.
        if one.typed is not _NAMED and typed.get(one.name) not in (None, []):
            values = _values(one, typed[one.name], several and one.is_axis)
            given[one.name] = values if len(values) > 1 else values[0]
    given = with_formulas(given, read_parameters(typed.get("parameter") or [], several=several))
    for name, known in FIELDS.items():
        typed_as = {field: _typed(name, field) for field in known}
        fields = {field: given.pop(word) for field, word in typed_as.items() if word in given}
        if fields or name in given:
            kinds = given.get(name, type(DECLARED[name].default))
            given[name] = _with_fields(name, kinds, fields)
    return given


def read_entry(text: str) -> Optimizer | tuple[Optimizer, float]:
    """Read an optimizer with its settings: adam, or momentum,momentum=0.5,alpha=0.1."""
    name, *settings = text.split(",")
    kind = cast(type[Optimizer], _class_of("optimizer")(name))
    known = (*kind._fields, "alpha")
    numbers: dict[str, float] = {}
    for setting in settings:
        field, _, number = setting.partition("=")
        if field.strip() not in known:
            raise RefusedError(
                f"--optimizer {name} takes {', '.join(f'{one}=X' for one in known)}, "
                f"got {setting!r}"
            )
        numbers[field.strip()] = read_one(f"--optimizer {name}: {field}", number, float, "a number")
    alpha = numbers.pop("alpha", None)
    return kind(**numbers) if alpha is None else (kind(**numbers), alpha)


def _values(one: MethodOption, typed: Any, several: bool) -> list[Any]:
    read, flag = one.typed.read, _flag(one.name)
    if one.typed is _FLAG:
        return list(dict.fromkeys(typed)) if several else [typed]
    if one.typed is _FORMULA:
        return [read(part) for part in (parts_of(typed) if several else [typed])]
    if several:
        return read_list(flag, typed, read, one.typed.rule_of_many)
    return [read_one(flag, typed, read, one.typed.rule)]


def _with_fields(option: str, kinds: Any, fields: Mapping[str, Any]) -> Any:
    """Instantiate the classes; with several of them, once for each combination of fields."""
    named: list[type[Hyperparameters]] = kinds if isinstance(kinds, list) else [kinds]
    for name in fields:
        if not any(name in kind.hyperparameters for kind in named):
            raise RefusedError(
                f"{_flag(_typed(option, name))} needs {_flag(option)} "
                f"{' or '.join(_takers(option, name))}, "
                f"got {', '.join(kind.command for kind in named)}"
            )
    for kind in named:
        for name, fact in kind.hyperparameters.items():
            if fact.default is None and name not in fields:
                needed = _flag(_typed(option, name))
                raise RefusedError(f"{_flag(option)} {kind.command} needs {needed}, got none")
    if not isinstance(kinds, list):
        return kinds(**fields)
    made = []
    for kind in kinds:
        own = {name: fields[name] for name in kind.hyperparameters if name in fields}
        axes = (value if isinstance(value, list) else [value] for value in own.values())
        made += [kind(**dict(zip(own, values, strict=True))) for values in product(*axes)]
    return made


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
