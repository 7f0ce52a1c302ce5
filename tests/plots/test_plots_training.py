"""Pictures of what a training did: what is drawn is compared with the numbers."""

from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from fastgd.plots.networks import DASHES

import fastgd
from cases import XOR_X, XOR_Y
from fastgd import plots
from fastgd.plots.lines import MOST
from fastgd.plots.style import COLORS
from fastgd.training import statistics

mpl.use("Agg")

ALPHAS = [0.1, 10.0, 1.0]
SETTINGS = {"iterations": 60, "record_every": 20}


@pytest.fixture(autouse=True)
def closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def problem():
    return XOR_X, XOR_Y


@pytest.fixture(scope="module")
def run(problem):
    return fastgd.train(*problem, alpha=10, record_weights=True, **SETTINGS)


@pytest.fixture(scope="module")
def sweep(problem):
    return fastgd.sweep(*problem, alpha=ALPHAS, seed=range(5), **SETTINGS)


@pytest.fixture(scope="module")
def sizes(problem):
    settings = {"hidden_size": [(), 4, (4, 2)], "alpha": [1.0, 10.0], "seed": range(6)}
    return fastgd.sweep(*problem, **settings, iterations=400)


def drawn(axes):
    """The figure's pixels; as much ink as any plot has."""
    figure = np.ravel(axes)[0].figure
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    assert (pixels != 255).any(axis=-1).mean() > 0.005
    return pixels


def band(collection):
    """The lower and upper edge of a filled band, by x."""
    corners = collection.get_paths()[0].vertices[:-1]
    xs = np.unique(corners[:, 0])
    edges = [corners[corners[:, 0] == x, 1] for x in xs]
    return np.array([[edge.min(), edge.max()] for edge in edges]).T


# errors


def test_errors_of_a_run(run):
    ax = plots.errors(run)
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [0, 20, 40, 60]
    assert line.get_ydata().tolist() == [*run.errors, run.final_error]
    assert ax.get_title("left") == "3-4-1 network, alpha 10, seed 1"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("iteration", "mean absolute error")
    drawn(ax)


def test_errors_of_a_sweep_are_a_line_per_setting_with_a_band(sweep):
    ax = plots.errors(sweep)
    assert [line.get_label() for line in ax.lines] == ["alpha 0.1", "alpha 10", "alpha 1"]
    assert [text.get_text() for text in ax.get_legend().get_texts()][1] == "alpha 10"
    values = statistics.error_curves(sweep)[1]
    for line, filled, rows in zip(ax.lines, ax.collections, values, strict=True):
        assert (line.get_ydata() == np.median(rows, axis=0)).all()
        assert band(filled) == pytest.approx(np.quantile(rows, [0.25, 0.75], axis=0))
    assert ax.get_title("left") == "3-4-1 networks, median and quartiles of 5 seeds"
    drawn(ax)


def test_errors_of_one_seed_have_no_band(problem):
    sweep = fastgd.sweep(*problem, alpha=ALPHAS, seed=7, l2=0.01, **SETTINGS)
    ax = plots.errors(sweep)
    assert not ax.collections
    assert ax.get_title("left") == "3-4-1 networks, l2 0.01, seed 7"


def test_the_scale_is_logarithmic_where_it_helps(problem, sweep):
    assert plots.errors(sweep).get_yscale() == "linear"
    longer = fastgd.sweep(*problem, alpha=10, seed=range(5), iterations=2000)
    assert plots.errors(longer).get_yscale() == "log"


def test_settings_that_differ_by_one_number_have_colors_in_its_order(problem):
    ax = plots.errors(fastgd.sweep(*problem, alpha=[0.1, 10.0, 1.0], iterations=1))
    greens = [line.get_color()[1] for line in ax.lines]
    assert greens[0] < greens[2] < greens[1]  # the scale's way from dark to bright
    sweep = fastgd.sweep(*problem, alpha=[1.0, 2.0], hidden_size=[2, 3], iterations=1)
    assert [line.get_color() for line in plots.errors(sweep).lines] == list(COLORS[:4])
    sweep = fastgd.sweep(*problem, bias=[True, False], iterations=1)
    assert [line.get_color() for line in plots.errors(sweep).lines] == list(COLORS[:2])


def test_lines_below_others_are_wider(sweep):
    widths = [line.get_linewidth() for line in plots.errors(sweep).lines]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


def test_points_are_marked_where_they_are_few(problem):
    few = plots.errors(fastgd.train(*problem, iterations=1000)).lines[0]
    assert (few.get_marker(), len(few.get_xdata())) == ("o", 2)
    many = plots.errors(fastgd.train(*problem, iterations=1000, record_every=50)).lines[0]
    assert (many.get_marker(), len(many.get_xdata())) == ("None", 21)


def test_what_diverges_leaves_the_plot_at_its_top():
    random = np.random.default_rng(0)
    X = random.normal(size=(50, 3))
    settings = {"output": "identity", "activation": "identity", "record_every": 1}
    sweep = fastgd.sweep(X, X @ [1, 2, 3], alpha=[0.001, 0.1], iterations=300, **settings)
    assert np.nanmax(sweep.errors) > 1e100
    bottom, top = plots.errors(sweep).get_ylim()
    assert top == pytest.approx(100 * sweep.errors[:, 0].max())
    assert 0 < bottom < sweep.final_error[0]
    # Both may be infinite in the end, and neither is a number.
    far = replace(sweep, final_error=np.array([sweep.final_error[0], np.inf]))
    assert plots.errors(far).lines[1].get_label() == "alpha 0.1: diverged"


# held-out errors


def held(result, *, best, restored=False):
    """The result, had some samples been held out."""
    options = {}
    if isinstance(result, fastgd.Run) and restored:
        options = {"options": {"restore_best": True}}
    return replace(
        result,
        validation_errors=2 * result.errors,
        final_validation_error=3 * result.final_error,
        best_iteration=best,
        **options,
    )


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_held_out_errors_of_a_run_are_dashed(run):
    ax = plots.errors(held(run, best=37))
    training, away, best = ax.lines
    assert training.get_ydata().tolist() == [*run.errors, run.final_error]
    assert away.get_ydata().tolist() == [*(2 * run.errors), 3 * run.final_error]
    assert (training.get_linestyle(), away.get_linestyle()) == ("-", "--")
    assert training.get_color() == away.get_color() == best.get_color()
    assert (best.get_xdata(), best.get_marker()) == ([37], "^")
    assert texts(ax) == ["training", "validation (dashed)", "smallest validation error"]
    assert ax.get_ylim()[1] > 3 * run.final_error
    drawn(ax)


def test_a_best_iteration_without_held_out_samples(run):
    ax = plots.errors(replace(run, best_iteration=50))
    assert ax.lines[1].get_xdata() == [50]
    assert texts(ax) == ["smallest error"]


def test_held_out_errors_of_a_sweep_are_dashed(sweep):
    best = np.arange(15).reshape(3, 5)
    ax = plots.errors(held(sweep, best=best))
    training, away, marks = ax.lines[:3], ax.lines[3:6], ax.lines[6:]
    assert [line.get_linestyle() for line in away] == ["--"] * 3
    colors = [line.get_color() for line in training]
    assert [line.get_color() for line in away] == colors
    assert [line.get_color() for line in marks] == colors
    assert [line.get_xdata()[0] for line in marks] == [2, 7, 12]  # medians
    for line, rows in zip(away, 2 * sweep.errors, strict=True):
        assert (line.get_ydata()[:3] == np.median(rows, axis=0)[:3]).all()
    assert texts(ax)[3:] == ["validation (dashed)", "smallest validation error"]
    assert len(ax.collections) == 3  # bands of the training errors only
    drawn(ax)


def test_a_restored_network_stands_where_its_errors_are_from(run):
    restored = held(run, best=30, restored=True)
    training, away, _ = plots.errors(restored).lines
    assert training.get_xdata().tolist() == away.get_xdata().tolist() == [0, 20, 30, 40]
    assert training.get_ydata()[2] == run.final_error
    assert away.get_ydata()[2] == 3 * run.final_error
    line = plots.weight_paths(restored)[0].lines[0]
    assert line.get_xdata().tolist() == [0, 20, 30, 40]
    assert line.get_ydata()[2] == run.weights[0][0, 0]
    recorded = plots.errors(held(run, best=40, restored=True)).lines[0]
    assert recorded.get_xdata().tolist() == [0, 20, 40]


def test_more_lines_than_colors_have_other_dashes_held_out(problem):
    sweep = fastgd.sweep(*problem, alpha=[1.0, 2.0], hidden_size=[2, 3, 4, 5], iterations=1)
    ax = plots.errors(held(sweep, best=None))
    styles = [(line.get_color(), line.get_linestyle()) for line in ax.lines]
    assert len(set(styles)) == len(styles) == 16
    assert texts(ax)[-1] == "validation (dashed or dotted)"


def test_folds_are_repetitions(sweep):
    """The sweep of alphas and seeds, had its alphas been folds."""
    folds = replace(sweep, axes={"fold": sweep.axes["alpha"], "seed": sweep.axes["seed"]})
    ax = plots.errors(held(folds, best=None))
    training, _ = ax.lines
    assert (training.get_ydata()[:3] == np.median(sweep.errors, axis=(0, 1))).all()
    assert ax.get_title("left").endswith("median and quartiles of 3 folds x 5 seeds")


def test_groups_have_a_line_each(sweep):
    groups = replace(sweep, axes={"group": ["a", True, 3.5], "seed": sweep.axes["seed"]})
    labels = [line.get_label() for line in plots.errors(groups).lines]
    assert labels == ["group a", "group True", "group 3.5"]


def test_a_group_that_was_taken_out_is_told(sweep):
    """The sweep of alphas and seeds, had its alphas been groups."""
    axes = {"group": ["a", "b", "c"], "seed": sweep.axes["seed"]}
    one = replace(sweep, axes=axes).sel(group="b")
    assert plots.errors(one).get_title("left").startswith("3-4-1 networks, group b, alpha 0.1, ")


def test_weighted_samples_are_told(problem):
    run = fastgd.train(*problem, sample_weight=[1, 2, 3, 4], iterations=1)
    assert plots.errors(run).get_title("left").endswith("seed 1, own sample weights")


def test_takeaways_have_held_out_errors(sweep):
    error, changes = plots.takeaways(held(sweep, best=None))
    training, away = error.lines
    assert (away.get_ydata() == np.median(3 * sweep.final_error, axis=1)[[0, 2, 1]]).all()
    assert (training.get_linestyle(), away.get_linestyle()) == ("-", "--")
    assert training.get_color() == away.get_color()
    assert texts(error) == ["validation (dashed)"]
    assert len(changes.lines) == 1


def lost(sweep, alphas):
    """The sweep, had its first runs with these alphas diverged at iteration 30."""
    final, errors, iterations = (
        array.copy() for array in (sweep.final_error, sweep.errors, sweep.iterations)
    )
    for alpha, runs in alphas.items():
        final[alpha, :runs] = errors[alpha, :runs, 2:] = np.nan
        iterations[alpha, :runs] = 30
    return replace(sweep, final_error=final, errors=errors, iterations=iterations)


def test_a_label_says_how_many_runs_diverged(sweep):
    diverged = lost(sweep, {0: 2, 1: 5})
    ax = plots.errors(diverged)
    labels = ["alpha 0.1: 2 of 5 diverged", "alpha 10: 5 of 5 diverged", "alpha 1"]
    assert [line.get_label() for line in ax.lines] == labels
    some, none = ax.lines[:2]
    assert some.get_ydata()[-1] == np.median(sweep.final_error[0, 2:])
    assert np.isfinite(none.get_ydata()).tolist() == [True, True, False, False]
    drawn(ax)


def test_a_sweep_of_one_run_has_a_label_only_if_it_diverged(problem):
    sweep = fastgd.sweep(*problem, alpha=[1.0], seed=[3], **SETTINGS)
    assert plots.errors(sweep).get_legend() is None
    legend = plots.errors(lost(sweep, {0: 1})).get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["diverged"]


def test_takeaways_leave_out_what_diverged(sweep):
    error, changes = plots.takeaways(lost(sweep, {0: 2, 1: 5}))
    crosses = error.lines[1]
    assert (crosses.get_xdata().tolist(), crosses.get_marker()) == ([0.1, 10.0], "x")
    assert texts(error) == ["diverged"]
    for ax, values in ((error, sweep.final_error), (changes, sweep.total_changes)):
        line = ax.lines[0]
        expected = [np.median(values[0, 2:]), np.median(values[2]), np.nan]
        assert np.array_equal(line.get_ydata(), expected, equal_nan=True)


def test_more_lines_than_can_be_told_apart_are_refused(problem):
    rates = list(np.linspace(0.1, 1, MOST + 1))
    sweep = fastgd.sweep(*problem, alpha=rates, iterations=1)
    message = r"^the sweep has 15 settings, and at most 14 lines can be told apart$"
    with pytest.raises(ValueError, match=message):
        plots.errors(sweep)
    ax = plots.errors(fastgd.sweep(*problem, alpha=rates[:MOST], iterations=1))
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(looks) == MOST


# direction_changes


def test_direction_changes_are_a_map_per_layer(run):
    axes = plots.direction_changes(run)
    assert axes.shape == (2,)
    first, second = (ax.images[0] for ax in axes)
    assert (first.get_array() == run.direction_changes[0]).all()
    assert (second.get_array() == run.direction_changes[1].T).all()
    top = max(layer.max() for layer in run.direction_changes)
    assert first.get_clim() == second.get_clim() == (0, top)
    written = [text.get_text() for text in axes[0].texts]
    assert written == [str(count) for count in run.direction_changes[0].ravel()]
    assert axes[0].get_title("left").startswith("3-4-1 network, alpha 10, seed 1")
    assert axes[1].get_title("left") == "weights[1] (4 x 1), transposed"
    assert [label.get_text() for label in axes[1].get_yticklabels()] == ["output 1"]
    assert axes[1].get_xlabel() == "unit of layer 1"
    drawn(axes)


def test_biases_have_a_row_of_their_own(problem):
    run = fastgd.train(*problem, hidden_size=(4, 2), alpha=10, bias=True, **SETTINGS)
    first, second, third = (ax.images[0].get_array() for ax in plots.direction_changes(run))
    assert (first[:3] == run.direction_changes[0]).all()
    assert (first[3] == run.bias_direction_changes[0]).all()
    assert (second[:, :4] == run.direction_changes[1].T).all()
    assert (second[:, 4] == run.bias_direction_changes[1]).all()
    assert third.shape == (1, 3)
    axes = plots.direction_changes(run)
    assert axes[0].get_yticklabels()[-1].get_text() == "bias"
    assert axes[1].get_xticklabels()[-1].get_text() == "bias"
    assert axes[1].get_yticklabels()[0].get_text() == "unit 1 of layer 2"


def of_sizes(run, *sizes):
    """The run, had its network these sizes: its numbers are made up."""
    random = np.random.default_rng(1)
    shapes = list(pairwise(sizes))
    return replace(
        run,
        weights=tuple(random.random(shape) for shape in shapes),
        recorded_weights=tuple(random.random((len(run.recorded), *shape)) for shape in shapes),
        direction_changes=tuple(random.integers(0, 99, shape) for shape in shapes),
    )


def test_large_layers_have_no_numbers(run):
    wide = of_sizes(run, 3, 40, 1)
    axes = plots.direction_changes(wide)
    assert (axes[0].images[0].get_array() == wide.direction_changes[0]).all()
    assert not axes[0].texts
    assert [label.get_text() for label in axes[0].get_xticklabels()][:3] == ["1", "4", "7"]
    drawn(axes)


def test_tall_layers_name_their_rows_together(run):
    axes = plots.direction_changes(of_sizes(run, 20, 20, 17))
    assert [ax.get_ylabel() for ax in axes] == ["input", "output"]
    labels = [label.get_text() for label in axes[0].get_yticklabels()]
    assert labels == [str(i) for i in range(1, 21, 2)], "from 1, as the columns"


def test_a_run_without_changes_can_be_drawn(problem):
    run = fastgd.train(*problem, iterations=1)
    assert plots.direction_changes(run)[0].images[0].get_clim() == (0, 1)


# takeaways


def test_takeaways_share_their_alphas(sweep):
    error, changes = axes = plots.takeaways(sweep)
    order = [0, 2, 1]  # a line goes from the smallest alpha to the largest
    for ax, values in ((error, sweep.final_error), (changes, sweep.total_changes)):
        (line,) = ax.lines
        assert line.get_xdata().tolist() == [0.1, 1, 10]
        assert (line.get_ydata() == np.median(values, axis=1)[order]).all()
        expected = np.quantile(values, [0.25, 0.75], axis=1)[:, order]
        assert band(ax.collections[0]) == pytest.approx(expected)
        assert ax.get_xscale() == "log"
    error.set_xlim(0.5, 2)
    assert changes.get_xlim() == (0.5, 2)
    low, high = changes.get_ylim()
    assert low <= sweep.total_changes.min()
    assert high > sweep.total_changes.max()
    drawn(axes)


def test_takeaways_have_a_line_per_setting(sizes):
    error, _ = plots.takeaways(sizes)
    assert [line.get_label() for line in error.lines] == ["hidden none", "hidden 4", "hidden 4x2"]
    assert error.get_title("left").startswith("Networks with 3 inputs and 1 output, median")
    assert error.get_legend()


@pytest.mark.parametrize("alpha", [2.0, [2.0], [(2.0, 0.1), (1.0, 0.1)]])
def test_takeaways_need_several_alphas(problem, alpha):
    sweep = fastgd.sweep(*problem, alpha=alpha, seed=[1, 2], iterations=1)
    with pytest.raises(ValueError, match=r"^takeaways needs a sweep over several alphas, got .*2"):
        plots.takeaways(sweep)


# weight_paths


def test_weight_paths_are_those_of_the_run(run):
    axes = plots.weight_paths(run)
    first, second = axes
    assert len(first.lines) == 12
    assert len(second.lines) == 4
    for unit in range(4):
        for i in range(3):
            line = first.lines[3 * unit + i]
            path = [*run.recorded_weights[0][:, i, unit], run.weights[0][i, unit]]
            assert line.get_xdata().tolist() == [0, 20, 40, 60]
            assert line.get_ydata().tolist() == path
            assert line.get_color() == COLORS[unit]
            assert line.get_linestyle() == DASHES[i]
        line = second.lines[unit]
        path = [*run.recorded_weights[1][:, unit, 0], run.weights[1][unit, 0]]
        assert line.get_ydata().tolist() == path
        assert line.get_color() == COLORS[unit]
    units = [f"unit {i} of layer 1" for i in range(1, 5)]
    texts = [text.get_text() for text in first.get_legend().get_texts()]
    assert texts == [*units, "input 1", "input 2", "input 3"]
    assert second.get_legend() is None
    assert [ax.get_ylabel() for ax in axes] == ["weights[0]", "weights[1]"]
    drawn(axes)


def test_weights_of_many_units_are_colored_in_their_order(run):
    first, second = plots.weight_paths(of_sizes(run, 3, 40, 1))
    assert len({line.get_color() for line in first.lines}) == 40
    assert [line.get_color() for line in first.lines[::3]] == [
        line.get_color() for line in second.lines
    ]
    texts = [text.get_text() for text in first.get_legend().get_texts()]
    assert texts == ["input 1", "input 2", "input 3"]
    bars = first.figure.axes[2:]
    assert [bar.get_ylabel() for bar in bars] == ["unit of layer 1"] * 2
    assert bars[0].get_ylim() == (0.5, 40.5)


def test_no_unit_hides_all_others(run):
    """64 x 30 weights were a block in the color of the last unit."""
    first, _ = plots.weight_paths(of_sizes(run, 3, 40, 1))
    early, late = first.lines[2], first.lines[-3]  # the last input's of the first unit, and so on
    assert early.get_zorder() > late.get_zorder()


def test_several_outputs_are_told_apart_by_their_dashes(run):
    _, second = plots.weight_paths(of_sizes(run, 7, 4, 2))
    assert [line.get_linestyle() for line in second.lines] == ["-", "--"] * 4
    assert [text.get_text() for text in second.get_legend().get_texts()] == ["output 1", "output 2"]


def test_weights_without_a_hidden_layer_are_colored_by_input(problem):
    run = fastgd.train(*problem, hidden_size=(), record_weights=True, **SETTINGS)
    (ax,) = plots.weight_paths(run)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "input 1",
        "input 2",
        "input 3",
    ]


def test_paths_end_where_the_run_ended(problem):
    run = fastgd.train(
        *problem, alpha=10, tolerance=0.4, iterations=900, record_every=9, record_weights=True
    )
    line = plots.weight_paths(run)[0].lines[0]
    assert line.get_xdata()[-1] == run.iterations < 100
    assert np.isfinite(line.get_ydata()).all()


def test_weight_paths_need_recorded_weights(problem):
    run = fastgd.train(*problem, iterations=1)
    message = "^weight_paths needs a run with recorded weights: record_weights=True$"
    with pytest.raises(ValueError, match=message):
        plots.weight_paths(run)


# solved


def test_solved_is_the_share_of_seeds_with_its_interval(sizes):
    ax = plots.solved(sizes, threshold=0.2)
    for alpha, container in enumerate(ax.containers):
        line, _, (bars,) = container.lines
        share = statistics.solved(sizes.final_error[:, alpha], 0.2)
        assert (line.get_ydata() == share.share).all()
        assert line.get_xdata() == pytest.approx(np.arange(3), abs=0.1)
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        assert ends == pytest.approx(np.array([share.low, share.high]).T)
    assert len(ax.containers) == 2
    assert 0 < statistics.solved(sizes.final_error[1], 0.2).share.max() <= 1
    assert [label.get_text() for label in ax.get_xticklabels()] == ["none", "4", "4x2"]
    assert "below 0.2" in ax.get_ylabel()
    title = ax.get_title("left")
    assert title == "Networks with 3 inputs and 1 output, 6 seeds each, 95 % intervals"
    drawn(ax)


def test_solved_needs_several_hidden_sizes(sweep):
    message = "^solved needs a sweep over several hidden sizes, got one hidden size$"
    with pytest.raises(ValueError, match=message):
        plots.solved(sweep)


# all of them


@pytest.mark.parametrize(
    ("draw", "rule"),
    [
        (plots.errors, "result must be a Run or a Sweep"),
        (plots.direction_changes, "run must be a Run"),
        (plots.takeaways, "sweep must be a Sweep"),
        (plots.weight_paths, "run must be a Run"),
        (plots.solved, "sweep must be a Sweep"),
    ],
)
def test_anything_else_is_refused(draw, rule):
    message = rf"^{rule}, got \[1, 2\]$"
    with pytest.raises(TypeError, match=message):
        draw([1, 2])


def test_axes_may_be_given(run, sweep, sizes):
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(4, 2)
    assert plots.errors(run, ax=axes[0, 0]) is axes[0, 0]
    assert plots.solved(sizes, ax=axes[0, 1]) is axes[0, 1]
    assert (plots.direction_changes(run, ax=axes[1]) == axes[1]).all()
    assert (plots.weight_paths(run, ax=tuple(axes[2])) == axes[2]).all()
    assert (plots.takeaways(sweep, ax=axes[3]) == axes[3]).all()
    assert len(plt.get_fignums()) == 1
    with pytest.raises(ValueError, match=r"^ax must be 2 axes, got 3$"):
        plots.direction_changes(run, ax=axes.ravel()[:3])


def test_without_matplotlib_it_says_what_to_install(run, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "fastgd\[plot\]"$'):
        plots.errors(run)
