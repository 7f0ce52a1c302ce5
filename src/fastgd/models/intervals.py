"""How sure predictions are: intervals of numbers, sets and probabilities of classes.

All of it is learned from outputs of networks for rows that they never saw: those of the folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import floor, inf, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import many
from fastgd.checks.numbers import FloatArray, check_number, rule_of
from fastgd.engine.formula_values import evaluate
from fastgd.export.exported import Bounds
from fastgd.models.scores import mean_loss
from fastgd.store import Arrays
from fastgd.store.npz import Found
from fastgd.tables.column_values import in_order, weighted_mean
from fastgd.tables.targets import ClassTarget, NumberTarget, Target
from fastgd.training.codec import array_of, need
from fastgd.training.run import Run

KNOTS, ROWS_OF_KNOT = 8, 40
"""The most knots of a spread, and the rows for each of them."""

SHRUNK = 5.0
"""The mean of all rows counts as much as these rows near a knot, or of a group. With 20 interval
scores on six panels were 2 % smaller to 6 % larger, with 2 3 % smaller to 4 % larger."""

MOST_SCORES = 1_999
"""Scores that are stored, at most: quantiles of them, exact for multiples of 1/2,000."""

JUDGED_AT = 0.9
"""The coverage at which intervals are compared and reported."""

FOLDS = 5
"""Folds of the residuals: the spread that scales a residual hasn't learned from it."""

OPTIMISM = 15.0
"""Errors of folds, by which their networks were stopped and chosen, are made larger by this number
divided by that of the rows. Without it the mean coverage of 90 % intervals on unseen rows was 82 to
90 % on the four smallest of 25 tables (22 to 163 rows), and with it 88 to 97 %."""

LEAST = 1e-12
"""The least spread, in standard deviations of the target."""


class Intervals(NamedTuple):
    """The errors of a model on rows that its networks never saw, in encoded units.

    The interval of a prediction f is f + spread(f) * quantiles of the scores, where the spread is
    linear between its knots and constant beyond. It is conformal (Vovk and others 2005; with folds:
    Barber and others 2021, "Predictive inference with the jackknife+"), scaled as by Lei and others
    (2018, section 5.2). Of classes the scores are 1 - probability of the true class.
    """

    knots: FloatArray  # (k,) predictions, increasing
    spread: FloatArray  # (k,): the typical |error| there
    scores: FloatArray  # (m,) errors divided by the spread, sorted
    least: float = -inf  # no target is below it

    @classmethod
    def learn(
        cls, outputs: FloatArray, targets: FloatArray, weights: FloatArray, least: float = -inf
    ) -> Intervals:
        """Learn from (rows,) outputs of networks that never saw the rows, with their targets."""
        errors = targets - outputs
        sizes, count = np.abs(errors), min(KNOTS, len(errors) // ROWS_OF_KNOT)
        found = []
        for knots in dict.fromkeys((1, max(1, count))):
            scales = np.empty_like(errors)
            for fold in range(FOLDS):
                held = np.arange(len(errors)) % FOLDS == fold
                learned = _spread(outputs[~held], sizes[~held], weights[~held], knots)
                scales[held] = np.interp(outputs[held], *learned)
            scores = _quantiles(errors / scales, weights)
            one = cls(*_spread(outputs, sizes, weights, knots), scores, least)
            bounds = outputs[:, None] + scales[:, None] * one.ends(JUDGED_AT)
            found.append((weighted_mean(interval_scores(bounds, targets), weights), one))
        return min(found, key=lambda pair: pair[0])[1]

    @classmethod
    def of_groups(
        cls,
        target: Target,
        deviations: FloatArray,
        outputs: FloatArray,
        encoded: FloatArray,
        codes: Integers,
        cutoffs: Integers,
    ) -> Intervals | None:
        """Learn from (rows, 1) outputs for rows that the models of their groups haven't seen.

        The knots are the indices of the groups. The spread of a group is the mean size of its
        errors, shrunk towards that of all groups, in proportion to the deviations (groups,) of
        their targets; the one that scales an error hasn't learned from it. Errors after a cutoff
        have causes in common: of the ``cutoffs`` (rows,) the one with the widest intervals counts.
        """
        known = np.isfinite(outputs[:, 0])
        if isinstance(target, ClassTarget) or not known.any():
            return None
        errors, codes = (encoded - outputs)[known, 0], codes[known]
        least = _least(target, encoded)
        sizes, groups, varied = np.abs(errors), len(deviations), deviations > 0
        typical = in_order(deviations) / max(1, int(varied.sum())) or 1.0
        deviations = np.where(varied, deviations, typical)
        prior = SHRUNK * in_order(sizes / deviations[codes]) / len(sizes) * deviations
        total, count = np.bincount(codes, sizes, groups), np.bincount(codes, minlength=groups)
        others = (prior + total)[codes] - sizes
        scores = errors / np.maximum(others / (SHRUNK - 1 + count[codes]), LEAST)
        spread = np.maximum((prior + total) / (SHRUNK + count), LEAST)
        of_each = [scores[cutoffs[known] == k] for k in np.unique(cutoffs[known])]
        shared = np.arange(groups, dtype=np.float64), spread
        found = [cls(*shared, _quantiles(own, np.ones(len(own))), least) for own in of_each]
        return max(found, key=lambda one: float(np.ptp(one.ends(JUDGED_AT))))

    def ends(self, coverage: float) -> FloatArray:
        """Return the (2,) quantiles of the scores that a share ``coverage`` lies between.

        Of m scores the k-th smallest and the k-th largest, k = floor((m + 1) * (1 - coverage) / 2);
        where k is 0, beyond all scores, the tails are taken as exponential.
        """
        count, tail = len(self.scores), (1 - coverage) / 2
        k = floor(round((count + 1) * tail, 9))
        if k:
            return np.asarray(self.scores[[k - 1, count - k]])
        beyond = in_order(np.abs(self.scores)) / count * log(1 / ((count + 1) * tail))
        return np.asarray(self.scores[[0, -1]] + np.array([-beyond, beyond]))

    def bounds(
        self, outputs: FloatArray, coverage: float, codes: Integers | None = None
    ) -> FloatArray:
        """Return the (rows, 2) bounds, encoded, of (rows,) predictions; or of groups, by codes."""
        scales = np.interp(outputs if codes is None else codes, self.knots, self.spread)
        ends = outputs[:, None] + scales[:, None] * self.ends(coverage)
        return np.maximum(ends, self.least)

    def columns(
        self, target: Target, outputs: FloatArray, coverage: float, codes: Integers | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the bounds of (rows, 1) outputs in the target's unit, by the names of columns."""
        bounds = self.bounds(outputs[:, 0], coverage, codes).T
        names = (f"{target.name} {end}" for end in ("low", "high"))
        decoded = (target.decode(one[:, None]) for one in bounds)
        return dict(zip(names, decoded, strict=True))

    def in_units(self, target: Any, coverage: float) -> Bounds:
        """The same for numbers in the target's unit, for exports."""
        knots, least = (one * target.scale + target.mean for one in (self.knots, self.least))
        ends = self.ends(coverage)
        return Bounds.between(coverage, knots, self.spread * target.scale, ends, least)

    def sets(self, probabilities: FloatArray, coverage: float) -> NDArray[np.bool_]:
        """Return the (rows, classes) sets of classes: of the least size (Sadinle and others 2019).

        Each has the most probable class.
        """
        k = floor(round((len(self.scores) + 1) * (1 - coverage), 9))
        most = self.scores[-k] if k else inf
        found = 1 - probabilities <= most
        found[np.arange(len(found)), probabilities.argmax(axis=1)] = True
        return found

    def remarks(self, coverage: float, sides: int = 2) -> list[str]:
        """Say if there are too few rows for this coverage."""
        if round((len(self.scores) + 1) * (1 - coverage), 9) >= sides:
            return []
        said = f"{many(len(self.scores), 'row')} can't show {100 * coverage:.4g} %"
        return [f"intervals: {said}: the bounds are beyond all their errors"]

    def encoded(self) -> Arrays:
        """The arrays of a file."""
        return {f"intervals_{name}": np.asarray(one) for name, one in self._asdict().items()}

    @classmethod
    def decoded(cls, arrays: Found) -> Intervals | None:
        """Restore them, checked; None if the file has none."""
        if "intervals_knots" not in arrays:
            return None
        k, m = (arrays[f"intervals_{name}"].shape for name in ("knots", "scores"))
        need(len(k) == len(m) == 1 and min(k + m) > 0)
        shapes = zip(cls._fields, (k, k, m, ()), strict=True)
        found = (array_of(arrays, f"intervals_{name}", "f", shape) for name, shape in shapes)
        knots, spread, scores, least = found
        need(all(np.isfinite(one).all() for one in (knots, spread, scores)))
        need(bool((np.diff(knots) > 0).all() and (spread > 0).all()))
        need(bool((np.diff(scores) >= 0).all() and least < inf))
        return cls(knots, spread, scores, float(least))


def errors_for(
    caller: str, coverage: float, intervals: Intervals | None, targets: Sequence[Target]
) -> Intervals:
    """Return the errors that ``caller`` needs, if the targets and the coverage suit it."""
    argument = "coverage" if caller.startswith("predict") else caller
    check_number(argument, coverage, rule_of("(0, 1)"))
    of_sets, of_classes = caller == "predict_set", isinstance(targets[0], ClassTarget)
    if of_sets != of_classes or len(targets) > 1:
        needs = "a target with classes" if of_sets else "one numeric target"
        kind = "classes of" if of_classes else "numeric target"
        names = ", ".join(target.name for target in targets)
        raise ValueError(f"{caller} needs {needs}, got the {kind} {names}")
    if intervals is None:
        needs = (
            "errors on rows that the networks haven't seen, which fastgd.fit and fit_groups keep"
        )
        raise ValueError(f"{caller} needs {needs}, got a model without them")
    return intervals


def _least(target: NumberTarget, encoded: FloatArray) -> float:
    """Zero, encoded, if no target is below it."""
    zero = -target.mean / target.scale
    return zero if encoded.min() >= zero else -inf


def _spread(
    outputs: FloatArray, sizes: FloatArray, weights: FloatArray, count: int
) -> tuple[FloatArray, FloatArray]:
    """The knots and the mean sizes of errors there, shrunk: of parts, the outer ones smaller."""
    order = np.argsort(outputs, kind="stable")
    outputs, sizes, weights = outputs[order], sizes[order], weights[order]
    total, mean = np.cumsum(weights), weighted_mean(sizes, weights)
    edges = np.arange(1, count) / count
    places = np.searchsorted(edges**2 * (3 - 2 * edges), (total - weights / 2) / total[-1])
    part = np.unique(places, return_inverse=True)[1]
    own = np.bincount(part, weights)
    knots = np.bincount(part, weights * outputs) / own
    prior = SHRUNK * total[-1] / len(weights)
    spread = (np.bincount(part, weights * sizes) + prior * mean) / (own + prior)
    new = np.diff(knots, prepend=-inf) > 0
    return knots[new], np.maximum(spread[new], LEAST)


def _quantiles(scores: FloatArray, weights: FloatArray) -> FloatArray:
    """The scores, sorted; with different weights as many quantiles as they are worth (Kish)."""
    order = np.argsort(scores, kind="stable")
    total = np.cumsum(weights[order])
    count = min(max(1, round(total[-1] ** 2 / in_order(weights**2))), MOST_SCORES)
    levels = (np.arange(count) + 0.5) / count * total[-1]
    return np.asarray(scores[order][np.searchsorted(total, levels)])


def interval_scores(bounds: FloatArray, targets: FloatArray) -> FloatArray:
    """Return the (rows,) scores of 90 % intervals: the width, and 20 times what is missed.

    Gneiting and Raftery 2007, "Strictly proper scoring rules", equation 43.
    """
    low, high = bounds.T
    missed = np.maximum(low - targets, 0) + np.maximum(targets - high, 0)
    return np.asarray(high - low + 2 / (1 - JUDGED_AT) * missed)


# ---------------------------------------------------------------- probabilities of classes

GAINED = 2.0
"""By this a temperature must lower the log loss, summed over the rows; for one parameter that is
significant at about 5 %."""


def _at_temperature(outputs: FloatArray, temperature: float) -> FloatArray:
    """The probabilities softmax(z / temperature), of those with a temperature of 1."""
    logits = evaluate("log", np.maximum(outputs, 1e-300))
    raised = evaluate("exp", (logits - logits.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(raised / np.cumsum(raised, axis=1)[:, -1:])


def temperature_of(outputs: FloatArray, encoded: FloatArray, weights: FloatArray) -> float:
    """Return the temperature with the smallest log loss, and 1 if it is hardly smaller then.

    Guo and others 2017, "On calibration of modern neural networks". It is rounded to hundredths.
    """

    def loss(temperature: float) -> float:
        found = _at_temperature(outputs, temperature)
        return mean_loss({"loss": "cross_entropy"}, found, encoded, weights)

    best = 1.0
    for halving in range(9):  # the loss has one minimum: from 1/4 to 4
        step = 2**0.5**halving
        best = min((best / step, best, best * step), key=loss)
    best = round(best, 2)
    return best if (loss(1.0) - loss(best)) * len(outputs) > GAINED else 1.0


def calibrated(
    target: Target,
    runs: Sequence[Run],
    outputs: FloatArray,
    encoded: FloatArray,
    weights: FloatArray,
    costs: FloatArray,
) -> tuple[tuple[Run, ...], Intervals, str]:
    """Return networks whose probabilities are calibrated, what is known of errors, and a note.

    ``outputs`` are those of rows by networks that never saw them. The weights and the biases of the
    last layer are divided by the temperature: nothing else has to know it.
    """
    if not isinstance(target, ClassTarget):
        least = _least(target, encoded)
        found = Intervals.learn(outputs[:, 0], encoded[:, 0], weights, least)
        wider = found.spread * (1 + OPTIMISM / len(outputs))
        return tuple(runs), found._replace(spread=wider), ""
    temperature, note = temperature_of(outputs, encoded, costs), ""
    if temperature != 1:
        note = f"probabilities: a temperature of {temperature:g} lowers the log loss of the folds"
        outputs = _at_temperature(outputs, temperature)
        both = [(run, (run.weights, run.biases)) for run in runs]
        cooled = [(run, [(*a[:-1], a[-1] / temperature) for a in arrays]) for run, arrays in both]
        runs = [replace(run, weights=weights, biases=biases) for run, (weights, biases) in cooled]
    scores = _quantiles(1 - (outputs * encoded).sum(axis=1), weights)
    return tuple(runs), Intervals(np.zeros(1), np.ones(1), scores), note


def judged_intervals(
    target: Target,
    learned: Intervals,
    outputs: FloatArray,
    encoded: FloatArray,
    weights: FloatArray,
) -> str:
    """Say in one line how 90 % intervals, or sets of classes, cover the rows of a test set."""
    if isinstance(target, ClassTarget):
        sets = learned.sets(outputs, JUDGED_AT)
        inside = np.asarray((sets & (encoded > 0)).any(axis=1))
        kind, rest = "sets", f"{weighted_mean(sets.sum(axis=1), weights):.2f} classes in the mean"
    else:
        bounds, wanted = learned.bounds(outputs[:, 0], JUDGED_AT), encoded[:, 0]
        inside = np.asarray((bounds[:, 0] <= wanted) & (wanted <= bounds[:, 1]))
        width = weighted_mean(np.subtract(*bounds.T[::-1]), weights) * target.scale
        kind, rest = "intervals", f"mean width {width:.4g}"
    share = 100 * weighted_mean(inside, weights)
    return f"{100 * JUDGED_AT:g} % {kind}: {share:.1f} % of the test set lie inside; {rest}"
