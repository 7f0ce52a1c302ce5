"""The result of many trainings: a :class:`Sweep`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.initial_network import BatchNorm
from fastgd.arguments.options import Method
from fastgd.arguments.samples import check_inputs
from fastgd.arguments.subsets import Partition, RowIndices, check_groups
from fastgd.checks.messages import (
    axis_text,
    did_you_mean,
    joined,
    layers_text,
    many,
    shown,
    value_text,
)
from fastgd.checks.numbers import FloatArray, check_flag, check_memory
from fastgd.checks.presentation import (
    BEST,
    Description,
    ShownInNotebooks,
    ShownTable,
    counted,
    dataframe,
    dataset,
    option_rows,
)
from fastgd.engine.devices import available_threads
from fastgd.engine.network import Network, Weights
from fastgd.engine.prediction import derivatives, hidden_values, predict
from fastgd.engine.result_memory import empty
from fastgd.engine.results import MISSING, State, Summary
from fastgd.training import codec
from fastgd.training.codec import JsonValues
from fastgd.training.measured import Measured, measured_at, measured_variables
from fastgd.training.run import BatchNorms, Counts, Run
from fastgd.training.saved_result import SavedResult
from fastgd.training.selection import (
    AxisIndex,
    KeptAxis,
    Selection,
    by_place,
    by_value,
    run_at,
    selected,
    taken,
)
from fastgd.training.stored_results import (
    decode_sweep,
    encode_outline,
    encode_sweep,
    measured_arrays,
)
from fastgd.training.sweep_axes import (
    MEASURED,
    SweepAxes,
    axis_columns,
    coordinates,
    curve_columns,
    labels_of,
    variables,
    varied,
)

if TYPE_CHECKING:
    import xarray

    from fastgd.training.run_or_sweep import RunOrSweep


Arrays = TypeVar("Arrays")


class _Stacked(Generic[Arrays]):
    """An attribute of a sweep: what its runs have by layer, with the axes in front."""

    def __init__(self, kept: str, part: str) -> None:
        """For the arrays of the field ``kept``, and this part of a network."""
        self._kept, self._part = kept, part

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, sweep: Sweep | None, owner: type) -> Arrays:
        return cast(Arrays, self if sweep is None else self._of(sweep))

    def _of(self, sweep: Sweep) -> Any:
        kept = getattr(sweep, self._kept)  # once: a folder reads it each time
        if kept is None and self._kept == "kept_path":
            return None if self._part == "weights" else ()
        has = {"biases": "bias", "normalization": "batch_norm"}.get(self._part, "sizes")
        _check_arrays(sweep, kept, self._name, attrgetter("sizes", has))
        each = [getattr(n.parts(r), self._part) for n, r in zip(sweep.networks, kept, strict=True)]

        def stacked(arrays: tuple[Any, ...]) -> Any:
            if isinstance(arrays[0], BatchNorm):
                return BatchNorm(*map(stacked, zip(*arrays, strict=True)))
            return _whole(sweep, arrays)

        return tuple(map(stacked, zip(*each, strict=True)))


@codec.stored_by(encode_sweep, decode_sweep)
@dataclass(frozen=True, eq=False)
class Sweep(Measured, SavedResult, ShownInNotebooks):
    """Many trained networks, one for each combination of the values on the axes.

    Attributes
    ----------
    axes : dict of str to list
        The arguments with several values, and these values: ``hidden_size``, options that change
        the compiled code, ``group`` (labels), ``fold``, ``sample_weight`` (row indices),
        ``combination`` (dicts), ``alpha``, numeric options, ``seed``, ``weights``, in this order.
        Initial weights are complete networks: tuples of weights, biases, normalization.
    shape : tuple of int
        Lengths of the axes.
    errors : shape + (records,) array
        Mean absolute error ``|y - output|`` before the updates of the iterations in ``recorded``.
    recorded : (records,) array of int
        The iterations at which ``errors`` were recorded.
    final_error : array of that shape
        Mean absolute error with the final weights.
    losses, final_loss : arrays
        The minimized losses, as in :class:`Run`, with the axes in front.
    status : array of str, of that shape
        "finished", "converged", "stalled" or "diverged", as in :class:`Run`.
    iterations : array of int, of that shape
        Number of updates done.
    total_changes : array of int, of that shape
        Sum of the direction changes of all weights and biases.
    summary : Summary of arrays of that shape, or None
        The summary of the errors, if the option ``summary`` was given.
    validation_errors, final_validation_error, best_iteration : arrays or None
        As in :class:`Run`, with the axes in front; ``best_iteration`` is -1 where a run has None.
    effective_parameters, weight_penalty, error_factor : arrays or None
        As in :class:`Run`, with the axes in front.
    measurements : array or None
        As in :class:`Run`, with the axes in front; :attr:`measured` has it by name.
    partition : Partition or None
        If groups, folds or sample weights are axes: the training and validation samples of the
        runs, and the weights of these samples.
    sample_hashes : dict or None
        If there are states: shape and SHA-256 of X, y, gradients and validation, by name, which
        ``resume`` compares. None in sweeps from files of version 0.2.0.
    weights, biases, direction_changes, bias_direction_changes : tuples of arrays
        As in :class:`Run`, an array per layer, with the axes in front: ``weights[k]`` is of shape
        ``shape + (inputs, outputs)``. Of a folder all chunks are read, one after the other.
        ValueError with ``keep_weights=False``, or if an axis changes the shape of these arrays.
    normalization : tuple of BatchNorm
        The same.
    recorded_weights, recorded_biases, recorded_normalization : tuples, or None
        The same at the points of ``errors``, with ``record_weights=True``:
        ``recorded_weights[k]`` is of shape ``shape + (records, inputs, outputs)``.
    recorded_predictions : shape + (records, samples, outputs) array, or None
        The outputs at the points of ``errors``, with ``record_predictions=True``: of all samples of
        X, also those that a run of a group or fold doesn't learn from.
    schedule_start : int or None
        As in :class:`Run`.
    settings, method, networks, kept_weights, kept_changes, kept_path, states, source
        Private: what the methods of this class read.
    """

    axes: dict[str, list[Any]]
    settings: dict[str, Any]
    method: Method = field(repr=False)
    errors: NDArray[np.float64]
    recorded: NDArray[np.int64]
    final_error: NDArray[np.float64]
    losses: NDArray[np.float64] = field(repr=False)
    final_loss: NDArray[np.float64]
    status: NDArray[np.str_]
    iterations: NDArray[np.int64]
    total_changes: NDArray[np.int64]
    summary: Summary | None = field(repr=False)
    networks: tuple[Network, ...] = field(repr=False)
    kept_weights: tuple[NDArray[np.float64], ...] | None = field(repr=False)
    kept_changes: tuple[NDArray[np.int64], ...] | None = field(repr=False)
    kept_path: tuple[NDArray[np.float64], ...] | None = field(repr=False, default=None)
    recorded_predictions: NDArray[np.float64] | None = field(repr=False, default=None)
    validation_errors: NDArray[np.float64] | None = field(repr=False, default=None)
    final_validation_error: NDArray[np.float64] | None = field(repr=False, default=None)
    best_iteration: NDArray[np.int64] | None = field(repr=False, default=None)
    effective_parameters: NDArray[np.float64] | None = field(repr=False, default=None)
    weight_penalty: NDArray[np.float64] | None = field(repr=False, default=None)
    error_factor: NDArray[np.float64] | None = field(repr=False, default=None)
    measurements: NDArray[np.float64] | None = field(repr=False, default=None)
    states: tuple[State, ...] | None = field(repr=False, default=None)
    partition: Partition | None = field(repr=False, default=None)
    source: Any = field(repr=False, default=None)
    sample_hashes: dict[str, str] | None = field(repr=False, default=None)
    schedule_start: int | None = field(repr=False, default=None)

    weights = _Stacked[Weights]("kept_weights", "weights")
    biases = _Stacked[Weights]("kept_weights", "biases")
    normalization = _Stacked[BatchNorms]("kept_weights", "normalization")
    direction_changes = _Stacked[Counts]("kept_changes", "weights")
    bias_direction_changes = _Stacked[Counts]("kept_changes", "biases")
    recorded_weights = _Stacked[Weights | None]("kept_path", "weights")
    recorded_biases = _Stacked[Weights]("kept_path", "biases")
    recorded_normalization = _Stacked[BatchNorms]("kept_path", "normalization")

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._sweep_axes.shape

    @property
    def _sweep_axes(self) -> SweepAxes:
        return SweepAxes.with_networks(self.axes, len(self.networks))

    @property
    def options(self) -> dict[str, Any]:
        """The options that all runs share and that are not the default, as in :class:`Run`.

        If a field of the optimizer is an axis, the optimizer has the axis's first value.
        """
        given, several = self.method.given, varied(self.axes)
        return {name: value for name, value in given.items() if name not in several}

    @property
    def missing(self) -> int:
        """Number of runs not trained yet; above 0 only for selections from unfinished folders."""
        return int((self.status == MISSING).sum())

    def __repr__(self) -> str:
        """The axes, the best run, and how many runs are missing."""
        missing = self.missing
        axes = ", ".join(f"{name}: {len(values)}" for name, values in self.axes.items())
        if missing == len(self):
            return f"Sweep({axes or 'one run'}; all runs missing)"
        name, errors = self._ranked
        best = "all NaN" if np.isnan(errors).all() else f"best {name} {np.nanmin(errors):.6g}"
        lacking = f"; {missing:,} of {len(self):,} runs missing" * (missing > 0)
        return f"Sweep({axes or 'one run'}; {best}{lacking})"

    @property
    def _ranked(self) -> tuple[str, NDArray[np.float64]]:
        """The criterion for the best run: its name, and its values."""
        if self.final_validation_error is not None:
            return "final_validation_error", self.final_validation_error
        return "final_error", self.final_error

    def _described(self) -> Description:
        axes = " x ".join(axis_text(name, len(axis)) for name, axis in self.axes.items())
        several, network = varied(self.axes), layers_text(self.networks[0].sizes[1:-1])
        rows = [] if "hidden_size" in self.axes else [("hidden size", network)]
        for name, value in self.settings.items():  # alpha, a seed, and indices of subsets
            text = "given initial weights" if name == "seed" else "none"
            if value is not None:
                text = joined(value) if name == "alpha" else str(value)
            rows += [] if name in several else [(name.replace("_", " "), text)]
        rows += [*option_rows(self.options), ("status", counted(self.status))]
        title = many(len(self), "run") + (f": {axes}" if axes else "")
        return Description(title, [ShownTable(rows), self._best_runs()], self)

    def _best_runs(self) -> ShownTable:
        """A row for each of the best runs, by validation error if there is one."""
        order = np.argsort(self._ranked[1], axis=None, kind="stable")[:BEST]  # NaN comes last
        places = np.unravel_index(order, self.shape) if self.shape else ()
        columns: dict[str, list[str]] = {}
        for (name, axis), along in zip(self.axes.items(), places, strict=True):
            labels = labels_of(name, axis)
            columns[name.replace("_", " ")] = [
                value_text(name, axis[i])  # a combination with all its parameters
                if isinstance(axis[i], dict)
                else f"{labels[i]:g}"
                if isinstance(labels[i], float)
                else str(labels[i])
                for i in along
            ]
        formats = {
            "validation error": (self.final_validation_error, "{:.5g}"),
            "final error": (self.final_error, "{:.5g}"),
            "iterations": (self.iterations, "{:,}"),
            "status": (self.status, "{}"),
        }
        for name, (array, form) in formats.items():
            if array is not None:
                columns[name] = [form.format(value) for value in np.ravel(array)[order]]
        return ShownTable(list(zip(*columns.values(), strict=True)), tuple(columns))

    def __len__(self) -> int:
        """Number of runs."""
        return self._sweep_axes.networks * self._sweep_axes.runs

    def __iter__(self) -> Iterator[Run]:
        """All runs, the last axis fastest; with ``keep_weights=False`` each is trained again."""
        return (run_at(self, index) for index in np.ndindex(*self.shape))

    @overload
    def __getitem__(self, index: KeptAxis) -> Sweep: ...

    @overload
    def __getitem__(self, index: int | np.integer | tuple[AxisIndex, ...]) -> RunOrSweep: ...

    def __getitem__(self, index: AxisIndex | tuple[AxisIndex, ...]) -> RunOrSweep:
        """One run as :func:`fastgd.train` would have returned it, or a sweep of several.

        An int selects one value of an axis and drops the axis; a slice, a list of ints, or a list
        of one bool per value keeps it. Axes without an index are kept whole. Several lists select
        independently on their axes (as ``numpy.ix_`` does).

        A run of a sweep made with ``keep_weights=False`` is trained again by itself, bit-identical
        to the original: that takes as long as :func:`fastgd.train`, and needs the samples as they
        were.

        Raises
        ------
        TypeError, IndexError
            If the index is of another type, is out of range, or selects nothing.
        ValueError
            If the weights of a single run were not kept, and the sweep comes from a file or its
            samples have changed.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> sweep = fastgd.sweep(X, y, alpha=[0.1, 1, 10], seed=range(5), iterations=100)
        >>> sweep[2, 3].alpha, sweep[2].shape, sweep[:2, ::2].shape, sweep[..., [0, 4]].shape
        (10.0, (5,), (2, 3), (3, 2))
        """
        return cast("RunOrSweep", self._of(by_place(self._sweep_axes, index)))

    def sel(self, **values: Any) -> RunOrSweep:
        """Select by the values on the axes: a run, or a sweep if axes are left.

        Parameters
        ----------
        **values
            For some of the axes a value, which drops the axis, or a list of values, which keeps it.
            Networks on an axis of initial weights, and combinations, are selected by their
            indices, as in :meth:`columns`.

        Raises
        ------
        ValueError
            If an axis is unknown or has no such value; the message lists the existing ones.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> sweep = fastgd.sweep(X, y, alpha=[0.1, 1, 10], seed=range(5), iterations=100)
        >>> sweep.sel(alpha=10, seed=3).alpha, sweep.sel(seed=[3, 4]).shape
        (10.0, (3, 2))
        >>> sweep.sel(alpha=1).axes
        {'seed': [0, 1, 2, 3, 4]}
        """
        return cast("RunOrSweep", self._of(by_value(self._sweep_axes, values)))

    def _of(self, chosen: Selection) -> Run | Sweep:
        index = chosen.index
        if index is not None:
            return run_at(self, index)
        return Sweep(**selected(self, chosen, taken(self, chosen)))

    def best_index(self) -> tuple[int, ...]:
        """Index of the run with the smallest final error; NaN is ignored.

        With a validation set, this is the smallest final error on that set.

        Raises
        ------
        ValueError
            If every final error is NaN.
        """
        name, errors = self._ranked
        if np.isnan(errors).all():
            raise ValueError(f"no run is the best: every {name.replace('_', ' ')} is NaN")
        flat = int(np.nanargmin(errors))
        return tuple(int(i) for i in np.unravel_index(flat, self.shape)) if self.shape else ()

    def best(self) -> Run:
        """The run with the smallest final error: that of :meth:`best_index`.

        With ``keep_weights=False`` it is trained again, which takes as long as
        :func:`fastgd.train`.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> fastgd.sweep(X, y, alpha=[0.1, 1, 10], iterations=10_000).best().alpha
        10.0
        """
        return self[self.best_index()]

    def predict(self, X: ArrayLike, *, groups: ArrayLike | None = None) -> NDArray[np.float64]:
        """Outputs of all networks, bit-identical to :meth:`fastgd.Run.predict`.

        Parameters
        ----------
        X : (samples, inputs) array_like
        groups : (samples,) array_like, optional
            A label for each sample, if "group" is an axis: each sample gets the outputs of the
            networks of its group only.

        Returns
        -------
        shape + (samples, outputs) array
            Without the axis "group" if ``groups`` are given. NaN for a run that diverged.

        Raises
        ------
        ValueError, TypeError
            If X is not a finite numeric table with the networks' number of inputs, a label is not
            on the axis, the weights were not kept, or the outputs would not fit into memory.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> sweep = fastgd.sweep(X, y, alpha=[1, 10], seed=range(5), iterations=10_000)
        >>> sweep.predict(X).shape
        (2, 5, 4, 1)
        >>> sweep.predict(X)[1].mean(axis=0).round(1).ravel()
        array([0., 1., 1., 0.])
        """
        inputs, weights = _inputs(self, X, "predict")
        rows = None if groups is None else _rows(self, groups, len(inputs))
        sweep_axes, outputs = self._sweep_axes, self.networks[0].sizes[-1]
        kept_axes = (axis for name, axis in self.axes.items() if rows is None or name != "group")
        shape = tuple(map(len, kept_axes))
        count = int(np.prod(shape, dtype=np.int64))
        check_memory(8 * count * len(inputs) * outputs, "the prediction", also=ALSO)
        result = empty((sweep_axes.networks, count // sweep_axes.networks, len(inputs), outputs))
        threads = available_threads()
        each = _each(self, weights)
        for into, (network, method, numbers, kept) in zip(result, each, strict=True):
            if rows is None:
                predict(network, method, kept, inputs, numbers, threads, into)
                continue
            groups_first = (len(self.axes["group"]), -1)
            present, parts = rows
            of_groups = kept.reshape(*groups_first, network.parameters)[present]
            numbers = {
                n: axis.reshape(groups_first)[present].ravel() for n, axis in numbers.items()
            }
            predict(network, method, of_groups, inputs, numbers, threads, into, parts)
        return result.reshape(*shape, len(inputs), outputs)

    def hidden(self, X: ArrayLike) -> tuple[NDArray[np.float64], ...]:
        """Values of all networks' hidden layers, bit-identical to :meth:`fastgd.Run.hidden`.

        Parameters
        ----------
        X : (samples, inputs) array_like

        Returns
        -------
        tuple of shape + (samples, units) arrays
            One for each hidden layer. NaN for a run that diverged.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`, or if an axis changes the sizes of the hidden layers.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> sweep = fastgd.sweep(X, y, alpha=[1, 10], seed=range(5), iterations=100)
        >>> [layer.shape for layer in sweep.hidden(X)]
        [(2, 5, 4, 4)]
        """
        inputs, weights = _inputs(self, X, "hidden", attrgetter("sizes"))
        units = sum(self.networks[0].sizes[1:])
        check_memory(16 * len(self) * len(inputs) * units, "the values of hidden layers", also=ALSO)
        found, threads = [], available_threads()
        for network, method, numbers, kept in _each(self, weights):
            found.append(hidden_values(network, method, kept, inputs, numbers, threads))
        return tuple(_whole(self, layer) for layer in zip(*found, strict=True))

    def gradient(self, X: ArrayLike) -> NDArray[np.float64]:
        """Derivatives of all networks' outputs, bit-identical to :meth:`fastgd.Run.gradient`.

        Parameters
        ----------
        X : (samples, inputs) array_like

        Returns
        -------
        shape + (samples, outputs, inputs) array
            NaN for a run that diverged.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> sweep = fastgd.sweep(X, y, alpha=[1, 10], seed=range(5), iterations=1_000)
        >>> sweep.gradient(X).shape
        (2, 5, 4, 1, 3)
        """
        (inputs, weights), found = _inputs(self, X, "gradient"), []
        for network, method, numbers, kept in _each(self, weights):
            found.append(derivatives(network, method, kept, inputs, numbers, 1, ALSO))
        return _whole(self, found)

    def columns(self) -> dict[str, list[Any]]:
        """A table with a row per run, as columns: axes, error, loss, status, iterations, changes.

        An axis of optimizers has a column with the names of their classes and one for each
        hyperparameter, which is NaN where an optimizer doesn't have it. An axis of initial weights
        has a column of indices, and an axis of combinations one of indices and one for each key.

        Examples
        --------
        >>> import fastgd
        >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], iterations=10)
        >>> list(sweep.columns())
        ['alpha', 'final_error', 'final_loss', 'status', 'iterations', 'total_changes']
        """
        arrays = {name: getattr(self, name) for name in MEASURED}  # once: a folder reads each time
        known = {name: a.ravel().tolist() for name, a in arrays.items() if a is not None}
        return axis_columns(self.axes) | known

    def to_dataframe(self, *, long: bool = False, kind: str = "pandas") -> Any:
        """One row per run, with the columns of :meth:`columns`; or one per run and iteration.

        Parameters
        ----------
        long : bool
            One row per run and iteration that was recorded before the run ended, with error, loss
            and, with a validation set, validation error; and what was measured there.
        kind : {"pandas", "polars", "pyarrow"}
            The library of the table, which must be installed. Those of polars and pyarrow have
            strings for layers, methods and formulas.

        Examples
        --------
        >>> import fastgd
        >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], iterations=20,
        ...                      record_every=10)
        >>> print(sweep.to_dataframe(long=True).round(3))
           alpha  iteration  error   loss
        0    1.0          0  0.500  0.250
        1    1.0         10  0.480  0.232
        2    2.0          0  0.500  0.250
        3    2.0         10  0.457  0.212
        """
        is_long = check_flag("long", long)
        return dataframe(curve_columns(self.axes, self) if is_long else self.columns(), kind)

    def to_xarray(self) -> xarray.Dataset:
        """The results, as arrays with named and labeled axes.

        Variables are the columns of :meth:`columns`, and ``errors``, ``losses`` and
        ``validation_errors`` with the further dimension ``iteration``; ``recorded_predictions`` has
        ``sample`` and ``output_unit``, too; of a ``summary`` each field is a variable. What was
        measured has the further dimension ``measured_at``, and with ``measure_layers=True``
        ``layer``. Coordinates are the values on the axes: numbers, or short strings for layers
        (``"8x2"``), methods and formulas. Optimizers and schedules have a further coordinate for
        each hyperparameter, and initial networks are numbered. Settings and options that all runs
        share are strings in ``attrs``.

        Needs xarray (``pip install "fastgd[xarray]"``).

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> sweep = fastgd.sweep(X, y, alpha=[0.1, 1, 10], seed=range(5), iterations=1000,
        ...                      record_every=100)
        >>> found = sweep.to_xarray()
        >>> dict(found.sizes)
        {'alpha': 3, 'seed': 5, 'iteration': 10}
        >>> found.errors.sel(iteration=900).median("seed").round(3).values
        array([0.498, 0.05 , 0.012])
        """
        return self._dataset(partial(getattr, self))

    def _dataset(self, read: Callable[[str], Any]) -> xarray.Dataset:
        """The results as arrays; ``read`` returns a field."""
        several = varied(self.axes)
        facts = {name: fact for name, fact in self.settings.items() if name not in several}
        if "hidden_size" not in self.axes:
            facts["hidden_size"] = self.networks[0].sizes[1:-1]
        iterations = {"iteration": self.recorded.tolist()}
        own, names = read("measurements"), tuple(self.axes)
        found = variables(names, read) | measured_variables(self, own, names)
        if own is not None:
            iterations["measured_at"] = measured_at(self, own).tolist()
        return dataset(coordinates(self.axes | iterations), found, facts | self.options)

    def _hashed(self) -> tuple[JsonValues, Iterable[tuple[str, NDArray[Any]]]]:
        """The outline, and the results of one piece of the runs after the other."""
        header, arrays = encode_outline(self)
        results = chain.from_iterable(map(measured_arrays, self._pieces()))
        return header, chain(arrays.items(), results)

    def _pieces(self) -> Iterable[Sweep]:
        """All runs in their order; a piece has runs of all networks, or of one."""
        return [self]

    def in_memory(self) -> Sweep:
        """The sweep with all results in memory: itself, unless it is in a folder."""
        return self


# ---------------------------------------------------------------- predictions

ALSO = "fewer samples, or a selection of the sweep,"


def _inputs(
    sweep: Sweep,
    X: object,
    caller: str,
    of: Callable[[Network], object] = lambda network: network.sizes[-1],
) -> tuple[FloatArray, tuple[FloatArray, ...]]:
    """Check X, and :func:`_check_arrays` for results of it; and the networks' weights."""
    weights = sweep.kept_weights
    _check_arrays(sweep, weights, caller, of)
    return check_inputs(X, sweep.networks[0].sizes[0]), weights or ()


def _check_arrays(sweep: Sweep, kept: object, caller: str, of: Callable[[Network], object]) -> None:
    """Raise unless there are weights, or other numbers, of networks that are alike in this."""
    if kept is None:
        raise ValueError(
            f"{caller} needs the weights of all runs, and this sweep was made with "
            "keep_weights=False"
        )
    for number, network in enumerate(sweep.networks):
        if of(network) != of(sweep.networks[0]):  # the first one: only one axis differs
            index = sweep._sweep_axes.network_index(number)
            name = next(name for name, place in zip(sweep.axes, index, strict=False) if place)
            raise ValueError(
                f"{caller} must have one shape in all runs to be an array, and the axis {name} "
                f"changes it: sweep[i] has those of one run, sweep.sel({name}=...) of some"
            )


def _rows(sweep: Any, groups: object, samples: int) -> tuple[list[int], RowIndices]:
    """The indices of the given groups on their axis, and the rows of each."""
    if "group" not in sweep.axes:
        raise ValueError(
            "groups must be left out where no axis is called group: this sweep has "
            f"{', '.join(sweep.axes) or 'no axis'}, got groups={shown(groups)}"
        )
    given, axis = check_groups(groups, samples), sweep.axes["group"]
    places = {label: place for place, label in reversed(list(enumerate(axis)))}
    for code, label in enumerate(given.labels or ()):
        if label not in places:
            near = did_you_mean(label, axis) if isinstance(label, str) and label else ""
            raise ValueError(
                f"groups must have labels that the sweep has networks for, {shown(axis)}, "
                f"got {shown(label)} at [{given.rows[code][0]}]{near}"
            )
    return [places[label] for label in given.labels or ()], given.rows


def _each(
    sweep: Sweep, weights: Sequence[FloatArray]
) -> Iterator[tuple[Network, Method, dict[str, FloatArray], FloatArray]]:
    """Yield each network, its options, the numbers of functions of its runs, and their rows."""
    axes = sweep._sweep_axes
    for number, (network, rows) in enumerate(zip(sweep.networks, weights, strict=True)):
        method = axes.method_of(number, sweep.method)
        yield network, method, _numbers(axes, method), rows


def _whole(sweep: Sweep, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The results (runs, ...) of each network as an array of all, with the axes in front."""
    whole = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return whole.reshape(*sweep.shape, *whole.shape[1:])


def _numbers(sweep_axes: SweepAxes, method: Method) -> dict[str, FloatArray]:
    """The parameters of functions that are axes, for each run of a network."""
    lengths = sweep_axes.shape[sweep_axes.cut :]
    return {
        name: np.array(numbers)[np.indices(lengths)[along].ravel()]
        for along, own in enumerate(list(sweep_axes.axes.items())[sweep_axes.cut :])
        for name, numbers in varied(dict([own])).items()
        if name in method.numbers
    }
