"""Formulas as code over tiles: one line for each operation, in the given order, nothing fused.

Named functions are fixed sequences of IEEE 754 operations themselves.
"""

from fastgd.kernel.block import value
from fastgd.kernel.iteration import functions
from fastgd.kernel.iteration.elementary import FUNCTIONS
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
"""The code of each operation; unit_sigmoid and unit_tanh are those of :mod:`.functions`."""

OF_VALUE = frozenset(("exp", "relu", "sigmoid", "sqrt", "tan", "tanh", "unit_sigmoid", "unit_tanh"))

_WITH_NUMBERS = ("add", "sub", "mul", "div", "lt", "le", "gt", "ge")


def body_of(formula, arguments, inputs=()):
    """Write a function that computes the results of a formula, to be compiled by Numba.

    ``arguments`` are its parameter names, among them choice, shape, numbers and layer; ``inputs``
    maps variables of the formula to parameters. Any other variable is a per-run value of the
    choice.
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
    """Return the function ``body`` that this source text defines."""
    made = {}
    exec(text, dict(names), made)
    made["body"].__text__ = text  # read by sources.source_of
    return made["body"]


def _needed(formula):
    """The nodes that the results depend on, in order."""
    needed = set()
    left = list(formula.results)
    while left:
        k = left.pop()
        if k not in needed:
            needed.add(k)
            left += [] if formula.nodes[k][0] in ("variable", "number") else formula.nodes[k][1:]
    return sorted(needed)


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
    return _made(text.format(count=count, **filled), called)
