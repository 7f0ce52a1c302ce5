"""The trainings of a map as a job, whose chunks are patches.

The division into patches depends on the map's settings, not on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.checks.messages import many
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import CPU
from fastgd.engine.execution import execute, plan_on_a_device
from fastgd.engine.network import network_of
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.results import STATUS, Summary, summarize
from fastgd.store import Arrays
from fastgd.studies.mean_field import (
    AGAINST,
    MeanField,
    Vertical,
    mean_field,
    power_of_ten,
)
from fastgd.training.sweep_axes import runs_per_chunk, seconds_of

Window = tuple[tuple[float, float], tuple[float, float]]
"""log10 of the learning rates at the edges: (left, right) of the input layer, (bottom, top) of the
output layer, or of what the rows differ in: see :data:`.mean_field.AGAINST`."""

LAST = 20
"""Final iterations whose mean error decides whether a training converged, as in the paper."""

MOST = 32
"""Pixels along a patch's side, at most: 2 batches of trainings (128: no faster)."""

MOST_ON_GPU = 1024
"""The same where nothing is saved, on a GPU: a million trainings, whose results take 0.5 GB."""

FEW = 8
"""In a small map at most this many, unless it has as many patches along a side."""

KEPT = Keep(weights=False)
"""What is kept of the trainings, in addition to sums of their errors."""


class Settings(NamedTuple):
    """All arguments that a map depends on."""

    resolution: int
    iterations: int
    width: int
    window: Window
    activation: str
    batch_size: int | None
    seed: int
    samples: int | None = None
    against: str = "output_rate"

    @property
    def vertical(self) -> Vertical:
        """What the rows differ in."""
        return AGAINST[self.against]

    @property
    def has_two_rates(self) -> bool:
        """Whether the layers have learning rates of their own."""
        return self.against == "output_rate"

    @property
    def labels(self) -> tuple[str, str]:
        """What the horizontal and the vertical axis are."""
        layer = "the input layer" if self.has_two_rates else "both layers"
        return f"learning rate of {layer}", self.vertical.label

    @property
    def text(self) -> str:
        """Network, samples and seed in one line."""
        batch = f"batches of {self.batch_size}" if self.batch_size else "full batch"
        samples = f"{many(self.samples, 'sample')}, " if self.samples else ""
        network = f"{self.width}-{self.width}-1, {self.activation}"
        return f"{network}, {samples}{batch}, seed {self.seed}"

    @property
    def given(self) -> dict[str, Any]:
        """By name, without the last two where they have their default, as older folders do."""
        default = self._field_defaults
        return {k: v for k, v in self._asdict().items() if k not in default or v != default[k]}


class Patch(NamedTuple):
    """A rectangle of a map."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    @property
    def size(self) -> int:
        """Pixels."""
        rows, columns = self.shape
        return rows * columns


@dataclass(frozen=True, eq=False)
class MapJob:
    """One training per pixel: a :class:`fastgd.workers.tasks.Job`."""

    settings: Settings
    problem: MeanField
    rates: tuple[FloatArray, FloatArray]  # of the columns (input layer) and what rows differ in
    patches: tuple[Patch, ...]
    device: str = CPU
    """Where they are trained: see :mod:`fastgd.engine.devices`."""

    @classmethod
    def of(cls, settings: Settings, device: str = CPU) -> MapJob:
        """Draw the problem, and divide the map into patches.

        Raises
        ------
        ValueError
            If the window is too narrow for its pixels, or the samples don't fit into memory.
        """
        logarithms = True, settings.vertical.is_logarithm
        across, up = (
            _values_of(*side, settings.resolution, is_logarithm, label)
            for side, is_logarithm, label in zip(
                settings.window, logarithms, settings.labels, strict=True
            )
        )
        problem = mean_field(
            settings.width,
            settings.activation,
            settings.batch_size,
            settings.seed,
            settings.samples,
        )
        whole = cls(settings, problem, (across, up), ())
        network = whole.plan(Patch(slice(0, 1), slice(0, 1)), 1, 1).network
        batch = settings.batch_size or len(problem.X)
        pixels = runs_per_chunk(seconds_of(network, batch, settings.iterations), across.itemsize)
        side = side_of(settings.resolution, pixels)
        patches = patches_of(settings.resolution, side)
        return cls(settings, problem, (across, up), patches, device)

    def on_one_device(self, threads: int) -> MapJob:
        """The same job; "auto" becomes what is faster for the whole map."""
        side = slice(0, self.settings.resolution)
        whole = Patch(side, side)
        plan = self.plan(whole, self._updates, threads)
        return replace(self, device=plan_on_a_device(plan, *self._first(plan, whole)).device)

    def in_large_patches(self) -> MapJob:
        """The same job for a GPU, which only many thousand trainings keep busy."""
        return replace(self, patches=patches_of(self.settings.resolution, MOST_ON_GPU))

    def bytes(self, threads: int) -> int:
        """Memory of the trainings of the largest patch."""
        largest = max(self.patches, key=lambda patch: patch.size)
        return self.plan(largest, self._updates, threads).bytes(KEPT)

    @property
    def _updates(self) -> int:
        return self.settings.iterations - 1  # the last error is the one before the last update

    @property
    def sizes(self) -> list[int]:
        """Pixels of each patch."""
        return [patch.size for patch in self.patches]

    def compute(self, chunk: int, threads: int, advance: Callable[[int], None]) -> Arrays:
        """Train the pixels of a patch."""
        return {"values": self._values(chunk, self._updates, threads, advance)}

    def compile(self, threads: int) -> None:
        """Train a patch of each shape for one iteration, to compile its code."""
        shapes = {patch.shape: chunk for chunk, patch in enumerate(self.patches)}
        for chunk in shapes.values():
            self._values(chunk, 1, threads, lambda _done: None)

    def joined(self, chunks: list[Arrays]) -> FloatArray:
        """Assemble the map from its patches."""
        values = np.empty((self.settings.resolution, self.settings.resolution))
        for patch, arrays in zip(self.patches, chunks, strict=True):
            values[patch] = arrays["values"]
        return values

    def plan(self, patch: Patch, iterations: int, threads: int) -> Plan:
        """Plan the trainings of a patch."""
        settings, problem = self.settings, self.problem
        batch = settings.batch_size or len(problem.X)
        epoch = -(-len(problem.X) // batch)  # iterations between evaluations of the error
        given: dict[str, Any] = {
            "activation": settings.activation,
            "output": "identity",
            "summary": -(-LAST // epoch),
        }
        if settings.batch_size:
            given |= {"batch_size": batch, "shuffle_seed": settings.seed}
        task = TrainingData(problem.X, problem.y, iterations, settings.iterations)
        method = Method(**given)
        network = network_of(method, problem.X, problem.y, (settings.width,))
        across, up = (rates[part] for rates, part in zip(self.rates, patch[::-1], strict=True))
        starts = 1
        if settings.has_two_rates:
            alphas = problem.alphas(across, up)
        else:  # an axis of alphas, and one of initial weights
            alphas = np.concatenate([problem.alphas(rate, rate) for rate in across[:, None]])
            starts = len(up)
        return Plan.make(task, network, method, alphas, {}, starts, threads, device=self.device)

    def _first(self, plan: Plan, patch: Patch) -> tuple[FloatArray, NDArray[np.int64]]:
        """Return the initial weights, and seeds, which have no effect as weights are given."""
        starts = [self.problem.weights]
        if not self.settings.has_two_rates:
            starts = self.problem.starts(self.settings.against, self.rates[1][patch.rows])
        first = [plan.network.row(NetworkParts(weights, (), ())) for weights in starts]
        return np.array(first), np.ones(len(first), np.int64)

    def _values(
        self, chunk: int, iterations: int, threads: int, advance: Callable[[int], None]
    ) -> FloatArray:
        patch = self.patches[chunk]
        plan = self.plan(patch, iterations, threads)
        told = _in_pixels(iterations, advance)
        trained = execute(plan, *self._first(plan, patch), KEPT, told)
        summary = summarize(trained.watch, plan.method.summary)
        values = values_of(STATUS[trained.outcome], summary)
        if self.settings.has_two_rates:
            return values.reshape(patch.shape)
        return values.reshape(patch.shape[::-1]).T


def values_of(status: NDArray[Any], summary: Summary) -> FloatArray:
    """Minus the sum of normalized errors, or the sum of their inverses: see Trainability."""
    converged = (status != "diverged") & (summary.tail_mean < 1)
    return np.asarray(np.where(converged, -summary.error_sum, summary.inverse_sum))


def side_of(resolution: int, pixels: int) -> int:
    """Return the pixels along a patch's side, given the number of pixels that are enough work.

    Examples
    --------
    >>> side_of(512, 300), side_of(512, 10**6), side_of(64, 300), side_of(512, 1)
    (18, 32, 8, 1)
    """
    return min(ceil(sqrt(pixels)), MOST, max(FEW, resolution // FEW))


def patches_of(resolution: int, side: int) -> tuple[Patch, ...]:
    """Return all patches of a square map, row by row: as few as fit, of nearly equal size."""
    parts = -(-resolution // side)
    ends = [part * resolution // parts for part in range(parts + 1)]
    sides = [slice(*pair) for pair in pairwise(ends)]
    return tuple(Patch(rows, columns) for rows in sides for columns in sides)


def _in_pixels(iterations: int, advance: Callable[[int], None]) -> Callable[[int], None]:
    """Convert progress in updates to progress in pixels."""
    updates = 0

    def told(done: int) -> None:
        nonlocal updates
        before, updates = updates, updates + done
        advance(updates // iterations - before // iterations)

    return told


def _values_of(
    low: float, high: float, resolution: int, is_logarithm: bool, label: str
) -> FloatArray:
    """Return the learning rates, means or spreads at the centers of the pixels."""
    centers = low + (high - low) * ((np.arange(resolution) + 0.5) / resolution)
    rates = np.array([power_of_ten(c) for c in centers.tolist()]) if is_logarithm else centers
    if not (np.diff(rates) > 0).all():
        raise ValueError(
            f"window must be wide enough for its pixels to differ in {label}, "
            f"got {low!r} to {high!r} for {resolution} pixels"
        )
    return rates
