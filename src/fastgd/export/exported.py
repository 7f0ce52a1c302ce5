"""What is exported: trained networks with the preparation of their table, if there is one.

The functions of units and the kernel's calendar are formulas, which each language emits.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan
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
from fastgd.tables.columns import Column, DateColumn, NumberColumn, TargetColumn, TextColumn
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import Target, width_of


class EncodingStep(NamedTuple):
    """Inputs of a network that are made of one number of a row, which is NaN where it is missing.

    Each of the ``pieces`` makes an input: the number minus the shift, divided by the scale, and
    then not below the first bound or above the second. With ``clip`` such an input z becomes
    z / sqrt(1 + (z / clip)^2).
    """

    column: int
    missing: float = nan  # in place of a missing number
    field: int = 0  # of FIELDS, of the date that the number stands for; 0 is the number itself
    pieces: FloatArray | None = None  # (inputs, 4): shifts, scales and two bounds
    clip: float = 0.0
    categories: int = 0  # an input for each of the numbers 0, 1, ..., which is 1 for it and else 0
    table: FloatArray | None = None  # the inputs for 0, 1, ...; the last row is for other numbers
    flags: bool = False  # the input is 1 for a missing number and else 0

    @property
    def numbers(self) -> FloatArray | None:
        """What is stored: its table, or its pieces."""
        return self.pieces if self.table is None else self.table

    @property
    def width(self) -> int:
        """The number of inputs."""
        if self.table is not None:
            return int(self.table.shape[1])
        return self.categories or (1 if self.pieces is None else len(self.pieces))


def standardized(mean: float, scale: float) -> FloatArray:
    """The pieces of a single input without bounds."""
    return np.array([[mean, scale, -inf, inf]])


def encodings_of(k: int, column: Column) -> Iterator[EncodingStep]:
    """The inputs of the column with index ``k``, in their order."""
    if isinstance(column, TargetColumn):
        means = [*column.values, column.missing, column.unknown]
        yield EncodingStep(k, float(len(column.values)), table=np.array(means)[:, None])
    elif isinstance(column, TextColumn):
        yield EncodingStep(k, categories=len(column.names) - column.flagged)
    elif isinstance(column, NumberColumn):
        yield EncodingStep(k, column.median, pieces=column.pieces, clip=column.clip)
    else:
        yield EncodingStep(k, column.median, pieces=standardized(column.mean, column.scale))
    if isinstance(column, DateColumn):
        if column.year_scale > 0:
            pieces = standardized(column.year_mean, column.year_scale)
            yield EncodingStep(k, column.median, FIELDS.index("year"), pieces)
        for cycle in column.cycles:
            table, field = circle(CYCLES[cycle]), FIELDS.index(cycle)
            yield EncodingStep(k, column.median, field, table=np.vstack([table, table[-1:]]))
    if column.flagged:
        yield EncodingStep(k, flags=True)


class Bounds(NamedTuple):
    """The interval of a prediction y, in its unit: for both ends, y + spread(y) * end.

    The spread is a number plus the pieces of y, as those of an :class:`EncodingStep`; no bound is
    below the least.
    """

    coverage: float
    spread: float
    pieces: FloatArray  # (k, 4)
    ends: tuple[float, float]
    least: float

    @classmethod
    def between(
        cls, coverage: float, knots: FloatArray, spread: FloatArray, ends: FloatArray, least: float
    ) -> "Bounds":
        """Where the spread (k,) is linear between its knots, and constant beyond."""
        steps = np.diff(spread)
        widths, steps, starts = (one[steps != 0] for one in (np.diff(knots), steps, knots[:-1]))
        signs = np.minimum(steps, 0.0), np.maximum(steps, 0.0)
        pieces = np.column_stack([starts, widths / steps, *signs])
        return cls(coverage, float(spread[0]), pieces, (float(ends[0]), float(ends[1])), least)


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
    bounds: Bounds | None = None

    @property
    def network(self) -> Network:
        """The architecture of all members."""
        return Network.of(self.members[0])

    @property
    def encodings(self) -> list[EncodingStep]:
        """How the columns of a preparation become inputs."""
        columns = self.preparation.columns if self.preparation else ()
        return [each for k, column in enumerate(columns) for each in encodings_of(k, column)]

    @property
    def outputs(self) -> int:
        """Outputs that are averaged and decoded; a loss may have more for each target."""
        return sum(map(width_of, self.targets)) or self.network.sizes[-1]

    @property
    def results(self) -> int:
        """These, and the bounds of an interval."""
        return self.outputs + 2 * (self.bounds is not None)


def of_one_size(members: Sequence[NetworkParts]) -> tuple[NetworkParts, ...]:
    """Networks of one architecture with the same outputs, to the last bit; hidden units are relu.

    A unit with weights 0 adds 0; a layer after relu may be repeated, as relu(relu(x)) is relu(x);
    and a linear network is relu(x) - relu(-x).
    """
    shapes = {tuple(layer.shape for layer in one.weights) for one in members}
    if len(shapes) <= 1:
        return tuple(members)
    depth, found = max(map(len, shapes)), []
    for one in members:
        weights, biases = [*one.weights], [*one.biases]
        if len(weights) == 1:
            signs = np.hstack([np.eye(weights[0].shape[1]) * sign for sign in (1, -1)])
            weights, biases = [weights[0] @ signs, signs.T], [biases[0] @ signs, 0 * biases[0]]
        while len(weights) < depth:
            weights.insert(-1, np.eye(len(weights[-1])))
            biases.insert(-1, np.zeros(len(weights[-1])))
        found.append((weights, biases))
    units = [max(len(biases[k]) for _, biases in found) for k in range(depth)]
    inputs = [len(members[0].weights[0]), *units[:-1]]

    def padded(array: FloatArray, *shape: int) -> FloatArray:
        return np.pad(array, [(0, n - own) for n, own in zip(shape, array.shape, strict=True)])

    parts = [
        (tuple(map(padded, weights, inputs, units)), tuple(map(padded, biases, units)))
        for weights, biases in found
    ]
    return tuple(members[0]._replace(weights=own, biases=biases) for own, biases in parts)


class ExportError(ValueError):
    """A network can't be expressed in another language."""


# ---------------------------------------------------------------- layers

STEPS = (
    ("add", "a", "biases"),
    ("sub", "a", "means"),
    ("mul", "a", "inverses"),
    ("fma", "scales", "a", "shifts"),
)
"""What is done with a unit's sum before its function, where a layer has these tables."""


def tables_of(members: Sequence[NetworkParts], k: int) -> dict[str, list[FloatArray]]:
    """The tables of a layer by name, with an array for each network."""
    found = {"weights": [parts.weights[k] for parts in members]}
    if members[0].biases:
        found["biases"] = [parts.biases[k] for parts in members]
    norms = [parts.normalization[k] for parts in members if k < len(parts.normalization)]
    if norms:
        found["means"] = [norm.mean for norm in norms]
        found["inverses"] = [inverse_deviation(norm) for norm in norms]
        found["scales"] = [norm.scale for norm in norms]
        found["shifts"] = [norm.shift for norm in norms]
    return found


# ---------------------------------------------------------------- functions of units

SOFTMAX = None
"""In place of a formula: each value depends on all units."""

Maker = Callable[..., Any]


class UnitFunction(NamedTuple):
    """The function of hidden units or of output units: a formula of the input ``a``."""

    formula: FormulaChoice | None
    parameters: dict[str, tuple[float, ...]]
    """The parameters by their names in the formula, with the value of each member."""

    @property
    def names(self) -> dict[str, str]:
        """Names of the formula's variables in code, where n0, n1, ... are its operations."""
        return {"a": "a"} | {name: f"p{name[1:]}" for name in self.parameters}

    def computed(self, number: Maker, variables: Mapping[str, Any], apply: Maker) -> Any:
        """The value of the formula, of whatever kind its numbers and variables are.

        ``apply`` gets the index of an operation, its name, and the values of its operands.
        """
        assert self.formula is not None
        found: list[Any] = []
        for k, (operation, *operands) in enumerate(self.formula.nodes):
            if operation == "number":
                found.append(number(operands[0]))
            elif operation == "variable":
                found.append(variables[operands[0]])
            else:
                found.append(apply(k, operation, *(found[each] for each in operands)))
        return found[self.formula.results[0]]


def units_of(exported: Exported) -> tuple[UnitFunction, UnitFunction]:
    """The functions of the hidden units and of the output units."""
    hidden, output = (_unit(exported, option) for option in ("activation", "output"))
    return hidden, output


def _unit(exported: Exported, option: str) -> UnitFunction:
    method = exported.methods[0]
    function = unit_of(getattr(method, option)).function
    if function is None:
        return UnitFunction(SOFTMAX, {})
    places = dict.fromkeys(method.numbers, 0)
    choice = unit_choice(getattr(method, option), places, with_derivative=False)
    formula = dict(choice.formulas)[VALUE]
    used = {node[1] for node in formula.nodes if node[0] == "variable"}
    values = {
        f"n{k}": tuple(each.numbers[name] for each in exported.methods)
        for k, name in enumerate(function.parameters)
    }
    return UnitFunction(formula, {name: own for name, own in values.items() if name in used})


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


def calendar_fields(moment: Term, day: Term) -> Iterator[Term]:
    """The fields of a date, in the order of :data:`fastgd.formulas.calendar.FIELDS` from 1 on."""
    yield from calendar.py_func(day)
    yield day + 3 - (day + 3) // 7 * 7
    yield (moment - day) * 24 // 1
