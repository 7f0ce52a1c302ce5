"""Resuming with other samples or other values: against NumPy by hand, the twin, and one training.

The twin is compared with NumPy here, too, so that it can be the oracle of what takes longer to
write: monitored errors, schedules, drawn samples.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from test_resuming import equal

import fastgd
from fastgd.optimizers import Adam, LevenbergMarquardt, Momentum, RMSProp, Rprop
from fastgd.schedules import Cosine, Factors, Linear, Step
from fastgd.store import npz

pytestmark = pytest.mark.slow  # each of them compiles

RANDOM = np.random.default_rng(46)


def table(rows):
    x = RANDOM.normal(size=(rows, 3))
    return x, sigmoid(x @ [[1.0], [-2.0], [0.5]])


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


TABLES = [table(rows) for rows in (12, 9, 15)]
X, Y = TABLES[0]
HELD = table(5)
TRAINS = {"fast": fastgd.train, "twin": fastgd.reference.train}
BOTH = pytest.mark.parametrize("train", TRAINS.values(), ids=TRAINS)


class ByHand:
    """The article's network in NumPy, with a step of one optimizer; it knows nothing of fastgd."""

    def __init__(self, step):
        random = np.random.RandomState(1)
        self.w = [2 * random.random_sample(shape) - 1 for shape in ((3, 4), (4, 1))]
        self.memory = [{} for _ in self.w]
        self.changes = [np.zeros(w.shape, int) for w in self.w]
        self.up, self.step, self.errors = None, step, []

    def run(self, x, y, iterations, **settings):
        for _ in range(iterations):
            hidden = sigmoid(x @ self.w[0])
            out = sigmoid(hidden @ self.w[1])
            self.errors.append(np.abs(y - out).mean())
            delta = (y - out) * out * (1 - out)
            below = delta @ self.w[1].T * hidden * (1 - hidden)
            g = [x.T @ below, hidden.T @ delta]
            up = [part > 0 for part in g]
            for k in range(2):
                if self.up is not None:
                    self.changes[k] += up[k] != self.up[k]
                self.w[k] = self.w[k] + self.step(self.memory[k], g[k], **settings)
            self.up = up
        return self


def momentum_step(memory, g, alpha, momentum):
    memory["v"] = momentum * memory.get("v", 0) + g
    return alpha * memory["v"]


def adam_step(memory, g, alpha, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The bias of an average that began at 0 is the product of the betas that it had."""
    memory["m"] = beta1 * memory.get("m", 0) + (1 - beta1) * g
    memory["s"] = beta2 * memory.get("s", 0) + (1 - beta2) * g**2
    memory["p"], memory["q"] = memory.get("p", 1) * beta1, memory.get("q", 1) * beta2
    mean, square = memory["m"] / (1 - memory["p"]), memory["s"] / (1 - memory["q"])
    return alpha * mean / (np.sqrt(square) + epsilon)


def agree(run, hand):
    for k in range(2):
        np.testing.assert_allclose(run.weights[k], hand.w[k], rtol=1e-9)
        np.testing.assert_array_equal(run.direction_changes[k], hand.changes[k])
    np.testing.assert_allclose(run.errors, hand.errors, rtol=1e-9)
    assert run.iterations == len(hand.errors)


@BOTH
def test_alpha_and_momentum_change_and_the_velocity_stays(train):
    given = {"alpha": 0.4, "optimizer": Momentum(0.5), "record_every": 1}
    run = train(X, Y, iterations=20, **given)
    changes = [{"momentum": 0.9}, {"alpha": 0.1}, {"momentum": 0.7, "alpha": 0.2}]
    hand = ByHand(momentum_step).run(X, Y, 20, alpha=0.4, momentum=0.5)
    values = {"alpha": 0.4, "momentum": 0.5}
    for now in changes:
        change = now if len(now) == 1 else {"optimizer": Momentum(0.7), "alpha": 0.2}
        run = train(X, Y, resume=run, change=change, iterations=15)
        values |= now
        agree(run, hand.run(X, Y, 15, **values))
    assert (run.alpha, run.options) == (0.2, {"optimizer": Momentum(0.7)})


@BOTH
def test_a_curriculum_of_three_tables_keeps_what_adam_has(train):
    run, hand, stage = None, ByHand(adam_step), {}
    for k, (x, y) in enumerate(TABLES):
        if run is not None:
            stage = {"resume": run, "samples": "new", "change": {"alpha": 0.05 / k, "beta1": 0.7}}
        else:
            stage = {"alpha": 0.05, "optimizer": Adam(), "record_every": 1}
        run = train(x, y, iterations=12, **stage)
        hand.run(x, y, 12, alpha=0.05 / max(k, 1), beta1=0.9 if k == 0 else 0.7)
        agree(run, hand)
    # Plain gradient descent from there goes on as any run does.
    agree(train(x, y, resume=run, iterations=5), hand.run(x, y, 5, alpha=0.025, beta1=0.7))


def test_values_that_are_those_of_before_change_nothing():
    given = {"alpha": 0.5, "patience": 9, "l2": 0.01, "optimizer": Momentum(0.5)}
    run = fastgd.train(X, Y, iterations=20, **given)
    plain = fastgd.train(X, Y, resume=run, iterations=20)
    same = fastgd.train(X, Y, resume=run, iterations=20, change={**given, "momentum": 0.5})
    equal(same, plain)
    assert (plain.schedule_start, same.schedule_start) == (None, 0)
    other = fastgd.train(X, Y, resume=run, iterations=20, change={"l2": 0.02})
    assert other.state.parameters.tolist() != plain.state.parameters.tolist()


def test_another_alpha_has_the_bits_of_factors():
    given = {"record_every": 3, "batch_size": 5, "optimizer": Adam(), "dropout": 0.2}
    run = fastgd.train(X, Y, alpha=0.5, iterations=10, **given)
    run = fastgd.train(X, Y, resume=run, change={"alpha": 0.125}, iterations=10)
    factors = Factors(np.repeat([1, 0.25], 10))
    whole = fastgd.train(X, Y, alpha=0.5, schedule=factors, iterations=20, **given)
    equal(replace(run, alpha=0.5), whole)


@pytest.mark.parametrize("more", [{}, {"batch_size": 5, "patience": 300, "restore_best": True}])
def test_another_momentum_has_the_bits_of_a_schedule(more):
    """Compiles a momentum over time; early stopping, mini-batches and records continue."""
    given = {"alpha": 0.3, "record_every": 7, **more}
    run = fastgd.train(X, Y, iterations=500, optimizer=Momentum(0.5), **given)
    run = fastgd.train(X, Y, resume=run, iterations=100, change={"momentum": 0.9})
    switched = Momentum(fastgd.Schedule("where(t < 500, 0.5, 0.9)"))
    whole = fastgd.train(X, Y, iterations=600, optimizer=switched, **given)
    equal(replace(run, options=whole.options), whole)


def test_a_field_of_a_schedule_changes_its_present_value():
    given = {"alpha": 0.4, "record_every": 1}
    run = fastgd.train(X, Y, schedule=Linear(20), iterations=8, **given)
    run = fastgd.train(X, Y, resume=run, change={"steps": 40}, iterations=8)
    both = [1 - np.arange(8) / 20, 1 - np.arange(8, 16) / 40]
    whole = fastgd.train(X, Y, schedule=Factors(np.concatenate(both)), iterations=16, **given)
    np.testing.assert_allclose(run.errors, whole.errors, rtol=1e-9)
    assert run.schedule_start == 0


SCHEDULES = {
    "step": Step(4, 0.5),
    "cosine": Cosine(15, 0.1, warmup_steps=3),
    "linear": Linear(9, 0.2),
    "factors": Factors(np.linspace(1, 0.5, 14)),
}


@pytest.mark.parametrize(
    "name", ["cosine", *(pytest.param(n, marks=pytest.mark.slow) for n in SCHEDULES if n[0] != "c")]
)
def test_a_schedule_that_is_given_anew_starts_from_0(name):
    """A warm restart, also of the same schedule."""
    schedule = SCHEDULES[name]
    for before in ({"schedule": schedule}, {}):
        given = {"alpha": 0.4, "optimizer": Momentum(0.5), "record_every": 1}
        runs = []
        for train in (fastgd.train, fastgd.reference.train):
            run = train(X, Y, iterations=9, **given | before)
            restarted = train(X, Y, resume=run, iterations=13, change={"schedule": schedule})
            on = train(X, Y, resume=run, iterations=6, change={"schedule": schedule})
            on = train(X, Y, resume=on, iterations=7)  # which does not start again
            equal(on, restarted)
            assert on.schedule_start == 9
            runs.append(restarted)
        np.testing.assert_allclose(runs[0].weights[0], runs[1].weights[0], rtol=1e-9)
    factors = fastgd.reference.schedules.factors
    own = [*np.ones(9), *factors(schedule, 13)]
    whole = fastgd.train(X, Y, iterations=22, **given, schedule=own)
    np.testing.assert_allclose(runs[0].errors, whole.errors, rtol=1e-9)
    with pytest.raises(ValueError, match="a factor for each of 30 updates, got 13"):
        fastgd.train(X, Y, resume=run, iterations=30, change={"schedule": own[9:]})


MONITORED = {
    "other samples": ({"patience": 8, "restore_best": True}, {"samples": "new"}),
    "the same validation set": ({"patience": 8, "restore_best": True, "validation": HELD},
                                {"samples": "new", "validation": HELD}),
    "another validation set": ({"restore_best": True, "validation": HELD},
                               {"samples": "new", "validation": (HELD[0], 1 - HELD[1])}),
    "a first validation set": ({"restore_best": True, "patience": 9},
                               {"samples": "new", "validation": HELD}),
    "no validation set any more": ({"patience": 9, "validation": HELD}, {"samples": "new"}),
    "a tolerance": ({"tolerance": 1e-9}, {"change": {"tolerance": 0.12}}),
    "from now on": ({}, {"change": {"patience": 7, "evaluate_every": 3}}),
    "the loss": ({"patience": 8, "l2": 0.01}, {"change": {"monitor": "loss", "alpha": 0.3}}),
    "batches": ({"patience": 20}, {"change": {"batch_size": 5, "alpha": 0.1}}),
    "the best": ({"patience": 8}, {"change": {"restore_best": True}}),
    "no summary": ({"summary": 4, "patience": 9}, {"change": {"summary": None}, "samples": "new"}),
}  # fmt: skip


@pytest.mark.parametrize("name", MONITORED)
def test_what_is_monitored_is_as_in_the_twin(name):
    first, then = MONITORED[name]
    x, y = TABLES[1] if then.get("samples") else (X, Y)
    found = []
    for train in (fastgd.train, fastgd.reference.train):
        run = train(X, Y, alpha=0.5, iterations=14, record_every=4, **first)
        on = train(x, y, resume=run, iterations=11, **then)
        last = {n: v for n, v in then.items() if n == "validation"}
        found.append(train(x, y, resume=on, iterations=30, **last))
    fast, twin = found
    assert fast.schedule_start == twin.schedule_start == 0
    for field in ("status", "iterations", "best_iteration"):
        assert getattr(fast, field) == getattr(twin, field), field
    for field in ("errors", "losses", "final_error", "validation_errors", "final_loss"):
        one, other = getattr(fast, field), getattr(twin, field)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=1e-8, err_msg=field)
    for field, array in fast.state._asdict().items():
        if fast.state.ended < 0 or field in ("parameters", "changes", "watch", "best"):
            np.testing.assert_allclose(array, getattr(twin.state, field), rtol=1e-7, err_msg=field)


def test_a_best_network_is_kept_where_the_same_error_is_monitored():
    """Otherwise the best one of the stage is the result."""
    given = {"restore_best": True, "validation": HELD, "alpha": 0.5, "evaluate_every": 5}
    run = fastgd.train(X, Y, iterations=60, **given)
    held = {"validation": HELD, "resume": run, "iterations": 40}
    on = fastgd.train(X, Y, change={"alpha": 1e-9, "l2": 9.0}, **held)
    assert on.best_iteration == run.best_iteration
    assert on.final_validation_error == run.final_validation_error
    assert fastgd.train(X, 1 - Y, samples="new", **held).best_iteration >= 60


def test_records_before_a_first_validation_set_are_nan():
    run = fastgd.train(X, Y, iterations=9, record_every=4)
    on = fastgd.train(X, Y, resume=run, samples="new", validation=HELD, iterations=7)
    assert np.isnan(on.validation_errors).tolist() == [True] * 3 + [False]
    np.testing.assert_array_equal(on.errors[:3], run.errors)


OTHERS = {
    "frozen": ({}, {"freeze": (0,)}),
    "thawed": ({"freeze": [None, np.eye(4, 1, dtype=bool)]}, {"freeze": None}),
    "penalties": ({"l1": 0.01}, {"l1": 0.0, "l2": 0.1}),
    "clipped": ({}, {"clip_norm": 0.01, "max_norm": 1.5}),
    "loss": ({"loss": "huber", "delta": 0.3}, {"loss": "absolute"}),
    "a loss's parameter": ({"loss": "huber"}, {"delta": 0.1}),
    "mean": ({}, {"reduction": "mean", "alpha": 3.0}),
    "masks": ({}, {"dropout": 0.5, "dropconnect": 0.2}),
    "drawn": ({}, {"batch_size": 4, "sampling": "adaptive"}),
    "no longer drawn": ({"batch_size": 4, "sampling": "adaptive"}, {"sampling": "epochs"}),
    "order": ({"batch_size": 5}, {"shuffle": False, "batch_size": 4}),
    "squares": ({"optimizer": RMSProp(0.5), "alpha": 0.01}, {"rho": 0.9, "epsilon": 1e-4}),
    "steps of second order": (
        {"optimizer": LevenbergMarquardt(1.0), "iterations": 3},
        {"decrease": 0.5, "alpha": 0.5},
    ),
}


def test_a_formula_that_is_given_anew_has_its_own_parameters():
    soft = fastgd.Penalty("strength * w * w", strength=0.1)
    run = fastgd.train(X, Y, iterations=3, penalty=soft, strength=0.5)
    for change, strength in (({"strength": 0.2}, 0.2), ({"penalty": soft}, None)):
        on = fastgd.train(X, Y, resume=run, iterations=3, change=change)
        assert on.options.get("strength") == strength
    again = fastgd.train(X, Y, resume=run, iterations=3, change={"l2": 0.1})
    assert again.options["strength"] == 0.5


@BOTH
def test_derivatives_whose_weight_is_0_are_given_again(train):
    given = {"gradients": np.ones((12, 3)), "iterations": 4}
    run = train(X, Y, **given, record_every=2)
    for weight in (0, 2.0):
        run = train(X, Y, resume=run, change={"gradient_weight": weight}, **given)
        on = train(X, Y, resume=run, **given)
        assert on.options.get("gradient_weight", 0) == weight
        with pytest.raises(ValueError, match="gradients must be given again"):
            train(X, Y, resume=run, iterations=4)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.slow  # kernels of many options
def test_options_that_change_are_as_in_the_twin(name):
    first, change = OTHERS[name]
    found = []
    for train in (fastgd.train, fastgd.reference.train):
        run = train(X, Y, **{"alpha": 0.5, "iterations": 14, "record_every": 4} | first)
        found.append(train(X, Y, resume=run, iterations=9, change=change))
        alone = train(X, Y, resume=run, iterations=9)
        assert found[-1].weights[-1].tolist() != alone.weights[-1].tolist()
    fast, twin = found
    assert fast.schedule_start == twin.schedule_start == 0
    assert fast.options.keys() == twin.options.keys()
    for field, array in fast.state._asdict().items():
        np.testing.assert_allclose(array, getattr(twin.state, field), rtol=1e-6, err_msg=field)


def test_drawn_samples_that_are_others_are_drawn_alike_at_first():
    given = {"batch_size": 4, "sampling": "adaptive", "alpha": 0.5, "sampling_rate": 5.0}
    run = fastgd.train(X, Y, iterations=9, **given)
    assert run.state.tau.any()
    found = [
        train(*TABLES[2], resume=one, samples="new", iterations=1)
        for train, one in (
            (fastgd.train, run),
            (fastgd.reference.train, fastgd.reference.train(X, Y, iterations=9, **given)),
        )
    ]
    assert np.count_nonzero(found[0].state.tau) == 15
    np.testing.assert_allclose(found[0].state.tau, found[1].state.tau, rtol=1e-8)


# ---- sweeps


SWEPT = {"alpha": [0.5, 0.2], "optimizer": Adam([0.5, 0.9]), "seed": [3, 4], "record_every": 4}


def changed(sweep, **given):
    return fastgd.sweep(X, Y, resume=sweep, iterations=7, **given)


def test_each_run_of_a_sweep_is_changed_as_it_is_alone(tmp_path):
    first = fastgd.sweep(X, Y, keep_state=True, iterations=10, **SWEPT)
    change = {"alpha": [0.5, 0.1], "beta1": [0.6, 0.8], "beta2": 0.99, "l2": 0.01}
    on = changed(first, change=change)
    assert on.axes == {"alpha": [0.5, 0.1], "beta1": [0.6, 0.8], "seed": [3, 4]}
    assert on.schedule_start == 0
    for index in np.ndindex(on.shape):
        a, b, _ = index
        single = {"alpha": change["alpha"][a], "beta1": change["beta1"][b], "beta2": 0.99}
        alone = fastgd.train(X, Y, resume=first[index], iterations=7, change={**single, "l2": 0.01})
        equal(on[index], alone)
        assert on[index] == alone
    some = first[1:, :, 1]
    part = fastgd.sweep(X, Y, resume=some, iterations=7, change={**change, "alpha": [0.1]})
    assert part == on[1:, :, 1]
    with ThreadPoolExecutor(1) as executor:
        assert changed(first, change=change, executor=executor) == on
    on.save(tmp_path / "sweep.npz")
    loaded = fastgd.load(tmp_path / "sweep.npz")
    assert loaded == on
    assert loaded.schedule_start == 0
    there = changed(first, change=change, out=tmp_path / "folder")
    for folder in (there, fastgd.open(tmp_path / "folder")):
        assert folder == on
        assert folder[1, 0, 1] == on[1, 0, 1]
    again = changed(fastgd.open(tmp_path / "folder"), change={"schedule": Cosine(7)})
    assert again.schedule_start == again[0, 0, 0].schedule_start == again[:1].schedule_start == 17
    with pytest.raises(ValueError, match=r"hold the same sweep, got one with options\.l2"):
        changed(first, change={**change, "l2": 0.02}, out=tmp_path / "folder")


def test_a_sweep_goes_on_with_other_samples():
    first = fastgd.sweep(X, Y, keep_state=True, iterations=10, **SWEPT)
    on = fastgd.sweep(*TABLES[1], resume=first, samples="new", iterations=7)
    alone = fastgd.train(*TABLES[1], resume=first[1, 0, 1], samples="new", iterations=7)
    assert on[1, 0, 1] == alone
    equal(on[1, 0, 1], alone)
    with pytest.raises(ValueError, match="resume needs the samples that the sweep"):
        fastgd.sweep(X, Y, resume=on, iterations=7)


def test_folds_are_given_again_for_other_samples():
    given = {"alpha": [0.5, 0.2], "iterations": 6}
    first = fastgd.sweep(X, Y, folds=3, keep_state=True, sample_weight=np.arange(12.0), **given)
    with pytest.raises(ValueError, match="groups, folds and rows of sample_weight must be given"):
        fastgd.sweep(*TABLES[2], resume=first, samples="new", iterations=6)
    with pytest.raises(ValueError, match="groups, folds and rows of sample_weight must be given"):
        fastgd.sweep(*TABLES[2], resume=first, samples="new", folds=5, iterations=6)
    on = fastgd.sweep(*TABLES[2], resume=first, samples="new", folds=3, iterations=6)
    x, y = TABLES[2]
    rows = np.arange(15) >= 5
    alone = fastgd.train(
        x[rows], y[rows], resume=first[0, 1], samples="new", iterations=6,
        validation=(x[~rows], y[~rows]),
    )  # fmt: skip
    equal(on[0, 1], alone)
    assert on[0, 1] == alone
    assert on[0, 1].sample_hashes == alone.sample_hashes


def test_runs_that_ended_early_stay_and_alone_are_refused():
    given = {"alpha": [1.0, 1e-4], "tolerance": 0.1, "iterations": 300}
    first = fastgd.sweep(X, Y, keep_state=True, **given)
    assert first.status.tolist() == ["converged", "finished"]
    on = changed(first, change={"tolerance": 0.01, "alpha": [2.0, 1.0]})
    assert on.iterations.tolist() == [first.iterations[0], 307]
    np.testing.assert_array_equal(on[0].weights[0], first[0].weights[0])
    for resumed, train in ((first[0], fastgd.train), (first[:1], fastgd.sweep)):
        for how in ({"change": {"tolerance": 0.2}}, {"samples": "new"}):
            with pytest.raises(ValueError, match=r"no state is kept of one that ended early, got"):
                train(*TABLES[1 if "samples" in how else 0], resume=resumed, iterations=5, **how)


def test_a_changed_sweep_without_weights_can_not_train_its_runs_again():
    first = fastgd.sweep(X, Y, keep_state=True, keep_weights=False, iterations=5, alpha=[1, 2])
    on = changed(first, change={"l2": 0.01})
    with pytest.raises(ValueError, match="was resumed with change or other samples"):
        on[0]


# ---- files


@pytest.fixture(scope="module")
def run():
    run = fastgd.train(
        X, Y, iterations=9, alpha=(0.5, 0.2), sample_weight=np.ones(12), optimizer=Momentum(0.5),
        loss="huber", delta=0.3, freeze=[None, np.eye(4, 1, dtype=bool)],
        schedule=np.linspace(1, 0.5, 12),
    )  # fmt: skip
    change = {"alpha": 1, "momentum": 0.9, "loss": "squared", "freeze": None, "clip_norm": 3.0}
    change |= {"schedule": Linear(9)}
    return fastgd.train(*TABLES[1], resume=run, samples="new", change=change, iterations=5)


def test_a_changed_run_is_kept_in_a_file(run, tmp_path):
    run.save(tmp_path / "run.npz")
    loaded = fastgd.load(tmp_path / "run.npz")
    assert loaded == run
    assert loaded.schedule_start == 9
    assert loaded.options == {
        "optimizer": Momentum(0.9), "schedule": Linear(9), "clip_norm": 3.0
    }  # fmt: skip
    equal(
        fastgd.train(*TABLES[1], resume=loaded, iterations=3),
        fastgd.train(*TABLES[1], resume=run, iterations=3),
    )
    fastgd.assert_equal(loaded, run)
    with pytest.raises(AssertionError, match=r"differ first in schedule_start"):
        fastgd.assert_equal(replace(run, schedule_start=8), run)


@pytest.mark.parametrize("start", ["9", -1, 0.5, [9]])
def test_a_forged_start_of_a_schedule_is_refused(run, start, tmp_path):
    run.save(tmp_path / "run.npz")
    with npz.reading(tmp_path / "run.npz") as (kind, header, arrays):
        named = {name: np.asarray(array) for name, array in arrays.items()}
    npz.write(tmp_path / "forged.npz", kind, header | {"schedule_start": start}, named)
    with pytest.raises(ValueError, match=r"forged\.npz must"):
        fastgd.load(tmp_path / "forged.npz")


def test_a_checkpoint_of_a_changed_training(tmp_path, monkeypatch):
    from fastgd.training import train_sweep

    monkeypatch.setattr(train_sweep, "FIRST", 4)
    monkeypatch.setattr(train_sweep, "GROWTH", 1)
    first = fastgd.train(X, Y, iterations=9, optimizer=Adam())
    how = {"samples": "new", "change": {"alpha": 0.1, "schedule": Linear(9)}, "iterations": 11}
    whole = fastgd.train(*TABLES[1], resume=first, **how)
    file = tmp_path / "run.npz"
    write, written = train_sweep._write, []

    def once(path, run, asked):
        write(path, run, asked)
        written.append(run)
        if len(written) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(train_sweep, "_write", once)
    with pytest.raises(KeyboardInterrupt):
        fastgd.train(*TABLES[1], resume=first, checkpoint=file, **how)
    assert fastgd.load(file).state.planned == 13
    on = fastgd.train(*TABLES[1], resume=first, checkpoint=file, **how)
    equal(on, whole)
    assert fastgd.load(file) == on == whole
    how["change"]["alpha"] = 0.2
    with pytest.raises(ValueError, match="must be the checkpoint of this training"):
        fastgd.train(*TABLES[1], resume=first, checkpoint=file, **how)
    anew = fastgd.train(*TABLES[1], resume=on, change={"schedule": Linear(9)}, iterations=3)
    there = {"resume": on, "checkpoint": tmp_path / "other.npz", "iterations": 3}
    plain = fastgd.train(*TABLES[1], **there)
    assert plain.options == anew.options
    with pytest.raises(ValueError, match="must be the checkpoint of this training"):
        fastgd.train(*TABLES[1], **there, change={"schedule": Linear(9)})


# ---- refusals


def test_recorded_predictions_are_of_as_many_samples():
    run = fastgd.train(X, Y, iterations=4, record_predictions=True)
    with pytest.raises(ValueError, match=r"record_predictions=True \(12\), got 9"):
        fastgd.train(*TABLES[1], resume=run, samples="new", iterations=4)
    on = fastgd.train(X + 1, Y, resume=run, samples="new", iterations=10_000)
    assert on.recorded_predictions.shape == (2, 12, 1)


@BOTH
def test_refused(train):
    def refused(message, kind=ValueError, x=X, y=Y, resume=None, **given):
        with pytest.raises(kind, match=message):
            train(x, y, iterations=5, resume=resume, **given)

    plain = train(X, Y, iterations=5, optimizer=Momentum(0.5), summary=3)
    known = r"which is alpha, optimizer, .* or momentum, got"
    refused("^change must go with resume, got change={'alpha': 1} without it", change={"alpha": 1})
    refused("^samples must go with resume, got samples='new' without it", samples="new")
    refused("^samples must be 'same' or 'new', got 'old'", resume=plain, samples="old")
    refused(
        "^change must be a dict of values by name, got 0.1", TypeError, resume=plain, change=0.1
    )
    for name in (
        "activation",
        "bias",
        "batch_norm",
        "seed",
        "hidden_size",
        "init",
        "iterations",
        "measure",
        3,
    ):
        refused(f"^change must have .*{known} {name!r}", resume=plain, change={name: 1})
    refused("got 'learning_rate': .*alpha", resume=plain, change={"learning_rate": 1})
    refused("^alpha must be left out .* 1, got 2", resume=plain, change={"alpha": 1}, alpha=2)
    refused(
        re.escape(
            "^optimizer must stay the same in change, but for its fields, since its "
            "state is kept: Momentum(momentum=0.5), got Adam("
        )[1:],
        resume=plain,
        change={"optimizer": Adam()},
    )
    refused("^optimizer must stay .* got 3", resume=plain, change={"optimizer": 3})
    refused("^momentum must be .* got 1.5", resume=plain, change={"momentum": 1.5})
    refused("^alpha must be a finite number above 0, got 0", resume=plain, change={"alpha": 0})
    refused("^batch_size must be .*12.*, got 13", resume=plain, change={"batch_size": 13})
    refused("^summary must be changed to None .* got 3", resume=plain, x=X + 1, samples="new")
    refused("^summary must be changed to None .* got 3", resume=plain, change={"batch_size": 4})
    refused(
        "must be of a network with 2 inputs",
        x=X[:, :2],
        resume=plain,
        samples="new",
        change={"summary": None},
    )
    refused("^l2 must be left out with resume", resume=plain, l2=0.1, change={"alpha": 1.0})
    signs = train(X, Y, iterations=5, optimizer=Rprop(), alpha=0.1)
    refused("^alpha must stay 0.1 with optimizer=Rprop", resume=signs, change={"alpha": 1})
    curved = train(X, Y, iterations=5, optimizer=LevenbergMarquardt())
    refused(
        "^damping must stay 0.001 with optimizer=LevenbergMarquardt",
        resume=curved,
        change={"damping": 1},
    )


def test_refused_of_sweeps():
    def refused(message, resume, **given):
        with pytest.raises(ValueError, match=message):
            changed(resume, **given)

    first = fastgd.sweep(X, Y, keep_state=True, iterations=5, **SWEPT)
    axes = "^change must leave the axes of the sweep and their lengths, .*'alpha': 2"
    refused(axes, first, change={"alpha": 0.1})
    refused(axes, first, change={"alpha": [1, 2, 3]})
    refused(axes, first, change={"l2": [0, 0.1]})
    refused("alpha must have.*|.*twice.*", first, change={"alpha": [1, 1]})
    pairs = [{"alpha": 0.5, "beta1": 0.5}, {"alpha": 0.1, "beta1": 0.7}]
    own = fastgd.sweep(X, Y, keep_state=True, iterations=5, combinations=pairs, optimizer=Adam())
    for name in ("alpha", "beta1"):
        refused(f"^change must have what .*optimizer.* got '{name}'", own, change={name: 0.3})
    on = changed(own, change={"l2": 0.01, "beta2": 0.9})
    for k, pair in enumerate(pairs):
        alone = fastgd.train(X, Y, iterations=5, alpha=pair["alpha"], optimizer=Adam(pair["beta1"]))
        change = {"l2": 0.01, "beta2": 0.9}
        equal(on[k], fastgd.train(X, Y, resume=alone, iterations=7, change=change))
