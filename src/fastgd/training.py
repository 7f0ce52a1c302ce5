"""train() and sweep(): check, lay out, call the kernel in chunks, hand back results."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd import checks
from fastgd.kernel.block import Schedule
from fastgd.kernel.parallel import available_threads, train_blocks
from fastgd.memory import check_memory
from fastgd.network import (
    Layout,
    Weights,
    all_first_weights,
    first_weights,
    flatten,
    layer_sizes,
    pad,
    unflatten,
)
from fastgd.plan import Plan, Task
from fastgd.results import Run, Sweep

PREDICT_SAMPLES = 4096
"""Samples that predict() sends through the network at a time."""


def train(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    alpha: float | tuple[float, ...] = 1.0,
    iterations: int = 60_000,
    record_every: int = 10_000,
    seed: int = 1,
    weights: Sequence[ArrayLike] | None = None,
    progress: bool = False,
) -> Run:
    """Train one network by full-batch gradient descent, counting direction changes.

    Sigmoid units, squared error, no biases: the article's network, for any number of layers, units,
    inputs and outputs.

    Parameters
    ----------
    X : (samples, inputs) array_like
        Finite numbers.
    y : (samples,) or (samples, outputs) array_like
        Targets; a sigmoid reaches what lies between 0 and 1.
    hidden_size : int or tuple of int
        Units of the hidden layer, or of each of several; ``()`` for no hidden layer.
    alpha : float or tuple of float
        Learning rate, above 0; a tuple has one per layer.
    iterations : int
        Updates.
    record_every : int
        The error is recorded before the update of iterations 0, record_every, 2 * record_every, ...
    seed : int
        Seed of the first weights: ``2 * RandomState(seed).random_sample(shape) - 1``, a layer each.
    weights : sequence of (inputs, outputs) arrays, optional
        First weights to use instead; they also say how many hidden units there are.
    progress : bool
        Show a progress bar (needs tqdm).

    Returns
    -------
    Run

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.

    Notes
    -----
    The bits of the result depend on the arguments only, not on the machine. A weight's direction
    has changed at iteration j if ``update > 0`` is not what it was at iteration j - 1, where the
    update is minus the derivative (article, "Let's Take a Closer Look").

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, hidden_size=4, alpha=10)
    >>> print(run.errors)
    [0.49641003 0.00312939 0.0021446  0.00172398 0.00147821 0.00131274]
    >>> print(run.direction_changes[0])
    [[ 7 19  2  6]
     [ 7  2  0 22]
     [19 26  9 17]]
    """
    task = Task.check(X, y, iterations, record_every)
    bar = checks.check_flag("progress", progress)
    hidden, given = checks.check_start(hidden_size, weights, task.inputs, task.outputs)
    sizes = layer_sizes(task.inputs, hidden, task.outputs)
    rates = checks.check_alpha(alpha, len(sizes) - 1)
    seed = checks.check_seed(seed)
    plan = Plan.make(task, sizes, alphas=1, starts=1, threads=1)
    check_memory(plan.bytes(keep_weights=True), "the training")
    start = flatten(given or first_weights(sizes, seed))
    with _progress(bar, plan.work) as advance:
        trained = plan.run(start[None], np.array([rates]), keep_weights=True, advance=advance)
    return Run(
        alpha=_alpha(alpha, rates),
        hidden_size=sizes[1:-1],
        seed=None if given else seed,
        errors=trained.errors[0, :-1],
        recorded=task.recorded,
        weights=unflatten(trained.weights[0], sizes),
        direction_changes=unflatten(trained.changes[0], sizes),
        final_error=float(trained.errors[0, -1]),
        status=str(_status(trained.diverged)[0]),
        iterations=int(_updates(trained.diverged, task.iterations)[0]),
    )


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
    keep_weights: bool = True,
    threads: int | None = None,
    progress: bool = False,
) -> Sweep:
    """Train one network for each combination of values: :func:`train`, many at a time.

    ``hidden_size``, ``alpha``, ``seed`` and ``weights`` may each be a list, range or 1-D array: an
    axis of the sweep. A tuple is one value (several hidden layers, an alpha per layer); a 2-D array
    of alphas is an axis of such tuples, and a list of sequences of arrays an axis of weights. Every
    run has the same bits as :func:`train` would give it.

    Parameters
    ----------
    X, y, iterations, record_every, progress
        As in :func:`train`.
    hidden_size, alpha, seed, weights
        As in :func:`train`, or an axis of such values.
    keep_weights : bool
        False keeps errors and the totals of direction changes only, so that a million runs fit into
        memory.
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
    bar = checks.check_flag("progress", progress)
    keep = checks.check_flag("keep_weights", keep_weights)
    threads = checks.check_threads(threads, available_threads())
    given = {"hidden_size": hidden_size, "alpha": alpha, "seed": seed, "weights": weights}
    found = {name: checks.as_axis(name, value) for name, value in given.items()}
    axes = [name for name, axis in found.items() if axis is not None]
    checks.check_axes(axes, weights_given=weights is not None)
    values = {name: found[name] or [value] for name, value in given.items()}

    networks, starts = _starts(values, task)
    rates = [
        [checks.check_alpha(value, len(sizes) - 1) for value in values["alpha"]]
        for sizes in networks
    ]
    seeds = [checks.check_seed(value) for value in values["seed"]]
    plans = [
        Plan.make(task, sizes, len(values["alpha"]), len(starts or seeds), threads)
        for sizes in networks
    ]
    needed = sum(plan.bytes(keep) for plan in plans)
    check_memory(needed, "the sweep")

    trained = []
    with _progress(bar, sum(plan.work for plan in plans)) as advance:
        for sizes, plan, alphas in zip(networks, plans, rates, strict=True):
            first = (
                np.array(list(map(flatten, starts))) if starts else all_first_weights(sizes, seeds)
            )
            trained.append(plan.run(first, np.array(alphas), keep, advance))

    shown: dict[str, list[Any]] = {
        "hidden_size": [sizes[1:-1] for sizes in networks],
        "alpha": [_alpha(*pair) for pair in zip(values["alpha"], rates[0], strict=True)],
        "seed": [None] if starts else seeds,
        "weights": starts or [],
    }
    shape = [len(shown[name]) for name in axes]
    errors = np.concatenate([part.errors for part in trained]).reshape(*shape, -1)
    diverged = np.concatenate([part.diverged for part in trained]).reshape(shape)
    changes = np.concatenate([part.total_changes for part in trained]).reshape(shape)
    return Sweep(
        axes={name: shown[name] for name in axes},
        settings={name: shown[name][0] for name in ("alpha", "seed")},
        errors=errors[..., :-1],
        recorded=task.recorded,
        final_error=errors[..., -1],
        status=_status(diverged),
        iterations=_updates(diverged, task.iterations),
        total_changes=changes,
        sizes=tuple(networks),
        kept_weights=tuple(part.weights for part in trained) if keep else None,
        kept_changes=tuple(part.changes for part in trained) if keep else None,
    )


def outputs(weights: Weights, X: ArrayLike) -> NDArray[np.float64]:
    """Pass samples forward through a network with these weights: (samples, outputs)."""
    sizes = (weights[0].shape[0], *(layer.shape[1] for layer in weights))
    X = checks.check_inputs(X, sizes[0])
    result = np.empty((len(X), sizes[-1]))
    for start in range(0, len(X), PREDICT_SAMPLES):
        part = X[start : start + PREDICT_SAMPLES]
        data = pad(part, np.zeros((len(part), sizes[-1])))
        layout = Layout(sizes, 1, len(part), group=len(data.X) // sizes[0])
        block = layout.allocate(1, records=0)
        layout.load(block, flatten(weights)[None], np.ones((1, len(weights))))
        forward_only = Schedule(0, 1, 0, 1, layout.group, result.size)
        train_blocks(layout.shapes, data, layout.table, block, forward_only, threads=1)
        result[start : start + len(part)] = layout.outputs(block, len(part))
    return result


def _starts(
    values: dict[str, list[Any]], task: Task
) -> tuple[list[tuple[int, ...]], list[Weights] | None]:
    """Layer sizes of each network of a sweep, and the first weights if they are given."""
    pairs = [
        checks.check_start(hidden_size, weights, task.inputs, task.outputs)
        for hidden_size, weights in product(values["hidden_size"], values["weights"])
    ]
    networks = [layer_sizes(task.inputs, hidden, task.outputs) for hidden, _ in pairs]
    starts = [given for _, given in pairs if given is not None]
    if not starts:
        return networks, None
    for sizes in networks:
        if sizes != networks[0]:
            raise ValueError(
                "all weights of a sweep must be for the same hidden_size, "
                f"got {networks[0][1:-1]} and {sizes[1:-1]}"
            )
    return networks[:1], starts


def _alpha(given: object, rates: tuple[float, ...]) -> float | tuple[float, ...]:
    """Alpha as it was given: one number, or one per layer."""
    return rates if isinstance(given, tuple) else rates[0]


def _status(diverged: NDArray[np.int64]) -> NDArray[np.str_]:
    return np.where(diverged < 0, "finished", "diverged")


def _updates(diverged: NDArray[np.int64], iterations: int) -> NDArray[np.int64]:
    return np.where(diverged < 0, iterations, diverged)


@contextmanager
def _progress(shown: bool, total: int) -> Iterator[Callable[[int], None]]:
    """Hand out what to call with each chunk's iterations."""
    if not shown:
        yield lambda _iterations: None
        return
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError('progress=True needs tqdm: pip install "fastgd[cli]"') from error
    with tqdm(total=total, unit="it", unit_scale=True) as bar:
        yield bar.update
