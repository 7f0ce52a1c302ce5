"""Losses and their derivatives for inputs of any size, compared with mpmath."""

from itertools import product

import numpy as np
import pytest
from mpmath import mp, mpf

import fastgd
from fastgd import reference
from fastgd.formulas.named import ACTIVATIONS, LOSSES, OUTPUTS
from fastgd.functions import log
from thinning import only, some

LARGEST = np.finfo(float).max
SIZES = [0, 1e-300, 1e-160, 1e-9, 0.3, 1, 5, 20, 36.8, 40, 100, 349.9, 350.1, 699.9, 700.1]
SIZES += [708.1, 709.7, 709.9, 744, 745.2, 800, 1e3, 3e3, 1e10, 1.2e102, 1e150, 1.5e154, 1e200]
SIZES += [1e300, 8e307, 1e308]
Z = sorted({sign * size for sign in (-1.0, 1.0) for size in SIZES})
FIRST = [-1e308, -1e160, -800.0, -3.0, 0.0, 1e-160, 1e-9, 0.3, 1 - 1e-7, 1.0, 40.0, 1.5e154, 1e308]
TARGETS = [0.0, 0.3, 1.0, 5.0]

PAIRS = [
    (loss, output)
    for loss, known in LOSSES.items()
    for output, unit in OUTPUTS.items()
    if (output in known.outputs or not known.outputs)
    and (unit.is_probability or not known.of_probabilities)
    and output != "softmax"
]
PAIRS += [("cross_entropy", "softmax")]

ALWAYS = {
    ("squared", "sigmoid"): {},
    ("cross_entropy", "sigmoid"): {},
    ("cross_entropy", "tanh"): {},
    ("huber", "identity"): {"activation": "softplus"},
    ("absolute", "softplus"): {"activation": "elu"},
    ("quantile", "identity"): {"activation": "gelu"},
    ("poisson", "exp"): {"activation": "silu"},
    ("gaussian", "identity"): {"activation": "leaky_relu"},
    ("cross_entropy", "softmax"): {"activation": "tanh"},
}
"""Each loss and each output with the activation of a kernel that other tests have, too."""


def sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def softplus(z):
    return max(z, 0) + mp.log1p(mp.exp(-abs(z)))


def gelu(z):
    inside = mp.sqrt(2 / mp.pi) * (z + mpf(0.044715) * z**3)
    share = 2 * sigmoid(2 * inside)
    slope = mp.sqrt(2 / mp.pi) * (1 + 3 * mpf(0.044715) * z**2) / mp.cosh(inside) ** 2
    return z * share / 2, share / 2 + z * slope / 2


def silu(z):
    return z * sigmoid(z), sigmoid(z) * (1 + z * sigmoid(-z))


EXACT = {
    "sigmoid": lambda z: (sigmoid(z), sigmoid(z) * sigmoid(-z)),
    "tanh": lambda z: (mp.tanh(z), 1 / mp.cosh(z) ** 2),
    "relu": lambda z: (max(z, 0), mpf(z > 0)),
    "identity": lambda z: (z, mpf(1)),
    "softplus": lambda z: (softplus(z), sigmoid(z)),
    "leaky_relu": lambda z: (z, mpf(1)) if z > 0 else (z * mpf(0.01), mpf(0.01)),
    "elu": lambda z: (z, mpf(1)) if z > 0 else (mp.expm1(z), mp.exp(z)),
    "silu": silu,
    "gelu": gelu,
    "exp": lambda z: (mp.exp(z), mp.exp(z)),
}
"""Value and derivative of each unit."""


def of_values(loss, y, v):
    """A loss and its derivative by the value of one output."""
    e = v - y
    match loss:
        case "squared":
            return e**2 / 2, e
        case "huber":
            return (e**2 / 2, e) if abs(e) <= 1 else (abs(e) - mpf(0.5), mp.sign(e))
        case "absolute":
            return abs(e), mp.sign(e)
        case "quantile":
            return abs(e) / 2, mpf(-0.5) if e < 0 else mpf(0.5)
        case "poisson":
            return (v - y * mp.log(v), 1 - y / v) if y > 0 else (v, mpf(1))
    raise LookupError(f"of_values in tests/training/test_far_out.py has no {loss}")


def exact(loss, output, y, *z):
    """The loss of inputs z of output units, and its derivatives; None if an output overflows."""
    if loss == "gaussian":
        mean, s = z
        square = (y - mean) ** 2 * mp.exp(-s)
        return (s + square) / 2, (mean - y) * mp.exp(-s), (1 - square) / 2
    if output == "softmax":
        shares, gap = (mpf(y), 1 - mpf(y)), z[1] - z[0]
        loss = shares[0] * softplus(gap) + shares[1] * softplus(-gap)
        return loss, sigmoid(-gap) - shares[0], sigmoid(gap) - shares[1]
    [z] = z
    v, slope = EXACT[output](z)
    if loss == "cross_entropy":
        steep, p = (2, (1 + mpf(y)) / 2) if output == "tanh" else (1, mpf(y))
        return p * softplus(-steep * z) + (1 - p) * softplus(steep * z), v - y
    if abs(v) > LARGEST:
        return None
    value, by_value = of_values(loss, mpf(y), v)
    return value, by_value * slope


def is_two(loss, output):
    """Whether the loss is of two outputs."""
    return output == "softmax" or loss == "gaussian"


def check(evaluate, y, points, exact):
    """Loss and derivative at these points, where the output is finite."""
    for z in points:
        with mp.workprec(200):
            expected = exact(*map(mpf, z))
        if expected is None:
            continue
        found, derivative = evaluate(np.array(z))
        for ours, theirs in zip((found, *derivative), expected, strict=True):
            close(ours, theirs, 1 + y, (y, z))


def evaluation(by, X, y, **options):
    """What gives loss and derivative at a vector of weights."""
    if by == "compiled":
        return fastgd.objective(X, y, **options)
    return lambda w: reference.objective(X, y, w, **options)


def test_each_loss_and_each_output_is_among_those_that_are_always_compared():
    losses, outputs = (set(names) for names in zip(*ALWAYS, strict=True))
    assert (losses, outputs) == (set(LOSSES), set(OUTPUTS))
    assert set(PAIRS) >= set(ALWAYS)


@pytest.mark.parametrize(("loss", "output"), some(PAIRS, [pair in ALWAYS for pair in PAIRS]))
@pytest.mark.parametrize("by", only(["compiled", "reference"], "compiled"))
def test_losses(loss, output, by):
    is_share = output == "softmax"
    for y in TARGETS:
        if y > 1 and LOSSES[loss].of_probabilities:
            continue
        options = {"hidden_size": (), "output": output, "loss": loss}
        options |= ALWAYS.get((loss, output), {})
        evaluate = evaluation(by, [[1.0]], [[y, 1 - y]] if is_share else [y], **options)
        points = product(FIRST, Z) if is_two(loss, output) else ((z,) for z in Z)
        check(evaluate, y, points, lambda *z, y=y: exact(loss, output, y, *z))


def test_a_logarithm_in_a_loss_of_ones_own():
    loss = fastgd.Loss(lambda y, v: v - y * log(v))
    evaluate = fastgd.objective([[1.0]], [5.0], hidden_size=(), output="softplus", loss=loss)
    value, [derivative] = evaluate([-1000.0])
    assert (value, derivative) == (5000.0, -5.0)


OF_HIDDEN = {
    "gelu": ("quantile", "identity"),
    "softplus": ("huber", "identity"),
    "elu": ("absolute", "softplus"),
}
"""Losses and outputs of kernels above. The others have the squared error of the unit itself."""

OF_OUTPUTS = {"sigmoid", "identity", "tanh"}
"""Units of which the same code is tried as that of outputs, above."""


@pytest.mark.parametrize("by", only(["compiled", "reference"], "compiled"))
@pytest.mark.parametrize("name", only(ACTIVATIONS, *(set(ACTIVATIONS) - OF_OUTPUTS)))
def test_hidden_units(name, by):
    """The derivative of v by its input, and v, by a loss of v, or of an output of it, and -2."""
    loss, output = OF_HIDDEN.get(name, ("squared", "identity"))
    options = {"activation": name, "output": output, "loss": loss, "hidden_size": 1}
    evaluate = evaluation(by, [[1.0]], [-2.0], **options)

    def exact(z, _w):
        v, slope = EXACT[name](z)
        out, of_output = EXACT[output](v)
        value, by_value = of_values(loss, mpf(-2), out)
        by_value *= of_output
        return value, by_value * slope, by_value * v

    check(evaluate, 9.0, ((z, 1.0) for z in Z), exact)


def close(ours, exact, size, what):
    """Within rounding of terms of this size, or of the larger one; infinite if it must be."""
    if abs(exact) > LARGEST:
        assert abs(ours) > 0.99 * LARGEST, what
        assert np.sign(ours) == mp.sign(exact), what
    else:
        assert np.isfinite(ours), what
        assert abs(ours - exact) <= 1e-12 * abs(exact) + 1e-15 * size, what
