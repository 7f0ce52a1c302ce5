"""Which samples an update of the reference sees: mini-batches, and AW-SGD's draws.

The kernel sees the same: tests/training/test_methods.py (`test_every_case_is_its_twin`, "batches",
"adaptive" and others with them), test_exact_limits.py for a draw exactly between two samples, and
test_adaptive_sampling.py for odds that are far apart.
"""

import numpy as np
import pytest

import plain
from fastgd import reference
from fastgd.arguments.options import Method
from fastgd.engine.network import first_weights
from fastgd.reference.sampling import Adaptive

SAMPLES = 7

# Each sample has an input and a weight of its own, and seeing it halves what its weight lacks of 1:
# the weights tell how often every sample was seen.
EACH = {"X": np.eye(SAMPLES), "y": np.ones(SAMPLES), "weights": [np.zeros((SAMPLES, 1))]}
EACH |= {"output": "identity", "alpha": 0.5}


def seen(iterations, **options):
    """How often each sample has been seen by the updates so far."""
    if iterations == 0:
        return np.zeros(SAMPLES, int)
    run = reference.train(**EACH, iterations=iterations, **options)
    return np.log2(1 / (1 - run.weights[0][:, 0])).round().astype(int)


def batches(count, **options):
    steps = np.diff([seen(j, **options) for j in range(count + 1)], axis=0)
    assert steps.min() >= 0
    assert steps.max() <= 1
    return [np.flatnonzero(step).tolist() for step in steps]


def test_without_a_batch_size_every_update_sees_all():
    everything = list(range(SAMPLES))
    assert batches(3) == [everything] * 3
    assert batches(3, shuffle=False, shuffle_seed=4) == [everything] * 3


@pytest.mark.parametrize("batch_size", [1, 3, 6, 7])
def test_in_order_the_last_batch_of_an_epoch_may_be_smaller(batch_size):
    epoch = [list(range(at, min(at + batch_size, SAMPLES))) for at in range(0, SAMPLES, batch_size)]
    got = batches(len(epoch) + 2, batch_size=batch_size, shuffle=False)
    assert got == (epoch + epoch + epoch)[: len(epoch) + 2]


@pytest.mark.parametrize("batch_size", [1, 3, 7])
@pytest.mark.parametrize("shuffle_seed", [0, 5])
def test_shuffled_once_per_epoch(batch_size, shuffle_seed):
    per_epoch = -(-SAMPLES // batch_size)
    expected = []
    for epoch in range(3):
        order = plain.shuffled(SAMPLES, epoch, shuffle_seed)
        expected += [sorted(order[at : at + batch_size]) for at in range(0, SAMPLES, batch_size)]
    # the run's own seed has no part in it
    got = batches(3 * per_epoch, batch_size=batch_size, shuffle_seed=shuffle_seed, seed=99)
    assert got == expected
    default = batches(per_epoch, batch_size=batch_size)
    assert batch_size == SAMPLES or (default == expected[:per_epoch]) == (shuffle_seed == 0)


def test_the_place_in_the_batch_decides_what_is_dropped():
    """In order or shuffled, sample 0 of the batch has the same units dropped."""
    start = [np.ones((SAMPLES, 4)), np.ones((4, 1))]
    settings = EACH | {"weights": start, "iterations": 1, "activation": "identity"}
    settings |= {"batch_size": 3, "dropout": 0.5, "seed": 21}
    kept = np.array(plain.keeps(3, 4, 0.5, 0, 21, 0, 1))
    for shuffle in (False, True):
        run = reference.train(**settings, shuffle=shuffle)
        order = plain.shuffled(SAMPLES, 0, 0) if shuffle else range(SAMPLES)
        for place, sample in enumerate(order[:3]):
            moved = run.weights[0][sample] != 1
            assert moved.tolist() == (kept[place] > 0).tolist()
        assert (run.weights[0][list(order[3:])] == 1).all()


@pytest.mark.parametrize("shuffle", [False, True])
def test_weights_go_with_their_samples(shuffle):
    weight = np.arange(SAMPLES) / 4
    run = reference.train(
        **EACH, iterations=3, batch_size=3, shuffle=shuffle, shuffle_seed=2, sample_weight=weight
    )
    assert run.weights[0][:, 0].tolist() == (0.5 * weight).tolist()


def test_a_batch_without_any_weight_moves_nothing():
    weight = [0, 0, 0, 1, 1, 1, 1]
    run = reference.train(
        **EACH, iterations=3, batch_size=3, shuffle=False, sample_weight=weight, reduction="mean"
    )
    assert (run.weights[0][:, 0] != 0).tolist() == [False] * 3 + [True] * 4


def test_the_error_is_measured_on_all_samples():
    run = reference.train(**EACH, iterations=2, record_every=1, batch_size=3, shuffle=False)
    assert run.errors.tolist() == [1.0, (3 * 0.5 + 4) / 7]
    assert run.final_error == (6 * 0.5 + 1) / 7


def test_the_error_is_weighted():
    weight = [1, 0, 0, 2, 0, 0, 5]
    run = reference.train(
        **EACH, iterations=2, record_every=1, batch_size=3, shuffle=False, sample_weight=weight
    )
    # after the first update sample 0 lacks 1/2, after the second sample 3, of weight 2, nothing
    assert run.errors.tolist() == [1.0, (0.5 + 2 + 5) / 8]
    assert run.final_error == (0.5 + 0 + 5) / 8


# ---- AW-SGD


def sampler(batch_size=5, **settings):
    method = Method(sampling="adaptive", batch_size=batch_size, **settings)
    return Adaptive(SAMPLES, method, seed=3)


TAU = np.array([0.3, -1.0, 2.0, 0.0, 0.7, -0.2, 1.1])


@pytest.mark.parametrize("weighted", [False, True])
def test_the_expected_gradient_is_the_mean_gradient(weighted):
    random = np.random.default_rng(0)
    gradients = random.normal(size=(SAMPLES, 3))
    sample_weight = random.uniform(0.5, 2, SAMPLES) if weighted else None
    adaptive = sampler(batch_size=400, sample_weight=sample_weight)
    adaptive.tau[:] = TAU
    q = adaptive.odds()
    assert q == pytest.approx(np.exp(TAU) / np.exp(TAU).sum(), rel=1e-14)
    batch = adaptive.batch(0)
    factors = dict(zip(batch.places.tolist(), batch.weights[:, 0].tolist(), strict=True))
    assert sorted(factors) == list(range(SAMPLES))
    expected = sum(q[i] * factors[i] * gradients[i] for i in range(SAMPLES))
    mean = gradients if sample_weight is None else sample_weight[:, None] * gradients
    np.testing.assert_allclose(expected, mean.mean(axis=0), rtol=1e-13)


def test_draws_come_as_often_as_their_odds_say():
    adaptive = sampler(batch_size=20_000)
    adaptive.tau[:] = TAU
    q = adaptive.odds()
    counts = np.bincount(adaptive.batch(4).places, minlength=SAMPLES)
    deviation = np.sqrt(20_000 * q * (1 - q))
    assert (np.abs(counts - 20_000 * q) < 4 * deviation).all()


def test_a_draw_is_the_number_of_cumulated_odds_up_to_u():
    adaptive = sampler(batch_size=50)
    adaptive.tau[:] = TAU
    q = np.exp(TAU) / np.exp(TAU).sum()
    for j in (0, 2**32 + 1):
        got = adaptive.batch(j).places.tolist()
        for b in range(50):
            u = plain.word(b, 0, j, (3, 3)) / 2**32
            assert got[b] == sum(q[: k + 1].sum() <= u for k in range(SAMPLES - 1))


def test_a_draw_at_the_edge_belongs_to_the_next_sample(monkeypatch):
    edges = np.array([0.0, 0.25, 0.5, 0.75, 1 - 2**-32])
    monkeypatch.setattr(reference.sampling, "uniform", lambda *_: edges)
    adaptive = Adaptive(4, Method(sampling="adaptive", batch_size=5), seed=3)
    assert adaptive.batch(0).places.tolist() == [0, 1, 2, 3, 3]


def test_odds_that_are_far_apart_are_still_odds():
    adaptive = sampler()
    adaptive.tau[:] = [0, 1e4, 0, 0, 0, 0, 0]
    assert adaptive.odds().tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert adaptive.batch(0).places.tolist() == [1] * 5


def test_tau_moves_along_the_derivative_of_log_q():
    adaptive = sampler(batch_size=4, sampling_rate=0.3)
    adaptive.tau[:] = TAU
    drawn = adaptive.batch(7).places
    norms = np.array([0.5, 2.0, 1.0, 3.0])

    def gain(tau):
        q = np.exp(tau) / np.exp(tau).sum()
        return (norms * np.log(q[drawn])).sum()

    step = 1e-6 * np.eye(SAMPLES)
    slope = [(gain(TAU + move) - gain(TAU - move)) / 2e-6 for move in step]
    adaptive.learn(norms)
    np.testing.assert_allclose(adaptive.tau - TAU, 0.3 / 4 * np.array(slope), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_adaptive_training_is_algorithm_1(bias, weighted, dropout):
    """Sample by sample: every draw's derivative is an explicit array for each layer."""
    random = np.random.default_rng(1)
    X, y = random.normal(size=(SAMPLES, 3)), random.random((SAMPLES, 2))
    importance = random.uniform(0.2, 3, SAMPLES) if weighted else np.ones(SAMPLES)
    alpha, eta, size, seed, steps = 0.7, 30.0, 3, 12, 12
    V, W = first_weights((3, 4, 2), seed)
    b, c = np.zeros(4), np.zeros(2)
    tau, counts = np.zeros(SAMPLES), np.zeros(SAMPLES)
    for j in range(steps):
        q = np.exp(tau) / np.exp(tau).sum()
        kept = np.array(plain.keeps(size, 4, dropout, j, seed, 0, 1))
        total = [np.zeros((3, 4)), np.zeros((4, 2)), np.zeros(4), np.zeros(2)]
        move = np.zeros(SAMPLES)
        for n in range(size):
            u = plain.word(n, 0, j, (seed, 3)) / 2**32
            i = sum(q[: k + 1].sum() <= u for k in range(SAMPLES - 1))
            counts[i] += 1
            factor = importance[i] / (SAMPLES * q[i])
            h = 1 / (1 + np.exp(-(X[i] @ V + b)))
            out = h * kept[n]
            v = 1 / (1 + np.exp(-(out @ W + c)))
            last = (y[i] - v) * v * (1 - v) * factor
            first = (W @ last) * h * (1 - h) * kept[n]
            draw = [np.outer(X[i], first), np.outer(out, last), first * bias, last * bias]
            total = [a + d for a, d in zip(total, draw, strict=True)]
            norm = sum((d**2).sum() for d in draw)
            move += norm * ((np.arange(SAMPLES) == i) - q)
        V, W, b, c = (a + alpha * t for a, t in zip([V, W, b, c], total, strict=True))
        tau = tau + eta / size * move
    assert np.ptp(q) > 0.02  # it has learned something
    run = reference.train(
        X, y, alpha=alpha, iterations=steps, seed=seed, bias=bias, dropout=dropout,
        sampling="adaptive", batch_size=size, sampling_rate=eta,
        sample_weight=importance if weighted else None,
    )  # fmt: skip
    np.testing.assert_allclose(run.weights[0], V, rtol=1e-11)
    np.testing.assert_allclose(run.weights[1], W, rtol=1e-11)
    for got, expected in zip(run.biases, [b, c], strict=False):
        np.testing.assert_allclose(got, expected, rtol=1e-11)
    assert counts.max() > 1  # with replacement
