"""train(): one network from its first weights to its last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from numpy.typing import ArrayLike

from fastgd.arguments import options
from fastgd.arguments.initial_network import Start
from fastgd.arguments.warnings import warn, warn_of_targets
from fastgd.checks.memory import check_memory
from fastgd.checks.values import check_flag, check_threads
from fastgd.engine.progress import progress_bar
from fastgd.engine.session import available_threads
from fastgd.store.files import PathLike
from fastgd.training import checkpoints
from fastgd.training.results import Run
from fastgd.training.resuming import arguments_of_run, continuing
from fastgd.training.training_run import KEEP, Training

HeldOut = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]


@continuing(arguments_of_run)
def train(
    X: ArrayLike,
    y: ArrayLike,
    *,
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
    weights : Run, Snapshot, or sequence of (inputs, outputs) arrays, optional
        The network to start from instead; it also says how many hidden units there are. It is taken
        whole: a run or one of its recorded points (:meth:`fastgd.Run.at`) brings its biases and all
        of its batch normalization, and must have them just if ``bias`` and ``batch_norm`` ask for
        them. The states of an optimizer begin anew.
    biases : sequence of (outputs,) arrays, optional
        The biases that belong to ``weights`` where these are arrays, with ``bias=True``.
    validation : (X, y) or (X, y, sample_weight), optional
        Held-out samples, with weights of their errors: the network is measured on them along the
        way, and doesn't learn from them. ``patience``, ``tolerance``, ``summary`` and
        ``restore_best`` then watch their error. It costs a forward pass whenever it is looked at.
    record_weights : bool
        Keep the whole network along with each recorded error: ``run.recorded_weights`` and
        :meth:`fastgd.Run.at`.
    resume : Run, optional
        Go on with this run for so many ``iterations`` more, exactly: the result has the bits of one
        training of all of them. X, y and ``validation`` must be as they were; every other argument
        is that of the run, and must not be given with another value. A run that was over (it
        converged, stalled or diverged) stays so.
    checkpoint : path, optional
        A file that has the run so far, a whole one at any time: written soon after the beginning,
        then about every ``checkpoint_every`` seconds, and at the end. The same call goes on from
        it, whatever ended the one before, and the result has the bits of a training that nothing
        interrupted; when it is done, it is read. :func:`fastgd.load` reads it as a Run. The file of
        another call is refused.
    checkpoint_every : float
        Seconds from one checkpoint to the next, about; as much is lost at most.
    threads : int, optional
        How many threads may share the work of each update, all that Numba has by default. Small
        networks with few samples have one anyway; bits are the same for any number.
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
        If an argument is not as described; the message states the rule and what came. If the
        checkpoint is damaged, or that of another call; the message says what differs.
    OSError
        If the checkpoint cannot be read or written.

    Warns
    -----
    UserWarning
        If a target is outside of what the output units reach, and if the training diverged.

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

    Early stopping by held-out samples, and a training that goes on:

    >>> run = fastgd.train(X, y, alpha=10, iterations=500, validation=([[0, 0, 1]], [0]),
    ...                    patience=100, restore_best=True)
    >>> run.best_iteration, run.iterations
    (37, 137)
    >>> first = fastgd.train(X, y, alpha=10, iterations=500)
    >>> both = fastgd.train(X, y, resume=first, iterations=500)
    >>> both.final_error == fastgd.train(X, y, alpha=10, iterations=1000).final_error
    True

    A training that may be killed at any time goes on when it is called again:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = {"checkpoint": f"{folder}/run.npz", "checkpoint_every": 30}
    ...     run = fastgd.train(X, y, alpha=10, iterations=1000, **kept)
    ...     fastgd.load(f"{folder}/run.npz").final_error == run.final_error == both.final_error
    True
    """
    bar = check_flag("progress", progress)
    file = checkpoints.check_file(checkpoint, checkpoint_every)
    training = Training.check(
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
        recording=record_weights,
        resume=resume,
        given_options=given_options,
        threads=check_threads(threads, available_threads()),
        further=("checkpoint_every",),
    )
    plan = training.plan(training.task.done, training.task.iterations)
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
            "not finite any more"
        )
    return run
