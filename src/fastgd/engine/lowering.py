"""From checked options to what the kernel takes: a recipe of choices, and values for each run.

The float values of a run form one row: those of the options in the order of their declarations,
then those of the optimizer, of the schedule and of custom functions. Its integers form another row:
the kernel's own, then those of the options. Only this module decides the indices; the kernel learns
each one from the choice that reads the value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.declarations import DECLARED, VALUES
from fastgd.arguments.options import Method
from fastgd.engine.recipe import output_choices, unit_choice
from fastgd.kernel.block import OPTIONS, Recipe
from fastgd.kernel.iteration.activations import BOTH
from fastgd.kernel.language.specialization import Choice, Features
from fastgd.optimizers import ALL, BAYESIAN, LevenbergMarquardt, Optimizer
from fastgd.schedules import Constant, Schedule

_SLOTS = [(DECLARED[name].feature, slot) for name in VALUES for slot in DECLARED[name].slots]
_REAL = [(feature, slot.name) for feature, slot in _SLOTS if not slot.is_whole]
_WHOLE = [(feature, slot.name) for feature, slot in _SLOTS if slot.is_whole]
_PLACES = {slot: place for place, slot in enumerate(_REAL)}
_PLACES |= {slot: place for place, slot in enumerate(_WHOLE, OPTIONS)}
_PLACES_OF = {
    feature: {slot: at for (reader, slot), at in _PLACES.items() if reader == feature}
    for feature, _slot in _SLOTS
}
_OPTIMIZER = len(_REAL)
"""Index of the optimizer's first hyperparameter."""

INTEGERS = OPTIONS + len(_WHOLE)
"""Integers of a run."""

# The step of fastgd.objective, which is no optimizer, stores the derivative as its state.
STATES = {kind.__name__: kind.states for kind in ALL} | {"Derivative": 1}
"""State variables that an optimizer keeps for each parameter."""


def corrections_of(optimizer: Optimizer) -> slice:
    """The part of a run's values that the optimizer changes from step to step."""
    first = _OPTIMIZER + len(optimizer._fields)
    return slice(first, first + len(optimizer.kept))


def bayesian_of(
    corrections: Callable[[], NDArray[np.float64]], recipe: Recipe
) -> NDArray[np.float64]:
    """The columns of :data:`BAYESIAN` in what each of n runs keeps: (n, 3), else (0, 0)."""
    if recipe.bayesian is None:
        return np.empty((0, 0))
    names = list(LevenbergMarquardt.kept)
    return corrections()[:, [names.index(name) for name in BAYESIAN]]


TOLERANCE, PATIENCE = _PLACES["watch", "tolerance"], _PLACES["watch", "patience"]

NEVER = np.iinfo(np.int64).max
"""The patience of a run without one."""

_WANTED_BY = {
    feature: [n for n, o in DECLARED.items() if o.feature == feature and not o.detail]
    for feature in dict.fromkeys(o.feature for o in DECLARED.values() if o.feature)
}
"""For each feature, the options that switch it on; any one of them is enough."""

_OF_RECIPE = ("batches", "tangents", "watch")  # fields of the recipe itself

_WORDS = 2.0**32
_MADE = {
    # Values whose random word is below the threshold are dropped, others are scaled by the factor.
    "threshold": lambda rate: int(rate * _WORDS),
    "factor": lambda rate: 1 / (1 - rate),
    "patience": lambda count: NEVER if count is None else count,
}
"""Values that are computed from the option."""

_FILLED = [
    (name, slot, _PLACES[DECLARED[name].feature, slot.name])
    for name in VALUES
    for slot in DECLARED[name].slots
]
"""Each numeric option that has a slot of its own, with the slot and its index."""


def places_of(method: Method) -> dict[str, int]:
    """The indices of the values that aren't options: hyperparameters and parameters of functions.

    What the optimizer keeps comes after its hyperparameters, under names that functions may use
    too.
    """
    fields, behind = method.optimizer._fields, corrections_of(method.optimizer).stop
    after = (*method.schedule.hyperparameters, *method.numbers)
    places = {name: place for place, name in enumerate(fields, _OPTIMIZER)}
    return places | {name: place for place, name in enumerate(after, behind)}


def width_of(recipe: Recipe) -> int:
    """Float values of a run."""
    choices = (
        *(recipe.optimizer, recipe.schedule, recipe.activation),
        *(recipe.output, recipe.loss, recipe.coupling),
    )
    places: list[int] = [place for choice in choices if choice for place in choice.places.values()]
    return max((_OPTIMIZER - 1, *places)) + 1


class Values(NamedTuple):
    """The values of n runs: floats (n, width) and integers (n, INTEGERS)."""

    numbers: NDArray[np.float64]
    integers: NDArray[np.int64]

    @classmethod
    def of(cls, method: Method, runs: int) -> "Values":
        """The values of a method, repeated for each run; seeds are 0."""
        optimizer, schedule = method.optimizer, method.schedule
        own = [*optimizer._asdict().values(), *optimizer.kept.values()]
        own += [getattr(schedule, name) for name in schedule.hyperparameters]
        own += method.numbers.values()
        numbers, integers = [0.0] * _OPTIMIZER + own, [0] * INTEGERS
        for name, slot, place in _FILLED:
            number = getattr(method, name)
            made = _MADE[slot.name](number) if slot.name in _MADE else number
            (integers if slot.is_whole else numbers)[place] = made
        row = cls(np.array([numbers], np.float64), np.array([integers], np.int64))
        return row if runs == 1 else row.at(np.zeros(runs, np.int64))

    def at(self, runs: NDArray[np.int64]) -> "Values":
        """The values of the runs with these indices."""
        return Values(self.numbers[runs], self.integers[runs])


@dataclass(frozen=True)
class ValueColumn:
    """The values that an axis of an option assigns to runs."""

    parts: tuple[tuple[bool, int, NDArray[Any]], ...]
    """Whether it is an integer, its index, and the (n,) values along the axis."""

    @classmethod
    def of(cls, name: str, axis: Sequence[Any], method: Method) -> "ValueColumn":
        """The column of an option, an optimizer's or schedule's field, or a function parameter."""
        if name not in VALUES:
            return cls(((False, places_of(method)[name], np.array(axis, dtype=np.float64)),))
        parts, option = [], DECLARED[name]
        for slot in option.slots:
            made = list(map(_MADE[slot.name], axis)) if slot.name in _MADE else axis
            numbers = np.array(made, dtype=np.int64 if slot.is_whole else np.float64)
            parts.append((slot.is_whole, _PLACES[option.feature, slot.name], numbers))
        return cls(tuple(parts))

    def __len__(self) -> int:
        """Number of values along the axis."""
        return len(self.parts[0][2])

    def put(self, values: Values, index: NDArray[np.int64]) -> None:
        """Assign to each run the axis value at its index."""
        for whole, place, numbers in self.parts:
            (values.integers if whole else values.numbers)[:, place] = numbers[index]


def choice_of(name: str, feature: str) -> Choice:
    """The choice with this name, which knows the indices of the feature's values."""
    return Choice(name, **_PLACES_OF.get(feature, {}))


def optimizer_choice(optimizer: Optimizer) -> Choice:
    """The optimizer as a choice that knows the indices of its hyperparameters and kept values."""
    names = (*optimizer._fields, *optimizer.kept)
    places = {name: place for place, name in enumerate(names, _OPTIMIZER)}
    return Choice(type(optimizer).__name__, **places)


def schedule_choice(schedule: Schedule, places: dict[str, int]) -> Choice | None:
    """The schedule as a choice that knows the indices of its fields; None if alpha is constant."""
    if isinstance(schedule, Constant):
        return None
    own = {name: places[name] for name in schedule.hyperparameters}
    return Choice(type(schedule).__name__, **own)


def recipe_of(
    method: Method,
    values: Mapping[str, Sequence[Any]],
    *,
    record_weights: bool = False,
    holds_out: bool = False,
    has_gradients: bool = False,
) -> Recipe:
    """What the kernel is compiled for; it includes a feature if any value on its axis needs it."""

    def switch(feature: str, wanted: bool) -> Choice | None:
        return choice_of("on", feature) if wanted else None

    given = {
        name for names in _WANTED_BY.values() for name in names if _is_given(name, method, values)
    }
    wanted = {feature: not given.isdisjoint(names) for feature, names in _WANTED_BY.items()}
    wanted["frozen"] |= method.bias and method.batch_norm  # see Network.learning
    in_batches = method.batch_size is not None
    batches = "adaptive" if method.sampling == "adaptive" else "epochs" if in_batches else "all"
    separate = wanted["dropout"] or wanted["dropconnect"] or method.batch_norm or in_batches
    places = places_of(method)
    outputs = output_choices(method, places, twice=has_gradients)
    is_curved, kinds = is_second_order(method), outputs.output.formulas
    return Recipe(
        optimizer=optimizer_choice(method.optimizer),
        schedule=schedule_choice(method.schedule, places),
        activation=unit_choice(method.activation, places, twice=has_gradients),
        output=outputs.output,
        loss=outputs.loss,
        coupling=outputs.coupling,
        mean=switch("mean", method.reduction == "mean"),
        batch_norm=switch("batch_norm", method.batch_norm),
        batches=choice_of(batches, "batches") if batches == "adaptive" else Choice(batches),
        watch=choice_of(method.monitor, "watch") if wanted["watch"] else None,
        separate=switch("separate", separate),
        path=switch("path", record_weights),
        held=switch("held", holds_out),
        best=switch("best", method.restore_best),
        outputs=None,
        inputs=switch("inputs", outputs.are_from_inputs or (is_curved and BOTH in kinds)),
        curvature=switch("curvature", is_curved),
        bayesian=switch("bayesian", method.regularization == "bayesian"),
        tangents=switch("tangents", has_gradients),
        features=Features(
            **{name: switch(name, on) for name, on in wanted.items() if name not in _OF_RECIPE}
        ),
    )


def look_of(method: Method, values: Mapping[str, Sequence[Any]], record_every: int) -> int:
    """Iterations between evaluations of the monitored error; 0 means once per epoch."""
    if method.evaluate_every is not None:
        return int(method.evaluate_every)
    by_epoch = any(_is_given(name, method, values) for name in ("patience", "tolerance", "summary"))
    return 0 if by_epoch else record_every


def may_end(method: Method, values: Mapping[str, Sequence[Any]]) -> bool:
    """Whether the monitored error may end a run early."""
    stops = any(_is_given(name, method, values) for name in ("patience", "tolerance"))
    return stops or is_second_order(method)


def is_second_order(method: Method) -> bool:
    """Whether a step solves a system with the products of all derivatives."""
    return bool(method.optimizer.second_order)


def _is_given(name: str, method: Method, values: Mapping[str, Sequence[Any]]) -> bool:
    """Whether any run has another value of this option than the default."""
    default = DECLARED[name].default
    if name in values:
        return any(value != default for value in values[name])
    return bool(getattr(method, name) != default)
