"""Choices: a body by its name, a field by its place, and no code for what is not chosen."""

import subprocess
import sys
from inspect import signature
from itertools import combinations
from typing import NamedTuple

import pytest
from numba import njit, typeof
from numba.core.errors import TypingError

from fastgd.kernel.extensions import REPLACED
from fastgd.kernel.language.specialization import (
    Choice,
    Features,
    FormulaChoice,
    KnownFacts,
    dispatch,
    markers,
)
from fastgd.kernel.language.tile import Shape


@markers
class Recipe(NamedTuple):
    first: Choice
    second: Choice | None


def compute(choice, x):
    """A body by the choice's name."""


def both(first, second, x):
    """A body by two names."""


def same(first, second, x):  # noqa: ARG001 - bodies take what the stub takes
    return x


def other(first, second, x):  # noqa: ARG001
    return -x


def picked(first, second, _x):
    return same if first.choice == second.choice else other


def double(choice, x):  # noqa: ARG001
    return 2 * x


def square(choice, x):  # noqa: ARG001
    return x * x


dispatch(compute, {"double": double, "square": square})
dispatch(both, picked)


@njit
def call(choice, x):
    return compute(choice, x)


@njit
def call_both(recipe, x):
    return both(recipe.first, recipe.second, x)


@njit
def has_second(recipe):
    return recipe.second is not None


def test_the_name_picks_the_body():
    assert call(Choice("double"), 5.0) == 10.0
    assert call(Choice("square"), 5.0) == 25.0
    assert len(call.signatures) == 2  # a choice is a type
    call(Choice("double"), 6.0)
    assert len(call.signatures) == 2


def test_an_unknown_name_fails_with_the_names_there_are():
    with pytest.raises(TypingError, match="compute must be 'double' or 'square', got 'cube'"):
        call(Choice("cube"), 5.0)


def test_two_names_may_decide():
    assert call_both(Recipe(Choice("a"), Choice("a")), 5.0) == 5.0
    assert call_both(Recipe(Choice("a"), Choice("b")), 5.0) == -5.0


def test_what_is_not_chosen_is_none():
    assert has_second(Recipe(Choice("a"), Choice("b")))
    assert not has_second(Recipe(Choice("a"), None))


def test_a_field_that_is_not_there_is_no_attribute():
    @njit
    def third(recipe):
        return recipe.third

    with pytest.raises(TypingError, match="third"):
        third(Recipe(Choice("a"), None))


ONE = FormulaChoice((("variable", "a"),), (0,))
ALIKE = {
    "name": lambda: Choice("a"),
    "places": lambda: Choice("a", x=1, y=2),
    "formulas": lambda: Choice("a", {"value": ONE}),
    "features": lambda: Features(first=Choice("a"), second=None),
    "shape": lambda: Shape(4, 2, 8),
}
APART = [
    *(made() for made in ALIKE.values()),
    *(Choice("b"), Choice("a", x=2, y=1), Choice("a", z=1, y=2), Choice("a", y=2, x=1)),
    *(Choice("a", {"slope": ONE}), Choice("a", {"value": ONE._replace(results=(1,))})),
    *(Features(first=Choice("b"), second=None), Features(second=Choice("a"), first=None)),
    *(Shape(2, 4, 8), Shape(4, 2, 1)),
]


@pytest.mark.parametrize("name", ALIKE)
def test_markers_are_equal_where_their_types_are(name):
    """Kernels are looked up by markers, so what is equal must have one type."""
    one, other = ALIKE[name](), ALIKE[name]()
    assert one == other
    assert hash(one) == hash(other)
    assert typeof(one) == typeof(other)


def test_markers_of_different_types_are_not_equal():
    for one, other in combinations(APART, 2):
        assert one != other
        assert typeof(one) != typeof(other)
    assert Choice("a") != "a"


def test_markers_say_what_they_are():
    assert repr(Choice("double")) == "Choice('double')"
    assert repr(KnownFacts((1, 2))) == "KnownFacts((1, 2))"


@pytest.mark.parametrize("stub", REPLACED, ids=lambda stub: stub.__name__)
def test_what_takes_the_place_of_a_function_takes_its_arguments(stub):
    found = getattr(REPLACED[stub](), stub.__name__)
    assert list(signature(getattr(found, "py_func", found)).parameters) == list(
        signature(stub).parameters
    )


def test_a_kernel_imports_what_it_needs_only():
    """Else each training would load what few have."""
    code = "import sys, fastgd; fastgd.train([[0.0], [1.0]], [0.0, 1.0], iterations=1);"
    code += "print([name for name in sys.modules if 'kernel.extensions.' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
