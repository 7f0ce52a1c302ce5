"""What becomes of a column of a table: the decision, from the rows it is learned from."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from shlex import quote
from typing import Literal, NamedTuple, get_args

import numpy as np

from fastgd.checks.messages import many, shown
from fastgd.checks.numbers import check_choice, check_count, check_flag, check_seed
from fastgd.tables.column_values import Cells, FloatArray, correlation, moments, texts_shown
from fastgd.tables.columns import Column, NumberColumn, TargetColumn, TextColumn, learn_dates
from fastgd.tables.notations import almost_numbers, looks_like_date, notation_text


def learn_target_column(
    name: str, cells: Cells, y: FloatArray, seed: int, *, standardize: bool
) -> tuple[TargetColumn, FloatArray]:
    """Return a column of texts as means of the target, and its numbers in these rows, (rows, 1).

    The latter are cross-fitted: each row's number is learned from the rows of other folds, so it
    doesn't contain the row's own target. ``y`` are the (rows, outputs) encoded targets: a number,
    or two classes. It raises ImportError without scikit-learn.
    """
    try:
        from sklearn.model_selection import KFold, StratifiedKFold
        from sklearn.preprocessing import TargetEncoder
    except ImportError as error:
        raise ImportError(
            f'encoding="target" needs scikit-learn: pip install "fastgd[sklearn]" ({error})'
        ) from error
    known = sorted(set(cells.values[~cells.missing].tolist()))
    codes = {None: len(known)} | {text: k for k, text in enumerate(known)}
    X = np.array([codes[text] for text in cells.texts])[:, None]
    is_number = y.shape[1] == 1
    wanted = y[:, 0] if is_number else y.argmax(axis=1)
    fewest = len(y) if is_number else int(min(np.sum(wanted == 0), np.sum(wanted == 1)))
    if fewest < 2:
        raise ValueError(
            "encoding must be 'one-hot' if a class has fewer than 2 rows, got 'target'"
        )
    # Not fit_transform(): its arguments for the seed change in scikit-learn 1.9.
    encoder = TargetEncoder(target_type="continuous" if is_number else "binary")
    splitter = KFold if is_number else StratifiedKFold
    numbers = np.empty((len(y), 1))
    folds = splitter(min(5, fewest), shuffle=True, random_state=seed)
    for others, rows in folds.split(X, wanted):
        numbers[rows] = encoder.fit(X[others], wanted[others]).transform(X[rows])
    encoder.fit(X, wanted)
    mean, scale = moments(name, numbers[:, 0]) if standardize else (0.0, 1.0)
    table = ((encoder.encodings_[0] - mean) / scale).tolist()
    unknown = (float(encoder.target_mean_) - mean) / scale
    missing = table[len(known)] if cells.missing.any() else unknown
    column = TargetColumn(name, tuple(known), tuple(table[: len(known)]), unknown, missing)
    return column, (numbers - mean) / scale


# ---------------------------------------------------------------- what becomes of a column

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

_NAMES = 0.9
"""A column of at least so many rows names them if a larger fraction of its strings is different."""

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

    def check(self) -> None:
        """Raise if a value is not as described there, whatever the table."""
        for role, names in (("drop", self.drop), ("keep", self.keep)):
            if isinstance(names, str) or not isinstance(names, Collection):
                raise TypeError(f"{role} must be a list of column names, got {shown(names)}")
        check_count("max_categories", self.max_categories, minimum=0)
        check_flag("standardize", self.standardize)
        check_seed(self.seed)
        check_choice("encoding", self.encoding, get_args(Encoding))

    def check_targets(self) -> None:
        """Raise if there are no targets for the encoding, or several."""
        if self.encoding == "one-hot":
            return
        if self.y is None:
            raise ValueError("encoding='target' needs y, the encoded targets, got none")
        if self.y.ndim == 2 and self.y.shape[1] > 2:
            raise ValueError(
                f"encoding must be 'one-hot' for {self.y.shape[1]} classes, which have no order, "
                "got 'target'"
            )


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
        return Learned(*dates)
    if cells.kind == "numbers":
        return _learn_numbers(name, cells, kept, standardize=decisions.standardize)
    counts = Counter(cells.values[~cells.missing].tolist())
    if len(counts) == 1 and not missing:
        return Learned(None, f"{name}: left out: every row has {texts_shown(counts)}")
    known, share = rows - missing, len(counts) / (rows - missing)
    if not kept and (share > _NAMES if known >= FEWEST_ROWS else share == 1.0 and known > 2):
        what = "all" if share == 1.0 else "almost all"
        way = _way_back(name, counts)
        return Learned(None, f"{name}: left out: {what} its strings differ{way}")
    return _learn_texts(name, cells, counts, decisions)


def _learn_texts(name: str, cells: Cells, counts: Counter[str], decisions: Decisions) -> Learned:
    most, odd = decisions.max_categories, almost_numbers(counts)
    text = "true or false" if cells.kind == "booleans" else "text"
    if len(counts) > most and decisions.encoding == "target" and decisions.y is not None:
        learned = learn_target_column(
            name, cells, decisions.y, decisions.seed, standardize=decisions.standardize
        )
        note = f"{name}: {text}: the mean of the target for each of {len(counts):,} values"
        return Learned(learned[0], f"{note}; {odd}" if odd else note, learned[1])
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
    if len(categories) > 5:
        note += f" ({len(categories)})"
    if others:
        rows = many(sum(counts[one] for one in others), "row")
        note += f", and one for the {many(len(others), 'rarer value')} (in {rows})"
    if missing:
        note += f", and one for the {many(missing, 'row')} where it is missing"
    if others and odd:
        note += f"; {odd}"
    return Learned(column, note)


def _learn_numbers(name: str, cells: Cells, kept: str, *, standardize: bool) -> Learned:
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
    mean, scale = moments(name, numbers) if standardize else (0.0, 1.0)
    if missing:
        notes.append(f"{cells.gaps}: filled with {median:g}, the median, and flagged by an input")
    note = "; ".join(filter(None, notes))
    column = NumberColumn(
        name, median, mean, scale, missing > 0, cells.notation, cells.decimal, low, high
    )
    return Learned(column, f"{name}: {note}" if note else "")


def _numbers_rows(name: str, numbers: FloatArray) -> bool:
    """Whether these are whole numbers, hardly two the same, that number rows by name or content.

    By content: nearly consecutive, or in order and evenly spaced, as those of orders in a shop.
    """
    rows = len(numbers)
    twice = max(rows >= FEWEST_ROWS, rows // 100)  # so many rows may be in the table twice
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
