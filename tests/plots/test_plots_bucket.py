"""Pictures of balls: what is drawn is what was computed."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from fastgd import bucket, plots
from fastgd.plots.style import COLORS

mpl.use("Agg")

W = "x**4 - 3*x**2 + x"


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def two():
    return bucket.roll(curve=W, start=[2.0, -2.0], alpha=0.01, record_path=True)


def lines(ax, label):
    return [line for line in ax.lines if line.get_label() == label]


def height(x):
    return x**4 - 3 * x**2 + x


def test_roll_draws_the_curve_and_the_paths(two):
    ax = plots.roll(two)
    (curve,) = lines(ax, "_curve")
    np.testing.assert_allclose(curve.get_ydata(), height(curve.get_xdata()), atol=1e-12)
    assert ax.get_xlim() == (curve.get_xdata()[0], curve.get_xdata()[-1])
    paths = lines(ax, "_path")
    assert len(paths) == 2
    for k, path in enumerate(paths):
        there = np.isfinite(two.path[k])
        np.testing.assert_array_equal(path.get_xdata(), two.path[k])
        np.testing.assert_allclose(path.get_ydata()[there], height(two.path[k][there]), atol=1e-12)
    starts = lines(ax, "_start")
    assert [float(line.get_xdata()[0]) for line in starts] == [2.0, -2.0]
    ends = [line for line in ax.lines if not line.get_label().startswith("_")]
    np.testing.assert_array_equal([float(line.get_xdata()[0]) for line in ends], two.x)
    np.testing.assert_array_equal([float(line.get_ydata()[0]) for line in ends], two.height)
    assert [line.get_label() for line in ends] == [
        "from 2, alpha 0.01: converged after 223 steps",
        "from -2, alpha 0.01: converged after 145 steps",
    ]
    assert [line.get_color() for line in ends] == list(COLORS[:2])
    assert ax.get_title(loc="left") == "x**4 - 3*x**2 + x: x -= alpha * slope"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "height")


def test_roll_uses_the_axes_it_is_given(two):
    _, ax = plt.subplots()
    assert plots.roll(two, ax=ax, window=(-3, 1)) is ax
    assert ax.get_xlim() == (-3, 1)
    assert plt.get_fignums() == [ax.figure.number]


def test_a_crowd_has_the_colors_of_how_it_ended():
    start = np.linspace(-4, 4, 30)
    rolled = bucket.roll(curve=W, start=start, alpha=0.04, iterations=30)
    ax = plots.roll(rolled)
    dots = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    for name in ("converged", "rolling", "diverged"):
        there = rolled.status == name
        assert there.any()
        np.testing.assert_array_equal(dots[f"{name}: {there.sum()}"].get_xdata(), rolled.x[there])
    assert not lines(ax, "_path")


def test_a_ball_that_diverged_does_not_set_the_window():
    ax = plots.roll(bucket.EXAMPLES["too-big"].roll())
    low, high = ax.get_xlim()
    assert -3 < low < -1.1
    assert 1 < high < 3


def test_no_ball_hides_another_ones_start_or_the_curve():
    ax = plots.roll(bucket.EXAMPLES["rut"].roll())  # both from 4
    sizes = [line.get_markersize() for line in lines(ax, "_start")]
    assert sizes[0] > sizes[1] + 2 * lines(ax, "_start")[1].get_markeredgewidth()
    (curve,) = lines(ax, "_curve")
    assert all(path.get_zorder() < curve.get_zorder() for path in lines(ax, "_path"))
    ax.figure.canvas.draw()
    label = ax.xaxis.label.get_window_extent()
    assert ax.get_legend().get_window_extent().y1 < label.y0, "where no path runs through it"


def test_the_window_keeps_minima_deep(two):
    """Of its height they took a twentieth: the window went to 3.2, where W is 77."""
    low, high = plots.roll(two).get_ylim()
    minimum, summit = two.height.min(), height(0.17)
    assert (summit - minimum) / (high - low) > 0.1


@pytest.mark.slow
def test_a_ball_at_a_pole_is_no_trouble(tmp_path):
    rolled = bucket.roll(curve="1/x**2 + x**2", start=[0.0, 2.0], record_path=True)
    ax = plots.roll(rolled)
    assert np.isfinite(ax.get_ylim()).all()
    plots.write(ax.figure, tmp_path / "pole.png")
    plots.film(rolled, tmp_path / "pole.gif", frames=3)


def test_basins_draws_them_in_color():
    found = bucket.basins()
    ax = plots.basins(found)
    stretches = lines(ax, "_stretch")
    assert len(stretches) == 5
    for stretch, drawn, span in zip(found.stretches, stretches, ax.patches, strict=True):
        x = drawn.get_xdata()
        assert (x[0], x[-1]) == (stretch.left, stretch.right)
        np.testing.assert_array_equal(drawn.get_ydata(), found.roll.curve.at(x)[0])
        assert drawn.get_color() == COLORS[stretch.minimum]
        assert (span.get_x(), span.get_width()) == pytest.approx(
            (stretch.left, stretch.right - stretch.left)
        )
        assert span.get_facecolor()[:3] == mpl.colors.to_rgb(COLORS[stretch.minimum])
    minima, starts = ax.collections
    np.testing.assert_array_equal(minima.get_offsets()[:, 0], found.minima)
    np.testing.assert_array_equal(minima.get_offsets()[:, 1], found.heights)
    np.testing.assert_array_equal(starts.get_offsets()[:, 0], found.roll.start)
    assert [tuple(color) for color in starts.get_facecolors()] == [
        mpl.colors.to_rgba(COLORS[k]) for k in found.owner
    ]
    assert [text.get_text() for text in ax.texts] == [str(count) for count in found.counts]
    assert ax.get_title(loc="left").startswith("100 random balls end in 5 minima: x**4/300")


def test_balls_in_no_minimum_are_grey():
    ax = plots.basins(bucket.basins("x**3/3 - x", (-3, 3), balls=20, seed=3))
    assert [line.get_color() for line in lines(ax, "_stretch")] == ["#999999", COLORS[0]]


def frames_of(path):
    with Image.open(path) as film:
        for number in range(film.n_frames):
            film.seek(number)
            yield np.asarray(film.convert("RGB")).astype(int)


def columns_of(frame, color):
    """The mean column of the pixels of this color."""
    wanted = 255 * np.array(mpl.colors.to_rgb(color))
    near = np.abs(frame - wanted).sum(axis=2) < 60
    return float(np.nonzero(near)[1].mean())


def test_a_film_shows_balls_where_they_are(two, tmp_path):
    path = tmp_path / "balls.gif"
    ax = plots.film(two, path, frames=6)
    frames = list(frames_of(path))
    assert len(frames) >= 6
    place = ax.transData.transform
    for k, color in enumerate(COLORS[:2]):
        for frame, x in ((frames[0], two.start[k]), (frames[-1], two.x[k])):
            column = place((x, height(x)))[0]
            assert columns_of(frame, color) == pytest.approx(column, abs=3)
    (counter,) = ax.texts
    assert counter.get_text().startswith("step ")
    assert counter.get_position()[1] < 0  # below the axes: it never touches the curve
    assert plt.get_fignums() == []  # its own figure is closed
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_a_film_of_basins(tmp_path):
    found = bucket.basins(balls=10, alpha=0.05, record_path=True)
    _, ax = plt.subplots()
    assert plots.film(found, tmp_path / "b.gif", ax=ax, frames=3) is ax
    assert plt.get_fignums() == [ax.figure.number]
    assert len(list(frames_of(tmp_path / "b.gif"))) >= 3
    assert len(lines(ax, "_stretch")) == 5
    (dots,) = ax.collections
    np.testing.assert_allclose(dots.get_offsets()[:, 0], found.roll.x, atol=0.1)


@pytest.mark.slow
def test_a_film_on_a_subfigure(two, tmp_path):
    figure = plt.figure(figsize=(3, 2))
    ax = figure.subfigures(1, 2)[0].subplots()
    assert plots.film(two, tmp_path / "b.gif", ax=ax, frames=1) is ax
    with Image.open(tmp_path / "b.gif") as film:
        assert film.size == (240, 160)
    with pytest.raises(OSError, match=r"nowhere.*b\.gif"):
        plots.film(two, tmp_path / "nowhere" / "b.gif")
    assert plt.get_fignums() == [figure.number]


def test_a_film_of_a_crowd_and_a_ball_that_never_moves(tmp_path):
    rolled = bucket.roll(curve="-exp(-x**2)", start=[7.0] * 7, record_path=True)
    ax = plots.film(rolled, tmp_path / "b.gif", frames=3, window=(-2, 8))
    assert ax.get_xlim() == (-2, 8)
    assert (tmp_path / "b.gif").stat().st_size > 1000


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda r, p: plots.film(r, p / "b.png"), "must end in .gif, got"),
        (lambda r, p: plots.film(r, p / "b.gif", frames=0), "frames must be at least 1, got 0"),
        (lambda r, p: plots.film(r, p / "b.gif", window=(1, 0)), "the smaller number first"),
        (lambda r, _: plots.roll(r, window=(1, 0)), "the smaller number first"),
    ],
)
def test_bad_arguments(two, tmp_path, draw, message):
    with pytest.raises(ValueError, match=message):
        draw(two, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_plot_needs_the_curve_and_a_film_the_path(tmp_path):
    rolled = bucket.roll("2*x", 1.0, record_path=True)
    message = "a plot needs the curve, got only its slope: give curve=, too"
    with pytest.raises(ValueError, match=message):
        plots.roll(rolled)
    with pytest.raises(ValueError, match=message):
        plots.film(rolled, tmp_path / "b.gif")
    with pytest.raises(ValueError, match=message):
        plots.basins(bucket.basins(slope="2*x", window=(-1, 1), balls=3))
    with pytest.raises(ValueError, match="an animation needs the balls' path: record_path=True"):
        plots.film(bucket.roll(curve="x**2", start=1.0), tmp_path / "b.gif")
    with pytest.raises(FileNotFoundError):
        plots.film(
            bucket.roll(curve="x**2", start=1.0, record_path=True), tmp_path / "no" / "b.gif"
        )
