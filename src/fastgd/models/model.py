"""Trained networks that take tables as they are: a :class:`Model`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import first_names, warn
from fastgd.checks.numbers import FloatArray
from fastgd.checks.presentation import ShownInNotebooks
from fastgd.export.exportable import Exportable
from fastgd.export.exported import Exported
from fastgd.models import model as stored_model
from fastgd.tables.column_values import Cells
from fastgd.tables.columns import NumberColumn
from fastgd.tables.preparation import Preparation
from fastgd.tables.reading import columns_from
from fastgd.tables.targets import ClassTarget, NumberTarget, Target, width_of
from fastgd.training import codec
from fastgd.training.run import Run, all_derivatives, all_outputs, exported

Table = Any
"""A pandas DataFrame, a mapping of names to columns, or the path of a table file."""


@codec.stored_by(stored_model.encode, stored_model.decode)
@dataclass(frozen=True, eq=False)
class Model(Exportable, ShownInNotebooks):
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
    """

    runs: tuple[Run, ...]
    preparation: Preparation
    targets: tuple[Target, ...]
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    training_notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """What it predicts, from how many inputs."""
        names = ", ".join(target.name for target in self.targets)
        return (
            f"Model(target={names!r}, inputs={len(self.preparation.names)}, "
            f"hidden_size={self.runs[0].hidden_size}, networks={len(self.runs)})"
        )

    def predict(self, table: Table) -> NDArray[Any]:
        """Predict the target of each row.

        Parameters
        ----------
        table : DataFrame, mapping of str to (rows,) array_like, or path
            With the columns that the model was trained on, in any order; others are ignored.

        Returns
        -------
        (rows,) array
            Numbers in the target's unit, or labels as in the training table. With several targets
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
        found = decoded(self.targets, self._outputs(table))
        return found[0] if len(found) == 1 else np.stack(found, axis=1)

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
        return self._outputs(table)

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
        columns = [one for one in self.preparation.columns if isinstance(one, NumberColumn)]
        if not columns:
            names = first_names([one.name for one in self.preparation.columns])
            raise ValueError(f"gradient needs a column of numbers, and this model has only {names}")
        cells = self._cells(table)
        total, *others = all_derivatives(
            self.runs, self.preparation.transform(cells), 1, "gradient"
        )
        for one in others:
            total = total + one
        scales = [one.scale if isinstance(one, NumberTarget) else 1.0 for one in self.targets]
        width = sum(map(width_of, self.targets))
        mean = total[:, :width] / len(self.runs) * np.reshape(scales, (-1, 1))
        found = {}
        for column in columns:
            own = mean[:, :, self.preparation.names.index(column.name)] / column.scale
            own[np.isnan(column.numbers(cells[column.name]))] = np.nan
            found[column.name] = own[:, 0] if width == 1 else own
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
        columns = self.columns(table)
        return remarks_on(columns, self.preparation, {target.name for target in self.targets})

    def columns(self, table: Table) -> Mapping[str, NDArray[Any]]:
        """Return a table as a mapping of columns, read from a file if it is a path."""
        return columns_from(table, self.preparation.texts)

    def outputs(self, columns: Mapping[str, NDArray[Any] | Cells]) -> FloatArray:
        """Return the mean of the networks' outputs, (rows, outputs), before they are decoded."""
        outputs = mean_outputs(self, self.runs, self.preparation.transform(columns))
        return outputs[:, : sum(map(width_of, self.targets))]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to an ``.npz`` file that :func:`fastgd.load` reads.

        The file holds the networks and the whole preparation; loading it never executes code.
        """
        codec.save(self, path)

    def _exported(self, caller: str) -> Exported:
        return exported(self.runs, caller, self.preparation, self.targets)

    def _input_rows(self, X: Table) -> FloatArray:
        return self.preparation.numbers(self.columns(X))

    def _outputs(self, table: Table) -> FloatArray:
        return self.outputs(self._cells(table))

    def _cells(self, table: Table) -> dict[str, Cells]:
        """Return the columns that are used; warn where they differ from those of the training."""
        cells = self.preparation.cells(self.columns(table))
        for line in self.preparation.remarks(cells):
            warn(line)
        return cells


def remarks_on(
    columns: Mapping[str, NDArray[Any]], preparation: Preparation, known: Collection[str]
) -> list[str]:
    """Say how columns differ from those of the training; ``known`` ones are no inputs."""
    lines = preparation.remarks(columns)
    unused = [name for name in preparation.unused(columns) if name not in known]
    return [*lines, f"Not used: {', '.join(unused)}"] if unused else lines


def decoded(targets: Sequence[Target], outputs: FloatArray) -> list[NDArray[Any]]:
    """Return the predictions of each target, (rows,)."""
    if len(targets) == 1:
        return [targets[0].decode(outputs)]
    return [target.decode(outputs[:, [k]]) for k, target in enumerate(targets)]


def mean_outputs(owner: object, runs: Sequence[Run], inputs: FloatArray) -> FloatArray:
    """Return the mean of the outputs of networks that belong to ``owner``, (rows, outputs)."""
    total, *others = all_outputs(owner, runs, inputs)
    for one in others:
        total = total + one
    return np.asarray(total / len(runs))
