"""Columns of dates: how texts are read as dates, and what a network gets of them."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.formulas.calendar import CYCLES, FIELDS, Cycle, circle, fields_of
from fastgd.tables.column_values import Cells, FloatArray, moments, text_of

Order = Literal["day", "month", ""]
"""What is first in texts: "" is the year."""

_MOST = 0.9
"""A column of strings with a larger fraction of dates must have nothing else."""

_DATE_TEXT = re.compile(
    r"(?:(?P<year>\d{4})(?:[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})|-(?P<only>\d\d)$)"
    r"|(?P<a>\d{1,2})(?P<sign>[-/.])(?P<b>\d{1,2})[-/.](?P<last>\d{4}|\d{2}))"
    r"(?:[T ](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?)?"
)

_MONTH = (
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?"
    "|nov(ember)?|dec(ember)?"
)
_MAYBE = re.compile(
    rf"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])|(?=.*\d).*\b({_MONTH})\b.*", re.IGNORECASE
)
"""Dates that are not read: 20261126, or names of months in English."""

_PLAIN = re.compile(r"\d{4}-\d\d|\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
"""Texts that NumPy reads."""

_LIKE: dict[Order, str] = {"day": "26.11.2026 or ", "month": "11/26/2026 or ", "": ""}


@dataclass(frozen=True)
class DateColumn:
    """A column of dates as elapsed days, the year, and sine and cosine of what repeats.

    Missing cells are filled with the median; if cells were missing when it was learned, a last
    input is 1 for missing cells and else 0. Dates are days since 1970-01-01 UTC, with fractions.
    """

    name: str
    median: float
    mean: float
    scale: float
    first: float
    last: float
    year_mean: float
    year_scale: float  # 0 if all are of one year, which is no input
    cycles: tuple[Cycle, ...]
    order: Order
    flagged: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        found = ["days", *["year"] * (self.year_scale > 0)]
        found += [f"{cycle} {which}" for cycle in self.cycles for which in ("sin", "cos")]
        return tuple(f"{self.name} {each}" for each in (*found, *["missing"] * self.flagged))

    def put(self, cells: Cells, inputs: FloatArray) -> None:
        """Fill in this column's inputs, (rows, inputs)."""
        days = np.where(cells.missing, self.median, self.numbers(cells))
        fields = fields_of(days)
        found: list[NDArray[Any]] = [(days - self.mean) / self.scale]
        if self.year_scale > 0:
            found.append((fields["year"] - self.year_mean) / self.year_scale)
        for cycle in self.cycles:
            found += [*circle(CYCLES[cycle])[fields[cycle]].T]
        inputs[:] = np.stack(found + [cells.missing] * self.flagged, axis=1)

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the cells as days since 1970-01-01 UTC, NaN where missing."""
        return _days_of(_dates(self.name, cells, self.order))

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about dates far outside of the learned range, and about missing cells."""
        days, margin = self.numbers(cells), (self.last - self.first) / 20
        for outside, where, end in (
            (days < self.first - margin, "before", f"{_written(self.first)}, the first"),
            (days > self.last + margin, "after", f"{_written(self.last)}, the last"),
        ):
            if outside.any():
                share = f"{100 * outside.mean():.3g} % of the rows"
                yield f"{self.name}: {share} lie {where} {end} date learned"
        if not self.flagged:
            median = _written(self.median)
            yield from cells.new_gaps(self.name, f": filled with {median}, the median")


def learn_dates(name: str, cells: Cells) -> tuple[DateColumn | None, str] | None:
    """Return the encoding of a column of dates, and a line that explains it; None for others.

    Some cells must not be missing. If more than 90 % of the strings are dates in one order, but not
    all of them, it raises ValueError.
    """
    found = dates_in(name, cells)
    if found is None:
        return None
    dates, order, how = found
    days = _days_of(dates)[~cells.missing]
    missing = len(cells.values) - len(days)
    if days.min() == days.max() and not missing:
        return None, f"{name}: left out: every row has {_written(days[0])}"
    fields = fields_of(days)
    varying = [field for field in FIELDS[1:] if (fields[field] != fields[field][0]).any()]
    column = DateColumn(
        name,
        float(np.median(days)),
        *moments(name, days),
        float(days.min()),
        float(days.max()),
        *(moments(name, fields["year"].astype(float)) if "year" in varying else (0.0, 0.0)),
        tuple(cycle for cycle in CYCLES if cycle in varying),
        order,
        missing > 0,
    )
    note = f"{name}: dates{how}: inputs for {', '.join(['elapsed days', *varying])}"
    if missing:
        median = _written(column.median)
        note += f"; {cells.gaps}: filled with {median}, the median, and flagged by an input"
    return column, note


def dates_in(name: str, cells: Cells) -> tuple[NDArray[np.datetime64], Order, str] | None:
    """The dates of a column in UTC, how its texts are read, and a note; None if it has none."""
    if cells.kind == "dates":
        return cells.values, "", ""
    counts = Counter(text for text in cells.texts if text is not None)
    if cells.kind != "texts" or not any(map(_DATE_TEXT.fullmatch, counts)):
        return None
    order, how = _order(counts)
    if sum(counts[text] for text in counts if _date(text, order)) <= _MOST * counts.total():
        return None
    return _dates(name, cells, order, "; clean or drop it"), order, how


def looks_like_date(text: str | None) -> bool:
    """Whether a string is perhaps a date, or missing."""
    known = (_DATE_TEXT, _MAYBE)
    return text is None or any(pattern.fullmatch(text) for pattern in known)


def _days_of(values: NDArray[np.datetime64]) -> FloatArray:
    day = values.astype("M8[D]")
    rest = (values - day) / np.timedelta64(1, "D")
    return np.where(np.isnat(values), np.nan, day.astype(np.int64) + rest)


def _written(days: float) -> str:
    """A date for messages."""
    return text_of(np.datetime64(round(days * 86400), "s"))


def _dates(name: str, cells: Cells, order: Order, way: str = "") -> NDArray[np.datetime64]:
    """The dates of a column in UTC; texts are parsed. ``way`` is what to do if one is no date."""
    if cells.kind == "dates":
        return cells.values
    texts = cells.texts
    if all(text is None or _PLAIN.fullmatch(text) for text in texts):
        with suppress(ValueError):  # of a day that doesn't exist
            return np.array(texts, dtype="M8[us]")  # in a fifth of the time
    known: dict[str | None, datetime | None] = {text: _date(text, order) for text in {*texts}}
    for k, text in enumerate(texts):
        if text is not None and known[text] is None:
            raise ValueError(
                f"column {shown(name)} must hold dates like {_LIKE[order]}2026-11-26, "
                f"got {shown(text)} in row {cells.row(k):,}{way}"
            )
    return np.array([known[text] for text in texts], dtype="M8[us]")


def _order(counts: Counter[str]) -> tuple[Order, str]:
    """Whether the day or the month is first in most texts, "" if these are no dates; and a note.

    Texts with years of two digits may be codes or versions, unless a day above 12 is among them.
    """
    days, months = ({text for text in counts if _date(text, order)} for order in ("day", "month"))
    found = [match for text in counts if (match := _DATE_TEXT.fullmatch(text)) and match["sign"]]
    found = [match for match in found if match[0] in days | months]
    if not found:
        return "", ""
    short, decided = any(len(match["last"]) == 2 for match in found), days != months
    order: Order = "month" if found[0]["sign"] == "/" else "day"
    if decided:
        by_day, by_month = (sum(counts[text] for text in texts) for texts in (days, months))
        order = "day" if by_day >= by_month else "month"
    if short and (not decided or (order == "month" and found[0]["sign"] == ".")):
        return "", ""
    if decided:
        return order, f", {order} first"
    return order, f", taken as {order} first (no day above 12 decides it)"


def _date(text: str | None, order: Order) -> datetime | None:
    """The date of a text in UTC; None if it is none."""
    match = _DATE_TEXT.fullmatch(text or "")
    if not match or (match["sign"] and not order):
        return None
    part = match.groupdict(default="0")
    year, month, day, hour = (int(part[name]) for name in ("year", "month", "day", "hour"))
    if match["only"]:
        month, day = int(match["only"]), 1
    if match["sign"]:
        year, day, month = int(part["last"]), int(part["a"]), int(part["b"])
        if len(part["last"]) == 2:
            year += 2000 if year < 69 else 1900  # as POSIX reads them
        if order == "month":
            month, day = day, month
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (part["half"].lower() == "pm")
    zone = (match["zone"] or "Z").replace("Z", "+0000").replace(":", "")
    ahead = timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:]))
    rest = int(part["minute"]), int(part["second"]), int(part["fraction"][:6].ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, *rest) - ahead
    except (ValueError, OverflowError):
        return None
