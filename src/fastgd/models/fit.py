"""fit(): from a table to a trained and tested model in one call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.engine.devices import CPU
from fastgd.formulas.named import Loss
from fastgd.models.fit import Candidate, SearchSamples, refit, search, sizes_for
from fastgd.models.fit_choices import FOLDS, HIDDEN_SIZES, SHARE, Choices
from fastgd.models.model import Model, Table, mean_outputs
from fastgd.models.row_splits import FitRows, TrainTestRows, class_factors, copies
from fastgd.models.scores import Scores, constant_of, scores_of, verdict
from fastgd.tables.columns import MOST_CATEGORIES, Encoding
from fastgd.tables.notations import numbers_written
from fastgd.tables.preparation import Preparation, column_name, some_rows
from fastgd.tables.reading import columns_from
from fastgd.tables.targets import (
    MAX_CLASSES,
    ClassTarget,
    NumberTarget,
    Target,
    leaks,
    learn_target,
    notes_of,
)


class Fit(NamedTuple):
    """A model, and how it was found."""

    model: Model
    notes: list[str]
    parts: TrainTestRows
    candidates: list[Candidate]
    actual: NDArray[Any]  # targets of the test set, and
    predicted: NDArray[Any]  # predictions for them, before the model was trained on all rows
    verdict: str  # that the model is no better than a constant; usually empty


def fit(
    table: Table,
    target: str | int,
    *,
    classification: bool | None = None,
    test_fraction: float = SHARE,
    test_last: str | int | None = None,
    test_group: str | int | None = None,
    seed: int = 0,
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
    class_weight: str | Mapping[Any, float] | None = None,
    scoring: str | None = None,
    solver: str = "adam",
    threads: int | None = None,
    device: str = CPU,
    progress: bool = False,
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
    seed : int
        Seed of the test set, the folds and the initial weights.
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
    labels = np.zeros(rows, dtype=np.int64)
    if isinstance(learned, ClassTarget):
        labels = learned.encode(wanted).argmax(axis=1)
    objective = choices.objective(learned)
    parts = table.split(labels, choices)

    def prepared(
        *parts: NDArray[np.int64], before: Preparation | None = None
    ) -> tuple[Preparation, Target, list[SearchSamples]]:
        """The rows of each part, encoded as it is learned from those of the first."""
        learn, mine = parts[0], learned
        if isinstance(learned, NumberTarget):
            mine = NumberTarget.learn(target, wanted[learn])
            if objective["loss"] == "poisson":
                mine = _of_counts(mine, wanted.values, columns[target])
        y = mine.encode(wanted)
        factors = class_factors(mine, labels[learn], table.weights[learn], choices.class_weight)
        preparation, first = Preparation.learn_with_inputs(
            some_rows(table.inputs, learn),
            choices.decisions._replace(drop=table.drop, y=y[learn]),
            before,
        )
        found = []
        for part in parts:
            X = first if part is learn else preparation.transform(some_rows(table.inputs, part))
            group = None if table.groups is None else table.groups[part]
            weights, label = table.weights[part], labels[part]
            costs = weights * factors[label]
            found.append(SearchSamples(X, y[part], label, weights, costs, group))
        return preparation, mine, found

    preparation, learned, [learn, *judge] = prepared(*(part for part in parts if len(part)))
    leaked = leaks(preparation, some_rows(table.inputs, parts.learn), learned, learn.y)
    facts = np.hstack([preparation.numbers(table.inputs), learned.encode(wanted)])
    alike = copies(facts, parts)
    tried = search(learned, learn, sizes_for(learn, choices), choices)
    candidates = [one for one in tried if one.hidden_size or () in choices.hidden_size]
    best, linear = candidates[0], next(one for one in tried if not one.hidden_size)
    scores: dict[str, Scores] = {}
    outputs, finding = learn.y[:0], ""
    for X, y, _, weights, *_ in judge:
        outputs = mean_outputs(best.runs[0], best.runs, X)
        rivals = {
            "model": outputs,
            "linear": mean_outputs(linear.runs[0], linear.runs, X),
            "constant": constant_of(objective, learn.y, learn.weights, y.shape),
        }
        for name, found in rivals.items():
            scores[name] = scores_of(learned, found, y, objective, weights)
        finding = verdict(learned, rivals, y, objective, weights)
    predicted = learned.decode(outputs)
    samples, again = learn, f"learned from all {rows:,} rows"
    if judge:
        preparation, learned, [samples] = prepared(np.arange(rows), before=preparation)
        best = refit(learned, samples, best, choices)
        again = (
            f"learned again from all {rows:,} rows, in folds as before; the scores are those of "
            "the networks before that"
        )
    of_classes = isinstance(learned, ClassTarget)
    actual = learned.decode(samples.y) if of_classes else wanted.values
    trained = (*told[1:], *leaked, *alike, again, *filter(None, [finding]))
    notes = [*table.notes[:-1], *told, *preparation.notes, *leaked, table.notes[-1], *alike, again]
    model = Model(best.runs, preparation, (learned,), scores, trained)
    return Fit(model, notes, parts, candidates, actual[parts.judge], predicted, finding)


def _of_counts(
    target: NumberTarget, counts: NDArray[np.float64], column: NDArray[Any]
) -> NumberTarget:
    """A target of counts is divided by their mean only, where outputs of exp begin."""
    if counts.min() < 0:
        found = numbers_written(target.name, column).values == counts.min()
        raise ValueError(
            "loss='poisson' needs a target of counts, at least 0, "
            f"got {counts.min():g} in row {int(found.argmax()) + 1:,}"
        )
    return replace(target, mean=0.0, scale=target.mean or 1.0)
