"""The lines of delimited text: the header line, and the lines below it."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO, TextIOWrapper
from math import isfinite
from pathlib import Path

from fastgd.checks.formatting import first_names
from fastgd.checks.messages import shown
from fastgd.tables.column_values import number_of

NAME = 40
"""Characters of a column name in a message, at most."""

Line = tuple[int, list[str]]


class NamelessError(ValueError):
    """A column has no name."""


def lines_of(path: Path, text: bytes, separator: str) -> Iterator[Line]:
    """Yield the line number and the cells of each line that is not blank.

    Raises
    ------
    ValueError
        If the text is malformed, such as by a quote that is never closed; the message says where.
    """
    # utf-8-sig drops the byte order mark that spreadsheets write.
    stream = TextIOWrapper(BytesIO(text), "utf-8-sig", newline="")
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            # A blank line has one empty cell; a line of several empty cells has missing values.
            if len(cells) > 1 or "".join(cells).strip():
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error


def header_of(path: Path, lines: Iterator[Line], *, nameless: bool = False) -> list[str]:
    """Return the names of the columns, from the first line.

    With ``nameless`` a missing name is allowed, and replaced by the one that pandas would give.

    Raises
    ------
    ValueError
        If the first line is not a header.
    """
    _, cells = next(lines, (0, None))
    if cells is None:
        raise ValueError(f"{path} is empty")
    names = [cell.strip() for cell in cells]
    numbers = map(number_of, names)
    if all(number is not None and isfinite(number) for number in numbers):
        raise ValueError(
            f"{path} has no header line: its first line holds numbers only ({names_text(names)})"
        )
    if nameless:
        names = [name or f"Unnamed: {place}" for place, name in enumerate(names)]
    counts = Counter(names)
    for position, name in enumerate(names, start=1):
        if not name:
            raise NamelessError(f"{path}, header line: column {position} has no name")
        if counts[name] > 1:
            raise ValueError(f"{path}, header line: {shown(name)} is the name of two columns")
    return names


def names_text(names: Sequence[str]) -> str:
    """The first column names, joined by commas, each shortened."""
    return first_names([name if len(name) <= NAME else f"{name[: NAME - 3]}..." for name in names])
