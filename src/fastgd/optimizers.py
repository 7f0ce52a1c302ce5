"""The optimizers: how an update follows from the gradient.

As in the article the update is *added*: g is minus the derivative, so g > 0 says that the weight
should grow. alpha is the learning rate. State starts at 0 and has the shape of the weights: one
(inputs, outputs) array per layer. Biases and the scale and shift of batch norm are updated alike,
with state of their shapes. The formulas are PyTorch's.

In :func:`fastgd.sweep` a field may be a list, range or 1-D array, which is an axis with the field's
name: ``Momentum(mu=[0.5, 0.9])`` gives the axis ``mu``.
"""

from typing import Any, NamedTuple


class GradientDescent(NamedTuple):
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


class Momentum(NamedTuple):
    """A step along a velocity that remembers the gradients before.

    v = mu * v + g, then w = w + alpha * v. It keeps the velocity v, an (inputs, outputs) array per
    layer.

    Parameters
    ----------
    mu : float
        How much of the velocity stays, in [0, 1).

    Notes
    -----
    Polyak, *Some methods of speeding up the convergence of iteration methods*, USSR Computational
    Mathematics and Mathematical Physics 4 (1964). PyTorch: ``torch.optim.SGD(lr=alpha,
    momentum=mu)`` with its dampening of 0.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import Momentum
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=1, optimizer=Momentum(mu=0.9), iterations=200)
    >>> round(run.final_error, 3)
    0.033
    """

    mu: Any = 0.9


class Nesterov(NamedTuple):
    """Momentum that looks ahead: the step is where the velocity would be after one more gradient.

    v = mu * v + g, then w = w + alpha * (g + mu * v). It keeps the velocity v, an (inputs, outputs)
    array per layer.

    Parameters
    ----------
    mu : float
        How much of the velocity stays, in [0, 1).

    Notes
    -----
    Nesterov, *A method for solving the convex programming problem with convergence rate O(1/k^2)*,
    Soviet Mathematics Doklady 27 (1983), in the form of Sutskever, Martens, Dahl and Hinton, *On
    the importance of initialization and momentum in deep learning*, ICML (2013). PyTorch:
    ``torch.optim.SGD(lr=alpha, momentum=mu, nesterov=True)``.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import Nesterov
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=1, optimizer=Nesterov(mu=0.9), iterations=200)
    >>> round(run.final_error, 3)
    0.032
    """

    mu: Any = 0.9


class AdaGrad(NamedTuple):
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

    epsilon: Any = 1e-10


class AdaDelta(NamedTuple):
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

    rho: Any = 0.9
    epsilon: Any = 1e-6


class RMSProp(NamedTuple):
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

    rho: Any = 0.99
    epsilon: Any = 1e-8


class Adam(NamedTuple):
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

    beta1: Any = 0.9
    beta2: Any = 0.999
    epsilon: Any = 1e-8


Optimizer = GradientDescent | Momentum | Nesterov | AdaGrad | AdaDelta | RMSProp | Adam

ALL: tuple[type[Optimizer], ...] = (
    GradientDescent,
    Momentum,
    Nesterov,
    AdaGrad,
    AdaDelta,
    RMSProp,
    Adam,
)
