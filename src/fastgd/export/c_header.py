"""Trained networks as one header for C99 and C++17, with the bits of ``predict``.

What computes them is in :mod:`.c_networks`; here are the guards, what a table and its classes need,
and the comment. No compiler may fuse a product and a sum that are separate operations in the
kernel, so the header keeps it from doing so, or refuses to be compiled.
"""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from math import ceil, floor, log10
from textwrap import wrap
from zlib import crc32

import numpy as np

from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray
from fastgd.export.c_networks import DOUBLE, SINGLE, CNetworks, differences, sample_of
from fastgd.export.exported import Exported, ExportError, inverse_deviation
from fastgd.tables.column_values import DURATION
from fastgd.tables.columns import DateColumn, TargetColumn, TextColumn
from fastgd.tables.targets import ClassTarget, NumberTarget

_IDENTIFIER = re.compile("[A-Za-z_][A-Za-z0-9_]*")

_CALL = """\
This is C99, and C++17. {name}_predict(x, y) reads {name}_INPUTS numbers and writes {name}_OUTPUTS.
It allocates nothing; of the C library it needs <math.h>, so link with -lm."""

_BITS = """\
{name}_predict has the bits of fastgd's predict with GCC and with Clang, at each level of
optimization, with or without instructions for fma(), provided that the C library's fma() rounds
once: glibc's and musl's do, but not newlib's. Both compilers are kept from fusing products and
sums of their own accord, and this header refuses options that change the arithmetic. It can't see
all of Clang's: leave out -ffp-contract=fast, -funsafe-math-optimizations, -fassociative-math,
-freciprocal-math and -fno-signed-zeros. A program that flushes subnormal numbers to zero has
other bits, too."""

_HEAD = """\
#ifndef FASTGD_{name}_H
#define FASTGD_{name}_H 0x{content:08x}u

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__cplusplus) ? __cplusplus < 201703L : __STDC_VERSION__ < 199901L
#error "{name} needs C99 or C++17"
#endif
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "{name} must be compiled without -ffast-math, -Ofast and -ffinite-math-only"
#endif
#if defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) \\
    || defined(__NO_SIGNED_ZEROS__) || defined(_M_FP_FAST)
#error "{name} must be compiled without -funsafe-math-optimizations and what it consists of"
#endif
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "{name} must be compiled for arithmetic without excess precision: SSE2 instead of the x87"
#endif
#if DBL_MANT_DIG != 53
#error "{name} must be compiled with a double of 64 bits"
#endif
typedef char {name}_needs_literals_that_are_doubles[sizeof 1.0 == sizeof(double) ? 1 : -1];

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

#elif FASTGD_{name}_H != 0x{content:08x}u
#error "two different networks are called {name}: give one of them another name"
#endif
"""

_CATEGORY = """\
/* The number that stands for a text in this column of x, also for an unknown one, as is one with
   spaces around it. For a missing cell, such as an empty text, write NAN to x instead. */
static inline int {name}_category(int column, const char *text)
{{
    static const struct {{ int column, code; const char *text; }} known[] = {{
{known}
    }};
    for (unsigned k = 0; k < sizeof known / sizeof *known; k++)
        if (known[k].column == column && strcmp(known[k].text, text) == 0)
            return known[k].code;
    return {others}-1;
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
    """Return the networks as the text of a C header, as :meth:`.Exportable.to_c` writes it.

    The error of single precision is measured on these (n, columns) rows, by default random ones.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.training.run import exported
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


class _Header(CNetworks):
    """A header that is being written."""

    def text(self, rows: FloatArray | None) -> str:
        """The whole header; the error of single precision is measured on these rows."""
        found = [each for each in self.exported.targets if isinstance(each, ClassTarget)]
        classes = found[0].classes if found else ()
        code = [*self.strings(classes), *self.code(DOUBLE)]
        has_single, single = self.single(rows)
        code += self.code(SINGLE) if has_single else []
        words = {"name": self.name, "content": crc32("".join(code).encode())}
        call, bits = (text.format(name=self.name) for text in (_CALL, _BITS))
        meaning = "\n".join([call, *self.meaning(bool(classes))])
        inputs = len(self.columns) or self.exported.network.sizes[0]
        head = _HEAD.format(**words, inputs=inputs, outputs=self.exported.outputs)
        comment = _comment([self.facts(), meaning, bits, single])
        return "\n".join([comment + head, *code, _TAIL.format(**words)])

    # ------------------------------------------------------------ comments

    def facts(self) -> str:
        """What the networks are."""
        method, network = self.exported.methods[0], self.exported.network
        what = "a neural network"
        if self.count > 1:
            what = f"{self.count} neural networks, whose outputs are averaged"
        hidden = f", hidden units {method.activation}" if network.layers > 1 else ""
        sizes, extras = "-".join(map(str, network.sizes)), ", biases" * network.bias
        extras += ", batch normalization" * network.batch_norm
        return (
            f"{self.name}: {what}, written by fastgd {version('fastgd')}. "
            f"Sizes {sizes}{hidden}, output units {method.output}{extras}."
        )

    def meaning(self, has_classes: bool) -> Iterator[str]:
        """What inputs and outputs stand for."""
        if self.columns:
            yield f"x has a number for each of {self.name}_COLUMNS, or NAN where it is missing."
        if any(isinstance(column, TextColumn | TargetColumn) for column in self.columns):
            yield f"{self.name}_category(column, text) gives the number that stands for a text."
        whole = [c for c in self.columns if isinstance(c, DateColumn)]
        if dates := [c.name for c in whole if c.order != "time"]:
            when = "days since 1970-01-01 UTC, such as 20783.5 for 2026-11-26 at noon"
            yield f"Dates ({', '.join(dates)}) are {when}."
        if times := [c.name for c in whole if c.order == "time"]:
            yield f"Times of day ({', '.join(times)}) are fractions of a day, 0.5 at noon."
        if spans := [c.name for c in self.columns if getattr(c, "notation", "") == DURATION]:
            yield f"Durations ({', '.join(spans)}) are numbers of days."
        if has_classes:
            yield f"y has the probability of each class; {self.name}_label(y) is the likeliest one."

    def single(self, rows: FloatArray | None) -> tuple[bool, str]:
        """Whether there is a function in single precision, and what was measured of it."""
        function = f"{self.name}_predict_float"
        members = self.exported.members
        numbers = [self.exported.network.row(parts) for parts in members]
        numbers += [inverse_deviation(norm) for parts in members for norm in parts.normalization]
        targets = [each for each in self.exported.targets if isinstance(each, NumberTarget)]
        scales = [each.pieces[:, :2] for each in self.exported.encodings if each.pieces is not None]
        scales += [np.array([[each.mean, each.scale]]) for each in targets]
        if bounds := self.exported.bounds:
            scales.append(bounds.pieces[:, :2])
            numbers.append(np.array([bounds.spread, *bounds.ends]))
        numbers += [np.column_stack([own, 1.0 / own[:, 1]]) for own in scales]
        numbers += [each.table for each in self.exported.encodings if each.table is not None]
        with np.errstate(over="ignore"):
            held = [np.isfinite(array.astype(np.float32)).all() for array in numbers]
        if not all(held):
            return False, f"There is no {function}: some numbers are too large for it."
        where = "rows that were given"
        if rows is None:
            rows, where = sample_of(self.exported), "rows from a standard normal distribution"
            if self.columns:
                where = "random rows with the means and deviations of the columns"
        off = differences(self.exported, rows)
        sample, overflows = f"{len(rows):,} {where}", np.isinf(off).any(axis=1)
        if overflows.all():
            return False, f"There is no {function}: it would overflow in all of {sample}."
        off = off[~overflows]
        some = f"it overflowed in {overflows.sum():,}; in the others " if overflows.any() else ""
        return True, (
            f"{function} does the same in single precision. On {sample} {some}its outputs differed "
            f"by about {_up(off.max())} or less, by {_up(off.mean())} on average, with NumPy's "
            "functions in place of the C library's."
        )

    # ------------------------------------------------------------ strings

    def strings(self, labels: Sequence[str]) -> Iterator[str]:
        """The names of columns, categories and classes."""
        if self.columns:
            names = ",\n".join(f"    {_string(column.name, 'a column')}" for column in self.columns)
            head = f"static const char *const {self.name}_COLUMNS[{self.name}_INPUTS]"
            yield f"{head} = {{\n{names}\n}};\n"
        known = ",\n".join(
            f"        {{{k}, {code}, {_string(text, f'a category of {column.name}')}}}"
            for k, column in enumerate(self.columns)
            if isinstance(column, TextColumn | TargetColumn)
            for text, code in column.places.items()
        )
        if known:
            others = "".join(
                f"column == {k} ? {column.unknown_code} : "
                for k, column in enumerate(self.columns)
                if isinstance(column, TextColumn) and column.others
            )
            yield _CATEGORY.format(name=self.name, known=known, others=others)
        if labels:
            what = f"a class of {self.exported.targets[0].name}"
            classes = ",\n".join(f"        {_string(label, what)}" for label in labels)
            yield _LABEL.format(name=self.name, classes=classes)


def _up(value: float) -> str:
    """A number rounded up to two digits."""
    if value == 0:
        return "0"
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


def _string(text: str, what: str) -> str:
    """A string literal in C: UTF-8, with nothing in it that a compiler would replace."""
    if "\0" in text:
        raise ExportError(f"{what} must have no NUL character in C, got {shown(text)}")
    plain = {ord(c) for c in map(chr, range(32, 127))} - set(b'"\\?')
    encoded = text.encode("utf-8", "surrogatepass")
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in encoded) + '"'
