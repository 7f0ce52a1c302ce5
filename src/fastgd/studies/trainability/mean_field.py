r"""The problem of the trainability map: a mean-field network, random data, two learning rates.

Sohl-Dickstein, *The boundary of neural network trainability is fractal*, arXiv 2402.06184 (2024),
trains one hidden layer of n units without biases on n inputs (n = ``width``),

    f(x) = (1 / n) * W1 . s(c * W0 . x),        c = sqrt(2 / n)  (identity: sqrt(1 / n)),

by gradient descent with the learning rates eta_0 of W0 and eta_1 of W1 on the mean squared error

    L = (1 / B) * sum_b (f(x_b) - y_b)**2       over the B samples of the (mini-)batch.

fastgd has no factors between its layers, and its loss is E = 1/2 * sum_b (f(x_b) - y_b)**2. The
same network is f(x) = V1 . s(V0 . x) with V0 = c * W0 and V1 = W1 / n, and L = (2 / B) * E. As

    dL/dW0 = (2 / B) * c * dE/dV0,              dL/dW1 = (2 / B) * (1 / n) * dE/dV1,

a step W0 -= eta_0 * dL/dW0 moves V0 by -eta_0 * c * dL/dW0, and W1 accordingly. In terms of V these
are steps of plain gradient descent on E with

    alpha_0 = 2 * c**2 / B * eta_0,             alpha_1 = 2 / (n**2 * B) * eta_1.

All numbers are drawn from N(0, 1): W0, W1, and as many samples (x, y) as there are free parameters,
n * n + n. For the identity the paper takes n samples, since the product of its layers has no more
than n free parameters. One of its conditions has a single sample; another one has the same learning
rate in both layers, and a number that is added to all of W0.
"""

from dataclasses import dataclass
from decimal import Context, Decimal
from math import sqrt
from typing import NamedTuple

import numpy as np

from fastgd.checks.numbers import (
    FloatArray,
    check_choice,
    check_count,
    check_memory,
    check_number,
    check_seed,
    rule_of,
)
from fastgd.engine.network import Weights

ACTIVATIONS = ("tanh", "relu", "identity", "sigmoid")
"""Activations of the hidden units; sigmoid, which the paper doesn't have, is scaled as tanh."""

EXPONENT = rule_of("[-100, 100]")
"""Range of what a window is given in: log10 of a learning rate or a spread, or a mean."""


class Vertical(NamedTuple):
    """What the rows of a map differ in."""

    label: str
    value: str  # one of a window's ends, in messages
    is_logarithm: bool


AGAINST = {
    "output_rate": Vertical(
        "learning rate of the output layer", "log10 of a learning rate", is_logarithm=True
    ),
    "mean": Vertical(
        "mean of the input layer's initial weights",
        "a mean of initial weights",
        is_logarithm=False,
    ),
    "spread": Vertical(
        "standard deviation of the input layer's initial weights",
        "log10 of a standard deviation",
        is_logarithm=True,
    ),
}
"""By the name of the vertical axis; only with the first one do the layers' rates differ."""

_DIGITS = Context(prec=30)


@dataclass(frozen=True, eq=False)
class MeanField:
    """Samples, initial weights V, and the factors that convert learning rates to alphas."""

    X: FloatArray  # (samples, width)
    y: FloatArray  # (samples, 1)
    weights: Weights  # (width, width) and (width, 1)
    factors: tuple[float, float]  # alpha / eta of the input and the output layer
    scale: float = 1.0  # c: a number in W0 is c times as large in V0

    def alphas(self, input_rates: FloatArray, output_rates: FloatArray) -> FloatArray:
        """Return the alphas of all pairs, (outputs * inputs, 2); the input rate varies fastest."""
        output, given = np.meshgrid(output_rates, input_rates, indexing="ij")
        return np.column_stack([given.ravel() * self.factors[0], output.ravel() * self.factors[1]])

    def starts(self, against: str, rows: FloatArray) -> list[Weights]:
        """Return the initial weights of each row if W0 has these means or standard deviations."""
        first, *others = self.weights
        changed = [
            first + self.scale * row if against == "mean" else first * row for row in rows.tolist()
        ]
        return [(weights, *others) for weights in changed]


def mean_field(
    width: int, activation: str, batch_size: int | None, seed: int, samples: int | None = None
) -> MeanField:
    """Draw the problem; it is bit-identical on every machine."""
    samples = sample_count(width, activation, samples)
    batch = samples if batch_size is None else check_count("batch_size", batch_size, 1, samples)
    check_memory(drawn_bytes(width, samples), "the samples and weights")
    random = np.random.RandomState(check_seed(seed))
    first = normal(random, width * width).reshape(width, width)
    second = normal(random, width).reshape(width, 1)
    X = normal(random, samples * width).reshape(samples, width)
    y = normal(random, samples).reshape(samples, 1)
    square = (1 if activation == "identity" else 2) / width  # c**2
    return MeanField(
        X=X,
        y=y,
        weights=(sqrt(square) * first, second / width),
        factors=(2 * square / batch, 2 / (width * width * batch)),
        scale=sqrt(square),
    )


def sample_count(width: int, activation: str, samples: int | None = None) -> int:
    """Return the number of samples: by default, that of the free parameters."""
    width = check_count("width", width)
    activation = check_choice("activation", activation, ACTIVATIONS)
    if samples is not None:
        return check_count("samples", samples)
    return width if activation == "identity" else width * width + width


def drawn_bytes(width: int, samples: int) -> int:
    """Return the memory of a problem while it is drawn."""
    return 128 * width * (width + samples)


def normal(random: np.random.RandomState, count: int) -> FloatArray:
    """Draw from N(0, 1) by Marsaglia's polar method (SIAM Review 6, 1964).

    This is ``RandomState.standard_normal`` with an exactly rounded logarithm: the C library's
    differs in the last bit between machines, and at the boundary one bit decides how a training
    ends.
    """
    found: list[FloatArray] = []
    missing = -(-count // 2)
    while missing > 0:
        pairs = 2 * random.random_sample((missing, 2)) - 1
        square = pairs[:, 0] * pairs[:, 0] + pairs[:, 1] * pairs[:, 1]
        inside = (square < 1) & (square > 0)
        pairs, square = pairs[inside], square[inside]
        logarithm = np.array([float(Decimal(s).ln(_DIGITS)) for s in square.tolist()])
        found.append(pairs[:, ::-1] * np.sqrt(-2 * logarithm / square)[:, None])
        missing -= len(pairs)
    return np.concatenate(found).ravel()[:count]


def power_of_ten(exponent: float) -> float:
    """Return 10**exponent, rounded the same way on every machine; from -100 to 100."""
    exponent = check_number("exponent", exponent, EXPONENT)
    return float(_DIGITS.power(Decimal(10), Decimal(exponent)))
