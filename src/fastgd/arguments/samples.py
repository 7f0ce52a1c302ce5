"""The samples of a training: X and y, a validation set, derivatives, and what suits the targets.

X and y come as lists, arrays or data frames: anything that NumPy reads as real numbers. They leave
as the arrays that compiled code takes, without a copy of those that have the right form already.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.axes import as_axis
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.subsets import Partition, Subset
from fastgd.checks.messages import either, shown, warn
from fastgd.checks.numbers import (
    FloatArray,
    check_count,
    check_memory,
    check_sample_weight,
    check_shape,
    numbers_of,
    reals_of,
    value_at,
)
from fastgd.formulas.named import OUTPUTS, Function, Loss, loss_of, unit_of

MOST_CLASSES = 10_000
"""The most classes; a larger class number is probably a mistake."""

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


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
    schedule_start: int = 0
    """The update at which the schedule began: above 0 if a resuming call gave it anew."""
    total: int = 0
    """All iterations of the training, of which this may be a stretch; 0 if they are the same."""

    @classmethod
    def check(
        cls,
        X: object,
        y: object,
        iterations: object,
        record_every: object,
        given: Mapping[str, Any] = NO_OPTIONS,
        validation: object = None,
        done: int = 0,
        gradients: object = None,
        schedule_start: int = 0,
    ) -> "TrainingData":
        """Check the arguments that all runs share; ``given`` are the options.

        ``iterations`` are in addition to those already ``done``.
        """
        inputs, outputs = check_samples(X, y, given)
        more = check_count("iterations", iterations)
        every = check_count("record_every", record_every)
        held = check_validation(validation, inputs.shape[1], outputs.shape[1], given)
        slopes = check_gradients(gradients, inputs, outputs)
        total = done + more
        return cls(inputs, outputs, total, every, held, None, done, slopes, schedule_start, total)

    @property
    def samples(self) -> dict[str, FloatArray]:
        """All arrays of samples, by name."""
        held = {} if self.validation is None else self.validation._asdict()
        found = {"X": self.X, "y": self.y, "gradients": self.gradients}
        found |= {f"validation_{name}": array for name, array in held.items()}
        return {name: array for name, array in found.items() if array is not None}

    def of(self, part: Subset) -> "TrainingData":
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
    def updates(self) -> int:
        """Number of updates, without those that were done before."""
        return self.iterations - self.done

    @property
    def records(self) -> int:
        """Number of recorded errors, not counting the final one."""
        return -(-self.iterations // self.record_every)

    @property
    def recorded(self) -> NDArray[np.int64]:
        """The iterations whose errors are recorded."""
        return np.arange(self.records) * self.record_every


def check_samples(
    X: object, y: object, given: Mapping[str, Any] = NO_OPTIONS, classes: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return X as (samples, inputs) and y as (samples, outputs), C-contiguous and writeable.

    ``given`` are the options; with softmax outputs class numbers become one-hot, of ``classes`` if
    that is known already. An array in the right form is not copied: it may be the caller's own.
    """
    inputs = numbers_of("X", X)
    if inputs.ndim != 2:
        _refuse_dimensions(inputs)
    outputs = numbers_of("y", y)
    if outputs.ndim == 1:
        outputs = outputs.reshape(-1, 1)
    if outputs.ndim != 2:
        raise ValueError(
            f"y must have shape (samples,) or (samples, outputs), got shape {outputs.shape}"
        )
    if len(inputs) != len(outputs):
        raise ValueError(
            f"X and y must have the same number of samples, got {len(inputs)} and {len(outputs)}"
        )
    return inputs, classes_apart(given, outputs, classes)


def check_inputs(X: object, inputs: int) -> FloatArray:
    """Return X as (samples, inputs), for a network with `inputs` inputs; see `check_samples`."""
    array = numbers_of("X", X)
    if array.ndim != 2:
        _refuse_dimensions(array, inputs)
    if array.shape[1] != inputs:
        raise ValueError(
            f"X must have one column for each input of the network ({inputs}), "
            f"got shape {array.shape}"
        )
    return array


def _refuse_dimensions(X: FloatArray, inputs: int = 1) -> None:
    is_sample = X.shape == (inputs,) and inputs > 1
    of = "(1, -1) for one sample" if is_sample else "(-1, 1) for one input"
    hint = f": use X.reshape{of}" if X.ndim == 1 else ""
    check_shape("X", X, ("samples", "inputs"), hint=hint)


def check_validation(
    value: object,
    inputs: int,
    outputs: int,
    given: Mapping[str, Any] = NO_OPTIONS,
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
    check_shape("validation[0]", X, ("samples", inputs), "the columns of X")
    y = numbers_of("validation[1]", value[1])
    if y.ndim == 1:
        y = y.reshape(-1, 1)
    if y.ndim == 2 and outputs > 1:
        y = classes_apart(given, y, outputs, "validation[1]")
    check_shape("validation[1]", y, ("samples", outputs), "the columns of y")
    if len(X) != len(y):
        raise ValueError(
            f"validation must have X and y of the same number of samples, got {len(X)} and {len(y)}"
        )
    weight = value[2] if len(value) == 3 else None
    return Validation(X, y, check_sample_weight(weight, len(X), "validation[2]", "validation[0]"))


def check_gradients(value: Any, X: FloatArray, y: FloatArray) -> FloatArray | None:
    """Return derivatives of targets by inputs, (samples, outputs, inputs), or None.

    NaN, or a missing cell of a table, stands for an unknown one; for a single output they may be
    (samples, inputs).
    """
    if value is None:
        return None
    shape = (len(X), y.shape[1], X.shape[1])
    with np.errstate(over="ignore"):  # of a longdouble: it becomes infinite
        array = reals_of("gradients", value).copy()
    if array.shape != shape and not (shape[1] == 1 and array.shape == (shape[0], shape[2])):
        or_flat = f" or {shape[::2]}" if shape[1] == 1 else ""
        raise ValueError(
            f"gradients must have shape {shape}{or_flat}, a derivative for each sample, column of "
            f"y and column of X, got shape {array.shape}"
        )
    array = array.reshape(shape)
    if (unknown := np.isnan(array)).any():  # of one kind: NaN have signs, 0/0 has one on x86
        array = np.where(unknown, np.nan, array)
    if (infinite := np.isinf(array)).any():
        raise ValueError(
            "gradients must be finite, or NaN where unknown, "
            f"got {value_at(array, infinite.argmax())}"
        )
    return array


# ---------------------------------------------------- targets, outputs and losses


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
    if y.shape[1] != 1 or any(not isinstance(unit, str) or unit != "softmax" for unit in chosen):
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


def _chosen(option: str, given: Mapping[str, Any]) -> list[Any]:
    """Return the values of an axis, or the single value; invalid ones are rejected elsewhere."""
    if option not in given:
        return [DECLARED[option].default]
    try:
        return as_axis(option, given[option]) or [given[option]]
    except (TypeError, ValueError):
        return [given[option]]


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


def outputs_to_start(given: Mapping[str, Any], y: FloatArray, weights: object) -> int:
    """Return the number of output units; if there are weights, all losses must need the same."""
    default, kind = DECLARED["loss"].default, DECLARED["loss"].kind
    found = {
        outputs_of(loss if loss is default else kind.check("loss", loss, len(y)), y)
        for loss in _chosen("loss", given)
    }
    if weights is not None and len(found) > 1:
        raise ValueError(
            "weights must be left out if the losses need different numbers of outputs, "
            f"got {either(map(str, sorted(found)))}"
        )
    return found.pop()


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
    elif known.of_probabilities:
        possible = [name for name, unit in OUTPUTS.items() if unit.is_probability]
        if not isinstance(output, str) or output not in possible:
            raise ValueError(
                f"output must be {either(map(repr, [*possible, 'softmax']))} {with_loss}, "
                f"got {output!r}"
            )
        low, high = OUTPUTS[output].reach
        inside = (low <= y) & (y <= high)
        if not inside.all():
            raise ValueError(
                f"y must be from {low:g} to {high:g} {with_loss} and output={output!r}, "
                f"got {value_at(y, inside.argmin())}"
            )
    elif known.outputs and isinstance(output, str) and output not in known.outputs:
        raise ValueError(
            f"output must be {either(map(repr, known.outputs))} {with_loss}, got {output!r}"
        )
    if known.least_target > -np.inf and (y < known.least_target).any():
        raise ValueError(
            f"y must be at least {known.least_target:g} {with_loss}, "
            f"got {value_at(y, y.argmin(), 'g')}"
        )


def unreached(output: str | Function, y: FloatArray) -> list[int]:
    """Return the columns of y with targets outside the range of these output units."""
    low, high = unit_of(output).reach
    if low <= y.min() and y.max() <= high:
        return []
    return np.flatnonzero((y.min(axis=0) < low) | (y.max(axis=0) > high)).tolist()


def unreached_text(output: str | Function, names: str) -> str:
    """Return a sentence about these columns."""
    low, high = unit_of(output).reach
    return f"{names} has values outside {low:g} to {high:g}, which a {output} never reaches"


def warn_of_targets(outputs: Iterable[str | Function], y: FloatArray) -> None:
    """Warn about targets outside the range of the output units, for each kind of unit."""
    for output in sorted(set(outputs), key=str):
        columns = unreached(output, y)
        if columns:
            one = y.shape[1] == 1
            names = "y" if one else f"y[:, {columns[0] if len(columns) == 1 else columns}]"
            warn(f'{unreached_text(output, names)}: output="identity" would')
