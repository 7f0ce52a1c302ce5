"""The argument `combinations`: a list of settings, in place of the product of several axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from fastgd.arguments.axes import hint_of, kinds_of
from fastgd.arguments.declarations import FIELDED, STRUCTURES, VALUES
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import either, shown
from fastgd.hyperparameters import Hyperparameters

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

OTHERS = ("alpha", "seed")
"""Arguments of a run that a combination may set, in addition to options."""

_OWN_AXES = ("hidden_size", *STRUCTURES, "sample_weight", "groups", "folds", "weights", "biases")

_BYTES = 80
"""Memory of one number in a combination, as a Python object."""


def taking_combinations(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorator: pass each key of ``combinations`` to the function as an axis of that name.

    The function also receives the combinations, from which it knows which axes vary together. The
    keys are spread here, since only the caller's own arguments show whether one is given twice.
    """

    @wraps(function)
    def call(*args: Parameters.args, **given: Parameters.kwargs) -> Result:
        if given.get("combinations") is None:
            return function(*args, **given)
        return function(*args, **spread(given))

    return call


def spread(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call, with an axis for each key of its combinations.

    The values are not checked.

    Raises
    ------
    ValueError, TypeError
        If the combinations don't all have the same keys, or a key is not the name of a number, or
        is given twice.
    """
    combinations = _listed(given["combinations"])
    holders = {option: given.get(option) for option in FIELDED}
    fields = {
        field: option
        for option, holder in holders.items()
        if isinstance(holder, Hyperparameters)
        for field in holder.hyperparameters
    }
    _check_keys(combinations[0], (*OTHERS, *VALUES, *fields, *kinds_of(given)), given)
    check_memory(_BYTES * len(combinations) * len(combinations[0]), "combinations")
    found = {**given, "combinations": combinations}
    for name in combinations[0]:
        axis = [combination[name] for combination in combinations]
        if name in given:
            raise ValueError(f"{name} must be in the combinations or an argument, got both")
        if name not in fields:
            found[name] = axis
            continue
        holder = found[fields[name]]
        if isinstance(getattr(holder, name), Iterable):
            raise ValueError(f"{name} must be in the combinations or an axis, got both")
        found[fields[name]] = holder._replace(**{name: axis})
    return found


def _listed(value: object) -> list[Mapping[str, Any]]:
    """Return the combinations, after checking that all have the same keys."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, Mapping) for one in value):
        raise TypeError(f"combinations must be a list of dicts, got {shown(value)}")
    if not value or not value[0]:
        raise ValueError(f"combinations must have at least one dict with a key, got {shown(value)}")
    for number, combination in enumerate(value):
        if combination.keys() != value[0].keys():
            raise ValueError(
                f"all combinations must have the same keys, {shown(list(value[0]))}, "
                f"got {shown(list(combination))} in combinations[{number}]"
            )
    return list(value)


def _check_keys(names: Iterable[object], known: tuple[str, ...], given: Mapping[str, Any]) -> None:
    for name in names:
        if name in _OWN_AXES:
            raise ValueError(
                f"combinations must have numbers only, and {name} is not a number: make it an axis "
                f"of its own, next to the combinations; got {shown(name)} in combinations[0]"
            )
        if name not in known:
            hint = hint_of(name, given, (*known, *FIELDED)) if isinstance(name, str) else ""
            raise ValueError(
                f"a key of a combination must be one of {either(known)}, got {shown(name)}{hint}"
            )
