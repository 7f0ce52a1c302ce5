"""Slopes by dual numbers, against mpmath at 50 digits."""

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


# Together, as each curve is compiled.
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
    f, same = FUNCTIONS[name]
    """As they are, most of them written down, and compiled, as there is a branch."""
    jitted = numba.njit(f)

    def branches(x):
        return jitted(x) if x < 1e300 else x

    expected = exact(same or f)
    np.testing.assert_allclose(slopes(f), expected, rtol=4e-15)
    np.testing.assert_allclose(slopes(branches), expected, rtol=4e-15)


def test_functions_of_math_and_numpy_are_written_down():
    """Wherever their names come from; what can't be is left to Numba."""
    from math import atan

    from fastgd.kernel.bytecode import run_program

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
        found, expected = curve_of(function, None), curve_of(text, None)
        assert found.slope.function is run_program
        np.testing.assert_array_equal(found.at(x), expected.at(x))
    assert curve_of(math.cos, None).slope.function is run_program
    assert curve_of(np.tanh, None).slope.function is run_program
    assert curve_of(math.erf, None).slope.function is not run_program
    assert curve_of(lambda x: x if x > 0 else -x, None).slope.function is not run_program


def test_slopes_go_through_loops_branches_and_calls():
    @numba.njit
    def power(x, n):
        result = 1.0
        for _ in range(n):
            result *= x
        return result

    def f(x):
        if x < 0.5:
            return power(x, 3)
        if x > 10:
            return 7.0  # not dual
        total = x
        for n in range(1, 4):
            total += x**n / math.gamma(n + 1)
            total -= 2
        return total

    np.testing.assert_allclose(slopes(f, [0.3, 2.0, 11.0]), [0.27, 1 + 1 + 2 + 2, 0], rtol=1e-15)


def test_slopes_of_the_larger_and_the_smaller():
    def f(x):
        return max(x, 1.0) + min(2 * x, x * x) + np.maximum(0.0, x) + np.where(x > 1, x, 3 * x)

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


def test_a_function_is_compiled_once():
    def f(x):
        return x * x

    assert curve_of(f, None).slope.function is curve_of(f, None).slope.function


def test_arithmetic_is_written_down_and_compiles_nothing():
    from fastgd.kernel.bytecode import run_program

    own = functions.exp

    def f(x):
        total = 0.5
        for k in (1, 2):
            total = total + own(-k * x) / (1 + x**2)
        return functions.where(x > 0.5, total, functions.maximum(x, math.pi))

    for function in (f, numba.njit(f)):
        found = curve_of(function, None)
        assert found.slope.function is run_program
    same = curve_of("where(x > 0.5, 0.5 + exp(-x)/(1+x**2) + exp(-2*x)/(1+x**2), pi)", None)
    x = [-3.0, 0.5, 0.7, 4.0]
    np.testing.assert_array_equal(found.at(x), same.at(x))
    given = curve_of("x", lambda x: 3 * functions.sign(x))
    assert given.slope.function is run_program
    assert given.at([-2.0])[1].tolist() == [-3.0]


def branches(x):
    if x > 1.0:
        return functions.exp(x) * functions.exp(2.0) + functions.abs(x)
    chosen = functions.where(x > 0, functions.sigmoid(x), functions.log1p(x))
    return functions.minimum(x, 0.5) + chosen + functions.sqrt(4.0) * functions.sign(x)


def test_functions_of_the_package_are_compiled_where_there_are_branches():
    """The same bits as in expressions, of plain numbers, too."""
    found = curve_of(branches, None)
    for text, x in (
        ("exp(x)*exp(2) + abs(x)", [1.5, 7.0]),
        ("x + sigmoid(x) + 2", [0.1, 0.4]),
        ("x + log1p(x) - 2", [-0.1, -0.9]),
    ):
        np.testing.assert_array_equal(found.at(x), curve_of(text, None).at(x))


@pytest.mark.parametrize("name", ["math", "np"])
def test_sines_of_python_functions_are_those_of_expressions(name):
    home = {"math": math, "np": np}[name]

    def f(x):
        return home.sin(x) * home.exp(x) if x < 100 else x

    x = np.linspace(-30.0, 30.0, 100)
    expected = curve_of("sin(x)*exp(x)", None).at(x)
    np.testing.assert_array_equal(curve_of(f, None).at(x), expected)


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


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (
            lambda x: [x],
            r"curve must be a function of one number that Numba can compile, "
            r".*: it gives .*list\(Dual\)",
        ),
        (lambda x, y: x + y, "missing a required argument: 'y'"),
        (lambda x: x // 2, r"no such operation: floordiv\(Dual, "),
        (lambda x: missing(x), "name 'missing' is not defined"),  # noqa: F821  the mistake
        (3, "curve must be a function of one number or an expression of x, got 3"),
    ],
)
def test_what_cannot_be_compiled_is_refused_in_one_line(curve, message):
    with pytest.raises(TypeError, match=message) as error:
        bucket.roll(curve=curve, start=1.0)
    assert "\n" not in str(error.value)
