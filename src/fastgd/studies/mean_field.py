r"""The trainings of a trainability map: a mean-field network, random data, two learning rates.

Sohl-Dickstein, *The boundary of neural network trainability is fractal*, arXiv 2402.06184 (2024),
trains one hidden layer of n units without biases on n inputs (n = ``width``),

    f(x) = (1 / n) * W1 . s(c * W0 . x),        c = sqrt(2 / n)  (identity: sqrt(1 / n)),

by gradient descent with the learning rates eta_0 of W0 and eta_1 of W1 on the mean squared error

    L = (1 / B) * sum_b (f(x_b) - y_b)**2       over the B samples of the (mini-)batch.

fastgd has no factors between its layers, and its loss is E = 1/2 * sum_b (f(x_b) - y_b)**2. The
same network is f(x) = V1 . s(V0 . x) with V0 = c * W0 and V1 = W1 / n, and L = (2 / B) * E. As

    dL/dW0 = (2 / B) * c * dE/dV0,              dL/dW1 = (2 / B) * (1 / n) * dE/dV1,

a step W0 -= eta_0 * dL/dW0 moves V0 by -eta_0 * c * dL/dW0, and W1 accordingly. In terms of V these
are steps of plain gradient descent on E with

    alpha_0 = 2 * c**2 / B * eta_0,             alpha_1 = 2 / (n**2 * B) * eta_1.

All numbers are drawn from N(0, 1): W0, W1, and as many samples (x, y) as there are free parameters,
n * n + n. For the identity the paper takes n samples, since the product of its layers has no more
than n free parameters. One of its conditions has a single sample; another one has the same learning
rate in both layers, and a number that is added to all of W0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal
from itertools import pairwise
from math import ceil, prod, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.checks.messages import many, shown
from fastgd.checks.numbers import (
    FloatArray,
    check_choice,
    check_count,
    check_memory,
    check_number,
    check_seed,
    rule_of,
)
from fastgd.engine.devices import CPU
from fastgd.engine.execution import execute, plan_on_a_device
from fastgd.engine.network import Weights, network_of
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.progress import Advance
from fastgd.engine.results import STATUS, Summary, summarize
from fastgd.store import Arrays
from fastgd.studies.job import StudyJob
from fastgd.training.sweep_axes import runs_per_chunk, seconds_of
from fastgd.workers.run_job import WorkerOptions, check_worker_options, results_of

ACTIVATIONS = ("tanh", "relu", "identity", "sigmoid")
"""Activations of the hidden units; sigmoid, which the paper doesn't have, is scaled as tanh."""

EXPONENT = rule_of("[-100, 100]")
"""Range of what a window is given in: log10 of a learning rate or a spread, or a mean."""


class Vertical(NamedTuple):
    """What the rows of a map differ in."""

    label: str
    value: str  # one of a window's ends, in messages
    is_logarithm: bool


AGAINST = {
    "output_rate": Vertical(
        "learning rate of the output layer", "log10 of a learning rate", is_logarithm=True
    ),
    "mean": Vertical(
        "mean of the input layer's initial weights", "a mean of initial weights", is_logarithm=False
    ),
    "spread": Vertical(
        "standard deviation of the input layer's initial weights",
        "log10 of a standard deviation",
        is_logarithm=True,
    ),
}
"""By the name of the vertical axis; only with the first one do the layers' rates differ."""

_DIGITS = Context(prec=30)


@dataclass(frozen=True, eq=False)
class MeanField:
    """Samples, initial weights V, and the factors that convert learning rates to alphas."""

    X: FloatArray  # (samples, width)
    y: FloatArray  # (samples, 1)
    weights: Weights  # (width, width) and (width, 1)
    factors: tuple[float, float]  # alpha / eta of the input and the output layer
    scale: float = 1.0  # c: a number in W0 is c times as large in V0

    def alphas(self, input_rates: FloatArray, output_rates: FloatArray) -> FloatArray:
        """Return the alphas of all pairs, (outputs * inputs, 2); the input rate varies fastest."""
        output, given = np.meshgrid(output_rates, input_rates, indexing="ij")
        return np.column_stack([given.ravel() * self.factors[0], output.ravel() * self.factors[1]])

    def starts(self, against: str, rows: FloatArray) -> list[Weights]:
        """Return the initial weights of each row if W0 has these means or standard deviations."""
        first, *others = self.weights
        changed = [
            first + self.scale * row if against == "mean" else first * row for row in rows.tolist()
        ]
        return [(weights, *others) for weights in changed]


def mean_field(
    width: int, activation: str, batch_size: int | None, seed: int, samples: int | None = None
) -> MeanField:
    """Draw the problem; it is bit-identical on every machine."""
    samples = sample_count(width, activation, samples)
    batch = samples if batch_size is None else check_count("batch_size", batch_size, 1, samples)
    check_memory(drawn_bytes(width, samples), "the samples and weights")
    random = np.random.RandomState(check_seed(seed))
    first = normal(random, width * width).reshape(width, width)
    second = normal(random, width).reshape(width, 1)
    X = normal(random, samples * width).reshape(samples, width)
    y = normal(random, samples).reshape(samples, 1)
    square = (1 if activation == "identity" else 2) / width  # c**2
    return MeanField(
        X=X,
        y=y,
        weights=(sqrt(square) * first, second / width),
        factors=(2 * square / batch, 2 / (width * width * batch)),
        scale=sqrt(square),
    )


def sample_count(width: int, activation: str, samples: int | None = None) -> int:
    """Return the number of samples: by default, that of the free parameters."""
    width = check_count("width", width)
    activation = check_choice("activation", activation, ACTIVATIONS)
    if samples is not None:
        return check_count("samples", samples)
    return width if activation == "identity" else width * width + width


def drawn_bytes(width: int, samples: int) -> int:
    """Return the memory of a problem while it is drawn."""
    return 128 * width * (width + samples)


def normal(random: np.random.RandomState, count: int) -> FloatArray:
    """Draw from N(0, 1) by Marsaglia's polar method (SIAM Review 6, 1964).

    This is ``RandomState.standard_normal`` with an exactly rounded logarithm: the C library's
    differs in the last bit between machines, and at the boundary one bit decides how a training
    ends.
    """
    found: list[FloatArray] = []
    missing = -(-count // 2)
    while missing > 0:
        pairs = 2 * random.random_sample((missing, 2)) - 1
        square = pairs[:, 0] * pairs[:, 0] + pairs[:, 1] * pairs[:, 1]
        inside = (square < 1) & (square > 0)
        pairs, square = pairs[inside], square[inside]
        logarithm = np.array([float(Decimal(s).ln(_DIGITS)) for s in square.tolist()])
        found.append(pairs[:, ::-1] * np.sqrt(-2 * logarithm / square)[:, None])
        missing -= len(pairs)
    return np.concatenate(found).ravel()[:count]


def power_of_ten(exponent: float) -> float:
    """Return 10**exponent, rounded the same way on every machine; from -100 to 100."""
    exponent = check_number("exponent", exponent, EXPONENT)
    return float(_DIGITS.power(Decimal(10), Decimal(exponent)))


# ---------------------------------------------------------------- the trainings of a map

MapWindow = tuple[tuple[float, float], tuple[float, float]]
"""log10 of the learning rates at the edges: (left, right) of the input layer, (bottom, top) of the
output layer, or of what the rows differ in: see :data:`AGAINST`."""

FEWEST_ITERATIONS = 2
"""Other errors are compared with the first one."""

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
    window: MapWindow
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


def checked(**given: Any) -> tuple[Settings, WorkerOptions, int]:
    """Check all arguments of :func:`trainability`; the last result is the memory it needs."""
    asked = Settings(**{name: given.pop(name) for name in Settings._fields})
    count = sample_count(asked.width, asked.activation, asked.samples)
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
        width=check_count("width", asked.width),
        window=_checked_window(asked.window, against),
        activation=check_choice("activation", asked.activation, ACTIVATIONS),
        batch_size=batch_size,
        seed=check_seed(asked.seed),
        samples=None if count == sample_count(asked.width, asked.activation) else count,
        against=against,
    )
    options = check_worker_options(**given)
    # The map, and its ranks and colors in a plot; samples and weights while they are drawn.
    width, rows = settings.width, settings.resolution
    needed = 64 * rows**2 + drawn_bytes(width, count)
    if not settings.has_two_rates:  # three copies of the initial weights of a patch's rows
        if options.device == CPU:
            rows = min(rows, MOST) * options.threads
        needed += 24 * rows * width * (width + 1)
    check_memory(needed, "the map")
    return settings, options, needed


def _checked_window(window: Any, against: str) -> MapWindow:
    across, up = AGAINST["output_rate"].value, AGAINST[against].value
    rule = f"window must be ((left, right), (bottom, top)), {across} and {up}"
    try:
        (left, right), (bottom, top) = window
    except Exception:  # an object's own __iter__ may raise anything
        raise ValueError(f"{rule}, got {shown(window)}") from None
    sides = []
    for (name, low), (other, high), axis in (
        (("left", left), ("right", right), across),
        (("bottom", bottom), ("top", top), up),
    ):
        low, high = (
            check_number(f"window's {word}, {axis},", value, EXPONENT)
            for word, value in ((name, low), (other, high))
        )
        if low >= high:
            raise ValueError(f"window's {name} must be below its {other}, got {low} and {high}")
        sides.append((low, high))
    return sides[0], sides[1]


class Patch(NamedTuple):
    """A rectangle of a map."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


@dataclass(frozen=True, eq=False)
class MapTrainings:
    """The trainings of a map, one per pixel; :meth:`values` computes those of a patch."""

    settings: Settings
    problem: MeanField
    rates: tuple[FloatArray, FloatArray]  # of the columns (input layer) and what rows differ in
    device: str = CPU  # where they are trained: see fastgd.engine.devices

    @classmethod
    def of(cls, settings: Settings, device: str = CPU) -> MapTrainings:
        """Draw the problem, if the window is wide enough for its pixels to differ."""
        found, resolution = [], settings.resolution
        axes = AGAINST["output_rate"], settings.vertical
        for (low, high), label, axis in zip(settings.window, settings.labels, axes, strict=True):
            rates = low + (high - low) * ((np.arange(resolution) + 0.5) / resolution)
            if axis.is_logarithm:
                rates = np.array([power_of_ten(center) for center in rates.tolist()])
            if not (np.diff(rates) > 0).all():
                raise ValueError(
                    f"window must be wide enough for its pixels to differ in {label}, "
                    f"got {low!r} to {high!r} for {resolution} pixels"
                )
            found.append(rates)
        _, _, width, _, activation, batch_size, seed, samples, _ = settings
        problem = mean_field(width, activation, batch_size, seed, samples)
        return cls(settings, problem, (found[0], found[1]), device)

    @property
    def patches(self) -> list[Patch]:
        """The patches that the map is divided into, which depend on its settings alone."""
        settings, inputs = self.settings, self.problem.X
        network = network_of(self.method, inputs, self.problem.y, (settings.width,))
        batch = settings.batch_size or len(inputs)
        seconds = seconds_of(network, batch, settings.iterations)
        side = side_of(settings.resolution, runs_per_chunk(seconds, inputs.itemsize))
        return patches_of(settings.resolution, side)

    @property
    def method(self) -> Method:
        """The options of all trainings."""
        settings, samples = self.settings, len(self.problem.X)
        batch = settings.batch_size or samples
        epoch = -(-samples // batch)  # iterations between evaluations of the error
        given: dict[str, Any] = {
            "activation": settings.activation,
            "output": "identity",
            "summary": -(-LAST // epoch),
        }
        if settings.batch_size:
            given |= {"batch_size": batch, "shuffle_seed": settings.seed}
        return Method(**given)

    def computed(self, worker_options: WorkerOptions, needed: int) -> FloatArray:
        """Train all pixels; ``needed`` is the memory for the rest of the map."""
        trainings, patches, resolution = self, self.patches, self.settings.resolution
        if worker_options.executor is None and self.device != CPU:
            whole = Patch(slice(0, resolution), slice(0, resolution))
            plan = plan_on_a_device(*self.planned(whole, worker_options.threads))
            trainings = replace(self, device=plan.device)
            if worker_options.out is None and plan.device != CPU:  # only many keep a GPU busy
                patches = patches_of(resolution, MOST_ON_GPU)
                worker_options = worker_options._replace(threads=1)
                largest = max(patches, key=lambda patch: prod(patch.shape))
                check_memory(needed + trainings.planned(largest, 1)[0].bytes(KEPT), "the map")
        shapes = {patch.shape: patch for patch in patches}
        sizes = [prod(patch.shape) for patch in patches]
        job = StudyJob(trainings.values, patches, sizes, [*shapes.values()])
        asked = self.settings.given
        found = results_of(job, worker_options, "map of trainability", asked, {}, unit="px")
        values = np.empty((resolution, resolution))
        for patch, arrays in zip(patches, found, strict=True):
            values[patch] = arrays["values"]
        return values

    def planned(
        self, patch: Patch, threads: int, *, is_trial: bool = False
    ) -> tuple[Plan, FloatArray, NDArray[np.int64]]:
        """Plan the trainings of a patch; the others are their initial weights, and seeds.

        A trial is a single update. Seeds have no effect as weights are given.
        """
        settings, problem, method = self.settings, self.problem, self.method
        # The last error is the one before the last update.
        updates = 1 if is_trial else settings.iterations - 1
        task = TrainingData(problem.X, problem.y, updates, settings.iterations)
        network = network_of(method, problem.X, problem.y, (settings.width,))
        across, up = self.rates[0][patch.columns], self.rates[1][patch.rows]
        if settings.has_two_rates:
            alphas, starts = problem.alphas(across, up), [problem.weights]
        else:  # an axis of alphas, and one of initial weights
            alphas = np.concatenate([problem.alphas(rate, rate) for rate in across[:, None]])
            starts = problem.starts(settings.against, up)
        first = np.array([network.row(NetworkParts(weights, (), ())) for weights in starts])
        plan = Plan.make(task, network, method, alphas, {}, len(first), threads, device=self.device)
        return plan, first, np.ones(len(first), np.int64)

    def values(
        self, patch: Patch, threads: int, advance: Advance, *, is_trial: bool = False
    ) -> Arrays:
        """Train the pixels of a patch."""
        plan, first, seeds = self.planned(patch, threads, is_trial=is_trial)
        iterations, updates = plan.task.iterations, 0

        def in_pixels(done: int, _errors: object = None) -> None:  # of which a chunk has none
            nonlocal updates
            before, updates = updates, updates + done
            advance(updates // iterations - before // iterations)

        trained = execute(plan, first, seeds, KEPT, in_pixels)
        summary = summarize(trained.watch, plan.method.summary)
        values = values_of(STATUS[trained.outcome], summary)
        if self.settings.has_two_rates:
            return {"values": values.reshape(patch.shape)}
        return {"values": values.reshape(patch.shape[::-1]).T}


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


def patches_of(resolution: int, side: int) -> list[Patch]:
    """Return all patches of a square map, row by row: as few as fit, of nearly equal size."""
    parts = -(-resolution // side)
    ends = [part * resolution // parts for part in range(parts + 1)]
    sides = [slice(*pair) for pair in pairwise(ends)]
    return [Patch(rows, columns) for rows in sides for columns in sides]
