"""The step of each optimizer, given minus the derivative, as in its paper and in PyTorch.

One object serves one array w of parameters. It has the fields of the optimizer in
`fastgd.optimizers`, then its state: arrays, in the same order as in compiled code, which start at
0. ``step`` returns the new w, for minus the derivative g; ``kept`` returns what compiled code
stores once for all parameters.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from fastgd import optimizers
from fastgd.checks.numbers import FloatArray
from fastgd.formulas import rules, updates
from fastgd.formulas.expressions import Tree
from fastgd.reference.formulas import Dual, evaluate

Numbers = FloatArray | float


class Optimizer(ABC):
    """The optimizer of one array."""

    t = 0
    """The number of updates so far, if a step depends on it."""

    @property
    def states(self) -> list[str]:
        """The names of the attributes with its state: fields with a default."""
        return [one.name for one in fields(self) if one.default is not MISSING]  # type: ignore[arg-type]

    @abstractmethod
    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """Return w after an update by minus the derivative g."""

    def kept(self) -> tuple[float, ...]:
        """What compiled code stores once for all parameters, after the first update."""
        return ()

    def change(self, fields: Mapping[str, float]) -> None:
        """Give hyperparameters other values."""
        vars(self).update(fields)

    def recall(self, kept: tuple[float, ...]) -> None:  # noqa: B027 - most have nothing to recall
        """Resume with these numbers."""


@dataclass
class GradientDescent(Optimizer):
    """The article's own: alpha times minus the derivative (Cauchy 1847)."""

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """``w + alpha * g``."""
        return w + alpha * g


@dataclass
class Momentum(Optimizer):
    """Heavy-ball momentum (Polyak, "Some methods of speeding up the convergence", 1964)."""

    momentum: float
    v: Numbers = 0.0

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """``v = momentum v + g``, as in PyTorch: the velocity doesn't include alpha."""
        self.v = self.momentum * self.v + g
        return w + alpha * self.v


@dataclass
class Nesterov(Optimizer):
    """Looks ahead along the velocity (Nesterov 1983, as in Sutskever et al., ICML 2013)."""

    momentum: float
    v: Numbers = 0.0

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """``g + momentum v`` is Momentum's velocity one step ahead."""
        self.v = self.momentum * self.v + g
        return w + alpha * (g + self.momentum * self.v)


@dataclass
class AdaGrad(Optimizer):
    """Smaller steps where derivatives were large (Duchi, Hazan and Singer, JMLR 12, 2011)."""

    epsilon: float
    s: Numbers = 0.0

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """Divide by the root of the sum of all squared derivatives so far."""
        self.s = self.s + g * g
        return w + alpha * g / (np.sqrt(self.s) + self.epsilon)


@dataclass
class AdaDelta(Optimizer):
    """Steps in the parameters' own unit (Zeiler, arXiv 1212.5701, Algorithm 1)."""

    rho: float
    epsilon: float
    s: Numbers = 0.0
    u: Numbers = 0.0

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """``RMS(earlier steps) / RMS(derivatives) * g``; the paper's alpha is 1."""
        self.s = self.rho * self.s + (1 - self.rho) * g * g
        d = np.sqrt(self.u + self.epsilon) / np.sqrt(self.s + self.epsilon) * g
        self.u = self.rho * self.u + (1 - self.rho) * d * d
        return w + alpha * d


@dataclass
class RMSProp(Optimizer):
    """Divide by a moving root mean square (Tieleman and Hinton, Coursera lecture 6.5, 2012)."""

    rho: float
    epsilon: float
    s: Numbers = 0.0

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """As AdaGrad, with a moving average in place of the sum."""
        self.s = self.rho * self.s + (1 - self.rho) * g * g
        return w + alpha * g / (np.sqrt(self.s) + self.epsilon)


@dataclass
class Adam(Optimizer):
    """Moving mean and square with bias correction (Kingma and Ba, ICLR 2015, Algorithm 1)."""

    beta1: float
    beta2: float
    epsilon: float
    m: Numbers = 0.0
    s: Numbers = 0.0

    def __post_init__(self) -> None:
        """The products of the betas of all updates: beta^t, unless a beta was changed."""
        self._products = 1.0, 1.0

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """The t-th update divides by ``1 - beta^t``, since both moving averages start at 0."""
        first, second = self._products
        self._products = first * self.beta1, second * self.beta2
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.s = self.beta2 * self.s + (1 - self.beta2) * g * g
        mean = self.m / (1 - self._products[0])
        root = np.sqrt(self.s) / np.sqrt(1 - self._products[1])
        stepped: FloatArray = w + alpha * mean / (root + self.epsilon)
        return stepped

    def kept(self) -> tuple[float, ...]:
        """The products, then the factor and epsilon for `step` with one division less."""
        power1, power2 = self._products
        root = np.sqrt(1 - power2)
        return power1, power2, root / (1 - power1), self.epsilon * root

    def recall(self, kept: tuple[float, ...]) -> None:
        """Resume with the products."""
        self._products = kept[0], kept[1]


@dataclass(kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, Algorithm 2)."""

    weight_decay: float

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """Adam's step from ``(1 - alpha * weight_decay) * w``."""
        return super().step((1 - alpha * self.weight_decay) * w, g, alpha)


@dataclass
class Rprop(Optimizer):
    """Step sizes adapted by signs alone (Riedmiller and Braun, ICNN 1993, as in PyTorch)."""

    eta_minus: float
    eta_plus: float
    min_step: float
    max_step: float
    sign: Numbers = 0.0
    size: Numbers = 0.0

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """A size of 0 isn't set yet and becomes alpha. A sign change skips that weight's update."""
        sign = np.sign(g)
        turn = sign * self.sign
        size = np.where(np.equal(self.size, 0), alpha, self.size)
        size = size * np.where(turn > 0, self.eta_plus, np.where(turn < 0, self.eta_minus, 1.0))
        self.size = np.minimum(np.maximum(size, self.min_step), self.max_step)
        self.sign = np.where(turn < 0, 0.0, sign)
        return w + self.sign * self.size


@dataclass
class LevenbergMarquardt(Optimizer):
    """The share of an array in a step of all parameters (Hagan and Menhaj 1994).

    :class:`fastgd.reference.second_order.SecondOrder` solves for that step.
    """

    damping: float
    increase: float
    decrease: float
    max_damping: float
    min_gradient: float
    min_step: float
    scaled: float
    before: Numbers = 0.0

    def __post_init__(self) -> None:
        """Numbers of the run, which only the first array of a network has in use."""
        self.kept_numbers = dict(optimizers.LevenbergMarquardt.kept)

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """``w + alpha * d``: g is the part d of the solution."""
        self.before = w
        return w + alpha * g

    def kept(self) -> tuple[float, ...]:
        """The numbers of the run."""
        return tuple(self.kept_numbers.values())


class Rule(Optimizer):
    """A formula of the user's, evaluated over arrays: its states are called s0, s1, ..."""

    def __init__(self, formula: str, **fields: float) -> None:
        facts, self._fields = rules.facts_of(formula), fields
        self._results, self._names = facts.results, facts.states
        update = updates.update_of(formula, (*fields,))
        self._kept = update.kept
        # The count of updates, and powers x**t, which are products with one factor per update.
        self._counted: dict[Any, float] = {"t": 0.0}
        self._counted |= {tree: x for tree, x in zip(self._kept, update.first, strict=True) if x}
        vars(self).update(dict.fromkeys(self.states, 0.0))

    @property
    def states(self) -> list[str]:
        """The names of the attributes with its state."""
        return [f"s{k}" for k in range(len(self._names))]

    def change(self, fields: Mapping[str, float]) -> None:
        """Give hyperparameters other values."""
        self._fields |= fields

    def step(self, w: FloatArray, g: FloatArray, alpha: float) -> FloatArray:
        """The first result is the new w, the others are the new states."""
        for tree, number in self._counted.items():
            grown = number + 1 if tree == "t" else number * self._value(tree[1], {})
            self._counted[tree] = float(grown)
        known = {name: vars(self)[f"s{k}"] for k, name in enumerate(self._names)}
        known |= {"w": w, "g": g, "alpha": alpha}
        new, *states = (self._value(tree, known) for tree in self._results)
        vars(self).update(zip(self.states, states, strict=True))
        return new

    def kept(self) -> tuple[float, ...]:
        """What follows from the hyperparameters and t alone."""
        return tuple(float(self._value(tree, {})) for tree in self._kept)

    def recall(self, kept: tuple[float, ...]) -> None:
        """Resume with the count and the powers."""
        known = zip(self._kept, kept, strict=True)
        self._counted |= {tree: number for tree, number in known if tree in self._counted}

    def _value(self, tree: Tree, known: Mapping[str, Numbers]) -> FloatArray:
        """The value of an expression over arrays."""
        numbers: dict[Any, Numbers] = {**known, **self._fields, **self._counted}
        duals = {n: Dual(np.asarray(v, np.float64), np.array(0.0)) for n, v in numbers.items()}
        with np.errstate(all="ignore"):
            return evaluate(tree, duals).value


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
    optimizers.LevenbergMarquardt: LevenbergMarquardt,
    rules.Rule: Rule,
}


def twin(optimizer: optimizers.Optimizer) -> Optimizer:
    """A new reference optimizer with the hyperparameters of one of `fastgd.optimizers`."""
    return _TWINS[type(optimizer)](**optimizer._asdict())
