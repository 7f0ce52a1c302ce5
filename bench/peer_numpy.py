"""The article's own listing ("Let's Take a Closer Look"), but it records where that prints."""

import numpy as np

from workload import Array, Result, Work


def sigmoid(x: Array) -> Array:
    """Sigmoid nonlinearity."""
    return 1 / (1 + np.exp(-x))


def sigmoid_output_to_derivative(output: Array) -> Array:
    """Slope of the sigmoid at its output."""
    return output * (1 - output)


def train(work: Work) -> Result:
    """Train the runs of a work one after the other; one hidden layer."""
    runs = [
        _listing(work, alpha, synapse_0, synapse_1)
        for alpha, synapse_0, synapse_1 in zip(work.alpha, *work.weights, strict=True)
    ]
    errors, weights, changes = zip(*runs, strict=True)
    by_layer = (
        tuple(np.array(layer) for layer in zip(*part, strict=True)) for part in (weights, changes)
    )
    return Result(np.array(errors), *by_layer)


def _listing(
    work: Work, alpha: float, synapse_0: Array, synapse_1: Array
) -> tuple[list[float], tuple[Array, Array], tuple[Array, Array]]:
    X, y = work.X, work.y
    prev_synapse_0_weight_update = np.zeros_like(synapse_0)
    prev_synapse_1_weight_update = np.zeros_like(synapse_1)
    synapse_0_direction_count = np.zeros_like(synapse_0)
    synapse_1_direction_count = np.zeros_like(synapse_1)
    errors = []
    for j in range(work.iterations):
        layer_0 = X
        layer_1 = sigmoid(np.dot(layer_0, synapse_0))
        layer_2 = sigmoid(np.dot(layer_1, synapse_1))
        layer_2_error = y - layer_2
        if (j % work.record_every) == 0:
            errors.append(float(np.mean(np.abs(layer_2_error))))
        layer_2_delta = layer_2_error * sigmoid_output_to_derivative(layer_2)
        layer_1_error = layer_2_delta.dot(synapse_1.T)
        layer_1_delta = layer_1_error * sigmoid_output_to_derivative(layer_1)
        synapse_1_weight_update = layer_1.T.dot(layer_2_delta)
        synapse_0_weight_update = layer_0.T.dot(layer_1_delta)
        if j > 0:
            synapse_0_direction_count += np.abs(
                ((synapse_0_weight_update > 0) + 0) - ((prev_synapse_0_weight_update > 0) + 0)
            )
            synapse_1_direction_count += np.abs(
                ((synapse_1_weight_update > 0) + 0) - ((prev_synapse_1_weight_update > 0) + 0)
            )
        synapse_1 += alpha * synapse_1_weight_update
        synapse_0 += alpha * synapse_0_weight_update
        prev_synapse_0_weight_update = synapse_0_weight_update
        prev_synapse_1_weight_update = synapse_1_weight_update
    counts = (synapse_0_direction_count, synapse_1_direction_count)
    return errors, (synapse_0, synapse_1), counts
