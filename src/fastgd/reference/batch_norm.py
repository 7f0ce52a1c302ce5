"""Batch normalization of a hidden layer's inputs (Ioffe and Szegedy, ICML 2015)."""

import numpy as np

from fastgd.arguments.initial_network import BatchNorm
from fastgd.checks.numbers import FloatArray
from fastgd.optimizers import Optimizer
from fastgd.reference.parameter import Parameter

EPSILON = 1e-5
"""Prevents a division by 0 for a unit with the same input for all samples."""

MOMENTUM = 0.1
"""Weight of the newest batch in the running statistics (PyTorch's name and value)."""


class Normalization:
    """Each unit is normalized to mean 0 and variance 1 over a batch, then scaled and shifted."""

    def __init__(self, first: tuple[FloatArray, ...], alpha: float, optimizer: Optimizer) -> None:
        scale, shift, self.mean, self.variance = first
        self.scale = Parameter(scale, alpha, optimizer)
        self.shift = Parameter(shift, alpha, optimizer)

    def forward(self, z: FloatArray) -> FloatArray:
        """Algorithm 1, for the inputs z (samples, units) of a training batch."""
        samples = len(z)
        mean = z.sum(axis=0) / samples
        variance = ((z - mean) ** 2).sum(axis=0) / samples
        self._deviation = np.sqrt(variance + EPSILON)
        self._normal = (z - mean) / self._deviation

        unbiased = variance * (samples / (samples - 1))
        self.mean = (1 - MOMENTUM) * self.mean + MOMENTUM * mean
        self.variance = (1 - MOMENTUM) * self.variance + MOMENTUM * unbiased
        scaled: FloatArray = self.scale.value * self._normal + self.shift.value
        return scaled

    def measure(self, z: FloatArray) -> FloatArray:
        """Algorithm 2, with the running statistics: samples don't depend on each other."""
        normal = (z - self.mean) / np.sqrt(self.variance + EPSILON)
        return self.scale.value * normal + self.shift.value

    def backward(self, delta: FloatArray, divisor: float) -> FloatArray:
        """Turn the delta of the scaled and shifted inputs into that of z, by the chain rule.

        z also moves the mean and variance of its batch. Hence the delta loses its mean, and its
        projection onto the normalized input (section 3 of the paper, its derivatives combined).
        """
        by_scale, by_shift = (delta * self._normal).sum(axis=0), delta.sum(axis=0)
        samples = len(delta)
        rest = delta - by_shift / samples - self._normal * by_scale / samples
        before: FloatArray = self.scale.value / self._deviation * rest
        self.scale.g, self.shift.g = by_scale / divisor, by_shift / divisor
        return before

    def result(self) -> BatchNorm:
        """The learned scale and shift, and the running statistics."""
        return BatchNorm(self.scale.value, self.shift.value, self.mean, self.variance)
