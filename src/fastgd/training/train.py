"""train(): train one network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from numpy.typing import ArrayLike

from fastgd.arguments import options
from fastgd.arguments.initial_network import Start
from fastgd.arguments.samples import warn_of_targets
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import warn
from fastgd.checks.numbers import check_device, check_flag, check_threads
from fastgd.engine.devices import CPU, available_threads, looked_for
from fastgd.engine.progress import progress_bar
from fastgd.store import PathLike
from fastgd.training import train as checkpoints
from fastgd.training.resuming import arguments_of_run
from fastgd.training.run import Run
from fastgd.training.train import continuing
from fastgd.training.training_job import KEEP, checked_training

HeldOut = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]


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
    seed: int = 1,
    weights: Start | None = None,
    biases: Sequence[ArrayLike] | None = None,
    validation: HeldOut | None = None,
    record_weights: bool = False,
    resume: Run | None = None,
    checkpoint: PathLike | None = None,
    checkpoint_every: float = checkpoints.EVERY,
    threads: int | None = None,
    device: str = CPU,
    progress: bool = False,
    **given_options: Unpack[options.Options],
) -> Run:
    """Train one network by full-batch gradient descent, counting direction changes.

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
    seed : int
        Seed of the initial weights: ``2 * RandomState(seed).random_sample(shape) - 1`` for each
        layer in turn, unless ``init`` says otherwise.
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
    resume : Run, optional
        Continue this run for ``iterations`` further updates, exactly: the result is bit-identical
        to one training of all iterations. X, y, ``gradients`` and ``validation`` must be the same
        as before (``run.sample_hashes``; runs from files of version 0.2.0 have none, and resume
        with a warning); all other arguments are taken from the run, and must not be given with
        another value. A run that ended early (it converged, stalled or diverged) stays as it is.
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
    progress : bool
        Show a progress bar (needs tqdm).
    **given_options
        See :class:`fastgd.arguments.options.Options`.

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

    A curve through two points, whose slopes are known there:

    >>> curve = fastgd.train([[0.0], [1.0]], [0, 0], gradients=[[1], [-1]], activation="tanh",
    ...                      output="identity", bias=True, alpha=0.1, iterations=3000)
    >>> curve.predict([[0.5]]).round(2)
    array([[0.33]])

    A training that may be killed at any time, and resumes when it is called again:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = {"checkpoint": f"{folder}/run.npz", "checkpoint_every": 30}
    ...     run = fastgd.train(X, y, alpha=10, iterations=1000, **kept)
    ...     fastgd.load(f"{folder}/run.npz").final_error == run.final_error == both.final_error
    True
    """
    bar = check_flag("progress", progress)
    file = checkpoints.check_file(checkpoint, checkpoint_every)
    training = checked_training(
        X,
        y,
        hidden_size=hidden_size,
        alpha=alpha,
        iterations=iterations,
        record_every=record_every,
        seed=seed,
        weights=weights,
        biases=biases,
        validation=validation,
        gradients=gradients,
        record_weights=record_weights,
        resume=resume,
        given_options=given_options,
        threads=check_threads(threads, available_threads()),
        device=looked_for(check_device(device)),
        further=("checkpoint_every",),
    )
    plan = training.between(training.task.done, training.task.iterations)
    if plan.spare is None:  # one that has spare runs is small
        check_memory(plan.bytes(KEEP), "the training")
    warn_of_targets([training.method.output], training.task.y)
    if file is not None:
        run = checkpoints.train(training, file, bar)
    else:
        with progress_bar(bar, plan.work, " updates") as advance:
            run = training.stretch(plan, resume, advance)
    if run.status == "diverged":
        warn(
            f"the training diverged after {run.iterations:,} iterations: a weight or the error is "
            "infinite or NaN"
        )
    return run
