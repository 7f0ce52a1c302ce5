"""Text files: read whole, up to a size limit; which separator and number format a table has."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from fastgd.checks.messages import either, escaped, many, shown, warn
from fastgd.checks.numbers import check_memory
from fastgd.tables.column_values import number_of

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
        return _from_windows(path, text, error)
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


def _from_windows(path: Path, text: bytes, error: UnicodeDecodeError) -> bytes:
    """Text in Windows-1252 as UTF-8; raise for other files, which have control characters.

    So do a few letters of UTF-8 before the first error: a file that was cut or joined.
    """
    what = f"{path} is not {error.encoding.upper()} text: byte 0x{text[error.start]:02X} at "
    what += f"position {error.start:,} can't be read"
    if _CONTROL.search(text) or text.startswith(_MARKS):
        raise ValueError(f"{what}: is it another kind of file?") from error
    try:
        windows = text.decode("cp1252").encode()
    except UnicodeDecodeError:
        windows = b""
    if not windows or not text.decode(errors="ignore").isascii():
        raise ValueError(f"{what}: save it as UTF-8") from error
    line = text.count(b"\n", 0, error.start) + 1
    warn(
        f"{path} is not UTF-8 text (line {line:,}): read as Windows-1252, which Latin-1 is part of",
        UserWarning,
    )
    return windows


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


def check_separator(typed: str | None) -> str | None:
    """Return the separator itself for a typed name; None stays None."""
    known = {"\t": "\t", r"\t": "\t", **SEPARATORS}
    if typed is not None and typed not in known:
        raise ValueError(f"sep must be {either(map(repr, SEPARATORS))}, got {shown(typed)}")
    return None if typed is None else known[typed]


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
