"""From a table to a model: how rows are parted, what is searched, how good it is, and its file."""

import json
import os
import subprocess
import sys
import zipfile
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import skew
from sklearn import metrics
from sklearn.utils.class_weight import compute_class_weight

import fastgd
from fastgd import Model
from fastgd.checks import numbers as memory
from fastgd.checks.messages import TrainingWarning
from fastgd.models.fit import fit_columns
from fastgd.models.fit_choices import HIDDEN_SIZES, Choices
from fastgd.models.fit_search import SearchSamples, sizes_for
from fastgd.models.model import mean_outputs
from fastgd.models.row_splits import (
    RowOrder,
    folds_of,
    folds_of_groups,
    last_rows,
    parts_of,
    rows_of_groups,
)
from fastgd.models.scores import RARE, judged, scores_of, skewness_note
from fastgd.tables import column_values
from fastgd.tables.column_values import cells_of, columns_of
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import ClassTarget, NumberTarget

SMALL = {"hidden_size": [4], "folds": 2}
CHOICES = Choices(**SMALL).checked()
RANDOM = np.random.default_rng(3)
ROWS = 120


def _houses():
    size = RANDOM.integers(30, 200, ROWS).astype(float)
    city = RANDOM.choice(["Rome", "Oslo"], ROWS)
    price = 3000 * size * (1 + (city == "Rome")) + 1e5
    frame = pd.DataFrame({"size": size, "city": city, "garden": RANDOM.random(ROWS) > 0.5})
    return frame.assign(price=price, sort=np.where(price > np.median(price), "dear", "cheap"))


HOUSES = _houses()


@pytest.fixture(scope="module")
def priced():
    return fit_columns(columns_of(HOUSES.drop(columns="sort")), "price", CHOICES)


@pytest.fixture(scope="module")
def sorted_out():
    return fit_columns(columns_of(HOUSES.drop(columns="price")), "sort", CHOICES)


# Rows


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_rows_are_parted_in_proportion(share):
    labels = np.repeat([0, 1, 2], [70, 25, 5])
    learn, judge = parts_of(labels, share, seed=4)
    assert sorted([*learn, *judge]) == list(range(100))
    if share in (0.2, 0.5):
        counts = np.bincount(labels[judge], minlength=3)
        assert np.abs(counts - share * np.array([70, 25, 5])).max() <= 1
    assert len(judge) == min(round(100 * share), 95)
    assert not np.array_equal(judge, parts_of(labels, share, seed=5).judge)


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_each_row_is_held_out_once_and_classes_are_spread(folds):
    labels = np.repeat([0, 1], [21, 14])
    held = folds_of(labels, folds, seed=1)
    assert held.sum(axis=0).tolist() == [1] * 35
    for label in (0, 1):
        counts = held[:, labels == label].sum(axis=1)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("dates", [False, True])
def test_the_last_rows_are_those_of_the_largest_values(dates):
    order = RANDOM.permutation(100) // 3  # with ties
    values = np.datetime64("2020-01-01", "us") + order.astype("m8[D]") if dates else order
    known = RowOrder.learn("test_last", "day", cells_of("day", values))
    learn, judge = last_rows(known.values(cells_of("day", values)), 0.2, known)
    assert sorted([*learn, *judge]) == list(range(100))
    assert order[learn].max() < order[judge].min()
    assert 20 <= len(judge) <= 22


def test_few_last_values_leave_rows_to_learn_from():
    values = np.array([1.0] * 3 + [2.0] * 4 + [3.0] * 3)
    assert last_rows(values, 0.6, RowOrder("day", None)).judge.tolist() == [7, 8, 9]
    rule = "test_last must have larger values in the last rows, got"
    for order, came in ((RowOrder("day", None), "18262"), (RowOrder("day", ""), "2020-01-01")):
        with pytest.raises(ValueError, match=f"{rule} '{came}' in all"):
            last_rows(np.full(20, 18262.0), 0.2, order)


def test_groups_stay_together_in_the_test_set_and_in_folds():
    groups = np.repeat(np.arange(12), RANDOM.integers(1, 9, 12))
    learn, judge = rows_of_groups(groups, 0.3, seed=2, folds=4)
    assert sorted([*learn, *judge]) == list(range(len(groups)))
    assert not set(groups[learn]) & set(groups[judge])
    assert abs(len(judge) / len(groups) - 0.3) < 0.15
    held = folds_of_groups(groups, 4)
    assert held.sum(axis=0).tolist() == [1] * len(groups)
    assert all(len(set(groups[rows]) & set(groups[~rows])) == 0 for rows in held)
    assert np.ptp(held.sum(axis=1)) < 9
    few = rows_of_groups(np.repeat(np.arange(5), 4), 0.9, seed=2, folds=4)
    assert len(set((few.learn // 4).tolist())) == 4


# What comes of it


def test_rows_to_judge_by_have_no_part_in_the_search(priced):
    rows = priced.parts.judge
    changed = HOUSES.drop(columns="sort").copy()
    changed.loc[rows, ["size", "price"]] = 7e8
    other = fit_columns(columns_of(changed), "price", CHOICES)
    assert len(other.candidates) == len(priced.candidates)
    for mine, theirs in zip(priced.candidates, other.candidates, strict=True):
        assert mine.loss == theirs.loss
        for ours, others in zip(mine.runs, theirs.runs, strict=True):
            assert all(map(np.array_equal, ours.weights, others.weights))


def test_what_is_returned_has_learned_from_all_rows_in_folds(priced):
    model, best = priced.model, priced.candidates[0]
    assert model.preparation == Preparation.learn(columns_of(HOUSES[["size", "city", "garden"]]))
    assert model.targets[0] == NumberTarget.learn("price", HOUSES["price"])
    X, y = model.preparation.transform(HOUSES), model.targets[0].encode(HOUSES["price"])
    held = folds_of(np.zeros(120, np.int64), 2, 0)
    assert len(model.runs) == 2
    for run, fold in zip(model.runs, held, strict=True):
        alone = fastgd.train(
            X[~fold],
            y[~fold],
            validation=(X[fold], y[fold]),
            hidden_size=best.hidden_size,
            alpha=best.alpha,
            seed=0,
            iterations=2 * 300,  # 60 rows in batches of 32
            record_every=2 * 300,
            **run.options,
        )
        assert all(map(np.array_equal, run.weights, alone.weights))
    assert model.notes[-1].startswith("learned again from all 120 rows, in folds as before; the ")
    assert priced.notes[-1] == model.notes[-1]


def test_it_is_better_than_a_linear_model_and_that_than_a_constant(priced, sorted_out):
    errors = [scores["mean |error|"] for scores in priced.model.scores.values()]
    assert list(priced.model.scores) == ["model", "linear", "constant"]
    assert errors == sorted(errors)
    assert errors[0] < 0.7 * errors[1] < 0.7 * errors[2]
    assert sorted_out.model.scores["model"]["accuracy"] > 0.9
    assert sorted_out.model.scores["constant"]["accuracy"] < 0.7


def test_scores_are_those_of_its_predictions(priced, sorted_out):
    def before(found):
        """The model of the search, which has learned from the training rows only."""
        learn = columns_of(HOUSES.iloc[found.parts.learn])
        used = {c.name: learn[c.name] for c in found.model.preparation.columns}
        preparation = Preparation.learn(used, bins=found.best.bins)
        [target] = found.model.targets
        if isinstance(target, NumberTarget):
            target = NumberTarget.learn(target.name, learn[target.name])
        best = found.best
        return Model(best.runs, preparation, (target,), counts=best.counts)

    judged = HOUSES.iloc[priced.parts.judge]
    predicted = before(priced).predict(judged)
    error = np.abs(predicted - judged["price"]).mean()
    assert priced.model.scores["model"]["mean |error|"] == pytest.approx(error)
    assert np.array_equal(predicted, priced.predicted)
    judged = HOUSES.iloc[sorted_out.parts.judge]
    model = before(sorted_out)
    probabilities = model.predict_proba(judged)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(judged)))
    hits = model.predict(judged) == judged["sort"]
    assert sorted_out.model.scores["model"]["accuracy"] == pytest.approx(hits.mean())
    places = (judged["sort"] == "dear").astype(int)
    loss = -np.log(probabilities[np.arange(len(judged)), places]).mean()
    assert sorted_out.model.scores["model"]["log loss"] == pytest.approx(loss)


LABELS = (("no", "yes"), ("a", "b", "c"))


@pytest.mark.parametrize("classes", LABELS, ids=len)
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_classes_are_those_of_scikit_learn(classes, weighted):
    truth = RANDOM.integers(len(classes), size=60)
    outputs = RANDOM.integers(1, 5, size=(60, len(classes))).astype(float)  # with ties
    outputs /= outputs.sum(axis=1, keepdims=True)
    weights = RANDOM.random(60) if weighted else None
    target = ClassTarget("y", classes)
    found = scores_of(target, outputs, np.eye(len(classes))[truth], None, weights)
    guess, how = outputs.argmax(axis=1), {"sample_weight": weights}
    scores = outputs[:, 1] if len(classes) == 2 else outputs
    expected = {
        "accuracy": metrics.accuracy_score(truth, guess, **how),
        "balanced accuracy": metrics.balanced_accuracy_score(truth, guess, **how),
        "AUC": metrics.roc_auc_score(truth, scores, multi_class="ovr", **how),
        "log loss": metrics.log_loss(truth, outputs, **how),
    }
    recalls = metrics.recall_score(truth, guess, average=None, **how)
    expected |= {f"recall of {name}": r for name, r in zip(classes, recalls, strict=True)}
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_numbers_are_those_of_scikit_learn(weighted):
    y, outputs = RANDOM.random((51, 1)), RANDOM.random((51, 1))
    weights = RANDOM.random(51) if weighted else None
    how, (a, b) = {"sample_weight": weights}, (3 * y + 1, 3 * outputs + 1)
    target = NumberTarget("y", 1.0, 3.0)
    expected = {
        "mean |error|": metrics.mean_absolute_error(a, b, **how),
        "median |error|": metrics.median_absolute_error(a, b, **how),
        "root mean square": metrics.mean_squared_error(a, b, **how) ** 0.5,
        "R squared": metrics.r2_score(a, b, **how),
    }
    assert scores_of(target, outputs, y, None, weights) == pytest.approx(expected)
    found = scores_of(target, outputs, y, {"loss": "quantile", "tau": 0.8}, weights)
    below = np.average(a <= b, weights=None if weights is None else weights[:, None])
    expected |= {
        "quantile loss": metrics.mean_pinball_loss(a, b, alpha=0.8, **how),
        "share below": below,
    }
    assert found == pytest.approx(expected)
    counts = NumberTarget("y", 0.0, 3.0)
    y[:9] = 0.0
    found = scores_of(counts, outputs, y, {"loss": "poisson"}, weights)["Poisson deviance"]
    assert found == pytest.approx(metrics.mean_poisson_deviance(3 * y, 3 * outputs, **how))
    found = scores_of(target, outputs, y, {"loss": "huber", "delta": 0.1}, weights)["huber loss"]
    errors = np.abs(y - outputs)[:, 0]
    each = np.where(errors <= 0.1, errors**2 / 2, 0.1 * (errors - 0.05))
    assert found == pytest.approx(np.average(each, weights=weights))


SCORES = """
import numpy as np
import fastgd
from fastgd.models.scores import mean_loss, scores_of
from fastgd.tables.targets import ClassTarget, NumberTarget
random, own = np.random.RandomState(0), fastgd.Loss("log(1 + (y - v)**2) * exp(-v) + tanh(v)")
number, three = NumberTarget("y", 0.0, 3.0), ClassTarget("y", ("a", "b", "c"))
for rows in [9] * 150 + [900]:
    for loss in ["squared", "huber", "poisson", own]:
        y, v, w = np.floor(9 * random.rand(rows, 1)), 9 * random.rand(rows, 1), random.rand(rows)
        scores = scores_of(number, v, y, {"loss": loss}, w)
        print(loss, mean_loss({"loss": loss}, v, y, w).hex(), *map(float.hex, scores.values()))
    y, v = np.eye(3)[random.randint(3, size=rows)], np.round(random.rand(rows, 3), 1) + 0.1
    print(*map(float.hex, scores_of(three, v / 3.3, y, None, w).values()))
"""


FITS = """
import numpy as np
from fastgd.models.fit import fit_columns
from fastgd.models.fit_choices import Choices
random, rows = np.random.RandomState(0), 300
x, z, noise, weights = random.rand(4, rows)
table = {"x": x, "z": np.where(z < 0.2, np.nan, z), "when": np.datetime64("2026") + np.arange(rows)}
counts = random.poisson(9 * x)
for y, given in (
    (x - z + noise, {"loss": "huber", "scoring": "r2"}),
    (np.array(["a", "b", "c"])[counts % 3], {"class_weight": "balanced", "scoring": "roc_auc"}),
    (counts, {"loss": "poisson"}),
):
    choices = Choices(hidden_size=[(), 4], folds=2, sample_weight=weights + 0.1, **given).checked()
    model, notes, _, candidates, *_ = fit_columns(table | {"y": y}, "y", choices)
    print(model.preparation, model.targets, model.scores, notes, *[one[:-1] for one in candidates])
    print([layer.tolist() for run in model.runs for layer in (*run.weights, *run.biases)])
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [SCORES, FITS], ids=["scores", "fits"])
def test_fits_are_the_same_with_other_instructions(code):
    """NumPy's log and exp depend on them, and BLAS's sums: a fit has neither."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    other = {"NPY_DISABLE_CPU_FEATURES": " ".join(found), "OPENBLAS_CORETYPE": "Prescott"}
    theirs = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | other,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    with redirect_stdout(StringIO()) as ours:
        exec(code, {})
    assert ours.getvalue() == theirs


def test_scores_of_what_does_not_vary():
    target = NumberTarget("y", 10.0, 2.0)
    for y in (np.ones((3, 1)), np.eye(3)[:, :1] * 1e-200):
        assert np.isnan(scores_of(target, np.zeros((3, 1)), y)["R squared"])
    certain = scores_of(ClassTarget("y", ("a", "b")), np.array([[1.0, 0.0]]), np.eye(2)[[1]])
    assert certain["accuracy"] == 0.0
    assert certain["log loss"] == pytest.approx(-np.log(1e-15))
    assert np.isnan(certain["AUC"])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            [0, 0, 0, 0, 0],
            "y: by accuracy as good as always saying No (80.0 %): it finds 0 of the 1",
        ),
        ([0, 0, 0, 1, 0], "y: by accuracy not as good as always saying No (80.0 %): it finds 0 of"),
        ([0, 0, 0, 0, 1], ""),
        ([1, 1, 0, 0, 1], ""),  # less accurate, but it finds what is rare
    ],
)
def test_a_model_as_good_as_a_constant_is_told(found, said):
    target, truth = ClassTarget("y", ("No", "Yes")), np.eye(2)[[0, 0, 0, 0, 1]]
    outputs = {"model": np.eye(2)[found], "constant": np.broadcast_to([0.9, 0.1], (5, 2))}
    _, line = judged(target, outputs, truth, {}, np.ones(5))
    assert line[: len(said) or None] == said
    assert not said or line.partition("; ")[0].endswith("1 Yes")
    assert line.endswith(RARE) == (1 not in found)  # a class that is never predicted
    assert RARE not in judged(target, outputs, truth, {}, np.ones(5), "")[1]


@pytest.mark.parametrize(
    ("truth", "found", "said"),
    [
        ("bbba", "aaaa", "y: by accuracy as good as always saying a (25.0 %): it finds 0 of the 3"),
        ("bbbb", "bbbb", "y: the test set has only b: accuracy says little"),
        # 70 % in place of 40 %
        ("aaaabbbcde", "aaaabbbbbb", f"y: c, d, e (3 of 10 test rows): never predicted; {RARE}"),
        ("aaaabbbcde", "aaaabbbcde", ""),
        ("aaaaaaaaabc", "aaaaaaaaaca", "y: by accuracy as good as always saying a (81.8 %)"),
    ],
)
def test_a_constant_is_the_most_frequent_class_of_the_training_rows(truth, found, said):
    target, rows = ClassTarget("y", tuple("abcde")), len(truth)
    truth, model = (np.eye(5)[[*map("abcde".index, text)]] for text in (truth, found))
    outputs = {"model": model, "constant": np.broadcast_to([0.6, 0.1, 0.1, 0.1, 0.1], (rows, 5))}
    _, line = judged(target, outputs, truth, {}, np.ones(rows))
    assert line[: len(said) or None] == said


@pytest.mark.parametrize(
    ("objective", "outputs", "said"),
    [
        ({"loss": "squared"}, [-1, -1, 1], "squared error"),
        ({"loss": "squared"}, [1, 1, -1], ""),
        ({"loss": "absolute"}, [1, 1, -1], ""),
        # Nine tenths are to be below: the median is a bad answer though its errors are small.
        ({"loss": "quantile", "tau": 0.9}, [0.9, 0.9, -3], "quantile loss"),
    ],
    ids=str,
)
def test_numbers_that_explain_nothing_are_told(objective, outputs, said):
    target, truth = NumberTarget("y", 0.0, 1.0), np.array([[1.0], [1.0], [-1.0]])
    constant = np.full((3, 1), 1.0 if "tau" in objective else 0.0)
    found = {"model": np.array(outputs, dtype=float)[:, None], "constant": constant}
    line = f"y: by {said} not better than always saying the same number" if said else ""
    assert judged(target, found, truth, objective, np.ones(3))[1] == line


def test_the_best_setting_comes_first_and_a_linear_one_is_tried(priced):
    losses = [candidate.loss for candidate in priced.candidates]
    assert losses == sorted(losses)
    assert {candidate.hidden_size for candidate in priced.candidates} == {(4,)}
    assert priced.model.runs[0].hidden_size == (4,)
    assert len(priced.model.runs) == 2
    [linear] = {
        run.hidden_size for run in fastgd.fit(HOUSES, "price", hidden_size=(), folds=2).runs
    }
    assert linear == ()


def test_networks_are_averaged(priced):
    inputs = priced.model.preparation.transform(HOUSES)
    first, second = (run.predict(inputs) for run in priced.model.runs)
    assert not np.array_equal(first, second)
    assert np.array_equal(
        mean_outputs(priced.model, priced.model.runs, inputs), (first + second) / 2
    )


def test_the_same_call_has_the_same_bits():
    one, two = (fastgd.fit(HOUSES, "sort", drop=["price"], **SMALL) for _ in range(2))
    assert np.array_equal(one.predict_proba(HOUSES), two.predict_proba(HOUSES))
    other = fastgd.fit(HOUSES, "sort", drop=["price"], seed=1, **SMALL)
    assert not np.array_equal(one.predict_proba(HOUSES), other.predict_proba(HOUSES))


# Test sets, weights, losses, scores

LINEAR = {"hidden_size": [()], "folds": 2}
TABLE = HOUSES.drop(columns=["sort", "garden"])


def _fitted(table=TABLE, target="price", **choices):
    return fit_columns(columns_of(table), target, Choices(**{**LINEAR, **choices}).checked())


TEST_SETS = pytest.mark.parametrize(
    "test_fraction", [0, pytest.param(0.2, marks=pytest.mark.slow)], ids=["none", "some"]
)
"""With a test set the best setting is trained once more: by other kernels."""


def test_a_test_set_of_the_last_rows():
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(ROWS)[::-1], "D")
    for day in (dates, dates.strftime("%m/%d/%Y")):
        found = _fitted(TABLE.assign(day=day), test_last="day", drop=["day"])
        assert found.parts.judge.tolist() == list(range(24))
    assert "rows: 96 for training, in 2 folds; 24 in the test set, the last by day" in found.notes
    found = _fitted(test_last="size")
    assert TABLE["size"].to_numpy()[found.parts.judge].min() > 150
    assert "size" in found.model.preparation.names  # it is still an input


def test_a_test_set_of_another_size_and_copies_are_told():
    assert np.mean(TABLE["size"] >= 150) > 0.23
    found = _fitted(TABLE.assign(size=TABLE["size"].clip(upper=150)), test_last="size")
    share = f"the last by size ({100 * len(found.parts.judge) / ROWS:.3g} % in place of 20 %)"
    assert found.notes[-3].endswith(share)
    assert not any("copies" in note for note in found.notes)
    found = _fitted(pd.concat([TABLE[:30]] * 4), test_fraction=0.1)
    line = "12 of the 12 rows of the test set are in the training set, too, with the same target"
    assert found.model.notes[-2].startswith(line)


def test_a_test_set_and_folds_of_whole_groups():
    shops = np.repeat([*"abcdef"], 20)
    found = _fitted(TABLE.assign(shop=shops), test_group="shop", folds=3)
    judged = set(shops[found.parts.judge])
    assert len(judged) == 1
    assert not judged & set(shops[found.parts.learn])
    assert "shop: left out: the test set and the folds have whole groups" in found.notes
    assert found.model.preparation.left_out == ("shop",)
    groups = np.repeat([7, 3, 5], 4)
    rows = SearchSamples(*np.zeros((5, 12, 1)), groups).held(3, 0)
    assert sorted(tuple(groups[fold]) for fold in rows) == [(3,) * 4, (5,) * 4, (7,) * 4]


def test_without_a_test_set_nothing_is_judged(tmp_path):
    found = _fitted(test_fraction=0)
    assert found.model.scores == {}
    assert len(found.parts.learn) == ROWS
    assert len(found.predicted) == len(found.actual) == 0
    assert "rows: 120 for training, in 2 folds; no test set" in found.notes
    assert "learned from all 120 rows" in found.notes
    for run, best in zip(found.model.runs, found.best.runs, strict=True):
        assert all(map(np.array_equal, run.weights, best.weights))
    found.model.save(tmp_path / "m.npz")
    assert fastgd.load(tmp_path / "m.npz").notes == found.model.notes


def test_weights_are_an_array_or_a_column_and_rows_of_weight_0_count_nothing():
    weights = np.where(np.arange(ROWS) < 30, 0.0, RANDOM.random(ROWS) + 0.1)
    as_array = _fitted(sample_weight=weights)
    other = TABLE.assign(price=np.where(weights == 0, 1e9, TABLE["price"]), weight=weights)
    as_column = _fitted(other, sample_weight="weight")
    rest = _fitted(TABLE[30:], sample_weight=weights[30:])
    assert as_array.model.scores == as_column.model.scores == rest.model.scores
    assert as_array.candidates[0].loss == rest.candidates[0].loss != _fitted().candidates[0].loss
    alike = _fitted(TABLE[30:]).candidates[0].runs[0]
    assert not np.array_equal(rest.candidates[0].runs[0].weights[0], alike.weights[0])
    assert "weight: left out: weights of the rows; 0 in 30 rows, left out" in as_column.notes
    assert as_column.model.preparation.names == as_array.model.preparation.names
    predicted = as_column.model.predict(TABLE)
    assert np.array_equal(predicted, as_array.model.predict(TABLE))
    judged = np.flatnonzero(weights)[as_array.parts.judge]
    expected = metrics.mean_absolute_error(
        TABLE["price"].iloc[judged], as_array.predicted, sample_weight=weights[judged]
    )
    assert as_array.model.scores["model"]["mean |error|"] == pytest.approx(expected)


def test_weights_of_classes_are_weights_of_rows_in_the_training_only():
    table = TABLE.drop(columns="price").assign(sort=np.where(TABLE["price"] > 8e5, "dear", "cheap"))
    plain, by_class = (_fitted(table, "sort", class_weight=w) for w in (None, {"dear": 3}))
    by_row = _fitted(table, "sort", sample_weight=np.where(table["sort"] == "dear", 3.0, 1.0))
    for mine, theirs in zip(by_class.model.runs, by_row.model.runs, strict=True):
        assert all(map(np.array_equal, mine.weights, theirs.weights))
    settings, same = ([one[:4] for one in fit.candidates] for fit in (by_class, by_row))
    assert settings == same  # chosen by losses with these weights, too
    assert by_class.model.scores["constant"] == plain.model.scores["constant"]
    rare = np.mean(table["sort"].iloc[plain.parts.learn] == "dear")
    balanced = {"cheap": 0.5 / (1 - rare), "dear": 0.5 / rare}
    ours, theirs = (_fitted(table, "sort", class_weight=w) for w in ("balanced", balanced))
    assert ours.candidates[0].loss == pytest.approx(theirs.candidates[0].loss, rel=1e-12)
    recall = "recall of dear"
    assert ours.model.scores["model"][recall] >= plain.model.scores["model"][recall]


@pytest.mark.parametrize("power", [1, 2, 3, -3])
def test_a_very_skewed_target_is_told(power):
    y = np.sign(power) * np.exp(abs(power) * np.random.default_rng(5).normal(size=ROWS))
    said = skewness_note("y", y, {"loss": "squared"})
    assert len(said) == (abs(skew(y)) > 5) == (abs(power) > 1)
    assert not said or said[0].startswith(f"y: very skewed (skewness {skew(y):.2g}): its most ")
    assert not skewness_note("y", y, {"loss": "absolute"})
    assert not said or _fitted({"x": y, "y": y}, "y").notes[1:2] == said


def test_balanced_classes_have_the_same_sum_of_sample_weights():
    weights = (np.arange(ROWS) % 3 + 1) * np.where(HOUSES["sort"] == "dear", 5, 1)
    given = {"target": "sort", "table": HOUSES.drop(columns="price"), "sample_weight": weights}
    ours = _fitted(class_weight="balanced", **given)
    rows = np.repeat(ours.parts.learn, weights[ours.parts.learn])  # a weight of 2 is a row twice
    factors = compute_class_weight("balanced", classes=np.unique(HOUSES.sort), y=HOUSES.sort[rows])
    theirs = _fitted(class_weight=dict(zip(np.unique(HOUSES.sort), factors, strict=True)), **given)
    for mine, other in zip(ours.candidates, theirs.candidates, strict=True):
        assert mine.loss == pytest.approx(other.loss, rel=1e-12)


def test_the_columns_that_are_judged_are_those_of_the_model():
    """Which ones are used is decided from the training rows, once."""
    rows, number = _fitted().parts, np.arange(ROWS) * 7
    number[rows.judge[0]] = number[rows.learn[0]]  # in all rows not all are different
    texts = np.where(np.isin(np.arange(ROWS), rows.judge[:5]), "odd", "same")
    found = _fitted(TABLE.assign(customer_id=number, nr=texts))
    assert found.model.preparation.left_out == ("customer_id", "nr")
    assert "nr: left out: every row has same" in found.notes
    assert any(note.startswith("customer_id: left out: it numbers") for note in found.notes)


def test_an_encoding_is_not_another_one_for_more_rows():
    rows = _fitted().parts
    city = np.where(np.isin(np.arange(ROWS), rows.judge[:5]), "Bonn", TABLE["city"])
    model = _fitted(TABLE.assign(city=city), encoding="target", max_categories=2).model
    assert "city=Oslo" in model.preparation.names


def test_a_score_may_choose_the_setting(priced):
    for scoring in ("r2", "neg_mean_absolute_error"):
        found = _fitted(scoring=scoring).candidates
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > 0 if scoring == "r2" else scores[-1] <= scores[0] < 0
    assert priced.candidates[0].score is None


@TEST_SETS
@pytest.mark.slow
def test_quantiles_are_learned_scored_and_saved(tmp_path, test_fraction):
    events, given = [], {"loss": "quantile", "parameters": {"tau": 0.8}}
    found = _fitted(**given, test_fraction=test_fraction, progress=events.append)
    lasts = [one for one, after in pairwise([*events, events[0]]) if after.done == 0]
    assert {one.done for one in lasts} == {events[0].total}  # also if a search ended early
    model = found.model
    assert 0.65 < (model.predict(TABLE) >= TABLE["price"]).mean() < 0.95
    if test_fraction:
        scores = model.scores
        assert scores["model"]["quantile loss"] < scores["constant"]["quantile loss"]
    model.save(tmp_path / "m.npz")
    assert np.array_equal(fastgd.load(tmp_path / "m.npz").predict(TABLE), model.predict(TABLE))
    losses = [one.loss for one in found.candidates]
    assert losses == sorted(losses)
    # They ended by their loss on the validation rows, not by the mean absolute error.
    assert {run.best_iteration for one in found.candidates for run in one.runs} == {None}
    assert {run.iterations % 20 for one in found.candidates for run in one.runs} == {0}


@TEST_SETS
@pytest.mark.slow
def test_counts_are_predicted_in_their_unit(test_fraction):
    x = RANDOM.normal(size=300)
    table = pd.DataFrame({"x": x, "n": RANDOM.poisson(20 * np.exp(0.5 * x))})
    found = _fitted(table, "n", loss="poisson", test_fraction=test_fraction)
    model, n = found.model, table["n"]
    assert f"mean {n.mean():g} and deviation {n.std(ddof=0):g}" in found.notes[0]
    assert model.predict({"x": [-1.0, 0.0, 1.0]}) == pytest.approx(
        20 * np.exp([-0.5, 0.0, 0.5]), rel=0.1
    )
    if test_fraction:
        scores = model.scores
        assert scores["model"]["Poisson deviance"] < 0.3 * scores["constant"]["Poisson deviance"]


def test_what_is_claimed_is_what_is_found_on_other_rows():
    """The error on the test set, and that of the returned model on rows that nobody has seen."""
    ratios = []
    for seed in range(9):
        random = np.random.default_rng(seed)
        x = random.normal(size=(1100, 2))
        y = x[:, 0] + random.normal(size=1100)
        table = {"x": x[:, 0], "z": x[:, 1], "y": y}
        model = fastgd.fit({n: c[:100] for n, c in table.items()}, "y", seed=seed, **SMALL)
        error = np.abs(model.predict(table) - y)[100:].mean()
        ratios.append(model.scores["model"]["mean |error|"] / error)
    assert 0.9 < np.median(ratios) < 1.12


def test_rows_without_a_target_are_left_out_and_that_is_said():
    some = HOUSES.drop(columns="sort").copy()
    some.loc[::4, "price"] = np.nan
    some.loc[0, "size"] = np.inf  # no matter
    found = fit_columns(columns_of(some), "price", CHOICES)
    assert found.notes[0] == "price: missing in 30 rows, left out"
    assert len(found.parts.learn) + len(found.parts.judge) == 90


def test_each_column_is_parsed_once(monkeypatch):
    parsed = []
    for name in ("_numbers", "_texts"):
        real = getattr(column_values, name)
        monkeypatch.setattr(
            column_values,
            name,
            lambda *a, real=real: parsed.append(len((a[1:] or a)[0])) or real(*a),
        )
    model = fastgd.fit(HOUSES, "price", drop=["sort"], **SMALL)
    assert parsed == [ROWS] * 4
    parsed.clear()
    model.predict(HOUSES)
    assert parsed == [ROWS] * 3


def test_many_rows_are_searched_by_some_of_them(monkeypatch, priced):
    monkeypatch.setattr("fastgd.models.fit_search.SEARCHED", 40)
    monkeypatch.setattr("fastgd.models.fit_search.FEWEST", 10)
    found = fit_columns(columns_of(HOUSES.drop(columns="sort")), "price", CHOICES)
    best, *others = found.candidates
    assert best.loss != priced.candidates[0].loss
    assert found.model.scores["model"]["R squared"] > 0.8
    held = folds_of(np.zeros(len(found.parts.learn), dtype=int), 2, 0)
    assert [run.options["batch_size"] for run in best.runs] == [20, 20]
    assert {run.options["batch_size"] for run in found.best.runs} == {32}
    assert held.shape == (2, len(found.parts.learn))
    assert others


# What a model does


def test_a_path_a_frame_and_a_dict_are_the_same_table(tmp_path, priced):
    HOUSES.to_csv(tmp_path / "houses.csv", index=False)
    expected = priced.model.predict(HOUSES)
    assert np.array_equal(priced.model.predict(tmp_path / "houses.csv"), expected)
    assert np.array_equal(priced.model.predict(str(tmp_path / "houses.csv")), expected)
    assert np.array_equal(priced.model.predict(columns_of(HOUSES)), expected)
    shuffled = HOUSES.sample(frac=1, random_state=1)
    assert np.array_equal(priced.model.predict(shuffled), expected[shuffled.index])


def test_what_is_new_is_warned_about(priced):
    odd = HOUSES.assign(city="Bonn")
    with pytest.warns(TrainingWarning, match="city: Bonn in 120 rows: not in the training"):
        predicted = priced.model.predict(odd)
    assert np.isfinite(predicted).all()
    assert priced.model.remarks(odd)[1:] == ["Not used: sort"]


def test_notes_are_those_of_the_preparation_and_of_the_training(priced):
    assert priced.model.notes[:-2] == priced.model.preparation.notes
    assert priced.model.notes[-3] == "numbers standardized: size"


WRONG = {
    "ragged": (
        {"size": [70, 71], "city": ["Rome"], "garden": [True]},
        r"columns must all have shape \(2,\), as 'size', got shape \(1,\) of 'city'",
    ),
    "column": (HOUSES.drop(columns=["size"]), "the table must have the column size"),
    "text": (
        HOUSES.assign(size="big"),
        "'size' must hold numbers, as in the training table.* got 'big'",
    ),
    "rows": (HOUSES[:0], "the table must have a row"),
}


@pytest.mark.parametrize("case", WRONG)
def test_tables_that_can_not_be_predicted(priced, case):
    table, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        priced.model.predict(table)


def test_numbers_have_no_probabilities(priced, sorted_out):
    with pytest.raises(
        ValueError, match="predict_proba needs a target with classes, got the numeric target"
    ):
        priced.model.predict_proba(HOUSES)
    assert priced.model.classes is None
    assert sorted_out.model.classes == ("cheap", "dear")


REFUSED = {
    "no column": ({"target": "prize"}, "target must be a column .* 'prize': did you mean price"),
    "dropped": ({"drop": ["price"]}, "drop must not name the target, got 'price'"),
    "kept target": ({"keep": ["price"]}, "keep must not name the target, got 'price'"),
    "letters to keep": ({"keep": "city"}, "keep must be a list of column names, got 'city'"),
    "odd encoding": ({"encoding": "mean"}, "encoding must be 'one-hot' or 'target', got 'mean'"),
    "to drop": ({"drop": ["town"]}, "drop must be a column of the table, got 'town'"),
    "letters": ({"drop": "city"}, "drop must be a list of column names, got 'city'"),
    "odd drop": ({"drop": 5}, "drop must be a list of column names, got 5"),
    "odd names": ({"drop": [None]}, "drop must name a column of the table, got None"),
    "odd target": ({"target": ["price"]}, r"target must name a column .*, got \['price'\]"),
    "share": (
        {"test_fraction": 1},
        "test_fraction must be a number of at least 0 and below 1, got 1",
    ),
    "folds": ({"folds": 1}, "folds must be at least 2, got 1"),
    "many folds": (
        {"folds": 97},
        r"folds must be at most the number of training rows \(96\), got 97",
    ),
    "size": ({"hidden_size": [0]}, "hidden_size.* must be at least 1, got 0"),
    "seed": ({"seed": -1}, "seed must be at least 0, got -1"),
    "classification": ({"classification": 1}, "classification must be True or False, got 1"),
    "sizes": (
        {"hidden_size": range(1, 10**9)},
        "an axis of hidden_size must have at most 10,000 values, got 999,999,999",
    ),
    "categories": ({"max_categories": -1}, "max_categories must be at least 0, got -1"),
    "standardize": ({"standardize": "no"}, "standardize must be True or False, got 'no'"),
    "threads": ({"threads": 0}, "threads must be at least 1, got 0"),
    "progress": ({"progress": "yes"}, "progress must be True, False or a function, got 'yes'"),
    "endless drop": ({"drop": range(10**12)}, "drop must be a column of the table, got '0'"),
    "drop twice": (
        {"drop": ["size", "size"]},
        "drop must name each column once, got 'size' twice",
    ),
    "keep": ({"keep": "size"}, "keep must be a list of column names, got 'size'"),
    "encoding": ({"encoding": "hash"}, "encoding must be 'one-hot' or 'target', got 'hash'"),
    "two test sets": (
        {"test_last": "size", "test_group": "city"},
        "test_last must be left out with test_group, got both",
    ),
    "no test set": (
        {"test_last": "size", "test_fraction": 0},
        "test_last must be left out with test_fraction=0, got 'size'",
    ),
    "kept groups": (
        {"test_group": "size", "keep": ["size"]},
        "keep must not name the column of test_group, got 'size'",
    ),
    "no order": ({"test_last": "town"}, "test_last must be a column of the table, got 'town'"),
    "odd order": ({"test_last": 1.5}, "test_last must name a column of the table, got 1.5"),
    "strings in order": (
        {"test_last": "city"},
        "test_last must be numbers or dates, got '(Oslo|R)",
    ),
    "target in order": ({"test_last": "price"}, "test_last must not name the target, got 'price'"),
    "no group": ({"test_group": "town"}, "test_group must be a column of the table, got 'town'"),
    "few groups": (
        {"test_group": "city"},
        r"test_group must have more groups than folds \(5\), got 2 in 'city'",
    ),
    "missing groups": (
        {"table": HOUSES.assign(city=[None] + ["Oslo"] * 119), "test_group": "city"},
        "test_group must have no missing values, got one in row 1 of 'city'",
    ),
    "negative weight": (
        {"sample_weight": [1.0] * 119 + [-1.0]},
        "sample_weight must be at least 0, got -1 in row 120 of 'sample_weight'",
    ),
    "infinite weight": (
        {"sample_weight": [1.0] * 119 + [np.inf]},
        "sample_weight must have finite numbers, got inf in row 120 of 'sample_weight'",
    ),
    "no weight": ({"sample_weight": np.zeros(ROWS)}, "above 0 in at least one row, got 0 in all"),
    "missing weight": (
        {"sample_weight": [1.0] * 119 + [None]},
        "sample_weight must have no missing values, got one in row 120",
    ),
    "few weights": ({"sample_weight": [1.0]}, r"got shape \(1,\) of 'sample_weight'"),
    "named weights": ({"sample_weight": "city"}, "sample_weight must be numbers, got '(Oslo|R)"),
    "target as weight": (
        {"sample_weight": "price"},
        "sample_weight must not name the target, got 'price'",
    ),
    "loss": ({"loss": "quantil"}, "loss must be .*, got 'quantil': did you mean 'quantile'"),
    "two outputs": ({"loss": "gaussian"}, "one output for each target, got 'gaussian'"),
    "loss of classes": (
        {"loss": "cross_entropy"},
        "loss must not be 'cross_entropy' for the numeric target 'price'",
    ),
    "loss of numbers": (
        {"target": "sort", "loss": "huber"},
        "loss must be 'cross_entropy' for the class target 'sort', got 'huber'",
    ),
    "tau alone": ({"tau": 0.5}, "unexpected keyword argument 'tau': tau is a parameter of loss="),
    "tau": ({"loss": "quantile", "tau": 1}, "tau must be a number above 0 and below 1, got 1"),
    "counts": (
        {"table": HOUSES.assign(price=[None, 5, -1.0, *range(117)]), "loss": "poisson"},
        "loss='poisson' needs a target of counts, at least 0, got -1 in row 3",
    ),
    "scoring": ({"scoring": "f1"}, "scoring must be 'accuracy', .*, got 'f1'"),
    "scoring of classes": (
        {"scoring": "roc_auc"},
        "scoring must be 'r2', .* for the numeric target 'price', got 'roc_auc'",
    ),
    "scoring of numbers": ({"target": "sort", "scoring": "r2"}, "scoring must be 'accuracy', .*"),
    "class weight": (
        {"target": "sort", "class_weight": "even"},
        "class_weight must be 'balanced' or a dict of a number for each class, got 'even'",
    ),
    "other class": (
        {"target": "sort", "class_weight": {"chaep": 2}, "drop": [*HOUSES.columns.drop("sort")]},
        "class_weight must be of the classes cheap, dear, got 'chaep': did you mean cheap",
    ),
    "odd class weight": (
        {"target": "sort", "class_weight": {"cheap": 0}},
        "class_weight must be a finite number above 0, got 0",
    ),
    "class weight of numbers": (
        {"class_weight": "balanced"},
        "class_weight needs a target of classes, got the numeric target 'price'",
    ),
    "few rows": ({"table": HOUSES[:9]}, "at least 10 rows with a target, got 9 rows"),
    "constant": ({"table": HOUSES.assign(price=1.0)}, "different numbers, got 1 in every row"),
    "nothing": (
        {"table": HOUSES.assign(price=None)},
        "must have a value in at least one row, got none",
    ),
    "names": (
        {"table": HOUSES.assign(price=[f"n{k}" for k in range(ROWS)])},
        "target 'price' must have at most 100 classes, got 120 different ones in 120 rows, such as "
        "'n0', 'n1': merge them, or clean them if they are numbers, or allow them by max_classes$",
    ),
    "names that repeat": (
        {"table": HOUSES.assign(price=[f"n{k}" for k in range(ROWS)]), "max_classes": 120},
        "target 'price' must have labels that repeat, got 120 different ones in 120 rows, such as",
    ),
    "classes": ({"max_classes": 1}, "max_classes must be at least 2, got 1"),
    "only target": ({"table": HOUSES[["price"]]}, "must have a column to learn from, got none"),
    "no table": ({"table": [1, 2]}, "a table must be a DataFrame or a dict of columns"),
    "series": ({"table": HOUSES["price"]}, r"a table must be a DataFrame .*\(of type Series\)"),
    "ragged": (
        {"table": {"x": [1.0] * 30, "price": [1.0, 2.0] * 10}},
        r"columns must all have shape \(30,\), as 'x', got shape \(20,\) of 'price'",
    ),
    "ragged input": (
        {"table": {"price": [1.0, 2.0] * 10, "x": [1.0] * 30}},
        r"columns must all have shape \(20,\), as 'price', got shape \(30,\) of 'x'",
    ),
    "number": ({"table": {"x": 5, "price": [1.0, 2.0]}}, r"shape \(rows,\), got shape \(\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_fitted_is_refused(case):
    given, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        fastgd.fit(**{"table": HOUSES, "target": "price"} | given)


@pytest.mark.parametrize(
    ("rows", "classes", "available", "message"),
    [
        (5000, 1000, 10**8, "targets of 1,000 classes, one-hot, must fit .* of 120 MB"),
        (
            1000,
            100,
            2 * 10**7,
            "the search must fit .*: fewer classes, rows or hidden sizes need less",
        ),
    ],
)
def test_what_takes_too_much_memory_is_refused(monkeypatch, rows, classes, available, message):
    monkeypatch.setattr(memory, "available_memory", lambda: available)
    table = {"x": np.arange(rows) % 7, "y": [f"class {k % classes}" for k in range(rows)]}
    with pytest.raises(ValueError, match=message):
        fastgd.fit(table, "y", hidden_size=[500], max_classes=1000)


def test_choices_are_checked_before_a_table_is_read():
    for wrong in ({"folds": 1}, {"progress": 1}, {"drop": 5}, {"target": None}):
        with pytest.raises((TypeError, ValueError), match=f"{next(iter(wrong))} must"):
            fastgd.fit(**{"table": "no such file.csv", "target": "price"} | wrong)


def test_a_row_is_no_table(priced):
    with pytest.raises(TypeError, match=r"a table must be a DataFrame .* Series"):
        priced.model.predict(HOUSES.iloc[0])


def test_columns_may_have_numbers_for_names():
    table = pd.DataFrame({1: HOUSES["size"], 2: HOUSES["price"], 3: 0})
    model = fastgd.fit(table, 2, drop=[3], **SMALL)
    assert model.preparation.names == ("1",)
    assert len(model.predict(table)) == ROWS


# Its file


def test_saved_and_loaded_it_is_the_same(tmp_path, priced, sorted_out):
    for found in (priced, sorted_out):
        found.model.save(tmp_path / "model.npz")
        loaded = fastgd.load(tmp_path / "model.npz")
        assert isinstance(loaded, Model)
        assert repr(loaded) == repr(found.model)
        assert len({loaded, found.model}) == 1
        fastgd.assert_equal(loaded, found.model)
        assert np.array_equal(loaded.predict(HOUSES), found.model.predict(HOUSES))


def test_models_of_other_networks_columns_or_scores_differ(priced, sorted_out):
    model = priced.model
    told = replace(model, scores=model.scores | {"guess": {"error": 1.0}})
    for other, first in (
        (replace(model, runs=model.runs[1:] + model.runs[:1]), r"runs\[0\]|run_0"),
        (sorted_out.model, "target_0"),
        (replace(model, targets=sorted_out.model.targets), "target_0"),
        (told, r"scores\['guess'\]\['error'\]: None and 1.0"),
    ):
        assert other != model
        with pytest.raises(AssertionError, match=f"differ first in ({first})"):
            fastgd.assert_equal(model, other)


@pytest.mark.slow
def test_it_predicts_without_pandas(tmp_path, priced):
    priced.model.save(tmp_path / "model.npz")
    HOUSES[:3].to_csv(tmp_path / "new.csv", index=False)
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "import fastgd; print(fastgd.load('model.npz').predict('new.csv').tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == priced.model.predict(HOUSES[:3]).tolist()


@pytest.fixture
def members(tmp_path, priced):
    """The arrays of a file, and what writes them again."""
    path = tmp_path / "model.npz"
    priced.model.save(path)
    with np.load(path) as arrays:
        found = dict(arrays)

    def write(**changes):
        changed = {name: array for name, array in (found | changes).items() if array is not None}
        facts = json.loads(str(changed["fastgd"])) | {"members": list(changed)[1:]}
        np.savez(path, **changed | {"fastgd": np.array(json.dumps(facts))})
        return path

    return found, write


DAMAGED = {
    "no preparation": {"preparation": None},
    "odd preparation": {"preparation": np.array("{}")},
    "other inputs": {"run_0_weights_0": np.zeros((3, 4))},
    "no target": {"target_0": None},
    "odd target": {"target_0": np.array("[]")},
    "no weights": {"run_1_weights_1": None},
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_models_are_refused_in_a_line(members, case):
    _, write = members
    assert isinstance(fastgd.load(write()), Model)
    path = write(**DAMAGED[case])
    with pytest.raises(ValueError, match=r"model.npz must be a whole file that fastgd has saved$"):
        fastgd.load(path)


def test_files_of_models_that_had_no_notes_are_read(members):
    found, write = members
    facts = json.loads(str(found["fastgd"]))
    del facts["notes"]
    assert fastgd.load(write(fastgd=np.array(json.dumps(facts)))).training_notes == ()


@pytest.mark.parametrize(
    "facts", [{"runs": []}, {"notes": [1]}, {"targets": 0}, {"scores": 1}, {"runs": 7}], ids=str
)
def test_damaged_facts_are_refused_in_a_line(members, facts):
    found, write = members
    changed = json.loads(str(found["fastgd"])) | facts
    path = write(fastgd=np.array(json.dumps(changed)))
    with pytest.raises(ValueError, match=r"model.npz must be a whole file that fastgd has saved$"):
        fastgd.load(path)


def test_nothing_in_its_file_is_pickled(tmp_path, priced):
    priced.model.save(tmp_path / "model.npz")
    with zipfile.ZipFile(tmp_path / "model.npz") as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                assert np.lib.format.read_array(member, allow_pickle=False).dtype.kind in "fiUb"


def test_large_hidden_sizes_need_rows_unless_they_are_asked_for():
    def samples(rows, inputs):
        return SearchSamples(
            np.zeros((rows, inputs)), np.zeros((rows, 1)), *[np.zeros(rows)] * 3, None
        )

    assert sizes_for(samples(1000, 20), Choices(hidden_size=HIDDEN_SIZES)) == HIDDEN_SIZES
    assert sizes_for(samples(100, 20), Choices(hidden_size=HIDDEN_SIZES)) == [(), (16,)]
    assert sizes_for(samples(10, 20), Choices(hidden_size=HIDDEN_SIZES)) == [()]
    assert sizes_for(samples(10, 20), Choices(hidden_size=[(64,)])) == [(), (64,)]
    assert sizes_for(samples(1000, 20), Choices(solver="lm")) == [(), (4,), (8,), (16,)]
    assert sizes_for(samples(1000, 40), Choices(solver="lm")) == [(), (4,), (8,)]


@pytest.mark.slow
def test_levenberg_marquardt_finds_what_has_no_noise():
    x = np.linspace(-3, 3, 120)
    columns = {"x": x, "y": np.sin(x)}
    model = fastgd.fit(columns, "y", solver="lm", hidden_size=4, folds=2)
    assert model.scores["model"]["R squared"] > 0.9999
    [*_, run] = model.runs
    assert run.options["regularization"] == "bayesian"
    assert run.effective_parameters > 5


def test_levenberg_marquardt_is_for_sums_of_squares():
    x = np.linspace(-3, 3, 120)
    columns = {"x": x, "y": np.sin(x)}
    with pytest.raises(
        ValueError, match="solver must be 'adam' for the class target 'y', got 'lm'"
    ):
        fastgd.fit({"x": x, "y": x > 0}, "y", solver="lm")
    with pytest.raises(
        ValueError, match=r"solver must be 'adam' for .* and loss='huber', got 'lm'"
    ):
        fastgd.fit(columns, "y", solver="lm", loss="huber")
    with pytest.raises(ValueError, match="solver must be 'adam' or 'lm', got 'sgd'"):
        fastgd.fit(columns, "y", solver="sgd")


def test_what_is_kept_what_leaks_and_the_mean_of_the_target():
    table = HOUSES.drop(columns="sort").assign(tax=HOUSES.price / 9, row=range(ROWS))
    model = fastgd.fit(
        table, "price", keep=["row"], encoding="target", max_categories=1, test_fraction=0, **SMALL
    )
    assert model.preparation.names == ("size", "city", "garden", "tax", "row")
    assert model.notes[-2].startswith("tax: alone it explains over 99.9 % of price: is it known")
    with pytest.warns(TrainingWarning, match="city: Bonn .* these rows have the mean"):
        assert model.predict(table.assign(city="Bonn")).shape == (ROWS,)
