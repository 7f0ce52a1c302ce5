"""The loss of a network, and objective(), which adds its gradient, at a vector of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastgd.arguments.data import FloatArray, check_vector
from fastgd.arguments.declarations import LossOptions
from fastgd.arguments.options import Method
from fastgd.engine.network import Network
from fastgd.reference.layer import Layer
from fastgd.training.training_run import checked_loss


def objective(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    **options: Unpack[LossOptions],
) -> tuple[float, FloatArray]:
    """Loss of a network over all samples, and its gradient: ``fastgd.objective(...)(w)``.

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
    X, y, network, method = checked.task.X, checked.task.y, checked.network, checked.method
    layers = _layers(network, method, check_vector("w", w, network.parameters))
    weight = np.ones(len(X)) if method.sample_weight is None else method.sample_weight
    with np.errstate(all="ignore"):
        outputs = X
        for layer in layers:
            outputs = layer.forward(outputs, 0, 0)
        error = layers[-1].delta_of(y) * weight[:, None]
        divisor = weight.sum() if method.reduction == "mean" else 1.0
        for layer in layers[::-1]:
            layer.backward(error, divisor)
            error = layer.error_before()
        value = loss_of(layers, method, X, y)
    derivatives = [-parameter.g.ravel() for layer in layers for parameter in layer.parameters]
    return value, np.concatenate(derivatives)


def loss_of(layers: Sequence[Layer], method: Method, X: FloatArray, y: FloatArray) -> float:
    """The minimized loss: the sum or mean of the losses of all samples, plus the penalties.

    The network is evaluated as in `Run.predict`. A sample of weight 0 adds nothing, even if its
    loss is infinite.
    """
    *hidden, top = layers
    for layer in hidden:
        X = layer.measure(X)
    weight = np.ones(len(X)) if method.sample_weight is None else method.sample_weight
    weighted = weight[:, None] * top.losses(X, y)
    value = np.sum(np.where(weight[:, None] > 0, weighted, 0.0))
    if method.reduction == "mean":
        value /= weight.sum()
    for layer in layers:
        if method.l1:
            value += method.l1 * np.sum(np.abs(layer.weights.value))
        if method.l2:
            value += method.l2 / 2 * np.sum(layer.weights.value**2)
    return float(value)


def _layers(network: Network, method: Method, w: FloatArray) -> list[Layer]:
    """The layers of a network with these parameters."""
    parts = network.parts(w)
    layers = [
        Layer(weights, k, 1.0, method, is_output=k == network.layers - 1)
        for k, weights in enumerate(parts.weights)
    ]
    for layer, values in zip(layers, parts.biases, strict=False):
        if layer.bias:
            layer.bias.value = values
    return layers
