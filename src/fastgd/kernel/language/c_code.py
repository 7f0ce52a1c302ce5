"""Kernel functions of single numbers as C: each operation becomes a statement.

The translator emits a function for tiles of one lane, and what it has made is written as C. So the
bits are the kernel's, provided that the C compiler fuses and reorders nothing. Only fma, fabs,
sqrt, floor and copysign are called, which IEEE 754 defines to the last bit. C libraries keep to it,
except for a few whose fma rounds twice, such as newlib without an instruction for it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from textwrap import wrap
from typing import Any

import numpy as np
from llvmlite import ir
from numba import typeof
from numpy.typing import NDArray

from fastgd.kernel.language.cross_compilation import check_translates
from fastgd.kernel.language.numba_internals import typing_of_code
from fastgd.kernel.language.source_expressions import UnknownError, Value
from fastgd.kernel.language.tile import Shape, Tile
from fastgd.kernel.language.translation import emit_body

_BINARY = {
    sign: text
    for text, signs in {
        "+": ("fadd", "add"),
        "-": ("fsub", "sub"),
        "*": ("fmul", "mul"),
        "/": ("fdiv",),
        "&": ("and",),
        "|": ("or",),
        "^": ("xor",),
        "<<": ("shl",),
        ">>": ("lshr",),
    }.items()
    for sign in signs
}
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_KINDS = {"double": "double", "i64": "uint64_t", "i1": "int"}
_SAME = ("insertelement", "extractelement", "shufflevector")
"""Operations that change nothing where a vector has a single lane."""

_CALLED = ("fma", "fabs", "sqrt", "floor", "copysign")
"""What is called of <math.h>: the same to the last bit where the C library follows IEEE 754."""

_OTHERS = {
    "load": "{0}",
    "call": "{0}({arguments})",
    "sitofp": "(double)(int64_t){0}",
    "ashr": "(uint64_t)((int64_t){0} >> {1})",
    **dict.fromkeys(_SAME, "{0}"),
}

_NEEDED = {
    "bits": """\
static inline uint64_t {prefix}_bits(double x)
{{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}}
""",
    "number": """\
static inline double {prefix}_number(uint64_t bits)
{{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}}
""",
}


def number_text(value: float, suffix: str = "") -> str:
    """A number in C, with all its bits; ``suffix`` is "f" for a float."""
    if not math.isfinite(value):
        return "NAN" if math.isnan(value) else f"{'-' * (value < 0)}INFINITY"
    if abs(value) < 1e6 and (64 * value).is_integer():
        return f"{value!r}{suffix}"
    mantissa, exponent = value.hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}{suffix}"


def table_text(name: str, array: NDArray[Any], kind: str, text: Callable[[Any], str]) -> str:
    """A constant table in C, in lines of at most 100 characters; ``text`` writes an entry."""
    shape = "".join(f"[{size}]" for size in array.shape)
    lines = [f"static const {kind} {name}{shape} = {{"]
    row = "   "
    for entry in _entries(array, text):
        if len(row) + len(entry) > 98:
            lines.append(row)
            row = "   "
        row += f" {entry},"
    return "\n".join([*lines, row, "};\n"])


def _entries(array: NDArray[Any], text: Callable[[Any], str]) -> list[str]:
    if array.ndim == 1:
        return list(map(text, array.tolist()))
    found = []
    for each in array:
        first, *rest = _entries(each, text)
        *begin, last = [f"{{{first}", *rest]
        found += [*begin, f"{last}}}"]
    return found


class CCode:
    """Functions in C, whose names begin with a common prefix.

    Parameters
    ----------
    prefix : str
    first : str
        The first line of each function's body, maybe empty.

    Raises
    ------
    TargetError
        If the kernel's sources are missing.
    """

    def __init__(self, prefix: str, first: str = "") -> None:
        check_translates()
        self.prefix, self._first = prefix, first
        self._needed: dict[str, str] = {}
        self._functions: list[str] = []

    @property
    def text(self) -> str:
        """All that was added, with what it needs."""
        return "\n".join([*self._needed.values(), *self._functions])

    def add(self, name: str, body: Callable[..., Any], parameters: Sequence[str]) -> None:
        """Add a function of numbers: ``body`` takes a tile for each, maybe after a shape."""
        vector = ir.VectorType(ir.DoubleType(), 1)
        module = ir.Module(name, context=ir.Context())
        function = ir.Function(module, ir.FunctionType(vector, [vector] * len(parameters)), name)
        shape = typeof(Shape(1, 1, 1))
        marker = ir.Constant(typing_of_code().get_value_type(shape), None)
        given = [Value(Tile(1), each) for each in function.args]
        if body.__code__.co_argcount > len(given):
            given.insert(0, Value(shape, marker))
        emit_body(function, body, given)
        lines = _Function(self, function, parameters).lines()
        head = f"static inline double {self.prefix}_{name}"
        arguments = ", ".join(f"double {each}" for each in parameters)
        first = [f"    {self._first}"] if self._first else []
        self._functions.append("\n".join([f"{head}({arguments})", "{", *first, *lines, "}\n"]))

    def need(self, name: str) -> str:
        """The full name of a helper, which is added."""
        self._needed[name] = _NEEDED[name].format(prefix=self.prefix)
        return f"{self.prefix}_{name}"

    def table(self, variable: Any) -> str:
        """The full name of a constant table of integers, which is added."""
        name = f"{self.prefix}_{variable.name.replace('.', '_')}"
        numbers = np.array([each.constant for each in variable.initializer.constant], np.uint64)
        self._needed[name] = table_text(name, numbers, "uint64_t", str)
        return name


class _Function:
    """One function of LLVM's, written as C."""

    def __init__(self, code: CCode, function: Any, parameters: Sequence[str]) -> None:
        self.code = code
        self.blocks = function.blocks
        self.texts: dict[int, str] = {
            id(value): name for value, name in zip(function.args, parameters, strict=True)
        }
        self.labels = {id(block): f"part_{k}" for k, block in enumerate(self.blocks)}
        self.uses: dict[int, int] = {}
        self.used = self._find_used()
        self.declared: dict[str, list[str]] = {}
        self.numbers = count(1)

    def _find_used(self) -> set[int]:
        """The instructions that the result depends on."""
        stores: dict[int, list[Any]] = {}
        for each in self._instructions():
            if each.opname == "store":
                stores.setdefault(id(each.operands[1]), []).append(each)
        left = [e for e in self._instructions() if e.opname in ("ret", "br") or _is_foreign(e)]
        used = {id(each) for each in left}
        while left:
            found = left.pop()
            for operand in _operands(found):
                self.uses[id(operand)] = self.uses.get(id(operand), 0) + 1
                for each in (operand, *stores.get(id(operand), ())):
                    if id(each) not in used:
                        used.add(id(each))
                        left += [each] if isinstance(each, ir.Instruction) else []
        return used

    def _instructions(self) -> Iterator[Any]:
        return (each for block in self.blocks for each in block.instructions)

    def lines(self) -> list[str]:
        """The statements; with labels, all variables are declared first, as C++ wants it."""
        found: list[str] = []
        for k, block in enumerate(self.blocks):
            following = self.blocks[k + 1] if k + 1 < len(self.blocks) else None
            if k:
                found.append(f"{self.labels[id(block)]}:")
            for each in block.instructions:
                if id(each) in self.used:
                    found += [f"    {line}" for line in self.of(each, following)]
        named = {line.split("goto ")[1] for line in found if "goto " in line}
        found = [line for line in found if not line.startswith("part_") or f"{line[:-1]};" in named]
        declared = (f"{kind} {', '.join(names)};" for kind, names in self.declared.items())
        return [*(f"    {line}" for text in declared for line in wrap(text, 96)), *found]

    def of(self, each: Any, following: Any) -> list[str]:
        """The statements of an instruction."""
        operation, operands = each.opname, each.operands
        if operation == "ret":
            return [f"return {self.text(operands[0])};"]
        if operation == "br":
            return self.branch(operands, following)
        if operation == "alloca":
            self.texts[id(each)] = self.declare(each.type.pointee)
            return []
        if operation == "store":
            return [f"{self.text(operands[1])} = {self.text(operands[0])};"]
        if operation == "getelementptr":
            at = self.text(operands[2])
            self.texts[id(each)] = f"{self.code.table(operands[0])}[{at}]"
            return []
        text = self.expression(each)
        is_short = _kind(each.type) == "int" and operation != "load" and self.uses[id(each)] == 1
        if operation in _SAME or is_short:
            self.texts[id(each)] = text
            return []
        if len(self.blocks) > 1:
            name = self.texts[id(each)] = self.declare(each.type)
            return [f"{name} = {text};"]
        name = self.texts[id(each)] = self.named()
        return [f"const {_kind(each.type)} {name} = {text};"]

    def branch(self, operands: Sequence[Any], following: Any) -> list[str]:
        """Go to a block, or to one of two; to the following one without a statement."""
        *test, first = operands[:2]
        lines = []
        if test:
            condition, other = self.text(test[0]), operands[2]
            if first is following:
                condition, first, other = f"!({condition})", other, first
            lines, first = [f"if ({condition}) goto {self.labels[id(first)]};"], other
        return lines if first is following else [*lines, f"goto {self.labels[id(first)]};"]

    def named(self) -> str:
        """A new name."""
        return f"t{next(self.numbers)}"

    def declare(self, kind: Any) -> str:
        """Declare a variable; returns its name."""
        name = self.named()
        self.declared.setdefault(_kind(kind), []).append(name)
        return name

    def text(self, value: Any) -> str:
        """An operand."""
        if isinstance(value, ir.Constant):
            kind, constant = value.type, value.constant
            if isinstance(kind, ir.VectorType) and isinstance(constant, list | tuple):
                constant = getattr(constant[0], "constant", constant[0])
            if constant is ir.Undefined:
                return "0"
            if _kind(kind) == "double":
                return number_text(constant)
            if _kind(kind) == "int":
                return str(constant & 1)
            return f"{constant}u" if 0 <= constant < 1024 else f"0x{constant % 2**64:x}ULL"
        return self.texts[id(value)]

    def expression(self, each: Any) -> str:
        """The value of an instruction."""
        operation, texts = each.opname, list(map(self.text, _operands(each)))
        is_truth = operation != "call" and _kind(each.type) == "int"
        if operation in _BINARY:
            sign = _BINARY[operation]
            return f"({texts[0]} {sign * 2} {texts[1]})" if is_truth else f" {sign} ".join(texts)
        if operation == "select":
            text = f"{texts[0]} ? {texts[1]} : {texts[2]}"
            return f"({text})" if is_truth else text
        if operation in ("fcmp", "icmp"):
            return self.comparison(each, *texts)
        if operation == "bitcast":
            return self.converted(texts[0], each.operands[0].type, each.type)
        if operation == "call":
            if _is_foreign(each):
                raise UnknownError(f"in C: a call of {each.callee.name}")
            texts.insert(0, _name_of(each))
        if operation not in _OTHERS:
            raise UnknownError(f"in C: the operation {operation}")
        return _OTHERS[operation].format(*texts, arguments=", ".join(texts[1:]))

    def converted(self, text: str, old: Any, new: Any) -> str:
        """The same bits with another type."""
        if _kind(old) == _kind(new):
            return text
        return f"{self.code.need('number' if _kind(new) == 'double' else 'bits')}({text})"

    def comparison(self, each: Any, first: str, second: str) -> str:
        """A comparison; of truth values, only whether they hold is asked."""
        if _kind(each.operands[0].type) == "int":
            return first if (each.op, second) in (("ne", "0"), ("eq", "1")) else f"!{first}"
        kind, sign = each.op[:-2], each.op[-2:]
        if kind == "u" and sign != "ne":
            raise UnknownError(f"in C: the comparison {each.op}")
        if kind == "s":
            first, second = f"(int64_t){first}", f"(int64_t){second}"
        return f"({first} {_COMPARISONS[sign]} {second})"


def _name_of(call: Any) -> str:
    """The C name of a function of LLVM's."""
    return str(call.callee.name).removeprefix("llvm.").partition(".")[0]


def _is_foreign(each: Any) -> bool:
    """Whether something is called that C doesn't have."""
    return each.opname == "call" and _name_of(each) not in _CALLED


def _operands(each: Any) -> list[Any]:
    """The operands that a result depends on where vectors have a single lane."""
    if each.opname == "insertelement":
        return [each.operands[1]]
    if each.opname in _SAME:
        return [each.operands[0]]
    return list(each.args if each.opname == "call" else each.operands)


def _kind(kind: Any) -> str:
    """The C type of a number or of a vector of one lane."""
    name = str(kind.element if isinstance(kind, ir.VectorType) else kind)
    if name not in _KINDS:
        raise UnknownError(f"in C: the type {name}")
    return _KINDS[name]
