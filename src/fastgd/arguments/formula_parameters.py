"""The parameters of activations and losses: their names, defaults and types."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, cast

import numpy as np

from fastgd import optimizers, schedules
from fastgd.arguments.declarations import DECLARED, FIELDED
from fastgd.arguments.option_types import Fielded, Number
from fastgd.checks.messages import called_here, did_you_mean_argument, either, shown
from fastgd.formulas.custom import Formula
from fastgd.formulas.named import ACTIVATIONS, LOSSES, OUTPUTS, loss_of, unit_of

FORMULAS = ("activation", "output", "loss")
"""The options that are functions."""

TAKEN = frozenset(
    (
        *DECLARED,
        *(f for kind in (*optimizers.ALL, *schedules.ALL) for f in kind.hyperparameters),
        *("X", "y", "hidden_size", "alpha", "iterations", "record_every", "seed", "weights"),
        *("biases", "threads", "progress", "groups", "folds", "group", "fold", "validation"),
        *("keep_weights", "record_weights", "keep_state", "resume", "w", "checkpoint"),
        *("checkpoint_every", "out", "executor", "threads_per_worker", "combinations"),
        *("combination", "device"),
    )
)
"""Names that such a parameter can't have."""


_BY_DEFAULT: dict[str, Formula | None] = {
    "activation": unit_of(DECLARED["activation"].default).function,
    "output": unit_of(DECLARED["output"].default).function,
    "loss": loss_of(DECLARED["loss"].default).function,
}


def formulas_of(given: Mapping[str, Any]) -> dict[str, Formula | None]:
    """Return the function of each of these options; None if it has none or is an axis."""
    found: dict[str, Formula | None] = {}
    for option in FORMULAS:
        value = given.get(option, DECLARED[option].default)
        if value is DECLARED[option].default:
            found[option] = _BY_DEFAULT[option]
            continue
        found[option] = None
        if isinstance(value, (str, Formula)):  # anything else is an axis, or is rejected later
            checked = DECLARED[option].kind.check(option, value, 0)
            known = loss_of(checked) if option == "loss" else unit_of(checked)
            found[option] = known.function
    return found


def parameters_of(given: Mapping[str, Any]) -> dict[str, float]:
    """Return the parameters of these options' functions by name, with their defaults."""
    found: dict[str, float] = {}
    for formula in formulas_of(given).values():
        found |= formula.parameters if formula is not None else {}
    return found


class Owned(NamedTuple):
    """A parameter of named functions: the option, their names, and the default."""

    option: str
    names: tuple[str, ...]
    default: float


def _owned() -> Iterator[tuple[str, Owned]]:
    for option, known in (("activation", ACTIVATIONS), ("output", OUTPUTS), ("loss", LOSSES)):
        owners: dict[str, dict[str, float]] = {}
        for name, facts in known.items():
            for number, default in facts.function.parameters.items() if facts.function else ():
                owners.setdefault(number, {})[name] = default
        for number, defaults in owners.items():
            yield number, Owned(option, tuple(defaults), next(iter(defaults.values())))


OWNED = dict(_owned())
"""The parameters of named functions."""


def hint_of(name: str, given: Mapping[str, Any], known: Collection[str]) -> str:
    """Return the end of a message about an unknown option: what may be meant, or what it is of.

    A field of the optimizer or schedule that was given is this field. Of others it is a guess, and
    a name of other libraries comes first: "steps" are iterations.
    """
    owners = [
        (option, kind)
        for option in FIELDED
        if option in known
        for kind in cast(Fielded, DECLARED[option].kind).classes
        if name in kind.hyperparameters
    ]
    passed = [(option, kind) for option, kind in owners if type(given.get(option)) is kind]
    if passed or (owners and not called_here(name)):
        value = "[...]" if isinstance(given.get(name), (list, range, np.ndarray)) else "..."
        calls = (f"{option}={kind.__name__}({name}={value})" for option, kind in passed or owners)
        return f": {name} is a field of {either(calls)}"
    if name not in OWNED:
        return did_you_mean_argument(name, known)
    owned = OWNED[name]
    alone = "" if isinstance(given.get(owned.option, ""), (str, Formula)) else " alone"
    functions = (f"{owned.option}={function!r}" for function in owned.names)
    return f": {name} is a parameter of {either(functions)}{alone}"


def kinds_of(given: Mapping[str, Any]) -> dict[str, Number]:
    """Return the types of the parameters of these options' functions, by name.

    Raises
    ------
    ValueError
        If a parameter has the name of another argument, or two functions have one of the same name.
    """
    owners: dict[str, tuple[str, Formula]] = {}
    for option, formula in formulas_of(given).items():
        if formula is None:
            continue
        for name in formula.parameters:
            if name in TAKEN:
                raise ValueError(
                    f"a parameter of {option} must not have the name of another argument, "
                    f"got {name} in {shown(formula)}"
                )
            other, same = owners.setdefault(name, (option, formula))
            if same != formula:
                raise ValueError(
                    f"the parameters of {other} and {option} must have different names, "
                    f"got {name} in both"
                )
    return {
        name: Number(formula.intervals.get(name, "(-inf, inf)"))
        for name, (_, formula) in owners.items()
    }
