"""The schedules: how alpha changes from update to update.

Each update uses alpha times a factor that depends only on the index t of the update, 0 for the
first one. All lengths are numbers of updates, never "the rest of this call", so a training that is
resumed is bit-identical to one without interruption. Beyond its length a schedule keeps its
final factor. If alpha is a tuple, all its values are multiplied by the same factor.

In :func:`fastgd.sweep` a field may be a list, range or 1-D array of values, which is an axis with
the field's name: ``Cosine(steps=1000, warmup_steps=[0, 100])`` gives the axis ``warmup_steps``. A
list of schedules is an axis, too. An array of numbers may be given in place of a schedule, as its
factors (:class:`Factors`). A schedule of your own is a :class:`fastgd.Schedule`, which may also
take the place of a number in an optimizer.

The classes here declare everything about a schedule, with its factor as a formula of the fields.
Plain NumPy versions of the factors are in ``reference/schedules.py``.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastgd.formulas.named import Schedule
from fastgd.optimizers import Field, Hyperparameters, Real

__all__ = ["Constant", "Step", "Exponential", "Linear", "Cosine", "Factors"]  # noqa: RUF022

Whole = Field[int]


def __dir__() -> list[str]:
    return __all__


# Fields of several schedules; a field is annotated as those of the optimizers are.
Steps = Annotated[Whole, "[1, inf)", "Updates until the end of the schedule"]
FinalFactor = Annotated[Real, "[0, inf)", "Factor of alpha at the end"]


class NamedSchedule(Hyperparameters):
    """Base class of the schedules."""

    formula: ClassVar[Schedule | None]
    """The factor, with the fields as parameters; None if the factors are given."""

    def __init_subclass__(cls, *, command: str, formula: str | None) -> None:
        """Make the class a dataclass, and store what is declared of it."""
        super().__init_subclass__(command=command)
        fields = dict.fromkeys(cls.hyperparameters, 0.0)
        cls.formula = formula and Schedule(formula, **fields)


class Constant(NamedSchedule, command="constant", formula="1"):
    """alpha stays constant.

    The factor is 1.

    Notes
    -----
    PyTorch: an optimizer without a scheduler.
    """


class Step(NamedSchedule, command="step", formula="factor**floor(t / step_size)"):
    """alpha is multiplied by a factor every ``step_size`` updates.

    The factor is factor**floor(t / step_size).

    Notes
    -----
    PyTorch: ``torch.optim.lr_scheduler.StepLR(step_size=step_size, gamma=factor)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.schedules import Step
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=20, schedule=Step(step_size=500, factor=0.5),
    ...                    iterations=2000)
    >>> round(run.final_error, 4)
    0.0068
    """

    step_size: Annotated[Whole, "[1, inf)", "Updates from one step to the next"]
    factor: Annotated[Real, "(0, inf)", "Factor of alpha at each step"] = 0.1


class Exponential(NamedSchedule, command="exponential", formula="factor**t"):
    """alpha is multiplied by the same number at every update.

    The factor is factor**t, for update t.

    Notes
    -----
    PyTorch: ``torch.optim.lr_scheduler.ExponentialLR(gamma=factor)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.schedules import Exponential
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=20, schedule=Exponential(0.999), iterations=2000)
    >>> round(run.final_error, 4)
    0.0071
    """

    factor: Annotated[Real, "(0, inf)", "Factor of alpha at every update"]


class Linear(
    NamedSchedule,
    command="linear",
    formula="fma(final_factor, minimum(t, steps) / steps, 1 - minimum(t, steps) / steps)",
):
    """alpha changes linearly to ``final_factor`` times its initial value.

    With s = min(t / steps, 1) the factor is (1 - s) + final_factor * s.

    Notes
    -----
    PyTorch: ``torch.optim.lr_scheduler.LinearLR(start_factor=1, end_factor=final_factor,
    total_iters=steps)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.schedules import Linear
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=20, schedule=Linear(steps=2000), iterations=2000)
    >>> round(run.final_error, 4)
    0.0066
    """

    steps: Steps
    final_factor: FinalFactor = 0.0


_ALONG_COSINE = (
    "0.5 * (1 + cos(pi * ((minimum(t, steps) - warmup_steps) / (steps - warmup_steps))))"
)


class Cosine(
    NamedSchedule,
    command="cosine",
    formula="where(t < warmup_steps, (t + 1) / warmup_steps, "
    f"fma(final_factor, 1 - {_ALONG_COSINE}, {_ALONG_COSINE}))",
):
    """alpha rises linearly during a warm-up, then falls along half a cosine.

    For t < warmup_steps the factor is (t + 1) / warmup_steps. From there on it is final_factor + (1
    - final_factor) * (1 + cos(pi * s)) / 2 with s = min((t - warmup_steps) / (steps -
    warmup_steps), 1). ``steps`` includes the warm-up.

    Notes
    -----
    Loshchilov and Hutter, *SGDR: stochastic gradient descent with warm restarts*, ICLR (2017),
    arXiv 1608.03983, without restarts. The warm-up is that of Goyal and others, *Accurate, large
    minibatch SGD: training ImageNet in 1 hour*, arXiv 1706.02677 (2017), section 2.2. PyTorch:
    ``torch.optim.lr_scheduler.CosineAnnealingLR(T_max=steps, eta_min=final_factor * alpha)``
    without the warm-up, until ``steps``.

    Examples
    --------
    Adam with an alpha that is too large at the start: how many of 64 networks learn XOR without
    and with the schedule?

    >>> import fastgd
    >>> from fastgd.optimizers import Adam
    >>> from fastgd.schedules import Constant, Cosine
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> both = [Constant(), Cosine(steps=2000, warmup_steps=100)]
    >>> sweep = fastgd.sweep(X, y, alpha=0.5, optimizer=Adam(), schedule=both,
    ...                      seed=range(1, 65), iterations=2000)
    >>> (sweep.final_error < 0.01).sum(axis=1)
    array([27, 56])
    """

    steps: Steps
    final_factor: FinalFactor = 0.0
    warmup_steps: Annotated[Whole, "[0, inf)", "Updates in which alpha rises; below steps"] = 0


class Factors(NamedSchedule, command="factors", formula=None):
    """Custom factors, one for each update; an array of numbers as ``schedule`` becomes this.

    Parameters
    ----------
    factors : (updates,) array_like
        Factors of at least 0, for as many updates as the training has, or more.

    Examples
    --------
    >>> import fastgd
    >>> import numpy as np
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> triangle = 1 - np.abs(np.linspace(-1, 1, 2000))
    >>> run = fastgd.train(X, y, alpha=100, schedule=triangle, iterations=2000)
    >>> run.options, round(run.final_error, 4)
    ({'schedule': Factors(<2,000 numbers>)}, 0.0024)
    """

    factors: Sequence[float] | NDArray[Any]

    def __repr__(self) -> str:
        return f"Factors(<{np.size(self.factors):,} numbers>)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Factors):
            return NotImplemented
        return np.array_equal(self.factors, other.factors)

    def __hash__(self) -> int:
        return hash((Factors, np.asarray(self.factors, dtype=float).tobytes()))


AnySchedule = NamedSchedule | Schedule
"""What a training takes as its schedule."""

ALL: tuple[type[NamedSchedule], ...] = tuple(NamedSchedule.__subclasses__())
"""All schedules, in the order of their classes."""
