"""basins(): the minima in which balls end, and the stretches of the line that lead to each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import (
    ABOVE_ZERO,
    FloatArray,
    Seed,
    check_count,
    check_ends,
    check_memory,
    check_number,
    check_seed,
)
from fastgd.formulas.named import Given
from fastgd.studies.bucket.examples import FIVE_MINIMA, FIVE_MINIMA_WINDOW
from fastgd.studies.bucket.rolling import BALL_BYTES, Roll, RuleName, roll

POINTS = 2001
"""Balls at equal distances, from which the stretches are found."""

HALVINGS = 40
"""Bisections of the distance between two of these balls, to find where one stretch ends."""

APART = 1e-3
"""Balls that end nearer to each other than this fraction of the window are in one minimum."""

NOWHERE = -1

BYTES = BALL_BYTES + 9 * 8
"""Memory per ball: its roll, its end and minimum, and temporary arrays."""


class Stretch(NamedTuple):
    """An interval of starting points whose balls all end in the same minimum, or in none.

    ``minimum`` is its index, or -1.
    """

    left: float
    right: float
    minimum: int


@dataclass(frozen=True, eq=False)
class Basins:
    """The minima in which balls end, from left to right; returned by :func:`basins`.

    Attributes
    ----------
    minima, heights : (minima,) array
        Their x, and the height of the curve there.
    counts : (minima,) array of int
        Number of random balls that ended in each.
    stretches : tuple of Stretch
        The window, divided into intervals that lead to one minimum each.
    roll : Roll
        The random balls.
    owner : (balls,) array of int
        Index of the minimum of each ball; -1 for a ball that did not converge.
    window : (float, float)
        The interval in which balls started.
    """

    minima: FloatArray
    heights: FloatArray
    counts: NDArray[np.int64]
    stretches: tuple[Stretch, ...]
    roll: Roll
    owner: NDArray[np.int64]
    window: tuple[float, float]

    def __repr__(self) -> str:
        """The number of balls, and the minima in which they ended."""
        places = ", ".join(f"{x:.6g}" for x in self.minima)
        lost = int((self.owner == NOWHERE).sum())
        rest = f", {lost} in none" if lost else ""
        return f"Basins({len(self.owner)} balls in {len(self.minima)} minima: {places}{rest})"


def basins(
    curve: Given | None = None,
    window: tuple[float, float] | None = None,
    *,
    slope: Given | None = None,
    balls: int = 100,
    seed: Seed = 1,
    record_path: bool = False,
    alpha: float | None = None,
    rule: RuleName = "alpha",
    iterations: int = 10_000,
    tolerance: float = 1e-9,
    farthest: float = 1e9,
    threads: int | None = None,
) -> Basins:
    """Start balls at random places, and find the minima in which they end (article, part 3).

    The article's "Solution 2": "Imagine that we randomly placed 100 balls on this line and started
    optimizing all of them. If we did so, they would all end up in only 5 positions."

    Parameters
    ----------
    curve, slope : function or str, optional
        As in :func:`roll`; by default ``FIVE_MINIMA``, a curve like the article's.
    window : (float, float)
        Interval in which balls start; required with a curve of your own.
    balls : int
        Number of random balls.
    seed : int, Generator or SeedSequence
        Seed of the random starts (uniform, ``numpy.random.RandomState``), as in
        :func:`fastgd.train`.
    record_path : bool
        Whether to keep the random balls' places at each step.
    alpha, rule, iterations, tolerance, farthest, threads
        As in :func:`roll`, with the same alpha for all balls.

    Returns
    -------
    Basins

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.

    Notes
    -----
    A basin depends on the rule and on alpha, too: balls that overshoot may end elsewhere. The
    stretches are found from 2,001 balls at equal distances, and their ends are refined by
    bisection; stretches that fall between two of these balls may be missed.

    Examples
    --------
    >>> from fastgd import bucket
    >>> found = bucket.basins()
    >>> found
    Basins(100 balls in 5 minima: -5.33438, -3.15462, -0.653414, 1.93551, 4.29511)
    >>> found.counts
    array([14, 22, 19, 25, 20])
    >>> [round(stretch.right, 3) for stretch in found.stretches]
    [-4.539, -1.834, 0.605, 3.127, 6.0]
    """
    if curve is None and slope is None:
        curve, window = FIVE_MINIMA, FIVE_MINIMA_WINDOW if window is None else window
    if window is None:
        raise ValueError("window must be given with a curve of your own: (lowest x, highest x)")
    low, high = check_ends("window", window)
    balls = check_count("balls", balls)
    seed = check_seed(seed)
    check_memory(balls * BYTES, "the balls")
    if alpha is not None:
        alpha = check_number("alpha", alpha, ABOVE_ZERO)
    again: Callable[..., Roll] = partial(
        roll, slope, curve=curve, alpha=alpha, rule=rule, iterations=iterations,
        tolerance=tolerance, farthest=farthest, threads=threads,
    )  # fmt: skip
    places = np.random.RandomState(seed).uniform(low, high, balls)
    rolled = again(places, record_path=record_path)
    grid = np.linspace(low, high, POINTS)
    on_grid = again(grid)
    apart = APART * (high - low)
    ends = [each.x[each.status == "converged"] for each in (rolled, on_grid)]
    minima = _places(np.concatenate(ends), apart)

    def find(rolled: Roll) -> NDArray[np.int64]:
        """The index of the minimum that each ball is in, or -1."""
        if not len(minima):
            return np.full(rolled.x.shape, NOWHERE)
        nearest: NDArray[np.int64] = np.searchsorted((minima[1:] + minima[:-1]) / 2, rolled.x)
        away = np.abs(rolled.x - minima[nearest])
        nearest[(away > apart) | (rolled.status != "converged")] = NOWHERE
        return nearest

    owner = find(rolled)
    heights, _ = rolled.curve.at(minima)
    return Basins(
        minima,
        heights,
        np.bincount(owner[owner != NOWHERE], minlength=len(minima)),
        _stretches(grid, find(on_grid), lambda x: find(again(x))),
        rolled,
        owner,
        (low, high),
    )


def _places(ends: FloatArray, apart: float) -> FloatArray:
    """One place for each cluster of ends: the one in its middle."""
    ordered = np.sort(ends)
    if not len(ordered):
        return ordered
    firsts = np.concatenate([[0], np.flatnonzero(np.diff(ordered) > apart) + 1])
    ends_before = np.append(firsts[1:], len(ordered))
    places: FloatArray = ordered[(firsts + ends_before) // 2]
    return places


def _stretches(
    grid: FloatArray, owner: NDArray[np.int64], find: Callable[[FloatArray], NDArray[np.int64]]
) -> tuple[Stretch, ...]:
    """Cut the line between neighbors that end in different minima."""
    cuts = np.flatnonzero(owner[1:] != owner[:-1])
    left, right = grid[cuts], grid[cuts + 1]
    for _ in range(HALVINGS if len(cuts) else 0):
        middle = (left + right) / 2
        is_left = find(middle) == owner[cuts]
        left, right = np.where(is_left, middle, left), np.where(is_left, right, middle)
    edges = [grid[0], *((left + right) / 2), grid[-1]]
    minima = [*owner[cuts], owner[-1]]
    return tuple(
        Stretch(float(a), float(b), int(minimum))
        for a, b, minimum in zip(edges, edges[1:], minima, strict=False)
    )
