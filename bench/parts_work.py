"""What is trained where every run has its own data: folds of one table, and groups of many."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd import Run, reference
from workload import LENGTH, TOLERANCE, Array

RECORDS = 2


@dataclass(frozen=True)
class Folds:
    """A table, its folds, and the settings of the runs of each: alpha, l2, seed; the last fastest.

    Folds are contiguous, as those of ``sklearn.model_selection.KFold(k)``.
    """

    X: Array
    y: Array
    k: int
    hidden: int
    alphas: tuple[float, ...]
    l2s: tuple[float, ...]
    seeds: range
    iterations: int

    @property
    def settings(self) -> int:
        """Runs of one fold."""
        return len(self.alphas) * len(self.l2s) * len(self.seeds)

    @property
    def runs(self) -> int:
        """Runs of all folds."""
        return self.k * self.settings

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """(k, samples), True is held out."""
        held = np.zeros((self.k, len(self.X)), dtype=bool)
        for rows, part in zip(held, np.array_split(np.arange(len(self.X)), self.k), strict=True):
            rows[part] = True
        return held

    def setting(self, i: int) -> tuple[float, float, int]:
        """Alpha, l2 and seed of run i of a fold."""
        at = np.unravel_index(i, (len(self.alphas), len(self.l2s), len(self.seeds)))
        return self.alphas[at[0]], self.l2s[at[1]], self.seeds[at[2]]

    def part(self, settings: int) -> "Folds":
        """The same with one learning rate in ``settings`` only."""
        return replace(self, alphas=self.alphas[::settings])

    def check(self, name: str, errors: Array, held: Array, weights: tuple[Array, ...]) -> None:
        """Compare three runs with ``fastgd.reference``.

        Raises
        ------
        AssertionError
            If a weight or an error is off by more than ``TOLERANCE``.
        """
        for run in (0, self.runs // 2, self.runs - 1):
            fold, i = divmod(run, self.settings)
            out = self.held_out[fold]
            alpha, l2, seed = self.setting(i)
            oracle = reference.train(
                self.X[~out],
                self.y[~out],
                hidden_size=self.hidden,
                alpha=alpha,
                l2=l2,
                seed=seed,
                iterations=self.iterations,
                record_every=self.iterations // RECORDS,
            )
            same_run(f"{name}, run {run}", errors[run], [w[run] for w in weights], oracle)
            first = reference.train(
                self.X[out], self.y[out], hidden_size=self.hidden, seed=seed, iterations=1
            )
            same(f"{name}, run {run}, held out", held[run, 0], first.errors[0])


@dataclass(frozen=True)
class Groups:
    """A table of many groups, a network for each."""

    X: Array
    y: Array
    labels: NDArray[np.int64]
    hidden: int
    options: dict[str, Any]  # of fastgd.train
    iterations: int

    @property
    def tables(self) -> list[tuple[Array, Array]]:
        """Rows of each group; those of one group are neighbors."""
        cuts = np.flatnonzero(np.diff(self.labels)) + 1
        return list(zip(np.split(self.X, cuts), np.split(self.y, cuts), strict=True))

    def part(self, groups: int) -> "Groups":
        """So many of the groups, at equal distances of their sizes."""
        sizes = np.bincount(self.labels)
        order = np.argsort(sizes, kind="stable")
        at = (np.arange(groups) + 0.5) * len(sizes) / groups
        rows = np.isin(self.labels, order[at.astype(int)])
        labels = np.unique(self.labels[rows], return_inverse=True)[1]
        return replace(self, X=self.X[rows], y=self.y[rows], labels=labels)

    def check(self, name: str, errors: Array, weights: tuple[Array, ...]) -> None:
        """Compare three groups with ``fastgd.reference``.

        Raises
        ------
        AssertionError
            If a weight or an error is off by more than ``TOLERANCE``.
        """
        tables = self.tables
        for i in (0, len(tables) // 2, len(tables) - 1):
            oracle = reference.train(
                *tables[i],
                hidden_size=self.hidden,
                iterations=self.iterations,
                record_every=self.iterations // RECORDS,
                **self.options,
            )
            same_run(f"{name}, group {i}", errors[i], [w[i] for w in weights], oracle)


def same_run(said: str, errors: Array, weights: list[Array], oracle: Run) -> None:
    """Raise an AssertionError if errors or weights are not those of the oracle."""
    same(said, errors, oracle.errors)
    for layer, expected in zip(weights, oracle.weights, strict=True):
        same(said, layer, expected)


def same(said: str, theirs: Any, expected: Any) -> None:
    """Raise an AssertionError if figures are others."""
    np.testing.assert_allclose(theirs, expected, TOLERANCE, TOLERANCE, err_msg=said)


def length(iterations: int, effort: float) -> int:
    """Share of the iterations, in whole ``LENGTH``."""
    return LENGTH * max(1, round(iterations * effort / LENGTH))


def lognormal_groups(groups: int, iterations: int) -> Groups:
    """Return groups of 20 to 500 rows whose sizes are spread like a log-normal (sigma 1)."""
    random = np.random.RandomState(0)
    sizes = np.clip(np.exp(np.log(80) + random.standard_normal(groups)), 20, 500).astype(int)
    labels = np.repeat(np.arange(groups), sizes)
    X = 2 * random.random_sample((len(labels), 6)) - 1
    slopes = random.standard_normal((groups, 6))
    y = np.tanh((X * slopes[labels]).sum(axis=1, keepdims=True))
    options = {"alpha": 3e-4, "output": "identity"}
    return Groups(X, y, labels, 8, options, iterations)


def equal_groups(groups: int, X: Array, y: Array, hidden: int, iterations: int) -> Groups:
    """Return groups that all have the same rows."""
    labels = np.repeat(np.arange(groups), len(X))
    options = {"alpha": 1e-3}
    return Groups(
        np.tile(X, (groups, 1)), np.tile(y, (groups, 1)), labels, hidden, options, iterations
    )
