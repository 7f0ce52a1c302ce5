"""Levenberg-Marquardt and Bayesian regularization: twins, oracles, bits, ends, what is refused."""

import re
from itertools import product

import mpmath
import numpy as np
import pytest
import scipy.optimize
from test_methods import agrees

import fastgd
from cases import SWISH
from fastgd import reference
from fastgd.arguments.declarations import DECLARED, VALUES
from fastgd.arguments.options import Method
from fastgd.engine.network import Network
from fastgd.optimizers import Adam, GradientDescent, LevenbergMarquardt
from fastgd.reference.perceptron import Perceptron
from thinning import at_a_time, kernels_of, only, some

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 3))
Y = np.column_stack([np.sin(X[:, 0]) + 0.3 * X[:, 1], np.cos(X.sum(axis=1))])
Y += 0.1 * RANDOM.normal(size=Y.shape)
WEIGHTS = np.arange(200.0) % 4

FITTED = {"activation": "tanh", "output": "identity", "bias": True, "init": "glorot"}
SHORT = {"optimizer": LevenbergMarquardt(), "alpha": 1.0, "iterations": 8, "record_every": 1}
LINE = np.linspace(-2, 2, 40)[:, None]
SMOOTH = np.tanh(2 * LINE + 1) - 0.6 * np.tanh(1.5 * LINE - 1) + 0.3
CURVE = {"X": LINE, "y": SMOOTH + 0.01 * RANDOM.normal(size=(40, 1)), "hidden_size": 2, **FITTED}
"""A curve, whose network is well determined."""


@pytest.fixture(scope="module", autouse=True)
def with_the_kernels_of_sweeps():
    """Runs alone have those, too; the golden case "bayesian" has one for a single run."""
    with at_a_time(8):
        yield


def check(rtol=1e-8, samples=65, outputs=2, **given):
    """Compare a training with its twin."""
    settings = {"X": X[:samples], "y": Y[:samples, :outputs], "hidden_size": 3, **SHORT} | given
    run, twin = fastgd.train(**settings), reference.train(**settings)
    agrees(run, twin, rtol)
    for name in ("effective_parameters", "weight_penalty", "error_factor"):
        ours, theirs = getattr(run, name), getattr(twin, name)
        assert ours == theirs or ours == pytest.approx(theirs, rel=rtol)
    return run


def row_of(run):
    """All parameters in the order of the equations."""
    arrays = zip(run.weights, run.biases, strict=True)
    return np.concatenate([np.append(w.ravel(), b) for w, b in arrays])


def start_of(**given):
    """The first parameters of a training."""
    run = reference.train(**given, iterations=1, record_weights=True)
    recorded = zip(run.recorded_weights, run.recorded_biases, strict=True)
    return np.concatenate([np.append(w[0].ravel(), b[0]) for w, b in recorded])


def same(run, other):
    """All numbers of two runs, to the bit."""
    assert (run.status, run.iterations) == (other.status, other.iterations)
    assert run.final_loss == other.final_loss
    assert run.effective_parameters == other.effective_parameters
    arrays = [(r.weights, r.biases, r.direction_changes, (r.errors,)) for r in (run, other)]
    for ours, theirs in zip(*(sum(map(tuple, each), ()) for each in arrays), strict=True):
        np.testing.assert_array_equal(ours, theirs)


# ---------------------------------------------------------------- the plain twin

FUNCTIONS = [
    ("tanh", "identity"),
    (SWISH, "tanh"),
    ("silu", "softplus"),
    ("sigmoid", "sigmoid"),
    ("relu", "identity"),
    ("gelu", SWISH),
]


@pytest.mark.parametrize(
    ("activation", "output"), some(FUNCTIONS, [k == 0 for k in range(len(FUNCTIONS))])
)
@pytest.mark.filterwarnings("ignore")
def test_networks(activation, output):
    kind = {"activation": activation, "output": output, "init": "glorot"}
    y = 0.4 + 0.2 * Y[:65]
    for hidden, outputs, bias in [
        ((), 2, True),
        (5, 1, False),
        ((3, 2), 2, True),
        ((3, 2, 2), 1, 0),
    ]:
        given = {"hidden_size": hidden, "bias": bool(bias), "y": y[:, :outputs]}
        check(1e-6, **kind | given, optimizer=LevenbergMarquardt(damping=0.1, decrease=0.5))


@pytest.mark.parametrize("samples", [2, 7, 8, 63, 64, 65, 129, 200])
def test_groups_of_samples(samples):
    """More of them than fit in the cache at a time, and remainders of tiles."""
    optimizer = LevenbergMarquardt(damping=0.1, decrease=0.5)
    for outputs in (1, 2):
        check(**FITTED, samples=samples, outputs=outputs, optimizer=optimizer)
    check(**FITTED, samples=samples, optimizer=optimizer, sample_weight=WEIGHTS[:samples])


@pytest.mark.parametrize("hidden", [1, 2, 7, 9, 15, pytest.param(17, marks=pytest.mark.slow)])
def test_matrices_smaller_and_larger_than_tiles(hidden):
    check(
        1e-7,
        **FITTED,
        hidden_size=hidden,
        samples=200,
        optimizer=LevenbergMarquardt(damping=0.1, decrease=0.5),
    )


def test_all_fields():
    for optimizer in (
        LevenbergMarquardt(scaled=1.0),
        LevenbergMarquardt(damping=10.0, increase=3.0, decrease=0.3, scaled=0.5),
        LevenbergMarquardt(min_gradient=1.0),
        LevenbergMarquardt(min_step=0.01),
        LevenbergMarquardt(damping=0.1, max_damping=0.5, increase=2.0),
    ):
        check(**FITTED, optimizer=optimizer, iterations=15)
    check(**FITTED, alpha=0.3)


@pytest.mark.slow
def test_a_schedule():
    check(**FITTED, alpha=(0.5, 0.2), schedule=fastgd.schedules.Step(3))


BOUNDED = {"bias": True, "init": "glorot", "y": 0.4 + 0.2 * Y[:65]}
"""For sigmoids, as the golden case has them."""


@pytest.mark.parametrize("given", some([(BOUNDED,), (FITTED,)], [True, False]))
def test_penalties(given):
    with kernels_of("levenberg marquardt"):
        for l2 in (0.01, 3.0):
            check(**given, l2=l2)
        check(**given, l2=0.01, sample_weight=WEIGHTS[:65])


@pytest.mark.slow
def test_means():
    check(**FITTED, reduction="mean", l2=0.01, sample_weight=WEIGHTS[:65])


@pytest.mark.slow
def test_means_without_a_penalty():
    check(**FITTED, reduction="mean", outputs=1)


@pytest.mark.parametrize("regularization", only(["given", "bayesian"], "bayesian"))
@pytest.mark.slow
def test_frozen_parameters_stay(regularization):
    mask = np.arange(12).reshape(3, 4) % 3 == 0
    given = {**FITTED, "hidden_size": 4, "record_weights": True}
    start = reference.train(X, Y, **given, iterations=1).recorded_weights
    for freeze in ((0,), (1,), [mask, None]):
        kind = {"regularization": regularization, "freeze": freeze}
        run = check(**FITTED, hidden_size=4, iterations=4, **kind)
        stays = mask if isinstance(freeze, list) else slice(None)
        layer = 1 if freeze == (1,) else 0
        np.testing.assert_array_equal(run.weights[layer][stays], start[layer][0][stays])
        assert (run.weights[1 - layer] != start[1 - layer][0]).all()


HELD = {"validation": (X[100:], Y[100:], WEIGHTS[100:]), "iterations": 30}


@pytest.mark.slow
def test_held_out_samples():
    check(1e-7, **FITTED, **HELD)


def test_held_out_samples_and_the_best_network():
    for given in ({"evaluate_every": 1}, {"evaluate_every": 7}, {"patience": 3}):
        run = check(1e-7, **FITTED, **HELD, **given, restore_best=True)
        assert run.best_iteration < run.iterations


@pytest.mark.parametrize("outputs", only([1, 2], 2))
@pytest.mark.slow
def test_bayesian_regularization(outputs):
    for given in ({}, {"sample_weight": WEIGHTS[:65]}, {"hidden_size": (4, 3)}):
        run = check(**FITTED, **given, outputs=outputs, regularization="bayesian")
        assert 0 < run.effective_parameters < sum(w.size for w in (*run.weights, *run.biases))
        squares = ((Y[:65, :outputs] - run.predict(X[:65])) ** 2).sum(axis=1)
        loss = (given.get("sample_weight", 1) * squares).sum() / 2  # without a penalty
        assert run.final_loss == pytest.approx(loss, rel=1e-12)
    check(**FITTED, regularization="bayesian", freeze=(1,))
    check(**FITTED, regularization="bayesian", samples=5)  # fewer than parameters


# ---------------------------------------------------------------- oracles


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_the_minimum_of_scipy(seed):
    """From starts near enough to it that SciPy, with differences for derivatives, arrives there."""
    start = [2, 1.5, 1, -1, 1, -0.6, 0.3] + 0.3 * np.random.default_rng(seed).normal(size=7)
    run = fastgd.train(
        **CURVE | {"init": "article"},
        weights=[start[None, :2], start[4:6, None]],
        biases=[start[2:4], start[6:]],
        optimizer=LevenbergMarquardt(min_gradient=1e-12, min_step=1e-14),
        iterations=500,
    )
    assert run.status in ("converged", "stalled")
    x, y = CURVE["X"], CURVE["y"]

    def residuals(w):
        return (y - np.tanh(x @ w[None, :2] + w[2:4]) @ w[4:6, None] - w[6]).ravel()

    limits = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "max_nfev": 100_000}
    found = scipy.optimize.least_squares(residuals, start, method="lm", **limits)
    assert run.final_loss == pytest.approx(found.cost, rel=1e-10)
    np.testing.assert_allclose(residuals(row_of(run)), residuals(found.x), atol=1e-5)


@pytest.mark.parametrize("scaled", [0.0, 1.0])
def test_one_step_by_normal_equations_in_fifty_digits(scaled):
    """With derivatives by differences, too, which have 25 digits then."""
    sigmoids = {"bias": True, "init": "glorot"}  # as the golden case has them
    x, y, weight = X[:9, 0], 0.4 + 0.2 * Y[:9, 0], WEIGHTS[:9]
    start = start_of(X=x[:, None], y=y, hidden_size=2, **sigmoids)
    given = {"hidden_size": 2, "sample_weight": weight, "l2": 0.01, **sigmoids, **SHORT}
    optimizer = LevenbergMarquardt(damping=0.1, scaled=scaled)
    with kernels_of("levenberg marquardt"):
        run = fastgd.train(x[:, None], y, **given | {"iterations": 1, "optimizer": optimizer})
    with mpmath.workdps(50):

        def sigmoid(a):
            return 1 / (1 + mpmath.exp(-a))

        def output(w, at):
            hidden = [sigmoid(at * w[i] + w[2 + i]) for i in range(2)]
            return sigmoid(hidden[0] * w[4] + hidden[1] * w[5] + w[6])

        w, h = [mpmath.mpf(v) for v in start], mpmath.mpf(10) ** -25
        J, r = mpmath.matrix(9, 7), mpmath.matrix(9, 1)
        for n in range(9):
            root = mpmath.sqrt(weight[n])
            r[n] = root * (mpmath.mpf(y[n]) - output(w, mpmath.mpf(x[n])))
            for p in range(7):
                up, down = list(w), list(w)
                up[p], down[p] = w[p] + h, w[p] - h
                both = [output(v, mpmath.mpf(x[n])) for v in (up, down)]
                J[n, p] = root * (both[0] - both[1]) / (2 * h)
        A, b = J.T * J, J.T * r
        for p in (0, 1, 4, 5):
            A[p, p] += mpmath.mpf(0.01)
            b[p] -= mpmath.mpf(0.01) * w[p]
        for p in range(7):
            A[p, p] += mpmath.mpf(0.1) * (A[p, p] if scaled else 1)
        expected = [float(v + d) for v, d in zip(w, mpmath.lu_solve(A, b), strict=True)]
    np.testing.assert_allclose(row_of(run), expected, rtol=1e-12, atol=1e-14)


def test_the_jacobian_by_finite_differences():
    network = Network((3, 4, 3, 2), bias=True)
    method = Method(activation="silu", output="tanh", bias=True)
    row = RANDOM.normal(size=network.parameters)

    def outputs(w):
        return Perceptron(network, method, w, np.ones(3)).outputs(X[:6])

    J = Perceptron(network, method, row, np.ones(3)).jacobian(X[:6])
    for p, alone in enumerate(1e-6 * np.eye(len(row))):
        slope = (outputs(row + alone) - outputs(row - alone)) / 2e-6
        np.testing.assert_allclose(J[:, :, p], slope, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_bayesian_regularization_in_a_straight_line():
    """As in Foresee and Hagan's section 3, for one hidden layer, but alpha at most doubles."""
    x, y = X[:50, :1], Y[:50, 0]
    shared = {"hidden_size": 4, **FITTED}
    w = start_of(X=x, y=y, **shared)
    P, n, mu = len(w), len(y), 0.005

    def layer(w):
        return np.tanh(x * w[:4] + w[4:8])

    def errors(w):
        return y - layer(w) @ w[8:12] - w[12]

    alpha, beta = 0.01, 1.0
    for _ in range(25):
        a, e = layer(w), errors(w)
        inner = (1 - a**2) * w[8:12]
        J = np.hstack([inner * x, inner, a, np.ones((n, 1))])
        H = beta * J.T @ J + alpha * np.eye(P)
        downhill = beta * J.T @ e - alpha * w
        before = beta * e @ e + alpha * w @ w
        for _ in range(50):
            new = w + np.linalg.solve(H + mu * np.eye(P), downhill)
            if beta * errors(new) @ errors(new) + alpha * new @ new < before:
                break
            mu *= 10
        mu, w = mu / 10, new
        gamma = P - alpha * np.trace(np.linalg.inv(H))
        alpha = min(gamma / (2 * w @ w), 2 * alpha)
        beta = (n - gamma) / (2 * errors(w) @ errors(w))
    optimizer = LevenbergMarquardt(damping=0.005)
    run = fastgd.train(
        x, y, **shared, optimizer=optimizer, iterations=25, regularization="bayesian", alpha=1.0
    )
    np.testing.assert_allclose(row_of(run), w, rtol=1e-9)
    assert run.effective_parameters == pytest.approx(gamma, rel=1e-9)
    assert run.weight_penalty == pytest.approx(alpha, rel=1e-9)
    assert run.error_factor == pytest.approx(beta, rel=1e-9)


@pytest.mark.parametrize("size", [1, 10, 30])
@pytest.mark.slow
def test_bayesian_regularization_maximizes_the_evidence_of_what_learns(size):
    """With a frozen hidden layer the model is linear, and its evidence exact (MacKay, 1992)."""
    x, y, P = X[:65], Y[:65, 0], 4
    random = np.random.default_rng(size)
    frozen, offsets = size * random.normal(size=(3, 3)), size * random.normal(size=3)
    given = {"weights": [frozen, np.full((3, 1), 0.1)], "biases": [offsets, [0.0]]}
    given |= {"regularization": "bayesian", "freeze": (0,), "optimizer": LevenbergMarquardt()}
    basis = np.column_stack([np.tanh(x @ frozen + offsets), np.ones(65)])

    def posterior(factors):
        a, b = 2 * np.exp(factors)  # of squares halved, as the papers have them
        A = b * basis.T @ basis + a * np.eye(P)
        return a, b, A, np.linalg.solve(A, b * basis.T @ y)

    def minus_log_evidence(factors):
        a, b, A, w = posterior(factors)
        e = y - basis @ w
        gain = P * np.log(a) + 65 * np.log(b) - b * e @ e - a * w @ w - np.linalg.slogdet(A)[1]
        return -gain / 2

    limits = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 10_000, "maxfev": 10_000}
    found = scipy.optimize.minimize(
        minus_log_evidence, [0.0, 0.0], method="Nelder-Mead", options=limits
    ).x
    a, _, A, w = posterior(found)
    gamma = P - a * np.trace(np.linalg.inv(A))
    for train in (fastgd.train, reference.train):
        run = train(x, y, hidden_size=3, **FITTED | {"init": "article"}, **given, iterations=200)
        ours = run.weight_penalty, run.error_factor, run.effective_parameters
        np.testing.assert_allclose(ours, [*np.exp(found), gamma], rtol=1e-5)
        np.testing.assert_allclose(row_of(run)[-P:], w, rtol=1e-4)


# ---------------------------------------------------------------- bits


@pytest.mark.parametrize(("runs", "hidden"), [(1, 3), (8, 1), (9, 5), (33, 3)])
@pytest.mark.parametrize("regularization", ["given", "bayesian"])
def test_runs_of_a_sweep_are_runs_alone(runs, hidden, regularization):
    given = {"X": X[:70], "y": Y[:70], "hidden_size": hidden, **FITTED, **SHORT}
    given |= {"regularization": regularization, "iterations": 12}
    sweep = fastgd.sweep(**given, seed=range(runs))
    for seed in {0, runs // 2, runs - 1}:
        same(sweep[seed], fastgd.train(**given, seed=seed))


def test_every_field_is_an_axis():
    values = {
        "damping": [1e-3, 0.5],
        "increase": [2.0, 10.0],
        "decrease": [0.1, 0.5],
        "max_damping": [0.5, 1e10],
        "min_gradient": [1e-10, 0.5],
        "min_step": [1e-10, 0.05],
        "scaled": [0.0, 1.0],
    }
    given = CURVE | SHORT | {"iterations": 12}
    sweep = fastgd.sweep(**given | {"optimizer": LevenbergMarquardt(**values)})
    assert list(sweep.axes) == list(values)
    assert {"converged", "stalled", "finished"} == set(sweep.status.ravel())
    for k, fields in enumerate(product(*values.values())):
        if k % 7 == 0:
            run = fastgd.train(**given | {"optimizer": LevenbergMarquardt(*fields)})
            same(sweep[np.unravel_index(k, sweep.shape)], run)


@pytest.mark.parametrize("regularization", ["given", "bayesian"])
def test_it_resumes_anywhere(regularization):
    given = CURVE | SHORT | {"optimizer": LevenbergMarquardt(min_gradient=1e-3)}
    given |= {"regularization": regularization, "seed": 10}
    settings = given | {"iterations": 25}
    for train in (fastgd.train, reference.train):
        whole = train(**settings)
        assert whole.status == "converged"
        assert 4 < whole.iterations < 25
        for first in (1, 3, whole.iterations - 1, whole.iterations, 24):
            half = train(**given | {"iterations": first})
            same(train(CURVE["X"], CURVE["y"], iterations=25 - first, resume=half), whole)


def test_an_ended_run_is_left_alone_by_those_beside_it():
    """Its state, too."""
    given = CURVE | {
        "optimizer": LevenbergMarquardt(min_step=0.0, min_gradient=1e-3),
        "iterations": 60,
    }
    sweep = fastgd.sweep(**given, seed=range(8), keep_state=True)
    assert len(set(sweep.iterations)) > 2
    for seed in range(8):
        alone, beside = fastgd.train(**given, seed=seed).state, sweep[seed].state
        for name, array in alone._asdict().items():
            np.testing.assert_array_equal(array, getattr(beside, name), err_msg=name)


# ---------------------------------------------------------------- ends of runs


def test_why_a_run_ends():
    """At the error after the step that ends it, whatever is recorded."""
    given = CURVE | {"iterations": 400, "record_every": 400, "seed": 5}
    ends = {
        LevenbergMarquardt(min_gradient=1e3): ("converged", 1),
        LevenbergMarquardt(damping=10.0, min_step=10.0): ("converged", 1),
        LevenbergMarquardt(damping=1e-3, max_damping=1e-3, min_gradient=0.0, min_step=0.0): (
            "stalled",
            None,
        ),
        LevenbergMarquardt(min_gradient=0.0, min_step=0.0): ("stalled", None),
    }
    for optimizer, (status, iterations) in ends.items():
        for train in (fastgd.train, reference.train):
            run = train(**given | {"optimizer": optimizer})
            assert run.status == status, optimizer
            assert iterations is None or run.iterations == iterations, optimizer
    run = fastgd.train(**given | {"optimizer": LevenbergMarquardt(min_gradient=1e3)})
    np.testing.assert_array_equal(row_of(run), start_of(**CURVE, seed=5))
    run = fastgd.train(**CURVE, optimizer=LevenbergMarquardt(min_gradient=1e3), iterations=1)
    assert (run.status, run.iterations) == ("converged", 1)


@pytest.mark.slow
def test_a_tolerance_or_a_patience_may_end_it_before():
    whole = fastgd.train(**CURVE | SHORT)
    limit = whole.errors[3:5].mean()
    for train in (fastgd.train, reference.train):
        run = train(**CURVE | SHORT | {"tolerance": limit})
        assert (run.status, run.iterations) == ("converged", 4)
        run = train(**CURVE | SHORT | {"patience": 1, "min_delta": 0.01, "iterations": 30})
        assert run.status == "stalled"


def test_a_matrix_that_is_not_positive_definite_needs_more_damping():
    """Its step is not a number, but no short one."""
    given = {"X": X[:3], "y": Y[:3, :1], "hidden_size": 3, **FITTED, "iterations": 40}
    for seed in range(4):
        run = fastgd.train(**given, optimizer=LevenbergMarquardt(damping=1e-20), seed=seed)
        assert run.final_loss < 1e-18


@pytest.mark.parametrize("monitor", only(["error", "loss"], "error"))
@pytest.mark.slow
def test_the_last_network_may_be_the_best_one_though_it_was_not_due(monitor):
    given = CURVE | {
        "optimizer": LevenbergMarquardt(min_gradient=1e-3),
        "iterations": 40,
        "seed": 5,
    }
    last = fastgd.train(**given)
    assert last.iterations < 30
    for train in (fastgd.train, reference.train):
        run = train(**given, evaluate_every=30, monitor=monitor, restore_best=True)
        assert run.best_iteration == run.iterations == last.iterations
        assert run.final_error == pytest.approx(last.final_error, rel=1e-9)


# ---------------------------------------------------------------- bad input

WITH = "with optimizer=LevenbergMarquardt()"
REFUSED = [
    ({"loss": "absolute"}, f"loss must be 'squared' {WITH}, which needs a sum of squares, got 'a"),
    ({"loss": "cross_entropy"}, f"loss must be 'squared' {WITH}, which needs a sum of squares, go"),
    ({"batch_size": 2}, f"batch_size must be None {WITH}, which needs all samples in each"),
    ({"batch_norm": True}, f"batch_norm must be False {WITH}, since then an output depends on all"),
    ({"dropout": 0.5}, f"dropout must be 0.0 {WITH}, which compares the losses of two networks"),
    ({"dropconnect": 0.1}, f"dropconnect must be 0.0 {WITH}, which compares the losses of two net"),
    ({"l1": 0.1}, f"l1 must be 0.0 {WITH}, which needs a sum of squares, got 0.1"),
    ({"trim_below": 0.1}, f"trim_below must be 0.0 {WITH}, whose deltas are no derivatives of the"),
    ({"clip_above": 1.0}, f"clip_above must be inf {WITH}, whose deltas are no derivatives of th"),
    ({"clip_norm": 1.0}, f"clip_norm must be inf {WITH}, whose step is not along the gradient, g"),
    ({"max_norm": 1.0}, f"max_norm must be inf {WITH}, whose steps make the loss smaller, got 1.0"),
    ({"regularization": "bayesian", "l2": 0.1}, "l2 must be 0.0 with regularization='bayesian', "),
    (
        {"regularization": "bayesian", "reduction": "mean"},
        "reduction must be 'sum' with regularization='bayesian', which weighs errors and parameter",
    ),
    (
        {"regularization": "bayesian", "optimizer": GradientDescent()},
        "regularization must be 'given' with optimizer=GradientDescent(), since it uses the matrix "
        "of LevenbergMarquardt(), got 'bayesian'",
    ),
    (
        {"hidden_size": 300},
        f"a network must have at most 1,000 parameters {WITH}, whose matrix has 1,200 x 1,200 num",
    ),
    ({"regularization": "bayes"}, "regularization must be 'given' or 'bayesian', got 'bayes'"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_needs_steps_of_first_order_is_refused(given, message):
    settings = {"X": X, "y": Y[:, :1] > 0, "optimizer": LevenbergMarquardt()} | given
    for call in (fastgd.train, fastgd.sweep, reference.train):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            call(**settings)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (name, [DECLARED[name].default, 0.1])
        for name in VALUES
        if DECLARED[name].applies_to.second_order or name == "l2"
    ],
)
@pytest.mark.parametrize("optimizer", [LevenbergMarquardt(), [Adam(), LevenbergMarquardt()]])
def test_axes_are_refused_as_single_values_are(name, values, optimizer):
    kind = {"regularization": "bayesian", "optimizer": LevenbergMarquardt()}
    given = {"X": X, "y": Y > 0} | (kind if name == "l2" else {"optimizer": optimizer})
    message = f"^{name} must be {values[0]!r} with .* got 0.1"
    with pytest.raises(ValueError, match=message):
        fastgd.sweep(**given, **{name: values})
    combinations = [{name: value, "seed": 1} for value in values]
    with pytest.raises(ValueError, match=message):
        fastgd.sweep(**given, combinations=combinations)


def test_axes_of_nothing_but_the_default_train():
    alone = fastgd.train(X[:9], Y[:9], **FITTED, **SHORT)
    for name, value in {"clip_norm": np.inf, "dropout": 0.0}.items():
        same(fastgd.sweep(X[:9], Y[:9], **FITTED, **SHORT, **{name: [value]})[0], alone)


def test_an_axis_of_optimizers_is_checked_with_each():
    with pytest.raises(ValueError, match=re.escape(f"dropout must be 0.0 {WITH}")):
        fastgd.sweep(X, Y, optimizer=[Adam(), LevenbergMarquardt()], dropout=0.1)
    given = {"optimizer": [GradientDescent(), LevenbergMarquardt()], "iterations": 2}
    sweep = fastgd.sweep(X[:9], Y[:9], **FITTED, **given, alpha=0.01)
    assert (sweep[0].weights[0] != sweep[1].weights[0]).any()


@pytest.mark.parametrize(
    ("increase", "damping"), [(1 + 1e-9, 1e-3), (1.4, 5e-324), (np.nextafter(1, 2), 1e9)]
)
def test_an_iteration_ends(increase, damping):
    """Also if the damping hardly grows, or not at all, as 1.4 times the smallest number is that."""
    X = np.random.default_rng(3).normal(size=(20, 2))
    y = np.sin(X[:, :1])
    method = LevenbergMarquardt(increase=increase, damping=damping, min_step=0, min_gradient=0)
    for train in (fastgd.train, fastgd.reference.train):
        run = train(X, y, optimizer=method, **FITTED, hidden_size=2, iterations=3)
        assert run.status in ("stalled", "finished")


def test_an_iteration_at_a_minimum_tries_100_steps():
    X = np.random.default_rng(3).normal(size=(20, 2))
    given = {"X": X, "y": np.sin(X[:, :1]), "hidden_size": 2}
    given |= {"activation": "tanh", "output": "identity"}
    there = fastgd.train(**given, optimizer=LevenbergMarquardt(), iterations=500)
    method = LevenbergMarquardt(increase=1 + 1e-9, min_step=0, min_gradient=0)
    for train in (fastgd.train, reference.train):
        run = train(**given, optimizer=method, weights=there.weights, iterations=50)
        assert run.status == "stalled"
        assert run.state.corrections[0, 0] <= 1e-3 * method.increase ** (101 * run.iterations)


@pytest.mark.slow
def test_an_iteration_without_a_learning_rate_moves_nothing_and_ends_nothing():
    X = np.random.default_rng(3).normal(size=(20, 2))
    y = np.sin(X[:, :1])
    pause = {"schedule": [1.0, 0.0, 0.0, 1.0], "optimizer": LevenbergMarquardt()}
    for train in (fastgd.train, fastgd.reference.train):
        run = train(X, y, **pause, output="identity", hidden_size=2, iterations=4, record_every=1)
        assert run.status == "finished"
        assert run.losses[1] == run.losses[2] == run.losses[3] > run.final_loss


def test_at_a_kink_a_run_has_stalled():
    """Of relu: a short step would make the loss smaller by the derivatives, and doesn't."""
    random = np.random.default_rng(0)
    X = random.uniform(-1, 1, (120, 2))
    y = np.sin(3 * X[:, :1]) + X[:, 1:] ** 2 + 0.1 * random.normal(size=(120, 1))
    network = {"hidden_size": 5, "activation": "relu", "output": "identity", "bias": True}
    for train in (fastgd.train, reference.train):
        run = train(
            X, y, **network, init="glorot", seed=0, iterations=100, optimizer=LevenbergMarquardt()
        )
        assert (run.status, round(run.final_loss, 2)) == ("stalled", 7.22)


@pytest.mark.parametrize("axis", [10.0, [1e-3, 10.0]])
def test_the_first_damping_is_not_above_the_last(axis):
    method = LevenbergMarquardt(damping=axis, max_damping=1.0)
    with pytest.raises(ValueError, match=r"damping must be at most max_damping=1, got 10"):
        fastgd.sweep([[0.0], [1.0]], [0.0, 1.0], optimizer=method, iterations=1)
