"""Checks that the targets suit the loss and the output units: classes, probabilities, counts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.axes import as_axis
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.samples import check_data
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import either, shown
from fastgd.checks.numbers import FloatArray
from fastgd.formulas.custom import Function, Loss
from fastgd.formulas.named import OUTPUTS, loss_of

MOST_CLASSES = 10_000
"""The most classes; a larger class number is probably a mistake."""


def classes_apart(
    given: Mapping[str, Any], y: FloatArray, classes: int | None = None, name: str = "y"
) -> FloatArray:
    """Return class numbers as one-hot targets (samples, classes), and other targets unchanged.

    A single column holds class numbers if all output units are softmax. ``classes`` is the number
    of classes if it is known already: then all class numbers must be below it. ``name`` is the name
    of the targets in messages.

    Examples
    --------
    >>> classes_apart({"output": "softmax"}, np.array([[0.0], [2.0]]))
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    chosen = _chosen("output", given)
    if y.shape[1] != 1 or not all(isinstance(unit, str) and unit == "softmax" for unit in chosen):
        return y
    numbers = y[:, 0]
    most = MOST_CLASSES if classes is None else classes
    wrong = (numbers != np.floor(numbers)) | (numbers < 0) | (numbers >= most)
    if wrong.any():
        at = int(wrong.argmax())
        raise ValueError(
            f"{name} must be class numbers from 0, or one-hot, with output='softmax'"
            f"{'' if classes is None else f', and below {classes} as in the training samples'}, "
            f"got {numbers[at]:g} at {at}"
        )
    found = int(numbers.max()) + 1 if classes is None else classes
    if found < 2:
        raise ValueError("y must have at least 2 classes with output='softmax', got one")
    return one_hot(numbers, found)


def one_hot(numbers: NDArray[Any], classes: int) -> FloatArray:
    """Return one-hot targets (samples, classes) for class numbers (samples,).

    Raises
    ------
    ValueError
        If the targets don't fit into memory.
    """
    # For these targets, and for the outputs and deltas of the same shape in the kernel.
    check_memory(24 * len(numbers) * classes, f"targets of {classes:,} classes, one-hot,")
    targets = np.zeros((len(numbers), classes))
    targets[np.arange(len(numbers)), numbers.astype(np.int64)] = 1.0
    return targets


def balanced_factors(numbers: NDArray[np.int64], weights: FloatArray, classes: int) -> FloatArray:
    """Return the factor of each class that gives all classes the same sum of weights.

    It is scikit-learn's "balanced", for rows of class numbers (samples,) that have these weights;
    0 for a class without any.

    Examples
    --------
    >>> balanced_factors(np.array([0, 0, 1]), np.array([1.0, 1.0, 6.0]), 2)
    array([2.        , 0.66666667])
    """
    total = np.bincount(numbers, weights, minlength=classes)
    present = total > 0
    factors = np.zeros(classes)
    # Not weights.sum(), which adds in an order of NumPy's.
    factors[present] = np.cumsum(total)[-1] / (present.sum() * total[present])
    return factors


def check_samples(
    X: object, y: object, given: Mapping[str, Any], classes: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return X as (samples, inputs) and y as (samples, outputs); ``given`` are the options.

    ``classes`` is the number of classes if it is known already.
    """
    inputs, outputs = check_data(X, y)
    return inputs, classes_apart(given, outputs, classes)


def outputs_to_start(given: Mapping[str, Any], y: FloatArray, weights: object) -> int:
    """Return the number of output units; if there are weights, all losses must need the same."""
    kind = DECLARED["loss"].kind
    found = {outputs_of(kind.check("loss", value, len(y)), y) for value in _chosen("loss", given)}
    if weights is not None and len(found) > 1:
        raise ValueError(
            "weights must be left out if the losses need different numbers of outputs, "
            f"got {either(map(str, sorted(found)))}"
        )
    return found.pop()


def _chosen(option: str, given: Mapping[str, Any]) -> list[Any]:
    """Return the values of an axis, or the single value; invalid ones are rejected elsewhere."""
    value = given.get(option, DECLARED[option].default)
    try:
        return as_axis(option, value) or [value]
    except (TypeError, ValueError):
        return [value]


def outputs_of(loss: str | Loss, y: FloatArray) -> int:
    """Return the number of output units for these targets."""
    return int(y.shape[1]) * loss_of(loss).units


def check_outputs(output: str | Function, loss: str | Loss, y: FloatArray) -> None:
    """Reject output units and targets that don't suit the loss."""
    known = loss_of(loss)
    with_loss = f"with loss={loss!r}"
    if output == "softmax":
        if loss != "cross_entropy":
            raise ValueError(f"loss must be 'cross_entropy' with output='softmax', got {loss!r}")
        _check_one_hot(y)
    elif known.of_probabilities:
        _check_probabilities(output, y, with_loss)
    elif known.outputs and isinstance(output, str) and output not in known.outputs:
        raise ValueError(
            f"output must be {either(map(repr, known.outputs))} {with_loss}, got {output!r}"
        )
    if known.least_target > -np.inf and (y < known.least_target).any():
        at = [int(i) for i in np.unravel_index(int(y.argmin()), y.shape)]
        raise ValueError(
            f"y must be at least {known.least_target:g} {with_loss}, got {y.min():g} at {at}"
        )


def _check_one_hot(y: FloatArray) -> None:
    if y.shape[1] < 2:
        raise ValueError(
            "y must be class numbers or have a column for each of at least 2 classes with "
            f"output='softmax', got {y.shape[1]} column"
        )
    wrong = (np.abs(y.sum(axis=1) - 1.0) > 1e-9) | (y < 0).any(axis=1)
    if wrong.any():
        at = int(wrong.argmax())
        raise ValueError(
            "y must have rows of probabilities that add up to 1 with output='softmax', "
            f"got {shown(y[at].tolist())} at {at}"
        )


def _check_probabilities(output: str | Function, y: FloatArray, with_loss: str) -> None:
    possible = [name for name, unit in OUTPUTS.items() if unit.is_probability]
    if output not in possible:
        raise ValueError(
            f"output must be {either(map(repr, [*possible, 'softmax']))} {with_loss}, "
            f"got {output!r}"
        )
    assert isinstance(output, str)
    low, high = OUTPUTS[output].reach
    inside = (low <= y) & (y <= high)
    if not inside.all():
        at = [int(i) for i in np.unravel_index(int(inside.argmin()), y.shape)]
        raise ValueError(
            f"y must be from {low:g} to {high:g} {with_loss} and output={output!r}, "
            f"got {y[tuple(at)]} at {at}"
        )
