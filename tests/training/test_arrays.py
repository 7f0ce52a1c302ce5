"""Arrays of all runs: parameters, hidden layers, recorded predictions, and stacked starts."""

from dataclasses import replace

import numpy as np
import pytest

import fastgd
from cases import SWISH
from fastgd import reference
from fastgd.checks import numbers as memory
from fastgd.training import training_job
from fastgd.training.run import Snapshot
from thinning import only

pytestmark = pytest.mark.slow  # each of them compiles

RANDOM = np.random.default_rng(46)
X, Y = RANDOM.normal(size=(9, 3)), RANDOM.random((9, 2))
NEW = RANDOM.normal(size=(300, 3))  # more than one group of samples
SETTINGS = {"hidden_size": (5, 4), "alpha": [0.1, 0.3], "iterations": 20, "record_every": 6}
NAMES = (
    *("weights", "biases", "direction_changes", "bias_direction_changes"),
    *("recorded_weights", "recorded_biases", "normalization", "recorded_normalization"),
)
KINDS = {
    "weights": {"seed": [1, 2, 3]},
    "all": {"bias": True, "batch_norm": True, "seed": [1, 2, 3]},
    "networks": {"activation": ["tanh", "sigmoid"], "bias": True},
}


def same(array, other):
    return array.dtype == other.dtype and np.shape(array) == np.shape(other) and (
        array.tobytes() == other.tobytes()
    )  # fmt: skip


def flat(layers):
    """Arrays of all layers; those of batch normalization one by one."""
    return [one for layer in layers for one in (layer if isinstance(layer, tuple) else [layer])]


# ------------------------------------------------------------------ parameters


@pytest.mark.parametrize("kind", only(KINDS, "networks", "all"))
@pytest.mark.parametrize("place", ["memory", "folder", "file"])
def test_arrays_of_a_sweep_are_those_of_its_runs(kind, place, tmp_path):
    out = {"out": tmp_path / "sweep"} if place == "folder" else {}
    sweep = fastgd.sweep(X, Y, **SETTINGS, **KINDS[kind], record_weights=True, **out)
    if place == "file":
        sweep.save(tmp_path / "sweep.npz")
        sweep = fastgd.load(tmp_path / "sweep.npz")
    for name in NAMES:
        arrays = flat(getattr(sweep, name))
        for index in np.ndindex(*sweep.shape):
            own = flat(getattr(sweep[index], name))
            assert len(own) == len(arrays), name
            assert all(same(array[index], one) for array, one in zip(arrays, own, strict=True))
    assert sweep.weights[0].shape == (*sweep.shape, 3, 5)
    assert sweep.recorded_weights[2].shape == (*sweep.shape, 4, 4, 2)
    assert same(sweep[1].weights[1], sweep.weights[1][1])


def test_arrays_that_have_no_shape_are_refused():
    sweep = fastgd.sweep(X, Y, hidden_size=[2, (3, 2)], alpha=[0.1, 1], iterations=3)
    for name in ("weights", "direction_changes", "biases"):
        rule = f"{name} must have one shape in all runs to be an array, and the axis hidden_size"
        with pytest.raises(ValueError, match=rule):
            getattr(sweep, name)
    assert sweep.recorded_weights is None
    assert sweep.recorded_biases == ()
    with pytest.raises(ValueError, match=r"axis hidden_size changes it: sweep\[i\] has those of"):
        sweep.hidden(X)
    assert sweep.sel(hidden_size=2).weights[1].shape == (2, 2, 2)
    less = fastgd.sweep(X, Y, hidden_size=2, alpha=[0.1, 1], iterations=3, keep_weights=False)
    for ask in (lambda: less.weights, lambda: less.hidden(X)):
        with pytest.raises(ValueError, match="needs the weights of all runs, and this sweep was"):
            ask()


def test_only_arrays_whose_shape_changes_are_refused():
    sweep = fastgd.sweep(X, Y, activation=["sigmoid", "tanh"], bias=[False, True], iterations=3)
    assert sweep.weights[0].shape == (2, 2, 3, 4)
    assert same(sweep.weights[1][1, 0], sweep[1, 0].weights[1])
    with pytest.raises(ValueError, match=r"^biases must have one shape .* axis bias changes"):
        _ = sweep.biases
    assert [layer.shape for layer in sweep.sel(bias=True).biases] == [(2, 4), (2, 2)]


# ------------------------------------------------------------------ hidden layers


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("options", [{}, {"bias": True, "batch_norm": True, "activation": "tanh"}])
def test_hidden_values_are_those_of_numpy(options):
    run = fastgd.train(X, Y, **SETTINGS | {"alpha": 0.3}, **options)
    activation, values = (np.tanh if options else sigmoid), NEW
    assert len(run.hidden(NEW)) == 2
    for k, found in enumerate(run.hidden(NEW)):
        z = values @ run.weights[k] + (run.biases[k] if run.biases else 0)
        if run.normalization:
            scale, shift, mean, variance = run.normalization[k]
            z = scale * (z - mean) / np.sqrt(variance + 1e-5) + shift
        values = activation(z)
        np.testing.assert_allclose(found, values, rtol=1e-12, atol=1e-14)


def test_hidden_values_have_the_bits_that_outputs_are_computed_from():
    """A network cut off below or above a layer computes the same by itself."""
    options = {"bias": True, "activation": "tanh", "output": "tanh"}
    run = fastgd.train(X, Y, **SETTINGS | {"alpha": 0.3}, **options)
    whole = Snapshot(0, 0.0, 0.0, run.weights, run.biases, (), options)
    for k, found in enumerate(run.hidden(NEW)):
        below = replace(whole, weights=run.weights[: k + 1], biases=run.biases[: k + 1])
        above = replace(whole, weights=run.weights[k + 1 :], biases=run.biases[k + 1 :])
        assert same(found, below.predict(NEW))
        assert same(above.predict(found), run.predict(NEW))


@pytest.mark.parametrize("kind", only(KINDS, "networks", "all"))
def test_hidden_values_of_a_sweep_are_those_of_its_runs(kind):
    sweep = fastgd.sweep(X, Y, **SETTINGS, **KINDS[kind])
    found = sweep.hidden(NEW)
    for index in np.ndindex(*sweep.shape):
        for layer, own in zip(found, sweep[index].hidden(NEW), strict=True):
            assert same(layer[index], own)
    sweep.kept_weights[0][1, 0] = np.inf
    again = sweep.hidden(NEW[:5])
    place = np.unravel_index(1, sweep.shape)
    assert all(np.isnan(layer[place]).all() for layer in again)
    assert all(
        same(layer[0, 0], whole[0, 0, :5]) for layer, whole in zip(again, found, strict=True)
    )


@pytest.mark.slow
def test_parameters_of_functions():
    """They are an axis; compiles a kernel of its own."""
    axes = {"activation": SWISH, "beta": [0.5, 2.0], "output": "identity", "seed": [1, 2]}
    recorded = {"record_every": 2, "record_predictions": True, "record_weights": True}
    sweep = fastgd.sweep(X, Y, alpha=0.01, iterations=5, **axes, **recorded)
    for index in np.ndindex(*sweep.shape):
        assert same(sweep.hidden(NEW)[0][index], sweep[index].hidden(NEW)[0])
        for k in range(3):
            found = sweep.recorded_predictions[index][k]
            assert same(found, sweep[index].at(k).predict(X))
    beta = np.array([0.5, 2.0])[:, None, None, None]
    z = NEW @ sweep.weights[0]
    np.testing.assert_allclose(sweep.hidden(NEW)[0], z * sigmoid(beta * z), rtol=1e-12, atol=1e-14)


def test_networks_without_hidden_layers_have_no_hidden_values():
    assert fastgd.train(X, Y, hidden_size=(), iterations=3).hidden(X) == ()


def test_hidden_refuses_samples_of_other_widths():
    run = fastgd.train(X, Y, iterations=3)
    with pytest.raises(ValueError, match=r"X must have one column for each input of the network"):
        run.hidden(X[:, :2])


# ------------------------------------------------------------------ recorded predictions

RECORDED = {"iterations": 20, "record_every": 6, "record_predictions": True}


@pytest.fixture(scope="module")
def run():
    return fastgd.train(X, Y, bias=True, **RECORDED)


def test_recorded_predictions_are_those_of_the_recorded_networks(run):
    both = fastgd.train(X, Y, bias=True, **RECORDED, record_weights=True)
    assert run.recorded_weights is None
    assert same(run.recorded_predictions, both.recorded_predictions)
    for k in range(4):
        assert same(run.recorded_predictions[k], both.at(k).predict(X))
        error = np.abs(Y - run.recorded_predictions[k]).mean()
        assert error == pytest.approx(run.errors[k], rel=3e-16)
    twin = reference.train(X, Y, bias=True, **RECORDED)
    np.testing.assert_allclose(twin.recorded_predictions, run.recorded_predictions, rtol=1e-12)
    assert fastgd.train(X, Y, bias=True, iterations=20).recorded_predictions is None


def test_recorded_predictions_stay(run, tmp_path):
    run.save(tmp_path / "run.npz")
    assert fastgd.load(tmp_path / "run.npz") == run
    half = fastgd.train(X, Y, bias=True, **RECORDED | {"iterations": 10})
    assert fastgd.train(X, Y, resume=half, iterations=10) == run
    twin = reference.train(X, Y, resume=half, iterations=10)
    np.testing.assert_allclose(twin.recorded_predictions, run.recorded_predictions, rtol=1e-12)
    kept = fastgd.train(X, Y, bias=True, **RECORDED, checkpoint=tmp_path / "point.npz")
    assert kept == run == fastgd.load(tmp_path / "point.npz")
    with pytest.raises(ValueError, match="record_predictions must be left out with resume, or as"):
        fastgd.train(X, Y, resume=half, iterations=10, record_predictions=False)


AXES = {"alpha": [0.1, 1.0], "seed": [1, 2, 3], "bias": True}


@pytest.mark.parametrize("parts", [{}, {"folds": 3}, {"groups": ["a", "b", "a"] * 3}])
def test_recorded_predictions_of_a_sweep(parts, tmp_path):
    """All samples of the table; a run alone has its own."""
    sweep = fastgd.sweep(X, Y, **AXES, **RECORDED, **parts, record_weights=True)
    assert sweep.recorded_predictions.shape == (*sweep.shape, 4, 9, 2)
    for index in np.ndindex(*sweep.shape):
        own = sweep[index]
        for k in range(4):
            assert same(sweep.recorded_predictions[index][k], own.at(k).predict(X))
        if parts:
            rows = sweep.partition.part(index[0]).rows
            assert same(own.recorded_predictions, sweep.recorded_predictions[index][:, rows])
        else:
            alone = {"alpha": AXES["alpha"][index[0]], "seed": AXES["seed"][index[1]], "bias": True}
            assert own == fastgd.train(X, Y, **alone, **RECORDED, record_weights=True)
    sweep.save(tmp_path / "sweep.npz")
    assert fastgd.load(tmp_path / "sweep.npz") == sweep
    folder = fastgd.sweep(
        X, Y, **AXES, **RECORDED, **parts, record_weights=True, out=tmp_path / "sweep"
    )
    assert folder == sweep
    assert same(folder[0, 1].recorded_predictions, sweep[0, 1].recorded_predictions)
    part = sweep[..., [0, 2]]
    assert same(part.recorded_predictions, sweep.recorded_predictions[..., [0, 2], :, :, :])


def test_recorded_predictions_are_computed_piece_by_piece(monkeypatch):
    whole = fastgd.sweep(X, Y, **AXES, **RECORDED, keep_state=True)
    monkeypatch.setattr(training_job, "PASS_BYTES", 5000)  # of 24 networks 6 at a time
    assert fastgd.sweep(X, Y, **AXES, **RECORDED) == whole
    half = fastgd.sweep(X, Y, **AXES, **RECORDED | {"iterations": 10}, keep_state=True)
    assert fastgd.sweep(X, Y, resume=half, iterations=10) == whole


def test_recorded_predictions_of_runs_that_are_trained_again():
    sweep = fastgd.sweep(X, Y, **AXES, **RECORDED, keep_weights=False)
    whole = fastgd.sweep(X, Y, **AXES, **RECORDED)
    assert same(sweep.recorded_predictions, whole.recorded_predictions)
    assert sweep[1, 2] == whole[1, 2]


def test_recorded_predictions_of_a_resumed_sweep():
    """A run that had ended has NaN after its end, also where others go on."""
    settings = {**AXES, "tolerance": 0.206, **RECORDED}
    half = fastgd.sweep(X, Y, **settings | {"iterations": 8}, keep_state=True)
    both = fastgd.sweep(X, Y, resume=half, iterations=12)
    whole = fastgd.sweep(X, Y, **settings, keep_state=True)
    assert len(set(whole.status.ravel())) == 2
    ended = whole.iterations < 18
    assert np.isnan(whole.recorded_predictions[ended][:, -1]).all()
    assert not np.isnan(whole.recorded_predictions[~ended]).any()
    assert both == whole


def test_recorded_predictions_as_named_arrays(run, tmp_path):
    found = run.to_xarray().recorded_predictions
    assert found.dims == ("iteration", "sample", "output_unit")
    assert same(found.values, run.recorded_predictions)
    axes = {**AXES, "activation": ["sigmoid", "tanh"]}
    folder = fastgd.sweep(X, Y, **axes, **RECORDED, out=tmp_path / "sweep")
    lazy = folder.to_xarray().recorded_predictions
    assert lazy.dims == ("activation", "alpha", "seed", "iteration", "sample", "output_unit")
    assert same(lazy.compute().values, folder.in_memory().recorded_predictions)


def test_outputs_of_other_numbers_are_refused():
    settings = {"loss": ["squared", "gaussian"], "output": "identity", "bias": True}
    with pytest.raises(ValueError, match=r"record_predictions must be left out .*, got 2 or 4$"):
        fastgd.sweep(X, Y, **settings, **RECORDED)


def test_predictions_that_do_not_fit_are_refused_before_work(monkeypatch):
    asked = []
    monkeypatch.setattr(memory, "available_memory", lambda: asked.append(1) or 10**9)
    wide = np.zeros((1000, 1))
    settings = {"seed": range(1000), "record_every": 1, "iterations": 1000}
    with pytest.raises(ValueError, match="the sweep must fit into the available memory"):
        fastgd.sweep(wide, wide, **settings, record_predictions=True)
    assert asked


# ------------------------------------------------------------------ stacked starts

COUNT = 20
STACK = [RANDOM.normal(size=(COUNT, 3, 4)), RANDOM.normal(size=(COUNT, 4, 2))]
BIASES = [RANDOM.normal(size=(COUNT, 4)), RANDOM.normal(size=(COUNT, 2))]
FEW = {"iterations": 6, "record_every": 3}


@pytest.mark.parametrize("bias", [False, True])
def test_stacked_weights_are_an_axis(bias, tmp_path):
    settings = {"bias": bias, "alpha": [0.1, 0.3], **FEW}
    biases = BIASES if bias else None
    before = [array.copy() for array in (*STACK, *BIASES)]
    sweep = fastgd.sweep(X, Y, weights=STACK, biases=biases, **settings)
    assert sweep.shape == (2, COUNT)
    one_by_one = [list(pair) for pair in zip(*STACK, strict=True)]
    of_each = [list(pair) for pair in zip(*BIASES, strict=True)] if bias else None
    assert fastgd.sweep(X, Y, weights=one_by_one, biases=of_each, **settings) == sweep
    alone = {"weights": one_by_one[7], "biases": of_each[7] if bias else None, "bias": bias}
    assert sweep[1, 7] == fastgd.train(X, Y, alpha=0.3, **alone, **FEW)
    assert fastgd.sweep(X, Y, weights=tuple(STACK), biases=biases, **settings) == sweep
    assert fastgd.sweep(X, Y, weights=STACK, biases=biases, **settings, out=tmp_path / "s") == sweep
    sweep.save(tmp_path / "sweep.npz")
    loaded = fastgd.load(tmp_path / "sweep.npz")
    assert loaded == sweep
    assert same(loaded.axes["weights"][3].weights[1], STACK[1][3])
    assert sweep[:, [3, 5]] == loaded[:, [3, 5]]
    assert sweep[0, 3] == loaded[0, 3]
    for array, old in zip((*STACK, *BIASES), before, strict=True):
        assert same(array, old)


def test_stacked_weights_resume_and_train_again():
    settings = {"weights": STACK, "biases": BIASES, "bias": True}
    whole = fastgd.sweep(X, Y, **settings, **FEW, keep_state=True)
    half = fastgd.sweep(X, Y, **settings, **FEW | {"iterations": 3}, keep_state=True)
    assert fastgd.sweep(X, Y, resume=half, iterations=3) == whole
    less = fastgd.sweep(X, Y, **settings, **FEW, keep_weights=False)
    assert less[7] == whole[7]


def test_a_sweep_of_one_axis_is_a_stack_of_starts():
    options = {"bias": True, "batch_norm": True}
    first = fastgd.sweep(X, Y, seed=range(5), **options, **FEW)
    second = fastgd.sweep(X, Y, weights=first, **options, **FEW)
    assert second == fastgd.sweep(X, Y, weights=list(first), **options, **FEW)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": [STACK[0], STACK[1][:5]]},
         r"weights\[1\] must have shape \(20, 4, outputs\), one row .*, got shape \(5, 4, 2\)"),
        ({"weights": [STACK[0], STACK[1][:, :3]]},
         r"weights\[1\] must have shape \(20, 4, outputs\), one row for each output of weights\[0"),
        ({"weights": STACK[:1]}, r"must have one column for each output of y \(2\), got shape"),
        ({"weights": [STACK[0][:0], STACK[1][:0]]}, r"weights\[0\] must not be empty"),
        ({"weights": [np.where(STACK[0] > 2, np.nan, STACK[0]), STACK[1]]},
         r"weights\[0\] must be finite, got nan at \["),
        ({"biases": BIASES}, "weights must have no biases unless bias=True"),
        ({"bias": True}, "weights must come with biases where bias=True"),
        ({"bias": True, "biases": BIASES[:1]}, "biases must have one array for each layer of"),
        ({"bias": True, "biases": [BIASES[0], BIASES[1][:3]]},
         r"biases\[1\] must have shape \(20, 2\), one number for each unit .*, got shape \(3, 2\)"),
        ({"hidden_size": 3}, r"hidden_size must be left out or that of the weights, \(4,\), got 3"),
        ({"hidden_size": [4, 5]}, "hidden_size must not be an axis where weights are given"),
        ({"init": "he"}, "init must be left out where weights are given"),
    ],
)  # fmt: skip
def test_other_stacks_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        fastgd.sweep(X, Y, **{"weights": STACK, **given}, **FEW)


def test_a_training_takes_no_stack():
    with pytest.raises(ValueError, match=r"weights\[0\] must have shape \(3, outputs\)"):
        fastgd.train(X, Y, weights=STACK, **FEW)
