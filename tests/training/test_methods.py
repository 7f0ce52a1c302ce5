"""Every option of the compiled training, compared with its plain NumPy twin.

A case is one kernel to compile; its settings differ only in numbers.
"""

from contextlib import nullcontext
from itertools import pairwise, product

import numpy as np
import pytest

import fastgd
from cases import (
    COMPILED,
    EVEN,
    KINDS,
    OPTIMIZERS,
    OPTIONS,
    TOGETHER,
    WEIGHTS,
    X,
    Y,
    with_values,
)
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.options import Method
from fastgd.engine.recipe import recipe_of
from fastgd.optimizers import FIRST_ORDER, AdaDelta, AdaGrad, Adam, AdamW, RMSProp, Rprop
from fastgd.reference.output import Output, Units
from golden import problem
from networks import fresh
from thinning import at_a_time, except_together, kernels_of, only, some

NEW = np.random.default_rng(5).normal(size=(7, 3))


def close(a, b, rtol, what):
    """Compare lists of arrays; NaN must be at the same places."""
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol / 100, err_msg=what)


def forward(run, X):
    """The outputs of the network, in plain NumPy."""
    method = Method(**run.options)
    hidden, output = Units(method, "activation"), Output(method)
    layers = len(run.weights)
    for k, weights in enumerate(run.weights):
        X = X @ weights + (run.biases[k] if run.biases else 0)
        if run.normalization and k < layers - 1:
            norm = run.normalization[k]
            X = norm.scale * (X - norm.mean) / np.sqrt(norm.variance + 1e-5) + norm.shift
        X = output.values(X) if k == layers - 1 else hidden.at(X)[0]
    return X


def agrees(run, twin, rtol):
    """Compare all fields of a run."""
    assert (run.status, run.iterations) == (twin.status, twin.iterations)
    close([run.errors, [run.final_error]], [twin.errors, [twin.final_error]], rtol, "errors")
    close([run.losses, [run.final_loss]], [twin.losses, [twin.final_loss]], rtol, "losses")
    close(run.weights, twin.weights, rtol, "weights")
    close(run.biases, twin.biases, rtol, "biases")
    close(sum(run.normalization, ()), sum(twin.normalization, ()), rtol, "normalization")
    close(run.direction_changes, twin.direction_changes, 0, "changes")
    close(run.bias_direction_changes, twin.bias_direction_changes, 0, "changes of biases")
    assert (run.summary is None) == (twin.summary is None)
    if run.summary is not None:
        assert run.summary.smallest_iteration == twin.summary.smallest_iteration
        close(run.summary, twin.summary, rtol, "summary")
    assert list(run.options) == list(twin.options)
    assert (run.alpha, run.hidden_size, run.seed) == (twin.alpha, twin.hidden_size, twin.seed)
    if run.status != "diverged":
        close([run.predict(NEW)], [forward(run, NEW)], rtol, "predictions")


def check(rtol=1e-10, **given):
    settings = {"X": X, "y": Y, "hidden_size": (5, 4), "iterations": 60, "record_every": 7}
    settings |= {"alpha": 0.1} | given
    run = fastgd.train(**settings)
    agrees(run, fastgd.reference.train(**settings), rtol)
    return run


@pytest.fixture(autouse=True)
def with_the_kernel_of_the_golden_hashes(request):
    """Of every second case that for eight runs side by side, of which seven lanes are empty."""
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name")
    with kernels_of(name) if name in OPTIONS else nullcontext():
        yield


# ---------------------------------------------------------------- every case of the table


@pytest.mark.parametrize("name", except_together(OPTIONS))
def test_every_case_is_its_twin(name):
    """With each of its values, over the samples of the golden hashes, whose kernels these are."""
    case = OPTIONS[name]
    task, *_ = problem(name)
    settings = {"X": task.X, "y": task.y, "hidden_size": (5, 3), "alpha": 0.001, "record_every": 7}
    settings |= {"iterations": 150}
    if not case.axes:
        check(**settings, **case.options)
        return
    sweep = fastgd.sweep(**settings, **with_values(case.options, case.axes))
    for place in np.ndindex(sweep.shape):
        values = {name: axis[i] for (name, axis), i in zip(sweep.axes.items(), place, strict=True)}
        twin = fastgd.reference.train(**settings, **with_values(case.options, values))
        agrees(sweep[place], twin, 1e-10)


# The others have kernels of their own, of options whose twins are compared above.
@pytest.mark.parametrize("name", only(COMPILED, "plain", "dropout", "mini-batches"))
def test_what_bench_compiles_is_its_twin(name):
    check(**COMPILED[name], hidden_size=4, alpha=0.01)


# ---------------------------------------------------------------- optimizers


@pytest.mark.parametrize("kind", [AdaDelta, AdaGrad, Adam, AdamW, RMSProp])
@pytest.mark.parametrize("epsilon", [5e-324, 1e-322, 1e-300])
def test_a_weight_without_a_derivative_stays_whatever_epsilon_is(kind, epsilon):
    """Adam's correction makes the smallest epsilons 0, and what has not moved yet 0 / 0."""
    given = {"iterations": 50, "weights": [[[0.0], [0.5]]]}
    X, y = [[1.0, 0.0], [2.0, 0.0]], [0.6, 0.8]
    beside = {"weight_decay": 0.0} if kind is AdamW else {}
    optimizer = kind(epsilon=epsilon, **beside)
    with kernels_of(kind.__name__.lower()):
        for train in (fastgd.train, fastgd.reference.train):
            run = train(X, y, alpha=0.1, optimizer=optimizer, **given)
            assert run.status == "finished"
            assert run.weights[0][1, 0] == 0.5
        axis = [optimizer, kind(**beside), kind(epsilon=2 * epsilon, **beside)]
        sweep = fastgd.sweep(X, y, alpha=0.1, optimizer=axis, **given)
        assert (sweep.status == "finished").all()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.slow
def test_optimizers_over_a_thousand_iterations(name):
    for given in OPTIONS[name].settings:
        run = check(1e-9, **given, iterations=1000, record_every=100)
        assert run.status == "finished"
        assert run.errors[-1] < run.errors[0]
    # Biases, scale and weights of samples change nothing of what is compiled.
    beside = {"bias": True, "sample_weight": WEIGHTS, "hidden_size": 3}
    check(**given | {"alpha": (given["alpha"], given["alpha"] / 2)}, **beside)


@pytest.mark.filterwarnings("ignore")
def test_rprop_diverges_where_a_derivative_is_not_a_number():
    """A sign of NaN would be a step like any other: here that of 0 times infinity."""
    given = {"activation": "relu", "output": "identity", "iterations": 60, "record_every": 60}
    start = [[[1e150, -1.0]], [[1e150], [1.0]]]
    optimizer = Rprop(max_step=1e200)
    for train in (fastgd.train, fastgd.reference.train):
        run = train([[1.0]], [1e305], weights=start, alpha=1e160, optimizer=optimizer, **given)
        assert (run.status, run.iterations) == ("diverged", 2)


@pytest.mark.slow
def test_optimizers_update_scale_and_shift_alike():
    given = {"batch_norm": True, "optimizer": Adam(), "alpha": 0.001, "iterations": 300}
    run = check(1e-9, **EVEN, **given)
    assert (run.normalization[0].scale != 1).all()
    assert (run.normalization[0].shift != 0).all()


# ---------------------------------------------------------------- network and loss


@pytest.mark.parametrize("name", except_together(KINDS))
def test_activations_outputs_and_losses(name):
    kind = {n: v for n, v in OPTIONS[name].options.items() if n != "bias"} | {"iterations": 300}
    kind["y"] = 2 * Y - 1 if kind.get("output") == "tanh" else Y
    check(alpha=0.02, **kind)
    check(alpha=0.02, bias=True, hidden_size=(3,), **kind)
    check(alpha=0.02, bias=True, hidden_size=(), sample_weight=WEIGHTS, **kind)
    check(alpha=(0.01, 0.03, 0.02), sample_weight=np.where(WEIGHTS < 0.5, 0, WEIGHTS), **kind)


def test_biases_start_at_zero():
    start = [np.zeros((3, 2)), np.zeros((2, 2))]
    run = check(bias=True, hidden_size=2, iterations=1)
    assert run.errors[0] == fastgd.train(X, Y, hidden_size=2, iterations=1).errors[0]
    run = check(bias=True, weights=fresh(start, bias=True), hidden_size=2, iterations=1)
    expected = 0.1 * ((Y - 0.5) * 0.25).sum(axis=0)
    np.testing.assert_allclose(run.biases[1], expected, rtol=1e-14)
    assert run.errors[0] == pytest.approx(np.abs(Y - 0.5).mean(), rel=1e-14)


NORMALIZED = [n for n, case in OPTIONS.items() if {"bias", "batch_norm"} <= set(case.options)]


@pytest.mark.parametrize("name", NORMALIZED)
def test_hidden_biases_under_batch_normalization_stay(name):
    """It subtracts them again, so their exact derivative is 0; what is computed is rounding."""
    task, _, _, axes = problem(name)
    given = {"X": task.X, "y": task.y, "hidden_size": (5, 3), "record_every": 1, "iterations": 20}
    given |= with_values(OPTIONS[name].options, {axis: values[-1] for axis, values in axes.items()})
    check_that_biases_stay(fastgd.train, given)


@pytest.mark.parametrize(
    ("optimizer", "train"),
    [pytest.param(kind, fastgd.train, marks=pytest.mark.slow) for kind in FIRST_ORDER]
    + [(kind, fastgd.reference.train) for kind in FIRST_ORDER],
)
def test_hidden_biases_under_batch_normalization_stay_whatever_the_optimizer(optimizer, train):
    """Rprop made full steps of rounding; AdamW would decay them."""
    given = {"hidden_size": (5, 3), "optimizer": optimizer(), "bias": True, "batch_norm": True}
    for beside in ({}, {"freeze": (1,)}, {"freeze": [np.eye(3, 5) > 0, None, None]}):
        check_that_biases_stay(train, {"X": X, "y": Y, "iterations": 20} | given | beside)


def check_that_biases_stay(train, given):
    random, sizes = np.random.default_rng(2), (3, *given["hidden_size"], 2)
    start = fresh([random.normal(size=shape) for shape in pairwise(sizes)], **given)
    biases = tuple(random.normal(size=len(layer)) for layer in start.biases)
    run = train(**given, alpha=0.1, weights=start._replace(biases=biases))
    for k in range(2):
        assert run.biases[k].tobytes() == biases[k].tobytes()
        assert not run.bias_direction_changes[k].any()
    assert (run.biases[2] != biases[2]).all()


def test_a_bias_is_the_weight_of_a_constant_input():
    """To the bit: as if a column of ones came last."""
    start = [np.random.default_rng(1).normal(size=(3, 2))]
    biased = fastgd.train(X, Y, bias=True, weights=fresh(start, bias=True), iterations=50)
    column = [np.vstack([start[0], np.zeros(2)])]
    plain = fastgd.train(np.column_stack([X, np.ones(11)]), Y, weights=column, iterations=50)
    assert biased.weights[0].tobytes() == plain.weights[0][:3].tobytes()
    assert biased.biases[0].tobytes() == plain.weights[0][3].tobytes()
    assert biased.bias_direction_changes[0].tolist() == plain.direction_changes[0][3].tolist()


def test_a_sample_of_weight_two_is_two_samples():
    weights = [np.random.default_rng(1).normal(size=(3, 2))]
    twice = fastgd.train(np.repeat(X, 2, axis=0), np.repeat(Y, 2, axis=0), weights=weights)
    weighted = fastgd.train(X, Y, sample_weight=np.full(11, 2.0), weights=weights)
    np.testing.assert_allclose(weighted.weights[0], twice.weights[0], rtol=1e-9)


def test_a_sample_of_weight_zero_counts_for_nothing():
    mask = WEIGHTS > 0.4
    run = fastgd.train(X, Y, sample_weight=mask.astype(float), iterations=100)
    alone = fastgd.train(X[mask], Y[mask], iterations=100)
    np.testing.assert_allclose(run.weights[0], alone.weights[0], rtol=1e-12)
    assert run.final_error == pytest.approx(alone.final_error, rel=1e-12)


# ---------------------------------------------------------------- data and regularization


DATA = [
    n
    for n, case in OPTIONS.items()
    if case.settings and n not in (*OPTIMIZERS, "endings", "a watched loss")
]


SETTINGS = [(name, k) for name in DATA for k in range(len(OPTIONS[name].settings))]


def has_the_kernel_of_the_case(name, k):
    """Whether the numbers alone are others than in the training of the golden hash.

    Which has to be one of the default tests.
    """
    if name in TOGETHER:
        return False
    _, _, method, axes = problem(name)
    settings = OPTIONS[name].settings[k]
    samples = len(settings.get("X", X))
    given = {
        n: DECLARED[n].kind.check(n, value, samples)
        for n, value in settings.items()
        if n in DECLARED
    }
    return recipe_of(Method(**given), {}) == recipe_of(method, axes)


@pytest.mark.parametrize(
    ("name", "k"), some(SETTINGS, [has_the_kernel_of_the_case(*each) for each in SETTINGS])
)
def test_data_and_regularization(name, k):
    given = OPTIONS[name].settings[k]
    run = check(**given)
    # Each of these options has to be seen in the numbers.
    plain = {"X": given.get("X", X), "y": given.get("y", Y), "iterations": run.iterations}
    plain |= {n: given[n] for n in ("weights", "seed", "bias", "sample_weight") if n in given}
    plain |= {"hidden_size": given.get("hidden_size", (5, 4)), "alpha": run.alpha}
    if "measure" in given:
        assert run.measured
    elif given.get("batch_size") != 11 and not (run.hidden_size == () and "dropout" in given):
        assert (run.weights[0] != fastgd.train(**plain).weights[0]).any()


def test_a_full_batch_in_order_is_the_full_batch():
    run = fastgd.train(X, Y, batch_size=11, shuffle=False, iterations=50, record_every=10)
    full = fastgd.train(X, Y, iterations=50, record_every=10)
    assert run.weights[0].tobytes() == full.weights[0].tobytes()
    assert run.errors.tobytes() == full.errors.tobytes()


# ---------------------------------------------------------------- the end of a run


def test_endings_and_summaries():
    runs = [check(**given) for given in OPTIONS["endings"].settings]
    ends = ["converged", "converged", "stalled", "stalled", *["finished"] * 3, "stalled"]
    assert [run.status for run in runs] == ends
    assert runs[1].iterations == 0
    assert [runs[0].iterations > 255, runs[0].iterations < 900] == [True, True]


def test_a_monitored_loss_and_how_much_smaller_it_must_be():
    """Compared with the losses of the same run: without batches, each is evaluated."""
    shared = {"loss": "cross_entropy", "reduction": "mean", "monitor": "loss", "alpha": 0.3}
    with kernels_of("a watched loss"):
        whole = fastgd.train(X, Y, **shared, patience=10**6, iterations=400, record_every=1)
    losses = [*whole.losses, whole.final_loss]
    axes = {"patience": [1, 10], "min_delta": [0.0, 1e-4, 1e-2]}
    sweep = fastgd.sweep(X, Y, **shared, **axes, iterations=400, record_every=100)
    for index, (patience, delta) in zip(
        np.ndindex(sweep.shape), product(*axes.values()), strict=True
    ):
        j = next(j for j in range(401) if _stalls(losses, j, delta, patience) or j == 400)
        assert sweep.iterations[index] == j, (delta, patience)
    assert len(np.unique(sweep.iterations)) >= 4


@pytest.mark.parametrize(
    ("loss", "reduction"),
    [
        ("squared", "sum"),
        *(
            pytest.param("cross_entropy", reduction, marks=pytest.mark.slow)
            for reduction in ("sum", "mean")
        ),
    ],
)
def test_a_tolerance_is_of_what_is_monitored(loss, reduction):
    shared = {"loss": loss, "reduction": reduction, "alpha": 0.3, "iterations": 400}
    whole = fastgd.train(X, Y, **shared, record_every=1)
    watched = {"error": whole.errors, "loss": whole.losses}
    for monitor, values in watched.items():
        run = fastgd.train(X, Y, **shared, monitor=monitor, tolerance=values[150:152].mean())
        assert (run.status, run.iterations) == ("converged", 151), monitor
    assert 'with ``monitor="loss"`` the loss' in DECLARED["tolerance"].doc


def test_an_error_that_is_the_tolerance_is_not_below_it():
    """Not even by the last bit: alone, side by side, recorded or not."""
    whole = fastgd.train(X, Y, iterations=60, record_every=1)
    at = whole.errors[30]
    assert whole.errors[:30].min() > at > whole.errors[31]
    for every in (1, 100):
        given = {"iterations": 60, "record_every": every}
        assert fastgd.train(X, Y, tolerance=at, **given).iterations == 31
        assert fastgd.train(X, Y, tolerance=np.nextafter(at, 1), **given).iterations == 30
        sweep = fastgd.sweep(X, Y, tolerance=[at, np.nextafter(at, 1)], **given)
        assert sweep.iterations.tolist() == [31, 30]
    run = fastgd.train(X, Y, tolerance=at, iterations=30)
    assert (run.status, run.final_error) == ("finished", at)


def test_an_equal_error_is_no_smaller_one():
    """At such a rate no weight moves, and no error."""
    run = fastgd.train(X, Y, alpha=1e-300, patience=8, iterations=50)
    assert (run.status, run.iterations) == ("stalled", 8)


def _stalls(losses, j, delta, patience):
    """Whether the loss of iteration j is the last one that is evaluated."""
    smallest, at = np.inf, 0
    for i in range(j + 1):
        if losses[i] < smallest - delta:
            smallest, at = losses[i], i
    return j - at >= patience


def test_a_negative_loss_is_below_no_tolerance_that_nobody_gave():
    """The likelihood of a normal distribution may have a negative logarithm."""
    z = np.linspace(-1, 1, 8)[:, None]
    given = {"output": "identity", "loss": "gaussian", "bias": True, "alpha": 0.001}
    run = fastgd.train(z, z, **given, monitor="loss", patience=50, iterations=600)
    assert run.final_loss < 0
    assert run.status == "finished"


def test_a_sweep_tells_what_converged_from_what_stalled():
    """Side by side, where both reasons may end a run at the same time: it has converged."""
    axes = {"alpha": [0.3, 3.0, 30.0], "tolerance": [0.0, 0.23, 0.9], "patience": [3, None]}
    sweep = fastgd.sweep(X, Y, iterations=300, **axes)
    assert list(sweep.axes) == list(axes)
    for index, values in zip(np.ndindex(sweep.shape), product(*axes.values()), strict=True):
        given = dict(zip(axes, values, strict=True))
        twin = fastgd.reference.train(X, Y, iterations=300, **given)
        assert sweep.status[index] == twin.status, given
    assert set(sweep.status.ravel()) == {"converged", "stalled", "finished"}


def test_endings_and_summaries_in_batches():
    ends = [
        check(batch_size=4, **given)
        for given in (
            {"tolerance": 0.23, "summary": 5, "alpha": 1.0, "iterations": 900, "bias": True},
            {"patience": 7, "summary": 4, "alpha": 3.0, "iterations": 900, "record_every": 3},
            {"summary": 3, "iterations": 31},
            {"summary": 3, "iterations": 2},
        )
    ]
    assert [run.status for run in ends] == ["converged", "stalled", "finished", "finished"]
    assert ends[0].iterations % 3 == ends[1].iterations % 3 == 0  # evaluated once per epoch


PLAIN = {"activation": "identity", "output": "identity", "hidden_size": 3}
"""A network without any limit of its outputs."""


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize(
    "given",
    [
        {"alpha": 50.0, "record_every": 1},
        {"alpha": 50.0, "record_every": 1000},
        {"alpha": 1e4, "summary": 3},
        {"alpha": 5.0, "tolerance": 1e-9, "patience": 1000},
        {"alpha": 5.0, "tolerance": 1e-9, "bias": True},
        {"alpha": 5.0, "patience": 1000, "record_every": 1000},
    ],
)
def test_divergence(given):
    """A run that overflows keeps its last weights; later errors are NaN."""
    given = PLAIN | given
    settings = {"iterations": 300, "record_every": 2} | given
    with at_a_time(1 if given.keys() <= {*PLAIN, "alpha", "record_every"} else 8):
        run = fastgd.train(X[:8], Y[:8], **settings)
    twin = fastgd.reference.train(X[:8], Y[:8], **settings)
    assert (run.status, run.iterations) == (twin.status, twin.iterations)
    assert run.status == "diverged"
    np.testing.assert_array_equal(np.isnan(run.errors), np.isnan(twin.errors))
    np.testing.assert_array_equal(np.isinf(run.errors), np.isinf(twin.errors))
    assert np.isnan(run.errors[run.recorded > run.iterations]).all()
    assert str(run.final_error) == str(twin.final_error)
    for a, b in zip(run.weights, twin.weights, strict=True):
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))
    for a, b in zip(run.direction_changes, twin.direction_changes, strict=True):
        np.testing.assert_array_equal(a, b)
    if run.summary:
        assert run.summary.smallest_iteration == twin.summary.smallest_iteration
        close([run.summary.tail_mean], [twin.summary.tail_mean], 1e-6, "tail")


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize(("record_every", "scale"), [(1, 1), (1000, 1), (1000, 1e308)])
def test_divergence_next_to_runs_that_are_monitored(record_every, scale):
    """An error that overflows between records ends only runs whose error is monitored."""
    given = PLAIN | {"alpha": 5.0, "iterations": 300, "record_every": record_every}
    axes = {"tolerance": [0.0, 1e-9], "patience": [None, 1000]}
    sweep = fastgd.sweep(X[:8], scale * Y[:8], **given, **axes)
    for index, values in zip(np.ndindex(sweep.shape), product(*axes.values()), strict=True):
        own = given | dict(zip(axes, values, strict=True))
        twin = fastgd.reference.train(X[:8], scale * Y[:8], **own)
        assert sweep.status[index] == twin.status == "diverged"
        assert sweep.iterations[index] == twin.iterations
        assert str(sweep.final_error[index]) == str(twin.final_error)
    assert len(np.unique(sweep.iterations)) == (2 if (record_every, scale) == (1000, 1) else 1)


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize("train", [fastgd.train, fastgd.reference.train], ids=["kernel", "twin"])
def test_a_scale_or_shift_that_is_not_finite_ends_a_run(train):
    # Equal samples: all that normalizing leaves of the first layer's derivative is 0.
    with kernels_of("batch norm"):
        run = train(
            [[1.0], [1.0]], [1e160, 1e160], hidden_size=2, bias=True, alpha=(1e200, 1e-300),
            batch_norm=True, iterations=40,
        )  # fmt: skip
    assert (run.status, run.iterations) == ("diverged", 1)
    assert all(np.isfinite(weights).all() for weights in run.weights)
    (norm,) = run.normalization
    assert not np.isfinite([*norm.scale, *norm.shift]).all()


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize("samples", [1, 2, 4])
def test_an_error_that_overflows_is_infinite(samples):
    given = {"activation": "identity", "output": "identity"}  # as above, with the same kernels
    given |= {"weights": [[[1e160]]], "iterations": 5, "record_every": 1}
    X, y = np.full((samples, 1), 1e160), np.zeros(samples)
    for extra, lanes in (({}, 1), ({"summary": 2}, 8)):
        with at_a_time(lanes):
            run = fastgd.train(X, y, **given, **extra)
        assert (run.status, run.iterations, run.final_error) == ("diverged", 0, np.inf)
        assert run.errors[0] == np.inf
        assert np.isnan(run.errors[1:]).all()
        assert run.weights[0] == 1e160


# ---------------------------------------------------------------- predict


def test_predictions_of_many_samples_are_those_of_each():
    given = {"batch_norm": True, "bias": True, "iterations": 5}
    run = fastgd.train(X, Y, hidden_size=(5, 4), **given)
    many = np.random.default_rng(4).normal(size=(9001, 3))
    together = run.predict(many)
    np.testing.assert_allclose(together, forward(run, many), rtol=1e-11)
    for n in (0, 4095, 4096, 9000):
        assert run.predict(many[n : n + 1])[0].tobytes() == together[n].tobytes()


def test_the_final_error_is_that_of_the_predictions():
    for given, lanes in (({"dropout": 0.5}, 8), ({"batch_norm": True, "bias": True}, 1)):
        with at_a_time(lanes):
            run = fastgd.train(X, Y, hidden_size=(5, 4), iterations=40, **given)
            assert run.final_error == pytest.approx(np.abs(Y - run.predict(X)).mean(), rel=1e-13)
