"""Custom activations and losses: an expression tree with its parameters."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

from fastgd.checks.messages import either, shown
from fastgd.checks.numbers import check_number, rule_of
from fastgd.formulas.expressions import (
    CONSTANTS,
    FUNCTIONS,
    Tree,
    parse,
    trace,
    variables_of,
    write,
)

Given = Callable[..., Any] | str
"""A Python function of numbers, or an expression."""


class Formula(ABC):
    """Base class of :class:`Function` and :class:`Loss`, immutable.

    Two formulas are equal if their trees and parameters are.
    """

    what: str  # its name in messages
    __slots__ = ("_key", "derivative", "intervals", "parameters", "tree", "variables")

    variables: tuple[str, ...]
    """The names of its variables."""

    tree: Tree
    derivative: Tree | None
    """The derivative with respect to the last variable, if it was given."""

    parameters: Mapping[str, float]
    """Its own parameters, by name."""

    intervals: Mapping[str, str]
    """The intervals of parameters that may not have every finite value."""

    _key: tuple[Any, ...]
    """The key for equality and hashing; computed once, since kernels are looked up by it."""

    def __init__(
        self, formula: Given, *, derivative: Given | None = None, **parameters: float
    ) -> None:
        if callable(parameters.get("slope")) or isinstance(parameters.get("slope"), str):
            raise TypeError(
                f"a parameter of {self.what} must be a number, got slope: did you mean derivative?"
            )
        checked = _checked(parameters)
        variables, tree = self._read(formula, tuple(checked))
        other = None
        if derivative is not None:
            found, other = self._read(derivative, tuple(checked), "derivative", variables)
            if found != variables:
                raise ValueError(
                    f"the derivative of {self.what} must take the same arguments, "
                    f"{', '.join(variables)}, got {', '.join(found)}"
                )
        self._set(variables, tree, other, checked, {})
        for text in self.source[:2]:  # saved formulas must be readable again, so no log(-1)
            if text is not None:
                parse(self.what, text, (*variables, *checked))

    def _set(
        self,
        variables: tuple[str, ...],
        tree: Tree,
        derivative: Tree | None,
        parameters: Mapping[str, float],
        intervals: Mapping[str, str],
    ) -> None:
        self._check_variables(variables)
        if len(variables) > 2 and derivative is not None:
            raise ValueError(
                "derivative must be left out for a Loss with several outputs per target, got one"
            )
        for name in (*variables, *parameters):
            if name in CONSTANTS or name in FUNCTIONS:
                raise ValueError(
                    f"a parameter of {self.what} must not have the name of a constant or function, "
                    f"got {name}"
                )
        for name, value in (
            ("variables", variables),
            ("tree", tree),
            ("derivative", derivative),
            ("parameters", MappingProxyType(dict(parameters))),
            ("intervals", intervals),
        ):
            object.__setattr__(self, name, value)
        # As strings, since numbers and trees with 0.0 and with -0.0 are equal.
        key = type(self), *self.source[:3], repr(dict(parameters))
        object.__setattr__(self, "_key", key)

    def _read(
        self,
        given: Given,
        parameters: tuple[str, ...],
        part: str = "",
        variables: tuple[str, ...] | None = None,
    ) -> tuple[tuple[str, ...], Tree]:
        """Return the names of the variables, and the tree."""
        what = f"the {part} of {self.what}" if part else self.what
        if isinstance(given, str):
            if variables is None:
                variables = self._variables_of(parse(what, given, None), parameters)
            return variables, parse(what, given, (*variables, *parameters))
        if not callable(given):
            raise TypeError(
                f"{what} must be a function of numbers or an expression, got {shown(given)}"
            )
        names = _parameters(what, given)
        missing = [name for name in parameters if name not in names]
        if missing:
            raise ValueError(
                f"{what} must take all of its parameters, got none named {either(missing)}"
            )
        tree = trace(what, given, names)
        return tuple(name for name in names if name not in parameters), tree

    @abstractmethod
    def _variables_of(self, tree: Tree, parameters: Iterable[str]) -> tuple[str, ...]:
        """Return the names in an expression that are variables, in order."""

    @abstractmethod
    def _check_variables(self, variables: tuple[str, ...]) -> None:
        """Raise a ValueError if there are too few or too many variables."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self.what} can't be changed, got {name}={shown(value)}")

    def _replace(self, **parameters: float) -> Self:
        """Return the same formula with other values of parameters."""
        for name in parameters:
            if name not in self.parameters:
                rule = f"one of {either(self.parameters)}" if self.parameters else "left out"
                raise ValueError(f"a parameter of this function must be {rule}, got {name}")
        checked = {
            name: check_number(name, value, rule_of(self.intervals.get(name, _EVERYWHERE)))
            for name, value in parameters.items()
        }
        made = object.__new__(type(self))
        made._set(
            self.variables,
            self.tree,
            self.derivative,
            dict(self.parameters) | checked,
            self.intervals,
        )
        return made

    @classmethod
    def of_text(
        cls,
        formula: str,
        derivative: str | None,
        variables: Iterable[str],
        parameters: Mapping[str, float],
    ) -> Self:
        """Return the formula with this :attr:`source`; no code is executed.

        Raises
        ------
        ValueError
            If a string is not an expression of these variables and parameters.
        """
        variables = tuple(variables)
        made = object.__new__(cls)
        known = (*variables, *parameters)
        made._set(
            variables,
            parse(cls.what, formula, known),
            None if derivative is None else parse(cls.what, derivative, known),
            _checked(parameters),
            {},
        )
        return made

    @property
    def source(self) -> tuple[str, str | None, tuple[str, ...], dict[str, float]]:
        """Formula and derivative as strings, names of the variables, and parameters."""
        derivative = None if self.derivative is None else write(self.derivative)
        return write(self.tree), derivative, self.variables, dict(self.parameters)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).of_text, self.source

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        """The formula as an expression, without its parameters."""
        return write(self.tree)

    def __repr__(self) -> str:
        formula, derivative, _, parameters = self.source
        parts = [repr(formula), *([f"derivative={derivative!r}"] if derivative else [])]
        parts += [f"{name}={value:g}" for name, value in parameters.items()]
        return f"{type(self).__name__}({', '.join(parts)})"


class Function(Formula):
    """A custom activation.

    Parameters
    ----------
    formula : callable or str
        A Python function of a unit's input and of the parameters, made of arithmetic, constants and
        `fastgd.functions`, or an expression as on the command line. The function is called once, to
        record its operations.
    derivative : callable or str, optional
        The derivative, with the same arguments. By default it is derived from the formula, by the
        rules for dual numbers (Wengert, *A simple automatic derivative evaluation program*,
        Communications of the ACM 7, 1964).
    **parameters : float
        The parameters of the function, with their default values. Each becomes an option of a
        training, and may be an axis of a sweep.

    Raises
    ------
    TypeError, ValueError
        If the function does anything else; the message has the line and the reason.

    Notes
    -----
    ``x / (1 + exp(u))`` is computed as ``x * sigmoid(-u)``, which doesn't overflow. The derivative
    of ``where`` is that of the operand that is chosen.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.functions import exp
    >>> swish = fastgd.Function(lambda a, beta: a / (1 + exp(-beta * a)), beta=1.0)
    >>> swish
    Function('a / (1 + exp(-beta * a))', beta=1)
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, activation=swish, beta=2.0, iterations=1000)
    >>> round(run.final_error, 3)
    0.036
    """

    what = "a Function"
    __slots__ = ()

    def _check_variables(self, variables: tuple[str, ...]) -> None:
        if len(variables) != 1:
            raise ValueError(
                "a Function must have one variable, a unit's input, apart from the parameters "
                f"given by name; got {', '.join(variables) or 'none'}"
            )

    def _variables_of(self, tree: Tree, parameters: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(variables_of(tree).difference(parameters)))


class Loss(Formula):
    """A custom loss, for one target.

    Parameters
    ----------
    formula : callable or str
        A function of the target, of the network's output for it, and of the parameters; otherwise
        as for :class:`Function`. A loss with several outputs per target, such as a mean and a
        variance, takes all of them after the target. In an expression the variables are called y
        and v, or y, v1, v2 and so on.
    derivative : callable or str, optional
        The derivative with respect to the output; only with one output per target.
    **parameters : float
        As for :class:`Function`.

    Raises
    ------
    TypeError, ValueError
        If the function does anything else; the message has the line and the reason.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.functions import log
    >>> cauchy = fastgd.Loss(lambda y, v, c: log(1 + ((y - v) / c) ** 2), c=1.0)
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> sweep = fastgd.sweep(X, y, loss=cauchy, c=[0.1, 1, 10], iterations=1000)
    >>> sweep.shape
    (3,)
    """

    what = "a Loss"
    __slots__ = ()

    @property
    def outputs(self) -> int:
        """The number of outputs per target."""
        return len(self.variables) - 1

    def _check_variables(self, variables: tuple[str, ...]) -> None:
        if len(variables) < 2:
            raise ValueError(
                "a Loss must have two or more variables, the target and the output, apart from the "
                f"parameters given by name; got {', '.join(variables) or 'none'}"
            )

    def _variables_of(self, tree: Tree, parameters: Iterable[str]) -> tuple[str, ...]:
        found = variables_of(tree).difference(parameters)
        if "v" in found or found <= {"y"}:
            return ("y", "v")
        several = max(2, len(found - {"y"}))
        return ("y", *(f"v{k}" for k in range(1, several + 1)))


_EVERYWHERE = "(-inf, inf)"
_ANY = rule_of(_EVERYWHERE)


def _checked(parameters: Mapping[str, float]) -> dict[str, float]:
    return {
        name: check_number(f"the parameter {name}", value, _ANY)
        for name, value in parameters.items()
    }


def _parameters(what: str, function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's arguments."""
    try:
        found = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        found = []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not found or any(parameter.kind not in positional for parameter in found):
        raise TypeError(
            f"{what} must take named positional arguments, such as lambda a, beta: ...; "
            f"got {shown(function)}"
        )
    return tuple(parameter.name for parameter in found)


def limited(function: Any, **intervals: str) -> Any:
    """Return the formula with the restriction that parameters must lie in these intervals."""
    made = object.__new__(type(function))
    made._set(
        function.variables, function.tree, function.derivative, function.parameters, intervals
    )
    return made
