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
    """

    inputs: list[str]
    targets: list[str]
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    labels: NDArray[Any] | None = None


def read_samples(path: Path, targets: Sequence[str], groups: str | None = None) -> Samples:
    r"""Read a CSV file with a header line: comma, semicolon or tab, UTF-8, numbers only.

    ``groups`` is a column of labels, which may be no numbers; it is no input.

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
    names, table, labels = _read_table(path, groups)
    columns = names if groups is None else [*names, groups]
    if not targets:
        raise ValueError(
            f"--target must name the column to learn; {path} has these: {names_text(columns)}"
        )
    found = {name: position for position, name in enumerate(names)}
    for target in targets:
        if target not in found:
            raise _no_column(path, target, columns)
        if targets.count(target) > 1:
            raise ValueError(f"--target names {shown(target)} twice")
    if len(names) == len(targets):
        besides = "the target" if groups is None else "the target and the groups"
        raise ValueError(f"{path} has no column besides {besides}, and a network needs inputs")
    learned = set(targets)
    inputs = [name for name in names if name not in learned]
    X, y = (table[:, [found[name] for name in part]] for part in (inputs, targets))
    return Samples(inputs, targets, X, y, None if labels is None else _labels(labels))


def read_more(path: Path, like: Samples, of: Path) -> Samples:
    """Read samples with the columns of others, in whatever order.

    Raises
    ------
    OSError, ValueError
        As :func:`read_samples`, or if the columns are not the same.
    """
    names, table, _ = _read_table(path)
    for name in (*like.inputs, *like.targets):
        if name not in names:
            raise ValueError(f"{path} must have the columns of {of}, and has no {shown(name)}")
    for name in names:
        if name not in (*like.inputs, *like.targets):
            raise ValueError(f"{path} must have the columns of {of}, got {shown(name)}, too")
    X, y = (table[:, list(map(names.index, part))] for part in (like.inputs, like.targets))
    return Samples(like.inputs, like.targets, X, y)


def _no_column(path: Path, name: str, names: Sequence[str]) -> ValueError:
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
    path: Path, apart: str | None = None
) -> tuple[list[str], NDArray[np.float64], list[str] | None]:
    """Names and numbers of the columns, and the labels of one that is taken apart."""
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
    if apart is not None and apart not in names:
        raise _no_column(path, apart, names)
    at = names.index(apart) if apart is not None else None
    numbers = array("d")
    labels = []
    for line, cells in lines:
        if at is not None and len(cells) == len(names):
            labels.append(_label(path, names[at], line, cells[at]))
            cells[at] = "0"
        numbers.extend(_row(path, names, line, cells))
    if not numbers:
        raise ValueError(f"{path} has a header line, but no line of numbers")
    table = np.frombuffer(numbers).reshape(-1, len(names))
    if at is None:
        return names, table, None
    return [*names[:at], *names[at + 1 :]], np.delete(table, at, axis=1), labels


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
