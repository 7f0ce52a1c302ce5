"""The search of fit(): settings cross-validated in one sweep, the best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import ceil, inf, isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import many
from fastgd.checks.numbers import FloatArray, TooLargeError, check_memory
from fastgd.engine.network import Network
from fastgd.engine.progress import reporting
from fastgd.export.exported import of_one_size
from fastgd.models.changes import Skip
from fastgd.models.fit_choices import HIDDEN_SIZES, Choices
from fastgd.models.model import MOST_COUNTED
from fastgd.models.row_splits import folds_in_order, folds_of, folds_of_groups, some_of
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

BINS = 12, 32
"""Numbers of piecewise-linear bins to try, one after the other, instead of standardized numbers."""

BINNED = 50_000_000
"""Most inputs of all rows with bins: 400 MB."""

DEEPER = [(128,), (64, 64), (128, 64)]
"""Hidden sizes to try if they are better on the first folds."""

FIRST, BETTER = 2, 0.02
"""Folds on which bins and deeper networks compete first; and the fraction by which the loss of bins
and of ensembles must be smaller."""

POOL = 16
"""The most settings that an ensemble is selected from."""

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

_Grid = tuple[Sequence[tuple[int, ...]], Sequence[float], Sequence[float]]
"""Hidden sizes, learning rates and L2 penalties."""


class SearchSamples(NamedTuple):
    """Inputs, encoded targets, and facts about each row."""

    X: FloatArray
    y: FloatArray
    labels: NDArray[np.int64]  # its class, 0 for numbers
    weights: FloatArray  # its sample weight, and
    costs: FloatArray  # that times the weight of its class
    groups: NDArray[np.int64] | None  # the index of its group, if folds hold whole groups
    time: FloatArray | None = None  # its place in time, if folds are consecutive
    skip: Skip | None = None  # what is added to the networks' outputs

    def at(self, rows: NDArray[Any] | slice) -> SearchSamples:
        """Return some rows."""
        parts = (part[rows] if isinstance(part, np.ndarray) else part for part in self)
        return SearchSamples(*parts)  # type: ignore[arg-type]

    def held(self, folds: int, seed: int) -> NDArray[np.bool_]:
        """Return the validation rows of each fold, (folds, rows)."""
        if self.time is not None:
            return folds_in_order(self.time, folds)
        if self.groups is None:
            return folds_of(self.labels, folds, seed)
        return folds_of_groups(np.unique(self.groups, return_inverse=True)[1], folds)


def sizes_for(
    samples: SearchSamples, choices: Choices, default: Sequence[tuple[int, ...]] = HIDDEN_SIZES
) -> list[tuple[int, ...]]:
    """Return the hidden sizes to try: those given, or the default ones for this number of rows.

    A linear model is always tried: the scores compare the best model with it.
    """
    sizes = choices.hidden_size
    if sizes == HIDDEN_SIZES:
        inputs, outputs = samples.X.shape[1], samples.y.shape[1]
        most = MOST_WEIGHTS * len(samples.X)
        sizes = default
        if choices.solver == "lm":
            sizes, most = SECOND_ORDER[0], min(most, SECOND_ORDER[1])
        sizes = [one for one in sizes if Network((inputs, *one, outputs)).parameters <= most]
    elif default is not HIDDEN_SIZES:
        sizes = []
    return list(dict.fromkeys([(), *sizes]))


def work_of(samples: SearchSamples, choices: Choices) -> float:
    """Return about how many rows a training of each size sees, times its parameters."""
    inputs, outputs, rows = samples.X.shape[1], samples.y.shape[1], len(samples.X)
    seen = min(SEEN[0] * min(1.0, WIDE / inputs), EPOCHS / 4 * rows)  # most stop early
    sizes = sizes_for(samples, choices)
    return float(seen * sum(Network((inputs, *one, outputs)).parameters for one in sizes))


LESS = "fewer classes, rows or hidden sizes"
"""What makes a search smaller: the advice of a sweep's own message names other arguments."""


class Candidate(NamedTuple):
    """A setting, its mean loss on the validation folds, and a network for each fold."""

    hidden_size: tuple[int, ...]
    alpha: float
    l2: float
    loss: float
    score: float | None  # that of ``scoring``, if it was given
    bins: int  # of columns of numbers; 0 if they are standardized
    outputs: FloatArray  # of each row (rows, outputs) by the network of the fold without it
    trained: Sweep  # all settings that were trained with it, and
    place: tuple[int, int, int]  # this one among their hidden sizes, learning rates and penalties
    skip: Skip | None = None  # what is added to the outputs of the networks

    @property
    def runs(self) -> tuple[Run, ...]:
        """The networks: made when they are asked for, which most settings never are."""
        i, j, k = self.place
        runs = tuple(self.trained[i, :, j, k])
        return runs if self.skip is None else tuple(map(self.skip.folded, runs))


class Ensemble(NamedTuple):
    """Settings with the same inputs, whose networks' outputs are averaged: usually just one."""

    members: tuple[Candidate, ...]
    times: tuple[int, ...]  # how often each of them counts
    outputs: FloatArray  # the weighted mean of theirs

    @classmethod
    def of(cls, members: Sequence[Candidate], times: Sequence[int] = (1,)) -> Ensemble:
        """Average them."""
        counted = [one.outputs * n for one, n in zip(members, times, strict=True)]
        return cls(tuple(members), tuple(times), sum(counted[1:], counted[0]) / sum(times))

    @property
    def bins(self) -> int:
        """That of all members."""
        return self.members[0].bins

    @property
    def runs(self) -> tuple[Run, ...]:
        """The networks of all members."""
        return tuple(run for one in self.members for run in one.runs)

    @property
    def counts(self) -> tuple[int, ...]:
        """How often each network counts; empty for one setting."""
        each = zip(self.members, self.times, strict=True)
        return tuple(n for one, n in each for _ in one.runs) if len(self.members) > 1 else ()

    @property
    def size(self) -> str:
        """A line on an ensemble of several settings, empty for one."""
        if len(self.members) == 1:
            return ""
        parts = of_one_size([Network.of(run).parts(run.finite_row("fit")) for run in self.runs])
        arrays = *parts[0].weights, *parts[0].biases
        weights = sum(self.counts) * sum(array.size for array in arrays)
        return (
            f"{many(len(self.runs), 'network')} of {len(self.members)} settings, averaged with "
            f"weights: in an exported file {weights:,} weights, {ceil(weights / 125):,} kB"
        )


class Found(NamedTuple):
    """What a search has found: all settings, the best first, and what learns from all rows."""

    candidates: list[Candidate]
    best: Ensemble
    linear: Ensemble  # the best linear model, of standardized numbers


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


def search(target: Target, encoded: Callable[[int], SearchSamples], choices: Choices) -> Found:
    """Cross-validate settings, the best first, and choose one of them, or an ensemble.

    ``encoded`` returns the samples with numbers in some bins, or standardized. All settings for
    these are cross-validated in one sweep; then bins and deeper networks have to show on some folds
    that they are worth it (:func:`_raced`). If there are many rows, the search uses a draw of them;
    only what was chosen, and the best linear model, are trained again on all rows.
    """
    samples = encoded(0)
    share = min(1.0, WIDE / samples.X.shape[1])
    some = some_of(len(samples.X), max(int(SEARCHED * share), FEWEST), choices.seed)
    few = samples.at(some)
    held = few.held(choices.folds, choices.seed)

    def inputs(bins: int) -> SearchSamples:
        return encoded(bins).at(some)

    def tried(bins: int, grid: _Grid, folds: int = choices.folds) -> list[Candidate]:
        seen = int(SEEN[0] * share)
        return _tried(target, inputs(bins), grid, seen, choices, held[:folds], bins)

    alphas, penalties = ((1.0,), (0.0,)) if choices.solver == "lm" else (ALPHAS, PENALTIES)
    found = tried(0, (sizes_for(samples, choices), alphas, penalties))
    if not isfinite(found[0].loss):
        raise ValueError("no network learned anything from this table: all trainings diverged")
    linear = next(one for one in found if not one.hidden_size)
    if choices.solver == "adam":
        rows = np.flatnonzero(held[:FIRST].any(axis=0))
        first, objective = few.at(rows), choices.objective(target)

        def loss(one: Candidate) -> float:
            return mean_loss(objective, one.outputs[rows], first.y, first.costs)

        fitting = [bins for bins in BINS if bins * samples.X.size <= BINNED]
        found += _raced(tried, inputs, found, fitting, choices, loss)
    found = ranked(one for one in found if one.hidden_size or () in choices.hidden_size)
    best = ensemble_of(target, few, found, held, choices)
    plain = best if best.members == (linear,) else Ensemble.of([linear])
    if len(few.X) < len(samples.X):
        same, best = plain is best, refit(target, encoded(best.bins), best, choices)
        plain = best if same else refit(target, samples, plain, choices)
    return Found(found, best, plain)


def _raced(
    tried: Callable[..., list[Candidate]],
    inputs: Callable[[int], SearchSamples],
    found: Sequence[Candidate],
    numbers_of_bins: Sequence[int],
    choices: Choices,
    loss: Callable[[Candidate], float],
) -> list[Candidate]:
    """Successive halving: settings of bins, then of deeper networks, that beat the best so far.

    A newcomer is trained on the first folds, with settings near the best one of a smaller network.
    The one with the smallest ``loss`` there is trained on all folds if that is smaller, by a
    fraction, than the loss of the best setting so far.
    """
    best, more, least = found[0], list[Candidate](), 0
    hidden = [one for one in found if one.hidden_size]
    if not hidden:
        return more
    start = min(hidden, key=lambda one: (len(one.hidden_size), one.hidden_size))  # the best of them
    small = start.hidden_size
    most, width = (1 - BETTER) * loss(best), inputs(0).X.shape[1]
    for bins in numbers_of_bins:
        if inputs(bins).X.shape[1] == width:  # no column of numbers
            break
        reached = tried(bins, near(start, small), FIRST)[0].loss
        if reached >= most:
            break
        least, most = bins, reached
    if least:
        own = tried(least, ([small], ALPHAS, PENALTIES))
        for size in sizes_for(inputs(least), choices):
            own += [] if size in ((), small) else tried(least, near(own[0], size))
        more += own
        best = min([best, *own], key=lambda one: one.loss)
    deeper = sizes_for(inputs(best.bins), choices, DEEPER)[1:]
    raced = [(tried(best.bins, near(best, size), FIRST)[0].loss, size) for size in deeper]
    if raced and min(raced)[0] < loss(best):
        more += tried(best.bins, near(best, min(raced)[1]))
    return more


def near(one: Candidate, size: tuple[int, ...]) -> _Grid:
    """A grid for this hidden size of the learning rate of a setting and the next smaller one."""
    at = ALPHAS.index(one.alpha)
    return [size], ALPHAS[max(at - 1, 0) : at + 1], (one.l2,)


def ranked(found: Iterable[Candidate]) -> list[Candidate]:
    """The best first: by score, if there is one, and then by loss."""
    return sorted(found, key=lambda one: (-(one.score or 0.0), one.loss))


def ensemble_of(
    target: Target,
    samples: SearchSamples,
    found: Sequence[Candidate],
    held: NDArray[np.bool_],
    choices: Choices,
) -> Ensemble:
    """Return the best setting, or a greedily selected ensemble of those with the same inputs.

    Settings are added, with replacement, so that the loss of the mean of their outputs is smallest
    (Caruana and others 2004, "Ensemble selection from libraries of models"). The ensemble is used
    if the same selection, made without a fold, is better on that fold than the best setting then.
    """
    pool = [one for one in found if one.bins == found[0].bins][:POOL]
    few, judged = samples._replace(X=samples.y), np.asarray(held.any(axis=0))  # no copies of X

    def worth(outputs: FloatArray, rows: NDArray[np.bool_]) -> tuple[float, float]:
        return measured(target, outputs[rows], few.at(rows), choices)

    def selected(rows: NDArray[np.bool_], most: int) -> list[int]:
        """The places of the settings in the pool, as often as they are selected."""
        chosen, total, best = list[int](), np.zeros_like(pool[0].outputs), ((inf, inf), 1)
        for n in range(1, most + 1):
            each = [worth((total + one.outputs) / n, rows) for one in pool]
            place = each.index(min(each))
            total = total + pool[place].outputs
            chosen.append(place)
            best = min(best, (each[place], n))
        return chosen[: best[1]]

    if len(pool) == 1 or choices.solver == "lm":
        return Ensemble.of(found[:1])
    outside = np.zeros((2, *samples.y.shape))
    for rows in held:
        for way, most in enumerate((1, MOST_COUNTED)):
            places = selected(judged & ~rows, most)
            outside[way, rows] = sum(pool[k].outputs[rows] for k in places) / len(places)
    (score, loss), (score_then, loss_then) = (worth(outputs, judged) for outputs in outside)
    if score_then > score or loss_then > (1 - BETTER) * loss:
        return Ensemble.of(found[:1])
    times = Counter(selected(judged, MOST_COUNTED))
    return Ensemble.of([pool[k] for k in sorted(times)], [times[k] for k in sorted(times)])


_Best = dict[tuple[int, int, int], tuple[float, FloatArray, Sweep, int]]
"""By the place of a setting: its smallest loss, the outputs then, the networks, and the step."""


def measured(
    target: Target, outputs: FloatArray, samples: SearchSamples, choices: Choices
) -> tuple[float, float]:
    """Return the negative score (0 without ``scoring``) and the loss: less is better."""
    objective = choices.objective(target)
    loss = mean_loss(objective, outputs, samples.y, samples.costs)
    if choices.scoring is None:
        return 0.0, loss if isfinite(loss) else inf
    name, sign = SCORING[isinstance(target, ClassTarget)][choices.scoring]
    score = scores_of(target, outputs, samples.y, objective, samples.weights)[name]
    return -sign * score if isfinite(score) else inf, loss if isfinite(loss) else inf


def _tried(
    target: Target,
    samples: SearchSamples,
    grid: _Grid,
    seen: int,
    choices: Choices,
    held: NDArray[np.bool_],
    bins: int,
) -> list[Candidate]:
    """Cross-validate a grid of hidden sizes, learning rates and L2 penalties, best first.

    ``held`` are the validation rows of each fold; losses are of these rows.
    """
    hidden_sizes, alphas, penalties = grid
    objective, folds = choices.objective(target), len(held)
    judged = np.flatnonzero(held.any(axis=0))
    of_judged = samples.at(judged)
    inputs, units, count = samples.X.shape[1], samples.y.shape[1], len(alphas) * len(penalties)
    networks = (Network((inputs, *hidden, units), bias=True) for hidden in hidden_sizes)
    parameters = folds * count * sum(network.parameters for network in networks)
    check_memory(16 * parameters + 8 * count * samples.y.size, "the search", also=LESS)
    least = int((~held).sum(axis=1).min())
    settings = settings_of(objective, least, seen, choices.solver)
    updates = -(-least // (settings["batch_size"] or least))
    settings |= {"hidden_size": list(hidden_sizes), "alpha": list(alphas), "l2": list(penalties)}
    settings |= {"folds": held, "seed": choices.seed}
    best: _Best = {}
    with sharing_code(parameters * min(seen, EPOCHS * len(samples.X)) < SHORT):
        for step, result in enumerate(_trainings(samples, settings, updates, choices, best)):
            for i in range(len(hidden_sizes)):
                outside = np.zeros((len(alphas), len(penalties), *samples.y.shape))
                for fold, rows in enumerate(held):
                    outside[:, :, rows] = result[i, fold].predict(samples.X[rows])
                if samples.skip is not None:
                    outside = samples.skip.added(outside, samples.X)
                for j, k in np.ndindex(outside.shape[:2]):
                    loss = mean_loss(objective, outside[j, k][judged], of_judged.y, of_judged.costs)
                    loss = loss if isfinite(loss) else inf
                    if (i, j, k) not in best or loss < best[i, j, k][0]:
                        best[i, j, k] = loss, outside[j, k], result, step
    found = []
    for (i, j, k), (loss, outputs, result, _) in best.items():
        negative = measured(target, outputs[judged], of_judged, choices)[0]
        score = None if choices.scoring is None else -negative
        known = loss, score, bins, outputs, result, (i, j, k), samples.skip
        found.append(Candidate(hidden_sizes[i], alphas[j], penalties[k], *known))
    return ranked(found)


def _trainings(
    samples: SearchSamples, settings: dict[str, Any], updates: int, choices: Choices, best: _Best
) -> Iterator[Sweep]:
    """Train with early stopping; or in steps, of which the caller puts the best into ``best``."""
    X, skip = samples.X, samples.skip
    y = samples.y if skip is None else skip.taken(samples.y, X)
    first = settings | ({"sample_weight": samples.costs} if np.ptp(samples.costs) else {})
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
        rule = error.rule.replace("the sweep", "the search", 1)
        raise TooLargeError(rule, [f"{LESS} need less"]) from error


def refit(target: Target, samples: SearchSamples, best: Ensemble, choices: Choices) -> Ensemble:
    """Train the settings again on these rows, as in the search: a network for each fold.

    With all rows for each network, for as many epochs as the search found best, mean absolute
    errors of unseen rows were 2 to 15 % larger (ames, three splits): none has its best weights.
    """
    held = samples.held(choices.folds, choices.seed)
    seen = int(SEEN[1] * min(1.0, WIDE / samples.X.shape[1]))
    again: dict[tuple[Any, ...], Candidate] = {}
    for size in {one.hidden_size: 0 for one in best.members}:
        # Settings of a size together: eight in a block take three times as long as one.
        own = [one for one in best.members if one.hidden_size == size]
        grid = [size], sorted({one.alpha for one in own}), sorted({one.l2 for one in own})
        found = _tried(target, samples, grid, seen, choices, held, best.bins)
        again |= {one[:3]: one for one in found}
    return Ensemble.of([again[one[:3]] for one in best.members], best.times)
