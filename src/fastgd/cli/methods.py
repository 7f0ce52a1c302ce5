"""Training options on the command line, generated from their declarations.

`fastgd train` takes one value of each; several values for `fastgd sweep` are an axis.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import product
from runpy import run_path
from typing import Any, NamedTuple, cast

from fastgd.arguments.axes import FORMULAS, OWNED
from fastgd.arguments.declarations import DECLARED, FIELDED
from fastgd.arguments.option_types import (
    CONDITION,
    Condition,
    Count,
    Fielded,
    Flag,
    Layers,
    Measures,
    Name,
    NameOrFormula,
    Names,
    Number,
    Option,
    field_kind,
)
from fastgd.cli.command_options import option_table, read_list, read_one
from fastgd.cli.refusals import RefusedError, flag_of
from fastgd.formulas.expressions import FUNCTIONS, parse, variables_of
from fastgd.formulas.named import Function, Loss, Penalty, Schedule
from fastgd.formulas.rules import Rule
from fastgd.optimizers import Hyperparameters, LevenbergMarquardt, Optimizer

# ---------------------------------------------------------------- formulas


@dataclass(frozen=True)
class Expression:
    """An expression; it becomes a function when its parameters are known."""

    text: str


def read_formula(text: str, read: Callable[[str], Any] | None = None) -> Any:
    """Read an expression: one has operators or brackets; or something else, by default a name."""
    return Expression(text.strip()) if _SIGNS.search(text) else (read or _word)(text)


_SIGNS = re.compile(r"[()*/]|(?<![\d.][eE])\+")
"""An operator or a bracket, which neither names nor numbers have."""


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
    found, used = dict(given), set[str]()
    for taker in (option for option in _FORMULA if option in given):
        chosen = given[taker]
        several = isinstance(chosen, list)
        made = [_made(taker, one, numbers, used) for one in (chosen if several else [chosen])]
        found[taker] = made if several else made[0]
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
        chosen = found.get(owned.option, DECLARED[owned.option].default)
        if name not in found or name in used or chosen in owned.names:
            continue
        several = isinstance(chosen, list)
        got = ", ".join(map(str, chosen)) if several else chosen
        alone = " alone" if several and any(one in chosen for one in owned.names) else ""
        raise RefusedError(
            f"{flag_of(name)} needs --{owned.option} {' or '.join(owned.names)}{alone}, got {got}"
        )
    return found


def _made(option: str, one: Any, numbers: Mapping[str, list[float]], used: set[str]) -> Any:
    """The function of an expression, whose parameters are then ``used``; of a name the name."""
    if not isinstance(one, Expression):
        if one in FUNCTIONS and one not in cast(NameOrFormula, DECLARED[option].kind).known:
            raise RefusedError(f"--{option} {one}: write a function with its operand: {one}(a)")
        return one
    named: set[str] = set()
    with suppress(ValueError):  # of an expression that is refused below
        named = variables_of(parse(option, one.text, None))
    own: dict[str, Any] = {name: numbers[name][0] for name in numbers if name in named}
    used.update(own)
    kind = _FORMULA[option]
    try:
        return kind(one.text, **own)
    except (TypeError, ValueError) as error:
        variables = {Loss: {"y", "v"}, Schedule: {"t", "total"}}.get(kind, set[str]())
        free = named - own.keys() - variables
        hint = ": a parameter of its own is given as --parameter NAME=X"
        several = len(free) > (not variables)
        raise RefusedError(f"--{option} {one.text!r}: {error}{hint * several}") from error


# ---------------------------------------------------------------- the options


class MethodOption(NamedTuple):
    """One option of the command line, and how what was typed is parsed."""

    name: str
    help: str
    panel: str
    is_axis: bool  # whether a sweep takes several values
    metavar: str
    read: Callable[[str], Any]
    rule: str = ""
    rule_of_many: str = ""


_SHORT = {"lm": LevenbergMarquardt}
"""Short names that may be typed as well."""

KINDS: dict[str, Fielded] = {name: cast(Fielded, DECLARED[name].kind) for name in FIELDED}
"""The options whose values are classes with fields."""

FIELDS = {
    option: tuple(dict.fromkeys(name for one in kind.classes for name in one.hyperparameters))
    for option, kind in KINDS.items()
}
"""Of these options the fields of all classes."""

_FORMULA: dict[str, Any] = {
    **{option: cast(Any, DECLARED[option].kind).formula for option in FORMULAS},
    **dict.fromkeys(FIELDS["optimizer"], Schedule),
}
"""What may be typed as an expression, and what it becomes."""


def _word(text: str) -> str:
    return text.strip().lower().replace("-", "_")


def _names(text: str) -> str | tuple[str, ...]:
    """One name, or one for each layer: he/glorot."""
    names = tuple(map(_word, text.split("/")))
    return names[0] if len(names) == 1 else names


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
                f"{flag_of(option)} must be one of {', '.join(known)}, got {text!r}"
            ) from None

    return read


_EXAMPLES = {
    Function: "a*sigmoid(beta*a)",
    Loss: "log(1 + ((y - v)/c)**2)",
    Penalty: "strength*log1p(w*w)",
    Schedule: "exp(-k*t)",
}


_WHOLE, _NUMBER = ("N", int, "a whole number", "whole numbers"), ("X", float, "a number", "numbers")


def _parted(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: tuple(map(read, text.split(",")))


_LISTED: dict[type, tuple[Any, ...]] = {
    Layers: ("K,...", _parted(int), "numbers of layers, such as 0,1"),
    Measures: ("NAME,...", _parted(_word), "names of quantities"),
    Condition: ("CONDITION", str, CONDITION),
}


def _option(name: str, one: Option) -> MethodOption:
    """An option as its type is typed; its help has the possible names, or the default."""
    kind, default = one.kind, one.default
    names: tuple[str, ...] = ()
    typed: tuple[Any, ...]
    match kind:
        case Flag():
            typed, default = ("", bool), "yes" if default else "no"
        case Count(none=none) if none:
            rules, default = (f"a whole number or {none}", f"whole numbers or {none},"), none
            typed = ("N", lambda text: None if _word(text) == none else int(text), *rules)
        case Number() | Count():
            typed, default = _WHOLE if isinstance(kind, Count) else _NUMBER, f"{default:g}"
        case Layers() | Measures() | Condition():
            typed, default = _LISTED[type(kind)], "none"
        case Name() | Names():
            names, typed = kind.known, ("NAME", _word if isinstance(kind, Name) else _names)
        case NameOrFormula():
            names, default = tuple(known or "none" for known in kind.known), default or "none"
            typed = ("NAME", lambda text: None if _word(text) == "none" else _word(text))
        case Fielded():
            names, default = tuple(kind.by_command), default.command
            typed = ("NAME", _class_of(name))
    text = f"{one.help} (default: {default})."
    if names:
        notes = {kind.command: f" (or {short})" for short, kind in _SHORT.items()}
        notes[default] = " (default)"
        marked = [name + notes.get(name, "") for name in names]
        if name in _FORMULA:
            marked.append(f"or an expression such as {_EXAMPLES[_FORMULA[name]]}")
        text = f"{one.help}: {', '.join(marked)}."
    # The commas of layers leave none for an axis, and nobody types masks.
    is_axis = one.is_axis and not isinstance(kind, Layers)
    return MethodOption(name, text, one.panel, is_axis, *typed)


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
    lines = []
    for words, by_default in by_words.items():
        defaults = "; ".join(
            f"{', '.join(names)}: {'needed' if value is None else f'{value:g}'}"
            for value, names in by_default.items()
        )
        lines.append(f"{words} ({defaults})")
    return "; ".join(lines)


def _typed(option: str, field: str) -> str:
    """The option of a field: a bare ``--steps`` would say nothing."""
    return f"schedule_{field}" if option == "schedule" else field


def _declared() -> Iterator[MethodOption]:
    """All options in order; fields follow their one."""
    for name, one in DECLARED.items():
        if one.panel:
            yield _option(name, one)
        for field in FIELDS.get(name, ()):
            kind = field_kind(next(iter(_takers(name, field).values())), field)
            text, how = _field_help(name, field), _WHOLE if isinstance(kind, Count) else _NUMBER
            yield MethodOption(_typed(name, field), text, one.panel, True, *how)
        if name == "optimizer":
            text = (
                "An optimizer of your own: the text of a fastgd.Rule, such as 'lambda w, g, alpha, "
                "m, beta=0.9: (w + alpha*m, beta*m + g)', or FILE.py:NAME, a function or Rule."
            )
            yield MethodOption("rule", text, one.panel, True, "FORMULA", str)
        for number, owned in OWNED.items():
            if owned.option == name:
                text = f"Parameter of {' and '.join(owned.names)} (default: {owned.default:g})."
                yield MethodOption(number, text, one.panel, True, *_NUMBER)
        if name == "loss":
            text = "A parameter that an expression names, such as beta=1; once for each of them."
            yield MethodOption("parameter", text, one.panel, True, "NAME=X", str)


OPTIONS = tuple(_declared())


def method_options(*, several: bool, optimizer: bool = True) -> list[inspect.Parameter]:
    """The options of a command, for `read_method`; all, or all but the optimizer and its fields."""
    lines: list[str] = []
    kinds: dict[str, Any] = {}
    for name, text, panel, is_axis, metavar, read, *_ in OPTIONS:
        flag, many = flag_of(name), several and is_axis
        if not optimizer and name in ("optimizer", "rule", *FIELDS["optimizer"]):
            continue
        if read is bool:
            kinds[name] = list[bool] if many else bool
            both = " Give both to try both." if many else ""
            lines += [f"{panel}:", f"{flag}/--no-{flag[2:]}  {text}{both}"]
        else:
            again = name == "parameter" or (many and name == "rule")
            kinds[name] = list[str] if again else str
            lines += [f"{panel}:", f"{flag} {metavar}{',...' * (many and not again)}  {text}"]
    return option_table("\n".join(lines), kinds)


# ---------------------------------------------------------------- what was typed


def read_method(typed: Mapping[str, Any], *, several: bool) -> dict[str, Any]:
    """Read what was typed as options of :func:`fastgd.train`, or of :func:`fastgd.sweep`.

    Other arguments of these functions are left as they are.
    """
    known = {one.name for one in OPTIONS}
    given = {name: value for name, value in typed.items() if name not in known}
    for name, _, _, is_axis, _, read, rule, rule_of_many in OPTIONS:
        value, many = typed.get(name), several and is_axis
        # Typer gives an empty list in place of None where a flag may be repeated.
        if name in ("parameter", "rule") or value in (None, []):
            continue
        read_it = partial(read_formula, read=read) if name in _FORMULA else read
        if read is bool:
            values = list(dict.fromkeys(value)) if many else [value]
        elif many:
            values = read_list(flag_of(name), value, read_it, rule_of_many)
        else:
            values = [read_one(flag_of(name), value, read_it, rule)]
        given[name] = values if len(values) > 1 else values[0]
    numbers = read_parameters(typed.get("parameter") or [], several=several)
    of_rules = _take_rules(typed.get("rule") or [], given, numbers)
    given = with_formulas(given, numbers)
    for name, own in FIELDS.items():
        typed_as = {field: _typed(name, field) for field in own}
        fields = {field: given.pop(word) for field, word in typed_as.items() if word in given}
        fields |= of_rules if name == "optimizer" else {}
        if fields or name in given:
            kinds = given.get(name, type(DECLARED[name].default))
            given[name] = _with_fields(name, kinds, fields)
    return given


def _take_rules(
    texts: str | list[str], given: dict[str, Any], numbers: dict[str, list[float]]
) -> dict[str, Any]:
    """Put rules into ``given``, as the optimizer; take their hyperparameters out of the numbers."""
    rules = [read_rule(text) for text in ([texts] if isinstance(texts, str) else texts)]
    if rules and "optimizer" in given:
        raise RefusedError("--rule must be left out with --optimizer, got both")
    if rules:
        given["optimizer"] = rules if len(rules) > 1 else rules[0]
    own = {name for rule in rules for name in rule.hyperparameters} & numbers.keys()
    taken = {name: numbers.pop(name) for name in own}
    return {name: values if len(values) > 1 else values[0] for name, values in taken.items()}


def read_rule(text: str) -> Rule:
    """Read the text of a rule, or FILE.py:NAME, a function or a rule in a file that is executed."""
    file, _, name = text.rpartition(":")
    try:
        if not (file.endswith(".py") and name.strip().isidentifier()):
            return Rule(text)
        found = run_path(file).get(name.strip())
        return found if isinstance(found, Rule) else Rule(found)  # type: ignore[arg-type]
    except Exception as error:  # whatever the user's file raises
        raise RefusedError(f"--rule {text!r}: {error}") from error


_SETTINGS = re.compile(r"(,\s*\w+=[^,()=:]+)*\s*$")
"""What follows an optimizer in a race."""


def read_entry(text: str) -> Optimizer | tuple[Optimizer, float]:
    """Read an optimizer with its settings: adam, or momentum,momentum=0.5,alpha=0.1.

    A rule is FILE.py:NAME or its text.
    """
    at = cast(re.Match[str], _SETTINGS.search(text)).start()
    is_rule = "lambda" in text or ".py:" in text
    name, *settings = [text[:at], *text[at:].split(",")[1:]] if is_rule else text.split(",")
    kind: Any = read_rule(name) if is_rule else _class_of("optimizer")(name)
    known = (*kind.hyperparameters, "alpha")
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
    if is_rule and alpha is None:
        raise RefusedError(
            f"--optimizer {name} needs its alpha in a race: {name},alpha=X, got none"
        )
    made = _made_of(kind, numbers)
    return made if alpha is None else (made, alpha)


def _made_of(kind: Any, fields: Mapping[str, Any]) -> Any:
    """What a class makes of these fields, or a formula of one's own."""
    return kind(**fields) if isinstance(kind, type) else kind._replace(**fields)


def _with_fields(option: str, kinds: Any, fields: Mapping[str, Any]) -> Any:
    """Instantiate the classes; with several of them, once for each combination of fields."""
    named: list[Any] = kinds if isinstance(kinds, list) else [kinds]  # classes, or a formula
    for name in fields:
        if not any(name in kind.hyperparameters for kind in named):
            raise RefusedError(
                f"{flag_of(_typed(option, name))} needs {flag_of(option)} "
                f"{' or '.join(_takers(option, name))}, "
                f"got {', '.join(getattr(kind, 'command', str(kind)) for kind in named)}"
            )
    for kind in named:
        for name, fact in kind.hyperparameters.items():
            if fact.default is None and name not in fields:
                needed = flag_of(_typed(option, name))
                raise RefusedError(f"{flag_of(option)} {kind.command} needs {needed}, got none")
    if not isinstance(kinds, list):
        return _made_of(kinds, fields)
    made = []
    for kind in kinds:
        own = {name: fields[name] for name in kind.hyperparameters if name in fields}
        axes = (value if isinstance(value, list) else [value] for value in own.values())
        made += [_made_of(kind, dict(zip(own, one, strict=True))) for one in product(*axes)]
    return made
