"""Python functions as curves: compiled by Numba, with dual numbers for the slope."""

from functools import lru_cache
from types import FunctionType

from numba import njit
from numba.core.errors import NumbaError

from fastgd.kernel.bytecode import BLOCK, EVALUATES, RESULT, all_evaluators, function_code
from fastgd.studies.bucket.dual import COMPILED, dual, parts

KEPT = 32
"""Functions whose compiled code is cached.

Memory of code that is dropped from the cache is not freed: LLVM's engine keeps machine code, 0.7 MB
per function (its ``remove_module``, which Numba has disabled, freed 5 %).
"""


@lru_cache(maxsize=KEPT)
def codes_of(function, *, with_slope):
    """Return the code of the function's value and, if asked for, the code of its slope.

    A function that Numba can't compile for dual numbers is compiled for plain numbers, if its slope
    isn't needed. Dual numbers are tried first, because whole powers of plain numbers raise
    ZeroDivisionError at 0, where 1 / x is infinite.
    """
    made = _compiled(function)
    try:
        compiled = _over_blocks(_dual_parts(made))
    except NumbaError:
        if with_slope:
            raise
        compiled = _over_blocks(_plain_parts(made))
    wanted = (False, True) if with_slope else (False,)
    return tuple(function_code(compiled, wants_slope=slope) for slope in wanted)


def _compiled(function):
    """Compile a function, or a call of it where only Numba knows the source, such as math.cos.

    A function that the user compiled with njit is compiled again: see COMPILED.
    """
    function = getattr(function, "py_func", function)
    if isinstance(function, FunctionType):
        return njit(**COMPILED)(function)
    return njit(**COMPILED)(lambda x: function(x))


def _dual_parts(function):
    return njit(**COMPILED)(lambda x: parts(function(dual(x, 1.0))))


def _plain_parts(function):
    return njit(**COMPILED)(lambda x: parts(function(x)))


def _over_blocks(measure):
    """Compile the evaluation of a block: see ``EVALUATES``."""

    @njit(**COMPILED)
    def fill(evaluators, w, count):
        evaluator = all_evaluators(evaluators)[w]
        work = evaluator.work
        if evaluator.wants_slope:
            for i in range(count):
                work[RESULT * BLOCK + i] = measure(work[i])[1]
        else:
            for i in range(count):
                work[RESULT * BLOCK + i] = measure(work[i])[0]

    fill.compile(EVALUATES.args)
    return fill
