"""The calls that draw the page's pictures: the page shows their bodies, which run as they stand."""

from typing import Any


def thirteen_lines() -> Any:
    """Errors of the listing at the top."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    run = fastgd.train(X, y, hidden_size=4, alpha=0.5, record_every=100)
    return fastgd.plots.errors(run)


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
    """Share of seeds that learn XOR."""
    import fastgd
    import fastgd.plots

    X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    y = [0, 1, 1, 0]
    sizes = [1, 2, 3, 4, 6, 8]
    sweep = fastgd.sweep(X, y, hidden_size=sizes, alpha=[1, 10], seed=range(200), iterations=10_000)
    return fastgd.plots.solved(sweep)
