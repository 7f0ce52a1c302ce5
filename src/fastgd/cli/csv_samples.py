"""A CSV file of numbers, read into inputs and targets."""

import os
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.cli.classes import classes_of, one_hot
from fastgd.cli.preprocessing import PreprocessedTable
from fastgd.tables.csv_lines import check_length, header_of, lines_of, names_text
from fastgd.tables.dialect import SNIFFED_CHARACTERS, separator_of
from fastgd.tables.text_files import read_text


class NotANumberError(ValueError):
    """A cell contains no finite number where one is required; perhaps a string."""

    def __init__(self, message: str, column: str, *, a_text: bool) -> None:
        super().__init__(message)
        self.column = column
        self.a_text = a_text


_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")


@dataclass(frozen=True, eq=False)
class CsvSamples:
    """A CSV file, split into inputs and targets.

    Attributes
    ----------
    inputs, targets : list of str
        Names of the columns.
    X, y : (samples, columns) arrays
    labels : (samples,) array or None
        The column of group labels: whole numbers if all are written as such, else strings.
    classes : list of str or None
        Names of the classes, if the target is categorical: ``y`` has a column for each.
    prepared : Prepared or None
        How the columns were prepared, if they are not plain numbers.
    """

    inputs: list[str]
    targets: list[str]
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    labels: NDArray[Any] | None = None
    classes: list[str] | None = None
    prepared: PreprocessedTable | None = None


def read_samples(
    path: Path, targets: Sequence[str], groups: str | None = None, *, in_classes: bool = False
) -> CsvSamples:
    r"""Read a CSV file with a header line: comma, semicolon or tab, UTF-8, numbers only.

    ``groups`` is a column of labels, which may be no numbers; it is no input. With ``in_classes``
    a single target has labels, too, of which each becomes a column of ``y``.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is not such a file, or a target is not one of its columns; the message says where.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     print("x;y\n0;1\n1;0", file=file, flush=True)
    ...     read_samples(Path(file.name), ["y"]).X.tolist()
    [[0.0], [1.0]]
    """
    targets, groups = names_typed(targets, groups)
    labeled = targets if in_classes and len(targets) == 1 else []
    names, table, labels = _read_table(path, [*labeled, *([] if groups is None else [groups])])
    columns = [*names, *labels]
    if not targets:
        raise ValueError(no_target(path, columns))
    found = {name: position for position, name in enumerate(names)}
    for target in targets:
        if target not in columns:
            raise _no_column(path, target, columns)
    learned = set(targets)
    inputs = [name for name in names if name not in learned]
    if not inputs:
        besides = "the target" if groups is None else "the target and the groups"
        raise ValueError(f"{path} has no column besides {besides}, and a network needs inputs")
    grouped = None if groups is None else _labels(labels[groups])
    X = table[:, [found[name] for name in inputs]]
    if labeled:
        [target] = labeled
        classes = classes_of(target, labels[target])
        return CsvSamples(inputs, targets, X, one_hot(labels[target], classes), grouped, classes)
    return CsvSamples(inputs, targets, X, table[:, [found[name] for name in targets]], grouped)


def read_more(path: Path, like: CsvSamples, of: Path) -> CsvSamples:
    """Read samples with the columns of others, in whatever order.

    Raises
    ------
    OSError, ValueError
        As :func:`read_samples`, or if the columns are not the same.
    """
    labeled = [] if like.classes is None else like.targets
    names, table, labels = _read_table(path, labeled, of)
    for name in (*like.inputs, *like.targets):
        if name not in (*names, *labels):
            raise _no_column(path, name, names, of)
    for name in names:
        if name not in (*like.inputs, *like.targets):
            raise ValueError(f"{path} must have the columns of {of}, got {shown(name)}, too")
    X = table[:, list(map(names.index, like.inputs))]
    if like.classes is None:
        return CsvSamples(
            like.inputs, like.targets, X, table[:, list(map(names.index, like.targets))]
        )
    [target] = like.targets
    y = one_hot(labels[target], like.classes, f"{path}, column {shown(target)}", of)
    return CsvSamples(like.inputs, like.targets, X, y, None, like.classes)


def names_typed(targets: Sequence[str], groups: str | None) -> tuple[list[str], str | None]:
    """Return the column names that were typed, each of them once.

    Raises
    ------
    ValueError
        If one is named twice.
    """
    targets = [_typed(target) for target in targets]
    groups = None if groups is None else _typed(groups)
    if groups in targets:
        raise ValueError(f"--target and --groups name the same column {shown(groups)}")
    for target in targets:
        if targets.count(target) > 1:
            raise ValueError(f"--target names {shown(target)} twice")
    return targets, groups


def no_target(path: Path, columns: Sequence[str]) -> str:
    """The message where no target is named."""
    return f"--target must name the column to learn; {path} has these: {names_text(columns)}"


def _no_column(path: Path, name: str, names: Sequence[str], of: Path | None = None) -> ValueError:
    if of is not None:
        return ValueError(f"{path} must have the columns of {of}, and has no {shown(name)}")
    return ValueError(f"{path} has no column {shown(name)}; its columns: {names_text(names)}")


def _labels(cells: list[str]) -> NDArray[Any]:
    """Whole numbers, which have an order, if all are written as Python would; 007 is a text."""
    if all(_WHOLE.fullmatch(cell) for cell in cells):
        return np.array(list(map(int, cells)))
    return np.array(cells)


def _typed(name: str) -> str:
    """A name as it was typed: without a UTF-8 locale (LC_ALL=C) it arrives as bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode(errors="surrogateescape")
    return name


def _read_table(
    path: Path, apart: Sequence[str] = (), of: Path | None = None
) -> tuple[list[str], NDArray[np.float64], dict[str, list[str]]]:
    """Names and numbers of the columns, and the labels of the ``apart`` columns.

    ``of`` is the file whose columns it must have, if any.
    """
    text = read_text(path)
    separator = separator_of(text[:SNIFFED_CHARACTERS].decode("utf-8-sig", errors="ignore"))
    # The table, its two parts, and a copy of these that the library may make.
    check_memory(24 * sum(map(text.count, (separator.encode(), b"\n", b"\r"))), f"{path}")
    lines = lines_of(path, text, separator)
    names = header_of(path, lines)
    missing = [name for name in apart if name not in names]
    if missing:
        raise _no_column(path, missing[0], names, of)
    places = [names.index(name) for name in apart]
    numbers = array("d")
    labels: dict[str, list[str]] = {name: [] for name in apart}
    for line, cells in lines:
        if len(cells) == len(names):
            for at in places:
                labels[names[at]].append(_label(path, names[at], line, cells[at]))
                cells[at] = "0"
        numbers.extend(_row(path, names, line, cells))
    if not numbers:
        raise ValueError(f"{path} has a header line, but no line of numbers")
    table = np.frombuffer(numbers).reshape(-1, len(names))
    if not apart:
        return names, table, {}
    return [name for name in names if name not in labels], np.delete(table, places, axis=1), labels


def _row(path: Path, names: list[str], line: int, cells: list[str]) -> list[float]:
    check_length(path, line, cells, names)
    numbers = list(map(_number, cells))
    for name, cell, number in zip(names, cells, numbers, strict=True):
        if number is None or not isfinite(number):
            what = "an empty cell" if not cell.strip() else shown(cell)
            rule = "a number" if number is None else "a finite number"
            message = f"{path}, line {line}, column {shown(name)}: {what} is not {rule}"
            raise NotANumberError(message, name, a_text=number is None and bool(cell.strip()))
    return numbers  # type: ignore[return-value]


def _label(path: Path, name: str, line: int, cell: str) -> str:
    if not cell.strip():
        raise ValueError(f"{path}, line {line}, column {shown(name)}: the label is missing")
    return cell.strip()


def _number(cell: str) -> float | None:
    """The number in a cell; None for what Python's source code alone would take for one: 1_000."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
