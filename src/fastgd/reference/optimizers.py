"""The step of each optimizer, given minus the derivative, as in its paper and in PyTorch.

One object serves one array of parameters and keeps its optimizer state. All state starts at 0:
arrays, in the same order as in compiled code, and ``t``, the number of updates so far. ``change``
returns what is *added* to the parameters; ``kept``, if there is one, returns what compiled code
stores once for all parameters.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgd import optimizers
from fastgd.arguments.data import FloatArray


class Optimizer(ABC):
    """The optimizer of one array."""

    def remains(self, _alpha: float) -> float:
        """Return the factor of the parameters before the change is added."""
        return 1.0

    @abstractmethod
    def change(self, g: FloatArray, alpha: float) -> FloatArray:
        """Return what to add to the parameters, for minus the derivative g."""


class GradientDescent(Optimizer):
    """The article's own: alpha times minus the derivative (Cauchy 1847)."""

    def change(self, g: FloatArray, alpha: float) -> FloatArray:
        """``alpha * g``."""
        return alpha * g


class Momentum(Optimizer):
    """Heavy-ball momentum (Polyak, "Some methods of speeding up the convergence", 1964)."""

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self.v: FloatArray | float = 0.0

    def change(self, g: FloatArray, alpha: float) -> FloatArray:
        """``v = momentum v + g``, as in PyTorch: the velocity doesn't include alpha."""
        self.v = self.momentum * self.v + g
        return alpha * self.v


class Nesterov(Optimizer):
    """Looks ahead along the velocity (Nesterov 1983, as in Sutskever et al., ICML 2013)."""

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self.v: FloatArray | float = 0.0

    def change(self, g: FloatArray, alpha: float) -> FloatArray:
        """``g + momentum v`` is Momentum's velocity one step ahead."""
        self.v = self.momentum * self.v + g
        return alpha * (g + self.momentum * self.v)


class AdaGrad(Optimizer):
    """Smaller steps where derivatives were large (Duchi, Hazan and Singer, JMLR 12, 2011)."""

    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon
        self.s: FloatArray | float = 0.0

    def change(self, g: FloatArray, alpha: float) -> FloatArray:
        """Divide by the root of the sum of all squared derivatives so far."""
        self.s = self.s + g * g
        return alpha * g / (np.sqrt(self.s) + self.epsilon)


class AdaDelta(Optimizer):
    """Steps in the parameters' own unit (Zeiler, arXiv 1212.5701, Algorithm 1)."""

    def __init__(self, rho: float, epsilon: float) -> None:
        self.rho = rho
        self.epsilon = epsilon
        self.s: FloatArray | float = 0.0
        self.u: FloatArray | float = 0.0

    def change(self, g: FloatArray, alpha: float) -> FloatArray:
        """``RMS(earlier steps) / RMS(derivatives) * g``; the paper's alpha is 1."""
        self.s = self.rho * self.s + (1 - self.rho) * g * g
        d = np.sqrt(self.u + self.epsilon) / np.sqrt(self.s + self.epsilon) * g
        self.u = self.rho * self.u + (1 - self.rho) * d * d
        return alpha * d


class RMSProp(Optimizer):
    """Divide by a moving root mean square (Tieleman and Hinton, Coursera lecture 6.5, 2012)."""

    def __init__(self, rho: float, epsilon: float) -> None:
        self.rho = rho
        self.epsilon = epsilon
        self.s: FloatArray | float = 0.0

    def change(self, g: FloatArray, alpha: float) -> FloatArray:
        """As AdaGrad, with a moving average in place of the sum."""
        self.s = self.rho * self.s + (1 - self.rho) * g * g
        return alpha * g / (np.sqrt(self.s) + self.epsilon)


class Adam(Optimizer):
    """Moving mean and square with bias correction (Kingma and Ba, ICLR 2015, Algorithm 1)."""

    def __init__(self, beta1: float, beta2: float, epsilon: float) -> None:
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.m: FloatArray | float = 0.0
        self.s: FloatArray | float = 0.0
        self.t = 0

    def change(self, g: FloatArray, alpha: float) -> FloatArray:
        """The t-th update divides by ``1 - beta^t``, since both moving averages start at 0."""
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.s = self.beta2 * self.s + (1 - self.beta2) * g * g
        mean = self.m / (1 - self.beta1**self.t)
        root = np.sqrt(self.s) / np.sqrt(1 - self.beta2**self.t)
        change: FloatArray = alpha * mean / (root + self.epsilon)
        return change

    def kept(self) -> tuple[float, ...]:
        """The powers of beta, then the factor and epsilon for `change` with one division less."""
        power1, power2 = self.beta1**self.t, self.beta2**self.t
        root = np.sqrt(1 - power2)
        return power1, power2, root / (1 - power1), self.epsilon * root


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, Algorithm 2)."""

    def __init__(self, beta1: float, beta2: float, epsilon: float, weight_decay: float) -> None:
        super().__init__(beta1, beta2, epsilon)
        self.weight_decay = weight_decay

    def remains(self, alpha: float) -> float:
        """``1 - alpha * weight_decay``."""
        return 1 - alpha * self.weight_decay


class Rprop(Optimizer):
    """Step sizes adapted by signs alone (Riedmiller and Braun, ICNN 1993, as in PyTorch)."""

    def __init__(self, eta_minus: float, eta_plus: float, min_step: float, max_step: float) -> None:
        self.eta_minus = eta_minus
        self.eta_plus = eta_plus
        self.min_step = min_step
        self.max_step = max_step
        self.sign: FloatArray | float = 0.0
        self.size: FloatArray | float = 0.0

    def change(self, g: FloatArray, alpha: float) -> FloatArray:
        """A size of 0 isn't set yet and becomes alpha. A sign change skips that weight's update."""
        sign = np.sign(g)
        turn = sign * self.sign
        size = np.where(np.equal(self.size, 0), alpha, self.size)
        size = size * np.where(turn > 0, self.eta_plus, np.where(turn < 0, self.eta_minus, 1.0))
        self.size = np.minimum(np.maximum(size, self.min_step), self.max_step)
        self.sign = np.where(turn < 0, 0.0, sign)
        change: FloatArray = self.sign * self.size
        return change


_TWINS: dict[type[optimizers.Optimizer], Callable[..., Optimizer]] = {
    optimizers.GradientDescent: GradientDescent,
    optimizers.Momentum: Momentum,
    optimizers.Nesterov: Nesterov,
    optimizers.AdaGrad: AdaGrad,
    optimizers.AdaDelta: AdaDelta,
    optimizers.RMSProp: RMSProp,
    optimizers.Adam: Adam,
    optimizers.AdamW: AdamW,
    optimizers.Rprop: Rprop,
}


def twin(optimizer: optimizers.Optimizer) -> Optimizer:
    """A new reference optimizer with the hyperparameters of one of `fastgd.optimizers`."""
    return _TWINS[type(optimizer)](**optimizer._asdict())


def memory(kind: optimizers.Optimizer, optimizer: Optimizer) -> dict[str, Any]:
    """The state arrays of a reference optimizer, by name."""
    beside = {*kind._fields, "t"}
    return {name: array for name, array in vars(optimizer).items() if name not in beside}


def remember(
    kind: optimizers.Optimizer, optimizer: Optimizer, arrays: Sequence[FloatArray], updates: int
) -> None:
    """Restore the state arrays, as they were after ``updates`` updates."""
    vars(optimizer).update(zip(memory(kind, optimizer), arrays, strict=True))
    if "t" in vars(optimizer):
        vars(optimizer)["t"] = updates


def corrections(kind: optimizers.Optimizer, optimizer: Any, updates: int) -> tuple[float, ...]:
    """What compiled code stores once for all parameters, after ``updates`` updates."""
    return optimizer.kept() if kind.kept and updates else tuple(kind.kept.values())
