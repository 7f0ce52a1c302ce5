"""The loss surface over two weights of a network: many runs without updates.

Letters as in :mod:`fastgd.kernel.training_loop`. A block's R runs are R neighboring points of the
grid: the two weights are written into each run, and the training kernel measures their errors.
"""

from typing import NamedTuple

from numba import prange

from fastgd.kernel.block import all_blocks
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.numba_internals import call_compiled
from fastgd.kernel.language.specialization import PARALLEL, UNCOUNTED
from fastgd.kernel.language.structs import Floats, table_of


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

    ``compiled`` is a handle from :func:`fastgd.kernel.training_loop.handle_of`, and the span has no
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
