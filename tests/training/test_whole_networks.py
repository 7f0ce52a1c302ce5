"""Initial networks and recorded points include biases and batch normalization."""

from dataclasses import replace

import numpy as np
import pytest

import fastgd
from fastgd import reference
from fastgd.optimizers import Momentum
from networks import fresh
from thinning import only

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(9, 3))
Y = RANDOM.random((9, 2))

KINDS = {
    "weights": {},
    "biases": {"bias": True},
    "normalized": {"batch_norm": True},
    "all": {"bias": True, "batch_norm": True},
    "in batches": {"bias": True, "batch_norm": True, "activation": "tanh", "batch_size": 3},
}
SETTINGS = {"hidden_size": (5, 4), "alpha": 0.3, "iterations": 40, "record_every": 8}


def every_number(network):
    return [*network.weights, *network.biases, *(a for n in network.normalization for a in n)]


def same_bits(a, b):
    pairs = zip(every_number(a), every_number(b), strict=True)
    return all(x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in pairs)


@pytest.fixture(scope="module", params=only(KINDS, "weights", "biases", "all"))
def options(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def run(options):
    return fastgd.train(X, Y, record_weights=True, **SETTINGS, **options)


def test_a_recorded_point_is_the_network_that_had_the_error(run, options):
    for k, iteration in enumerate(run.recorded):
        point = run.at(k)
        assert (point.iteration, point.error) == (iteration, run.errors[k])
        assert np.abs(Y - point.predict(X)).mean() == pytest.approx(run.errors[k], rel=3e-16)
        if k:  # a training up to there
            alone = fastgd.train(X, Y, **SETTINGS | {"iterations": int(iteration)}, **options)
            assert same_bits(point, alone)
            assert point.predict(X).tobytes() == alone.predict(X).tobytes()
    assert same_bits(run.at(-1), run.at(len(run.recorded) - 1))
    assert [layer.shape for layer in run.recorded_biases] == (
        [(5, 5), (5, 4), (5, 2)] if run.biases else []
    )


def test_the_first_point_is_where_training_starts(run, options):
    weights = [run.recorded_weights[k][0] for k in range(3)]
    assert same_bits(run.at(0), fresh(weights, **options))


def test_training_resumes_from_a_recorded_point_as_if_it_had_not_stopped(run, options):
    """Bit-identical if the optimizer has no state and no batch depends on the iteration."""
    if "batch_size" in options:
        options = options | {"batch_size": None}
        run = fastgd.train(X, Y, record_weights=True, **SETTINGS, **options)
    settings = SETTINGS | {"iterations": 24} | options
    rest = fastgd.train(X, Y, weights=run.at(2), **settings)
    assert rest.errors.tolist() == run.errors[2:].tolist()
    assert rest.final_error == run.final_error
    assert same_bits(rest, run)
    assert rest.seed is None


def test_a_run_is_a_start(run, options):
    settings = SETTINGS | {"iterations": 20} | options
    further = fastgd.train(X, Y, weights=run, **settings)
    assert further.errors[0] == run.final_error
    twin = reference.train(X, Y, weights=run, **settings)
    assert twin.errors[0] == pytest.approx(run.final_error, rel=1e-13)
    for ours, theirs in zip(every_number(further), every_number(twin), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    by_hand = fresh(run.weights)._replace(biases=run.biases, normalization=run.normalization)
    assert same_bits(fastgd.train(X, Y, weights=by_hand, **settings), further)


def test_starts_are_copied(run, options):
    before = [array.copy() for array in every_number(run)]
    fastgd.train(X, Y, weights=run, **SETTINGS, **options)
    reference.train(X, Y, weights=run, **SETTINGS, **options)
    assert all(np.array_equal(a, b) for a, b in zip(every_number(run), before, strict=True))
    point = run.at(1)
    point.weights[0][:] = 0
    assert not same_bits(point, run.at(1))


def test_a_sweep_takes_runs_as_an_axis_of_starts(run, options, tmp_path):
    starts = [run, run.at(0), run.at(3)]
    settings = {"iterations": 20, "record_every": 8} | options
    sweep = fastgd.sweep(X, Y, weights=starts, alpha=[0.1, 0.3], **settings)
    assert list(sweep.axes) == ["alpha", "weights"]
    for i, alpha in enumerate([0.1, 0.3]):
        for j, start in enumerate(starts):
            alone = fastgd.train(X, Y, weights=start, alpha=alpha, **settings)
            assert same_bits(sweep[i, j], alone)
            assert sweep[i, j].errors.tolist() == alone.errors.tolist()
    assert all(map(same_bits, sweep.axes["weights"], starts))
    sweep.save(tmp_path / "sweep.npz")
    loaded = fastgd.load(tmp_path / "sweep.npz")
    assert all(map(same_bits, loaded.axes["weights"], starts))
    again = fastgd.sweep(X, Y, weights=loaded.axes["weights"], alpha=[0.1, 0.3], **settings)
    assert again.final_error.tobytes() == sweep.final_error.tobytes()
    one = fastgd.sweep(X, Y, weights=run, alpha=[0.1], **settings)
    assert list(one.axes) == ["alpha"]
    assert same_bits(one[0], sweep[0, 0])


def test_recorded_points_survive_a_file(run, tmp_path):
    run.save(tmp_path / "run.npz")
    loaded = fastgd.load(tmp_path / "run.npz")
    for k in range(len(run.recorded)):
        assert same_bits(loaded.at(k), run.at(k))
        assert loaded.at(k).predict(X).tobytes() == run.at(k).predict(X).tobytes()


def test_biases_come_with_arrays():
    run = fastgd.train(X, Y, bias=True, **SETTINGS)
    settings = SETTINGS | {"bias": True, "iterations": 5}
    given = {"weights": list(run.weights), "biases": list(run.biases)}
    apart, whole = (fastgd.train(X, Y, **start, **settings) for start in (given, {"weights": run}))
    assert apart.errors[0] == run.final_error
    assert same_bits(apart, whole)
    assert same_bits(fastgd.sweep(X, Y, **given, **settings)[()], whole)
    axis = {"weights": [list(run.weights)] * 2, "biases": [run.biases, [b * 0 for b in run.biases]]}
    sweep = fastgd.sweep(X, Y, **axis, **settings)
    assert same_bits(sweep[0], whole)
    zero = fastgd.train(X, Y, weights=fresh(run.weights, bias=True), **settings)
    assert same_bits(sweep[1], zero)
    twin = reference.train(X, Y, **given, **settings)
    for ours, theirs in zip(every_number(apart), every_number(twin), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_scipy_and_planes_take_whole_networks():
    run = fastgd.train(X, Y, bias=True, hidden_size=3, alpha=0.3, iterations=20)
    minimized = fastgd.minimize(X, Y, bias=True, weights=run, iterations=2)
    assert minimized.errors[0] == pytest.approx(run.final_error, rel=1e-14)
    apart = {"weights": run.weights, "biases": run.biases, "bias": True}
    assert fastgd.minimize(X, Y, iterations=2, **apart).errors[0] == minimized.errors[0]
    with pytest.raises(ValueError, match="weights must come with biases where bias=True"):
        fastgd.minimize(X, Y, bias=True, weights=run.weights)
    with pytest.raises(ValueError, match="weights must come with biases where bias=True"):
        fastgd.surface(X, Y, run.weights, bias=True, resolution=2)
    plane = fastgd.surface(X, Y, run, resolution=3)
    alike = fastgd.surface(X, Y, run.weights, biases=run.biases, bias=True, resolution=3)
    assert plane.errors.tobytes() == alike.errors.tobytes()
    race = fastgd.race(X, Y, [Momentum()], bias=True, weights=run, iterations=3)
    assert race.runs["Momentum"].errors[0] == run.final_error


def test_a_path_over_a_bias():
    run = fastgd.train(
        X, Y, bias=True, hidden_size=3, alpha=0.3, iterations=40, record_every=10,
        record_weights=True,
    )  # fmt: skip
    plane = fastgd.surface(X, Y, run, axes=((0, 3, 1), (1, 0, 0)), resolution=2)
    path = plane.path(run)
    assert path[:, 0].tolist() == [*run.recorded_biases[0][:, 1], run.biases[0][1]]
    assert path[:, 1].tolist() == [*run.recorded_weights[1][:, 0, 0], run.weights[1][0, 0]]
    assert path[0, 0] == 0
    assert path[-1, 2] == run.final_error
    point = fastgd.surface(X, Y, run.at(2), resolution=2, span=((0, 1), (0, 1)))
    assert all(map(np.array_equal, point.biases, run.at(2).biases))
    with pytest.raises(ValueError, match="a path over a bias needs a run with recorded biases"):
        plane.path(replace(run, recorded_biases=()))


@pytest.mark.parametrize("call", [fastgd.train, fastgd.sweep, reference.train])
def test_parts_of_networks_are_rejected(call):
    plain, biased = (fastgd.train(X, Y, iterations=1, bias=bias) for bias in (False, True))
    normal = fastgd.train(X, Y, iterations=1, batch_norm=True)
    deep = fastgd.train(X, Y, iterations=1, hidden_size=(4, 2))
    zeros = [np.zeros(4), np.zeros(2)]
    for given, message in (
        ({"bias": True, "weights": plain.weights}, "weights must come with biases where bias=True"),
        ({"bias": True, "weights": plain}, "weights must come with biases where bias=True"),
        ({"weights": biased}, "weights must have no biases unless bias=True"),
        ({"weights": plain.weights, "biases": zeros}, "weights must have no biases unless"),
        (
            {"batch_norm": True, "weights": plain.weights},
            "weights must come with scale, shift, mean and variance where batch_norm=True",
        ),
        ({"weights": normal}, "must be of a network without batch normalization unless batch_norm"),
        ({"biases": zeros, "bias": True}, "biases must come with weights, got biases="),
        (
            {"weights": biased, "biases": zeros, "bias": True},
            "biases must be left out where weights is a whole network",
        ),
        (
            {"weights": plain.weights, "biases": zeros[:1], "bias": True},
            r"biases must have one array for each layer of weights \(2\)",
        ),
        (
            {"weights": plain.weights, "biases": zeros[::-1], "bias": True},
            r"biases\[0\] must have shape \(4,\), one number for each unit of its layer",
        ),
        (
            {"weights": plain.weights, "biases": [[0, 0, 0, np.inf], zeros[1]], "bias": True},
            r"biases\[0\] must be finite",
        ),
        ({"weights": deep, "hidden_size": 3}, "hidden_size must be left out or that of the weight"),
        (
            {"weights": fresh([layer[:2] for layer in plain.weights])},
            r"weights\[0\] must have shape \(3, outputs\)",
        ),
        (
            {"weights": replace(normal, normalization=()), "batch_norm": True},
            "weights must come with scale",
        ),
        (
            {
                "weights": replace(
                    normal, normalization=(normal.normalization[0]._replace(variance=-np.ones(4)),)
                ),
                "batch_norm": True,
            },
            r"normalization\[0\].variance must be at least 0, got -1.0",
        ),
        (
            {
                "weights": replace(normal, normalization=normal.normalization * 2),
                "batch_norm": True,
            },
            "normalization must have scale, shift, mean and variance for each hidden layer",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call(X, Y, **given)
    with pytest.raises(TypeError, match="biases must be a list or tuple of one"):
        call(X, Y, weights=plain.weights, biases=3, bias=True)


def test_an_axis_of_starts_must_fit_all_networks():
    plain, biased = (fastgd.train(X, Y, iterations=1, bias=bias) for bias in (False, True))
    with pytest.raises(ValueError, match="weights must come with biases where bias=True"):
        fastgd.sweep(X, Y, weights=[biased, plain], bias=True)
    with pytest.raises(ValueError, match="weights must have no biases unless bias=True"):
        fastgd.sweep(X, Y, weights=[biased, biased], bias=[True, False])
    with pytest.raises(ValueError, match=r"biases must be a list with those of each .* \(2\)"):
        fastgd.sweep(X, Y, weights=[plain.weights] * 2, biases=[biased.biases], bias=True)


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_points_that_are_none():
    run = fastgd.train(
        X, Y, output="identity", alpha=10.0, iterations=200,
        record_every=1, record_weights=True, bias=True,
    )  # fmt: skip
    assert run.status == "diverged"
    assert run.iterations < 190
    last = np.flatnonzero(np.isfinite(run.errors))[-1]
    assert np.isfinite(run.at(last).weights[0]).all()
    with pytest.raises(ValueError, match=f"it ended after {run.iterations} iterations, got 19"):
        run.at(190)
    for record, error, message in (
        (200, IndexError, "record must be from -200 to 199, got 200"),
        (-201, IndexError, "record must be from -200 to 199, got -201"),
        (1.0, TypeError, "record must be an int, got 1.0"),
        (True, TypeError, "record must be an int, got True"),
        (None, TypeError, "record must be an int, got None"),
    ):
        with pytest.raises(error, match=message):
            run.at(record)
    lost = fastgd.train(X, Y, output="identity", hidden_size=(), alpha=1e30, iterations=200)
    with pytest.raises(ValueError, match=r"weights\[0\] must be finite"):
        fastgd.train(X, Y, weights=lost)
    with pytest.raises(ValueError, match="needs a run trained with record_weights=True"):
        fastgd.train(X, Y, iterations=1).at(0)
