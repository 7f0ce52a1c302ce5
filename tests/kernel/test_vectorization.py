"""How many runs go side by side, and in what tiles, on processors of each width."""

from itertools import pairwise

import pytest
from numba import typeof

from fastgd.kernel import vectorization
from fastgd.kernel.vectorization import (
    GPU,
    GPU_AT_ONCE,
    GPU_UNITS,
    LARGE_ALONE,
    ROWS,
    for_one_network,
    runs_side_by_side,
    shapes_for,
    time_alone,
    wants_parts,
    wants_strips,
)

WIDTHS = [2, 4, 8]


@pytest.fixture(params=WIDTHS)
def width(request, monkeypatch):
    monkeypatch.setattr(vectorization, "native_lanes", lambda: request.param)
    return request.param


@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [
        ("skylake-avx512", "", 8),
        ("znver4", "", 8),
        ("haswell", "", 4),
        ("x86-64-v3", "", 4),
        ("nehalem", "", 2),
        ("cortex-a57", "", 2),
        ("anything", "+sse2,+avx2,+avx512f", 8),
        ("anything", "+sse2,+avx2,-avx512f", 4),
        ("skylake-avx512", "+sse2,-avx2,-avx512f", 2),  # what is said rules over the name
    ],
)
def test_lanes_of_a_processor(monkeypatch, name, features, expected):
    monkeypatch.setattr(vectorization, "processor", lambda: ("triple", name, features))
    assert vectorization.native_lanes.__wrapped__() == expected


TINIEST, SMALL, MIDDLE = [(3, 4), (4, 1)], [(8, 8), (8, 2)], [(30, 16), (16, 1)]
CROWDING = [(784, 600), (600, 100)]


def test_runs_of_many_fill_registers(width):
    many = 10**6
    for samples in (4, 1000):
        assert runs_side_by_side(1, samples, TINIEST) == 1
        assert runs_side_by_side(many, samples, TINIEST) == 4 * width
        assert runs_side_by_side(many, samples, SMALL) == 2 * width
        assert runs_side_by_side(many, samples, MIDDLE) == width
        assert runs_side_by_side(many, samples, CROWDING) == (1 if width > 2 else 2)
        assert runs_side_by_side(width, samples, MIDDLE) == width
        assert runs_side_by_side(2 * width, samples, TINIEST) == 2 * width


def test_each_thread_has_runs(width):
    """Half-empty threads would take longer than narrow blocks."""
    for matrices in (TINIEST, SMALL):
        assert runs_side_by_side(4 * width, 4, matrices, threads=2) == 2 * width
        assert runs_side_by_side(4 * width, 4, matrices, threads=4) == width
        if width > 2:
            assert runs_side_by_side(4 * width, 1000, matrices, threads=10**6) == 1
    assert runs_side_by_side(8 * width, 4, TINIEST, threads=2) == 4 * width


def test_few_runs_go_one_by_one(width):
    """Lanes that are left over would take as long as others."""
    assert runs_side_by_side(2, 100, MIDDLE) == (1 if width == 8 else width)
    assert runs_side_by_side(width - 1, 100, CROWDING) == 1
    assert runs_side_by_side(width - 1, 100, MIDDLE) == (width if width > 2 else 1)


def test_short_iterations_are_not_worth_more_code(width):
    for threads in (1, 100):
        assert runs_side_by_side(2, 4, TINIEST, threads=threads) == width


def test_networks_that_share_code_have_a_number_that_suits_all_of_them(width):
    count, samples = 6 * width, 100
    alone = [runs_side_by_side(count, samples, each) for each in (SMALL, MIDDLE)]
    assert alone == [2 * width, width]
    for one, other in ((SMALL, MIDDLE), (MIDDLE, SMALL)):
        assert runs_side_by_side(count, samples, one, others=[other]) == width
    # Where no number suits all, each has its own.
    assert runs_side_by_side(count, 10**6, CROWDING, others=[TINIEST]) == runs_side_by_side(
        count, 10**6, CROWDING
    )


@pytest.mark.parametrize(
    ("sizes", "measured"),
    [
        ((3, 8, 1), 2.22),
        ((8, 8, 1), 2.11),
        ((3, 32, 1), 1.54),
        ((16, 16, 1), 1.42),
        ((8, 64, 1), 1.26),
        ((20, 50, 3), 1.51),
        ((32, 32, 10), 1.11),
        ((64, 64, 10), 0.93),
        ((784, 10), 1.29),
        ((64, 64, 64, 10), 0.68),
        ((64, 256, 10), 0.69),
        ((784, 100, 10), 0.60),
    ],
)
def test_the_time_of_a_run_alone_is_about_as_measured(monkeypatch, sizes, measured):
    monkeypatch.setattr(vectorization, "native_lanes", lambda: 8)
    assert time_alone(list(pairwise(sizes))) == pytest.approx(measured, rel=0.25)


def test_lanes_without_a_unit_do_nothing(width):
    if width > 2:
        idle = [time_alone([(784, 2 * width - idle)]) * (2 * width - idle) for idle in (1, 2)]
        assert idle[0] == pytest.approx(idle[1])
    assert time_alone([(8, 1)]) > time_alone([(8, 2 * width)]) > 1


@pytest.mark.parametrize("widest", [1, 4, 15, 16, 100])
def test_tiles_fill_whole_registers(width, widest):
    registers = 16 if width == 8 else 8
    for runs in (1, width, 2 * width, 4 * width):
        shapes = shapes_for(runs, widest)
        *tiles, _data, _importance, layout = shapes[: shapes._fields.index("layout") + 1]
        assert layout is None
        for shape in (tile for tile in tiles if tile is not None):
            assert shape.runs == runs
            for size in (shape.rows, shape.units, shape.runs):
                assert size & (size - 1) == 0  # halves are joined and folded
        assert (shapes.wide.rows, shapes.narrow.rows) == (ROWS, ROWS)
        lanes_of_wide = ROWS * shapes.wide.units * runs
        assert shapes.wide.units == 1 or lanes_of_wide <= registers * width
        if runs > 1:
            assert shapes.wide.units == 1 or lanes_of_wide == registers * width
        elif widest < 16:
            assert shapes.wide.units == 4
        assert (shapes.wide_row.rows, shapes.wide_row.units) == (1, shapes.wide.units)
        assert (shapes.narrow.units, shapes.narrow_row.units, shapes.narrow_row.rows) == (1, 1, 1)
        assert (shapes.scalar.rows, shapes.scalar.units) == (1, 1)


def test_in_code_for_one_network_a_single_run_takes_its_samples_one_by_one(width):
    shapes = shapes_for(1, 4)
    alone = for_one_network(shapes)
    assert (alone.wide, alone.wide_piece) == (shapes.wide_row, None)
    assert alone._replace(wide=shapes.wide, wide_piece=shapes.wide_piece) == shapes
    assert for_one_network(shapes_for(width, 4)) == shapes_for(width, 4)


def test_pieces_pass_through_the_sigmoid_in_four_registers(width):
    for runs in (1, width, 2 * width, 4 * width):
        shapes = shapes_for(runs, 100)
        for whole, piece in (
            (shapes.wide, shapes.wide_piece),
            (shapes.narrow, shapes.narrow_piece),
        ):
            size = ROWS * whole.units * runs
            if piece is None:
                assert size <= 4 * width
                continue
            assert size > 4 * width
            assert (piece.units, piece.runs) == (whole.units, whole.runs)
            assert ROWS % piece.rows == 0
            assert piece.rows == 1 or piece.rows * piece.units * runs == 4 * width


def test_data_have_the_runs_that_they_are_given(width):
    assert shapes_for(width, 4).data.runs == 1
    assert shapes_for(width, 4, width).data.runs == width


@pytest.mark.parametrize("widest", [1, 15, 16, 100])
def test_the_rest_of_a_layer_goes_in_parts_of_a_tile(width, widest):
    shapes = shapes_for(1, widest, parts=True)
    registers = 16 if width == 8 else 8
    assert shapes.wide.units in (2 * width, registers * width // ROWS)
    assert shapes.rest.is_part
    assert shapes.rest_row.is_part
    assert shapes.rest.units == shapes.rest_row.units == 2 * width
    assert shapes.transposed == shapes.wide_row
    assert not any(shape.is_part for shape in shapes[:3] if shape)
    assert shapes_for(1, widest).rest == shapes_for(1, widest).narrow
    assert shapes_for(1, widest).transposed is None


def test_parts_are_wanted_where_much_is_left(width):
    masked = width > 2
    assert wants_parts([(64, 64), (64, 10)]) is masked
    assert wants_parts([(784, 100), (100, 10)]) is masked
    assert not wants_parts([(8, 200), (200, 1)])
    assert not wants_parts([(LARGE_ALONE // 16, 11), (11, 5)])


def test_strips_are_wanted_where_weights_leave_the_first_level_cache(width):
    inputs = {8: 128, 4: 512, 2: 1024}[width]
    for runs in (1, width, 2 * width):
        assert not wants_strips(runs, [(inputs, 100), (100, 10)])
        assert wants_strips(runs, [(8, inputs + 1), (inputs + 1, 100)])
    assert not wants_strips(1, [(inputs + 1, 1)])
    assert shapes_for(1, 100).strips is None
    assert shapes_for(1, 100, strips=True).strips is not None


@pytest.mark.parametrize("widest", [1, 2, 3, 4, 100])
def test_on_a_gpu_each_thread_has_one_run(widest):
    for count in (1, 33, 10**6):
        assert runs_side_by_side(count, 1000, CROWDING, machine=GPU) == 32
    shapes = shapes_for(32, widest, importance_runs=32, machine=GPU)
    *tiles, _layout = shapes
    for shape in (tile for tile in tiles if tile is not None):
        kind = typeof(shape)
        assert kind.is_spread == (kind.runs == 32)
        assert (kind.held, kind.lanes) == (1, kind.rows * kind.units)
        assert kind.units <= min(widest, GPU_UNITS)
        assert kind.lanes & (kind.lanes - 1) == 0  # halves are joined and folded
    assert (shapes.data.runs, shapes.importance.runs) == (1, 32)
    for whole, piece in ((shapes.wide, shapes.wide_piece), (shapes.rest, shapes.rest_piece)):
        part = whole if piece is None else piece
        assert part.rows * part.units <= GPU_AT_ONCE
        assert part.units == whole.units
