"""The boundary of trainability: one training for each pair of two layers' learning rates.

Sohl-Dickstein, *The boundary of neural network trainability is fractal*, arXiv 2402.06184 (2024);
:mod:`fastgd.studies.mean_field` defines the problem. It uses the machinery of
:func:`fastgd.sweep`: runs that diverge end early and make room for others, and only sums of the
errors are kept.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import (
    check_choice,
    check_count,
    check_memory,
    check_number,
    check_seed,
)
from fastgd.checks.presentation import ShownInNotebooks, dataframe, dataset
from fastgd.engine.devices import CPU
from fastgd.store import PathLike
from fastgd.studies.box_counting import BoxCounting, boundary, box_counting
from fastgd.studies.mean_field import (
    ACTIVATIONS,
    AGAINST,
    EXPONENT,
    MOST,
    MapJob,
    Settings,
    Window,
    drawn_bytes,
    sample_count,
)
from fastgd.workers.run_job import WorkerOptions, check_worker_options, results_of

if TYPE_CHECKING:
    import pandas
    import xarray

WINDOW: Window = ((1.0, 6.0), (-1.0, 4.0))
"""Contains the boundary of the default network."""

KIND = "map of trainability"

FEWEST_ITERATIONS = 2
"""Other errors are compared with the first one."""


@dataclass(frozen=True, eq=False)
class Trainability(ShownInNotebooks):
    """A map of which pairs of learning rates train; returned by :func:`trainability`.

    Attributes
    ----------
    settings : Settings
        Its arguments: resolution, iterations, width, window, activation, batch_size, seed, samples,
        against.
    input_rates : (resolution,) array
        Learning rates of the columns of the map: of the input layer, or of both layers if
        ``against`` isn't "output_rate".
    rows : (resolution,) array
        What the rows of the map differ in: the learning rates of the output layer, which are also
        ``output_rates``, or the means or standard deviations of the initial weights.
    values : (resolution, resolution) array
        With e_j the mean absolute error before update j, from 0 to iterations - 1: *minus* the sum
        of e_j / e_0 where the training converged, the sum of e_0 / e_j where it did not. Fast
        convergence and fast divergence are both near 0.
    """

    settings: Settings
    input_rates: NDArray[np.float64]
    rows: NDArray[np.float64]
    values: NDArray[np.float64]

    def __repr__(self) -> str:
        """The settings, and the fraction of trainings that converged."""
        resolution, *_ = self.settings
        given = ", ".join(f"{k}={v!r}" for k, v in self.settings.given.items())
        return f"Trainability({given}; {self.converged.mean():.1%} of {resolution**2:,} converged)"

    @property
    def output_rates(self) -> NDArray[np.float64]:
        """Learning rates of the output layer, (resolution,).

        Raises
        ------
        AttributeError
            If the rows of the map differ in their initial weights instead.
        """
        if not self.settings.has_two_rates:
            raise AttributeError(
                "output_rates needs a map against 'output_rate', got one against "
                f"{self.settings.against!r}: its values are in rows"
            )
        return self.rows

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each training converged: its last errors are on average below the first one."""
        return np.asarray(self.values < 0)

    @property
    def boundary(self) -> NDArray[np.bool_]:
        """The pixels at which a square of 2 x 2 pixels with both outcomes begins."""
        return boundary(self.converged)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per training: its place on the map, its value, and whether it converged.

        The columns of the place are ``input_rate`` and ``output_rate`` or, for a map against "mean"
        or "spread", ``rate`` and a column of that name.

        Raises
        ------
        ImportError
            If pandas is not installed (``pip install "fastgd[dataframe]"``).
        """
        row, column = self._dims
        first, second = np.meshgrid(self.input_rates, self.rows)
        columns = {column: first, row: second} | self._measured
        return dataframe({name: array.ravel() for name, array in columns.items()})

    def to_xarray(self) -> xarray.Dataset:
        """Values and outcomes over ``output_rate`` and ``input_rate``; settings are in ``attrs``.

        A map against "mean" or "spread" has the dimensions of that name, and ``rate``.

        Raises
        ------
        ImportError
            If xarray is not installed (``pip install "fastgd[xarray]"``).

        Examples
        --------
        >>> import fastgd
        >>> found = fastgd.trainability(16, iterations=20, width=4, window=((-1, 3), (-1, 3)))
        >>> share = found.to_xarray().converged.mean("output_rate")
        >>> print(share.sel(input_rate=[10, 100], method="nearest").values.round(1))
        [0.6 0.5]

        """
        row, column = self._dims
        return dataset(
            {row: self.rows.tolist(), column: self.input_rates.tolist()},
            {name: (self._dims, array) for name, array in self._measured.items()},
            self.settings._asdict(),
        )

    @property
    def _dims(self) -> tuple[str, str]:
        """Names of the vertical and the horizontal axis."""
        settings = self.settings
        return settings.against, "input_rate" if settings.has_two_rates else "rate"

    @property
    def _measured(self) -> dict[str, NDArray[Any]]:
        return {"values": self.values, "converged": self.converged}

    def box_counting(self) -> BoxCounting:
        """Estimate the box-counting dimension of the boundary.

        Raises
        ------
        ValueError
            If there is no boundary in the window, or the resolution is below 14.
        """
        if not self.boundary.any():
            raise ValueError(
                "a window must hold converged and diverged trainings to have a boundary, "
                f"got {'converged' if self.converged.all() else 'diverged'} ones only"
            )
        return box_counting(self.boundary[:-1, :-1])  # the last row and column begin no square

    def zoom(self, factor: int = 8) -> Window:
        """Return the window, ``factor`` times as narrow, that contains most of the boundary.

        Parameters
        ----------
        factor : int
            From 2 to the resolution.
        """
        resolution = self.settings.resolution
        factor = check_count("factor", factor, minimum=2, maximum=resolution)
        edges = np.arange(factor + 1) * resolution // factor
        by_row = np.add.reduceat(self.boundary, edges[:-1], axis=0, dtype=np.int64)
        found = np.add.reduceat(by_row, edges[:-1], axis=1)
        row, column = np.unravel_index(int(found.argmax()), found.shape)
        (left, right), (bottom, top) = self.settings.window

        def part(low: float, high: float, index: int) -> tuple[float, float]:
            step = (high - low) / resolution
            return low + step * int(edges[index]), low + step * int(edges[index + 1])

        return part(left, right, int(column)), part(bottom, top, int(row))


def trainability(
    resolution: int = 512,
    *,
    iterations: int = 500,
    width: int = 16,
    window: Window = WINDOW,
    activation: str = "tanh",
    batch_size: int | None = None,
    samples: int | None = None,
    against: str = "output_rate",
    seed: int = 1,
    out: PathLike | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    threads_per_worker: int = 1,
    device: str = CPU,
    progress: bool = False,
) -> Trainability:
    """Map which learning rates of two layers make a training converge, one training per pixel.

    A network with one hidden layer, no biases and mean-field scaling is trained on random samples:
    see ``fastgd.studies.mean_field``. A training has
    converged if the mean of its last 20 errors is below its first error; otherwise, or if a number
    overflowed, it has diverged.

    Parameters
    ----------
    resolution : int
        Pixels along each side; there are resolution**2 trainings.
    iterations : int
        Updates of each training, which is also the number of errors in its value; at least 2.
    width : int
        Number of inputs, and of hidden units.
    window : ((left, right), (bottom, top))
        log10 of the learning rates at the edges of the map, of the input layer and of the output
        layer, from -100 to 100. Each training has the rates at the center of its pixel. For a map
        against "mean", bottom and top are means; against "spread", log10 of standard deviations.
    activation : {"tanh", "relu", "identity", "sigmoid"}
        Activation of the hidden units.
    batch_size : int, optional
        Samples per mini-batch; it must divide the number of samples. None for the full batch.
        Samples are shuffled once per epoch.
    samples : int, optional
        Number of samples; the paper also has maps of a single one. None for as many as there are
        free parameters: 272 with 16 units, or 16 with the identity.
    against : {"output_rate", "mean", "spread"}
        What the vertical axis is. "output_rate": the learning rate of the output layer. "mean" and
        "spread": the mean, or the standard deviation, of the normal distribution that the initial
        weights of the input layer are drawn from, otherwise 0 and 1; then both layers have the
        learning rate of the horizontal axis.
    seed : int
        Seed of the initial weights, the samples and their shuffling.
    out : path, optional
        A folder where patches of the map, some seconds of work each, are saved as soon as they are
        computed: the same call resumes from them, and loads the map if it is complete. Several
        processes that make the same call share the work. The folder is created if needed, and not
        deleted.
    executor, threads, threads_per_worker, device, progress
        As in :func:`fastgd.sweep`; the chunks are the patches.

    Returns
    -------
    Trainability

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or the folder holds another map.
    OSError
        If the folder can't be created, read or written to.
    DeviceError
        If there is no such GPU, or it can't be used.

    Notes
    -----
    The problem, the criterion of convergence and the sums are the paper's (arXiv 2402.06184,
    section 2), with four exceptions. The error is the mean absolute error, where the paper takes
    the mean squared error. Where e_j / e_0 is above 10^6, or a number overflowed, the paper's
    program uses 10^6; here the ratio is not limited, and nothing is added after an overflow. That
    changes no outcome; it changes sums of e_0 / e_j by less than a millionth per update, and a sum
    of e_j / e_0 only if a training recovered from an error a million times its first one. With
    mini-batches the error is evaluated once per epoch and at the end, and the last 20 errors become
    those of the last epochs that contain 20 iterations; the paper draws each batch anew. Its
    program adds the mean to the weights before each update, where the paper calls it a property of
    the initial weights; here it is added once. The paper has no map against "spread".

    Examples
    --------
    >>> import fastgd
    >>> found = fastgd.trainability(16, iterations=20, width=4, window=((-1, 3), (-1, 3)))
    >>> found.values.shape, bool(found.converged[0, 0]), bool(found.converged[-1, -1])
    ((16, 16), True, False)
    >>> 0.5 < found.box_counting().dimension < 1.5
    True
    """
    settings, worker_options, needed = checked(**locals())
    job = MapJob.of(settings, worker_options.device)
    if worker_options.executor is None and worker_options.device != CPU:
        job = job.on_one_device(worker_options.threads)
        if worker_options.out is None and job.device != CPU:
            job, worker_options = job.in_large_patches(), worker_options._replace(threads=1)
            check_memory(needed + job.bytes(1), "the map")
    found = results_of(job, worker_options, KIND, settings.given, {}, unit="px")
    return Trainability(settings, *job.rates, job.joined(found))


def checked(
    *,
    executor: Executor | None,
    threads: int | None,
    threads_per_worker: int,
    out: PathLike | None,
    progress: bool,
    device: str,
    **given: Any,
) -> tuple[Settings, WorkerOptions, int]:
    """Check all arguments of :func:`trainability`; the last result is the memory it needs."""
    asked = Settings(**given)
    width = check_count("width", asked.width)
    activation = check_choice("activation", asked.activation, ACTIVATIONS)
    count = sample_count(width, activation, asked.samples)
    against = check_choice("against", asked.against, tuple(AGAINST))
    batch_size = asked.batch_size
    if batch_size is not None:
        batch_size = check_count("batch_size", batch_size, maximum=count)
        if count % batch_size:
            raise ValueError(
                f"batch_size must divide the number of samples ({count}), got {batch_size}"
            )
    settings = Settings(
        resolution=check_count("resolution", asked.resolution),
        iterations=check_count("iterations", asked.iterations, FEWEST_ITERATIONS),
        width=width,
        window=_checked_window(asked.window, against),
        activation=activation,
        batch_size=batch_size,
        seed=check_seed(asked.seed),
        samples=None if count == sample_count(width, activation) else count,
        against=against,
    )
    options = check_worker_options(executor, threads, threads_per_worker, out, progress, device)
    # The map, and its ranks and colors in a plot; samples and weights while they are drawn.
    needed = 64 * settings.resolution**2 + drawn_bytes(width, count)
    if not settings.has_two_rates:  # three copies of the initial weights of a patch's rows
        rows = settings.resolution
        if options.device == CPU:
            rows = min(rows, MOST) * options.threads
        needed += 24 * rows * width * (width + 1)
    check_memory(needed, "the map")
    return settings, options, needed


def _checked_window(window: Any, against: str) -> Window:
    across, up = AGAINST["output_rate"].value, AGAINST[against].value
    rule = f"window must be ((left, right), (bottom, top)), {across} and {up}"
    try:
        (left, right), (bottom, top) = window
    except Exception:  # an object's own __iter__ may raise anything
        raise ValueError(f"{rule}, got {shown(window)}") from None
    sides = []
    for (name, low), (other, high), axis in (
        (("left", left), ("right", right), "output_rate"),
        (("bottom", bottom), ("top", top), against),
    ):
        low, high = (
            check_number(f"window's {word}, {AGAINST[axis].value},", value, EXPONENT)
            for word, value in ((name, low), (other, high))
        )
        if low >= high:
            raise ValueError(f"window's {name} must be below its {other}, got {low} and {high}")
        sides.append((low, high))
    return sides[0], sides[1]
