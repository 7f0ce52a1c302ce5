"""Rolling origin: cutoffs in time, and the rows of groups before and after each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import many, shown
from fastgd.checks.numbers import FloatArray
from fastgd.formulas.calendar import fields_of
from fastgd.models.group_keys import Keys
from fastgd.models.group_training import GroupRows
from fastgd.models.row_splits import RowOrder

BoolArray = NDArray[np.bool_]

CUTOFFS = 3
"""Their number by default."""

FEWEST_STEPS = 3
"""Steps before the first cutoff, at least: one to validate, two to learn from."""

SHORT = 0.1
"""The fraction of groups that may be too short for the horizon: they are not judged."""

LEARNED = 3
"""The first cutoff is after a third of a group's steps, if cutoffs needn't be earlier."""


NAIVE = ("last value", "seasonal naive")
"""Forecasts that models are compared with: the last target of the group, and the last one at the
same step of the season. They are no choice of ``model="best"``: on nine panels, models chosen by
their errors at the cutoffs had errors 4 % larger than the networks, up to twice those claimed."""


class Split(NamedTuple):
    """The rows that a fit uses, and those among them that it doesn't learn from, all (rows,)."""

    some: BoolArray
    held: BoolArray  # in a validation set
    test: BoolArray  # in a test set

    @classmethod
    def random(cls, held: BoolArray, test: BoolArray) -> Split:
        """Return that of all rows, with these sets."""
        return cls(np.ones_like(held), held, test)

    @property
    def learned(self) -> BoolArray:
        """The rows that it learns from."""
        return self.some & ~(self.held | self.test)


class Forecasts(NamedTuple):
    """Predictions of rows after cutoffs, by models that have learned from the rows before."""

    codes: Integers  # (rows,): the index of the group
    cutoff: Integers  # (rows,)
    step: Integers  # (rows,): steps after the cutoff, from 0
    outputs: FloatArray  # (rows, outputs)
    targets: FloatArray  # (rows, outputs)


class Judged(NamedTuple):
    """Fields of GroupModels, and the forecasts that were judged."""

    measured: dict[str, NDArray[Any]]
    compared: dict[str, FloatArray]
    cutoffs: dict[str, NDArray[Any]]
    forecasts: Forecasts

    @property
    def notes(self) -> list[str]:
        """Say that a naive forecast is better in the median group, if so."""
        errors = self.measured["test_error"]
        ours = np.inf if np.isnan(errors).all() else float(np.nanmedian(errors))
        known = [name for name in NAIVE if name in self.compared]
        best, name = min((float(np.nanmedian(self.compared[name])), name) for name in known)
        line = (
            f"{name}: the better forecast: median error {best:.4g}, that of the models {ours:.4g}"
        )
        return [line] if best < ours else []


class Cutoffs(NamedTuple):
    """The splits of several cutoffs, and the last one of all rows, which has no test set."""

    order: RowOrder
    splits: tuple[Split, ...]
    horizon: int
    step: Integers  # (rows,): the place of each in the time of its group, from 0; ties share it
    starts: Integers  # (cutoffs, groups): the first step of each test set
    after: FloatArray  # (cutoffs, groups): the time of the last step before it
    short: int  # the number of groups that have too few steps to be judged

    @classmethod
    def of(
        cls,
        order: RowOrder,
        time: FloatArray,
        codes: Integers,
        keys: Keys,
        share: float,
        horizon: int | None,
        count: int,
        hold: Callable[[Integers], BoolArray],
        lags: int = 0,
    ) -> Cutoffs:
        """Place cutoffs in each group; ``hold`` draws validation rows from those before each.

        The last cutoff leaves ``horizon`` steps, and each other one comes as many steps earlier, or
        fewer where the first one would leave less than a third of the group. The first steps of a
        group, which don't have all ``lags``, are in no split. Validation rows that are drawn made
        errors of forecasts 17 % smaller than the last ones before a cutoff did (the geometric mean
        over eight panels).
        """
        sorted_rows = np.lexsort((time, codes))
        code, at = codes[sorted_rows], time[sorted_rows]
        is_first = np.r_[True, code[1:] != code[:-1]]
        rank = np.cumsum(is_first | np.r_[True, at[1:] != at[:-1]]) - 1
        step = np.empty(len(codes), np.int64)
        step[sorted_rows] = rank - rank[is_first][code]
        steps = np.zeros(len(keys), np.int64)
        np.maximum.at(steps, codes, step + 1)
        most = steps - lags - FEWEST_STEPS - (count - 1)
        if horizon is None:
            wanted = int(np.rint(share * np.median(steps) / count))
            horizon = max(1, min(wanted, int(np.median(most))))
        elif (most < horizon).mean() > SHORT:
            group = int(steps.argmin())
            raise ValueError(
                f"horizon must leave {FEWEST_STEPS} steps{' with all lags' * bool(lags)} before "
                f"the first of {many(count, 'cutoff')} in each group, got {horizon} with "
                f"{many(int(steps[group]), 'step')} in {shown(list(keys)[group])}"
            )
        judged = most >= horizon
        if not judged.any():
            rule = (
                f"test_last must have at least {FEWEST_STEPS + count} different values in a group"
            )
            raise ValueError(f"{rule}, got {steps.max()}: choose fewer cutoffs")
        left = steps - horizon - np.maximum(FEWEST_STEPS + lags, steps // LEARNED)
        stride = np.clip(left // max(count - 1, 1), 1, horizon)
        starts = steps - horizon - np.arange(count)[::-1, None] * stride
        starts[:, ~judged] = steps[~judged]
        splits = []
        for bound in np.vstack([starts, steps]):
            known, some = step >= lags, (step >= lags) & (step < bound[codes] + horizon)
            before = known & (step < bound[codes])
            held = np.zeros_like(before)
            held[before] = hold(codes[before])
            splits.append(Split(some, held, some & ~before))
        times = np.zeros((len(keys), int(steps.max())))
        times[codes, step] = time
        after = np.take_along_axis(times, starts.T - 1, axis=1).T
        short = int((~judged).sum())
        return cls(order, tuple(splits), horizon, step, starts, after, short)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that led to it."""
        count = len(self.starts)
        return {"test_last": self.order.name, "horizon": self.horizon, "cutoffs": count}

    @property
    def note(self) -> str:
        """Say how the models are judged."""
        steps, held = many(self.horizon, "step"), int(self.splits[-1].held.sum())
        line = (
            f"rows: judged on the {steps} by {self.order.name} after each of "
            f"{many(len(self.starts), 'cutoff')}; {held:,} in validation sets; the networks have "
            "then learned from all rows"
        )
        return line + (f"; {many(self.short, 'group')} too short to judge" if self.short else "")


SEASONS = {"month": (12, 365.25 / 12), "quarter": (4, 365.25 / 4), "day of the week": (7, 1.0)}
SEASONS |= {"hour": (24, 1 / 24)}
"""The number of steps of a season, and the days of each."""


def seasons_of(order: RowOrder, time: FloatArray, codes: Integers) -> Integers | None:
    """Return the step of the season at each row, if the rows of groups are such steps apart.

    Numbers have a season if they are years with fractions: 2000.083 is in February.
    """
    by_time = np.lexsort((time, codes))
    gaps = np.diff(time[by_time])[np.diff(codes[by_time]) == 0]
    days = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    days *= 1.0 if order.dates is not None else 365.25
    found = [name for name, (_, own) in SEASONS.items() if abs(days / own - 1) < 0.1]
    if not found or (order.dates is None and (days < 28 or time.min() < 1500 or time.max() > 2100)):
        return None
    if order.dates is None:
        count, _ = SEASONS[found[0]]
        return np.asarray(np.rint(time * count).astype(np.int64) % count)
    fields = fields_of(time)
    return np.asarray(fields["month"] // 3 if found[0] == "quarter" else fields[found[0]])


def naive_forecasts(
    rows: GroupRows, time: FloatArray, season: Integers | None, groups: int
) -> dict[str, FloatArray]:
    """Return the forecasts of the test rows by those before them, (test rows, outputs) each."""

    def latest(codes: Integers, count: int) -> FloatArray:
        end = np.full(count, -np.inf)
        known, at = codes[~rows.test], time[~rows.test]
        np.maximum.at(end, known, at)
        last = at == end[known]  # of ties the mean
        size = np.bincount(known[last], None, count)
        with np.errstate(invalid="ignore"):
            sums = [
                np.bincount(known[last], own[~rows.test][last], count) for own in rows.targets.T
            ]
            return np.asarray((np.stack(sums) / size).T[codes[rows.test]])

    found = {"last value": latest(rows.codes, groups)}
    if season is not None:
        steps = int(season.max()) + 1
        own = latest(rows.codes * steps + season, groups * steps)
        found["seasonal naive"] = np.where(np.isnan(own), found["last value"], own)
    return found
