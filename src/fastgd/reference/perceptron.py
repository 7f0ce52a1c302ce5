"""A multilayer perceptron: its layers, one after the other, and its parameters as one row."""

from collections.abc import Callable, Iterator
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method
from fastgd.checks.numbers import FloatArray
from fastgd.engine.network import Network
from fastgd.reference.formulas import value_and_derivatives
from fastgd.reference.layer import Layer
from fastgd.reference.parameter import Parameter
from fastgd.reference.philox import GRADIENT_NOISE, INPUT_NOISE, normal
from fastgd.reference.sampling import Batch


class Perceptron:
    """The layers of a network, whose parameters start as a row (P,), with an alpha for each."""

    def __init__(
        self, network: Network, method: Method, row: FloatArray, alphas: FloatArray
    ) -> None:
        parts = network.parts(row)
        self.network, self.method = network, method
        self.layers = [
            Layer(method, k, alphas[k], *arrays, is_output=k == network.layers - 1)
            for k, arrays in enumerate(zip_longest(*parts))
        ]

    @property
    def parameters(self) -> list[Parameter]:
        """All trainable arrays."""
        return [parameter for layer in self.layers for parameter in layer.parameters]

    def propagate(
        self,
        X: FloatArray,
        y: FloatArray,
        batch: Batch,
        iteration: int = 0,
        seed: int = 0,
        gradients: FloatArray | None = None,
    ) -> None:
        """Forward through all layers and back; the derivatives are left in the parameters."""
        outputs = X[batch.places]
        if self.method.input_noise:
            noise = normal(len(outputs), outputs.shape[1], iteration, (seed, INPUT_NOISE))
            outputs = outputs + self._decayed(self.method.input_noise, iteration) * noise
        for layer in self.layers:
            outputs = layer.forward(outputs, iteration, seed)
        error = self.layers[-1].delta_of(y[batch.places])
        missing = None
        if gradients is not None:
            missing = self.method.gradient_weight * self._missing(gradients[batch.places])
        if batch.weights is not None:
            error = error * batch.weights
            missing = None if missing is None else missing * batch.weights[:, None]
        for layer in reversed(self.layers):
            error, missing = layer.backward(error, batch.divisor, missing)

    def add_noise(self, iteration: int, seed: int) -> None:
        """Add noise to the derivatives, which `propagate` has computed: in the order of the row."""
        of_layers = [
            normal(rows * units, 1, iteration, (seed, 8 * k + GRADIENT_NOISE))[:, 0]
            for k, (rows, units) in enumerate(self.network.matrices)
        ]
        noise = self._decayed(self.method.gradient_noise, iteration) * np.concatenate(of_layers)
        for parameter, own in self.pairs(noise):
            parameter.g = parameter.g + own

    def _decayed(self, deviation: float, iteration: int) -> float:
        return float(deviation / (1.0 + iteration) ** (self.method.noise_decay / 2))

    def _missing(self, gradients: FloatArray) -> FloatArray:
        """What the tangents of the last outputs lack, (samples, inputs, outputs); 0 if unknown."""
        samples, _, inputs = gradients.shape
        t = np.broadcast_to(np.eye(inputs), (samples, inputs, inputs))
        for layer in self.layers:
            t = layer.tangents(t)
        wanted = gradients.transpose(0, 2, 1)
        return np.where(np.isnan(wanted), 0.0, wanted - t)

    def outputs(self, X: FloatArray) -> FloatArray:
        """Outputs for X (samples, inputs), as in predict()."""
        for layer in self.layers:
            X = layer.measure(X)
        return X

    def jacobian(self, X: FloatArray) -> FloatArray:
        """Derivatives of the outputs by all parameters, (samples, outputs, P).

        One backward pass for each output, starting from its own derivative alone.
        """
        outputs = X
        for layer in self.layers:
            outputs = layer.forward(outputs, 0, 0)
        slopes, rows = self.layers[-1].slopes(), []
        for alone in np.eye(outputs.shape[1]):
            error = slopes * alone
            for layer in reversed(self.layers):
                error, _ = layer.backward(error, 1.0)
            rows.append(np.hstack([layer.products() for layer in self.layers]))
        return np.stack(rows, axis=1)

    def error(self, X: FloatArray, y: FloatArray, sample_weight: FloatArray | None) -> float:
        """Mean absolute error, weighted with the samples' weights; evaluated as in predict()."""
        outputs = self.outputs(X)
        error = np.abs(y - outputs[:, : y.shape[1]])  # the first output of each target
        if sample_weight is None:
            return float(np.mean(error))
        return float(np.sum(sample_weight[:, None] * error) / (sample_weight.sum() * y.shape[1]))

    def loss(self, X: FloatArray, y: FloatArray, gradients: FloatArray | None = None) -> float:
        """The minimized loss: the sum or mean of the losses of all samples, plus the penalties.

        Evaluated as in predict(). A sample of weight 0 adds nothing, even if its loss is infinite.
        """
        *hidden, top = self.layers
        inputs, method = X, self.method
        for layer in hidden:
            X = layer.measure(X)
        weight = np.ones(len(X)) if method.sample_weight is None else method.sample_weight
        weighted = weight[:, None] * top.losses(X, y)
        value = np.sum(np.where(weight[:, None] > 0, weighted, 0.0))
        if gradients is not None:
            for layer in self.layers:
                inputs = layer.forward(inputs, 0, 0)
            squares = (self._missing(gradients) ** 2).sum(axis=(1, 2))
            value += method.gradient_weight / 2 * np.sum(weight * squares)
        if method.reduction == "mean":
            value /= weight.sum()
        for layer in self.layers:
            if method.l1:
                value += method.l1 * np.sum(np.abs(layer.weights.value))
            if method.l2:
                value += method.l2 / 2 * np.sum(layer.weights.value**2)
            if (penalty := method.formula("penalty")) is not None:
                value += np.sum(value_and_derivatives(penalty, layer.weights.value)[0])
        return float(value)

    @property
    def row(self) -> FloatArray:
        """All parameters and running statistics, (P,)."""
        weights = tuple(layer.weights.value for layer in self.layers)
        biases = tuple(layer.bias.value for layer in self.layers if layer.bias)
        norms = tuple(layer.norm.result() for layer in self.layers if layer.norm)
        return self.network.row(NetworkParts(weights, biases, norms))

    @property
    def changes(self) -> NDArray[np.int64]:
        """How often each derivative changed sign, (P,)."""
        return self.gathered(lambda parameter: parameter.direction_changes).astype(np.int64)

    def gathered(self, of: Callable[[Parameter], Any]) -> FloatArray:
        """What each parameter has, as a row (P,) with 0 for running statistics."""
        row = np.zeros(self.network.parameters)
        for parameter, numbers in self.pairs(row):
            numbers[...] = of(parameter)
        return row

    def pairs(self, row: NDArray[Any]) -> Iterator[tuple[Parameter, NDArray[Any]]]:
        """Each parameter with its entries in a row (P,)."""
        parts = self.network.parts(row)
        for k, layer in enumerate(self.layers):
            normalization = chain(*parts.normalization[k : k + 1])
            arrays = (parts.weights[k], *parts.biases[k : k + 1], *normalization)
            yield from zip(layer.parameters, arrays, strict=False)  # mean and variance aren't
