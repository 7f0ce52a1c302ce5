import hashlib
from math import sqrt

import numpy as np
import pytest

import fastgd
from fastgd.studies.mean_field import mean_field, normal, power_of_ten, sample_count

WIDTH = 4

# A function, its derivative, and c of mean_field's text, which the paper's program has as well.
UNITS = {
    "tanh": (np.tanh, lambda v: 1 - v * v, sqrt(2 / WIDTH)),
    "relu": (lambda x: np.maximum(x, 0), lambda v: (v > 0).astype(float), sqrt(2 / WIDTH)),
    "identity": (lambda x: x, np.ones_like, sqrt(1 / WIDTH)),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda v: v * (1 - v), sqrt(2 / WIDTH)),
}


def paper(seed, activation, rates, iterations):
    """The paper's own parametrisation, written out: last W0 and W1, mean |error| on the way."""
    random = np.random.RandomState(seed)
    W0, W1 = random.standard_normal((WIDTH, WIDTH)), random.standard_normal((WIDTH, 1))
    samples = WIDTH if activation == "identity" else WIDTH * WIDTH + WIDTH
    X, y = random.standard_normal((samples, WIDTH)), random.standard_normal((samples, 1))
    function, slope, c = UNITS[activation]
    errors = []
    for _ in range(iterations):
        hidden = function(c * (X @ W0))
        miss = hidden @ W1 / WIDTH - y
        errors.append(np.abs(miss).mean())
        by_output = 2 * miss / samples  # of the mean square
        by_hidden = by_output @ W1.T / WIDTH * slope(hidden)
        step = rates[0] * c * (X.T @ by_hidden), rates[1] * (hidden.T @ by_output) / WIDTH
        W0, W1 = W0 - step[0], W1 - step[1]
    return W0, W1, np.array(errors)


@pytest.mark.parametrize("activation", UNITS)
def test_same_training_as_the_papers_parametrisation(activation):
    problem = mean_field(WIDTH, activation, None, 3)
    c = UNITS[activation][2]
    for rates in ((0.01, 0.3), (1.5, 0.02), (0.7, 2.0)):
        W0, W1, errors = paper(3, activation, rates, 40)
        (alphas,) = problem.alphas(np.array(rates[:1]), np.array(rates[1:]))
        run = fastgd.train(
            problem.X,
            problem.y,
            weights=problem.weights,
            alpha=tuple(alphas.tolist()),
            activation=activation,
            output="identity",
            iterations=40,
            record_every=1,
        )
        np.testing.assert_allclose(run.errors, errors, rtol=1e-12)
        np.testing.assert_allclose(run.weights[0], c * W0, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(run.weights[1], W1 / WIDTH, rtol=1e-11, atol=1e-13)
        assert not np.isclose(errors[-1], errors[0], rtol=1e-3)  # something was learned


@pytest.mark.parametrize("iterations", [2, 3, 25, 60])
def test_the_map_sums_the_papers_errors(iterations):
    """One for each update: T of them, and the mean of the last 20 decides."""
    window = ((-1.0, 3.0), (-1.0, 3.0))
    found = fastgd.trainability(5, iterations=iterations, width=WIDTH, window=window, seed=3)
    with np.errstate(all="ignore"):
        for row, column in np.ndindex(5, 5):
            rates = found.input_rates[column], found.output_rates[row]
            share = paper(3, "tanh", rates, iterations)[2]
            share = np.where(np.isfinite(share), share / share[0], 1e6)
            assert len(share) == iterations
            converged = share[-20:].mean() < 1
            assert found.converged[row, column] == converged
            expected = -share.sum() if converged else (1 / share).sum()
            # Where learning is chaotic, rounding changes the errors; the paper counts to 10^6.
            wild = share.max() > 50
            np.testing.assert_allclose(
                found.values[row, column], expected, rtol=0.5 if wild else 1e-6, atol=1e-4
            )


def test_a_batch_has_the_papers_step_for_its_own_mean():
    whole, batches = mean_field(WIDTH, "tanh", None, 3), mean_field(WIDTH, "tanh", 5, 3)
    assert np.array_equal(whole.X, batches.X)
    assert np.array(batches.factors) == pytest.approx(4 * np.array(whole.factors))


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_normal_numbers_are_numpys_but_for_a_bit(count):
    found = normal(np.random.RandomState(5), count)
    np.testing.assert_allclose(found, np.random.RandomState(5).standard_normal(count), rtol=1e-15)


def test_bits_are_pinned():
    problem = mean_field(16, "tanh", None, 1)
    digest = hashlib.sha256()
    for array in (problem.X, problem.y, *problem.weights, np.array(problem.factors)):
        digest.update(array.tobytes())
    digest.update(np.array([power_of_ten(x) for x in (-3.3, 0.1, 5.7)]).tobytes())
    assert digest.hexdigest()[:16] == "fbb532ee376084c9"


def test_shapes_and_sizes():
    problem = mean_field(3, "tanh", None, 1)
    assert [layer.shape for layer in problem.weights] == [(3, 3), (3, 1)]
    assert problem.X.shape == (12, 3)
    assert problem.y.shape == (12, 1)
    assert sample_count(16, "tanh") == 272
    assert sample_count(16, "identity") == 16


def test_alphas_of_all_pairs():
    problem = mean_field(3, "tanh", None, 1)
    alphas = problem.alphas(np.array([1.0, 10.0]), np.array([5.0, 7.0]))
    pairs = [(1, 5), (10, 5), (1, 7), (10, 7)]
    assert alphas == pytest.approx(np.array(pairs) * problem.factors)


@pytest.mark.parametrize("exponent", [-100, -2.5, 0, 1, 3, 22, 100])
def test_powers_of_ten(exponent):
    assert power_of_ten(exponent) == pytest.approx(10.0**exponent, rel=3e-16)
    if isinstance(exponent, int):
        assert power_of_ten(exponent) == float(f"1e{exponent}")
