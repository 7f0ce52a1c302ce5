"""The named activations and losses: their formulas, and further facts about each.

All but four are formulas that a user could write as well, one line each. The kernel implements the
article's loss and the cross entropies separately, see ``kernel/iteration/losses.py``. Plain NumPy
versions of all of them are in ``reference/functions.py``.
"""

from math import inf, pi, sqrt
from typing import NamedTuple

from fastgd.formulas.expressions import OF_SYMBOLS, Symbol
from fastgd.formulas.named import Function, Loss, limited

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
