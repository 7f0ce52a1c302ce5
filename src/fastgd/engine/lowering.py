"""From checked options to what the kernel takes: a recipe of choices, and numbers for each run.

The numbers of a run stand in one row: its seed, those of the options in the order of
:data:`NUMBERS`, those of the optimizer. Each has its place there by this module alone; the kernel
finds it in the choice that reads it.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.kernel.block import SEED, Recipe
from fastgd.kernel.language.choice import Choice, Features
from fastgd.optimizers import ALL, Optimizer

Column = tuple[tuple[int, ...], NDArray[np.float64]]
"""Places among the kernel's values, and the numbers (n, places) that an axis puts there."""


class Number(NamedTuple):
    """What the kernel makes of an option: a number of each run, read by one of its choices."""

    choice: str
    name: str
    whole: bool = False  # a whole number, if it is finite


NUMBERS: dict[str, tuple[Number, ...]] = {
    "sampling_rate": (Number("batches", "sampling_rate"),),
    # Random words below the threshold are dropped; the factor is what the others are multiplied by.
    "dropout": (Number("dropout", "threshold", whole=True), Number("dropout", "factor")),
    "dropconnect": (
        Number("dropconnect", "threshold", whole=True),
        Number("dropconnect", "factor"),
    ),
    "l1": (Number("penalty", "l1"),),
    "l2": (Number("penalty", "l2"),),
    "trim_below": (Number("trimming", "trim_below"),),
    "clip_above": (Number("trimming", "clip_above"),),
    "tolerance": (Number("watch", "tolerance"),),  # negative: not watched, though others are
    "patience": (Number("watch", "patience", whole=True),),
}
_ALL = [(option, number) for option, numbers in NUMBERS.items() for number in numbers]
_PLACES = {(number.choice, number.name): place for place, (_, number) in enumerate(_ALL, SEED + 1)}
_OPTIMIZER = SEED + 1 + len(_ALL)
"""Place of the optimizer's first number."""

VALUES = _OPTIMIZER + max(len(kind._fields) + len(kind.kept) for kind in ALL)
"""Numbers of a run, with any optimizer."""

# fastgd.objective's step, which is no optimizer, puts the derivative there.
STATES = {kind.__name__: kind.states for kind in ALL} | {"Derivative": 1}
"""Numbers that a step keeps for each parameter."""

TOLERANCE, PATIENCE = _PLACES["watch", "tolerance"], _PLACES["watch", "patience"]

_WORDS = 2.0**32
_MADE = {
    "threshold": lambda rates: np.floor(rates * _WORDS),
    "factor": lambda rates: 1 / (1 - rates),
}
"""Numbers that are not the option itself."""


def choice_of(name: str, reads: str) -> Choice:
    """The choice with this name, with the places of the options that it ``reads``."""
    return Choice(
        name, **{number: at for (choice, number), at in _PLACES.items() if choice == reads}
    )


def optimizer_choice(optimizer: Optimizer) -> Choice:
    """The optimizer as a choice that knows where its fields are."""
    names = (*optimizer._fields, *optimizer.kept)
    places = {name: place for place, name in enumerate(names, _OPTIMIZER)}
    return Choice(type(optimizer).__name__, **places)


def recipe_of(
    method: Method, values: Mapping[str, Sequence[Any]], record_weights: bool = False
) -> Recipe:
    """What the kernel is compiled for: a feature is in it if any value on its axis needs it."""

    def wanted(name: str, off: object) -> bool:
        return any(value != off for value in values.get(name, [getattr(method, name)]))

    def switch(name: str, *wanted: bool) -> Choice | None:
        return choice_of("on", name) if any(wanted) else None

    in_batches = "epochs" if method.batch_size is not None else "all"
    dropout, dropconnect = wanted("dropout", 0), wanted("dropconnect", 0)
    batches = "adaptive" if method.sampling == "adaptive" else in_batches
    return Recipe(
        optimizer=optimizer_choice(method.optimizer),
        activation=Choice(method.activation),
        output=Choice(method.output),
        loss=Choice(method.loss),
        batch_norm=switch("batch_norm", method.batch_norm),
        batches=choice_of(batches, "batches") if batches == "adaptive" else Choice(batches),
        watch=switch(
            "watch", wanted("tolerance", 0), wanted("patience", None), wanted("summary", None)
        ),
        separate=switch(
            "separate", dropout, dropconnect, method.batch_norm, method.batch_size is not None
        ),
        path=switch("path", record_weights),
        loss_value=None,
        features=Features(
            penalty=switch("penalty", wanted("l1", 0), wanted("l2", 0)),
            trimming=switch("trimming", wanted("trim_below", 0), wanted("clip_above", inf)),
            dropout=switch("dropout", dropout),
            dropconnect=switch("dropconnect", dropconnect),
        ),
    )


def base_values(method: Method) -> NDArray[np.float64]:
    """(VALUES,) numbers of a run with these options, but for its seed."""
    row = np.zeros(VALUES)
    numbers = (*method.optimizer._asdict().values(), *method.optimizer.kept.values())
    row[_OPTIMIZER : _OPTIMIZER + len(numbers)] = numbers
    for name in NUMBERS:
        places, found = column(name, [getattr(method, name)], method)
        row[list(places)] = found[0]
    return row


def column(name: str, values: Sequence[Any], method: Method) -> Column:
    """Where the kernel has an option, or a field of the optimizer, and its numbers there."""
    numbers = np.array([inf if value is None else value for value in values], dtype=np.float64)
    if name not in NUMBERS:
        return (_OPTIMIZER + method.optimizer._fields.index(name),), numbers[:, None]
    places = tuple(_PLACES[number.choice, number.name] for number in NUMBERS[name])
    made = [_MADE.get(number.name, lambda same: same)(numbers) for number in NUMBERS[name]]
    return places, np.column_stack(made)
