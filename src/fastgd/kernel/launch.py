"""Kernel calls, for one block or many on all threads; they work in threads and after a fork."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import prange, typeof
from numba.core import types
from numpy.typing import NDArray

import fastgd.kernel.extensions  # noqa: F401  what takes the place of functions of the loop
from fastgd.kernel.block import Block, Data, IterationSpan, Recipe, Shapes, Split, all_blocks
from fastgd.kernel.fork_lock import ForkSafeLock
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.numba_internals import call_compiled, entry_point, handle
from fastgd.kernel.language.specialization import PARALLEL, UNCOUNTED
from fastgd.kernel.language.structs import Floats, encode, first_byte, table_of
from fastgd.kernel.training_loop import descend

# Numba's workqueue layer aborts the process when two Python threads run parallel code at once.
_one_at_a_time = ForkSafeLock()

_started_in: int | None = None  # the process in which Numba has started its threads

# Variables, so that neither Python nor Numba folds the expressions below at compile time.
_SMALLEST = float.fromhex("0x1p-1074")
_ONE = 1.0
_NEXT = float.fromhex("0x1.0000000000001p0")  # the next number after 1
_HALF_STEP = float.fromhex("0x1p-53")  # half the distance between them


def _check_arithmetic() -> None:
    """Raise an error if this thread rounds or flushes numbers in a nonstandard way.

    That would change bits of the results. Some libraries (code built with -ffast-math) switch the
    whole thread to flushing subnormal numbers to zero as they are loaded, and ``fesetround`` sets a
    thread's rounding mode. Threads inherit both modes: Numba's workers have those of the thread
    that started them. The check takes 0.1 us.
    """
    if _SMALLEST * _ONE == 0.0:
        raise RuntimeError(
            "subnormal numbers must not be flushed to zero, but some library has switched that on "
            "in this thread: import fastgd and train before loading it"
        )
    # Both sums are ties, which round to even: down from 1, up from the number after it. Rounding
    # upward fails the first check, rounding downward or toward zero the second.
    if _ONE + _HALF_STEP != _ONE or _NEXT + _HALF_STEP == _NEXT:
        raise RuntimeError(
            "numbers must be rounded to nearest, but this thread has another rounding mode: "
            "set it back by fesetround(FE_TONEAREST)"
        )


def allowed(threads: int, blocks: int) -> int:
    """How many threads may work on these blocks: only one in a forked process.

    Raises an error where this thread's arithmetic would change bits.
    """
    _check_arithmetic()
    return min(threads, blocks) if _started_in in (None, os.getpid()) else 1


@contextmanager
def started(threads: int) -> Iterator[None]:
    """Set Numba's number of threads, and let nobody else run parallel code meanwhile."""
    global _started_in
    with _one_at_a_time:
        _started_in = os.getpid()
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            yield
        finally:
            numba.set_num_threads(before)


@cached_njit(**PARALLEL)
def descend_all(compiled, data, layers, blocks, span, in_turn):
    """Train all blocks on all threads, each thread some of them ``in_turn``.

    ``compiled`` is a handle from :func:`handle_of`. Compiled code no longer takes the markers as
    arguments, so this function is the same for all shapes and recipes.
    """
    for first in prange(-(-len(blocks) // in_turn)):
        for b in range(first * in_turn, min((first + 1) * in_turn, len(blocks))):
            call_compiled(compiled, (data, layers, blocks, b, span))


_WORDS = types.Array(types.int64, 2, "C")
_OTHERS = (_WORDS, _WORDS, _WORDS, types.int64, _WORDS)
"""Types of the arguments after the markers."""


@lru_cache(maxsize=1024)
def handle_of(shapes, recipe):
    """Compile :func:`descend` for these markers, or load it; returns a handle for calling it.

    Numba keeps what it has compiled, but a lookup there takes 100 us, as the type of a recipe is
    built from those of its choices.
    """
    return handle(descend, (typeof(shapes), typeof(recipe), *_OTHERS), markers=2)


@lru_cache(maxsize=1024)
def entry_of(shapes, recipe):
    """Like :func:`handle_of`; returns a function that doesn't look up its arguments' types."""
    return entry_point(descend, (typeof(shapes), typeof(recipe), *_OTHERS))


Facts = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class KernelCall(NamedTuple):
    """The arguments of a kernel call."""

    shapes: Shapes
    recipe: Recipe
    data: Sequence[Data]  # shared or for each block: training samples, then validation samples
    layers: NDArray[np.int64]  # a row per layer, see Layer
    blocks: Block  # a leading axis of blocks on every array
    span: IterationSpan
    split: Split | None = None  # how threads share the work of a block
    words: Facts | None = None  # the facts, where they are known

    @property
    def facts(self) -> Facts:
        """Samples, layers and blocks as compiled code takes them; the originals must outlive it."""
        return self.facts_at(first_byte) if self.words is None else self.words

    def facts_at(self, place: Callable[[NDArray[Any]], int]) -> Facts:
        """The same for code that finds each array where ``place`` says."""
        count = len(self.blocks.numbers)
        tables = 1 if self.recipe.held is None else 2
        each = [encode(data, place=place) for data in self.data]
        words = each[0] if len(each) == 1 else np.concatenate(each)
        if len(words) == tables and count > 1:
            words = np.tile(words, (count, 1))
        return words, self.layers, encode(self.blocks, count, place)


def train_blocks(call: KernelCall, threads: int) -> None:
    """Run all blocks through the span on at most ``threads`` threads.

    A forked child has none of its parent's threads, and GNU OpenMP aborts a child that asks for
    them. There the blocks run one after the other, with the same bits.
    """
    count, facts, span = len(call.blocks.numbers), call.facts, encode(call.span)
    if (split := call.split) is not None:  # the threads share the work of each block
        from fastgd.kernel import splitting  # what few networks are large enough for

        threads = allowed(split.threads, split.threads)
        compiled = splitting.handle_of(call.shapes, call.recipe)
        words = *facts, span, encode(split)
        iterations = call.span.first, call.span.last, call.span.iterations
        for b in range(count):
            arguments = compiled, words, b, split.now, iterations, split.threads
            if threads == 1:  # one share after the other
                splitting.descend_in_turn(*arguments)
            else:
                with started(min(split.threads, numba.config.NUMBA_NUM_THREADS)):  # type: ignore[attr-defined]
                    splitting.descend_together(*arguments)
        return
    threads = allowed(threads, count)
    if threads == 1:
        markers = call.shapes, call.recipe
        train = entry_of(*markers)
        for b in range(count):
            train(*markers, *facts, b, span)
        return
    compiled = handle_of(call.shapes, call.recipe)
    spaces = min(len(call.blocks.products), len(call.blocks.work))
    in_turn = -(-count // spaces)  # blocks of a thread: they share a workspace
    with started(threads):
        descend_all(compiled, *facts, span, in_turn)


def bind(call: KernelCall) -> Callable[[], None]:
    """Run the only block through the span, and return a function that does so again.

    Numba's dispatcher would look up the types of all arguments in every call: 146 us. This function
    knows them already: 0.7 us.
    """
    train_blocks(call, threads=1)
    arguments = call.shapes, call.recipe, *call.facts, 0, encode(call.span)
    entry = entry_of(call.shapes, call.recipe)

    def again(_alive: object = call) -> None:
        _check_arithmetic()
        entry(*arguments)

    return again


# ---------------------------------------------------------------- the loss surface
#
# Over two weights of a network: many runs without updates. A block's R runs are R neighboring
# points of the grid: the two weights are written into each run, and the training kernel measures
# their errors.


class PlaneGrid(NamedTuple):
    """The points ``first`` to ``last``; point p is at ``x[p % len(x)]`` and ``y[p // len(x)]``."""

    x: Floats  # values of one weight
    y: Floats  # values of the other
    errors: Floats  # (len(y) * len(x),): the results
    x_at: int  # where the first weight of the R runs begins in Block.numbers
    y_at: int  # and the second weight
    first: int
    last: int


_all_grids = table_of(PlaneGrid)


@cached_njit(**UNCOUNTED)
def measure(compiled, data, layers, blocks, span, grid, b):
    """Measure block b's share of the points, R at a time; the last one may be repeated.

    ``compiled`` is a handle from :func:`handle_of`, and the span has no
    updates. The other arguments except ``b`` are named tuples encoded by ``structs.encode``.
    """
    points, block = _all_grids(grid)[0], all_blocks(blocks)[b]
    width, runs, count = len(points.x), len(block.ended), len(blocks)
    groups = (points.last - points.first + runs - 1) // runs
    for group in range(groups * b // count, groups * (b + 1) // count):
        start = points.first + group * runs
        for r in range(runs):
            p = min(start + r, points.last - 1)
            block.numbers[points.x_at + r] = points.x[p % width]
            block.numbers[points.y_at + r] = points.y[p // width]
        call_compiled(compiled, (data, layers, blocks, b, span))
        for r in range(runs):
            points.errors[min(start + r, points.last - 1)] = block.errors[r]


@cached_njit(**PARALLEL)
def measure_all(compiled, data, layers, blocks, span, grid):
    """Measure all points, a block on each thread."""
    for b in prange(len(blocks)):
        measure(compiled, data, layers, blocks, span, grid, b)


def measure_grid(call: KernelCall, grid: PlaneGrid, threads: int) -> None:
    """Measure the points of a grid with these blocks' runs, on at most ``threads`` threads."""
    count = len(call.blocks.numbers)
    threads = allowed(threads, count)
    compiled = handle_of(call.shapes, call.recipe)
    arguments = compiled, *call.facts, encode(call.span), encode(grid)
    if threads == 1:
        for b in range(count):
            measure(*arguments, b)
        return
    with started(threads):
        measure_all(*arguments)
