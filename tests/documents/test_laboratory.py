"""The rows of docs/laboratory.md, as bench/ asks them, are NumPy step by step."""

import numpy as np
import pytest

from benches import bench
from document import ROOT

ROWS, WORKLOAD = bench("laboratory_rows"), bench("workload")
X, Y = WORKLOAD.XOR_X, WORKLOAD.XOR_Y
NETWORKS = 20  # two for each mask and each strength
ITERATIONS = WORKLOAD.LENGTH


def forward(weights, X):
    layers = [X]
    for layer in weights:
        layers.append(1 / (1 + np.exp(-layers[-1] @ layer)))
    return layers


def gradient(weights, X=X, y=Y):
    """Of half the sum of squares, of all networks at once: (networks, inputs, outputs) each."""
    layers = forward(weights, X)
    delta, found = layers[-1] - y, []
    for k in reversed(range(len(weights))):
        delta = delta * layers[k + 1] * (1 - layers[k + 1])
        found.insert(0, np.swapaxes(layers[k], -1, -2) @ delta)
        delta = delta @ np.swapaxes(weights[k], -1, -2)
    return found


def norm(gradient):
    return np.sqrt(sum((g * g).sum(axis=(1, 2)) for g in gradient))


def descend(weights, alpha=1.0, change=lambda _, gradient: gradient):
    """Weights before each update, and after the last."""
    path = [weights]
    for _ in range(ITERATIONS):
        steps = change(path[-1], gradient(path[-1]))
        path.append([w - alpha * g for w, g in zip(path[-1], steps, strict=True)])
    return path


def own_rule(weights):
    memory = [0 * w for w in weights]
    for _ in range(ITERATIONS):
        found = gradient(weights)
        mixed = [0.9 * m + 0.1 * g for m, g in zip(memory, found, strict=True)]
        weights = [w - 0.05 * np.sign(c) for w, c in zip(weights, mixed, strict=True)]
        memory = [0.99 * m + 0.01 * g for m, g in zip(memory, found, strict=True)]
    return weights


def own_penalty(weights, strength):
    strength = strength[:, None, None]

    def change(weights, gradient):
        return [g + strength * 2 * w / (1 + w * w) for w, g in zip(weights, gradient, strict=True)]

    return descend(weights, change=change)[-1]


def gradient_norm(weights):
    return [np.stack([norm(gradient(each)) for each in descend(weights)[:-1]], axis=1)]


def sharpness(weights):
    """Of the matrix of differences of gradients."""

    def flat(parameters):
        layers = [parameters[:, :12].reshape(-1, 3, 4), parameters[:, 12:].reshape(-1, 4, 1)]
        return np.concatenate([g.reshape(len(parameters), -1) for g in gradient(layers)], axis=1)

    at = np.concatenate([w.reshape(NETWORKS, -1) for w in weights], axis=1)
    rows = [(flat(at + e) - flat(at - e)) / 2e-5 for e in 1e-5 * np.eye(16)]
    return [np.linalg.eigvalsh(np.stack(rows, axis=1))[:, -1]]


def final_weights(weights):
    return descend(weights)[-1]


def momentum_switched(weights):
    memory = [0 * w for w in weights]
    for t in range(ITERATIONS):
        momentum = 0.5 if t < ITERATIONS / 2 else 0.9
        memory = [momentum * m + g for m, g in zip(memory, gradient(weights), strict=True)]
        weights = [w - m for w, m in zip(weights, memory, strict=True)]
    return weights


def samples_added(weights):
    memory = [0 * w for w in weights]
    for t in range(ITERATIONS):
        count = 3 if t < ITERATIONS / 2 else 4
        found = gradient(weights, X[:count], Y[:count])
        memory = [0.9 * m + g for m, g in zip(memory, found, strict=True)]
        weights = [w - m for w, m in zip(weights, memory, strict=True)]
    return weights


def predictions(weights):
    path = descend(weights)[:-1:12]
    return [np.stack([forward(each, X)[-1] for each in path], axis=1)]


def stop(weights):
    norms = np.stack([norm(gradient(each)) for each in descend(weights, 10.0)[:-1]], axis=1)
    met = norms < ROWS.LEAST_NORM
    counts = np.where(met.any(axis=1), met.argmax(axis=1) + 1, ITERATIONS)
    assert np.unique(counts).size > 5
    return [counts]


def masks(weights, mask):
    def change(_, gradient):
        return [np.where(mask, 0, gradient[0]), gradient[1]]

    return descend(weights, change=change)[-1]


ASKED = ROWS.Asked(NETWORKS, ITERATIONS, 1)


@pytest.mark.slow  # each compiles a kernel of its own
@pytest.mark.parametrize("name", [name for name, row in ROWS.QUESTIONS.items() if row.is_checked])
def test_a_row_is_numpy_step_by_step(name, monkeypatch):
    monkeypatch.setattr(ROWS, "LEAST_NORM", 0.01)  # some stop within the few iterations
    row = ROWS.QUESTIONS[name]
    expected = globals()[name](*ROWS.starts(name, NETWORKS))
    for ours, right in zip(ROWS.arrays(row.ours(ASKED), NETWORKS), expected, strict=True):
        tolerance = 1e-5 if name == "sharpness" else 1e-9
        np.testing.assert_allclose(ours, right.reshape(NETWORKS, -1), tolerance, tolerance)


@pytest.mark.slow
def test_noise_has_its_deviation():
    """One update with noise, and one without: what is between them is the noise, times alpha."""
    asked = ROWS.Asked(2000, 1, 1)
    noisy, exact = (
        np.concatenate([layer.ravel() for layer in weights])
        for weights in (ROWS.QUESTIONS["noise"].ours(asked), asked.sweep().weights)
    )
    assert (noisy - exact).std() == pytest.approx(0.01, rel=0.02)
    assert (noisy - exact).mean() == pytest.approx(0, abs=2e-4)


def test_the_page_shows_what_is_timed():
    page = (ROOT / "docs" / "laboratory.md").read_text()
    assert [name for name in ROWS.QUESTIONS if f":pyobject: {name}\n" not in page] == []
