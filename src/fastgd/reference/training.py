"""train(): the loop over the iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastgd.arguments.declarations import Options
from fastgd.arguments.initial_network import NetworkParts, Start
from fastgd.arguments.samples import TrainingData
from fastgd.checks.numbers import FloatArray, check_memory
from fastgd.engine.network import Network, count_weights
from fastgd.engine.results import State
from fastgd.optimizers import LevenbergMarquardt
from fastgd.reference import schedules
from fastgd.reference.measuring import Measuring
from fastgd.reference.parameter import Parameter
from fastgd.reference.perceptron import Perceptron
from fastgd.reference.sampling import Adaptive, Epochs, Sampler
from fastgd.reference.second_order import SecondOrder
from fastgd.reference.state import Ending, ending, over, resume_from, state_of
from fastgd.reference.stopping import Best, Watch
from fastgd.training.resuming import arguments_of_run
from fastgd.training.run import Run, run_of
from fastgd.training.train_sweep import continuing
from fastgd.training.training_job import TrainingJob, checked_job


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
    validation: Sequence[ArrayLike | None] | None = None,
    record_weights: bool = False,
    record_predictions: bool = False,
    resume: Run | None = None,
    samples: str = "same",
    change: Mapping[str, Any] | None = None,
    **given_options: Unpack[Options],
) -> Run:
    """Train one network by gradient descent, counting direction changes.

    Without options it is the listing under "Let's Take a Closer Look" (part 5 of the article), for
    any number of layers. `fastgd.train` does the same in compiled code; its results differ in the
    last digits by rounding.

    Parameters
    ----------
    X, y, gradients, validation
        The samples, as in :func:`fastgd.train`.
    hidden_size, weights, biases, seed, alpha, iterations, record_every
        As in :func:`fastgd.train`.
    record_weights, record_predictions, resume, samples, change
        As in :func:`fastgd.train`.
    **given_options
        Everything else that `fastgd.train` takes.

    Returns
    -------
    Run

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.

    Examples
    --------
    >>> from fastgd import reference
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = reference.train(X, y, alpha=10, iterations=100, record_every=20)
    >>> run.errors.round(6).tolist()
    [0.49641, 0.365823, 0.168862, 0.086922, 0.064243]
    >>> run.direction_changes[1].ravel().tolist()
    [22, 15, 4, 15]
    """
    job = checked_job(**locals())
    check_memory(_bytes(job), "the training")
    with np.errstate(all="ignore"):
        return _Descent(job).run()


class _Descent:
    """A network while it is trained."""

    def __init__(self, job: TrainingJob) -> None:
        task, method, seed = job.task, job.methods[0], job.seeds[0]
        self.job, self.task, self.method, self.seed = job, task, method, seed
        resume = job.resume if isinstance(job.resume, Run) else None
        state = None if resume is None else resume.state
        self.perceptron = self._perceptron(
            job.first(0)[0] if state is None else state.parameters[0]
        )
        self.sampler: Sampler = (
            Adaptive(len(task.X), method, seed)
            if method.sampling == "adaptive"
            else Epochs(len(task.X), method)
        )
        self.watch = Watch(method, task, self.sampler.per_epoch)
        self.records = Records(
            job.networks[0], task, job.record_weights, predictions=job.keep.predictions
        )
        self.measuring = Measuring(method, task, self.perceptron)
        self.second_order = None
        if isinstance(method.optimizer, LevenbergMarquardt):
            self.second_order = SecondOrder(self.perceptron, method, task)
        self.end = None
        if resume is not None and state is not None:
            state = state._replace(steps=self.measuring.join(resume, state.steps[0])[None])
            resume_from(state, self.perceptron, self.sampler, self.watch, task.done)
            self.records.join(resume)
            if self.second_order:
                self.second_order.resume_from(state)
            self.end = ending(state, task.iterations, is_held=task.holds_out)

    @property
    def _learned(self) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        return self.task.X, self.task.y, self.task.gradients

    def _perceptron(self, row: FloatArray) -> Perceptron:
        return Perceptron(self.job.networks[0], self.method, row, self.job.alphas[0][0])

    def run(self) -> Run:
        """Train, and return the run."""
        end = self.end or self._descend()
        best = self.watch.best or Best(self.perceptron.row, end.error, end.held)
        loss = np.nan
        if np.isfinite(best.row).all():
            loss = self._perceptron(best.row).loss(*self._learned)
        row = {
            "errors": self.records.errors,
            "kept_weights": best.row,
            "kept_changes": self.perceptron.changes,
            "final_error": best.error,
            "losses": self.records.losses,
            "final_loss": loss,
            "status": end.status,
            "iterations": end.iterations,
            "summary": self.watch.summary(),
            "kept_path": self.records.path,
            "recorded_predictions": self.records.predictions,
            "validation_errors": self.records.held,
            "final_validation_error": best.held,
            "best_iteration": self.watch.best_iteration,
            "measurements": self.measuring.numbers,
            **(self.second_order.estimates if self.second_order else {}),
        }
        return run_of(
            self.job.networks[0],
            self.method,
            row,
            **self.job.settings,
            recorded=self.task.recorded,
            state=end.state,
            sample_hashes=self.job.sample_hashes,
            schedule_start=self.job.schedule_start,
        )

    def _descend(self) -> Ending:
        """Run the remaining iterations, until the last one or an early stop."""
        for j in range(self.task.done, self.task.iterations):
            outcome = "converged" if self.measuring.stops else self._outcome()
            if self.records.is_due(j) or self.watch.is_due(j) or outcome:
                error, held = self._errors()
                if self.records.is_due(j):
                    loss = self.perceptron.loss(*self._learned)
                    self.records.put(j, error, loss, held, self.perceptron)
                status = self.watch.evaluate(j, error, held, self.perceptron, outcome)
                if status:
                    return over(Ending(j, status, error, held, self._state(j)))
            self._update(j)
            if not all(np.isfinite(p.value).all() for p in self.perceptron.parameters):
                held = np.nan if self.task.holds_out else None
                return over(Ending(j + 1, "diverged", np.nan, held, self._state(j + 1)))
        done = self.task.iterations
        # Before the final evaluation: a longer training would not have evaluated the error here.
        state = self._state(done)
        error, held = self._errors()
        outcome = "converged" if self.measuring.stops else self._outcome()
        status = self.watch.evaluate(done, error, held, self.perceptron, outcome)
        end = Ending(done, status or "finished", error, held, state)
        return over(end) if self.measuring.stops else end

    def _outcome(self) -> str | None:
        """How a step of second order ends the run."""
        return self.second_order.outcome if self.second_order else None

    def _update(self, j: int) -> None:
        """Update the parameters with the batch of iteration j."""
        if self.second_order:
            self.second_order.update(j)
            return
        perceptron, sampler = self.perceptron, self.sampler
        X, y, gradients = self._learned
        batch = sampler.batch(j)
        perceptron.propagate(X, y, batch, j, self.seed, gradients)
        if isinstance(sampler, Adaptive):
            sampler.learn(np.sum([layer.squared_norms() for layer in perceptron.layers], axis=0))
        self.measuring.begin(batch)
        if self.method.clip_norm < np.inf:
            _clip(perceptron.parameters, self.method.clip_norm)
        if self.method.gradient_noise:
            perceptron.add_noise(j, self.seed)
        factor, fields = schedules.values(self.method, self.task, j)
        for parameter in perceptron.parameters:
            parameter.optimizer.change(fields)
            parameter.update(factor)
        if self.method.max_norm < np.inf:
            for layer in perceptron.layers:
                _limit_norms(layer.weights, self.method.max_norm)
        self.measuring.end(j)

    def _errors(self) -> tuple[float, float | None]:
        """Mean absolute errors of the training samples, and of the validation samples."""
        error = self.perceptron.error(self.task.X, self.task.y, self.method.sample_weight)
        if self.task.validation is None:
            return error, None
        held = self.perceptron.error(*self.task.validation)
        return error, held if np.isfinite(held) else np.nan

    def _state(self, updates: int) -> State:
        state = state_of(self.perceptron, self.sampler, self.watch, self.task, self.seed, updates)
        if self.measuring.last is None:
            return state
        steps = np.concatenate([state.steps, self.measuring.last[None, None]], axis=1)
        return state._replace(steps=steps)


class Records:
    """Errors before the update of every ``record_every``-th iteration, and the network with them.

    NaN for records that the training did not reach.

    Attributes
    ----------
    errors : (records,) array
        Mean absolute error of the training samples.
    losses : (records,) array
        The minimized loss, of the training samples.
    held : (records,) array or None
        Mean absolute error of the validation samples.
    path : (records, P) array or None
        All parameters of the network.
    predictions : (records, samples, outputs) array or None
        Outputs of the training samples.
    """

    def __init__(
        self, network: Network, task: TrainingData, path: bool, *, predictions: bool
    ) -> None:
        count = task.records
        self.errors = np.full(count, np.nan)
        self.losses = np.full(count, np.nan)
        self.held = np.full(count, np.nan) if task.holds_out else None
        self.path = np.full((count, network.parameters), np.nan) if path else None
        shape = count, len(task.X), network.sizes[-1]
        self.predictions = np.full(shape, np.nan) if predictions else None
        self._network, self._X = network, task.X
        self._every = task.record_every

    def is_due(self, j: int) -> bool:
        """Whether the values before update j are recorded."""
        return j % self._every == 0

    def put(
        self, j: int, error: float, loss: float, held: float | None, perceptron: Perceptron
    ) -> None:
        """Record the values before update j."""
        k = j // self._every
        self.errors[k], self.losses[k] = error, loss
        if self.held is not None:
            self.held[k] = held
        if self.path is not None:
            self.path[k] = perceptron.row
        if self.predictions is not None:
            self.predictions[k] = perceptron.outputs(self._X)

    def join(self, run: Run) -> None:
        """Copy the records of a run that is resumed."""
        count = len(run.errors)
        self.errors[:count], self.losses[:count] = run.errors, run.losses
        if self.held is not None and run.validation_errors is not None:
            self.held[:count] = run.validation_errors
        if self.predictions is not None:
            self.predictions[:count] = run.recorded_predictions
        if self.path is not None and run.recorded_weights is not None:
            self.path[:count] = self._network.row(
                NetworkParts(run.recorded_weights, run.recorded_biases, run.recorded_normalization)
            )


def _limit_norms(weights: Parameter, most: float) -> None:
    """Limit the norm of the weights that enter each unit (Srivastava and others, JMLR 2014)."""
    norm = np.sqrt((weights.value**2).sum(axis=0))
    share = np.where(np.isfinite(norm), most / np.maximum(norm, most), np.nan)
    weights.value *= np.where(weights.frozen, 1.0, share)


def _clip(parameters: Sequence[Parameter], most: float) -> None:
    """Limit the norm of the whole gradient (Pascanu, Mikolov and Bengio, ICML 2013)."""
    for parameter in parameters:
        parameter.g = np.where(parameter.frozen, 0.0, parameter.g)
    norm = np.sqrt(sum(np.sum(parameter.g**2) for parameter in parameters))
    share = most / norm if norm > most else 1.0
    for parameter in parameters:
        parameter.g = parameter.g * (share if np.isfinite(norm) else np.nan)


def _bytes(job: TrainingJob) -> int:
    """Return the memory of a training: parameters, layers of a batch, random words, errors."""
    task, method, sizes = job.task, job.methods[0], job.networks[0].sizes
    at_once = len(task.X) + (method.batch_size or 0)
    at_once *= 1 if task.gradients is None else 1 + sizes[0]
    parameters = count_weights(sizes) + 4 * sum(sizes)
    numbers = 7 * parameters + 5 * at_once * sum(sizes)
    if method.dropconnect:
        numbers += 12 * parameters
    if method.gradient_noise or method.input_noise:
        numbers += 24 * max(parameters, at_once * sizes[0])
    if isinstance(method.optimizer, LevenbergMarquardt):
        numbers += (2 * len(task.X) * sizes[-1] + 4 * parameters) * parameters
    if method.dropout:
        numbers += 12 * at_once * max(sizes)
    path = 2 * task.records * parameters if job.record_weights else 0
    path += task.records * len(task.X) * sizes[-1] * job.keep.predictions
    return 8 * (numbers + path + 8 * task.records + 5 * min(method.summary or 0, task.iterations))
