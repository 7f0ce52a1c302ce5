"""train() and sweep(): check, lay out, call the kernel in chunks, hand back results."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd import checks, options
from fastgd.evaluation import evaluate
from fastgd.kernel.parallel import available_threads
from fastgd.memory import check_memory
from fastgd.network import (
    Network,
    Parts,
    Weights,
    all_first_weights,
    first_weights,
    flatten,
    layer_sizes,
)
from fastgd.plan import Plan, Task, Trained
from fastgd.progress import progress_bar
from fastgd.results import BatchNorm, Run, Summary, Sweep
from fastgd.summaries import summarise

STATUS = np.array(["finished", "converged", "diverged"])
"""For each outcome of :mod:`fastgd.kernel.block`."""

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
    record_weights: bool = False,
    progress: bool = False,
    **given_options: Unpack[options.Options],
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
    record_weights : bool
        Keep the weights along with each recorded error: ``run.recorded_weights``.
    progress : bool
        Show a progress bar (needs tqdm).
    **given_options
        See :class:`fastgd.options.Options`.

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
    rates = checks.check_alpha(alpha, len(hidden) + 1)
    seed = checks.check_seed(seed)
    method = options.check(given_options, task.X, task.y, hidden)
    network = _network(task, hidden, method)
    recording = checks.check_flag("record_weights", record_weights)
    plan = Plan.make(
        task,
        network,
        method,
        np.array([rates]),
        {},
        starts=1,
        threads=1,
        record_weights=recording,
    )
    check_memory(plan.bytes(keep_weights=True), "the training")
    start = network.rows(flatten(given or first_weights(network.sizes, seed))[None])
    with progress_bar(bar, plan.work) as advance:
        trained = plan.run(start, np.array([float(seed)]), keep_weights=True, advance=advance)
    parts, changes = network.parts(trained.weights[0]), network.parts(trained.changes[0])
    return Run(
        alpha=_alpha(alpha, rates),
        hidden_size=hidden,
        seed=None if given else seed,
        errors=trained.errors[0],
        recorded=task.recorded,
        weights=parts.weights,
        direction_changes=changes.weights,
        final_error=float(trained.final_error[0]),
        status=str(STATUS[trained.outcome[0]]),
        iterations=int(trained.iterations[0]),
        biases=parts.biases,
        bias_direction_changes=changes.biases,
        normalization=tuple(BatchNorm(*layer) for layer in parts.normalization),
        summary=_one_summary(trained, method.summary),
        recorded_weights=_recorded(network, trained.path[0]) if recording else None,
        options=method.given,
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
    **given_options: Any,
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
    checks.check_axes(
        [name for name, axis in found.items() if axis is not None],
        weights_given=weights is not None,
    )
    values = {name: found[name] or [value] for name, value in given.items()}

    hiddens, starts = _starts(values, task)
    rates = [checks.check_alphas(values["alpha"], len(hidden) + 1) for hidden in hiddens]
    seeds = checks.check_seeds(values["seed"])
    chosen = options.check_sweep(given_options, task.X, task.y, hiddens)
    count = len(starts or seeds)
    plans = [
        Plan.make(
            task, _network(task, hidden, method), method, alphas, chosen.values, count, threads
        )
        for hidden, alphas in zip(hiddens, rates, strict=True)
        for method in chosen.methods
    ]
    needed = sum(plan.bytes(keep) for plan in plans)
    check_memory(needed, "the sweep")

    trained = []
    masks = np.array(seeds * count if starts else seeds, dtype=np.float64)
    with progress_bar(bar, sum(plan.work for plan in plans)) as advance:
        for plan in plans:
            network = plan.layout.network
            first = (
                np.array(list(map(flatten, starts)))
                if starts
                else all_first_weights(network.sizes, seeds)
            )
            trained.append(plan.run(network.rows(first), masks, keep, advance))

    shown: dict[str, list[Any]] = {
        "hidden_size": hiddens,
        **chosen.structures,
        "alpha": _alphas(values["alpha"], rates[0]),
        **chosen.values,
        "seed": [None] if starts else seeds,
        "weights": starts or [],
    }
    axes = [name for name in shown if name not in found or found[name] is not None]
    shape = [len(shown[name]) for name in axes]

    def joined(name: str) -> NDArray[Any]:
        parts = [getattr(part, name) for part in trained]
        together = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return together.reshape((*shape, *together.shape[1:]))

    return Sweep(
        axes={name: shown[name] for name in axes},
        settings={name: shown[name][0] for name in ("alpha", "seed")},
        method=chosen.methods[0],
        errors=joined("errors"),
        recorded=task.recorded,
        final_error=joined("final_error"),
        status=np.asarray(STATUS[joined("outcome")]),
        iterations=joined("iterations"),
        total_changes=joined("total_changes"),
        summary=_joined_summary(plans, trained, shape),
        networks=tuple(plan.layout.network for plan in plans),
        kept_weights=tuple(part.weights for part in trained) if keep else None,
        kept_changes=tuple(part.changes for part in trained) if keep else None,
    )


def outputs(run: Run, X: ArrayLike) -> NDArray[np.float64]:
    """Pass samples forward through the network of a run: (samples, outputs)."""
    sizes = (run.weights[0].shape[0], *(layer.shape[1] for layer in run.weights))
    method = options.Method(**run.options)
    network = Network(sizes, bool(run.biases), bool(run.normalization))
    row = network.row(Parts(run.weights, run.biases, run.normalization))
    X = checks.check_inputs(X, sizes[0])
    result = np.empty((len(X), sizes[-1]))
    for start in range(0, len(X), PREDICT_SAMPLES):
        part = X[start : start + PREDICT_SAMPLES]
        result[start : start + len(part)] = evaluate(network, method, row, part)
    return result


def _network(task: Task, hidden: tuple[int, ...], method: options.Method) -> Network:
    return Network(layer_sizes(task.inputs, hidden, task.outputs), method.bias, method.batch_norm)


def _starts(
    values: dict[str, list[Any]], task: Task
) -> tuple[list[tuple[int, ...]], list[Weights] | None]:
    """Hidden sizes of each network of a sweep, and the first weights if they are given."""
    pairs = [
        checks.check_start(hidden_size, weights, task.inputs, task.outputs)
        for hidden_size, weights in product(values["hidden_size"], values["weights"])
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


def _recorded(network: Network, path: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """An array (records, inputs, outputs) for each layer."""
    rows = [network.parts(row).weights for row in path]
    return tuple(np.array(layer) for layer in zip(*rows, strict=True))


def _alpha(given: object, rates: tuple[float, ...]) -> float | tuple[float, ...]:
    """Alpha as it was given: one number, or one per layer."""
    return rates if isinstance(given, tuple) else rates[0]


def _alphas(given: list[Any], rates: NDArray[np.float64]) -> list[Any]:
    rows = rates.tolist()
    return [
        tuple(row) if isinstance(value, tuple) else row[0]
        for value, row in zip(given, rows, strict=True)
    ]


def _one_summary(trained: Trained, window: int | None) -> Summary | None:
    if window is None:
        return None
    return Summary(*(array[0].item() for array in summarise(trained.watch, window)))


def _joined_summary(
    plans: list[Plan], trained: list[Trained], shape: Sequence[int]
) -> Summary | None:
    window = plans[0].method.summary
    if window is None:
        return None
    parts = [summarise(part.watch, window) for part in trained]
    return Summary(*(np.concatenate(arrays).reshape(shape) for arrays in zip(*parts, strict=True)))
