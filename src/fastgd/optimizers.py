"""The optimizers: how an update follows from the gradient.

As in the article the update is *added*: g is minus the derivative of the loss, so g > 0 means that
the weight should grow. alpha is the learning rate. An optimizer's state starts at 0 and has the
shape of the weights: one (inputs, outputs) array per layer. Biases, and the scale and shift of
batch normalization, are updated in the same way, with state of their own shapes. The formulas are
PyTorch's.

In :func:`fastgd.sweep` a field may be a list, range or 1-D array of values, which is an axis with
the field's name: ``Momentum(momentum=[0.5, 0.9])`` gives the axis ``momentum``. It may also be a
:class:`fastgd.Schedule`, whose values from update to update are those of the field.

The classes here declare everything about an optimizer. Those that move each weight by itself have
the step as a formula, the text of a :class:`fastgd.Rule`, in which each operation is fused as
written; that makes it part of the numbers contract. The others' step is in ``kernel/extensions``.
In plain NumPy all are in ``reference/optimizers.py``.
"""

import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from html import escape
from inspect import cleandoc
from reprlib import repr as short
from textwrap import fill
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

from numpy.typing import NDArray

__all__ = [  # noqa: RUF022 - in the order of the classes
    "GradientDescent", "Momentum", "Nesterov", "AdaGrad", "AdaDelta", "RMSProp", "Adam", "AdamW",
    "Rprop", "LevenbergMarquardt",
]  # fmt: skip

Value = TypeVar("Value")


class Column(Protocol):
    """What NumPy reads as an array: one of its own, or a Series."""

    def __array__(self) -> NDArray[Any]: ...


Axis = Sequence[Value] | Column
"""Several values of an argument: an axis of a sweep."""


class Changing(Protocol):
    """What changes from update to update: a :class:`fastgd.Schedule`."""

    variables: tuple[str, ...]


class Field(Protocol[Value]):
    """The type of a field: it may be given as an axis, and is one number in each run.

    That of an optimizer may change from update to update.
    """

    def __get__(self, holder: object, kind: Any = None, /) -> Value: ...

    def __set__(self, holder: object, value: Value | Axis[Value] | Changing, /) -> None: ...


Real = Field[float]


def __dir__() -> list[str]:
    return __all__


class Hyperparameter(NamedTuple):
    """What is declared of a field: Annotated[Real, interval, words], and its default."""

    kind: type[float]  # int or float
    interval: str
    words: str
    default: float | None


@typing.dataclass_transform(frozen_default=True)
class Hyperparameters:
    """Values in named fields, which can't be changed.

    Two are equal if they have the same class and equal fields. ``_fields``, ``_asdict`` and
    ``_replace`` are named as in a NamedTuple.
    """

    command: ClassVar[str]
    """The name on the command line."""

    hyperparameters: ClassVar[Mapping[str, Hyperparameter]]
    """The numeric fields, each of which may be an axis of a sweep."""

    _fields: ClassVar[tuple[str, ...]]

    @property
    def label(self) -> str:
        """What stands for it in tables and plots: the name of its class."""
        return type(self).__name__

    def __init_subclass__(cls, *, command: str = "") -> None:
        """Make the class a frozen dataclass; store and document what is declared of its fields."""
        made: Any = dataclass(frozen=True, eq=False)(cls)
        cls.command = command
        cls._fields = tuple(known.name for known in fields(made))
        declared = {}
        for known in fields(made):
            hint: Any = known.type
            if hasattr(hint, "__metadata__"):
                [kind] = hint.__origin__.__args__
                interval, words = hint.__metadata__
                default = None if known.default is MISSING else known.default
                declared[known.name] = Hyperparameter(kind, interval, words, default)
        cls.hyperparameters = declared
        if cls.hyperparameters:
            cls.__doc__ = _with_parameters(cleandoc(made.__doc__), cls.hyperparameters)
        # Else the signature in help() would repeat all that the docstring says.
        made.__init__.__annotations__.update({n: fact.kind for n, fact in declared.items()})

    def _asdict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._fields}

    def _replace(self, **values: Any) -> Self:
        return replace(self, **values)  # type: ignore[type-var]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Hyperparameters):
            return NotImplemented
        return self._asdict() == other._asdict()

    def __hash__(self) -> int:
        return hash((type(self), *self._asdict().values()))

    def _repr_html_(self) -> str:
        """A table for notebooks: each field with its value and what it means."""
        words = {name: known.words for name, known in self.hyperparameters.items()}
        rows = [(name, short(own), words.get(name, "")) for name, own in self._asdict().items()]
        cells = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in rows)
        table = "".join(f"<tr>{row}</tr>" for row in cells)
        return f"<div><strong>{type(self).__name__}</strong><table>{table}</table></div>"


def _with_parameters(text: str, declared: Mapping[str, Hyperparameter]) -> str:
    """Return a docstring with a section about these fields before its notes."""
    summary, notes, rest = text.partition("Notes\n-----\n")
    section = ["Parameters\n----------"]
    for name, fact in declared.items():
        default = "" if fact.default is None else f", default {fact.default:g}"
        section.append(f"{name} : {fact.kind.__name__} in {fact.interval}{default}")
        section.append(fill(f"{fact.words}.", 96, initial_indent="    ", subsequent_indent="    "))
    return "\n".join([summary + section[0], *section[1:], "", notes + rest])


# ---------------------------------------------------------------- the optimizers

# Fields of several optimizers. A field is annotated with its type, the interval of its values, and
# what it means; checks, docstrings and the help of the command line follow from that.
MomentumRate = Annotated[Real, "[0, 1)", "Decay rate of the velocity per update"]
Rho = Annotated[Real, "[0, 1)", "Decay rate of the mean square"]
Beta1 = Annotated[Real, "[0, 1)", "Decay rate of the mean of the gradients"]
Beta2 = Annotated[Real, "[0, 1)", "Decay rate of the mean of the squared gradients"]
Epsilon = Annotated[Real, "(0, inf)", "Added to divisors, so that they are not 0"]

BAYESIAN = ("effective_parameters", "weight_penalty", "error_factor")
"""What Bayesian regularization finds: see :class:`fastgd.Run`."""

# alpha / c1 * m / (sqrt(s) / c2 + epsilon), with one division less; c1 = 1 - beta1**t and c2 =
# sqrt(1 - beta2**t). A divisor is never 0: a weight without a derivative yet would move by 0 / 0.
_CORRECTED = """fma(
    alpha * ((c2 := sqrt(1 - beta2**t)) / (1 - beta1**t)),
    (m := fma(beta1, m, (1 - beta1) * g)) / (
        sqrt(s := fma(beta2, s, (1 - beta2) * (g * g)))
        + where((divisor := epsilon * c2) > 0, divisor, 5e-324)
    ),
    {}), m, s"""


class Optimizer(Hyperparameters):
    """Base class of the optimizers, with what is declared of each in addition to its fields."""

    race_alpha: ClassVar[float]
    """The default alpha in :func:`fastgd.race`.

    Of 0.001, 0.002, 0.005, 0.01, ..., 500 it is the one with the smallest mean error on the
    article's 3-4-1 network after 1000 iterations, over the seeds 1 to 64.
    """

    formula: ClassVar[str] = ""
    """The update of each weight, as the text of a :class:`fastgd.Rule` in which the fields are
    hyperparameters; empty if all weights move together.
    """

    states: ClassVar[int] = 0
    """Without a formula: how many numbers of state each parameter has; they start at 0."""

    kept: ClassVar[Mapping[str, float]] = MappingProxyType({})
    """Without a formula: the numbers of state that each run has, with their initial values."""

    second_order: ClassVar[bool] = False
    """Whether a step solves a system of equations; it then needs a sum of squares of all samples.
    """

    def __init_subclass__(cls, *, command: str, race_alpha: float) -> None:
        """Make the class a dataclass, and store what is declared of it."""
        super().__init_subclass__(command=command)
        cls.race_alpha = race_alpha


class GradientDescent(Optimizer, command="gradient_descent", race_alpha=10.0):
    """The article's own update: a step of alpha times the gradient.

    w = w + alpha * g. It keeps no state.

    Notes
    -----
    iamtrask, *A Neural Network in 13 lines of Python, Part 2: Gradient Descent* (2015); the method
    is Cauchy's: *Méthode générale pour la résolution des systèmes d'équations simultanées*, Comptes
    Rendus 25 (1847). PyTorch: ``torch.optim.SGD(lr=alpha)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import GradientDescent
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=10, optimizer=GradientDescent(), iterations=200)
    >>> round(run.final_error, 3)
    0.031
    """

    formula = "lambda w, g, alpha: fma(alpha, g, w)"


class Momentum(Optimizer, command="momentum", race_alpha=1.0):
    """A step along a velocity that accumulates previous gradients.

    v = momentum * v + g, then w = w + alpha * v. It keeps the velocity v, an (inputs, outputs)
    array per layer.

    Notes
    -----
    Polyak, *Some methods of speeding up the convergence of iteration methods*, USSR Computational
    Mathematics and Mathematical Physics 4 (1964). PyTorch: ``torch.optim.SGD(lr=alpha,
    momentum=momentum)`` with its dampening of 0.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import Momentum
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=1, optimizer=Momentum(momentum=0.9), iterations=200)
    >>> round(run.final_error, 3)
    0.033
    """

    formula = "lambda w, g, alpha, v, momentum: (fma(alpha, v := fma(momentum, v, g), w), v)"

    momentum: MomentumRate = 0.9


class Nesterov(Optimizer, command="nesterov", race_alpha=2.0):
    """Momentum whose step is the velocity after one more update with the same gradient.

    v = momentum * v + g, then w = w + alpha * (g + momentum * v). It keeps the velocity v, an
    (inputs, outputs) array per layer.

    Notes
    -----
    Nesterov, *A method for solving the convex programming problem with convergence rate O(1/k^2)*,
    Soviet Mathematics Doklady 27 (1983), in the form of Sutskever, Martens, Dahl and Hinton, *On
    the importance of initialization and momentum in deep learning*, ICML (2013). PyTorch:
    ``torch.optim.SGD(lr=alpha, momentum=momentum, nesterov=True)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import Nesterov
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=1, optimizer=Nesterov(momentum=0.9), iterations=200)
    >>> round(run.final_error, 3)
    0.032
    """

    formula = """lambda w, g, alpha, v, momentum: (
        fma(alpha, fma(momentum, v := fma(momentum, v, g), g), w), v)"""

    momentum: MomentumRate = 0.9


class AdaGrad(Optimizer, command="adagrad", race_alpha=0.2):
    """Divide each weight's step by the root of the sum of all its squared gradients.

    s = s + g * g, then w = w + alpha * g / (sqrt(s) + epsilon). It keeps the sum s, an (inputs,
    outputs) array per layer.

    Notes
    -----
    Duchi, Hazan and Singer, *Adaptive subgradient methods for online learning and stochastic
    optimization*, Journal of Machine Learning Research 12 (2011). PyTorch:
    ``torch.optim.Adagrad(lr=alpha, eps=epsilon)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import AdaGrad
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=0.5, optimizer=AdaGrad(), iterations=200)
    >>> round(run.final_error, 3)
    0.063
    """

    formula = """lambda w, g, alpha, s, epsilon: (
        fma(alpha, g / (sqrt(s := fma(g, g, s)) + epsilon), w), s)"""

    epsilon: Epsilon = 1e-10


class AdaDelta(Optimizer, command="adadelta", race_alpha=100.0):
    """Scale each weight's step by its recent steps, so that alpha = 1 is usual.

    s = rho * s + (1 - rho) * g * g, the step d = sqrt(u + epsilon) / sqrt(s + epsilon) * g, then
    u = rho * u + (1 - rho) * d * d and w = w + alpha * d. It keeps the means s of the squared
    gradients and u of the squared steps, two (inputs, outputs) arrays per layer. As u starts at 0,
    the first steps are small: before alpha at most sqrt(epsilon / (1 - rho)).

    Notes
    -----
    Zeiler, *ADADELTA: an adaptive learning rate method*, arXiv 1212.5701 (2012). PyTorch:
    ``torch.optim.Adadelta(lr=alpha, rho=rho, eps=epsilon)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import AdaDelta
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=10, optimizer=AdaDelta(), iterations=200)
    >>> round(run.final_error, 3)
    0.049
    """

    formula = """lambda w, g, alpha, s, u, rho, epsilon: (
        fma(
            alpha,
            d := sqrt((u + epsilon) / ((s := fma(rho, s, (1 - rho) * (g * g))) + epsilon)) * g,
            w,
        ),
        s,
        fma(rho, u, (1 - rho) * (d * d)),
    )"""

    rho: Annotated[Real, "[0, 1)", "Decay rate of both means"] = 0.9
    epsilon: Annotated[Real, "(0, inf)", "Added under both roots"] = 1e-6


class RMSProp(Optimizer, command="rmsprop", race_alpha=0.02):
    """Divide each weight's step by the root of the recent mean of its squared gradients.

    s = rho * s + (1 - rho) * g * g, then w = w + alpha * g / (sqrt(s) + epsilon). It keeps the mean
    s, an (inputs, outputs) array per layer.

    Notes
    -----
    Tieleman and Hinton, *Lecture 6.5: rmsprop*, Coursera, Neural Networks for Machine Learning
    (2012). PyTorch: ``torch.optim.RMSprop(lr=alpha, alpha=rho, eps=epsilon)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import RMSProp
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=0.01, optimizer=RMSProp(), iterations=1000)
    >>> round(run.final_error, 3)
    0.02
    """

    formula = """lambda w, g, alpha, s, rho, epsilon: (
        fma(alpha, g / (sqrt(s := fma(rho, s, (1 - rho) * (g * g))) + epsilon), w), s)"""

    rho: Rho = 0.99
    epsilon: Epsilon = 1e-8


class Adam(Optimizer, command="adam", race_alpha=0.1):
    """Momentum and RMSProp together, both with a correction for their start at 0.

    m = beta1 * m + (1 - beta1) * g and s = beta2 * s + (1 - beta2) * g * g, then w = w + alpha /
    (1 - beta1**t) * m / (sqrt(s) / sqrt(1 - beta2**t) + epsilon), where t counts the updates from
    1. It keeps the means m of the gradients and s of their squares, two (inputs, outputs) arrays
    per layer.

    Notes
    -----
    Kingma and Ba, *Adam: a method for stochastic optimization*, ICLR (2015), arXiv 1412.6980.
    PyTorch: ``torch.optim.Adam(lr=alpha, betas=(beta1, beta2), eps=epsilon)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import Adam
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=0.1, optimizer=Adam(), iterations=1000)
    >>> round(run.final_error, 3)
    0.004
    """

    formula = f"lambda w, g, alpha, t, m, s, beta1, beta2, epsilon: ({_CORRECTED.format('w')})"

    beta1: Beta1 = 0.9
    beta2: Beta2 = 0.999
    epsilon: Epsilon = 1e-8


class AdamW(Optimizer, command="adamw", race_alpha=0.5):
    """Adam with decoupled weight decay, which is not divided by the gradients' size.

    w = w - alpha * weight_decay * w, then Adam's step, w = w + alpha / (1 - beta1**t) * m /
    (sqrt(s) / sqrt(1 - beta2**t) + epsilon) with m = beta1 * m + (1 - beta1) * g and s = beta2 * s
    + (1 - beta2) * g * g. As in PyTorch all parameters decay, biases, scales and shifts too. It
    keeps the means m of the gradients and s of their squares, two (inputs, outputs) arrays per
    layer.

    Notes
    -----
    Loshchilov and Hutter, *Decoupled weight decay regularization*, ICLR (2019), arXiv 1711.05101.
    PyTorch: ``torch.optim.AdamW(lr=alpha, betas=(beta1, beta2), eps=epsilon,
    weight_decay=weight_decay)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import AdamW
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=0.1, optimizer=AdamW(), iterations=1000)
    >>> round(run.final_error, 3)
    0.013
    """

    formula = (
        "lambda w, g, alpha, t, m, s, beta1, beta2, epsilon, weight_decay: "
        f"({_CORRECTED.format('fma(-alpha * weight_decay, w, w)')})"
    )

    beta1: Beta1 = 0.9
    beta2: Beta2 = 0.999
    epsilon: Epsilon = 1e-8
    weight_decay: Annotated[Real, "[0, inf)", "Weight decay, multiplied by alpha"] = 0.01


class Rprop(Optimizer, command="rprop", race_alpha=0.001):
    """Steps that follow from the signs of the gradient alone, not from its size.

    The first update is w = w + alpha * sign(g). From then on each weight has its own step size in
    place of alpha. It is multiplied by ``eta_plus`` if the gradient has the same sign as in the
    previous update, and by ``eta_minus`` if the sign has changed (the article counts this as a
    change of direction). In the latter case the weight is not updated, and its gradient counts as
    0 in the next comparison. It keeps the previous sign and the step size, two (inputs, outputs)
    arrays per layer.

    Notes
    -----
    Riedmiller and Braun, *A direct adaptive method for faster backpropagation learning: the RPROP
    algorithm*, IEEE International Conference on Neural Networks (1993). Where a sign changes, the
    previous step is not undone. PyTorch: ``torch.optim.Rprop(lr=alpha, etas=(eta_minus, eta_plus),
    step_sizes=(min_step, max_step))``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import Rprop
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=0.01, optimizer=Rprop(), iterations=200, seed=3)
    >>> run.final_error < 1e-6
    True
    """

    formula = """lambda w, g, alpha, last, size, eta_minus, eta_plus, min_step, max_step: (
        fma(
            last := where((turn := sign(g) * last) < 0, 0, sign(g)),
            size := where(
                (size := where(
                    (
                        size := where(size > 0, size, alpha)
                        * where(turn > 0, eta_plus, where(turn < 0, eta_minus, 1))
                    )
                    < min_step,
                    min_step,
                    size,
                ))
                > max_step,
                max_step,
                size,
            ),
            w,
        ),
        last,
        size,
    )"""

    eta_minus: Annotated[Real, "(0, 1)", "Factor of the step size if the sign changes"] = 0.5
    eta_plus: Annotated[Real, "(1, inf)", "Factor of the step size if the sign stays"] = 1.2
    min_step: Annotated[Real, "(0, inf)", "Smallest step size, also of the first step"] = 1e-6
    max_step: Annotated[Real, "(0, inf)", "Largest step size, even if below min_step"] = 50.0


class LevenbergMarquardt(Optimizer, command="levenberg_marquardt", race_alpha=1.0):
    """A second-order method for sums of squares: the step solves a damped linear system.

    With the Jacobian J (residuals, parameters) of the outputs, the residuals r = y - output and the
    damping mu, an iteration solves (J' J + mu I) d = J' r and tries w = w + alpha * d. If that
    makes the loss smaller, the step is taken and mu multiplied by ``decrease``; else mu is
    multiplied by ``increase`` and the system solved again, until the step is taken, or mu exceeds
    ``max_damping``, or 100 steps have failed. For networks of up to a few hundred parameters it
    reaches losses that no first-order method reaches. An iteration takes time and memory in
    proportion to the square of the parameters, of which there may be 1,000; alpha is the fraction
    of the step, 1 in the method itself.

    It needs ``loss="squared"`` and the full batch. A run is "converged" if no derivative is above
    ``min_gradient``, or a step is below ``min_step``; and "stalled" if no step makes the loss
    smaller, also at a kink, as relu has them. With ``regularization="bayesian"`` the weight decay
    is found from the samples. It keeps the weights before the step, an (inputs, outputs) array per
    layer, and the damping.

    Notes
    -----
    Marquardt, *An algorithm for least-squares estimation of nonlinear parameters*, SIAM Journal on
    Applied Mathematics 11 (1963); for networks Hagan and Menhaj, *Training feedforward networks
    with the Marquardt algorithm*, IEEE Transactions on Neural Networks 5 (1994). MATLAB:
    ``trainlm``; SciPy: ``least_squares(method="lm")``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import LevenbergMarquardt
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, optimizer=LevenbergMarquardt(), iterations=50)
    >>> run.final_error < 1e-4
    True
    """

    states, second_order = 1, True
    kept = MappingProxyType(
        {
            "current_damping": 0.0,
            "signal": 0.0,
            "effective_parameters": 0.0,
            "weight_penalty": 0.01,
            "error_factor": 1.0,
        }
    )

    damping: Annotated[Real, "(0, inf)", "Damping mu of the first step"] = 1e-3
    increase: Annotated[Real, "(1, inf)", "Factor of the damping if a step fails"] = 10.0
    decrease: Annotated[Real, "(0, 1)", "Factor of the damping after a step"] = 0.1
    max_damping: Annotated[Real, "(0, inf)", "Damping above which a run has stalled"] = 1e10
    min_gradient: Annotated[
        Real, "[0, inf)", "Stop when no derivative of the loss is above this"
    ] = 1e-10
    min_step: Annotated[
        Real,
        "[0, inf)",
        "Stop when a step is at most this fraction of the largest parameter",
    ] = 1e-10
    scaled: Annotated[
        Real,
        "[0, 1]",
        "Damping on the identity (0) or on the diagonal of J' J (1, as Marquardt has it), or "
        "between",
    ] = 0.0


ALL: tuple[type[Optimizer], ...] = tuple(Optimizer.__subclasses__())
"""All optimizers, in the order of their classes."""

FIRST_ORDER = tuple(kind for kind in ALL if not kind.second_order)
"""Those whose step follows from the gradient: the article's page has these."""

BY_COMMAND = {kind.command: kind for kind in ALL}
