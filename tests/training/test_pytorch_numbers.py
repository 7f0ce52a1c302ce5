"""Activations, losses, optimizers, schedules and whole networks: PyTorch's numbers, and others'.

PyTorch's are kept in torch_numbers.json; see torch_numbers.py.
"""

import json

import numpy as np
import pytest
import scipy.special

import fastgd
import torch_numbers
from cases import PAIRS
from fastgd import optimizers, reference, schedules
from fastgd.engine.devices import available_threads
from fastgd.formulas.named import LOSSES, UNITS
from fastgd.reference.functions import FUNCTIONS
from fastgd.reference.functions import LOSSES as REFERENCE_LOSSES
from fastgd.reference.optimizers import twin
from fastgd.reference.schedules import factors
from networks import fresh
from thinning import only
from torch_numbers import KEPT, OUTPUTS, POINTS, TARGETS

THEIRS = json.loads(KEPT.read_text())
X = np.array([-p for p in POINTS[::-1]] + POINTS)


def test_all_units_and_losses_are_compared():
    assert set(THEIRS["units"]) == set(UNITS) - {"softmax"} == set(FUNCTIONS)
    beside = {"cross_entropy", "quantile"}  # of the networks below; PyTorch has no quantile
    assert set(THEIRS["losses"]) == set(LOSSES) - beside == set(REFERENCE_LOSSES) - beside
    assert set(THEIRS["networks"]) == set(PAIRS)
    assert THEIRS["versions"].keys() == {"torch", "numpy"}


@pytest.mark.parametrize("name", THEIRS["units"])
def test_activations(name):
    value, slope = FUNCTIONS[name](X, **UNITS[name].function.parameters)
    theirs = THEIRS["units"][name]
    lost = 1e-14 if name in ("silu", "gelu") else 0  # where 1 + tanh cancels, and of 1 - v^2
    np.testing.assert_allclose(value, theirs["value"], rtol=1e-13, atol=lost)
    if name == "relu":  # in its kink it is 0 here and there, as of -0.0, too
        assert slope[X == 0].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(slope, theirs["slope"], rtol=1e-12, atol=max(lost, 1e-16))


@pytest.mark.parametrize("name", THEIRS["losses"])
def test_losses(name):
    y, v = np.repeat(TARGETS, len(OUTPUTS)), np.array(OUTPUTS * len(TARGETS))
    numbers = LOSSES[name].function.parameters
    outputs = (v, v[::-1]) if name == "gaussian" else (v,)
    value, *slopes = REFERENCE_LOSSES[name](y, *outputs, **numbers)
    np.testing.assert_allclose(value, THEIRS["losses"][name]["value"], rtol=1e-13, atol=1e-15)
    for ours, theirs in zip(slopes, THEIRS["losses"][name]["slopes"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def made_of(name):
    """The optimizer of this name."""
    kind, _, fields = name.partition("(")
    return getattr(optimizers, kind)(**eval(f"dict({fields}"))


@pytest.mark.parametrize("name", torch_numbers.SETTINGS)
def test_optimizers(name):
    """Without the way back from the weights to the derivative, along which rounding may grow."""
    own = twin(made_of(name))
    weights, found = np.zeros((3, 2)), []
    for update, g in enumerate(torch_numbers.gradients(), 1):
        weights = own.step(weights, g, 0.3)
        if update in torch_numbers.LOOKS:
            found.append(weights)
    np.testing.assert_allclose(found, THEIRS["optimizers"][name], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", torch_numbers.SCHEDULERS)
def test_schedules(name):
    kind, _, fields = name.partition("(")
    schedule = getattr(schedules, kind)(**eval(f"dict({fields}"))
    found = factors(schedule, torch_numbers.SCHEDULED)
    np.testing.assert_allclose(found, THEIRS["schedules"][name], rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------- whole networks


def network(name):
    """The network of the golden hashes as a function, with what the reference is given."""
    X, y = torch_numbers.samples()
    given = {"X": X, "y": PAIRS[name].targets(y), "hidden_size": (5, 3), **PAIRS[name].options}
    return fastgd.objective(**given), given


@pytest.mark.parametrize("name", PAIRS)
def test_networks(name):
    """Value and derivative of compiled code, the twin and PyTorch."""
    f, given = network(name)
    w = torch_numbers.weights()
    for value, derivative in (f(w), reference.objective(w=w, **given)):
        assert value == pytest.approx(THEIRS["networks"][name]["value"], rel=1e-13)
        theirs = THEIRS["networks"][name]["derivative"]
        np.testing.assert_allclose(derivative, theirs, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", torch_numbers.SETTINGS)
def test_optimizers_of_networks(name):
    """All layers at rates of their own, and the biases with them."""
    X, y = torch_numbers.samples()
    start = torch_numbers.small()
    run = reference.train(
        X,
        y,
        weights=fresh(start, bias=True),
        activation="tanh",
        bias=True,
        alpha=torch_numbers.RATES,
        iterations=60,
        optimizer=made_of(name),
    )
    parts = [part.ravel() for both in zip(run.weights, run.biases, strict=True) for part in both]
    np.testing.assert_allclose(
        np.concatenate(parts), THEIRS["biased"][name], rtol=1e-10, atol=1e-12
    )
    assert max(np.abs(a - b).max() for a, b in zip(run.weights, start, strict=True)) > 1e-4


@pytest.mark.parametrize(("name", "size"), torch_numbers.NORMALIZED)
def test_batch_norm(name, size):
    """Errors by the running statistics, weights, and all that a layer's normalization has."""
    X, y = torch_numbers.samples()
    run = reference.train(
        X,
        y,
        weights=fresh(torch_numbers.small(), batch_norm=True),
        activation="tanh",
        batch_norm=True,
        alpha=torch_numbers.RATES,
        iterations=60,
        record_every=20,
        optimizer=made_of(name),
        batch_size=size,
        shuffle=False,
    )
    parts = [run.errors[:3], *(layer.ravel() for layer in run.weights)]
    for norm in run.normalization:
        parts += [norm.scale, norm.shift, norm.mean, norm.variance]
    theirs = THEIRS["normalized"][f"{name}, {size} samples"]
    np.testing.assert_allclose(np.concatenate(parts), theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", only(torch_numbers.LARGE, next(iter(torch_numbers.LARGE))))
def test_large_networks(name):
    """How far they have moved, to 9 digits; two threads share the updates of the largest."""
    X, y, start = torch_numbers.large(name)
    given = torch_numbers.LARGE[name] | {"reduction": "mean", "weights": start}
    given |= {"optimizer": made_of(given["optimizer"]), "alpha": torch_numbers.RATE}
    if "batch_size" in given:
        given["shuffle"] = False
    run = fastgd.train(
        X, y, iterations=torch_numbers.STEPS, threads=min(2, available_threads()), **given
    )
    before = torch_numbers.probes(start)
    for ours, theirs, at in zip(
        torch_numbers.probes(run.weights), THEIRS["trained"][name], before, strict=True
    ):
        moved = np.subtract(theirs, at)
        assert np.abs(moved).max() > 1e-4
        np.testing.assert_allclose(np.subtract(ours, at), moved, atol=1e-9 * np.abs(moved).max())


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_derivatives_are_those_of_central_differences(name, scale):
    f, _ = network(name)
    w = scale * np.random.RandomState(5).normal(size=f.network.parameters)
    _, derivative = f(w)
    steps = 1e-6 * np.eye(len(w))
    differences = [(f(w + step)[0] - f(w - step)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(derivative, differences, rtol=2e-6, atol=2e-8)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_losses_of_networks_are_scipys(scale):
    """Cross entropy by log_softmax, poisson by xlogy, huber by huber."""
    X, _ = torch_numbers.samples()
    w = scale * torch_numbers.weights()

    def inputs(f, hidden):
        x = X
        for k, weights in enumerate(f.network.parts(w).weights):
            x = x @ weights
            x = hidden(x) if k < 2 else x
        return x

    found = {name: network(name) for name in ("tanh, softmax", "silu, poisson", "softplus, huber")}
    f, given = found["tanh, softmax"]
    expected = -(given["y"] * scipy.special.log_softmax(inputs(f, np.tanh), axis=1)).sum()
    assert f(w)[0] == pytest.approx(expected, rel=1e-13)
    f, given = found["silu, poisson"]
    v = np.exp(inputs(f, lambda x: x * scipy.special.expit(x)))
    assert f(w)[0] == pytest.approx((v - scipy.special.xlogy(given["y"], v)).sum(), rel=1e-12)
    f, given = found["softplus, huber"]
    z = inputs(f, lambda x: np.logaddexp(0, x))
    assert f(w)[0] == pytest.approx(scipy.special.huber(0.4, z - given["y"]).sum(), rel=1e-12)


@pytest.mark.slow
def test_poisson_of_no_counts_has_no_logarithm():
    """An output that has reached 0: the loss of a count of 0 is 0 there, with its derivative."""
    f = fastgd.objective([[1.0]], [0.0], hidden_size=(), output="softplus", loss="poisson")
    for z in (-800.0, -30.0):
        value, derivative = f([z])
        assert value == pytest.approx(np.logaddexp(0, z), rel=1e-13)
        assert derivative[0] == pytest.approx(scipy.special.expit(z), rel=1e-13)
