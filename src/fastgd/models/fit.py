"""fit(): from a table to a trained and tested model in one call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.axes import MOST_NETWORKS, as_axis
from fastgd.arguments.initial_network import check_hidden_size
from fastgd.checks.messages import shown
from fastgd.checks.values import (
    check_count,
    check_device,
    check_flag,
    check_number,
    check_seed,
    check_threads,
    rule_of,
)
from fastgd.engine.devices import CPU, looked_for
from fastgd.engine.session import available_threads
from fastgd.models.model import Model, Table, mean_outputs
from fastgd.models.scores import scores_of
from fastgd.models.search import HIDDEN_SIZES, Candidate, SearchPlan, SearchSamples, search
from fastgd.models.train_test_split import TrainTestRows, check_rows, parts_of
from fastgd.tables.preparation import MOST_CATEGORIES, Preparation
from fastgd.tables.reading import columns_from
from fastgd.tables.table_selection import column_name, column_names, some_rows, with_targets
from fastgd.tables.targets import (
    MAX_CLASSES,
    ClassTarget,
    NumberTarget,
    learn_target,
    notes_of,
)

SHARE = 0.2
"""Fraction of the rows in the test set."""

FOLDS, MOST_FOLDS = 5, 100
"""Folds of the cross-validation: the default, and the most."""


class Choices(NamedTuple):
    """The options of :func:`fit`."""

    classification: bool | None = None
    test_fraction: float = SHARE
    seed: int = 0
    hidden_size: Any = HIDDEN_SIZES
    folds: int = FOLDS
    max_categories: int = MOST_CATEGORIES
    standardize: bool = True
    drop: Collection[str] = ()
    threads: int | None = None
    device: str = CPU
    progress: bool = False
    max_classes: int = MAX_CLASSES

    def checked(self) -> Choices:
        """Return the validated options; runs before any table is read."""
        if isinstance(self.drop, str) or not isinstance(self.drop, Collection):
            raise TypeError(f"drop must be a list of column names, got {shown(self.drop)}")
        hidden = as_axis("hidden_size", self.hidden_size, MOST_NETWORKS) or [self.hidden_size]
        return self._replace(
            classification=(
                None
                if self.classification is None
                else check_flag("classification", self.classification)
            ),
            test_fraction=check_number("test_fraction", self.test_fraction, rule_of("(0, 1)")),
            seed=check_seed(self.seed),
            hidden_size=list(dict.fromkeys(map(check_hidden_size, hidden))),
            folds=check_count("folds", self.folds, minimum=2, maximum=MOST_FOLDS),
            max_categories=check_count("max_categories", self.max_categories, minimum=0),
            standardize=check_flag("standardize", self.standardize),
            threads=check_threads(self.threads, available_threads()),
            device=looked_for(check_device(self.device)),
            progress=check_flag("progress", self.progress),
            max_classes=check_count("max_classes", self.max_classes, minimum=2),
        )


class Fit(NamedTuple):
    """A model, and how it was found."""

    model: Model
    notes: list[str]
    parts: TrainTestRows
    candidates: list[Candidate]
    actual: NDArray[Any]  # targets of the test set, and
    predicted: NDArray[Any]  # the model's predictions for them


def fit(
    table: Table,
    target: str | int,
    *,
    classification: bool | None = None,
    test_fraction: float = SHARE,
    seed: int = 0,
    hidden_size: int | tuple[int, ...] | Sequence[int | tuple[int, ...]] = HIDDEN_SIZES,
    folds: int = FOLDS,
    max_categories: int = MOST_CATEGORIES,
    standardize: bool = True,
    drop: Collection[str] = (),
    max_classes: int = MAX_CLASSES,
    threads: int | None = None,
    device: str = CPU,
    progress: bool = False,
) -> Model:
    """Train a model that predicts one column of a table from the others.

    A test set is drawn (by default a fifth of the rows); how to prepare the columns is learned from
    the training rows only (:meth:`fastgd.tables.preparation.Preparation.learn`). One sweep
    cross-validates hidden sizes, learning rates and L2 penalties, with Adam, mini-batches and early
    stopping; each fold is the validation set of its networks. The setting with the smallest
    validation loss is chosen, and the outputs of its networks, one per fold, are averaged. The test
    set only judges the result.

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
        Fraction of the rows in the test set, above 0 and below 1.
    seed : int
        Seed of the test set, the folds and the initial weights.
    hidden_size : int, tuple of int, or list of these
        Hidden sizes to try: a tuple has one per layer, ``()`` is a linear model.
    folds : int
        Folds of the cross-validation, and so networks that are averaged.
    max_categories, standardize, drop
        As in :meth:`fastgd.tables.preparation.Preparation.learn`.
    max_classes : int
        The most classes of the target; with more it is rather free text.
    threads, device, progress
        As in :func:`fastgd.sweep`.

    Returns
    -------
    Model
        ``model.scores`` are its scores on the test set.

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
    choices = Choices(
        classification,
        test_fraction,
        seed,
        hidden_size,
        folds,
        max_categories,
        standardize,
        drop,
        threads,
        device,
        progress,
        max_classes,
    ).checked()
    name = column_name("target", target)
    return fit_columns(columns_from(table), name, choices).model


def fit_columns(columns: Mapping[str, NDArray[Any]], target: str, choices: Choices) -> Fit:
    """Fit with validated options, and return the intermediate results too."""
    column_names("target", [target], columns)
    drop = column_names("drop", choices.drop, columns)
    if target in drop:
        raise ValueError(f"drop must not name the target, got {shown(target)}")
    inputs, notes = with_targets(columns, [target], unparsed=drop)
    wanted = inputs.pop(target)
    [rows] = wanted.shape
    check_rows(rows)
    learned = learn_target(
        target, wanted, classification=choices.classification, max_classes=choices.max_classes
    )
    encoded = learned.encode(wanted)
    of_classes = isinstance(learned, ClassTarget)
    labels = encoded.argmax(axis=1) if of_classes else np.zeros(len(encoded), dtype=np.int64)
    parts = parts_of(labels, choices.test_fraction, choices.seed)
    if len(parts.learn) < choices.folds:
        raise ValueError(
            f"folds must be at most the number of training rows ({len(parts.learn)}), "
            f"got {choices.folds}"
        )
    preparation = Preparation.learn(
        some_rows(inputs, parts.learn),
        max_categories=choices.max_categories,
        standardize=choices.standardize,
        drop=drop,
    )
    if isinstance(learned, NumberTarget):
        learned = NumberTarget.learn(target, wanted[parts.learn])
        encoded = learned.encode(wanted)
    told = notes_of(learned, wanted)
    notes += told[:1] if choices.classification is False else told
    notes += preparation.notes
    notes.append(
        f"rows: {len(parts.learn):,} for training, in {choices.folds} folds; {len(parts.judge):,} "
        f"in the test set, drawn with seed {choices.seed}"
    )
    learn, judge = (
        SearchSamples(preparation.transform(some_rows(inputs, part)), encoded[part], labels[part])
        for part in parts
    )
    plan = SearchPlan(
        choices.folds, choices.seed, choices.threads, choices.device, choices.progress
    )
    # A linear model is always tried: the scores compare the best model with it.
    tried = search(learned, learn, list(dict.fromkeys([(), *choices.hidden_size])), plan)
    candidates = [one for one in tried if one.hidden_size in choices.hidden_size]
    best, linear = candidates[0], next(one for one in tried if not one.hidden_size)
    outputs = mean_outputs(best.runs[0], best.runs, judge.X)
    # The mean, or the frequencies of the classes, of which the most frequent one is predicted.
    constant = np.broadcast_to(learn.y.mean(axis=0), judge.y.shape)
    scores = {
        "model": scores_of(learned, outputs, judge.y),
        "linear": scores_of(learned, mean_outputs(linear.runs[0], linear.runs, judge.X), judge.y),
        "constant": scores_of(learned, constant, judge.y),
    }
    return Fit(
        Model(best.runs, preparation, (learned,), scores),
        notes,
        parts,
        candidates,
        learned.decode(judge.y) if of_classes else wanted.values[parts.judge],
        learned.decode(outputs),
    )
