"""Activations by option, and the last layer together with the loss: outputs, losses, deltas."""

import numpy as np

from fastgd.arguments.options import Method
from fastgd.checks.numbers import FloatArray
from fastgd.reference.formulas import second_derivative, value_and_derivatives
from fastgd.reference.functions import FUNCTIONS, LOSSES, SECOND_DERIVATIVES

FAR_BELOW = {"exp": np.inf, "softplus": -40.0, "sigmoid": -40.0}
"""Inputs below which a unit equals exp to all digits."""


class Units:
    """Hidden units, or output units whose values don't depend on each other."""

    def __init__(self, method: Method, option: str) -> None:
        self._choice = getattr(method, option)
        self._formula = method.formula(option)

    def at(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Values and derivatives of units with these inputs."""
        assert self._formula is not None  # softmax: see `Output`
        if isinstance(self._choice, str):
            return FUNCTIONS[self._choice](z, **self._formula.parameters)
        value, derivative = value_and_derivatives(self._formula, z)
        return value, derivative

    def second(self, z: FloatArray) -> FloatArray:
        """Second derivatives of units with these inputs."""
        assert self._formula is not None
        if isinstance(self._choice, str):
            return SECOND_DERIVATIVES[self._choice](z)
        return second_derivative(self._formula, z)


class Output:
    """Output units and loss of a method, as functions of the units' inputs z (samples, units).

    If each target has several outputs, those of target t of T are units t, T + t, 2 T + t, ...
    """

    def __init__(self, method: Method) -> None:
        self._units = Units(method, "output")
        self._output, self._loss = method.output, method.loss
        self._formula = method.formula("loss")

    def values(self, z: FloatArray) -> FloatArray:
        """Outputs of the network."""
        if self._output == "softmax":
            powers = np.exp(z - z.max(axis=1, keepdims=True))
            shares: FloatArray = powers / powers.sum(axis=1, keepdims=True)
            return shares
        return self._units.at(z)[0]

    def slopes(self, z: FloatArray) -> FloatArray:
        """Derivatives of units whose values don't depend on each other."""
        return self._units.at(z)[1]

    def losses(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """The loss of each sample and target, (samples, targets)."""
        if self._output == "softmax":
            return _of_classes(y, z)
        if self._loss == "cross_entropy":
            return _of_probability(self._output, y, z)
        if self._loss == "poisson":
            return self._of_count(y, z)[0]
        return self._with_derivatives(y, z)[0]

    def delta(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Minus the derivatives of the losses by z, (samples, units)."""
        if self._loss == "cross_entropy":
            # The derivative by v divides by the unit's derivative: for the sigmoid it is
            # -(y - v) / (v (1 - v)), for tanh -(y - v) / (1 - v^2).
            return y - self.values(z)
        if self._loss == "poisson":
            return self._of_count(y, z)[1]
        _, *derivatives = self._with_derivatives(y, z)
        return -np.concatenate(derivatives, axis=1) * self._units.at(z)[1]

    def _of_count(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Poisson's v - y log v, and minus its derivative by z.

        Uses the inputs, as v may underflow to 0, where it is exp(z) to all digits and log v is z.
        """
        v, derivative = self._units.at(z)
        far = z < FAR_BELOW[self._output]
        logarithm = np.log(v, where=~far, out=z.copy())
        relative = np.divide(derivative, v, where=~far, out=np.ones_like(z))
        counts = y > 0
        loss = v - np.where(counts, y * logarithm, 0.0)
        return loss, np.where(counts, y * relative, 0.0) - derivative

    def _with_derivatives(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, ...]:
        """Losses, and their derivatives by each of a target's outputs."""
        outputs = np.split(self.values(z), z.shape[1] // y.shape[1], axis=1)
        assert self._formula is not None
        if isinstance(self._loss, str):
            return LOSSES[self._loss](y, *outputs, **self._formula.parameters)
        return value_and_derivatives(self._formula, y, *outputs)


def _of_classes(y: FloatArray, z: FloatArray) -> FloatArray:
    """-y log v, computed from the inputs, as v itself may underflow to 0."""
    half = z / 2 - z.max(axis=1, keepdims=True) / 2  # the difference itself may overflow
    level = np.log(np.exp(2 * half).sum(axis=1, keepdims=True))
    entropy: FloatArray = 2 * (y * (level / 2 - half))
    return entropy


def _of_probability(output: str, y: FloatArray, z: FloatArray) -> FloatArray:
    """-y log v - (1 - y) log(1 - v) of a sigmoid; for tanh with (1 + v) / 2 and (1 + y) / 2.

    Computed from the inputs, as log(1 - v) would be -inf where v rounds to 1.
    """
    steep = 1
    if output == "tanh":  # p = (1 + tanh(z)) / 2 is sigmoid(2 * z)
        steep, y = 2, (1 + y) / 2
    # With p = 1 / (1 + exp(-z)), -log(p) and -log(1 - p) share this term:
    common: FloatArray = np.log1p(np.exp(-steep * np.abs(z)))
    return common + steep * (y * np.maximum(-z, 0) + (1 - y) * np.maximum(z, 0))
