"""What the machine itself takes: FMA latency, bare sigmoids."""

from collections.abc import Callable

import numpy as np
from numba import njit

from fastgd.kernel.iteration.functions import sigmoid
from fastgd.kernel.lanes import native_lanes, runs_side_by_side, shapes_for
from fastgd.kernel.language.memory import load, store
from fastgd.kernel.language.tile import Shape, fma

CHAIN = 1_000_000


@njit(error_model="numpy")
def _chain(shape, numbers, length):
    x = load(shape, numbers, 0, 0)
    for _ in range(length):
        x = fma(x, 0.5, 1.0)
    store(shape, numbers, 0, 0, x)


@njit(error_model="numpy")
def _sigmoids(shape, numbers, lanes, times):
    for _ in range(times):
        for i in range(0, len(numbers), lanes):
            store(shape, numbers, i, 0, sigmoid(load(shape, numbers, i, 0)))


def fma_chain() -> Callable[[], object]:
    """Return a call that runs CHAIN dependent fused multiply-adds of native vectors."""
    shape = Shape(1, 1, native_lanes())
    numbers = np.ones(native_lanes())
    return lambda: _chain(shape, numbers, CHAIN)


def bare_sigmoids(
    samples: int, hidden: int, outputs: int, parameters: int, times: int
) -> tuple[Callable[[], object], int]:
    """Return a call that takes a block's sigmoids so many times, and how many runs a block has.

    The lanes and tiles are those of a sweep, the data stays in the first-level cache.
    """
    runs = runs_side_by_side(1024, parameters)
    shapes = shapes_for(runs, hidden)
    tile = shapes.wide_piece or shapes.wide
    lanes = tile.rows * tile.units * tile.runs
    numbers = np.linspace(-4, 4, samples * (hidden + outputs) * runs)
    if len(numbers) % lanes:
        raise ValueError(f"{len(numbers)} values are not whole tiles of {lanes}")
    shape = Shape(1, 1, lanes)
    return lambda: _sigmoids(shape, numbers, lanes, times), runs
