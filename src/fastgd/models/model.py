"""Trained networks that take tables as they are: a :class:`Model`, and its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.frames import like, opened
from fastgd.checks.messages import first_names, joined, layers_text, warn
from fastgd.checks.numbers import FloatArray
from fastgd.checks.presentation import Description, ShownInNotebooks, ShownTable, option_rows
from fastgd.export.exportable import Exportable
from fastgd.export.exported import Bounds, Exported
from fastgd.models.intervals import Intervals, errors_for
from fastgd.store import Arrays, PathLike
from fastgd.store.npz import Found
from fastgd.tables.column_values import Cells
from fastgd.tables.columns import NumberColumn
from fastgd.tables.preparation import Preparation
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
    """

    runs: tuple[Run, ...]
    preparation: Preparation
    targets: tuple[Target, ...]
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    training_notes: tuple[str, ...] = ()
    intervals: Intervals | None = None
    counts: tuple[int, ...] = ()

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
        90 % intervals: 100.0 % of the test set lie inside; mean width ...
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
        known = {target.name for target in self.targets}
        return self.preparation.remarks(self.columns(table), known)

    def columns(self, table: Table) -> Mapping[str, NDArray[Any]]:
        """Return a table as a mapping of columns, read from a file if it is a path."""
        return columns_from(table, self.preparation.texts)

    def outputs(self, columns: Mapping[str, NDArray[Any] | Cells]) -> FloatArray:
        """Return the mean of the networks' outputs, (rows, outputs), before they are decoded."""
        outputs = mean_outputs(self, self.runs, self.preparation.transform(columns), self.counts)
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
        cells = self.preparation.cells(self.columns(table))
        for line in self.preparation.remarks(cells):
            warn(line)
        return cells


def decoded(targets: Sequence[Target], outputs: FloatArray) -> list[NDArray[Any]]:
    """Return the predictions of each target, (rows,)."""
    if len(targets) == 1:
        return [targets[0].decode(outputs)]
    return [target.decode(outputs[:, [k]]) for k, target in enumerate(targets)]


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
