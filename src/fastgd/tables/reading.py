"""Tables from files: CSV and TSV, also compressed (.gz), and Parquet."""

import warnings
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.tables.csv_lines import check_length, header_of, lines_of
from fastgd.tables.dialect import (
    LOOKED_AT,
    SNIFFED_CHARACTERS,
    Dialect,
    check_separator,
    decimal_of,
    separator_of,
)
from fastgd.tables.frames import columns_of
from fastgd.tables.text_files import read_text

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
    split = _split_by_pandas if find_spec("pandas") else _split
    names = header_of(path, lines_of(path, text, separator), nameless=True)
    columns = dict(zip(names, split(path, text, separator), strict=True))
    if not columns[names[0]]:
        raise ValueError(f"{path} has a header line, but no line below it")
    thousands = "." if decimal == "," else ","
    if decimal is None:
        looked_at = (
            cell.strip()
            for name, column in columns.items()
            if name not in texts
            for cell in islice(column, LOOKED_AT)
        )
        try:
            decimal, thousands = decimal_of(looked_at, separator)
        except ValueError as error:
            raise ValueError(f"{error} in {path}") from error
    dialect = Dialect(separator, decimal, thousands)
    return {
        name: typed(column, None if name in texts else dialect) for name, column in columns.items()
    }


def typed(cells: Sequence[str], dialect: Dialect | None) -> NDArray[Any]:
    """Return cells as numbers or booleans if all are, else as strings; NaN or None where missing.

    Without a dialect they stay strings.

    Examples
    --------
    >>> typed(["1,5", "n/a"], Dialect(";", ","))
    array([1.5, nan])
    >>> typed(["true", "FALSE", ""], Dialect(","))
    array([True, False, None], dtype=object)
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
            return np.array(flags, dtype=object)
    values = np.empty(len(known), dtype=object)
    values[:] = known
    return values


def _split_by_pandas(path: Path, text: bytes, separator: str) -> list[list[str]]:
    """Cells by column, read by pandas: several times as fast as the standard library."""
    import pandas

    names = header_of(path, lines_of(path, text, separator), nameless=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                BytesIO(text),
                sep=separator,
                names=range(len(names)),
                header=0,
                index_col=False,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
                encoding="utf-8-sig",
            )
    except (pandas.errors.ParserError, pandas.errors.ParserWarning):
        return _split(path, text, separator)  # names the bad line, or accepts the file
    if (frame[len(names) - 1] == "").any():  # perhaps a line that is too short
        return _split(path, text, separator)
    return [frame[place].tolist() for place in range(len(names))]


def _split(path: Path, text: bytes, separator: str) -> list[list[str]]:
    """Cells by column, read by the standard library."""
    lines = lines_of(path, text, separator)
    names = header_of(path, lines, nameless=True)
    columns: list[list[str]] = [[] for _ in names]
    for line, cells in lines:
        check_length(path, line, cells, names)
        for column, cell in zip(columns, cells, strict=True):
            column.append(cell)
    return columns


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
