"""Formulas as bytecode over blocks of values, so that a new formula needs no compilation.

When each new curve was compiled, that took a second or two and 17 MB that were never freed. Here an
instruction processes a whole block, which makes up for its dispatch.

The working memory consists of rows of BLOCK values: x, the result, three rows for the balls (see
:mod:`fastgd.kernel.curve_descent`), the constants, then intermediate results.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numba import types

from fastgd.kernel.bytecode import KnownFunctions, address_of_function, fill_by_code
from fastgd.kernel.iteration.elementary import maximum, minimum, relu, sign
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.numba_internals import call_address, call_compiled, handle
from fastgd.kernel.language.specialization import WHOLE, MarkersType, dispatch, markers, part
from fastgd.kernel.language.structs import Floats, Integers, address_of, table_of
from fastgd.kernel.language.tile import (
    Shape,
    constant_shape,
    magnitude,
    runs_of,
    select,
    square_root,
)
from fastgd.kernel.language.translation import outlined, translated

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


class _Operations(dict[str, int]):
    """Codes of the interpreter's operations; any other name maps to a function's address."""

    def codes(self, *names: str) -> range:
        """Assign codes to further operations."""
        first = len(self)
        self.update((name, first + place) for place, name in enumerate(names))
        return range(first, len(self))

    def __missing__(self, name: str) -> int:
        return address_of_function(name)


OPERATIONS = _Operations()
"""What stands for an operation in a program of this process, by name.

IEEE 754 operations have a small code. The condition of ``where`` is a number that counts as true
unless it is 0. Any other operation is the address of a function, which is compiled, or loaded from
the cache, when it is first looked up.
"""

_codes = OPERATIONS.codes
_ADD, _SUB, _MUL, _DIV, _COPY = _codes("add", "sub", "mul", "div", "copy")
_LT, _LE, _GT, _GE, _WHERE = _codes("lt", "le", "gt", "ge", "where")
_MINIMUM, _MAXIMUM, _TIMES_DERIVATIVE = _codes("minimum", "maximum", "times_derivative")
_ABS, _SIGN, _RELU, _STEP, _SQRT = _codes("abs", "sign", "relu", "derivative of relu", "sqrt")

OPERATIONS |= {"derivative of exp": _COPY, "derivative of abs": _SIGN}


class Evaluator(NamedTuple):
    """What one thread needs to evaluate a curve."""

    program: Integers  # (instructions * WORDS,), empty for compiled code
    work: Floats  # (rows * BLOCK,)
    wants_slope: int  # selects slope or value in compiled code that can compute both


all_evaluators = table_of(Evaluator)

EVALUATES = types.none(types.Array(types.int64, 2, "C"), types.int64, types.int64)
"""The signature of functions that evaluate a curve: the evaluators, the index of the one to use,
and the number of values in its first row."""


class Code(NamedTuple):
    """Code that evaluates a function of x for a block of values."""

    handle: Any  # to call the compiled function
    function: Any  # the function itself, which must live as long as the handle
    program: Integers
    constants: Floats
    rows: int
    wants_slope: bool = False


def evaluators(code: Code, threads: int) -> Evaluator:
    """The evaluators of ``threads`` threads, as arrays with a leading axis."""
    work = _aligned(threads * code.rows * BLOCK).reshape(threads, code.rows, BLOCK)
    first = CONSTANTS
    work[:, first : first + len(code.constants)] = code.constants[:, None]
    return Evaluator(
        program=np.broadcast_to(code.program, (threads, len(code.program))),
        work=work.reshape(threads, -1),
        wants_slope=int(code.wants_slope),
    )


def _aligned(count: int) -> Floats:
    """Zeros aligned to a cache line; else every second vector straddles two (1.23 ns, not 0.90)."""
    room = np.zeros(count + 7)
    first = -room.ctypes.data % 64 // 8
    return room[first : first + count]


@part
def _fast(operation, a, b):
    if operation == _ADD:
        return a + b
    if operation == _SUB:
        return a - b
    if operation == _MUL:
        return a * b
    if operation == _DIV:
        return a / b
    return a


@part
def _plain(operation, a, b, c):
    """The IEEE 754 operations; comparisons give 1 or 0."""
    if operation == _LT:
        return select(a < b, 1.0, 0.0)
    if operation == _LE:
        return select(a <= b, 1.0, 0.0)
    if operation == _GT:
        return select(a > b, 1.0, 0.0)
    if operation == _GE:
        return select(a >= b, 1.0, 0.0)
    if operation == _WHERE:
        return select(a != 0.0, b, c)
    if operation == _MINIMUM:
        return minimum(a, b)
    if operation == _MAXIMUM:
        return maximum(a, b)
    if operation == _TIMES_DERIVATIVE:
        # Where the derivative is 0 so is the product, even if the factor is infinite or NaN.
        return select(b == 0.0, 0.0, a * b)
    return _plain_of_one(operation, a)


@part
def _plain_of_one(operation, a):
    if operation == _ABS:
        return magnitude(a)
    if operation == _SIGN:
        return sign(a)
    if operation == _RELU:
        return relu(a)
    if operation == _STEP:
        return select(a > 0.0, 1.0, select(a <= 0.0, 0.0, a))
    return square_root(a)


@cached_njit(**WHOLE)
@translated
def run_program(evaluators, w, count):
    """Run evaluator w's program on the first ``count`` values, maybe on a few more."""
    _run_program(_piece(), None, evaluators, w, count)


@part
def _run_program(shape, functions, evaluators, w, count):
    evaluator = all_evaluators(evaluators)[w]
    program, work = evaluator.program, evaluator.work
    for k in range(0, len(program), WORDS):
        operation, target = program[k], program[k + 1]
        first, second, third = program[k + 2], program[k + 3], program[k + 4]
        if operation <= _COPY:
            for i in range(0, count, runs_of(shape)):
                a, b = load(shape, work, first + i, 0), load(shape, work, second + i, 0)
                store(shape, work, target + i, 0, _fast(operation, a, b))
        elif operation <= _SQRT:
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
    """Evaluate a curve by evaluator w for the first ``count`` values of its working memory."""


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


def program_code(program: Integers, constants: Floats, rows: int) -> Code:
    """Code that runs a program."""
    return Code(handle(run_program, EVALUATES.args), run_program, program, constants, rows)


def function_of_numbers(name: str, operands: int) -> Code:
    """Code that applies one operation to its operands; see :func:`curve_descent.evaluate_all`."""
    places = [BLOCK * row for row in (RESULT, *OPERANDS[:operands], *[X] * (WORDS - 2 - operands))]
    return program_code(np.array([OPERATIONS[name], *places]), np.empty(0), CONSTANTS)


def function_code(function: Any, *, wants_slope: bool) -> Code:
    """Code that runs a jitted function of evaluators, w and count."""
    program, constants = np.empty(0, np.int64), np.empty(0)
    return Code(
        handle(function, EVALUATES.args), function, program, constants, CONSTANTS, wants_slope
    )
