"""What a unit does with its input, and its slope: the derivative, written with the output v."""

from collections.abc import Callable

import numpy as np

from fastgd.arguments.data import FloatArray

Function = Callable[[FloatArray], FloatArray]
LossFunction = Callable[[str, FloatArray, FloatArray, FloatArray], FloatArray]


def sigmoid(x: FloatArray) -> FloatArray:
    """The article's nonlinearity."""
    return 1 / (1 + np.exp(-x))


def sigmoid_slope(v: FloatArray) -> FloatArray:
    """The article's sigmoid_output_to_derivative."""
    return v * (1 - v)


def tanh(x: FloatArray) -> FloatArray:
    """Hyperbolic tangent."""
    return np.tanh(x)


def tanh_slope(v: FloatArray) -> FloatArray:
    """1 - tanh^2."""
    return 1 - v * v


def relu(x: FloatArray) -> FloatArray:
    """Rectifier, max(0, x)."""
    return np.maximum(x, 0.0)


def relu_slope(v: FloatArray) -> FloatArray:
    """1 where the unit is on; in the kink, where there is no derivative, 0."""
    return (v > 0).astype(np.float64)


def identity(x: FloatArray) -> FloatArray:
    """A linear unit."""
    return x


def identity_slope(v: FloatArray) -> FloatArray:
    """1 everywhere."""
    return np.ones_like(v)


FUNCTIONS: dict[str, tuple[Function, Function]] = {
    "sigmoid": (sigmoid, sigmoid_slope),
    "tanh": (tanh, tanh_slope),
    "relu": (relu, relu_slope),
    "identity": (identity, identity_slope),
}
"""The function and its slope of each name."""


# The loss of each sample and output, of outputs v = output(z) where y should be.


def squared(_output: str, y: FloatArray, v: FloatArray, _z: FloatArray) -> FloatArray:
    """The article's, half the squared error."""
    return (y - v) ** 2 / 2


def cross_entropy(output: str, y: FloatArray, _v: FloatArray, z: FloatArray) -> FloatArray:
    """-y log v - (1 - y) log(1 - v) of a sigmoid; of tanh, with p = (1 + v) / 2 and (1 + y) / 2.

    From the input z of the output unit: log(1 - v) would be -inf where v rounds to 1.
    """
    if output == "tanh":  # p = (1 + tanh(z)) / 2 is sigmoid(2 * z)
        z, y = 2 * z, (1 + y) / 2
    # -log(p) and -log(1 - p), where p = 1 / (1 + exp(-z))
    entropy: FloatArray = y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)
    return entropy


# What turns the error y - v of an output into minus the derivative by the unit's input.


def squared_slope(output: str) -> Function:
    """The unit's own slope."""
    return FUNCTIONS[output][1]


def cross_entropy_slope(_output: str) -> Function:
    """1, as it divides by exactly the unit's slope.

    Of the sigmoid it has the derivative -(y - v) / (v (1 - v)) by v; of tanh, -(y - v) / (1 - v^2).
    """
    return identity_slope


LOSSES: dict[str, tuple[LossFunction, Callable[[str], Function]]] = {
    "squared": (squared, squared_slope),
    "cross_entropy": (cross_entropy, cross_entropy_slope),
}
"""The loss and its slope of each name."""
