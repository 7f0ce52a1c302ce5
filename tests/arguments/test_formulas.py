"""Functions and losses of one's own: what they are, what is refused, text and back."""

import copy
import math
import pickle
import re
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgd
from fastgd import functions
from fastgd.arguments.options import Method
from fastgd.arguments.samples import MOST_CLASSES, check_outputs, classes_apart
from fastgd.checks.messages import options_text, setting_text, value_text
from fastgd.engine.formula_values import value_of
from fastgd.formulas.expressions import (
    FUNCTIONS,
    LARGEST,
    OF_SYMBOLS,
    Symbol,
    is_tracing,
    parse,
    write,
)
from fastgd.formulas.named import LOSSES, UNITS, Formula
from fastgd.functions import exp, log, sin, where
from fastgd.reference.formulas import value_and_derivatives

SWISH = fastgd.Function(lambda a, beta: a / (1 + exp(-beta * a)), beta=1.0)
CAUCHY = fastgd.Loss(lambda y, v, c: log(1 + ((y - v) / c) ** 2), c=1.0)
SLOPED = fastgd.Function("abs(a)", derivative="sign(a)")
GAUSSIAN = fastgd.Loss(lambda y, mean, s: 0.5 * (s + (y - mean) ** 2 / exp(s)))
ALL = {"swish": SWISH, "cauchy": CAUCHY, "sloped": SLOPED, "gaussian": GAUSSIAN}
NAMED = [facts.function for facts in (*UNITS.values(), *LOSSES.values()) if facts.function]


# ---------------------------------------------------------------- what they are


def test_a_function_is_a_tree_and_its_numbers():
    assert SWISH.variables == ("a",)
    assert dict(SWISH.parameters) == {"beta": 1.0}
    assert SWISH.derivative is None
    assert SWISH.tree == ("div", "a", ("add", 1.0, ("exp", ("mul", ("neg", "beta"), "a"))))
    assert CAUCHY.variables == ("y", "v")
    assert (CAUCHY.outputs, GAUSSIAN.outputs, GAUSSIAN.variables) == (1, 2, ("y", "mean", "s"))


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (SWISH, "Function('a / (1 + exp(-beta * a))', beta=1)"),
        (CAUCHY, "Loss('log(1 + ((y - v) / c)**2)', c=1)"),
        (SLOPED, "Function('abs(a)', derivative='sign(a)')"),
        (GAUSSIAN, "Loss('0.5 * (s + (y - mean)**2 / exp(s))')"),
    ],
)
def test_as_they_are_shown(formula, text):
    assert repr(formula) == text
    assert str(formula) == text.split("'")[1]


def test_python_in_them_is_run_once_and_leaves_arithmetic():
    def series(a, p):
        total = 0.0
        for k in range(3):
            total = total + p**k * a ** (k + 1) / math.factorial(k)
        return helper(total)

    def helper(x):
        return where(x > np.float64(1.0), x, -x) + np.int64(2) * math.pi

    made = fastgd.Function(series, p=0.5)
    assert write(made.tree).endswith(f"+ {2 * math.pi!r}")
    assert made == fastgd.Function(str(made), p=0.5)


@pytest.mark.parametrize(
    "text",
    ["a * sigmoid(b * a)", "where(a > b, a, 0)", "-a**2", "minimum(maximum(-1, a), 1)", "b*a + 1"],
)
def test_a_text_and_code_are_the_same(text):
    code = eval(f"lambda a, b: {text}", vars(functions).copy())
    assert fastgd.Function(text, b=2) == fastgd.Function(code, b=2)


def test_a_text_says_what_its_variables_are():
    assert fastgd.Function("x * k", k=1).variables == ("x",)
    assert fastgd.Loss("(y - v)**2").variables == ("y", "v")
    assert fastgd.Loss("v").variables == ("y", "v")
    assert fastgd.Loss("v2 * (y - v1)**2 - log(v2)").variables == ("y", "v1", "v2")


def test_equal_are_those_with_the_same_tree_and_numbers():
    same = fastgd.Function(lambda a, beta: a / (1 + exp(-beta * a)), beta=1)
    assert same == SWISH
    assert hash(same) == hash(SWISH)
    others = [
        fastgd.Function("a / (1 + exp(-beta * a))", beta=2),
        fastgd.Function("a / (1 + exp(-b * a))", b=1),
        fastgd.Function("x / (1 + exp(-beta * x))", beta=1),
        fastgd.Function("a / (1 + exp(-(beta * a)))", beta=1),
        fastgd.Function("abs(a)"),
        fastgd.Loss("abs(y - v)"),
        "a / (1 + exp(-beta * a))",
        None,
    ]
    for other in others:
        assert other != SWISH
    assert fastgd.Function("abs(a)") != SLOPED
    assert len({SWISH, same, *others[:6]}) == 7


@pytest.mark.parametrize("formula", ALL.values(), ids=ALL)
def test_pickled_copied_and_read_from_their_source(formula):
    made = [
        pickle.loads(pickle.dumps(formula)),
        copy.copy(formula),
        copy.deepcopy(formula),
        type(formula).of_text(*formula.source),
    ]
    for other in made:
        assert other == formula
        assert hash(other) == hash(formula)
        assert repr(other) == repr(formula)
        assert (other.tree, other.derivative, other.variables) == (
            formula.tree, formula.derivative, formula.variables,
        )  # fmt: skip


def test_they_can_not_be_changed():
    with pytest.raises(AttributeError, match="a Function can't be changed, got tree=3"):
        SWISH.tree = 3
    with pytest.raises(AttributeError, match="a Loss can't be changed, got new=1"):
        CAUCHY.new = 1
    with pytest.raises(TypeError):
        SWISH.parameters["beta"] = 2.0


def test_a_method_has_the_numbers_that_were_chosen():
    method = Method(activation=SWISH, beta=2.0, loss="huber", delta=0.5)
    assert method.numbers == {"beta": 2.0, "delta": 0.5}
    assert method.given == {"activation": SWISH, "loss": "huber", "beta": 2.0, "delta": 0.5}
    assert dict(method.formula("activation").parameters) == {"beta": 2.0}
    assert dict(method.formula("loss").parameters) == {"delta": 0.5}
    assert method.formula("output") == UNITS["sigmoid"].function
    assert method.at({"loss": "squared"}).numbers == {"beta": 2.0}
    assert Method(activation=SWISH, beta=1.0).given == {"activation": SWISH}
    assert Method(output="softmax", loss="cross_entropy").formula("output") is None


def test_threads_write_down_functions_of_their_own():
    def made(k, found):
        for _ in range(50):
            found.append(fastgd.Function(lambda a: exp(k * a) + where(a > k, 0.5, exp(-1.0))))

    found = {k: [] for k in range(8)}
    threads = [threading.Thread(target=made, args=item) for item in found.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, made_there in found.items():
        expected = fastgd.Function(f"exp({k} * a) + where(a > {k}, 0.5, exp(-1))")
        assert set(made_there) == {expected}
    assert not is_tracing()


# ---------------------------------------------------------------- text and back

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9).map(float)
ONE = [name for name, count in FUNCTIONS.items() if count == 1]


def operations(parts):
    return st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "mul", "div", "pow"]), parts, parts),
        st.tuples(st.sampled_from(["minimum", "maximum"]), parts, parts),
        st.tuples(st.just("fma"), parts, parts, parts),
        st.tuples(st.sampled_from(["neg", *ONE]), parts),
        st.tuples(
            st.just("where"),
            st.tuples(st.sampled_from(["lt", "le", "gt", "ge"]), parts, parts),
            parts,
            parts,
        ),
    )


TREES = st.recursive(NUMBERS | st.sampled_from(["a", "beta"]), operations, max_leaves=12)


def traced(tree):
    """What the operations of a tree leave of symbols: arithmetic of constants is worked out."""
    if isinstance(tree, (float, str)):
        return Symbol(tree)
    operation, *operands = tree
    if operation == "where":
        (comparison, left, right), a, b = operands
        signs = {"lt": "__lt__", "le": "__le__", "gt": "__gt__", "ge": "__ge__"}
        condition = getattr(traced(left), signs[comparison])(traced(right))
        return where(condition, traced(a), traced(b))
    signs = {"add": "__add__", "sub": "__sub__", "mul": "__mul__", "div": "__truediv__"}
    signs |= {"pow": "__pow__", "neg": "__neg__"}
    first, *others = map(traced, operands)
    if operation in signs:
        return getattr(first, signs[operation])(*others)
    return OF_SYMBOLS[operation](first, *others)


@given(TREES)
def test_what_is_written_is_read_again(tree):
    try:
        made = fastgd.Function(lambda a, beta: traced(tree) + 0 * a + 0 * beta, beta=1.0)
    except (TypeError, ValueError) as error:  # a constant part of it is no finite number
        assert "finite" in str(error)  # noqa: PT017  any other error is to be seen
        return
    again = Formula.of_text.__func__(fastgd.Function, *made.source)
    assert again.tree == made.tree
    assert str(again) == str(made)


def test_a_long_formula_is_read_again():
    """A call has two names in Python's tree, and a negative number a sign."""
    for text in ("sin(" * 99 + "a" + ")" * 99, " - 1 * ".join(["a"] * 50), "a" + " + -1" * 99):
        made = fastgd.Function(text)
        assert fastgd.Function(str(made)) == made
    deep = fastgd.Function(lambda a: 1 + sum((sin(a * -k) for k in range(1, 39)), start=a))
    assert fastgd.Function.of_text(*deep.source) == deep
    assert parse("x", str(deep), ("a",)) == deep.tree


# ---------------------------------------------------------------- values and slopes


@pytest.mark.parametrize("formula", NAMED, ids=repr)
def test_values_are_those_of_the_reference(formula):
    arrays = np.random.default_rng(0).uniform(0.1, 3.0, (len(formula.variables), 300))
    expected = value_and_derivatives(formula, *arrays)[0]
    np.testing.assert_allclose(value_of(formula, *arrays), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("formula", NAMED, ids=repr)
def test_slopes_are_those_of_differences(formula):
    """Of the reference, which has the rules once more: at points without a kink."""
    points = np.array([-2.3, -0.7, 0.4, 1.9])
    y = np.array([0.3, 1.1, 2.2, 0.0])
    arrays = [points] if isinstance(formula, fastgd.Function) else [y, np.abs(points)]
    arrays += [points[::-1]] * (len(formula.variables) - len(arrays))
    value, *slopes = value_and_derivatives(formula, *arrays)
    assert value.shape == points.shape
    first = len(arrays) - len(slopes)
    for k, slope in enumerate(slopes, first):
        moved = [[a + s * 1e-6 * (i == k) for i, a in enumerate(arrays)] for s in (1, -1)]
        high, low = (value_and_derivatives(formula, *each)[0] for each in moved)
        np.testing.assert_allclose(slope, (high - low) / 2e-6, rtol=1e-7, atol=1e-9)


# ---------------------------------------------------------------- what is refused

WHERE = r"line \d+ of test_formulas.py, '.*': "
NO_BRANCH = (
    "the number isn't known yet, so if, while, and, or, not, min and max don't work: use where"
)
NO_NUMBER = "the number isn't known yet: use the functions of fastgd.functions, not those of math"
MADE_OF = "must be made of arithmetic, constants and the functions of fastgd.functions; "


def grows(a):
    for _ in range(LARGEST):
        a = a + a
    return a


class Odd:
    def __call__(self, *_args):
        raise RuntimeError


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda a: a if a > 0 else 0, NO_BRANCH),
        (lambda a: max(a, 0), NO_BRANCH),
        (lambda a: a and 1, NO_BRANCH),
        (lambda a: not a, NO_BRANCH),
        (lambda a: where(0 < a < 1, a, 0), NO_BRANCH),
        (lambda a: math.exp(a), NO_NUMBER),
        (lambda a: np.exp(a), NO_NUMBER),
        (lambda a: np.maximum(a, 0), NO_NUMBER),
        (lambda a: int(a), NO_NUMBER),
        (lambda a: range(a), NO_NUMBER),
        (lambda a: float(a), NO_NUMBER),
        (lambda a: a == 1, "== and != are not supported: compare by <, <=, > or >= in where"),
        (lambda a: a != 1, "== and != are not supported"),
        (lambda a: where(a, 1, 0), r"the condition of where\(\) must be a comparison such as a > "),
        (lambda a: where(True, a, 0), "must be a comparison such as a > 0, got True"),
        (lambda a: a + 1e400, "its constants must be finite, got inf"),
        (lambda a: a * float("nan"), "its constants must be finite, got nan"),
        (lambda a: a + "1", "it must be made of numbers, got '1'"),
        (lambda a: a + 1j, "it must be made of numbers, got 1j"),
        (lambda a: a + True, "it must be made of numbers, got True"),
        (lambda a: a + a[0], "not subscriptable"),
        (lambda a: sum(a), "not iterable"),
        (lambda a: a // 2, "unsupported operand"),
        (lambda a: a.real, "has no attribute"),
        (lambda a: undefined(a), "name 'undefined' is not defined"),  # noqa: F821  the mistake
        (lambda a: a * (1 / 0), "division by zero"),
        (lambda a: sin(a, a), "takes"),
        (lambda a: [a], "it must be made of numbers, got "),
        (lambda _a: None, "it must be made of numbers, got None"),
        (lambda a: a > 0, "it must be made of numbers, got "),
        (grows, f"it must have at most {LARGEST} numbers, names and operations"),
    ],
)  # fmt: skip
def test_what_can_not_be_compiled_is_refused_with_its_line(function, reason):
    with pytest.raises(TypeError, match=f"^a Function {MADE_OF}{WHERE}.*{reason}") as error:
        fastgd.Function(function)
    assert "\n" not in str(error.value)
    assert not is_tracing()


def test_the_line_is_that_of_the_helper_that_it_is_in():
    def helper(x):
        return math.sin(x)  # here

    with pytest.raises(TypeError, match=r"'return math\.sin\(x\) # here': the number isn't known"):
        fastgd.Function(lambda a: a + helper(a))


def test_a_slope_is_named():
    with pytest.raises(
        TypeError, match=f"^the derivative of a Function {MADE_OF}{WHERE}{NO_NUMBER}"
    ):
        fastgd.Function(lambda a: sin(a), derivative=lambda a: math.cos(a))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fastgd.Function(3), TypeError, "a Function must be a function of numbers or an "
         "expression, got 3"),
        (lambda: fastgd.Function(None), TypeError, "or an expression, got None"),
        (lambda: fastgd.Loss([]), TypeError, r"a Loss must be a function of numbers .*, got \[\]"),
        (lambda: fastgd.Function(lambda *a: a), TypeError, "a Function must take named "
         "positional arguments, such as lambda a, beta: ...; got"),
        (lambda: fastgd.Function(lambda **a: a), TypeError, "must take named positional arguments"),
        (lambda: fastgd.Function(lambda a, *, b: a * b, b=1), TypeError,
         "named positional arguments"),
        (lambda: fastgd.Function(lambda: 1), TypeError, "must take named positional arguments"),
        (lambda: fastgd.Function(max), TypeError, "must take named positional arguments"),
        (lambda: fastgd.Function(Odd()), TypeError, "must take named positional arguments"),
        (lambda: fastgd.Function(lambda a, b: a * b), ValueError, "a Function must have one "
         "variable, a unit's input, apart from the parameters given by name; got a, b"),
        (lambda: fastgd.Function("a * b"), ValueError, "given by name; got a, b"),
        (lambda: fastgd.Function("1 + pi"), ValueError, "given by name; got none"),
        (lambda: fastgd.Function(lambda b: b, b=1), ValueError, "given by name; got none"),
        (lambda: fastgd.Loss(lambda y: y), ValueError, "a Loss must have two or more variables, "
         "the target and the output, apart from the parameters given by name; got y"),
        (lambda: fastgd.Loss("y - x"), ValueError, "a Loss: unknown name 'x', known are y, v1, v2"),
        (lambda: fastgd.Loss("y - v*w"), ValueError, "unknown name 'w', known are y, v, pi"),
        (lambda: fastgd.Function(lambda a: a, b=1), ValueError, "a Function must take all of its "
         "parameters, got none named b"),
        (lambda: fastgd.Function("a", b="1"), TypeError,
         "the parameter b must be a number, got '1'"),
        (lambda: fastgd.Function("a*b", b=math.inf), ValueError, "the parameter b must be a finite "
         "number, got inf"),
        (lambda: fastgd.Function("a*b", b=[1]), TypeError, r"parameter b must be a number, got \["),
        (lambda: fastgd.Function(lambda pi: pi), ValueError,
         "a parameter of a Function must not have "
         "the name of a constant or function, got pi"),
        (lambda: fastgd.Function(lambda a, exp: a * exp, exp=1), ValueError, "the name of a "
         "constant or function, got exp"),
        (lambda: fastgd.Loss(lambda y, sin: y - sin), ValueError, "or function, got sin"),
        (lambda: fastgd.Function("a", derivative="x"), ValueError, "unknown name 'x', known are a"),
        (lambda: fastgd.Function(lambda a: a, derivative=lambda x: x), ValueError,
         "the derivative of a "
         "Function must take the same arguments, a, got x"),
        (lambda: fastgd.Function(lambda a, b: a * b, b=1, derivative=lambda a: a), ValueError,
         "derivative "
         "of a Function must take all of its parameters, got none named b"),
        (lambda: fastgd.Function("a", derivative=1.0), TypeError,
         "the derivative of a Function must be a "
         "function of numbers or an expression, got 1.0"),
        (lambda: fastgd.Loss("y - v1 - v2", derivative="v1"), ValueError,
         "derivative must be left out for a "
         "Loss with several outputs per target, got one"),
        (lambda: fastgd.Function(lambda a: a * OF_SYMBOLS["log"](-1.0)), ValueError, "a Function "
         "must have finite real numbers only, got 'a \\* log\\(-1\\)'"),
        (lambda: fastgd.Function("a" * 101), ValueError, "a Function must have names of at most "
         "100 characters, got 'aaa"),
        (lambda: fastgd.Function("a +"), ValueError, "a Function must be an expression such as"),
        (lambda: fastgd.Function("a = 2"), ValueError, "a Function must be an expression such as"),
        (lambda: fastgd.Function("cosine(a)"), ValueError, "a Function: unknown name 'cosine'"),
        (lambda: fastgd.Function("__import__('os')"), ValueError, "unknown name '__import__'"),
        (lambda: fastgd.Function("a > 0"), ValueError, "a comparison may only stand in where"),
        (lambda: fastgd.Function.of_text("a*b", None, ["a"], {}), ValueError, "unknown name 'b'"),
        (lambda: fastgd.Function.of_text("a", None, ["a", "b"], {}), ValueError, "got a, b"),
        (lambda: fastgd.Loss.of_text("y", None, ["y"], {}), ValueError, "got y"),
        (lambda: fastgd.Loss.of_text("v", "1", ["y", "v", "w"], {}), ValueError, "be left out"),
        (lambda: SWISH._replace(gamma=1), ValueError, "a parameter of this function must be one of "
         "beta, got gamma"),
        (lambda: SLOPED._replace(b=1), ValueError, "must be left out, got b"),
    ],
)  # fmt: skip
def test_what_is_no_formula_is_refused(make, error, message):
    with pytest.raises(error, match=message) as found:
        make()
    assert "\n" not in str(found.value)


X = np.arange(8.0).reshape(4, 2)
Y = np.array([0.0, 1.0, 2.0, 1.0])
HALVES = [[0.5, 0.5]] * 4


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        # numbers
        ({"activation": fastgd.Function("a * alpha", alpha=1)}, ValueError, "a parameter of "
         "activation must not have the name of another argument, got alpha in Function"),
        ({"loss": fastgd.Loss("momentum * (y - v)", momentum=1)}, ValueError,
         "a parameter of loss must not "
         "have the name of another argument, got momentum in Loss"),
        ({"activation": fastgd.Function("a * out", out=1)}, ValueError, "got out in Function"),
        ({"activation": fastgd.Function("a * c", c=1), "loss": CAUCHY}, ValueError,
         "the parameters "
         "of activation and loss must have different names, got c in both"),
        ({"activation": SWISH, "beta": math.nan}, ValueError, "beta must be a finite number, got "
         "nan"),
        ({"activation": SWISH, "beta": "1"}, TypeError, "beta must be .*, got '1'"),
        ({"loss": "huber", "delta": 0}, ValueError, "delta must be a finite number above 0, got 0"),
        ({"loss": "quantile", "tau": 1}, ValueError, "tau must be a number above 0 and below 1"),
        ({"activation": SWISH, "bet": 1.0}, TypeError, r"got 'bet': did you mean beta\?"),
        ({"activation": "elu", "tau": 0.5}, TypeError, "got 'tau': tau is a parameter of "
         "loss='quantile'"),
        # outputs and targets
        ({"output": "softmax"}, ValueError, "loss must be 'cross_entropy' with output='softmax', "
         "got 'squared'"),
        ({"output": "softmax", "loss": CAUCHY}, ValueError, "with output='softmax', got Loss"),
        ({"output": SWISH, "loss": "cross_entropy"}, ValueError, "output must be 'sigmoid', 'tanh' "
         "or 'softmax' with loss='cross_entropy', got Function"),
        ({"output": "sigmoid", "loss": "gaussian"}, ValueError, "output must be 'identity' with "
         "loss='gaussian', got 'sigmoid'"),
        ({"output": "identity", "loss": "poisson"}, ValueError, "output must be 'exp', 'softplus' "
         "or 'sigmoid' with loss='poisson', got 'identity'"),
        ({"output": "exp", "loss": "poisson", "y": -Y}, ValueError, "y must be at least 0 with "
         r"loss='poisson', got -2 at \[2, 0\]"),
        ({"output": "softmax", "loss": "cross_entropy", "y": Y / 2}, ValueError, "y must be class "
         "numbers from 0, or one-hot, with output='softmax', got 0.5 at 1"),
        ({"output": "softmax", "loss": "cross_entropy", "y": -Y}, ValueError, "got -1 at 1"),
        ({"output": "softmax", "loss": "cross_entropy", "y": Y + MOST_CLASSES}, ValueError,
         f"got {MOST_CLASSES} at 0"),
        ({"output": "softmax", "loss": "cross_entropy", "y": 0 * Y}, ValueError, "y must have at "
         "least 2 classes with output='softmax', got one"),
        ({"output": "softmax", "loss": "cross_entropy", "y": np.full((4, 2), 0.4)}, ValueError,
         "y must have rows of probabilities that add up to 1 with output='softmax', got "
         r"\[0.4, 0.4\] at 0"),
        ({"output": "softmax", "loss": "cross_entropy", "y": [[1.5, -0.5]] * 4}, ValueError,
         "rows of probabilities that add up to 1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("call", [fastgd.train, fastgd.sweep, fastgd.reference.train])
def test_what_does_not_go_together_is_refused(call, given, error, message):
    with pytest.raises(error, match=message) as found:
        call(**{"X": X, "y": Y} | given)
    assert "\n" not in str(found.value)


def test_an_axis_has_functions_but_not_their_numbers():
    with pytest.raises(TypeError, match=r"got 'beta'"):
        fastgd.sweep(X, Y, activation=[SWISH, "tanh"], beta=[1, 2])
    with pytest.raises(TypeError, match="delta is a parameter of loss='huber' alone"):
        fastgd.sweep(X, Y, loss=["huber", "squared"], delta=[1, 2])
    with pytest.raises(ValueError, match="weights must be left out if the losses need different "
                       "numbers of outputs, got 1 or 2"):  # fmt: skip
        fastgd.sweep(
            X, Y, loss=["squared", "gaussian"], output="identity", weights=[np.ones((2, 1))]
        )


def test_shares_of_classes_may_round():
    check_outputs("softmax", "cross_entropy", np.array([[1 / 3, 1 / 3, 1 / 3], [0.1, 0.2, 0.7]]))
    check_outputs("softmax", "cross_entropy", np.array(HALVES))


def test_class_numbers_apart():
    found = classes_apart({"output": "softmax"}, np.array([[2.0], [0.0]]))
    assert found.tolist() == [[0, 0, 1], [1, 0, 0]]
    given = {"output": ["softmax", "softmax"]}
    assert classes_apart(given, np.array([[1.0], [0.0]]), 3).shape == (2, 3)
    for options in ({}, {"output": "sigmoid"}, {"output": ["softmax", "sigmoid"]}):
        assert classes_apart(options, np.array([[2.0], [0.5]])).shape == (2, 1)
    with pytest.raises(
        ValueError, match=re.escape("and below 2 as in the training samples, got 2 at 0")
    ):
        classes_apart({"output": "softmax"}, np.array([[2.0], [0.0]]), 2)


# ---------------------------------------------------------------- in words


def test_titles_and_tables_have_short_texts():
    assert value_text("activation", SWISH) == "a / (1 + exp(-beta * a))"
    long = fastgd.Function("tanh(a) + 0.25 * sin(2 * a) - 0.125 * sin(4 * a)")
    assert value_text("activation", long) == "tanh(a) + 0.25 * sin(2 * a) - 0.125 *..."
    assert setting_text("loss", CAUCHY) == "loss log(1 + ((y - v) / c)**2)"
    options = {"activation": SWISH, "loss": CAUCHY, "c": 0.5}
    text = "activation a / (1 + exp(-beta * a)) (beta 1), loss log(1 + ((y - v) / c)**2), c 0.5"
    assert options_text(options) == text
    assert options_text({"activation": SWISH}, without=["beta"]) == (
        "activation a / (1 + exp(-beta * a))"
    )
