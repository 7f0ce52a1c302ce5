"""Recorded losses are bit-identical to fastgd.objective at the recorded weights."""

import numpy as np
import pytest

import fastgd
from cases import WEIGHTS, X, Y
from fastgd.arguments.declarations import LossOptions
from fastgd.arguments.initial_network import NetworkParts
from fastgd.optimizers import Momentum
from thinning import kernels_of, only

SIZE = (5, 3)
GIVEN = {"hidden_size": SIZE, "iterations": 60, "record_every": 7, "alpha": 0.1}


def objective_of(run, X, y, weights=None, biases=None):
    """The value of the objective with the options of a run, at its weights or at others."""
    options = {n: v for n, v in run.options.items() if n in LossOptions.__annotations__}
    f = fastgd.objective(X, y, hidden_size=run.hidden_size, **options)
    parts = NetworkParts(weights or run.weights, run.biases if biases is None else biases, ())
    return f(f.network.row(parts))[0]


def has_the_objectives_bits(X, y, **given):
    run = fastgd.train(X, y, record_weights=True, **GIVEN | given)
    for k in np.flatnonzero(run.recorded <= run.iterations):
        point = run.at(k)
        assert point.loss == run.losses[k]
        assert run.losses[k] == objective_of(run, X, y, point.weights, point.biases)
    assert run.final_loss == objective_of(run, X, y)
    np.testing.assert_array_equal(np.isnan(run.losses), np.isnan(run.errors))
    return run


OPTIONS = {
    "penalties": {"l1": 0.01, "l2": 0.02, "bias": True, "sample_weight": WEIGHTS},
    "cross entropy": {"loss": "cross_entropy", "bias": True, "optimizer": Momentum()},
    "batches": {"loss": "cross_entropy", "batch_size": 4, "dropout": 0.3, "reduction": "mean"},
    "softmax": {"loss": "cross_entropy", "output": "softmax", "sample_weight": WEIGHTS},
    "gaussian": {
        "loss": "gaussian",
        "output": "identity",
        "activation": "leaky_relu",  # as a golden case has it
        "alpha": 0.01,
    },
}


@pytest.mark.parametrize("name", only(OPTIONS, "penalties"))
def test_recorded_losses_are_the_objectives(name):
    options = OPTIONS[name]
    y = (Y[:, 0] > 0.5).astype(int) if options.get("output") == "softmax" else Y
    has_the_objectives_bits(X, y, **options)


def test_written_out():
    """Half the squared errors with weights, and the penalties."""
    with kernels_of("penalties"):
        run = fastgd.train(X, Y, **GIVEN, l1=0.01, l2=0.02, bias=True, sample_weight=WEIGHTS)
        each = 0.5 * (Y - run.predict(X)) ** 2
    weights = np.concatenate([layer.ravel() for layer in run.weights])
    penalty = 0.01 * np.abs(weights).sum() + 0.01 * (weights**2).sum()
    assert run.final_loss == pytest.approx(WEIGHTS @ each.sum(axis=1) + penalty, rel=1e-13)


@pytest.mark.parametrize(
    "given", [{"hidden_size": (5, 15), "l2": 0.001}, pytest.param({}, marks=pytest.mark.slow)]
)
def test_many_groups_of_samples(given):
    random = np.random.default_rng(4)
    given = {"hidden_size": (5, 17), "alpha": 0.001} | given
    has_the_objectives_bits(random.normal(size=(301, 3)), random.random((301, 2)), **given)


# The best network is the last one, then, but the kernel is that of the run below.
@pytest.mark.parametrize(
    "best",
    [{"restore_best": True, "evaluate_every": 1}, pytest.param({}, marks=pytest.mark.slow)],
    ids=["best", "last"],
)
def test_a_run_that_is_over_between_two_records(best):
    """And one that is given back as it was between two of them."""
    given = {"tolerance": 0.13, "alpha": 0.3, "hidden_size": (5, 4)} | best
    run = has_the_objectives_bits(X, Y, **given, iterations=900, record_every=100)
    assert run.status == "converged"
    assert run.iterations % 100
    run = has_the_objectives_bits(X, Y, restore_best=True, evaluate_every=1, alpha=4.0, seed=3)
    assert run.best_iteration % 7
    run = has_the_objectives_bits(X, Y, **best, tolerance=0.9)
    assert run.iterations == 0
    assert run.final_loss == run.losses[0]


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_a_run_that_diverges():
    linear = {"activation": "identity", "output": "identity"}
    run = fastgd.train(X, Y, **GIVEN | {"alpha": 50.0, "record_every": 1}, **linear)
    assert run.status == "diverged"
    assert np.isnan(run.final_loss)
    np.testing.assert_array_equal(np.isnan(run.losses), np.isnan(run.errors))
    given = {"weights": [[[1e160]]], "iterations": 5, "record_every": 1}
    run = fastgd.train(
        [[1e160]], [0.0], **given, **linear
    )  # the error overflows before a weight does
    assert (run.losses[0], run.final_loss) == (np.inf, np.inf)


def test_a_penalty_that_others_have_adds_nothing():
    """Not even where the sum that it would be multiplied by is infinite."""
    given = {"weights": [np.full((3, 2), 1e200)], "iterations": 1, "alpha": 1e-3}
    sweep = fastgd.sweep(X, Y, **given, l1=[0.0, 0.1], l2=[0.0, 0.1])
    alone = fastgd.train(X, Y, **given)
    assert sweep.losses[0, 0, 0] == alone.losses[0] < 100
    assert sweep.losses[1, 0, 0] == pytest.approx(6e199, rel=1e-14)
    assert (sweep.losses[:, 1] == np.inf).all()


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_what_a_fold_holds_out_adds_nothing():
    """Not even where its loss is infinite, or its neighbors share its samples."""
    x, y = np.ones((4, 1)), np.array([1.0, 2.0, 1e200, 1e200])
    given = {"weights": [[[0.5]]], "iterations": 1}
    sweep = fastgd.sweep(x, y, folds=[([0, 1], [2, 3])], alpha=np.linspace(0.1, 1, 64), **given)
    with kernels_of("folds, mean"):  # eight side by side
        alone = fastgd.train(x[:2], y[:2], alpha=1.0, validation=(x[2:], y[2:]), **given)
    assert (
        sweep.losses[0, 63]
        == alone.losses[0]
        == fastgd.objective(x[:2], y[:2], hidden_size=())([0.5])[0]
    )
    assert sweep.final_loss[0, 63] == alone.final_loss


def test_a_training_that_resumes():
    given = {"X": X, "y": Y, "bias": True, "patience": 5, **GIVEN}
    alone = given | {"alpha": 2.0, "seed": 2}
    whole = fastgd.train(**alone | {"iterations": 200})
    assert whole.status == "stalled"
    half = fastgd.train(**alone | {"iterations": 14})
    assert half.status == "finished"
    for run in (half, whole):  # one that is over stays as it was
        on = fastgd.train(X, Y, resume=run, iterations=186)
        count = len(whole.losses)
        assert on.losses[:count].tobytes() == whole.losses.tobytes()
        assert on.final_loss == whole.final_loss
    axes = {"alpha": [0.1, 2.0], "seed": [1, 2, 3]}
    sweep = fastgd.sweep(**given | axes | {"iterations": 14}, keep_state=True)
    later = fastgd.sweep(X, Y, resume=sweep, iterations=186)
    again = fastgd.sweep(X, Y, resume=later, iterations=7)
    whole = fastgd.sweep(**given | axes | {"iterations": 207})
    assert set(later.status.ravel()) == {"finished", "stalled"}
    for name in ("losses", "final_loss"):
        assert getattr(again, name).tobytes() == getattr(whole, name).tobytes()


def test_tables_and_parts(tmp_path):
    sweep = fastgd.sweep(X, Y, **GIVEN | {"alpha": [0.1, 1.0]}, seed=[1, 2])
    assert sweep.columns()["final_loss"] == sweep.final_loss.ravel().tolist()
    assert sweep[1:, 0].losses.tobytes() == sweep.losses[1:, 0].tobytes()
    assert sweep[1, 1].final_loss == sweep.final_loss[1, 1]
    sweep.save(tmp_path / "sweep.npz")
    loaded = fastgd.load(tmp_path / "sweep.npz")
    assert loaded.losses.tobytes() == sweep.losses.tobytes()
    assert loaded.final_loss.tobytes() == sweep.final_loss.tobytes()
    light = fastgd.sweep(X, Y, **GIVEN, seed=[1, 2], keep_weights=False)
    assert light[1].final_loss == light.final_loss[1] == sweep.final_loss[0, 1]


@pytest.mark.parametrize("method", ["BFGS", "dual_annealing"])
def test_minimizing(method, xor):
    f = fastgd.objective(*xor, l2=0.001)
    run = fastgd.minimize(*xor, method=method, iterations=5, l2=0.001)
    assert run.losses.shape == run.errors.shape
    assert run.losses[0] == f(f.start(1))[0]
    assert run.final_loss == objective_of(run, *xor)
    assert run.final_loss <= run.losses.min()
