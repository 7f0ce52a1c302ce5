"""One layer of weights and the units after it: forward pass, backward pass, derivatives."""

import numpy as np

from fastgd.arguments.option_types import mask_of
from fastgd.arguments.options import Method
from fastgd.checks.numbers import FloatArray
from fastgd.reference.batch_norm import Normalization
from fastgd.reference.formulas import value_and_derivatives
from fastgd.reference.output import Output, Units
from fastgd.reference.parameter import Parameter
from fastgd.reference.philox import DROPCONNECT, DROPOUT, mask


class Layer:
    """Weights (inputs, outputs), bias, batch normalization, activation, dropout; in this order.

    `forward` keeps what `backward` needs; `backward` leaves the derivatives in the parameters.

    Attributes
    ----------
    x : (samples, inputs) array
        The input of the layer.
    z : (samples, outputs) array
        The input of the activation: ``x @ weights + bias``, batch-normalized if that is on.
    delta : (samples, outputs) array
        Minus the derivative of the loss by ``x @ weights + bias``.
    """

    def __init__(
        self,
        method: Method,
        k: int,
        alpha: float,
        weights: FloatArray,
        bias: FloatArray | None,
        normalization: tuple[FloatArray, ...] | None,
        *,
        is_output: bool,
    ) -> None:
        optimizer = method.optimizer
        self.k = k
        self.method = method
        self.weights = Parameter(weights, alpha, optimizer)
        self.bias = None if bias is None else Parameter(bias, alpha, optimizer)
        self.norm = Normalization(normalization, alpha, optimizer) if normalization else None
        self._units = None if is_output else Units(method, "activation")
        self._smooth = Units(method, "output" if is_output else "activation")
        self._output = Output(method)
        self._dropout = 0.0 if is_output else method.dropout

        frozen = mask_of(method.freeze, k)
        self.weights.frozen = frozen
        if isinstance(frozen, bool):  # the whole layer, or nothing of it
            for parameter in self.parameters:
                parameter.frozen = frozen
        if self.bias and self.norm:  # which subtracts it again: its derivative is rounding
            self.bias.frozen = True

    @property
    def parameters(self) -> list[Parameter]:
        """All trainable parameters."""
        norm = [self.norm.scale, self.norm.shift] if self.norm else []
        return [self.weights, *([self.bias] if self.bias else []), *norm]

    def measure(self, x: FloatArray) -> FloatArray:
        """Outputs for x as in predict(): without dropout, with running statistics."""
        z = self._sums(x, self.weights.value)
        if self.norm:
            z = self.norm.measure(z)
        return self._output.values(z) if self._units is None else self._units.at(z)[0]

    def forward(self, x: FloatArray, iteration: int, seed: int) -> FloatArray:
        """Outputs for a training batch x (samples, inputs)."""
        self.x = x
        self._connected = self._mask(
            self.method.dropconnect, DROPCONNECT, self.weights.value.shape, iteration, seed
        )
        self._used = self.weights.value
        if self._connected is not None:
            self._used = self._used * self._connected
        z = self._sums(x, self._used)
        if self.norm:
            z = self.norm.forward(z)
        self.z = z
        if self._units is None:
            return self._output.values(z)
        v, self._derivative = self._units.at(z)
        self._kept = self._mask(self._dropout, DROPOUT, z.shape, iteration, seed)
        return v if self._kept is None else _masked(v, self._kept)

    def tangents(self, t: FloatArray) -> FloatArray:
        """From the derivatives of the last x by the network's inputs to those of the outputs.

        Both are (samples, inputs of the network, units).
        """
        self.t, self.u = t, t @ self.weights.value
        self._first, self._second = self._smooth.at(self.z)[1], self._smooth.second(self.z)
        moved: FloatArray = self._first[:, None] * self.u
        return moved

    def losses(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """For the last layer: the loss of each sample and target with these inputs."""
        return self._output.losses(y, self._sums(x, self.weights.value))

    def delta_of(self, y: FloatArray) -> FloatArray:
        """For the last layer: minus the derivatives of these losses by ``x @ weights + bias``."""
        return self._output.delta(y, self.z)

    def backward(
        self, error: FloatArray, divisor: float, missing: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray | None]:
        """Compute delta and minus the derivatives from the error of the outputs.

        For the last layer ``error`` is `delta_of`, times the sample's weight; for any other layer
        it is what the next one returned: the error of its inputs. Derivatives are divided by
        ``divisor``, penalties are not. ``missing`` is the error of the outputs' tangents, if these
        are learned; then that of the inputs' is returned, too.
        """
        delta = error
        if self._units is not None:
            derivative = (
                self._derivative if self._kept is None else _masked(self._derivative, self._kept)
            )
            delta = delta * derivative
        own = None
        if missing is not None:
            own = self._first[:, None] * missing
            delta = delta + self._second * (self.u * missing).sum(axis=1)
        delta = self._limit(delta)
        if self.norm:
            delta = self.norm.backward(delta, divisor)
        self.delta = delta

        g = self.x.T.dot(delta) / divisor
        if own is not None:
            g = g + np.einsum("nid,nih->dh", self.t, own) / divisor
        if self._connected is not None:
            g = _masked(g, self._connected)
        if (penalty := self.method.formula("penalty")) is not None:
            g = g - value_and_derivatives(penalty, self.weights.value)[1]
        if self.method.l1:
            g = g - self.method.l1 * np.sign(self.weights.value)
        if self.method.l2:
            g = g - self.method.l2 * self.weights.value
        self.weights.g = g
        if self.bias:
            self.bias.g = delta.sum(axis=0) / divisor
        return delta.dot(self._used.T), None if own is None else own @ self._used.T

    def slopes(self) -> FloatArray:
        """For the last layer: the derivatives of its outputs, (samples, outputs)."""
        return self._output.slopes(self.z)

    def products(self) -> FloatArray:
        """Each sample's inputs times its deltas, (samples, parameters): weights, then biases."""
        products = self.x[:, :, None] * self.delta[:, None, :]
        rows = [products.reshape(len(self.x), -1), *([self.delta] if self.bias else [])]
        return np.hstack(rows)

    def squared_norms(self) -> FloatArray:
        """The squared norm of each sample's own gradient, |x|^2 |delta|^2, (samples,)."""
        inputs = (self.x**2).sum(axis=1) + (1 if self.bias else 0)
        norms: FloatArray = inputs * (self.delta**2).sum(axis=1)
        return norms

    def _limit(self, delta: FloatArray) -> FloatArray:
        """Trim small deltas to 0 and clip large ones (article, "Delta trimming")."""
        if self.method.trim_below:
            delta = np.where(np.abs(delta) < self.method.trim_below, 0.0, delta)
        if self.method.clip_above < np.inf:
            delta = np.clip(delta, -self.method.clip_above, self.method.clip_above)
        return delta

    def _sums(self, x: FloatArray, weights: FloatArray) -> FloatArray:
        z: FloatArray = np.dot(x, weights)
        return z + self.bias.value if self.bias else z

    def _mask(
        self, rate: float, purpose: int, shape: tuple[int, ...], iteration: int, seed: int
    ) -> FloatArray | None:
        return mask(rate, shape, iteration, seed, self.k, purpose) if rate else None


def _masked(values: FloatArray, mask: FloatArray) -> FloatArray:
    """Values times a mask: 0 where the mask is 0, even for infinite values."""
    return np.where(mask > 0, values * mask, 0.0)
