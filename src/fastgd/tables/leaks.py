"""Columns that explain the target alone: perhaps they are known only after it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.tables.column_values import FloatArray, correlation
from fastgd.tables.columns import StringColumn
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import ClassTarget, Target

FEWEST_ROWS, FEWEST_OF_CLASS = 20, 5
"""With fewer rows, or fewer rows of a class, a column may explain the target by chance."""

SHARE = 0.5
"""Fraction of the rows in which a column must be known: in fewer, it can't explain most rows."""

MOST = 0.999
"""The square of a correlation above which a column explains a number."""


def leaks(
    preparation: Preparation, columns: Mapping[str, Any], target: Target, y: FloatArray
) -> list[str]:
    """Name the columns that explain almost all of the target, one line each.

    ``y`` are the encoded targets, (rows, outputs). Numbers explain a number if they or their ranks
    are correlated with it, and classes if these are separate in the order of the numbers. Strings
    explain classes if all rows of a string have the same class. A column that is known in at least
    half of the rows need only explain these. Any column explains classes if it is missing in all
    rows of some and in no others.
    """
    of_classes = isinstance(target, ClassTarget)
    wanted, share = (y.argmax(axis=1), "all") if of_classes else (y[:, 0], "over 99.9 %")
    lines, rows = [], len(y)
    for column, numbers in zip(preparation.columns, preparation.numbers(columns).T, strict=True):
        known = ~np.isnan(numbers)
        pair, count = (numbers[known], wanted[known]), int(known.sum())
        is_text = isinstance(column, StringColumn)
        by_gaps = of_classes and _separates(known, wanted, is_text=True)
        if of_classes:
            by_values = _separates(*pair, is_text=is_text)
        else:
            by_values = not is_text and count >= FEWEST_ROWS and _is_correlated(*pair)
        if by_gaps or (by_values and count >= SHARE * rows):
            is_whole = by_gaps or count == rows
            where = "" if is_whole else f" in the {count:,} of {rows:,} rows with a value"
            what = f"{share} of {target.name}{where}: is it known before {target.name}?"
            lines.append(f"{column.name}: alone it explains {what}")
    return lines


def _is_correlated(numbers: FloatArray, wanted: FloatArray) -> bool:
    pairs = (numbers, wanted), (_ranks(numbers), _ranks(wanted))
    return any(correlation(*pair) ** 2 > MOST for pair in pairs)


def _ranks(numbers: FloatArray) -> FloatArray:
    """The rank of each number; equal ones have their mean rank."""
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - counts / 2)[places])


def _separates(numbers: NDArray[Any], classes: NDArray[Any], *, is_text: bool) -> bool:
    found, places = np.unique(numbers, return_inverse=True)
    counts = np.unique(classes, return_counts=True)[1]
    if len(numbers) < FEWEST_ROWS or len(counts) < 2 or counts.min() < FEWEST_OF_CLASS:
        return False
    lowest = np.full(len(found), classes.max())
    np.minimum.at(lowest, places, classes)
    if (lowest[places] != classes).any():  # rows of one number have two classes
        return False
    if is_text:
        return 2 * len(found) <= len(numbers)
    return int(np.count_nonzero(np.diff(lowest))) == len(counts) - 1
