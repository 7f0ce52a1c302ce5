"""The user's CSV file, read into inputs and targets."""

import codecs
import csv
import os
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.memory import check_memory
from fastgd.arguments.messages import shown
from fastgd.arguments.wording import first_names, many
from fastgd.cli.classes import classes_of, one_hot

LARGEST = 2**30
"""Bytes of a file at most: /dev/zero, or a pipe whose writer has no end, never ends."""

CHUNK = 2**25
"""Bytes that are read at once."""

SNIFFED = 20
"""Lines of a file that its delimiter is guessed from, and"""

SNIFFED_CHARACTERS = 20_000
"""as many characters: what guesses looks at them again and again."""

NAME = 40
"""Characters of a name that are shown at most."""


class NotANumberError(ValueError):
    """A cell has a text where a number must be."""

    def __init__(self, message: str, column: str) -> None:
        super().__init__(message)
        self.column = column


_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")


@dataclass(frozen=True, eq=False)
class Samples:
    """A CSV file, split into inputs and targets.

    Attributes
    ----------
    inputs, targets : list of str
        Names of the columns.
    X, y : (samples, columns) arrays
    labels : (samples,) array or None
        The column that tells groups apart: whole numbers if all are written as such, else texts.
    classes : list of str or None
        What the target's classes are called, if it is one of classes: ``y`` has a column for each.
    """

    inputs: list[str]
    targets: list[str]
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    labels: NDArray[Any] | None = None
    classes: list[str] | None = None


def read_samples(
    path: Path, targets: Sequence[str], groups: str | None = None, *, in_classes: bool = False
) -> Samples:
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
    targets = [_typed(target) for target in targets]
    groups = None if groups is None else _typed(groups)
    if groups in targets:
        raise ValueError(f"--target and --groups name the same column {shown(groups)}")
    labelled = targets if in_classes and len(targets) == 1 else []
    names, table, labels = _read_table(path, [*labelled, *([] if groups is None else [groups])])
    columns = [*names, *labels]
    if not targets:
        raise ValueError(
            f"--target must name the column to learn; {path} has these: {names_text(columns)}"
        )
    found = {name: position for position, name in enumerate(names)}
    for target in targets:
        if target not in columns:
            raise _no_column(path, target, columns)
        if targets.count(target) > 1:
            raise ValueError(f"--target names {shown(target)} twice")
    learned = set(targets)
    inputs = [name for name in names if name not in learned]
    if not inputs:
        besides = "the target" if groups is None else "the target and the groups"
        raise ValueError(f"{path} has no column besides {besides}, and a network needs inputs")
    grouped = None if groups is None else _labels(labels[groups])
    X = table[:, [found[name] for name in inputs]]
    if labelled:
        [target] = labelled
        classes = classes_of(target, labels[target])
        return Samples(inputs, targets, X, one_hot(labels[target], classes), grouped, classes)
    return Samples(inputs, targets, X, table[:, [found[name] for name in targets]], grouped)


def read_more(path: Path, like: Samples, of: Path) -> Samples:
    """Read samples with the columns of others, in whatever order.

    Raises
    ------
    OSError, ValueError
        As :func:`read_samples`, or if the columns are not the same.
    """
    labelled = [] if like.classes is None else like.targets
    names, table, labels = _read_table(path, labelled, of)
    for name in (*like.inputs, *like.targets):
        if name not in (*names, *labels):
            raise _no_column(path, name, names, of)
    for name in names:
        if name not in (*like.inputs, *like.targets):
            raise ValueError(f"{path} must have the columns of {of}, got {shown(name)}, too")
    X = table[:, list(map(names.index, like.inputs))]
    if like.classes is None:
        return Samples(like.inputs, like.targets, X, table[:, list(map(names.index, like.targets))])
    [target] = like.targets
    y = one_hot(labels[target], like.classes, f"{path}, column {shown(target)}", of)
    return Samples(like.inputs, like.targets, X, y, None, like.classes)


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
    """A name as it was typed: where the locale is not UTF-8 (LC_ALL=C) it comes as bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode(errors="surrogateescape")
    return name


def names_text(names: Sequence[str]) -> str:
    """Names of columns side by side: the first ones, each not too long."""
    return first_names([name if len(name) <= NAME else f"{name[: NAME - 3]}..." for name in names])


def _read_table(
    path: Path, apart: Sequence[str] = (), of: Path | None = None
) -> tuple[list[str], NDArray[np.float64], dict[str, list[str]]]:
    """Names and numbers of the columns, and the labels of those that are taken apart.

    ``of`` is whose columns it must have, if there is such a file.
    """
    file = BytesIO()
    for chunk in _chunks(path):
        file.write(chunk)
    file.seek(0)
    # utf-8-sig drops the mark that spreadsheets put in front.
    text = TextIOWrapper(file, "utf-8-sig", newline="")
    delimiter = _delimiter(text)
    data = file.getvalue()
    # The table, its two parts, and a copy of these that the library may make.
    check_memory(24 * sum(map(data.count, (delimiter.encode(), b"\n", b"\r"))), f"{path}")
    text.seek(0)
    lines = _lines(path, csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True))
    _, header = next(lines, (0, None))
    if header is None:
        raise ValueError(f"{path} is empty")
    names = _header(path, header)
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


def _lines(path: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not blank, with its number."""
    try:
        for cells in reader:
            # Only a line without a cell is blank: of several empty ones each is missing a number.
            if len(cells) > 1 or "".join(cells).strip():
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, refused at the first that makes it no text, or too much of it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    total = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            waiting = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                at = total - waiting + error.start
                raise ValueError(f"{path} is not UTF-8 text: byte {at} can't be read") from error
            if b"\0" in chunk:
                raise ValueError(f"{path} is not text: it has zero bytes")
            total += len(chunk)
            if total > LARGEST:
                raise ValueError(
                    f"{path} must have at most {many(LARGEST, 'byte')}, got more than that"
                )
            if not chunk:
                return
            check_memory(2 * CHUNK, f"{path}")
            yield chunk


def _delimiter(text: TextIOWrapper) -> str:
    lines: list[str] = []
    left = SNIFFED_CHARACTERS
    while len(lines) < SNIFFED and (line := text.readline(left)):
        lines.append(line.rstrip("\r\n"))
        left -= len(line)
        if left <= 0:
            break
    header = next((line for line in lines if line.strip()), "")
    if left > 0:
        try:
            return csv.Sniffer().sniff("\n".join(lines), delimiters=",;\t").delimiter
        except csv.Error:
            pass
    return next((delimiter for delimiter in ";\t" if delimiter in header), ",")


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if all(_number(name) is not None for name in names):
        raise ValueError(
            f"{path} has no header line: its first line holds numbers only ({names_text(names)})"
        )
    counts = Counter(names)
    for position, name in enumerate(names, start=1):
        if not name:
            raise ValueError(f"{path}, header line: column {position} has no name")
        if counts[name] > 1:
            raise ValueError(f"{path}, header line: {shown(name)} is the name of two columns")
    return names


def _row(path: Path, names: list[str], line: int, cells: list[str]) -> list[float]:
    if len(cells) != len(names):
        raise ValueError(
            f"{path}, line {line}: {many(len(cells), 'cell')}, the header line has {len(names)}"
        )
    numbers = list(map(_number, cells))
    for name, cell, number in zip(names, cells, numbers, strict=True):
        if number is None or not isfinite(number):
            what = "an empty cell" if not cell.strip() else shown(cell)
            rule = "a number" if number is None else "a finite number"
            message = f"{path}, line {line}, column {shown(name)}: {what} is not {rule}"
            if number is None and cell.strip():
                raise NotANumberError(message, name)
            raise ValueError(message)
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
