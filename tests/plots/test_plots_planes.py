"""Pictures of error planes and races: what is drawn is what was computed."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from mpl_toolkits.mplot3d import Axes3D

import fastgd
from cases import LINE_X, LINE_Y
from fastgd import plots
from fastgd.optimizers import GradientDescent, Momentum
from fastgd.plots.lines import ERROR
from thinning import some

X, Y = LINE_X.tolist(), LINE_Y.ravel().tolist()


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run():
    return fastgd.train(X, Y, hidden_size=(), iterations=60, record_every=1, record_weights=True)


@pytest.fixture(scope="module")
def plane(run):
    return fastgd.surface(X, Y, run, span=((-4, 6), (-7, 3)), resolution=41)


@pytest.fixture(scope="module")
def race():
    return fastgd.race(
        X, Y, [(GradientDescent(), 1), (Momentum(), 0.5)], hidden_size=(), iterations=60
    )


def named_lines(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


# The plane from above


def test_every_pixel_is_its_error(plane):
    ax = plots.surface(plane)
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), plane.errors)
    left, right, bottom, top = image.get_extent()
    assert (left, right) == (-4 - 0.125, 6 + 0.125)
    assert (bottom, top) == (-7 - 0.125, 3 + 0.125)
    assert image.origin == "lower"
    assert image.get_cmap().name == "cividis"
    assert ax.get_xlim() == (left, right)
    assert ax.get_ylim() == (bottom, top)


def test_contour_lines_are_where_the_error_is_theirs(plane):
    ax = plots.surface(plane)
    (contours,) = (c for c in ax.collections if hasattr(c, "levels"))
    level = contours.levels[len(contours.levels) // 2]
    (path,) = (p for p, z in zip(contours.get_paths(), contours.levels, strict=True) if z == level)
    weights = [[[x], [y]] for x, y in path.vertices]
    errors = [fastgd.train(X, Y, weights=[w], iterations=1).errors[0] for w in weights]
    np.testing.assert_allclose(errors, level, atol=2e-3)


def test_texts_say_what_is_drawn(plane):
    ax = plots.surface(plane)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("weights[0][0, 0]", "weights[0][1, 0]")
    assert ax.get_title(loc="left") == (
        "Mean absolute error of a 2-1 network over both its weights (4 samples)"
    )
    bar = ax.images[0].colorbar.ax
    assert bar.get_ylabel() == ERROR
    assert ax.get_legend() is None


def test_the_title_says_that_others_are_held(xor):
    trained = fastgd.train(*xor, bias=True, iterations=60, record_every=1, record_weights=True)
    bent = fastgd.surface(*xor, trained, axes=((0, 3, 2), (1, 0, 0)), resolution=5)
    ax = plots.surface(bent)
    assert ax.get_xlabel() == "biases[0][2]"
    title = "Mean absolute error of a 3-4-1 network over two weights,\nthe other 19 fixed"
    assert ax.get_title(loc="left") == f"{title} (4 samples)"
    flat = fastgd.surface(*xor, trained, resolution=5)
    ax = plots.surface(flat, paths={"mine": trained})
    assert ax.get_title(loc="left") == f"{title} where mine ends (4 samples)"
    ax = plots.surface(flat, paths=trained)
    assert ax.get_title(loc="left") == f"{title} where the training ends (4 samples)"
    moved = [layer + 1 for layer in trained.weights]
    elsewhere = fastgd.surface(*xor, moved, biases=trained.biases, bias=True, resolution=5)
    ax = plots.surface(elsewhere, paths={"mine": trained})
    assert ax.get_title(loc="left") == f"{title} (4 samples)"


def test_a_path_is_drawn_through_its_weights(plane, run):
    ax = plots.surface(plane, paths=run)
    path = plane.path(run)
    assert len(path) == 61
    line, first, last = ax.lines
    np.testing.assert_array_equal(line.get_xydata(), path[:, :2])
    np.testing.assert_array_equal(first.get_xydata(), path[:1, :2])
    np.testing.assert_array_equal(last.get_xydata(), path[-1:, :2])
    assert (first.get_marker(), last.get_marker()) == ("o", "*")
    (text,) = ax.get_legend().get_texts()
    assert text.get_text() == "alpha 1, 60 iterations"


def test_several_paths_have_names_and_colors(plane, race):
    ax = plots.surface(plane, paths=race.runs)
    lines = named_lines(ax)
    assert list(lines) == ["GradientDescent", "Momentum"]
    for name, line in lines.items():
        np.testing.assert_array_equal(line.get_xydata(), plane.path(race.runs[name])[:, :2])
    assert len({to_hex(line.get_color()) for line in lines.values()}) == 2


def test_more_paths_than_colors_differ_by_their_dashes(plane, race):
    run = race.runs["Momentum"]
    ax = plots.surface(plane, paths={f"path {k}": run for k in range(20)})
    looks = {(to_hex(line.get_color()), line.get_linestyle()) for line in named_lines(ax).values()}
    assert len(looks) == 20


def test_the_logarithm(plane):
    ax = plots.surface(plane, log=True)
    np.testing.assert_array_equal(ax.images[0].get_array(), np.log10(plane.errors))
    assert ax.images[0].colorbar.ax.get_ylabel() == f"log10 of {ERROR}"


def test_what_is_not_finite_is_left_out(plane):
    errors = plane.errors.copy()
    errors[3, 5], errors[7, 2] = np.nan, np.inf
    ax = plots.surface(replace(plane, errors=errors))
    left_out = np.argwhere(np.ma.getmaskarray(ax.images[0].get_array()))
    assert left_out.tolist() == [[3, 5], [7, 2]]
    assert ax.images[0].get_clim() == (plane.errors.min(), plane.errors.max())


def test_a_flat_plane_has_no_contour_lines():
    plane = fastgd.surface(np.zeros((4, 2)), Y, [np.ones((2, 1))], resolution=41)
    assert len(np.unique(plane.errors)) == 1
    ax = plots.surface(plane)
    assert not [c for c in ax.collections if hasattr(c, "levels")]


# In space


def test_the_surface_in_space_has_its_heights(plane, run, monkeypatch):
    drawn = []
    plot_surface = Axes3D.plot_surface

    def spy(self, *arrays, **options):
        drawn.append((*arrays, options["rcount"], options["ccount"]))
        return plot_surface(self, *arrays, **options)

    monkeypatch.setattr(Axes3D, "plot_surface", spy)
    ax = plots.surface(plane, kind="3d", paths=run)
    ((x, y, heights, *facets),) = drawn
    assert (x[17, 23], y[17, 23]) == (plane.x[23], plane.y[17])
    np.testing.assert_array_equal(heights, plane.errors)
    assert min(facets) >= 41  # none is left out
    assert ax.get_zlim()[0] <= plane.errors.min() < plane.errors.max() <= ax.get_zlim()[1]
    line, first, last = ax.lines
    path, own = plane.path(run)[:, :2], plane.path(run)[:, 2]
    np.testing.assert_array_equal(np.column_stack(line.get_data_3d()[:2]), path)
    # Between the points of the grid: a network without others held has this error itself.
    np.testing.assert_allclose(line.get_data_3d()[2], own, atol=2e-3)
    for end, place in ((first, 0), (last, -1)):
        assert [part[0] for part in end.get_data_3d()] == [
            part[place] for part in line.get_data_3d()
        ]
    assert (ax.get_xlabel(), ax.get_zlabel()) == ("weights[0][0, 0]", ERROR)


def test_a_path_in_space_stays_over_its_plane(run):
    window = fastgd.surface(X, Y, run, span=((-1, 1), (-1, 1)), resolution=41)
    path = window.path(run)
    inside = (np.abs(path[:, :2]) <= 1).all(axis=1)
    assert 0 < inside.sum() < len(path)
    line = plots.surface(window, kind="3d", paths=run).lines[0]
    np.testing.assert_array_equal(np.column_stack(line.get_data_3d()[:2]), path[inside][:, :2])


def test_a_path_in_space_lies_on_the_slice():
    """Whatever the run's own error was: it hung in the air above other weights."""
    run = fastgd.train(X, Y, hidden_size=2, iterations=60, record_every=1, record_weights=True)
    plane = fastgd.surface(X, Y, run, span=((-1, 2), (-2, 1)), resolution=4)
    line = plots.surface(plane, kind="3d", paths=run).lines[0]
    for x, y, height in np.column_stack(line.get_data_3d()):
        column, row = int(x + 1), int(y + 2)
        across, up = x + 1 - column, y + 2 - row
        cell = plane.errors[row : row + 2, column : column + 2]
        expected = [1 - up, up] @ cell @ [1 - across, across]
        np.testing.assert_allclose(height, expected, rtol=1e-12)
    assert np.abs(line.get_data_3d()[2] - plane.path(run)[:, 2]).max() > 0.01


def test_a_path_that_is_never_over_its_plane(run):
    away = fastgd.surface(X, Y, run, span=(8, 9), resolution=41)
    assert len(plots.surface(away, kind="3d", paths=run).lines[0].get_data_3d()[0]) == 0


# The axes, the file, and what is refused


@pytest.mark.parametrize("kind", ["contour", "3d"])
def test_it_draws_where_it_is_told(plane, kind):
    options = {"subplot_kw": {"projection": "3d"}} if kind == "3d" else {}
    figure, (left, right) = plt.subplots(1, 2, **options)
    assert plots.surface(plane, ax=right, kind=kind) is right
    assert not left.has_data()
    assert right.has_data()
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize(
    ("kind", "ending"),
    some(product(["contour", "3d"], ["png", "svg", "pdf"]), [False] * 3 + [True, False, False]),
)
def test_its_file_is_not_blank(plane, run, tmp_path, kind, ending):
    path = tmp_path / f"plane.{ending}"
    plots.write(plots.surface(plane, kind=kind, paths=run).figure, path)
    content = path.read_bytes()
    assert content.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending])
    if ending == "png":
        pixels = plt.imread(path)[..., :3]
        assert pixels.shape[1] >= 800
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"kind": "4d"}, ValueError, "kind must be 'contour' or '3d', got '4d'"),
        ({"paths": 3}, TypeError, "paths must be a Run or a dict of names and Runs, got 3"),
        ({"paths": {"a": 1}}, TypeError, "paths must be a Run or a dict of names and Runs, got {"),
    ],
)
def test_bad_input_is_refused(plane, given, error, message):
    with pytest.raises(error, match=re.escape(message)):
        plots.surface(plane, **given)
    assert plt.get_fignums() == []


def test_flat_axes_are_not_for_space(plane):
    with pytest.raises(ValueError, match=r"ax must have projection='3d' for kind='3d', got flat"):
        plots.surface(plane, ax=plt.subplots()[1], kind="3d")


def test_a_run_without_recorded_weights_has_no_path(plane):
    run = fastgd.train(X, Y, hidden_size=(), iterations=60)
    with pytest.raises(ValueError, match="a path needs a run trained with record_weights=True"):
        plots.surface(plane, paths=run)
    assert plt.get_fignums() == []


# The race


@pytest.mark.slow
def test_who_diverges_leaves_the_race_at_the_top():
    random = np.random.default_rng(0)
    X = random.normal(size=(50, 3))
    network = {"hidden_size": 2, "output": "identity", "activation": "tanh"}
    entries = {"stays": (GradientDescent(), 0.001), "away": (GradientDescent(), 0.3)}
    race = fastgd.race(X, X @ [1, 2, 3], entries, iterations=300, **network)
    away = race.runs["away"]
    assert np.nanmax(away.errors) > 1e100
    curves, _ = plots.race(race, race.surface(resolution=5))
    assert curves.get_ylim()[1] == pytest.approx(100 * away.errors[0])
    assert curves.get_yscale() == "log"


def test_a_race_s_curves_are_its_errors(race):
    curves, _ = plots.race(race, race.surface(resolution=41))
    assert curves.get_yscale() == "log"
    lines = named_lines(curves)
    ranked = race.ranking()
    assert list(lines) == [f"{name}, alpha {race.runs[name].alpha:g}" for name in ranked]
    for name, line in zip(ranked, lines.values(), strict=True):
        run = race.runs[name]
        np.testing.assert_array_equal(line.get_xdata(), [*run.recorded, 60])
        np.testing.assert_array_equal(line.get_ydata(), [*run.errors, run.final_error])
    assert curves.get_title(loc="left") == "2 optimizers, the same initial weights"
    assert (curves.get_xlabel(), curves.get_ylabel()) == ("iteration", ERROR)


def test_a_race_s_paths_have_the_colors_of_the_curves(race):
    surface = race.surface(resolution=41)
    curves, plane = plots.race(race, surface)
    np.testing.assert_array_equal(plane.images[0].get_array(), surface.errors)
    paths = named_lines(plane)
    assert list(paths) == race.ranking()
    for curve, (name, path) in zip(curves.lines, paths.items(), strict=True):
        assert curve.get_color() == path.get_color()
        np.testing.assert_array_equal(path.get_xydata(), surface.path(race.runs[name])[:, :2])
    assert plane.get_legend() is None
    plane.figure.canvas.draw()
    assert plane.get_tightbbox().x1 <= plane.figure.bbox.x1  # its title is not cut


def test_a_race_on_a_slice_says_what_its_colors_are_not():
    """A path may end on the brightest color while its error is small."""
    # As wide a legend as there is by default, without the kernel of that optimizer.
    entrants = {"GradientDescent": (GradientDescent(), 1), "LevenbergMarquardt": (Momentum(), 1)}
    sliced = fastgd.race(X, Y, entrants, hidden_size=2, iterations=60)
    _, plane = plots.race(sliced, sliced.surface(resolution=41))
    (text,) = plane.texts
    assert text.get_text().endswith("error is in the curves, not the color below its path.")
    plane.figure.canvas.draw()
    legend = plane.figure.axes[0].get_legend().get_window_extent()
    assert text.get_window_extent().x0 > legend.x1
    assert plane.get_tightbbox().x1 <= plane.figure.bbox.x1


def test_a_race_over_all_its_weights_needs_no_such_words(race):
    _, plane = plots.race(race, race.surface(resolution=41))
    assert not plane.texts


def test_a_race_of_one_has_one_color():
    race = fastgd.race(X, Y, [GradientDescent()], hidden_size=(), iterations=60)
    curves, plane = plots.race(race, race.surface(resolution=41))
    assert curves.lines[0].get_color() == plane.lines[0].get_color()


def test_a_race_draws_where_it_is_told(race):
    figure, pair = plt.subplots(2)
    assert plots.race(race, race.surface(resolution=41), ax=tuple(pair)) == tuple(pair)
    assert plt.get_fignums() == [figure.number]


def test_a_race_needs_a_plane_of_its_network(race, xor):
    other = fastgd.surface(*xor, [np.ones((3, 1))], resolution=41)
    with pytest.raises(ValueError, match="a path's run must have layers of shapes"):
        plots.race(race, other)
    assert plt.get_fignums() == []
