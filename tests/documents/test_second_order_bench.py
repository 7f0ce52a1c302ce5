"""What Levenberg-Marquardt is compared with minimizes the same, from the same initial weights."""

import numpy as np
import pytest

import fastgd
from benches import bench

peers = bench("peer_second_order")


@pytest.fixture(scope="module")
def problem():
    X = np.linspace(-1, 1, 24).reshape(12, 2)
    return peers.Problem("small", X, np.sin(3 * X[:, :1]) + X[:, 1:], 3, 0.01, 2)


def test_initial_parameters_are_those_of_a_training(problem):
    train = {"init": "glorot", "iterations": 1, "record_weights": True, **problem.network}
    for seed, row in enumerate(problem.initial(2)):
        run = fastgd.reference.train(problem.X, problem.y, seed=seed, **train)
        for (weights, biases), expected in zip(
            problem.layers(row), run.recorded_weights, strict=True
        ):
            np.testing.assert_array_equal(weights, expected[0])
            assert not biases.any()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["scipy_lm", "scipy_lbfgs", "sklearn_lbfgs"])
def test_a_goal_is_reached_and_counted(problem, method):
    errors = getattr(peers, method)(problem, 2, 500)()
    assert problem.reached(errors) == 2
    assert problem._replace(goal=1e-30).reached(errors) == 0
