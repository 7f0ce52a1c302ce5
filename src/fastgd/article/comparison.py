"""Twins of a run, and what their spread says about a published number.

A published number was computed with another `exp`, another BLAS and another order of sums. Some
settings amplify such differences in the last bit until they reach the printed digits. Twins measure
by how much: they are the same run with initial weights that differ only in the last place. Each
published number

- *agrees* if ours, printed with the same number of digits, is equal,
- is *within the spread* of the twins if it lies within three standard deviations of the mean of the
  run and its twins (plus half a unit of its last printed digit, as it is not known more precisely),
- else *differs*.

Three standard deviations are used rather than the smallest and largest value, because the range
grows with the number of twins, so that more of them would excuse more.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.article.experiments import Experiment, Published, published
from fastgd.engine.network import Network, Weights, first_weights, flatten
from fastgd.training.run import Run
from fastgd.training.train_sweep import sweep
from fastgd.workers.compiling import ShortCall, compile_all

TWINS = 63
"""Twins of each run: 64 runs fill the SIMD lanes of every processor."""

MOVES_SEED = 1
"""Seed of the random choice of the weights that a twin changes."""

EXACT = 17
"""Significant digits that tell any two float64 numbers apart."""

DEVIATIONS = 3
"""Standard deviations from the mean that still count as within the spread."""

ERROR = ".11e"
"""Format of an error: Python 2 printed 12 significant digits."""

WEIGHT = ".8f"
"""Format of a weight: NumPy printed 8 decimals."""

COUNT = "d"
"""Format of a count of direction changes."""


class Mark(StrEnum):
    """How a published number compares with ours."""

    AGREES = "agrees"
    WITHIN = "within the spread"
    DIFFERS = "differs"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Numbers of one run, of its twins and of the article; all arrays have the same shape."""

    computed: NDArray[Any]
    published: NDArray[Any] | None  # None if the article does not print them
    low: NDArray[Any]  # these four are over the run and its twins
    high: NDArray[Any]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    digits: NDArray[np.int64]
    """Significant digits on which the run and its twins agree, from their range relative to their
    largest magnitude: 0 to 16, or `EXACT` if all are bit-identical."""
    marks: NDArray[np.str_] | None  # a `Mark` for each number; None without published ones

    @property
    def mark(self) -> Mark | None:
        """The worst of the marks; None without published numbers."""
        if self.marks is None:
            return None
        return max(map(Mark, self.marks.ravel()), key=list(Mark).index)

    def part(self, index: Any) -> "Comparison":
        """Return the comparison of a selection: a row, a column, a single number."""
        arrays: dict[str, Any] = {k: None if a is None else a[index] for k, a in vars(self).items()}
        return Comparison(**arrays)


def compare(values: NDArray[Any], published: ArrayLike | None, form: str) -> Comparison:
    """Compare a run with its twins and with the article's numbers.

    ``values``, (1 + twins, ...), are the run's numbers first, then those of each twin; ``form`` is
    the format in which the published ones, of the shape of the run's, were printed: `ERROR`,
    `WEIGHT` or `COUNT`.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([0.25, 0.25, 0.26])
    >>> for printed in 0.25, 0.257, 0.5:
    ...     print(compare(values, printed, ERROR).mark)
    agrees
    within the spread
    differs
    """
    low, high = values.min(axis=0), values.max(axis=0)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    printed = marks = None
    if published is not None:
        printed = np.asarray(published)
        if printed.shape != values.shape[1:]:
            raise ValueError(
                f"published numbers must have shape {values.shape[1:]}, got {printed.shape}"
            )
        found = []
        numbers = (array.ravel() for array in (values[0], printed, mean, deviation))
        for ours, theirs, middle, spread in zip(*numbers, strict=True):
            text, exponent = format(theirs, form), Decimal(format(theirs, form)).as_tuple().exponent
            half_unit = 0.0 if form == COUNT else 0.5 * 10.0 ** int(exponent)
            within = abs(theirs - middle) <= DEVIATIONS * spread + half_unit
            mark = Mark.WITHIN if within else Mark.DIFFERS
            found.append(Mark.AGREES if format(ours, form) == text else mark)
        marks = np.array(found, dtype=str).reshape(printed.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.floor(-np.log10((high - low) / np.maximum(abs(low), abs(high))))
    # A NaN among the twins leaves no digit; equal numbers (0 / 0) are corrected below.
    digits = np.clip(np.nan_to_num(digits, nan=0.0), 0, EXACT - 1)
    digits = np.where(low == high, EXACT, digits).astype(np.int64)
    return Comparison(values[0], printed, low, high, mean, deviation, digits, marks)


def digits_text(digits: int) -> str:
    """Return a number of digits as a string."""
    return "all" if digits == EXACT else str(digits)


def twins(weights: Weights, count: int = TWINS) -> list[Weights]:
    """Copies of initial weights in which weights move by one unit in the last place, or stay.

    A fixed random stream decides whether each weight moves up, down or not at all. No two twins are
    equal, so there are fewer than ``count`` if the network has too few weights for as many.

    Examples
    --------
    >>> import numpy as np
    >>> for (twin,) in twins((np.array([[1.0]]),)):
    ...     print(float(twin[0, 0]))
    0.9999999999999999
    1.0000000000000002
    """
    # Moving a single weight is not enough to model another machine's rounding, which affects all:
    # at hidden 32, alpha 10 the last error of all 256 such twins had a standard deviation of
    # 1.5e-6, that of 1,023 twins like these 3.3e-6, and 16 groups of 64 of these gave the same
    # marks.
    row = flatten(weights)
    sizes = (weights[0].shape[0], *(layer.shape[1] for layer in weights))
    moves = np.random.RandomState(MOVES_SEED).choice((-1, 0, 1), (count, len(row)))
    moves = np.unique(moves[moves.any(axis=1)], axis=0)
    network = Network(tuple(sizes))
    return [network.parts(np.nextafter(row, row + move)).weights for move in moves]


# ---------------------------------------------------------------- experiments

SEED = 1
"""The article's ``np.random.seed(1)``."""


@dataclass(frozen=True, eq=False)
class Setting:
    """One alpha of an experiment: the run, and its results compared with the published ones."""

    alpha: float
    run: Run
    errors: Comparison
    final_error: Comparison
    weights: tuple[Comparison, ...]
    direction_changes: tuple[Comparison, ...]
    note: str


@dataclass(frozen=True, eq=False)
class ExperimentResult:
    """The result of an experiment."""

    experiment: Experiment
    settings: tuple[Setting, ...]  # one per alpha
    outputs: Comparison | None
    """(samples, outputs) that the listing prints after training: those of the last iteration's
    forward pass, that is before the last update. None if it prints no outputs."""
    twins: int  # of each run: `TWINS`, or fewer if the network has too few weights
    seconds: float

    @property
    def right(self) -> NDArray[np.bool_] | None:
        """Whether each output is on its target's side of 0.5, (samples, outputs)."""
        if self.outputs is None:
            return None
        targets = np.array(self.experiment.y)[:, None]
        return np.equal(self.outputs.computed > 0.5, targets > 0.5)


def run(experiment: Experiment, *, threads: int | None = None) -> ExperimentResult:
    """Run an experiment and all its twins as one sweep, and compare it with the article.

    Parameters
    ----------
    experiment : Experiment
        One of `fastgd.article.experiments.EXPERIMENTS`, or one of your own.
    threads : int, optional
        As in :func:`fastgd.sweep`.

    Returns
    -------
    ExperimentResult

    Raises
    ------
    ValueError, TypeError
        If the experiment's data or settings are not valid for :func:`fastgd.sweep`.

    Examples
    --------
    >>> from fastgd.article.experiments import EXPERIMENTS
    >>> result = run(EXPERIMENTS[0])
    >>> result.outputs.computed.round(3).ravel()
    array([0.005, 0.005, 0.995, 0.995])
    >>> bool(result.right.all())
    True
    """
    begin = perf_counter()
    start = first_weights((len(experiment.X[0]), *experiment.hidden_size, 1), SEED)
    starts = [start, *twins(start)]
    printed = published(experiment)
    groups = _train(experiment, starts, threads)
    settings = tuple(
        _setting(group, printed.get(alpha, Published()))
        for alpha, group in zip(experiment.alphas, groups, strict=True)
    )
    outputs = None
    if experiment.shows_output:
        before_last = replace(experiment, iterations=experiment.iterations - 1)
        networks = [one.weights for one in _train(before_last, starts, threads)[0]]
        # As ``predict`` computes them, which would take a second or more to compile, for a few
        # numbers: a sigmoid's output is the error of a sample whose target is 0.
        last = replace(experiment, y=(0,), alphas=experiment.alphas[:1], iterations=1)
        each = [_train(replace(last, X=(x,)), networks, threads)[0] for x in experiment.X]
        errors = np.array([[one.errors for one in runs] for runs in zip(*each, strict=True)])
        outputs = compare(errors, None, ERROR)
    return ExperimentResult(experiment, settings, outputs, len(starts) - 1, perf_counter() - begin)


def _train(
    experiment: Experiment, starts: Sequence[Weights], threads: int | None
) -> list[list[Run]]:
    """Return for each alpha the runs from all initial weights."""
    trained = sweep(
        experiment.X,
        experiment.y,
        alpha=list(experiment.alphas),
        weights=list(starts),
        iterations=experiment.iterations,
        record_every=experiment.record_every,
        threads=threads,
    )
    return [list(trained[[i]]) for i in range(len(experiment.alphas))]


def _setting(runs: list[Run], printed: Published) -> Setting:
    layers = range(len(runs[0].weights))
    weights: Sequence[ArrayLike | None] = printed.weights or [None for _ in layers]
    changes: Sequence[ArrayLike | None] = printed.direction_changes or [None for _ in layers]
    return Setting(
        alpha=float(np.max(runs[0].alpha)),
        run=runs[0],
        errors=compare(np.array([one.errors for one in runs]), printed.errors, ERROR),
        final_error=compare(np.array([one.final_error for one in runs]), None, ERROR),
        weights=tuple(
            compare(np.array([one.weights[k] for one in runs]), weights[k], WEIGHT) for k in layers
        ),
        direction_changes=tuple(
            compare(np.array([one.direction_changes[k] for one in runs]), changes[k], COUNT)
            for k in layers
        ),
        note=printed.note,
    )


def lines(layers: Sequence[Comparison]) -> Iterator[tuple[str, Comparison]]:
    """Yield rows as the article prints them: one per input of layer 0, and synapse 1 transposed."""
    for row in range(len(layers[0].computed)):
        yield f"input {row + 1}", layers[0].part(row)
    yield "synapse 1", layers[1].part((slice(None), 0))


def prepare(experiments: Iterable[Experiment], *, threads: int | None = None) -> float:
    """Compile or load the code of these experiments; returns the seconds it took."""
    begin = perf_counter()
    compile_all(short(experiments, threads=threads))
    return perf_counter() - begin


def short(experiments: Iterable[Experiment], *, threads: int | None = None) -> list[ShortCall]:
    """Return quick calls that need the same compiled code as these experiments."""
    few = [replace(one, iterations=2, record_every=1, published="") for one in experiments]
    return [partial(run, one, threads=threads) for one in few]


def tally(results: Iterable[ExperimentResult]) -> dict[str, dict[Mark, int]]:
    """Count the published errors, weights and tables of direction changes by mark.

    Examples
    --------
    >>> from fastgd.article.experiments import EXPERIMENTS
    >>> tally([run(EXPERIMENTS[2])])["direction_tables"][Mark.AGREES]
    14
    """
    settings = [setting for result in results for setting in result.settings]
    weights = [layer for setting in settings for layer in setting.weights]
    changes = [layer for setting in settings for layer in setting.direction_changes]
    found: dict[str, list[Any]] = {
        "errors": [m for s in settings if s.errors.marks is not None for m in s.errors.marks.flat],
        "weights": [m for layer in weights if layer.marks is not None for m in layer.marks.flat],
        "direction_tables": [layer.mark for layer in changes],
    }
    return {name: {mark: marks.count(mark) for mark in Mark} for name, marks in found.items()}
