"""Checks of a validation set: samples that a training is evaluated on, not trained on."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from fastgd.arguments.data import FloatArray, check_sample_weight, numbers_of
from fastgd.arguments.targets import classes_apart
from fastgd.checks.messages import shown


class Validation(NamedTuple):
    """A validation set, with its sample weights."""

    X: FloatArray  # (samples, inputs)
    y: FloatArray  # (samples, outputs)
    weight: FloatArray | None  # (samples,)


def check_validation(
    value: object,
    inputs: int,
    outputs: int,
    given: Mapping[str, Any] = MappingProxyType({}),
) -> Validation | None:
    """Return (X, y) or (X, y, weights) with `inputs` and `outputs` columns, or None.

    ``given`` are the options.
    """
    if value is None:
        return None
    if not isinstance(value, (tuple, list)) or len(value) not in (2, 3):
        raise TypeError(
            f"validation must be a tuple (X, y) or (X, y, sample_weight), got {shown(value)}"
        )
    X = numbers_of("validation[0]", value[0])
    if X.ndim != 2 or X.shape[1] != inputs:
        raise ValueError(
            f"validation[0] must have shape (samples, {inputs}), the columns of X, "
            f"got shape {X.shape}"
        )
    y = numbers_of("validation[1]", value[1])
    if y.ndim == 1:
        y = y.reshape(-1, 1)
    if y.ndim == 2 and outputs > 1:
        y = classes_apart(given, y, outputs, "validation[1]")
    if y.ndim != 2 or y.shape[1] != outputs:
        raise ValueError(
            f"validation[1] must have shape (samples, {outputs}), the columns of y, "
            f"got shape {y.shape}"
        )
    if len(X) != len(y):
        raise ValueError(
            f"validation must have X and y of the same number of samples, got {len(X)} and {len(y)}"
        )
    weight = value[2] if len(value) == 3 else None
    return Validation(X, y, check_sample_weight(weight, len(X), "validation[2]", "validation[0]"))
