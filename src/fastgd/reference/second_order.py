"""Steps of second order: Levenberg-Marquardt, and Bayesian regularization.

As in Hagan and Menhaj (IEEE Transactions on Neural Networks 5, 1994), MacKay (*Bayesian
interpolation*, Neural Computation 4, 1992), and Foresee and Hagan (ICNN 1997). In the names of
these papers J is the Jacobian of the outputs, r the residuals, mu the damping, gamma the effective
number of parameters, and ``alpha * sum w**2 + beta * sum r**2`` the objective.
"""

from math import nan

import numpy as np

from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.checks.numbers import FloatArray
from fastgd.engine.results import State
from fastgd.optimizers import BAYESIAN
from fastgd.reference import schedules
from fastgd.reference.optimizers import LevenbergMarquardt
from fastgd.reference.perceptron import Perceptron

OUTCOMES = {0: None, 1: "converged", 3: "stalled"}
"""What the signal of a step means: how the run ends at the next error."""

SMALLEST_DAMPING = 1e-20
MOST_TRIES = 100
ROUNDING = 1e-14
SETTLED = 1.001
"""Lower limit of the damping, as in MATLAB's ``trainlm``."""

MOST_GROWTH = 2.0
"""Most by which a step multiplies alpha."""


class SecondOrder:
    """The steps of a perceptron, which move all its parameters at once."""

    def __init__(self, perceptron: Perceptron, method: Method, task: TrainingData) -> None:
        self._perceptron, self._method, self._task = perceptron, method, task
        optimizer = perceptron.layers[0].weights.optimizer
        assert isinstance(optimizer, LevenbergMarquardt)
        self._optimizer = optimizer
        self._task = task
        weight = method.sample_weight
        self._weight = np.ones(len(task.X)) if weight is None else weight
        self._is_bayesian = method.regularization == "bayesian"
        self._frozen = perceptron.gathered(lambda parameter: parameter.frozen) > 0
        weights = perceptron.network.parts(np.zeros(perceptron.network.parameters))
        for array in weights.weights:
            array[...] = 1
        penalized = perceptron.network.row(weights) > 0
        # Parameters whose squares are in the objective.
        self._penalized = ~self._frozen & (penalized | self._is_bayesian)

    @property
    def estimates(self) -> dict[str, float]:
        """What Bayesian regularization finds, as fields of a run."""
        numbers = self._optimizer.kept_numbers
        return {name: float(numbers[name]) for name in BAYESIAN} if self._is_bayesian else {}

    @property
    def outcome(self) -> str | None:
        """How the run ends, if the step before was its last one."""
        return OUTCOMES[int(self._optimizer.kept_numbers["signal"])]

    def resume_from(self, state: State) -> None:
        """Resume from what a state has about the run."""
        numbers = self._optimizer.kept_numbers
        numbers.update(zip(numbers, state.corrections[0].tolist(), strict=True))

    def _factor(self, j: int) -> float:
        return schedules.values(self._method, self._task, j)[0]

    def update(self, j: int) -> None:
        """Take a step that makes the loss smaller, if there is one."""
        optimizer, numbers = self._optimizer, self._optimizer.kept_numbers
        w, r = self._perceptron.row, self._residuals()
        J = self._jacobian()
        factor, decay = self._factors()
        A = factor * J.T @ J + np.diag(decay * self._penalized)
        b = factor * J.T @ r - decay * self._penalized * w
        b[self._frozen] = 0
        for parameter, g in self._perceptron.pairs(b):
            parameter.g = g
            parameter.count()
        self._move(np.zeros_like(w), j)  # which remembers the parameters
        mu = numbers["current_damping"] or optimizer.damping
        is_settled = not self._is_bayesian or (
            numbers["effective_parameters"]
            <= SETTLED * 2 * numbers["weight_penalty"] * self._squared_parameters()
        )
        if is_settled and np.abs(b).max() <= optimizer.min_gradient:
            numbers["signal"] = 1
        diagonal = np.diag(A)
        D = optimizer.scaled * np.where(diagonal > 0, diagonal, 1) + (1 - optimizer.scaled)
        before = self._objective()
        is_taken, tries = False, 0
        moves = self._factor(j) != 0
        while moves and not is_taken and numbers["signal"] == 0:
            d = _solved(A + np.diag(mu * D), b)
            self._move(d, j)
            is_taken = self._objective() < before
            is_damped = mu * (d @ (D * d)) > (d @ b) / 2
            if is_taken:
                mu = max(mu * optimizer.decrease, SMALLEST_DAMPING)
            else:
                self._put(w)
                mu *= optimizer.increase
            tries += 1
            is_short = np.abs(d).max() <= optimizer.min_step * np.abs(w).max()
            is_stuck = is_short or mu > optimizer.max_damping or tries == MOST_TRIES
            if is_stuck and not is_taken:
                numbers["signal"] = 3
            # A step that is short by its damping may have large derivatives, as at a kink of relu.
            is_level = not is_damped or d @ b <= ROUNDING * before
            if is_short and is_level and is_settled:
                numbers["signal"] = 1
        numbers["current_damping"] = mu
        if self._is_bayesian and is_taken:
            learns = np.flatnonzero(self._penalized)
            own, count = A[np.ix_(learns, learns)], len(learns)
            self._estimate(count - decay * np.trace(_solved(own, np.eye(count))))

    def _estimate(self, gamma: float) -> None:
        """The most probable alpha and beta, for the present parameters and residuals."""
        r, numbers = self._residuals(), self._optimizer.kept_numbers
        numbers["effective_parameters"] = gamma if gamma > 0 else 0.0
        if not gamma > 0:  # by rounding
            return
        squares, parameters = float(r @ r), self._squared_parameters()
        count = self._weight.sum() * self._task.y.shape[1]
        beta = float(count - gamma) / (2 * squares) if squares > 0 else 1.0
        alpha = gamma / (2 * parameters) if parameters > 0 else 1.0
        numbers["weight_penalty"] = min(alpha, MOST_GROWTH * numbers["weight_penalty"])
        numbers["error_factor"] = beta if beta > 0 else 1.0

    def _factors(self) -> tuple[float, float]:
        """The factors of the squared residuals, and of the squared parameters."""
        if self._is_bayesian:
            numbers = self._optimizer.kept_numbers
            return numbers["error_factor"], numbers["weight_penalty"]
        total = self._weight.sum() if self._method.reduction == "mean" else 1.0
        return 1 / total, self._method.l2

    def _objective(self) -> float:
        """Twice the loss."""
        (factor, decay), r = self._factors(), self._residuals()
        value = factor * r @ r + decay * self._squared_parameters()
        return float(value) if np.isfinite(self._perceptron.row).all() else nan

    def _squared_parameters(self) -> float:
        w = self._perceptron.row[self._penalized]
        return float(w @ w)

    def _residuals(self) -> FloatArray:
        """(samples * outputs,) the outputs of a sample side by side, times the root of its weight.

        Their squares are the weighted loss.
        """
        outputs = self._perceptron.outputs(self._task.X)
        residuals: FloatArray = np.sqrt(self._weight)[:, None] * (self._task.y - outputs)
        return residuals.ravel()

    def _jacobian(self) -> FloatArray:
        """(samples * outputs, P) the derivatives of the outputs, times the same; 0 if frozen."""
        J = self._perceptron.jacobian(self._task.X) * np.sqrt(self._weight)[:, None, None]
        return np.where(self._frozen, 0.0, J).reshape(-1, J.shape[2])

    def _move(self, d: FloatArray, j: int) -> None:
        factor = self._factor(j)
        for parameter, step in self._perceptron.pairs(d):
            parameter.move(step, factor)

    def _put(self, w: FloatArray) -> None:
        for parameter, old in self._perceptron.pairs(w):
            parameter.value = old.copy()


def _solved(A: FloatArray, b: FloatArray) -> FloatArray:
    """The solution of A d = b; NaN if A is not positive definite."""
    try:
        U = np.linalg.cholesky(A).T
    except np.linalg.LinAlgError:
        return np.full(b.shape, nan)
    d: FloatArray = np.linalg.solve(U, np.linalg.solve(U.T, b))
    return d
