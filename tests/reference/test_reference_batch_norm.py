"""The reference's batch normalization: by its definition.

The compiled training is held to it, its running statistics included, by
tests/training/test_methods.py: `test_every_case_is_its_twin`, "batch norm" and others with it.
"""

import numpy as np
import pytest

from fastgd import reference
from fastgd.optimizers import Momentum
from networks import fresh


def problem(samples=9):
    random = np.random.default_rng(6)
    return random.normal(2, 3, size=(samples, 3)), random.random((samples, 2))


def test_running_statistics_are_those_of_the_batches():
    X, y = problem()
    weights = [np.random.default_rng(1).normal(size=shape) for shape in [(3, 4), (4, 2)]]
    # alpha is too small to move a weight, so every batch of an epoch has the same statistics.
    run = reference.train(
        X[:8], y[:8], weights=fresh(weights, batch_norm=True), alpha=1e-30, iterations=5,
        batch_norm=True, batch_size=4, shuffle=False,
    )  # fmt: skip
    z = X[:8] @ weights[0]
    mean, variance = np.zeros(4), np.ones(4)
    for j in range(5):
        part = z[:4] if j % 2 == 0 else z[4:]
        mean = 0.9 * mean + 0.1 * part.mean(axis=0)
        variance = 0.9 * variance + 0.1 * part.var(axis=0, ddof=1)
    (norm,) = run.normalization
    np.testing.assert_allclose(norm.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(norm.variance, variance, rtol=1e-12)
    assert norm.scale.tolist() == [1] * 4
    assert norm.shift.tolist() == pytest.approx([0] * 4, abs=1e-25)


def test_errors_are_measured_with_the_running_statistics():
    X, y = problem()
    run = reference.train(X, y, alpha=0.3, iterations=30, batch_norm=True, bias=True)
    (norm,) = run.normalization
    z = X @ run.weights[0] + run.biases[0]
    z = norm.scale * (z - norm.mean) / np.sqrt(norm.variance + 1e-5) + norm.shift
    h = 1 / (1 + np.exp(-z))
    v = 1 / (1 + np.exp(-(h @ run.weights[1] + run.biases[1])))
    assert run.final_error == pytest.approx(np.abs(y - v).mean(), rel=1e-13)


def test_at_first_nothing_is_normalized_but_by_epsilon():
    X, y = problem()
    raw = reference.train(X, y, iterations=1)
    normal = reference.train(X, y, iterations=1, batch_norm=True)
    assert normal.errors[0] == pytest.approx(raw.errors[0], rel=1e-4)
    assert normal.errors[0] != raw.errors[0]


def test_a_training_batch_has_mean_0_and_variance_1():
    X, _ = problem()
    first = np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)
    norm = reference.batch_norm.Normalization(first, 0.1, Momentum())
    out = norm.forward(X)
    assert out.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    assert out.var(axis=0) == pytest.approx(X.var(axis=0) / (X.var(axis=0) + 1e-5), rel=1e-12)
    norm.scale.value[:] = [2, 3, 4]
    norm.shift.value[:] = [5, 6, 7]
    np.testing.assert_allclose(norm.forward(X), out * [2, 3, 4] + [5, 6, 7], rtol=1e-12)


def test_shifting_and_scaling_the_inputs_of_a_layer_changes_nothing_but_by_epsilon():
    X, y = problem()
    settings = {"alpha": 0.1, "iterations": 1, "batch_norm": True}
    weights = [np.random.default_rng(1).normal(size=shape) for shape in [(3, 4), (4, 2)]]
    start = fresh(weights, batch_norm=True)
    a = reference.train(X, y, weights=start, **settings)
    b = reference.train(1000 * X + 5, y, weights=start, **settings)
    np.testing.assert_allclose(a.weights[1], b.weights[1], rtol=1e-4)


def test_the_output_layer_is_not_normalized():
    X, y = problem()
    run = reference.train(X, y, hidden_size=(5, 4), iterations=2, batch_norm=True)
    assert [len(norm.scale) for norm in run.normalization] == [5, 4]
