"""Our optimizers as optax's, with the arguments that make their formulas the same.

optax agrees with PyTorch, and so with us, once two of its defaults are overruled: RMSProp adds
epsilon outside the root, and AdaGrad begins with nothing in its accumulator. AdaGrad's epsilon
stays under the root, where it does the same as ours only if it is too small to matter, so the
comparison has one of 1e-30 there. Its Rprop makes each step one update late (0.2.8), and is left
out.
"""

from typing import Any

import jax
import optax

from fastgd import optimizers


def transformation(optimizer: Any, alpha: jax.Array) -> optax.GradientTransformation:
    """Return optax's twin of one of ours; alpha may be traced."""
    match optimizer:
        case optimizers.Momentum(momentum):
            return optax.sgd(alpha, momentum=momentum)
        case optimizers.Nesterov(momentum):
            return optax.sgd(alpha, momentum=momentum, nesterov=True)
        case optimizers.AdaGrad(epsilon):
            return optax.adagrad(alpha, initial_accumulator_value=0.0, eps=epsilon**2)
        case optimizers.AdaDelta(rho, epsilon):
            return optax.adadelta(alpha, rho=rho, eps=epsilon)
        case optimizers.RMSProp(rho, epsilon):
            return optax.rmsprop(alpha, decay=rho, eps=epsilon, eps_in_sqrt=False)
        case optimizers.Adam(beta1, beta2, epsilon):
            return optax.adam(alpha, b1=beta1, b2=beta2, eps=epsilon)
        case optimizers.AdamW(beta1, beta2, epsilon, weight_decay):
            return optax.adamw(alpha, b1=beta1, b2=beta2, eps=epsilon, weight_decay=weight_decay)
    raise ValueError(f"optax has no twin of {optimizer}")
