"""The columns of a table: what becomes of each is learned from rows, and then applied."""

import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from math import inf, isfinite
from shlex import quote
from typing import Any, ClassVar, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import many, shown
from fastgd.checks.numbers import FloatArray, check_choice, check_count, check_flag, check_seed
from fastgd.formulas.calendar import CYCLES, FIELDS, Cycle, circle, fields_of
from fastgd.tables.column_values import DURATION, Cells, correlation, moments, text_of, texts_shown
from fastgd.tables.notations import (
    DateOrder,
    almost_numbers,
    dates_in,
    dates_of,
    looks_like_date,
    notation_text,
    numbers_like,
)


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, standardized or in bins; missing cells are filled with the median.

    With ``bins``, the increasing edges b_0 to b_T, its T inputs are piecewise linear: input t is 0
    below b_(t-1), 1 above b_t, and linear between them, less CENTER; the first is linear below b_0,
    too, and the last above b_T (PLE of Gorishniy and others 2022, "On Embeddings for Numerical
    Features in Tabular Deep Learning", equation 1; with the outer ones bounded, the error on rows
    beyond b_T was 1.35 times as large in the median of 8 tables, 2.5 times on diamonds by carat).
    With ``clip`` its input z is clipped smoothly to z / sqrt(1 + (z / clip)^2).

    If cells were missing when it was learned, a last input is 1 for missing cells and else 0. The
    numbers it was learned from are from ``low`` to ``high``; in old files both are 0.
    """

    name: str
    median: float
    mean: float
    scale: float
    flagged: bool
    notation: str = ""  # of amounts: $, km
    decimal: str = ""  # the decimal sign of strings; empty if the column held plain numbers
    low: float = 0.0
    high: float = 0.0
    bins: tuple[float, ...] = ()
    clip: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs: those of bins have their edges."""
        own = [f"{self.name} {low:.5g} to {high:.5g}" for low, high in pairwise(self.bins)]
        return (*(own or [self.name]), *[f"{self.name} missing"] * self.flagged)

    @property
    def pieces(self) -> FloatArray:
        """What makes inputs of the number: (inputs, 4) shifts, scales and two bounds."""
        if not self.bins:
            most = LARGEST if self.clip else inf
            return np.array([[self.mean, self.scale, -most, most]])
        starts, widths = np.array(self.bins[:-1]), np.diff(self.bins)
        low, high = (np.full(len(widths), side) for side in (-CENTER, 1.0 - CENTER))
        low[0], high[-1] = -inf, inf
        return np.column_stack([starts + CENTER * widths, widths, low, high])

    def put(self, numbers: FloatArray, inputs: FloatArray) -> None:
        """Fill in this column's inputs, (rows, inputs), from its numbers."""
        missing = np.isnan(numbers)
        own = piecewise(np.where(missing, self.median, numbers), self.pieces, self.clip)
        inputs[:, : own.shape[1]] = own
        if self.flagged:
            inputs[:, -1] = missing

    def derivatives(self, numbers: FloatArray) -> FloatArray:
        """Return the derivatives of the inputs by the number, (rows, inputs), NaN where missing."""
        z, (_, scale, low, high) = piecewise(numbers, self.pieces), self.pieces.T
        found = np.where((z > low) & (z < high), 1.0 / scale, 0.0)
        if self.clip:
            found = found / np.sqrt(1.0 + np.square(z / self.clip)) ** 3
        found[np.isnan(numbers)] = np.nan
        return found

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the cells as numbers, NaN where missing."""
        what = "durations" if self.notation == DURATION else "numbers"
        rule = f"column {shown(self.name)} must hold {what}, as in the training table"
        found = numbers_like(self.name, cells, self.notation, self.decimal, rule)
        return np.where(np.isinf(found), np.nan, found)  # "inf"

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about cells far from those learned, and missing ones if there were none.

        Far is farther from their range than it is wide.
        """
        # Halves, since the difference of two large numbers may overflow a float64.
        half = self.high / 2 - self.low / 2
        numbers = self.numbers(cells)
        off = np.abs(numbers / 2 - (self.low / 4 + self.high / 4)) > 1.5 * half
        if half and off.any():
            where = f"{self.low:g} to {self.high:g}, the range in the training table"
            rows = f"{many(int(off.sum()), 'row')} ({100 * off.mean():.3g} %)"
            yield f"{self.name}: far outside {where}, in {rows}"
        elif _YEARS[0] <= self.low and self.high <= _YEARS[1] and not (self.low + self.high) % 1:
            late = numbers > self.high
            if late.any() and not (numbers % 1 > 0).any():  # whole years
                rows = many(int(late.sum()), "row")
                yield f"{self.name}: after {self.high:g}, the last year learned, in {rows}"
        if not self.flagged:
            gaps = cells if cells.kind == "numbers" else replace(cells, missing=np.isnan(numbers))
            yield from gaps.new_gaps(self.name, f": filled with {self.median:g}, the median")


def piecewise(numbers: NDArray[Any], pieces: FloatArray, clip: float = 0.0) -> NDArray[Any]:
    """The inputs of (rows,) numbers, (rows, inputs), in their precision."""
    shift, scale, low, high = pieces.T.astype(numbers.dtype)
    with np.errstate(over="ignore"):
        z = np.clip((numbers[:, None] - shift) / scale, low, high)
    return np.asarray(z / np.sqrt(1.0 + np.square(z / clip)) if clip else z)


@dataclass(frozen=True)
class StringColumn:
    """A column of strings or booleans, in categories; other strings are unknown."""

    name: str
    categories: tuple[str, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """The index of each category."""
        return {category: k for k, category in enumerate(self.categories)}

    @property
    def unknown_code(self) -> int:
        """The number of unknown strings."""
        return -1

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the index of each cell's category, that of unknown strings, NaN where missing."""
        found = [self.places.get(text or "", self.unknown_code) for text in cells.texts]
        return np.where(cells.missing, np.nan, found)

    def _remarks(self, cells: Cells, known: Container[str], new: str, gap: str) -> Iterator[str]:
        """Say in which rows strings are not known, or missing for the first time if ``gap``."""
        texts = [text for text in cells.texts if text is not None and text not in known]
        if texts:
            what = f"{texts_shown(dict.fromkeys(texts))} in {many(len(texts), 'row')}"
            yield f"{self.name}: {what}: not in the training table; {new}"
        if gap:
            yield from cells.new_gaps(self.name, f"; {gap}")


@dataclass(frozen=True)
class TextColumn(StringColumn):
    """A one-hot encoded column of strings or booleans: one input per category.

    Rare strings, if there were too many, are the ``others``: they and unknown strings are 1 in a
    further input. If there are no others, an unknown string is 0 in all inputs. If cells were
    missing when it was learned, the last input is 1 for missing cells.
    """

    flagged: bool
    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        found = [f"{self.name}={category}" for category in self.categories]
        found += [f"{self.name} other"] * bool(self.others)
        return (*found, *[f"{self.name} missing"] * self.flagged)

    @cached_property
    def places(self) -> dict[str, int]:
        """The index of each category; booleans have other cases in files of other programs."""
        ways = (str, str.lower, str.upper) if set(self.categories) <= {"False", "True"} else (str,)
        return {way(text): k for way in ways for k, text in enumerate(self.categories)}

    @property
    def unknown_code(self) -> int:
        """The number of unknown strings: the index of their input, -1 if there is none."""
        return len(self.categories) if self.others else -1

    def put(self, numbers: FloatArray, inputs: FloatArray) -> None:
        """Fill in this column's inputs, (rows, inputs), from its numbers."""
        last = len(self.names) - 1
        places = np.where(np.isnan(numbers), last, numbers) if self.flagged else numbers
        rows = np.flatnonzero(places >= 0)
        inputs[:] = 0.0
        inputs[rows, places[rows].astype(np.int64)] = 1.0

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about unknown strings, and about missing cells if there were none."""
        none = "these rows have no category"
        new = "these rows are among the others" if self.others else none
        return self._remarks(cells, {*self.places, *self.others}, new, none * (not self.flagged))


@dataclass(frozen=True)
class TargetColumn(StringColumn):
    """A column of strings as one number: the mean of the target for each category.

    The number of category k is ``values[k]``; that of an unknown string is ``unknown``, the mean
    over all rows, and that of a missing cell ``missing``. All are standardized.
    """

    values: tuple[float, ...]
    unknown: float
    missing: float

    flagged: ClassVar[bool] = False  # whether a further input is 1 for missing cells

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (self.name,)

    def put(self, numbers: FloatArray, inputs: FloatArray) -> None:
        """Fill in this column's input, (rows, 1), from its numbers."""
        table = np.array([*self.values, self.unknown, self.missing])
        places = np.where(numbers < 0, len(self.values), numbers)
        inputs[:, 0] = table[np.where(np.isnan(numbers), -1, places).astype(np.int64)]

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about unknown strings, and about missing cells if there were none."""
        mean = "these rows have the mean"
        return self._remarks(cells, self.places, mean, mean * (self.missing == self.unknown))


@dataclass(frozen=True)
class DateColumn:
    """A column of dates as elapsed days, the year, and sine and cosine of what repeats.

    Missing cells are filled with the median; if cells were missing when it was learned, a last
    input is 1 for missing cells and else 0. Dates are days since 1970-01-01 UTC, with fractions;
    times of day are those of this day.
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
    order: DateOrder
    flagged: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        found = ["time" if self.order == "time" else "days", *["year"] * (self.year_scale > 0)]
        found += [f"{cycle} {which}" for cycle in self.cycles for which in ("sin", "cos")]
        return tuple(f"{self.name} {each}" for each in (*found, *["missing"] * self.flagged))

    def put(self, numbers: FloatArray, inputs: FloatArray) -> None:
        """Fill in this column's inputs, (rows, inputs), from its numbers."""
        missing = np.isnan(numbers)
        days = np.where(missing, self.median, numbers)
        parts = fields_of(days)
        found: list[NDArray[Any]] = [(days - self.mean) / self.scale]
        if self.year_scale > 0:
            found.append((parts["year"] - self.year_mean) / self.year_scale)
        for cycle in self.cycles:
            found += [*circle(CYCLES[cycle])[parts[cycle]].T]
        inputs[:] = np.stack(found + [missing] * self.flagged, axis=1)

    def numbers(self, cells: Cells) -> FloatArray:
        """Return the cells as days since 1970-01-01 UTC, NaN where missing."""
        return days_of(dates_of(self.name, cells, self.order))

    def remarks(self, cells: Cells) -> Iterator[str]:
        """Yield lines about dates after those learned or far before, and about missing cells."""
        days, margin = self.numbers(cells), (self.last - self.first) / 20
        # Times of day have no future.
        what, late = ("time", margin) if self.order == "time" else ("date", 0.0)
        first, last = (day_text(number, self.order) for number in (self.first, self.last))
        median = day_text(self.median, self.order)
        for outside, where, end in (
            (days < self.first - margin, "before", f"{first}, the first"),
            (days > self.last + late, "after", f"{last}, the last"),
        ):
            if outside.any():
                share = f"{100 * outside.mean():.3g} % of the rows"
                yield f"{self.name}: {share} lie {where} {end} {what} learned"
        if not self.flagged:
            yield from cells.new_gaps(self.name, f": filled with {median}, the median")


def days_of(values: NDArray[np.datetime64]) -> FloatArray:
    """Days since 1970-01-01, NaN where missing."""
    day = values.astype("M8[D]")
    rest = (values - day) / np.timedelta64(1, "D")
    return np.where(np.isnat(values), np.nan, day.astype(np.int64) + rest)


def day_text(days: float, order: DateOrder = "") -> str:
    """A date, or a time of day, for messages."""
    moment = np.datetime64(round(days * 86400), "s")
    return str(moment)[11:] if order == "time" else text_of(moment)


Column = NumberColumn | TextColumn | TargetColumn | DateColumn


def to_fields(value: Any, kinds: Mapping[str, type[Any]]) -> dict[str, Any]:
    """The fields of an instance of one of these dataclasses, for JSON, and its kind."""
    kind = next(name for name, known in kinds.items() if isinstance(value, known))
    return {"kind": kind, **asdict(value)}


def from_fields(given: Mapping[str, Any], kinds: Mapping[str, type[Any]]) -> Any:
    """Restore what :func:`to_fields` returned; each field must have its declared type.

    A field that has a default may be missing: it is younger than the file.
    """
    kind = kinds[given["kind"]]
    types = get_type_hints(kind)
    needed = {"kind", *(field.name for field in fields(kind) if field.default is MISSING)}
    if not needed <= given.keys() <= {"kind", *types}:
        raise ValueError(f"other fields than those of {kind.__name__}: {list(given)}")
    return kind(**{name: checked(given[name], types[name]) for name in types if name in given})


def checked(value: Any, kind: Any) -> Any:
    """Return a value from JSON, which must have this type; numbers must be finite."""
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(checked(item, get_args(kind)[0]) for item in value)
    is_own = value in get_args(kind) if get_origin(kind) is Literal else isinstance(value, kind)
    if not is_own or (kind is float and not isfinite(value)):
        raise TypeError(f"must be {kind}, got {value!r}")
    return value


# ---------------------------------------------------------------- what becomes of a column

CENTER = 0.5
"""Subtracted from the inputs of bins: the errors on unseen rows of 12 tables were about 1 % smaller
than with 0, and than with the mean of each input."""

CLIP, HEAVY = 3.0, 6.0
"""Bound of the smooth clipping of numbers less their median, divided by the distance of their
quartiles (RealMLP: Holzmüller and others 2024, "Better by Default", section 3.2); it is used where
the largest of these is above HEAVY."""

LARGEST = 1e15
"""Numbers above it are clipped to the same bits as this one."""

Encoding = Literal["one-hot", "target"]

MOST_CATEGORIES = 200
"""Of a column with more different strings, the rarer ones share an input.

142 countries of 12 rows each (gapminder, life expectancy): the mean error is 3.4 years with inputs
for 50 of them, in 17 s of computing time, and 1.0 with all, in 24 s.
"""

_ROW_NUMBERS = ("", "index", "row", "rowid", "rownames", "rownumber", "row_number", "nr", "no")
"""Names of columns that may number the rows; pandas calls a nameless column "Unnamed: 0"."""

_IDENTIFIER = re.compile(r"(.*[\W_])?[iI][dD]|.*[a-z]I[dD]")
"""Names such as customer_id and PassengerId."""

FEWEST_ROWS = 20
"""Fewer whole numbers may be all different and in order by chance."""

_NAMES = 0.5, 0.1
"""A column of FEWEST_ROWS or more names the rows if its different strings are a larger fraction of
them, and most are in one row only: names of people (0.6 to 1 in R's data sets), but neither
materials nor species; or if the categories would have a smaller fraction of the rows: numbers of
cases and orders (0.06), but not of airplanes (0.19)."""

_YEARS = 1500, 2100


class Decisions(NamedTuple):
    """What the caller has decided: the arguments of :meth:`Preparation.learn`."""

    drop: Collection[str] = ()
    max_categories: int = MOST_CATEGORIES
    standardize: bool = True
    keep: Collection[str] = ()
    encoding: Encoding = "one-hot"
    y: FloatArray | None = None
    seed: int = 0
    bins: int = 0
    clip: bool = False
    plain: Collection[str] = ()  # columns that have neither bins nor a bound

    def check(self) -> None:
        """Raise if a value is not as described there, whatever the table."""
        for role, names in (("drop", self.drop), ("keep", self.keep)):
            if isinstance(names, str) or not isinstance(names, Collection):
                raise TypeError(f"{role} must be a list of column names, got {shown(names)}")
        check_count("max_categories", self.max_categories, minimum=0)
        check_count("bins", self.bins, minimum=0)
        check_flag("standardize", self.standardize)
        check_flag("clip", self.clip)
        check_seed(self.seed)
        check_choice("encoding", self.encoding, get_args(Encoding))

    def check_targets(self) -> None:
        """Raise if there are no targets for the encoding, or several."""
        if self.encoding == "target":
            if self.y is None:
                raise ValueError("encoding='target' needs y, the encoded targets, got none")
            if self.y.ndim == 2 and (count := self.y.shape[1]) > 2:
                rule = f"encoding must be 'one-hot' for {count} classes, which have no order"
                raise ValueError(f"{rule}, got 'target'")


class Learned(NamedTuple):
    """The encoding of a column, None if it is left out, and a line that explains it."""

    column: Column | None
    note: str = ""  # empty for numbers without missing cells
    inputs: FloatArray | None = None  # of the rows it was learned from, if put() gives others


def learn_column(name: str, cells: Cells, decisions: Decisions, kept: str = "") -> Learned:
    """Decide on a column; ``kept`` says why it is used even if it numbers or names the rows."""
    rows, missing = len(cells.values), int(cells.missing.sum())
    if missing == rows:
        return Learned(None, f"{name}: left out: every cell is missing")
    if dates := learn_dates(name, cells):
        return dates
    if cells.kind == "numbers":
        return _learn_numbers(name, cells, kept, decisions)
    counts = Counter(cells.values[~cells.missing].tolist())
    if len(counts) == 1 and not missing:
        return Learned(None, f"{name}: left out: every row has {texts_shown(counts)}")
    known, share, most = rows - missing, len(counts) / (rows - missing), decisions.max_categories
    is_once = 2 * sum(count == 1 for count in counts.values()) > len(counts)
    frequent = sum(count for _, count in counts.most_common(most) if count > 1)
    is_long = len(counts) > most > 0 and decisions.encoding == "one-hot"
    is_name = (is_once and share > _NAMES[0]) or (is_long and frequent < _NAMES[1] * known)
    if not kept and (is_name if known >= FEWEST_ROWS else 2 < known <= len(counts)):
        what = f"{len(counts):,} different strings in {known:,} rows, hardly one of them frequent"
        what = "almost all its strings differ" if share > 0.9 else what
        what = "all its strings differ" if share == 1.0 else what
        return Learned(None, f"{name}: left out: {what}{_way_back(name, counts)}")
    return _learn_texts(name, cells, counts, decisions)


def learn_dates(name: str, cells: Cells) -> Learned | None:
    """Return the encoding of a column of dates, and a line that explains it; None for others.

    Some cells must not be missing. If more than 90 % of the strings are dates in one order, but not
    all of them, it raises ValueError.
    """
    found = dates_in(name, cells)
    if found is None:
        return None
    dates, order, how = found
    days = days_of(dates)[~cells.missing]
    missing = len(cells.values) - len(days)
    parts = fields_of(days)
    varying = [part for part in FIELDS[1:] if (parts[part] != parts[part][0]).any()]
    column = DateColumn(
        name,
        float(np.median(days)),
        *moments(name, days),
        float(days.min()),
        float(days.max()),
        *(moments(name, parts["year"].astype(float)) if "year" in varying else (0.0, 0.0)),
        tuple(cycle for cycle in CYCLES if cycle in varying),
        order,
        missing > 0,
    )
    if column.first == column.last and not missing:
        return Learned(None, f"{name}: left out: every row has {day_text(days[0], order)}")
    what, first = ("dates", "elapsed days") if order != "time" else ("times of day", "the time")
    note = f"{name}: {what}{how}: inputs for {', '.join([first, *varying])}"
    if missing:
        median = day_text(column.median, order)
        note += f"; {cells.gaps}: filled with {median}, the median, and flagged by an input"
    return Learned(column, note)


def _learn_texts(name: str, cells: Cells, counts: Counter[str], decisions: Decisions) -> Learned:
    most, odd = decisions.max_categories, almost_numbers(counts)
    text = "true or false" if cells.kind == "booleans" else "text"
    if len(counts) > most and decisions.encoding == "target" and decisions.y is not None:
        means, own = _learn_means(name, cells, decisions.y, decisions)
        note = f"{name}: {text}: the mean of the target for each of {len(counts):,} values"
        return Learned(means, f"{note}; {odd}" if odd else note, own)
    if not most:
        return Learned(None, f"{name}: left out: strings, and max_categories is 0")
    categories = set(counts)
    if len(counts) > most:
        ranked = sorted(counts, key=lambda one: (-counts[one], one))[:most]
        # Where all are different, which keep must have asked for, none is seen twice.
        categories = {one for one in ranked if counts[one] > 1} or set(ranked)
    others = sorted(set(counts) - categories)
    missing = int(cells.missing.sum())
    column = TextColumn(name, tuple(sorted(categories)), missing > 0, tuple(others))
    note = f"{name}: {text}: an input for each of {texts_shown(column.categories)}"
    note += f" ({len(categories)})" * (len(categories) > 5)
    rows = many(sum(counts[one] for one in others), "row")
    note += f", and one for the {many(len(others), 'rarer value')} (in {rows})" * bool(others)
    note += f", and one for the {many(missing, 'row')} where it is missing" * bool(missing)
    return Learned(column, f"{note}; {odd}" if others and odd else note)


def _learn_means(
    name: str, cells: Cells, y: FloatArray, decisions: Decisions
) -> tuple[TargetColumn, FloatArray]:
    """Return a column of texts as means of the target, and its inputs in these rows, (rows,).

    The latter are cross-fitted: each row's number is learned from the rows of other folds, so it
    doesn't contain the row's own target. ``y`` are the (rows, outputs) encoded targets: a number,
    or two classes. It raises ImportError without scikit-learn.
    """
    try:
        from sklearn.model_selection import KFold, StratifiedKFold
        from sklearn.preprocessing import TargetEncoder
    except ImportError as error:
        need = 'encoding="target" needs scikit-learn: pip install "fastgd[sklearn]"'
        raise ImportError(f"{need} ({error})") from error
    known = sorted(set(cells.values[~cells.missing].tolist()))
    codes = {None: len(known)} | {text: k for k, text in enumerate(known)}
    X = np.array([codes[text] for text in cells.texts])[:, None]
    is_number = y.shape[1] == 1
    wanted = y[:, 0] if is_number else y.argmax(axis=1)
    fewest = len(y) if is_number else int(min(np.sum(wanted == 0), np.sum(wanted == 1)))
    if fewest < 2:
        rule = "encoding must be 'one-hot' if a class has fewer than 2 rows"
        raise ValueError(f"{rule}, got 'target'")
    # Not fit_transform(): its arguments for the seed change in scikit-learn 1.9.
    encoder = TargetEncoder(target_type="continuous" if is_number else "binary")
    splitter = KFold if is_number else StratifiedKFold
    numbers = np.empty((len(y), 1))
    folds = splitter(min(5, fewest), shuffle=True, random_state=decisions.seed)
    for others, rows in folds.split(X, wanted):
        numbers[rows] = encoder.fit(X[others], wanted[others]).transform(X[rows])
    encoder.fit(X, wanted)
    mean, scale = moments(name, numbers[:, 0]) if decisions.standardize else (0.0, 1.0)
    table = ((encoder.encodings_[0] - mean) / scale).tolist()
    unknown = (float(encoder.target_mean_) - mean) / scale
    missing = table[len(known)] if cells.missing.any() else unknown
    column = TargetColumn(name, tuple(known), tuple(table[: len(known)]), unknown, missing)
    return column, (numbers[:, 0] - mean) / scale


def _learn_numbers(name: str, cells: Cells, kept: str, decisions: Decisions) -> Learned:
    numbers = cells.values[~cells.missing]
    missing = len(cells.values) - len(numbers)
    low, high = float(numbers.min()), float(numbers.max())
    if low == high and not missing:
        return Learned(None, f"{name}: left out: every row has {low:g}")
    notes = [notation_text(cells)]
    if _numbers_rows(name, numbers):
        if not kept:
            way = _way_back(name, cells.texts)
            return Learned(None, f"{name}: left out: it numbers the rows{way}")
        notes.append(f"it numbers the rows, and is used: {kept}")
    # Halves, since the sum of two large numbers may overflow a float64.
    median = float(np.median(numbers / 2) * 2)
    mean, scale = moments(name, numbers) if decisions.standardize else (0.0, 1.0)
    bins, clip = tuple[float, ...](), 0.0
    varied = (numbers != low).any() and (numbers[numbers != low] != high).any()
    if decisions.standardize and varied and name not in decisions.plain:
        # Cells of the table, selected with whole numbers: the same bits on every machine.
        ranked, last = np.sort(numbers), len(numbers) - 1
        if decisions.bins:
            count = min(decisions.bins, last)
            edges = ranked[np.arange(count + 1) * last // count]
            bins = tuple(np.unique(edges).tolist())
        elif decisions.clip:
            first, third = ranked[[last // 4, 3 * last // 4]].tolist()
            spread = third - first
            if 0 < HEAVY * spread < max(high - median, median - low):
                mean, scale, clip = median, spread, CLIP
    if missing:
        notes.append(f"{cells.gaps}: filled with {median:g}, the median, and flagged by an input")
    note = "; ".join(filter(None, notes))
    column = NumberColumn(
        name, median, mean, scale, missing > 0, cells.notation, cells.decimal, low, high, bins, clip
    )
    return Learned(column, f"{name}: {note}" if note else "")


def _numbers_rows(name: str, numbers: FloatArray) -> bool:
    """Whether these are whole numbers, hardly two the same, that number rows by name or content.

    By content: nearly consecutive, or in order and evenly spaced, as those of orders in a shop.
    """
    rows = len(numbers)
    twice = max(rows >= FEWEST_ROWS, rows // 100)  # this number of rows may be in the table twice
    if (numbers % 1).any() or len(np.unique(numbers)) < rows - twice:
        return False
    known = name.strip().lower() in _ROW_NUMBERS or name.startswith("Unnamed: ")
    if known or _IDENTIFIER.fullmatch(name.strip()):
        return True
    low, high = numbers.min(), numbers.max()
    if rows < FEWEST_ROWS or (_YEARS[0] <= low and high <= _YEARS[1]):
        return False
    if high - low < 1.3 * rows:  # 80 % of the rows are learned from, and a few have gaps
        return True
    is_ordered = abs(np.sign(np.diff(numbers)).sum()) >= rows - 1 - 2 * twice
    # A measurement in order of its size is not so even: 0.95 for a normal distribution.
    return bool(is_ordered and correlation(numbers, np.arange(rows)) ** 2 > 0.98)


def _way_back(name: str, texts: Iterable[str | None]) -> str:
    dates = all(map(looks_like_date, texts))
    hint = "; if these are dates, write them as 2026-11-26" if dates else ""
    return f"{hint} (keep=[{shown(name)}] or --keep {quote(name)} uses it)"
