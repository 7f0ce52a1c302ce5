"""Selections from a sweep by index or value: each equals a sweep of these values alone."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_results import same

import fastgd
from fastgd.engine.results import State
from fastgd.optimizers import Adam, GradientDescent, Momentum
from fastgd.training.selection import by_place, by_value
from fastgd.training.sweep_axes import SweepAxes

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
Y = [0, 1, 1, 0]
STARTS = [[np.full((3, 2), v), np.full((2, 1), -v)] for v in (0.1, 0.2, 0.3)]
SETTINGS = {"iterations": 30, "record_every": 10, "summary": 2, "threads": 1}
AXES = {
    "networks": {
        "hidden_size": [2, (3, 2), 3],
        "optimizer": [Momentum(0.5), GradientDescent()],
        "alpha": [0.1, 1.0, 2.0],
        "seed": [4, 5],
    },
    "values": {
        "optimizer": Momentum([0.1, 0.5, 0.9]),
        "tolerance": [0.0, 0.1],
        "patience": [None, 9],
        "seed": [1, 2],
    },
    "weights": {"alpha": [1.0, (0.5, 2.0)], "weights": STARTS},
}


def filled(sweep):
    """Fill all arrays that a sweep may have with distinct numbers."""
    shape, records = sweep.shape, len(sweep.recorded)
    runs = sweep._sweep_axes.runs

    def numbers(*shape):
        return np.arange(np.prod(shape, dtype=int)).reshape(shape)

    states = tuple(
        State(*(numbers(runs, 2 + k) + 1000 * n for k in range(len(State._fields))))
        for n in range(len(sweep.networks))
    )
    paths = (numbers(runs, records, n.parameters) + n.parameters * 1e6 for n in sweep.networks)
    return replace(
        sweep,
        kept_path=tuple(paths),
        validation_errors=numbers(*shape, records) / 7,
        final_validation_error=numbers(*shape) / 3,
        best_iteration=numbers(*shape),
        states=states,
    )


@pytest.fixture(scope="module", params=AXES)
def case(request):
    axes = AXES[request.param]
    return axes, filled(fastgd.sweep(X, Y, **axes, **SETTINGS))


def selectors(length):
    """All kinds of index for an axis."""
    places = st.integers(-length, length - 1)
    flags = st.lists(st.booleans(), min_size=length, max_size=length).filter(any)
    return st.one_of(
        places,
        st.slices(length).filter(lambda part: len(range(length)[part]) > 0),
        st.lists(places, min_size=1, max_size=4),
        st.lists(places, min_size=1, max_size=4).map(np.array),
        flags,
        flags.map(np.array),
    )


@pytest.mark.parametrize("tries", [25, pytest.param(100, marks=pytest.mark.slow)])
def test_a_part_has_the_runs_that_it_is_made_of(case, tries):
    _, sweep = case

    @settings(max_examples=tries)
    @given(st.data())
    def has_its_runs(data):
        index = data.draw(st.tuples(*map(selectors, sweep.shape)))
        length = data.draw(st.integers(0, len(index)))
        part = sweep[index[:length]] if length != 1 else sweep[index[0]]
        kept, axes = [], {}
        for i, (name, axis) in enumerate(sweep.axes.items()):
            places = np.arange(len(axis))[index[i] if i < length else slice(None)]
            kept.append(np.atleast_1d(places))
            if np.ndim(places):
                axes[name] = [axis[place] for place in places]
        if not axes:
            assert same(part, sweep[tuple(int(places[0]) for places in kept)])
            return
        assert same(part.axes, axes)
        assert len(part) == np.prod([len(places) for places in kept])
        wanted = [
            sweep[tuple(map(int, place))]
            for place in zip(*map(np.ravel, np.meshgrid(*kept, indexing="ij")), strict=True)
        ]
        assert all(map(same, part, wanted))
        assert part.final_error.ravel().tolist() == [run.final_error for run in wanted]
        assert part.total_changes.ravel().tolist() == [
            sum(int(layer.sum()) for layer in run.direction_changes) for run in wanted
        ]

    has_its_runs()


def test_a_part_is_the_sweep_of_its_values():
    axes = AXES["networks"]
    sweep = fastgd.sweep(X, Y, **axes, **SETTINGS)
    some = {
        "hidden_size": [(3, 2), 3],
        "optimizer": [GradientDescent()],
        "alpha": [2.0, 0.1],
        "seed": [5],
    }
    assert same(sweep[1:, 1:, ::-2, -1:], fastgd.sweep(X, Y, **some, **SETTINGS))
    one = {"hidden_size": 3, "optimizer": GradientDescent(), "alpha": 1.0, "seed": [4, 5]}
    assert same(sweep[2, 1, 1], fastgd.sweep(X, Y, **one, **SETTINGS))
    values = fastgd.sweep(X, Y, **AXES["values"], **SETTINGS)
    one = {"optimizer": Momentum(0.9), "tolerance": [0.1], "patience": 9, "seed": 2}
    assert same(values[2, 1:, 1, 1], fastgd.sweep(X, Y, **one, **SETTINGS))


def test_a_part_of_a_part(case):
    _, sweep = case
    assert same(sweep[1:][..., :-1][0], sweep[1, ..., :-1])
    assert same(sweep[1][0], sweep[1, 0])
    assert same(sweep[...], sweep)
    assert same(sweep[()], sweep)
    assert same(list(sweep[0]), list(sweep)[: len(sweep[0])])


def test_a_part_survives_a_file_and_is_shown(case, tmp_path):
    _, sweep = case
    part = replace(sweep[0, ..., 1:], kept_path=None, validation_errors=None, states=None)
    part = replace(part, final_validation_error=None, best_iteration=None)
    part.save(tmp_path / "part.npz")
    assert same(fastgd.load(tmp_path / "part.npz"), part)
    assert len(part.to_dataframe()) == len(part)
    assert repr(part).startswith(f"Sweep({next(iter(part.axes))}: ")


def test_a_sweep_that_kept_no_weights_has_parts():
    settings = {"alpha": [1, 2, 3], "seed": range(4), "iterations": 5, "keep_weights": False}
    part = fastgd.sweep(X, Y, **settings)[1:, [0, 2]]
    assert part.kept_weights is None
    assert part.final_error.shape == (2, 2)


# ---------------------------------------------------------------- what is no index

GRID = SweepAxes({"hidden_size": [(2,), (3,)], "alpha": [1.0, 2.0, 3.0]})
NO_INDEX = "an index of a sweep must be an int, a slice, a list of ints, or a list of one bool"


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (1.5, TypeError, NO_INDEX + " per value of the axis, got 1.5"),
        ((0, True), TypeError, NO_INDEX),
        ((0, np.True_), TypeError, NO_INDEX),
        ((0, 1.0), TypeError, NO_INDEX),
        ((0, np.float64(1)), TypeError, NO_INDEX),
        ((0, None), TypeError, r"got \(0, None\)"),
        ((0, "1"), TypeError, NO_INDEX),
        ((0, (0, 1)), TypeError, NO_INDEX),
        ((0, {0, 1}), TypeError, NO_INDEX),
        ((0, [0, 1.0]), TypeError, NO_INDEX),
        ((0, [0, True]), TypeError, NO_INDEX),
        ((0, [[0]]), TypeError, NO_INDEX),
        ((0, np.zeros((1, 1), int)), TypeError, NO_INDEX),
        ((0, np.timedelta64(1, "s")), TypeError, NO_INDEX),
        ((0, slice("a")), TypeError, NO_INDEX),
        ((0, slice(0, 2, 0)), TypeError, "slice step cannot be zero"),
        ((0, 0, 0), IndexError, r"this sweep has 2 axes \(hidden_size, alpha\), each with at most "
         r"one index, got 3: \(0, 0, 0\)"),
        ((0, 0, ..., 0), IndexError, "got 3: "),
        ((..., 0, ...), IndexError, "must have at most one ..., got"),
        ((2, 0), IndexError, "index 2 is out of range for hidden_size with 2 values"),
        (-3, IndexError, "index -3 is out of range for hidden_size with 2 values"),
        ((0, 10**30), IndexError, "index 10{30} is out of range for alpha with 3 values"),
        ((0, [0, -4]), IndexError, "index -4 is out of range for alpha with 3 values"),
        (slice(2, None), IndexError, "an index must leave at least one value of hidden_size, got "
         r"slice\(2, None, None\)"),
        ((0, []), IndexError, "must leave at least one value of alpha, got none"),
        ((0, [False] * 3), IndexError, "must leave at least one value of alpha, got none"),
        ((0, [True] * 2), IndexError, "one for each value of the axis, 3 for alpha, got 2"),
    ],
)  # fmt: skip
def test_what_is_no_index_is_rejected(index, error, message):
    with pytest.raises(error, match=message):
        by_place(GRID, index)


def test_places_are_whole_numbers_of_any_kind():
    for index in ((-1, -1), (np.int8(1), np.uint64(2)), (np.array(1), 2), (..., 1, 2), (1, 2, ...)):
        assert by_place(GRID, index).index == (1, 2)
    assert by_place(GRID, (range(1, 2), [1, np.int64(-1)])).axes == {
        "hidden_size": [(3,)], "alpha": [2.0, 3.0]
    }  # fmt: skip


def test_a_sweep_without_axes_has_no_index():
    sweep = fastgd.sweep(X, Y, iterations=1)
    assert sweep[()].iterations == sweep[...].iterations == sweep.sel().iterations == 1
    with pytest.raises(IndexError, match=r"has no index, so it is sweep\[\(\)\], got 1: 0"):
        sweep[0]


# ---------------------------------------------------------------- by value

DATES = [datetime(2026, 1, day) for day in (1, 2, 3)]
VALUES = {
    "hidden_size": (
        [(4,), (4, 4), ()], [(4, 0), ((4,), 0), ((4, 4), 1), ((), 2), (np.int64(4), 0)]
    ),
    "alpha": (
        [0.1, 10.0, (1.0, 2.0), 10.0], [(10, 1), (np.float32(10), 1), ((1, 2), 2), (0.1, 0)]
    ),
    "optimizer": ([Momentum(0.5), Adam(), Momentum(0.9)], [(Adam(), 1),
     (Momentum(momentum=0.9), 2)]),
    "bias": ([False, True], [(True, 1), (np.False_, 0)]),
    "patience": ([None, 3], [(None, 0), (3, 1), (3.0, 1)]),
    "seed": ([1, 2], [(np.array(2), 1), (2.0, 1)]),
    "weights": (STARTS, [(2, 2), (0, 0)]),
    "group": (["a", "b", "c"], [("b", 1), (np.str_("c"), 2)]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values_are_found(name):
    axis, found = VALUES[name]
    sweep_axes = SweepAxes({"l1": [0.0, 1.0], name: axis, "l2": [0.0, 1.0]})
    for value, place in found:
        assert by_value(sweep_axes, {name: value}).selectors == (slice(None), place, slice(None))
        several = by_value(sweep_axes, {name: [axis[0] if name != "weights" else 0, value]})
        assert several.selectors[1].tolist() == [0, place]
    assert by_value(sweep_axes, {"l2": 1, name: found[0][0], "l1": 0}).index == (0, found[0][1], 1)


def test_dates_and_arrays_are_values():
    sweep_axes = SweepAxes({"group": DATES, "alpha": [(1.0, 2.0), (3.0, 4.0)]})
    for value in (DATES[1], np.datetime64("2026-01-02"), np.datetime64("2026-01-02", "ns")):
        assert by_value(sweep_axes, {"group": value}).selectors[0] == 1
    array = np.array(DATES[1:], dtype="M8[ns]")
    assert by_value(sweep_axes, {"group": array}).selectors[0].tolist() == [1, 2]
    assert by_value(sweep_axes, {"alpha": np.array([[3, 4], [1, 2]])}).selectors[1].tolist() == [
        1,
        0,
    ]
    assert by_value(sweep_axes, {"alpha": np.array([[3, 4]])}).axes["alpha"] == [(3.0, 4.0)]


def test_a_row_of_the_table_finds_its_run(case):
    _, sweep = case
    frame = sweep.to_dataframe()
    names = [name for name in sweep.axes if name != "optimizer"]
    for number in (0, 3, len(sweep) - 1):
        row = frame.iloc[number]
        asked = {name: row[name] for name in names if row[name] == row[name]}
        if "optimizer" in sweep.axes:
            asked["optimizer"] = (
                GradientDescent()
                if row["optimizer"] == "GradientDescent"
                else Momentum(row["momentum"])
            )
        if len(asked) == len(sweep.axes):
            assert same(sweep.sel(**asked), list(sweep)[number])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"l2": 1}, r"a value must be on an axis of this sweep \(alpha, bias, group\), got l2=1"),
        ({"alhpa": 1}, "got alhpa=1: did you mean alpha"),
        ({"alpha": 9}, r"must be a value on its axis, \[1.0, 10.0\], got 9: the nearest is 10.0"),
        ({"alpha": [1, 2]}, "got 2: the nearest is 1.0"),
        ({"alpha": True}, r"alpha must be a value on its axis, \[1.0, 10.0\], got True$"),
        ({"alpha": float("nan")}, "got nan$"),
        ({"alpha": {}}, "got {}$"),
        ({"alpha": []}, r"a list of values of alpha must not be empty, got \[\]"),
        ({"alpha": slice(1, 2)}, r"got slice\(1, 2, None\)$"),
        ({"bias": 1}, r"\[False, True\], got 1$"),
        ({"bias": np.zeros((2, 2))}, r"values of bias must be a 1-D list, got shape \(2, 2\)"),
        ({"group": "nroth"}, r"\['north', 'south'\], got 'nroth': did you mean north"),
    ],
)  # fmt: skip
def test_values_that_are_on_no_axis_are_rejected(asked, message):
    sweep_axes = SweepAxes(
        {"alpha": [1.0, 10.0], "bias": [False, True], "group": ["north", "south"]}
    )
    with pytest.raises(ValueError, match=message):
        by_value(sweep_axes, asked)


def test_no_axis_at_all_has_no_values():
    with pytest.raises(ValueError, match=r"of this sweep \(none\), got alpha=1"):
        fastgd.sweep(X, Y, iterations=1).sel(alpha=1)
