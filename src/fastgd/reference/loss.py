"""objective(): the loss of a network and its gradient, at a vector of parameters."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastgd.arguments.declarations import LossOptions
from fastgd.checks.numbers import FloatArray, check_vector
from fastgd.reference.perceptron import Perceptron
from fastgd.reference.sampling import Epochs
from fastgd.training.training_job import checked_loss


def objective(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    **options: Unpack[LossOptions],
) -> tuple[float, FloatArray]:
    """Return the loss over all samples and its gradient, as ``fastgd.objective(...)(w)`` does.

    Parameters
    ----------
    X, y, hidden_size, **options
        As in :func:`fastgd.objective`.
    w : (parameters,) array_like
        Layer by layer the weights (inputs, outputs), row by row, then the biases if there are any.

    Returns
    -------
    float, (parameters,) array

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.

    Examples
    --------
    >>> from fastgd import reference
    >>> value, derivative = reference.objective(
    ...     [[0.0], [1.0]], [0.0, 2.0], [0.5], hidden_size=(), output="identity"
    ... )
    >>> value, derivative.tolist()
    (1.125, [-1.5])
    """
    checked = checked_loss(X, y, options, hidden_size=hidden_size)
    X, y, network, method = checked.task.X, checked.task.y, checked.networks[0], checked.methods[0]
    perceptron = Perceptron(
        network, method, check_vector("w", w, network.parameters), checked.alphas[0][0]
    )
    with np.errstate(all="ignore"):
        perceptron.propagate(X, y, Epochs(len(X), method).batch(0))
        value = perceptron.loss(X, y)
    return value, np.concatenate([-parameter.g.ravel() for parameter in perceptron.parameters])
