"""What one training gives back: a :class:`Run`, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.data import FloatArray, NetworkParts, check_inputs
from fastgd.arguments.options import Method
from fastgd.checks.messages import shown
from fastgd.checks.values import integer
from fastgd.engine.network import Network, Weights
from fastgd.engine.prediction import outputs
from fastgd.engine.state import State
from fastgd.store.files import PathLike
from fastgd.training import storage
from fastgd.training.exports import long_dataframe, run_dataset

if TYPE_CHECKING:
    import pandas
    import xarray

Alpha = float | tuple[float, ...]


@storage.saved
class BatchNorm(NamedTuple):
    """What batch normalisation has learned in one hidden layer: (units,) arrays.

    In :meth:`Run.predict` a unit's input z becomes
    ``scale * (z - mean) / sqrt(variance + 1e-5) + shift`` (Ioffe and Szegedy 2015, Algorithm 2).
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


BatchNorms = tuple[BatchNorm, ...]
Counts = tuple[NDArray[np.int64], ...]


@storage.saved
class Summary(NamedTuple):
    """What is left of the errors e_0, e_1, ... of a run: numbers for a run, arrays for a sweep.

    With mini-batches the error is looked at once per epoch, otherwise before every update.
    """

    smallest_error: Any
    smallest_iteration: Any
    tail_mean: Any  # mean of the last errors, as many as ``summary`` says, divided by e_0
    error_sum: Any  # sum of e_j / e_0
    inverse_sum: Any  # sum of e_0 / e_j


class _Predicting:
    """A network with the options that it was trained with."""

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
            If X is not a finite numeric table with as many inputs as the network, or if the network
            itself has numbers that are not finite, since its training diverged.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> run = fastgd.train(X, y, alpha=10, iterations=10_000)
        >>> run.predict(X).round(2).ravel()
        array([0., 1., 1., 0.])
        """
        sizes = (len(self.weights[0]), *(layer.shape[1] for layer in self.weights))
        network = Network(sizes, bool(self.biases), bool(self.normalization))
        row = network.row(NetworkParts(self.weights, self.biases, self.normalization))
        X = check_inputs(X, sizes[0])
        if not np.isfinite(row).all():
            raise ValueError(
                "predict needs a network of finite numbers, got one whose training diverged"
            )
        return outputs(network, Method(**self.options), row, X)


@dataclass(frozen=True, eq=False)
class Snapshot(_Predicting):
    """The whole network at one recorded point of its training; made by :meth:`Run.at`.

    Attributes
    ----------
    iteration : int
        Updates before that point.
    error : float
        Mean ``|y - output|`` of this network.
    loss : float
        Its loss, as in :class:`Run`.
    weights : tuple of (inputs, outputs) arrays
        The weights, a layer each.
    biases : tuple of (outputs,) arrays
        The biases, a layer each; empty without ``bias=True``.
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
        """When, and how far it was."""
        sizes = tuple(layer.shape[1] for layer in self.weights[:-1])
        return f"Snapshot(iteration={self.iteration}, hidden_size={sizes}, error={self.error:.6g})"


@storage.saved
@dataclass(frozen=True, eq=False)
class Run(_Predicting):
    """One trained network.

    Attributes
    ----------
    alpha : float or tuple of float
        Learning rate, or one per layer; NaN if :func:`fastgd.minimize` made the run.
    hidden_size : tuple of int
        Units of the hidden layers; ``()`` for none.
    seed : int or None
        Seed of the first weights; None if they were given.
    errors : (records,) array
        Mean ``|y - output|`` before the update of the iterations in ``recorded``.
    recorded : (records,) array of int
        The iterations that ``errors`` belong to.
    weights : tuple of (inputs, outputs) arrays
        The last weights, a layer each.
    direction_changes : tuple of (inputs, outputs) arrays of int
        How often the derivative of each weight changed its sign (article, "Let's Take a Closer
        Look").
    final_error : float
        Mean ``|y - output|`` with the last weights; NaN if one of them is not finite.
    losses : (records,) array
        What is minimized, at the same points as ``errors``: the losses of all samples, summed up or
        their mean (``reduction``), and ``l1 * sum |w| + l2 / 2 * sum w**2``; of the network as it
        is before the update, with nothing dropped. :func:`fastgd.objective` has the same bits. NaN
        in runs of files that were saved before there were losses.
    final_loss : float
        The same with the last weights; NaN if one of them is not finite.
    status : {"finished", "converged", "stalled", "diverged"}
        "converged" if its watched error was below ``tolerance``, "stalled" if it was no better for
        ``patience`` iterations, "diverged" if a weight or the error was not finite any more, and
        "finished" if none of these ended it. (Files of version 0.1 say "converged" for "stalled".)
    iterations : int
        Updates done.
    biases : tuple of (outputs,) arrays
        The last biases, a layer each; empty without ``bias=True``.
    bias_direction_changes : tuple of (outputs,) arrays of int
        The same count for each bias.
    normalization : tuple of BatchNorm
        One for each hidden layer; empty without ``batch_norm=True``.
    summary : Summary or None
        What ``summary=`` asked for.
    recorded_weights : tuple of (records, inputs, outputs) arrays, or None
        The weights that had these ``errors``, a layer each, if ``record_weights`` asked for them;
        NaN where the run did not come to. :meth:`at` gives the network of one point.
    recorded_biases : tuple of (records, outputs) arrays
        Likewise the biases; empty without ``bias=True``.
    recorded_normalization : tuple of BatchNorm of (records, units) arrays
        Likewise; empty without ``batch_norm=True``.
    options : dict
        The options that were given and are not the default, such as ``{"l2": 0.01}``.
    minimizer : dict
        The method of :func:`fastgd.minimize` that made the run, such as ``{"method": "BFGS"}``;
        empty for gradient descent.
    validation_errors : (records,) array or None
        Mean ``|y - output|`` of the held-out samples at the same points as ``errors``; None without
        ``validation``.
    final_validation_error : float or None
        The same with the last weights, beside ``final_error``.
    best_iteration : int or None
        Updates before the smallest watched error: the held-out one where there is one. None where
        no option asks for watching. With ``restore_best=True`` the weights and the final errors are
        those of that point.
    state : State or None
        All that its future depends on, so that ``train(resume=run)`` goes on exactly; every run of
        :func:`fastgd.train` has one, one of a sweep only with ``keep_state=True``.
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
    options: dict[str, Any] = field(default_factory=dict)
    minimizer: dict[str, Any] = field(default_factory=dict)
    validation_errors: FloatArray | None = None
    final_validation_error: float | None = None
    best_iteration: int | None = None
    state: State | None = None

    def __repr__(self) -> str:
        """The settings and how it ended."""
        how = f"method={self.minimizer['method']!r}" if self.minimizer else f"alpha={self.alpha}"
        options = "".join(f"{name}={shown(value)}, " for name, value in self.options.items())
        return (
            f"Run({how}, hidden_size={self.hidden_size}, seed={self.seed}, {options}"
            f"final_error={self.final_error:.6g}, {self.status} after {self.iterations} iterations)"
        )

    def at(self, record: int) -> Snapshot:
        """The whole network at a recorded point: it has the error ``errors[record]``.

        Training may start from it: ``fastgd.train(X, y, weights=run.at(3))``.

        Parameters
        ----------
        record : int
            Which one: an index of ``recorded`` and ``errors``.

        Raises
        ------
        ValueError
            If the run has recorded no weights, or was over before that point.
        TypeError, IndexError
            If ``record`` is no index of ``recorded``.

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
                f"record must be a point that the run came to: it was over after {self.iterations} "
                f"iterations, got {shown(record)} (iteration {self.recorded[k]})"
            )
        return Snapshot(
            iteration=int(self.recorded[k]),
            error=float(self.errors[k]),
            loss=float(self.losses[k]),
            weights=tuple(layer[k].copy() for layer in self.recorded_weights),
            biases=tuple(layer[k].copy() for layer in self.recorded_biases),
            normalization=tuple(
                BatchNorm(*(part[k].copy() for part in layer))
                for layer in self.recorded_normalization
            ),
            options=self.options,
        )

    def to_dataframe(self) -> pandas.DataFrame:
        """Its curve: a row per recorded iteration, with error, loss and held-out error.

        Raises
        ------
        ImportError
            If pandas is not installed (``pip install "fastgd[dataframe]"``).

        Examples
        --------
        >>> import fastgd
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=20, record_every=10)
        >>> print(run.to_dataframe().round(3))
           iteration  error   loss
        0          0   0.50  0.250
        1         10   0.48  0.232
        """
        return long_dataframe({}, self)

    def to_xarray(self) -> xarray.Dataset:
        """Its curves, its numbers and its weights, as arrays whose axes have names.

        ``weights_0`` is over ``layer_0``, the inputs, and ``layer_1``, the first units, and so on;
        ``direction_changes_0``, ``biases_0`` and ``bias_direction_changes_0`` likewise, and with
        ``record_weights=True`` ``recorded_weights_0`` and ``recorded_biases_0`` over ``iteration``
        in front. Settings and options are in ``attrs``, as text.

        Raises
        ------
        ImportError
            If xarray is not installed (``pip install "fastgd[xarray]"``).

        Examples
        --------
        >>> import fastgd
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=20, record_every=10)
        >>> found = run.to_xarray()
        >>> found.weights_0.dims, found.attrs["alpha"], round(float(found.errors[1]), 3)
        (('layer_0', 'layer_1'), '1.0', 0.48)
        """
        return run_dataset(self)

    def save(self, path: PathLike) -> None:
        """Write the run to an ``.npz`` file that :func:`fastgd.load` reads.

        Examples
        --------
        >>> import fastgd, tempfile
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], hidden_size=(), iterations=100)
        >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        ...     run.save(file.name)
        ...     fastgd.load(file.name).final_error == run.final_error
        True
        """
        storage.save(self, path)
