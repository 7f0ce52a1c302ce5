"""From checked options to what the kernel takes: a recipe of choices, and numbers for each run.

The numbers of a run stand in one row: those of the options in the order of :data:`NUMBERS`, then
those of the optimizer. Its integers stand in another: the kernel's own, then those of the options.
Each has its place there by this module alone; the kernel finds it in the choice that reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.kernel.block import OPTIONS, Recipe
from fastgd.kernel.language.choice import Choice, Features
from fastgd.optimizers import ALL, Optimizer


class Number(NamedTuple):
    """What the kernel makes of an option: a number of each run, read by one of its choices."""

    choice: str
    name: str
    whole: bool = False  # an integer


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
_ALL = [number for numbers in NUMBERS.values() for number in numbers]
_REAL = [number for number in _ALL if not number.whole]
_WHOLE = [number for number in _ALL if number.whole]
_PLACES = {number: place for place, number in enumerate(_REAL)}
_PLACES |= {number: place for place, number in enumerate(_WHOLE, OPTIONS)}
_OPTIMIZER = len(_REAL)
"""Place of the optimizer's first number."""

INTEGERS = OPTIONS + len(_WHOLE)
"""Integers of a run."""

VALUES = _OPTIMIZER + max(len(kind._fields) + len(kind.kept) for kind in ALL)
"""Numbers of a run, with any optimizer."""

# fastgd.objective's step, which is no optimizer, puts the derivative there.
STATES = {kind.__name__: kind.states for kind in ALL} | {"Derivative": 1}
"""Numbers that a step keeps for each parameter."""

TOLERANCE = _PLACES[Number("watch", "tolerance")]
PATIENCE = _PLACES[Number("watch", "patience", whole=True)]

NEVER = np.iinfo(np.int64).max
"""The patience of a run that has no end of it."""

_WORDS = 2.0**32
_MADE = {
    "threshold": lambda rates: [int(rate * _WORDS) for rate in rates],
    "factor": lambda rates: [1 / (1 - rate) for rate in rates],
    "patience": lambda counts: [NEVER if count is None else count for count in counts],
}
"""Numbers that are not the option itself."""


class Values(NamedTuple):
    """Of n runs: their numbers (n, VALUES), and their integers (n, INTEGERS)."""

    numbers: NDArray[np.float64]
    integers: NDArray[np.int64]

    @classmethod
    def of(cls, method: Method, runs: int) -> "Values":
        """Those of a method, so many times; seeds are 0."""
        values = cls(np.zeros((1, VALUES)), np.zeros((1, INTEGERS), np.int64))
        numbers = (*method.optimizer._asdict().values(), *method.optimizer.kept.values())
        values.numbers[0, _OPTIMIZER : _OPTIMIZER + len(numbers)] = numbers
        for name in NUMBERS:
            Column.of(name, [getattr(method, name)], method).put(values, np.zeros(1, np.int64))
        return values.at(np.zeros(runs, np.int64))

    def at(self, runs: NDArray[np.int64]) -> "Values":
        """Those of the runs with these numbers."""
        return Values(self.numbers[runs], self.integers[runs])


@dataclass(frozen=True)
class Column:
    """What an axis of an option puts among the values of runs."""

    parts: tuple[tuple[bool, int, NDArray[Any]], ...]
    """Whether it is an integer, its place, and the (n,) numbers along the axis."""

    @classmethod
    def of(cls, name: str, axis: Sequence[Any], method: Method) -> "Column":
        """The column of an option, or of a field of the optimizer."""
        if name not in NUMBERS:
            place = _OPTIMIZER + method.optimizer._fields.index(name)
            return cls(((False, place, np.array(axis, dtype=np.float64)),))
        parts = []
        for number in NUMBERS[name]:
            made = _MADE[number.name](axis) if number.name in _MADE else axis
            kind = np.int64 if number.whole else np.float64
            parts.append((number.whole, _PLACES[number], np.array(made, dtype=kind)))
        return cls(tuple(parts))

    def __len__(self) -> int:
        """Values along the axis."""
        return len(self.parts[0][2])

    def put(self, values: Values, index: NDArray[np.int64]) -> None:
        """Give each run the value of the axis with its index."""
        for whole, place, numbers in self.parts:
            (values.integers if whole else values.numbers)[:, place] = numbers[index]


def choice_of(name: str, reads: str) -> Choice:
    """The choice with this name, with the places of the options that it ``reads``."""
    return Choice(
        name, **{number.name: at for number, at in _PLACES.items() if number.choice == reads}
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
