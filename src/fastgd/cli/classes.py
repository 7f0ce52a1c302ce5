"""Classes by their labels: their names, and one-hot targets."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.targets import MOST_CLASSES
from fastgd.checks.formatting import first_names, many
from fastgd.checks.messages import did_you_mean, shown


def classes_of(target: str, labels: Sequence[str]) -> list[str]:
    """The classes in order: numeric if all labels are whole numbers, else alphabetic.

    Examples
    --------
    >>> classes_of("y", ["10", "9", "9.0"])
    ['9', '10']
    """
    numbers = [_number(label) for label in labels]
    if None in numbers:
        found = sorted(set(labels))
    else:
        for label, number in zip(labels, numbers, strict=True):
            if not number.is_integer():  # type: ignore[union-attr]
                raise ValueError(
                    f"--target {target} must be labels or whole numbers with --output softmax, "
                    f"got {label}"
                )
        found = [f"{number:.0f}" for number in sorted(set(numbers))]  # type: ignore[type-var]
    if not 2 <= len(found) <= MOST_CLASSES:
        raise ValueError(
            f"--target {target} must have 2 to {many(MOST_CLASSES, 'class')} with --output softmax,"
            f" got {len(found):,}"
        )
    return found


def one_hot(
    labels: Sequence[str], classes: Sequence[str], where: str = "", of: Path | None = None
) -> NDArray[np.float64]:
    """One-hot targets, (samples, classes). Labels that are not in ``classes`` are rejected."""
    places = {name: place for place, name in enumerate(classes)}
    y = np.zeros((len(labels), len(classes)))
    for row, label in enumerate(labels):
        number = _number(label)
        name = label if number is None or label in places else f"{number:.0f}"
        if name not in places:
            raise ValueError(
                f"{where}: {shown(label)} is not among the classes of {of}, "
                f"{first_names(list(classes))}{did_you_mean(label, classes)}"
            )
        y[row, places[name]] = 1.0
    return y


def _number(label: str) -> float | None:
    try:
        number = float(label)
    except ValueError:
        return None
    return number if isfinite(number) and "_" not in label else None
