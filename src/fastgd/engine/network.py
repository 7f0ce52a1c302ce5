"""A network as an array: its layers, initial weights, and one flat row of all its parameters."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from threading import local
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.initial_network import BatchNorm, Init, NetworkParts, WholeNetwork
from fastgd.arguments.option_types import Frozen, mask_of
from fastgd.arguments.options import Method
from fastgd.arguments.samples import outputs_of
from fastgd.checks.numbers import FloatArray
from fastgd.kernel.block import EPSILON

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
    matrices: list[tuple[int, int]] = field(init=False, repr=False, compare=False)
    """(rows, outputs) of each layer; rows are the inputs, a bias, and the statistics."""
    parameters: int = field(init=False, repr=False, compare=False)
    """Length of a parameter row."""

    def __post_init__(self) -> None:
        matrices, below = [], self.sizes[0]
        for k, outputs in enumerate(self.sizes[1:]):
            normalized = self.batch_norm and k < len(self.sizes) - 2
            matrices.append((below + self.bias + STATISTICS * normalized, outputs))
            below = outputs
        parameters = sum([rows * outputs for rows, outputs in matrices])
        vars(self).update(matrices=matrices, parameters=parameters)

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
    def counted(self) -> Any:
        """Index of the parameters whose direction changes are counted: weights and biases."""
        if not self.batch_norm:
            return slice(None)
        kinds = [
            np.arange(rows * outputs) < (self.sizes[k] + self.bias) * outputs
            for k, (rows, outputs) in enumerate(self.matrices)
        ]
        return np.concatenate(kinds)

    def rows(self, starts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Initial rows (n, parameters) from flat weights (n, weights).

        Biases, shifts and means start at 0, scales and variances at 1.
        """
        if not (self.bias or self.batch_norm):
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

    def each(self, rows: NDArray[Any]) -> list[NetworkParts]:
        """Split n rows (n, parameters) into n networks: in a loop :meth:`parts` takes 5 us each."""
        weights, biases, normalization = self.parts(rows)
        kinds = weights, biases, [map(BatchNorm, *layer) for layer in normalization]
        found = (list(zip(*layers, strict=True)) or [()] * len(rows) for layers in kinds)
        return list(map(NetworkParts, *found))

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


def layers_of(
    parts: NetworkParts, outputs: int | None = None
) -> list[tuple[FloatArray, FloatArray]]:
    """Weights and biases of each layer, in which batch normalization is contained.

    They may be those of many networks, as leading axes. A loss may have several outputs per target,
    of which the first ``outputs`` predict.
    """
    found, last = [], len(parts.weights) - 1
    for k, weights in enumerate(parts.weights):
        shape = (*weights.shape[:-2], weights.shape[-1])
        biases = parts.biases[k] if parts.biases else np.zeros(shape)
        if k == last:
            weights, biases = weights[..., :outputs], biases[..., :outputs]
        elif parts.normalization:
            scale, shift, mean, variance = parts.normalization[k]
            with np.errstate(all="ignore"):  # of networks that diverged
                factor = scale / np.sqrt(variance + EPSILON)
                weights, biases = weights * factor[..., None, :], (biases - mean) * factor + shift
        found.append((weights, biases))
    return found


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


def flatten(weights: Weights) -> NDArray[np.float64]:
    """All weights in one row."""
    return np.concatenate([layer.ravel() for layer in weights])


# ---------------------------------------------------------------- initial weights
# The article's come from NumPy's legacy generator, which is frozen (NEP 19). The others come from
# Philox words, using + - * / and square roots only: NumPy's newer generators, logarithms and sines
# differ between versions and machines.


INIT = 4
"""Purpose of these random words: the second word of the Philox key is 8 * layer + 4."""

AT_ONCE = 2**18
"""Weights whose random words are generated at a time."""


_VARIANCES: dict[str, Callable[[int, int], float]] = {
    "glorot": lambda inputs, outputs: 2.0 / (inputs + outputs),
    "he": lambda inputs, _outputs: 2.0 / inputs,
    "lecun": lambda inputs, _outputs: 1.0 / inputs,
}
"""Of a layer's initial weights, given its numbers of inputs and outputs."""


def first_rows(init: Init, sizes: Sequence[int], seeds: Sequence[int]) -> FloatArray:
    """Initial weights (seeds, weights), flattened, of networks with these layers."""
    shapes = list(pairwise(sizes))
    kinds = (init,) * len(shapes) if isinstance(init, str) else init
    rows = np.empty((len(seeds), count_weights(sizes)))
    if "article" in kinds:
        random = _drawing.random
        for row, seed in zip(rows, seeds, strict=True):
            random.seed(seed)
            row[:] = random.random_sample(len(row))
        rows = 2 * rows - 1
    at = 0
    for k, (kind, (inputs, outputs)) in enumerate(zip(kinds, shapes, strict=True)):
        width = inputs * outputs
        if kind != "article":
            step = max(1, AT_ONCE // width)
            for begin in range(0, len(seeds), step):
                part = slice(begin, begin + step)
                words = _words(seeds[part], k, width)
                rows[part, at : at + width] = _spread(words, kind, inputs, outputs)
        at += width
    return rows


def _words(seeds: Sequence[int], k: int, count: int) -> NDArray[np.int64]:
    """(seeds, count) integers of 53 random bits."""
    pairs = np.arange((count + 1) // 2)
    key = np.array(seeds, np.uint64)[:, None], 8 * k + INIT
    w0, w1, w2, w3 = philox((pairs, 0, 0, 0), key).astype(np.int64)
    both = np.stack([w0 << 21 | w1 >> 11, w2 << 21 | w3 >> 11], axis=2)
    return both.reshape(len(seeds), -1)[:, :count]


def _spread(words: NDArray[np.int64], kind: str, inputs: int, outputs: int) -> FloatArray:
    variance = _VARIANCES[kind.removesuffix("_normal")](inputs, outputs)
    # The middle of one of 2**53 cells of [0, 1), minus one half.
    centered = ((words - 2**52).astype(np.float64) + 0.5) * 2.0**-53
    if kind.endswith("_normal"):
        return quantile(centered) * math.sqrt(variance)
    return centered * (2.0 * math.sqrt(3.0 * variance))


# ---------------------------------------------------------------- the normal distribution

# Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics
# 37 (1988), PPND16: about 1 part in 10**16. Numerators and denominators, constant term first.
_MIDDLE = (
    (
        *(3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427),
        *(13731.693765509461125, 45921.953931549871457, 67265.770927008700853),
        *(33430.575583588128105, 2509.0809287301226727),
    ),
    (
        *(1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077),
        *(21213.794301586595867, 39307.895800092710610, 28729.085735721942674),
        5226.4952788528545610,
    ),
)
_SIDE = (
    (
        *(1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550),
        *(3.64784832476320460504, 1.27045825245236838258, 0.241780725177450611770),
        *(0.0227238449892691845833, 7.74545014278341407640e-4),
    ),
    (
        *(1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550),
        *(0.148103976427480074590, 0.0151986665636164571966, 5.47593808499534494600e-4),
        1.05075007164441684324e-9,
    ),
)
_TAIL = (
    (
        *(6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580),
        *(0.296560571828504891230, 0.0265321895265761230930, 1.24266094738807843860e-3),
        *(2.71155556874348757815e-5, 2.01033439929228813265e-7),
    ),
    (
        *(1.0, 0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525),
        *(7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7),
        2.04426310338993978564e-15,
    ),
)


def quantile(centered: FloatArray) -> FloatArray:
    """The standard normal quantile at probability 0.5 + ``centered``."""
    square = 0.180625 - centered * centered
    middle = centered * _ratio(_MIDDLE, np.maximum(square, 0.0))
    # Exact, as the difference is near 0.
    beyond = np.sqrt(-_log(np.minimum(0.5 - np.abs(centered), 0.25)))
    side = np.where(beyond <= 5.0, _ratio(_SIDE, beyond - 1.6), _ratio(_TAIL, beyond - 5.0))
    result: FloatArray = np.where(np.abs(centered) <= 0.425, middle, np.copysign(side, centered))
    return result


def _ratio(polynomials: tuple[tuple[float, ...], tuple[float, ...]], x: FloatArray) -> FloatArray:
    above, below = (_polynomial(coefficients, x) for coefficients in polynomials)
    return above / below


def _polynomial(coefficients: Sequence[float], x: FloatArray) -> FloatArray:
    value = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_SERIES = tuple(2.0 / n for n in range(1, 24, 2))


def _log(x: FloatArray) -> FloatArray:
    """The logarithm of floats 2**n * m (not subnormal), with m near 1: n log 2 + 2 artanh(s).

    s is (m - 1) / (m + 1), and its magnitude at most 0.172.
    """
    mantissa, exponent = np.frexp(x)
    low = mantissa < 0.7071067811865476
    m = np.where(low, 2.0 * mantissa, mantissa)
    s = (m - 1.0) / (m + 1.0)
    return (exponent - low) * _LN2 + s * _polynomial(_SERIES, s * s)


# ---------------------------------------------------------------- random numbers
# They depend on where they are used, not on what was drawn before: Philox4x32-10 of Salmon, Moraes,
# Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11; the Random123 library), in
# which a counter of four 32-bit words is scrambled with a key of two words. What each counter and
# key stands for is documented where they are made, and in ``kernel/extensions/randomness.py``.


RandomWords = NDArray[np.uint64]
"""32-bit words, stored in 64 bits so that their products fit."""

ROUNDS = 10
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_INCREMENTS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def philox(counter: Sequence[ArrayLike], key: Sequence[ArrayLike]) -> RandomWords:
    """The four random words of each counter: (4, ...), for words of any common shape."""
    c0, c1, c2, c3, k0, k1 = np.broadcast_arrays(
        *(np.asarray(word, np.uint64) for word in (*counter, *key))
    )
    for _ in range(ROUNDS):
        product0, product1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> HALF) ^ c1 ^ k0,
            product1 & LOW,
            (product0 >> HALF) ^ c3 ^ k1,
            product0 & LOW,
        )
        k0, k1 = (k0 + KEY_INCREMENTS[0]) & LOW, (k1 + KEY_INCREMENTS[1]) & LOW
    return np.stack([c0, c1, c2, c3])
