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


def test_residuals_and_jacobian_are_those_of_our_loss(problem):
    f = fastgd.objective(problem.X, problem.y, **problem.network)
    for row in problem.initial(2):
        r, (loss, derivative) = problem.residuals(row), f(row)
        np.testing.assert_allclose(r @ r / 2 / len(r), loss, 1e-13)
        np.testing.assert_allclose(problem.jacobian(row).T @ r / len(r), derivative, 1e-11, 1e-14)


@pytest.mark.parametrize("method", ["scipy_lm", "scipy_lbfgs", "sklearn_lbfgs"])
def test_a_goal_is_reached_and_counted(problem, method):
    rows = getattr(peers, method)(problem, 2, 500)()
    assert problem.reached(rows) == 2
    assert problem._replace(goal=1e-30).reached(rows) == 0
