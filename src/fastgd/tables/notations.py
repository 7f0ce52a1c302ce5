"""How numbers, durations, dates and times of day are written in strings.

Amounts are numbers with a currency, a percent sign, a unit, or separated thousands. Dates are those
of numbers, with the year, the day or the month first.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import shown
from fastgd.tables.column_values import DURATION, Cells, cells_of, number_of, texts_shown
from fastgd.tables.reading import DECIMALS, LOOKED_AT, Dialect, decimal_in

_CURRENCY = (
    r"(?:[A-Z]{1,3}\$|[$€£¥₹₩₽₺₴₫₪฿₦]|(?:USD|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK"
    r"|HUF|RUB|BRL|MXN|KRW|TRY|SGD|HKD|ILS|THB)(?![A-Z]))"
)
_UNIT = rf"(?!(?i:st|nd|rd|th)\b)(?:{_CURRENCY}|[%‰°]|°?[^\W\d_]+(?:/[^\W\d_]+)?\.?)"
_GROUPS = r"[1-9]\d{0,2}(?:[\s'\u2019]\d{3})+(?:[.,]\d+)?"  # thousands apart: 1 200,50 and 1'200.50
_AMOUNT = re.compile(
    rf"(?P<minus>[-\u2212(]?)\s*(?P<front>{_CURRENCY})?\s*(?P<sign>[-\u2212]?)"
    rf"(?P<number>{_GROUPS}|[.,]?\d[\d.,]*)\s*(?P<unit>{_UNIT})?\s*(?P<closed>\)?)"
)
_APART = re.compile(r"[\s'\u2019]")
_KNOWN = re.compile(
    rf"{_CURRENCY}|%|(?i:kg|mg|lbs?|oz|km|cm|mm|mi|ft|in|yd|ml|cl|kwh?|mw|hp|mph|km/?h|[kmgt]b|ms|sec"
    r"|min|hrs|hours|days|weeks|months|years|miles|feet|inches|pounds)"
)
"""Units that are certainly units: a column that mixes them is refused, one of other words isn't."""

_MISSING = ("", "nan")

_CLOCK = re.compile(r"(?P<hour>\d{1,2}):[0-5]\d(?P<seconds>:[0-5]\d(?:[.,]\d+)?)?")
_HOURS = re.compile(
    r"(?:(?P<d>-?\d+) ?d(?:ays?)?,? \+?(?=\d+:\d+:))?(?:(?P<h>\d+):(?=[0-5]\d:))?"
    r"(?P<m>\d+):(?P<s>[0-5]\d(?:[.,]\d+)?)"
)
_N = r"\d+(?:[.,]\d+)?"
_PARTS = re.compile(  # 3d 4h, 2h30, 90 min; PT1H30M in lower case, but no months
    rf"(?=p?t?\d)(?!p[^t]*m$)p?(?:(?P<w>{_N}) ?(?:w|(?i:wks?|weeks?)),? ?)?"
    rf"(?:(?P<d>{_N}) ?(?:d|(?i:days?)),? ?)?t?(?:(?P<h>{_N}) ?(?:h|(?i:hrs?|hours?)),? ?)?"
    rf"(?:(?P<m>{_N}) ?(?:m|(?i:mins?|minutes?)),? ?)?(?:(?P<s>{_N}) ?(?:s|(?i:secs?|seconds?))"
    r"|(?<=h)(?P<rest>[0-5]\d))?"
)
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "rest": 60}
_CERTAIN = re.compile(r"P|.*(:|\d ?[A-Za-z]{3}|[a-z]+,? ?\d)")
"""What codes such as 3d and 4h don't have."""


def numbers_written(name: str, column: ArrayLike | Cells) -> Cells:
    """Return the cells of a column, and strings as numbers if they all are, in one notation.

    For a table to learn from; cells are returned as they are, and so are strings of digits alone.
    Durations become days. Amounts in several notations raise ValueError.

    Examples
    --------
    >>> cells = numbers_written("price", ["$215,000", None, "$99,500"])
    >>> cells.values, cells.notation
    (array([215000.,     nan,  99500.]), '$')
    >>> numbers_written("floor", ["1st", "2nd"]).kind
    'texts'
    """
    if isinstance(column, Cells):
        return column
    cells = cells_of(name, column)
    if (days := _durations(cells)) is not None:
        return Cells("numbers", days, cells.missing, DURATION, ".", cells.values)
    first: dict[str, int] = {}  # the row where each unit comes first
    parts = []
    for row, text in enumerate(cells.values if cells.kind == "texts" else ()):
        part = amount_of(text)
        if part is None:
            return cells
        parts.append(part)
        if text is not None:
            first.setdefault(part[0], row)
    known = [unit for unit in first if _KNOWN.fullmatch(unit)]
    # Letters behind house numbers are no units, unless all of them may be.
    are_units = all(unit in known or len(unit) < 2 for unit in first)
    if len(first) > 1 and known and (are_units or not all(map(str.isalpha, known))):
        one, other = sorted(first.values())[:2]
        rule = "one unit in all rows" if "" not in first else f"{max(first)} in all rows or in none"
        raise ValueError(
            f"column {shown(name)} must have {rule}, got {shown(cells.values[one])} in row "
            f"{one + 1:,} and {shown(cells.values[other])} in row {other + 1:,}; clean or drop it"
        )
    texts = cells.values[~cells.missing]
    plain = (number_of(text) is not None or text.startswith("(") for text in texts)
    if len(first) != 1 or ("" in first and all(plain)):
        return cells
    [unit] = first
    numbers, decimal = _parsed(name, cells, parts, unit)
    # Of 3,560 columns of strings in R's data sets one was misread: references such as 20,22.
    is_list = not unit and decimal == "," and not any("." in text for text in texts)
    if is_list or None in numbers:
        return cells
    values = np.array(numbers, dtype=np.float64)
    return Cells("numbers", values, cells.missing, unit, decimal, cells.values)


def numbers_like(
    name: str, column: ArrayLike | Cells, notation: str, decimal: str, rule: str
) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where missing: plain ones, or in this notation.

    ``decimal`` is the decimal sign of the strings to learn from, "" if there were none. Other
    cells raise ValueError; ``rule`` begins the message.

    Examples
    --------
    >>> numbers_like("price", ["€ 1.200,50", "7"], "€", ",", "must hold numbers")
    array([1200.5,    7. ])
    """
    cells = cells_of(name, column)
    if cells.kind == "numbers":
        return np.where(cells.missing, np.nan, cells.values)
    texts, is_text = cells.texts, cells.kind == "texts"
    if is_text and decimal and notation != DURATION:
        numbers, _ = _parsed(name, cells, list(map(amount_of, texts)), notation, decimal)
    else:
        days = duration_of if is_text and notation == DURATION else lambda _: None
        plain = number_of if is_text else lambda _: None
        numbers = [
            np.nan if text is None else plain(text) if (n := days(text)) is None else n
            for text in texts
        ]
    wrong = [row for row, number in enumerate(numbers) if number is None]
    if wrong:
        # A single string keeps numbers with a decimal comma from being read as numbers.
        odd = (row for row in wrong if number_of((texts[row] or "").replace(",", ".")) is None)
        row = next(odd, wrong[0])
        raise ValueError(f"{rule}, got {shown(texts[row])} in row {row + 1:,}")
    return np.array(numbers, dtype=np.float64)


def notation_text(cells: Cells) -> str:
    """Say how the numbers of a column are written, with an example; empty for plain numbers."""
    if cells.written is None or cells.missing.all():
        return "durations in days" if cells.notation == DURATION else ""
    known, unit = ~cells.missing, cells.notation
    pairs = zip(map(str, cells.written[known]), cells.values[known], strict=True)
    text, value = max(pairs, key=lambda pair: len(pair[0]))
    if unit == DURATION:
        return f"durations in days: {text} is {value:.6g} ({round(86_400 * value):,} seconds)"
    where = "behind" if text.rstrip(")").endswith(unit) else "in front"
    return f"numbers {f'with {unit} {where}' if unit else 'in strings'}: {text} is {value:.15g}"


def almost_numbers(texts: Collection[str]) -> str:
    """Name the strings that keep a column from being numbers, if they are few."""
    odd = [text for text in texts if amount_of(text) is None]
    odd = min(odd, [text for text in texts if duration_of(text) is None], key=len)
    few = 0 < len(odd) <= len(texts) // 10
    return f"without {texts_shown(map(shown, odd))} they'd be numbers" if few else ""


def amount_of(text: str | None) -> tuple[str, str] | None:
    """The unit and the number in a string, without spaces; None if it isn't an amount."""
    if text is None:
        return _MISSING
    found = _AMOUNT.fullmatch(text)
    if found is None or (found["front"] and found["unit"]):
        return None
    if (found["minus"] == "(") != bool(found["closed"]) or (found["minus"] and found["sign"]):
        return None
    unit, number = found["front"] or found["unit"] or "", found["number"]
    bare = _APART.sub("", number)
    if (number[0] == "0" and number[1:2].isdecimal()) or (not unit and len(number.split()) > 1):
        return None  # a code
    return unit, f"-{bare}" if found["minus"] or found["sign"] else bare


def duration_of(text: str) -> float | None:
    """Return the days of a duration, of two numbers minutes and seconds; None for other strings.

    Examples
    --------
    >>> [round(86400 * duration_of(text)) for text in ("1:02:30", "45:10", "3d 4h", "2h30", "PT1H")]
    [3750, 2710, 273600, 9000, 3600]
    """
    parts_text = text.lower() if text.startswith("P") else text
    found = _HOURS.fullmatch(text) or _PARTS.fullmatch(parts_text)
    if found is None:
        return None
    parts = {unit: each.replace(",", ".") for unit, each in found.groupdict().items() if each}
    # Whole microseconds, as a timedelta has them.
    return round(1e6 * sum(_SECONDS[unit] * float(each) for unit, each in parts.items())) / 864e8


def _durations(cells: Cells) -> NDArray[np.float64] | None:
    """The days of strings that are all durations; None if they are amounts, or times of day.

    Strings such as 11:57 or 09:57:30, all below 24 hours, are times of day, but not if some have
    seconds and some don't, as 45:10 and 1:02:30, and not if all are like 1:02:30.
    """
    texts = {text for text in cells.values.tolist() if text} if cells.kind == "texts" else set()
    if not texts or any(duration_of(text) is None for text in texts):
        return None
    units = {(amount_of(text) or (text,))[0] for text in texts}
    clocks = [found for text in texts if (found := _CLOCK.fullmatch(text))]
    if len(clocks) == len(texts):
        alike = len({found["seconds"] is None for found in clocks}) == 1
        is_short = all(found["seconds"] and len(found["hour"]) == 1 for found in clocks)
        if alike and not is_short and all(int(found["hour"]) < 24 for found in clocks):
            return None
    elif not any(map(_CERTAIN.match, texts)) or len(units) == 1:
        return None
    days = {None: np.nan} | {text: duration_of(text) for text in texts}
    return np.array([days[text] for text in cells.values], dtype=np.float64)


def _parsed(
    name: str, cells: Cells, parts: Sequence[tuple[str, str] | None], unit: str, known: str = ""
) -> tuple[list[float | None], str]:
    """The numbers of strings, plain or with this unit, NaN where missing, and the decimal sign.

    It is the one seen in the first of them, or of their file, or known before, or a point.
    """
    numbers = {part[1]: row for row, part in enumerate(parts) if part}
    try:
        certain, grouped = decimal_in(islice(numbers, LOOKED_AT))
    except ValueError as error:
        raise ValueError(f"{error} in column {shown(name)}") from error
    sign = certain or cells.decimal or known
    if not sign and "." in grouped and re.fullmatch(_CURRENCY, unit):
        raise ValueError(
            f"column {shown(name)} must show its decimal sign, got "
            f"{shown(cells.values[numbers[grouped['.']]])}, which has two meanings: make it "
            "numbers, or give --decimal for a file"
        )
    dialect = Dialect(sign or ".", DECIMALS[sign != ","])
    ours = (part[1] if part and part[0] in ("", unit) else "" for part in parts)
    return [dialect.number(text) for text in ours], dialect.decimal


# ---------------------------------------------------------------- dates


DateOrder = Literal["day", "month", "", "time"]
"""What is first in texts: "" is the year. Those of "time" are times of day, those of 1970-01-01."""

_MOST = 0.9
"""A column of strings with a larger fraction of dates must have nothing else."""

_DATE_TEXT = re.compile(
    r"(?:(?P<year>\d{4})(?:[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})|-(?P<only>\d\d)$)"
    r"|(?P<a>\d{1,2})(?P<sign>[-/.])(?P<b>\d{1,2})[-/.](?P<last>\d{4}|\d{2}))"
    r"(?:[T ](?P<hour>\d{1,2})(?:(?=\s*[AaPp][Mm])"
    r"|:(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)"
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

_LIKE: dict[DateOrder, str] = {
    "day": "dates like 26.11.2026 or 2026-11-26",
    "month": "dates like 11/26/2026 or 2026-11-26",
    "": "dates like 2026-11-26",
    "time": "times of day like 11:57 or 7:05 pm",
}


def dates_in(name: str, cells: Cells) -> tuple[NDArray[np.datetime64], DateOrder, str] | None:
    """The dates of a column in UTC, how its texts are read, and a note; None if it has none."""
    if cells.kind == "dates":
        is_time = not cells.values[~cells.missing].astype("M8[D]").astype(np.int64).any()
        return cells.values, "time" if is_time else "", ""
    counts = Counter(cells.values[~cells.missing].tolist() if cells.kind == "texts" else ())
    order: DateOrder
    if any(map(_DATE_TEXT.fullmatch, counts)):
        order, how = _order(counts)
    elif any(_date(text, "time") for text in counts):
        is_short = any(re.fullmatch(r"\d:\d\d", text) for text in counts)
        order, how = "time", " (minutes and seconds would be like 0:03:45)" * is_short
    else:
        return None
    if sum(counts[text] for text in counts if _date(text, order)) <= _MOST * counts.total():
        return None
    return dates_of(name, cells, order, "; clean or drop it"), order, how


def looks_like_date(text: str | None) -> bool:
    """Whether a string is perhaps a date, or missing."""
    return text is None or any(known.fullmatch(text) for known in (_DATE_TEXT, _MAYBE))


def dates_of(name: str, cells: Cells, order: DateOrder, way: str = "") -> NDArray[np.datetime64]:
    """The dates of a column in UTC; texts are parsed. ``way`` is what to do if one is no date."""
    if cells.kind == "dates":
        return cells.values
    texts = cells.texts
    if order != "time" and all(text is None or _PLAIN.fullmatch(text) for text in texts):
        with suppress(ValueError):  # of a day that doesn't exist
            return np.array(texts, dtype="M8[us]")  # in a fifth of the time
    known: dict[str | None, datetime | None] = {text: _date(text, order) for text in {*texts}}
    for k, text in enumerate(texts):
        if text is not None and known[text] is None:
            rule = f"column {shown(name)} must hold {_LIKE[order]}"
            raise ValueError(f"{rule}, got {shown(text)} in row {cells.row(k):,}{way}")
    return np.array([known[text] for text in texts], dtype="M8[us]")


def _order(counts: Counter[str]) -> tuple[DateOrder, str]:
    """Whether the day or the month is first in most texts, "" if these are no dates; and a note.

    Texts with years of two digits may be codes or versions, unless a day above 12 is among them.
    """
    days, months = ({text for text in counts if _date(text, order)} for order in ("day", "month"))
    found = [match for text in counts if (match := _DATE_TEXT.fullmatch(text)) and match["sign"]]
    found = [match for match in found if match[0] in days | months]
    if not found:
        return "", ""
    short, decided = any(len(match["last"]) == 2 for match in found), days != months
    order: DateOrder = "month" if found[0]["sign"] == "/" else "day"
    if decided:
        by_day, by_month = (sum(counts[text] for text in texts) for texts in (days, months))
        order = "day" if by_day >= by_month else "month"
    if short and (not decided or (order == "month" and found[0]["sign"] == ".")):
        return "", ""
    how = f"{order} first" if decided else f"taken as {order} first (no day above 12 decides it)"
    return order, f", {how}"


def _date(text: str | None, order: DateOrder) -> datetime | None:
    """The date of a text in UTC; None if it is none."""
    if order == "time":
        text, order = f"1970-01-01 {text}", ""
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
