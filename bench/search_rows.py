"""A search over parameters: ``SweepSearchCV`` beside scikit-learn's ``GridSearchCV``."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from compare import Settings
from fastgd.sklearn import FastGDClassifier, SweepSearchCV
from measure import in_turn
from report import Line

TABLES = {
    "breast cancer": (load_breast_cancer, 12),
    "wine": (load_wine, 20),
    "iris": (load_iris, 20),
    "digits": (load_digits, 10),
}
"""By name: how it is loaded, and how many times as fast as theirs ours is to be."""

GRID = {
    "network__alpha": [0.0001, 0.001, 0.01, 0.1],
    "network__learning_rate_init": [0.001, 0.003, 0.01, 0.03],
}
FOLDS = 5
HIDDEN = 16
EPOCHS = 1000

OURS, HALVING = "SweepSearchCV", "SweepSearchCV, halving"
THEIRS, OWN = "GridSearchCV over MLPClassifier", "GridSearchCV over FastGDClassifier"


def searches(settings: Settings) -> list[Line]:
    """16 candidates on 5 folds, and the fit of the best: the same scores from ours and its own."""
    tables = TABLES if settings.effort else {"wine": TABLES["wine"]}
    epochs = EPOCHS if settings.effort else 10
    return [
        line
        for name, (load, target) in tables.items()
        for line in _lines(name, *load(return_X_y=True), target, epochs, settings)
    ]


def _lines(
    name: str, X: np.ndarray, y: np.ndarray, target: int, epochs: int, settings: Settings
) -> list[Line]:
    networks = {kind: _pipeline(kind, epochs) for kind in (FastGDClassifier, MLPClassifier)}
    ours, theirs = networks[FastGDClassifier], networks[MLPClassifier]
    each: dict[str, Any] = {
        OURS: SweepSearchCV(ours, GRID, cv=FOLDS),
        HALVING: SweepSearchCV(ours, GRID, cv=FOLDS, halving=True),
        THEIRS: GridSearchCV(theirs, GRID, cv=FOLDS, n_jobs=settings.threads),
        OWN: GridSearchCV(ours, GRID, cv=FOLDS, n_jobs=settings.threads),
    }
    calls: dict[str, Callable[[], object]] = {
        which: (lambda search=search: _fitted(search, X, y)) for which, search in each.items()
    }
    seconds = in_turn(calls, settings.repeats)
    for fold in range(FOLDS):
        key = f"split{fold}_test_score"
        np.testing.assert_array_equal(each[OURS].cv_results_[key], each[OWN].cv_results_[key])
    work = f"search, {name} ({len(X):,} x {X.shape[1]}), {HIDDEN} units"
    jobs = f", n_jobs={settings.threads}"

    def line(mine: str, other: str, target: str = "") -> Line:
        ratio = seconds[other] / seconds[mine]
        what = work + (", halving" if mine == HALVING else "")
        return Line(what, other + jobs, seconds[mine], seconds[other], ratio, target, "s")

    best, its = each[OURS].best_score_, each[THEIRS].best_score_
    return [
        line(OURS, THEIRS, f">= {target}"),
        line(OURS, OWN, ">= 3"),
        line(HALVING, THEIRS),
        Line(f"best accuracy, {name}", f"{THEIRS} (ours / its)", best, its, best / its, "", "of 1"),
    ]


def _pipeline(kind: Any, epochs: int) -> Pipeline:
    network = kind(hidden_layer_sizes=(HIDDEN,), max_iter=epochs, random_state=0)
    return Pipeline([("scale", StandardScaler()), ("network", network)])


def _fitted(search: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """A worker has one thread: two of them with two each would wait for each other."""
    with warnings.catch_warnings(), parallel_config("loky", inner_max_num_threads=1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return search.fit(X, y)


ALL = (searches,)
