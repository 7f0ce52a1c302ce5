"""Samples are padded to whole tiles without any effect on the results.

Padding copies the last sample. So the last sample overflows in these tests: an infinite value times
the padding's weight of 0 would be NaN.
"""

from itertools import pairwise, product

import numpy as np
import pytest
from test_parts import differences, runs_are_alone
from test_shared_updates import sharing  # noqa: F401

import fastgd
from cases import EVERYTHING, OPTIONS, with_values
from fastgd import reference
from fastgd.engine import session as layouts
from fastgd.functions import sqrt, where
from fastgd.kernel.vectorization import ROWS
from fastgd.optimizers import Adam, Momentum, Rprop
from few_kernels import users_kernels
from networks import fresh
from thinning import at_a_time, kernels_of, only

pytestmark = pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")

ROOT = fastgd.Function(lambda a: where(a >= 0, sqrt(a), 0.0))
"""Its derivative is infinite at 0, where a sample has inputs of 0."""

RANDOM = np.random.RandomState(6)
X, Y = 0.1 + RANDOM.random_sample((41, 3)), RANDOM.random_sample((41, 2))

WEIGHTS = 1.0 + np.arange(123).reshape(3, 41) % 3
WEIGHTS[0, 1:4], WEIGHTS[1:, 39] = 0.0, 0.0

CASES = {
    "output": {"output": ROOT, "hidden_size": ()},
    "hidden": {"activation": ROOT, "output": "identity", "optimizer": Momentum(), "bias": True},
    "softmax": {
        "activation": ROOT, "output": "softmax", "loss": "cross_entropy", "reduction": "mean",
    },
    "several outputs": {"activation": ROOT, "output": "identity", "loss": "gaussian"},
    "clipped norm": {
        "activation": ROOT, "clip_norm": 0.1, "dropout": 0.3, "optimizer": Adam(),
    },
    "penalties": {
        "activation": ROOT, "output": ROOT, "l1": 0.01, "l2": 0.01, "optimizer": Rprop(),
        "dropconnect": 0.1, "restore_best": True, "evaluate_every": 1,
    },
}  # fmt: skip
"""Each with a limit for deltas, so that runs continue."""

IN_BATCHES = {
    "epochs": {"activation": ROOT, "output": "identity", "batch_size": 9, "shuffle_seed": 3},
    "drawn": {"activation": ROOT, "output": ROOT, "batch_size": 9, "sampling": "adaptive"},
    "normalized": {
        "output": "identity",
        "loss": "gaussian",
        "batch_size": 9,
        "batch_norm": True,
    },
}
"""The last batch of an epoch has less than a group of samples, and padding for more than one."""


def settings(case, samples, place):
    """A training on so many samples, of which the one at a place has an infinite derivative."""
    given = {"alpha": 0.01, "iterations": 4, "record_every": 1, "clip_above": 1.0, "hidden_size": 6}
    given |= (CASES | IN_BATCHES)[case]
    x, y = X[:samples].copy(), Y[:samples]
    x[place] = 0.0
    if given.get("loss") == "gaussian":
        y = y.copy()
        y[place] = 1e200
    if given.get("output") == "softmax":
        y = y / y.sum(axis=1, keepdims=True)
    outputs = 4 if given.get("loss") == "gaussian" else 2
    sizes = (3, 6, outputs) if given["hidden_size"] else (3, outputs)
    weights = [np.linspace(0.1, 0.9, a * b).reshape(a, b) for a, b in pairwise(sizes)]
    return given | {"X": x, "y": y, "weights": fresh(weights, **given)}


def with_more(given, count):
    """The same with samples of weight 0 behind, in which nothing is infinite."""
    samples = len(given["X"])
    more = {
        name: np.concatenate([given[name], np.full((count, given[name].shape[1]), 0.5)])
        for name in "Xy"
    }
    return given | more | {"sample_weight": np.repeat([1.0, 0.0], [samples, count])}


in_short = pytest.mark.parametrize("case", only(CASES, "hidden", "softmax"))


@in_short
def test_any_number_of_samples(case):
    """The padding is that of the last sample, or, with samples of weight 0 behind, of these."""
    finished = 0
    for samples in range(1, 2 * ROWS + 2):
        given = settings(case, samples, samples - 1)
        run = fastgd.train(**given)
        for count in range(1, ROWS + 1):
            other = fastgd.train(**with_more(given, count))
            found = set(differences(run, other)) - {"options", "state", "sample_hashes"}
            assert not {name for name in found if "state" not in name}, (samples, count, found)
        twin = reference.train(**given)
        assert (run.status, run.iterations) == (twin.status, twin.iterations)
        finished += run.status == "finished"
    assert finished > ROWS


def agrees(given):
    """A run is its twin's, and continues; its weights."""
    run, twin = fastgd.train(**given), reference.train(**given)
    assert run.status == twin.status == "finished"
    for ours, theirs in zip(run.weights, twin.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@in_short
def test_any_place(case):
    """Infinite derivatives in the first sample, in the middle, in the last one."""
    for place in (0, 3, 5):
        agrees(settings(case, 6, place))


@pytest.mark.parametrize("case", only(IN_BATCHES, "normalized"))
def test_any_batch(case, monkeypatch):
    monkeypatch.setattr(layouts, "_remembered", layouts._grouped)
    monkeypatch.setattr(layouts, "GROUP_BYTES", 1)
    for samples in (11, 12, 13):
        for place in range(samples):
            agrees(settings(case, samples, place))


@pytest.mark.parametrize(("threads", "rows"), [(2, 4), (3, 32)])
def test_threads_that_share_an_update(threads, rows, sharing):  # noqa: F811
    for samples in (9, 18, 41):
        given = settings("hidden", samples, samples - 1)
        run = fastgd.train(**given, threads=1)
        assert run.status == "finished"
        made = sharing(threads, 1, rows)
        assert not set(differences(fastgd.train(**given, threads=1), run)) - {"state"}
        assert made[0].threads == threads


PARTS = {
    "groups": np.repeat(np.arange(9), np.arange(9) + 1)[:41],
    "folds": [([*range(0, 40, 2)], [7]), ([*range(33)], [40]), ([0, 40], [*range(1, 40, 2)])],
    "sample_weight": WEIGHTS,
}


@pytest.mark.parametrize("name", only(PARTS, "groups"))
def test_parts_side_by_side(name):
    """Padded to the samples of the largest one, or the table in common with weights of 0."""
    parts = {name: PARTS[name]}
    for place in (40, [0, 2, 5, 9, 14, 20, 27, 35, 40], 7):
        given = settings("hidden", 41, place) | parts
        given |= {"alpha": [0.01, 0.02, 0.03, 0.04, 0.05], "weights": [given["weights"]]}
        assert "finished" in runs_are_alone(given).status


def test_a_weight_of_0_that_is_given_is_a_factor():
    """0 times infinity is NaN, for the twin, too; but a loss is not even asked for."""
    given = settings("hidden", 6, 2) | {"sample_weight": [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]}
    for train in (fastgd.train, reference.train):
        run = train(**given)
        assert (run.status, run.iterations) == ("diverged", 1)
    options = {"hidden_size": (), "sample_weight": [1.0, 0.0]}
    X, y = [[1.0], [1.0]], [0.5, 1e200]
    assert fastgd.objective(X, y, **options)([0.0])[0] == 0.0
    assert reference.objective(X, y, [0.0], **options)[0] == 0.0


def test_other_outputs_of_a_target_have_no_errors():
    """Not even where they are infinite: the log-variance of a normal distribution."""
    given = {"hidden_size": (), "output": "identity", "loss": "gaussian", "alpha": 1e-3}
    given |= {"weights": [[[0.5, 1e308], [0.3, 1.7e308]]], "iterations": 3, "record_every": 1}
    for train in (fastgd.train, reference.train):
        with at_a_time(8):  # as a test of own functions has it
            run = train([[1.0, 1.0], [1.0, 1.0]], [0.0, 1.0], **given)
        np.testing.assert_allclose([*run.errors, run.final_error], 0.5)
        assert run.losses.tolist() == [np.inf] * 3


@pytest.mark.parametrize(
    "samples", [9, *(pytest.param(count, marks=pytest.mark.slow) for count in (10, 11))]
)
def test_padding_is_no_sample_of_a_batch_in_code_for_one_network(samples):
    """There both numbers are constants, and batch normalization divides by that of real samples."""
    given = {"X": X[:samples], "y": Y[:samples, 0], "batch_norm": True, "iterations": 20}
    with users_kernels():
        run = fastgd.train(**given)
    shared, twin = fastgd.train(**given), reference.train(**given)
    for own, general, plain in zip(run.weights, shared.weights, twin.weights, strict=True):
        assert own.tobytes() == general.tobytes()
        np.testing.assert_allclose(own, plain, rtol=1e-10)


# ---------------------------------------------------------------- every option

IN_SHORT = (*EVERYTHING, "plain", "tanh, identity", "gaussian in batches", "relu, cross entropy")
"""What is tried whenever the tests run; each of the other options has kernels of its own."""


def kinds(numbers):
    """NaN, an infinity, or 0 for what is finite: with batch_norm the rest is rounding here."""
    return np.where(np.isfinite(numbers), 0.0, numbers)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in IN_SHORT else pytest.mark.slow) for name in OPTIONS],
)
def test_what_overflows_is_the_twins(name):
    """The same numbers are infinite, or NaN, wherever the sample is that overflows."""
    case = OPTIONS[name]
    given = with_values(case.options, {key: axis[-1] for key, axis in case.axes.items()})
    given |= {"hidden_size": (5, 3), "alpha": 0.1, "record_every": 1}
    if "sample_weight" in given:
        given["sample_weight"] = np.arange(1.0, 7.0)
    for place, iterations, size in product((0, 2, 5), (1, 2), (1e150, 1e308)):
        x, y = X[:6].copy(), Y[:6].copy()
        x[place] = [size, -0.4 * size, 0.1]
        if given.get("loss") != "cross_entropy":
            y[place, 0] = size
        given |= {"X": x, "y": case.targets(y), "iterations": iterations}
        with kernels_of(name):
            run, twin = fastgd.train(**given), reference.train(**given)
        assert (run.status, run.iterations) == (twin.status, twin.iterations)
        for ours, theirs in zip(
            (*run.weights, *run.biases, run.errors, run.losses),
            (*twin.weights, *twin.biases, twin.errors, twin.losses),
            strict=True,
        ):
            np.testing.assert_array_equal(kinds(ours), kinds(theirs))
