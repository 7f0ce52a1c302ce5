"""Cases: combinations of numbers that are no product of axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from fastgd.arguments.declarations import FIELDED, STRUCTURES, VALUES
from fastgd.arguments.memory import check_memory
from fastgd.arguments.messages import did_you_mean_argument, either, shown
from fastgd.arguments.numbers import kinds_of
from fastgd.hyperparameters import Hyperparameters

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

OTHERS = ("alpha", "seed")
"""What a case may have beside options: these are numbers of a run, too."""

_OWN_AXES = ("hidden_size", *STRUCTURES, "sample_weight", "groups", "folds", "weights", "biases")

_BYTES = 80
"""Of a number in a case, as Python has it."""


def taking_cases(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorator: all values of a key of ``cases`` are handed on under its name, as on an axis.

    The function has to put these axes together again, and finds their names in each of the cases.
    Only a caller's own arguments tell what is given twice.
    """

    @wraps(function)
    def call(*args: Parameters.args, **given: Parameters.kwargs) -> Result:
        if given.get("cases") is None:
            return function(*args, **given)
        return function(*args, **spread(given))

    return call


def spread(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call with ``cases``, and an axis for each of their keys; values unchecked.

    Raises
    ------
    ValueError, TypeError
        If the cases have not the same keys each, or a key is no number or is given twice.
    """
    cases = _listed(given["cases"])
    holders = {option: given.get(option) for option in FIELDED}
    fields = {
        field: option
        for option, holder in holders.items()
        if isinstance(holder, Hyperparameters)
        for field in holder.hyperparameters
    }
    _check_keys(cases[0], (*OTHERS, *VALUES, *fields, *kinds_of(given)))
    check_memory(_BYTES * len(cases) * len(cases[0]), "cases")
    found = {**given, "cases": cases}
    for name in cases[0]:
        axis = [case[name] for case in cases]
        if name in given:
            raise ValueError(f"{name} must be in the cases or an argument, got both")
        if name not in fields:
            found[name] = axis
            continue
        holder = found[fields[name]]
        if isinstance(getattr(holder, name), Iterable):
            raise ValueError(f"{name} must be in the cases or an axis, got both")
        found[fields[name]] = holder._replace(**{name: axis})
    return found


def _listed(value: object) -> list[Mapping[str, Any]]:
    """The cases, each with the same keys."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, Mapping) for one in value):
        raise TypeError(f"cases must be a list of dicts, got {shown(value)}")
    if not value or not value[0]:
        raise ValueError(f"cases must have at least one dict with a key, got {shown(value)}")
    for number, case in enumerate(value):
        if case.keys() != value[0].keys():
            raise ValueError(
                f"all cases must have the same keys, {shown(list(value[0]))}, "
                f"got {shown(list(case))} in cases[{number}]"
            )
    return list(value)


def _check_keys(names: Iterable[object], known: tuple[str, ...]) -> None:
    for name in names:
        if name in _OWN_AXES:
            raise ValueError(
                f"cases must have numbers only, and {name} is none: it can be an axis of its own, "
                f"beside the cases; got {shown(name)} in cases[0]"
            )
        if name not in known:
            hint = did_you_mean_argument(name, known) if isinstance(name, str) else ""
            raise ValueError(
                f"a key of a case must be one of {either(known)}, got {shown(name)}{hint}"
            )
