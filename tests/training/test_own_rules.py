"""Rules in trainings: against NumPy step by step, alone and in sweeps, resumed, kept, and raced."""

import json
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from test_results import same

import fastgd
from cases import AMSGRAD, LION, WEIGHTS, XOR_X, XOR_Y, X, Y
from fastgd import reference
from fastgd.formulas.rules import Rule, facts_of
from fastgd.optimizers import Adam, Momentum
from fastgd.training.sweep_axes import labels_of
from random_rules import random_rule, step_in_numpy
from thinning import at_a_time, kernels_of, only

pytestmark = pytest.mark.slow  # each of them compiles

GIVEN = {"X": X, "y": Y, "alpha": 0.01, "iterations": 50, "record_every": 10}


# ---------------------------------------------------------------- against NumPy


def assert_numpy_step_by_step(text, iterations):
    """Train, and make the steps in NumPy, by the derivatives of fastgd.objective: same bits."""
    settings = GIVEN | {"iterations": iterations, "record_every": 1, "record_weights": True}
    assert_run_is_numpy_step_by_step(fastgd.train(**settings, optimizer=Rule(text)))


def assert_run_is_numpy_step_by_step(run):
    """The same of a run with recorded weights, with all that the rule keeps."""
    rule, objective = run.options["optimizer"], fastgd.objective(X, Y, hidden_size=4)
    path = zip(*run.recorded_weights, strict=True)
    path = [np.concatenate([layer.ravel() for layer in layers]) for layers in path]
    w, states = path[0], [np.zeros_like(path[0])] * len(facts_of(rule.formula).states)
    ended = run.status == "finished"
    reached = [*path, run.state.parameters[0]] if ended else path[: run.iterations]
    for t, expected in enumerate(reached[1:], 1):
        _, derivative = objective(w)
        w, *states = step_in_numpy(rule.formula, w, -derivative, run.alpha, t, states)
        assert w.tobytes() == expected.tobytes()
    if ended:
        assert len(run.state.steps[0]) == len(states)
        for one, other in zip(states, run.state.steps[0], strict=True):
            np.testing.assert_array_equal(one, other)


def test_lion_is_numpy_step_by_step():
    with kernels_of("lion"):
        assert_numpy_step_by_step(LION.formula, 37)


def test_a_state_is_read_before_the_new_one_is_stored():
    """The derivative, which one state becomes, is known before any state is read."""
    text = "lambda w, g, alpha, last, before: (w + alpha * (g + last / 2 - before / 4), g, last)"
    assert_numpy_step_by_step(text, 6)


RANDOM = np.random.default_rng(1)
RULES = {k: random_rule(RANDOM) for k in range(100)}


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize("k", only(RULES, 0, 1))
def test_a_random_rule_is_numpy_step_by_step(k):
    """To the bit, as far as the training gets; each needs a kernel of its own."""
    assert_numpy_step_by_step(RULES[k], 6)


def test_most_random_rules_are_tested():
    """Rules that diverge at once would show nothing."""
    given = GIVEN | {"iterations": 6, "record_every": 1}
    with np.errstate(all="ignore"):
        ended = [reference.train(**given, optimizer=Rule(text)).status for text in RULES.values()]
    assert ended.count("finished") > 60


CHANGING = [
    ("lambda w, g, alpha, t, p=0.9: w + alpha * (1 - p**t) * g", "where(t < 20, 0.5, 0.9)"),
    ("lambda w, g, alpha, t, p=1: w + alpha * (1 - (p / 2)**t) / sqrt(t) * g", "1 + t / total"),
    ("lambda w, g, alpha, t, p=1: w + alpha / (1 + (p / t)**t) * g", "1 + t / total"),
]


@pytest.mark.parametrize(("text", "formula"), CHANGING)
def test_the_twin_has_the_numbers_of_changing_hyperparameters(text, formula):
    """Powers are products: a factor per update, which is that of the update."""
    given = GIVEN | {"alpha": 0.1, "optimizer": Rule(text, p=fastgd.Schedule(formula))}
    with at_a_time(8):
        run, twin = fastgd.train(**given), reference.train(**given)
        np.testing.assert_allclose(twin.errors, run.errors, rtol=1e-9)
        np.testing.assert_allclose(twin.state.corrections, run.state.corrections, rtol=1e-12)
        for before in (run, twin):
            longer = [
                f(X, Y, resume=before, iterations=20) for f in (fastgd.train, reference.train)
            ]
            np.testing.assert_allclose(longer[0].weights[0], longer[1].weights[0], rtol=1e-9)


# ---------------------------------------------------------------- wherever optimizers are


def test_a_rule_of_ones_own_has_the_bits_of_the_optimizer():
    own = Rule("lambda w, g, alpha, v, rate=0.9: (fma(alpha, v := fma(rate, v, g), w), v)")
    with kernels_of("momentum"):
        runs = [fastgd.train(**GIVEN, optimizer=one) for one in (own, Momentum())]
    assert same(runs[0].weights, runs[1].weights)
    assert same(runs[0].state, runs[1].state)


def test_fields_are_axes():
    axes = {"beta1": [0.5, 0.9], "beta2": [0.0, 0.99, 0.5]}
    with kernels_of("lion"):
        sweep = fastgd.sweep(**GIVEN, optimizer=LION._replace(**axes), seed=range(2))
        assert sweep.shape == (2, 3, 2)
        assert [*sweep.axes] == ["beta1", "beta2", "seed"]
        for place in np.ndindex(sweep.shape):
            own = {name: axes[name][i] for name, i in zip(axes, place, strict=False)}
            rule = LION._replace(**own)
            alone = fastgd.train(**GIVEN, optimizer=rule, seed=place[2])
            assert same(sweep[place].weights, alone.weights)
            assert sweep[place].options["optimizer"] == rule
        twin = reference.sweep(**GIVEN, optimizer=LION._replace(**axes), seed=range(2))
    for place, run in twin.items():
        np.testing.assert_allclose(sweep.errors[place], run.errors, rtol=1e-9)


def test_fields_are_keys_of_combinations():
    pairs = [{"beta1": 0.5, "beta2": 0.5}, {"beta1": 0.0, "beta2": 0.9}]
    with kernels_of("lion"):
        sweep = fastgd.sweep(**GIVEN, optimizer=LION, combinations=pairs)
        for k, pair in enumerate(pairs):
            alone = fastgd.train(**GIVEN, optimizer=LION._replace(**pair))
            assert same(sweep[k].weights, alone.weights)


def test_several_rules_are_an_axis(tmp_path):
    rules = [LION, LION._replace(beta1=0.5), AMSGRAD, Adam()]
    with at_a_time(8):
        sweep = fastgd.sweep(**GIVEN, optimizer=rules, seed=range(3), keep_state=True)
        for k, rule in enumerate(rules):
            alone = fastgd.train(**GIVEN, optimizer=rule, seed=1)
            assert same(sweep[k, 1].weights, alone.weights)
        assert sweep.axes["optimizer"] == rules
        names = sweep.to_dataframe()["optimizer"].unique()
        assert len(names) == 3  # two differ in a number, which has a column of its own
        labels = labels_of("optimizer", rules)
        assert labels == [repr(rules[0]), repr(rules[1]), AMSGRAD.label, "Adam"]
        sweep.save(tmp_path / "sweep.fastgd")
        again = fastgd.load(tmp_path / "sweep.fastgd")
        assert again == sweep
        more = {"X": X, "y": Y, "iterations": 30}
        longer = fastgd.sweep(**more, resume=again)
        whole = fastgd.sweep(**GIVEN | {"iterations": 80}, optimizer=rules, seed=range(3))
    assert same(longer.final_error, whole.final_error)


@pytest.mark.parametrize("rule", [LION, AMSGRAD], ids=["lion", "amsgrad"])
def test_resumed_it_is_one_training(rule, tmp_path):
    case = "lion" if rule is LION else "amsgrad"
    given = GIVEN | {"batch_size": 4} if rule is LION else GIVEN
    with kernels_of(case) if rule is AMSGRAD else at_a_time(8):
        whole = fastgd.train(**given | {"iterations": 70}, optimizer=rule)
        half = fastgd.train(**given, optimizer=rule)
        half.save(tmp_path / "run.fastgd")
        half = fastgd.load(tmp_path / "run.fastgd")
        assert half.options["optimizer"] == rule
        rest = fastgd.train(X, Y, resume=half, iterations=20)
        assert same(rest.weights, whole.weights)
        assert same(rest.state, whole.state)
        # The twin goes on from the kernel's state, and the kernel from the twin's.
        twin = reference.train(X, Y, resume=half, iterations=20)
        np.testing.assert_allclose(twin.weights[0], whole.weights[0], rtol=1e-9)
        other = reference.train(**given, optimizer=rule)
        np.testing.assert_allclose(other.state.corrections, half.state.corrections, rtol=1e-12)
        back = fastgd.train(X, Y, resume=other, iterations=20)
        np.testing.assert_allclose(back.weights[0], whole.weights[0], rtol=1e-9)
        other_way = Rule(rule.formula.replace("w + alpha", "w - alpha"))
        with pytest.raises(ValueError, match="optimizer must be left out with resume, or as"):
            fastgd.train(X, Y, resume=half, iterations=20, optimizer=other_way)


def test_in_folders_and_checkpoints(tmp_path):
    with kernels_of("lion"):
        given = GIVEN | {"optimizer": LION._replace(beta1=[0.5, 0.9]), "seed": range(8)}
        sweep = fastgd.sweep(**given)
        kept = fastgd.sweep(**given, out=tmp_path / "folder")
        assert same(kept.final_error, sweep.final_error)
        again = fastgd.open(tmp_path / "folder")
        assert again.options == kept.options
        assert again.axes == sweep.axes
        text = (tmp_path / "folder" / "manifest.json").read_text()
        assert json.dumps(LION.formula)[1:-1] in text
        run = fastgd.train(
            **GIVEN, optimizer=LION, checkpoint=tmp_path / "run.fastgd", checkpoint_every=20
        )
        assert same(run.weights, fastgd.train(**GIVEN, optimizer=LION).weights)


@pytest.mark.slow
def test_workers_get_the_formula():
    """Another process has nothing of the caller's code."""
    rule = Rule(lambda w, g, alpha, m, p=0.5: (w + alpha * (m + g), p * m + g))
    given = GIVEN | {"optimizer": rule._replace(p=[0.1, 0.9]), "seed": range(100)}
    with ProcessPoolExecutor(1) as executor:
        found = fastgd.sweep(**given, executor=executor)
    assert same(found.final_error, fastgd.sweep(**given).final_error)


def test_they_race():
    given = {"iterations": 50, "hidden_size": 3}
    with at_a_time(8):
        race = fastgd.race(X, Y, [(LION, 0.01), (AMSGRAD, 0.1), (Adam(), 0.1)], **given)
        assert {*map(str, race.runs)} == {repr(LION), repr(AMSGRAD), "Adam"}
        alone = fastgd.train(X, Y, alpha=0.01, optimizer=LION, **given)
        assert same(race.runs[repr(LION)].weights, alone.weights)
        named = fastgd.race(X, Y, {"lion": (LION, 0.01)}, **given)
        assert same(named.runs["lion"].weights, alone.weights)
    with pytest.raises(
        TypeError, match=r"a pair \(optimizer, alpha\), which a Rule needs, got Rule"
    ):
        fastgd.race(X, Y, [LION], **given)


@pytest.mark.parametrize("rule", [LION, AMSGRAD], ids=["lion", "amsgrad"])
def test_beside_other_options(rule):
    """Layers with rates of their own, a schedule, frozen weights, and a limit of the norm."""
    given = GIVEN | {"alpha": (0.01, 0.02), "sample_weight": WEIGHTS, "bias": True, "freeze": (0,)}
    given |= {"schedule": fastgd.schedules.Exponential(0.99), "clip_norm": 0.5}
    with at_a_time(8):
        run, twin = fastgd.train(**given, optimizer=rule), reference.train(**given, optimizer=rule)
    np.testing.assert_allclose(run.errors, twin.errors, rtol=1e-9)
    assert run.direction_changes[0].sum() == 0


def test_a_rule_that_does_nothing_leaves_the_weights():
    still = Rule(lambda w, g, m: (w, m + 0 * g))
    run = fastgd.train(XOR_X, XOR_Y, optimizer=still, iterations=10)
    assert run.errors[0] == run.final_error
