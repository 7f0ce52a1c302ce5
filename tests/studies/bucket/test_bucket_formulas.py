"""Values and slopes where formulas break: near poles, at ends, far out; against mpmath."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgd import bucket
from fastgd.engine.formula_values import evaluate
from fastgd.formulas.expressions import FUNCTIONS
from fastgd.kernel.bytecode import BLOCK, OF_VALUE
from fastgd.kernel.bytecode import FUNCTIONS as KNOWN
from fastgd.studies.bucket.curves import curve_of

NEAR_ONE = [0.3, 1 - 1e-10, -1 + 1e-10, -0.5]
FAR = [0.3, -30.0, 30.0, -1.0]

EDGES = {
    "sin": FAR,
    "cos": FAR,
    "tan": [0.3, 1.57, -1.5707],
    "asin": NEAR_ONE,
    "acos": NEAR_ONE,
    "atan": [*FAR, 1e8, -1e200],
    "sinh": [*FAR, 300.0, -1e-10],
    "cosh": [*FAR, 300.0, -1e-10],
    "tanh": [*FAR, 19.0, -25.0, 300.0],
    "asinh": [*FAR, 1e200, -1e100],
    "acosh": [1 + 1e-10, 2.0, 1e200],
    "atanh": NEAR_ONE,
    "exp": [*FAR, -700.0, 700.0],
    "expm1": [*FAR, -700.0, 1e-10],
    "log": [1e-300, 0.3, 1e300],
    "log1p": [-1 + 1e-10, 1e-10, 1e300],
    "log2": [1e-300, 0.3, 1e300],
    "log10": [1e-300, 0.3, 1e300],
    "sqrt": [1e-300, 0.3, 1e300],
    "erf": [*FAR[:1], 5.0, -20.0],
    "abs": FAR,
    "sigmoid": [*FAR, -700.0, 36.0, -600.0, 700.0],
    "relu": FAR,
}

IN_MPMATH = {
    "abs": abs,
    "log2": lambda x: mpmath.log(x, 2),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "relu": lambda x: max(x, mpmath.mpf(0)),
}


def exact(name, x):
    """Value and slope, rounded."""
    f = IN_MPMATH.get(name) or getattr(mpmath, name)
    with mpmath.workdps(800):  # for 1 - tanh(300)**2
        at = mpmath.mpf(x)
        # mpmath takes differences: the step must be small beside x and beside the distance to 1.
        return float(f(at)), float(mpmath.diff(f, at, h=mpmath.mpf(10) ** -200 * abs(at)))


def test_every_function_has_its_edges():
    assert EDGES.keys() == KNOWN.keys() - {"pow"} | {"abs", "relu", "sqrt"}


@pytest.mark.parametrize("name", EDGES)
def test_slopes_hold_where_digits_are_easily_lost(name):
    x = np.array(EDGES[name])
    expected = np.array([exact(name, at) for at in x.tolist()])
    found = evaluate(name, x)
    np.testing.assert_allclose(found, expected[:, 0], rtol=1e-15)
    derived = evaluate(f"derivative of {name}", found if name in OF_VALUE else x)
    np.testing.assert_allclose(derived, expected[:, 1], rtol=1e-13, atol=1e-320)


@pytest.mark.parametrize("name", [name for name in EDGES if name in FUNCTIONS])
def test_expressions_have_the_same_functions(name):
    x = np.array(EDGES[name])
    heights, slopes = curve_of(f"{name}(x)", None).at(x)
    expected = np.array([exact(name, at) for at in x.tolist()])
    np.testing.assert_allclose(heights, expected[:, 0], rtol=1e-14)
    np.testing.assert_allclose(slopes, expected[:, 1], rtol=1e-13, atol=1e-320)


def test_a_sign_is_flat():
    heights, slopes = curve_of("sign(x) + x", None).at([-2.0, 0.0, 3.0])
    assert (heights.tolist(), slopes.tolist()) == ([-3.0, 0.0, 4.0], [1.0] * 3)


def test_a_sigmoid_is_flat_far_out():
    """Its slope was 0 * inf below -709.78."""
    heights, slopes = curve_of("sigmoid(x)", None).at([-710.0, -800.0, -1e300, 800.0, 1e300])
    np.testing.assert_allclose(heights, [math.exp(-710.0), 0, 0, 1, 1], rtol=1e-14)
    np.testing.assert_allclose(slopes, [math.exp(-710.0), 0, 0, 0, 0], rtol=1e-14)


def test_tanh_is_flat_where_cosh_overflows():
    assert curve_of("tanh(x)", None).at([1000.0, -1000.0])[1].tolist() == [0.0, 0.0]


def test_relu_is_flat_at_zero_and_keeps_nan():
    """As in the networks; at 0 its slope was 1, and of NaN it made 0."""
    heights, slopes = curve_of("relu(x)", None).at([-1.0, 0.0, -0.0, 2.0, math.nan])
    np.testing.assert_array_equal(heights, [0, 0, 0, 2, math.nan])
    np.testing.assert_array_equal(slopes, [0, 0, 0, 1, math.nan])
    assert np.isnan(curve_of("relu(log(x))", None).at(-1.0)).all()


# Powers


def test_whole_negative_powers_are_reciprocals():
    """At 0 they raised ZeroDivisionError where 1 / x was infinite."""
    x = np.array([0.0, -0.0, 0.5, -3.0])
    for power, same in [("x**-1", "1/x"), ("x**-3", "1/x**3"), ("2*x**-2", "2/(x*x)")]:
        found, expected = curve_of(power, None).at(x), curve_of(same, None).at(x)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-15)
        np.testing.assert_allclose(found[1][2:], expected[1][2:], rtol=1e-15)
        assert np.isinf(found[1][:2]).all()


def test_whole_negative_powers_of_functions_are_reciprocals():
    def f(x):
        total = x**-1
        for n in range(-2, 0):
            total += x**n
        return total

    heights, slopes = curve_of(f, None).at([0.0, 0.5, -2.0])
    np.testing.assert_allclose(heights, [math.inf, 2 + 4 + 2, -0.5 + 0.25 - 0.5], rtol=1e-15)
    np.testing.assert_allclose(slopes[1:], [-4 - 16 - 4, -0.25 + 0.25 - 0.25], rtol=1e-15)


@pytest.mark.parametrize("curve", ["x**-3 + x**2", "1/x**3 + x**2"])
def test_a_ball_at_a_pole_has_diverged_and_its_neighbors_go_on(curve):
    starts = [1.5, 0.0, 2.0]
    rolled = bucket.roll(curve=curve, start=starts)
    assert rolled.status.tolist() == ["converged", "diverged", "converged"]
    assert rolled.iterations[1] == 0
    for k in (0, 2):
        assert bucket.roll(curve=curve, start=starts[k]).x == rolled.x[k]
    assert bucket.roll(curve=curve, start=0.0).status == "diverged"


def test_a_ball_at_a_pole_of_a_given_slope_has_diverged():
    rolled = bucket.roll(lambda x: x**-3 + x, [0.0, -2.0], alpha=0.01, iterations=5)
    assert rolled.status.tolist() == ["diverged", "rolling"]


def test_slopes_of_powers_that_are_zero():
    """They were 0 * inf; of the limits at 0 all exist."""
    assert curve_of("0**x", None).at([0.5, 2.0])[1].tolist() == [0.0, 0.0]
    heights, slopes = curve_of("(x**2)**(x + 1)", None).at([0.0, 0.5])
    np.testing.assert_allclose(heights, [0.0, 0.125], rtol=1e-15)
    with mpmath.workdps(50):
        expected = float(mpmath.diff(lambda x: (x**2) ** (x + 1), mpmath.mpf(0.5)))
    np.testing.assert_allclose(slopes, [0.0, expected], rtol=1e-15)
    assert np.isnan(curve_of("(-2)**x", None).at(2.0)[1])


def test_slopes_of_powers_that_are_zero_in_functions():
    slopes = curve_of(lambda x: 0.0**x + (x * x) ** (x + 1), None).at([0.0, 0.5])[1]
    assert slopes[0] == -math.inf  # 0**x jumps from 1 to 0
    assert slopes[1] == pytest.approx(0.125 * (2 * math.log(0.25) / 2 + 1.5 / 0.25))


def test_the_larger_and_the_smaller_of_nan():
    def f(x):
        return max(x, 0.0) + 2 * min(0.0, x) + 4 * np.maximum(1.0, x)

    assert np.isnan(curve_of(f, None).at(math.nan)[0])  # as in Python and NumPy
    np.testing.assert_array_equal(curve_of(f, None).at([-2.0, 0.5, 3.0])[1], [2, 1, 5])


# Programs

LEAVES = st.sampled_from(["x", "x", "2.5", "0.5", "3", "pi"])


def _grow(parts):
    pairs = st.tuples(parts, st.sampled_from("+-*/"), parts)
    return st.one_of(
        pairs.map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(st.sampled_from(["sin", "cos", "atan", "tanh", "sigmoid"]), parts).map(
            lambda p: f"{p[0]}({p[1]})"
        ),
        st.tuples(parts, st.sampled_from(["2", "3", "-1", "0", "5"])).map(
            lambda p: f"({p[0]})**{p[1]}"
        ),
        parts.map(lambda p: f"-{p}"),
    )


NAMES = {name: getattr(mpmath, name) for name in ("sin", "cos", "atan", "tanh", "pi")}
NAMES["sigmoid"] = IN_MPMATH["sigmoid"]


@settings(max_examples=150)
@given(st.recursive(LEAVES, _grow, max_leaves=12))
def test_any_expression_has_its_value_and_slope(text):
    """Rows that are used again, parts that are there once, constants that are folded."""
    x = np.linspace(0.6, 1.7, 5)
    try:
        heights, slopes = curve_of(text, None).at(x)
    except ValueError:  # 1 / 0
        return
    with mpmath.workdps(60):
        try:
            for at, height, slope in zip(x.tolist(), heights, slopes, strict=True):

                def f(t):
                    return mpmath.mpf(1) * eval(text, dict(NAMES), {"x": t})

                value, change = f(mpmath.mpf(at)), mpmath.diff(f, mpmath.mpf(at))
                # Cancellation may cost digits: such samples prove nothing.
                if max(abs(value), abs(change)) < 1e6 and min(abs(value), abs(change)) > 1e-3:
                    assert height == pytest.approx(float(value), rel=1e-8)
                    assert slope == pytest.approx(float(change), rel=1e-6)
        except ZeroDivisionError:
            return


@pytest.mark.parametrize("count", [1, 7, 32, 33, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_blocks_that_are_not_full(count):
    x = np.linspace(-3, 3, count)
    heights, slopes = curve_of("x**4 - 3*x**2 + abs(x)/3 + 2", None).at(x)
    np.testing.assert_allclose(heights, x**4 - 3 * x**2 + np.abs(x) / 3 + 2, rtol=1e-14)
    np.testing.assert_allclose(slopes, 4 * x**3 - 6 * x + np.sign(x) / 3, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("text", "slope"), [("x", 1.0), ("3", 0.0), ("x/4", 0.25), ("x**0", 0.0)])
def test_slopes_that_are_constant(text, slope):
    assert curve_of(text, None).at([1.0, -2.0])[1].tolist() == [slope, slope]


def test_a_new_expression_compiles_nothing():
    bucket.roll(curve="x**2", start=1.0)
    from fastgd.kernel.bytecode import run_program

    before = len(run_program.overloads)
    for k in range(5):
        bucket.roll(curve=f"x**2 + {k}*x", start=1.0, iterations=3)
    assert len(run_program.overloads) == before == 1
