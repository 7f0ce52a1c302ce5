"""Each primitive of a tile by itself, lane by lane, against NumPy written out."""

import faulthandler
import math
import os
import signal
from fractions import Fraction

import numpy as np
import pytest
from numba import njit

from fastgd.kernel.language import tile
from fastgd.kernel.language.loads_and_stores import (
    count_changes,
    load,
    load_data,
    panel,
    rows,
    store,
    store_by_run,
    units,
)
from fastgd.kernel.language.tile import (
    Shape,
    add_exponent,
    any_nan,
    anywhere,
    everywhere,
    first_units,
    floor,
    fma,
    fold,
    full,
    lane,
    lane_count,
    magnitude,
    only,
    opaque,
    polynomial,
    rows_of,
    runs_of,
    select,
    single,
    square_root,
    trap,
    units_of,
    with_lane,
    with_sign,
    zeros,
)
from thinning import only as always
from thinning import some

# Rows, units, runs: 1, 2, 4, 8 and 16 lanes, each kind of neighbor at least once.
SHAPES = always([(1, 1, 1), (1, 1, 2), (2, 2, 1), (2, 2, 2), (4, 2, 2)], (1, 1, 1), (4, 2, 2))
LANES = always([1, 2, 4, 8, 16], 1, 8)
RANDOM = np.random.default_rng(0)
SOURCE = RANDOM.normal(size=400)
START = 5
STRIDE = 13  # more than any row has, and no multiple of a register


def lanes_of(shape):
    """Row, unit and run of every lane."""
    return list(np.ndindex(*shape))


def kernel(function):
    return njit(error_model="numpy", boundscheck=True)(function)


@kernel
def read(shape, layout, source, start, stride, out):
    lanes = rows_of(shape) * units_of(shape) * runs_of(shape)
    store(shape, out, 0, units_of(shape) * runs_of(shape), load(shape, source, start, stride))
    store(
        shape,
        out,
        lanes,
        units_of(shape) * runs_of(shape),
        load_data(shape, layout, source, start, stride),
    )
    width = units_of(shape) * runs_of(shape)
    store(shape, out, 2 * lanes, width, rows(shape, layout, source, start, stride))
    store(shape, out, 3 * lanes, width, units(shape, source, start, stride))
    store(shape, out, 4 * lanes, width, panel(shape, source, start))
    store(shape, out, 5 * lanes, width, zeros(shape))
    store(shape, out, 6 * lanes, width, full(shape, 2.5))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shared", [False, True])
def test_what_is_read(shape, shared):
    own = 1 if shared else shape[2]
    lanes = lanes_of(shape)
    runs = shape[2]
    out = np.full(7 * len(lanes), np.nan)
    read(Shape(*shape), Shape(1, 1, own), SOURCE, START, STRIDE, out)
    expected = [
        [SOURCE[START + row * STRIDE + unit * runs + run] for row, unit, run in lanes],
        [SOURCE[START + row * STRIDE + unit * own + run % own] for row, unit, run in lanes],
        [SOURCE[START + row * STRIDE + run % own] for row, unit, run in lanes],
        [SOURCE[START + unit * STRIDE + run] for row, unit, run in lanes],
        [SOURCE[START + unit * runs + run] for row, unit, run in lanes],
        [0.0] * len(lanes),
        [2.5] * len(lanes),
    ]
    names = ("load", "load_data", "rows", "units", "panel", "zeros", "full")
    for name, got, wanted in zip(names, out.reshape(7, -1), expected, strict=True):
        assert got.tolist() == wanted, name


@kernel
def copy(shape, source, start, stride, target, at, step):
    store(shape, target, at, step, load(shape, source, start, stride))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_written(shape):
    """Where load reads it, and nowhere else."""
    target = np.full(400, np.nan)
    copy(Shape(*shape), SOURCE, START, STRIDE, target, 3, 17)
    expected = np.full(400, np.nan)
    for row, unit, run in lanes_of(shape):
        expected[3 + row * 17 + unit * shape[2] + run] = SOURCE[
            START + row * STRIDE + unit * shape[2] + run
        ]
    np.testing.assert_array_equal(target, expected)


@kernel
def turn(shape, source, start, stride, target, at, step):
    store_by_run(shape, target, at, step, load(shape, source, start, stride))


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 1, 1), (2, 1, 4), (4, 1, 8)])
def test_what_is_written_run_by_run(shape):
    """The rows of a run are neighbors; and nothing else is written."""
    target = np.full(400, np.nan)
    turn(Shape(*shape), SOURCE, START, STRIDE, target, 3, 17)
    expected = np.full(400, np.nan)
    for row, _, run in lanes_of(shape):
        expected[3 + run * 17 + row] = SOURCE[START + row * STRIDE + run]
    np.testing.assert_array_equal(target, expected)
    with pytest.raises(IndexError):
        turn(Shape(*shape), SOURCE, START, STRIDE, np.empty(3), 3, 17)


@pytest.mark.parametrize("shape", SHAPES)
def test_bounds_are_checked_where_numba_is_told_to(shape):
    """Both ends of each row, in what is read and what is written."""
    width, last = shape[1] * shape[2], (shape[0] - 1) * STRIDE
    enough = np.zeros(last + width)
    copy(Shape(*shape), enough, 0, STRIDE, enough.copy(), 0, STRIDE)
    for source, target in ((enough[:-1], enough), (enough, enough[:-1])):
        with pytest.raises(IndexError):
            copy(Shape(*shape), source.copy(), 0, STRIDE, target.copy(), 0, STRIDE)
    with pytest.raises(IndexError):
        copy(Shape(*shape), enough, -len(enough) - 1, STRIDE, enough, 0, STRIDE)


# ---------------------------------------------------------------- arithmetic


@kernel
def compute(shape, number, a, b, c, out):
    x, y, z = load(shape, a, 0, 0), load(shape, b, 0, 0), load(shape, c, 0, 0)
    n = runs_of(shape)
    store(shape, out, 0 * n, 0, x + y)
    store(shape, out, 1 * n, 0, x - y)
    store(shape, out, 2 * n, 0, x * y)
    store(shape, out, 3 * n, 0, x / y)
    store(shape, out, 4 * n, 0, x + number)
    store(shape, out, 5 * n, 0, number - x)
    store(shape, out, 6 * n, 0, x * number)
    store(shape, out, 7 * n, 0, number / x)
    store(shape, out, 8 * n, 0, fma(x, y, z))
    store(shape, out, 9 * n, 0, fma(number, y, z))
    store(shape, out, 10 * n, 0, fma(x, number, z))
    store(shape, out, 11 * n, 0, fma(x, y, number))
    store(shape, out, 12 * n, 0, magnitude(x))
    store(shape, out, 13 * n, 0, square_root(x))
    store(shape, out, 14 * n, 0, with_sign(x, y))
    store(shape, out, 15 * n, 0, with_sign(number, y))
    store(shape, out, 16 * n, 0, with_sign(x, number))
    store(shape, out, 17 * n, 0, select(x > y, x, y))
    store(shape, out, 18 * n, 0, select(x < y, 1.0, z))
    store(shape, out, 19 * n, 0, select(x >= number, x, 2.0))
    store(shape, out, 20 * n, 0, select((x > y) | (x > z), 1.0, 0.0))
    store(shape, out, 21 * n, 0, select(x <= y, x, z))
    store(shape, out, 22 * n, 0, select(x == y, 1.0, z))
    store(shape, out, 23 * n, 0, select(x != y, 1.0, z))
    store(shape, out, 24 * n, 0, select((x > y) & (x <= number), 1.0, 0.0))
    store(shape, out, 25 * n, 0, floor(x))


def exact_fma(x, y, z):
    """Rounded once; a zero or what is not finite comes out alike however it is rounded."""
    twice = x * y + z
    if twice == 0 or not all(map(math.isfinite, (x, y, z))):
        return twice
    try:
        return float(Fraction(x) * Fraction(y) + Fraction(z))
    except OverflowError:
        return math.copysign(math.inf, twice)


EDGES = [0.0, -0.0, 1.0, -1.5, 5e-324, 1e300, math.inf, -math.inf, math.nan, 0.1, -3.0]


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize("lanes", LANES)
def test_arithmetic_is_that_of_ieee_in_every_lane(lanes):
    columns = RANDOM.permutation(np.array(np.meshgrid(EDGES, EDGES, EDGES)).reshape(3, -1).T)
    for number in (0.3, -0.0):
        for begin in range(0, len(columns) - lanes, 7 * lanes):
            a, b, c = (column.copy() for column in columns[begin : begin + lanes].T)
            out = np.empty(26 * lanes)
            compute(Shape(1, 1, lanes), number, a, b, c, out)
            expected = [
                *(a + b, a - b, a * b, a / b),
                *(a + number, number - a, a * number, np.float64(number) / a),
                *(
                    [exact_fma(*three) for three in zip(*three_columns, strict=True)]
                    for three_columns in (
                        (a, b, c),
                        ([number] * lanes, b, c),
                        (a, [number] * lanes, c),
                        (a, b, [number] * lanes),
                    )
                ),
                *(np.abs(a), np.sqrt(a), np.copysign(a, b)),
                *(np.copysign(number, b), np.copysign(a, number)),
                *(np.where(a > b, a, b), np.where(a < b, 1.0, c), np.where(a >= number, a, 2.0)),
                np.where((a > b) | (a > c), 1.0, 0.0),
                *(np.where(a <= b, a, c), np.where(a == b, 1.0, c), np.where(a != b, 1.0, c)),
                *(np.where((a > b) & (a <= number), 1.0, 0.0), np.floor(a)),
            ]
            got, wanted = out.reshape(26, lanes), np.array(expected)
            np.testing.assert_array_equal(got, wanted, err_msg=f"{a} {b} {c}")
            there = ~np.isnan(got)  # the sign of a NaN is nobody's business
            assert (np.signbit(got) == np.signbit(wanted))[there].all(), (a, b, c)


@kernel
def shift(shape, x, shifted, out):
    store(shape, out, 0, 0, add_exponent(load(shape, x, 0, 0), load(shape, shifted, 0, 0)))


@pytest.mark.parametrize("lanes", LANES)
def test_exponents_are_added(lanes):
    n = RANDOM.integers(-500, 500, lanes)
    x = 1 + RANDOM.random(lanes)
    out = np.empty(lanes)
    shift(Shape(1, 1, lanes), x, n + 1.5 * 2.0**52, out)
    assert out.tolist() == np.ldexp(x, n).tolist()


@kernel
def moved(shape, x, source, target, out):
    tile = load(shape, x, 0, 0)
    store(shape, out, 0, 0, with_lane(tile, target, lane(tile, source)))
    return lane_count(tile)


@pytest.mark.parametrize("lanes", LANES)
def test_a_lane_is_taken_out_and_put_in(lanes):
    x, out = RANDOM.normal(size=lanes), np.empty(lanes)
    for source in range(lanes):
        for target in range(lanes):
            assert moved(Shape(1, 1, lanes), x, source, target, out) == lanes
            expected = x.copy()
            expected[target] = x[source]
            assert out.tolist() == expected.tolist()


@kernel
def squared(number):
    one = single(number)
    return only(one * one)


def test_one_number_is_a_tile_of_one_lane():
    assert squared(-1.5) == 2.25


series = [polynomial(*range(1, count + 1)) for count in range(1, 14)]
shortest, middle, longest = series[0], series[5], series[12]


@kernel
def evaluated(shape, x, out):
    tile, n = load(shape, x, 0, 0), runs_of(shape)
    store(shape, out, 0 * n, 0, shortest(tile))
    store(shape, out, 1 * n, 0, middle(tile))
    store(shape, out, 2 * n, 0, longest(tile))


@pytest.mark.parametrize("lanes", [1, 4])
def test_a_polynomial_is_evaluated_by_fours(lanes):
    """Whole numbers lose nothing; each coefficient is another, so each place counts."""
    x, out = np.arange(2.0, lanes + 2), np.empty(3 * lanes)
    evaluated(Shape(1, 1, lanes), x, out)
    for got, count in zip(out.reshape(3, -1), (1, 6, 13), strict=True):
        assert got.tolist() == [sum((k + 1) * at**k for k in range(count)) for at in x]


@kernel
def summed(shape, one, source, out):
    store(one, out, 0, 0, fold(shape, load(shape, source, 0, units_of(shape) * runs_of(shape))))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_fold_sums_rows_and_units_pairwise(shape):
    lanes = int(np.prod(shape))
    values = SOURCE[:lanes] * 10.0 ** RANDOM.integers(-8, 8, lanes)
    out = np.empty(shape[2])
    summed(Shape(*shape), Shape(1, 1, shape[2]), values, out)
    expected = values
    while len(expected) > shape[2]:
        half = len(expected) // 2
        expected = expected[:half] + expected[half:]
    assert out.tolist() == expected.tolist()


@kernel
def found(shape, x, y):
    larger = load(shape, x, 0, 0) > load(shape, y, 0, 0)
    return any_nan(load(shape, x, 0, 0)), anywhere(larger), everywhere(larger)


@pytest.mark.parametrize("lanes", LANES)
def test_one_lane_is_enough_to_be_found(lanes):
    shape, zero = Shape(1, 1, lanes), np.zeros(lanes)
    assert found(shape, zero, zero) == (False, False, False)
    for place in range(lanes):
        nan, larger = zero.copy(), zero.copy()
        nan[place], larger[place] = math.nan, 1e-300
        assert found(shape, nan, zero) == (True, False, False)
        assert found(shape, larger, zero) == (False, True, lanes == 1)


@pytest.mark.parametrize("lanes", LANES)
def test_all_lanes_are_needed_to_be_everywhere(lanes):
    shape, one = Shape(1, 1, lanes), np.ones(lanes)
    assert found(shape, one, np.zeros(lanes)) == (False, True, True)
    for place in range(lanes):
        other = one.copy()
        other[place] = math.nan
        assert found(shape, other, np.zeros(lanes)) == (True, lanes > 1, False)


@kernel
def stop(number):
    if number > 1:
        trap()
    return number


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
# From Python 3.12 on; threads that other tests have started are none of this one's.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_trap_stops_the_machine():
    """Here that is the process."""
    assert stop(1) == 1
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        stop(2)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) in (signal.SIGILL, signal.SIGTRAP)


@kernel
def count(shape, source, start, stride, before, counts, at, step):
    count_changes(shape, load(shape, source, start, stride) > 0.0, before, counts, at, step)


@pytest.mark.parametrize("shape", SHAPES)
def test_changes_are_counted_in_bytes(shape):
    before = RANDOM.integers(0, 2, 400).astype(np.uint8)
    counts = RANDOM.integers(0, 255, 400).astype(np.uint8)
    now, counted = before.copy(), counts.copy()
    for row, unit, run in lanes_of(shape):
        lane = unit * shape[2] + run
        place = 3 + row * 17 + lane
        now[place] = SOURCE[START + row * STRIDE + lane] > 0
        counted[place] += now[place] != before[place]
    count(Shape(*shape), SOURCE, START, STRIDE, before, counts, 3, 17)
    np.testing.assert_array_equal(before, now)
    np.testing.assert_array_equal(counts, counted)


PARTS = [((1, 4, 1), 3), ((2, 4, 2), 1), ((4, 16, 1), 5), ((2, 2, 2), 2), ((1, 2, 1), 7)]
PARTS = some(PARTS, [False, True, True, False, True])
"""Shapes, and units in use of them; of the last one at most all."""


@kernel
def with_part(shape, layout, units_in_use, source, start, stride, out, sums):
    part = first_units(shape, units_in_use)
    width = units_of(shape) * runs_of(shape)
    size = rows_of(shape) * width
    whole = load(part, source, start, stride)
    for k in range(2):
        # Once with zeros in front, so that what is not written can be told from a zero.
        store(part, out, 4 * k * size, width, whole)
        store(part, out, (4 * k + 1) * size, width, load_data(part, layout, source, start, stride))
        store(part, out, (4 * k + 2) * size, width, rows(part, layout, source, start, stride))
        store(part, out, (4 * k + 3) * size, width, panel(part, source, start))
    one = first_units(layout, 1)
    store(one, sums, 0, 0, fold(part, rows(part, layout, source, start, stride)))


@pytest.mark.parametrize(("shape", "in_use"), PARTS)
def test_of_a_part_only_the_units_in_use_are_read_and_written(shape, in_use):
    _rows, unit_count, runs = shape
    layout, lanes = Shape(1, 1, runs), lanes_of(shape)
    out = np.full(8 * len(lanes), np.nan)
    sums, expected = np.zeros(runs), np.full(8 * len(lanes), np.nan)
    for k, (row, unit, run) in enumerate(lanes):
        at = START + row * STRIDE
        if unit < in_use:
            read = [SOURCE[at + unit * runs + run]] * 2 + [SOURCE[at + run]]
            read.append(SOURCE[START + unit * runs + run])
            for j, number in enumerate(read * 2):
                expected[j * len(lanes) + k] = number
    source = SOURCE.copy()
    end = START + (shape[0] - 1) * STRIDE + min(in_use, unit_count) * runs
    source[end:] = np.nan  # read by nobody
    with_part(Shape(*shape, is_part=True), layout, in_use, source[:end], START, STRIDE, out, sums)
    np.testing.assert_array_equal(out, expected)
    used = [SOURCE[START + r * STRIDE + np.arange(runs)] for r, u, run in lanes if run == 0]
    taken = [u < in_use for r, u, run in lanes if run == 0]
    np.testing.assert_allclose(sums, np.array(used)[taken].sum(axis=0))


@pytest.mark.parametrize(("shape", "in_use"), PARTS)
def test_of_a_part_only_changes_of_the_units_in_use_are_counted(shape, in_use):
    before = RANDOM.integers(0, 2, 400).astype(np.uint8)
    counts = RANDOM.integers(0, 255, 400).astype(np.uint8)
    now, counted = before.copy(), counts.copy()
    for row, unit, run in lanes_of(shape):
        place = 3 + row * 37 + unit * shape[2] + run
        if unit < in_use:
            now[place] = SOURCE[START + row * STRIDE + unit * shape[2] + run] > 0
            counted[place] += now[place] != before[place]
    whole = Shape(*shape, is_part=True)
    count_in_part(whole, in_use, SOURCE, START, STRIDE, before, counts, 3, 37)
    np.testing.assert_array_equal(before, now)
    np.testing.assert_array_equal(counts, counted)


@kernel
def count_in_part(shape, units_in_use, source, start, stride, before, counts, at, step):
    part = first_units(shape, units_in_use)
    count_changes(part, load(part, source, start, stride) > 0.0, before, counts, at, step)


@kernel
def sizes(shape, index):
    return rows_of(shape), units_of(shape), runs_of(shape), opaque(index)


def test_a_shape_knows_its_sizes_and_an_index_stays_what_it_is():
    assert sizes(Shape(4, 2, 8), -7) == (4, 2, 8, -7)


def test_every_primitive_is_tested_here():
    """By name, so that a new one is missed."""
    public = {
        name
        for name, value in vars(tile).items()
        if type(value).__name__ == "_Intrinsic" and not name.startswith("_")
    }
    assert public <= set(globals()), public - set(globals())
