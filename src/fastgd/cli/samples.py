"""The user's CSV file, read into inputs and targets."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.wording import listed, many

SNIFFED = 20
"""Lines of a file that its delimiter is guessed from."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A CSV file, split into inputs and targets.

    Attributes
    ----------
    inputs, targets : list of str
        Names of the columns.
    X, y : (samples, columns) arrays
    """

    inputs: list[str]
    targets: list[str]
    X: NDArray[np.float64]
    y: NDArray[np.float64]


def read_samples(path: Path, targets: Sequence[str]) -> Samples:
    r"""Read a CSV file with a header line: comma, semicolon or tab, UTF-8, numbers only.

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
    names, rows = _read_table(path)
    for target in targets:
        if target not in names:
            raise ValueError(f"{path} has no column {target!r}; its columns: {listed(names)}")
        if targets.count(target) > 1:
            raise ValueError(f"--target names {target!r} twice")
    if len(names) == len(targets):
        raise ValueError(f"{path} has no column besides the target, and a network needs inputs")
    inputs = [name for name in names if name not in targets]
    columns = dict(zip(names, np.array(rows).T, strict=True))
    X, y = (np.column_stack([columns[name] for name in part]) for part in (inputs, targets))
    return Samples(inputs, list(targets), X, y)


def _read_table(path: Path) -> tuple[list[str], list[list[float]]]:
    try:
        # utf-8-sig drops the mark that spreadsheets put in front.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: byte {error.start} can't be read") from error
    if "\0" in text:
        raise ValueError(f"{path} is not text: it has zero bytes")
    delimiter = _delimiter(text.splitlines())
    reader = csv.reader(
        StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        # Only a line without a cell is blank: of several empty cells each one is missing a number.
        table = [(reader.line_num, row) for row in reader if len(row) > 1 or "".join(row).strip()]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    if not table:
        raise ValueError(f"{path} is empty")
    names = _header(path, table[0][1])
    if len(table) == 1:
        raise ValueError(f"{path} has a header line, but no line of numbers")
    return names, [_row(path, names, line, cells) for line, cells in table[1:]]


def _delimiter(lines: list[str]) -> str:
    try:
        return csv.Sniffer().sniff("\n".join(lines[:SNIFFED]), delimiters=",;\t").delimiter
    except csv.Error:
        header = next((line for line in lines if line.strip()), "")
        return next((delimiter for delimiter in ";\t" if delimiter in header), ",")


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if all(_number(name) is not None for name in names):
        raise ValueError(
            f"{path} has no header line: its first line holds numbers only ({listed(names)})"
        )
    for position, name in enumerate(names, start=1):
        if not name:
            raise ValueError(f"{path}, header line: column {position} has no name")
        if names.count(name) > 1:
            raise ValueError(f"{path}, header line: {name!r} is the name of two columns")
    return names


def _row(path: Path, names: list[str], line: int, cells: list[str]) -> list[float]:
    if len(cells) != len(names):
        raise ValueError(
            f"{path}, line {line}: {many(len(cells), 'cell')}, the header line has {len(names)}"
        )
    numbers = []
    for name, cell in zip(names, cells, strict=True):
        number = _number(cell)
        if number is None or not isfinite(number):
            what = "an empty cell" if not cell.strip() else repr(cell[:40])
            rule = "a number" if number is None else "a finite number"
            raise ValueError(f"{path}, line {line}, column {name!r}: {what} is not {rule}")
        numbers.append(number)
    return numbers


def _number(cell: str) -> float | None:
    """The number in a cell; None for what Python's source code alone would take for one: 1_000."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
