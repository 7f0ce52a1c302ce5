"""Problems that are trained together: how few sweeps they are, and that it changes nothing."""

import numpy as np
import pytest
from sklearn.base import clone

from fastgd.sklearn import FastGDClassifier, FastGDRegressor
from fastgd.sklearn.deferred_fits import DeferredFits
from fastgd.sklearn.joint_training import JointTraining, batches_of, train_all

DRAW = np.random.default_rng(1)
X = DRAW.normal(3, 2, size=(60, 3))
Y = (X[:, 0] > X[:, 1]).astype(int)
NETWORK = FastGDClassifier((4,), max_iter=6, learning_rate_init=0.05, random_state=0)
LEARN = [np.flatnonzero(np.arange(60) % 3 != fold) for fold in range(3)]
FITS = DeferredFits(X, Y, {})


def problem(fold=0, weight=None, **given):
    fits = FITS if weight is None else DeferredFits(X, Y, {"sample_weight": weight})
    return fits.begin(clone(NETWORK).set_params(**given), LEARN[fold])[1]


def shapes(problems):
    """Parts x cases of each batch."""
    batches = batches_of(dict(enumerate(problems)))
    return [(len(batch.subsets), len(batch.cases[0])) for batch in batches]


def test_folds_of_one_size_and_numbers_are_one_sweep():
    numbers = [{"alpha": a, "learning_rate_init": r} for a in (0, 1) for r in (0.1, 0.2, 0.3)]
    assert shapes([problem(fold, **one) for fold in range(3) for one in numbers]) == [(3, 6)]


def of_unequal_rows(weight=None, **given):
    """Fits whose penalties differ, by their rows, and the improvement that they must make."""
    params = {} if weight is None else {"sample_weight": weight}
    fits = DeferredFits(X, Y, params)
    network = FastGDRegressor((4,), max_iter=6, random_state=0, early_stopping=True)
    network.set_params(n_iter_no_change=2, **given)
    return [
        fits.begin(clone(network).set_params(learning_rate_init=rate), rows)[1]
        for rows in (LEARN[0], LEARN[1][:30], LEARN[2][5:])
        for rate in (0.05, 0.5)
    ]


def test_folds_and_groups_have_numbers_of_their_own():
    problems = of_unequal_rows()
    assert len({(one.settings["l2"], one.settings["min_delta"]) for one in problems}) == 3
    assert shapes(problems) == [(3, 2)]


@pytest.mark.parametrize(
    "weight",
    [None, pytest.param(np.arange(1.0, 61.0), marks=pytest.mark.slow)],
    ids=["plain", "weighted"],
)
def test_numbers_of_their_own_change_nothing(weight):
    problems = of_unequal_rows(weight, max_iter=12)
    joint = JointTraining(problems, keep_state=True)
    assert joint.train(5).keys() == set(range(6))
    found = joint.resume({0, 2, 4}, 7) | {3: train_all(problems)[3]}
    for number, (run,) in found.items():
        ((alone,),) = train_all([problems[number]])
        for name in ("losses", "validation_errors", "iterations", "status", "alpha"):
            np.testing.assert_array_equal(getattr(run, name), getattr(alone, name))
        np.testing.assert_array_equal(run.predict(X), alone.predict(X))
        assert run.options.keys() == alone.options.keys()
        for name in ("l2", "min_delta", "sample_weight"):
            np.testing.assert_array_equal(run.options.get(name), alone.options.get(name))


def test_seeds_and_members_are_cases():
    assert shapes([problem(n_ensemble=3)]) == [(1, 3)]
    assert shapes([problem(random_state=seed) for seed in range(4)]) == [(1, 4)]
    in_batches = [problem(random_state=seed, batch_size=8) for seed in range(4)]
    assert shapes(in_batches) == [(1, 1)] * 4  # each with an order of its own


def test_a_run_knows_its_own_order_of_samples():
    """Full batches have none, but `partial_fit` asks for what it was."""
    problems = [problem(random_state=seed) for seed in range(2)]
    for one, (run,) in zip(problems, train_all(problems), strict=True):
        ((alone,),) = train_all([one])
        assert run.options == alone.options
        assert run.options["shuffle_seed"] == one.settings["shuffle_seed"]


@pytest.mark.parametrize(
    "given",
    [
        {"hidden_layer_sizes": (3,)},
        {"activation": "tanh"},
        {"solver": "sgd"},
        {"max_iter": 7},
        {"batch_size": 8},
        {"dropout": 0.1},
        {"early_stopping": True},
        {"options": {"clip_norm": 1.0}},
        {"weight": np.arange(60.0)},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_is_compiled_otherwise_is_another_sweep(given):
    assert len(shapes([problem(), problem(**given)])) == 2


def test_no_run_is_trained_that_nobody_asks_for():
    """Every table has every case of its batch; what is asked for twice is trained once."""
    asked = [(0, 0.1), (0, 0.2), (1, 0.1), (1, 0.2), (2, 0.1), (2, 0.1)]
    assert sorted(shapes([problem(fold, alpha=alpha) for fold, alpha in asked])) == [(1, 1), (2, 2)]


@pytest.mark.slow
def test_runs_are_those_of_each_problem_alone():
    weight = np.arange(1.0, 61.0)
    problems = [
        problem(fold, **given)
        for fold in range(3)
        for given in (
            {"alpha": 0.1, "n_ensemble": 2},
            {"alpha": 1.0, "beta_1": 0.5, "tol": 0.1},
            {"early_stopping": True, "tol": 0.05},
            {"weight": weight},
        )
    ]
    together = train_all(problems, keep_state=True)
    for one, runs in zip(problems, together, strict=True):
        (alone,) = train_all([one], keep_state=True)
        assert [run.seed for run in runs] == one.seeds
        for ours, its in zip(runs, alone, strict=True):
            for name in ("losses", "errors", "final_loss", "status", "iterations", "seed", "alpha"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(its, name))
            np.testing.assert_array_equal(ours.predict(X), its.predict(X))
            np.testing.assert_array_equal(ours.weights[0], its.weights[0])


def test_a_crowd_goes_on_with_some_of_its_problems():
    problems = [problem(fold, alpha=alpha) for fold in range(3) for alpha in (0, 0.1, 1)]
    joint = JointTraining(problems, keep_state=True)
    assert {runs[0].iterations for runs in joint.train(2).values()} == {2}
    found = joint.resume({0, 2, 3, 5, 6, 8}, 4)
    assert sorted(found) == [0, 2, 3, 5, 6, 8]
    for number, (run,) in found.items():
        ((whole,),) = train_all([problems[number]])
        np.testing.assert_array_equal(run.losses, whole.losses)
        np.testing.assert_array_equal(run.predict(X), whole.predict(X))


def test_an_error_is_that_of_the_first_problem_that_has_one():
    with pytest.raises(ValueError, match="clip_norm must be a number above 0"):
        train_all([problem(), problem(options={"clip_norm": -1.0})])
