"""The result of :func:`fastgd.fit_groups`, a network for each group, and its file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.subsets import Integers
from fastgd.checks.frames import like, opened
from fastgd.checks.messages import escaped, warn
from fastgd.checks.numbers import FloatArray, check_choice, check_memory, check_path
from fastgd.checks.presentation import (
    BEST,
    Description,
    GroupErrors,
    ShownInNotebooks,
    ShownTable,
    counted,
    dataframe,
)
from fastgd.export.exportable import ONNX_DTYPES, OnnxType
from fastgd.models.cutoffs import NAIVE
from fastgd.models.group_keys import Keys
from fastgd.models.group_training import MODELS, GroupFits, Scaling, TrainedGroups, stacked
from fastgd.models.intervals import Intervals, errors_for
from fastgd.models.lags import Lags, decode_lags, decode_order, encode_lags
from fastgd.models.model import Table
from fastgd.models.row_splits import RowOrder
from fastgd.store import Arrays, PathLike
from fastgd.store.files import whole_file
from fastgd.store.npz import Found
from fastgd.tables.preparation import Preparation, check_lengths
from fastgd.tables.reading import columns_from
from fastgd.tables.targets import (
    ClassTarget,
    NumberTarget,
    Target,
    target_from_json,
    target_to_json,
)
from fastgd.training import codec
from fastgd.training.codec import JsonValues, StoredArray, by_result, need, text, text_of
from fastgd.training.codec import load as load  # any saved result: this module knows all classes
from fastgd.training.run import Run, exported
from fastgd.training.saved_result import SavedResult
from fastgd.training.stored_results import decode_run, decode_sweep
from fastgd.training.sweep_result import Sweep

if TYPE_CHECKING:
    import pandas

_FITS: dict[str, codec.StoredField] = {
    "inputs": StoredArray("f", "groups inputs", record=Scaling, name="inputs_{}"),
    "outputs": StoredArray("f", "groups outputs", record=Scaling, name="outputs_{}"),
    # A file from before there were test sets has neither.
    "constant": StoredArray("f", "groups outputs", optional=True),
    "ridge": StoredArray("f", "groups coefficients", optional=True),
    "base": StoredArray("f", "coefficients", optional=True),
}
_MEASURED: dict[str, codec.StoredField] = {
    "rows": StoredArray("i", "groups"),
    "test_rows": StoredArray("i", "groups", optional=True),
    "training_error": StoredArray("f", "groups"),
    "test_error": StoredArray("f", "groups", optional=True),
    "model": StoredArray("U", "groups", optional=True),
    "status": StoredArray("U", "groups"),
}
"""The measurements of each group."""

_COMPARED: dict[str, codec.StoredField] = {
    name: StoredArray("f", "groups", optional=True) for name in (*MODELS, *NAIVE)
}


_JUDGED: dict[str, codec.StoredField] = {
    "after": StoredArray("f", "groups cutoffs"),
    "test_rows": StoredArray("i", "groups cutoffs"),
    "test_error": StoredArray("f", "groups cutoffs"),
}
"""The measurements at each cutoff."""


def encode(models: Any) -> tuple[JsonValues, Arrays]:
    """A GroupModels as a header and arrays."""
    arrays: Arrays = {
        "members": models.keys.members,
        "places": models.fits.trained.places,
        "chosen": models.chosen,
        "preparation.preparation": np.array(models.preparation.to_json()),
        "target.target": np.array(target_to_json(models.target)),
        **{f"levels_{k}": levels for k, levels in enumerate(models.keys.levels)},
        **{f"measured.{name}": array for name, array in models.measured.items()},
        **{f"compared.{name}": array for name, array in models.compared.items()},
        **{f"judged.{name}": array for name, array in models.judged.items()},
        **codec.encode(_FITS, models.fits)[1],
    }
    results = {f"sweep_{k}": sweep for k, sweep in enumerate(models.fits.trained.sweeps)}
    results |= {"fallback": models.fallback, "shared": models.fits.shared}
    parts = {}
    for lead, result in results.items():
        if result is not None:
            _, parts[lead], content = codec.content_of(result)
            arrays |= {f"{lead}.{name}": array for name, array in content.items()}
    header = {"names": models.keys.names, "notes": models.notes, "parts": parts}
    header |= {"order": list(models.order)} if models.order else {}
    arrays |= models.intervals.encoded() if models.intervals else {}
    if models.lags is not None:
        header["lags"], own = encode_lags(models.lags)
        arrays |= own
    return header, arrays


def decode(header: JsonValues, arrays: Found) -> dict[str, Any]:
    """The fields of a GroupModels, checked."""
    parts, notes = header["parts"], tuple(map(text, header["notes"]))
    content = by_result(r"\w+\.", arrays)
    keys = _keys(tuple(map(text, header["names"])), arrays)
    preparation = Preparation.from_json(text_of(arrays, "preparation.preparation"))
    target = target_from_json(text_of(arrays, "target.target"))
    groups, inputs, outputs = len(keys), len(preparation.names), arrays["outputs_mean"].shape[1]
    order = decode_order(header["order"]) if "order" in header else None
    dimensions = {
        "groups": (groups,),
        "inputs": (inputs,),
        "outputs": (outputs,),
        "coefficients": (inputs + 1,),
        "cutoffs": arrays["judged.after"].shape[1:] if "judged.after" in arrays else (),
    }
    sweeps = tuple(
        Sweep(**decode_sweep(parts[name], content[f"{name}."]))
        for name in (f"sweep_{k}" for k in range(len(parts)))
        if name in parts
    )
    places = codec.array_of(arrays, "places", "i", (groups, 2))
    need(bool((places[:, 0] < len(sweeps)).all() and (places >= -1).all()))
    for sweep in sweeps:
        need(sweep.kept_weights is not None and len(sweep.networks) == 1)
        sizes = sweep.networks[0].sizes
        need((sizes[0], sizes[-1]) == (inputs, outputs))
    number, run = places[places[:, 0] >= 0].T
    runs = np.array([len(sweep) for sweep in sweeps])
    need(bool((run >= 0).all() and (run < runs[number]).all()))
    fallback, shared = (
        _network(parts, name, content, inputs, outputs) for name in ("fallback", "shared")
    )
    measured = codec.decode(_MEASURED, {}, content["measured."], dimensions)
    if measured["test_error"] is None:  # a file from before there were test sets
        measured["test_rows"] = np.zeros(groups, np.int64)
        measured["test_error"] = np.full(groups, np.nan)
    compared = codec.decode(_COMPARED, {}, content["compared."], dimensions)
    fits = GroupFits(
        **codec.decode(_FITS, {}, arrays, dimensions),
        trained=TrainedGroups(sweeps, places),
        shared=shared,
    )
    intervals = Intervals.decoded(arrays)
    need(intervals is None or len(intervals.knots) == groups)
    chosen = np.zeros(groups, np.int64)
    if "chosen" in arrays:
        chosen = codec.array_of(arrays, "chosen", "i", (groups,))
        need(bool(np.isin(chosen, [MODELS.index(name) for name in fits.names]).all()))
    return {
        "order": order,
        "lags": decode_lags(header.get("lags"), arrays, target, groups),
        "judged": codec.decode(_JUDGED, {}, content["judged."], dimensions) if order else {},
        "keys": keys,
        "preparation": preparation,
        "target": target,
        "fits": fits,
        "chosen": chosen,
        "fallback": fallback,
        "measured": {name: array for name, array in measured.items() if array is not None},
        "notes": notes,
        "intervals": intervals,
        "compared": {name: array for name, array in compared.items() if array is not None},
    }


def _network(
    parts: JsonValues, name: str, content: Mapping[str, Found], inputs: int, outputs: int
) -> Run | None:
    """A network that takes the rows of any group, if the file has it."""
    if name not in parts:
        return None
    run = Run(**decode_run(parts[name], content[f"{name}."]))
    need((run.weights[0].shape[0], run.weights[-1].shape[1]) == (inputs, outputs))
    return run


def _keys(names: tuple[str, ...], arrays: Found) -> Keys:
    groups, columns = arrays["members"].shape
    need(groups > 0 and columns == len(names) > 0)
    members = codec.array_of(arrays, "members", "i", (groups, columns))
    levels = tuple(arrays[f"levels_{k}"] for k in range(columns))
    for own, places in zip(levels, members.T, strict=True):
        need(len(own.shape) == 1 and own.dtype.kind in "UbiufMm")
        need(bool((places >= 0).all() and (places < own.shape[0]).all()))
    return Keys(names, tuple(map(np.asarray, levels)), members)


@codec.stored_by(encode, decode)
@dataclass(frozen=True, eq=False)
class GroupModels(SavedResult, ShownInNotebooks):
    """A network for each group of a table, with everything needed to predict.

    ``models[label]`` is the :class:`fastgd.Run` of a group (``models[label, label]`` if there are
    several group columns). ``label in models``, ``list(models)`` and ``len(models)`` are those of
    the groups' labels, as in a dict; :meth:`items` has labels and networks.

    Attributes
    ----------
    keys : Keys
        The groups: names of the group columns, and labels.
    preparation : Preparation
        How columns are encoded as inputs.
    target : NumberTarget or ClassTarget
        How outputs are decoded as predictions.
    measured : dict of str to (groups,) array
        "rows", "test_rows", "training_error", "test_error" and "status" of each group, and with
        ``model="best"`` the "model" that predicts.
    fallback : Run or None
        The network for unknown groups, if there is one.
    notes : tuple of str
        What was decided about the table when it was fitted, one line each.
    compared : dict of str to (groups,) array
        The test error of each model: see :attr:`comparison`.
    order : RowOrder or None
        The column that ``test_last`` named.
    judged : dict of str to (groups, cutoffs) array
        The error at each cutoff: see :attr:`cutoffs`.
    intervals : fastgd.models.intervals.Intervals or None
        The errors on rows that the models haven't seen, for :meth:`predict_interval`.
    lags : Lags or None
        The last values of the target in each group, if lags of it are inputs.
    """

    keys: Keys
    preparation: Preparation
    target: Target
    fits: GroupFits = field(repr=False)
    chosen: Integers = field(repr=False)
    fallback: Run | None
    measured: dict[str, NDArray[Any]] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    compared: dict[str, FloatArray] = field(default_factory=dict, repr=False)
    order: RowOrder | None = field(default=None, repr=False)
    judged: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    intervals: Intervals | None = field(default=None, repr=False)
    lags: Lags | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys)

    def __contains__(self, group: object) -> bool:
        try:
            return self.keys.find(group) >= 0
        except (KeyError, TypeError):
            return False

    def __repr__(self) -> str:
        """Target, groups, rows, error, and in how many groups each model is the best one."""
        rows, errors = int(self.measured["rows"].sum()), self.measured["test_error"]
        by = ", ".join(self.keys.names)
        what = f"{self.target.name} by {by}: {len(self):,} groups, {rows:,} rows"
        if not np.isnan(errors).all():
            what += f"; median test error {np.nanmedian(errors):.6g}"
        judged = (self.measured["test_rows"] > 0) & (self.measured["status"] != "constant")
        if self.compared and judged.any():
            compared = np.column_stack(list(self.compared.values()))[judged]
            best = np.nan_to_num(compared, nan=np.inf).argmin(axis=1)
            names = np.array(list(self.compared))[best].tolist()
            wins = Counter(
                name for name in self.compared for one in names if one == name
            ).most_common()
            what += f"; best: {', '.join(f'{name} {n:,}' for name, n in wins)}"
        return f"GroupModels({escaped(what)})"

    def _described(self) -> Description:
        measured = self.measured
        trained, held = measured["training_error"], measured["test_error"]
        rows = [
            ("groups", f"{len(self):,}"),
            ("rows", f"{int(measured['rows'].sum()):,}"),
            ("inputs", f"{len(self.preparation.names):,}"),
            ("status", counted(measured["status"])),
            ("unknown groups", "the global network" if self.fallback else "no prediction"),
        ]
        where, errors = ("training", trained) if np.isnan(held).all() else ("test", held)
        known = np.flatnonzero(~np.isnan(errors))
        groups = [
            (
                ", ".join(str(column[i]) for column in self.keys.columns()),
                f"{int(measured['rows'][i]):,}",
                f"{trained[i]:.5g}",
                f"{held[i]:.5g}",
            )
            for i in known[np.argsort(-errors[known], kind="stable")[:BEST]]
        ]
        names = ("the worst groups", "rows", "training error", "test error")
        return Description(
            f"Models of {self.target.name} by {', '.join(self.keys.names)}",
            [ShownTable(rows), ShownTable(groups, names)],
            GroupErrors(errors, where, self.target.name),
        )

    @property
    def groups(self) -> list[Any]:
        """Labels of the groups, or tuples of labels, sorted."""
        return list(self.keys)

    @property
    def errors(self) -> pandas.DataFrame:
        """One row per group: its labels, number of rows, errors and status.

        Errors are mean absolute errors in the target's unit, or for classes the fraction that is
        wrong, of networks that haven't learned from the test set: over the rows that they learned
        from, and over the test set, which has chosen nothing (NaN if there is none). The networks
        that predict have learned from all rows. The status is that of their training, as in
        :class:`fastgd.Run`, or "constant" if all targets of a group are the same: then that value
        is predicted, and there is no network.

        Needs pandas (``pip install "fastgd[dataframe]"``).
        """
        return self._frame("errors", self.measured)

    @property
    def comparison(self) -> pandas.DataFrame:
        """One row per group: its labels, and the test error of each model.

        The models are the group's "network", the "shared" network of all groups (with
        ``start="global"``), a "ridge" (a linear model with an L2 penalty; for numbers, of at most
        100 inputs), and a "constant": the mean, or for classes their frequencies. With
        ``test_last`` there are forecasts, too: the "last value" of the group and, if its rows are
        hours, days, months or quarters apart, the "seasonal naive": the last one of the same hour,
        day of the week, month or quarter.

        Needs pandas (``pip install "fastgd[dataframe]"``).
        """
        return self._frame("comparison", self.compared)

    @property
    def cutoffs(self) -> pandas.DataFrame:
        """One row per group and cutoff: its labels, rows and error of the steps after it.

        ``after`` is the last value before the cutoff of the column that ``test_last`` named. The
        mean of a group's errors is its test error in :attr:`errors`. Groups that are too short to
        be judged have 0 rows.

        Needs pandas (``pip install "fastgd[dataframe]"``).

        Raises
        ------
        ValueError
            If the models were not fitted with ``test_last``.
        """
        if self.order is None:
            raise ValueError("cutoffs needs models that were fitted with test_last")
        count = self.judged["after"].shape[1]
        columns = {name: array.ravel() for name, array in self.judged.items()}
        if self.order.dates is not None:
            columns["after"] = np.rint(columns["after"] * 86_400e6).astype("M8[us]")
        labels = {
            name: [one for one in own for _ in range(count)]
            for name, own in zip(self.keys.names, self.keys.columns(), strict=True)
        }
        table: pandas.DataFrame = dataframe(labels | columns, caller="cutoffs")
        return table

    def _frame(self, name: str, columns: Mapping[str, NDArray[Any]]) -> pandas.DataFrame:
        labels = dict(zip(self.keys.names, self.keys.columns(), strict=True))
        table: pandas.DataFrame = dataframe(labels | {**columns}, caller=name)
        return table

    def __getitem__(self, group: Any) -> Run:
        """The network of a group, whose inputs and outputs are scaled.

        Raises
        ------
        KeyError
            If there is no such group.
        ValueError
            If it has no network, because all its targets are the same.
        """
        found = self._network(*self.fits.trained.places[self.keys.find(group)])
        if found is None:
            raise ValueError(f"group {group!r} has no network: all its targets are the same")
        return found

    def items(self) -> Iterator[tuple[Any, Run | None]]:
        """The label, or tuple of labels, of each group and its network; None where it has none.

        Examples
        --------
        >>> import fastgd
        >>> table = {"shop": ["Oslo", "Rome"] * 20, "day": range(40), "sales": [*range(40)]}
        >>> models = fastgd.fit_groups(table, by="shop", target="sales", iterations=100)
        >>> {shop: run.hidden_size for shop, run in models.items()}
        {'Oslo': (16,), 'Rome': (16,)}
        """
        places = self.fits.trained.places
        return zip(self, (self._network(*place) for place in places), strict=True)

    def _network(self, number: int, run: int) -> Run | None:
        """The network at a place in the sweeps, as in :class:`TrainedGroups`."""
        if number < 0:
            return None
        sweep = self.fits.trained.sweeps[number]
        return sweep[tuple(int(i) for i in np.unravel_index(run, sweep.shape))]

    @overload
    def predict(self, df: Mapping[str, Any] | PathLike) -> NDArray[Any]: ...

    @overload
    def predict(self, df: Table) -> Any: ...

    def predict(self, df: Table) -> Any:
        """Predict the target of each row with the network of its group.

        With ``model="best"`` it is predicted by the model that was chosen for the group.

        Parameters
        ----------
        df : DataFrame, mapping of str to (rows,) arrays, or path
            With the columns of the groups and of the inputs.

        Returns
        -------
        (rows,) Series or array
            In the order of the rows; of a DataFrame a Series, as in :meth:`fastgd.Model.predict`.
            Rows of unknown groups, or without a label, get the prediction of the global network if
            there is one, and else NaN (None for classes that are not numbers). Rows of groups whose
            training diverged get NaN or None too.

        Raises
        ------
        ValueError, TypeError
            If a column is missing or holds another kind of values.

        Warns
        -----
        UserWarning
            If no row has a known group and there is no global network, or as
            :meth:`fastgd.Model.predict`.
        """
        df = opened(df, table=True)
        found = self._decoded(self._outputs(df))
        return like(df, {self.target.name: found}, found)

    def predict_interval(self, df: Table, coverage: float = 0.9) -> Any:
        """Predict an interval for each row, in which its target lies with this probability.

        The intervals are conformal, as those of :meth:`fastgd.Model.predict_interval`: of the
        errors on test rows (with ``test_last`` those after all cutoffs; without a test set on
        validation rows). They are pooled over the groups after division by each group's spread: the
        mean size of its errors, shrunk towards that of all groups. So a share of about ``coverage``
        of the rows of all groups lies inside, and hardly less of a group with many of these rows.

        Parameters, what is returned and raised, and warnings are as there. Unknown groups, no row
        of which was judged, get NaN; without rows held out there are no intervals.
        """
        errors = errors_for("predict_interval", coverage, self.intervals, (self.target,))
        df = opened(df, table=True)
        for line in errors.remarks(coverage):
            warn(line)
        columns = self._columns(df)
        outputs, codes = self._outputs(columns), self.keys.codes(columns)
        outputs[codes < 0] = np.nan
        found = errors.columns(self.target, outputs, coverage, codes)
        return like(df, found, np.column_stack(list(found.values())))

    def _decoded(self, outputs: FloatArray) -> NDArray[Any]:
        """Predictions, NaN or None where there are no outputs."""
        missing = np.asarray(np.isnan(outputs).any(axis=1))
        if not missing.any():
            return self.target.decode(outputs)
        decoded = self.target.decode(np.where(missing[:, None], 0.0, outputs))
        if decoded.dtype.kind in "iuf":
            return np.asarray(np.where(missing, np.nan, decoded))
        found = decoded.astype(object)
        found[missing] = None
        return found

    def predict_proba(self, df: Table) -> FloatArray:
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

    def remarks(self, df: Table) -> list[str]:
        """Say how a table differs from the one that was fitted, one line each.

        That is: no known group, unknown categories, cells missing in a column that had none
        missing, numbers far outside those of the training table, and columns that are not used.

        Raises
        ------
        ValueError, TypeError
            If a column is missing or holds another kind of values.

        Examples
        --------
        >>> import fastgd
        >>> table = {"shop": ["Oslo", "Rome"] * 20, "kind": ["tea", "tea", "milk", "milk"] * 10}
        >>> models = fastgd.fit_groups(table | {"sold": [*range(40)]}, by="shop", target="sold")
        >>> for remark in models.remarks({"shop": ["Oslo"], "kind": ["rice"], "day": [1]}):
        ...     print(remark)
        kind: rice in 1 row: not in the training table; these rows have no category
        Not used: day
        """
        columns, known = self._columns(df), {self.target.name, *self.keys.names}
        columns, codes, lines = self._grouped(columns)
        known |= {self.order.name} if self.order else set()
        return [*self.keys.remarks(codes), *lines, *self.preparation.remarks(columns, known)]

    def _outputs(self, df: Table) -> FloatArray:
        columns = self._columns(df)
        used = (*self.keys.names, *(column.name for column in self.preparation.columns))
        check_lengths({name: columns[name] for name in used if name in columns})
        columns, codes, lines = self._grouped(columns)
        check_memory(32 * len(codes) * len(self.preparation.names), "the prediction")
        cells = self.preparation.cells(columns)
        unknown = [] if self.fallback else self.keys.remarks(codes)
        for line in [*unknown, *lines, *self.preparation.remarks(cells)]:
            if self.order is None or not (
                line.startswith(f"{self.order.name}: ") and " after " in line
            ):  # it is what these models were judged by
                warn(line)
        prepared = self.preparation.transform(cells)
        outputs = self.fits.predict(self.chosen, prepared, codes)
        if self.fallback is not None and (codes < 0).any():
            outputs[codes < 0] = self.fallback.predict(prepared[codes < 0])
        return outputs

    def _grouped(self, columns: Mapping[str, Any]) -> tuple[Mapping[str, Any], Integers, list[str]]:
        """A table with its lags, the groups of its rows, and lines as of :meth:`Lags.added`."""
        codes = self.keys.codes(columns)
        if self.lags is None or not isinstance(self.target, NumberTarget):
            return columns, codes, []
        columns, lines = self.lags.added(columns, self.target, codes)
        return columns, codes, lines

    def _columns(self, table: Table) -> Mapping[str, NDArray[Any]]:
        """The columns of a table; in a file, labels are strings where they were strings."""
        labels = zip(self.keys.names, self.keys.levels, strict=True)
        texts = [name for name, own in labels if own.dtype.kind == "U"]
        return columns_from(table, (*self.preparation.texts, *texts))

    def to_onnx(
        self, path: PathLike, *, dtype: OnnxType = "float64", interval: float | None = None
    ) -> None:
        """Write the models of all groups as one file in ONNX format, for other runtimes.

        The inputs are the group columns, (rows, 1) strings or int64, and the columns of the table
        as in :meth:`fastgd.Model.to_onnx`, whose outputs it has, too. They equal those of
        :meth:`predict` up to rounding: for an unknown group those of the global network, or NaN and
        the label "". With the coverage of an ``interval`` its bounds are two outputs more, ``low``
        and ``high`` (rows, 1), as of :meth:`predict_interval`.

        Raises
        ------
        ValueError, TypeError, OSError, ImportError
            As :meth:`fastgd.Model.to_onnx`, or if labels are neither strings nor whole numbers.
        """
        file, dtype = check_path("path", path), check_choice("dtype", dtype, ONNX_DTYPES)
        bounds = spread = None
        if interval is not None:
            target: Any = self.target
            errors = errors_for("interval", interval, self.intervals, (target,))
            bounds = errors.in_units(target, interval)._replace(pieces=np.empty((0, 4)))
            spread = errors.spread[:, None] * target.scale
        from fastgd.export.onnx import ExportedGroups, groups_model

        unknown = [] if self.fallback is None else [self.fallback]
        fits, shared = self.fits, self.fits.shared
        groups = ExportedGroups(
            exported(unknown, "to_onnx", self.preparation, (self.target,))._replace(bounds=bounds),
            dict(zip(self.keys.names, self.keys.levels, strict=True)),
            self.keys.members,
            fits.inputs,
            *stacked(fits.trained, fits.outputs),
            None if shared is None else exported([shared], "to_onnx"),
            fits.ridge,
            fits.constant,
            fits.base,
            self.chosen,
            spread,
        )
        with whole_file(file) as stream:
            stream.write(groups_model(groups, dtype))
