"""Every option: its default, its messages, and which are axes."""

import inspect
import math
import re
from fractions import Fraction
from itertools import chain, product, repeat

import numpy as np
import pandas
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from test_checks import HUGE, anything, refused

import fastgd
from cases import DECAY, other
from fastgd import optimizers, schedules
from fastgd.arguments import initial_network, option_types, options
from fastgd.arguments.axes import as_axis
from fastgd.arguments.declarations import DECLARED, OF_EACH_RUN, STRUCTURES, VALUES
from fastgd.arguments.initial_network import check_alpha, check_alphas
from fastgd.arguments.option_types import Number
from fastgd.arguments.options import Options
from fastgd.checks.messages import either
from fastgd.checks.numbers import (
    NOT_NEGATIVE,
    check_count,
    check_counts,
    check_number,
    check_seed,
    check_seeds,
)
from fastgd.formulas.named import ACTIVATIONS, LOSSES, OUTPUTS
from fastgd.optimizers import (
    Adam,
    AdamW,
    GradientDescent,
    LevenbergMarquardt,
    Momentum,
    Nesterov,
    RMSProp,
    Rprop,
)
from fastgd.schedules import Constant, Cosine, Factors, Linear
from thinning import only

CUBE = fastgd.Function("a**3")
CAUCHY = fastgd.Loss("log(1 + (y - v)**2)")
X = np.arange(15.0).reshape(5, 3)
Y = np.array([[0.0], [1.0], [0.5], [0.0], [1.0]])
SIGNED = 2 * Y - 1

DEFAULTS = {name: option.default for name, option in DECLARED.items()}
OTHERS = {
    "optimizer": Momentum(momentum=0.5),
    "schedule": Cosine(steps=50),
    "activation": "tanh",
    "output": "tanh",
    "loss": "cross_entropy",
    "reduction": "mean",
    "bias": True,
    "batch_size": 2,
    "shuffle": False,
    "shuffle_seed": 7,
    "sampling": "adaptive",
    "init": "he",
    "freeze": (0,),
    "penalty": DECAY,
    "batch_norm": True,
    "monitor": "loss",
    "summary": 10,
    "evaluate_every": 5,
    "restore_best": True,
} | {name: other(name) for name in VALUES if name != "gradient_weight"}
SINGLE = ": a sweep takes one value of it for all runs"
NO_AXES = [name for name, option in DECLARED.items() if not option.is_axis]
KNOWN = either(DEFAULTS)
UNITS, OUTPUT_UNITS = (
    either([*map(repr, names), "a fastgd.Function"]) for names in (ACTIVATIONS, OUTPUTS)
)
LOSS_NAMES = either([*map(repr, LOSSES), "a fastgd.Loss"])
OPTIMIZERS = (
    f"{either([f'{kind.__name__}()' for kind in optimizers.ALL])}, from fastgd.optimizers or a Rule"
)


def check(*, y=Y, hidden=(4,), **given):
    [method] = options.check_sweep(given, options.NO_AXES, [hidden], (X[: len(y)], y)).methods
    return method


def check_sweep(*, y=Y, hiddens=((4,),), **given):
    return options.check_sweep(given, options.axes(given), list(hiddens), (X[: len(y)], y))


def rows(*groups):
    """One test case for each value of groups (name, error, rule, [(value, what came), ...])."""
    return pytest.mark.parametrize(
        ("name", "value", "error", "message"),
        [
            pytest.param(name, value, error, f"{name} must be {rule}, got {came}")
            for names, error, rule, cases in groups
            for name in names.split()
            for value, came in cases
        ],
    )


# ---- the table


def test_every_option_has_its_default_and_its_place():
    assert set(Options.__annotations__) == set(DEFAULTS)
    method = check()
    assert {name: getattr(method, name) for name in DEFAULTS} == DEFAULTS
    assert type(method.optimizer) is GradientDescent
    assert method.given == {}


def test_every_option_is_documented():
    lines = re.findall(r"^(\w+) : .+\n    \S", inspect.getdoc(fastgd.train) or "", re.MULTILINE)
    assert [name for name in lines if name in DEFAULTS] == list(DEFAULTS)


@pytest.mark.parametrize("name", OTHERS)
def test_an_option_given_is_kept(name):
    # beside others that it needs, or that another value of it would not go with
    needed = {"sampling": {"batch_size": 3}, "batch_norm": {"batch_size": 3}}
    beside = (needed | {"restore_best": {"patience": 3}}).get(name, {})
    method = check(**{name: OTHERS[name]}, **beside)
    assert method.given == beside | {name: OTHERS[name]}
    assert list(method.given) == [n for n in DEFAULTS if n == name or n in beside]
    assert [getattr(method, n) for n in DEFAULTS if n not in method.given] == [
        value for n, value in DEFAULTS.items() if n not in method.given
    ]


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_given_is_not_kept(name):
    assert check(**{name: DEFAULTS[name]}).given == {}


def test_optimizers_with_equal_fields_are_told_apart():
    """Tuples are equal whatever their class is: Momentum and Nesterov fell into one group."""
    assert Momentum(0.9) != Nesterov(0.9)
    assert Momentum(0.9) == Momentum(momentum=0.9) != Momentum(0.5)
    assert len({Momentum(), Nesterov(), Momentum()}) == 2
    frame = pandas.DataFrame({"optimizer": [Momentum(), Nesterov(), Momentum()], "error": 1.0})
    assert frame.groupby("optimizer", sort=False)["error"].sum().tolist() == [2.0, 1.0]
    method = check(optimizer=Nesterov())
    assert type(method.given["optimizer"]) is Nesterov


def test_a_method_at_other_values():
    method = check(optimizer=Adam(), dropout=0.5)
    other = method.at({"beta2": 0.5, "dropout": 0.25, "bias": True})
    assert other.given == {"optimizer": Adam(beta2=0.5), "bias": True, "dropout": 0.25}
    assert method.given == {"optimizer": Adam(), "dropout": 0.5}
    assert method.at({"optimizer": RMSProp(), "l1": 1.0}).optimizer == RMSProp()


@pytest.mark.parametrize(
    ("names", "came"),
    [
        (["optimzer"], "'optimzer': did you mean optimizer?"),
        (["bias", "drop_out"], "'drop_out': did you mean dropout?"),
        (["L2"], "'L2': did you mean l2?"),
        (["batchsize"], "'batchsize': did you mean batch_size?"),
        (["alphas"], "'alphas': did you mean alpha?"),
        (["hidden_sizes"], "'hidden_sizes': did you mean hidden_size?"),
        (["zzz"], "'zzz'"),
        (["alpha"], "'alpha'"),
        (["learning_rate"], "'learning_rate': fastgd calls it alpha"),
        (["lr"], "'lr': fastgd calls it alpha"),
        (["epochs"], "'epochs': fastgd counts iterations, each of them an update"),
        (["max_iter"], "'max_iter': fastgd calls it iterations"),
        (["random_state"], "'random_state': fastgd calls it seed"),
        (["hidden_layer_sizes"], "'hidden_layer_sizes': fastgd calls it hidden_size"),
        (["weight_decay"], "'weight_decay': fastgd calls it l2"),
        (["n_jobs"], "'n_jobs': fastgd calls it threads"),
        (
            ["momentum"],
            "'momentum': momentum is a field of optimizer=Momentum(momentum=...) or "
            "optimizer=Nesterov(momentum=...)",
        ),
        (
            ["warmup_steps"],
            "'warmup_steps': warmup_steps is a field of schedule=Cosine(warmup_steps=...)",
        ),
        (["steps"], "'steps': fastgd calls it iterations"),
    ],
)
def test_unknown_options_are_refused(names, came):
    given = dict.fromkeys(names, True)
    rule = "known" if ":" in came else f"one of {KNOWN}"
    message = f"an option must be {rule}, got {came}"
    refused(TypeError, message, check, **given)
    refused(TypeError, message, check_sweep, **given)
    refused(TypeError, message, options.axes, given)


@pytest.mark.parametrize(
    ("given", "came"),
    [
        ({"tau": 0.5}, "'tau': tau is a parameter of loss='quantile'"),
        ({"loss": "huber", "tau": 0.5}, "'tau': tau is a parameter of loss='quantile'"),
        ({"negative_slope": 0.1}, "'negative_slope': negative_slope is a parameter of "
         "activation='leaky_relu'"),
        ({"loss": ["huber", "quantile"], "tau": 0.5},
         "'tau': tau is a parameter of loss='quantile' alone"),
        ({"loss": "huber", "delt": 0.5}, "'delt': did you mean delta?"),
        ({"optimizer": LevenbergMarquardt(), "damping": [1e-3, 1.0]},
         "'damping': damping is a field of optimizer=LevenbergMarquardt(damping=[...])"),
        ({"optimizer": AdamW(), "weight_decay": 0.1},
         "'weight_decay': weight_decay is a field of optimizer=AdamW(weight_decay=...)"),
        ({"schedule": Cosine(9), "steps": 5},
         "'steps': steps is a field of schedule=Cosine(steps=...)"),
    ],
)  # fmt: skip
def test_the_number_of_another_function_or_optimizer_is_refused(given, came):
    message = f"an option must be known, got {came}"
    if not isinstance(given.get("loss"), list):
        refused(TypeError, message, check, **given)
    refused(TypeError, message, check_sweep, **given)


# ---- single values

FRACTION_TEXT = "a number of at least 0 and below 1"
ABOVE_ZERO_TEXT = "a finite number above 0"
NOT_NEGATIVE_TEXT = "a finite number of at least 0"
BETWEEN_TEXT = "a number above 0 and below 1"
ABOVE_ONE_TEXT = "a finite number above 1"
SHARE_TEXT = "a number from 0 to 1"
TEXTS = {
    "[0, 1)": FRACTION_TEXT,
    "(0, inf)": ABOVE_ZERO_TEXT,
    "[0, inf)": NOT_NEGATIVE_TEXT,
    "(0, inf]": "a number above 0, or infinity",
}
RULES = {
    text: " ".join(
        name for name in VALUES if name in OTHERS and DECLARED[name].kind == Number(interval)
    )
    for interval, text in TEXTS.items()
}
NOT_FINITE = [(math.inf, "inf"), (10**400, f"1{'0' * 27}...{'0' * 29}")]
NEGATIVE = [(-1, "-1"), (np.float32(-0.5), "-0.5"), (-5e-324, "-5e-324"), (-math.inf, "-inf")]
BAD = {
    FRACTION_TEXT: [(1, "1"), (1.0, "1.0"), (2.5, "2.5"), *NOT_FINITE, *NEGATIVE],
    ABOVE_ZERO_TEXT: [(0, "0"), (np.array(0.0), "0.0"), *NOT_FINITE, *NEGATIVE],
    NOT_NEGATIVE_TEXT: [*NOT_FINITE, *NEGATIVE],
    BETWEEN_TEXT: [(0, "0"), (1, "1"), *NOT_FINITE, *NEGATIVE],
    SHARE_TEXT: [(1.5, "1.5"), *NOT_FINITE, *NEGATIVE],
    ABOVE_ONE_TEXT: [(1, "1"), (0.5, "0.5"), *NOT_FINITE, *NEGATIVE],
    "a number above 0, or infinity": [
        (0, "0"),
        (-(10**400), f"-1{'0' * 26}...{'0' * 29}"),
        *NEGATIVE,
    ],
    "a number above 0 and below 1": [(0, "0"), (1.0, "1.0"), *NOT_FINITE, *NEGATIVE],
    "a finite number above 1": [(0, "0"), (1, "1"), *NOT_FINITE, *NEGATIVE],
}
NO_NUMBERS = [
    ("0.5", "'0.5'"),
    (True, "True"),
    (np.True_, "True"),
    (None, "None"),
    (0.5j, "0.5j"),
    ((0.1, 0.2), "(0.1, 0.2)"),
    ([0.1, 0.2], "[0.1, 0.2]"),
    (np.array([0.5]), "array([0.5])"),
]
FIELDS = {
    "momentum": FRACTION_TEXT,
    "rho": FRACTION_TEXT,
    "beta1": FRACTION_TEXT,
    "beta2": FRACTION_TEXT,
    "epsilon": ABOVE_ZERO_TEXT,
    "weight_decay": NOT_NEGATIVE_TEXT,
    "eta_minus": BETWEEN_TEXT,
    "eta_plus": ABOVE_ONE_TEXT,
    "min_step": {Rprop: ABOVE_ZERO_TEXT, LevenbergMarquardt: NOT_NEGATIVE_TEXT},
    "max_step": ABOVE_ZERO_TEXT,
    "damping": ABOVE_ZERO_TEXT,
    "increase": ABOVE_ONE_TEXT,
    "decrease": BETWEEN_TEXT,
    "max_damping": ABOVE_ZERO_TEXT,
    "min_gradient": NOT_NEGATIVE_TEXT,
    "scaled": SHARE_TEXT,
    "factor": ABOVE_ZERO_TEXT,
    "final_factor": NOT_NEGATIVE_TEXT,
}
"""The fields of optimizers and schedules, with their rule, or that of each class."""
COUNTS = {"step_size": 1, "steps": 1, "warmup_steps": 0}
"""Fields that are whole numbers, and of at least how many."""
KINDS = (*optimizers.ALL, *schedules.ALL)


def by_kind(table):
    """Each field of a table with every class that has it."""
    return [(name, table[name], k) for k in KINDS for name in k.hyperparameters if name in table]


def made(kind, **fields):
    """With the fields that have no default."""
    facts = kind.hyperparameters.items()
    return kind(**{name: 9 for name, fact in facts if fact.default is None} | fields)


def option_of(kind):
    """The option that takes it, and another one of its like."""
    return ("optimizer", Adam()) if kind in optimizers.ALL else ("schedule", Constant())


@rows(
    *[(names, ValueError, rule, BAD[rule]) for rule, names in RULES.items()],
    (" ".join(RULES.values()), TypeError, "a number", NO_NUMBERS),
    (
        "activation",
        ValueError,
        UNITS,
        [
            ("sigmiod", "'sigmiod': did you mean 'sigmoid'?"),
            ("ReLU", "'ReLU': did you mean 'relu'?"),
            (np.str_("than"), "'than': did you mean 'tanh'?"),
            ("", "''"),
            ("swish", "'swish': did you mean 'silu'?"),
            ("linear", "'linear': did you mean 'identity'?"),
            ("maxout", "'maxout'"),
            ("a * sigmoid(a)", "'a * sigmoid(a)': write fastgd.Function(...)"),
        ],
    ),
    (
        "activation",
        TypeError,
        UNITS,
        [
            (None, "None"),
            (["tanh", "relu"], "['tanh', 'relu']"),
            (3, "3"),
            (CAUCHY, "Loss('log(1 + (y - v)**2)')"),
            (math.sin, "<built-in function sin>: write fastgd.Function(...)"),
        ],
    ),
    (
        "output",
        ValueError,
        OUTPUT_UNITS,
        [
            ("relu", "'relu'"),
            ("linear", "'linear': did you mean 'identity'?"),
            ("Tanh", "'Tanh': did you mean 'tanh'?"),
            ("logistic", "'logistic': did you mean 'sigmoid'?"),
        ],
    ),
    ("output", TypeError, OUTPUT_UNITS, [(b"tanh", "b'tanh'"), (CAUCHY, repr(CAUCHY))]),
    (
        "loss",
        ValueError,
        LOSS_NAMES,
        [
            ("crossentropy", "'crossentropy': did you mean 'cross_entropy'?"),
            ("square", "'square': did you mean 'squared'?"),
            ("MSE", "'MSE': did you mean 'squared'?"),
            ("pinball", "'pinball': did you mean 'quantile'?"),
            ("hinge", "'hinge'"),
        ],
    ),
    (
        "loss",
        TypeError,
        LOSS_NAMES,
        [(len, "<built-in function len>: write fastgd.Loss(...)"), (CUBE, "Function('a**3')")],
    ),
    (
        "monitor",
        ValueError,
        "'error' or 'loss'",
        [("val_loss", "'val_loss': did you mean 'loss'?")],
    ),
    ("reduction", ValueError, "'sum' or 'mean'", [("means", "'means': did you mean 'mean'?")]),
    ("reduction", TypeError, "'sum' or 'mean'", [(None, "None"), (["sum"], "['sum']")]),
    (
        "sampling",
        ValueError,
        "'epochs' or 'adaptive'",
        [("epoch", "'epoch': did you mean 'epochs'?"), ("aw-sgd", "'aw-sgd'")],
    ),
    ("sampling", TypeError, "'epochs' or 'adaptive'", [(["epochs"], "['epochs']")]),
    (
        "bias shuffle batch_norm restore_best",
        TypeError,
        "True or False",
        [(1, "1"), (None, "None"), ("yes", "'yes'"), ([True, False], "[True, False]")],
    ),
    (
        "batch_size patience summary evaluate_every",
        ValueError,
        "at least 1",
        [(0, "0"), (-2, "-2")],
    ),
    ("batch_size", ValueError, "at most 5", [(6, "6"), (np.int64(7), "7")]),
    ("patience summary evaluate_every", ValueError, f"at most {2**62}", [(2**63, f"{2**63}")]),
    (
        "batch_size patience summary evaluate_every",
        TypeError,
        "an int",
        [(2.0, "2.0"), (True, "True"), ("2", "'2'"), ([2, 3], "[2, 3]")],
    ),
    ("shuffle_seed", ValueError, "at least 0", [(-1, "-1")]),
    ("shuffle_seed", ValueError, f"at most {2**32 - 1}", [(2**32, f"{2**32}")]),
    ("shuffle_seed", TypeError, "an int", [(0.0, "0.0"), (None, "None"), ([1, 2], "[1, 2]")]),
    (
        "optimizer",
        TypeError,
        OPTIMIZERS,
        [
            ("adam", "'adam': did you mean Adam()?"),
            ("RMSprop", "'RMSprop': did you mean RMSProp()?"),
            ("sgd", "'sgd'"),
            ("lm", "'lm': did you mean LevenbergMarquardt()?"),
            (Momentum, "<class 'fastgd.optimizers.Momentum'>: did you mean Momentum()?"),
            (None, "None"),
            ((0.9,), "(0.9,)"),
            ((), "()"),
            ([Adam()], "[Adam(beta1=0.9, beta2=0.999, epsilon=1e-08)]"),
        ],
    ),
)
def test_bad_values_are_refused(name, value, error, message):
    message += SINGLE if name in NO_AXES and isinstance(value, list) else ""
    refused(error, message, check, **{name: value})


def test_numbers_too_long_for_words_are_refused():
    message = "l2 must be a finite number of at least 0, got a value of type int"
    refused(ValueError, message, check, l2=HUGE)
    refused(ValueError, message, check_sweep, l2=[0.5, HUGE])


@pytest.mark.parametrize("value", [math.nan, np.float32("nan")])
@pytest.mark.parametrize(
    ("name", "rule"), [(name, rule) for rule, names in RULES.items() for name in names.split()]
)
def test_nan_is_refused(name, rule, value):
    refused(ValueError, f"{name} must be {rule}, got nan", check, **{name: value})
    refused(ValueError, f"{name} must be {rule}, got nan", check_sweep, **{name: [0.5, value]})


@pytest.mark.parametrize(("name", "rule", "kind"), by_kind(FIELDS))
def test_bad_fields_of_optimizers_and_schedules_are_refused(name, rule, kind):
    option, other = option_of(kind)
    rule = rule[kind] if isinstance(rule, dict) else rule
    for error, words, cases in ((ValueError, rule, BAD[rule]), (TypeError, "a number", NO_NUMBERS)):
        for value, came in cases:
            message = f"{name} must be {words}, got {came}"
            refused(error, message, check, **{option: made(kind, **{name: value})})
            refused(error, message, check_sweep, **{option: [other, made(kind, **{name: value})]})


@pytest.mark.parametrize(("name", "least", "kind"), by_kind(COUNTS))
def test_bad_lengths_of_schedules_are_refused(name, least, kind):
    for error, words, value in (
        (ValueError, f"at least {least}", least - 1),
        (ValueError, f"at most {2**53}", 2**53 + 1),
        (TypeError, "an int", 2.0),
        (TypeError, "an int", True),
        (TypeError, "an int", None),
    ):
        message = f"{name} must be {words}, got {value}"
        refused(error, message, check, schedule=made(kind, **{name: value}))
        refused(error, message, check_sweep, schedule=made(kind, **{name: [value]}))
    assert getattr(check(schedule=made(kind, **{name: least})).schedule, name) == least


def test_every_field_of_every_optimizer_and_schedule_is_checked():
    assert {name for kind in KINDS for name in kind.hyperparameters} == {*FIELDS, *COUNTS}


def test_no_field_has_the_name_of_another_option():
    own = [n for kind in optimizers.ALL for n in kind.hyperparameters]
    others = [n for kind in schedules.ALL for n in kind.hyperparameters]
    assert not set(own) & set(others)
    assert not {*own, *others} & {*DECLARED, "alpha", "seed", "weights", "hidden_size", "group"}


CALLS = (
    "Constant(), Step(step_size), Exponential(factor), Linear(steps), Cosine(steps) or "
    "Factors(factors), "
    "from fastgd.schedules or a Schedule"
)


@rows(
    (
        "schedule",
        TypeError,
        CALLS,
        [
            ("cosine", "'cosine': did you mean Cosine(steps)?"),
            (Cosine, f"{Cosine}: did you mean Cosine(steps)?"),
            (None, "None"),
        ],
    ),
    (
        "schedule",
        ValueError,
        "at least 0",
        [([1, -0.5], "-0.5 at [1]"), (Factors(np.array([-1.0])), "-1.0 at [0]")],
    ),
)
def test_bad_schedules_are_refused(name, value, error, message):
    refused(error, message, check, **{name: value})
    refused(error, message, check_sweep, **{name: value})
    refused(error, message, check_sweep, **{name: [Cosine(steps=3), value]})


@pytest.mark.parametrize(("value", "shape"), [(np.ones((2, 3)), (2, 3)), (2.0, ())])
def test_factors_have_one_axis(value, shape):
    message = "schedule must have shape (updates,), one factor for each update, got shape {shape}"
    if shape:
        refused(ValueError, message.format(shape=shape), check, schedule=value)
        refused(ValueError, message.format(shape=shape), check_sweep, schedule=value)
    else:
        refused(TypeError, f"schedule must be {CALLS}, got 2.0", check, schedule=value)


def test_factors_must_be_finite():
    message = "schedule must be finite, got nan at [1]"
    refused(ValueError, message, check, schedule=[1.0, math.nan])
    refused(ValueError, "schedule must not be empty, got shape (0,)", check, schedule=[])


@pytest.mark.parametrize("given", [[1, 0.5], (1, 0.5), np.array([1, 0.5]), pandas.Series([1, 0.5])])
def test_an_array_of_numbers_is_one_schedule(given):
    method = check(schedule=given)
    assert method.schedule == Factors(np.array([1.0, 0.5])) != Factors(np.array([1.0]))
    assert hash(method.schedule) == hash(Factors(np.array([1.0, 0.5])))
    assert repr(method.schedule) == "Factors(<2 numbers>)"
    assert options.axes({"schedule": given}) == ({}, {})
    assert check_sweep(schedule=given).methods[0].schedule == method.schedule
    structures, _ = options.axes({"schedule": [given, Constant()]})
    assert len(structures["schedule"]) == 2
    with pytest.raises(ValueError, match="read-only"):
        method.schedule.factors[0] = 2.0


def test_what_does_not_go_with_a_schedule_is_refused():
    message = (
        "schedule must be Constant() with optimizer=Rprop(), which adapts its own step sizes, "
        "got Linear(steps=5, final_factor=0.0)"
    )
    refused(ValueError, message, check, schedule=Linear(5), optimizer=Rprop())
    refused(ValueError, message, check_sweep, schedule=Linear(5), optimizer=[Adam(), Rprop()])
    assert check(schedule=Constant(), optimizer=Rprop()).given == {"optimizer": Rprop()}
    message = "warmup_steps must be below steps (5), which include the warm-up, got 5"
    refused(ValueError, message, check, schedule=Cosine(steps=5, warmup_steps=5))
    lists = Cosine(steps=[5, 20], warmup_steps=[0, 5])
    refused(ValueError, message, check_sweep, schedule=lists)
    assert len(check_sweep(schedule=Cosine(steps=[6, 20], warmup_steps=[0, 5])).values) == 2


def test_factors_are_enough_for_all_updates():
    methods = [check(), check(schedule=[1, 0.5, 0.25])]
    options.check_updates(methods, 3)
    message = "schedule must have a factor for each of 1,000 updates, got 3"
    refused(ValueError, message, options.check_updates, methods, 1000)


LEAST = {
    **dict.fromkeys(("epsilon", "eta_minus", "min_step", "max_step"), 5e-324),
    **dict.fromkeys(("damping", "decrease", "max_damping"), 5e-324),
    **dict.fromkeys(("eta_plus", "increase"), np.nextafter(1, 2)),
}
"""Of those that can't be 0."""


@pytest.mark.parametrize("optimizer", optimizers.ALL)
def test_optimizers_as_they_are(optimizer):
    method = check(optimizer=optimizer())
    assert type(method.optimizer) is optimizer
    assert method.optimizer == optimizer()
    least = optimizer(*map(LEAST.get, optimizer._fields, repeat(0)))
    assert check(optimizer=least).optimizer == least
    assert all(
        type(value) is float for value in check(optimizer=least).optimizer._asdict().values()
    )


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("dropout", 0, 0.0),
        ("dropout", np.nextafter(1, 0), 1 - 2**-53),
        ("dropconnect", Fraction(1, 4), 0.25),
        ("l1", 5e-324, 5e-324),
        ("l2", np.array(2), 2.0),
        ("trim_below", np.float32(0.5), 0.5),
        ("tolerance", 1e308, 1e308),
        ("sampling_rate", 5e-324, 5e-324),
        ("clip_above", math.inf, math.inf),
        ("clip_above", 10**400, math.inf),
        ("clip_above", 1, 1.0),
        ("batch_size", np.int8(5), 5),
        ("batch_size", 1, 1),
        ("patience", 2**62, 2**62),
        ("summary", np.array(3), 3),
        ("shuffle_seed", 2**32 - 1, 2**32 - 1),
        ("bias", np.True_, True),
        ("activation", np.str_("tanh"), "tanh"),
    ],
)
def test_good_values_pass(name, value, kept):
    result = getattr(check(**{name: value}), name)
    assert result == kept
    assert type(result) is type(kept)


# ---- sample weights


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1, 2], ValueError, "have shape (5,), one for each sample of X, got shape (2,)"),
        (
            np.ones((5, 1)),
            ValueError,
            "have shape (5,), one for each sample of X, got shape (5, 1)",
        ),
        (2.0, ValueError, "have shape (5,), one for each sample of X, got shape ()"),
        ([], ValueError, "not be empty, got shape (0,)"),
        ([1, 1, -2, -1, 1], ValueError, "be at least 0, got -2.0 at [2]"),
        ([-5e-324, 1, 1, 1, 1], ValueError, "be at least 0, got -5e-324 at [0]"),
        ([0] * 5, ValueError, "have a finite sum above 0, got a sum of 0.0"),
        ([1e308] * 5, ValueError, "have a finite sum above 0, got a sum of inf"),
        ([1, 1, 1, np.nan, 1], ValueError, "be finite, got nan at [3]"),
        ([np.inf, 1, 1, 1, 1], ValueError, "be finite, got inf at [0]"),
        (["a"] * 5, TypeError, "hold real numbers, got ['a', 'a', 'a', 'a', 'a'] (dtype str32)"),
    ],
)
def test_bad_sample_weights_are_refused(value, error, message):
    refused(error, f"sample_weight must {message}", check, sample_weight=value)
    refused(error, f"sample_weight must {message}", check_sweep, sample_weight=value)


@pytest.mark.parametrize(
    "value", [[0, 1, 0, 2, 0.5], np.array([0.0, 1, 0, 2, 0.5]), pandas.Series([0, 1, 0, 2, 0.5])]
)
def test_sample_weights_are_copied(value):
    method = check(sample_weight=value)
    assert method.sample_weight is not None
    assert method.sample_weight.tolist() == [0, 1, 0, 2, 0.5]
    assert method.sample_weight.dtype == np.float64
    assert method.given["sample_weight"] is method.sample_weight
    method.sample_weight[:] = 7
    assert list(value) == [0, 1, 0, 2, 0.5]


# ---- what does not go together

WITH_LOSS = "with loss='cross_entropy'"
WITH_SAMPLING = "with sampling='adaptive'"
WITH_NORM = "every batch must have at least 2 samples with batch_norm=True, got one of 1 sample"
APART = [
    (
        {"loss": "cross_entropy", "output": "identity"},
        f"output must be 'sigmoid', 'tanh' or 'softmax' {WITH_LOSS}, got 'identity'",
    ),
    (
        {"loss": "cross_entropy", "y": np.array([[0, 1], [1.5, -1]])},
        f"y must be from 0 to 1 {WITH_LOSS} and output='sigmoid', got 1.5 at [1, 0]",
    ),
    (
        {"loss": "cross_entropy", "y": SIGNED},
        f"y must be from 0 to 1 {WITH_LOSS} and output='sigmoid', got -1.0 at [0, 0]",
    ),
    (
        {"loss": "cross_entropy", "output": "tanh", "y": np.array([[0.0], [-1.25]])},
        f"y must be from -1 to 1 {WITH_LOSS} and output='tanh', got -1.25 at [1, 0]",
    ),
    ({"sampling": "adaptive"}, f"batch_size must be an int {WITH_SAMPLING}, got None"),
    (
        {"sampling": "adaptive", "batch_size": 3, "batch_norm": True},
        f"batch_norm must be False {WITH_SAMPLING}, got True",
    ),
    (
        {"sampling": "adaptive", "batch_size": 3, "dropconnect": 0.5},
        f"dropconnect must be 0 {WITH_SAMPLING}, got 0.5",
    ),
    (
        {"batch_norm": True, "hidden": ()},
        "hidden_size must have at least one layer with batch_norm=True, got ()",
    ),
    ({"batch_norm": True, "batch_size": 1}, f"{WITH_NORM} (batch_size=1 of 5)"),
    ({"batch_norm": True, "batch_size": 2}, f"{WITH_NORM} (batch_size=2 of 5)"),
    ({"batch_norm": True, "batch_size": 4}, f"{WITH_NORM} (batch_size=4 of 5)"),
    ({"batch_norm": True, "y": Y[:1]}, f"{WITH_NORM} (batch_size=None of 1)"),
    (
        {"restore_best": True},
        "restore_best must have an error to monitor: that of a validation set, or one that "
        "patience, tolerance, summary or evaluate_every ask for, got none of them",
    ),
]


@pytest.mark.parametrize(("given", "message"), APART)
def test_what_does_not_go_together_is_refused(given, message):
    refused(ValueError, message, check, **given)
    if "hidden" in given:
        given = {**given, "hiddens": [(4,), given["hidden"]]}
        del given["hidden"]
    refused(ValueError, message, check_sweep, **given)


@pytest.mark.parametrize(
    "given",
    [
        {"loss": "cross_entropy"},
        {"loss": "cross_entropy", "output": "tanh", "y": SIGNED},
        {"loss": "squared", "y": 5 * SIGNED},
        {"sampling": "adaptive", "batch_size": 1, "dropout": 0.5, "dropconnect": 0},
        {"batch_norm": True, "hidden": (4, 4)},
        {"batch_norm": True, "batch_size": 3, "dropconnect": 0.5},
        {"batch_norm": True, "batch_size": 5},
        {"batch_norm": True, "batch_size": 2, "y": Y[:4]},
        {"dropout": 0.5, "hidden": ()},
        {"shuffle": False},
        {"restore_best": True, "patience": 3},
        {"restore_best": True, "tolerance": 0.1},
        {"restore_best": True, "summary": 1},
        {"restore_best": True, "evaluate_every": 1},
    ],
)
def test_what_goes_together_passes(given):
    options_given = {k: v for k, v in given.items() if k not in ("y", "hidden")}
    assert list(check(**given).given) == [
        name for name in DEFAULTS if options_given.get(name, DEFAULTS[name]) != DEFAULTS[name]
    ]


def test_held_out_samples_are_watched():
    given = {"restore_best": True}
    [method] = options.check_sweep(given, options.NO_AXES, [(4,)], (X, Y), holds_out=True).methods
    assert method.given == given


def test_a_held_out_loss_can_not_be_watched():
    rule = (
        "monitor must be 'error' with a validation set, since only its error is measured, "
        "got 'loss'"
    )
    given = {"monitor": "loss", "patience": 3}
    with pytest.raises(ValueError, match=re.escape(rule)):
        options.check_sweep(given, options.NO_AXES, [(4,)], (X, Y), holds_out=True)


def test_runs_of_a_sweep_are_looked_at_alike():
    mixed = {"restore_best": True, "tolerance": [0.0, 0.1], "patience": [None, 3]}
    rule = (
        "evaluate_every must be given with restore_best=True where some runs have patience or "
        "tolerance and others have neither, got None"
    )
    refused(ValueError, rule, check_sweep, **mixed)
    for more in ({"evaluate_every": 2}, {"summary": 3}, {"patience": [1, 3]}, {"tolerance": 0.1}):
        check_sweep(**mixed | more)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"batch_size": 4},
            "batch_size must be at most the number of samples of each subset (3 in group 'b'), "
            "got 4",
        ),
        (
            {"batch_norm": True, "batch_size": [2, 3]},
            "every batch must have at least 2 samples with batch_norm=True, got one of 1 sample "
            "(batch_size=2 of 3 in group 'b')",
        ),
        (
            {"batch_norm": True, "batch_size": 3},
            "every batch must have at least 2 samples with batch_norm=True, got one of 1 sample "
            "(batch_size=3 of 4 in group 'a')",
        ),
    ],
)
def test_batches_must_fit_into_every_part(given, message):
    chosen = options.check_sweep(given, options.axes(given), [(4,)], (X, Y), in_parts=True)

    def names(part):
        return f"group {'abc'[part]!r}"

    sizes = np.array([4, 3, 5])
    refused(ValueError, message, options.check_parts, chosen.methods, sizes, names)
    options.check_parts(chosen.methods, np.array([6, 6]), names)


# ---- axes


def test_axes_come_in_order():
    others = OTHERS | {"gradient_weight": 0.5}
    given = {name: [value] for name, value in reversed(others.items()) if name not in NO_AXES}
    structures, values = options.axes(given)
    assert list(structures) == list(STRUCTURES)
    assert list(values) == list(OF_EACH_RUN)
    assert structures | values == given
    assert set(STRUCTURES) | set(OF_EACH_RUN) | set(NO_AXES) == set(DEFAULTS)


@pytest.mark.parametrize(
    ("given", "structures", "values"),
    [
        ({}, {}, {}),
        (OTHERS, {}, {}),
        ({"optimizer": Momentum(momentum=[0.5, 0.9])}, {}, {"momentum": [0.5, 0.9]}),
        (
            {"l2": np.arange(2.0), "optimizer": Adam(epsilon=range(1, 3), beta1=(np.ones(1) / 2))},
            {},
            {"beta1": [0.5], "epsilon": [1, 2], "l2": [0.0, 1.0]},
        ),
        ({"optimizer": [Momentum(), Adam()]}, {"optimizer": [Momentum(), Adam()]}, {}),
        ({"activation": np.array(["tanh", "relu"])}, {"activation": ["tanh", "relu"]}, {}),
        ({"batch_size": [None, 2], "l1": 1}, {"batch_size": [None, 2]}, {}),
        ({"patience": [None, 5]}, {}, {"patience": [None, 5]}),
        ({"tolerance": pandas.Series([0.5, 1.0])}, {}, {"tolerance": [0.5, 1.0]}),
        ({"sample_weight": [1, 2, 3, 4, 5], "summary": [1], "sampling": ["a"]}, {}, {}),
    ],
)
def test_axes_are_found(given, structures, values):
    found = options.axes(given)
    assert found == (structures, values)
    assert [list(axes) for axes in found] == [list(structures), list(values)]
    elements = chain.from_iterable([*found[0].values(), *found[1].values()])
    assert not any(isinstance(element, np.generic) for element in elements)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"dropout": []}, ValueError, "an axis of dropout must have at least one value, got []"),
        (
            {"optimizer": Momentum(momentum=[])},
            ValueError,
            "an axis of momentum must have at least one value, got []",
        ),
        (
            {"optimizer": []},
            ValueError,
            "an axis of optimizer must have at least one value, got []",
        ),
        ({"l1": np.ones((2, 2))}, ValueError, "an axis of l1 must be 1-D, got shape (2, 2)"),
        (
            {"optimizer": RMSProp(rho=np.ones((2, 2)))},
            ValueError,
            "an axis of rho must be 1-D, got shape (2, 2)",
        ),
        (
            {"optimizer": RMSProp(rho=(0.5, 0.9))},
            TypeError,
            "rho must be one value, or a list, range or 1-D array of values as an axis, "
            "got (0.5, 0.9)",
        ),
        (
            {"activation": ("tanh", "relu")},
            TypeError,
            "activation must be one value, or a list, range or 1-D array of values as an axis, "
            "got ('tanh', 'relu')",
        ),
        (
            {"dropout": (0.1, 0.2)},
            TypeError,
            "dropout must be one value, or a list, range or 1-D array of values as an axis, "
            "got (0.1, 0.2)",
        ),
        (
            {"optimizer": [Adam(), Momentum(momentum=[0.5, 0.9])]},
            TypeError,
            "momentum must be a number, got [0.5, 0.9]",
        ),
        (
            {"shuffle": [True, False]},
            TypeError,
            f"shuffle must be True or False, got [True, False]{SINGLE}",
        ),
        ({"summary": [1, 2]}, TypeError, f"summary must be an int, got [1, 2]{SINGLE}"),
    ],
)
def test_bad_axes_are_refused(given, error, message):
    refused(error, message, check_sweep, **given)


# A layer number of freeze may be meant for one network: see test_freezing.py.
@pytest.mark.parametrize("name", [name for name in OTHERS if name not in (*NO_AXES, "freeze")])
def test_a_bad_value_of_an_axis_is_refused_as_alone(name):
    good = OTHERS[name]
    if name == "optimizer":
        refused(
            TypeError, f"optimizer must be {OPTIMIZERS}, got 3", check_sweep, optimizer=[good, 3]
        )
        return
    for bad in (-1, 1e400, "3", (1, 2), np.ones(2), b""):
        try:
            check(**{name: bad})
        except (ValueError, TypeError) as error:
            refused(type(error), str(error), check_sweep, **{name: [good, bad]})
            refused(type(error), str(error), check_sweep, **{name: [good, bad, "another"]})


def test_a_sweep_without_axes_is_one_method():
    given = {**OTHERS, "batch_size": 3, "batch_norm": False, "dropconnect": 0.0}
    found = check_sweep(**given)
    assert found.structures == found.values == {}
    (method,) = found.methods
    assert method.given == check(**given).given


def test_a_sweep_has_a_method_for_each_combination():
    found = check_sweep(
        optimizer=Adam(beta1=np.array([0.5, 0.25]), epsilon=range(1, 3), beta2=Fraction(1, 2)),
        activation=["tanh", "relu"],
        batch_size=[None, 3],
        batch_norm=True,
        dropout=[0.75, 0],
        patience=[7, None],
        sample_weight=[1, 2, 3, 4, 5],
        l2=1,
    )
    assert found.structures == {"activation": ["tanh", "relu"], "batch_size": [None, 3]}
    assert found.values == {
        "beta1": [0.5, 0.25],
        "epsilon": [1.0, 2.0],
        "dropout": [0.75, 0.0],
        "patience": [7, None],
    }
    assert list(found.values) == ["beta1", "epsilon", "dropout", "patience"]
    assert [(method.activation, method.batch_size) for method in found.methods] == [
        ("tanh", None),
        ("tanh", 3),
        ("relu", None),
        ("relu", 3),
    ]
    for method in found.methods:
        assert method.optimizer == Adam(0.5, 0.5, 1.0)
        assert all(type(value) is float for value in method.optimizer._asdict().values())
        assert (method.dropout, method.patience, method.l2) == (0.75, 7, 1.0)
        assert method.batch_norm is True
        assert method.sample_weight is not None


def test_optimizers_are_combined_with_the_rest():
    found = check_sweep(optimizer=[Momentum(), Nesterov(0)], bias=[True, False], l1=[1, 2])
    assert found.structures["optimizer"] == [Momentum(0.9), Nesterov(0.0)]
    assert [(type(m.optimizer), m.bias, m.l1) for m in found.methods] == [
        (Momentum, True, 1.0),
        (Momentum, False, 1.0),
        (Nesterov, True, 1.0),
        (Nesterov, False, 1.0),
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"output": ["sigmoid", "identity"], "loss": ["squared", "cross_entropy"]},
            f"output must be 'sigmoid', 'tanh' or 'softmax' {WITH_LOSS}, got 'identity'",
        ),
        (
            {"batch_size": [3, None], "sampling": "adaptive"},
            f"batch_size must be an int {WITH_SAMPLING}, got None",
        ),
        (
            {"batch_size": 3, "sampling": "adaptive", "dropconnect": [0, 0.5, 0.25]},
            f"dropconnect must be 0 {WITH_SAMPLING}, got 0.5",
        ),
        (
            {"batch_size": [5, 4], "batch_norm": [False, True]},
            f"{WITH_NORM} (batch_size=4 of 5)",
        ),
    ],
)
def test_every_combination_is_checked(given, message):
    refused(ValueError, message, check_sweep, **given)


# ---- many values at once


@pytest.mark.parametrize("name", [name for names in RULES.values() for name in names.split()])
@pytest.mark.parametrize(
    "axis",
    [
        [0.5, 0.25],
        [Fraction(1, 2), 0.25],
        [np.float32(0.5), np.array(0.25)],
        np.array([0.5, 0.25], np.float32),
    ],
    ids=["floats", "fractions", "scalars", "array"],
)
def test_an_axis_of_numbers_becomes_floats(name, axis):
    values = check_sweep(**{name: axis}).values[name]
    assert values == [0.5, 0.25]
    assert all(type(value) is float for value in values)


@pytest.mark.parametrize("bad", [True, np.True_, "0.5", None, (0.5,), 1j])
def test_one_value_of_another_kind_is_found_among_many(bad):
    message = f"dropout must be a number, got {bad!r}".replace("np.True_", "True")
    refused(TypeError, message, check_sweep, dropout=[0.5, 0, bad, math.nan])


def test_the_first_bad_value_is_named():
    message = f"dropout must be {FRACTION_TEXT}, got 1.5"
    refused(ValueError, message, check_sweep, dropout=[0.5, 1.5, 2.5, "a"])
    refused(ValueError, message, check_sweep, dropout=np.array([0.5, 1.5, 2.5]))


@pytest.mark.parametrize("bad", [1, 1.5, True, "5", 2**63, None, -1])
def test_counts_and_seeds_of_an_axis_are_checked_as_alone(bad):
    def outcome(call, *args):
        try:
            return call(*args)
        except (ValueError, TypeError) as error:
            return repr(error)

    def alone(axis):
        return [check_count("patience", value, 2, 10) for value in axis]

    def seeds_alone(axis):
        return [check_seed(value) for value in axis]

    for axis in ([3, bad, 4], [np.int8(3), bad], [bad], range(2, 9)):
        many = outcome(check_counts, "patience", axis, 2, 10)
        assert many == outcome(alone, axis)
        assert outcome(check_seeds, axis) == outcome(seeds_alone, axis)


numbers = st.one_of(
    st.floats(), st.integers(), st.booleans(), st.fractions(), st.sampled_from([10**400, "1", None])
)


@hypothesis_given(
    st.lists(
        st.floats(min_value=0.5, max_value=2)
        | numbers
        | st.tuples(st.floats(min_value=0.5, max_value=2), st.integers(1, 3))
        | st.tuples(numbers, numbers)
        | st.tuples(numbers),
        min_size=1,
        max_size=5,
    )
    | st.lists(st.tuples(st.floats(min_value=0.5), st.integers(1, 3)), min_size=1)
    | st.lists(st.floats(min_value=0.5), min_size=1)
)
def test_alphas_at_once_are_alphas_alone(axis):
    try:
        alone = [check_alpha(value, 2) for value in axis]
    except (ValueError, TypeError) as error:
        refused(type(error), str(error), check_alphas, axis, 2)
        return
    rates = check_alphas(axis, 2)
    assert rates.dtype == np.float64
    assert rates.flags.c_contiguous
    assert rates.tolist() == [list(pair) for pair in alone]


@pytest.mark.parametrize(
    "axis", [[(0.5,), (0.5,)], [(1.0, 2.0, 3.0), (4.0,)], [(1.0, 2.0), 3.0, ()]]
)
def test_alphas_of_other_lengths_are_refused(axis):
    (bad, *_) = (value for value in axis if isinstance(value, tuple) and len(value) != 2)
    message = "alpha must be a number or a tuple with one per layer of weights (2), got "
    refused(ValueError, f"{message}{bad}", check_alphas, axis, 2)


@hypothesis_given(st.lists(numbers, min_size=1, max_size=5))
def test_numbers_at_once_are_numbers_alone(axis):
    try:
        alone = [check_number("l1", value, NOT_NEGATIVE) for value in axis]
    except (ValueError, TypeError) as error:
        refused(type(error), str(error), DECLARED["l1"].kind.check_axis, "l1", axis, 4)
        return
    assert DECLARED["l1"].kind.check_axis("l1", axis, 4) == alone


def test_a_million_values_are_checked_at_once(monkeypatch):
    calls = []
    monkeypatch.setattr(
        option_types, "check_number", lambda *args: calls.append(args) or check_number(*args)
    )
    values = np.linspace(0, 0.5, 10**6)
    assert check_sweep(dropout=values).values["dropout"] == values.tolist()
    assert calls == []


def test_a_map_of_alphas_is_checked_at_once(monkeypatch):
    monkeypatch.setattr(initial_network, "check_alpha", None)
    alphas = np.random.default_rng(0).random((512 * 512, 2)) + 0.1
    axis = as_axis("alpha", alphas)
    assert axis is not None
    assert np.array_equal(check_alphas(axis, 2), alphas)


# ---- anything else


def is_taken_or_refused_with_a_rule(value):
    given = [{name: value} for name in DEFAULTS]
    given += [
        {option_of(kind)[0]: made(kind, **{name: value})}
        for name, kind in {name: kind for name, _, kind in by_kind(FIELDS)}.items()
    ]
    for one, call in product(given, (check, check_sweep)):
        try:
            call(**one)
        except (ValueError, TypeError) as error:
            message = str(error)
            if not re.match(r"[\w\[\] ]+ must .*, got .", message) or len(message) > 250:
                pytest.fail(f"{one}: {message}")


@pytest.mark.filterwarnings("ignore:Warning. converting a masked element:UserWarning")
@pytest.mark.parametrize("examples", only([30, 100], 30))
def test_whatever_comes_is_taken_or_refused_with_a_rule(examples):
    settings(max_examples=examples)(hypothesis_given(anything)(is_taken_or_refused_with_a_rule))()
