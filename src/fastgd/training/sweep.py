"""sweep(): one network for each combination of values, many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from itertools import product, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import options
from fastgd.arguments.axes import MOST_NETWORKS, as_axis, check_axes, check_distinct, check_networks
from fastgd.arguments.combinations import taking_combinations
from fastgd.arguments.data import NetworkParts
from fastgd.arguments.initial_network import check_alphas, check_start, check_whole
from fastgd.arguments.targets import outputs_to_start
from fastgd.arguments.warnings import warn_of_targets
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.checks.values import check_flag, check_path, check_seeds
from fastgd.engine.plan import Keep
from fastgd.engine.progress import progress_bar
from fastgd.engine.training_data import TrainingData, network_of
from fastgd.store.files import PathLike
from fastgd.training.folders import as_in, folder_of, sweep_of
from fastgd.training.partitioning import name_of, partition_of, resumed_partition, weightings_of
from fastgd.training.resuming import continuing
from fastgd.training.resuming_sweeps import arguments_of_sweep, check_states
from fastgd.training.runs import Sweep
from fastgd.training.sweep_axes import COMBINATION, PARTS, SweepAxes
from fastgd.training.sweep_job import SweepJob
from fastgd.training.train import HeldOut
from fastgd.workers.job import WorkerOptions
from fastgd.workers.run_job import run_job, work_into
from fastgd.workers.worker_options import check_worker_options


@continuing(arguments_of_sweep)
@taking_combinations
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
    combinations: Sequence[Mapping[str, Any]] | None = None,
    groups: ArrayLike | None = None,
    folds: Any = None,
    validation: HeldOut | None = None,
    keep_weights: bool = True,
    record_weights: bool = False,
    keep_state: bool = False,
    resume: Sweep | None = None,
    out: PathLike | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    threads_per_worker: int = 1,
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
    combinations : list of dict, optional
        Combinations of numbers that are no product: ``alpha``, ``seed``, options that are numbers
        beside the compiled code and fields of the optimizer or schedule, the same in each
        combination and given nowhere else. Axis ``combination``; other axes may stand beside it.
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
    out : path, optional
        A folder to put the runs in, in chunks of some seconds, each as it is done: then they take no
        memory, and whatever ends the call (Ctrl-C, a power cut), the same call goes on from what is
        done. It is made if it isn't there. Several processes that are given the same call share
        the work. What is returned reads the folder, as :func:`fastgd.open` does.
    executor : concurrent.futures.Executor, optional
        Whose workers train the runs, in chunks of some seconds: ``ProcessPoolExecutor``,
        ``dask.distributed.Client.get_executor()``, loky, ``mpi4py.futures``, ... It is not shut
        down. A chunk that fails is tried again, three times at most.
    threads : int, optional
        How many threads of this process work on it, if there is no executor; all that Numba has by
        default (``NUMBA_NUM_THREADS``).
    threads_per_worker : int
        How many threads of an executor's worker work on a chunk.

    **given_options
        See :class:`fastgd.arguments.options.Options`. ``sample_weight`` may be an axis, too:
        (weightings, samples) numbers, such as the draws of a bootstrap.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, the sweep would not fit into memory, or the folder holds
        something else; the message states the rule and what came. Nothing is allocated before.
    OSError
        If the folder can't be made, read or written to. What is done is kept.
    BrokenExecutor, RuntimeError
        If the executor takes no more tasks, or a chunk has failed too often. What is done is kept in
        the folder.

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

    >>> combinations = [{"alpha": 10, "l2": 0}, {"alpha": 1, "l2": 0.001}]
    >>> sweep = fastgd.sweep(X, y, combinations=combinations, seed=range(4), iterations=1000)
    >>> sweep.shape, sweep.sel(combination=1, seed=3).alpha
    ((2, 4), 1.0)
    """
    together = tuple(combinations[0]) if combinations else ()
    task = TrainingData.check(X, y, iterations, record_every, given_options, validation)
    held = task.validation
    weightings, given_options = weightings_of(given_options)
    partition = partition_of(task, groups, folds, weightings, given_options)
    if resume is not None:
        partition = resumed_partition(partition, resume.partition, len(task.X))
    if held and partition is not None and partition.axes.keys() != {"sample_weight"}:
        raise ValueError(
            "validation must be left out with groups, and with folds, which hold out samples "
            "themselves; got both"
        )
    done = 0 if resume is None or not resume.states else int(resume.states[0].planned[0])
    task = replace(
        task,
        iterations=done + task.iterations,
        done=done,
        partition=partition,
    )
    bar = check_flag("progress", progress)
    keep = Keep(check_flag("keep_weights", keep_weights), check_flag("keep_state", keep_state))
    recording = check_flag("record_weights", record_weights)
    folder = None if out is None else check_path("out", out)
    worker_options = check_worker_options(executor, threads, threads_per_worker)
    given = {"hidden_size": hidden_size, "alpha": alpha, "seed": seed, "weights": weights}
    found = {
        name: as_axis(name, value, MOST_NETWORKS if name == "hidden_size" else None)
        for name, value in given.items()
    }
    check_axes(
        [name for name, axis in found.items() if axis is not None or name in together],
        weights_given=weights is not None,
    )
    structures, _ = options.axes(given_options, arguments=("combinations",))
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
        holds_out=task.holds_out,
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

    def axis(name: str, checked: list[Any] | None) -> list[Any] | None:
        return None if found[name] is None or name in together else checked

    numbers = {"alpha": _alphas(values["alpha"], rates[0]), "seed": seeds, **chosen.values}
    sweep_axes = SweepAxes.of(
        hidden_size=axis("hidden_size", hiddens),
        structures=chosen.structures,
        parts={} if partition is None else partition.axes,
        combinations=_combinations({name: numbers[name] for name in together}) or None,
        alpha=axis("alpha", numbers["alpha"]),
        values={name: one for name, one in chosen.values.items() if name not in together},
        seed=axis("seed", seeds),
        weights=axis("weights", starts),
    )
    others = (*PARTS, COMBINATION, "weights")
    check_distinct({name: axis for name, axis in sweep_axes.axes.items() if name not in others})
    each = list(product(zip(hiddens, rates, strict=True), chosen.methods))
    job = SweepJob(
        task=task,
        sweep_axes=sweep_axes,
        networks=tuple(network_of(task, hidden, method) for (hidden, _), method in each),
        methods=tuple(method for _, method in each),
        alphas=tuple(alphas for (_, alphas), _ in each),
        values=chosen.values,
        together=together,
        seeds=seeds,
        starts=starts,
        settings={"alpha": numbers["alpha"][0], "seed": None if starts else seeds[0]},
        keep=keep,
        record_weights=recording,
        resume=resume,
    )
    if resume is not None:
        most = len(task.X) if partition is None else int(partition.rows.sizes.max())
        check_states(resume, job.networks, most)
    if folder is not None:
        return _into(folder, job, worker_options, bar)
    return _trained(job, worker_options, bar)


def _into(path: Path, job: SweepJob, worker_options: WorkerOptions, bar: bool) -> Sweep:
    """Train all runs, each chunk into the folder."""
    job = job.with_own_samples()
    plan = job.largest
    check_memory(plan.bytes(job.keep) * worker_options.threads, "a chunk of the sweep")
    folder = folder_of(path, job)
    job = as_in(folder, job)
    with progress_bar(bar, sum(job.sizes), " updates") as advance:
        work_into(folder, job, worker_options, advance)
    return sweep_of(folder, job)


def _trained(job: SweepJob, worker_options: WorkerOptions, bar: bool) -> Sweep:
    """Train all runs: here those of one network after those of another, elsewhere in chunks."""
    plans = [job.plan(number, worker_options.threads) for number in range(len(job.networks))]
    keep = job.keep
    needed, least = (sum(plan.bytes(kept) for plan in plans) for kept in (keep, Keep(False)))
    less = ("keep_weights=False", least) if keep.weights and not keep.state else None
    check_memory(needed, "the sweep", less, "fewer records (record_every) or values on its axes")
    with progress_bar(bar, sum(plan.work for plan in plans), " updates") as advance:
        if worker_options.executor is None:
            trained = [job.train(number, plan, advance) for number, plan in enumerate(plans)]
        else:
            trained = job.joined(run_job(job, worker_options, advance))
    return job.sweep(trained)


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
) -> tuple[list[tuple[int, ...]], list[NetworkParts] | None]:
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
    """The values as floats; tuples of floats as they are, as there may be many."""
    first = rates[:, 0].tolist()
    return [
        _as_floats(value, row) if isinstance(value, tuple) else one
        for value, row, one in zip(given, rates, first, strict=True)
    ]


def _as_floats(value: tuple[Any, ...], row: NDArray[np.float64]) -> tuple[float, ...]:
    return value if all(type(part) is float for part in value) else tuple(row.tolist())


def _combinations(numbers: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """The combinations as they were checked."""
    return [
        dict(zip(numbers, combination, strict=True))
        for combination in zip(*numbers.values(), strict=True)
    ]
