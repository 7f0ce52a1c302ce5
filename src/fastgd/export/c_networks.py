"""The networks of a C header: tables of their parameters, and functions, in two precisions.

Sums are loops over the tables, in the order of the kernel. The functions of units are the kernel's
own in double precision: see :mod:`fastgd.kernel.language.c_code`. In single precision they are
those of the C library, and NumPy's where it is measured how far off the outputs are: there the last
bits differ, and fused multiply-adds are rounded to a float64 first, so that their bits may differ
from those of C's fmaf in rare cases.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import FloatArray
from fastgd.export.exported import (
    SOFTMAX,
    STEPS,
    Bounds,
    EncodingStep,
    Exported,
    Term,
    calendar_fields,
    tables_of,
    units_of,
)
from fastgd.formulas.calendar import FIELDS, TOLERANCES, fields_of
from fastgd.kernel.iteration.activations import body_of
from fastgd.kernel.iteration.losses import exp_below
from fastgd.kernel.language.c_code import CCode, number_text, table_text
from fastgd.tables.columns import Column, DateColumn, TargetColumn, TextColumn, piecewise
from fastgd.tables.targets import NumberTarget

MOST_ROWS = 10_000
MOST_PRODUCTS = 100_000_000
"""Rows of a sample, and the most products of a row with a weight: up to a second or two."""


class Operation(NamedTuple):
    """An operation of a formula: in C, and for arrays of NumPy."""

    c: str  # {f} is the letter of the precision
    array: Callable[..., Any]


def _fma(x: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((x.astype(np.float64) * y + z).astype(x.dtype))


_SIGMOID = Operation("1.0{f} / (1.0{f} + exp{f}(-({})))", lambda x: 1.0 / (1.0 + np.exp(-x)))

OPERATIONS = {
    **{
        name: Operation(f"{c}{{f}}({{}})", getattr(np, array or name))
        for name, c, array in (
            *((name, name, "") for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "tan")),
            *((name, name, "") for name in ("sinh", "cosh", "tanh", "sqrt", "floor")),
            *(("asin", "asin", "arcsin"), ("acos", "acos", "arccos"), ("atan", "atan", "arctan")),
            *(("unit_tanh", "tanh", "tanh"), ("abs", "fabs", "")),
        )
    },
    "pow": Operation("pow{f}({}, {})", np.power),
    "fma": Operation("fma{f}({}, {}, {})", _fma),
    "sigmoid": _SIGMOID,
    "unit_sigmoid": _SIGMOID,
    "relu": Operation("{0} < 0.0{f} ? 0.0{f} : {0}", lambda x: np.where(x < 0, x.dtype.type(0), x)),
    "sign": Operation("({0} > 0.0{f}) ? 1.0{f} : ({0} < 0.0{f}) ? -1.0{f} : {0}", np.sign),
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
"""The operations of layers and units; unit_tanh and unit_sigmoid are the article's."""

TESTS = ("lt", "le", "gt", "ge")
"""The comparisons among them."""

_SOFTMAX = """\
{real} largest = {a}[0], total = {zero}, lost = {zero};
for (int j = 1; j < {units}; j++)
    largest = {a}[j] > largest ? {a}[j] : largest;
for (int j = 0; j < {units}; j++) {{
    const {real} power = {power}, before = total;
    total = before + power;
    const {real} added = total - before;
    lost = lost + ((before - (total - added)) + (power - added));
    {a}[j] = power;
}}
total = total + lost;
for (int j = 0; j < {units}; j++)
    y[j] = {a}[j] / total;
"""


class Precision(NamedTuple):
    """How the same code is written in double and in single precision."""

    name: str  # of the type
    kind: Any
    suffix: str  # of the header's names
    letter: str  # behind literals, and behind names of C's functions

    def number(self, value: float) -> str:
        """A literal."""
        with np.errstate(over="ignore"):
            return number_text(float(self.kind(value)), self.letter)

    def operation(self, name: str, *operands: str) -> str:
        """An operation of :data:`OPERATIONS`."""
        return OPERATIONS[name].c.format(*operands, f=self.letter)


DOUBLE = Precision("double", np.float64, "", "")
SINGLE = Precision("float", np.float32, "_float", "f")


@dataclass
class CNetworks:
    """Exported networks as C, with names that begin with ``name``."""

    exported: Exported
    name: str

    def __post_init__(self) -> None:
        hidden, self.output = units_of(self.exported)
        self.units = {"activation": hidden, "output": self.output}
        self.count = len(self.exported.members)
        self.sizes = list(self.exported.network.sizes)
        if self.output.formula is not SOFTMAX:  # of several outputs for a target, the first counts
            self.sizes[-1] = self.exported.outputs
        preparation = self.exported.preparation
        self.columns: tuple[Column, ...] = preparation.columns if preparation else ()
        self.functions = dict(self.units)  # those that are written: each formula once
        if len(self.sizes) == 2:
            del self.functions["activation"]
        elif hidden.formula == self.output.formula:
            del self.functions["output"]

    def code(self, real: Precision) -> Iterator[str]:
        """Tables and functions in one precision."""
        yield from self.tables(real)
        yield from self.kernel_functions() if real is DOUBLE else self.float_functions()
        member = "int m, " if self.count > 1 else ""
        yield self.function(real, "network", member, self.network(real))
        yield self.function(real, "predict", "", self.predict(real))
        if bounds := self.exported.bounds:
            yield self.interval(real, bounds)

    def tables(self, real: Precision) -> Iterator[str]:
        """The parameters of each layer, and those of functions in which the networks differ."""

        def table(name: str, arrays: Sequence[Any]) -> str:
            """A table, whose first index is the network if there are many."""
            array = np.array(arrays if self.count > 1 else arrays[0])
            return table_text(f"{self.name}_{name}{real.suffix}", array, real.name, real.number)

        for k, units in enumerate(self.sizes[1:], start=1):
            for name, arrays in tables_of(self.exported.members, k - 1).items():
                yield table(f"{name}_{k}", [array[..., :units] for array in arrays])
        for name, unit in self.units.items():
            for own, values in unit.parameters.items():
                if len(set(values)) > 1:
                    yield table(f"{name}_{own}", values)
        for k, encoding in enumerate(self.exported.encodings):
            inputs = encoding.numbers
            if inputs is not None and (encoding.table is not None or encoding.width > 1):
                name = f"{self.name}_inputs_{k}{real.suffix}"
                yield table_text(name, inputs, real.name, real.number)

    def entry(self, real: Precision, name: str, index: str = "") -> str:
        """An entry of a table, for the network that is computed."""
        return f"{self.name}_{name}{real.suffix}{'[m]' * (self.count > 1)}{index}"

    def kernel_functions(self) -> Iterator[str]:
        """The functions of the units, with the kernel's operations."""
        code = CCode(self.name, f"{self.name}_UNFUSED")
        for name, unit in self.functions.items():
            if unit.formula is SOFTMAX:
                code.add("exp_below", exp_below.py_func, ["a"])
            else:
                names = unit.names
                body: Any = body_of(unit.formula, ("shape", *names.values()), names)  # type: ignore[no-untyped-call]
                code.add(name, body, [*names.values()])
        yield code.text

    def float_functions(self) -> Iterator[str]:
        """The same of C's functions for floats."""
        for name, unit in self.functions.items():
            if unit.formula is SOFTMAX:
                continue
            lines: list[str] = []

            def apply(k: int, operation: str, *operands: str) -> str:
                text = SINGLE.operation(operation, *operands)
                if operation in TESTS:
                    return text
                lines.append(f"const float t{k} = {text};")  # noqa: B023  it is called at once
                return f"t{k}"

            result = unit.computed(SINGLE.number, unit.names, apply)
            arguments = ", ".join(f"float {each}" for each in unit.names.values())
            head = f"static inline float {self.name}_{name}_float({arguments})"
            yield _function(head, self.name, [*lines, f"return {result};"])

    def function(self, real: Precision, name: str, member: str, lines: Iterable[str]) -> str:
        """A function from numbers to numbers."""
        head = f"static inline void {self.name}_{name}{real.suffix}"
        return _function(f"{head}({member}const {real.name} *x, {real.name} *y)", self.name, lines)

    def network(self, real: Precision) -> Iterator[str]:
        """The statements of one network."""
        below = "x"
        for k, (inputs, units) in enumerate(pairwise(self.sizes), start=1):
            a, is_last = f"a{k}", k == len(self.sizes) - 1
            weight = self.entry(real, f"weights_{k}", "[i][j]")
            yield f"{real.name} {a}[{units}] = {{{real.number(0.0)}}};"
            yield f"for (int i = 0; i < {inputs}; i++)"
            yield f"    for (int j = 0; j < {units}; j++)"
            yield f"        {a}[j] = {real.operation('fma', f'{below}[i]', weight, f'{a}[j]')};"
            known = {"a": f"{a}[j]"} | {
                name: self.entry(real, f"{name}_{k}", "[j]")
                for name in tables_of(self.exported.members, k - 1)
            }
            steps = [
                f"{a}[j] = {real.operation(step, *(known[each] for each in operands))};"
                for step, *operands in STEPS
                if known.keys() >= {*operands}
            ]
            if not is_last or self.output.formula is not SOFTMAX:
                value = self.call(real, "output" if is_last else "activation", f"{a}[j]")
                steps.append(f"{'y' if is_last else a}[j] = {value};")
            if steps:
                yield f"for (int j = 0; j < {units}; j++) {{"
                yield from (f"    {step}" for step in steps)
                yield "}"
            below = a
        if self.output.formula is SOFTMAX:
            power = f"{self.name}_exp_below(largest - {below}[j])"
            power = power if real is DOUBLE else f"expf({below}[j] - largest)"
            words = {"real": real.name, "zero": real.number(0.0), "a": below, "power": power}
            yield from _SOFTMAX.format(**words, units=self.sizes[-1]).splitlines()

    def call(self, real: Precision, name: str, value: str) -> str:
        """A call of the function of units, with its parameters."""
        arguments = [value]
        for own, values in self.units[name].parameters.items():
            one = len(set(values)) == 1
            arguments.append(real.number(values[0]) if one else self.entry(real, f"{name}_{own}"))
        same = name if name in self.functions else "activation"
        return f"{self.name}_{same}{real.suffix}({', '.join(arguments)})"

    def predict(self, real: Precision) -> Iterator[str]:
        """The statements from columns to decoded outputs."""
        network, inputs = f"{self.name}_network{real.suffix}", "x"
        if self.columns:
            inputs = "inputs"
            yield f"{real.name} inputs[{self.sizes[0]}];"
            yield from self.preparation(real)
        outputs, count = self.exported.outputs, self.count
        if count == 1:
            yield f"{network}({inputs}, y);"
        else:
            zero = real.number(0.0)
            yield f"{real.name} own[{self.sizes[-1]}], total[{outputs}] = {{{zero}}};"
            yield f"for (int m = 0; m < {count}; m++) {{"
            yield f"    {network}(m, {inputs}, own);"
            yield f"    for (int j = 0; j < {outputs}; j++)"
            yield "        total[j] = m ? total[j] + own[j] : own[j];"
            yield "}"
            yield f"for (int j = 0; j < {outputs}; j++)"
            yield f"    y[j] = total[j] / {real.number(count)};"
        for k, target in enumerate(self.exported.targets):
            if isinstance(target, NumberTarget):
                yield f"y[{k}] = y[{k}] * {real.number(target.scale)};"
                yield f"y[{k}] = y[{k}] + {real.number(target.mean)};"

    def preparation(self, real: Precision) -> Iterator[str]:
        """The statements from columns to inputs."""
        for k, column in enumerate(self.columns):
            if isinstance(column, DateColumn):
                yield from self.dates(real, k, column)
        at = 0
        for k, encoding in enumerate(self.exported.encodings):
            yield from self.inputs(real, k, encoding, at)
            at += encoding.width

    def dates(self, real: Precision, k: int, column: DateColumn) -> Iterator[str]:
        """The fields of a column's dates: c3_1 is the year of x[3]."""
        tolerance = real.number(TOLERANCES[np.dtype(real.kind).itemsize])
        median = real.number(column.median)
        names = (f"c{k}_t{step}" for step in count())
        lines = []

        def add(text: str, name: str = "") -> str:
            name = name or next(names)
            lines.append(f"const {real.name} {name} = {text};")
            return name

        def operation(sign: str, first: str, second: str | int) -> str:
            text = f"{first} {sign[0]} {second if isinstance(second, str) else real.number(second)}"
            return add(f"floor{real.letter}({text})" if sign == "//" else text)

        moment = add(f"(x[{k}] != x[{k}] ? {median} : x[{k}]) + {tolerance}")
        day = Term(add(f"floor{real.letter}({moment})"), operation)
        for field, term in enumerate(calendar_fields(Term(moment, operation), day), start=1):
            add(term.name, f"c{k}_{field}")
        needed = {f"c{k}_{each.field}" for each in self.exported.encodings if each.column == k}
        used = []
        for line in reversed(lines):
            _, _, name, _, *rest = line.split(maxsplit=4)
            if name in needed:
                needed.update(re.findall(r"c\d+_\w+", rest[0]))
                used.append(line)
        yield from reversed(used)

    def inputs(self, real: Precision, k: int, encoding: EncodingStep, at: int) -> Iterator[str]:
        """The statements of the inputs from ``at`` on that belong together."""
        x, truth = f"x[{encoding.column}]", f"? {real.number(1.0)} : {real.number(0.0)}"
        missing, table = real.number(encoding.missing), f"{self.name}_inputs_{k}{real.suffix}"
        value = x if encoding.missing != encoding.missing else f"({x} != {x} ? {missing} : {x})"
        value = f"c{encoding.column}_{encoding.field}" if encoding.field else value
        if encoding.table is not None:
            last = len(encoding.table) - 1
            yield f"for (int k = 0; k < {encoding.width}; k++)"
            row = f"({value} >= 0 && {value} < {last}) ? (int){value} : {last}"
            yield f"    inputs[{at} + k] = {table}[{row}][k];"
        elif encoding.flags:
            yield f"inputs[{at}] = {x} != {x} {truth};"
        elif encoding.categories:
            yield f"for (int k = 0; k < {encoding.categories}; k++)"
            yield f"    inputs[{at} + k] = {value} == ({real.name})k {truth};"
        elif encoding.pieces is not None:
            several = encoding.width > 1
            place = f"inputs[{at} + k]" if several else f"inputs[{at}]"
            lines = _piece(real, place, value, encoding.pieces, table if several else "")
            if encoding.clip:
                off = f"({place} / {real.number(encoding.clip)})"
                root = real.operation("sqrt", f"{real.number(1.0)} + {off} * {off}")
                lines.append(f"{place} = {place} / {root};")
            head = [f"for (int k = 0; k < {encoding.width}; k++) {{"]
            yield from [*head, *(f"    {line}" for line in lines), "}"] if several else lines

    def interval(self, real: Precision, bounds: Bounds) -> str:
        """The table and the function of the bounds of a prediction."""
        count, name = len(bounds.pieces), f"{self.name}_spread{real.suffix}"
        lines = [f"{real.name} spread = {real.number(bounds.spread)};"]
        if count:
            pieces = _piece(real, "piece", "y[0]", bounds.pieces, name)
            lines += [f"for (int k = 0; k < {count}; k++) {{", f"    {real.name} piece;"]
            lines += [*(f"    {line}" for line in pieces), "    spread = spread + piece;", "}"]
        for k, end in enumerate(bounds.ends):
            lines.append(f"bounds[{k}] = y[0] + spread * {real.number(end)};")
            if bounds.least > -inf:
                least = real.operation("maximum", f"bounds[{k}]", real.number(bounds.least))
                lines.append(f"bounds[{k}] = {least};")
        head = f"static inline void {self.name}_interval{real.suffix}"
        text = _function(f"{head}(const {real.name} *y, {real.name} *bounds)", self.name, lines)
        if count:
            text = table_text(name, bounds.pieces, real.name, real.number) + "\n" + text
        says = f"The bounds of the {100 * bounds.coverage:g} % interval of the prediction y[0]."
        return f"/* {says} */\n{text}"


def _piece(real: Precision, place: str, value: str, pieces: FloatArray, table: str) -> list[str]:
    """Statements that write a piece of a value to a place: piece k of a table, or the first."""
    own = [f"{table}[k][{j}]" if table else real.number(pieces[0, j]) for j in range(4)]
    lines = [f"{place} = ({value} - {own[0]}) / {own[1]};"]
    if np.isfinite(pieces[:, 2:]).any():
        lines.append(f"{place} = {real.operation('maximum', place, own[2])};")
        lines.append(f"{place} = {real.operation('minimum', place, own[3])};")
    return lines


def _function(head: str, name: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"    {line}" for line in (f"{name}_UNFUSED", *lines))
    return f"{head}\n{{\n{body}\n}}\n"


# ---------------------------------------------------------------- the same with NumPy


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
        off: FloatArray = np.abs(single.astype(np.float64) - double)
    off[(single == double) | (np.isnan(single) & np.isnan(double))] = 0.0
    off[np.isnan(off)] = np.inf
    return off


def _outputs(exported: Exported, rows: FloatArray, kind: Any) -> NDArray[Any]:
    """The outputs (rows, outputs), computed with numbers of this kind."""
    inputs = rows.astype(kind)
    if exported.preparation is not None:
        found = [_inputs(each, inputs[:, each.column], kind) for each in exported.encodings]
        inputs = np.concatenate(found, axis=1).astype(kind)
    total: Any = None
    for m in range(len(exported.members)):
        own = _network(exported, m, inputs, kind)[:, : exported.outputs]
        total = own if total is None else total + own
    total = total / kind(len(exported.members))
    for k, target in enumerate(exported.targets):
        if isinstance(target, NumberTarget):
            total[:, k] = total[:, k] * kind(target.scale) + kind(target.mean)
    return np.asarray(total)


def _inputs(encoding: EncodingStep, cells: NDArray[Any], kind: Any) -> NDArray[Any]:
    missing = np.isnan(cells)
    values = np.where(missing, kind(encoding.missing), cells)
    if encoding.field:
        values = fields_of(values)[FIELDS[encoding.field]].astype(kind)
    if encoding.table is not None:
        last = len(encoding.table) - 1
        places = np.where((values >= 0) & (values < last), values, last)
        return encoding.table[places.astype(np.int64)]
    if encoding.flags:
        values = missing
    elif encoding.categories:
        values = values[:, None] == np.arange(encoding.categories)
    elif encoding.pieces is not None:
        values = piecewise(values, encoding.pieces, encoding.clip)
    return np.asarray(values).reshape(len(cells), encoding.width)


def _network(exported: Exported, m: int, values: NDArray[Any], kind: Any) -> NDArray[Any]:
    """The outputs of network m, in the order of operations of the C code."""

    def apply(_k: int, operation: str, *operands: Any) -> Any:
        return OPERATIONS[operation].array(*operands)

    units, layers = units_of(exported), len(exported.members[m].weights)
    for k in range(layers):
        own = tables_of(exported.members[m : m + 1], k)
        known = {name: array.astype(kind) for name, [array] in own.items()}
        a = np.zeros((len(values), known["weights"].shape[1]), kind)
        for x, row in zip(values.T, known["weights"], strict=True):
            a = _fma(x[:, None], row, a)
        for step, *operands in STEPS:
            if known.keys() >= {*operands} - {"a"}:
                a = apply(k, step, *((known | {"a": a})[each] for each in operands))
        unit = units[k == layers - 1]
        if unit.formula is SOFTMAX:
            values = np.exp(a - a.max(axis=1, keepdims=True))
            total = np.zeros((len(a), 1), kind)
            for j in range(a.shape[1]):
                total = total + values[:, j : j + 1]
            values = values / total
        else:
            given = {name: kind(numbers[m]) for name, numbers in unit.parameters.items()}
            values = np.broadcast_to(unit.computed(kind, {"a": a, **given}, apply), a.shape)
    return values
