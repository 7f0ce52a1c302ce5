"""Seeds of NumPy: a Generator, which advances, and a SeedSequence, which doesn't."""

import numpy as np
import pytest

import fastgd
from fastgd.checks.numbers import check_seed, check_seeds
from fastgd.optimizers import GradientDescent, Momentum

X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
TABLE = {"x": [*range(24)], "g": ["a", "b"] * 12, "y": [k % 5 for k in range(24)]}


def test_a_generator_draws_what_its_user_would_and_advances():
    random, own = np.random.default_rng(3), np.random.default_rng(3)
    assert [check_seed(random), check_seed(random)] == own.integers(2**32, size=2).tolist()
    assert isinstance(check_seed(random), int)


def test_a_seed_sequence_gives_the_same_each_time():
    sequence = np.random.SeedSequence(3)
    assert check_seed(sequence) == check_seed(sequence) == sequence.generate_state(1)[0]
    several = check_seeds(sequence.spawn(3))
    assert len(set(several)) == 3
    assert several == check_seeds(np.random.SeedSequence(3).spawn(3))


def test_trainings_keep_the_int():
    random, own = np.random.default_rng(3), np.random.default_rng(3)
    runs = [fastgd.train(X, Y, seed=random, iterations=2) for _ in range(2)]
    assert [run.seed for run in runs] == own.integers(2**32, size=2).tolist()
    assert runs[0].final_error == fastgd.train(X, Y, seed=runs[0].seed, iterations=2).final_error
    sweep = fastgd.sweep(X, Y, seed=random.integers(2**32, size=3), iterations=2)
    assert sweep.axes["seed"] == own.integers(2**32, size=3).tolist()
    spawned = fastgd.sweep(X, Y, seed=np.random.SeedSequence(3).spawn(2), iterations=2)
    assert spawned.axes["seed"] == check_seeds(np.random.SeedSequence(3).spawn(2))
    assert fastgd.sweep(X, Y, seed=random, iterations=2).shape == ()


def test_a_race_draws_once():
    optimizers = [(GradientDescent(), 1), (Momentum(), 1)]
    race = fastgd.race(X, Y, optimizers, seed=np.random.default_rng(3), iterations=2)
    assert {run.seed for run in race.runs.values()} == {check_seed(np.random.default_rng(3))}


FEW = {"hidden_size": 2, "iterations": 4}


@pytest.mark.parametrize(
    ("fit", "name"),
    [
        (lambda **how: fastgd.fit(TABLE, "y", hidden_size=4, folds=2, keep=["x"], **how), "seed"),
        (lambda **how: fastgd.fit_groups(TABLE, "g", "y", **FEW, keep=["x"], **how), "seed"),
        (lambda **how: fastgd.fit_groups(TABLE, "g", "y", **FEW, keep=["x"], **how), "split_seed"),
    ],
    ids=["fit", "groups", "split of groups"],
)
def test_tables_draw_once(fit, name):
    random, own = np.random.default_rng(3), np.random.default_rng(3)
    model = fit(**{name: random})
    expected = fit(**{name: int(own.integers(2**32))})
    assert random.integers(2**32) == own.integers(2**32)  # it has advanced by one draw
    assert np.array_equal(model.predict(TABLE), expected.predict(TABLE), equal_nan=True)
