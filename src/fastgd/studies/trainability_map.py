"""The boundary of trainability: one training for each pair of two layers' learning rates.

Sohl-Dickstein, *The boundary of neural network trainability is fractal*, arXiv 2402.06184 (2024);
:mod:`fastgd.studies.mean_field` defines the problem. It uses the machinery of
:func:`fastgd.sweep`: runs that diverge end early and make room for others, and only sums of the
errors are kept.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from inspect import signature
from math import ulp
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import Seed, check_count, check_memory, check_number, rule_of
from fastgd.checks.presentation import Description, ShownInNotebooks, ShownTable, dataframe, dataset
from fastgd.engine.devices import CPU
from fastgd.engine.progress import ProgressHook
from fastgd.store import PathLike
from fastgd.store.folder import Folder
from fastgd.studies.box_counting import BoxCounting, boundary, box_counting
from fastgd.studies.mean_field import MapTrainings, MapWindow, Settings, checked, sample_count

if TYPE_CHECKING:
    import xarray

WINDOW: MapWindow = ((1.0, 6.0), (-1.0, 4.0))
"""Contains the boundary of the default network."""


@dataclass(frozen=True, eq=False)
class Trainability(ShownInNotebooks):
    """A map of the learning rates with which a training converges, from :func:`trainability`.

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

    def _described(self) -> Description:
        settings = self.settings
        (left, right), (bottom, top) = settings.window
        across, up = settings.labels
        width, activation, size = settings.width, settings.activation, settings.resolution
        batch = settings.batch_size
        vertical = f"log10 of the {up}" if settings.vertical.is_logarithm else up
        rows = [
            ("network", f"{width}-{width}-1, {activation}"),
            ("iterations", f"{settings.iterations:,}"),
            ("samples", f"{sample_count(width, activation, settings.samples):,}"),
            ("batch", f"{batch:,} samples" if batch else "all samples"),
            ("seed", str(settings.seed)),
            (f"log10 of the {across}", f"{left:g} to {right:g}"),
            (vertical, f"{bottom:g} to {top:g}"),
            ("converged", f"{self.converged.sum():,} of {size**2:,} ({self.converged.mean():.1%})"),
        ]
        return Description(f"Map of {size} x {size} trainings", [ShownTable(rows)], self)

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

    def to_dataframe(self, *, kind: str = "pandas") -> Any:
        """One row per training: its place on the map, its value, and whether it converged.

        The columns of the place are ``input_rate`` and ``output_rate`` or, for a map against "mean"
        or "spread", ``rate`` and a column of that name.

        ``kind`` is the library of the table: "pandas", "polars" or "pyarrow", installed apart.
        """
        row, column = self._dims
        first, second = np.meshgrid(self.input_rates, self.rows)
        columns = {column: first, row: second} | self._measured
        return dataframe({name: array.ravel() for name, array in columns.items()}, kind)

    def to_xarray(self) -> xarray.Dataset:
        """Values and outcomes over ``output_rate`` and ``input_rate``; settings are in ``attrs``.

        A map against "mean" or "spread" has the dimensions of that name, and ``rate``.

        Needs xarray (``pip install "fastgd[xarray]"``).

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
            {row: self.rows, column: self.input_rates},
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

    def zoom(self, factor: int = 8) -> MapWindow:
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
    window: MapWindow = WINDOW,
    activation: str = "tanh",
    batch_size: int | None = None,
    samples: int | None = None,
    against: str = "output_rate",
    seed: Seed = 1,
    out: PathLike | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    threads_per_worker: int = 1,
    device: str = CPU,
    progress: bool | ProgressHook = False,
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
    seed : int, Generator or SeedSequence
        Seed, as in :func:`fastgd.train`, of the initial weights, the samples and their shuffling.
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
    trainings = MapTrainings.of(settings, worker_options.device)
    return Trainability(settings, *trainings.rates, trainings.computed(worker_options, needed))


# ---------------------------------------------------------------- a zoom


SCOUT, STEP = 64, 8
"""Pixels along the maps that look for a place to zoom to, and by how much each narrows it down."""


def trainability_zoom(
    frames: int = 24,
    *,
    factor: float = 1.25,
    resolution: int = 128,
    window: MapWindow = WINDOW,
    out: PathLike | None = None,
    **options: Any,
) -> tuple[Trainability, ...]:
    """Zoom into the boundary of trainability: one map per frame, each in a narrower window.

    Parameters
    ----------
    frames : int
        Number of maps, from 2 to 1,000.
    factor : float
        How many times as narrow each window is as the one before, above 1 and at most 100.
    resolution : int
        Pixels along each side of a map.
    window : ((left, right), (bottom, top))
        That of the first frame.
    out : path, optional
        A folder with a folder for each frame: the same call resumes after any interruption. It must
        be empty, new, or that of the same call.
    **options
        Other arguments of :func:`fastgd.trainability`, for all frames.

    Returns
    -------
    tuple of Trainability
        One for each frame. :func:`fastgd.plots.zoom_film` makes an animation of them.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, the last window is too narrow for numbers of 64 bits,
        the first one holds no boundary, or the folder holds something else.
    OSError, DeviceError
        As in :func:`fastgd.trainability`.

    Notes
    -----
    The windows shrink towards the cell with most of the boundary: the first window is mapped with
    64 x 64 pixels and divided into 8 x 8 cells, the best cell is mapped and divided, and so
    on until a cell is eight times as narrow as the last frame.

    Examples
    --------
    >>> import fastgd
    >>> maps = fastgd.trainability_zoom(
    ...     3, factor=2, resolution=16, iterations=20, width=4, window=((-1, 3), (-1, 3))
    ... )
    >>> [found.settings.window[0][1] - found.settings.window[0][0] for found in maps]
    [4.0, 2.0, 1.0]
    """
    frames = check_count("frames", frames, minimum=2, maximum=1000)
    factor = check_number("factor", factor, rule_of("(1, 100]"))
    call = signature(trainability).bind(resolution, window=window, out=out, **options)
    call.apply_defaults()
    settings, worker_options, needed = checked(**call.arguments)
    whole = target = settings.window
    total, depth, scouts = 1.0, 1.0, 0
    for _ in range(frames - 1):
        total *= factor
    pixels = max(settings.resolution, SCOUT * STEP)  # in a last frame; scouts go deeper
    most = min((high - low) / pixels / (2 * ulp(max(-low, high, 1))) for low, high in whole)
    if total > most:
        raise ValueError(
            f"frames and factor must magnify this window at most {most:.3g} times, or pixels would "
            f"not differ, got {frames} and {factor:g}, which magnify {total:.3g} times"
        )
    check_memory(needed + 8 * frames * settings.resolution**2, "the maps of all frames")
    folder = worker_options.out
    if folder is not None:
        asked = {"frames": frames, "factor": factor, **settings.given}
        Folder.create(folder, "zoom of trainability", asked, {}, {}, chunk_count=0)

    def mapped(pixels: int, window: MapWindow, name: str) -> Trainability:
        where = None if folder is None else folder / name
        return trainability(pixels, window=window, out=where, **options)

    while depth < STEP * total:  # the boundary is near the middle of the last frame
        found = mapped(SCOUT, target, f"scout-{scouts}")
        if not found.boundary.any():
            if scouts:
                break
            raise ValueError(f"window must hold a part of the boundary, got {shown(window)}")
        target, depth, scouts = _cell(found), depth * STEP, scouts + 1
    maps, inside, magnification = [], whole, 1.0
    for frame in range(frames):
        maps.append(mapped(resolution, inside, f"frame-{frame:03}"))
        magnification *= factor
        inside = _next(inside, whole, target, magnification, total)
    return tuple(maps)


def _cell(found: Trainability) -> MapWindow:
    """Return the cell with most of the boundary, which is half a pixel after where it is marked."""

    def shifted(inner: tuple[float, float], outer: tuple[float, float]) -> tuple[float, float]:
        half = (outer[1] - outer[0]) / found.settings.resolution / 2
        half = min(half, outer[1] - inner[1])  # not beyond the edge
        return inner[0] + half, inner[1] + half

    cell, whole = found.zoom(STEP), found.settings.window
    return shifted(cell[0], whole[0]), shifted(cell[1], whole[1])


def _next(
    before: MapWindow, whole: MapWindow, target: MapWindow, magnification: float, total: float
) -> MapWindow:
    """Return a window on the way from the whole one to the last one, near the target's middle.

    Each lies within the one ``before``, and has the whole one's sides over ``magnification``.
    """
    left = (1 / magnification - 1 / total) / (1 - 1 / total)  # of the way, from 1 to 0

    def side(
        bounds: tuple[float, float], ends: tuple[float, float], goal: tuple[float, float]
    ) -> tuple[float, float]:
        half = (ends[1] - ends[0]) / 2 / total
        center = min(max((goal[0] + goal[1]) / 2, ends[0] + half), ends[1] - half)
        low, high = (
            last + left * (first - last)
            for first, last in zip(ends, (center - half, center + half), strict=True)
        )
        return max(low, bounds[0]), min(high, bounds[1])

    return side(before[0], whole[0], target[0]), side(before[1], whole[1], target[1])
