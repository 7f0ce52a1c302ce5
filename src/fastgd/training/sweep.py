"""sweep(): one network for each combination of values, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product, repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import options
from fastgd.arguments.axes import MOST_NETWORKS, as_axis, check_axes, check_networks
from fastgd.arguments.cases import taking_cases
from fastgd.arguments.cautions import warn_of_targets
from fastgd.arguments.data import Parts
from fastgd.arguments.memory import check_memory
from fastgd.arguments.messages import shown
from fastgd.arguments.start import check_alphas, check_start, check_whole
from fastgd.arguments.targets import outputs_to_start
from fastgd.arguments.validation import check_validation
from fastgd.arguments.values import check_flag, check_seeds, check_threads
from fastgd.engine.execution import execute
from fastgd.engine.initialization import first_rows
from fastgd.engine.outcome import Trained
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.progress import progress_bar
from fastgd.engine.session import available_threads
from fastgd.engine.state import State
from fastgd.engine.summaries import STATUS, summarise
from fastgd.engine.task import Task, network_of
from fastgd.training.dividing import name_of, partition_of, resumed_partition, weightings_of
from fastgd.training.grid import PARTS, Grid
from fastgd.training.results import Summary
from fastgd.training.resuming import continuing
from fastgd.training.resuming_sweeps import arguments_of_sweep, join, states_of
from fastgd.training.runs import Sweep
from fastgd.training.source import Source
from fastgd.training.train import HeldOut


@continuing(arguments_of_sweep)
@taking_cases
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
    cases: Sequence[Mapping[str, Any]] | None = None,
    groups: ArrayLike | None = None,
    folds: Any = None,
    validation: HeldOut | None = None,
    keep_weights: bool = True,
    record_weights: bool = False,
    keep_state: bool = False,
    resume: Sweep | None = None,
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
    X, y, iterations, record_every, validation, record_weights, progress
        As in :func:`fastgd.train`.
    hidden_size, alpha, seed, weights
        As in :func:`fastgd.train`, or an axis of such values. There must not be more than 10,000
        combinations of the axes that change the network or its code: ``hidden_size``,
        ``optimizer``, ``schedule``, ``init``, ``activation``, ``output``, ``loss``, ``reduction``,
        ``bias``, ``batch_norm``, ``batch_size``.
    biases : optional
        As in :func:`fastgd.train`; beside an axis of weights a list of as many.
    cases : list of dict, optional
        Combinations of numbers that are no product: ``alpha``, ``seed``, options that are numbers
        beside the compiled code and fields of the optimizer or schedule, the same in each case and
        given nowhere else. Axis ``case``; other axes may stand beside it.
    groups : (samples,) array_like, optional
        Labels: a network for each, on the samples that have it. Axis ``group``.
    folds : int, splitter, iterable or (folds, samples) array of bool, optional
        Which samples are held out of which runs. Axis ``fold``. An int makes so many folds of
        neighbouring samples; a splitter is one of scikit-learn's; an iterable has pairs of
        (train, test) places; True is held out. With ``groups`` each group is split by itself.
    keep_weights : bool
        False keeps errors and the totals of direction changes only, so that a million runs fit into
        memory. A run that is asked for is then trained again.
    keep_state : bool
        Keep all that the runs depend on from here on, so that ``resume`` can go on with them.
    resume : Sweep, optional
        Go on with all runs of a sweep made with ``keep_state=True``, as :func:`fastgd.train` does
        with one run. Groups, folds and weights of samples are those of the sweep, too.
    threads : int, optional
        How many threads work on it; all that Numba has by default (``NUMBA_NUM_THREADS``).

    **given_options
        See :class:`fastgd.arguments.options.Options`. ``sample_weight`` may be an axis, too:
        (weightings, samples) numbers, such as the draws of a bootstrap.

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

    Notes
    -----
    A run of a group, fold or weighting has the bits of :func:`fastgd.train` on its samples alone,
    in the order of the table, with those that are held out as ``validation``. How their samples
    lie in memory decides about speed only.

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

    Cross-validation: the mean held-out error of each alpha.

    >>> sweep = fastgd.sweep(X * 5, y * 5, folds=5, alpha=[0.01, 1], iterations=1000)
    >>> sweep.shape, sweep.final_validation_error.mean(axis=0).round(2)
    ((5, 2), array([0.49, 0.02]))

    Two settings that differ in more than one number:

    >>> cases = [{"alpha": 10, "l2": 0}, {"alpha": 1, "l2": 0.001}]
    >>> sweep = fastgd.sweep(X, y, cases=cases, seed=range(4), iterations=1000)
    >>> sweep.shape, sweep.sel(case=1, seed=3).alpha
    ((2, 4), 1.0)
    """
    together = tuple(cases[0]) if cases else ()
    task = Task.check(X, y, iterations, record_every, given_options)
    held = check_validation(validation, task.inputs, task.outputs, given_options)
    weightings, given_options = weightings_of(given_options)
    partition = partition_of(task, groups, folds, weightings, given_options)
    if resume is not None:
        partition = resumed_partition(partition, resume.partition, len(task.X))
    if held and partition is not None and partition.axes.keys() != {"sample_weight"}:
        raise ValueError(
            "validation must be left out with groups, and with folds, which hold out samples "
            "themselves; got both"
        )
    holds_out = held is not None or (partition is not None and partition.held is not None)
    done = 0 if resume is None or not resume.states else int(resume.states[0].planned[0])
    task = replace(
        task,
        iterations=done + task.iterations,
        done=done,
        validation=held,
        partition=partition,
    )
    bar = check_flag("progress", progress)
    keep = Keep(check_flag("keep_weights", keep_weights), check_flag("keep_state", keep_state))
    recording = check_flag("record_weights", record_weights)
    threads = check_threads(threads, available_threads())
    given = {"hidden_size": hidden_size, "alpha": alpha, "seed": seed, "weights": weights}
    found = {
        name: as_axis(name, value, MOST_NETWORKS if name == "hidden_size" else None)
        for name, value in given.items()
    }
    check_axes(
        [name for name, axis in found.items() if axis is not None or name in together],
        weights_given=weights is not None,
    )
    structures, _ = options.axes(given_options)
    check_networks({"hidden_size": found["hidden_size"] or [None], **structures})
    values = {name: found[name] or [value] for name, value in given.items()}

    outputs = outputs_to_start(given_options, task.y, weights)
    hiddens, starts = _starts(values, _biases(biases, found["weights"]), task.inputs, outputs)
    rates = [check_alphas(values["alpha"], len(hidden) + 1) for hidden in hiddens]
    seeds = check_seeds(values["seed"])
    chosen = options.check_sweep(
        given_options,
        task.X,
        task.y,
        hiddens,
        holds_out=holds_out,
        in_parts=partition is not None,
        together=together,
    )
    options.check_updates(chosen.methods, task.iterations)
    if partition is not None:
        name = partial(name_of, partition)
        options.check_parts(chosen.methods, partition.rows.sizes, name)
    for start, method in product(starts or (), chosen.methods):
        check_whole(start, bias=method.bias, batch_norm=method.batch_norm, init=method.init)
    warn_of_targets({method.output for method in chosen.methods}, task.y)
    count = len(starts or seeds)
    plans = [
        Plan.make(
            task,
            network_of(task, hidden, method),
            method,
            alphas,
            chosen.values,
            count,
            threads,
            record_weights=recording,
            together=together,
        )
        for hidden, alphas in zip(hiddens, rates, strict=True)
        for method in chosen.methods
    ]
    needed, least = (sum(plan.bytes(kept) for plan in plans) for kept in (keep, Keep(False)))
    less = ("keep_weights=False", least) if keep.weights and not keep.state else None
    check_memory(needed, "the sweep", less, "fewer records (record_every) or values on its axes")
    states = states_of(resume, plans)
    with progress_bar(bar, sum(plan.work for plan in plans), " updates") as advance:
        trained = _trained(plans, states, starts, seeds, keep, advance, resume)

    def axis(name: str, checked: list[Any] | None) -> list[Any] | None:
        return None if found[name] is None or name in together else checked

    numbers = {"alpha": _alphas(values["alpha"], rates[0]), "seed": seeds, **chosen.values}
    grid = Grid.of(
        hidden_size=axis("hidden_size", hiddens),
        structures=chosen.structures,
        parts={} if partition is None else partition.axes,
        cases=_cases({name: numbers[name] for name in together}) or None,
        alpha=axis("alpha", numbers["alpha"]),
        values={name: one for name, one in chosen.values.items() if name not in together},
        seed=axis("seed", seeds),
        weights=axis("weights", starts),
    )

    def joined(name: str) -> NDArray[Any]:
        return grid.join([getattr(part, name) for part in trained])

    return Sweep(
        axes=grid.axes,
        settings={"alpha": numbers["alpha"][0], "seed": None if starts else seeds[0]}
        | _places(resume),
        method=chosen.methods[0],
        errors=joined("errors"),
        recorded=task.recorded,
        final_error=joined("final_error"),
        losses=joined("losses"),
        final_loss=joined("final_loss"),
        status=np.asarray(STATUS[joined("outcome")]),
        iterations=joined("iterations"),
        total_changes=joined("total_changes"),
        summary=_summary(plans, trained, grid),
        networks=tuple(plan.network for plan in plans),
        kept_weights=tuple(part.weights for part in trained) if keep.weights else None,
        kept_changes=tuple(part.changes for part in trained) if keep.weights else None,
        kept_path=tuple(part.path for part in trained) if recording else None,
        validation_errors=joined("held_errors") if holds_out else None,
        final_validation_error=joined("held_final") if holds_out else None,
        best_iteration=joined("best_iteration") if plans[0].layout.watched else None,
        states=tuple(part.state for part in trained if part.state is not None) or None,
        partition=partition,
        source=None if keep.weights else _source(task, starts, seeds[0], recording, resume),
    )


def _trained(
    plans: list[Plan],
    states: Sequence[State | None],
    starts: list[Parts] | None,
    seeds: list[int],
    keep: Keep,
    advance: Callable[[int], None],
    resume: Sweep | None,
) -> list[Trained]:
    """Train the runs of each plan, or go on with those of a sweep."""
    trained = []
    masks = np.array(seeds * len(starts) if starts else seeds, dtype=np.int64)
    for number, (plan, state) in enumerate(zip(plans, states, strict=True)):
        network = plan.network
        first = (
            np.array(list(map(network.row, starts)))
            if starts
            else network.rows(first_rows(plan.method.init, network.sizes, seeds))
        )
        trained.append(execute(plan, first, masks, keep, advance, state))
        if resume is not None:
            join(trained[-1], resume, number)
    return trained


def _places(resume: Sweep | None) -> dict[str, Any]:
    """Where what goes on is on the axes of samples, if it is a part of a sweep."""
    return {} if resume is None else {n: v for n, v in resume.settings.items() if n in PARTS}


def _source(
    task: Task, starts: list[Parts] | None, seed: int, recording: bool, resume: Sweep | None
) -> Source | None:
    """What a run is trained again from; an axis of first weights has its networks itself."""
    start = starts[0] if starts else None
    if starts and resume is not None and "weights" not in resume.axes:
        if resume.source is None:  # whose first weights nobody knows any more
            return None
        start = resume.source.weights
    return Source(
        task.X,
        task.y,
        task.iterations,
        task.record_every,
        task.validation,
        start,
        seed,
        recording,
    )


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
    values: dict[str, list[Any]], biases: list[Any], inputs: int, outputs: int
) -> tuple[list[tuple[int, ...]], list[Parts] | None]:
    """Hidden sizes of each network of a sweep, and the networks to start from if they are given."""
    each = biases if len(biases) > 1 else list(repeat(biases[0], len(values["weights"])))
    pairs = [
        check_start(hidden_size, weights, inputs, outputs, own)
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


def _cases(numbers: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """The cases as they were checked."""
    return [dict(zip(numbers, case, strict=True)) for case in zip(*numbers.values(), strict=True)]


def _summary(plans: list[Plan], trained: list[Trained], grid: Grid) -> Summary | None:
    window = plans[0].method.summary
    if window is None:
        return None
    parts = [summarise(part.watch, window) for part in trained]
    return Summary(*(grid.join(arrays) for arrays in zip(*parts, strict=True)))
