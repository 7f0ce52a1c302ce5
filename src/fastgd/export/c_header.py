"""Trained networks as one header for C99 and C++17, with the bits of ``predict``.

Loops over constant tables are written here. The functions of units are the kernel's own: see
:mod:`fastgd.kernel.language.c_code`. No compiler may fuse a product and a sum that are separate
operations in the kernel, so the header keeps it from doing so, or refuses to be compiled.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np

from fastgd.arguments.data import FloatArray, NetworkParts
from fastgd.checks.messages import shown
from fastgd.export.network import Exported, ExportError
from fastgd.export.single_precision import OPERATIONS, TESTS, differences, sample_of
from fastgd.export.units import SOFTMAX, inverse_deviation, units_of
from fastgd.kernel.iteration.formulas import body_of
from fastgd.kernel.iteration.losses import exp_below
from fastgd.kernel.language.c_code import CCode, number_text, table_text
from fastgd.kernel.language.specialization import FormulaChoice
from fastgd.tables.columns import NumberColumn, TextColumn
from fastgd.tables.targets import ClassTarget, NumberTarget

_IDENTIFIER = re.compile("[A-Za-z_][A-Za-z0-9_]*")

_CALL = """\
This is C99, and C++17. {name}_predict(x, y) reads {name}_INPUTS numbers and writes {name}_OUTPUTS.
It allocates nothing; of the C library it needs <math.h>, so link with -lm."""

_BITS = """\
{name}_predict has the bits of fastgd's predict with any compiler that follows IEEE 754, at each
level of optimization, with or without instructions for fma(). GCC is kept from fusing products and
sums of its own accord, and so is Clang, except with -ffp-contract=fast: leave that out. A program
that flushes subnormal numbers to zero has other bits, too."""

_HEAD = """\
#ifndef FASTGD_{name}_H
#define FASTGD_{name}_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "{name} must be compiled without -ffast-math, -Ofast and -ffinite-math-only"
#endif
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "{name} must be compiled for arithmetic without excess precision: SSE2 instead of the x87"
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#define {name}_UNFUSED
#else
#define {name}_UNFUSED _Pragma("STDC FP_CONTRACT OFF")
#endif

enum {{ {name}_INPUTS = {inputs}, {name}_OUTPUTS = {outputs} }};
"""

_TAIL = """\
#undef {name}_UNFUSED
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

#endif
"""

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

_CATEGORY = """\
/* The number that stands for a text in this column of x; -1 if it is unknown. */
static inline int {name}_category(int column, const char *text)
{{
    static const struct {{ int column, code; const char *text; }} known[] = {{
{known}
    }};
    for (unsigned k = 0; k < sizeof known / sizeof *known; k++)
        if (known[k].column == column && strcmp(known[k].text, text) == 0)
            return known[k].code;
    return -1;
}}
"""

_LABEL = """\
/* The class of the largest of these outputs. */
static inline const char *{name}_label(const double *y)
{{
    static const char *const classes[] = {{
{classes}
    }};
    int best = 0;
    for (int k = 1; k < {name}_OUTPUTS; k++)
        if (y[k] > y[best] || (y[k] != y[k] && y[best] == y[best]))
            best = k;
    return classes[best];
}}
"""


def c_header(exported: Exported, name: str, rows: FloatArray | None = None) -> str:
    """Return the networks as the text of a C header.

    Parameters
    ----------
    exported : Exported
    name : str
        A C identifier, with which all names in the header begin.
    rows : (n, columns) array, optional
        Inputs on which the error of single precision is measured; by default random ones.

    Raises
    ------
    TypeError, ExportError
        If a name isn't a C identifier, or a string can't be one in C.
    TargetError
        If the kernel's sources are missing.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.training.results import exported
    >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], hidden_size=3, iterations=100)
    >>> for line in c_header(exported([run], "to_c"), "model").splitlines():
    ...     if "_predict(const" in line or "_weights_1[" in line and "static" in line:
    ...         print(line)
    static const double model_weights_1[2][3] = {
    static inline void model_predict(const double *x, double *y)
    """
    rule = f"name must be a C identifier such as 'model', got {shown(name)}"
    if not isinstance(name, str):
        raise TypeError(rule)
    if not _IDENTIFIER.fullmatch(name):
        raise ExportError(rule)
    return _Header(exported, name).text(rows)


class _Precision(NamedTuple):
    """How the same code is written in double and in single precision."""

    name: str  # of the type
    kind: Any
    suffix: str  # of the header's names
    letter: str  # behind literals, and behind names of C's functions

    def number(self, value: float) -> str:
        """A literal."""
        with np.errstate(over="ignore"):
            return number_text(float(self.kind(value)), self.letter)


_DOUBLE = _Precision("double", np.float64, "", "")
_SINGLE = _Precision("float", np.float32, "_float", "f")


@dataclass
class _Header:
    """A header that is being written."""

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
        self.columns = preparation.columns if preparation else ()
        self.functions = dict(self.units)  # those that are written: each formula once
        if len(self.sizes) == 2:
            del self.functions["activation"]
        elif hidden.formula == self.output.formula:
            del self.functions["output"]

    def text(self, rows: FloatArray | None) -> str:
        """The whole header; the error of single precision is measured on these rows."""
        too_large = self.is_too_large()
        parts = [self.head(rows, too_large), *self.strings(), *self.precise(_DOUBLE)]
        parts += [] if too_large else self.precise(_SINGLE)
        return "\n".join([*parts, _TAIL.format(name=self.name)])

    # ------------------------------------------------------------ comments

    def head(self, rows: FloatArray | None, too_large: bool) -> str:
        """The comment, the guards, and the sizes."""
        single = (
            f"There is no {self.name}_predict_float: some numbers are too large for single "
            "precision."
            if too_large
            else self.error(rows)
        )
        call, bits = (text.format(name=self.name) for text in (_CALL, _BITS))
        paragraphs = [self.facts(), "\n".join([call, *self.meaning()]), bits, single]
        head = _HEAD.format(
            name=self.name,
            inputs=len(self.columns) or self.sizes[0],
            outputs=self.exported.outputs,
        )
        return _comment(paragraphs) + head

    def facts(self) -> str:
        """What the networks are."""
        method, network = self.exported.methods[0], self.exported.network
        what = "neural networks, whose outputs are averaged" if self.count > 1 else "neural network"
        hidden = f", hidden units {method.activation}" if len(self.sizes) > 2 else ""
        return (
            f"{self.name}: {self.count if self.count > 1 else 'a'} {what}, written by fastgd. "
            f"Sizes {'-'.join(map(str, network.sizes))}{hidden}, output units {method.output}"
            + ", biases" * network.bias
            + ", batch normalization" * network.batch_norm
            + "."
        )

    def meaning(self) -> Iterator[str]:
        """What inputs and outputs stand for."""
        if self.columns:
            yield f"x has a number for each of {self.name}_COLUMNS, or NAN where it is missing."
        if any(isinstance(column, TextColumn) for column in self.columns):
            yield f"{self.name}_category(column, text) gives the number that stands for a text."
        if self.classes:
            yield f"y has a probability for each class; {self.name}_label(y) is the likeliest one."

    def error(self, rows: FloatArray | None) -> str:
        """What was measured of single precision."""
        where = "rows from a standard normal distribution"
        if self.columns:
            where = "random rows with the means and deviations of the columns"
        if rows is None:
            rows = sample_of(self.exported)
        else:
            where = "rows that were given"
        off = differences(self.exported, rows)
        return (
            f"{self.name}_predict_float does the same in single precision. On {len(rows):,} {where}"
            f" its outputs differed by at most {_up(off.max())}, by {_up(off.mean())} on average, "
            "with NumPy's functions in place of the C library's."
        )

    def is_too_large(self) -> bool:
        """Whether some numbers can't be held in single precision."""
        members = self.exported.members
        numbers = [self.exported.network.row(parts) for parts in members]
        numbers += [inverse_deviation(norm) for parts in members for norm in parts.normalization]
        for each in (*self.columns, *self.exported.targets):
            if isinstance(each, NumberColumn | NumberTarget):
                numbers.append(np.array([each.mean, each.scale, 1.0 / each.scale]))
        return not all(_is_single(array) for array in numbers)

    # ------------------------------------------------------------ strings

    @property
    def classes(self) -> tuple[str, ...]:
        found = [each for each in self.exported.targets if isinstance(each, ClassTarget)]
        return found[0].classes if found else ()

    def strings(self) -> Iterator[str]:
        """The names of columns, categories and classes."""
        if self.columns:
            names = ",\n".join(f"    {_string(column.name)}" for column in self.columns)
            head = f"static const char *const {self.name}_COLUMNS[{self.name}_INPUTS]"
            yield f"{head} = {{\n{names}\n}};\n"
        known = ",\n".join(
            f"        {{{k}, {code}, {_string(text)}}}"
            for k, column in enumerate(self.columns)
            if isinstance(column, TextColumn)
            for text, code in column.places.items()
            if text is not None
        )
        if known:
            yield _CATEGORY.format(name=self.name, known=known)
        if self.classes:
            classes = ",\n".join(f"        {_string(label)}" for label in self.classes)
            yield _LABEL.format(name=self.name, classes=classes)

    # ------------------------------------------------------------ tables

    def precise(self, real: _Precision) -> Iterator[str]:
        """Everything in one precision."""
        yield from self.tables(real)
        yield from self.kernel_functions() if real is _DOUBLE else self.float_functions()
        member = "int m, " if self.count > 1 else ""
        yield self.function(real, "network", member, self.network(real))
        yield self.function(real, "predict", "", self.predict(real))

    def tables(self, real: _Precision) -> Iterator[str]:
        """The parameters of each layer, and those of functions in which the networks differ."""
        for k, units in enumerate(self.sizes[1:], start=1):
            for name, arrays in _tables_of(self.exported.members, k - 1).items():
                yield self.table(real, f"{name}_{k}", [array[..., :units] for array in arrays])
        for name, unit in self.units.items():
            for own, values in unit.parameters.items():
                if len(set(values)) > 1:
                    yield self.table(real, f"{name}_{own}", values)

    def table(self, real: _Precision, name: str, arrays: Sequence[Any]) -> str:
        """A table, whose first index is the network if there are many."""
        array = np.array(arrays if self.count > 1 else arrays[0])
        return table_text(f"{self.name}_{name}{real.suffix}", array, real.name, real.number)

    def entry(self, real: _Precision, name: str, index: str = "") -> str:
        """An entry of a table, for the network that is computed."""
        return f"{self.name}_{name}{real.suffix}{'[m]' * (self.count > 1)}{index}"

    # ------------------------------------------------------------ functions

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
                texts.append(_SINGLE.number(operands[0]))
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

    def function(self, real: _Precision, name: str, member: str, lines: Iterable[str]) -> str:
        head = f"static inline void {self.name}_{name}{real.suffix}"
        return _function(f"{head}({member}const {real.name} *x, {real.name} *y)", self.name, lines)

    def network(self, real: _Precision) -> Iterator[str]:
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
                power=power if real is _DOUBLE else f"expf({below}[j] - largest)",
            ).splitlines()

    def before(self, real: _Precision, k: int, a: str) -> Iterator[str]:
        """What is done with a unit's sum before its function."""
        tables = _tables_of(self.exported.members, k - 1)
        entry = {name: self.entry(real, f"{name}_{k}", "[j]") for name in tables}
        if "biases" in tables:
            yield f"{a}[j] = {a}[j] + {entry['biases']};"
        if "means" in tables:
            yield f"{a}[j] = {a}[j] - {entry['means']};"
            yield f"{a}[j] = {a}[j] * {entry['inverses']};"
            yield f"{a}[j] = fma{real.letter}({entry['scales']}, {a}[j], {entry['shifts']});"

    def call(self, real: _Precision, name: str, value: str) -> str:
        """A call of the function of units, with its parameters."""
        arguments = [value]
        for own, values in self.units[name].parameters.items():
            one = len(set(values)) == 1
            arguments.append(real.number(values[0]) if one else self.entry(real, f"{name}_{own}"))
        same = name if name in self.functions else "activation"
        return f"{self.name}_{same}{real.suffix}({', '.join(arguments)})"

    def predict(self, real: _Precision) -> Iterator[str]:
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

    def preparation(self, real: _Precision) -> Iterator[str]:
        """The statements from columns to inputs."""
        at = 0
        for k, column in enumerate(self.columns):
            if isinstance(column, NumberColumn):
                median, mean, scale = map(real.number, (column.median, column.mean, column.scale))
                yield f"inputs[{at}] = ((x[{k}] != x[{k}] ? {median} : x[{k}]) - {mean}) / {scale};"
                at += 1
            else:
                count = len(column.categories)
                yield f"for (int k = 0; k < {count}; k++)"
                yield f"    inputs[{at} + k] = x[{k}] == k;"
                at += count
            if column.flagged:
                yield f"inputs[{at}] = x[{k}] != x[{k}];"
                at += 1


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


def _is_single(numbers: FloatArray) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(numbers.astype(np.float32)).all())


def _up(value: float) -> str:
    """A number rounded up to two digits."""
    if not isfinite(value) or value == 0:
        return f"{value:g}"
    unit = 10.0 ** (floor(log10(value)) - 1)
    return f"{ceil(value / unit) * unit:.1e}"


def _comment(paragraphs: Sequence[str]) -> str:
    """A comment in lines of at most 100 characters."""
    found = []
    for paragraph in paragraphs:
        safe = paragraph.replace("*/", "* /").replace("/*", "/ *")
        found += [" *", *(f" * {line}" for line in wrap(safe, 96))]
    text = "\n".join(["/*", *found[1:], " */\n"])
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _string(text: str) -> str:
    """A string literal in C: UTF-8, with nothing in it that a compiler would replace."""
    if "\0" in text:
        raise ExportError(f"a string in C must have no NUL character, got {shown(text)}")
    plain = {ord(c) for c in map(chr, range(32, 127))} - set(b'"\\?')
    encoded = text.encode("utf-8", "surrogatepass")
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in encoded) + '"'
