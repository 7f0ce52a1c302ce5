"""How the kernel is compiled: its parts as text only, the whole once.

Numba optimises each compiled function by itself and makes machine code of it, although a part of
the kernel is only ever inlined: a third of the time to compile 3-4-1 (1.3 of 4.1 s). Here a part
stays as it is written, all parts are linked to the whole at once, and the whole goes through LLVM's
optimiser one time; Numba's other pass looks for counted references, and there are none. How Numba
is made to do that is in :mod:`.numba_internals`.

Tried and not kept: optimising the parts function by function first (0.2 s more, no faster code);
LLVM's level 2 instead of 3 (0.3 s less, but 3-4-1 took 122 ns an iteration instead of 116); no
garbage collection while a kernel is compiled (they are 5 % of it, but the difference drowned in the
noise, and six kernels kept 22 MB more).

Of 5 s of CPU on a busy machine, for one more kernel of which nothing is there, LLVM's optimiser has
1.1 (GVN a fifth, unrolling an eighth, no pass more), its code generator with the lowering of the
whole 0.7. The rest is Numba's Python: types 1.0, lowering and text of parts 1.2, bytecode and SSA
form 0.6, splicing 0.15.
"""

from numba import types

from fastgd.kernel.language import numba_internals

# Everything in kernel/iteration and descent.py becomes part of one compiled function. Wrappers for
# calls from Python would double the compile time.
INLINED = {"error_model": "numpy", "forceinline": True, **numba_internals.PART}
"""A part of the kernel."""

# Compiling it by itself would optimise everything below it once more (it took a quarter of the
# compile time).
SPLICED = {"error_model": "numpy", "inline": "always", **numba_internals.NOT_COUNTED}
"""A part that only hands its arguments on, inlined before types are inferred."""

UNCOUNTED = {"error_model": "numpy", "nogil": True, **numba_internals.NOT_COUNTED}
"""A function that is called by others and has no parts of its own."""

WHOLE = {
    "error_model": "numpy",
    "nogil": True,
    "returned": types.none,
    **numba_internals.WHOLE,
}
"""The kernel."""

PARALLEL = {"error_model": "numpy", "nogil": True, "parallel": True}
"""What calls it on all threads."""
