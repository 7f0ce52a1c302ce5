"""How the kernel is compiled: from its own source, as a whole, once through LLVM's optimiser.

See :mod:`.translation`. Of 1.3 s for a first kernel (3-4-1, AVX-512, 2.6 GHz), of which nothing is
there, LLVM's optimiser has 0.6, its code generator 0.35, the walk over the source 0.2. By Numba's
own way, which types and lowers each of 68 functions, it were 5.2 s, and 3.2 for one like it.

Tried and not kept: optimising the parts function by function first (0.2 s more, no faster code);
LLVM's level 2 instead of 3 (0.3 s less, but 3-4-1 took 122 ns an iteration instead of 116).
"""

from fastgd.kernel.language import numba_internals

# Everything in kernel/iteration and descent.py becomes part of one compiled function. These options
# count where Numba compiles a part by itself, for a function of a test or where there is no source.
INLINED = {
    "error_model": "numpy",
    "forceinline": True,
    **numba_internals.NOT_COUNTED,
    **numba_internals.UNWRAPPED,
}
"""A part of the kernel."""

UNCOUNTED = {
    "error_model": "numpy",
    "nogil": True,
    **numba_internals.NOT_COUNTED,
    **numba_internals.NOT_FROM_C,
}
"""A function that is called by others and has no parts of its own."""

WHOLE = {"error_model": "numpy", "nogil": True, **numba_internals.WHOLE}
"""The kernel."""

PARALLEL = {
    "error_model": "numpy",
    "nogil": True,
    "parallel": True,
    **numba_internals.NOT_FROM_C,
}
"""What calls it on all threads."""
