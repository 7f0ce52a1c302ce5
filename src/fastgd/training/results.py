"""What training gives back: one :class:`Run`, or a :class:`Sweep` of many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.data import check_inputs
from fastgd.arguments.options import STRUCTURES, Method
from fastgd.engine.network import Network, Parts, Weights
from fastgd.engine.session import outputs
from fastgd.optimizers import ALL, Optimizer
from fastgd.training import storage
from fastgd.training.files import PathLike

if TYPE_CHECKING:
    import pandas

Alpha = float | tuple[float, ...]

STATUS = np.array(["finished", "converged", "diverged", "stalled"])
"""For each outcome of :mod:`fastgd.kernel.block`."""

_ARRAYS = ("errors", "recorded", "final_error", "status", "iterations", "total_changes")


class BatchNorm(NamedTuple):
    """What batch normalisation has learned in one hidden layer: (units,) arrays.

    In :meth:`Run.predict` a unit's input z becomes
    ``scale * (z - mean) / sqrt(variance + 1e-5) + shift`` (Ioffe and Szegedy 2015, Algorithm 2).
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


class Summary(NamedTuple):
    """What is left of the errors e_0, e_1, ... of a run: numbers for a run, arrays for a sweep.

    With mini-batches the error is looked at once per epoch, otherwise before every update.
    """

    smallest_error: Any
    smallest_iteration: Any
    tail_mean: Any  # mean of the last errors, as many as ``summary`` says, divided by e_0
    error_sum: Any  # sum of e_j / e_0
    inverse_sum: Any  # sum of e_0 / e_j


@dataclass(frozen=True, eq=False)
class Run:
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
    status : {"finished", "converged", "stalled", "diverged"}
        "converged" if its error was below ``tolerance``, "stalled" if it was no better for
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
        The weights that had these ``errors``, a layer each, if ``record_weights`` asked for them.
    options : dict
        The options that were given and are not the default, such as ``{"l2": 0.01}``.
    minimizer : dict
        The method of :func:`fastgd.minimize` that made the run, such as ``{"method": "BFGS"}``;
        empty for gradient descent.
    """

    alpha: Alpha
    hidden_size: tuple[int, ...]
    seed: int | None
    errors: NDArray[np.float64]
    recorded: NDArray[np.int64]
    weights: Weights
    direction_changes: tuple[NDArray[np.int64], ...]
    final_error: float
    status: str
    iterations: int
    biases: tuple[NDArray[np.float64], ...] = ()
    bias_direction_changes: tuple[NDArray[np.int64], ...] = ()
    normalization: tuple[BatchNorm, ...] = ()
    summary: Summary | None = None
    recorded_weights: Weights | None = None
    options: dict[str, Any] = field(default_factory=dict)
    minimizer: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """The settings and how it ended."""
        how = f"method={self.minimizer['method']!r}" if self.minimizer else f"alpha={self.alpha}"
        return (
            f"Run({how}, hidden_size={self.hidden_size}, seed={self.seed}, "
            f"final_error={self.final_error:.6g}, {self.status} after {self.iterations} iterations)"
        )

    @property
    def _network(self) -> tuple[Network, NDArray[np.float64]]:
        """The layers, and all parameters in a row."""
        sizes = (len(self.weights[0]), *(layer.shape[1] for layer in self.weights))
        network = Network(sizes, bool(self.biases), bool(self.normalization))
        return network, network.row(Parts(self.weights, self.biases, self.normalization))

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Outputs of the trained network.

        Parameters
        ----------
        X : (samples, inputs) array_like

        Returns
        -------
        (samples, outputs) array

        Raises
        ------
        ValueError, TypeError
            If X is not a finite numeric table with as many inputs as the network.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> run = fastgd.train(X, y, alpha=10, iterations=10_000)
        >>> run.predict(X).round(2).ravel()
        array([0., 1., 1., 0.])
        """
        network, row = self._network
        X = check_inputs(X, network.sizes[0])
        return outputs(network, Method(**self.options), row, X)

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
        arrays = {"errors": self.errors, "recorded": self.recorded}
        for k, (weights, changes) in enumerate(
            zip(self.weights, self.direction_changes, strict=True)
        ):
            arrays[f"weights_{k}"] = weights
            arrays[f"direction_changes_{k}"] = changes
        for k, (bias, counts) in enumerate(
            zip(self.biases, self.bias_direction_changes, strict=True)
        ):
            arrays[f"biases_{k}"] = bias
            arrays[f"bias_direction_changes_{k}"] = counts
        for k, recorded in enumerate(self.recorded_weights or ()):
            arrays[f"recorded_weights_{k}"] = recorded
        for k, layer in enumerate(self.normalization):
            arrays |= {f"{name}_{k}": part for name, part in layer._asdict().items()}
        names = (
            *("alpha", "hidden_size", "seed", "final_error", "status", "iterations"),
            *("summary", "minimizer"),
        )
        facts = {name: getattr(self, name) for name in names}
        facts |= {"options": _plain(self.options, arrays), "biases": len(self.biases)}
        facts["normalization"] = len(self.normalization)
        storage.write(path, "Run", facts, arrays)


@dataclass(frozen=True, eq=False)
class Sweep:
    """Many trained networks, one for each combination of the values on the axes.

    Attributes
    ----------
    axes : dict of str to list
        The arguments that had several values, and these values: ``hidden_size``, ``alpha``,
        ``seed``, ``weights``, in this order.
    shape : tuple of int
        Lengths of the axes.
    errors : shape + (records,) array
        Mean ``|y - output|`` before the update of the iterations in ``recorded``.
    recorded : (records,) array of int
    final_error : array of that shape
        Mean ``|y - output|`` with the last weights.
    status : array of str, of that shape
        "finished", "converged", "stalled" or "diverged", as in :class:`Run`.
    iterations : array of int, of that shape
        Updates done.
    total_changes : array of int, of that shape
        Direction changes of all weights and biases together.
    summary : Summary of arrays of that shape, or None
        What ``summary=`` asked for.
    """

    axes: dict[str, list[Any]]
    settings: dict[str, Any]
    method: Method = field(repr=False)
    errors: NDArray[np.float64]
    recorded: NDArray[np.int64]
    final_error: NDArray[np.float64]
    status: NDArray[np.str_]
    iterations: NDArray[np.int64]
    total_changes: NDArray[np.int64]
    summary: Summary | None = field(repr=False)
    networks: tuple[Network, ...] = field(repr=False)
    kept_weights: tuple[NDArray[np.float64], ...] | None = field(repr=False)
    kept_changes: tuple[NDArray[np.int64], ...] | None = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def options(self) -> dict[str, Any]:
        """The options that all runs share and that are not the default, as in :class:`Run`.

        A field of the optimizer that is an axis has its first value there.
        """
        given = self.method.given
        return {name: value for name, value in given.items() if name not in self.axes}

    def __repr__(self) -> str:
        """The axes and the best run."""
        axes = ", ".join(f"{name}: {len(values)}" for name, values in self.axes.items())
        best = f"best final_error {np.nanmin(self.final_error):.6g}" if self._finite else "all NaN"
        return f"Sweep({axes or 'one run'}; {best})"

    @property
    def _finite(self) -> bool:
        return not bool(np.isnan(self.final_error).all())

    def __len__(self) -> int:
        """Number of runs."""
        return prod(self.shape)

    def __iter__(self) -> Iterator[Run]:
        """All runs, the last axis fastest."""
        return (self[index] for index in np.ndindex(*self.shape))

    def __getitem__(self, index: int | tuple[int, ...]) -> Run:
        """One run, as :func:`fastgd.train` would have returned it.

        Raises
        ------
        IndexError
            If there is not one index for every axis, or it is out of range.
        ValueError
            If the sweep did not keep its weights.
        """
        index = self._full(index)
        if self.kept_weights is None or self.kept_changes is None:
            raise ValueError(
                "a single run needs its weights, and this sweep was made with keep_weights=False"
            )
        values = self.settings | {
            name: axis[i] for (name, axis), i in zip(self.axes.items(), index, strict=True)
        }
        # One network for each combination of the axes that come before alpha's place.
        slow = sum(name in self.axes for name in ("hidden_size", *STRUCTURES))
        number = int(np.ravel_multi_index(index[:slow], self.shape[:slow])) if slow else 0
        rest, shape = index[slow:], self.shape[slow:]
        row = int(np.ravel_multi_index(rest, shape)) if rest else 0
        network = self.networks[number]
        parts = network.parts(self.kept_weights[number][row])
        changes = network.parts(self.kept_changes[number][row])
        names = ("hidden_size", "alpha", "seed", "weights")
        chosen = {name: value for name, value in values.items() if name not in names}
        summary = self.summary
        return Run(
            alpha=values["alpha"],
            hidden_size=network.sizes[1:-1],
            seed=values["seed"],
            errors=self.errors[index],
            recorded=self.recorded,
            weights=parts.weights,
            direction_changes=changes.weights,
            final_error=float(self.final_error[index]),
            status=str(self.status[index]),
            iterations=int(self.iterations[index]),
            biases=parts.biases,
            bias_direction_changes=changes.biases,
            normalization=tuple(BatchNorm(*layer) for layer in parts.normalization),
            summary=summary and Summary(*(array[index].item() for array in summary)),
            options=self.method.at(chosen).given,
        )

    def _full(self, index: int | tuple[int, ...]) -> tuple[int, ...]:
        index = index if isinstance(index, tuple) else (index,)
        if len(index) != len(self.shape):
            raise IndexError(
                f"a run of this sweep has {len(self.shape)} indices "
                f"({', '.join(self.axes) or 'none'}), got {len(index)}"
            )
        for i, (name, values) in zip(index, self.axes.items(), strict=True):
            if not -len(values) <= i < len(values):
                raise IndexError(f"index {i} is out of range for {name} with {len(values)} values")
        return tuple(int(i) % len(v) for i, v in zip(index, self.axes.values(), strict=True))

    def best_index(self) -> tuple[int, ...]:
        """Index of the run with the smallest final error; a NaN never wins.

        Raises
        ------
        ValueError
            If every final error is NaN.
        """
        if not self._finite:
            raise ValueError("no run is the best: every final error is NaN")
        flat = int(np.nanargmin(self.final_error))
        return tuple(int(i) for i in np.unravel_index(flat, self.shape)) if self.shape else ()

    def best(self) -> Run:
        """The run with the smallest final error.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> fastgd.sweep(X, y, alpha=[0.1, 1, 10], iterations=10_000).best().alpha
        10.0
        """
        return self[self.best_index()]

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per run: the axes' values, final error, status, iterations, direction changes.

        Raises
        ------
        ImportError
            If pandas is not installed (``pip install "fastgd[dataframe]"``).
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                'to_dataframe() needs pandas: pip install "fastgd[dataframe]"'
            ) from error
        indices = list(np.ndindex(*self.shape))
        columns: dict[str, Any] = {}
        for position, (name, values) in enumerate(self.axes.items()):
            # First weights are no cell of a table: their number on the axis stands for them.
            cells = range(len(values)) if name == "weights" else values
            columns[name] = [cells[index[position]] for index in indices]
        for name in ("final_error", "status", "iterations", "total_changes"):
            columns[name] = getattr(self, name).ravel()
        return pandas.DataFrame(columns)

    def save(self, path: PathLike) -> None:
        """Write the sweep to an ``.npz`` file that :func:`fastgd.load` reads."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _ARRAYS}
        for name in ("kept_weights", "kept_changes"):
            for network, values in enumerate(getattr(self, name) or ()):
                arrays[f"{name}_{network}"] = values
        for i, weights in enumerate(self.axes.get("weights", ())):
            for k, layer in enumerate(weights):
                arrays[f"first_weights_{i}_{k}"] = layer
        for name, values in self.summary._asdict().items() if self.summary else ():
            arrays[f"summary_{name}"] = values
        axes = {
            name: len(values) if name == "weights" else _plain(values, arrays)
            for name, values in self.axes.items()
        }
        facts = {
            "axes": axes,
            "settings": self.settings,
            "options": _plain(self.method.given, arrays),
            "networks": [(n.sizes, n.bias, n.batch_norm) for n in self.networks],
            "kept": self.kept_weights is not None,
        }
        storage.write(path, "Sweep", facts, arrays)


def load(path: PathLike) -> Run | Sweep:
    """Read what :meth:`Run.save` or :meth:`Sweep.save` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a file that fastgd has saved.

    Examples
    --------
    >>> import fastgd, tempfile
    >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], iterations=10)
    >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
    ...     sweep.save(file.name)
    ...     fastgd.load(file.name)[1].alpha
    2.0
    """
    kind, facts, arrays = storage.read(path)
    return _run(facts, arrays) if kind == "Run" else _sweep(facts, arrays)


def _run(facts: dict[str, Any], arrays: storage.Arrays) -> Run:
    # What files of the first version lack has the value that it had then.
    summary, options = facts.pop("summary", None), facts.pop("options", {})
    biases = range(facts.pop("biases", 0))
    layers = range(len(facts["hidden_size"]) + 1)
    normalised = range(facts.pop("normalization", 0))
    return Run(
        **facts,
        errors=arrays["errors"],
        recorded=arrays["recorded"],
        weights=tuple(arrays[f"weights_{k}"] for k in layers),
        direction_changes=tuple(arrays[f"direction_changes_{k}"] for k in layers),
        biases=tuple(arrays[f"biases_{k}"] for k in biases),
        bias_direction_changes=tuple(arrays[f"bias_direction_changes_{k}"] for k in biases),
        normalization=tuple(
            BatchNorm(*(arrays[f"{name}_{k}"] for name in BatchNorm._fields)) for k in normalised
        ),
        summary=summary and Summary(*summary),
        recorded_weights=tuple(arrays[f"recorded_weights_{k}"] for k in layers)
        if "recorded_weights_0" in arrays
        else None,
        options=_restored(options, arrays),
    )


def _sweep(facts: dict[str, Any], arrays: storage.Arrays) -> Sweep:
    # Files of the first version have the sizes of networks without biases.
    plain = ((sizes, False, False) for sizes in facts.get("sizes", ()))
    networks = tuple(Network(*network) for network in facts.get("networks", plain))
    axes = _restored(
        {name: list(values) for name, values in facts["axes"].items() if name != "weights"}, arrays
    )
    if "weights" in facts["axes"]:
        axes["weights"] = [
            tuple(arrays[f"first_weights_{i}_{k}"] for k in range(networks[0].layers))
            for i in range(facts["axes"]["weights"])
        ]

    def kept(name: str) -> tuple[NDArray[Any], ...] | None:
        each = range(len(networks))
        return tuple(arrays[f"{name}_{network}"] for network in each) if facts["kept"] else None

    summary = [arrays[name] for field in Summary._fields if (name := f"summary_{field}") in arrays]
    return Sweep(
        axes=axes,
        settings=facts["settings"],
        method=Method(**_restored(facts.get("options", {}), arrays)),
        **{name: arrays[name] for name in _ARRAYS},
        summary=Summary(*summary) if summary else None,
        networks=networks,
        kept_weights=kept("kept_weights"),
        kept_changes=kept("kept_changes"),
    )


def _plain(value: Any, arrays: storage.Arrays) -> Any:
    """Options as JSON can hold them: optimizers by name, sample weights among the arrays."""
    if isinstance(value, ALL):
        return [type(value).__name__, value._asdict()]
    if isinstance(value, np.ndarray):
        arrays["sample_weight"] = value
        return None
    if isinstance(value, dict):
        return {name: _plain(part, arrays) for name, part in value.items()}
    return [_plain(part, arrays) for part in value] if isinstance(value, list) else value


def _restored(options: dict[str, Any], arrays: storage.Arrays) -> dict[str, Any]:
    """Undo :func:`_plain`, also for lists of options."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in ALL}

    def optimizer(name: str, fields: dict[str, float]) -> Optimizer:
        made: Optimizer = kinds[name](**fields)
        return made

    options = dict(options)
    if "sample_weight" in options:
        options["sample_weight"] = arrays["sample_weight"]
    if "optimizer" in options:
        given = options["optimizer"]
        several = isinstance(given, list)
        options["optimizer"] = (
            [optimizer(*each) for each in given] if several else optimizer(*given)
        )
    return options
