"""clip_norm: the step on paper and as PyTorch writes it, the order of its sum, what diverges."""

from fractions import Fraction

import numpy as np
import pytest
from test_methods import agrees

import fastgd
from cases import XOR_X, XOR_Y, X, Y
from fastgd import reference
from fastgd.engine.network import first_weights
from thinning import at_a_time, kernels_of

NETWORK = {"hidden_size": (5, 4), "bias": True, "record_every": 7}


@pytest.fixture(autouse=True)
def golden_kernels():
    """A run alone is one of eight, as in the golden case, whose kernel is compiled anyway."""
    with kernels_of("clip norm"):
        yield


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def clipped_step(weights, alpha, most, epsilon):
    """One update of a 3-4-1 network, as with torch.nn.utils.clip_grad_norm_."""
    first, second = weights
    hidden = sigmoid(XOR_X @ first)
    output = sigmoid(hidden @ second)
    delta = (output - XOR_Y) * output * (1 - output)
    below = delta @ second.T * hidden * (1 - hidden)
    gradients = [XOR_X.T @ below, hidden.T @ delta]
    total = np.sqrt(sum((g**2).sum() for g in gradients))
    coefficient = min(most / (total + epsilon), 1.0)
    return [w - alpha * coefficient * g for w, g in zip(weights, gradients, strict=True)]


@pytest.mark.parametrize("train", [fastgd.train, reference.train])
def test_steps_as_pytorch_writes_them(train):
    """It adds 1e-6 to the norm; without that the steps are ours."""
    start = [np.array(w) for w in first_weights((3, 4, 1), 1)]
    for epsilon, rtol in ((0.0, 1e-12), (1e-6, 1e-3)):
        weights = start
        for _ in range(40):
            weights = clipped_step(weights, 5.0, 0.02, epsilon)
        run = train(XOR_X, XOR_Y, alpha=5.0, clip_norm=0.02, iterations=40)
        for ours, theirs in zip(run.weights, weights, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=rtol)
    free = train(XOR_X, XOR_Y, alpha=5.0, iterations=40)
    assert (free.weights[0] != run.weights[0]).any()


def fused(a, b, c):
    """a * b + c, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def test_the_sum_goes_from_the_first_parameter_to_the_last():
    """To the last bit: with the derivative that fastgd.objective has, which is the training's."""
    f = fastgd.objective(X, Y, hidden_size=(5, 4), bias=True)
    start = np.random.default_rng(4).normal(size=len(f.start()))
    g, squares = -f(start)[1], 0.0
    for part in g:
        squares = fused(part, part, squares)
    norm = np.sqrt(squares)
    assert np.sqrt(np.sum(g**2)) != norm  # which shows that the order counts
    share = 0.5 * norm / norm
    run = fastgd.train(
        X, Y, weights=f.parts(start), clip_norm=0.5 * norm, alpha=0.75, iterations=1, bias=True
    )
    expected = [fused(0.75, part * share, w) for part, w in zip(g, start, strict=True)]
    layers = zip(run.weights, run.biases, strict=True)
    found = np.concatenate([part.ravel() for layer in layers for part in layer])
    assert found.tolist() == expected


def test_a_limit_that_is_not_reached_changes_no_bit():
    given = NETWORK | {"alpha": 0.1, "iterations": 60}
    free = fastgd.train(X, Y, **given)
    for limit in (1e9, 1e300):
        run = fastgd.train(X, Y, **given, clip_norm=limit)
        assert run.errors.tobytes() == free.errors.tobytes()
        for ours, theirs in zip(run.weights, free.weights, strict=True):
            assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("runs", [pytest.param(1, marks=pytest.mark.slow), 8])
def test_many_groups_of_samples(runs):
    random = np.random.default_rng(3)
    X, y = random.normal(size=(300, 3)), random.random((300, 3))
    given = {"hidden_size": (9, 17), "iterations": 20, "record_every": 7, "alpha": 0.5}
    given |= {"clip_norm": 0.4}
    with at_a_time(runs):
        sweep = fastgd.sweep(X, y, **given, seed=range(1, runs + 1))
    agrees(sweep[runs - 1], reference.train(X, y, **given, seed=runs), 1e-10)


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_a_norm_that_overflows_ends_its_own_run_only():
    """The squares overflow, the gradient doesn't; without a limit they aren't computed."""
    given = {"hidden_size": 2, "activation": "identity", "output": "identity", "iterations": 20}
    given |= {"alpha": 1e-290, "record_every": 5}
    starts = [[np.full((3, 2), size), np.full((2, 2), 0.5)] for size in (0.5, 1e120)]
    sweep = fastgd.sweep(X, Y, **given, weights=starts, clip_norm=[0.1, np.inf])
    status = [[sweep[i, k].status for k in range(2)] for i in range(2)]
    for k, start in enumerate(starts):
        for i, limit in enumerate([0.1, np.inf]):
            for train in (fastgd.train, reference.train):
                run = train(X, Y, **given, weights=start, clip_norm=limit)
                assert run.status == sweep[i, k].status
            alone = fastgd.train(X, Y, **given, weights=start, clip_norm=limit)
            assert alone.errors.tobytes() == sweep[i, k].errors.tobytes()
    assert status == [["finished", "diverged"], ["finished", "finished"]]
    assert sweep[0, 1].iterations == 1
