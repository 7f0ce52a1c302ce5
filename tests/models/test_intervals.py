"""Intervals and sets: their coverage on rows drawn from a known distribution, and their files."""

from dataclasses import replace
from math import ceil, log

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

import fastgd
from fastgd.checks.messages import TrainingWarning
from fastgd.models.intervals import (
    MOST_SCORES,
    Intervals,
    calibrated,
    interval_scores,
    judged_intervals,
    temperature_of,
)
from fastgd.tables.targets import ClassTarget, NumberTarget
from shops import fitted, shops

COVERAGES = (0.5, 0.8, 0.9, 0.95)


def _drawn(rows, seed, slope=0.0):
    """Predictions, and targets whose deviation grows with them."""
    random = np.random.default_rng(seed)
    outputs = random.normal(size=rows)
    scale = np.exp(slope * outputs)
    return outputs, outputs + scale * random.standard_exponential(rows) - scale


def _learned(rows, seed, slope=0.0, weights=None):
    pair = _drawn(rows, seed, slope)
    return Intervals.learn(*pair, np.ones(rows) if weights is None else weights)


def _inside(intervals, coverage, slope=0.0):
    outputs, targets = _drawn(20_000, 99, slope)
    low, high = intervals.bounds(outputs, coverage).T
    return (low <= targets) & (targets <= high)


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("slope", [0.0, 0.7])
def test_they_cover_what_they_say(coverage, slope):
    shares = [_inside(_learned(300, seed, slope), coverage, slope).mean() for seed in range(30)]
    deviation = np.sqrt(coverage * (1 - coverage) / 300)
    assert abs(np.mean(shares) - coverage) < 0.006 + 3 * deviation / np.sqrt(30)
    assert np.std(shares) < 1.5 * deviation


@pytest.mark.parametrize("rows", [39, 60, 401])
def test_bounds_are_the_order_statistics_of_split_conformal_prediction(rows):
    scores = np.sort(np.random.default_rng(rows).normal(size=rows))
    intervals = Intervals(np.zeros(1), np.ones(1), scores)
    for coverage in COVERAGES:
        # MAPIE: of n scores the ceil((n + 1) * (1 - alpha)) / n quantile, "higher"; each side half.
        level = ceil(round((rows + 1) * (1 + coverage) / 2, 9)) / rows
        high = np.quantile(scores, level, method="inverted_cdf")
        low = -np.quantile(-scores, level, method="inverted_cdf")
        assert intervals.ends(coverage).tolist() == [low, high]


def test_beyond_all_errors_tails_are_exponential_and_a_line_says_so():
    intervals = Intervals(np.zeros(1), np.ones(1), np.array([-2.0, -1.0, 1.0, 4.0]))
    for coverage in (0.6, 0.9, 0.999):
        beyond = 2 * log(2 / (5 * (1 - coverage)))
        assert intervals.ends(coverage) == pytest.approx([-2 - beyond, 4 + beyond])
        few = f"intervals: 4 rows can't show {100 * coverage:g} %: the bounds are beyond "
        few += "all their errors"
        assert intervals.remarks(coverage) == ([few] if coverage > 0.6 else [])


def test_a_spread_is_larger_where_errors_are():
    found = _learned(8_000, 0, slope=0.7)
    assert 2 < len(found.knots) <= 8
    truth = np.exp(0.7 * found.knots) * 2 / np.e  # the mean |x - 1| of an exponential variable
    assert found.spread == pytest.approx(truth, rel=0.25)
    assert len(_learned(30, 0, slope=0.7).knots) == 1
    outputs = np.linspace(-1, 1, 50)
    for coverage in COVERAGES:
        groups = np.array_split(np.argsort(_drawn(20_000, 99, 0.7)[0]), 5)
        inside = _inside(found, coverage, 0.7)
        assert min(inside[rows].mean() for rows in groups) > coverage - 0.05
        width = np.diff(found.bounds(outputs, coverage), axis=1)
        assert width[-1] > 2.5 * width[0]


def test_weights_are_repetitions_of_rows():
    outputs, targets = _drawn(400, 5)
    weights = np.ones(400)
    alone, weighted = (Intervals.learn(outputs, targets, k * weights) for k in (1, 4))
    assert [one.tobytes() for one in alone[:3]] == [one.tobytes() for one in weighted[:3]]
    assert np.array_equal(np.sort(alone.scores), alone.scores)
    # Rows with an error below 0 count ten times: nearly all errors are, then.
    heavy = np.where(targets < outputs, 10.0, 1.0)
    uneven = Intervals.learn(outputs, targets, heavy)
    assert len(uneven.scores) == round(heavy.sum() ** 2 / (heavy**2).sum())
    assert (uneven.scores < 0).mean() == pytest.approx(
        heavy[targets < outputs].sum() / heavy.sum(), abs=0.01
    )


def test_many_scores_are_thinned():
    outputs, targets = _drawn(9_995, 1)
    found = Intervals.learn(outputs, targets, np.ones(9_995))
    assert len(found.scores) == MOST_SCORES
    assert abs(_inside(found, 0.9).mean() - 0.9) < 0.01


def test_no_bound_is_below_targets_that_are_never_below_zero():
    target = NumberTarget("price", 10.0, 5.0)
    outputs = np.random.default_rng(0).exponential(size=(100, 1)) - 2
    encoded = np.maximum(outputs + np.random.default_rng(1).normal(size=(100, 1)), -2.0)
    _, found, note = calibrated(target, (), outputs, encoded, np.ones(100), np.ones(100))
    assert (found.least, note) == (-2.0, "")
    columns = found.columns(target, outputs, 0.9)
    assert list(columns) == ["price low", "price high"]
    assert columns["price low"].min() == 0
    assert (columns["price high"] > columns["price low"]).all()
    shifted = calibrated(target, (), outputs, encoded - 0.1, np.ones(100), np.ones(100))[1]
    assert shifted.least == -np.inf


def test_errors_of_folds_count_more_in_small_tables():
    outputs, targets = _drawn(30, 2)
    columns = outputs[:, None], targets[:, None]
    _, found, _ = calibrated(NumberTarget("y", 0.0, 1.0), (), *columns, np.ones(30), np.ones(30))
    plain = Intervals.learn(outputs, targets, np.ones(30))
    assert found.spread == pytest.approx(1.5 * plain.spread)
    assert found.scores.tolist() == plain.scores.tolist()


def test_the_line_of_the_report():
    target = NumberTarget("y", 0.0, 2.0)
    intervals = Intervals(np.zeros(1), np.ones(1), np.sort(np.linspace(-1, 1, 39)))
    outputs, truth = np.zeros((4, 1)), np.array([[0.0], [0.5], [0.9], [3.0]])
    line = judged_intervals(target, intervals, outputs, truth, np.array([1.0, 1.0, 1.0, 5.0]))
    width = 2 * np.diff(intervals.ends(0.9))[0]
    assert line == f"90 % intervals: 37.5 % of the test set lie inside; mean width {width:.4g}"


def test_interval_scores_are_widths_and_twenty_times_what_is_missed():
    bounds = np.array([[0.0, 2.0], [0.0, 2.0], [0.0, 2.0]])
    assert interval_scores(bounds, np.array([1.0, -1.0, 2.5])) == pytest.approx([2, 22, 12])


# Classes


def _classified(rows, temperature, seed=0):
    """Probabilities that are too sure by this temperature, and one-hot classes."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, 3)) * 2
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (truth.cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1)
    said = truth**temperature
    return said / said.sum(axis=1, keepdims=True), np.eye(3)[labels]


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_the_temperature_is_that_of_a_fine_grid(temperature):
    said, truth = _classified(1_500, temperature)
    found = temperature_of(said, truth, np.ones(1_500))
    grid = np.arange(0.4, 3.0, 0.01)

    def loss(t):
        raised = said ** (1 / t)
        return log_loss(truth.argmax(axis=1), raised / raised.sum(axis=1, keepdims=True))

    losses = np.array([loss(t) for t in grid])
    if temperature == 1.0:  # it would gain nothing
        assert 1_500 * (loss(1.0) - losses.min()) < 2
        assert found == 1.0
    else:
        assert abs(found - grid[losses.argmin()]) < 0.015


def test_few_rows_have_no_temperature():
    said, truth = _classified(12, 1.3)
    assert temperature_of(said, truth, np.ones(12)) == 1.0


@pytest.mark.parametrize("coverage", COVERAGES)
def test_sets_cover_what_they_say_and_are_never_empty(coverage):
    target, shares, sizes = ClassTarget("kind", ("a", "b", "c")), [], []
    new, classes = _classified(20_000, 1.0, seed=99)
    for seed in range(20):
        said, truth = _classified(200, 1.0, seed)
        found = calibrated(target, (), said, truth, np.ones(200), np.ones(200))[1]
        sets = found.sets(new, coverage)
        shares.append(sets[classes > 0].mean())
        sizes.append(sets.sum(axis=1))
    assert np.min(sizes) == 1
    assert np.mean(shares) > coverage - 0.01
    if coverage > 0.75:  # else the most probable class alone covers more
        assert np.mean(shares) < coverage + 0.03


def test_a_set_has_the_classes_up_to_an_order_statistic():
    scores = np.arange(1, 20) / 20  # of 19 the ceil(20 * 0.8) = 16th is 0.8
    found = Intervals(np.zeros(1), np.ones(1), scores)
    sets = found.sets(np.array([[0.79, 0.21], [0.81, 0.19]]), 0.8)
    assert sets.tolist() == [[True, True], [True, False]]


def test_sets_that_no_row_shows_have_all_classes():
    found = Intervals(np.zeros(1), np.ones(1), np.array([0.1, 0.2, 0.3]))
    assert found.sets(np.array([[0.9, 0.1]]), 0.9).all()
    assert not found.sets(np.array([[0.9, 0.1]]), 0.5).all()


# Groups

TARGET = NumberTarget("sales", 0.0, 1.0)


def _in_groups(rows, groups, seed, noise=1.0):
    """Outputs and targets of rows whose errors grow with the index of their group."""
    random = np.random.default_rng(seed)
    codes = random.integers(groups, size=rows)
    outputs = random.normal(size=(rows, 1))
    errors = random.normal(size=(rows, 1)) * (1 + codes[:, None]) * noise
    return outputs, outputs + errors, codes


@pytest.mark.parametrize("coverage", COVERAGES)
def test_groups_share_scores_and_have_a_spread_each(coverage):
    outputs, targets, codes = _in_groups(20_000, 6, seed=99)
    shares, of_each = [], []
    for seed in range(10):
        learned = _in_groups(300, 6, seed)
        deviations = np.sqrt(np.arange(1.0, 7.0))
        found = Intervals.of_groups(TARGET, deviations, *learned, np.zeros(300, np.int64))
        bounds = found.bounds(outputs[:, 0], coverage, codes)
        inside = (bounds[:, 0] <= targets[:, 0]) & (targets[:, 0] <= bounds[:, 1])
        shares.append(inside.mean())
        of_each.append([inside[codes == k].mean() for k in range(6)])
    assert abs(np.mean(shares) - coverage) < 0.02
    assert np.abs(np.mean(of_each, axis=0) - coverage).max() < 0.06


def test_the_spread_of_a_group_is_shrunk_and_scales_no_error_that_it_has_learned_from():
    errors, codes = np.array([1.0, -2.0, 3.0, 7.0, 8.0]), np.array([0, 0, 1, 1, 1])
    outputs = np.array([[0.0], [0.0], [0.0], [np.nan], [0.0]])
    deviations = np.array([1.0, 4.0, 0.0])  # the third group's targets are all the same: 2.5
    found = Intervals.of_groups(
        TARGET, deviations, outputs, errors[:, None], codes, np.zeros(5, np.int64)
    )
    typical = (1 / 1 + 2 / 1 + 3 / 4 + 8 / 4) / 4
    prior = 5 * typical * np.array([1, 4, 2.5])
    assert found.spread == pytest.approx(np.add(prior, [3, 11, 0]) / [7, 7, 5])
    scores = [1, -2, 3, 8] / (prior[[0, 0, 1, 1]] + np.array([2, 1, 8, 3])) * 6
    assert found.scores == pytest.approx(np.sort(scores))


def test_of_several_cutoffs_the_widest_counts():
    outputs, targets, codes = _in_groups(400, 3, seed=1)
    cutoffs = np.repeat([0, 1], 200)
    targets[200:] = outputs[200:] + 5 * (targets - outputs)[200:]
    both = Intervals.of_groups(TARGET, np.ones(3), outputs, targets, codes, cutoffs)
    assert len(both.scores) == 200
    one = Intervals.of_groups(TARGET, np.ones(3), outputs, targets, codes, 0 * cutoffs)
    assert np.ptp(both.ends(0.9)) > 1.2 * np.ptp(one.ends(0.9))


def test_groups_without_held_out_rows_or_with_classes_have_none():
    empty = (np.zeros((0, 1)), np.zeros((0, 1)), np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert Intervals.of_groups(TARGET, np.ones(2), *empty) is None
    rows = _in_groups(10, 2, 0)
    kinds = ClassTarget("kind", ("a", "b"))
    assert Intervals.of_groups(kinds, np.ones(2), *rows, np.zeros(10, np.int64)) is None


def test_models_of_groups_predict_intervals(tmp_path):
    table, models = shops(), fitted(unknown="global")
    found = models.predict_interval(table)
    assert list(found) == ["sales low", "sales high"]
    inside = (found["sales low"] <= table["sales"]) & (table["sales"] <= found["sales high"])
    assert inside.mean() > 0.85
    unknown = models.predict_interval(table.assign(shop="new"))
    assert unknown.isna().all(axis=None)
    models.save(tmp_path / "models.npz")
    again = fastgd.load(tmp_path / "models.npz")
    pd.testing.assert_frame_equal(again.predict_interval(table), found)
    with pytest.raises(ValueError, match=r"coverage must be a number above 0 and below 1, got 0$"):
        models.predict_interval(table, 0)


# Models

ROWS = 200
RANDOM = np.random.default_rng(8)
X = RANDOM.normal(size=ROWS)
FRAME = pd.DataFrame({"x": X, "y": 100 + 10 * X + RANDOM.normal(size=ROWS)}, index=range(7, 207))
KINDS = pd.DataFrame({"x": X, "kind": np.where(X + RANDOM.normal(size=ROWS) > 0, "yes", "no")})
LINEAR = {"hidden_size": [()], "folds": 2}


@pytest.fixture(scope="module")
def numbers():
    return fastgd.fit(FRAME, "y", **LINEAR)


@pytest.fixture(scope="module")
def classes():
    return fastgd.fit(KINDS, "kind", **LINEAR)


def test_of_a_table_they_are_columns(numbers):
    found = numbers.predict_interval(FRAME)
    assert list(found) == ["y low", "y high"]
    assert list(found.index) == list(FRAME.index)
    inside = (found["y low"] <= FRAME["y"]) & (FRAME["y"] <= found["y high"])
    assert 0.86 < inside.mean() < 0.95
    plain = numbers.predict_interval({"x": X})
    assert plain.tolist() == found.to_numpy().tolist()
    wider = numbers.predict_interval({"x": X}, coverage=0.95)
    assert (wider[:, 0] < plain[:, 0]).all()
    assert (plain[:, 1] < wider[:, 1]).all()
    middle = numbers.predict({"x": X})
    assert ((plain[:, 0] < middle) & (middle < plain[:, 1])).all()
    with pytest.warns(TrainingWarning, match=r"^intervals: 200 rows can't show 99.9 %: "):
        numbers.predict_interval({"x": X}, 0.999)


def test_the_report_says_the_coverage_of_the_test_set(numbers, classes):
    [line] = [note for note in numbers.notes if note.startswith("90 % intervals: ")]
    assert line.endswith(f"mean width {float(line.split()[-1]):.4g}")
    assert 80 <= float(line.split()[3]) <= 100
    [line] = [note for note in classes.notes if note.startswith("90 % sets: ")]
    assert line.endswith(" classes in the mean")
    none = fastgd.fit(FRAME, "y", test_fraction=0, **LINEAR)
    assert not any("90 %" in note for note in none.notes)
    assert len(none.intervals.scores) == ROWS


def test_sets_of_a_table_are_columns(classes):
    found = classes.predict_set(KINDS, coverage=0.7)
    assert list(found) == ["no", "yes"]
    assert found.to_numpy().any(axis=1).all()
    assert found.to_numpy()[np.arange(ROWS), (KINDS["kind"] == "yes").astype(int)].mean() > 0.65
    assert classes.predict_set({"x": X}, coverage=0.7).tolist() == found.to_numpy().tolist()


def test_a_temperature_divides_the_last_layer():
    said, truth = _classified(1_500, 1.7)
    run = fastgd.train(
        np.eye(3), np.eye(3), output="softmax", loss="cross_entropy", bias=True, iterations=3
    )
    [cooled], _, note = calibrated(
        ClassTarget("kind", ("a", "b", "c")), [run], said, truth, np.ones(1_500), np.ones(1_500)
    )
    temperature = float(note.split()[4])
    assert 1.6 < temperature < 1.8
    logits = np.log(run.predict(np.eye(3)))
    expected = np.exp(logits / temperature)
    expected /= expected.sum(axis=1, keepdims=True)
    assert cooled.predict(np.eye(3)) == pytest.approx(expected, rel=1e-12)


def test_files_keep_them(tmp_path, numbers, classes):
    for model in (numbers, classes):
        model.save(tmp_path / "model.npz")
        loaded = fastgd.load(tmp_path / "model.npz")
        fastgd.assert_equal(loaded, model)
        assert loaded.intervals.scores.tolist() == model.intervals.scores.tolist()
    assert loaded.predict_set({"x": X}).tolist() == classes.predict_set({"x": X}).tolist()


FORGED = {
    "knots": {"knots": np.array([1.0, 1.0])},
    "spread": {"spread": np.array([0.0])},
    "lengths": {"spread": np.ones(9)},
    "order": {"scores": np.array([1.0, -1.0])},
    "finite": {"scores": np.array([np.nan])},
    "none": {"scores": np.zeros(0)},
    "numbers": {"scores": np.array(["a"])},
    "least": {"least": np.array(np.inf)},
}


@pytest.mark.parametrize("case", FORGED)
def test_damaged_files_are_refused(case, numbers):
    arrays = numbers.intervals.encoded()
    assert len(Intervals.decoded(arrays).scores) == ROWS
    arrays |= {f"intervals_{name}": array for name, array in FORGED[case].items()}
    with pytest.raises(ValueError, match="the file is not whole"):
        Intervals.decoded(arrays)


REFUSED = {
    "above": (
        "y",
        "predict_interval",
        1.2,
        "coverage must be a number above 0 and below 1, got 1.2",
    ),
    "one": ("y", "predict_interval", 1, "coverage must be a number above 0 and below 1, got 1"),
    "text": ("y", "predict_interval", "0.9", "coverage must be a number, got '0.9'"),
    "sets": ("y", "predict_set", 0.9, "predict_set needs a target with classes, got the numeric "),
    "classes": (
        "kind",
        "predict_interval",
        0.9,
        "needs one numeric target, got the classes of kind",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case, numbers, classes):
    name, method, coverage, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        getattr({"y": numbers, "kind": classes}[name], method)({"x": X}, coverage)


def test_models_without_them_say_so(numbers):
    old = replace(numbers, intervals=None)  # as in files of before
    with pytest.raises(ValueError, match="got a model without them"):
        old.predict_interval({"x": X})
