"""The search of fit(): settings cross-validated in one sweep, the best first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import inf, isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import FloatArray, TooLargeError, check_memory
from fastgd.engine.network import Network
from fastgd.engine.progress import reporting
from fastgd.models.fit_choices import HIDDEN_SIZES, Choices
from fastgd.models.row_splits import folds_of, folds_of_groups, some_of
from fastgd.models.scores import SCORING, mean_loss, scores_of
from fastgd.optimizers import Adam, LevenbergMarquardt
from fastgd.tables.targets import ClassTarget, Target
from fastgd.training.run import Run
from fastgd.training.sweep_result import Sweep
from fastgd.training.train_sweep import sweep
from fastgd.training.training_job import sharing_code

ALPHAS = (0.003, 0.01, 0.03, 0.1)
PENALTIES = (0.001, 0.01)
"""Eight runs of a fold share its rows in a block. Of all grids of eight or nine among these alphas
and the penalties 0, 0.0003, 0.001, 0.003, 0.01 and 0.1 this one had the smallest losses: 1 % above
those of all together, in the mean over nine tables; with the penalties 0 and 0.001 2.6 %."""

SECOND_ORDER = [(), (4,), (8,), (16,)], 500
"""Hidden sizes to try with Levenberg-Marquardt, and the most parameters of a network among them.

It is no default: on nine small tables, the R squared of its Bayesian networks on unseen rows was
0.005 below that of the search with Adam, in the median of 18 splits; with L2 penalties of 0.01 to
0.3 it was 0.003 below, in three times the time. As further candidates of the search the Bayesian
ones were chosen on one split, and were worse there."""

MOST_WEIGHTS = 8
"""Weights for each row of training data, above which a hidden size is not tried by default."""

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

BY_ERROR = ("squared", "cross_entropy", "absolute", "huber")
"""Losses whose trainings stop by the mean absolute error on the validation set, which the engine
measures. The others stop by the loss itself, evaluated every STEP epochs."""

STEP = 10
"""Epochs of a step."""

SEARCHED = 5_000
"""Rows that a search uses, at most."""

WIDE, FEWEST = 60, 500
"""With more than WIDE inputs, the rows (in the search, and seen in all) are reduced in proportion,
but a search uses at least FEWEST: so a table of 1,000 inputs takes a minute, too."""


class SearchSamples(NamedTuple):
    """Inputs, encoded targets, and facts about each row."""

    X: FloatArray
    y: FloatArray
    labels: NDArray[np.int64]  # its class, 0 for numbers
    weights: FloatArray  # its sample weight, and
    costs: FloatArray  # that times the weight of its class
    groups: NDArray[np.int64] | None  # the index of its group, if folds hold whole groups

    def at(self, rows: NDArray[Any] | slice) -> SearchSamples:
        """Return some rows."""
        return SearchSamples(*(None if part is None else part[rows] for part in self))  # type: ignore[arg-type]

    def held(self, folds: int, seed: int) -> NDArray[np.bool_]:
        """Return the validation rows of each fold, (folds, rows)."""
        if self.groups is None:
            return folds_of(self.labels, folds, seed)
        return folds_of_groups(np.unique(self.groups, return_inverse=True)[1], folds)


def sizes_for(samples: SearchSamples, choices: Choices) -> list[tuple[int, ...]]:
    """Return the hidden sizes to try: those given, or the default ones for this number of rows.

    A linear model is always tried: the scores compare the best model with it.
    """
    sizes = choices.hidden_size
    if sizes == HIDDEN_SIZES:
        inputs, outputs = samples.X.shape[1], samples.y.shape[1]
        most = MOST_WEIGHTS * len(samples.X)
        if choices.solver == "lm":
            sizes, most = SECOND_ORDER[0], min(most, SECOND_ORDER[1])
        sizes = [one for one in sizes if Network((inputs, *one, outputs)).parameters <= most]
    return list(dict.fromkeys([(), *sizes]))


LESS = "fewer classes, rows or hidden sizes"
"""What makes a search smaller: the advice of a sweep's own message names other arguments."""


class Candidate(NamedTuple):
    """A setting, its mean loss on the validation folds, and a network for each fold."""

    hidden_size: tuple[int, ...]
    alpha: float
    l2: float
    loss: float
    score: float | None  # that of ``scoring``, if it was given
    trained: Sweep  # all settings of the search, and
    place: tuple[int, int, int]  # this one among its hidden sizes, learning rates and penalties

    @property
    def runs(self) -> tuple[Run, ...]:
        """The networks: made when they are asked for, which most settings never are."""
        i, j, k = self.place
        return tuple(self.trained[i, :, j, k])


def settings_of(objective: Mapping[str, Any], rows: int, seen: int, solver: str) -> dict[str, Any]:
    """Return the settings of all trainings: Adam on mini-batches, relu; or Levenberg-Marquardt."""
    shared = {**objective, "bias": True, "init": "glorot"}
    if solver == "lm":
        bayesian = {"optimizer": LevenbergMarquardt(), "regularization": "bayesian"}
        size = {"batch_size": None, "iterations": EPOCHS, "record_every": EPOCHS}
        return shared | bayesian | size | {"activation": "tanh"}
    batch = min(max(32, rows // BATCHES), 512, rows)
    updates = -(-rows // batch)  # of an epoch
    iterations = updates * min(max(seen // rows, 10), EPOCHS)
    size = {"batch_size": batch, "iterations": iterations, "record_every": iterations}
    return shared | size | {"optimizer": Adam(), "activation": "relu", "reduction": "mean"}


def search(
    target: Target,
    samples: SearchSamples,
    hidden_sizes: Sequence[tuple[int, ...]],
    choices: Choices,
) -> list[Candidate]:
    """Cross-validate all settings in one sweep, and return them sorted, the best first.

    If there are many rows, the search uses a draw of them; then only the best setting, and the best
    one without a hidden layer, are trained again on all rows, and only these have networks trained
    on all rows.
    """
    share = min(1.0, WIDE / samples.X.shape[1])
    few = samples.at(some_of(len(samples.X), max(int(SEARCHED * share), FEWEST), choices.seed))
    alphas, penalties = ((1.0,), (0.0,)) if choices.solver == "lm" else (ALPHAS, PENALTIES)
    found = _tried(target, few, (hidden_sizes, alphas, penalties), SEEN[0], choices)
    if not isfinite(found[0].loss):
        raise ValueError("no network learned anything from this table: all trainings diverged")
    if len(few.X) == len(samples.X):
        return found
    for k in {0, next((k for k, one in enumerate(found) if not one.hidden_size), 0)}:
        again = refit(target, samples, found[k], choices)
        found[k] = found[k]._replace(trained=again.trained, place=again.place)
    return found


_Best = dict[tuple[int, int, int], tuple[float, FloatArray, Sweep, int]]
"""By the place of a setting: its smallest loss, the outputs then, the networks, and the step."""


def _tried(
    target: Target,
    samples: SearchSamples,
    grid: tuple[Sequence[tuple[int, ...]], Sequence[float], Sequence[float]],
    most: int,
    choices: Choices,
) -> list[Candidate]:
    """Cross-validate a grid of hidden sizes, learning rates and L2 penalties, best first."""
    hidden_sizes, alphas, penalties = grid
    objective, folds = choices.objective(target), choices.folds
    seen = int(most * min(1.0, WIDE / samples.X.shape[1]))
    inputs, units, count = samples.X.shape[1], samples.y.shape[1], len(alphas) * len(penalties)
    sizes = [(inputs, *hidden, units) for hidden in hidden_sizes]
    parameters = folds * count * sum(Network(each, bias=True).parameters for each in sizes)
    check_memory(16 * parameters + 8 * count * samples.y.size, "the search", also=LESS)
    held = samples.held(folds, choices.seed)
    least = int((~held).sum(axis=1).min())
    settings = settings_of(objective, least, seen, choices.solver)
    updates = -(-least // (settings["batch_size"] or least))
    settings |= {"hidden_size": list(hidden_sizes), "alpha": list(alphas), "l2": list(penalties)}
    best: _Best = {}
    with sharing_code(parameters * min(seen, EPOCHS * len(samples.X)) < SHORT):
        for step, result in enumerate(_trainings(samples, held, settings, updates, choices, best)):
            for i in range(len(hidden_sizes)):
                outside = np.zeros((len(alphas), len(penalties), *samples.y.shape))
                for fold, rows in enumerate(held):
                    outside[:, :, rows] = result[i, fold].predict(samples.X[rows])
                for j, k in np.ndindex(outside.shape[:2]):
                    loss = mean_loss(objective, outside[j, k], samples.y, samples.costs)
                    loss = loss if isfinite(loss) else inf
                    if (i, j, k) not in best or loss < best[i, j, k][0]:
                        best[i, j, k] = loss, outside[j, k], result, step
    found = []
    for (i, j, k), (loss, outputs, result, _) in best.items():
        score = None
        if choices.scoring is not None:
            name, sign = SCORING[isinstance(target, ClassTarget)][choices.scoring]
            scores = scores_of(target, outputs, samples.y, objective, samples.weights)
            score = sign * scores[name] if isfinite(scores[name]) else -inf
        setting = (hidden_sizes[i], alphas[j], penalties[k])
        found.append(Candidate(*setting, loss, score, result, (i, j, k)))
    return sorted(found, key=lambda one: (-(one.score or 0.0), one.loss))


def _trainings(
    samples: SearchSamples,
    held: NDArray[np.bool_],
    settings: dict[str, Any],
    updates: int,
    choices: Choices,
    best: _Best,
) -> Iterator[Sweep]:
    """Train with early stopping; or in steps, of which the caller puts the best into ``best``."""
    X, y = samples.X, samples.y
    first: dict[str, Any] = {**settings, "folds": held, "seed": choices.seed}
    if np.ptp(samples.costs):
        first["sample_weight"] = samples.costs
    try:
        if settings["loss"] in BY_ERROR:
            yield sweep(X, y, **first, patience=PATIENT * updates, restore_best=True, **choices.how)
            return
        steps, how = settings["iterations"] // updates // STEP, choices.how | {"progress": False}
        first |= {"iterations": STEP * updates, "record_every": STEP * updates}
        more = first | {"keep_state": True}
        with reporting(choices.progress, steps, " steps") as advance:
            for step in range(steps):
                result = sweep(X, y, **more, **how)
                advance(1, partial(getattr, result, "final_error"))
                yield result
                if step - max(one[-1] for one in best.values()) >= PATIENT // STEP:
                    advance(steps - 1 - step)
                    break
                more = {"iterations": STEP * updates, "resume": result}
    except TooLargeError as error:
        ways = [f"{LESS} need less"]
        raise TooLargeError(error.rule.replace("the sweep", "the search", 1), ways) from error


def refit(target: Target, samples: SearchSamples, best: Candidate, choices: Choices) -> Candidate:
    """Train the best setting again on these rows, as in the search: a network for each fold.

    With all rows for each network, for as many epochs as the search found best, mean absolute
    errors of unseen rows were 2 to 15 % larger (ames, three splits): none has its best weights.
    """
    grid = [best.hidden_size], (best.alpha,), (best.l2,)
    return _tried(target, samples, grid, SEEN[1], choices)[0]
