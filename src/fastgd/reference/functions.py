"""What a unit does with its input, and its slope: the derivative, written with the output v."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Function = Callable[[FloatArray], FloatArray]


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


def output_slope(output: str, loss: str) -> Function:
    """What turns the error y - v of an output into minus the derivative by the unit's input.

    Half the squared error leaves the unit's own slope. Cross-entropy divides by exactly this slope:
    of the sigmoid, -y log v - (1 - y) log(1 - v) has the derivative -(y - v) / (v (1 - v)) by v; of
    tanh, the same loss with p = (1 + v) / 2 and (1 + y) / 2 has -(y - v) / (1 - v^2).
    """
    return identity_slope if loss == "cross_entropy" else FUNCTIONS[output][1]
