"""Exported networks in single precision: their functions, and how far off their outputs are.

Here fused multiply-adds are rounded to a float64 first. So the bits may differ from those of C's
fmaf in rare cases; and C's functions have other last bits than NumPy's.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.initial_network import NetworkParts
from fastgd.checks.numbers import FloatArray
from fastgd.export.exported import SOFTMAX, Exported, Part, Unit, inverse_deviation, units_of
from fastgd.formulas.calendar import FIELDS, fields_of
from fastgd.kernel.language.specialization import FormulaChoice
from fastgd.tables.columns import TargetColumn, TextColumn
from fastgd.tables.targets import NumberTarget

Numbers = NDArray[Any]

MOST_ROWS = 10_000
MOST_PRODUCTS = 100_000_000
"""Rows of a sample, and the most products of a row with a weight: up to a second or two."""


class Operation(NamedTuple):
    """An operation of a formula: in C, and for arrays of NumPy."""

    c: str
    array: Callable[..., Any]


def _sigmoid(x: Numbers) -> Numbers:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


OPERATIONS = {
    **{
        name: Operation(f"{c}f({{}})", getattr(np, array or name))
        for name, c, array in (
            *((name, name, "") for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "tan")),
            *((name, name, "") for name in ("sinh", "cosh", "tanh", "sqrt", "floor")),
            *(("asin", "asin", "arcsin"), ("acos", "acos", "arccos"), ("atan", "atan", "arctan")),
            *(("unit_tanh", "tanh", "tanh"), ("abs", "fabs", "")),
        )
    },
    "pow": Operation("powf({}, {})", np.power),
    "sigmoid": Operation("1.0f / (1.0f + expf(-({})))", _sigmoid),
    "unit_sigmoid": Operation("1.0f / (1.0f + expf(-({})))", _sigmoid),
    "relu": Operation("{0} < 0.0f ? 0.0f : {0}", lambda x: np.where(x < 0, x.dtype.type(0), x)),
    "sign": Operation("({0} > 0.0f) ? 1.0f : ({0} < 0.0f) ? -1.0f : {0}", np.sign),
    "minimum": Operation("({0} <= {1} || {0} != {0}) ? {0} : {1}", np.minimum),
    "maximum": Operation("({0} >= {1} || {0} != {0}) ? {0} : {1}", np.maximum),
    "where": Operation("{} ? {} : {}", np.where),
    "add": Operation("{} + {}", np.add),
    "sub": Operation("{} - {}", np.subtract),
    "mul": Operation("{} * {}", np.multiply),
    "div": Operation("{} / {}", np.divide),
    "lt": Operation("({} < {})", np.less),
    "le": Operation("({} <= {})", np.less_equal),
    "gt": Operation("({} > {})", np.greater),
    "ge": Operation("({} >= {})", np.greater_equal),
}
"""The operations of activations and output units; unit_tanh and unit_sigmoid are the article's."""


TESTS = ("lt", "le", "gt", "ge")
"""The comparisons among them."""


def sample_of(exported: Exported) -> FloatArray:
    """Rows (n, columns) as a network may get them: always the same.

    Inputs have a standard normal distribution. A table's numbers have their mean and scale, and
    its categories are equally frequent; a tenth of the cells is missing where cells were missing
    in training.
    """
    products = sum(weights.size for weights in exported.members[0].weights) * len(exported.members)
    rows = max(100, min(MOST_ROWS, MOST_PRODUCTS // products))
    random = np.random.RandomState(0)
    if exported.preparation is None:
        return random.standard_normal((rows, exported.network.sizes[0]))
    found = np.empty((rows, len(exported.preparation.columns)))
    for cells, column in zip(found.T, exported.preparation.columns, strict=True):
        if isinstance(column, TextColumn | TargetColumn):
            cells[:] = random.randint(len(column.categories), size=rows)
        else:
            cells[:] = column.mean + column.scale * random.standard_normal(rows)
        if column.flagged:
            cells[random.random_sample(rows) < 0.1] = np.nan
    return found


def differences(exported: Exported, rows: FloatArray) -> FloatArray:
    """How far outputs in single precision are from those in double precision: (rows, outputs).

    An output that is infinite or NaN in one of them only is infinitely far off.
    """
    with np.errstate(all="ignore"):
        single, double = (_outputs(exported, rows, kind) for kind in (np.float32, np.float64))
        off = np.abs(single.astype(np.float64) - double)
    off[(single == double) | (np.isnan(single) & np.isnan(double))] = 0.0
    off[np.isnan(off)] = np.inf
    return off


def _outputs(exported: Exported, rows: FloatArray, kind: Any) -> Numbers:
    """The outputs (rows, outputs), computed with numbers of this kind."""
    hidden, output = units_of(exported)
    inputs = rows.astype(kind)
    if exported.preparation is not None:
        found = [_inputs(part, inputs[:, part.column], kind) for part in exported.parts]
        inputs = np.concatenate(found, axis=1).astype(kind)
    total: Any = None
    for m, parts in enumerate(exported.members):
        own = _network(parts, m, hidden, output, inputs, kind)[:, : exported.outputs]
        total = own if total is None else total + own
    total = total / kind(len(exported.members))
    for k, target in enumerate(exported.targets):
        if isinstance(target, NumberTarget):
            total[:, k] = total[:, k] * kind(target.scale) + kind(target.mean)
    return np.asarray(total)


def _inputs(part: Part, cells: Numbers, kind: Any) -> Numbers:
    missing = np.isnan(cells)
    values = np.where(missing, kind(part.missing), cells)
    if part.field:
        values = fields_of(values)[FIELDS[part.field]].astype(kind)
    if part.table is not None:
        last = len(part.table) - 1
        places = np.where((values >= 0) & (values < last), values, last)
        return part.table[places.astype(np.int64)]
    if part.flags:
        values = missing
    elif part.categories:
        values = values[:, None] == np.arange(part.categories)
    else:
        values = (values - kind(part.mean)) / kind(part.scale)
    return values.reshape(len(cells), part.width)


def _network(
    parts: NetworkParts, m: int, hidden: Unit, output: Unit, values: Numbers, kind: Any
) -> Numbers:
    for k, weights in enumerate(parts.weights):
        a = np.zeros((len(values), weights.shape[1]), kind)
        for x, row in zip(values.T, weights.astype(kind), strict=True):
            a = _fma(x[:, None], row, a, kind)
        if parts.biases:
            a = a + parts.biases[k].astype(kind)
        is_last = k == len(parts.weights) - 1
        if parts.normalization and not is_last:
            norm = parts.normalization[k]
            a = (a - norm.mean.astype(kind)) * inverse_deviation(norm).astype(kind)
            a = _fma(norm.scale.astype(kind), a, norm.shift.astype(kind), kind)
        values = _activated(output if is_last else hidden, m, a, kind)
    return values


def _fma(x: Numbers, y: Numbers, z: Numbers, kind: Any) -> Numbers:
    return np.asarray((x.astype(np.float64) * y + z).astype(kind))


def _activated(unit: Unit, m: int, a: Numbers, kind: Any) -> Numbers:
    if unit.formula is SOFTMAX:
        powers = np.exp(a - a.max(axis=1, keepdims=True))
        total = np.zeros((len(a), 1), kind)
        for k in range(a.shape[1]):
            total = total + powers[:, k : k + 1]
        return np.asarray(powers / total)
    given = {name: kind(values[m]) for name, values in unit.parameters.items()}
    return np.asarray(_value(unit.formula, {"a": a, **given}))


def _value(formula: FormulaChoice, given: dict[str, Any]) -> Any:
    """The value of a formula for arrays."""
    kind, found = given["a"].dtype.type, []
    for operation, *operands in formula.nodes:
        if operation == "number":
            found.append(kind(operands[0]))
        elif operation == "variable":
            found.append(given[operands[0]])
        else:
            found.append(OPERATIONS[operation].array(*(found[k] for k in operands)))
    return np.broadcast_to(found[formula.results[0]], given["a"].shape)
