"""The errors of a network over a grid of two of its weights: many runs of no update each.

Letters as in :mod:`fastgd.kernel.training_loop`. A block's R runs are R neighboring points of the
grid: both weights of each are written where they are, and the kernel that trains measures them.
"""

from typing import NamedTuple

from numba import prange

from fastgd.kernel.block import all_blocks
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.compiler import PARALLEL, UNCOUNTED
from fastgd.kernel.language.numba_internals import call_compiled
from fastgd.kernel.language.structs import Floats, table_of


class PlaneGrid(NamedTuple):
    """The points ``first`` to ``last``: number p is at ``x[p % len(x)]`` and ``y[p // len(x)]``."""

    x: Floats  # values of one weight
    y: Floats  # values of the other
    errors: Floats  # (len(y) * len(x),): what comes out
    x_at: int  # where the R numbers of the one weight begin in Block.numbers
    y_at: int  # and those of the other
    first: int
    last: int


_all_grids = table_of(PlaneGrid)


@cached_njit(**UNCOUNTED)
def measure(compiled, data, layers, blocks, span, grid, b):
    """Measure block b's share of the points, R at a time; the last ones may be there twice.

    ``compiled`` is what :func:`fastgd.kernel.training_loop.handle_of` gives, and the span has no
    updates; the other arguments but ``b`` are what ``structs.encode`` makes of such named tuples.
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
