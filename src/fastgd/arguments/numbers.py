"""The numbers of activations and losses: which there are, and what they may be."""

from collections.abc import Mapping
from typing import Any

from fastgd import optimizers, schedules
from fastgd.arguments.axes import as_axis
from fastgd.arguments.choices import loss_of, unit_of
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.functions import Formula
from fastgd.arguments.kinds import Number
from fastgd.arguments.messages import shown

FORMULAS = ("activation", "output", "loss")
"""The options that are functions."""

TAKEN = frozenset(
    (
        *DECLARED,
        *(f for kind in (*optimizers.ALL, *schedules.ALL) for f in kind.hyperparameters),
        *("X", "y", "hidden_size", "alpha", "iterations", "record_every", "seed", "weights"),
        *("biases", "threads", "progress", "groups", "folds", "group", "fold", "validation"),
        *("keep_weights", "record_weights", "keep_state", "resume", "w"),
    )
)
"""What such a number can't be called."""


def formulas_of(given: Mapping[str, Any]) -> dict[str, Formula | None]:
    """The function of each of these options; None where it has none, or is an axis."""
    found: dict[str, Formula | None] = {}
    for option in FORMULAS:
        value = given.get(option, DECLARED[option].default)
        kind = DECLARED[option].kind
        found[option] = None
        if as_axis(option, value) is None:
            checked = kind.check(option, value, 0)
            known = loss_of(checked) if option == "loss" else unit_of(checked)
            found[option] = known.function
    return found


def numbers_of(given: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of these options' functions, by name, as they are by default."""
    found: dict[str, float] = {}
    for formula in formulas_of(given).values():
        found |= formula.numbers if formula is not None else {}
    return found


def kinds_of(given: Mapping[str, Any]) -> dict[str, Number]:
    """What those of them may be that are given.

    Raises
    ------
    ValueError
        If one has the name of another argument, or two functions have the same.
    """
    owners: dict[str, tuple[str, Formula]] = {}
    for option, formula in formulas_of(given).items():
        if formula is None:
            continue
        for name in formula.numbers:
            if name in TAKEN:
                raise ValueError(
                    f"a number of {option} must not be called as an argument of a training, "
                    f"got {name} in {shown(formula)}"
                )
            other, same = owners.setdefault(name, (option, formula))
            if same != formula:
                raise ValueError(
                    f"the numbers of {other} and {option} must have different names, "
                    f"got {name} in both"
                )
    return {
        name: Number(formula.intervals.get(name, "(-inf, inf)"))
        for name, (_, formula) in owners.items()
        if name in given
    }
