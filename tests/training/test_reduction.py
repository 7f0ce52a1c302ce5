"""reduction="mean": derivatives of the mean over a batch in place of the sum."""

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

import fastgd
from cases import WEIGHTS, X, Y
from thinning import kernels_of

SIZE = (5, 3)
EIGHT = {"X": X[:8], "y": Y[:8], "hidden_size": SIZE, "bias": True, "iterations": 20}


def bits(run):
    parts = (run.errors, *run.weights, *run.biases, *run.direction_changes)
    return b"".join(part.tobytes() for part in parts)


def test_of_eight_samples_alpha_is_eight_times_as_large():
    """To the bit, as 8 is a power of two; in batches of 4, four times."""
    total = fastgd.train(**EIGHT, alpha=0.5)
    with kernels_of("mean"):
        assert bits(fastgd.train(**EIGHT, alpha=4.0, reduction="mean")) == bits(total)
    total = fastgd.train(**EIGHT, alpha=0.5, batch_size=4)
    assert bits(fastgd.train(**EIGHT, alpha=2.0, batch_size=4, reduction="mean")) == bits(total)


@pytest.mark.slow
def test_of_four_drawn_ones_it_is_four_times_as_large():
    drawn = {"batch_size": 4, "sampling": "adaptive"}
    total = fastgd.train(**EIGHT, alpha=0.5, **drawn)
    assert bits(fastgd.train(**EIGHT, alpha=2.0, **drawn, reduction="mean")) == bits(total)


def test_samples_may_be_repeated():
    """The same alpha for four times the samples, where a sum needs a quarter of it."""
    given = EIGHT | {"alpha": 3.0, "reduction": "mean"}
    four = given | {"X": np.repeat(X[:8], 4, axis=0), "y": np.repeat(Y[:8], 4, axis=0)}
    for one, other in zip(fastgd.train(**given).weights, fastgd.train(**four).weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_batch_divides_by_its_own_weights():
    """By hand, of one sigmoid; a batch whose samples have weights of 0 changes nothing."""
    weights = np.array([2.0, 1.0, 0.0, 0.0, 0.5])
    given = {"hidden_size": (), "weights": [[[0.5]]], "sample_weight": weights, "alpha": 0.1}
    given |= {"batch_size": 2, "shuffle": False, "reduction": "mean"}
    x, y = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]]), np.array([1.0, 0.0, 1.0, 1.0, 0.5])
    w = 0.5
    for j, batch in enumerate([slice(0, 2), slice(2, 4), slice(4, 5)], 1):
        total = weights[batch].sum()
        if total:
            v = 1 / (1 + np.exp(-w * x[batch, 0]))
            slope = (y[batch] - v) * v * (1 - v) * x[batch, 0]
            w += 0.1 * (weights[batch] * slope).sum() / total
        run = fastgd.train(x, y, iterations=j, **given)
        assert run.weights[0].item() == pytest.approx(w, rel=1e-14)
        assert run.status == "finished"


def test_draws_stand_for_the_mean_over_all_samples():
    """The mean of many first steps is that of the full batch."""
    given = {"hidden_size": (), "weights": [np.zeros((3, 2))], "alpha": 1.0}
    given |= {"sample_weight": WEIGHTS, "reduction": "mean", "iterations": 1}
    full = fastgd.train(X, Y, **given)
    drawn = {"batch_size": 11, "sampling": "adaptive"}
    steps = [
        fastgd.reference.train(X, Y, seed=seed, **drawn, **given).weights[0] for seed in range(300)
    ]
    spread = np.std(steps, axis=0) / np.sqrt(len(steps))
    assert (np.abs(np.mean(steps, axis=0) - full.weights[0]) < 4 * spread).all()


@pytest.mark.parametrize("outputs", [1, 3])
def test_derivatives_are_scikit_learns(outputs):
    """A step with a penalty: its alpha is our l2 times the samples."""
    y = np.random.default_rng(2).normal(size=(11, outputs))
    theirs = MLPRegressor(
        hidden_layer_sizes=(4,), activation="tanh", solver="sgd", alpha=0.33, momentum=0.0,
        learning_rate_init=0.1, batch_size=11,
    )  # fmt: skip
    targets = y if outputs > 1 else y[:, 0]
    theirs.partial_fit(X, targets)
    start = [layer.copy() for layer in (*theirs.coefs_, *theirs.intercepts_)]
    theirs.partial_fit(X, targets)
    run = fastgd.train(
        X, y, weights=start[:2], biases=start[2:], bias=True, activation="tanh", output="identity",
        reduction="mean", l2=0.33 / 11, alpha=0.1, iterations=1,
    )  # fmt: skip
    for ours, other in zip(
        (*run.weights, *run.biases), (*theirs.coefs_, *theirs.intercepts_), strict=True
    ):
        np.testing.assert_allclose(ours, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("seeds", [8, pytest.param(3, marks=pytest.mark.slow)])
def test_folds_and_an_axis(seeds):
    """A sweep over both reductions, folds and weights: each row is that run alone.

    Of three seeds those of several folds lie side by side.
    """
    given = {"hidden_size": SIZE, "iterations": 30, "alpha": 0.7, "folds": 3, "record_every": 7}
    sweep = fastgd.sweep(
        X, Y, reduction=["sum", "mean"], sample_weight=WEIGHTS + 0.1, seed=range(seeds), **given
    )
    assert list(sweep.axes) == ["reduction", "fold", "seed"]
    for index in np.ndindex(sweep.shape):
        row, part = sweep[index], sweep.partition.part(index[1])
        alone = fastgd.train(
            X[part.rows], Y[part.rows], hidden_size=SIZE, iterations=30, record_every=7,
            alpha=0.7, seed=row.seed, **row.options,
        )  # fmt: skip
        assert bits(row) == bits(alone)
    assert sweep[1, 0, 0].options["reduction"] == "mean"
    assert "reduction" not in sweep[0, 0, 0].options


def test_the_loss_of_an_objective_is_a_mean():
    options = {"hidden_size": SIZE, "bias": True, "sample_weight": WEIGHTS}
    total = fastgd.objective(X, Y, **options)
    mean = fastgd.objective(X, Y, **options, reduction="mean")
    w = total.start(3)
    value, derivative = total(w)
    assert mean(w)[0] == value / WEIGHTS.sum()
    np.testing.assert_allclose(mean(w)[1], derivative / WEIGHTS.sum(), rtol=1e-15, atol=1e-300)
    penalized = fastgd.objective(X, Y, **options, reduction="mean", l2=0.5)
    weights = np.concatenate([layer.ravel() for layer in total.parts(w).weights])
    assert penalized(w)[0] == pytest.approx(mean(w)[0] + 0.25 * (weights**2).sum(), rel=1e-14)
    step = 1e-5 * np.eye(len(w))
    slope = [(penalized(w + d)[0] - penalized(w - d)[0]) / 2e-5 for d in step]
    np.testing.assert_allclose(penalized(w)[1], slope, rtol=1e-6, atol=1e-8)


def test_a_training_resumes():
    given = EIGHT | {"reduction": "mean", "batch_size": 3, "sample_weight": WEIGHTS[:8]}
    first = fastgd.train(**given | {"iterations": 7})
    on = fastgd.train(given["X"], given["y"], resume=first, iterations=13)
    assert bits(on) == bits(fastgd.train(**given))
