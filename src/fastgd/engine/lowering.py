"""From checked options to what the kernel takes: a recipe of choices, and numbers for each run."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.kernel import block as slots
from fastgd.kernel.block import Recipe
from fastgd.kernel.language.choice import Choice

Column = tuple[tuple[int, ...], NDArray[np.float64]]
"""Places among the kernel's values, and the numbers (n, places) that an axis puts there."""

_WORDS = 2.0**32

_PLACES = {
    "l1": slots.L1,
    "l2": slots.L2,
    "trim_below": slots.TRIM,
    "clip_above": slots.CLIP,
    "tolerance": slots.TOLERANCE,
    "patience": slots.PATIENCE,
    "sampling_rate": slots.SAMPLING_RATE,
}
_RATES = {
    "dropout": (slots.DROPOUT, slots.DROPOUT_FACTOR),
    "dropconnect": (slots.DROPCONNECT, slots.DROPCONNECT_FACTOR),
}


def recipe_of(
    method: Method, values: Mapping[str, Sequence[Any]], record_weights: bool = False
) -> Recipe:
    """What the kernel is compiled for: a feature is in it if any value on its axis needs it."""

    def wanted(name: str, off: object) -> bool:
        return any(value != off for value in values.get(name, [getattr(method, name)]))

    def choice(*wanted: bool) -> Choice | None:
        return Choice("on") if any(wanted) else None

    in_batches = "epochs" if method.batch_size is not None else "all"
    dropout, dropconnect = wanted("dropout", 0), wanted("dropconnect", 0)
    return Recipe(
        optimizer=Choice(type(method.optimizer).__name__),
        activation=Choice(method.activation),
        output=Choice(method.output),
        loss=Choice(method.loss),
        penalty=choice(wanted("l1", 0), wanted("l2", 0)),
        trimming=choice(wanted("trim_below", 0), wanted("clip_above", inf)),
        dropout=choice(dropout),
        dropconnect=choice(dropconnect),
        batch_norm=choice(method.batch_norm),
        batches=Choice("adaptive" if method.sampling == "adaptive" else in_batches),
        watch=choice(wanted("tolerance", 0), wanted("patience", None), wanted("summary", None)),
        separate=choice(dropout, dropconnect, method.batch_norm, method.batch_size is not None),
        path=choice(record_weights),
    )


def base_values(method: Method) -> NDArray[np.float64]:
    """(VALUES,) numbers of a run with these options, but for its seed."""
    row = np.zeros(slots.VALUES)
    row[[slots.POWERS, slots.POWERS + 1]] = 1.0
    for name in method.optimizer._fields:
        places, numbers = column(name, [getattr(method.optimizer, name)], method)
        row[list(places)] = numbers[0]
    for name in (*_PLACES, *_RATES):
        places, numbers = column(name, [getattr(method, name)], method)
        row[list(places)] = numbers[0]
    return row


def column(name: str, values: Sequence[Any], method: Method) -> Column:
    """Where the kernel has an option, or a field of the optimizer, and its numbers there."""
    numbers = np.array([inf if value is None else value for value in values], dtype=np.float64)
    if name in _RATES:
        return _RATES[name], np.column_stack([np.floor(numbers * _WORDS), 1 / (1 - numbers)])
    if name in _PLACES:
        return (_PLACES[name],), numbers[:, None]
    return (slots.FIELDS + method.optimizer._fields.index(name),), numbers[:, None]
