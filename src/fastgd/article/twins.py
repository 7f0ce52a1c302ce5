"""Twins of a run, and what their spread says about a published number.

A published number was computed with another `exp`, another BLAS and another order of sums. Some
settings amplify such differences in the last bit until they reach the printed digits. Twins measure
by how much: they are the same run with initial weights that differ only in the last place. Each
published number

- *agrees* if ours, printed with the same number of digits, is equal,
- is *within the spread* of the twins if it lies within three standard deviations of the mean of the
  run and its twins (plus half a unit of its last printed digit, as it is not known more precisely),
- else *differs*.

Three standard deviations are used rather than the smallest and largest value, because the range
grows with the number of twins, so that more of them would excuse more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.engine.network import Network, Weights, flatten

TWINS = 63
"""Twins of each run: 64 runs fill the SIMD lanes of every processor."""

MOVES_SEED = 1
"""Seed of the random choice of the weights that a twin changes."""

EXACT = 17
"""Significant digits that tell any two float64 numbers apart."""

DEVIATIONS = 3
"""Standard deviations from the mean that still count as within the spread."""

ERROR = ".11e"
"""Format of an error: Python 2 printed 12 significant digits."""

WEIGHT = ".8f"
"""Format of a weight: NumPy printed 8 decimals."""

COUNT = "d"
"""Format of a count of direction changes."""


class Mark(StrEnum):
    """How a published number compares with ours."""

    AGREES = "agrees"
    WITHIN = "within the spread"
    DIFFERS = "differs"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Numbers of one run, of its twins and of the article; all arrays have the same shape.

    Attributes
    ----------
    computed : array
    published : array or None
        None if the article does not print them.
    low, high, mean, deviation : array
        Minimum, maximum, mean and standard deviation over the run and its twins.
    digits : array of int
        Significant digits on which the run and its twins agree, from their range relative to their
        largest magnitude: 0 to 16, or `EXACT` if all are bit-identical.
    marks : array of str or None
        A `Mark` for each number; None without published numbers.
    """

    computed: NDArray[Any]
    published: NDArray[Any] | None
    low: NDArray[Any]
    high: NDArray[Any]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    digits: NDArray[np.int64]
    marks: NDArray[np.str_] | None

    @property
    def mark(self) -> Mark | None:
        """The worst of the marks; None without published numbers."""
        return None if self.marks is None else worst(self.marks.ravel())

    def part(self, index: Any) -> "Comparison":
        """Return the comparison of a selection: a row, a column, a single number."""
        arrays: dict[str, Any] = {k: None if a is None else a[index] for k, a in vars(self).items()}
        return Comparison(**arrays)


def compare(values: NDArray[Any], published: ArrayLike | None, form: str) -> Comparison:
    """Compare a run with its twins and with the article's numbers.

    Parameters
    ----------
    values : (1 + twins, ...) array
        The run's numbers first, then those of each twin.
    published : (...) array_like or None
    form : str
        Format in which they were printed: `ERROR`, `WEIGHT` or `COUNT`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the published numbers do not have the shape of the run's.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([0.25, 0.25, 0.26])
    >>> for printed in 0.25, 0.257, 0.5:
    ...     print(compare(values, printed, ERROR).mark)
    agrees
    within the spread
    differs
    """
    low, high = values.min(axis=0), values.max(axis=0)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    printed = marks = None
    if published is not None:
        printed = np.asarray(published)
        if printed.shape != values.shape[1:]:
            raise ValueError(
                f"published numbers must have shape {values.shape[1:]}, got {printed.shape}"
            )
        numbers = (array.ravel() for array in (values[0], printed, mean, deviation))
        each = [_mark(form, *four) for four in zip(*numbers, strict=True)]
        marks = np.array(each, dtype=str).reshape(printed.shape)
    return Comparison(
        values[0], printed, low, high, mean, deviation, _stable_digits(low, high), marks
    )


def _mark(form: str, computed: Any, published: Any, mean: float, deviation: float) -> Mark:
    text = format(published, form)
    if format(computed, form) == text:
        return Mark.AGREES
    half_unit = 0.0 if form == COUNT else 0.5 * 10.0 ** int(Decimal(text).as_tuple().exponent)
    within = abs(published - mean) <= DEVIATIONS * deviation + half_unit
    return Mark.WITHIN if within else Mark.DIFFERS


def _stable_digits(low: NDArray[Any], high: NDArray[Any]) -> NDArray[np.int64]:
    largest = np.maximum(abs(low), abs(high))
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.floor(-np.log10((high - low) / largest))
    # A NaN among the twins leaves no digit; equal numbers (0 / 0) are corrected below.
    digits = np.clip(np.nan_to_num(digits, nan=0.0), 0, EXACT - 1)
    return np.where(low == high, EXACT, digits).astype(np.int64)


def digits_text(digits: int) -> str:
    """Return a number of digits as a string."""
    return "all" if digits == EXACT else str(digits)


def worst(marks: Iterable[str]) -> Mark:
    """Return the worst of at least one mark.

    Examples
    --------
    >>> worst(["agrees", "within the spread", "agrees"]).value
    'within the spread'
    """
    return max(map(Mark, marks), key=list(Mark).index)


def twins(weights: Weights, count: int = TWINS) -> list[Weights]:
    """Copies of initial weights in which weights move by one unit in the last place, or stay.

    A fixed random stream decides whether each weight moves up, down or not at all; no two twins are
    equal.

    Parameters
    ----------
    weights : sequence of (inputs, outputs) arrays
    count : int
        Number of twins; fewer are returned if the network has too few weights for so many.

    Returns
    -------
    list of tuples of (inputs, outputs) arrays

    Examples
    --------
    >>> import numpy as np
    >>> for (twin,) in twins((np.array([[1.0]]),)):
    ...     print(float(twin[0, 0]))
    0.9999999999999999
    1.0000000000000002
    """
    # Moving a single weight is not enough to model another machine's rounding, which affects all:
    # at hidden 32, alpha 10 the last error of all 256 such twins had a standard deviation of
    # 1.5e-6, that of 1,023 twins like these 3.3e-6, and 16 groups of 64 of these gave the same
    # marks.
    row = flatten(weights)
    sizes = (weights[0].shape[0], *(layer.shape[1] for layer in weights))
    moves = np.random.RandomState(MOVES_SEED).choice((-1, 0, 1), (count, len(row)))
    moves = np.unique(moves[moves.any(axis=1)], axis=0)
    network = Network(tuple(sizes))
    return [network.parts(np.nextafter(row, row + move)).weights for move in moves]
