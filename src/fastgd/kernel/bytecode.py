"""Formulas as bytecode over blocks of values, so that a new formula needs no compilation.

When each new curve was compiled, that took a second or two and 17 MB that were never freed. Here an
instruction processes a whole block, which makes up for its dispatch. The elementary functions are
called by address: each is compiled separately, when it is first needed (all together took 2.4 s).

The working memory consists of rows of BLOCK values: x, the result, three rows for the balls (see
:mod:`fastgd.kernel.curve_descent`), the constants, then intermediate results.
"""

import math
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple, Optional

import numpy as np
from numba import typeof, types

from fastgd.kernel.block import WORK_ROWS
from fastgd.kernel.iteration.activations import body_of, made
from fastgd.kernel.iteration.elementary import maximum, minimum, relu, sign
from fastgd.kernel.iteration.exponentials import (
    acosh,
    asinh,
    atanh,
    erf,
    erf_derivative,
    exp,
    hyperbolic,
    log2,
    log10,
)
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.numba_internals import address, call_address, call_compiled, handle
from fastgd.kernel.language.specialization import (
    WHOLE,
    Choice,
    FormulaChoice,
    MarkersType,
    dispatch,
    markers,
    part,
)
from fastgd.kernel.language.structs import (
    Floats,
    IntArray,
    address_of,
    floats_at,
    integers_at,
    table_of,
)
from fastgd.kernel.language.tile import (
    Shape,
    constant_shape,
    floor,
    fma,
    magnitude,
    runs_of,
    select,
    square_root,
)
from fastgd.kernel.language.translation import outlined, translated

_PER_OCTAVE = float.fromhex("0x1.71547652b82fep+0")  # 1 / log(2)
_PER_DECADE = float.fromhex("0x1.bcb7b1526e50ep-2")  # 1 / log(10)

_narrow = constant_shape(1, 1, 8)


def value(choice, a, b):
    """Apply the function with this name to a tile, or to two."""


def _derivative_of_sigmoid(choice, a, b):
    small = exp(-1.0 * magnitude(a))
    return small / (1.0 + small) / (1.0 + small)


def _derivative_of_tanh(choice, a, b):
    # Not 1 - v * v, which loses all digits as v approaches 1 (77 % off at 19).
    inverse = 1.0 / hyperbolic(a, False)
    return inverse * inverse


def _derivative_of_asinh(choice, a, b):
    """1 / sqrt(x^2 + 1), avoiding overflow of x^2."""
    large = magnitude(a) > 2.0**60
    return 1.0 / select(large, magnitude(a), square_root(fma(a, a, 1.0)))


def _derivative_of_atanh(choice, a, b):
    return select(magnitude(a) <= 1.0, 1.0 / ((1.0 - a) * (1.0 + a)), math.nan)


_OWN = {
    "asinh": lambda choice, a, b: asinh(a),
    "acosh": lambda choice, a, b: acosh(a),
    "atanh": lambda choice, a, b: atanh(a),
    "log2": lambda choice, a, b: log2(a),
    "log10": lambda choice, a, b: log10(a),
    "erf": lambda choice, a, b: erf(a),
    "derivative of exp": lambda choice, v, b: v,
    "derivative of tanh": _derivative_of_tanh,
    "derivative of asinh": _derivative_of_asinh,
    "derivative of acosh": lambda choice, a, b: 1.0 / (square_root(a - 1.0) * square_root(a + 1.0)),
    "derivative of atanh": _derivative_of_atanh,
    "derivative of sigmoid": _derivative_of_sigmoid,
    "derivative of log2": lambda choice, a, b: select(a >= 0.0, _PER_OCTAVE / a, math.nan),
    "derivative of log10": lambda choice, a, b: select(a >= 0.0, _PER_DECADE / a, math.nan),
    "derivative of erf": lambda choice, a, b: erf_derivative(a),
}
"""Functions that networks don't have, and derivatives that they compute from the value instead of
x (called a), where digits are lost."""


def _applied(name):
    """The code that networks have for an operation on a tile, or on two."""
    formula = FormulaChoice((("variable", "a"), ("variable", "b"), (name, 0, 1)), (2,))
    return body_of(formula, ("choice", "a", "b"), {"a": "a", "b": "b"})


_NAMES = """
    sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
    exp expm1 sigmoid log log1p log2 log10 erf pow
"""

FUNCTIONS = {name: _OWN.get(name) or _applied(name) for name in _NAMES.split()}
"""The functions, by their names in expressions or, for the others, in Python."""

OF_VALUE = frozenset(("exp", "sqrt", "tan"))
"""Functions whose derivative is computed from their value instead of x."""

_SAME = {
    "derivative of sin": "cos",
    "derivative of sinh": "cosh",
    "derivative of cosh": "sinh",
    "derivative of expm1": "exp",
}

dispatch(
    value,
    FUNCTIONS
    | {
        f"derivative of {name}": _applied(f"derivative of {name}")
        for name in ("cos", "tan", "asin", "acos", "atan", "log", "log1p", "sqrt")
    }
    | {"log_term": _applied("log_term")}
    | _OWN,
)


@cached_njit(**WHOLE)
@translated
def fill(choice, target, first, second, count):
    """Apply a function to ``count`` values, maybe to a few more; arguments are addresses."""
    _fill(_narrow(), choice, target, first, second, count)


@part
def _fill(shape, choice, target, first, second, count):
    room = count + runs_of(shape) - 1
    a, b, out = floats_at(first, room), floats_at(second, room), floats_at(target, room)
    for i in range(0, count, runs_of(shape)):
        store(shape, out, i, 0, value(choice, load(shape, a, i, 0), load(shape, b, i, 0)))


@markers
class KnownFunctions(NamedTuple):
    """Functions that code for another machine has in itself, where none has an address."""

    first: Choice
    """The first one; its value ``code`` stands for it in a program."""
    others: Optional["KnownFunctions"]


def known_functions(codes: dict[str, int]) -> KnownFunctions | None:
    """Functions by their names, with codes for programs."""
    found = None
    for name, code in codes.items():
        found = KnownFunctions(Choice(_SAME.get(name, name), code=code), found)
    return found


_fill_apart = outlined(_fill.py_func, returned=types.none)


@part
def fill_by_code(shape, functions, code, places):
    """Apply the function with this code, as :func:`fill` does."""
    if code == functions.first.code:
        _fill_apart(shape, functions.first, *places)
    elif functions.others is not None:
        fill_by_code(shape, functions.others, code, places)


@cache
def address_of_function(name: str) -> int:
    """The address of the compiled function that applies the named function to a block."""
    choice = Choice(_SAME.get(name, name))
    return address(fill, (typeof(choice), *[types.int64] * 4), markers=1)


# ---------------------------------------------------------------- programs

BLOCK = 288
"""Values per instruction, few enough that all rows stay in the first-level cache.

With AVX-512 an addition or multiplication of 64 values takes 3.3 ns in blocks of 256, 3.7 in blocks
of 128, 7.1 in blocks of 64.
"""

_piece = constant_shape(1, 1, 32)
"""The part of a block that is in registers at a time."""

X, RESULT, START, ALPHA, DONE, CONSTANTS = range(6)
"""Rows of the working memory; constants begin at the last one."""

SECOND = START
"""Row of a function's second operand (balls don't need it then); the third operand's follows."""

OPERANDS = X, SECOND, SECOND + 1
"""Rows of a function's operands."""

WORDS = 5
"""Words of an instruction: the operation, the index of the result's row, and those of three
operands' rows (of their first values). Missing operands repeat the first one."""


_IEEE = {
    "add": "a + b",
    "sub": "a - b",
    "mul": "a * b",
    "div": "a / b",
    "copy": "a",
    "lt": "select(a < b, 1.0, 0.0)",
    "le": "select(a <= b, 1.0, 0.0)",
    "gt": "select(a > b, 1.0, 0.0)",
    "ge": "select(a >= b, 1.0, 0.0)",
    "where": "select(a != 0.0, b, c)",  # a comparison counts as true unless it is 0
    "minimum": "minimum(a, b)",
    "maximum": "maximum(a, b)",
    # Where the derivative is 0 so is the product, even if the factor is infinite or NaN.
    "times_derivative": "select(b == 0.0, 0.0, a * b)",
    "abs": "magnitude(a)",
    "sign": "sign(a)",
    "relu": "relu(a)",
    "derivative of relu": "select(a > 0.0, 1.0, select(a <= 0.0, 0.0, a))",
    "sqrt": "square_root(a)",
    "fma": "fma(a, b, c)",
    "floor": "floor(a)",
}
"""The IEEE 754 operations, on operands a, b and c. The first five, which are fast, need no c."""

OPERATIONS = {name: code for code, name in enumerate(_IEEE)}
"""Codes of the IEEE 754 operations in programs."""

_LAST_FAST, _LAST = OPERATIONS["copy"], OPERATIONS["floor"]

OPERATIONS |= {"derivative of exp": OPERATIONS["copy"], "derivative of abs": OPERATIONS["sign"]}


def code_of_operation(name: str) -> int:
    """What stands for an operation in a program of this process.

    That of a function is its address: it is compiled, or loaded from the cache, when it is first
    looked up.
    """
    return OPERATIONS[name] if name in OPERATIONS else address_of_function(name)


class Evaluator(NamedTuple):
    """What one thread needs to evaluate a curve."""

    program: IntArray  # (instructions * WORDS,)
    work: Floats  # (rows * BLOCK,)


all_evaluators = table_of(Evaluator)


class Code(NamedTuple):
    """A program that evaluates a function of x for a block of values."""

    program: IntArray
    constants: Floats
    rows: int


def evaluators(code: Code, threads: int) -> Evaluator:
    """The evaluators of ``threads`` threads, as arrays with a leading axis.

    Their memory begins at a cache line; else every second vector straddles two (1.23 ns, not 0.90).
    """
    count = threads * code.rows * BLOCK
    room = np.zeros(count + 7)
    first = -room.ctypes.data % 64 // 8
    work = room[first : first + count].reshape(threads, code.rows, BLOCK)
    work[:, CONSTANTS : CONSTANTS + len(code.constants)] = code.constants[:, None]
    program = np.broadcast_to(code.program, (threads, len(code.program)))
    return Evaluator(program, work.reshape(threads, -1))


def function_of_numbers(name: str, operands: int) -> Code:
    """Code that applies one operation to its operands; see :func:`curve_descent.evaluate_all`."""
    places = [BLOCK * row for row in (RESULT, *OPERANDS[:operands], *[X] * (WORDS - 2 - operands))]
    return Code(np.array([code_of_operation(name), *places]), np.empty(0), CONSTANTS)


# ---------------------------------------------------------------- the interpreter


def _one_of(names, arguments):
    """Write a function that applies the operation with a given code, which is one of these."""
    lines = [f"    if operation == {OPERATIONS[name]}: return {_IEEE[name]}" for name in names]
    text = "\n".join([f"def body(operation, {arguments}):", *lines, "    return a"])
    called = {"select": select, "minimum": minimum, "maximum": maximum, "magnitude": magnitude}
    called |= {"sign": sign, "relu": relu, "square_root": square_root, "fma": fma, "floor": floor}
    return part(made(text, called))


_fast = _one_of([*_IEEE][: _LAST_FAST + 1], "a, b")
_plain = _one_of([*_IEEE][_LAST_FAST + 1 :], "a, b, c")


@cached_njit(**WHOLE)
@translated
def run_program(evaluators, w, count):
    """Run evaluator w's program on the first ``count`` values, maybe on a few more."""
    _run_program(_piece(), None, evaluators, w, count)


@part
def _run_program(shape, functions, evaluators, w, count):
    evaluator = all_evaluators(evaluators)[w]
    _interpret(shape, functions, evaluator.program, evaluator.work, count)


@part
def _interpret(shape, functions, program, work, count):
    for k in range(0, len(program), WORDS):
        operation, target = program[k], program[k + 1]
        first, second, third = program[k + 2], program[k + 3], program[k + 4]
        if operation <= _LAST_FAST:
            for i in range(0, count, runs_of(shape)):
                a, b = load(shape, work, first + i, 0), load(shape, work, second + i, 0)
                store(shape, work, target + i, 0, _fast(operation, a, b))
        elif operation <= _LAST:
            for i in range(0, count, runs_of(shape)):
                a, b = load(shape, work, first + i, 0), load(shape, work, second + i, 0)
                c = load(shape, work, third + i, 0)
                store(shape, work, target + i, 0, _plain(operation, a, b, c))
        else:
            start = address_of(work)
            places = start + 8 * target, start + 8 * first, start + 8 * second, count
            if functions is None:
                call_address(operation, places)
            else:
                fill_by_code(shape, functions, operation, places)


@cached_njit(**WHOLE)
@translated
def run_at(program, words, work, count):
    """The same for a program of ``words`` words; it and the working memory are addresses."""
    floats = floats_at(work, WORK_ROWS * BLOCK)
    _interpret(_piece(), None, integers_at(program, words), floats, count)


@cache
def address_of_interpreter() -> int:
    """The address of :func:`run_at`, for :func:`call_address`."""
    return address(run_at, (types.int64,) * 4)


@cache
def interpreter():
    """A handle of :func:`run_program`, for :func:`evaluate_block`."""
    words = types.Array(types.int64, 2, "C")
    return handle(run_program, (words, types.int64, types.int64))


@markers
class Interpreter(NamedTuple):
    """Stands for the handle of a function in code for another machine, which has the interpreter.

    There no function has an address.
    """

    shape: Shape
    """The part of a block that is in registers at a time."""
    functions: KnownFunctions | None


_run_apart = outlined(_run_program.py_func, returned=types.none)


def evaluate_block(evaluate, evaluators, w, count):
    """Evaluate a curve by evaluator w for the first ``count`` values of its working memory.

    ``evaluate`` is the handle of the interpreter, or the interpreter itself where there are none.
    """


def _by_handle(evaluate, evaluators, w, count):
    call_compiled(evaluate, (evaluators, w, count))


def _by_interpreter(evaluate, evaluators, w, count):
    _run_apart(evaluate.shape, evaluate.functions, evaluators, w, count)


dispatch(
    evaluate_block,
    lambda evaluate, *_: _by_interpreter if isinstance(evaluate, MarkersType) else _by_handle,
)


def codes_with(functions: Iterable[str]) -> dict[str, int]:
    """What stands for an operation where these functions are known, by name."""
    codes = dict(OPERATIONS)
    return codes | {name: len(codes) + place for place, name in enumerate(functions)}
