"""Runs of the article's experiments with their twins, compared with the published numbers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.article.comparison import COUNT, ERROR, WEIGHT, Comparison, Mark, compare, twins
from fastgd.article.experiments import Experiment, Published, published
from fastgd.engine.network import Weights, first_weights
from fastgd.training.run import Run
from fastgd.training.train_sweep import sweep
from fastgd.workers.compiling import Call, compile_all

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
class Result:
    """The result of an experiment.

    Attributes
    ----------
    experiment : Experiment
    settings : tuple of Setting
        One per alpha.
    outputs : Comparison or None
        (samples, outputs) that the listing prints after training: those of the last iteration's
        forward pass, that is before the last update. None if it prints no outputs.
    twins : int
        Number of twins of each run: `TWINS`, or fewer if the network has too few weights.
    seconds : float
        Duration.
    """

    experiment: Experiment
    settings: tuple[Setting, ...]
    outputs: Comparison | None
    twins: int
    seconds: float

    @property
    def right(self) -> NDArray[np.bool_] | None:
        """Whether each output is on its target's side of 0.5, (samples, outputs)."""
        if self.outputs is None:
            return None
        targets = np.array(self.experiment.y)[:, None]
        return np.equal(self.outputs.computed > 0.5, targets > 0.5)


@dataclass(frozen=True)
class Tally:
    """Counts of published errors, weights and tables of direction changes by mark."""

    errors: dict[Mark, int]
    weights: dict[Mark, int]
    direction_tables: dict[Mark, int]


def run(experiment: Experiment, *, threads: int | None = None) -> Result:
    """Run an experiment and all its twins as one sweep, and compare it with the article.

    Parameters
    ----------
    experiment : Experiment
        One of `fastgd.article.experiments.EXPERIMENTS`, or one of your own.
    threads : int, optional
        As in :func:`fastgd.sweep`.

    Returns
    -------
    Result

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
        outputs = compare(_outputs(experiment, networks, threads), None, ERROR)
    return Result(experiment, settings, outputs, len(starts) - 1, perf_counter() - begin)


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
    return [[trained[i, j] for j in range(len(starts))] for i in range(len(experiment.alphas))]


def _outputs(
    experiment: Experiment, networks: Sequence[Weights], threads: int | None
) -> NDArray[np.float64]:
    """Return the outputs of these networks, (networks, samples, 1), as ``predict`` does.

    A sigmoid's output is the error of a sample whose target is 0. So the outputs are computed by
    the code that has just trained; ``predict`` would take a second or more to compile, for a few
    numbers.
    """
    found = []
    for sample in experiment.X:
        alone = replace(experiment, X=(sample,), y=(0,), alphas=experiment.alphas[:1], iterations=1)
        found.append([one.errors for one in _train(alone, networks, threads)[0]])
    return np.array([list(samples) for samples in zip(*found, strict=True)])


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


def short(experiments: Iterable[Experiment], *, threads: int | None = None) -> list[Call]:
    """Return quick calls that need the same compiled code as these experiments."""
    few = [replace(one, iterations=2, record_every=1, published="") for one in experiments]
    return [partial(run, one, threads=threads) for one in few]


def tally(results: Iterable[Result]) -> Tally:
    """Count the marks of all results.

    Examples
    --------
    >>> from fastgd.article.experiments import EXPERIMENTS
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
