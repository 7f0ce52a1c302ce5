"""Compiler options: a kernel is compiled from its source as a whole, with one LLVM optimization.

See :mod:`.translation`. The first kernel takes 1.3 s if nothing is cached (3-4-1, AVX-512, 2.6
GHz): 0.6 s in LLVM's optimizer, 0.35 in its code generator, 0.2 for the translation of the source.
Numba's standard pipeline, which types and lowers each of 68 functions separately, would take 5.2 s,
and 3.2 for another kernel of the same kind.

Tried and rejected: optimizing the parts function by function first (0.2 s more, no faster code);
LLVM's level 2 instead of 3 (0.3 s less, but 3-4-1 took 122 ns an iteration instead of 116).
"""

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
