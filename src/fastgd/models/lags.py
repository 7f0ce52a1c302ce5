"""Lags: the target's last values in its group as inputs, those known when a forecast is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import many, shown
from fastgd.checks.numbers import FloatArray
from fastgd.models.fit_choices import Choices
from fastgd.models.row_splits import LEAST_ROWS, FitRows, RowOrder
from fastgd.store import Arrays
from fastgd.store.npz import Found
from fastgd.tables.column_values import Cells, cells_of
from fastgd.tables.notations import DateOrder
from fastgd.tables.preparation import some_rows
from fastgd.tables.targets import NumberTarget, Target
from fastgd.training.codec import JsonValues, array_of, need, text


class Lags(NamedTuple):
    """The last values of the target in each group, from which forecasts are made.

    The lags of a row are the last values known some steps before it. A row that is learned from has
    a drawn number of steps, at most ``horizon``, and a row after the values known as many as it is
    ahead; this number is an input, too. So one network makes all steps of a forecast, each from the
    last values known when it is made, and from none after these.
    """

    target: str
    order: RowOrder
    lags: int
    horizon: int
    step: float  # the time from a row to the next, that is as long or shorter in nine of ten
    codes: Integers  # (n,): the group of each value known,
    times: FloatArray  # (n,): its place in the order, and
    values: FloatArray  # (n,): the value

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        ahead = [f"{self.target} steps ahead"] if self.horizon > 1 else []
        return [f"{self.target} lag {k + 1}" for k in range(self.lags)] + ahead

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
        seed: int,
        labels: Sequence[Any] = (),
    ) -> tuple[Lags, Integers]:
        """Return the values of all rows, and the steps drawn for each, 0 if it has no such lags.

        ``size`` is the number of lags and the horizon; ``rows`` are group, place in the order and
        target of each row, and ``labels`` those of the groups, for messages.
        """
        (count, horizon), (codes, times, _) = size, rows
        inside = np.lexsort((times, codes))
        gaps, same = np.diff(times[inside]), np.diff(codes[inside]) == 0

        def of(code: int) -> str:
            return f" in {shown(labels[code])}" if len(labels) else ""

        if (ties := np.flatnonzero(same & (gaps == 0))).size:
            rule, row = f"lags needs one row for each value of {shown(order.name)}", inside[ties[0]]
            where = of(codes[row]) or ": fit_groups has a series for each group"
            raise ValueError(f"{rule}, got {order.text(times[row])} twice{where}")
        sizes = np.bincount(codes)
        if sizes.min() <= count:
            came = f"{many(int(sizes.min()), 'row')}{of(int(sizes.argmin()))}"
            raise ValueError(f"lags must be below the number of rows, got {count} with {came}")
        gaps = np.sort(gaps[same])
        place = np.empty_like(codes)
        place[inside] = np.arange(len(codes)) - (np.cumsum(sizes) - sizes)[codes[inside]]
        most = np.clip(place - count + 1, 0, horizon)
        # A stream of its own: tables made up with default_rng(seed) would be split by a column.
        draw = np.random.default_rng([seed, 2]).random(len(codes))
        drawn = np.where(most > 0, 1 + (draw * most).astype(np.int64), 0)
        return cls(target, order, count, horizon, float(gaps[9 * len(gaps) // 10]), *rows), drawn

    def where(self, known: NDArray[np.bool_]) -> Lags:
        """Return it with some of the values only."""
        codes, times, values = self.codes[known], self.times[known], self.values[known]
        return self._replace(codes=codes, times=times, values=values)

    @property
    def latest(self) -> Lags:
        """The same with the last values of each group: what later rows, and the last ones, need."""
        sizes = np.bincount(self.codes)
        inside = np.lexsort((self.times, self.codes))
        left = np.empty_like(self.codes)
        left[inside] = np.cumsum(sizes)[self.codes[inside]] - np.arange(len(inside))
        return self.where(left <= self.horizon + self.lags)

    @property
    def note(self) -> str:
        """Say what the columns are."""
        steps = f"1 to {self.horizon} steps" if self.horizon > 1 else "a step"
        names = f"{self.names[0]} to {self.lags}" if self.lags > 1 else self.names[0]
        left = f"the first {many(self.lags, 'row')} left out, before which it isn't known"
        return f"{names}: {self.target} as last known {steps} before, by {self.order.name}; {left}"

    def added(
        self, columns: Mapping[str, Any], target: NumberTarget, codes: Integers | None = None
    ) -> tuple[Mapping[str, Any], list[str]]:
        """Return a table with its lags, and a line if rows lie further ahead than the horizon.

        Values that the table itself has are known, too, unless they come after those learned: these
        are known before the first row of the group whose target is missing, which is the first to
        forecast. ``codes`` are the groups of the rows, -1 where it isn't known.
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
        count = int(max(self.codes.max(), codes.max())) + 1
        learned, forecast = np.full(count, -np.inf), np.full(count, np.inf)
        np.maximum.at(learned, self.codes, self.times)
        later = (codes >= 0) & np.isnan(values) & (times > learned[codes])
        np.minimum.at(forecast, codes[later], times[later])
        forecast[np.isinf(forecast)] = -np.inf
        known = (codes >= 0) & (times <= np.maximum(learned, forecast)[codes]) & ~np.isnan(values)
        every = self._replace(
            codes=np.concatenate([codes[known], self.codes]),
            times=np.concatenate([times[known], self.times]),
            values=np.concatenate([values[known], self.values]),
        )
        made, beyond = every.columns(codes, times)
        lines = []
        if beyond:
            lines.append(
                f"{name}: {many(beyond, 'row')} more than {many(self.horizon, 'step')} ahead, the "
                "horizon: predicted as the last step of it"
            )
        return {**columns, **{name: made[name] for name in absent}}, lines

    def columns(
        self, codes: Integers, times: FloatArray, drawn: Integers | None = None
    ) -> tuple[dict[str, Cells], int]:
        """Return the lags of rows, and the number of rows further ahead than the horizon.

        Rows whose value is known are ``drawn`` steps ahead of their lags, by default one; where it
        is missing, a row's group, -1, or its place in the order, NaN, isn't known.
        """
        usable = (codes >= 0) & ~np.isnan(times)
        ordered = np.unique(np.concatenate([self.times, times[usable]]))
        width = len(ordered) + 1
        keys = self.codes * width + np.searchsorted(ordered, self.times)
        keys, first = np.unique(keys, return_index=True)  # of two values the first one
        mine = np.where(usable, codes * width + np.searchsorted(ordered, times), -1)
        # Known values before each row, of all groups, and of the groups before its own.
        before, start = np.searchsorted(keys, mine), np.searchsorted(keys, codes * width)
        has_any, is_known, previous = (
            usable & (before > start),
            np.isin(mine, keys),
            keys[before - 1],
        )
        # Other rows in between count as steps, and so does the time that passes without rows.
        unknown = np.unique(mine[~is_known])
        between = np.searchsorted(unknown, mine, "right") - np.searchsorted(unknown, previous)
        passed = np.where(has_any, times - ordered[previous % width], 0.0) / self.step
        ahead = np.where(has_any, np.maximum(between, np.rint(passed)), 1).astype(np.int64)
        ahead[is_known] = 1 if drawn is None else drawn[is_known]
        places = before - np.where(is_known, np.maximum(ahead, 1), 1)
        places = places[:, None] - np.arange(self.lags)
        known = has_any[:, None] & (places >= start[:, None])
        found = np.where(known, self.values[first][places], np.nan)
        made = [*found.T, np.minimum(ahead, self.horizon).astype(np.float64)]
        cells = {
            name: cells_of(name, np.ascontiguousarray(column))
            for name, column in zip(self.names, made, strict=False)
        }
        return cells, int((ahead > self.horizon).sum())


def decode_order(found: Any) -> RowOrder:
    """The RowOrder of a file, checked."""
    name, dates = found
    need(dates in (None, *get_args(DateOrder)))
    return RowOrder(text(name), dates)


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
    lags, drawn = Lags.learn(order, target, (choices.lags, choices.horizon), rows, choices.seed)
    least, whole = LEAST_ROWS + choices.lags, drawn > 0
    if len(whole) < least:
        rule = f"the table must have at least {least} rows with a target for {choices.lags} lags"
        raise ValueError(f"{rule}, got {len(whole)}")
    columns, _ = lags.columns(*rows[:2], drawn)
    columns = {name: column for name, column in columns.items() if name not in table.inputs}
    inputs = some_rows({**table.inputs, **columns}, whole)
    facts: dict[str, Any] = {"inputs": inputs, "notes": [*table.notes, lags.note]}
    facts |= {"wanted": table.wanted[whole], "weights": table.weights[whole], "last": times[whole]}
    return table._replace(**facts), lags.latest
