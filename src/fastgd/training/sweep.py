"""sweep(): train one network for each combination of values, many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from fastgd.arguments.axes import taking_combinations
from fastgd.arguments.samples import warn_of_targets
from fastgd.checks.numbers import ALWAYS_FITS, check_memory
from fastgd.engine.devices import CPU
from fastgd.engine.plan import Keep
from fastgd.engine.progress import progress_bar
from fastgd.store import PathLike
from fastgd.training.folder_sweep import FolderSweep, folder_of
from fastgd.training.resuming import arguments_of_sweep
from fastgd.training.sweep_result import Sweep
from fastgd.training.train_sweep import HeldOut, continuing
from fastgd.training.training_job import TrainingJob, checked_job
from fastgd.workers.run_job import WorkerOptions, check_worker_options, run_job, work_into


@continuing(arguments_of_sweep)
@taking_combinations
def sweep(
    X: ArrayLike,
    y: ArrayLike,
    *,
    gradients: ArrayLike | None = None,
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
    device: str = CPU,
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
    X, y, gradients, iterations, record_every, validation, record_weights, progress
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
    device : str
        Where to train: "cpu", "cuda" (all GPUs that this process may use), "cuda:0" (the first of
        them), or "auto", the faster of the first two. Results are bit-identical. With an executor
        its workers have the GPUs, and "auto" is refused.
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
    DeviceError
        If there is no such GPU, or it can't be used.

    Warns
    -----
    UserWarning
        If a target is outside the range of the output units; and of what ``device="auto"`` has
        chosen, once in a process.

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
    worker_options = check_worker_options(
        executor, threads, threads_per_worker, out, progress, device
    )
    job = checked_job(
        X,
        y,
        hidden_size=hidden_size,
        alpha=alpha,
        iterations=iterations,
        record_every=record_every,
        seed=seed,
        weights=weights,
        biases=biases,
        combinations=combinations,
        groups=groups,
        folds=folds,
        validation=validation,
        gradients=gradients,
        keep_weights=keep_weights,
        record_weights=record_weights,
        keep_state=keep_state,
        resume=resume,
        given_options=given_options,
        device=worker_options.device,
        arguments=("combinations",),
        sweeps=True,
    )
    warn_of_targets({method.output for method in job.methods}, job.task.y)
    if worker_options.out is not None:
        return _into(worker_options.out, job, worker_options)
    return _trained(job, worker_options)


def _into(path: Path, job: TrainingJob, worker_options: WorkerOptions) -> Sweep:
    """Train all runs, writing each chunk to the folder."""
    job = job.with_own_samples()
    plan = job.largest
    check_memory(plan.bytes(job.keep) * worker_options.threads, "a chunk of the sweep")
    folder, job = folder_of(path, job)
    if not folder.done().all():
        job = job.on_one_device(worker_options.threads)
    with progress_bar(worker_options.has_bar, sum(job.sizes), " updates") as advance:
        work_into(folder, job, worker_options, advance)
    return FolderSweep(job.outline, job.known, folder, job.chunks)


def _trained(job: TrainingJob, worker_options: WorkerOptions) -> Sweep:
    """Train all runs in memory: here network by network, on an executor in chunks."""
    plans = [job.plan(number, worker_options.threads) for number in range(len(job.networks))]
    keep, less = job.keep, None
    needed = sum(plan.bytes(keep) for plan in plans)
    if needed > ALWAYS_FITS and keep.weights and not keep.state:
        less = "keep_weights=False", sum(plan.bytes(Keep(weights=False)) for plan in plans)
    check_memory(needed, "the sweep", less, "fewer records (record_every) or values on its axes")
    work = sum(plan.work for plan in plans)
    with progress_bar(worker_options.has_bar, work, " updates") as advance:
        if worker_options.executor is None:
            trained = [job.train(number, plan, advance) for number, plan in enumerate(plans)]
        else:
            trained = job.joined(run_job(job, worker_options, advance))
    return job.sweep(trained)
