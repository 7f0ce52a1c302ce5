"""Formulas as code over tiles: a line for each operation, as it stands, nothing fused.

What has a name is a fixed sequence of IEEE operations itself.
"""

from fastgd.kernel.iteration import functions
from fastgd.kernel.iteration.elementary import FUNCTIONS
from fastgd.kernel.iteration.run_values import value
from fastgd.kernel.language.tile import fma, full, select

_NAMES = FUNCTIONS | {
    "unit_sigmoid": functions.sigmoid,
    "unit_tanh": functions.tanh,
    "value": value,
    "fma": fma,
    "full": full,
    "select": select,
    "NAN": float("nan"),
}

_LINES = {
    **{name: f"{name}({{}})" for name in FUNCTIONS},
    **{name: f"{name}({{}}, {{}})" for name in ("minimum", "maximum", "pow")},
    "where": "select({}, {}, {})",
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
    # Of these the derivative follows from the value,
    "derivative of exp": "{}",
    "derivative of relu": "select({} > 0.0, 1.0, 0.0)",
    "derivative of sigmoid": "{0} * (1.0 - {0})",
    "derivative of unit_sigmoid": "{0} * (1.0 - {0})",
    "derivative of sqrt": "0.5 / {}",
    "derivative of tan": "fma({0}, {0}, 1.0)",
    "derivative of tanh": "fma(-1.0 * {0}, {0}, 1.0)",
    "derivative of unit_tanh": "fma(-1.0 * {0}, {0}, 1.0)",
    # and of these from what the function is of.
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
"""What an operation is in the code; a unit_sigmoid is that of :mod:`.functions`."""

OF_VALUE = frozenset(("exp", "relu", "sigmoid", "sqrt", "tan", "tanh", "unit_sigmoid", "unit_tanh"))

_WITH_NUMBERS = ("add", "sub", "mul", "div", "lt", "le", "gt", "ge")


def body_of(formula, arguments, inputs=()):
    """What gives the results of a formula: a function with these parameters, for Numba.

    ``arguments`` are their names, among them choice, shape, numbers and layer; ``inputs`` has the
    parameter that each variable is. Any other variable is a number of the choice.
    """
    lines, needed = [], _needed(formula)
    for k in needed:
        kind, *rest = formula.nodes[k]
        if kind == "variable":
            [name] = rest
            own = f"value(shape, numbers, layer, choice.{name})"
            lines.append(f"n{k} = {dict(inputs).get(name, own)}")
        elif kind != "number":
            lines.append(f"n{k} = {_LINES[kind].format(*_operands(formula, kind, rest))}")
    results = ", ".join(_text(formula, k, whole=True) for k in formula.results)
    code = "\n    ".join([f"def body({', '.join(arguments)}):", *lines, f"return {results}"])
    return _made(code, _NAMES)


def _made(text, names):
    """The function ``body`` of a text."""
    made = {}
    exec(text, dict(names), made)
    made["body"].__text__ = text  # for what reads the sources of functions
    return made["body"]


def _needed(formula):
    """The nodes that the results need, in order."""
    needed = set()
    left = list(formula.results)
    while left:
        k = left.pop()
        if k not in needed:
            needed.add(k)
            left += [] if formula.nodes[k][0] in ("variable", "number") else formula.nodes[k][1:]
    return sorted(needed)


def _text(formula, k, whole):
    """A node in the code: its name, or a number as such, or as a tile."""
    kind, *rest = formula.nodes[k]
    if kind != "number":
        return f"n{k}"
    return f"full(shape, {rest[0]!r})" if whole else f"({rest[0]!r})"


def _operands(formula, kind, operands):
    """The operands of an operation; one of two may be a number, and what where() chooses from."""
    are_numbers = [formula.nodes[k][0] == "number" for k in operands]
    if kind == "where":
        whole = [True, False, False]
    elif kind in _WITH_NUMBERS:
        whole = [all(are_numbers), False]
    else:
        whole = [True] * len(operands)
    return [_text(formula, k, each) for k, each in zip(operands, whole, strict=True)]


def written(text, count, called, **parts):
    """The function ``body`` of a text in which each part is there so many times.

    A part is a list of words, or a tuple of statements; ``{k}`` in it is its number. ``called`` has
    the functions that the text calls, by their names.
    """
    filled = {
        name: "\n        ".join(line.format(k=k) for k in range(count) for line in part)
        if isinstance(part, tuple)
        else ", ".join(part.format(k=k) for k in range(count))
        for name, part in parts.items()
    }
    return _made(text.format(count=count, **filled), called)
