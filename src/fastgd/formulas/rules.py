"""Update rules: the formula of an optimizer, given by the user or declared in fastgd.optimizers.

The text of a rule is a lambda expression, which is parsed and never executed. Of its arguments w is
the weight, g minus the derivative, alpha the learning rate and t the number of the update, from 1;
those with a default are hyperparameters, all others are states. The body is a tuple of the new
weight and the new states. See :mod:`.updates` for what is computed when.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache, partial
from inspect import Parameter
from math import nan
from typing import Any, NamedTuple, Self

from fastgd.checks.messages import either, shortened, shown
from fastgd.checks.numbers import check_number, rule_of
from fastgd.formulas.expressions import (
    CONSTANTS,
    FUNCTIONS,
    LARGEST,
    LONGEST_NAME,
    SyntaxReader,
    Tree,
    arguments_of,
    size_of,
    syntax_size,
    trace_all,
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
_FORM = "such as 'lambda w, g, alpha, m, beta=0.9: (w + alpha * m, beta * m + g)'"


class _LambdaReader(SyntaxReader):
    """Reads an expression in which names may be given to parts: ``(m := ...)``."""

    def __init__(self, text: str, arguments: Collection[str]) -> None:
        super().__init__(_WHAT, text, tuple(arguments))
        self._parts: dict[str, Tree] = {}

    def read(self, node: ast.expr) -> Tree:
        match node:
            case ast.Name(id=word) if word in self._parts:
                return self._parts[word]
            case ast.NamedExpr(target=ast.Name(id=word), value=value):
                self._parts[word] = self.whole(value)
                return self._parts[word]
        return super().read(node)

    def whole(self, node: ast.expr) -> Tree:
        """Return the tree of a part or a result, whose size is that with all parts written out."""
        tree = self.read(node)
        _check_size(size_of(tree))
        return tree


def _check_size(size: int) -> None:
    if size > LARGEST:
        raise ValueError(
            f"each result of {_WHAT} must have at most {LARGEST} numbers, names and operations, "
            f"got {size}"
        )


class Facts(NamedTuple):
    """What the text of a rule says."""

    arguments: tuple[str, ...]
    states: tuple[str, ...]
    defaults: Mapping[str, float]
    """Its hyperparameters, with their defaults; those of a built-in rule have none here."""
    results: tuple[Tree, ...]
    """The new weight, and the new value of each state."""


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
    if len(text) > LONGEST:
        raise ValueError(f"{_WHAT} must have at most {LONGEST:,} characters, got {len(text):,}")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        node = None
    if not isinstance(node, ast.Lambda):
        raise ValueError(f"{_WHAT} must be a lambda expression {_FORM}, got {shown(text)}")
    given = node.args
    if given.posonlyargs or given.kwonlyargs or given.vararg or given.kwarg:
        raise ValueError(
            f"{_WHAT} must take named positional arguments, {_FORM}, got {shown(text)}"
        )
    arguments = tuple(each.arg for each in given.args)
    plain = SyntaxReader(_WHAT, text, ())
    last = arguments[len(arguments) - len(given.defaults) :]
    defaults = {name: plain.read(each) for name, each in zip(last, given.defaults, strict=True)}
    checked = _checked(arguments, defaults)
    states = tuple(n for n in arguments if n not in (*RESERVED, *checked, *fields))
    if len(states) > MOST_STATES:
        raise ValueError(f"{_WHAT} must have at most {MOST_STATES} states, got {len(states)}")
    nodes = node.body.elts if isinstance(node.body, ast.Tuple) else [node.body]
    _check_count(states, len(nodes))
    for each in nodes:  # trees are read recursively
        _check_size(syntax_size(each))
    reader = _LambdaReader(text, arguments)
    return Facts(arguments, states, checked, tuple(map(reader.whole, nodes)))


def _check_count(states: Sequence[str], count: int) -> None:
    if count != len(states) + 1:
        known = f" and that of each state, {', '.join(states)}" if states else ""
        rule = f"the new w{known}: {len(states) + 1} result{'s' if states else ''}"
        raise ValueError(
            f"{_WHAT} must return {rule}, got {count} (arguments without a default other than "
            f"{', '.join(RESERVED)} are states)"
        )


def _checked(arguments: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, float]:
    """Check the names of a rule's arguments; return the checked defaults."""
    for name in arguments:
        if name in CONSTANTS or name in FUNCTIONS or name.startswith("_") or hasattr(Rule, name):
            raise ValueError(
                f"an argument of {_WHAT} must not have the name of a constant, a function or an "
                f"attribute of optimizers, nor begin with _, got {name}"
            )
        if len(name) > LONGEST_NAME:
            raise ValueError(
                f"{_WHAT} must have names of at most {LONGEST_NAME} characters, got {shown(name)}"
            )
        if name in RESERVED and name in defaults:
            raise ValueError(
                f"{name} must have no default in {_WHAT}, which is given it, got {defaults[name]}"
            )
    for name in ("w", "g"):
        if name not in arguments:
            raise ValueError(
                f"{_WHAT} must take w, the weight, and g, minus the derivative, got "
                f"{', '.join(arguments) or 'no arguments'}"
            )
    return _numbers(defaults)


def _numbers(defaults: Mapping[str, Any]) -> dict[str, float]:
    anything = rule_of(_EVERYWHERE)
    return {n: check_number(f"the default of {n}", v, anything) for n, v in defaults.items()}


def _text_of(function: Callable[..., Any]) -> str:
    """Call a function with symbols, and return the text of the rule that it is."""
    arguments = arguments_of(_WHAT, function, "lambda w, g, alpha, m, beta=0.9: ...")
    given = {name: value for name, value in arguments.items() if value is not Parameter.empty}
    return _written([*arguments], _numbers(given), trace_all(_WHAT, function, [*arguments]))


def _written(
    arguments: Sequence[str], defaults: Mapping[str, float], results: Sequence[Tree]
) -> str:
    names = (f"{n}={write(defaults[n])}" if n in defaults else n for n in arguments)
    body = ", ".join(map(write, results))
    return f"lambda {', '.join(names)}: {f'({body})' if len(results) > 1 else body}"


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
            text = _written(facts.arguments, facts.defaults, facts.results)
        elif callable(formula):
            text = _text_of(formula)
            facts = facts_of(text)
        else:
            raise TypeError(
                f"{_WHAT} must be a function of w, g, alpha and its states or the text of one, "
                f"got {shown(formula)}"
            )
        self._set(text, facts.defaults, hyperparameters)

    def _set(self, text: str, defaults: Mapping[str, float], values: Mapping[str, Any]) -> None:
        for name in values:
            if name not in defaults:
                rule = f"one of {either(defaults)}" if defaults else "left out"
                raise TypeError(f"a hyperparameter of this Rule must be {rule}, got {name}")
        facts = {
            name: Hyperparameter(float, _EVERYWHERE, "Hyperparameter of the rule", default)
            for name, default in defaults.items()
        }
        known = {"formula": text, "command": text, "hyperparameters": facts}
        known["_fields"] = ("formula", *defaults)
        vars(self).update({**defaults, **values} | known)

    def _replace(self, **values: Any) -> Self:
        made = object.__new__(type(self))
        defaults = {name: fact.default for name, fact in self.hyperparameters.items()}
        made._set(self.formula, defaults, self._values | values)
        return made

    @property
    def _values(self) -> dict[str, Any]:
        return {name: vars(self)[name] for name in self.hyperparameters}

    @property
    def label(self) -> str:
        """The formula, shortened: what stands for a class's name in tables and plots."""
        return shortened(self.formula, SHORT)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), self.formula, **self._values), ()

    def __str__(self) -> str:
        """The formula as a text, with the defaults."""
        return self.formula

    def __repr__(self) -> str:
        own, facts = self._values.items(), self.hyperparameters
        changed = [f"{n}={value!r}" for n, value in own if repr(value) != repr(facts[n].default)]
        return f"Rule({', '.join([repr(self.formula), *changed])})"
