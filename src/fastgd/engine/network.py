"""A network as an array: its layers, initial weights, and one flat row of all its parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.initial_network import BatchNorm, NetworkParts, WholeNetwork
from fastgd.arguments.option_types import Frozen, mask_of
from fastgd.arguments.options import Method
from fastgd.arguments.samples import outputs_of
from fastgd.checks.numbers import FloatArray

Weights = tuple[NDArray[np.float64], ...]
"""One (inputs, outputs) array per layer."""

STATISTICS = len(BatchNorm._fields)
"""Rows of a normalized layer: scale, shift, running mean and variance."""


@dataclass(frozen=True)
class Network:
    """Sizes of the layers from the inputs to the outputs, and what layers have besides weights.

    All parameters of a network form one flat row: layer by layer, and within a layer the weights
    (inputs, outputs), the biases, and with batch normalization scale, shift, mean and variance.
    """

    sizes: tuple[int, ...]
    bias: bool = False
    batch_norm: bool = False

    @classmethod
    def of(cls, whole: WholeNetwork) -> "Network":
        """The architecture of a network with all its parameters."""
        sizes = (len(whole.weights[0]), *(layer.shape[1] for layer in whole.weights))
        return cls(sizes, bool(len(whole.biases)), bool(len(whole.normalization)))

    @property
    def layers(self) -> int:
        """Layers of weights."""
        return len(self.sizes) - 1

    def normalizes(self, k: int) -> bool:
        """Whether the units that layer k of weights leads to are batch-normalized."""
        return self.batch_norm and k < self.layers - 1

    @cached_property
    def matrices(self) -> list[tuple[int, int]]:
        """(rows, outputs) of each layer; rows are the inputs, a bias, and the statistics."""
        return [
            (inputs + self.bias + STATISTICS * self.normalizes(k), outputs)
            for k, (inputs, outputs) in enumerate(pairwise(self.sizes))
        ]

    @cached_property
    def parameters(self) -> int:
        """Length of a parameter row."""
        return sum(rows * outputs for rows, outputs in self.matrices)

    @cached_property
    def counted(self) -> Any:
        """Index of the parameters whose direction changes are counted: weights and biases."""
        if not self.batch_norm:
            return slice(None)
        kinds = [
            np.arange(rows * outputs) < (self.sizes[k] + self.bias) * outputs
            for k, (rows, outputs) in enumerate(self.matrices)
        ]
        return np.concatenate(kinds)

    @property
    def is_plain(self) -> bool:
        """Whether the network has weights only."""
        return not (self.bias or self.batch_norm)

    def rows(self, starts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Initial rows (n, parameters) from flat weights (n, weights).

        Biases, shifts and means start at 0, scales and variances at 1.
        """
        if self.is_plain:
            return starts
        parts: list[NDArray[np.float64]] = []
        at = 0
        for k, (inputs, outputs) in enumerate(pairwise(self.sizes)):
            parts.append(starts[:, at : at + inputs * outputs])
            at += inputs * outputs
            beside = [0.0] * self.bias + [1.0, 0.0, 0.0, 1.0] * self.normalizes(k)
            parts.append(np.tile(np.repeat(beside, outputs), (len(starts), 1)))
        return np.concatenate(parts, axis=1)

    def learning(self, frozen: Frozen | None) -> NDArray[np.float64]:
        """A row (parameters,) of 1 for trainable and 0 for frozen parameters.

        Batch normalization subtracts a bias again: its derivative is 0 but for rounding, of which
        Rprop would make full steps.
        """
        row = np.ones(self.parameters)
        parts = self.parts(row)
        for bias in parts.biases[: len(parts.normalization)]:
            bias[:] = 0.0
        for k in range(self.layers):
            mask = mask_of(frozen, k)
            if isinstance(mask, np.ndarray):
                parts.weights[k][mask] = 0.0
            elif mask:
                parts.weights[k][:] = 0.0
                for array in (*parts.biases[k : k + 1], *sum(parts.normalization[k : k + 1], ())):
                    array[:] = 0.0
        return self.row(parts)

    def parts(self, row: NDArray[Any]) -> NetworkParts:
        """Split a row, or rows (..., parameters), whose leading axes all the arrays then have."""
        weights, biases, normalization = [], [], []
        at = 0
        for k, (rows, outputs) in enumerate(self.matrices):
            inputs = self.sizes[k]
            matrix = row[..., at : at + rows * outputs].reshape(*row.shape[:-1], rows, outputs)
            at += rows * outputs
            weights.append(matrix[..., :inputs, :])
            if self.bias:
                biases.append(matrix[..., inputs, :])
            if self.normalizes(k):
                statistics = range(rows - STATISTICS, rows)
                normalization.append(BatchNorm(*(matrix[..., place, :] for place in statistics)))
        return NetworkParts(tuple(weights), tuple(biases), tuple(normalization))

    def row(self, parts: NetworkParts) -> NDArray[np.float64]:
        """Join the arrays into a row, or rows (..., parameters): the inverse of :meth:`parts`."""
        flat: list[NDArray[np.float64]] = []
        for k, weights in enumerate(parts.weights):
            flat.append(weights.reshape(*weights.shape[:-2], -1))
            if self.bias:
                flat.append(parts.biases[k])
            if self.normalizes(k):
                flat.extend(parts.normalization[k])
        return np.concatenate(flat, axis=-1)


def network_of(
    method: Method, X: FloatArray, y: FloatArray, hidden_size: tuple[int, ...]
) -> Network:
    """The network of these options between X and y; some losses need several outputs per target."""
    sizes = (X.shape[1], *hidden_size, outputs_of(method.loss, y))
    return Network(sizes, method.bias, method.batch_norm)


def count_weights(sizes: Sequence[int]) -> int:
    """Weights of a network with these layers."""
    return sum(inputs * outputs for inputs, outputs in pairwise(sizes))


def first_weights(sizes: Sequence[int], seed: int) -> Weights:
    """Initial weights as the article draws them: uniform in [-1, 1), layer by layer."""
    random = np.random.RandomState(seed)
    return tuple(2 * random.random_sample(shape) - 1 for shape in pairwise(sizes))


class _Drawing(local):
    """A generator for each thread, reseeded for every use.

    Creating one takes 0.1 ms, as NumPy first seeds it from the system's entropy; reseeding 2 us.
    """

    def __init__(self) -> None:
        self.random = np.random.RandomState(0)


_drawing = _Drawing()


def all_first_weights(sizes: Sequence[int], seeds: Sequence[int]) -> NDArray[np.float64]:
    """Initial weights for many seeds, (seeds, weights)."""
    random = _drawing.random
    rows = np.empty((len(seeds), count_weights(sizes)))
    for row, seed in zip(rows, seeds, strict=True):
        random.seed(seed)
        row[:] = random.random_sample(len(row))
    return 2 * rows - 1


def flatten(weights: Weights) -> NDArray[np.float64]:
    """All weights in one row."""
    return np.concatenate([layer.ravel() for layer in weights])


def unflatten(row: NDArray[Any], sizes: Sequence[int]) -> tuple[NDArray[Any], ...]:
    """One row of weights as an (inputs, outputs) array per layer."""
    return Network(tuple(sizes)).parts(row).weights
