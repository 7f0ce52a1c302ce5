"""Values exactly at a limit: the compiled training and its NumPy twin decide alike."""

import numpy as np
import pytest

import fastgd
from fastgd import reference
from plain import word

pytestmark = pytest.mark.parametrize(
    "train", [fastgd.train, reference.train], ids=["kernel", "twin"]
)


def test_an_update_of_0_counts_as_not_positive(train):
    # One giant step saturates the sigmoid, and from then on the update is exactly zero.
    up = train([[1.0]], [1], hidden_size=(), alpha=1e6, iterations=5)
    down = train([[1.0]], [0], hidden_size=(), alpha=1e6, iterations=5)
    assert up.direction_changes[0].tolist() == [[1]]
    assert down.direction_changes[0].tolist() == [[0]]


@pytest.mark.parametrize(
    ("target", "trim_below", "weight"),
    [(1.0, 0.125, 0.125), (0.0, 0.125, -0.125), (1.0, 0.126, 0.0)],
)
def test_a_delta_at_its_limit_stays(train, target, trim_below, weight):
    run = train([[1.0]], [target], weights=[[[0.0]]], trim_below=trim_below, iterations=1)
    assert run.weights[0].item() == weight


def test_a_weight_of_0_has_no_penalty_on_its_magnitude(train):
    run = train([[1.0, 0.0]], [0.5], weights=[np.zeros((2, 1))], l1=0.25, iterations=3)
    assert run.weights[0].tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(("name", "purpose", "layers"), [("dropout", 1, 2), ("dropconnect", 2, 1)])
def test_a_random_word_at_the_rate_is_not_below_it(train, name, purpose, layers):
    """Below it the only hidden unit, or the only weight, is dropped, and nothing moves."""
    drawn = word(0, 0, 0, (3, purpose))
    for rate, moves in ((drawn, True), (drawn + 1, False)):
        given = {name: rate / 2**32, "seed": 3, "iterations": 1}
        run = train([[1.0]], [1.0], weights=[[[1.0]]] * layers, **given)
        assert (run.weights[-1].item() > 1.0) is moves


def test_a_draw_at_the_edge_of_two_samples_is_the_second_one(train):
    """One seed in a billion: of four equal samples its first draw is between the last two."""
    seed, X = 26949659, np.eye(4)
    assert word(0, 0, 0, (seed, 3)) == 3 * 2**30
    run = train(
        X, np.ones(4), weights=[np.zeros((4, 1))], seed=seed, iterations=1, sampling="adaptive",
        batch_size=1,
    )  # fmt: skip
    assert run.weights[0].ravel().nonzero()[0].tolist() == [3]


def test_two_samples_with_half_of_the_gradient_each_leave_each_other_the_other_half(train):
    """Tau moves by rate / batch of g_i - q_i * G: g is 1, 0, 1, all q are 1/3."""
    run = train(
        np.eye(3), np.ones(3), weights=[np.zeros((3, 1))], seed=2, iterations=1,
        sampling="adaptive", batch_size=2, alpha=0.5, output="identity",
    )  # fmt: skip
    assert run.weights[0].ravel().tolist() == [0.5, 0.0, 0.5]
    assert run.state.tau.ravel() == pytest.approx([1 / 6, -1 / 3, 1 / 6], rel=1e-15)
