"""A formula as data: instructions over blocks of numbers, so that a new one compiles nothing.

Each different curve that was compiled took a second or two and kept 17 MB for good. An instruction
here goes over a whole block, which makes up for its dispatch.

Work is rows of BLOCK numbers: x, the result, three of the balls (see :mod:`fastgd.kernel.rolling`),
the constants, then what is needed on the way.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types

from fastgd.kernel.elementary import ELEMENTARY, log_term, times_slope
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.compiler import INLINED, WHOLE
from fastgd.kernel.language.numba_internals import handle
from fastgd.kernel.language.structs import Floats, Integers, table_of
from fastgd.kernel.language.tile import constant_shape, load, runs_of, store

BLOCK = 288
"""Numbers that an instruction goes over, few enough that all rows stay in the first-level cache.

With AVX-512 an addition or product of 64 numbers takes 3.3 ns in blocks of 256, 3.7 in blocks of
128, 7.1 in blocks of 64.
"""

_piece = constant_shape(1, 1, 32)
"""Of a block, what is in registers at a time."""

X, RESULT, START, ALPHA, DONE, CONSTANTS = range(6)
"""Rows of the work; constants begin at the last one."""

WORDS = 4
"""Of an instruction: the operation, where the result goes, and two operands, each the place of a
row's first number. An operation of one operand has it twice."""

_TWO = ("add", "sub", "mul", "div", "copy", "pow", "log_term", "times_slope")
_ADD, _SUB, _MUL, _DIV, _COPY, _POW, _LOG_TERM, _TIMES_SLOPE = range(len(_TWO))

FUNCTIONS = (
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    *("exp", "log", "sqrt", "abs", "sigmoid", "relu"),
)
"""The elementary functions that there are operations for, and for their slopes."""

OPERATIONS = {
    name: code
    for code, name in enumerate([*_TWO, *FUNCTIONS, *(f"slope of {name}" for name in FUNCTIONS)])
}
"""The codes of the operations."""


class Evaluator(NamedTuple):
    """What one thread needs to evaluate a curve."""

    program: Integers  # (instructions * WORDS,), empty for compiled code
    work: Floats  # (rows * BLOCK,)
    wants_slope: int  # from compiled code, which knows both


all_evaluators = table_of(Evaluator)

EVALUATES = types.none(types.Array(types.int64, 2, "C"), types.int64, types.int64)
"""The signature of what evaluates a curve: the evaluators, which of them, and how many numbers of
its first row."""


class Code(NamedTuple):
    """How a number follows from x, for a block of them."""

    handle: Any  # calls what is compiled
    function: Any  # must live as long as that
    program: Integers
    constants: Floats
    rows: int
    wants_slope: bool = False


def evaluators(code: Code, threads: int) -> Evaluator:
    """The evaluators of so many threads, as arrays with a leading axis."""
    work = _aligned(threads * code.rows * BLOCK).reshape(threads, code.rows, BLOCK)
    first = CONSTANTS
    work[:, first : first + len(code.constants)] = code.constants[:, None]
    return Evaluator(
        program=np.broadcast_to(code.program, (threads, len(code.program))),
        work=work.reshape(threads, -1),
        wants_slope=int(code.wants_slope),
    )


def _aligned(count: int) -> Floats:
    """Zeros that begin at a cache line: else each second vector lies on two (1.23 ns, not 0.90)."""
    room = np.zeros(count + 7)
    first = -room.ctypes.data % 64 // 8
    return room[first : first + count]


def _part(function):
    """What can be inlined: a function of this package compiled so, one of math as it is."""
    return njit(**INLINED)(function) if hasattr(function, "__code__") else function


def _one_of(functions, first):
    """The one of these functions whose code comes, the first one's being ``first``.

    Each function that Numba is given costs 26 ms, so there are as few as can be: four at the end
    of each path of a tree (a chain of them would be nested too deep).
    """
    if len(functions) <= 4:
        return _one_of_four(*functions, *functions[-1:] * (4 - len(functions)), first)
    half = (len(functions) + 7) // 8 * 4
    middle = first + half
    low, high = _one_of(functions[:half], first), _one_of(functions[half:], middle)

    @njit(**INLINED)
    def choose(operation, work, target, source, count):
        if operation < middle:
            low(operation, work, target, source, count)
        else:
            high(operation, work, target, source, count)

    return choose


def _one_of_four(a, b, c, d, first):
    @njit(**INLINED)
    def apply(operation, work, target, source, count):
        if operation == first:
            for i in range(count):
                work[target + i] = a(work[source + i])
        elif operation == first + 1:
            for i in range(count):
                work[target + i] = b(work[source + i])
        elif operation == first + 2:
            for i in range(count):
                work[target + i] = c(work[source + i])
        else:
            for i in range(count):
                work[target + i] = d(work[source + i])

    return apply


_of_one = _one_of(
    [_part(ELEMENTARY[name].function) for name in FUNCTIONS]
    + [_part(ELEMENTARY[name].slope) for name in FUNCTIONS],
    len(_TWO),
)
_log_term, _times_slope = _part(log_term), _part(times_slope)


@njit(**INLINED)
def _combined(operation, a, b):
    """Two tiles."""
    if operation == _ADD:
        return a + b
    if operation == _SUB:
        return a - b
    if operation == _MUL:
        return a * b
    if operation == _DIV:
        return a / b
    return a


@njit(**INLINED)
def _of_two(operation, a, b):
    """Two numbers."""
    if operation == _POW:
        return math.pow(a, b)
    if operation == _LOG_TERM:
        return _log_term(a, b)
    return _times_slope(a, b)


@cached_njit(**WHOLE)
def run_program(evaluators, w, count):
    """Run evaluator w's program on the first ``count`` numbers, maybe on some more."""
    shape = _piece()
    evaluator = all_evaluators(evaluators)[w]
    program, work = evaluator.program, evaluator.work
    for k in range(0, len(program), WORDS):
        operation, target = program[k], program[k + 1]
        first, second = program[k + 2], program[k + 3]
        if operation <= _COPY:
            for i in range(0, count, runs_of(shape)):
                a, b = load(shape, work, first + i, 0), load(shape, work, second + i, 0)
                store(shape, work, target + i, 0, _combined(operation, a, b))
        elif operation <= _TIMES_SLOPE:
            for i in range(count):
                work[target + i] = _of_two(operation, work[first + i], work[second + i])
        else:
            _of_one(operation, work, target, first, count)


def program_code(program: Integers, constants: Floats, rows: int) -> Code:
    """What runs a program."""
    return Code(handle(run_program, EVALUATES.args), run_program, program, constants, rows)


def function_code(function: Any, *, wants_slope: bool) -> Code:
    """What runs a jitted function of evaluators, w and count."""
    program, constants = np.empty(0, np.int64), np.empty(0)
    return Code(
        handle(function, EVALUATES.args), function, program, constants, CONSTANTS, wants_slope
    )
