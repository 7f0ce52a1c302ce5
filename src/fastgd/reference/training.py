"""train(): the loop over the iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastgd.arguments.data import FloatArray, Parts, check_data
from fastgd.arguments.memory import check_memory
from fastgd.arguments.options import Method, Options, check
from fastgd.arguments.start import Start, check_alpha, check_start, check_whole
from fastgd.arguments.values import check_count, check_seed
from fastgd.engine.network import count_weights, first_weights, layer_sizes
from fastgd.reference.layer import Layer
from fastgd.reference.sampling import Adaptive, Batch, Epochs
from fastgd.reference.stopping import Watch
from fastgd.training.results import Run


def train(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    alpha: float | tuple[float, ...] = 1.0,
    iterations: int = 60_000,
    record_every: int = 10_000,
    seed: int = 1,
    weights: Start | None = None,
    biases: Sequence[ArrayLike] | None = None,
    **options: Unpack[Options],
) -> Run:
    """Train one network by gradient descent, counting direction changes.

    Without options it is the listing under "Let's Take a Closer Look" (part 5 of the article), for
    any number of layers. `fastgd.train` does the same in compiled code, and rounds differently in
    the last digits.

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
        Seed of the first weights and of what is random later, in [0, 2**32).
    weights : Run, or sequence of (inputs, outputs) arrays, optional
        The network to start from instead; it also says how many hidden units there are. A run
        brings its biases and all of its batch normalization along, as in `fastgd.train`.
    biases : sequence of (outputs,) arrays, optional
        The biases that belong to ``weights`` where these are arrays, with ``bias=True``.
    **options
        Everything else that `fastgd.train` takes, see :class:`fastgd.arguments.options.Options`.

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
    X, y = check_data(X, y)
    iterations = check_count("iterations", iterations)
    record_every = check_count("record_every", record_every)
    hidden, given = check_start(hidden_size, weights, X.shape[1], y.shape[1], biases)
    sizes = layer_sizes(X.shape[1], hidden, y.shape[1])
    rates = check_alpha(alpha, len(sizes) - 1)
    seed = check_seed(seed)
    method = check(options, X, y, hidden)
    if given:
        check_whole(given, bias=method.bias, batch_norm=method.batch_norm)
    records = -(-iterations // record_every)
    check_memory(_bytes(sizes, len(X), records, iterations, method), "the training")

    start = given or Parts(first_weights(sizes, seed))
    layers = [
        Layer(
            weights,
            k,
            rates[k],
            method,
            is_output=k == len(hidden),
            bias=start.biases[k] if start.biases else None,
            normalization=start.normalization[k] if k < len(start.normalization) else None,
        )
        for k, weights in enumerate(start.weights)
    ]
    parameters = [parameter for layer in layers for parameter in layer.parameters]
    sampler = (
        Adaptive(len(X), method, seed) if method.sampling == "adaptive" else Epochs(len(X), method)
    )
    watch = Watch(method, iterations, sampler.per_epoch)
    errors = np.full(records, np.nan)
    with np.errstate(all="ignore"):
        for j in range(iterations + 1):
            is_recorded = j % record_every == 0 and j < iterations
            if is_recorded or watch.is_due(j) or j == iterations:
                error = _mean_error(y, _measure(layers, X), method.sample_weight)
                if is_recorded:
                    errors[j // record_every] = error
                status = watch.look(j, error) or ("finished" if j == iterations else "")
                if status:
                    break
            batch = sampler.batch(j)
            _propagate(layers, X, y, batch, j, seed)
            if isinstance(sampler, Adaptive):
                sampler.learn(np.sum([layer.squared_norms() for layer in layers], axis=0))
            for parameter in parameters:
                parameter.update()
            if not all(np.isfinite(parameter.value).all() for parameter in parameters):
                status, error, j = "diverged", np.nan, j + 1
                break

    trained = [layer.bias for layer in layers if layer.bias]
    return Run(
        alpha=rates if isinstance(alpha, tuple) else rates[0],
        hidden_size=hidden,
        seed=None if given else seed,
        errors=errors,
        recorded=np.arange(records) * record_every,
        weights=tuple(layer.weights.value for layer in layers),
        direction_changes=tuple(layer.weights.direction_changes for layer in layers),
        final_error=float(error),
        status=status,
        iterations=j,
        biases=tuple(bias.value for bias in trained),
        bias_direction_changes=tuple(bias.direction_changes for bias in trained),
        normalization=tuple(layer.norm.result() for layer in layers if layer.norm),
        summary=watch.summary(),
        options=method.given,
    )


def _propagate(
    layers: list[Layer], X: FloatArray, y: FloatArray, batch: Batch, j: int, seed: int
) -> None:
    """Forward through all layers and back, leaving each layer with its derivatives."""
    outputs = X[batch.places]
    for layer in layers:
        outputs = layer.forward(outputs, j, seed)
    error = y[batch.places] - outputs
    if batch.weights is not None:
        error = error * batch.weights
    layers[-1].backward(error)
    for layer, after in zip(layers[-2::-1], layers[:0:-1], strict=True):
        layer.backward(after.error_before())


def _measure(layers: list[Layer], X: FloatArray) -> FloatArray:
    """Outputs of the network as predict() uses it."""
    for layer in layers:
        X = layer.measure(X)
    return X


def _mean_error(y: FloatArray, outputs: FloatArray, sample_weight: FloatArray | None) -> float:
    """Mean of the absolute errors, weighted with the samples' weights."""
    error = np.abs(y - outputs)
    if sample_weight is None:
        return float(np.mean(error))
    return float(np.sum(sample_weight[:, None] * error) / (sample_weight.sum() * y.shape[1]))


def _bytes(
    sizes: tuple[int, ...], samples: int, records: int, iterations: int, method: Method
) -> int:
    """Return the memory of a training: parameters, layers of a batch, random words, errors."""
    at_once = samples + (method.batch_size or 0)
    parameters = count_weights(sizes) + 4 * sum(sizes)
    numbers = 7 * parameters + 5 * at_once * sum(sizes)
    if method.dropconnect:
        numbers += 12 * parameters
    if method.dropout:
        numbers += 12 * at_once * max(sizes)
    return 8 * (numbers + 6 * records + 5 * min(method.summary or 0, iterations))
