"""Checks of hidden layer sizes, of the network to start from, and of learning rates."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import (
    ABOVE_ZERO,
    FloatArray,
    check_count,
    check_number,
    check_shape,
    floats,
    integer,
    numbers_of,
)

#: The default of `hidden_size`; weights that are given override it.
DEFAULT_HIDDEN_SIZE = (4,)

_ALPHA = ABOVE_ZERO._replace(kind="a number or a tuple with one per layer of weights")


INITS = ("article", "glorot", "glorot_normal", "he", "he_normal", "lecun", "lecun_normal")
"""Distributions of the initial weights; names without "_normal" are uniform ones."""

Init = str | tuple[str, ...]
"""A distribution, or one for each layer of weights."""


class BatchNorm(NamedTuple):
    """Learned parameters of batch normalization in one hidden layer: (units,) arrays.

    In :meth:`fastgd.Run.predict` a unit's input z becomes
    ``scale * (z - mean) / sqrt(variance + 1e-5) + shift`` (Ioffe and Szegedy 2015, Algorithm 2).
    """

    scale: NDArray[Any]
    shift: NDArray[Any]
    mean: NDArray[Any]
    variance: NDArray[Any]


class NetworkParts(NamedTuple):
    """The parameters of a network by layer, or arrays with a number for each parameter."""

    weights: tuple[NDArray[Any], ...]  # (inputs, outputs)
    biases: tuple[NDArray[Any], ...] = ()  # (outputs,); empty for a network without biases
    normalization: tuple[BatchNorm, ...] = ()  # one per hidden layer, or none


@runtime_checkable
class WholeNetwork(Protocol):
    """A network with all its parameters: a Run, a Snapshot of ``run.at(k)``, or `NetworkParts`."""

    @property
    def weights(self) -> Sequence[Any]:
        """One (inputs, outputs) array per layer."""

    @property
    def biases(self) -> Sequence[Any]:
        """One (outputs,) array per layer; empty without biases."""

    @property
    def normalization(self) -> Sequence[Any]:
        """Scale, shift, mean and variance of each hidden layer; empty without batch norm."""


Start = WholeNetwork | Sequence[ArrayLike]
"""A network to start a training from."""


def stack_of(weights: object) -> Sequence[Any]:
    """Return the arrays (n, inputs, outputs) of n stacked networks, unchecked; () for others."""
    layers: Any = weights.weights if isinstance(weights, WholeNetwork) else weights
    is_list = isinstance(layers, (list, tuple)) and len(layers) > 0
    return layers if is_list and getattr(layers[0], "ndim", 0) == 3 else ()


def check_start(
    hidden_size: object,
    weights: object,
    inputs: int,
    outputs: int,
    biases: object = None,
    stack: tuple[int, ...] = (),
) -> tuple[tuple[int, ...], NetworkParts | None]:
    """Return the hidden sizes and the network to start from; if there is one, its sizes count.

    A ``stack`` is (n,) if the arrays are those of n networks.
    """
    sizes = check_hidden_size(hidden_size)
    if weights is None:
        if biases is not None:
            raise ValueError(f"biases must come with weights, got biases={shown(biases)} alone")
        return sizes, None
    start = check_network(weights, biases, inputs, outputs, stack)
    found = tuple(layer.shape[-1] for layer in start.weights[:-1])
    if sizes not in (found, DEFAULT_HIDDEN_SIZE):
        raise ValueError(
            f"hidden_size must be left out or that of the weights, {shown(found)}, "
            f"got {shown(hidden_size)}"
        )
    return found, start


def check_whole(
    start: NetworkParts, *, bias: bool, batch_norm: bool, init: str | tuple[str, ...] = "article"
) -> None:
    """Reject a start network with fewer or more kinds of parameters than the options ask for.

    Also reject one if ``init`` asks for weights to be drawn.
    """
    if init != "article":
        raise ValueError(f"init must be left out where weights are given, got {shown(init)}")
    if bias and not start.biases:
        raise ValueError(
            "weights must come with biases where bias=True: arrays with biases=, or a network "
            "that has them, such as a Run; got weights alone"
        )
    if start.biases and not bias:
        raise ValueError("weights must have no biases unless bias=True, got a network with them")
    if batch_norm and not start.normalization:
        raise ValueError(
            "weights must come with scale, shift, mean and variance where batch_norm=True, as in a "
            "Run trained with it; got weights alone"
        )
    if start.normalization and not batch_norm:
        raise ValueError(
            "weights must be of a network without batch normalization unless batch_norm=True, "
            "got one with it"
        )


def check_network(
    weights: object, biases: object, inputs: int, outputs: int, stack: tuple[int, ...] = ()
) -> NetworkParts:
    """Return copies of the parameters of a network, or of a ``stack`` of several."""
    normalization: object = ()
    if isinstance(weights, WholeNetwork):
        if biases is not None:
            raise ValueError(
                "biases must be left out where weights is a whole network, got biases="
                f"{shown(biases)}"
            )
        normalization, biases = weights.normalization, weights.biases
        weights = weights.weights
    layers = check_weights(weights, inputs, outputs, stack)
    units = [(*stack, layer.shape[-1]) for layer in layers]
    biases = () if biases is None else biases
    return NetworkParts(
        layers, _check_biases(biases, units), _check_normalization(normalization, units[:-1])
    )


def check_weights(
    weights: object, inputs: int, outputs: int, stack: tuple[int, ...] = ()
) -> tuple[FloatArray, ...]:
    """Return a copy of the weights, one (inputs, outputs) array per layer.

    The first layer must have `inputs` rows, each next layer as many rows as the previous one has
    columns, and the last layer `outputs` columns. Those of a ``stack`` have an axis of networks.
    """
    if not isinstance(weights, (list, tuple)):
        raise TypeError(
            "weights must be a list or tuple of one (inputs, outputs) array per layer, "
            f"got {shown(weights)}"
        )
    if not weights:
        raise ValueError(f"weights must have at least one layer, got {shown(weights)}")
    layers: list[FloatArray] = []
    rows, source = inputs, "input of X"
    for k, given in enumerate(weights):
        layer = numbers_of(f"weights[{k}]", given).copy()
        check_shape(f"weights[{k}]", layer, (*stack, rows, "outputs"), f"one row for each {source}")
        layers.append(layer)
        rows, source = layer.shape[-1], f"output of weights[{k}]"
    if rows != outputs:
        raise ValueError(
            f"weights[{len(layers) - 1}] must have one column for each output of y ({outputs}), "
            f"got shape {layers[-1].shape}"
        )
    return tuple(layers)


def _check_biases(biases: object, units: list[tuple[int, ...]]) -> tuple[FloatArray, ...]:
    """Return a copy of the biases of each layer; ``()`` means that there are none."""
    if not isinstance(biases, (list, tuple)):
        raise TypeError(
            f"biases must be a list or tuple of one (outputs,) array per layer, got {shown(biases)}"
        )
    if isinstance(biases, tuple) and not biases:
        return ()
    if len(biases) != len(units):
        raise ValueError(
            f"biases must have one array for each layer of weights ({len(units)}), "
            f"got {shown(biases)}"
        )
    return tuple(
        _check_units(f"biases[{k}]", layer, count)
        for k, (layer, count) in enumerate(zip(biases, units, strict=True))
    )


def _check_normalization(normalization: Any, units: list[tuple[int, ...]]) -> tuple[BatchNorm, ...]:
    """Return a copy of batch normalization's parameters of each hidden layer; ``()`` for none."""
    if isinstance(normalization, tuple) and not normalization:
        return ()
    four = all(len(layer) == len(BatchNorm._fields) for layer in normalization)
    if len(normalization) != len(units) or not four:
        raise ValueError(
            "normalization must have scale, shift, mean and variance for each hidden layer "
            f"({len(units)}), got {shown(normalization)}"
        )
    layers = []
    for k, (layer, count) in enumerate(zip(normalization, units, strict=True)):
        checked = [
            _check_units(f"normalization[{k}].{name}", array, count)
            for name, array in zip(BatchNorm._fields, layer, strict=True)
        ]
        if checked[-1].min() < 0:
            raise ValueError(
                f"normalization[{k}].variance must be at least 0, got {checked[-1].min()}"
            )
        layers.append(BatchNorm(*checked))
    return tuple(layers)


def _check_units(name: str, value: object, shape: tuple[int, ...]) -> FloatArray:
    array = numbers_of(name, value).copy()
    check_shape(name, array, shape, "one number for each unit of its layer")
    return array


def check_hidden_size(value: object) -> tuple[int, ...]:
    """Return the sizes of the hidden layers: an int means one layer, ``()`` no hidden layer."""
    if isinstance(value, tuple):
        return tuple(check_count(f"hidden_size[{k}]", size) for k, size in enumerate(value))
    if integer(value) is None:
        raise TypeError(
            f"hidden_size must be an int or a tuple with one per hidden layer, got {shown(value)}"
        )
    return (check_count("hidden_size", value),)


def check_alpha(value: object, layers: int) -> tuple[float, ...]:
    """Return one alpha for each layer of weights; a single number is used for all of them."""
    if not isinstance(value, tuple):
        return (check_number("alpha", value, _ALPHA),) * layers
    if len(value) != layers:
        raise ValueError(
            f"alpha must be a number or a tuple with one per layer of weights ({layers}), "
            f"got {shown(value)}"
        )
    return tuple(check_number(f"alpha[{k}]", rate, _ALPHA) for k, rate in enumerate(value))


def check_alphas(axis: Sequence[Any], layers: int) -> FloatArray:
    """Return `check_alpha` of all values of an axis, vectorized if there are several."""
    if len(axis) == 1:
        return np.array([check_alpha(axis[0], layers)])
    per_layer = set(map(type, axis)) == {tuple} and set(map(len, axis)) == {layers}
    rates = floats(list(chain.from_iterable(axis)) if per_layer else axis)
    if rates is None or not _ALPHA.holds(rates).all():
        return np.array([check_alpha(value, layers) for value in axis])
    return rates.reshape(-1, layers) if per_layer else np.repeat(rates[:, None], layers, axis=1)
