"""surface(): the error of a network over a grid of two of its weights, the others held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import options
from fastgd.arguments.data import NetworkParts
from fastgd.arguments.declarations import DECLARED, SurfaceOptions
from fastgd.arguments.error_plane import Weight, check_spans, check_two_weights
from fastgd.arguments.formula_parameters import hint_of, kinds_of, parameters_of
from fastgd.arguments.initial_network import Start, check_network, check_whole
from fastgd.arguments.options import Method
from fastgd.arguments.targets import check_samples, outputs_to_start
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import either, shown
from fastgd.checks.values import check_count, check_flag, check_path, check_result
from fastgd.engine.network import Network, Weights
from fastgd.engine.progress import progress_bar
from fastgd.store.files import PathLike
from fastgd.studies.surface_job import SurfaceJob, folder_of, measuring
from fastgd.training.exports import dataframe, dataset
from fastgd.training.results import Run, Snapshot
from fastgd.workers.run_job import results_of
from fastgd.workers.worker_options import check_worker_options

if TYPE_CHECKING:
    import pandas
    import xarray

_NAMES = tuple(name for name in DECLARED if name in SurfaceOptions.__annotations__)


@dataclass(frozen=True, eq=False)
class Surface:
    """The error plane of a network over two of its weights; made by :func:`surface`.

    Attributes
    ----------
    axes : pair of (layer, input, output)
        The weight of each axis; ``input`` counts the layer's inputs, then its bias.
    x, y : (resolution,) arrays
        Values of the first and of the second weight.
    errors : (resolution, resolution) array
        ``errors[r, c]`` is the mean ``|y - output|`` where the first weight is ``x[c]`` and the
        second one ``y[r]``; infinite or NaN where a number overflows.
    weights, biases : tuples of arrays
        Where the others are held, a layer each; biases are empty if there are none.
    samples : int
        How many samples the mean is over.
    options : dict
        The options that are not the default.
    """

    axes: tuple[Weight, Weight]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    errors: NDArray[np.float64]
    weights: Weights
    biases: Weights = ()
    samples: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """The axes, their spans and the lowest point."""
        spans = (f"({values[0]:g}, {values[-1]:g})" for values in (self.x, self.y))
        x, y, error = self.lowest()
        return (
            f"Surface(axes={self.axes}, span=({', '.join(spans)}), resolution={len(self.x)}, "
            f"lowest={error:.6g} at ({x:g}, {y:g}))"
        )

    @property
    def names(self) -> tuple[str, str]:
        """The two weights as Python addresses them: ``weights[0][1, 0]`` or ``biases[0][1]``."""
        first, second = (
            f"biases[{layer}][{column}]"
            if row == len(self.weights[layer])
            else f"weights[{layer}][{row}, {column}]"
            for layer, row, column in self.axes
        )
        return first, second

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of all layers, from the inputs to the outputs."""
        return (len(self.weights[0]), *(layer.shape[1] for layer in self.weights))

    @property
    def held(self) -> int:
        """How many weights and biases are held."""
        return sum(layer.size for layer in (*self.weights, *self.biases)) - 2

    def lowest(self) -> tuple[float, float, float]:
        """The two weights at the grid's lowest error, and the error; NaN if none is finite."""
        finite = np.where(np.isfinite(self.errors), self.errors, np.inf)
        r, c = np.unravel_index(int(finite.argmin()), finite.shape)
        return float(self.x[c]), float(self.y[r]), float(self.errors[r, c])

    def to_dataframe(self) -> pandas.DataFrame:
        """A row per point: the two weights, by their names, and the error.

        Raises
        ------
        ImportError
            If pandas is not installed (``pip install "fastgd[dataframe]"``).
        """
        first, second = self.names
        x, y = np.meshgrid(self.x, self.y)
        columns = {first: x.ravel(), second: y.ravel(), "error": self.errors.ravel()}
        return dataframe(columns)

    def to_xarray(self) -> xarray.Dataset:
        """The errors over ``y`` and ``x``, whose weights are named in ``attrs``.

        Raises
        ------
        ImportError
            If xarray is not installed (``pip install "fastgd[xarray]"``).

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
        >>> found = fastgd.surface(X, y, [[[0], [0]]], resolution=5).to_xarray()
        >>> round(float(found.errors.sel(x=10, y=0)), 3), found.attrs["x"]
        (0.25, 'weights[0][0, 0]')
        """
        first, second = self.names
        return dataset(
            {"y": self.y.tolist(), "x": self.x.tolist()},
            {"errors": (("y", "x"), self.errors)},
            {"x": first, "y": second, "samples": self.samples, **self.options},
        )

    def path(self, run: Run) -> NDArray[np.float64]:
        """Where a training went on this plane: its recorded weights, then its last ones.

        Parameters
        ----------
        run : Run
            Trained with ``record_weights=True``, and a network of the same layers.

        Returns
        -------
        (points, 3) array
            The weight of the first axis, that of the second, and the run's error there, which is
            the plane's own only where the run has the other weights as the plane holds them.

        Raises
        ------
        TypeError
            If it is no Run.
        ValueError
            If the run has no recorded weights or is of another network.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
        >>> run = fastgd.train(X, y, hidden_size=(), iterations=200, record_every=100,
        ...                    record_weights=True)
        >>> print(fastgd.surface(X, y, run).path(run).round(3))
        [[-0.166  0.441  0.575]
         [ 2.837 -2.831  0.056]
         [ 3.231 -3.229  0.038]]
        """
        check_result("a path's run", run, Run)
        if run.recorded_weights is None:
            raise ValueError("a path needs a run trained with record_weights=True, got one without")
        shapes, own = ([layer.shape for layer in layers] for layers in (run.weights, self.weights))
        if shapes != own:
            raise ValueError(f"a path's run must have layers of shapes {own}, got {shapes}")
        columns = []
        for layer, row, column in self.axes:
            if row < len(self.weights[layer]):
                recorded = run.recorded_weights[layer][:, row, column]
                columns.append(np.append(recorded, run.weights[layer][row, column]))
                continue
            if not run.recorded_biases:
                raise ValueError("a path over a bias needs a run with recorded biases, got none")
            recorded = run.recorded_biases[layer][:, column]
            columns.append(np.append(recorded, run.biases[layer][column]))
        points = np.column_stack([*columns, np.append(run.errors, run.final_error)])
        reached: NDArray[np.float64] = points[np.isfinite(points[:, :2]).all(axis=1)]
        return reached


def surface(
    X: ArrayLike,
    y: ArrayLike,
    weights: Start,
    *,
    biases: Sequence[ArrayLike] | None = None,
    axes: tuple[Weight, Weight] = ((0, 0, 0), (0, 1, 0)),
    span: Any = (-10.0, 10.0),
    resolution: int = 201,
    out: PathLike | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    threads_per_worker: int = 1,
    progress: bool = False,
    **given_options: Unpack[SurfaceOptions],
) -> Surface:
    """Mean error of a network over a grid of any two of its weights, the others held.

    The article's error plane (part 4, "Hill Climbing"): the error for every possible set of weights
    of the network without a hidden layer. A larger network's plane is a slice through the space of
    its weights. The kernel is the one that trains, so each error has the bits that training from
    there begins with.

    Parameters
    ----------
    X : (samples, inputs) array_like
        Finite numbers.
    y : (samples,) or (samples, outputs) array_like
        Targets.
    weights : Run, Snapshot, or sequence of (inputs, outputs) arrays
        The network, a layer each, and where the weights are held that are no axis. A run, or a
        recorded point of one, brings its biases, batch normalization and options along.
    biases : sequence of (outputs,) arrays, optional
        The biases that belong to weights that are arrays, with ``bias=True``.
    axes : pair of (layer, input, output)
        The weights to vary, each by its place: ``weights[layer][input, output]``. With biases, the
        input after the last one is the bias.
    span : (low, high), or a pair of these
        Smallest and largest value of both weights, or of each.
    resolution : int
        Values of each weight, at equal distances; at least 2.
    out : path, optional
        A folder for bands of rows, some seconds of work each, as they are done: the same call goes
        on from them. It is made if it isn't there, and stays.
    executor : concurrent.futures.Executor, optional
        Whose workers measure the bands: see :func:`fastgd.sweep`.
    threads : int, optional
        How many threads of this process work on it, if there is no executor; all that Numba has by
        default (``NUMBA_NUM_THREADS``).
    threads_per_worker : int
        How many threads of an executor's worker work on a band.
    progress : bool
        Show a progress bar (needs tqdm).
    **given_options
        ``activation``, ``output``, ``loss``, ``bias``, ``sample_weight``, and numbers of
        functions: see :class:`fastgd.arguments.options.Options`. With a run only
        ``sample_weight`` may be given.

    Returns
    -------
    Surface

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or the folder holds something else; the message states
        the rule and what came.
    OSError
        If the folder can't be made, read or written to.

    Examples
    --------
    The article's plane: the output follows the first input, so its weight is best high, the other
    one low.

    >>> import fastgd
    >>> X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
    >>> plane = fastgd.surface(X, y, [[[0], [0]]], span=(-10, 10), resolution=5)
    >>> print(plane.errors.round(3))
    [[0.5   0.497 0.25  0.003 0.   ]
     [0.503 0.5   0.253 0.007 0.003]
     [0.75  0.747 0.5   0.253 0.25 ]
     [0.997 0.993 0.747 0.5   0.497]
     [1.    0.997 0.75  0.503 0.5  ]]
    >>> plane.lowest()[:2]
    (10.0, -10.0)
    """
    chosen = _options(weights, given_options)
    inputs, targets = check_samples(X, y, chosen, _outputs(weights))
    parts, method = _network(inputs, targets, weights, biases, chosen)
    network = Network(
        (inputs.shape[1], *(layer.shape[1] for layer in parts.weights)),
        method.bias,
        method.batch_norm,
    )
    shapes = [(len(layer) + method.bias, layer.shape[1]) for layer in parts.weights]
    places = check_two_weights(axes, shapes)
    (left, right), (bottom, top) = check_spans(span)
    resolution = check_count("resolution", resolution, minimum=2)
    worker_options = check_worker_options(executor, threads, threads_per_worker)
    path = None if out is None else check_path("out", out)
    bar = check_flag("progress", progress)

    count = resolution**2
    check_memory(8 * count, "the surface")
    job = SurfaceJob(
        network,
        measuring(method, targets),
        inputs,
        targets,
        network.row(parts),
        places,
        across=np.linspace(left, right, resolution),
        up=np.linspace(bottom, top, resolution),
    )
    worker_options = worker_options._replace(threads=job.threads(worker_options.threads))
    check_memory(8 * count + job.session.bytes(worker_options.threads), "the surface")
    if worker_options.executor or path:
        job = job.in_chunks()
    folder = None if path is None else folder_of(path, job, method)
    with progress_bar(bar, count, unit="points") as advance:
        errors = job.joined(results_of(job, worker_options, advance, folder))
    return Surface(
        axes=places,
        x=job.across,
        y=job.up,
        errors=errors,
        weights=parts.weights,
        biases=parts.biases,
        samples=len(inputs),
        options=method.given,
    )


def _options(given: object, given_options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the network, its own if it was trained; unchecked."""
    trained = given if isinstance(given, Run | Snapshot) else None
    known = (*_NAMES, *kinds_of(given_options))
    for name in given_options:
        if name not in known:
            raise TypeError(
                f"an option of a surface must be {either(known)}, "
                f"got {shown(name)}{hint_of(name, given_options, known)}"
            )
        if trained and name != "sample_weight":
            raise TypeError(f"{name} must not be given with a run, which has its own, got both")
    if trained is None:
        return dict(given_options)
    kept = (*_NAMES, "batch_norm", *parameters_of(trained.options))
    return {n: v for n, v in trained.options.items() if n in kept} | dict(given_options)


def _outputs(given: object) -> int | None:
    """Output units, if the network is a trained one."""
    return given.weights[-1].shape[1] if isinstance(given, Run | Snapshot) else None


def _network(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    given: object,
    given_biases: object,
    chosen: Mapping[str, Any],
) -> tuple[NetworkParts, Method]:
    """Parameters and options of the network, checked."""
    outputs = outputs_to_start(chosen, y, None)
    parts = check_network(given, given_biases, X.shape[1], outputs)
    hidden = tuple(layer.shape[1] for layer in parts.weights[:-1])
    method = options.check(chosen, X, y, hidden)
    check_whole(parts, bias=method.bias, batch_norm=method.batch_norm)
    return parts, method
