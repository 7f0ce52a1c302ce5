"""Trained networks that take tables as they are: a :class:`Model`, and its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.frames import like, opened
from fastgd.checks.messages import did_you_mean, first_names, joined, layers_text, shown, warn
from fastgd.checks.numbers import FloatArray, Seed
from fastgd.checks.presentation import Description, ShownInNotebooks, ShownTable, option_rows
from fastgd.export.exportable import Exportable
from fastgd.export.exported import Bounds, Exported
from fastgd.models.intervals import Intervals, errors_for
from fastgd.models.lags import Lags, decode_lags, encode_lags
from fastgd.models.scores import Score, scorer_of
from fastgd.store import Arrays, PathLike
from fastgd.store.npz import Found
from fastgd.tables.column_values import Cells, cells_of
from fastgd.tables.columns import NumberColumn
from fastgd.tables.inspection import (
    Importances,
    PartialDependence,
    grid_of,
    partial_dependence,
    permutation_importances,
)
from fastgd.tables.preparation import Preparation, column_name
from fastgd.tables.reading import columns_from
from fastgd.tables.targets import (
    ClassTarget,
    NumberTarget,
    Target,
    target_from_json,
    target_to_json,
    width_of,
)
from fastgd.training import codec
from fastgd.training.codec import JsonValues, by_result, need, number, text, text_of
from fastgd.training.run import Run, all_derivatives, all_outputs, exported
from fastgd.training.saved_result import SavedResult
from fastgd.training.stored_results import decode_run, encode_run

MOST_COUNTED = 8
"""How often a network of an ensemble counts, at most."""

Table = Any
"""A table of pandas, polars, pyarrow, ..., a mapping of names to columns, or the path of a file."""


def encode(model: Any) -> tuple[JsonValues, Arrays]:
    """A Model as a header and arrays."""
    arrays = {"preparation": np.array(model.preparation.to_json())}
    for k, target in enumerate(model.targets):
        arrays[f"target_{k}"] = np.array(target_to_json(target))
    header: JsonValues = {"targets": len(model.targets), "scores": model.scores, "runs": []}
    header["notes"] = list(model.training_notes)
    header["counts"] = list(model.counts)
    if model.lags is not None:
        header["lags"], own = encode_lags(model.lags)
        arrays |= own
    for k, run in enumerate(model.runs):
        of_run, own = encode_run(run)
        header["runs"].append(of_run)
        arrays |= {f"run_{k}_{name}": array for name, array in own.items()}
    return header, arrays | (model.intervals.encoded() if model.intervals else {})


def decode(header: JsonValues, arrays: Found) -> dict[str, Any]:
    """The fields of a Model, checked."""
    preparation = Preparation.from_json(text_of(arrays, "preparation"))
    targets = tuple(
        target_from_json(text_of(arrays, f"target_{k}")) for k in range(header["targets"])
    )
    content = by_result(r"run_\d+_", arrays)
    runs = tuple(
        Run(**decode_run(of_run, content[f"run_{k}_"])) for k, of_run in enumerate(header["runs"])
    )
    counts = tuple(header.get("counts", ()))
    need(bool(runs) and bool(targets))
    need(not counts or len(counts) == len(runs))
    need(all(type(one) is int and 0 < one <= MOST_COUNTED for one in counts))
    inputs, outputs = len(preparation.names), sum(map(width_of, targets))
    for run in runs:
        need(len(run.weights[0]) == inputs)
        need(run.weights[-1].shape[1] % outputs == 0)
    units = {run.options.get("activation") for run in runs}
    need(units == {"relu"} or len({run.hidden_size for run in runs}) == 1)
    return {
        "runs": runs,
        "preparation": preparation,
        "targets": targets,
        "scores": {
            name: {score: number(value) for score, value in scores.items()}
            for name, scores in header["scores"].items()
        },
        "training_notes": tuple(map(text, header.get("notes", ()))),
        "intervals": Intervals.decoded(arrays),
        "counts": counts,
        "lags": decode_lags(header.get("lags"), arrays, targets[0], 1),
    }


@codec.stored_by(encode, decode)
@dataclass(frozen=True, eq=False)
class Model(Exportable, SavedResult, ShownInNotebooks):
    """Trained networks, with the encoding of a table's columns as inputs and of its target.

    :func:`fastgd.fit` returns one, and ``fastgd train --save`` writes one if it has prepared the
    table; :func:`fastgd.load` reads it, without pandas.

    Attributes
    ----------
    runs : tuple of Run
        The networks: trained with different seeds or folds, their outputs are averaged.
    preparation : fastgd.tables.preparation.Preparation
        How each column is encoded: ``names`` are the inputs, ``notes`` explain each choice.
    targets : tuple of NumberTarget or ClassTarget
        What is predicted; more than one only if a network predicts several numbers.
    scores : dict of dict of float
        Scores on the test set of the model, and for comparison of a linear model and of a constant;
        empty if there was no test set. They are from before all rows were learned.
    training_notes : tuple of str
        How it was trained, one line each.
    intervals : fastgd.models.intervals.Intervals or None
        The errors on rows that the networks of the folds never saw, for :meth:`predict_interval`
        and :meth:`predict_set`. None in files of before, and of ``fastgd train``.
    counts : tuple of int
        How often each network counts in the mean of the outputs; empty if each counts once.
    lags : Lags or None
        The last values of the target, if lags of it are inputs.
    """

    runs: tuple[Run, ...]
    preparation: Preparation
    targets: tuple[Target, ...]
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    training_notes: tuple[str, ...] = ()
    intervals: Intervals | None = None
    counts: tuple[int, ...] = ()
    lags: Lags | None = None

    def __repr__(self) -> str:
        """What it predicts, from how many inputs."""
        names = ", ".join(target.name for target in self.targets)
        return (
            f"Model(target={names!r}, inputs={len(self.preparation.names)}, "
            f"hidden_size={' and '.join(map(str, self._sizes))}, networks={len(self.runs)})"
        )

    @property
    def _sizes(self) -> list[tuple[int, ...]]:
        return list(dict.fromkeys(run.hidden_size for run in self.runs))

    def _described(self) -> Description:
        run, inputs = self.runs[0], self.preparation.names
        rows = [
            ("inputs", f"{len(inputs):,}: {first_names(list(inputs))}"),
            ("hidden size", " and ".join(map(layers_text, self._sizes))),
            ("networks", f"{len(self.runs):,}"),
            ("alpha", joined(run.alpha)),
            *option_rows(run.options),
        ]
        names = tuple(next(iter(self.scores.values()), ()))
        scores = [
            (who, *(f"{found[name]:.5g}" for name in names)) for who, found in self.scores.items()
        ]
        judged = [ShownTable(scores, ("on the test set", *names))] if scores else []
        title = f"Model of {', '.join(target.name for target in self.targets)}"
        alt = "Error against iteration, of the first network"
        return Description(title, [ShownTable(rows), *judged], run, alt)

    @overload
    def predict(self, table: Mapping[str, Any] | PathLike) -> NDArray[Any]: ...

    @overload
    def predict(self, table: Table) -> Any: ...

    def predict(self, table: Table) -> Any:
        """Predict the target of each row.

        Parameters
        ----------
        table : DataFrame, mapping of str to (rows,) array_like, or path
            With the columns that the model was trained on, in any order; others are ignored.

        Returns
        -------
        (rows,) Series or array
            Numbers in the target's unit, or labels as in the training table. Of a DataFrame a
            Series of the same library, with its index, and the target's name; of a mapping or a
            path an array. With several targets a DataFrame with a column for each, or an array
            (rows, targets).

        Raises
        ------
        ValueError, TypeError
            If a column is missing, or holds another kind of values; the message names it.

        Warns
        -----
        UserWarning
            If there are unknown categories, or missing cells in a column that had none in training.

        Examples
        --------
        >>> import fastgd
        >>> size, sort = [40, 55, 50, 85, 95, 60] * 5, ["flat", "house", "house"] * 10
        >>> price = [2 * s + 50 * (k == "house") for s, k in zip(size, sort)]
        >>> table = {"size": size, "sort": sort, "price": price}
        >>> model = fastgd.fit(table, target="price")
        >>> model.predict({"size": [70, 70], "sort": ["flat", "house"]}).round(-1)
        array([140., 190.])
        """
        table = opened(table, table=True)
        found = decoded(self.targets, self.outputs(self._cells(table)))
        columns = {one.name: cells for one, cells in zip(self.targets, found, strict=True)}
        return like(table, columns, found[0] if len(found) == 1 else np.stack(found, axis=1))

    def predict_proba(self, table: Table) -> FloatArray:
        """Predict the probability of each class: (rows, classes), in the order of ``classes``.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, or if the target has no classes.
        """
        if self.classes is None:
            raise ValueError(
                "predict_proba needs a target with classes, got the numeric target "
                + ", ".join(target.name for target in self.targets)
            )
        return self.outputs(self._cells(table))

    def predict_interval(self, table: Table, coverage: float = 0.9) -> Any:
        """Predict an interval for each row, in which its target lies with this probability.

        The intervals are conformal, of the errors on rows that the networks of the folds never saw
        (Barber and others 2021, "Predictive inference with the jackknife+"), and wider where errors
        are larger for such predictions. If new rows are as those of the training table, a share of
        about ``coverage`` of them lies inside, over all rows; not in each subset of them.

        Parameters
        ----------
        table : DataFrame, mapping of str to (rows,) array_like, or path
            As in :meth:`predict`.
        coverage : float
            Above 0 and below 1.

        Returns
        -------
        (rows, 2) DataFrame or array
            The lower and the upper bound, in the target's unit. Of a DataFrame one of the same
            library, with its index: "price low" and "price high" of a target "price".

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, or if the target has classes, or the model has no intervals.

        Warns
        -----
        UserWarning
            If the training table had too few rows to show this coverage, or as :meth:`predict`.

        Examples
        --------
        >>> import fastgd, numpy as np
        >>> x, noise = np.linspace(-3, 3, 200), np.random.default_rng(0).normal(size=200)
        >>> model = fastgd.fit({"x": x, "y": 2 * x + noise}, target="y")
        >>> model.predict_interval({"x": [0.0, 2.0]}).round().tolist()
        [[-2.0, 2.0], [2.0, 6.0]]
        """
        errors = errors_for("predict_interval", coverage, self.intervals, self.targets)
        table = opened(table, table=True)
        for line in errors.remarks(coverage):
            warn(line)
        found = errors.columns(self.targets[0], self.outputs(self._cells(table)), coverage)
        return like(table, found, np.column_stack(list(found.values())))

    def predict_set(self, table: Table, coverage: float = 0.9) -> Any:
        """Predict a set of classes for each row, which has the true one with this probability.

        A class is in the set if its probability is at least that which a share ``coverage`` of the
        rows gave their true class, in networks of the folds that never saw them: the smallest sets
        in the mean (Sadinle and others 2019, "Least ambiguous set-valued classifiers"). The most
        probable class is in each set.

        Parameters
        ----------
        table, coverage
            As in :meth:`predict_interval`.

        Returns
        -------
        (rows, classes) DataFrame or array of bool
            Whether each class is in the set, in the order of ``classes``. Of a DataFrame one of the
            same library, with its index, whose columns are named by the classes.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, or if the target has no classes, or the model has no intervals.

        Warns
        -----
        UserWarning
            As :meth:`predict_interval`.

        Examples
        --------
        >>> import fastgd
        >>> size = [30 + k for k in range(60)]
        >>> kind = ["flat" if s < 50 + k % 3 else "house" for k, s in enumerate(size)]
        >>> model = fastgd.fit({"size": size, "kind": kind}, target="kind")
        >>> model.predict_set({"size": [30, 80]}, coverage=0.8)
        array([[ True, False],
               [False,  True]])
        """
        errors = errors_for("predict_set", coverage, self.intervals, self.targets)
        table = opened(table, table=True)
        for line in errors.remarks(coverage, sides=1):
            warn(line)
        found = errors.sets(self.outputs(self._cells(table)), coverage)
        return like(table, dict(zip(self.classes or (), found.T, strict=True)), found)

    def gradient(self, table: Table) -> dict[str, FloatArray]:
        """Derivatives of the predictions by the columns of numbers, at each row.

        In the table's units: if a price in euros is predicted from a size in square meters, those
        of ``size`` are euros per square meter. With classes they are the derivatives of the
        probabilities. Those of several networks are averaged, as their outputs are.

        Parameters
        ----------
        table : DataFrame, mapping of str to (rows,) array_like, or path
            As in :meth:`predict`.

        Returns
        -------
        dict of str to (rows,) array
            A column for each column of numbers. With classes, or several targets, (rows, classes)
            or (rows, targets). NaN where the number is missing.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, or if no column holds numbers.

        Warns
        -----
        UserWarning
            As :meth:`predict`.

        Examples
        --------
        >>> import fastgd
        >>> size, sort = [40, 55, 50, 85, 95, 60] * 5, ["flat", "house", "house"] * 10
        >>> price = [2 * s + 50 * (k == "house") for s, k in zip(size, sort)]
        >>> model = fastgd.fit({"size": size, "sort": sort, "price": price}, target="price")
        >>> model.gradient({"size": [70, 70], "sort": ["flat", "house"]})["size"].round()
        array([2., 2.])
        """
        if not any(isinstance(one, NumberColumn) for one in self.preparation.columns):
            names = first_names([one.name for one in self.preparation.columns])
            raise ValueError(f"gradient needs a column of numbers, and this model has only {names}")
        cells = self._cells(table)
        inputs = self.preparation.transform(cells)
        derivatives = mean_of(all_derivatives(self.runs, inputs, 1, "gradient"), self.counts)
        scales = [one.scale if isinstance(one, NumberTarget) else 1.0 for one in self.targets]
        width = sum(map(width_of, self.targets))
        mean = derivatives[:, :width] * np.reshape(scales, (-1, 1))
        found, at = {}, 0
        for column in self.preparation.columns:
            if isinstance(column, NumberColumn):
                own = column.derivatives(column.numbers(cells[column.name]))
                own = (mean[:, :, at : at + own.shape[1]] * own[:, None]).sum(axis=2)
                found[column.name] = own[:, 0] if width == 1 else own
            at += len(column.names)
        return found

    def importances(
        self, table: Table, *, repeats: int = 10, seed: Seed = 0, scoring: Score | None = None
    ) -> Importances:
        """Measure how much worse the predictions are if a column is shuffled, for each column.

        The table should have rows that the model has not learned from. Of columns that tell the
        same, each may look unimportant: the others make up for it.

        Parameters
        ----------
        table : DataFrame, mapping of str to (rows,) array_like, or path
            As in :meth:`predict`, with the target, too; rows without it are left out.
        repeats : int
            How often each column is shuffled.
        seed : int, Generator or SeedSequence
            Seed of the shuffling: that of scikit-learn's ``permutation_importance``.
        scoring : str, optional
            The score that worsens, as in :func:`fastgd.fit`; by default the mean absolute error,
            in the target's unit, or for classes the log loss.

        Returns
        -------
        Importances
            The columns, mean and standard deviation over the repeats, the largest mean first.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, or if the target is missing, or there are several.

        Notes
        -----
        Permutation importances are those of Breiman, Random Forests, Machine Learning 45, 2001.

        Examples
        --------
        >>> import fastgd, numpy as np
        >>> x = np.linspace(-3, 3, 200)
        >>> table = {"x": x, "noise": np.cos(50 * x), "y": np.sin(x)}
        >>> found = fastgd.fit(table, "y").importances(table)
        >>> found.names, found.measure, bool(found.mean[0] > 50 * found.mean[1])
        (('x', 'noise'), 'rise of mean |error|', True)
        """
        columns = columns_from(table, self.preparation.texts)
        if len(self.targets) > 1:
            names = first_names([one.name for one in self.targets])
            raise ValueError(f"importances needs a model with one target, got {names}")
        target, cells = self.targets[0], self._cells(columns)
        known, y = known_targets(target, columns)
        measure, score = scorer_of(target, y, scoring, self.runs[0].options)
        X, own = self.preparation.transform(cells)[known], self.preparation.columns
        found = permutation_importances(self._mean, score, X, own, repeats, seed)
        return Importances(target.name, measure, *found)

    def partial(
        self, table: Table, column: str | int, *, values: ArrayLike | None = None
    ) -> PartialDependence:
        """Predict all rows with a column set to one value after the other.

        Parameters
        ----------
        table : DataFrame, mapping of str to (rows,) array_like, or path
            As in :meth:`predict`.
        column : str
            A column of numbers, dates or strings that the model uses.
        values : (points,) array_like, optional
            What to set it to; by default 40 quantiles from 5 to 95 %, all values of the table if
            there are no more, or its 40 most frequent strings.

        Returns
        -------
        PartialDependence
            The values, the prediction of each row for each of them, and their means.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, or if the model doesn't use the column, or ``values`` aren't such.

        Notes
        -----
        The means are Friedman's, Greedy Function Approximation, Annals of Statistics 29, 2001; the
        curves of rows are those of Goldstein and others, Journal of Computational and Graphical
        Statistics 24, 2015. Rows may be made that do not exist, where columns depend on each other.

        Examples
        --------
        >>> import fastgd, numpy as np
        >>> x = np.linspace(-3, 3, 200)
        >>> table = {"x": x, "noise": np.cos(50 * x), "y": np.sin(x)}
        >>> found = fastgd.fit(table, "y").partial(table, "x", values=[-1, 0, 1])
        >>> found.average.round() + 0, found.individual.shape
        (array([[-1.,  0.,  1.]]), (1, 200, 3))
        """
        name, own = column_name("column", column), self.preparation.columns
        known = {one.name: one for one in own}
        if name not in known:
            hint = did_you_mean(name, known) or f"; its columns: {first_names(list(known))}"
            raise ValueError(f"column must be one that the model uses, got {shown(name)}{hint}")
        cells = self._cells(table)
        grid = grid_of(known[name], cells[name], values)
        outputs = self.classes or tuple(one.name for one in self.targets)

        def predict(X: FloatArray) -> FloatArray:
            mean = self._mean(X)
            return mean if self.classes else np.stack(decoded(self.targets, mean), axis=1)

        X = self.preparation.transform(cells)
        found = partial_dependence(predict, X, own, name, grid)
        return PartialDependence(name, outputs, grid, *found, bool(self.classes))

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes; None if numbers are predicted."""
        target = self.targets[0]
        return target.classes if isinstance(target, ClassTarget) else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about the columns, and how the model was trained, one line each.

        Examples
        --------
        >>> import fastgd
        >>> size = [30 + k // 2 for k in range(40)]
        >>> table = {"size": size, "sort": ["flat", "house"] * 20}
        >>> price = [2 * s + 50 * (k % 2) for k, s in enumerate(size)]
        >>> model = fastgd.fit(table | {"price": price}, "price")
        >>> for note in model.notes:
        ...     print(note)
        sort: text: an input for each of flat, house
        numbers standardized: size
        90 % intervals: 100.0 % of the test set lie inside; mean width 0.1671
        learned again from all 40 rows, in folds as before; ...
        """
        return (*self.preparation.notes, *self.training_notes)

    def remarks(self, table: Table) -> list[str]:
        """Say how a table differs from the training table, one line each.

        That is: unknown categories, cells missing in a column that had none missing, numbers far
        outside those of the training table, and columns that are not used.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`.

        Examples
        --------
        >>> import fastgd
        >>> size = [30 + k // 2 for k in range(40)]
        >>> table = {"size": size, "sort": ["flat", "house"] * 20}
        >>> model = fastgd.fit(table | {"price": [2.0 * s for s in size]}, "price")
        >>> new = {"size": [37, 38], "sort": ["flat", "tent"], "age": [1, 2]}
        >>> for remark in model.remarks(new):
        ...     print(remark)
        sort: tent in 1 row: not in the training table; these rows have no category
        Not used: age
        """
        columns, lines = self._lagged(columns_from(table, self.preparation.texts))
        known = {target.name for target in self.targets}
        known |= {self.lags.order.name} if self.lags else set()
        return [*lines, *self.preparation.remarks(columns, known)]

    def columns(self, table: Table) -> Mapping[str, NDArray[Any]]:
        """Return a table, read from a file if it is a path, as columns by name with its lags."""
        return self._lagged(columns_from(table, self.preparation.texts))[0]

    def outputs(self, columns: Mapping[str, NDArray[Any] | Cells]) -> FloatArray:
        """Return the mean of the networks' outputs, (rows, outputs), before they are decoded."""
        return self._mean(self.preparation.transform(self._lagged(columns)[0]))

    def _mean(self, inputs: FloatArray) -> FloatArray:
        outputs = mean_outputs(self, self.runs, inputs, self.counts)
        return outputs[:, : sum(map(width_of, self.targets))]

    def _exported(self, caller: str) -> Exported:
        counts = self.counts or (1,) * len(self.runs)
        members = [one for run, n in zip(self.runs, counts, strict=True) for one in [run] * n]
        return exported(members, caller, self.preparation, self.targets)

    def _bounds(self, interval: float) -> Bounds:
        errors = errors_for("interval", interval, self.intervals, self.targets)
        return errors.in_units(self.targets[0], interval)

    def _input_rows(self, X: Table) -> FloatArray:
        return self.preparation.numbers(self.columns(X))

    def _cells(self, table: Table) -> dict[str, Cells]:
        """Return the columns that are used; warn where they differ from those of the training."""
        columns, lines = self._lagged(columns_from(table, self.preparation.texts))
        cells = self.preparation.cells(columns)
        for line in [*lines, *self.preparation.remarks(cells)]:
            name = self.lags.order.name if self.lags else None
            if not (line.startswith(f"{name}: ") and " after " in line):  # as forecasts do
                warn(line)
        return cells

    def _lagged(self, columns: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
        """A table with its lags, and a line if rows lie further ahead than the horizon."""
        target = self.targets[0]
        if self.lags is None or not isinstance(target, NumberTarget):
            return columns, []
        return self.lags.added(columns, target)


def decoded(targets: Sequence[Target], outputs: FloatArray) -> list[NDArray[Any]]:
    """Return the predictions of each target, (rows,)."""
    if len(targets) == 1:
        return [targets[0].decode(outputs)]
    return [target.decode(outputs[:, [k]]) for k, target in enumerate(targets)]


def known_targets(
    target: Target, columns: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return which rows of a table have the target, and these, encoded."""
    if target.name not in columns:
        its = first_names(list(columns))
        raise ValueError(f"the table must have the target {target.name}; its columns: {its}")
    cells = cells_of(target.name, columns[target.name])
    if cells.missing.all():
        raise ValueError(f"target {shown(target.name)} must have a value in a row, got none")
    return ~cells.missing, target.encode(cells[~cells.missing])


def mean_outputs(
    owner: object, runs: Sequence[Run], inputs: FloatArray, counts: Sequence[int] = ()
) -> FloatArray:
    """Return the mean of the outputs of networks that belong to ``owner``, (rows, outputs)."""
    return mean_of(all_outputs(owner, runs, inputs), counts)


def mean_of(each: FloatArray, counts: Sequence[int] = ()) -> FloatArray:
    """Return the mean over the first axis; ``counts`` repeat its items, added one by one."""
    counts = counts or (1,) * len(each)
    total = reduce(add, (one for one, n in zip(each, counts, strict=True) for one in [one] * n))
    return np.asarray(total / sum(counts))
