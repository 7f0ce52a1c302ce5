"""The code of the page's figures: the page shows the bodies of these functions."""

from typing import Any


def thirteen_lines() -> Any:
    """Errors of the 13 lines."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    run = fastgd.train(X, y, hidden_size=4, alpha=0.5, record_every=100)
    return fastgd.plots.errors(run)


def race() -> Any:
    """Nine optimizers on XOR."""
    import matplotlib.pyplot as plt

    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    race = fastgd.race(X, y, hidden_size=4, iterations=1000)
    _, axes = plt.subplots(2, layout="constrained")
    return fastgd.plots.race(race, race.surface(), ax=tuple(axes))


def ball() -> Any:
    """One ball in a bucket."""
    import fastgd.plots

    rolled = fastgd.bucket.roll(curve="x**2", start=-3, alpha=0.1, record_path=True)
    return fastgd.plots.roll(rolled)


def slopes_too_big() -> Any:
    """Problem 1."""
    import fastgd.plots

    example = fastgd.bucket.EXAMPLES["too-big"]
    rolled = example.roll()
    return fastgd.plots.roll(rolled, window=example.window)


def local_minimum() -> Any:
    """Problem 2."""
    import fastgd.plots

    example = fastgd.bucket.EXAMPLES["local-minimum"]
    rolled = example.roll()
    return fastgd.plots.roll(rolled, window=example.window)


def basins() -> Any:
    """Solution 2."""
    import fastgd.plots

    found = fastgd.bucket.basins(balls=100)
    return fastgd.plots.basins(found)


def slopes_too_small() -> Any:
    """Problem 3, the rut."""
    import fastgd.plots

    example = fastgd.bucket.EXAMPLES["rut"]
    rolled = example.roll()
    return fastgd.plots.roll(rolled, window=example.window)


def flat_stretch() -> Any:
    """Problem 3, the flat stretch."""
    import fastgd.plots

    example = fastgd.bucket.EXAMPLES["too-small"]
    rolled = example.roll()
    return fastgd.plots.roll(rolled, window=example.window)


def error_plane() -> Any:
    """The loss surface in 3-D."""
    import fastgd
    import fastgd.plots

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
    import fastgd
    import fastgd.plots

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
    import fastgd
    import fastgd.plots

    X = [[0, 1], [0, 1], [1, 0], [1, 0]]
    y = [0, 0, 1, 1]
    run = fastgd.train(
        X, y, hidden_size=(), iterations=10_000, record_every=10, record_weights=True
    )
    return fastgd.plots.weight_paths(run)


def alphas() -> Any:
    """Errors of the seven alphas."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    alphas = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    sweep = fastgd.sweep(X, y, hidden_size=4, alpha=alphas, record_every=500)
    return fastgd.plots.errors(sweep)


def takeaways() -> Any:
    """Alpha against error and direction changes."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    alphas = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    sweep = fastgd.sweep(X, y, hidden_size=4, alpha=alphas, seed=range(100))
    return fastgd.plots.takeaways(sweep)


def changes_of_a_tiny_alpha() -> Any:
    """Direction changes, alpha 0.001."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    run = fastgd.train(X, y, hidden_size=4, alpha=0.001)
    return fastgd.plots.direction_changes(run)


def changes_of_the_best_alpha() -> Any:
    """Direction changes, alpha 10."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    run = fastgd.train(X, y, hidden_size=4, alpha=10)
    return fastgd.plots.direction_changes(run)


def changes_of_a_huge_alpha() -> Any:
    """Direction changes, alpha 1000."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    run = fastgd.train(X, y, hidden_size=4, alpha=1000)
    return fastgd.plots.direction_changes(run)


def hidden_sizes() -> Any:
    """Errors with 4 and with 32 hidden units."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    sweep = fastgd.sweep(X, y, hidden_size=[4, 32], alpha=[0.1, 1, 10], record_every=500)
    return fastgd.plots.errors(sweep)


def solved() -> Any:
    """Fraction of seeds that learn XOR."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    sweep = fastgd.sweep(
        X,
        y,
        hidden_size=[1, 2, 3, 4, 6, 8],
        alpha=[1, 10],
        seed=range(200),
        iterations=10_000,
    )
    return fastgd.plots.solved(sweep)
