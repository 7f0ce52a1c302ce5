"""What is trained in a comparison, and the check that everybody really trains it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd import reference

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests"))
from cases import COMPILED, LINE_X, LINE_Y, OPTIONS, XOR_CODE, XOR_X, XOR_Y

__all__ = [
    "COMPILED",
    "LINE_X",
    "LINE_Y",
    "OPTIONS",
    "XOR_CODE",
    "XOR_X",
    "XOR_Y",
    "Work",
    "article",
    "check",
    "made_up",
]

Array = NDArray[np.float64]

ALPHAS = tuple(np.logspace(-3, 0, 32).tolist())
"""32 of them with 32 seeds are 1,024 runs; with 32 hidden units more than 1 is chaotic."""

SMALL_ALPHAS = tuple(np.logspace(-4, -2, 32).tolist())
"""For hundreds of samples, whose derivatives add up."""

LENGTH = 48
"""Iterations come in multiples of this, so that any loop can be unrolled and any error recorded.

Checks run once this long: enough to show a wrong formula, too short for rounding to grow.
"""

TOLERANCE = 1e-9

CHECKED_RUNS = 1024
"""At most so many runs of a check differ in alpha; a map has a quarter of a million."""


@dataclass(frozen=True)
class Work:
    """Networks of one shape, one for each pair of a learning rate and a seed (R runs in all)."""

    X: Array  # (samples, inputs)
    y: Array  # (samples, outputs)
    hidden_size: tuple[int, ...]
    alphas: tuple[float, ...] | tuple[tuple[float, ...], ...]  # or one per layer of weights each
    seeds: range
    iterations: int
    records: int  # errors that are recorded, at equal distances
    counts: bool  # whether the peers count direction changes, too; fastgd always does
    options: Mapping[str, Any] = field(default_factory=dict)  # further arguments of fastgd.train

    @property
    def runs(self) -> int:
        """Number of networks, R."""
        return len(self.alphas) * len(self.seeds)

    @property
    def record_every(self) -> int:
        """Iterations from one recorded error to the next."""
        return self.iterations // self.records

    @property
    def alpha(self) -> Array:
        """(R,) or (R, layers) learning rates, seeds being the faster axis."""
        return np.repeat(np.array(self.alphas), len(self.seeds), axis=0)

    @property
    def weights(self) -> tuple[Array, ...]:
        """First weights, (R, inputs, outputs) per layer."""
        # As the article draws them. Not by a function of ours: older trees are measured, too.
        shapes = [*pairwise((self.X.shape[1], *self.hidden_size, self.y.shape[1]))]
        streams = [np.random.RandomState(seed) for seed in self.seeds]
        layers = [np.array([2 * s.random_sample(shape) - 1 for s in streams]) for shape in shapes]
        return tuple(np.tile(layer, (len(self.alphas), 1, 1)) for layer in layers)

    def times(self, share: float) -> "Work":
        """The same work with this share of the iterations."""
        if share == 1:
            return self
        return replace(self, iterations=LENGTH * max(1, round(share * self.iterations / LENGTH)))

    def part(self, alphas: int) -> "Work":
        """The same work with at most so many learning rates, at equal distances."""
        return replace(self, alphas=self.alphas[:: -(-len(self.alphas) // alphas)])

    def given(self, **options: Any) -> "Work":
        """The same work with these options and no others."""
        return replace(self, options=options)

    def shortest(self) -> "Work":
        """The same work for a check."""
        return replace(self.part(CHECKED_RUNS), iterations=LENGTH)


@dataclass(frozen=True)
class Result:
    """What everybody hands back."""

    errors: Array  # (R, records)
    weights: tuple[Array, ...]  # (R, inputs, outputs) per layer
    changes: tuple[NDArray[np.int64], ...] | None  # the same shapes; None if not counted


def article(hidden: int, alphas: tuple[float, ...], seeds: int, iterations: int) -> Work:
    """Return trainings of 3-``hidden``-1 networks on the article's data, with direction counts."""
    return Work(XOR_X, XOR_Y, (hidden,), alphas, range(1, seeds + 1), iterations, 6, True)


def made_up(
    samples: int, sizes: tuple[int, ...], alphas: tuple[float, ...], seeds: int, iterations: int
) -> Work:
    """Return trainings of networks with these layers on random numbers, without counts."""
    random = np.random.RandomState(0)
    X = 2 * random.random_sample((samples, sizes[0])) - 1
    y = random.random_sample((samples, sizes[-1]))
    return Work(X, y, sizes[1:-1], alphas, range(1, seeds + 1), iterations, 2, False)


def check(name: str, result: Result, work: Work) -> None:
    """Compare the first, the middle and the last run of a result with ``fastgd.reference``.

    Raises
    ------
    AssertionError
        If a weight or an error is off by more than ``TOLERANCE``, or a count at all.
    """
    alpha, weights = work.alpha, work.weights
    for run in sorted({0, work.runs // 2, work.runs - 1}):
        oracle = reference.train(
            work.X,
            work.y,
            weights=[layer[run] for layer in weights],
            alpha=tuple(rates) if isinstance(rates := alpha[run].tolist(), list) else rates,
            seed=work.seeds[run % len(work.seeds)],  # of what is drawn later, dropout for one
            iterations=work.iterations,
            record_every=work.record_every,
            **work.options,
        )
        said = f"{name}, run {run}"
        pairs = [(result.errors[run], oracle.errors)]
        pairs += [(layer[run], w) for layer, w in zip(result.weights, oracle.weights, strict=True)]
        for theirs, expected in pairs:
            np.testing.assert_allclose(theirs, expected, TOLERANCE, TOLERANCE, err_msg=said)
        if result.changes is not None:
            for counted, changes in zip(result.changes, oracle.direction_changes, strict=True):
                np.testing.assert_array_equal(counted[run], changes, err_msg=said)
