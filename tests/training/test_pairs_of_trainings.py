"""Calls of `fastgd.train` that differ in one argument: none leaves a trace in another.

What is seen of a call while nothing is remembered is seen again after each of the others, with
nothing cleared between them. Arguments and values come from the signature and the declarations, so
a new one is here, too. Plans are compared of all values, and results where the kernel is one of
test_repeated_trainings.py.
"""

import inspect
import itertools
import sys
import warnings
from contextlib import contextmanager, suppress
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from test_repeated_trainings import OPTIONS, X, other_y, others, y

import fastgd
from cases import CAUCHY, SWISH
from fastgd.arguments.axes import OWNED
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.option_types import Number
from fastgd.engine.execution import DeviceWarning
from fastgd.optimizers import LevenbergMarquardt
from fastgd.training import folder_sweep, train_sweep
from fastgd.training.training_job import TrainingJob
from plain_facts import facts
from second_values import look_alikes, values_of_type

FEW = {"iterations": 7, "record_every": 2}
WEIGHTS = [np.full((3, 2), 0.5), np.ones((2, 2))]
BIASES = [np.zeros(2), np.ones(2)]
SLOPES = np.ones((11, 2, 3))
HELD = (others, other_y)

BASES = OPTIONS | {
    "recorded": {"record_weights": True},
    "validation": {"validation": HELD},
    "adaptive": {"batch_size": 4, "sampling": "adaptive"},
    "patience": {"patience": 3, "restore_best": True, "evaluate_every": 2, "min_delta": 0.25},
    "bayesian": {"optimizer": LevenbergMarquardt(), "regularization": "bayesian"},
    "from weights": {"weights": WEIGHTS, "biases": BIASES, "bias": True},
    "gradients": {"gradients": SLOPES, "activation": "tanh", "output": "tanh"},
    "measured": {"measure": ("gradient_norm", fastgd.Measure("w")), "measure_every": 2},
    "own functions": {"activation": SWISH, "loss": CAUCHY},
    "noise": {"gradient_noise": 0.5},
    **{name: {owned.option: owned.names[0]} for name, owned in OWNED.items()},
}
"""Arguments of calls, each of which gets another one. The first has none but X, y and FEW."""

GIVEN = {
    "X": [others, X.tolist(), X[:, :2], others[::-1]],
    "y": [other_y, y[:, :1], y.tolist(), y[:, 0]],
    "gradients": [None, SLOPES, -SLOPES, SLOPES.tolist()],
    "hidden_size": [1, 3, (3,), (3, 2), ()],
    "alpha": [0.25, 2.0, (0.25, 2.0)],
    "weights": [None, WEIGHTS, [-one for one in WEIGHTS], tuple(WEIGHTS)],
    "biases": [None, BIASES, [-one for one in BIASES]],
    "validation": [None, HELD, (X, y), (*HELD, np.arange(11.0)), [X.tolist(), y.tolist()]],
    "checkpoint": [None, "run.npz"],
    "seed": [1, 2, 3, 5, np.random.SeedSequence(3)],
    "threads": [None, 1, 2, 3],
    "device": ["cpu", "cuda", "cuda:1", "auto"],
    "progress": [False, True],
    "samples": ["same", "new"],
    "change": [None, {"alpha": 0.5}],
}
"""Values of the arguments whose type doesn't say any."""

SIMPLE = {"int": [1, 2, 3, 5], "float": [0.25, 0.5, 60.0], "bool": [False, True]}
"""Values by annotation."""

UNPLANNED = {"progress", "checkpoint", "checkpoint_every", "samples", "change"}
"""Arguments that don't change what is trained, nor how, or only with resume: test_changing.py."""

SAME_BITS = {"threads", "device"}
"""Arguments that change how it is trained."""


def signature_of(function):
    """Its own parameters, without those of options."""
    options = {*DECLARED, *OWNED, "parameters"}
    found = inspect.signature(function).parameters
    return {name: one for name, one in found.items() if name not in options}


SIGNATURE, SWEEPS = map(signature_of, (fastgd.train, fastgd.sweep))
NAMES = [*SIGNATURE, *DECLARED, *OWNED]

pytestmark = pytest.mark.usefixtures("two_gpus")


# ------------------------------------------------------------------ values of arguments


def values_of(name, signature=SIGNATURE, step=1):
    """Values of an argument, by its declaration or annotation.

    Look-alikes of the default are all there, or each step-th; each follows some name then.
    """
    first = [*signature, *DECLARED, *OWNED].index(name) % step
    if name in DECLARED:
        alike = look_alikes(DECLARED[name].default)
        return values_of_type(DECLARED[name].kind) + alike[first::step]
    if name in OWNED:
        return values_of_type(Number("(0, 1]")) + look_alikes(OWNED[name].default)[first::step]
    if name == "resume":
        return [None, run(1), run(2)]
    parameter, given = signature[name], GIVEN if signature is SIGNATURE else GIVEN | SWEPT
    known = given[name] if name in given else SIMPLE.get(parameter.annotation, [])
    assert known, f"{name} needs values: add some to GIVEN"
    return known + look_alikes(FEW.get(name, parameter.default))[first::step]


@cache
def run(seed):
    return fastgd.train(X, y, **FEW, seed=seed)


# ------------------------------------------------------------------ what is seen of a call


class Seen(NamedTuple):
    """Two are equal if nothing tells the calls apart."""

    result: object
    """The run, or the plan and what was checked for it, or how the call was refused."""
    question: object
    """What a checkpoint of it would be known by; None if nothing was planned."""
    traces: object
    """Warnings, whether there was a progress bar, and files."""


class PlannedError(Exception):
    """Raised by a call that is to be planned only."""


@pytest.fixture
def see(tmp_path, monkeypatch, capsys):
    """Call `fastgd.train` with some arguments."""
    monkeypatch.chdir(tmp_path)

    def call(given):
        for path in tmp_path.iterdir():
            path.unlink()
        capsys.readouterr()
        question = None
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                found = fastgd.train(**{"X": X, "y": y, **FEW} | given)
            except PlannedError as planned:
                job, plan = planned.args
                result, question = facts((job, plan)), facts(job.asked)
            except (TypeError, ValueError) as error:
                result = type(error), str(error)
            else:
                public = [name for name in dir(found) if not name.startswith("_")]
                each = {name: getattr(found, name) for name in public}
                result = facts({name: one for name, one in each.items() if not callable(one)})
        said = [(one.category, str(one.message)) for one in warned if one.category != DeviceWarning]
        has_bar = bool(capsys.readouterr().err)
        return Seen(result, question, (said, has_bar, [path.name for path in tmp_path.iterdir()]))

    return call


@contextmanager
def only_planned():
    """Calls do all that they do before they train."""

    def train_one(job, plan, _advance):
        raise PlannedError(job, plan)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingJob, "train_one", train_one)
        patch.setattr(train_sweep, "available_threads", lambda: 4)
        yield


@cache
def forgetful():
    """Functions that remember what they return, but for compiled code."""
    rooms = ("fastgd.arguments", "fastgd.checks", "fastgd.engine", "fastgd.formulas")
    modules = [module for name, module in sys.modules.items() if name.startswith(rooms)]
    found = [one for module in modules for one in vars(module).values()]
    return {id(one): one for one in found if hasattr(one, "cache_clear")}.values()


def forget():
    """What functions have returned is forgotten."""
    for function in forgetful():
        function.cache_clear()


def seen_alone_and_after_others(see, calls):
    """What is seen of each of the calls alone, which is the same after the others."""
    alone = []
    for given in calls:
        forget()
        alone.append(see(given))
    for k in (*range(len(calls)), *reversed(range(len(calls)))):
        if see(calls[k]) != alone[k]:
            pytest.fail(f"another call has left a trace in that with {calls[k]}")
    return alone


# ------------------------------------------------------------------ tests


@pytest.mark.parametrize("name", NAMES)
def test_a_call_is_planned_as_if_there_were_no_other(name, see):
    planned_as_if_there_were_no_other(name, values_of(name, step=4), see)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_nor_is_it_after_calls_with_all_that_looks_alike(name, see):
    planned_as_if_there_were_no_other(name, values_of(name), see)


def planned_as_if_there_were_no_other(name, values, see):
    """No call leaves a trace in another, and some value changes a plan."""
    others = {}
    with only_planned():
        for base in BASES.values():
            calls = [base, *(base | {name: value} for value in values)]
            first, *rest = seen_alone_and_after_others(see, calls)
            found = zip(map(repr, values), rest, strict=True)
            others = {text: one for text, one in found if one.question}
            others = {text: one for text, one in others.items() if one.result != first.result}
            if others and first.question:
                break
    assert bool(others) != (name in UNPLANNED), (
        f"no value of {name} changes a plan: add one to GIVEN, or a call in which it does to "
        "BASES, or it to UNPLANNED if it doesn't change what is trained"
    )
    if name not in SAME_BITS:  # nor is a checkpoint taken for that of another call
        others.pop("-0.0", None)  # counts as 0
        assert all(one.question != first.question for one in others.values())


@pytest.fixture
def kernel_of():
    """The kernel of a call, by what is compiled; None if the call is refused."""

    def kernel(given):
        with only_planned(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                fastgd.train(**{"X": X, "y": y, **FEW} | given)
            except PlannedError as planned:
                [(_, session)] = planned.args[1].batches
                return session.device, session.layout.shapes, session.layout.recipe
            except (TypeError, ValueError):
                return None

    return kernel


@pytest.mark.parametrize("base", OPTIONS)
@pytest.mark.parametrize("step", [len(OPTIONS), pytest.param(1, marks=pytest.mark.slow)])
def test_a_call_has_the_bits_of_a_call_alone(base, step, see, kernel_of):
    """With each name, or each step-th; each name follows some base then."""
    compiled = {kernel_of(given) for given in OPTIONS.values()}
    first, base = list(OPTIONS).index(base) % step, OPTIONS[base]
    for name in NAMES[first::step]:
        calls = (base | {name: value} for value in values_of(name))
        known = (given for given in calls if kernel_of(given) in compiled)
        seen_alone_and_after_others(see, [base, *itertools.islice(known, 2)])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_the_bits_of_a_call_alone(name, see, kernel_of):
    calls = [BASES["plain"], *({name: value} for value in values_of(name))]
    seen_alone_and_after_others(see, [given for given in calls if kernel_of(given)])


# ------------------------------------------------------------------ folders of sweeps

SWEPT = {
    "hidden_size": [4, [2, 3], [3, 2], [(3, 2)]],
    "alpha": [1.0, [0.25, 2.0], [2.0, 0.25], [(0.25, 2.0)]],
    "seed": [1, [1, 2], range(3)],
    "combinations": [
        None,
        *([{"alpha": 0.5, "l2": one}, {"l2": 0.1, "alpha": 2.0}] for one in (0.1, 0.2)),
    ],
    "groups": [None, [0] * 6 + [1] * 5, [0] * 5 + [1] * 6, ["a"] * 6 + ["b"] * 5],
    "folds": [None, 2, 3, [([0, 1, 2, 3], [4, 5])], [([0, 1, 2, 3], [4, 6])]],
}
"""Values of the arguments that only sweeps have, or that may be axes."""

UNASKED = {"out", "executor", "threads", "threads_per_worker", "device", "progress"}
UNASKED |= {"samples", "change"}
"""Arguments that don't change what is in a folder, and those that need resume."""


@cache
def swept(seed):
    return fastgd.sweep(X, y, **FEW, seed=[seed], keep_state=True)


@pytest.mark.parametrize("name", [one for one in (*SWEEPS, *DECLARED) if one not in UNASKED])
def test_a_folder_is_not_taken_for_that_of_another_sweep(name, tmp_path, monkeypatch):
    values = [None, swept(1), swept(2)] if name == "resume" else values_of(name, SWEEPS)
    values = [value for value in values if repr(value) != "-0.0"]  # counts as 0

    def planned(_path, job):
        raise PlannedError(facts(job), facts(folder_sweep._asked(job)))

    monkeypatch.setattr(folder_sweep, "folder_of", planned)
    for base in BASES.values():
        found = []
        for value in values:
            with suppress(TypeError, ValueError), warnings.catch_warnings(action="ignore"):
                try:
                    fastgd.sweep(**{"X": X, "y": y, **FEW} | base | {name: value}, out=tmp_path)
                except PlannedError as error:
                    found.append(error.args)
        for (job, question), (other, its) in itertools.combinations(found, 2):
            assert (job == other) == (question == its)
        if any(job != found[0][0] for job, _ in found):
            return
    pytest.fail(f"no value of {name} changes a sweep: add one to GIVEN or SWEPT")
