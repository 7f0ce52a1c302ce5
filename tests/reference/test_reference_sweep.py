"""The reference's loop over parts and values: each run is `train` on its rows.

For the compiled sweep: tests/training/test_parts.py, `test_a_run_is_that_of_train` and
`test_the_twin_agrees`.
"""

from itertools import product

import numpy as np
import pytest

from cases import WEIGHTS, X, Y
from fastgd import reference
from fastgd.optimizers import Momentum

LABELS = list("abbababbaba")
FOLDS = [([0, 1, 2, 3, 9], [4, 5, 6]), (list(range(4, 11)), [0, 1, 2, 3])]
TWO = np.array([WEIGHTS, WEIGHTS[::-1]])
BESIDE = {"iterations": 8, "record_every": 3, "bias": True}


def same(a, b):
    for name in ("weights", "biases", "direction_changes"):
        for one, other in zip(getattr(a, name), getattr(b, name), strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(a.errors, b.errors)
    np.testing.assert_array_equal(a.losses, b.losses)
    assert (a.final_error, a.final_validation_error) == (b.final_error, b.final_validation_error)


def test_every_part_is_a_training_of_its_own():
    runs = reference.sweep(
        X, Y, groups=LABELS, folds=FOLDS, sample_weight=TWO, alpha=[0.1, 1.0], seed=[3, 4],
        optimizer=Momentum(momentum=[0.0, 0.5]), hidden_size=[2, (3, 2)], activation=["tanh",
         "relu"],
        **BESIDE,
    )  # fmt: skip
    rows = {label: {n for n in range(11) if LABELS[n] == label} for label in "ab"}
    values = product(
        [2, (3, 2)], ["tanh", "relu"], "ab", FOLDS, TWO, [0.1, 1.0], [0.0, 0.5], [3, 4]
    )
    lengths = (2,) * 8
    for place, chosen in zip(np.ndindex(lengths), values, strict=True):
        size, activation, label, (train, test), weight, alpha, mu, seed = chosen
        own, held = sorted(rows[label] & {*train}), sorted(rows[label] & {*test})
        alone = reference.train(
            X[own], Y[own], sample_weight=weight[own], validation=(X[held], Y[held], weight[held]),
            hidden_size=size, activation=activation, alpha=alpha, seed=seed,
            optimizer=Momentum(momentum=mu), **BESIDE,
        )  # fmt: skip
        same(runs[place], alone)
    assert len(runs) == 256


@pytest.mark.parametrize("weight", [None, WEIGHTS])
def test_without_parts_it_is_train(weight):
    runs = reference.sweep(
        X, Y, alpha=(0.1, 1.0), seed=range(2), sample_weight=weight, validation=(X, Y), **BESIDE
    )
    for seed in range(2):
        alone = reference.train(
            X, Y, alpha=(0.1, 1.0), seed=seed, sample_weight=weight, validation=(X, Y), **BESIDE
        )
        same(runs[seed,], alone)
    assert list(runs) == [(0,), (1,)]


def test_one_weighting_counts_in_every_fold():
    runs = reference.sweep(X, Y, folds=3, sample_weight=WEIGHTS, **BESIDE)
    assert list(runs) == [(0,), (1,), (2,)]
    alone = reference.train(
        X[4:], Y[4:], sample_weight=WEIGHTS[4:], validation=(X[:4], Y[:4], WEIGHTS[:4]), **BESIDE
    )
    same(runs[0,], alone)


@pytest.mark.parametrize("parts", [{"folds": 2}, {"groups": LABELS}], ids=["folds", "groups"])
def test_held_out_samples_beside_parts_are_refused(parts):
    with pytest.raises(ValueError, match="validation must be None with groups or folds, got both"):
        reference.sweep(X, Y, validation=(X, Y), **parts)
