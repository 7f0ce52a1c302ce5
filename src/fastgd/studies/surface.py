"""surface(): the error of a network over a grid of two of its weights, with the others fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import options
from fastgd.arguments.axes import kinds_of, parameters_of
from fastgd.arguments.declarations import DECLARED, SurfaceOptions
from fastgd.arguments.initial_network import Start, check_network, check_whole
from fastgd.arguments.samples import check_samples, outputs_to_start
from fastgd.arguments.signatures import taking
from fastgd.checks.messages import error_text, joined, shown
from fastgd.checks.numbers import (
    FloatArray,
    check_count,
    check_ends,
    check_memory,
    check_result,
    integer,
)
from fastgd.checks.presentation import (
    Description,
    ShownInNotebooks,
    ShownTable,
    dataframe,
    dataset,
    option_rows,
)
from fastgd.engine.devices import AUTO, CPU
from fastgd.engine.execution import say_chosen
from fastgd.engine.network import Weights, network_of
from fastgd.engine.prediction import measure_plane, session_of_plane
from fastgd.engine.progress import Advance, ProgressHook
from fastgd.engine.session import Session
from fastgd.formulas.named import loss_of
from fastgd.store import Arrays, PathLike
from fastgd.studies.job import StudyJob
from fastgd.training.run import Run, Snapshot
from fastgd.training.stored_results import as_json
from fastgd.training.sweep_axes import CHUNK_SECONDS, seconds_of
from fastgd.workers.run_job import check_worker_options, results_of

if TYPE_CHECKING:
    import xarray

Weight = tuple[int, int, int]

THREAD_SECONDS = 1e-4
"""Work that justifies another thread."""


@dataclass(frozen=True, eq=False)
class Surface(ShownInNotebooks):
    """The loss surface of a network over two of its weights; returned by :func:`surface`.

    Attributes
    ----------
    axes : pair of (layer, input, output)
        The weight of each axis; ``input`` counts the layer's inputs, then its bias.
    x, y : (resolution,) arrays
        Values of the first and of the second weight.
    errors : (resolution, resolution) array
        ``errors[r, c]`` is the mean absolute error where the first weight is ``x[c]`` and the
        second one ``y[r]``; infinite or NaN where a number overflows.
    weights, biases : tuples of arrays
        The fixed values of the other weights, layer by layer; no biases if the network has none.
    samples : int
        Number of samples in the mean.
    options : dict
        The options that differ from their defaults.
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

    def _described(self) -> Description:
        x, y, error = self.lowest()
        first, second = self.names
        rows = [
            (first, f"{self.x[0]:g} to {self.x[-1]:g}"),
            (second, f"{self.y[0]:g} to {self.y[-1]:g}"),
            ("points", f"{len(self.x)} x {len(self.y)}"),
            ("other weights, fixed", f"{self.held:,}"),
            ("samples", f"{self.samples:,}"),
            *option_rows(self.options),
            ("lowest error", f"{error_text(error)} at ({x:g}, {y:g})"),
        ]
        title = f"Loss surface of a {joined(self.sizes, '-')} network"
        return Description(title, [ShownTable(rows)], self)

    @property
    def names(self) -> tuple[str, str]:
        """The two weights as Python expressions: ``weights[0][1, 0]`` or ``biases[0][1]``."""
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
        """Number of weights and biases that are fixed."""
        return sum(layer.size for layer in (*self.weights, *self.biases)) - 2

    def lowest(self) -> tuple[float, float, float]:
        """Return the two weights with the lowest error, and the error; NaN if none is finite."""
        finite = np.where(np.isfinite(self.errors), self.errors, np.inf)
        r, c = np.unravel_index(int(finite.argmin()), finite.shape)
        return float(self.x[c]), float(self.y[r]), float(self.errors[r, c])

    def to_dataframe(self, *, kind: str = "pandas") -> Any:
        """Return a row per point: the two weights, by their names, and the error.

        ``kind`` is the library of the table: "pandas", "polars" or "pyarrow", installed apart.
        """
        first, second = self.names
        x, y = np.meshgrid(self.x, self.y)
        columns = {first: x.ravel(), second: y.ravel(), "error": self.errors.ravel()}
        return dataframe(columns, kind)

    def to_xarray(self) -> xarray.Dataset:
        """Return the errors over ``y`` and ``x``; ``attrs`` name their weights.

        Needs xarray (``pip install "fastgd[xarray]"``).

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
            {"y": self.y, "x": self.x},
            {"errors": (("y", "x"), self.errors)},
            {"x": first, "y": second, "samples": self.samples, **self.options},
        )

    def path(self, run: Run) -> NDArray[np.float64]:
        """Return the path of a training on this surface: its recorded weights, and the final ones.

        Parameters
        ----------
        run : Run
            Trained with ``record_weights=True``, with layers of the same sizes.

        Returns
        -------
        (points, 3) array
            The weights of the first and second axis, and the run's own error. That equals the
            surface's only if the run's other weights are the surface's.

        Raises
        ------
        TypeError
            If it isn't a Run.
        ValueError
            If the run has no recorded weights, or has other layers.

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


@taking(SurfaceOptions)
def surface(
    X: ArrayLike,
    y: ArrayLike,
    weights: Start,
    *,
    biases: Sequence[ArrayLike] | None = None,
    axes: tuple[Weight, Weight] = ((0, 0, 0), (0, 1, 0)),
    span: tuple[float, float] | tuple[tuple[float, float], tuple[float, float]] = (-10.0, 10.0),
    resolution: int = 201,
    out: PathLike | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    threads_per_worker: int = 1,
    device: str = CPU,
    progress: bool | ProgressHook = False,
    **given_options: Unpack[SurfaceOptions],
) -> Surface:
    """Compute the loss surface of a network: its error over a grid of two weights.

    The article's error plane (part 4, "Hill Climbing") is the error for every possible set of
    weights of the network without a hidden layer. For a larger network the surface is a slice
    through the space of its weights: all other weights are fixed. The errors are computed by the
    training kernel, so each is bit-identical to the first error of a training that starts there.

    Parameters
    ----------
    X : (samples, inputs) array_like
        Finite numbers.
    y : (samples,) or (samples, outputs) array_like
        Targets.
    weights : Run, Snapshot, or sequence of (inputs, outputs) arrays
        The network, layer by layer, and the values of its fixed weights. A run, or a recorded point
        of one, also brings its biases, batch normalization and options.
    biases : sequence of (outputs,) arrays, optional
        The biases, if weights are given as arrays and ``bias=True``.
    axes : pair of (layer, input, output)
        The two weights to vary: ``weights[layer][input, output]``. With biases, the input after the
        last one is the bias.
    span : (low, high), or a pair of these
        Smallest and largest value of both weights, or of each.
    resolution : int
        Number of equally spaced values of each weight; at least 2.
    out : path, optional
        A folder where bands of rows, some seconds of work each, are saved as soon as they are
        computed: the same call resumes from them. The folder is created if needed, and not deleted.
    executor, threads, threads_per_worker, device, progress
        As in :func:`fastgd.sweep`; the chunks are the bands, and "auto" is the CPU.
    OPTIONS
    **parameters : float
        As in :func:`fastgd.train`. With a run only ``sample_weight`` may be given.

    Returns
    -------
    Surface

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or the folder holds something else; the message states
        the rule and what came.
    OSError
        If the folder can't be created, read or written to.
    DeviceError
        If there is no such GPU, or it can't be used.

    Examples
    --------
    The article's error plane: the output equals the first input, so the best weight of the first
    input is high, that of the other one low.

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
    outputs = weights.weights[-1].shape[1] if isinstance(weights, Run | Snapshot) else None
    inputs, targets = check_samples(X, y, chosen, outputs)
    outputs = outputs_to_start(chosen, targets, None)
    fixed = check_network(weights, biases, inputs.shape[1], outputs)
    hidden = tuple(layer.shape[1] for layer in fixed.weights[:-1])
    [method] = options.check_sweep(chosen, options.NO_AXES, [hidden], (inputs, targets)).methods
    check_whole(fixed, bias=method.bias, batch_norm=method.batch_norm)
    network = network_of(method, inputs, targets, hidden)
    shapes = [(len(layer) + method.bias, layer.shape[1]) for layer in fixed.weights]
    places = check_two_weights(axes, shapes)
    (left, right), (bottom, top) = check_spans(span)
    resolution = check_count("resolution", resolution, minimum=2)
    worker_options = check_worker_options(
        executor, threads, threads_per_worker, out, progress, device
    )
    if worker_options.device == AUTO:
        say_chosen("the CPU, as always for a surface")
        worker_options = worker_options._replace(device=CPU)
    count, parameters = resolution**2, network.row(fixed)
    check_memory(8 * count, "the surface")
    across, up = np.linspace(left, right, resolution), np.linspace(bottom, top, resolution)
    is_joint = method.output == "softmax" or loss_of(method.loss).units > 1
    # Errors need the loss only if it combines several outputs: others share compiled code.
    measured = method if is_joint else method.at({"loss": DECLARED["loss"].default})
    device = worker_options.device
    session = partial(session_of_plane, network, measured, inputs, targets, count, device)
    made = session()
    useful = max(1, int(-(-count // made.layout.runs) * made.seconds() / THREAD_SECONDS))
    worker_options = worker_options._replace(threads=min(worker_options.threads, useful))
    check_memory(8 * count + made.bytes(worker_options.threads), "the surface")
    bands = [up]
    if worker_options.executor or worker_options.out:  # of some seconds of work each
        rows = max(1, int(CHUNK_SECONDS / (seconds_of(network, len(inputs), 1) * resolution)))
        parts = -(-resolution // rows)
        bands = np.split(up, np.arange(1, parts) * resolution // parts)
    job = StudyJob(
        partial(_errors, session, parameters, places, across),
        bands,
        [len(band) * resolution for band in bands],
        trials=[up],
    )
    arrays = {"X": inputs, "y": targets, "weights": parameters}
    asked = {
        "sizes": network.sizes,
        "axes": places,
        "span": [(left, right), (bottom, top)],
        "resolution": resolution,
        **as_json(method.given, arrays),
    }
    found = results_of(job, worker_options, "surface", asked, arrays, unit="points")
    errors = np.concatenate([chunk["errors"] for chunk in found])
    return Surface(
        axes=places,
        x=across,
        y=up,
        errors=errors,
        weights=fixed.weights,
        biases=fixed.biases,
        samples=len(inputs),
        options=method.given,
    )


def _options(given: object, given_options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the network, its own if it was trained; not validated."""
    trained = given if isinstance(given, Run | Snapshot) else None
    options.check_names(given_options, kinds_of(given_options), ("progress",), SurfaceOptions)
    for name in given_options:
        if trained and name != "sample_weight":
            raise TypeError(f"{name} must not be given with a run, which has its own, got both")
    if trained is None:
        return dict(given_options)
    kept = {n: v for n, v in trained.options.items() if n in SurfaceOptions.__annotations__}
    known = {*kept, "batch_norm", *parameters_of(kept)}
    return {n: v for n, v in trained.options.items() if n in known} | dict(given_options)


def _errors(
    session: Callable[[], Session],
    parameters: FloatArray,
    places: tuple[Weight, Weight],
    across: FloatArray,
    rows: FloatArray,
    threads: int,
    advance: Advance,
    *,
    is_trial: bool = False,
) -> Arrays:
    """Compute the errors of some rows, around these parameters; one kernel computes all rows."""
    made, up = session(), rows[:1] if is_trial else rows
    return {"errors": measure_plane(made, parameters, across, up, places, threads, advance)}


# ---------------------------------------------------------------- arguments


def check_two_weights(axes: object, shapes: Sequence[tuple[int, int]]) -> tuple[Weight, Weight]:
    """Return two different weights (layer, input, output) of layers with these shapes."""
    if len(_parts(axes)) != 2:
        raise TypeError(f"axes must be two weights (layer, input, output), got {shown(axes)}")
    found: list[Weight] = []
    for k, weight in enumerate(_parts(axes)):
        numbers = [number for number in map(integer, _parts(weight)) if number is not None]
        if len(numbers) != 3 or len(_parts(weight)) != 3:
            raise TypeError(
                f"axes[{k}] must be a weight (layer, input, output), three ints, got "
                f"{shown(weight)}"
            )
        layer, row, column = numbers
        if not 0 <= layer < len(shapes):
            raise ValueError(
                f"axes[{k}] must be in layer {_range(len(shapes))}, got {shown(weight)}"
            )
        rows, columns = shapes[layer]
        if not (0 <= row < rows and 0 <= column < columns):
            raise ValueError(
                f"axes[{k}] must be from input {_range(rows)} to output {_range(columns)} of layer "
                f"{layer}, got {shown(weight)}"
            )
        found.append((layer, row, column))
    first, second = found
    if first == second:
        raise ValueError(f"axes must be two different weights, got {first} twice")
    return first, second


def check_spans(span: object) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the range (low, high) of each of the two weights; a single span serves both."""
    ends = _parts(span)
    if len(ends) != 2:
        raise TypeError(f"span must be (low, high), or two of these, got {shown(span)}")
    if not any(len(_parts(end)) == 2 for end in ends):
        both = check_ends("span", span)
        return both, both
    return check_ends("span[0]", ends[0]), check_ends("span[1]", ends[1])


def _parts(value: object) -> list[Any]:
    """Return the items of a list, tuple or array; nothing for any other value."""
    if isinstance(value, (list, tuple)):
        return list(value)
    return list(value) if getattr(value, "ndim", 0) else []  # type: ignore[call-overload]


def _range(count: int) -> str:
    return "0" if count == 1 else f"0 to {count - 1}"
