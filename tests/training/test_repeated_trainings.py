"""A training whose arguments are known takes up the blocks of the one before: no bit may differ."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pytest

import fastgd
from cases import COMPILED
from cases import OPTIONS as CASES
from fastgd.engine.spare_runs import SpareRuns
from fastgd.optimizers import Adam, LevenbergMarquardt, Momentum
from fastgd.schedules import Cosine
from fastgd.training import training_job as training_run

random = np.random.RandomState(5)
X, others = random.rand(2, 11, 3)
y, other_y = random.rand(2, 11, 2)

OPTIONS = {
    "plain": {},
    "momentum, bias": {"optimizer": Momentum(), "bias": True, "record_weights": True},
    "Adam": {"optimizer": Adam(), "activation": "tanh", "output": "identity", "alpha": 0.01},
    "batch norm": COMPILED["AdaDelta, relu, bias, dropout, batch norm, L2"],
    "batches": {"batch_size": 4, "batch_norm": True, "reduction": "mean"},
    "drawn": {"batch_size": 4, "sampling": "adaptive"},
    "ends early": {"patience": 3, "evaluate_every": 1, "restore_best": True, "alpha": 40.0},
    "summary": {"summary": 5},
    "schedule": {"schedule": Cosine(steps=40, warmup_steps=3), "init": ("glorot", "he")},
    "two layers": {"hidden_size": (5, 4), "freeze": [0]},
    "squares": {"optimizer": LevenbergMarquardt(), "alpha": 1.0},
    "Gaussian": {"loss": "gaussian", "output": "identity", "alpha": 0.01},
    "weights": {"sample_weight": (1.0, 5, 0, 2, 0.25, 1, 1, 3, 1, 2, 1), "max_norm": 1.0},
    "diverges": {"alpha": 1e200, "output": "identity", "activation": "tanh"},
}
"""Most of them have the kernel of a case of cases.py."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning"),
    pytest.mark.usefixtures("known_trainings"),
]


def trained(X, y, **options):
    return fastgd.train(X, y, **{"iterations": 40, "record_every": 3, "alpha": 0.5} | options)


def assert_same(run, expected):
    for field in fields(run):
        mine, its = getattr(run, field.name), getattr(expected, field.name)
        if field.name == "state":
            for name, array in its._asdict().items():
                np.testing.assert_array_equal(getattr(mine, name), array, name)
        elif field.name != "options":
            np.testing.assert_equal(mine, its, field.name)


@pytest.mark.parametrize("name", OPTIONS)
def test_other_samples_seeds_and_alphas_have_the_bits_of_a_first_training(name, known_trainings):
    options = OPTIONS[name]
    alpha = options.get("alpha", 0.5)
    calls = [(X, y, 1, alpha), (others, other_y, 1, alpha), (X, other_y, 7, alpha / 2)]
    calls += [(others, y, 1, alpha), calls[0]]
    expected = []
    for X_, y_, seed, rate in calls:
        known_trainings.cache_clear()
        expected.append(trained(X_, y_, **options | {"seed": seed, "alpha": rate}))
    known_trainings.cache_clear()
    runs = [
        trained(X_, y_, **options | {"seed": seed, "alpha": rate}) for X_, y_, seed, rate in calls
    ]
    assert known_trainings.cache_info().hits >= (0 if "freeze" in options else len(calls) - 1)
    for run, first in zip(runs, expected, strict=True):
        assert_same(run, first)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_option_has_the_bits_of_a_first_training(name, known_trainings):
    for given in CASES[name].settings:
        settings = {"X": X, "y": y, "hidden_size": (5, 4), "iterations": 30, "alpha": 0.1} | given
        first = fastgd.train(**settings)
        shuffled = settings | {"X": settings["X"][::-1], "y": settings["y"][::-1], "seed": 3}
        if not {"resume", "validation"} & given.keys():
            fastgd.train(**shuffled)
        assert_same(fastgd.train(**settings), first)
        known_trainings.cache_clear()
        assert_same(fastgd.train(**settings), first)


def test_weights_in_a_tuple_are_those_in_a_list():
    weights = OPTIONS["weights"]["sample_weight"]
    runs = [trained(X, y, sample_weight=one) for one in (weights, list(weights), weights)]
    assert runs[0].errors.tobytes() == runs[1].errors.tobytes() == runs[2].errors.tobytes()
    assert runs[0].final_error != trained(X, y).final_error


def test_huge_integers_are_refused_by_name():
    for name in ("hidden_size", "patience"):
        with pytest.raises(ValueError, match=f"{name} must be at most"):
            trained(X, y, **{name: 10**5000})


def test_threads_that_train_at_once_do_not_share_blocks():
    tables = [(random.rand(11, 3), random.rand(11, 2)) for _ in range(40)]
    expected = [trained(*table, iterations=400).final_error for table in tables]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda table: trained(*table, iterations=400).final_error, tables))
    assert found == expected


def test_values_of_another_type_or_sign_are_checked_anew():
    trained(X, y, bias=True, l2=0.0)
    with pytest.raises(TypeError, match="bias must be"):
        trained(X, y, bias=1, l2=0.0)
    with pytest.raises(TypeError, match="l2 must be"):
        trained(X, y, bias=True, l2=False)
    with pytest.raises(TypeError, match="hidden_size"):
        trained(X, y, bias=True, l2=0.0, hidden_size=4.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 0}, "alpha must be"),
        ({"alpha": (1.0,)}, "alpha must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": [1]}, "seed must be"),
        ({"y": y + 1}, "y must be from 0 to 1"),
        ({"y": np.where(y > y.min(), y, np.nan)}, "y must be finite"),
        ({"X": X[:-1]}, "same number of samples"),
    ],
)
def test_what_may_differ_is_checked_each_time(change, message):
    known = {"X": X, "y": y, "loss": "cross_entropy"}
    trained(**known)
    with pytest.raises((ValueError, TypeError), match=message):
        trained(**known | change)
    trained(**known)


def test_nothing_holds_the_samples_of_a_training_that_is_over():
    samples = X.copy()
    alive = weakref.ref(samples)
    trained(X, y)
    trained(samples, y)
    del samples
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize(("samples", "kept"), [(11, 1), (4000, 0)])
def test_only_small_trainings_are_kept(samples, kept, monkeypatch):
    given, table = [], (np.zeros((samples, 3)), np.zeros((samples, 1)))
    monkeypatch.setattr(SpareRuns, "give", lambda _self, loaded: given.append(loaded))
    trained(*table, iterations=1)
    assert len(given) == kept
    checked = []
    checks = training_run.checked_trainings
    monkeypatch.setattr(
        training_run, "checked_trainings", lambda *a, **k: checked.append(1) or checks(*a, **k)
    )
    trained(*table, iterations=1)
    assert len(checked) == 1 - kept
