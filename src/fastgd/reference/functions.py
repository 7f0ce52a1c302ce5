"""What a unit does with its input, and what a loss makes of an output: values and derivatives.

The formulas stand here once more, by themselves: nothing is derived, and nothing is taken from
`fastgd.formulas.named`.
"""

from collections.abc import Callable

import numpy as np

from fastgd.arguments.data import FloatArray

Unit = Callable[..., tuple[FloatArray, FloatArray]]
"""Of the inputs x, and of numbers by name: the values v, and their derivatives."""

LossFunction = Callable[..., tuple[FloatArray, ...]]
"""Of the targets, their outputs, and of numbers by name: the losses, and the derivatives by each
output."""


def sigmoid(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The article's nonlinearity; the derivative is its sigmoid_output_to_derivative."""
    v = 1 / (1 + np.exp(-x))
    return v, v * (1 - v)


def tanh(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Hyperbolic tangent."""
    v = np.tanh(x)
    return v, 1 - v * v


def relu(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rectifier, max(0, x); in the kink, where there is no derivative, the derivative is 0."""
    return np.maximum(x, 0.0), (x > 0).astype(np.float64)


def identity(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A linear unit."""
    return x, np.ones_like(x)


def softplus(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """log(1 + exp(x)), a smooth rectifier."""
    return np.logaddexp(0, x), sigmoid(x)[0]


def leaky_relu(x: FloatArray, negative_slope: float) -> tuple[FloatArray, FloatArray]:
    """A rectifier that lets a part of negative inputs through."""
    derivative = np.where(x > 0, 1.0, negative_slope)
    return x * derivative, derivative


def elu(x: FloatArray, elu_alpha: float) -> tuple[FloatArray, FloatArray]:
    """A rectifier that goes to -elu_alpha on the left."""
    derivative = np.where(x > 0, 1.0, elu_alpha * np.exp(np.minimum(x, 0)))
    return np.where(x > 0, x, elu_alpha * np.expm1(np.minimum(x, 0))), derivative


def silu(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The input as far as a sigmoid lets it through: x * sigmoid(x)."""
    gate, derivative = sigmoid(x)
    return x * gate, gate + x * derivative


def gelu(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nearly x times the normal distribution up to x, which has no short formula."""
    root, cubic = np.sqrt(2 / np.pi), 0.044715
    near = np.clip(x, -100, 100)  # beyond, x**2 may overflow, and the normal distribution is 0 or 1
    share, derivative = tanh(root * (near + cubic * near**3))
    inside = root * (1 + 3 * cubic * near**2)
    return x / 2 * (1 + share), (1 + share + near * derivative * inside) / 2


def exp(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A rate, which is above 0."""
    v = np.exp(x)
    return v, v


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
"""The units of each name, but for softmax: see :mod:`fastgd.reference.output`."""


def squared(y: FloatArray, v: FloatArray) -> tuple[FloatArray, ...]:
    """The article's, half the squared error."""
    return (y - v) / 2 * (y - v), v - y


def huber(y: FloatArray, v: FloatArray, delta: float) -> tuple[FloatArray, ...]:
    """Squared for errors up to delta, and on from there along the tangent."""
    error = np.abs(v - y)
    straight = delta * error - delta**2 / 2
    return np.where(error > delta, straight, error**2 / 2), np.clip(v - y, -delta, delta)


def absolute(y: FloatArray, v: FloatArray) -> tuple[FloatArray, ...]:
    """Smallest at the median; no derivative where the error is 0."""
    return np.abs(v - y), np.sign(v - y)


def quantile(y: FloatArray, v: FloatArray, tau: float) -> tuple[FloatArray, ...]:
    """Smallest where a share tau of the targets lies below."""
    below = v < y
    return np.abs(v - y) * np.where(below, tau, 1 - tau), np.where(below, -tau, 1 - tau)


def poisson(y: FloatArray, v: FloatArray) -> tuple[FloatArray, ...]:
    """Minus the log-likelihood of a count at a rate, without what no rate changes: log(y!)."""
    counts = y > 0
    loss = v - y * np.log(v, where=counts, out=np.zeros_like(v))
    return loss, 1 - np.divide(y, v, where=counts, out=np.zeros_like(v))


def gaussian(y: FloatArray, mean: FloatArray, log_variance: FloatArray) -> tuple[FloatArray, ...]:
    """Minus the log-likelihood of a normal distribution, without log(2 pi) / 2."""
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
"""The losses of each name, but for cross entropies: see :mod:`fastgd.reference.output`."""
