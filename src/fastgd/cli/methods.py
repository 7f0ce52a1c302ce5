"""The options of a method on the command line: declared once for all commands, and read.

`fastgd train` takes one value of each; `fastgd sweep` takes several, and these are an axis.
"""

import inspect
from collections.abc import Callable, Mapping
from itertools import product
from typing import Annotated, Any, NamedTuple, TypeVar

from fastgd.cli.refusal import RefusedError
from fastgd.cli.values import read_list
from fastgd.optimizers import BY_COMMAND, GradientDescent, Optimizer

Command = TypeVar("Command", bound=Callable[..., Any])


class Kind(NamedTuple):
    """What the user types for an option, and what becomes of it."""

    metavar: str
    read: Callable[[str], Any]
    rule: str = ""
    rule_of_many: str = ""


class Declared(NamedTuple):
    """One option."""

    name: str
    kind: Kind
    help: str
    axis: bool = True  # whether a sweep takes several values


def _word(text: str) -> str:
    return text.strip().lower().replace("-", "_")


def _optimizer(text: str) -> type[Optimizer]:
    known = {name.replace("_", ""): kind for name, kind in BY_COMMAND.items()}
    try:
        return known[_word(text).replace("_", "")]
    except KeyError:
        names = ", ".join(BY_COMMAND)
        raise RefusedError(f"--optimizer must be one of {names}, got {text!r}") from None


def _count_or(word: str) -> Kind:
    def read(text: str) -> int | None:
        return None if _word(text) == word else int(text)

    return Kind("N", read, f"a whole number or {word}", f"whole numbers or {word},")


_FLAG = Kind("", bool)
_NAME = Kind("NAME", _word)
_COUNT = Kind("N", int, "a whole number")
_NUMBER = Kind("X", float, "a number", "numbers")

_PANELS = {
    "Optimizer": (
        Declared("optimizer", Kind("NAME", _optimizer),
                 f"{', '.join(BY_COMMAND)}.".replace(",", " (default),", 1)),
        Declared("mu", _NUMBER, "Momentum that stays (momentum, nesterov: 0.9)."),
        Declared("rho", _NUMBER, "Mean square that stays (adadelta: 0.9; rmsprop: 0.99)."),
        Declared("beta1", _NUMBER, "Mean that stays (adam: 0.9)."),
        Declared("beta2", _NUMBER, "Mean square that stays (adam: 0.999)."),
        Declared("epsilon", _NUMBER, "Keeps divisors from 0 (adagrad: 1e-10; adadelta: 1e-6; "
                 "rmsprop, adam: 1e-8)."),
    ),
    "Network": (
        Declared("activation", _NAME, "Hidden units: sigmoid (default), tanh, relu, identity."),
        Declared("output", _NAME, "Output units: sigmoid (default), tanh, identity."),
        Declared("loss", _NAME, "squared (default), cross_entropy (targets within 0 to 1, or -1 "
                 "to 1 for tanh outputs)."),
        Declared("bias", _FLAG, "Biases for all units (default: no)."),
        Declared("batch_norm", _FLAG, "Batch normalization of hidden layers (default: no)."),
    ),
    "Mini-batches": (
        Declared("batch_size", _count_or("all"), "Samples per update (default: all)."),
        Declared("shuffle", _FLAG, "Shuffle in every epoch (default: yes).", axis=False),
        Declared("shuffle_seed", _COUNT, "Seed of the shuffling (default: 0).", axis=False),
        Declared("sampling", _NAME, "epochs (default), or adaptive: learn which samples to draw.",
                 axis=False),
        Declared("sampling_rate", _NUMBER, "Learning rate of adaptive sampling (default: 1)."),
    ),
    "Regularization": (
        Declared("dropout", _NUMBER, "Rate of hidden units left out, at least 0 and below 1."),
        Declared("dropconnect", _NUMBER, "Rate of weights left out, at least 0 and below 1."),
        Declared("l1", _NUMBER, "Penalty on the magnitudes of weights."),
        Declared("l2", _NUMBER, "Penalty on the squares of weights."),
        Declared("trim_below", _NUMBER, "Deltas of a smaller magnitude become 0."),
        Declared("clip_above", _NUMBER, "Deltas are limited to this magnitude."),
    ),
    "Early end": (
        Declared("tolerance", _NUMBER, "Stop when the error is below this."),
        Declared("patience", _count_or("none"), "Stop when the smallest error is so many "
                 "iterations old."),
        Declared("summary", _COUNT, "Sum up all errors, with the mean of the last N (default: no).",
                 axis=False),
    ),
}  # fmt: skip

_FIELDS = {name for kind in BY_COMMAND.values() for name in kind._fields}


def takes_method(*, several: bool, optimizer: bool = True) -> Callable[[Command], Command]:
    """Declare these options for a command, which gets them as further keyword arguments.

    Without ``optimizer`` they are all but that and its fields. Typer reads a command's options off
    its signature: it is there that they are put.
    """

    def declare(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        more = [
            _parameter(option, panel, several)
            for panel, options in _PANELS.items()
            if optimizer or panel != "Optimizer"
            for option in options
        ]
        command.__signature__ = signature.replace(parameters=own + more)  # type: ignore[attr-defined]
        return command

    return declare


def _parameter(option: Declared, panel: str, several: bool) -> inspect.Parameter:
    import typer

    flag, metavar, text = _flag(option.name), option.kind.metavar, option.help
    if option.kind is _FLAG:
        kind: Any = list[bool]
        flag = f"{flag}/--no-{flag[2:]}"
        text += " Give both to try both." if several and option.axis else ""
    else:
        kind = str
        metavar += ",..." if several and option.axis else ""
    typed = typer.Option(
        flag, metavar=metavar, help=text, rich_help_panel=panel, show_default=False
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
    for option in (option for options in _PANELS.values() for option in options):
        # Typer gives an empty list in place of None where a flag may be repeated.
        if typed.get(option.name) not in (None, []):
            values = _values(option, typed[option.name], several and option.axis)
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
    kind, flag = option.kind, _flag(option.name)
    if kind is _FLAG:
        return list(dict.fromkeys(typed)) if several else typed[-1:]
    if several:
        return read_list(flag, typed, kind.read, kind.rule_of_many)
    try:
        return [kind.read(typed)]
    except ValueError as error:
        raise RefusedError(f"{flag} must be {kind.rule}, got {typed!r}") from error


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
