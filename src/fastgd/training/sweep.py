"""sweep(): train one network for each combination of values, many at a time."""

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
from fastgd.training.folder_sweep import FolderSweep
from fastgd.training.folders import folder_of
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

    ``hidden_size``, ``alpha``, ``seed`` and ``weights`` may each be a list, range or 1-D array,
    which is an axis of the sweep. A tuple is one value (several hidden layers, an alpha per layer);
    a 2-D array of alphas is an axis of such tuples, and a list of runs, or of sequences of arrays,
    is an axis of weights. Every run is bit-identical to that of :func:`fastgd.train`.

    Parameters
    ----------
    X, y, iterations, record_every, validation, record_weights, progress
        As in :func:`fastgd.train`.
    hidden_size, alpha, seed, weights
        As in :func:`fastgd.train`, or an axis of such values. There may be at most 10,000
        combinations of the axes that change the network or its code: ``hidden_size``,
        ``optimizer``, ``schedule``, ``init``, ``activation``, ``output``, ``loss``, ``reduction``,
        ``bias``, ``batch_norm``, ``batch_size``.
    biases : optional
        As in :func:`fastgd.train`; with an axis of weights a list of the same length.
    combinations : list of dict, optional
        Settings that aren't all combinations of axes. The dicts have the same keys, which must not
        be given elsewhere: ``alpha``, ``seed``, numeric options that don't change the compiled
        code, and fields of the optimizer or schedule. They form the axis ``combination``, which can
        be combined with other axes.
    groups : (samples,) array_like, optional
        A label for each sample: one network is trained per label, on its samples. Axis ``group``.
    folds : int, splitter, iterable or (folds, samples) array of bool, optional
        The validation sets for cross-validation. Axis ``fold``. An int is a number of folds of
        neighboring samples; a splitter is one of scikit-learn's; an iterable has pairs of (train,
        test) indices; in an array, True marks the samples of a validation set. With ``groups``
        each group is split by itself.
    keep_weights : bool
        False keeps only the errors and the total direction changes, so that a million runs fit into
        memory. A single run is then trained again when it is accessed.
    keep_state : bool
        Keep all that further iterations depend on, so that ``resume`` can continue the runs.
    resume : Sweep, optional
        Continue all runs of a sweep made with ``keep_state=True``, as :func:`fastgd.train` does
        with one run. Groups, folds and sample weights are taken from the sweep, too.
    out : path, optional
        A folder for the runs, created if necessary. Chunks of a few seconds are written as soon as
        they are finished, so that the runs take no memory. However a call ends (Ctrl-C, a power
        cut), the same call resumes from the finished chunks. Several processes that make the same
        call share the work. The returned sweep reads the folder, as :func:`fastgd.open` does.
    executor : concurrent.futures.Executor, optional
        An executor whose workers train the runs, in chunks of a few seconds:
        ``ProcessPoolExecutor``, ``dask.distributed.Client.get_executor()``, loky,
        ``mpi4py.futures``, ... It is not shut down. A chunk that fails is tried again, at most
        three times.
    threads : int, optional
        Number of threads of this process, without an executor; by default all that Numba has
        (``NUMBA_NUM_THREADS``).
    threads_per_worker : int
        Number of threads that a worker of the executor uses for a chunk.

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
        something else; the message states the rule and the value. No memory is allocated before.
    OSError
        If the folder can't be created, read or written to. Finished chunks are kept.
    BrokenExecutor, RuntimeError
        If the executor takes no more tasks, or a chunk has failed four times. Finished chunks are
        kept in the folder.

    Warns
    -----
    UserWarning
        If a target is outside the range of the output units.

    Notes
    -----
    A run of a group, a fold or a row of weights is bit-identical to that of :func:`fastgd.train`
    on its samples alone, in the order of the table, with its validation samples as ``validation``.
    The layout of the samples in memory affects only the speed.

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

    Cross-validation: the mean validation error of each alpha.

    >>> sweep = fastgd.sweep(X * 5, y * 5, folds=5, alpha=[0.01, 1], iterations=1000)
    >>> sweep.shape, sweep.final_validation_error.mean(axis=0).round(2)
    ((5, 2), array([0.49, 0.02]))

    Two settings that differ in more than one value:

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
            "validation must be left out with groups, and with folds, which have validation "
            "samples of their own; got both"
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
    """Train all runs, writing each chunk to the folder."""
    job = job.with_own_samples()
    plan = job.largest
    check_memory(plan.bytes(job.keep) * worker_options.threads, "a chunk of the sweep")
    folder, job = folder_of(path, job)
    with progress_bar(bar, sum(job.sizes), " updates") as advance:
        work_into(folder, job, worker_options, advance)
    return FolderSweep(job.outline, job.known, folder, job.chunks)


def _trained(job: SweepJob, worker_options: WorkerOptions, bar: bool) -> Sweep:
    """Train all runs in memory: here network by network, on an executor in chunks."""
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
    """The biases that belong to each of the initial weights."""
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
    """The hidden sizes of each network, and the initial networks if they are given."""
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
    """The values as floats; tuples of floats are not copied, as there may be many."""
    first = rates[:, 0].tolist()
    return [
        _as_floats(value, row) if isinstance(value, tuple) else one
        for value, row, one in zip(given, rates, first, strict=True)
    ]


def _as_floats(value: tuple[Any, ...], row: NDArray[np.float64]) -> tuple[float, ...]:
    return value if all(type(alpha) is float for alpha in value) else tuple(row.tolist())


def _combinations(numbers: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """The combinations, with checked values."""
    return [
        dict(zip(numbers, combination, strict=True))
        for combination in zip(*numbers.values(), strict=True)
    ]
