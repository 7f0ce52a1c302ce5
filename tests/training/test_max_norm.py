"""max_norm: the step as Keras writes it, the order of its sums, what is limited and what isn't."""

from fractions import Fraction

import numpy as np
import pytest
from test_shared_updates import same, sharing  # noqa: F401 - a fixture

import fastgd
from cases import WEIGHTS, X, Y
from fastgd import reference
from fastgd.optimizers import Adam, Momentum
from thinning import at_a_time, some

NETWORK = {"hidden_size": (5, 4), "alpha": 0.3, "record_every": 7}


def keras(w, most):
    """``keras.constraints.MaxNorm(most, axis=0)`` of an (inputs, outputs) kernel."""
    norms = np.sqrt(np.sum(np.square(w), axis=0, keepdims=True))
    return w * np.clip(norms, 0, most) / (1e-7 + norms)


@pytest.mark.parametrize("train", [fastgd.train, reference.train])
def test_steps_as_keras_writes_them(train):
    """It adds 1e-7 to the norm. Biases aren't limited."""
    given = NETWORK | {"bias": True, "iterations": 1}
    step = train(X, Y, **given)
    for _ in range(1, 30):
        weights = [keras(w, 0.05) for w in step.weights]
        step = train(X, Y, weights=weights, biases=step.biases, **given)
    run = train(X, Y, max_norm=0.05, **given | {"iterations": 30})
    for ours, theirs in zip(run.weights, step.weights, strict=True):
        np.testing.assert_allclose(ours, keras(theirs, 0.05), atol=1e-5)
    for ours, theirs in zip(run.biases, step.biases, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert max(np.linalg.norm(bias) for bias in run.biases) > 0.05


def fused(a, b, c):
    """a * b + c, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def limited(w, most, frozen):
    """A layer's weights, to the last bit: the sum of squares is a chain in the order of inputs."""
    w, plain = w.copy(), 0
    for column, fixed in zip(w.T, frozen.T, strict=True):
        squares = 0.0
        for weight in column.tolist():
            squares = fused(weight, weight, squares)
        norm = np.sqrt(squares)
        plain += np.sqrt(np.sum(column**2)) == norm
        if norm > most:
            column[~fixed] *= most / norm
    assert plain < w.shape[1] or w.size < 200  # which shows that the order counts
    return w


@pytest.mark.parametrize("runs", [1, 9])
@pytest.mark.parametrize("hidden", [(5, 4), (37, 41)])
def test_all_bits(hidden, runs):
    """Whole tiles of units and those left over, alone and side by side, with frozen weights."""
    start = fastgd.train(X, Y, hidden_size=hidden, iterations=1, bias=True)
    frozen = [np.zeros(w.shape, bool) for w in start.weights]
    frozen[1][::3] = True
    given = {"hidden_size": hidden, "alpha": 0.4, "iterations": 1, "bias": True}
    given |= {"freeze": [None, frozen[1], None], "optimizer": Adam(), "l2": 0.1}
    sweep = fastgd.sweep(X, Y, **given, max_norm=[0.8, np.inf], seed=range(1, runs + 1))
    changed = 0
    for seed in range(runs):
        pairs = zip(sweep[0, seed].weights, sweep[1, seed].weights, strict=True)
        for (w, free), mask in zip(pairs, frozen, strict=True):
            assert w.tobytes() == limited(free, 0.8, mask).tobytes()
            changed += w.tobytes() != free.tobytes()
    assert changed > runs


OPTIONS = [
    {"dropout": 0.2, "batch_size": 5, "bias": True},
    {"dropconnect": 0.2, "optimizer": Momentum(), "clip_norm": 0.5},
    {"batch_norm": True, "freeze": (0,), "sample_weight": WEIGHTS},
    {"optimizer": Adam(), "l2": 0.1, "bias": True, "freeze": (0,)},  # the kernel of all bits
]


@pytest.mark.parametrize(
    ("options", "lanes"),
    some(
        [(OPTIONS[3], 8), *((given, lanes) for given in OPTIONS[:3] for lanes in (8, 1))],
        [True] + [False] * 6,
    ),
)
def test_rows_of_a_sweep_and_resumed_runs(options, lanes):
    given = NETWORK | options
    sweep = fastgd.sweep(
        X, Y, **given, iterations=50, max_norm=[0.5, np.inf, 0.9], seed=[1, 2, 3], keep_state=True
    )
    with at_a_time(lanes):
        for i, limit in enumerate([0.5, np.inf if lanes == 1 else 1e9, 0.9]):
            alone = fastgd.train(X, Y, **given, iterations=50, max_norm=limit, seed=2)
            assert same(sweep[i, 1], alone)
        assert sweep[0, 1].final_error != sweep[1, 1].final_error
        first = fastgd.train(X, Y, **given, iterations=21, max_norm=0.5, seed=2)
        assert same(fastgd.train(X, Y, resume=first, iterations=29), sweep[0, 1])


@pytest.mark.parametrize(
    ("threads", "more"),
    [(threads, {"hidden_size": (15, 9)}) for threads in (2, 3)]
    + some(
        [(threads, {"hidden_size": (17, 9), "optimizer": Momentum()}) for threads in (2, 3)],
        [False, False],
    ),
)
def test_threads_that_share_an_update(threads, more, sharing):  # noqa: F811 - asks for the fixture
    given = {"iterations": 40, "record_every": 7, "max_norm": 0.5} | more
    given |= {"alpha": 0.1, "bias": True}
    alone = fastgd.train(X, Y, **given, threads=1)
    made = sharing(threads)
    assert same(fastgd.train(X, Y, **given, threads=1), alone)
    assert made[0].threads == threads


def test_a_limit_that_is_not_reached_changes_no_bit():
    free = fastgd.train(X, Y, **NETWORK, iterations=60)
    assert same(fastgd.train(X, Y, **NETWORK, iterations=60, max_norm=1e9), free)


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_a_norm_that_overflows_ends_its_own_run_only():
    """The squares overflow, the weights don't; without a limit they aren't computed."""
    given = {"hidden_size": 2, "iterations": 20, "record_every": 5}
    starts = [[np.full((3, 2), size), np.full((2, 2), 0.5)] for size in (0.5, 1e160)]
    sweep = fastgd.sweep(X, Y, **given, weights=starts, max_norm=[0.1, np.inf])
    for k, start in enumerate(starts):
        for i, limit in enumerate([0.1, np.inf]):
            status = "diverged" if (i, k) == (0, 1) else "finished"
            assert sweep[i, k].status == status
            for train in (fastgd.train, reference.train):
                run = train(X, Y, **given, weights=start, max_norm=limit)
                assert (run.status, run.iterations) == (status, sweep[i, k].iterations)
    assert sweep[0, 1].iterations == 1
