"""The names of options, and whether an argument of a sweep is an axis or a single value.

Names are those of the declarations, and those of the parameters of a call's own functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Sized
from functools import wraps
from math import prod
from numbers import Real
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from fastgd import optimizers, schedules
from fastgd.arguments.declarations import DECLARED, FIELDED, STRUCTURES, VALUES
from fastgd.arguments.initial_network import WholeNetwork, stack_of
from fastgd.arguments.option_types import Fielded, Number
from fastgd.checks.messages import called_here, did_you_mean_argument, either, shown
from fastgd.checks.numbers import array_of, check_memory, length
from fastgd.formulas.named import ACTIVATIONS, LOSSES, OUTPUTS, Formula, NamedLoss, Schedule, Unit
from fastgd.formulas.rules import Rule
from fastgd.optimizers import Hyperparameters

_NAMED: dict[str, Mapping[str, Unit | NamedLoss]] = {
    "activation": ACTIVATIONS,
    "output": OUTPUTS,
    "loss": LOSSES,
    "penalty": {},
    "schedule": {},
}

FORMULAS = tuple(_NAMED)
"""The options that are functions."""

ARGUMENTS = (
    *("hidden_size", "alpha", "iterations", "record_every", "seed", "weights", "biases"),
    *("threads", "device", "progress"),
)
"""Named arguments of most calls, for suggestions in messages: "alphas" is like none of the options.
"""

TAKEN = frozenset(
    (
        *DECLARED,
        *(f for kind in (*optimizers.ALL, *schedules.ALL) for f in kind.hyperparameters),
        *ARGUMENTS,
        *("X", "y", "w", "groups", "folds", "group", "fold", "validation", "keep_weights"),
        *("record_weights", "record_predictions", "keep_state", "resume", "samples", "change"),
        *("checkpoint", "checkpoint_every", "out"),
        *("executor", "threads_per_worker", "combinations", "combination"),
    )
)
"""Names that such a parameter can't have."""

_FIELDS = {f for kind in optimizers.ALL for f in kind.hyperparameters}


def changing(holder: Hyperparameters) -> dict[str, Schedule]:
    """Return an optimizer's fields that are schedules, by name."""
    own = vars(holder)
    if Schedule not in map(type, own.values()):  # the usual case, in half a microsecond
        return {}
    return {n: own[n] for n in holder.hyperparameters if type(own[n]) is Schedule}


def formulas_of(given: Mapping[str, Any]) -> dict[str, Formula | None]:
    """Return the function of each of these options; None if it has none or is an axis.

    With the schedules in the optimizer, by the names of its fields.
    """
    found: dict[str, Formula | None] = {}
    for option, known in _NAMED.items():
        value = given.get(option, DECLARED[option].default)
        if isinstance(value, str) and value in known:
            found[option] = known[value].function
        elif isinstance(value, (str, Formula)):
            found[option] = DECLARED[option].kind.check(option, value, 0)  # refuses other names
        else:  # an axis, or rejected later
            found[option] = None
    optimizer = given.get("optimizer")
    return found | changing(optimizer) if isinstance(optimizer, Hyperparameters) else found


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


OWNED: dict[str, Owned] = {}
"""The parameters of named functions."""


for _option, _known in _NAMED.items():
    for _name, _facts in _known.items():
        for _number, _default in _facts.function.parameters.items() if _facts.function else ():
            _owned = OWNED.get(_number, Owned(_option, (), _default))
            OWNED[_number] = _owned._replace(names=(*_owned.names, _name))


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
    chosen = given.get("optimizer")
    if isinstance(chosen, Rule) and name in chosen.hyperparameters:
        return f": {name} is a field of optimizer=Rule(..., {name}=...)"
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
    chosen = given.get("optimizer")
    several = chosen if isinstance(chosen, list) else [chosen]
    fields = {f for one in several if isinstance(one, Rule) for f in one.hyperparameters}
    for name in fields & (TAKEN - _FIELDS):
        raise ValueError(
            "a hyperparameter of a Rule must not have the name of another argument, or of a field "
            f"of a schedule, got {name}"
        )
    owners: dict[str, tuple[str, Formula]] = {}
    for option, formula in formulas_of(given).items():
        if formula is None:
            continue
        for name in formula.parameters:
            if name in TAKEN or name in fields:
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


# ---------------------------------------------------- axes

MOST_NETWORKS = 10_000
"""The most combinations of the axes that change the network or its compiled code.

Each combination has a memory layout of its own. A new one may take seconds to compile, and another
network size takes about a millisecond to lay out.
"""

# Bytes per value of an axis kept as Python objects: 8 for its place in a list and about 32 for the
# value itself, both once as given and once as checked.
_AXIS_BYTES = 80

# Types that might be taken for an axis, but are a single value of the argument.
_SINGLE: dict[str, Any] = {
    "hidden_size": tuple,
    "alpha": tuple,
    "activation": (str, Formula),
    "output": (str, Formula),
    "loss": (str, Formula),
    "penalty": (str, Formula),
    "reduction": str,
    "init": (str, tuple),
}


_LISTS: dict[str, Callable[[list[object]], bool]] = {
    "weights": lambda items: isinstance(items[0], WholeNetwork) or _nesting(items) > 3,
    # Of tuples, or lists of masks, which have 2 dimensions, or of what begins with True or None.
    "freeze": lambda items: any(_nesting(item) in (1, 3, 4) for item in items),
    "schedule": lambda items: not isinstance(items[0], Real),
}
"""Arguments that may be a list themselves, and when one is an axis."""


def as_axis(name: str, value: object, most: int | None = None) -> list[object] | None:
    """Return the values along an axis of a sweep, unchecked, or None if value is a single one.

    A list, range or 1-D array (also a pandas Series) is an axis, and so is a 2-D array for `alpha`:
    its rows become tuples. A tuple or a string is a single value for arguments that may be one; for
    the others it raises, as does any other iterable. A 0-d array is a single value. `weights` are
    an axis if they are a list of networks, or of lists or tuples of 2-D arrays, or 3-D arrays, one
    per layer. `schedule` is an axis if it is a list of anything but numbers, `freeze` if it is one
    of tuples or of lists that aren't masks.

    An axis of more than `most` values raises before its values are listed.
    """
    items = value if isinstance(value, list) else []
    if name == "weights" and (stack := stack_of(value)):
        return list(stack[0])  # as many; all layers are checked together, later
    if name in _LISTS:
        return _listed(name, items, most) if items and _LISTS[name](items) else None
    if isinstance(value, (list, range)):
        return _listed(name, value, most)
    if isinstance(value, _SINGLE.get(name, ())):
        return None
    if hasattr(value, "__array__"):
        array = array_of(name, value)
        if array.ndim > (2 if name == "alpha" else 1):
            raise ValueError(f"an axis of {name} must be 1-D, got shape {array.shape}")
        if array.dtype.kind in "mM":  # tolist() would turn them into integers
            raise TypeError(
                f"an axis of {name} must hold no dates or times, got {shown(value)} "
                f"(dtype {array.dtype})"
            )
        return _listed(name, array, most) if array.ndim else None
    if isinstance(value, Iterable):
        raise TypeError(
            f"{name} must be one value, or a list, range or 1-D array of values as an axis, "
            f"got {shown(value)}"
        )
    return None


def axes_among(given: Mapping[str, object], most: int | None = None) -> dict[str, list[Any]]:
    """Return the arguments that are axes, each as `as_axis` lists it."""
    found = {name: as_axis(name, value, most) for name, value in given.items()}
    return {name: axis for name, axis in found.items() if axis is not None}


def check_axes(axes: Collection[str], *, weights_given: bool) -> None:
    """Reject axes that given weights leave without effect, be these one network or an axis."""
    for name in ("hidden_size", "seed"):
        if weights_given and name in axes:
            raise ValueError(
                f"{name} must not be an axis where weights are given, since they replace it, "
                "got both"
            )


def check_networks(axes: Mapping[str, Sized]) -> None:
    """Reject too many combinations of the axes that change the network, before they are made."""
    count = prod(map(len, axes.values()))
    if count > MOST_NETWORKS:
        names = [name for name, axis in axes.items() if len(axis) > 1]
        raise ValueError(
            f"the axes of networks must have at most {MOST_NETWORKS:,} combinations, "
            f"got {count:,} of {' x '.join(names)}"
        )


def check_distinct(axes: Mapping[str, Sequence[Any]]) -> None:
    """Reject an axis with a value that is there twice."""
    for name, axis in axes.items():
        are_numbers = all(isinstance(value, (int, float)) for value in axis)
        values: Any = np.unique(axis) if are_numbers else set(axis)
        if len(values) < len(axis):
            twice, _ = Counter(axis).most_common(1)[0]
            hint = ": the layers of one network are a tuple" if name == "hidden_size" else ""
            raise ValueError(
                f"an axis of {name} must have each value once, got {shown(twice)} twice{hint}"
            )


def _listed(
    name: str, axis: list[object] | range | NDArray[np.generic], most: int | None
) -> list[object]:
    count = axis.size if isinstance(axis, np.ndarray) else length(axis)
    if count == 0:
        raise ValueError(f"an axis of {name} must have at least one value, got {shown(axis)}")
    if most is not None and count > most:
        raise ValueError(f"an axis of {name} must have at most {most:,} values, got {count:,}")
    check_memory(_AXIS_BYTES * count, f"an axis of {name}")
    if not isinstance(axis, np.ndarray):
        return list(axis)
    if axis.ndim == 1:
        values: list[object] = axis.tolist()
        return values
    return list(zip(*axis.T.tolist(), strict=True))


def _nesting(value: object) -> int:
    """Return the number of dimensions along the first elements, with lists up to 4 levels deep."""
    depth = 0
    while isinstance(value, (list, tuple)) and value and depth < 4:
        depth += 1
        value = value[0]
    dimensions = getattr(value, "ndim", 0)
    return depth + (dimensions if isinstance(dimensions, int) else 0)


# ---------------------------------------------------- combinations

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")

OTHERS = ("alpha", "seed")
"""Arguments of a run that a combination may set, in addition to options."""

_OWN_AXES = (
    *("hidden_size", *STRUCTURES, "freeze"),
    *("sample_weight", "groups", "folds", "weights", "biases"),
)

_BYTES_OF_NUMBER = 80
"""Memory of one number in a combination, as a Python object."""


def taking_combinations(function: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Decorator: pass each key of ``combinations`` to the function as an axis of that name.

    The function also receives the combinations, from which it knows which axes vary together. The
    keys are spread here, since only the caller's own arguments show whether one is given twice.
    """

    @wraps(function)
    def call(*args: Arguments.args, **given: Arguments.kwargs) -> Returned:
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
    combinations = _combinations(given["combinations"])
    keys = combinations[0].keys()
    holders = {option: given.get(option) for option in FIELDED}
    fields = {
        field: option
        for option, holder in holders.items()
        if isinstance(holder, Hyperparameters)
        for field in holder.hyperparameters
    }
    known = (*OTHERS, *VALUES, *fields, *kinds_of(given))
    for name in keys:
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
    check_memory(_BYTES_OF_NUMBER * len(combinations) * len(keys), "combinations")
    found = {**given, "combinations": combinations}
    for name in keys:
        axis = [combination[name] for combination in combinations]
        if name in given:
            raise ValueError(f"{name} must be in the combinations or an argument, got both")
        if name not in fields:
            found[name] = axis
            continue
        holder = found[fields[name]]
        if isinstance(getattr(holder, name), (Iterable, Schedule)):
            other = "an axis" if isinstance(getattr(holder, name), Iterable) else "a Schedule"
            raise ValueError(f"{name} must be in the combinations or {other}, got both")
        found[fields[name]] = holder._replace(**{name: axis})
    return found


def _combinations(value: object) -> list[Mapping[str, Any]]:
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
