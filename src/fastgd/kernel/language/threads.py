"""Threads of a GPU: what a kernel knows of them, and how they wait for each other.

A warp is 32 threads, one for each run of a block, where tiles are spread
(:class:`fastgd.kernel.language.tile.Shape`). A function of this file takes a shape: if that isn't
spread, there is a single thread, which holds all runs, and nothing is emitted. So a loop over the
runs of a block, or over an array in which they are adjacent, is for all machines::

    for r in range(thread_of(scalar), runs, threads_of(scalar)):

What all threads share is written between two calls of :func:`meet`. Every thread of a warp has to
reach each of these calls, and each call of :func:`all_agree`. So none may return before the others.
"""

from llvmlite import ir
from numba.core import cgutils, types

from fastgd.kernel.language.specialization import emitted

WARP = 32
"""Threads of a warp, of each GPU that there has been."""

_I64, _I32, _I1 = ir.IntType(64), ir.IntType(32), ir.IntType(1)
_ALL = _I32(-1)  # a bit for each thread


def _call(builder, name, result, args=()):
    kind = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def _register(builder, name):
    """Emit a number that a GPU has in a register of its own."""
    return builder.zext(_call(builder, f"llvm.nvvm.read.ptx.sreg.{name}", _I32), _I64)


def thread(builder):
    """Emit the number of this thread in its warp."""
    return _register(builder, "tid.x")


@emitted
def thread_of(shape):
    """The number of this thread among those that share the runs of a shape."""
    return types.int64(shape), lambda builder, _: thread(builder) if shape.is_spread else _I64(0)


@emitted
def threads_of(shape):
    """How many threads share the runs of a shape."""
    return types.int64(shape), lambda *_: _I64(shape.runs if shape.is_spread else 1)


@emitted
def meet(shape):
    """Wait until all threads are here and see what the others have written."""

    def emit(builder, _shape):
        if shape.is_spread:
            _call(builder, "llvm.nvvm.bar.warp.sync", ir.VoidType(), [_ALL])

    return types.void(shape), emit


@emitted
def all_agree(shape, _condition):
    """Whether a condition holds for all threads."""

    def emit(builder, _shape, condition):
        if not shape.is_spread:
            return condition
        return _call(builder, "llvm.nvvm.vote.all.sync", _I1, [_ALL, condition])

    return types.boolean(shape, types.boolean), emit


@emitted
def block_of_threads():
    """The number of the block of threads, of those that a GPU has been asked to run."""
    return types.int64(), lambda builder: _register(builder, "ctaid.x")
