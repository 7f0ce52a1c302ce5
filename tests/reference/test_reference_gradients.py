"""An update is minus the derivative, for every network and loss: against central differences.

The kernel's derivatives are compared with differences, too, in tests/training/test_objective.py
(`test_every_gradient`); what is dropped, trimmed or penalized with this twin, in test_methods.py
(`test_data_and_regularization`), and exactly at its limit in test_exact_limits.py.
"""

from itertools import pairwise, product

import numpy as np
import pytest

import plain
from fastgd import reference
from networks import fresh

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(6, 3))
TARGETS = {"sigmoid": (0.05, 0.95), "tanh": (-0.9, 0.9), "identity": (-2, 2)}
SAMPLE_WEIGHT = np.array([0.0, 0.5, 1.0, 2.0, 3.5, 0.25])
SIZES = (3, 5, 4, 2)
START = [0.8 * RANDOM.normal(size=shape) for shape in pairwise(SIZES)]
ALPHA = (0.03, 0.05, 0.02)

LOSSES = [(output, "squared") for output in TARGETS]
LOSSES += [("sigmoid", "cross_entropy"), ("tanh", "cross_entropy")]


def targets(output):
    low, high = TARGETS[output]
    return np.random.default_rng(8).uniform(low, high, size=(6, 2))


def apply(name, z):
    match name:
        case "sigmoid":
            return 1 / (1 + np.exp(-z))
        case "tanh":
            return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))
        case "relu":
            return np.where(z > 0, z, 0)
        case "identity":
            return z


def loss(values, y, options, masks=None):
    """The loss of a network with these parameters, with nothing taken from the reference."""
    weights, biases, scales, shifts = values
    x = X
    for k in range(len(weights)):
        last = k == len(weights) - 1
        w = weights[k] * masks["connect"][k] if masks else weights[k]
        x = np.einsum("nd,dh->nh", x, w)
        if options["bias"]:
            x = x + biases[k]
        if options["batch_norm"] and not last:
            centered = x - x.mean(axis=0)
            x = centered / np.sqrt((centered**2).mean(axis=0) + 1e-5)
            x = scales[k] * x + shifts[k]
        z = x
        x = apply(options["output"] if last else options["activation"], z)
        if masks and not last:
            x = x * masks["units"][k]
    if options["loss"] == "squared":
        each = 0.5 * (y - x) ** 2
    else:
        # -q log p - (1 - q) log(1 - p), where (1 + tanh z) / 2 = sigmoid(2 z)
        z, q = (z, y) if options["output"] == "sigmoid" else (2 * z, (1 + y) / 2)
        each = q * np.logaddexp(0, -z) + (1 - q) * np.logaddexp(0, z)
    sample_weight = options.get("sample_weight")
    total = each.sum() if sample_weight is None else (each.sum(axis=1) * sample_weight).sum()
    if options.get("reduction") == "mean":
        total /= len(y) if sample_weight is None else sample_weight.sum()
    penalty = sum(
        options.get("l1", 0) * np.abs(w).sum() + options.get("l2", 0) / 2 * (w**2).sum()
        for w in weights
    )
    return total + penalty


def parameters(run):
    scales = [norm.scale for norm in run.normalization]
    shifts = [norm.shift for norm in run.normalization]
    return [list(run.weights), list(run.biases), scales, shifts]


def is_minus_the_derivative(options, masks=None, iteration=1, **settings):
    """Compare the update of an iteration with the slope at the parameters before it.

    Not the first one: there all biases are 0 and all scales 1.
    """
    y = targets(options["output"])
    settings = {"weights": START, "alpha": ALPHA} | settings
    settings["weights"] = fresh(settings["weights"], **options)
    before = reference.train(X, y, **settings, iterations=iteration, **options)
    after = reference.train(X, y, **settings, iterations=iteration + 1, **options)
    values = parameters(before)
    step, compared = 1e-6, 0
    for group, group_after in zip(values, parameters(after), strict=True):
        for array, array_after, alpha in zip(group, group_after, ALPHA, strict=False):
            got = (array_after - array) / alpha
            for at in np.ndindex(array.shape):
                kept = array[at]
                array[at] = kept + step
                above = loss(values, y, options, masks)
                array[at] = kept - step
                below = loss(values, y, options, masks)
                array[at] = kept
                assert got[at] == pytest.approx((below - above) / (2 * step), rel=2e-6, abs=2e-8)
                compared += 1
    return compared


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["raw", "normal"])
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize(("output", "loss"), LOSSES)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity"])
def test_every_combination(activation, output, loss, bias, batch_norm, weighted):
    options = {
        "activation": activation,
        "output": output,
        "loss": loss,
        "bias": bias,
        "batch_norm": batch_norm,
    }
    if weighted:
        options["sample_weight"] = SAMPLE_WEIGHT
    compared = is_minus_the_derivative(options)
    assert compared == 15 + 20 + 8 + 11 * bias + 18 * batch_norm


@pytest.mark.parametrize("batch_norm", [False, True], ids=["raw", "normal"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_a_mean_is_divided_by_the_weights_of_the_samples(batch_norm, weighted):
    options = {"activation": "tanh", "output": "identity", "loss": "squared", "bias": True}
    options |= {"batch_norm": batch_norm, "reduction": "mean", "l1": 0.01, "l2": 0.02}
    if weighted:
        options["sample_weight"] = SAMPLE_WEIGHT
    assert is_minus_the_derivative(options) == 15 + 20 + 8 + 11 + 18 * batch_norm


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.7), (0.3, 0.7)])
def test_penalties_are_for_weights_alone(l1, l2, batch_norm):
    options = {"activation": "tanh", "output": "identity", "loss": "squared", "bias": True}
    is_minus_the_derivative(options | {"batch_norm": batch_norm, "l1": l1, "l2": l2})


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("dropout", "dropconnect"), [(0.4, 0.0), (0.0, 0.3), (0.5, 0.2)])
def test_what_is_dropped_has_no_part_in_the_update(dropout, dropconnect, batch_norm):
    options = {"activation": "tanh", "output": "sigmoid", "loss": "squared", "bias": True}
    options |= {"batch_norm": batch_norm, "dropout": dropout, "dropconnect": dropconnect}
    masks = {
        "units": [np.array(plain.keeps(6, SIZES[k + 1], dropout, 2, 77, k, 1)) for k in range(2)],
        "connect": [
            np.array(plain.keeps(*shape, dropconnect, 2, 77, k, 2))
            for k, shape in enumerate(pairwise(SIZES))
        ],
    }
    assert all((factors == 0).any() for factors in masks["units"]) or not dropout
    is_minus_the_derivative(options, masks, iteration=2, seed=77)


def test_the_penalty_is_not_dropped_with_its_weight():
    options = {"activation": "tanh", "output": "sigmoid", "loss": "squared", "bias": False}
    options |= {"batch_norm": False, "dropconnect": 0.5, "l2": 0.9}
    masks = {
        "units": [1.0, 1.0],
        "connect": [
            np.array(plain.keeps(*shape, 0.5, 1, 1, k, 2))
            for k, shape in enumerate(pairwise(SIZES))
        ],
    }
    is_minus_the_derivative(options, masks)


@pytest.mark.parametrize(("trim_below", "clip_above"), [(0.01, np.inf), (0.0, 0.03), (0.01, 0.03)])
@pytest.mark.parametrize("weighted", [False, True])
def test_deltas_are_trimmed_and_clipped(trim_below, clip_above, weighted):
    """Two layers by hand: the hidden delta comes from the output's delta as it was limited."""

    def limit(delta):
        return np.array(
            [
                [0.0 if abs(d) < trim_below else max(-clip_above, min(clip_above, d)) for d in row]
                for row in delta
            ]
        )

    weights = [1.5 * START[0], 1.5 * START[1]]
    y = np.random.default_rng(4).random((6, 4))
    importance = SAMPLE_WEIGHT if weighted else np.ones(6)
    h = apply("sigmoid", X @ weights[0])
    v = apply("sigmoid", h @ weights[1])
    free = (y - v) * v * (1 - v) * importance[:, None]
    last = limit(free)
    free_hidden = (last @ weights[1].T) * h * (1 - h)
    first = limit(free_hidden)
    for delta in (free, free_hidden):
        size = np.abs(delta)
        assert (size < trim_below).any() or not trim_below
        assert (size > clip_above).any() or clip_above == np.inf
    run = reference.train(
        X, y, weights=weights, iterations=1, trim_below=trim_below, clip_above=clip_above,
        sample_weight=importance if weighted else None,
    )  # fmt: skip
    np.testing.assert_allclose(run.weights[1] - weights[1], h.T @ last, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(run.weights[0] - weights[0], X.T @ first, rtol=1e-9, atol=1e-14)


def test_relu_has_no_slope_in_its_kink():
    weights = [[[0.0, 1.0]], [[1.0], [1.0]]]
    run = reference.train([[1.0]], [5], weights=weights, activation="relu", output="identity",
                          iterations=1)  # fmt: skip
    assert run.weights[0].tolist() == [[0.0, 5.0]]
    assert run.weights[1].tolist() == [[1.0], [5.0]]


@pytest.mark.parametrize(("output", "loss"), LOSSES)
def test_sample_weights_count_like_repeated_samples(output, loss):
    y = targets(output)
    count = np.array([2, 0, 1, 3, 1, 0])
    settings = {"hidden_size": (4, 3), "alpha": 0.2, "iterations": 30, "record_every": 10}
    settings |= {"output": output, "loss": loss, "activation": "tanh", "bias": True}
    weighted = reference.train(X, y, sample_weight=count, **settings)
    repeated = reference.train(np.repeat(X, count, axis=0), np.repeat(y, count, axis=0), **settings)
    np.testing.assert_allclose(weighted.errors, repeated.errors, rtol=1e-10)
    assert weighted.final_error == pytest.approx(repeated.final_error, rel=1e-10)
    for a, b in zip(
        [*weighted.weights, *weighted.biases], [*repeated.weights, *repeated.biases], strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_biases_stand_in_the_run():
    y = targets("sigmoid")
    run = reference.train(X, y, hidden_size=(4, 3), bias=True, iterations=40, alpha=3)
    assert [bias.shape for bias in run.biases] == [(4,), (3,), (2,)]
    assert [changes.shape for changes in run.bias_direction_changes] == [(4,), (3,), (2,)]
    # A bias is the weight of an input that is always 1.
    zeros = [np.zeros((1, n)) for n in (4, 3, 2)]
    ones = np.ones((len(X), 1))
    x = X
    for weights, bias, zero in zip(run.weights, run.biases, zeros, strict=True):
        x = apply("sigmoid", np.hstack([x, ones]) @ np.vstack([weights, bias + zero]))
    assert run.final_error == pytest.approx(np.abs(y - x).mean(), rel=1e-12)
    none = reference.train(X, y, iterations=1)
    assert (none.biases, none.bias_direction_changes, none.normalization) == ((), (), ())


def test_a_bias_is_the_weight_of_an_input_that_is_always_1():
    y = targets("sigmoid")
    start = np.vstack([START[0][:, :2], np.zeros((1, 2))])
    settings = {"alpha": 8.0, "iterations": 60, "record_every": 20}
    run = reference.train(X, y, weights=fresh([start[:3]], bias=True), bias=True, **settings)
    twin = reference.train(np.hstack([X, np.ones((6, 1))]), y, weights=[start], **settings)
    np.testing.assert_allclose(run.errors, twin.errors, rtol=1e-11)
    np.testing.assert_allclose(
        np.vstack([run.weights[0], run.biases[0]]), twin.weights[0], rtol=1e-9
    )
    changes = np.vstack([run.direction_changes[0], run.bias_direction_changes[0]])
    assert changes.tolist() == twin.direction_changes[0].tolist()
    assert changes[-1].sum() > 0


def test_every_name_is_known():
    known = set(product(["squared", "cross_entropy"], TARGETS)) - {("cross_entropy", "identity")}
    assert {(loss, output) for output, loss in LOSSES} == known
