"""Networks that take tables as they come: a :class:`Model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.arguments.warnings import warn
from fastgd.checks.values import check_path
from fastgd.models import stored_model
from fastgd.tables.frames import columns_of
from fastgd.tables.preparation import Preparation
from fastgd.tables.reading import read_columns
from fastgd.tables.targets import ClassTarget, Target, width_of
from fastgd.training import storage
from fastgd.training.results import Run

Table = Any
"""A pandas DataFrame, a mapping of names to columns, or the path of a file that holds a table."""


@storage.stored_by(stored_model)
@dataclass(frozen=True, eq=False)
class Model:
    """Trained networks, with how a table becomes their inputs, and their outputs its target.

    :func:`fastgd.fit` makes one, and ``fastgd train --save`` on a table that it has prepared;
    :func:`fastgd.load` reads it, without pandas.

    Attributes
    ----------
    runs : tuple of Run
        The networks, which differ by their seeds: their outputs are averaged.
    preparation : fastgd.tables.preparation.Preparation
        What becomes of each column: ``names`` are the inputs, ``notes`` say each choice.
    targets : tuple of NumberTarget or ClassTarget
        What is learned; more than one only if a network learned several numbers.
    scores : dict of dict of float
        How good it is on rows that had no part in its making, beside a linear model and a constant;
        empty if that was not asked for.
    """

    runs: tuple[Run, ...]
    preparation: Preparation
    targets: tuple[Target, ...]
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        """What it predicts from what."""
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
            The columns that were learned, in whatever order; others are not looked at.

        Returns
        -------
        (rows,) array
            Numbers in the target's unit, or labels as they were in the table that was learned. With
            several targets (rows, targets).

        Raises
        ------
        ValueError, TypeError
            If a column is missing, or holds something else; the message names it.

        Warns
        -----
        UserWarning
            If there are unknown categories, or cells are missing in a column that had no such.

        Examples
        --------
        >>> import fastgd
        >>> size, sort = [*range(40, 100, 2)], ["flat", "house", "house"] * 10
        >>> price = [2 * s + 50 * (k == "house") for s, k in zip(size, sort)]
        >>> table = {"size": size, "sort": sort, "price": price}
        >>> model = fastgd.fit(table, target="price")
        >>> model.predict({"size": [70, 70], "sort": ["flat", "house"]}).round(-1)
        array([140., 190.])
        """
        columns = self.columns(table)
        self._warn(columns)
        outputs = self.outputs(columns)
        if len(self.targets) == 1:
            return self.targets[0].decode(outputs)
        return np.stack(
            [target.decode(outputs[:, k : k + 1]) for k, target in enumerate(self.targets)], axis=1
        )

    def predict_proba(self, table: Table) -> FloatArray:
        """Predict the probability of each class, (rows, classes) in the order of ``classes``.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, or if the target is none of classes.
        """
        if self.classes is None:
            raise ValueError(
                "probabilities need a target of classes, got the numbers of "
                + ", ".join(target.name for target in self.targets)
            )
        columns = self.columns(table)
        self._warn(columns)
        return self.outputs(columns)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """What the classes are called; None if numbers are predicted."""
        target = self.targets[0]
        return target.classes if isinstance(target, ClassTarget) else None

    def remarks(self, table: Table) -> list[str]:
        """Say what is new about a table, a line each: categories, missing cells, columns."""
        columns = self.columns(table)
        lines = self.preparation.remarks(columns)
        targets = {target.name for target in self.targets}
        unused = [name for name in self.preparation.unused(columns) if name not in targets]
        return [*lines, f"Not used: {', '.join(unused)}"] if unused else lines

    def columns(self, table: Table) -> Mapping[str, NDArray[Any]]:
        """Return a table as columns: a file is read, a DataFrame taken apart."""
        if isinstance(table, str | PathLike):
            return read_columns(check_path("table", table), texts=self.preparation.texts)
        return columns_of(table)

    def outputs(self, columns: Mapping[str, NDArray[Any]]) -> FloatArray:
        """Return the mean output of the networks, (rows, outputs): numbers in their own units."""
        outputs = mean_outputs(self.runs, self.preparation.transform(columns))
        return outputs[:, : sum(map(width_of, self.targets))]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to an ``.npz`` file that :func:`fastgd.load` reads.

        It holds the networks and the whole preparation, and nothing in it is ever executed.
        """
        storage.save(self, path)

    def _warn(self, columns: Mapping[str, NDArray[Any]]) -> None:
        for line in self.preparation.remarks(columns):
            warn(line)


def mean_outputs(runs: Sequence[Run], inputs: FloatArray) -> FloatArray:
    """Return the mean of what networks make of inputs, (rows, outputs)."""
    outputs = runs[0].predict(inputs)
    for run in runs[1:]:
        outputs = outputs + run.predict(inputs)
    return np.asarray(outputs / len(runs))
