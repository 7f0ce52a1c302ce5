"""fastgd.objective, compared with differences, the reference and the training; minimize."""

import itertools
import re
import sys
import threading

import numpy as np
import pytest
import scipy.optimize

import fastgd
from fastgd import reference
from fastgd.arguments.declarations import DECLARED, LossOptions
from fastgd.arguments.options import Options
from fastgd.checks.messages import either
from fastgd.training import objective
from thinning import crossed

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(6, 3))
SAMPLE_WEIGHT = np.array([0.0, 0.5, 1.0, 2.0, 3.5, 0.25])
TARGETS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "identity": (-2.0, 2.0)}
ALLOWED = either([name for name in DECLARED if name in LossOptions.__annotations__])

LOSSES = [(output, "squared") for output in TARGETS]
LOSSES += [("sigmoid", "cross_entropy"), ("tanh", "cross_entropy")]


def targets(output, rows=6):
    low, high = TARGETS[output]
    y = np.random.default_rng(8).uniform(low, high, size=(rows, 2))
    y[0], y[1] = low, high
    return y


def differences(f, w, step=1e-5):
    unit = np.eye(len(w)) * step
    return np.array([(f(w + d)[0] - f(w - d)[0]) / (2 * step) for d in unit])


def refused(error, message, call, *arguments, **options):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call(*arguments, **options)


@pytest.mark.parametrize(
    ("activation", "outputs"), crossed(["sigmoid", "tanh", "relu", "identity"], LOSSES)
)
def test_every_gradient(activation, outputs):
    output, loss = outputs
    y = targets(output)
    for bias, sample_weight, l2 in itertools.product(
        (False, True), (None, SAMPLE_WEIGHT), (0.0, 0.3)
    ):
        options = {
            "activation": activation,
            "output": output,
            "loss": loss,
            "bias": bias,
            "sample_weight": sample_weight,
            "l1": 0.2,
            "l2": l2,
        }
        f = fastgd.objective(X, y, hidden_size=(5, 4), **options)
        w = np.random.default_rng(3).normal(size=f.network.parameters)
        value, derivative = f(w)
        assert type(value) is float
        expected, expected_derivative = reference.objective(X, y, w, hidden_size=(5, 4), **options)
        assert value == pytest.approx(expected, rel=1e-12, abs=0)
        np.testing.assert_allclose(derivative, expected_derivative, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(derivative, differences(f, w), rtol=1e-6, atol=1e-7)


def test_value_written_out():
    """Nothing taken from the package: two samples through one hidden unit and back by hand."""
    x, y, weights = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([0.25, 1.0]), [3.0, 0.5]
    w = np.array([0.1, -0.4, 0.2, 0.7, -0.3])  # two weights and a bias, one weight and a bias
    hidden = 1 / (1 + np.exp(-(x @ w[:2] + w[2])))
    p = 1 / (1 + np.exp(-(hidden * w[3] + w[4])))
    entropy = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    penalty = 0.01 * np.abs(w[[0, 1, 3]]).sum() + 0.1 / 2 * (w[[0, 1, 3]] ** 2).sum()
    options = {"bias": True, "sample_weight": weights, "l1": 0.01, "l2": 0.1}
    f = fastgd.objective(x, y, hidden_size=1, loss="cross_entropy", **options)
    assert f(w)[0] == pytest.approx(weights @ entropy + penalty, rel=1e-14)
    f = fastgd.objective(x, y, hidden_size=1, **options)
    assert f(w)[0] == pytest.approx(weights @ (y - p) ** 2 / 2 + penalty, rel=1e-14)


def test_cross_entropy_of_saturated_outputs():
    """p rounds to 0 and 1, the loss does not; and -log p of what is certain is small, not 0."""
    for output, slope, high in (("sigmoid", 1, 1.0), ("tanh", 2, 1.0)):
        low = TARGETS[output][0]
        options = {"hidden_size": (), "output": output, "loss": "cross_entropy"}
        for w, y, z in ((50.0, low, 50.0), (-60.0, high, 60.0), (800.0, low, 800.0)):
            value, derivative = fastgd.objective([[1.0]], [y], **options)([w])
            assert value == pytest.approx(slope * z, rel=1e-15)
            assert value == reference.objective([[1.0]], [y], [w], **options)[0]
            assert derivative == np.sign(w) * (high - low)
        value, _ = fastgd.objective([[1.0]], [high], **options)([50.0 / slope])
        assert value == pytest.approx(np.exp(-50), rel=1e-12)


@pytest.mark.parametrize("bias", [False, True])
def test_derivative_is_the_training_s(bias):
    """One update with alpha 1 adds minus the derivative: the same bits, also with many samples."""
    random = np.random.default_rng(4)
    x, y = random.normal(size=(301, 3)), random.random((301, 2))
    f = fastgd.objective(x, y, hidden_size=(5, 17), bias=bias)
    run = fastgd.train(x, y, hidden_size=(5, 17), bias=bias, iterations=1, record_every=1)
    w = f.start(1)
    assert np.array_equal(f.parts(w - f(w)[1]).weights[0], run.weights[0])
    assert f.evaluate(w)[2] == run.errors[0]
    np.testing.assert_array_equal(f.parts(w).weights[1], start_of_layer(1, (3, 5, 17, 2)))


def start_of_layer(k, sizes):
    random = np.random.RandomState(1)
    return [2 * random.random_sample(shape) - 1 for shape in itertools.pairwise(sizes)][k]


def test_no_state_is_left(xor):
    f = fastgd.objective(*xor)
    w = f.start(1)
    first = f(w)
    assert np.isnan(f(np.full(16, np.nan))[0])
    for k in range(300):  # more than the kernel's counters take
        f(w * k)
    value, derivative = f(w)
    assert value == first[0]
    np.testing.assert_array_equal(derivative, first[1])
    assert derivative is not first[1]
    np.testing.assert_array_equal(w, f.start(1))


def test_numbers_that_overflow_are_no_error():
    x, y = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([0.0, 1.0])
    for options in ({"activation": "relu", "output": "identity"}, {"loss": "cross_entropy"}, {}):
        f = fastgd.objective(x, y, hidden_size=2, l2=0.1, **options)
        for bad in (np.inf, -np.inf, np.nan, 1e300):
            value, derivative = f(np.full(6, bad))
            assert type(value) is float
            assert not np.isfinite(value)
            assert derivative.shape == (6,)
        assert np.isfinite(f(np.ones(6))[0])


def test_inputs_are_kept_as_they_were(xor):
    x, y = xor
    weight = np.ones(4)
    f = fastgd.objective(x, y, sample_weight=weight, loss="cross_entropy")
    g = fastgd.objective(x, y, hidden_size=(), loss="cross_entropy")
    before = f(f.start(1))[0], g(g.start(1))[0]
    x[:], y[:], weight[:] = 7, 1, 5
    assert (f(f.start(1))[0], g(g.start(1))[0]) == before


def test_threads_take_turns():
    random = np.random.default_rng(4)
    f = fastgd.objective(random.normal(size=(400, 3)), random.random(400), hidden_size=32)
    starts = [f.start(seed) for seed in range(8)]
    expected = [f(w) for w in starts]
    wrong = []

    def work(k):
        for _ in range(100):
            value, derivative = f(starts[k])
            if value != expected[k][0] or not np.array_equal(derivative, expected[k][1]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_start_parts_and_run(xor):
    given = {"output": "tanh", "loss": "cross_entropy", "bias": True}
    f = fastgd.objective(*xor, hidden_size=(2,), **given)
    w = f.start(7)
    parts = f.parts(w)
    random = np.random.RandomState(7)
    np.testing.assert_array_equal(parts.weights[0], 2 * random.random_sample((3, 2)) - 1)
    np.testing.assert_array_equal(parts.weights[1], 2 * random.random_sample((2, 1)) - 1)
    assert [bias.tolist() for bias in parts.biases] == [[0, 0], [0]]
    w += 0.5
    assert parts.weights[0].max() < 1  # a copy
    run = f.run(w)
    assert run.options == given
    assert (run.iterations, run.status, run.hidden_size) == (0, "finished", (2,))
    assert run.final_error == pytest.approx(np.abs(xor[1] - run.predict(xor[0])).mean())
    assert repr(f) == ("Objective(sizes=(3, 2, 1), output='tanh', bias=True, loss='cross_entropy')")
    refused(ValueError, "seed must be at least 0, got -1", f.start, -1)


@pytest.mark.parametrize("call", ["f", "parts", "run", "reference"])
def test_vectors_that_are_rejected(call, xor):
    f = fastgd.objective(*xor)
    calls = {"f": f, "parts": f.parts, "run": f.run}
    calls["reference"] = lambda w: reference.objective(*xor, w)
    w = f.start(1)
    shape = "w must have shape (16,), one number for each parameter, got shape "
    refused(ValueError, shape + "(15,)", calls[call], w[:15])
    refused(ValueError, shape + "(16, 1)", calls[call], w[:, None])
    refused(ValueError, shape + "()", calls[call], 1.0)
    message = "w must hold real numbers, got "
    refused(ValueError, f"{message}'abc' (dtype str96)", calls[call], "abc")
    refused(
        ValueError,
        "w must be numbers in rows of equal length, got [[1], [1, 2]]",
        calls[call],
        [[1], [1, 2]],
    )
    with pytest.raises(ValueError, match=r"^w must hold real numbers, got .*\(dtype complex128\)$"):
        calls[call](w + 0j)
    for same in (list(w), w[::-1][::-1], w.astype(">f8")):
        np.testing.assert_array_equal(f(same)[1], f(w)[1])


@pytest.mark.parametrize(
    "name", sorted(Options.__annotations__.keys() - LossOptions.__annotations__)
)
def test_options_that_are_rejected(name, xor):
    message = f"an option of an objective must be one of {ALLOWED}, got {name!r}"
    refused(TypeError, message, fastgd.objective, *xor, **{name: 1})
    refused(TypeError, message, fastgd.minimize, *xor, **{name: 1})
    refused(TypeError, message, reference.objective, *xor, np.zeros(16), **{name: 1})


def test_other_refusals(xor):
    x, y = xor
    refused(
        TypeError,
        "an option of an objective must be known, got 'activatoin': did you mean activation?",
        fastgd.objective,
        x,
        y,
        activatoin="tanh",
    )
    refused(
        ValueError,
        "l2 must be a finite number of at least 0, got -1",
        fastgd.objective,
        x,
        y,
        l2=-1,
    )
    refused(
        ValueError,
        "y must be from 0 to 1 with loss='cross_entropy' and output='sigmoid', got 2.0 at [1, 0]",
        fastgd.objective,
        x,
        2 * y,
        loss="cross_entropy",
    )
    refused(
        ValueError, "hidden_size must be at least 1, got 0", fastgd.objective, x, y, hidden_size=0
    )


def test_too_large_for_memory(monkeypatch, xor):
    monkeypatch.setattr("fastgd.checks.numbers.available_memory", lambda: 10**6)
    with pytest.raises(
        ValueError, match=r"^the objective must fit into the available memory \(1 MB"
    ):
        fastgd.objective(*xor, hidden_size=10**6)


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "CG", "TNC"])
def test_scipy_solves_the_article_s_problem(method, xor):
    f = fastgd.objective(*xor, hidden_size=8)
    found = scipy.optimize.minimize(f, f.start(1), jac=True, method=method)
    assert found.fun < 1e-3
    assert f.run(found.x).final_error < 0.02


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B"])
def test_minimize_is_scipy_s(method, xor):
    """Errors and direction changes, computed again from the iterates that SciPy reports."""
    x, y = xor
    options = {"hidden_size": 8, "bias": True, "l2": 1e-4}
    f = fastgd.objective(x, y, **options)
    iterates = [f.start(3)]
    found = scipy.optimize.minimize(
        f, f.start(3), jac=True, method=method, callback=lambda w: iterates.append(w.copy())
    )
    run = fastgd.minimize(x, y, method=method, seed=3, **options)
    assert (run.status, run.iterations) == ("converged", found.nit)
    np.testing.assert_array_equal(run.weights[0], f.parts(found.x).weights[0])
    np.testing.assert_array_equal(run.biases[1], f.parts(found.x).biases[1])
    errors = [np.abs(y - f.run(w).predict(x)).mean() for w in iterates]
    np.testing.assert_allclose(run.errors, errors[:-1], rtol=1e-13)
    np.testing.assert_allclose(run.final_error, errors[-1], rtol=1e-13)
    np.testing.assert_array_equal(run.recorded, np.arange(found.nit))
    up = np.array([f(w)[1] < 0 for w in iterates])
    changes = f.network.parts((up[1:] != up[:-1]).sum(axis=0))
    assert changes.weights[0].sum() > 0
    np.testing.assert_array_equal(run.direction_changes[0], changes.weights[0])
    np.testing.assert_array_equal(run.bias_direction_changes[0], changes.biases[0])
    assert run.minimizer == {"method": method}
    assert run.options == {"bias": True, "l2": 1e-4}
    assert run.final_error < 0.05
    np.testing.assert_allclose(np.abs(y - run.predict(x)).mean(), run.final_error)
    assert repr(run).startswith(f"Run(method={method!r}, hidden_size=(8,), seed=3, bias=")


CURVE = np.linspace(-2, 2, 40)[:, None], np.sin(np.linspace(-2, 2, 40))
TANH = {"hidden_size": 2, "activation": "tanh", "output": "identity", "bias": True}


@pytest.mark.parametrize("samples", [6, 150])
@pytest.mark.parametrize("more", [{}, {"l2": 0.3}, {"l2": 0.3, "reduction": "mean"}])
@pytest.mark.slow
def test_residuals_and_their_jacobian(samples, more):
    """Half their squares are the loss, and the derivative follows from both."""
    x = RANDOM.normal(size=(samples, 3))
    y, weight = RANDOM.normal(size=(samples, 2)), np.resize(SAMPLE_WEIGHT, samples)
    for sample_weight, w in itertools.product((None, weight), RANDOM.normal(size=(2, 4 * 4 + 10))):
        options = {"activation": "tanh", "output": "identity", "bias": True, **more}
        f = fastgd.objective(x, y, sample_weight=sample_weight, **options)
        (loss, derivative), r, J = f(w), f.residuals(w), f.jacobian(w)
        assert J.shape == (2 * samples + 20 * ("l2" in more), 26)
        np.testing.assert_allclose(r @ r / 2, loss, rtol=1e-13)
        np.testing.assert_allclose(J.T @ r, derivative, rtol=1e-11, atol=1e-13)
        if samples == 6:
            by_differences = [
                (f.residuals(w + d) - f.residuals(w - d)) / 2e-6 for d in 1e-6 * np.eye(26)
            ]
            np.testing.assert_allclose(J.T, by_differences, atol=1e-7)


def test_the_residuals_of_one_are_not_those_of_another_call(xor):
    f = fastgd.objective(*xor, **TANH)
    w, other = f.start(1), f.start(2)
    r, J = f.residuals(w), f.jacobian(w)
    copies = r.copy(), J.copy()
    assert (f.residuals(other) != r).any()
    np.testing.assert_array_equal(r, copies[0])
    np.testing.assert_array_equal(J, copies[1])
    np.testing.assert_array_equal(f.jacobian(w), J)


def test_residuals_need_a_sum_of_squares(xor):
    for given, message in (
        (
            {"loss": "absolute", "activation": "elu", "output": "softplus"},
            "loss must be 'squared' for residuals, whose squares make up the ",
        ),
        (
            {"l1": 0.1, "l2": 0.1},
            "l1 must be 0.0 for residuals, whose squares make up the loss, got 0.1",
        ),
    ):
        f = fastgd.objective(*xor, **given)
        for call in (f.residuals, f.jacobian):
            with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
                call(f.start(1))
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            fastgd.minimize(*xor, method="lm", **given)
    refused(
        ValueError,
        "method='lm' needs at least as many residuals as parameters (16), got 4",
        fastgd.minimize,
        *xor,
        method="lm",
    )
    f = fastgd.objective(*xor, **TANH)
    large = {"hidden_size": (250, 1)}
    message = r"^a network must have at most 1,000 parameters for equations of .*=\(250, 1\)$"
    with pytest.raises(ValueError, match=message):
        fastgd.objective(*xor, **large).jacobian(np.zeros(1001))
    with pytest.raises(ValueError, match=message):
        fastgd.minimize(*xor, **large, method="lm")
    with pytest.raises(ValueError, match=r"^w must have shape \(11,\)"):
        f.jacobian(np.zeros(3))


def test_a_jacobian_too_large_for_memory(monkeypatch):
    f = fastgd.objective(np.zeros((20_000, 1)), np.zeros(20_000), hidden_size=50)
    monkeypatch.setattr("fastgd.checks.numbers.available_memory", lambda: 10**6)
    with pytest.raises(ValueError, match=r"^the Jacobian must fit into the available memory"):
        f.jacobian(f.start(1))


def test_least_squares_are_those_of_scipy():
    """With its own differences for the Jacobian, from near a minimum; alone, and with a penalty."""
    for more in ({}, {"l2": 0.01}):
        given = {**TANH, **more}
        minimum = fastgd.minimize(*CURVE, **given, method="lm", seed=3)
        assert minimum.status == "converged"
        near = {
            "weights": [1.05 * array for array in minimum.weights],
            "biases": [1.05 * array for array in minimum.biases],
        }
        f = fastgd.objective(*CURVE, **given)
        arrays = zip(near["weights"], near["biases"], strict=True)
        start = np.concatenate([np.append(w.ravel(), b) for w, b in arrays])
        found = scipy.optimize.least_squares(f.residuals, start, method="lm")
        run = fastgd.minimize(*CURVE, **given, **near, method="lm")
        assert (run.status, run.minimizer) == ("converged", {"method": "lm"})
        assert run.final_loss == pytest.approx(found.cost, rel=1e-5)
        assert (np.diff([*run.losses, run.final_loss]) <= 0).all()
        assert run.iterations == len(run.losses) > 2
        half = fastgd.minimize(*CURVE, **given, **near, method="lm", iterations=2)
        assert (half.status, half.iterations) == ("finished", 2)
        np.testing.assert_array_equal(half.errors, run.errors[:2])
        assert half.final_loss == run.losses[2]


def test_minimize_by_annealing(xor):
    """Annealing leaves a minimum where BFGS is stuck, and stays within its span."""
    x, y = xor
    assert fastgd.minimize(x, y, seed=3).final_error > 0.1
    run = fastgd.minimize(x, y, method="dual_annealing", seed=3, iterations=40)
    assert (run.status, run.iterations) == ("finished", 40)
    assert run.final_error < 0.05
    assert run.errors.shape == run.recorded.shape == (40,)
    f = fastgd.objective(x, y)
    assert run.errors[0] == f.evaluate(f.start(3))[2]
    assert run.errors[1] < run.errors[0]
    assert len(set(run.errors)) > 2
    assert run.minimizer == {"method": "dual_annealing", "span": (-10.0, 10.0)}
    w = np.concatenate([layer.ravel() for layer in run.weights])
    assert 5 < np.abs(w).max() <= 10
    again = fastgd.minimize(x, y, method="dual_annealing", seed=3, iterations=40)
    np.testing.assert_array_equal(again.errors, run.errors)
    np.testing.assert_array_equal(again.weights[0], run.weights[0])
    narrow = fastgd.minimize(
        x, y, method="dual_annealing", seed=2, iterations=5, span=(-2, 1.5), bias=True
    )
    assert all(part.min() >= -2 and part.max() <= 1.5 for part in narrow.weights + narrow.biases)
    assert narrow.minimizer["span"] == (-2.0, 1.5)
    assert narrow.final_error > run.final_error


def test_iterations_of_an_annealing(xor, monkeypatch):
    """A minimum found at visit v belongs to SciPy's current iteration, read from its chain."""
    inside = scipy.optimize._dual_annealing.StrategyChain
    count, seen = itertools.count(), []
    run_chain = inside.run

    def counted(chain, *arguments):
        seen.append(next(count))
        return run_chain(chain, *arguments)

    monkeypatch.setattr(inside, "run", counted)
    places = []
    add = objective._Path.add
    monkeypatch.setattr(
        objective._Path,
        "add",
        lambda path, w, at: (places.append((at, len(seen))), add(path, w, at))[1],
    )
    fastgd.minimize(*xor, method="dual_annealing", seed=3, iterations=40)
    assert len(places) > 4
    assert max(places)[0] == 2
    assert all(at == chains for at, chains in places)


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "dual_annealing"])
def test_iterations_are_the_most(method, xor):
    run = fastgd.minimize(*xor, method=method, iterations=3)
    assert (run.status, run.iterations, len(run.errors)) == ("finished", 3, 3)


def test_initial_weights(xor):
    x, y = xor
    given = fastgd.train(x, y, alpha=10, iterations=200).weights
    run = fastgd.minimize(x, y, weights=given, iterations=2)
    assert run.seed is None
    w = np.concatenate([layer.ravel() for layer in given])
    assert run.errors[0] == fastgd.objective(x, y).evaluate(w)[2]
    assert run.hidden_size == (4,)


@pytest.mark.parametrize("method", objective.METHODS)
def test_diverged(method):
    options = {"hidden_size": (), "activation": "tanh", "output": "identity", "method": method}
    run = fastgd.minimize(
        [[1e200], [1.0]], [0.0, 1.0], weights=[[[9e150]]], span=span(method), **options
    )
    assert (run.status, run.iterations, run.errors.shape) == ("diverged", 0, (0,))
    assert run.final_error == np.inf


def span(method):
    return (-1e200, 1e200) if method == "dual_annealing" else None


def test_save_and_load(tmp_path, xor):
    run = fastgd.minimize(*xor, method="dual_annealing", iterations=2)
    run.save(tmp_path / "run.npz")
    loaded = fastgd.load(tmp_path / "run.npz")
    assert loaded.minimizer == run.minimizer
    assert repr(loaded) == repr(run)
    np.testing.assert_array_equal(loaded.errors, run.errors)


def test_refusals_of_minimize(xor):
    x, y = xor
    for value in ("bfgs", "Newton"):
        with pytest.raises(
            ValueError, match=r"^method must be 'BFGS', .*'dual_annealing' or 'lm', got"
        ):
            fastgd.minimize(x, y, method=value)
    refused(ValueError, "iterations must be at least 1, got 0", fastgd.minimize, x, y, iterations=0)
    refused(ValueError, "seed must be at least 0, got -1", fastgd.minimize, x, y, seed=-1)
    refused(
        ValueError,
        "span must be left out with method='BFGS', got (-1, 1)",
        fastgd.minimize,
        x,
        y,
        span=(-1, 1),
    )
    for value, error, rule in (
        (5, TypeError, "span must be two numbers, the smaller one first, got 5"),
        ((1, 2, 3), TypeError, "span must be two numbers, the smaller one first, got (1, 2, 3)"),
        ((-1, np.inf), ValueError, "span[1] must be a finite number, got inf"),
        ((2, 2), ValueError, "span must have the smaller number first, got (2, 2)"),
        (
            (0, 10),
            ValueError,
            "span must contain the initial parameters (-1 to 0.756), got (0, 10)",
        ),
    ):
        refused(error, rule, fastgd.minimize, x, y, method="dual_annealing", span=value)


def test_without_scipy(monkeypatch, xor):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    refused(
        ImportError, 'minimize() needs SciPy: pip install "fastgd[scipy]"', fastgd.minimize, *xor
    )
