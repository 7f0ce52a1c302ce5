"""train() and sweep(): train one network, or one for each combination of values, many at a time.

A checkpoint of train() is a file that always has a complete copy of the run so far, from which the
same call resumes. It is a saved :class:`fastgd.Run` that also has the manifest of its call: the
arguments, and hashes of the arrays. They are compared with those of the call that resumes from the
file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar, Unpack, cast

from numpy.typing import ArrayLike

from fastgd.arguments import options
from fastgd.arguments.axes import taking_combinations
from fastgd.arguments.initial_network import Start
from fastgd.arguments.samples import warn_of_targets
from fastgd.arguments.signatures import AXES, taking
from fastgd.arguments.subsets import Splits
from fastgd.checks.messages import shown, warn
from fastgd.checks.numbers import (
    ABOVE_ZERO,
    ALWAYS_FITS,
    Seed,
    check_memory,
    check_number,
    check_path,
    check_threads,
)
from fastgd.engine.devices import CPU, available_threads, check_device, looked_for
from fastgd.engine.progress import ProgressHook, check_progress, reporting
from fastgd.optimizers import Axis
from fastgd.store import PathLike, npz
from fastgd.store.manifest import Manifest, manifest_of, parsed
from fastgd.training.codec import decoded
from fastgd.training.resuming import arguments_of_run, arguments_of_sweep, planned
from fastgd.training.run import Run
from fastgd.training.stored_results import encode_run
from fastgd.training.sweep_result import Sweep
from fastgd.training.training_job import TrainingJob, checked_job

EVERY = 60.0
"""Seconds between checkpoints."""

FIRST = 256
"""Iterations before the first checkpoint, so that an unwritable folder is noticed in a second."""

GROWTH = 4
"""Maximum ratio of a stretch's iterations to those of the stretch before: the first stretch may
include compiling, and then says nothing about the speed."""

EARLY = 0.1
"""Fraction of the interval by which a checkpoint may be early, which avoids tiny stretches."""

_QUESTION = "checkpoint"
"""Key of the manifest in the header of the file."""

Training = TypeVar("Training", bound=Callable[..., Any])

HOW = {
    *("checkpoint", "checkpoint_every", "executor", "out"),
    *("threads", "threads_per_worker", "device", "progress"),
}
"""Arguments of train() and sweep() that change how a result is made, but not the result."""

HeldOut = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]


def continuing(
    complete: Callable[[Any, Mapping[str, Any]], dict[str, Any]],
) -> Callable[[Training], Training]:
    """Decorate a function: with ``resume``, complete the arguments that the caller has left out.

    ``complete`` takes the result to resume and the arguments that were given, and returns all
    arguments, or raises if one differs. A decorator is needed because only it can tell an argument
    that was given from one that has its default value.
    """

    def decorate(function: Training) -> Training:
        @wraps(function)
        def call(*args: Any, **given: Any) -> Any:
            resumed = given.get("resume")
            if resumed is None:
                return function(*args, **given)
            named = dict(zip(("X", "y"), args, strict=False)) | given
            return function(**complete(resumed, named))

        return cast(Training, call)

    return decorate


@taking(explained=True)
@continuing(arguments_of_run)
def train(
    X: ArrayLike,
    y: ArrayLike,
    *,
    gradients: ArrayLike | None = None,
    hidden_size: int | tuple[int, ...] = 4,
    alpha: float | tuple[float, ...] = 1.0,
    iterations: int = 60_000,
    record_every: int = 10_000,
    seed: Seed = 1,
    weights: Start | None = None,
    biases: Sequence[ArrayLike] | None = None,
    validation: HeldOut | None = None,
    record_weights: bool = False,
    record_predictions: bool = False,
    resume: Run | None = None,
    samples: str = "same",
    change: Mapping[str, Any] | None = None,
    checkpoint: PathLike | None = None,
    checkpoint_every: float = EVERY,
    threads: int | None = None,
    device: str = CPU,
    progress: bool | ProgressHook = False,
    **given_options: Unpack[options.Options],
) -> Run:
    """Train one network, and count how often the derivative of each weight changes its sign.

    By default the article's network: sigmoid units, squared error and no biases, with any number of
    layers, units, inputs and outputs.

    Parameters
    ----------
    X : (samples, inputs) array_like
        Finite numbers.
    y : (samples,) or (samples, outputs) array_like
        Targets; a sigmoid output reaches values between 0 and 1.
    gradients : (samples, outputs, inputs) array_like, optional
        The derivatives of the targets by the inputs, which are learned, too: NaN where one is
        unknown, and (samples, inputs) for a single output. ``gradient_weight / 2`` times the sum of
        their squared errors, each times its sample's weight, is added to the loss (Czarnecki and
        others, *Sobolev Training for Neural Networks*, NeurIPS 2017; Huge and Savine, *Differential
        Machine Learning*, arXiv 2005.02347). Hidden and output units must have a second derivative:
        sigmoid, tanh, softplus, silu, gelu, identity, exp, or a :class:`fastgd.Function` with one.
        An iteration takes somewhat less than ``1 + inputs`` times as long.
    hidden_size : int or tuple of int
        Units of the hidden layer, or of each of several; ``()`` for no hidden layer.
    alpha : float or tuple of float
        Learning rate, above 0; a tuple has one per layer.
    iterations : int
        Number of updates.
    record_every : int
        The error is recorded before the update of iterations 0, record_every, 2 * record_every, ...
    seed : int, Generator or SeedSequence
        Seed of the initial weights: ``2 * RandomState(seed).random_sample(shape) - 1`` for each
        layer in turn, unless ``init`` says otherwise. A Generator of NumPy draws the int, by
        ``rng.integers(2**32)``, and so advances; of a SeedSequence it is
        ``sequence.generate_state(1)[0]``. The run keeps the int.
    weights : Run, Snapshot, or sequence of (inputs, outputs) arrays, optional
        The initial network instead; it also sets the number of hidden units. A run or one of its
        recorded points (:meth:`fastgd.Run.at`) is taken as a whole, with its biases and its batch
        normalization, and must have these exactly if ``bias`` and ``batch_norm`` are set. The
        optimizer's state starts from the beginning.
    biases : sequence of (outputs,) arrays, optional
        The biases that belong to ``weights`` if these are arrays, with ``bias=True``.
    validation : (X, y) or (X, y, sample_weight), optional
        The validation set, optionally with sample weights: the network doesn't learn from it, but
        is evaluated on it during the training. ``patience``, ``tolerance``, ``summary`` and
        ``restore_best`` then monitor its error. Each evaluation costs a forward pass.
    record_weights : bool
        Keep the complete network with each recorded error: see ``run.recorded_weights`` and
        :meth:`fastgd.Run.at`.
    record_predictions : bool
        Keep the outputs of all samples with each recorded error: see ``run.recorded_predictions``.
        They are computed after the training, of networks that are kept until then: each record
        takes a forward pass, and memory for the network and the outputs.
    resume : Run, optional
        Continue this run for ``iterations`` further updates, exactly: the result is bit-identical
        to one training of all iterations. X, y, ``gradients`` and ``validation`` must be the same
        as before (``run.sample_hashes``; runs from files of version 0.2.0 have none, and resume
        with a warning); all other arguments are taken from the run, and must not be given with
        another value, unless ``samples`` and ``change`` say so. A run that ended early (it
        converged, stalled or diverged) stays as it is.
    samples : {"same", "new"}
        "new" resumes with other samples: X and y with the same numbers of columns, and
        ``gradients`` if there were any; ``sample_weight`` and ``validation`` as they are given now.
        Mini-batches are those of a training that always had as many samples. The distribution of
        ``sampling="adaptive"`` starts anew, and so does what is monitored (``patience``,
        ``restore_best``).
    change : dict, optional
        What a resumed training has anew, by name: alpha; options except ``activation``, ``output``,
        ``bias``, ``batch_norm``, ``init``, ``regularization``, ``sample_weight`` and what is
        measured; and fields of the optimizer, which must stay of the same class, of the schedule,
        the loss and the penalty: ``change={"alpha": 0.1, "momentum": 0.5}``. All that the optimizer
        keeps, the counts of direction changes, the number of the iteration and the records continue
        exactly; a changed beta continues Adam's running products. A ``schedule`` that is given
        anew, be it the same one, starts from 0 (a warm restart: Loshchilov and Hutter, ICLR 2017),
        and with it schedules in the optimizer; a field of it changes its present value. What is
        monitored starts anew if ``monitor``, ``restore_best`` or the monitored loss is another one.
        ``summary`` must be left out, or changed to None, and a run that ended early is refused.
    checkpoint : path, optional
        A file that always has a complete copy of the run so far: written soon after the start, then
        about every ``checkpoint_every`` seconds, and at the end. However a call ended, the same
        call resumes from the file, and the result is bit-identical to that of an uninterrupted
        training. If the training was finished, the result is read from the file.
        :func:`fastgd.load` reads it as a Run. The file of another call raises an error.
    checkpoint_every : float
        Approximate seconds between checkpoints, and so the most that an interruption can lose.
    threads : int, optional
        How many threads may share the work of each update; by default all that Numba has. Small
        networks with few samples use one anyway; results are bit-identical for any number.
    device : str
        Where to train: "cpu", "cuda" (GPUs), "cuda:0" (a certain GPU), or "auto", the faster of the
        first two. Results are bit-identical. A GPU is for many networks: a single one trains on one
        of its many processors, and more slowly than on the CPU.
    progress : bool or function
        True shows a progress bar (needs tqdm). A function is called with a
        :class:`fastgd.Progress` a few times per second; if it returns False, the call stops as
        after Ctrl-C.
    OPTIONS
    **parameters : float
        Parameters of functions of your own: :class:`fastgd.Function`, :class:`fastgd.Loss`.

    Returns
    -------
    Run

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and the value. If the
        checkpoint is corrupt, or belongs to another call; the message says what differs.
    OSError
        If the checkpoint cannot be read or written.
    DeviceError
        If there is no such GPU, or it can't be used.

    Warns
    -----
    UserWarning
        If a target is outside the range of the output units, and if the training diverged;
        and of what ``device="auto"`` has chosen, once in a process.

    Notes
    -----
    Results depend on the arguments only: they are bit-identical on all machines. A weight's
    direction changes at iteration j if ``update > 0`` differs from iteration j - 1, where the
    update is minus the derivative (article, "Let's Take a Closer Look").

    The monitored error (for ``tolerance``, ``patience``, ``summary`` and ``restore_best``) is the
    error of the validation set if there is one, else that of the training samples; with
    ``monitor="loss"`` it is the loss. It is evaluated every ``evaluate_every`` iterations, and
    after the last update. By default it is evaluated before every update with the full batch,
    before the first update of every epoch with mini-batches, and at the recorded iterations if only
    ``restore_best`` is given.

    "Future Work" is the section of the article that names a method and leaves it to the reader.

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

    Early stopping on a validation set, and a training that is resumed:

    >>> run = fastgd.train(X, y, alpha=10, iterations=500, validation=([[0, 0, 1]], [0]),
    ...                    patience=100, restore_best=True)
    >>> run.best_iteration, run.iterations
    (37, 137)
    >>> first = fastgd.train(X, y, alpha=10, iterations=500)
    >>> both = fastgd.train(X, y, resume=first, iterations=500)
    >>> both.final_error == fastgd.train(X, y, alpha=10, iterations=1000).final_error
    True

    Another alpha for further iterations, and then other samples:

    >>> slower = fastgd.train(X, y, resume=first, change={"alpha": 1}, iterations=500)
    >>> slower.alpha, slower.iterations
    (1.0, 1000)
    >>> more = fastgd.train(X + [[1, 1, 0]], y + [1], resume=slower, samples="new",
    ...                     iterations=500)
    >>> more.iterations
    1500

    A curve through two points, whose slopes are known there:

    >>> run = fastgd.train([[0.0], [1.0]], [0, 0], gradients=[[1], [-1]], bias=True,
    ...                    alpha=0.1, activation="tanh", output="identity", iterations=3000)
    >>> run.predict([[0.5]]).round(2)
    array([[0.33]])

    A training that may be killed at any time, and resumes when it is called again:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     kept = {"checkpoint": f"{tmp}/run.npz", "checkpoint_every": 30}
    ...     run = fastgd.train(X, y, alpha=10, iterations=1000, **kept)
    ...     fastgd.load(f"{tmp}/run.npz").final_error == run.final_error == both.final_error
    True
    """
    given = {name: value for name, value in locals().items() if name not in HOW}
    progress = check_progress(progress)
    file = check_file(checkpoint, checkpoint_every)
    threads = check_threads(threads, available_threads())
    device = looked_for(check_device(device))
    job = checked_job(**given, device=device, arguments=("checkpoint_every",))
    plan = job.plan(0, threads)
    check_memory(plan.bytes(job.keep), "the training")
    warn_of_targets([job.methods[0].output], job.task.y)
    if file is not None:
        run = _with_checkpoints(job, threads, *file, progress)
    else:
        with reporting(progress, plan.work, " updates") as advance:
            run = job.train_one(plan, advance)
    if run.status == "diverged":
        warn(
            f"the training diverged after {run.iterations:,} iterations: a weight or the error is "
            "infinite or NaN"
        )
    return run


def check_file(checkpoint: object, checkpoint_every: object) -> tuple[Path, float] | None:
    """The path of a checkpoint, and the seconds between writes, checked; None without a file."""
    seconds = check_number("checkpoint_every", checkpoint_every, ABOVE_ZERO)
    if checkpoint is None:
        if seconds != EVERY:
            raise ValueError(
                "checkpoint_every must go with checkpoint, "
                f"got checkpoint_every={shown(checkpoint_every)} without one"
            )
        return None
    path = check_path("checkpoint", checkpoint)
    if path.exists() and not path.is_file():
        raise ValueError(f"checkpoint must be a file, got {path}, which is none")
    if not path.parent.is_dir():
        raise ValueError(f"checkpoint must be in a folder that exists, got {path}")
    return path, seconds


def _with_checkpoints(
    job: TrainingJob, threads: int, path: Path, every: float, progress: bool | ProgressHook
) -> Run:
    """Train, resuming from the file if it exists, and write it about every ``every`` seconds.

    If it can't be written, its previous content stays.
    """
    asked, arrays = job.asked
    question = manifest_of("training", asked, {}, arrays, chunk_count=1)
    begun, iterations = job.task.done, job.task.iterations
    run = _read(path, question)
    if run is None and isinstance(job.resume, Run):
        run = job.resume
    done, errors = planned(run), () if run is None else (*run.errors, run.final_error)
    with reporting(progress, iterations - begun, " updates", done - begun, errors) as advance:
        length, due = FIRST, 0.0
        while done < iterations:
            over = run is not None and run.state is not None and run.state.ended[0] >= 0
            to = iterations if over else min(done + length, iterations)
            start = perf_counter()
            stretch = job.between(done, to, run)
            run = stretch.train_one(stretch.plan(0, threads), advance)
            now = perf_counter()
            speed = (to - done) / max(now - start, 1e-9)
            if now >= due or to == iterations:
                _write(path, run, question)
                now = perf_counter()
                due = now + (1 - EARLY) * every
            in_time = int(speed * (due - now + EARLY * every))
            length, done = max(1, min(GROWTH * length, in_time)), to
    assert run is not None  # there is at least one iteration
    return run


def _write(path: Path, run: Run, question: Manifest) -> None:
    header, arrays = encode_run(run)
    header |= {_QUESTION: json.loads(question.text())}
    npz.write(path, Run.__name__, header, arrays)


def _read(path: Path, question: Manifest) -> Run | None:
    """Read the run so far; None if the file doesn't exist."""
    try:
        with npz.reading(path) as (kind, header, arrays):
            found = parsed(json.dumps(header[_QUESTION]).encode()) if _QUESTION in header else None
            if found is not None and found.id == question.id:
                run: Run = decoded(path, kind, header, arrays)
                return run
    except FileNotFoundError:
        return None
    except ValueError as error:
        said = str(error) if str(path) in str(error) else f"{path} {error}"
        raise ValueError(
            f"{said}: choose another file, or remove it if it is a corrupt checkpoint"
        ) from error
    got = f"a {kind} that was saved"
    if found is not None:
        got = f"one with {found.differences(question)}"
    raise ValueError(
        f"{path} must be the checkpoint of this training, got {got}: remove it, or choose another "
        "file"
    )


# ---------------------------------------------------------------- sweep()


@taking(axes=AXES)
@continuing(arguments_of_sweep)
@taking_combinations
def sweep(
    X: ArrayLike,
    y: ArrayLike,
    *,
    gradients: ArrayLike | None = None,
    hidden_size: int | tuple[int, ...] | Axis[int | tuple[int, ...]] = 4,
    alpha: float | tuple[float, ...] | Axis[float | tuple[float, ...]] = 1.0,
    iterations: int = 60_000,
    record_every: int = 10_000,
    seed: Seed | Axis[Seed] = 1,
    weights: Start | Sequence[Start] | None = None,
    biases: Sequence[ArrayLike] | Sequence[Sequence[ArrayLike]] | None = None,
    combinations: Sequence[Mapping[str, float | tuple[float, ...]]] | None = None,
    groups: ArrayLike | None = None,
    folds: int | Splits | None = None,
    validation: HeldOut | None = None,
    keep_weights: bool = True,
    record_weights: bool = False,
    record_predictions: bool = False,
    keep_state: bool = False,
    resume: Sweep | None = None,
    samples: str = "same",
    change: Mapping[str, Any] | None = None,
    out: PathLike | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    threads_per_worker: int = 1,
    device: str = CPU,
    progress: bool | ProgressHook = False,
    **given_options: Any,
) -> Sweep:
    """Train one network for each combination of values: :func:`fastgd.train`, many at a time.

    ``hidden_size``, ``alpha``, ``seed`` and ``weights`` may each be a list, range or 1-D array,
    which is an axis of the sweep. A tuple is one value (several hidden layers, an alpha per layer);
    a 2-D array of alphas is an axis of such tuples, and a list of runs, or of sequences of arrays,
    is an axis of weights, as are stacked arrays, one (n, inputs, outputs) array per layer, and a
    sweep with one axis. Every run is bit-identical to that of :func:`fastgd.train`.

    Parameters
    ----------
    X, y, gradients, iterations, record_every, validation, progress
        As in :func:`fastgd.train`.
    record_weights, record_predictions
        As in :func:`fastgd.train`.
    hidden_size, alpha, seed, weights
        As in :func:`fastgd.train`, or an axis of such values: k seeds of a Generator are
        ``seed=rng.integers(2**32, size=k)``, of a SeedSequence ``seed=sequence.spawn(k)``. There
        may be at most 10,000 combinations of the axes that change the network or its code:
        ``hidden_size``, ``optimizer``, ``schedule``, ``init``, ``activation``, ``output``,
        ``loss``, ``reduction``, ``bias``, ``batch_norm``, ``batch_size``.
    biases : optional
        As in :func:`fastgd.train`; with an axis of weights a list of the same length, with stacked
        ones (n, outputs) arrays, one per layer.
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
    samples : {"same", "new"}
        As in :func:`fastgd.train`; with "new" groups and folds are given again, with equal labels.
    change : dict, optional
        As in :func:`fastgd.train`. The axes of the sweep stay: what is on one is given as as many
        values, ``change={"alpha": [0.1, 1]}``, and what isn't, as one. Runs that ended early stay
        as they are; a sweep that only has such runs is refused.
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
    OPTIONS
    **parameters : float
        All as in :func:`fastgd.train`. An axis is a list, range or 1-D array of values. So are
        fields of an optimizer or schedule, unless that is an axis itself. ``sample_weight`` may be
        an axis, too: (weightings, samples) numbers, such as the draws of a bootstrap.

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

    >>> pairs = [{"alpha": 10, "l2": 0}, {"alpha": 1, "l2": 0.001}]
    >>> sweep = fastgd.sweep(X, y, combinations=pairs, seed=range(4), iterations=1000)
    >>> sweep.shape, sweep.sel(combination=1, seed=3).alpha
    ((2, 4), 1.0)
    """
    given = {name: value for name, value in locals().items() if name not in HOW}
    from fastgd.workers.run_job import check_worker_options, run_job

    worker_options = check_worker_options(
        executor, threads, threads_per_worker, out, progress, device
    )
    job = checked_job(
        **given, device=worker_options.device, arguments=("combinations",), sweeps=True
    )
    warn_of_targets({method.output for method in job.methods}, job.task.y)
    if worker_options.out is not None:
        from fastgd.training.folder_sweep import FolderSweep, folder_of

        job = job.with_own_samples()
        needed = job.largest.bytes(job.keep) * worker_options.threads
        check_memory(needed, "a chunk of the sweep")
        folder, job = folder_of(worker_options.out, job)
        if not folder.done().all():
            job = job.on_one_device(worker_options.threads)
        with reporting(worker_options.progress, sum(job.sizes), " updates") as advance:
            run_job(job, worker_options, advance, folder, reads=False)
        return FolderSweep(job.outline, job.known, folder, job.chunks)
    plans = [job.plan(number, worker_options.threads) for number in range(len(job.networks))]
    keep, less = job.keep, None
    needed = sum(plan.bytes(keep) for plan in plans)
    if needed > ALWAYS_FITS and keep.weights and not keep.state:
        less = "keep_weights=False", sum(plan.bytes(replace(keep, weights=False)) for plan in plans)
    check_memory(needed, "the sweep", less, "fewer records (record_every) or values on its axes")
    work = sum(plan.work for plan in plans)
    with reporting(worker_options.progress, work, " updates") as advance:
        if worker_options.executor is None:  # here network by network, on an executor in chunks
            trained = [job.train(number, plan, advance) for number, plan in enumerate(plans)]
        else:
            trained = job.joined(run_job(job, worker_options, advance))
    return job.sweep(trained)
