"""sweep(): one network for each combination of values, many at a time."""

from __future__ import annotations

from itertools import product, repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import options
from fastgd.arguments.axes import MOST_NETWORKS, as_axis, check_axes, check_networks
from fastgd.arguments.cautions import warn_of_targets
from fastgd.arguments.data import Parts
from fastgd.arguments.memory import check_memory
from fastgd.arguments.messages import shown
from fastgd.arguments.start import check_alphas, check_start, check_whole
from fastgd.arguments.values import check_flag, check_seeds, check_threads
from fastgd.engine.network import all_first_weights
from fastgd.engine.plan import Plan, Task, Trained, network_of
from fastgd.engine.progress import progress_bar
from fastgd.engine.session import available_threads
from fastgd.engine.summaries import STATUS, summarise
from fastgd.training.grid import Grid
from fastgd.training.results import Summary
from fastgd.training.runs import Sweep
from fastgd.training.source import Source


def sweep(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: Any = 4,
    alpha: Any = 1.0,
    iterations: int = 60_000,
    record_every: int = 10_000,
    seed: Any = 1,
    weights: Any = None,
    biases: Any = None,
    keep_weights: bool = True,
    threads: int | None = None,
    progress: bool = False,
    **given_options: Any,
) -> Sweep:
    """Train one network for each combination of values: :func:`fastgd.train`, many at a time.

    ``hidden_size``, ``alpha``, ``seed`` and ``weights`` may each be a list, range or 1-D array: an
    axis of the sweep. A tuple is one value (several hidden layers, an alpha per layer); a 2-D array
    of alphas is an axis of such tuples, and a list of runs, or of sequences of arrays, an axis of
    weights. Every run has the same bits as :func:`fastgd.train` would give it.

    Parameters
    ----------
    X, y, iterations, record_every, progress
        As in :func:`fastgd.train`.
    hidden_size, alpha, seed, weights
        As in :func:`fastgd.train`, or an axis of such values. There must not be more than 10,000
        combinations of the axes that change the network or its code: ``hidden_size``,
        ``optimizer``, ``activation``, ``output``, ``loss``, ``bias``, ``batch_norm``,
        ``batch_size``.
    biases : optional
        As in :func:`fastgd.train`; beside an axis of weights a list of as many.
    keep_weights : bool
        False keeps errors and the totals of direction changes only, so that a million runs fit into
        memory. A run that is asked for is then trained again.
    threads : int, optional
        How many threads work on it; all that Numba has by default (``NUMBA_NUM_THREADS``).

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or the sweep would not fit into memory; the message
        states the rule and what came. Nothing is allocated before.

    Warns
    -----
    UserWarning
        If a target is outside of what the output units reach.

    Examples
    --------
    The article's first sweep:

    >>> import fastgd
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> sweep = fastgd.sweep(X, y, alpha=[0.001, 0.01, 0.1, 1, 10, 100, 1000])
    >>> sweep.shape
    (7,)
    >>> print(sweep.errors[:, -1])
    [0.48597786 0.09859643 0.01301449 0.00351012 0.00131274 0.12520635
     0.5       ]
    >>> sweep.best().alpha
    10.0
    """
    task = Task.check(X, y, iterations, record_every)
    bar = check_flag("progress", progress)
    keep = check_flag("keep_weights", keep_weights)
    threads = check_threads(threads, available_threads())
    given = {"hidden_size": hidden_size, "alpha": alpha, "seed": seed, "weights": weights}
    found = {
        name: as_axis(name, value, MOST_NETWORKS if name == "hidden_size" else None)
        for name, value in given.items()
    }
    check_axes(
        [name for name, axis in found.items() if axis is not None],
        weights_given=weights is not None,
    )
    structures, _ = options.axes(given_options)
    check_networks({"hidden_size": found["hidden_size"] or [None], **structures})
    values = {name: found[name] or [value] for name, value in given.items()}

    hiddens, starts = _starts(values, _biases(biases, found["weights"]), task)
    rates = [check_alphas(values["alpha"], len(hidden) + 1) for hidden in hiddens]
    seeds = check_seeds(values["seed"])
    chosen = options.check_sweep(given_options, task.X, task.y, hiddens)
    for start, method in product(starts or (), chosen.methods):
        check_whole(start, bias=method.bias, batch_norm=method.batch_norm)
    warn_of_targets({method.output for method in chosen.methods}, task.y)
    count = len(starts or seeds)
    plans = [
        Plan.make(
            task, network_of(task, hidden, method), method, alphas, chosen.values, count, threads
        )
        for hidden, alphas in zip(hiddens, rates, strict=True)
        for method in chosen.methods
    ]
    needed, least = (sum(plan.bytes(kept) for plan in plans) for kept in (keep, False))
    check_memory(needed, "the sweep", ("keep_weights=False", least) if keep else None)

    trained = []
    masks = np.array(seeds * count if starts else seeds, dtype=np.int64)
    with progress_bar(bar, sum(plan.work for plan in plans), " updates") as advance:
        for plan in plans:
            network = plan.layout.network
            first = (
                np.array(list(map(network.row, starts)))
                if starts
                else network.rows(all_first_weights(network.sizes, seeds))
            )
            trained.append(plan.run(first, masks, keep, advance))

    def axis(name: str, checked: list[Any] | None) -> list[Any] | None:
        return None if found[name] is None else checked

    grid = Grid.of(
        hidden_size=axis("hidden_size", hiddens),
        structures=chosen.structures,
        alpha=axis("alpha", alphas := _alphas(values["alpha"], rates[0])),
        values=chosen.values,
        seed=axis("seed", seeds),
        weights=axis("weights", starts),
    )

    def joined(name: str) -> NDArray[Any]:
        return grid.join([getattr(part, name) for part in trained])

    return Sweep(
        axes=grid.axes,
        settings={"alpha": alphas[0], "seed": None if starts else seeds[0]},
        method=chosen.methods[0],
        errors=joined("errors"),
        recorded=task.recorded,
        final_error=joined("final_error"),
        status=np.asarray(STATUS[joined("outcome")]),
        iterations=joined("iterations"),
        total_changes=joined("total_changes"),
        summary=_summary(plans, trained, grid),
        networks=tuple(plan.layout.network for plan in plans),
        kept_weights=tuple(part.weights for part in trained) if keep else None,
        kept_changes=tuple(part.changes for part in trained) if keep else None,
        source=None if keep else _source(task, starts, seeds[0]),
    )


def _source(task: Task, starts: list[Parts] | None, seed: int) -> Source:
    """What a run is trained again from; an axis of first weights has its networks itself."""
    start = starts[0] if starts else None
    return Source(task.X, task.y, task.iterations, task.record_every, weights=start, seed=seed)


def _biases(biases: Any, weights: list[Any] | None) -> list[Any]:
    """Biases of each start."""
    if weights is None or biases is None:
        return [biases]
    if not isinstance(biases, (list, tuple)) or len(biases) != len(weights):
        raise ValueError(
            "biases must be a list with those of each of the weights, if these are an axis "
            f"({len(weights)}), got {shown(biases)}"
        )
    return list(biases)


def _starts(
    values: dict[str, list[Any]], biases: list[Any], task: Task
) -> tuple[list[tuple[int, ...]], list[Parts] | None]:
    """Hidden sizes of each network of a sweep, and the networks to start from if they are given."""
    each = biases if len(biases) > 1 else list(repeat(biases[0], len(values["weights"])))
    pairs = [
        check_start(hidden_size, weights, task.inputs, task.outputs, own)
        for hidden_size in values["hidden_size"]
        for weights, own in zip(values["weights"], each, strict=True)
    ]
    hiddens = [hidden for hidden, _ in pairs]
    starts = [given for _, given in pairs if given is not None]
    if not starts:
        return hiddens, None
    for hidden in hiddens:
        if hidden != hiddens[0]:
            raise ValueError(
                "all weights of a sweep must be for the same hidden_size, "
                f"got {hiddens[0]} and {hidden}"
            )
    return hiddens[:1], starts


def _alphas(given: list[Any], rates: NDArray[np.float64]) -> list[Any]:
    rows = rates.tolist()
    return [
        tuple(row) if isinstance(value, tuple) else row[0]
        for value, row in zip(given, rows, strict=True)
    ]


def _summary(plans: list[Plan], trained: list[Trained], grid: Grid) -> Summary | None:
    window = plans[0].method.summary
    if window is None:
        return None
    parts = [summarise(part.watch, window) for part in trained]
    return Summary(*(grid.join(arrays) for arrays in zip(*parts, strict=True)))
