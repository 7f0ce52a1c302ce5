"""Whole networks for tests that give first weights."""

import numpy as np

from fastgd.arguments.initial_network import NetworkParts


def fresh(weights, bias=False, batch_norm=False, **_others):
    """These weights with biases of 0, scales of 1 and shifts of 0, as options ask for them."""
    units = [np.shape(layer)[1] for layer in weights]
    biases = tuple(map(np.zeros, units)) if bias else ()
    normalization = [[np.ones(n), np.zeros(n), np.zeros(n), np.ones(n)] for n in units[:-1]]
    return NetworkParts(
        tuple(weights), biases, tuple(map(tuple, normalization)) if batch_norm else ()
    )
