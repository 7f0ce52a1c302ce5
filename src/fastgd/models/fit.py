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
from fastgd.models.fit_choices import FOLDS, HIDDEN_SIZES, SHARE, Choices
from fastgd.models.fit_search import (
    Candidate,
    Ensemble,
    SearchSamples,
    refit,
    search,
    sizes_for,
    work_of,
)
from fastgd.models.intervals import JUDGED_AT, calibrated, judged_intervals
from fastgd.models.model import Model, Table, mean_outputs
from fastgd.models.rivals import better_rivals, trees_of
from fastgd.models.row_splits import (
    FitRows,
    TrainTestRows,
    class_factors,
    copies,
    encode_rows,
)
from fastgd.models.scores import Score, Scores, constant_of, judged
from fastgd.tables.columns import MOST_CATEGORIES, Encoding
from fastgd.tables.preparation import Preparation, column_name, some_rows
from fastgd.tables.reading import columns_from
from fastgd.tables.targets import MAX_CLASSES, ClassTarget, Target, leaks, learn_target, notes_of


class Fit(NamedTuple):
    """A model, and how it was found."""

    model: Model
    notes: list[str]
    parts: TrainTestRows
    candidates: list[Candidate]
    actual: NDArray[Any]  # targets of the test set, and
    predicted: NDArray[Any]  # predictions for them, before the model was trained on all rows
    verdict: str  # that the model is no better than a constant; usually empty
    best: Ensemble  # what was judged
    bounds: FloatArray | None  # (rows, 2): 90 % intervals of predicted numbers


def fit(
    table: Table,
    target: str | int,
    *,
    classification: bool | None = None,
    test_fraction: float = SHARE,
    test_last: str | int | None = None,
    test_group: str | int | None = None,
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
    stopping; each fold is the validation set of its networks. The setting with the smallest
    validation loss is chosen, and the outputs of its networks, one per fold, are averaged. The test
    set only judges these: no training was stopped and nothing was chosen by it. Then the
    preparation is learned again from all rows, and the chosen setting is trained on them, again in
    folds: these networks are returned.

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
        A column of numbers or dates: the test set is the last rows in its order. It stays an input.
    test_group : str, optional
        A column of labels: the test set, and each fold, has whole groups. It is no input.
    seed : int, Generator or SeedSequence
        Seed of the test set, the folds and the initial weights, as in :func:`fastgd.train`.
    hidden_size : int, tuple of int, or list of these
        Hidden sizes to try: a tuple has one per layer, ``()`` is a linear model. By default none,
        16 and 64 units, but no network with more than eight weights for each row.
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
    Model(target='y', inputs=2, hidden_size=(64,), networks=5)
    >>> model.scores["model"]["R squared"] > 0.99 > model.scores["linear"]["R squared"]
    True
    """
    given = locals()
    choices = Choices(**{name: given[name] for name in Choices._fields}).checked()
    name = column_name("target", target)
    return fit_columns(columns_from(table), name, choices).model


def fit_columns(columns: Mapping[str, NDArray[Any]], target: str, choices: Choices) -> Fit:
    """Fit with validated options, and return the intermediate results too."""
    table = FitRows.of(columns, target, choices)
    wanted, rows = table.wanted, len(table.weights)
    learned = learn_target(
        target, wanted, classification=choices.classification, max_classes=choices.max_classes
    )
    told = notes_of(learned, wanted, choices.classification)
    of_classes = isinstance(learned, ClassTarget)
    labels = learned.encode(wanted).argmax(axis=1) if of_classes else np.zeros(rows, np.int64)
    objective = choices.objective(learned)
    parts = table.split(labels, choices)
    of_counts = objective["loss"] == "poisson"
    if of_counts and wanted.values.min() < 0:
        least = int(wanted.values.argmin())
        raise ValueError(
            "loss='poisson' needs a target of counts, at least 0, "
            f"got {wanted.values[least]:g} in row {wanted.row(least):,}"
        )

    def encoded(
        some: Integers, learn: slice, bins: int, before: Preparation | None = None
    ) -> tuple[Preparation, Target, SearchSamples]:
        """These rows, encoded as it is learned from the first of them."""
        own, weights = labels[some], table.weights[some]
        factors = class_factors(learned, own[learn], weights[learn], choices.class_weight)
        decisions = choices.decisions._replace(drop=table.drop, bins=bins)
        inputs, cells = some_rows(table.inputs, some), wanted[some]
        target, y, preparation, X = encode_rows(
            inputs, cells, learned, learn, decisions, before, of_counts=of_counts
        )
        groups = None if table.groups is None else table.groups[some]
        samples = SearchSamples(X, y, own, weights, weights * factors[own], groups)
        return preparation, target, samples

    count = len(parts.learn)
    with_bins = cache(partial(encoded, np.concatenate(parts), slice(count)))
    preparation, encoder, samples = with_bins(0)
    learn, judge = samples.at(slice(count)), samples.at(slice(count, None))  # views
    numbers = preparation.numbers(table.inputs)
    leaked = leaks(preparation, numbers[parts.learn], encoder, learn.y)
    alike = copies(np.hstack([numbers, encoder.encode(wanted)]), parts)
    candidates, best, linear = search(
        encoder,
        lambda bins: with_bins(bins)[2].at(slice(count)),
        sizes_for(learn, choices),
        choices,
    )
    preparation, _, samples = with_bins(best.bins)
    known = learn.y, learn.weights, learn.costs
    runs, intervals, warmth = calibrated(encoder, best.runs, best.outputs, *known)
    chosen, scores, finding = best, dict[str, Scores](), ""
    better, covered, bounds = list[str](), "", None
    predicted = encoder.decode(judge.y)
    actual = predicted if of_classes else wanted.values[parts.judge]
    again = f"learned from all {rows:,} rows"
    if len(parts.judge):
        plain, X, y = (runs if linear is best else linear.runs), judge.X, judge.y
        rivals = {
            "model": mean_outputs(runs[0], runs, samples.X[count:], best.counts),
            "linear": mean_outputs(plain[0], plain, X),
            "constant": constant_of(objective, learn.y, learn.weights, y.shape),
        }
        order = np.concatenate(parts)
        trees, beaten = trees_of(
            encoder,
            choices,
            samples._replace(X=numbers[order]),
            count,
            best.outputs,
            work_of(samples.at(slice(count)), choices),
        )
        rivals |= trees
        better = better_rivals(encoder, objective, rivals, judge, beaten)
        scores, finding = judged(encoder, rivals, y, objective, judge.weights)
        predicted = encoder.decode(rivals["model"])
        covered = judged_intervals(encoder, intervals, rivals["model"], y, judge.weights)
        if not of_classes:
            of_each = intervals.columns(encoder, rivals["model"], JUDGED_AT).values()
            bounds = np.column_stack(list(of_each))
        preparation, encoder, samples = encoded(
            np.arange(rows), slice(rows), best.bins, preparation
        )
        best = refit(encoder, samples, best, choices)
        known = samples.y, samples.weights, samples.costs
        runs, intervals, warmth = calibrated(encoder, best.runs, best.outputs, *known)
        again = (
            f"learned again from all {rows:,} rows, in folds as before; the scores are those of "
            "the networks before that"
        )
    after = [*filter(None, [covered, warmth]), *alike, again, *filter(None, [best.size]), *better]
    trained = (*told[1:], *leaked, *after, *filter(None, [finding]))
    notes = [*table.notes[:-1], *told, *preparation.notes, *leaked, table.notes[-1], *after]
    model = Model(runs, preparation, (encoder,), scores, trained, intervals, best.counts)
    return Fit(model, notes, parts, candidates, actual, predicted, finding, chosen, bounds)
