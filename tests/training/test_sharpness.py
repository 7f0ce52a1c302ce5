"""Sharpness: against eigenvalues of whole Hessians by differences of NumPy's gradients."""

import numpy as np
import pytest

import fastgd
from cases import CAUCHY, DECAY, OPTIONS, SWISH, WEIGHTS, X, Y
from fastgd import reference
from fastgd.engine.plan import Keep
from fastgd.engine.results import TrainedRuns
from fastgd.engine.sharpness import put_sharpness
from fastgd.training.training_job import checked_job
from thinning import kernels_of

pytestmark = pytest.mark.slow  # each of them compiles

SHARP = OPTIONS["sharpness"].options
GIVEN = {"hidden_size": (5, 3), "alpha": 0.02, "iterations": 41, "record_every": 10, **SHARP}


def hessian(w, X, y, **options):
    """The whole Hessian at w, by central differences."""
    steps = 1e-5 * np.eye(len(w))
    ends = [[reference.objective(X, y, w + s * e, **options)[1] for e in steps] for s in (1, -1)]
    H = (np.array(ends[0]) - ends[1]) / 2e-5
    return (H + H.T) / 2


def eigenvalues(w, X, y, **options):
    return np.linalg.eigvalsh(hessian(w, X, y, **options))


def row_of(run, record):
    """The recorded parameters as a vector."""
    layers = range(len(run.recorded_weights))
    arrays = [(run.recorded_weights[k], *run.recorded_biases[k : k + 1]) for k in layers]
    return np.concatenate([part[record].ravel() for layer in arrays for part in layer])


# ---------------------------------------------------------------- against oracles

SIMPLEX = Y / Y.sum(axis=1, keepdims=True)
CONFIGURATIONS = [
    {},
    {"bias": True, "activation": "tanh", "reduction": "mean"},
    {"hidden_size": (), "output": "identity", "sample_weight": WEIGHTS},
    {"hidden_size": (3, 4, 2), "activation": "silu", "output": "identity", "l2": 0.3, "bias": True},
    {"loss": "cross_entropy", "sample_weight": np.where(WEIGHTS < 0.4, 0, WEIGHTS)},
    {"output": "tanh", "loss": "cross_entropy", "activation": "softplus"},
    {"output": "softmax", "loss": "cross_entropy", "y": SIMPLEX, "bias": True},
    {"output": "identity", "loss": "huber", "delta": 0.3, "activation": "gelu"},
    {"output": "exp", "loss": "poisson", "reduction": "mean", "sample_weight": WEIGHTS},
    {"output": "softplus", "loss": "poisson", "activation": "elu", "elu_alpha": 0.7},
    {"output": "identity", "loss": "gaussian", "bias": True},
    {"activation": SWISH, "beta": 1.7, "loss": CAUCHY, "c": 0.6, "output": "identity"},
    {"penalty": DECAY, "strength": 0.4, "bias": True, "l1": 0.1, "l2": 0.1},
    {"activation": "relu", "output": "identity"},
    {"activation": "leaky_relu", "negative_slope": 0.2},
]


@pytest.mark.parametrize("k", range(len(CONFIGURATIONS)))
def test_it_is_the_largest_eigenvalue(k):
    """Of six networks with weights of several sizes; nothing is trained, nothing compiled."""
    given = {"hidden_size": 4, "y": Y} | CONFIGURATIONS[k]
    y, hidden = given.pop("y"), given.pop("hidden_size")
    job = checked_job(
        X, y, iterations=1, record_every=1, given_options=given | {"measure": "sharpness"},
        hidden_size=hidden, alpha=1.0, seed=list(range(6)), weights=None, biases=None, sweeps=True,
    )  # fmt: skip
    plan = job.plan(0, 1)
    trained = TrainedRuns.empty(plan, Keep())
    trained.measured[:] = 0.0  # NaN is what was not measured
    size = np.repeat([0.01, 0.5, 2.0], 2)[:, None]
    trained.path[:, 0] = size * np.random.default_rng(k).normal(size=trained.path[:, 0].shape)
    put_sharpness(plan, trained)
    for w, found in zip(trained.path[:, 0], trained.measured[:, 0, 0, 0], strict=True):
        known = eigenvalues(w, X, y, hidden_size=hidden, **given)
        assert found == pytest.approx(known[-1], rel=1e-7, abs=1e-8 * np.abs(known).max())


def test_a_loss_that_curves_downward_has_a_negative_sharpness():
    """Of -v**2 / 2 with one weight the second derivative is -sum of x**2."""
    falls = fastgd.Loss("-v * v / 2 + 0 * y")
    run = fastgd.train(
        [[1.0], [2.0]], [0.0, 0.0], hidden_size=(), output="identity", loss=falls,
        alpha=0.01, iterations=1, measure="sharpness",
    )  # fmt: skip
    assert run.measured["sharpness"] == pytest.approx(-5.0, rel=1e-12)


def test_gradient_descent_is_stable_below_two_over_alpha():
    """Of a linear network, whose loss is quadratic: half the squared errors, summed up."""
    given = {"hidden_size": (), "output": "identity", "iterations": 300, "record_every": 299}
    targets = X @ [[1.0], [-2.0], [0.5]]
    known = np.linalg.eigvalsh(X.T @ X)[-1]
    alphas = [1.99 / known, 2.01 / known]
    sweep = fastgd.sweep(X, targets, alpha=alphas, measure="sharpness", **given)
    np.testing.assert_allclose(sweep.measured["sharpness"], known, rtol=1e-12)
    stable, unstable = sweep.losses[:, -1] / sweep.losses[:, 0]
    assert stable < 0.1
    assert unstable > 1.0


# ---------------------------------------------------------------- in trainings


@pytest.fixture(autouse=True)
def with_the_kernel_of_the_golden_hash():
    with kernels_of("sharpness"):
        yield


def test_a_run_is_its_twin_and_keeps_its_bits():
    run, plain = (fastgd.train(X, Y, **GIVEN | beside) for beside in ({}, {"measure": None}))
    twin = reference.train(X, Y, **GIVEN)
    assert run.measured_at.tolist() == [0, 10, 20, 30, 40]
    for name, array in run.measured.items():
        np.testing.assert_allclose(array, twin.measured[name], rtol=1e-7)
    assert run.recorded_weights is None
    for a, b in zip(run.weights, plain.weights, strict=True):
        assert a.tobytes() == b.tobytes()
    assert run.errors.tobytes() == plain.errors.tobytes()


def test_each_layer_has_its_block():
    given = GIVEN | {"measure_layers": True, "freeze": (1,)}
    run, twin = (train(X, Y, **given) for train in (fastgd.train, reference.train))
    assert run.measured["sharpness"].shape == (5, 3)
    assert (run.measured["sharpness"][:, 1] == 0).all()
    np.testing.assert_allclose(
        run.measured["sharpness"], twin.measured["sharpness"], rtol=1e-7, atol=1e-10
    )


def test_of_batches_it_is_that_of_all_samples():
    given = GIVEN | {"batch_size": 3, "dropout": 0.4, "measure_every": 20, "record_weights": True}
    run = fastgd.train(X, Y, **given)
    own = {"hidden_size": (5, 3), "bias": True, "activation": "tanh"}
    known = [eigenvalues(row_of(run, k), X, Y, **own)[-1] for k in (0, 2, 4)]
    np.testing.assert_allclose(run.measured["sharpness"], known, rtol=1e-7)


FOLDS = [(np.arange(11)[k::2], np.arange(11)[1 - k :: 2]) for k in range(2)]
AXES = {"folds": FOLDS, "sample_weight": np.array([WEIGHTS, 1 + WEIGHTS]), "l2": [0.0, 0.3]}
AXES |= {"seed": [1, 2]}


def test_rows_of_a_sweep_are_runs(tmp_path):
    """Each with its own samples, weights and options; also in a folder."""
    sweep = fastgd.sweep(X, Y, **GIVEN | AXES)
    assert list(sweep.axes) == ["fold", "sample_weight", "l2", "seed"]
    found = sweep.measured["sharpness"]
    for fold, weight, l2, seed in np.ndindex(sweep.shape):
        rows = FOLDS[fold][0]
        own = {"sample_weight": AXES["sample_weight"][weight][rows], "l2": AXES["l2"][l2]}
        run = fastgd.train(X[rows], Y[rows], **GIVEN | own, seed=AXES["seed"][seed])
        assert found[fold, weight, l2, seed].tobytes() == run.measured["sharpness"].tobytes()
    again = fastgd.sweep(X, Y, **GIVEN | AXES, out=tmp_path / "folder")
    fastgd.assert_equal(again, sweep)
    assert len(np.unique(found[..., -1])) == 16


def test_a_resumed_run_has_the_bits_of_a_long_one(tmp_path):
    first = fastgd.train(X, Y, **GIVEN | {"iterations": 20})
    first.save(tmp_path / "run.npz")
    rest = fastgd.train(X, Y, resume=fastgd.load(tmp_path / "run.npz"), iterations=21)
    whole = fastgd.train(X, Y, **GIVEN)
    assert rest.measurements.tobytes() == whole.measurements.tobytes()


def test_what_diverged_has_none_from_then_on():
    given = GIVEN | {"output": "identity", "alpha": [0.02, 1e200], "record_every": 1}
    sweep = fastgd.sweep(X, Y, **given)
    good, bad = sweep.measured["sharpness"]
    assert np.isfinite(good).all()
    ends = int(sweep.iterations[1])
    assert np.isnan(bad[ends:]).all()
    assert np.isfinite(bad[0])


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"batch_norm": True}, "batch_norm must be False with measure='sharpness', got True"),
        (
            {"gradients": np.zeros((11, 2, 3))},
            "gradients must be left out with measure='sharpness'",
        ),
        ({"measure_every": 15}, "measure_every must be a multiple of record_every .*got 15 and 10"),
        ({"stop": "sharpness > 3"}, "stop must compare .* not the sharpness, .*'sharpness > 3'"),
    ],
)
def test_bad_input(beside, message):
    with pytest.raises(ValueError, match=message):
        fastgd.train(X, Y, **GIVEN | beside)


def test_a_resumed_sweep_has_the_bits_of_a_long_one():
    """Also of a run that has ended early: nothing was measured since."""
    given = GIVEN | {"alpha": [0.001, 0.1], "keep_state": True}
    given["tolerance"] = fastgd.train(X, Y, **GIVEN | {"alpha": 0.1, "iterations": 15}).final_error
    whole = fastgd.sweep(X, Y, **given)
    half = fastgd.sweep(X, Y, **given | {"iterations": 20})
    rest = fastgd.sweep(X, Y, resume=half, iterations=21)
    assert rest.iterations.tolist() == [41, 16]
    assert np.isfinite(rest.measured["sharpness"]).sum(axis=1).tolist() == [5, 2]
    assert rest.measurements.tobytes() == whole.measurements.tobytes()
