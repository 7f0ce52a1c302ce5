"""Python functions as curves: compiled by Numba, over dual numbers."""

from functools import lru_cache
from types import FunctionType

from numba import njit
from numba.core.errors import NumbaError

from fastgd.kernel.bytecode import BLOCK, EVALUATES, RESULT, all_evaluators, function_code
from fastgd.studies.bucket.dual import COMPILED, dual, parts

KEPT = 32
"""Functions whose code is found again.

What is forgotten is not given back: LLVM's engine keeps machine code, 0.7 MB for each function (its
``remove_module``, which Numba has switched off, gave back 5 %).
"""


@lru_cache(maxsize=KEPT)
def codes_of(function, *, with_slope):
    """What gives the function's value and, if asked, what gives its slope.

    A function that Numba can't compile over dual numbers is compiled over plain ones, if its slope
    isn't needed. Dual ones come first, as whole powers of plain numbers raise ZeroDivisionError at
    0 where 1 / x is infinite.
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
    """What Numba makes of a function: its own text, or a call where Numba knows it, as math.cos.

    What the user's own njit has made is made anew: see COMPILED.
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
    """Compile what evaluates a block: see ``EVALUATES``."""

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
