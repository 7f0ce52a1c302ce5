"""scikit-learn's MLPClassifier and MLPRegressor: one fit, a grid search, a loop over groups.

The classifier minimizes cross-entropy, and both have biases and count nothing, so their weights
can't be compared. All fit by full-batch gradient descent without momentum.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any

import joblib
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPClassifier, MLPRegressor

from parts_work import Folds, Groups
from workload import Work


def prepare(work: Work) -> Callable[[], object]:
    """Return a call that fits one network without penalty."""
    classifier = MLPClassifier(
        hidden_layer_sizes=work.hidden_size,
        learning_rate_init=work.alphas[0],
        alpha=0.0,
        random_state=1,
        **_plainly(len(work.X), work.iterations),
    )
    return _quiet(lambda: classifier.fit(work.X, work.y.ravel().astype(int)))


def grid_search(work: Folds, jobs: int) -> Callable[[], object]:
    """Return a call that fits and scores all runs of all folds, so many at a time.

    A batch is as large as the rows that a fold trains on. Processes have one thread each: more of
    them than cores would be slower.
    """
    classifier = MLPClassifier(
        hidden_layer_sizes=(work.hidden,), **_plainly(len(work.X), work.iterations)
    )
    grid = {
        "learning_rate_init": list(work.alphas),
        "alpha": list(work.l2s),
        "random_state": list(work.seeds),
    }
    search = GridSearchCV(classifier, grid, cv=KFold(work.k), n_jobs=jobs, refit=False)

    def call() -> object:
        with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
            return search.fit(work.X, work.y.ravel().astype(int))

    return _quiet(call)


def regressors(work: Groups) -> Callable[[], object]:
    """Return a call that fits one network per group, one after the other."""
    tables = work.tables

    def call() -> object:
        return [
            MLPRegressor(
                hidden_layer_sizes=(work.hidden,),
                learning_rate_init=work.options["alpha"],
                alpha=0.0,
                random_state=1,
                **_plainly(len(X), work.iterations),
            ).fit(X, y.ravel())
            for X, y in tables
        ]

    return _quiet(call)


def _plainly(samples: int, iterations: int) -> dict[str, Any]:
    return {
        "activation": "logistic",
        "solver": "sgd",
        "batch_size": samples,
        "momentum": 0.0,
        "nesterovs_momentum": False,
        "shuffle": False,
        "max_iter": iterations,
        "tol": 0.0,
        "n_iter_no_change": iterations,
    }


def _quiet(call: Callable[[], object]) -> Callable[[], object]:
    """It warns that it has not converged, and that a batch of the table is more than a fold's.

    Other processes are told so by their environment.
    """
    os.environ["PYTHONWARNINGS"] = "ignore"

    def quietly() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", UserWarning)
            return call()

    return quietly
