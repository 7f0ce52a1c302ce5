import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import fastgd
from fastgd import plots
from fastgd.studies.trainability.map import Trainability
from fastgd.studies.trainability.map_job import Settings

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def found():
    """A map whose trainings took the longer, the nearer they are to the edge (row 12)."""
    rows = np.arange(32)[:, None] + np.linspace(0, 0.5, 32)
    values = np.where(rows < 12, -np.exp(rows), np.exp((32 - rows) / 4))
    settings = Settings(32, 500, 16, ((1.0, 3.0), (-2.0, 0.5)), "relu", 8, 7)
    return Trainability(settings, np.arange(32.0), np.arange(32.0), values)


def shades(image):
    """The colors of an image's pixels, (rows, columns, 4); those it leaves out are clear."""
    return image.to_rgba(image.get_array())


def test_map_shows_the_numbers(found):
    ax = plots.trainability(found)
    converged, diverged = ax.images
    for image, inside in ((converged, found.converged), (diverged, ~found.converged)):
        shown = image.get_array()
        np.testing.assert_array_equal(~np.ma.getmaskarray(shown), inside)
        np.testing.assert_array_equal(shown.compressed(), np.abs(found.values[inside]))
        assert image.get_extent() == [1.0, 3.0, -2.0, 0.5]
        assert image.origin == "lower"
        np.testing.assert_array_equal(shades(image)[~inside][:, 3], 0)
    assert (ax.get_xlim(), ax.get_ylim()) == ((1.0, 3.0), (-2.0, 0.5))


def test_colors_tell_outcomes_and_go_by_rank(found):
    converged, diverged = plots.trainability(found).images
    for image, inside, lighter in (
        (converged, found.converged, True),
        (diverged, ~found.converged, False),
    ):
        colors = shades(image)[inside]
        blue = colors[:, 2] > colors[:, 0]
        assert (blue == (image is converged)).all()
        # Slower is lighter or darker all the way, with as many pixels to each shade.
        light = colors[:, :3] @ (0.2126, 0.7152, 0.0722)
        order = np.argsort(np.abs(found.values[inside]))
        steps = np.diff(light[order])
        assert (steps >= -1e-9).all() if lighter else (steps <= 1e-9).all()
        ranks = np.asarray(image.norm(image.get_array()).compressed())
        np.testing.assert_allclose(np.sort(ranks), np.linspace(0, 1, len(ranks)), atol=0.01)


def test_labels_say_what_was_run(found):
    ax = plots.trainability(found)
    title = ax.get_title(loc="left")
    assert "32 x 32 trainings, 500 iterations each" in title
    assert f"16-16-1, relu, batches of 8, seed 7: {found.converged.mean():.1%} converged" in title
    assert "input layer" in ax.get_xlabel()
    assert "output layer" in ax.get_ylabel()
    bars = [image.colorbar for image in ax.images]
    assert [bar.ax.get_ylabel().split(":")[0] for bar in bars] == ["converged", "diverged"]
    for bar, image in zip(bars, ax.images, strict=True):
        quartiles = np.quantile(image.get_array().compressed(), [0, 0.25, 0.5, 0.75, 1])
        np.testing.assert_allclose(bar.get_ticks(), quartiles)
        texts = [text.get_text() for text in bar.ax.get_yticklabels()]
        assert texts == [f"{value:.3g}" for value in quartiles]


@pytest.mark.parametrize(("value", "name"), [(-3.0, "converged"), (2.0, "diverged")])
def test_one_outcome_is_one_image(found, tmp_path, value, name):
    same = Trainability(
        *(found.settings, found.input_rates, found.output_rates, 0 * found.values + value)
    )
    ax = plots.trainability(same)
    (image,) = ax.images
    assert image.colorbar.ax.get_ylabel().startswith(name)
    plots.write(ax.figure, tmp_path / "same.png")


def test_given_axes_are_drawn_on(found):
    figure, (left, right) = plt.subplots(1, 2)
    assert plots.trainability(found, ax=left) is left
    boxes = found.box_counting()
    assert plots.box_counts(boxes, ax=right) is right
    assert plt.get_fignums() == [figure.number]


def test_box_counts_show_the_numbers():
    boxes = fastgd.box_counting(np.random.RandomState(2).random_sample((64, 64)) < 0.05)
    ax = plots.box_counts(boxes)
    counts, fit = ax.lines
    np.testing.assert_array_equal(counts.get_xdata(), boxes.sizes)
    np.testing.assert_array_equal(counts.get_ydata(), boxes.counts)
    x, y = np.log2(fit.get_xdata()), np.log2(fit.get_ydata())
    np.testing.assert_allclose(np.diff(y) / np.diff(x), -boxes.dimension)
    np.testing.assert_allclose(y[0], boxes.intercept)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert f"{boxes.dimension:.3f} ({boxes.low:.2f} to {boxes.high:.2f})" in fit.get_label()
    assert f"{boxes.r_squared:.4f}" in ax.get_title(loc="left")


def test_the_plot_has_the_map_in_it(found, tmp_path):
    path = tmp_path / "edge.png"
    ax = plots.trainability(found)
    plots.write(ax.figure, path)
    pixels = plt.imread(path)
    height, width = pixels.shape[:2]
    for row, image in ((2, ax.images[0]), (30, ax.images[1])):
        place = ax.transData.transform((2.0, -2.0 + 2.5 * (row + 0.5) / 32))
        x, y = place / ax.figure.get_size_inches() / ax.figure.dpi
        color = pixels[int((1 - y) * height), int(x * width), :3]
        np.testing.assert_allclose(color, shades(image)[row, 15, :3], atol=0.06)
