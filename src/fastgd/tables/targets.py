"""The column to predict, as outputs of a network; and which other columns explain it alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.samples import MOST_CLASSES, one_hot
from fastgd.checks.messages import did_you_mean, many, shown
from fastgd.checks.numbers import FloatArray
from fastgd.tables.column_values import (
    DURATION,
    Cells,
    cells_of,
    correlation,
    moments,
    text_of,
    texts_shown,
)
from fastgd.tables.columns import StringColumn, from_fields, to_fields
from fastgd.tables.notations import (
    almost_numbers,
    amount_of,
    dates_in,
    notation_text,
    numbers_like,
    numbers_written,
)
from fastgd.tables.preparation import Preparation

Labels = Literal["texts", "booleans", "numbers"]

MAX_CLASSES = 100
"""A target of more classes than this was probably not meant as one."""

FEW = 10
"""A target of at most this number of whole numbers may have been meant as classes."""


@dataclass(frozen=True)
class NumberTarget:
    """A numeric target, standardized.

    Examples
    --------
    >>> target = NumberTarget.learn("price", [1, 3])
    >>> target.encode([1, 3])
    array([[-1.],
           [ 1.]])
    >>> target.decode(np.array([[0.0], [2.0]]))
    array([2., 4.])
    """

    name: str
    mean: float
    scale: float
    notation: str = ""  # of amounts: $, km
    decimal: str = ""  # the decimal sign of strings; empty if the target held plain numbers

    @classmethod
    def learn(cls, name: str, values: ArrayLike | Cells) -> NumberTarget:
        """Learn mean and standard deviation of these numbers, none of them missing."""
        cells = numbers_written(name, values)
        plain = cls(name, 0.0, 1.0, cells.notation, cells.decimal)
        mean, scale = moments(name, plain.encode(cells)[:, 0])
        return replace(plain, mean=mean, scale=scale)

    def encode(self, values: ArrayLike | Cells) -> FloatArray:
        """Return the standardized targets, (rows, 1)."""
        cells, rule = _whole(self.name, values), f"target {shown(self.name)} must be numbers"
        numbers = numbers_like(self.name, cells, self.notation, self.decimal, rule)
        return np.asarray((numbers[:, None] - self.mean) / self.scale)

    def decode(self, outputs: FloatArray) -> FloatArray:
        """Return (rows,) numbers in the target's unit."""
        return np.asarray(outputs[:, 0] * self.scale + self.mean)

    @property
    def note(self) -> str:
        """A description in one line."""
        written = f"numbers with {self.notation}" if self.notation else "numbers"
        written = "durations in days" if self.notation == DURATION else written
        facts = f"mean {self.mean:g} and deviation {self.scale:g}"
        return f"{self.name}: {written} to predict, with {facts}"


@dataclass(frozen=True)
class ClassTarget:
    """A target with classes, one-hot encoded: each output is the probability of a class.

    Examples
    --------
    >>> target = ClassTarget.learn("species", ["cat", "dog", "cat"])
    >>> target.encode(["dog", "cat"])
    array([[0., 1.],
           [1., 0.]])
    >>> target.decode(np.array([[0.9, 0.1], [0.2, 0.8]]))
    array(['cat', 'dog'], dtype='<U3')
    """

    name: str
    classes: tuple[str, ...]
    labels: Labels = "texts"

    @classmethod
    def learn(cls, name: str, values: ArrayLike | Cells) -> ClassTarget:
        """Learn the classes of these labels, none of them missing, in sorted order."""
        cells = _labels(name, values)
        kind = _kind_of_labels(name, cells)
        found = set(cells.values.tolist())
        if not 2 <= len(found) <= MOST_CLASSES:
            count = "at least 2 classes" if len(found) < 2 else f"at most {MOST_CLASSES:,} classes"
            rule = f"target {shown(name)} must have {count}"
            only = f": {shown(text_of(min(found)))}" if len(found) == 1 else ""
            raise ValueError(f"{rule}, got {len(found):,}{only}")
        names = tuple(text_of(label) for label in sorted(found))
        if kind == "booleans" and cells.notation in _CASES:
            names = tuple(map(_CASES[cells.notation], names))
        return cls(name, names, kind)

    def encode(self, values: ArrayLike | Cells) -> FloatArray:
        """Return one-hot encoded targets, (rows, classes); raise ValueError for unknown labels."""
        is_flag = self.labels == "booleans"
        known = {name.title() if is_flag else name: k for k, name in enumerate(self.classes)}
        labels = list(map(str, _labels(self.name, values).texts))
        for row, label in enumerate(labels, start=1):
            if label not in known:
                rule = f"target {shown(self.name)} must be one of {texts_shown(self.classes)}"
                guess = did_you_mean(label, self.classes)
                raise ValueError(f"{rule}, got {shown(label)} in row {row:,}{guess}")
        return one_hot(np.array([known[label] for label in labels]), len(self.classes))

    def decode(self, outputs: FloatArray) -> NDArray[Any]:
        """Return (rows,) labels: of the largest output in each row."""
        if self.labels == "numbers":
            numbers = np.array(list(map(float, self.classes)))
            is_whole = not (numbers % 1).any() and np.abs(numbers).max() < 2.0**63
            labels = numbers.astype(np.int64) if is_whole else numbers
        elif self.labels == "booleans":
            labels = np.array([name.title() == "True" for name in self.classes])
        else:
            labels = np.array(self.classes)
        return np.asarray(labels[outputs.argmax(axis=1)])

    @property
    def note(self) -> str:
        """A description in one line."""
        return f"{self.name}: {len(self.classes)} classes to predict: {texts_shown(self.classes)}"


Target = NumberTarget | ClassTarget

_CASES = {"true": str.lower, "false": str.lower, "TRUE": str.upper, "FALSE": str.upper}
"""How booleans of files are written, if not as those of Python."""

_KINDS: dict[str, type[Target]] = {"number": NumberTarget, "class": ClassTarget}


def learn_target(
    name: str,
    values: ArrayLike | Cells,
    *,
    classification: bool | None = None,
    max_classes: int = MAX_CLASSES,
) -> Target:
    """Learn how a target is encoded: as classes or as numbers.

    Strings, booleans, and numbers that are all 0 or 1 are classes, other numbers are not, unless
    ``classification`` says so. Strings that are all amounts in one notation are numbers. None of
    the (rows,) values may be missing.

    Raises
    ------
    ValueError, TypeError
        If the values can't be encoded so, are all the same, or are too many classes, or classes
        most of which have one row.

    Examples
    --------
    >>> learn_target("won", [0, 1, 1])
    ClassTarget(name='won', classes=('0', '1'), labels='numbers')
    >>> learn_target("price", [1.5, 2.5])
    NumberTarget(name='price', mean=2.0, scale=0.5, notation='', decimal='')
    """
    cells = _whole(name, numbers_written(name, values))
    if classification is None:
        classification = cells.kind != "numbers" or set(cells.values.tolist()) == {0.0, 1.0}
    if classification:
        check_classes(name, cells, max_classes)
        return ClassTarget.learn(name, cells)
    target = NumberTarget.learn(name, cells)
    if not target.encode(cells).any():
        rule = f"target {shown(name)} must have different numbers"
        raise ValueError(f"{rule}, got {target.mean:g} in every row")
    return target


def width_of(target: Target) -> int:
    """Return the number of outputs for a target."""
    return len(target.classes) if isinstance(target, ClassTarget) else 1


def target_to_json(target: Target) -> str:
    """Return a target as JSON."""
    return json.dumps(to_fields(target, _KINDS))


def target_from_json(text: str) -> Target:
    """Restore what :func:`target_to_json` returned; raise ValueError if the text is corrupt."""
    try:
        target: Target = from_fields(json.loads(text), _KINDS)
        if isinstance(target, NumberTarget):
            ours = target.scale > 0
        else:
            numbers = map(float, target.classes) if target.labels == "numbers" else ()
            ours = len(target.classes) >= 2 and all(map(isfinite, numbers))
        if not ours:
            raise ValueError(f"no target: {target}")
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError("the target of the table is corrupt") from error
    return target


def notes_of(target: Target, values: Cells, classification: bool | None = None) -> list[str]:
    """What a target is; how its numbers were written; whether they may have been classes."""
    notes, numbers = [target.note], values.values
    if not isinstance(target, NumberTarget):
        return notes
    if values.written is not None:
        notes.append(f"{target.name}: {notation_text(values)}")
    count, option = len(np.unique(numbers)), "classes? (classification=True, --classification)"
    few = count <= min(FEW, len(numbers) // 2) and not (numbers % 1).any()
    if few and classification is None:
        notes.append(f"{target.name}: only {count} different whole numbers: {option}")
    return notes


def check_classes(
    name: str, cells: Cells, most: int = MAX_CLASSES, otherwise: str = "max_classes"
) -> None:
    """Reject what is rather numbers, names or free text than classes; more need ``otherwise``."""
    _kind_of_labels(name, cells)
    counts = Counter(cells.texts if cells.written is None else cells.written.tolist())
    once = sum(count == 1 for count in counts.values())
    rows, remedy = len(cells.values), "merge them, or clean them if they are numbers"
    if len(counts) > most:
        rule, remedy = f"at most {many(most, 'class')}", f"{remedy}, or allow them by {otherwise}"
    elif len(counts) > 2 and (2 * len(counts) > rows or 2 * once > len(counts)):
        rule = "labels that repeat"
    else:
        return
    if cells.kind == "numbers":
        remedy = "merge them, or predict them without classification=True"
    if cells.kind == "texts" and all(map(amount_of, counts)):
        remedy = "make them numbers in place of strings"
    remedy = almost_numbers(list(map(str, counts))) or remedy
    some = texts_shown(map(shown, sorted(counts, key=counts.__getitem__)[:2]))
    raise ValueError(
        f"target {shown(name)} must have {rule}, got {many(len(counts), 'different one')} in "
        f"{many(rows, 'row')}, such as {some}: {remedy}"
    )


def _kind_of_labels(name: str, cells: Cells) -> Labels:
    if cells.kind == "dates" or dates_in(name, cells):
        rule, got = "must be numbers or classes", f"dates, such as {text_of(cells.values[0])}"
        remedy = "make them numbers, such as elapsed days, the month or hours"
        raise TypeError(f"target {shown(name)} {rule}, got {got}: {remedy}")
    return cells.kind


def _labels(name: str, values: ArrayLike | Cells) -> Cells:
    """The cells as labels: amounts as they were written."""
    cells = _whole(name, values)
    return cells if cells.written is None else Cells("texts", cells.written, cells.missing)


def _whole(name: str, values: ArrayLike | Cells) -> Cells:
    """The cells, none of them missing."""
    cells = cells_of(name, values)
    if not len(cells.values):
        raise ValueError(f"target {shown(name)} must have a row, got none")
    if cells.missing.any():
        rule, row = f"target {shown(name)} must have no missing values", cells.missing.argmax() + 1
        raise ValueError(f"{rule}, got one in row {row:,}")
    return cells


# ---------------------------------------------------------------- columns that explain the target


FEWEST_ROWS, FEWEST_OF_CLASS = 20, 5
"""With fewer rows, or fewer rows of a class, a column may explain the target by chance."""

SHARE = 0.5
"""Fraction of the rows in which a column must be known: in fewer, it can't explain most rows."""

MOST = 0.999
"""The square of a correlation above which a column explains a number."""


def leaks(
    preparation: Preparation, numbers: FloatArray, target: Target, y: FloatArray
) -> list[str]:
    """Name the columns that explain almost all of the target, one line each.

    ``numbers`` are those of :meth:`Preparation.numbers`, (rows, columns), and ``y`` the encoded
    targets, (rows, outputs). Numbers explain a number if they or their ranks are correlated with
    it, and classes if these are separate in the order of the numbers. Strings explain classes if
    all rows of a string have the same class. A column that is known in at least half of the rows
    need only explain these. Any column explains classes if it is missing in all rows of some and in
    no others.
    """
    of_classes = isinstance(target, ClassTarget)
    wanted, share = (y.argmax(axis=1), "all") if of_classes else (y[:, 0], "over 99.9 %")
    lines, rows = [], len(y)
    for column, own in zip(preparation.columns, numbers.T, strict=True):
        known = ~np.isnan(own)
        pair, count = (own[known], wanted[known]), int(known.sum())
        is_text = isinstance(column, StringColumn)
        by_gaps = of_classes and _separates(known, wanted, is_text=True)
        by_values = of_classes and _separates(*pair, is_text=is_text)
        if not of_classes and not is_text and count >= FEWEST_ROWS:
            pairs = pair, map(_ranks, pair)
            by_values = any(correlation(*each) ** 2 > MOST for each in pairs)
        if by_gaps or (by_values and count >= SHARE * rows):
            is_whole = by_gaps or count == rows
            where = "" if is_whole else f" in the {count:,} of {rows:,} rows with a value"
            what = f"{share} of {target.name}{where}: is it known before {target.name}?"
            lines.append(f"{column.name}: alone it explains {what}")
    return lines


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
