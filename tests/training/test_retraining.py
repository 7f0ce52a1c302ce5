"""A run whose weights were not kept is trained again, bit-identically."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from test_results import same

import fastgd
from cases import OPTIONS
from fastgd.arguments.samples import TrainingData, check_validation
from fastgd.arguments.subsets import check_partition
from fastgd.optimizers import Adam, Momentum
from fastgd.training.training_job import TrainingSource
from thinning import only

RANDOM = np.random.RandomState(9)
X, Y = RANDOM.random_sample((8, 3)), RANDOM.random_sample((8, 2))
STARTS = [[np.full((3, 2), v), np.full((2, 2), -v)] for v in (0.1, 0.2, 0.3)]
SETTINGS = {"iterations": 30, "record_every": 10, "threads": 1}
EVERYTHING = OPTIONS["everything in epochs"].options | {"optimizer": Adam([0.5, 0.9])}
CASES = {
    "networks": {
        "hidden_size": [2, (3, 2)], "optimizer": [Momentum(0.5), Adam()], "alpha": [0.1, 1.0],
        "seed": [4, 5],
    },
    "values": {"optimizer": Momentum([0.1, 0.5]), "patience": [None, 9]},
    "values and a penalty": {
        "optimizer": Momentum([0.1, 0.5]), "l2": [0.0, 0.1], "patience": [None, 9],
    },
    "starts": {"weights": STARTS, "dropout": 0.3, "seed": 7, "alpha": [1.0, (0.5, 2.0)]},
    "one start": {"weights": STARTS[1], "dropout": 0.3, "seed": 7, "alpha": [1.0, 2.0]},
    "everything": EVERYTHING | {"seed": [1, 2], "summary": 3},
    "weighted": {"sample_weight": RANDOM.random_sample(8), "alpha": [1, 2]},
    "no axis": {},
}  # fmt: skip


def alike(a, b):
    """But for the state, which every run of train() has, and what goes with it."""
    return same(*(replace(run, state=None, sample_hashes=None) for run in (a, b)))


@pytest.mark.parametrize(
    "case", only(CASES, *(set(CASES) - {"everything", "values and a penalty"}))
)
def test_a_run_that_was_not_kept_is_trained_again(case):
    kept, lost = (
        fastgd.sweep(X, Y, **CASES[case], **SETTINGS, keep_weights=keep) for keep in (True, False)
    )
    assert kept.source is None
    assert all(map(alike, lost, kept))
    assert alike(lost.best(), kept.best())
    if kept.axes:
        assert all(
            map(
                alike,
                lost[1:] if len(kept.shape) > 1 else lost,
                kept[1:] if len(kept.shape) > 1 else kept,
            )
        )
        last = (-1,) * len(kept.shape)
        assert alike(lost[last], kept[last])


def test_a_part_remembers_the_initial_weights_that_it_has_dropped():
    sweep = fastgd.sweep(X, Y, weights=STARTS, alpha=[1, 2], **SETTINGS, keep_weights=False)
    alone = fastgd.train(X, Y, weights=STARTS[2], alpha=2, iterations=30, record_every=10)
    assert alike(sweep[:, 2][1], alone)
    assert alike(sweep[:, 1:][1, 1], alone)


def test_other_samples_are_noticed():
    inputs = X.copy()
    sweep = fastgd.sweep(inputs, Y, alpha=[1, 2], **SETTINGS, keep_weights=False)
    inputs[0, 0] += 1
    with pytest.raises(
        ValueError, match=r"or another array that the sweep was given has changed: its"
    ):
        sweep[1]


def test_initial_networks_are_the_callers_to_change():
    """Weights and biases are copied, samples aren't."""
    given = {"weights": [layer.copy() for layer in STARTS[1]], "biases": [np.ones(2), np.ones(2)]}
    sweep = fastgd.sweep(X, Y, alpha=[1, 2], bias=True, **given, **SETTINGS, keep_weights=False)
    kept = fastgd.sweep(X, Y, alpha=[1, 2], bias=True, **given, **SETTINGS)
    for array in (*given["weights"], *given["biases"]):
        array += 1
    assert all(map(alike, sweep, kept))


def test_a_file_has_no_samples_to_train_on(tmp_path):
    sweep = fastgd.sweep(X, Y, alpha=[1, 2], **SETTINGS, keep_weights=False)
    sweep.save(tmp_path / "sweep.npz")
    loaded = fastgd.load(tmp_path / "sweep.npz")
    for ask in (lambda: loaded[0], loaded.best, lambda: list(loaded)):
        with pytest.raises(ValueError, match="keep_weights=False, and comes from a file"):
            ask()


def test_what_resumes_is_trained_again_from_its_beginning(tmp_path):
    for given in ({"weights": STARTS[1]}, {"weights": STARTS}, {"seed": [3, 4]}):
        whole = SETTINGS | given | {"alpha": [1, 2]}
        first = fastgd.sweep(X, Y, **whole, keep_weights=False, keep_state=True)
        kept = fastgd.sweep(X, Y, **whole | {"iterations": 55})
        index = (slice(None), -1)[: len(kept.shape)]
        for before, wanted in ((first, kept), (first[index], kept[index])):
            both = fastgd.sweep(X, Y, resume=before, iterations=25)
            assert both.kept_weights is None
            assert all(map(alike, both, wanted))
    first = fastgd.sweep(X, Y, weights=STARTS[1], **SETTINGS, keep_weights=False, keep_state=True)
    first.save(tmp_path / "first.npz")
    both = fastgd.sweep(X, Y, resume=fastgd.load(tmp_path / "first.npz"), iterations=25)
    with pytest.raises(ValueError, match="or resumes one that does"):
        both.best()


def test_a_run_that_diverged_does_not_warn_again():
    linear = {"activation": "identity", "output": "identity", "alpha": [1e30]}
    sweep = fastgd.sweep(X, Y, **linear, **SETTINGS, keep_weights=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sweep[0].status == "diverged"


def test_the_samples_of_a_part_are_its_rows_with_their_weights():
    labels = np.array(["b", "a", "b", "a", "b", "b", "b", "b"])
    weights = RANDOM.random_sample((2, 8))
    parts = check_partition(X, Y, groups=labels, folds=2, sample_weight=weights)
    source = TrainingSource(TrainingData(X, Y, 30, 10))
    part = parts.part(5)  # group b, fold 0, the second row of weights
    given = source.samples(part)
    rows = np.flatnonzero(labels == "b")
    held, rows = rows[:3], rows[3:]
    assert same(given["X"], X[rows])
    assert same(given["y"], Y[rows])
    assert same(part.weight, weights[1][rows])
    assert same(given["validation"], (X[held], Y[held], weights[1][held]))
    plain = source.samples(check_partition(X, Y, folds=3).part(0))
    assert plain.pop("gradients") is None
    assert same(plain, {"X": X[3:], "y": Y[3:], "validation": (X[:3], Y[:3])})


def test_validation_samples_of_all_runs_go_with_the_source():
    for given in ((X, Y), (X, Y, np.ones(8))):
        source = TrainingSource(
            TrainingData(X, Y, 30, 10, validation=check_validation(given, 3, 2))
        )
        assert same(tuple(source.samples(None)["validation"]), given)
        part = check_partition(X, Y, sample_weight=np.ones((2, 8))).part(1)
        assert same(tuple(source.samples(part)["validation"]), given)
