"""First and second derivatives of activations, compared with mpmath's."""

import mpmath
import numpy as np
import pytest
from numba import njit

from fastgd import Function
from fastgd.engine.recipe import has_second_derivative, unit_choice
from fastgd.formulas.expressions import FUNCTIONS
from fastgd.formulas.named import UNITS
from fastgd.kernel.iteration.activations import TWICE, activate_twice, body_of
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.tile import Shape

EXACT = {
    **{name: getattr(mpmath, name) for name in FUNCTIONS if hasattr(mpmath, name)},
    "abs": abs,
    "fma": lambda x, y, z: x * y + z,
    "full": lambda _shape, number: mpmath.mpf(number),
    "maximum": max,
    "minimum": min,
    "NAN": mpmath.nan,
    "pow": mpmath.power,
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "select": lambda condition, a, b: mpmath.mpf(a if condition else b),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "unit_sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "unit_tanh": mpmath.tanh,
    "value": lambda *arguments: arguments[-1],
}
"""What the code of a formula calls, for numbers of any precision."""


class Places:
    """A choice whose parameters are at the places of their values."""

    def __init__(self, function):
        for k, value in enumerate(function.parameters.values()):
            setattr(self, f"n{k}", mpmath.mpf(value))


def all_three(function, x):
    """Value and two derivatives, as exactly as the formulas are."""
    places = {name: k for k, name in enumerate(function.parameters)}
    formula = unit_choice(function, places, with_derivative=False, twice=True).formulas[TWICE]
    text = body_of(formula, ("choice", "shape", "numbers", "layer", "a"), {"a": "a"}).__text__
    names = dict(EXACT)
    exec(text, names)
    return names["body"](Places(function), None, None, None, mpmath.mpf(x))


NAMED = {name: unit.function for name, unit in UNITS.items() if unit.function}
OWN = {
    **{name: Function(f"{name}(x)") for name, count in FUNCTIONS.items() if count == 1},
    "cube": Function("x**3"),
    "root": Function("(2 + x)**1.5"),
    "exponential": Function("2**x"),
    "power": Function("(x + 2)**(x * x)"),
    "parameter": Function("(x + 2)**n + n * x", n=2.5),
    "quotient": Function("sin(x) / (x + 2)"),
    "pieces": Function("where(x > 0.2, x**3, minimum(x * x, exp(x)))"),
    "given": Function("maximum(x, 0) * x", derivative="sin(x) * x"),
    "seldom": Function("log(1 + exp(x) * cos(x)**2) - atan(x) / tanh(x + 3)"),
}


@pytest.mark.parametrize("function", [*NAMED.values(), *OWN.values()], ids=[*NAMED, *OWN])
@pytest.mark.parametrize("x", [-0.625, 0.3125, 0.75])
def test_derivatives_are_those_of_mpmath(function, x):
    if x < 0 and str(function.tree[0]) in ("log", "sqrt"):
        x = -x
    with mpmath.workdps(60):
        value = lambda t: all_three(function, t)[0]  # noqa: E731
        slope = lambda t: all_three(function, t)[1]  # noqa: E731
        _, first, second = all_three(function, x)
        if function.derivative is None:
            assert mpmath.almosteq(first, mpmath.diff(value, x), 1e-15, 1e-15)
        assert mpmath.almosteq(second, mpmath.diff(slope, x), 1e-15, 1e-15)


def test_a_constant_has_no_derivatives():
    assert all_three(Function("0 * x + 2"), 3.0)[1:] == (0, 0)


def test_a_deep_formula_has_a_second_derivative():
    text = "x"
    for _ in range(195):
        text = f"sin({text})"
    with mpmath.workdps(40):
        assert abs(all_three(Function(text), 0.5)[2]) < 1


@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_tiles_have_the_same(name):
    choice, x = unit_choice(name, {}, with_derivative=False, twice=True), np.linspace(-3, 3, 16)

    @njit
    def apply(shape, choice, x, value, first, second):
        for i in range(0, len(x), 8):
            three = activate_twice(choice, shape, x, 0, load(shape, x, i, 0))
            store(shape, value, i, 0, three[0])
            store(shape, first, i, 0, three[1])
            store(shape, second, i, 0, three[2])

    got = np.empty((3, 16))
    apply(Shape(1, 8, 1), choice, x, *got)
    exact = np.transpose([[float(v) for v in all_three(NAMED[name], t)] for t in x])
    np.testing.assert_allclose(got, exact, rtol=1e-13, atol=1e-15)


def test_which_have_none_worth_the_name():
    without = {name for name in NAMED if not has_second_derivative(name)}
    assert without == {"relu", "leaky_relu", "elu"}
    assert not has_second_derivative(Function("abs(x) + x"))
    assert not has_second_derivative(Function("maximum(x, 0.1 * x)"))
    assert has_second_derivative(Function("x * sin(x)"))
    assert has_second_derivative(Function("maximum(x, 0)", derivative="sigmoid(9 * x)"))
    assert has_second_derivative("softmax")


def test_training_kernels_are_as_before():
    assert TWICE not in unit_choice("gelu", {}).formulas
    assert (
        unit_choice("gelu", {}, twice=True).formulas.keys()
        > unit_choice("gelu", {}).formulas.keys()
    )
