"""objective(): the loss of a network and its derivative, as a function of a flat vector."""

from __future__ import annotations

from functools import cached_property
from math import nan, sqrt
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.declarations import LossOptions
from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method, check_curved
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, check_seed, check_vector
from fastgd.engine.network import Network, first_weights, flatten
from fastgd.engine.prediction import LossEvaluation, ResidualEvaluation
from fastgd.engine.session import Session
from fastgd.training.run import Run
from fastgd.training.training_job import checked_loss


def objective(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    **options: Unpack[LossOptions],
) -> Objective:
    """Loss of a network over all samples, as a function for any optimizer.

    The value is what gradient descent minimizes: half the sum of squared errors, or the cross
    entropy, with each sample multiplied by its ``sample_weight`` (and divided by the sum of these
    with ``reduction="mean"``), plus ``l1 * sum |w| + l2 / 2 * sum w**2`` over the weights (not the
    biases). The derivative is bit-identical to that of the training.

    Parameters
    ----------
    X : (samples, inputs) array_like
        Finite numbers.
    y : (samples,) or (samples, outputs) array_like
        Targets.
    hidden_size : int or tuple of int
        Units of the hidden layer, or of each of several; ``()`` for no hidden layer.
    **options
        ``activation``, ``output``, ``loss``, ``reduction``, ``bias``, ``sample_weight``, ``l1``,
        ``l2``: see :class:`fastgd.arguments.options.Options`.

    Returns
    -------
    Objective

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.

    Examples
    --------
    The article's problem in a few steps of BFGS ("A Few Optimization Methods"):

    >>> import fastgd, scipy.optimize
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> f = fastgd.objective(X, y, hidden_size=8)
    >>> found = scipy.optimize.minimize(f, f.start(1), jac=True, method="BFGS")
    >>> found.nit < 100, found.fun < 1e-3
    (True, True)
    >>> f.run(found.x).predict(X).round(1).ravel() + 0.0
    array([0., 1., 1., 0.])
    """
    checked = checked_loss(X, y, options, hidden_size=hidden_size)
    return Objective(checked.task.X, checked.task.y, checked.network, checked.method)


class Objective:
    """``f(w)`` returns the loss at the parameters w and its derivative; see :func:`objective`.

    w is a vector of all parameters, layer by layer: for each layer the weights (inputs, outputs)
    row by row, then the biases if there are any. :meth:`parts` splits it into arrays. Threads may
    share an objective: their calls are serialized.

    Attributes
    ----------
    network : Network
        The layers.
    method : Method
        The options.
    """

    def __init__(self, X: FloatArray, y: FloatArray, network: Network, method: Method) -> None:
        session = Session.of_derivative(network, method, X, y)
        check_memory(session.bytes(1), "the objective")
        self.network = network
        self.method = method
        self._X, self._y = X, y
        self._evaluation = LossEvaluation(session)

    def __repr__(self) -> str:
        """The layers and the options."""
        options = "".join(f", {name}={value!r}" for name, value in self.method.given.items())
        return f"Objective(sizes={self.network.sizes}{options})"

    def __call__(self, w: ArrayLike) -> tuple[float, FloatArray]:
        """Loss and derivative at w; infinite or NaN where numbers overflow.

        Parameters
        ----------
        w : (parameters,) array_like
            Any numbers, including infinite ones, which a line search may try.

        Raises
        ------
        ValueError
            If w is not a vector of real numbers, one for each parameter.

        Examples
        --------
        >>> import fastgd
        >>> f = fastgd.objective([[0.0], [1.0]], [0.0, 2.0], hidden_size=(), output="identity")
        >>> f([0.5])
        (1.125, array([-1.5]))
        """
        value, derivative, _ = self.evaluate(w)
        return value, derivative

    def residuals(self, w: ArrayLike) -> FloatArray:
        """What is squared in the loss: half the sum of its squares is the loss.

        First ``output - y`` of all samples, those of a sample side by side, each times the root of
        the sample's weight (and with ``reduction="mean"`` divided by the root of their sum). With
        ``l2`` above 0, the weights (not the biases) times its root follow, layer by layer.

        Parameters
        ----------
        w : (parameters,) array_like
            As in :meth:`__call__`.

        Returns
        -------
        (residuals,) array

        Raises
        ------
        ValueError
            If w is not a vector of real numbers, one for each parameter; or if the loss is no sum
            of squares: with another ``loss`` than "squared", or ``l1`` above 0. Or if the network
            has more than 1,000 parameters.

        Examples
        --------
        >>> import fastgd
        >>> f = fastgd.objective([[0.0], [1.0]], [0.0, 2.0], hidden_size=(), output="identity")
        >>> f.residuals([0.5])
        array([ 0. , -1.5])
        """
        return self._residuals_at(w)[0]

    def jacobian(self, w: ArrayLike) -> FloatArray:
        """The derivatives of :meth:`residuals` by all parameters, bit-identical to the training's.

        They are what ``scipy.optimize.least_squares`` takes, and what
        :class:`fastgd.optimizers.LevenbergMarquardt` computes: a backward pass for each output.

        Parameters
        ----------
        w : (parameters,) array_like
            As in :meth:`__call__`.

        Returns
        -------
        (residuals, parameters) array

        Raises
        ------
        ValueError
            As in :meth:`residuals`.

        Examples
        --------
        >>> import fastgd, numpy as np, scipy.optimize
        >>> x = np.linspace(-2, 2, 30)
        >>> f = fastgd.objective(
        ...     x[:, None], np.sin(x), hidden_size=2, activation="tanh", output="identity"
        ... )
        >>> found = scipy.optimize.least_squares(f.residuals, f.start(1), f.jacobian, method="lm")
        >>> f(found.x)[0] < 1e-3
        True
        """
        return self._residuals_at(w)[1]

    def _residuals_at(self, w: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Residuals and Jacobian at w."""
        method = self.method
        for name, rule in (("loss", "squared"), ("l1", 0.0)):
            if getattr(method, name) != rule:
                raise ValueError(
                    f"{name} must be {rule!r} for residuals, whose squares make up the loss, "
                    f"got {shown(getattr(method, name))}"
                )
        w = check_vector("w", w, self.network.parameters)
        residuals, jacobian = self._residual_evaluation.at(w)
        if method.reduction == "mean":
            weight = method.sample_weight
            root = np.sqrt(len(self._X) if weight is None else weight.sum())
            residuals, jacobian = residuals / root, jacobian / root
        if method.l2:
            rows = sqrt(method.l2) * np.eye(len(w))[self._are_weights]
            residuals = np.concatenate([residuals, rows @ w])
            jacobian = np.concatenate([jacobian, rows])
        return residuals, jacobian

    @cached_property
    def _residual_evaluation(self) -> ResidualEvaluation:
        _, *hidden, _ = self.network.sizes
        check_curved(tuple(hidden), self.network.parameters, "for equations of least squares")
        session = Session.of_jacobian(self.network, self.method, self._X, self._y)
        check_memory(session.bytes(1) + 2 * session.layout.workspace, "the Jacobian")
        return ResidualEvaluation(session)

    @property
    def _are_weights(self) -> NDArray[np.bool_]:
        """(parameters,) which of the parameters are no biases."""
        parts = self.network.parts(np.zeros(self.network.parameters))
        ones = tuple(np.ones_like(array) for array in parts.weights)
        return self.network.row(parts._replace(weights=ones)) > 0

    def evaluate(self, w: ArrayLike) -> tuple[float, FloatArray, float]:
        """Loss and derivative at w, and the mean absolute error."""
        w = check_vector("w", w, self.network.parameters)
        return self._evaluation.at(w)

    def start(self, seed: int = 1) -> FloatArray:
        """Initial parameters as in :func:`fastgd.train`: the article's weights, and biases 0.

        Examples
        --------
        >>> import fastgd
        >>> f = fastgd.objective([[0, 1], [1, 0]], [0, 1], hidden_size=(), bias=True)
        >>> f.start(seed=1).round(3)
        array([-0.166,  0.441,  0.   ])
        """
        return self.row(first_weights(self.network.sizes, check_seed(seed)))

    def row(self, weights: tuple[FloatArray, ...]) -> FloatArray:
        """The parameter vector of these weights, with biases 0."""
        first: FloatArray = self.network.rows(flatten(weights)[None])[0]
        return first

    def parts(self, w: ArrayLike) -> NetworkParts:
        """Weights and biases of w, as in a :class:`fastgd.Run`: one array per layer.

        Examples
        --------
        >>> import fastgd
        >>> f = fastgd.objective([[0, 1], [1, 0]], [0, 1], hidden_size=(), bias=True)
        >>> f.parts([1, 2, 3])
        NetworkParts(weights=(array([[1.],
               [2.]]),), biases=(array([3.]),), normalization=())
        """
        return self.network.parts(check_vector("w", w, self.network.parameters).copy())

    def run(self, w: ArrayLike) -> Run:
        """The network with these parameters as a Run without iterations, to predict or save."""
        parts, (loss, _, error) = self.parts(w), self.evaluate(w)
        changes = self.network.parts(np.zeros(self.network.parameters, np.int64))
        return Run(
            alpha=nan,
            hidden_size=self.network.sizes[1:-1],
            seed=None,
            errors=np.empty(0),
            recorded=np.empty(0, np.int64),
            weights=parts.weights,
            direction_changes=changes.weights,
            final_error=error,
            losses=np.empty(0),
            final_loss=loss,
            status="finished" if np.isfinite(error) else "diverged",
            iterations=0,
            biases=parts.biases,
            bias_direction_changes=changes.biases,
            options=self.method.given,
        )
