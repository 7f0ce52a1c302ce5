"""fit(): from a table to a trained and tested model in one call, by a small grid search."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import FloatArray, Seed
from fastgd.engine.devices import CPU
from fastgd.engine.progress import ProgressHook
from fastgd.formulas.named import Loss
from fastgd.models.changes import Skip, last_value, learns_changes, values_of
from fastgd.models.fit_choices import FOLDS, HIDDEN_SIZES, SHARE, Choices
from fastgd.models.fit_search import Candidate, Ensemble, SearchSamples, refit, search
from fastgd.models.intervals import JUDGED_AT, Intervals, calibrated, judged_intervals
from fastgd.models.lags import with_lags
from fastgd.models.model import Model, Table, mean_outputs
from fastgd.models.rivals import better_rivals, trees_of
from fastgd.models.row_splits import FitRows, TrainTestRows, class_factors, copies, encode_rows
from fastgd.models.scores import RARE, Score, Scores, constant_of, judged, scorer_of, skewness_note
from fastgd.tables.columns import MOST_CATEGORIES, Encoding
from fastgd.tables.inspection import Importances, permutation_importances
from fastgd.tables.preparation import Preparation, column_name, some_rows
from fastgd.tables.reading import columns_from
from fastgd.tables.targets import MAX_CLASSES, ClassTarget, Target, leaks, learn_target, notes_of
from fastgd.training.run import Run

REPEATS, MOST_ROWS, FEWEST_ROWS, MOST_WORK = 5, 1_000, 30, 1e9
"""How often each column of the test set is shuffled, in how many rows, and multiply-adds of that:
0.2 s, below a tenth of a fit's time."""


class Fit(NamedTuple):
    """A model, and how it was found."""

    model: Model
    notes: list[str]
    parts: TrainTestRows
    candidates: list[Candidate]
    actual: NDArray[Any]  # targets of the test set, and
    predicted: NDArray[Any]  # predictions for them, before the model was trained on all rows
    verdict: str  # that it is no better than a constant, or never predicts a class; usually empty
    best: Ensemble  # what was judged
    bounds: FloatArray | None = None  # (rows, 2): 90 % intervals of predicted numbers
    importances: Importances | None = None  # of the columns in the test set, at that time


def fit(
    table: Table,
    target: str | int,
    *,
    classification: bool | None = None,
    test_fraction: float = SHARE,
    test_last: str | int | None = None,
    test_group: str | int | None = None,
    lags: int = 0,
    horizon: int = 1,
    seed: Seed = 0,
    hidden_size: int | tuple[int, ...] | Sequence[int | tuple[int, ...]] = HIDDEN_SIZES,
    folds: int = FOLDS,
    max_categories: int = MOST_CATEGORIES,
    standardize: bool = True,
    drop: Collection[str] = (),
    keep: Collection[str] = (),
    encoding: Encoding = "one-hot",
    max_classes: int = MAX_CLASSES,
    sample_weight: str | int | ArrayLike | None = None,
    loss: str | Loss | None = None,
    class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
    scoring: Score | None = None,
    solver: Literal["adam", "lm"] = "adam",
    rivals: bool | None = None,
    threads: int | None = None,
    device: str = CPU,
    progress: bool | ProgressHook = False,
    **parameters: float,
) -> Model:
    """Train a model that predicts one column of a table from the others.

    A test set is drawn (by default a fifth of the rows); how to prepare the columns is learned from
    the training rows only (:meth:`fastgd.tables.preparation.Preparation.learn`). One sweep
    cross-validates hidden sizes, learning rates and L2 penalties, with Adam, mini-batches and early
    stopping; each fold is the validation set of its networks. Numbers in piecewise-linear bins and
    deeper networks have to win on two folds before they are trained on all (successive halving).
    The setting with the smallest validation loss is chosen, or an ensemble of settings, selected
    greedily (Caruana and others 2004, "Ensemble selection from libraries of models"), and the
    outputs of its networks, one per fold, are averaged. The test set only judges these: no training
    was stopped and nothing was chosen by it. Then the preparation is learned again from all rows,
    and the chosen settings are trained on them, again in folds: these networks are returned.

    Parameters
    ----------
    table : DataFrame, mapping of str to (rows,) array_like, or path
        Columns of numbers, strings or booleans; cells may be missing. Rows without a target are
        left out. A path is that of a CSV or TSV file, also compressed (.gz), or a Parquet file.
    target : str
        The column to predict; an int if the columns of a DataFrame are named by numbers.
    classification : bool, optional
        Whether to predict classes. By default, if the target holds strings, booleans, or only the
        numbers 0 and 1.
    test_fraction : float
        Fraction of the rows in the test set, below 1; with 0 nothing is judged.
    test_last : str, optional
        A column of numbers or dates: the test set is the last rows in its order, and each fold has
        consecutive ones. It stays an input.
    test_group : str, optional
        A column of labels: the test set, and each fold, has whole groups. It is no input.
    lags : int
        With ``test_last``: the last values of the target, this many, become inputs. ``predict``
        knows those at the end of this table, and of later ones in its own table those before the
        first row without a target. Where the change since the last one varies less than the target
        does, networks learn the change.
    horizon : int
        How many rows ahead a forecast reaches. Each row to learn from, and to judge by, has the
        lags that were known a drawn number of rows before it, at most this one.
    seed : int, Generator or SeedSequence
        Seed of the test set, the folds and the initial weights, as in :func:`fastgd.train`.
    hidden_size : int, tuple of int, or list of these
        Hidden sizes to try: a tuple has one per layer, ``()`` is a linear model. By default none,
        16, 64 and 128 units, ``(64, 64)`` and ``(128, 64)``, but no network with more than eight
        weights for each row.
    folds : int
        Folds of the cross-validation, and so networks that are averaged.
    max_categories, standardize, drop, keep, encoding
        As in :meth:`fastgd.tables.preparation.Preparation.learn`.
    max_classes : int
        The most classes of the target; with more it is rather free text.
    sample_weight : str or (rows,) array_like, optional
        Weights of the rows, in the training and in the scores; or their column, which is no input.
        Rows of weight 0 are left out.
    loss : str or Loss, optional
        For numbers: "squared" (the default), "absolute", "huber", "quantile", "poisson" (counts) or
        a :class:`fastgd.Loss` of standardized targets. ``tau``, ``delta`` or its own parameters are
        further arguments.
    class_weight : "balanced" or dict, optional
        Factors of the rows' weights by class, in the training, such as ``{"yes": 10}``; "balanced"
        gives all classes the same sum of weights. The scores don't use them.
    scoring : str, optional
        Choose the setting by this score of the cross-validated predictions instead of the loss:
        "accuracy", "balanced_accuracy", "roc_auc", "neg_log_loss"; "r2", "neg_mean_absolute_error",
        "neg_median_absolute_error" or "neg_root_mean_squared_error".
    solver : {"adam", "lm"}
        "lm" is :class:`fastgd.optimizers.LevenbergMarquardt` with Bayesian regularization, for
        numbers with a squared loss: tanh networks, by default with none, 4, 8 and 16 units. It is
        for tables with hardly any noise, such as computed ones; for measured ones "adam" is better.
    rivals : bool, optional
        Whether scikit-learn's boosted trees learn the same rows, to be compared in
        ``model.scores`` and by a line where they are clearly better; they are not kept. By default,
        if it is installed and they take less than half of the fit's time.
    threads, device, progress
        As in :func:`fastgd.sweep`.

    Returns
    -------
    Model
        ``model.scores`` are the scores on the test set, from before all rows were learned.

    Raises
    ------
    OSError
        If the file can't be read.
    DeviceError
        If there is no such GPU, or it can't be used.
    ValueError, TypeError
        If an argument is not as described, or the table has too few rows or no usable column; the
        message states the rule and what came.

    Examples
    --------
    >>> import fastgd, numpy as np
    >>> x = np.linspace(-3, 3, 200)
    >>> model = fastgd.fit({"x": x, "noise": np.cos(50 * x), "y": np.sin(x)}, target="y")
    >>> model
    Model(target='y', inputs=24, hidden_size=(16,), networks=15)
    >>> model.scores["model"]["R squared"] > 0.99 > model.scores["linear"]["R squared"]
    True
    """
    given = locals()
    choices = Choices(**{name: given[name] for name in Choices._fields}).checked()
    name = column_name("target", target)
    return fit_columns(columns_from(table), name, choices).model


class Trained(NamedTuple):
    """The networks that have learned from some rows, and what is known of their errors."""

    target: Target
    preparation: Preparation
    best: Ensemble
    runs: tuple[Run, ...]
    intervals: Intervals
    note: str  # on the calibration of probabilities, usually empty

    @classmethod
    def of(
        cls, target: Target, preparation: Preparation, best: Ensemble, rows: SearchSamples
    ) -> Trained:
        """Calibrate what was chosen, by its outputs for the rows that its folds haven't seen."""
        found = calibrated(target, best.runs, best.outputs, rows.y, rows.weights, rows.costs)
        return cls(target, preparation, best, *found)

    def outputs(self, X: FloatArray) -> FloatArray:
        """Return the mean of the networks' outputs for prepared rows."""
        return mean_outputs(self.runs[0], self.runs, X, self.best.counts)

    def importances(self, samples: SearchSamples) -> Importances:
        """Return the importances of columns for a test set; a large one has fewer rows."""
        size, columns = (
            sum(w.size for run in self.runs for w in run.weights),
            self.preparation.columns,
        )
        most = int(MOST_WORK / (REPEATS * len(columns) * size))
        most = min(MOST_ROWS, max(FEWEST_ROWS, most))
        few = samples.at(slice(None, None, -(-len(samples.X) // most)))
        measure, score = scorer_of(self.target, few.y, None, None, few.weights)
        found = permutation_importances(self.outputs, score, few.X, columns, REPEATS, 0)
        return Importances(self.target.name, measure, *found)


def fit_columns(columns: Mapping[str, NDArray[Any]], target: str, choices: Choices) -> Fit:
    """Fit with validated options, and return the intermediate results too."""
    # Encode: what is predicted, the rows that judge, and the columns as the training rows say.
    table, lags = with_lags(FitRows.of(columns, target, choices), target, choices)
    wanted, rows, known = table.wanted, len(table.weights), choices.classification
    learned = learn_target(target, wanted, classification=known, max_classes=choices.max_classes)
    of_classes, objective = isinstance(learned, ClassTarget), choices.objective(learned)
    told = notes_of(learned, wanted, known) + skewness_note(target, wanted.values, objective)
    labels = learned.encode(wanted).argmax(axis=1) if of_classes else np.zeros(rows, np.int64)
    parts, of_counts = table.split(labels, choices), objective["loss"] == "poisson"
    if of_counts and wanted.values.min() < 0:
        least = int(wanted.values.argmin())
        came = f"{wanted.values[least]:g} in row {wanted.row(least):,}"
        raise ValueError(f"loss='poisson' needs a target of counts, at least 0, got {came}")
    is_plain = choices.solver == "adam" and not of_counts  # relu units, outputs of any sign
    changes = is_plain and learns_changes(lags, table.inputs, wanted.values, parts.learn)
    names = lags.names if lags else ()  # as they are: their sum with a network's outputs
    decided = choices.decisions._replace(drop=table.drop, keep=[*choices.keep, *names], plain=names)
    none, weights = np.empty((rows, 0)), table.weights
    facts = SearchSamples(none, none, labels, weights, weights, table.groups, table.last)

    def encoded(
        some: Integers, learn: slice, bins: int, before: Preparation | None = None
    ) -> tuple[Preparation, Target, SearchSamples]:
        """These rows, encoded as it is learned from the first of them."""
        own, cells, decisions = facts.at(some), wanted[some], decided._replace(bins=bins)
        classes, weights = own.labels, own.weights
        factors = class_factors(learned, classes[learn], weights[learn], choices.class_weight)
        known = some_rows(table.inputs, some), cells, learned, learn, decisions, before
        target, y, preparation, X = encode_rows(*known, of_counts=of_counts)
        last = last_value(lags, preparation, target) if changes else None
        skip = None if last is None else Skip.of(last, X[learn], y[learn])
        samples = own._replace(X=X, y=y, costs=weights * factors[classes], skip=skip)
        return preparation, target, samples

    order, count = np.concatenate(parts), len(parts.learn)
    with_bins = cache(partial(encoded, order, slice(count)))
    preparation, encoder, plain = with_bins(0)
    learn, judge = plain.at(slice(count)), plain.at(slice(count, None))  # views
    numbers = preparation.numbers(table.inputs)
    leaked = leaks(preparation, numbers[parts.learn], encoder, learn.y)
    leaked = [line for line in leaked if not (lags and lags.has(line))]
    alike = copies(np.hstack([numbers, encoder.encode(wanted)]), parts)
    alike += table.untimed(preparation, numbers, choices)

    # Search among the training rows, and judge what was found by the others.
    found = search(encoder, lambda bins: with_bins(bins)[2].at(slice(count)), choices)
    chosen = best = found.best
    preparation, _, samples = with_bins(best.bins)
    trained = Trained.of(encoder, preparation, best, learn)
    predicted = encoder.decode(judge.y)
    actual = predicted if of_classes else wanted.values[parts.judge]
    scores, verdict, covered, better = dict[str, Scores](), "", "", list[str]()
    bounds, importances, again = None, None, f"learned from all {rows:,} rows"
    if len(parts.judge):
        unseen, runs = samples.at(slice(count, None)), found.linear.runs
        mine = trained.outputs(unseen.X)
        linear = mine if found.linear is best else mean_outputs(runs[0], runs, judge.X)
        constant = constant_of(objective, learn.y, learn.weights, judge.y.shape)
        outputs = {"model": mine, "linear": linear, "constant": constant}
        if (last := last_value(lags, preparation, encoder)) is not None:
            outputs["last value"] = values_of(last, unseen.X)
        trees, in_folds = trees_of(encoder, choices, samples, numbers[order], best.outputs)
        outputs |= trees
        advice = RARE if choices.class_weight is None else ""
        scores, verdict = judged(encoder, outputs, judge.y, objective, judge.weights, advice)
        covered = judged_intervals(encoder, trained.intervals, mine, judge.y, judge.weights)
        better = better_rivals(encoder, objective, outputs, judge, in_folds)
        predicted = encoder.decode(mine)
        if not of_classes:
            ends = trained.intervals.columns(encoder, mine, JUDGED_AT)
            bounds = np.column_stack(list(ends.values()))
        importances = trained.importances(unseen)

        # Learn again, from all rows.
        everything = np.arange(rows), slice(rows)
        preparation, encoder, samples = encoded(*everything, best.bins, preparation)
        best = refit(encoder, samples, best, choices)
        trained = Trained.of(encoder, preparation, best, samples)
        again = (
            f"learned again from all {rows:,} rows, in folds as before; the scores are those of "
        )
        again += "the networks before that"
    after = [covered, trained.note, *alike, again, best.size, *better]
    after = [line for line in after if line]
    notes = [*table.notes[:-1], *told, *preparation.notes, *leaked, table.notes[-1], *after]
    own_notes = (*told[1:], *leaked, *after, *filter(None, [verdict]))
    more = scores, own_notes, trained.intervals, best.counts, lags
    model = Model(trained.runs, preparation, (encoder,), *more)
    on_test = actual, predicted, verdict, chosen, bounds, importances
    return Fit(model, notes, parts, found.candidates, *on_test)
