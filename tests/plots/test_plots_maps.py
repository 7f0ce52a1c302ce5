import re
from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import fastgd
from fastgd import plots
from fastgd.plots.maps import ends_text
from fastgd.studies.mean_field import Settings
from fastgd.studies.trainability_map import Trainability

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


def test_labels_of_a_map_against_initial_weights(found):
    def labels(**given):
        ax = plots.trainability(replace(found, settings=found.settings._replace(**given)))
        return ax.get_xlabel(), ax.get_ylabel(), ax.get_title(loc="left").splitlines()[1]

    across, up, title = labels(against="mean", samples=1, batch_size=None)
    assert across == "learning rate of both layers, $\\log_{10}$"
    assert up == "mean of the input layer's initial weights"
    assert title.startswith("16-16-1, relu, 1 sample, full batch, seed 7: ")
    _, up, _ = labels(against="spread")
    assert up == "standard deviation of the input layer's initial weights, $\\log_{10}$"


def test_a_film_has_a_frame_for_each_map(found, tmp_path):
    windows = [((1.0, 1 + 2 / 4**k), (-2.0, -2 + 2 / 4**k)) for k in range(7)]
    maps = [
        replace(found, settings=found.settings._replace(window=window), values=found.values * 3**k)
        for k, window in enumerate(windows)
    ]
    ax = plots.zoom_film(maps, tmp_path / "zoom.gif")
    assert ax.get_title(loc="left") == "magnified 4,096 times"
    assert ax.get_xlabel().endswith("\n1.000000 to 1.000488")
    # The colors of a frame are by rank among those of its neighbors, too.
    for image, inside in zip(ax.images, (found.converged, ~found.converged), strict=True):
        among = np.abs(found.values[inside])
        among = np.sort(np.concatenate([among * 3**k for k in (4, 5, 6)]))
        rank = np.asarray(image.norm(np.abs(maps[-1].values[inside])))
        expected = np.searchsorted(among, np.abs(maps[-1].values[inside]), side="right")
        np.testing.assert_allclose(rank, expected / len(among), atol=0.02)
    with Image.open(tmp_path / "zoom.gif") as film:
        assert film.n_frames == 7
        assert film.size == (256 + 88, 256 + 88)
        first = np.asarray(film.convert("RGB"))[44:300, 44:300]
        film.seek(6)
        last = np.asarray(film.convert("RGB"))[44:300, 44:300]
    for pixels in (first, last):  # blue below, in squares of 8 x 8 dots
        assert (pixels[-40:, :, 2] > pixels[-40:, :, 0]).mean() > 0.95
        assert (np.ptp(pixels[1:7, 1:7].astype(int), axis=(0, 1)) == 0).all()
    assert plt.get_fignums() == []


def test_ends_of_deep_frames_can_be_told_apart():
    assert ends_text(-1, 3) == "-1.000000 to 3.000000"
    assert ends_text(1.25, 1.25 + 1e-9) == "1.25000000000 to 1.25000000100"


def test_a_film_is_drawn_on_a_subfigure(found, tmp_path):
    figure = plt.figure(figsize=(3, 2))
    ax = figure.subfigures(1, 2)[1].subplots()
    assert plots.zoom_film([found], tmp_path / "zoom.gif", ax=ax) is ax
    with Image.open(tmp_path / "zoom.gif") as film:
        assert film.size == tuple(int(side) for side in figure.bbox.size)


def test_a_film_that_cannot_be_written_is_not_drawn(found, tmp_path, monkeypatch):
    monkeypatch.setattr("fastgd.plots.maps.draw_map", lambda *_: pytest.fail("drawn"))
    with pytest.raises(OSError, match=r"nowhere.*zoom\.gif"):
        plots.zoom_film([found], tmp_path / "nowhere" / "zoom.gif")
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ([], ValueError, "found must have at least one map, got none"),
        ([3], TypeError, "found[0] must be a Trainability, got 3"),
        (3, TypeError, "found must be a sequence of maps, got 3"),
    ],
)
def test_a_film_needs_maps(tmp_path, given, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        plots.zoom_film(given, tmp_path / "zoom.gif")
    assert list(tmp_path.iterdir()) == []


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
