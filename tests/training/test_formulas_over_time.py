"""Penalties and schedules of one's own: against NumPy step by step, in files, and what is refused.

Hashes, twins, sweeps and resuming of the case "formulas over time" are with those of all cases.
"""

import pickle
from math import exp

import numpy as np
import pytest

import fastgd
from cases import DECAY, FADING, SWITCHED, X, Y
from fastgd import reference
from fastgd.checks.messages import options_text
from fastgd.functions import floor, log1p
from fastgd.optimizers import Adam, AdamW, LevenbergMarquardt, Momentum, Rprop
from fastgd.schedules import Constant, Cosine, Exponential, Linear, Step
from fastgd.training import train_sweep as checkpoints
from thinning import at_a_time, kernels_of

NAME = "formulas over time"
GIVEN = {
    "penalty": DECAY, "schedule": FADING, "optimizer": Momentum(momentum=SWITCHED),
    "bias": True, "hidden_size": (5, 3), "record_every": 7, "alpha": 0.1,
}  # fmt: skip


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def slopes(weights, biases):
    """Minus the derivatives of half the squared error, and the error's half square."""
    values = [X]
    for w, b in zip(weights, biases, strict=True):
        values.append(sigmoid(values[-1] @ w + b))
    loss = ((values[-1] - Y) ** 2).sum() / 2
    delta, found = (Y - values[-1]) * values[-1] * (1 - values[-1]), []
    for k in (2, 1, 0):
        found.append((values[k].T @ delta, delta.sum(axis=0)))
        delta = delta @ weights[k].T * values[k] * (1 - values[k])
    return found[::-1], loss


def by_hand(start, iterations, strength, rate, switch, momentum=(0.5, 0.9)):
    """Momentum on a loss with the penalty, whose derivative is written out here."""
    weights, biases = [w.copy() for w in start], [np.zeros(w.shape[1]) for w in start]
    speeds = [[np.zeros_like(w), np.zeros(w.shape[1])] for w in start]
    losses = []

    def measure():
        changes, loss = slopes(weights, biases)
        losses.append(loss + sum(strength * np.log(1 + w**2).sum() for w in weights))
        return changes

    for t in range(iterations):
        changes = measure()
        for k, (of_weights, of_biases) in enumerate(changes):
            of_weights = of_weights - strength * 2 * weights[k] / (1 + weights[k] ** 2)
            speed, decay = speeds[k], momentum[t >= switch]
            speed[0] = decay * speed[0] + of_weights
            speed[1] = decay * speed[1] + of_biases
            weights[k] = weights[k] + 0.1 * exp(-rate * t) * speed[0]
            biases[k] = biases[k] + 0.1 * exp(-rate * t) * speed[1]
    measure()
    return weights, biases, losses


def test_step_by_step_in_numpy():
    """The penalty is of weights alone; alpha fades, and the momentum is switched."""
    numbers = {"strength": 0.05, "rate": 0.01, "switch": 12}
    with kernels_of(NAME):
        start = fastgd.train(X, Y, **GIVEN, iterations=1, record_weights=True).recorded_weights
        run = fastgd.train(X, Y, **GIVEN, **numbers, iterations=40)
    weights, biases, losses = by_hand([layer[0] for layer in start], 40, **numbers)
    for ours, known in zip((*run.weights, *run.biases), (*weights, *biases), strict=True):
        np.testing.assert_allclose(ours, known, rtol=1e-11)
    np.testing.assert_allclose(run.losses, losses[:40:7], rtol=1e-12)
    assert run.final_loss == pytest.approx(losses[40], rel=1e-12)


def test_in_files_and_pickles_it_is_the_formula_as_text(tmp_path):
    with kernels_of(NAME):
        run = fastgd.train(X, Y, **GIVEN, strength=0.05, iterations=20)
        run.save(tmp_path / "run.npz")
        loaded = fastgd.load(tmp_path / "run.npz")
        on = fastgd.train(X, Y, resume=loaded, iterations=20)
        whole = fastgd.train(X, Y, **GIVEN, strength=0.05, iterations=40)
    assert loaded.options == run.options == pickle.loads(pickle.dumps(run)).options
    assert loaded.options["optimizer"].momentum == SWITCHED
    assert on.errors.tobytes() == whole.errors.tobytes()
    assert on.losses.tobytes() == whole.losses.tobytes()
    with pytest.raises(ValueError, match="strength must be left out with resume, or as it was"):
        fastgd.train(X, Y, resume=loaded, strength=0.1, iterations=1)
    other = Momentum(momentum=fastgd.Schedule("where(t < switch, 0.5, 0.8)", switch=20))
    with pytest.raises(ValueError, match="optimizer must be left out with resume, or as it was"):
        fastgd.train(X, Y, resume=loaded, optimizer=other, iterations=1)


def test_a_sweep_has_the_parameters_as_axes_in_a_folder_too(tmp_path):
    axes = {"strength": [0.0, 0.1], "switch": [5.0, 15.0]}
    sweep = fastgd.sweep(X, Y, **GIVEN, **axes, iterations=20)
    stored = fastgd.sweep(X, Y, **GIVEN, **axes, iterations=20, out=tmp_path / "folder")
    assert sweep.axes == fastgd.open(tmp_path / "folder").axes == axes
    assert stored.final_loss.tobytes() == sweep.final_loss.tobytes()
    with at_a_time(8):
        run = fastgd.train(X, Y, **GIVEN, strength=0.1, switch=15.0, iterations=20)
    assert run.weights[0].tobytes() == sweep[1, 1].weights[0].tobytes()
    assert sweep[1, 1].options["strength"] == 0.1
    table = sweep.to_dataframe()
    assert table["strength"].tolist() == [0, 0, 0.1, 0.1]
    known = "optimizer momentum (momentum where(t < switch, 0.5, 0.9))"
    assert known in options_text(sweep[1, 1].options)


def test_a_built_in_schedule_that_is_written_out_is_the_built_in():
    """To the bit, and compiled once."""
    own = fastgd.Schedule(lambda t, q, p: p ** floor(t / q), q=5, p=0.3)
    given = {"hidden_size": (5, 3), "record_every": 7, "iterations": 30}
    with kernels_of("step"):
        run, named = (fastgd.train(X, Y, schedule=s, **given) for s in (own, Step(5, 0.3)))
    assert run.errors.tobytes() == named.errors.tobytes()
    assert run.options == {"schedule": own}


def test_an_axis_of_schedules_has_formulas_as_labels():
    other = fastgd.Schedule("0.5")
    sweep = fastgd.reference.sweep(X, Y, schedule=[FADING, other, Step(5)], iterations=3)
    assert [run.options.get("schedule") for run in sweep.values()] == [FADING, other, Step(5)]


def test_all_updates_are_those_of_the_call_also_in_stretches(tmp_path, monkeypatch):
    """With a kernel of its own, the only one that knows how many updates there are."""
    falling = fastgd.Schedule(lambda t, total: 1 - t / total)
    given = {"schedule": falling, "hidden_size": 3, "record_every": 5, "iterations": 30}
    whole, known = fastgd.train(X, Y, **given), reference.train(X, Y, **given)
    np.testing.assert_allclose(whole.errors, known.errors, rtol=1e-11)
    monkeypatch.setattr(checkpoints, "FIRST", 4)
    monkeypatch.setattr(checkpoints, "GROWTH", 1)
    kept = fastgd.train(X, Y, **given, checkpoint=tmp_path / "run.npz", checkpoint_every=1e6)
    assert kept.errors.tobytes() == whole.errors.tobytes()
    assert kept.weights[0].tobytes() == whole.weights[0].tobytes()
    on = fastgd.train(X, Y, resume=whole, iterations=10)
    same = reference.train(X, Y, resume=known, iterations=10)
    assert on.final_error == pytest.approx(same.final_error, rel=1e-10)


@pytest.mark.slow
def test_the_powers_of_a_changing_decay_rate_are_products():
    """Adam in NumPy, on one weight whose derivative is 1 / 8 times 2**-60 of its learning rate."""
    beta1 = fastgd.Schedule("0.9 - 0.5 * exp(-t / 5)")
    weight_decay = fastgd.Schedule("where(t < 10, 0, 0.1)")
    start = np.full((1, 1), 2.0)
    given = {"optimizer": AdamW(beta1=beta1, weight_decay=weight_decay), "hidden_size": ()}
    run = fastgd.train([[1.0]], [0.5], weights=[start], alpha=0.01, iterations=30, **given)
    w, m, s, power = 2.0, 0.0, 0.0, 1.0
    for t in range(30):
        b1, v = 0.9 - 0.5 * exp(-t / 5), 1 / (1 + exp(-w))
        g = (0.5 - v) * v * (1 - v)
        m, s, power = b1 * m + (1 - b1) * g, 0.999 * s + 0.001 * g * g, power * b1
        w -= 0.01 * (0.1 if t >= 10 else 0.0) * w
        corrected = m / (1 - power), np.sqrt(s / (1 - 0.999 ** (t + 1)))
        w += 0.01 * corrected[0] / (corrected[1] + 1e-8)
    assert run.weights[0].item() == pytest.approx(w, rel=1e-12)
    twin = reference.train([[1.0]], [0.5], weights=[start], alpha=0.01, iterations=30, **given)
    assert twin.weights[0].item() == pytest.approx(w, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("derivative", [None, "2 * k * w / (1 + w * w)"])
def test_the_gradient_of_an_objective_is_that_of_differences(derivative):
    """With the derivative that is derived, and with one that is given."""
    penalty = fastgd.Penalty("k * log1p(w * w)", derivative=derivative, k=0.3)
    f = fastgd.objective(X, Y, penalty=penalty, l2=0.1, k=0.2, bias=True, hidden_size=3)
    w = np.random.default_rng(1).normal(size=f.network.parameters)
    value, gradient = f(w)
    steps = 1e-6 * np.eye(len(w))
    found = [(f(w + step)[0] - f(w - step)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(gradient, found, rtol=1e-6, atol=1e-8)
    parts = f.network.parts(w).weights
    plain = fastgd.objective(X, Y, l2=0.1, bias=True, hidden_size=3)(w)[0]
    added = sum(0.2 * np.log1p(part**2).sum() for part in parts)
    assert value == pytest.approx(plain + added, rel=1e-13)
    with pytest.raises(ValueError, match="penalty must be None for residuals, whose squares make"):
        f.residuals(w)


BESIDE = [
    {"batch_norm": True},
    {"freeze": [None, np.eye(5, 3) > 0, None], "l1": 0.001, "max_norm": 1.0},
    {"reduction": "mean", "batch_size": 2, "clip_norm": 0.1, "bias": True},
    {"dropconnect": 0.2, "dropout": 0.1},
    {"optimizer": AdamW(weight_decay=SWITCHED)},
    {"optimizer": Rprop(eta_plus=fastgd.Schedule("1.2 - 0.001 * t")), "schedule": Constant()},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", BESIDE, ids=str)
def test_the_twin_has_them_beside_other_options(options):
    """Each with a kernel of its own."""
    given = {"penalty": DECAY, "schedule": FADING, "hidden_size": (5, 3), "iterations": 40}
    given |= {"alpha": 0.1, "record_every": 7, **options}
    run, twin = (train(X, Y, **given) for train in (fastgd.train, reference.train))
    np.testing.assert_allclose(run.losses, twin.losses, rtol=1e-11)
    for ours, known in zip(run.weights, twin.weights, strict=True):
        np.testing.assert_allclose(ours, known, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_l1_and_l2_as_a_formula_are_the_options_up_to_rounding():
    own = fastgd.Penalty(lambda w, a, b: a * abs(w) + b / 2 * w * w, a=0.01, b=0.02)
    given = {"hidden_size": 4, "iterations": 50, "record_every": 5, "alpha": 0.1}
    run, named = (
        fastgd.train(X, Y, penalty=own, **given),
        fastgd.train(X, Y, l1=0.01, l2=0.02, **given),
    )
    np.testing.assert_allclose(run.losses, named.losses, rtol=1e-12)
    np.testing.assert_allclose(run.weights[0], named.weights[0], rtol=1e-11)
    both = fastgd.train(X, Y, penalty=own, l2=0.02, **given)
    more = fastgd.train(X, Y, l1=0.01, l2=0.04, **given)
    np.testing.assert_allclose(both.losses, more.losses, rtol=1e-12)


@pytest.mark.slow
def test_a_penalty_is_an_axis_beside_none(tmp_path):
    sweep = fastgd.sweep(X, Y, penalty=[None, DECAY], seed=[1, 2], iterations=20)
    alone = fastgd.sweep(X, Y, penalty=DECAY, seed=[1, 2], iterations=20)
    assert sweep.final_loss[1].tobytes() == alone.final_loss.tobytes()
    assert sweep.final_loss[0].tobytes() != alone.final_loss.tobytes()
    sweep.save(tmp_path / "sweep.npz")
    assert fastgd.load(tmp_path / "sweep.npz").axes == sweep.axes
    schedules = [FADING, Step(5), np.linspace(1, 0, 20)]
    over_time = fastgd.sweep(X, Y, schedule=schedules, optimizer=[Adam(SWITCHED)], iterations=20)
    over_time.save(tmp_path / "over_time.npz")
    assert fastgd.load(tmp_path / "over_time.npz").axes == over_time.axes
    assert over_time.to_dataframe()["beta1"][0] == "where(t < switch, 0.5, 0.9), switch=20"
    found = sweep.to_dataframe()["penalty"]
    assert found.isna().tolist() == [True, True, False, False]
    assert found[2] == "strength * log1p(w * w), strength=0.02"


# ---------------------------------------------------------------- what is refused

FORMULAS = [
    (lambda: fastgd.Penalty("a * b"), "a Penalty must have one variable, a weight, .* got a, b$"),
    (lambda: fastgd.Penalty("1"), "a Penalty must have one variable, a weight, .* got none$"),
    (lambda: fastgd.Penalty("w *"), "a Penalty must be an expression of .*|a Penalty must be"),
    (lambda: fastgd.Penalty("inf * w"), "a Penalty must have one variable, a weight"),
    (lambda: fastgd.Penalty(lambda w: w * float("inf")), "its constants must be finite, got inf"),
    (lambda: fastgd.Penalty("k * w", k=float("nan")), "the parameter k must be a finite number"),
    (lambda: fastgd.Penalty(3), "a Penalty must be a function of numbers or an expression, got 3"),
    (lambda: fastgd.Schedule("x * t"), "a Schedule: unknown name 'x', known are t, total, pi"),
    (lambda: fastgd.Schedule(lambda t, k: t * k), "a Schedule must have no variables but t, .* k$"),
    (lambda: fastgd.Schedule(lambda t: t if t > 3 else 1), "the number isn't known yet"),
    (lambda: fastgd.Schedule("t", t=3), "a parameter of a Schedule must not have the name of a "
     "variable, got t$"),
    (lambda: fastgd.Schedule("t + total", total=3), "must not have the name of a variable, got to"),
    (lambda: fastgd.Schedule("t * 1e999"), "a Schedule must have finite real numbers only"),
    (lambda: fastgd.Schedule("+".join(["t"] * 200)), "at most 200 numbers, names and operations"),
    (lambda: fastgd.Schedule("k * t", k=2)._replace(j=1), "must be one of k, got j$"),
    (lambda: fastgd.Schedule("t * t", derivative="2 * t"), "derivative must be left out for a Sch"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "message"), FORMULAS)
def test_a_wrong_formula_is_refused_where_it_is_made(made, message):
    with pytest.raises((TypeError, ValueError), match=message):
        made()


REFUSED = [
    ({"penalty": "log1p(w*w)"}, ValueError, r"penalty must be None or a fastgd\.Penalty, got "
     r"'log1p\(w\*w\)': write fastgd\.Penalty\(\.\.\.\)$"),
    ({"penalty": abs}, TypeError, r"penalty must be None or a fastgd\.Penalty, .*: write"),
    ({"penalty": 0.1}, TypeError, r"penalty must be None or a fastgd\.Penalty, got 0\.1$"),
    ({"penalty": fastgd.Function("a * a")}, TypeError, "penalty must be None or a fastgd.Penalty"),
    ({"penalty": DECAY, "optimizer": LevenbergMarquardt()}, ValueError, "penalty must be None "
     r"with optimizer=LevenbergMarquardt\(\), which needs a sum of squares, got Penalty"),
    ({"penalty": fastgd.Penalty("alpha * w * w", alpha=1)}, ValueError, "a parameter of penalty "
     "must not have the name of another argument, got alpha in Penalty"),
    ({"strength": 0.1}, TypeError, "an option must be one of .* got 'strength'"),
    ({"schedule": "exp(-t/9)"}, TypeError, r"schedule must be Constant\(\), .*, from fastgd\."
     r"schedules or a Schedule, got 'exp\(-t/9\)': write fastgd\.Schedule\(\.\.\.\)$"),
    ({"schedule": lambda t: t}, TypeError, r"schedules or a Schedule, got .*: write fastgd\.S"),
    ({"schedule": FADING, "optimizer": Rprop()}, ValueError, r"schedule must be Constant\(\) with "
     r"optimizer=Rprop\(\), which adapts its own step sizes, got Schedule"),
    ({"schedule": Step(step_size=SWITCHED)}, TypeError, "step_size must be an int, got "),
    ({"schedule": fastgd.Schedule("steps*t", steps=1)}, ValueError, "a parameter of schedule must "
     "not have the name of another argument, got steps in Schedule"),
    ({"optimizer": Momentum(momentum=Linear(5))}, TypeError, "momentum must be a number, got Lin"),
    ({"optimizer": Momentum(momentum=[0.5, SWITCHED])}, TypeError, "momentum must be a number, g"),
    ({"optimizer": LevenbergMarquardt(damping=SWITCHED)}, TypeError, "damping must be a number, g"),
    ({"optimizer": Momentum(momentum=SWITCHED), "penalty": fastgd.Penalty("switch*w*w", switch=1)},
     ValueError, "the parameters of penalty and momentum must have different names, got switch"),
    ({"optimizer": Momentum(momentum=SWITCHED), "switch": "x"}, TypeError, "switch must be a n"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "kind", "message"), REFUSED)
def test_what_is_wrong_is_refused_before_work_starts(given, kind, message):
    with pytest.raises(kind, match=message) as error:
        fastgd.train(X, Y, **given)
    assert "\n" not in str(error.value)


def test_a_field_is_a_schedule_or_in_combinations():
    pairs = [{"momentum": 0.5}, {"momentum": 0.9}]
    with pytest.raises(ValueError, match="momentum must be in the combinations or a Schedule, got"):
        fastgd.sweep(X, Y, optimizer=Momentum(momentum=SWITCHED), combinations=pairs)


def test_what_is_equal_and_how_it_is_written():
    assert Step.formula == fastgd.Schedule("factor**floor(t / step_size)", step_size=0, factor=0)
    assert fastgd.Schedule(lambda t: 1 / (t + 1)) == fastgd.Schedule("1 / (t + 1)")
    assert fastgd.Schedule("t", k=1) != fastgd.Schedule("t", k=2) != fastgd.Schedule("t")
    assert fastgd.Schedule("t") != Cosine(5) != Exponential(0.5)
    assert repr(FADING) == "Schedule('exp(-rate * t)', rate=0.002)"
    assert repr(DECAY) == "Penalty('strength * log1p(w * w)', strength=0.02)"
    assert fastgd.Penalty(lambda w: log1p(w)) != fastgd.Function(lambda w: log1p(w))
    assert repr(Adam(beta1=fastgd.Schedule("0.5"))).startswith("Adam(beta1=Schedule('0.5'), beta2=")
    assert pickle.loads(pickle.dumps(Momentum(momentum=SWITCHED))) == Momentum(momentum=SWITCHED)
    assert {FADING, fastgd.Schedule("exp(-rate*t)", rate=0.002)} == {FADING}
