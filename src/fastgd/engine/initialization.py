"""Initial weights: the article's, or from a distribution scaled to the sizes of the layers.

The article's come from NumPy's legacy generator, which is frozen (NEP 19). The others come from
Philox words, using + - * / and square roots only: NumPy's newer generators, logarithms and sines
differ between versions and machines.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.initial_network import Init
from fastgd.engine.network import all_first_weights, count_weights, philox

Numbers = NDArray[np.float64]

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


def first_rows(init: Init, sizes: Sequence[int], seeds: Sequence[int]) -> Numbers:
    """Initial weights (seeds, weights), flattened, of networks with these layers."""
    shapes = list(pairwise(sizes))
    kinds = (init,) * len(shapes) if isinstance(init, str) else init
    if "article" in kinds:
        rows = all_first_weights(sizes, seeds)
    else:
        rows = np.empty((len(seeds), count_weights(sizes)))
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


def _spread(words: NDArray[np.int64], kind: str, inputs: int, outputs: int) -> Numbers:
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


def quantile(centered: Numbers) -> Numbers:
    """The standard normal quantile at probability 0.5 + ``centered``."""
    square = 0.180625 - centered * centered
    middle = centered * _ratio(_MIDDLE, np.maximum(square, 0.0))
    # Exact, as the difference is near 0.
    beyond = np.sqrt(-_log(np.minimum(0.5 - np.abs(centered), 0.25)))
    side = np.where(beyond <= 5.0, _ratio(_SIDE, beyond - 1.6), _ratio(_TAIL, beyond - 5.0))
    result: Numbers = np.where(np.abs(centered) <= 0.425, middle, np.copysign(side, centered))
    return result


def _ratio(polynomials: tuple[tuple[float, ...], tuple[float, ...]], x: Numbers) -> Numbers:
    above, below = (_polynomial(coefficients, x) for coefficients in polynomials)
    return above / below


def _polynomial(coefficients: Sequence[float], x: Numbers) -> Numbers:
    value = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_SERIES = tuple(2.0 / n for n in range(1, 24, 2))


def _log(x: Numbers) -> Numbers:
    """The logarithm of floats 2**n * m (not subnormal), with m near 1: n log 2 + 2 artanh(s).

    s is (m - 1) / (m + 1), and its magnitude at most 0.172.
    """
    mantissa, exponent = np.frexp(x)
    low = mantissa < 0.7071067811865476
    m = np.where(low, 2.0 * mantissa, mantissa)
    s = (m - 1.0) / (m + 1.0)
    return (exponent - low) * _LN2 + s * _polynomial(_SERIES, s * s)
