"""The article's experiments, each run beside its twins and compared with the published numbers.

A published number came out of another `exp`, another BLAS and another order of sums: some settings
amplify such last-bit differences until they reach the printed digits. Twins measure by how much:
they are the same run with first weights that differ in the last place only. Each published number

- *agrees* if ours, printed to as many digits, is the same,
- is *within the spread* of the twins if it lies within three standard deviations of the mean of the
  run and its twins (plus half a unit of its last printed digit: it is known no better than that),
- else *differs*.

Three standard deviations, rather than the smallest and largest value: the range grows with the
number of twins, so more of them would excuse more.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib.resources import files
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.network import Weights, first_weights, flatten, layer_sizes, unflatten
from fastgd.results import Run
from fastgd.training import sweep

TWINS = 63
"""Twins beside each run: 64 runs fill the lanes of every processor."""

SEED = 1
"""The article's ``np.random.seed(1)``."""

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
    """What became of a published number."""

    AGREES = "agrees"
    WITHIN = "within the spread"
    DIFFERS = "differs"


class Published(NamedTuple):
    """What the article prints for one alpha; empty where it prints nothing."""

    errors: list[float] | None = None
    weights: Sequence[ArrayLike] = ()
    direction_changes: Sequence[ArrayLike] = ()
    note: str = ""


@dataclass(frozen=True)
class Experiment:
    """One experiment of the article: the network, its data and how it is trained.

    Attributes
    ----------
    name, title, part : str
        What ``--experiment`` calls it, what it is, and where in the article it stands.
    X, y : tuple
        Samples (a row each) and their targets.
    hidden_size : tuple of int
    alphas : tuple of float
        One setting each.
    iterations, record_every : int
    takeaway : str
        What the article wants its readers to see.
    published : str
        Key of its numbers in ``published.json``; empty if the article prints none.
    shows_output : bool
        Whether the listing ends with ``print layer_1``.
    """

    name: str
    title: str
    part: str
    X: tuple[tuple[int, ...], ...]
    y: tuple[int, ...]
    hidden_size: tuple[int, ...]
    alphas: tuple[float, ...]
    takeaway: str
    iterations: int = 60_000
    record_every: int = 10_000
    published: str = ""
    shows_output: bool = False


_XOR: dict[str, Any] = {"X": ((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)), "y": (0, 1, 1, 0)}
_ALPHAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)

EXPERIMENTS = (
    Experiment(
        name="two-layer",
        title="2 layers: 2 inputs, no hidden layer, 1 output",
        part="part 4",
        X=((0, 1), (0, 1), (1, 0), (1, 0)),
        y=(0, 0, 1, 1),
        hidden_size=(),
        alphas=(1.0,),
        iterations=10_000,
        record_every=2_000,
        shows_output=True,
        takeaway="The output follows the first input: its weight ends high, the other one low.",
    ),
    Experiment(
        **_XOR,
        name="thirteen-lines",
        title="The 13 lines: 3-4-1, alpha 0.5",
        part="the code at the top",
        hidden_size=(4,),
        alphas=(0.5,),
        takeaway="Thirteen lines learn XOR. (The listing sets no seed; this is seed 1.)",
    ),
    Experiment(
        **_XOR,
        name="alpha",
        title="Tuning alpha: 3-4-1, seven alphas",
        part="part 5, improvement 1",
        hidden_size=(4,),
        alphas=_ALPHAS,
        published="hidden_4",
        takeaway=(
            "Tiny alpha: derivatives hardly ever change direction, weights stay small. Best alpha "
            "(10): they change it a ton. Huge alpha: a medium amount, and the weights get huge."
        ),
    ),
    Experiment(
        **_XOR,
        name="hidden-32",
        title="A larger hidden layer: 3-32-1, seven alphas",
        part="part 5, improvement 2",
        hidden_size=(32,),
        alphas=_ALPHAS,
        published="hidden_32",
        takeaway=(
            "More hidden units search more of the space at once: best error 0.0009, with 4 units "
            "it was 0.0013."
        ),
    ),
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Numbers of one run beside its twins and the article; all arrays have the same shape.

    Attributes
    ----------
    computed : array
    published : array or None
        None if the article does not print them.
    low, high, mean, deviation : array
        Over the run and its twins: smallest, largest, mean, standard deviation.
    digits : array of int
        Significant digits on which the run and its twins agree, by their range relative to their
        largest magnitude: 0 to 16, or `EXACT` if all are equal to the last bit.
    marks : array of str or None
        A `Mark` for each number; None without published numbers.
    """

    computed: NDArray[Any]
    published: NDArray[Any] | None
    low: NDArray[Any]
    high: NDArray[Any]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    digits: NDArray[np.int64]
    marks: NDArray[np.str_] | None

    @property
    def mark(self) -> Mark | None:
        """The worst of the marks; None without published numbers."""
        return None if self.marks is None else worst(self.marks.ravel())

    def part(self, index: Any) -> "Comparison":
        """The same for a part of the numbers: a row, a column, one of them."""
        arrays: dict[str, Any] = {k: None if a is None else a[index] for k, a in vars(self).items()}
        return Comparison(**arrays)


@dataclass(frozen=True, eq=False)
class Setting:
    """One alpha of an experiment: the run, and its numbers compared."""

    alpha: float
    run: Run
    errors: Comparison
    final_error: Comparison
    weights: tuple[Comparison, ...]
    direction_changes: tuple[Comparison, ...]
    note: str


@dataclass(frozen=True, eq=False)
class Result:
    """What an experiment came to.

    Attributes
    ----------
    experiment : Experiment
    settings : tuple of Setting
        One per alpha.
    outputs : Comparison or None
        (samples, outputs) that the listing prints after training: those of the last iteration's
        forward pass, so from before the last update. None if it prints no outputs.
    twins : int
        Twins beside each run: `TWINS`, or fewer if the network has too few weights for so many.
    seconds : float
        Time it took.
    """

    experiment: Experiment
    settings: tuple[Setting, ...]
    outputs: Comparison | None
    twins: int
    seconds: float

    @property
    def right(self) -> NDArray[np.bool_] | None:
        """(samples, outputs): whether an output lies on its target's side of 0.5."""
        if self.outputs is None:
            return None
        targets = np.array(self.experiment.y)[:, None]
        return np.equal(self.outputs.computed > 0.5, targets > 0.5)


@dataclass(frozen=True)
class Tally:
    """How many published errors, weights and tables of direction changes have which mark."""

    errors: dict[Mark, int]
    weights: dict[Mark, int]
    direction_tables: dict[Mark, int]


def compare(values: NDArray[Any], published: ArrayLike | None, form: str) -> Comparison:
    """Compare a run with its twins and with what the article prints.

    Parameters
    ----------
    values : (1 + twins, ...) array
        The run's numbers first, then those of each twin.
    published : (...) array_like or None
    form : str
        Format in which they were printed: `ERROR`, `WEIGHT` or `COUNT`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the published numbers do not have the shape of the run's.

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
        numbers = (array.ravel() for array in (values[0], printed, mean, deviation))
        each = [_mark(form, *four) for four in zip(*numbers, strict=True)]
        marks = np.array(each, dtype=str).reshape(printed.shape)
    return Comparison(
        values[0], printed, low, high, mean, deviation, _stable_digits(low, high), marks
    )


def _mark(form: str, computed: Any, published: Any, mean: float, deviation: float) -> Mark:
    text = format(published, form)
    if format(computed, form) == text:
        return Mark.AGREES
    half_unit = 0.0 if form == COUNT else 0.5 * 10.0 ** int(Decimal(text).as_tuple().exponent)
    within = abs(published - mean) <= DEVIATIONS * deviation + half_unit
    return Mark.WITHIN if within else Mark.DIFFERS


def _stable_digits(low: NDArray[Any], high: NDArray[Any]) -> NDArray[np.int64]:
    largest = np.maximum(abs(low), abs(high))
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.floor(-np.log10((high - low) / largest))
    # A NaN among the twins is no digit at all; below, 0/0 of equal numbers is put right, too.
    digits = np.clip(np.nan_to_num(digits, nan=0.0), 0, EXACT - 1)
    return np.where(low == high, EXACT, digits).astype(np.int64)


def worst(marks: Iterable[str]) -> Mark:
    """The worst of some marks, one at least.

    Examples
    --------
    >>> worst(["agrees", "within the spread", "agrees"]).value
    'within the spread'
    """
    return max(map(Mark, marks), key=list(Mark).index)


def twins(weights: Weights, count: int = TWINS) -> list[Weights]:
    """Copies of first weights in which each weight moves by one unit in the last place, or stays.

    Up, down or not at all, as a fixed random stream says; no two are alike.

    Parameters
    ----------
    weights : sequence of (inputs, outputs) arrays
    count : int
        How many; fewer come back from a network with so few weights that there are no more.

    Returns
    -------
    list of tuples of (inputs, outputs) arrays

    Examples
    --------
    >>> import numpy as np
    >>> for (twin,) in twins((np.array([[1.0]]),)):
    ...     print(float(twin[0, 0]))
    0.9999999999999999
    1.0000000000000002
    """
    # Moving a single weight is no match for another machine's rounding, which touches them all: at
    # hidden 32, alpha 10 the last error of all 256 such twins had a standard deviation of 1.5e-6,
    # of 1,023 like these 3.3e-6, and 16 groups of 64 from these gave the same marks.
    row = flatten(weights)
    sizes = (weights[0].shape[0], *(layer.shape[1] for layer in weights))
    moves = np.random.RandomState(SEED).choice((-1, 0, 1), (count, len(row)))
    moves = np.unique(moves[moves.any(axis=1)], axis=0)
    return [unflatten(np.nextafter(row, row + move), sizes) for move in moves]


def run(experiment: Experiment, *, threads: int | None = None) -> Result:
    """Run one experiment with all its twins, as one sweep, and compare it with the article.

    Parameters
    ----------
    experiment : Experiment
        One of `EXPERIMENTS`, or one of your own.
    threads : int, optional
        As in :func:`fastgd.sweep`.

    Returns
    -------
    Result

    Raises
    ------
    ValueError, TypeError
        If the experiment's data or settings do not suit :func:`fastgd.sweep`.

    Examples
    --------
    >>> result = run(EXPERIMENTS[0])
    >>> result.outputs.computed.round(3).ravel()
    array([0.005, 0.005, 0.995, 0.995])
    >>> bool(result.right.all())
    True
    """
    begin = perf_counter()
    start = first_weights(layer_sizes(len(experiment.X[0]), experiment.hidden_size, 1), SEED)
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
        runs = _train(before_last, starts, threads)[0]
        outputs = compare(np.array([one.predict(experiment.X) for one in runs]), None, ERROR)
    return Result(experiment, settings, outputs, len(starts) - 1, perf_counter() - begin)


def _train(experiment: Experiment, starts: list[Weights], threads: int | None) -> list[list[Run]]:
    """For each alpha the runs from all first weights."""
    trained = sweep(
        experiment.X,
        experiment.y,
        alpha=list(experiment.alphas),
        weights=starts,
        iterations=experiment.iterations,
        record_every=experiment.record_every,
        threads=threads,
    )
    rows, columns = trained.shape
    return [[trained[i, j] for j in range(columns)] for i in range(rows)]


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


def prepare(experiments: Iterable[Experiment], *, threads: int | None = None) -> float:
    """Compile or load all the code that these experiments need; returns the seconds it took."""
    begin = perf_counter()
    for experiment in experiments:
        run(replace(experiment, iterations=2, record_every=1, published=""), threads=threads)
    return perf_counter() - begin


def published(experiment: Experiment) -> dict[float, Published]:
    """What the article prints for each alpha of an experiment.

    Examples
    --------
    >>> published(EXPERIMENTS[2])[10.0].errors[-1]
    0.00131274062834
    """
    entries = _file()[experiment.published] if experiment.published else []
    return {
        entry["alpha"]: Published(**{k: v for k, v in entry.items() if k != "alpha"})
        for entry in entries
    }


def source() -> str:
    """Where the published numbers come from."""
    return str(_file()["source"])


@cache
def _file() -> dict[str, Any]:
    text = files("fastgd").joinpath("published.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def tally(results: Iterable[Result]) -> Tally:
    """Count the marks of all results.

    Examples
    --------
    >>> tally([run(EXPERIMENTS[2])]).direction_tables[Mark.AGREES]
    14
    """
    settings = [setting for result in results for setting in result.settings]
    weights = [layer for setting in settings for layer in setting.weights]
    changes = [layer for setting in settings for layer in setting.direction_changes]
    return Tally(
        errors=_count(mark for s in settings for mark in _flat(s.errors)),
        weights=_count(mark for layer in weights for mark in _flat(layer)),
        direction_tables=_count(layer.mark for layer in changes if layer.mark),
    )


def _flat(comparison: Comparison) -> list[str]:
    return [] if comparison.marks is None else list(comparison.marks.ravel())


def _count(marks: Iterable[str]) -> dict[Mark, int]:
    found = list(marks)
    return {mark: found.count(mark) for mark in Mark}
