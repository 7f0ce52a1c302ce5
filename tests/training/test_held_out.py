"""Validation errors of the compiled training and its NumPy twin: what they decide."""

import numpy as np
import pytest

import fastgd
from cases import X, Y
from fastgd import reference

pytestmark = [
    pytest.mark.parametrize("train", [fastgd.train, reference.train], ids=["kernel", "twin"]),
    pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning"),
]

# A rate at which the held-out error goes up and down.
SETTINGS = {"X": X, "y": Y, "hidden_size": (5, 4), "alpha": 8.0, "iterations": 39}
SETTINGS |= {"validation": (X[::-2] + 0.4, Y[::-2])}


def curve(train):
    """Validation errors e_0 to e_39."""
    run = train(**SETTINGS, record_every=1)
    return np.append(run.validation_errors, run.final_validation_error)


def best_of(errors, at):
    """The first of the smallest, of those that are evaluated."""
    return min(at, key=lambda j: (errors[j], j))


def is_as_after(iterations, run, train):
    """It has the weights and the errors of a training that ends there."""
    there = train(**SETTINGS | {"iterations": iterations})
    for ours, theirs in zip(run.weights, there.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert run.final_error == there.final_error
    assert run.final_validation_error == there.final_validation_error


@pytest.mark.parametrize("every", [1, 2])
def test_the_network_of_the_smallest_error_comes_back(train, every):
    errors = curve(train)
    best = best_of(errors, [*range(0, 39, every), 39])
    assert 3 < best < 39
    run = train(**SETTINGS, restore_best=True, evaluate_every=every)
    assert (run.status, run.iterations, run.best_iteration) == ("finished", 39, best)
    assert run.final_validation_error == errors[best]
    is_as_after(best, run, train)


def test_what_comes_after_the_end_is_not_the_best(train):
    """Its lane is computed further, until the block is packed."""
    errors = curve(train)
    bests = [best_of(errors, range(j + 1)) for j in range(40)]
    end = next(j for j, best in enumerate(bests) if j - best >= 4)
    assert errors[end:].min() < errors[bests[end]]
    run = train(**SETTINGS, restore_best=True, patience=4)
    assert (run.status, run.iterations, run.best_iteration) == ("stalled", end, bests[end])
    assert run.final_validation_error == errors[bests[end]]
    is_as_after(bests[end], run, train)


def test_a_tolerance_is_that_of_the_validation_error(train):
    errors = curve(train)
    tolerance = np.sort(errors)[5]
    end = int((errors < tolerance).argmax())
    assert end > 0
    run = train(**SETTINGS, tolerance=tolerance)
    assert (run.status, run.iterations) == ("converged", end)
    assert run.final_validation_error == errors[end] != run.final_error


LINE = {"X": [[1.0]], "y": [1.0], "weights": [[[0.0]]], "output": "identity", "evaluate_every": 1}


def test_an_error_that_is_not_finite_is_nan_and_ends_no_run(train):
    """The validation input overflows as soon as a weight isn't 0."""
    held = ([[1e308], [1e308]], [0.0, -1e308])
    run = train(**LINE, alpha=1.5, iterations=9, record_every=1, validation=held)
    assert np.isfinite(run.validation_errors[0])
    assert np.isnan(run.validation_errors[1])
    assert np.isnan(run.final_validation_error)
    assert (run.status, run.best_iteration) == ("finished", 0)


def test_an_overflow_leaves_no_error(train):
    run = train(**LINE, alpha=1e30, iterations=40, validation=([[2.0]], [1.0]))
    assert run.status == "diverged"
    assert np.isfinite(run.validation_errors[0])
    assert np.isnan(run.final_validation_error)
