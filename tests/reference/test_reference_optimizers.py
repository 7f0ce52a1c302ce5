"""The reference's optimizers: scalar recurrences, and steps computed by hand.

The kernel's are compared with them, direction changes included, in tests/training/test_methods.py
(`test_every_case_is_its_twin`, `test_optimizers_over_a_thousand_iterations`).
"""

import inspect
from itertools import pairwise
from math import sqrt

import numpy as np
import pytest

from fastgd import optimizers, reference
from fastgd.optimizers import (
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Nesterov,
    RMSProp,
    Rprop,
)

CHOSEN = [
    GradientDescent(),
    Momentum(momentum=0.7),
    Nesterov(momentum=0.8),
    AdaGrad(epsilon=1e-3),
    AdaDelta(rho=0.8, epsilon=1e-4),
    RMSProp(rho=0.9, epsilon=1e-2),
    Adam(beta1=0.8, beta2=0.95, epsilon=1e-3),
    AdamW(beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.3),
    Rprop(eta_minus=0.4, eta_plus=1.3, min_step=1e-4, max_step=0.5),
]


def name(optimizer):
    return type(optimizer).__name__


# One weight, one sample x = 1, identity: minus the derivative is g = 3 - w, and w starts at 1.
ONE = {"X": [[1.0]], "y": [3.0], "weights": [[[1.0]]], "output": "identity"}


def by_hand(optimizer, alpha, steps):
    """The weight after some steps, as the papers' recurrences in plain numbers."""
    w, v, s, u, m = 1.0, 0.0, 0.0, 0.0, 0.0
    before, size = 0.0, alpha
    for t in range(1, steps + 1):
        g = 3 - w
        match optimizer:
            case GradientDescent():
                w += alpha * g
            case Momentum(mu):
                v = mu * v + g
                w += alpha * v
            case Nesterov(mu):
                v = mu * v + g
                w += alpha * (g + mu * v)
            case AdaGrad(epsilon):
                s += g**2
                w += alpha * g / (sqrt(s) + epsilon)
            case AdaDelta(rho, epsilon):
                s = rho * s + (1 - rho) * g**2
                d = sqrt(u + epsilon) / sqrt(s + epsilon) * g
                u = rho * u + (1 - rho) * d**2
                w += alpha * d
            case RMSProp(rho, epsilon):
                s = rho * s + (1 - rho) * g**2
                w += alpha * g / (sqrt(s) + epsilon)
            case Adam(beta1, beta2, epsilon) | AdamW(beta1, beta2, epsilon):
                w -= alpha * getattr(optimizer, "weight_decay", 0.0) * w
                m = beta1 * m + (1 - beta1) * g
                s = beta2 * s + (1 - beta2) * g**2
                w += alpha * (m / (1 - beta1**t)) / (sqrt(s / (1 - beta2**t)) + epsilon)
            case Rprop():
                before, size = resilient(optimizer, g, before, size)
                w += size * np.sign(before)
    return w


def resilient(optimizer, g, before, size):
    """The derivative as it counts, and the step size for it."""
    if g * before > 0:
        size *= optimizer.eta_plus
    elif g * before < 0:
        size *= optimizer.eta_minus
        g = 0.0
    return g, min(max(size, optimizer.min_step), optimizer.max_step)


@pytest.mark.parametrize("optimizer", CHOSEN, ids=name)
@pytest.mark.parametrize("steps", [1, 2, 5, 60])
def test_the_recurrence_in_plain_numbers(optimizer, steps):
    run = reference.train(**ONE, alpha=0.05, iterations=steps, optimizer=optimizer)
    assert run.weights[0].item() == pytest.approx(by_hand(optimizer, 0.05, steps), rel=1e-13)


# Two steps with alpha = 1/4 and all decays 1/2, on paper: g is 2, then 3 - w. Where the formula has
# an epsilon it is taken as 0, hence the tolerance.
ON_PAPER = [
    (GradientDescent(), 1.5, 1.5 + 0.25 * 1.5),
    (Momentum(0.5), 1.5, 1.5 + 0.25 * (1 + 1.5)),
    (Nesterov(0.5), 1.75, 1.75 + 0.25 * (1.25 + 0.5 * (1 + 1.25))),
    (AdaGrad(1e-12), 1.25, 1.25 + 0.25 * 1.75 / sqrt(4 + 1.75**2)),
    (RMSProp(0.5, 1e-12), 1 + 0.25 * sqrt(2), 1 + 0.25 * sqrt(2)
     + 0.25 * (2 - 0.25 * sqrt(2)) / sqrt(1 + (2 - 0.25 * sqrt(2)) ** 2 / 2)),
    (Adam(0.5, 0.5, 1e-12), 1.25, 1.25
     + 0.25 * ((0.5 + 0.875) / 0.75) / sqrt((1 + 1.75**2 / 2) / 0.75)),
]  # fmt: skip


@pytest.mark.parametrize(("optimizer", "first", "second"), ON_PAPER)
def test_two_steps_on_paper(optimizer, first, second):
    for steps, weight in enumerate([first, second], 1):
        run = reference.train(**ONE, alpha=0.25, iterations=steps, optimizer=optimizer)
        assert run.weights[0].item() == pytest.approx(weight, rel=1e-11)


def test_the_first_step_of_adadelta_on_paper():
    # sqrt(0 + 1) / sqrt(0.5 * 4 + 1) * 2, with epsilon = 1
    run = reference.train(**ONE, alpha=0.25, iterations=1, optimizer=AdaDelta(0.5, 1.0))
    assert run.weights[0].item() == pytest.approx(1 + 0.25 * 2 / sqrt(3), rel=1e-14)


@pytest.mark.parametrize("kind", optimizers.ALL, ids=lambda kind: kind.__name__)
def test_every_public_optimizer_has_a_twin_with_its_paper(kind):
    twin = reference.optimizers.twin(kind())
    assert type(twin).__name__ == kind.__name__
    assert any(year in inspect.getdoc(type(twin)) for year in ("18", "19", "20", "arXiv 12"))
    assert kind() == GradientDescent() or name(kind()) in repr(
        reference.train(**ONE, optimizer=kind(), iterations=1).options
    )


def test_rprop_on_paper():
    """From 1 to 3 - 1: longer steps until the derivative changes its sign, a rest, and back."""
    weights = [1.5, 2.25, 3.375, 3.375, 2.8125]  # steps 0.5, 0.75, 1.125, none, -0.5625
    for steps, weight in enumerate(weights, 1):
        run = reference.train(**ONE, alpha=0.5, iterations=steps, optimizer=Rprop(eta_plus=1.5))
        assert run.weights[0].item() == weight
    assert run.direction_changes[0].item() == 1


def test_adamw_decays_what_has_no_derivative():
    given = {"X": [[1.0, 0.0]], "y": [3.0], "output": "identity", "weights": [[[1.0], [1.0]]]}
    run = reference.train(**given, alpha=0.5, iterations=3, optimizer=AdamW(weight_decay=0.5))
    assert run.weights[0][1, 0] == 0.75**3


@pytest.mark.parametrize("optimizer", CHOSEN, ids=name)
def test_direction_changes_are_those_of_the_derivative(optimizer):
    """Not those of the step: a velocity may go on against the derivative."""
    settings = ONE | {"alpha": 0.9, "optimizer": optimizer}
    weights = [1.0]
    weights += [reference.train(**settings, iterations=n).weights[0].item() for n in range(1, 30)]
    up = [3 - w > 0 for w in weights]
    changes = sum(a != b for a, b in pairwise(up))
    assert reference.train(**settings, iterations=30).direction_changes[0].item() == changes
    if optimizer in (Momentum(momentum=0.7), Nesterov(momentum=0.8)):
        steps = np.diff([*weights, reference.train(**settings, iterations=30).weights[0].item()])
        assert up != (steps > 0).tolist()


def test_direction_changes_count_penalties_too():
    # The first step leads to 5.6, where 8 - w is still above 0 and 8 - w - l2 * w is not.
    settings = {"X": [[1.0]], "y": [8.0], "output": "identity", "iterations": 2, "alpha": 0.7}
    plain = reference.train(**settings, weights=[[[0.0]]])
    decayed = reference.train(**settings, weights=[[[0.0]]], l2=1.0)
    assert plain.direction_changes[0].item() == 0
    assert decayed.direction_changes[0].item() == 1
