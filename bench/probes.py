"""What the machine itself takes: ports, latencies, divider, caches, bare sigmoids.

Times are for native vectors, those of ``native_lanes()`` numbers. How each probe is sure to measure
what it says: chains are of one vector that each step needs; what is to go side by side is one tile
of many vectors, of which LLVM makes as many registers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit

from fastgd.kernel.iteration.activations import sigmoid
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.tile import Shape, fma, select
from fastgd.kernel.vectorization import native_lanes, runs_side_by_side, shapes_for
from workload import Array

CHAIN = 1_000_000
"""Steps one after the other: 1.5 ms, as a processor that slept takes a while to its full speed."""

DIVISIONS = CHAIN // 8

SIDE_BY_SIDE = 8
"""Vectors of a tile whose steps go side by side: 4 cycles of latency times two ports."""

LINE = 64
"""Bytes of a cache line; a vector on two of them takes twice as long."""

IN_L1 = 1 << 14
"""Bytes of each array that stays in the first-level cache."""

IN_L2 = 1 << 18
"""The same of the second level, beyond the first one of any machine."""

TOUCHED = 1 << 22
"""Vectors that are loaded or stored."""


@dataclass(frozen=True)
class Machine:
    """What the processor takes, in ns for a native vector."""

    multiply: float  # fused multiply-adds, as many as possible at a time
    any: float  # the same mixed with as many sums: less where these have ports of their own
    divide: float
    half_divide: float  # half a vector
    load: float  # from the first-level cache
    store: float
    load_l2: float
    store_l2: float
    # From one result to the next that needs it.
    after_multiply: float
    after_add: float
    after_select: float  # the smaller of two
    after_divide: float
    after_half_divide: float


@njit(error_model="numpy")
def _chain(shape, numbers, length):
    x = load(shape, numbers, 0, 0)
    for _ in range(length):
        x = fma(x, 0.5, 1.0)
    store(shape, numbers, 0, 0, x)


@njit(error_model="numpy")
def _mixed(shape, numbers, length):
    x, y = load(shape, numbers, 0, 0), load(shape, numbers, 0, 0)
    for _ in range(length):
        x = fma(x, 0.5, 1.0)
        y = y + 1.0
    store(shape, numbers, 0, 0, x + y)


@njit(error_model="numpy")
def _divisions(shape, numbers, length):
    x = load(shape, numbers, 0, 0)
    for _ in range(length):
        x = 1.5 / x
    store(shape, numbers, 0, 0, x)


@njit(error_model="numpy")
def _sums(shape, numbers, length):
    x = load(shape, numbers, 0, 0)
    for _ in range(length):
        x = x + 1.0
    store(shape, numbers, 0, 0, x)


@njit(error_model="numpy")
def _clamped_sums(shape, numbers, length):
    """A clamp each as well: of two clamps in a row LLVM makes one."""
    x = load(shape, numbers, 0, 0)
    limit = load(shape, numbers, 0, 0)
    for _ in range(length):
        x = x + 1.0
        x = select(x > limit, limit, x)
    store(shape, numbers, 0, 0, x)


@njit(error_model="numpy")
def _loads(shape, numbers, others, lanes, times):
    """Two loads to a multiply-add, so that these aren't what takes the time."""
    x = load(shape, numbers, 0, 0)
    for _ in range(times):
        for i in range(0, len(numbers), lanes):
            x = fma(load(shape, numbers, i, 0), load(shape, others, i, 0), x)
    store(shape, numbers, 0, 0, x)


@njit(error_model="numpy")
def _stores(shape, numbers, lanes, times):
    x = load(shape, numbers, 0, 0)
    for _ in range(times):
        for i in range(0, len(numbers), lanes):
            store(shape, numbers, i, 0, x)


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


def _most(lanes: int) -> int:
    """Vectors for which there are registers, so that none of the ports ever waits."""
    return 2 * SIDE_BY_SIDE if lanes == 8 else SIDE_BY_SIDE


def machine_calls() -> dict[str, Callable[[], object]]:
    """Return what :func:`machine_of` wants to have timed."""
    lanes = native_lanes()
    one, half = Shape(1, 1, lanes), Shape(1, 1, lanes // 2)
    many, many_halves = Shape(1, SIDE_BY_SIDE, lanes), Shape(1, SIDE_BY_SIDE, lanes // 2)
    most = Shape(1, _most(lanes), lanes)
    width = SIDE_BY_SIDE * lanes

    def numbers(size: int = 16 * width) -> Array:
        made = np.ones((size + LINE) // 8)
        start = -made.ctypes.data % LINE // 8
        return made[start : start + size // 8]

    def swept(function: Callable[..., object], size: int, arrays: int) -> Callable[[], object]:
        given = [numbers(size) for _ in range(arrays)]
        times = 8 * lanes * TOUCHED // (size * arrays)
        return lambda: function(many, *given, width, times)

    return {
        "multiply": lambda: _chain(most, numbers(), CHAIN),
        "any": lambda: _mixed(many, numbers(), CHAIN),
        "divide": lambda: _divisions(many, numbers(), DIVISIONS),
        "half_divide": lambda: _divisions(many_halves, numbers(), DIVISIONS),
        "load": swept(_loads, IN_L1, 2),
        "store": swept(_stores, IN_L1, 1),
        "load_l2": swept(_loads, IN_L2, 2),
        "store_l2": swept(_stores, IN_L2, 1),
        "after_multiply": lambda: _chain(one, numbers(), CHAIN),
        "after_add": lambda: _sums(one, numbers(), CHAIN),
        "after_select": lambda: _clamped_sums(one, numbers(), CHAIN),
        "after_divide": lambda: _divisions(one, numbers(), DIVISIONS),
        "after_half_divide": lambda: _divisions(half, numbers(), DIVISIONS),
    }


def machine_of(seconds: Mapping[str, float]) -> Machine:
    """Make a machine of the seconds that :func:`machine_calls` took."""
    counts = {
        "multiply": _most(native_lanes()) * CHAIN,
        "any": 2 * SIDE_BY_SIDE * CHAIN,
        "divide": SIDE_BY_SIDE * DIVISIONS,
        "half_divide": SIDE_BY_SIDE * DIVISIONS,
        **dict.fromkeys(("load", "store", "load_l2", "store_l2"), TOUCHED),
        **dict.fromkeys(("after_multiply", "after_add", "after_select"), CHAIN),
        **dict.fromkeys(("after_divide", "after_half_divide"), DIVISIONS),
    }
    ns = {name: 1e9 * seconds[name] / count for name, count in counts.items()}
    ns["after_select"] -= ns["after_add"]
    # With AVX-512 on Intel's processors sums share all ports with products: the mix is no faster.
    ns["any"] = min(ns["any"], ns["multiply"])
    return Machine(**ns)


def bare_sigmoids(
    samples: int, inputs: int, hidden: int, outputs: int, times: int
) -> tuple[Callable[[], object], int]:
    """Return a call that takes a block's sigmoids so many times, and how many runs a block has.

    The lanes and tiles are those of a sweep, the data stays in the first-level cache.
    """
    runs = runs_side_by_side(1024, samples, [(inputs, hidden), (hidden, outputs)])
    shapes = shapes_for(runs, hidden)
    tile = shapes.wide_piece or shapes.wide
    lanes = tile.rows * tile.units * tile.runs
    numbers = np.linspace(-4, 4, samples * (hidden + outputs) * runs)
    if len(numbers) % lanes:
        raise ValueError(f"{len(numbers)} values are not whole tiles of {lanes}")
    shape = Shape(1, 1, lanes)
    return lambda: _sigmoids(shape, numbers, lanes, times), runs
