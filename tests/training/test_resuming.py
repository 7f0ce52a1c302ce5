"""Resuming a training: arguments that are left out or differ, and what can't be resumed."""

import re
from dataclasses import replace

import numpy as np
import pytest

import fastgd
from fastgd.checks.messages import TrainingWarning
from fastgd.optimizers import Adam, Momentum
from fastgd.store import npz

RANDOM = np.random.default_rng(9)
X, Y = RANDOM.normal(size=(12, 3)), RANDOM.random((12, 1))
HELD = (X[:5] + 1, Y[:5])
WEIGHT = np.arange(1.0, 13.0)
GIVEN = {
    "hidden_size": (5, 2),
    "alpha": (0.3, 0.2, 0.1),
    "seed": 7,
    "record_every": 7,
    "optimizer": Momentum(0.5),
    "bias": True,
    "batch_size": 5,
    "dropout": 0.25,
    "sample_weight": WEIGHT,
    "record_weights": True,
}


def equal(one, other):
    for name in (
        "alpha",
        "hidden_size",
        "seed",
        "errors",
        "recorded",
        "weights",
        "direction_changes",
        "final_error",
        "losses",
        "final_loss",
        "status",
        "iterations",
        "biases",
        "validation_errors",
        "final_validation_error",
        "best_iteration",
        "recorded_weights",
        "recorded_biases",
    ):
        np.testing.assert_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name, array in one.state._asdict().items():
        np.testing.assert_array_equal(array, getattr(other.state, name), err_msg=name)


@pytest.fixture(scope="module")
def run():
    return fastgd.train(X, Y, iterations=20, **GIVEN)


@pytest.mark.parametrize("repeated", [{}, GIVEN], ids=["left out", "given again"])
def test_what_is_left_out_is_as_it_was(run, repeated):
    on = fastgd.train(X, Y, resume=run, iterations=25, **repeated)
    equal(on, fastgd.train(X, Y, iterations=45, **GIVEN))
    assert on.options.keys() == run.options.keys()


def test_in_many_steps_and_through_a_file(tmp_path):
    given = {"alpha": 0.5, "patience": 30, "restore_best": True, "validation": HELD}
    on = fastgd.train(X, Y, iterations=10, record_every=4, **given)
    for step in (1, 2, 7, 30):
        on.save(tmp_path / "run.npz")
        on = fastgd.train(
            X, Y, resume=fastgd.load(tmp_path / "run.npz"), iterations=step, validation=HELD
        )
    equal(on, fastgd.train(X, Y, iterations=50, record_every=4, **given))


def test_a_run_from_given_weights_resumes():
    start = fastgd.train(X, Y, iterations=3)
    given = {"weights": start, "seed": 5, "dropout": 0.5}
    first = fastgd.train(X, Y, iterations=9, **given)
    assert first.seed is None
    equal(
        fastgd.train(X, Y, resume=first, iterations=4),
        fastgd.train(X, Y, iterations=13, **given),
    )


def test_a_run_that_had_ended_stays_ended():
    given = {"alpha": 1.0, "tolerance": 0.3, "record_every": 5}
    first = fastgd.train(X, Y, iterations=300, **given)
    assert (first.status, first.iterations < 300) == ("converged", True)
    on = fastgd.train(X, Y, resume=first, iterations=100)
    equal(on, fastgd.train(X, Y, iterations=400, **given))
    assert len(on.errors) == 80


def test_a_run_that_only_the_last_evaluation_ended_resumes():
    """With mini-batches the error is evaluated once per epoch, and once more at the very end."""
    given = {"alpha": 0.1, "batch_size": 5, "patience": 1}
    ended = [fastgd.train(X, Y, iterations=n, **given) for n in range(1, 8)]
    last = [run for run in ended if run.status == "stalled" and run.iterations % 3]
    assert last
    for run in last:
        on = fastgd.train(X, Y, resume=run, iterations=9)
        equal(on, fastgd.train(X, Y, iterations=run.iterations + 9, **given))


DIFFERENT = [
    ("alpha", 1.0),
    ("alpha", (0.3, 0.2, 0.5)),
    ("hidden_size", 4),
    ("seed", 1),
    ("record_every", 10_000),
    ("record_weights", False),
    ("optimizer", Momentum()),
    ("optimizer", Adam()),
    ("bias", False),
    ("batch_size", None),
    ("dropout", 0.0),
    ("sample_weight", WEIGHT + 1),
    ("l2", 0.5),
    ("patience", 3),
]


@pytest.mark.parametrize(
    ("name", "value"), DIFFERENT, ids=[f"{n}-{i}" for i, (n, _) in enumerate(DIFFERENT)]
)
def test_what_differs_is_named_even_if_it_is_the_default(run, name, value):
    with pytest.raises(ValueError, match=f"^{name} must be left out with resume, or as it was"):
        fastgd.train(X, Y, resume=run, iterations=5, **{name: value})


def test_what_can_not_resume(run):
    def refused(message, kind=ValueError, X=X, Y=Y, **given):
        with pytest.raises(kind, match=message):
            fastgd.train(X, Y, iterations=5, **given)

    refused("resume must be a Run, got 3", TypeError, resume=3)
    refused("resume must be a run with a state", resume=replace(run, state=None))
    refused("resume must be a run with a state", resume=fastgd.minimize(X, Y))
    refused("must be of a network with 2 inputs and 1 outputs", X=X[:, :2], resume=run)
    refused("weights must be left out with resume", resume=run, weights=run)
    refused("validation must be left out", resume=run, validation=HELD)
    held = fastgd.train(X, Y, iterations=5, validation=HELD)
    refused("validation must be given again", resume=held)
    drawn = fastgd.train(X, Y, iterations=5, batch_size=3, sampling="adaptive")
    refused(
        r"X must have the same number of samples as before .* \(12\), got 11",
        X=X[1:],
        Y=Y[1:],
        resume=drawn,
    )


OTHERS = [
    ("X of other values", {"X": X + 1}),
    ("X of other values", {"X": X[::-1]}),
    ("y of other values", {"y": 1 - Y}),
    (f"X of shape (9, 3), not {X.shape} and y of shape (9, 1), not {Y.shape}",
     {"X": X[:9], "y": Y[:9]}),
    ("validation X of other values", {"validation": (HELD[0] + 1, HELD[1])}),
    ("validation y of other values", {"validation": (HELD[0], 1 - HELD[1])}),
    ("validation weight of shape (5,), not none", {"validation": (*HELD, np.ones(5))}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "other"), OTHERS)
@pytest.mark.parametrize("train", [fastgd.train, fastgd.reference.train], ids=["kernel", "twin"])
def test_other_samples_are_refused(train, name, other, tmp_path):
    given = {"X": X, "y": Y, "iterations": 5}
    given |= {"validation": HELD} if "validation" in other else {}
    run = train(**given)
    run.save(tmp_path / "run.npz")
    refused = rf"^resume needs the samples that the run was trained on .*, got {re.escape(name)}$"
    for resumed in (run, fastgd.load(tmp_path / "run.npz")):
        assert train(**given, resume=resumed).iterations == 10
        with pytest.raises(ValueError, match=refused):
            train(**given | other, resume=resumed)


def test_samples_that_the_caller_changed_since_are_refused():
    x = X.copy()
    run, sweep = fastgd.train(x, Y), fastgd.sweep(x, Y, alpha=[1, 2], keep_state=True)
    x[3, 1] += 1
    for train, resumed in ((fastgd.train, run), (fastgd.sweep, sweep)):
        assert train(X, Y, resume=resumed, iterations=5)
        with pytest.raises(ValueError, match=r"got X of other values$"):
            train(x, Y, resume=resumed, iterations=5)


def test_a_sweep_and_its_runs_refuse_other_samples_wherever_they_come_from(tmp_path):
    given = {"folds": 3, "sample_weight": WEIGHT, "alpha": [0.5, 0.1, *range(1, 8)]}
    given |= {"keep_state": True, "record_every": 4, "iterations": 10}
    swept = fastgd.sweep(X, Y, **given)
    swept.save(tmp_path / "sweep.npz")
    fastgd.sweep(X, Y, **given, out=tmp_path / "folder")
    rows = np.arange(12) >= 4
    own = {"X": X[rows], "y": Y[rows], "validation": (X[:4], Y[:4], WEIGHT[:4]), "iterations": 7}
    alone = fastgd.train(**own | {"iterations": 10}, sample_weight=WEIGHT[rows], alpha=0.1)
    opened = fastgd.open(tmp_path / "folder")
    for sweep in (swept, swept[:, 1:], fastgd.load(tmp_path / "sweep.npz"), opened, opened[:, 1:]):
        assert fastgd.sweep(X, Y, resume=sweep, iterations=7).shape == sweep.shape
        for other, name in (((X + 1, Y), "X"), ((X, 1 - Y), "y")):
            with pytest.raises(ValueError, match=rf"the sweep was .* got {name} of other values$"):
                fastgd.sweep(*other, resume=sweep, iterations=7)
        run = sweep.sel(fold=0, alpha=0.1)
        assert run.sample_hashes == alone.sample_hashes
        fastgd.train(**own, resume=run)
        for other in ({"X": X[:8], "y": Y[:8]}, {"validation": (X[:4], Y[:4], WEIGHT[1:5])}):
            with pytest.raises(ValueError, match=r"the run was trained on .* got "):
                fastgd.train(**own | other, resume=run)


def test_files_of_before_resume_with_a_warning(tmp_path, run):
    folds = fastgd.sweep(X, Y, folds=3, alpha=[0.5, 0.1], keep_state=True, iterations=5)
    for result, train in ((run, fastgd.train), (folds, fastgd.sweep)):
        result.save(tmp_path / "new.npz")
        with npz.reading(tmp_path / "new.npz") as (kind, header, arrays):
            named = {name: np.asarray(array) for name, array in arrays.items()}
            facts = {n: v for n, v in header.items() if n not in ("sample_hashes", "subset_hashes")}
        npz.write(tmp_path / "old.npz", kind, facts, named)
        old = fastgd.load(tmp_path / "old.npz")
        assert old.sample_hashes is None
        with pytest.warns(TrainingWarning, match=r"has no hashes of its samples, as .* 0\.2\.0"):
            on = train(X, Y, resume=old, iterations=25)
        assert on.sample_hashes == result.sample_hashes
    assert folds.partition.hashes == on.partition.hashes
    assert on[0, 0].sample_hashes == folds[0, 0].sample_hashes
    with pytest.warns(TrainingWarning, match="the run has no hashes of its samples"):
        fastgd.train(X[4:], Y[4:], validation=(X[:4], Y[:4]), resume=old[0, 0], iterations=5)


SWEPT = {
    "alpha": [0.5, 0.1],
    "tolerance": [0.0, 0.25],
    "seed": [3, 4, 5],
    "hidden_size": [2, (3, 2)],
    "optimizer": Adam([0.5, 0.9]),
    "record_every": 4,
    "batch_size": 3,
    "dropout": 0.2,
    "summary": 5,
}
"""With the kernels of the golden case "taken up again"."""


@pytest.mark.parametrize("repeated", [{}, SWEPT], ids=["left out", "given again"])
@pytest.mark.slow
def test_all_runs_of_a_sweep_resume(repeated):
    first = fastgd.sweep(X, Y, folds=3, keep_state=True, iterations=10, **SWEPT)
    on = fastgd.sweep(X, Y, resume=first, iterations=7, **repeated)
    whole = fastgd.sweep(X, Y, folds=3, keep_state=True, iterations=17, **SWEPT)
    assert on.axes == whole.axes
    for index in np.ndindex(*on.shape):
        equal(on[index], whole[index])
    place = {"alpha": 0.5, "tolerance": 0.25, "seed": 4, "hidden_size": (3, 2), "beta1": 0.9}
    one = first.sel(fold=1, **place)
    rows = np.flatnonzero((np.arange(12) < 4) | (np.arange(12) >= 8))
    alone = fastgd.train(X[rows], Y[rows], resume=one, iterations=7, validation=(X[4:8], Y[4:8]))
    equal(alone, on.sel(fold=1, **place))


def test_sweeps_that_can_not_resume():
    def refused(message, resume, kind=ValueError, **given):
        with pytest.raises(kind, match=message):
            fastgd.sweep(X, Y, resume=resume, iterations=5, **given)

    sweep = fastgd.sweep(X, Y, folds=3, alpha=[1, 2], keep_state=True, iterations=5)
    refused("resume must be a Sweep", sweep[0, 0], TypeError)
    refused("keep_state=True, got one without", fastgd.sweep(X, Y, alpha=[1, 2], iterations=5))
    refused("alpha must be left out with resume", sweep, alpha=[1, 3])
    refused("alpha must be left out with resume", sweep, alpha=1)
    refused("groups, folds and rows of sample_weight must be left out", sweep, folds=4)
    plain = fastgd.sweep(X, Y, alpha=[1, 2], keep_state=True, iterations=5)
    refused("groups, folds and rows of sample_weight must be left out", plain, folds=3)
    refused("keep_state must be left out", sweep, keep_state=False)
    draws = np.stack([WEIGHT, WEIGHT[::-1]])
    weighted = fastgd.sweep(X, Y, sample_weight=draws, keep_state=True, iterations=5)
    assert fastgd.sweep(X, Y, resume=weighted, sample_weight=draws, iterations=5).shape == (2,)
    refused("groups, folds and rows of sample_weight must be", weighted, sample_weight=draws + 1)
    with pytest.raises(ValueError, match="at least 12, got 9"):
        fastgd.sweep(X[:9], Y[:9], resume=sweep, iterations=5)


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize("train", [fastgd.train, fastgd.reference.train], ids=["kernel", "twin"])
def test_a_run_whose_last_error_overflows_continues_where_nobody_measures_it(train):
    x, y = np.full((1, 1), 1e200), np.ones((1, 1))
    given = {"output": "identity", "alpha": 1e-90, "weights": [[[0.0]]], "record_every": 100}
    first = train(x, y, iterations=1, **given)
    assert (first.status, first.iterations, first.final_error) == ("diverged", 1, np.inf)
    whole = train(x, y, iterations=9, **given)
    assert whole.status == "diverged"
    assert whole.iterations > 1
    equal(train(x, y, resume=first, iterations=8), whole)


@pytest.mark.parametrize("restore_best", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_validation_error_that_is_never_finite_is_no_best_one(restore_best):
    """Outputs overflow for the validation set only: both implementations agree."""
    given = {
        "hidden_size": (),
        "output": "identity",
        "alpha": 0.01,
        "iterations": 6,
        "evaluate_every": 2,
        "restore_best": restore_best,
        "validation": ([[1e308, 1e308, 1e308], [1e308, 1e308, -1e308]], [0, 0]),
        "weights": [np.full((3, 1), 3.0)],
    }
    run, twin = fastgd.train(X, Y, **given), fastgd.reference.train(X, Y, **given)
    assert np.isnan(run.final_validation_error)
    assert run.best_iteration is twin.best_iteration is None
    np.testing.assert_allclose(run.weights[0], twin.weights[0], rtol=1e-12)
    assert run.status == twin.status == "finished"
