"""The same training in plain NumPy, as the article writes it: slow, readable, the oracle."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd import checks
from fastgd.memory import check_memory
from fastgd.network import Weights, count_parameters, first_weights, layer_sizes
from fastgd.results import Run

FloatArray = NDArray[np.float64]


def train(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    alpha: float | tuple[float, ...] = 1.0,
    iterations: int = 60_000,
    record_every: int = 10_000,
    seed: int = 1,
    weights: Sequence[ArrayLike] | None = None,
) -> Run:
    """Train one network by full-batch gradient descent, counting direction changes.

    The listing under "Let's Take a Closer Look" (part 5 of the article), for any number of layers:
    `fastgd.train` does the same in compiled code, and rounds differently in the last digits.

    Parameters
    ----------
    X : (samples, inputs) array_like
        Finite numbers.
    y : (samples,) or (samples, outputs) array_like
        Targets.
    hidden_size : int or tuple of int
        Units of the hidden layer, or of each of several; ``()`` for no hidden layer.
    alpha : float or tuple of float
        Learning rate, above 0; a tuple has one per layer of weights.
    iterations : int
        Updates.
    record_every : int
        The error is recorded before the update of iterations 0, record_every, 2 * record_every, ...
    seed : int
        Seed of the first weights, in [0, 2**32).
    weights : sequence of (inputs, outputs) arrays, optional
        First weights to use instead; they also say how many hidden units there are.

    Returns
    -------
    Run

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.

    Examples
    --------
    >>> from fastgd import reference
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = reference.train(X, y, alpha=10, iterations=100, record_every=20)
    >>> run.errors.round(6).tolist()
    [0.49641, 0.365823, 0.168862, 0.086922, 0.064243]
    >>> run.direction_changes[1].ravel().tolist()
    [22, 15, 4, 15]
    """
    X, y = checks.check_data(X, y)
    iterations = checks.check_count("iterations", iterations)
    record_every = checks.check_count("record_every", record_every)
    hidden, given = checks.check_start(hidden_size, weights, X.shape[1], y.shape[1])
    sizes = layer_sizes(X.shape[1], hidden, y.shape[1])
    rates = checks.check_alpha(alpha, len(sizes) - 1)
    seed = checks.check_seed(seed)
    needed = _bytes(sizes, len(X), -(-iterations // record_every))
    check_memory(needed, "the training")

    synapses = given or first_weights(sizes, seed)
    direction_counts = tuple(np.zeros(synapse.shape, np.int64) for synapse in synapses)
    prev_weight_updates: list[FloatArray] = []
    errors = []
    diverged_after: int | None = None
    with np.errstate(all="ignore"):
        for j in range(iterations):
            layers = _feed_forward(X, synapses)
            error = y - layers[-1]
            if j % record_every == 0:
                errors.append(np.mean(np.abs(error)))
            weight_updates = _weight_updates(layers, synapses, error)
            for k, update in enumerate(weight_updates):
                if j > 0:
                    direction_counts[k][:] += (update > 0) != (prev_weight_updates[k] > 0)
                synapses[k][:] += rates[k] * update
            prev_weight_updates = weight_updates
            if diverged_after is None and not all(np.isfinite(s).all() for s in synapses):
                diverged_after = j + 1
        final_error = float(np.mean(np.abs(y - _feed_forward(X, synapses)[-1])))

    return Run(
        alpha=rates if isinstance(alpha, tuple) else rates[0],
        hidden_size=hidden,
        seed=None if given else seed,
        errors=np.array(errors),
        recorded=np.arange(len(errors)) * record_every,
        weights=synapses,
        direction_changes=direction_counts,
        final_error=final_error,
        status="finished" if diverged_after is None else "diverged",
        iterations=iterations if diverged_after is None else diverged_after,
    )


def _sigmoid(x: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-x))


def _sigmoid_output_to_derivative(output: FloatArray) -> FloatArray:
    return output * (1 - output)


def _feed_forward(X: FloatArray, synapses: Weights) -> list[FloatArray]:
    """Return the output of every layer, layer 0 being X itself."""
    layers = [X]
    for synapse in synapses:
        layers.append(_sigmoid(np.dot(layers[-1], synapse)))
    return layers


def _weight_updates(
    layers: list[FloatArray], synapses: Weights, error: FloatArray
) -> list[FloatArray]:
    """Return minus the derivative of half the summed squared error, for every synapse."""
    updates = []
    layer_error = error
    for k in reversed(range(len(synapses))):
        layer_delta = layer_error * _sigmoid_output_to_derivative(layers[k + 1])
        updates.append(layers[k].T.dot(layer_delta))
        if k > 0:
            layer_error = layer_delta.dot(synapses[k].T)
    return updates[::-1]


def _bytes(sizes: tuple[int, ...], samples: int, records: int) -> int:
    """Return the memory of a training: weights, updates and counts, layers, records."""
    return 8 * (5 * count_parameters(sizes) + 3 * samples * sum(sizes) + 6 * records)
