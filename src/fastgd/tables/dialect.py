"""The dialect of a text table: its separator and its number format."""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from fastgd.checks.messages import either, shown
from fastgd.tables.column_values import number_of

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
