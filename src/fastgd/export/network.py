"""What is exported: trained networks with the preparation of their table, if there is one.

The functions of units and the kernel's calendar are formulas, which each language emits.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

import numpy as np

from fastgd.arguments.initial_network import BatchNorm, NetworkParts
from fastgd.arguments.options import Method
from fastgd.checks.numbers import FloatArray
from fastgd.engine.network import Network
from fastgd.engine.recipe import unit_choice
from fastgd.formulas.calendar import CYCLES, FIELDS, circle
from fastgd.formulas.named import unit_of
from fastgd.kernel.block import EPSILON
from fastgd.kernel.iteration.activations import VALUE
from fastgd.kernel.language.specialization import FormulaChoice
from fastgd.kernel.predictor import calendar
from fastgd.tables.columns import Column, DateColumn, TargetColumn, TextColumn
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import Target, width_of


class Part(NamedTuple):
    """Inputs of a network that are made of one number of a row, which is NaN where it is missing.

    Without categories and table, there is one input: the number minus the mean, divided by the
    scale.
    """

    column: int
    missing: float = nan  # in place of a missing number
    field: int = 0  # of FIELDS, of the date that the number stands for; 0 is the number itself
    mean: float = 0.0
    scale: float = 1.0
    categories: int = 0  # an input for each of the numbers 0, 1, ..., which is 1 for it and else 0
    table: FloatArray | None = None  # the inputs for 0, 1, ...; the last row is for other numbers
    flags: bool = False  # the input is 1 for a missing number and else 0

    @property
    def width(self) -> int:
        """The number of inputs."""
        return self.categories or (1 if self.table is None else self.table.shape[1])


def parts_of(k: int, column: Column) -> Iterator[Part]:
    """The inputs of the column with index ``k``, in their order."""
    if isinstance(column, TargetColumn):
        means = [*column.values, column.missing, column.unknown]
        yield Part(k, float(len(column.values)), table=np.array(means)[:, None])
    elif isinstance(column, TextColumn):
        yield Part(k, categories=len(column.names) - column.flagged)
    else:
        yield Part(k, column.median, mean=column.mean, scale=column.scale)
    if isinstance(column, DateColumn):
        if column.year_scale > 0:
            yield Part(k, column.median, FIELDS.index("year"), column.year_mean, column.year_scale)
        for cycle in column.cycles:
            table = circle(CYCLES[cycle])
            yield Part(k, column.median, FIELDS.index(cycle), table=np.vstack([table, table[-1:]]))
    if column.flagged:
        yield Part(k, flags=True)


class Exported(NamedTuple):
    """Networks of one architecture, whose outputs are averaged.

    With a ``preparation``, an exported network takes the columns of a table, one number each: a
    NumberColumn's value, the index of a string's category, that of unknown ones or -1, days
    since 1970-01-01 for a DateColumn, NaN for a missing cell. Its outputs are decoded by the
    ``targets``: numbers in their units, or the probability of each class.
    """

    members: tuple[NetworkParts, ...]
    methods: tuple[Method, ...]
    """The options of each member, which may differ in the parameters of its functions."""
    preparation: Preparation | None = None
    targets: tuple[Target, ...] = ()

    @property
    def network(self) -> Network:
        """The architecture of all members."""
        return Network.of(self.members[0])

    @property
    def parts(self) -> list[Part]:
        """How the columns of a preparation become inputs."""
        columns = self.preparation.columns if self.preparation else ()
        return [part for k, column in enumerate(columns) for part in parts_of(k, column)]

    @property
    def outputs(self) -> int:
        """Outputs that are averaged and decoded; a loss may have more for each target."""
        return sum(map(width_of, self.targets)) or self.network.sizes[-1]


class ExportError(ValueError):
    """A network can't be expressed in another language."""


# ---------------------------------------------------------------- functions of units

SOFTMAX = None
"""In place of a formula: each value depends on all units."""


class Unit(NamedTuple):
    """The function of hidden units or of output units: a formula of the input ``a``."""

    formula: FormulaChoice | None
    parameters: dict[str, tuple[float, ...]]
    """The parameters by their names in the formula, with the value of each member."""

    @property
    def names(self) -> dict[str, str]:
        """Names of the formula's variables in code, where n0, n1, ... are its operations."""
        return {"a": "a"} | {name: f"p{name[1:]}" for name in self.parameters}


def units_of(exported: Exported) -> tuple[Unit, Unit]:
    """The functions of the hidden units and of the output units."""
    hidden, output = (_unit(exported, option) for option in ("activation", "output"))
    return hidden, output


def _unit(exported: Exported, option: str) -> Unit:
    method = exported.methods[0]
    function = unit_of(getattr(method, option)).function
    if function is None:
        return Unit(SOFTMAX, {})
    places = dict.fromkeys(method.numbers, 0)
    choice = unit_choice(getattr(method, option), places, with_derivative=False)
    formula = dict(choice.formulas)[VALUE]
    used = {node[1] for node in formula.nodes if node[0] == "variable"}
    values = {
        f"n{k}": tuple(each.numbers[name] for each in exported.methods)
        for k, name in enumerate(function.parameters)
    }
    return Unit(formula, {name: own for name, own in values.items() if name in used})


def inverse_deviation(norm: BatchNorm) -> FloatArray:
    """What batch normalization multiplies by, with the kernel's bits."""
    return np.asarray(1.0 / np.sqrt(norm.variance + EPSILON))


# ---------------------------------------------------------------- the calendar

Emit = Callable[[str, str, "str | int"], str]
"""Emits an operation, + - * or // (a quotient rounded down), and returns the name of its result."""


@dataclass(frozen=True)
class Term:
    """A number of the other language by its name; an operation on it emits code."""

    name: str
    emit: Emit

    def _with(self, sign: str, other: Any) -> "Term":
        return Term(self.emit(sign, self.name, getattr(other, "name", other)), self.emit)

    def __add__(self, other: Any) -> "Term":
        return self._with("+", other)

    def __sub__(self, other: Any) -> "Term":
        return self._with("-", other)

    def __mul__(self, other: Any) -> "Term":
        return self._with("*", other)

    def __floordiv__(self, other: Any) -> "Term":
        return self._with("//", other)


def fields_of(moment: Term, day: Term) -> Iterator[Term]:
    """The fields of a date, in the order of :data:`fastgd.formulas.calendar.FIELDS` from 1 on."""
    yield from calendar.py_func(day)
    yield day + 3 - (day + 3) // 7 * 7
    yield (moment - day) * 24 // 1
