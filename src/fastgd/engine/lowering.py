"""From checked options to what the kernel takes: a recipe of choices, and numbers for each run.

The numbers of a run stand in one row: those of the options in the order of their declarations, then
those of the optimizer, of the schedule and of functions. Its integers stand in another: the
kernel's own, then those of the options. Each has its place there by this module alone; the kernel
finds it in the choice that reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.declarations import DECLARED, VALUES
from fastgd.arguments.options import Method
from fastgd.engine.choices import output_choices, unit_choice
from fastgd.kernel.block import OPTIONS, Recipe
from fastgd.kernel.language.specialization import Choice, Features
from fastgd.optimizers import ALL, Optimizer
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
"""Place of the optimizer's first number."""

INTEGERS = OPTIONS + len(_WHOLE)
"""Integers of a run."""

# fastgd.objective's step, which is no optimizer, puts the derivative there.
STATES = {kind.__name__: kind.states for kind in ALL} | {"Derivative": 1}
"""Numbers that a step keeps for each parameter."""


def corrections_of(optimizer: Optimizer) -> slice:
    """Where among a run's numbers those are that the optimizer changes from step to step."""
    first = _OPTIMIZER + len(optimizer._fields)
    return slice(first, first + len(optimizer.kept))


TOLERANCE, PATIENCE = _PLACES["watch", "tolerance"], _PLACES["watch", "patience"]

NEVER = np.iinfo(np.int64).max
"""The patience of a run that has no end of it."""

_WANTED_BY = {
    feature: [n for n, o in DECLARED.items() if o.feature == feature and not o.detail]
    for feature in dict.fromkeys(o.feature for o in DECLARED.values() if o.feature)
}
"""The options that any of which, if given, switch a feature on."""

_OF_RECIPE = ("batches", "watch")  # which the recipe has by themselves

_WORDS = 2.0**32
_MADE = {
    # Random words below the threshold are dropped; the factor is what the others are multiplied by.
    "threshold": lambda rate: int(rate * _WORDS),
    "factor": lambda rate: 1 / (1 - rate),
    "patience": lambda count: NEVER if count is None else count,
}
"""Numbers that are not the option itself."""

_FILLED = [
    (name, slot, _PLACES[DECLARED[name].feature, slot.name])
    for name in VALUES
    for slot in DECLARED[name].slots
]
"""Each option of numbers with a slot of its own, and the slot's place."""


def places_of(method: Method) -> dict[str, int]:
    """Where the numbers stand that are no options: fields of them, and numbers of functions.

    What the optimizer keeps stands behind its fields, under names that functions may have, too.
    """
    fields, behind = method.optimizer._fields, corrections_of(method.optimizer).stop
    after = (*method.schedule.hyperparameters, *method.numbers)
    places = {name: place for place, name in enumerate(fields, _OPTIMIZER)}
    return places | {name: place for place, name in enumerate(after, behind)}


def width_of(recipe: Recipe) -> int:
    """Numbers of a run."""
    choices = (
        *(recipe.optimizer, recipe.schedule, recipe.activation),
        *(recipe.output, recipe.loss, recipe.coupling),
    )
    places: list[int] = [place for choice in choices if choice for place in choice.places.values()]
    return max((_OPTIMIZER - 1, *places)) + 1


class Values(NamedTuple):
    """Of n runs: their numbers (n, width), and their integers (n, INTEGERS)."""

    numbers: NDArray[np.float64]
    integers: NDArray[np.int64]

    @classmethod
    def of(cls, method: Method, runs: int) -> "Values":
        """Those of a method, so many times; seeds are 0."""
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
        """Those of the runs with these numbers."""
        return Values(self.numbers[runs], self.integers[runs])


@dataclass(frozen=True)
class ValueColumn:
    """What an axis of an option puts among the values of runs."""

    parts: tuple[tuple[bool, int, NDArray[Any]], ...]
    """Whether it is an integer, its place, and the (n,) numbers along the axis."""

    @classmethod
    def of(cls, name: str, axis: Sequence[Any], method: Method) -> "ValueColumn":
        """The column of an option, of a field of one, or of a function's number."""
        if name not in VALUES:
            return cls(((False, places_of(method)[name], np.array(axis, dtype=np.float64)),))
        parts, option = [], DECLARED[name]
        for slot in option.slots:
            made = list(map(_MADE[slot.name], axis)) if slot.name in _MADE else axis
            numbers = np.array(made, dtype=np.int64 if slot.is_whole else np.float64)
            parts.append((slot.is_whole, _PLACES[option.feature, slot.name], numbers))
        return cls(tuple(parts))

    def __len__(self) -> int:
        """Values along the axis."""
        return len(self.parts[0][2])

    def put(self, values: Values, index: NDArray[np.int64]) -> None:
        """Give each run the value of the axis with its index."""
        for whole, place, numbers in self.parts:
            (values.integers if whole else values.numbers)[:, place] = numbers[index]


def choice_of(name: str, feature: str) -> Choice:
    """The choice with this name, which knows the places of the feature's numbers."""
    return Choice(name, **_PLACES_OF.get(feature, {}))


def optimizer_choice(optimizer: Optimizer) -> Choice:
    """The optimizer as a choice that knows the places of its fields, and of what it keeps."""
    names = (*optimizer._fields, *optimizer.kept)
    places = {name: place for place, name in enumerate(names, _OPTIMIZER)}
    return Choice(type(optimizer).__name__, **places)


def schedule_choice(schedule: Schedule, places: dict[str, int]) -> Choice | None:
    """The schedule as a choice that knows the places of its fields; None if there is none."""
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
) -> Recipe:
    """What the kernel is compiled for: a feature is in it if any value on its axis needs it."""

    def switch(feature: str, wanted: bool) -> Choice | None:
        return choice_of("on", feature) if wanted else None

    given = {
        name for names in _WANTED_BY.values() for name in names if _is_given(name, method, values)
    }
    wanted = {feature: not given.isdisjoint(names) for feature, names in _WANTED_BY.items()}
    in_batches = method.batch_size is not None
    batches = "adaptive" if method.sampling == "adaptive" else "epochs" if in_batches else "all"
    separate = wanted["dropout"] or wanted["dropconnect"] or method.batch_norm or in_batches
    places = places_of(method)
    outputs = output_choices(method, places)
    return Recipe(
        optimizer=optimizer_choice(method.optimizer),
        schedule=schedule_choice(method.schedule, places),
        activation=unit_choice(method.activation, places),
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
        inputs=switch("inputs", outputs.are_from_inputs),
        features=Features(
            **{name: switch(name, on) for name, on in wanted.items() if name not in _OF_RECIPE}
        ),
    )


def look_of(method: Method, values: Mapping[str, Sequence[Any]], record_every: int) -> int:
    """Iterations from one look at the watched error to the next; 0 for an epoch."""
    if method.evaluate_every is not None:
        return int(method.evaluate_every)
    by_epoch = any(_is_given(name, method, values) for name in ("patience", "tolerance", "summary"))
    return 0 if by_epoch else record_every


def may_end(method: Method, values: Mapping[str, Sequence[Any]]) -> bool:
    """Whether the watched error may end a run early."""
    return any(_is_given(name, method, values) for name in ("patience", "tolerance"))


def _is_given(name: str, method: Method, values: Mapping[str, Sequence[Any]]) -> bool:
    """Whether a run has another value of an option than the default."""
    default = DECLARED[name].default
    if name in values:
        return any(value != default for value in values[name])
    return bool(getattr(method, name) != default)
