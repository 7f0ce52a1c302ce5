"""What functions remember, and what groups things as equal: each part of each key tells them apart.

Every function that remembers what it returned is in a table here. It is called with arguments that
differ in one of them, nothing is cleared in between, and it returns what it would the first time.
"""

import importlib
import inspect
import itertools
import pkgutil
from collections import OrderedDict
from copy import deepcopy

import numpy as np
import pytest
from numba import typeof
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastgd
import second_values
from cases import OPTIONS as CASES
from cases import X, Y
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.options import Method
from fastgd.engine import prediction
from fastgd.engine import recipe as recipes
from fastgd.engine.layout import Sharing
from fastgd.engine.network import Network
from fastgd.kernel import vectorization
from fastgd.kernel.language.specialization import Choice
from fastgd.optimizers import Momentum, Nesterov
from fastgd.sklearn import FastGDClassifier, FastGDRegressor, SweepSearchCV
from fastgd.sklearn.candidate_fits import Fold, SearchFit
from fastgd.sklearn.deferred_fits import DeferredFits, SearchCandidate
from fastgd.sklearn.joint_training import SweptRuns, batches_of, key_of
from plain_facts import facts

STEEP = fastgd.Function("tanh(1 / k) * a", k=0.0)
FADES = fastgd.Schedule("exp(-t)")
TWO = fastgd.Loss(lambda y, v, w: (y - v) ** 2 + w**2)


def recipe(**given):
    return recipes.recipe_of(Method(**given), {})


def network(*sizes, **given):
    return Network(sizes, **given)


LAYOUT = {
    "network": network(3, 4, 2), "runs": 1, "samples": 11, "recipe": recipe(), "batch": 0,
    "window": 1, "sharing": Sharing.ALL, "group": None, "machine": None,
}  # fmt: skip
TILES = {
    "machine": vectorization.Machine(8), "runs": 1, "widest": 4, "data_runs": 1,
    "importance_runs": 1, "parts": False, "strips": False,
}  # fmt: skip

REMEMBERED = {
    "checks.numbers.rule_of": (
        {"interval": "[0, 1)"},
        {"interval": ["(0, 1)", "[0, 1]", "[0, inf)"]},
    ),
    "engine.recipe._formulas_of": (
        {"function": fastgd.Function("0.0 * a"), "with_derivative": True},
        {
            "function": [fastgd.Function("-0.0 * a"), fastgd.Function("1 * a"), STEEP],
            "with_derivative": [False],
        },
    ),
    "engine.recipe._twice": (
        {"function": fastgd.Function("0.5 * a**3")},
        {
            "function": [
                *(fastgd.Function("0.25 * a**3"), fastgd.Function("-0.0 * a**3")),
                fastgd.Penalty("0.5 * a**3", derivative="a"),
            ]
        },
    ),
    "engine.recipe._functions_of": (
        {
            "activation": fastgd.Function("tanh(k * a)", k=1.0),
            "output": fastgd.Function("a"),
            "loss": fastgd.Loss("log(v) - y"),
            "first": 2,
            "twice": False,
        },
        {
            "activation": ["tanh", fastgd.Function("0.0 * a"), fastgd.Function("-0.0 * a")],
            "output": [fastgd.Function("a", derivative="2"), "exp", "softplus"],
            "loss": [
                fastgd.Loss("log(v) + y"),
                fastgd.Loss("log(v) - y", derivative="1 / v"),
                TWO,
                fastgd.Loss(lambda y, v, w: (y - v) ** 2 - w**2),
            ],
            "first": [3],
            "twice": [True],
        },
    ),
    "engine.recipe._joint": (
        {"loss": fastgd.Loss("0.0 * v + (y - v)**2"), "unit": fastgd.Function("0.0 * a + a")},
        {
            "loss": [fastgd.Loss("-0.0 * v + (y - v)**2"), TWO],
            "unit": [fastgd.Function("-0.0 * a + a"), fastgd.Function("a", derivative="2")],
        },
    ),
    "engine.recipe._each_over_time": (
        {"formulas": (FADES,)},
        {
            "formulas": [
                (fastgd.Schedule("exp(t)"),),
                (fastgd.Schedule("exp(-0.0 * t)"),),
                (fastgd.Schedule("exp(0.0 * t)"),),
                (FADES, FADES),
                (None,),
                (FADES, fastgd.Schedule("k * t", k=1)),
            ]
        },
    ),
    "engine.recipe._measure": (
        {
            "measures": ("saturated", fastgd.Measure("0.0 * w")),
            "in_layers": False,
            "states": 1,
            "activation": "tanh",
            "output": "sigmoid",
        },
        {
            "measures": [
                ("dead", fastgd.Measure("0.0 * w")),
                ("saturated", fastgd.Measure("-0.0 * w")),
                ("saturated", fastgd.Measure("0.0 * w", "max")),
            ],
            "in_layers": [True],
            "states": [2],
            "activation": ["sigmoid", "relu"],
            "output": ["tanh", "identity"],
        },
    ),
    "engine.session._remembered": (
        LAYOUT,
        {
            "network": [network(3, 5, 2), network(3, 4, 2, bias=True)],
            "runs": [8],
            "samples": [12, 200],
            "recipe": [recipe(bias=True, l2=0.5), recipe(activation="tanh")],
            "batch": [4],
            "window": [2],
            "sharing": [Sharing.NONE],
            "group": [8],
            "machine": [vectorization.WEBASSEMBLY, vectorization.GPU],
        },
    ),
    "engine.layout._products": ({"size": "A B + 2 C"}, {"size": ["A B + 3 C", "A + B + 2 C"]}),
    "kernel.vectorization._shapes_for": (
        TILES,
        {
            "machine": [vectorization.WEBASSEMBLY, vectorization.GPU],
            "runs": [8],
            "widest": [64],
            "data_runs": [8],
            "importance_runs": [8],
            "parts": [True],
            "strips": [True],
        },
    ),
    "kernel.language.specialization._digest": (
        {"formulas": (("value", recipe().activation.formulas["value"]),)},
        {
            "formulas": [
                (("delta", recipe().activation.formulas["value"]),),
                (("value", recipe(activation="tanh").activation.formulas["value"]),),
            ]
        },
    ),
    **dict.fromkeys(
        ("engine.recipe._by_rule", "formulas.rules.facts_of", "formulas.updates.update_of"),
        (
            {"text": "lambda w, g, p, q, r=-0.0: (w + r * g, p)", "fields": ("q",)},
            {
                "text": [
                    "lambda w, g, p, q, r=-0.0: (w + q * g, p)",
                    "lambda w, g, p, q, r=-0.0: (w + r * g, -p)",
                    "lambda w, g, q, p, s, r=0.0: (w + r**r * g, p, s)",
                ],
                "fields": [("p",)],
            },
        ),
    ),
    "formulas.calendar.circle": ({"steps": 4}, {"steps": [3, 12]}),
    "sklearn.standard_steps.names_of": ({"kind": FastGDRegressor}, {"kind": [FastGDClassifier]}),
}
"""Functions with arguments, and other values of each argument."""

COMPILING = {
    "kernel.derivatives.entry_of_derivatives", "kernel.derivatives.handle_of_derivatives",
    "kernel.bytecode.address_of_function",
    "kernel.call_image.stamp_of", "kernel.language.numba_internals._without_markers",
    "kernel.curve_descent.roller_module", "kernel.splitting.handle_of",
    "kernel.launch.entry_of", "kernel.launch.handle_of",
}  # fmt: skip
"""What compiles for markers or names: see the test of recipes below."""

ELSEWHERE = {
    **dict.fromkeys(
        [f"kernel.language.source_expressions.{name}" for name in ("_source", "_tree_of")]
        + [
            f"kernel.language.source_expressions.{name}"
            for name in ("_functions_of", "_all_functions_of")
        ],
        "kernel/test_cache.py: sources that change are not translated; test_translation.py",
    ),
    "kernel.language.numba_internals._warn": "what has been said, by its text",
    "kernel.language.code_directory._warn_unsafe": "what has been said, by its path",
    "kernel.language.code_directory._locks": "kernel/test_cache.py: by the directory",
}
"""Others, with what their key is, or the tests of it."""


def remembering():
    """All functions of fastgd with parameters that remember what they returned."""
    found = {}
    for module in pkgutil.walk_packages(fastgd.__path__, "fastgd."):
        if not module.name.endswith("__main__"):
            for name, one in vars(importlib.import_module(module.name)).items():
                own = getattr(one, "__module__", "") == module.name
                if own and hasattr(one, "cache_clear") and inspect.signature(one).parameters:
                    found[f"{module.name.removeprefix('fastgd.')}.{name}"] = one
    return found


def test_all_functions_that_remember_are_in_a_table():
    known = REMEMBERED.keys() | COMPILING | ELSEWHERE.keys()
    missing = remembering().keys() - known
    assert not missing, f"add to REMEMBERED, with values of each argument: {sorted(missing)}"
    assert known == remembering().keys()


@pytest.mark.parametrize("name", REMEMBERED)
def test_a_function_returns_what_it_would_the_first_time(name):
    function, (first, others) = remembering()[name], REMEMBERED[name]
    assert [*others] == [*inspect.signature(function).parameters], "each argument needs values"
    calls = [first, *(first | {key: one} for key in others for one in others[key])]
    plain = [told(function.__wrapped__(*given.values())) for given in calls]
    assert all(one != plain[0] for one in plain[1:])  # each argument changes something
    for k in (*range(len(calls)), *reversed(range(len(calls)))):
        assert told(function(*calls[k].values())) == plain[k], calls[k]


def told(value):
    """Rules are functions: by what they say."""
    return value.words if hasattr(value, "words") else facts(value)


# ------------------------------------------------------------------ compiled code


def test_markers_are_equal_if_their_code_is():
    """Compiled code, and the layouts that get code of their own, are remembered by these."""
    tree = fastgd.Function
    methods = [case.options for case in CASES.values()]
    methods += [{"activation": tree(text)} for text in ("0.0 * a", "-0.0 * a", "1.0 * a", "a")]
    methods += [{"activation": STEEP}, {"activation": STEEP._replace(k=-0.0)}]  # numbers of runs
    found = [recipe(**given) for given in methods]
    formula = found[0].activation.formulas["value"]
    of_one = {"name": "one", "formulas": {"value": formula}, "first": 1}
    changed = {"name": "other", "formulas": {"delta": formula}, "first": 2}
    changes = [{}, *({name: one} for name, one in changed.items()), {"second": 1}]
    found += [Choice(**of_one | change) for change in changes]
    for one, other in itertools.combinations(found, 2):
        assert (one == other) == (facts(one) == facts(other)) == (typeof(one) == typeof(other))
        assert hash(one) == hash(other) or one != other


# ------------------------------------------------------------------ calls that are kept


class Stub:
    """A forward pass."""

    bytes = 1

    @classmethod
    def of(cls, _network, _methods, _samples, room):
        made = cls()
        made.room = room
        return made


def test_a_forward_pass_belongs_to_an_owner_parameters_and_samples(monkeypatch):
    monkeypatch.setattr(prediction, "Forward", Stub)
    monkeypatch.setattr(prediction, "_kept", OrderedDict())
    owners = [Stub(), Stub()]
    calls = [(0, (1, 20), 8), (1, (1, 20), 8), (0, (2, 20), 8), (0, (1, 21), 8), (0, (1, 20), 16)]

    def found(owner, shape, samples):
        return prediction._forward(owners[owner], None, list, shape, samples)

    first = [found(*call) for call in calls]
    assert len(set(first)) == len(calls)
    assert [found(*call) for call in calls] == first


# ------------------------------------------------------------------ what is equal in a search

ALIKE = [
    0, 0.0, -0.0, False, None, "0", np.int64(0), np.float64(0), np.float64(-0.0), np.float32(0),
    (0,), [0], {"a": 0}, {"b": 0}, (0, 0), np.zeros(2), -np.zeros(2), np.zeros((2, 1)),
    np.zeros(2, np.int64), np.zeros(2, np.float32), np.zeros(1, [("a", "f8")]),
    np.zeros(1, [("b", "f8")]), np.ma.masked_array(np.zeros(2)), float("nan"), {0}, {1},
    Momentum(0.0), Nesterov(0.0), STEEP, STEEP._replace(k=-0.0), STEEP._replace(k=1.0),
    fastgd.Function("tanh(-1 / k) * a", k=0.0), fastgd.Function("0.0 * a"),
    fastgd.Function("-0.0 * a"), *second_values.OWN_FORMULAS[fastgd.Loss],
]  # fmt: skip
"""Values of which no two are the same parameter."""


def test_keys_of_parameters_tell_all_apart_and_copies_together():
    keys = [key_of(one) for one in ALIKE]
    assert len(set(keys)) == len(keys)
    for one, key in zip(ALIKE, keys, strict=True):
        assert isinstance(one, set) or key_of(deepcopy(one)) == key  # sets have no hash


FITS = DeferredFits(X, Y, {})
ROWS = np.arange(11)
SETTINGS = {
    "hidden_size": [(4,), (5,), (4, 4)],
    "alpha": [0.5, 0.25],
    "iterations": [3, 4],
    "record_every": [1, 2],
    "k": [0.0, -0.0, 1.0],
    **{name: second_values.values_of_type(option.kind) for name, option in DECLARED.items()},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_fits_that_differ_in_a_setting_are_different_cases(name):
    network = FastGDRegressor((4,), max_iter=3, batch_size=4, random_state=0)
    problem = FITS.begin(network, ROWS)[1]
    given = problem.settings | {"activation": STEEP if name == "k" else "tanh"}
    different = {facts(value): value for value in SETTINGS[name]}.values()
    problems = [problem._replace(settings=given | {name: value}) for value in different]
    batches = batches_of(dict(enumerate([*problems, *problems])))
    assert sum(len(cases) for batch in batches for cases in batch.cases) == len(problems)


class Asked(SweptRuns):
    """Runs of a fit that note who owns their forward pass."""

    def __init__(self):
        self.owner = None

    def outputs(self, owner, X):
        self.owner = owner
        return np.zeros((1, len(X), 2))


@pytest.mark.parametrize("name", ["hidden_size", "activation", "output", "loss", "batch_norm", "k"])
def test_fits_share_a_forward_pass_if_their_networks_are_alike(name):
    problem = FITS.begin(FastGDRegressor((4,), max_iter=3, random_state=0), ROWS)[1]
    given = problem.settings | {"activation": STEEP if name == "k" else "tanh"}
    problems = [problem._replace(settings=given | {name: one}) for one in SETTINGS[name]]
    problems.append(problem._replace(table=problem.table._replace(y=Y[:, :1])))
    fold, owners = Fold(ROWS, {}), []
    for inputs, one in [(X, one) for one in (*problems, *problems)] + [(X[:, :2], problem)]:
        fit = SearchFit(None, fold, None, one, outcome=Asked())
        fit._outputs(inputs)
        owners.append(fit.outcome.owner)
    assert owners[: len(problems)] == owners[len(problems) : -1]
    assert len(set(owners)) == len(problems) + 1


def test_networks_with_other_class_weights_have_other_tables():
    fits = DeferredFits(X, np.arange(11) > 2, {})
    candidates = [
        make_pipeline(StandardScaler(), FastGDClassifier((2,), class_weight=one, random_state=0))
        for one in (None, "balanced", {False: 1, True: 2}, {False: 1, True: 3})
    ]
    weights = [fits.share(SearchCandidate(one, {}), ROWS)[1].table.weight for one in candidates]
    assert len({facts(one) for one in weights}) == len(weights)


def test_a_default_with_another_sign_is_given():
    """A file, a checkpoint and a prediction depend on it: it is 1 / k that counts."""
    method = Method(activation=STEEP, k=-0.0)
    assert str(method.given["k"]) == "-0.0"
    assert Method(activation=STEEP, k=0.0).given.keys() == {"activation"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_search_tells_functions_and_their_numbers_apart():
    grids = [{"activation": [STEEP, STEEP._replace(k=-0.0), STEEP._replace(k=1.0)]}]
    grids.append({"activation": [STEEP], "options": [{"k": 0.0}, {"k": -0.0}, {"k": 2.0}]})
    network = FastGDRegressor((3,), max_iter=20, random_state=1)
    found, expected = (
        kind(network, grids, cv=3).fit(X, Y).cv_results_["mean_test_score"]
        for kind in (SweepSearchCV, GridSearchCV)
    )
    np.testing.assert_array_equal(found, expected)
    assert len(set(found[:3])) == len(set(found[3:])) == 3
