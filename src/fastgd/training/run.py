"""The result of one training: a :class:`Run`, and the classes of its attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.initial_network import BatchNorm, NetworkParts
from fastgd.arguments.options import Method
from fastgd.arguments.samples import check_inputs
from fastgd.checks.messages import joined, many, shown
from fastgd.checks.numbers import FloatArray, check_memory, integer
from fastgd.checks.presentation import (
    Description,
    ShownInNotebooks,
    ShownTable,
    dataframe,
    dataset,
    option_rows,
)
from fastgd.engine.devices import available_threads
from fastgd.engine.network import Network, Weights
from fastgd.engine.prediction import DerivativeOrder, derivatives, hidden_values, outputs
from fastgd.engine.results import State, Summary
from fastgd.export.exportable import Exportable
from fastgd.optimizers import BAYESIAN
from fastgd.training import codec
from fastgd.training.measured import Measured, measured_variables
from fastgd.training.saved_result import SavedResult
from fastgd.training.stored_results import decode_run, encode_run
from fastgd.training.sweep_axes import curve_columns, variables

if TYPE_CHECKING:
    import xarray

    from fastgd.export.exported import Exported
    from fastgd.tables.preparation import Preparation
    from fastgd.tables.targets import Target

Alpha = float | tuple[float, ...]
BatchNorms = tuple[BatchNorm, ...]
Counts = tuple[NDArray[np.int64], ...]


class _Predicting(Exportable):
    """A network and the options that it was trained with."""

    weights: Weights
    biases: Weights
    normalization: BatchNorms
    options: dict[str, Any]

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Outputs of the network.

        Parameters
        ----------
        X : (samples, inputs) array_like

        Returns
        -------
        (samples, outputs) array

        Raises
        ------
        ValueError, TypeError
            If X is not a finite numeric table with the network's number of inputs, or if the
            network's parameters are not finite because its training diverged.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> run = fastgd.train(X, y, alpha=10, iterations=10_000)
        >>> run.predict(X).round(2).ravel()
        array([0., 1., 1., 0.])
        """
        X, network = self._input_rows(X), Network.of(self)
        row = self.finite_row("predict", network)
        methods = lambda: [Method(**self.options)]  # noqa: E731
        return np.asarray(outputs(self, network, methods, row[None], X)[0])

    def hidden(self, X: ArrayLike) -> tuple[NDArray[np.float64], ...]:
        """Values of the hidden layers: after activation and batch normalization, without dropout.

        They have the bits from which :meth:`predict` computes the outputs, on every machine and for
        any other samples.

        Parameters
        ----------
        X : (samples, inputs) array_like

        Returns
        -------
        tuple of (samples, units) arrays
            One for each hidden layer, the first layer first.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> run = fastgd.train(X, y, alpha=10, hidden_size=2, iterations=10_000)
        >>> run.hidden(X)[0].round(1) + 0.0
        array([[0.8, 0.1],
               [0. , 0. ],
               [0. , 0.8],
               [0. , 0. ]])
        """
        X, network = self._input_rows(X), Network.of(self)
        row = self.finite_row("hidden", network)
        units = sum(network.sizes[1:])
        check_memory(16 * len(X) * units, "the values of hidden layers", also="fewer samples")
        found = hidden_values(network, Method(**self.options), row[None], X, {}, 1)
        return tuple(layer[0] for layer in found)

    def gradient(self, X: ArrayLike) -> NDArray[np.float64]:
        """Derivatives of the outputs by the inputs, at these samples.

        They are exact up to rounding, by forward differentiation, and have the same bits on every
        machine and for any other samples. At its kink a function has the derivative from below:
        ``relu`` has 0 at 0. With parameters or samples near the largest floats, products overflow
        and derivatives may be NaN.

        Parameters
        ----------
        X : (samples, inputs) array_like

        Returns
        -------
        (samples, outputs, inputs) array
            In the outputs' unit per unit of the input.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`.

        Examples
        --------
        >>> import fastgd, numpy as np
        >>> x = np.linspace(-1, 1, 21)[:, None]
        >>> run = fastgd.train(x, x**2, alpha=0.02, iterations=20_000, activation="tanh",
        ...                    output="identity", bias=True)
        >>> run.gradient([[-0.5], [0.0], [0.5]]).round(1).ravel() + 0.0  # 2 x
        array([-1.,  0.,  1.])
        """
        return np.asarray(all_derivatives([self], self._input_rows(X), 1, "gradient")[0])

    def hessian(self, X: ArrayLike) -> NDArray[np.float64]:
        """Second derivatives of the outputs by the inputs, at these samples.

        Networks of ``relu`` and ``leaky_relu`` are linear between their kinks, so theirs are 0 but
        for what the output units contribute.

        Parameters
        ----------
        X : (samples, inputs) array_like

        Returns
        -------
        (samples, outputs, inputs, inputs) array
            Symmetric to the last bit.

        Raises
        ------
        ValueError, TypeError
            As :meth:`predict`.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> fastgd.train(X, y, alpha=10, iterations=1_000).hessian(X).shape
        (4, 1, 3, 3)
        """
        return np.asarray(all_derivatives([self], self._input_rows(X), 2, "hessian")[0])

    def finite_row(self, caller: str, network: Network | None = None) -> NDArray[np.float64]:
        """Return the parameters (P,), or raise ValueError if one of them is not finite."""
        parts = NetworkParts(self.weights, self.biases, self.normalization)
        row = (network or Network.of(self)).row(parts)
        if not np.isfinite(row).all():
            raise ValueError(
                f"{caller} needs a network of finite numbers, got one whose training diverged"
            )
        return row

    def _exported(self, caller: str) -> Exported:
        return exported([self], caller)

    def _input_rows(self, X: ArrayLike) -> FloatArray:
        return check_inputs(X, len(self.weights[0]))


@dataclass(frozen=True, eq=False)
class Snapshot(_Predicting):
    """The complete network at one recorded iteration of its training; made by :meth:`Run.at`.

    Attributes
    ----------
    iteration : int
        Number of updates before that point.
    error : float
        Mean absolute error ``|y - output|`` of this network.
    loss : float
        Its loss, as in :class:`Run`.
    weights : tuple of (inputs, outputs) arrays
        The weights, one array per layer.
    biases : tuple of (outputs,) arrays
        The biases, one array per layer; empty without ``bias=True``.
    normalization : tuple of BatchNorm
        One for each hidden layer; empty without ``batch_norm=True``.
    options : dict
        As in :class:`Run`.
    """

    iteration: int
    error: float
    loss: float
    weights: Weights
    biases: Weights = ()
    normalization: BatchNorms = ()
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Iteration, hidden layers and error."""
        sizes = tuple(layer.shape[1] for layer in self.weights[:-1])
        return f"Snapshot(iteration={self.iteration}, hidden_size={sizes}, error={self.error:.6g})"


@codec.stored_by(encode_run, decode_run)
@dataclass(frozen=True, eq=False)
class Run(_Predicting, Measured, SavedResult, ShownInNotebooks):
    """One trained network.

    Attributes
    ----------
    alpha : float or tuple of float
        Learning rate, or one per layer; NaN for a run of :func:`fastgd.minimize`.
    hidden_size : tuple of int
        Units of the hidden layers; ``()`` for none.
    seed : int or None
        Seed of the initial weights; None if they were given.
    errors : (records,) array
        Mean absolute error ``|y - output|`` before the updates of the iterations in ``recorded``.
    recorded : (records,) array of int
        The iterations at which ``errors`` were recorded.
    weights : tuple of (inputs, outputs) arrays
        The final weights, one array per layer.
    direction_changes : tuple of (inputs, outputs) arrays of int
        How often the derivative of each weight changed its sign (article, "Let's Take a Closer
        Look").
    final_error : float
        Mean absolute error with the final weights; NaN if one of them is not finite.
    losses : (records,) array
        The minimized loss at the same points as ``errors``: the sum or the mean (``reduction``) of
        the losses of all samples, plus ``l1 * sum |w| + l2 / 2 * sum w**2``, for the network before
        the update and without dropout. Bit-identical to :func:`fastgd.objective`. With
        ``regularization="bayesian"`` half the sum of squared errors alone: what a step minimizes
        has factors that change from step to step. NaN in runs from files that were saved before
        losses were recorded.
    final_loss : float
        The same with the final weights; NaN if one of them is not finite.
    status : {"finished", "converged", "stalled", "diverged"}
        "converged" if the monitored error fell below ``tolerance``, or with Levenberg-Marquardt the
        derivatives or steps are next to 0; "stalled" if the error didn't improve for ``patience``
        iterations, or with Levenberg-Marquardt no step makes the loss smaller; "diverged" if a
        weight or the error became infinite or NaN, and "finished" otherwise. (Files of version 0.1
        say "converged" for "stalled".)
    iterations : int
        Number of updates done.
    biases : tuple of (outputs,) arrays
        The final biases, one array per layer; empty without ``bias=True``.
    bias_direction_changes : tuple of (outputs,) arrays of int
        The number of sign changes for each bias; 0 for hidden ones with ``batch_norm=True``, unless
        the run resumes one of version 0.2.0.
    normalization : tuple of BatchNorm
        One for each hidden layer; empty without ``batch_norm=True``.
    summary : Summary or None
        The summary of the errors, if the option ``summary`` was given.
    recorded_weights : tuple of (records, inputs, outputs) arrays, or None
        The weights at the same points as ``errors``, one array per layer, with
        ``record_weights=True``; NaN after the end of the run. :meth:`at` returns the network of one
        point.
    recorded_biases : tuple of (records, outputs) arrays
        The biases at these points; empty without ``bias=True``.
    recorded_normalization : tuple of BatchNorm of (records, units) arrays
        The batch normalization at these points; empty without ``batch_norm=True``.
    recorded_predictions : (records, samples, outputs) array, or None
        The outputs of X at these points, with ``record_predictions=True``: the bits of
        ``run.at(k).predict(X)``. NaN after the end of the run.
    options : dict
        The options that were given and are not the default, such as ``{"l2": 0.01}``.
    minimizer : dict
        The method of :func:`fastgd.minimize` that made the run, such as ``{"method": "BFGS"}``;
        empty for gradient descent.
    validation_errors : (records,) array or None
        Mean absolute error on the validation set at the same points as ``errors``; None without
        ``validation``.
    final_validation_error : float or None
        Mean absolute error on the validation set with the final weights.
    best_iteration : int or None
        Number of updates before the smallest monitored error: that of the validation set if there
        is one. None if no option monitors the error. With ``restore_best=True`` the weights and the
        final errors are those of that point.
    effective_parameters, weight_penalty, error_factor : float or None
        With ``regularization="bayesian"``: how many parameters the samples determine (gamma), and
        the factors of the sum of squared parameters (alpha) and of the sum of squared errors (beta)
        in what is minimized, after the last step (Foresee and Hagan, 1997). Weights and biases
        count, without frozen ones. The factors start at 0.01 and 1, which suits standardized
        targets; a step at most doubles alpha.
    measurements : (measurements, layers, quantities) array or None
        What ``measure`` recorded, as one array; :attr:`measured` has it by name. One layer stands
        for the whole network without ``measure_layers=True``.
    state : State or None
        All that further iterations depend on, so that ``train(resume=run)`` continues exactly. Runs
        of :func:`fastgd.train` have a state; those of a sweep only with ``keep_state=True``.
    sample_hashes : dict or None
        If there is a state: shape and SHA-256 of X, y, gradients and validation, by name, which
        ``resume`` compares. None in runs from files of version 0.2.0.
    schedule_start : int or None
        If the run was resumed with ``change`` or other samples: the update at which its schedule
        began, which is 0 unless ``change`` gave it anew.
    """

    alpha: Alpha
    hidden_size: tuple[int, ...]
    seed: int | None
    errors: FloatArray
    recorded: NDArray[np.int64]
    weights: Weights
    direction_changes: Counts
    final_error: float
    losses: FloatArray
    final_loss: float
    status: str
    iterations: int
    biases: tuple[NDArray[np.float64], ...] = ()
    bias_direction_changes: Counts = ()
    normalization: BatchNorms = ()
    summary: Summary | None = None
    recorded_weights: Weights | None = None
    recorded_biases: Weights = ()
    recorded_normalization: BatchNorms = ()
    recorded_predictions: FloatArray | None = None
    options: dict[str, Any] = field(default_factory=dict)
    minimizer: dict[str, Any] = field(default_factory=dict)
    validation_errors: FloatArray | None = None
    final_validation_error: float | None = None
    best_iteration: int | None = None
    effective_parameters: float | None = None
    weight_penalty: float | None = None
    error_factor: float | None = None
    measurements: FloatArray | None = None
    state: State | None = None
    sample_hashes: dict[str, str] | None = None
    schedule_start: int | None = None

    def __repr__(self) -> str:
        """The settings, the final error, and how the run ended."""
        how = f"method={self.minimizer['method']!r}" if self.minimizer else f"alpha={self.alpha}"
        options = "".join(f"{name}={shown(value)}, " for name, value in self.options.items())
        return (
            f"Run({how}, hidden_size={self.hidden_size}, seed={self.seed}, {options}"
            f"final_error={self.final_error:.6g}, {self.status} after {self.iterations} iterations)"
        )

    def _described(self) -> Description:
        sizes = (len(self.weights[0]), *(layer.shape[1] for layer in self.weights))
        how = str(self.minimizer["method"]) if self.minimizer else joined(self.alpha)
        rows = [
            ("method" if self.minimizer else "alpha", how),
            ("seed", "given initial weights" if self.seed is None else str(self.seed)),
            *option_rows(self.options),
            ("status", f"{self.status} after {many(self.iterations, 'iteration')}"),
            ("final error", f"{self.final_error:.5g}"),
            ("final loss", f"{self.final_loss:.5g}"),
        ]
        if self.final_validation_error is not None:
            rows.append(("final validation error", f"{self.final_validation_error:.5g}"))
        if self.best_iteration is not None:
            rows.append(("best iteration", f"{self.best_iteration:,}"))
        layers = self.direction_changes + self.bias_direction_changes
        rows.append(("direction changes", f"{sum(int(layer.sum()) for layer in layers):,}"))
        return Description(f"{joined(sizes, '-')} network", [ShownTable(rows)], self)

    def at(self, record: int) -> Snapshot:
        """The complete network at a recorded point, where its error is ``errors[record]``.

        A training can start from it: ``fastgd.train(X, y, weights=run.at(3))``.

        Parameters
        ----------
        record : int
            An index into ``recorded`` and ``errors``.

        Raises
        ------
        ValueError
            If the run has recorded no weights, or ended before that point.
        TypeError, IndexError
            If ``record`` is not an index of ``recorded``.

        Examples
        --------
        >>> import fastgd, numpy as np
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> run = fastgd.train(X, y, alpha=10, iterations=300, record_every=100, bias=True,
        ...                    record_weights=True)
        >>> run.at(1)
        Snapshot(iteration=100, hidden_size=(4,), error=0.0740247)
        >>> np.abs(np.reshape(y, (-1, 1)) - run.at(1).predict(X)).mean().round(7)
        np.float64(0.0740247)
        """
        if self.recorded_weights is None:
            raise ValueError(
                "a recorded point needs a run trained with record_weights=True, got one without"
            )
        k, count = integer(record), len(self.recorded)
        if k is None:
            raise TypeError(f"record must be an int, got {shown(record)}")
        if not -count <= k < count:
            raise IndexError(f"record must be from {-count} to {count - 1}, got {shown(record)}")
        if np.isnan(self.recorded_weights[0][k]).any():
            raise ValueError(
                f"record must be a point before the run's end: it ended after {self.iterations} "
                f"iterations, got {shown(record)} (iteration {self.recorded[k]})"
            )
        return Snapshot(
            iteration=int(self.recorded[k]),
            error=float(self.errors[k]),
            loss=float(self.losses[k]),
            weights=tuple(layer[k].copy() for layer in self.recorded_weights),
            biases=tuple(layer[k].copy() for layer in self.recorded_biases),
            normalization=tuple(
                BatchNorm(*(array[k].copy() for array in layer))
                for layer in self.recorded_normalization
            ),
            options=self.options,
        )

    def to_dataframe(self, *, kind: str = "pandas") -> Any:
        """The curves: a row per recorded iteration, with error, loss and validation error.

        With ``measure`` there are rows for what was measured, too, with a column for each quantity.
        ``kind`` is the library of the table: "pandas", "polars" or "pyarrow", installed apart.

        Examples
        --------
        >>> import fastgd
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=20, record_every=10)
        >>> print(run.to_dataframe().round(3))
           iteration  error   loss
        0          0   0.50  0.250
        1         10   0.48  0.232
        """
        return dataframe(curve_columns({}, self), kind)

    def to_xarray(self) -> xarray.Dataset:
        """The curves, final values and weights, as arrays with named axes.

        ``weights_0`` has the dimensions ``layer_0``, the inputs, and ``layer_1``, the first units,
        and so on; ``direction_changes_0``, ``biases_0`` and ``bias_direction_changes_0`` use the
        same names. With ``record_weights=True``, ``recorded_weights_0`` and ``recorded_biases_0``
        have ``iteration`` as their first dimension; ``recorded_predictions`` has ``iteration``,
        ``sample`` and ``output_unit``. What was measured has the dimension ``measured_at``, and
        with ``measure_layers=True`` ``layer``. Settings and options are strings in ``attrs``.

        Needs xarray (``pip install "fastgd[xarray]"``).

        Examples
        --------
        >>> import fastgd
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=20, record_every=10)
        >>> found = run.to_xarray()
        >>> found.weights_0.dims, found.attrs["alpha"], round(float(found.errors[1]), 3)
        (('layer_0', 'layer_1'), '1.0', 0.48)
        """
        facts = {"alpha": self.alpha, "hidden_size": self.hidden_size, "seed": self.seed}
        found = variables((), vars(self).get)
        for name in (
            *("weights", "direction_changes", "biases", "bias_direction_changes"),
            *("recorded_weights", "recorded_biases"),
        ):
            in_front = ("iteration",) if name.startswith("recorded") else ()
            for k, layer in enumerate(getattr(self, name) or ()):
                units = [f"layer_{k}", f"layer_{k + 1}"][1 if "bias" in name else 0 :]
                found[f"{name}_{k}"] = ((*in_front, *units), layer)
        found |= measured_variables(self, self.measurements)
        iterations = {"iteration": self.recorded}
        if self.measurements is not None:
            iterations["measured_at"] = self.measured_at
        return dataset(iterations, found, facts | self.options | self.minimizer)


def all_outputs(owner: object, runs: Sequence[Run], X: FloatArray) -> FloatArray:
    """Outputs (runs, samples, outputs) of networks that belong to ``owner``; X is checked.

    The networks are alike, but for their hidden sizes and the parameters of their functions.
    ValueError if one diverged.
    """
    if len(alike := _by_size(runs)) > 1:
        return np.concatenate([all_outputs(own[0], own, X) for own in alike])
    rows = np.stack([run.finite_row("predict") for run in runs])
    methods = lambda: [Method(**run.options) for run in runs]  # noqa: E731
    return outputs(owner, Network.of(runs[0]), methods, rows, X, available_threads())


def all_derivatives(
    runs: Sequence[_Predicting], X: FloatArray, order: DerivativeOrder, caller: str
) -> FloatArray:
    """Derivatives (runs, samples, outputs, inputs), or second ones; X is checked.

    The networks are alike, but for their hidden sizes and the parameters of their functions.
    ValueError if one diverged, which says that ``caller`` was called.
    """
    if len(alike := _by_size(runs)) > 1:
        return np.concatenate([all_derivatives(own, X, order, caller) for own in alike])
    rows = np.stack([run.finite_row(caller) for run in runs])
    methods = [Method(**run.options) for run in runs]
    names = methods[0].numbers
    numbers = {name: np.array([own.numbers[name] for own in methods]) for name in names}
    return derivatives(Network.of(runs[0]), methods[0], rows, X, numbers, order)


def _by_size(runs: Sequence[_Predicting]) -> list[list[Any]]:
    """Neighbors of the same hidden sizes."""
    return [list(own) for _, own in groupby(runs, key=lambda one: Network.of(one).sizes)]


def exported(
    members: Sequence[_Predicting],
    caller: str,
    preparation: Preparation | None = None,
    targets: tuple[Target, ...] = (),
) -> Exported:
    """Return what is exported of networks with averaged outputs; ValueError if one diverged."""
    from fastgd.export.exported import Exported, of_one_size

    parts = tuple(Network.of(one).parts(one.finite_row(caller)) for one in members)
    methods = tuple(Method(**member.options) for member in members)
    return Exported(of_one_size(parts), methods, preparation, targets)


def run_of(network: Network, method: Method, row: Mapping[str, Any], **shared: Any) -> Run:
    """Make a run of a row of results, by the names of a sweep's fields; None if it has no such.

    Scalars may be NumPy scalars. ``shared`` are alpha, seed and recorded; state, sample_hashes and
    schedule_start, if there are any.
    """
    last, counts = network.parts(row["kept_weights"]), network.parts(row["kept_changes"])
    path, summary, best = row.get("kept_path"), row.get("summary"), row.get("best_iteration")
    way = None if path is None else network.parts(path)
    single = ("final_validation_error", *BAYESIAN)
    numbers: dict[str, Any] = {n: float(row[n]) for n in single if row.get(n) is not None}
    return Run(
        **shared,
        hidden_size=network.sizes[1:-1],
        errors=row["errors"],
        weights=last.weights,
        direction_changes=counts.weights,
        final_error=float(row["final_error"]),
        losses=row["losses"],
        final_loss=float(row["final_loss"]),
        status=str(row["status"]),
        iterations=int(row["iterations"]),
        biases=last.biases,
        bias_direction_changes=counts.biases,
        normalization=last.normalization,
        summary=None if summary is None else Summary(*(number.item() for number in summary)),
        recorded_weights=way.weights if way else None,
        recorded_biases=way.biases if way else (),
        recorded_normalization=way.normalization if way else (),
        recorded_predictions=row.get("recorded_predictions"),
        options=method.given,
        validation_errors=row.get("validation_errors"),
        measurements=row.get("measurements"),
        best_iteration=int(best) if best is not None and best >= 0 else None,
        **numbers,
    )
