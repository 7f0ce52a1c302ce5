"""A small grid search: one sweep over folds, hidden sizes, learning rates and L2 penalties."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.checks.memory import TooLargeError, check_memory
from fastgd.engine.lowering import hasty
from fastgd.engine.network import Network
from fastgd.models.scores import loss_of
from fastgd.models.train_test_split import folds_of
from fastgd.optimizers import Adam
from fastgd.tables.targets import ClassTarget, Target
from fastgd.training.results import Run
from fastgd.training.sweep import sweep

HIDDEN_SIZES: list[tuple[int, ...]] = [(), (16,), (64,)]
ALPHAS = (0.003, 0.01, 0.03)
PENALTIES = (0.0, 0.001, 0.01)

BATCHES = 50
"""Mini-batches per epoch, about; but each has 32 to 512 rows."""

EPOCHS = 300
"""Epochs of a training, at most, and"""

SEEN = 200_000, 5_000_000
"""rows that a training sees in all its epochs, in the search and in the final training."""

PATIENT = 20
"""Epochs without a smaller validation error after which a training stops."""

SHORT = 2e10
"""Multiply-adds of a search, of some seconds, up to which less compiling is best."""

SEARCHED = 5_000
"""Rows that a search uses, at most."""

WIDE, FEWEST = 60, 500
"""With more than WIDE inputs, the rows (in the search, and seen in all) are reduced in proportion,
but a search uses at least FEWEST: so a table of 1,000 inputs takes a minute, too."""


class SearchSamples(NamedTuple):
    """Inputs, encoded targets, and the class of each row (0 for numbers)."""

    X: FloatArray
    y: FloatArray
    labels: NDArray[np.int64]

    def some(self, count: int, seed: int) -> SearchSamples:
        """Return ``count`` rows, drawn with a seed; all rows if there are no more."""
        if len(self.X) <= count:
            return self
        rows = np.sort(np.random.RandomState(seed).permutation(len(self.X))[:count])
        return SearchSamples(self.X[rows], self.y[rows], self.labels[rows])


LESS = "fewer classes, rows or hidden sizes"
"""What makes a search smaller: the advice of a sweep's own message names other arguments."""


class Candidate(NamedTuple):
    """A setting, its loss on the validation folds, and a network for each fold."""

    hidden_size: tuple[int, ...]
    alpha: float
    l2: float
    loss: float
    runs: tuple[Run, ...]


class SearchPlan(NamedTuple):
    """How to search."""

    folds: int
    seed: int
    threads: int | None
    device: str
    progress: bool


def settings_of(target: Target, rows: int, seen: int) -> dict[str, Any]:
    """Return the settings of all trainings: Adam on mini-batches, relu, early stopping.

    Examples
    --------
    >>> from fastgd.tables.targets import NumberTarget
    >>> settings = settings_of(NumberTarget("price", 0.0, 1.0), rows=6400, seen=64_000)
    >>> settings["batch_size"], settings["iterations"], settings["patience"]
    (128, 500, 1000)
    """
    batch = min(max(32, rows // BATCHES), 512, rows)
    updates = -(-rows // batch)  # of an epoch
    iterations = updates * min(max(seen // rows, 10), EPOCHS)
    of_classes = isinstance(target, ClassTarget)
    return {
        "optimizer": Adam(),
        "activation": "relu",
        "output": "softmax" if of_classes else "identity",
        "loss": "cross_entropy" if of_classes else "squared",
        "reduction": "mean",
        "bias": True,
        "init": "glorot",
        "batch_size": batch,
        "iterations": iterations,
        "record_every": iterations,
        "patience": PATIENT * updates,
        "restore_best": True,
    }


def search(
    target: Target,
    samples: SearchSamples,
    hidden_sizes: Sequence[tuple[int, ...]],
    plan: SearchPlan,
) -> list[Candidate]:
    """Cross-validate all settings in one sweep, and return them sorted, the best first.

    If there are many rows, the search uses a draw of them; then only the best setting, and the best
    one without a hidden layer, are trained again on all rows, and only these have networks trained
    on all rows.

    Raises
    ------
    ValueError
        If all trainings diverged.
    """
    share = min(1.0, WIDE / samples.X.shape[1])
    few = samples.some(max(int(SEARCHED * share), FEWEST), plan.seed)
    in_search, after = (int(seen * share) for seen in SEEN)
    found = _tried(target, few, hidden_sizes, ALPHAS, PENALTIES, in_search, plan)
    if not isfinite(found[0].loss):
        raise ValueError("no network learned anything from this table: all trainings diverged")
    if few is samples:
        return found
    for place in {0, next((k for k, one in enumerate(found) if not one.hidden_size), 0)}:
        one = found[place]
        settings = ([one.hidden_size], (one.alpha,), (one.l2,))
        [again] = _tried(target, samples, *settings, after, plan)
        found[place] = one._replace(runs=again.runs)
    return found


def _check_size(
    samples: SearchSamples, hidden_sizes: Sequence[tuple[int, ...]], runs: int, folds: int
) -> int:
    """Return the parameters of all sizes; raise if ``runs`` networks of each are too large."""
    inputs, outputs = samples.X.shape[1], samples.y.shape[1]
    sizes = [(inputs, *hidden, outputs) for hidden in hidden_sizes]
    parameters = sum(Network(each, bias=True).parameters for each in sizes)
    needed = 16 * runs * parameters + 8 * runs // folds * samples.y.size
    check_memory(needed, "the search", also=LESS)
    return parameters


def _tried(
    target: Target,
    samples: SearchSamples,
    hidden_sizes: Sequence[tuple[int, ...]],
    alphas: Sequence[float],
    penalties: Sequence[float],
    seen: int,
    plan: SearchPlan,
) -> list[Candidate]:
    count = plan.folds * len(alphas) * len(penalties)
    parameters = _check_size(samples, hidden_sizes, count, plan.folds)
    products = count * parameters * min(seen, EPOCHS * len(samples.X))
    held = folds_of(samples.labels, plan.folds, plan.seed)
    try:
        with hasty(products < SHORT):
            result = sweep(
                samples.X,
                samples.y,
                folds=held,
                hidden_size=list(hidden_sizes),
                alpha=list(alphas),
                l2=list(penalties),
                seed=plan.seed,
                threads=plan.threads,
                device=plan.device,
                progress=plan.progress,
                **settings_of(target, int((~held).sum(axis=1).min()), seen),
            )
    except TooLargeError as error:
        ways = [f"{LESS} need less"]
        raise TooLargeError(error.rule.replace("the sweep", "the search", 1), ways) from error
    found = []
    for i, hidden in enumerate(hidden_sizes):
        outside = np.zeros((len(alphas), len(penalties), *samples.y.shape))
        for fold, rows in enumerate(held):
            outside[:, :, rows] = result.sel(hidden_size=hidden, fold=fold).predict(samples.X[rows])
        for j, alpha in enumerate(alphas):
            for k, l2 in enumerate(penalties):
                loss = loss_of(target, outside[j, k], samples.y)
                runs = tuple(result[i, fold, j, k] for fold in range(plan.folds))
                found.append(Candidate(hidden, alpha, l2, loss if isfinite(loss) else inf, runs))
    return sorted(found, key=lambda candidate: candidate.loss)
