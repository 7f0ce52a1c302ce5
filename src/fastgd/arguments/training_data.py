"""What all runs of a call share: samples, maybe a validation set and subsets, and counts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.samples import check_samples, classes_apart
from fastgd.arguments.subsets import Part, Partition
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, check_count, check_sample_weight, numbers_of, reals_of


class Validation(NamedTuple):
    """A validation set, with its sample weights."""

    X: FloatArray  # (samples, inputs)
    y: FloatArray  # (samples, outputs)
    weight: FloatArray | None  # (samples,)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What all runs share: checked samples and counts."""

    X: FloatArray
    y: FloatArray
    iterations: int
    record_every: int
    validation: Validation | None = None
    partition: Partition | None = None
    done: int = 0
    """Iterations that were already done before a resumed training."""
    gradients: FloatArray | None = None
    """(samples, outputs, inputs) the derivatives to learn, NaN where one is unknown."""

    @classmethod
    def check(
        cls,
        X: object,
        y: object,
        iterations: object,
        record_every: object,
        given: Mapping[str, Any] = MappingProxyType({}),
        validation: object = None,
        done: int = 0,
        gradients: object = None,
    ) -> "TrainingData":
        """Check the arguments that all runs share; ``given`` are the options.

        ``iterations`` are in addition to those already ``done``.
        """
        inputs, outputs = check_samples(X, y, given)
        more = check_count("iterations", iterations)
        every = check_count("record_every", record_every)
        held = check_validation(validation, inputs.shape[1], outputs.shape[1], given)
        slopes = check_gradients(gradients, inputs, outputs)
        return cls(inputs, outputs, done + more, every, held, None, done, slopes)

    @property
    def samples(self) -> dict[str, FloatArray]:
        """All arrays of samples, by name."""
        held = {} if self.validation is None else self.validation._asdict()
        found = {"X": self.X, "y": self.y, "gradients": self.gradients}
        found |= {f"validation_{name}": array for name, array in held.items()}
        return {name: array for name, array in found.items() if array is not None}

    def of(self, part: Part) -> "TrainingData":
        """The same for the samples of one subset."""
        held, gradients = self.validation, self.gradients
        if part.held is not None:
            held = Validation(self.X[part.held], self.y[part.held], part.held_weight)
        return replace(
            self,
            X=self.X[part.rows],
            y=self.y[part.rows],
            gradients=None if gradients is None else gradients[part.rows],
            validation=held,
            partition=None,
        )

    @property
    def holds_out(self) -> bool:
        """Whether there are validation samples."""
        return self.validation is not None or (
            self.partition is not None and self.partition.held is not None
        )

    @property
    def records(self) -> int:
        """Number of recorded errors, not counting the final one."""
        return -(-self.iterations // self.record_every)

    @property
    def recorded(self) -> NDArray[np.int64]:
        """The iterations whose errors are recorded."""
        return np.arange(self.records) * self.record_every


def check_gradients(value: Any, X: FloatArray, y: FloatArray) -> FloatArray | None:
    """Return derivatives of targets by inputs, (samples, outputs, inputs), or None.

    NaN or pandas' NA stands for an unknown one; for a single output they may be (samples, inputs).
    """
    if value is None:
        return None
    shape = (len(X), y.shape[1], X.shape[1])
    if hasattr(value, "convert_dtypes") and all(t.kind in "biuf" for t in np.ravel(value.dtypes)):
        value = value.to_numpy(dtype=np.float64, na_value=np.nan)  # from pandas, with its own NA
    with np.errstate(over="ignore"):  # of a longdouble: it becomes infinite
        array = reals_of("gradients", value)
    if array.shape != shape and not (shape[1] == 1 and array.shape == (shape[0], shape[2])):
        or_flat = f" or {shape[::2]}" if shape[1] == 1 else ""
        raise ValueError(
            f"gradients must have shape {shape}{or_flat}, a derivative for each sample, column of "
            f"y and column of X, got shape {array.shape}"
        )
    array = array.reshape(shape)
    if (unknown := np.isnan(array)).any():  # of one kind: NaN have signs, 0/0 has one on x86
        array = np.where(unknown, np.nan, array)
    if np.isinf(array).any():
        at = [int(i) for i in np.argwhere(np.isinf(array))[0]]
        raise ValueError(
            f"gradients must be finite, or NaN where unknown, got {array[tuple(at)]} at {at}"
        )
    return array


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
