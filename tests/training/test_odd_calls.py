"""Odd values for every argument of the calls that train and predict: a rule that is stated, or a
result, nothing else; at once, and without much memory.

Which arguments there are comes from signatures and declarations, so a new one is here, too. Nothing
is trained by default: a call that has checked everything is over when it says how much memory it
needs, or when it would train. Each argument gets every third value, and all of them in slow tests.
"""

import contextlib
import importlib
import inspect
import re
import signal
import time
import tracemalloc
import warnings
from functools import cache

import numpy as np
import pytest

import fastgd
from fastgd import bucket, functions, optimizers, schedules
from fastgd.arguments.declarations import DECLARED, LossOptions
from fastgd.checks import numbers as memory
from fastgd.checks.messages import TrainingWarning
from fastgd.sklearn import FastGDClassifier, FastGDRegressor, GroupedRegressor
from fastgd.training.training_job import TrainingJob
from odd import ODD, ODDER, stated

X, Y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
MANY_X, MANY_Y = np.array(X * 5, float), np.array([0, 1, 1, 0] * 5)
TABLE = {
    "x": [k % 7 for k in range(20)],
    "z": ["a", "b"] * 10,
    "y": [k % 5 + 0.5 for k in range(20)],
    "g": ["u"] * 10 + ["v"] * 10,
}
TRAINED = {"X": X, "y": Y, "iterations": 2, "record_every": 1}
VALUES = ODD | ODDER
HUGE = ["2**62", "a huge range", "2**70", "10**400", "long text", "lying"]
SEED, TOGETHER = 20, 500
MOST_LETTERS = 700
ENOUGH_SECONDS = 5.0
ENOUGH_BYTES = 64 * 2**20


class EnoughError(BaseException):
    """All is checked, and something would be trained."""


class StuckError(BaseException):
    """A call that doesn't end."""


def parameters_of(function):
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(function).parameters.items()
    return [name for name, parameter in found if parameter.kind not in kinds]


@cache
def run():
    return fastgd.train(**TRAINED, record_weights=True)


@cache
def swept():
    return fastgd.sweep(X * 2, Y * 2, groups=[0] * 4 + [1] * 4, alpha=[0.1, 1.0], iterations=2)


@cache
def objective():
    return fastgd.objective(X, Y)


@cache
def model():
    return fastgd.fit(TABLE, "y", hidden_size=(), folds=2)


@cache
def models():
    return fastgd.fit_groups(TABLE, "g", "y", iterations=2, hidden_size=2, inputs=["x"])


def estimated(kind, **parameters):
    return kind(**parameters).fit(MANY_X, MANY_Y)


def grouped(**parameters):
    chosen = {"estimator": FastGDRegressor(2, max_iter=1), "groups": [0]} | parameters
    return GroupedRegressor(**chosen).fit(MANY_X, MANY_Y)


def with_column(call, table, /, **columns):
    return call({name: column[:4] for name, column in table.items()} | columns)


def with_fields(kind, option, /, **fields):
    needed = {name: 3 for name, fact in kind.hyperparameters.items() if fact.default is None}
    return fastgd.train(**TRAINED, **{option: kind(**needed | fields)})


OPTIONS = (*DECLARED, "delta")  # and one that belongs to a loss of a name
OWN = {"loss": "huber"}

CALLS = {
    "train": (fastgd.train, TRAINED | OWN, [*parameters_of(fastgd.train), *OPTIONS]),
    "sweep": (fastgd.sweep, TRAINED | OWN, [*parameters_of(fastgd.sweep), *OPTIONS]),
    "a value of an axis": (
        lambda **given: fastgd.sweep(**TRAINED, **{name: [v, v] for name, v in given.items()}),
        {},
        ["hidden_size", "alpha", "seed", *(n for n, o in DECLARED.items() if o.is_axis)],
    ),
    "objective": (
        fastgd.objective,
        {"X": X, "y": Y},
        [*parameters_of(fastgd.objective), *LossOptions.__annotations__],
    ),
    "minimize": (fastgd.minimize, {"X": X, "y": Y}, parameters_of(fastgd.minimize)),
    "fit": (fastgd.fit, {"table": TABLE, "target": "y"}, parameters_of(fastgd.fit)),
    "fit_groups": (
        fastgd.fit_groups,
        {"df": TABLE, "by": "g", "target": "y"} | OWN,
        [*parameters_of(fastgd.fit_groups), *OPTIONS, "seed", "record_every", "weights"],
    ),
    "validation": (
        lambda X, y, w: fastgd.train(**TRAINED, validation=(X, y, w)),
        {"X": X, "y": Y, "w": None},
        ["X", "y", "w"],
    ),
    "weights": (lambda w: fastgd.train(**TRAINED, weights=[w, np.ones((2, 1))]), {}, ["w"]),
    "combinations": (
        lambda **case: fastgd.sweep(**TRAINED, combinations=[{"alpha": 1.0, "l2": 0.1} | case] * 2),
        {},
        ["alpha", "l2"],
    ),
    "folds": (lambda rows: fastgd.sweep(**TRAINED, folds=[(rows, [0])]), {}, ["rows"]),
    "Run.predict": (lambda X: run().predict(X), {}, ["X"]),
    "Run.at": (lambda record: run().at(record), {}, ["record"]),
    "Sweep.predict": (
        lambda **given: swept().predict(**given),
        {"X": X},
        ["X", "groups"],
    ),
    "Sweep.sel": (lambda **given: swept().sel(**given), {}, ["alpha", "group", "no axis"]),
    "Sweep[]": (lambda index: swept()[index], {}, ["index"]),
    "f": (lambda w: objective()(w), {}, ["w"]),
    "f.parts": (lambda w: objective().parts(w), {}, ["w"]),
    "f.start": (lambda seed: objective().start(seed), {}, ["seed"]),
    "Model.predict": (lambda table: model().predict(table), {}, ["table"]),
    "a column to predict from": (
        lambda **given: with_column(model().predict, TABLE, **given),
        {},
        ["x", "z"],
    ),
    "GroupModels.predict": (lambda df: models().predict(df), {}, ["df"]),
    "a column of a group": (
        lambda **given: with_column(models().predict, TABLE, **given),
        {},
        ["x", "g"],
    ),
    "GroupModels[]": (lambda group: models()[group], {}, ["group"]),
    "in GroupModels": (lambda group: group in models(), {}, ["group"]),
    "a column to fit": (
        lambda **given: fastgd.fit(TABLE | given, "y", hidden_size=(), folds=2),
        {},
        ["x", "y"],
    ),
    "a column to fit groups": (
        lambda **given: fastgd.fit_groups(TABLE | given, "g", "y"),
        {},
        ["x", "y", "g"],
    ),
    "FastGDRegressor": (
        lambda **given: estimated(FastGDRegressor, **given),
        {},
        parameters_of(FastGDRegressor),
    ),
    "FastGDClassifier": (
        lambda **given: estimated(FastGDClassifier, **given),
        {},
        parameters_of(FastGDClassifier),
    ),
    "an option of an estimator": (
        lambda **given: estimated(FastGDRegressor, options=given),
        {},
        ["l1", "tolerance", "clip_norm", "freeze"],
    ),
    "GroupedRegressor": (grouped, {}, parameters_of(GroupedRegressor)),
    "Function": (fastgd.Function, {"formula": "a * b", "b": 1.0}, ["formula", "derivative", "b"]),
    "Loss": (fastgd.Loss, {"formula": "b * (y - v)**2", "b": 1.0}, ["formula", "derivative", "b"]),
    "functions": (lambda x: functions.maximum(x, 1.0), {}, ["x"]),
    "where": (lambda x: functions.where(x, 1.0, 2.0), {}, ["x"]),
    "load": (fastgd.load, {}, ["path"]),
    "open": (fastgd.open, {}, ["path"]),
    "Run.save": (lambda path: run().save(path), {}, ["path"]),
    **{
        method: (
            lambda method=method, **given: getattr(run(), method)(**given),
            {"path": "model.h"},
            parameters_of(getattr(fastgd.Run, method))[1:],
        )
        for method in ("to_c", "to_javascript", "to_wasm", "to_onnx")
    },
    "Model.to_c": (lambda table: model().to_c("model.h", X=table), {}, ["table"]),
    "roll": (
        bucket.roll,
        {"curve": "x**2", "start": 1.0, "iterations": 3},
        parameters_of(bucket.roll),
    ),
    "basins": (
        bucket.basins,
        {"curve": "x**2", "window": (-1, 1), "balls": 3, "iterations": 3},
        parameters_of(bucket.basins),
    ),
    **{
        kind.__name__: (
            lambda kind=kind, option=option, **given: with_fields(kind, option, **given),
            {},
            list(kind.hyperparameters),
        )
        for option, kinds in (("optimizer", optimizers.ALL), ("schedule", schedules.ALL))
        for kind in kinds
        if kind.hyperparameters
    },
}
"""The calls, with valid arguments, and the arguments that get odd values."""

KINDS = (*optimizers.ALL, *schedules.ALL)
TRAINING = ("train", "validation", "weights", *(one.__name__ for one in KINDS))
"""Calls that train where nothing is refused."""

FOREIGN = {"random_state", "class_weight", "estimator"}
"""These are checked by scikit-learn."""

LOOKS_UP = ("Run.at", "Sweep[]", "GroupModels[]")
"""What isn't there is an IndexError or a KeyError."""

PATHS = {"table", "df", "checkpoint", "out", "path"}
"""What can't be opened is an OSError."""


@pytest.fixture(autouse=True)
def all_is_checked(monkeypatch, tmp_path, request):
    for made in (run, swept, objective, model, models):
        made()

    def enough(needed, *others, **more):
        memory.check_memory(needed, *others, **more)
        raise EnoughError

    for name in ("train", "sweep", "objective"):
        module = importlib.import_module(f"fastgd.training.{name}")
        monkeypatch.setattr(module, "check_memory", enough)
    if "trains" not in request.fixturenames:
        monkeypatch.setattr(TrainingJob, "train_one", lambda *_: enough(0, "the training"))
    monkeypatch.setattr(memory, "available_memory", lambda: 10**9)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trains():
    """Small trainings take place, which are not asked how much memory they need."""


@pytest.fixture
def in_time():
    """Something that never ends is found by a signal, where there are any."""

    def stuck(*_):
        raise StuckError

    if not hasattr(signal, "setitimer"):
        yield lambda _seconds: None
        return
    before = signal.signal(signal.SIGALRM, stuck)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def outcome_of(name, places, call, given, in_time):
    """What is wrong with the outcome; empty if a rule was stated or the result is fine."""
    begin = time.process_time()
    in_time(60)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)  # that is what they are for
            call(**given)
    except EnoughError:
        pass
    except StuckError:
        return "never ends"
    except (TypeError, ValueError) as error:
        text = str(error)
        if not (stated(error) and text and len(text) < MOST_LETTERS):
            return repr(error)
        if not text.isprintable() or not re.search(r"\b(must|needs|takes|known are)\b", text):
            return f"no rule: {text!a}"
    except Exception as error:
        looked_up = name in LOOKS_UP and isinstance(error, LookupError) and stated(error)
        opened = PATHS & set(places) and isinstance(error, OSError)
        if not (looked_up or opened):
            return repr(error)
    finally:
        in_time(0)
    seconds = time.process_time() - begin
    return f"takes {seconds:.1f} s" if seconds > ENOUGH_SECONDS else ""


def wrong_of(name, values, in_time, step=1):
    """What is wrong with a call, for any of these values in any argument, or each step-th."""
    call, given, places = CALLS[name]
    wrong, values = [], list(values)
    for number, place in enumerate(places, list(CALLS).index(name)):
        for odd in values[number % step :: step] if place not in FOREIGN else ():
            found = outcome_of(name, [place], call, given | {place: VALUES[odd]}, in_time)
            wrong += [f"{place} = {odd}: {found}"] if found else []
    return "\n".join(wrong)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_an_odd_argument_is_rejected_by_a_rule(name, step, in_time):
    assert not wrong_of(name, VALUES, in_time, step)


@pytest.mark.slow
@pytest.mark.usefixtures("trains")
@pytest.mark.parametrize("name", [name for name in TRAINING if name in CALLS])
def test_what_is_not_rejected_is_trained(name, in_time):
    assert not wrong_of(name, VALUES, in_time)


@pytest.mark.slow
def test_what_is_huge_is_rejected_before_it_is_allocated(in_time):
    tracemalloc.start()
    try:
        for name in CALLS:
            wrong_of(name, HUGE, in_time)
            assert tracemalloc.get_traced_memory()[1] < ENOUGH_BYTES, name
    finally:
        tracemalloc.stop()


def test_billions_of_runs_are_refused_before_they_are_listed():
    axes = {"alpha": np.linspace(0.1, 1, 999), "l2": np.linspace(0, 1, 999), "seed": range(4000)}
    tracemalloc.start()
    try:
        with pytest.raises(
            memory.TooLargeError, match="the sweep must fit into the available memory"
        ):
            fastgd.sweep([[0, 1], [1, 0]], [0, 1], **axes, iterations=1)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_several_odd_arguments_at_once_are_rejected_as_one(in_time):
    random = np.random.RandomState(SEED)
    wrong = []
    for _ in range(TOGETHER):
        name = [*CALLS][random.randint(len(CALLS))]
        call, given, places = CALLS[name]
        own = [place for place in places if place not in FOREIGN]
        chosen = {
            place: [*VALUES][random.randint(len(VALUES))]
            for place in random.permutation(own)[: random.randint(2, 5)].tolist()
        }
        odd = {place: VALUES[value] for place, value in chosen.items()}
        found = outcome_of(name, [*chosen], call, given | odd, in_time)
        wrong += [f"{name} {chosen}: {found}"] if found else []
    assert not wrong, "\n".join(wrong)


def test_the_calls_go_well_as_they_stand():
    for call, given, _ in CALLS.values():
        if given:
            with contextlib.suppress(EnoughError):
                call(**given)
