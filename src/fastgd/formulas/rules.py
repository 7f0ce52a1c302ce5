"""Update rules: the formula of an optimizer, given by the user or declared in fastgd.optimizers.

The text of a rule is a lambda expression, which is parsed and never executed. Of its arguments w is
the weight, g minus the derivative, alpha the learning rate and t the number of the update, from 1;
those with a default are hyperparameters, all others are states. The body is a tuple of the new
weight and the new states. See :mod:`.updates` for what is computed when.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from inspect import Parameter
from math import nan
from typing import Any, NamedTuple, Self

from fastgd.checks.messages import either, shortened, shown
from fastgd.checks.numbers import check_number, rule_of
from fastgd.formulas.expressions import (
    CONSTANTS,
    FUNCTIONS,
    LONGEST_NAME,
    SyntaxReader,
    Tree,
    arguments_of,
    check_size,
    trace,
    write,
)
from fastgd.optimizers import Hyperparameter, Optimizer

RESERVED = ("w", "g", "alpha", "t")
"""The names of arguments with a meaning: weight, minus the derivative, learning rate, update."""

MOST_STATES = 8
"""The most states of a rule; each takes the memory of all weights."""

LONGEST = 50_000
"""The most characters of a rule's text."""

SHORT = 60
"""Characters of a formula in labels."""

_EVERYWHERE = "(-inf, inf)"
_WHAT = "a Rule"
_EXAMPLE = "such as lambda w, g, alpha, m, beta=0.9: (w + alpha * m, beta * m + g)"


class _LambdaReader(SyntaxReader):
    """Reads an expression in which names may be given to parts: ``(m := ...)``."""

    def __init__(self, text: str, arguments: Collection[str]) -> None:
        super().__init__(_WHAT, text, arguments)
        self._parts: dict[str, Tree] = {}

    def read(self, node: ast.expr) -> Tree:
        match node:
            case ast.Name(id=word) if word in self._parts:
                return self._parts[word]
            case ast.NamedExpr(target=ast.Name(id=word), value=value):
                self._parts[word] = self.checked(value)
                return self._parts[word]
        return super().read(node)

    def checked(self, node: ast.expr) -> Tree:
        """Return the tree of a node, if it isn't too large to be read, nor with all parts in it."""
        check_size(f"each result of {_WHAT}", node)
        tree = self.read(node)
        check_size(f"each result of {_WHAT}", tree)
        return tree


class Facts(NamedTuple):
    """What the text of a rule says."""

    arguments: tuple[str, ...]
    states: tuple[str, ...]
    defaults: Mapping[str, float]
    """Its hyperparameters, with their defaults; those of a built-in rule have none here."""
    results: tuple[Tree, ...]
    """The new weight, and the new value of each state."""

    @property
    def text(self) -> str:
        """The lambda expression, as :func:`write` writes it: equal rules have equal texts."""
        names = (
            f"{n}={write(self.defaults[n])}" if n in self.defaults else n for n in self.arguments
        )
        body = ", ".join(map(write, self.results))
        return f"lambda {', '.join(names)}: {f'({body})' if len(self.results) > 1 else body}"


@lru_cache(maxsize=1024)
def facts_of(text: str, fields: tuple[str, ...] = ()) -> Facts:
    """Read the text of a rule; ``fields`` are arguments that are hyperparameters without a default.

    Raises
    ------
    ValueError
        If the text is no such lambda expression, is too long, or has an unknown name or operation.

    Examples
    --------
    >>> facts_of("lambda w, g, alpha, v, momentum=0.9: (w + alpha * v, momentum * v + g)").states
    ('v',)
    """
    _check_length(text)
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        node = None
    match node:
        case ast.Lambda(args=ast.arguments(posonlyargs=[], vararg=None, kwonlyargs=[], kwarg=None)):
            arguments = tuple(each.arg for each in node.args.args)
        case _:
            raise ValueError(
                f"{_WHAT} must be a lambda expression with named positional arguments, {_EXAMPLE}, "
                f"got {shown(text)}"
            )
    given = node.args.defaults
    reader = _LambdaReader(text, ())
    values = zip(arguments[len(arguments) - len(given) :], map(reader.checked, given), strict=True)
    defaults = _numbers(dict(values))
    _check_names(arguments, defaults)
    states = tuple(name for name in arguments if name not in (*RESERVED, *defaults, *fields))
    nodes = node.body.elts if isinstance(node.body, ast.Tuple) else [node.body]
    if len(states) > MOST_STATES or len(nodes) != len(states) + 1:
        known = shortened(", ".join(states), SHORT) or "none"
        raise ValueError(
            f"{_WHAT} must return the new w and that of each of at most {MOST_STATES} states (all "
            f"arguments without a default but {', '.join(RESERVED)}; here {known}), got "
            f"{len(nodes)} result{'s' * (len(nodes) != 1)}"
        )
    reader = _LambdaReader(text, arguments)
    found = Facts(arguments, states, defaults, tuple(map(reader.checked, nodes)))
    _check_length(found.text)
    return found


def _check_length(text: str) -> None:
    if len(text) > LONGEST:
        raise ValueError(
            f"{_WHAT} must have at most {LONGEST:,} characters with its parts written out, got "
            f"{len(text):,}"
        )


def _numbers(defaults: Mapping[str, Any]) -> dict[str, float]:
    anything = rule_of(_EVERYWHERE)
    return {n: check_number(f"the default of {n}", v, anything) for n, v in defaults.items()}


def _check_names(arguments: Sequence[str], defaults: Mapping[str, float]) -> None:
    for name in arguments:
        is_known = name in CONSTANTS or name in FUNCTIONS or hasattr(Rule, name)
        if is_known or name.startswith("_") or len(name) > LONGEST_NAME:
            raise ValueError(
                f"an argument of {_WHAT} must not have the name of a constant, a function or an "
                f"attribute of optimizers, begin with _, or have more than {LONGEST_NAME} "
                f"characters, got {shown(name)}"
            )
        if name in RESERVED and name in defaults:
            raise ValueError(
                f"{name} must have no default in {_WHAT}, which is given it, got {defaults[name]:g}"
            )
    if len({*arguments}) < len(arguments):
        twice = max(arguments, key=arguments.count)
        raise ValueError(f"{_WHAT} must name each argument once, got {twice} twice")
    if not {"w", "g"} <= {*arguments}:
        raise ValueError(
            f"{_WHAT} must take w, the weight, and g, minus the derivative, got "
            f"{shortened(', '.join(arguments), SHORT) or 'no arguments'}"
        )


class Rule(Optimizer, command="rule", race_alpha=nan):
    """An optimizer as a formula.

    Parameters
    ----------
    formula : callable or str
        A Python function, or the text of a lambda expression. It gets the weight ``w``; ``g``,
        which is minus the derivative of the loss; ``alpha``, the learning rate; maybe ``t``, the
        number of the update, from 1; its states, which are the other arguments without a default,
        an (inputs, outputs) array per layer, 0 at first; and its hyperparameters, the arguments
        with one. It returns the new weight and the new states, in that order. The function is
        called once, to record its operations: arithmetic and `fastgd.functions`. In a text
        ``(m := ...)`` names a part.
    **hyperparameters : float
        Values of hyperparameters in place of their defaults; several are an axis of
        :func:`fastgd.sweep`.

    Raises
    ------
    TypeError, ValueError
        If the function does anything else, returns too few or too many results, or has a constant
        or default that is not finite.

    Notes
    -----
    The operations are computed as they are written, over all weights, biases, scales and shifts;
    nothing is fused but `fastgd.functions.fma`. What follows from hyperparameters and t alone is
    computed once per update, with ``x**t`` as a product of t factors. Files keep the formula as
    text, which is parsed and never executed. In :func:`fastgd.race` a rule needs its own alpha.

    Chen and others, *Symbolic discovery of optimization algorithms*, NeurIPS (2023), arXiv
    2302.06675, found the example, Lion.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.functions import sign
    >>> lion = fastgd.Rule(
    ...     lambda w, g, alpha, m, beta1=0.9, beta2=0.99: (
    ...         w + alpha * sign(beta1 * m + (1 - beta1) * g),
    ...         beta2 * m + (1 - beta2) * g,
    ...     )
    ... )
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=0.01, optimizer=lion, iterations=1000, seed=3)
    >>> round(run.final_error, 6)
    0.000227
    """

    def __init__(self, formula: Callable[..., Any] | str, **hyperparameters: Any) -> None:
        if isinstance(formula, str):
            facts = facts_of(formula)
        elif callable(formula):
            found = arguments_of(_WHAT, formula, _EXAMPLE)
            defaults = {n: value for n, value in found.items() if value is not Parameter.empty}
            results = trace(_WHAT, formula, [*found], several=True)
            facts = facts_of(Facts((*found,), (), _numbers(defaults), results).text)
        else:
            raise TypeError(
                f"{_WHAT} must be a function of w, g, alpha and its states or the text of one, "
                f"got {shown(formula)}"
            )
        self._set(facts.text, facts.defaults, hyperparameters)

    def _set(
        self, text: str, defaults: Mapping[str, float | None], values: Mapping[str, Any]
    ) -> None:
        for name in values:
            if name not in defaults:
                rule = f"one of {either(defaults)}" if defaults else "left out"
                raise TypeError(f"a hyperparameter of this Rule must be {rule}, got {name}")
        facts = {
            name: Hyperparameter(float, _EVERYWHERE, "Hyperparameter of the rule", default)
            for name, default in defaults.items()
        }
        known = {"formula": text, "command": text, "hyperparameters": facts}
        vars(self).update({**defaults, **values} | known, _fields=("formula", *defaults))

    def _replace(self, **values: Any) -> Self:
        made = object.__new__(type(self))
        own = {name: vars(self)[name] for name in self.hyperparameters}
        defaults = {name: fact.default for name, fact in self.hyperparameters.items()}
        made._set(self.formula, defaults, own | values)
        return made

    @property
    def label(self) -> str:
        """The formula, shortened: what stands for a class's name in tables and plots."""
        return shortened(self.formula, SHORT)

    def __repr__(self) -> str:
        own = ((n, vars(self)[n], fact.default) for n, fact in self.hyperparameters.items())
        changed = (f"{n}={value!r}" for n, value, default in own if repr(value) != repr(default))
        return f"Rule({', '.join([repr(self.formula), *changed])})"
