"""The code of the page's figures: the page shows the bodies of these functions, below the imports.

Where a body uses X and y, it shows them, too. In the place of a parameter it has the argument.
"""

from functools import partial
from typing import Any

import fastgd
import fastgd.plots

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]


def thirteen_lines() -> Any:
    """Errors of the 13 lines."""
    run = fastgd.train(X, y, hidden_size=4, alpha=0.5, record_every=100)
    return fastgd.plots.errors(run)


def race() -> Any:
    """All optimizers on XOR."""
    import matplotlib.pyplot as plt

    race = fastgd.race(X, y, hidden_size=4, iterations=1000)
    _, axes = plt.subplots(2, layout="constrained")
    return fastgd.plots.race(race, race.surface(), ax=tuple(axes))


def ball() -> Any:
    """One ball in a bucket."""
    rolled = fastgd.bucket.roll(curve="x**2", start=-3, alpha=0.1, record_path=True)
    return fastgd.plots.roll(rolled)


def _example(name: str) -> Any:
    """Balls of one of the article's problems."""
    example = fastgd.bucket.EXAMPLES[name]
    rolled = example.roll()
    return fastgd.plots.roll(rolled, window=example.window)


slopes_too_big = partial(_example, name="too-big")
local_minimum = partial(_example, name="local-minimum")
slopes_too_small = partial(_example, name="rut")
flat_stretch = partial(_example, name="too-small")


def basins() -> Any:
    """Solution 2."""
    found = fastgd.bucket.basins(balls=100)
    return fastgd.plots.basins(found)


def error_plane() -> Any:
    """The loss surface in 3-D."""
    X = [[0, 1], [0, 1], [1, 0], [1, 0]]
    y = [0, 0, 1, 1]
    run = fastgd.train(
        X,
        y,
        hidden_size=(),
        iterations=10_000,
        record_every=1,
        record_weights=True,
    )
    plane = fastgd.surface(X, y, run, span=(-10, 10))
    return fastgd.plots.surface(plane, kind="3d", paths=run)


def error_plane_from_above() -> Any:
    """The loss surface from above."""
    X = [[0, 1], [0, 1], [1, 0], [1, 0]]
    y = [0, 0, 1, 1]
    run = fastgd.train(
        X,
        y,
        hidden_size=(),
        iterations=10_000,
        record_every=1,
        record_weights=True,
    )
    plane = fastgd.surface(X, y, run, span=(-10, 10))
    return fastgd.plots.surface(plane, paths=run)


def two_layer() -> Any:
    """Paths of the two weights."""
    X = [[0, 1], [0, 1], [1, 0], [1, 0]]
    y = [0, 0, 1, 1]
    run = fastgd.train(
        X, y, hidden_size=(), iterations=10_000, record_every=10, record_weights=True
    )
    return fastgd.plots.weight_paths(run)


def alphas() -> Any:
    """Errors of the seven alphas."""
    alphas = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    sweep = fastgd.sweep(X, y, hidden_size=4, alpha=alphas, record_every=500)
    return fastgd.plots.errors(sweep)


def takeaways() -> Any:
    """Alpha against error and direction changes."""
    alphas = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    sweep = fastgd.sweep(X, y, hidden_size=4, alpha=alphas, seed=range(100))
    return fastgd.plots.takeaways(sweep)


def _changes(value: float) -> Any:
    """Direction changes with one alpha."""
    run = fastgd.train(X, y, hidden_size=4, alpha=value)
    return fastgd.plots.direction_changes(run)


changes_of_a_tiny_alpha = partial(_changes, value=0.001)
changes_of_the_best_alpha = partial(_changes, value=10)
changes_of_a_huge_alpha = partial(_changes, value=1000)


def hidden_sizes() -> Any:
    """Errors with 4 and with 32 hidden units."""
    sweep = fastgd.sweep(X, y, hidden_size=[4, 32], alpha=[0.1, 1, 10], record_every=500)
    return fastgd.plots.errors(sweep)


def solved() -> Any:
    """Fraction of seeds that learn XOR."""
    sweep = fastgd.sweep(
        X,
        y,
        hidden_size=[1, 2, 3, 4, 6, 8],
        alpha=[1, 10],
        seed=range(200),
        iterations=10_000,
    )
    return fastgd.plots.solved(sweep)
