"""Numbers, names, options and times as text for people."""

from typing import Any

import numpy as np

from fastgd.checks.messages import shortened
from fastgd.hyperparameters import Hyperparameters

LISTED = 20
"""The maximum number of names that a list shows."""

SHORT = 40
"""The maximum number of characters that are shown of a formula."""

_COUNTED = (
    "hidden_size", "optimizer", "schedule", "activation", "output", "loss", "reduction",
    "batch_size", "group", "fold", "sample_weight", "case", "alpha", "seed",
)  # fmt: skip
NO_VALUE = {"batch_size": "all", "patience": "none"}
"""What None is called on the command line, by option."""


def first_names(names: list[str]) -> str:
    """Return the names, separated by commas, with their number if not all are shown."""
    rest = f", ... ({len(names)} in all)" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + rest


def many(count: int, noun: str) -> str:
    """Return a count with its noun: 1 run, 2,000 runs, 2 losses, 2 patches."""
    plural = "es" if noun.endswith(("s", "tch")) else "s"
    return f"{count:,} {noun}" + ("" if count == 1 else plural)


def axis_text(name: str, count: int) -> str:
    """Return the length of an axis in words: 2 alphas, 2 values of momentum."""
    if name in _COUNTED:
        return many(count, _spaced(name))
    return f"{many(count, 'value')} of {_spaced(name)}"


def error_text(value: Any) -> str:
    """Return an error with 12 significant digits, as Python 2 printed it; "-" for None."""
    return "-" if value is None else f"{value:.12g}"


def joined(values: Any, separator: str = ", ") -> str:
    """Return one number, or the numbers of a tuple, as text."""
    values = values if isinstance(values, tuple) else (values,)
    return separator.join(f"{value:g}" for value in values)


def layers_text(hidden_size: tuple[int, ...]) -> str:
    """Return hidden layer sizes as the command line takes them: 4, 8x2 or none."""
    return joined(hidden_size, "x") or "none"


def value_text(name: str, value: Any, *, classes: bool = False) -> str:
    """Return one value of an option or an axis; an optimizer only with its non-default fields.

    With `classes`, optimizers and schedules are shown by class name, else as on the command line.
    """
    if name == "hidden_size":
        return layers_text(value)
    if name == "group":  # whatever the user's labels are
        return str(value)
    if value is None:
        return NO_VALUE[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Hyperparameters):
        facts = value.hyperparameters
        fields = [n for n in facts if getattr(value, n) != facts[n].default]
        return _fielded_text(value, fields, classes)
    if name == "init":
        return value if isinstance(value, str) else "/".join(value)
    if name == "freeze":
        return _frozen_text(value)
    if isinstance(value, (int, float, tuple)):
        return joined(value)
    if isinstance(value, dict):  # a combination
        return ", ".join(setting_text(key, number) for key, number in value.items())
    return shortened(str(value), SHORT)  # a name, or a formula


def _frozen_text(frozen: Any) -> str:
    """Return the frozen layers by number, those that are partly frozen as: some of 1."""
    if not any(isinstance(mask, (bool, np.ndarray)) for mask in frozen):
        return joined(frozen)
    some = (
        k if mask is True else f"some of {k}" for k, mask in enumerate(frozen) if mask is not False
    )
    return ", ".join(map(str, some))


def setting_text(name: str, value: Any, *, classes: bool = False) -> str:
    """Return an option with its value: bias, no shuffle, l2 0.01."""
    if isinstance(value, np.ndarray):  # sample_weight, which has no short text
        return f"own {_spaced(name)}s"
    if isinstance(value, bool) and name != "group":
        return _spaced(name) if value else f"no {_spaced(name)}"
    return f"{_spaced(name)} {value_text(name, value, classes=classes)}"


def options_text(options: dict[str, Any], without: Any = (), *, classes: bool = False) -> str:
    """Return all options with their values; of optimizer and schedule all fields but `without`."""
    texts = []
    for name, value in options.items():
        if isinstance(value, Hyperparameters):
            fields = [field for field in value.hyperparameters if field not in without]
            texts.append(f"{name} {_fielded_text(value, fields, classes)}")
        else:
            texts.append(setting_text(name, value))
            parameters = getattr(value, "parameters", {}).items()  # of a function
            own = [f"{n} {v:g}" for n, v in parameters if n not in options and n not in without]
            texts[-1] += f" ({', '.join(own)})" if own else ""
    return ", ".join(texts)


def _fielded_text(value: Hyperparameters, fields: list[str], classes: bool) -> str:
    shown = ", ".join(f"{field} {getattr(value, field):g}" for field in fields)
    name = type(value).__name__ if classes else value.command
    return name + (f" ({shown})" if shown else "")


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def seconds_text(seconds: float) -> str:
    """Return a time with its unit."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"
