"""The plot of predictions: points of numbers, counts of classes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from fastgd import plots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_numbers_are_points_and_a_line_where_both_are_the_same():
    ax = plots.predictions([1.0, 3.0, 2.0], [1.5, 2.5, 7.0], name="price")
    [points] = ax.collections
    assert points.get_offsets().tolist() == [[1, 1.5], [3, 2.5], [2, 7]]
    [line] = ax.lines
    assert list(line.get_xdata()) == list(line.get_ydata()) == [1, 7]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("actual", "predicted")


def test_intervals_are_lines_and_those_that_miss_are_red():
    interval = [[0.0, 2.0], [2.0, 2.9], [1.0, 9.0]]
    ax = plots.predictions([1.0, 3.0, 2.0], [1.5, 2.5, 7.0], interval=interval)
    inside, missed, _ = ax.collections
    assert [path.tolist() for path in inside.get_segments()] == [
        [[1, 0], [1, 2]],
        [[2, 1], [2, 9]],
    ]
    assert [path.tolist() for path in missed.get_segments()] == [[[3, 2], [3, 2.9]]]
    red, green, _, _ = missed.get_color()[0]
    assert red > 2 * green
    assert ax.get_xlabel() == "actual (66.7 % lie in their intervals, others in red)"


@pytest.mark.parametrize(
    ("actual", "interval", "message"),
    [
        ([1.0, 2.0], [[0.0, 1.0]], r"interval must have shape \(2, 2\), got shape \(1, 2\)"),
        ([1.0, 2.0], [[0.0, 1.0], [0.0, np.nan]], "interval must be finite, got nan"),
        (["a", "b"], [[0.0, 1.0]] * 2, "interval must be left out of a plot of classes, got one"),
    ],
)
def test_what_is_no_interval(actual, interval, message):
    with pytest.raises(ValueError, match=message):
        plots.predictions(actual, actual, interval=interval)


def test_classes_are_counted():
    ax = plots.predictions(["a", "b", "b", "c"], ["a", "b", "a", "a"])
    assert [text.get_text() for text in ax.texts] == ["1", "0", "0", "1", "1", "0", "1", "0", "0"]
    [image] = ax.images
    assert image.get_array().tolist() == [[1, 0, 0], [0.5, 0.5, 0], [1, 0, 0]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert len(plots.predictions([True, False], [True, True]).texts) == 4


LONG = ("Rather unlikely to ever return to the shop", "Undecided", "x" * 60, "", "Mr. " * 30)


@pytest.mark.parametrize("values", [LONG * 3, np.arange(15.0)], ids=["classes", "numbers"])
def test_long_names_are_whole_and_leave_room_for_the_plot(values):
    ax = plots.predictions(values, values, name="satisfaction_" * 6 + "after the first year")
    figure = ax.figure
    figure.canvas.draw()
    [title] = [text for text in (ax.title, ax._left_title, ax._right_title) if text.get_text()]
    assert title.get_text().replace("\n", "").startswith("satisfaction_" * 6)
    ticks = [*ax.get_xticklabels(), *ax.get_yticklabels()] if ax.images else []
    for text in (title, *ticks):
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1
    room = ax.get_window_extent()
    assert min(room.width, room.height) > 2.9 * figure.dpi


def test_it_draws_where_it_is_told():
    _, ax = plt.subplots()
    assert plots.predictions(np.arange(600.0), np.arange(600.0), ax=ax) is ax


REFUSED = {
    "rows": ([1.0], [1.0, 2.0], "must have the same number of rows, got 1 and 2"),
    "none": ([], [], "actual must have shape"),
    "table": ([[1.0]], [[1.0]], "actual must have shape"),
    "finite": ([np.nan], [1.0], "actual must be finite, got nan"),
    "complex": ([1j], [1.0], "actual must hold numbers or labels, got"),
    "classes": (list(map(str, range(31))), ["0"] * 31, "at most 30 classes, got 31"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_drawn(case):
    actual, predicted, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        plots.predictions(actual, predicted)
