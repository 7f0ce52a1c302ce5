"""What a search compares: bins, deeper networks, ensembles, and rivals."""

import sys
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

import fastgd
from fastgd.models import fit_search, rivals
from fastgd.models.fit import fit_columns
from fastgd.models.fit_choices import Choices
from fastgd.models.fit_search import Candidate, SearchSamples, ensemble_of, search
from fastgd.models.row_splits import folds_of
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import NumberTarget

RANDOM = np.random.default_rng(0)
ROWS = 90
x = RANDOM.uniform(-1, 1, (ROWS, 2))
STEPS = {"a": x[:, 0], "b": x[:, 1], "y": np.round(3 * x[:, 0]) % 2 + 0.1 * x[:, 1]}
"""A target that jumps, which bins learn and standardized numbers don't."""
PLAIN = {"a": x[:, 0], "b": x[:, 1], "y": x @ [1.0, 2.0] + RANDOM.normal(size=ROWS)}
SMALL = {"hidden_size": [(), 4], "folds": 3}
CHOICES = Choices(**SMALL).checked()


def samples_of(table, bins=0):
    target = NumberTarget.learn("y", fastgd.tables.column_values.cells_of("y", table["y"]))
    inputs = {name: table[name] for name in "ab"}
    X = Preparation.learn(inputs, bins=bins).transform(inputs)
    y, ones = ((table["y"] - target.mean) / target.scale)[:, None], np.ones(ROWS)
    return target, SearchSamples(X, y, np.zeros(ROWS, int), ones, ones, None)


@pytest.mark.parametrize("table", [STEPS, PLAIN], ids=["steps", "plain"])
def test_halving_finds_what_all_settings_together_find(table):
    target, _ = samples_of(table)
    sizes = [(), (4,)]
    found = search(target, lambda bins: samples_of(table, bins)[1], CHOICES)
    held = folds_of(np.zeros(ROWS, int), 3, 0)
    grid = sizes, fit_search.ALPHAS, fit_search.PENALTIES
    all_bins = {
        bins: fit_search._tried(
            target, samples_of(table, bins)[1], grid, fit_search.SEEN[0], CHOICES, held, bins
        )
        for bins in (0, *fit_search.BINS)
    }
    best = min((own[0] for own in all_bins.values()), key=lambda one: one.loss)
    assert (found.best.bins > 0) == (table is STEPS)
    assert found.candidates[0].loss <= best.loss * (1 + fit_search.BETTER)
    assert found.linear.bins == 0
    assert found.linear.members[0].hidden_size == ()


def candidates_of(outputs):
    return [Candidate((), 0.01, 0.0, 0.0, None, 0, one, (), (k, 0, 0)) for k, one in outputs]


def test_an_ensemble_is_the_best_of_all_where_two_errors_cancel_out():
    target, samples = samples_of(PLAIN)
    wrong, noise = RANDOM.normal(size=(2, ROWS, 1))
    outputs = [samples.y + wrong, samples.y - wrong / 3, samples.y + noise]
    losses = [float(np.mean((one - samples.y) ** 2)) for one in outputs]
    order = sorted(range(3), key=losses.__getitem__)
    found = candidates_of([(k, outputs[k]) for k in order])
    held = folds_of(np.zeros(ROWS, int), 3, 0)
    ensemble = ensemble_of(target, samples, found, held, CHOICES)
    brute = min(
        (chosen for n in range(1, 9) for chosen in combinations_with_replacement(range(3), n)),
        key=lambda chosen: np.mean((np.mean([outputs[k] for k in chosen], 0) - samples.y) ** 2),
    )
    assert brute == (0, 1, 1, 1)
    places = {one.place[0]: n for one, n in zip(ensemble.members, ensemble.times, strict=True)}
    assert places == {0: 1, 1: 3}
    assert ensemble.outputs == pytest.approx(samples.y)


def test_an_ensemble_that_is_no_better_is_not_used():
    target, samples = samples_of(PLAIN)
    noise = RANDOM.normal(size=samples.y.shape)
    found = candidates_of([(0, samples.y + noise), (1, samples.y + 1.2 * noise)])
    held = folds_of(np.zeros(ROWS, int), 3, 0)
    ensemble = ensemble_of(target, samples, found, held, CHOICES)
    assert (ensemble.members, ensemble.times) == ((found[0],), (1,))
    assert ensemble.counts == ()
    assert ensemble.size == ""


@pytest.fixture(scope="module")
def stepped():
    return fit_columns(STEPS, "y", CHOICES)


def test_bits_depend_on_no_threads(stepped):
    again = fastgd.fit(STEPS, "y", **SMALL, threads=2)
    assert again.outputs(STEPS).tobytes() == stepped.model.outputs(STEPS).tobytes()
    assert again.scores == stepped.model.scores


def test_bins_are_learned_again_from_all_rows(stepped):
    assert stepped.best.bins in fit_search.BINS
    inputs = {name: STEPS[name] for name in "ab"}
    learned = Preparation.learn(inputs, bins=stepped.best.bins)
    assert stepped.model.preparation.names == learned.names
    assert np.array_equal(stepped.model.preparation.transform(inputs), learned.transform(inputs))


def test_an_ensemble_says_how_large_it_is(tmp_path, stepped):
    run = stepped.model.runs[0]
    line = next((note for note in stepped.model.notes if "settings, averaged" in note), "")
    assert (len(stepped.best.members) > 1) == bool(line)
    model = replace(stepped.model, runs=(run, run), counts=(1, 2))
    model.save(tmp_path / "ensemble.npz")
    loaded = fastgd.load(tmp_path / "ensemble.npz")
    assert loaded.counts == (1, 2)
    assert np.array_equal(loaded.outputs(STEPS), model.outputs(STEPS))
    for wrong in ((1,), (0, 1), (1, 9)):
        replace(stepped.model, runs=(run, run), counts=wrong).save(tmp_path / "forged.npz")
        with pytest.raises(ValueError, match="forged"):
            fastgd.load(tmp_path / "forged.npz")


# Rivals


def test_trees_are_those_of_scikit_learn():
    found = fit_columns(STEPS, "y", Choices(**SMALL, rivals=True).checked())
    inputs = np.stack([STEPS["a"], STEPS["b"]], axis=1)
    learn, judge = found.parts
    trees = HistGradientBoostingRegressor(random_state=0).fit(inputs[learn], STEPS["y"][learn])
    error = np.abs(trees.predict(inputs[judge]) - STEPS["y"][judge]).mean()
    assert found.model.scores[rivals.TREES]["mean |error|"] == pytest.approx(error)


def test_without_rivals_there_are_no_trees(monkeypatch):
    assert rivals.TREES not in fastgd.fit(STEPS, "y", **SMALL, rivals=False).scores
    monkeypatch.setattr("fastgd.models.fit_choices.find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    assert rivals.TREES not in fastgd.fit(STEPS, "y", **SMALL).scores
    with pytest.raises(ImportError, match="rivals=True needs scikit-learn"):
        fastgd.fit(STEPS, "y", **SMALL, rivals=True)
    with pytest.raises(TypeError, match="rivals must be True or False, got 'auto'"):
        fastgd.fit(STEPS, "y", rivals="auto")


def test_trees_are_grown_where_they_are_cheap():
    target = NumberTarget("y", 0.0, 1.0)
    assert rivals.are_cheap(target, 10_000, 10, work=2e8)
    assert not rivals.are_cheap(target, 200, 10, work=1e7)


@pytest.mark.parametrize(
    ("trees", "linear", "in_folds", "said"),
    [
        (0.5, 2.0, (1.0, 0.8), ["y: boosted trees have a squared error 75 % smaller on the test"]),
        (0.5, 2.0, (1.0, 0.99), []),
        (0.99, 2.0, (1.0, 0.8), []),
        (2.0, 0.9, (1.0, 2.0), ["y: a linear model has a squared error 19 % smaller on the test"]),
        (2.0, 0.99, (1.0, 2.0), []),
    ],
)
def test_lines_name_rivals_that_are_clearly_better(trees, linear, in_folds, said):
    target, samples = samples_of(PLAIN)
    outputs = {"model": 1.0, "boosted trees": trees, "linear": linear}
    found = {name: samples.y + off for name, off in outputs.items()}
    lines = rivals.better_rivals(target, {"loss": "squared"}, found, samples, in_folds)
    assert [line[: len(want)] for line, want in zip(lines, said, strict=True)] == said
