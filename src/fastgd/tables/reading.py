"""Tables from files: CSV and TSV, also compressed (.gz), and Parquet."""

import csv
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from itertools import islice
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import many, shown
from fastgd.checks.numbers import check_memory, check_path
from fastgd.tables.column_values import FileTexts, columns_of, number_of
from fastgd.tables.preparation import names_text
from fastgd.tables.reading import (
    LARGEST,
    LOOKED_AT,
    SNIFFED_CHARACTERS,
    Dialect,
    check_separator,
    decimal_of,
    read_text,
    separator_of,
)

if TYPE_CHECKING:
    import pandas

PARQUET = (".parquet", ".pq")

NOTHING = frozenset(
    ("", "?", "-", "na", "n/a", "n.a.", "#n/a", "nan", "null", "none", "<na>", "nil", "missing")
)
"""What files hold for a missing value, compared in lower case."""

_BYTES_OF_CELL = 80
"""Memory of a short Python string, and of its entry in a list."""


def read(path: Path, sep: str | None = None, decimal: str | None = None) -> "pandas.DataFrame":
    r"""Read a table from a CSV or TSV file, also compressed (.gz), or a Parquet file.

    Parameters
    ----------
    path : Path
        Its suffix tells the format.
    sep : {",", ";", "tab", "|"}, optional
        The separator of cells; guessed from the first lines by default.
    decimal : {".", ","}, optional
        The decimal sign; guessed from the cells by default.

    Raises
    ------
    OSError
        If the file can't be read.
    ValueError
        If it does not hold a table; the message says where.
    ImportError
        If pandas is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     print("city;price\nRome;1.234,5\nOslo;-", file=file, flush=True)
    ...     read(Path(file.name))
       city   price
    0  Rome  1234.5
    1  Oslo     NaN
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f'a table needs pandas: pip install "fastgd[cli]" ({error})') from error
    return pandas.DataFrame(read_columns(path, sep, decimal))


def read_columns(
    path: Path, sep: str | None = None, decimal: str | None = None, texts: Collection[str] = ()
) -> dict[str, NDArray[Any]]:
    """Read a table as columns by name; only Parquet files need pandas.

    ``texts`` are columns that stay strings, even if they look like numbers.
    """
    table = read_table(path, sep, decimal)
    return table.typed(texts) if isinstance(table, TextTable) else table


def columns_from(table: Any, texts: Collection[str] = ()) -> Mapping[str, NDArray[Any]]:
    """Return the columns of a DataFrame, of a mapping, or of the file at a path."""
    if isinstance(table, str | PathLike):
        return read_columns(check_path("table", table), texts=texts)
    return columns_of(table)


def read_table(
    path: Path, sep: str | None = None, decimal: str | None = None
) -> "TextTable | dict[str, NDArray[Any]]":
    """Read a table: the cells of a text file as strings, the columns of a Parquet file."""
    path = Path(path)
    separator = check_separator(sep)
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {shown(decimal)}")
    if path.suffix.lower() in PARQUET:
        return columns_of(_read_parquet(path))
    text = read_text(path)
    start = text[:SNIFFED_CHARACTERS].decode("utf-8-sig", errors="ignore")
    separator = separator or separator_of(start)
    cells = sum(map(text.count, (separator.encode(), b"\n", b"\r")))
    check_memory(_BYTES_OF_CELL * cells, f"{path}")
    lines = _lines_of(path, text, separator)
    names, nameless = _header_of(path, lines)
    columns: dict[str, list[str]] = {name: [] for name in names}
    lists = list(columns.values())
    for line, row in lines:
        if len(row) != len(lists):
            raise ValueError(
                f"{path}, line {line}: {many(len(row), 'cell')}, the header line has {len(lists)}"
            )
        for column, cell in zip(lists, row, strict=True):
            column.append(cell)
    if not lists[0]:
        raise ValueError(f"{path} has a header line, but no line below it")
    return TextTable(path, text, separator, decimal, columns, nameless)


class NotANumberError(ValueError):
    """A cell contains no finite number where one is required; its column, if it is a string."""

    def __init__(self, message: str, column: str) -> None:
        super().__init__(message)
        self.column = column


class TextTable(NamedTuple):
    """A text file, and its cells as strings."""

    path: Path
    text: bytes
    separator: str
    decimal: str | None  # None: to be guessed
    columns: dict[str, list[str]]
    nameless: int  # the position of the first column without a name, from 1; else 0

    def typed(self, texts: Collection[str] = ()) -> dict[str, NDArray[Any]]:
        """Return columns of numbers, booleans or strings; ``texts`` are those that stay strings."""
        decimal, thousands = self.decimal, "." if self.decimal == "," else ","
        if decimal is None:
            looked_at = (
                cell.strip()
                for name, column in self.columns.items()
                if name not in texts
                for cell in islice(column, LOOKED_AT)
            )
            try:
                decimal, thousands = decimal_of(looked_at, self.separator)
            except ValueError as error:
                raise ValueError(f"{error} in {self.path}") from error
        dialect = Dialect(decimal, thousands)
        columns = {
            name: typed(column, None if name in texts else dialect)
            for name, column in self.columns.items()
        }
        for column in columns.values():
            if isinstance(column, FileTexts):  # a point is certain only if it was given
                column.decimal = self.decimal or decimal.strip(".")
        return columns

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return (rows, columns) finite numbers; raise NotANumberError for another cell."""
        numbers = np.empty((len(self.columns[names[0]]), len(names)))
        for place, name in enumerate(names):
            numbers[:, place] = list(map(number_of, self.columns[name]))  # None becomes NaN
        finite = np.isfinite(numbers)
        if not finite.all():
            row, place = map(int, np.unravel_index(int(finite.argmin()), finite.shape))
            cell = self.columns[names[place]][row]
            is_number = number_of(cell) is not None
            what = shown(cell) if cell.strip() else "an empty cell"
            rule = "a finite number" if is_number else "a number"
            message = f"{self.place(row, names[place])}: {what} is not {rule}"
            is_text = cell.strip() and not is_number
            raise NotANumberError(message, names[place] if is_text else "")
        return numbers

    def labels(self, name: str, rows: Sequence[int] | None = None) -> list[str]:
        """Return the cells of a column of labels, or those of some rows, none of them blank."""
        column = self.columns[name]
        rows = range(len(column)) if rows is None else rows
        labels = [column[row].strip() for row in rows]
        if "" in labels:
            raise ValueError(f"{self.place(rows[labels.index('')], name)}: the label is missing")
        return labels

    def place(self, row: int, name: str) -> str:
        """Say where a cell is: in which line of the file, which is not the row."""
        lines = _lines_of(self.path, self.text, self.separator)
        line, _ = next(islice(lines, row + 1, None))
        return f"{self.path}, line {line}, column {shown(name)}"


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Name the file in errors about its columns."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error)
        raise ValueError(text if str(path) in text else f"{path}: {text}") from error


def typed(cells: Sequence[str], dialect: Dialect | None) -> NDArray[Any]:
    """Return cells as numbers or booleans if all are, else as strings; NaN or None where missing.

    Without a dialect they stay strings.

    Examples
    --------
    >>> typed(["1,5", "n/a"], Dialect(","))
    array([1.5, nan])
    >>> typed(["true", "FALSE", ""], Dialect()).tolist()
    [True, False, None]
    """
    texts = [cell.strip() for cell in cells]
    known = [None if text.lower() in NOTHING else text for text in texts]
    if dialect is not None:
        numbers = np.full(len(known), np.nan)
        for row, text in enumerate(known):
            if text is None:
                continue
            number = dialect.number(text)
            if number is None:
                break
            numbers[row] = number
        else:
            return numbers
        if all(text is None or text.lower() in ("true", "false") for text in known):
            flags = [None if text is None else text.lower() == "true" for text in known]
            booleans = np.array(flags, dtype=object).view(FileTexts)
            booleans.boolean = next(filter(None, known))
            return booleans
    values = np.empty(len(known), dtype=object).view(FileTexts)
    values[:] = known
    return values


def _lines_of(
    path: Path, text: bytes, separator: str, *, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each line that is not blank."""
    csv.field_size_limit(max(csv.field_size_limit(), LARGEST))  # of the process
    if not strict:
        text += b"\n\0"  # in a cell of several lines if a quote is never closed
    # utf-8-sig drops the byte order mark that spreadsheets write.
    stream = TextIOWrapper(BytesIO(text), "utf-8-sig", newline="")
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=True, strict=strict)
    yielded = 0
    try:
        for cells in reader:
            if cells == ["\0"]:
                return
            if cells and cells[-1].endswith("\0"):
                raise ValueError(f"{path} must close each quote, got one open at its end")
            # A blank line has one empty cell; a line of several empty cells has missing values.
            if len(cells) > 1 or "".join(cells).strip():
                yield reader.line_num, cells
                yielded += 1
    except csv.Error as error:
        if "expected after" in str(error):  # after a closing quote: a space, or more of the cell
            yield from islice(_lines_of(path, text, separator, strict=False), yielded, None)
            return
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error


def _header_of(path: Path, lines: Iterator[tuple[int, list[str]]]) -> tuple[list[str], int]:
    """Names of columns from the first line, and which is the first without; pandas gives it one."""
    _, cells = next(lines, (0, None))
    if cells is None:
        raise ValueError(f"{path} is empty")
    names = [cell.strip() for cell in cells]
    numbers = map(number_of, names)
    if all(number is not None and isfinite(number) for number in numbers):
        raise ValueError(
            f"{path} has no header line: its first line holds numbers only ({names_text(names)})"
        )
    nameless = names.index("") + 1 if "" in names else 0
    names = [name or f"Unnamed: {place}" for place, name in enumerate(names)]
    double = next((name for name, count in Counter(names).items() if count > 1), None)
    if double is not None:
        raise ValueError(f"{path}, header line: {shown(double)} is the name of two columns")
    return names, nameless


def _read_parquet(path: Path) -> "pandas.DataFrame":
    try:
        import pandas
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            f'a Parquet file needs pandas and pyarrow: pip install "fastgd[cli]" ({error})'
        ) from error
    with path.open("rb") as file:
        if not file.seekable():
            raise ValueError(f"{path} must be a regular file: Parquet can't be read from a stream")
        try:
            facts = pyarrow.parquet.read_metadata(file)
            check_memory(_BYTES_OF_CELL * facts.num_rows * facts.num_columns, f"{path}")
            file.seek(0)
            return pandas.read_parquet(file)
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{path} must be a complete Parquet file") from error
