"""The result of :func:`fastgd.fit_groups`: a network for each group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import escaped
from fastgd.models import stored_groups
from fastgd.models.group_keys import Keys
from fastgd.models.group_training import Scaling, TrainedGroups, outputs_of
from fastgd.models.model import remarks_on
from fastgd.store.files import PathLike
from fastgd.tables.frames import columns_of
from fastgd.tables.preparation import Preparation
from fastgd.tables.table_selection import check_lengths
from fastgd.tables.targets import ClassTarget, Target
from fastgd.training import codec
from fastgd.training.results import Run

if TYPE_CHECKING:
    import pandas


@codec.stored_by(stored_groups)
@dataclass(frozen=True, eq=False)
class GroupModels:
    """A network for each group of a table, with everything needed to predict.

    ``models[label]`` is the :class:`fastgd.Run` of a group (``models[label, label]`` if there are
    several group columns), ``len(models)`` the number of groups.

    Attributes
    ----------
    keys : Keys
        The groups: names of the group columns, and labels.
    preparation : Preparation
        How columns are encoded as inputs.
    target : NumberTarget or ClassTarget
        How outputs are decoded as predictions.
    measured : dict of str to (groups,) array
        "rows", "validation_rows", "training_error", "validation_error" and "status" of each group.
    fallback : Run or None
        The network for unknown groups, if there is one.
    notes : tuple of str
        What was decided about the table when it was fitted, one line each.
    """

    keys: Keys
    preparation: Preparation
    target: Target
    inputs: Scaling = field(repr=False)
    outputs: Scaling = field(repr=False)
    trained: TrainedGroups = field(repr=False)
    fallback: Run | None
    measured: dict[str, NDArray[Any]] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        """Target, groups, rows and error."""
        rows, held = int(self.measured["rows"].sum()), self.measured["validation_error"]
        error = (
            "" if np.isnan(held).all() else f"; median validation error {np.nanmedian(held):.6g}"
        )
        by = ", ".join(self.keys.names)
        what = f"{self.target.name} by {by}: {len(self):,} groups, {rows:,} rows{error}"
        return f"GroupModels({escaped(what)})"

    @property
    def groups(self) -> list[Any]:
        """Labels of the groups, or tuples of labels, sorted."""
        return list(self.keys)

    @property
    def errors(self) -> pandas.DataFrame:
        """One row per group: its labels, number of rows, errors and status.

        Errors are mean absolute errors in the target's unit, or for classes the fraction that is
        wrong: over the training rows, and over the validation rows that were held out (NaN if there
        are none). The status is that of the training, as in :class:`fastgd.Run`, or "constant" if
        all targets of a group are the same: then that value is predicted, and there is no network.

        Raises
        ------
        ImportError
            If pandas is not installed (``pip install "fastgd[dataframe]"``).
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError('errors needs pandas: pip install "fastgd[dataframe]"') from error
        labels = dict(zip(self.keys.names, self.keys.columns(), strict=True))
        return pandas.DataFrame(labels | self.measured)

    def __getitem__(self, group: Any) -> Run:
        """The network of a group, whose inputs and outputs are scaled.

        Raises
        ------
        KeyError
            If there is no such group.
        ValueError
            If it has no network, because all its targets are the same.
        """
        number, run = self.trained.places[self.keys.find(group)]
        if number < 0:
            raise ValueError(f"group {group!r} has no network: all its targets are the same")
        sweep = self.trained.sweeps[number]
        found: Run = sweep[tuple(int(i) for i in np.unravel_index(run, sweep.shape))]
        return found

    def predict(self, df: pandas.DataFrame | Mapping[str, Any]) -> NDArray[Any]:
        """Predict the target of each row with the network of its group.

        Parameters
        ----------
        df : pandas.DataFrame or mapping of str to (rows,) arrays
            With the columns of the groups and of the inputs.

        Returns
        -------
        (rows,) array
            In the order of the rows. Rows of unknown groups, or without a label, get the prediction
            of the global network if there is one, and else NaN (None for classes that are not
            numbers). Rows of groups whose training diverged get NaN or None too.

        Raises
        ------
        ValueError, TypeError
            If a column is missing or holds another kind of values.
        """
        outputs = self._outputs(df)
        missing = np.asarray(np.isnan(outputs).any(axis=1))
        if not missing.any():
            return self.target.decode(outputs)
        decoded = self.target.decode(np.where(missing[:, None], 0.0, outputs))
        if decoded.dtype.kind in "iuf":
            return np.asarray(np.where(missing, np.nan, decoded))
        found = decoded.astype(object)
        found[missing] = None
        return found

    def predict_proba(self, df: pandas.DataFrame | Mapping[str, Any]) -> FloatArray:
        """Predict class probabilities: (rows, classes), in the order of ``target.classes``.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, or if the target has no classes.
        """
        if not isinstance(self.target, ClassTarget):
            raise ValueError(
                f"predict_proba needs classes, and {self.target.name} is a number: use predict"
            )
        return self._outputs(df)

    def remarks(self, df: pandas.DataFrame | Mapping[str, Any]) -> list[str]:
        """Say how a table differs from the one that was fitted, one line each.

        That is: unknown categories, cells missing in a column that had none missing, and columns
        that are not used. Unknown groups are not listed.

        Raises
        ------
        ValueError, TypeError
            If a column of the inputs is missing or holds another kind of values.

        Examples
        --------
        >>> import fastgd
        >>> table = {"shop": ["Oslo", "Rome"] * 20, "kind": ["tea", "tea", "milk", "milk"] * 10}
        >>> models = fastgd.fit_groups(table | {"sales": [*range(40)]}, by="shop", target="sales")
        >>> for remark in models.remarks({"shop": ["Oslo"], "kind": ["rice"], "day": [1]}):
        ...     print(remark)
        kind: rice in 1 row: not in the training table; these rows have no category
        Not used: day
        """
        return remarks_on(columns_of(df), self.preparation, {self.target.name, *self.keys.names})

    def _outputs(self, df: pandas.DataFrame | Mapping[str, Any]) -> FloatArray:
        columns = columns_of(df)
        used = (*self.keys.names, *(column.name for column in self.preparation.columns))
        check_lengths({name: columns[name] for name in used if name in columns})
        codes = self.keys.codes(columns)
        check_memory(24 * len(codes) * len(self.preparation.names), "the prediction")
        prepared = self.preparation.transform(columns)
        outputs = outputs_of(self.trained, self.inputs, self.outputs, prepared, codes)
        if self.fallback is not None and (codes < 0).any():
            outputs[codes < 0] = self.fallback.predict(prepared[codes < 0])
        return outputs

    def save(self, path: PathLike) -> None:
        """Write the networks and everything needed to predict to an ``.npz`` file.

        :func:`fastgd.load` reads it, without pandas and without pickle.
        """
        codec.save(self, path)
