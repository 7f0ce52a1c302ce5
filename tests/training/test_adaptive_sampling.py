"""AW-SGD where gradients are so large that odds come near 1, against 60 digits."""

import mpmath
import numpy as np
import pytest

import fastgd
import plain
from fastgd import reference
from fastgd.arguments.options import Method
from fastgd.reference.sampling import Adaptive

# Each sample has a weight of its own, and alpha is so large that this weight swings ever wider.
X, Y = np.eye(3), np.ones(3)
START = [3.0, -2.0, 0.5]
OPTIONS = {"alpha": 4.0, "batch_size": 3, "sampling": "adaptive", "output": "identity"}


def odds(tau):
    power = [mpmath.exp(t - max(tau)) for t in tau]
    return [p / sum(power) for p in power]


def moved(tau, q, drawn, norms, rate):
    """Tau after a step of Algorithm 1: the sum over draws of norm times the derivative of log q."""
    return [
        t
        + rate * mpmath.fsum(norm * ((i == k) - q[k]) for i, norm in zip(drawn, norms, strict=True))
        for k, t in enumerate(tau)
    ]


def trained(seed, iterations, rate=1.0):
    """The final weights, in exact arithmetic except for the exponentials."""
    w, tau = [mpmath.mpf(value) for value in START], [mpmath.mpf(0)] * 3
    for j in range(iterations):
        q = odds(tau)
        words = [plain.word(n, 0, j, (seed, 3)) for n in range(3)]
        drawn = [sum(sum(q[: k + 1]) <= mpmath.mpf(u) / 2**32 for k in range(2)) for u in words]
        steps = [(1 - w[i]) / (3 * q[i]) for i in drawn]
        tau = moved(tau, q, drawn, [step**2 for step in steps], mpmath.mpf(rate) / 3)
        for i, step in zip(drawn, steps, strict=True):
            w[i] += 4 * step
    return [float(value) for value in w]


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(60):
        yield


@pytest.mark.parametrize("seed", range(1, 7))
def test_tau_is_not_rounded_away_by_large_gradients(seed):
    expected = trained(seed, 40)
    assert np.abs(expected).max() > 1e9
    settings = OPTIONS | {"weights": [np.reshape(START, (3, 1))], "iterations": 40, "seed": seed}
    for train in (fastgd.train, reference.train):
        found = train(X, Y, **settings).weights[0].ravel()
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.slow
def test_neither_is_that_of_runs_side_by_side():
    rates = np.geomspace(0.01, 10, 19).tolist()
    start = [np.reshape(START, (3, 1))]
    sweep = fastgd.sweep(X, Y, sampling_rate=rates, weights=start, iterations=25, seed=2, **OPTIONS)
    for k, rate in enumerate(rates):
        found = sweep[k].weights[0].ravel()
        np.testing.assert_allclose(found, trained(2, 25, rate), rtol=1e-9)


@pytest.mark.parametrize("drawn", [[0, 0, 0, 0], [0, 1, 0, 0], [1, 2, 2, 3], [0, 1, 2, 3]])
@pytest.mark.parametrize("scale", [1.0, 1e10, 1e25])
@pytest.mark.parametrize("first", [0.0, 3.0, 40.0, 200.0])
def test_a_step_of_tau_is_exact_to_its_own_size(drawn, scale, first):
    method = Method(sampling="adaptive", batch_size=4, sampling_rate=0.7)
    sampler = Adaptive(4, method, seed=1)
    tau = [first, 0.3, -0.25, 1.5]
    norms = [scale * factor for factor in (1.0, 0.3, 2.0, 0.7)]
    sampler.tau[:], sampler._drawn = tau, np.array(drawn)
    sampler.learn(np.array(norms))
    exact = [mpmath.mpf(t) for t in tau]
    q = odds(exact)
    expected = moved(exact, q, drawn, norms, mpmath.mpf(0.7) / 4)
    for k, (found, wanted) in enumerate(zip(sampler.tau, expected, strict=True)):
        # Rounded are q, what is left of 1 without it, and the two products.
        own = sum(n for i, n in zip(drawn, norms, strict=True) if i == k)
        parts = own * (1 - q[k]) + q[k] * (sum(norms) - own)
        assert abs(found - wanted) <= 1e-14 * (parts + abs(wanted))
