"""Activations over tiles, with the same bits everywhere: the article's, and any formula.

The article's sigmoid, ``1/(1+np.exp(-x))``, and tanh are fixed sequences of IEEE 754 operations.
The exp of NumPy, glibc and SVML differ from each other in the last bit, and the article's chaotic
settings turn that bit into another third digit. The polynomial is evaluated in Estrin's order: 0.97
ULP compared with 0.81 in Horner's, but with a much shorter chain of dependent operations, whose
latency is what limits a single run.
"""

from fastgd.kernel.block import put_value, value
from fastgd.kernel.iteration.elementary import FUNCTIONS
from fastgd.kernel.iteration.exponentials import EXPONENTIAL, LN2_HIGH, LN2_LOW, LOG2E, SHIFT
from fastgd.kernel.language.loads_and_stores import load, store, store_by_run, units
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import add_exponent, fma, full, magnitude, select, with_sign

LIMIT = 708.0
"""Beyond this magnitude exp(x) approaches the ends of the normal range."""

_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11 = EXPONENTIAL
_A3, _A5, _A7, _A9, _A11, _A13 = (2.0 / n for n in (3, 5, 7, 9, 11, 13))
_A15, _A17, _A19, _A21, _A23 = (2.0 / n for n in (15, 17, 19, 21, 23))

SATURATED = 40.0
"""tanh(x) rounds to 1 from half of this on."""

VANISHED = 750.0
"""exp(-x) rounds to 0 from here on."""


@part
def _reduced(x):
    """Shifted n, (exp(-r) - 1) / r and r, where x = r - n * ln 2 and |r| <= ln(2) / 2."""
    t = fma(x, -LOG2E, SHIFT)
    n = t - SHIFT
    r = fma(n, LN2_LOW, fma(n, LN2_HIGH, x))
    r2 = r * r
    r4 = r2 * r2
    low = fma(fma(r, -_C5, _C4), r2, fma(r, -_C3, _C2))
    high = fma(fma(r, -_C11, _C10), r4, fma(fma(r, -_C9, _C8), r2, fma(r, -_C7, _C6)))
    q = fma(high, r4, low)
    return t, fma(q, r, -1.0), r


@part
def exp_negative(x):
    """exp(-x) for x in [-LIMIT, LIMIT]: 2**n * exp(-r)."""
    t, derivative, r = _reduced(x)
    return add_exponent(fma(derivative, r, 1.0), t)


@part
def log_1p_exp_negative(x):
    """log(1 + exp(-x)) for x >= 0, within 1.7 ULP.

    exp(-x) is computed 2**64 times as large, so that results below the normal range are possible.
    With f = exp(-x), or f = (exp(-x) - 1) / 2 where log(2) is added, log(1 + f) = f - s * (f - r).
    Here s = f / (2 + f) is at most 1/5, and the series r is defined by 2 artanh(s) = 2 s + s r.
    """
    t, derivative, r = _reduced(select(x > VANISHED, VANISHED, x))
    e = add_exponent(fma(derivative, r, 1.0), t + 64.0) * 2.0**-64
    halved = e > 0.5
    f = select(halved, 0.5 * (e - 1.0), e)
    s = f / (f + 2.0)
    s2 = s * s
    high = fma(fma(fma(fma(fma(_A23, s2, _A21), s2, _A19), s2, _A17), s2, _A15), s2, _A13)
    r = fma(fma(fma(fma(fma(high, s2, _A11), s2, _A9), s2, _A7), s2, _A5), s2, _A3) * s2
    log = fma(-1.0 * s, f - r, f)
    return select(halved, (log + LN2_LOW) + LN2_HIGH, log)


@part
def sigmoid(x):
    """1 / (1 + exp(-x)); exactly 0 below -LIMIT, NaN stays NaN.

    Whatever exp_negative returns for x below -LIMIT is replaced. A Newton reciprocal instead of the
    division was no faster (in C it took 103 ns an iteration of 3-4-1, not 91). Nor is it worth its
    proof for some of the quotients of a sweep, though the divider is what limits its sigmoids: by
    AVX-512's estimate and six multiply-adds, which don't round rightly yet, a quarter or half of
    them took 0.96 to 1.00 of the time of a sweep of 3-4-1 or 3-32-1, all of them 0.99. Without any
    division it is 0.87.
    """
    z = select(x > LIMIT, LIMIT, x)
    return select(x < -LIMIT, 0.0, 1.0 / (1.0 + exp_negative(z)))


@part
def tanh(x):
    """-m / (2 + m) with the sign of x, where m = exp(-2 |x|) - 1; NaN stays NaN.

    m = 2**n * (exp(-r) - 1) + (2**n - 1) is exact near 0, where n = 0: nothing cancels.
    """
    z = magnitude(x)
    z = z + z
    z = select(z > SATURATED, SATURATED, z)
    t, derivative, r = _reduced(z)
    power = add_exponent(select(z > 0.0, 1.0, 1.0), t)
    m = fma(power, derivative * r, power - 1.0)
    return with_sign(m / (m + 2.0), x)


# ---------------------------------------------------------------- formulas as code over tiles
#
# One line for each operation, in the given order, nothing fused. Named functions are fixed
# sequences of IEEE 754 operations themselves.


_NAMES = FUNCTIONS | {
    "unit_sigmoid": sigmoid,
    "unit_tanh": tanh,
    "value": value,
    "put_value": put_value,
    "units": units,
    "load": load,
    "store": store,
    "store_by_run": store_by_run,
    "fma": fma,
    "full": full,
    "select": select,
    "NAN": float("nan"),
}

_LINES = {
    **{name: f"{name}({{}})" for name in FUNCTIONS},
    **{name: f"{name}({{}}, {{}})" for name in ("minimum", "maximum", "pow")},
    "where": "select({}, {}, {})",
    "fma": "fma({}, {}, {})",
    "unit_sigmoid": "unit_sigmoid({})",
    "unit_tanh": "unit_tanh({})",
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "lt": "{} < {}",
    "le": "{} <= {}",
    "gt": "{} > {}",
    "ge": "{} >= {}",
    # Of a power whose exponent isn't constant: see fastgd.formulas.derivation.
    "log_term": "select((abs({1}) <= 0.0) & ({0} >= 0.0), 0.0, {1} * log({0}))",
    "times_derivative": "select(abs({1}) <= 0.0, 0.0, {0} * {1})",
    # Derivatives that are computed from the function's value:
    "derivative of exp": "{}",
    "derivative of relu": "select({} > 0.0, 1.0, 0.0)",
    "derivative of sigmoid": "{0} * (1.0 - {0})",
    "derivative of unit_sigmoid": "{0} * (1.0 - {0})",
    "derivative of sqrt": "0.5 / {}",
    "derivative of tan": "fma({0}, {0}, 1.0)",
    "derivative of tanh": "fma(-1.0 * {0}, {0}, 1.0)",
    "derivative of unit_tanh": "fma(-1.0 * {0}, {0}, 1.0)",
    # Derivatives that are computed from the function's argument:
    "derivative of abs": "sign({})",
    "derivative of acos": "-1.0 / sqrt((1.0 - {0}) * (1.0 + {0}))",
    "derivative of asin": "1.0 / sqrt((1.0 - {0}) * (1.0 + {0}))",
    "derivative of atan": "1.0 / fma({0}, {0}, 1.0)",
    "derivative of cos": "-1.0 * sin({})",
    "derivative of cosh": "sinh({})",
    "derivative of expm1": "exp({})",
    "derivative of log": "select({0} >= 0.0, 1.0 / {0}, NAN)",
    "derivative of log1p": "select({0} >= -1.0, 1.0 / (1.0 + {0}), NAN)",
    "derivative of sin": "cos({})",
    "derivative of sinh": "cosh({})",
}
"""The code of each operation; unit_sigmoid and unit_tanh are those of this file."""

OF_VALUE = frozenset(("exp", "relu", "sigmoid", "sqrt", "tan", "tanh", "unit_sigmoid", "unit_tanh"))

_WITH_NUMBERS = ("add", "sub", "mul", "div", "lt", "le", "gt", "ge")


def body_of(formula, arguments, inputs=(), ends=(), soon=()):
    """Write a function that computes the results of a formula, to be compiled by Numba.

    ``arguments`` are its parameter names, among them choice, shape, numbers and layer; ``inputs``
    maps variables of the formula to parameters, or to code. Any other variable is a per-run value
    of the choice. ``ends`` are statements with the results, {0}, {1}, ..., unless it returns all;
    ``soon`` are such statements, each with the node that it follows.
    """
    results = [_text(formula, k, whole=True) for k in formula.results]
    lines = []
    for k, (kind, *rest) in enumerate(formula.nodes):
        if kind == "variable":
            [name] = rest
            own = f"value(shape, numbers, layer, choice.{name})"
            lines.append(f"n{k} = {dict(inputs).get(name, own)}")
        elif kind != "number":
            lines.append(f"n{k} = {_LINES[kind].format(*_operands(formula, kind, rest))}")
        lines += [statement.format(*results) for node, statement in soon if node == k]
    lines += [end.format(*results) for end in ends] or [f"return {', '.join(results)}"]
    code = "\n    ".join([f"def body({', '.join(arguments)}):", *lines])
    return made(code, _NAMES)


def made(text, names):
    """Return the function ``body`` that this source text defines."""
    found = {}
    exec(text, dict(names), found)
    found["body"].__text__ = text  # read by source_expressions.source_of
    return found["body"]


def _text(formula, k, whole):
    """The code of a node: its name, or a number, as a float or as a tile (``whole``)."""
    kind, *rest = formula.nodes[k]
    if kind != "number":
        return f"n{k}"
    return f"full(shape, {rest[0]!r})" if whole else f"({rest[0]!r})"


def _operands(formula, kind, operands):
    """The operands' code; one of two may be a plain number, as may both choices of where()."""
    are_numbers = [formula.nodes[k][0] == "number" for k in operands]
    if kind == "where":
        whole = [True, False, False]
    elif kind in _WITH_NUMBERS:
        whole = [all(are_numbers), False]
    else:
        whole = [True] * len(operands)
    return [_text(formula, k, each) for k, each in zip(operands, whole, strict=True)]


def written(text, count, called, **parts):
    """Return the function ``body`` of a template in which each part is repeated ``count`` times.

    A part is a string (joined by commas) or a tuple of statements, with ``{k}`` for the
    repetition's index. ``called`` has the functions that the template calls, by name.
    """
    filled = {
        name: "\n        ".join(line.format(k=k) for k in range(count) for line in part)
        if isinstance(part, tuple)
        else ", ".join(part.format(k=k) for k in range(count))
        for name, part in parts.items()
    }
    return made(text.format(count=count, **filled), called)


# ---------------------------------------------------------------- units
#
# If a derivative can be computed from the activation's value, the backward pass does so. Otherwise
# the forward pass stores it in the place of the delta.


VALUE, DERIVATIVE, BOTH = "value", "derivative of value", "value and derivative"
"""Formulas of an activation: its value from input a; its derivative from value v; both from a."""

TWICE = "value and two derivatives"
"""A formula of its own, only in the choices that are made for it: all three from input a."""

_OF_INPUT = ("choice", "shape", "numbers", "layer", "a")


def activate(choice, shape, numbers, layer, a):
    """The value of units with input a."""


def derivative(choice, shape, numbers, layer, v):
    """The derivative of units with value v."""


def activate_fully(choice, shape, numbers, layer, a):
    """Value and derivative of units with input a."""


def activate_twice(choice, shape, numbers, layer, a):
    """Value, derivative and second derivative of units with input a."""


def _by_formula(purpose, variable):
    arguments = (*_OF_INPUT[:-1], variable)

    def pick(choice, *_others):
        return body_of(choice.formulas[purpose], arguments, {"a": "a", "v": "v"})

    return pick


dispatch(activate, _by_formula(VALUE, "a"))
dispatch(derivative, _by_formula(DERIVATIVE, "v"))
dispatch(activate_fully, _by_formula(BOTH, "a"))
dispatch(activate_twice, _by_formula(TWICE, "a"))


def put_activation(choice, shape, numbers, layer, at, stride, a):
    """Store the values of hidden units, and derivatives that can't be computed from the values."""


def _pick_put(choice, *_others):
    if BOTH in choice.formulas:

        def put_both(choice, shape, numbers, layer, at, stride, a):
            v, s = activate_fully(choice, shape, numbers, layer, a)
            store(shape, numbers, at, stride, v)
            store(shape, numbers, at + layer.deltas, stride, s)

        return put_both

    def put(choice, shape, numbers, layer, at, stride, a):
        store(shape, numbers, at, stride, activate(choice, shape, numbers, layer, a))

    return put


dispatch(put_activation, _pick_put)


def kept_derivative(choice, shape, numbers, layer, at, stride):
    """The derivative of hidden units whose values are stored at this address."""


def _pick_derivative(choice, *_others):
    if BOTH in choice.formulas:
        return lambda choice, shape, numbers, layer, at, stride: load(
            shape, numbers, at + layer.deltas, stride
        )
    return lambda choice, shape, numbers, layer, at, stride: derivative(
        choice, shape, numbers, layer, load(shape, numbers, at, stride)
    )


dispatch(kept_derivative, _pick_derivative)
