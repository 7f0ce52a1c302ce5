"""Expressions, against Python's own reading of them."""

import math

import numpy as np
import pytest

from fastgd.formulas.expressions import CONSTANTS, FUNCTIONS, parse
from fastgd.studies.bucket.curves import curve_of

PLAIN = {
    **{name: getattr(math, name) for name in FUNCTIONS if hasattr(math, name)},
    **CONSTANTS,
    "abs": abs,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0.0),
}


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "3",
        "-x**2 + +x",
        " x**4 - 3*x**2 + x ",
        "2**-x / (1 + x)**0.5 - x**-3 + x**2.0 + x**65 + 2**3**0.5*x",
        "-(-1) - 2*pi/e + 1e-3*x",
        "sin(x) + cos(x)*tan(x) - asin(x/9) + acos(x/9) + atan(x)",
        "sinh(x) + cosh(x) - tanh(x) + exp(x) + log(x) - sqrt(x)",
        "abs(-x) + sigmoid(x) + relu(x) - relu(-x) + sin(1) + floor(3 * x) * x",
    ],
)
def test_means_what_python_means(text):
    x = np.array([0.25, 1.75])
    heights, _ = curve_of(text, None).at(x)
    expected = [eval(text.strip(), dict(PLAIN), {"x": at}) for at in x.tolist()]
    np.testing.assert_allclose(heights, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y + 1", r"curve: unknown name 'y', known are x, pi, e, sin\(\), .*, relu\(\)"),
        ("sine(x)", r"unknown name 'sine', known are .*: did you mean sin\(\)\?$"),
        ("ln(x)", r"unknown name 'ln', known are .*: ln\(x\) is written log\(x\)$"),
        ("arctan(x)", r": arctan\(x\) is written atan\(x\)$"),
        ("sqr(x)", r": sqr\(x\) is written x\*\*2$"),
        ("z" * 9999, r"unknown name 'z{20,40}\.\.\.z{20,40}', known are"),
        ("sin", r"sin is a function, write sin\(x\)"),
        ("X", r"unknown name 'X', .*: did you mean x\?$"),
        ("x^2", r"a power is written \*\*, got 'x\^2'"),
        ("sin(x, 2)", r"sin\(\) takes one argument, got 'sin\(x, 2\)'"),
        ("sin()", "takes one argument"),
        ("sin(*x)", "takes one argument"),
        ("sin(x=x)", "takes one argument"),
        ("x +", "must be an expression of x such as .*, got 'x \\+'"),
        ("", "must be an expression of x"),
        ("x\0", "must be an expression of x"),
        ("x = 2", "must be an expression of x"),
        ("(" * 1000, "must be an expression of x"),
        ("x if x else 1", "must be made of numbers, .* got 'x if x else 1'"),
        ("x.real", "must be made of numbers, .* got 'x.real'"),
        ("x < 1", r"a comparison may only stand in where\(condition, a, b\), got 'x < 1'$"),
        ("where(x, 1, 2)", "a condition must be one comparison by <, <=, > or >=, got 'x'$"),
        ("where(x == 1, 1, 2)", "a condition must be one comparison by .* got 'x == 1'$"),
        ("where(0 < x < 1, 1, 2)", "a condition must be one comparison by .* got '0 < x < 1'$"),
        ("where(x > 1, 2)", r"where\(\) takes a condition and two numbers, got"),
        ("fma(x, 2)", r"fma\(\) takes three arguments, got 'fma\(x, 2\)'"),
        ("minimum(x)", r"minimum\(\) takes two arguments, got 'minimum\(x\)'"),
        ("max(x, 1)", r": max\(x\) is written maximum\(x\)$"),
        ("(lambda: x)()", "must be made of numbers"),
        ("__import__('os')", "unknown name '__import__'"),
        ("().__class__", "must be made of numbers"),
        ("[x for x in x]", "must be made of numbers"),
        ("x // 2", "must be made of numbers"),
        ("1j * x", "must be made of numbers"),
        ("True * x", "must be made of numbers"),
        ("'x'", "must be made of numbers"),
        ("x + 1/0", "must have finite real numbers only"),
        ("x + 9**9**9**9", "must have finite real numbers only"),
        ("x + 1e999", "must have finite real numbers only"),
        ("x + log(-1)", "must have finite real numbers only"),
        ("x * (-1)**0.5", "must have finite real numbers only"),
        ("+".join(["x"] * 101), "must have at most 200 numbers, names and operations, got 201"),
    ],
)
def test_everything_else_is_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match=message) as error:
        parse("curve", text)
    assert "\n" not in str(error.value)
