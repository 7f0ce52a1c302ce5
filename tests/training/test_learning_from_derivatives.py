"""Training on derivatives of the targets, too: against the twin, finite differences, runs alone."""

from contextlib import nullcontext

import numpy as np
import pandas
import pytest

import fastgd
from fastgd import reference
from fastgd.arguments.options import Method
from fastgd.engine.recipe import recipe_of
from fastgd.optimizers import Adam, LevenbergMarquardt
from thinning import kernels_of

SHARED = {
    "hidden_size": (5, 3), "activation": "tanh", "output": "identity", "bias": True,
    "alpha": 0.01, "iterations": 8, "record_every": 4,
}  # fmt: skip
OWN = fastgd.Function("x / sqrt(1 + x * x)")


def surface(samples=10, outputs=2, unknown=0.3):
    """Samples of a smooth function of three inputs, and its derivatives, some of them unknown."""
    random = np.random.default_rng(outputs)
    X, slopes = random.normal(size=(samples, 3)), random.normal(size=(3, outputs))
    dy = np.cos(X @ slopes)[:, :, None] * slopes.T
    dy[random.random(dy.shape) < unknown] = np.nan
    return X, np.sin(X @ slopes), dy


def assert_same(run, other):
    for name in ("weights", "biases", "direction_changes"):
        for mine, theirs in zip(getattr(run, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    for name in ("errors", "losses", "final_error", "final_loss", "validation_errors"):
        np.testing.assert_array_equal(getattr(run, name), getattr(other, name))


ADAM = {"optimizer": Adam(), "output": "sigmoid", "l2": 1e-2}
"""The kernel of the golden case "derivatives", where some samples are held out."""

BATCHES = {
    "activation": "softplus", "output": "sigmoid", "batch_size": 3, "reduction": "mean",
    "sample_weight": np.linspace(0, 2, 10),
}  # fmt: skip
"""That of "derivatives in batches", where none are."""

X, Y, DY = surface()
DRAWS = np.random.default_rng(0).random((2, 10))


# ---- what is computed


@pytest.mark.parametrize(
    "options",
    [
        ADAM | {"l1": 1e-3, "gradient_weight": 0.3},
        BATCHES | {"validation": None},
        pytest.param(
            {"activation": OWN, "output": "softplus", "loss": "huber", "freeze": (1,)},
            marks=pytest.mark.slow,
        ),
        pytest.param(BATCHES | {"output": "identity"}, marks=pytest.mark.slow),
        pytest.param({"activation": "gelu", "output": "sigmoid"}, marks=pytest.mark.slow),
        pytest.param({"activation": "silu", "output": OWN}, marks=pytest.mark.slow),
        pytest.param({"activation": "softplus", "output": "exp"}, marks=pytest.mark.slow),
        pytest.param({"hidden_size": (), "output": "tanh", "bias": False}, marks=pytest.mark.slow),
        pytest.param({"activation": "sigmoid", "clip_norm": 0.5}, marks=pytest.mark.slow),
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.filterwarnings("ignore:y.* has values outside")
def test_the_kernel_agrees_with_its_twin(options):
    given = SHARED | {"validation": (X[:3], Y[:3])} | options
    with kernels_of("derivatives") if "optimizer" in options else nullcontext():
        run = fastgd.train(X, Y, gradients=DY, **given)
    twin = reference.train(X, Y, gradients=DY, **given)
    for mine, theirs in zip(
        (*run.weights, *run.biases), (*twin.weights, *twin.biases), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=2e-14)
    for name in ("losses", "final_loss", "errors", "validation_errors"):
        if given["validation"] or name != "validation_errors":
            np.testing.assert_allclose(getattr(run, name), getattr(twin, name), rtol=1e-13)


@pytest.mark.slow
def test_an_update_follows_the_derivative_of_the_loss():
    step, h = 1e-3, 1e-5
    given = SHARED | {"bias": False, "alpha": step, "iterations": 1, "gradient_weight": 0.5}
    random = np.random.default_rng(1)
    start = [random.uniform(-1, 1, shape) for shape in ((3, 5), (5, 3), (3, 2))]
    run, moved = fastgd.train(X, Y, gradients=DY, weights=start, **given), []
    for k, layer in enumerate(start):
        for at in np.ndindex(layer.shape):
            for sign in (1, -1):
                weights = [own.copy() for own in start]
                weights[k][at] += sign * h
                moved.append(weights)
    named = {name: value for name, value in given.items() if name != "hidden_size"}
    losses = fastgd.sweep(X, Y, gradients=DY, weights=moved, **named).losses[:, 0]
    slope = (losses[::2] - losses[1::2]) / (2 * h)
    change = [(new - old).ravel() for new, old in zip(run.weights, start, strict=True)]
    np.testing.assert_allclose(np.concatenate(change), -step * slope, rtol=1e-6, atol=1e-9)


def test_the_loss_has_half_the_squared_error_of_known_derivatives():
    slope = np.random.default_rng(1).uniform(-1, 1, (3, 2))  # of a linear network: of all samples
    given = SHARED | {"hidden_size": (), "weights": [slope], "biases": [np.zeros(2)]}
    given |= {"sample_weight": np.arange(10.0)}
    run = fastgd.train(X, Y, gradients=DY, gradient_weight=3, **given)
    plain = fastgd.train(X, Y, **given)
    missing = np.nan_to_num(DY - slope.T)
    more = 1.5 * np.arange(10.0) @ (missing**2).sum(axis=(1, 2))
    assert run.losses[0] - plain.losses[0] == pytest.approx(more, rel=1e-13)
    assert run.errors[0] == plain.errors[0]


def test_what_is_unknown_changes_nothing():
    plain = fastgd.train(X, Y, **SHARED)
    assert_same(fastgd.train(X, Y, gradients=np.full_like(DY, np.nan), **SHARED), plain)
    assert_same(fastgd.train(X, Y, gradients=DY, gradient_weight=0, **SHARED), plain)


@pytest.mark.parametrize("whole", [False, True])
def test_unknown_derivatives_may_be_the_na_of_pandas(whole):
    table = pandas.DataFrame(DY[:, 0], columns=["a", "b", "c"])
    table["c"] = [1, None] * 5 if whole else table["c"]
    assert table.convert_dtypes().isna().any(axis=None)
    array = np.asarray(table)
    mine = (fastgd.train(X, Y[:, 0], gradients=dy, **SHARED) for dy in (table, array))
    other = fastgd.train(X, Y[:, 0], gradients=table.convert_dtypes(), **SHARED)
    for run in mine:
        assert_same(run, other)
    with pytest.raises(TypeError, match="gradients must hold real numbers"):
        fastgd.train(X, Y[:, 0], gradients=table.astype(str), **SHARED)


def test_a_single_output_needs_no_axis_of_outputs():
    X, y, dy = surface(outputs=1)
    run = fastgd.train(X, y, gradients=dy[:, 0], **SHARED)
    assert_same(run, fastgd.train(X, y, gradients=dy, **SHARED))
    assert run.options["gradient_weight"] == 1.0
    with pytest.raises(ValueError, match=r"must have shape \(10, 1, 3\) or \(10, 3\), a"):
        fastgd.train(X, y, gradients=dy[:, 0, :2], **SHARED)


# ---- the same bits in every way of training


def test_runs_of_a_sweep_are_those_trained_alone():
    sweep = fastgd.sweep(X, Y, gradients=DY, gradient_weight=[0, 0.1, 2], seed=range(6), **SHARED)
    for weight, seed in ((0, 0), (1, 3), (2, 5)):
        own = sweep.axes["gradient_weight"][weight]
        alone = fastgd.train(X, Y, gradients=DY, gradient_weight=own, seed=seed, **SHARED)
        assert_same(sweep[weight, seed], alone)
    settings = [{"gradient_weight": 0.1, "seed": 3}, {"gradient_weight": 2, "seed": 5}]
    combined = fastgd.sweep(X, Y, gradients=DY, combinations=settings, **SHARED)
    assert_same(combined[0], sweep[1, 3])


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"groups": [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]}, marks=pytest.mark.slow),
        {"folds": 2},
        {"sample_weight": DRAWS},
    ],
    ids=["groups", "folds", "sample_weight"],
)
@pytest.mark.filterwarnings("ignore:y.* has values outside")
@pytest.mark.slow
def test_a_part_of_the_samples_has_its_part_of_the_derivatives(parts):
    shared = SHARED | (ADAM | {"seed": range(8)} if "folds" in parts else {"seed": range(5)})
    sweep = fastgd.sweep(X, Y, gradients=DY, keep_weights=False, **parts, **shared)
    rows, weight, held, _ = sweep.partition.part(1)
    given = shared | {"seed": 4} | ({} if weight is None else {"sample_weight": weight})
    if held is not None:
        given["validation"] = X[held], Y[held]
    with kernels_of("derivatives") if "folds" in parts else nullcontext():
        alone = fastgd.train(X[rows], Y[rows], gradients=DY[rows], **given)
    assert_same(sweep[1, 4], alone)
    twins = reference.sweep(X, Y, gradients=DY, **parts, **shared | {"seed": [4]})
    np.testing.assert_allclose(alone.losses, twins[1, 0].losses, rtol=1e-13)


def test_resumed_and_stored(tmp_path):
    half = SHARED | {"iterations": 4}
    first = fastgd.train(X, Y, gradients=DY, **half)
    whole = fastgd.train(X, Y, gradients=DY, **SHARED)
    assert_same(fastgd.train(X, Y, gradients=DY, resume=first, iterations=4), whole)
    with pytest.raises(ValueError, match="gradients must be given again to resume"):
        fastgd.train(X, Y, resume=first)
    with pytest.raises(ValueError, match="gradients must be left out to resume a training without"):
        fastgd.train(X, Y, gradients=DY, resume=fastgd.train(X, Y, **half))
    with pytest.raises(ValueError, match=r"as they were\), got gradients of other values$"):
        fastgd.train(X, Y, gradients=DY + 1, resume=first)

    sweep = fastgd.sweep(X, Y, gradients=DY, seed=[1, 2], keep_state=True, **half)
    assert_same(fastgd.sweep(X, Y, gradients=DY, resume=sweep, iterations=4)[0], whole)
    with pytest.raises(ValueError, match="gradients must be given again to resume"):
        fastgd.sweep(X, Y, resume=sweep)

    given = SHARED | {"gradients": DY}
    fastgd.sweep(X, Y, seed=[1, 2], keep_weights=False, out=tmp_path / "sweep", **given)
    assert_same(fastgd.open(tmp_path / "sweep")[0], whole)
    fastgd.train(X, Y, checkpoint=tmp_path / "run.npz", **given)
    assert_same(fastgd.load(tmp_path / "run.npz"), whole)
    with pytest.raises(ValueError, match="must be the checkpoint of this training"):
        fastgd.train(X, Y, checkpoint=tmp_path / "run.npz", **given | {"gradients": 2 * DY})


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradients": DY[:, 0]}, r"must have shape \(10, 2, 3\), .* got shape \(10, 3\)"),
        ({"gradients": DY[:9]}, r"must have shape \(10, 2, 3\), .* got shape \(9, 2, 3\)"),
        ({"gradients": np.where(DY > 0, np.inf, DY)}, r"finite, or NaN where unknown, got inf at"),
        ({"gradients": None, "gradient_weight": 2}, "must be left out without gradients, got 2"),
        ({"gradient_weight": -1}, r"gradient_weight must be .*, got -1"),
        ({"activation": "relu"}, "activation must have a second derivative .* got 'relu', whose"),
        (
            {"activation": fastgd.Function("maximum(a, 0)**3")},
            r"whose formula is made of pieces \(where, maximum, abs\), so its deriva",
        ),
        ({"activation": ["tanh", "elu"]}, "activation must have a second derivative .* got 'elu'"),
        ({"output": fastgd.Function("abs(x)")}, "output must have a second derivative"),
        ({"batch_norm": True}, "batch_norm must be False with gradients, since .*, got True"),
        ({"dropout": [0.0, 0.5]}, "dropout must be 0.0 with gradients, since .*, got 0.5"),
        ({"dropconnect": 0.5}, "dropconnect must be 0.0 with gradients, since .*, got 0.5"),
        ({"clip_above": 2}, "clip_above must be inf with gradients, since .*, got 2.0"),
        ({"trim_below": 2}, "trim_below must be 0.0 with gradients, since .*, got 2.0"),
        ({"sampling": "adaptive", "batch_size": 2}, "sampling must be 'epochs' with gradients"),
        ({"loss": "gaussian"}, "gradients must be of outputs that each have a target of their own"),
        ({"optimizer": LevenbergMarquardt()}, "optimizer must be one of first order with gradien"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_refused_before_work_starts(options, message):
    with pytest.raises(ValueError, match=message):
        fastgd.sweep(X, Y, **SHARED | {"gradients": DY} | options)


def test_a_target_must_be_known_even_with_derivatives():
    with pytest.raises(ValueError, match="y must be finite, got nan"):
        fastgd.train(X, np.where(np.arange(20).reshape(10, 2) == 3, np.nan, Y), gradients=DY)


def test_only_a_training_with_gradients_is_compiled_for_them():
    assert recipe_of(Method(gradient_weight=1.0), {}).tangents is None
    assert recipe_of(Method(), {}, has_gradients=True).tangents is not None
