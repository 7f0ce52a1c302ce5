"""Formulas: trees of operations with parameters; and activations and losses that have a name.

All but four of the named ones are formulas that a user could write as well, one line each. The
kernel implements the article's loss and the cross entropies separately, see
``kernel/iteration/losses.py``. Plain NumPy versions of all of them are in
``reference/functions.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from math import inf, pi, sqrt
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

from fastgd.checks.messages import either, shown
from fastgd.checks.numbers import check_number, rule_of
from fastgd.formulas.expressions import (
    CONSTANTS,
    FUNCTIONS,
    OF_SYMBOLS,
    Symbol,
    Tree,
    arguments_of,
    parse,
    trace,
    variables_of,
    write,
)

Given = Callable[..., Any] | str
"""A Python function of numbers, or an expression."""


class Formula(ABC):
    """Base class of :class:`Function`, :class:`Loss` and the like, immutable.

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
            if name in variables and name in parameters:
                raise ValueError(
                    f"a parameter of {self.what} must not have the name of a variable, got {name}"
                )
            if name in CONSTANTS or name in FUNCTIONS:
                raise ValueError(
                    f"a parameter of {self.what} must not have the name of a constant or function, "
                    f"got {name}"
                )
        facts = variables, tree, derivative, MappingProxyType(dict(parameters)), intervals
        names = ("variables", "tree", "derivative", "parameters", "intervals")
        for name, value in zip(names, facts, strict=True):
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
        names = [*arguments_of(what, given, "lambda a, beta: ...")]
        missing = [name for name in parameters if name not in names]
        if missing:
            raise ValueError(
                f"{what} must take all of its parameters, got none named {either(missing)}"
            )
        [tree] = trace(what, given, names)
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
        known = dict(self.parameters) | checked
        return self._made(self.variables, self.tree, self.derivative, known, self.intervals)

    @classmethod
    def _made(cls, *facts: Any) -> Self:
        """Return a formula of what :meth:`_set` takes."""
        made = object.__new__(cls)
        made._set(*facts)
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
        known = (*variables, *parameters)
        tree = parse(cls.what, formula, known)
        other = None if derivative is None else parse(cls.what, derivative, known)
        return cls._made(variables, tree, other, _checked(parameters), {})

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


class _OfOne(Formula):
    """Base class of formulas of one variable."""

    variable: ClassVar[str]  # what it is, in messages
    __slots__ = ()

    def _check_variables(self, variables: tuple[str, ...]) -> None:
        if len(variables) != 1:
            raise ValueError(
                f"{self.what} must have one variable, {self.variable}, apart from the parameters "
                f"given by name; got {', '.join(variables) or 'none'}"
            )

    def _variables_of(self, tree: Tree, parameters: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(variables_of(tree).difference(parameters)))


class Function(_OfOne):
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

    what, variable = "a Function", "a unit's input"
    __slots__ = ()


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


class Penalty(_OfOne):
    """A custom penalty, which is added to the loss for each weight.

    Parameters
    ----------
    formula : callable or str
        A function of a weight and of the parameters; otherwise as for :class:`Function`.
    derivative : callable or str, optional
        The derivative, with the same arguments. By default it is derived from the formula.
    **parameters : float
        As for :class:`Function`.

    Raises
    ------
    TypeError, ValueError
        If the function does anything else; the message has the line and the reason.

    Notes
    -----
    It is the sum of the formula over all weights, frozen ones included, but not over biases, scales
    and shifts; ``reduction="mean"`` doesn't divide it. ``l1`` and ``l2`` may be given next to it.
    Where its derivative is not finite, as that of ``sqrt(abs(w))`` at 0, a run diverges.

    Examples
    --------
    That of weights with a Cauchy distribution, which hardly matters to large ones:

    >>> import fastgd
    >>> from fastgd.functions import log1p
    >>> penalty = fastgd.Penalty(lambda w, strength: strength * log1p(w * w), strength=0.05)
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> sweep = fastgd.sweep(X, y, penalty=penalty, strength=[0, 0.001, 0.01], iterations=4000)
    >>> sweep.shape
    (3,)
    """

    what, variable = "a Penalty", "a weight"
    __slots__ = ()


class Schedule(Formula):
    """A custom schedule, as a formula.

    As ``schedule`` of a training it is a factor of alpha. In place of a hyperparameter of an
    optimizer, ``Momentum(momentum=Schedule(...))``, it is that number itself.

    Parameters
    ----------
    formula : callable or str
        A function of ``t``, the number of the update, 0 for the first one; maybe of ``total``, the
        number of all updates; and of the parameters. It is made of arithmetic, constants and
        `fastgd.functions`, or an expression as on the command line. The function is called once,
        to record its operations.
    **parameters : float
        The parameters of the function, with their default values. Each becomes an option of a
        training, and may be an axis of a sweep.

    Raises
    ------
    TypeError, ValueError
        If the function does anything else; the message has the line and the reason.

    Notes
    -----
    Values are used as they are, be they outside of the interval of a hyperparameter. ``total``
    includes the updates before a resumed training: with it, one that is resumed for more updates
    is not the same as one without interruption. Running products, such as the powers of ``beta1``
    in Adam, have the value of each update as a factor. A formula without ``total`` is resumed
    exactly.

    Examples
    --------
    Warm restarts (Loshchilov and Hutter, *SGDR*, ICLR 2017), and a momentum that is switched:

    >>> import fastgd
    >>> from math import pi
    >>> from fastgd.functions import cos, floor
    >>> from fastgd.optimizers import Momentum
    >>> restarts = fastgd.Schedule(
    ...     lambda t, period: 0.5 + 0.5 * cos(pi * (t / period - floor(t / period))), period=500
    ... )
    >>> momentum = fastgd.Schedule("where(t < 500, 0.5, 0.9)")
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> sweep = fastgd.sweep(X, y, optimizer=Momentum(momentum), schedule=restarts,
    ...                      period=[100, 500], iterations=1000)
    >>> sweep.shape
    (2,)
    """

    what = "a Schedule"
    hyperparameters: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """No fields, unlike the schedules of :mod:`fastgd.schedules`, but parameters."""

    __slots__ = ()

    def __init__(self, formula: Given, **parameters: Any) -> None:
        if "derivative" in parameters:
            raise TypeError("derivative must be left out for a Schedule, which needs none, got one")
        super().__init__(formula, **parameters)

    @property
    def formula(self) -> Self:
        """Itself, as the schedules of :mod:`fastgd.schedules` have one."""
        return self

    def _set(self, variables: tuple[str, ...], *facts: Any) -> None:
        self._check_variables(variables)
        super()._set(_TIMES, *facts)  # so that a function of t alone equals its text

    def _check_variables(self, variables: tuple[str, ...]) -> None:
        if not {*variables} <= {*_TIMES}:
            raise ValueError(
                "a Schedule must have no variables but t, the number of the update from 0, and "
                "total, the number of all updates, apart from the parameters given by name; "
                f"got {', '.join(variables)}"
            )

    def _variables_of(self, _tree: Tree, _parameters: Iterable[str]) -> tuple[str, ...]:
        return _TIMES


_TIMES = ("t", "total")

_EVERYWHERE = "(-inf, inf)"
_ANY = rule_of(_EVERYWHERE)


def _checked(parameters: Mapping[str, float]) -> dict[str, float]:
    return {
        name: check_number(f"the parameter {name}", value, _ANY)
        for name, value in parameters.items()
    }


def limited(function: Any, **intervals: str) -> Any:
    """Return the formula with the restriction that parameters must lie in these intervals."""
    return function._made(
        function.variables, function.tree, function.derivative, function.parameters, intervals
    )


# ---------------------------------------------------------------- named activations and losses

_abs, _exp, _expm1, _log, _log1p, _maximum, _relu, _sigmoid, _tanh, _where = (
    OF_SYMBOLS[name]
    for name in (
        *("abs", "exp", "expm1", "log", "log1p", "maximum", "relu", "sigmoid", "tanh", "where"),
    )
)


class Unit(NamedTuple):
    """The facts about an activation."""

    function: Function | None  # None if a unit's value depends on all units of its layer
    is_hidden: bool = True  # whether hidden units may have it
    is_output: bool = True  # whether output units may have it
    reach: tuple[float, float] = (-inf, inf)  # the range of its values
    is_probability: bool = False  # values, scaled to [0, 1], are probabilities: for cross entropy
    is_exp_below: bool = False  # whether it equals exp to all digits far below 0


class NamedLoss(NamedTuple):
    """The facts about a loss."""

    function: Loss | None  # None if the kernel implements it separately
    of_probabilities: bool = False  # whether outputs must be probabilities
    outputs: tuple[str, ...] = ()  # the output activations that it allows; () for all
    least_target: float = -inf  # the smallest target that it allows

    @property
    def units(self) -> int:
        """Output units for each target."""
        return 1 if self.function is None else self.function.outputs


_GELU = sqrt(2 / pi)


def _gelu(a: Symbol) -> Symbol:
    """GELU, with a cube whose derivative stays finite: tanh is constant far out in any case."""
    cube = _where(_abs(a) < 1e100, a, 0.0) ** 3
    return 0.5 * a * (1.0 + _tanh(_GELU * (a + 0.044715 * cube)))


def _gaussian(y: Symbol, mean: Symbol, log_variance: Symbol) -> Symbol:
    """(s + e**2 exp(-s)) / 2; for extreme values (e exp(-s / 2))**2, whose factors don't overflow.

    Where the error e is 0, there is no product, since exp(-s) may be infinite.
    """
    error = y - mean
    far = _maximum(_abs(log_variance), 7e-148 * _abs(error)) > 700.0
    power = _exp(_where(far, -0.5 * log_variance, -log_variance))
    near = 0.5 * (log_variance + error**2 * power)
    root, half = error * power, 0.5 * log_variance
    return _where(_abs(error) <= 0.0, half, _where(far, half + 0.5 * root * root, near))


UNITS = {
    "sigmoid": Unit(
        Function(lambda a: _sigmoid(a)),
        reach=(0.0, 1.0),
        is_probability=True,
        is_exp_below=True,
    ),
    "tanh": Unit(Function(lambda a: _tanh(a)), reach=(-1.0, 1.0), is_probability=True),
    "relu": Unit(Function(lambda a: _relu(a)), is_output=False, reach=(0.0, inf)),
    "identity": Unit(Function(lambda a: a)),
    "softplus": Unit(
        Function(
            lambda a: _maximum(a, 0.0) + _log1p(_exp(-_abs(a))), derivative=lambda a: _sigmoid(a)
        ),
        reach=(0.0, inf),
        is_exp_below=True,
    ),
    "leaky_relu": Unit(
        Function(
            lambda a, negative_slope: _where(a > 0, a, negative_slope * a), negative_slope=0.01
        ),
        is_output=False,
    ),
    "elu": Unit(
        Function(lambda a, elu_alpha: _where(a > 0, a, elu_alpha * _expm1(a)), elu_alpha=1.0),
        is_output=False,
    ),
    "silu": Unit(Function(lambda a: a * _sigmoid(a)), is_output=False),
    "gelu": Unit(Function(_gelu), is_output=False),
    "exp": Unit(Function(lambda a: _exp(a)), is_hidden=False, reach=(0.0, inf)),
    "softmax": Unit(None, is_hidden=False, reach=(0.0, 1.0)),
}

ACTIVATIONS = {name: unit for name, unit in UNITS.items() if unit.is_hidden}
OUTPUTS = {name: unit for name, unit in UNITS.items() if unit.is_output}

LOSSES = {
    "squared": NamedLoss(Loss(lambda y, v: 0.5 * (y - v) * (y - v), derivative=lambda y, v: v - y)),
    "cross_entropy": NamedLoss(None, of_probabilities=True),
    "huber": NamedLoss(
        limited(
            Loss(
                lambda y, v, delta: _where(
                    _abs(y - v) <= delta,
                    0.5 * (y - v) ** 2,
                    delta * (_abs(y - v) - 0.5 * delta),
                ),
                delta=1.0,
            ),
            delta="(0, inf)",
        )
    ),
    "absolute": NamedLoss(Loss(lambda y, v: _abs(y - v))),
    "quantile": NamedLoss(
        limited(
            Loss(lambda y, v, tau: _where(y > v, tau * (y - v), (1.0 - tau) * (v - y)), tau=0.5),
            tau="(0, 1)",
        )
    ),
    "poisson": NamedLoss(
        Loss(lambda y, v: v - _where(y > 0, y * _log(v), 0.0)),
        outputs=("exp", "softplus", "sigmoid"),
        least_target=0.0,
    ),
    "gaussian": NamedLoss(Loss(_gaussian), outputs=("identity",)),
}


def unit_of(choice: str | Function) -> Unit:
    """Return the facts about an activation, given by name or as a Function."""
    return UNITS[choice] if isinstance(choice, str) else Unit(choice)


def loss_of(choice: str | Loss) -> NamedLoss:
    """Return the facts about a loss, given by name or as a Loss."""
    return LOSSES[choice] if isinstance(choice, str) else NamedLoss(choice)
