"""Slopes of Python functions, against mpmath at 50 digits."""

import math
import pickle

import mpmath
import numba
import numpy as np
import pytest

from fastgd import bucket, functions
from fastgd.studies.bucket.curves import curve_of
from thinning import only

X = np.array([0.3, 0.7])


def slopes(curve, x=X):
    return curve_of(curve, None).at(np.asarray(x, dtype=float))[1]


def exact(f, x=X):
    with mpmath.workdps(50):
        return [float(mpmath.diff(f, mpmath.mpf(float(at)))) for at in x]


FUNCTIONS = {
    "circles": (
        lambda x: math.sin(x) + 2 * math.cos(x) + 3 * math.tan(x),
        lambda x: mpmath.sin(x) + 2 * mpmath.cos(x) + 3 * mpmath.tan(x),
    ),
    "arcs": (
        lambda x: math.asin(x) + 2.5 * math.acos(x) + 3 * math.atan(x),
        lambda x: mpmath.asin(x) + mpmath.mpf(2.5) * mpmath.acos(x) + 3 * mpmath.atan(x),
    ),
    "hyperbolas": (
        lambda x: math.sinh(x) + 2 * math.cosh(x) + 3 * math.tanh(x),
        lambda x: mpmath.sinh(x) + 2 * mpmath.cosh(x) + 3 * mpmath.tanh(x),
    ),
    "areas": (
        lambda x: math.asinh(x) + 2 * math.acosh(1 + x) + 3 * math.atanh(x),
        lambda x: mpmath.asinh(x) + 2 * mpmath.acosh(1 + x) + 3 * mpmath.atanh(x),
    ),
    "exponentials": (
        lambda x: math.exp(x) + 2 * math.expm1(x) + 3 * math.erf(x),
        lambda x: mpmath.exp(x) + 2 * mpmath.expm1(x) + 3 * mpmath.erf(x),
    ),
    "logarithms": (
        lambda x: math.log(x) + 2 * math.log1p(x) + 3 * math.log2(x) + 4 * math.log10(x),
        lambda x: mpmath.log(x) + 2 * mpmath.log1p(x) + 3 * mpmath.log(x, 2) + 4 * mpmath.log10(x),
    ),
    "roots": (
        lambda x: math.sqrt(x) + abs(-2 * x) - math.fabs(+x),
        lambda x: mpmath.sqrt(x) + abs(-2 * x) - abs(x),
    ),
    "numpy": (
        lambda x: np.sin(x) * np.arctan(x) + np.square(np.exp(x)) - np.abs(np.log(x)),
        lambda x: mpmath.sin(x) * mpmath.atan(x) + mpmath.exp(x) ** 2 - abs(mpmath.log(x)),
    ),
    "quotients": (lambda x: (1 + x) / (2 - x * x) + 3 / x - x / 4, None),
    "powers": (lambda x: x**5 + x**-2 + x**0.5 + 2**x + (1 + x) ** x + x**0 + x**1, None),
}


@pytest.mark.parametrize("name", only(FUNCTIONS, *list(FUNCTIONS)[::8]))
def test_slopes_are_exact(name):
    """As they are, and as functions that a function calls, of Python or of Numba."""
    f, same = FUNCTIONS[name]
    jitted = numba.njit(f)
    expected = exact(same or f)
    for function in (f, lambda x: f(x), lambda x: jitted(x)):
        np.testing.assert_allclose(slopes(function), expected, rtol=4e-15)


def test_functions_of_math_and_numpy_are_those_of_expressions():
    """Wherever their names come from, and of constants, too."""
    from math import atan

    def f(x):
        return atan(x) * np.arctan(x) + math.fabs(np.square(x)) + math.sin(0.5) * np.pi

    def g(x):
        return (
            math.pow(2.0, x)
            + np.power(x, 0.5)
            + np.where(x > 1, np.maximum(x, 2), np.minimum(1, x))
        )

    texts = (
        "atan(x)*atan(x) + abs(x*x) + sin(0.5)*pi",
        "2**x + x**0.5 + where(x > 1, maximum(x, 2), minimum(1, x))",
    )
    x = [0.25, 1.5, 3.0]
    for function, text in zip((f, g), texts, strict=True):
        np.testing.assert_array_equal(curve_of(function, None).at(x), curve_of(text, None).at(x))
    for function, text in ((math.cos, "cos(x)"), (np.tanh, "tanh(x)")):
        np.testing.assert_array_equal(curve_of(function, None).at(x), curve_of(text, None).at(x))
    np.testing.assert_allclose(curve_of(math.erf, None).at(x)[0], [math.erf(at) for at in x])


def test_slopes_go_through_loops_over_known_numbers_and_calls():
    @numba.njit
    def power(x, n):
        result = 1.0
        for _ in range(n):
            result *= x
        return result

    def f(x):
        total = power(x, 3)
        for n in range(1, 4):
            total += x**n / math.gamma(n + 1)
            total -= 2
        return total

    expected = [3 * x**2 + 1 + x + x**2 / 2 for x in (0.3, 2.0)]
    np.testing.assert_allclose(slopes(f, [0.3, 2.0]), expected, rtol=1e-15)


def test_slopes_of_the_larger_and_the_smaller():
    def f(x):
        larger = functions.maximum(x, 1.0) + np.maximum(0.0, x)
        return larger + functions.minimum(2 * x, x * x) + np.where(x > 1, x, 3 * x)

    np.testing.assert_array_equal(slopes(f, [-1.0, 0.5, 3.0]), [0 + 2 + 0 + 3, 0 + 1 + 1 + 3, 5])


def test_a_power_of_zero_is_flat_at_zero():
    np.testing.assert_array_equal(slopes(lambda x: x**0 + x * x, [0.0]), [0.0])


def test_no_slope_where_there_is_no_height():
    heights, at = curve_of("log(x)", None).at(np.array([-1.0, 2.0]))
    assert np.isnan(heights[0])
    assert np.isnan(at[0])
    assert at[1] == 0.5


def test_a_constant_is_flat():
    assert slopes(lambda _: 3, [1.0]) == [0.0]


def test_functions_that_are_no_python_functions():
    np.testing.assert_allclose(slopes(math.cos), -np.sin(X), rtol=1e-15)
    compiled = numba.njit(lambda x: 1 / x)  # raises at 0, as Numba has it by itself
    assert curve_of(compiled, None).at(np.array([0.0]))[0] == np.inf


def test_a_slope_that_is_given_is_used():
    heights, at = curve_of("x**2", lambda x: 5 * x).at(np.array([3.0]))
    assert (heights[0], at[0]) == (9.0, 15.0)
    heights, at = curve_of(None, "5*x").at(np.array([3.0]))
    assert np.isnan(heights[0])
    assert at[0] == 15.0


def test_arithmetic_is_written_down_and_compiles_nothing():
    from fastgd.kernel.bytecode import run_program

    bucket.roll(curve="x", start=1.0, iterations=1)
    before = len(run_program.overloads)
    own = functions.exp

    def f(x):
        total = 0.5
        for k in (1, 2):
            total = total + own(-k * x) / (1 + x**2)
        return functions.where(x > 0.5, total, functions.maximum(x, math.pi))

    same = curve_of("where(x > 0.5, 0.5 + exp(-x)/(1+x**2) + exp(-2*x)/(1+x**2), pi)", None)
    x = [-3.0, 0.5, 0.7, 4.0]
    for function in (f, numba.njit(f)):
        np.testing.assert_array_equal(curve_of(function, None).at(x), same.at(x))
    given = curve_of("x", lambda x: 3 * functions.sign(x))
    assert given.at([-2.0])[1].tolist() == [-3.0]
    assert len(run_program.overloads) == before


@pytest.mark.parametrize("name", ["math", "np"])
def test_sines_of_python_functions_are_those_of_expressions(name):
    home = {"math": math, "np": np}[name]
    x = np.linspace(-30.0, 30.0, 100)
    expected = curve_of("sin(x)*exp(x)", None).at(x)
    found = curve_of(lambda x: home.sin(x) * home.exp(x), None).at(x)
    np.testing.assert_array_equal(found, expected)


def test_a_curve_is_pickled_by_what_was_given():
    """Its code has addresses of this process: what was loaded in another one crashed."""
    rolled = bucket.roll(curve="sin(x)", start=1.0, iterations=3)
    assert rolled.curve.__reduce__() == (curve_of, ("sin(x)", None))
    again = pickle.loads(pickle.dumps(rolled))
    assert (again.x, again.curve.at([2.0])) == (rolled.x, rolled.curve.at([2.0]))
    assert curve_of(None, "2*x").__reduce__() == (curve_of, (None, "2*x"))


def test_names_of_curves():
    def hill(x):
        return -x * x

    assert curve_of(" x**2 ", None).text == "x**2"
    assert curve_of(hill, None).text == "hill"
    assert curve_of(None, "2*x").text == "slope 2*x"


def branches(x):
    return x if x > 0 else -x


def loops(x):
    total = 0.0
    while total < x:
        total += x
    return total


BRANCH = r"line \d+ of test_bucket_curves.py, '.*': the number isn't known yet, .* use where\("


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (branches, BRANCH),
        (loops, BRANCH),
        (lambda x: max(x, 1.0), BRANCH),
        (lambda x: np.clip(x, 0.0, 1.0), BRANCH),  # raised in NumPy, called here
        (lambda x: [sum(range(int(x)))], "the number isn't known yet: use the functions of"),
        (lambda x: math.gamma(x), "the number isn't known yet: use the functions of"),
        (lambda x: [x], r"it must be made of numbers, got \[Symbol\('x'\)\]"),
        (lambda x, y: x + y, "missing 1 required positional argument: 'y'"),
        (lambda x: x // 2, "unsupported operand"),
        (lambda x: missing(x), "name 'missing' is not defined"),  # noqa: F821  the mistake
    ],
)
def test_what_cannot_be_traced_is_refused_in_one_line(curve, message):
    rule = "curve must be made of arithmetic, constants and the functions of fastgd.functions; "
    with pytest.raises(TypeError, match=f"^{rule}.*{message}") as error:
        bucket.roll(curve=curve, start=1.0)
    assert "\n" not in str(error.value)


def test_what_is_no_curve_is_refused():
    with pytest.raises(TypeError, match="curve must be a function of one number or an expression"):
        bucket.roll(curve=3, start=1.0)
