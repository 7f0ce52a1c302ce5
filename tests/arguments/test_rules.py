# ruff: noqa: ARG005 - rules of which an argument is not used
"""Rules as data: what is read, what is refused, what is the same, and what is computed when."""

import copy
import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from test_formulas import TREES

import fastgd
from fastgd.arguments.options import Method
from fastgd.engine.recipe import Values, step_of
from fastgd.formulas.expressions import LARGEST, write
from fastgd.formulas.rules import LONGEST, MOST_STATES, Rule
from fastgd.formulas.updates import states_of, update_by
from fastgd.functions import exp, fma, sign, sqrt, where
from fastgd.optimizers import ALL, FIRST_ORDER, Adam, LevenbergMarquardt

X, Y = [[0.0], [1.0]], [0.0, 1.0]
LION = "lambda w, g, alpha, m, beta1=0.9, beta2=0.99: " + (
    "(w + alpha * sign(beta1 * m + (1 - beta1) * g), beta2 * m + (1 - beta2) * g)"
)


def lion(w, g, alpha, m, beta1=0.9, beta2=0.99):
    c = beta1 * m + (1 - beta1) * g
    m = beta2 * m + (1 - beta2) * g
    return w + alpha * sign(c), m


# ---------------------------------------------------------------- what is the same


def test_a_function_and_its_text_are_the_same_rule():
    rules = [Rule(lion), Rule(LION), Rule(f"  {LION}\n"), eval(repr(Rule(lion)))]
    rules.append(Rule(LION.replace("beta2 * m", "(beta2 * m)")))
    assert len({*rules}) == 1
    assert rules[0].formula == LION
    assert rules[0]._asdict() == {"formula": LION, "beta1": 0.9, "beta2": 0.99}


@pytest.mark.parametrize("made", [pickle.dumps, copy.deepcopy, copy.copy])
def test_copies_are_equal(made):
    rule = Rule(lion, beta1=0.5)
    again = made(rule)
    again = pickle.loads(again) if isinstance(again, bytes) else again
    assert (again, hash(again), repr(again)) == (rule, hash(rule), repr(rule))
    assert again.beta1 == 0.5


def test_other_values_are_another_rule():
    rule = Rule(lion)
    other = rule._replace(beta1=0.5)
    assert (other.beta1, other.beta2, rule.beta1) == (0.5, 0.99, 0.9)
    assert other == Rule(lion, beta1=0.5) != rule
    assert repr(other) == f"Rule({LION!r}, beta1=0.5)"
    with pytest.raises(AttributeError):
        rule.beta1 = 0.5
    assert "beta1" in rule._repr_html_()


def test_parts_have_names():
    """As in Python, which reads from the left: v is the new one where it stands again."""
    text = "lambda w, g, alpha, v, p=0.9: (w + alpha * (v := p * v + g), v)"
    assert Rule(text) == Rule(eval(text))
    assert Rule(text).formula.endswith(": (w + alpha * (p * v + g), p * v + g)")


@given(TREES)
def test_what_is_written_is_read_again(tree):
    text = f"lambda w, g, a, beta=1.0: ({write(tree)}, a + 0 * g)"
    try:
        rule = Rule(text)
    except ValueError as error:
        assert "finite" in str(error)  # noqa: PT017  any other error is to be seen
        return
    assert Rule(rule.formula) == rule


def test_a_hyperparameter_is_a_number():
    assert Rule(lambda w, g, p=Fraction(1, 4): w + p * g).p == 0.25
    assert Rule("lambda w, g, p=-1/4: w + p * g").p == -0.25


# ---------------------------------------------------------------- what is refused


def branching(w, g, alpha):
    return w + alpha * g if g > 0 else w


def branching_by_numpy(w, g):
    import numpy as np

    return w + np.sign(g)


LONG = "lambda w, g: w" + " + g"
CHAIN = "lambda w, g: " + "w + (" * 150 + "g" + ")" * 150
DOUBLED = "lambda w, g: ((" + " * ".join(f"(p{k} := p{k - 1} * p{k - 1})" for k in range(1, 18))
DOUBLED = DOUBLED.replace("p0", "w") + "))"


STATES = [letter * 99 for letter in "abcdefgh"]
EXPANDED = f"(p := {' + '.join(['a' * 99] * 90)}), " + "p + w + g, " * 8
EXPANDED = f"lambda w, g, {', '.join(STATES)}: ({EXPANDED})"


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("w + g", "a Rule must be a lambda expression with .*, such as lambda .*, got 'w . g'"),
        ("lambda w, g", "must be a lambda expression"),
        ("", "must be a lambda expression"),
        ("lambda w, g: w + k", "a Rule: unknown name 'k', known are w, g, pi, e, sin"),
        ("lambda w, g: w + sgn(g)", r"unknown name 'sgn', .*: sgn\(x\) is written sign\(x\)"),
        ("lambda w, g: w + g.real", "a Rule must be made of numbers"),
        ("lambda w, g: exec('1')", "unknown name 'exec'"),
        ("lambda w, g: (lambda w: w)(w)", "a Rule must be made of numbers"),
        ("lambda w, g: [w for w in g]", "a Rule must be made of numbers"),
        ("lambda w, g: w if g > 0 else g", "a Rule must be made of numbers"),
        ("lambda w, g: where(g, w, 0)", "a condition must be one comparison"),
        ("lambda w, g: w + 1e999 * g", "a Rule must have finite real numbers only"),
        ("lambda w, g: w + log(-1) * g", "a Rule must have finite real numbers only"),
        ("lambda w, g, p=1e999: w", "a Rule must have finite real numbers only"),
        ("lambda w, g, p=w: w", "a Rule: unknown name 'w'"),
        ("lambda w, *g: w", "a Rule must be a lambda expression with named positional arguments"),
        ("lambda w, *, g: w", "a lambda expression with named positional arguments"),
        ("lambda w, g, m, m: (w, g, g)", "a Rule must name each argument once, got m twice"),
        ("lambda w: w", "a Rule must take w, the weight, and g, minus the derivative, got w"),
        ("lambda: 1", "a Rule must take w, .*, got no arguments"),
        (
            "lambda w, g, alpha, m, p=1: w + alpha * g",
            r"a Rule must return the new w and that of each .* \(all arguments without a default "
            r"but w, g, alpha, t; here m\), got 1 result$",
        ),
        ("lambda w, g, alpha: (w, g)", r"a Rule must return .*; here none\), got 2 results"),
        ("lambda weight, grad, lr: weight", "a Rule must take w, .*, got weight, grad, lr"),
        ("lambda w, g, pi=3: w", "must not have the name of a constant, .*, got 'pi'"),
        ("lambda w, g, sqrt: (w, g)", "must not have the name of .*, got 'sqrt'"),
        ("lambda w, g, command=3: w", "must not have the name of .*, got 'command'"),
        ("lambda w, g, second_order=1: w", "must not have the name of .*, got 'second_order'"),
        ("lambda w, g, _fields=3: w", "begin with _, .*, got '_fields'"),
        ("lambda w, g, formula=3: w", "must not have the name of .*, got 'formula'"),
        ("lambda w, g, t=1: w", "t must have no default in a Rule, which is given it, got 1"),
        (f"lambda w, g, {'a' * 101}: (w, g)", "or have more than 100 characters, got 'aaaaa"),
        (LONG + " + g" * LARGEST, f"each result of a Rule must have at most {LARGEST} numbers"),
        (LONG + " + g" * 900, "each result of a Rule must have at most 200"),
        (CHAIN, "each result of a Rule must have at most 200"),
        (DOUBLED, "each result of a Rule must have at most 200"),
        (
            EXPANDED,
            f"a Rule must have at most {LONGEST:,} characters with its parts written out, got",
        ),
        (LONG + " + g" * 10**6, f"a Rule must have at most {LONGEST:,} characters .*, got"),
        ("lambda w, g: " + "(" * 3000 + "w" + ")" * 3000, "must be a lambda expression"),
        (
            f"lambda w, g, {', '.join(f's{k}' for k in range(9))}: (w)",
            f"a Rule must return the new w and that of each of at most {MOST_STATES} states",
        ),
        (branching, "line .* of test_rules.py, 'return w . alpha .*': the number isn't known yet"),
        (branching_by_numpy, "the number isn't known yet: use the functions of fastgd.functions"),
        (lambda w, g: w * float("nan"), "its constants must be finite, got nan"),
        (lambda w, g: None, "it must be made of numbers, got None"),
        (lambda w, g: exp(exp), "it must be made of numbers"),
        (lambda w, g, p="x": w, "the default of p must be a number, got 'x'"),
        (lambda w, g, p=float("inf"): w, "the default of p must be a finite number, got inf"),
        (lambda w, g, p=(1, 2): w, "the default of p must be a number"),
        (lambda w, g, m: w, r"here m\), got 1 result"),
        (lambda *w: w, "a Rule must take named positional arguments"),
        (3, "a Rule must be a function of w, g, alpha and its states or the text of one, got 3"),
        (Adam(), "a Rule must be a function of w, g, alpha"),
    ],
)
def test_refused(formula, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Rule(formula)


def test_refused_values():
    with pytest.raises(
        TypeError, match="a hyperparameter of this Rule must be one of beta1 or beta2"
    ):
        Rule(lion, beta3=1)
    with pytest.raises(TypeError, match="a hyperparameter of this Rule must be left out, got p"):
        Rule("lambda w, g: w + g", p=1)
    with pytest.raises(TypeError, match="beta1 must be a number, got 'a'"):
        fastgd.train(X, Y, optimizer=Rule(lion, beta1="a"))
    with pytest.raises(ValueError, match="beta1 must be a finite number, got nan"):
        fastgd.train(X, Y, optimizer=Rule(lion, beta1=float("nan")))


@pytest.mark.parametrize("name", ["l2", "alpha_", "seed", "steps", "folds", "X"])
def test_a_hyperparameter_has_no_name_of_another_argument(name):
    rule = Rule(f"lambda w, g, {name}=0.5: w + {name} * g")
    for optimizer in (rule, [rule, Adam()]):
        if name == "alpha_":
            assert Method(optimizer=rule).optimizer == rule
            continue
        with pytest.raises(ValueError, match=f"must not have the name of another .*, got {name}$"):
            fastgd.sweep(X, Y, optimizer=optimizer, iterations=1)


def test_a_hyperparameter_has_no_name_of_a_parameter():
    scaled = fastgd.Function(lambda a, p: a * p, p=1.0)
    rule = Rule("lambda w, g, p=0.5: w + p * g")
    with pytest.raises(ValueError, match="must not have the name of another argument, got p"):
        fastgd.train(X, Y, optimizer=rule, activation=scaled)


def test_a_hyperparameter_is_no_option():
    rule = Rule("lambda w, g, rate=0.5: w + rate * g")
    with pytest.raises(TypeError, match=r"rate is a field of optimizer=Rule\(..., rate=...\)$"):
        fastgd.train(X, Y, optimizer=rule, rate=0.1)


@pytest.mark.parametrize("given", [LION, lion])
def test_a_formula_alone_is_no_optimizer(given):
    with pytest.raises(
        TypeError, match=r"optimizers or a Rule, got .*: write fastgd.Rule\(\.\.\.\)$"
    ):
        fastgd.train(X, Y, optimizer=given)


# ---------------------------------------------------------------- what is computed when


def adam(w, g, alpha, t, m, s, beta1=0.9, beta2=0.999, epsilon=1e-8):
    root = sqrt(1 - beta2**t)
    m = fma(beta1, m, (1 - beta1) * g)
    s = fma(beta2, s, (1 - beta2) * (g * g))
    divisor = epsilon * root
    divisor = sqrt(s) + where(divisor > 0, divisor, 5e-324)
    return fma(alpha * (root / (1 - beta1**t)), m / divisor, w), m, s


def adamw(w, g, alpha, t, m, s, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01):
    return adam(fma(-alpha * weight_decay, w, w), g, alpha, t, m, s, beta1, beta2, epsilon)


def momentum(w, g, alpha, v, momentum=0.9):
    v = fma(momentum, v, g)
    return fma(alpha, v, w), v


def nesterov(w, g, alpha, v, momentum=0.9):
    v = fma(momentum, v, g)
    return fma(alpha, fma(momentum, v, g), w), v


def adagrad(w, g, alpha, s, epsilon=1e-10):
    s = fma(g, g, s)
    return fma(alpha, g / (sqrt(s) + epsilon), w), s


def adadelta(w, g, alpha, s, u, rho=0.9, epsilon=1e-6):
    s = fma(rho, s, (1 - rho) * (g * g))
    d = sqrt((u + epsilon) / (s + epsilon)) * g
    return fma(alpha, d, w), s, fma(rho, u, (1 - rho) * (d * d))


def rmsprop(w, g, alpha, s, rho=0.99, epsilon=1e-8):
    s = fma(rho, s, (1 - rho) * (g * g))
    return fma(alpha, g / (sqrt(s) + epsilon), w), s


def rprop(w, g, alpha, last, size, eta_minus=0.5, eta_plus=1.2, min_step=1e-6, max_step=50):
    turn = sign(g) * last
    last = where(turn < 0, 0, sign(g))
    size = where(size > 0, size, alpha)
    size = size * where(turn > 0, eta_plus, where(turn < 0, eta_minus, 1))
    size = where(size < min_step, min_step, size)
    size = where(size > max_step, max_step, size)
    return fma(last, size, w), last, size


OWN = {
    "GradientDescent": lambda w, g, alpha: fma(alpha, g, w),
    "Momentum": momentum,
    "Nesterov": nesterov,
    "AdaGrad": adagrad,
    "AdaDelta": adadelta,
    "RMSProp": rmsprop,
    "Adam": adam,
    "AdamW": adamw,
    "Rprop": rprop,
}
"""The optimizers of fastgd as a user writes them."""


@pytest.mark.parametrize("kind", FIRST_ORDER, ids=lambda kind: kind.__name__)
def test_a_rule_of_ones_own_is_the_optimizer(kind):
    """It has the same compiled code and the same values, so the same bits."""
    own = Rule(OWN[kind.__name__])
    assert own._asdict() == {"formula": own.formula} | kind()._asdict()
    assert step_of(own) == step_of(kind())
    rows = [Values.of(Method(optimizer=one), 1).numbers for one in (own, kind())]
    assert rows[0].tolist() == rows[1].tolist()


def test_the_corrections_of_adam_are_computed_once_per_update():
    update = update_by(Adam())
    assert update.first == (1.0, 1.0, 0.0, 0.0)  # two powers, the factor and epsilon
    assert [write(tree) for tree in update.kept] == [
        "beta1**t",
        "beta2**t",
        "sqrt(1 - beta2**t) / (1 - beta1**t)",
        "where(epsilon * sqrt(1 - beta2**t) > 0, epsilon * sqrt(1 - beta2**t), 5e-324)",
    ]
    kinds = [node[0] for node in update.step[0]]
    assert ("pow" not in kinds, kinds.count("sqrt"), kinds.count("div")) == (True, 1, 1)
    assert "pow" not in [node[0] for node in update.once[0]]


@pytest.mark.parametrize(
    ("text", "kept", "first"),
    [
        ("lambda w, g, alpha, p=2: w + alpha * (1 - p) * g", [], ()),
        ("lambda w, g, t: w + g / t", ["t"], (0.0,)),
        ("lambda w, g, alpha, t: w + alpha / sqrt(t) * g", ["sqrt(t)"], (0.0,)),
        ("lambda w, g, t, p=0.5: w + p**t * g", ["p**t"], (1.0,)),
        ("lambda w, g, t: w + 0.5**t * g", ["0.5**t"], (1.0,)),
        ("lambda w, g, t, p=0.5: w + (p * t)**t * g", ["(p * t)**t"], (0.0,)),
        ("lambda w, g, t, p=2: w + g**t", ["t"], (0.0,)),
        ("lambda w, g, t: w + where(t < 9, g, 2 * g)", ["t"], (0.0,)),
        ("lambda w, g, t, p=9: where(t > sqrt(p), w + g, w)", ["t", "sqrt(p)"], (0.0, 0.0)),
    ],
)
def test_what_is_computed_once_per_update(text, kept, first):
    update = update_by(Rule(text))
    found = [write(tree) for tree in update.kept if write(tree) != "t" or "t" in kept]
    assert found == kept
    assert [one for tree, one in zip(update.kept, update.first, strict=True)
            if write(tree) in kept] == [*first]  # fmt: skip


def test_names_change_nothing_of_what_is_compiled():
    other = Rule(lambda w, g, alpha, v, a=0.5, b=0.6: lion(w, g, alpha, v, a, b))
    assert step_of(other) == step_of(Rule(lion))


def test_how_many_states_there_are():
    assert [states_of(kind()) for kind in ALL] == [0, 1, 1, 1, 2, 1, 2, 2, 2, 1]
    assert update_by(LevenbergMarquardt()) is None
