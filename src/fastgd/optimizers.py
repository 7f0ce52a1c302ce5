"""The optimizers: how an update follows from the gradient.

As in the article the update is *added*: g is minus the derivative, so g > 0 says that the weight
should grow. alpha is the learning rate. State starts at 0 and has the shape of the weights: one
(inputs, outputs) array per layer. Biases and the scale and shift of batch norm are updated alike,
with state of their shapes. The formulas are PyTorch's.

In :func:`fastgd.sweep` a field may be a list, range or 1-D array, which is an axis with the field's
name: ``Momentum(momentum=[0.5, 0.9])`` gives the axis ``momentum``.

A class here has all the facts of an optimizer but its step, which stands by its name in
``kernel/iteration/optimizers.py`` and once more in ``reference/optimizers.py``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from fastgd.hyperparameters import Hyperparameters, hyperparameter


class Optimizer(Hyperparameters):
    """What all optimizers have in common beside their fields."""

    race_alpha: ClassVar[float]
    """The alpha in :func:`fastgd.race`.

    It is the one of 0.001, 0.002, 0.005, 0.01, ..., 500 that leaves the smallest mean error on the
    article's 3-4-1 network after 1000 iterations, over the seeds 1 to 64.
    """

    states: ClassVar[int]
    """Numbers kept for each parameter, 0 at first."""

    kept: ClassVar[Mapping[str, float]]
    """Numbers kept for each run, with what they are at first."""

    def __init_subclass__(
        cls,
        *,
        command: str,
        race_alpha: float,
        states: int = 0,
        kept: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Make a class with fields, and write down its facts."""
        super().__init_subclass__(command=command)
        cls.race_alpha, cls.states, cls.kept = race_alpha, states, kept


class GradientDescent(Optimizer, command="gradient_descent", race_alpha=10.0):
    """The article's own update: a step along the gradient.

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


class Momentum(Optimizer, command="momentum", race_alpha=1.0, states=1):
    """A step along a velocity that remembers the gradients before.

    v = momentum * v + g, then w = w + alpha * v. It keeps the velocity v, an (inputs, outputs)
    array per layer.

    Parameters
    ----------
    momentum : float
        How much of the velocity stays, in [0, 1).

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

    momentum: Any = hyperparameter(default=0.9, interval="[0, 1)", words="Momentum that stays")


class Nesterov(Optimizer, command="nesterov", race_alpha=2.0, states=1):
    """Momentum that looks ahead: the step is where the velocity would be after one more gradient.

    v = momentum * v + g, then w = w + alpha * (g + momentum * v). It keeps the velocity v, an
    (inputs, outputs) array per layer.

    Parameters
    ----------
    momentum : float
        How much of the velocity stays, in [0, 1).

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

    momentum: Any = hyperparameter(default=0.9, interval="[0, 1)", words="Momentum that stays")


class AdaGrad(Optimizer, command="adagrad", race_alpha=0.2, states=1):
    """Each weight's step is divided by the root of the sum of all its squared gradients.

    s = s + g * g, then w = w + alpha * g / (sqrt(s) + epsilon). It keeps the sum s, an (inputs,
    outputs) array per layer.

    Parameters
    ----------
    epsilon : float
        Keeps the divisor away from 0; above 0.

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

    epsilon: Any = hyperparameter(default=1e-10, interval="(0, inf)", words="Keeps divisors from 0")


class AdaDelta(Optimizer, command="adadelta", race_alpha=100.0, states=2):
    """Each weight's step has the size of its recent steps, so that alpha = 1 suits most networks.

    s = rho * s + (1 - rho) * g * g, the step d = sqrt(u + epsilon) / sqrt(s + epsilon) * g, then
    u = rho * u + (1 - rho) * d * d and w = w + alpha * d. It keeps the means s of the squared
    gradients and u of the squared steps, two (inputs, outputs) arrays per layer.

    Parameters
    ----------
    rho : float
        How much of both means stays, in [0, 1).
    epsilon : float
        Keeps the divisor away from 0 and lets the first step begin; above 0.

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

    rho: Any = hyperparameter(default=0.9, interval="[0, 1)", words="Mean square that stays")
    epsilon: Any = hyperparameter(default=1e-6, interval="(0, inf)", words="Keeps divisors from 0")


class RMSProp(Optimizer, command="rmsprop", race_alpha=0.02, states=1):
    """Each weight's step is divided by the root of the recent mean of its squared gradients.

    s = rho * s + (1 - rho) * g * g, then w = w + alpha * g / (sqrt(s) + epsilon). It keeps the mean
    s, an (inputs, outputs) array per layer.

    Parameters
    ----------
    rho : float
        How much of the mean stays, in [0, 1).
    epsilon : float
        Keeps the divisor away from 0; above 0.

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

    rho: Any = hyperparameter(default=0.99, interval="[0, 1)", words="Mean square that stays")
    epsilon: Any = hyperparameter(default=1e-8, interval="(0, inf)", words="Keeps divisors from 0")


class Adam(
    Optimizer,
    command="adam",
    race_alpha=0.1,
    states=2,
    kept={"power1": 1.0, "power2": 1.0, "factor": 0.0, "corrected_epsilon": 0.0},
):
    """Momentum and RMSProp together, both corrected for their start at 0.

    m = beta1 * m + (1 - beta1) * g and s = beta2 * s + (1 - beta2) * g * g, then w = w + alpha /
    (1 - beta1**t) * m / (sqrt(s) / sqrt(1 - beta2**t) + epsilon), where t counts the updates from
    1. It keeps the means m of the gradients and s of their squares, two (inputs, outputs) arrays
    per layer.

    Parameters
    ----------
    beta1 : float
        How much of the gradients' mean stays, in [0, 1).
    beta2 : float
        How much of the squares' mean stays, in [0, 1).
    epsilon : float
        Keeps the divisor away from 0; above 0.

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

    beta1: Any = hyperparameter(default=0.9, interval="[0, 1)", words="Mean that stays")
    beta2: Any = hyperparameter(default=0.999, interval="[0, 1)", words="Mean square that stays")
    epsilon: Any = hyperparameter(default=1e-8, interval="(0, inf)", words="Keeps divisors from 0")


class AdamW(
    Optimizer,
    command="adamw",
    race_alpha=0.5,
    states=2,
    kept={"power1": 1.0, "power2": 1.0, "factor": 0.0, "corrected_epsilon": 0.0},
):
    """Adam beside a decay of the parameters themselves, which no gradient's size divides.

    w = w - alpha * weight_decay * w, then Adam's step, w = w + alpha / (1 - beta1**t) * m /
    (sqrt(s) / sqrt(1 - beta2**t) + epsilon) with m = beta1 * m + (1 - beta1) * g and s = beta2 * s
    + (1 - beta2) * g * g. As in PyTorch all parameters decay: biases, scales and shifts, too. It
    keeps the means m of the gradients and s of their squares, two (inputs, outputs) arrays per
    layer.

    Parameters
    ----------
    beta1 : float
        How much of the gradients' mean stays, in [0, 1).
    beta2 : float
        How much of the squares' mean stays, in [0, 1).
    epsilon : float
        Keeps the divisor away from 0; above 0.
    weight_decay : float
        What an update takes off each parameter, in units of alpha; at least 0.

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

    beta1: Any = hyperparameter(default=0.9, interval="[0, 1)", words="Mean that stays")
    beta2: Any = hyperparameter(default=0.999, interval="[0, 1)", words="Mean square that stays")
    epsilon: Any = hyperparameter(default=1e-8, interval="(0, inf)", words="Keeps divisors from 0")
    weight_decay: Any = hyperparameter(
        default=0.01, interval="[0, inf)", words="Share taken off weights"
    )


class Rprop(Optimizer, command="rprop", race_alpha=0.001, states=2):
    """Steps that follow from the signs of the gradient alone, not from its size.

    At first w = w + alpha * sign(g). From then on each weight has a step size of its own in place
    of alpha: it is multiplied by ``eta_plus`` where the gradient has the sign of the update before,
    and by ``eta_minus`` where the sign has changed, which the article counts as a change of
    direction. Then that weight stays where it is, and its gradient counts as 0 in the next
    comparison. It keeps the sign before and the step size, two (inputs, outputs) arrays per layer.

    Parameters
    ----------
    eta_minus : float
        Factor of a step size when the sign has changed, in (0, 1).
    eta_plus : float
        Factor when it has not; above 1.
    min_step : float
        No step size is below that, the first one neither; above 0.
    max_step : float
        Nor above that, which counts if the two cross; above 0.

    Notes
    -----
    Riedmiller and Braun, *A direct adaptive method for faster backpropagation learning: the RPROP
    algorithm*, IEEE International Conference on Neural Networks (1993). The step is not taken back
    where a sign changes. PyTorch: ``torch.optim.Rprop(lr=alpha, etas=(eta_minus, eta_plus),
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

    eta_minus: Any = hyperparameter(
        default=0.5, interval="(0, 1)", words="Factor when a sign changes"
    )
    eta_plus: Any = hyperparameter(
        default=1.2, interval="(1, inf)", words="Factor when it does not"
    )
    min_step: Any = hyperparameter(default=1e-6, interval="(0, inf)", words="Smallest step size")
    max_step: Any = hyperparameter(default=50.0, interval="(0, inf)", words="Largest step size")


ALL: tuple[type[Optimizer], ...] = tuple(Optimizer.__subclasses__())
"""In the order of their classes."""

BY_COMMAND = {kind.command: kind for kind in ALL}
