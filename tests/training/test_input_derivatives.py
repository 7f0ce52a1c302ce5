"""Derivatives by the inputs: compared with mpmath's, with differences, and bit by bit."""

import hashlib

import mpmath
import numpy as np
import pytest

import fastgd
from cases import SWISH
from fastgd.arguments.options import Method
from fastgd.engine import prediction
from fastgd.engine.network import Network
from fastgd.engine.prediction import derivatives
from fastgd.optimizers import Adam
from thinning import only

SNAKE = fastgd.Function("a + sin(beta * a)**2 / beta", beta=2.0)


def sigmoid(a):
    return 1 / (1 + mpmath.exp(-a))


EXACT = {
    "sigmoid": sigmoid,
    "tanh": mpmath.tanh,
    "relu": lambda a: max(a, mpmath.mpf(0)),
    "identity": lambda a: a,
    "softplus": lambda a: mpmath.log(1 + mpmath.exp(a)),
    "leaky_relu": lambda a: a if a > 0 else a * mpmath.mpf(0.01),
    "elu": lambda a: a if a > 0 else mpmath.expm1(a),
    "silu": lambda a: a * sigmoid(a),
    "gelu": lambda a: (
        a / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (a + mpmath.mpf(0.044715) * a**3)))
    ),
    "exp": mpmath.exp,
    SNAKE: lambda a: a + mpmath.sin(2 * a) ** 2 / 2,
}


def exact_outputs(method, parts, x):
    """The outputs (H,) of a network in mpmath's precision."""
    values = list(x)
    for k, weights in enumerate(parts.weights):
        values = [mpmath.fdot(values, map(mpmath.mpf, column)) for column in weights.T]
        if parts.biases:
            values = [a + mpmath.mpf(b) for a, b in zip(values, parts.biases[k], strict=True)]
        if k < len(parts.weights) - 1:
            if parts.normalization:
                facts = np.transpose(parts.normalization[k])
                values = [
                    scale * (a - mean) / mpmath.sqrt(variance + mpmath.mpf(1e-5)) + shift
                    for a, (scale, shift, mean, variance) in zip(values, facts, strict=True)
                ]
            values = list(map(EXACT[method.activation], values))
        elif method.output == "softmax":
            powers = list(map(mpmath.exp, values))
            values = [power / mpmath.fsum(powers) for power in powers]
        else:
            values = list(map(EXACT[method.output], values))
    return values


CASES = {
    "sigmoid": ((2, 3, 1), {"output": "tanh"}),
    "tanh": ((2, 5, 3, 2), {"activation": "tanh", "output": "identity", "bias": True}),
    "relu": ((2, 6, 1), {"activation": "relu", "output": "identity", "bias": True}),
    "softplus": ((2, 3, 1), {"activation": "softplus", "output": "softplus"}),
    "leaky": ((2, 3, 1), {"activation": "leaky_relu", "output": "exp"}),
    "elu": ((2, 4, 1), {"activation": "elu", "output": "sigmoid", "bias": True}),
    "silu": ((2, 3, 3), {"activation": "silu", "output": "softmax", "loss": "cross_entropy"}),
    "gelu": (
        (2, 3, 4, 1),
        {"activation": "gelu", "output": "identity", "bias": True, "batch_norm": True},
    ),
    "own": ((2, 3, 1), {"activation": SNAKE, "output": SNAKE, "bias": True}),
    "none": ((2, 5), {"output": "softmax", "loss": "cross_entropy", "bias": True}),
}


# Several layers and outputs, normalization, softmax, formulas: the other units are like these.
@pytest.mark.parametrize("case", only(CASES, "tanh", "gelu", "silu", "own"))
def test_derivatives_are_those_of_mpmath(case):
    sizes, options = CASES[case]
    method = Method(**options)
    network = Network(sizes, method.bias, method.batch_norm)
    row = np.random.default_rng(1).uniform(0.1, 1.5, network.parameters)
    row[::3] *= -1 if not method.batch_norm else 1  # variances are positive
    X = np.array([[0.3, -0.7], [-1.1, 0.4]])
    first, second = (derivatives(network, method, row[None], X, {}, order)[0] for order in (1, 2))
    parts = network.parts(row)
    with mpmath.workdps(40):
        for n, x in enumerate(X):
            for h in range(sizes[-1]):
                f = lambda *x, h=h: exact_outputs(method, parts, x)[h]  # noqa: E731
                at = tuple(map(mpmath.mpf, x))
                for e, once in enumerate([(1, 0), (0, 1)]):
                    exact = float(mpmath.diff(f, at, once))
                    assert first[n, h, e] == pytest.approx(exact, rel=1e-12, abs=1e-14)
                for (e, g), twice in {(0, 0): (2, 0), (0, 1): (1, 1), (1, 1): (0, 2)}.items():
                    exact = float(mpmath.diff(f, at, twice))
                    assert second[n, h, e, g] == pytest.approx(exact, rel=1e-12, abs=1e-13)
    assert second.tobytes() == second.swapaxes(2, 3).tobytes()


def test_they_are_finite_far_out():
    far = np.array([1e-310, 1e-160, 19, 40, 709, 800, 1e77, 1e150, 1e300, 1.7e308])
    X = np.concatenate([far, -far])[:, None]
    method = Method(activation="gelu", output="identity")
    for order in (1, 2):
        found = derivatives(Network((1, 1, 1)), method, np.ones((1, 2)), X, {}, order)
        assert (np.abs(found) < 2).all()


X = np.random.default_rng(0).normal(size=(30, 3))
Y = np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]], axis=1)
SMOOTH = {"activation": "tanh", "output": "identity", "bias": True, "alpha": 0.01}


@pytest.fixture(scope="module")
def run():
    return fastgd.train(X, Y, hidden_size=(6, 5), iterations=40, record_weights=True, **SMOOTH)


def differences(f, X, step=1e-6):
    changes = step * np.eye(X.shape[1])
    return np.stack([(f(X + own) - f(X - own)) / (2 * step) for own in changes], axis=-1)


def test_they_are_the_limits_of_differences(run):
    assert run.gradient(X).shape == (30, 2, 3)
    np.testing.assert_allclose(run.gradient(X), differences(run.predict, X), atol=1e-8)
    np.testing.assert_allclose(run.hessian(X), differences(run.gradient, X), atol=1e-8)


def test_a_chain_of_two_units_has_the_formula_of_the_textbook():
    run = fastgd.train([[0.5], [1.0]], [0.2, 0.4], hidden_size=1, iterations=5, **SMOOTH)
    (u,), (w,) = (layer.ravel() for layer in run.weights)
    v = np.tanh(u * 0.7 + run.biases[0][0])
    assert run.gradient([[0.7]])[0, 0, 0] == pytest.approx(w * (1 - v * v) * u, rel=1e-14)
    second = -2 * w * v * (1 - v * v) * u * u
    assert run.hessian([[0.7]])[0, 0, 0, 0] == pytest.approx(second, rel=1e-14)


@pytest.mark.parametrize("kind", ["gradient", "hessian"])
def test_a_sample_has_the_same_bits_alone_and_on_any_threads(run, kind, monkeypatch):
    many = np.random.default_rng(3).normal(size=(1000, 3))
    monkeypatch.setattr(prediction, "WORTH", 1e-12)
    together = getattr(run, kind)(many)
    monkeypatch.setattr(prediction, "available_threads", lambda: 1)
    assert getattr(run, kind)(many).tobytes() == together.tobytes()
    monkeypatch.setattr(prediction, "native_lanes", lambda: 2)
    assert getattr(run, kind)(many).tobytes() == together.tobytes()
    for n in (0, 500, 999):
        assert getattr(run, kind)(many[[n]]).tobytes() == together[[n]].tobytes()


def test_the_bits_are_pinned():
    network, method = Network((3, 5, 2), bias=True), Method(activation="tanh", bias=True)
    rows = np.random.RandomState(0).uniform(-1, 1, (2, network.parameters))
    found = [derivatives(network, method, rows, X, {}, order) for order in (1, 2)]
    digest = hashlib.sha256(b"".join(one.tobytes() for one in found)).hexdigest()
    assert digest[:16] == "e7fd3ccf1702270f"


def test_a_snapshot_has_derivatives_too(run):
    snapshot = run.at(0)
    np.testing.assert_allclose(snapshot.gradient(X), differences(snapshot.predict, X), atol=1e-8)


@pytest.mark.parametrize(("name", "below"), [("relu", 0), ("leaky_relu", 0.01), ("elu", 1)])
def test_a_kink_has_the_derivative_from_below(name, below):
    network, method = Network((1, 1, 1)), Method(activation=name, output="identity")
    found = derivatives(network, method, np.array([[2.0, 3.0]]), np.zeros((1, 1)), {}, 1)
    assert found.ravel() == pytest.approx([below * 6], rel=1e-15)


def test_a_sweep_has_the_derivatives_of_its_runs():
    sweep = fastgd.sweep(
        X, Y, activation=SWISH, output="identity", alpha=0.01, hidden_size=[2, 3],
        beta=[0.5, 2.0], iterations=9, loss="huber", optimizer=Adam(),
    )  # fmt: skip
    found = sweep.gradient(X)
    assert found.shape == (*sweep.shape, 30, 2, 3)
    for index in np.ndindex(sweep.shape):
        assert found[index].tobytes() == sweep[index].gradient(X).tobytes()


def test_a_run_that_diverged_has_none():
    sweep = fastgd.sweep(X, Y, iterations=9, **SMOOTH | {"alpha": [1e-3, 1e200]})
    diverged = np.isnan(sweep.gradient(X)).all(axis=(1, 2, 3))
    assert diverged.tolist() == [False, True]
    for kind in ("gradient", "hessian"):
        with pytest.raises(ValueError, match=f"{kind} needs a network of finite numbers"):
            getattr(sweep[1], kind)(X)


def test_an_infinite_bias_leaves_no_derivative():
    network, method = Network((3, 2), bias=True), Method(output="identity", bias=True)
    rows = np.ones((2, network.parameters))
    rows[1, -1] = np.inf  # of an output: its derivatives don't depend on it
    found = derivatives(network, method, rows, X, {}, 1)
    assert (found[0] == 1).all()
    assert np.isnan(found[1]).all()


def test_inputs_are_refused_as_by_predict(run):
    sweep = fastgd.sweep(X, Y, seed=[1, 2], iterations=2, **SMOOTH)
    for call in (run.gradient, run.hessian, sweep.gradient):
        with pytest.raises(ValueError, match=r"one column for each input of the network \(3\)"):
            call(X[:, :2])
        with pytest.raises(ValueError, match="must be finite"):
            call([[np.nan, 1.0, 2.0]])
    bare = fastgd.sweep(X, Y, seed=[1, 2], iterations=2, keep_weights=False, **SMOOTH)
    with pytest.raises(ValueError, match="gradient needs the weights of all runs"):
        bare.gradient(X)


def test_what_would_not_fit_into_memory_is_refused(run, monkeypatch):
    monkeypatch.setattr("fastgd.checks.numbers.ALWAYS_FITS", 0)
    monkeypatch.setattr("fastgd.checks.numbers.available_memory", lambda: 1000)
    with pytest.raises(ValueError, match="the derivatives"):
        run.hessian(X)
