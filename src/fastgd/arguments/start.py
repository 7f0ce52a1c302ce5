"""The settings of one training: hidden sizes, first weights, learning rates."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from fastgd.arguments.data import FloatArray, check_weights
from fastgd.arguments.intervals import ABOVE_ZERO
from fastgd.arguments.messages import shown
from fastgd.arguments.values import check_count, check_number, floats, integer

#: What `hidden_size` is where the caller says nothing; given weights overrule it.
DEFAULT_HIDDEN_SIZE = (4,)

_ALPHA = ABOVE_ZERO._replace(kind="a number or a tuple with one per layer of weights")


def check_start(
    hidden_size: object, weights: object, inputs: int, outputs: int
) -> tuple[tuple[int, ...], tuple[FloatArray, ...] | None]:
    """Return the hidden sizes and the given weights, if any; these then decide the sizes."""
    sizes = check_hidden_size(hidden_size)
    if weights is None:
        return sizes, None
    layers = check_weights(weights, inputs, outputs)
    found = tuple(layer.shape[1] for layer in layers[:-1])
    if sizes not in (found, DEFAULT_HIDDEN_SIZE):
        raise ValueError(
            f"hidden_size must be left out or that of the weights, {shown(found)}, "
            f"got {shown(hidden_size)}"
        )
    return found, layers


def check_hidden_size(value: object) -> tuple[int, ...]:
    """Return the sizes of the hidden layers: an int means one layer, `()` none."""
    if isinstance(value, tuple):
        return tuple(check_count(f"hidden_size[{k}]", size) for k, size in enumerate(value))
    if integer(value) is None:
        raise TypeError(
            f"hidden_size must be an int or a tuple with one per hidden layer, got {shown(value)}"
        )
    return (check_count("hidden_size", value),)


def check_alpha(value: object, layers: int) -> tuple[float, ...]:
    """Return one alpha for each layer of weights: a single number serves all of them."""
    if not isinstance(value, tuple):
        return (check_number("alpha", value, _ALPHA),) * layers
    if len(value) != layers:
        raise ValueError(
            f"alpha must be a number or a tuple with one per layer of weights ({layers}), "
            f"got {shown(value)}"
        )
    return tuple(check_number(f"alpha[{k}]", rate, _ALPHA) for k, rate in enumerate(value))


def check_alphas(axis: Sequence[Any], layers: int) -> FloatArray:
    """Return `check_alpha` of all values of an axis, many at a time: (values, layers)."""
    per_layer = set(map(type, axis)) == {tuple} and set(map(len, axis)) == {layers}
    rates = floats(list(chain.from_iterable(axis)) if per_layer else axis)
    if rates is None or not _ALPHA.holds(rates).all():
        return np.array([check_alpha(value, layers) for value in axis])
    return rates.reshape(-1, layers) if per_layer else np.repeat(rates[:, None], layers, axis=1)
