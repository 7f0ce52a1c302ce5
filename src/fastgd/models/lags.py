"""Lags: the target's last values in its group as inputs, those known when a forecast is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import many, shown
from fastgd.checks.numbers import FloatArray
from fastgd.models.fit_choices import Choices
from fastgd.models.row_splits import LEAST_ROWS, FitRows, RowOrder, Season
from fastgd.store import Arrays
from fastgd.store.npz import Found
from fastgd.tables.column_values import Cells, cells_of, in_order, moments
from fastgd.tables.columns import NumberColumn
from fastgd.tables.notations import DateOrder
from fastgd.tables.preparation import Preparation, some_rows
from fastgd.tables.targets import NumberTarget, Target
from fastgd.training.codec import JsonValues, array_of, need, text
from fastgd.training.run import Run


class Lags(NamedTuple):
    """The last values of the target in each group, of which the lags of later rows are made.

    A forecast reaches ``horizon`` rows of a group ahead, so that the lags of a row are those
    ``horizon``, ``horizon + 1``, ... rows before it: each step of a forecast uses values that are
    known when it is made. Of a row less than ``horizon`` steps ahead these are known as well.
    """

    target: str
    order: RowOrder
    lags: int
    horizon: int
    step: float  # the time from a row to the next, that is as long or shorter in nine of ten
    codes: Integers  # (n,): the group of each value,
    times: FloatArray  # (n,): its place in the order, which is sorted within the group, and
    values: FloatArray  # (n,): the value

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [f"{self.target} lag {k + 1}" for k in range(self.lags)]

    def has(self, line: str) -> bool:
        """Whether a note is about one of the columns."""
        return line.startswith(tuple(f"{name}: " for name in self.names))

    @classmethod
    def learn(
        cls,
        order: RowOrder,
        target: str,
        size: tuple[int, int],
        rows: tuple[Integers, FloatArray, FloatArray],
        group_of: Callable[[int], str],
    ) -> tuple[Lags, dict[str, Cells], NDArray[np.bool_]]:
        """Return the lags of rows that have a target as columns, and which rows have all of them.

        ``size`` is the number of lags and the horizon; of each row the group, the place in the
        order and the target are known. ``group_of`` a code is the end of a message.
        """
        (count, horizon), (codes, times, values) = size, rows
        inside = np.lexsort((times, codes))
        codes, times, values = codes[inside], times[inside], values[inside]
        gaps, same = np.diff(times), np.diff(codes) == 0
        if (ties := np.flatnonzero(same & (gaps == 0))).size:
            came = f"{order.text(times[ties[0]])} twice{group_of(codes[ties[0]])}"
            raise ValueError(
                f"lags needs one row for each value of {shown(order.name)}, got {came}"
            )
        sizes = np.bincount(codes)
        if sizes.min() < count + horizon:
            needed = f"at least {count + horizon} rows (lags {count} + horizon {horizon})"
            came = f"{sizes.min()}{group_of(int(sizes.argmin()))}"
            raise ValueError(f"lags needs {needed} in order, got {came}")
        gaps = np.sort(gaps[same])
        found = cls(target, order, count, horizon, float(gaps[9 * len(gaps) // 10]), *rows)
        columns, _ = found._of(*rows)
        place = np.arange(len(codes)) - (np.cumsum(sizes) - sizes)[codes]
        last = place >= sizes[codes] - (horizon + count - 1)
        kept = found._replace(codes=codes[last], times=times[last], values=values[last])
        return kept, found._named(columns), np.asarray(~np.isnan(columns).any(axis=1))

    def note(self, whole: NDArray[np.bool_]) -> str:
        """Say what the columns are, and how many rows are left out since they don't have all."""
        first, last = self.horizon, self.horizon + self.lags - 1
        which = f"{first} to {last} rows" if last > first else many(first, "row")
        names = f"{self.names[0]} to {self.lags}" if self.lags > 1 else self.names[0]
        what = f"{names}: {self.target} {which} before by {self.order.name}"
        return f"{what}; {many(int((~whole).sum()), 'row')} left out that have no such"

    def _named(self, columns: FloatArray) -> dict[str, Cells]:
        pairs = zip(self.names, columns.T, strict=True)
        return {name: cells_of(name, np.ascontiguousarray(column)) for name, column in pairs}

    def added(
        self, columns: Mapping[str, Any], target: NumberTarget, codes: Integers | None = None
    ) -> tuple[Mapping[str, Any], list[str]]:
        """Return a table with its lags, and a line if rows lie further ahead than the horizon.

        Besides the values learned, those that the table itself has are known. ``codes`` are the
        groups of its rows, -1 if it isn't known.
        """
        absent = [name for name in self.names if name not in columns]
        if not absent:
            return columns, []
        name, values = self.order.name, np.full(len(next(iter(columns.values()))), np.nan)
        if name not in columns:
            raise ValueError(f"the table must have the column {shown(name)}, which orders its rows")
        times = self.order.values(cells_of(name, columns[name]))
        if self.target in columns:
            cells = cells_of(self.target, columns[self.target])
            plain, known = replace(target, mean=0.0, scale=1.0), ~cells.missing
            values[known] = plain.encode(cells[known])[:, 0] if known.any() else ()
        codes = np.zeros(len(times), np.int64) if codes is None else codes
        found, beyond = self._of(codes, times, values)
        made = self._named(found)
        lines = []
        if beyond.any():
            lines.append(
                f"{name}: {many(int(beyond.sum()), 'row')} more than {many(self.horizon, 'step')} "
                "ahead, the horizon: the last values known are the lags"
            )
        return {**columns, **{name: made[name] for name in absent}}, lines

    def _of(
        self, codes: Integers, times: FloatArray, values: FloatArray
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The lags of rows, (rows, count), and whether each lies further ahead than the horizon."""
        moments_known = np.unique(np.concatenate([self.times, times[~np.isnan(times)]]))
        width = len(moments_known) + 1

        def key(group: Integers, time: FloatArray) -> Integers:
            return np.asarray(group * width + np.searchsorted(moments_known, time))

        usable = (codes >= 0) & ~np.isnan(times)
        fresh = usable & ~np.isnan(values)
        keys = np.concatenate([key(codes[fresh], times[fresh]), key(self.codes, self.times)])
        keys, first = np.unique(keys, return_index=True)  # the table's own values come first
        numbers = np.concatenate([values[fresh], self.values])[first]
        mine = np.where(usable, key(codes, times), -1)
        # Known values before each row, of all groups, and of the groups before its own.
        before, start = np.searchsorted(keys, mine), np.searchsorted(keys, codes * width)
        has_any = usable & (before > start)
        previous = keys[before - 1]
        # How many steps a row is ahead of the values known before it: rows in between count, and
        # those left out of the table by the time that passes.
        unknown = np.unique(mine[~np.isin(mine, keys)])
        rank = np.searchsorted(unknown, mine, "right") - np.searchsorted(unknown, previous)
        with np.errstate(invalid="ignore"):
            passed = (times - moments_known[previous % width]) / self.step
        steps = np.maximum(rank, np.rint(np.where(has_any, passed, 0.0)))
        steps = np.where(np.isin(mine, keys), 1, steps).astype(np.int64)
        at = before - 1 + np.minimum(steps - self.horizon, 0)
        places = at[:, None] - np.arange(self.lags)
        known = has_any[:, None] & (places >= start[:, None])
        return np.where(known, numbers[places], np.nan), has_any & (steps > self.horizon)


def decode_order(found: Any) -> RowOrder:
    """The RowOrder of a file, checked."""
    name, dates, season = found
    need(dates in (None, *get_args(DateOrder)) and season in get_args(Season))
    return RowOrder(text(name), dates, season)


def encode_lags(lags: Lags) -> tuple[JsonValues, Arrays]:
    """A Lags as a header and arrays."""
    fields = lags._asdict()
    arrays = {f"lags_{name}": fields.pop(name) for name in ("codes", "times", "values")}
    return fields | {"order": list(lags.order)}, arrays


def decode_lags(header: Any, arrays: Found, target: Target, groups: int) -> Lags | None:
    """The Lags of a file, checked; None if it has none."""
    if header is None:
        return None
    count, horizon, step = (header[name] for name in ("lags", "horizon", "step"))
    need(isinstance(target, NumberTarget) and header["target"] == target.name)
    need(type(count) is int and count > 0 and type(horizon) is int and horizon > 0)
    need(isinstance(step, float) and step > 0)
    rows = array_of(arrays, "lags_codes", "i", arrays["lags_codes"].shape[:1])
    times, values = (array_of(arrays, f"lags_{n}", "f", rows.shape) for n in ("times", "values"))
    need(bool(np.isfinite([times, values]).all() and (rows >= 0).all() and (rows < groups).all()))
    order = decode_order(header["order"])
    fields = {**header, "order": order, "codes": rows, "times": times, "values": values}
    need(fields.keys() == {*Lags._fields})
    return Lags(**fields)


def with_lags(table: FitRows, target: str, choices: Choices) -> tuple[FitRows, Lags | None]:
    """Return the rows that have all lags, with these, if lags are asked for."""
    if not choices.lags or table.wanted.kind != "numbers":  # classes are rejected later
        return table, None
    order, times = table.order, table.last
    assert order is not None
    assert times is not None
    rows = np.zeros(len(times), np.int64), times, table.wanted.values
    size = choices.lags, choices.horizon

    def group_of(_: int) -> str:
        return ""

    lags, columns, whole = Lags.learn(order, target, size, rows, group_of)
    least = LEAST_ROWS + choices.lags + choices.horizon - 1
    if len(whole) < least:
        rule = f"the table must have at least {least} rows with a target for these lags"
        raise ValueError(f"{rule}, got {len(whole)}")
    columns = {name: column for name, column in columns.items() if name not in table.inputs}
    inputs = some_rows({**table.inputs, **columns}, whole)
    facts: dict[str, Any] = {"inputs": inputs, "notes": [*table.notes, lags.note(whole)]}
    facts |= {"wanted": table.wanted[whole], "weights": table.weights[whole], "last": times[whole]}
    return table._replace(**facts), lags


# ---------------------------------------------------------------- learning the change


def learns_changes(
    lags: Lags | None,
    columns: Mapping[str, Any],
    values: FloatArray,
    rows: Integers,
    codes: Integers | None = None,
) -> bool:
    """Whether the change since the last value varies less within groups than the target does.

    It does so in a trend or a random walk, and then networks learn the change, as none of them
    extrapolates a level: in Cigar and Produc the unseen errors one step ahead were 2.2 times
    smaller. The rows are those that the networks learn from.
    """
    if lags is None or (cells := cells_of(lags.names[0], columns[lags.names[0]])).kind != "numbers":
        return False
    rows = rows[~cells.missing[rows]]
    codes = np.zeros(len(values), np.int64) if codes is None else codes
    codes, spreads = codes[rows], []
    for each in (values[rows], (values - cells.values)[rows]):
        means = np.bincount(codes, each) / np.maximum(np.bincount(codes), 1)
        spreads.append(in_order((each - means[codes]) ** 2))
    return spreads[1] < spreads[0]


def last_value(lags: Lags | None, preparation: Preparation, target: Target) -> FloatArray | None:
    """The first lag in units of the encoded target: coefficients of the inputs, and intercept."""
    if lags is None or not isinstance(target, NumberTarget):
        return None
    found, at = np.zeros(len(preparation.names) + 1), 0
    for column in preparation.columns:
        if column.name == lags.names[0] and isinstance(column, NumberColumn):
            found[[at, -1]] = column.scale, column.mean - target.mean
            return found / target.scale
        at += len(column.names)
    return None


def values_of(coefficients: FloatArray, X: FloatArray) -> FloatArray:
    """The sums of prepared inputs with these coefficients, and the intercept, (rows, 1)."""
    found = np.full((len(X), 1), coefficients[-1])
    for k in np.flatnonzero(coefficients[:-1]):
        found += X[:, [k]] * coefficients[k]
    return found


class Skip(NamedTuple):
    """The last value, which is added to a network's outputs, and the unit of these."""

    last: FloatArray  # (inputs + 1,): its coefficients; the mean change is in the intercept
    unit: float

    @classmethod
    def of(cls, last: FloatArray, X: FloatArray, y: FloatArray) -> Skip:
        """Learn mean and deviation of the change from prepared rows and encoded targets."""
        mean, unit = moments("the change", (y - values_of(last, X))[:, 0])
        return cls(last + np.append(np.zeros(len(last) - 1), mean), unit)

    def taken(self, y: FloatArray, X: FloatArray) -> FloatArray:
        """Return what a network learns, for encoded targets (rows, 1)."""
        return np.asarray((y - values_of(self.last, X)) / self.unit)

    def added(self, outputs: FloatArray, X: FloatArray) -> FloatArray:
        """Return encoded predictions, for a network's outputs (..., rows, 1)."""
        return np.asarray(outputs * self.unit + values_of(self.last, X))

    def folded(self, run: Run) -> Run:
        """Return a relu network that adds it: two more units of each hidden layer pass it on.

        They are relu(v) and relu(-v), whose difference is v. So whatever takes a network, such as
        an export, needs nothing else.
        """
        first, signs = self.last[:-1, None], np.array([[1.0, -1.0]])
        weights, biases, end = [], [], len(run.weights) - 1
        for k, (own, bias) in enumerate(zip(run.weights, run.biases, strict=True)):
            if k == end:
                own, bias = own * self.unit, bias * self.unit
            if k == end == 0:
                own, bias = own + first, bias + self.last[-1]
            elif k == 0:
                own = np.hstack([own, first * signs])
                bias = np.concatenate([bias, self.last[-1] * signs[0]])
            elif k == end:
                own = np.vstack([own, signs.T])
            else:
                zeros = np.zeros((len(own), 2))
                own = np.block([[own, zeros], [np.zeros((2, own.shape[1])), np.eye(2)]])
                bias = np.concatenate([bias, np.zeros(2)])
            weights.append(own)
            biases.append(bias)
        changes = [np.zeros(each.shape, np.int64) for each in (*weights, *biases)]
        return replace(
            run,
            hidden_size=tuple(size + 2 for size in run.hidden_size),
            weights=tuple(weights),
            biases=tuple(biases),
            direction_changes=tuple(changes[: len(weights)]),
            bias_direction_changes=tuple(changes[len(weights) :]),
            state=None,
            sample_hashes=None,
        )
