"""How many runs are trained side by side on this machine, and the shapes of their tiles.

All choices here affect speed only: none of them can change a bit of a result.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from fastgd.kernel.block import Shapes
from fastgd.kernel.language.loads_and_stores import WARP
from fastgd.kernel.language.numba_internals import processor
from fastgd.kernel.language.specialization import Choice
from fastgd.kernel.language.tile import Shape
from fastgd.kernel.language.translation import TRANSLATES

ROWS = 4
"""Rows of a tile; samples are padded to a multiple of this."""

SQUARE_ROWS = 2 * ROWS
"""Most rows of a tile of second derivatives.

A single 16-16-1 took 0.85 of the time with 8 rows, as more sums are independent of each other.
"""

TINY = 32
"""Parameters up to which loop overhead is a good part of a network's time."""

FEW = 4 * ROWS
"""Samples up to which the overhead of loops over them is a good part of the time."""

LARGE = 100
"""Parameters from which on a network is bound by caches rather than latency."""

CURVED = 64
"""Parameters above which runs with second-order steps are trained one by one.

With 16 parameters 8 runs side by side take 0.4 of the time of 8 runs one by one, with 101 and 289
parameters as long and twice as long: their matrices leave the caches, and runs wait for each other.
"""

LARGE_ALONE = 512
"""The same for a single run: see :func:`wants_parts`."""

HEAVY = 10_000
"""Multiply-adds of a pass from which on runs may be trained one by one."""

MORE = 1.35
"""How much slower a number of runs may be that is more likely to be compiled already."""

CROWDED_BYTES = 2**20
"""Size of a block's weights and gradients from which on they fill the second-level cache."""

PANEL_BYTES = 32 * 1024
"""Size of a tile's weights that stay in the first-level cache from one tile of rows to the next."""

GPU_ROWS, GPU_UNITS, GPU_AT_ONCE = ROWS, 4, 8
"""Rows and units of a thread's tiles on a GPU, and how many values pass through a sigmoid at once.

A thread has 255 registers of 32 bits.
"""

GPU_TINY = 40
"""Parameters up to which a GPU's code may be for one network alone, without loops."""


class Machine(NamedTuple):
    """What the shapes of tiles depend on."""

    lanes: int  # float64 values in a vector register
    threads: int = 1  # how many share the runs of a block, each of which has one then


WEBASSEMBLY = Machine(2)
"""Engines of WebAssembly. With tiles for 8 lanes, 16-16-1 takes twice as long in Node."""

GPU = Machine(1, WARP)

# Processors by name, for code compiled for another machine: NUMBA_CPU_NAME without features.
_AVX512 = (
    "avx512",
    "icelake",
    "sapphirerapids",
    "emeraldrapids",
    "graniterapids",
    "znver4",
    "znver5",
)
_AVX2 = ("haswell", "broadwell", "skylake", "alderlake", "znver", "x86-64-v3")


@cache
def native_lanes() -> int:
    """float64 values in a vector register of the processor that Numba compiles for."""
    _triple, name, features = processor()
    if "+avx512f" in features or (not features and any(part in name for part in _AVX512)):
        return 8
    if "+avx2" in features or (not features and any(part in name for part in _AVX2)):
        return 4
    return 2


def lanes_of(machine: Machine | None) -> int:
    """Lanes of a machine's vector registers, by default of this one's."""
    return native_lanes() if machine is None else machine.lanes


def runs_side_by_side(
    count: int,
    samples: int,
    matrices: Sequence[tuple[int, int]],
    threads: int = 1,
    machine: Machine | None = None,
    others: Sequence[Sequence[tuple[int, int]]] = (),
    *,
    is_curved: bool = False,
) -> int:
    """Runs of a block, given ``count`` runs of one network and ``threads`` threads for the blocks.

    ``machine`` is the one that the code is for, by default this one.

    The number with the least time by the figures below, or a larger one if that is at most a third
    slower: fewer different numbers of runs mean less code to compile, at a second each. Measured
    with AVX-512, per run and iteration:

    - Twice the native lanes: a small network's iteration is a chain of dependent operations, and a
      second register's worth of runs fills the gaps (3-4-1: 29 ns instead of 34).
    - Four times the native lanes if there is so little work that loop overhead matters: 3-4-1
      27 ns, 3-8-1 no gain, and 3-32-1 loses 13 %.
    - The native lanes if twice the runs' parameters would crowd the caches: 3-32-1 gains 6 %, with
      256 samples 9 %, 16-16-1 6 %, 8-16-1 4 % (measured with both threads of a core busy), 8-8-1 no
      more than 1 %, 64-64-10 4 %.
    - One run alone if there are too few to fill a block, or idle threads otherwise, or if even the
      native lanes would crowd the caches: see :func:`time_alone`. (Forward passes alone gain less
      by that, and lose nothing.) But not if an iteration takes less than some microseconds, where
      the gain seldom pays for the compilation.

    ``matrices`` are inputs and outputs of each layer. With ``others``, those of further networks
    with as many runs, the largest number that suits all of them, if there is one.
    """
    if machine is not None and machine.threads > 1:
        return machine.threads
    if count == 1:
        return 1
    if is_curved:
        largest = max(map(parameters_of, (matrices, *others)))
        return 1 if largest > CURVED else lanes_of(machine)
    suited = [_suited(count, samples, each, threads, machine) for each in (matrices, *others)]
    return max(set.intersection(*suited) or suited[0])


def _suited(
    count: int,
    samples: int,
    matrices: Sequence[tuple[int, int]],
    threads: int,
    machine: Machine | None,
) -> set[int]:
    """The numbers of runs of a block that are about as fast as any."""
    lanes, parameters = lanes_of(machine), parameters_of(matrices)
    times = {lanes: 1.0 * lanes}
    if samples * parameters >= HEAVY:
        times[1] = time_alone(matrices, machine)
    if parameters <= LARGE:
        times[2 * lanes] = 0.86 * 2 * lanes
    if parameters <= TINY:
        times[4 * lanes] = 0.8 * 4 * lanes
    for runs in times:
        blocks = -(-count // runs)
        times[runs] *= -(-blocks // threads)
    soon = MORE * min(times.values())
    return {runs for runs, time in times.items() if time <= soon}


def time_alone(matrices: Sequence[tuple[int, int]], machine: Machine | None = None) -> float:
    """Approximate time of a run alone, relative to its time in a block with the native lanes.

    Measured with 256 samples and AVX-512; the function below is fitted to these figures:

    - Lanes without a unit are wasted: 64-64-10 0.93, 5-100-100-2 0.97, 64-32-10 1.0, 32-32-10 1.1,
      13-100-1 and 784-10 1.3, 20-50-3 1.5, 100-10-1 2.0, 1000-4-1 2.8.
    - If the weights and gradients of a block exceed the second-level cache, having fewer of them
      pays: 64-64-64-10 0.68, 64-256-10 0.69, 784-100-10 0.60, 256-100-10 0.54.
    - Without partly used tiles the widest layer decides: 3-4-1, 3-8-1, 8-8-1 2.1 to 2.4; 3-32-1,
      16-16-1, 30-16-1, 8-64-1 1.3 to 1.5.
    """
    lanes = lanes_of(machine)
    if not wants_parts(matrices, machine):
        return 2.5 if max(outputs for _, outputs in matrices) < 2 * lanes else 1.5
    parameters = parameters_of(matrices)
    in_tiles = sum(inputs * -(-outputs // (2 * lanes)) * 2 * lanes for inputs, outputs in matrices)
    crowds = 16 * parameters * lanes > CROWDED_BYTES
    return (0.6 if crowds else 0.85) * in_tiles / parameters


def parameters_of(matrices: Sequence[tuple[int, int]]) -> int:
    """Weights of a network."""
    return sum(inputs * outputs for inputs, outputs in matrices)


def can_know(runs: int, parameters: int, samples: int, machine: Machine | None = None) -> bool:
    """Whether code specialized for these sizes pays.

    A single run of a tiny network is a chain of short loops. Without loops it compiles in 0.5 s
    instead of 1.4 and takes 108 ns an iteration instead of 138 (3-4-1). But a sweep with 32 runs a
    block takes 33 ns a run instead of 29: everything is loaded early and registers run out.
    """
    most = TINY if runs == 1 else GPU_TINY if machine == GPU else 0
    return TRANSLATES and parameters <= most and samples <= FEW


def wants_parts(matrices: Sequence[tuple[int, int]], machine: Machine | None = None) -> bool:
    """Whether a run alone gains from tiles that are only partly used, and from transposed weights.

    In a layer by itself a tile of one unit takes as long as one of 16, since each sum waits for its
    previous step. So the units left over after whole tiles go into one tile of 16 units, and the
    backward pass reads transposed weights instead of gathering them: 64-64-10 takes 0.54 of the
    time, 784-100-10 0.78, 8-24-12-3 0.45. But 16-16-1 would take 1.6 times as long and 8-200-1 1.27
    times: where a single output has most of the inputs, 15 lanes are idle.

    ``matrices`` are inputs and outputs of each layer. The estimate counts steps, each of one tile
    through one input; a partly used tile counts twice, as it leaves no gap for the other thread of
    a core, and a gathered one four times.

    Tried and rejected: partly used tiles of 8 rows and 8 units where fewer lanes are idle then. For
    the 4 leftover units of 784-100-10 they make half of the multiply-adds, and their loops went
    from 14 % of the time to 7 %, but others took longer: 1.00 of the time (1.00 with such tiles in
    the gradient only). 784-96-10 takes 0.78 of the time, and 784-104-10, whose weights begin on
    cache lines, 0.97.
    """
    lanes = lanes_of(machine)
    if lanes == 2 or parameters_of(matrices) <= LARGE_ALONE:
        return False  # such a processor has no masked loads
    units, one_by_one, in_parts = 2 * lanes, 0, 0
    for k, (inputs, outputs) in enumerate(matrices):
        tiles, rest = divmod(outputs, units)
        one_by_one += 2 * inputs * (tiles + rest)
        in_parts += 2 * inputs * (tiles + 2 * (rest > 0))
        if k:
            below, rest_below = divmod(inputs, units)
            one_by_one += outputs * (4 * below + rest_below)
            in_parts += outputs * (below + (rest_below > 0))
    return in_parts < one_by_one


def wants_strips(
    runs: int, matrices: Sequence[tuple[int, int]], machine: Machine | None = None
) -> bool:
    """Whether the forward pass gains from taking the inputs of a layer in strips.

    It does if the weights from all inputs to the units of a tile leave the first-level cache before
    the next samples need them: 784-100-10 takes 0.64 of the time (8 runs) or 0.91 (one), 256-100-10
    0.82 or 0.75, 192-100-10 0.9. With 128 inputs they just fit: 0.92 (8 runs), no gain for one run.

    ``matrices`` are inputs and outputs of each layer.
    """
    most = _wide_lanes(lanes_of(machine))
    return any(8 * inputs * min(most, outputs * runs) > PANEL_BYTES for inputs, outputs in matrices)


def _wide_lanes(lanes: int) -> int:
    """Values in a row of a wide tile, whose accumulators take half of the registers."""
    return (16 if lanes == 8 else 8) * lanes // ROWS


def shapes_for(
    runs: int,
    widest: int,
    data_runs: int = 1,
    importance_runs: int = 1,
    *,
    parts: bool = False,
    strips: bool = False,
    machine: Machine | None = None,
) -> Shapes:
    """Tiles for ``runs`` runs side by side in a network whose widest layer has ``widest`` units.

    ``data_runs`` is 1 if all runs of a block train on the same samples, ``importance_runs`` is 1 if
    they also use the same sample weights. ``parts`` switches to partly used tiles
    (:func:`wants_parts`), ``strips`` to strips of a layer's inputs (:func:`wants_strips`).
    ``machine`` is the one that the code is for, by default this one.

    The accumulators of a wide tile take half of the registers. A single run of a small network uses
    narrower tiles: for 3-4-1, tiles of 16 units would leave everything to the narrow ones (117 ns
    per iteration instead of 80).
    """
    machine = machine or Machine(native_lanes())
    return _shapes_for(machine, runs, widest, data_runs, importance_runs, parts, strips)


@lru_cache(maxsize=256)
def _shapes_for(
    machine: Machine,
    runs: int,
    widest: int,
    data_runs: int,
    importance_runs: int,
    parts: bool,
    strips: bool,
) -> Shapes:
    if machine.threads > 1:  # each thread of a warp has one of the runs

        def spread(rows: int, units: int, runs: int = runs) -> Shape:
            return Shape(rows, units, runs, is_spread=runs > 1)

        def piece(units: int) -> Shape | None:
            rows = max(1, min(GPU_ROWS, GPU_AT_ONCE // units))
            return None if rows == GPU_ROWS else spread(rows, units)

        wide = min(GPU_UNITS, 1 << (widest.bit_length() - 1))
        return _shapes(
            (spread(GPU_ROWS, wide), spread(GPU_ROWS, 1), spread(GPU_ROWS, 1)),
            (piece(wide), piece(1), piece(1)),
            (spread(1, 1), spread(1, 1, data_runs), spread(1, 1, importance_runs)),
        )
    lanes = machine.lanes
    wide = max(1, _wide_lanes(lanes) // runs)
    if runs == 1 and not parts:
        wide = 4 if widest < 16 else min(wide, 16)
    elif parts and widest < wide:
        wide = 2 * lanes
    whole, narrow = Shape(ROWS, wide, runs), Shape(ROWS, 1, runs)
    rest = Shape(ROWS, 2 * lanes, 1, is_part=True) if parts else narrow
    return _shapes(
        (whole, rest, narrow),
        [_piece(each, lanes) for each in (whole, rest, narrow)],
        (Shape(1, 1, runs), Shape(1, 1, data_runs), Shape(1, 1, importance_runs)),
        transposed=_of_rows(1, whole) if parts else None,
        strips=Choice("strips") if strips else None,
    )


def _shapes(
    tiles: Sequence[Shape],
    pieces: Sequence[Shape | None],
    single: tuple[Shape, Shape, Shape],
    transposed: Shape | None = None,
    strips: Choice | None = None,
) -> Shapes:
    """The shapes of which these are the wide, rest and narrow ones; scalar, data and importance."""
    wide, rest, narrow = tiles
    wide_piece, rest_piece, narrow_piece = pieces
    return Shapes(
        wide, _of_rows(1, wide), wide_piece, rest, _of_rows(1, rest), rest_piece, transposed,
        strips, narrow, _of_rows(1, narrow), narrow_piece, *single,
    )  # fmt: skip


def with_squares(shapes: Shapes, runs: int, machine: Machine | None = None) -> Shapes:
    """The same shapes, with tiles for the matrices of second-order steps.

    The columns left over by a single run's tiles go into one that is only partly used.
    """
    square, rest = shapes.wide, shapes.rest
    if machine is None or machine.threads == 1:
        lanes = lanes_of(machine)
        wide = max(1, _wide_lanes(lanes) // runs)
        if runs == 1:
            wide = min(wide, 2 * lanes)
        rows = SQUARE_ROWS if runs == 1 and lanes == 8 else ROWS
        square = Shape(rows, wide, runs)
        # With more than two lanes the processor has masked loads.
        has_parts = runs == 1 and lanes > 2
        rest = Shape(rows, wide if has_parts else 1, runs, is_part=has_parts)
    return shapes._replace(
        square=square,
        square_row=_of_rows(1, square),
        square_rest=rest,
        square_rest_row=_of_rows(1, rest),
    )


def for_one_network(shapes: Shapes) -> Shapes:
    """The same shapes for code without loops, where a single run takes its samples one by one.

    Such an iteration is a chain, in which the divisions of the first sample needn't wait for the
    others, and half a vector divides sooner than a whole one: 3-4-1 takes 72 ns instead of 84.
    """
    if shapes.scalar.runs > 1:
        return shapes
    return shapes._replace(wide=shapes.wide_row, wide_piece=None)


def _of_rows(rows: int, shape: Shape) -> Shape:
    """The same tile with ``rows`` rows."""
    return Shape(rows, shape.units, shape.runs, is_part=shape.is_part, is_spread=shape.is_spread)


def _piece(shape: Shape, lanes: int) -> Shape | None:
    """The rows that fill four registers (with more, the sigmoid spills); None if all rows fit."""
    rows = shape.rows
    while rows > 1 and rows * shape.units * shape.runs > 4 * lanes:
        rows //= 2
    return None if rows == shape.rows else _of_rows(rows, shape)


SMALL = _shapes(
    (Shape(2, 2, 1), Shape(2, 1, 1), Shape(2, 1, 1)), (None,) * 3, (Shape(1, 1, 1),) * 3
)
"""Tiles of a single run for little code, where a vector register has two lanes.

As a WebAssembly module in Node, 3-4-1 takes 6.8 kB and 0.54 us a row, 64-64-10 takes 31 us. With
wide tiles of (2, 1) that is 6.5 kB, 0.55 us and 39 us, with (4, 1) 7.4 kB, 0.54 us and 37 us.
"""
