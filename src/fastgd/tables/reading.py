"""Tables from files: CSV and TSV, also compressed (.gz), and Parquet.

Text files are read whole, up to a size limit; separator and number format are guessed from them.
"""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from itertools import islice
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import either, escaped, first_names, many, shown, warn
from fastgd.checks.numbers import check_memory, check_path
from fastgd.checks.presentation import pandas_or_xarray
from fastgd.tables.column_values import FileTexts, columns_of, number_of

if TYPE_CHECKING:
    import pandas

# ---------------------------------------------------------------- text

LARGEST = 2**30
"""Most bytes of a file: /dev/zero, or a pipe whose writer never stops, has no end."""

CHUNK = 2**25
"""Bytes per read."""

_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(rb"[\0-\x08\x0b\x0e-\x1f\x7f]")


def read_text(path: Path) -> bytes:
    """Return a text file as UTF-8, decompressed if its name ends in .gz.

    Text in UTF-16 needs its byte order mark. What is neither, but has no control characters, is
    read as Windows-1252, which Latin-1 is part of; a warning says so.

    Raises
    ------
    OSError, ValueError
        If it can't be read, is not text, or too large; the message says where.
    """
    stream = BytesIO()
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            stream.writelines(_chunks(path, file))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} must be a complete gzip file, since it ends in .gz") from error
    text = stream.getvalue()
    try:
        if text.startswith(_MARKS):
            return text.decode("utf-16").encode()
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"{path} is not {error.encoding.upper()} text: byte 0x{text[error.start]:02X} at "
        what += f"position {error.start:,} can't be read"
        if _CONTROL.search(text) or text.startswith(_MARKS):
            raise ValueError(f"{what}: is it another kind of file?") from error
        try:
            windows = text.decode("cp1252").encode()
        except UnicodeDecodeError:
            windows = b""
        # A few letters of UTF-8 before the first error: a file that was cut or joined.
        if not windows or not text.decode(errors="ignore").isascii():
            raise ValueError(f"{what}: save it as UTF-8") from error
        line = text.count(b"\n", 0, error.start) + 1
        rule = "read as Windows-1252, which Latin-1 is part of"
        warn(f"{path} is not UTF-8 text (line {line:,}): {rule}", UserWarning)
        return windows
    return text


def _chunks(path: Path, file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Yield the bytes of a file; raise as soon as they are not text, or too many."""
    total = 0
    wide = False
    while chunk := file.read(CHUNK):
        wide = wide or (not total and chunk.startswith(_MARKS))  # zero bytes are half of UTF-16
        if not wide and b"\0" in chunk:
            raise ValueError(f"{escaped(path)} must be text, got a file with zero bytes")
        total += len(chunk)
        if total > LARGEST:
            raise ValueError(
                f"{path} must have at most {many(LARGEST, 'byte')}, got more than that"
            )
        check_memory(2 * CHUNK, f"{path}")
        yield chunk


# ---------------------------------------------------------------- the dialect

SEPARATORS = {",": ",", ";": ";", "tab": "\t", "|": "|"}
"""Separators of cells, by the name that users type."""

DECIMALS = (".", ",")

SNIFFED = 20
"""Lines from which the separator is guessed, and"""

SNIFFED_CHARACTERS = 20_000
"""characters, at most."""

LOOKED_AT = 10_000
"""Cells of each column from which the number format is guessed."""

_EXPONENT = r"([eE][+-]?\d+)?"
_GROUPED = r"[+-]?\d{1,3}(%s\d{3})+"


class Dialect(NamedTuple):
    """The decimal sign, and the thousands separator, if any."""

    decimal: str = "."
    thousands: str = ""

    def number(self, text: str) -> float | None:
        """Parse a number; return None if the string isn't one.

        Examples
        --------
        >>> german = Dialect(",", ".")
        >>> german.number("1.234,5"), german.number("26.11.2026"), german.number("1.5")
        (1234.5, None, None)
        """
        if self.thousands and self.thousands in text:
            whole, sign, rest = text.partition(self.decimal)
            if not re.fullmatch(_GROUPED % re.escape(self.thousands), whole):
                return None
            text = whole.replace(self.thousands, "") + sign + rest
        if self.decimal != ".":
            if "." in text:
                return None
            text = text.replace(self.decimal, ".")
        return number_of(text)


def separator_of(text: str) -> str:
    r"""Guess the separator: the one with which most lines have as many cells as the first line.

    Examples
    --------
    >>> separator_of("x;y\n0,5;1\n1,5;0\n"), separator_of("x\n1\n")
    (';', ',')
    """
    best, found = (0.0, 0), ","
    for separator in SEPARATORS.values():
        lengths = [len(cells) for cells in islice(_rows(text, separator), SNIFFED)]
        if not lengths or lengths[0] < 2:
            continue
        alike = sum(length == lengths[0] for length in lengths[1:]) / max(1, len(lengths) - 1)
        if (alike, lengths[0]) > best:
            best, found = (alike, lengths[0]), separator
    return found


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    """The lines that are not blank, up to the first that csv can't read."""
    lines = text.splitlines(keepends=True)
    try:
        for cells in csv.reader(lines, delimiter=separator, skipinitialspace=True):
            if len(cells) > 1 or "".join(cells).strip():
                yield cells
    except csv.Error:  # a cell longer than the csv module's limit
        return


def decimal_of(cells: Iterable[str], separator: str) -> tuple[str, str]:
    """Guess the decimal sign and the thousands separator ("" for none).

    ``0,5`` has a decimal comma, ``1,234.5`` a decimal point and a comma between thousands. Cells
    that contradict each other raise ValueError, and ambiguous ones, too: ``1,234`` alone.

    Examples
    --------
    >>> decimal_of(["0,5", "7", "1.234"], ";"), decimal_of(["0.5", "red"], ",")
    ((',', '.'), ('.', ''))
    """
    sign, grouped = decimal_in(cells)
    if not sign and "," in grouped and separator != ",":
        raise ValueError(
            f"decimal must be given as '.' or ',' for ambiguous numbers, got {shown(grouped[','])}"
        )
    sign = sign or "."
    other = DECIMALS[sign == "."]
    return sign, other if other in grouped else ""


def decimal_in(cells: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Return the decimal sign if it is certain, and a cell with each thousands separator.

    Those of 1,234 and 0.5 are "." and {",": "1,234"}; those of 1.234 "" and {".": "1.234"}. Cells
    that contradict each other raise ValueError.
    """
    decimal: dict[str, str] = {}
    grouped: dict[str, str] = {}
    for cell in cells:
        for sign, other in (DECIMALS, DECIMALS[::-1]) if "," in cell or "." in cell else ():
            point, comma = map(re.escape, (sign, other))
            number = rf"[+-]?(\d*{point}\d+|\d+{point}){_EXPONENT}"
            if re.fullmatch(rf"{_GROUPED % comma}({point}\d*)?", cell):
                grouped.setdefault(other, cell)
                if sign in cell or cell.count(other) > 1:
                    decimal.setdefault(sign, cell)
            elif re.fullmatch(number, cell) and not re.fullmatch(_GROUPED % point, cell):
                decimal.setdefault(sign, cell)
    if len(decimal) == 2:
        both = f"{shown(decimal['.'])} and {shown(decimal[','])}"
        raise ValueError(f"decimal must be the same in all numbers, got {both}")
    return next(iter(decimal), ""), grouped


# ---------------------------------------------------------------- tables

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
    library = pandas_or_xarray("pandas", "a table")
    return cast("pandas.DataFrame", library.DataFrame(read_columns(path, sep, decimal)))


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
    known = {"\t": "\t", r"\t": "\t", **SEPARATORS}
    if sep is not None and sep not in known:
        raise ValueError(f"sep must be {either(map(repr, SEPARATORS))}, got {shown(sep)}")
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal must be '.' or ',', got {shown(decimal)}")
    if path.suffix.lower() in PARQUET:
        return columns_of(_read_parquet(path))
    text = read_text(path)
    start = text[:SNIFFED_CHARACTERS].decode("utf-8-sig", errors="ignore")
    separator = separator_of(start) if sep is None else known[sep]
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
            f"{path} has no header line: its first line holds numbers only ({first_names(names)})"
        )
    nameless = names.index("") + 1 if "" in names else 0
    names = [name or f"Unnamed: {place}" for place, name in enumerate(names)]
    double = next((name for name, count in Counter(names).items() if count > 1), None)
    if double is not None:
        raise ValueError(f"{path}, header line: {shown(double)} is the name of two columns")
    return names, nameless


def _read_parquet(path: Path) -> Any:
    try:
        import pandas
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            f'a Parquet file needs pandas and pyarrow: pip install "fastgd[parquet]" ({error})'
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
