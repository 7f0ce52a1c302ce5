"""Activations and losses, each with its derivative.

The formulas are written out here a second time: nothing is derived automatically, and nothing is
taken from `fastgd.formulas.named`.
"""

from collections.abc import Callable

import numpy as np

from fastgd.checks.numbers import FloatArray

Unit = Callable[..., tuple[FloatArray, FloatArray]]
"""Takes the inputs x and parameters by name; returns the values v and their derivatives."""

LossFunction = Callable[..., tuple[FloatArray, ...]]
"""Takes the targets, the outputs, and parameters by name; returns the losses, and their derivatives
by each output."""


def sigmoid(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The article's nonlinearity; the derivative is its sigmoid_output_to_derivative."""
    v = 1 / (1 + np.exp(-x))
    return v, v * (1 - v)


def tanh(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Hyperbolic tangent."""
    v = np.tanh(x)
    return v, 1 - v * v


def relu(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rectifier, max(0, x); the derivative at the kink, which has none, is set to 0."""
    return np.maximum(x, 0.0), (x > 0).astype(np.float64)


def identity(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A linear unit."""
    return x, np.ones_like(x)


def softplus(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """log(1 + exp(x)), a smooth rectifier."""
    return np.logaddexp(0, x), sigmoid(x)[0]


def leaky_relu(x: FloatArray, negative_slope: float) -> tuple[FloatArray, FloatArray]:
    """A rectifier that multiplies negative inputs by a small factor."""
    derivative = np.where(x > 0, 1.0, negative_slope)
    return x * derivative, derivative


def elu(x: FloatArray, elu_alpha: float) -> tuple[FloatArray, FloatArray]:
    """A rectifier that approaches -elu_alpha for large negative inputs."""
    derivative = np.where(x > 0, 1.0, elu_alpha * np.exp(np.minimum(x, 0)))
    return np.where(x > 0, x, elu_alpha * np.expm1(np.minimum(x, 0))), derivative


def silu(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sigmoid linear unit or swish, x * sigmoid(x)."""
    gate, derivative = sigmoid(x)
    return x * gate, gate + x * derivative


def gelu(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The tanh approximation of x times the normal distribution function."""
    root, cubic = np.sqrt(2 / np.pi), 0.044715
    near = np.clip(x, -100, 100)  # beyond that x**2 may overflow, the distribution is 0 or 1
    share, derivative = tanh(root * (near + cubic * near**3))
    inside = root * (1 + 3 * cubic * near**2)
    return x / 2 * (1 + share), (1 + share + near * derivative * inside) / 2


def exp(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The exponential, for a positive output such as a rate."""
    v = np.exp(x)
    return v, v


def _second_of_sigmoid(x: FloatArray) -> FloatArray:
    v, derivative = sigmoid(x)
    return derivative * (1 - 2 * v)


def _second_of_tanh(x: FloatArray) -> FloatArray:
    v, derivative = tanh(x)
    second: FloatArray = -2 * v * derivative
    return second


def _second_of_silu(x: FloatArray) -> FloatArray:
    return 2 * sigmoid(x)[1] + x * _second_of_sigmoid(x)


def _second_of_gelu(x: FloatArray) -> FloatArray:
    root, cubic = np.sqrt(2 / np.pi), 0.044715
    near = np.clip(x, -100, 100)
    inner, inside = root * (near + cubic * near**3), root * (1 + 3 * cubic * near**2)
    rise, bend = tanh(inner)[1], _second_of_tanh(inner)
    second: FloatArray = rise * inside + near / 2 * (
        bend * inside**2 + rise * root * 6 * cubic * near
    )
    return second


SECOND_DERIVATIVES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "sigmoid": _second_of_sigmoid,
    "tanh": _second_of_tanh,
    "identity": np.zeros_like,
    "softplus": lambda x: sigmoid(x)[1],
    "silu": _second_of_silu,
    "gelu": _second_of_gelu,
    "exp": np.exp,
}
"""Second derivatives of the units that have one everywhere."""


FUNCTIONS: dict[str, Unit] = {
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "identity": identity,
    "softplus": softplus,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "silu": silu,
    "gelu": gelu,
    "exp": exp,
}
"""The units by name, except softmax: see :mod:`fastgd.reference.output`."""


def squared(y: FloatArray, v: FloatArray) -> tuple[FloatArray, ...]:
    """The article's loss, half the squared error."""
    return (y - v) / 2 * (y - v), v - y


def huber(y: FloatArray, v: FloatArray, delta: float) -> tuple[FloatArray, ...]:
    """Squared for errors up to delta, linear beyond that."""
    error = np.abs(v - y)
    straight = delta * error - delta**2 / 2
    return np.where(error > delta, straight, error**2 / 2), np.clip(v - y, -delta, delta)


def absolute(y: FloatArray, v: FloatArray) -> tuple[FloatArray, ...]:
    """Minimal at the median; has no derivative where the error is 0."""
    return np.abs(v - y), np.sign(v - y)


def quantile(y: FloatArray, v: FloatArray, tau: float) -> tuple[FloatArray, ...]:
    """Minimal where a share tau of the targets is smaller."""
    below = v < y
    return np.abs(v - y) * np.where(below, tau, 1 - tau), np.where(below, -tau, 1 - tau)


def poisson(y: FloatArray, v: FloatArray) -> tuple[FloatArray, ...]:
    """Negative log-likelihood of a count, given the rate, without the constant log(y!)."""
    counts = y > 0
    loss = v - y * np.log(v, where=counts, out=np.zeros_like(v))
    return loss, 1 - np.divide(y, v, where=counts, out=np.zeros_like(v))


def gaussian(y: FloatArray, mean: FloatArray, log_variance: FloatArray) -> tuple[FloatArray, ...]:
    """Negative log-likelihood of a normal distribution, without log(2 pi) / 2."""
    error, root = y - mean, np.exp(-log_variance / 2)
    share = np.where(error == 0, 0.0, error * root)  # the root may be infinite
    by_mean = np.where(error == 0, 0.0, -share * root)
    return log_variance / 2 + share / 2 * share, by_mean, 0.5 - share / 2 * share


LOSSES: dict[str, LossFunction] = {
    "squared": squared,
    "huber": huber,
    "absolute": absolute,
    "quantile": quantile,
    "poisson": poisson,
    "gaussian": gaussian,
}
"""The losses by name, except cross entropies: see :mod:`fastgd.reference.output`."""
