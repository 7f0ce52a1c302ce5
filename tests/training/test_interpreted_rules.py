"""Rules that are interpreted: the bits of compiled ones, and of NumPy step by step."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from test_own_rules import assert_run_is_numpy_step_by_step
from test_results import same

import fastgd
from cases import AMSGRAD, LION, WEIGHTS, X, Y
from fastgd.engine import programs
from fastgd.formulas.rules import Rule
from fastgd.formulas.updates import update_of
from fastgd.training.training_job import TrainingJob
from random_rules import random_rule
from thinning import at_a_time, only

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning"),
]

GIVEN = {"X": X, "y": Y, "alpha": 0.05, "iterations": 40, "record_every": 10}

RANDOM = np.random.default_rng(46)
RULES = list(dict.fromkeys(Rule(random_rule(RANDOM)) for _ in range(110)))[:100]

MOMENTUM = Rule("lambda w, g, alpha, v, rate=0.9: (w + alpha * (v := rate * v + g), v)")
STILL = Rule("lambda w, g, alpha, t: w + alpha * sqrt(t) * where(t < 20, g, -0.0)")
MIXED = [LION, AMSGRAD, LION._replace(beta1=0.5), MOMENTUM, STILL]
"""Two with the same program and a state, one with three and powers of t, and one with none."""


@pytest.fixture
def data(monkeypatch):
    """Train all rules as data."""
    monkeypatch.setattr(programs, "FEWEST", 1)


def compiled(function=fastgd.sweep, **given):
    """Train rules as compiled code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "FEWEST", 10**9)
        sweep = function(**given)
    assert not sweep._sweep_axes.rules_are_data
    return sweep


def interpreted(function=fastgd.sweep, **given):
    sweep = function(**given)
    assert sweep._sweep_axes.rules_are_data
    return sweep


def plain(value):
    """What a result has, without the sign and the payload of NaN, which no operation defines."""
    if isinstance(value, np.ndarray) and value.dtype == float:
        return np.where(np.isnan(value), np.nan, value)
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.name != "source"}
    return [*map(plain, value)] if isinstance(value, list | tuple) else value


def assert_same_runs(one, other):
    assert one.shape == other.shape
    assert [*one.axes] == [*other.axes]
    for place in np.ndindex(one.shape):
        assert same(plain(one[place]), plain(other[place])), place


# ---------------------------------------------------------------- bits


def test_random_rules_are_numpy_step_by_step():
    """To the bit, as far as the trainings get; none of them compiles anything of its own."""
    given = GIVEN | {"iterations": 6, "record_every": 1, "record_weights": True}
    sweep = interpreted(**given, keep_state=True, optimizer=RULES, seed=range(8))
    for run in sweep:
        assert_run_is_numpy_step_by_step(run)
    assert (sweep.status == "finished").sum() > 500


@pytest.mark.slow
def test_random_rules_have_the_bits_of_compiled_ones():
    sweep = interpreted(**GIVEN, optimizer=RULES, seed=range(8), keep_state=True)
    for k, rule in enumerate(RULES):
        alone = fastgd.sweep(**GIVEN, optimizer=rule, seed=range(8), keep_state=True)
        for seed in range(8):
            assert same(plain(sweep[k, seed]), plain(alone[seed])), (seed, rule)


@pytest.mark.parametrize("k", only(range(0, 100, 10), 10))
def test_a_random_rule_has_the_bits_of_a_training(k):
    sweep = interpreted(**GIVEN, optimizer=RULES, seed=range(3), keep_state=True)
    alone = fastgd.train(**GIVEN, optimizer=RULES[k], seed=1)
    assert same(plain(sweep[k, 1]), plain(alone))


# ---------------------------------------------------------------- beside one another

OPTIONS = {
    "alone": {},
    "alpha": {"alpha": [0.01, 0.1]},
    "rates of layers": {"alpha": (0.01, 0.02)},
    "tolerance": {"tolerance": 0.24, "seed": range(20)},
    "stop": {"measure": "gradient_norm", "stop": "gradient_norm < 0.3", "seed": range(20)},
    "measure": {"measure": ["update_norm", "weight_norm", "direction_changes"]},
    "batches": {"batch_size": 4},
    "clip_norm": {"clip_norm": 0.05},
    "clip_above": {"clip_above": 0.01},
    "max_norm": {"max_norm": 0.5},
    "freeze": {"freeze": (0,), "bias": True},
    "noise": {"gradient_noise": 0.1, "input_noise": 0.1},
    "hidden_size": {"hidden_size": [2, (3, 2)]},
    "weights": {"sample_weight": WEIGHTS},
    "schedule": {"schedule": fastgd.schedules.Exponential(0.9)},
    "penalty": {"penalty": fastgd.Penalty("strength * log1p(w * w)", strength=0.1)},
    "batch_norm": {"batch_norm": True, "bias": True, "batch_size": 4},
    "dropout": {"dropout": [0.0, 0.3]},
    "validation": {"validation": (X[:5], Y[:5]), "patience": 1, "restore_best": True},
}


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("name", only(OPTIONS, "alone", "tolerance", "freeze"))
def test_tiles_of_different_rules(name):
    given = GIVEN | {"optimizer": MIXED, "seed": range(3), "record_weights": True}
    given |= {"keep_state": True} | OPTIONS[name]
    with at_a_time(8):
        sweep = interpreted(**given)
        assert_same_runs(sweep, compiled(**given))
    if name in ("tolerance", "stop"):
        assert len({*sweep.iterations.ravel()}) > 1


def test_a_tile_of_eight_rules():
    """Each of its lanes has another program."""
    given = GIVEN | {"optimizer": RULES[:16]}
    with at_a_time(8):
        sweep = interpreted(**given)
        wide = interpreted(**given, seed=[1, 2, 3, 4, 5, 6, 7, 8])
    for k in range(16):
        assert same(plain(sweep[k]), plain(wide[k, 0])), RULES[k]


@pytest.mark.parametrize("form", ["1 / ({} / t)", "sqrt({} / t)"])
def test_parts_with_another_zero_are_others(form):
    plus, minus = form.format("0"), form.format("-0.0")
    rule = Rule(f"lambda w, g, t: w + {plus} - {minus}")
    assert len(update_of(rule.formula, ()).kept) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_signed_zeros():
    """Equal numbers are not the same constant: 1 / -0.0 is -inf."""
    rules = [
        Rule(text)
        for text in (
            "lambda w, g, t: w + minimum(1, 1 / (0 / t)) + maximum(-0.5, 1 / (-0.0 / t))",
            "lambda w, g, t: w + minimum(1, 1 / (-0.0 / t)) + maximum(-0.5, 1 / (0 / t))",
            "lambda w, g: w + maximum(-1, minimum(1, 1 / (0 * w * w))) - where(w < 9, -0.0, 0)",
            "lambda w, g, p=-0.0, q=0: w + maximum(-3, 1 / p) + minimum(1, 1 / q)",
        )
    ]
    given = GIVEN | {"optimizer": rules, "seed": range(2), "iterations": 1}
    sweep = interpreted(**given)
    assert_same_runs(sweep, compiled(**given))


# ---------------------------------------------------------------- wherever sweeps are

SOME = RULES[:20]


@pytest.fixture(scope="module")
def half():
    return interpreted(**GIVEN, optimizer=SOME, seed=range(3), keep_state=True)


@pytest.fixture(scope="module")
def whole():
    given = GIVEN | {"iterations": 70}
    return interpreted(**given, optimizer=SOME, seed=range(3), keep_state=True)


def selections(sweep):
    yield lambda place: place, sweep
    yield lambda place: (3, place[0]), sweep.sel(optimizer=SOME[3])
    yield lambda place: (place[0], 1), sweep.sel(seed=1)
    yield (
        lambda place: ([4, 7][place[0]], 1 + place[1]),
        sweep.sel(optimizer=[SOME[4], SOME[7]], seed=[1, 2]),
    )
    yield lambda place: (2 + 5 * place[0], place[1]), sweep[2::5]
    yield lambda place: (6 + place[0], place[1]), sweep[6:7]


def test_selected_kept_and_resumed(half, whole, tmp_path):
    for where, chosen in selections(half):
        chosen.save(tmp_path / "chosen.fastgd")
        again = fastgd.load(tmp_path / "chosen.fastgd")
        assert again == chosen
        assert again.digest() == chosen.digest()
        longer = fastgd.sweep(X, Y, resume=again, iterations=30)
        for place in np.ndindex(chosen.shape):
            assert same(plain(again[place]), plain(half[where(place)]))
            one, other = longer[place], whole[where(place)]
            if other.status == "finished":
                assert same(plain(one.state.steps), plain(other.state.steps))
            assert same(plain(one.weights), plain(other.weights))


def test_a_run_goes_on_alone(half, whole):
    run = fastgd.train(X, Y, resume=half[6, 1], iterations=30)
    assert same(plain(run.weights), plain(whole[6, 1].weights))


def test_in_folders(half, tmp_path):
    given = GIVEN | {"optimizer": SOME, "seed": range(3), "keep_state": True}
    fastgd.sweep(**given, out=tmp_path)
    assert_same_runs(fastgd.open(tmp_path), half)


def test_a_folder_is_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr("fastgd.training.training_job.runs_per_chunk", lambda _seconds, _size: 9)
    given = GIVEN | {"optimizer": SOME, "seed": range(5), "keep_state": True, "threads": 1}
    compute = TrainingJob.compute

    def interrupted(job, chunk, *others):
        if chunk > 5:
            raise RuntimeError("interrupted")
        return compute(job, chunk, *others)

    with monkeypatch.context() as broken:
        broken.setattr(TrainingJob, "compute", interrupted)
        with pytest.raises(RuntimeError, match="interrupted"):
            fastgd.sweep(**given, out=tmp_path)
    assert (fastgd.open(tmp_path).status == "missing").any()
    fastgd.sweep(**given, out=tmp_path)
    sweep = interpreted(**given)
    assert_same_runs(fastgd.open(tmp_path), sweep)
    assert fastgd.open(tmp_path).digest() == sweep.digest()


def test_tables_predictions_and_progress(half):
    assert len(half.to_dataframe()) == 60
    assert half.weights[0].shape == (20, 3, 3, 4)
    assert same(plain(half.predict(X)[4, 1]), plain(half[4, 1].predict(X)))
    calls = []
    given = GIVEN | {"optimizer": SOME, "seed": range(3), "keep_state": True}
    sweep = interpreted(**given, threads=1, progress=lambda *now: calls.append(now))
    assert_same_runs(sweep, half)
    assert calls


@pytest.mark.slow
def test_workers_have_the_programs(half):
    given = GIVEN | {"optimizer": SOME, "seed": range(3), "keep_state": True}
    with ProcessPoolExecutor(1) as executor:
        assert_same_runs(fastgd.sweep(**given, executor=executor), half)


def test_changed_in_the_middle(half):
    fields = [dict.fromkeys(rule.hyperparameters, 0.25) for rule in SOME]
    changed = [rule._replace(**own) for rule, own in zip(SOME, fields, strict=True)]
    longer = fastgd.sweep(X, Y, resume=half, iterations=30, change={"optimizer": changed})
    for k in (0, 7, 13):
        change = {"optimizer": changed[k]}
        alone = fastgd.train(X, Y, resume=half[k, 2], iterations=30, change=change)
        assert same(plain(longer[k, 2].weights), plain(alone.weights))


def test_what_interpreted_rules_cannot_have_later(half):
    fields = [dict.fromkeys(rule.hyperparameters, fastgd.Schedule("t / total")) for rule in SOME]
    changed = [rule._replace(**own) for rule, own in zip(SOME, fields, strict=True)]
    what = "a sweep whose rules are interpreted, got"
    with pytest.raises(ValueError, match=f"fields must stay numbers in change of {what}"):
        fastgd.sweep(X, Y, resume=half, iterations=30, change={"optimizer": changed})
    with pytest.raises(ValueError, match=f"device must be 'cpu' to resume {what} 'auto'"):
        fastgd.sweep(X, Y, resume=half, iterations=30, device="auto")


@pytest.mark.slow
@pytest.mark.usefixtures("data")
@pytest.mark.filterwarnings("ignore::fastgd.engine.execution.DeviceWarning")
@pytest.mark.parametrize(
    "given", [{"folds": 2}, {"device": "auto"}, {"activation": ["tanh", "relu"]}]
)
def test_beside_these_rules_are_compiled(given):
    sweep = fastgd.sweep(**GIVEN, optimizer=[MOMENTUM, STILL], **given)
    assert not sweep._sweep_axes.rules_are_data


def test_what_is_compiled(monkeypatch):
    """Few formulas, long trainings of large networks, parts, and fields that change."""
    monkeypatch.setattr(programs, "FEWEST", 3)
    few = [SOME[0], SOME[1]]
    numbers = [MOMENTUM._replace(rate=k / 20) for k in range(20)]
    changing = [MOMENTUM._replace(rate=fastgd.Schedule("0.9 * t / total")), *MIXED]
    for rules in (few, numbers, changing):
        assert not programs.are_data(rules, 8, 10, 20)
    assert programs.are_data(MIXED, 8, 10, 20)
    assert not programs.are_data(MIXED, 8, 10**6, 10**4)
