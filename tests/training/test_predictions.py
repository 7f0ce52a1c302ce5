"""Predictions of a sweep are bit-identical to those of each run."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import fastgd
from cases import SWISH
from fastgd.arguments.subsets import check_partition
from fastgd.checks import numbers as memory
from fastgd.engine import prediction
from fastgd.optimizers import Adam, Momentum
from fastgd.training.run import all_outputs
from thinning import only

RANDOM = np.random.RandomState(4)
X, Y = RANDOM.random_sample((12, 3)), RANDOM.random_sample((12, 2))
NEW = RANDOM.random_sample((7, 3))
SETTINGS = {"iterations": 20, "threads": 1}
STARTS = [[np.full((3, 2), v), np.full((2, 2), -v)] for v in (0.1, 0.2, 0.3)]
CASES = {
    "networks": {
        "hidden_size": [2, (3, 2), ()], "activation": ["sigmoid", "tanh"], "bias": [False, True],
        "alpha": [0.1, 1.0],
    },
    "batch norm": {
        "hidden_size": [2, 5], "batch_norm": True, "batch_size": 5, "alpha": [0.1, 1.0],
        "seed": range(3),
    },
    "optimizers": {"batch_norm": True, "batch_size": 5, "optimizer": [Momentum(), Adam()]},
    "values": {"dropout": [0.0, 0.3], "output": "identity", "l2": [0, 0.1], "alpha": [0.01, 0.02]},
    "starts": {"weights": STARTS, "alpha": [1.0, (0.5, 2.0)]},
    "no axis": {"dropconnect": 0.2},
    "numbers of functions": {
        "activation": SWISH, "beta": [0.5, 2.0], "output": "identity", "bias": [False, True],
        "loss": "huber", "delta": [0.1, 1.0], "optimizer": Adam(), "seed": [1, 2],
    },
}  # fmt: skip


@pytest.mark.parametrize("case", only(CASES, "networks", "batch norm", "no axis"))
def test_all_outputs_are_those_of_the_runs_alone(case):
    sweep = fastgd.sweep(X, Y, **CASES[case], **SETTINGS)
    outputs = sweep.predict(NEW)
    assert outputs.shape == (*sweep.shape, 7, 2)
    for index in np.ndindex(*sweep.shape):
        assert outputs[index].tobytes() == sweep[index].predict(NEW).tobytes(), index
    assert sweep.predict(NEW.tolist()).tobytes() == outputs.tobytes()


def test_a_part_has_its_part_of_the_outputs():
    sweep = fastgd.sweep(X, Y, **CASES["batch norm"], **SETTINGS)
    outputs = sweep.predict(NEW)
    assert sweep[1, :, ::2].predict(NEW).tobytes() == outputs[1, :, ::2].tobytes()


def test_a_run_that_diverged_spoils_no_other():
    sweep = fastgd.sweep(X, Y, alpha=[1, 2, 3], **SETTINGS)
    outputs = sweep.predict(NEW)
    sweep.kept_weights[0][1, 0] = np.inf  # a sigmoid would make 0 or 1 of that
    outputs[1] = np.nan
    np.testing.assert_array_equal(sweep.predict(NEW), outputs)


LABELS = ["b", "a", "c", "b"] * 3


@pytest.fixture(scope="module")
def grouped():
    """Networks of three groups."""
    axes = {"hidden_size": [2, (3, 2)], "alpha": [0.1, 1.0, 3.0], "l1": [0, 0.1], "threads": 1}
    sweep = fastgd.sweep(X, Y, **axes, iterations=20)
    axes = {"hidden_size": [(2,), (3, 2)], "group": ["a", "b", "c"], "l1": [0.0, 0.1]}
    return replace(sweep, axes=axes, partition=check_partition(X, Y, groups=LABELS))


def test_each_row_goes_through_the_networks_of_its_group(grouped):
    labels = ["c", "a", "a", "c", "a", "c", "c"]
    outputs = grouped.predict(NEW, groups=labels)
    assert outputs.shape == (2, 2, 7, 2)
    for hidden, l1 in np.ndindex(2, 2):
        for row, label in enumerate(labels):
            run = grouped[hidden, "abc".index(label), l1]
            alone = run.predict(NEW[row : row + 1])[0]
            assert outputs[hidden, l1, row].tobytes() == alone.tobytes()
    assert grouped[0, [2, 0, 2], 1].predict(NEW, groups=labels).tobytes() == outputs[0, 1].tobytes()


def test_without_labels_the_group_is_an_axis(grouped):
    outputs = grouped.predict(NEW)
    assert outputs.shape == (2, 3, 2, 7, 2)
    assert outputs[1, 2, 0].tobytes() == grouped[1, 2, 0].predict(NEW).tobytes()
    assert grouped[:, 2].predict(NEW).tobytes() == outputs[:, 2].tobytes()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X": NEW[:, :2]}, r"X must have one column for each input of the network \(3\)"),
        ({"X": NEW[0]}, "X must have shape"),
        ({"X": [[1.0, 2.0, np.nan]]}, "X must be finite"),
        ({"groups": ["a", "b"]}, r"groups must have shape \(7,\), one label for each sample of X"),
        ({"groups": ["a"] * 5 + ["bb", "b"]}, r"must have labels that the sweep has networks for, "
         r"\['a', 'b', 'c'\], got 'bb' at \[5\]: did you mean b"),
        ({"groups": [1] * 7}, r"got 1 at \[0\]$"),
        ({"groups": ["a"] * 6 + [None]}, r"groups must have no missing labels, got None at \[6\]"),
    ],
)  # fmt: skip
def test_what_can_not_be_predicted(grouped, given, message):
    with pytest.raises(ValueError, match=message):
        grouped.predict(**{"X": NEW} | given)


def test_labels_need_an_axis_of_groups(grouped):
    for sweep, has in ((grouped[:, 0], "hidden_size, l1"), (grouped[:1, 1, 0], "hidden_size")):
        with pytest.raises(
            ValueError, match=rf"no axis is called group: this sweep has {has}, got"
        ):
            sweep.predict(NEW, groups=["a"] * 7)
    with pytest.raises(ValueError, match="this sweep has no axis, got"):
        fastgd.sweep(X, Y, **SETTINGS).predict(NEW, groups=["a"] * 7)


def test_what_was_not_kept_predicts_nothing():
    sweep = fastgd.sweep(X, Y, alpha=[1, 2], **SETTINGS, keep_weights=False)
    with pytest.raises(
        ValueError, match="predict needs the weights of all runs, and this sweep was"
    ):
        sweep.predict(NEW)


def test_outputs_that_do_not_fit_are_rejected(monkeypatch):
    sweep = fastgd.sweep(X, Y, seed=range(100), **SETTINGS)
    monkeypatch.setattr(memory, "ALWAYS_FITS", 0)
    monkeypatch.setattr(memory, "available_memory", lambda: 8 * 100 * 7 * 2 - 1)
    with pytest.raises(
        ValueError,
        match=r"the prediction must fit .* got a need of 11\.2 kB: fewer "
        "samples, or a selection of the sweep, need less",
    ):
        sweep.predict(NEW)


def test_a_few_rows_have_the_outputs_that_they_have_among_many():
    run = fastgd.train(X, Y, **SETTINGS | {"alpha": 0.1})
    rows = RANDOM.random_sample((prediction.TOGETHER + 1, 3))
    outputs = run.predict(rows)
    for count in (1, 3, 4, 5, prediction.TOGETHER, 2):
        assert run.predict(rows[:count]).tobytes() == outputs[:count].tobytes(), count
    run.weights[0][0] += 1.0  # what is kept of a run is not its parameters
    changed = run.predict(rows)
    assert run.predict(rows[:2]).tobytes() == changed[:2].tobytes() != outputs[:2].tobytes()


def test_outputs_of_the_last_call_stay_what_they_are():
    run = fastgd.train(X, Y, **SETTINGS)
    first = run.predict(NEW[:2])
    kept = first.copy()
    run.predict(NEW[2:4])
    np.testing.assert_array_equal(first, kept)


def test_threads_may_predict_a_few_rows_with_the_same_network():
    run = fastgd.train(X, Y, **SETTINGS)
    rows = RANDOM.random_sample((200, 3))
    with ThreadPoolExecutor(4) as pool:
        found = np.concatenate(list(pool.map(lambda row: run.predict(row[None]), rows)))
    assert found.tobytes() == run.predict(rows).tobytes()


def test_calls_that_are_kept_have_a_bound_on_their_memory(monkeypatch):
    def predicted(seed):
        run = fastgd.train(X, Y, **SETTINGS, seed=seed)
        assert run.predict(NEW).tobytes() == run.predict(np.tile(NEW, (50, 1)))[:7].tobytes()
        return run

    prediction._kept.clear()
    first = predicted(0)
    [(_, forward), *_] = prediction._kept.values()
    monkeypatch.setattr(prediction, "KEPT_BYTES", 3 * forward.bytes)
    runs = [first, *map(predicted, range(1, 6))]
    kept = [alive() for alive, _ in prediction._kept.values()]
    assert sum(each.bytes for _, each in prediction._kept.values()) <= prediction.KEPT_BYTES
    assert kept[-1] is runs[-1]  # those used last
    assert first not in kept
    monkeypatch.setattr(prediction, "KEPT_BYTES", 0)
    assert predicted(7).predict(NEW).shape == (7, 2)


def test_a_kept_call_is_not_mistaken_for_that_of_another_owner_at_the_same_place():
    run, other = (fastgd.train(X, Y, **SETTINGS, hidden_size=size) for size in (2, 5))
    expected = other.predict(NEW)
    run.predict(NEW)
    prediction._kept = type(prediction._kept)(
        {(id(other), *key[1:]): kept for key, kept in prediction._kept.items() if key[0] == id(run)}
    )
    assert other.predict(NEW).tobytes() == expected.tobytes()


@pytest.mark.parametrize("rows", [5, 300])
def test_outputs_of_several_networks_are_those_of_each(rows):
    sweep = fastgd.sweep(X, Y, **CASES["numbers of functions"], **SETTINGS)
    runs = [sweep[1, i, j, k] for i, j, k in np.ndindex(2, 2, 2)]
    table = RANDOM.random_sample((rows, 3))
    outputs = all_outputs(runs[0], runs, table)
    for run, found in zip(runs, outputs, strict=True):
        assert found.tobytes() == run.predict(table).tobytes()
