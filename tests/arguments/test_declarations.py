"""What is declared once is everywhere: a place that was forgotten fails by the thing's name."""

import ast
import inspect
import json
import re
import shlex
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import numpy as np
import pytest

import fastgd
from cases import HASHED, OPTIONS, PAIRS, PARTED, XOR_X, XOR_Y, other
from fastgd import optimizers, reference, schedules
from fastgd.arguments.declarations import (
    DECLARED,
    OF_EACH_RUN,
    PANELS,
    STRUCTURES,
    VALUES,
    LossOptions,
    Options,
    SurfaceOptions,
)
from fastgd.arguments.options import Method
from fastgd.checks.messages import ELSEWHERE, did_you_mean_argument, options_text
from fastgd.checks.numbers import rule_of
from fastgd.cli.methods import OPTIONS as TYPED
from fastgd.engine import recipe as recipes
from fastgd.engine.programs import Programs
from fastgd.formulas.expressions import variables_of
from fastgd.formulas.named import ACTIVATIONS, LOSSES, OUTPUTS, UNITS
from fastgd.formulas.rules import Rule
from fastgd.formulas.updates import states_of, update_by
from fastgd.kernel.iteration import optimizer_steps
from fastgd.optimizers import ALL, BY_COMMAND, LevenbergMarquardt, Optimizer
from fastgd.reference.functions import FUNCTIONS
from fastgd.reference.functions import LOSSES as REFERENCE_LOSSES
from fastgd.reference.optimizers import twin
from fastgd.schedules import Cosine
from thinning import only

KERNEL = Path(inspect.getfile(optimizer_steps)).parents[1]
DOCS = Path(__file__).parents[2] / "docs"
ROWS = [row for row in (DOCS / "methods.md").read_text().splitlines() if row.startswith("|")]
OF_TARGETS = [name for name in VALUES if name != "gradient_weight"]
CURVED = [n for n in OF_TARGETS if not DECLARED[n].applies_to.second_order]
CURVED.remove("sampling_rate")  # which needs sampling="adaptive", and that mini-batches
UNIT_OPTIONS = {"activation": ACTIVATIONS, "output": OUTPUTS}


@cache
def read_by_kernel():
    """All that the kernel reads as ``choice.name``, by the choice or the variable that has it."""
    found = set()
    for path in KERNEL.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.add((node.value.id, node.attr))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
                found.add((node.value.attr, node.attr))
    return found


# ---- optimizers


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_optimizer_is_everywhere(kind):
    name = kind.__name__
    assert kind.formula or kind.second_order, "no rule"
    assert type(twin(kind())).__name__ == name, "no twin in reference/optimizers.py"
    assert BY_COMMAND[kind.command] is kind
    assert name in optimizers.__all__
    assert f".. autoclass:: {name}\n" in (DOCS / "api.md").read_text(), "not in docs/api.md"
    in_rows = any(f"`optimizer={name}(" in row for row in ROWS)
    assert in_rows or kind is ALL[0], f"no row in docs/methods.md has `optimizer={name}(`"
    used = [case.options.get("optimizer") for case in OPTIONS.values()] + [
        kind() for kind in ALL[:1]
    ]
    assert any(type(optimizer) is kind for optimizer in used), "no case in tests/cases.py"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_optimizer_documents_itself(kind):
    text = inspect.getdoc(kind)
    assert re.search(r"\bw = w \+ alpha", text), "no formula"
    assert re.search(r"\((?:18|19|20)\d\d\)", text), "no paper"
    assert ("MATLAB" if kind.second_order else "torch.optim.") in text
    assert ">>> " in text, "no example"
    named = re.findall(r"^(\w+) : float", text, re.MULTILINE)
    assert named == list(kind._fields)
    keeps = {0: "keeps no state", 1: "an (inputs", 2: "two (inputs"}[states_of(kind())]
    assert keeps in " ".join(text.split())
    assert kind.race_alpha > 0
    assert "Annotated" not in str(inspect.signature(kind))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_fields_of_an_optimizer_have_their_facts(kind):
    assert kind._fields == tuple(field.name for field in fields(kind))
    for name, fact in kind.hyperparameters.items():
        assert rule_of(fact.interval).holds(fact.default), name
        assert getattr(kind(), name) == fact.default
        assert fact.words[0].isupper()
    if update := update_by(kind()):
        read = {name for nodes, _ in (update.step, update.once) for _, name, *_ in nodes}
        own = {f"h{k}" for k in range(len(kind._fields))}
        assert own <= read, "a field that the rule doesn't read"
        return
    read = {attribute for variable, attribute in read_by_kernel() if variable == "optimizer"}
    missing = {*kind._fields, *kind.kept} - read
    assert not missing, f"kernel/extensions/levenberg_marquardt.py reads no optimizer.{missing}"


def test_the_kernel_reads_no_field_that_no_optimizer_has():
    read = {attribute for variable, attribute in read_by_kernel() if variable == "optimizer"}
    known = {name for kind in ALL for name in (*kind._fields, *kind.kept)}
    assert read - known <= {"choice"}


def test_optimizers_are_the_classes_of_their_module():
    others = [kind for kind in Optimizer.__subclasses__() if kind is not Programs]
    assert others == [*ALL, Rule]
    others = {kind.__name__ for kind in ALL if not kind.formula} | {"Derivative", "Programs"}
    assert set(optimizer_steps.OTHERS) == others


# ---- schedules


@pytest.mark.parametrize("kind", schedules.ALL, ids=lambda kind: kind.__name__)
def test_a_schedule_is_everywhere(kind):
    name = kind.__name__
    assert kind.formula or kind is schedules.Factors, "no formula"
    assert f".. autoclass:: {name}\n" in (DOCS / "api.md").read_text(), "not in docs/api.md"
    used = [case.options.get("schedule", schedules.Constant()) for case in OPTIONS.values()]
    assert any(type(schedule) is kind for schedule in used), "no case in tests/cases.py"
    assert name in schedules.__all__
    missing = {*kind.hyperparameters} - variables_of(kind.formula.tree if kind.formula else 0.0)
    assert not missing, f"the formula of {name} has no {missing}"
    assert name == "Factors" or DECLARED["schedule"].kind.by_command[kind.command] is kind


@pytest.mark.parametrize("kind", schedules.ALL, ids=lambda kind: kind.__name__)
def test_a_schedule_documents_itself(kind):
    text = inspect.getdoc(kind)
    named = re.findall(r"^(\w+) : ", text, re.MULTILINE)
    assert named == list(kind._fields)
    if kind.__name__ not in ("Constant", "Factors"):
        assert re.search(r"\bfactor is|it is final_factor", text), "no formula"
        assert "torch.optim.lr_scheduler." in text
    assert ">>> " in text or kind.__name__ == "Constant", "no example"
    for name, fact in kind.hyperparameters.items():
        assert fact.default is None or rule_of(fact.interval).holds(fact.default), name
        assert fact.words[0].isupper()


def test_schedules_are_the_classes_of_their_module():
    assert schedules.NamedSchedule.__subclasses__() == list(schedules.ALL)


# ---- options


@pytest.mark.parametrize("name", DECLARED)
def test_an_option_is_everywhere(name):
    option = DECLARED[name]
    assert option.kind.check(name, option.default, 4) == option.default or option.default is None
    assert re.search(rf"^{name} : ", fastgd.train.__doc__, re.MULTILINE), "not documented"
    assert option.doc.endswith((".", "0."))
    assert name not in SurfaceOptions.__annotations__ or name in LossOptions.__annotations__
    if name not in ("sample_weight", "gradient_weight"):  # for a column of its own, for arrays
        (typed,) = (typed for typed in TYPED if typed.name == name)
        assert typed.panel == option.panel != ""
        assert option.help
    cases = (*OPTIONS.values(), *PARTED.values())
    in_cases = {key for case in cases for key in (*case.options, *case.axes)}
    assert name in in_cases, "no case in tests/cases.py"
    in_rows = any(re.search(rf"`[^`]*\b{name}=", row) for row in ROWS)
    assert in_rows, f"no row of a table in docs/methods.md has `{name}=...`"


@pytest.mark.parametrize("name", sorted(DECLARED.keys() - {"sample_weight"}))
def test_a_default_is_of_the_options_type(name):
    hint = get_type_hints(Options)[name]
    kinds = tuple(get_origin(kind) or kind for kind in get_args(hint))
    assert isinstance(DECLARED[name].default, kinds or hint)


@pytest.mark.parametrize("name", VALUES)
def test_an_option_of_numbers_has_its_slots_in_the_kernel(name):
    option = DECLARED[name]
    assert option.feature, "nothing in the kernel reads it"
    read = read_by_kernel()
    for slot in option.slots:
        assert (option.feature, slot.name) in read, (
            f"nothing in src/fastgd/kernel reads {option.feature}.{slot.name}: the argument that "
            f"takes the feature must be named {option.feature}"
        )


@pytest.mark.parametrize("name", only(OF_TARGETS, *OF_TARGETS[::4]))
def test_an_option_of_numbers_changes_a_training_as_it_changes_the_twin(name):
    """One value of it, on a network whose kernel the golden cases have compiled already."""
    case = next(case for case in OPTIONS.values() if name in case.axes)
    options = case.options | {name: other(name)}
    off = case.options | {name: DECLARED[name].default}
    X, y = np.random.default_rng(1).random((2, 8, 3))
    settings = {"hidden_size": (5, 3), "iterations": 40, "record_every": 7}
    run = fastgd.train(X, y[:, :2], **settings, **options)
    plain = fastgd.train(X, y[:, :2], **settings, **off)
    its = reference.train(X, y[:, :2], **settings, **options)
    assert run.iterations == its.iterations
    differs = f"the twin in src/fastgd/reference differs with {name}"
    np.testing.assert_allclose(run.errors, its.errors, rtol=1e-9, err_msg=differs)
    if name not in ("tolerance", "patience", "min_delta"):
        assert run.errors.tobytes() != plain.errors.tobytes(), "nothing has changed"


@pytest.mark.parametrize("name", CURVED)
def test_an_option_of_numbers_changes_a_training_of_second_order(name):
    """The twin alone, which compiles nothing: that the kernel does the same is tested elsewhere."""
    X, y = np.random.default_rng(1).random((2, 12, 3))
    given = {"optimizer": LevenbergMarquardt(), "hidden_size": 2, "iterations": 60}
    given |= {"patience": 9} if name == "min_delta" else {}
    on, off = (
        reference.train(X, y[:, :1], record_every=1, **given, **{name: value})
        for value in (3 if name == "patience" else other(name), DECLARED[name].default)
    )
    is_read = on.errors.tobytes() != off.errors.tobytes()
    assert is_read, (
        f"LevenbergMarquardt doesn't read {name}: its declaration must say "
        "applies_to=AllBut(second_order=REASON)"
    )


def test_options_have_their_order():
    panels = [option.panel for option in DECLARED.values()]
    assert panels == sorted(panels, key=PANELS.index)
    assert set(STRUCTURES).isdisjoint(VALUES)
    assert all(
        option.is_axis == (name in (*STRUCTURES, *OF_EACH_RUN)) for name, option in DECLARED.items()
    )


def test_places_in_the_kernel_are_different():
    places = list(recipes._PLACES.values())
    real = places[: len(recipes._REAL)]
    assert real == list(range(len(real)))
    assert len(set(places[len(real) :])) == len(recipes._WHOLE)


@pytest.mark.parametrize("name", DECLARED)
def test_an_option_survives_a_file_and_is_told_in_words(name, tmp_path):
    others = {
        "optimizer": ALL[-1](),
        "schedule": Cosine(steps=20),
        "batch_norm": True,
        "bias": True,
        "shuffle": False,
        "batch_size": 2,
        "sample_weight": [1.0, 2.0, 3.0, 4.0],
        "activation": "tanh",
        "output": "tanh",
        "loss": "cross_entropy",
        "reduction": "mean",
        "sampling": "adaptive",
        "restore_best": True,
        "monitor": "loss",
        "freeze": (1,),
        "init": "he",
        "regularization": "bayesian",
        "penalty": fastgd.Penalty("k * w * w", k=0.1),
        "measure": ("dead", fastgd.Measure("w * change", "max", "own")),
        "measure_layers": True,
        "stop": "dead > 2",
    }
    option = DECLARED[name]
    value = others.get(name, 0.25 if isinstance(option.default, float) else 3)
    beside = {
        "sampling": {"batch_size": 2},
        "restore_best": {"evaluate_every": 1},
        "regularization": {"optimizer": LevenbergMarquardt()},
        "gradient_weight": {"gradients": np.ones((4, 3)), "activation": "tanh"},
        **{key: {"measure": "dead"} for key in ("measure_every", "measure_layers", "stop")},
    }.get(name, {})
    run = fastgd.reference.train(XOR_X, XOR_Y, iterations=2, **{name: value}, **beside)
    assert name in run.options
    run.save(tmp_path / "run.npz")
    loaded = fastgd.load(tmp_path / "run.npz").options
    assert list(loaded) == list(run.options)
    if name == "sample_weight":
        assert loaded[name].tolist() == value
        return
    assert loaded[name] == run.options[name]
    assert type(loaded[name]) is type(run.options[name])
    assert options_text({name: run.options[name]})


def test_every_case_has_its_golden_hash():
    known = json.loads((DOCS.parent / "tests" / "golden.json").read_text())
    missing = [case for case in HASHED if case not in known]
    assert not missing, f"run: python tests/golden.py --write {shlex.join(missing)}"


def test_a_method_knows_its_options_only():
    with pytest.raises(TypeError, match=r"an option must be one of .*got .'dropuot'"):
        Method(dropuot=0.5)
    method = Method(l2=0.5)
    assert repr(method) == "Method(l2=0.5)"
    with pytest.raises(AttributeError, match=r"can't be changed, got l2=0\.25"):
        method.l2 = 0.25
    with pytest.raises(AttributeError):
        _ = method.dropuot


# ---- activations and losses


CASES = [case.options for case in (*OPTIONS.values(), *PAIRS.values())]
UNIT_TEXT, LOSS_TEXT = (
    (DOCS / "methods.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    for title in ("Activations", "Losses")
)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_everywhere(name):
    assert f"`{name}`" in UNIT_TEXT, "not in docs/methods.md"
    options = [option for option, known in UNIT_OPTIONS.items() if name in known]
    used = [case.get(option) for case in CASES for option in options]
    assert name in used or name == "sigmoid", "no case in tests/cases.py"
    if UNITS[name].function is None:
        return
    assert name in FUNCTIONS, "not in reference/functions.py"
    x = np.linspace(-3, 3, 601)
    value, slope = FUNCTIONS[name](x, **UNITS[name].function.parameters)
    low, high = UNITS[name].reach
    assert ((low <= value) & (value <= high)).all()
    smooth = abs(x[1:-1]) > 0.02
    differences = (value[2:] - value[:-2]) / 0.02
    np.testing.assert_allclose(slope[1:-1][smooth], differences[smooth], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_everywhere(name):
    assert f"`{name}`" in LOSS_TEXT, "not in docs/methods.md"
    assert any(case.get("loss") == name for case in CASES) or name == "squared", "no case"
    assert LOSSES[name].function is None or name in REFERENCE_LOSSES, "no twin"


# ---- words

TRAININGS = (fastgd.train, fastgd.sweep, fastgd.race)


def test_other_names_of_arguments_are_ours_only():
    arguments = {
        name
        for call in (*TRAININGS, fastgd.minimize, fastgd.fit, fastgd.fit_groups)
        for name in inspect.signature(call).parameters
    }
    known = arguments | set(DECLARED)
    for ours, words in ELSEWHERE.items():
        assert ours.partition("=")[0] in known | {"biases"}, ours
        others = known - {"solver"}  # which only the fit of a table has
        assert not set(words.split()) & others, ours


@pytest.mark.parametrize("call", [*TRAININGS, reference.train])
@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("learning_rate", "alpha"),
        ("lr", "alpha"),
        ("max_iter", "iterations"),
        ("random_state", "seed"),
        ("hidden_layer_sizes", "hidden_size"),
        ("solver", "optimizer"),
        ("nesterov", r"optimizer=Nesterov\(\)"),
    ],
)
def test_the_fields_words_are_answered_with_ours(call, name, ours):
    with pytest.raises(TypeError, match=f"got '{name}': fastgd calls it {ours}$"):
        call(XOR_X, XOR_Y, **{name: 1})


@pytest.mark.parametrize(
    ("call", "name", "ours"),
    [
        (fastgd.train, "look_every", "evaluate_every"),
        (fastgd.train, "every", "checkpoint_every"),
        (fastgd.sweep, "look_every", "evaluate_every"),
        (fastgd.sweep, "cases", "combinations"),
        (fastgd.race, "look_every", "evaluate_every"),
        (reference.train, "look_every", "evaluate_every"),
        (fastgd.fit_groups, "look_every", "evaluate_every"),
        (fastgd.fit_groups, "held_out", "validation_fraction"),
        (fastgd.fit_groups, "classes", "classification"),
    ],
)
def test_former_names_of_arguments_are_answered_with_todays(call, name, ours):
    data = ({"g": ["a"], "y": [1.0]}, "g", "y") if call is fastgd.fit_groups else (XOR_X, XOR_Y)
    with pytest.raises(TypeError, match=f"got '{name}': fastgd calls it {ours}$"):
        call(*data, **{name: 1})


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (fastgd.sweep, "every"),
        (fastgd.race, "every"),
        (fastgd.train, "cases"),
        (fastgd.train, "classes"),
        (fastgd.train, "held_out"),
        (fastgd.sweep, "hold_out"),
        (fastgd.minimize, "look_every"),
    ],
)
def test_former_names_lead_to_no_argument_of_another_call(call, name):
    with pytest.raises(TypeError, match=f"got '{name}'$"):
        call(XOR_X, XOR_Y, **{name: 1})


@pytest.mark.parametrize("call", TRAININGS)
def test_a_callback_is_answered_with_progress(call):
    with pytest.raises(
        TypeError, match=r"^an option must be known, got 'callback': progress takes a function, too"
    ):
        call(XOR_X, XOR_Y, callback=print)


def test_no_word_leads_to_what_a_call_does_not_take():
    with pytest.raises(TypeError, match=r"got 'learning_rate'$"):
        fastgd.objective(XOR_X, XOR_Y, learning_rate=0.1)
    assert did_you_mean_argument("hidden_layer_sizes", ("l1", "hidden_size"))
    with pytest.raises(TypeError, match=r"got 'weight_decay': fastgd calls it l2$"):
        fastgd.objective(XOR_X, XOR_Y, weight_decay=0.1)
    with pytest.raises(TypeError, match=r"got 'max_iter'$"):
        fastgd.objective(XOR_X, XOR_Y, max_iter=10)
    with pytest.raises(TypeError, match=r"got 'max_iter': fastgd calls it iterations$"):
        fastgd.minimize(XOR_X, XOR_Y, max_iter=10)
