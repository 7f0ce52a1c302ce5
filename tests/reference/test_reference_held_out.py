"""Held-out errors of the reference, what is watched, and the best network.

The kernel is asked the same in tests/training/test_held_out.py, for one method, and compared with
this twin on folds, for every kind of batch, in test_parts.py (`test_the_twin_agrees`).
"""

import numpy as np
import pytest

from cases import WEIGHTS, X, Y
from fastgd import reference

HELD_X, HELD_Y = X[::-2] + 0.4, Y[::-2]
HELD = (HELD_X, HELD_Y)
FACTORS = [1, 2, 0.5, 0, 1, 3]
SETTINGS = {"X": X, "y": Y, "hidden_size": (5, 4), "alpha": 0.3, "iterations": 40}
METHODS = {
    "all": {},
    "weighted, bias": {"sample_weight": WEIGHTS, "bias": True},
    "batches": {"batch_size": 3},
    "dropout": {"batch_size": 4, "dropout": 0.3},
    "batch norm": {"batch_norm": True, "bias": True},
    "adaptive": {"batch_size": 2, "sampling": "adaptive"},
}
methods = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def outputs(network, X):
    """Sigmoids, as they stand in the formula."""
    for k, weights in enumerate(network.weights):
        z = X @ weights + (network.biases[k] if network.biases else 0)
        if network.normalization and k < len(network.weights) - 1:
            norm = network.normalization[k]
            z = norm.scale * (z - norm.mean) / np.sqrt(norm.variance + 1e-5) + norm.shift
        X = 1 / (1 + np.exp(-z))
    return X


def curve(**settings):
    """Errors e_0 to e_iterations, held out."""
    run = reference.train(**SETTINGS | settings | {"validation": HELD}, record_every=1)
    return np.append(run.validation_errors, run.final_validation_error)


def same_network(a, b):
    norms = (sum(run.normalization, ()) for run in (a, b))
    for one, other in zip(
        (*a.weights, *a.biases, *next(norms)), (*b.weights, *b.biases, *next(norms)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@methods
@pytest.mark.parametrize("factors", [None, FACTORS])
def test_errors_are_those_of_the_network_on_the_held_out_samples(method, factors):
    validation = HELD if factors is None else (*HELD, factors)
    run = reference.train(
        **SETTINGS | method, validation=validation, record_every=6, record_weights=True
    )
    assert len(run.validation_errors) == len(run.errors) == 7
    for k in range(7):
        missed = np.abs(HELD_Y - outputs(run.at(k), HELD_X)).mean(axis=1)
        expected = np.average(missed, weights=factors)
        assert run.validation_errors[k] == pytest.approx(expected, rel=1e-12)
    missed = np.abs(HELD_Y - outputs(run, HELD_X)).mean(axis=1)
    expected = np.average(missed, weights=factors)
    assert run.final_validation_error == pytest.approx(expected, rel=1e-12)


@methods
def test_measuring_changes_nothing(method):
    alone = reference.train(**SETTINGS | method, record_every=6)
    run = reference.train(**SETTINGS | method, record_every=6, validation=HELD, evaluate_every=5)
    same_network(alone, run)
    np.testing.assert_array_equal(alone.errors, run.errors)
    assert alone.final_error == run.final_error
    assert alone.validation_errors is alone.final_validation_error is alone.best_iteration is None
    assert reference.train(**SETTINGS | method, validation=HELD).best_iteration is None


@methods
def test_recorded_weights_are_those_of_shorter_trainings(method):
    run = reference.train(**SETTINGS | method, record_every=9, record_weights=True)
    for k in range(1, 5):
        shorter = reference.train(**SETTINGS | method | {"iterations": 9 * k})
        same_network(run.at(k), shorter)
        assert run.at(k).error == shorter.final_error


def best_of(errors, at):
    """The first of the smallest, of those that are looked at."""
    return min(at, key=lambda j: (errors[j], j))


@methods
@pytest.mark.parametrize(
    ("watching", "at"),
    [
        ({"evaluate_every": 7}, [*range(0, 40, 7), 40]),
        ({"evaluate_every": 7, "patience": 100}, [*range(0, 40, 7), 40]),
        ({"restore_best": True}, [*range(0, 40, 6), 40]),
        ({"restore_best": True, "evaluate_every": 3}, [*range(0, 40, 3), 40]),
        ({"restore_best": True, "summary": 2}, None),
        ({"patience": 100}, None),
        ({"tolerance": 1e-9}, None),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_the_smallest_of_the_held_out_errors_is_found(method, watching, at):
    # A rate at which the error goes up and down.
    settings = SETTINGS | {"alpha": 6.0} | method
    errors = curve(**settings)
    if at is None:
        at = sorted({*range(0, 40, -(-11 // method.get("batch_size", 11))), 40})
    run = reference.train(**settings, **watching, validation=HELD, record_every=6)
    best = best_of(errors, at)
    assert run.best_iteration == best
    assert (run.status, run.iterations) == ("finished", 40)
    whole = reference.train(**settings)
    changes = zip(run.direction_changes, whole.direction_changes, strict=True)
    assert all((a == b).all() for a, b in changes)
    if "restore_best" not in watching:
        same_network(run, whole)
        assert run.final_validation_error == errors[40]
    elif best > 0:
        there = reference.train(**settings | {"iterations": best}, validation=HELD)
        same_network(run, there)
        assert run.final_error == there.final_error
        assert run.final_validation_error == errors[best]
    if "summary" in watching:
        assert run.summary.smallest_error == errors[best]
        assert run.summary.smallest_iteration == best


def test_some_best_network_is_in_the_middle():
    errors = curve(alpha=6.0)
    assert 3 < best_of(errors, range(41)) < 37


@methods
def test_patience_watches_the_held_out_error(method):
    settings = SETTINGS | {"alpha": 6.0} | method
    errors = curve(**settings)
    epoch = -(-11 // method.get("batch_size", 11))
    at, end = [], 40
    for j in sorted({*range(0, 40, epoch), 40}):
        at.append(j)
        if j - best_of(errors, at) >= 6:
            end = j
            break
    run = reference.train(**settings, patience=6, restore_best=True, validation=HELD)
    assert run.iterations == end
    assert run.best_iteration == best_of(errors, at)
    assert run.final_validation_error == errors[run.best_iteration]


def test_tolerance_watches_the_held_out_error():
    errors = curve(alpha=6.0)
    tolerance = np.sort(errors)[5]
    end = int((errors < tolerance).argmax())
    assert end > 0
    run = reference.train(**SETTINGS | {"alpha": 6.0}, tolerance=tolerance, validation=HELD)
    assert (run.status, run.iterations) == ("converged", end)
    assert run.final_validation_error == errors[end] != run.final_error


def test_without_held_out_samples_the_training_error_is_watched():
    whole = reference.train(**SETTINGS | {"alpha": 20.0}, record_every=1)
    errors = np.append(whole.errors, whole.final_error)
    run = reference.train(**SETTINGS | {"alpha": 20.0}, evaluate_every=1, restore_best=True)
    assert run.best_iteration == errors.argmin()
    assert run.final_error == errors.min()
    assert run.final_validation_error is None


# The held-out input overflows as soon as there is a weight.
LINE = {"X": [[1.0]], "y": [1.0], "weights": [[[0.0]]], "output": "identity", "hidden_size": ()}
BURSTING = ([[1e308], [1e308]], [0.0, -1e308])


def test_a_held_out_error_that_is_not_finite_is_nan_and_ends_no_run():
    run = reference.train(
        **LINE, alpha=1.5, iterations=9, record_every=1, validation=BURSTING,
        summary=2, restore_best=True,
    )  # fmt: skip
    assert np.isfinite(run.validation_errors[0])
    assert np.isnan(run.validation_errors[1])
    assert run.status == "finished"
    assert run.best_iteration == 0
    assert run.weights[0] == 0.0
    assert run.final_error == 1.0
    assert run.final_validation_error == run.validation_errors[0]


def test_an_overflow_leaves_no_held_out_error():
    settings = LINE | {"alpha": 1e30, "iterations": 40, "validation": ([[2.0]], [1.0])}
    run = reference.train(**settings)
    assert run.status == "diverged"
    assert np.isnan(run.final_validation_error)
    run = reference.train(**settings, restore_best=True)
    assert (run.status, run.best_iteration) == ("diverged", 0)
    assert (run.final_error, run.final_validation_error) == (1.0, 1.0)


def test_nothing_to_watch_is_refused():
    with pytest.raises(ValueError, match="restore_best must have an error to monitor"):
        reference.train(**SETTINGS, restore_best=True)
