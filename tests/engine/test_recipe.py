"""From options to the kernel's choices and numbers."""

from math import inf

import numpy as np
import pytest

from cases import DECAY, FADING, SWITCHED
from fastgd import Function, schedules
from fastgd.arguments.declarations import DECLARED, STRUCTURES, VALUES
from fastgd.arguments.options import Method
from fastgd.engine import recipe as recipes
from fastgd.engine.recipe import (
    NEVER,
    ValueColumn,
    Values,
    recipe_of,
    state_count,
    width_of,
)
from fastgd.formulas.updates import kept_of, states_of
from fastgd.kernel.block import OPTIONS
from fastgd.optimizers import ALL, AdaDelta, Adam, GradientDescent, Momentum
from fastgd.schedules import Constant, Cosine, Exponential, Step

FEATURES = dict.fromkeys(DECLARED[name].feature for name in VALUES)
OTHERS = {name: 7 if DECLARED[name].default is None else 0.25 for name in VALUES}


def switched_on(recipe):
    """The features that the kernel is compiled with."""
    names = [name for name, choice in recipe.features.members.items() if choice is not None]
    return names + [
        name for name in ("watch", "batch_norm", "path", "separate") if recipe._asdict()[name]
    ]


# ---- the recipe


def test_plain_training_has_no_features():
    recipe = recipe_of(Method(), {})
    assert switched_on(recipe) == []
    assert (recipe.optimizer.name, [*recipe.optimizer.places]) == ("rule", [])
    assert (recipe.activation.name, recipe.output.name) == ("sigmoid", "sigmoid")
    assert (recipe.loss.name, recipe.batches.name) == ("squared", "all")


@pytest.mark.parametrize("name", VALUES)
def test_an_option_other_than_the_default_switches_its_feature_on(name):
    feature = DECLARED[name].feature
    expected = {feature} - {"batches", "tangents"} | (
        {"separate"} if name.startswith(("drop", "input_noise")) else set()
    )
    if DECLARED[name].detail:
        expected = set()
    for method, values in (
        (Method(**{name: OTHERS[name]}), {}),
        (Method(), {name: [DECLARED[name].default, OTHERS[name]]}),
    ):
        assert set(switched_on(recipe_of(method, values))) == expected
    assert (
        switched_on(recipe_of(Method(**{name: OTHERS[name]}), {name: [DECLARED[name].default]}))
        == []
    )


def test_what_is_compiled_depends_on_no_number():
    """The type of a recipe is what a kernel is kept by."""
    for name in VALUES:
        one, two = (recipe_of(Method(**{name: value}), {}) for value in (OTHERS[name], 0.5))
        assert repr(one) == repr(two)
    assert repr(recipe_of(Method(optimizer=Adam(0.5)), {})) == repr(
        recipe_of(Method(optimizer=Adam(epsilon=1.0)), {})
    )
    assert repr(recipe_of(Method(schedule=Cosine(5)), {})) == repr(
        recipe_of(Method(schedule=Cosine(500, 0.5, 20)), {})
    )


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": Momentum()},
        {"activation": "tanh"},
        {"output": "tanh"},
        {"loss": "cross_entropy"},
        {"batch_norm": True},
        {"batch_size": 2},
        {"sampling": "adaptive", "batch_size": 2},
        {"summary": 3},
    ],
    ids=str,
)
def test_what_changes_instructions_changes_the_recipe(given):
    assert repr(recipe_of(Method(**given), {})) != repr(recipe_of(Method(), {}))


def test_structures_but_bias_are_in_the_recipe():
    """A bias is one input more, which the layout knows; first weights are numbers."""
    others = {"optimizer": Adam(), "activation": "relu", "output": "tanh", "loss": "cross_entropy"}
    others |= {"bias": True, "batch_norm": True, "batch_size": 3, "reduction": "mean"}
    others |= {"schedule": Exponential(factor=0.5), "init": "he", "penalty": DECAY}
    assert set(others) == set(STRUCTURES)
    same = {
        n
        for n in others
        if repr(recipe_of(Method(**{n: others[n]}), {})) == repr(recipe_of(Method(), {}))
    }
    assert same == {"bias", "init"}


def test_errors_are_measured_apart_where_training_sees_something_else():
    for given in (
        *({"dropout": 0.5}, {"dropconnect": 0.5}, {"input_noise": 0.5}),
        *({"batch_norm": True}, {"batch_size": 1}),
    ):
        assert recipe_of(Method(**given), {}).separate is not None
    assert recipe_of(Method(l1=0.5, tolerance=0.5), {}).separate is None


# ---- the numbers


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_optimizer_finds_its_fields_and_what_it_keeps(kind):
    numbers = [0.125 * (k + 1) for k in range(len(kind._fields))]
    optimizer = kind(*numbers)
    method = Method(optimizer=optimizer)
    row = Values.of(method, 1).numbers[0]
    places = recipe_of(method, {}).optimizer.places
    values = [*numbers, *kept_of(optimizer)]
    assert [row[at] for at in places.values()] == values
    assert [*places] == [
        *(f"h{k}" if kind.formula else name for k, name in enumerate(kind._fields)),
        *(f"k{k}" if kind.formula else n for k, n in enumerate(kind.kept or kept_of(optimizer))),
    ]
    assert len(set(places.values())) == len(places)
    assert all(recipes._OPTIMIZER <= at < len(row) for at in places.values())
    assert len(row) == width_of(recipe_of(method, {}))
    assert state_count(recipe_of(method, {}).optimizer) == states_of(optimizer)


def test_numbers_of_the_same_name_stand_apart():
    """What Adam keeps, a field of a schedule and a number of a function may all be a factor."""
    scaled = Function(lambda a, power1: power1 * a, power1=0.25)
    method = Method(optimizer=Adam(), schedule=Step(7, 0.5), activation=scaled)
    recipe, row = recipe_of(method, {}), Values.of(method, 1).numbers[0]
    assert [row[recipe.optimizer.places[f"k{k}"]] for k in range(4)] == [1, 1, 0, 0]
    assert [row[recipe.schedule.places[name]] for name in ("n0", "n1")] == [7, 0.5]
    assert [row[at] for at in recipe.activation.places.values()] == [0.25]
    assert len(row) == width_of(recipe)


@pytest.mark.parametrize("kind", schedules.ALL, ids=lambda kind: kind.__name__)
def test_a_schedule_finds_its_fields(kind):
    schedule = kind(*(7 + k for k in range(len(kind._fields))))
    method = Method(optimizer=Adam(), schedule=schedule)
    choice, row = recipe_of(method, {}).schedule, Values.of(method, 1).numbers[0]
    if schedule == Constant():
        assert choice is None
        return
    expected = [getattr(schedule, name) for name in kind.hyperparameters]
    assert [row[at] for at in choice.places.values()] == expected
    assert len(row) == width_of(recipe_of(method, {}))


def test_formulas_over_time_find_their_numbers_and_the_fields_that_they_are():
    optimizer = Adam(beta1=SWITCHED, epsilon=FADING)
    method = Method(optimizer=optimizer, schedule=FADING, penalty=DECAY, switch=3.0, rate=0.5)
    recipe, row = recipe_of(method, {}), Values.of(method, 1).numbers[0]
    assert [row[at] for at in recipe.own_penalty.places.values()] == [0.02]
    places = recipe.schedule.places
    assert [row[places[name]] for name in ("n0", "n1")] == [0.5, 3]
    own = [recipe.optimizer.places[name] for name in ("h0", "h2")]
    assert [places[name] for name in ("h1", "h2")] == own
    plain = recipe_of(Method(optimizer=Adam()), {})
    assert (plain.schedule, plain.own_penalty) == (None, None)


@pytest.mark.parametrize("name", VALUES)
def test_the_choice_that_reads_an_option_finds_its_numbers(name):
    option = DECLARED[name]
    values = Values.of(Method(**{name: OTHERS[name]}), 3)
    places = recipes.choice_of("on", option.feature).places
    found = [
        (values.integers if slot.is_whole else values.numbers)[:, places[slot.name]].tolist()
        for slot in option.slots
    ]
    value = OTHERS[name]
    made = {"threshold": 2**30, "factor": 1 / 0.75}
    assert found == [[made.get(slot.name, value)] * 3 for slot in option.slots]


def test_rates_and_patience_at_their_ends():
    (threshold, factor) = ValueColumn.of("dropout", [0.0, 1 - 2.0**-53], Method()).parts
    assert threshold[2].tolist() == [0, 2**32 - 1]
    assert factor[2].tolist() == [1.0, 2.0**53]
    (patience,) = ValueColumn.of("patience", [None, 1, 2**62], Method()).parts
    assert patience[2].tolist() == [NEVER, 1, 2**62]
    assert patience[2].dtype == np.int64
    (clip,) = ValueColumn.of("clip_above", [inf, 2.0], Method()).parts
    assert clip[2].tolist() == [inf, 2.0]


def test_axes_put_each_runs_own_value_and_nothing_else():
    method = Method(optimizer=AdaDelta(), l2=0.5)
    base = Values.of(method, 4)
    values = base.at(np.arange(4))
    index = np.array([1, 0, 1, 1])
    ValueColumn.of("epsilon", [0.25, 0.75], method).put(values, index)
    ValueColumn.of("dropout", [0.0, 0.5], method).put(values, index)
    places = recipe_of(method, {}).optimizer.places
    assert values.numbers[:, places["h1"]].tolist() == [0.75, 0.25, 0.75, 0.75]
    dropout = recipes.choice_of("on", "dropout").places
    assert values.integers[:, dropout["threshold"]].tolist() == [2**31, 0, 2**31, 2**31]
    changed = np.delete(values.numbers, [places["h1"], dropout["factor"]], axis=1)
    kept = np.delete(base.numbers, [places["h1"], dropout["factor"]], axis=1)
    assert changed.tobytes() == kept.tobytes()
    assert len(ValueColumn.of("epsilon", [0.25, 0.75], method)) == 2


def test_integers_of_options_follow_the_kernels_own():
    whole = [place for slot, place in recipes._PLACES.items() if slot in recipes._WHOLE]
    assert whole == list(range(OPTIONS, recipes.INTEGERS))
    assert not Values.of(Method(), 1).integers[0, :OPTIONS].any()
    assert Values.of(Method(optimizer=GradientDescent()), 2).numbers.shape == (
        2,
        recipes._OPTIMIZER,
    )
