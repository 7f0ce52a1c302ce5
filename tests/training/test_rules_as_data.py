"""Many rules of a sweep are programs of an interpreter: with the bits of compiled rules."""

from contextlib import contextmanager
from math import inf
from unittest.mock import patch

import numpy as np
import pytest
from test_results import same

import fastgd
from cases import X, Y
from fastgd.engine import programs
from fastgd.formulas.rules import Rule
from fastgd.optimizers import FIRST_ORDER, Adam, Momentum, Rprop
from random_rules import random_rule
from thinning import at_a_time, only

pytestmark = pytest.mark.slow  # each of them compiles

GIVEN = {"X": X, "y": Y, "alpha": 0.01, "iterations": 40, "record_every": 10}

RANDOM = np.random.default_rng(2)
RULES = list(dict.fromkeys(Rule(random_rule(RANDOM)) for _ in range(100)))


@contextmanager
def as_data(*, always=True):
    """All rules of sweeps are programs; or none is."""
    with patch.object(programs, "FEWEST", 1 if always else inf):
        yield


def sweeps_of(**given):
    """A sweep of rules as data, and of the same rules compiled."""
    with as_data():
        one = fastgd.sweep(**GIVEN | given)
    with as_data(always=False):
        other = fastgd.sweep(**GIVEN | given)
    assert len(one.networks) < len(other.networks)
    return one, other


def assert_same_results(one, other):
    """The runs are the same, one by one, with all that is kept of them."""
    assert one.shape == other.shape
    assert same(one.axes, other.axes)
    for place in np.ndindex(one.shape):
        assert same(one[place], other[place])


# ---------------------------------------------------------------- bits


EVERYTHING = Rule("""lambda w, g, alpha, t, a, b, c, d, f, h, i, j, p=0.3, q=-2: (
    w + alpha * g,
    exp(-g * g) + expm1(g) + log(abs(w)) + log1p(g * g) + sigmoid(w),
    tanh(w) + sin(w) + cos(w) + tan(w) + asin(g / 9) + acos(g / 9),
    atan(g) + sinh(w) + cosh(w) + relu(w) + floor(9 * w),
    abs(g)**1.5 + abs(w)**p + fma(w, g, p) + sqrt(abs(g)) + sign(g) + w**3 + g**-2,
    minimum(w, g) + maximum(w, g) + where(g > w, g, w) + where(g >= t, 1, where(g < w, w, 2)),
    where(w <= alpha, -w, q) + p**t + q**t * t + sqrt(1 - p**t) + exp(-t),
    f + h,
    -3,
)""")


def test_every_operation_has_the_bits_of_compiled_code():
    """It needs a kernel of its own, compiled."""
    with at_a_time(8):
        one, other = sweeps_of(optimizer=[EVERYTHING, EVERYTHING._replace(p=0.5)], keep_state=True)
        assert_same_results(one, other)


ALONE = [kind() for kind in FIRST_ORDER if kind is not Rprop]


def test_built_in_optimizers_side_by_side():
    """Each lane of a tile has an optimizer of its own, of one state or another, and of none."""
    with at_a_time(8):
        assert_same_results(*sweeps_of(optimizer=ALONE, keep_state=True))


OPTIONS = {
    "tolerance": {"tolerance": 0.28, "seed": range(11)},
    "patience": {"patience": 3, "restore_best": True, "seed": range(3)},
    "stop": {"measure": ["gradient_norm"], "stop": "gradient_norm < 0.6", "seed": range(11)},
    "measure": {"measure": ["gradient_cosine", "update_norm"], "gradient_noise": [0.0, 0.1]},
    "batches": {"batch_size": 4, "bias": True, "reduction": "mean", "clip_norm": [0.1, 1.0]},
    "adaptive": {"batch_size": 4, "sampling": "adaptive", "clip_norm": 0.3, "measure": ["dead"]},
    "frozen": {"freeze": [(0,), (1,)], "max_norm": 0.9, "dropconnect": 0.2},
    "batch norm": {"batch_norm": True, "dropout": 0.1, "alpha": [(0.1, 0.2), (0.3, 0.1)]},
    "schedule": {"schedule": fastgd.Schedule("1 / t"), "hidden_size": [3, (4, 2)]},
    "combinations": {"combinations": [{"l1": 0.1, "l2": 0.0}, {"l1": 0.0, "l2": 0.1}]},
    "weights": {"weights": [fastgd.train(**GIVEN, seed=seed) for seed in (1, 2)]},
    "predictions": {"record_predictions": True, "validation": (X[:3], Y[:3]), "alpha": [1, 2]},
}


@pytest.mark.parametrize("name", only(OPTIONS, "tolerance", "batches", "frozen"))
def test_options_have_the_bits_of_compiled_rules(name):
    """Each needs kernels of its own."""
    given = dict(OPTIONS[name])
    assert_same_results(*sweeps_of(**given, optimizer=[Adam(), Momentum(), Adam(beta1=0.5)]))


def test_large_layers_take_several_turns():
    """The rows of the interpreter have room for 288 numbers."""
    given = {"hidden_size": 50, "bias": True, "optimizer": [Adam(), Momentum()]}
    with at_a_time(8):
        assert_same_results(*sweeps_of(**given))


# ---------------------------------------------------------------- what is data


def test_few_rules_are_compiled():
    assert not programs.are_data(RULES[: programs.FEWEST - 1], 8, 1000, 16)
    assert programs.are_data(RULES[: programs.FEWEST], 8, 1000, 16)
    same_formula = [RULES[0]] * 1000
    assert not programs.are_data(same_formula, 8, 1000, 16)


def test_long_work_is_compiled():
    """Compiling 100 rules is less work than a day of interpreting."""
    assert not programs.are_data(RULES, 1000, 10**6, 1000)


@pytest.mark.parametrize("other", [Rprop(), Adam(beta1=fastgd.Schedule("1 / t")), 3, Adam])
def test_others_are_no_data(other):
    assert not programs.are_data([*RULES, other], 8, 1000, 16)


def test_rules_with_other_numbers_have_one_program():
    text = "lambda w, g, alpha, p={}: w + alpha * {} * p * g"
    rules = [Rule(text.format(p, c)) for p in (1, 2, 3) for c in (0.1, 0.2)]
    axis = programs.ProgramAxis.of(rules)
    assert len({*axis.facts[:, 0]}) == 1
    assert axis.numbers.tolist() == [[c, p] for p in (1, 2, 3) for c in (0.1, 0.2)]
