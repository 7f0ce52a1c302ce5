"""The networks of a C header: tables of their parameters, and functions, in two precisions.

Sums are loops over the tables, in the order of the kernel. The functions of units are the kernel's
own in double precision: see :mod:`fastgd.kernel.language.c_code`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, NamedTuple

import numpy as np

from fastgd.arguments.initial_network import NetworkParts
from fastgd.checks.numbers import FloatArray
from fastgd.export.exported import (
    SOFTMAX,
    Exported,
    Part,
    Term,
    fields_of,
    inverse_deviation,
    units_of,
)
from fastgd.export.single_precision import OPERATIONS, TESTS
from fastgd.formulas.calendar import TOLERANCES
from fastgd.kernel.iteration.activations import body_of
from fastgd.kernel.iteration.losses import exp_below
from fastgd.kernel.language.c_code import CCode, number_text, table_text
from fastgd.kernel.language.specialization import FormulaChoice
from fastgd.tables.columns import Column, DateColumn
from fastgd.tables.targets import NumberTarget

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

    def tables(self, real: Precision) -> Iterator[str]:
        """The parameters of each layer, and those of functions in which the networks differ."""
        for k, units in enumerate(self.sizes[1:], start=1):
            for name, arrays in _tables_of(self.exported.members, k - 1).items():
                yield self.table(real, f"{name}_{k}", [array[..., :units] for array in arrays])
        for name, unit in self.units.items():
            for own, values in unit.parameters.items():
                if len(set(values)) > 1:
                    yield self.table(real, f"{name}_{own}", values)
        for k, part in enumerate(self.exported.parts):
            if part.table is not None:
                name = f"{self.name}_inputs_{k}{real.suffix}"
                yield table_text(name, part.table, real.name, real.number)

    def table(self, real: Precision, name: str, arrays: Sequence[Any]) -> str:
        """A table, whose first index is the network if there are many."""
        array = np.array(arrays if self.count > 1 else arrays[0])
        return table_text(f"{self.name}_{name}{real.suffix}", array, real.name, real.number)

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
            if unit.formula is not SOFTMAX:
                yield self.float_function(name, unit.formula, unit.names)

    def float_function(self, name: str, formula: FormulaChoice, names: Mapping[str, str]) -> str:
        """One of them: its variables have these names."""
        texts: list[str] = []
        lines = []
        for k, (operation, *operands) in enumerate(formula.nodes):
            if operation == "number":
                texts.append(SINGLE.number(operands[0]))
            elif operation == "variable":
                texts.append(names[operands[0]])
            else:
                text = OPERATIONS[operation].c.format(*(texts[each] for each in operands))
                is_test = operation in TESTS
                texts.append(text if is_test else f"t{k}")
                lines += [] if is_test else [f"const float t{k} = {text};"]
        arguments = ", ".join(f"float {each}" for each in names.values())
        head = f"static inline float {self.name}_{name}_float({arguments})"
        return _function(head, self.name, [*lines, f"return {texts[formula.results[0]]};"])

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
            yield f"        {a}[j] = fma{real.letter}({below}[i], {weight}, {a}[j]);"
            steps = [*self.before(real, k, a)]
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
            yield from _SOFTMAX.format(
                real=real.name,
                zero=real.number(0.0),
                a=below,
                units=self.sizes[-1],
                power=power if real is DOUBLE else f"expf({below}[j] - largest)",
            ).splitlines()

    def before(self, real: Precision, k: int, a: str) -> Iterator[str]:
        """What is done with a unit's sum before its function."""
        tables = _tables_of(self.exported.members, k - 1)
        entry = {name: self.entry(real, f"{name}_{k}", "[j]") for name in tables}
        if "biases" in tables:
            yield f"{a}[j] = {a}[j] + {entry['biases']};"
        if "means" in tables:
            yield f"{a}[j] = {a}[j] - {entry['means']};"
            yield f"{a}[j] = {a}[j] * {entry['inverses']};"
            yield f"{a}[j] = fma{real.letter}({entry['scales']}, {a}[j], {entry['shifts']});"

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
        for k, part in enumerate(self.exported.parts):
            yield from self.inputs(real, k, part, at)
            at += part.width

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
            other = second if isinstance(second, str) else real.number(second)
            floored = sign == "//"
            text = f"{first} {sign[0]} {other}"
            return add(f"floor{real.letter}({text})" if floored else text)

        moment = add(f"(x[{k}] != x[{k}] ? {median} : x[{k}]) + {tolerance}")
        day = Term(add(f"floor{real.letter}({moment})"), operation)
        for field, term in enumerate(fields_of(Term(moment, operation), day), start=1):
            add(term.name, f"c{k}_{field}")
        needed = {f"c{k}_{part.field}" for part in self.exported.parts if part.column == k}
        used = []
        for line in reversed(lines):
            _, _, name, _, *rest = line.split(maxsplit=4)
            if name in needed:
                needed.update(re.findall(r"c\d+_\w+", rest[0]))
                used.append(line)
        yield from reversed(used)

    def inputs(self, real: Precision, k: int, part: Part, at: int) -> Iterator[str]:
        """The statements of the inputs from ``at`` on that belong together."""
        x, truth = f"x[{part.column}]", f"? {real.number(1.0)} : {real.number(0.0)}"
        missing, mean, scale = map(real.number, (part.missing, part.mean, part.scale))
        value = x if part.missing != part.missing else f"({x} != {x} ? {missing} : {x})"
        value = f"c{part.column}_{part.field}" if part.field else value
        if part.table is not None:
            last, table = len(part.table) - 1, f"{self.name}_inputs_{k}{real.suffix}"
            yield f"for (int k = 0; k < {part.width}; k++)"
            row = f"({value} >= 0 && {value} < {last}) ? (int){value} : {last}"
            yield f"    inputs[{at} + k] = {table}[{row}][k];"
        elif part.flags:
            yield f"inputs[{at}] = {x} != {x} {truth};"
        elif part.categories:
            yield f"for (int k = 0; k < {part.categories}; k++)"
            yield f"    inputs[{at} + k] = {value} == ({real.name})k {truth};"
        else:
            yield f"inputs[{at}] = ({value} - {mean}) / {scale};"


def _tables_of(members: Sequence[NetworkParts], k: int) -> dict[str, list[FloatArray]]:
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


def _function(head: str, name: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"    {line}" for line in (f"{name}_UNFUSED", *lines))
    return f"{head}\n{{\n{body}\n}}\n"
