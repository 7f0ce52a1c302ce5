"""Compiler options: a kernel is compiled from its source as a whole, with one LLVM optimization.

See :mod:`.translation`. Numba's standard pipeline, which types and lowers each of 68 functions
separately, would take four times as long for a first kernel and for others of the same kind.

Tried and rejected: optimizing the parts function by function first (0.2 s more, no faster code).
What LLVM does is in :mod:`.numba_internals`.
"""

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any

from numba import njit
from numba.extending import typeof_impl

from fastgd.kernel.language import numba_internals

# Everything in kernel/iteration and training_loop.py becomes part of one compiled function. These
# options matter where Numba compiles a part separately: for tests, or if there is no source.
INLINED = {
    "error_model": "numpy",
    "forceinline": True,
    **numba_internals.NOT_COUNTED,
    **numba_internals.UNWRAPPED,
}
"""Options of a function that is part of a kernel."""

UNCOUNTED = {
    "error_model": "numpy",
    "nogil": True,
    **numba_internals.NOT_COUNTED,
    **numba_internals.NOT_FROM_C,
}
"""Options of a function that calls kernels and contains no parts of one."""

WHOLE = {"error_model": "numpy", "nogil": True, **numba_internals.WHOLE}
"""Options of a kernel."""

PARALLEL = {
    "error_model": "numpy",
    "nogil": True,
    "parallel": True,
    **numba_internals.NOT_FROM_C,
}
"""Options of a function that calls a kernel on all threads."""


class Part:
    """A function that is part of kernels, which the translator takes from its source.

    Numba's own object for it, which a test or a kernel without a source calls, is made when it is
    first needed: 260 of them take a fifth of the time of an import.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.py_func = function
        self.__qualname__ = function.__qualname__
        update_wrapper(self, function)

    @cached_property
    def compiled(self) -> Any:
        """The function as Numba compiles it."""
        return njit(**INLINED)(self.py_func)

    def __call__(self, *args: Any) -> Any:
        """Call it as Numba compiles it."""
        return self.compiled(*args)

    def __repr__(self) -> str:
        """Like that of a function."""
        return f"<part of kernels {self.__module__}.{self.__qualname__}>"

    def __reduce__(self) -> str:
        """Pickled by name, as a function is."""
        return self.__qualname__


@typeof_impl.register(Part)
def _typeof_part(value: Part, context: Any) -> Any:
    return typeof_impl(value.compiled, context)


def part(function: Callable[..., Any]) -> Any:
    """Decorator: make a function a :class:`Part`."""
    return Part(function)
